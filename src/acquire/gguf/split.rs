//! GGUF files that are split: each part is a GGUF file of its own, and the first has the metadata of all.
//!
//! As `llama-gguf-split` and gguf-py's writer make them: `split.count` parts, of which each states its number from 0 as
//! `split.no`, and how many tensors all have together as `split.tensors.count`
//! (<https://github.com/ggml-org/llama.cpp/blob/master/tools/gguf-split/gguf-split.cpp>).

use std::io;
use std::path::Path;

use super::reader::{GgufError, GgufFile};
use crate::catalog::PartName;

impl GgufFile {
    /// Opens a file, or all parts of one that is split, of which `path` may be any.
    ///
    /// # Errors
    /// A file that cannot be opened, is no GGUF, is cut short, or lies about what it holds; a part that is missing.
    pub fn open(path: &Path) -> Result<Self, GgufError> {
        let opened = Self::open_one(path)?;
        let Some(place) = place(&opened)? else { return Ok(opened) };
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let named = place.named(name)?;
        let (mut opened, mut parts) = (Some(opened), Vec::new());
        for (number, name) in (1..).zip(named.all()) {
            let part = match opened.take_if(|_| number == named.number) {
                Some(part) => part,
                None => Self::open_one(&path.with_file_name(&name)).map_err(|source| match source {
                    GgufError::Open(error) if error.kind() == io::ErrorKind::NotFound => {
                        GgufError::MissingPart { name, number, count: named.count }
                    }
                    source => GgufError::Part { name, source: Box::new(source) },
                })?,
            };
            parts.push(part);
        }
        whole(parts)
    }

    /// What the headers tell that lie under these names: of one file, or of all parts of one that is split.
    ///
    /// # Errors
    /// Headers that are not of one file.
    pub fn of_headers(headers: Vec<(&str, Self)>) -> Result<Self, GgufError> {
        if let [(name, header)] = headers.as_slice()
            && let Some(place) = place(header)?
        {
            place.named(name)?;
        }
        whole(headers.into_iter().map(|(_, header)| header).collect())
    }
}

/// Where a part stands among the others.
struct Place {
    /// Counted from 1.
    number: u64,
    count: u64,
    /// Tensors of all parts together.
    tensors: Option<u64>,
}

impl Place {
    /// The name, if it says the same.
    fn named(&self, name: &str) -> Result<PartName, GgufError> {
        PartName::parse(name)
            .filter(|named| (u64::from(named.number), u64::from(named.count)) == (self.number, self.count))
            .ok_or(GgufError::UnnamedPart { number: self.number, count: self.count })
    }
}

/// Where a file stands among others; `None` of one that is whole.
fn place(file: &GgufFile) -> Result<Option<Place>, GgufError> {
    let Some(count) = file.unsigned("split.count")?.filter(|count| *count > 1) else { return Ok(None) };
    let number = file.unsigned("split.no")?.ok_or_else(|| GgufError::MissingField("split.no".into()))?;
    Ok(Some(Place { number: number.saturating_add(1), count, tensors: file.unsigned("split.tensors.count")? }))
}

