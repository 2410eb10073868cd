//! Arrows go one way: a module uses only those that `src/lib.rs` declares before it, and the files of a module do not use
//! each other in a circle. Of the kernels' package, which declares its modules in no order, no files at all do.
//!
//! Read from the sources as tokens: every path outside of tests that leads to another file, in `use` or in code. What a
//! module passes on with `pub use` is followed to where it is defined, and is no use of its own.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// The name of a module from the crate's root: `report`, `check`, `table`. The root's is empty.
type Name = Vec<String>;

#[test]
fn arrows_go_one_way() {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let house = House::read(&sources, "lib.rs");
    let kernels = House::read(&sources.join("cpu"), "mod.rs");
    for (house, least) in [(&house, 500), (&kernels, 100)] {
        assert!(house.arrows.len() > least, "{} arrows were found: the sources are not read", house.arrows.len());
    }
    let wrong = house.upward().into_iter().chain(house.circles()).chain(kernels.circle("src/cpu", |_| true));
    let wrong: Vec<String> = wrong.collect();
    assert!(wrong.is_empty(), "arrows that go the wrong way:\n{}", wrong.join("\n"));
}

/// The rule itself, on a house that breaks it in both ways.
#[test]
fn an_arrow_up_and_a_circle_are_named_with_their_lines() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    write("lib.rs", "/// pub mod none;\npub mod record;\npub mod store;\n#[cfg(test)]\nmod testing;\n");
    let tests = "#[cfg(test)]\nmod tests { use crate::store::Writer; fn f() { '{'; \"}\"; } }\n";
    write("record.rs", &format!("pub struct Row<'a>;\nfn f() {{ vec![crate::store::read::Reader]; }}\n{tests}"));
    write("store/mod.rs", "pub mod read;\nmod write;\n\npub use write::{Writer, self as renamed};\n");
    write(
        "store/read.rs",
        "use super::Writer;\nconst MARK: &str = r#\"crate::cli\"#; // crate::cli\npub struct Reader;",
    );
    write(
        "store/write.rs",
        "use crate::{\n    record::Row,\n};\nuse super::read;\npub struct Writer(Row, read::Reader);",
    );
    let house = House::read(folder.path(), "lib.rs");
    assert_eq!(house.upward(), ["record.rs:2 uses `store`, which lib.rs declares after `record`"]);
    let circle = "the files of `store` use each other in a circle: \
                  store/read.rs:1 uses store/write.rs, store/write.rs:4 uses store/read.rs";
    assert_eq!(house.circles(), [circle]);
}

/// The modules of one file each are no circle by themselves, but together.
#[test]
fn a_circle_between_modules_is_named_of_the_package_as_a_whole() {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in [
        ("mod.rs", "pub mod pool;\npub mod share;\npub mod simd;\n"),
        ("pool.rs", "use super::share::Share;\nuse super::simd::Lanes;\npub struct Pool(Share, Lanes);\n"),
        ("share.rs", "use crate::pool::Pool;\npub struct Share<'a>(&'a Pool);\n"),
        ("simd.rs", "pub struct Lanes;\n"),
    ] {
        fs::write(folder.path().join(name), text).unwrap();
    }
    let house = House::read(folder.path(), "mod.rs");
    assert_eq!(house.circles(), [""; 0]);
    let circle = "the files of `kernels` use each other in a circle: \
                  pool.rs:1 uses share.rs, share.rs:1 uses pool.rs";
    assert_eq!(house.circle("kernels", |_| true).as_deref(), Some(circle));
}

/// The modules of a crate and the arrows between them.
struct House {
    /// Those of the root, in the order in which it declares them.
    order: Vec<String>,
    arrows: Vec<Arrow>,
}

/// A use of one module by another, with the files that they stand in.
struct Arrow {
    from: Name,
    from_file: String,
    line: usize,
    to: Name,
    to_file: String,
}

/// A module: the file that it stands in, and what is found there outside of tests.
#[derive(Default)]
struct Module {
    file: String,
    /// In the order in which they are declared.
    parts: Vec<String>,
    paths: Vec<Mention>,
    /// Names that it passes on with `pub use`, and where it has them from.
    passed_on: BTreeMap<String, Vec<String>>,
}

/// A path as it is written.
struct Mention {
    path: Vec<String>,
    line: usize,
    passed_on: bool,
}

impl House {
    /// Of the crate whose root lies in `folder`, in the file of that name.
    fn read(folder: &Path, root: &str) -> Self {
        let mut modules = BTreeMap::new();
        declare(folder, Vec::new(), root.into(), &mut modules);
        let mut arrows = Vec::new();
        for (from, module) in &modules {
            for Mention { path, line, passed_on } in &module.paths {
                let Some(to) = leads_to(from, path, &modules, 0).filter(|to| to != from) else { continue };
                // What a module passes on of its own parts is the arrow of whoever uses it.
                if !(*passed_on && to.starts_with(from)) {
                    let (from_file, to_file) = (module.file.clone(), modules[&to].file.clone());
                    arrows.push(Arrow { from: from.clone(), from_file, line: *line, to, to_file });
                }
            }
        }
        Self { order: modules[&Name::new()].parts.clone(), arrows }
    }

