//! Character references of HTML.

use super::{ByteSet, after, copy_plain};
use crate::percent::hex;

pub(super) const TRIGGERS: ByteSet = ByteSet::of(b"&");

/// Numeric references and those of `quot`, `amp`, `lt`, `gt` and `nbsp` become one byte each, the lowest of the
/// code point's; the semicolon may be missing, as browsers have it. Other names stay.
///
/// Where letters or digits follow on a name without a semicolon, ModSecurity drops them; browsers do not, and
/// neither does this.
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
        [_, name @ ..] => named(name)?,
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

/// The byte that the name at the beginning stands for, and how long `&` and the name are.
fn named(text: &[u8]) -> Option<(u8, usize)> {
    const NAMES: [(&[u8], u8); 5] =
        [(b"quot", b'"'), (b"amp", b'&'), (b"lt", b'<'), (b"gt", b'>'), (b"nbsp", 0xA0)];
    let begins =
        |name: &[u8]| text.get(..name.len()).is_some_and(|it| it.eq_ignore_ascii_case(name));
    NAMES.iter().find(|(name, _)| begins(name)).map(|(name, byte)| (*byte, name.len() + 1))
}
