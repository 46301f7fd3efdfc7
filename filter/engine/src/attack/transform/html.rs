//! Character references of HTML.

use super::{ByteSet, after, copy_plain, run};
use crate::percent::hex;

pub(super) const TRIGGERS: ByteSet = ByteSet::of(b"&");

/// Numeric references and those of `quot`, `amp`, `lt`, `gt` and `nbsp` become one byte each, the lowest of the
/// code point's; the semicolon may be missing, as browsers have it. Other names stay.
pub(super) fn html_entity_decode(input: &[u8], out: &mut Vec<u8>) {
    out.reserve(input.len());
    let mut rest = input;
    loop {
        rest = copy_plain(rest, out, |byte| byte == b'&');
        let Some(&first) = rest.first() else { return };
        let (byte, len) = reference(rest).unwrap_or((first, 1));
        out.push(byte);
        rest = after(rest, len);
    }
}

/// The byte that the reference at the beginning stands for, and how long it is.
fn reference(text: &[u8]) -> Option<(u8, usize)> {
    let (byte, len) = match text {
        [_, b'#', b'x' | b'X', digits @ ..] => number(digits, 16, 3)?,
        [_, b'#', digits @ ..] => number(digits, 10, 2)?,
        [_, name @ ..] => {
            let len = run(name, |byte| byte.is_ascii_alphanumeric());
            (named(name.get(..len)?)?, len + 1)
        }
        [] => return None,
    };
    let semicolon = text.get(len) == Some(&b';');
    Some((byte, len + usize::from(semicolon)))
}

/// The lowest byte of a number written in digits, and the length of prefix and digits together. What is
/// beyond 63 bits counts as the largest number that is not.
fn number(digits: &[u8], radix: u8, prefix: usize) -> Option<(u8, usize)> {
    let mut number = 0u64;
    let mut len = 0;
    for &digit in digits {
        let Some(value) = hex(digit).filter(|value| *value < radix) else { break };
        number = number.saturating_mul(radix.into()).saturating_add(value.into());
        len += 1;
    }
    let number = number.min(i64::MAX as u64);
    (len > 0).then_some(((number & 0xFF) as u8, prefix + len))
}

fn named(name: &[u8]) -> Option<u8> {
    const NAMES: [(&[u8], u8); 5] =
        [(b"quot", b'"'), (b"amp", b'&'), (b"lt", b'<'), (b"gt", b'>'), (b"nbsp", 0xA0)];
    NAMES.iter().find(|(known, _)| name.eq_ignore_ascii_case(known)).map(|(_, byte)| *byte)
}
