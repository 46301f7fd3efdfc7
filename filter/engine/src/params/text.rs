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

/// Whether text can be read as a number, boolean or null that the types allow; `lenient` takes the
/// notations of forms too.
pub(crate) fn reads_as_other(text: &[u8], types: u8, lenient: bool) -> bool {
    let number = types & (TYPE_INTEGER | TYPE_FRACTION) != 0;
    match text {
        b"true" | b"false" if types & TYPE_BOOLEAN != 0 => true,
        b"null" if types & TYPE_NULL != 0 => true,
        _ if number && is_number(text) => true,
        _ if !lenient => false,
        _ => {
            (types & TYPE_BOOLEAN != 0 && boolean(text).is_some())
                || (number && is_lenient_number(text))
        }
    }
}

/// Appends text as JSON. `text` is UTF-8; `other` reads it as a number, boolean or null where it can
/// be a string too. Says whether the other reading would have given something else. Text that its
/// types do not allow becomes a string, which the schema refuses.
pub(crate) fn write(text: &[u8], types: u8, other: bool, lenient: bool, out: &mut Vec<u8>) -> bool {
    let string = types & TYPE_STRING != 0;
    // An empty text can say null where it cannot say "".
    if text.is_empty() && !string && types & TYPE_NULL != 0 {
        out.extend_from_slice(b"null");
        return false;
    }
    let can = reads_as_other(text, types, lenient);
    if can && (!string || other) {
        write_other(text, types, out);
    } else {
        write_string(text, out);
    }
    can && string
}

/// Appends what is read as a number, boolean or null in JSON's notation.
fn write_other(text: &[u8], types: u8, out: &mut Vec<u8>) {
    let number = types & (TYPE_INTEGER | TYPE_FRACTION) != 0;
    if matches!(text, b"true" | b"false" | b"null") || (number && is_number(text)) {
        return out.extend_from_slice(text);
    }
    if types & TYPE_BOOLEAN != 0
        && let Some(truth) = boolean(text)
    {
        return out.extend_from_slice(if truth { b"true" } else { b"false" });
    }
    // A sign that says nothing, leading zeros, no digit before or behind the point.
    let minus = text.first() == Some(&b'-');
    let text = text.strip_prefix(b"+").or_else(|| text.strip_prefix(b"-")).unwrap_or(text);
    let (whole, rest) = digits(text);
    let zeros = whole.iter().take_while(|&&digit| digit == b'0').count();
    let whole = whole.get(zeros..).filter(|digits| !digits.is_empty()).unwrap_or(b"0");
    if minus {
        out.push(b'-');
    }
    out.extend_from_slice(whole);
    let Some(after) = rest.strip_prefix(b".") else { return out.extend_from_slice(rest) };
    let (fraction, exponent) = digits(after);
    if !fraction.is_empty() {
        out.push(b'.');
        out.extend_from_slice(fraction);
    }
    out.extend_from_slice(exponent);
}

/// What a checkbox or a client of another language sends.
fn boolean(text: &[u8]) -> Option<bool> {
    let is = |words: [&[u8]; 4]| words.iter().any(|word| text.eq_ignore_ascii_case(word));
    match text {
        _ if is([b"true", b"1", b"on", b"yes"]) => Some(true),
        _ if is([b"false", b"0", b"off", b"no"]) => Some(false),
        _ => None,
    }
}

/// A decimal number with a sign of either kind, leading zeros, or a bare point.
fn is_lenient_number(text: &[u8]) -> bool {
    let text = text.strip_prefix(b"+").or_else(|| text.strip_prefix(b"-")).unwrap_or(text);
    let (whole, rest) = digits(text);
    let (fraction, rest) = rest.strip_prefix(b".").map_or((&b""[..], rest), digits);
    if whole.is_empty() && fraction.is_empty() {
        return false;
    }
    match rest {
        [] => true,
        [b'e' | b'E', b'+' | b'-', exponent @ ..] | [b'e' | b'E', exponent @ ..] => {
            matches!(digits(exponent), (exponent, b"") if !exponent.is_empty())
        }
        _ => false,
    }
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

    fn json(text: &str, types: u8, other: bool) -> (String, bool) {
        let mut out = Vec::new();
        let other = write(text.as_bytes(), types, other, false, &mut out);
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
        let (as_string, as_other) = (false, true);
        assert_eq!(json("5", TYPE_INTEGER, as_string), ("5".into(), false));
        assert_eq!(json("5", TYPE_STRING, as_string), ("\"5\"".into(), false));
        assert_eq!(json("5", TYPE_STRING | TYPE_INTEGER, as_string), ("\"5\"".into(), true));
        assert_eq!(json("5", TYPE_STRING | TYPE_INTEGER, as_other), ("5".into(), true));
        assert_eq!(json("x", TYPE_INTEGER, as_string), ("\"x\"".into(), false));
        assert_eq!(json("true", TYPE_BOOLEAN, as_string), ("true".into(), false));
        assert_eq!(json("", TYPE_INTEGER | TYPE_NULL, as_string), ("null".into(), false));
        assert_eq!(
            json("a\"\\\u{1f}é", TYPE_STRING, as_string),
            (r#""a\"\\\u001fé""#.into(), false)
        );
    }

    #[test]
    fn forms_have_notations_of_their_own() {
        let types = TYPE_INTEGER | TYPE_FRACTION | TYPE_BOOLEAN;
        let lenient = |text: &str, types: u8| {
            let mut out = Vec::new();
            write(text.as_bytes(), types, true, true, &mut out);
            String::from_utf8(out).unwrap()
        };
        for (text, json) in [
            ("+5", "5"),
            ("007", "7"),
            ("-00.50", "-0.50"),
            (".5", "0.5"),
            ("5.", "5"),
            ("5.e3", "5e3"),
            ("TRUE", "true"),
            ("off", "false"),
            ("x", "\"x\""),
            (".", "\".\""),
            ("+", "\"+\""),
        ] {
            assert_eq!(lenient(text, types), json, "{text}");
        }
        assert_eq!(lenient("1", TYPE_BOOLEAN), "true");
        assert_eq!(lenient("1", types), "1");
    }

    proptest! {
        #[test]
        fn lenient_numbers_become_numbers(text in "[+-]?[0-9]{0,3}(\\.[0-9]{0,3})?([eE][+-]?[0-9]{0,2})?") {
            let mut out = Vec::new();
            write(text.as_bytes(), TYPE_INTEGER | TYPE_FRACTION, true, true, &mut out);
            let number = serde_json::from_slice::<serde_json::Value>(&out).unwrap().is_number();
            prop_assert_eq!(number, is_lenient_number(text.as_bytes()));
        }

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
