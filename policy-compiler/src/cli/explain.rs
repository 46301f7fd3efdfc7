//! `portcullis explain`: the engine itself, run on a request from a file.

use super::Format;
use super::files::{self, CliError};
use super::request::{self, Request};
use clap::Args;
use portcullis_bundle::layout::{OPERATION_SENT, View};
use portcullis_bundle::{Bundle, Trust};
use portcullis_engine::decision::{Decision, Verdict};
use portcullis_engine::describe::{Description, Source};
use portcullis_engine::exchange::{Conditions, Exchange, Progress, RequestHead};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// The bundle and the request.
#[derive(Args, Clone, Debug)]
pub struct Explain {
    /// The bundle; its signature is not checked (`portcullis verify` does)
    bundle: PathBuf,
    /// The request: HTTP/1.1 as it goes over the wire, or JSON with method, path, authority, headers, mutual_tls, and body, json or hex
    request: PathBuf,
    /// The folder that the documents' names are relative to, to show the lines that decided
    #[arg(long, value_name = "DIR", default_value = ".")]
    documents: PathBuf,
    /// The form of what is printed
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// Judges the request. 0: it passes; 1: it is refused.
pub fn run(options: &Explain) -> Result<ExitCode, CliError> {
    let trust = Trust { keys: Vec::new(), allow_unsigned: true };
    let bundle = Bundle::open(files::read(&options.bundle)?, &trust)
        .map_err(|source| CliError::Open { path: options.bundle.clone(), source })?;
    let request = request::parse(&files::read(&options.request)?).map_err(|what| {
        CliError::Other(format!("`{}` is not a request: {what}", options.request.display()))
    })?;
    let view = bundle.view();
    let decision = judge(&view, &request);
    let told = decision.describe(&view);
    let challenge = decision.challenge(&view);
    let sent = decision.operation.and_then(|index| view.operations.get(index as usize));
    let sent = sent.is_some_and(|operation| operation.flags.get() & OPERATION_SENT != 0);
    match options.format {
        Format::Text => print_text(&told, &decision, sent, challenge, &options.documents),
        Format::Json => print_json(&told, &decision, sent, challenge),
    }
    Ok(if decision.verdict == Verdict::Block { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn judge(view: &View<'_>, request: &Request) -> Decision {
    let mut headers: Vec<(&[u8], &[u8])> = vec![
        (b":method", &request.method),
        (b":path", &request.path),
        (b":authority", &request.authority),
    ];
    headers.extend(request.headers.iter().map(|(name, value)| (name.as_slice(), value.as_slice())));
    let head = RequestHead {
        method: &request.method,
        path: &request.path,
        authority: &request.authority,
        headers: &headers,
        end_of_stream: request.body.is_none(),
    };
    let conditions = Conditions { mutual_tls: request.mutual_tls, ..Conditions::default() };
    let mut exchange = Exchange::default();
    let mut progress = exchange.on_headers(view, &head, conditions);
    if let (Progress::Body { .. }, Some(body)) = (&progress, &request.body) {
        progress = exchange.on_body(view, body);
    }
    if let Progress::Body { .. } = progress {
        progress = exchange.on_end(view);
    }
    match progress {
        Progress::Decided(decision) => decision,
        Progress::Body { .. } => Decision::allow(None),
    }
}

fn print_text(
    told: &Description<'_>,
    decision: &Decision,
    sent: bool,
    challenge: Option<&str>,
    documents: &Path,
) {
    match decision.status {
        0 => println!("verdict: {}", told.verdict),
        status => println!("verdict: {} ({status})", told.verdict),
    }
    match &told.operation {
        Some(of) => {
            let id = if of.operation_id.is_empty() { "" } else { of.operation_id };
            let sent = if sent { ", sent by it" } else { "" };
            println!("operation: {} {} ({}{sent}) {id}", of.method, of.template, of.api);
        }
        None => println!("operation: none"),
    }
    if let Some(allow) = &decision.allow {
        println!("allow: {allow}");
    }
    if let Some(challenge) = challenge {
        println!("www-authenticate: {challenge}");
    }
    for finding in &told.findings {
        println!("\n{}", finding.code.name());
        if !finding.name.is_empty() || finding.part != "message" {
            println!("  where: {} {}", finding.part, finding.name);
        }
        if let Some(keyword) = finding.keyword {
            println!("  keyword: {keyword}");
        }
        if let Some(source) = &finding.source {
            print_source(source, documents);
        }
    }
    if told.findings.is_empty() {
        println!("nothing was found");
    }
}

fn print_source(source: &Source<'_>, documents: &Path) {
    println!("  document: {}:{}:{}", source.document, source.line, source.column);
    println!("  pointer: {}", source.pointer);
    let text = std::fs::read_to_string(documents.join(source.document)).ok();
    let line =
        text.as_deref().and_then(|text| text.lines().nth((source.line as usize).checked_sub(1)?));
    if let Some(line) = line {
        println!("  {:>5} | {line}", source.line);
        let indent = " ".repeat(source.column.saturating_sub(1) as usize);
        println!("        | {indent}^");
    }
}

fn print_json(told: &Description<'_>, decision: &Decision, sent: bool, challenge: Option<&str>) {
    let findings: Vec<_> = told
        .findings
        .iter()
        .map(|finding| {
            json!({
                "code": finding.code.name(),
                "part": finding.part,
                "name": finding.name,
                "keyword": finding.keyword,
                "source": finding.source.as_ref().map(|source| json!({
                    "document": source.document,
                    "line": source.line,
                    "column": source.column,
                    "pointer": source.pointer,
                })),
            })
        })
        .collect();
    let operation = told.operation.as_ref().map(|of| {
        json!({
            "id": format!("{:016x}", of.id),
            "api": of.api,
            "method": of.method,
            "template": of.template,
            "operation_id": of.operation_id,
            "direction": if sent { "outbound" } else { "inbound" },
        })
    });
    println!(
        "{}",
        json!({
            "verdict": told.verdict,
            "status": (decision.status != 0).then_some(decision.status),
            "operation": operation,
            "allow": decision.allow,
            "www_authenticate": challenge,
            "findings": findings,
        })
    );
}
