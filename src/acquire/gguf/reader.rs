//! Reading a GGUF header out of a mapped file.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use candle_core::quantized::GgmlDType;
use memmap2::Mmap;

use super::table::TableType;
use crate::acquire::lfs;
use crate::cpu::bytes::WeightBytes;
use crate::cpu::ggml;
use crate::plain_file;

/// What is wrong with a GGUF file.
#[derive(Debug, thiserror::Error)]
pub enum GgufError {
    #[error("could not open the file")]
    Open(#[source] std::io::Error),
    #[error("not a GGUF file: it starts with {0:02x?}")]
    Magic([u8; 4]),
    #[error("GGUF version {0} is not supported, only 2 and 3 are")]
    Version(u32),
    #[error("Git LFS pointer instead of a GGUF file: run `git lfs pull`")]
    LfsPointer,
    #[error("the file is big-endian, and only little-endian GGUF files are read: convert it again on this machine")]
    BigEndian,
    #[error("`{0}` is {1}, which is no finite number")]
    NotFinite(String, f64),
    #[error("the file is {0}, and no model")]
    NoModel(&'static str),
    #[error("`{0}` is not supported yet")]
    UnknownField(String),
    #[error("`{key}` = {value} is not supported yet")]
    UnsupportedField { key: String, value: String },
    #[error("tensor `{0}` is not supported yet")]
    UnsupportedTensor(String),
    #[error("the file ends inside its header, at byte {0}: it is cut short or damaged")]
    Truncated(usize),
    #[error("the header is damaged: {0}")]
    Damaged(String),
    #[error("tensor `{tensor}` is of type {kind}, which is not supported: use a file in Q4_K_M, Q8_0 or F16")]
    UnknownType { tensor: String, kind: String },
    #[error("part {number} of {count} is missing: there is no `{name}` beside it")]
    MissingPart { name: String, number: u32, count: u32 },
    #[error("could not read part `{name}`")]
    Part { name: String, source: Box<GgufError> },
    #[error("the file is part {number} of {count}, and its name does not say so")]
    UnnamedPart { number: u64, count: u64 },
    #[error("the file lacks tensor `{0}`")]
    MissingTensor(String),
    #[error("the metadata lacks `{0}`")]
    MissingField(String),
    #[error("`{key}` is not {expected}")]
    WrongField { key: String, expected: &'static str },
}

impl GgufError {
    /// Whether the header says what the program does not do; else something is wrong with the file.
    pub fn is_unsupported(&self) -> bool {
        match self {
            Self::Part { source, .. } => source.is_unsupported(),
            Self::NoModel(_)
            | Self::BigEndian
            | Self::Version(_)
            | Self::UnknownField(_)
            | Self::UnsupportedField { .. }
            | Self::UnsupportedTensor(_)
            | Self::UnknownType { .. } => true,
            _ => false,
        }
    }

    /// What the user can do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::MissingPart { .. } => {
                Some("put all parts of the file into one folder, or download them again".into())
            }
            Self::UnnamedPart { number, count } => Some(format!(
                "give each part its name, as `NAME-{number:05}-of-{count:05}.gguf`, and put all into one folder"
            )),
            Self::Part { source, .. } => source.hint(),
            Self::NoModel(_) => Some(
                "name the GGUF file of the model itself; an adapter is merged out of PEFT's directory, with --adapter"
                    .into(),
            ),
            _ => None,
        }
    }
}

/// A metadata value.
#[derive(Debug, Clone, PartialEq)]
pub enum Field {
    Unsigned(u64),
    Signed(i64),
    Float(f64),
    Bool(bool),
    Text(String),
    Array(Vec<Field>),
}

/// Where a tensor lies in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TensorPlace {
    /// Outermost dimension first, as candle and PyTorch count; GGUF itself counts the other way.
    pub shape: Vec<usize>,
    /// The type in which its numbers are held: that in which they are stored, but where it is a [`TableType`].
    pub kind: GgmlDType,
    /// The type in which they are stored, if it is one that is held as another.
    pub table: Option<TableType>,
    /// Which of the maps.
    part: usize,
    range: std::ops::Range<usize>,
}

/// A GGUF file, mapped into memory with all its parts, or its header alone.
#[derive(Debug, Clone)]
pub struct GgufFile {
    /// Of the file, or of its parts in their order; `None` where the tensors are not here.
    maps: Vec<Option<Arc<Mmap>>>,
    /// Where they lie on this disk.
    files: Vec<PathBuf>,
    fields: HashMap<String, Field>,
    tensors: HashMap<String, TensorPlace>,
}

