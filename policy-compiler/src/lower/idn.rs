//! The table of characters in internationalised host names, derived from Unicode's properties.
//!
//! What is valid follows RFC 5892, section 3, step by step; the rest is what the contextual rules (its
//! appendix A) and the Bidi rule (RFC 5893, section 2) ask of characters. The table stands in a bundle only
//! where a format needs it.

use icu_properties::props::{
    BidiClass, CanonicalCombiningClass, ChangesWhenNfkcCasefolded, DefaultIgnorableCodePoint,
    GeneralCategory, HangulSyllableType, JoinControl, JoiningType, NoncharacterCodePoint, Script,
    WhiteSpace,
};
use icu_properties::{CodePointMapData, CodePointSetData};
use portcullis_bundle::layout::{
    IDN_BIDI_AN, IDN_BIDI_EN, IDN_BIDI_L, IDN_BIDI_NEUTRAL, IDN_BIDI_NSM, IDN_BIDI_R, IDN_GREEK,
    IDN_HEBREW, IDN_JOINS_LAST, IDN_JOINS_NEXT, IDN_JOINS_THROUGH, IDN_KANA_OR_HAN, IDN_MARK,
    IDN_SHIFT, IDN_VALID, IDN_VIRAMA, IdnRange,
};
use std::collections::BTreeSet;

/// Code points that are valid, or not, whatever their properties: RFC 5892, section 2.6, and LDH (2.4).
/// There are none for compatibility (2.7).
const EXCEPTIONS: &[(u32, u32, bool)] = &[
    // LDH
    (0x2D, 0x2D, true),
    (0x30, 0x39, true),
    (0x61, 0x7A, true),
    // PVALID
    (0xDF, 0xDF, true),
    (0x3C2, 0x3C2, true),
    (0x6FD, 0x6FE, true),
    (0xF0B, 0xF0B, true),
    (0x3007, 0x3007, true),
    // CONTEXTO
    (0xB7, 0xB7, true),
    (0x375, 0x375, true),
    (0x5F3, 0x5F4, true),
    (0x660, 0x669, true),
    (0x6F0, 0x6F9, true),
    (0x30FB, 0x30FB, true),
    // DISALLOWED
    (0x640, 0x640, false),
    (0x7FA, 0x7FA, false),
    (0x302E, 0x302F, false),
    (0x3031, 0x3035, false),
    (0x303B, 0x303B, false),
];

/// Ignorable blocks (RFC 5892, section 2.5): combining marks for symbols, musical symbols, ancient Greek
/// musical notation.
const BLOCKS: &[(u32, u32)] = &[(0x20D0, 0x20FF), (0x1D100, 0x1D1FF), (0x1D200, 0x1D24F)];

/// The table's entries, ascending.
pub fn table() -> Vec<IdnRange> {
    let mut entries = Vec::new();
    let mut last = None;
    for c in boundaries() {
        let bits = bits(c);
        if last != Some(bits) {
            entries.push(IdnRange { entry: (c << IDN_SHIFT | bits).into() });
            last = Some(bits);
        }
    }
    entries
}

/// Every code point that differs in a property from the one before it, and some others.
fn boundaries() -> BTreeSet<u32> {
    let mut all = BTreeSet::from([0]);
    macro_rules! maps {
        ($($property:ty),*) => {
            $(let map = CodePointMapData::<$property>::new();
            all.extend(map.iter_ranges().map(|of| *of.range.start()));)*
        };
    }
    maps!(GeneralCategory, BidiClass, JoiningType, Script, CanonicalCombiningClass);
    maps!(HangulSyllableType);
    macro_rules! sets {
        ($($property:ty),*) => {
            $(let set = CodePointSetData::new::<$property>();
            all.extend(set.iter_ranges().flat_map(|range| [*range.start(), range.end() + 1]));)*
        };
    }
    sets!(ChangesWhenNfkcCasefolded, DefaultIgnorableCodePoint, WhiteSpace, JoinControl);
    sets!(NoncharacterCodePoint);
    all.extend(EXCEPTIONS.iter().flat_map(|(first, last, _)| [*first, last + 1]));
    all.extend(BLOCKS.iter().flat_map(|(first, last)| [*first, last + 1]));
    all.retain(|c| *c <= 0x10_FFFF);
    all
}

