//! SQL injection.
//!
//! A value is read as it stands, and, where it holds quotes, as if it were put between such quotes: what
//! follows the quote in the value then is SQL. Where MySQL reads a comment differently from the standard,
//! it is read both ways.

mod fold;
mod possible;
mod shapes;
#[cfg(test)]
mod tables;
mod token;
mod tokenizer;
mod verdict;
mod words;

use core::fmt;

pub use possible::possible;

use crate::bytes::find;

/// The quotes that a value is put between.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Quote {
    None,
    Single,
    Double,
}

impl Quote {
    fn byte(self) -> Option<u8> {
        match self {
            Self::None => None,
            Self::Single => Some(b'\''),
            Self::Double => Some(b'"'),
        }
    }
}

/// Whose comments a value is read with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Dialect {
    Ansi,
    Mysql,
}

/// The kinds of the tokens that a value folds to: at most five letters, such as `s&1c` for `' or 1=1 --`.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Fingerprint {
    letters: [u8; fold::MOST],
    length: u8,
}

impl Fingerprint {
    fn of(folded: &fold::Folded<'_>) -> Self {
        let tokens = folded.tokens();
        // What databases read differently has no shape of its own.
        if tokens.iter().any(|token| token.kind == token::Kind::Evil) {
            return Self { letters: *b"X\0\0\0\0", length: 1 };
        }
        let mut fingerprint = Self::default();
        for (letter, token) in fingerprint.letters.iter_mut().zip(tokens) {
            *letter = token.kind.letter();
            fingerprint.length += 1;
        }
        fingerprint
    }

    /// The letters.
    pub fn as_str(&self) -> &str {
        let letters = self.letters.get(..usize::from(self.length)).unwrap_or_default();
        core::str::from_utf8(letters).unwrap_or_default()
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fingerprint({:?})", self.as_str())
    }
}

/// What a value was found to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Examination {
    /// Whether it injects SQL.
    pub injects: bool,
    /// Its fingerprint in the reading that injects, or else in the last reading.
    pub fingerprint: Fingerprint,
}

/// The fingerprint of a value that injects SQL.
pub fn is_injection(value: &[u8]) -> Option<Fingerprint> {
    let examination = examine(value);
    examination.injects.then_some(examination.fingerprint)
}

/// Reads a value in every way until one injects.
pub fn examine(value: &[u8]) -> Examination {
    let mut last = Examination { injects: false, fingerprint: Fingerprint::default() };
    for quote in [Quote::None, Quote::Single] {
        if quote.byte().is_some_and(|quote| find(value, quote).is_none()) {
            continue;
        }
        let ambiguous;
        (last, ambiguous) = read(value, quote, Dialect::Ansi);
        if !last.injects && ambiguous {
            (last, _) = read(value, quote, Dialect::Mysql);
        }
        if last.injects {
            return last;
        }
    }
    if find(value, b'"').is_some() {
        (last, _) = read(value, Quote::Double, Dialect::Mysql);
    }
    last
}

/// Reads a value in one way; also, whether MySQL may read it differently.
#[inline(never)]
fn read(value: &[u8], quote: Quote, dialect: Dialect) -> (Examination, bool) {
    let mut folded = fold::fold(value, quote, dialect);
    folded.end_comment();
    let injects = verdict::is_attack(value, &folded);
    (Examination { injects, fingerprint: Fingerprint::of(&folded) }, folded.ambiguous)
}
