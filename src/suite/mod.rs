//! Suites: named, fixed sets of prompts, and what their answers are held to.
//!
//! The shipped suites are compiled in from `prompts/`, so that two people who compare figures ran the same text;
//! `--prompts DIR` reads others of the same layout: `ko/NAME.toml` and `en/NAME.toml` for text, `NAME.toml` for suites
//! of token ids. `--quality FILE` adds one of JSON lines. Beside them stand texts and multiple-choice questions, which nobody
//! answers: a model's likelihood of them is taken.

#![warn(missing_docs)]

mod check;
mod documents;
mod language;
mod lines;
mod questions;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use include_dir::{Dir, include_dir};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use toml::Spanned;

use crate::plain_file::{self, WRITTEN_BY_HAND};
use crate::toml_error::TomlError;

pub use check::{Bounds, Check, CheckKind, Pattern, Register, Schema};
pub use documents::{Document, documents};
pub use language::Language;
pub use lines::{JsonLine, json_lines, read_lines};
pub use questions::{FirstChoice, Question, Questions, Task};

static SHIPPED: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/prompts");

/// A named set of prompts.
#[derive(Debug, Clone, PartialEq)]
pub struct Suite {
    /// By which the user names it.
    pub name: String,
    /// What service it stands for, in a line.
    pub description: String,
    /// Measured trials of each prompt, where nobody asks for another number.
    pub repeat: u32,
    /// Warm-up trials, likewise.
    pub warmup: u32,
    /// In the order of its files, Korean before English.
    pub prompts: Vec<Prompt>,
    /// SHA-256 over the files that it was read from, in lower-case hex.
    pub sha256: String,
}

impl Suite {
    /// Whether its prompts are texts, for which a checkpoint needs a tokenizer.
    pub fn is_text(&self) -> bool {
        self.prompts.iter().any(|prompt| matches!(prompt.body, Body::Text { .. }))
    }
}

/// One input.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Prompt {
    /// Unique within its suite and language; the same id in both languages is a pair that asks the same.
    pub id: String,
    /// The language that it is asked in; `None` for token ids.
    pub language: Option<Language>,
    /// What is asked.
    pub body: Body,
    /// The longest answer, in tokens.
    pub max_new_tokens: u32,
    /// What the answer is held to.
    #[serde(default)]
    pub expected: Expected,
}

/// What is asked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Body {
    /// A turn of a conversation, answered until the model ends it or the limit is reached.
    Text {
        /// The system message; empty for none.
        system: String,
        /// The user's message.
        text: String,
    },
    /// So many random token ids, answered with exactly `max_new_tokens` tokens: every candidate does the same work.
    Tokens {
        /// How many.
        count: u32,
    },
}

/// What an answer is held to.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Expected {
    /// The language that the answer is due in; `None` for token ids.
    pub language: Option<Language>,
    /// Whether the prompt wants its own text back: correct this, extract, quote, rewrite.
    #[serde(default)]
    pub copies_prompt: bool,
    /// An answer that passes all checks.
    #[serde(default)]
    pub reference: Option<String>,
    /// What it is held to beside the gates of its language.
    #[serde(default)]
    pub checks: Vec<Check>,
    /// For each check, an answer that fails only that one; `None` where none is stated.
    #[serde(default)]
    pub fails: Vec<Option<String>>,
}

/// A file of texts in one language.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TextFile {
    description: String,
    system: String,
    max_new_tokens: u32,
    prompt: Vec<Spanned<TextEntry>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TextEntry {
    id: String,
    text: String,
    max_new_tokens: Option<u32>,
    /// The language that the answer is due in, where it is not the prompt's.
    language: Option<Language>,
    #[serde(default)]
    copies_prompt: bool,
    reference: Option<String>,
    #[serde(default)]
    check: Vec<Spanned<check::Stated>>,
}

/// A file of token counts.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TokenFile {
    description: String,
    repeat: Spanned<u32>,
    warmup: Spanned<u32>,
    prompt: Vec<TokenEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TokenEntry {
    id: String,
    prompt_tokens: u32,
    output_tokens: u32,
}

/// Trials of each text prompt: the prompts of a suite are its sample, a second round would only repeat them.
const TEXT_REPEAT: u32 = 1;
const TEXT_WARMUP: u32 = 1;

/// Most rounds that a suite may ask for, as many as `--repeat` takes: each trial of them is planned beforehand.
const MOST_ROUNDS: u32 = 100_000;

