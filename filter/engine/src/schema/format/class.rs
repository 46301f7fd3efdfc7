//! What each byte may be in the grammars of RFCs, as one table.

/// A letter.
pub(super) const ALPHA: u8 = 1;
/// A digit.
pub(super) const DIGIT: u8 = 2;
/// A hexadecimal digit.
pub(super) const HEX: u8 = 4;
/// The marks among `unreserved` (RFC 3986, section 2.3).
pub(super) const MARK: u8 = 8;
/// `sub-delims` (RFC 3986, section 2.2).
pub(super) const SUB_DELIM: u8 = 16;
/// `atext` (RFC 5322, section 3.2.3).
pub(super) const ATEXT: u8 = 32;
/// `tchar` (RFC 9110, section 5.6.2).
pub(super) const TCHAR: u8 = 64;
/// `pchar` without percent-encoded ones (RFC 3986, section 3.3).
pub(super) const PCHAR: u8 = 128;
/// `unreserved` (RFC 3986, section 2.3).
pub(super) const UNRESERVED: u8 = ALPHA | DIGIT | MARK;

static CLASSES: [u8; 256] = classes();

/// Whether a byte is in any of some classes.
#[inline(always)]
pub(super) fn is(byte: u8, classes: u8) -> bool {
    CLASSES.get(usize::from(byte)).is_some_and(|of| of & classes != 0)
}

/// Whether every byte is in any of some classes.
#[inline]
pub(super) fn all(text: &[u8], classes: u8) -> bool {
    text.iter().all(|&byte| is(byte, classes))
}

#[expect(clippy::indexing_slicing, reason = "computed at compile time")]
const fn classes() -> [u8; 256] {
    let mut table = [0; 256];
    let mut at = 0;
    while at < 128 {
        let byte = at as u8;
        if byte.is_ascii_alphabetic() {
            table[at] |= ALPHA | ATEXT | TCHAR | PCHAR;
        }
        if byte.is_ascii_digit() {
            table[at] |= DIGIT | ATEXT | TCHAR | PCHAR;
        }
        if byte.is_ascii_hexdigit() {
            table[at] |= HEX;
        }
        at += 1;
    }
    let marked = [
        (b"-._~".as_slice(), MARK | PCHAR),
        (b"!$&'()*+,;=", SUB_DELIM | PCHAR),
        (b":@", PCHAR),
        (b"!#$%&'*+-/=?^_`{|}~", ATEXT),
        (b"!#$%&'*+-.^_`|~", TCHAR),
    ];
    let mut group = 0;
    while group < marked.len() {
        let mut at = 0;
        while at < marked[group].0.len() {
            table[marked[group].0[at] as usize] |= marked[group].1;
            at += 1;
        }
        group += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_are_those_of_the_grammars() {
        let of = |classes| (0..=255).filter(|&byte| is(byte, classes)).map(char::from).collect();
        let (unreserved, sub, pchar): (String, String, String) =
            (of(UNRESERVED), of(SUB_DELIM), of(PCHAR));
        assert_eq!(unreserved.len(), 66);
        assert_eq!(sub, "!$&'()*+,;=");
        assert_eq!(pchar.len(), 66 + 11 + 2);
        let (atext, tchar): (String, String) = (of(ATEXT), of(TCHAR));
        assert_eq!((atext.len(), tchar.len()), (62 + 19, 62 + 15));
        assert!(all(b"09afAF", HEX) && !is(b'g', HEX) && !is(0xC3, 255));
    }
}
