//! Makes the tables that the module carries of the lists that people read:
//! `UPDATE_TABLES=1 cargo test -p portcullis-injection tables`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::shapes::{ACCEPTS, ALPHABET};

fn table(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tables").join(name)
}

fn list(name: &str) -> Vec<String> {
    std::fs::read_to_string(table(name)).unwrap().lines().map(str::to_owned).collect()
}

/// Writes the table where that is asked for; else it must be what the list makes.
fn check(name: &str, bytes: &[u8]) {
    if std::env::var_os("UPDATE_TABLES").is_some() {
        std::fs::write(table(name), bytes).unwrap();
    }
    let found = std::fs::read(table(name)).unwrap_or_default();
    assert!(found == bytes, "{name} is not what its list makes: run with UPDATE_TABLES=1");
}

fn le16(value: usize) -> [u8; 2] {
    u16::try_from(value).unwrap().to_le_bytes()
}

/// Words by length, each length sorted, as (word, letter of its kind).
fn words() -> BTreeMap<usize, BTreeSet<(String, u8)>> {
    let mut by_length: BTreeMap<usize, BTreeSet<_>> = BTreeMap::new();
    for line in list("words.txt") {
        let (kind, word) = line.split_once(' ').unwrap();
        assert_eq!(word, word.to_ascii_uppercase());
        let [letter] = *kind.as_bytes() else { panic!("{line}") };
        assert!(super::token::Kind::of_word(letter).is_some(), "{line}");
        by_length.entry(word.len()).or_default().insert((word.to_owned(), letter));
    }
    by_length
}

#[test]
fn words_are_their_list() {
    let words = words();
    let longest = *words.keys().last().unwrap();
    let (mut lengths, mut all) = (Vec::new(), Vec::new());
    for length in 1..=longest {
        let of_length = words.get(&length).cloned().unwrap_or_default();
        lengths.extend(le16(3 * longest + all.len()));
        lengths.push(u8::try_from(of_length.len()).unwrap());
        for (word, letter) in &of_length {
            all.extend(word.bytes());
            all.push(*letter);
        }
    }
    lengths.extend(all);
    check("words.bin", &lengths);
}

#[test]
fn every_word_is_found() {
    let mut count = 0;
    for (word, letter) in words().into_values().flatten() {
        let kind = super::words::lookup(word.to_ascii_lowercase().as_bytes());
        assert_eq!(kind.map(super::token::Kind::letter), Some(letter), "{word}");
        for other in [format!("{word}Q"), word[1..].to_owned() + "\0", format!("\u{e9}{word}")] {
            assert_eq!(super::words::lookup(other.as_bytes()), None, "{other}");
        }
        count += 1;
    }
    assert_eq!(count, list("words.txt").len());
}

/// Nodes of the minimal automaton: what follows each, after all that it leads to.
#[derive(Default)]
struct Automaton {
    nodes: Vec<Node>,
    known: BTreeMap<Node, usize>,
}

#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Node {
    accepts: bool,
    next: BTreeMap<u8, usize>,
}

impl Automaton {
    fn add(&mut self, words: &BTreeSet<&[u8]>) -> usize {
        let mut node = Node { accepts: words.contains(&b""[..]), ..Node::default() };
        let mut by_letter: BTreeMap<u8, BTreeSet<&[u8]>> = BTreeMap::new();
        for word in words {
            if let [letter, rest @ ..] = *word {
                by_letter.entry(*letter).or_default().insert(rest);
            }
        }
        for (letter, rest) in by_letter {
            node.next.insert(letter, self.add(&rest));
        }
        *self.known.entry(node.clone()).or_insert_with(|| {
            self.nodes.push(node);
            self.nodes.len() - 1
        })
    }

    /// The nodes as bytes, the last one first.
    fn bytes(&self) -> Vec<u8> {
        let mut place = vec![0; self.nodes.len()];
        let mut length = 0;
        for (index, node) in self.nodes.iter().enumerate().rev() {
            place[index] = length;
            length += 3 + 2 * node.next.len();
        }
        let mut bytes = Vec::new();
        for node in self.nodes.iter().rev() {
            let bit = |letter: &u8| 1 << ALPHABET.iter().position(|l| l == letter).unwrap();
            let letters: u32 = node.next.keys().map(bit).sum();
            let accepts = if node.accepts { ACCEPTS } else { 0 };
            bytes.extend(&(letters | accepts).to_le_bytes()[..3]);
            bytes.extend(node.next.values().flat_map(|next| le16(place[*next])));
        }
        bytes
    }
}

#[test]
fn fingerprints_are_their_list() {
    assert!(ALPHABET.is_sorted(), "nodes have their letters in the order of the bits");
    let list = list("fingerprints.txt");
    let mut automaton = Automaton::default();
    automaton.add(&list.iter().map(String::as_bytes).collect());
    check("fingerprints.bin", &automaton.bytes());
}

#[test]
fn every_fingerprint_is_known_and_no_other() {
    use super::token::Kind;
    let kinds = "kUBEtfn1vso&cA(){}.,:;T?X\\".bytes().map(|letter| {
        let all = [
            Kind::String,
            Kind::Comment,
            Kind::LeftParenthesis,
            Kind::RightParenthesis,
            Kind::LeftBrace,
            Kind::RightBrace,
            Kind::Dot,
            Kind::Comma,
            Kind::Colon,
            Kind::Semicolon,
            Kind::Unknown,
            Kind::Evil,
            Kind::Backslash,
        ];
        let other = || all.into_iter().find(|kind| kind.letter() == letter);
        Kind::of_word(letter).or_else(other).unwrap()
    });
    let kinds: Vec<Kind> = kinds.collect();
    let list: BTreeSet<String> = list("fingerprints.txt").into_iter().collect();
    // All sequences of up to four kinds, and those of five that begin like a known one.
    let (mut open, mut known) = (vec![Vec::new()], BTreeSet::new());
    for length in 1..=5 {
        let mut longer = Vec::new();
        for start in &open {
            for kind in &kinds {
                let kinds: Vec<Kind> = start.iter().chain([kind]).copied().collect();
                let letters = kinds.iter().map(|k| k.letter().to_ascii_uppercase() as char);
                let text: String = letters.collect();
                let found = super::shapes::is_known(kinds.iter().copied());
                assert_eq!(found, list.contains(&text), "{text}");
                if found {
                    known.insert(text.clone());
                }
                if length < 4
                    || (length == 4
                        && list.range(text.clone()..).next().is_some_and(|n| n.starts_with(&text)))
                {
                    longer.push(kinds);
                }
            }
        }
        open = longer;
    }
    assert_eq!(known.len(), list.len());
}
