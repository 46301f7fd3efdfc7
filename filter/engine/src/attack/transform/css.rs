//! Escapes of CSS 2.1, section 4.1.3.

use super::{after, copy_plain, hex_byte, is_space, run, unwiden};

/// Digits of one escape, at most.
const DIGITS: usize = 6;

/// A backslash and up to six hexadecimal digits become the lowest byte of the number, and one white space after
/// them goes; a backslash before a new line goes with it; any other backslash goes.
pub(super) fn css_decode(input: &[u8], out: &mut Vec<u8>) {
    out.reserve(input.len());
    let mut rest = input;
    loop {
        rest = copy_plain(rest, out, |byte| byte == b'\\');
        let Some((_, escape)) = rest.split_first() else { return };
        let digits = escape.get(..DIGITS).unwrap_or(escape);
        let len = run(digits, |byte| byte.is_ascii_hexdigit());
        rest = match digits.get(..len) {
            Some(digits @ [_, ..]) => {
                out.push(number(digits));
                let rest = after(escape, len);
                after(rest, usize::from(rest.first().is_some_and(|byte| is_space(*byte))))
            }
            _ if escape.first() == Some(&b'\n') => after(escape, 1),
            _ => {
                out.extend(escape.first());
                after(escape, 1)
            }
        };
    }
}

/// The byte that the digits stand for: the lowest, or the ASCII character of a full-width form.
fn number(digits: &[u8]) -> u8 {
    let pair = |high, low| hex_byte(high, low).unwrap_or_default();
    match digits {
        [a, b, c, d] | [b'0', a, b, c, d] | [b'0', b'0', a, b, c, d] if pair(*a, *b) == 0xFF => {
            unwiden(pair(*c, *d))
        }
        [.., high, low] => pair(*high, *low),
        [low] => pair(b'0', *low),
        [] => 0,
    }
}
