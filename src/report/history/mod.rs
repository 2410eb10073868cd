//! History: the stored runs, and one metric's course over them.

mod course;
mod runs;
mod series;
mod sparkline;

use jiff::Timestamp;
use jiff::tz::TimeZone;

pub use course::course;
pub use runs::runs;

fn minute(at: Timestamp, zone: &TimeZone) -> String {
    at.to_zoned_datetime(zone.clone()).strftime("%Y-%m-%d %H:%M").to_string()
}
