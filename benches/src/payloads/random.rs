//! Deterministic randomness: every run and every machine judges the same bodies.

/// SplitMix64 (Steele, Lea, Flood 2014): one 64-bit state, good enough to vary payloads.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// A generator whose sequence depends on `seed` alone.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next 64 bits.
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number in `low..=high`.
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.next() % (high - low + 1)
    }

    /// True `percent` times in a hundred.
    pub fn chance(&mut self, percent: u64) -> bool {
        self.next() % 100 < percent
    }

    /// One of `choices`.
    pub fn pick<'a, T: ?Sized>(&mut self, choices: &[&'a T]) -> &'a T {
        choices[(self.next() % choices.len() as u64) as usize]
    }

    /// A string of `length` characters out of `alphabet` (ASCII).
    pub fn string(&mut self, alphabet: &str, length: u64) -> String {
        let bytes = alphabet.as_bytes();
        (0..length).map(|_| bytes[(self.next() % bytes.len() as u64) as usize] as char).collect()
    }
}
