//! What is remembered of an array or object that is still open.

use super::check::bytes;
use core::fmt::Write;
use portcullis_bundle::layout::{NONE, View};

/// What a frame stands for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Container {
    /// The text itself: holds one value.
    #[default]
    Root,
    Array,
    Object,
}

/// [`Frame::flags`]: several schemas apply, as threads.
pub(super) const THREADS: u8 = 1;
/// [`Frame::flags`]: a tag may decide which schema applies; no name was read yet.
pub(super) const TAG: u8 = 2;
/// [`Frame::flags`]: the value's digest is wanted, for `uniqueItems` further out.
pub(super) const DIGEST: u8 = 4;
/// [`Frame::flags`]: the array's items must differ.
pub(super) const UNIQUE: u8 = 8;
/// [`Frame::flags`]: the array's first items have schemas of their own.
pub(super) const PREFIX: u8 = 16;

/// [`Frame::flags`], alone: one schema applies, and nothing but its members' or items' schemas, required
/// properties and counts is asked. Objects have at most 64 properties.
pub(super) const PLAIN: u8 = 32;

/// An open array or object.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Frame {
    pub container: Container,
    pub flags: u8,
    /// The schema that applies; with `THREADS` the one that was asked for.
    pub schema: u32,
    /// Its object or array check, or `NONE`.
    pub part: u32,
    /// The first of the declared properties.
    pub first: u32,
    /// How many properties may be predicted.
    pub declared: u32,
    /// The property expected next, relative to `first`; for an array the schema of its items.
    pub next: u32,
    /// The current member, as an index into properties, or `NONE`.
    pub member: u32,
    /// Members or items so far, the current one included.
    pub count: u32,
    /// Declared properties seen, of the first 64.
    pub seen: u64,
    /// Where the hashes of the frame's undeclared names (of its items, for `UNIQUE`) begin.
    pub names: u32,
    /// How many there are, if they form a table; else 0.
    pub tabled: u32,
    /// Where the bits of properties from the 65th on begin.
    pub wide: u32,
    /// Where the frame's threads begin.
    pub threads: u32,
    /// Where the edges from its children's schemas to its threads begin.
    pub edges: u32,
    /// Where the choices of its tags begin.
    pub choices: u32,
    /// The hash of the current name, with `DIGEST`.
    pub name: u64,
    /// The digest so far.
    pub digest: u64,
}

impl Frame {
    /// The current member, as an index into properties or `NONE`, or the number of the current item, from 0.
    pub fn place(&self) -> u32 {
        match self.container {
            Container::Array => self.count.saturating_sub(1),
            _ => self.member,
        }
    }
}

/// The JSON pointer through frames from the root on, `top` last.
pub(super) fn pointer(view: &View<'_>, frames: &[Frame], top: Option<&Frame>) -> String {
    let mut pointer = String::new();
    for frame in frames.iter().chain(top) {
        push_step(view, frame.container, frame.place(), &mut pointer);
    }
    pointer
}

/// Goes a step further: to a member, as an index into properties or `NONE`, or to an item, from 0.
pub(super) fn push_step(view: &View<'_>, container: Container, place: u32, pointer: &mut String) {
    match container {
        Container::Root => {}
        Container::Array => {
            // Text takes whatever is written to it.
            let _ = write!(pointer, "/{place}");
        }
        Container::Object => push_name(view, place, pointer),
    }
}

/// A step of the way from the root of a body to a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step<'a> {
    /// To an item, from 0.
    Item(u32),
    /// To a member that a schema declares.
    Member(&'a [u8]),
    /// To a member that none declares.
    Undeclared,
}

impl<'a> Step<'a> {
    /// The step that a frame stands for; the root is none.
    pub(super) fn of(view: &'a View<'_>, frame: &Frame) -> Option<Step<'a>> {
        let place = frame.place();
        match frame.container {
            Container::Root => None,
            Container::Array => Some(Step::Item(place)),
            Container::Object => {
                let property = view.properties.get(place as usize).filter(|_| place != NONE);
                Some(property.map_or(Step::Undeclared, |it| Step::Member(bytes(view, it.name))))
            }
        }
    }
}

fn push_name(view: &View<'_>, member: u32, pointer: &mut String) {
    pointer.push('/');
    let property = view.properties.get(member as usize).filter(|_| member != NONE);
    let name = property.and_then(|property| core::str::from_utf8(bytes(view, property.name)).ok());
    for letter in name.unwrap_or("*").chars() {
        match letter {
            '~' => pointer.push_str("~0"),
            '/' => pointer.push_str("~1"),
            other => pointer.push(other),
        }
    }
}
