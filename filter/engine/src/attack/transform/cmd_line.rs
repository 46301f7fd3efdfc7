//! Command lines of shells.

use super::ByteSet;

pub(super) const TRIGGERS: ByteSet = TRIGGERS_CASED.union(ByteSet::range(b'A', b'Z'));
/// Before `/` and `(` only white space goes, which is a trigger itself.
pub(super) const TRIGGERS_CASED: ByteSet = GOES.union(ByteSet::of(b" "));

/// Bytes that never stay.
const GOES: ByteSet = ByteSet::of(b"\"'\\^,;\t\r\n");

/// Quotes, backslashes and carets go; a run of white space, commas and semicolons becomes one space, none before
/// `/` and `(`; letters become lower case.
pub(super) fn cmd_line(input: &[u8], out: &mut Vec<u8>) {
    rewrite(input, out, |byte| byte.to_ascii_lowercase());
}

/// The same, but that letters keep their case.
pub(super) fn cmd_line_cased(input: &[u8], out: &mut Vec<u8>) {
    rewrite(input, out, |byte| byte);
}

fn rewrite(input: &[u8], out: &mut Vec<u8>, letter: impl Fn(u8) -> u8) {
    out.reserve(input.len());
    let mut spaced = false;
    for &byte in input {
        match byte {
            b'"' | b'\'' | b'\\' | b'^' => {}
            b' ' | b',' | b';' | b'\t' | b'\r' | b'\n' => {
                if !spaced {
                    out.push(b' ');
                }
                spaced = true;
            }
            b'/' | b'(' => {
                if spaced {
                    out.pop();
                }
                spaced = false;
                out.push(byte);
            }
            _ => {
                spaced = false;
                out.push(letter(byte));
            }
        }
    }
}