/// The file of these parts, in their order.
fn whole(parts: Vec<GgufFile>) -> Result<GgufFile, GgufError> {
    let (count, mut tensors, mut whole) = (parts.len(), None, None::<GgufFile>);
    for (number, part) in (1..).zip(parts) {
        let (stated, of) = place(&part)?.map_or((1, 1), |place| {
            tensors = tensors.or(place.tensors);
            (place.number, place.count)
        });
        if (stated, of) != (number, count as u64) {
            let found = format!("what should be part {number} of {count} says that it is part {stated} of {of}");
            return Err(GgufError::Damaged(found));
        }
        whole = Some(match whole {
            None => part,
            Some(first) => first.with_part(part)?,
        });
    }
    let whole = whole.ok_or_else(|| GgufError::Damaged("it has no part".into()))?;
    match tensors.filter(|tensors| *tensors != whole.tensors().len() as u64) {
        Some(stated) => {
            let found = whole.tensors().len();
            Err(GgufError::Damaged(format!("its parts hold {found} tensors, and {stated} are stated")))
        }
        None => Ok(whole),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Value, field, header, tensor};
    use super::*;
    use crate::causes::chain;

    /// A part that says which it is, with a tensor of eight float32 for each name.
    fn part(number: u32, count: u32, tensors: u32, names: &[&str]) -> Vec<u8> {
        let fields = [("split.no", number), ("split.count", count), ("split.tensors.count", tensors)];
        let fields = fields.map(|(key, value)| field(key, Value::Unsigned(value))).concat();
        let places: Vec<u8> = (0..).zip(names).flat_map(|(at, name)| tensor(name, &[8], 0, 32 * at)).collect();
        let mut bytes = header(&fields, 3, &places, names.len() as u64);
        bytes.resize(bytes.len().next_multiple_of(32) + 32 * names.len(), names.len() as u8);
        bytes
    }

    /// What opening the first of these files gives.
    fn open(files: &[(&str, Vec<u8>)]) -> Result<GgufFile, String> {
        let folder = tempfile::tempdir().unwrap();
        files.iter().for_each(|(name, bytes)| std::fs::write(folder.path().join(name), bytes).unwrap());
        GgufFile::open(&folder.path().join(files[0].0)).map_err(|error| chain(&error))
    }

    const FIRST: &str = "m-00001-of-00002.gguf";
    const SECOND: &str = "m-00002-of-00002.gguf";

    #[test]
    fn each_tensor_is_read_in_its_own_part() {
        let (first, second) = ((FIRST, part(0, 2, 3, &["a"])), (SECOND, part(1, 2, 3, &["b", "c"])));
        for files in [[first.clone(), second.clone()], [second, first]] {
            let whole = open(&files).unwrap();
            let byte = |name: &str| whole.tensor(name).unwrap().1[0];
            assert_eq!((byte("a"), byte("b"), byte("c")), (1, 2, 2));
            assert_eq!((whole.weights_bytes(), whole.files().len(), whole.has_tensors()), (96, 2, true));
        }
    }

    #[test]
    fn a_part_that_is_missing_or_has_another_name_is_told() {
        let alone = open(&[(SECOND, part(1, 2, 2, &["b"]))]).unwrap_err();
        assert_eq!(alone, "part 1 of 2 is missing: there is no `m-00001-of-00002.gguf` beside it");
        for name in ["m.gguf", "m-00001-of-00003.gguf", SECOND] {
            let renamed = open(&[(name, part(0, 2, 2, &["a"]))]).unwrap_err();
            assert_eq!(renamed, "the file is part 1 of 2, and its name does not say so", "{name}");
        }
    }

    #[test]
    fn parts_that_do_not_belong_together_are_refused() {
        let refusal = |second: Vec<u8>| open(&[(FIRST, part(0, 2, 2, &["a"])), (SECOND, second)]).unwrap_err();
        let cut = part(1, 2, 2, &["b"]);
        assert!(
            refusal(cut[..cut.len() - 1].to_vec())
                .starts_with("could not read part `m-00002-of-00002.gguf`: the header")
        );
        assert!(refusal(part(0, 2, 2, &["b"])).contains("should be part 2 of 2 says that it is part 1 of 2"));
        assert!(refusal(part(1, 3, 2, &["b"])).contains("says that it is part 2 of 3"));
        assert!(refusal(part(1, 1, 2, &["b"])).contains("says that it is part 1 of 1"));
        assert!(refusal(part(1, 2, 2, &["a"])).contains("tensor `a` is in two parts"));
        assert!(refusal(part(1, 2, 2, &[])).contains("its parts hold 1 tensors, and 2 are stated"));
        assert!(refusal(part(1, u32::MAX, 2, &["b"])).contains("of 4294967295"));
    }

    #[test]
    fn headers_of_one_file_tell_of_it_as_the_file_does() {
        let read = |bytes: Vec<u8>| GgufFile::of_header(&bytes, bytes.len() as u64).unwrap();
        let (first, second) = (part(0, 2, 2, &["a"]), part(1, 2, 2, &["b"]));
        let whole = GgufFile::of_headers(vec![(FIRST, read(first.clone())), (SECOND, read(second))]).unwrap();
        assert_eq!((whole.weights_bytes(), whole.has_tensors()), (64, false));
        let alone = |name| GgufFile::of_headers(vec![(name, read(first.clone()))]).err().map(|error| error.to_string());
        assert!(alone("m.gguf").unwrap().contains("its name does not say so"));
        assert!(alone(FIRST).unwrap().contains("what should be part 1 of 1 says that it is part 1 of 2"));
    }
}