impl GgufFile {
    /// One file, be it a part of a larger one or not.
    ///
    /// # Errors
    /// A file that cannot be opened, is no GGUF, is cut short, or lies about what it holds.
    pub(super) fn open_one(path: &Path) -> Result<Self, GgufError> {
        let file = plain_file::open(path).map_err(GgufError::Open)?;
        // SAFETY: mapped read-only. Another process that truncates the file meanwhile would end this one with SIGBUS, as
        // it would any program that maps its weights; the Hub's cache never rewrites a blob in place.
        let map = unsafe { Mmap::map(&file) }.map_err(GgufError::Open)?;
        let (fields, tensors) = parse(&map, map.len() as u64)?;
        Ok(Self { maps: vec![Some(Arc::new(map))], files: vec![path.into()], fields, tensors })
    }

    /// What the first bytes of a file of `length` bytes tell of it.
    ///
    /// # Errors
    /// [`GgufError::Truncated`] if they end inside the header; else what [`open`](Self::open) says of a header.
    pub fn of_header(bytes: &[u8], length: u64) -> Result<Self, GgufError> {
        let (fields, tensors) = parse(bytes, length)?;
        Ok(Self { maps: vec![None], files: Vec::new(), fields, tensors })
    }

    /// The same file with the tensors of its next part. What else the part states, the first states for all.
    ///
    /// # Errors
    /// A tensor that is in both, or more tensors than any file has.
    pub(super) fn with_part(mut self, part: Self) -> Result<Self, GgufError> {
        if (self.tensors.len() + part.tensors.len()) as u64 > MOST_TENSORS {
            return Err(GgufError::Damaged(format!("its parts hold more than {MOST_TENSORS} tensors")));
        }
        for (name, place) in part.tensors {
            let place = TensorPlace { part: self.maps.len() + place.part, ..place };
            if self.tensors.insert(name.clone(), place).is_some() {
                return Err(GgufError::Damaged(format!("tensor `{name}` is in two parts")));
            }
        }
        self.maps.extend(part.maps);
        self.files.extend(part.files);
        Ok(self)
    }

    /// Whether the tensors are here beside the header.
    pub fn has_tensors(&self) -> bool {
        self.maps.iter().all(Option::is_some)
    }

    /// The file on this disk, or its parts in their order; none of a header alone.
    pub fn files(&self) -> &[PathBuf] {
        &self.files
    }

    pub fn fields(&self) -> &HashMap<String, Field> {
        &self.fields
    }

    pub fn tensors(&self) -> &HashMap<String, TensorPlace> {
        &self.tensors
    }

    /// Bytes of all tensors as they are held.
    pub fn weights_bytes(&self) -> u64 {
        let held = |place: &TensorPlace| match place.table {
            None => place.range.len() as u64,
            Some(table) => {
                let ((numbers, size), blocks) = (table.block(), place.range.len());
                (blocks / size * numbers / place.kind.block_size() * place.kind.type_size()) as u64
            }
        };
        self.tensors.values().map(held).sum()
    }

    /// A tensor's place and its bytes as they are stored.
    ///
    /// # Errors
    /// If the file has no tensor of that name.
    pub fn tensor(&self, name: &str) -> Result<(&TensorPlace, WeightBytes), GgufError> {
        let place = self.tensors.get(name).ok_or_else(|| GgufError::MissingTensor(name.into()))?;
        let map = self.maps.get(place.part).and_then(Option::as_ref);
        let bytes = map.and_then(|map| WeightBytes::of_file(Arc::clone(map), place.range.clone()));
        Ok((place, bytes.ok_or_else(|| GgufError::MissingTensor(name.into()))?))
    }

    pub fn text(&self, key: &str) -> Result<Option<&str>, GgufError> {
        match self.fields.get(key) {
            None => Ok(None),
            Some(Field::Text(text)) => Ok(Some(text)),
            Some(_) => Err(GgufError::WrongField { key: key.into(), expected: "a text" }),
        }
    }

    pub fn unsigned(&self, key: &str) -> Result<Option<u64>, GgufError> {
        let number = match self.fields.get(key) {
            None => return Ok(None),
            Some(Field::Unsigned(number)) => Some(*number),
            Some(Field::Signed(number)) => u64::try_from(*number).ok(),
            Some(_) => None,
        };
        number.map(Some).ok_or(GgufError::WrongField { key: key.into(), expected: "a whole number" })
    }

