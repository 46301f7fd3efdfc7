//! Labels of internationalised host names: RFC 5890 to 5893 (IDNA2008).
//!
//! What characters are stands in a table of the bundle: code points rise, and each entry holds until the
//! next. Normalisation form C (RFC 5891, section 4.2.1) is not checked.

use super::punycode::{Label, decode, encode, lower};
use portcullis_bundle::layout::{
    IDN_BIDI, IDN_BIDI_AN, IDN_BIDI_EN, IDN_BIDI_L, IDN_BIDI_NEUTRAL, IDN_BIDI_NSM, IDN_BIDI_R,
    IDN_GREEK, IDN_HEBREW, IDN_JOINS_LAST, IDN_JOINS_NEXT, IDN_JOINS_THROUGH, IDN_KANA_OR_HAN,
    IDN_MARK, IDN_SCRIPT, IDN_SHIFT, IDN_VALID, IDN_VIRAMA, IdnRange,
};

const HYPHEN: u32 = 0x2D;

/// A host name, label by label.
pub(super) struct Name<'b> {
    table: &'b [IdnRange],
    /// Whether labels with hyphens in the third and fourth place must be A-labels.
    reserve: bool,
    /// Octets of the labels in their encoded form, with a separator each.
    octets: usize,
    /// Whether any label holds a character that runs from right to left.
    rtl: bool,
    /// Whether any label breaks the Bidi rule, which binds only names with such characters.
    unfit: bool,
}

impl<'b> Name<'b> {
    /// A name without labels.
    pub fn new(table: &'b [IdnRange], reserve: bool) -> Self {
        Name { table, reserve, octets: 0, rtl: false, unfit: false }
    }

    /// Adds a label; false where it is none.
    pub fn add(&mut self, label: &Label) -> bool {
        self.octets_of(label.chars()).is_some_and(|octets| {
            self.octets += octets + 1;
            octets <= 63
        })
    }

    /// Whether the labels make a name: at most 253 octets with dots between (RFC 1034, section 3.1, less
    /// the root), and from right to left only as the Bidi rule has it (RFC 5893, section 1.4).
    pub fn holds(&self) -> bool {
        (2..=254).contains(&self.octets) && !(self.rtl && self.unfit)
    }

    /// Octets of a label in its encoded form; `None` where it is no label.
    fn octets_of(&mut self, chars: &[u32]) -> Option<usize> {
        let outer = |c: Option<&u32>| c.is_some_and(|c| *c != HYPHEN);
        if !outer(chars.first()) || !outer(chars.last()) {
            return None;
        }
        let reserved = matches!(chars, [_, _, HYPHEN, HYPHEN, ..]);
        if chars.iter().any(|c| *c >= 0x80) {
            if reserved {
                return None;
            }
            self.unicode(chars)?;
            let mut octets = 4;
            encode(chars, |_| octets += 1)?;
            return Some(octets);
        }
        chars.iter().all(|&c| is_ldh(c)).then_some(())?;
        match chars {
            [x, n, HYPHEN, HYPHEN, code @ ..] if [lower(*x), lower(*n)] == [0x78, 0x6E] => {
                self.encoded(code)?;
            }
            _ if reserved && self.reserve => return None,
            _ => self.direction(chars),
        }
        Some(chars.len())
    }

    /// An A-label's code: it stands for a U-label, and is what that label encodes to (RFC 5891, section 5.4).
    fn encoded(&mut self, code: &[u32]) -> Option<()> {
        let label = decode(code)?;
        let chars = label.chars();
        let hyphens = matches!(chars, [HYPHEN, ..] | [.., HYPHEN] | [_, _, HYPHEN, HYPHEN, ..]);
        if hyphens || chars.iter().all(|c| *c < 0x80) {
            return None;
        }
        let mut written = code.iter().copied().map(lower);
        let mut same = true;
        encode(chars, |byte| same &= written.next() == Some(u32::from(byte)))?;
        (same && written.next().is_none()).then_some(())?;
        self.unicode(chars)
    }

    /// A U-label, hyphens aside: RFC 5891, section 4.2.3.
    fn unicode(&mut self, chars: &[u32]) -> Option<()> {
        let leading = self.of(*chars.first()?) & IDN_MARK != 0;
        let valid = |(at, c): (usize, &u32)| {
            self.of(*c) & IDN_VALID != 0 && (!is_contextual(*c) || self.in_context(chars, at, *c))
        };
        if leading || !chars.iter().enumerate().all(valid) {
            return None;
        }
        self.direction(chars);
        Some(())
    }

