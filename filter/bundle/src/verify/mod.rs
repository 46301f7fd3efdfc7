//! Proves that a bundle's records hold, once, at load.
//!
//! In: a view whose sections are whole records. Out: nothing, or the first record that does not hold.
//! Afterwards every index is in its section, every text is a whole piece of UTF-8, the router is a tree,
//! hash tables have an empty slot, schemas do not compose themselves, and automata stay in their tables.

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

/// Checks every record of a view.
pub(crate) fn verify(view: &View<'_>) -> Result<(), OpenError> {
    let strings = core::str::from_utf8(view.strings).map_err(|_| OpenError::Record {
        section: "strings",
        record: 0,
        what: "not UTF-8",
    })?;
    let check = Check { view, strings, section: "", record: 0 };
    policy::verify(check)?;
    route::verify(check)?;
    security::verify(check)?;
    schema::verify(check)?;
    xml::verify(check)?;
    automata::verify(check)?;
    rules::verify(check)?;
    limits::verify(check)
}

/// The record being checked.
#[derive(Clone, Copy)]
struct Check<'v, 'b> {
    view: &'v View<'b>,
    strings: &'b str,
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
        records
            .iter()
            .enumerate()
            .try_for_each(|(record, value)| verify(&Check { section, record, ..self }, value))
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
        found.ok_or(OpenError::Record { section: self.section, record: self.record, what })
    }

    /// A schema.
    fn schema(&self, index: u32, what: &'static str) -> Result<(), OpenError> {
        self.index(index, self.view.schemas, what)
    }

    /// A text, and the text itself.
    fn text(&self, text: &Text, what: &'static str) -> Result<&'b str, OpenError> {
        let start = text.offset.get() as usize;
        let range = start..start.saturating_add(text.len.get() as usize);
        let found = self.strings.get(range);
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
