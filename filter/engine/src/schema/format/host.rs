//! Host names: RFC 1123, section 2.1; A-labels and U-labels: RFC 5890, section 2.3.

use super::super::check::decode;
use super::class::{ALPHA, DIGIT, is};
use super::idna::Name;
use super::punycode::Label;
use portcullis_bundle::layout::IdnRange;

/// Labels of at most 63 letters, digits and inner hyphens, at most 253 bytes in all.
pub(super) fn ascii(text: &[u8]) -> bool {
    !text.is_empty() && text.len() <= 253 && text.split(|&byte| byte == b'.').all(label)
}

/// A host name whose A-labels, if it has any, stand for U-labels.
pub(super) fn hostname(table: &[IdnRange], text: &[u8]) -> bool {
    let encoded = |label: &[u8]| matches!(label, [b'x' | b'X', b'n' | b'N', b'-', b'-', ..]);
    ascii(text) && (!text.split(|&byte| byte == b'.').any(encoded) || labels(table, text, false))
}

/// A host name with U-labels. The full stops that RFC 3490, section 3.1 lists separate labels.
pub(super) fn idn_hostname(table: &[IdnRange], text: &[u8]) -> bool {
    labels(table, text, true)
}

fn labels(table: &[IdnRange], text: &[u8], reserve: bool) -> bool {
    let mut name = Name::new(table, reserve);
    let mut label = Label::new();
    let mut rest = text;
    while let Some(byte) = rest.first() {
        let (scalar, after) = if *byte < 0x80 {
            (u32::from(*byte), rest.get(1..).unwrap_or_default())
        } else {
            match decode(rest) {
                Some(next) => next,
                None => return false,
            }
        };
        rest = after;
        let sound = match scalar {
            0x2E | 0x3002 | 0xFF0E | 0xFF61 => {
                let sound = name.add(&label);
                label = Label::new();
                sound
            }
            _ => label.push(scalar).is_some(),
        };
        if !sound {
            return false;
        }
    }
    name.add(&label) && name.holds()
}

fn label(label: &[u8]) -> bool {
    let outer = |byte: Option<&u8>| byte.is_some_and(|&byte| is(byte, ALPHA | DIGIT));
    label.len() <= 63
        && outer(label.first())
        && outer(label.last())
        && label.iter().all(|&byte| is(byte, ALPHA | DIGIT) || byte == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostnames() {
        let long = "a".repeat(63);
        for text in ["localhost", "www.example.com", "1host", "a-b.c", "ab--c", &long] {
            assert!(ascii(text.as_bytes()), "{text}");
            assert!(hostname(&[], text.as_bytes()), "{text}");
        }
        let (longer, whole) = (format!("{long}a"), format!("{}a", "a.".repeat(127)));
        for text in [
            "", ".", "example.", "-a", "a-", "a_b", "a..b", ".a", "ex ample", "é.com", "a/b",
            &longer, &whole,
        ] {
            assert!(!ascii(text.as_bytes()), "{text}");
            assert!(!hostname(&[], text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn without_a_table_nothing_is_international() {
        for text in ["xn--bcher-kva", "a.XN--bcher-kva", "bücher"] {
            assert!(!hostname(&[], text.as_bytes()), "{text}");
            assert!(!idn_hostname(&[], text.as_bytes()), "{text}");
        }
        assert!(!idn_hostname(&[], b"ab--c"));
        assert!(idn_hostname(&[], b"ab-c.D"));
    }
}
