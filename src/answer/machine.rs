//! What else the machine did while trials ran.

use super::note::Kind;
use crate::measure::{Disturbance, culprits, disturbances};
use crate::record::{Fault, Phase, Run, Trial, fault};

/// Share of a trial for which a quota may hold the program back before it is worth a sentence.
const THROTTLED_SHARE: f64 = 0.01;

/// What is to be known of it before figures are believed.
pub(super) fn notes(run: &Run) -> Vec<Kind> {
    let measured = run.rows.iter().map(|row| row.trials.iter().filter(|trial| trial.key.phase() == Phase::Measured));
    let rows: Vec<Vec<&Trial>> = measured.map(Iterator::collect).collect();
    let all = rows.concat();
    let notes = [other_programs(run, &rows), stopped(&all), stopped_first(&all), throttled(&all)];
    notes.into_iter().flatten().collect()
}

/// How many measured trials had to share the processors, with what, and with how much at the most.
fn other_programs(run: &Run, rows: &[Vec<&Trial>]) -> Option<Kind> {
    let busy: Vec<Disturbance> = rows.iter().flat_map(|trials| disturbances(trials, &run.environment)).collect();
    Some(Kind::OtherPrograms {
        most_processors: busy.iter().map(|one| one.processors).max_by(f64::total_cmp)?,
        programs: culprits(&busy),
        disturbed: busy.len(),
        trials: rows.iter().map(Vec::len).sum(),
    })
}

/// Trials that were stopped in their second attempt too.
fn stopped(trials: &[&Trial]) -> Option<Kind> {
    let stops: Vec<f64> = trials.iter().filter_map(|trial| fault::stopped_seconds(&trial.readings)).collect();
    let longest_seconds = stops.iter().copied().max_by(f64::total_cmp)?;
    Some(Kind::Stopped { trials: stops.len(), of: trials.len(), longest_seconds })
}

fn stopped_first(trials: &[&Trial]) -> Option<Kind> {
    let again = trials.iter().filter(|trial| trial.repeated == Some(Fault::Stopped)).count();
    (again > 0).then_some(Kind::StoppedRepeated { trials: again, of: trials.len() })
}

/// For how long processor quotas held the program back.
fn throttled(trials: &[&Trial]) -> Option<Kind> {
    let held = trials.iter().filter_map(|trial| {
        let (first, last) = (trial.readings.first()?, trial.readings.last()?);
        let held = last.throttled_seconds? - first.throttled_seconds?;
        let took = last.at_ns.checked_sub(first.at_ns)? as f64 / 1e9;
        (held > THROTTLED_SHARE * took).then_some(held)
    });
    let held: Vec<f64> = held.collect();
    let seconds = held.iter().sum();
    (!held.is_empty()).then_some(Kind::Throttled { trials: held.len(), of: trials.len(), seconds })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::summarize::testing::{self, ran, stopped, text_trial, warmup};

    fn said(trials: Vec<Trial>) -> Vec<String> {
        notes(&testing::run(vec![ran("a", trials)])).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_stop_is_told_and_that_its_trial_was_run_again() {
        let trial = || text_trial(200, 100, 5, "가");
        let mut again = trial();
        again.repeated = Some(Fault::Stopped);
        let trials = vec![warmup(stopped(9, trial())), trial(), stopped(4, trial()), again];
        assert_eq!(
            said(trials),
            [
                "bench itself did not run for up to 4.00 s during 1 of 3 trials (stopped, suspended, or held by a debugger): \
                 their times are not the candidate's, run again",
                "run a second time, because bench was stopped during the first: 1 of 3 trials",
            ]
        );
    }

    #[test]
    fn a_quota_that_held_the_program_back_is_told() {
        let throttled = |held: f64| {
            let mut trial = testing::beside(0.0, text_trial(200, 100, 5, "가"));
            for (reading, so_far) in trial.readings.iter_mut().zip([50.0, 50.0 + held]) {
                reading.throttled_seconds = Some(so_far);
            }
            trial
        };
        assert_eq!(
            said(vec![throttled(0.5), throttled(0.75), throttled(0.0), throttled(0.01)]),
            [
                "a processor quota held bench back for 1.25 s during 2 of 4 trials: these are the speeds of the quota (cpu.max of \
              its control group); lift it, or give bench as many --threads as it allows processors"
            ]
        );
    }
}
