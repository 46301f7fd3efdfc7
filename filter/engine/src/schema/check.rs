//! Checks on one scalar: the parts of a schema that need no context.

use super::content;
use super::format;
use super::number::{Exact, Number, compare};
use super::string::code_points;
use core::cmp::Ordering;
use portcullis_bundle::layout::{
    Automaton, CharClass, ContentEncoding, Decimal, Format, Keyword, LITERAL_FALSE, LITERAL_NULL,
    LITERAL_TRUE, NONE, NUMBER_INTEGER_BOUNDS, NUMBER_MAX, NUMBER_MAX_EXCLUSIVE, NUMBER_MIN,
    NUMBER_MIN_EXCLUSIVE, SCHEMA_INTEGER_LEXICAL, Schema, StringCheck, TYPE_BOOLEAN, TYPE_FRACTION,
    TYPE_INTEGER, TYPE_NULL, TYPE_STRING, Text, View,
};
use portcullis_bundle::name_hash;

/// A value that is neither array nor object.
#[derive(Clone, Copy, Debug)]
pub(super) enum Value<'a> {
    Null,
    Boolean(bool),
    Number(&'a Number<'a>),
    /// What the string says, and whether it is known to be ASCII.
    String(&'a [u8], bool),
}

/// Judges a scalar by everything in a schema but its compositions.
#[inline(never)]
pub(super) fn scalar(view: &View<'_>, schema: &Schema, value: &Value<'_>) -> Result<(), Keyword> {
    match value {
        Value::Null => literal(view, schema, TYPE_NULL, LITERAL_NULL),
        Value::Boolean(true) => literal(view, schema, TYPE_BOOLEAN, LITERAL_TRUE),
        Value::Boolean(false) => literal(view, schema, TYPE_BOOLEAN, LITERAL_FALSE),
        Value::Number(number) => self::number(view, schema, number),
        Value::String(text, ascii) => string(view, schema, text, *ascii),
    }
}

#[inline]
fn literal(view: &View<'_>, schema: &Schema, kind: u8, bit: u32) -> Result<(), Keyword> {
    if schema.types & kind == 0 {
        return Err(Keyword::Type);
    }
    match view.literal_sets.get(schema.literals.get() as usize) {
        Some(set) if set.scalars.get() & bit == 0 => Err(Keyword::Enum),
        _ => Ok(()),
    }
}

#[inline(always)]
pub(super) fn number(view: &View<'_>, schema: &Schema, number: &Number<'_>) -> Result<(), Keyword> {
    const BOTH: u8 = TYPE_INTEGER | TYPE_FRACTION;
    if schema.types & BOTH != BOTH {
        let integer = if schema.flags & SCHEMA_INTEGER_LEXICAL == 0 {
            number.is_integer()
        } else {
            number.plain
        };
        let kind = if integer { TYPE_INTEGER } else { TYPE_FRACTION };
        if schema.types & kind == 0 {
            return Err(Keyword::Type);
        }
    }
    if schema.number.get() != NONE {
        number_check(view, schema.number.get(), number)?;
    }
    if schema.literals.get() != NONE {
        number_literal(view, schema.literals.get(), number)?;
    }
    Ok(())
}

#[inline(never)]
fn number_check(view: &View<'_>, check: u32, number: &Number<'_>) -> Result<(), Keyword> {
    let Some(check) = view.number_checks.get(check as usize) else { return Ok(()) };
    let flags = check.flags.get();
    match number.as_i64() {
        Some(integer) if flags & NUMBER_INTEGER_BOUNDS != 0 => {
            if integer < check.integer_min.get() {
                return Err(if flags & NUMBER_MIN_EXCLUSIVE == 0 {
                    Keyword::Minimum
                } else {
                    Keyword::ExclusiveMinimum
                });
            }
            if integer > check.integer_max.get() {
                return Err(if flags & NUMBER_MAX_EXCLUSIVE == 0 {
                    Keyword::Maximum
                } else {
                    Keyword::ExclusiveMaximum
                });
            }
        }
        _ => bounds(view, flags, check.min.get(), check.max.get(), number)?,
    }
    if check.multiple_count.get() == 0 {
        return Ok(());
    }
    let whole = check.integer_multiple.get();
    if whole != 0 && number.plain && number.short {
        return if number.mantissa.is_multiple_of(whole) {
            Ok(())
        } else {
            Err(Keyword::MultipleOf)
        };
    }
    let Some(exact) = number.exact() else { return Ok(()) };
    let multiples = list(view, check.multiples.get(), check.multiple_count.get());
    for index in multiples {
        let of = view.decimals.get(index as usize).and_then(|of| decimal(view, of));
        if of.is_some_and(|of| !exact.is_multiple(&of)) {
            return Err(Keyword::MultipleOf);
        }
    }
    Ok(())
}

