//! SipHash-2-4 with 128 bits (Aumasson and Bernstein, 2012): short, and not to be foretold without its key.

/// A hash under way.
#[derive(Clone, Debug)]
pub struct Sip {
    v: [u64; 4],
    tail: u64,
    len: usize,
}

impl Sip {
    /// Begins a hash by a key.
    pub fn new(key: [u64; 2]) -> Self {
        let [k0, k1] = key;
        Sip {
            v: [
                k0 ^ 0x736f_6d65_7073_6575,
                k1 ^ 0x646f_7261_6e64_6f6d ^ 0xee,
                k0 ^ 0x6c79_6765_6e65_7261,
                k1 ^ 0x7465_6462_7974_6573,
            ],
            tail: 0,
            len: 0,
        }
    }

    /// Takes the next bytes.
    pub fn write(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        if self.len & 7 == 0 {
            while let Some((word, after)) = rest.split_first_chunk::<8>() {
                self.compress(u64::from_le_bytes(*word));
                self.len = self.len.wrapping_add(8);
                rest = after;
            }
        }
        for byte in rest {
            self.tail |= u64::from(*byte) << ((self.len & 7) * 8);
            self.len = self.len.wrapping_add(1);
            if self.len & 7 == 0 {
                let word = core::mem::take(&mut self.tail);
                self.compress(word);
            }
        }
    }

    /// The hash: its first and its last eight bytes.
    pub fn finish(mut self) -> [u64; 2] {
        let last = self.tail | (self.len as u64 & 0xFF) << 56;
        self.compress(last);
        self.v[2] ^= 0xee;
        (0..4).for_each(|_| self.round());
        let first = self.fold();
        self.v[1] ^= 0xdd;
        (0..4).for_each(|_| self.round());
        [first, self.fold()]
    }

    fn compress(&mut self, word: u64) {
        self.v[3] ^= word;
        self.round();
        self.round();
        self.v[0] ^= word;
    }

    fn fold(&self) -> u64 {
        let [a, b, c, d] = self.v;
        a ^ b ^ c ^ d
    }

    fn round(&mut self) {
        let [mut a, mut b, mut c, mut d] = self.v;
        a = a.wrapping_add(b);
        b = b.rotate_left(13) ^ a;
        a = a.rotate_left(32);
        c = c.wrapping_add(d);
        d = d.rotate_left(16) ^ c;
        a = a.wrapping_add(d);
        d = d.rotate_left(21) ^ a;
        c = c.wrapping_add(b);
        b = b.rotate_left(17) ^ c;
        c = c.rotate_left(32);
        self.v = [a, b, c, d];
    }
}

#[cfg(test)]
mod tests {
    use super::Sip;

    /// The vectors of the reference implementation (`vectors_sip128`): key and message are 00 01 02 ….
    #[test]
    fn the_reference_vectors_hold() {
        let key = [0x0706_0504_0302_0100, 0x0f0e_0d0c_0b0a_0908];
        let hash = |len: u8, cut: usize| {
            let mut sip = Sip::new(key);
            let message: Vec<u8> = (0..len).collect();
            message.chunks(cut).for_each(|piece| sip.write(piece));
            let [first, last] = sip.finish();
            [first.to_le_bytes(), last.to_le_bytes()].concat()
        };
        let hex = |bytes: Vec<u8>| bytes.iter().map(|b| format!("{b:02x}")).collect::<String>();
        for cut in [1, 3, 8, 15] {
            assert_eq!(hex(hash(0, cut)), "a3817f04ba25a8e66df67214c7550293");
            assert_eq!(hex(hash(1, cut)), "da87c1d86b99af44347659119b22fc45");
            assert_eq!(hex(hash(15, cut)), "5493e99933b0a8117e08ec0f97cfc3d9");
        }
    }
}
