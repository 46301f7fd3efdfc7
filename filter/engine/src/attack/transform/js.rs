//! Escapes of strings in JavaScript.

use super::{escape, narrow};

/// `\u0041`, `\x41`, `\101`, `\n` and their like become one byte each; a backslash before anything else goes.
pub(super) fn js_decode(input: &[u8], out: &mut Vec<u8>) {
    escape::decode(input, out, |text| match text {
        [b'u', a, b, c, d, ..] => narrow([*a, *b, *c, *d]).map(|byte| (byte, 5)),
        _ => {
            // Three digits make no byte where the first is above 3.
            let most = if matches!(text.first(), Some(b'0'..=b'3')) { 3 } else { 2 };
            let (number, len) = escape::octal(text, most)?;
            Some(((number & 0xFF) as u8, len))
        }
    });
}
