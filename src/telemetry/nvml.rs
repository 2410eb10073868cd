//! NVIDIA GPUs, as their driver's management library (NVML) tells.

use std::sync::OnceLock;

use nvml_wrapper::enum_wrappers::device::{Clock, TemperatureSensor};
use nvml_wrapper::enums::device::UsedGpuMemory;
use nvml_wrapper::error::NvmlError;
use nvml_wrapper::struct_wrappers::device::ProcessInfo;
use nvml_wrapper::{Device, Nvml};
use sha2::{Digest, Sha256};

use super::gpu::{GpuProbe, Untold};
use crate::device::DeviceName;
use crate::record::GpuReading;

/// A GPU of this machine, as it is when nobody has asked anything of it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Gpu {
    /// The driver's name for it.
    pub name: Option<String>,
    /// The beginning of the SHA-256 of its UUID: tells cards apart, and names none.
    pub uuid_hash: Option<String>,
    /// Device memory in bytes, as the driver reports it; an L4 sold with 24 GB has 23,034 MiB.
    pub memory_bytes: Option<u64>,
    /// Of that in use, by whichever process.
    pub used_bytes: Option<u64>,
    /// The most power that it may draw.
    pub power_limit_milliwatts: Option<u32>,
    /// The highest clocks that it can have.
    pub sm_megahertz: Option<u32>,
    /// Likewise of its memory.
    pub memory_megahertz: Option<u32>,
    /// Error-correcting memory is on, which takes some of its bandwidth.
    pub ecc: Option<bool>,
    /// The driver stays loaded while nothing runs; without it the first call of each process waits for it.
    pub persistence: Option<bool>,
    /// Processes that compute on it.
    pub processes: Option<Vec<GpuProcess>>,
    /// The version of the driver.
    pub driver: Option<String>,
    /// Newest CUDA that the driver runs: `12.4`.
    pub cuda: Option<String>,
    /// What is not known of it, and why.
    pub untold: Vec<Untold>,
}

/// A process on a GPU.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GpuProcess {
    /// As the host numbers it: in a container that is another number than the process itself knows.
    pub pid: u32,
    /// Device memory that it has; `None` where the driver hides that.
    pub used_bytes: Option<u64>,
}

/// The driver's library, loaded and initialised once; an error says why there is none (no driver, no permission).
///
/// # Errors
/// The library's own message.
pub fn library() -> Result<&'static Nvml, String> {
    static LIBRARY: OnceLock<Result<Nvml, String>> = OnceLock::new();
    LIBRARY.get_or_init(|| Nvml::init().map_err(|error| error.to_string())).as_ref().map_err(Clone::clone)
}

/// The GPUs of this machine.
///
/// # Errors
/// Why none is known.
pub fn gpus() -> Result<Vec<Gpu>, String> {
    listed(library()?)
}

/// The GPUs that a library knows, in its order, which is that of the PCI bus.
///
/// # Errors
/// The library's own message, if it cannot even count them.
pub fn listed(library: &Nvml) -> Result<Vec<Gpu>, String> {
    let count = library.device_count().map_err(|error| error.to_string())?;
    Ok((0..count).map(|index| gpu(library, index)).collect())
}

/// One GPU, with what could not be told of it.
fn gpu(library: &Nvml, index: u32) -> Gpu {
    let mut untold = Vec::new();
    let mut told = Told(&mut untold);
    let driver = told.of("driver", library.sys_driver_version());
    let cuda = told.of("CUDA version", library.sys_cuda_driver_version());
    let cuda = cuda.map(|version| format!("{}.{}", version / 1000, version % 1000 / 10));
    let Some(device) = told.of("anything of the GPU", library.device_by_index(index)) else {
        return Gpu { driver, cuda, untold, ..Gpu::default() };
    };
    let memory = told.of("memory", device.memory_info());
    Gpu {
        name: told.of("name", device.name()),
        uuid_hash: told.of("UUID", device.uuid()).map(|uuid| hash(&uuid)),
        memory_bytes: memory.as_ref().map(|memory| memory.total),
        used_bytes: memory.as_ref().map(|memory| memory.used),
        power_limit_milliwatts: told.of("power limit", device.enforced_power_limit()),
        sm_megahertz: told.of("highest SM clock", device.max_clock_info(Clock::SM)),
        memory_megahertz: told.of("highest memory clock", device.max_clock_info(Clock::Memory)),
        ecc: told.of("ECC", device.is_ecc_enabled()).map(|state| state.currently_enabled),
        persistence: told.of("persistence mode", device.is_in_persistent_mode()),
        processes: told.of("processes", processes(&device)),
        driver,
        cuda,
        untold,
    }
}

/// 64 bits of the hash: enough to tell any two cards apart.
fn hash(uuid: &str) -> String {
    Sha256::digest(uuid).iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

/// Collects what a library does not tell.
struct Told<'a>(&'a mut Vec<Untold>);

