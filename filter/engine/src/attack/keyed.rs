//! The matchers that are tried on a text for the kinds of its bytes, whatever literals it holds.
//!
//! Few combinations of kinds are met again and again: what they come to is kept.

use super::Scan;
use super::sets;
use portcullis_bundle::layout::{FIRST_KIND, PLAIN_KEYED, UNPROPOSED};

/// Combinations of kinds that are kept; a power of two.
const KEPT: usize = 64;

/// Sets of matchers by kinds of bytes. The buffers serve the next message.
#[derive(Debug, Default)]
pub(super) struct Keyed {
    identity: u64,
    /// By a hash: the kinds whose set is kept there.
    kinds: Vec<Option<u64>>,
    /// As many sets.
    sets: Vec<u64>,
}

impl Keyed {
    /// Begins a message.
    pub(super) fn begin(&mut self, scan: &Scan<'_, '_>) {
        if self.identity != scan.view.identity || self.sets.len() != KEPT * scan.words {
            self.identity = scan.view.identity;
            self.kinds.clear();
            self.kinds.resize(KEPT, None);
            self.sets.clear();
            self.sets.resize(KEPT * scan.words, 0);
        }
    }

    /// The matchers that kinds of bytes propose, with those that nothing proposes; as words.
    pub(super) fn of(&mut self, scan: &Scan<'_, '_>, kinds: u64) -> &[u64] {
        let place = (kinds.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 58) as usize;
        let first = place.saturating_mul(scan.words);
        let set = self.sets.get_mut(first..first.saturating_add(scan.words)).unwrap_or_default();
        if let Some(known) = self.kinds.get_mut(place)
            && *known != Some(kinds)
        {
            *known = Some(kinds);
            fill(scan, kinds, set);
        }
        set
    }
}

fn fill(scan: &Scan<'_, '_>, kinds: u64, set: &mut [u64]) {
    let unproposed = scan.set(UNPROPOSED);
    set.iter_mut().zip(unproposed).for_each(|(word, own)| *word = own.get());
    for kind in sets::members(kinds & scan.attacks.key_kinds.get(), 0) {
        let own = scan.set(FIRST_KIND.saturating_add(kind));
        set.iter_mut().zip(own).for_each(|(word, own)| *word |= own.get());
    }
    if scan.grams.is_plain(kinds) {
        let plain = scan.set(PLAIN_KEYED);
        set.iter_mut().zip(plain).for_each(|(word, plain)| *word &= plain.get());
    }
}
