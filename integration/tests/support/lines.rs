//! The filter's log lines: whether they are as finding.schema.json describes them, and whether they or
//! anything else repeats what a client sent.
#![allow(dead_code, reason = "each test binary takes what it needs")]

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::LazyLock;

use jsonschema::Validator;
use portcullis_cases::Case;
use portcullis_integration::artefacts;
use serde_json::Value;

/// The schema that is shipped.
pub static SCHEMA: LazyLock<Value> = LazyLock::new(|| {
    let path = artefacts::root().join("filter/finding.schema.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
});

static VALIDATOR: LazyLock<Validator> =
    LazyLock::new(|| jsonschema::options().should_validate_formats(true).build(&SCHEMA).unwrap());

/// The filter's lines of a log, as written; the last line of the log may be half written.
pub fn of(log: &str) -> Vec<&str> {
    let whole = log.rfind('\n').map_or("", |end| &log[..end]);
    whole
        .lines()
        .filter_map(|line| line.find("{\"portcullis\":").map(|at| &line[at..]))
        .filter(
            // An access log has a member of that name too, as text.
            |line| !line.starts_with("{\"portcullis\":\""),
        )
        .collect()
}

/// The same as JSON.
pub fn parsed(log: &str) -> impl Iterator<Item = Value> {
    of(log).into_iter().map(|line| serde_json::from_str(line).unwrap_or_default())
}

/// What is wrong with the lines of a log: not JSON, not as the schema says, or with a member that
/// the schema does not name.
pub fn faults(log: &str) -> Vec<String> {
    let mut faults = Vec::new();
    for line in of(log) {
        let Ok(value) = serde_json::from_str::<Value>(line) else {
            faults.push(format!("not JSON: {line}"));
            continue;
        };
        faults.extend(VALIDATOR.iter_errors(&value).map(|error| format!("{error}: {line}")));
        let event = &value["event"];
        let described = SCHEMA["oneOf"].as_array().unwrap();
        let described = described.iter().find(|it| it["properties"]["event"]["const"] == *event);
        let Some(described) = described else { continue };
        for (name, member) in value.as_object().into_iter().flatten() {
            let property = &described["properties"][name];
            if property.is_null() && name != "portcullis" {
                faults.push(format!("`{name}` is not described: {line}"));
            }
            for inner in member.as_object().into_iter().flatten().map(|(inner, _)| inner) {
                if property["properties"][inner].is_null() {
                    faults.push(format!("`{name}.{inner}` is not described: {line}"));
                }
            }
        }
    }
    faults
}

/// The words that may be repeated: those of the policy, its documents and the filter's own pages.
pub struct Known(String);

impl Known {
    /// The words of every file beside a policy, and of what the filter documents.
    pub fn beside(policy: &Path) -> Self {
        let root = artefacts::root();
        let mut text = String::new();
        for page in
            ["filter/engine/FINDINGS.md", "filter/finding.schema.json", "filter/OBSERVABILITY.md"]
        {
            text.push_str(&std::fs::read_to_string(root.join(page)).unwrap());
        }
        collect(policy.parent().unwrap(), &mut text);
        Self(text.to_lowercase())
    }

    /// The words of a case's request and answer that are the client's or the upstream's own, and are found in a text all the same.
    pub fn leaks(&self, case: &Case, place: &str, text: &str) -> Vec<String> {
        let text = text.to_lowercase();
        let own = words(case).into_iter().filter(|word| !self.0.contains(word.as_str()));
        own.filter(|word| text.contains(word.as_str()))
            .map(|word| format!("{place} repeats `{word}`"))
            .collect()
    }
}

/// Reads the YAML and JSON below a directory, but no requests.
fn collect(dir: &Path, into: &mut String) {
    for entry in std::fs::read_dir(dir).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            collect(&path, into);
        } else if path.file_name().is_some_and(|name| name != "tour.yaml") {
            into.push_str(&std::fs::read_to_string(&path).unwrap_or_default());
        }
    }
}

/// Words of a request that are long enough to be told from chance: in its path, fields and body.
fn words(case: &Case) -> BTreeSet<String> {
    let request = &case.request;
    let mut bytes = request.path_bytes();
    for (_, value) in request.headers.iter().chain(request.trailers.iter()) {
        bytes.push(b' ');
        bytes.extend_from_slice(&value);
    }
    bytes.push(b' ');
    bytes.extend(request.content().unwrap_or_default());
    if let Some(response) = &case.response {
        for (_, value) in response.headers.iter().chain(response.trailers.iter()) {
            bytes.push(b' ');
            bytes.extend_from_slice(&value);
        }
        bytes.push(b' ');
        bytes.extend(response.content().unwrap_or_default());
    }
    let text = String::from_utf8_lossy(&bytes).to_lowercase();
    text.split(|c: char| !(c.is_alphanumeric() || c == '_' || c == '-'))
        .filter(|word| word.len() >= 5 && word.chars().any(char::is_alphabetic))
        .map(str::to_owned)
        .collect()
}
