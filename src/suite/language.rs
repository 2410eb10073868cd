//! Languages that prompts are written in.

use serde::{Deserialize, Serialize};

/// A natural language that prompts are written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Language {
    /// Korean.
    Ko,
    /// English.
    En,
}

impl Language {
    /// Both, in the order of columns.
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

    /// Characters a second that a reader takes in: text that comes faster is worth no more.
    ///
    /// English: 238 words a minute (Brysbaert 2019, 190 studies), of six characters with the space. Korean: 202 words a minute (Rhiu
    /// et al. 2017, doi:10.3341/kjo.2016.0042), of four characters with the space.
    pub fn reading_pace(self) -> f64 {
        match self {
            Language::Ko => 202.0 * 4.0 / 60.0,
            Language::En => 238.0 * 6.0 / 60.0,
        }
    }
}
