//! `suite skipped`: that no rule is skipped that would have matched.
//!
//! Requests that documents declare valid are judged twice, each time by trying every rule on the values that it looks
//! at: once where the contract leaves it, and once whatever the contract says. Both must hit as often. The rules are those of `api-core` and made-up
//! ones that look for what valid values are made of, so that many hit; the values are made from the schemas, and
//! their strings and numbers replaced by others that look like attacks, where the schema takes them.

mod probes;
mod values;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use policy_compiler::examples::{Evaluator, Generator, Part, Parts, Request, assemble, parts};
use policy_compiler::ir::{Api, Model, Operation};
use policy_compiler::source::{Memory, Sources};
use policy_compiler::{Input, Release, compile, diag, load};
use portcullis_bundle::layout::View;
use portcullis_bundle::{Bundle, Trust};
use portcullis_engine::exchange::{Conditions, Exchange, Progress, RequestHead};

use crate::openapi::documents;
use probes::Random;

/// A document with every kind of value that rules are skipped for.
const DOCUMENT: &str = include_str!("typed.yaml");

/// Strings and numbers of a value that others are tried for, at most.
const MAX_REPLACED: usize = 24;

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
    /// Rules to make up
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

/// The policy: nothing is refused by rules, so that all of them look at all of a request.
fn policy(document: &str) -> String {
    format!(
        "version: 1\nname: skipped\nstrictness: {{ unresolved_refs: not_enforced }}\n\
         limits: {{ path: 64KiB, parameters: 1000, body: 1MiB, depth: 64 }}\n\
         attacks: {{ packs: [api-core, probes.yaml], paranoia: 4, threshold: {{ inbound: 10000 }}, budget: 1GiB }}\n\
         apis: [{{ name: api, documents: [{document}] }}]\n"
    )
}

/// Files of a folder, and texts beside them.
struct Beside {
    folder: PathBuf,
    texts: Memory,
}

impl Sources for Beside {
    fn read(&self, path: &str) -> Result<Vec<u8>, String> {
        let files = policy_compiler::source::FileSystem { base: self.folder.clone() };
        self.texts.read(path).or_else(|_| files.read(path))
    }
}

fn own(requests: usize, rules: usize, seed: u64) -> Tally {
    let (policy, probes) = (policy("typed.yaml"), probes::pack(rules, seed));
    let sources = Memory::new([
        ("policy.yaml", policy.as_str()),
        ("probes.yaml", probes.as_str()),
        ("typed.yaml", DOCUMENT),
    ]);
    let tally = judge(&sources, requests, seed);
    println!("built in: {} requests, {} hits, {} missed", tally.requests, tally.hits, tally.missed);
    tally
}

fn document(root: &Path, options: &Options) -> Tally {
    let file = root.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let quoted = serde_json::Value::String(file).to_string();
    let (policy, probes) = (policy(&quoted), probes::pack(options.rules, options.seed));
    let texts = Memory::new([("policy.yaml", policy.as_str()), ("probes.yaml", probes.as_str())]);
    let folder = root.parent().map_or_else(PathBuf::new, Path::to_path_buf);
    judge(&Beside { folder, texts }, options.requests, options.seed)
}

fn judge(sources: &dyn Sources, requests: usize, seed: u64) -> Tally {
    let input = Input::Policy("policy.yaml".to_owned());
    let output = compile(sources, &input, &Release::default());
    let Some(bytes) = output.bundle else {
        eprint!("{}", diag::render_text(&output.diagnostics, &output.files, false));
        return Tally { missed: 1, ..Tally::default() };
    };
    let trust = Trust { keys: Vec::new(), allow_unsigned: true };
    let bundle = Bundle::open(bytes, &trust).unwrap_or_else(|error| panic!("{error}"));
    let loaded = load::load_policy(sources, "policy.yaml");
    let view = bundle.view();
    let mut tally = Tally::default();
    let mut random = Random::new(seed);
    for (api, operation) in loaded.model.operations() {
        let mut maker = Maker::new(&loaded.model, api, operation);
        for round in 0..requests {
            let Some(request) = maker.request(round, &mut random) else { continue };
            tally.add(both(&view, &request));
        }
    }
    tally
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
    model: &'m Model,
    api: &'m Api,
    operation: &'m Operation,
    generator: Generator<'m>,
}

impl<'m> Maker<'m> {
    fn new(model: &'m Model, api: &'m Api, operation: &'m Operation) -> Self {
        let evaluator = Evaluator::new(model, operation.settings.strictness.clone());
        let mut generator = Generator::new(evaluator);
        generator.filled = true;
        Maker { model, api, operation, generator }
    }

    /// A request of values that their schemas take. The first is as the generator makes it, in others some strings
    /// and numbers are replaced.
    fn request(&mut self, round: usize, random: &mut Random) -> Option<Request> {
        let mut made =
            Parts { parameters: vec![None; self.operation.parameters.len()], ..Parts::default() };
        let own = parts(self.operation);
        let bodies = own.iter().filter(|(part, _)| matches!(part, Part::Body(_))).count();
        let body = if bodies == 0 { 0 } else { round % bodies };
        let mut seen = 0;
        for (part, schema) in &own {
            let salt = (round / 2) as u32 % 7;
            let value =
                self.generator.all(&[*schema], salt).or_else(|| self.generator.value(*schema));
            let Some(mut value) = value else { continue };
            // One at a time: of many together, one that the schema refuses would spoil all.
            let leaves = if round > 0 { values::leaves(&value) } else { 0 };
            for _ in 0..leaves.min(MAX_REPLACED) {
                let mut other = value.clone();
                values::replace(&mut other, random.below(leaves), random);
                if self.generator.evaluator.accepts(&[*schema], &other) {
                    value = other;
                }
            }
            match part {
                Part::Parameter(at) => made.parameters[*at] = Some(value),
                Part::Body(at) => {
                    if seen == body {
                        made.body = Some((*at, value));
                    }
                    seen += 1;
                }
            }
        }
        assemble(self.model, self.api, self.operation, &made).ok()
    }
}
