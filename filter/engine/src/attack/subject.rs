//! A value that rules look at: where it comes from and how it is called.

use super::response::Names;
use crate::finding::Position;
use crate::schema::{Place, matches};
use portcullis_bundle::layout::{BODY_ALL, Naming, Selector, Target, View};

/// How a value is called.
#[derive(Clone, Copy)]
pub(crate) enum Name<'a> {
    /// It has no name.
    None,
    /// A name as decoded; of header fields in lower case.
    Text(&'a [u8]),
    /// A place in a JSON body.
    Place(&'a Place<'a>),
    /// A place in a JSON body, and the names that the client gave what no schema declares.
    Named(&'a Place<'a>, &'a Names),
    /// A JSON pointer.
    Pointer(&'a str),
    /// A field of a form that no schema declares.
    Field(&'a [u8]),
}

/// Where a value comes from.
#[derive(Clone, Copy)]
pub(crate) struct Subject<'a> {
    pub target: Target,
    pub name: Name<'a>,
    /// Where a finding on it stands; where none is said, at the place or pointer in the body.
    pub position: Option<&'a Position>,
    /// Bytes from the start of the body to the value.
    pub offset: u64,
    /// What kinds of body it is in: a `BODY_*` bit; all of them outside bodies.
    pub bodies: u8,
    /// The name of the argument, where it is another than `name`; empty where nothing asks for it.
    pub argument: &'a [u8],
}

impl<'a> Subject<'a> {
    /// A value outside the body.
    pub(crate) fn new(target: Target, name: Name<'a>, position: &'a Position) -> Self {
        Subject {
            target,
            name,
            position: Some(position),
            offset: 0,
            bodies: BODY_ALL,
            argument: &[],
        }
    }

    /// Whether a selector means this value.
    pub(super) fn is(&self, view: &View<'_>, selector: &Selector) -> bool {
        if selector.target != self.target.code() || selector.bodies & self.bodies == 0 {
            return false;
        }
        let wanted = view.bytes(selector.name);
        if wanted.is_empty() {
            return true;
        }
        match Naming::from_code(selector.naming) {
            Some(Naming::Argument) => return self.called().eq_ignore_ascii_case(wanted),
            Some(Naming::Regex) => {
                let automaton = view.automata.get(selector.automaton.get() as usize);
                return automaton.is_some_and(|it| matches(view, it, self.called()));
            }
            Some(Naming::Written) | None => {}
        }
        match self.name {
            Name::None => false,
            Name::Text(name) => name == wanted,
            Name::Place(place) => fits(wanted, place.pointer().as_bytes(), |_| None),
            // Pointers are long to make: most places are told apart by how deep they lie.
            Name::Named(place, names) => {
                wanted.iter().filter(|byte| **byte == b'/').count() == place.depth()
                    && fits(wanted, place.pointer().as_bytes(), |at| names.at(at))
            }
            Name::Pointer(pointer) => fits(wanted, pointer.as_bytes(), |_| None),
            Name::Field(name) => fits(wanted, b"/*", |_| Some(name)),
        }
    }

    /// What the value is called.
    pub(super) fn called(&self) -> &[u8] {
        match self.name {
            _ if !self.argument.is_empty() => self.argument,
            Name::Text(name) => name,
            Name::Field(name) => name,
            Name::None | Name::Place(_) | Name::Named(..) | Name::Pointer(_) => &[],
        }
    }

    /// Where a finding on the value stands.
    pub(super) fn position(&self) -> Position {
        if let Some(position) = self.position {
            return position.clone();
        }
        let pointer = match self.name {
            Name::Place(place) | Name::Named(place, _) => place.pointer(),
            Name::Pointer(pointer) => pointer.to_owned(),
            // The client's own names are not told.
            Name::Field(_) => "/*".to_owned(),
            Name::None | Name::Text(_) => String::new(),
        };
        Position::Body { pointer, offset: self.offset }
    }
}

/// Whether a JSON pointer is one of a pattern, in which `*` stands for any one name or index. In the pointer it
/// stands for a name that no schema declares: `name` gives that of a step, counted from 0, where it is known.
fn fits<'n>(pattern: &[u8], pointer: &[u8], name: impl Fn(usize) -> Option<&'n [u8]>) -> bool {
    let is_slash = |byte: &u8| *byte == b'/';
    let mut found = pointer.split(is_slash);
    let mut at = 0usize;
    for wanted in pattern.split(is_slash) {
        let Some(found) = found.next() else { return false };
        // What stands before the first slash is no step.
        let own = at.checked_sub(1).filter(|_| found == b"*").and_then(&name);
        if wanted != b"*" && wanted != found && !own.is_some_and(|own| says(wanted, own)) {
            return false;
        }
        at = at.saturating_add(1);
    }
    found.next().is_none()
}

/// Whether a step of a JSON pointer says a name (RFC 6901, section 4).
fn says(step: &[u8], name: &[u8]) -> bool {
    let (mut step, mut name) = (step.iter(), name.iter());
    while let Some(&byte) = step.next() {
        let byte = match (byte, byte == b'~') {
            (_, true) => match step.next() {
                Some(b'0') => b'~',
                Some(b'1') => b'/',
                _ => return false,
            },
            (byte, false) => byte,
        };
        if name.next() != Some(&byte) {
            return false;
        }
    }
    name.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::fits;

    #[test]
    fn patterns_of_pointers() {
        let fits =
            |pattern: &str, pointer: &str| fits(pattern.as_bytes(), pointer.as_bytes(), |_| None);
        assert!(fits("/a/*/b", "/a/0/b") && fits("/a", "/a") && fits("/*", "/*") && fits("", ""));
        assert!(
            !fits("/a", "/a/b") && !fits("/a/*", "/a") && !fits("/a", "/b") && !fits("/a", "/*")
        );
    }

    #[test]
    fn names_that_no_schema_declares() {
        let names = [&b"a/b"[..], b"c~", b"0"];
        let fits = |pattern: &str, pointer: &str| {
            fits(pattern.as_bytes(), pointer.as_bytes(), |at| names.get(at).copied())
        };
        assert!(fits("/a~1b", "/*") && fits("/a~1b/c~0", "/*/*") && fits("/*/c~0/0", "/*/*/0"));
        assert!(!fits("/a", "/*") && !fits("/a~1b/c", "/*/*") && !fits("/a~1b", "/x"));
        assert!(!fits("/a~1bc", "/*") && !fits("/a~2b", "/*") && !fits("/a~1b", "/*/*"));
    }
}
