//! `portcullis compile`.

use super::Format;
use super::files::{self, CliError, show_size};
use crate::diag::{Severity, render_json, render_text};
use crate::source::FileSystem;
use crate::{CompileOutput, Input, Release, compile};
use clap::Args;
use portcullis_bundle::{Bundle, Trust};
use serde_json::json;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

/// What to compile, and to what.
#[derive(Args, Clone, Debug)]
pub struct Compile {
    /// OpenAPI documents to compile by themselves, under a policy that enforces everything
    #[arg(value_name = "DOCUMENT", required_unless_present = "policy", conflicts_with = "policy")]
    documents: Vec<PathBuf>,
    /// The policy, which names the documents
    #[arg(short, long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// Where the bundle goes; it is replaced at once or not at all
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// The key that signs the bundle, as `portcullis keygen` writes it
    #[arg(short, long, value_name = "FILE", conflicts_with = "unsigned")]
    key: Option<PathBuf>,
    /// Do not sign: for development, or for `portcullis sign` later
    #[arg(long)]
    unsigned: bool,
    /// A number that grows with every release; gateways never go back to a lower one
    #[arg(short, long, value_name = "N", default_value_t = 1)]
    epoch: u64,
    /// Do not activate the bundle before (RFC 3339, UTC)
    #[arg(long, value_name = "TIME", value_parser = files::time)]
    not_before: Option<i64>,
    /// Do not activate the bundle after (RFC 3339, UTC); one that serves already goes on serving
    #[arg(long, value_name = "TIME", value_parser = files::time)]
    not_after: Option<i64>,
    /// For which gateways the bundle is meant, instead of the policy's `audience`
    #[arg(long, value_name = "NAME", value_parser = audience)]
    audience: Option<String>,
    /// Write what becomes of every construct of the documents, as JSON
    #[arg(short, long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Fail on constructs that are not fully enforced, unless the policy's `accept_unenforced` covers them
    #[arg(long)]
    strict: bool,
    /// The form of diagnostics
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// The header has room for so many bytes.
fn audience(text: &str) -> Result<String, String> {
    if text.is_empty() || text.len() > 64 {
        return Err("must have 1 to 64 bytes".to_owned());
    }
    Ok(text.to_owned())
}

/// Compiles. Nothing but the report is written where there are errors.
pub fn run(options: &Compile) -> Result<ExitCode, CliError> {
    let seed = options.key.as_deref().map(files::read_key).transpose()?;
    let release = Release {
        epoch: options.epoch,
        not_before: options.not_before,
        not_after: options.not_after,
        audience: options.audience.clone(),
        seed,
        now: SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .ok()
            .and_then(|it| i64::try_from(it.as_secs()).ok()),
    };
    let (sources, input) = input(options);
    let output = compile(&sources, &input, &release);
    if let (Some(path), Some(report)) = (&options.report, &output.report) {
        files::write(path, report.to_json().as_bytes())?;
    }
    let objections = if options.strict { objections(&output) } else { Vec::new() };
    print_diagnostics(options.format, &output, &objections);
    let Some(bundle) = output.bundle.as_ref().filter(|_| objections.is_empty()) else {
        return Ok(ExitCode::FAILURE);
    };
    files::write(&options.output, bundle)?;
    summarise(options, &output, bundle)?;
    Ok(ExitCode::SUCCESS)
}

/// A policy's paths are relative to the policy; a document's own to the current folder.
fn input(options: &Compile) -> (FileSystem, Input) {
    let text = |path: &Path| path.to_string_lossy().into_owned();
    match &options.policy {
        Some(policy) => {
            let base = policy.parent().unwrap_or(Path::new("")).to_owned();
            let name = policy.file_name().map_or_else(|| text(policy), |n| text(Path::new(n)));
            (FileSystem { base }, Input::Policy(name))
        }
        None => {
            let documents = options.documents.iter().map(|path| text(path)).collect();
            (FileSystem { base: PathBuf::new() }, Input::Documents(documents))
        }
    }
}

fn objections(output: &CompileOutput) -> Vec<serde_json::Value> {
    let Some(report) = &output.report else { return Vec::new() };
    report.objections(&output.accepted).filter_map(|line| serde_json::to_value(line).ok()).collect()
}

fn print_diagnostics(format: Format, output: &CompileOutput, objections: &[serde_json::Value]) {
    match format {
        Format::Text => {
            let color = std::io::stderr().is_terminal();
            eprint!("{}", render_text(&output.diagnostics, &output.files, color));
            const SHOWN: usize = 20;
            for line in objections.iter().take(SHOWN) {
                let text = |name: &str| line[name].as_str().unwrap_or_default().to_owned();
                eprintln!(
                    "error: `{}` is {}: {}\n  --> {}:{}:{} {}",
                    text("construct"),
                    text("status").replace('_', " "),
                    text("reason"),
                    text("document"),
                    line["line"],
                    line["column"],
                    text("pointer"),
                );
            }
            if objections.len() > SHOWN {
                eprintln!(
                    "… and {} more; `--report FILE` lists them all",
                    objections.len() - SHOWN
                );
            }
            if !objections.is_empty() {
                eprintln!(
                    "error: {} constructs are not fully enforced (--strict); `accept_unenforced` in the policy tolerates them",
                    objections.len()
                );
            }
        }
        Format::Json => {
            print!("{}", render_json(&output.diagnostics));
            for line in objections {
                println!("{}", json!({ "unenforced": line }));
            }
        }
    }
}

fn summarise(options: &Compile, output: &CompileOutput, bytes: &[u8]) -> Result<(), CliError> {
    let trust = Trust { keys: Vec::new(), allow_unsigned: true };
    let bundle = Bundle::open(bytes.to_vec(), &trust)
        .map_err(|source| CliError::Open { path: options.output.clone(), source })?;
    let summary = output.report.as_ref().map(|report| &report.summary);
    let operations = bundle.view().operations.len();
    let count = |severity| output.diagnostics.count(severity);
    match options.format {
        Format::Text => {
            let signed = match bundle.is_signed() {
                true => format!("signed by {}", bundle.key_id()),
                false => "unsigned".to_owned(),
            };
            println!(
                "wrote {}: {} operations, {}, epoch {}, {signed}",
                options.output.display(),
                operations,
                show_size(bytes.len()),
                options.epoch
            );
            if let Some(summary) = summary {
                println!(
                    "constructs: {} enforced, {} approximated, {} not enforced",
                    summary.enforced, summary.approximated, summary.not_enforced
                );
            }
            if options.policy.is_none() {
                println!(
                    "note: no policy was given: everything is enforced, and what is not declared is refused"
                );
            }
            if !bundle.is_signed() && !options.unsigned {
                println!(
                    "note: no key was given: gateways take an unsigned bundle only where they are told to"
                );
            }
        }
        Format::Json => println!(
            "{}",
            json!({
                "bundle": options.output.display().to_string(),
                "bytes": bytes.len(),
                "content_hash": bundle.content_hash(),
                "epoch": options.epoch,
                "signed": bundle.is_signed(),
                "key_id": bundle.is_signed().then(|| bundle.key_id()),
                "operations": operations,
                "warnings": count(Severity::Warning),
                "notes": count(Severity::Note),
                "summary": summary,
            })
        ),
    }
    Ok(())
}
