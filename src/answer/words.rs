//! Notes as sentences, the same in every format.

use std::fmt;

use super::note::{Drifted, Kind, Note, Place, Reached, RequestLimit, Scarce, Subject, Took, WarmedUp};
use crate::measure::{EnergySource, other_programs};
use crate::recommend::Undecided;
use crate::summarize::{BrokenRule, ColdStart, Failed, MachineState, ReaderView};
use crate::units::{Bytes, Count, Known, Rate, Seconds, Share, UNKNOWN, counted};

/// The sentence after its row's name, if it is about one.
impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.subject {
            Subject::Run => self.kind.fmt(f),
            Subject::Row(row) => write!(f, "{row}: {}", self.kind),
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Kind::NotFinished => write!(f, "the run is not finished: the figures are of the trials so far"),
            Kind::Skipped { reason } => write!(f, "skipped, {reason}"),
            Kind::Failed { message, .. } => write!(f, "failed, {message}"),
            Kind::Pending => write!(f, "not run yet (`--resume` goes on)"),
            Kind::Unknown { reason } => write!(f, "precision, weights and memory are not known: {reason}"),
            Kind::FailedRequests { failed, measured, first } => {
                write!(f, "{failed} of {measured} requests failed, the first with: {first}")
            }
            Kind::JoinedPlainly { reason } => write!(
                f,
                "the texts of a prompt were joined plainly, {reason}; it may answer better in the form that it was trained on"
            ),
            Kind::SplitByDefault => f.write_str(
                "its file names no pre-tokenizer: texts were split by llama.cpp's default, and likely otherwise than in training",
            ),
            Kind::ContextFull { cut, of } => write!(
                f,
                "{cut} of {of} answers were cut because the context was full: their latency is in no figure, since they are \
                 not whole answers"
            ),
            Kind::FilesChanged { files } => write!(
                f,
                "its files changed while it ran ({}): neither its answers nor its figures are to be believed",
                files.join(", ")
            ),
            Kind::Impossible { device, figures } => write!(
                f,
                "impossible on {device}: {}; suspect the card's row in gpus.toml, the count of tokens, or the clock",
                listed(figures, "; ", ToString::to_string)
            ),
            Kind::OtherPrograms { programs, disturbed, trials, most_processors } => write!(
                f,
                "{} were busy on this machine during {disturbed} of {trials} trials, on up to {most_processors:.1} \
                 processors: run again when it is quiet",
                other_programs(programs)
            ),
            Kind::Stopped { trials, of, longest_seconds } => write!(
                f,
                "bench itself did not run for up to {} during {trials} of {of} trials (stopped, suspended, or held by a \
                 debugger): their times are not the candidate's, run again",
                Seconds(*longest_seconds)
            ),
            Kind::StoppedRepeated { trials, of } => {
                write!(f, "run a second time, because bench was stopped during the first: {trials} of {of} trials")
            }
            Kind::Throttled { trials, of, seconds } => write!(
                f,
                "a processor quota held bench back for {} during {trials} of {of} trials: these are the speeds of the quota \
                 (cpu.max of its control group); lift it, or give bench as many --threads as it allows processors",
                Seconds(*seconds)
            ),
            Kind::NotSteady { suites } => {
                let suites =
                    listed(suites, ", ", |WarmedUp { suite, trials }| format!("{suite} in {trials} warm-up trials"));
                write!(
                    f,
                    "did not become steady ({suites}): its figures may be those of a machine that was still settling"
                )
            }
            Kind::PrecisionNotReached { precision, rounds, most_rounds, figures } => write!(
                f,
                "±{} was not reached in {}: {}",
                percent(*precision),
                in_rounds(*rounds, *most_rounds),
                listed(figures, ", ", reached)
            ),
            Kind::TooShort { seconds, rounds, most_rounds, suites } => write!(
                f,
                "{} were not reached in {}: {}",
                Seconds(*seconds),
                in_rounds(*rounds, *most_rounds),
                listed(suites, ", ", |Took { suite, seconds }| format!("{suite} {}", Seconds(*seconds)))
            ),
            Kind::Drift { figures } => write!(f, "over the run {}", listed(figures, ", ", drifted)),
            Kind::Outliers { figures } => {
                let of = |figure: &super::note::Outlying| {
                    format!("{} of {} in {}", figure.outliers, figure.of, place(&figure.place))
                };
                write!(f, "outliers, kept in all figures: {}", listed(figures, ", ", of))
            }
            Kind::GpuHot { trials, of } => write!(
                f,
                "the GPU was slowed down by heat during {trials} of {of} trials: see to its cooling, and run again"
            ),
            Kind::GpuShared { trials, of } => {
                write!(f, "another process was on the GPU during {trials} of {of} trials: run again when it is alone")
            }
            Kind::GpuRepeated { trials, of } => {
                write!(f, "run a second time, for heat or another process in the first: {trials} of {of} trials")
            }
            Kind::GpuPowerCapped { trials, of, limit_watts } => {
                let limit = limit_watts.map(|limit| format!(" of {limit:.0} W")).unwrap_or_default();
                write!(f, "the power limit{limit} held the GPU's clocks down during {trials} of {of} trials")
            }
            Kind::GpuState(state) => gpu_state(state, f),
            Kind::GpuEnergy { sources, idle_watts } => {
                let way = |source: &EnergySource| match source {
                    EnergySource::Counter => "by its own counter".to_owned(),
                    EnergySource::Integrated => "integrated from its power".to_owned(),
                };
                let idle = idle_watts.map_or(UNKNOWN.to_owned(), |power| format!("{power:.1} W"));
                let ways = listed(sources, " or ", way);
                write!(f, "energy: of the whole card, {ways}; before a load it draws {idle}")
            }
            Kind::RandomWeights { .. } => write!(f, "random weights at the model's real shape"),
            Kind::EstimatedMemory { .. } => write!(f, "estimated from the shape, not measured"),
            Kind::NotToldApart { .. } => {
                write!(f, "not told apart from the best of its column: their 95 % intervals overlap")
            }
            Kind::TooFewPrompts { figure, needs, there_are } => write!(
                f,
                "{} needs {} ({needs} in all); asking one again adds none",
                scarce(*figure),
                counted(needs.saturating_sub(*there_are), "more prompt")
            ),
            Kind::TooFewTrials { figure, needs, there_are, repeat, gives } => {
                let what = scarce(*figure);
                write!(f, "{what} needs {needs} requests and there are {there_are}: `--repeat {repeat}` gives {gives}")
            }
            Kind::WithinLimits { limits } => {
                write!(f, "within limits: share of requests with {}", listed(limits, " and ", limit))
            }
            Kind::ColdStart(cold) => cold_start(cold, f),
            Kind::Capacity { device, capacity } => write!(
                f,
                "capacity: {device} holds {} chats of {} tokens, their cache in 16 bits, beside the {} of its weights",
                Count(capacity.most_chats),
                Count(capacity.context_tokens),
                Bytes(capacity.weights_bytes)
            ),
            Kind::UndecidedFloor(undecided) => {
                let Undecided { of, required, rate, more, .. } = undecided;
                write!(f, "{of} {rate} does not decide on at least {}: undecided", Share(*required))?;
                more.iter().try_for_each(|more| write!(f, ", {} more prompts would decide", Count(*more as u64)))
            }
            Kind::OtherLanguage { language, answers, of } => {
                write!(f, "{answers} of {of} answers are not {}", language.name())
            }
            Kind::Reader { language, view } => {
                let ReaderView { pace, answers, first_sentence_seconds, waiting_share, stalls } = view;
                let first =
                    first_sentence_seconds.map(|at| format!("the first sentence is there after {}, ", Seconds(at)));
                write!(
                    f,
                    "{}a reader of {} {} characters a second waits for {} of the stream, {} over 200 ms in {}",
                    first.unwrap_or_default(),
                    Rate(*pace),
                    language.name(),
                    Known(waiting_share.map(Share)),
                    counted(*stalls, "stall"),
                    counted(*answers, "answer")
                )
            }
            Kind::FailedAnswers { failed, of, shown } => {
                write!(f, "{failed} of {of} answers fail: {}", listed(shown, "; ", failed_answer))?;
                if failed > &shown.len() { write!(f, "; …") } else { Ok(()) }
            }
            Kind::Flag(flag) => flag.fmt(f),
        }
    }
}

