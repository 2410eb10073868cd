//! Documents: texts of some length that a model's likelihood is taken of.
//!
//! Written for this project, each in Korean and in English with the same content, so no model has seen them before they were
//! published here. Compiled in from `documents/`, so that two people who compare figures scored the same bytes.

use include_dir::{Dir, include_dir};

use super::Language;

static SHIPPED: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/documents");

/// A shipped text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Document {
    /// What it is, the same in both languages.
    pub name: &'static str,
    /// That it is written in.
    pub language: Language,
    /// All of it.
    pub text: &'static str,
}

/// The texts that ship with the program, Korean first, by name.
pub fn documents() -> Vec<Document> {
    let of = |language: Language| {
        let files = SHIPPED.get_dir(language.tag()).into_iter().flat_map(|folder| folder.files());
        let document = move |file: &'static include_dir::File<'static>| {
            let name = file.path().file_stem()?.to_str()?;
            Some(Document { name, language, text: file.contents_utf8()? })
        };
        let mut documents: Vec<Document> = files.filter_map(document).collect();
        documents.sort_by_key(|document| document.name);
        documents
    };
    Language::ALL.into_iter().flat_map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_document_is_there_in_both_languages_and_says_the_same_paragraph_by_paragraph() {
        let documents = documents();
        let of = |language| documents.iter().filter(move |document| document.language == language);
        let shape =
            |language| of(language).map(|document| (document.name, document.text.lines().count())).collect::<Vec<_>>();
        assert_eq!(shape(Language::Ko), shape(Language::En));
        for language in Language::ALL {
            let bytes: usize = of(language).map(|document| document.text.len()).sum();
            assert!(bytes > 4_000, "{language:?}: {bytes} bytes");
        }
    }

    /// The language of a document is that of each of its lines, as the figures by language take it.
    #[test]
    fn every_line_is_of_its_documents_language() {
        for document in documents() {
            for line in document.text.lines().filter(|line| !line.is_empty()) {
                let hangul = line.chars().any(|character| ('가'..='힣').contains(&character));
                assert_eq!(hangul, document.language == Language::Ko, "{}: {line}", document.name);
            }
        }
    }
}
