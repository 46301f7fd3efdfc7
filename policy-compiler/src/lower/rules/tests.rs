//! Automata of rules beside another engine: the meta engine of regex-automata, over bytes.

use super::automaton::Automaton;
use super::regex;
use crate::ir::Model;
use crate::lower::tables::Tables;
use portcullis_bundle::layout::Operator as Code;
use portcullis_engine::attack::lazy::Cache;
use portcullis_engine::attack::steps::Steps;
use regex_automata::meta;
use regex_syntax::hir::{Class, Hir, HirKind};
use std::rc::Rc;

/// splitmix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ mixed >> 31
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound.max(1) as u64) as usize
    }

    /// A text that an expression may match, looking around left out of account.
    fn text(&mut self, hir: &Hir, out: &mut Vec<u8>) {
        match hir.kind() {
            HirKind::Empty | HirKind::Look(_) => {}
            HirKind::Literal(literal) => out.extend_from_slice(&literal.0),
            HirKind::Class(Class::Bytes(class)) => {
                let Some(range) = class.ranges().get(self.below(class.ranges().len())) else {
                    return;
                };
                let width = usize::from(range.end() - range.start()) + 1;
                out.push(range.start() + self.below(width) as u8);
            }
            HirKind::Class(Class::Unicode(class)) => {
                let Some(range) = class.ranges().get(self.below(class.ranges().len())) else {
                    return;
                };
                out.extend(range.start().to_string().bytes());
            }
            HirKind::Repetition(of) => {
                let most = of.max.unwrap_or(of.min + 3).min(of.min + 3);
                let times = of.min + self.below((most - of.min + 1) as usize) as u32;
                (0..times).for_each(|_| self.text(&of.sub, out));
            }
            HirKind::Capture(capture) => self.text(&capture.sub, out),
            HirKind::Concat(parts) => parts.iter().for_each(|part| self.text(part, out)),
            HirKind::Alternation(parts) => {
                let part = self.below(parts.len());
                self.text(&parts[part], out);
            }
        }
    }

    /// A haystack: texts that match or nearly do, and noise.
    fn haystack(&mut self, hir: &Hir) -> Vec<u8> {
        let mut out = Vec::new();
        for _ in 0..1 + self.below(3) {
            match self.below(4) {
                0 => (0..self.below(12)).for_each(|_| out.push(self.next() as u8)),
                1 => (0..self.below(6)).for_each(|_| out.push(b" \n\r'\"a_0/<(;"[self.below(12)])),
                _ => self.text(hir, &mut out),
            }
        }
        for _ in 0..self.below(3) {
            let at = self.below(out.len().max(1));
            match self.below(4) {
                _ if out.is_empty() => {}
                0 => drop(out.remove(at)),
                1 => out.insert(at, self.next() as u8),
                2 => out[at] ^= 0x20,
                _ => out.truncate(at),
            }
        }
        out
    }
}

/// What the bundle's automaton of an expression says, and what the other engine does.
struct Both {
    hir: Hir,
    sections: portcullis_bundle::layout::Sections,
    written: (Code, u32),
    automaton: Automaton,
    other: Rc<meta::Regex>,
    cache: Cache,
    caseless: bool,
}

impl Both {
    fn of(
        pattern: &str,
        other: &Rc<meta::Regex>,
        (caseless, table): (bool, bool),
    ) -> Result<Both, String> {
        let hir = regex::parse(pattern)?;
        let mut automaton = Automaton::build(&hir, caseless)?;
        if !table {
            automaton.keep_net();
        }
        let model = model();
        let mut tables = Tables::new(&model);
        let written = automaton.write(&mut tables);
        let other = Rc::clone(other);
        let sections = tables.sections;
        let cache = Cache::default();
        Ok(Both { hir, sections, written, automaton, other, cache, caseless })
    }

    /// Panics where they differ.
    fn compare(&mut self, pattern: &str, haystack: &[u8]) -> bool {
        let seen = if self.caseless { haystack.to_ascii_lowercase() } else { haystack.to_vec() };
        let wanted = self.other.is_match(&seen);
        let found = match self.written {
            (Code::Nfa, index) => {
                let mut steps = Steps::new(u64::MAX);
                self.cache.matches(&self.sections.view(), index, haystack, &mut steps).unwrap()
            }
            _ => self.automaton.matches(haystack),
        };
        assert_eq!(found, wanted, "{pattern} on {:?}", String::from_utf8_lossy(haystack));
        assert_eq!(self.automaton.matches(haystack), wanted, "{pattern} on {haystack:?}");
        wanted
    }
}