fn listed<T>(items: &[T], between: &str, said: impl Fn(&T) -> String) -> String {
    items.iter().map(said).collect::<Vec<_>>().join(between)
}

/// `decode of pp128+tg64`
fn place(Place { metric, prompt }: &Place) -> String {
    format!("{} of {prompt}", metric.label)
}

fn reached(figure: &Reached) -> String {
    match figure.precision {
        Some(precision) => format!("{} ±{}", place(&figure.place), percent(precision)),
        None => format!("{} has no interval", place(&figure.place)),
    }
}

fn drifted(figure: &Drifted) -> String {
    let way = if figure.change > 0.0 { "rose" } else { "fell" };
    let (by, low, high) = (percent(figure.change.abs()), 100.0 * figure.interval.low, 100.0 * figure.interval.high);
    format!("{} {way} by {by} (95 % interval {low:+.1} … {high:+.1} %)", place(&figure.place))
}

fn limit(RequestLimit { metric, limit }: &RequestLimit) -> String {
    format!("{} {} {}", metric.label, metric.direction.bound(), metric.unit.show_in_text(*limit))
}

fn scarce(figure: Scarce) -> &'static str {
    match figure {
        Scarce::P50 => "p50",
        Scarce::P95 => "p95",
        Scarce::Interval => "an interval",
    }
}

