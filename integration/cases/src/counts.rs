//! A table of counts in memory, for limits.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;

use portcullis_bundle::layout::View;
use portcullis_engine::limits::{BLOCK, LimitEvent, Surroundings};

/// The table, and a clock that stands still.
pub(crate) struct Counts {
    blocks: u32,
    written: RefCell<HashMap<u32, (Vec<u8>, u32)>>,
    now: Cell<u64>,
}

impl Counts {
    /// An empty table at a time, in seconds since 1970.
    pub(crate) fn of(view: &View<'_>, now: i64) -> Self {
        let now = u64::try_from(now).unwrap_or_default() * 1_000_000_000;
        Counts {
            blocks: view.limit_tables.first().map_or(0, |table| table.blocks.get()),
            written: RefCell::default(),
            now: Cell::new(now),
        }
    }
}

impl Surroundings for Counts {
    fn now(&self) -> u64 {
        self.now.get()
    }

    fn key(&self) -> [u64; 2] {
        [1, 2]
    }

    fn blocks(&self) -> u32 {
        self.blocks
    }

    fn load(&self, block: u32) -> Option<(Vec<u8>, u32)> {
        let empty = || (vec![0; BLOCK], 1);
        Some(self.written.borrow().get(&block).cloned().unwrap_or_else(empty))
    }

    fn store(&self, block: u32, bytes: &[u8], version: u32) -> bool {
        self.written.borrow_mut().insert(block, (bytes.to_vec(), version + 1));
        true
    }

    fn property(&self, _: &str) -> Option<Vec<u8>> {
        None
    }

    fn note(&self, _: LimitEvent) {}
}
