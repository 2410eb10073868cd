//! What runs kernels, whichever it is.

use super::launch::Launch;

/// What runs kernels.
pub trait Machine {
    /// Processors that blocks are dealt out to.
    fn processors(&self) -> usize;

    /// Makes launches ready to be run, one after another, again and again.
    ///
    /// # Safety
    /// The addresses in them are of this machine, of memory that lives as long as what is given back, and as large as the
    /// kernels take it to be.
    ///
    /// # Errors
    /// What keeps the machine from it.
    unsafe fn prepare(&self, launches: Vec<Launch>) -> candle_core::Result<Box<dyn Prepared>>;

    /// Queues launches behind what was queued before, once.
    ///
    /// # Safety
    /// The addresses in them are of this machine, of memory that lives until all that is queued now is done, and as large as
    /// the kernels take it to be.
    ///
    /// # Errors
    /// What the machine says.
    unsafe fn launch(&self, launches: &[Launch]) -> candle_core::Result<()>;
}

/// Launches that are ready.
pub trait Prepared {
    /// Queues all of them behind what was queued before.
    ///
    /// # Errors
    /// What the machine says.
    fn run(&self) -> candle_core::Result<()>;

    /// Copies words into the machine's memory, behind what was queued.
    ///
    /// # Safety
    /// So many words of this machine's lie there.
    ///
    /// # Errors
    /// What the machine says.
    unsafe fn write(&self, place: u64, words: &[u32]) -> candle_core::Result<()>;

    /// Waits for what was queued, and copies words out of the machine's memory.
    ///
    /// # Safety
    /// So many words of this machine's lie there.
    ///
    /// # Errors
    /// What the machine says.
    unsafe fn read(&self, place: u64, words: &mut [u32]) -> candle_core::Result<()>;
}
