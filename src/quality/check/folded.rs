//! Texts as they are compared.

use unicode_normalization::UnicodeNormalization as _;

/// As texts are compared: in NFC, case folded.
pub(super) fn folded(text: &str) -> String {
    text.nfc().flat_map(char::to_lowercase).collect()
}
