//! What every match of a regular expression must hold: one of some literals, and bytes of some sets.
//!
//! In: a regular expression over bytes. Out: a set of literals one of which occurs in every match, ASCII letters in
//! lower case, where there is a useful one; and sets of bytes of each of which every match holds one.

use regex_syntax::hir::{Class, Hir, HirKind};
use std::collections::HashSet;

/// Strings that one part of an expression can be, at most.
const MAX_EXACT: usize = 128;
/// Bytes of such a string, at most.
const MAX_LEN: usize = 24;
/// Literals of one set, at most.
const MAX_SET: usize = 4096;
/// Bytes of a class that is taken as so many strings, at most.
const MAX_CLASS: usize = 8;

/// A set of bytes.
pub type Bytes = [u64; 4];

/// What every match must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Required {
    /// One of these occurs, or a byte of `instead`; empty where nothing useful is known. Each has two bytes or more.
    pub literals: Vec<Vec<u8>>,
    /// Bytes one of which occurs where none of the literals does; none where a literal always does.
    pub instead: Option<Bytes>,
    /// A byte of each of these occurs.
    pub bytes: Vec<Bytes>,
}

impl Required {
    /// Whether nothing matches without one of the literals.
    pub fn is_known_by_literals(&self) -> bool {
        !self.literals.is_empty() && self.instead.is_none()
    }

    /// Where literals are not enough, the bytes by which the rest is known: one of them occurs.
    pub fn key(&self) -> Option<Bytes> {
        if self.is_known_by_literals() {
            return None;
        }
        self.instead.or_else(|| self.bytes.iter().copied().min_by_key(commonness))
    }
}

/// What every match of an expression must hold.
pub fn required(hir: &Hir) -> Required {
    let found = analyse(hir);
    let literals = found.any().filter(|set| set.iter().all(|it| it.len() >= 2));
    let (literals, instead) = match literals {
        Some(literals) => (literals, None),
        None => mixed(hir).map_or_else(Default::default, |it| (it.literals, Some(it.instead))),
    };
    Required { literals: shortest(literals), instead, bytes: found.bytes }
}

/// Those of some literals that hold no other of them: where a longer one occurs, so does it.
fn shortest(mut literals: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    literals.sort_unstable_by_key(Vec::len);
    let mut kept: HashSet<Vec<u8>> = HashSet::new();
    for literal in literals {
        let parts = |len| literal.windows(len).any(|part| kept.contains(part));
        if !(2..=literal.len()).any(parts) {
            kept.insert(literal);
        }
    }
    let mut kept: Vec<Vec<u8>> = kept.into_iter().collect();
    kept.sort_unstable();
    kept
}

/// How common bytes may be that stand for the alternatives without literals: marks, no letters or digits.
const MAX_INSTEAD: u32 = 24;

/// What proposes the alternatives of a choice: literals for those that have them, bytes for the others.
struct Mixed {
    literals: Vec<Vec<u8>>,
    instead: Bytes,
}

/// Literals or rare bytes of which every match of an expression holds one, by its alternatives; none where an
/// alternative has neither.
fn mixed(hir: &Hir) -> Option<Mixed> {
    let mut all = Mixed { literals: Vec::new(), instead: [0; 4] };
    let parts = match hir.kind() {
        HirKind::Capture(capture) => return mixed(&capture.sub),
        HirKind::Concat(parts) => {
            let found = parts.iter().filter_map(mixed);
            return found.min_by_key(|it| commonness(&it.instead));
        }
        HirKind::Alternation(parts) => parts,
        _ => return None,
    };
    for part in parts {
        let found = analyse(part);
        let marks = found.bytes.iter().min_by_key(|set| commonness(set));
        let marks = marks.filter(|set| commonness(set) <= MAX_INSTEAD);
        let own = match (found.any().filter(|set| is_useful(set)), marks) {
            (Some(literals), _) => Mixed { literals, instead: [0; 4] },
            (None, Some(marks)) => match mixed(part) {
                Some(own) if commonness(&own.instead) < commonness(marks) => own,
                _ => Mixed { literals: Vec::new(), instead: *marks },
            },
            (None, None) => mixed(part)?,
        };
        all.literals.extend(own.literals);
        all.instead.iter_mut().zip(own.instead).for_each(|(all, own)| *all |= own);
    }
    all.literals = deduped(all.literals);
    (commonness(&all.instead) <= MAX_INSTEAD && all.literals.len() <= MAX_SET).then_some(all)
}

