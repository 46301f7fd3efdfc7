//! The fingerprints that attacks have.
//!
//! `tables/fingerprints.bin` is made of `tables/fingerprints.txt` by the test `tables`: the minimal acyclic
//! automaton of the fingerprints, whose letters are all upper case there. A node is three bytes, of which
//! the low bits tell which letters of [`ALPHABET`] go on and the highest bit ([`ACCEPTS`]) that a
//! fingerprint ends here, and then for each letter that goes on the place of the next node (u16). All is
//! little-endian, the first node comes first.

use super::token::Kind;
use crate::bytes::{after, find};

static AUTOMATON: &[u8] = include_bytes!("../../tables/fingerprints.bin");

/// The letters of the fingerprints, in the order of their bits.
pub const ALPHABET: &[u8; 20] = b"&(),1:;ABCEFKNOSTUVX";

/// The bit of a node at which a fingerprint ends.
pub const ACCEPTS: u32 = 1 << 23;

/// Whether kinds of tokens in this order are known from attacks.
pub fn is_known(kinds: impl Iterator<Item = Kind>) -> bool {
    let mut node = AUTOMATON;
    for kind in kinds {
        match next(node, kind) {
            Some(at) => node = at,
            None => return false,
        }
    }
    letters(node).is_some_and(|letters| letters & ACCEPTS != 0)
}

fn next(node: &[u8], kind: Kind) -> Option<&'static [u8]> {
    let bit = 1 << find(ALPHABET, kind.letter().to_ascii_uppercase())?;
    let letters = letters(node)?;
    if letters & bit == 0 {
        return None;
    }
    let before = usize::try_from((letters & (bit - 1)).count_ones()).ok()?;
    let place = after(node, 3 + 2 * before).first_chunk::<2>()?;
    Some(after(AUTOMATON, usize::from(u16::from_le_bytes(*place))))
}

fn letters(node: &[u8]) -> Option<u32> {
    let [low, middle, high] = *node.first_chunk::<3>()?;
    Some(u32::from_le_bytes([low, middle, high, 0]))
}
