//! Comparing numbers and texts.

use portcullis_bundle::layout::Relation;

/// Whether a number compares by a relation with another.
pub(crate) fn numbers(relation: u8, value: i64, other: i64) -> bool {
    match Relation::from_code(relation) {
        Some(Relation::Equal) => value == other,
        Some(Relation::AtLeast) => value >= other,
        Some(Relation::Over) => value > other,
        Some(Relation::AtMost) => value <= other,
        Some(Relation::Under) => value < other,
        _ => false,
    }
}

/// Whether a text compares by a relation with another.
pub(super) fn texts(relation: u8, text: &[u8], other: &[u8]) -> bool {
    match Relation::from_code(relation) {
        Some(Relation::Equal) => text == other,
        Some(Relation::Begins) => text.starts_with(other),
        Some(Relation::Ends) => text.ends_with(other),
        Some(Relation::Contains) => holds(text, other),
        Some(Relation::Within) => holds(other, text),
        _ => false,
    }
}

/// Whether a text holds another.
fn holds(text: &[u8], part: &[u8]) -> bool {
    let Some((first, rest)) = part.split_first() else { return true };
    let mut left = text;
    while let Some(at) = left.iter().position(|byte| byte == first) {
        let after = left.get(at.saturating_add(1)..).unwrap_or_default();
        if after.starts_with(rest) {
            return true;
        }
        left = after;
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_compare() {
        let is = |relation: Relation, text: &str, other: &str| {
            texts(relation.code(), text.as_bytes(), other.as_bytes())
        };
        assert!(is(Relation::Within, "bc", "abcd") && is(Relation::Within, "", "a"));
        assert!(!is(Relation::Within, "bd", "abcd") && is(Relation::Contains, "aab", "ab"));
        assert!(is(Relation::Ends, "a.b", ".b") && !is(Relation::Begins, "a.b", ".b"));
        assert!(is(Relation::Equal, "", "") && !is(Relation::Over, "2", "1"));
    }

    #[test]
    fn numbers_compare() {
        assert!(numbers(Relation::AtLeast.code(), 2, 2) && !numbers(Relation::Over.code(), 2, 2));
        assert!(numbers(Relation::Under.code(), -1, 0) && !numbers(Relation::Within.code(), 1, 1));
    }
}
