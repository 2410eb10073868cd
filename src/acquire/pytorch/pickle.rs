//! Pickles read as data: nothing that they name is ever imported or called.
//!
//! A pickle is a program for a stack machine. Of its instructions only those are known here that build values, and of the
//! functions that it may ask to have called only the few that rebuild tensors, which are understood instead of called.
//! Anything else is an error. Opcodes: <https://github.com/python/cpython/blob/main/Lib/pickletools.py>.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;

/// What is wrong with a pickle, or what it asks for.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum PickleError {
    #[error("the pickle ends in the middle")]
    Truncated,
    #[error("the pickle is damaged at byte {0}")]
    Damaged(usize),
    #[error("the pickle has instruction {code:#04x} at byte {at}, which no file of tensors needs")]
    Instruction { code: u8, at: usize },
    #[error("the pickle asks to call `{0}`: only tensors are read, nothing is executed")]
    Call(String),
    #[error("the pickle is longer than {} MiB, which no table of tensors is", LONGEST >> 20)]
    TooLong,
}

/// A value that a pickle builds. Containers are shared, as Python's are: a copy costs no memory, however often a hostile
/// pickle takes one.
#[derive(Debug, Clone)]
pub enum Value {
    None,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(Rc<str>),
    Tuple(Rc<[Value]>, Depth),
    List(Rc<Container<Value>>),
    Dict(Rc<Container<(Value, Value)>>),
    /// A class or function by module and name.
    Global(Rc<str>),
    /// A reference to what lies outside of the pickle: a storage of numbers.
    Persistent(Rc<Value>, Depth),
    Tensor(Rc<PickledTensor>),
}

/// How deep values lie in one another below this one.
type Depth = u32;

/// Deepest nesting that is read. A table of tensors takes six; dropping a value recurses as deep as it is nested.
const DEEPEST: Depth = 32;

/// Longest pickle in bytes. A table of ten thousand tensors takes about one MiB; an instruction of one byte may make a
/// value of a hundred.
const LONGEST: usize = 16 << 20;

/// Longest name of a class or function, of a storage or of its class. Each reference to one makes a copy.
const LONGEST_NAME: usize = 256;

/// Most dimensions of a tensor. Each reference to a shape makes a copy.
const MOST_DIMENSIONS: usize = 8;

/// A list or dictionary while it is filled.
#[derive(Debug)]
pub struct Container<T> {
    items: RefCell<Vec<T>>,
    depth: Cell<Depth>,
    /// It lies in another value, so its depth must not grow any more.
    placed: Cell<bool>,
}

impl<T> Default for Container<T> {
    fn default() -> Self {
        Self { items: RefCell::default(), depth: Cell::new(0), placed: Cell::new(false) }
    }
}

impl<T: Clone> Container<T> {
    pub fn items(&self) -> Vec<T> {
        self.items.borrow().clone()
    }
}

impl Value {
    fn depth(&self) -> Depth {
        match self {
            Value::Tuple(_, depth) | Value::Persistent(_, depth) => *depth,
            Value::List(list) => list.depth.get(),
            Value::Dict(dict) => dict.depth.get(),
            _ => 0,
        }
    }

    /// Puts this value into another; gives the other's depth, or nothing if that would be too deep.
    fn place(&self) -> Option<Depth> {
        match self {
            Value::List(list) => list.placed.set(true),
            Value::Dict(dict) => dict.placed.set(true),
            _ => {}
        }
        (self.depth() < DEEPEST).then(|| self.depth() + 1)
    }
}

/// The depth of a value that holds these, which are in their place from now on.
fn depth_over<'a>(values: impl Iterator<Item = &'a Value>) -> Option<Depth> {
    values.map(Value::place).try_fold(1, |deepest, depth| Some(deepest.max(depth?)))
}

/// A tensor as a pickle describes it: a view of a storage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PickledTensor {
    /// Class of the storage, which says the type of its numbers: `HalfStorage`.
    pub class: String,
    /// Name of the storage.
    pub storage: String,
    /// First number of the view.
    pub offset: usize,
    pub shape: Vec<usize>,
    pub strides: Vec<usize>,
}

