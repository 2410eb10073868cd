//! How far variants' predictions are apart: along the answers of the first one, all engines being in memory at once.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::engine::Engine;
use crate::quality::Agreement;
use crate::record::{AnswerAgreement, Asked, Outcome, Phase, Row, Trial};
use crate::run::{Ended, Engines, input};

/// Most places of an answer: with 256,000 tokens to choose from, 128 MB of predictions an engine.
const PLACES: usize = 128;

/// Keeps in each row but the first how its engine's predictions agree with those of the first; of no row where the first
/// engine is not there, or does not tell what it predicts.
pub(super) fn compare_predictions(
    rows: &mut [Row],
    engines: &mut Engines,
    asked: &[Asked],
    cancel: &AtomicBool,
) -> Ended {
    let ([first, others @ ..], [Some(reference), engines @ ..]) = (rows, engines.as_mut_slice()) else {
        return Ended::Finished;
    };
    others.iter_mut().for_each(|row| row.agreements.clear());
    for trial in first.trials.iter().filter(|trial| is_answer(trial)) {
        if cancel.load(Ordering::Relaxed) {
            return Ended::Cancelled;
        }
        let Some(asked) = asked.iter().find(|asked| is_of(trial, asked)) else { continue };
        let answer = trial.token_ids.as_deref().unwrap_or_default();
        let answer = &answer[..answer.len().min(PLACES)];
        let input = input(&asked.prompt.body, trial.seed);
        let predictions = |engine: &mut dyn Engine| engine.predictions(&input, answer).ok().flatten();
        let Some(expected) = predictions(reference.as_mut()) else { continue };
        for (row, engine) in others.iter_mut().zip(&mut *engines) {
            // What a variant cannot take, as a prompt beyond its context, it has no predictions of.
            let Some(found) = engine.as_mut().and_then(|engine| predictions(engine.as_mut())) else { continue };
            let agreements: Vec<Agreement> =
                expected.iter().zip(&found).map(|(expected, found)| Agreement::of(expected, found)).collect();
            row.agreements.push(AnswerAgreement {
                suite: trial.key.suite.clone(),
                language: trial.key.language,
                prompt: trial.key.prompt.clone(),
                kl_nats: agreements.iter().map(|agreement| agreement.kl_nats as f32).collect(),
                same_top: agreements.iter().map(|agreement| agreement.same_top).collect(),
            });
        }
    }
    Ended::Finished
}

/// Whether a trial has an answer to a text: the first one, since a greedy answer is the same each time.
fn is_answer(trial: &Trial) -> bool {
    trial.key.phase() == Phase::Measured
        && trial.key.repetition == 0
        && trial.key.language.is_some()
        && matches!(trial.outcome, Outcome::Completed { .. })
}

fn is_of(trial: &Trial, asked: &Asked) -> bool {
    let (key, prompt) = (&trial.key, &asked.prompt);
    (&key.suite, key.language, &key.prompt) == (&asked.suite, prompt.language, &prompt.id)
}
