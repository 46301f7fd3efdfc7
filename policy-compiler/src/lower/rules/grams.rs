//! The tables by which literals are found in one pass over a text.

use super::literals::gram;
use crate::lower::tables::Tables;
use portcullis_bundle::layout::{self, Index};
use portcullis_bundle::{gram_bucket, gram_hash};
use std::collections::BTreeMap;
use zerocopy::little_endian::U16;

/// Bytes of one bit map.
const MAP: usize = 8192;

/// As the engine marks the gram of a pair.
const PAIR: u32 = 1 << 24;

/// Writes literals and the matchers that use them. Gives the logarithm of how many buckets there are.
pub fn write(tables: &mut Tables<'_>, uses: &BTreeMap<Vec<u8>, Vec<u16>>) -> u8 {
    if uses.is_empty() {
        return 0;
    }
    let bits = (uses.len().next_power_of_two().ilog2() as u8).clamp(4, 15);
    let mut maps = vec![0u8; 2 * MAP];
    let mut placed: Vec<(usize, u32, &Vec<u8>, usize)> = Vec::new();
    for literal in uses.keys() {
        let (at, _) = gram(literal);
        let bytes = &literal[at..literal.len().min(at + 3)];
        let key = bytes.iter().rev().fold(0, |key, byte| key << 8 | u32::from(*byte));
        let (bit, key) =
            if bytes.len() == 2 { (key, key | PAIR) } else { (gram_hash(key) + 65_536, key) };
        maps[bit as usize / 8] |= 1 << (bit % 8);
        placed.push((gram_bucket(key, bits), key, literal, at));
    }
    placed.sort();
    let sections = &mut tables.sections;
    let mut bucket = 0;
    for (place, (of, gram, literal, at)) in placed.iter().enumerate() {
        while bucket <= *of {
            sections.buckets.push(Index { value: (place as u32).into() });
            bucket += 1;
        }
        let own = &uses[*literal];
        sections.literals.push(layout::Literal {
            bytes: (sections.literal_bytes.len() as u32).into(),
            gram: (*gram).into(),
            uses: (sections.literal_uses.len() as u32).into(),
            use_count: (own.len() as u16).into(),
            len: (literal.len() as u16).into(),
            at: (*at as u16).into(),
            reserved: 0.into(),
        });
        sections.literal_bytes.extend_from_slice(literal);
        sections.literal_uses.extend(own.iter().map(|matcher| U16::from(*matcher)));
    }
    while bucket <= 1 << bits {
        sections.buckets.push(Index { value: (placed.len() as u32).into() });
        bucket += 1;
    }
    sections.gram_filter = maps;
    bits
}