/// Reads one pickle; gives its value and how many bytes it took.
///
/// # Errors
/// A pickle that is cut short or damaged, or that asks for more than tensors.
pub fn read(bytes: &[u8]) -> Result<(Value, usize), PickleError> {
    let mut machine = Machine { bytes, at: 0, stack: Vec::new(), marks: Vec::new(), memo: HashMap::new() };
    loop {
        if let Some(value) = machine.step()? {
            return Ok((value, machine.at));
        }
    }
}

struct Machine<'a> {
    bytes: &'a [u8],
    at: usize,
    stack: Vec<Value>,
    /// Heights of the stack at which a list of arguments begins.
    marks: Vec<usize>,
    memo: HashMap<u32, Value>,
}

impl Machine<'_> {
    /// Carries out one instruction; the last one gives the pickle's value.
    fn step(&mut self) -> Result<Option<Value>, PickleError> {
        let start = self.at;
        let [code] = self.take()?;
        match code {
            0x80 => drop(self.take::<1>()?),
            0x95 => drop(self.take::<8>()?),
            b'.' => return self.pop().map(Some),
            b'(' => self.marks.push(self.stack.len()),
            b'0' => drop(self.pop()?),
            b'N' => self.stack.push(Value::None),
            0x88 => self.stack.push(Value::Bool(true)),
            0x89 => self.stack.push(Value::Bool(false)),
            b'J' => {
                let number = i32::from_le_bytes(self.take()?);
                self.stack.push(Value::Int(number.into()));
            }
            b'K' => {
                let number = u8::from_le_bytes(self.take()?);
                self.stack.push(Value::Int(number.into()));
            }
            b'M' => {
                let number = u16::from_le_bytes(self.take()?);
                self.stack.push(Value::Int(number.into()));
            }
            0x8a => self.long()?,
            b'G' => {
                let number = f64::from_be_bytes(self.take()?);
                self.stack.push(Value::Float(number));
            }
            b'X' => {
                let length = u32::from_le_bytes(self.take()?);
                self.text(length as usize)?;
            }
            0x8c => {
                let [length] = self.take()?;
                self.text(usize::from(length))?;
            }
            b'}' => self.stack.push(Value::Dict(Rc::default())),
            b']' => self.stack.push(Value::List(Rc::default())),
            b')' => self.tuple(self.stack.len())?,
            0x85..=0x87 => {
                let from = self.stack.len().checked_sub(usize::from(code - 0x84)).ok_or(PickleError::Damaged(start))?;
                self.tuple(from)?;
            }
            b't' => {
                let from = self.mark(start)?;
                self.tuple(from)?;
            }
            b'a' => {
                let item = self.pop()?;
                self.extend(vec![item], start)?;
            }
            b'e' => {
                let from = self.mark(start)?;
                let items = self.stack.split_off(from);
                self.extend(items, start)?;
            }
            b's' => {
                let (value, key) = (self.pop()?, self.pop()?);
                self.insert(vec![key, value], start)?;
            }
            b'u' => {
                let from = self.mark(start)?;
                let items = self.stack.split_off(from);
                self.insert(items, start)?;
            }
            b'q' => {
                let [index] = self.take()?;
                self.remember(u32::from(index), start)?;
            }
            b'r' => {
                let index = u32::from_le_bytes(self.take()?);
                self.remember(index, start)?;
            }
            0x94 => self.remember(self.memo.len() as u32, start)?,
            b'h' => {
                let [index] = self.take()?;
                self.recall(u32::from(index), start)?;
            }
            b'j' => {
                let index = u32::from_le_bytes(self.take()?);
                self.recall(index, start)?;
            }
            b'c' => {
                let (module, name) = (self.line()?, self.line()?);
                self.stack.push(Value::Global(format!("{module}.{name}").into()));
            }
            0x93 => match (self.pop()?, self.pop()?) {
                (Value::Text(name), Value::Text(module)) if name.len() + module.len() < LONGEST_NAME => {
                    self.stack.push(Value::Global(format!("{module}.{name}").into()));
                }
                _ => return Err(PickleError::Damaged(start)),
            },
            b'Q' => {
                let id = self.pop()?;
                let depth = id.place().ok_or(PickleError::Damaged(start))?;
                self.stack.push(Value::Persistent(Rc::new(id), depth));
            }
            b'R' => {
                let (arguments, function) = (self.pop()?, self.pop()?);
                let value = rebuild(&function, &arguments).map_err(|name| match name {
                    Some(name) => PickleError::Call(name),
                    None => PickleError::Damaged(start),
                })?;
                self.stack.push(value);
            }
            // The state of an object: of an OrderedDict its attributes, which say nothing of tensors.
            b'b' => drop(self.pop()?),
            code => return Err(PickleError::Instruction { code, at: start }),
        }
        Ok(None)
    }

    fn slice(&mut self, length: usize) -> Result<&[u8], PickleError> {
        let end = self.at.checked_add(length).ok_or(PickleError::Truncated)?;
        let slice = self.bytes.get(self.at..end).ok_or(PickleError::Truncated)?;
        if end > LONGEST {
            return Err(PickleError::TooLong);
        }
        self.at = end;
        Ok(slice)
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], PickleError> {
        let mut taken = [0; N];
        taken.copy_from_slice(self.slice(N)?);
        Ok(taken)
    }

    fn pop(&mut self) -> Result<Value, PickleError> {
        self.stack.pop().ok_or(PickleError::Damaged(self.at))
    }

    fn text(&mut self, length: usize) -> Result<(), PickleError> {
        let text = String::from_utf8_lossy(self.slice(length)?).into();
        self.stack.push(Value::Text(text));
        Ok(())
    }

    fn line(&mut self) -> Result<String, PickleError> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let length = rest.iter().take(LONGEST_NAME).position(|byte| *byte == b'\n');
        let length = length.ok_or(if rest.len() < LONGEST_NAME {
            PickleError::Truncated
        } else {
            PickleError::Damaged(self.at)
        })?;
        let line = String::from_utf8_lossy(&rest[..length]).into_owned();
        self.at += length + 1;
        Ok(line)
    }

    /// A whole number of stated length, of which eight bytes are enough for any count; a longer one is kept as far as that.
    fn long(&mut self) -> Result<(), PickleError> {
        let [length] = self.take()?;
        let digits = self.slice(usize::from(length))?;
        let mut bytes = if digits.last().is_some_and(|byte| *byte >= 0x80) { [0xff; 8] } else { [0; 8] };
        for (byte, digit) in bytes.iter_mut().zip(digits) {
            *byte = *digit;
        }
        self.stack.push(Value::Int(i64::from_le_bytes(bytes)));
        Ok(())
    }

    fn mark(&mut self, at: usize) -> Result<usize, PickleError> {
        self.marks.pop().filter(|mark| *mark <= self.stack.len()).ok_or(PickleError::Damaged(at))
    }

    fn tuple(&mut self, from: usize) -> Result<(), PickleError> {
        let items = self.stack.split_off(from);
        let depth = depth_over(items.iter()).ok_or(PickleError::Damaged(self.at))?;
        self.stack.push(Value::Tuple(items.into(), depth));
        Ok(())
    }

    fn extend(&mut self, items: Vec<Value>, at: usize) -> Result<(), PickleError> {
        let depth = depth_over(items.iter()).ok_or(PickleError::Damaged(at))?;
        match self.stack.last() {
            Some(Value::List(list)) if !list.placed.get() => {
                list.depth.set(depth.max(list.depth.get()));
                list.items.borrow_mut().extend(items);
                Ok(())
            }
            _ => Err(PickleError::Damaged(at)),
        }
    }

    fn insert(&mut self, items: Vec<Value>, at: usize) -> Result<(), PickleError> {
        let depth = depth_over(items.iter()).ok_or(PickleError::Damaged(at))?;
        match self.stack.last() {
            Some(Value::Dict(dict)) if !dict.placed.get() => {
                dict.depth.set(depth.max(dict.depth.get()));
                let mut items = items.into_iter();
                while let (Some(key), Some(value)) = (items.next(), items.next()) {
                    dict.items.borrow_mut().push((key, value));
                }
                Ok(())
            }
            _ => Err(PickleError::Damaged(at)),
        }
    }

    fn remember(&mut self, index: u32, at: usize) -> Result<(), PickleError> {
        let value = self.stack.last().ok_or(PickleError::Damaged(at))?.clone();
        self.memo.insert(index, value);
        Ok(())
    }

    fn recall(&mut self, index: u32, at: usize) -> Result<(), PickleError> {
        let value = self.memo.get(&index).ok_or(PickleError::Damaged(at))?.clone();
        self.stack.push(value);
        Ok(())
    }
}

