//! Numbers in strings, as OpenAPI's format registry has them: `decimal`, `decimal128` (IEEE 754), and the
//! integers of 64 bits that JSON numbers are not trusted with.

use super::class::{DIGIT, is};

/// Significant digits of a decimal128.
const DIGITS: usize = 34;
/// The greatest exponent of a decimal128's leading digit.
const MAX_EXPONENT: i64 = 6144;
/// The least exponent of a decimal128's last digit.
const MIN_EXPONENT: i64 = -6176;

/// A fixed-point number: an `exact numeric literal` of SQL with an optional sign.
pub(super) fn decimal(text: &[u8]) -> bool {
    let Some(parts) = split(text) else { return false };
    parts.rest.is_empty()
}

/// A number that a decimal128 holds exactly, or one of its special values.
pub(super) fn decimal128(text: &[u8]) -> bool {
    if matches!(text, b"NaN" | b"INF" | b"-INF") {
        return true;
    }
    let Some(parts) = split(text) else { return false };
    let Some(exponent) = exponent(parts.rest) else { return false };
    let mut significant = 0;
    let mut zeros = 0;
    for digit in parts.whole.iter().chain(parts.fraction) {
        match digit {
            b'0' if significant == 0 => {}
            b'0' => zeros += 1,
            _ => {
                significant += zeros + 1;
                zeros = 0;
            }
        }
    }
    // `significant` digits of which the last has this exponent; zeros behind it may be left out or written.
    let last = exponent - parts.fraction.len() as i64 + zeros as i64;
    let first = last + significant as i64 - 1;
    significant == 0 || (significant <= DIGITS && first <= MAX_EXPONENT && last >= MIN_EXPONENT)
}

/// An integer of `-2^63` to `2^63 - 1`.
pub(super) fn int64(text: &[u8]) -> bool {
    match text {
        [b'-', digits @ ..] => digits != b"0" && within(digits, b"9223372036854775808"),
        _ => within(text, b"9223372036854775807"),
    }
}

/// An integer of `0` to `2^64 - 1`.
pub(super) fn uint64(text: &[u8]) -> bool {
    within(text, b"18446744073709551615")
}

/// Digits without leading zeros that say no more than `most` does.
fn within(digits: &[u8], most: &[u8]) -> bool {
    let canonical = matches!(digits, b"0" | [b'1'..=b'9', ..]);
    canonical
        && digits.iter().all(|&byte| is(byte, DIGIT))
        && (digits.len() < most.len() || digits.len() == most.len() && digits <= most)
}

/// A number's digits, and what follows them.
struct Parts<'a> {
    whole: &'a [u8],
    fraction: &'a [u8],
    rest: &'a [u8],
}

fn split(text: &[u8]) -> Option<Parts<'_>> {
    let text = match text {
        [b'+' | b'-', rest @ ..] => rest,
        _ => text,
    };
    let (whole, rest) = digits(text);
    let (fraction, rest) = match rest {
        [b'.', rest @ ..] => digits(rest),
        _ => (&[][..], rest),
    };
    (whole.len() + fraction.len() > 0).then_some(Parts { whole, fraction, rest })
}

fn digits(text: &[u8]) -> (&[u8], &[u8]) {
    let count = text.iter().take_while(|&&byte| is(byte, DIGIT)).count();
    text.split_at_checked(count).unwrap_or((text, &[]))
}

/// The value of an exponent, 0 where there is none.
fn exponent(text: &[u8]) -> Option<i64> {
    let (negative, all) = match text {
        [] => return Some(0),
        [b'e' | b'E', b'-', rest @ ..] => (true, rest),
        [b'e' | b'E', b'+', rest @ ..] | [b'e' | b'E', rest @ ..] => (false, rest),
        _ => return None,
    };
    let (number, rest) = digits(all);
    if number.is_empty() || !rest.is_empty() {
        return None;
    }
    // Far beyond what any text's digits could bring back into range.
    let value =
        number.iter().fold(0_i64, |value, digit| (value * 10 + i64::from(digit & 15)).min(1 << 40));
    Some(if negative { -value } else { value })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fixed_point() {
        for text in
            ["0", "12.50", "-0.01", "+1", ".5", "5.", "007", "123456789012345678901234567890"]
        {
            assert!(decimal(text.as_bytes()), "{text}");
        }
        for text in ["", ".", "-", "1e5", "1,5", "1.2.3", " 1", "1 ", "NaN", "0x1", "１"] {
            assert!(!decimal(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn decimals_of_128_bits() {
        let nines = "9".repeat(34);
        for text in [
            "0",
            "-1.5e10",
            "NaN",
            "INF",
            "-INF",
            "1E6144",
            "1e-6176",
            &nines,
            &format!("{nines}000e10"),
            "0.000",
            "0e99999",
            "1e0000000000000001",
            &format!("{}1", "0".repeat(50)),
        ] {
            assert!(decimal128(text.as_bytes()), "{text}");
        }
        for text in [
            "",
            "1e",
            "1e+",
            "nan",
            "+INF",
            "1E6145",
            "1e-6177",
            "10e6144",
            &format!("{nines}9"),
            "1e99999999999999999999",
            "1.5f",
            "1e5.0",
        ] {
            assert!(!decimal128(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn integers_of_64_bits() {
        for text in ["0", "-1", "9223372036854775807", "-9223372036854775808", "1000"] {
            assert!(int64(text.as_bytes()), "{text}");
        }
        for text in
            ["", "-", "-0", "+1", "01", "1.0", "9223372036854775808", "-9223372036854775809"]
        {
            assert!(!int64(text.as_bytes()), "{text}");
        }
        assert!(uint64(b"18446744073709551615") && uint64(b"0"));
        assert!(!uint64(b"18446744073709551616") && !uint64(b"-1") && !uint64(b"00"));
        assert!(!uint64(b"99999999999999999999999"));
    }
}
