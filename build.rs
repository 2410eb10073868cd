//! Tells the program which commit and which candle it is built from, so that figures can be followed by them.

use std::process::Command;

fn main() {
    #[cfg(feature = "cuda")]
    compile_kernels();
    // The sources are watched too: a build of changed files says `-dirty`.
    for path in ["build.rs", "src", "Cargo.toml", "Cargo.lock"] {
        println!("cargo::rerun-if-changed={path}");
    }
    // Grows with every commit and checkout. Outside of a repository there is none, and cargo would rebuild for ever if it were
    // told to watch a file that is not there.
    if let Some(log) =
        git(&["rev-parse", "--git-path", "logs/HEAD"]).filter(|path| std::fs::exists(path).unwrap_or(false))
    {
        println!("cargo::rerun-if-changed={log}");
    }
    if let Some(commit) = git(&["describe", "--always", "--dirty", "--exclude=*", "--abbrev=12"]) {
        println!("cargo::rustc-env=BENCH_COMMIT={commit}");
    }
    if let Some(version) = locked("candle-core") {
        println!("cargo::rustc-env=BENCH_CANDLE_VERSION={version}");
    }
}

/// Compiles the kernels to `kernels.ptx`, for the compute capability that `CUDA_COMPUTE_CAP` or the machine's own GPU says.
#[cfg(feature = "cuda")]
fn compile_kernels() {
    let folders = ["src/gpu/kernels", "src/gpu/kernels/formats"];
    let parts = folders.iter().flat_map(|folder| std::fs::read_dir(folder).into_iter().flatten().flatten());
    let parts = parts.map(|entry| entry.path()).filter(|path| path.is_file());
    // Without being told of the parts, it takes what it compiled before for what they say now.
    let kernels = cudaforge::KernelBuilder::new().source_files(["src/gpu/kernels/kernels.cu"]).watch(parts);
    let built = kernels.arg("-std=c++17").arg("-O3").arg("--expt-relaxed-constexpr").build_ptx();
    if let Err(error) = built {
        println!("cargo::error=the CUDA kernels could not be compiled: {error}");
    }
}

/// The version of a package in Cargo.lock, if there is one: a package that is built from a registry may have none.
fn locked(package: &str) -> Option<String> {
    let lock = std::fs::read_to_string("Cargo.lock").ok()?;
    let entry = lock.split("[[package]]").find(|entry| entry.contains(&format!("name = \"{package}\"\n")))?;
    let line = entry.lines().find_map(|line| line.strip_prefix("version = "))?;
    Some(line.trim_matches('"').to_owned())
}

/// What git answers, if there is a git and a repository.
fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8(output.stdout).ok()?.trim().to_owned())
}