    pub fn float(&self, key: &str) -> Result<Option<f64>, GgufError> {
        match self.fields.get(key) {
            None => Ok(None),
            Some(Field::Float(number)) => Ok(Some(*number)),
            Some(_) => Err(GgufError::WrongField { key: key.into(), expected: "a number" }),
        }
    }

    pub fn flag(&self, key: &str) -> Result<Option<bool>, GgufError> {
        match self.fields.get(key) {
            None => Ok(None),
            Some(Field::Bool(flag)) => Ok(Some(*flag)),
            Some(_) => Err(GgufError::WrongField { key: key.into(), expected: "true or false" }),
        }
    }

    pub fn array(&self, key: &str) -> Result<Option<&[Field]>, GgufError> {
        match self.fields.get(key) {
            None => Ok(None),
            Some(Field::Array(items)) => Ok(Some(items)),
            Some(_) => Err(GgufError::WrongField { key: key.into(), expected: "a list" }),
        }
    }
}

const DEFAULT_ALIGNMENT: u64 = 32;

/// Largest header that is read: the largest vocabularies with their merges take some tens of MiB.
const LARGEST_HEADER: usize = 128 << 20;

/// Most metadata fields and most tensors: of 1024 layers with a hundred tensors each, experts being stacked.
const MOST_FIELDS: u64 = 1 << 16;
const MOST_TENSORS: u64 = 1 << 17;

/// Most dimensions of a tensor that GGUF allows.
const MOST_DIMENSIONS: u32 = 4;

type Header = (HashMap<String, Field>, HashMap<String, TensorPlace>);

/// The header at the beginning of a file of `length` bytes.
fn parse(bytes: &[u8], length: u64) -> Result<Header, GgufError> {
    let mut reader = Reader { bytes: &bytes[..bytes.len().min(LARGEST_HEADER)], at: 0, items: 0 };
    let magic = reader.take::<4>()?;
    if lfs::is_pointer(bytes) {
        return Err(GgufError::LfsPointer);
    }
    if &magic != b"GGUF" {
        return Err(GgufError::Magic(magic));
    }
    let version = reader.u32()?;
    if matches!(version.swap_bytes(), 1..=3) {
        return Err(GgufError::BigEndian);
    }
    if !matches!(version, 2 | 3) {
        return Err(GgufError::Version(version));
    }
    let (tensor_count, field_count) = (reader.u64()?, reader.u64()?);
    for (count, most, what) in [(field_count, MOST_FIELDS, "metadata fields"), (tensor_count, MOST_TENSORS, "tensors")]
    {
        if count > most {
            return Err(GgufError::Damaged(format!("it states {count} {what}")));
        }
    }

    let mut fields = HashMap::new();
    for _ in 0..field_count {
        let key = reader.text()?;
        let kind = reader.u32()?;
        let value = reader.field(kind, 0)?;
        // The scores of a vocabulary are a list, and order by whatever they hold.
        if let Field::Float(number) = value
            && !number.is_finite()
        {
            return Err(GgufError::NotFinite(key, number));
        }
        fields.insert(key, value);
    }

    let mut places = Vec::new();
    for _ in 0..tensor_count {
        places.push(reader.tensor()?);
    }
    let alignment = match fields.get("general.alignment") {
        Some(Field::Unsigned(alignment)) if alignment.is_power_of_two() => *alignment,
        Some(Field::Unsigned(other)) => return Err(GgufError::Damaged(format!("`general.alignment` is {other}"))),
        Some(_) => return Err(GgufError::Damaged("`general.alignment` is not a whole number".into())),
        None => DEFAULT_ALIGNMENT,
    };
    let data_start = (reader.at as u64).checked_next_multiple_of(alignment);
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    let mut tensors = HashMap::new();
    let mut order = Vec::new();
    for (name, shape, stored, offset) in places {
        let range = data_start
            .and_then(|start| byte_range(&shape, stored.block(), start.checked_add(offset)?, length))
            .ok_or_else(|| GgufError::Damaged(format!("tensor `{name}` reaches beyond the end of the file")))?;
        if !offset.is_multiple_of(alignment) {
            let found = format!("tensor `{name}` begins at {offset}, which is no multiple of {alignment}");
            return Err(GgufError::Damaged(found));
        }
        order.push((range.start, range.end, name.clone()));
        if tensors.insert(name.clone(), stored.place(shape, range)).is_some() {
            return Err(GgufError::Damaged(format!("tensor `{name}` is there twice")));
        }
    }
    order.retain(|(start, end, _)| start < end);
    order.sort_unstable();
    for pair in order.windows(2) {
        let [(_, end, first), (start, _, second)] = pair else { continue };
        if start < end {
            return Err(GgufError::Damaged(format!("tensor `{second}` lies over tensor `{first}`")));
        }
    }
    Ok((fields, tensors))
}

