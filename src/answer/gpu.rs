//! The GPU while a run was on it: what made trials invalid, what limited it, its state, and the energy it took.

use std::collections::BTreeSet;

use super::note::Kind;
use crate::measure::{Energy, EnergySource};
use crate::record::{Fault, GpuVerdict, Phase, Run, Trial};
use crate::summarize::MachineState;

/// What to know of the measured trials before their figures are believed; nothing for a run on a CPU.
pub(super) fn notes(run: &Run) -> Vec<Kind> {
    let trials: Vec<&Trial> =
        run.rows.iter().flat_map(|row| &row.trials).filter(|trial| trial.key.phase() == Phase::Measured).collect();
    let of = trials.len();
    let any = |count: usize| Some(count).filter(|count| *count > 0);
    let during = |verdict| any(trials.iter().filter(|trial| GpuVerdict::of(&trial.readings) == Some(verdict)).count());
    let by_gpu = |trial: &&&Trial| matches!(trial.repeated, Some(Fault::Thermal | Fault::Shared));
    let repeated = any(trials.iter().filter(by_gpu).count());
    let limit_watts = run.environment.gpu_power_limit_milliwatts.map(watts);
    [
        during(GpuVerdict::Thermal).map(|trials| Kind::GpuHot { trials, of }),
        during(GpuVerdict::Shared).map(|trials| Kind::GpuShared { trials, of }),
        repeated.map(|trials| Kind::GpuRepeated { trials, of }),
        during(GpuVerdict::PowerCapped).map(|trials| Kind::GpuPowerCapped { trials, of, limit_watts }),
        state(&trials),
        energy(run, &trials),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// The state that the GPU was in; nothing where there is none.
fn state(trials: &[&Trial]) -> Option<Kind> {
    let state = MachineState::of(trials.iter().copied());
    let is_known = state.gpu_watts.is_some()
        || state.gpu_sm_megahertz.is_some()
        || state.gpu_memory_megahertz.is_some()
        || state.gpu_utilization_percent.is_some();
    is_known.then_some(Kind::GpuState(state))
}

/// How energy is known, and how much of it the card would have used for nothing.
fn energy(run: &Run, trials: &[&Trial]) -> Option<Kind> {
    let sources: BTreeSet<EnergySource> = trials.iter().filter_map(|trial| Some(Energy::of(trial)?.source)).collect();
    let idle_watts = run.rows.iter().filter_map(|row| row.load.as_ref()?.idle_milliwatts).min().map(watts);
    (!sources.is_empty()).then(|| Kind::GpuEnergy { sources: sources.into_iter().collect(), idle_watts })
}

fn watts(milliwatts: u32) -> f64 {
    f64::from(milliwatts) / 1e3
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::summarize::testing::{on_gpu, ran, run, text_trial, warmup};

    fn said(run: &Run) -> Vec<String> {
        notes(run).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn each_verdict_is_counted_over_the_measured_trials() {
        let trial = || text_trial(200, 100, 5, "가");
        let mut again = on_gpu(0x40, 0, trial());
        again.repeated = Some(Fault::Shared);
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
            said(&run),
            [
                "the GPU was slowed down by heat during 1 of 4 trials: see to its cooling, and run again",
                "another process was on the GPU during 1 of 4 trials: run again when it is alone",
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
            said(&run),
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
