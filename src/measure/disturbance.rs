//! Disturbance: whether something else kept the machine busy while a trial ran, so that its times are not the candidate's.

use crate::run::Trial;
use crate::telemetry::Environment;

/// Share of the engine's processors that others may take before a trial's times are doubted. What a machine does on its own
/// account takes one or two in a hundred; a program that takes a tenth of a processor shows in every token.
const TOLERATED_SHARE: f64 = 0.1;

/// Processor time is counted in ticks of 10 ms, so of less than some ticks nothing can be said.
const SHORTEST_SECONDS: f64 = 0.1;

/// For each trial that was disturbed, how many processors everything else kept busy meanwhile, on average: so many that
/// fewer were left than the engine computes with. Trials that are too short to tell by themselves are judged together.
/// Empty where all trials were alone, and where the system does not tell.
pub fn disturbances(trials: &[&Trial], environment: &Environment) -> Vec<f64> {
    let watched: Vec<Watched> = trials.iter().filter_map(|trial| Watched::of(trial)).collect();
    let (short, long): (Vec<Watched>, Vec<Watched>) =
        watched.into_iter().partition(|watched| watched.seconds < SHORTEST_SECONDS);
    let together = short.iter().fold(Watched::default(), |sum, one| Watched {
        seconds: sum.seconds + one.seconds,
        others_cpu_seconds: sum.others_cpu_seconds + one.others_cpu_seconds,
    });
    let together = together.disturbed_by(environment);
    let long = long.iter().filter_map(|watched| watched.disturbed_by(environment));
    long.chain(short.iter().filter_map(|_| together)).collect()
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
        let threads = environment.threads as f64;
        let unused = (environment.processors? as f64 - threads).max(0.0);
        Some(busy).filter(|busy| *busy > unused + TOLERATED_SHARE * threads)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::summarize::testing;

    /// What is found where the others kept so many processors busy, beside an engine with two threads.
    fn found(others: f64, processors: usize) -> Vec<f64> {
        found_of(&[testing::beside(others, testing::text_trial(200, 100, 5, "가"))], processors)
    }

    fn found_of(trials: &[Trial], processors: usize) -> Vec<f64> {
        let mut environment = testing::run(Vec::new()).environment;
        environment.processors = Some(processors);
        disturbances(&trials.iter().collect::<Vec<_>>(), &environment)
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
    fn short_trials_are_judged_together() {
        let mut short = testing::beside(0.5, testing::text_trial(1, 1, 5, "가"));
        // Twenty milliseconds.
        short.readings[1].at_ns = 20_000_000;
        short.readings[1].others_cpu_seconds = Some(70.01);
        assert!(found_of(&vec![short.clone(); 2], 2).is_empty());
        assert_eq!(found_of(&vec![short; 10], 2).len(), 10);
    }

    #[test]
    fn what_was_not_watched_is_not_called_disturbed() {
        assert!(found_of(&[testing::text_trial(200, 100, 5, "가")], 2).is_empty());
    }
}
