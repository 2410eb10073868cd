//! What a model takes of a GPU's pool of memory, by phase.

use candle_core::Device;

use super::memory;
use crate::record::PoolPhases;

/// Takes the pool's marks at the end of each phase, and starts them anew for the next. Takes nothing on a CPU.
///
/// One of these moments lies between a prefill and its first token: a handful of calls for numbers that the driver's library
/// has at hand, which wait for nothing on the device.
#[derive(Default)]
pub(super) struct PoolMarks {
    phases: Option<PoolPhases>,
    decoding: bool,
}

impl PoolMarks {
    /// The model is loaded.
    pub(super) fn loaded(device: &Device) -> Self {
        let marks = memory::pool_held(device).zip(memory::take_pool_peak(device));
        let phases =
            marks.map(|(loaded, load_peak)| PoolPhases { loaded, load_peak, prefill_peak: None, decode_peak: None });
        Self { phases, decoding: false }
    }

    /// The prompt of a request is computed.
    pub(super) fn prefilled(&mut self, device: &Device) {
        self.take(device);
        self.decoding = true;
    }

    /// The request is answered, or failed in whichever phase it was.
    pub(super) fn answered(&mut self, device: &Device) {
        self.take(device);
        self.decoding = false;
    }

    pub(super) fn phases(&self) -> Option<PoolPhases> {
        self.phases
    }

    fn take(&mut self, device: &Device) {
        let Some(phases) = &mut self.phases else { return };
        let phase = if self.decoding { &mut phases.decode_peak } else { &mut phases.prefill_peak };
        if let Some(peak) = memory::take_pool_peak(device) {
            *phase = Some(phase.map_or(peak, |known| known.most(peak)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cpu_has_no_pool() {
        let mut marks = PoolMarks::loaded(&Device::Cpu);
        marks.prefilled(&Device::Cpu);
        marks.answered(&Device::Cpu);
        assert_eq!(marks.phases(), None);
    }
}
