//! The pick: what to know of the recommended row before it is deployed.

use super::note::Kind;
use crate::record::Run;
use crate::summarize::RowSummary;

pub(super) fn notes(run: &Run, pick: &RowSummary) -> Vec<Kind> {
    let device = || run.environment.device_name.clone();
    let cold_start = pick.cold_start.map(Kind::ColdStart);
    let capacity = pick.capacity.map(|capacity| Kind::Capacity { device: device(), capacity });
    cold_start.into_iter().chain(capacity).collect()
}
