//! What happens to a download that does not go through at once.

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bench::acquire::hub::{FetchProgress, HubError};

use super::{Bar, Place, checkpoint, pull, weights};
use crate::support::hub_stand_in::{Contents, Fault, REPOSITORY, git_blob_hash, revision_address, sha256};

const CONFIG: &str = "config.json";
const MODEL: &str = "model.safetensors";

fn from(byte: u64) -> Option<String> {
    Some(format!("bytes={byte}-"))
}

#[test]
fn a_cut_download_goes_on_from_the_received_byte() {
    let place = Place::new(checkpoint());
    place.server.once(MODEL, Fault::CutAfter(100_000));
    let local = place.pull().unwrap();
    place.assert_whole(&local);
    assert_eq!(place.server.ranges(MODEL), [None, from(100_000)]);
    assert_eq!(place.waits(), [1]);
}

#[test]
fn a_download_cut_twice_goes_on_twice() {
    let place = Place::new(checkpoint());
    place.server.once(MODEL, Fault::CutAfter(100_000)).once(MODEL, Fault::CutAfter(50_000));
    place.assert_whole(&place.pull().unwrap());
    assert_eq!(place.server.ranges(MODEL), [None, from(100_000), from(150_000)]);
    assert_eq!(place.waits(), [1, 2]);
}

#[test]
fn a_stalled_download_goes_on_after_the_idle_limit() {
    let place = Place::new(checkpoint());
    place.server.once(MODEL, Fault::StallAfter(100_000));
    let mut settings = place.settings();
    // Longer than a busy machine leaves the stand-in without a turn.
    settings.patience.idle = Duration::from_secs(1);
    place.assert_whole(&pull(&place.hub_with(settings), None).unwrap());
    assert_eq!(place.server.ranges(MODEL), [None, from(100_000)]);
}

#[test]
fn it_gives_up_after_a_bounded_number_of_cuts_and_keeps_the_part() {
    let place = Place::new(checkpoint());
    place.server.always(MODEL, Fault::CutAfter(1_000));
    let error = place.pull().unwrap_err();
    assert!(matches!(error, HubError::GaveUp { attempts: 6, .. }), "{error:?}");
    assert_eq!(place.waits(), [1, 2, 4, 8, 16]);
    assert_eq!(fs::read(place.part(MODEL)).unwrap(), weights(300_000)[..6_000]);

    place.server.heal();
    place.assert_whole(&place.pull().unwrap());
    assert_eq!(place.server.ranges(MODEL).last(), Some(&from(6_000)));
}

#[test]
fn a_part_of_an_earlier_run_is_hashed_along_and_not_fetched_again() {
    let place = Place::new(checkpoint());
    fs::create_dir_all(place.blobs()).unwrap();
    fs::write(place.part(MODEL), &weights(300_000)[..299_000]).unwrap();
    let (hub, never) = (place.hub(), AtomicBool::new(false));
    let snapshot = hub.resolve(REPOSITORY, "main", &never).unwrap();
    let files = hub.wanted(&snapshot, None, &never).unwrap();
    assert_eq!(hub.missing_bytes(&snapshot, &files), 1_000 + 23);

    let mut bar = Bar::default();
    let local = hub.fetch(&snapshot, &files, &mut bar, &never).unwrap();
    place.assert_whole(&local);
    assert_eq!(place.server.ranges(MODEL), [from(299_000)]);
    let names = vec![CONFIG.to_owned(), MODEL.to_owned()];
    assert_eq!(bar, Bar { total: 1_023, files: 2, names, received: 1_023, ended: true });
}

#[test]
fn a_whole_part_needs_no_request() {
    let place = Place::new(checkpoint());
    fs::create_dir_all(place.blobs()).unwrap();
    fs::write(place.part(MODEL), weights(300_000)).unwrap();
    place.assert_whole(&place.pull().unwrap());
    assert!(place.server.ranges(MODEL).is_empty());
}

#[test]
fn a_part_that_is_too_long_is_begun_anew() {
    let place = Place::new(checkpoint());
    fs::create_dir_all(place.blobs()).unwrap();
    fs::write(place.part(MODEL), weights(300_001)).unwrap();
    place.assert_whole(&place.pull().unwrap());
    assert_eq!(place.server.ranges(MODEL), [None]);
}

#[test]
fn a_server_without_ranges_is_asked_once_more_from_the_beginning() {
    let place = Place::new(checkpoint());
    place.server.once(MODEL, Fault::CutAfter(100_000)).once(MODEL, Fault::IgnoreRange);
    let mut bar = Bar::default();
    let local = place.hub().pull(REPOSITORY, "main", None, &mut bar, &AtomicBool::new(false)).unwrap();
    place.assert_whole(&local);
    assert_eq!(place.server.ranges(MODEL), [None, from(100_000)]);
    assert_eq!((bar.total, bar.received), (400_023, 400_023));
}

