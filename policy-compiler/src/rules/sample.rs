//! `tests`: what a rule must catch, and what it must let pass.

use super::pack::Reader;
use crate::diag;
use crate::ir::{Sample, Tests};
use crate::source::Node;

/// The parts of a message that a sample can give as one text.
const PARTS: [&str; 7] = ["method", "path", "query", "json", "form", "body", "content_type"];

/// Reads the tests of a rule.
pub(super) fn read(reader: &mut Reader<'_, '_>, node: Node<'_>) -> Option<Tests> {
    if !reader.fields(node, &["attacks", "passes"], "`tests`") {
        return None;
    }
    Some(Tests {
        attacks: samples(reader, node, "attacks")?,
        passes: samples(reader, node, "passes")?,
    })
}

fn samples(reader: &mut Reader<'_, '_>, node: Node<'_>, field: &str) -> Option<Vec<Sample>> {
    let Some(list) = node.get(field) else { return Some(Vec::new()) };
    let elements = reader.elements(list, &format!("`{field}`"))?;
    elements.into_iter().map(|element| sample(reader, element)).collect()
}

fn sample(reader: &mut Reader<'_, '_>, node: Node<'_>) -> Option<Sample> {
    if let Some(text) = node.as_text() {
        return Some(Sample { value: Some(text.to_owned()), ..Sample::default() });
    }
    let mut known = PARTS.to_vec();
    known.extend(["headers", "cookies", "response"]);
    if !reader.fields(node, &known, "a test") {
        return None;
    }
    let mut sample = Sample::default();
    take(node, &PARTS, "", &mut sample.parts);
    sample.headers = pairs(node.get("headers"));
    for (name, value) in pairs(node.get("cookies")) {
        sample.headers.push(("cookie".to_owned(), format!("{name}={value}")));
    }
    if let Some(response) = node.get("response") {
        if !reader.fields(response, &["status", "headers", "body"], "`response`") {
            return None;
        }
        take(response, &["status", "body"], "response_", &mut sample.parts);
        sample.response_headers = pairs(response.get("headers"));
    }
    if sample == Sample::default() {
        reader.wrong(diag::RULE_VALUE, node, "a test gives no part of a message".to_owned(), None);
        return None;
    }
    Some(sample)
}

fn take(node: Node<'_>, names: &[&str], prefix: &str, out: &mut Vec<(String, String)>) {
    for name in names {
        if let Some(text) = node.get(name).and_then(Node::as_text) {
            out.push((format!("{prefix}{name}"), text.to_owned()));
        }
    }
}

fn pairs(node: Option<Node<'_>>) -> Vec<(String, String)> {
    let members = node.and_then(Node::members).into_iter().flatten();
    let texts = members
        .filter_map(|(member, value)| Some((member.key.to_string(), value.as_text()?.to_owned())));
    texts.collect()
}
