//! The schedule of a run: which trials every candidate is to make, in what order, and how many at the least and the most.

use std::sync::Arc;

use super::planned::{PlannedTrial, seed};
use crate::record::{Phase, Trial};
use crate::suite::{Body, Language, Prompt, Suite};

/// What the user chose for all suites.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Choices {
    /// Measured trials of each prompt; `None` leaves it to the suite.
    pub repeat: Option<u32>,
    /// Prompts of token ids go on in further rounds until the trials suffice, but not beyond so many; `None` for no more
    /// rounds than `repeat` says.
    pub max_repeat: Option<u32>,
    /// Warm-up trials of each suite, exactly; `None` for the suite's own number, and for prompts of token ids as many more
    /// as it takes, up to [`MOST_WARMUP`].
    pub warmup: Option<u32>,
    /// Upper bound of every answer's length.
    pub max_new_tokens: Option<u32>,
    /// Only texts in these languages; empty means all. Prompts of token ids have none and always run.
    pub languages: Vec<Language>,
    /// What the seeds of all trials are derived from.
    pub seed: u64,
}

/// Warm-up trials after which a suite is measured, steady or not: some programs never settle.
pub const MOST_WARMUP: u32 = 10;

/// Longest answer of a warm-up trial: enough for every allocation and clock that a decode step waits for.
const WARMUP_TOKENS: u32 = 8;

/// How many: so many in any case, and then until they suffice, but no more than the most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Count {
    least: u32,
    most: u32,
}

impl Count {
    fn exactly(number: u32) -> Self {
        Self { least: number, most: number }
    }

    fn goes_on(self, done: u32, suffices: impl FnOnce() -> bool) -> bool {
        done < self.least || (done < self.most && !suffices())
    }
}

/// Whether the trials of one suite, those of one phase in their order, suffice. Pure, so that a run that was interrupted goes
/// on as it would have done.
pub type Suffice<'a> = &'a dyn Fn(Phase, &[&Trial]) -> bool;

/// Every suite of a run with its prompts. Each warms up on its first prompt, then runs all its prompts once a round, so that
/// drift during the run touches every prompt alike.
#[derive(Debug, Clone)]
pub struct Schedule {
    suites: Vec<Scheduled>,
    seed: u64,
    max_new_tokens: u32,
}

/// Where a trial stands in the order of a plan: what comes first is smaller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    suite: usize,
    measured: bool,
    repetition: u32,
    prompt: usize,
}

impl Position {
    /// The round of its suite that it belongs to, the first with the warm-up; what comes first is smaller.
    pub fn round(self) -> (usize, u32) {
        (self.suite, if self.measured { self.repetition } else { 0 })
    }

    /// Whether it is every second one: who is first then was last the time before.
    pub fn is_odd(self) -> bool {
        !(self.repetition as usize + self.prompt).is_multiple_of(2)
    }
}

/// One suite. It has a prompt at least.
#[derive(Debug, Clone)]
struct Scheduled {
    name: Arc<str>,
    prompts: Vec<Arc<Prompt>>,
    warmup: Count,
    rounds: Count,
}

impl Schedule {
    /// Of all prompts of these suites that were not left out.
    pub fn of(suites: &[Suite], choices: &Choices) -> Self {
        let chosen = |prompt: &&Prompt| {
            choices.languages.is_empty() || prompt.language.is_none_or(|language| choices.languages.contains(&language))
        };
        let scheduled = |suite: &Suite| {
            let repeat = choices.repeat.unwrap_or(suite.repeat);
            let mut rounds = Count::exactly(repeat);
            let mut warmup = Count::exactly(choices.warmup.unwrap_or(suite.warmup));
            // The texts of a suite are its sample, which a second answer to the same question does not enlarge. They differ
            // from each other by more than a cold start does, so that they need no long warm-up either.
            if !suite.is_text() {
                rounds.most = repeat.max(choices.max_repeat.unwrap_or(repeat));
                if choices.warmup.is_none() {
                    warmup.most = warmup.least.max(MOST_WARMUP);
                }
            }
            let prompts: Vec<Arc<Prompt>> = suite.prompts.iter().filter(chosen).cloned().map(Arc::new).collect();
            Scheduled { name: suite.name.as_str().into(), prompts, warmup, rounds }
        };
        let suites = suites.iter().map(scheduled).filter(|suite| !suite.prompts.is_empty()).collect();
        Self { suites, seed: choices.seed, max_new_tokens: choices.max_new_tokens.unwrap_or(u32::MAX) }
    }

