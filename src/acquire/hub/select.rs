//! Which files of a repository a checkpoint needs.

use std::collections::{BTreeSet, HashMap};

use serde::Deserialize;

use super::error::{HubError, shown};
use super::names::check_path;
use crate::acquire::published::is_beside_text;
use crate::acquire::shards::unindexed;
use crate::catalog::PartName;

/// The file without which a checkpoint in Hugging Face layout has no shape.
pub(super) const CONFIG: &str = "config.json";

/// Taken beside the weights where they are there.
const BESIDE: [&str; 9] = [
    CONFIG,
    "hf_quant_config.json",
    "generation_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "chat_template.jinja",
    "chat_template.json",
];

/// The forms that weights come in, the most wanted first. All else (`consolidated.safetensors`, `original/…`, other
/// precisions, other frameworks) holds the same weights again.
const FORMS: [Form; 2] = [
    Form { index: "model.safetensors.index.json", single: "model.safetensors", suffix: ".safetensors" },
    Form { index: "pytorch_model.bin.index.json", single: "pytorch_model.bin", suffix: ".bin" },
];

/// Weights in one file, or in several that an index names.
#[derive(Debug, PartialEq, Eq)]
struct Form {
    index: &'static str,
    single: &'static str,
    suffix: &'static str,
}

/// What a repository's list of files says about its weights.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Weights {
    One(&'static str),
    /// The shards stand in this index, and must end so.
    Indexed {
        index: &'static str,
        suffix: &'static str,
    },
    /// Several without an index.
    Several(BTreeSet<String>),
}

/// The weights of a repository with these files, if it has any.
pub(super) fn weights(files: &[&str]) -> Option<Weights> {
    let [safetensors, pickles] = FORMS.map(|form| {
        if files.contains(&form.index) {
            Some(Weights::Indexed { index: form.index, suffix: form.suffix })
        } else {
            files.contains(&form.single).then_some(Weights::One(form.single))
        }
    });
    let several = || Some(unindexed(files.iter().copied())).filter(|files| !files.is_empty()).map(Weights::Several);
    safetensors.or_else(several).or(pickles)
}

/// The files to take beside the weights, of those that are there.
pub(super) fn beside(has: impl Fn(&str) -> bool) -> impl Iterator<Item = &'static str> {
    BESIDE.into_iter().filter(move |name| has(name))
}

/// The whole GGUF files that a word means, of files with these paths: by path, by the path that a split file had as a whole,
/// by that of any of its parts, or by a pattern of one of these, in which `*` is any characters and `?` any one. Each is the
/// list of its parts, or of itself.
pub(super) fn gguf_files<'a>(paths: impl Iterator<Item = &'a str>, word: &str) -> Vec<Vec<String>> {
    let parts = |path: &str| PartName::parse(path).map_or_else(|| vec![path.to_owned()], |part| part.all().collect());
    let is_meant = |path: &str| {
        let names = [Some(path.to_owned()), PartName::parse(path).map(|part| part.whole())];
        path.ends_with(".gguf") && names.iter().flatten().any(|name| matches(word.as_bytes(), name.as_bytes()))
    };
    let mut meant = BTreeSet::new();
    for path in paths {
        if path == word {
            return vec![parts(path)];
        }
        if is_meant(path) {
            meant.insert(parts(path));
        }
    }
    meant.into_iter().collect()
}

/// Whether a pattern of `*` and `?` matches a whole text. After a mismatch only the latest `*` can take more, so the time is
/// bounded by the product of the lengths.
fn matches(pattern: &[u8], text: &[u8]) -> bool {
    let (mut at, mut from, mut retry) = (0, 0, None);
    while from < text.len() {
        match pattern.get(at) {
            Some(b'*') => {
                retry = Some((at + 1, from));
                at += 1;
            }
            Some(byte) if *byte == b'?' || *byte == text[from] => (at, from) = (at + 1, from + 1),
            _ => {
                let Some((after, start)) = retry else { return false };
                retry = Some((after, start + 1));
                (at, from) = (after, start + 1);
            }
        }
    }
    pattern[at..].iter().all(|byte| *byte == b'*')
}

/// Whether a file holds weights.
pub(super) fn is_weights(path: &str) -> bool {
    FORMS.iter().any(|form| path.ends_with(form.suffix))
}