/// Why suites could not be read.
#[derive(Debug, thiserror::Error)]
pub enum SuiteError {
    /// A file or a folder that cannot be read.
    #[error("could not read `{path}`")]
    Read {
        /// Which one.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// A file that is no suite.
    #[error(transparent)]
    Toml(#[from] TomlError),
    /// A folder without one.
    #[error("`{0}` has no suites: neither NAME.toml nor ko/NAME.toml nor en/NAME.toml")]
    Empty(PathBuf),
}

/// The suites that ship with the program, by name.
///
/// # Errors
/// None that a test would let ship.
pub fn shipped() -> Result<Vec<Suite>, SuiteError> {
    let mut files = BTreeMap::new();
    for folder in std::iter::once(&SHIPPED).chain(SHIPPED.dirs()) {
        for file in folder.files() {
            files.insert(file.path().to_owned(), String::from_utf8_lossy(file.contents()).into_owned());
        }
    }
    Ok(parse(Path::new("prompts"), &files)?)
}

/// The suites of a directory, by name.
///
/// # Errors
/// A directory that cannot be read or has none, or a mistake in a file.
pub fn read(directory: &Path) -> Result<Vec<Suite>, SuiteError> {
    let mut files = BTreeMap::new();
    let folders = [PathBuf::new(), PathBuf::from(Language::Ko.tag()), PathBuf::from(Language::En.tag())];
    for folder in folders.iter().filter(|folder| directory.join(folder).is_dir()) {
        let failed = |source| SuiteError::Read { path: directory.join(folder), source };
        for entry in std::fs::read_dir(directory.join(folder)).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            if path.extension().is_some_and(|extension| extension == "toml") {
                let text = plain_file::read_text(&path, WRITTEN_BY_HAND);
                let text = text.map_err(|source| SuiteError::Read { path: path.clone(), source })?;
                files.insert(folder.join(path.file_name().unwrap_or_default()), text);
            }
        }
    }
    let suites = parse(directory, &files)?;
    if suites.is_empty() { Err(SuiteError::Empty(directory.into())) } else { Ok(suites) }
}

/// Suites out of files, by their paths relative to `root`.
fn parse(root: &Path, files: &BTreeMap<PathBuf, String>) -> Result<Vec<Suite>, TomlError> {
    let mut suites: BTreeMap<String, (Suite, Sha256)> = BTreeMap::new();
    for (path, text) in files {
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let folder = path.parent().and_then(Path::to_str).unwrap_or_default();
        let language = Language::ALL.into_iter().find(|language| language.tag() == folder);
        let file = root.join(path);
        let part = match language {
            Some(language) => text_suite(&file, text, &name, language)?,
            None => token_suite(&file, text, &name)?,
        };
        let (suite, hash) =
            suites.entry(name).or_insert_with(|| (Suite { prompts: Vec::new(), ..part.clone() }, Sha256::new()));
        hash.update(path.to_string_lossy().as_bytes());
        match language {
            Some(_) => part.prompts.iter().for_each(|prompt| asked(hash, prompt)),
            None => hash.update(text.as_bytes()),
        }
        suite.prompts.extend(part.prompts);
    }
    let finished = |(suite, hash): (Suite, Sha256)| {
        let sha256 = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        Suite { sha256, ..suite }
    };
    Ok(suites.into_values().map(finished).collect())
}

/// What a model sees of a prompt, and how much it may answer: the same prompts under other checks are the same work.
fn asked(hash: &mut Sha256, prompt: &Prompt) {
    let (system, text) = match &prompt.body {
        Body::Text { system, text } => (system.as_str(), text.as_str()),
        Body::Tokens { .. } => ("", ""),
    };
    for part in [&prompt.id, system, text, &prompt.max_new_tokens.to_string()] {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part.as_bytes());
    }
}

fn text_suite(file: &Path, text: &str, name: &str, language: Language) -> Result<Suite, TomlError> {
    let parsed: TextFile = toml::from_str(text).map_err(|error| TomlError::parse(file, text, &error))?;
    let mut prompts = Vec::new();
    let mut seen = BTreeSet::new();
    for entry in parsed.prompt {
        let span = entry.span();
        let entry = entry.into_inner();
        if !seen.insert(entry.id.clone()) {
            return Err(TomlError::at(file, text, span, format!("prompt `{}` is there twice", entry.id)));
        }
        let mut expected = Expected {
            language: entry.language.or(Some(language)),
            copies_prompt: entry.copies_prompt,
            reference: entry.reference.map(|reference| reference.trim().to_owned()),
            ..Expected::default()
        };
        for stated in entry.check {
            let span = stated.span();
            let mut stated = stated.into_inner();
            expected.fails.push(stated.fails.take().map(|fails| fails.trim().to_owned()));
            expected.checks.push(Check::try_from(stated).map_err(|message| TomlError::at(file, text, span, message))?);
        }
        prompts.push(Prompt {
            id: entry.id,
            language: Some(language),
            body: Body::Text { system: parsed.system.clone(), text: entry.text.trim().to_owned() },
            max_new_tokens: entry.max_new_tokens.unwrap_or(parsed.max_new_tokens),
            expected,
        });
    }
    Ok(Suite {
        name: name.into(),
        description: parsed.description,
        repeat: TEXT_REPEAT,
        warmup: TEXT_WARMUP,
        prompts,
        sha256: String::new(),
    })
}

