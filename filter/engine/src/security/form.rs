//! What credentials look like.

use super::Found;
use crate::schema::{Limits, NoSink, Validator};
use portcullis_bundle::layout::{NONE, SchemeKind, SecurityScheme, View};

/// The request's `Authorization`.
#[derive(Clone, Copy, Debug)]
pub(super) enum Authorization<'a> {
    /// It is not there.
    Absent,
    /// It is there twice, or its authentication scheme is no token.
    Unreadable,
    /// credentials = auth-scheme [ 1*SP ( token68 / #auth-param ) ] (RFC 9110, section 11.4)
    Credentials { scheme: &'a [u8], value: &'a [u8] },
}

impl<'a> Authorization<'a> {
    /// Reads the field; names are in lower case.
    pub(super) fn read(headers: &[(&'a [u8], &'a [u8])]) -> Self {
        let mut fields = headers.iter().filter(|(name, _)| *name == b"authorization");
        let Some((_, field)) = fields.next() else { return Authorization::Absent };
        if fields.next().is_some() {
            return Authorization::Unreadable;
        }
        let field = field.trim_ascii();
        let end = field.iter().position(|&byte| byte == b' ').unwrap_or(field.len());
        let (scheme, mut value) = field.split_at_checked(end).unwrap_or_default();
        while let [b' ', rest @ ..] = value {
            value = rest;
        }
        if scheme.is_empty() || !scheme.iter().all(|&byte| is_token(byte)) {
            return Authorization::Unreadable;
        }
        Authorization::Credentials { scheme, value }
    }

    /// What a scheme of HTTP finds in the field.
    pub(super) fn find(
        &self,
        view: &View<'_>,
        scheme: &SecurityScheme,
        kind: SchemeKind,
        scratch: &mut Vec<u8>,
        validator: &mut Validator,
    ) -> Found {
        let value = match self {
            Authorization::Absent => return Found::Nothing,
            Authorization::Unreadable => return Found::Malformed,
            Authorization::Credentials { scheme: name, value } => {
                // "a case-insensitive token" (RFC 9110, section 11.1)
                if !name.eq_ignore_ascii_case(view.bytes(scheme.name)) {
                    return Found::Nothing;
                }
                value
            }
        };
        let schema = scheme.schema.get();
        let has_form = match kind {
            SchemeKind::Basic => is_basic(value, scratch),
            SchemeKind::Bearer if schema != NONE => {
                is_jwt(value, scratch)
                    && validator.validate(view, schema, HEADER, scratch, &mut NoSink).is_ok()
            }
            SchemeKind::Bearer => is_token68(value),
            _ => is_key(value),
        };
        if has_form { Found::Credential } else { Found::Malformed }
    }
}

/// Limits on the header of a JWT.
const HEADER: Limits =
    Limits { depth: 16, string: 16 << 10, properties: 64, items: 64, digits: 64, steps: 100_000 };

/// Whether there is something, in printable ASCII.
pub(super) fn is_key(value: &[u8]) -> bool {
    !value.is_empty() && value.iter().all(|&byte| matches!(byte, b' '..=b'~'))
}

/// user-pass = base64 of `user-id ":" password`, neither of which holds control characters
/// (RFC 7617, section 2).
fn is_basic(value: &[u8], scratch: &mut Vec<u8>) -> bool {
    let digits = match value {
        [rest @ .., b'=', b'='] | [rest @ .., b'='] => rest,
        _ => value,
    };
    value.len().is_multiple_of(4)
        && decode(digits, [b'+', b'/'], scratch)
        && scratch.contains(&b':')
        && !scratch.iter().any(u8::is_ascii_control)
}

/// b64token = 1*( ALPHA / DIGIT / "-" / "." / "_" / "~" / "+" / "/" ) *"=" (RFC 6750, section 2.1)
fn is_token68(value: &[u8]) -> bool {
    let mut token = value;
    while let [rest @ .., b'='] = token {
        token = rest;
    }
    !token.is_empty()
        && token.iter().all(|&byte| byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte))
}

/// Whether this is a JWS or JWE in its compact form (RFC 7515, section 3.1; RFC 7516, section 3.1), with
/// a signature and with content. Leaves its header in `scratch`, decoded.
fn is_jwt(value: &[u8], scratch: &mut Vec<u8>) -> bool {
    let mut parts = [&b""[..]; 5];
    let mut count = 0usize;
    for part in value.split(|&byte| byte == b'.') {
        let Some(slot) = parts.get_mut(count) else { return false };
        *slot = part;
        count += 1;
    }
    let [header, second, third, fourth, _] = parts;
    let filled = match count {
        3 => !second.is_empty() && !third.is_empty(),
        // A key that was agreed on, or an initialisation vector that is not used, is empty.
        5 => !fourth.is_empty(),
        _ => false,
    };
    let rest = parts.get(1..).unwrap_or_default();
    filled
        && rest.iter().all(|part| part.len() % 4 != 1 && part.iter().all(|&byte| is_url(byte)))
        && decode(header, [b'-', b'_'], scratch)
}

