//! The kernels of a GPU on the CPU: the same files, compiled by a C++ compiler with `tests/fixtures/gpu/emulator.h`.

use std::ffi::c_void;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use bench::gpu::params::KERNELS;
use bench::gpu::{Launch, Machine, Prepared};
use libloading::{Library, Symbol};

use super::fixture;

/// A GPU that is none.
pub struct Emulator {
    /// As many as it says to have.
    processors: usize,
    counts: Arc<Mutex<Counts>>,
}

/// What a machine was asked to do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    /// Lists of launches made ready.
    pub prepared: usize,
    /// Lists run.
    pub runs: usize,
    /// Times that something was copied in.
    pub writes: usize,
    /// Kernels of the last list, in order.
    pub kernels: Vec<&'static str>,
    /// Kernels that were launched by themselves, in order.
    pub launched: Vec<&'static str>,
}

type Kernel = unsafe extern "C" fn(*const u32, *const c_void);

impl Emulator {
    pub fn new(processors: usize) -> Self {
        Self { processors, counts: Arc::default() }
    }

    pub fn counts(&self) -> Arc<Mutex<Counts>> {
        self.counts.clone()
    }

    /// Runs launches once.
    ///
    /// # Safety
    /// Their addresses are of this process, of as much memory as the kernels take it to be.
    pub unsafe fn run(launches: &[Launch]) {
        static TURN: Mutex<()> = Mutex::new(());
        // Its fibers are those of one thread. A panic in between breaks nothing.
        let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        for launch in launches {
            // SAFETY: every kernel is exported as such a function.
            let kernel: Symbol<Kernel> = unsafe { library().get(launch.kernel.as_bytes()).unwrap() };
            // SAFETY: the parameters are this kernel's, and their addresses the caller's promise.
            unsafe { kernel(launch.blocks.as_ptr(), launch.params().cast()) };
        }
    }
}

impl Machine for Emulator {
    fn processors(&self) -> usize {
        self.processors
    }

    unsafe fn prepare(&self, launches: Vec<Launch>) -> candle_core::Result<Box<dyn Prepared>> {
        let mut counts = self.counts.lock().unwrap();
        counts.prepared += 1;
        counts.kernels = launches.iter().map(|launch| launch.kernel).collect();
        Ok(Box::new(Ready { launches, counts: self.counts() }))
    }

    unsafe fn launch(&self, launches: &[Launch]) -> candle_core::Result<()> {
        // SAFETY: the promise of who called this.
        unsafe { Self::run(launches) };
        self.counts.lock().unwrap().launched.extend(launches.iter().map(|launch| launch.kernel));
        Ok(())
    }
}

struct Ready {
    launches: Vec<Launch>,
    counts: Arc<Mutex<Counts>>,
}

impl Prepared for Ready {
    fn run(&self) -> candle_core::Result<()> {
        // SAFETY: the promise of who called `prepare`.
        unsafe { Emulator::run(&self.launches) };
        self.counts.lock().unwrap().runs += 1;
        Ok(())
    }

    unsafe fn write(&self, place: u64, words: &[u32]) -> candle_core::Result<()> {
        self.counts.lock().unwrap().writes += 1;
        // SAFETY: the caller's promise.
        unsafe { (place as *mut u32).copy_from_nonoverlapping(words.as_ptr(), words.len()) };
        Ok(())
    }

    unsafe fn read(&self, place: u64, words: &mut [u32]) -> candle_core::Result<()> {
        // SAFETY: the caller's promise.
        unsafe { (place as *const u32).copy_to_nonoverlapping(words.as_mut_ptr(), words.len()) };
        Ok(())
    }
}

/// The kernels, compiled once for all tests.
fn library() -> &'static Library {
    static LIBRARY: OnceLock<Library> = OnceLock::new();
    LIBRARY.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("kernels.so");
        let mut compiler = Command::new("c++");
        compiler.args(["-std=c++17", "-O2", "-shared", "-fPIC", "-Wall", "-Wextra", "-Werror", "-Wno-unknown-pragmas"]);
        // Several numbers are read and written as one, as is usual on a GPU.
        compiler.arg("-fno-strict-aliasing");
        compiler.arg("-I").arg(fixture("gpu")).args(["-x", "c++"]);
        compiler.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/gpu/kernels/kernels.cu")).arg("-o").arg(&file);
        let output = compiler.output().expect("the tests of the kernels need a C++ compiler (Debian: apt install g++)");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        // SAFETY: nothing runs when it is loaded.
        let library = unsafe { Library::new(&file).unwrap() };
        let each =
            KERNELS.iter().flat_map(|(names, length, threads)| names.iter().map(move |name| (name, length, threads)));
        for (name, length, threads) in each {
            for (what, ours) in [("parameters", *length as u32), ("threads", *threads)] {
                // SAFETY: every kernel is exported with these two beside it.
                let theirs: Symbol<extern "C" fn() -> u32> =
                    unsafe { library.get(format!("{name}_{what}").as_bytes()).unwrap() };
                assert_eq!(theirs(), ours, "{what} of {name}");
            }
        }
        library
    })
}