/// What a code point is; nothing where no label may hold it.
fn bits(c: u32) -> u32 {
    if !is_valid(c) {
        return 0;
    }
    let joining = match CodePointMapData::<JoiningType>::new().get32(c) {
        JoiningType::LeftJoining => IDN_JOINS_NEXT,
        JoiningType::RightJoining => IDN_JOINS_LAST,
        JoiningType::DualJoining => IDN_JOINS_NEXT | IDN_JOINS_LAST,
        JoiningType::Transparent => IDN_JOINS_THROUGH,
        _ => 0,
    };
    let script = match CodePointMapData::<Script>::new().get32(c) {
        Script::Greek => IDN_GREEK,
        Script::Hebrew => IDN_HEBREW,
        Script::Hiragana | Script::Katakana | Script::Han => IDN_KANA_OR_HAN,
        _ => 0,
    };
    let bidi = match CodePointMapData::<BidiClass>::new().get32(c) {
        BidiClass::LeftToRight => IDN_BIDI_L,
        BidiClass::RightToLeft | BidiClass::ArabicLetter => IDN_BIDI_R,
        BidiClass::ArabicNumber => IDN_BIDI_AN,
        BidiClass::EuropeanNumber => IDN_BIDI_EN,
        BidiClass::NonspacingMark => IDN_BIDI_NSM,
        BidiClass::EuropeanSeparator
        | BidiClass::CommonSeparator
        | BidiClass::EuropeanTerminator
        | BidiClass::OtherNeutral
        | BidiClass::BoundaryNeutral => IDN_BIDI_NEUTRAL,
        _ => 0,
    };
    let mark = matches!(
        CodePointMapData::<GeneralCategory>::new().get32(c),
        GeneralCategory::NonspacingMark
            | GeneralCategory::SpacingMark
            | GeneralCategory::EnclosingMark
    );
    let class = CodePointMapData::<CanonicalCombiningClass>::new().get32(c);
    let virama = class == CanonicalCombiningClass::Virama;
    IDN_VALID
        | joining
        | script
        | bidi
        | if mark { IDN_MARK } else { 0 }
        | if virama { IDN_VIRAMA } else { 0 }
}

/// PVALID, CONTEXTJ or CONTEXTO: RFC 5892, section 3.
fn is_valid(c: u32) -> bool {
    let exception = EXCEPTIONS.iter().find(|(first, last, _)| (*first..=*last).contains(&c));
    if let Some((.., valid)) = exception {
        return *valid;
    }
    let category = CodePointMapData::<GeneralCategory>::new().get32(c);
    if category == GeneralCategory::Unassigned {
        return false;
    }
    if CodePointSetData::new::<JoinControl>().contains32(c) {
        return true;
    }
    // Unstable under NFKC and case folding (section 2.2); what folding drops is ignorable as well.
    let unstable = CodePointSetData::new::<ChangesWhenNfkcCasefolded>().contains32(c);
    let ignorable = CodePointSetData::new::<DefaultIgnorableCodePoint>().contains32(c)
        || CodePointSetData::new::<WhiteSpace>().contains32(c)
        || CodePointSetData::new::<NoncharacterCodePoint>().contains32(c);
    let block = BLOCKS.iter().any(|(first, last)| (*first..=*last).contains(&c));
    let jamo = matches!(
        CodePointMapData::<HangulSyllableType>::new().get32(c),
        HangulSyllableType::LeadingJamo
            | HangulSyllableType::VowelJamo
            | HangulSyllableType::TrailingJamo
    );
    let letter_or_digit = matches!(
        category,
        GeneralCategory::LowercaseLetter
            | GeneralCategory::UppercaseLetter
            | GeneralCategory::OtherLetter
            | GeneralCategory::ModifierLetter
            | GeneralCategory::NonspacingMark
            | GeneralCategory::SpacingMark
            | GeneralCategory::DecimalNumber
    );
    letter_or_digit && !(unstable || ignorable || block || jamo)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(table: &[IdnRange], c: u32) -> u32 {
        let next = table.partition_point(|range| range.entry.get() >> IDN_SHIFT <= c);
        table[next - 1].entry.get() & ((1 << IDN_SHIFT) - 1)
    }

    #[test]
    fn characters_are_what_the_rfcs_say() {
        let table = table();
        let valid = |c: char| of(&table, c.into()) & IDN_VALID != 0;
        for c in "az09-ßςàé中文실례אب٠۰़\u{94D}\u{200C}\u{200D}·ー々".chars() {
            assert!(valid(c), "U+{:04X}", u32::from(c));
        }
        for c in "AZ_.ÀÉﬁ①ªſ\u{AD}\u{300A}\u{1100}\u{20D0}\u{378}\u{E000}\u{FFFE}☃٪\u{640}".chars()
        {
            assert!(!valid(c), "U+{:04X}", u32::from(c));
        }
        assert_eq!(
            of(&table, 0x94D),
            IDN_VALID | IDN_MARK | IDN_VIRAMA | IDN_JOINS_THROUGH | IDN_BIDI_NSM
        );
        assert_eq!(of(&table, 0x628), IDN_VALID | IDN_JOINS_NEXT | IDN_JOINS_LAST | IDN_BIDI_R);
        assert_eq!(of(&table, 0x627), IDN_VALID | IDN_JOINS_LAST | IDN_BIDI_R);
        assert_eq!(of(&table, 0x5D0), IDN_VALID | IDN_HEBREW | IDN_BIDI_R);
        assert_eq!(of(&table, 0x3B1), IDN_VALID | IDN_GREEK | IDN_BIDI_L);
        assert_eq!(of(&table, 0x660), IDN_VALID | IDN_BIDI_AN);
        assert_eq!(of(&table, 0x2D), IDN_VALID | IDN_BIDI_NEUTRAL);
        assert_eq!(of(&table, 0x37), IDN_VALID | IDN_BIDI_EN);
        assert!(table.len() < 8192, "{}", table.len());
        let starts = table.iter().map(|range| range.entry.get() >> IDN_SHIFT);
        assert!(starts.is_sorted_by(|a, b| a < b));
    }

    #[test]
    fn nothing_changes_between_boundaries() {
        let boundaries = boundaries();
        for c in 1..=0x2_FFFF {
            assert!(boundaries.contains(&c) || bits(c) == bits(c - 1), "U+{c:04X}");
        }
    }
}
