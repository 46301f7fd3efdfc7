//! Percent-encoding, with the encoding of characters that early scripts used.

use super::{ByteSet, after, copy_plain, hex_byte, narrow};

pub(super) const TRIGGERS: ByteSet = ByteSet::of(b"%+");

/// `%hh` becomes a byte and `+` a space; a broken escape stays.
pub(super) fn url_decode(input: &[u8], out: &mut Vec<u8>) {
    decode(input, out, |_| None);
}

/// As `url_decode`; besides, `%uhhhh` becomes one byte.
pub(super) fn url_decode_uni(input: &[u8], out: &mut Vec<u8>) {
    decode(input, out, |rest| match rest {
        [b'%', b'u' | b'U', a, b, c, d, ..] => narrow([*a, *b, *c, *d]),
        _ => None,
    });
}

fn decode(input: &[u8], out: &mut Vec<u8>, wide: impl Fn(&[u8]) -> Option<u8>) {
    out.reserve(input.len());
    let mut rest = input;
    loop {
        rest = copy_plain(rest, out, |byte| byte == b'%' || byte == b'+');
        let Some(&first) = rest.first() else { return };
        let (byte, len) = match (first, rest) {
            (b'+', _) => (b' ', 1),
            (_, [_, high, low, ..]) => match (hex_byte(*high, *low), wide(rest)) {
                (Some(byte), _) => (byte, 3),
                (None, Some(byte)) => (byte, 6),
                (None, None) => (first, 1),
            },
            _ => (first, 1),
        };
        out.push(byte);
        rest = after(rest, len);
    }
}