fn bounds(
    view: &View<'_>,
    flags: u16,
    min: u32,
    max: u32,
    number: &Number<'_>,
) -> Result<(), Keyword> {
    let exact = number.exact();
    let against = |index: u32| {
        let bound = view.decimals.get(index as usize)?;
        Some(compare(exact, decimal(view, bound)))
    };
    if flags & NUMBER_MIN != 0 {
        match against(min) {
            Some(Ordering::Less) if flags & NUMBER_MIN_EXCLUSIVE == 0 => {
                return Err(Keyword::Minimum);
            }
            Some(Ordering::Less | Ordering::Equal) if flags & NUMBER_MIN_EXCLUSIVE != 0 => {
                return Err(Keyword::ExclusiveMinimum);
            }
            _ => {}
        }
    }
    if flags & NUMBER_MAX != 0 {
        match against(max) {
            Some(Ordering::Greater) if flags & NUMBER_MAX_EXCLUSIVE == 0 => {
                return Err(Keyword::Maximum);
            }
            Some(Ordering::Greater | Ordering::Equal) if flags & NUMBER_MAX_EXCLUSIVE != 0 => {
                return Err(Keyword::ExclusiveMaximum);
            }
            _ => {}
        }
    }
    Ok(())
}

fn number_literal(view: &View<'_>, set: u32, number: &Number<'_>) -> Result<(), Keyword> {
    let Some(set) = view.literal_sets.get(set as usize) else { return Ok(()) };
    let exact = number.exact();
    let first = set.numbers.get() as usize;
    let numbers = view.decimals.get(first..first.saturating_add(set.number_count.get() as usize));
    let equal = |of: &Decimal| compare(exact, decimal(view, of)) == Ordering::Equal;
    if numbers.unwrap_or_default().iter().any(equal) { Ok(()) } else { Err(Keyword::Enum) }
}

#[inline(always)]
pub(super) fn string(
    view: &View<'_>,
    schema: &Schema,
    text: &[u8],
    ascii: bool,
) -> Result<(), Keyword> {
    if schema.types & TYPE_STRING == 0 {
        return Err(Keyword::Type);
    }
    if schema.string.get() != NONE {
        string_check(view, schema.string.get(), text, ascii)?;
    }
    if schema.literals.get() != NONE {
        string_literal(view, schema.literals.get(), text)?;
    }
    Ok(())
}

#[inline(always)]
fn string_check(view: &View<'_>, check: u32, text: &[u8], ascii: bool) -> Result<(), Keyword> {
    let Some(check) = view.string_checks.get(check as usize) else { return Ok(()) };
    let length = if ascii { text.len() } else { code_points(text) };
    if length < check.min_length.get() as usize {
        return Err(Keyword::MinLength);
    }
    if length > check.max_length.get() as usize {
        return Err(Keyword::MaxLength);
    }
    let rest = check.class_count.get()
        | check.pattern_count.get()
        | u16::from(check.format | check.encoding);
    if rest == 0 { Ok(()) } else { content_check(view, check, text) }
}

#[inline(never)]
fn content_check(view: &View<'_>, check: &StringCheck, text: &[u8]) -> Result<(), Keyword> {
    for index in list(view, check.classes.get(), check.class_count.get()) {
        let class = view.char_classes.get(index as usize);
        if class.is_some_and(|class| !all_in_class(view, class, text)) {
            return Err(Keyword::Pattern);
        }
    }
    for index in list(view, check.patterns.get(), check.pattern_count.get()) {
        let automaton = view.automata.get(index as usize);
        if automaton.is_some_and(|automaton| !matches(view, automaton, text)) {
            return Err(Keyword::Pattern);
        }
    }
    if check.format != 0 {
        let format = Format::from_code(check.format).unwrap_or(Format::None);
        if !format::holds(view, format, text) {
            return Err(Keyword::Format);
        }
    }
    if check.encoding != 0 {
        let encoding = ContentEncoding::from_code(check.encoding).unwrap_or(ContentEncoding::None);
        if !content::is_encoded(encoding, text) {
            return Err(Keyword::ContentEncoding);
        }
    }
    Ok(())
}

/// Finds a string in a literal set.
#[inline(never)]
fn string_literal(view: &View<'_>, set: u32, text: &[u8]) -> Result<(), Keyword> {
    let Some(set) = view.literal_sets.get(set as usize) else { return Ok(()) };
    let first = set.strings.get();
    let found =
        look_up(view, set.slots.get(), set.slot_mask.get(), name_hash(text), |index, hash| {
            let literal =
                view.literal_strings.get((first as usize).saturating_add(index as usize))?;
            Some(literal.hash.get() == hash && same(bytes(view, literal.text), text))
        });
    if found.is_some() { Ok(()) } else { Err(Keyword::Enum) }
}

