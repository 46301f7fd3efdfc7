//! Content transfer encodings of MIME: RFC 2045, sections 2.7, 2.8 and 6.7.

use super::class::{HEX, is};

/// Bytes of a line without its end, at most (section 2.7).
const LINE: usize = 998;
/// Characters of a line of quoted-printable text, at most (section 6.7, rule 5).
const QUOTED_LINE: usize = 76;

/// ASCII in short lines, without NUL; CR and LF only together.
pub(in super::super) fn seven_bit(text: &[u8]) -> bool {
    text.is_ascii() && eight_bit(text)
}

/// Short lines, without NUL; CR and LF only together.
pub(in super::super) fn eight_bit(text: &[u8]) -> bool {
    let mut length = 0;
    let mut rest = text;
    loop {
        (rest, length) = match rest {
            [] => return true,
            [b'\r', b'\n', after @ ..] => (after, 0),
            [0 | b'\r' | b'\n', ..] => return false,
            [_, after @ ..] => (after, length + 1),
        };
        if length > LINE {
            return false;
        }
    }
}

/// Printable ASCII, other bytes as `=` and two hexadecimal digits; no line ends in white space.
pub(in super::super) fn quoted_printable(text: &[u8]) -> bool {
    let mut length = 0;
    let mut rest = text;
    let mut last = 0;
    loop {
        let (after, more) = match rest {
            [] => return !matches!(last, b' ' | b'\t'),
            [b'=', b'\r', b'\n', after @ ..] => (after, None),
            [b'\r', b'\n', after @ ..] if !matches!(last, b' ' | b'\t') => (after, None),
            [b'=', high, low, after @ ..] if is(*high, HEX) && is(*low, HEX) => (after, Some(3)),
            [b'\t' | b' '..=b'<' | b'>'..=b'~', after @ ..] => (after, Some(1)),
            _ => return false,
        };
        last = rest.first().copied().unwrap_or(0);
        length = more.map_or(0, |more| length + more);
        if length > QUOTED_LINE {
            return false;
        }
        rest = after;
    }
}

/// Appends what quoted-printable text stands for.
pub(in super::super) fn decode_quoted_printable(text: &[u8], out: &mut Vec<u8>) {
    let value = |digit: u8| char::from(digit).to_digit(16).unwrap_or(0) as u8;
    let mut rest = text;
    loop {
        rest = match rest {
            [] => return,
            [b'=', b'\r', b'\n', after @ ..] => after,
            [b'=', high, low, after @ ..] => {
                out.push(value(*high) << 4 | value(*low));
                after
            }
            [byte, after @ ..] => {
                out.push(*byte);
                after
            }
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines() {
        let long = "a".repeat(998);
        for text in ["", "a\r\nb", "\r\n\r\n", &long, &format!("{long}\r\n{long}")] {
            assert!(seven_bit(text.as_bytes()) && eight_bit(text.as_bytes()), "{text}");
        }
        for text in ["a\nb", "a\rb", "\0", &format!("{long}a")] {
            assert!(!seven_bit(text.as_bytes()) && !eight_bit(text.as_bytes()), "{text}");
        }
        assert!(eight_bit("é".as_bytes()) && !seven_bit("é".as_bytes()));
    }

    #[test]
    fn quoted() {
        for (text, plain) in [
            ("", ""),
            ("a=3Db", "a=b"),
            ("caf=C3=A9", "café"),
            ("caf=c3=a9", "café"),
            ("a=\r\nb", "ab"),
            ("a b\r\nc\t.", "a b\r\nc\t."),
            ("a=20\r\nb", "a \r\nb"),
        ] {
            assert!(quoted_printable(text.as_bytes()), "{text}");
            let mut out = Vec::new();
            decode_quoted_printable(text.as_bytes(), &mut out);
            assert_eq!(out, plain.as_bytes(), "{text}");
        }
        let long = "a".repeat(76);
        assert!(quoted_printable(long.as_bytes()));
        for text in
            ["a ", "a \r\nb", "é", "=", "=4", "=zz", "a\nb", "=\n", "\u{7f}", &format!("{long}a")]
        {
            assert!(!quoted_printable(text.as_bytes()), "{text}");
        }
    }
}
