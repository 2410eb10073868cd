//! What the Hub refuses, what is refused of it, and what the user is told.

use std::error::Error;
use std::sync::atomic::AtomicBool;

use bench::acquire::hub::{Hub, HubError, HubSettings, NoProgress};

use super::{Place, checkpoint, pull};
use crate::support::hub_stand_in::{Contents, Fault, HubStandIn, REPOSITORY, revision_address, tree_address};

const MODEL: &str = "model.safetensors";

/// What the user sees of an error, and what a log would.
fn said(error: &HubError) -> String {
    let mut text = format!("{error:?}\n{error}\n{}\n", error.hint().unwrap_or_default());
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(&format!("{error:?}\n{error}\n"));
        cause = error.source();
    }
    text
}

#[test]
fn a_gated_repository_names_the_page_and_the_variable() {
    let place = Place::new(checkpoint());
    place.server.always("config.json", Fault::Status(403, &[("X-Error-Code", "GatedRepo")]));
    let error = place.pull().unwrap_err();
    assert!(matches!(error, HubError::Gated { token_sent: false, .. }), "{error:?}");
    let hint = error.hint().unwrap();
    assert!(hint.contains(&format!("{}/org/name", place.server.endpoint())), "{hint}");
    assert!(hint.contains("accept the licence") && hint.contains("`HF_TOKEN`"), "{hint}");

    let error = pull(&place.hub_with_token(), None).unwrap_err();
    assert!(matches!(error, HubError::Gated { token_sent: true, .. }), "{error:?}");
    assert!(!said(&error).contains("hf_secret"));
}

#[test]
fn a_401_names_the_page_and_the_variable() {
    let place = Place::new(checkpoint());
    place.server.always(&revision_address("main"), Fault::Status(401, &[]));
    let error = place.pull().unwrap_err();
    let hint = error.hint().unwrap();
    assert!(matches!(error, HubError::Refused { status: 401, .. }), "{error:?}");
    assert!(hint.contains("/org/name") && hint.contains("`HF_TOKEN`"), "{hint}");
    assert!(place.waits().is_empty());

    let error = pull(&place.hub_with_token(), None).unwrap_err();
    assert!(error.hint().unwrap().contains("not valid"));
    assert!(!said(&error).contains("hf_secret"));
}

#[test]
fn what_is_not_there_is_named() {
    let place = Place::new(checkpoint());
    let (hub, never) = (place.hub(), AtomicBool::new(false));
    let error = hub.resolve("org/other", "main", &never).unwrap_err();
    assert_eq!(error.to_string(), "the Hub has no repository `org/other`");
    let error = hub.resolve(REPOSITORY, "v9", &never).unwrap_err();
    assert_eq!(error.to_string(), "`org/name` has no revision `v9`");
    place.server.always("config.json", Fault::Status(404, &[("X-Error-Code", "EntryNotFound")]));
    let error = place.pull().unwrap_err();
    assert!(matches!(&error, HubError::FileNotFound { file, .. } if file == "config.json"), "{error:?}");
}

#[test]
fn no_network_is_told_at_once() {
    let place = Place::new(checkpoint());
    let gone = HubStandIn::start(Contents::default()).endpoint();
    let hub = place.hub_with(HubSettings::new(gone, place.folder.path()));
    let error = pull(&hub, None).unwrap_err();
    assert!(matches!(error, HubError::Unreachable { .. }), "{error:?}");
    assert!(error.hint().unwrap().contains("HF_HUB_OFFLINE=1"));
    assert!(error.source().is_some() && place.waits().is_empty());
}

#[test]
fn the_token_goes_to_the_endpoint_and_to_no_other_host() {
    let cdn = HubStandIn::start(checkpoint());
    let place = Place::new(checkpoint().cdn(cdn.endpoint()));
    let address = format!("/cdn/{}?signature=s1gned", place.contents.hash(MODEL));
    cdn.once(&address, Fault::CutAfter(100_000));
    place.assert_whole(&pull(&place.hub_with_token(), None).unwrap());

    let own = place.server.requests();
    assert!(own.iter().all(|request| request.authorization.as_deref() == Some("Bearer hf_secret")), "{own:?}");
    let other = cdn.requests();
    assert!(other.iter().all(|request| request.authorization.is_none()), "{other:?}");
    assert_eq!(cdn.ranges(&address), [None, Some("bytes=100000-".to_owned())]);
    // The address may have expired in between: the endpoint is asked for a new one.
    assert_eq!(place.server.ranges(MODEL).len(), 2);
}

#[test]
fn an_expired_address_is_asked_for_anew_and_never_shown() {
    let cdn = HubStandIn::start(checkpoint());
    let place = Place::new(checkpoint().cdn(cdn.endpoint()));
    let address = format!("/cdn/{}?signature=s1gned", place.contents.hash(MODEL));
    cdn.always(&address, Fault::Status(403, &[]));
    let error = place.pull().unwrap_err();
    assert!(matches!(error, HubError::GaveUp { .. }), "{error:?}");
    assert!(!said(&error).contains("s1gned"), "{}", said(&error));
    cdn.heal();
    place.assert_whole(&place.pull().unwrap());
}

