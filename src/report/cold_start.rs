//! The cold start of a candidate, in a sentence.

use crate::summarize::ColdStart;
use crate::units::{Seconds, Share};

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
    let tenth = cold.tenth_ttft_seconds.map(|tenth| format!(" ({} at the tenth request)", Seconds(tenth)));
    format!(
        "cold start: loaded at the first request, {row} makes its first user wait {} ({} to load{source}, {} to the first \
         token); loaded beforehand {}{}: preloading saves {}{}",
        Seconds(cold.lazy_seconds()),
        Seconds(cold.load_seconds),
        Seconds(cold.first_ttft_seconds),
        Seconds(cold.later_ttft_seconds),
        tenth.unwrap_or_default(),
        Seconds(cold.saved_seconds()),
        parts(cold)
    )
}

/// What the load was made of, as far as that is known.
fn parts(cold: &ColdStart) -> String {
    let part = |seconds: f64, doing: &str| (seconds > 0.0).then(|| format!("{} {doing}", Seconds(seconds)));
    let threads: Vec<String> = cold
        .parts
        .iter()
        .flat_map(|parts| {
            [
                part(parts.read_seconds, "reading"),
                part(parts.quantize_seconds, "quantizing"),
                part(parts.transfer_seconds, "moving to the GPU"),
            ]
        })
        .flatten()
        .collect();
    let said = [
        (!threads.is_empty()).then(|| format!("all threads together spent {}", threads.join(", "))),
        cold.first_pass_seconds.map(|seconds| format!("the first pass took {}", Seconds(seconds))),
        cold.download_seconds.map(|seconds| format!("the download before it took {}", Seconds(seconds))),
    ];
    let said: Vec<String> = said.into_iter().flatten().collect();
    if said.is_empty() { String::new() } else { format!(". Of the load: {}", said.join("; ")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::LoadParts;

    const COLD: ColdStart = ColdStart {
        download_seconds: None,
        load_seconds: 10.0,
        parts: None,
        first_pass_seconds: None,
        from_disk: None,
        first_ttft_seconds: 2.5,
        later_ttft_seconds: 2.0,
        tenth_ttft_seconds: None,
    };

    #[test]
    fn it_says_what_the_load_was_made_of_if_that_is_known() {
        let parts = LoadParts { read_seconds: 5.0, quantize_seconds: 12.0, transfer_seconds: 0.25 };
        let cold = ColdStart {
            download_seconds: Some(90.0),
            parts: Some(parts),
            first_pass_seconds: Some(0.5),
            tenth_ttft_seconds: Some(1.9),
            ..COLD
        };
        let said = sentence("llama q4_k", &cold);
        let (wait, load) = said.split_once(". ").unwrap();
        assert!(
            wait.ends_with("loaded beforehand 2.00 s (1.90 s at the tenth request): preloading saves 10.5 s"),
            "{wait}"
        );
        assert_eq!(
            load,
            "Of the load: all threads together spent 5.00 s reading, 12.0 s quantizing, 250 ms moving to the GPU; the first \
             pass took 500 ms; the download before it took 90.0 s"
        );
    }

    #[test]
    fn it_says_where_the_weights_came_from_if_that_is_known() {
        let said = |from_disk| sentence("llama q4_k", &ColdStart { from_disk, ..COLD });
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
