//! What is wrong with a path before anything is looked up.
//!
//! The filter cannot see how the gateway, or the service behind it, normalises paths. A path that
//! two readers could read differently is a finding by itself, judged on the bytes as sent.

use crate::percent::{escape, hex};

/// What is wrong with a path; both can be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct PathFaults {
    /// Another reader could read it differently.
    pub ambiguous: bool,
    /// It is not a path, or an escape in it is broken.
    pub malformed: bool,
    /// It holds a semicolon, which is ambiguous unless a parameter of the style matrix takes it.
    pub semicolon: bool,
}

/// Judges a path without its query. `scratch` is overwritten.
pub(crate) fn path_faults(path: &[u8], scratch: &mut Vec<u8>) -> PathFaults {
    if path.first() != Some(&b'/') {
        return PathFaults { malformed: true, ..PathFaults::default() };
    }
    // Most paths show in one pass that there is nothing to look at closely.
    let (mut seen, mut previous) = (0, 0);
    for &byte in path {
        let kind = KINDS.get(usize::from(byte)).copied().unwrap_or(UNUSUAL);
        // Two slashes side by side, or a dot that begins a segment.
        seen |= kind & UNUSUAL | kind & previous & SLASH | (kind & DOT) & (previous << 1);
        previous = kind;
    }
    if seen & UNUSUAL != 0 {
        unusual_faults(path, scratch)
    } else if seen != 0 {
        segment_faults(path)
    } else {
        PathFaults::default()
    }
}

/// A slash.
const SLASH: u8 = 1;
/// A dot: the bit above that of the slash.
const DOT: u8 = 2;
/// A byte that makes a path worth a closer look wherever it stands.
const UNUSUAL: u8 = 4;

/// What each byte is.
#[expect(clippy::indexing_slicing, reason = "evaluated when compiled; a byte indexes 256 places")]
static KINDS: [u8; 256] = {
    let mut kinds = [0; 256];
    let mut byte = 0u8;
    loop {
        kinds[byte as usize] = match byte {
            b'/' => SLASH,
            b'.' => DOT,
            b'%' | b'\\' | b';' | b'#' | 0..=0x20 | 0x7F..=0xFF => UNUSUAL,
            _ => 0,
        };
        if byte == 0xFF {
            break kinds;
        }
        byte += 1;
    }
};

/// Judges the query as bytes: what cannot stand in a request target, and fragments.
pub(crate) fn query_faults(query: &[u8]) -> PathFaults {
    PathFaults {
        ambiguous: query.contains(&b'#'),
        malformed: query.iter().any(|byte| matches!(byte, 0..=0x20 | 0x7F)),
        semicolon: false,
    }
}

/// Empty segments other than the last, and dot segments, of a path without escapes.
fn segment_faults(path: &[u8]) -> PathFaults {
    let double = path.windows(2).any(|pair| pair == b"//");
    let dots = path.contains(&b'.')
        && path.split(|&byte| byte == b'/').any(|segment| matches!(segment, b"." | b".."));
    PathFaults { ambiguous: double || dots, ..PathFaults::default() }
}

fn unusual_faults(path: &[u8], decoded: &mut Vec<u8>) -> PathFaults {
    let mut faults = PathFaults::default();
    decoded.clear();
    let mut at = 0;
    while let Some(&byte) = path.get(at) {
        if byte != b'%' {
            match byte {
                b'\\' | b'#' => faults.ambiguous = true,
                b';' => faults.semicolon = true,
                0..=0x20 | 0x7F => faults.malformed = true,
                _ => {}
            }
            decoded.push(byte);
            at += 1;
            continue;
        }
        let Some(byte) = escape(path, at) else {
            faults.malformed = true;
            decoded.push(b'%');
            at += 1;
            continue;
        };
        // An encoded slash is one segment to us and two to a reader that decodes first; the same
        // holds for the backslash, and control characters end strings elsewhere.
        if matches!(byte, b'/' | b'\\' | 0..=0x1F | 0x7F) {
            faults.ambiguous = true;
        }
        decoded.push(byte);
        at += 3;
    }
    faults.ambiguous |= segment_faults(decoded).ambiguous
        || holds_escape(decoded, faults.malformed)
        || core::str::from_utf8(decoded).is_err();
    faults
}

/// Whether decoding once more would change the text: it was encoded twice. Where a broken escape
/// was kept as it is, what follows it says nothing.
fn holds_escape(decoded: &[u8], malformed: bool) -> bool {
    !malformed
        && decoded.windows(3).any(|window| match window {
            [b'%', high, low] => hex(*high).is_some() && hex(*low).is_some(),
            _ => false,
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(path: &[u8]) -> (bool, bool) {
        let faults = path_faults(path, &mut Vec::new());
        (faults.ambiguous || faults.semicolon, faults.malformed)
    }

    #[test]
    fn plain_paths_pass() {
        for path in [
            &b"/"[..],
            b"/accounts/22289",
            b"/accounts/",
            b"/a.b/..c/d..",
            b"/a%20b/%41%C3%A9",
            "/caf\u{e9}".as_bytes(),
            b"/100%25",
            b"/100%25/x",
            b"/a,b:c;"[..6].as_ref(),
            b"/%3B/%23/%3F",
        ] {
            assert_eq!(faults(path), (false, false), "{path:?}");
        }
    }

    #[test]
    fn ambiguous_paths_are_found() {
        for path in [
            &b"//accounts"[..],
            b"/accounts//1",
            b"/accounts/1//",
            b"/accounts/../admin",
            b"/accounts/..",
            b"/./accounts",
            b"/accounts/%2e%2e/admin",
            b"/accounts/.%2E/admin",
            b"/accounts/%2e",
            b"/a%2fb",
            b"/a%2Fb",
            b"/a%5cb",
            b"/a\\b",
            b"/a;v=1/b",
            b"/a/..;/b",
            b"/a%252fb",
            b"/a%25%32%66b",
            b"/a%00",
            b"/a%0ab",
            b"/a%7F",
            b"/a%ff",
            b"/%c0%af",
            b"/a\xff",
            b"/a#b",
        ] {
            assert_eq!(faults(path), (true, false), "{}", path.escape_ascii());
        }
    }

    #[test]
    fn malformed_paths_are_found() {
        for path in
            [&b""[..], b"accounts", b"*", b"/a%", b"/a%2", b"/%zz", b"/%u002f", b"/a b", b"/a\0"]
        {
            assert_eq!(faults(path), (false, true), "{}", path.escape_ascii());
        }
        assert_eq!(faults(b"/a%zz/../b"), (true, true));
    }

    #[test]
    fn queries_are_judged_as_bytes() {
        assert_eq!(query_faults(b"a=1&b=%2f"), PathFaults::default());
        assert!(query_faults(b"a=1#b").ambiguous);
        assert!(query_faults(b"a=1 b").malformed);
    }
}
