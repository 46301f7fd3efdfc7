//! `suite crs --python`: the same rules by ModSecurity, on the requests of the tests and on others made of them.

use super::gateway::{Gateway, VARIABLES};
use super::message::Message;
use super::{Options, case, explained, probes};
use portcullis_bundle::layout::Target;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, ExitCode};

const ORACLE: &str = include_str!("modsecurity.py");

/// A rule on which both do not agree.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Difference {
    /// Its number.
    pub rule: u32,
    /// Whether it is ModSecurity that has it fire.
    pub theirs: bool,
    /// What of a message the rule looks at.
    pub targets: BTreeSet<u8>,
    /// Whether an expression of it holds an anchor.
    pub has_line_anchor: bool,
    /// Whether one of its links follows on what several transformations make.
    pub follows_several: bool,
    /// Whether it has `utf8toUnicode`.
    pub transforms_utf8: bool,
    /// Whether it looks for phrases.
    pub has_phrases: bool,
    /// Whether it looks at the target.
    pub reads_uri: bool,
    /// Whether both agree on all other rules of the message, and on one at least that fires.
    pub others_agree: bool,
}

impl Difference {
    /// Whether the rule weighs the points of others.
    pub fn weighs(&self) -> bool {
        matches!(self.rule, 949_110 | 959_100)
    }

    /// Whether the rule looks at a target.
    pub fn looks_at(&self, target: Target) -> bool {
        self.targets.contains(&target.code())
    }

    /// A rule as its text says it: its own lines, to the next rule that is none of its chain.
    fn of(rule: u32, theirs: bool, targets: BTreeSet<u8>, texts: &[String]) -> Difference {
        let id = format!("id:{rule},");
        let own = texts.iter().find_map(|text| {
            let at = text.find(&id)?;
            let from = text[..at].rfind("\nSecRule").unwrap_or(0);
            let end = text[at..].find("\nSecRule").map_or(text.len(), |end| at + end);
            Some(text[from..end].to_owned())
        });
        let own = own.unwrap_or_default();
        let patterns = own.lines().filter(|line| line.contains("@rx"));
        Difference {
            rule,
            theirs,
            targets,
            has_line_anchor: patterns.into_iter().any(|line| line.contains(['^', '$'])),
            follows_several: own.contains("multiMatch") && own.contains("chain"),
            transforms_utf8: own.contains("utf8toUnicode"),
            has_phrases: own.contains("@pm"),
            reads_uri: own.contains("REQUEST_URI"),
            others_agree: false,
        }
    }
}

