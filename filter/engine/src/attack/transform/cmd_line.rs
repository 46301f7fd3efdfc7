//! Command lines of shells.

use super::ByteSet;

pub(super) const TRIGGERS: ByteSet =
    ByteSet::of(b"\"'\\^ ,;\t\r\n/(").union(ByteSet::range(b'A', b'Z'));

/// Quotes, backslashes and carets go; a run of white space, commas and semicolons becomes one space, none before
/// `/` and `(`; letters become lower case.
pub(super) fn cmd_line(input: &[u8], out: &mut Vec<u8>) {
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
                out.push(byte.to_ascii_lowercase());
            }
        }
    }
}
