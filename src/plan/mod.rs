//! The plan: which trials to run, in what order, whether each candidate can run at all, and how fast it could.

#![warn(missing_docs)]

mod demand;
mod fit;
mod layout;
mod outlook;
mod roofline;
mod schedule;
mod planned;
mod transfer;
mod work;

pub use demand::{Demand, Resource};
pub use fit::{Need, PREFILL_CHUNK, Windows, cache_number_bytes, estimate, fit, longest_context, most_chats};
pub use layout::Layout;
pub use outlook::{Measured, Outlook, SERVED_CACHE_BYTES, Shape};
pub use planned::PlannedTrial;
pub use roofline::{BANDWIDTH_SHARE, FIXED_SECONDS, OPERATIONS_SHARE, Range, Roofline, USUAL_CONTEXT, Workload};
pub use schedule::{Choices, MOST_WARMUP, Position, Schedule, Suffice};
pub use transfer::{StepTime, TimeFit, Transfer};
pub use work::ForwardWork;
