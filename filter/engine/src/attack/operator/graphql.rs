//! GraphQL documents beyond their bounds (GraphQL specification, October 2021, section 2).

use portcullis_bundle::layout::{GRAPHQL_INTROSPECTION, GRAPHQL_MALFORMED, GraphQlCheck, NONE};

/// Whether a text is a GraphQL document beyond the bounds of a check.
pub(super) fn is_attack(check: &GraphQlCheck, text: &[u8]) -> bool {
    let over = |count: u32, bound: u32| bound != NONE && count > bound;
    if check.batch.get() != NONE && over(batch(text), check.batch.get()) {
        return true;
    }
    let bounds = [check.depth, check.aliases, check.fields, check.directives];
    if check.flags == 0 && bounds.iter().all(|bound| bound.get() == NONE) {
        return false;
    }
    let Some(found) = read(text) else { return check.flags & GRAPHQL_MALFORMED != 0 };
    over(found.depth, check.depth.get())
        || over(found.aliases, check.aliases.get())
        || over(found.fields, check.fields.get())
        || over(found.directives, check.directives.get())
        || found.introspects && check.flags & GRAPHQL_INTROSPECTION != 0
}

/// How many requests a JSON text holds that are sent at once: objects with a `query` in an array.
fn batch(text: &[u8]) -> u32 {
    let (mut count, mut depth, mut at) = (0u32, 0u32, 0usize);
    if text.trim_ascii_start().first() != Some(&b'[') {
        return 0;
    }
    while let Some(&byte) = text.get(at) {
        at = at.saturating_add(1);
        match byte {
            b'[' | b'{' => depth = depth.saturating_add(1),
            b']' | b'}' => depth = depth.saturating_sub(1),
            b'"' => {
                let rest = text.get(at..).unwrap_or_default();
                let is_name = rest
                    .strip_prefix(b"query\"")
                    .is_some_and(|after| after.trim_ascii_start().first() == Some(&b':'));
                count = count.saturating_add(u32::from(is_name && depth == 2));
                at = at.saturating_add(string(rest));
            }
            _ => {}
        }
    }
    count
}

/// Bytes of a JSON string behind its first quote.
fn string(rest: &[u8]) -> usize {
    let mut escaped = false;
    let ends = |byte: &u8| {
        let ends = *byte == b'"' && !escaped;
        escaped = *byte == b'\\' && !escaped;
        ends
    };
    rest.iter().position(ends).map_or(rest.len(), |end| end.saturating_add(1))
}

/// What a document holds.
#[derive(Debug, Default, PartialEq, Eq)]
struct Document {
    depth: u32,
    aliases: u32,
    fields: u32,
    directives: u32,
    introspects: bool,
}

/// A token that decides something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token<'t> {
    Name(&'t [u8]),
    Mark(u8),
    /// A value or `...`.
    Other,
}

/// Reads a document: selection sets by their braces, arguments by their parentheses. `None` for what
/// does not begin as one or does not balance.
fn read(text: &[u8]) -> Option<Document> {
    let mut document = Document::default();
    let (mut rest, mut last) = (text, Token::Other);
    // Selection sets and, within arguments and variables, whatever brackets hold.
    let (mut depth, mut within) = (0u32, 0u32);
    let mut began = false;
    while let Some(token) = next(&mut rest)? {
        if !began {
            let keyword = matches!(
                token,
                Token::Name(b"query" | b"mutation" | b"subscription" | b"fragment")
                    | Token::Mark(b'{')
            );
            if !keyword {
                return None;
            }
            began = true;
        }
        match token {
            Token::Mark(b'(' | b'[') => within += 1,
            Token::Mark(b')' | b']') => within = within.checked_sub(1)?,
            Token::Mark(b'{') if within > 0 => within += 1,
            Token::Mark(b'}') if within > 0 => within -= 1,
            Token::Mark(b'{') => {
                depth += 1;
                document.depth = document.depth.max(depth);
            }
            Token::Mark(b'}') => depth = depth.checked_sub(1)?,
            Token::Mark(b'@') => document.directives += 1,
            // `alias: field`
            Token::Mark(b':') if within == 0 && depth > 0 => document.aliases += 1,
            Token::Name(name) if within == 0 && depth > 0 => {
                if last != Token::Mark(b'@') && last != Token::Mark(b':') {
                    document.fields += 1;
                }
                document.introspects |= matches!(name, b"__schema" | b"__type");
            }
            Token::Name(_) | Token::Mark(_) | Token::Other => {}
        }
        last = token;
    }
    (began && depth == 0 && within == 0).then_some(document)
}

/// The next token; `Some(None)` at the end, `None` where a text does not end.
fn next<'t>(rest: &mut &'t [u8]) -> Option<Option<Token<'t>>> {
    loop {
        let &first = match rest.first() {
            Some(first) => first,
            None => return Some(None),
        };
        match first {
            b' ' | b'\t' | b'\r' | b'\n' | b',' | 0xEF | 0xBB | 0xBF => skip(rest, 1),
            b'#' => {
                let line = rest.iter().position(|&byte| byte == b'\n' || byte == b'\r');
                skip(rest, line.unwrap_or(rest.len()));
            }
            _ => break,
        }
    }
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    let first = *rest.first()?;
    let len = match first {
        b'"' if rest.starts_with(b"\"\"\"") => {
            let body = rest.get(3..)?;
            // `\"""` stands for three quotes.
            let ends = |at: &usize| {
                body.get(*at..).is_some_and(|it| it.starts_with(b"\"\"\""))
                    && at.checked_sub(1).and_then(|at| body.get(at)) != Some(&b'\\')
            };
            let quotes = body.iter().enumerate().filter(|(_, byte)| **byte == b'"');
            quotes.map(|(at, _)| at).find(ends)? + 6
        }
        b'"' => string_len(rest)?,
        _ if is_name(&first) => rest.iter().take_while(|byte| is_name(byte)).count(),
        b'.' => rest.iter().take_while(|byte| **byte == b'.').count(),
        _ => 1,
    };
    let token = match first {
        b'"' | b'.' | b'0'..=b'9' | b'-' => Token::Other,
        _ if is_name(&first) => Token::Name(rest.get(..len)?),
        _ => Token::Mark(first),
    };
    skip(rest, len);
    Some(Some(token))
}

/// Bytes of the string that a text begins with, quotes included.
fn string_len(text: &[u8]) -> Option<usize> {
    let mut escaped = false;
    for (at, &byte) in text.iter().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return Some(at + 1),
            b'\n' | b'\r' => return None,
            _ => {}
        }
    }
    None
}

fn skip(rest: &mut &[u8], len: usize) {
    *rest = rest.get(len..).unwrap_or_default();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_what_a_document_holds() {
        let text = b"query A($id: ID = {x: 1}) { a: user(id: $id, f: {b: [1, 2]}) @include(if: true) \
                     { name # {{{\n friends { ...F name } } } fragment F on User { \"\"\" { \"\"\" id }";
        let found = read(text).unwrap();
        let wanted =
            Document { depth: 3, aliases: 1, fields: 6, directives: 1, introspects: false };
        assert_eq!(found, wanted);
        assert!(read(b"{ __schema { types { name } } }").unwrap().introspects);
        assert_eq!(read(b"{ a { b }"), None);
        assert_eq!(read(b"hello {}"), None);
        assert_eq!(read(b"{ a(b: \"x) }"), None);
        assert_eq!(read(b""), None);
    }
}
