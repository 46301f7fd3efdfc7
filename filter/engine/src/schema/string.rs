//! JSON strings: where one ends, and what it says (RFC 8259, section 7).

use super::scan::{block, find_stop, find_stop_unicode, stops};

/// [`StringEnd::flags`]: the string holds an escape.
pub(super) const ESCAPED: u32 = 1;
/// [`StringEnd::flags`]: the string holds bytes above 0x7F.
pub(super) const UNICODE: u32 = 2;
/// [`StringEnd::flags`]: a control character stands at the end.
pub(super) const CONTROL: u32 = 4;
/// [`StringEnd::flags`]: the input ends before the string does.
pub(super) const UNFINISHED: u32 = 8;

/// Where the content of a string ends.
#[derive(Clone, Copy)]
pub(super) struct StringEnd {
    /// The place of the closing quote; of the offending byte for `CONTROL`.
    pub at: usize,
    /// What was met on the way.
    pub flags: u32,
}

/// Finds the end of the string whose content begins at `at`.
#[inline(always)]
pub(super) fn string_end(bytes: &[u8], at: usize) -> StringEnd {
    let mut at = at;
    while let Some(block) = block(bytes, at) {
        let mask = stops(block);
        if mask != 0 {
            let stop = at + mask.trailing_zeros() as usize;
            if bytes.get(stop) == Some(&b'"') {
                return StringEnd { at: stop, flags: 0 };
            }
            return string_end_from(bytes, stop);
        }
        at += 16;
    }
    string_end_from(bytes, at)
}

#[inline(never)]
fn string_end_from(bytes: &[u8], mut at: usize) -> StringEnd {
    let mut flags = 0;
    loop {
        at = if flags & UNICODE == 0 { find_stop(bytes, at) } else { find_stop_unicode(bytes, at) };
        match bytes.get(at) {
            Some(b'"') => return StringEnd { at, flags },
            Some(b'\\') => {
                flags |= ESCAPED;
                at += 2;
            }
            Some(0..0x20) => return StringEnd { at, flags: flags | CONTROL },
            Some(_) => flags |= UNICODE,
            None => return StringEnd { at: bytes.len(), flags: flags | UNFINISHED },
        }
    }
}

/// Why a string's content is refused, and where, from the first byte of the content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BadString {
    /// A backslash that RFC 8259 gives no meaning.
    Escape(usize),
    /// An escaped UTF-16 surrogate that is not one of a pair.
    Surrogate(usize),
}

/// Appends what the content of a string stands for. `raw` holds no quotes.
///
/// # Errors
/// For an escape that JSON does not have, or a lone surrogate.
pub(super) fn unescape(raw: &[u8], out: &mut Vec<u8>) -> Result<(), BadString> {
    // No escape stands for more bytes than it has.
    out.reserve(raw.len());
    let mut at = 0;
    while let Some(&byte) = raw.get(at) {
        if byte != b'\\' {
            let rest = raw.get(at..).unwrap_or_default();
            let plain = rest.iter().position(|&byte| byte == b'\\').unwrap_or(rest.len());
            out.extend_from_slice(rest.get(..plain).unwrap_or_default());
            at += plain;
            continue;
        }
        let escape = raw.get(at + 1).copied().unwrap_or(0);
        if escape == b'u' {
            let unit = hex4(raw, at + 2).ok_or(BadString::Escape(at))?;
            if unit < 0x80 {
                out.push(unit as u8);
                at += 6;
            } else {
                at = beyond_ascii(raw, at, unit, out)?;
            }
            continue;
        }
        out.push(match escape {
            b'"' | b'\\' | b'/' => escape,
            b'b' => 0x08,
            b'f' => 0x0C,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            _ => return Err(BadString::Escape(at)),
        });
        at += 2;
    }
    Ok(())
}

/// Appends the character whose first UTF-16 unit is escaped at `at`; gives the place after its escapes.
fn beyond_ascii(raw: &[u8], at: usize, unit: u32, out: &mut Vec<u8>) -> Result<usize, BadString> {
    let (scalar, after) = match unit {
        0xD800..0xDC00 => {
            if raw.get(at + 6..at + 8) != Some(b"\\u") {
                return Err(BadString::Surrogate(at));
            }
            let low = hex4(raw, at + 8).ok_or(BadString::Escape(at + 6))?;
            if !(0xDC00..0xE000).contains(&low) {
                return Err(BadString::Surrogate(at));
            }
            (0x10000 + ((unit & 0x3FF) << 10 | low & 0x3FF), at + 12)
        }
        _ => (unit, at + 6),
    };
    let scalar = char::from_u32(scalar).ok_or(BadString::Surrogate(at))?;
    out.extend_from_slice(scalar.encode_utf8(&mut [0; 4]).as_bytes());
    Ok(after)
}

