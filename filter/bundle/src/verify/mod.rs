//! Proves that a bundle's records hold, once, at load.
//!
//! In: a view whose sections are whole records. Out: nothing, or the first record that does not hold.
//! Afterwards every index is in its section, every text is a whole piece of UTF-8, the router is a tree,
//! hash tables have an empty slot, schemas do not compose themselves, and automata stay in their tables.
//! It can be done in parts, so that who verifies can do other things between.

mod automata;
mod limits;
mod policy;
mod route;
mod rules;
mod schema;
mod security;
mod xml;

use crate::error::OpenError;
use crate::layout::{NONE, Text, View};
use core::cell::Cell;

/// Bytes of the strings that are checked at once.
const PIECE: usize = 1 << 14;

/// Checks the records of a view from where the walk stopped, for about so many units of work: one for each record and
/// each entry of a list. True once all are checked. Where it stops makes no difference to what is found.
pub(crate) fn verify(view: &View<'_>, walk: &Walk, units: usize) -> Result<bool, OpenError> {
    walk.begin(units);
    let check = Check { view, walk, section: "", record: 0 };
    strings(check)?;
    policy::verify(check)?;
    route::verify(check)?;
    security::verify(check)?;
    schema::verify(check)?;
    xml::verify(check)?;
    automata::verify(check)?;
    rules::verify(check)?;
    limits::verify(check)?;
    Ok(walk.is_done())
}

/// Text is UTF-8, piece by piece; a piece ends where a character does.
fn strings(check: Check<'_, '_>) -> Result<(), OpenError> {
    let all = check.view.strings;
    let pieces = all.as_chunks::<PIECE>().0;
    check.each("strings", pieces, |check, _| {
        let start = check.record.saturating_mul(PIECE);
        check.utf8(cut(all, start), cut(all, start.saturating_add(PIECE)))
    })?;
    let rest = pieces.len().saturating_mul(PIECE);
    check.once("strings", |check| check.utf8(cut(all, rest), all.len()))
}

/// The first place from `at` on where a character may begin; no character has more than four bytes.
fn cut(strings: &[u8], at: usize) -> usize {
    let end = at.saturating_add(3);
    if at == 0 { 0 } else { (at..end).find(|at| begins(strings, *at)).unwrap_or(end) }
}

/// Whether a character begins or the text ends at a place.
fn begins(strings: &[u8], at: usize) -> bool {
    strings.get(at).is_none_or(|byte| byte & 0xC0 != 0x80)
}

/// How far the checks have come. They are made in one order; those that were made before are passed by.
#[derive(Debug, Default)]
pub(crate) struct Walk {
    /// Records that are checked.
    done: Cell<usize>,
    /// Records that this pass has come by.
    passed: Cell<usize>,
    /// Units of work that are left to this pass.
    left: Cell<usize>,
}

impl Walk {
    fn begin(&self, units: usize) {
        self.passed.set(0);
        self.left.set(units);
    }

    fn is_done(&self) -> bool {
        self.done.get() == self.passed.get()
    }

    /// Comes by so many records; gives how many of them are checked.
    fn pass(&self, records: usize) -> usize {
        let before = self.passed.get();
        self.passed.set(before.saturating_add(records));
        self.done.get().saturating_sub(before).min(records)
    }

    /// Whether another record is checked in this pass.
    fn goes_on(&self) -> bool {
        let left = self.left.get();
        self.left.set(left.saturating_sub(1));
        left > 0
    }

    fn spend(&self, units: usize) {
        self.left.set(self.left.get().saturating_sub(units));
    }
}

/// The record being checked.
#[derive(Clone, Copy)]
struct Check<'v, 'b> {
    view: &'v View<'b>,
    walk: &'v Walk,
    section: &'static str,
    record: usize,
}

