//! Servers that keep every timeout of one byte.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bench::acquire::hub::{Hub, HubError, HubSettings};

use super::{Bar, Place, checkpoint, pull};
use crate::support::hub_stand_in::{Fault, REPOSITORY, revision_address};

const MODEL: &str = "model.safetensors";

impl Place {
    /// Gives a download up that brings fewer than so many bytes in a tenth of a second.
    fn hurried(&self, bytes: u64) -> Hub {
        let mut settings = self.settings();
        settings.patience.floor = Duration::from_millis(100);
        settings.patience.floor_bytes = bytes;
        self.hub_with(settings)
    }
}

#[test]
fn a_download_slower_than_the_floor_is_begun_again_where_it_was() {
    let place = Place::new(checkpoint());
    place.server.once(MODEL, Fault::DripAfter(100_000));
    let local = pull(&place.hurried(1_000_000), None).unwrap();
    place.assert_whole(&local);
    let ranges = place.server.ranges(MODEL);
    let [None, Some(again)] = ranges.as_slice() else { panic!("{ranges:?}") };
    let from: u64 = again.strip_prefix("bytes=").unwrap().trim_end_matches('-').parse().unwrap();
    assert!((100_000..300_000).contains(&from), "{from}");
    assert_eq!(place.waits(), [1]);
}

#[test]
fn a_server_that_only_drips_is_given_up_by_its_speed() {
    let place = Place::new(checkpoint());
    place.server.always(MODEL, Fault::DripAfter(0));
    let error = pull(&place.hurried(1_000_000), None).unwrap_err();
    let HubError::GaveUp { source, .. } = &error else { panic!("{error}") };
    assert!(matches!(**source, HubError::TooSlow { bytes: 1_000_000, .. }), "{error:?}");
}

/// The floor is one of bytes that arrive, whatever the time of the whole.
#[test]
fn a_slow_download_above_the_floor_is_left_alone() {
    let place = Place::new(checkpoint());
    place.server.once(MODEL, Fault::DripAfter(299_950));
    place.assert_whole(&pull(&place.hurried(1), None).unwrap());
    assert_eq!(place.server.ranges(MODEL), [None]);
}

/// As Ctrl-C sets it.
#[test]
fn nobody_waits_for_headers_that_drip_once_the_user_wants_to_stop() {
    let place = Place::new(checkpoint());
    place.server.always(&revision_address("main"), Fault::DripHead);
    let cancel = AtomicBool::new(false);
    let error = std::thread::scope(|scope| {
        let hub = place.hub_with(HubSettings { ..place.settings() });
        let asked = scope.spawn({
            let cancel = &cancel;
            move || hub.pull(REPOSITORY, "main", None, &mut Bar::default(), cancel).unwrap_err()
        });
        while place.server.requests().is_empty() {
            std::thread::sleep(Duration::from_millis(1));
        }
        cancel.store(true, Ordering::Relaxed);
        asked.join().unwrap()
    });
    assert!(matches!(error, HubError::Cancelled), "{error:?}");
}

#[test]
fn headers_that_are_not_whole_in_time_are_a_cut() {
    let place = Place::new(checkpoint());
    place.server.always(&revision_address("main"), Fault::DripHead);
    let mut settings = place.settings();
    settings.patience.idle = Duration::from_millis(200);
    settings.patience.attempts = 2;
    let error = pull(&place.hub_with(settings), None).unwrap_err();
    let HubError::GaveUp { source, attempts: 2, .. } = &error else { panic!("{error}") };
    assert!(matches!(**source, HubError::Cut { .. }), "{error:?}");
}
