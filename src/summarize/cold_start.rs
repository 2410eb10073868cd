//! Cold start: what the first user of a service waits for.

use serde::Serialize;

use crate::catalog::Source;
use crate::measure::Measurement;
use crate::quantile::median;
use crate::record::{LoadParts, Outcome, Phase, Row, Trial};

/// Which request of the first prompt is told beside the first one: by then caches are filled and clocks have settled.
const TENTH: usize = 10;

/// The first request of a process against the same request later, and the load before it. A service that loads at the first
/// request makes its first user wait for the sum of the first two.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct ColdStart {
    /// Downloading the checkpoint before, in seconds. `None` where nothing was received, and where nobody counted.
    pub download_seconds: Option<f64>,
    /// Reading, quantizing and moving the weights to the device, and one short pass, in seconds.
    pub load_seconds: f64,
    /// What threads did meanwhile, and that pass alone. `None` for runs stored before these were kept.
    pub parts: Option<LoadParts>,
    /// The first forward pass, which is part of the load; `None` of runs stored before this was kept.
    pub first_pass_seconds: Option<f64>,
    /// Share of the checkpoint's bytes that came from storage meanwhile, 0 to 1: the rest lay in the page cache. `None` where
    /// the system does not tell.
    pub from_disk: Option<f64>,
    /// Time to the first token of the first request after the load, in seconds.
    pub first_ttft_seconds: f64,
    /// Median time to the first token of the measured requests of the same prompt, in seconds.
    pub later_ttft_seconds: f64,
    /// Time to the first token of the tenth request of that prompt, warm-up counted, in seconds. `None` if there were fewer,
    /// or it failed.
    pub tenth_ttft_seconds: Option<f64>,
}

impl ColdStart {
    /// `None` for random weights, whose making is no load, and unless the first request and a later one of its prompt
    /// completed.
    pub(super) fn of(row: &Row) -> Option<Self> {
        let load = row.load.as_ref().filter(|_| !matches!(row.candidate.source, Source::Synthetic { .. }))?;
        let (first, later) = row.trials.split_first()?;
        let prompt = |trial: &Trial| (trial.key.suite.clone(), trial.key.language, trial.key.prompt.clone());
        let same = || later.iter().filter(|trial| prompt(trial) == prompt(first));
        let again = same().filter(|trial| trial.key.phase() == Phase::Measured).filter_map(ttft);
        let stored: u64 = row.checkpoint.iter().flat_map(|checkpoint| &checkpoint.files).map(|file| file.bytes).sum();
        // More may be read than the files hold: whole blocks, and what is read ahead.
        let share = |bytes: u64| (bytes as f64 / stored as f64).min(1.0);
        Some(Self {
            download_seconds: load.downloaded_bytes.filter(|bytes| *bytes > 0).map(|_| load.acquire_seconds),
            load_seconds: load.load_seconds,
            parts: load.parts,
            first_pass_seconds: load.first_pass_seconds,
            from_disk: load.disk_read_bytes.filter(|_| stored > 0).map(share),
            first_ttft_seconds: ttft(first)?,
            later_ttft_seconds: median(&again.collect::<Vec<_>>())?,
            // The first is no longer among them.
            tenth_ttft_seconds: same().nth(TENTH - 2).and_then(ttft),
        })
    }

    /// What the first user waits for where the model is loaded at the first request, in seconds; lower is better.
    pub fn lazy_seconds(&self) -> f64 {
        self.load_seconds + self.first_ttft_seconds
    }

    /// What loading and asking once beforehand saves that user, in seconds; higher is better. The load at least: a first
    /// request that happened to be faster than the later ones is no cost of asking it beforehand.
    pub fn saved_seconds(&self) -> f64 {
        self.load_seconds + (self.first_ttft_seconds - self.later_ttft_seconds).max(0.0)
    }
}

