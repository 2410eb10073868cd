//! Devices by name: `cpu`, `cuda`, `cuda:N`.

#![warn(missing_docs)]

use std::fmt;
use std::str::FromStr;

/// What the user, a stored run or a baseline names as what computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeviceName {
    /// The host's processors.
    Cpu,
    /// The GPU that CUDA gives this number, which need not be the driver's.
    Cuda(usize),
}

/// Why a word names no device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DeviceNameError {
    /// What stands after `cuda:` is no number.
    #[error("`cuda:N` needs a number")]
    Ordinal,
    /// Another word.
    #[error("it is neither `cpu` nor `cuda` nor `cuda:N`")]
    Unknown,
}

impl FromStr for DeviceName {
    type Err = DeviceNameError;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        match word.split_once(':') {
            None if word == "cpu" => Ok(Self::Cpu),
            None if word == "cuda" => Ok(Self::Cuda(0)),
            Some(("cuda", ordinal)) => ordinal.parse().map(Self::Cuda).map_err(|_| DeviceNameError::Ordinal),
            _ => Err(DeviceNameError::Unknown),
        }
    }
}

impl fmt::Display for DeviceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cpu => f.write_str("cpu"),
            Self::Cuda(ordinal) => write!(f, "cuda:{ordinal}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_is_the_cpu_or_a_gpu_by_cudas_number() {
        assert_eq!("cpu".parse(), Ok(DeviceName::Cpu));
        assert_eq!(("cuda".parse(), "cuda:2".parse()), (Ok(DeviceName::Cuda(0)), Ok(DeviceName::Cuda(2))));
        for word in ["cuda:", "cuda:x", "cuda:-1", "cuda:1:2"] {
            assert_eq!(word.parse::<DeviceName>(), Err(DeviceNameError::Ordinal), "{word}");
        }
        for word in ["", "cpu:0", "cuda0", "CUDA", "metal"] {
            assert_eq!(word.parse::<DeviceName>(), Err(DeviceNameError::Unknown), "{word}");
        }
    }

    #[test]
    fn what_is_printed_names_the_same_device() {
        for device in [DeviceName::Cpu, DeviceName::Cuda(0), DeviceName::Cuda(3)] {
            assert_eq!(device.to_string().parse(), Ok(device));
        }
    }
}
