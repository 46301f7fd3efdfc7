//! Characters, names and references of XML 1.0 (fifth edition).

/// Whether a character may stand in a document: production 2, `Char`.
pub(super) fn is_char(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='\u{D7FF}' | '\u{E000}'..='\u{FFFD}' | '\u{10000}'..)
}

/// White space: production 3, `S`.
pub(super) fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

/// Production 4, `NameStartChar`, without the colon, which parts a prefix.
fn starts_name(c: char) -> bool {
    matches!(c,
        'A'..='Z' | '_' | 'a'..='z' | '\u{C0}'..='\u{D6}' | '\u{D8}'..='\u{F6}'
        | '\u{F8}'..='\u{2FF}' | '\u{370}'..='\u{37D}' | '\u{37F}'..='\u{1FFF}'
        | '\u{200C}'..='\u{200D}' | '\u{2070}'..='\u{218F}' | '\u{2C00}'..='\u{2FEF}'
        | '\u{3001}'..='\u{D7FF}' | '\u{F900}'..='\u{FDCF}' | '\u{FDF0}'..='\u{FFFD}'
        | '\u{10000}'..='\u{EFFFF}')
}

/// Production 4a, `NameChar`, without the colon.
fn continues_name(c: char) -> bool {
    starts_name(c)
        || matches!(c, '-' | '.' | '0'..='9' | '\u{B7}' | '\u{300}'..='\u{36F}' | '\u{203F}'..='\u{2040}')
}

/// The length of the qualified name that a text begins with, and that of its prefix with the colon
/// (Namespaces in XML 1.0, production 7). `None` where there is no such name.
pub(super) fn name(text: &str) -> Option<(usize, usize)> {
    let first = part(text)?;
    let Some(rest) = text.get(first..).and_then(|rest| rest.strip_prefix(':')) else {
        return Some((first, 0));
    };
    let second = part(rest)?;
    if rest.get(second..).is_some_and(|rest| rest.starts_with(':')) {
        return None;
    }
    Some((first + 1 + second, first + 1))
}

/// The length of the name without colon that a text begins with.
fn part(text: &str) -> Option<usize> {
    text.chars().next().filter(|c| starts_name(*c))?;
    Some(text.find(|c| !continues_name(c)).unwrap_or(text.len()))
}

/// The character that a reference stands for, and its length, `&` and `;` included: the five predefined
/// entities and characters by number (productions 66 and 68). Others need a DTD, which is not taken.
pub(super) fn reference(text: &str) -> Option<(char, usize)> {
    // The longest is `&#x10FFFF;`; leading zeros are taken within reason.
    let end = text.bytes().take(32).position(|byte| byte == b';')?;
    let inner = text.get(1..end)?;
    let c = match inner {
        "lt" => '<',
        "gt" => '>',
        "amp" => '&',
        "apos" => '\'',
        "quot" => '"',
        _ => {
            let digits = inner.strip_prefix('#')?;
            let (digits, radix) = digits.strip_prefix('x').map_or((digits, 10), |hex| (hex, 16));
            // `from_str_radix` would take a sign.
            if !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
                return None;
            }
            char::from_u32(u32::from_str_radix(digits, radix).ok()?).filter(|c| is_char(*c))?
        }
    };
    Some((c, end + 1))
}

/// Appends character data with its line ends normalised (section 2.11).
pub(super) fn push_lines(text: &str, out: &mut Vec<u8>) {
    let mut rest = text.as_bytes();
    while let Some(at) = rest.iter().position(|byte| *byte == b'\r') {
        let (before, after) = rest.split_at_checked(at).unwrap_or((rest, b""));
        out.extend_from_slice(before);
        out.push(b'\n');
        rest = after.strip_prefix(b"\r\n").or_else(|| after.strip_prefix(b"\r")).unwrap_or(b"");
    }
    out.extend_from_slice(rest);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        assert_eq!(name("a>"), Some((1, 0)));
        assert_eq!(name("pay:amount x"), Some((10, 4)));
        assert_eq!(name("_x-1.é"), Some((7, 0)));
        for bad in ["", "1a", "-a", ":a", "a:", "a:1", "a:b:c", " a"] {
            assert_eq!(name(bad), None, "{bad}");
        }
    }

    #[test]
    fn references() {
        assert_eq!(reference("&lt;x"), Some(('<', 4)));
        assert_eq!(reference("&#65;"), Some(('A', 5)));
        assert_eq!(reference("&#x1F600;"), Some(('😀', 9)));
        for bad in
            ["&;", "&", "&nbsp;", "&#0;", "&#xD800;", "&#x110000;", "&#;", "&#x;", "&#+5;", "&lt"]
        {
            assert_eq!(reference(bad), None, "{bad}");
        }
    }

    #[test]
    fn line_ends() {
        let mut out = Vec::new();
        push_lines("a\r\nb\rc\n\r\r\nd\r", &mut out);
        assert_eq!(out, b"a\nb\nc\n\n\nd\n");
    }
}
