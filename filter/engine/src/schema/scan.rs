//! Where a run of plain string content ends, sixteen bytes at a time.
//!
//! Two builds of the same three questions: wasm with simd128, and 64-bit words elsewhere (the vector
//! instructions of other machines need unsafe code, which is not worth it where nobody waits). A mask has
//! bit `i` set where byte `i` is concerned; of a non-zero mask only the lowest bit is promised.

/// A block of input.
pub(super) type Block = [u8; 16];

pub(super) use lanes::{equal, misfits, not_white, stops, stops_unicode};

/// The sixteen bytes from `at` on, if there are as many.
#[inline(always)]
pub(super) fn block(bytes: &[u8], at: usize) -> Option<&Block> {
    bytes.get(at..)?.first_chunk::<16>()
}

/// The place of the first byte from `at` on that is a quote, a backslash, a control character or
/// not ASCII; `bytes.len()` if there is none.
#[inline]
pub(super) fn find_stop(bytes: &[u8], mut at: usize) -> usize {
    while let Some(block) = block(bytes, at) {
        let mask = stops(block);
        if mask != 0 {
            return at + mask.trailing_zeros() as usize;
        }
        at += 16;
    }
    let rest = bytes.get(at..).unwrap_or_default();
    at + rest.iter().position(|&byte| is_stop(byte) || byte >= 0x80).unwrap_or(rest.len())
}

/// As [`find_stop`], but passing over what is not ASCII.
#[inline]
pub(super) fn find_stop_unicode(bytes: &[u8], mut at: usize) -> usize {
    while let Some(block) = block(bytes, at) {
        let mask = stops_unicode(block);
        if mask != 0 {
            return at + mask.trailing_zeros() as usize;
        }
        at += 16;
    }
    let rest = bytes.get(at..).unwrap_or_default();
    at + rest.iter().position(|&byte| is_stop(byte)).unwrap_or(rest.len())
}

#[inline(always)]
fn is_stop(byte: u8) -> bool {
    byte < 0x20 || byte == b'"' || byte == b'\\'
}

#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
mod lanes {
    use super::Block;
    use core::arch::wasm32::{
        i8x16_bitmask, i8x16_eq, i8x16_lt, i8x16_splat, u8x16_lt, u8x16_shr, u8x16_splat,
        u8x16_swizzle, v128, v128_and, v128_not, v128_or,
    };

    /// Quotes, backslashes, control characters, bytes above 0x7F.
    #[inline(always)]
    pub(in super::super) fn stops(block: &Block) -> u32 {
        let bytes: v128 = zerocopy::transmute!(*block);
        // As signed bytes, what is not ASCII is also less than a space.
        let low = i8x16_lt(bytes, i8x16_splat(0x20));
        u32::from(i8x16_bitmask(v128_or(low, marks(bytes))))
    }

    /// Quotes, backslashes, control characters.
    #[inline(always)]
    pub(in super::super) fn stops_unicode(block: &Block) -> u32 {
        let bytes: v128 = zerocopy::transmute!(*block);
        let low = u8x16_lt(bytes, u8x16_splat(0x20));
        u32::from(i8x16_bitmask(v128_or(low, marks(bytes))))
    }

    /// Bytes that are the same in both blocks; every bit is promised.
    #[inline(always)]
    pub(in super::super) fn equal(left: &Block, right: &Block) -> u32 {
        let left: v128 = zerocopy::transmute!(*left);
        let right: v128 = zerocopy::transmute!(*right);
        u32::from(i8x16_bitmask(i8x16_eq(left, right)))
    }

    /// What is no white space; every bit is promised.
    #[inline(always)]
    pub(in super::super) fn not_white(block: &Block) -> u32 {
        let bytes: v128 = zerocopy::transmute!(*block);
        let is = |byte: u8| i8x16_eq(bytes, i8x16_splat(byte as i8));
        let breaks = v128_or(is(b'\n'), is(b'\r'));
        let blanks = v128_or(is(b' '), is(b'\t'));
        u32::from(i8x16_bitmask(v128_not(v128_or(breaks, blanks))))
    }

    /// Bytes of which no wanted bit is set in both tables, see [`super::Stencil`]; every bit is promised.
    #[inline(always)]
    pub(in super::super) fn misfits(
        block: &Block,
        low: &Block,
        high: &Block,
        wanted: &Block,
    ) -> u32 {
        let bytes: v128 = zerocopy::transmute!(*block);
        let (low, high): (v128, v128) = (zerocopy::transmute!(*low), zerocopy::transmute!(*high));
        let wanted: v128 = zerocopy::transmute!(*wanted);
        let low = u8x16_swizzle(low, v128_and(bytes, u8x16_splat(0x0F)));
        let high = u8x16_swizzle(high, u8x16_shr(bytes, 4));
        let fit = v128_and(v128_and(low, high), wanted);
        u32::from(i8x16_bitmask(i8x16_eq(fit, u8x16_splat(0))))
    }

    #[inline(always)]
    fn marks(bytes: v128) -> v128 {
        let quotes = i8x16_eq(bytes, i8x16_splat(b'"' as i8));
        let backslashes = i8x16_eq(bytes, i8x16_splat(b'\\' as i8));
        v128_or(quotes, backslashes)
    }
}

#[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
mod lanes {
    pub(in super::super) use super::words::{equal, misfits, not_white, stops, stops_unicode};
}

