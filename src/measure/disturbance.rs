//! Disturbance: whether something else kept the machine busy while a trial ran, so that its times are not the candidate's.

use crate::run::Trial;
use crate::telemetry::Environment;

/// Share of the engine's processors that others may take before a trial's times are doubted. What a machine does on its own
/// account takes one or two in a hundred; a program that takes a tenth of a processor shows in every token.
const TOLERATED_SHARE: f64 = 0.1;

/// How many processors everything else kept busy during a trial, on average, if that left fewer than the engine computes
/// with. `None` for a trial that was alone, and where the system does not tell.
pub fn disturbance(trial: &Trial, environment: &Environment) -> Option<f64> {
    let (first, last) = (trial.readings.first()?, trial.readings.last()?);
    let seconds = last.at_ns.checked_sub(first.at_ns)? as f64 / 1e9;
    // Processor time is counted in ticks of 10 ms: of less than some ticks nothing can be said.
    if seconds < 0.1 {
        return None;
    }
    let busy = (last.others_cpu_seconds? - first.others_cpu_seconds?) / seconds;
    let threads = environment.threads as f64;
    let unused = (environment.processors? as f64 - threads).max(0.0);
    Some(busy).filter(|busy| *busy > unused + TOLERATED_SHARE * threads)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::summarize::testing;

    /// What is found where the others kept so many processors busy, beside an engine with two threads.
    fn found(others: f64, processors: usize) -> Option<f64> {
        let mut environment = testing::run(Vec::new()).environment;
        environment.processors = Some(processors);
        disturbance(&testing::beside(others, testing::text_trial(200, 100, 5, "가")), &environment)
    }

    #[test]
    fn another_program_on_the_engines_processors_disturbs() {
        assert_eq!(found(0.5, 2), Some(0.5));
        assert_eq!(found(0.1, 2), None);
    }

    #[test]
    fn another_program_on_other_processors_does_not() {
        assert_eq!(found(2.0, 4), None);
        assert_eq!(found(3.0, 4), Some(3.0));
    }

    #[test]
    fn what_was_not_watched_is_not_called_disturbed() {
        let environment = testing::run(Vec::new()).environment;
        assert_eq!(disturbance(&testing::text_trial(200, 100, 5, "가"), &environment), None);
    }
}
