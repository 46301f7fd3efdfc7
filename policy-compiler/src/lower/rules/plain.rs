//! What is known of a matcher on plain texts: those without the marks that ordinary values hold rarely.
//!
//! Names, dates, numbers, tokens, addresses are plain, and most rules match no such text: their expressions ask for a
//! quote, a bracket, a semicolon. What remains of an expression without its marks often has longer literals, too.

use super::literals::{Bytes, Required, folded, has, required};
use portcullis_bundle::layout::Transformation;
use regex_syntax::hir::{
    Class, ClassBytes, ClassBytesRange, ClassUnicode, ClassUnicodeRange, Hir, HirKind, Repetition,
};

/// The marks that plain texts may hold.
const KEPT: &[u8] = b"-_.,:/@+";

/// How a matcher is proposed on plain texts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Plain {
    /// It matches none.
    Never,
    /// By these literals alone.
    Literals(Vec<Vec<u8>>),
    /// As on all texts.
    Keyed(Vec<Vec<u8>>),
}

impl Plain {
    /// What is known of an expression, by what is known of it on all texts.
    pub fn of_expression(hir: &Hir, all: &Required) -> Plain {
        let Some(rest) = without_marks(hir) else { return Plain::Never };
        let own = required(&rest);
        if own.is_known_by_literals() {
            return Plain::Literals(own.literals);
        }
        let literals = plain_literals(&all.literals);
        if all.is_known_by_literals() { Plain::Literals(literals) } else { Plain::Keyed(literals) }
    }

    /// What is known of any other matcher.
    pub fn of_needs(needed: &Required) -> Plain {
        let literals = plain_literals(&needed.literals);
        if needed.bytes.iter().any(|set| (0..=255).all(|byte| !has(set, byte) || is_mark(byte))) {
            Plain::Never
        } else if needed.is_known_by_literals() {
            Plain::Literals(literals)
        } else {
            Plain::Keyed(literals)
        }
    }

    /// The literals that are looked for in plain texts.
    pub fn literals(&self) -> &[Vec<u8>] {
        match self {
            Plain::Never => &[],
            Plain::Literals(literals) | Plain::Keyed(literals) => literals,
        }
    }
}

fn plain_literals(literals: &[Vec<u8>]) -> Vec<Vec<u8>> {
    literals.iter().filter(|text| !text.iter().any(|byte| is_mark(*byte))).cloned().collect()
}

/// The marks.
pub fn marks() -> Bytes {
    folded((0..=255).filter(|byte| is_mark(*byte)))
}

/// Whether ordinary values hold a byte rarely: letters of all scripts, digits and the marks of dates, names and
/// addresses are plain.
fn is_mark(byte: u8) -> bool {
    byte.is_ascii() && !byte.is_ascii_alphanumeric() && byte != b' ' && !KEPT.contains(&byte)
}

/// Sets of bytes, of each of which a text must hold one that a match of an expression in a plain text comes from.
/// Only bytes count that no transformation makes of others: the marks that are plain.
pub fn kept_bytes(hir: &Hir) -> Vec<Bytes> {
    let is_kept = |set: &Bytes| (0..=255).all(|byte| !has(set, byte) || KEPT.contains(&byte));
    let rest = without_marks(hir).map(|rest| required(&rest).bytes);
    rest.unwrap_or_default().into_iter().filter(is_kept).collect()
}

/// Whether a transformation may make a text with marks of a plain one. Most take bytes away, or begin with a mark.
pub fn makes_marks(transformation: Transformation) -> bool {
    use Transformation as T;
    match transformation {
        T::Base64Decode
        | T::Base64DecodeExt
        | T::HexDecode
        | T::SqlHexDecode
        | T::Sha1
        | T::Utf8ToUnicode
        | T::FoldUnicode => true,
        T::Lowercase
        | T::Uppercase
        | T::UrlDecode
        | T::UrlDecodeUni
        | T::HtmlEntityDecode
        | T::JsDecode
        | T::CssDecode
        | T::EscapeSeqDecode
        | T::RemoveNulls
        | T::RemoveWhitespace
        | T::CompressWhitespace
        | T::Trim
        | T::TrimLeft
        | T::TrimRight
        | T::ReplaceComments
        | T::RemoveComments
        | T::RemoveCommentsChar
        | T::NormalizePath
        | T::NormalizePathWin
        | T::CmdLine
        | T::CmdLineCased
        | T::HexEncode
        | T::Length => false,
    }
}

/// An expression whose matches are those of another that hold no mark; none where each holds one.
fn without_marks(hir: &Hir) -> Option<Hir> {
    Some(match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => hir.clone(),
        HirKind::Literal(literal) if literal.0.iter().any(|byte| is_mark(*byte)) => return None,
        HirKind::Literal(_) => hir.clone(),
        HirKind::Class(class) => {
            let class = class_without_marks(class);
            (!class.is_empty()).then(|| Hir::class(class))?
        }
        HirKind::Capture(capture) => without_marks(&capture.sub)?,
        HirKind::Repetition(of) => match without_marks(&of.sub) {
            Some(sub) => Hir::repetition(Repetition { sub: Box::new(sub), ..of.clone() }),
            None if of.min == 0 => Hir::empty(),
            None => return None,
        },
        HirKind::Concat(parts) => {
            Hir::concat(parts.iter().map(without_marks).collect::<Option<_>>()?)
        }
        HirKind::Alternation(parts) => {
            let parts: Vec<Hir> = parts.iter().filter_map(without_marks).collect();
            (!parts.is_empty()).then(|| Hir::alternation(parts))?
        }
    })
}

fn class_without_marks(class: &Class) -> Class {
    let marks = || (0..=0x7F).filter(|byte| is_mark(*byte));
    match class {
        Class::Bytes(class) => {
            let mut class = class.clone();
            class.difference(&ClassBytes::new(marks().map(|it| ClassBytesRange::new(it, it))));
            Class::Bytes(class)
        }
        Class::Unicode(class) => {
            let mut class = class.clone();
            let ranges = marks().map(char::from).map(|it| ClassUnicodeRange::new(it, it));
            class.difference(&ClassUnicode::new(ranges));
            Class::Unicode(class)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::regex::parse;
    use super::*;

    fn plain(pattern: &str) -> Plain {
        let hir = parse(pattern).unwrap();
        Plain::of_expression(&hir, &required(&hir))
    }

    fn literals(of: &[&str]) -> Plain {
        Plain::Literals(of.iter().map(|text| text.as_bytes().to_vec()).collect())
    }

    #[test]
    fn what_needs_a_mark_matches_no_plain_text() {
        assert_eq!(plain(r"[;|&\n]\s*(?:id|ls|nc)\b"), Plain::Never);
        assert_eq!(plain("(?:<a|<b)c"), Plain::Never);
        assert_eq!(plain(r"select\s+from"), literals(&["select"]));
    }

    #[test]
    fn what_remains_without_marks_has_literals_of_its_own() {
        assert_eq!(plain(r"[;|]\s*id|(?:[;(]|\s)whoami"), literals(&[" whoami"]));
        assert_eq!(plain(r"^\d+['-]*--$|'[a-z]"), literals(&["--"]));
        assert_eq!(plain(r"(?:\(\))?sleep\b"), literals(&["sleep"]));
    }

    #[test]
    fn what_has_no_literals_is_proposed_as_ever() {
        assert_eq!(plain(r"^[0-9a-z]+$"), Plain::Keyed(Vec::new()));
        assert_eq!(plain(r"x[0-9]|['\x22]"), Plain::Keyed(Vec::new()));
    }
}
