//! The GPU while a run was on it, in words: what made trials invalid, what limited it, its state, and the energy it took.

use std::collections::BTreeSet;

use crate::measure::{Energy, EnergySource};
use crate::record::{GpuVerdict, Phase, Run, Trial};
use crate::summarize::MachineState;
use crate::units::UNKNOWN;

/// What to know of the measured trials before their figures are believed; nothing for a run on a CPU.
pub(super) fn notes(run: &Run) -> Vec<String> {
    let trials: Vec<&Trial> =
        run.rows.iter().flat_map(|row| &row.trials).filter(|trial| trial.key.phase() == Phase::Measured).collect();
    let count = |kind| trials.iter().filter(|trial| GpuVerdict::of(&trial.readings) == Some(kind)).count();
    let repeated = trials.iter().filter(|trial| trial.repeated.is_some()).count();
    let limit = run.environment.gpu_power_limit_milliwatts;
    let limit = limit.map(|limit| format!(" of {:.0} W", f64::from(limit) / 1e3)).unwrap_or_default();
    let counted = |count: usize, before: &str, after: &str| {
        (count > 0).then(|| format!("{before} {count} of {} trials{after}", trials.len()))
    };
    [
        counted(
            count(GpuVerdict::Thermal),
            "! the GPU was slowed down by heat during",
            ": see to its cooling, and run again",
        ),
        counted(count(GpuVerdict::Shared), "! another process was on the GPU during", ": run again when it is alone"),
        counted(repeated, "run a second time, for heat or another process in the first:", ""),
        counted(
            count(GpuVerdict::PowerCapped),
            &format!("the power limit{limit} held the GPU's clocks down during"),
            "",
        ),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::summarize::testing::{on_gpu, ran, run, text_trial, warmup};

    #[test]
    fn each_verdict_is_counted_over_the_measured_trials() {
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
    fn of_a_run_on_a_cpu_there_is_nothing_to_say() {
        assert!(notes(&run(vec![ran("a", vec![text_trial(200, 100, 5, "가")])])).is_empty());
    }
}
