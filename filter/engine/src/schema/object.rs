//! Objects: opening, names, closing.

use super::branches::tags;
use super::check::{Value, bytes, look_up, matches, same};
use super::core::{Core, Stop, WANT_EDGES};
use super::digest;
use super::fault::{FaultKind, Part};
use super::frame::{Container, DIGEST, Frame, THREADS, UNIQUE};
use super::string::string_end;
use super::token::content;
use portcullis_bundle::layout::{
    Composition, Dependent, Keyword, NONE, ObjectCheck, PROPERTY_IMPLIED, PROPERTY_REQUIRED,
    Property, SCHEMA_ANY, Schema, TYPE_OBJECT, View,
};
use portcullis_bundle::name_hash;

/// Opens an object that must satisfy the schema `want`.
#[inline(always)]
pub(super) fn open(
    core: &mut Core,
    view: &View<'_>,
    parent: &Frame,
    want: u32,
    frame: &mut Frame,
) -> Result<(), Stop> {
    match view.schemas.get(want as usize) {
        Some(schema) if schema.composition_count.get() == 0 => {
            if schema.types & TYPE_OBJECT == 0 {
                return Err(Stop::Refused(Keyword::Type, want));
            }
            if schema.literals.get() != NONE {
                return Err(Stop::Refused(Keyword::Enum, want));
            }
            if parent.flags & (DIGEST | UNIQUE) == 0 && open_plain(core, view, want, schema, frame)
            {
                return Ok(());
            }
            core.begin_frame(parent, Container::Object, want, frame);
            frame.part = schema.object.get();
            if let Some(check) = view.object_checks.get(frame.part as usize) {
                let whole = check.unevaluated.get() != NONE;
                if whole || has_dependent_schemas(view, check) {
                    return core.open_threads(view, parent, want, Container::Object, frame);
                }
                let more = check.property_count.get().saturating_sub(64);
                if more != 0 {
                    core.wide.resize(core.wide.len() + more.div_ceil(64) as usize, 0);
                }
            }
            Ok(())
        }
        _ => core.open_composed(view, parent, want, Container::Object, frame),
    }
}

/// Opens an object of which nothing unusual is asked, in `frame`; false if that cannot be said.
#[inline(always)]
pub(super) fn open_plain(
    core: &Core,
    view: &View<'_>,
    want: u32,
    schema: &Schema,
    frame: &mut Frame,
) -> bool {
    let part = schema.object.get();
    let (mut first, mut declared) = (0, 0);
    if let Some(check) = view.object_checks.get(part as usize) {
        let unusual = check.pattern_property_count.get() | check.dependent_count.get();
        let references = check.names.get() & check.unevaluated.get();
        if unusual != 0 || references != NONE || check.property_count.get() > 64 {
            return false;
        }
        (first, declared) = (check.properties.get(), check.property_count.get());
    }
    if schema.literals.get() != NONE {
        return false;
    }
    core.begin_plain(Container::Object, want, part, frame);
    (frame.first, frame.declared) = (first, declared);
    true
}

/// Judges what only the end of an object tells.
#[inline(always)]
pub(super) fn close(core: &Core, view: &View<'_>, frame: &Frame) -> Result<(), Keyword> {
    let Some(check) = view.object_checks.get(frame.part as usize) else { return Ok(()) };
    if check.required.get() & !frame.seen != 0 {
        return Err(Keyword::Required);
    }
    if frame.count < check.min_properties.get() {
        return Err(Keyword::MinProperties);
    }
    if frame.count > check.max_properties.get() {
        return Err(Keyword::MaxProperties);
    }
    if check.property_count.get() > 64 || check.dependent_count.get() != 0 {
        return close_rest(core, view, check, frame.seen, frame.wide);
    }
    Ok(())
}

