//! Reading `models.toml`.

use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};

use serde::de::value::SeqAccessDeserializer;
use serde::de::{self, IntoDeserializer, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use toml::Spanned;

use super::local_path::local_checkpoint;
use super::{Candidate, Defaults, PromptFormat, Quantization, Requirements, Source};
use crate::toml_error::TomlError;

/// The catalog that ships with the program, used where there is no `models.toml`.
const SHIPPED: &str = include_str!("../../models.toml");

/// The candidates under consideration and what they must satisfy.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Catalog {
    /// Where it was read from; `None` of the file that ships with the program, also where a copy of it was read.
    pub file: Option<PathBuf>,
    pub requirements: Requirements,
    /// One for each row: a candidate with several quantizations is there once for each.
    pub candidates: Vec<Candidate>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    defaults: Defaults,
    requirements: Option<Spanned<Requirements>>,
    #[serde(default, rename = "candidate")]
    candidates: Vec<Spanned<Entry>>,
}

/// A `[[candidate]]` as written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    id: Spanned<String>,
    hub: Option<Spanned<String>>,
    revision: Option<String>,
    file: Option<String>,
    local: Option<PathBuf>,
    script: Option<PathBuf>,
    quantization: Option<OneOrMore>,
    adapter: Option<PathBuf>,
    licence: Option<String>,
    notes: Option<String>,
    prompt_format: Option<Spanned<PromptFormat>>,
}

/// A quantization, or a list of them.
struct OneOrMore(Vec<Quantization>);

impl<'de> Deserialize<'de> for OneOrMore {
    // By hand: serde's own for either of two forms forgets which word was wrong, and where in the list it stood.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;

        impl<'de> Visitor<'de> for Either {
            type Value = Vec<Quantization>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a quantization or a list of them")
            }

            fn visit_str<E: de::Error>(self, one: &str) -> Result<Self::Value, E> {
                Ok(vec![Quantization::deserialize(one.into_deserializer())?])
            }

            fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Self::Value, A::Error> {
                Vec::deserialize(SeqAccessDeserializer::new(list))
            }
        }

        deserializer.deserialize_any(Either).map(OneOrMore)
    }
}

impl Catalog {
    /// The catalog in the text of `file`; relative paths in it start at `base`.
    ///
    /// # Errors
    /// The first mistake, with its place.
    pub fn parse(file: &Path, text: &str, base: &Path) -> Result<Self, TomlError> {
        let parsed: File = toml::from_str(text).map_err(|error| TomlError::parse(file, text, &error))?;
        let mut rows = HashMap::new();
        let own = (text != SHIPPED).then(|| file.to_owned());
        let mut catalog = Self { file: own, ..Self::default() };
        if let Some(requirements) = parsed.requirements {
            let span = requirements.span();
            catalog.requirements = requirements.into_inner();
            catalog.requirements.check().map_err(|error| TomlError::at(file, text, span, error.to_string()))?;
        }
        for entry in parsed.candidates {
            let (span, id_span) = (entry.span(), entry.get_ref().id.span());
            for candidate in candidates(entry.into_inner(), &parsed.defaults, base, span, &|span, message| {
                TomlError::at(file, text, span, message)
            })? {
                if let Some(line) = rows.insert(candidate.row(), TomlError::at(file, text, id_span.clone(), "").line) {
                    let message = format!("`{}` is there twice, first in line {line}", candidate.row());
                    return Err(TomlError::at(file, text, id_span, message));
                }
                catalog.candidates.push(candidate);
            }
        }
        Ok(catalog)
    }

    /// The catalog that ships with the program.
    ///
    /// # Errors
    /// None that a test would let ship.
    pub fn shipped() -> Result<Self, TomlError> {
        Self::parse(Path::new("models.toml"), SHIPPED, Path::new("."))
    }
}

type Refuse<'a> = &'a dyn Fn(std::ops::Range<usize>, String) -> TomlError;

