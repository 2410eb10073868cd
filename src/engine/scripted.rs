//! The scripted engine: what it answers, when, and how it fails stand in a script, so that everything around an engine can be
//! tested exactly. On a manual clock nothing is waited for; as a candidate of `models.toml` it goes through a whole comparison.

use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Deserializer};

use super::prepared::{EngineSettings, Facts, PrepareError, Prepared};
use super::{Completion, Engine, EngineError, Observer, Request};
use crate::acquire::Stamps;
use crate::clock::{Clock, SystemClock};
use crate::plain_file::{self, WRITTEN_BY_HAND};
use crate::record::{FinishReason, LoadFacts};

/// Something that happens.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Event {
    /// Time passes.
    #[serde(rename = "wait_ms", deserialize_with = "milliseconds")]
    Wait(Duration),
    /// The prompt is known to have so many tokens.
    Encoded(usize),
    Prefilled,
    /// A token arrives whose id is known, and its text.
    Token(u32, String),
    /// Text arrives without ids, of so many tokens if anybody counted them: what a server streams.
    Output {
        text: String,
        tokens: Option<u32>,
    },
    /// The engine fails with this message.
    Fail(String),
    OutOfMemory,
}

fn milliseconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    u64::deserialize(deserializer).map(Duration::from_millis)
}

/// What a scripted candidate does, as its file says.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Script {
    /// While it is made ready.
    #[serde(default)]
    load: Vec<Event>,
    /// Of each request in turn; after the last the first again.
    #[serde(rename = "request")]
    requests: Vec<Vec<Event>>,
}

/// Follows a script.
pub struct ScriptedEngine<C> {
    clock: C,
    requests: Vec<Vec<Event>>,
    /// Requests so far.
    made: usize,
}

impl<C: Clock> ScriptedEngine<C> {
    /// One that does for each request in turn what stands in `requests`, and after the last begins again with the first.
    pub fn new(clock: C, requests: Vec<Vec<Event>>) -> Self {
        Self { clock, requests, made: 0 }
    }
}

impl<C: Clock> Engine for ScriptedEngine<C> {
    fn generate(&mut self, _: &Request, observer: &mut dyn Observer) -> Result<Completion, EngineError> {
        let script = self.requests.get(self.made % self.requests.len().max(1)).cloned().unwrap_or_default();
        self.made += 1;
        follow(&self.clock, &script, observer)
    }
}

fn follow(clock: &impl Clock, script: &[Event], observer: &mut dyn Observer) -> Result<Completion, EngineError> {
    let (mut text, mut token_ids) = (String::new(), Some(Vec::new()));
    for event in script {
        if observer.cancelled() {
            return Err(EngineError::Cancelled);
        }
        match event {
            Event::Wait(time) => clock.sleep(*time),
            Event::Encoded(tokens) => observer.encoded(*tokens),
            Event::Prefilled => observer.prefilled(),
            Event::Token(id, piece) => {
                observer.token(*id);
                observer.text(piece);
                token_ids.iter_mut().for_each(|ids| ids.push(*id));
                text.push_str(piece);
            }
            Event::Output { text: piece, tokens } => {
                observer.tokens(*tokens);
                observer.text(piece);
                token_ids = None;
                text.push_str(piece);
            }
            Event::Fail(message) => return Err(EngineError::Scripted(message.clone())),
            Event::OutOfMemory => return Err(EngineError::OutOfMemory("as scripted".into())),
        }
    }
    Ok(Completion { prompt_ids: None, token_ids, text: Some(text), finish: FinishReason::Stop })
}

/// Makes the engine that follows the script of a file.
pub(super) fn prepare(script: &Path, settings: &EngineSettings) -> Result<Prepared, PrepareError> {
    let failed = |message: String| PrepareError::Script { path: script.into(), message };
    let text = plain_file::read_text(script, WRITTEN_BY_HAND).map_err(|error| failed(error.to_string()))?;
    let Script { load, requests } = toml::from_str(&text).map_err(|error| failed(error.to_string()))?;
    let clock = SystemClock::new();
    follow(&clock, &load, &mut Deaf)?;
    let load = LoadFacts {
        engine: "scripted".into(),
        device: settings.device_name.into(),
        load_seconds: clock.now().as_secs_f64(),
        unknown: Some("a script has no weights".into()),
        ..LoadFacts::default()
    };
    let facts = Facts { load: Some(load), ..Facts::default() };
    Ok(Prepared {
        engine: Box::new(ScriptedEngine::new(clock, requests)),
        facts,
        takes_text: true,
        warnings: Vec::new(),
        stamps: Stamps::default(),
        slower: None,
    })
}

/// Does not care.
struct Deaf;

impl Observer for Deaf {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_says_what_happens_in_order() {
        let script: Script = toml::from_str(
            "load = [{ wait_ms = 20 }]\n\
             request = [[{ encoded = 7 }, \"prefilled\", { token = [11, \"안녕\"] }, { output = { text = \"!\", tokens = 2 } }],\n\
             [\"out_of_memory\"], [{ fail = \"gone\" }, { output = { text = \"?\" } }]]",
        )
        .unwrap();
        let output = |text: &str, tokens| Event::Output { text: text.into(), tokens };
        let first = vec![Event::Encoded(7), Event::Prefilled, Event::Token(11, "안녕".into()), output("!", Some(2))];
        assert_eq!(script.load, [Event::Wait(Duration::from_millis(20))]);
        let others = [vec![Event::OutOfMemory], vec![Event::Fail("gone".into()), output("?", None)]];
        assert_eq!((&script.requests[0], &script.requests[1..]), (&first, &others[..]));
    }
}
