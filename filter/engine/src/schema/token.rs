//! White space, and strings that are not plain.

use super::core::Stop;
use super::fault::{FaultKind, Malformation, Part};
use super::string::{
    BadString, CONTROL, ESCAPED, StringEnd, UNFINISHED, UNICODE, string_end, unescape,
};

/// Bytes within which the first member of a tagged object is looked for.
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

/// The value of an object's first member, if it has this name and is a string, both plain, and all
/// within the first bytes. `input` begins at the name.
pub(super) fn first_member<'a>(
    input: &'a [u8],
    name: &[u8],
    last: bool,
) -> Result<Option<&'a [u8]>, Stop> {
    let window = input.get(..TAG_WINDOW.min(input.len())).unwrap_or_default();
    let cut = || if last || window.len() == TAG_WINDOW { Ok(None) } else { Err(Stop::Unfinished) };
    let mut at = 0;
    if input.first() != Some(&b'"') {
        return Ok(None);
    }
    let end = string_end(window, 1);
    if end.flags & UNFINISHED != 0 {
        return cut();
    }
    if end.flags != 0 || window.get(1..end.at) != Some(name) {
        return Ok(None);
    }
    at += end.at + 1;
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
    Ok(if end.flags == 0 { window.get(at + 1..end.at) } else { None })
}