fn candidates(
    entry: Entry,
    defaults: &Defaults,
    base: &Path,
    span: std::ops::Range<usize>,
    refuse: Refuse,
) -> Result<Vec<Candidate>, TomlError> {
    let id_span = entry.id.span();
    let id = entry.id.into_inner();
    if id.is_empty() || id.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return Err(refuse(id_span, format!("id `{id}` must have no spaces, and at least one character")));
    }
    let source = match (entry.hub, entry.local, entry.script) {
        (Some(hub), None, None) => {
            let hub_span = hub.span();
            let repository = hub.into_inner();
            if !is_repository(&repository) {
                return Err(refuse(hub_span, format!("`{repository}` is not of the form owner/name")));
            }
            let revision = entry.revision.or_else(|| defaults.revision.clone()).unwrap_or_else(|| "main".into());
            Source::Hub { repository, revision, file: entry.file }
        }
        (None, Some(_), None) if entry.revision.is_some() || entry.file.is_some() => {
            return Err(refuse(span, format!("`{id}` is local, so `revision` and `file` mean nothing")));
        }
        (None, Some(path), None) => Source::Local { path: local_checkpoint(&base.join(path)) },
        (None, None, Some(script)) => Source::Scripted { script: base.join(script) },
        (None, None, None) => return Err(refuse(span, format!("`{id}` has no source: give it `hub` or `local`"))),
        _ => return Err(refuse(span, format!("`{id}` has two sources: keep one of `hub` and `local`"))),
    };
    if let Some(format) = &entry.prompt_format
        && format.get_ref().template.matches("{prompt}").count() != 1
    {
        return Err(refuse(format.span(), format!("the prompt format of `{id}` must hold `{{prompt}}` once")));
    }
    let quantizations = match entry.quantization {
        Some(_) if source.is_gguf() => {
            let message = format!("`{id}` is a GGUF file, which runs at its own precision: leave `quantization` out");
            return Err(refuse(span, message));
        }
        None if source.is_gguf() => vec![None],
        Some(OneOrMore(several)) if several.is_empty() => {
            return Err(refuse(span, format!("`{id}` has an empty list of quantizations")));
        }
        Some(OneOrMore(several)) => several.into_iter().map(Some).collect(),
        None if defaults.quantization.is_empty() => vec![None],
        None => defaults.quantization.iter().copied().map(Some).collect(),
    };
    let prompt_format = entry.prompt_format.map(Spanned::into_inner);
    let row = |quantization| Candidate {
        id: id.clone(),
        source: source.clone(),
        quantization,
        adapter: entry.adapter.as_ref().map(|path| base.join(path)),
        licence: entry.licence.clone(),
        notes: entry.notes.clone(),
        prompt_format: prompt_format.clone(),
    };
    Ok(quantizations.into_iter().map(row).collect())
}

