//! Sequences of JSON texts: a line each (`application/x-ndjson`, `application/jsonl`), or each after
//! a record separator (`application/json-seq`, RFC 7464). Each text is judged by the schema, or all of them as the
//! items of one array (OpenAPI 3.2, "Sequential Media Types").

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
    /// What a place within what the validator was given lacks to be one within the body.
    shift: i64,
    /// Whether the records are the items of one array.
    whole: bool,
    /// Bytes that the validator was given of that array, and where the record stands in it.
    given: u64,
    nesting: Nesting,
    seen: u64,
    count: u32,
}

/// What is open within a record. As an item of an array a record must stay one value by itself.
#[derive(Clone, Copy, Debug, Default)]
struct Nesting {
    depth: u32,
    quoted: bool,
    escaped: bool,
}

impl Nesting {
    /// Where a piece holds what would reach beyond the record.
    fn beyond(&mut self, piece: &[u8]) -> Option<usize> {
        for (at, &byte) in piece.iter().enumerate() {
            if self.quoted {
                self.quoted = self.escaped || byte != b'"';
                self.escaped = !self.escaped && byte == b'\\';
                continue;
            }
            match byte {
                b'"' => self.quoted = true,
                b'[' | b'{' => self.depth = self.depth.saturating_add(1),
                b']' | b'}' | b',' if self.depth == 0 => return Some(at),
                b']' | b'}' => self.depth = self.depth.saturating_sub(1),
                _ => {}
            }
        }
        None
    }
}

impl Lines {
    /// Begins a sequence; `whole` says that its records are the items of one array.
    pub(super) fn begin(&mut self, separated: bool, whole: bool) {
        *self = Lines { separated, whole, ..Lines::default() };
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
        if stops && (self.filled || self.given > 0) {
            self.settle(task, validator, sink)?;
        }
        Ok(())
    }

    /// Judges what was given and not judged yet: of two faults the first is told, wherever the body is cut.
    fn settle<S: ScalarSink>(
        &self,
        task: &Task<'_, '_>,
        validator: &mut Validator,
        sink: &mut S,
    ) -> Result<(), Wrong> {
        validator.settle(task.view, sink).map_err(|fault| self.wrong(fault))
    }

    pub(super) fn end<S: ScalarSink>(
        &mut self,
        task: &Task<'_, '_>,
        validator: &mut Validator,
        sink: &mut S,
    ) -> Result<(), Wrong> {
        self.close(task, validator, sink)?;
        if self.whole {
            if self.given == 0 {
                self.give(task, b"[", validator, sink)?;
            }
            self.give(task, b"]", validator, sink)?;
            validator.finish(task.view, sink).map_err(|fault| self.wrong(fault))?;
        }
        Ok(())
    }

    /// Gives the validator a piece of the array.
    fn give<S: ScalarSink>(
        &mut self,
        task: &Task<'_, '_>,
        piece: &[u8],
        validator: &mut Validator,
        sink: &mut S,
    ) -> Result<(), Wrong> {
        if self.given == 0 {
            validator.begin(task.media.schema.get(), task.limits);
        }
        self.shift = signed(self.seen).saturating_sub(signed(self.given));
        self.given = self.given.saturating_add(piece.len() as u64);
        validator.feed(task.view, piece, sink).map(|_| ()).map_err(|fault| self.wrong(fault))
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
                    return Err(unexpected(place));
                }
                self.count = self.count.saturating_add(1);
                if self.count > task.limits.items {
                    let place = usize::try_from(place).unwrap_or(usize::MAX);
                    return Err(Wrong::too_large(crate::schema::Part::Items, place));
                }
                (self.filled, self.nesting) = (true, Nesting::default());
                if self.whole {
                    let mark: &[u8] = if self.given == 0 { b"[" } else { b"," };
                    self.give(task, mark, validator, sink)?;
                } else {
                    validator.begin(task.media.schema.get(), task.limits);
                    self.shift = signed(place);
                }
                piece.get(first..).unwrap_or_default()
            }
        };
        if self.whole && self.filled {
            let beyond = self.nesting.beyond(text);
            let within = text.get(..beyond.unwrap_or(text.len())).unwrap_or_default();
            self.give(task, within, validator, sink)?;
            if let Some(at) = beyond {
                self.settle(task, validator, sink)?;
                let skipped = piece.len().saturating_sub(text.len());
                return Err(unexpected(
                    self.seen.saturating_add(skipped.saturating_add(at) as u64),
                ));
            }
            self.seen = self.seen.saturating_add(piece.len() as u64);
            return Ok(());
        }
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
            if self.whole {
                if self.nesting.quoted || self.nesting.depth > 0 {
                    self.settle(task, validator, sink)?;
                    return Err(unexpected(self.seen));
                }
                return Ok(());
            }
            validator.finish(task.view, sink).map_err(|fault| self.wrong(fault))?;
        }
        Ok(())
    }

    fn wrong(&self, mut fault: crate::schema::Fault) -> Wrong {
        fault.offset = fault.offset.saturating_add_signed(self.shift);
        Wrong::from(fault)
    }
}

fn signed(place: u64) -> i64 {
    i64::try_from(place).unwrap_or(i64::MAX)
}

fn unexpected(place: u64) -> Wrong {
    Wrong::malformed(Malformation::Unexpected, usize::try_from(place).unwrap_or(usize::MAX))
}
