//! The words that SQL gives a meaning, and phrases of them.
//!
//! `tables/words.bin` is made of `tables/words.txt` by the test `tables`. It has the words by length: for
//! each length from 1 on, where the words of that length begin (u16, little-endian) and how many they
//! are (u8); after the lengths the words themselves, sorted, each followed by the letter of its kind.

use super::token::{Kind, LONGEST};
use crate::bytes::{after, first};

static TABLE: &[u8] = include_bytes!("../../tables/words.bin");

/// How many lengths the table has.
const LENGTHS: usize = 29;

/// What a word means, whatever the case of its letters.
#[inline(never)]
pub fn lookup(word: &[u8]) -> Option<Kind> {
    find(&upper(word)?, word.len()).map(|(_, kind)| kind)
}

/// What two words after each other mean together: the phrase as the table has it.
pub fn phrase(left: &[u8], right: &[u8]) -> Option<(&'static [u8], Kind)> {
    let mut joined = [0; LONGEST];
    let bytes = left.iter().chain(b" ").chain(right);
    let length = left.len() + 1 + right.len();
    if length > LENGTHS {
        return None;
    }
    for (to, from) in joined.iter_mut().zip(bytes) {
        *to = from.to_ascii_uppercase();
    }
    find(&joined, length)
}

fn upper(word: &[u8]) -> Option<[u8; LONGEST]> {
    let mut upper = [0; LONGEST];
    for (to, from) in upper.get_mut(..word.len())?.iter_mut().zip(word) {
        *to = from.to_ascii_uppercase();
    }
    Some(upper)
}

#[inline(never)]
fn find(upper: &[u8; LONGEST], length: usize) -> Option<(&'static [u8], Kind)> {
    if !(1..=LENGTHS).contains(&length) {
        return None;
    }
    let [low, high, count] = *after(TABLE, 3 * (length - 1)).first_chunk::<3>()?;
    let words = after(TABLE, usize::from(u16::from_le_bytes([low, high])));
    let wanted = first(upper, length);
    let (mut from, mut to) = (0, usize::from(count));
    while from < to {
        let middle = from.midpoint(to);
        let (word, letter) = after(words, middle * (length + 1)).split_at_checked(length)?;
        match word.cmp(wanted) {
            core::cmp::Ordering::Less => from = middle + 1,
            core::cmp::Ordering::Greater => to = middle,
            core::cmp::Ordering::Equal => return Some((word, Kind::of_word(*letter.first()?)?)),
        }
    }
    None
}