/// Whether a name is a Hugging Face repository's: `owner/name` of letters, digits, `-`, `_` and `.`.
pub fn is_repository(name: &str) -> bool {
    let part = |part: &str| {
        !part.is_empty()
            && !part.starts_with('.')
            && part.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
    };
    name.split_once('/').is_some_and(|(owner, name)| part(owner) && part(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Catalog, TomlError> {
        Catalog::parse(Path::new("models.toml"), text, Path::new("/base"))
    }

    fn mistake(text: &str) -> String {
        let error = parse(text).unwrap_err();
        format!("{error}{}", error.hint().map(|hint| format!(" ({hint})")).unwrap_or_default())
    }

    #[test]
    fn a_list_of_quantizations_makes_a_row_each() {
        let catalog = parse("[[candidate]]\nid = \"a\"\nlocal = \"m\"\nquantization = [\"q8_0\", \"q4_k\"]\n").unwrap();
        let rows: Vec<String> = catalog.candidates.iter().map(Candidate::row).collect();
        assert_eq!(rows, ["a q8_0", "a q4_k"]);
        assert_eq!(catalog.candidates[0].source, Source::Local { path: "/base/m".into() });
    }

    #[test]
    fn defaults_hold_where_a_candidate_says_nothing() {
        let text =
            "[defaults]\nquantization = [\"q4_k\"]\nrevision = \"v1\"\n[[candidate]]\nid = \"a\"\nhub = \"o/n\"\n";
        let candidate = parse(text).unwrap().candidates.remove(0);
        assert_eq!(candidate.quantization, Some(Quantization::Q4K));
        let source = Source::Hub { repository: "o/n".into(), revision: "v1".into(), file: None };
        assert_eq!(candidate.source, source);
    }

    #[test]
    fn a_gguf_file_keeps_its_own_precision() {
        let defaults = "[defaults]\nquantization = [\"q4_k\"]\n";
        let local = "[[candidate]]\nid = \"a\"\nlocal = \"m.gguf\"\n";
        let hub = "[[candidate]]\nid = \"b\"\nhub = \"o/n\"\nfile = \"m.gguf\"\n";
        let catalog = parse(&format!("{defaults}{local}{hub}")).unwrap();
        assert!(catalog.candidates.iter().all(|candidate| candidate.quantization.is_none()));
        assert!(mistake(&format!("{local}quantization = \"q8_0\"\n")).contains("runs at its own precision"));
    }

    #[test]
    fn every_mistake_names_its_place_and_the_nearest_right_word() {
        let unknown = mistake("[[candidate]]\nid = \"a\"\nhub = \"o/n\"\nquantisation = \"q4_k\"\n");
        assert!(unknown.starts_with("models.toml:4:1: unknown field `quantisation`"), "{unknown}");
        assert!(unknown.ends_with("(did you mean `quantization`?)"), "{unknown}");
        let section = mistake("[requirement]\n");
        assert!(section.starts_with("models.toml:1:2: unknown field `requirement`"), "{section}");
        assert!(section.ends_with("(did you mean `requirements`?)"), "{section}");
        let limit = mistake("[requirements]\nttft_second = 2.0\n");
        assert!(limit.ends_with("(did you mean `ttft_seconds`?)"), "{limit}");
        let value = mistake("# 한국어 주석\n[[candidate]]\nid = \"a\"\nhub = \"o/n\"\nquantization = \"q4\"\n");
        assert!(value.starts_with("models.toml:5:16: `quantization`: unknown variant `q4`"), "{value}");
        assert!(value.ends_with("(did you mean `q4_k`?)"), "{value}");
        let listed = mistake("[[candidate]]\nid = \"a\"\nhub = \"o/n\"\nquantization = [\"q8_0\", \"q4\"]\n");
        assert!(listed.starts_with("models.toml:4:25: `quantization`: unknown variant `q4`"), "{listed}");
        let kind = mistake("[requirements]\nttft_seconds = \"fast\"\n");
        assert!(kind.starts_with("models.toml:2:16: `ttft_seconds`: invalid type"), "{kind}");
        let syntax = mistake("[[candidate]]\nid = \n");
        assert!(syntax.starts_with("models.toml:2:"), "{syntax}");
    }

    #[test]
    fn a_candidate_needs_exactly_one_source_and_an_id_of_its_own() {
        let candidate = |body: &str| format!("[[candidate]]\nid = \"a\"\n{body}\n");
        assert!(mistake(&candidate("")).contains("has no source"));
        assert!(mistake(&candidate("hub = \"o/n\"\nlocal = \"m\"")).contains("has two sources"));
        assert!(mistake(&candidate("local = \"m\"\nrevision = \"x\"")).contains("mean nothing"));
        assert!(
            mistake(&candidate("hub = \"no-owner\"")).starts_with("models.toml:3:7: `no-owner` is not of the form")
        );
        let twice = mistake(&(candidate("hub = \"o/n\"") + &candidate("hub = \"o/m\"")));
        assert_eq!(twice, "models.toml:5:6: `a` is there twice, first in line 2");
    }

    #[test]
    fn a_limit_that_means_nothing_is_refused() {
        let message = mistake("[requirements]\nttft_seconds = -1.0\n");
        assert_eq!(message, "models.toml:1:1: the requirement `ttft_seconds` cannot be -1");
        assert!(mistake("[requirements]\nmemory_gib = inf\n").contains("`memory_gib` cannot be inf"));
    }

    #[test]
    fn a_prompt_format_must_say_where_the_prompt_goes() {
        let text = "[[candidate]]\nid = \"a\"\nhub = \"o/n\"\nprompt_format = { template = \"질문:\" }\n";
        assert!(mistake(text).contains("must hold `{prompt}` once"));
    }

    #[test]
    fn the_shipped_catalog_has_the_ten_candidates_and_a_shape_for_each() {
        let catalog = Catalog::shipped().unwrap();
        assert_eq!(catalog.candidates.len(), 10);
        for candidate in &catalog.candidates {
            let Source::Hub { repository, .. } = &candidate.source else {
                panic!("{} is not from the Hub", candidate.id)
            };
            assert!(crate::spec::shipped_shape(repository).is_some(), "no shape for {repository}");
            assert!(candidate.licence.is_some(), "{} states no licence", candidate.id);
        }
    }
}
