//! Items of structured fields: RFC 9651, section 3.3 (RFC 8941). Numbers are judged as numbers.

use super::base64;
use super::class::{ALPHA, TCHAR, is};

/// `sf-string`: printable ASCII in quotes; quotes and backslashes are escaped.
pub(super) fn string(text: &[u8]) -> bool {
    let [b'"', inner @ .., b'"'] = text else { return false };
    let mut bytes = inner.iter();
    while let Some(byte) = bytes.next() {
        let sound = match byte {
            b'"' => false,
            b'\\' => matches!(bytes.next(), Some(b'"' | b'\\')),
            other => matches!(other, b' '..=b'~'),
        };
        if !sound {
            return false;
        }
    }
    true
}

/// `sf-token`: a letter or asterisk, then token characters, colons and slashes.
pub(super) fn token(text: &[u8]) -> bool {
    let first = text.first().is_some_and(|&byte| is(byte, ALPHA) || byte == b'*');
    first && text.iter().all(|&byte| is(byte, TCHAR) || matches!(byte, b':' | b'/'))
}

/// `sf-binary`: base64 between colons.
pub(super) fn binary(text: &[u8]) -> bool {
    let [b':', inner @ .., b':'] = text else { return false };
    base64::base64(inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items() {
        for text in [r#""""#, r#""a b""#, r#""a\"\\""#] {
            assert!(string(text.as_bytes()), "{text}");
        }
        for text in ["", "\"", "a", r#""a"#, r#""a"b""#, r#""a\b""#, r#""\""#, "\"é\"", "\"\n\""] {
            assert!(!string(text.as_bytes()), "{text}");
        }
        for text in ["a", "*", "foo123/456", "text/html:x"] {
            assert!(token(text.as_bytes()), "{text}");
        }
        for text in ["", "1a", "/a", "a b", "a\"", "é"] {
            assert!(!token(text.as_bytes()), "{text}");
        }
        for text in ["::", ":Zm9v:", ":Zg==:"] {
            assert!(binary(text.as_bytes()), "{text}");
        }
        for text in ["", ":", "Zm9v", ":Zm9v", ":Z:", ":Zm-_:"] {
            assert!(!binary(text.as_bytes()), "{text}");
        }
    }
}
