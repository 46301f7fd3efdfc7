//! Paths of file systems.

use super::ByteSet;

pub(super) const TRIGGERS: ByteSet = ByteSet::of(b"/.");
pub(super) const TRIGGERS_WIN: ByteSet = ByteSet::of(b"/.\\");

/// Empty and `.` segments go, and `..` goes with the segment before it. At the beginning of a path that begins
/// with `/` it just goes; of another it stays. What remains of nothing but such segments is empty, or `/` where
/// the path ends with one.
pub(super) fn normalize_path(input: &[u8], out: &mut Vec<u8>) {
    normalize(input, out, |byte| byte == b'/');
}

/// As `normalize_path`, with `\` read as `/`.
pub(super) fn normalize_path_win(input: &[u8], out: &mut Vec<u8>) {
    normalize(input, out, |byte| byte == b'/' || byte == b'\\');
}

fn normalize(input: &[u8], out: &mut Vec<u8>, separates: impl Fn(u8) -> bool) {
    out.reserve(input.len());
    let absolute = input.first().is_some_and(|&byte| separates(byte));
    for segment in input.split(|&byte| separates(byte)) {
        match segment {
            b"" | b"." => {}
            b".." if climb(out, absolute) => {}
            b".." if absolute => {}
            _ => {
                if absolute || !out.is_empty() {
                    out.push(b'/');
                }
                out.extend_from_slice(segment);
            }
        }
    }
    let trailing = input.last().is_some_and(|&byte| separates(byte));
    if trailing && (absolute || !out.is_empty()) {
        out.push(b'/');
    }
}

/// Takes the last segment back, if there is one that can be taken.
fn climb(out: &mut Vec<u8>, absolute: bool) -> bool {
    if out.is_empty() {
        return false;
    }
    let start = out.iter().rposition(|&byte| byte == b'/');
    let name = start.map_or(0, |slash| slash + 1);
    if !absolute && out.get(name..) == Some(b"..") {
        return false;
    }
    out.truncate(start.unwrap_or(0));
    true
}
