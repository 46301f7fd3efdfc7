//! Base32 and base32hex: RFC 4648, sections 6 and 7.

/// Groups of eight characters of `A` to `Z` and `2` to `7`, the last padded.
pub(in super::super) fn base32(text: &[u8]) -> bool {
    padded(text, |byte| value(byte).is_some())
}

/// As [`base32`], of `0` to `9` and `A` to `V`.
pub(in super::super) fn base32hex(text: &[u8]) -> bool {
    padded(text, |byte| hex_value(byte).is_some())
}

/// Appends what [`base32`] stands for.
pub(in super::super) fn decode(text: &[u8], out: &mut Vec<u8>) {
    bits(text, value, out);
}

/// Appends what [`base32hex`] stands for.
pub(in super::super) fn decode_hex(text: &[u8], out: &mut Vec<u8>) {
    bits(text, hex_value, out);
}

fn padded(text: &[u8], is_digit: impl Fn(u8) -> bool) -> bool {
    let padding = text.iter().rev().take_while(|&&byte| byte == b'=').count();
    let digits = text.get(..text.len().saturating_sub(padding)).unwrap_or_default();
    // Other lengths hold no whole number of bytes.
    text.len().is_multiple_of(8)
        && matches!(padding, 0 | 1 | 3 | 4 | 6)
        && digits.iter().all(|&byte| is_digit(byte))
}

fn bits(text: &[u8], value: impl Fn(u8) -> Option<u8>, out: &mut Vec<u8>) {
    let (mut bits, mut count) = (0_u32, 0_u32);
    for digit in text.iter().map_while(|&byte| value(byte)) {
        bits = bits << 5 | u32::from(digit);
        count += 5;
        if count >= 8 {
            count -= 8;
            out.push((bits >> count) as u8);
        }
    }
}

fn value(byte: u8) -> Option<u8> {
    match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'2'..=b'7' => Some(byte - b'2' + 26),
        _ => None,
    }
}

fn hex_value(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'A'..=b'V' => Some(byte - b'A' + 10),
        _ => None,
    }
}