    /// Uses of what the root declares later.
    fn upward(&self) -> Vec<String> {
        let floor = |module: &Name| self.order.iter().position(|own| Some(own) == module.first());
        let up = |arrow: &&Arrow| !arrow.from.is_empty() && floor(&arrow.to) > floor(&arrow.from);
        let said = |Arrow { from, from_file, line, to, .. }: &Arrow| {
            format!("{from_file}:{line} uses `{}`, which lib.rs declares after `{}`", to[0], from[0])
        };
        self.arrows.iter().filter(up).map(said).collect()
    }

    /// For each module of the root the uses between its files that lead back to where they came from.
    fn circles(&self) -> Vec<String> {
        let circle = |module: &String| self.circle(module, |name| name.first() == Some(module));
        self.order.iter().filter_map(circle).collect()
    }

    /// The same between the files of some modules, which are called `whole` together; `None` if there is no circle.
    fn circle(&self, whole: &str, is_in: impl Fn(&Name) -> bool) -> Option<String> {
        let within = |arrow: &&Arrow| is_in(&arrow.from) && is_in(&arrow.to) && arrow.from_file != arrow.to_file;
        let within: Vec<&Arrow> = self.arrows.iter().filter(within).collect();
        let mut seen = BTreeSet::new();
        let round = within.iter().filter(|arrow| {
            reaches(&arrow.to_file, &arrow.from_file, &within) && seen.insert((&arrow.from_file, &arrow.to_file))
        });
        let round = round.map(|arrow| format!("{}:{} uses {}", arrow.from_file, arrow.line, arrow.to_file));
        let round: Vec<String> = round.collect();
        let said = format!("the files of `{whole}` use each other in a circle: {}", round.join(", "));
        (!round.is_empty()).then_some(said)
    }
}

fn reaches(from: &str, to: &str, arrows: &[&Arrow]) -> bool {
    let (mut open, mut seen) = (vec![from], BTreeSet::from([from]));
    while let Some(file) = open.pop().filter(|file| *file != to) {
        let next = arrows.iter().filter(|arrow| arrow.from_file == file).map(|arrow| arrow.to_file.as_str());
        open.extend(next.filter(|next| seen.insert(next)));
        if open.is_empty() {
            return false;
        }
    }
    seen.contains(to)
}

/// Reads a module, and those that it declares, each in a file of its own.
fn declare(folder: &Path, name: Name, file: String, modules: &mut BTreeMap<Name, Module>) {
    let text = fs::read_to_string(folder.join(&file)).unwrap_or_else(|error| panic!("{file}: {error}"));
    let mut module = Module { file, ..Module::default() };
    scan(&tokens(&text), &mut module);
    for part in &module.parts {
        let part: Name = name.iter().chain([part]).cloned().collect();
        let path = part.join("/");
        let files = [format!("{path}.rs"), format!("{path}/mod.rs")];
        let file = files.into_iter().find(|file| folder.join(file).is_file());
        declare(folder, part, file.unwrap_or_else(|| panic!("no file of `{path}`")), modules);
    }
    modules.insert(name, module);
}

/// The module that defines what `path` leads to from within `module`; `None` of what is not this crate's.
fn leads_to(module: &Name, path: &[String], modules: &BTreeMap<Name, Module>, passed_on: usize) -> Option<Name> {
    let mut at = module.clone();
    let mut rest = path;
    match rest.first()?.as_str() {
        "crate" => {
            at.clear();
            rest = &rest[1..];
        }
        "self" | "super" => {
            while let Some(word @ ("self" | "super")) = rest.first().map(String::as_str) {
                if word == "super" {
                    at.pop()?;
                }
                rest = &rest[1..];
            }
        }
        // A part of this module, or something from elsewhere.
        part if modules[module].parts.iter().any(|own| own == part) => {}
        _ => return None,
    }
    for next in rest {
        let here = &modules[&at];
        if here.parts.contains(next) {
            at.push(next.clone());
            continue;
        }
        // Chains are short: a long one would be a circle.
        return match here.passed_on.get(next) {
            Some(source) if passed_on < 8 => leads_to(&at, source, modules, passed_on + 1).or(Some(at)),
            _ => Some(at),
        };
    }
    Some(at)
}

/// A word or a mark, and its line. `::` is one mark.
#[derive(Clone)]
struct Token {
    text: String,
    line: usize,
}

