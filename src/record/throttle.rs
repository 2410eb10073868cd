//! Throttle reasons: why a GPU's clocks are not higher, and what that makes of a trial.

use std::fmt;

use nvml_wrapper::bitmasks::device::ThrottleReasons;
use serde::{Deserialize, Serialize};

use super::Reading;

/// Too hot: the card, or its memory, is slowed down until it has cooled.
const THERMAL: ThrottleReasons = ThrottleReasons::SW_THERMAL_SLOWDOWN.union(ThrottleReasons::HW_THERMAL_SLOWDOWN);

/// At the power limit. `HW_SLOWDOWN` by itself names no cause and is also set while a clock changes: it is not among them.
const POWER: ThrottleReasons = ThrottleReasons::SW_POWER_CAP.union(ThrottleReasons::HW_POWER_BRAKE_SLOWDOWN);

/// Each bit with its name in NVML's documentation of `nvmlClocksEventReasons`.
const NAMES: [(ThrottleReasons, &str); 9] = [
    (ThrottleReasons::GPU_IDLE, "idle"),
    (ThrottleReasons::APPLICATIONS_CLOCKS_SETTING, "clocks set by a user"),
    (ThrottleReasons::SW_POWER_CAP, "software power cap"),
    (ThrottleReasons::HW_SLOWDOWN, "hardware slowdown"),
    (ThrottleReasons::SYNC_BOOST, "sync boost"),
    (ThrottleReasons::SW_THERMAL_SLOWDOWN, "software thermal slowdown"),
    (ThrottleReasons::HW_THERMAL_SLOWDOWN, "hardware thermal slowdown"),
    (ThrottleReasons::HW_POWER_BRAKE_SLOWDOWN, "hardware power brake"),
    (ThrottleReasons::DISPLAY_CLOCK_SETTING, "display clock setting"),
];

/// The names of the reasons in a reading's bits.
pub fn names(bits: u64) -> Vec<&'static str> {
    NAMES.iter().filter(|(reason, _)| reason.bits() & bits != 0).map(|(_, name)| *name).collect()
}

/// What the state of the GPU makes of a trial.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GpuVerdict {
    /// Nothing held it down, and nothing else was on it.
    Ok,
    /// Clocks were held down by the power limit: the normal state of a card like the L4, whose limit is low.
    PowerCapped,
    /// Clocks were held down by heat: the times are of the cooling, not of the candidate.
    Thermal,
    /// Another process computed on the GPU, or held its memory.
    Shared,
}

impl GpuVerdict {
    /// Of a trial's readings; `None` where they tell neither of clocks nor of processes.
    pub fn of(readings: &[Reading]) -> Option<Self> {
        let looks = || readings.iter().filter_map(|reading| reading.gpu.as_ref());
        let reasons: Vec<u64> = looks().filter_map(|look| look.throttle_reasons).collect();
        let others: Vec<usize> = looks().filter_map(|look| look.other_processes).collect();
        if reasons.is_empty() && others.is_empty() {
            return None;
        }
        let limited = |by: ThrottleReasons| reasons.iter().any(|bits| by.bits() & bits != 0);
        Some(if others.iter().any(|count| *count > 0) {
            Self::Shared
        } else if limited(THERMAL) {
            Self::Thermal
        } else if limited(POWER) {
            Self::PowerCapped
        } else {
            Self::Ok
        })
    }
}

impl fmt::Display for GpuVerdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ok => "ok",
            Self::PowerCapped => "power-capped",
            Self::Thermal => "thermal",
            Self::Shared => "shared",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::GpuReading;

    fn with(looks: &[(Option<u64>, Option<usize>)]) -> Vec<Reading> {
        let reading = |(throttle_reasons, other_processes): &(Option<u64>, Option<usize>)| Reading {
            gpu: Some(GpuReading {
                throttle_reasons: *throttle_reasons,
                other_processes: *other_processes,
                ..GpuReading::default()
            }),
            ..Reading::default()
        };
        looks.iter().map(reading).collect()
    }

    #[test]
    fn a_card_that_runs_freely_is_ok_and_an_idle_moment_is_no_fault() {
        assert_eq!(GpuVerdict::of(&with(&[(Some(1), Some(0)), (Some(0), Some(0))])), Some(GpuVerdict::Ok));
    }

    #[test]
    fn the_power_cap_and_heat_are_told_apart() {
        let capped = with(&[(Some(1), None), (Some(4), None)]);
        assert_eq!(GpuVerdict::of(&capped), Some(GpuVerdict::PowerCapped));
        for heat in [0x20, 0x40, 0x04 | 0x20, 0x08 | 0x40] {
            let hot = with(&[(Some(0), None), (Some(heat), None), (Some(0), None)]);
            assert_eq!(GpuVerdict::of(&hot), Some(GpuVerdict::Thermal), "{heat:#x}");
        }
    }

    #[test]
    fn a_slowdown_without_a_cause_is_none() {
        assert_eq!(GpuVerdict::of(&with(&[(Some(8), None)])), Some(GpuVerdict::Ok));
    }

    #[test]
    fn another_process_is_a_fault_whatever_the_clocks_did() {
        let shared = with(&[(Some(0x40), Some(0)), (None, Some(1))]);
        assert_eq!(GpuVerdict::of(&shared), Some(GpuVerdict::Shared));
    }

    #[test]
    fn what_nobody_told_is_not_called_ok() {
        assert_eq!(GpuVerdict::of(&with(&[(None, None)])), None);
        assert_eq!(GpuVerdict::of(&[Reading::default()]), None);
        assert_eq!(GpuVerdict::of(&[]), None);
    }

    #[test]
    fn every_bit_has_a_name() {
        for reason in ThrottleReasons::all() {
            assert_eq!(names(reason.bits()).len(), 1, "{reason:?}");
        }
        assert_eq!(names(0x44), ["software power cap", "hardware thermal slowdown"]);
        assert!(names(0).is_empty());
    }
}
