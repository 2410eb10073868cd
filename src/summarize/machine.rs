//! The state that the machine was in while trials ran.

use serde::Serialize;

use crate::quantile::median;
use crate::record::{GpuReading, Reading, Trial};

/// What the readings of some trials amount to; `None` is what nobody told. Clocks that are lower in one row than in another
/// are a reason not to compare the two.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct MachineState {
    /// Median over the trials of the fastest processor's clock, in MHz.
    pub cpu_megahertz: Option<f64>,
    /// Medians over all looks at the GPU.
    pub gpu_watts: Option<f64>,
    /// Clock of its multiprocessors.
    pub gpu_sm_megahertz: Option<f64>,
    /// Clock of its memory.
    pub gpu_memory_megahertz: Option<f64>,
    /// Share of the time in which some kernel ran, from 0 to 100.
    pub gpu_utilization_percent: Option<f64>,
    /// The hottest that it was seen.
    pub gpu_celsius: Option<u32>,
}

impl MachineState {
    /// Over the readings of some trials.
    pub fn of<'t>(trials: impl Iterator<Item = &'t Trial> + Clone) -> Self {
        // The first look at each is at the state before it.
        let during = || trials.clone().flat_map(|trial| trial.readings.iter().skip(1));
        let looks = || during().filter_map(|reading: &Reading| reading.gpu.as_ref());
        let of =
            |part: fn(&GpuReading) -> Option<u32>| median(&looks().filter_map(part).map(f64::from).collect::<Vec<_>>());
        Self {
            cpu_megahertz: median(&during().filter_map(|reading| reading.cpu_megahertz).collect::<Vec<_>>()),
            gpu_watts: of(|gpu| gpu.power_milliwatts).map(|power| power / 1e3),
            gpu_sm_megahertz: of(|gpu| gpu.sm_megahertz),
            gpu_memory_megahertz: of(|gpu| gpu.memory_megahertz),
            gpu_utilization_percent: of(|gpu| gpu.utilization_percent),
            gpu_celsius: looks().filter_map(|gpu| gpu.temperature_celsius).max(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::summarize::testing::text_trial;

    fn trial(looks: &[(u32, u32)], cpu_megahertz: f64) -> Trial {
        let mut trial = text_trial(200, 100, 5, "가");
        let reading = |(watts, celsius): &(u32, u32)| Reading {
            gpu: Some(GpuReading {
                power_milliwatts: Some(watts * 1000),
                temperature_celsius: Some(*celsius),
                ..GpuReading::default()
            }),
            ..Reading::default()
        };
        trial.readings = looks.iter().map(reading).collect();
        trial.readings.last_mut().unwrap().cpu_megahertz = Some(cpu_megahertz);
        trial
    }

    #[test]
    fn medians_are_over_what_was_seen_during_the_trials() {
        let trials = [trial(&[(17, 90), (70, 60), (71, 62)], 3000.0), trial(&[(17, 40), (72, 64)], 3100.0)];
        let state = MachineState::of(trials.iter());
        assert_eq!((state.gpu_watts, state.gpu_celsius, state.cpu_megahertz), (Some(71.0), Some(64), Some(3050.0)));
        assert_eq!((state.gpu_sm_megahertz, state.gpu_utilization_percent), (None, None));
    }

    #[test]
    fn on_a_cpu_nothing_is_said_of_a_gpu() {
        assert_eq!(MachineState::of([text_trial(200, 100, 5, "가")].iter()), MachineState::default());
    }
}
