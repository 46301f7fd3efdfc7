//! UTF-8, read by its structure alone: overlong forms and surrogates are characters too, since decoders that
//! take them are what attackers look for.

use super::{ByteSet, after, copy_plain, hex};

pub(super) const TRIGGERS: ByteSet = ByteSet::range(0xC0, 0xF7);

/// Characters of two bytes and more become `%u` and at least four hexadecimal digits. What is no character stays.
///
/// ModSecurity writes the first byte of overlong forms and surrogates again behind them, drops bytes 0, and
/// drops the first byte of a character that is cut off.
pub(super) fn utf8_to_unicode(input: &[u8], out: &mut Vec<u8>) {
    out.reserve(input.len());
    let mut rest = input;
    loop {
        rest = copy_plain(rest, out, |byte| byte >= 0xC0);
        let Some(&first) = rest.first() else { return };
        let Some((code, len)) = character(rest) else {
            out.push(first);
            rest = after(rest, 1);
            continue;
        };
        out.extend_from_slice(b"%u");
        for shift in [20, 16, 12, 8, 4, 0] {
            if shift < 16 || code >> shift != 0 {
                out.push(hex::digit((code >> shift & 15) as u8));
            }
        }
        rest = after(rest, len);
    }
}

/// The character of two bytes or more at the beginning, and its length in bytes.
#[inline]
pub(super) fn character(text: &[u8]) -> Option<(u32, usize)> {
    let tail = |byte: u8| (byte & 0xC0 == 0x80).then_some(u32::from(byte & 0x3F));
    match *text {
        [a @ 0xC0..=0xDF, b, ..] => Some((u32::from(a & 0x1F) << 6 | tail(b)?, 2)),
        [a @ 0xE0..=0xEF, b, c, ..] => {
            Some((u32::from(a & 0x0F) << 12 | tail(b)? << 6 | tail(c)?, 3))
        }
        [a @ 0xF0..=0xF7, b, c, d, ..] => {
            Some((u32::from(a & 0x07) << 18 | tail(b)? << 12 | tail(c)? << 6 | tail(d)?, 4))
        }
        _ => None,
    }
}
