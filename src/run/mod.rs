//! Running: plan and engines in, trials out.

pub mod execute;
pub mod listener;
pub mod load_times;
pub mod recorder;
#[cfg(any(test, feature = "slowdown"))]
pub mod slowdown;

pub use execute::{Ended, Instruments, execute};
pub use listener::RunListener;
pub use load_times::LoadTimes;
