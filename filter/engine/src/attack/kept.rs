//! Sets of matchers that take work to find, kept by what they were found for.
//!
//! What is asked for is the same from value to value and from message to message. A hash leads to two places, of which
//! a question that is new takes the first; what was there moves to the second.

/// How many sets are kept; a power of two.
const PLACES: usize = 128;

/// Sets of one bundle by what was asked. The buffers serve the next message.
#[derive(Debug)]
pub(super) struct Kept<Q> {
    identity: u64,
    /// Words of a set.
    size: usize,
    /// By place: the question whose set is kept there.
    asked: Vec<Option<Q>>,
    /// As many sets.
    sets: Vec<u64>,
}

impl<Q> Default for Kept<Q> {
    fn default() -> Self {
        Kept { identity: 0, size: 0, asked: Vec::new(), sets: Vec::new() }
    }
}

impl<Q> Kept<Q> {
    /// Begins a message: forgets what was found for another bundle. `size`: words of a set.
    pub(super) fn begin(&mut self, identity: u64, size: usize) {
        if (self.identity, self.size) != (identity, size) || self.asked.is_empty() {
            (self.identity, self.size) = (identity, size);
            self.asked.clear();
            self.asked.resize_with(PLACES, || None);
            self.sets.clear();
            self.sets.resize(PLACES.saturating_mul(size), 0);
        }
    }

    /// The set of a question, by a hash of it: found now where another one, or none, is kept in its place. `None` where
    /// the question cannot be kept.
    pub(super) fn set(
        &mut self,
        hash: u32,
        is: impl Fn(&Q) -> bool,
        question: impl FnOnce() -> Option<Q>,
        find: impl FnOnce(&mut [u64]),
    ) -> Option<&[u64]> {
        let place = (hash.wrapping_mul(0x9E37_79B9) >> 25) as usize & (PLACES - 2);
        let [first, second] = self.asked.get_mut(place..)?.first_chunk_mut()?;
        let begin = place.saturating_mul(self.size);
        let both = self.sets.get_mut(begin..begin.saturating_add(2 * self.size))?;
        let (set, other) = both.split_at_mut_checked(self.size)?;
        if first.as_ref().is_some_and(&is) {
            return Some(set);
        }
        if second.as_ref().is_some_and(&is) {
            return Some(other);
        }
        let question = question()?;
        *second = first.replace(question);
        other.copy_from_slice(set);
        find(set);
        Some(set)
    }
}
