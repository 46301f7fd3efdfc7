//! Texts of a document as a forgiving reader takes them: for rules alone, where the strict reader has refused it.
//!
//! What stands between tags, attributes and other quoted texts within tags, sections of CDATA, the literals of a
//! document type. One pass over the bytes, whatever they are; nothing is kept but one text at a time, and all texts
//! one after the other, as readers take those of an element whose content is mixed.

use super::text::{is_space, reference};

/// Hands on each text, references resolved where they can be, and then what stands between all tags as one.
pub(super) fn texts(body: &[u8], mut give: impl FnMut(&[u8])) {
    let mut give = |text: &[u8]| {
        if !text.is_empty() {
            give(text);
        }
    };
    let (mut one, mut all) = (Vec::new(), Vec::new());
    let (mut rest, mut count) = (body, 0u32);
    while !rest.is_empty() {
        let end = next_tag(rest);
        let (data, tag) = rest.split_at_checked(end).unwrap_or((rest, b""));
        if !data.iter().all(|byte| is_space(*byte)) {
            one.clear();
            decode(data, &mut one);
            give(&one);
            all.extend_from_slice(&one);
            count = count.saturating_add(1);
        }
        if let Some(section) = tag.strip_prefix(b"<![CDATA[") {
            let (data, after) = until(section, b"]]>");
            give(data);
            all.extend_from_slice(data);
            count = count.saturating_add(1);
            rest = after;
        } else if let Some(comment) = tag.strip_prefix(b"<!--") {
            rest = until(comment, b"-->").1;
        } else if let Some(instruction) = tag.strip_prefix(b"<?") {
            rest = until(instruction, b"?>").1;
        } else {
            rest = in_tag(tag, &mut one, &mut give);
        }
    }
    if count > 1 {
        give(&all);
    }
}

/// Where the next tag, comment, section or declaration begins.
fn next_tag(rest: &[u8]) -> usize {
    let begins = |pair: &[u8]| {
        matches!(
            pair,
            [b'<', b'!' | b'?' | b'/' | b'_' | b':' | b'a'..=b'z' | b'A'..=b'Z' | 0x80..]
        )
    };
    rest.windows(2).position(begins).unwrap_or(rest.len())
}

/// What comes before a mark, and what follows it; all, where it is missing.
fn until<'t>(text: &'t [u8], mark: &[u8]) -> (&'t [u8], &'t [u8]) {
    match text.windows(mark.len()).position(|part| part == mark) {
        Some(at) => {
            let (before, after) = text.split_at_checked(at).unwrap_or((text, b""));
            (before, after.get(mark.len()..).unwrap_or_default())
        }
        None => (text, b""),
    }
}

/// Hands on the texts within a tag or a declaration: between quotes, or behind `=` up to white space; what follows it.
/// The declarations within a document type are its content.
fn in_tag<'t>(tag: &'t [u8], one: &mut Vec<u8>, give: &mut impl FnMut(&[u8])) -> &'t [u8] {
    let declares = tag.starts_with(b"<!");
    let mut rest = tag.get(1..).unwrap_or_default();
    let mut assigned = false;
    while let Some((first, after)) = rest.split_first() {
        match first {
            b'>' => return after,
            b'[' if declares => return after,
            b'"' | b'\'' => {
                let (text, behind) = until(after, &[*first]);
                one.clear();
                decode(text, one);
                give(one);
                (rest, assigned) = (behind, false);
            }
            b'=' => (rest, assigned) = (after, true),
            byte if assigned && !is_space(*byte) => {
                let end = rest.iter().position(|it| is_space(*it) || *it == b'>');
                let end = end.unwrap_or(rest.len());
                let (text, behind) = rest.split_at_checked(end).unwrap_or((rest, b""));
                one.clear();
                decode(text, one);
                give(one);
                (rest, assigned) = (behind, false);
            }
            _ => rest = after,
        }
    }
    rest
}

/// Appends a text with its references resolved; what is none stays.
fn decode(text: &[u8], out: &mut Vec<u8>) {
    let mut rest = text;
    while let Some(at) = rest.iter().position(|byte| *byte == b'&') {
        let (before, from) = rest.split_at_checked(at).unwrap_or((rest, b""));
        out.extend_from_slice(before);
        let end = from.iter().take(32).position(|byte| *byte == b';').unwrap_or(0);
        let known = from.get(..=end).and_then(|it| core::str::from_utf8(it).ok());
        match known.and_then(reference) {
            Some((letter, len)) => {
                out.extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes());
                rest = from.get(len..).unwrap_or_default();
            }
            None => {
                out.push(b'&');
                rest = from.get(1..).unwrap_or_default();
            }
        }
    }
    out.extend_from_slice(rest);
}

#[cfg(test)]
mod tests {
    use super::texts;

    #[test]
    fn texts_as_forgiving_readers_take_them() {
        for (body, expected) in [
            ("<a>x<b>y</b>z</a>", &["x", "y", "z", "xyz"][..]),
            ("<a b='1' c=\"&lt;2\" d=3>\x0b&#65;&nbsp;</a>", &["1", "<2", "3", "\x0bA&nbsp;"]),
            ("<!DOCTYPE a [<!ENTITY e 'evil'>]><a>&e;</a>", &["evil", "]>", "&e;", "]>&e;"]),
            ("<a><![CDATA[<p>&amp;]]>q", &["<p>&amp;", "q", "<p>&amp;q"]),
            ("<!-- x --><?php y ?><a z", &[]),
            ("<a b='open>text", &["open>text"]),
            ("1 < 2 & 3 <", &["1 < 2 & 3 <"]),
            ("<a b=>x</a>", &["x"]),
            ("text<", &["text<"]),
            ("", &[]),
        ] {
            let mut given = Vec::new();
            texts(body.as_bytes(), |text| given.push(String::from_utf8_lossy(text).into_owned()));
            assert_eq!(given, expected, "{body}");
        }
    }

    #[test]
    fn any_bytes_are_taken() {
        let letters = b"<>!-[]?='\"&;a/ \xff";
        let mut seed = 1u64;
        for _ in 0..2000 {
            let mut body = Vec::new();
            for _ in 0..24 {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                body.push(letters[(seed >> 33) as usize % letters.len()]);
            }
            let mut given = 0;
            texts(&body, |text| given += text.len());
            assert!(given <= 2 * body.len(), "{}", body.escape_ascii());
        }
    }
}
