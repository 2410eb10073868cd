//! The beginning of a file, without the rest.

use std::sync::atomic::AtomicBool;

use bench::acquire::hub::{Hub, HubError};

use super::{Place, checkpoint};
use crate::support::hub_stand_in::{Fault, REPOSITORY};

const FILE: &str = "model.safetensors";

fn beginning(hub: &Hub, length: u64) -> Result<Vec<u8>, HubError> {
    let never = AtomicBool::new(false);
    let snapshot = hub.resolve(REPOSITORY, "main", &never)?;
    let file = snapshot.file(FILE).unwrap().clone();
    hub.beginning(&snapshot, &file, length, &never)
}

#[test]
fn as_much_is_asked_for_as_is_wanted_and_nothing_is_kept() {
    let place = Place::new(checkpoint());
    let content = place.contents.content(FILE);
    assert_eq!(beginning(&place.hub(), 1_000).unwrap(), content[..1_000]);
    // No more than there is.
    assert_eq!(beginning(&place.hub(), u64::MAX).unwrap(), content);
    assert_eq!(place.server.ranges(FILE), [Some("bytes=0-999".into()), Some(format!("bytes=0-{}", content.len() - 1))]);
    assert!(!place.blobs().exists());
}

#[test]
fn a_server_without_ranges_is_read_no_further_than_wanted() {
    let place = Place::new(checkpoint());
    place.server.once(FILE, Fault::IgnoreRange);
    assert_eq!(beginning(&place.hub(), 1_000).unwrap(), place.contents.content(FILE)[..1_000]);
}

#[test]
fn a_cut_connection_is_tried_again_and_another_part_is_refused() {
    let place = Place::new(checkpoint());
    place.server.once(FILE, Fault::CutAfter(10)).once(FILE, Fault::Status(503, &[]));
    assert_eq!(beginning(&place.hub(), 1_000).unwrap(), place.contents.content(FILE)[..1_000]);
    assert_eq!(place.waits(), [1, 2]);
    place.server.once(FILE, Fault::OtherRange);
    assert!(matches!(beginning(&place.hub(), 1_000), Err(HubError::BadResponse { .. })));
}

#[test]
fn what_is_in_the_cache_is_read_there() {
    let place = Place::new(checkpoint());
    place.pull().unwrap();
    let asked = place.server.ranges(FILE).len();
    for hub in [place.hub(), place.offline()] {
        assert_eq!(beginning(&hub, 1_000).unwrap(), place.contents.content(FILE)[..1_000]);
    }
    assert_eq!(place.server.ranges(FILE).len(), asked);
}
