//! `suite skipped`: that no rule is skipped that would have matched.
//!
//! Requests that documents declare valid are judged twice, each time by trying every rule on the values that it looks
//! at: once where the contract leaves it, and once whatever the contract says. Both must hit as often. The rules are
//! those of `api-core`; made-up ones that look for what valid values are made of, so that many hit; and ones that look
//! for a piece of one of these very values. The values are made from the schemas, and their strings and numbers
//! replaced by others that look like attacks, the rules' own ones among them bent until the schema takes them.

mod echoes;
mod probes;
mod values;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use policy_compiler::examples::{
    Evaluator, Generator, Judge, Part, Parts, Request, assemble, parts,
};
use policy_compiler::ir::{Api, Direction, Model, Operation, Value};
use policy_compiler::source::{FileSystem, Sources};
use policy_compiler::{Input, Release, compile, diag, load};
use portcullis_bundle::layout::View;
use portcullis_bundle::{Bundle, Trust};
use portcullis_engine::exchange::{Conditions, Exchange, Progress, RequestHead};

use crate::openapi::documents;
use crate::run::directions;
use echoes::Texts;
use probes::Random;

/// A document with every kind of value that rules are skipped for.
const DOCUMENT: &str = include_str!("typed.yaml");

/// Strings and numbers of a value that others are tried for, at most.
const MAX_REPLACED: usize = 24;

/// How often a string or number is replaced: what its schema refuses changes nothing.
const TRIES: usize = 4;

/// Rules made of the values themselves, for each that is made up.
const ECHOES: usize = 2;

/// Hits without which the comparison says nothing.
const LEAST_HITS: u64 = 10_000;

/// What to run.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// A folder of documents, or one document, besides the one that is built in
    path: Option<PathBuf>,
    /// Only documents whose name contains this
    #[arg(long)]
    only: Option<String>,
    /// Requests to make for each operation
    #[arg(long, default_value_t = 200)]
    requests: usize,
    /// Rules to make up, and as many again of the values themselves
    #[arg(long, default_value_t = 250)]
    rules: usize,
    /// Where the made-up rules and values begin
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many sets of made-up rules to judge the built-in document by
    #[arg(long, default_value_t = 4)]
    seeds: u64,
}

/// What came of a document.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Tally {
    /// Requests that passed their contract.
    requests: u64,
    /// Hits in them, by trying every rule everywhere.
    hits: u64,
    /// Hits that are missing where the contract says which rules to skip.
    missed: u64,
}

impl Tally {
    fn add(&mut self, other: Tally) {
        self.requests += other.requests;
        self.hits += other.hits;
        self.missed += other.missed;
    }
}