    /// What a code point is.
    fn of(&self, c: u32) -> u32 {
        let next = self.table.partition_point(|range| range.entry.get() >> IDN_SHIFT <= c);
        let range = next.checked_sub(1).and_then(|at| self.table.get(at));
        range.map_or(0, |range| range.entry.get())
    }

    /// The contextual rules: RFC 5892, appendix A.
    fn in_context(&self, chars: &[u32], at: usize, c: u32) -> bool {
        let before = at.checked_sub(1).and_then(|at| chars.get(at)).copied();
        let after = chars.get(at + 1).copied();
        let script =
            |of: Option<u32>, script| of.is_some_and(|c| self.of(c) & IDN_SCRIPT == script);
        match c {
            // ZERO WIDTH NON-JOINER and JOINER
            0x200C | 0x200D => {
                before.is_some_and(|c| self.of(c) & IDN_VIRAMA != 0)
                    || c == 0x200C && self.joins(chars, at)
            }
            // MIDDLE DOT
            0xB7 => before == Some(0x6C) && after == Some(0x6C),
            // GREEK LOWER NUMERAL SIGN
            0x375 => script(after, IDN_GREEK),
            // HEBREW PUNCTUATION GERESH and GERSHAYIM
            0x5F3 | 0x5F4 => script(before, IDN_HEBREW),
            // KATAKANA MIDDLE DOT
            0x30FB => chars.iter().any(|&c| c != 0x30FB && script(Some(c), IDN_KANA_OR_HAN)),
            // ARABIC-INDIC DIGITS and EXTENDED ARABIC-INDIC DIGITS
            0x660..=0x669 => !chars.iter().any(|c| (0x6F0..=0x6F9).contains(c)),
            _ => !chars.iter().any(|c| (0x660..=0x669).contains(c)),
        }
    }

    /// Whether letters join around a place, through what is transparent.
    fn joins(&self, chars: &[u32], at: usize) -> bool {
        let (before, after) = chars.split_at_checked(at).unwrap_or_default();
        let opaque = |c: &&u32| self.of(**c) & IDN_JOINS_THROUGH == 0;
        let last = before.iter().rev().find(opaque);
        let next = after.iter().skip(1).find(opaque);
        last.is_some_and(|c| self.of(*c) & IDN_JOINS_NEXT != 0)
            && next.is_some_and(|c| self.of(*c) & IDN_JOINS_LAST != 0)
    }

    /// Notes which way a label runs, and whether the Bidi rule lets it (RFC 5893, section 2).
    fn direction(&mut self, chars: &[u32]) {
        let mut seen = 0;
        let mut end = 0;
        let mut first = 0;
        for (at, c) in chars.iter().enumerate() {
            let bidi = self.of(*c) & IDN_BIDI;
            seen |= bit(bidi);
            if at == 0 {
                first = bidi;
            }
            if bidi != IDN_BIDI_NSM {
                end = bidi;
            }
        }
        let any =
            |classes: &[u32]| classes.iter().fold(0, |set, class| set | bit(*class)) & seen != 0;
        let neither = any(&[0]);
        let sound = match first {
            IDN_BIDI_R => {
                let mixed = any(&[IDN_BIDI_AN]) && any(&[IDN_BIDI_EN]);
                let ends = matches!(end, IDN_BIDI_R | IDN_BIDI_EN | IDN_BIDI_AN);
                ends && !mixed && !any(&[IDN_BIDI_L])
            }
            IDN_BIDI_L => {
                matches!(end, IDN_BIDI_L | IDN_BIDI_EN) && !any(&[IDN_BIDI_R, IDN_BIDI_AN])
            }
            _ => false,
        };
        self.rtl |= any(&[IDN_BIDI_R, IDN_BIDI_AN]);
        self.unfit |= !sound || neither;
    }
}

/// The bit of a direction in a set.
fn bit(bidi: u32) -> u32 {
    debug_assert!(bidi <= IDN_BIDI_NEUTRAL);
    1 << (bidi >> IDN_BIDI.trailing_zeros())
}

fn is_ldh(c: u32) -> bool {
    c == HYPHEN || u8::try_from(c).is_ok_and(|byte| byte.is_ascii_alphanumeric())
}

fn is_contextual(c: u32) -> bool {
    matches!(c, 0xB7 | 0x375 | 0x5F3 | 0x5F4 | 0x660..=0x669 | 0x6F0..=0x6F9 | 0x200C | 0x200D | 0x30FB)
}