/// The type of a tensor in a file.
#[derive(Debug, Clone, Copy)]
enum Stored {
    Held(GgmlDType),
    Table(TableType),
}

impl Stored {
    fn of_number(number: u32) -> Option<Self> {
        ggml::of_number(number).map(Self::Held).or(TableType::of_number(number).map(Self::Table))
    }

    /// Numbers of a block, and its bytes.
    fn block(self) -> (usize, usize) {
        match self {
            Self::Held(kind) => (kind.block_size(), kind.type_size()),
            Self::Table(table) => table.block(),
        }
    }

    fn place(self, shape: Vec<usize>, range: std::ops::Range<usize>) -> TensorPlace {
        let (kind, table) = match self {
            Self::Held(kind) => (kind, None),
            Self::Table(table) => (GgmlDType::Q8_0, Some(table)),
        };
        TensorPlace { shape, kind, table, part: 0, range }
    }
}

/// The bytes of a tensor, or `None` if its shape, blocks and place do not fit into a file of `length` bytes.
fn byte_range(
    shape: &[usize],
    (numbers, size): (usize, usize),
    start: u64,
    length: usize,
) -> Option<std::ops::Range<usize>> {
    let elements = shape.iter().try_fold(1usize, |product, dimension| product.checked_mul(*dimension))?;
    let columns = shape.last().copied().unwrap_or(1);
    if columns == 0 || !columns.is_multiple_of(numbers) {
        return None;
    }
    let size = (elements / numbers).checked_mul(size)?;
    let start = usize::try_from(start).ok()?;
    let end = start.checked_add(size)?;
    (end <= length).then_some(start..end)
}

/// A cursor over the header that refuses to read past the end. Nothing is allocated on the word of a length alone: every
/// element that is kept has first been read out of the file, and no file has more than [`MOST_ITEMS`] of them.
struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    items: u64,
}

/// Most items of all lists together. The largest vocabularies have 262,144 tokens, scores and types each, and half a
/// million merges.
const MOST_ITEMS: u64 = 1 << 23;

