//! Sets of bytes.

/// A set of bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct ByteSet([u64; 4]);

impl ByteSet {
    /// No byte.
    pub const EMPTY: ByteSet = ByteSet([0; 4]);

    /// Every byte.
    pub const ALL: ByteSet = ByteSet([u64::MAX; 4]);

    /// The bytes of a text.
    pub const fn of(bytes: &[u8]) -> ByteSet {
        let mut set = ByteSet::EMPTY;
        let mut rest = bytes;
        while let [byte, after @ ..] = rest {
            set = set.with(*byte, *byte);
            rest = after;
        }
        set
    }

    /// The bytes from `first` to `last`, both included.
    pub const fn range(first: u8, last: u8) -> ByteSet {
        ByteSet::EMPTY.with(first, last)
    }

    /// The bytes whose bits are set in the words: bit `b % 64` of word `b / 64`.
    pub const fn from_words(words: [u64; 4]) -> ByteSet {
        ByteSet(words)
    }

    /// The set as words.
    pub const fn words(self) -> [u64; 4] {
        self.0
    }

    const fn with(self, first: u8, last: u8) -> ByteSet {
        let ByteSet([mut a, mut b, mut c, mut d]) = self;
        let mut byte = first as u16;
        while byte <= last as u16 {
            let bit = 1u64 << (byte % 64);
            match byte / 64 {
                0 => a |= bit,
                1 => b |= bit,
                2 => c |= bit,
                _ => d |= bit,
            }
            byte += 1;
        }
        ByteSet([a, b, c, d])
    }

    /// Whether a byte is in the set.
    #[inline]
    pub const fn contains(self, byte: u8) -> bool {
        let ByteSet([a, b, c, d]) = self;
        let word = match byte / 64 {
            0 => a,
            1 => b,
            2 => c,
            _ => d,
        };
        word >> (byte % 64) & 1 != 0
    }

    /// What is in either set.
    #[inline]
    pub const fn union(self, other: ByteSet) -> ByteSet {
        let (ByteSet([a, b, c, d]), ByteSet([e, f, g, h])) = (self, other);
        ByteSet([a | e, b | f, c | g, d | h])
    }

    /// Whether a byte is in both sets.
    #[inline]
    pub const fn intersects(self, other: ByteSet) -> bool {
        let (ByteSet([a, b, c, d]), ByteSet([e, f, g, h])) = (self, other);
        (a & e) | (b & f) | (c & g) | (d & h) != 0
    }

    /// Whether no byte is in the set.
    #[inline]
    pub const fn is_empty(self) -> bool {
        let ByteSet([a, b, c, d]) = self;
        a | b | c | d == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_hold_what_they_are_made_of() {
        let set = ByteSet::of(b"a\0\xFF").union(ByteSet::range(b'0', b'9'));
        for byte in 0..=255u8 {
            let expected = matches!(byte, b'a' | 0 | 0xFF | b'0'..=b'9');
            assert_eq!(set.contains(byte), expected, "{byte}");
            assert_eq!(set.intersects(ByteSet::range(byte, byte)), expected, "{byte}");
            assert!(ByteSet::ALL.contains(byte) && !ByteSet::EMPTY.contains(byte));
        }
        assert!(ByteSet::EMPTY.is_empty() && !set.is_empty());
        assert_eq!(ByteSet::from_words(set.words()), set);
        assert_eq!(ByteSet::range(0, 255), ByteSet::ALL);
    }
}
