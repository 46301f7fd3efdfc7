//! Values that are spread over pairs by names in brackets (`a[b][c]=1`, `a[]=1`), and whole forms.
//!
//! In: pairs whose names were cut into steps. Out: the JSON text of the object or array that they
//! say. The pairs are sorted by their steps, and a walk with a stack of bounded depth writes each
//! container in one go. A step is empty (`[]`), a number, or a name:
//! - repeated pairs of one name, `a[]` and `a[0]` fill an array, numbers in their order;
//! - everything else fills an object;
//! - an empty step ends a name: nobody could say which `a[]` the `b` of `a[][b]` belongs to.

use super::text;
use super::value::{Encoding, Manner, Unreadable, Writer, decoded, field, text_value};
use crate::route::Span;
use core::cmp::Ordering;
use portcullis_bundle::layout::{
    FIELD_EXPLODE, FIELD_UNSAID, Style, TYPE_ARRAY, TYPE_OBJECT, TextValue, View,
};

/// Containers within each other, at most.
const MAX_DEPTH: usize = 32;

/// Ends a step of a key: no UTF-8 text holds it.
const END: u8 = 0xFF;

/// How everything below the first step of a name is written.
pub(super) const BRACKETS: Manner =
    Manner { style: Style::DeepObject, explode: true, unsaid: false };

/// A pair with its name cut into steps.
#[derive(Clone, Copy, Debug)]
struct Entry {
    /// The steps in the tree's keys, each with its end.
    key: Span,
    /// The value in the text, as sent.
    value: Span,
    order: u32,
}

/// Pairs under construction, and the buffers for them.
#[derive(Debug, Default)]
pub(super) struct Tree {
    keys: Vec<u8>,
    entries: Vec<Entry>,
    stack: Vec<Frame>,
}

/// A container that is being written.
#[derive(Clone, Copy, Debug)]
struct Frame {
    /// The entries that are left.
    start: u32,
    end: u32,
    /// Bytes of the key that lead here.
    prefix: u32,
    value: u32,
    is_object: bool,
    is_filled: bool,
}

impl Tree {
    /// Forgets all pairs.
    pub(super) fn clear(&mut self) {
        self.keys.clear();
        self.entries.clear();
        self.stack.clear();
    }

    /// Forgets what a large message has left behind.
    pub(super) fn trim(&mut self, kept: usize) {
        self.clear();
        self.keys.shrink_to(kept);
        self.entries.shrink_to(kept / size_of::<Entry>());
    }

    /// Adds the pair `name[step][step]=value`, of which `brackets` is what follows the name, as sent;
    /// it is well-formed ([`steps`]).
    pub(super) fn add_brackets(
        &mut self,
        brackets: &[u8],
        encoding: Encoding,
        buffer: &mut Vec<u8>,
        value: Span,
    ) -> Result<(), Unreadable> {
        let start = self.keys.len();
        push_steps(&mut self.keys, decoded(brackets, encoding, buffer)?);
        self.push(start, value);
        Ok(())
    }

    /// Adds a pair of a form: its name is a field's, a field's with steps in brackets where the field
    /// takes those, or one that the form does not declare.
    pub(super) fn add_field(
        &mut self,
        view: &View<'_>,
        form: &TextValue,
        name: &[u8],
        encoding: Encoding,
        buffer: &mut Vec<u8>,
        value: Span,
    ) -> Result<(), Unreadable> {
        let name = decoded(name, encoding, buffer)?;
        let start = self.keys.len();
        let base = name.iter().position(|&byte| byte == b'[').filter(|_| {
            // A field that has brackets in its name is that field.
            field(view, form, name).is_none()
        });
        let split = base.and_then(|at| name.split_at_checked(at)).filter(|(base, brackets)| {
            let takes = |style: u8, flags: u8| {
                style == Style::DeepObject.code() || flags & FIELD_UNSAID != 0
            };
            well_formed(brackets)
                && field(view, form, base).is_some_and(|field| takes(field.style, field.flags))
        });
        let (base, brackets) = split.unwrap_or((name, b""));
        self.keys.extend_from_slice(base);
        self.keys.push(END);
        push_steps(&mut self.keys, brackets);
        self.push(start, value);
        Ok(())
    }

    fn push(&mut self, start: usize, value: Span) {
        let place = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        let key = Span { start: place(start), end: place(self.keys.len()) };
        self.entries.push(Entry { key, value, order: place(self.entries.len()) });
    }

    /// Puts the pairs into the order in which they are written.
    pub(super) fn sort(&mut self) {
        let keys = &self.keys;
        self.entries.sort_unstable_by(|a, b| {
            compare(a.key.of(keys), b.key.of(keys)).then(a.order.cmp(&b.order))
        });
    }

