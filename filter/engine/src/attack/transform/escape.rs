//! Escapes of strings in C, and what they share with JavaScript's.

use super::{ByteSet, after, copy_plain, hex_byte, run};

pub(super) const TRIGGERS: ByteSet = ByteSet::of(b"\\");

/// `\a`, `\x41`, `\101` and their like become bytes; a backslash before anything else goes.
pub(super) fn escape_seq_decode(input: &[u8], out: &mut Vec<u8>) {
    decode(input, out, |text| match text {
        [b'X', high, low, ..] => hex_byte(*high, *low).map(|byte| (byte, 3)),
        _ => octal(text, 3).map(|(number, len)| ((number & 0xFF) as u8, len)),
    });
}

/// Undoes the escapes of a text; `other` takes what follows a backslash and is asked first.
pub(super) fn decode(
    input: &[u8],
    out: &mut Vec<u8>,
    other: impl Fn(&[u8]) -> Option<(u8, usize)>,
) {
    out.reserve(input.len());
    let mut rest = input;
    loop {
        rest = copy_plain(rest, out, |byte| byte == b'\\');
        let Some((&backslash, escape)) = rest.split_first() else { return };
        let (byte, len) = match escape {
            [] => (backslash, 0),
            [b'x', high, low, ..] if let Some(byte) = hex_byte(*high, *low) => (byte, 3),
            [letter, ..] => other(escape).unwrap_or((control(*letter), 1)),
        };
        out.push(byte);
        rest = after(escape, len);
    }
}

/// The number that octal digits write, at most so many, and how many there are.
pub(super) fn octal(text: &[u8], most: usize) -> Option<(u32, usize)> {
    let digits = text.get(..most).unwrap_or(text);
    let len = run(digits, |byte| matches!(byte, b'0'..=b'7'));
    let value = |number, digit: &u8| number << 3 | u32::from(digit & 7);
    (len > 0).then(|| (digits.iter().take(len).fold(0, value), len))
}

/// What a letter after a backslash stands for.
const fn control(letter: u8) -> u8 {
    match letter {
        b'a' => 0x07,
        b'b' => 0x08,
        b'f' => 0x0C,
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'v' => 0x0B,
        other => other,
    }
}