/// Compares on so many haystacks of each pattern; gives how many there were, and in how many something matched.
fn compare(patterns: &[String], count: usize) -> (usize, usize) {
    let mut random = Random(7);
    let (mut all, mut matched) = (0, 0);
    for pattern in patterns {
        let config = meta::Config::new().utf8_empty(false).nfa_size_limit(None).hybrid(true);
        let hir = regex::parse(pattern).unwrap();
        let other = meta::Builder::new().configure(config).build_from_hir(&hir).unwrap();
        let other = Rc::new(other);
        for how in [(false, false), (true, false), (false, true)] {
            let mut both =
                Both::of(pattern, &other, how).unwrap_or_else(|e| panic!("{pattern}: {e}"));
            for _ in 0..count {
                let haystack = random.haystack(&both.hir);
                all += 1;
                matched += usize::from(both.compare(pattern, &haystack));
            }
        }
    }
    (all, matched)
}

/// Every construct that decides something by itself.
const CONSTRUCTS: [&str; 34] = [
    "",
    "a",
    "a|b|",
    "[^a-c]x",
    "^a",
    "a$",
    "^$",
    "^a|b",
    "(?m)^a$",
    "(?mR)^a$",
    "(?m)a$.^b",
    r"\ba\b",
    r"\Ba\B",
    r"\b",
    r"a\b.",
    r"a\B\w",
    r"\b{start}a|a\b{end}",
    r"\b{start-half}a|a\b{end-half}",
    r"(?:\b|x)(?:\b|y)z",
    r"^\b_",
    r"\b$",
    r"(?i)un(?:ion)?\s+select",
    "a{3,5}b",
    "(?:ab?){2,40}c",
    "[ab]*a[ab]{7}c",
    r"(?s).\x{ff}",
    r"[\x80-\x{bf}]{2}",
    r"(?:a*)*b",
    r"(?:a|ab)(?:c|bcd)(?:d*)$",
    r"[[:^alpha:]]\d",
    "x*?y+?",
    "(?:(?:a)|(?:a)|b)c",
    "[a&&b]|c",
    r"(?:^|\W)or(?:\W|$)",
];

#[test]
fn automata_agree_with_another_engine() {
    let patterns: Vec<String> = CONSTRUCTS.iter().map(|it| (*it).to_owned()).collect();
    let (all, matched) = compare(&patterns, 400);
    assert!(matched > all / 10, "{matched} of {all}");
}

#[test]
fn automata_of_the_packs_agree_with_another_engine() {
    let patterns = packs();
    assert!(patterns.len() > 50, "{}", patterns.len());
    let (all, matched) = compare(&patterns, 8);
    assert!(matched > all / 10, "{matched} of {all}");
}

/// A model with our own pack and next to no contract.
fn model() -> Model {
    let policy = "version: 1\nname: packs\nattacks: { paranoia: 4 }\napis: [{ name: none, documents: [none.yaml] }]\n";
    let document = "openapi: 3.1.0\ninfo: { title: none, version: '1' }\npaths: {}\n";
    let sources = crate::source::Memory::new([("policy.yaml", policy), ("none.yaml", document)]);
    crate::load::load_policy(&sources, "policy.yaml").model
}

/// An automaton of which texts reach thousands of states.
const EXPLODING: &str = "[ab]*a[ab]{12}c";

/// Text of two letters at random.
fn letters(random: &mut Random, len: usize) -> Vec<u8> {
    (0..len).map(|_| b'a' + (random.next() & 1) as u8).collect()
}

#[test]
fn texts_that_ask_for_many_states_are_judged_alike_in_bounded_memory() {
    let other = Rc::new(meta::Regex::new(EXPLODING).unwrap());
    let mut both = Both::of(EXPLODING, &other, (false, false)).unwrap();
    let mut random = Random(3);
    let mut matched = 0;
    for _ in 0..500 {
        let mut text = letters(&mut random, 300);
        if random.below(2) == 0 {
            text.push(b'c');
        }
        matched += usize::from(both.compare(EXPLODING, &text));
    }
    assert!((50..450).contains(&matched), "{matched}");
    let (states, cleared) = both.cache.usage();
    assert!(states < 8192 && cleared > 1, "{states} {cleared}");
}

