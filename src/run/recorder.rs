//! The recorder: stamps what an engine tells, and keeps it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::clock::Clock;
use crate::engine::Observer;
use crate::record::Timeline;

/// Keeps one trial's timeline. It reads the clock as its first act in each call, and allocates nothing while tokens
/// arrive as long as their number stays within what was announced and `MOST_ANNOUNCED`.
pub struct Recorder<'a, C> {
    clock: &'a C,
    start: Duration,
    cancel: &'a AtomicBool,
    on_token: &'a mut dyn FnMut(usize),
    on_text: &'a mut dyn FnMut(&str),
    /// What arrived so far.
    pub timeline: Timeline,
    /// `None` once something came whose ids are not known.
    pub token_ids: Option<Vec<u32>>,
    /// Tokens of the prompt; `None` before it is encoded.
    pub prompt_tokens: Option<u32>,
    /// Text as it came, kept so that a failed trial still has what the user would have seen.
    pub text: String,
    /// Tokens so far; an arrival that nobody counted is taken for one, which only a progress bar sees.
    done: usize,
}

/// Room is made beforehand for at most so many tokens: a limit may be any number, the longest answers are this long.
const MOST_ANNOUNCED: usize = 1 << 17;

impl<'a, C: Clock> Recorder<'a, C> {
    /// Starts the request's time, t0, now. `expected` is the most tokens that may come; `on_token` is told how many came.
    pub fn start(
        clock: &'a C,
        expected: usize,
        cancel: &'a AtomicBool,
        on_token: &'a mut dyn FnMut(usize),
        on_text: &'a mut dyn FnMut(&str),
    ) -> Self {
        let expected = expected.min(MOST_ANNOUNCED);
        let timeline = Timeline {
            arrivals_ns: Vec::with_capacity(expected),
            arrival_characters: Some(Vec::with_capacity(expected)),
            ..Timeline::default()
        };
        let token_ids = Some(Vec::with_capacity(expected));
        let text = String::new();
        let start = clock.now();
        Self { clock, start, cancel, on_token, on_text, timeline, token_ids, prompt_tokens: None, text, done: 0 }
    }

    /// The engine is done with the request.
    pub fn finished(&mut self) {
        self.timeline.finished_ns = Some(self.since_start());
    }

    fn arrived(&mut self, at: u64) {
        self.timeline.arrivals_ns.push(at);
        if let Some(characters) = &mut self.timeline.arrival_characters {
            characters.push(0);
        }
    }

    fn since_start(&self) -> u64 {
        (self.clock.now() - self.start).as_nanos() as u64
    }
}

impl<C: Clock> Observer for Recorder<'_, C> {
    fn encoded(&mut self, prompt_tokens: usize) {
        self.timeline.encoded_ns = Some(self.since_start());
        self.prompt_tokens = u32::try_from(prompt_tokens).ok();
    }

    fn prefilled(&mut self) {
        self.timeline.prefilled_ns = Some(self.since_start());
    }

    fn token(&mut self, id: u32) {
        let at = self.since_start();
        self.arrived(at);
        if let Some(counts) = &mut self.timeline.arrival_tokens {
            counts.push(Some(1));
        }
        if let Some(ids) = &mut self.token_ids {
            ids.push(id);
        }
        self.done += 1;
        (self.on_token)(self.done);
    }

    fn tokens(&mut self, count: Option<u32>) {
        let at = self.since_start();
        let before = self.timeline.arrivals_ns.len();
        self.arrived(at);
        self.timeline.arrival_tokens.get_or_insert_with(|| vec![Some(1); before]).push(count);
        self.token_ids = None;
        self.done += count.unwrap_or(1) as usize;
        (self.on_token)(self.done);
    }

    fn text(&mut self, piece: &str) {
        self.text.push_str(piece);
        if let Some(last) = self.timeline.arrival_characters.as_mut().and_then(|characters| characters.last_mut()) {
            *last += piece.chars().count() as u32;
        }
        (self.on_text)(piece);
    }

    fn cancelled(&self) -> bool {
        self.cancel.load(Ordering::Relaxed)
    }
}
