//! SHA-1 (FIPS 180-4, section 6.1): for comparing with known values, not for security.

const START: [u32; 5] = [0x6745_2301, 0xEFCD_AB89, 0x98BA_DCFE, 0x1032_5476, 0xC3D2_E1F0];

/// The digest, 20 bytes.
pub(super) fn sha1(input: &[u8], out: &mut Vec<u8>) {
    let (blocks, rest) = input.as_chunks::<64>();
    let state = blocks.iter().fold(START, compress);
    // The message ends with a bit 1, zeros, and its length in bits.
    let mut tail = [0u8; 128];
    let bits = (input.len() as u64).wrapping_mul(8).to_be_bytes();
    let long = rest.len() >= 56;
    let ending = rest.iter().chain(&[0x80]);
    tail.iter_mut().zip(ending).for_each(|(to, from)| *to = *from);
    let (tail, _) = tail.as_chunks::<64>();
    let mut tail = [tail.first().copied().unwrap_or([0; 64]), [0; 64]];
    let [first, second] = &mut tail;
    let last = if long { second } else { first };
    if let Some(length) = last.last_chunk_mut::<8>() {
        *length = bits;
    }
    let state = tail.iter().take(1 + usize::from(long)).fold(state, compress);
    out.extend(state.iter().flat_map(|word| word.to_be_bytes()));
}

fn compress(state: [u32; 5], block: &[u8; 64]) -> [u32; 5] {
    let (words, _) = block.as_chunks::<4>();
    // The last 16 words of the schedule, the oldest first.
    let mut schedule = [0u32; 16];
    schedule.iter_mut().zip(words).for_each(|(to, from)| *to = u32::from_be_bytes(*from));
    let [mut a, mut b, mut c, mut d, mut e] = state;
    for round in 0..80 {
        let (mixed, constant) = match round {
            0..20 => (b & c | !b & d, 0x5A82_7999),
            20..40 => (b ^ c ^ d, 0x6ED9_EBA1),
            40..60 => (b & c | b & d | c & d, 0x8F1B_BCDC_u32),
            _ => (b ^ c ^ d, 0xCA62_C1D6),
        };
        let [word, _, w2, _, _, _, _, _, w8, _, _, _, _, w13, _, _] = schedule;
        let sum = a.rotate_left(5).wrapping_add(mixed).wrapping_add(e);
        let next = sum.wrapping_add(constant).wrapping_add(word);
        (a, b, c, d, e) = (next, a, b.rotate_left(30), c, d);
        schedule.rotate_left(1);
        let [.., newest] = &mut schedule;
        *newest = (word ^ w2 ^ w8 ^ w13).rotate_left(1);
    }
    let [h0, h1, h2, h3, h4] = state;
    [
        h0.wrapping_add(a),
        h1.wrapping_add(b),
        h2.wrapping_add(c),
        h3.wrapping_add(d),
        h4.wrapping_add(e),
    ]
}
