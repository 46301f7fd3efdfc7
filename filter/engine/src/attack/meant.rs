//! Which matchers mean a header field, by its name.
//!
//! Many rules look at one field, or at all but a few. Fields have the same names in request after request: what the
//! selectors of all matchers say of a name is kept.

use super::kept::Kept;
use super::steps::{Exhausted, Steps};
use super::subject::{Name, Subject};
use super::{Scan, is_meant, sets};
use portcullis_bundle::{layout::Target, name_hash};

/// Bytes of a name that is kept, at most.
const MAX_LEN: usize = 40;

/// The name of a field, and what it is to the message.
#[derive(Clone, Copy, Debug)]
pub(super) struct Field {
    target: u8,
    len: u8,
    name: [u8; MAX_LEN],
}

/// Sets of matchers by names of fields.
pub(super) type Meant = Kept<Field>;

impl Meant {
    /// The matchers that mean the value of a field; `None` for other values, and for a long name. A field costs a step
    /// for each matcher that there may be, whether its set is kept or must be found: who sends many names pays for them,
    /// and what was sent before changes no verdict.
    pub(super) fn of(
        &mut self,
        scan: &Scan<'_, '_>,
        subject: &Subject<'_>,
        steps: &mut Steps,
    ) -> Result<Option<&[u64]>, Exhausted> {
        let Some(name) = field(subject) else { return Ok(None) };
        steps.spend((scan.words as u64).saturating_mul(64))?;
        let target = subject.target.code();
        let hash = name_hash(name) ^ u32::from(target);
        let find = |set: &mut [u64]| fill(scan, subject, set);
        let is = |known: &Field| known.is(target, name);
        Ok(self.set(hash, is, || Field::new(target, name), find))
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

impl Field {
    fn new(target: u8, text: &[u8]) -> Option<Self> {
        let mut name = [0; MAX_LEN];
        name.get_mut(..text.len())?.copy_from_slice(text);
        Some(Field { target, len: u8::try_from(text.len()).ok()?, name })
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
        let known = Field::new(1, b"accept").unwrap();
        assert!(known.is(1, b"accept"));
        assert!(!known.is(2, b"accept") && !known.is(1, b"accep") && !known.is(1, b"accept\0"));
        let takes = |target, name: &[u8]| {
            field(&Subject::new(target, Name::Text(name), &Position::Message)).is_some()
        };
        assert!(takes(Target::Header, &[b'x'; MAX_LEN]) && takes(Target::HeaderRest, b"host"));
        assert!(!takes(Target::Header, &[b'x'; MAX_LEN + 1]) && !takes(Target::Query, b"accept"));
    }
}
