//! The matchers that are tried on a text for the kinds of its bytes, whatever literals it holds.
//!
//! Few combinations of kinds are met again and again: what they come to is kept.

use super::Scan;
use super::kept::Kept;
use super::sets;
use portcullis_bundle::layout::{FIRST_KIND, PLAIN_KEYED, UNPROPOSED};

/// Sets of matchers by the kinds of bytes that propose any, and by whether the text is plain.
pub(super) type Keyed = Kept<(u64, bool)>;

impl Keyed {
    /// The matchers that kinds of bytes propose, with those that nothing proposes; as words.
    pub(super) fn of(&mut self, scan: &Scan<'_, '_>, kinds: u64) -> &[u64] {
        let asked = (kinds & scan.attacks.key_kinds.get(), scan.grams.is_plain(kinds));
        let hash = (asked.0.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32) as u32 ^ u32::from(asked.1);
        let find = |set: &mut [u64]| fill(scan, asked, set);
        self.set(hash, |known| *known == asked, || Some(asked), find).unwrap_or_default()
    }
}

fn fill(scan: &Scan<'_, '_>, (kinds, plain): (u64, bool), set: &mut [u64]) {
    let unproposed = scan.set(UNPROPOSED);
    set.iter_mut().zip(unproposed).for_each(|(word, own)| *word = own.get());
    for kind in sets::members(kinds, 0) {
        let own = scan.set(FIRST_KIND.saturating_add(kind));
        set.iter_mut().zip(own).for_each(|(word, own)| *word |= own.get());
    }
    if plain {
        let plain = scan.set(PLAIN_KEYED);
        set.iter_mut().zip(plain).for_each(|(word, plain)| *word &= plain.get());
    }
}