    /// Leaves out every text, for a candidate that has no tokenizer; whether there was one.
    pub fn leave_out_texts(&mut self) -> bool {
        let prompts = |suites: &[Scheduled]| suites.iter().map(|suite| suite.prompts.len()).sum::<usize>();
        let before = prompts(&self.suites);
        for suite in &mut self.suites {
            suite.prompts.retain(|prompt| matches!(prompt.body, Body::Tokens { .. }));
        }
        self.suites.retain(|suite| !suite.prompts.is_empty());
        prompts(&self.suites) < before
    }

    /// The trials that are run in any case, in order.
    pub fn least(&self) -> Vec<PlannedTrial> {
        let mut planned = Vec::new();
        for suite in &self.suites {
            planned.extend(
                (0..suite.warmup.least).map(|repetition| self.planned(suite, &suite.prompts[0], repetition, true)),
            );
            for round in 0..suite.rounds.least {
                planned.extend(suite.prompts.iter().map(|prompt| self.planned(suite, prompt, round, false)));
            }
        }
        planned
    }

    /// Where a trial of it stands in the order of the plan.
    pub fn position(&self, planned: &PlannedTrial) -> Position {
        let suite = self.suites.iter().position(|suite| suite.name == planned.suite).unwrap_or(self.suites.len());
        let prompts = self.suites.get(suite).map_or(&[] as &[_], |suite| &suite.prompts);
        let same = |prompt: &Arc<Prompt>| prompt.id == planned.prompt.id && prompt.language == planned.prompt.language;
        Position {
            suite,
            measured: !planned.warmup,
            repetition: planned.repetition,
            prompt: prompts.iter().position(same).unwrap_or(prompts.len()),
        }
    }

    /// Whether further trials may follow on those of [`Self::least`].
    pub fn is_open(&self) -> bool {
        let open = |count: Count| count.least < count.most;
        self.suites.iter().any(|suite| open(suite.warmup) || open(suite.rounds))
    }

    /// The trial that follows on those that a candidate has made by this schedule; `None` after the last.
    pub fn next(&self, trials: &[Trial], suffice: Suffice) -> Option<PlannedTrial> {
        let at = |trial: &Trial| self.suites.iter().position(|suite| *suite.name == *trial.key.suite);
        let last = trials.iter().rev().find_map(|trial| Some((at(trial)?, trial)));
        let begun = last.and_then(|(at, trial)| self.next_of(&self.suites[at], Some(trial), trials, suffice));
        let mut later = self.suites[last.map_or(0, |(at, _)| at + 1)..].iter();
        begun.or_else(|| later.find_map(|suite| self.next_of(suite, None, trials, suffice)))
    }

    /// The next trial of a suite whose last trial is `last`.
    fn next_of(
        &self,
        suite: &Scheduled,
        last: Option<&Trial>,
        trials: &[Trial],
        suffice: Suffice,
    ) -> Option<PlannedTrial> {
        let so_far = |phase: Phase| {
            let of_suite = trials.iter().filter(|trial| *trial.key.suite == *suite.name && trial.key.phase() == phase);
            suffice(phase, &of_suite.collect::<Vec<_>>())
        };
        let round = match last.map(|trial| &trial.key) {
            Some(key) if !key.warmup => {
                let same = |prompt: &Arc<Prompt>| prompt.id == key.prompt && prompt.language == key.language;
                let next = suite.prompts.iter().position(same).and_then(|at| suite.prompts.get(at + 1));
                if let Some(prompt) = next {
                    return Some(self.planned(suite, prompt, key.repetition, false));
                }
                key.repetition + 1
            }
            key => {
                let done = key.map_or(0, |key| key.repetition + 1);
                if suite.warmup.goes_on(done, || so_far(Phase::Warmup)) {
                    return Some(self.planned(suite, &suite.prompts[0], done, true));
                }
                0
            }
        };
        let goes_on = suite.rounds.goes_on(round, || so_far(Phase::Measured));
        goes_on.then(|| self.planned(suite, &suite.prompts[0], round, false))
    }

