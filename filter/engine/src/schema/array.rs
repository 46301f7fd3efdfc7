//! Arrays: opening, items, closing.

use super::check::list;
use super::core::{Core, Stop};
use super::frame::{Container, DIGEST, Frame, PREFIX, THREADS, UNIQUE};
use portcullis_bundle::layout::{
    ARRAY_UNIQUE, ArrayCheck, Keyword, NONE, SCHEMA_ANY, Schema, TYPE_ARRAY, View,
};

/// Opens an array that must satisfy the schema `want`.
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
            if schema.types & TYPE_ARRAY == 0 {
                return Err(Stop::Refused(Keyword::Type, want));
            }
            if schema.literals.get() != NONE {
                return Err(Stop::Refused(Keyword::Enum, want));
            }
            if parent.flags & (DIGEST | UNIQUE) == 0 && open_plain(core, view, want, schema, frame)
            {
                return Ok(());
            }
            core.begin_frame(parent, Container::Array, want, frame);
            frame.part = schema.array.get();
            frame.next = SCHEMA_ANY;
            if let Some(check) = view.array_checks.get(frame.part as usize) {
                if check.contains.get() != NONE || check.unevaluated.get() != NONE {
                    return core.open_threads(view, parent, want, Container::Array, frame);
                }
                frame.next = check.items.get();
                if check.prefix_count.get() != 0 {
                    frame.flags |= PREFIX;
                }
                if check.flags.get() & ARRAY_UNIQUE != 0 {
                    frame.flags |= UNIQUE;
                }
            }
            Ok(())
        }
        _ => core.open_composed(view, parent, want, Container::Array, frame),
    }
}

/// Opens an array of which nothing unusual is asked, in `frame`; false if that cannot be said.
#[inline(always)]
pub(super) fn open_plain(
    core: &Core,
    view: &View<'_>,
    want: u32,
    schema: &Schema,
    frame: &mut Frame,
) -> bool {
    let part = schema.array.get();
    let mut items = SCHEMA_ANY;
    if let Some(check) = view.array_checks.get(part as usize) {
        let unusual = check.prefix_count.get() | (check.flags.get() & ARRAY_UNIQUE);
        let references = check.contains.get() & check.unevaluated.get();
        if unusual != 0 || references != NONE {
            return false;
        }
        items = check.items.get();
    }
    if schema.literals.get() != NONE {
        return false;
    }
    core.begin_plain(Container::Array, want, part, frame);
    frame.next = items;
    true
}

/// The schema of the item that `frame.count` counts last.
#[inline(always)]
pub(super) fn item(core: &mut Core, view: &View<'_>, frame: &Frame) -> Result<u32, Stop> {
    if frame.flags & (THREADS | PREFIX) == 0 {
        return Ok(frame.next);
    }
    item_by_place(core, view, frame)
}

#[inline(never)]
fn item_by_place(core: &mut Core, view: &View<'_>, frame: &Frame) -> Result<u32, Stop> {
    if frame.flags & THREADS != 0 {
        return core.item_in_threads(view, frame);
    }
    let check = view.array_checks.get(frame.part as usize);
    Ok(check.map_or(SCHEMA_ANY, |check| schema_of(view, check, frame.count)))
}

/// The schema of the item of this number, from 1.
pub(super) fn schema_of(view: &View<'_>, check: &ArrayCheck, number: u32) -> u32 {
    let index = number.saturating_sub(1);
    if index >= check.prefix_count.get() {
        return check.items.get();
    }
    list(view, check.prefix.get().saturating_add(index), 1).next().unwrap_or(SCHEMA_ANY)
}

/// Judges what only the end of an array tells.
#[inline(always)]
pub(super) fn close(view: &View<'_>, frame: &Frame) -> Result<(), Keyword> {
    let Some(check) = view.array_checks.get(frame.part as usize) else { return Ok(()) };
    counts(check, frame.count)
}

/// Judges the number of items.
#[inline(always)]
pub(super) fn counts(check: &ArrayCheck, count: u32) -> Result<(), Keyword> {
    if count < check.min_items.get() {
        return Err(Keyword::MinItems);
    }
    if count > check.max_items.get() {
        return Err(Keyword::MaxItems);
    }
    Ok(())
}