/// What is known of the matches of a part.
#[derive(Clone, Debug, Default)]
struct Part {
    /// Every string that it matches, where these are few.
    exact: Option<Vec<Vec<u8>>>,
    /// One of these occurs in every match.
    best: Option<Vec<Vec<u8>>>,
    bytes: Vec<Bytes>,
}

impl Part {
    fn empty() -> Part {
        Part { exact: Some(vec![Vec::new()]), ..Part::default() }
    }

    /// The most useful set of which one occurs.
    fn any(&self) -> Option<Vec<Vec<u8>>> {
        let exact = self.exact.clone().filter(|set| is_useful(set));
        better(exact, self.best.clone())
    }
}

fn analyse(hir: &Hir) -> Part {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => Part::empty(),
        HirKind::Literal(literal) => {
            let text = literal.0.to_ascii_lowercase();
            let bytes = text.iter().map(|byte| folded([*byte])).collect();
            let mut part = Part { bytes, ..Part::default() };
            if text.len() <= MAX_LEN {
                part.exact = Some(vec![text]);
            } else {
                part.best = Some(vec![text]);
            }
            part
        }
        HirKind::Class(class) => class_part(class),
        HirKind::Capture(capture) => analyse(&capture.sub),
        HirKind::Repetition(of) if of.min == 0 => {
            let exact = (of.max == Some(1)).then(|| analyse(&of.sub).exact).flatten();
            let exact = exact.map(|mut set| {
                set.push(Vec::new());
                deduped(set)
            });
            Part { exact, ..Part::default() }
        }
        HirKind::Repetition(of) => {
            let part = analyse(&of.sub);
            let times = usize::try_from(of.min).unwrap_or(usize::MAX).min(4);
            let all = concat((0..times).map(|_| part.clone()).collect());
            let whole = of.max == Some(of.min) && of.min <= 4;
            if whole { all } else { Part { best: all.any(), exact: None, bytes: part.bytes } }
        }
        HirKind::Concat(parts) => concat(parts.iter().map(analyse).collect()),
        HirKind::Alternation(parts) => alternation(&parts.iter().map(analyse).collect::<Vec<_>>()),
    }
}

fn class_part(class: &Class) -> Part {
    let mut members = Vec::new();
    let mut set = [0; 4];
    match class {
        Class::Bytes(class) => {
            for range in class.ranges() {
                for byte in range.start()..=range.end() {
                    members.push(byte.to_ascii_lowercase());
                    add(&mut set, byte);
                }
            }
        }
        // Only the first bytes of characters are told, which is no less true.
        Class::Unicode(class) => {
            for range in class.ranges() {
                let (start, end) = (u32::from(range.start()), u32::from(range.end()));
                (start..=end.min(0x7F)).for_each(|letter| add(&mut set, letter as u8));
                if end > 0x7F {
                    (0x80..=0xFF).for_each(|byte| add(&mut set, byte));
                    members.resize(MAX_CLASS + 1, 0);
                } else {
                    members.extend((start..=end).map(|letter| (letter as u8).to_ascii_lowercase()));
                }
            }
        }
    }
    members.sort_unstable();
    members.dedup();
    let few = members.len() <= MAX_CLASS;
    let exact = few.then(|| members.into_iter().map(|byte| vec![byte]).collect());
    Part { exact, best: None, bytes: vec![both_cases(set)] }
}