fn in_rounds(rounds: u32, most: u32) -> String {
    format!("{rounds} rounds (`--max-repeat {most}`)")
}

/// `4.10 %`
fn percent(share: f64) -> String {
    format!("{} %", Rate(100.0 * share))
}

fn gpu_state(state: &MachineState, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let whole = |value: Option<f64>, unit: &str| value.map(|value| format!("{value:.0} {unit}"));
    let medians = [
        state.gpu_watts.map(|watts| format!("{watts:.1} W")),
        whole(state.gpu_sm_megahertz, "MHz SM clock"),
        whole(state.gpu_memory_megahertz, "MHz memory clock"),
        whole(state.gpu_utilization_percent, "% busy"),
    ];
    let medians: Vec<String> = medians.into_iter().flatten().collect();
    let hottest = state.gpu_celsius.map(|heat| format!("; {heat} °C at the hottest")).unwrap_or_default();
    write!(f, "the GPU meanwhile, medians: {}{hottest}", medians.join(", "))
}

/// Shares of the checkpoint that count as none and as all of it: some pages of a file are always in memory, or read again.
const NONE: f64 = 0.05;
const ALL: f64 = 0.95;

/// What a service that loads at the first request makes its first user wait, and what loading beforehand saves.
fn cold_start(cold: &ColdStart, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let source = match cold.from_disk {
        None => String::new(),
        Some(share) if share < NONE => " with the file in the page cache".to_owned(),
        Some(share) if share > ALL => " from disk".to_owned(),
        Some(share) => format!(" with {} of the file from disk", Share(share)),
    };
    let tenth = cold.tenth_ttft_seconds.map(|tenth| format!(" ({} at the tenth request)", Seconds(tenth)));
    write!(
        f,
        "cold start: loaded at the first request, it makes its first user wait {} ({} to load{source}, {} to the first \
         token); loaded beforehand {}{}: preloading saves {}{}",
        Seconds(cold.lazy_seconds()),
        Seconds(cold.load_seconds),
        Seconds(cold.first_ttft_seconds),
        Seconds(cold.later_ttft_seconds),
        tenth.unwrap_or_default(),
        Seconds(cold.saved_seconds()),
        parts_of_load(cold)
    )
}

/// What the load was made of, as far as that is known.
fn parts_of_load(cold: &ColdStart) -> String {
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

/// `review-analysis ko delivery: echo, 62 % of the letters are the prompt's (“뜨끈한 국밥”)`.
fn failed_answer(failed: &Failed) -> String {
    let language = failed.language.map(|language| format!(" {}", language.tag())).unwrap_or_default();
    let broken = |broken: &BrokenRule| {
        let place = broken.place.as_ref().map(|place| format!(" (“{}”)", place.replace('\n', " "))).unwrap_or_default();
        format!("{}, {}{place}", broken.rule, broken.reason)
    };
    let broken: Vec<String> = failed.broken.iter().take(1).map(broken).collect();
    format!("{}{language} {}: {}", failed.suite, failed.prompt, broken.join(", "))
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
        let said = Kind::ColdStart(cold).to_string();
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
        let said = |from_disk| Kind::ColdStart(ColdStart { from_disk, ..COLD }).to_string();
        assert_eq!(
            said(Some(1.0)),
            "cold start: loaded at the first request, it makes its first user wait 12.5 s (10.0 s to load from \
             disk, 2.50 s to the first token); loaded beforehand 2.00 s: preloading saves 10.5 s"
        );
        assert!(said(Some(0.0)).contains("10.0 s to load with the file in the page cache, 2.50 s"));
        assert!(said(Some(0.4)).contains("10.0 s to load with 40 % of the file from disk, 2.50 s"));
        assert!(said(None).contains("10.0 s to load, 2.50 s"));
    }
}
