//! GGUF files by their parts, for tests of what reads them.

use super::GgufFile;

/// A file's header: metadata fields, then tensor places.
pub(crate) fn header(fields: &[u8], field_count: u64, tensors: &[u8], tensor_count: u64) -> Vec<u8> {
    let mut bytes = b"GGUF\x03\0\0\0".to_vec();
    bytes.extend(tensor_count.to_le_bytes());
    bytes.extend(field_count.to_le_bytes());
    bytes.extend(fields);
    bytes.extend(tensors);
    bytes
}

/// A text as GGUF has it.
pub(crate) fn text(text: &str) -> Vec<u8> {
    [&(text.len() as u64).to_le_bytes(), text.as_bytes()].concat()
}

/// A tensor's place, its innermost dimension first.
pub(crate) fn tensor(name: &str, shape: &[u64], kind: u32, offset: u64) -> Vec<u8> {
    let mut bytes = text(name);
    bytes.extend((shape.len() as u32).to_le_bytes());
    shape.iter().for_each(|dimension| bytes.extend(dimension.to_le_bytes()));
    bytes.extend(kind.to_le_bytes());
    bytes.extend(offset.to_le_bytes());
    bytes
}

/// A field of one of the kinds that tokenizers are described in.
#[derive(Clone, Copy)]
pub(crate) enum Value<'a> {
    Unsigned(u32),
    Bool(bool),
    Text(&'a str),
    Texts(&'a [&'a str]),
    Floats(&'a [f32]),
    Signed(&'a [i32]),
}

/// A field's key and value.
pub(crate) fn field(key: &str, value: Value) -> Vec<u8> {
    let list = |kind: u32, length: usize| {
        [9, kind].map(u32::to_le_bytes).concat().into_iter().chain((length as u64).to_le_bytes())
    };
    let value: Vec<u8> = match value {
        Value::Unsigned(number) => [4, number].map(u32::to_le_bytes).concat(),
        Value::Bool(flag) => vec![7, 0, 0, 0, flag.into()],
        Value::Text(value) => [vec![8, 0, 0, 0], text(value)].concat(),
        Value::Texts(items) => list(8, items.len()).chain(items.iter().flat_map(|item| text(item))).collect(),
        Value::Floats(items) => list(6, items.len()).chain(items.iter().flat_map(|item| item.to_le_bytes())).collect(),
        Value::Signed(items) => list(5, items.len()).chain(items.iter().flat_map(|item| item.to_le_bytes())).collect(),
    };
    [text(key), value].concat()
}

/// A file of these fields, and a tensor of two rows of 32 float32 as its embedding.
pub(crate) fn file(fields: &[Vec<u8>]) -> GgufFile {
    let mut bytes = header(&fields.concat(), fields.len() as u64, &tensor("token_embd.weight", &[32, 2], 0, 0), 1);
    bytes.resize(bytes.len().next_multiple_of(32) + 256, 0);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.gguf");
    std::fs::write(&path, bytes).unwrap();
    GgufFile::open(&path).unwrap()
}
