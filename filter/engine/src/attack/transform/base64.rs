//! Base64 (RFC 4648, section 4).

use super::ByteSet;

pub(super) const TRIGGERS: ByteSet = ByteSet::of(b"+/ \r\n\0")
    .union(ByteSet::range(b'A', b'Z'))
    .union(ByteSet::range(b'a', b'z'))
    .union(ByteSet::range(b'0', b'9'));

/// A text that is Base64 as a whole is decoded: groups of four digits, the last padded, with line breaks between
/// any two of them, and spaces before line breaks. A byte 0 ends it. Any other text stays.
pub(super) fn base64_decode(input: &[u8], out: &mut Vec<u8>) {
    let end = input.iter().position(|&byte| byte == 0).unwrap_or(input.len());
    let text = input.get(..end).unwrap_or_default();
    match is_sound(text) {
        true => decode(text, out),
        false => out.extend_from_slice(input),
    }
}

/// The digits of a text are decoded, whatever stands between them; of an incomplete last group what is there.
///
/// ModSecurity gives nothing where `=` comes second in a group, a text that other forgiving decoders read on.
pub(super) fn base64_decode_ext(input: &[u8], out: &mut Vec<u8>) {
    decode(input, out);
}

fn decode(text: &[u8], out: &mut Vec<u8>) {
    out.reserve(text.len());
    let mut bits = 0u32;
    let mut count = 0u32;
    for digit in text.iter().filter_map(|&byte| value(byte)) {
        bits = bits << 6 | u32::from(digit);
        count += 6;
        if count >= 8 {
            count -= 8;
            out.push((bits >> count & 0xFF) as u8);
        }
    }
}

fn is_sound(text: &[u8]) -> bool {
    let (mut digits, mut padding) = (0usize, 0);
    let mut spaces = false;
    let mut rest = text;
    while let [byte, others @ ..] = rest {
        rest = others;
        match byte {
            b' ' => spaces = true,
            b'\n' => spaces = false,
            b'\r' if others.first() == Some(&b'\n') => spaces = false,
            _ if spaces => return false,
            b'=' if padding < 2 => padding += 1,
            _ if padding == 0 && value(*byte).is_some() => digits += 1,
            _ => return false,
        }
    }
    (digits + padding).is_multiple_of(4)
}

/// The value of a digit.
const fn value(digit: u8) -> Option<u8> {
    Some(match digit {
        b'A'..=b'Z' => digit - b'A',
        b'a'..=b'z' => digit - b'a' + 26,
        b'0'..=b'9' => digit - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    })
}
