//! The media type of a body (RFC 9110, section 8.3.1) and its content codings.

/// A parsed `Content-Type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ContentType<'a> {
    /// `type/subtype` as sent.
    pub name: &'a [u8],
    /// Whether the text is in UTF-8, by the `charset` parameter or for lack of one.
    pub utf8: bool,
    /// Whether it has the form of a media type.
    pub is_well_formed: bool,
    /// Its parameters, each after a `;`.
    parameters: &'a [u8],
}

impl ContentType<'_> {
    /// What a part without a content type has (RFC 7578, section 4.4).
    pub(crate) fn plain() -> Self {
        ContentType { name: b"text/plain", utf8: true, is_well_formed: true, parameters: b"" }
    }

    /// Appends what a parameter says; `None` where it was not sent exactly once.
    pub(crate) fn copy_parameter(&self, name: &[u8], out: &mut Vec<u8>) -> Option<()> {
        let (mut rest, mut found) = (self.parameters, None);
        while let Some(Some((parameter, after))) = next_parameter(rest) {
            if parameter.name.eq_ignore_ascii_case(name) && found.replace(parameter).is_some() {
                return None;
            }
            rest = after;
        }
        let found = found?;
        out.extend(found.unquoted());
        Some(())
    }

    /// What stands behind the name, as sent.
    pub(crate) fn parameters(&self) -> &[u8] {
        self.parameters
    }

    /// Whether a parameter was sent between quotes.
    pub(crate) fn is_quoted(&self, name: &[u8]) -> bool {
        let mut parts = self.parameters.split(|&byte| byte == b';').filter_map(|part| {
            let (own, value) = part.split_at_checked(part.iter().position(|&it| it == b'=')?)?;
            Some(own.trim_ascii().eq_ignore_ascii_case(name) && value.starts_with(b"=\""))
        });
        parts.any(|is| is)
    }

    /// Whether bodies of the type are JSON: `application/json`, `text/json`, or a subtype with the
    /// suffix `+json` (RFC 6839, section 3.1).
    pub(crate) fn is_json(&self) -> bool {
        self.is_of(b"application/json", b"text/json", b"+json")
    }

    /// Whether bodies of the type are XML (RFC 7303, sections 4.1 and 9).
    pub(crate) fn is_xml(&self) -> bool {
        self.is_of(b"application/xml", b"text/xml", b"+xml")
    }

    fn is_of(&self, application: &[u8], text: &[u8], suffix: &[u8]) -> bool {
        let at = self.name.len().checked_sub(suffix.len());
        at.and_then(|at| self.name.get(at..)).is_some_and(|it| it.eq_ignore_ascii_case(suffix))
            || covers(application, self.name)
            || covers(text, self.name)
    }

    /// Whether every declared parameter, `name=value` on a line each, was sent with that value.
    fn has_all(&self, declared: &[u8]) -> bool {
        declared.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()).all(|line| {
            let at = line.iter().position(|&byte| byte == b'=').unwrap_or(line.len());
            let (name, value) = line.split_at_checked(at).unwrap_or((line, b""));
            let value = value.get(1..).unwrap_or_default();
            self.parameter(name, |found| found.is(value)).unwrap_or(false)
        })
    }

    /// What holds for all parameters of a name; `None` where none was sent.
    fn parameter(&self, name: &[u8], holds: impl Fn(&Parameter<'_>) -> bool) -> Option<bool> {
        let (mut rest, mut all) = (self.parameters, None);
        while let Some(Some((found, after))) = next_parameter(rest) {
            if found.name.eq_ignore_ascii_case(name) {
                all = Some(all.unwrap_or(true) && holds(&found));
            }
            rest = after;
        }
        all
    }
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
    let parameters = rest;
    while let Some((_, after)) = next_parameter(rest)? {
        rest = after;
    }
    let mut parsed = ContentType { name, utf8: true, is_well_formed: true, parameters };
    let utf8 = |charset: &Parameter<'_>| charset.is(b"utf-8") || charset.is(b"utf8");
    parsed.utf8 = parsed.parameter(b"charset", utf8).unwrap_or(true);
    Some(parsed)
}

/// A `Content-Type` as forgiving readers take it: what stands before the first `;`, `,` or white space names the type,
/// whatever follows.
pub(crate) fn parse_leniently(value: &[u8]) -> ContentType<'_> {
    parse(value).unwrap_or_else(|| {
        let value = value.trim_ascii();
        let ends = |byte: &u8| matches!(byte, b';' | b',' | b' ' | b'\t');
        let end = value.iter().position(ends).unwrap_or(value.len());
        let (name, parameters) = value.split_at_checked(end).unwrap_or_default();
        ContentType { name, utf8: true, is_well_formed: false, parameters }
    })
}

