//! The numbers of one trial.
//!
//! t0 is the start of the request, n the number of output tokens, P that of prompt tokens and c that of output
//! characters, which are Unicode scalar values: 한 is one, however many bytes or tokens it takes. Two programs that print
//! "TPOT" rarely mean the same thing, so each formula stands here, once, for every engine.

use super::{Ceiling, Energy};
use crate::metric::{
    CHARACTERS, CHARACTERS_PER_TOKEN, DECODE, ENERGY, ENERGY_PER_TOKEN, ITL_MAX, ITL_P50, ITL_P99, LATENCY, MBU, MFU,
    Metric, PREFILL, PREFILL_TIME, STALLS, TEXT_AFTER, TOKENIZING, TPOT, TTFT, VISIBLE_TTFT,
};
use crate::quantile::quantile;
use crate::record::{FinishReason, Outcome, Trial};

/// A gap between two tokens that is longer than this is a stall: a reader sees the text stop.
pub const STALL_SECONDS: f64 = 0.2;

/// The numbers of one trial. `None` is "not defined for this trial" and never stands for zero.
///
/// A failed trial has those that were already determined when it failed.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Measurement {
    /// Time to first token: first arrival − t0, in seconds; lower is better. Undefined if nothing came.
    pub ttft_seconds: Option<f64>,
    /// Time to first visible token: the first arrival with which a character of the answer became text − t0, in seconds; lower is
    /// better. A token of which no character is certain yet shows a reader nothing. Undefined without text, and of trials
    /// stored before the characters of each arrival were kept.
    pub visible_ttft_seconds: Option<f64>,
    /// Templating and tokenizing the prompt: its end − t0, in seconds; lower is better. Undefined over HTTP, where it is the
    /// server's affair.
    pub tokenizing_seconds: Option<f64>,
    /// Forward pass over the prompt, the device synchronised, in seconds; lower is better. Undefined over HTTP, where
    /// the server does not tell.
    pub prefill_seconds: Option<f64>,
    /// P ÷ prefill time, in tokens per second; higher is better. Undefined where the prefill time is.
    pub prefill_tokens_per_second: Option<f64>,
    /// Time per output token: (last arrival − first arrival) ÷ (n − 1), in seconds; lower is better. The first token is
    /// excluded because prefill made it. Undefined for n < 2, and where n is not known.
    pub tpot_seconds: Option<f64>,
    /// Inter-token latency: the median of the gaps between two consecutive arrivals, in seconds; lower is better. Undefined
    /// where there are fewer gaps than a p50 takes ([`ITL_P50_GAPS`]), and where the longest gap is.
    pub itl_p50_seconds: Option<f64>,
    /// The 99th percentile of those gaps, in seconds; lower is better. Undefined where there are fewer gaps than a p99 takes
    /// ([`ITL_P99_GAPS`]): one answer seldom has so many, a suite's answers together do ([`gaps`]).
    pub itl_p99_seconds: Option<f64>,
    /// Longest gap between two consecutive arrivals, in seconds; lower is better. Undefined for n < 2, and where an arrival was more
    /// than one token, or nobody knows: gaps between chunks are another metric.
    pub itl_max_seconds: Option<f64>,
    /// 1 ÷ TPOT, in tokens per second; higher is better. Does not compare across tokenizers. Undefined for n < 2.
    pub decode_tokens_per_second: Option<f64>,
    /// (c − characters of the first arrival) ÷ (last arrival − first arrival): the speed that a reader sees, and the one that
    /// compares across tokenizers; higher is better. The first arrival's text took none of that time: with it, an answer of
    /// two tokens would read twice as fast as it is. Where the first arrival showed nothing yet (half a character, a space that
    /// is left out) and of trials stored before the characters of each arrival were kept, it counts with as many as an arrival
    /// has on average. Undefined for n < 2 and without text.
    pub characters_per_second: Option<f64>,
    /// c ÷ n: how much text one decode step makes; higher is better. Undefined for n = 0 and without text.
    pub characters_per_token: Option<f64>,
    /// End-to-end latency: last arrival − t0, in seconds; lower is better. Undefined if the trial failed or nothing came, and
    /// if the answer was cut because the context was full: that is no whole answer's.
    pub latency_seconds: Option<f64>,
    /// What the engine's text processing takes after the last token: the end of the request − last arrival, in seconds; lower
    /// is better. Undefined where latency is, and of trials stored before that end was kept.
    pub text_after_seconds: Option<f64>,
    /// Number of gaps between arrivals over [`STALL_SECONDS`]; lower is better. Undefined where those gaps are.
    pub stalls: Option<f64>,
    /// Energy of the whole card for the request, in joules; lower is better. Undefined on a CPU, where the driver does not
    /// tell, for a trial too short for what it tells ([`Energy`]), and for one that failed.
    pub energy_joules: Option<f64>,
    /// That ÷ n: what an output token costs, its share of the prompt included; lower is better. Undefined where that is, and
    /// for n = 0.
    pub energy_joules_per_token: Option<f64>,
    /// Model FLOPs utilization: operations of the prompt ÷ prefill time ÷ the device's peak for weights of that width
    /// ([`Ceiling`]), as a share; higher is better (Chowdhery et al. 2022, <https://arxiv.org/abs/2204.02311>, appendix B).
    /// Undefined without a ceiling, and where the prefill time is.
    pub mfu_share: Option<f64>,
    /// Model bandwidth utilization: bytes that a decode step reads at the mean context × decode rate ÷ the device's bandwidth
    /// ([`Ceiling`]), as a share; higher is better (Agarwal et al. 2023,
    /// <https://www.databricks.com/blog/llm-inference-performance-engineering-best-practices>). Undefined without a ceiling,
    /// and where the decode rate is.
    pub mbu_share: Option<f64>,
}

