//! Sets of matchers that take work to find, kept by what they were found for.
//!
//! What is asked for is the same from value to value and from message to message. One set is kept for each place that a
//! hash leads to; another question of the same place takes its room.

use super::Scan;

/// How many sets are kept; a power of two.
const PLACES: usize = 128;

/// Sets of matchers of one bundle by what was asked. The buffers serve the next message.
#[derive(Debug)]
pub(super) struct Kept<Q> {
    identity: u64,
    /// By place: the question whose set is kept there.
    asked: Vec<Option<Q>>,
    /// As many sets.
    sets: Vec<u64>,
}

impl<Q> Default for Kept<Q> {
    fn default() -> Self {
        Kept { identity: 0, asked: Vec::new(), sets: Vec::new() }
    }
}

impl<Q> Kept<Q> {
    /// Begins a message: forgets what was found for another bundle.
    pub(super) fn begin(&mut self, scan: &Scan<'_, '_>) {
        if self.identity != scan.view.identity || self.sets.len() != PLACES * scan.words {
            self.identity = scan.view.identity;
            self.asked.clear();
            self.asked.resize_with(PLACES, || None);
            self.sets.clear();
            self.sets.resize(PLACES * scan.words, 0);
        }
    }

    /// The set of a question, by a hash of it: found now where another one, or none, is kept in its place. `None` where
    /// the question cannot be kept.
    pub(super) fn set(
        &mut self,
        scan: &Scan<'_, '_>,
        hash: u32,
        is: impl FnOnce(&Q) -> bool,
        question: impl FnOnce() -> Option<Q>,
        find: impl FnOnce(&mut [u64]),
    ) -> Option<&[u64]> {
        let place = (hash.wrapping_mul(0x9E37_79B9) >> 25) as usize & (PLACES - 1);
        let first = place.saturating_mul(scan.words);
        let set = self.sets.get_mut(first..first.saturating_add(scan.words))?;
        let asked = self.asked.get_mut(place)?;
        if !asked.as_ref().is_some_and(is) {
            *asked = Some(question()?);
            find(set);
        }
        Some(set)
    }
}
