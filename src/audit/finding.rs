//! A finding: what is to be said of one row of a table.

use serde::Serialize;

use super::precision;
use super::table::Claim;
use crate::hardware::GpuSpec;
use crate::plan::{Demand, Layout, Resource, Shape};
use crate::units::{Change, Rate};

/// Largest difference between stated memory and the weights of a layout at which the memory counts as those weights: what the
/// counted weights of published rows differ by, rounded up.
pub const MEMORY_TOLERANCE: f64 = 0.06;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The speed that the row states does not exceed the hardware.
    Possible,
    /// The card cannot have done that.
    Impossible,
    /// The weights alone take more memory than the row states, in the precision that it states or in any.
    MemoryDoesNotMatch,
    UnknownModel,
    /// The row has no speed that could be judged; its memory, where it states one, fits.
    NoSpeed,
    /// The row has no figure.
    NothingStated,
}

/// What is to be said of a row. `None` is not stated, or cannot be told.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Finding {
    pub model: String,
    pub verdict: Verdict,
    pub tokens_per_second: Option<f64>,
    pub memory_bytes: Option<f64>,
    /// As the row states it.
    pub stated_precision: Option<String>,
    /// What it was judged as: as stated, or what its memory tells, the nearest first.
    pub precision: Option<String>,
    /// All that it can have been. Empty where that cannot be told.
    #[serde(skip)]
    pub possible: Vec<Layout>,
    /// Of the weights in the first of them.
    pub weights_bytes: Option<u64>,
    /// Bytes a second that the stated speed needs at least: tokens/s × the weights that each reads.
    pub needed_bandwidth: Option<f64>,
    /// That, as a share of the card's.
    pub bandwidth_share: Option<f64>,
    pub reason: String,
}

/// A layout of the row's model.
#[derive(Debug, Clone, Copy)]
struct Candidate {
    layout: Layout,
    weights: f64,
    /// Of them, what a token reads.
    read: f64,
}

/// Judges a row about a model of a known shape; `None` for a name that nothing is known by.
pub fn judge(claim: &Claim, shape: Option<&Shape>, gpu: &GpuSpec) -> Finding {
    let Some(shape) = shape else {
        return finding(claim, Verdict::UnknownModel, "no shape is known by this name; --shape gives one".into());
    };
    let candidate = |layout: &Layout| {
        let work = shape.work(Some(*layout));
        Candidate { layout: *layout, weights: work.weights_bytes as f64, read: work.least_weights_bytes() }
    };
    let stated = claim.precision.as_deref().and_then(precision::layouts);
    let known = stated.is_some();
    let candidates: Vec<Candidate> = stated.as_deref().unwrap_or(&Layout::ALL).iter().map(candidate).collect();
    let mut finding = match claim.memory_bytes {
        Some(memory) => by_memory(claim, memory, known, &candidates, gpu),
        None => by_speed(claim, known, &candidates, gpu),
    };
    if let (Some(word), false) = (&claim.precision, known) {
        finding.reason = format!("`{word}` is no precision that is known; {}", finding.reason);
    }
    if !claim.unread.is_empty() {
        finding.reason = format!("{}; {}", claim.unread.join("; "), finding.reason);
    }
    finding
}

fn by_memory(claim: &Claim, memory: f64, known: bool, candidates: &[Candidate], gpu: &GpuSpec) -> Finding {
    let fitting: Vec<Candidate> =
        candidates.iter().copied().filter(|other| other.weights <= memory * (1.0 + MEMORY_TOLERANCE)).collect();
    let Some(smallest) = least(&fitting) else {
        let smallest = least(candidates);
        let reason = smallest.map_or_else(String::new, |smallest| {
            let in_any = if known { "" } else { ", the smallest layout" };
            let (layout, weights) = (smallest.layout, gb(smallest.weights));
            format!("the weights alone take {weights} in {layout}{in_any}, and it states {}", gb(memory))
        });
        return Finding {
            weights_bytes: smallest.map(|smallest| smallest.weights as u64),
            ..finding(claim, Verdict::MemoryDoesNotMatch, reason)
        };
    };
    if memory > gpu.memory_bytes() as f64 {
        let reason = format!("states {}, the card has {}", gb(memory), gb(gpu.memory_bytes() as f64));
        return finding(claim, Verdict::Impossible, reason);
    }
    // Memory beyond the weights may be cache that was reserved beforehand, so only a match tells the precision.
    let difference = |other: &Candidate| other.weights / memory - 1.0;
    let mut matching: Vec<Candidate> =
        fitting.iter().copied().filter(|other| difference(other).abs() <= MEMORY_TOLERANCE).collect();
    matching.sort_by(|a, b| difference(a).abs().total_cmp(&difference(b).abs()));
    if !matching.is_empty() {
        let told = |other: &Candidate| format!("{} ({})", other.layout, Change(difference(other)));
        let told: Vec<String> = matching.iter().map(told).collect();
        let told = format!("its {} are the weights in {}; ", gb(memory), told.join(" or "));
        return with_speed(claim, &matching, gpu, if known { "" } else { &told });
    }
    if known {
        return with_speed(claim, &fitting, gpu, "");
    }
    let told = format!("its {} tell no precision: judged as {}, the smallest; ", gb(memory), smallest.layout);
    Finding { possible: Vec::new(), ..with_speed(claim, &[smallest], gpu, &told) }
}

