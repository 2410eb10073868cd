//! History: the stored runs, and one metric's course over them.

mod course;
mod runs;
mod series;
mod sparkline;

use jiff::Timestamp;

pub use course::course;
pub use runs::runs;

/// In UTC, as the ids of runs have it.
fn minute(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%MZ").to_string()
}
