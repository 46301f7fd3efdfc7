//! Text that stands for a value: what it says, and the JSON that says the same.

use portcullis_bundle::layout::{
    TYPE_BOOLEAN, TYPE_FRACTION, TYPE_INTEGER, TYPE_NULL, TYPE_STRING,
};

/// How text is read where its types allow a string and something else too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reading {
    /// As a string.
    AsString,
    /// As a number, boolean or null, if it can be read so.
    AsOther,
}

/// Whether text can be read as a number, boolean or null that the types allow.
pub(crate) fn reads_as_other(text: &[u8], types: u8) -> bool {
    match text {
        b"true" | b"false" => types & TYPE_BOOLEAN != 0,
        b"null" => types & TYPE_NULL != 0,
        _ => types & (TYPE_INTEGER | TYPE_FRACTION) != 0 && is_number(text),
    }
}

/// Appends text as JSON. `text` is UTF-8. Says whether the other reading would have given
/// something else. Text that its types do not allow becomes a string, which the schema refuses.
pub(crate) fn write(text: &[u8], types: u8, reading: Reading, out: &mut Vec<u8>) -> bool {
    let string = types & TYPE_STRING != 0;
    // An empty text can say null where it cannot say "".
    if text.is_empty() && !string && types & TYPE_NULL != 0 {
        out.extend_from_slice(b"null");
        return false;
    }
    let other = reads_as_other(text, types);
    if other && (!string || reading == Reading::AsOther) {
        out.extend_from_slice(text);
    } else {
        write_string(text, out);
    }
    other && string
}

/// Appends UTF-8 text as a JSON string.
pub(crate) fn write_string(text: &[u8], out: &mut Vec<u8>) {
    const HEX: [u8; 16] = *b"0123456789abcdef";
    out.push(b'"');
    for &byte in text {
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
            0..0x20 => {
                out.extend_from_slice(b"\\u00");
                let digit = |value: u8| HEX.get(usize::from(value)).copied().unwrap_or(b'0');
                out.extend_from_slice(&[digit(byte >> 4), digit(byte & 15)]);
            }
            _ => out.push(byte),
        }
    }
    out.push(b'"');
}

/// number = [ minus ] int [ frac ] [ exp ] (RFC 8259, section 6)
fn is_number(text: &[u8]) -> bool {
    let text = text.strip_prefix(b"-").unwrap_or(text);
    let (whole, rest) = digits(text);
    if whole.is_empty() || (whole.len() > 1 && whole.first() == Some(&b'0')) {
        return false;
    }
    let rest = match rest.strip_prefix(b".") {
        None => rest,
        Some(fraction) => match digits(fraction) {
            (b"", _) => return false,
            (_, rest) => rest,
        },
    };
    let exponent = match rest {
        [] => return true,
        [b'e' | b'E', b'+' | b'-', exponent @ ..] | [b'e' | b'E', exponent @ ..] => exponent,
        _ => return false,
    };
    matches!(digits(exponent), (exponent, b"") if !exponent.is_empty())
}

/// The digits at the beginning, and the rest.
fn digits(text: &[u8]) -> (&[u8], &[u8]) {
    let end = text.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(text.len());
    text.split_at_checked(end).unwrap_or((text, b""))
}

#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn json(text: &str, types: u8, reading: Reading) -> (String, bool) {
        let mut out = Vec::new();
        let other = write(text.as_bytes(), types, reading, &mut out);
        (String::from_utf8(out).unwrap(), other)
    }

    #[test]
    fn numbers_are_those_of_json() {
        for good in ["0", "-0", "7", "-12", "1.5", "0.0", "1e3", "1E+3", "-1.25e-10", "007a"] {
            assert_eq!(is_number(good.as_bytes()), good != "007a", "{good}");
        }
        for bad in ["", "-", "+1", "01", "1.", ".5", "1e", "1e+", "0x1", " 1", "1 ", "NaN", "1_0"] {
            assert!(!is_number(bad.as_bytes()), "{bad}");
        }
    }

    #[test]
    fn types_decide_what_text_says() {
        use Reading::{AsOther, AsString};
        assert_eq!(json("5", TYPE_INTEGER, AsString), ("5".into(), false));
        assert_eq!(json("5", TYPE_STRING, AsString), ("\"5\"".into(), false));
        assert_eq!(json("5", TYPE_STRING | TYPE_INTEGER, AsString), ("\"5\"".into(), true));
        assert_eq!(json("5", TYPE_STRING | TYPE_INTEGER, AsOther), ("5".into(), true));
        assert_eq!(json("x", TYPE_INTEGER, AsString), ("\"x\"".into(), false));
        assert_eq!(json("true", TYPE_BOOLEAN, AsString), ("true".into(), false));
        assert_eq!(json("", TYPE_INTEGER | TYPE_NULL, AsString), ("null".into(), false));
        assert_eq!(
            json("a\"\\\u{1f}é", TYPE_STRING, AsString),
            (r#""a\"\\\u001fé""#.into(), false)
        );
    }

    proptest! {
        #[test]
        fn numbers_agree_with_serde(text in "-?[0-9]{0,3}(\\.[0-9]{0,3})?([eE][+-]?[0-9]{0,2})?") {
            prop_assert_eq!(is_number(text.as_bytes()), serde_json::from_str::<f64>(&text).is_ok());
        }

        #[test]
        fn strings_read_back(text: String) {
            let mut out = Vec::new();
            write_string(text.as_bytes(), &mut out);
            prop_assert_eq!(serde_json::from_slice::<String>(&out).unwrap(), text);
        }
    }
}
