//! `suite differential`: the engine against `jsonschema` on mutated instances.
//!
//! Every schema that requests of the documents can meet judges bodies that began valid and were changed at random; where
//! the official JSON Schema suite is at hand, so do its schemas, and random ones ([`crate::schemas`]). Each difference
//! between the verdicts is explained by one of the [`Rule`]s, or fails the run.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use policy_compiler::examples::{
    Evaluator, Generator, Judge, Judged, Request, compile, probe, to_json,
};
use policy_compiler::ir::{Number, SchemaId, Usage, Value};
use policy_compiler::source::Library;
use policy_compiler::{Input, Release, load};
use serde_json::Value as Json;

use crate::openapi::documents;
use crate::oracle::{Oracle, Translation};
use crate::run::{POLICY, dialect, overlay, translate, unenforced};
use crate::schemas;

/// What to run.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// A folder of documents, or one document
    path: PathBuf,
    /// How many instances to judge
    #[arg(long, default_value_t = 100_000)]
    instances: u64,
    /// The seed of the changes
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The official JSON Schema suite, whose schemas get a tenth of the instances
    #[arg(long)]
    official: Option<PathBuf>,
    /// How many of a hundred instances go to random schemas
    #[arg(long, default_value_t = 20)]
    random: u64,
}

/// Why verdicts may differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Rule {
    /// The engine refuses by a limit of the policy: size, depth, or steps.
    Limit,
    /// The engine reads `\\d`, `\\w` and `\\s` of a pattern as ECMA-262 does, in ASCII; `jsonschema` in Unicode.
    UnicodeClass,
    /// The report says of a keyword, for some use of its schema, that it is not enforced, and the oracle goes without it
    /// in all; the engine has refused by it here.
    EnforcedHere,
    /// A number that no 64 bits hold: `jsonschema` compares floats, the engine decimals.
    WideNumber,
}

impl Rule {
    fn told(self) -> &'static str {
        match self {
            Rule::Limit => "limit: limits of the policy are no part of the schema",
            Rule::UnicodeClass => {
                "unicode-class: jsonschema takes classes of patterns by Unicode, ECMA-262 by ASCII"
            }
            Rule::EnforcedHere => {
                "enforced-here: a keyword that the report says is not enforced in some other use"
            }
            Rule::WideNumber => {
                "wide-number: jsonschema compares as floats numbers that do not fit 64 bits"
            }
        }
    }
}

/// xorshift64*: the same seed gives the same instances everywhere.
pub(crate) struct Random(u64);