impl Reader<'_> {
    fn slice(&mut self, length: u64) -> Result<&[u8], GgufError> {
        let end = usize::try_from(length).ok().and_then(|length| self.at.checked_add(length));
        let slice = end.and_then(|end| self.bytes.get(self.at..end)).ok_or(GgufError::Truncated(self.at))?;
        self.at += slice.len();
        Ok(slice)
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], GgufError> {
        let mut taken = [0; N];
        taken.copy_from_slice(self.slice(N as u64)?);
        Ok(taken)
    }

    fn u32(&mut self) -> Result<u32, GgufError> {
        Ok(u32::from_le_bytes(self.take()?))
    }

    fn u64(&mut self) -> Result<u64, GgufError> {
        Ok(u64::from_le_bytes(self.take()?))
    }

    fn text(&mut self) -> Result<String, GgufError> {
        let length = self.u64()?;
        Ok(String::from_utf8_lossy(self.slice(length)?).into_owned())
    }

    fn field(&mut self, kind: u32, depth: u32) -> Result<Field, GgufError> {
        Ok(match kind {
            0 => Field::Unsigned(u64::from(self.take::<1>()?[0])),
            1 => Field::Signed(i64::from(i8::from_le_bytes(self.take()?))),
            2 => Field::Unsigned(u64::from(u16::from_le_bytes(self.take()?))),
            3 => Field::Signed(i64::from(i16::from_le_bytes(self.take()?))),
            4 => Field::Unsigned(u64::from(self.u32()?)),
            5 => Field::Signed(i64::from(i32::from_le_bytes(self.take()?))),
            6 => Field::Float(f64::from(f32::from_le_bytes(self.take()?))),
            7 => Field::Bool(self.take::<1>()?[0] != 0),
            8 => Field::Text(self.text()?),
            9 if depth < 2 => {
                let kind = self.u32()?;
                let length = self.u64()?;
                self.items = self.items.saturating_add(length);
                if self.items > MOST_ITEMS {
                    return Err(GgufError::Damaged(format!("a list of {length} items at byte {}", self.at)));
                }
                let mut items = Vec::new();
                for _ in 0..length {
                    items.push(self.field(kind, depth + 1)?);
                }
                Field::Array(items)
            }
            10 => Field::Unsigned(self.u64()?),
            11 => Field::Signed(i64::from_le_bytes(self.take()?)),
            12 => Field::Float(f64::from_le_bytes(self.take()?)),
            other => return Err(GgufError::Damaged(format!("value type {other} at byte {}", self.at))),
        })
    }

    fn tensor(&mut self) -> Result<(String, Vec<usize>, Stored, u64), GgufError> {
        let name = self.text()?;
        let dimensions = self.u32()?;
        if dimensions > MOST_DIMENSIONS {
            return Err(GgufError::Damaged(format!("tensor `{name}` has {dimensions} dimensions")));
        }
        let mut shape = Vec::new();
        for _ in 0..dimensions {
            let dimension = usize::try_from(self.u64()?);
            shape.push(dimension.map_err(|_| GgufError::Damaged(format!("tensor `{name}` is too large")))?);
        }
        shape.reverse();
        let number = self.u32()?;
        let kind = Stored::of_number(number)
            .ok_or_else(|| GgufError::UnknownType { tensor: name.clone(), kind: type_name(number) })?;
        let offset = self.u64()?;
        Ok((name, shape, kind, offset))
    }
}

/// Names of ggml's types that candle has no arithmetic for.
fn type_name(number: u32) -> String {
    let name = match number {
        9 => "Q8_1",
        15 => "Q8_K",
        16 => "IQ2_XXS",
        17 => "IQ2_XS",
        18 => "IQ3_XXS",
        19 => "IQ1_S",
        21 => "IQ3_S",
        22 => "IQ2_S",
        29 => "IQ1_M",
        34 => "TQ1_0",
        35 => "TQ2_0",
        _ => return format!("number {number}"),
    };
    name.into()
}

#[cfg(test)]
mod tests {
    use super::super::testing::{header, tensor, text};
    use super::*;

    fn refusal(bytes: &[u8]) -> String {
        parse(bytes, bytes.len() as u64).unwrap_err().to_string()
    }

    #[test]
    fn a_tensor_lies_after_the_aligned_header_outermost_dimension_first() {
        let mut bytes = header(&[], 0, &tensor("a", &[2, 3], 0, 0), 1);
        let start = bytes.len().next_multiple_of(32);
        bytes.resize(start + 24, 0);
        let (_, tensors) = parse(&bytes, bytes.len() as u64).unwrap();
        assert_eq!(tensors["a"].shape, [3, 2]);
        assert_eq!(tensors["a"].range, start..start + 24);
    }

    #[test]
    fn every_prefix_of_a_header_is_refused_without_panic() {
        let fields = [text("general.name"), vec![8, 0, 0, 0], text("한국어")].concat();
        let mut bytes = header(&fields, 1, &tensor("a", &[8], 0, 0), 1);
        bytes.resize(bytes.len().next_multiple_of(32) + 32, 0);
        assert!(parse(&bytes, bytes.len() as u64).is_ok());
        for length in 0..bytes.len() {
            assert!(parse(&bytes[..length], length as u64).is_err(), "{length} bytes were accepted");
        }
    }

    #[test]
    fn a_header_alone_tells_all_but_the_tensors() {
        let mut bytes = header(&[], 0, &tensor("a", &[2, 3], 0, 0), 1);
        let whole = bytes.len().next_multiple_of(32) as u64 + 24;
        let file = GgufFile::of_header(&bytes, whole).unwrap();
        assert_eq!((file.weights_bytes(), file.has_tensors()), (24, false));
        assert!(matches!(file.tensor("a"), Err(GgufError::MissingTensor(_))));
        bytes.pop();
        assert!(matches!(GgufFile::of_header(&bytes, whole), Err(GgufError::Truncated(_))));
    }

