//! URIs and references: RFC 3986; IRIs: RFC 3987, section 2.2.

use super::super::check::decode;
use super::class::{ALPHA, DIGIT, HEX, PCHAR, SUB_DELIM, UNRESERVED, is};
use super::ip;

/// What may stand unencoded above U+007F.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Above {
    /// Nothing: a URI.
    Nothing,
    /// `ucschar`.
    Ucs,
    /// `ucschar` and `iprivate`: in an IRI's query.
    Private,
}

/// `URI`: with a scheme.
pub(super) fn uri(text: &[u8]) -> bool {
    absolute(text, Above::Nothing)
}

/// `URI-reference`: a URI, or relative to one.
pub(super) fn uri_reference(text: &[u8]) -> bool {
    reference(text, Above::Nothing)
}

/// `IRI`: with a scheme.
pub(super) fn iri(text: &[u8]) -> bool {
    absolute(text, Above::Ucs)
}

/// `IRI-reference`: an IRI, or relative to one.
pub(super) fn iri_reference(text: &[u8]) -> bool {
    reference(text, Above::Ucs)
}

fn absolute(text: &[u8], above: Above) -> bool {
    match text.iter().position(|byte| matches!(byte, b':' | b'/' | b'?' | b'#')) {
        Some(place) if text.get(place) == Some(&b':') => {
            let (scheme, rest) = text.split_at_checked(place).unwrap_or_default();
            is_scheme(scheme) && rest.get(1..).is_some_and(|rest| hierarchy(rest, above))
        }
        _ => false,
    }
}

fn reference(text: &[u8], above: Above) -> bool {
    match text.iter().position(|byte| matches!(byte, b':' | b'/' | b'?' | b'#')) {
        // A first segment with a colon would read as a scheme (section 4.2).
        Some(place) if text.get(place) == Some(&b':') => absolute(text, above),
        _ => hierarchy(text, above),
    }
}

fn is_scheme(text: &[u8]) -> bool {
    let inner = |&byte: &u8| is(byte, ALPHA | DIGIT) || matches!(byte, b'+' | b'-' | b'.');
    text.first().is_some_and(u8::is_ascii_alphabetic) && text.iter().all(inner)
}

/// What follows the scheme: authority, path, query, fragment.
fn hierarchy(text: &[u8], above: Above) -> bool {
    let (text, fragment) = cut(text, b'#');
    let (text, query) = cut(text, b'?');
    let (authority, path) = match text {
        [b'/', b'/', rest @ ..] => {
            let end = rest.iter().position(|&byte| byte == b'/').unwrap_or(rest.len());
            let (authority, path) = rest.split_at_checked(end).unwrap_or((rest, &[]));
            (Some(authority), path)
        }
        _ => (None, text),
    };
    let in_query = if above == Above::Ucs { Above::Private } else { above };
    authority.is_none_or(|authority| is_authority(authority, above))
        && all(path, PCHAR, b"/", above)
        && all(query, PCHAR, b"/?", in_query)
        && all(fragment, PCHAR, b"/?", above)
}

fn is_authority(text: &[u8], above: Above) -> bool {
    let (user, rest) = match text.contains(&b'@') {
        true => cut(text, b'@'),
        false => (&[][..], text),
    };
    if !all(user, UNRESERVED | SUB_DELIM, b":", above) {
        return false;
    }
    let (host, port) = match rest {
        [b'[', inner @ ..] => {
            let Some(end) = inner.iter().position(|&byte| byte == b']') else { return false };
            let (literal, after) = inner.split_at_checked(end).unwrap_or_default();
            if !(ip::ipv6(literal) || is_future(literal)) {
                return false;
            }
            (&[][..], after.get(1..).unwrap_or_default())
        }
        _ => {
            let end = rest.iter().position(|&byte| byte == b':').unwrap_or(rest.len());
            rest.split_at_checked(end).unwrap_or_default()
        }
    };
    let port = match port {
        [] => true,
        [b':', digits @ ..] => digits.iter().all(u8::is_ascii_digit),
        _ => false,
    };
    port && all(host, UNRESERVED | SUB_DELIM, b"", above)
}

/// `IPvFuture`.
fn is_future(text: &[u8]) -> bool {
    let [b'v' | b'V', rest @ ..] = text else { return false };
    let digits = rest.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
    match rest.get(digits..) {
        Some([b'.', address @ ..]) if digits > 0 && !address.is_empty() => {
            address.iter().all(|&byte| is(byte, UNRESERVED | SUB_DELIM) || byte == b':')
        }
        _ => false,
    }
}