/// What a call would give, for the calls that are understood; the name of any other.
fn rebuild(function: &Value, arguments: &Value) -> Result<Value, Option<String>> {
    let (Value::Global(name), Value::Tuple(arguments, _)) = (function, arguments) else { return Err(None) };
    match (&**name, &**arguments) {
        ("collections.OrderedDict", []) => Ok(Value::Dict(Rc::default())),
        ("torch._utils._rebuild_tensor_v2" | "torch._utils._rebuild_tensor", arguments) => {
            tensor(arguments).map(|tensor| Value::Tensor(Rc::new(tensor))).ok_or(None)
        }
        ("torch._utils._rebuild_parameter", [tensor, ..]) => Ok(tensor.clone()),
        _ => Err(Some(name.to_string())),
    }
}

/// A tensor out of the arguments of its rebuilding: storage, offset, shape, strides.
fn tensor(arguments: &[Value]) -> Option<PickledTensor> {
    let [Value::Persistent(id, _), Value::Int(offset), Value::Tuple(shape, _), Value::Tuple(strides, _), ..] =
        arguments
    else {
        return None;
    };
    let Value::Tuple(id, _) = &**id else { return None };
    let [_, Value::Global(class), Value::Text(storage), ..] = &**id else { return None };
    if class.len() > LONGEST_NAME || storage.len() > LONGEST_NAME {
        return None;
    }
    let counts = |values: &[Value]| -> Option<Vec<usize>> {
        if values.len() > MOST_DIMENSIONS {
            return None;
        }
        let count = |value: &Value| if let Value::Int(count) = value { usize::try_from(*count).ok() } else { None };
        values.iter().map(count).collect()
    };
    Some(PickledTensor {
        class: class.rsplit('.').next()?.to_owned(),
        storage: storage.to_string(),
        offset: usize::try_from(*offset).ok()?,
        shape: counts(shape)?,
        strides: counts(strides)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_refused_by_name_and_never_made() {
        // cos\nsystem\n(X\x04echotR. is os.system("echo").
        let hostile = b"\x80\x02cos\nsystem\nX\x04\0\0\0echo\x85R.";
        assert_eq!(read(hostile).unwrap_err(), PickleError::Call("os.system".into()));
    }

    #[test]
    fn every_prefix_of_a_pickle_is_refused() {
        let whole = b"\x80\x02}q\0(X\x01\0\0\0aK\x01X\x01\0\0\0bM\x01\x02u.";
        assert!(read(whole).is_ok());
        for length in 0..whole.len() {
            assert!(read(&whole[..length]).is_err(), "{length} bytes were accepted");
        }
    }

    #[test]
    fn lengths_that_lie_and_stacks_that_are_empty_are_refused() {
        assert_eq!(read(b"X\xff\xff\xff\xffab.").unwrap_err(), PickleError::Truncated);
        for hostile in [&b"t."[..], b"u.", b"s.", b"\x87.", b"R.", b"a.", b"h\x07.", b"q\0.", b"(0e.", b"\x93."] {
            assert!(read(hostile).is_err(), "{hostile:?}");
        }
        assert!(matches!(read(b"i"), Err(PickleError::Instruction { code: b'i', at: 0 })));
    }

    #[test]
    fn nesting_without_end_is_refused_before_it_is_dropped() {
        let tuples = [b")".to_vec(), b"\x85".repeat(100_000), b".".to_vec()].concat();
        assert!(matches!(read(&tuples), Err(PickleError::Damaged(_))));
        // A list that grows where it already lies in another: ]q0 ]q1 a, then into the inner one, and so on.
        let chain: Vec<u8> = b"]q\0".iter().chain(b"]q\x01ah\x01]q\x01a".repeat(50_000).iter()).copied().collect();
        assert!(matches!(read(&chain), Err(PickleError::Damaged(_))));
    }

    /// A tensor's rebuilding, with this in the place of its shape.
    fn rebuilding(storage: &str, shape: &[u8]) -> Vec<u8> {
        let text = |text: &str| [b"X", &(text.len() as u32).to_le_bytes()[..], text.as_bytes()].concat();
        let class = b"ctorch\nFloatStorage\n";
        let id = [b"(", &text("storage")[..], class, &text(storage), &text("cpu"), b"K\x04tQ"].concat();
        let call = b"ctorch._utils\n_rebuild_tensor_v2\n";
        [&call[..], b"(", &id, b"K\0", shape, shape, b"\x89NtR."].concat()
    }

    #[test]
    fn a_shape_or_name_that_is_copied_at_each_reference_stays_small() {
        assert!(matches!(read(&rebuilding("0", b"K\x02\x85")), Ok((Value::Tensor(_), _))));
        let long = [b"(", &b"K\x02".repeat(9)[..], b"t"].concat();
        assert!(matches!(read(&rebuilding("0", &long)), Err(PickleError::Damaged(_))));
        assert!(matches!(read(&rebuilding(&"0".repeat(300), b"K\x02\x85")), Err(PickleError::Damaged(_))));
        let module = [b"X", &300_u32.to_le_bytes()[..], &b"a".repeat(300), b"q\0h\0\x93."].concat();
        assert!(matches!(read(&module), Err(PickleError::Damaged(_))));
        let endless = [b"c", &b"a".repeat(1000)[..]].concat();
        assert!(matches!(read(&endless), Err(PickleError::Damaged(1))));
    }

    #[test]
    fn a_pickle_of_any_length_ends() {
        assert_eq!(read(&b"]0".repeat(LONGEST)).unwrap_err(), PickleError::TooLong);
    }

    #[test]
    fn what_makes_objects_is_refused_by_name_or_instruction() {
        for (hostile, instruction) in [
            (&b"(ios\nsystem\n."[..], b'i'),
            (b"(cos\nsystem\no.", b'o'),
            (b"cos\nsystem\n)\x81.", 0x81),
            (b"cos\nsystem\n)}\x92.", 0x92),
            (b"P0\n.", b'P'),
            (b"\x8b\xff\xff\xff\x7f.", 0x8b),
            (b"\x82\x01.", 0x82),
            (b"I1\n.", b'I'),
            (b"\x8d\xff\xff\xff\xff\xff\xff\xff\x7f.", 0x8d),
            (b"B\xff\xff\xff\x7f.", b'B'),
        ] {
            assert!(
                matches!(read(hostile), Err(PickleError::Instruction { code, .. }) if code == instruction),
                "{instruction:#x}"
            );
        }
        // Named is not called; a state is dropped, not applied; a call of anything else is refused.
        assert!(matches!(read(b"cos\nsystem\n."), Ok((Value::Global(_), _))));
        assert!(matches!(read(b"}cos\nsystem\nb."), Ok((Value::Dict(_), _))));
        for hostile in [
            &b"cbuiltins\neval\n)R."[..],
            b"ctorch.storage\n_load_from_bytes\n)R.",
            b"ccollections\nOrderedDict\n]\x85R.",
        ] {
            assert!(matches!(read(hostile), Err(PickleError::Call(_))));
        }
    }

    #[test]
    fn long_numbers_keep_their_sign() {
        let number = |bytes: &[u8]| match read(bytes) {
            Ok((Value::Int(number), _)) => number,
            other => panic!("{other:?}"),
        };
        assert_eq!((number(b"\x8a\x01\xff."), number(b"\x8a\x02\x00\x01."), number(b"\x8a\0.")), (-1, 256, 0));
    }
}
