//! Suites: named, fixed sets of prompts.
//!
//! The shipped suites are compiled in from `prompts/`, so that two people who compare figures ran the same text;
//! `--prompts DIR` reads others of the same layout: `ko/NAME.toml` and `en/NAME.toml` for text, `NAME.toml` for suites
//! of token ids.

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
}