fn token_suite(file: &Path, text: &str, name: &str) -> Result<Suite, TomlError> {
    let parsed: TokenFile = toml::from_str(text).map_err(|error| TomlError::parse(file, text, &error))?;
    for (key, rounds) in [("repeat", &parsed.repeat), ("warmup", &parsed.warmup)] {
        if *rounds.get_ref() > MOST_ROUNDS {
            let message = format!("`{key}` is {}, expected at most {MOST_ROUNDS}", rounds.get_ref());
            return Err(TomlError::at(file, text, rounds.span(), message));
        }
    }
    let mut seen = BTreeSet::new();
    if let Some(twice) = parsed.prompt.iter().find(|prompt| !seen.insert(&prompt.id)) {
        return Err(TomlError::at(file, text, 0..0, format!("prompt `{}` is there twice", twice.id)));
    }
    let prompt = |entry: TokenEntry| Prompt {
        id: entry.id,
        language: None,
        body: Body::Tokens { count: entry.prompt_tokens },
        max_new_tokens: entry.output_tokens,
        expected: Expected::default(),
    };
    Ok(Suite {
        name: name.into(),
        description: parsed.description,
        repeat: parsed.repeat.into_inner(),
        warmup: parsed.warmup.into_inner(),
        prompts: parsed.prompt.into_iter().map(prompt).collect(),
        sha256: String::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SERVICES: [&str; 5] =
        ["interview-feedback", "interview-follow-up", "job-posting", "python-code", "review-analysis"];

    #[test]
    fn the_shipped_suites_are_the_five_services_and_speed() {
        let names: Vec<String> = shipped().unwrap().into_iter().map(|suite| suite.name).collect();
        assert_eq!(names, [&SERVICES[..], &["speed"]].concat());
    }

    #[test]
    fn rounds_without_end_are_refused_in_their_place() {
        let text = "description = \"\"\nrepeat = 4294967295\nwarmup = 1\nprompt = []\n";
        let error = token_suite(Path::new("count.toml"), text, "count").unwrap_err().to_string();
        assert_eq!(error, "count.toml:2:10: `repeat` is 4294967295, expected at most 100000");
    }

    #[test]
    fn each_service_asks_the_same_in_both_languages_at_three_lengths() {
        for suite in shipped().unwrap().into_iter().filter(Suite::is_text) {
            let of = |language| suite.prompts.iter().filter(move |prompt| prompt.language == Some(language));
            let ids = |language| of(language).map(|prompt| prompt.id.clone()).collect::<Vec<_>>();
            assert_eq!(ids(Language::Ko), ids(Language::En), "{}", suite.name);
            assert!(ids(Language::Ko).len() >= 8, "{} has too few prompts", suite.name);
            for language in Language::ALL {
                let lengths: Vec<usize> = of(language)
                    .map(|prompt| match &prompt.body {
                        Body::Text { text, .. } => text.chars().count(),
                        Body::Tokens { .. } => unreachable!("a text suite holds texts"),
                    })
                    .collect();
                for bounds in [30..90, 220..420, 1_000..1_500] {
                    let count = lengths.iter().filter(|length| bounds.contains(*length)).count();
                    assert!(count >= 2, "{} {language:?}: {count} prompts of {bounds:?} characters", suite.name);
                }
            }
        }
    }

    #[test]
    fn korean_prompts_are_korean_and_english_ones_are_not() {
        let hangul = |text: &str| text.chars().any(|c| ('가'..='힣').contains(&c));
        for suite in shipped().unwrap() {
            for prompt in &suite.prompts {
                let Body::Text { system, text } = &prompt.body else { continue };
                let korean = prompt.language == Some(Language::Ko);
                assert_eq!(hangul(text) && hangul(system), korean, "{} {}", suite.name, prompt.id);
            }
        }
    }

    #[test]
    fn the_speed_suite_has_exact_counts() {
        let suites = shipped().unwrap();
        let speed = suites.iter().find(|suite| suite.name == "speed").unwrap();
        let counts: Vec<(u32, u32)> = speed
            .prompts
            .iter()
            .map(|prompt| match prompt.body {
                Body::Tokens { count } => (count, prompt.max_new_tokens),
                Body::Text { .. } => unreachable!("the speed suite holds token counts"),
            })
            .collect();
        assert!(counts.iter().any(|(prompt, _)| *prompt == 128) && counts.iter().any(|(prompt, _)| *prompt == 512));
        assert!(counts.iter().any(|(_, output)| *output == 64));
    }

    #[test]
    fn another_prompt_is_another_hash() {
        let suite = |text: &str| {
            let file = format!(
                "description = \"d\"\nsystem = \"s\"\nmax_new_tokens = 1\n[[prompt]]\nid = \"a\"\ntext = \"{text}\"\n"
            );
            parse(Path::new("prompts"), &BTreeMap::from([(PathBuf::from("ko/x.toml"), file)])).unwrap().remove(0)
        };
        assert_eq!(suite("안녕").sha256, suite("안녕").sha256);
        assert_ne!(suite("안녕").sha256, suite("안녕!").sha256);
    }
}