/// The files that an index names for tensors of the decoder, each once.
pub(super) fn shards(file: &str, suffix: &str, index: &[u8]) -> Result<BTreeSet<String>, HubError> {
    #[derive(Deserialize)]
    struct Index {
        weight_map: HashMap<String, String>,
    }
    let bad = |reason| HubError::BadIndex { file: file.to_owned(), reason };
    let index: Index = serde_json::from_slice(index).map_err(|error| bad(shown(&error.to_string())))?;
    let of_text = index.weight_map.into_iter().filter(|(tensor, _)| !is_beside_text(tensor));
    let shards: BTreeSet<String> = of_text.map(|(_, shard)| shard).collect();
    if shards.is_empty() {
        return Err(bad("it names no file".to_owned()));
    }
    for shard in &shards {
        check_path(shard)?;
        if !shard.ends_with(suffix) {
            return Err(bad(format!("it names `{}`, which does not end in `{suffix}`", shown(shard))));
        }
    }
    Ok(shards)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn safetensors_are_taken_before_pickles_and_an_index_before_one_file() {
        let all = ["pytorch_model.bin", "model.safetensors", "model.safetensors.index.json"];
        let indexed = Weights::Indexed { index: "model.safetensors.index.json", suffix: ".safetensors" };
        assert_eq!(weights(&all), Some(indexed));
        assert_eq!(weights(&all[..2]), Some(Weights::One("model.safetensors")));
        assert_eq!(weights(&all[..1]), Some(Weights::One("pytorch_model.bin")));
    }

    #[test]
    fn shards_without_an_index_are_taken_before_pickles() {
        let files = ["model-00001-of-00002.safetensors", "pytorch_model.bin"];
        let shards = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"];
        assert_eq!(weights(&files), Some(Weights::Several(shards.map(str::to_owned).into())));
    }

    #[test]
    fn copies_of_the_weights_are_no_weights() {
        assert_eq!(weights(&["consolidated.safetensors", "original/model.safetensors", "x.gguf"]), None);
    }

    #[test]
    fn a_gguf_file_is_meant_by_its_path_its_whole_a_part_or_a_pattern() {
        let paths = ["a-q4.gguf", "a-q8-00001-of-00002.gguf", "a-q8-00002-of-00002.gguf", "q5/a.gguf", "a-q8.txt"];
        let meant = |word| gguf_files(paths.into_iter(), word);
        let split = vec![vec!["a-q8-00001-of-00002.gguf".to_owned(), "a-q8-00002-of-00002.gguf".to_owned()]];
        for word in
            ["a-q8.gguf", "a-q8-00001-of-00002.gguf", "a-q8-00002-of-00002.gguf", "*q8*", "a-q8*.gguf", "a-q?.g*8.*"]
        {
            let expected = if word == "a-q?.g*8.*" { Vec::new() } else { split.clone() };
            assert_eq!(meant(word), expected, "{word}");
        }
        assert_eq!(
            (meant("a-q4.gguf"), meant("q5*")),
            (vec![vec!["a-q4.gguf".into()]], vec![vec!["q5/a.gguf".into()]])
        );
        assert_eq!((meant("*").len(), meant("a.gguf").len(), meant("").len(), meant("*txt").len()), (3, 0, 0, 0));
        // A part that is not listed is meant too: its absence is told where it is looked for.
        assert_eq!(gguf_files(["b-00002-of-00003.gguf"].into_iter(), "b.gguf")[0].len(), 3);
    }

    #[test]
    fn patterns_match_whole_texts() {
        for (pattern, text, is) in [
            ("", "", true),
            ("*", "", true),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "a-b-c-d", false),
            ("?", "", false),
            ("a??", "abc", true),
            ("*?*", "a", true),
            ("**a", "aaab", false),
        ] {
            assert_eq!(matches(pattern.as_bytes(), text.as_bytes()), is, "{pattern} {text}");
        }
        let (pattern, text) = ("*a".repeat(500) + "b", "a".repeat(1000));
        assert!(!matches(pattern.as_bytes(), text.as_bytes()));
    }

    #[test]
    fn each_shard_is_named_once() {
        let index =
            br#"{"metadata": {"total_size": 1}, "weight_map": {"a": "m-2.bin", "b": "m-1.bin", "c": "m-2.bin"}}"#;
        let shards = shards("index", ".bin", index).unwrap();
        assert_eq!(shards.into_iter().collect::<Vec<_>>(), ["m-1.bin", "m-2.bin"]);
    }

    #[test]
    fn a_hostile_index_is_refused() {
        let shards = |index: &str| shards("index", ".safetensors", index.as_bytes());
        for path in ["../x.safetensors", "/x.safetensors", "", "a\\u0000.safetensors"] {
            let index = format!(r#"{{"weight_map": {{"a": "{path}"}}}}"#);
            assert!(matches!(shards(&index), Err(HubError::UnsafePath { .. })), "{path}");
        }
        for index in ["", "<html>", "{}", r#"{"weight_map": {}}"#, r#"{"weight_map": {"a": 1}}"#, "[[[["] {
            assert!(matches!(shards(index), Err(HubError::BadIndex { .. })), "{index}");
        }
        assert!(matches!(shards(r#"{"weight_map": {"a": "run.py"}}"#), Err(HubError::BadIndex { .. })));
    }
}