/// Runs the suite; the last line is `requests R, hits H, missed by skipping M`.
pub fn run(options: &Options) -> ExitCode {
    let mut all = Tally::default();
    for seed in options.seed..options.seed.saturating_add(options.seeds) {
        all.add(own(options.requests, options.rules, seed));
    }
    let mut found = options.path.as_deref().map(documents).unwrap_or_default();
    if let Some(only) = &options.only {
        found.retain(|(name, _)| name.contains(only.as_str()));
    }
    for (name, root) in &found {
        let tally = document(root, options);
        println!(
            "{name}: {} requests, {} hits, {} missed",
            tally.requests, tally.hits, tally.missed
        );
        all.add(tally);
    }
    println!("requests {}, hits {}, missed by skipping {}", all.requests, all.hits, all.missed);
    if all.missed == 0 && all.hits > LEAST_HITS { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The policy: nothing is refused by rules, so that all of them look at all of a request. What the API sends is an API
/// of its own, on a host of its own.
fn policy(document: &str, directions: &[Direction], notation: &str) -> String {
    let mut policy = format!(
        "version: 1\nname: skipped\nstrictness: {{ unresolved_refs: not_enforced, text_numbers: {notation} }}\n\
         limits: {{ path: 64KiB, parameters: 1000, body: 1MiB, depth: 64 }}\n\
         attacks: {{ packs: [api-core, probes.yaml, echoes.yaml], paranoia: 4, threshold: {{ inbound: 10000 }}, budget: 1GiB }}\n\
         apis:\n"
    );
    for direction in directions {
        let (name, more) = match direction {
            Direction::Inbound => ("api", ""),
            Direction::Outbound => ("sent", ", direction: outbound, hosts: [sent.example]"),
        };
        policy.push_str(&format!("  - {{ name: {name}, documents: [{document}]{more} }}\n"));
    }
    policy
}

/// Files of a folder, and texts beside them.
struct Beside {
    folder: Option<FileSystem>,
    texts: BTreeMap<&'static str, String>,
}

impl Sources for Beside {
    fn read(&self, path: &str) -> Result<Vec<u8>, String> {
        match (self.texts.get(path), &self.folder) {
            (Some(text), _) => Ok(text.clone().into_bytes()),
            (None, Some(files)) => files.read(path),
            (None, None) => Err("no such file".to_owned()),
        }
    }
}

fn own(requests: usize, rules: usize, seed: u64) -> Tally {
    // Text says numbers and booleans in JSON's notation, or in others too.
    let notation = if seed.is_multiple_of(2) { "lenient" } else { "json" };
    let policy = policy("typed.yaml", &[Direction::Inbound, Direction::Outbound], notation);
    let texts = BTreeMap::from([("policy.yaml", policy), ("typed.yaml", DOCUMENT.to_owned())]);
    let sources = Beside { folder: None, texts };
    let tally = judge(sources, requests, rules, seed);
    println!("built in: {} requests, {} hits, {} missed", tally.requests, tally.hits, tally.missed);
    tally
}

fn document(root: &Path, options: &Options) -> Tally {
    let file = root.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let quoted = serde_json::Value::String(file.clone()).to_string();
    let folder = root.parent().map_or_else(PathBuf::new, Path::to_path_buf);
    let files = FileSystem { base: folder };
    let policy = policy(&quoted, &directions(&files, &file), "json");
    let texts = BTreeMap::from([("policy.yaml", policy)]);
    let sources = Beside { folder: Some(files), texts };
    judge(sources, options.requests, options.rules, options.seed)
}

fn judge(mut sources: Beside, requests: usize, rules: usize, seed: u64) -> Tally {
    sources.texts.insert("probes.yaml", probes::pack(rules, seed));
    sources.texts.insert("echoes.yaml", Texts::default().pack(0, 0, &mut Random::new(seed)));
    let loaded = load::load_policy(&sources, "policy.yaml");
    let mut random = Random::new(seed);
    let made = make(&loaded.model, requests, &mut random);
    let mut texts = Texts::default();
    made.iter().for_each(|request| texts.add(request, &mut random));
    sources.texts.insert("echoes.yaml", texts.pack(ECHOES * rules, seed as usize, &mut random));
    let input = Input::Policy("policy.yaml".to_owned());
    let output = compile(&sources, &input, &Release::default());
    let Some(bytes) = output.bundle else {
        eprint!("{}", diag::render_text(&output.diagnostics, &output.files, false));
        return Tally { missed: 1, ..Tally::default() };
    };
    let trust = Trust { keys: Vec::new(), allow_unsigned: true };
    let bundle = Bundle::open(bytes, &trust).unwrap_or_else(|error| panic!("{error}"));
    let view = bundle.view();
    let mut tally = Tally::default();
    made.iter().for_each(|request| tally.add(both(&view, request)));
    tally
}

/// So many requests to each operation.
fn make(model: &Model, requests: usize, random: &mut Random) -> Vec<Request> {
    let rules = model.attacks.iter().flat_map(|attacks| &attacks.rules);
    let samples = rules.flat_map(|rule| &rule.tests.attacks);
    let attacks: Vec<String> = samples.filter_map(|sample| sample.value.clone()).collect();
    // The contract alone.
    let mut alone = model.clone();
    alone.attacks = None;
    let bundle = policy_compiler::examples::compile(&alone);
    let mut judge = Judge::new(bundle.unwrap_or_else(|error| panic!("{error}")));
    let mut made = Vec::new();
    for (api, operation) in model.operations() {
        let mut maker = Maker::new(model, api, operation, &attacks);
        for round in 0..requests {
            let Some(request) = maker.request(round, &mut judge, random) else { continue };
            let other = written_otherwise(&request, random);
            made.extend(other.filter(|other| judge.judge(other).passed));
            made.push(request);
        }
    }
    made
}

/// The same with one number or boolean in the query or a form in another notation; none where there is none.
fn written_otherwise(request: &Request, random: &mut Random) -> Option<Request> {
    let mut other = request.clone();
    match std::str::from_utf8(other.body.as_deref().unwrap_or_default()) {
        Ok(body) if body.contains('=') && random.one_in(2) => {
            other.body = Some(values::written_otherwise(body, random)?.into_bytes());
        }
        _ => {
            let (path, query) = other.path.split_once('?')?;
            other.path = format!("{path}?{}", values::written_otherwise(query, random)?);
        }
    }
    Some(other)
}

/// Judges a request in both ways, if it passes its contract.
fn both(view: &View<'_>, request: &Request) -> Tally {
    let (passed, directed) = hits(view, request, false);
    if !passed {
        return Tally::default();
    }
    let (_, every) = hits(view, request, true);
    let missed = every.abs_diff(directed);
    if missed > 0 {
        let body = request.body.as_deref().map(String::from_utf8_lossy);
        println!("missed {missed} of {every}: {} {}", request.method, request.path);
        println!("    {:?} {body:?}", request.headers);
    }
    Tally { requests: 1, hits: every, missed }
}

/// Whether a request passes its contract, and how often conditions of rules hit it.
fn hits(view: &View<'_>, request: &Request, every: bool) -> (bool, u64) {
    let mut headers: Vec<(&[u8], &[u8])> =
        vec![(b":method", request.method.as_bytes()), (b":path", request.path.as_bytes())];
    headers.extend(request.headers.iter().map(|(n, v)| (n.as_bytes(), v.as_bytes())));
    let head = RequestHead {
        method: request.method.as_bytes(),
        path: request.path.as_bytes(),
        authority: request.authority.as_bytes(),
        headers: &headers,
        end_of_stream: request.body.is_none(),
    };
    let mut exchange = Exchange::new();
    exchange.try_every_rule(true);
    exchange.ignore_contract(every);
    let mut progress = exchange.on_headers(view, &head, Conditions::default());
    if let (Progress::Body { .. }, Some(body)) = (&progress, &request.body) {
        progress = exchange.on_body(view, body);
    }
    if let Progress::Body { .. } = progress {
        progress = exchange.on_end(view);
    }
    let Progress::Decided(decision) = progress else { return (false, 0) };
    // No score reaches the threshold: what refuses is the contract.
    let passed = decision.status == 0 && decision.operation.is_some();
    (passed, exchange.attack_hits())
}

/// Makes requests of one operation.
struct Maker<'m> {
    attacks: &'m [String],
    model: &'m Model,
    api: &'m Api,
    operation: &'m Operation,
    generator: Generator<'m>,
}

impl<'m> Maker<'m> {
    fn new(
        model: &'m Model,
        api: &'m Api,
        operation: &'m Operation,
        attacks: &'m [String],
    ) -> Self {
        let evaluator = Evaluator::new(model, operation.settings.strictness.clone());
        let mut generator = Generator::new(evaluator);
        generator.filled = true;
        Maker { attacks, model, api, operation, generator }
    }

    /// A request that passes its contract. The first is as the generator makes it, in others some strings and numbers
    /// are replaced.
    fn request(&mut self, round: usize, judge: &mut Judge, random: &mut Random) -> Option<Request> {
        let mut made =
            Parts { parameters: vec![None; self.operation.parameters.len()], ..Parts::default() };
        let mut own = parts(self.operation);
        // One of the bodies.
        let bodies = own.iter().filter(|(part, _)| matches!(part, Part::Body(_))).count();
        let mut number = 0;
        own.retain(|(part, _)| {
            let is_body = matches!(part, Part::Body(_));
            number += usize::from(is_body);
            !is_body || number == 1 + round % bodies
        });
        let mut given = Vec::new();
        for (part, schema) in &own {
            let salt = (round / 2) as u32 % 7;
            let value = self.generator.all(&[*schema], salt);
            given.push(value.or_else(|| self.generator.value(*schema)));
            put(&mut made, *part, given.last().cloned().flatten());
        }
        let mut request = self.passing(&made, judge)?;
        for ((part, schema), value) in own.iter().zip(given).filter(|_| round > 0) {
            let Some(mut value) = value else { continue };
            // One at a time: of many together, one that is refused would spoil all.
            let leaves = values::leaves(&value);
            for _ in 0..leaves.min(MAX_REPLACED) * TRIES {
                let mut other = value.clone();
                values::replace(&mut other, random.below(leaves), self.attacks, random);
                if !self.generator.evaluator.accepts(&[*schema], &other) {
                    continue;
                }
                put(&mut made, *part, Some(other.clone()));
                match self.passing(&made, judge) {
                    Some(passing) => (value, request) = (other, passing),
                    None => put(&mut made, *part, Some(value.clone())),
                }
            }
        }
        Some(request)
    }

    /// The request of such parts, where the engine lets it pass.
    fn passing(&self, made: &Parts, judge: &mut Judge) -> Option<Request> {
        let request = assemble(self.model, self.api, self.operation, made).ok()?;
        judge.judge(&request).passed.then_some(request)
    }
}

/// Gives a part its value.
fn put(made: &mut Parts, part: Part, value: Option<Value>) {
    match part {
        Part::Parameter(at) => made.parameters[at] = value,
        Part::Body(at) => made.body = value.map(|value| (at, value)),
    }
}
