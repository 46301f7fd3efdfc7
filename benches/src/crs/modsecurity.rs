//! ModSecurity as the Python package `libmodsecurity`: the C++ engine, called message by message.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use data_encoding::BASE64;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::traffic::Message;
use crate::{Error, report};

const SCRIPT: &str = include_str!("modsecurity.py");

/// Rules, and the level at which they are loaded.
pub(super) struct Rules<'a> {
    pub folder: &'a Path,
    pub setup: &'a Path,
    pub paranoia: u8,
}

/// What ModSecurity took.
#[derive(Debug, Deserialize, Serialize)]
pub(super) struct Measured {
    /// CPU µs a message in the fastest of three rounds.
    pub us: f64,
    /// Messages on which rules fired.
    pub alarming: u32,
}

/// Measures it on the messages.
pub(super) fn run(
    python: &Path,
    rules: &Rules<'_>,
    messages: &[&Message],
) -> Result<Measured, Error> {
    let folder = report::directory()?.join("crs");
    fs::create_dir_all(&folder)?;
    let (script, input) = (folder.join("modsecurity.py"), folder.join("modsecurity.json"));
    fs::write(&script, SCRIPT)?;
    let message = |it: &&Message| {
        json!({
            "method": it.method, "target": it.target, "headers": it.headers,
            "body": BASE64.encode(&it.body),
        })
    };
    let messages: Vec<_> = messages.iter().map(message).collect();
    let absolute = |path: &Path| fs::canonicalize(path);
    let what = json!({
        "rules": absolute(rules.folder)?, "setup": absolute(rules.setup)?, "paranoia": rules.paranoia,
        "messages": messages,
    });
    fs::write(&input, serde_json::to_vec(&what)?)?;
    let output = Command::new(python).arg(&script).arg(&input).stderr(Stdio::inherit()).output();
    let output =
        output.map_err(|error| Error::Program { program: "python", reason: error.to_string() })?;
    if !output.status.success() {
        return Err(Error::Program { program: "python", reason: output.status.to_string() });
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// Nanoseconds of CPU that this thread has taken, by the kernel's accounting.
pub(super) fn cpu_ns() -> Result<u64, Error> {
    let text = fs::read_to_string("/proc/thread-self/schedstat")?;
    let first = text.split_ascii_whitespace().next().and_then(|number| number.parse().ok());
    first.ok_or_else(|| Error::Unexpected("no schedstat of this thread".to_owned()))
}
