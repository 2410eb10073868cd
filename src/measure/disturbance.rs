//! Disturbance: whether something else kept the machine busy while a trial ran, so that its times are not the candidate's.

use std::collections::BTreeMap;

use crate::record::{Environment, Trial};

/// Share of the engine's processors that others may take before a trial's times are doubted. What a machine does on its own
/// account takes one or two in a hundred; a program that takes a tenth of a processor shows in every token.
const TOLERATED_SHARE: f64 = 0.1;

/// Processor time is counted in ticks of 10 ms, so of less than some ticks nothing can be said.
const SHORTEST_SECONDS: f64 = 0.1;

/// Share of what others took that makes a program worth naming, and how many are named.
const NAMED_SHARE: f64 = 0.1;
const NAMED: usize = 3;

/// A trial that was disturbed.
#[derive(Debug, Clone, Copy)]
pub struct Disturbance<'t> {
    /// How many processors everything else kept busy meanwhile, on average.
    pub processors: f64,
    /// What was disturbed.
    pub trial: &'t Trial,
}

/// The trials that were disturbed: others kept so many processors busy that fewer were left than the engine computes with.
/// Trials that are too short to tell by themselves are judged together. Empty where all trials were alone, and where the
/// system does not tell.
pub fn disturbances<'t>(trials: &[&'t Trial], environment: &Environment) -> Vec<Disturbance<'t>> {
    let watched = trials.iter().filter_map(|trial| Some((*trial, Watched::of(trial)?)));
    let (short, long): (Vec<_>, Vec<_>) = watched.partition(|(_, watched)| watched.seconds < SHORTEST_SECONDS);
    let together = short.iter().fold(Watched::default(), |sum, (_, one)| Watched {
        seconds: sum.seconds + one.seconds,
        others_cpu_seconds: sum.others_cpu_seconds + one.others_cpu_seconds,
    });
    let together = together.disturbed_by(environment);
    let long = long.into_iter().map(|(trial, watched)| (trial, watched.disturbed_by(environment)));
    let all = long.chain(short.into_iter().map(|(trial, _)| (trial, together)));
    all.filter_map(|(trial, processors)| Some(Disturbance { processors: processors?, trial })).collect()
}

/// The programs that took most of what the others took, by name, the busiest first. Empty where the system names none: it may
/// hide the processes of other users, and knows nothing of other guests of the same host.
pub fn culprits(disturbances: &[Disturbance]) -> Vec<String> {
    let taken: f64 = disturbances.iter().filter_map(|one| Some(Watched::of(one.trial)?.others_cpu_seconds)).sum();
    let mut programs: BTreeMap<&str, f64> = BTreeMap::new();
    for program in disturbances.iter().filter_map(|one| one.trial.readings.last()).flat_map(|last| &last.busiest) {
        *programs.entry(&program.name).or_default() += program.cpu_seconds;
    }
    let mut programs: Vec<(&str, f64)> =
        programs.into_iter().filter(|(_, seconds)| *seconds >= NAMED_SHARE * taken).collect();
    programs.sort_by(|(_, a), (_, b)| b.total_cmp(a));
    programs.into_iter().take(NAMED).map(|(name, _)| name.to_owned()).collect()
}

/// By what factor disturbance can have made trials longer, at most, by what the others took of the processors; 1 where it did not.
/// `None` if they took so much that nothing bounds it.
///
/// A fair scheduler gives each runnable thread as much of a processor as any other there. The others' processor time tells how
/// many of their threads were always runnable: h such threads beside T of the engine's on P processors take h ÷ (T + h) of
/// all that there is. Where they share a processor with one of the engine's threads, and all of its threads wait for that one, a
/// step takes 1 + ⌈h ÷ P⌉ times as long; a tenth is added for caches that must be filled again.
pub fn slowdown_bound(disturbances: &[Disturbance], environment: &Environment) -> Option<f64> {
    const COLD_CACHES: f64 = 1.1;
    /// Ticks and averages are not exact: less than this part of a thread is none.
    const PART_OF_A_THREAD: f64 = 0.25;
    let mut watched =
        disturbances.iter().filter_map(|one| Watched::of(one.trial)).fold(None, |sum: Option<Watched>, one| {
            let sum = sum.unwrap_or_default();
            Some(Watched {
                seconds: sum.seconds + one.seconds,
                others_cpu_seconds: sum.others_cpu_seconds + one.others_cpu_seconds,
            })
        });
    let Some(watched) = watched.take() else { return Some(1.0) };
    let (processors, threads) = (environment.processors? as f64, environment.threads as f64);
    let busy = watched.others_cpu_seconds / watched.seconds;
    let left = processors - busy;
    if left <= 0.0 {
        return None;
    }
    let competitors = busy * threads.min(processors) / left;
    Some(COLD_CACHES * (1.0 + ((competitors - PART_OF_A_THREAD) / processors).ceil().max(0.0)))
}

/// Culprits in a sentence: `other programs (rustc, ld)`, by whichever names are known.
pub fn other_programs(names: &[String]) -> String {
    let names = if names.is_empty() { String::new() } else { format!(" ({})", names.join(", ")) };
    format!("other programs{names}")
}

