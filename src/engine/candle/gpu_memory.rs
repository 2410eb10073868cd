//! How much memory a GPU has, in words.

use std::fmt;

/// A GPU's memory, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GpuMemory {
    pub total: u64,
    /// What nobody holds, neither another process nor this one's pool.
    pub free: u64,
    /// The most that tensors took since the marks of its pool were taken last; `None` where the device has no pool.
    pub peak: Option<u64>,
}

impl fmt::Display for GpuMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mib = |bytes: u64| bytes >> 20;
        write!(f, "the GPU has {} MiB, {} of them free", mib(self.total), mib(self.free))?;
        match self.peak {
            Some(peak) => write!(f, ", and this model took up to {}", mib(peak)),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gpus_memory_is_told_in_whole_mebibytes() {
        let memory = GpuMemory { total: 23_034 << 20, free: (312 << 20) + 1000, peak: Some(21_500 << 20) };
        let text = "the GPU has 23034 MiB, 312 of them free, and this model took up to 21500";
        assert_eq!(memory.to_string(), text);
        assert_eq!(GpuMemory { peak: None, ..memory }.to_string(), "the GPU has 23034 MiB, 312 of them free");
    }
}