fn is_url(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')
}

/// Decodes base64 without its padding (RFC 4648); `last` are the digits 62 and 63. False where it is
/// none, or where bits are left over that are not zero.
pub(crate) fn decode(digits: &[u8], last: [u8; 2], out: &mut Vec<u8>) -> bool {
    out.clear();
    let (mut bits, mut held) = (0u32, 0u32);
    for &digit in digits {
        let value = match digit {
            b'A'..=b'Z' => digit.wrapping_sub(b'A'),
            b'a'..=b'z' => digit.wrapping_sub(b'a').wrapping_add(26),
            b'0'..=b'9' => digit.wrapping_sub(b'0').wrapping_add(52),
            _ if digit == last[0] => 62,
            _ if digit == last[1] => 63,
            _ => return false,
        };
        bits = (bits << 6 | u32::from(value)) & 0xFFFF;
        held += 6;
        if held >= 8 {
            held -= 8;
            out.push((bits >> held & 0xFF) as u8);
        }
    }
    held < 6 && bits & ((1 << held) - 1) == 0
}

/// tchar (RFC 9110, section 5.6.2)
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn basic_credentials() {
        let mut scratch = Vec::new();
        let mut is = |text: &str| is_basic(text.as_bytes(), &mut scratch);
        // `:`, `a:`, `a:b`, `Aladdin:open sesame`, `a:é`
        for text in ["Og==", "YTo=", "YTpi", "QWxhZGRpbjpvcGVuIHNlc2FtZQ==", "YTrDqQ=="] {
            assert!(is(text), "{text}");
        }
        // Nothing, no colon, no padding, padding amid, other alphabet, a line feed, leftover bits.
        for text in ["", "YWI=", "YTo", "Y=Tp", "YTp_", "YTpi\n", "YToK", "YTp=", "====", "Oh=="] {
            assert!(!is(text), "{text}");
        }
    }

    #[test]
    fn bearer_tokens() {
        for text in ["a", "mF_9.B5f-4.1JqM", "a+/~==", "a="] {
            assert!(is_token68(text.as_bytes()), "{text}");
        }
        for text in ["", "=", "a b", "a=b", "a,b", "a\"", "caf\u{e9}", "a\t"] {
            assert!(!is_token68(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn compact_jose() {
        let mut scratch = Vec::new();
        for text in ["e30.e30.c2ln", "e30..aXY.Yw.dGFn", "e30.a2V5..Yw."] {
            assert!(is_jwt(text.as_bytes(), &mut scratch), "{text}");
        }
        // Unsigned, without payload, of other counts, padded, another alphabet, one digit too many.
        for text in [
            "",
            "e30",
            "e30.e30",
            "e30.e30.",
            "e30..c2ln",
            "e30.e30.c2ln.e30",
            "e30....",
            "e30.a.b.c.d.e",
            "e30=.e30.c2ln",
            "e30.e30.c2l/",
            "e30.e3000.c2ln",
            "e3.e30.c2ln",
            "e30.e30.c2ln ",
        ] {
            assert!(!is_jwt(text.as_bytes(), &mut scratch), "{text}");
        }
        assert!(is_jwt(b"e30.e30.c2ln", &mut scratch));
        assert_eq!(scratch, b"{}");
    }

    #[test]
    fn authorization_fields() {
        let read = |values: &[&'static str]| {
            let fields: Vec<(&[u8], &[u8])> =
                values.iter().map(|v| (&b"authorization"[..], v.as_bytes())).collect();
            match Authorization::read(&fields) {
                Authorization::Absent => "absent".to_owned(),
                Authorization::Unreadable => "unreadable".to_owned(),
                Authorization::Credentials { scheme, value } => {
                    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
                    format!("{}|{}", text(scheme), text(value))
                }
            }
        };
        assert_eq!(read(&[]), "absent");
        assert_eq!(read(&[" Bearer   a b\t"]), "Bearer|a b");
        assert_eq!(read(&["bearer"]), "bearer|");
        for bad in ["", "Bearer\ta", "Bearer,a", "caf\u{e9} a", "\"a\" b"] {
            assert_eq!(read(&[bad]), "unreadable", "{bad}");
        }
        assert_eq!(read(&["Bearer a", "Bearer a"]), "unreadable");
    }
}