    /// Writes the value that all pairs say together, after [`Tree::sort`]. `form` says that it is an
    /// object whose fields have styles of their own. `source` is the text of the pairs' values.
    pub(super) fn write(
        &mut self,
        writer: &mut Writer<'_>,
        source: &[u8],
        value: u32,
        form: bool,
    ) -> Result<(), Unreadable> {
        self.stack.clear();
        let end = u32::try_from(self.entries.len()).unwrap_or(u32::MAX);
        if form {
            self.open(
                writer,
                Frame { start: 0, end, prefix: 0, value, is_object: true, is_filled: false },
            )?;
        } else {
            self.child(writer, source, (0, end, 0), value, BRACKETS)?;
        }
        while let Some(frame) = self.stack.last_mut() {
            if frame.start >= frame.end {
                writer.out.push(if frame.is_object { b'}' } else { b']' });
                self.stack.pop();
                continue;
            }
            if frame.is_filled {
                writer.out.push(b',');
            }
            frame.is_filled = true;
            let here = *frame;
            let Some(step) = self.step(here.start, here.prefix) else {
                // `a=1` beside `a[0]=2`.
                self.advance(here.start + 1);
                let items = text_value(writer.view, of(writer.view, here.value).items.get());
                let piece = self.value(here.start, source);
                writer.scalar(items, piece)?;
                continue;
            };
            let len = u32::try_from(step.len()).unwrap_or(u32::MAX);
            let prefix = here.prefix.saturating_add(len).saturating_add(1);
            let mut end = here.start + 1;
            if len > 0 || here.is_object {
                while end < here.end && self.step(end, here.prefix) == Some(step) {
                    end += 1;
                }
            }
            let parent = of(writer.view, here.value);
            let mut manner = BRACKETS;
            let mut child = parent.items.get();
            if here.is_object {
                text::write_string(step, writer.out);
                writer.out.push(b':');
                let found = field(writer.view, parent, step);
                child = found.map_or(parent.additional.get(), |field| field.value.get());
                if form && self.stack.len() == 1 {
                    manner = Manner {
                        style: found.and_then(|f| Style::from_code(f.style)).unwrap_or(Style::Form),
                        explode: found.is_none_or(|field| field.flags & FIELD_EXPLODE != 0),
                        unsaid: found.is_some_and(|field| field.flags & FIELD_UNSAID != 0),
                    };
                }
            }
            self.advance(end);
            self.child(writer, source, (here.start, end, prefix), child, manner)?;
        }
        Ok(())
    }

    /// Writes what a run of entries says whose names are equal up to `prefix`: at once where they
    /// end there, otherwise by a frame.
    fn child(
        &mut self,
        writer: &mut Writer<'_>,
        source: &[u8],
        (start, end, prefix): (u32, u32, u32),
        value: u32,
        manner: Manner,
    ) -> Result<(), Unreadable> {
        let record = of(writer.view, value);
        let run = self.entries.get(start as usize..end as usize).unwrap_or_default();
        // Names that end here come first.
        let ended = run.iter().filter(|entry| entry.key.end - entry.key.start <= prefix).count();
        if ended == run.len() {
            if manner.style == Style::Json {
                return json(writer, record, source, run);
            }
            return writer.value(record, manner, run.iter().map(|entry| entry.value.of(source)));
        }
        let (mut empty, mut named) = (false, false);
        for at in start..end {
            match self.step(at, prefix) {
                Some([]) => {
                    empty = true;
                    let key_end =
                        self.entries.get(at as usize).map_or(0, |e| e.key.end - e.key.start);
                    if key_end > prefix + 1 {
                        return Err(Unreadable::Malformed);
                    }
                }
                Some(step) => named |= !is_number(step),
                None => {}
            }
        }
        let list = !named;
        let object = ended == 0 && !empty;
        if !list && !object {
            return Err(Unreadable::Malformed);
        }
        let (as_array, as_object) =
            (list && record.types & TYPE_ARRAY != 0, object && record.types & TYPE_OBJECT != 0);
        let is_object = match (as_array, as_object) {
            (true, true) => {
                writer.doubts.shapes = writer.doubts.shapes.max(1);
                writer.reading.shape > 0
            }
            (array, other) => other || (!array && object),
        };
        self.open(writer, Frame { start, end, prefix, value, is_object, is_filled: false })
    }

    fn open(&mut self, writer: &mut Writer<'_>, frame: Frame) -> Result<(), Unreadable> {
        if self.stack.len() >= MAX_DEPTH {
            return Err(Unreadable::Malformed);
        }
        writer.out.push(if frame.is_object { b'{' } else { b'[' });
        self.stack.push(frame);
        Ok(())
    }

