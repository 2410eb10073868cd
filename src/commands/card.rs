//! A GPU before a run, in words: how it is set, and what else is on it.

use crate::telemetry::nvml::Gpu;
use crate::units::{Bytes, Known};

/// How a card is set, of which nothing is changed: `limit 72 W, clocks to 2040 and 6251 MHz, ECC on, persistence off`.
pub(super) fn settings(gpu: &Gpu) -> String {
    let switch = |on: Option<bool>| Known(on.map(|on| if on { "on" } else { "off" }));
    format!(
        "limit {} W, clocks to {} and {} MHz, ECC {}, persistence {}",
        Known(gpu.power_limit_milliwatts.map(|limit| format!("{:.0}", f64::from(limit) / 1e3))),
        Known(gpu.sm_megahertz),
        Known(gpu.memory_megahertz),
        switch(gpu.ecc),
        switch(gpu.persistence)
    )
}

/// Memory that nobody accounts for and that is not worth a word: what the driver keeps for itself is of this size.
const UNEXPLAINED: u64 = 512 << 20;

/// Who else uses a GPU: `2 processes compute on it and hold 3.00 GiB`; `None` if nobody does as far as the driver tells.
pub(super) fn occupied(gpu: &Gpu) -> Option<String> {
    let processes = gpu.processes.as_deref().unwrap_or_default();
    let held: Option<u64> = processes.iter().map(|process| process.used_bytes).sum();
    let (count, plural) = (processes.len(), processes.len() > 1);
    if count == 0 {
        let unexplained = gpu.used_bytes.filter(|bytes| *bytes > UNEXPLAINED)?;
        return Some(format!("{} are in use by what the driver does not list", Bytes(unexplained)));
    }
    let (noun, compute, hold) =
        if plural { ("processes", "compute", "hold") } else { ("process", "computes", "holds") };
    let held = held.map(|bytes| format!(" and {hold} {}", Bytes(bytes))).unwrap_or_default();
    Some(format!("{count} {noun} {compute} on it{held}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::nvml::GpuProcess;

    fn with(used_bytes: Option<u64>, held: &[Option<u64>]) -> Gpu {
        let processes = held.iter().map(|used_bytes| GpuProcess { pid: 1, used_bytes: *used_bytes }).collect();
        Gpu { used_bytes, processes: Some(processes), ..Gpu::default() }
    }

    #[test]
    fn what_a_card_is_set_to_is_told_as_far_as_it_is_known() {
        let gpu = Gpu { power_limit_milliwatts: Some(72_000), ecc: Some(true), ..Gpu::default() };
        assert_eq!(settings(&gpu), "limit 72 W, clocks to — and — MHz, ECC on, persistence —");
    }

    #[test]
    fn processes_are_counted_with_what_they_hold() {
        let gib = |count: u64| Some(count << 30);
        assert_eq!(occupied(&with(gib(4), &[gib(3)])).unwrap(), "1 process computes on it and holds 3.00 GiB");
        assert_eq!(occupied(&with(gib(4), &[gib(3), gib(1)])).unwrap(), "2 processes compute on it and hold 4.00 GiB");
        assert_eq!(occupied(&with(gib(4), &[gib(3), None])).unwrap(), "2 processes compute on it");
    }

    #[test]
    fn memory_that_nobody_accounts_for_is_said() {
        assert_eq!(
            occupied(&with(Some(3 << 30), &[])).unwrap(),
            "3.00 GiB are in use by what the driver does not list"
        );
        assert_eq!(occupied(&with(Some(300 << 20), &[])), None);
        assert_eq!(occupied(&Gpu::default()), None);
    }
}
