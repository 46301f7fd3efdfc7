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

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
        let own = Known::of(subject)?;
        let first = own.place().saturating_mul(scan.words);
        let set = self.sets.get_mut(first..first.saturating_add(scan.words))?;
        let known = self.known.get_mut(own.place())?;
        if known.as_ref() != Some(&own) {
            *known = Some(own);
            fill(scan, subject, set);
        }
        Some(set)
    }
}

impl Known {
    fn of(subject: &Subject<'_>) -> Option<Self> {
        let Name::Text(text) = subject.name else { return None };
        if !matches!(subject.target, Target::Header | Target::HeaderRest) {
            return None;
        }
        let mut name = [0; MAX_LEN];
        name.get_mut(..text.len())?.copy_from_slice(text);
        let len = u8::try_from(text.len()).ok()?;
        Some(Known { target: subject.target.code(), len, name })
    }

    fn place(&self) -> usize {
        let name = self.name.get(..self.len.into()).unwrap_or_default();
        let hash = name_hash(name) ^ u32::from(self.target);
        (hash.wrapping_mul(0x9E37_79B9) >> 25) as usize & (KEPT - 1)
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
        let of = |target, name: &[u8]| {
            Known::of(&Subject::new(target, Name::Text(name), &Position::Message))
        };
        assert_eq!(of(Target::Header, b"accept"), of(Target::Header, b"accept"));
        assert_ne!(of(Target::Header, b"accept"), of(Target::HeaderRest, b"accept"));
        assert_ne!(of(Target::Header, b"a"), of(Target::Header, b"a\0"));
        assert!(of(Target::Header, &[b'x'; MAX_LEN]).is_some());
        assert!(of(Target::Header, &[b'x'; MAX_LEN + 1]).is_none());
        assert!(of(Target::Query, b"accept").is_none());
    }
}
