//! White space: that of C, space and the bytes 9 to 13.

use super::{ByteSet, after, copy_plain, is_space, run};

pub(super) const SPACES: ByteSet = ByteSet::of(b" ").union(ByteSet::range(b'\t', b'\r'));

/// Besides white space, the bytes of which U+00A0 consists in Latin-1 and UTF-8.
pub(super) const REMOVED: ByteSet = SPACES.union(ByteSet::of(b"\xA0\xC2"));

/// White space goes, and so do the bytes 0xA0 and 0xC2.
pub(super) fn remove_whitespace(input: &[u8], out: &mut Vec<u8>) {
    out.extend(input.iter().filter(|byte| !REMOVED.contains(**byte)));
}

/// A run of white space becomes one space.
pub(super) fn compress_whitespace(input: &[u8], out: &mut Vec<u8>) {
    out.reserve(input.len());
    let mut rest = input;
    loop {
        rest = copy_plain(rest, out, is_space);
        let spaces = run(rest, is_space);
        if spaces == 0 {
            return;
        }
        out.push(b' ');
        rest = after(rest, spaces);
    }
}

/// White space at both ends goes.
pub(super) fn trim(input: &[u8], out: &mut Vec<u8>) {
    trim_right(after(input, run(input, is_space)), out);
}

/// White space at the beginning goes.
pub(super) fn trim_left(input: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(after(input, run(input, is_space)));
}

/// White space at the end goes.
pub(super) fn trim_right(input: &[u8], out: &mut Vec<u8>) {
    let end = input.iter().rposition(|&byte| !is_space(byte)).map_or(0, |last| last + 1);
    out.extend_from_slice(input.get(..end).unwrap_or_default());
}
