//! A value that rules look at: where it comes from and how it is called.

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
    /// A JSON pointer.
    Pointer(&'a str),
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
            Name::Place(place) => fits(wanted, place.pointer().as_bytes()),
            Name::Pointer(pointer) => fits(wanted, pointer.as_bytes()),
        }
    }

    /// What the value is called.
    pub(super) fn called(&self) -> &[u8] {
        match self.name {
            _ if !self.argument.is_empty() => self.argument,
            Name::Text(name) => name,
            Name::None | Name::Place(_) | Name::Pointer(_) => &[],
        }
    }

    /// Where a finding on the value stands.
    pub(super) fn position(&self) -> Position {
        if let Some(position) = self.position {
            return position.clone();
        }
        let pointer = match self.name {
            Name::Place(place) => place.pointer(),
            Name::Pointer(pointer) => pointer.to_owned(),
            Name::None | Name::Text(_) => String::new(),
        };
        Position::Body { pointer, offset: self.offset }
    }
}

/// Whether a JSON pointer is one of a pattern, in which `*` stands for any one name or index.
fn fits(pattern: &[u8], pointer: &[u8]) -> bool {
    let is_slash = |byte: &u8| *byte == b'/';
    let (mut wanted, mut found) = (pattern.split(is_slash), pointer.split(is_slash));
    loop {
        match (wanted.next(), found.next()) {
            (None, None) => return true,
            (Some(wanted), Some(found)) if wanted == b"*" || wanted == found => {}
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::fits;

    #[test]
    fn patterns_of_pointers() {
        assert!(fits(b"/a/*/b", b"/a/0/b") && fits(b"/a", b"/a") && fits(b"/*", b"/*"));
        assert!(!fits(b"/a", b"/a/b") && !fits(b"/a/*", b"/a") && !fits(b"/a", b"/b"));
    }
}
