//! Parameters of a part as forgiving readers take them: for rules alone, where a strict reader has refused the part.

use crate::schema::{FORM_BOUNDARY_SPACE, FORM_NO_SEMICOLON, FORM_QUOTING};

/// What a forgiving reader takes from `Content-Disposition`.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Disposition {
    pub name: Option<Vec<u8>>,
    /// From `filename`, or else from `filename*`.
    pub file_name: Option<Vec<u8>>,
    /// `FORM_*` bits.
    pub departs: u16,
}

/// Reads the parameters of a disposition, as sent, up to the first that cannot be read. The first of a name counts.
pub(super) fn disposition(value: &[u8]) -> Disposition {
    let mut out = Disposition::default();
    let mut extended = None;
    let first = value.iter().position(|&byte| byte == b';').unwrap_or(value.len());
    let mut rest = value.get(first..).unwrap_or_default();
    loop {
        let trimmed = rest.trim_ascii_start();
        rest = match trimmed.strip_prefix(b";") {
            Some(rest) => rest.trim_ascii_start(),
            None if trimmed.is_empty() => break,
            None => {
                out.departs |= FORM_NO_SEMICOLON;
                trimmed
            }
        };
        let end = rest.iter().position(|byte| matches!(byte, b'=' | b';')).unwrap_or(rest.len());
        let (name, after) = rest.split_at_checked(end).unwrap_or_default();
        let Some(after) = after.strip_prefix(b"=") else {
            rest = after;
            if name.is_empty() && after.is_empty() {
                break;
            }
            continue;
        };
        let (text, after) = parameter(after.trim_ascii_start(), &mut out.departs);
        rest = after;
        let name = name.trim_ascii();
        let slot = match () {
            () if name.eq_ignore_ascii_case(b"name") => &mut out.name,
            () if name.eq_ignore_ascii_case(b"filename") => &mut out.file_name,
            () if name.eq_ignore_ascii_case(b"filename*") => &mut extended,
            () => continue,
        };
        slot.get_or_insert(text);
    }
    out.file_name = out.file_name.or(extended);
    out
}

/// The boundary that a forgiving reader takes from the parameters of a media type, and the `FORM_*` bits that it sets.
pub(super) fn boundary(parameters: &[u8]) -> Option<(Vec<u8>, u16)> {
    let name = b"boundary";
    let spaces = |after: &[u8]| {
        let trimmed = after.trim_ascii_start();
        trimmed.starts_with(b"=").then(|| after.len().saturating_sub(trimmed.len()))
    };
    // The first that stands as a parameter's name does: behind a semicolon or white space, before `=`.
    let mut places = parameters.windows(name.len()).enumerate().filter(|(at, text)| {
        let before = at.checked_sub(1).and_then(|at| parameters.get(at));
        text.eq_ignore_ascii_case(name)
            && before.is_none_or(|byte| matches!(byte, b';' | b',' | b' ' | b'\t'))
    });
    let (after, skipped) = places.find_map(|(at, _)| {
        let after = parameters.get(at.saturating_add(name.len())..)?;
        Some((after, spaces(after)?))
    })?;
    let value = after.get(skipped.saturating_add(1)..)?;
    let text = value.trim_ascii_start();
    let mut departs = 0;
    if !after.starts_with(b"=") || value.len() != text.len() {
        departs |= FORM_BOUNDARY_SPACE;
    }
    let (text, _) = parameter(text, &mut departs);
    let text = text.strip_suffix(b"\"").map(<[u8]>::to_vec).unwrap_or(text);
    Some((text, departs))
}

/// The value of a parameter, and what follows: between quotes of either kind, in which a backslash takes its meaning from a
/// quote or another backslash; or up to white space or a semicolon.
fn parameter<'v>(value: &'v [u8], departs: &mut u16) -> (Vec<u8>, &'v [u8]) {
    let quote = match value.first() {
        Some(quote @ (b'"' | b'\'')) => *quote,
        _ => {
            let ends = |byte: &u8| matches!(byte, b';' | b' ' | b'\t');
            let end = value.iter().position(ends).unwrap_or(value.len());
            let (text, rest) = value.split_at_checked(end).unwrap_or_default();
            return (text.to_vec(), rest);
        }
    };
    if quote == b'\'' {
        *departs |= FORM_QUOTING;
    }
    let mut out = Vec::new();
    let mut bytes = value.iter().enumerate().skip(1).peekable();
    while let Some((at, &byte)) = bytes.next() {
        match byte {
            b'\\' => match bytes.next_if(|(_, next)| **next == quote || **next == b'\\') {
                Some((_, next)) => out.push(*next),
                None => out.push(byte),
            },
            byte if byte == quote => {
                return (out, value.get(at.saturating_add(1)..).unwrap_or_default());
            }
            byte => out.push(byte),
        }
    }
    *departs |= FORM_QUOTING;
    (out, &[])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_as_forgiving_readers_take_them() {
        for (value, name, file_name, departs) in [
            (r#"form-data; name="a"; filename="x\y\"z""#, "a", r#"x\y"z"#, 0),
            ("form-data; name='a'; filename=../b.php; x", "a", "../b.php", FORM_QUOTING),
            (r#"form-data;name="a" filename="b""#, "a", "b", FORM_NO_SEMICOLON),
            (r#"form-data; filename*=UTF-8''c.php; name="a"#, "a", "UTF-8''c.php", FORM_QUOTING),
            (r#"x; name=a; name=b; filename="1"; filename="2""#, "a", "1", 0),
        ] {
            let read = disposition(value.as_bytes());
            assert_eq!(read.name.as_deref(), Some(name.as_bytes()), "{value}");
            assert_eq!(read.file_name.as_deref(), Some(file_name.as_bytes()), "{value}");
            assert_eq!(read.departs, departs, "{value}");
        }
        assert_eq!(disposition(b"form-data; =; ;;"), Disposition::default());
    }

    #[test]
    fn boundaries_as_forgiving_readers_take_them() {
        for (parameters, departs) in [
            ("; boundary= B", FORM_BOUNDARY_SPACE),
            ("; Boundary =B; x", FORM_BOUNDARY_SPACE),
            ("; charset= x; boundary=B", 0),
            ("; boundary=\"B", FORM_QUOTING),
            ("; boundary=B\"", 0),
            ("; x=boundary; xboundary=A; boundary=B", 0),
        ] {
            assert_eq!(
                boundary(parameters.as_bytes()),
                Some((b"B".to_vec(), departs)),
                "{parameters}"
            );
        }
        assert_eq!(boundary(b"; x=y"), None);
    }
}
