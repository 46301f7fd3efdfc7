//! One pass over a text: the kinds of its bytes, and the matchers whose literals occur in it.
//!
//! Of each literal the compiler has chosen two or three bytes that are rare, its gram. Two bit maps say which pairs
//! and which hashes of three bytes begin a search; what they let through is looked up in buckets and compared.
//! ASCII letters are compared in lower case.

use super::sets::insert;
use super::steps::{Exhausted, Steps};
use crate::access::slice;
use portcullis_bundle::layout::{ByteKinds, Literal, View};

/// Bytes of one bit map.
const MAP: usize = 8192;

/// Added to the gram of a pair, so that it differs from every gram of three bytes.
const PAIR: u32 = 1 << 24;

/// What the bundle says of grams.
#[derive(Clone, Copy)]
pub(super) struct Grams<'b> {
    kinds: Option<&'b [ByteKinds; 256]>,
    pairs: Option<&'b [u8; MAP]>,
    triples: Option<&'b [u8; MAP]>,
    bits: u8,
}

impl<'b> Grams<'b> {
    pub(super) fn of(view: &View<'b>) -> Self {
        Grams {
            kinds: view.byte_kinds.try_into().ok(),
            pairs: view.gram_filter.first_chunk(),
            triples: view.gram_filter.get(MAP..).and_then(<[u8]>::first_chunk),
            bits: view.attacks.first().map_or(0, |attacks| attacks.bucket_bits),
        }
    }

    /// Reads a text: gives the kinds of its bytes, and adds the matchers whose literals occur.
    pub(super) fn read(
        &self,
        view: &View<'_>,
        text: &[u8],
        found: &mut [u64],
        steps: &mut Steps,
    ) -> Result<u64, Exhausted> {
        // Some transformations make something of nothing.
        let Some(kinds) = self.kinds.filter(|_| !text.is_empty()) else { return Ok(u64::MAX) };
        steps.spend(text.len() as u64)?;
        let kind = |byte: u8| kinds.get(usize::from(byte)).map_or(0, |it| it.kinds.get());
        let (Some(pairs), Some(triples)) = (self.pairs, self.triples) else {
            return Ok(text.iter().fold(0, |all, &byte| all | kind(byte)));
        };
        let mut present = 0;
        // The last three bytes, the latest highest.
        let mut window = 0u32;
        for (at, &byte) in text.iter().enumerate() {
            present |= kind(byte);
            window = window >> 8 | u32::from(byte.to_ascii_lowercase()) << 16;
            let pair = window >> 8;
            if bit(triples, hash(window)) && at >= 2 {
                self.look_up(view, text, (at - 2, window), found, steps)?;
            }
            if bit(pairs, pair) && at >= 1 {
                self.look_up(view, text, (at - 1, pair | PAIR), found, steps)?;
            }
        }
        Ok(present)
    }

    #[cold]
    fn look_up(
        &self,
        view: &View<'_>,
        text: &[u8],
        (place, gram): (usize, u32),
        found: &mut [u64],
        steps: &mut Steps,
    ) -> Result<(), Exhausted> {
        let bucket = bucket(gram, self.bits);
        let begin = view.buckets.get(bucket).map_or(0, |it| it.value.get());
        let end = view.buckets.get(bucket + 1).map_or(0, |it| it.value.get());
        let literals = slice(view.literals, begin, end.saturating_sub(begin));
        for literal in literals.iter().filter(|literal| literal.gram.get() == gram) {
            steps.spend(literal.len.get().into())?;
            if occurs(view, literal, text, place) {
                let uses =
                    slice(view.literal_uses, literal.uses.get(), literal.use_count.get().into());
                uses.iter().for_each(|matcher| insert(found, matcher.get().into()));
            }
        }
        Ok(())
    }
}

/// Whether a literal stands where its gram was found.
fn occurs(view: &View<'_>, literal: &Literal, text: &[u8], place: usize) -> bool {
    let len = usize::from(literal.len.get());
    let start = place.checked_sub(usize::from(literal.at.get()));
    let found = start.and_then(|start| text.get(start..start.saturating_add(len)));
    let wanted = slice(view.literal_bytes, literal.bytes.get(), literal.len.get().into());
    found.is_some_and(|found| found.eq_ignore_ascii_case(wanted))
}

#[inline]
fn bit(map: &[u8; MAP], index: u32) -> bool {
    map.get(index as usize >> 3 & (MAP - 1)).is_some_and(|byte| byte >> (index & 7) & 1 == 1)
}

/// Where a gram of three bytes stands in its bit map.
#[inline]
const fn hash(gram: u32) -> u32 {
    portcullis_bundle::gram_hash(gram)
}

fn bucket(gram: u32, bits: u8) -> usize {
    portcullis_bundle::gram_bucket(gram, bits)
}
