//! Sets of matchers: bits in words, read in place from the bundle.

use portcullis_bundle::layout::View;
use zerocopy::little_endian::U64;

/// The set of an index; empty where there is none.
pub(super) fn set<'b>(view: &View<'b>, words: usize, index: usize) -> &'b [U64] {
    let first = index.saturating_mul(words);
    view.matcher_sets.get(first..first.saturating_add(words)).unwrap_or_default()
}

/// Whether a matcher is in a set.
pub(super) fn holds(set: &[U64], matcher: u32) -> bool {
    let word = set.get(matcher as usize / 64).map_or(0, |word| word.get());
    word >> (matcher % 64) & 1 == 1
}

/// Puts a matcher into a set.
pub(super) fn insert(set: &mut [u64], matcher: u32) {
    if let Some(word) = set.get_mut(matcher as usize / 64) {
        *word |= 1 << (matcher % 64);
    }
}

/// The members of a set.
pub(super) fn members(word: u64, index: usize) -> impl Iterator<Item = u32> {
    let mut rest = word;
    core::iter::from_fn(move || {
        let bit = rest.trailing_zeros();
        rest &= rest.wrapping_sub(1);
        let first = u32::try_from(index).unwrap_or(0).wrapping_mul(64);
        (bit < 64).then(|| first.wrapping_add(bit))
    })
}
