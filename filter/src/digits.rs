//! Bytes as text: hexadecimal digits and base64 (RFC 4648, sections 8 and 4).
//!
//! Configurations are read once, so the code is small rather than fast.

/// The bytes as hexadecimal digits, lower case.
pub fn to_hex(bytes: &[u8]) -> String {
    let digit = |half: u8| char::from_digit(u32::from(half), 16).unwrap_or('0');
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

/// The bytes of 64 hexadecimal digits in either case.
pub fn from_hex(text: &str) -> Option<[u8; 32]> {
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    let mut bytes = [0; 32];
    if pairs.len() != bytes.len() || !rest.is_empty() {
        return None;
    }
    for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
        let digit = |c: u8| char::from(c).to_digit(16);
        *byte = u8::try_from(digit(*high)? << 4 | digit(*low)?).ok()?;
    }
    Some(bytes)
}

/// Replaces padded base64 by what it stands for, in place.
///
/// # Errors
/// With the place of the first character that is out of place; the bytes are then of no use.
pub fn decode_base64(bytes: &mut Vec<u8>) -> Result<(), usize> {
    let end = match bytes.as_slice() {
        [rest @ .., b'=', b'='] | [rest @ .., b'='] => rest.len(),
        all => all.len(),
    };
    let is_padded = bytes.len().is_multiple_of(4);
    let (mut bits, mut count, mut filled) = (0_u32, 0_u32, 0_usize);
    for place in 0..end {
        let digit = bytes.get(place).copied().and_then(value).ok_or(place)?;
        bits = bits << 6 | digit;
        count += 6;
        if count >= 8 {
            count -= 8;
            // What is written lies before what is still to be read.
            if let Some(byte) = bytes.get_mut(filled) {
                *byte = (bits >> count) as u8;
            }
            filled = filled.saturating_add(1);
            bits &= (1 << count) - 1;
        }
    }
    // Bits that are left over must be zero, so that a bundle has one encoding.
    if !is_padded || bits != 0 {
        return Err(end);
    }
    bytes.truncate(filled);
    bytes.shrink_to_fit();
    Ok(())
}

fn value(digit: u8) -> Option<u32> {
    let value = match digit {
        b'A'..=b'Z' => digit - b'A',
        b'a'..=b'z' => digit - b'a' + 26,
        b'0'..=b'9' => digit - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    };
    Some(u32::from(value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use data_encoding::{BASE64, HEXLOWER};

    fn decoded(text: &str) -> Result<Vec<u8>, usize> {
        let mut bytes = text.as_bytes().to_vec();
        decode_base64(&mut bytes).map(|()| bytes)
    }

    #[test]
    fn digits_are_those_of_another_implementation() {
        let bytes: Vec<u8> = (0..=255).rev().collect();
        assert_eq!(to_hex(&bytes), HEXLOWER.encode(&bytes));
        let key: [u8; 32] = *bytes.first_chunk().unwrap();
        assert_eq!(from_hex(&to_hex(&key)), Some(key));
        assert_eq!(from_hex(&to_hex(&key).to_uppercase()), Some(key));
        for text in ["", "00", &"0".repeat(63), &"0".repeat(65), &"g".repeat(64), &"é".repeat(32)]
        {
            assert_eq!(from_hex(text), None, "{text}");
        }
        for len in 0..bytes.len() {
            let part = &bytes[..len];
            assert_eq!(decoded(&BASE64.encode(part)).as_deref(), Ok(part));
        }
        for (text, place) in [
            ("Z", 1),
            ("Zg", 2),
            ("Zg=", 2),
            ("Zh==", 2),
            ("Z===", 1),
            ("=", 0),
            ("Zm 9", 2),
            ("Zm-_", 2),
            ("Zm9v\n", 4),
        ] {
            assert_eq!(decoded(text), Err(place), "{text}");
            assert!(BASE64.decode(text.as_bytes()).is_err(), "{text}");
        }
        // One encoding after another is no encoding.
        assert_eq!(decoded("Zg==Zg=="), Err(2));
    }
}
