//! A look at one thing that this machine or build has.

/// One thing that was looked at.
pub struct Look {
    pub what: &'static str,
    pub found: String,
    /// What to do about it; `None` where nothing needs to be done.
    pub advice: Option<String>,
}

impl Look {
    pub fn good(what: &'static str, found: impl Into<String>) -> Self {
        Self { what, found: found.into(), advice: None }
    }

    pub fn bad(what: &'static str, found: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { what, found: found.into(), advice: Some(advice.into()) }
    }
}