/// parameters = *( OWS ";" OWS [ parameter ] ), RFC 9110, section 5.6.6: the first one and what
/// follows it; `Some(None)` at the end, `None` where the text is something else.
pub(crate) fn next_parameter(mut rest: &[u8]) -> Option<Option<(Parameter<'_>, &[u8])>> {
    loop {
        rest = rest.trim_ascii_start();
        let Some((first, after)) = rest.split_first() else { return Some(None) };
        if *first != b';' {
            return None;
        }
        rest = after.trim_ascii_start();
        if !matches!(rest.first(), None | Some(b';')) {
            return parameter(rest).map(Some);
        }
    }
}

/// Whether a declared type with its parameters covers a type as sent.
pub(crate) fn takes(declared: &[u8], parameters: &[u8], sent: &ContentType<'_>) -> bool {
    covers(declared, sent.name) && sent.has_all(parameters)
}

/// Whether a declared type or range (`type/*`, `*/*`, `type/*+suffix`, lower case) covers a type as sent.
fn covers(declared: &[u8], name: &[u8]) -> bool {
    if declared == b"*/*" {
        return true;
    }
    // `kind` keeps its slash, so that `text/*` does not cover `textual/plain`.
    let star =
        declared.windows(2).position(|pair| pair == b"/*").map_or(0, |at| at.wrapping_add(1));
    let (kind, rest) = declared.split_at_checked(star).unwrap_or_default();
    match rest.strip_prefix(b"*") {
        Some(suffix) if suffix.is_empty() || suffix.starts_with(b"+") => {
            let (start, rest) = name.split_at_checked(kind.len()).unwrap_or_default();
            let end = rest.len().checked_sub(suffix.len()).and_then(|at| rest.get(at..));
            start.eq_ignore_ascii_case(kind)
                && end.is_some_and(|end| end.eq_ignore_ascii_case(suffix))
        }
        _ => name.eq_ignore_ascii_case(declared),
    }
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

/// `name=value`.
pub(crate) struct Parameter<'a> {
    pub name: &'a [u8],
    /// Without its quotes; escapes stand in it as sent.
    pub value: &'a [u8],
    quoted: bool,
}

impl Parameter<'_> {
    fn unquoted(&self) -> impl Iterator<Item = u8> + '_ {
        let mut escaped = false;
        self.value.iter().copied().filter(move |&byte| {
            escaped = self.quoted && byte == b'\\' && !escaped;
            !escaped
        })
    }

    /// Whether the value, unquoted, is `text`, whatever the case of letters.
    fn is(&self, text: &[u8]) -> bool {
        self.unquoted()
            .map(|byte| byte.to_ascii_lowercase())
            .eq(text.iter().map(u8::to_ascii_lowercase))
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
    fn names_are_read_whatever_follows() {
        for value in [
            "application/json; charset= utf-8",
            "application/json ;charset =utf-8",
            "application/json, text/plain",
            "application/json; charset=\"utf-8",
            "application/json\tx",
        ] {
            let read = parse_leniently(value.as_bytes());
            assert!(read.is_json() && !read.is_well_formed, "{value}");
        }
        assert!(parse_leniently(b"application/json; charset=utf-8").is_well_formed);
        assert!(parse_leniently(b"").name.is_empty());
    }

    #[test]
    fn declared_parameters_are_wanted() {
        let takes = |parameters: &str, sent: &str| {
            let sent = parse(sent.as_bytes()).unwrap();
            takes(b"application/json", parameters.as_bytes(), &sent)
        };
        assert!(takes("", "application/json; version=2"));
        assert!(takes("version=2", "application/json;a=b; VERSION=2"));
        assert!(takes("version=2", "application/json; version=\"\\2\""));
        assert!(takes("version=a b\nx=Y", "application/json; X=y; version=\"a b\""));
        for other in ["", "; version=3", "; version=2; version=3", "; ver=2", "; version=\"\""] {
            assert!(!takes("version=2", &format!("application/json{other}")), "{other}");
        }
    }

    #[test]
    fn json_by_name() {
        let is_json = |sent: &str| parse(sent.as_bytes()).unwrap().is_json();
        for json in ["application/json", "TEXT/Json; a=b", "image/x+JSON"] {
            assert!(is_json(json), "{json}");
        }
        for other in ["application/jsonx", "application/json-seq", "text/plain", "a/json", "a/b"] {
            assert!(!is_json(other), "{other}");
        }
    }

    #[test]
    fn ranges_cover_types() {
        assert!(covers(b"application/json", b"application/JSON"));
        assert!(!covers(b"application/json", b"application/json+x"));
        assert!(covers(b"application/*+json", b"application/Problem+JSON"));
        assert!(covers(b"application/*+json", b"application/*+json"));
        for other in
            [&b"application/json"[..], b"text/x+json", b"application/x+json5", b"application/"]
        {
            assert!(!covers(b"application/*+json", other));
        }
        assert!(!covers(b"text/x*y", b"text/xay"));
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
