//! Memory in use while a trial ran, by phase.

use crate::record::{Reading, Trial};

/// The most memory that was seen in use during each phase of a trial, in bytes, what was in use before the load included;
/// lower is better. Of the device on a GPU, of the process on a CPU.
///
/// Seen, not peaked: what came and went between two looks is not in it. `None` for a phase that was over before anybody
/// looked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct MemoryPhases {
    /// While the prompt was computed.
    pub prefill_bytes: Option<u64>,
    /// From then on to the end.
    pub decode_bytes: Option<u64>,
    /// Held by this process on the GPU in any phase, where the driver tells.
    pub process_bytes: Option<u64>,
}

impl MemoryPhases {
    /// By a trial's readings; empty where they have no memory.
    pub fn of(trial: &Trial) -> Self {
        let most = |readings: &[&Reading]| readings.iter().filter_map(|reading| in_use(reading)).max();
        let process_bytes = trial.readings.iter().filter_map(|reading| reading.gpu.as_ref()?.process_bytes).max();
        let Some(prefilled) = trial.timeline.prefilled_ns else { return Self { process_bytes, ..Self::default() } };
        // The first look is at the state before the request.
        let (prefill, decode): (Vec<&Reading>, Vec<&Reading>) =
            trial.readings.iter().skip(1).partition(|reading| reading.at_ns <= prefilled);
        Self { prefill_bytes: most(&prefill), decode_bytes: most(&decode), process_bytes }
    }
}

fn in_use(reading: &Reading) -> Option<u64> {
    match &reading.gpu {
        // What the process holds on the host says nothing of the device.
        Some(gpu) => gpu.used_bytes,
        None => reading.resident_bytes,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::GpuReading;
    use crate::summarize::testing;

    const MS: u64 = 1_000_000;

    /// Prefilled after 200 ms, the last of 5 tokens after 600 ms.
    fn trial(readings: impl IntoIterator<Item = Reading>) -> Trial {
        let mut trial = testing::text_trial(200, 100, 5, "가");
        trial.readings = readings.into_iter().collect();
        trial
    }

    fn host((at_ms, bytes): (u64, u64)) -> Reading {
        Reading { at_ns: at_ms * MS, resident_bytes: Some(bytes), ..Reading::default() }
    }

    fn device((at_ms, used, own): (u64, u64, Option<u64>)) -> Reading {
        let gpu = GpuReading { used_bytes: Some(used), process_bytes: own, ..GpuReading::default() };
        Reading { gpu: Some(gpu), ..host((at_ms, 99_999)) }
    }

    #[test]
    fn each_phase_has_its_own_peak() {
        let found = MemoryPhases::of(&trial([(0, 9), (100, 50), (200, 40), (300, 30), (610, 20)].map(host)));
        let expected = MemoryPhases { prefill_bytes: Some(50), decode_bytes: Some(30), process_bytes: None };
        assert_eq!(found, expected);
    }

    #[test]
    fn on_a_gpu_it_is_the_devices_and_the_host_says_nothing() {
        let looks = [(0, 10, Some(1)), (100, 50, Some(40)), (300, 70, Some(60))];
        let found = MemoryPhases::of(&trial(looks.map(device)));
        let expected = MemoryPhases { prefill_bytes: Some(50), decode_bytes: Some(70), process_bytes: Some(60) };
        assert_eq!(found, expected);
        let lost = Reading { gpu: Some(GpuReading::default()), ..host((300, 5)) };
        assert_eq!(MemoryPhases::of(&trial([host((0, 5)), lost])), MemoryPhases::default());
    }

    #[test]
    fn a_phase_that_nobody_saw_is_unknown() {
        let found = MemoryPhases::of(&trial([(0, 9), (300, 30)].map(host)));
        assert_eq!((found.prefill_bytes, found.decode_bytes), (None, Some(30)));
        assert_eq!(MemoryPhases::of(&trial([])), MemoryPhases::default());
    }
}
