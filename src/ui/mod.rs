//! Talking to the person: answers on standard output, talk on standard error.

mod heartbeat;
mod printer;
mod progress;

pub use printer::Printer;
pub use progress::{DownloadProgress, PassProgress, RowWork, RunProgress, joined_plainly, slower, split_by_default};
