//! White space, and strings that are not plain.

use super::core::Stop;
use super::fault::{FaultKind, Malformation, Part};
use super::string::{
    BadString, CONTROL, ESCAPED, StringEnd, UNFINISHED, UNICODE, string_end, unescape,
};

/// Bytes within which the tag of an object is looked for before it is opened.
const TAG_WINDOW: usize = 1024;

/// Passes over white space: gives the byte that follows, and moves `at` there.
#[inline(always)]
pub(super) fn skip(input: &[u8], at: &mut usize) -> Option<u8> {
    let byte = *input.get(*at)?;
    if byte > b' ' {
        return Some(byte);
    }
    *at = skip_from(input, *at);
    input.get(*at).copied()
}

#[inline(never)]
fn skip_from(input: &[u8], mut at: usize) -> usize {
    while let Some(b' ' | b'\n' | b'\r' | b'\t') = input.get(at) {
        at += 1;
    }
    at
}

/// What a string says that is not short plain ASCII. `start` is the place of its content.
#[inline(never)]
pub(super) fn content<'a>(
    scratch: &'a mut Vec<u8>,
    input: &'a [u8],
    start: usize,
    end: StringEnd,
    limit: u32,
) -> Result<&'a [u8], Stop> {
    // A string that is too long is so wherever it is cut, so this comes before all else.
    if end.at - start > limit as usize {
        return Err(Stop::Here(FaultKind::TooLarge(Part::String)));
    }
    let malformed = |what, at| Err(Stop::Fault(FaultKind::Malformed(what), at));
    if end.flags & UNFINISHED != 0 {
        return Err(Stop::Unfinished);
    }
    if end.flags & CONTROL != 0 {
        return malformed(Malformation::ControlCharacter, end.at);
    }
    let raw = input.get(start..end.at).unwrap_or_default();
    if end.flags & UNICODE != 0
        && let Err(error) = core::str::from_utf8(raw)
    {
        return malformed(Malformation::NotUtf8, start + error.valid_up_to());
    }
    if end.flags & ESCAPED == 0 {
        return Ok(raw);
    }
    scratch.clear();
    match unescape(raw, scratch) {
        Ok(()) => Ok(scratch),
        Err(BadString::Escape(place)) => malformed(Malformation::Escape, start + place),
        Err(BadString::Surrogate(place)) => malformed(Malformation::LoneSurrogate, start + place),
    }
}

/// What a look ahead for a tag has found.
pub(super) struct Found<'a> {
    /// The tag's value.
    pub value: &'a [u8],
    /// Whether it is the object's first member.
    pub first: bool,
}

/// The value of an object's member of this name, if it is a plain string within the first bytes. `input` begins
/// at the first name. `passed` receives how many bytes were looked at. Whether the object is well-formed is not
/// asked: it will be read all the same.
pub(super) fn find_member<'a>(
    input: &'a [u8],
    name: &[u8],
    last: bool,
    passed: &mut usize,
) -> Result<Option<Found<'a>>, Stop> {
    let window = input.get(..TAG_WINDOW.min(input.len())).unwrap_or_default();
    let cut = || if last || window.len() == TAG_WINDOW { Ok(None) } else { Err(Stop::Unfinished) };
    let (mut at, mut depth, mut members, mut is_name) = (0, 0_u32, 0_u32, true);
    loop {
        *passed = at;
        let Some(byte) = skip(window, &mut at) else { return cut() };
        if byte == b'"' {
            let end = string_end(window, at + 1);
            if end.flags & UNFINISHED != 0 {
                return cut();
            }
            let text = window.get(at + 1..end.at);
            at = end.at + 1;
            if depth != 0 || !is_name {
                continue;
            }
            // An escaped name may be the tag's too: that is for those who unescape.
            if end.flags & (ESCAPED | CONTROL) != 0 {
                return Ok(None);
            }
            members += 1;
            if text == Some(name) {
                break;
            }
            continue;
        }
        match byte {
            b'{' | b'[' => depth += 1,
            b'}' | b']' if depth == 0 => return Ok(None),
            b'}' | b']' => depth -= 1,
            b',' if depth == 0 => is_name = true,
            b':' if depth == 0 => is_name = false,
            _ => {}
        }
        at += 1;
    }
    match skip(window, &mut at) {
        None => return cut(),
        Some(b':') => at += 1,
        Some(_) => return Ok(None),
    }
    match skip(window, &mut at) {
        None => return cut(),
        Some(b'"') => {}
        Some(_) => return Ok(None),
    }
    let end = string_end(window, at + 1);
    if end.flags & UNFINISHED != 0 {
        return cut();
    }
    *passed = end.at;
    let value = window.get(at + 1..end.at).filter(|_| end.flags == 0);
    Ok(value.map(|value| Found { value, first: members == 1 }))
}

#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests {
    use super::*;

    fn found(input: &str, last: bool) -> Result<Option<(String, bool)>, Stop> {
        let found = find_member(input.as_bytes(), b"kind", last, &mut 0)?;
        Ok(found.map(|found| (String::from_utf8(found.value.to_vec()).unwrap(), found.first)))
    }

    #[test]
    fn a_tag_is_found_wherever_it_stands_in_the_object() {
        for (input, first) in [
            (r#""kind" : "a"}"#, true),
            (r#""x":1,"kind":"a"}"#, false),
            (r#""x":{"kind":"b","y":[{"kind":"c"}]},"kind":"a"}"#, false),
            (r#""x":"kind","y":["kind","}\"]"], "kind":"a"}"#, false),
            ("\"\u{e9}\":null,\n \"kind\":\"a\"}", false),
        ] {
            assert_eq!(found(input, true).unwrap(), Some(("a".to_owned(), first)), "{input}");
        }
    }

    #[test]
    fn what_is_no_plain_tag_is_left_to_the_threads() {
        for input in [
            r#"}"#,
            r#""x":1}"#,
            r#""x":1},"kind":"a"}"#,
            r#""x":{"kind":"b"}}"#,
            r#""k\u0069nd":"b","kind":"a"}"#,
            r#""kind":1}"#,
            r#""kind":"\u0061"}"#,
            r#""x":"kind"}"#,
        ] {
            assert_eq!(found(input, true).unwrap(), None, "{input}");
        }
        let far = format!(r#""x":"{}","kind":"a"}}"#, "y".repeat(TAG_WINDOW));
        assert_eq!(found(&far, false).unwrap(), None);
    }

    #[test]
    fn a_cut_before_the_tag_waits_for_more() {
        let whole = r#""x":[1,"kind"],"kind" : "a""#;
        for end in 0..whole.len() {
            let cut = found(&whole[..end], false);
            assert!(matches!(cut, Err(Stop::Unfinished)), "{}", &whole[..end]);
            assert_eq!(found(&whole[..end], true).unwrap(), None);
        }
        assert_eq!(found(whole, false).unwrap(), Some(("a".to_owned(), false)));
    }
}
