//! The GPUs: what they are, who else is on them, and what of them cannot be measured.

use super::diagnosis::Diagnosis;
use crate::clock::{Clock, SystemClock};
use crate::commands::card::{occupied, settings};
use crate::record::throttle::names;
use crate::telemetry::GpuProbe;
use crate::telemetry::nvml::{self, Gpu, NvmlProbe};
use crate::units::{Bytes, Known, Seconds, UNKNOWN};

/// A line for the GPUs, and of each what stands in the way of measuring on it.
pub(super) fn diagnoses() -> Vec<Diagnosis> {
    let gpus = match nvml::gpus() {
        Ok(gpus) if gpus.is_empty() => return vec![Diagnosis::good("gpu", "none; candidates run on the CPU")],
        Ok(gpus) => gpus,
        Err(reason) => return vec![Diagnosis::good("gpu", format!("{UNKNOWN} ({reason}); candidates run on the CPU"))],
    };
    let found = gpus.iter().map(shown).collect::<Vec<_>>().join("; ");
    let gpu = if cfg!(feature = "cuda") {
        Diagnosis::good("gpu", found)
    } else {
        Diagnosis::bad("gpu", found, "this build computes on the CPU only: build with --features cuda to use it")
    };
    let mut diagnoses = vec![gpu];
    for (index, gpu) in (0..).zip(&gpus) {
        diagnoses.extend(occupied(gpu).map(|occupied| {
            let advice = "stop what need not run: trials beside another process are marked as shared";
            Diagnosis::bad("others", format!("GPU {index}: {occupied}"), advice)
        }));
        diagnoses.push(sensors(index, gpu));
    }
    diagnoses
}

fn shown(gpu: &Gpu) -> String {
    if let (None, None, [.., reason]) = (&gpu.name, gpu.memory_bytes, gpu.untold.as_slice()) {
        return format!("{UNKNOWN} for {reason}");
    }
    format!(
        "{}, {}, {} in use, driver {}, CUDA {}, {}",
        Known(gpu.name.as_ref()),
        Known(gpu.memory_bytes.map(Bytes)),
        Known(gpu.used_bytes.map(Bytes)),
        Known(gpu.driver.as_ref()),
        Known(gpu.cuda.as_ref()),
        settings(gpu)
    )
}

/// What its driver does not tell, with the reason, and how long a look takes.
fn sensors(index: u32, gpu: &Gpu) -> Diagnosis {
    let probe = match nvml::library().and_then(|library| NvmlProbe::open(library, index)) {
        Ok(probe) => probe,
        Err(reason) => return Diagnosis::good("sensors", format!("GPU {index}: {UNKNOWN} ({reason})")),
    };
    let mut untold = gpu.untold.clone();
    untold.extend(probe.untold().into_iter().filter(|more| !gpu.untold.iter().any(|known| known.what == more.what)));
    let clock = SystemClock::new();
    let look = probe.look();
    let took = Seconds(clock.now().as_secs_f64());
    let watts = look.power_milliwatts.map(|power| format!("{:.1} W", f64::from(power) / 1e3));
    let heat = look.temperature_celsius.map(|heat| format!("{heat} °C"));
    let throttled = look.throttle_reasons.map(|bits| match names(bits).join(", ") {
        names if names.is_empty() => "clocks free".to_owned(),
        names => format!("clocks held by {names}"),
    });
    let now = [Known(heat), Known(watts), Known(throttled)].map(|known| known.to_string()).join(", ");
    let told = match untold.as_slice() {
        [] => "all told".to_owned(),
        untold => format!("{UNKNOWN} for {}", untold.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")),
    };
    Diagnosis::good("sensors", format!("GPU {index}: {now}; {told}; a look takes {took}"))
}