impl Random {
    /// The numbers of one schema.
    pub(crate) fn new(seed: u64, index: u64) -> Self {
        let mixed = seed.wrapping_mul(0x9E37_79B9).wrapping_add(index);
        Random(mixed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    pub(crate) fn below(&mut self, n: usize) -> usize {
        (self.next() >> 33) as usize % n.max(1)
    }
}

#[derive(Default)]
pub(crate) struct Totals {
    pub instances: u64,
    pub accepted: u64,
    /// Schemas without an instance to begin with, or that the oracle does not take.
    unmade: u64,
    pub schemas: u64,
    /// Schemas by themselves that are not judged, by reason.
    pub left: BTreeMap<&'static str, u64>,
    pub explained: BTreeMap<Rule, u64>,
    pub unexplained: u64,
    pub samples: Vec<String>,
}

/// Runs it. Fails where a difference is not explained.
pub fn run(options: &Options) -> ExitCode {
    let documents = documents(&options.path);
    let mut totals = Totals::default();
    let started = std::time::Instant::now();
    let random = options.instances * options.random.min(100) / 100;
    let official = options.official.as_ref().map_or(0, |_| options.instances / 10);
    let instances = options.instances.saturating_sub(random + official);
    for (at, (name, root)) in documents.iter().enumerate() {
        // What one document leaves over goes to the next ones.
        let left = (documents.len() - at) as u64;
        let quota = instances.saturating_sub(totals.instances).div_ceil(left);
        if let Err(why) = document(root, quota, options.seed, &mut totals) {
            println!("{name}: skipped: {why}");
        }
    }
    let mut before = totals.instances;
    let mut told = |what: &str, totals: &Totals| {
        println!("{what}: {} instances", totals.instances - before);
        before = totals.instances;
    };
    println!("schemas of documents: {} instances", totals.instances);
    if let Some(folder) = &options.official {
        schemas::official(folder, official, options.seed, &mut totals);
        told("schemas of the official suite", &totals);
    }
    // What could not be judged before goes to the last ones.
    let random = if random > 0 { options.instances.saturating_sub(totals.instances) } else { 0 };
    schemas::random(random, options.seed, &mut totals);
    told("random schemas", &totals);
    for (why, count) in &totals.left {
        println!("left out: {count} schemas, {why}");
    }
    let seconds = started.elapsed().as_secs_f64();
    for (rule, count) in &totals.explained {
        println!("explained: {count} × {}", rule.told());
    }
    totals.samples.iter().for_each(|sample| println!("unexplained: {sample}"));
    println!("schemas {}, of which without an instance {}", totals.schemas, totals.unmade);
    println!(
        "instances {}, accepted by both {}, explained differences {}, unexplained differences {} ({:.0} a second)",
        totals.instances,
        totals.accepted,
        totals.explained.values().sum::<u64>(),
        totals.unexplained,
        totals.instances as f64 / seconds
    );
    if totals.unexplained == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn document(root: &Path, quota: u64, seed: u64, totals: &mut Totals) -> Result<(), String> {
    let (overlay, file) = overlay(root);
    let input = Input::Policy(POLICY.to_owned());
    let compiled = policy_compiler::compile(&overlay, &input, &Release::default());
    let report = compiled.report.as_ref().filter(|_| compiled.bundle.is_some());
    let report = report.ok_or("it does not compile")?;
    let loaded = load::load_policy(&overlay, POLICY);
    let model = &loaded.model;
    let unenforced = unenforced(report);
    let mut library = Library::new(&overlay);
    let mut diagnostics = policy_compiler::diag::Diagnostics::default();
    let document = library.load(&file, &mut diagnostics).ok_or("it cannot be read again")?;
    let request = Usage::REQUEST_BODY.with(Usage::PARAMETER);
    let ids: Vec<SchemaId> = model
        .schemas
        .iter()
        .filter(|(_, schema)| schema.usage.intersects(request) && schema.boolean.is_none())
        .map(|(id, _)| id)
        .collect();
    if ids.is_empty() {
        return Err("no schema judges requests".to_owned());
    }
    let mut translation = Translation::new(&library, dialect(&library, document), &unenforced);
    let numbers: Vec<Vec<usize>> =
        ids.iter().map(|id| translate(model, &mut translation, *id)).collect();
    let mut oracle = Oracle::new(translation.finish())?;
    let mut judge = Judge::new(compile(&probe(model, &ids)).map_err(|error| error.to_string())?);
    let strictness = model.apis.first().map(|api| api.settings.strictness.clone());
    let mut generator = Generator::new(Evaluator::new(model, strictness.unwrap_or_default()));
    let end = totals.instances + quota;
    for (index, id) in ids.iter().enumerate() {
        let left = (ids.len() - index) as u64;
        let quota = end.saturating_sub(totals.instances).div_ceil(left);
        totals.schemas += 1;
        let bases: Vec<Value> = (0..3).filter_map(|salt| generator.all(&[*id], salt)).collect();
        let validator = match numbers[index][..] {
            [number] if !bases.is_empty() => oracle.validator(number).ok(),
            _ => None,
        };
        let Some(validator) = validator else {
            totals.unmade += 1;
            continue;
        };
        let mut random = Random::new(seed, index as u64);
        let path = format!("/s{index}");
        for round in 0..quota {
            let mut value = bases[random.below(bases.len())].clone();
            if round >= bases.len() as u64 {
                for _ in 0..=random.below(3) {
                    change(&mut value, &bases, &mut random);
                }
            }
            let text = to_json(&value);
            let Ok(json) = serde_json::from_str::<Json>(&text) else { continue };
            let judged = judge.judge(&Request::json("POST", &path, &value));
            let theirs = validator.is_valid(&json);
            totals.instances += 1;
            if judged.passed == theirs {
                totals.accepted += u64::from(theirs);
                continue;
            }
            if let Some(rule) = explain(&judged, theirs, &json, &unenforced) {
                *totals.explained.entry(rule).or_default() += 1;
                continue;
            }
            totals.unexplained += 1;
            if totals.samples.len() < 20 {
                let at = model.locate(model.schemas[*id].origin);
                let finding = judged.findings.first().map(|found| format!("{found:?}"));
                let text: String = text.chars().take(200).collect();
                totals.samples.push(format!(
                    "{}:{} {} jsonschema={theirs} {text} {}",
                    at.path,
                    at.line,
                    at.pointer,
                    finding.unwrap_or_default()
                ));
            }
        }
    }
    Ok(())
}

/// Why verdicts may differ; `None`: they may not.
fn explain(
    judged: &Judged,
    theirs: bool,
    value: &Json,
    unenforced: &crate::oracle::Unenforced,
) -> Option<Rule> {
    let limit = |code| matches!(code, "body-too-large" | "body-too-deep" | "body-budget");
    if theirs && judged.findings.iter().any(|found| limit(found.code)) {
        return Some(Rule::Limit);
    }
    let part = judged.findings.iter().any(|found| {
        found.source.as_ref().zip(found.keyword).is_some_and(|((path, _, pointer), keyword)| {
            unenforced.contains(&(path.clone(), pointer.clone(), keyword.to_owned()))
        })
    });
    if theirs && part {
        return Some(Rule::EnforcedHere);
    }
    let pattern = judged.findings.iter().any(|found| found.keyword == Some("pattern"));
    if theirs && pattern && !value.to_string().is_ascii() {
        return Some(Rule::UnicodeClass);
    }
    if has_wide_number(value) {
        return Some(Rule::WideNumber);
    }
    None
}

/// Whether a number is held as a float that does not hold every whole number of its size.
pub(crate) fn has_wide_number(value: &Json) -> bool {
    match value {
        Json::Number(number) => number.is_f64() && number.as_f64().is_some_and(|f| f.abs() > 9e15),
        Json::Array(items) => items.iter().any(has_wide_number),
        Json::Object(members) => members.values().any(has_wide_number),
        _ => false,
    }
}

/// Changes one place of a value.
pub(crate) fn change(value: &mut Value, bases: &[Value], random: &mut Random) {
    let mut pointers = vec![String::new()];
    list(value, "", &mut pointers);
    let pointer = pointers[random.below(pointers.len())].clone();
    let donor = {
        let base = &bases[random.below(bases.len())];
        let mut all = vec![String::new()];
        list(base, "", &mut all);
        policy_compiler::examples::at(base, &all[random.below(all.len())]).cloned()
    };
    let Some(place) = policy_compiler::examples::place(value, &pointer) else { return };
    let number = |text: &str| Number::parse(text).map_or(Value::Null, Value::Number);
    match random.below(12) {
        0 => *place = donor.unwrap_or(Value::Null),
        1 => *place = Value::Null,
        2 => *place = number(NUMBERS[random.below(NUMBERS.len())]),
        3 => *place = Value::String(TEXTS[random.below(TEXTS.len())].to_owned()),
        4 => *place = Value::Bool(random.below(2) == 0),
        5 => *place = Value::Array(donor.into_iter().collect()),
        6 => *place = Value::Object(Vec::new()),
        _ => within(place, donor, random),
    }
}

/// Changes a value without changing its type.
fn within(place: &mut Value, donor: Option<Value>, random: &mut Random) {
    match place {
        Value::Object(members) => match random.below(3) {
            0 if !members.is_empty() => drop(members.remove(random.below(members.len()))),
            1 => {
                let name = format!("extra{}", random.below(3));
                if !members.iter().any(|(known, _)| *known == name) {
                    members.push((name, donor.unwrap_or(Value::Null)));
                }
            }
            _ => members.reverse(),
        },
        Value::Array(items) => match random.below(4) {
            0 if !items.is_empty() => drop(items.remove(random.below(items.len()))),
            1 if !items.is_empty() => items.push(items[random.below(items.len())].clone()),
            2 => items.clear(),
            _ => items.push(donor.unwrap_or(Value::Null)),
        },
        Value::String(text) => match random.below(4) {
            0 => text.push_str("xyz"),
            1 => *text = text.chars().skip(1).collect(),
            2 => *text = text.to_uppercase(),
            _ => *text = text.repeat(3).chars().take(2_000).collect(),
        },
        Value::Number(of) => {
            let grown = format!("{}{}", of.as_str(), random.below(10));
            *place = Number::parse(&grown).map_or(Value::Null, Value::Number);
        }
        Value::Bool(flag) => *flag = !*flag,
        Value::Null => *place = Value::String(String::new()),
    }
}

const NUMBERS: [&str; 8] = ["0", "-1", "1.5", "7", "1e3", "2147483648", "-0.0", "99999"];

const TEXTS: [&str; 10] = [
    "",
    "a",
    "text",
    "2026-01-15",
    "2026-01-15T10:30:00Z",
    "someone@example.com",
    "EUR",
    "0",
    "\u{e9}\u{6f22}",
    "true",
];

/// Pointers to everything within a value, at most a few hundred.
fn list(value: &Value, at: &str, all: &mut Vec<String>) {
    if all.len() > 300 {
        return;
    }
    let below = |token: String, child: &Value, all: &mut Vec<String>| {
        let pointer = format!("{at}/{token}");
        all.push(pointer.clone());
        list(child, &pointer, all);
    };
    match value {
        Value::Object(members) => members.iter().for_each(|(name, child)| {
            below(name.replace('~', "~0").replace('/', "~1"), child, all);
        }),
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(i, child)| below(i.to_string(), child, all));
        }
        _ => {}
    }
}
