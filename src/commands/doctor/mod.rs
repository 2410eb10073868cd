//! `bench doctor`: what this machine and build have, and what to do about what they lack.

mod diagnosis;
mod gpu;

use std::path::Path;

use super::status::Status;
use crate::acquire::hub::{Hub, HubError};
use crate::causes::chain;
use crate::cli;
use crate::error::Error;
use crate::record::Environment;
use crate::telemetry::{environment, host};
use crate::ui::Printer;
use crate::units::{Bytes, UNKNOWN, counted};

use diagnosis::Diagnosis;

pub(super) fn run(args: &cli::Doctor, printer: &Printer) -> Result<Status, Error> {
    let environment = environment::detect("cpu", host::threads());
    let mut diagnoses = vec![build(&environment), cpu(&environment), memory()];
    diagnoses.extend(gpu::diagnoses());
    match Hub::from_env() {
        Ok(hub) => diagnoses.extend(of_hub(&hub)),
        Err(error) => diagnoses.push(Diagnosis::bad("hub", chain(&error), hint(&error))),
    }
    diagnoses.push(results(&args.results.results));

    let width = diagnoses.iter().map(|diagnosis| diagnosis.what.len()).max().unwrap_or_default();
    let mut text = String::new();
    for diagnosis in &diagnoses {
        let mark = if diagnosis.advice.is_some() { '!' } else { ' ' };
        text.push_str(&format!("{mark} {:width$}  {}\n", diagnosis.what, diagnosis.found));
        if let Some(advice) = &diagnosis.advice {
            text.push_str(&format!("  {:width$}  → {advice}\n", ""));
        }
    }
    printer.answer(&text)?;
    Ok(Status::Yes)
}

fn build(environment: &Environment) -> Diagnosis {
    let features =
        if environment.build_features.is_empty() { "none".into() } else { environment.build_features.join(", ") };
    let kind = if environment.debug_build { "debug" } else { "release" };
    let candle = environment.candle_version.as_deref().unwrap_or(UNKNOWN);
    let found = format!("bench {}, {kind} build, candle {candle}, features: {features}", environment.program_version);
    if environment.debug_build {
        return Diagnosis::bad("build", found, "build with --release: the speeds of a debug build mean nothing");
    }
    Diagnosis::good("build", found)
}

fn cpu(environment: &Environment) -> Diagnosis {
    let system = environment
        .kernel
        .as_deref()
        .map_or(environment.os.clone(), |kernel| format!("{}, kernel {kernel}", environment.os));
    let container = environment.container.as_deref().filter(|kind| *kind != "none");
    let container = container.map(|kind| format!(", in a container ({kind})")).unwrap_or_default();
    Diagnosis::good(
        "cpu",
        format!("{}, {}; {system}{container}", environment.cpu, counted(environment.threads, "thread")),
    )
}

fn memory() -> Diagnosis {
    let total = host::total_bytes().map_or(UNKNOWN.to_owned(), |bytes| Bytes(bytes).to_string());
    let limit = host::memory_limit_bytes().map(|limit| format!(", limited to {}", Bytes(limit))).unwrap_or_default();
    let Some(available) = host::available_bytes() else {
        return Diagnosis::bad(
            "memory",
            total,
            "the system does not tell how much is free: nothing is checked before it runs",
        );
    };
    let found = format!("{total}{limit}, {} free", Bytes(available));
    // A 7B model takes about 4.4 GB at 4 bits, and its cache and working memory are beside it.
    if available < 6 << 30 {
        return Diagnosis::bad(
            "memory",
            found,
            "a 7B candidate at 4 bits needs about 6 GiB: close programs, or compare smaller ones",
        );
    }
    Diagnosis::good("memory", found)
}

fn of_hub(hub: &Hub) -> Vec<Diagnosis> {
    let settings = hub.settings();
    let endpoint = if settings.offline {
        Diagnosis::bad("hub", format!("{}, offline", settings.endpoint), "unset HF_HUB_OFFLINE to download candidates")
    } else {
        Diagnosis::good("hub", settings.endpoint.to_string())
    };
    let token = match &settings.token {
        Some(_) => Diagnosis::good("token", "set (not shown)"),
        None => Diagnosis::bad(
            "token",
            "none",
            "gated candidates (Llama, Gemma) need one: accept the licence on the repository's page and set HF_TOKEN",
        ),
    };
    let free = hub.free_bytes();
    let found = format!(
        "{}, {} free on its disk",
        settings.cache.display(),
        free.map_or(UNKNOWN.into(), |b| Bytes(b).to_string())
    );
    let cache = match free {
        // The candidates of models.toml that fit a card take about this much in 16 bits.
        Some(free) if free < 150 << 30 => Diagnosis::bad(
            "cache",
            found,
            "all shipped candidates take about 150 GiB: set HF_HOME to a larger disk, or pull fewer",
        ),
        _ => Diagnosis::good("cache", found),
    };
    vec![endpoint, token, cache]
}

fn results(folder: &Path) -> Diagnosis {
    let existing = folder.ancestors().find(|path| path.exists()).unwrap_or(Path::new("."));
    let writable = tempfile_in(existing);
    let found = format!("{}", folder.display());
    match writable {
        Ok(()) => Diagnosis::good("results", found),
        Err(error) => Diagnosis::bad(
            "results",
            format!("{found}: {error}"),
            "name a folder that can be written to with --results",
        ),
    }
}

/// Whether a file can be made in a folder: made, and removed again.
fn tempfile_in(folder: &Path) -> std::io::Result<()> {
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let path = folder.join(format!(".bench-doctor-{}", std::process::id()));
    std::fs::File::create_new(&path)?;
    std::fs::remove_file(&path)
}

fn hint(error: &HubError) -> String {
    error.hint().unwrap_or_else(|| "see the variables HF_ENDPOINT, HF_HOME and HF_TOKEN".into())
}
