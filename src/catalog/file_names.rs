//! Names of files that hold weights, and of the parts of those that are split.

use std::path::Path;

/// Whether a path is named as a GGUF file is.
pub fn is_gguf_file(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("gguf"))
}

/// The name of a part of a split file, `NAME-00002-of-00003.gguf` or `.safetensors`: by this name llama.cpp finds the others
/// (`llama_split_path`, <https://github.com/ggml-org/llama.cpp/blob/master/src/llama.cpp>), and transformers numbers its shards
/// so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartName {
    stem: String,
    extension: String,
    /// Counted from 1.
    pub number: u32,
    pub count: u32,
}

impl PartName {
    /// The part that a file is by its name; `None` of a file that is whole.
    pub fn parse(name: &str) -> Option<Self> {
        let (name, extension) = name.rsplit_once('.').filter(|(_, kind)| matches!(*kind, "gguf" | "safetensors"))?;
        let (rest, count) = name.rsplit_once("-of-")?;
        let (stem, number) = rest.rsplit_once('-')?;
        let digits = |text: &str| text.len() == 5 && text.bytes().all(|byte| byte.is_ascii_digit());
        if !digits(count) || !digits(number) {
            return None;
        }
        let (number, count) = (number.parse().ok()?, count.parse().ok()?);
        (1..=count).contains(&number).then(|| Self { stem: stem.into(), extension: extension.into(), number, count })
    }

    /// The name of the file before it was split.
    pub fn whole(&self) -> String {
        format!("{}.{}", self.stem, self.extension)
    }

    /// The names of all parts, in order.
    pub fn all(&self) -> impl Iterator<Item = String> + '_ {
        (1..=self.count).map(|number| format!("{}-{number:05}-of-{:05}.{}", self.stem, self.count, self.extension))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_knows_its_whole_and_all_parts() {
        let part = PartName::parse("q4/a-b-00002-of-00003.gguf").unwrap();
        assert_eq!((part.number, part.count, part.whole().as_str()), (2, 3, "q4/a-b.gguf"));
        let all: Vec<String> = part.all().collect();
        assert_eq!(PartName::parse("m-00001-of-00002.safetensors").unwrap().whole(), "m.safetensors");
        assert_eq!(all, ["q4/a-b-00001-of-00003.gguf", "q4/a-b-00002-of-00003.gguf", "q4/a-b-00003-of-00003.gguf"]);
    }

    #[test]
    fn other_names_are_no_parts() {
        for name in [
            "a.gguf",
            "a-00001-of-00002.bin",
            "a-1-of-2.gguf",
            "a-00003-of-00002.gguf",
            "a-00000-of-00002.gguf",
            "a-+0001-of-00002.gguf",
            "00001-of-00002.gguf",
            "",
        ] {
            assert_eq!(PartName::parse(name), None, "{name}");
        }
    }
}
