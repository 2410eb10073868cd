//! Figures that the hardware cannot have given.

use std::fmt;

use serde::Serialize;

use super::suite::SuiteSummary;
use crate::measure::Ceiling;
use crate::metric::{DECODE, MBU, MFU, Metric, PREFILL};
use crate::plan::{Demand, Resource};

/// A median of a row that takes more than its GPU has: something that it rests on is mistaken, the row of `gpus.toml`, the count
/// of tokens or a clock, and then nothing that was measured beside it is sure.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Impossible {
    /// The share of the peak that is beyond 1: MBU of decoding, MFU of a prompt.
    pub metric: Metric,
    /// Suite, and prompt of token ids: `speed pp128+tg64`.
    pub work: String,
    /// What that speed needs of the device, beside what it has.
    #[serde(flatten)]
    pub demand: Demand,
}

impl Impossible {
    /// Of each kind the worst in a row's suites.
    pub(super) fn among(suites: &[SuiteSummary], ceiling: &Ceiling) -> Vec<Self> {
        let worst = |(metric, resource): (Metric, Resource)| {
            let medians = suites
                .iter()
                .flat_map(SuiteSummary::works)
                .filter_map(|(work, figures)| Some((work, figures.median(&metric)?)));
            let (work, share) = medians.max_by(|a, b| a.1.total_cmp(&b.1))?;
            Some(Self { metric, work, demand: ceiling.share_of(resource, share) })
        };
        let kinds = [(MBU, Resource::Bandwidth), (MFU, Resource::Operations)];
        kinds.into_iter().filter_map(worst).filter(|found| found.demand.is_impossible()).collect()
    }
}

/// `decode of speed pp128+tg64 needs 361 GB/s, 1.20 times the card's 300`
impl fmt::Display for Impossible {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.demand.resource {
            Resource::Bandwidth => DECODE.label,
            Resource::Operations => PREFILL.label,
        };
        write!(f, "{what} of {} {}", self.work, self.demand)
    }
}

#[cfg(test)]
mod tests {
    use crate::summarize::summarize;
    use crate::summarize::testing::{beyond_an_l4, llama_8b, run_on_l4, speed_trial, text_trial};

    fn found(run: &crate::record::Run) -> Vec<String> {
        summarize(run)[0].impossible.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_takes_more_than_the_card_has_is_named_with_how_much() {
        assert_eq!(
            found(&beyond_an_l4()),
            [
                "decode of speed pp512+tg64 needs 1,515 GB/s, 5.05 times the card's 300",
                "prefill of speed pp512+tg64 needs 722 TFLOPS, 5.96 times the card's 121",
            ]
        );
    }

    #[test]
    fn what_the_card_can_do_is_not() {
        let possible = vec![speed_trial("pp512+tg64", 512, 500, 80), text_trial(200, 80, 11, "가")];
        assert_eq!(found(&run_on_l4(vec![llama_8b("a", possible)])), [""; 0]);
    }

    #[test]
    fn of_several_works_the_worst_is_named_and_medians_over_lengths_hide_none() {
        let trials = vec![
            speed_trial("pp128+tg64", 128, 500, 80),
            speed_trial("pp256+tg64", 256, 500, 50),
            speed_trial("pp512+tg64", 512, 500, 40),
            text_trial(200, 80, 11, "가"),
            text_trial(200, 80, 11, "나"),
        ];
        let found = found(&run_on_l4(vec![llama_8b("a", trials)]));
        assert_eq!(found.len(), 1);
        assert!(found[0].starts_with("decode of speed pp512+tg64 needs 379 GB/s, 1.26 times"), "{found:?}");
    }
}
