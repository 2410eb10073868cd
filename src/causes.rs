//! An error and its causes, as text.

use std::error::Error as StdError;

/// An error and its causes in one line.
pub fn chain(error: &dyn StdError) -> String {
    layers(error).join(": ")
}

/// What an error and each of its causes say, but for a cause that only repeats: some libraries put their cause's text into
/// their own.
pub fn layers(error: &dyn StdError) -> Vec<String> {
    let mut said: Vec<String> = Vec::new();
    let mut next = Some(error);
    while let Some(error) = next {
        let text = error.to_string();
        if !said.iter().any(|before| before.contains(&text) || text.contains(before)) {
            said.push(text);
        }
        next = error.source();
    }
    said
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{0}")]
    struct Layer(&'static str, #[source] Option<Box<Layer>>);

    #[test]
    fn a_cause_that_only_repeats_is_left_out() {
        let code = Layer("error code 26: file is not a database", None);
        let cause = Layer("file is not a database", Some(Box::new(code)));
        let error = Layer("could not open `a`", Some(Box::new(cause)));
        assert_eq!(layers(&error), ["could not open `a`", "file is not a database"]);
        assert_eq!(chain(&error), "could not open `a`: file is not a database");
    }
}
