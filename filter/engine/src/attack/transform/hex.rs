//! Hexadecimal digits.

use super::{ByteSet, after, copy_plain, hex_byte};

pub(super) const SQL_TRIGGERS: ByteSet = ByteSet::of(b"0");

/// Pairs of digits become bytes; a digit without a partner goes. What is no digit counts by ModSecurity's
/// arithmetic, so that digits around it keep their meaning.
pub(super) fn hex_decode(input: &[u8], out: &mut Vec<u8>) {
    let value = |byte: u8| match byte {
        b'A'.. => (byte & 0xDF).wrapping_sub(b'A').wrapping_add(10),
        _ => byte.wrapping_sub(b'0'),
    };
    let (pairs, _) = input.as_chunks::<2>();
    out.extend(pairs.iter().map(|[high, low]| (value(*high) << 4).wrapping_add(value(*low))));
}

/// Bytes become pairs of digits, letters in lower case.
pub(super) fn hex_encode(input: &[u8], out: &mut Vec<u8>) {
    out.reserve(input.len().saturating_mul(2));
    for byte in input {
        out.extend([digit(byte >> 4), digit(byte & 15)]);
    }
}

/// `0x` and at least one pair of digits become bytes, as many as there are pairs.
pub(super) fn sql_hex_decode(input: &[u8], out: &mut Vec<u8>) {
    out.reserve(input.len());
    let mut rest = input;
    loop {
        rest = copy_plain(rest, out, |byte| byte == b'0');
        match rest {
            [_, b'x' | b'X', high, low, ..] if hex_byte(*high, *low).is_some() => {
                rest = after(rest, 2);
                while let [high, low, others @ ..] = rest
                    && let Some(byte) = hex_byte(*high, *low)
                {
                    out.push(byte);
                    rest = others;
                }
            }
            [zero, ..] => {
                out.push(*zero);
                rest = after(rest, 1);
            }
            [] => return,
        }
    }
}

/// The digit that writes a number below 16.
pub(super) const fn digit(value: u8) -> u8 {
    if value < 10 { b'0' + value } else { b'a' + value - 10 }
}
