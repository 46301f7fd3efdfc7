//! The common path: plain values in plain objects and arrays, judged without a call.
//!
//! In: the place of a member or item whose frame is [`PLAIN`]. Out: the place of the first token that is not as
//! simple as this file wants it, and what is expected there. Nothing is refused here and nothing is taken up
//! that the machine would refuse: whatever is not surely sound is left to it, token and all, so that the two
//! agree by construction and the machine alone says what is wrong.
//!
//! One function, because a call in wasm spills whatever is in registers.

use super::core::{Core, Expect};
use super::format::date;
use super::frame::{Container, Frame, PLAIN};
use super::scan::{Block, block, equal, misfits, not_white, stops};
use super::sink::{Place, Scalar, ScalarKind, ScalarSink};
use super::{array, check, object};
use core::hint::cold_path;
use portcullis_bundle::layout::{
    Format, NONE, NUMBER_INTEGER_BOUNDS, Property, Schema, Stencil, TYPE_ARRAY, TYPE_BOOLEAN,
    TYPE_INTEGER, TYPE_NULL, TYPE_OBJECT, TYPE_STRING, View,
};

/// Where the machine stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cursor {
    /// The place in the input.
    pub at: usize,
    /// What stands there.
    pub expect: Expect,
    /// The schema of the value, if one is expected.
    pub want: u32,
    /// How many arrays and objects are open.
    pub top: usize,
}

/// Declared properties that a name is compared with before it is looked up.
const PREDICTED: u32 = 4;
/// Bytes of a predicted name, at most.
const LONGEST_NAME: u32 = 30;
/// Digits that an `i64` always holds.
const FEW_DIGITS: usize = 18;

