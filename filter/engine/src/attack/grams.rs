//! What a text holds: the kinds of its bytes, and the matchers whose literals occur in it.
//!
//! Of each literal the compiler has chosen two or three bytes that are rare, its gram. A bit map of three classes of
//! bytes says where a gram may stand; two more say it of the bytes themselves; what they let through is looked up in
//! buckets and compared. ASCII letters are compared in lower case. Plain texts, those without marks, have a map of
//! their own: most matchers need a mark.

use super::sets::insert;
use super::steps::{Exhausted, Steps};
use crate::access::slice;
use portcullis_bundle::layout::{
    BESIDE_AFTER, BESIDE_BEFORE, ByteKinds, CLASS_MAP, GRAM_MAP, Literal, PLAIN_PROPOSED, PROPOSED,
    View,
};
use portcullis_bundle::{gram_bucket, gram_class, gram_hash};

/// Added to the gram of a pair, so that it differs from every gram of three bytes.
const PAIR: u32 = 1 << 24;

/// What the bundle says of grams.
#[derive(Clone, Copy)]
pub(super) struct Grams<'b> {
    kinds: Option<&'b [ByteKinds; 256]>,
    maps: Option<Maps<'b>>,
    marks: u64,
    bits: u8,
}

#[derive(Clone, Copy)]
struct Maps<'b> {
    pairs: &'b [u8; GRAM_MAP],
    triples: &'b [u8; GRAM_MAP],
    all: &'b [u8; CLASS_MAP],
    plain: &'b [u8; CLASS_MAP],
}

impl<'b> Maps<'b> {
    fn of(filter: &'b [u8]) -> Option<Self> {
        let (pairs, rest) = filter.split_first_chunk()?;
        let (triples, rest) = rest.split_first_chunk()?;
        let (all, rest) = rest.split_first_chunk()?;
        Some(Maps { pairs, triples, all, plain: rest.first_chunk()? })
    }
}

impl<'b> Grams<'b> {
    pub(super) fn of(view: &View<'b>) -> Self {
        let attacks = view.attacks.first();
        Grams {
            kinds: view.byte_kinds.try_into().ok(),
            maps: Maps::of(view.gram_filter),
            marks: attacks.map_or(0, |attacks| attacks.marks.get()),
            bits: attacks.map_or(0, |attacks| attacks.bucket_bits),
        }
    }

    /// The kinds of a text's bytes.
    pub(super) fn kinds(&self, text: &[u8]) -> u64 {
        // Some transformations make something of nothing.
        let Some(kinds) = self.kinds.filter(|_| !text.is_empty()) else { return u64::MAX };
        let kind = |byte: u8| kinds.get(usize::from(byte)).map_or(0, |it| it.kinds.get());
        text.iter().fold(0, |all, &byte| all | kind(byte))
    }

    /// The fixed set of the matchers whose literals are looked for in a text of some kinds of bytes.
    pub(super) fn proposed(&self, kinds: u64) -> u32 {
        if self.is_plain(kinds) { PLAIN_PROPOSED } else { PROPOSED }
    }

    /// Whether a text of some kinds of bytes holds no mark.
    pub(super) fn is_plain(&self, kinds: u64) -> bool {
        kinds & self.marks == 0
    }

    /// Adds the matchers whose literals occur in a text of some kinds of bytes.
    pub(super) fn read(
        &self,
        view: &View<'_>,
        (text, kinds): (&[u8], u64),
        found: &mut [u64],
        steps: &mut Steps,
    ) -> Result<(), Exhausted> {
        let Some(maps) = &self.maps else { return Ok(()) };
        let map = if self.is_plain(kinds) { maps.plain } else { maps.all };
        // The classes of the last three bytes, the latest lowest.
        let mut window = 0;
        for (at, &byte) in text.iter().enumerate() {
            window = (window << 5 | u32::from(gram_class(byte))) & 0x7FFF;
            if bit(map, window) {
                self.confirm(view, maps, (text, at), found, steps)?;
            }
        }
        Ok(())
    }

    /// Looks for grams that end at a place of a text.
    #[inline(never)]
    fn confirm(
        &self,
        view: &View<'_>,
        maps: &Maps<'_>,
        (text, at): (&[u8], usize),
        found: &mut [u64],
        steps: &mut Steps,
    ) -> Result<(), Exhausted> {
        let lower = |byte: &u8| u32::from(byte.to_ascii_lowercase());
        let (pair, gram) = match text.get(..=at) {
            Some([.., first, second, third]) => {
                let pair = lower(second) | lower(third) << 8;
                (pair, Some(lower(first) | pair << 8))
            }
            Some([first, second]) => (lower(first) | lower(second) << 8, None),
            _ => return Ok(()),
        };
        if let Some(gram) = gram.filter(|gram| bit(maps.triples, gram_hash(*gram))) {
            self.look_up(view, text, (at.saturating_sub(2), 3, gram), found, steps)?;
        }
        if bit(maps.pairs, pair) {
            self.look_up(view, text, (at.saturating_sub(1), 2, pair | PAIR), found, steps)?;
        }
        Ok(())
    }

    fn look_up(
        &self,
        view: &View<'_>,
        text: &[u8],
        (place, len, gram): (usize, usize, u32),
        found: &mut [u64],
        steps: &mut Steps,
    ) -> Result<(), Exhausted> {
        let bucket = gram_bucket(gram, self.bits);
        let Some([begin, end, ..]) = view.buckets.get(bucket..) else { return Ok(()) };
        let (begin, end) = (begin.value.get(), end.value.get());
        let beside = |at: usize, side: u16| {
            text.get(at).map_or(0, |byte| side | u16::from(byte.to_ascii_lowercase()))
        };
        let before = beside(place.wrapping_sub(1), BESIDE_BEFORE);
        let after = beside(place.saturating_add(len), BESIDE_AFTER);
        for literal in slice(view.literals, begin, end.saturating_sub(begin)) {
            let own = literal.beside.get();
            if literal.gram.get() != gram || (own != 0 && own != before && own != after) {
                continue;
            }
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
fn bit<const BYTES: usize>(map: &[u8; BYTES], index: u32) -> bool {
    map.get(index as usize >> 3 & (BYTES - 1)).is_some_and(|byte| byte >> (index & 7) & 1 == 1)
}