/// One part after another: what they are together as long as that is few, and the best run of them.
fn concat(parts: Vec<Part>) -> Part {
    let mut bytes = Vec::new();
    let mut best = None;
    let mut run = vec![Vec::new()];
    let mut whole = true;
    for part in parts {
        bytes.extend(part.bytes.iter().copied());
        let product = part.exact.as_ref().and_then(|set| product(&run, set));
        match product {
            Some(product) => run = product,
            None => {
                whole = false;
                best = better(best, Some(run).filter(|set| is_useful(set)));
                run = part.exact.clone().unwrap_or_else(|| vec![Vec::new()]);
            }
        }
        best = better(best, part.best);
    }
    bytes.sort_unstable();
    bytes.dedup();
    if whole {
        return Part { exact: Some(run), best, bytes };
    }
    Part { exact: None, best: better(best, Some(run).filter(|set| is_useful(set))), bytes }
}

/// One of several parts.
fn alternation(parts: &[Part]) -> Part {
    let exact: Option<Vec<_>> = parts.iter().map(|part| part.exact.clone()).collect();
    let exact = exact.map(|sets| deduped(sets.concat())).filter(|set| set.len() <= MAX_EXACT);
    let best: Option<Vec<_>> = parts.iter().map(Part::any).collect();
    let best = best.map(|sets| deduped(sets.concat())).filter(|set| set.len() <= MAX_SET);
    // Of each alternative its rarest set: a match holds a byte of one of them.
    let rarest: Option<Vec<&Bytes>> =
        parts.iter().map(|part| part.bytes.iter().min_by_key(|set| commonness(set))).collect();
    let bytes = rarest.map(|sets| {
        let union = |mut all: Bytes, set: &&Bytes| {
            all.iter_mut().zip(set.iter()).for_each(|(all, set)| *all |= set);
            all
        };
        sets.iter().fold([0; 4], union)
    });
    Part { exact, best, bytes: bytes.into_iter().collect() }
}

fn product(run: &[Vec<u8>], set: &[Vec<u8>]) -> Option<Vec<Vec<u8>>> {
    if run.len() * set.len() > MAX_EXACT {
        return None;
    }
    let joined = run.iter().flat_map(|start| set.iter().map(move |end| [&**start, end].concat()));
    let joined: Vec<Vec<u8>> = joined.collect();
    joined.iter().all(|text| text.len() <= MAX_LEN).then(|| deduped(joined))
}

fn deduped(mut set: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    set.sort_unstable();
    set.dedup();
    set
}

fn is_useful(set: &[Vec<u8>]) -> bool {
    set.len() <= MAX_SET && !set.is_empty() && set.iter().all(|text| text.len() >= 2)
}

fn better(one: Option<Vec<Vec<u8>>>, other: Option<Vec<Vec<u8>>>) -> Option<Vec<Vec<u8>>> {
    match (one, other) {
        (Some(one), Some(other)) if worth(&other) > worth(&one) => Some(other),
        (Some(one), _) => Some(one),
        (None, other) => other,
    }
}

/// How well a set tells texts apart: by its plainest literal, less for every doubling.
fn worth(set: &[Vec<u8>]) -> i64 {
    let least = set.iter().map(|text| i64::from(rarest(text)) + text.len().min(8) as i64).min();
    least.unwrap_or(0) * 8 - i64::from(set.len().max(1).ilog2()) * 6
}

/// The three bytes (two, of a literal of two) of a literal that are its gram if they begin at a place, and how rare
/// they are.
pub fn grams(literal: &[u8]) -> impl Iterator<Item = (usize, &[u8], u32)> {
    let grams = literal.windows(literal.len().clamp(1, 3)).enumerate();
    grams.map(|(at, gram)| {
        let rare = gram.iter().map(|byte| rarity(*byte)).sum::<u32>();
        (at, gram, if COMMON.contains(&gram) { rare / 2 } else { rare })
    })
}

/// How rare the rarest gram of a literal is.
fn rarest(literal: &[u8]) -> u32 {
    grams(literal).map(|(.., rare)| rare).max().unwrap_or(0)
}

