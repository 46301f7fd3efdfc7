//! `suite openapi`: every document of a folder.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::left::Left;
use crate::run::{self, Outcome};
use crate::troubles::Troubles;

/// What to run.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// A folder of documents (files, or folders with one root document each), or one document
    path: PathBuf,
    /// Show so many samples of each kind of trouble
    #[arg(long, default_value_t = 1)]
    samples: usize,
    /// Only documents whose name contains this
    #[arg(long)]
    only: Option<String>,
    /// Look at so many keywords of each part of an operation, at most
    #[arg(long, default_value_t = usize::MAX, hide_default_value = true)]
    limit: usize,
}

/// Runs the suite. Fails where a document does not compile, examples disagree, or less than 99 % of mutants are refused.
pub fn run(options: &Options) -> ExitCode {
    let mut documents = documents(&options.path);
    if let Some(only) = &options.only {
        documents.retain(|(name, _)| name.contains(only.as_str()));
    }
    println!(
        "{:<34} {:>5} {:>15} {:>13} {:>13} {:>17} {:>6}",
        "document", "ops", "keywords", "examples", "requests", "mutants", "s"
    );
    let mut outcomes = Vec::new();
    for (name, root) in &documents {
        let started = std::time::Instant::now();
        let outcome = run::run(root, name, options.limit);
        show(&outcome, started.elapsed().as_secs_f64(), options.samples);
        outcomes.push(outcome);
    }
    let sum = |of: fn(&Outcome) -> (usize, usize)| {
        outcomes.iter().map(of).fold((0, 0), |(a, b), (x, y)| (a + x, b + y))
    };
    let compiled = outcomes.iter().filter(|outcome| outcome.error.is_none()).count();
    let (enforced, keywords) = sum(|outcome| outcome.keywords);
    let (agreed, examples) = sum(|outcome| outcome.examples);
    let (refused, mutants) = sum(|outcome| outcome.mutants);
    let mut left = Left::default();
    let mut broken: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    for outcome in &outcomes {
        left.join(&outcome.left);
        for (kind, (refused, all)) in &outcome.broken {
            let sum = broken.entry(kind).or_default();
            *sum = (sum.0 + refused, sum.1 + all);
        }
    }
    println!("requests broken beside their schemas, refused by finding code and place:");
    for (kind, (refused, all)) in &broken {
        println!("    {:<24} {:>15}", kind, format!("{refused}/{all}"));
    }
    println!("enforced and not among the mutants, for a reason that was checked:");
    for (reason, (count, _)) in &left.0 {
        println!("    {count:>7} {:<8} {:<18} {}", reason.what, reason.code, reason.meaning);
    }
    let unknown: usize = outcomes.iter().map(|outcome| outcome.unknown_formats).sum();
    println!("formats that no specification defines, read as if they were not there: {unknown}");
    println!("keywords enforced {enforced}/{keywords}");
    println!(
        "documents compiled {compiled}/{}, examples agreed {agreed}/{examples}, mutants refused {refused}/{mutants}",
        outcomes.len()
    );
    let good = compiled == outcomes.len()
        && agreed == examples
        && refused * 100 >= mutants * 99
        && outcomes.iter().all(|outcome| outcome.disagreements.total() == 0);
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn show(outcome: &Outcome, seconds: f64, samples: usize) {
    let pair = |(a, b): (usize, usize)| format!("{a}/{b}");
    println!(
        "{:<34} {:>5} {:>15} {:>13} {:>13} {:>17} {seconds:>6.1}",
        outcome.name,
        outcome.operations,
        pair(outcome.keywords),
        pair(outcome.examples),
        pair(outcome.requests),
        pair(outcome.mutants),
    );
    if let Some(error) = &outcome.error {
        println!("    does not compile: {error}");
    }
    if outcome.unresolved > 0 {
        println!(
            "    {} references lead nowhere: an error, unless the policy says `unresolved_refs: not_enforced`, as here",
            outcome.unresolved
        );
    }
    if outcome.unknown_formats > 0 {
        println!("    {} formats that no specification defines", outcome.unknown_formats);
    }
    if outcome.invalid_examples > 0 {
        println!(
            "    {} examples violate the document's own schema, by both judges",
            outcome.invalid_examples
        );
    }
    troubles("differs", &outcome.disagreements, samples);
    troubles("mutant not refused", &outcome.survivors, samples);
    troubles("skipped", &outcome.skipped, samples.saturating_sub(1));
    for (reason, (count, places)) in &outcome.left.0 {
        println!("    left out: {count} × {} ({})", reason.code, reason.what);
        places.iter().take(samples.saturating_sub(1)).for_each(|place| println!("        {place}"));
    }
}

fn troubles(what: &str, troubles: &Troubles, samples: usize) {
    for (kind, (count, places)) in &troubles.0 {
        println!("    {what}: {count} × {kind}");
        for place in places.iter().take(samples) {
            println!("        {place}");
        }
    }
}

/// The documents under a path, with their names, in order.
pub(crate) fn documents(path: &Path) -> Vec<(String, PathBuf)> {
    let name = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    if path.is_file() {
        return vec![(name(path), path.to_path_buf())];
    }
    let mut entries: Vec<PathBuf> = std::fs::read_dir(path)
        .map(|entries| entries.flatten().map(|entry| entry.path()).collect())
        .unwrap_or_default();
    entries.sort();
    let mut documents = Vec::new();
    for entry in entries {
        if entry.is_dir() {
            if let Some(root) = root_of(&entry) {
                documents.push((name(&entry), root));
            } else {
                println!("skipped: {} has no root document", entry.display());
            }
        } else if is_text(&entry) {
            if is_document(&entry) {
                documents.push((name(&entry), entry));
            } else {
                println!("skipped: {} is no OpenAPI document", entry.display());
            }
        }
    }
    documents
}

fn is_text(path: &Path) -> bool {
    let extension = path.extension().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
    matches!(extension.as_str(), "yaml" | "yml" | "json")
}

/// The one file of a folder that is an OpenAPI document itself.
fn root_of(folder: &Path) -> Option<PathBuf> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .ok()?
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.is_file() && is_text(path) && is_document(path))
        .collect();
    files.sort();
    let usual = files.iter().find(|path| {
        let stem = path.file_stem().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
        matches!(stem.as_str(), "openapi" | "swagger" | "index" | "api" | "root")
    });
    usual.or(files.first()).cloned()
}

/// Whether a file says that it is an OpenAPI document: the key `openapi` or `swagger` at its top.
fn is_document(path: &Path) -> bool {
    let Ok(bytes) = std::fs::read(path) else { return false };
    let text = String::from_utf8_lossy(&bytes);
    let json = text.trim_start_matches('\u{feff}').trim_start().starts_with('{');
    if json {
        return text.contains("\"openapi\"") || text.contains("\"swagger\"");
    }
    text.trim_start_matches('\u{feff}').lines().any(|line| {
        let line = line.trim_end();
        ["openapi:", "swagger:", "\"openapi\":", "'openapi':", "\"swagger\":", "'swagger':"]
            .iter()
            .any(|key| line.starts_with(key))
    })
}