impl Measurement {
    /// Computes every number that is defined for the trial and without a [`Ceiling`]; never fails.
    pub fn of(trial: &Trial) -> Self {
        Self::under(trial, None)
    }

    /// … and those that are shares of what the device can do, where that is known.
    pub fn under(trial: &Trial, ceiling: Option<&Ceiling>) -> Self {
        let arrivals = &trial.timeline.arrivals_ns;
        let (first, last) = (arrivals.first().copied(), arrivals.last().copied());
        let n = trial.timeline.tokens().map(|tokens| tokens as f64);
        let completed = matches!(trial.outcome, Outcome::Completed { .. });
        let whole = completed && trial.outcome != Outcome::Completed { finish: FinishReason::Context };
        let characters = trial.text.as_ref().map(|text| text.chars().count() as f64);

        let prefill_seconds = span(trial.timeline.encoded_ns, trial.timeline.prefilled_ns);
        // One arrival of several tokens has no duration either.
        let decode_seconds = if arrivals.len() >= 2 { span(first, last) } else { None };
        let tpot_seconds = per(decode_seconds, n.map(|n| n - 1.0));
        let gaps = gaps(trial);
        let percentile = |share, needs| gaps.as_deref().and_then(|gaps| percentile(gaps, share, needs));
        let shown_first = trial.timeline.arrival_characters.as_ref().and_then(|counts| counts.first().copied());
        let first_characters = match shown_first.filter(|count| *count > 0) {
            Some(count) => Some(f64::from(count)),
            None => per(characters, Some(arrivals.len() as f64)),
        };
        let later_characters = characters.zip(first_characters).map(|(all, first)| (all - first).max(0.0));
        let visible = trial.timeline.arrival_characters.iter().flatten().position(|count| *count > 0);
        let energy_joules = Energy::of(trial).filter(|_| completed).map(|energy| energy.joules);

        let prefill_tokens_per_second = per(trial.prompt_tokens.map(f64::from), prefill_seconds);
        let decode_tokens_per_second = per(Some(1.0), tpot_seconds);

        Self {
            ttft_seconds: first.map(seconds),
            visible_ttft_seconds: visible.and_then(|index| arrivals.get(index).copied()).map(seconds),
            tokenizing_seconds: trial.timeline.encoded_ns.map(seconds),
            prefill_seconds,
            prefill_tokens_per_second,
            tpot_seconds,
            itl_p50_seconds: percentile(0.5, ITL_P50_GAPS),
            itl_p99_seconds: percentile(0.99, ITL_P99_GAPS),
            itl_max_seconds: gaps.as_ref().and_then(|gaps| gaps.iter().copied().max_by(f64::total_cmp)),
            decode_tokens_per_second,
            characters_per_second: per(later_characters, decode_seconds),
            characters_per_token: per(characters, n),
            latency_seconds: last.filter(|_| whole).map(seconds),
            text_after_seconds: span(last, trial.timeline.finished_ns).filter(|_| whole),
            energy_joules,
            energy_joules_per_token: per(energy_joules, n),
            mfu_share: ceiling.and_then(|ceiling| Some(ceiling.of_prefill(trial, positive(prefill_seconds)?)?.share())),
            mbu_share: ceiling.and_then(|ceiling| Some(ceiling.of_decode(trial, decode_tokens_per_second?)?.share())),
            stalls: gaps.map(|gaps| gaps.iter().filter(|gap| **gap > STALL_SECONDS).count() as f64),
        }
    }