/// The first required property that is missing, by its place among the declared ones from 1; 0 if there is none.
#[cold]
#[inline(never)]
pub(super) fn missing(core: &Core, view: &View<'_>, frame: &Frame) -> u16 {
    let Some(check) = view.object_checks.get(frame.part as usize) else { return 0 };
    let is_missing = |(index, property): (u32, &Property)| {
        property.flags.get() & PROPERTY_REQUIRED != 0 && !has(core, frame.seen, frame.wide, index)
    };
    let place = (0..).zip(properties(view, check)).position(is_missing);
    place.and_then(|place| u16::try_from(place.saturating_add(1)).ok()).unwrap_or(0)
}

/// Judges required properties from the 65th on, and `dependentRequired`.
#[inline(never)]
pub(super) fn close_rest(
    core: &Core,
    view: &View<'_>,
    check: &ObjectCheck,
    seen: u64,
    wide: u32,
) -> Result<(), Keyword> {
    let has = |index| has(core, seen, wide, index);
    for (index, property) in (0..).zip(properties(view, check)) {
        if property.flags.get() & PROPERTY_REQUIRED != 0 && !has(index) {
            return Err(Keyword::Required);
        }
    }
    for dependent in dependents(view, check) {
        let required = dependent.required.get();
        if required != NONE && has(dependent.property.get()) && !has(required) {
            return Err(Keyword::DependentRequired);
        }
    }
    Ok(())
}

/// Whether a declared property was seen.
pub(super) fn has(core: &Core, seen: u64, wide: u32, index: u32) -> bool {
    match index.checked_sub(64) {
        None => seen >> index & 1 == 1,
        Some(more) => {
            let word = core.wide.get(wide as usize + (more / 64) as usize);
            word.is_some_and(|word| word >> (more % 64) & 1 == 1)
        }
    }
}

/// Whether any property asks for a schema of the whole object.
pub(super) fn has_dependent_schemas(view: &View<'_>, check: &ObjectCheck) -> bool {
    dependents(view, check).iter().any(|dependent| dependent.schema.get() != NONE)
}

/// The dependents of an object.
pub(super) fn dependents<'b>(view: &View<'b>, check: &ObjectCheck) -> &'b [Dependent] {
    let first = check.dependents.get() as usize;
    let last = first.saturating_add(check.dependent_count.get() as usize);
    view.dependents.get(first..last).unwrap_or_default()
}

/// The declared properties of an object.
fn properties<'b>(view: &View<'b>, check: &ObjectCheck) -> &'b [Property] {
    let first = check.properties.get() as usize;
    let last = first.saturating_add(check.property_count.get() as usize);
    view.properties.get(first..last).unwrap_or_default()
}

/// Finds a property of an object by its name: its index relative to the object's first.
#[inline]
pub(super) fn find(view: &View<'_>, check: &ObjectCheck, text: &[u8], hash: u32) -> Option<u32> {
    let first = check.properties.get();
    look_up(view, check.slots.get(), check.slot_mask.get(), hash, |index, hash| {
        let property = view.properties.get(first.wrapping_add(index) as usize)?;
        Some(property.hash.get() == hash && same(bytes(view, property.name), text))
    })
}

/// Reads a name whose content begins at `start`: gives the place after its closing quote and the
/// schema of its value.
#[inline(never)]
pub(super) fn name(
    core: &mut Core,
    scratch: &mut Vec<u8>,
    view: &View<'_>,
    input: &[u8],
    start: usize,
    frame: &mut Frame,
) -> Result<(usize, u32), Stop> {
    let end = string_end(input, start);
    let plain = end.flags == 0 && end.at - start <= core.limits.string as usize;
    let text = if plain {
        input.get(start..end.at).unwrap_or_default()
    } else {
        content(scratch, input, start, end, core.limits.string)?
    };
    frame.count += 1;
    if frame.flags & DIGEST != 0 {
        frame.name = digest::text(text);
    }
    let want = if frame.flags & THREADS != 0 {
        core.name_in_threads(view, frame, text, plain)?
    } else {
        match view.object_checks.get(frame.part as usize) {
            Some(check) => name_in_schema(core, view, check, frame, text, plain)?,
            None => {
                add_undeclared(core, frame, text)?;
                SCHEMA_ANY
            }
        }
    };
    Ok((end.at + 1, want))
}