#[test]
fn a_file_of_another_hash_is_refused_before_its_first_byte() {
    let place = Place::new(checkpoint());
    let other = Contents::default().small("config.json", "{\"model_type\": \"llama\"}").large(MODEL, vec![1; 300_000]);
    let (hub, never) = (place.hub(), AtomicBool::new(false));
    let snapshot = hub.resolve(REPOSITORY, "main", &never).unwrap();
    let files = hub.wanted(&snapshot, None, &never).unwrap();
    place.server.set_contents(other.clone());
    let error = hub.fetch(&snapshot, &files, &mut NoProgress, &never).unwrap_err();
    assert!(matches!(&error, HubError::WrongHash { got, .. } if got == other.hash(MODEL)), "{error:?}");
}

#[test]
fn redirects_without_end_end() {
    let place = Place::new(checkpoint());
    place.server.always("/a", Fault::Status(302, &[("Location", "/a")]));
    place.server.always("config.json", Fault::Status(307, &[("Location", "/a")]));
    assert!(matches!(place.pull(), Err(HubError::BadResponse { .. })));
    place.server.always("config.json", Fault::Status(302, &[("Location", "file:///etc/passwd")]));
    assert!(matches!(place.pull(), Err(HubError::BadResponse { .. })));
    place.server.always("config.json", Fault::Status(302, &[]));
    assert!(matches!(place.pull(), Err(HubError::BadResponse { .. })));
}

#[test]
fn hostile_paths_are_refused() {
    for path in ["../../etc/passwd", "/etc/passwd", "", "a\\u0000b", "a/../../b", "a//b", "..\\\\b"] {
        let entry = format!(r#"{{"type": "file", "oid": "{}", "size": 1, "path": "{path}"}}"#, "c".repeat(40));
        let place = Place::new(checkpoint().raw_entry(entry));
        let error = place.pull().unwrap_err();
        assert!(matches!(error, HubError::UnsafePath { .. }), "{path}: {error:?}");
        assert!(!error.to_string().contains('\0'));
        assert!(!place.folder.path().join("models--org--name").exists());
    }
}

#[test]
fn hostile_hashes_are_refused() {
    let long = "c".repeat(64);
    for (oid, lfs) in [("../../x", ""), ("", ""), (&long, ""), ("c", r#", "lfs": {"oid": "../x", "size": 1}"#)] {
        let entry = format!(r#"{{"type": "file", "oid": "{oid}", "size": 1, "path": "x"{lfs}}}"#);
        let place = Place::new(checkpoint().raw_entry(entry));
        assert!(matches!(place.pull(), Err(HubError::BadResponse { .. })), "{oid} {lfs}");
    }
}

#[test]
fn answers_that_are_no_answers_are_refused() {
    let deep = "[".repeat(100_000).into_bytes();
    let long = vec![b' '; (16 << 20) + 1];
    for body in [b"<html>".to_vec(), b"{}".to_vec(), b"{\"sha\": \"../../x\"}".to_vec(), deep.clone(), long] {
        let place = Place::new(checkpoint());
        place.server.always(&revision_address("main"), Fault::Body(body));
        let error = place.pull().unwrap_err();
        assert!(matches!(error, HubError::BadResponse { .. }), "{error:?}");
    }
    for body in [b"{}".to_vec(), b"[{}]".to_vec(), b"[{\"type\": \"file\", \"size\": -1}]".to_vec(), deep] {
        let place = Place::new(checkpoint());
        place.server.always(&tree_address(), Fault::Body(body));
        let error = place.pull().unwrap_err();
        assert!(matches!(error, HubError::BadResponse { .. }), "{error:?}");
    }
}

#[test]
fn answers_that_are_no_http_end_in_an_error() {
    let endless = [b"HTTP/1.1 200 OK\r\nX-Long: ".to_vec(), vec![b'a'; 1 << 20]].concat();
    for raw in [Vec::new(), b"\0\0\0".to_vec(), b"SSH-2.0-x\r\n".to_vec(), b"HTTP/1.1 999 \r\n\r\n".to_vec(), endless] {
        let place = Place::new(checkpoint());
        place.server.always(&revision_address("main"), Fault::Raw(raw.clone()));
        place.server.always(MODEL, Fault::Raw(raw));
        let error = place.pull().unwrap_err();
        let expected = matches!(
            error,
            HubError::BadResponse { .. }
                | HubError::GaveUp { .. }
                | HubError::Unreachable { .. }
                | HubError::Status { .. }
        );
        assert!(expected, "{error:?}");
    }
}

#[test]
fn names_that_no_repository_can_have_open_no_connection() {
    let place = Place::new(checkpoint());
    let (hub, never) = (place.hub(), AtomicBool::new(false));
    assert!(matches!(hub.resolve("../x", "main", &never), Err(HubError::BadRepository { .. })));
    assert!(matches!(hub.resolve(REPOSITORY, "../../x", &never), Err(HubError::BadRevision { .. })));
    assert!(matches!(hub.cached(REPOSITORY, "/x", None), Err(HubError::BadRevision { .. })));
    assert!(place.server.requests().is_empty());
    assert!(matches!(Hub::new(HubSettings::new("hub", "/x")), Err(HubError::BadEndpoint { .. })));
}
