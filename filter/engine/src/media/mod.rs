//! The media type of a body (RFC 9110, section 8.3.1) and its content codings.

/// A parsed `Content-Type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ContentType<'a> {
    /// `type/subtype` as sent.
    pub name: &'a [u8],
    /// Whether the text is in UTF-8, by the `charset` parameter or for lack of one.
    pub utf8: bool,
}

/// Parses a `Content-Type`; `None` where it is not one.
pub(crate) fn parse(value: &[u8]) -> Option<ContentType<'_>> {
    let value = value.trim_ascii();
    let end = value.iter().position(|&byte| byte == b';').unwrap_or(value.len());
    let (name, mut rest) = value.split_at_checked(end)?;
    let name = name.trim_ascii_end();
    let slash = name.iter().position(|&byte| byte == b'/')?;
    if !is_token(name.get(..slash)?) || !is_token(name.get(slash + 1..)?) || name.contains(&b'*') {
        // A range is asked for, never sent.
        return None;
    }
    let mut utf8 = true;
    // parameters = *( OWS ";" OWS [ parameter ] ), RFC 9110, section 5.6.6
    while let Some((b';', after)) = rest.split_first() {
        rest = after.trim_ascii_start();
        if rest.is_empty() || rest.first() == Some(&b';') {
            continue;
        }
        let (parameter, after) = parameter(rest)?;
        if parameter.name.eq_ignore_ascii_case(b"charset") {
            utf8 &= parameter.is(b"utf-8") || parameter.is(b"utf8");
        }
        rest = after.trim_ascii_start();
    }
    rest.is_empty().then_some(ContentType { name, utf8 })
}

/// Whether a declared type or range (`type/*`, `*/*`, lower case) covers a type as sent.
pub(crate) fn covers(declared: &[u8], name: &[u8]) -> bool {
    if declared == b"*/*" {
        return true;
    }
    if let Some(kind) = declared.strip_suffix(b"*") {
        // `kind` keeps its slash, so that `text/*` does not cover `textual/plain`.
        return name
            .split_at_checked(kind.len())
            .is_some_and(|(start, _)| start.eq_ignore_ascii_case(kind));
    }
    name.eq_ignore_ascii_case(declared)
}

/// Whether a type is gRPC's, of any flavour: `application/grpc`, `application/grpc+proto`,
/// `application/grpc-web`.
pub(crate) fn is_grpc(name: &[u8]) -> bool {
    let prefix = b"application/grpc";
    name.split_at_checked(prefix.len()).is_some_and(|(start, rest)| {
        start.eq_ignore_ascii_case(prefix) && matches!(rest.first(), None | Some(b'+' | b'-'))
    })
}

/// Whether a `Content-Encoding` changes nothing (RFC 9110, section 8.4).
pub(crate) fn is_identity(value: &[u8]) -> bool {
    value.split(|&byte| byte == b',').all(|coding| {
        let coding = coding.trim_ascii();
        coding.is_empty() || coding.eq_ignore_ascii_case(b"identity")
    })
}

struct Parameter<'a> {
    name: &'a [u8],
    value: &'a [u8],
    quoted: bool,
}

impl Parameter<'_> {
    /// Whether the value, unquoted, is `text` in any case.
    fn is(&self, text: &[u8]) -> bool {
        if !self.quoted {
            return self.value.eq_ignore_ascii_case(text);
        }
        let mut escaped = false;
        let unquoted = self.value.iter().filter(|&&byte| {
            escaped = byte == b'\\' && !escaped;
            !escaped
        });
        unquoted.map(u8::to_ascii_lowercase).eq(text.iter().copied())
    }
}

/// Parses `name=value` and gives what follows it.
fn parameter(text: &[u8]) -> Option<(Parameter<'_>, &[u8])> {
    let equals = text.iter().position(|&byte| byte == b'=')?;
    let name = text.get(..equals)?;
    let rest = text.get(equals + 1..)?;
    if !is_token(name) {
        return None;
    }
    if let Some(inner) = rest.strip_prefix(b"\"") {
        let mut escaped = false;
        let end = inner.iter().position(|&byte| {
            let ends = byte == b'"' && !escaped;
            escaped = byte == b'\\' && !escaped;
            ends
        })?;
        let value = inner.get(..end)?;
        return Some((Parameter { name, value, quoted: true }, inner.get(end + 1..)?));
    }
    let end =
        rest.iter().position(|&byte| matches!(byte, b';' | b' ' | b'\t')).unwrap_or(rest.len());
    let (value, after) = rest.split_at_checked(end)?;
    is_token(value).then_some((Parameter { name, value, quoted: false }, after))
}

/// token = 1*tchar (RFC 9110, section 5.6.2)
pub(crate) fn is_token(text: &[u8]) -> bool {
    !text.is_empty()
        && text.iter().all(|&byte| {
            byte.is_ascii_alphanumeric()
                || matches!(
                    byte,
                    b'!' | b'#'
                        | b'$'
                        | b'%'
                        | b'&'
                        | b'\''
                        | b'*'
                        | b'+'
                        | b'-'
                        | b'.'
                        | b'^'
                        | b'_'
                        | b'`'
                        | b'|'
                        | b'~'
                )
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_names_and_charsets() {
        for (value, name, utf8) in [
            (&b"application/json"[..], &b"application/json"[..], true),
            (b"Application/JSON; charset=UTF-8", b"Application/JSON", true),
            (b"application/json;charset=\"utf-8\"", b"application/json", true),
            (b"application/json ; charset=\"U\\TF-8\" ; x=y", b"application/json", true),
            (b"application/json;", b"application/json", true),
            (b"application/json;;charset=utf8", b"application/json", true),
            (b"application/json; charset=latin1", b"application/json", false),
            (b"application/json; charset=utf-8; charset=utf-16", b"application/json", false),
            (b"application/json; charset=\"\"", b"application/json", false),
            (b"multipart/form-data; boundary=\"a;b\"", b"multipart/form-data", true),
        ] {
            let parsed = parse(value).unwrap_or_else(|| panic!("{}", value.escape_ascii()));
            assert_eq!((parsed.name, parsed.utf8), (name, utf8), "{}", value.escape_ascii());
        }
        for value in [
            &b""[..],
            b"json",
            b"application/",
            b"/json",
            b"application/json, text/plain",
            b"application/json; charset",
            b"application/json; charset=",
            b"application/json; charset=\"utf-8",
            b"application/json; charset=utf-8 x",
            b"application /json",
            b"application/*",
            b"*/*",
            b"application/json\xe9",
        ] {
            assert_eq!(parse(value), None, "{}", value.escape_ascii());
        }
    }

    #[test]
    fn ranges_cover_types() {
        assert!(covers(b"application/json", b"application/JSON"));
        assert!(!covers(b"application/json", b"application/json+x"));
        assert!(covers(b"text/*", b"Text/plain"));
        assert!(!covers(b"text/*", b"textual/plain"));
        assert!(covers(b"*/*", b"a/b"));
    }

    #[test]
    fn codings_and_grpc() {
        assert!(is_identity(b"identity, Identity"));
        assert!(!is_identity(b"identity, gzip"));
        assert!(is_grpc(b"application/grpc") && is_grpc(b"application/GRPC+proto"));
        assert!(!is_grpc(b"application/grpcx") && !is_grpc(b"application/json"));
    }
}
