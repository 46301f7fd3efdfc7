//! Base64 and base64url: RFC 4648, sections 4 and 5.

use super::class::{ALPHA, DIGIT, is};

/// Groups of four characters of the standard alphabet, the last padded. The bits that padding
/// leaves over are not required to be zero: section 3.5 lets decoders choose.
pub(in super::super) fn base64(text: &[u8]) -> bool {
    let digits = match text {
        [rest @ .., b'=', b'='] | [rest @ .., b'='] => rest,
        _ => text,
    };
    text.len().is_multiple_of(4)
        && digits.iter().all(|&byte| is(byte, ALPHA | DIGIT) || matches!(byte, b'+' | b'/'))
}

/// The URL-safe alphabet, padded to groups of four or not at all (section 3.2 lets specifications leave
/// padding out, as JOSE does). A last group of one digit encodes nothing.
pub(in super::super) fn base64url(text: &[u8]) -> bool {
    let digits = match text {
        [rest @ .., b'=', b'='] | [rest @ .., b'='] => rest,
        _ => text,
    };
    let padded = digits.len() != text.len();
    (if padded { text.len().is_multiple_of(4) } else { digits.len() % 4 != 1 })
        && digits.iter().all(|&byte| is(byte, ALPHA | DIGIT) || matches!(byte, b'-' | b'_'))
}

/// Appends what an encoding of either alphabet stands for.
pub(in super::super) fn decode(text: &[u8], out: &mut Vec<u8>) {
    let (mut bits, mut count) = (0_u32, 0_u32);
    for digit in text.iter().map_while(|&byte| value(byte)) {
        bits = bits << 6 | digit;
        count += 6;
        if count >= 8 {
            count -= 8;
            out.push((bits >> count) as u8);
        }
    }
}

fn value(byte: u8) -> Option<u32> {
    let value = match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' | b'-' => 62,
        b'/' | b'_' => 63,
        _ => return None,
    };
    Some(u32::from(value))
}

#[cfg(test)]
mod tests {
    use super::{base64, base64url};

    #[test]
    fn url_safe_encodings() {
        for text in ["", "Zg==", "Zg", "Zm8=", "Zm8", "Zm9v", "-_-_"] {
            assert!(base64url(text.as_bytes()), "{text}");
        }
        for text in ["Z", "Zg=", "Z===", "====", "+/+/", "Zm9vZ", "Zm9v=", "Zm 9", "Zm9v\n", "é"] {
            assert!(!base64url(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn encodings() {
        for text in ["", "Zg==", "Zm8=", "Zm9v", "Zm9vYg==", "+/+/"] {
            assert!(base64(text.as_bytes()), "{text}");
        }
        for text in [
            "Z", "Zg", "Zg=", "Z===", "====", "=AAA", "Zm9v\n", "Zm-_", "Zg==Zg==", "Zm 9v", "Zm=v",
        ] {
            assert!(!base64(text.as_bytes()), "{text}");
        }
    }
}