#[test]
fn a_refused_range_is_begun_anew_once() {
    let place = Place::new(checkpoint());
    let refused = Fault::Status(416, &[("Content-Range", "bytes */300000")]);
    place.server.once(MODEL, Fault::CutAfter(100_000)).once(MODEL, refused.clone());
    place.assert_whole(&place.pull().unwrap());
    assert_eq!(place.server.ranges(MODEL), [None, from(100_000), None]);

    let stubborn = Place::new(checkpoint());
    stubborn.server.once(MODEL, Fault::CutAfter(9)).once(MODEL, refused.clone()).once(MODEL, refused.clone());
    assert!(matches!(stubborn.pull(), Err(HubError::BadResponse { .. })));
}

#[test]
fn a_range_that_begins_elsewhere_is_not_glued_on() {
    let place = Place::new(checkpoint());
    place.server.once(MODEL, Fault::CutAfter(100_000)).once(MODEL, Fault::OtherRange);
    assert!(matches!(place.pull(), Err(HubError::BadResponse { .. })));
    assert_eq!(fs::metadata(place.part(MODEL)).unwrap().len(), 100_000);
}

#[test]
fn a_small_file_cut_mid_way_goes_on_from_the_received_byte() {
    let place = Place::new(checkpoint());
    place.server.once(CONFIG, Fault::CutAfter(10));
    place.assert_whole(&place.pull().unwrap());
    assert_eq!(place.server.ranges(CONFIG), [None, from(10)]);
    assert_eq!(place.waits(), [1]);
}

#[test]
fn the_part_of_a_small_file_is_kept_for_the_next_run() {
    let place = Place::new(checkpoint());
    place.server.once(CONFIG, Fault::CutAfter(10));
    place.server.once(CONFIG, Fault::Status(404, &[("X-Error-Code", "EntryNotFound")]));
    assert!(matches!(place.pull(), Err(HubError::FileNotFound { .. })));
    assert_eq!(fs::read(place.part(CONFIG)).unwrap(), place.contents.content(CONFIG)[..10]);
    place.assert_whole(&place.pull().unwrap());
    assert_eq!(place.server.ranges(CONFIG), [None, from(10), from(10)]);
}

#[test]
fn a_part_of_other_content_is_found_out_and_removed() {
    for (file, length) in [(MODEL, 200_000), (CONFIG, 10)] {
        let place = Place::new(checkpoint());
        fs::create_dir_all(place.blobs()).unwrap();
        fs::write(place.part(file), vec![7; length]).unwrap();
        let error = place.pull().unwrap_err();
        assert!(matches!(error, HubError::WrongHash { .. }), "{error:?}");
        assert!(!place.part(file).exists());
        place.assert_whole(&place.pull().unwrap());
    }
}

#[test]
fn a_wrong_hash_is_told_and_nothing_is_kept() {
    let place = Place::new(checkpoint());
    let mut altered = weights(300_000);
    altered[150_000] ^= 1;
    place.server.once(MODEL, Fault::Body(altered.clone()));
    let error = place.pull().unwrap_err();
    let HubError::WrongHash { file, expected, got } = &error else { panic!("{error:?}") };
    assert_eq!((file.as_str(), expected.as_str()), (MODEL, place.contents.hash(MODEL)));
    assert_eq!(*got, sha256(&altered));
    assert!(error.hint().unwrap().contains("run the same command again"));
    assert!(!place.part(MODEL).exists() && !place.blobs().join(expected).exists());
    place.assert_whole(&place.pull().unwrap());
}

#[test]
fn an_error_body_with_a_good_status_is_never_stored_as_the_file() {
    for (file, fault) in [
        (MODEL, Fault::Body(b"<html>try later</html>".to_vec())),
        (CONFIG, Fault::Body(b"{\"error\": \"try again later\"}".to_vec())),
    ] {
        let place = Place::new(checkpoint());
        place.server.once(file, fault);
        let error = place.pull().unwrap_err();
        assert!(matches!(error, HubError::WrongSize { .. }), "{error:?}");
        assert!(!place.blobs().join(place.contents.hash(file)).exists());
        place.assert_whole(&place.pull().unwrap());
    }
}

