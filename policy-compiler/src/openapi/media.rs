//! Media types and ranges (RFC 9110 sections 8.3.1 and 12.5.1).

use crate::ir::MediaRange;

/// Takes a key of `content` apart; `None` when it is no media type or range.
pub(super) fn parse(text: &str) -> Option<MediaRange> {
    let mut pieces = text.split(';');
    let (kind, subtype) = pieces.next()?.trim().split_once('/')?;
    let range = |s: &str| s == "*" || is_token(s);
    if !range(kind) || !range(subtype) || (kind == "*" && subtype != "*") {
        return None;
    }
    let mut parameters = Vec::new();
    for piece in pieces {
        let piece = piece.trim();
        if piece.is_empty() {
            continue;
        }
        let (name, value) = piece.split_once('=')?;
        let quoted = value.len() >= 2 && value.starts_with('"') && value.ends_with('"');
        let value = if quoted { &value[1..value.len() - 1] } else { value };
        if !is_token(name) || (!quoted && !is_token(value)) {
            return None;
        }
        parameters.push((name.to_ascii_lowercase(), value.to_owned()));
    }
    Some(MediaRange {
        kind: kind.to_ascii_lowercase(),
        subtype: subtype.to_ascii_lowercase(),
        parameters,
    })
}

/// `token` of RFC 9110 section 5.6.2.
pub(super) fn is_token(text: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    !text.is_empty() && text.bytes().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn media_types() {
        let json = parse("Application/JSON; Charset=\"utf-8\"").unwrap();
        assert_eq!((json.kind.as_str(), json.subtype.as_str()), ("application", "json"));
        assert_eq!(json.parameters, [("charset".to_owned(), "utf-8".to_owned())]);
        assert!(json.is_json());
        assert!(parse("application/vnd.bank.v1+json").unwrap().is_json());
        assert!(!parse("*/*").unwrap().is_json());
        assert_eq!(parse("application/*").unwrap().subtype, "*");
        for bad in ["application/json:", "examples", "*/json", "a/b/c", "a/b; q", "", "a /b"] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }
}