impl<'v, 'b> Check<'v, 'b> {
    /// Checks every record of a section.
    fn each<T>(
        self,
        section: &'static str,
        records: &'b [T],
        verify: impl Fn(&Check<'v, 'b>, &'b T) -> Result<(), OpenError>,
    ) -> Result<(), OpenError> {
        let checked = self.walk.pass(records.len());
        for (record, value) in records.iter().enumerate().skip(checked) {
            if !self.walk.goes_on() {
                break;
            }
            verify(&Check { section, record, ..self }, value)?;
            self.walk.done.set(self.walk.done.get().saturating_add(1));
        }
        Ok(())
    }

    /// Checks what holds of a section as a whole.
    fn once(
        self,
        section: &'static str,
        verify: impl Fn(&Check<'v, 'b>) -> Result<(), OpenError>,
    ) -> Result<(), OpenError> {
        self.each(section, &[()], |check, ()| verify(check))
    }

    /// Says that a check does so much more work than most.
    fn spend(&self, units: usize) {
        self.walk.spend(units);
    }

    /// Bytes of the strings are UTF-8.
    fn utf8(&self, start: usize, end: usize) -> Result<(), OpenError> {
        self.spend(end.saturating_sub(start) / 64);
        let piece = self.view.strings.get(start..end).unwrap_or_default();
        let check = Check { record: 0, ..*self };
        check.that(core::str::from_utf8(piece).is_ok(), "not UTF-8")
    }

    /// Refuses the record where a condition does not hold.
    fn that(&self, holds: bool, what: &'static str) -> Result<(), OpenError> {
        if holds {
            return Ok(());
        }
        Err(OpenError::Record { section: self.section, record: self.record, what })
    }

    /// An index into records.
    fn index<T>(&self, index: u32, records: &[T], what: &'static str) -> Result<(), OpenError> {
        self.that((index as usize) < records.len(), what)
    }

    /// An index into records, or `NONE`.
    fn maybe<T>(&self, index: u32, records: &[T], what: &'static str) -> Result<(), OpenError> {
        self.that(index == NONE || (index as usize) < records.len(), what)
    }

    /// A run of records.
    fn run<T>(
        &self,
        first: u32,
        count: u32,
        records: &'b [T],
        what: &'static str,
    ) -> Result<&'b [T], OpenError> {
        let range = first as usize..(first as usize).saturating_add(count as usize);
        let found = if count == 0 { Some(&[][..]) } else { records.get(range) };
        self.spend(found.map_or(0, <[T]>::len));
        found.ok_or(OpenError::Record { section: self.section, record: self.record, what })
    }

    /// A schema.
    fn schema(&self, index: u32, what: &'static str) -> Result<(), OpenError> {
        self.index(index, self.view.schemas, what)
    }

    /// A text, and the text itself.
    fn text(&self, text: &Text, what: &'static str) -> Result<&'b [u8], OpenError> {
        let strings = self.view.strings;
        let start = text.offset.get() as usize;
        let end = start.saturating_add(text.len.get() as usize);
        let found = strings.get(start..end);
        let found = found.filter(|_| begins(strings, start) && begins(strings, end));
        found.ok_or(OpenError::Record { section: self.section, record: self.record, what })
    }

    /// A hash table: it must hold only relative indexes below `count`, and an empty slot.
    fn table(&self, slots: u32, mask: u32, count: u32) -> Result<(), OpenError> {
        let len = mask.checked_add(1).filter(|len| len.is_power_of_two() && *len > count);
        self.that(len.is_some(), "the hash table has no power of two of slots, or no empty one")?;
        let slots =
            self.run(slots, mask.saturating_add(1), self.view.slots, "slots out of range")?;
        let (mut empty, mut sound) = (false, true);
        for slot in slots {
            let index = slot.value.get();
            empty |= index == NONE;
            sound &= index == NONE || index < count;
        }
        self.that(sound && empty, "the hash table holds a wrong index, or no empty slot")
    }
}

/// The any and the never schema always stand first.
const FIRST_SCHEMAS: usize = 2;