fn by_speed(claim: &Claim, known: bool, candidates: &[Candidate], gpu: &GpuSpec) -> Finding {
    let Some(smallest) = least(candidates) else {
        return finding(claim, Verdict::NothingStated, "states nothing".into());
    };
    let (weights, usable) = (smallest.weights, gpu.memory_bytes() as f64);
    let too_large =
        format!("its weights take {} in {} at least, and the card has {}", gb(weights), smallest.layout, gb(usable));
    match claim.tokens_per_second {
        None if weights > usable => finding(claim, Verdict::NothingStated, format!("no figures; {too_large}")),
        None => finding(claim, Verdict::NothingStated, "no figures".into()),
        Some(_) if weights > usable => finding(claim, Verdict::Impossible, too_large),
        Some(_) => {
            if known {
                return with_speed(claim, candidates, gpu, "");
            }
            let told = format!("judged as {}, the smallest; ", smallest.layout);
            Finding { possible: Vec::new(), ..with_speed(claim, &[smallest], gpu, &told) }
        }
    }
}

/// Judges the speed, at the one of the layouts that reads least.
fn with_speed(claim: &Claim, judged: &[Candidate], gpu: &GpuSpec, told: &str) -> Finding {
    let demand = claim.tokens_per_second.zip(least(judged)).map(|(rate, least)| Demand {
        resource: Resource::Bandwidth,
        needed_per_second: rate * least.read,
        peak_per_second: gpu.bandwidth(),
    });
    let verdict = match demand {
        None => Verdict::NoSpeed,
        Some(demand) if demand.is_impossible() => Verdict::Impossible,
        Some(_) => Verdict::Possible,
    };
    let reason = demand.map_or(format!("{told}states no speed"), |demand| format!("{told}{demand}"));
    let names: Vec<&str> = judged.iter().map(|other| other.layout.name()).collect();
    Finding {
        precision: Some(names.join(" or ")),
        possible: judged.iter().map(|other| other.layout).collect(),
        weights_bytes: judged.first().map(|first| first.weights as u64),
        needed_bandwidth: demand.map(|demand| demand.needed_per_second),
        bandwidth_share: demand.map(Demand::share),
        ..finding(claim, verdict, reason)
    }
}

fn finding(claim: &Claim, verdict: Verdict, reason: String) -> Finding {
    Finding {
        model: claim.model.clone(),
        verdict,
        tokens_per_second: claim.tokens_per_second,
        memory_bytes: claim.memory_bytes,
        stated_precision: claim.precision.clone(),
        precision: None,
        possible: Vec::new(),
        weights_bytes: None,
        needed_bandwidth: None,
        bandwidth_share: None,
        reason,
    }
}

/// The one that reads least.
fn least(candidates: &[Candidate]) -> Option<Candidate> {
    candidates.iter().copied().min_by(|a, b| a.read.total_cmp(&b.read))
}

