//! JSON pointers: RFC 6901, section 3; relative ones: draft-bhutton-relative-json-pointer-00, section 3.

use super::class::{DIGIT, is};

/// Tokens that begin with `/`, in which `~` stands only as `~0` and `~1`.
pub(super) fn json_pointer(text: &[u8]) -> bool {
    if !matches!(text, [] | [b'/', ..]) {
        return false;
    }
    let mut bytes = text.iter();
    while let Some(byte) = bytes.next() {
        if *byte == b'~' && !matches!(bytes.next(), Some(b'0' | b'1')) {
            return false;
        }
    }
    true
}

/// Levels to go up, an index manipulation, then `#` or a JSON pointer.
pub(super) fn relative(text: &[u8]) -> bool {
    let Some(rest) = natural(text) else { return false };
    let rest = match rest {
        // `+1` and `-1`: a neighbour in the array; zero moves nowhere and is not allowed.
        [b'+' | b'-', digits @ ..] if !matches!(digits, [b'0', ..]) => match natural(digits) {
            Some(rest) => rest,
            None => return false,
        },
        _ => rest,
    };
    rest == b"#" || json_pointer(rest)
}

/// What follows a number without leading zeros.
fn natural(text: &[u8]) -> Option<&[u8]> {
    let digits = text.iter().take_while(|&&byte| is(byte, DIGIT)).count();
    match text {
        [b'0', ..] if digits == 1 => text.get(1..),
        [b'1'..=b'9', ..] => text.get(digits..),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pointers() {
        for text in ["", "/", "/foo/bar~0/baz~1/%a", "//", "/é"] {
            assert!(json_pointer(text.as_bytes()), "{text}");
        }
        for text in ["foo", "/foo/bar~", "/~2", "#/a"] {
            assert!(!json_pointer(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn relative_pointers() {
        for text in ["0", "1", "120/foo", "0#", "2/0/baz/1/zip", "0//", "0+1/a", "1-12#", "0-1"] {
            assert!(relative(text.as_bytes()), "{text}");
        }
        for text in
            ["", "/foo", "-1/a", "+1/a", "0##", "01/a", "01#", "0/~2", "1#/a", "1\n", "0+0", "0+"]
        {
            assert!(!relative(text.as_bytes()), "{text}");
        }
    }
}
