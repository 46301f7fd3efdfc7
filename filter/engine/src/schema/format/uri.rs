//! URIs and references: RFC 3986. JSON pointers: RFC 6901.

use super::ip;

/// `URI`: with a scheme.
pub(super) fn uri(text: &[u8]) -> bool {
    match text.iter().position(|byte| matches!(byte, b':' | b'/' | b'?' | b'#')) {
        Some(place) if text.get(place) == Some(&b':') => {
            let (scheme, rest) = text.split_at_checked(place).unwrap_or_default();
            is_scheme(scheme) && rest.get(1..).is_some_and(hierarchy)
        }
        _ => false,
    }
}

/// `URI-reference`: a URI, or relative to one.
pub(super) fn uri_reference(text: &[u8]) -> bool {
    match text.iter().position(|byte| matches!(byte, b':' | b'/' | b'?' | b'#')) {
        // A first segment with a colon would read as a scheme (section 4.2).
        Some(place) if text.get(place) == Some(&b':') => uri(text),
        _ => hierarchy(text),
    }
}

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

fn is_scheme(text: &[u8]) -> bool {
    let inner = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.');
    text.first().is_some_and(u8::is_ascii_alphabetic) && text.iter().all(inner)
}

/// What follows the scheme: authority, path, query, fragment.
fn hierarchy(text: &[u8]) -> bool {
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
    authority.is_none_or(is_authority)
        && all(path, |byte| is_pchar(byte) || byte == b'/')
        && all(query, |byte| is_pchar(byte) || matches!(byte, b'/' | b'?'))
        && all(fragment, |byte| is_pchar(byte) || matches!(byte, b'/' | b'?'))
}

fn is_authority(text: &[u8]) -> bool {
    let (user, rest) = match text.contains(&b'@') {
        true => cut(text, b'@'),
        false => (&[][..], text),
    };
    if !all(user, |byte| is_unreserved(byte) || is_sub_delim(byte) || byte == b':') {
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
    port && all(host, |byte| is_unreserved(byte) || is_sub_delim(byte))
}

/// `IPvFuture`.
fn is_future(text: &[u8]) -> bool {
    let [b'v' | b'V', rest @ ..] = text else { return false };
    let digits = rest.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
    match rest.get(digits..) {
        Some([b'.', address @ ..]) if digits > 0 && !address.is_empty() => {
            address.iter().all(|&byte| is_unreserved(byte) || is_sub_delim(byte) || byte == b':')
        }
        _ => false,
    }
}

/// Splits at the first mark, which belongs to neither part.
fn cut(text: &[u8], mark: u8) -> (&[u8], &[u8]) {
    let mut parts = text.splitn(2, |&byte| byte == mark);
    (parts.next().unwrap_or_default(), parts.next().unwrap_or_default())
}

/// Whether every byte is allowed or begins or belongs to a percent-encoded one.
fn all(mut text: &[u8], allowed: impl Fn(u8) -> bool) -> bool {
    loop {
        text = match text {
            [] => return true,
            [b'%', high, low, rest @ ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                rest
            }
            [byte, rest @ ..] if allowed(*byte) => rest,
            _ => return false,
        }
    }
}

fn is_pchar(byte: u8) -> bool {
    is_unreserved(byte) || is_sub_delim(byte) || matches!(byte, b':' | b'@')
}

fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

fn is_sub_delim(byte: u8) -> bool {
    b"!$&'()*+,;=".contains(&byte)
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
    fn pointers() {
        for text in ["", "/", "/foo/bar~0/baz~1/%a", "//", "/é"] {
            assert!(json_pointer(text.as_bytes()), "{text}");
        }
        for text in ["foo", "/foo/bar~", "/~2", "#/a"] {
            assert!(!json_pointer(text.as_bytes()), "{text}");
        }
    }
}
