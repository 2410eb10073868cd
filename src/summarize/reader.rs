//! The reader's view: what a person who reads along sees of a stream.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::catalog::Requirements;
use crate::measure::STALL_SECONDS;
use crate::quality::first_sentence;
use crate::quantile::median;
use crate::record::{FinishReason, Outcome, Phase, Row, Trial};
use crate::suite::Language;

/// What a reader sees of a row's answers to prompts in one language.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ReaderView {
    /// Characters a second that the reader takes in: stated by the requirements, or [`Language::reading_pace`].
    pub pace: f64,
    /// Answers of which it is known when each character was shown.
    pub answers: usize,
    /// Median over them of the time until a first sentence is there as a whole, in seconds; lower is better. `None` where no answer
    /// has one.
    pub first_sentence_seconds: Option<f64>,
    /// Share of the time from the first character to the last in which the reader has read all that is there and waits, 0 to 1, over
    /// all answers; lower is better. `None` where nothing was streamed.
    pub waiting_share: Option<f64>,
    /// Gaps of over [`STALL_SECONDS`] in which nothing new was to be seen.
    pub stalls: usize,
}

/// Of each language that a row was asked in and whose text came with times.
pub(super) fn views(row: &Row, requirements: &Requirements) -> BTreeMap<Language, ReaderView> {
    let of_language = |language: Language| {
        let measured = row.trials.iter().filter(|trial| trial.key.phase() == Phase::Measured);
        let streams: Vec<Stream> =
            measured.filter(|trial| trial.key.language == Some(language)).filter_map(Stream::of).collect();
        let pace = requirements.reading_pace(language);
        let firsts: Vec<f64> = streams.iter().filter_map(|stream| stream.first_sentence_seconds).collect();
        let (waiting, streamed) = streams.iter().map(|stream| stream.waiting(pace)).fold((0.0, 0.0), |sum, of| {
            let (waiting, streamed): (f64, f64) = sum;
            (waiting + of.0, streamed + of.1)
        });
        (!streams.is_empty()).then(|| ReaderView {
            pace,
            answers: streams.len(),
            first_sentence_seconds: median(&firsts),
            waiting_share: (streamed > 0.0).then(|| waiting / streamed),
            stalls: streams.iter().map(Stream::stalls).sum(),
        })
    };
    Language::ALL.into_iter().filter_map(|language| Some((language, of_language(language)?))).collect()
}

/// When how much of an answer was there.
struct Stream {
    /// Seconds since the request, and characters shown by then; only arrivals that showed something.
    shown: Vec<(f64, u64)>,
    first_sentence_seconds: Option<f64>,
}

impl Stream {
    /// `None` of a request that failed, and of one whose arrivals' characters are not known.
    fn of(trial: &Trial) -> Option<Self> {
        let Outcome::Completed { finish } = trial.outcome else { return None };
        let counts = trial.timeline.arrival_characters.as_ref()?;
        let mut total = 0;
        let arrivals = trial.timeline.arrivals_ns.iter().zip(counts).filter(|(_, count)| **count > 0);
        let shown: Vec<(f64, u64)> = arrivals
            .map(|(at, count)| {
                total += u64::from(*count);
                (*at as f64 / 1e9, total)
            })
            .collect();
        // An answer that was cut has not said its last sentence.
        let sentence = first_sentence(trial.text.as_deref()?, finish == FinishReason::Stop);
        let needed = sentence.and_then(|characters| u64::try_from(characters).ok());
        let first_sentence_seconds =
            needed.and_then(|needed| shown.iter().find(|(_, total)| *total >= needed)).map(|(at, _)| *at);
        (!shown.is_empty()).then_some(Self { shown, first_sentence_seconds })
    }

    /// Seconds in which a reader of this pace waits, and those from the first character to the last.
    fn waiting(&self, pace: f64) -> (f64, f64) {
        let (mut read, mut waiting) = (0.0, 0.0);
        for pair in self.shown.windows(2) {
            let [(from, total), (to, _)] = [pair[0], pair[1]];
            let time = (to - from).max(0.0);
            let needed = (total as f64 - read) / pace;
            if needed < time {
                waiting += time - needed;
                read = total as f64;
            } else {
                read += time * pace;
            }
        }
        let ends = self.shown.first().zip(self.shown.last());
        (waiting, ends.map_or(0.0, |((first, _), (last, _))| (last - first).max(0.0)))
    }

    fn stalls(&self) -> usize {
        self.shown.windows(2).filter(|pair| pair[1].0 - pair[0].0 > STALL_SECONDS).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::summarize::testing::{ran, text_trial};

    /// An answer whose characters came so many at so many milliseconds.
    fn streamed(text: &str, arrivals: &[(u64, u32)]) -> Trial {
        let mut trial = text_trial(0, 0, arrivals.len() as u64, text);
        trial.timeline.arrivals_ns = arrivals.iter().map(|(at, _)| at * 1_000_000).collect();
        trial.timeline.arrival_characters = Some(arrivals.iter().map(|(_, count)| *count).collect());
        trial
    }

    fn view(trial: Trial) -> ReaderView {
        let requirements = Requirements { korean_reading_pace: Some(10.0), ..Requirements::default() };
        views(&ran("a", vec![trial]), &requirements).remove(&Language::Ko).expect("a Korean answer")
    }

    #[test]
    fn a_reader_waits_for_what_is_not_there_yet() {
        // Five characters take half a second to read; the next come after a whole one: half of the time is waiting.
        let slow = view(streamed("안녕하세요반갑습니다", &[(1000, 5), (2000, 5)]));
        assert_eq!((slow.waiting_share, slow.stalls), (Some(0.5), 1));
        // Twenty a second are more than a reader of ten takes in.
        let fast = view(streamed("안녕하세요반갑습니다", &[(1000, 5), (1100, 2), (1200, 3)]));
        assert_eq!((fast.waiting_share, fast.stalls), (Some(0.0), 0));
    }

    #[test]
    fn what_was_not_read_yet_is_read_while_nothing_comes() {
        // After 0.5 s five of the eight characters are read; the other three last 0.3 s of the next 0.5 s.
        let view = view(streamed("안녕하세요반갑습니다", &[(0, 8), (500, 0), (1000, 2)]));
        assert!((view.waiting_share.unwrap() - 0.2).abs() < 1e-9, "{view:?}");
    }

    #[test]
    fn the_first_sentence_is_there_when_its_last_character_is() {
        let view = view(streamed("네. 맞아요.", &[(100, 1), (200, 1), (300, 5)]));
        assert_eq!(view.first_sentence_seconds, Some(0.2));
    }

    #[test]
    fn nothing_is_known_where_characters_have_no_times() {
        assert_eq!(views(&ran("a", vec![text_trial(200, 100, 5, "안녕")]), &Requirements::default()).len(), 0);
    }
}
