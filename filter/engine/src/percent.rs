//! Percent-encoding (RFC 3986, section 2.1).

/// A `%` that two hexadecimal digits do not follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BrokenEscape;

/// What an encoded text means besides escapes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Plus {
    /// `+` is itself.
    Literal,
    /// `+` is a space (application/x-www-form-urlencoded, as in queries).
    Space,
}

/// The byte at `at` and how many bytes it is written in; a broken escape is a `%` by itself.
/// `None` at the end.
#[inline]
pub(crate) fn unit(raw: &[u8], at: usize) -> Option<(u8, usize)> {
    let byte = *raw.get(at)?;
    if byte == b'%'
        && let Some(decoded) = escape(raw, at)
    {
        return Some((decoded, 3));
    }
    Some((byte, 1))
}

/// The byte that the escape at `at` stands for, if one stands there.
#[inline]
pub(crate) fn escape(raw: &[u8], at: usize) -> Option<u8> {
    match raw.get(at..at.checked_add(3)?)? {
        [b'%', high, low] => Some(hex(*high)? << 4 | hex(*low)?),
        _ => None,
    }
}

/// Whether a `%` is not followed by two hexadecimal digits.
pub(crate) fn has_broken_escape(text: &[u8]) -> bool {
    let mut percents = text.iter().enumerate().filter(|(_, byte)| **byte == b'%');
    percents.any(|(at, _)| escape(text, at).is_none())
}

/// Appends the decoded text. On a broken escape what was appended stays.
pub(crate) fn decode_into(raw: &[u8], plus: Plus, out: &mut Vec<u8>) -> Result<(), BrokenEscape> {
    let mut at = 0;
    while let Some(&byte) = raw.get(at) {
        match byte {
            b'%' => {
                out.push(escape(raw, at).ok_or(BrokenEscape)?);
                at += 3;
            }
            b'+' if plus == Plus::Space => {
                out.push(b' ');
                at += 1;
            }
            _ => {
                out.push(byte);
                at += 1;
            }
        }
    }
    Ok(())
}

/// Appends the decoded text; broken escapes stay as they are.
pub(crate) fn decode_leniently(raw: &[u8], plus: Plus, out: &mut Vec<u8>) {
    let mut at = 0;
    while let Some((byte, len)) = unit(raw, at) {
        out.push(if len == 1 && byte == b'+' && plus == Plus::Space { b' ' } else { byte });
        at += len;
    }
}

/// Whether decoding changes the text.
#[inline]
pub(crate) fn is_encoded(raw: &[u8], plus: Plus) -> bool {
    raw.iter().any(|&byte| byte == b'%' || (byte == b'+' && plus == Plus::Space))
}

/// Whether the decoded text equals `plain`. A broken escape equals nothing but itself.
#[inline]
pub(crate) fn equals(raw: &[u8], plus: Plus, plain: &[u8]) -> bool {
    // Encoding never shortens, and each byte takes three at most.
    if raw.len() < plain.len() || raw.len() > plain.len().saturating_mul(3) {
        return false;
    }
    if raw == plain && !is_encoded(raw, plus) {
        return true;
    }
    let mut at = 0;
    for &expected in plain {
        let Some((byte, len)) = unit(raw, at) else { return false };
        let byte = if len == 1 && byte == b'+' && plus == Plus::Space { b' ' } else { byte };
        if byte != expected {
            return false;
        }
        at += len;
    }
    at == raw.len()
}

/// The value of a hexadecimal digit.
#[inline]
pub(crate) const fn hex(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn decode(raw: &[u8], plus: Plus) -> Result<Vec<u8>, BrokenEscape> {
        let mut out = Vec::new();
        decode_into(raw, plus, &mut out).map(|()| out)
    }

    #[test]
    fn decodes_escapes_and_plus() {
        assert_eq!(decode(b"a%20b+c", Plus::Space), Ok(b"a b c".to_vec()));
        assert_eq!(decode(b"a+%2B", Plus::Literal), Ok(b"a++".to_vec()));
        for broken in [&b"%"[..], b"%2", b"%zz", b"a%2g", b"%%20"] {
            assert_eq!(decode(broken, Plus::Space), Err(BrokenEscape), "{broken:?}");
            assert!(has_broken_escape(broken), "{broken:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_encoded_decodes_to_itself(plain: Vec<u8>) {
            let all: String = plain.iter().map(|byte| format!("%{byte:02x}")).collect();
            prop_assert_eq!(decode(all.as_bytes(), Plus::Space), Ok(plain.clone()));
            prop_assert!(equals(all.as_bytes(), Plus::Space, &plain));
            let some: String = plain
                .iter()
                .map(|&byte| match byte {
                    b' ' => "+".to_owned(),
                    b'a'..=b'z' | b'0'..=b'9' => char::from(byte).to_string(),
                    _ => format!("%{byte:02X}"),
                })
                .collect();
            prop_assert_eq!(decode(some.as_bytes(), Plus::Space), Ok(plain.clone()));
            prop_assert!(equals(some.as_bytes(), Plus::Space, &plain));
        }

        #[test]
        fn equality_agrees_with_decoding(raw: Vec<u8>, plain: Vec<u8>) {
            for plus in [Plus::Space, Plus::Literal] {
                if let Ok(decoded) = decode(&raw, plus) {
                    prop_assert!(equals(&raw, plus, &decoded));
                    prop_assert_eq!(equals(&raw, plus, &plain), decoded == plain);
                }
            }
        }
    }
}
