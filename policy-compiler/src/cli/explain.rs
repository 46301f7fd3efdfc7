//! `portcullis explain`: the engine itself, run on a request from a file, and on the answer to it.

use super::files::{self, CliError};
use super::request::{self, Answer, Request};
use super::{event, told, value};
use clap::{Args, ValueEnum};
use portcullis_bundle::layout::{OPERATION_SENT, View};
use portcullis_bundle::{Bundle, Trust};
use portcullis_engine::decision::{Decision, Verdict};
use portcullis_engine::describe::{Source, limits_of};
use portcullis_engine::exchange::{Conditions, Exchange, Progress, RequestHead, ResponseHead};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// The bundle and the request.
#[derive(Args, Clone, Debug)]
pub struct Explain {
    /// The bundle; its signature is not checked (`portcullis verify` does)
    bundle: PathBuf,
    /// The request: HTTP/1.1 as it goes over the wire, or JSON with method, path, authority, headers, mutual_tls, and body, json or hex
    #[arg(required_unless_present = "event")]
    request: Option<PathBuf>,
    /// Judge the answer to it too: HTTP/1.1 as it goes over the wire, or JSON with status, headers, and body, json or hex
    #[arg(long, value_name = "FILE", requires = "request")]
    answer: Option<PathBuf>,
    /// Tell instead about the findings of attack rules in the filter's log, a part of it or one line; `-` reads the standard input
    #[arg(long, value_name = "FILE", conflicts_with = "request")]
    event: Option<PathBuf>,
    /// Show the values that attack rules found, which nothing else does
    #[arg(long)]
    values: bool,
    /// The folder that the documents' names are relative to, to show the lines that decided
    #[arg(long, value_name = "DIR", default_value = ".")]
    documents: PathBuf,
    /// The form of what is printed
    #[arg(long, value_enum, default_value_t)]
    format: Form,
}

/// The form of what is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Form {
    /// For people
    #[default]
    Text,
    /// For programs
    Json,
    /// The lines that the filter would log
    Event,
}

