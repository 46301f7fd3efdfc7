//! `bench attack`: what the rules of `api-core` cost on benign requests, with and without a contract, against trying
//! every rule in turn, in wasm under Node; and what they add to a real Envoy's worker.

pub(crate) mod envoy;
pub(crate) mod node;

use std::path::PathBuf;

use policy_compiler::source::Memory;
use serde_json::json;

use crate::report::{self, Figures};
use crate::traffic::Traffic;
use crate::{Error, bundle};

/// What bundles are measured by, and how often.
#[derive(Debug, clap::Args)]
pub struct Run {
    /// The engine as a wasm module
    #[arg(long)]
    engine: PathBuf,
    /// Portcullis as a wasm module
    #[arg(long)]
    pub(crate) filter: PathBuf,
    /// Envoy's binary
    #[arg(long)]
    pub(crate) envoy: PathBuf,
    /// Rounds, of which the fastest counts
    #[arg(long, default_value_t = 15)]
    pub(crate) rounds: u32,
    /// Requests per round and Envoy
    #[arg(long, default_value_t = 2048)]
    requests: u32,
    /// Under Node alone
    #[arg(long)]
    pub(crate) without_envoy: bool,
}

/// What to run.
#[derive(Debug, clap::Args)]
pub struct Options {
    #[command(flatten)]
    run: Run,
    /// Packs of rules to measure instead of `api-core`, as the policy names them
    #[arg(long)]
    pack: Vec<String>,
    /// The highest level of rules that count
    #[arg(long, default_value_t = 1)]
    paranoia: u8,
}

/// What is measured on the same requests.
pub(crate) struct Variant {
    pub name: &'static str,
    /// Whether the document declares the operations; otherwise every operation is let pass.
    pub contract: bool,
    pub rules: bool,
    /// Whether every rule is tried in turn.
    pub every: bool,
}

const VARIANTS: [Variant; 6] = [
    Variant { name: "plain_open", contract: false, rules: false, every: false },
    Variant { name: "core_open", contract: false, rules: true, every: false },
    Variant { name: "every_open", contract: false, rules: true, every: true },
    Variant { name: "plain_contract", contract: true, rules: false, every: false },
    Variant { name: "core_contract", contract: true, rules: true, every: false },
    Variant { name: "every_contract", contract: true, rules: true, every: true },
];

/// Runs the benchmark and writes `target/bench/attack.json`.
pub fn run(options: &Options) -> Result<(), Error> {
    let traffic = Traffic::new();
    let messages = traffic.messages();
    let mut bundles = Vec::new();
    for variant in &VARIANTS {
        bundles.push((variant, variant.bundle(&traffic, options)?));
    }
    let measured = node::run("attack", &options.run, &bundles, &messages)?;
    node::all_pass(&measured, &messages)?;
    let mut figures = Figures::default();
    let count = messages.len() as f64;
    for run in &measured {
        println!(
            "{:<16}{:>9.1} µs a request{:>9} allocations{:>8} KiB of bundle",
            run.name,
            run.all_ns / 1000.0 / count,
            run.allocations,
            run.bundle_bytes >> 10,
        );
    }
    let of = |name: &str| {
        measured
            .iter()
            .find(|run| run.name == name)
            .map_or(f64::NAN, |run| run.all_ns / 1000.0 / count)
    };
    for kind in ["open", "contract"] {
        let plain = of(&format!("plain_{kind}"));
        let (core, every) =
            (of(&format!("core_{kind}")) - plain, of(&format!("every_{kind}")) - plain);
        figures.add(&format!("{kind}_us"), core, 1);
        figures.add(&format!("{kind}_every_us"), every, 1);
        figures.add(&format!("{kind}_ratio"), every / core, 1);
    }
    figures.add("allocs", measured.iter().map(|run| f64::from(run.allocations)).sum(), 0);
    let mut rounds = Vec::new();
    if !options.run.without_envoy {
        let held = bundles.iter().filter(|(variant, _)| !variant.every);
        let samples = envoy::run(&options.run, held, &messages)?;
        for kind in ["open", "contract"] {
            let of = |name: String| {
                samples
                    .iter()
                    .find(|sample| sample.name == name)
                    .map_or(f64::NAN, envoy::Sampled::best)
            };
            let (plain, core) = (of(format!("plain_{kind}")), of(format!("core_{kind}")));
            figures.add(&format!("envoy_plain_{kind}_us"), plain, 1);
            figures.add(&format!("envoy_{kind}_us"), core - plain, 1);
        }
        rounds = samples.iter().map(|it| json!({ "variant": it.name, "us": it.us })).collect();
    }
    let mean = |of: fn(&crate::traffic::Message) -> usize| {
        messages.iter().map(of).sum::<usize>() as f64 / count
    };
    let traffic = json!({
        "messages": messages.len(), "values": mean(|it| it.values), "body_bytes": mean(|it| it.body.len()),
    });
    report::finish(
        "attack",
        &figures,
        &json!({ "traffic": traffic, "node": measured, "envoy": rounds }),
    )
}

impl Variant {
    fn bundle(&self, traffic: &Traffic, options: &Options) -> Result<Vec<u8>, Error> {
        let document = match self.contract {
            true => traffic.document(),
            false => {
                json!({ "openapi": "3.1.0", "info": { "title": "none", "version": "1" }, "paths": {} })
            }
        };
        let mut policy = json!({
            "version": 1, "name": "bench", "apis": [{ "name": "bank", "documents": ["bank.json"] }],
            "undeclared": { "operations": if self.contract { "block" } else { "allow" } },
        });
        if self.rules {
            policy["attacks"] = json!({ "paranoia": options.paranoia });
            if !options.pack.is_empty() {
                policy["attacks"]["packs"] = json!(options.pack);
            }
        }
        let (policy, document) = (policy.to_string(), document.to_string());
        let sources =
            Memory::new([("policy.yaml", policy.as_str()), ("bank.json", document.as_str())]);
        bundle::of_policy(&sources, "policy.yaml")
    }
}
