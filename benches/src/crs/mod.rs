//! `bench crs`: what the Core Rule Set costs on the requests of `bench attack`, at three paranoia levels, with and without
//! a contract, against trying every rule in turn; what it adds to a real Envoy's worker; and, natively, against
//! ModSecurity with the same rules.

mod modsecurity;
mod native;

use std::path::PathBuf;

use policy_compiler::source::{FileSystem, Memory, Sources};
use serde_json::json;

use crate::attack::{Run, Variant, envoy, node};
use crate::documents::{self, Serving};
use crate::report::{self, Figures};
use crate::traffic::{Message, Traffic};
use crate::{Error, bundle};

/// What to run.
#[derive(Debug, clap::Args)]
pub struct Options {
    #[command(flatten)]
    run: Run,
    /// Folder of rules
    #[arg(long)]
    rules: PathBuf,
    /// The set-up, read before them
    #[arg(long)]
    setup: PathBuf,
    /// A Python that has ModSecurity; without it that comparison is left out
    #[arg(long)]
    python: Option<PathBuf>,
}

/// Of how many messages ModSecurity judges one.
const STRIDE: usize = 8;
/// The levels, and the name of each.
const LEVELS: [(u8, &str); 3] = [(1, "pl1"), (2, "pl2"), (4, "pl4")];
/// A score that no message reaches, so that each is judged to its end.
const UNREACHED: u32 = 10_000;

/// A bundle's name, its paranoia level (0 for no rules), whether there is a contract, and whether every rule is tried.
const VARIANTS: [(&str, u8, bool, bool); 14] = [
    ("plain_open", 0, false, false),
    ("pl1_open", 1, false, false),
    ("pl1_every_open", 1, false, true),
    ("pl2_open", 2, false, false),
    ("pl2_every_open", 2, false, true),
    ("pl4_open", 4, false, false),
    ("pl4_every_open", 4, false, true),
    ("plain_contract", 0, true, false),
    ("pl1_contract", 1, true, false),
    ("pl1_every_contract", 1, true, true),
    ("pl2_contract", 2, true, false),
    ("pl2_every_contract", 2, true, true),
    ("pl4_contract", 4, true, false),
    ("pl4_every_contract", 4, true, true),
];

/// Runs the benchmark and writes `target/bench/crs.json`.
pub fn run(options: &Options) -> Result<(), Error> {
    let traffic = Traffic::new();
    let messages = traffic.messages();
    let mut bundles = Vec::new();
    for (name, paranoia, contract, every) in VARIANTS {
        let variant = Variant { name, contract, rules: paranoia > 0, every };
        let bytes = made(&traffic, options, (paranoia, contract))?;
        bundles.push((variant, bytes));
    }
    let bundles: Vec<(&Variant, Vec<u8>)> =
        bundles.iter().map(|(variant, bytes)| (variant, bytes.clone())).collect();
    let measured = node::run("crs", &options.run, &bundles, &messages)?;
    let count = messages.len() as f64;
    for run in &measured {
        println!(
            "{:<20}{:>9.1} µs a request{:>9} allocations{:>6} messages with findings{:>7} KiB of bundle",
            run.name,
            run.all_ns / 1000.0 / count,
            run.allocations,
            run.refused.len(),
            run.bundle_bytes >> 10,
        );
    }
    let mut figures = Figures::default();
    let find = |name: &str| measured.iter().find(|run| run.name == name);
    let of = |name: &str| find(name).map_or(f64::NAN, |run| run.all_ns / 1000.0 / count);
    for kind in ["open", "contract"] {
        let plain = of(&format!("plain_{kind}"));
        for (_, level) in LEVELS {
            let (proposed, every) = (format!("{level}_{kind}"), format!("{level}_every_{kind}"));
            let found = |name: &str| find(name).map(|run| run.refused.as_slice());
            if found(&proposed) != found(&every) {
                let what = format!("{proposed}: trying every rule in turn finds other messages");
                return Err(Error::Unexpected(what));
            }
            figures.add(&format!("{proposed}_us"), of(&proposed) - plain, 1);
            figures.add(&format!("{every}_us"), of(&every) - plain, 1);
        }
    }
    let mut told = json!({ "node": measured });
    if !options.run.without_envoy {
        told["envoy"] = in_envoy(options, &bundles, &messages, &mut figures)?;
        let (_, bytes) = &bundles[5];
        let serving = Serving { envoy: &options.run.envoy, filter: &options.run.filter };
        let served = documents::serve(bytes, serving)?;
        figures.add("pl4_bundle_kib", bytes.len() as f64 / 1024.0, 0);
        figures.add("pl4_load_ms", served.worker_start_ms - served.worker_start_small_ms, 1);
        figures.add("pl4_worker_mib", served.worker_mib, 1);
        told["served"] = json!(served);
    }
    told["native"] = natively(options, &bundles, &messages, &mut figures)?;
    report::finish("crs", &figures, &told)
}