    fn advance(&mut self, start: u32) {
        if let Some(frame) = self.stack.last_mut() {
            frame.start = start;
        }
    }

    /// The step of an entry that begins at a place of its key.
    fn step(&self, entry: u32, prefix: u32) -> Option<&[u8]> {
        let key = self.entries.get(entry as usize)?.key.of(&self.keys);
        let rest = key.get(prefix as usize..)?;
        let end = rest.iter().position(|&byte| byte == END)?;
        rest.get(..end)
    }

    fn value<'s>(&self, entry: u32, source: &'s [u8]) -> &'s [u8] {
        self.entries.get(entry as usize).map_or(b"", |entry| entry.value.of(source))
    }
}

/// Writes entries that are JSON text: one value, or the items of an array.
fn json(
    writer: &mut Writer<'_>,
    record: &TextValue,
    source: &[u8],
    run: &[Entry],
) -> Result<(), Unreadable> {
    let array = record.types & TYPE_ARRAY != 0;
    match run {
        [one] if !array || one.value.of(source).trim_ascii_start().first() == Some(&b'[') => {
            return writer.json(one.value.of(source));
        }
        _ if !array => return Err(Unreadable::Repeated),
        _ => {}
    }
    writer.out.push(b'[');
    for (index, entry) in run.iter().enumerate() {
        if index > 0 {
            writer.out.push(b',');
        }
        writer.json(entry.value.of(source))?;
    }
    writer.out.push(b']');
    Ok(())
}

fn of<'b>(view: &View<'b>, value: u32) -> &'b TextValue {
    text_value(view, value)
}

/// Whether text is `[step][step]…`, no step holding a bracket.
pub(super) fn well_formed(text: &[u8]) -> bool {
    let mut inside = false;
    for &byte in text {
        match (byte, inside) {
            (b'[', false) => inside = true,
            (b']', true) => inside = false,
            (b'[' | b']', _) | (_, false) => return false,
            (_, true) => {}
        }
    }
    !inside
}

/// Appends the steps of well-formed brackets.
fn push_steps(keys: &mut Vec<u8>, brackets: &[u8]) {
    for &byte in brackets {
        match byte {
            b'[' => {}
            b']' => keys.push(END),
            _ => keys.push(byte),
        }
    }
}

/// Orders keys step by step: a key before those that go on from it, `[]` before numbers, numbers by
/// their value, then names.
fn compare(a: &[u8], b: &[u8]) -> Ordering {
    let steps = |key| <[u8]>::split(key, |&byte: &u8| byte == END);
    let rank = |step: &[u8]| match step {
        [] => 0u8,
        step if is_number(step) => 1,
        _ => 2,
    };
    // The piece behind the last end is empty in every key, and decides nothing but the length.
    let (mut a, mut b) = (steps(a).peekable(), steps(b).peekable());
    loop {
        let (x, y) = (a.next(), b.next());
        match (a.peek().is_some(), b.peek().is_some()) {
            (false, false) => return Ordering::Equal,
            (false, true) => return Ordering::Less,
            (true, false) => return Ordering::Greater,
            (true, true) => {}
        }
        let (x, y) = (x.unwrap_or_default(), y.unwrap_or_default());
        let numbers = if rank(x) == 1 { x.len().cmp(&y.len()) } else { Ordering::Equal };
        let order = rank(x).cmp(&rank(y)).then(numbers).then_with(|| x.cmp(y));
        if order.is_ne() {
            return order;
        }
    }
}

fn is_number(step: &[u8]) -> bool {
    !step.is_empty() && step.iter().all(u8::is_ascii_digit)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(brackets: &str) -> Vec<u8> {
        let mut keys = Vec::new();
        push_steps(&mut keys, brackets.as_bytes());
        keys
    }

    #[test]
    fn brackets() {
        for good in ["", "[]", "[a]", "[a][0][]", "[a b]"] {
            assert!(well_formed(good.as_bytes()), "{good}");
        }
        for bad in ["[", "]", "[a", "[a]b", "a[b]", "[[a]]", "[a]]"] {
            assert!(!well_formed(bad.as_bytes()), "{bad}");
        }
    }

    #[test]
    fn keys_have_an_order() {
        let ascending =
            ["", "[]", "[0]", "[0][a]", "[2]", "[10]", "[a]", "[a][]", "[a][1]", "[a][b]", "[aa]"];
        for (i, a) in ascending.iter().enumerate() {
            for (j, b) in ascending.iter().enumerate() {
                assert_eq!(compare(&key(a), &key(b)), i.cmp(&j), "{a} {b}");
            }
        }
    }
}