/// Judges members and items from `cursor` on for as long as they are plain; gives the place of what is not.
///
/// `cursor` stands at a name of an object (`FirstName`, `Name`) or at an item of an array (`Value`).
#[inline(never)]
pub(super) fn run<S: ScalarSink>(
    core: &Core,
    frames: &mut [Frame],
    view: &View<'_>,
    input: &[u8],
    sink: &mut S,
    cursor: Cursor,
) -> Cursor {
    if core.limits.string < LONGEST_NAME || (core.limits.digits as usize) < FEW_DIGITS {
        return cursor;
    }
    let Cursor { mut at, mut top, .. } = cursor;
    // Whether a child has just been closed: then a comma or the end of the container follows.
    let mut closed = false;
    let (expect, want) = 'left: {
        loop {
            let Some((below, above)) = frames.split_at_mut_checked(top + 1) else {
                break 'left (Expect::After, NONE);
            };
            let Some((frame, outer)) = below.split_last_mut() else {
                break 'left (Expect::After, NONE);
            };
            if frame.flags != PLAIN {
                break 'left (Expect::After, NONE);
            }
            let is_object = frame.container == Container::Object;
            let declared = properties(view, frame);
            loop {
                if !closed {
                    let mut want = frame.next;
                    if is_object {
                        let name = Expect::name(frame.count);
                        let Some((place, property, length)) =
                            predicted(declared, frame.next, input, &mut at)
                        else {
                            break 'left (name, NONE);
                        };
                        let bit = 1_u64 << (place & 63);
                        if input.get(at + length) != Some(&b':') || frame.seen & bit != 0 {
                            break 'left (name, NONE);
                        }
                        frame.seen |= bit;
                        frame.member = frame.first + place;
                        frame.next = place + 1;
                        frame.count += 1;
                        at += length + 1;
                        want = property.schema.get();
                    }
                    let value = (Expect::Value, want);
                    let Some(schema) = view.schemas.get(want as usize) else { break 'left value };
                    let Some(byte) = dark(input, &mut at) else { break 'left value };
                    if schema.composition_count.get() != 0 {
                        break 'left value;
                    }
                    if schema.types & TYPE_STRING != 0 && byte == b'"' {
                        let start = at + 1;
                        let Some(end) = end_of_ascii(input, start) else { break 'left value };
                        if end - start > core.limits.string as usize
                            || !is_string(view, schema, input, start, end)
                        {
                            break 'left value;
                        }
                        if S::ACTIVE {
                            let text = input.get(start..end).unwrap_or_default();
                            let offset = core.base.saturating_add(at as u64);
                            let kind = ScalarKind::String;
                            let place = Place { view, frames: outer, top: frame };
                            let scalar = Scalar { kind, raw: text, text, schema: want, offset };
                            sink.scalar(&scalar, &place);
                        }
                        at = end + 1;
                    } else if schema.types & TYPE_OBJECT != 0 && byte == b'{' {
                        let Some(child) = above.first_mut() else { break 'left value };
                        if !object::open_plain(core, view, want, schema, child) {
                            break 'left value;
                        }
                        at += 1;
                        top += 1;
                        if child.flags != PLAIN || child.declared == 0 {
                            break 'left (Expect::FirstName, NONE);
                        }
                        break;
                    } else if schema.types & TYPE_ARRAY != 0 && byte == b'[' {
                        let Some(child) = above.first_mut() else { break 'left value };
                        if !array::open_plain(core, view, want, schema, child) {
                            break 'left value;
                        }
                        at += 1;
                        top += 1;
                        match dark(input, &mut at) {
                            None | Some(b']') => break 'left (Expect::FirstItem, NONE),
                            Some(_) => child.count = 1,
                        }
                        break;
                    } else {
                        let found = if schema.types & TYPE_INTEGER != 0 && byte <= b'9' {
                            integer(view, schema, input, at).map(|end| (end, ScalarKind::Number))
                        } else {
                            word(schema, input, at)
                        };
                        let Some((end, kind)) = found else { break 'left value };
                        if S::ACTIVE {
                            let raw = input.get(at..end).unwrap_or_default();
                            let offset = core.base.saturating_add(at as u64);
                            let place = Place { view, frames: outer, top: frame };
                            let scalar = Scalar { kind, raw, text: raw, schema: want, offset };
                            sink.scalar(&scalar, &place);
                        }
                        at = end;
                    }
                }
                closed = false;
                let Some(byte) = dark(input, &mut at) else { break 'left (Expect::After, NONE) };
                if byte == b',' {
                    if !is_object {
                        if frame.count >= core.limits.items {
                            break 'left (Expect::After, NONE);
                        }
                        frame.count += 1;
                    }
                    at += 1;
                    continue;
                }
                let end = if is_object { b'}' } else { b']' };
                if byte != end || !may_close(core, view, frame) {
                    break 'left (Expect::After, NONE);
                }
                at += 1;
                top = top.saturating_sub(1);
                closed = true;
                break;
            }
        }
    };
    Cursor { at, expect, want, top }
}

impl Expect {
    /// What an object with so many members expects before the next.
    #[inline(always)]
    fn name(count: u32) -> Expect {
        if count == 0 { Expect::FirstName } else { Expect::Name }
    }
}

/// The properties whose names are predicted.
#[inline(always)]
fn properties<'b>(view: &View<'b>, frame: &Frame) -> &'b [Property] {
    let first = frame.first as usize;
    view.properties.get(first..first.wrapping_add(frame.declared as usize)).unwrap_or_default()
}

/// The next byte that is no white space; `at` moves there.
#[inline(always)]
fn dark(input: &[u8], at: &mut usize) -> Option<u8> {
    let byte = *input.get(*at)?;
    if byte > b' ' {
        return Some(byte);
    }
    skip(input, at)
}

#[inline(always)]
fn skip(input: &[u8], at: &mut usize) -> Option<u8> {
    while let Some(block) = block(input, *at) {
        let mask = not_white(block);
        if mask != 0 {
            *at += mask.trailing_zeros() as usize;
            return input.get(*at).copied();
        }
        *at += 16;
    }
    // Less than a block is left: not worth another loop.
    let byte = *input.get(*at)?;
    (byte > b' ').then_some(byte)
}

/// The property whose quoted name stands at `at`, if it is one of the next few: its number, and the bytes of
/// the quoted name. Moves `at` over white space before the name.
#[inline(always)]
fn predicted<'b>(
    declared: &'b [Property],
    next: u32,
    input: &[u8],
    at: &mut usize,
) -> Option<(u32, &'b Property, usize)> {
    if *input.get(*at)? <= b' ' {
        skip(input, at)?;
    }
    let (head, tail) = (block(input, *at)?, block(input, *at + 16)?);
    for place in next..next + PREDICTED {
        let property = declared.get(place as usize)?;
        let [key_head, key_tail] = halves(&property.key);
        let mask = property.key_mask.get();
        let same = equal(head, key_head) | equal(tail, key_tail) << 16;
        if same & mask == mask && mask != 0 {
            return Some((place, property, property.name.len.get() as usize + 2));
        }
    }
    None
}

#[inline(always)]
fn halves(key: &[u8; 32]) -> &[Block; 2] {
    zerocopy::transmute_ref!(key)
}

/// The closing quote of the string whose content begins at `start`, if it is ASCII without escapes and a block
/// follows.
#[inline(always)]
fn end_of_ascii(input: &[u8], start: usize) -> Option<usize> {
    let mut at = start;
    loop {
        let (first, second) = (block(input, at)?, block(input, at + 16)?);
        let mask = stops(first) | stops(second) << 16;
        if mask != 0 {
            let end = at + mask.trailing_zeros() as usize;
            return (input.get(end) == Some(&b'"')).then_some(end);
        }
        at += 32;
    }
}

/// Whether an ASCII text surely satisfies a schema, as far as that can be told at once.
#[inline(always)]
fn is_string(view: &View<'_>, schema: &Schema, input: &[u8], start: usize, end: usize) -> bool {
    if schema.string.get() != NONE {
        let Some(check) = view.string_checks.get(schema.string.get() as usize) else {
            return false;
        };
        let length = end - start;
        if let Some(stencil) = view.stencils.get(check.stencil.get() as usize) {
            if !fits(stencil, input, start, length) {
                return false;
            }
        } else {
            if length < check.min_length.get() as usize || length > check.max_length.get() as usize
            {
                return false;
            }
            let patterns = check.pattern_count.get();
            if (patterns | check.class_count.get() | u16::from(check.format | check.encoding)) != 0
            {
                let text = input.get(start..end).unwrap_or_default();
                let sound = if check.format == Format::DateTime as u8 && patterns == 0 {
                    date::date_time(text)
                } else if check.format == Format::Date as u8 && patterns == 0 {
                    date::date(text)
                } else if check.format == 0 && patterns == 1 {
                    let index = check::list(view, check.patterns.get(), 1).next();
                    let automaton = index.and_then(|index| view.automata.get(index as usize));
                    automaton.is_some_and(|automaton| check::matches(view, automaton, text))
                } else {
                    false
                };
                if !sound || check.class_count.get() | u16::from(check.encoding) != 0 {
                    return false;
                }
            }
        }
    }
    schema.literals.get() == NONE || is_literal(view, schema.literals.get(), input, start, end)
}

/// Whether a text fits a stencil.
#[inline(always)]
fn fits(stencil: &Stencil, input: &[u8], start: usize, length: usize) -> bool {
    if length > 48 || stencil.lengths.get() >> (length & 63) & 1 == 0 {
        return false;
    }
    let places: &[Block; 3] = zerocopy::transmute_ref!(&stencil.wanted);
    let mut left = length;
    let mut at = start;
    for wanted in places {
        let Some(block) = block(input, at) else { return false };
        let wrong = misfits(block, &stencil.low, &stencil.high, wanted);
        if left <= 16 {
            return wrong & !(u32::MAX << (left & 31)) == 0;
        }
        if wrong != 0 {
            return false;
        }
        left -= 16;
        at += 16;
    }
    false
}

/// Whether a text of at most 16 bytes is one of a few literals.
#[inline(always)]
fn is_literal(view: &View<'_>, set: u32, input: &[u8], start: usize, end: usize) -> bool {
    const FEW: u32 = 8;
    let Some(set) = view.literal_sets.get(set as usize) else { return false };
    let length = end - start;
    let Some(text) = block(input, start) else { return false };
    if length > 16 || set.string_count.get() > FEW {
        return false;
    }
    let first = set.strings.get() as usize;
    let literals =
        view.literal_strings.get(first..first.wrapping_add(set.string_count.get() as usize));
    let wanted = !(u32::MAX << (length & 31));
    for literal in literals.unwrap_or_default() {
        if literal.text.len.get() as usize == length
            && let Some(literal) = block(view.strings, literal.text.offset.get() as usize)
            && equal(text, literal) & wanted == wanted
        {
            return true;
        }
    }
    false
}

/// The end of the integer at `at`, if it has few digits, is complete, and satisfies a schema.
#[inline(always)]
fn integer(view: &View<'_>, schema: &Schema, input: &[u8], at: usize) -> Option<usize> {
    let negative = input.get(at) == Some(&b'-');
    let start = at + usize::from(negative);
    let mut end = start;
    let mut value = 0_i64;
    let after = loop {
        let byte = *input.get(end)?;
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            break byte;
        }
        value = value.wrapping_mul(10).wrapping_add(i64::from(digit));
        end += 1;
    };
    let digits = end - start;
    if digits == 0
        || digits > FEW_DIGITS
        || (digits > 1 && input.get(start) == Some(&b'0'))
        || matches!(after, b'.' | b'e' | b'E')
        || schema.literals.get() != NONE
    {
        return None;
    }
    if schema.number.get() != NONE {
        let check = view.number_checks.get(schema.number.get() as usize)?;
        let value = if negative { -value } else { value };
        if check.flags.get() & NUMBER_INTEGER_BOUNDS == 0
            || check.multiple_count.get() != 0
            || value < check.integer_min.get()
            || value > check.integer_max.get()
        {
            return None;
        }
    }
    Some(end)
}

/// The end of the literal name at `at`, if it satisfies a schema.
#[inline(always)]
fn word(schema: &Schema, input: &[u8], at: usize) -> Option<(usize, ScalarKind)> {
    let (kind, end, wanted) = match input.get(at..)?.first_chunk::<4>()? {
        b"true" => (ScalarKind::Boolean, at + 4, TYPE_BOOLEAN),
        b"fals" if input.get(at + 4) == Some(&b'e') => (ScalarKind::Boolean, at + 5, TYPE_BOOLEAN),
        b"null" => (ScalarKind::Null, at + 4, TYPE_NULL),
        _ => return None,
    };
    let sound = schema.types & wanted != 0 && schema.literals.get() == NONE;
    sound.then_some((end, kind))
}

/// Whether the end of a container tells nothing against it, and nothing of it must be tidied up.
#[inline(always)]
fn may_close(core: &Core, view: &View<'_>, frame: &Frame) -> bool {
    if core.names.len() != frame.names as usize {
        cold_path();
        return false;
    }
    if frame.part == NONE {
        return true;
    }
    if frame.container == Container::Object {
        let Some(check) = view.object_checks.get(frame.part as usize) else { return false };
        check.required.get() & !frame.seen == 0
            && frame.count >= check.min_properties.get()
            && frame.count <= check.max_properties.get()
    } else {
        let Some(check) = view.array_checks.get(frame.part as usize) else { return false };
        array::counts(check, frame.count).is_ok()
    }
}
