//! The tables by which literals are found in one pass over a text.

use super::literals::grams;
use crate::lower::tables::Tables;
use portcullis_bundle::layout::{self, BESIDE_AFTER, BESIDE_BEFORE, CLASS_MAP, GRAM_MAP, Index};
use portcullis_bundle::{gram_bucket, gram_class, gram_hash};
use std::collections::{BTreeMap, HashMap};
use zerocopy::little_endian::U16;

/// As the engine marks the gram of a pair.
const PAIR: u32 = 1 << 24;

/// The matchers that a literal proposes: indexes into matchers.
#[derive(Debug, Default)]
pub struct Uses {
    /// On texts with marks.
    pub all: Vec<u16>,
    /// On plain texts.
    pub plain: Vec<u16>,
}

/// A literal in its bucket.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Placed {
    bucket: usize,
    gram: u32,
    literal: Vec<u8>,
    /// Where its gram begins.
    at: usize,
    /// The matchers that it proposes.
    own: Vec<u16>,
}

/// Writes literals and the matchers that use them. Gives the logarithm of how many buckets there are.
pub fn write(tables: &mut Tables<'_>, uses: BTreeMap<Vec<u8>, Uses>) -> u8 {
    if uses.is_empty() {
        return 0;
    }
    let bits = (uses.len().next_power_of_two().ilog2() as u8).clamp(4, 15);
    let mut filters = Filters::default();
    let mut placed = Vec::new();
    let places = choose(uses.keys());
    for ((literal, Uses { all, plain }), at) in uses.into_iter().zip(places) {
        let bytes = &literal[at..literal.len().min(at + 3)];
        let key = bytes.iter().rev().fold(0, |key, byte| key << 8 | u32::from(*byte));
        let key = if bytes.len() == 2 { key | PAIR } else { key };
        filters.add(bytes, key, (!all.is_empty(), !plain.is_empty()));
        let mut own = [all, plain].concat();
        own.sort_unstable();
        own.dedup();
        placed.push(Placed { bucket: gram_bucket(key, bits), gram: key, literal, at, own });
    }
    placed.sort();
    let sections = &mut tables.sections;
    let mut bucket = 0;
    for (place, it) in placed.iter().enumerate() {
        let Placed { bucket: of, gram, literal, at, own } = it;
        while bucket <= *of {
            sections.buckets.push(Index { value: (place as u32).into() });
            bucket += 1;
        }
        sections.literals.push(layout::Literal {
            bytes: (sections.literal_bytes.len() as u32).into(),
            gram: (*gram).into(),
            uses: (sections.literal_uses.len() as u32).into(),
            use_count: (own.len() as u16).into(),
            len: (literal.len() as u16).into(),
            at: (*at as u16).into(),
            beside: beside(literal, *at, *gram).into(),
        });
        sections.literal_bytes.extend_from_slice(literal);
        sections.literal_uses.extend(own.iter().map(|matcher| U16::from(*matcher)));
    }
    while bucket <= 1 << bits {
        sections.buckets.push(Index { value: (placed.len() as u32).into() });
        bucket += 1;
    }
    sections.gram_filter = filters.bytes();
    bits
}

/// What of a literal stands beside its gram, so that most texts that hold the gram alone are told by one byte.
fn beside(literal: &[u8], at: usize, gram: u32) -> u16 {
    let end = at + if gram & PAIR == 0 { 3 } else { 2 };
    match (literal.get(end), at.checked_sub(1)) {
        (Some(after), _) => BESIDE_AFTER | u16::from(*after),
        (None, Some(before)) => BESIDE_BEFORE | u16::from(literal[before]),
        (None, None) => 0,
    }
}

/// Chooses where the gram of each literal begins: at rare bytes, and so that few literals share a gram.
fn choose<'l>(literals: impl Iterator<Item = &'l Vec<u8>>) -> Vec<usize> {
    let mut shared: HashMap<&[u8], u32> = HashMap::new();
    let mut chosen = Vec::new();
    for literal in literals {
        let worth = |gram: &[u8], rare: u32| {
            let others = shared.get(gram).copied().unwrap_or(0);
            i64::from(rare) * 4 - i64::from((others + 1).ilog2()) * 4
        };
        // The first of the best.
        let best = grams(literal)
            .max_by_key(|(at, gram, rare)| (worth(gram, *rare), std::cmp::Reverse(*at)));
        let (at, gram, _) = best.unwrap_or((0, &[], 0));
        *shared.entry(gram).or_default() += 1;
        chosen.push(at);
    }
    chosen
}

/// The bit maps by which grams are found.
struct Filters {
    /// Pairs, then hashes of three bytes.
    exact: Vec<u8>,
    /// Three classes, for all texts.
    all: Vec<u8>,
    /// The same, for texts without marks.
    plain: Vec<u8>,
}

impl Default for Filters {
    fn default() -> Self {
        let map = |len| vec![0; len];
        Filters { exact: map(2 * GRAM_MAP), all: map(CLASS_MAP), plain: map(CLASS_MAP) }
    }
}

impl Filters {
    fn add(&mut self, gram: &[u8], key: u32, (all, plain): (bool, bool)) {
        let class = |at: usize| usize::from(gram_class(gram[at]));
        // Before a pair anything may stand.
        let (exact, firsts, pair) = match gram.len() {
            2 => (key & 0xFFFF, 0..32, class(0) << 5 | class(1)),
            _ => (gram_hash(key) + 65_536, class(0)..class(0) + 1, class(1) << 5 | class(2)),
        };
        set(&mut self.exact, exact as usize);
        for first in firsts {
            for (map, wanted) in [(&mut self.all, all), (&mut self.plain, plain)] {
                if wanted {
                    set(map, first << 10 | pair);
                }
            }
        }
    }

    fn bytes(self) -> Vec<u8> {
        [self.exact, self.all, self.plain].concat()
    }
}

fn set(map: &mut [u8], bit: usize) {
    map[bit / 8] |= 1 << (bit % 8);
}