/// In 10⁹ bytes, as the tables that are judged count.
fn gb(bytes: f64) -> String {
    format!("{} GB", Rate(bytes / 1e9))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hardware::Gpus;
    use crate::spec::shipped_shape;

    fn on_l4(repository: &str, precision: Option<&str>, rate: Option<f64>, memory_gb: Option<f64>) -> Finding {
        let claim = Claim {
            model: "a".into(),
            repository: None,
            precision: precision.map(str::to_owned),
            tokens_per_second: rate,
            memory_bytes: memory_gb.map(|gb| gb * 1e9),
            unread: Vec::new(),
        };
        let shape = Shape::new(&shipped_shape(repository).unwrap(), None).unwrap();
        judge(&claim, Some(&shape), Gpus::shipped().unwrap().find("l4").unwrap())
    }

    const LLAMA: &str = "kfkas/Llama-2-ko-7b-Chat";
    const QWEN: &str = "Qwen/Qwen2.5-7B-Instruct";

    #[test]
    fn a_speed_that_needs_more_bandwidth_than_there_is_is_impossible() {
        // 13.71 GB without the table of 46336 × 4096 × 2 bytes: 13.33 GB, of which 300 GB/s are 22.5 a second.
        let of = |rate| on_l4(LLAMA, Some("fp16"), Some(rate), None);
        assert_eq!((of(22.0).verdict, of(23.0).verdict), (Verdict::Possible, Verdict::Impossible));
        assert_eq!(of(27.11).reason, "needs 361 GB/s, 1.20 times the card's 300");
    }

    #[test]
    fn memory_that_matches_tells_the_precision() {
        let finding = on_l4(LLAMA, None, Some(27.11), Some(13.72));
        assert_eq!((finding.verdict, finding.precision.as_deref()), (Verdict::Impossible, Some("bf16 or f16")));
        let told = "its 13.7 GB are the weights in bf16 (-0.1 %) or f16 (-0.1 %); ";
        assert!(finding.reason.starts_with(told), "{}", finding.reason);
        // Where two layouts take as much, it can have been either.
        let four_bits = on_l4(QWEN, None, Some(18.68), Some(5.565));
        assert_eq!((four_bits.verdict, four_bits.precision.as_deref()), (Verdict::Possible, Some("q5_k or nf4")));
    }

    #[test]
    fn memory_that_may_be_reserved_tells_nothing_and_the_row_gets_the_benefit() {
        // 20 GB are no weights of this model; at 4 bits 27 tokens/s need no 120 GB/s.
        let reserved = on_l4(LLAMA, None, Some(27.11), Some(20.0));
        assert_eq!((reserved.verdict, reserved.precision.as_deref()), (Verdict::Possible, Some("q4_k")));
        assert!(reserved.reason.contains("tell no precision"), "{}", reserved.reason);
    }

    #[test]
    fn less_memory_than_the_weights_take_does_not_match() {
        let stated = on_l4(QWEN, Some("bf16"), Some(10.0), Some(5.5));
        assert_eq!(stated.verdict, Verdict::MemoryDoesNotMatch);
        assert_eq!(stated.reason, "the weights alone take 15.2 GB in bf16, and it states 5.50 GB");
        let any = on_l4(QWEN, None, None, Some(1.0));
        assert_eq!(any.verdict, Verdict::MemoryDoesNotMatch);
    }

    #[test]
    fn a_row_without_a_speed_is_not_called_possible() {
        let fits = on_l4(QWEN, None, None, Some(5.565));
        assert_eq!(fits.verdict, Verdict::NoSpeed);
        assert!(fits.reason.ends_with("states no speed"), "{}", fits.reason);
    }

    #[test]
    fn more_memory_than_the_card_has_is_impossible() {
        assert_eq!(on_l4(QWEN, None, None, Some(30.0)).verdict, Verdict::Impossible);
        assert_eq!(on_l4("beomi/KoAlpaca-Polyglot-12.8B", Some("bf16"), Some(1.0), None).verdict, Verdict::Impossible);
    }

    #[test]
    fn a_row_without_figures_is_told_why_it_may_be_so() {
        let large = on_l4("deepseek-ai/DeepSeek-V2-Chat", None, None, None);
        assert_eq!(large.verdict, Verdict::NothingStated);
        assert!(large.reason.contains("and the card has 24.2 GB"), "{}", large.reason);
        assert_eq!(on_l4(QWEN, None, None, None).reason, "no figures");
    }

    #[test]
    fn a_mixture_of_experts_is_judged_by_those_that_a_token_passes() {
        // 15.7B in 4 bits are 8.8 GB; a token reads some 1.5 of them.
        let lite = on_l4("deepseek-ai/DeepSeek-V2-Lite-Chat", Some("nf4"), Some(100.0), None);
        assert_eq!(lite.verdict, Verdict::Possible);
    }
}
