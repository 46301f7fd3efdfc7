//! Sequences of JSON texts: a line each (`application/x-ndjson`, `application/jsonl`), or each after
//! a record separator (`application/json-seq`, RFC 7464). Each text is judged by the schema.

use super::{Task, Wrong};
use crate::schema::{Malformation, ScalarSink, Validator};

/// The record separator of RFC 7464.
const SEPARATOR: u8 = 0x1E;

/// Where a sequence stands.
#[derive(Debug, Default)]
pub(super) struct Lines {
    /// Whether records begin with a separator, and lines do not end them.
    separated: bool,
    /// Whether a record has begun.
    open: bool,
    /// Whether the record holds more than white space.
    filled: bool,
    /// Bytes before the record.
    base: u64,
    seen: u64,
    count: u32,
}

impl Lines {
    pub(super) fn begin(&mut self, separated: bool) {
        *self = Lines { separated, ..Lines::default() };
    }

    pub(super) fn chunk<S: ScalarSink>(
        &mut self,
        task: &Task<'_, '_>,
        chunk: &[u8],
        stops: bool,
        validator: &mut Validator,
        sink: &mut S,
    ) -> Result<(), Wrong> {
        let mark = if self.separated { SEPARATOR } else { b'\n' };
        let mut rest = chunk;
        loop {
            let end = rest.iter().position(|&byte| byte == mark);
            let piece = rest.get(..end.unwrap_or(rest.len())).unwrap_or_default();
            self.piece(task, piece, validator, sink)?;
            let Some(end) = end else { break };
            self.close(task, validator, sink)?;
            self.seen = self.seen.saturating_add(1);
            self.open = self.separated;
            rest = rest.get(end.saturating_add(1)..).unwrap_or_default();
        }
        if stops && self.filled {
            validator.settle(task.view, sink).map_err(|fault| self.wrong(fault))?;
        }
        Ok(())
    }

    pub(super) fn end<S: ScalarSink>(
        &mut self,
        task: &Task<'_, '_>,
        validator: &mut Validator,
        sink: &mut S,
    ) -> Result<(), Wrong> {
        self.close(task, validator, sink)
    }

    fn piece<S: ScalarSink>(
        &mut self,
        task: &Task<'_, '_>,
        piece: &[u8],
        validator: &mut Validator,
        sink: &mut S,
    ) -> Result<(), Wrong> {
        let blank = piece.iter().position(|byte| !matches!(byte, b' ' | b'\t' | b'\r' | b'\n'));
        let text = match blank {
            _ if self.filled => piece,
            None => b"",
            Some(first) => {
                let place = self.seen.saturating_add(first as u64);
                if self.separated && !self.open {
                    let place = usize::try_from(place).unwrap_or(usize::MAX);
                    return Err(Wrong::malformed(Malformation::Unexpected, place));
                }
                self.count = self.count.saturating_add(1);
                if self.count > task.limits.items {
                    let place = usize::try_from(place).unwrap_or(usize::MAX);
                    return Err(Wrong::too_large(crate::schema::Part::Items, place));
                }
                validator.begin(task.media.schema.get(), task.limits);
                (self.filled, self.base) = (true, place);
                piece.get(first..).unwrap_or_default()
            }
        };
        self.seen = self.seen.saturating_add(piece.len() as u64);
        if text.is_empty() {
            return Ok(());
        }
        validator.feed(task.view, text, sink).map(|_| ()).map_err(|fault| self.wrong(fault))
    }

    fn close<S: ScalarSink>(
        &mut self,
        task: &Task<'_, '_>,
        validator: &mut Validator,
        sink: &mut S,
    ) -> Result<(), Wrong> {
        if core::mem::take(&mut self.filled) {
            validator.finish(task.view, sink).map_err(|fault| self.wrong(fault))?;
        }
        Ok(())
    }

    fn wrong(&self, mut fault: crate::schema::Fault) -> Wrong {
        fault.offset = fault.offset.saturating_add(self.base);
        Wrong::from(fault)
    }
}
