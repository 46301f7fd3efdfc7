//! Regression tests in the form of go-ftw.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::message::Message;
use serde::Deserialize;

/// A test: one request, and which rules it must make fire.
#[derive(Debug)]
pub struct Case {
    /// The rule that the file is for.
    pub rule: u32,
    /// The number of the test.
    pub test: u32,
    /// The request.
    pub message: Message,
    /// What is sent for it.
    pub wire: Vec<u8>,
    expected: Vec<u32>,
    unexpected: Vec<u32>,
    /// The status that the client must see.
    status: Option<u16>,
    /// Whether it asks for the text of a log.
    asks_text: bool,
}

/// What came of a test.
#[derive(Debug, Default)]
pub struct Told {
    /// The rules that fired.
    pub fired: BTreeSet<u32>,
    /// The status that the client saw, 0 for no answer; none where nobody answers.
    pub status: Option<u16>,
}

impl Case {
    /// What is wrong with what came of it.
    pub fn wrong(&self, told: &Told) -> Option<String> {
        let fired = &told.fired;
        if self.asks_text {
            return Some("asks for the text of a log".to_owned());
        }
        let named = self.expected.len() + self.unexpected.len() > 0;
        match (self.status, told.status) {
            (Some(asked), Some(seen)) if asked != seen => {
                return Some(format!("asks for the status {asked}, the answer is {seen}"));
            }
            (Some(asked), None) if !named => {
                return Some(format!("asks for the status {asked} only"));
            }
            _ => {}
        }
        let missing: Vec<u32> =
            self.expected.iter().filter(|id| !fired.contains(id)).copied().collect();
        let extra: Vec<u32> =
            self.unexpected.iter().filter(|id| fired.contains(id)).copied().collect();
        match (missing.as_slice(), extra.as_slice()) {
            ([], []) => None,
            (missing, []) => Some(format!("does not fire {missing:?}")),
            (_, extra) => Some(format!("fires {extra:?}")),
        }
    }
}

#[derive(Deserialize)]
struct File {
    rule_id: u32,
    tests: Vec<Test>,
}

#[derive(Deserialize)]
struct Test {
    test_id: u32,
    stages: Vec<Stage>,
}

#[derive(Deserialize)]
struct Stage {
    input: Input,
    output: Output,
}

/// The request of a test.
#[derive(Debug, Default, Deserialize)]
pub struct Input {
    pub method: Option<String>,
    pub uri: Option<String>,
    pub version: Option<String>,
    #[serde(default)]
    pub headers: BTreeMap<String, Scalar>,
    pub data: Option<String>,
    pub encoded_request: Option<String>,
    pub autocomplete_headers: Option<bool>,
}

/// A text that can be written as a number or word.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub enum Scalar {
    Text(String),
    Number(i64),
    Float(f64),
    Truth(bool),
    Nothing(()),
}

impl std::fmt::Display for Scalar {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Scalar::Text(text) => f.write_str(text),
            Scalar::Number(number) => number.fmt(f),
            Scalar::Float(number) => number.fmt(f),
            Scalar::Truth(truth) => truth.fmt(f),
            Scalar::Nothing(()) => Ok(()),
        }
    }
}

#[derive(Deserialize)]
struct Output {
    #[serde(default)]
    log: Log,
    status: Option<u16>,
}

#[derive(Default, Deserialize)]
struct Log {
    #[serde(default)]
    expect_ids: Vec<u32>,
    #[serde(default)]
    no_expect_ids: Vec<u32>,
    match_regex: Option<String>,
    no_match_regex: Option<String>,
}

/// Reads every test in a folder and below, in the order of names.
///
/// # Errors
/// What cannot be read.
pub fn read(folder: &Path) -> Result<Vec<Case>, String> {
    let mut files = Vec::new();
    find(folder, &mut files)?;
    files.sort();
    let mut cases = Vec::new();
    for path in files {
        let text = std::fs::read_to_string(&path).map_err(|error| format!("{path:?}: {error}"))?;
        let file: File =
            serde_saphyr::from_str(&text).map_err(|error| format!("{path:?}: {error}"))?;
        for test in file.tests {
            cases.push(case(file.rule_id, test).map_err(|error| format!("{path:?}: {error}"))?);
        }
    }
    Ok(cases)
}

fn find(folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), String> {
    let entries = std::fs::read_dir(folder).map_err(|error| format!("{folder:?}: {error}"))?;
    for entry in entries {
        let path = entry.map_err(|error| error.to_string())?.path();
        if path.is_dir() {
            find(&path, files)?;
        } else if path.extension().is_some_and(|it| it == "yaml" || it == "yml") {
            files.push(path);
        }
    }
    Ok(())
}

fn case(rule: u32, test: Test) -> Result<Case, String> {
    let [stage] = <[Stage; 1]>::try_from(test.stages)
        .map_err(|stages| format!("test {} has {} stages", test.test_id, stages.len()))?;
    let Output { log, status } = stage.output;
    let (message, wire) = Message::of(&stage.input)?;
    Ok(Case {
        rule,
        test: test.test_id,
        message,
        wire,
        asks_text: log.match_regex.is_some() || log.no_match_regex.is_some(),
        expected: log.expect_ids,
        unexpected: log.no_expect_ids,
        status,
    })
}
