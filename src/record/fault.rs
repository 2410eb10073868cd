//! Faults: what makes the times of a trial others than the candidate's.

use serde::{Deserialize, Serialize};

use super::{GpuVerdict, Reading};

/// What makes a trial invalid: it is run once more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// See [`GpuVerdict::Thermal`].
    Thermal,
    /// See [`GpuVerdict::Shared`].
    Shared,
    /// This process did not run for a while: somebody stopped it (SIGSTOP, a debugger), or the machine was suspended.
    Stopped,
}

impl Fault {
    /// Of a trial's readings; `None` where its times are the candidate's.
    pub fn of(readings: &[Reading]) -> Option<Self> {
        if stopped_seconds(readings).is_some() {
            return Some(Self::Stopped);
        }
        match GpuVerdict::of(readings)? {
            GpuVerdict::Thermal => Some(Self::Thermal),
            GpuVerdict::Shared => Some(Self::Shared),
            GpuVerdict::PowerCapped | GpuVerdict::Ok => None,
        }
    }
}

/// A look that comes later than this was kept from coming. The scheduler of a busy machine lets a thread that sleeps run within
/// some tens of milliseconds, and a processor quota within its period of a hundred.
const LATE_SECONDS: f64 = 0.5;

/// A process that ran computed for more than this share of the time.
const IDLE_SHARE: f64 = 0.25;

/// For how long this process did not run during a trial, in seconds: the longest delay of a look during which the process used no
/// processor time, or the time that the machine was suspended. `None` where it ran throughout, and where the system does not tell.
///
/// A slow step of the engine delays no look, because another thread takes it; a thread that finds no free processor is delayed
/// while its process computes.
pub fn stopped_seconds(readings: &[Reading]) -> Option<f64> {
    let held = readings.windows(2).filter_map(|pair| {
        let late = pair[1].late_ns? as f64 / 1e9;
        let used = pair[1].cpu_seconds? - pair[0].cpu_seconds?;
        (late > LATE_SECONDS && used < IDLE_SHARE * late).then_some(late)
    });
    held.chain(suspended_seconds(readings)).max_by(f64::total_cmp)
}

/// The clock that says how long the machine is up goes on while it is suspended, and the one of timelines does not
/// (man 2 clock_gettime: CLOCK_BOOTTIME, CLOCK_MONOTONIC).
fn suspended_seconds(readings: &[Reading]) -> Option<f64> {
    let (first, last) = (readings.first()?, readings.last()?);
    let up = last.uptime_seconds? - first.uptime_seconds?;
    let awake = last.at_ns.checked_sub(first.at_ns)? as f64 / 1e9;
    Some(up - awake).filter(|asleep| *asleep > LATE_SECONDS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::GpuReading;

    /// Looks a second apart, each this many milliseconds late, with the processor time used so far.
    fn looks(looks: &[(u64, f64)]) -> Vec<Reading> {
        let look = |(index, (late_ms, cpu_seconds)): (u64, &(u64, f64))| Reading {
            at_ns: index * 1_000_000_000,
            late_ns: Some(late_ms * 1_000_000).filter(|late| *late > 0),
            cpu_seconds: Some(*cpu_seconds),
            ..Reading::default()
        };
        (0..).zip(looks).map(look).collect()
    }

    #[test]
    fn a_process_that_did_nothing_while_its_look_was_due_was_stopped() {
        assert_eq!(stopped_seconds(&looks(&[(0, 1.0), (4_000, 1.1), (0, 1.3)])), Some(4.0));
        assert_eq!(Fault::of(&looks(&[(0, 1.0), (4_000, 1.1)])), Some(Fault::Stopped));
    }

    #[test]
    fn one_that_computed_meanwhile_or_was_hardly_late_was_not() {
        assert_eq!(stopped_seconds(&looks(&[(0, 1.0), (4_000, 4.0)])), None);
        assert_eq!(stopped_seconds(&looks(&[(0, 1.0), (300, 1.0), (400, 1.0)])), None);
        assert_eq!(stopped_seconds(&[]), None);
    }

    #[test]
    fn a_machine_that_slept_was_up_for_longer_than_the_trial_took() {
        let mut readings = looks(&[(0, 1.0), (0, 2.0), (0, 3.0)]);
        readings[0].uptime_seconds = Some(100.0);
        readings[2].uptime_seconds = Some(102.1);
        assert_eq!(stopped_seconds(&readings), None, "it is told in hundredths of a second");
        readings[2].uptime_seconds = Some(702.0);
        assert_eq!(stopped_seconds(&readings), Some(600.0));
    }

    #[test]
    fn heat_and_another_process_on_the_gpu_are_faults_and_the_power_limit_is_none() {
        let of = |throttle_reasons, other_processes| {
            let gpu = GpuReading { throttle_reasons, other_processes, ..GpuReading::default() };
            Fault::of(&[Reading { gpu: Some(gpu), ..Reading::default() }])
        };
        assert_eq!((of(Some(0x20), None), of(None, Some(1))), (Some(Fault::Thermal), Some(Fault::Shared)));
        assert_eq!((of(Some(4), None), of(Some(0), Some(0))), (None, None));
    }
}