/// Judges the request. 0: it passes; 1: it is refused.
pub fn run(options: &Explain) -> Result<ExitCode, CliError> {
    let trust = Trust { keys: Vec::new(), allow_unsigned: true };
    let bundle = Bundle::open(files::read(&options.bundle)?, &trust)
        .map_err(|source| CliError::Open { path: options.bundle.clone(), source })?;
    let view = bundle.view();
    if let Some(path) = &options.event {
        let events = event::read(path)?;
        return Ok(explain_events(&view, &events, options));
    }
    let path = options.request.clone().unwrap_or_default();
    let request = request::parse(&files::read(&path)?).map_err(|what| {
        CliError::Other(format!("`{}` is not a request: {what}", path.display()))
    })?;
    let answer = match &options.answer {
        Some(path) => Some(request::parse_answer(&files::read(path)?).map_err(|what| {
            CliError::Other(format!("`{}` is not an answer: {what}", path.display()))
        })?),
        None => None,
    };
    let mut exchange = Exchange::default();
    let decision = judge(&mut exchange, &view, &request);
    let mut refused = decision.verdict == Verdict::Block;
    let judged = match &answer {
        Some(answer) if !refused => judge_answer(&mut exchange, &view, &decision, answer),
        _ => None,
    };
    refused |= judged.as_ref().is_some_and(|it| it.verdict == Verdict::Block);
    let of_answer = answer.map(|answer| (shown(answer), judged));
    match options.format {
        Form::Text => {
            print_text("verdict", &view, &decision, options);
            for limit in limits_of(&view, decision.operation) {
                let carried = match limit.cluster {
                    "" => String::new(),
                    cluster => format!(", and the service of cluster {cluster} not asked"),
                };
                println!(
                    "limit: {} of each {}, not counted here{carried}",
                    limit.name, limit.caller
                );
            }
            print_rules(&view, &decision, &request, options);
            match &of_answer {
                Some((answer, Some(judged))) => {
                    println!();
                    print_text("answer", &view, judged, options);
                    print_rules(&view, judged, answer, options);
                }
                Some((_, None)) if refused => println!("\nanswer: the request is refused before"),
                Some((_, None)) => println!("\nanswer: no rule looks at it"),
                None => {}
            }
        }
        Form::Json => {
            let mut told = as_json(&view, &decision, options);
            let limits = limits_of(&view, decision.operation);
            let limits = limits.iter().map(|it| {
                let mut limit = json!({ "name": it.name, "caller": it.caller });
                if !it.cluster.is_empty() {
                    limit["cluster"] = it.cluster.into();
                }
                limit
            });
            told["limits"] = limits.collect();
            if let Some((_, judged)) = &of_answer {
                told["answer"] = judged.as_ref().map(|it| as_json(&view, it, options)).into();
            }
            println!("{told}");
        }
        Form::Event => {
            let judged = of_answer.as_ref().and_then(|(_, judged)| judged.as_ref());
            let lines =
                std::iter::once(&decision).chain(judged).flat_map(|it| event::of(&view, it));
            lines.for_each(|line| println!("{line}"));
        }
    }
    Ok(if refused { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Where the values of an answer's findings are looked up: its status stands for the path.
fn shown(answer: Answer) -> Request {
    let Answer { status, headers, body } = answer;
    Request { path: status, headers, body, ..Request::default() }
}

fn judge(exchange: &mut Exchange, view: &View<'_>, request: &Request) -> Decision {
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

/// Judges the answer to a request that was let pass; `None` where no rule looks at it.
fn judge_answer(
    exchange: &mut Exchange,
    view: &View<'_>,
    request: &Decision,
    answer: &Answer,
) -> Option<Decision> {
    let awaited = exchange.awaits(view, Some(request))?;
    let headers: Vec<(&[u8], &[u8])> =
        answer.headers.iter().map(|(name, value)| (name.as_slice(), value.as_slice())).collect();
    let head = ResponseHead {
        status: &answer.status,
        headers: &headers,
        end_of_stream: answer.body.is_none(),
    };
    let conditions = Conditions::default();
    let mut progress = exchange.on_response_headers(view, &awaited, &head, conditions);
    if let (Progress::Body { .. }, Some(body)) = (&progress, &answer.body) {
        progress = exchange.on_response_body(view, body);
    }
    if let Progress::Body { .. } = progress {
        progress = exchange.on_response_end(view);
    }
    match progress {
        Progress::Decided(decision) => Some(decision),
        Progress::Body { .. } => None,
    }
}

/// Whether what was judged is sent by the API.
fn is_sent(view: &View<'_>, decision: &Decision) -> bool {
    let operation = decision.operation.and_then(|index| view.operations.get(index as usize));
    operation.is_some_and(|operation| operation.flags.get() & OPERATION_SENT != 0)
}

/// Tells about the findings of attack rules.
fn print_rules(view: &View<'_>, decision: &Decision, message: &Request, options: &Explain) {
    for (finding, event) in decision.findings.iter().zip(event::of(view, decision)) {
        if finding.rule.is_some() {
            println!();
            print_rule(view, &event, options);
            if options.values {
                let value = value::at(message, view, finding);
                println!("  value: {}", value.as_deref().unwrap_or("(cannot be told)"));
            }
        }
    }
}

/// Tells the verdict on a request or, as `what` says, an answer, and the findings of the contract.
fn print_text(what: &str, view: &View<'_>, decision: &Decision, options: &Explain) {
    let told = decision.describe(view);
    match decision.status {
        0 => println!("{what}: {}", told.verdict),
        status => println!("{what}: {} ({status})", told.verdict),
    }
    match &told.operation {
        Some(of) => {
            let id = if of.operation_id.is_empty() { "" } else { of.operation_id };
            let sent = if is_sent(view, decision) { ", sent by it" } else { "" };
            println!("operation: {} {} ({}{sent}) {id}", of.method, of.template, of.api);
        }
        None => println!("operation: none"),
    }
    if let Some(allow) = &decision.allow {
        println!("allow: {allow}");
    }
    if let Some(challenge) = decision.challenge(view) {
        println!("www-authenticate: {challenge}");
    }
    for finding in told.findings.iter().filter(|finding| finding.rule.is_none()) {
        println!("\n{}", finding.code.name());
        if !finding.name.is_empty() || finding.part != "message" {
            println!("  where: {} {}", finding.part, finding.name);
        }
        if let Some(keyword) = finding.keyword {
            println!("  keyword: {keyword}");
        }
        if let Some(source) = &finding.source {
            print_source(source, &options.documents);
        }
    }
    if told.findings.is_empty() {
        println!("nothing was found");
    }
}

/// Tells about findings from a log.
fn explain_events(view: &View<'_>, events: &[Value], options: &Explain) -> ExitCode {
    for (index, event) in events.iter().enumerate() {
        match options.format {
            Form::Text => {
                if index > 0 {
                    println!();
                }
                print_rule(view, event, options);
            }
            Form::Json => println!("{}", with_conditions(view, event, options)),
            Form::Event => println!("{event}"),
        }
    }
    ExitCode::SUCCESS
}

/// The findings of rules, with what each rule asks.
fn rules_of(view: &View<'_>, decision: &Decision, options: &Explain) -> Vec<Value> {
    let lines = event::of(view, decision);
    lines.iter().map(|line| with_conditions(view, line, options)["rule"].clone()).collect()
}

fn with_conditions(view: &View<'_>, event: &Value, options: &Explain) -> Value {
    let mut told = event.clone();
    let id = event["rule"]["id"].as_str().unwrap_or_default();
    if let Some(rule) = view.rules.iter().find(|rule| view.text(rule.id) == id) {
        told["rule"]["file"] = json!(view.text(rule.file));
        told["rule"]["line"] = json!(rule.line.get());
        told["rule"]["conditions"] = json!(told::conditions(view, id, &options.documents));
    }
    told
}

/// Tells about a rule that fired.
fn print_rule(view: &View<'_>, event: &Value, options: &Explain) {
    let told = with_conditions(view, event, options);
    let rule = &told["rule"];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let list = |value: &Value| {
        let texts = value.as_array().into_iter().flatten().filter_map(Value::as_str);
        texts.collect::<Vec<_>>().join(", ")
    };
    println!("{} ({})", text(&told["code"]), text(&told["verdict"]));
    println!("  rule: {}: {}", text(&rule["id"]), text(&rule["title"]));
    match rule["file"].as_str() {
        Some(file) => println!("  written: {file}:{}", rule["line"]),
        None => println!(
            "  written: the bundle has no such rule: it is another than the one that logged this"
        ),
    }
    let method = text(&told["method"]);
    if !method.is_empty() {
        println!("  operation: {method} {} ({})", text(&told["template"]), text(&told["api"]));
    }
    let pointer = [&told["pointer"], &told["name"]].into_iter().find_map(Value::as_str);
    println!("  where: {} {}", text(&rule["target"]), pointer.unwrap_or_default());
    for condition in rule["conditions"].as_array().into_iter().flatten() {
        let steps = list(&condition["transform"]);
        println!("  transformations: {}", if steps.is_empty() { "none" } else { &steps });
        let not = if condition["not"] == true { "not " } else { "" };
        let argument =
            condition["argument"].as_str().map_or_else(String::new, |it| format!(" {it}"));
        println!("  operator: {not}{}{argument}", text(&condition["operator"]));
    }
    println!("  score: {}", score(rule));
    println!("  paranoia: {}", rule["paranoia"]);
    println!("  tags: {}", list(&rule["tags"]));
}

/// How the total came about.
fn score(rule: &Value) -> String {
    let points = rule["points"].as_u64().unwrap_or(0);
    let total = rule["score"].as_u64().unwrap_or(0);
    let mut parts = vec![format!("{points} of this rule")];
    let mut named = points;
    for other in rule["with"].as_array().into_iter().flatten() {
        let own = other["points"].as_u64().unwrap_or(0);
        named += own;
        parts.push(format!("{own} of {}", other["id"].as_str().unwrap_or_default()));
    }
    if total > named {
        parts.push(format!("{} of rules that have no line of their own", total - named));
    }
    format!("{} = {total}; refused from {}", parts.join(" + "), rule["threshold"])
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

/// A decision for programs.
fn as_json(view: &View<'_>, decision: &Decision, options: &Explain) -> Value {
    let (told, rules) = (decision.describe(view), rules_of(view, decision, options));
    let findings: Vec<_> = told
        .findings
        .iter()
        .zip(&rules)
        .map(|(finding, rule)| {
            json!({
                "rule": rule,
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
            "direction": if is_sent(view, decision) { "outbound" } else { "inbound" },
        })
    });
    json!({
        "verdict": told.verdict,
        "status": (decision.status != 0).then_some(decision.status),
        "operation": operation,
        "allow": decision.allow,
        "www_authenticate": decision.challenge(view),
        "findings": findings,
    })
}
