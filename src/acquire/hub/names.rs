//! Names: which repositories, revisions and paths are taken, and how they are written into an address.
//!
//! What the Hub states becomes part of a path on this machine, so nothing is taken that could leave its folder.

use super::error::{HubError, shown};

/// Checks `organisation/name`, by the rule of `huggingface_hub`'s `validate_repo_id`.
pub(super) fn check_repository(id: &str) -> Result<(), HubError> {
    let rule = if id.is_empty() || id.len() > 96 {
        "it must have 1 to 96 characters"
    } else if id.split('/').count() > 2 || id.split('/').any(str::is_empty) {
        "it must be `organisation/name` or `name`"
    } else if !id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_./".contains(&byte)) {
        "only letters, digits, `-`, `_` and `.` are allowed"
    } else if id.contains("--") || id.contains("..") {
        "`--` and `..` are not allowed"
    } else if id.split('/').any(|part| part.starts_with(['-', '.']) || part.ends_with(['-', '.'])) {
        "`-` and `.` are not allowed at either end"
    } else {
        return Ok(());
    };
    Err(HubError::BadRepository { id: shown(id), rule })
}

/// Checks a branch, tag or commit, which becomes a path below `refs`.
pub(super) fn check_revision(revision: &str) -> Result<(), HubError> {
    relative(revision).map_err(|rule| HubError::BadRevision { revision: shown(revision), rule })
}

/// Checks the path of a file, which becomes a path below the snapshot.
pub(super) fn check_path(path: &str) -> Result<(), HubError> {
    relative(path).map_err(|rule| HubError::UnsafePath { path: shown(path), rule })
}

/// Whether this is a full commit hash.
pub(super) fn is_commit(text: &str) -> bool {
    text.len() == 40 && is_hex(text)
}

/// Whether this is a name that the standard layout gives a blob: a git hash, or the SHA-256 of a large file.
pub(super) fn is_blob_name(text: &str) -> bool {
    matches!(text.len(), 40 | 64) && is_hex(text)
}

fn is_hex(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

fn relative(path: &str) -> Result<(), &'static str> {
    if path.is_empty() {
        Err("it is empty")
    } else if path.len() > 1024 || path.split('/').any(|part| part.len() > 255) {
        Err("it is too long")
    } else if path.chars().any(char::is_control) {
        Err("it holds a control character")
    } else if path.contains('\\') {
        Err("it holds a backslash")
    } else if path.starts_with('/') {
        Err("it is absolute")
    } else if path.split('/').any(|part| matches!(part, "" | "." | "..")) {
        Err("it has an empty part, `.` or `..`")
    } else {
        Ok(())
    }
}

/// A path as it stands in an address: every byte but letters, digits, `-._~` and the slash is escaped.
pub(super) fn escape_path(path: &str) -> String {
    escape(path, true)
}

/// A revision as it stands in an address: as a path, with the slash escaped too, as the Hub wants it.
pub(super) fn escape_revision(revision: &str) -> String {
    escape(revision, false)
}

fn escape(text: &str, keep_slash: bool) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) || (keep_slash && byte == b'/') {
            escaped.push(char::from(byte));
        } else {
            escaped.push_str(&format!("%{byte:02X}"));
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repositories_are_named_as_the_hub_names_them() {
        for id in ["gpt2", "Qwen/Qwen2.5-7B-Instruct", "beomi/gemma-ko-7b", "a_b/c.d-e"] {
            assert!(check_repository(id).is_ok(), "{id}");
        }
        for id in ["", "a/b/c", "/b", "a/", "../b", "a/..", "a--b/c", "a/b?x=1", "가/나", "a/.b", "a\0b", "-a/b"] {
            assert!(check_repository(id).is_err(), "{id}");
        }
    }

    #[test]
    fn no_path_leaves_its_folder() {
        for path in ["config.json", "gguf/q4_k/model-00001-of-00002.gguf", "한국어 이름.json", "..a/b..", "..."] {
            assert!(check_path(path).is_ok(), "{path}");
        }
        for path in ["", "/etc/passwd", "../x", "a/../../x", "a//b", "a/", "./a", "a\0", "a\nb", "a\\b", ".."] {
            assert!(check_path(path).is_err(), "{path:?}");
        }
        assert!(check_path(&"a".repeat(256)).is_err());
    }

    #[test]
    fn a_blob_is_named_by_a_hash_and_by_nothing_else() {
        assert!(is_blob_name(&"0a".repeat(20)) && is_blob_name(&"0a".repeat(32)));
        for name in ["", "../x", &"0A".repeat(20), &"0a".repeat(21), &"zz".repeat(20)] {
            assert!(!is_blob_name(name), "{name}");
        }
    }

    #[test]
    fn addresses_are_escaped() {
        assert_eq!(escape_path("a b/한?.json"), "a%20b/%ED%95%9C%3F.json");
        assert_eq!(escape_revision("refs/pr/1"), "refs%2Fpr%2F1");
    }
}
