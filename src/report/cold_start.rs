//! The cold start of a candidate, in a sentence.

use crate::measure::units::{Seconds, Share};
use crate::summarize::ColdStart;

/// Shares of the checkpoint that count as none and as all of it: some pages of a file are always in memory, or read again.
const NONE: f64 = 0.05;
const ALL: f64 = 0.95;

/// What a service that loads at the first request makes its first user wait, and what loading beforehand saves.
pub(super) fn sentence(row: &str, cold: &ColdStart) -> String {
    let source = match cold.from_disk {
        None => String::new(),
        Some(share) if share < NONE => " with the file in the page cache".to_owned(),
        Some(share) if share > ALL => " from disk".to_owned(),
        Some(share) => format!(" with {} of the file from disk", Share(share)),
    };
    format!(
        "cold start: loaded at the first request, {row} makes its first user wait {} ({} to load{source}, {} to the first \
         token); loaded beforehand {}: preloading saves {}",
        Seconds(cold.lazy_seconds()),
        Seconds(cold.load_seconds),
        Seconds(cold.first_ttft_seconds),
        Seconds(cold.later_ttft_seconds),
        Seconds(cold.saved_seconds())
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_says_where_the_weights_came_from_if_that_is_known() {
        let said = |from_disk| {
            let cold = ColdStart { load_seconds: 10.0, from_disk, first_ttft_seconds: 2.5, later_ttft_seconds: 2.0 };
            sentence("llama q4_k", &cold)
        };
        assert_eq!(
            said(Some(1.0)),
            "cold start: loaded at the first request, llama q4_k makes its first user wait 12.5 s (10.0 s to load from \
             disk, 2.50 s to the first token); loaded beforehand 2.00 s: preloading saves 10.5 s"
        );
        assert!(said(Some(0.0)).contains("10.0 s to load with the file in the page cache, 2.50 s"));
        assert!(said(Some(0.4)).contains("10.0 s to load with 40 % of the file from disk, 2.50 s"));
        assert!(said(None).contains("10.0 s to load, 2.50 s"));
    }
}