/// Looks for an entry of a hash table in slots: `matches` gives `None` for an index out of range.
#[inline(always)]
pub(super) fn look_up(
    view: &View<'_>,
    slots: u32,
    mask: u32,
    hash: u32,
    matches: impl Fn(u32, u32) -> Option<bool>,
) -> Option<u32> {
    let mut slot = hash & mask;
    // The table has a free slot, so a sound table ends the search; the count ends it for any.
    for _ in 0..=mask {
        let index = view.slots.get((slots as usize).wrapping_add(slot as usize))?.value.get();
        if index == NONE {
            return None;
        }
        if matches(index, hash)? {
            return Some(index);
        }
        slot = slot.wrapping_add(1) & mask;
    }
    None
}

/// Whether an automaton accepts a text.
#[inline]
pub(crate) fn matches(view: &View<'_>, automaton: &Automaton, text: &[u8]) -> bool {
    let first = automaton.table.get() as usize;
    let table =
        view.transitions.get(first..first.saturating_add(automaton.table_len.get() as usize));
    let classes = view.byte_classes.get(automaton.classes.get() as usize);
    let (Some(table), Some(classes)) = (table, classes) else { return false };
    let always = automaton.accept_always.get();
    let mut state = automaton.start.get();
    for &byte in text {
        if state == 0 || state >= always {
            break;
        }
        let class = classes.class.get(usize::from(byte)).copied().unwrap_or(0);
        let next = table.get(usize::from(state) + usize::from(class));
        state = next.map_or(0, |next| next.get());
    }
    state != 0 && state >= automaton.accept.get()
}

fn all_in_class(view: &View<'_>, class: &CharClass, text: &[u8]) -> bool {
    let in_ascii = |byte: u8| {
        class.ascii.get(usize::from(byte >> 3)).is_some_and(|bits| bits >> (byte & 7) & 1 == 1)
    };
    let mut rest = text;
    while let [byte, after @ ..] = rest {
        if *byte < 0x80 {
            if !in_ascii(*byte) {
                return false;
            }
            rest = after;
            continue;
        }
        let Some((scalar, after)) = decode(rest) else { return false };
        let first = class.ranges.get() as usize;
        let ranges =
            view.char_ranges.get(first..first.saturating_add(class.range_count.get() as usize));
        let ranges = ranges.unwrap_or_default();
        let next = ranges.partition_point(|range| range.last.get() < scalar);
        if ranges.get(next).is_none_or(|range| scalar < range.first.get()) {
            return false;
        }
        rest = after;
    }
    true
}

/// The first code point of text that is known to be valid UTF-8 and not to begin with ASCII.
pub(super) fn decode(text: &[u8]) -> Option<(u32, &[u8])> {
    let low = |byte: u8| u32::from(byte & 0x3F);
    match text {
        [a @ 0xC0..0xE0, b, rest @ ..] => Some((u32::from(a & 0x1F) << 6 | low(*b), rest)),
        [a @ 0xE0..0xF0, b, c, rest @ ..] => {
            Some((u32::from(a & 0x0F) << 12 | low(*b) << 6 | low(*c), rest))
        }
        [a @ 0xF0..=0xFF, b, c, d, rest @ ..] => {
            Some((u32::from(a & 7) << 18 | low(*b) << 12 | low(*c) << 6 | low(*d), rest))
        }
        _ => None,
    }
}

/// A decimal of the bundle; `None` for zero.
fn decimal<'b>(view: &View<'b>, of: &Decimal) -> Option<Exact<'b>> {
    Exact::new(of.negative.get() != 0, bytes(view, of.digits), &[], i64::from(of.exponent.get()))
}

/// The bytes of a text of the bundle.
#[inline(always)]
pub(super) fn bytes<'b>(view: &View<'b>, text: Text) -> &'b [u8] {
    let first = text.offset.get() as usize;
    view.strings.get(first..first.saturating_add(text.len.get() as usize)).unwrap_or_default()
}

/// Whether two texts are the same: short ones, so that a call of `memcmp` would be most of the work.
#[inline(always)]
pub(super) fn same(left: &[u8], right: &[u8]) -> bool {
    if left.len() != right.len() {
        return false;
    }
    let (left_words, left_rest) = left.as_chunks::<8>();
    let (right_words, right_rest) = right.as_chunks::<8>();
    for (a, b) in left_words.iter().zip(right_words) {
        if u64::from_le_bytes(*a) != u64::from_le_bytes(*b) {
            return false;
        }
    }
    match (left.last_chunk::<8>(), right.last_chunk::<8>()) {
        (Some(a), Some(b)) => u64::from_le_bytes(*a) == u64::from_le_bytes(*b),
        _ => left_rest.iter().zip(right_rest).all(|(a, b)| a == b),
    }
}

/// A run of indexes in lists.
#[inline(always)]
pub(super) fn list(view: &View<'_>, first: u32, count: u16) -> impl Iterator<Item = u32> {
    let first = first as usize;
    let run = view.lists.get(first..first.saturating_add(usize::from(count))).unwrap_or_default();
    run.iter().map(|index| index.value.get())
}