    fn planned(&self, suite: &Scheduled, prompt: &Arc<Prompt>, repetition: u32, warmup: bool) -> PlannedTrial {
        let limit = self.max_new_tokens.min(if warmup { WARMUP_TOKENS } else { u32::MAX });
        PlannedTrial {
            suite: suite.name.clone(),
            prompt: prompt.clone(),
            repetition,
            warmup,
            seed: seed(self.seed, &suite.name, prompt, repetition, warmup),
            max_new_tokens: prompt.max_new_tokens.min(limit),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::record::TrialKey;
    use crate::suite;
    use crate::summarize::testing::text_trial;

    fn shipped(choices: &Choices) -> Vec<PlannedTrial> {
        Schedule::of(&suite::shipped().unwrap(), choices).least()
    }

    #[test]
    fn every_trial_has_a_key_and_a_seed_of_its_own() {
        let planned = shipped(&Choices { repeat: Some(2), ..Choices::default() });
        let keys: HashSet<TrialKey> = planned.iter().map(|trial| trial.key("row")).collect();
        let seeds: HashSet<u64> = planned.iter().map(|trial| trial.seed).collect();
        assert_eq!((keys.len(), seeds.len()), (planned.len(), planned.len()));
    }

    #[test]
    fn a_language_leaves_the_other_out_and_keeps_token_prompts() {
        let planned = shipped(&Choices { languages: vec![Language::Ko], ..Choices::default() });
        let languages: HashSet<Option<Language>> = planned.iter().map(|trial| trial.prompt.language).collect();
        assert_eq!(languages, HashSet::from([None, Some(Language::Ko)]));
    }

    #[test]
    fn a_suite_warms_up_before_it_measures() {
        let planned = shipped(&Choices { warmup: Some(2), ..Choices::default() });
        let speed: Vec<bool> =
            planned.iter().filter(|trial| &*trial.suite == "speed").map(|trial| trial.warmup).collect();
        assert_eq!(speed[..3], [true, true, false]);
        assert!(speed[2..].iter().all(|warmup| !warmup));
        assert!(planned.iter().filter(|trial| trial.warmup).all(|trial| trial.max_new_tokens <= WARMUP_TOKENS));
    }

    #[test]
    fn a_limit_only_ever_shortens_answers() {
        let planned = shipped(&Choices { max_new_tokens: Some(100), ..Choices::default() });
        assert!(planned.iter().all(|trial| trial.max_new_tokens <= 100));
        assert!(planned.iter().any(|trial| trial.max_new_tokens == 1));
    }

    /// The keys of all trials of a schedule, as `repetition` and prompt, in order: those that `done` has are not asked for.
    fn course(schedule: &Schedule, done: &[Trial], suffice: Suffice) -> Vec<Trial> {
        let mut trials = done.to_vec();
        while let Some(planned) = schedule.next(&trials, suffice) {
            trials.push(Trial { key: planned.key("row"), seed: planned.seed, ..text_trial(100, 10, 2, "") });
        }
        trials
    }

    fn speed(choices: &Choices) -> Schedule {
        let suites: Vec<Suite> = suite::shipped().unwrap().into_iter().filter(|suite| suite.name == "speed").collect();
        Schedule::of(&suites, choices)
    }

    fn counts(trials: &[Trial]) -> (usize, usize) {
        let warmup = trials.iter().filter(|trial| trial.key.warmup).count();
        (warmup, trials.len() - warmup)
    }

    #[test]
    fn positions_rise_in_the_order_of_the_plan_and_every_second_is_odd() {
        let schedule = Schedule::of(
            &suite::shipped().unwrap(),
            &Choices { repeat: Some(3), warmup: Some(2), ..Choices::default() },
        );
        let least = schedule.least();
        let positions: Vec<Position> = least.iter().map(|trial| schedule.position(trial)).collect();
        assert!(positions.is_sorted_by(|a, b| a < b));
        let measured = positions.windows(2).filter(|pair| pair[0].measured && pair[0].round() == pair[1].round());
        assert!(
            measured.clone().count() > 100 && measured.into_iter().all(|pair| pair[0].is_odd() != pair[1].is_odd())
        );
        let of_speed = |warmup| least.iter().find(|trial| trial.warmup == warmup).map(|trial| schedule.position(trial));
        assert_eq!(of_speed(true).map(Position::round), of_speed(false).map(Position::round));
    }

    #[test]
    fn step_by_step_it_is_the_least_if_that_suffices() {
        for choices in [Choices::default(), Choices { repeat: Some(3), warmup: Some(0), ..Choices::default() }] {
            let schedule = Schedule::of(&suite::shipped().unwrap(), &choices);
            let made: Vec<TrialKey> = course(&schedule, &[], &|_, _| true).into_iter().map(|trial| trial.key).collect();
            let least: Vec<TrialKey> = schedule.least().iter().map(|trial| trial.key("row")).collect();
            assert_eq!(made, least);
        }
    }

    #[test]
    fn token_ids_go_on_in_whole_rounds_until_they_suffice() {
        let schedule = speed(&Choices { repeat: Some(2), max_repeat: Some(100), ..Choices::default() });
        let enough = |phase, trials: &[&Trial]| trials.len() >= if phase == Phase::Warmup { 4 } else { 9 };
        // 9 of two prompts a round are 5 rounds.
        assert_eq!(counts(&course(&schedule, &[], &enough)), (4, 10));
        assert!(schedule.is_open());
    }

    #[test]
    fn what_never_suffices_ends_at_the_most() {
        let choices = Choices { repeat: Some(2), max_repeat: Some(7), ..Choices::default() };
        assert_eq!(counts(&course(&speed(&choices), &[], &|_, _| false)), (MOST_WARMUP as usize, 14));
        let fewer = Choices { max_repeat: Some(1), warmup: Some(12), ..choices };
        assert_eq!(counts(&course(&speed(&fewer), &[], &|_, _| false)), (12, 4));
    }

    #[test]
    fn texts_are_asked_so_often_and_no_more() {
        let mut suites = suite::shipped().unwrap();
        suites.retain(Suite::is_text);
        let schedule = Schedule::of(&suites, &Choices { max_repeat: Some(100), ..Choices::default() });
        assert!(!schedule.is_open());
        assert_eq!(course(&schedule, &[], &|_, _| false).len(), schedule.least().len());
    }

    #[test]
    fn from_any_trial_on_it_goes_on_as_if_it_had_not_been_interrupted() {
        let schedule = Schedule::of(&suite::shipped().unwrap(), &Choices { max_repeat: Some(9), ..Choices::default() });
        let enough = |phase, trials: &[&Trial]| trials.len() >= if phase == Phase::Warmup { 3 } else { 15 };
        let whole = course(&schedule, &[], &enough);
        for done in 0..=whole.len() {
            assert_eq!(course(&schedule, &whole[..done], &enough), whole, "after {done}");
        }
    }

    #[test]
    fn without_texts_token_ids_are_left() {
        let mut schedule = Schedule::of(&suite::shipped().unwrap(), &Choices::default());
        assert!(schedule.leave_out_texts());
        assert!(schedule.least().iter().all(|trial| &*trial.suite == "speed"));
        assert!(!schedule.leave_out_texts());
        // Trials of texts that a candidate has already do not begin it anew.
        let whole = course(&Schedule::of(&suite::shipped().unwrap(), &Choices::default()), &[], &|_, _| true);
        let texts: Vec<Trial> = whole.into_iter().filter(|trial| trial.key.language.is_some()).collect();
        let with_texts = course(&schedule, &texts, &|_, _| true);
        assert_eq!(with_texts.len(), texts.len() + schedule.least().len());
    }
}
