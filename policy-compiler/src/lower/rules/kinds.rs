//! Kinds of bytes: sets that transformations are triggered by, and sets that matchers need a byte of.

use super::literals::{Bytes, commonness, has};
use super::pipeline::Steps;
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
    /// Gives bits to sets: first to all that must have one, then to those by which matchers are known, then to those
    /// that plain texts must hold before steps are worth while, then to those that matchers need beside, each in the
    /// order of how often they are wanted.
    pub fn choose(
        must: impl Iterator<Item = Bytes>,
        keys: impl Iterator<Item = Bytes>,
        plain_needs: impl Iterator<Item = Bytes>,
        needs: impl Iterator<Item = Bytes>,
    ) -> Kinds {
        let mut kinds = Kinds::default();
        for set in must {
            if kinds.bit(&set).is_none() {
                kinds.sets.push(set);
            }
        }
        kinds.add(keys);
        kinds.add(plain_needs);
        kinds.add(needs);
        kinds
    }

    /// Gives bits to the sets that are wanted most often, as long as there are bits.
    fn add(&mut self, wanted: impl Iterator<Item = Bytes>) {
        let mut counts: BTreeMap<Bytes, usize> = BTreeMap::new();
        for set in wanted.filter(|set| commonness(set) <= MAX_COMMONNESS) {
            *counts.entry(set).or_default() += 1;
        }
        let mut counts: Vec<(Bytes, usize)> = counts.into_iter().collect();
        counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        for (set, _) in counts {
            if self.sets.len() < MAX_KINDS && self.bit(&set).is_none() {
                self.sets.push(set);
            }
        }
    }

    /// The bit of a set, as a word; none where it has none.
    pub fn bit(&self, set: &Bytes) -> Option<u64> {
        self.sets.iter().position(|known| known == set).map(|at| 1 << at)
    }

    /// The bit of the rarest kind that all bytes of a set are of, and how common that is.
    pub fn covering(&self, set: &Bytes) -> Option<(u32, u64)> {
        let covers = |known: &Bytes| known.iter().zip(set).all(|(known, set)| set & !known == 0);
        let kinds = self.sets.iter().enumerate().filter(|(_, known)| covers(known));
        kinds.map(|(at, known)| (commonness(known), 1 << at)).min()
    }

    /// The bits of all bytes that trigger a step.
    pub fn triggers(&self, steps: &Steps) -> u64 {
        let sets = steps.steps.iter().filter_map(|(_, step)| *step).map(super::triggers);
        sets.filter_map(|set| self.bit(&set)).fold(0, |all, bit| all | bit)
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