/// Grams that words and addresses often hold, though not for their letters.
const COMMON: [&[u8]; 48] = [
    b"ack", b"age", b"all", b"amp", b"and", b"app", b"are", b"ate", b"bil", b"cat", b"cha", b"com",
    b"cou", b"cur", b"dat", b"ent", b"est", b"exa", b".ex", b"for", b"ght", b"htt", b"ing", b"ion",
    b"ist", b"ity", b"les", b"lic", b"men", b"mpl", b"nce", b"ome", b"oun", b"our", b"pla", b"ple",
    b"ppl", b"pro", b"rec", b"sta", b"ted", b"ter", b"the", b"tio", b"tru", b"ver", b"www", b"xam",
];

/// How rare a byte is in what people and programs send.
fn rarity(byte: u8) -> u32 {
    match byte.to_ascii_lowercase() {
        b' ' | b'e' | b't' | b'a' | b'o' | b'i' | b'n' | b's' | b'r' | b'0'..=b'9' => 1,
        b'l' | b'd' | b'c' | b'u' | b'm' | b'p' | b'h' | b'-' | b'.' | b',' | b':' | b'/' => 2,
        b'a'..=b'z' | b'_' | b'=' | b'+' | b'@' => 3,
        _ => 6,
    }
}

/// How common the bytes of a set are together.
pub fn commonness(set: &Bytes) -> u32 {
    (0..=255u8).filter(|byte| has(set, *byte)).map(|byte| 64 / (rarity(byte) * rarity(byte))).sum()
}

/// Whether a byte is in a set.
pub fn has(set: &Bytes, byte: u8) -> bool {
    set[usize::from(byte >> 6)] >> (byte & 63) & 1 == 1
}

fn add(set: &mut Bytes, byte: u8) {
    set[usize::from(byte >> 6)] |= 1 << (byte & 63);
}

/// A set of bytes, with letters in both cases.
pub fn folded(bytes: impl IntoIterator<Item = u8>) -> Bytes {
    let mut set = [0; 4];
    bytes.into_iter().for_each(|byte| add(&mut set, byte));
    both_cases(set)
}

fn both_cases(mut set: Bytes) -> Bytes {
    for byte in b'a'..=b'z' {
        if has(&set, byte) || has(&set, byte.to_ascii_uppercase()) {
            add(&mut set, byte);
            add(&mut set, byte.to_ascii_uppercase());
        }
    }
    set
}

#[cfg(test)]
mod tests {
    use super::super::regex::parse;
    use super::*;

    fn literals(pattern: &str) -> Vec<String> {
        let found = required(&parse(pattern).unwrap()).literals;
        found.iter().map(|text| String::from_utf8_lossy(text).into_owned()).collect()
    }

    #[test]
    fn literals_of_which_one_occurs() {
        assert_eq!(literals("(?i)union.+select"), ["select"]);
        assert_eq!(literals("(?:cat|wget) "), ["cat ", "wget "]);
        assert_eq!(literals(r"\d+\s*(?i:exec|execute)\("), ["exec(", "execute("]);
        assert_eq!(literals("a?b*"), [""; 0]);
        assert_eq!(literals("(?:abc)?x[a-z]+"), [""; 0]);
        assert_eq!(literals("[$]{2,}"), ["$$"]);
        assert_eq!(literals("^admin$"), ["admin"]);
    }

    #[test]
    fn alternatives_without_literals_are_known_by_marks() {
        let found = required(&parse(r"select from|^x[\x27\x22]+y|(?:a|b)(?:or |;z*\d)").unwrap());
        let literals: Vec<_> =
            found.literals.iter().map(|text| String::from_utf8_lossy(text)).collect();
        assert_eq!(literals, ["or ", "select from"]);
        assert_eq!(found.instead, Some(folded(*b"'\";")));
        // A digit is no mark.
        let found = required(&parse(r"select|[0-9]+").unwrap());
        assert!(found.literals.is_empty() && found.instead.is_none());
    }

    #[test]
    fn bytes_that_occur() {
        let found = required(&parse(r"(?:'|%27)\s*(?i:or)").unwrap()).bytes;
        assert!(found.contains(&folded(*b"'%")), "{found:?}");
        assert!(found.contains(&folded(*b"o")));
    }
}