#[test]
fn what_is_built_for_a_text_costs_steps() {
    let other = Rc::new(meta::Regex::new(EXPLODING).unwrap());
    let both = Both::of(EXPLODING, &other, (false, false)).unwrap();
    let text = letters(&mut Random(5), 64 << 10);
    let view = both.sections.view();
    let spent = |cache: &mut Cache, text: &[u8]| {
        let mut steps = Steps::new(u64::MAX);
        assert_eq!(cache.matches(&view, both.written.1, text, &mut steps), Ok(false));
        (u64::MAX - steps.left()) / text.len() as u64
    };
    let mut cache = Cache::default();
    let hostile = spent(&mut cache, &text);
    assert!((20..200).contains(&hostile), "{hostile} steps a byte");
    // It has filled no more than its patience.
    assert!(cache.usage().0 < 700);
    let (first, again) = (spent(&mut cache, &text[..200]), spent(&mut cache, &text[..200]));
    assert_eq!(again, 0, "{first}");
    let mut steps = Steps::new(100_000);
    assert!(cache.matches(&view, both.written.1, &text, &mut steps).is_err());
}

/// The expressions of our own packs.
fn packs() -> Vec<String> {
    let attacks = model().attacks.unwrap();
    let conditions = attacks.rules.iter().flat_map(|rule| &rule.conditions);
    let pattern = |it: &crate::ir::Matcher| match &it.operator {
        crate::ir::Operator::Regex(pattern) => Some(pattern.clone()),
        _ => None,
    };
    let mut patterns: Vec<String> = conditions.filter_map(pattern).collect();
    patterns.sort();
    patterns.dedup();
    patterns
}

#[test]
fn automata_of_crs_agree_with_another_engine() {
    let data = std::env::var("PORTCULLIS_DATA").unwrap_or_else(|_| "../shared/data".to_owned());
    let root =
        std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(data).join("crs/rules");
    let patterns = crs(&root);
    if patterns.is_empty() {
        println!("skipped: no rules in {}", root.display());
        return;
    }
    let started = std::time::Instant::now();
    let model = model();
    let mut tables = Tables::new(&model);
    let (mut nets, mut count) = (0, 0);
    for pattern in &patterns {
        match regex::parse(pattern).and_then(|hir| Automaton::build(&hir, false)) {
            Ok(automaton) => {
                count += 1;
                nets += usize::from(automaton.write(&mut tables).0 == Code::Nfa);
            }
            Err(error) => println!("{error}: {pattern}"),
        }
    }
    let bytes: usize = tables.sections.as_bytes().iter().map(|(_, bytes)| bytes.len()).sum();
    println!(
        "expressions={} compiled={count} nfas={nets} bytes={bytes} seconds={:.2}",
        patterns.len(),
        started.elapsed().as_secs_f64()
    );
    assert_eq!(count, patterns.len());
    // In a debug build the other engine takes its time over the larger half.
    let patterns: Vec<String> =
        patterns.into_iter().filter(|it| !cfg!(debug_assertions) || it.len() < 400).collect();
    let (all, matched) = compare(&patterns, 2);
    println!("compared={all} matched={matched}");
    assert!(matched > all / 10, "{matched} of {all}");
}

/// The expressions of a folder of SecLang files.
fn crs(folder: &std::path::Path) -> Vec<String> {
    let mut patterns = Vec::new();
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    for entry in entries.filter(|it| it.path().extension().is_some_and(|it| it == "conf")) {
        let text = std::fs::read_to_string(entry.path()).unwrap().replace("\\\n", " ");
        for line in text.lines().filter(|line| !line.trim_start().starts_with('#')) {
            let Some((_, rest)) = line.split_once("@rx ") else { continue };
            let mut pattern = String::new();
            let mut letters = rest.chars().peekable();
            while let Some(letter) = letters.next() {
                match letter {
                    '"' => break,
                    '\\' if letters.peek() == Some(&'"') => pattern.extend(letters.next()),
                    '\\' => pattern.extend([Some('\\'), letters.next()].into_iter().flatten()),
                    other => pattern.push(other),
                }
            }
            patterns.push(pattern);
        }
    }
    patterns.retain(|pattern| !pattern.contains("%{"));
    patterns.sort();
    patterns.dedup();
    patterns
}