fn name_in_schema(
    core: &mut Core,
    view: &View<'_>,
    check: &ObjectCheck,
    frame: &mut Frame,
    text: &[u8],
    ascii: bool,
) -> Result<u32, Stop> {
    let first = check.properties.get();
    let mut declared = None;
    let next = view.properties.get(first.wrapping_add(frame.next) as usize);
    let next =
        next.filter(|p| frame.next < check.property_count.get() && same(bytes(view, p.name), text));
    let found = match next {
        Some(_) => Some(frame.next),
        None => find(view, check, text, name_hash(text)),
    };
    match found {
        Some(index) => {
            frame.member = first.wrapping_add(index);
            frame.next = index + 1;
            if !mark(&mut frame.seen, &mut core.wide, frame.wide, index) {
                return Err(Stop::Here(FaultKind::DuplicateName));
            }
            let property = view.properties.get(frame.member as usize);
            declared = property.filter(|p| p.flags.get() & PROPERTY_IMPLIED == 0);
        }
        None => add_undeclared(core, frame, text)?,
    }
    if check.names.get() != NONE {
        core.judge(view, frame, check.names.get(), &Value::String(text, ascii))?;
    }
    // The schema of a declared property says what patterns say of it too.
    if let Some(property) = declared {
        return Ok(property.schema.get());
    }
    let mut wants = None;
    for schema in pattern_schemas(view, check, text) {
        core.step(1)?;
        let Some(schema) = schema else { continue };
        match wants.replace(WANT_EDGES) {
            None => wants = Some(schema),
            Some(WANT_EDGES) => core.threads.want(NONE, schema)?,
            Some(earlier) => {
                core.threads.want(NONE, earlier)?;
                core.threads.want(NONE, schema)?;
            }
        }
    }
    Ok(wants.unwrap_or(check.additional.get()))
}

/// For each pattern property its schema, if the name matches.
pub(super) fn pattern_schemas(
    view: &View<'_>,
    check: &ObjectCheck,
    text: &[u8],
) -> impl Iterator<Item = Option<u32>> {
    let first = check.pattern_properties.get() as usize;
    let last = first.saturating_add(check.pattern_property_count.get() as usize);
    let patterns = view.pattern_properties.get(first..last).unwrap_or_default();
    patterns.iter().map(move |pattern| {
        let automaton = view.automata.get(pattern.automaton.get() as usize)?;
        matches(view, automaton, text).then(|| pattern.schema.get())
    })
}

/// Marks a declared property as seen; false if it was already.
pub(super) fn mark(seen: &mut u64, wide: &mut [u64], first: u32, index: u32) -> bool {
    let (word, bit) = match index.checked_sub(64) {
        None => (Some(seen), 1_u64 << index),
        Some(more) => (wide.get_mut(first as usize + (more / 64) as usize), 1_u64 << (more % 64)),
    };
    let Some(word) = word else { return false };
    let fresh = *word & bit == 0;
    *word |= bit;
    fresh
}

/// Remembers a name that the schema does not declare.
pub(super) fn add_undeclared(core: &mut Core, frame: &mut Frame, text: &[u8]) -> Result<(), Stop> {
    frame.member = NONE;
    if frame.count > core.limits.properties {
        return Err(Stop::Here(FaultKind::TooLarge(Part::Properties)));
    }
    if core.add_name(frame, digest::text(text)) {
        Ok(())
    } else {
        Err(Stop::Here(FaultKind::DuplicateName))
    }
}

/// The schema of the branch that a tag's value chooses.
pub(super) fn tagged(view: &View<'_>, composition: &Composition, value: &[u8]) -> Option<u32> {
    let tags = tags(view, composition);
    let found = tags.binary_search_by(|tag| bytes(view, tag.value).cmp(value)).ok()?;
    tags.get(found).map(|tag| tag.schema.get())
}
