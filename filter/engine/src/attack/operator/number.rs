//! Whole numbers in decimal.

/// The whole number that a text is; one that is too large reads as the largest.
pub(super) fn read(text: &[u8]) -> Option<i64> {
    let text = text.trim_ascii();
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] => (false, digits),
        _ => (false, text),
    };
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let value = digits.iter().fold(0i64, |sum, digit| {
        sum.saturating_mul(10).saturating_add(i64::from(digit.wrapping_sub(b'0')))
    });
    Some(if negative { value.saturating_neg() } else { value })
}

/// The number that a text begins with, as C's `atoi` reads it: 0 where it begins with none.
pub(super) fn leading(text: &[u8]) -> i64 {
    let text = text.trim_ascii_start();
    let signed = usize::from(matches!(text.first(), Some(b'-' | b'+')));
    let digits = text.get(signed..).unwrap_or_default().iter().take_while(|it| it.is_ascii_digit());
    let most = i64::from(i32::MAX);
    let value = digits.fold(0i64, |sum, digit| {
        sum.saturating_mul(10).saturating_add(i64::from(digit.wrapping_sub(b'0'))).min(most)
    });
    if text.first() == Some(&b'-') { value.saturating_neg() } else { value }
}

#[cfg(test)]
mod tests {
    use super::{leading, read};

    #[test]
    fn reads_numbers_at_the_beginning() {
        for (text, value) in [("12a", 12), (" -3", -3), ("x1", 0), ("", 0), ("-", 0), ("+7", 7)] {
            assert_eq!(leading(text.as_bytes()), value, "{text}");
        }
        assert_eq!(leading(b"99999999999999999999"), i64::from(i32::MAX));
    }

    #[test]
    fn reads_whole_numbers() {
        assert_eq!(read(b" 12"), Some(12));
        assert_eq!(read(b"-3"), Some(-3));
        assert_eq!(read(b"+0"), Some(0));
        assert_eq!(read(b"99999999999999999999"), Some(i64::MAX));
        for bad in [&b""[..], b"-", b"1.0", b"0x1", b"1a"] {
            assert_eq!(read(bad), None);
        }
    }
}
