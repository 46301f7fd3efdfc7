//! Base16: RFC 4648, section 8, in either case.

use super::class::{HEX, all};

/// Pairs of hexadecimal digits.
pub(in super::super) fn base16(text: &[u8]) -> bool {
    text.len().is_multiple_of(2) && all(text, HEX)
}

/// Appends the bytes that pairs of digits stand for.
pub(in super::super) fn decode(text: &[u8], out: &mut Vec<u8>) {
    let value = |digit: u8| char::from(digit).to_digit(16).unwrap_or(0) as u8;
    let (pairs, _) = text.as_chunks::<2>();
    out.extend(pairs.iter().map(|[high, low]| value(*high) << 4 | value(*low)));
}