fn in_envoy(
    options: &Options,
    bundles: &[(&Variant, Vec<u8>)],
    messages: &[Message],
    figures: &mut Figures,
) -> Result<serde_json::Value, Error> {
    let held = bundles.iter().filter(|(variant, _)| !variant.every);
    let samples = envoy::run(&options.run, held, messages)?;
    let of = |name: &str| samples.iter().find(|sample| sample.name == name);
    let best = |name: &str| of(name).map_or(f64::NAN, envoy::Sampled::best);
    for kind in ["open", "contract"] {
        let plain = best(&format!("plain_{kind}"));
        figures.add(&format!("envoy_plain_{kind}_us"), plain, 1);
        for (_, level) in LEVELS {
            let added = best(&format!("{level}_{kind}")) - plain;
            figures.add(&format!("envoy_{level}_{kind}_us"), added, 1);
        }
    }
    let resident = |name: &str| of(name).map_or(Ok(f64::NAN), envoy::Sampled::resident_mib);
    figures.add("pl4_resident_mib", resident("pl4_open")? - resident("plain_open")?, 1);
    let rounds = samples.iter().map(|it| json!({ "variant": it.name, "us": it.us }));
    Ok(rounds.collect())
}

/// The engine, natively and as a whole, and ModSecurity on the same messages.
fn natively(
    options: &Options,
    bundles: &[(&Variant, Vec<u8>)],
    messages: &[Message],
    figures: &mut Figures,
) -> Result<serde_json::Value, Error> {
    let chosen: Vec<&Message> = messages.iter().step_by(STRIDE).collect();
    let mut told = Vec::new();
    for (paranoia, level) in LEVELS {
        let name = format!("{level}_open");
        let Some((_, bytes)) = bundles.iter().find(|(variant, _)| variant.name == name) else {
            continue;
        };
        let ours = native::run(bytes, options.run.rounds, &chosen)?;
        figures.add(&format!("native_{level}_us"), ours, 1);
        let Some(python) = &options.python else { continue };
        let rules = modsecurity::Rules { folder: &options.rules, setup: &options.setup, paranoia };
        let theirs = modsecurity::run(python, &rules, &chosen)?;
        figures.add(&format!("modsecurity_{level}_us"), theirs.us, 0);
        figures.add(&format!("modsecurity_{level}_ratio"), theirs.us / ours, 1);
        told.push(json!({ "level": level, "us": ours, "modsecurity": theirs }));
    }
    if options.python.is_none() {
        println!("skipped: the comparison with ModSecurity: no Python that has it");
    }
    Ok(told.into())
}

/// The policy and the document in memory, the rules where they are.
struct Files {
    own: Memory,
    rules: FileSystem,
    setup: PathBuf,
}

impl Sources for Files {
    fn read(&self, path: &str) -> Result<Vec<u8>, String> {
        match path.strip_prefix("rules/") {
            Some(name) => self.rules.read(name),
            None if path == "setup.conf" => {
                std::fs::read(&self.setup).map_err(|error| error.to_string())
            }
            None => self.own.read(path),
        }
    }

    fn list(&self, folder: &str) -> Result<Vec<String>, String> {
        match folder {
            "rules" => self.rules.list("."),
            _ => Err("no such folder".to_owned()),
        }
    }
}

fn made(
    traffic: &Traffic,
    options: &Options,
    (paranoia, contract): (u8, bool),
) -> Result<Vec<u8>, Error> {
    let none =
        || json!({ "openapi": "3.1.0", "info": { "title": "none", "version": "1" }, "paths": {} });
    let document = if contract { traffic.document() } else { none() };
    let mut policy = json!({
        "version": 1, "name": "bench", "apis": [{ "name": "bank", "documents": ["bank.json"] }],
        "undeclared": { "operations": if contract { "block" } else { "allow" } },
    });
    if paranoia > 0 {
        policy["attacks"] = json!({
            "threshold": { "inbound": UNREACHED, "outbound": UNREACHED },
            "rules": [{ "crs": "rules", "setup": "setup.conf", "paranoia": paranoia }],
        });
    }
    let (policy, document) = (policy.to_string(), document.to_string());
    let own = Memory::new([("policy.yaml", policy.as_str()), ("bank.json", document.as_str())]);
    let rules = FileSystem { base: options.rules.clone() };
    bundle::of_policy(&Files { own, rules, setup: options.setup.clone() }, "policy.yaml")
}
