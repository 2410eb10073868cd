//! Which files of a repository are downloaded.

use std::sync::atomic::AtomicBool;

use bench::acquire::hub::HubError;

use super::{Place, checkpoint, pull, weights};
use crate::support::hub_stand_in::{Contents, REPOSITORY};

fn paths(contents: Contents, gguf: Option<&str>) -> Result<Vec<String>, HubError> {
    let place = Place::new(contents);
    let local = pull(&place.hub(), gguf)?;
    place.assert_whole(&local);
    let asked = place.server.requests().into_iter().filter(|request| request.path.contains("/resolve/")).count();
    assert_eq!(asked, local.files.len(), "files were downloaded beside those that are wanted");
    Ok(local.files.into_iter().map(|file| file.path).collect())
}

fn sharded(index: &str) -> Contents {
    checkpoint()
        .small("model.safetensors.index.json", index)
        .large("model-00001-of-00002.safetensors", weights(1_000))
        .large("model-00002-of-00002.safetensors", weights(2_000))
        .large("model-00003-of-00002.safetensors", weights(3_000))
        .large("consolidated.safetensors", weights(4_000))
        .large("original/model.safetensors", weights(5_000))
        .large("pytorch_model.bin", weights(6_000))
}

#[test]
fn exactly_the_weights_that_the_index_names() {
    let index = r#"{"metadata": {}, "weight_map": {
        "a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors",
        "c": "model-00001-of-00002.safetensors"}}"#;
    let expected = [
        "config.json",
        "model.safetensors.index.json",
        "model-00001-of-00002.safetensors",
        "model-00002-of-00002.safetensors",
    ];
    assert_eq!(paths(sharded(index), None).unwrap(), expected);
}

#[test]
fn an_index_may_not_name_what_lies_outside() {
    let outside = paths(sharded(r#"{"weight_map": {"a": "../x.safetensors"}}"#), None);
    assert!(matches!(outside, Err(HubError::UnsafePath { .. })), "{outside:?}");
    let absent = paths(sharded(r#"{"weight_map": {"a": "x.safetensors"}}"#), None);
    assert!(matches!(&absent, Err(HubError::FileNotFound { file, .. }) if file == "x.safetensors"), "{absent:?}");
}

#[test]
fn tokenizer_and_template_come_along_and_the_rest_stays() {
    let contents = checkpoint()
        .large("tokenizer.json", weights(9_000))
        .small("tokenizer_config.json", "{\"a\": 1}")
        .small("special_tokens_map.json", "{\"b\": 1}")
        .small("chat_template.jinja", "{{ messages }}")
        .small("generation_config.json", "{}")
        .small("README.md", "# Name")
        .small("modeling_name.py", "import os")
        .large("model.gguf", weights(10));
    let expected = [
        "chat_template.jinja",
        "config.json",
        "generation_config.json",
        "special_tokens_map.json",
        "tokenizer.json",
        "tokenizer_config.json",
        "model.safetensors",
    ];
    assert_eq!(paths(contents.clone(), None).unwrap(), expected);
    assert_eq!(paths(contents.page_size(2), None).unwrap(), expected);
}

#[test]
fn a_gguf_candidate_takes_its_one_file() {
    let contents = checkpoint().large("gguf/q4.gguf", weights(1_000)).large("gguf/q8.gguf", weights(2_000));
    assert_eq!(paths(contents.clone(), Some("gguf/q4.gguf")).unwrap(), ["gguf/q4.gguf"]);
    let error = paths(contents, Some("q4.gguf")).unwrap_err();
    assert_eq!(error.to_string(), "`org/name` at `main` has no file `q4.gguf`");
    assert_eq!(error.hint().unwrap(), "it has `gguf/q4.gguf`, `gguf/q8.gguf`");
}

#[test]
fn a_repository_without_weights_says_so() {
    let contents = Contents::default().small("config.json", "{}").large("x-q4.gguf", weights(10));
    let error = paths(contents, None).unwrap_err();
    assert_eq!(error.to_string(), "`org/name` at `main` has no weights that can be used");
    assert_eq!(error.hint().unwrap(), "name one of its GGUF files: `x-q4.gguf`");
    let error = paths(Contents::default().large("model.safetensors", weights(10)), None).unwrap_err();
    assert!(matches!(&error, HubError::FileNotFound { file, .. } if file == "config.json"), "{error:?}");
}

#[test]
fn sizes_are_known_before_the_first_byte() {
    let place = Place::new(checkpoint());
    let (hub, never) = (place.hub(), AtomicBool::new(false));
    let snapshot = hub.resolve(REPOSITORY, "main", &never).unwrap();
    let files = hub.wanted(&snapshot, None, &never).unwrap();
    assert_eq!(hub.missing_bytes(&snapshot, &files), 300_023);
    assert!(place.server.requests().iter().all(|request| request.path.starts_with("/api/")));
}

#[test]
fn two_paths_with_the_same_content_are_downloaded_once() {
    let contents = Contents::default()
        .small("config.json", "{}")
        .small("generation_config.json", "{}")
        .large("model.safetensors", weights(10));
    let place = Place::new(contents);
    let local = place.pull().unwrap();
    assert_eq!(local.files.len(), 3);
    place.assert_whole(&local);
    assert!(place.server.ranges("generation_config.json").is_empty());
}
