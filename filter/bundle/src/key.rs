//! How the engine predicts a property's name: by comparing the body with the quoted name, 32 bytes at once.

/// Bytes of a [`key`](crate::layout::Property::key).
const LEN: usize = 32;

/// The key of a property and its mask; zeros for a name that a body must not be compared with.
pub fn property_key(name: &[u8]) -> ([u8; LEN], u32) {
    let plain = |byte: &u8| (0x20..0x7F).contains(byte) && *byte != b'"' && *byte != b'\\';
    let mut key = [0; LEN];
    if name.len() + 2 > LEN || !name.iter().all(plain) {
        return (key, 0);
    }
    let quoted = b"\"".iter().chain(name).chain(b"\"");
    key.iter_mut().zip(quoted).for_each(|(to, from)| *to = *from);
    (key, u32::MAX >> (LEN - 2 - name.len()))
}

#[cfg(test)]
mod tests {
    use super::property_key;

    #[test]
    fn keys_hold_the_name_between_quotes() {
        let (key, mask) = property_key(b"id");
        assert_eq!((&key[..5], mask), (&b"\"id\"\0"[..], 0b1111));
        assert_eq!(property_key(&[b'a'; 30]).1, u32::MAX);
        assert_eq!(property_key(b"").1, 0b11);
        for name in [&[b'a'; 31][..], b"a\"b", b"a\\b", "a\u{e9}".as_bytes(), b"a\n"] {
            assert_eq!(property_key(name), ([0; 32], 0));
        }
    }
}
