//! Kinds of bytes: sets that transformations are triggered by, and sets that matchers need a byte of.

use super::literals::{Bytes, commonness, has};
use portcullis_bundle::layout::ByteKinds;
use std::collections::BTreeMap;

/// Kinds that there are, at most: bits of a word.
const MAX_KINDS: usize = 64;

/// How common the bytes of a set may be that is worth a bit: less than two of the most common letters.
const MAX_COMMONNESS: u32 = 120;

/// Sets of bytes by bit.
#[derive(Debug, Default)]
pub struct Kinds {
    sets: Vec<Bytes>,
}

impl Kinds {
    /// Gives bits to sets: first to all that must have one, then to those that are wanted most often.
    pub fn choose(
        needed: impl Iterator<Item = Bytes>,
        wanted: impl Iterator<Item = Bytes>,
    ) -> Kinds {
        let mut kinds = Kinds::default();
        for set in needed {
            if kinds.bit(&set).is_none() {
                kinds.sets.push(set);
            }
        }
        let mut counts: BTreeMap<Bytes, usize> = BTreeMap::new();
        for set in wanted.filter(|set| commonness(set) <= MAX_COMMONNESS) {
            *counts.entry(set).or_default() += 1;
        }
        let mut counts: Vec<(Bytes, usize)> = counts.into_iter().collect();
        counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        for (set, _) in counts {
            if kinds.sets.len() < MAX_KINDS && kinds.bit(&set).is_none() {
                kinds.sets.push(set);
            }
        }
        kinds
    }

    /// The bit of a set, as a word; none where it has none.
    pub fn bit(&self, set: &Bytes) -> Option<u64> {
        self.sets.iter().position(|known| known == set).map(|at| 1 << at)
    }

    /// The kinds of each byte.
    pub fn table(&self) -> Vec<ByteKinds> {
        let kinds = |byte: u8| {
            let own = self.sets.iter().enumerate().filter(|(_, set)| has(set, byte));
            own.fold(0u64, |kinds, (at, _)| kinds | 1 << at)
        };
        (0..=255).map(|byte| ByteKinds { kinds: kinds(byte).into() }).collect()
    }
}
