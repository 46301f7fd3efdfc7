//! Which matchers mean a header field, by its name.
//!
//! Many rules look at one field, or at all but a few. Fields have the same names in request after request: what the
//! selectors of all matchers say of a name is kept.

use super::subject::{Name, Subject};
use super::{Scan, is_meant, sets};
use portcullis_bundle::{layout::Target, name_hash};

/// Names that are kept; a power of two.
const KEPT: usize = 128;

/// Bytes of a name that is kept, at most.
const MAX_LEN: usize = 40;

#[derive(Clone, Copy, Debug)]
struct Known {
    target: u8,
    len: u8,
    name: [u8; MAX_LEN],
}

/// Sets of matchers by names of fields. The buffers serve the next message.
#[derive(Debug, Default)]
pub(super) struct Meant {
    identity: u64,
    /// By a hash: the name whose set is kept there.
    known: Vec<Option<Known>>,
    /// As many sets.
    sets: Vec<u64>,
}

impl Meant {
    /// Begins a message.
    pub(super) fn begin(&mut self, scan: &Scan<'_, '_>) {
        if self.identity != scan.view.identity || self.sets.len() != KEPT * scan.words {
            self.identity = scan.view.identity;
            self.known.clear();
            self.known.resize(KEPT, None);
            self.sets.clear();
            self.sets.resize(KEPT * scan.words, 0);
        }
    }

    /// The matchers that mean the value of a field; `None` for other values, and for a long name.
    pub(super) fn of(&mut self, scan: &Scan<'_, '_>, subject: &Subject<'_>) -> Option<&[u64]> {
        let name = field(subject)?;
        let target = subject.target.code();
        let place = place(target, name);
        let first = place.saturating_mul(scan.words);
        let set = self.sets.get_mut(first..first.saturating_add(scan.words))?;
        let known = self.known.get_mut(place)?;
        if !known.as_ref().is_some_and(|known| known.is(target, name)) {
            *known = Known::new(target, name);
            fill(scan, subject, set);
        }
        Some(set)
    }
}

/// The name of a field that may be kept.
fn field<'a>(subject: &Subject<'a>) -> Option<&'a [u8]> {
    match (subject.target, subject.name) {
        (Target::Header | Target::HeaderRest, Name::Text(name)) if name.len() <= MAX_LEN => {
            Some(name)
        }
        _ => None,
    }
}

fn place(target: u8, name: &[u8]) -> usize {
    let hash = name_hash(name) ^ u32::from(target);
    (hash.wrapping_mul(0x9E37_79B9) >> 25) as usize & (KEPT - 1)
}

impl Known {
    fn new(target: u8, text: &[u8]) -> Option<Self> {
        let mut name = [0; MAX_LEN];
        name.get_mut(..text.len())?.copy_from_slice(text);
        Some(Known { target, len: u8::try_from(text.len()).ok()?, name })
    }

    fn is(&self, target: u8, name: &[u8]) -> bool {
        self.target == target && self.name.get(..self.len.into()) == Some(name)
    }
}

fn fill(scan: &Scan<'_, '_>, subject: &Subject<'_>, set: &mut [u64]) {
    let looking = scan.set(subject.target.code().into());
    for (index, (word, looking)) in set.iter_mut().zip(looking).enumerate() {
        *word = 0;
        for at in sets::members(looking.get(), index) {
            let matcher = scan.view.matchers.get(at as usize);
            if matcher.is_some_and(|matcher| is_meant(scan.view, matcher, subject)) {
                *word |= 1 << (at % 64);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::Position;

    #[test]
    fn fields_are_known_by_target_and_whole_name() {
        let known = Known::new(1, b"accept").unwrap();
        assert!(known.is(1, b"accept"));
        assert!(!known.is(2, b"accept") && !known.is(1, b"accep") && !known.is(1, b"accept\0"));
        let takes = |target, name: &[u8]| {
            field(&Subject::new(target, Name::Text(name), &Position::Message)).is_some()
        };
        assert!(takes(Target::Header, &[b'x'; MAX_LEN]) && takes(Target::HeaderRest, b"host"));
        assert!(!takes(Target::Header, &[b'x'; MAX_LEN + 1]) && !takes(Target::Query, b"accept"));
    }
}
