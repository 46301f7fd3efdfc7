//! Addresses that are scripts: `javascript:`, `vbscript:`, `data:`, `view-source:`, however they are written.

use crate::bytes::{after, span};

/// What such addresses begin with.
const SCHEMES: [&[u8]; 4] = [b"DATA", b"VIEW-SOURCE", b"JAVA", b"VBSCRIPT"];

/// No character has a larger number. libinjection's limit, which is one bit short of Unicode's.
const LARGEST: u32 = 0x10_00ff;

/// Whether an attribute's value is such an address. Bytes that are not printable ASCII are ignored at its
/// front, as browsers ignore some of them.
pub fn is_script(value: &[u8]) -> bool {
    let value = after(value, span(value, |byte| !matches!(byte, 33..=126)));
    SCHEMES.iter().any(|scheme| decodes_to(value, scheme))
}

/// Whether a value, its character references decoded, begins with a scheme. White space and control
/// characters before it are ignored, and NUL and line feeds within it.
fn decodes_to(mut value: &[u8], scheme: &[u8]) -> bool {
    let mut expected = scheme.iter();
    let mut next = expected.next();
    let mut at_front = true;
    while let Some(letter) = next {
        let Some((character, length)) = decode(value) else { return false };
        value = after(value, length);
        if at_front && character <= 32 {
            continue;
        }
        at_front = false;
        if character == 0 || character == 10 {
            continue;
        }
        if low_byte(character) != *letter {
            return false;
        }
        next = expected.next();
    }
    true
}

/// The last byte of a character's number, which is all that is compared, in upper case if it is a letter.
fn low_byte(character: u32) -> u8 {
    match u8::try_from(character) {
        Ok(byte) => byte.to_ascii_uppercase(),
        Err(_) => character.to_le_bytes()[0],
    }
}

/// The first character, and how many bytes it takes.
fn decode(value: &[u8]) -> Option<(u32, usize)> {
    let reference = match value {
        [b'&', b'#', b'x' | b'X', digits @ ..] => number(digits, 16).map(|(n, len)| (n, len + 3)),
        [b'&', b'#', digits @ ..] => number(digits, 10).map(|(n, len)| (n, len + 2)),
        _ => None,
    };
    reference.or_else(|| Some((u32::from(*value.first()?), 1)))
}

/// A number and how many bytes it takes, with the `;` behind it; none where it is too large.
fn number(digits: &[u8], radix: u32) -> Option<(u32, usize)> {
    let digit = |byte: u8| char::from(byte).to_digit(radix);
    let length = span(digits, |byte| digit(byte).is_some());
    if length == 0 {
        return None;
    }
    let mut number = 0;
    for byte in digits.iter().take(length) {
        number = number * radix + digit(*byte)?;
        if number > LARGEST {
            return None;
        }
    }
    let ends = digits.get(length) == Some(&b';');
    Some((number, length + usize::from(ends)))
}