/// How long a machine was watched, and how long its processors were busy with other things.
#[derive(Default)]
struct Watched {
    seconds: f64,
    others_cpu_seconds: f64,
}

impl Watched {
    fn of(trial: &Trial) -> Option<Self> {
        let (first, last) = (trial.readings.first()?, trial.readings.last()?);
        let seconds = last.at_ns.checked_sub(first.at_ns)? as f64 / 1e9;
        Some(Self { seconds, others_cpu_seconds: last.others_cpu_seconds? - first.others_cpu_seconds? })
    }

    fn disturbed_by(&self, environment: &Environment) -> Option<f64> {
        if self.seconds < SHORTEST_SECONDS {
            return None;
        }
        let busy = self.others_cpu_seconds / self.seconds;
        let processors = environment.processors? as f64;
        // More threads than processors keep no more of them busy.
        let threads = (environment.threads as f64).min(processors);
        let unused = processors - threads;
        Some(busy).filter(|busy| *busy > unused + TOLERATED_SHARE * threads)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::BusyProgram;
    use crate::summarize::testing;

    /// What is found where the others kept so many processors busy, beside an engine with two threads.
    fn found(others: f64, processors: usize) -> Vec<f64> {
        found_of(&[testing::beside(others, testing::text_trial(200, 100, 5, "가"))], processors)
    }

    fn found_of(trials: &[Trial], processors: usize) -> Vec<f64> {
        let mut environment = testing::run(Vec::new()).environment;
        environment.processors = Some(processors);
        let trials: Vec<&Trial> = trials.iter().collect();
        disturbances(&trials, &environment).iter().map(|one| one.processors).collect()
    }

    #[test]
    fn another_program_on_the_engines_processors_disturbs() {
        assert_eq!(found(0.5, 2), [0.5]);
        assert!(found(0.1, 2).is_empty());
    }

    #[test]
    fn another_program_on_other_processors_does_not() {
        assert!(found(2.0, 4).is_empty());
        assert_eq!(found(3.0, 4), [3.0]);
    }

    #[test]
    fn more_threads_than_processors_are_disturbed_as_soon() {
        let mut environment = testing::run(Vec::new()).environment;
        (environment.processors, environment.threads) = (Some(2), 64);
        let trial = testing::beside(0.5, testing::text_trial(200, 100, 5, "가"));
        assert_eq!(disturbances(&[&trial], &environment).len(), 1);
    }

    #[test]
    fn what_others_took_bounds_how_much_longer_a_trial_took() {
        let mut environment = testing::run(Vec::new()).environment;
        (environment.processors, environment.threads) = (Some(2), 2);
        let bound = |others: f64| {
            let trial = testing::beside(others, testing::text_trial(200, 100, 5, "가"));
            slowdown_bound(&disturbances(&[&trial], &environment), &environment)
        };
        assert_eq!(bound(0.0), Some(1.0));
        // One busy thread beside two of the engine's gets two thirds of a processor, two of them get one: each shares a
        // processor with one of the engine's. Six get 1.5, three on each processor.
        assert_eq!((bound(0.67), bound(1.0), bound(1.5)), (Some(1.1 * 2.0), Some(1.1 * 2.0), Some(1.1 * 4.0)));
        assert_eq!(bound(2.0), None);
    }

    #[test]
    fn short_trials_are_judged_together() {
        let mut short = testing::beside(0.5, testing::text_trial(1, 1, 5, "가"));
        // Twenty milliseconds.
        short.readings[1].at_ns = 20_000_000;
        short.readings[1].others_cpu_seconds = Some(70.01);
        assert!(found_of(&vec![short.clone(); 2], 2).is_empty());
        assert_eq!(found_of(&vec![short; 10], 2).len(), 10);
    }

    #[test]
    fn programs_that_took_much_of_it_are_named_the_busiest_first() {
        let environment = testing::run(Vec::new()).environment;
        // Others took 2.0 of 4 s in two trials.
        let trial = |busiest: &[(&str, f64)]| {
            let mut trial = testing::beside(0.5, testing::text_trial(200, 100, 5, "가"));
            let program =
                |(name, cpu_seconds): &(&str, f64)| BusyProgram { name: (*name).into(), cpu_seconds: *cpu_seconds };
            trial.readings[1].busiest = busiest.iter().map(program).collect();
            trial
        };
        let trials = [trial(&[("rustc", 0.5), ("ld", 0.3), ("sshd", 0.19)]), trial(&[("ld", 0.7)])];
        let disturbed = disturbances(&[&trials[0], &trials[1]], &environment);
        assert_eq!(disturbed.len(), 2);
        assert_eq!(culprits(&disturbed), ["ld", "rustc"]);
        assert_eq!(culprits(&disturbances(&[&trial(&[])], &environment)), [""; 0], "hidden, or another guest");
    }

    #[test]
    fn what_was_not_watched_is_not_called_disturbed() {
        assert!(found_of(&[testing::text_trial(200, 100, 5, "가")], 2).is_empty());
    }
}
