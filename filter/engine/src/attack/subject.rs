//! A value that rules look at: where it comes from and how it is called.

use crate::finding::Position;
use crate::schema::Place;
use portcullis_bundle::layout::{Selector, Target, View};

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
}

impl<'a> Subject<'a> {
    /// A value outside the body.
    pub(crate) fn new(target: Target, name: Name<'a>, position: &'a Position) -> Self {
        Subject { target, name, position: Some(position), offset: 0 }
    }

    /// Whether a selector means this value.
    pub(super) fn is(&self, view: &View<'_>, selector: &Selector) -> bool {
        if selector.target != self.target.code() {
            return false;
        }
        let wanted = view.bytes(selector.name);
        if wanted.is_empty() {
            return true;
        }
        match self.name {
            Name::None => false,
            Name::Text(name) => name == wanted,
            Name::Place(place) => fits(wanted, place.pointer().as_bytes()),
            Name::Pointer(pointer) => fits(wanted, pointer.as_bytes()),
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
