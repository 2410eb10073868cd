//! The bytes of a table as text. Spreadsheets save CSV in the encoding of their system, and no file says which that was.

use encoding_rs::{EUC_KR, Encoding, UTF_16BE, UTF_16LE};

use super::error::TableError;

/// Text, and the encoding that it was in.
pub(super) struct Decoded {
    pub text: String,
    pub encoding: &'static str,
}

/// Reads UTF-8, UTF-16 with or without its mark, and what Korean Windows saves: CP949, which contains EUC-KR.
///
/// # Errors
/// Bytes that are none of these.
pub(super) fn decode(bytes: &[u8]) -> Result<Decoded, TableError> {
    if let Some(encoding) = utf_16(bytes) {
        return decode_as(encoding, bytes);
    }
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    match std::str::from_utf8(bytes) {
        Ok(text) => Ok(Decoded { text: text.into(), encoding: "UTF-8" }),
        // The encoding standard's EUC-KR is Unified Hangul Code, which Windows numbers 949 (https://encoding.spec.whatwg.org).
        Err(_) => decode_as(EUC_KR, bytes).map(|decoded| Decoded { encoding: "CP949", ..decoded }),
    }
}

fn decode_as(encoding: &'static Encoding, bytes: &[u8]) -> Result<Decoded, TableError> {
    let (text, damaged) = encoding.decode_with_bom_removal(bytes);
    if damaged {
        return Err(TableError::Encoding);
    }
    Ok(Decoded { text: text.into_owned(), encoding: encoding.name() })
}

/// Which UTF-16 it is: by its mark, or by the zero bytes beside the separators and digits that every table has.
fn utf_16(bytes: &[u8]) -> Option<&'static Encoding> {
    match bytes {
        [0xff, 0xfe, ..] => return Some(UTF_16LE),
        [0xfe, 0xff, ..] => return Some(UTF_16BE),
        _ => {}
    }
    let zeros = |offset: usize| bytes.iter().skip(offset).step_by(2).filter(|byte| **byte == 0).count();
    match (zeros(0), zeros(1)) {
        (0, 0) => None,
        (even, odd) if even < odd => Some(UTF_16LE),
        _ => Some(UTF_16BE),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> (String, &'static str) {
        let decoded = decode(bytes).unwrap();
        (decoded.text, decoded.encoding)
    }

    #[test]
    fn utf_8_may_begin_with_a_mark() {
        assert_eq!(read("\u{feff}모델".as_bytes()), ("모델".into(), "UTF-8"));
    }

    #[test]
    fn what_korean_windows_saves_is_read() {
        // 모델 in EUC-KR; 똠 is only in CP949 (0x8c 0x63 by Microsoft's table of code page 949).
        assert_eq!(read(b"\xb8\xf0\xb5\xa8,1"), ("모델,1".into(), "CP949"));
        assert_eq!(read(b"\x8c\x63"), ("똠".into(), "CP949"));
    }

    #[test]
    fn utf_16_is_read_with_and_without_its_mark() {
        let units: Vec<u16> = "모델,1\n".encode_utf16().collect();
        let (little, big): (Vec<u8>, Vec<u8>) = (
            units.iter().flat_map(|unit| unit.to_le_bytes()).collect(),
            units.iter().flat_map(|unit| unit.to_be_bytes()).collect(),
        );
        for (mark, bytes, name) in [(b"\xff\xfe", &little, "UTF-16LE"), (b"\xfe\xff", &big, "UTF-16BE")] {
            assert_eq!(read(bytes), ("모델,1\n".into(), name));
            assert_eq!(read(&[mark.as_slice(), bytes].concat()), ("모델,1\n".into(), name));
        }
    }

    #[test]
    fn bytes_that_are_no_text_are_refused() {
        // Half of a surrogate pair.
        assert_eq!(decode(b"\xff\xfe\x00\xd8,\x00").err(), Some(TableError::Encoding));
        assert_eq!(decode(b"model\xff\xff").err(), Some(TableError::Encoding));
    }
}