/// Splits at the first mark, which belongs to neither part.
fn cut(text: &[u8], mark: u8) -> (&[u8], &[u8]) {
    let mut parts = text.splitn(2, |&byte| byte == mark);
    (parts.next().unwrap_or_default(), parts.next().unwrap_or_default())
}

/// Whether every character is in some classes, one of `more`, percent-encoded, or allowed above U+007F.
fn all(mut text: &[u8], classes: u8, more: &[u8], above: Above) -> bool {
    loop {
        text = match text {
            [] => return true,
            [byte, rest @ ..] if is(*byte, classes) || more.contains(byte) => rest,
            [b'%', high, low, rest @ ..] if is(*high, HEX) && is(*low, HEX) => rest,
            [0x80..=0xFF, ..] if above != Above::Nothing => match decode(text) {
                Some((scalar, rest))
                    if is_ucs(scalar) || above == Above::Private && is_private(scalar) =>
                {
                    rest
                }
                _ => return false,
            },
            _ => return false,
        }
    }
}

/// `ucschar`: above U+FFFF all but the last two of each plane, and but the tags' block.
pub(super) fn is_ucs(scalar: u32) -> bool {
    match scalar {
        0xA0..=0xD7FF | 0xF900..=0xFDCF | 0xFDF0..=0xFFEF | 0xE1000..=0xEFFFD => true,
        0x10000..=0xDFFFD => scalar & 0xFFFE != 0xFFFE,
        _ => false,
    }
}

/// `iprivate`.
pub(super) fn is_private(scalar: u32) -> bool {
    matches!(scalar, 0xE000..=0xF8FF | 0xF0000..=0xFFFFD | 0x100000..=0x10FFFD)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uris() {
        for text in [
            "http://foo.bar/?baz=qux#quux",
            "http://foo.com/blah_(wikipedia)_blah#cite-1",
            "ldap://[2001:db8::7]/c=GB?objectClass?one",
            "mailto:John.Doe@example.com",
            "tel:+1-816-555-1212",
            "urn:oasis:names:specification:docbook:dtd:xml:4.1.2",
            "http://-.~_!$&'()*+,;=:%40:80%2f::::::@example.com",
            "a:",
            "http://[v1.fe80:a]:80/",
            "file:///etc/fstab",
            "https://example.com:/",
        ] {
            assert!(uri(text.as_bytes()), "{text}");
            assert!(uri_reference(text.as_bytes()), "{text}");
        }
        for text in [
            "//foo.bar/?baz=qux#quux",
            "/abc",
            "\\\\WINDOWS\\fileshare",
            "abc",
            "http:// shouldfail.com",
            ":// should fail",
            "bar,baz:foo",
            "http://a/%zz",
            "http://a b/",
            "http://é/",
            "http://[::1",
            "http://[g]/",
            "http://a:80a/",
            "",
            "1http://a",
            "http://a/#b#c",
            "http://a/<x>",
            "http://user@host@x/",
        ] {
            assert!(!uri(text.as_bytes()), "{text}");
        }
        for text in
            ["//foo.bar/?baz=qux#quux", "/abc", "abc", "#fragment", "", "?a=b", "../x", "./a:b"]
        {
            assert!(uri_reference(text.as_bytes()), "{text}");
        }
        for text in ["\\\\WINDOWS\\fileshare", "#frag\\ment", "a b", "1a:b", "/%", "/%4"] {
            assert!(!uri_reference(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn iris() {
        for text in
            ["http://ƒøø.ßår/?∂éœ=πîx#πîüx", "http://a/?\u{E000}", "a:\u{10000}", "mailto:é@é"]
        {
            assert!(iri(text.as_bytes()), "{text}");
            assert!(!uri(text.as_bytes()), "{text}");
        }
        for text in ["âππ", "//é/é", "#ƒ", ""] {
            assert!(iri_reference(text.as_bytes()) && !iri(text.as_bytes()), "{text}");
        }
        for text in [
            "http://a/\u{E000}",
            "a:\u{FFFF}",
            "a:\u{1FFFE}",
            "a:\u{80}",
            "\\é",
            "#\\é",
            "a:é b",
            "http://é:8é/",
            "é:a",
        ] {
            assert!(!iri_reference(text.as_bytes()), "{text}");
        }
    }
}
