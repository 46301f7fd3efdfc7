//! The sections under construction: texts, origins and records, each held once.

use crate::ir::{Model, Origin, PointerId, Pointers};
use portcullis_bundle::layout::{self, Index, NONE, Sections, Text};
use portcullis_bundle::name_hash;
use std::collections::HashMap;
use zerocopy::{FromZeros, IntoBytes};

/// Sections, and what is in them already.
pub struct Tables<'m> {
    /// What was made so far.
    pub sections: Sections,
    /// The first media type whose XML has more kinds of elements than are told apart.
    pub xml_left_out: Option<Origin>,
    model: &'m Model,
    texts: HashMap<Box<str>, Text>,
    origins: HashMap<Origin, u32>,
    pointers: HashMap<PointerId, u32>,
    records: HashMap<(u8, Box<[u8]>), u32>,
    lists: HashMap<Vec<u32>, u32>,
    slots: HashMap<Vec<u32>, u32>,
}

impl<'m> Tables<'m> {
    /// Sections that hold the model's documents and nothing else.
    pub fn new(model: &'m Model) -> Self {
        let mut tables = Tables {
            sections: Sections::default(),
            xml_left_out: None,
            model,
            texts: HashMap::new(),
            origins: HashMap::new(),
            pointers: HashMap::new(),
            records: HashMap::new(),
            lists: HashMap::new(),
            slots: HashMap::new(),
        };
        for document in &model.documents {
            let name = tables.text(&document.path);
            let document = layout::Document { name, ..layout::Document::new_zeroed() };
            tables.sections.documents.push(document);
        }
        tables
    }

    /// The text in the strings section.
    pub fn text(&mut self, text: &str) -> Text {
        if text.is_empty() {
            return Text { offset: 0.into(), len: 0.into() };
        }
        if let Some(known) = self.texts.get(text) {
            return *known;
        }
        let strings = &mut self.sections.strings;
        let at = Text { offset: (strings.len() as u32).into(), len: (text.len() as u32).into() };
        strings.extend_from_slice(text.as_bytes());
        self.texts.insert(text.into(), at);
        at
    }

    /// The bytes of a text in the strings section.
    pub fn read(&self, text: Text) -> &[u8] {
        let first = text.offset.get() as usize;
        &self.sections.strings[first..first + text.len.get() as usize]
    }

    /// The index of an origin.
    pub fn origin(&mut self, origin: Origin) -> u32 {
        if let Some(known) = self.origins.get(&origin) {
            return *known;
        }
        let record = layout::Origin {
            document: origin.document.0.into(),
            line: origin.line.into(),
            column: origin.column.into(),
            pointer: self.pointer(origin.pointer).into(),
        };
        let index = self.intern(0, |sections| &mut sections.origins, record);
        self.origins.insert(origin, index);
        index
    }

    /// The index of a pointer, its parents before it; `NONE` for the whole document.
    fn pointer(&mut self, id: PointerId) -> u32 {
        let mut missing = Vec::new();
        let mut at = Some(id);
        let mut index = NONE;
        while let Some(id) = at {
            if let Some(known) = self.pointers.get(&id) {
                index = *known;
                break;
            }
            missing.push(id);
            at = self.model.pointers.parent(id);
        }
        for id in missing.into_iter().rev() {
            if id == Pointers::ROOT {
                continue;
            }
            let token = self.text(&self.model.pointers.token(id));
            // Equal pointers may have been pushed twice: they become one record.
            let record = layout::Pointer { parent: index.into(), token };
            index = self.intern(10, |sections| &mut sections.pointers, record);
            self.pointers.insert(id, index);
        }
        index
    }

    /// The index of an origin, or `NONE`.
    pub fn maybe_origin(&mut self, origin: Option<Origin>) -> u32 {
        origin.map_or(NONE, |origin| self.origin(origin))
    }

    /// The index of a record that is held once. `kind` tells sections apart.
    pub fn intern<T: IntoBytes + zerocopy::Immutable>(
        &mut self,
        kind: u8,
        section: impl FnOnce(&mut Sections) -> &mut Vec<T>,
        record: T,
    ) -> u32 {
        let key = (kind, record.as_bytes().into());
        if let Some(known) = self.records.get(&key) {
            return *known;
        }
        let records = section(&mut self.sections);
        let index = records.len() as u32;
        records.push(record);
        self.records.insert(key, index);
        index
    }

    /// The first of a run of indexes in lists.
    pub fn list(&mut self, indexes: Vec<u32>) -> u32 {
        if indexes.is_empty() {
            return 0;
        }
        let lists = &mut self.sections.lists;
        *self.lists.entry(indexes).or_insert_with_key(|indexes| {
            let first = lists.len() as u32;
            lists.extend(indexes.iter().map(|index| Index { value: (*index).into() }));
            first
        })
    }

    /// A hash table over names, as first slot and mask.
    pub fn table<'n>(&mut self, names: impl ExactSizeIterator<Item = &'n str>) -> (u32, u32) {
        // At most two thirds full: searches stay short, and one slot at least is empty.
        let len = (names.len() + names.len() / 2 + 1).next_power_of_two();
        let mask = len as u32 - 1;
        let mut table = vec![NONE; len];
        for (index, name) in names.enumerate() {
            let mut slot = name_hash(name.as_bytes()) & mask;
            while table[slot as usize] != NONE {
                slot = (slot + 1) & mask;
            }
            table[slot as usize] = index as u32;
        }
        let slots = &mut self.sections.slots;
        let first = *self.slots.entry(table).or_insert_with_key(|table| {
            let first = slots.len() as u32;
            slots.extend(table.iter().map(|index| Index { value: (*index).into() }));
            first
        });
        (first, mask)
    }
}
