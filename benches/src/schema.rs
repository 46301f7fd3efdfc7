//! `bench schema`: one-pass validation against serde_json and jsonschema, in wasm under Node.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::document::{self, Document};
use crate::payloads::{Corpus, corpora};
use crate::report::{self, Figures};
use crate::{Error, bundle};

/// What to run.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// The baseline as a wasm module
    #[arg(long)]
    baseline: PathBuf,
    /// The schema engine as a wasm module
    #[arg(long)]
    engine: PathBuf,
    /// Rounds, of which the fastest counts
    #[arg(long, default_value_t = 15)]
    rounds: u32,
    /// Only the corpora whose names are given
    #[arg(long)]
    only: Vec<String>,
}

/// What the driver measures of one corpus.
#[derive(Debug, Deserialize, Serialize)]
struct Measured {
    name: String,
    bodies: u32,
    bytes: u64,
    valid_bodies: u32,
    valid_bytes: u64,
    disagreements: Vec<serde_json::Value>,
    baseline: Side,
    engine: Side,
}

/// One validator's minima over a corpus.
#[derive(Debug, Deserialize, Serialize)]
struct Side {
    /// Nanoseconds for all bodies.
    all_ns: f64,
    /// Nanoseconds for the valid bodies.
    valid_ns: f64,
    /// Nanoseconds to take in the schema or the bundle.
    open_ns: f64,
    /// Allocations for the valid bodies.
    allocations: u32,
}

/// Runs the benchmark and writes `target/bench/schema.json`.
pub fn run(options: &Options) -> Result<(), Error> {
    let input = report::directory()?.join("schema");
    fs::create_dir_all(&input)?;
    let document = document::read()?;
    let wanted = |corpus: &Corpus| {
        options.only.is_empty() || options.only.iter().any(|name| name == corpus.name)
    };
    let corpora: Vec<Corpus> = corpora().into_iter().filter(wanted).collect();
    write_input(&input, &document, &corpora)?;
    let measured = drive(&input, options)?;
    let disagreements: usize = measured.iter().map(|corpus| corpus.disagreements.len()).sum();
    println!("{}", table(&measured));
    let figures = figures(&measured);
    report::finish("schema", &figures, &json!({ "corpora": measured }))?;
    if disagreements > 0 {
        return Err(Error::Disagreement { bench: "schema", count: disagreements });
    }
    Ok(())
}

fn write_input(input: &Path, document: &Document, corpora: &[Corpus]) -> Result<(), Error> {
    let bundle = bundle::of_benchmark_document()?;
    let mut list = Vec::new();
    for corpus in corpora {
        let name = corpus.name;
        let schema = serde_json::to_vec(&document.schema(corpus.schema))?;
        fs::write(input.join(format!("{name}.schema.json")), schema)?;
        let program = bundle::body_program(&bundle, corpus.path)?;
        let engine = [&program.to_le_bytes()[..], &bundle].concat();
        fs::write(input.join(format!("{name}.bundle")), engine)?;
        let bodies: Vec<&[u8]> = corpus.bodies.iter().map(|body| body.bytes.as_slice()).collect();
        fs::write(input.join(format!("{name}.bodies")), bodies.concat())?;
        let index: Vec<_> =
            corpus.bodies.iter().map(|body| (body.bytes.len(), body.valid)).collect();
        list.push(json!({
            "name": name,
            "baseline": format!("{name}.schema.json"),
            "engine": format!("{name}.bundle"),
            "bodies": format!("{name}.bodies"),
            "index": index,
        }));
    }
    fs::write(input.join("input.json"), serde_json::to_vec(&list)?)?;
    Ok(())
}

fn drive(input: &Path, options: &Options) -> Result<Vec<Measured>, Error> {
    let driver = Path::new(env!("CARGO_MANIFEST_DIR")).join("driver/schema.mjs");
    let output = Command::new("node")
        .arg(driver)
        .args([input, &options.baseline, &options.engine])
        .arg(options.rounds.to_string())
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| Error::Program { program: "node", reason: error.to_string() })?;
    if !output.status.success() {
        return Err(Error::Program { program: "node", reason: output.status.to_string() });
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}

fn figures(measured: &[Measured]) -> Figures {
    let mut figures = Figures::default();
    for corpus in measured {
        figures.add(&corpus.name, corpus.ratio(), 1);
    }
    if let Some(list) = measured.iter().find(|corpus| corpus.name == "list10k") {
        figures.add("gbps10k", list.engine_gbps(), 2);
    }
    figures.add("allocs", measured.iter().map(|c| f64::from(c.engine.allocations)).sum(), 0);
    let differ: usize = measured.iter().map(|corpus| corpus.disagreements.len()).sum();
    figures.add("disagreements", differ as f64, 0);
    figures
}

impl Measured {
    /// How many times faster the engine is, one body in ten invalid.
    fn ratio(&self) -> f64 {
        self.baseline.all_ns / self.engine.all_ns
    }

    /// The same on valid bodies alone.
    fn valid_ratio(&self) -> f64 {
        self.baseline.valid_ns / self.engine.valid_ns
    }

    /// Bytes of valid bodies per nanosecond.
    fn engine_gbps(&self) -> f64 {
        self.valid_bytes as f64 / self.engine.valid_ns
    }
}

fn table(measured: &[Measured]) -> String {
    let mut text = format!(
        "{:<11}{:>7}{:>9}{:>13}{:>12}{:>8}{:>8}{:>7}{:>8}\n",
        "corpus", "bodies", "bytes", "baseline ns", "engine ns", "ratio", "valid", "GB/s", "allocs"
    );
    for corpus in measured {
        let bodies = f64::from(corpus.bodies);
        let _ = writeln!(
            text,
            "{:<11}{:>7}{:>9.0}{:>13.0}{:>12.0}{:>8.1}{:>8.1}{:>7.2}{:>8}",
            corpus.name,
            corpus.bodies,
            corpus.bytes as f64 / bodies,
            corpus.baseline.all_ns / bodies,
            corpus.engine.all_ns / bodies,
            corpus.ratio(),
            corpus.valid_ratio(),
            corpus.engine_gbps(),
            corpus.engine.allocations,
        );
        for disagreement in corpus.disagreements.iter().take(5) {
            let _ = writeln!(text, "  verdicts differ: {disagreement}");
        }
    }
    text.push_str("ns per body, the fastest round; `valid`: the ratio on valid bodies alone");
    text
}