    #[test]
    fn headers_that_lie_are_refused() {
        assert!(refusal(b"{\"model\": 1}").starts_with("not a GGUF file"));
        assert!(refusal(&header(&[], u64::MAX, &[], 0)).contains("18446744073709551615 metadata fields"));
        assert!(refusal(&header(&[], 0, &[], u64::MAX)).contains("18446744073709551615 tensors"));
        assert!(refusal(&header(&[], MOST_FIELDS, &[], 0)).contains("ends inside its header"));
        assert!(refusal(&header(&[], 0, &[], MOST_TENSORS)).contains("ends inside its header"));
        let long = [u64::MAX.to_le_bytes(), *b"12345678"].concat();
        assert!(refusal(&header(&long, 1, &[], 0)).contains("ends inside its header"));
        let many = [text("a"), 5_u32.to_le_bytes().to_vec()].concat();
        assert!(refusal(&header(&[], 0, &many, 1)).contains("has 5 dimensions"));
        let over: Vec<u8> = (0..9).flat_map(|at| tensor(&format!("{at}"), &[8, 16], 0, 0)).collect();
        let mut bytes = header(&[], 0, &over, 9);
        bytes.resize(bytes.len().next_multiple_of(32) + 512, 0);
        assert!(refusal(&bytes).contains("tensor `1` lies over tensor `0`"));
        let mut bytes = header(&[], 0, &[tensor("a", &[16], 0, 0), tensor("b", &[8], 0, 32)].concat(), 2);
        bytes.resize(bytes.len().next_multiple_of(32) + 64, 0);
        assert!(refusal(&bytes).contains("tensor `b` lies over tensor `a`"), "the file has room for both");
        let mut bytes = header(&[], 0, &tensor("a", &[8], 0, 4), 1);
        bytes.resize(bytes.len().next_multiple_of(32) + 64, 0);
        assert!(refusal(&bytes).contains("`a` begins at 4, which is no multiple of 32"));
        let endless = [text("x"), vec![9, 0, 0, 0], vec![4, 0, 0, 0], u64::MAX.to_le_bytes().to_vec()].concat();
        assert!(refusal(&header(&endless, 1, &[], 0)).contains("a list of 18446744073709551615 items"));
        let huge = tensor("a", &[u64::MAX, u64::MAX], 0, 0);
        assert!(refusal(&header(&[], 0, &huge, 1)).contains("`a` reaches beyond the end"));
        let far = tensor("a", &[8], 0, u64::MAX);
        assert!(refusal(&header(&[], 0, &far, 1)).contains("`a` reaches beyond the end"));
        let alignment = |kind: u8, value: &[u8]| {
            let field = [text("general.alignment"), vec![kind, 0, 0, 0], value.to_vec()].concat();
            refusal(&header(&field, 1, &tensor("a", &[8], 0, 0), 1))
        };
        assert!(alignment(4, &[0; 4]).contains("`general.alignment` is 0"));
        assert!(alignment(4, &[33, 0, 0, 0]).contains("`general.alignment` is 33"));
        assert!(alignment(8, &text("32")).contains("is not a whole number"));
        assert!(alignment(10, &(1_u64 << 63).to_le_bytes()).contains("`a` reaches beyond the end"));
    }

    #[test]
    fn a_file_that_is_no_little_endian_gguf_is_named_for_what_it_is() {
        assert!(refusal(b"GGUF\0\0\0\x03").starts_with("the file is big-endian"));
        let pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12\n";
        assert!(refusal(pointer).contains("run `git lfs pull`"));
    }

    #[test]
    fn a_number_that_is_not_finite_is_refused_by_its_key() {
        let of = |kind: u8, value: &[u8]| {
            refusal(&header(&[text("llama.rope.freq_base"), vec![kind, 0, 0, 0], value.to_vec()].concat(), 1, &[], 0))
        };
        assert_eq!(of(6, &f32::INFINITY.to_le_bytes()), "`llama.rope.freq_base` is inf, which is no finite number");
        assert!(of(12, &f64::NAN.to_le_bytes()).contains("is NaN"));
    }

    #[test]
    fn an_unknown_type_names_the_tensor_the_type_and_a_way_out() {
        let message = refusal(&header(&[], 0, &tensor("blk.0.ffn_up.weight", &[256], 16, 0), 1));
        assert_eq!(
            message,
            "tensor `blk.0.ffn_up.weight` is of type IQ2_XXS, which is not supported: use a file in Q4_K_M, Q8_0 or F16"
        );
    }
}
