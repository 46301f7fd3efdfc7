//! URI templates: RFC 6570, section 2, with its erratum 6937 (an apostrophe is a literal).

use super::super::check::decode;
use super::class::{ALPHA, DIGIT, HEX, is};
use super::uri::{is_private, is_ucs};

/// Literals and expressions in braces.
pub(super) fn uri_template(mut text: &[u8]) -> bool {
    loop {
        text = match text {
            [] => return true,
            [b'{', rest @ ..] => match expression(rest) {
                Some(after) => after,
                None => return false,
            },
            [b'%', high, low, rest @ ..] if is(*high, HEX) && is(*low, HEX) => rest,
            [0x80..=0xFF, ..] => match decode(text) {
                Some((scalar, rest)) if is_ucs(scalar) || is_private(scalar) => rest,
                _ => return false,
            },
            [
                0..=b' ' | b'"' | b'%' | b'<' | b'>' | b'\\' | b'^' | b'`' | b'|' | b'}' | 0x7F,
                ..,
            ] => {
                return false;
            }
            [_, rest @ ..] => rest,
        };
    }
}

/// What follows the closing brace: an operator, then variables.
fn expression(text: &[u8]) -> Option<&[u8]> {
    let mut rest = match text {
        [b'+' | b'#' | b'.' | b'/' | b';' | b'?' | b'&', rest @ ..] => rest,
        // Reserved for extensions (section 2.2).
        [b'=' | b',' | b'!' | b'@' | b'|', rest @ ..] => rest,
        _ => text,
    };
    loop {
        rest = modifier(name(rest)?)?;
        match rest {
            [b',', after @ ..] => rest = after,
            [b'}', after @ ..] => return Some(after),
            _ => return None,
        }
    }
}

/// What follows a name: characters, single dots between.
fn name(text: &[u8]) -> Option<&[u8]> {
    let mut rest = character(text)?;
    loop {
        let next = match rest {
            [b'.', after @ ..] => after,
            _ => rest,
        };
        match character(next) {
            Some(after) => rest = after,
            None if next.len() == rest.len() => return Some(rest),
            None => return None,
        }
    }
}

fn character(text: &[u8]) -> Option<&[u8]> {
    match text {
        [b'%', high, low, rest @ ..] if is(*high, HEX) && is(*low, HEX) => Some(rest),
        [byte, rest @ ..] if is(*byte, ALPHA | DIGIT) || *byte == b'_' => Some(rest),
        _ => None,
    }
}

/// What follows `*` or a prefix's length of 1 to 9999.
fn modifier(text: &[u8]) -> Option<&[u8]> {
    match text {
        [b'*', rest @ ..] => Some(rest),
        [b':', rest @ ..] => {
            let digits = rest.iter().take_while(|&&byte| is(byte, DIGIT)).count();
            let sound = matches!(rest, [b'1'..=b'9', ..]) && digits <= 4;
            if sound { rest.get(digits..) } else { None }
        }
        _ => Some(text),
    }
}

#[cfg(test)]
mod tests {
    use super::uri_template;

    #[test]
    fn templates() {
        for text in [
            "",
            "http://example.com/~{term:1}/{term}",
            "{+path}/here",
            "{#x,hello,y}",
            "{?x*,y,empty:9999}",
            "{a.b%41_c}",
            "a%41b'é😀",
            "{/list*}[]",
            "\u{E000}",
        ] {
            assert!(uri_template(text.as_bytes()), "{text}");
        }
        for text in [
            "{",
            "}",
            "{}",
            "{+}",
            "{a",
            "{a,}",
            "{a,,b}",
            "{a:0}",
            "{a:10000}",
            "{a:}",
            "{a..b}",
            "{a.}",
            "{.a.}",
            "{a*:3}",
            "{a b}",
            "{a{b}}",
            "%4",
            "%zz",
            "a b",
            "<",
            "a\u{7f}",
            "\u{85}",
            "\u{FFFF}",
            "{é}",
        ] {
            assert!(!uri_template(text.as_bytes()), "{text}");
        }
    }
}
