//! A look at the bytes of a value that most values need no more than.

/// Whether a value may inject SQL. False for one word, and for numbers, dates and times; a value of which
/// this is false is none that [`super::is_injection`] finds.
///
/// One word is one token, and no fingerprint has one letter but that of comments that databases read
/// differently. Digits, `.`, `:`, `+` and single `-` make numbers, dots, colons and operators, and no
/// fingerprint is of these alone.
pub fn possible(value: &[u8]) -> bool {
    match value.first() {
        None => false,
        Some(b'0'..=b'9' | b'-' | b'+' | b'.' | b':') => !is_numeric(value),
        Some(_) => !value.iter().copied().all(is_letter),
    }
}

/// Bytes of words that begin no other token, hold no known word, and end none.
fn is_letter(byte: u8) -> bool {
    matches!(byte, b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | 0x80..=0x9f | 0xa1..)
}

fn is_numeric(value: &[u8]) -> bool {
    let mut before = 0;
    value.iter().all(|byte| {
        let comment = before == b'-' && *byte == b'-';
        before = *byte;
        !comment && matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b':')
    })
}

#[cfg(test)]
mod tests {
    use super::super::is_injection;
    use super::possible;

    #[test]
    fn plain_values_are_told_by_their_bytes() {
        for plain in
            ["", "union", "caf\u{e9}", "O_x1", "42", "-1.5", "2024-02-29", "23:59:60", "+41"]
        {
            assert!(!possible(plain.as_bytes()), "{plain}");
            assert_eq!(is_injection(plain.as_bytes()), None, "{plain}");
        }
        for other in ["1--", "a b", "1U", "x'", "a.b", "`", "0x1", "a\u{a0}b", "-- ", "\0"] {
            assert!(possible(other.as_bytes()), "{other}");
        }
    }

    /// Every value of up to six bytes of those that decide.
    #[test]
    fn what_injects_is_possible() {
        let bytes = b"1-.:+aE_'\xa0 ";
        let mut values: Vec<Vec<u8>> = vec![Vec::new()];
        for _ in 0..6 {
            let last = std::mem::take(&mut values);
            for value in &last {
                for byte in bytes {
                    let mut longer = value.clone();
                    longer.push(*byte);
                    assert!(possible(&longer) || is_injection(&longer).is_none(), "{longer:?}");
                    if longer.len() < 6 {
                        values.push(longer);
                    }
                }
            }
        }
    }

    /// The proof rests on the list: no fingerprint is of numbers, operators, dots and colons alone, and
    /// only one has a single letter.
    #[test]
    fn no_fingerprint_is_of_numbers_alone() {
        let list = include_str!("../../tables/fingerprints.txt");
        for fingerprint in list.lines() {
            assert!(!fingerprint.bytes().all(|letter| b"1O.:".contains(&letter)), "{fingerprint}");
            assert!(fingerprint.len() > 1 || fingerprint == "X");
        }
    }
}
