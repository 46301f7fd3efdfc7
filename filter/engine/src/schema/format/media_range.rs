//! Media ranges: RFC 9110, section 12.5.1, with parameters as in section 5.6.6.

use super::class::{TCHAR, is};

/// `*/*`, `type/*` or `type/subtype`, and parameters.
pub(super) fn media_range(text: &[u8]) -> bool {
    let Some((kind, [b'/', rest @ ..])) = token(text) else { return false };
    let Some((subtype, rest)) = token(rest) else { return false };
    (kind != b"*" || subtype == b"*") && parameters(rest)
}

/// Parameters, each after a semicolon, which may also stand alone.
fn parameters(mut text: &[u8]) -> bool {
    while !text.is_empty() {
        let [b';', rest @ ..] = text.trim_ascii_start() else { return false };
        if !spaced(text) || !spaced(rest) {
            return false;
        }
        let rest = rest.trim_ascii_start();
        if rest.is_empty() || rest.starts_with(b";") {
            text = rest;
            continue;
        }
        let Some((_, [b'=', value @ ..])) = token(rest) else { return false };
        let after = match value {
            [b'"', inner @ ..] => quoted(inner),
            _ => token(value).map(|(_, after)| after),
        };
        let Some(after) = after else { return false };
        text = after;
    }
    true
}

/// Whether the white space at the start is `OWS`: spaces and tabs.
fn spaced(text: &[u8]) -> bool {
    let white = text.len() - text.trim_ascii_start().len();
    text.iter().take(white).all(|byte| matches!(byte, b' ' | b'\t'))
}

/// A token that is not empty, and what follows it.
fn token(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let len = text.iter().take_while(|&&byte| is(byte, TCHAR)).count();
    if len == 0 { None } else { text.split_at_checked(len) }
}

/// What follows the end of a quoted string (RFC 9110, section 5.6.4).
fn quoted(mut text: &[u8]) -> Option<&[u8]> {
    loop {
        text = match text {
            [b'"', rest @ ..] => return Some(rest),
            [b'\\', b'\t' | b' '..=b'~' | 0x80.., rest @ ..] => rest,
            [b'\\', ..] => return None,
            [b'\t' | b' '..=b'~' | 0x80.., rest @ ..] => rest,
            _ => return None,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::media_range;

    #[test]
    fn ranges() {
        for text in [
            "*/*",
            "text/*",
            "application/json",
            "application/vnd.api+json;version=1",
            "text/html ; level=\"1\\\"\" ; q=0.5",
            "text/plain;",
            "text/plain;;a=b",
            "a/b;c=\"\"",
        ] {
            assert!(media_range(text.as_bytes()), "{text}");
        }
        for text in [
            "",
            "text",
            "*/plain",
            "text/",
            "/plain",
            "text/plain;a",
            "text/plain;a=",
            "a/b, c/d",
            "text/plain; a = b",
            "text/plain;a=\"",
            "text/plain a=b",
            "te xt/plain",
            "a/b;\nc=d",
            "text/plain;a=\"\n\"",
            "é/b",
            "a/b ",
        ] {
            assert!(!media_range(text.as_bytes()), "{text}");
        }
    }
}