    /// This trial's number of a metric, by the formula of its field. `None` where undefined, and for what no trial has
    /// ([`crate::metric::ONCE`]).
    pub fn get(&self, metric: &Metric) -> Option<f64> {
        match *metric {
            TTFT => self.ttft_seconds,
            VISIBLE_TTFT => self.visible_ttft_seconds,
            TOKENIZING => self.tokenizing_seconds,
            PREFILL_TIME => self.prefill_seconds,
            PREFILL => self.prefill_tokens_per_second,
            TPOT => self.tpot_seconds,
            ITL_P50 => self.itl_p50_seconds,
            ITL_P99 => self.itl_p99_seconds,
            ITL_MAX => self.itl_max_seconds,
            DECODE => self.decode_tokens_per_second,
            CHARACTERS => self.characters_per_second,
            CHARACTERS_PER_TOKEN => self.characters_per_token,
            LATENCY => self.latency_seconds,
            TEXT_AFTER => self.text_after_seconds,
            STALLS => self.stalls,
            ENERGY => self.energy_joules,
            ENERGY_PER_TOKEN => self.energy_joules_per_token,
            MFU => self.mfu_share,
            MBU => self.mbu_share,
            _ => None,
        }
    }
}

/// Gaps that a p50 of them needs, as many as of trials: [`crate::summarize::Percentile::needs`].
pub const ITL_P50_GAPS: usize = 11;
/// Likewise of a p99.
pub const ITL_P99_GAPS: usize = 662;

/// A trial's gaps between consecutive arrivals, in seconds. `None` where there are none, and where an arrival was more than one
/// token, or nobody knows. Arrivals that run backwards would be a recorder's mistake; a number made from them would hide it.
pub fn gaps(trial: &Trial) -> Option<Vec<f64>> {
    let pairs = trial.timeline.arrivals_ns.windows(2);
    let gaps: Vec<f64> = pairs.map(|pair| span(Some(pair[0]), Some(pair[1]))).collect::<Option<_>>()?;
    (!gaps.is_empty() && trial.timeline.is_token_by_token()).then_some(gaps)
}

/// A quantile of gaps of which there are enough.
pub fn percentile(gaps: &[f64], share: f64, needs: usize) -> Option<f64> {
    if gaps.len() < needs {
        return None;
    }
    let mut sorted = gaps.to_vec();
    sorted.sort_by(f64::total_cmp);
    quantile(&sorted, share)
}

fn seconds(nanoseconds: u64) -> f64 {
    nanoseconds as f64 / 1e9
}

/// Seconds between two instants; undefined if one is missing or they are in the wrong order.
fn span(from_ns: Option<u64>, to_ns: Option<u64>) -> Option<f64> {
    to_ns?.checked_sub(from_ns?).map(seconds)
}

/// A ratio; undefined where either side is, or where the divisor is zero.
fn per(amount: Option<f64>, divisor: Option<f64>) -> Option<f64> {
    Some(amount? / positive(divisor)?)
}

