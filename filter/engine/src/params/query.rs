//! The pairs of a query.

use crate::percent::{Plus, equals, unit};
use crate::route::Span;

/// One `name=value` of a query, as sent.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pair {
    pub name: Span,
    pub value: Span,
    /// Whether a declared parameter has taken it.
    pub taken: bool,
}

/// Cuts a query into pairs; empty ones are left out. Gives false where there are more than
/// `max`, of which the first are kept.
pub(super) fn pairs(query: &[u8], max: usize, out: &mut Vec<Pair>) -> bool {
    out.clear();
    let mut start = 0;
    while start < query.len() {
        let rest = query.get(start..).unwrap_or_default();
        let len = rest.iter().position(|&byte| byte == b'&').unwrap_or(rest.len());
        if len > 0 {
            if out.len() >= max {
                return false;
            }
            let pair = rest.get(..len).unwrap_or_default();
            let name = pair.iter().position(|&byte| byte == b'=').unwrap_or(len);
            out.push(Pair {
                name: span(start, start + name),
                value: span((start + name + 1).min(start + len), start + len),
                taken: false,
            });
        }
        start += len + 1;
    }
    true
}

/// The pairs of a query as sent, by name and value: the first `max`.
pub(crate) fn cut_pairs(query: &[u8], max: u32) -> impl Iterator<Item = (&[u8], &[u8])> {
    let pairs = query.split(|&byte| byte == b'&').filter(|pair| !pair.is_empty());
    pairs.take(max as usize).map(|pair| {
        let name = pair.iter().position(|&byte| byte == b'=').unwrap_or(pair.len());
        let (name, value) = pair.split_at_checked(name).unwrap_or((pair, b""));
        (name, value.get(1..).unwrap_or_default())
    })
}

/// What is left of a query behind its first `max` pairs.
pub(crate) fn beyond_pairs(query: &[u8], max: u32) -> &[u8] {
    let (mut pairs, mut start) = (0, 0);
    for piece in query.split(|&byte| byte == b'&') {
        if pairs == max {
            return query.get(start..).unwrap_or_default();
        }
        pairs += u32::from(!piece.is_empty());
        start += piece.len() + 1;
    }
    b""
}

/// Whether a pair is named so.
pub(super) fn is_named(query: &[u8], pair: &Pair, name: &[u8]) -> bool {
    equals(pair.name.of(query), Plus::Space, name)
}

/// Of `name[step][step]` what follows the name, as sent; empty where nothing does (style deepObject).
/// The brackets may be percent-encoded, as RFC 3986 asks of them.
pub(super) fn brackets<'q>(query: &'q [u8], pair: &Pair, name: &[u8]) -> Option<&'q [u8]> {
    let raw = pair.name.of(query);
    let mut at = 0;
    while let Some((byte, len)) = unit(raw, at) {
        if byte == b'[' {
            break;
        }
        at += len;
    }
    let (before, after) = raw.split_at_checked(at)?;
    equals(before, Plus::Space, name).then_some(after)
}

fn span(start: usize, end: usize) -> Span {
    let place = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
    Span { start: place(start), end: place(end) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cuts_queries() {
        let query = b"a=1&&b&c==&=d&";
        let mut found = Vec::new();
        assert!(pairs(query, 9, &mut found));
        let texts: Vec<_> = found
            .iter()
            .map(|pair| {
                let text = |span: Span| String::from_utf8_lossy(span.of(query)).into_owned();
                (text(pair.name), text(pair.value))
            })
            .collect();
        let expected = [("a", "1"), ("b", ""), ("c", "="), ("", "d")];
        assert_eq!(texts, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
        assert!(!pairs(query, 3, &mut found));
        assert!(pairs(query, 4, &mut found));
    }

    #[test]
    fn deep_names() {
        let query = b"page[size]=3&page%5Bsize%5D&pa%67e&a%4[b]";
        let mut found = Vec::new();
        pairs(query, 9, &mut found);
        assert_eq!(brackets(query, &found[0], b"page"), Some(&b"[size]"[..]));
        assert_eq!(brackets(query, &found[0], b"pag"), None);
        assert_eq!(brackets(query, &found[1], b"page"), Some(&b"%5Bsize%5D"[..]));
        assert_eq!(brackets(query, &found[2], b"page"), Some(&b""[..]));
        assert_eq!(brackets(query, &found[3], b"a%4"), Some(&b"[b]"[..]));
    }

    #[test]
    fn what_is_left_behind_pairs() {
        assert_eq!(beyond_pairs(b"a&&b=1&c&d", 2), b"c&d");
        assert_eq!(beyond_pairs(b"a&b", 2), b"");
        assert_eq!(beyond_pairs(b"a&b&", 2), b"");
        assert_eq!(beyond_pairs(b"", 0), b"");
    }
}