/// Compares; the last line is `agreed A/B`, of requests.
pub fn run(options: &Options, python: &Path, gateway: &Gateway) -> Result<ExitCode, String> {
    let tests = options.tests.as_ref().ok_or("`--tests` says what requests are made of")?;
    let bases: Vec<Message> = case::read(tests)?.into_iter().map(|case| case.message).collect();
    let mut messages = bases.clone();
    if options.probes_only {
        messages.clear();
    }
    let probes = 0..options.probes;
    messages.extend(probes.map(|index| probes::probe(&bases, options.seed, index)));
    let answers = ask(options, python, &messages)?;
    let known = gateway.ids();
    let texts = texts(&options.rules)?;
    let mut agreed = 0;
    let mut by_reason: BTreeMap<&str, usize> = BTreeMap::new();
    let mut unexplained: BTreeMap<Difference, Vec<usize>> = BTreeMap::new();
    for (index, (message, theirs)) in messages.iter().zip(&answers).enumerate() {
        let ours = gateway.judge(message);
        let theirs: BTreeSet<u32> = theirs.intersection(&known).copied().collect();
        let ours: BTreeSet<u32> = ours.intersection(&known).copied().collect();
        let differs = ours
            .symmetric_difference(&theirs)
            .map(|id| Difference::of(*id, theirs.contains(id), gateway.targets(*id), &texts));
        let mut differs: Vec<Difference> = differs.collect();
        agreed += usize::from(differs.is_empty());
        // What weighs the points of others comes last.
        differs.sort_by_key(Difference::weighs);
        let alone = differs.len() == 1 && ours.intersection(&theirs).next().is_some();
        let mut sides = BTreeSet::new();
        for mut difference in differs {
            difference.others_agree = alone;
            let why = explained::why(message, &difference, |theirs| sides.contains(&theirs));
            match why {
                Some(why) => {
                    sides.insert(difference.theirs);
                    *by_reason.entry(why).or_default() += 1;
                }
                None => unexplained.entry(difference).or_default().push(index),
            }
        }
    }
    for (why, count) in &by_reason {
        println!("explained: {count}: {why}");
    }
    for (difference, indexes) in &unexplained {
        let who = if difference.theirs { "theirs" } else { "ours" };
        println!("unexplained: {} fires for {who} only, {} times", difference.rule, indexes.len());
        for index in indexes.iter().take(options.show) {
            println!("    {}", messages[*index].shown());
        }
    }
    let explained: usize = by_reason.values().sum();
    let left: usize = unexplained.values().map(Vec::len).sum();
    println!("differences by rule and request: explained {explained}, unexplained {left}");
    println!("agreed {agreed}/{}", messages.len());
    Ok(if left == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The texts of the rules.
fn texts(folder: &Path) -> Result<Vec<String>, String> {
    let said = |error: std::io::Error| error.to_string();
    let mut texts = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(said)? {
        let path = entry.map_err(said)?.path();
        if path.extension().is_some_and(|it| it == "conf") {
            texts.push(std::fs::read_to_string(path).map_err(said)?);
        }
    }
    Ok(texts)
}

/// The rules that ModSecurity logs, by message.
fn ask(
    options: &Options,
    python: &Path,
    messages: &[Message],
) -> Result<Vec<BTreeSet<u32>>, String> {
    let folder = std::env::temp_dir().join(format!("portcullis-crs-{}", std::process::id()));
    let said = |error: std::io::Error| error.to_string();
    std::fs::create_dir_all(&folder).map_err(said)?;
    let (script, requests, answers) =
        (folder.join("oracle.py"), folder.join("requests"), folder.join("answers"));
    std::fs::write(&script, ORACLE).map_err(said)?;
    let lines: String = messages.iter().map(line).collect();
    std::fs::write(&requests, lines).map_err(said)?;
    let setup = options.setup.as_deref().unwrap_or(Path::new(""));
    let status = Command::new(python)
        .arg(&script)
        .args([&options.rules, setup])
        .args([&options.paranoia.to_string(), VARIABLES])
        .args([&requests, &answers])
        .status()
        .map_err(said)?;
    let text = std::fs::read_to_string(&answers).map_err(said);
    std::fs::remove_dir_all(&folder).map_err(said)?;
    if !status.success() {
        return Err(format!("ModSecurity ends with {status}"));
    }
    let ids = |line: &str| line.split(' ').filter_map(|id| id.parse().ok()).collect();
    let answers: Vec<BTreeSet<u32>> = text?.lines().map(ids).collect();
    if answers.len() != messages.len() {
        return Err(format!("{} answers to {} requests", answers.len(), messages.len()));
    }
    Ok(answers)
}

/// A message as the oracle reads it.
fn line(message: &Message) -> String {
    let head = [&message.method, &message.uri, &message.version];
    let mut out: String = head.into_iter().map(|text| hex(text) + "\t").collect();
    let headers = message.headers.iter();
    let headers: Vec<String> =
        headers.map(|(name, value)| format!("{}:{}", hex(name), hex(value))).collect();
    let _ = write!(out, "{}\t{}\t", headers.join(","), hex(&message.body));
    if let Some(answer) = message.answer() {
        // ModSecurity looks at no body without a type.
        let usual = ("content-type".to_owned(), "text/plain".to_owned());
        let fields = std::iter::once(&usual).chain(&answer.headers);
        let fields: Vec<String> =
            fields.map(|(name, value)| format!("{}:{}", hex(name), hex(value))).collect();
        let _ = writeln!(out, "{}\t{}\t{}", answer.status, fields.join(","), hex(&answer.body));
    } else {
        out.push_str("\t\t\n");
    }
    out
}

fn hex(bytes: impl AsRef<[u8]>) -> String {
    data_encoding::HEXLOWER.encode(bytes.as_ref())
}