/// The tokens of Rust, without comments, texts and characters.
fn tokens(text: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let (mut rest, mut line) = (text, 1);
    while let Some(first) = rest.chars().next() {
        let word = rest.len() - rest.trim_start_matches(|c: char| c.is_alphanumeric() || c == '_').len();
        let raw = rest.trim_start_matches(['b', 'r']).trim_start_matches('#').starts_with('"');
        let length = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |end| end + 2)
        } else if first == '"' || (raw && ["b\"", "r\"", "r#", "br"].iter().any(|start| rest.starts_with(start))) {
            quoted(rest)
        } else if first == '\'' {
            // A lifetime, unless it is closed: then a character, which may be escaped.
            let inner = rest[1..].chars().next().map_or(0, char::len_utf8);
            let escaped = rest[1..].starts_with('\\');
            match rest[1 + inner..].find('\'') {
                Some(end) if escaped => 1 + inner + end.max(usize::from(rest[2..].starts_with('\''))) + 1,
                Some(0) => inner + 2,
                _ => 1,
            }
        } else if word > 0 {
            tokens.push(Token { text: rest[..word].to_owned(), line });
            word
        } else {
            let mark = if rest.starts_with("::") { "::" } else { &rest[..first.len_utf8()] };
            if !first.is_whitespace() {
                tokens.push(Token { text: mark.to_owned(), line });
            }
            mark.len()
        };
        line += rest[..length].matches('\n').count();
        rest = &rest[length..];
    }
    tokens
}

/// The length of a text, whose prefix and hashes say how it ends.
fn quoted(text: &str) -> usize {
    let opening = text.find('"').map_or(text.len(), |quote| quote + 1);
    let is_raw = text[..opening].contains('r');
    let closing = format!("\"{}", "#".repeat(text[..opening].matches('#').count()));
    let mut end = opening;
    while end < text.len() && !text[end..].starts_with(&closing) {
        let escape = !is_raw && text[end..].starts_with('\\');
        end += if escape { 1 } else { 0 };
        end += text[end..].chars().next().map_or(1, char::len_utf8);
    }
    (end + closing.len()).min(text.len())
}

/// Notes what the tokens of a module declare and mention, outside of tests.
fn scan(tokens: &[Token], module: &mut Module) {
    let text = |at: usize| tokens.get(at).map_or("", |token| token.text.as_str());
    let is = |at: usize, words: &[&str]| words.iter().enumerate().all(|(index, word)| text(at + index) == *word);
    let mut at = 0;
    let mut public = false;
    while at < tokens.len() {
        if is(at, &["#", "[", "cfg", "(", "test", ")", "]"]) {
            at = after_item(tokens, at + 7);
        } else if is(at, &["mod"]) && text(at + 2) == ";" {
            module.parts.push(text(at + 1).to_owned());
            at += 3;
        } else if is(at, &["use"]) {
            let line = tokens[at].line;
            let mut found = Vec::new();
            at = use_tree(tokens, at + 1, &[], &mut found) + 1;
            for (path, called) in found {
                if public {
                    module.passed_on.insert(called, path.clone());
                }
                module.paths.push(Mention { path, line, passed_on: public });
            }
        } else if text(at).starts_with(|c: char| c.is_alphabetic())
            && text(at + 1) == "::"
            && text(at.wrapping_sub(1)) != "::"
        {
            let line = tokens[at].line;
            let mut path = vec![text(at).to_owned()];
            while text(at + 1) == "::" && text(at + 2).starts_with(|c: char| c.is_alphabetic()) {
                at += 2;
                path.push(text(at).to_owned());
            }
            module.paths.push(Mention { path, line, passed_on: false });
            at += 1;
        } else {
            // `pub`, also with a scope: `pub(crate)`.
            let scope = public && ["(", ")", "crate", "super", "in"].contains(&text(at));
            public = text(at) == "pub" || scope;
            at += 1;
            continue;
        }
        public = false;
    }
}

/// Where the item ends that begins at a token: behind its semicolon, or its block.
fn after_item(tokens: &[Token], start: usize) -> usize {
    let mut depth = 0;
    for (index, token) in tokens.iter().enumerate().skip(start) {
        match token.text.as_str() {
            "{" | "(" | "[" => depth += 1,
            "}" | ")" | "]" => depth -= 1,
            _ => {}
        }
        if depth == 0 && ["}", ";"].contains(&token.text.as_str()) {
            return index + 1;
        }
    }
    tokens.len()
}

/// The paths of a tree of `use`, with the name that each brings; gives where the tree ends.
fn use_tree(tokens: &[Token], mut at: usize, above: &[String], found: &mut Vec<(Vec<String>, String)>) -> usize {
    let mut path = above.to_vec();
    loop {
        let Some(Token { text, .. }) = tokens.get(at) else { return at };
        match text.as_str() {
            "::" => {}
            "{" => loop {
                at = use_tree(tokens, at + 1, &path, found);
                match tokens.get(at).map(|token| token.text.as_str()) {
                    Some(",") => {}
                    _ => return at + 1,
                }
            },
            "as" => {
                let called = tokens.get(at + 1).map_or(String::new(), |token| token.text.clone());
                path.retain(|word| word != "self" || above.is_empty());
                found.push((path, called));
                return at + 2;
            }
            "," | "}" | ";" => {
                path.retain(|word| word != "self" || above.is_empty());
                if path.len() > above.len() || text != "}" {
                    let called = path.last().cloned().unwrap_or_default();
                    found.push((path, called));
                }
                return at;
            }
            word => path.push(word.to_owned()),
        }
        at += 1;
    }
}
