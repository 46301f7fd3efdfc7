//! The lines that the filter logs about attack rules: read from its log, or written for a request from a file.

use super::files::{self, CliError};
use portcullis_bundle::layout::View;
use portcullis_engine::decision::{Decision, Verdict};
use portcullis_engine::describe::{FindingDescription, rule_names};
use portcullis_engine::finding::Position;
use serde_json::{Map, Value, json};
use std::io::Read;
use std::path::Path;

/// Reads the findings of attack rules from a log or a part of one; `-` is the standard input. Whatever a line holds
/// before its object, such as the time that Envoy writes, is left out, and so are other lines.
pub fn read(path: &Path) -> Result<Vec<Value>, CliError> {
    let bytes = if path.as_os_str() == "-" {
        let mut bytes = Vec::new();
        let read = std::io::stdin().read_to_end(&mut bytes);
        read.map_err(|source| CliError::Read { path: path.to_owned(), source })?;
        bytes
    } else {
        files::read(path)?
    };
    let text = String::from_utf8_lossy(&bytes);
    let events: Vec<Value> = text.lines().filter_map(line).collect();
    if events.is_empty() {
        let title = format!("`{}` holds no finding of an attack rule", path.display());
        return Err(CliError::Other(title));
    }
    Ok(events)
}

fn line(line: &str) -> Option<Value> {
    let start = line.find('{')?;
    let mut values = serde_json::Deserializer::from_str(line.get(start..)?).into_iter::<Value>();
    let value = values.next()?.ok()?;
    (value["portcullis"].is_number()
        && value["event"] == "finding"
        && value["rule"]["id"].is_string())
    .then_some(value)
}

/// The lines that the filter would log about a request, without what it takes from the request's id and its own state.
pub fn of(view: &View<'_>, decision: &Decision) -> Vec<Value> {
    let told = decision.describe(view);
    let each = decision.findings.iter().zip(&told.findings);
    each.map(|(finding, described)| {
        let mut line = Map::new();
        let mut put = |name: &str, value: Value| {
            if !value.is_null() && value != json!("") {
                line.insert(name.to_owned(), value);
            }
        };
        put("portcullis", json!(1));
        put("event", json!("finding"));
        let verdict = match decision.verdict {
            Verdict::Allow => "allow",
            Verdict::Monitor => "monitor",
            Verdict::Block => "block",
            Verdict::Pass => "pass",
        };
        put("verdict", json!(verdict));
        put("status", if decision.status == 0 { Value::Null } else { json!(decision.status) });
        put("code", json!(described.code.name()));
        put("policy", json!(view.policy.first().map_or("", |policy| view.text(policy.name))));
        if let Some(of) = &told.operation {
            put("api", json!(of.api));
            put("operation", json!(format!("{:016x}", of.id)));
            put("method", json!(of.method));
            put("template", json!(of.template));
            put("operation_id", json!(of.operation_id));
        }
        place(described, &finding.position, &mut put);
        put("keyword", json!(described.keyword));
        if let Some(source) = &described.source {
            let (document, pointer) = (source.document, &source.pointer);
            let (line, column) = (source.line, source.column);
            put(
                "origin",
                json!({ "document": document, "line": line, "column": column, "pointer": pointer }),
            );
        }
        put("rule", rule(view, decision, described));
        Value::Object(line)
    })
    .collect()
}

fn place(told: &FindingDescription<'_>, position: &Position, put: &mut dyn FnMut(&str, Value)) {
    match position {
        Position::Message => {}
        Position::Body { pointer, offset } => {
            put("in", json!("body"));
            // The whole body is a place too.
            put("pointer", json!(pointer));
            put("offset", json!(offset));
        }
        Position::UndeclaredParameter | Position::Path => put("in", json!(told.part)),
        _ => {
            put("in", json!(told.part));
            put("name", json!(told.name));
        }
    }
}

fn rule(view: &View<'_>, decision: &Decision, told: &FindingDescription<'_>) -> Value {
    let Some(rule) = &told.rule else { return Value::Null };
    let others = decision.findings.iter().filter_map(|it| rule_names(view, it.rule?, it));
    let with: Vec<Value> = others
        .filter(|other| other.id != rule.id)
        .map(|other| json!({ "id": other.id, "points": other.points }))
        .collect();
    let mut line = json!({
        "id": rule.id,
        "title": rule.title,
        "tags": rule.tags.split_ascii_whitespace().collect::<Vec<_>>(),
        "target": rule.target,
        "severity": rule.severity,
        "paranoia": rule.paranoia,
        "points": rule.points,
        "score": rule.score,
        "threshold": rule.threshold,
    });
    if !with.is_empty() {
        line["with"] = json!(with);
    }
    line
}
