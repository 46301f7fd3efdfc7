//! `cargo xtask suite libinjection`: `portcullis-injection` against the C library that it follows, verdict
//! and fingerprint (of XSS the first context), on generated, mutated and random values.

mod mutate;
mod oracle;
mod random;
mod sql;
mod xss;

use std::path::Path;

use anyhow::Result;
use portcullis_injection::{sql as sql_detector, xss as xss_detector};

use crate::process::say;
use crate::workspace::Workspace;
use oracle::{Detector, Oracle, Verdict};
use random::Random;

/// Values are judged in lots of this size.
const LOT: usize = 4096;
/// How many differences are shown.
const SHOWN: usize = 20;

#[derive(clap::Args)]
pub struct Options {
    /// How many values for each of the two detectors
    #[arg(long, default_value_t = 500_000)]
    inputs: usize,
    /// Where the generator starts
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// Why the C library cannot be had on this machine, if it cannot.
pub fn missing(workspace: &Workspace) -> Option<String> {
    oracle::install(workspace).err().map(|error| format!("{error:#}"))
}

/// Compares; the last line is `agreed A/B`.
pub fn run(workspace: &Workspace, data: &Path, options: &Options) -> Result<()> {
    let mut oracle = Oracle::start(&oracle::install(workspace)?)?;
    let seeds = regression_payloads(data);
    say(format!("{} payloads of the CRS regression tests to mutate", seeds.len()));
    let mut total = Tally::default();
    for detector in [Detector::Sql, Detector::Xss] {
        let tally = compare(&mut oracle, detector, &seeds, options)?;
        let Tally { values, attacks, agreed, .. } = tally;
        let name = format!("{detector:?}").to_lowercase();
        println!("{name}: {values} values, {attacks} of them attacks, {agreed} agreed");
        total.values += values;
        total.agreed += agreed;
    }
    oracle.end()?;
    println!("agreed {}/{}", total.agreed, total.values);
    if total.agreed != total.values {
        // The line above is the last one; the exit status says the rest.
        std::process::exit(1);
    }
    Ok(())
}

#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    values: usize,
    agreed: usize,
    attacks: usize,
    shown: usize,
}

fn compare(
    oracle: &mut Oracle,
    detector: Detector,
    seeds: &[Vec<u8>],
    options: &Options,
) -> Result<Tally> {
    let mut source = Source {
        random: Random(options.seed),
        detector,
        grammar: sql::Grammar::new(),
        seeds,
        recent: Vec::new(),
    };
    let mut tally = Tally::default();
    while tally.values < options.inputs {
        let count = LOT.min(options.inputs - tally.values);
        let values: Vec<Vec<u8>> = (0..count).map(|_| source.value()).collect();
        let verdicts = oracle.judge(detector, &values)?;
        for (value, theirs) in values.iter().zip(verdicts) {
            tally.count(value, &ours(detector, value), &theirs);
        }
    }
    Ok(tally)
}

impl Tally {
    fn count(&mut self, value: &[u8], ours: &Verdict, theirs: &Verdict) {
        self.values += 1;
        self.attacks += usize::from(matches!(
            theirs,
            Verdict::Sql { injects: true, .. } | Verdict::Xss(Some(_))
        ));
        if ours == theirs {
            self.agreed += 1;
        } else if self.shown < SHOWN {
            self.shown += 1;
            println!(
                "differs: \"{}\"\n  ours   {ours:?}\n  theirs {theirs:?}",
                value.escape_ascii()
            );
        }
    }
}

fn ours(detector: Detector, value: &[u8]) -> Verdict {
    match detector {
        Detector::Sql => {
            let found = sql_detector::examine(value);
            assert!(!found.injects || sql_detector::possible(value), "{}", value.escape_ascii());
            Verdict::Sql { injects: found.injects, fingerprint: found.fingerprint.to_string() }
        }
        Detector::Xss => {
            let found = xss_detector::context(value);
            assert!(found.is_none() || xss_detector::possible(value), "{}", value.escape_ascii());
            Verdict::Xss(xss_detector::Context::ALL.iter().position(|c| Some(*c) == found))
        }
    }
}

/// Where values come from.
struct Source<'s> {
    random: Random,
    detector: Detector,
    grammar: sql::Grammar,
    seeds: &'s [Vec<u8>],
    /// Values made before, to be mutated further.
    recent: Vec<Vec<u8>>,
}

impl Source<'_> {
    fn value(&mut self) -> Vec<u8> {
        let value = match self.random.below(20) {
            0 => mutate::noise(&mut self.random),
            1..=9 => {
                let mut value = self.old();
                let other = self.old();
                mutate::mutate(&mut self.random, &mut value, &other);
                value
            }
            _ => self.new_one(),
        };
        if self.recent.len() < 1024 {
            self.recent.push(value.clone());
        } else {
            let at = self.random.below(self.recent.len());
            self.recent[at].clone_from(&value);
        }
        value
    }

    /// A value for the detector, at times one for the other.
    fn new_one(&mut self) -> Vec<u8> {
        let sql = (self.detector == Detector::Sql) != self.random.one_in(20);
        if sql { self.grammar.value(&mut self.random) } else { xss::value(&mut self.random) }
    }

    fn old(&mut self) -> Vec<u8> {
        let seeds = if self.random.one_in(4) { self.seeds } else { &self.recent };
        if seeds.is_empty() {
            return self.new_one();
        }
        let mut value = seeds[self.random.below(seeds.len())].clone();
        // Mutants of mutants would grow without end.
        value.truncate(400);
        value
    }
}

/// What the CRS regression tests send, where they are on this machine: the quoted part of every `uri` and
/// `data` line, percent-decoded.
fn regression_payloads(data: &Path) -> Vec<Vec<u8>> {
    let mut payloads = Vec::new();
    let folders = ["REQUEST-941-APPLICATION-ATTACK-XSS", "REQUEST-942-APPLICATION-ATTACK-SQLI"];
    for folder in folders.map(|name| data.join("crs/regression").join(name)) {
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        let mut files: Vec<_> = entries.map(|entry| entry.path()).collect();
        files.sort();
        for text in files.iter().filter_map(|file| std::fs::read_to_string(file).ok()) {
            let lines = text.lines().map(str::trim);
            let quoted = lines.filter(|l| l.starts_with("uri:") || l.starts_with("data:"));
            payloads.extend(quoted.filter_map(payload));
        }
    }
    payloads
}

fn payload(line: &str) -> Option<Vec<u8>> {
    let quoted = line.split_once(": ")?.1.trim_matches(|c| c == '"' || c == '\'');
    // The value of the last parameter, or the whole.
    let value = quoted.rsplit_once('=').map_or(quoted, |(_, value)| value);
    let whole = if value.len() < 8 { quoted } else { value };
    Some(percent_decoded(whole.as_bytes()))
}

fn percent_decoded(text: &[u8]) -> Vec<u8> {
    let digit = |byte: &u8| char::from(*byte).to_digit(16);
    let mut decoded = Vec::new();
    let mut rest = text;
    while let [first, after @ ..] = rest {
        let pair = after.first().and_then(digit).zip(after.get(1).and_then(digit));
        match (first, pair) {
            (b'%', Some((high, low))) => {
                decoded.push((high * 16 + low) as u8);
                rest = &after[2..];
            }
            (b'+', _) => {
                decoded.push(b' ');
                rest = after;
            }
            _ => {
                decoded.push(*first);
                rest = after;
            }
        }
    }
    decoded
}