#[test]
fn an_error_body_of_just_the_right_length_is_never_stored_as_the_file() {
    let body = b"{\"error\": \"try later\"} ".to_vec();
    for fault in [Fault::Body(body.clone()), Fault::BodyWithoutLength(body.clone())] {
        let place = Place::new(checkpoint());
        assert_eq!(body.len(), place.contents.content(CONFIG).len());
        place.server.once(CONFIG, fault);
        let error = place.pull().unwrap_err();
        let HubError::WrongHash { file, expected, got } = &error else { panic!("{error:?}") };
        assert_eq!((file.as_str(), expected.as_str()), (CONFIG, place.contents.hash(CONFIG)));
        assert_eq!(*got, git_blob_hash(&body));
        assert!(!place.part(CONFIG).exists() && !place.blobs().join(expected).exists());
        assert_eq!(place.hub().cached(REPOSITORY, "main", None).unwrap(), None);
        place.assert_whole(&place.pull().unwrap());
        assert_eq!(place.server.ranges(CONFIG), [None, None]);
    }
}

#[test]
fn an_error_body_without_a_length_is_never_stored_either() {
    for file in [MODEL, CONFIG] {
        let place = Place::new(checkpoint());
        place.server.always(file, Fault::BodyWithoutLength(b"try later".to_vec()));
        assert!(matches!(place.pull(), Err(HubError::GaveUp { .. })));
        place.server.heal();
        // What the error body left is not a beginning of the file: the hash shows it, and the run after that is clean.
        assert!(matches!(place.pull(), Err(HubError::WrongHash { .. })));
        place.assert_whole(&place.pull().unwrap());
    }
}

#[test]
fn more_bytes_than_stated_are_refused() {
    let place = Place::new(checkpoint());
    place.server.once(MODEL, Fault::BodyWithoutLength(weights(300_001)));
    assert!(matches!(place.pull(), Err(HubError::WrongSize { expected: 300_000, .. })));
    assert!(!place.part(MODEL).exists());
}

#[test]
fn a_busy_hub_is_asked_again_when_it_says() {
    let place = Place::new(checkpoint());
    place.server.once(&revision_address("main"), Fault::Status(429, &[("Retry-After", "7")]));
    place.server.once(MODEL, Fault::Status(503, &[])).once(MODEL, Fault::Status(429, &[("Retry-After", "3600")]));
    place.assert_whole(&place.pull().unwrap());
    assert_eq!(place.waits(), [7, 1, 60]);
}

#[test]
fn a_hub_that_stays_busy_is_left_alone() {
    let place = Place::new(checkpoint());
    place.server.always(&revision_address("main"), Fault::Status(429, &[]));
    let error = place.pull().unwrap_err();
    assert!(matches!(error, HubError::GaveUp { attempts: 6, .. }), "{error:?}");
    assert!(error.hint().unwrap().contains("HF_TOKEN"));
    assert_eq!(place.server.requests().len(), 6);
}

#[test]
fn stopping_keeps_the_part_and_the_next_run_goes_on() {
    /// Stops the download once bytes of the weights arrive.
    struct Stopper<'a>(&'a AtomicBool);
    impl FetchProgress for Stopper<'_> {
        fn begin(&mut self, _: u64, _: usize) {}
        fn file(&mut self, _: &str, _: u64) {}
        fn advance(&mut self, bytes: u64) {
            self.0.store(bytes > 1_000, Ordering::Relaxed);
        }
        fn end(&mut self) {}
    }
    let place = Place::new(Contents::default().small(CONFIG, "{}").large(MODEL, weights(2_000_000)));
    let cancel = AtomicBool::new(false);
    let stopped = place.hub().pull(REPOSITORY, "main", None, &mut Stopper(&cancel), &cancel);
    assert!(matches!(stopped, Err(HubError::Cancelled)));
    let length = fs::metadata(place.part(MODEL)).unwrap().len();
    assert!(length > 0 && length < 2_000_000, "{length}");
    place.assert_whole(&place.pull().unwrap());
    assert_eq!(place.server.ranges(MODEL), [None, from(length)]);
}

#[test]
fn two_at_once_download_each_blob_once() {
    let place = Place::new(Contents::default().small(CONFIG, "{}").large(MODEL, weights(3_000_000)));
    std::thread::scope(|scope| {
        let both = [scope.spawn(|| place.pull()), scope.spawn(|| place.pull())];
        for one in both {
            place.assert_whole(&one.join().unwrap().unwrap());
        }
    });
    assert_eq!(place.server.ranges(MODEL), [None]);
}

#[test]
fn a_full_disk_is_told_before_the_first_byte() {
    let place = Place::new(checkpoint());
    let hub = place.hub().with_free_bytes(|_| Some(300_000));
    let error = pull(&hub, None).unwrap_err();
    let HubError::DiskFull { needed: 300_023, free: Some(300_000), folder } = &error else { panic!("{error:?}") };
    assert_eq!(folder, place.folder.path());
    assert!(error.hint().unwrap().contains("HF_HOME"));
    assert!(place.server.ranges(CONFIG).is_empty());
    assert!(pull(&place.hub().with_free_bytes(|_| Some(300_023)), None).is_ok());
}