impl Told<'_> {
    fn of<T>(&mut self, what: &'static str, answer: Result<T, NvmlError>) -> Option<T> {
        answer.map_err(|error| self.0.push(Untold { what, reason: error.to_string() })).ok()
    }
}

/// Processes may start between the call that counts them and the one that lists them: it is asked again so many times.
const ATTEMPTS: usize = 3;

fn processes(device: &Device) -> Result<Vec<GpuProcess>, NvmlError> {
    let mut listed = device.running_compute_processes();
    for _ in 1..ATTEMPTS {
        if !matches!(listed, Err(NvmlError::InsufficientSize(_))) {
            break;
        }
        listed = device.running_compute_processes();
    }
    Ok(listed?.iter().map(GpuProcess::of).collect())
}

impl GpuProcess {
    fn of(info: &ProcessInfo) -> Self {
        let used_bytes = match info.used_gpu_memory {
            UsedGpuMemory::Used(bytes) => Some(bytes),
            UsedGpuMemory::Unavailable => None,
        };
        Self { pid: info.pid, used_bytes }
    }
}

/// Where the library has the GPU that CUDA calls `cuda:N`.
fn locate(library: &Nvml, device: &str) -> Result<u32, String> {
    let devices: Vec<Option<Device>> = (0..library.device_count().map_err(|error| error.to_string())?)
        .map(|index| library.device_by_index(index).ok())
        .collect();
    let names: Vec<_> = devices.iter().map(|device| device.as_ref()?.name().ok()).collect();
    let uuids: Vec<_> = devices.iter().map(|device| device.as_ref()?.uuid().ok()).collect();
    let variable = |name| std::env::var(name).ok();
    let by_bus = variable("CUDA_DEVICE_ORDER").is_some_and(|order| order == "PCI_BUS_ID");
    place(device, &names, &uuids, variable("CUDA_VISIBLE_DEVICES").as_deref(), by_bus)
}

/// CUDA numbers only those that `CUDA_VISIBLE_DEVICES` names, the fastest first unless `CUDA_DEVICE_ORDER` says otherwise;
/// NVML numbers all, by their place on the bus.
fn place(
    device: &str,
    names: &[Option<String>],
    uuids: &[Option<String>],
    visible: Option<&str>,
    by_bus: bool,
) -> Result<u32, String> {
    let Ok(DeviceName::Cuda(ordinal)) = device.parse::<DeviceName>() else {
        return Err(format!("`{device}` is no CUDA device"));
    };
    let none = || format!("the driver lists no `{device}`");
    let entry = match visible {
        Some(visible) => visible.split(',').map(str::trim).nth(ordinal).ok_or_else(none)?.to_owned(),
        None => ordinal.to_string(),
    };
    // An empty list shows none.
    if entry.is_empty() {
        return Err(none());
    }
    let index = match entry.parse::<usize>() {
        Ok(_) if !by_bus && names.windows(2).any(|pair| pair[0] != pair[1]) => {
            let why = "the GPUs are of several kinds, and CUDA counts the fastest first";
            return Err(format!("{why}: set CUDA_DEVICE_ORDER=PCI_BUS_ID"));
        }
        Ok(index) => Some(index).filter(|index| *index < names.len()),
        // The beginning of a UUID is enough for CUDA.
        Err(_) => uuids.iter().position(|uuid| uuid.as_ref().is_some_and(|uuid| uuid.starts_with(&entry))),
    };
    index.and_then(|index| u32::try_from(index).ok()).ok_or_else(none)
}

/// The GPU that CUDA calls `cuda:N`.
///
/// # Errors
/// Why nothing is known of it.
pub fn of_device(device: &str) -> Result<Gpu, String> {
    let library = library()?;
    Ok(gpu(library, locate(library, device)?))
}

/// Asks the driver's library about one GPU.
pub struct NvmlProbe {
    device: Device<'static>,
    /// Processes that were on the GPU before this one was.
    before: Vec<u32>,
}

impl NvmlProbe {
    /// To be opened before this process computes on the GPU: who is there already is another.
    ///
    /// # Errors
    /// The library's own message.
    pub fn open(library: &'static Nvml, index: u32) -> Result<Self, String> {
        let device = library.device_by_index(index).map_err(|error| error.to_string())?;
        let before = processes(&device).unwrap_or_default().iter().map(|process| process.pid).collect();
        Ok(Self { device, before })
    }

    /// The same for the GPU that CUDA calls `cuda:N`.
    ///
    /// # Errors
    /// Why nothing is known of it.
    pub fn of_device(device: &str) -> Result<Self, String> {
        let library = library()?;
        Self::open(library, locate(library, device)?)
    }

