//! Languages that prompts are written in.

use serde::{Deserialize, Serialize};

/// A natural language that prompts are written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Language {
    Ko,
    En,
}

impl Language {
    pub const ALL: [Language; 2] = [Language::Ko, Language::En];

    /// The BCP 47 tag, which is also the folder's name.
    pub fn tag(self) -> &'static str {
        match self {
            Language::Ko => "ko",
            Language::En => "en",
        }
    }

    /// The language's English name.
    pub fn name(self) -> &'static str {
        match self {
            Language::Ko => "Korean",
            Language::En => "English",
        }
    }
}
