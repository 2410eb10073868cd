//! Python: whether a text is code of Python 3.11, and what it defines. Nothing is executed.

use std::ops::Range;

use ruff_python_ast::{PythonVersion, Stmt};
use ruff_python_parser::{Mode, ParseOptions, parse};
use ruff_text_size::Ranged as _;

/// Bytes of code that are parsed: more is no answer to a prompt.
const MOST_BYTES: usize = 20_000;

/// Brackets that CPython 3.11 reads within each other, its tokenizer's MAXLEVEL; deeper code is refused there too.
const DEEPEST: usize = 200;

/// The parser and what it builds call themselves as deep as code is nested; only touched pages take memory.
const STACK_BYTES: usize = 256 << 20;

/// A module that parses as Python 3.11.
#[derive(Debug, Default)]
pub(crate) struct Module {
    /// Functions, classes and assigned names at the top level.
    pub(crate) names: Vec<String>,
    /// Some statement is more than a bare name, number or text, which prose can be as well.
    does_something: bool,
}

/// Why a text is no Python 3.11.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) message: String,
    /// Bytes of the text where it lies.
    pub(crate) place: Range<usize>,
}

/// Reads a text as a module of Python 3.11.
///
/// # Errors
/// The first mistake, also syntax of a later version, and a text of more than 20 kB.
pub(crate) fn module(code: &str) -> Result<Module, Fault> {
    if code.len() > MOST_BYTES {
        return Err(Fault { message: format!("code of more than {MOST_BYTES} bytes is not read"), place: 0..0 });
    }
    if nesting(code) > DEEPEST {
        return Err(Fault { message: format!("more than {DEEPEST} brackets are open at once"), place: 0..0 });
    }
    // A thread of its own has the stack for it: code of an answer may be nested as deep as it is long.
    let failed = |_| Fault { message: "the code could not be read".into(), place: 0..0 };
    std::thread::scope(|scope| {
        let reader = std::thread::Builder::new().stack_size(STACK_BYTES).spawn_scoped(scope, || read(code));
        match reader {
            Ok(reader) => reader.join().map_err(failed)?,
            Err(error) => Err(Fault { message: format!("the code could not be read: {error}"), place: 0..0 }),
        }
    })
}

/// The most brackets that are open at once, strings and comments left out.
fn nesting(code: &str) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    let mut characters = code.chars();
    while let Some(character) = characters.next() {
        match character {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth = depth.saturating_sub(1),
            // To the end of the string or of its line; a triple one is an empty string and another.
            '"' | '\'' => while characters.next().is_some_and(|c| c != character && c != '\n') {},
            '#' => while characters.next().is_some_and(|c| c != '\n') {},
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    deepest
}

fn read(code: &str) -> Result<Module, Fault> {
    let options = ParseOptions::from(Mode::Module).with_target_version(PythonVersion::PY311);
    let parsed = parse(code, options).map_err(|error| Fault {
        message: error.error.to_string(),
        place: error.location.start().to_usize()..error.location.end().to_usize(),
    })?;
    if let Some(error) = parsed.unsupported_syntax_errors().first() {
        let place = error.range.start().to_usize()..error.range.end().to_usize();
        return Err(Fault { message: error.to_string(), place });
    }
    let mut module = Module::default();
    let Some(parsed) = parsed.try_into_module() else { return Ok(module) };
    for statement in parsed.suite() {
        match statement {
            Stmt::FunctionDef(function) => module.names.push(function.name.to_string()),
            Stmt::ClassDef(class) => module.names.push(class.name.to_string()),
            Stmt::Assign(assign) => module.names.extend(assign.targets.iter().map(|t| code[t.range()].to_owned())),
            _ => {}
        }
        module.does_something |= match statement {
            Stmt::Expr(expression) => expression.value.is_call_expr() || expression.value.is_await_expr(),
            _ => true,
        };
    }
    Ok(module)
}

/// Whether a text is code rather than prose that happens to parse: a word is an expression too.
pub(crate) fn is_code(text: &str) -> bool {
    module(text).is_ok_and(|module| module.does_something)
}

/// Whether a line begins as a statement does that no prose would: what is no statement parses never, but costs time.
pub(crate) fn begins_statement(line: &str) -> bool {
    let line = line.trim_end();
    let word = |start: &str| line.strip_prefix(start).is_some_and(|rest| rest.starts_with([' ', '(', ':']));
    let is_block = ["def", "class", "for", "while", "if", "try", "with", "async def"].iter().any(|start| word(start));
    let is_import = word("import") || (word("from") && line.contains(" import "));
    let is_assignment = line.split_once('=').is_some_and(|(target, value)| {
        let target = target.trim_end().trim_end_matches(['+', '-', '*', '/']);
        !value.trim().is_empty() && !target.is_empty() && target.chars().all(is_of_target) && target.is_ascii()
    });
    // print(x), main(), app.run(): a name of ASCII letters right before a bracket.
    let is_call = line.ends_with(')')
        && line.split_once('(').is_some_and(|(name, _)| {
            !name.is_empty() && name.chars().all(is_of_target) && name.is_ascii() && !name.contains(' ')
        });
    (is_block && line.contains(':')) || is_import || is_assignment || is_call || line.starts_with('@')
}

fn is_of_target(character: char) -> bool {
    character.is_alphanumeric() || matches!(character, '_' | '.' | '[' | ']' | ',' | ' ' | '"' | '\'' | ':')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_of_3_11_is_read_with_its_names() {
        let code =
            "import os\nLIMIT = 3\n\nclass A:\n    def inner(self): ...\n\nasync def f(x: int) -> int:\n    return x\n";
        assert_eq!(module(code).unwrap().names, ["LIMIT", "A", "f"]);
    }

    #[test]
    fn syntax_of_a_later_version_and_mistakes_are_refused_at_their_place() {
        for code in [
            "type X = int\n",
            "def f[T](x: T): ...\n",
            "f'{x!r:{'a'}}'\nx = f\"{\"a\"}\"\n",
            "def f(:\n",
            "print 'a'\n",
            "x = (1\n",
        ] {
            assert!(module(code).is_err(), "{code}");
        }
        assert_eq!(module("x = 1\ny = = 2\n").unwrap_err().place.start, 10);
    }

    #[test]
    fn nesting_as_deep_as_the_code_is_long_ends_in_a_verdict() {
        for deep in [
            "(".repeat(90_000),
            "-".repeat(90_000) + "1",
            "a.".repeat(40_000) + "a",
            "not ".repeat(20_000) + "a",
            "1+".repeat(40_000) + "1",
            "[".repeat(40_000) + &"]".repeat(40_000),
        ] {
            let _ = module(&deep);
        }
        assert!(module(&"x = 1\n".repeat(20_000)).unwrap_err().message.contains("20000 bytes"));
    }

    #[test]
    fn a_word_that_parses_is_no_code() {
        assert!(!is_code("Yes") && !is_code("긍정") && !is_code("'text'") && !is_code(""));
        assert!(is_code("print(1)") && is_code("x = 1") && is_code("import os"));
    }
}