fn ttft(trial: &Trial) -> Option<f64> {
    let completed = matches!(trial.outcome, Outcome::Completed { .. });
    Measurement::of(trial).ttft_seconds.filter(|_| completed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{CheckpointFacts, FileFacts};
    use crate::summarize::testing::{failed, load, ran, text_trial, warmup};

    /// Loaded in 4.2 s, of 1,000 bytes so many from disk.
    fn row(trials: Vec<Trial>, disk_read_bytes: Option<u64>) -> Row {
        let mut row = ran("a", trials);
        let mut facts = load(1 << 30);
        facts.disk_read_bytes = disk_read_bytes;
        row.load = Some(facts);
        let file = |bytes| FileFacts { path: "w".into(), bytes, sha256: None };
        row.checkpoint = Some(CheckpointFacts {
            commit: None,
            architecture: "llama".into(),
            parameters: 1,
            files: vec![file(400), file(600)],
            synthetic: false,
        });
        row
    }

    fn trials() -> Vec<Trial> {
        let later = [210, 200, 190].map(|ttft| text_trial(ttft, 100, 5, "가"));
        let mut other = text_trial(9_000, 100, 5, "나");
        other.key.prompt = "p2".into();
        [warmup(text_trial(800, 100, 5, "가"))].into_iter().chain(later).chain([other]).collect()
    }

    #[test]
    fn the_first_user_waits_for_the_load_and_a_cold_request() {
        let cold = ColdStart::of(&row(trials(), Some(250))).unwrap();
        assert_eq!((cold.first_ttft_seconds, cold.later_ttft_seconds), (0.8, 0.2));
        assert!((cold.lazy_seconds() - 5.0).abs() < 1e-9 && (cold.saved_seconds() - 4.8).abs() < 1e-9, "{cold:?}");
        assert_eq!(cold.from_disk, Some(0.25));
    }

    #[test]
    fn the_tenth_request_is_counted_among_those_of_the_first_prompt() {
        let mut trials = trials();
        let slow = trials.pop().unwrap();
        for ttft in [101, 102, 103, 104, 105, 106, 107] {
            trials.extend([text_trial(ttft, 100, 5, "가"), slow.clone()]);
        }
        // One warm-up and three are there before.
        let tenth = |trials: &[Trial]| ColdStart::of(&row(trials.to_vec(), None)).unwrap().tenth_ttft_seconds;
        assert_eq!(tenth(&trials), Some(0.106));
        assert_eq!(tenth(&trials[..4]), None);
    }

    #[test]
    fn a_download_is_told_only_if_something_was_received() {
        let told = |downloaded_bytes| {
            let mut row = row(trials(), None);
            let load = row.load.as_mut().unwrap();
            (load.acquire_seconds, load.downloaded_bytes) = (60.0, downloaded_bytes);
            ColdStart::of(&row).unwrap().download_seconds
        };
        assert_eq!((told(Some(1000)), told(Some(0)), told(None)), (Some(60.0), None, None));
    }

    #[test]
    fn preloading_saves_the_load_at_least() {
        let slower = [warmup(text_trial(100, 100, 5, "가")), text_trial(6_000, 100, 5, "가")];
        assert_eq!(ColdStart::of(&row(slower.to_vec(), None)).unwrap().saved_seconds(), 4.2);
    }

    #[test]
    fn what_is_read_ahead_is_not_more_than_all() {
        assert_eq!(ColdStart::of(&row(trials(), Some(1_400))).unwrap().from_disk, Some(1.0));
        assert_eq!(ColdStart::of(&row(trials(), None)).unwrap().from_disk, None);
    }

    #[test]
    fn random_weights_are_not_loaded_and_a_failed_first_request_says_nothing() {
        let mut synthetic = row(trials(), None);
        synthetic.candidate.source = Source::Synthetic { shape: "x".into() };
        assert_eq!(ColdStart::of(&synthetic), None);
        let mut broken = trials();
        broken[0] = failed(broken[0].clone());
        assert_eq!(ColdStart::of(&row(broken, None)), None);
        assert_eq!(ColdStart::of(&row(trials()[..1].to_vec(), None)), None, "nothing to hold it against");
        assert_eq!(ColdStart::of(&row(Vec::new(), None)), None);
    }
}