/// The same questions of 64-bit words; compiled everywhere, so that it is tested everywhere.
#[cfg_attr(all(target_arch = "wasm32", target_feature = "simd128"), allow(dead_code))]
mod words {
    use super::Block;

    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGHS: u64 = 0x8080_8080_8080_8080;

    pub(in super::super) fn stops(block: &Block) -> u32 {
        let of = |word: u64| gather((marks(word) | less_than_space(word) | word) & HIGHS);
        join(block, of)
    }

    pub(in super::super) fn stops_unicode(block: &Block) -> u32 {
        let of = |word: u64| gather((marks(word) | less_than_space(word)) & HIGHS);
        join(block, of)
    }

    pub(in super::super) fn equal(left: &Block, right: &Block) -> u32 {
        left.iter().zip(right).rev().fold(0, |mask, (a, b)| mask << 1 | u32::from(a == b))
    }

    pub(in super::super) fn not_white(block: &Block) -> u32 {
        let dark = |byte: &u8| !matches!(byte, b' ' | b'\n' | b'\r' | b'\t');
        block.iter().rev().fold(0, |mask, byte| mask << 1 | u32::from(dark(byte)))
    }

    pub(in super::super) fn misfits(
        block: &Block,
        low: &Block,
        high: &Block,
        wanted: &Block,
    ) -> u32 {
        block.iter().zip(wanted).rev().fold(0, |mask, (byte, wanted)| {
            let low = low.get(usize::from(byte & 15)).copied().unwrap_or(0);
            let high = high.get(usize::from(byte >> 4)).copied().unwrap_or(0);
            mask << 1 | u32::from(low & high & wanted == 0)
        })
    }

    fn join(block: &Block, of: impl Fn(u64) -> u32) -> u32 {
        let whole = u128::from_le_bytes(*block);
        of(whole as u64) | of((whole >> 64) as u64) << 8
    }

    fn marks(word: u64) -> u64 {
        zeros(word ^ (ONES * b'"' as u64)) | zeros(word ^ (ONES * b'\\' as u64))
    }

    /// High bits of the zero bytes, exact up to the first of them.
    fn zeros(word: u64) -> u64 {
        word.wrapping_sub(ONES) & !word & HIGHS
    }

    /// High bits of the bytes below 0x20, exact up to the first of them.
    fn less_than_space(word: u64) -> u64 {
        word.wrapping_sub(ONES * 0x20) & !word & HIGHS
    }

    /// One bit for each high bit.
    fn gather(highs: u64) -> u32 {
        ((highs >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56) as u32
    }
}

#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn lowest(block: &Block, concerned: impl Fn(u8) -> bool) -> Option<u32> {
        block.iter().position(|&byte| concerned(byte)).map(|place| place as u32)
    }

    fn first(mask: u32) -> Option<u32> {
        (mask != 0).then(|| mask.trailing_zeros())
    }

    proptest! {
        #[test]
        fn masks_find_what_a_plain_loop_finds(block in any::<Block>(), ascii in any::<bool>()) {
            let block = if ascii { block.map(|byte| byte & 0x7F) } else { block };
            let all = lowest(&block, |byte| is_stop(byte) || byte >= 0x80);
            let marks = lowest(&block, is_stop);
            prop_assert_eq!(first(stops(&block)), all);
            prop_assert_eq!(first(words::stops(&block)), all);
            prop_assert_eq!(first(stops_unicode(&block)), marks);
            prop_assert_eq!(first(words::stops_unicode(&block)), marks);
        }

        #[test]
        fn equality_is_exact(left in any::<Block>(), change in any::<u16>()) {
            let mut right = left;
            for (place, byte) in right.iter_mut().enumerate() {
                *byte ^= u8::from(change >> place & 1 == 1);
            }
            prop_assert_eq!(equal(&left, &right), u32::from(!change));
            prop_assert_eq!(words::equal(&left, &right), u32::from(!change));
        }

        #[test]
        fn other_masks_are_exact(
            block in any::<Block>(), low in any::<Block>(), high in any::<Block>(), wanted in any::<Block>(),
            white in any::<u16>(),
        ) {
            let mut text = block;
            for (place, byte) in text.iter_mut().enumerate() {
                if white >> place & 1 == 1 {
                    *byte = b" \n\r\t"[usize::from(*byte & 3)];
                }
            }
            prop_assert_eq!(not_white(&text), words::not_white(&text));
            for (place, byte) in text.iter().enumerate() {
                let dark = !b" \n\r\t".contains(byte);
                prop_assert_eq!(not_white(&text) >> place & 1 == 1, dark);
            }
            let misfits = misfits(&block, &low, &high, &wanted);
            prop_assert_eq!(misfits, words::misfits(&block, &low, &high, &wanted));
            for (place, (byte, wanted)) in block.iter().zip(&wanted).enumerate() {
                let bits = low[usize::from(byte % 16)] & high[usize::from(byte / 16)] & wanted;
                prop_assert_eq!(misfits >> place & 1 == 1, bits == 0);
            }
        }

        #[test]
        fn a_stop_is_found_at_any_distance(len in 0_usize..70, tail in 0_usize..40, stop in any::<u8>()) {
            let mut text = vec![b'x'; len];
            text.push(stop);
            text.extend(vec![b'y'; tail]);
            let end = text.len();
            prop_assert_eq!(find_stop(&text, 0), if is_stop(stop) || stop >= 0x80 { len } else { end });
            prop_assert_eq!(find_stop_unicode(&text, 0), if is_stop(stop) { len } else { end });
        }
    }
}
