//! What else the machine did while trials ran.

use super::note::Kind;
use crate::measure::{Disturbance, culprits, disturbances};
use crate::record::{Phase, Run, Trial};

/// How many measured trials had to share the processors, with what, and with how much at the most.
pub(super) fn other_programs(run: &Run) -> Option<Kind> {
    let measured = run.rows.iter().map(|row| row.trials.iter().filter(|trial| trial.key.phase() == Phase::Measured));
    let rows: Vec<Vec<&Trial>> = measured.map(Iterator::collect).collect();
    let busy: Vec<Disturbance> = rows.iter().flat_map(|trials| disturbances(trials, &run.environment)).collect();
    Some(Kind::OtherPrograms {
        most_processors: busy.iter().map(|one| one.processors).max_by(f64::total_cmp)?,
        programs: culprits(&busy),
        disturbed: busy.len(),
        trials: rows.iter().map(Vec::len).sum(),
    })
}
