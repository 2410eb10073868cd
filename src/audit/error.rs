//! Why a table cannot be read, and the way out.

/// Why a table cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TableError {
    #[error("its bytes are no text in UTF-8, UTF-16 or CP949")]
    Encoding,
    #[error("it is no CSV: {0}")]
    Csv(String),
    #[error("no column is headed as a model; there are {0}")]
    NoModel(String),
    #[error("no column is headed as tokens/s or memory; there are {0}")]
    NoFigures(String),
    #[error("the column `{0}` does not say whether it is in MB, MiB, GB, GiB or bytes")]
    NoUnit(String),
    #[error("it has no rows")]
    Empty,
}

impl TableError {
    /// What the user can do about it.
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Encoding => "save it as CSV in UTF-8",
            Self::Csv(_) => "give a table as CSV, with a line of headings",
            Self::NoModel(_) => "head it `model`",
            Self::NoFigures(_) => "head them `tokens/s` and `memory MB`",
            Self::NoUnit(_) => "put the unit into the heading, as `memory MB`",
            Self::Empty => return None,
        };
        Some(hint.into())
    }
}
