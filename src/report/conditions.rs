//! The conditions under which a run's trials ran, in words: what disturbed them, and what limited the GPU.

use std::collections::BTreeSet;

use crate::measure::units::UNKNOWN;
use crate::measure::{Disturbance, Energy, EnergySource, disturbance};
use crate::run::{Phase, Run, Trial};
use crate::summarize::MachineState;
use crate::telemetry::GpuVerdict;

/// What to know of the measured trials before their figures are believed; nothing where nothing was out of the way.
pub(super) fn notes(run: &Run) -> Vec<String> {
    let trials: Vec<&Trial> =
        run.rows.iter().flat_map(|row| &row.trials).filter(|trial| trial.key.phase() == Phase::Measured).collect();
    let found: Vec<Disturbance> = trials.iter().filter_map(|trial| disturbance(trial, &run.environment)).collect();
    let capped = trials.iter().filter(|trial| GpuVerdict::of(&trial.readings) == Some(GpuVerdict::PowerCapped)).count();
    let repeated = trials.iter().filter(|trial| trial.repeated.is_some()).count();
    let of_all = |count: usize| format!("{count} of {} trials", trials.len());
    let during = |what: &str, advice: &str, count: usize| {
        (count > 0).then(|| format!("! {what} during {}: {advice}", of_all(count)))
    };
    let count = |kind| found.iter().filter(|one| **one == kind).count();
    let limit = run.environment.gpu_power_limit_milliwatts;
    let limit = limit.map(|limit| format!(" of {:.0} W", f64::from(limit) / 1e3)).unwrap_or_default();
    [
        processors(&found, &of_all),
        during("the GPU was slowed down by heat", "see to its cooling, and run again", count(Disturbance::Heat)),
        during("another process was on the GPU", "run again when it is alone", count(Disturbance::SharedGpu)),
        (repeated > 0)
            .then(|| format!("run a second time, for heat or another process in the first: {}", of_all(repeated))),
        (capped > 0).then(|| format!("the power limit{limit} held the GPU's clocks down during {}", of_all(capped))),
        card(&trials),
        energy(run, &trials),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// The state that the GPU was in; nothing where there is none.
fn card(trials: &[&Trial]) -> Option<String> {
    let state = MachineState::of(trials.iter().copied());
    let whole = |value: Option<f64>, unit: &str| value.map(|value| format!("{value:.0} {unit}"));
    let medians = [
        state.gpu_watts.map(|watts| format!("{watts:.1} W")),
        whole(state.gpu_sm_megahertz, "MHz SM clock"),
        whole(state.gpu_memory_megahertz, "MHz memory clock"),
        whole(state.gpu_utilization_percent, "% busy"),
    ];
    let medians: Vec<String> = medians.into_iter().flatten().collect();
    let hottest = state.gpu_celsius.map(|heat| format!("; {heat} °C at the hottest")).unwrap_or_default();
    (!medians.is_empty()).then(|| format!("the GPU meanwhile, medians: {}{hottest}", medians.join(", ")))
}

/// What the energy is of, how it is known, and how much of it the card would have used for nothing.
fn energy(run: &Run, trials: &[&Trial]) -> Option<String> {
    let sources: BTreeSet<EnergySource> = trials.iter().filter_map(|trial| Some(Energy::of(trial)?.source)).collect();
    let ways: Vec<&str> = sources
        .iter()
        .map(|source| match source {
            EnergySource::Counter => "by its own counter",
            EnergySource::Integrated => "integrated from its power",
        })
        .collect();
    let idle = run.rows.iter().filter_map(|row| row.load.as_ref()?.idle_milliwatts).min();
    let idle = idle.map_or(UNKNOWN.to_owned(), |power| format!("{:.1} W", f64::from(power) / 1e3));
    (!ways.is_empty())
        .then(|| format!("energy: of the whole card, {}; before a load it draws {idle}", ways.join(" or ")))
}

/// How many trials had to share the processors, and with how much else at the most.
fn processors(found: &[Disturbance], of_all: &impl Fn(usize) -> String) -> Option<String> {
    let busy: Vec<f64> = found
        .iter()
        .filter_map(|one| match one {
            Disturbance::Processors(busy) => Some(*busy),
            Disturbance::Heat | Disturbance::SharedGpu => None,
        })
        .collect();
    let most = busy.iter().copied().max_by(f64::total_cmp)?;
    Some(format!(
        "! other programs were busy on this machine during {}, on up to {most:.1} processors: run again when it is quiet",
        of_all(busy.len())
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::summarize::testing::{on_gpu, ran, run, text_trial, warmup};

    #[test]
    fn each_condition_is_counted_over_the_measured_trials() {
        let trial = || text_trial(200, 100, 5, "가");
        let mut again = on_gpu(0x40, 0, trial());
        again.repeated = Some(GpuVerdict::Shared);
        let trials = vec![
            warmup(on_gpu(0x40, 1, trial())),
            on_gpu(0, 0, trial()),
            on_gpu(4, 0, trial()),
            on_gpu(4, 2, trial()),
            again,
        ];
        let mut run = run(vec![ran("a", trials)]);
        run.environment.gpu_power_limit_milliwatts = Some(72_000);
        assert_eq!(
            notes(&run),
            [
                "! the GPU was slowed down by heat during 1 of 4 trials: see to its cooling, and run again",
                "! another process was on the GPU during 1 of 4 trials: run again when it is alone",
                "run a second time, for heat or another process in the first: 1 of 4 trials",
                "the power limit of 72 W held the GPU's clocks down during 1 of 4 trials",
            ]
        );
    }

    #[test]
    fn the_state_of_the_card_and_the_source_of_its_energy_are_said() {
        let mut trial = on_gpu(0, 0, text_trial(200, 100, 5, "가"));
        for (reading, joules) in trial.readings.iter_mut().zip([100, 130]) {
            let gpu = reading.gpu.as_mut().unwrap();
            gpu.energy_millijoules = Some(joules * 1000);
            gpu.power_milliwatts = Some(71_800);
            gpu.sm_megahertz = Some(1095);
            gpu.temperature_celsius = Some(67);
        }
        let mut run = run(vec![ran("a", vec![trial])]);
        run.rows[0].load.as_mut().unwrap().idle_milliwatts = Some(16_500);
        assert_eq!(
            notes(&run),
            [
                "the GPU meanwhile, medians: 71.8 W, 1095 MHz SM clock; 67 °C at the hottest",
                "energy: of the whole card, by its own counter; before a load it draws 16.5 W",
            ]
        );
    }

    #[test]
    fn a_quiet_run_has_nothing_to_say() {
        assert!(notes(&run(vec![ran("a", vec![text_trial(200, 100, 5, "가")])])).is_empty());
    }
}