fn positive(value: Option<f64>) -> Option<f64> {
    value.filter(|value| *value > 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metric::METRICS;
    use crate::record::{FailureKind, FinishReason, GpuReading, Reading, Timeline, TrialKey};

    const MS: u64 = 1_000_000;

    fn trial(arrivals_ms: &[u64], text: Option<&str>) -> Trial {
        Trial {
            key: TrialKey {
                row: "a".into(),
                suite: "s".into(),
                language: None,
                prompt: "p".into(),
                repetition: 0,
                warmup: false,
            },
            seed: 0,
            started_at: jiff::Timestamp::UNIX_EPOCH,
            prompt_tokens: Some(100),
            timeline: Timeline {
                encoded_ns: Some(10 * MS),
                prefilled_ns: Some(60 * MS),
                arrivals_ns: arrivals_ms.iter().map(|ms| ms * MS).collect(),
                arrival_tokens: None,
                arrival_characters: None,
                finished_ns: None,
            },
            outcome: Outcome::Completed { finish: FinishReason::Stop },
            token_ids: Some(vec![0; arrivals_ms.len()]),
            text: text.map(String::from),
            readings: Vec::new(),
            repeated: None,
        }
    }

    fn close(actual: Option<f64>, expected: f64) {
        let actual = actual.unwrap_or_else(|| panic!("undefined, expected {expected}"));
        assert!((actual - expected).abs() < 1e-9, "{actual}, expected {expected}");
    }

    #[test]
    fn every_formula_on_four_tokens() {
        let measured = Measurement::of(&trial(&[100, 150, 400, 400], Some("안녕하세요!")));
        close(measured.ttft_seconds, 0.1);
        close(measured.prefill_seconds, 0.05);
        close(measured.prefill_tokens_per_second, 2000.0);
        close(measured.tpot_seconds, 0.1);
        close(measured.decode_tokens_per_second, 10.0);
        close(measured.itl_max_seconds, 0.25);
        close(measured.stalls, 1.0);
        close(measured.characters_per_second, 15.0);
        close(measured.characters_per_token, 1.5);
        close(measured.tokenizing_seconds, 0.01);
        close(measured.latency_seconds, 0.4);
    }

    #[test]
    fn energy_is_of_a_request_that_completed_and_shared_among_its_tokens() {
        let mut on_gpu = trial(&[100, 150, 400, 400], None);
        let reading = |(seconds, joules): (u64, u64)| Reading {
            at_ns: seconds * 1_000_000_000,
            gpu: Some(GpuReading { energy_millijoules: Some(joules * 1000), ..GpuReading::default() }),
            ..Reading::default()
        };
        on_gpu.readings = [(0, 500), (2, 620)].map(reading).into();
        let measured = Measurement::of(&on_gpu);
        close(measured.energy_joules, 120.0);
        close(measured.energy_joules_per_token, 30.0);
        on_gpu.outcome = Outcome::Failed { kind: FailureKind::Engine, message: "at token 4".into() };
        assert_eq!(Measurement::of(&on_gpu).energy_joules, None);
        assert_eq!(Measurement::of(&trial(&[100, 200], None)).energy_joules_per_token, None);
    }

    #[test]
    fn the_first_arrivals_text_is_not_read_in_the_time_after_it() {
        // Four characters with the first token and two with the second, 100 ms later: 20 a second, and not 60.
        let mut two = trial(&[100, 200], Some("안녕하세요!"));
        two.timeline.arrival_characters = Some(vec![4, 2]);
        close(Measurement::of(&two).characters_per_second, 20.0);
        // The first token shows nothing yet: three with each.
        two.timeline.arrival_characters = Some(vec![0, 6]);
        close(Measurement::of(&two).characters_per_second, 30.0);
        // Stored before that was kept: likewise.
        two.timeline.arrival_characters = None;
        close(Measurement::of(&two).characters_per_second, 30.0);
        let rates = Measurement::of(&two);
        close(rates.decode_tokens_per_second, 30.0 / rates.characters_per_token.unwrap());
    }

    #[test]
    fn a_reader_sees_the_first_token_of_which_a_character_is_certain() {
        let mut late = trial(&[100, 150, 200], Some("안"));
        late.timeline.arrival_characters = Some(vec![0, 0, 1]);
        late.timeline.finished_ns = Some(203 * MS);
        let measured = Measurement::of(&late);
        close(measured.ttft_seconds, 0.1);
        close(measured.visible_ttft_seconds, 0.2);
        close(measured.text_after_seconds, 0.003);
        late.timeline.arrival_characters = Some(vec![0, 0, 0]);
        assert_eq!(Measurement::of(&late).visible_ttft_seconds, None);
    }

    #[test]
    fn percentiles_of_gaps_take_as_many_gaps_as_of_trials() {
        use crate::summarize::Percentile;
        assert_eq!((ITL_P50_GAPS, ITL_P99_GAPS), (Percentile::P50.needs(), Percentile::P99.needs()));
        // Gaps of 1, 2, … 11 ms.
        let arrivals: Vec<u64> = (0..12).map(|index| 100 + index * (index + 1) / 2).collect();
        let measured = Measurement::of(&trial(&arrivals, None));
        close(measured.itl_p50_seconds, 0.006);
        assert_eq!(measured.itl_p99_seconds, None);
        assert_eq!(Measurement::of(&trial(&arrivals[1..], None)).itl_p50_seconds, None);
    }

    #[test]
    fn an_answer_that_was_cut_because_the_context_was_full_has_no_latency() {
        let mut cut = trial(&[100, 200], None);
        cut.outcome = Outcome::Completed { finish: FinishReason::Context };
        let measured = Measurement::of(&cut);
        assert_eq!((measured.latency_seconds, measured.text_after_seconds), (None, None));
        close(measured.ttft_seconds, 0.1);
    }

    #[test]
    fn tpot_excludes_the_first_token() {
        close(Measurement::of(&trial(&[5000, 5010], None)).tpot_seconds, 0.01);
    }

    #[test]
    fn one_token_has_no_decode_rate() {
        let measured = Measurement::of(&trial(&[100], Some("네")));
        close(measured.ttft_seconds, 0.1);
        close(measured.latency_seconds, 0.1);
        close(measured.characters_per_token, 1.0);
        for undefined in [
            measured.tpot_seconds,
            measured.decode_tokens_per_second,
            measured.characters_per_second,
            measured.itl_max_seconds,
            measured.stalls,
        ] {
            assert_eq!(undefined, None);
        }
    }

    #[test]
    fn nothing_that_came_is_not_zero() {
        let measured = Measurement::of(&trial(&[], Some("")));
        assert_eq!(measured.ttft_seconds, None);
        assert_eq!(measured.latency_seconds, None);
        assert_eq!(measured.characters_per_token, None);
    }

    #[test]
    fn characters_are_unknown_without_text() {
        let measured = Measurement::of(&trial(&[100, 200], None));
        assert_eq!(measured.characters_per_second, None);
        assert_eq!(measured.characters_per_token, None);
        close(measured.decode_tokens_per_second, 10.0);
    }

    #[test]
    fn a_failed_trial_keeps_what_it_had_determined() {
        let mut failed = trial(&[100, 200, 300], None);
        failed.outcome = Outcome::Failed { kind: FailureKind::Engine, message: "at token 4".into() };
        let measured = Measurement::of(&failed);
        close(measured.ttft_seconds, 0.1);
        close(measured.tpot_seconds, 0.1);
        assert_eq!(measured.latency_seconds, None);
    }

    #[test]
    fn prefill_is_unknown_where_the_engine_does_not_tell() {
        let mut over_http = trial(&[100, 200], None);
        over_http.timeline.encoded_ns = None;
        over_http.timeline.prefilled_ns = None;
        assert_eq!(Measurement::of(&over_http).prefill_tokens_per_second, None);
    }

    #[test]
    fn simultaneous_tokens_have_no_infinite_rate() {
        let measured = Measurement::of(&trial(&[100, 100], Some("ab")));
        close(measured.tpot_seconds, 0.0);
        assert_eq!(measured.decode_tokens_per_second, None);
        assert_eq!(measured.characters_per_second, None);
    }

    #[test]
    fn arrivals_out_of_order_give_no_gaps() {
        let measured = Measurement::of(&trial(&[300, 200], None));
        assert_eq!(measured.tpot_seconds, None);
        assert_eq!(measured.itl_max_seconds, None);
        assert_eq!(measured.stalls, None);
    }

    #[test]
    fn each_metric_of_a_trial_reads_the_field_of_its_key() {
        let all = Measurement {
            ttft_seconds: Some(0.0),
            visible_ttft_seconds: Some(1.0),
            tokenizing_seconds: Some(2.0),
            prefill_seconds: Some(3.0),
            prefill_tokens_per_second: Some(4.0),
            tpot_seconds: Some(5.0),
            itl_p50_seconds: Some(6.0),
            itl_p99_seconds: Some(7.0),
            itl_max_seconds: Some(8.0),
            decode_tokens_per_second: Some(9.0),
            characters_per_second: Some(10.0),
            characters_per_token: Some(11.0),
            latency_seconds: Some(12.0),
            text_after_seconds: Some(13.0),
            stalls: Some(14.0),
            energy_joules: Some(15.0),
            energy_joules_per_token: Some(16.0),
            mfu_share: Some(17.0),
            mbu_share: Some(18.0),
        };
        for (index, metric) in METRICS.iter().enumerate() {
            assert_eq!(all.get(metric), Some(index as f64), "{}", metric.key);
            assert_eq!(Measurement::default().get(metric), None, "{}", metric.key);
        }
    }
}
