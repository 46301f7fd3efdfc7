//! The hash by which names are looked up in the bundle's tables.

/// Hashes a property name or literal string for the bundle's hash tables.
///
/// It reads the first eight bytes, the last eight and the length: tables hold names that the
/// documents fix, whose collisions the compiler resolves by probing, so clients cannot make a
/// look-up longer than the table's own longest run.
#[inline(always)]
pub fn name_hash(name: &[u8]) -> u32 {
    let (first, last) = match name.len() {
        0 => (0, 0),
        1..=3 => {
            let get = |i: usize| u64::from(name.get(i).copied().unwrap_or(0));
            (get(0) | get(1) << 8 | get(2) << 16, 0)
        }
        4..=7 => (head::<4>(name), tail::<4>(name)),
        _ => (head::<8>(name), tail::<8>(name)),
    };
    let mixed = (first ^ 0x9E37_79B9_7F4A_7C15).wrapping_mul(0xD6E8_FEB8_6659_FD93).rotate_left(29)
        ^ last.wrapping_mul(0xA076_1D64_78BD_642F);
    let mixed = (mixed ^ name.len() as u64).wrapping_mul(0xE703_7ED1_A0B4_28DB);
    (mixed ^ (mixed >> 32)) as u32
}

#[inline(always)]
fn head<const N: usize>(bytes: &[u8]) -> u64 {
    bytes.first_chunk::<N>().map_or(0, widen)
}

#[inline(always)]
fn tail<const N: usize>(bytes: &[u8]) -> u64 {
    bytes.last_chunk::<N>().map_or(0, widen)
}

#[inline(always)]
fn widen<const N: usize>(chunk: &[u8; N]) -> u64 {
    chunk.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte))
}

/// Where three bytes, the first lowest, stand in the bit map of grams: 16 bits.
#[inline(always)]
pub const fn gram_hash(gram: u32) -> u32 {
    gram.wrapping_mul(0x9E37_79B1) >> 16
}

/// The bucket, of 2^bits, that holds the literals of a gram.
#[inline(always)]
pub const fn gram_bucket(gram: u32, bits: u8) -> usize {
    (gram.wrapping_mul(0x85EB_CA6B) >> 16) as usize & ((1 << (bits & 15)) - 1)
}

/// The class of a byte, of 32: three classes stand for a gram in the first look for it. Letters are told apart, in one
/// case and but for the rarest; digits and marks come together, those of ordinary values apart from those of attacks.
#[inline(always)]
pub fn gram_class(byte: u8) -> u8 {
    CLASSES.get(usize::from(byte)).copied().unwrap_or(0)
}

#[expect(clippy::indexing_slicing, reason = "evaluated by the compiler")]
const CLASSES: [u8; 256] = {
    let mut classes = [31; 256];
    let mut byte = 0;
    while byte < 256 {
        let lower = (byte as u8).to_ascii_lowercase();
        classes[byte] = match lower {
            b'q' | b'x' | b'z' => b'j' - b'a',
            b'y' => b'q' - b'a',
            b'a'..=b'w' => lower - b'a',
            b'0' | b'1' => 23,
            b'2'..=b'9' => 24,
            0..=b' ' => 25,
            b'.' => 26,
            b'-' | b'_' => 27,
            b',' | b':' | b'/' | b'@' | b'+' => 28,
            b'\'' | b'"' | b'`' | b'\\' | b'=' => 29,
            b'(' | b')' | b'<' | b'>' | b'[' | b']' | b'{' | b'}' => 30,
            _ => 31,
        };
        byte += 1;
    }
    classes
};

#[cfg(test)]
mod tests {
    use super::name_hash;
    use std::collections::HashSet;

    #[test]
    fn names_that_differ_in_one_place_hash_apart() {
        let mut seen = HashSet::new();
        for len in 0..40 {
            for place in 0..len.min(8) {
                let mut name = vec![b'a'; len];
                name[place] = b'b';
                assert!(seen.insert(name_hash(&name)), "{len} {place}");
            }
        }
    }
}