    fn ask(&self, untold: &mut Vec<Untold>) -> GpuReading {
        let (device, mut told) = (&self.device, Told(untold));
        let processes = told.of("processes", processes(device));
        let (own, others) =
            processes.map_or((None, None), |processes| own_and_others(&processes, std::process::id(), &self.before));
        GpuReading {
            used_bytes: told.of("memory", device.memory_info()).map(|memory| memory.used),
            process_bytes: own,
            other_processes: others,
            power_milliwatts: told.of("power", device.power_usage()),
            energy_millijoules: told.of("energy counter", device.total_energy_consumption()),
            temperature_celsius: told.of("temperature", device.temperature(TemperatureSensor::Gpu)),
            sm_megahertz: told.of("SM clock", device.clock_info(Clock::SM)),
            memory_megahertz: told.of("memory clock", device.clock_info(Clock::Memory)),
            utilization_percent: told.of("utilization", device.utilization_rates()).map(|rates| rates.gpu),
            throttle_reasons: told.of("throttle reasons", device.current_throttle_reasons()).map(|bits| bits.bits()),
        }
    }
}

impl GpuProbe for NvmlProbe {
    fn look(&self) -> GpuReading {
        self.ask(&mut Vec::new())
    }

    fn untold(&self) -> Vec<Untold> {
        let mut untold = Vec::new();
        self.ask(&mut untold);
        untold
    }
}

/// Out of the processes on a GPU: the memory of this one, and how many others there are.
///
/// In a container the driver lists the host's numbers, and this process does not know its own: then it is the one that was
/// not there before it began, if that is only one. A list without this process is not a list of all, and tells nothing.
fn own_and_others(listed: &[GpuProcess], own: u32, before: &[u32]) -> (Option<u64>, Option<usize>) {
    let mut new = listed.iter().filter(|process| !before.contains(&process.pid));
    let by_number = listed.iter().find(|process| process.pid == own);
    let own = by_number.or_else(|| new.next().filter(|_| new.next().is_none()));
    (own.and_then(|process| process.used_bytes), own.map(|_| listed.len() - 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(names: &[&str]) -> Vec<Option<String>> {
        names.iter().map(|name| Some((*name).to_owned())).collect()
    }

    #[test]
    fn cuda_counts_only_what_it_may_see() {
        let (names, uuids) = (named(&["L4", "L4", "L4"]), named(&["GPU-aa11", "GPU-ab22", "GPU-cc33"]));
        let place = |device, visible| place(device, &names, &uuids, visible, false);
        assert_eq!((place("cuda", None), place("cuda:2", None)), (Ok(0), Ok(2)));
        assert_eq!((place("cuda:0", Some("2,0")), place("cuda:1", Some("2, 0"))), (Ok(2), Ok(0)));
        assert_eq!(place("cuda", Some("GPU-ab")), Ok(1));
        for (device, visible) in
            [("cuda:3", None), ("cuda:1", Some("0")), ("cuda", Some("-1")), ("cuda", Some("MIG-x"))]
        {
            assert_eq!(place(device, visible), Err(format!("the driver lists no `{device}`")), "{visible:?}");
        }
        assert_eq!(place("cuda0", None), Err("`cuda0` is no CUDA device".into()));
    }

    #[test]
    fn which_of_several_kinds_is_the_fastest_is_not_guessed() {
        let (names, uuids) = (named(&["T4", "L4"]), named(&["GPU-a", "GPU-b"]));
        let unknown = place("cuda:0", &names, &uuids, None, false).unwrap_err();
        assert!(unknown.contains("CUDA_DEVICE_ORDER=PCI_BUS_ID"), "{unknown}");
        assert_eq!(place("cuda:1", &names, &uuids, None, true), Ok(1));
        assert_eq!(place("cuda:0", &names, &uuids, Some("GPU-b"), false), Ok(1));
    }

    #[test]
    fn another_process_is_told_from_this_one() {
        let process = |pid| GpuProcess { pid, used_bytes: Some(u64::from(pid) << 20) };
        let listed = [process(7), process(8)];
        assert_eq!(own_and_others(&listed, 7, &[8]), (Some(7 << 20), Some(1)));
        assert_eq!(own_and_others(&listed[..1], 7, &[]), (Some(7 << 20), Some(0)));
    }

    #[test]
    fn in_a_container_this_process_is_the_one_that_came() {
        let process = |pid| GpuProcess { pid, used_bytes: Some(u64::from(pid)) };
        let listed = [process(7), process(8), process(9)];
        assert_eq!(own_and_others(&listed, 1, &[7, 8]), (Some(9), Some(2)));
        assert_eq!(own_and_others(&listed, 1, &[7]), (None, None), "two came");
        assert_eq!(own_and_others(&listed[..2], 1, &[7, 8]), (None, None), "it is hidden");
        assert_eq!(own_and_others(&[], 1, &[]), (None, None), "nothing is listed");
    }
}
