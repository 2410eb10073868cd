//! A diagnosis: one thing that was looked at, and what to do about it.

/// One thing that was looked at.
pub(super) struct Diagnosis {
    pub what: &'static str,
    pub found: String,
    /// What to do about it; `None` where nothing needs to be done.
    pub advice: Option<String>,
}

impl Diagnosis {
    pub(super) fn good(what: &'static str, found: impl Into<String>) -> Self {
        Self { what, found: found.into(), advice: None }
    }

    pub(super) fn bad(what: &'static str, found: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { what, found: found.into(), advice: Some(advice.into()) }
    }
}