/// Code points of valid UTF-8: the bytes that do not continue one.
pub(super) fn code_points(text: &[u8]) -> usize {
    text.iter().filter(|&&byte| byte as i8 >= -0x40).count()
}

/// The four hexadecimal digits at `at`.
#[inline(always)]
fn hex4(raw: &[u8], at: usize) -> Option<u32> {
    let digits = raw.get(at..)?.first_chunk::<4>()?;
    let mut unit = 0;
    let mut bad = 0;
    for digit in digits {
        let value = HEXADECIMAL.get(usize::from(*digit)).copied().unwrap_or(NO_DIGIT);
        bad |= value;
        unit = unit << 4 | u32::from(value);
    }
    (bad & NO_DIGIT == 0).then_some(unit)
}

/// In [`HEXADECIMAL`]: this byte is no digit.
const NO_DIGIT: u8 = 0x80;

/// The value of each hexadecimal digit.
#[expect(clippy::indexing_slicing, reason = "evaluated by the compiler, which refuses a bad index")]
static HEXADECIMAL: [u8; 256] = {
    let mut values = [NO_DIGIT; 256];
    let mut digit = 0;
    while digit < 16 {
        values[b"0123456789abcdef"[digit] as usize] = digit as u8;
        values[b"0123456789ABCDEF"[digit] as usize] = digit as u8;
        digit += 1;
    }
    values
};

#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(raw: &str) -> Result<String, BadString> {
        let mut out = Vec::new();
        unescape(raw.as_bytes(), &mut out)?;
        Ok(String::from_utf8(out).unwrap())
    }

    #[test]
    fn escapes() {
        assert_eq!(read(r#"a\"\\\/\b\f\n\r\tz"#).unwrap(), "a\"\\/\u{8}\u{c}\n\r\tz");
        assert_eq!(read(r"\u00e9\u20AC\ud83d\ude00").unwrap(), "é€😀");
        assert_eq!(read(r"x\u0000").unwrap(), "x\0");
        for (raw, place) in [(r"\x", 0), (r"ab\", 2), (r"\u12", 0), (r"\u12g4", 0), (r"\u+123", 0)]
        {
            assert_eq!(read(raw), Err(BadString::Escape(place)), "{raw}");
        }
        for raw in [r"\ud800", r"\udc00", r"\ud800x", r"\ud800\n", r"\ud800\ud800", r"\ud83d\u0041"]
        {
            assert_eq!(read(raw), Err(BadString::Surrogate(0)), "{raw}");
        }
    }

    #[test]
    fn ends() {
        let end = |text: &str| {
            let end = string_end(text.as_bytes(), 0);
            (end.at, end.flags)
        };
        assert_eq!(end("abc\" tail that is longer than a block"), (3, 0));
        assert_eq!(end("abc\""), (3, 0));
        assert_eq!(end("a\\\"c\""), (4, ESCAPED));
        assert_eq!(end("é\""), (2, UNICODE));
        assert_eq!(end("0123456789abcdefé0123456789abcdef\\n\""), (36, UNICODE | ESCAPED));
        assert_eq!(end("ab\ncd\""), (2, CONTROL));
        assert_eq!(end("abc"), (3, UNFINISHED));
        assert_eq!(end("abc\\"), (4, ESCAPED | UNFINISHED));
        assert_eq!(end("abc\\\""), (5, ESCAPED | UNFINISHED));
    }

    proptest! {
        #[test]
        fn what_serde_json_writes_reads_back(text in any::<String>()) {
            let json = serde_json::to_string(&text).unwrap();
            let end = string_end(json.as_bytes(), 1);
            prop_assert_eq!(end.at, json.len() - 1);
            prop_assert_eq!(read(&json[1..json.len() - 1]).unwrap(), text.clone());
            prop_assert_eq!(code_points(text.as_bytes()), text.chars().count());
        }
    }
}
