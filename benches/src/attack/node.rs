//! The engine in wasm under Node.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{Run, Variant};
use crate::traffic::Message;
use crate::{Error, report};

/// What the driver measures of one variant.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Measured {
    pub name: String,
    /// Nanoseconds for all messages, the fastest round.
    pub all_ns: f64,
    /// Nanoseconds to take in the bundle.
    pub open_ns: f64,
    pub allocations: u32,
    #[serde(default)]
    pub bundle_bytes: usize,
    /// Messages that did not pass, by number.
    pub refused: Vec<usize>,
}

/// Measures bundles on messages, for a benchmark of that name.
pub(crate) fn run(
    name: &str,
    options: &Run,
    bundles: &[(&Variant, Vec<u8>)],
    messages: &[Message],
) -> Result<Vec<Measured>, Error> {
    let input = report::directory()?.join(name);
    fs::create_dir_all(&input)?;
    let written: Vec<Vec<u8>> = messages.iter().map(write).collect();
    let lengths: Vec<usize> = written.iter().map(Vec::len).collect();
    fs::write(input.join("messages"), written.concat())?;
    let mut variants = Vec::new();
    for (variant, bundle) in bundles {
        let file = format!("{}.bundle", variant.name);
        fs::write(input.join(&file), [&[u8::from(variant.every)], bundle.as_slice()].concat())?;
        variants.push(json!({ "name": variant.name, "bundle": file }));
    }
    let list = json!({ "variants": variants, "messages": "messages", "lengths": lengths });
    fs::write(input.join("input.json"), serde_json::to_vec(&list)?)?;
    let mut measured: Vec<Measured> = drive(&input, &options.engine, options.rounds)?;
    for (run, (_, bundle)) in measured.iter_mut().zip(bundles) {
        run.bundle_bytes = bundle.len();
    }
    Ok(measured)
}

/// That every message passes without findings, whatever judges it.
pub(crate) fn all_pass(measured: &[Measured], messages: &[Message]) -> Result<(), Error> {
    for Measured { name, refused, .. } in measured {
        if let Some(first) = refused.first() {
            let (count, message) = (refused.len(), &messages[*first]);
            let body = String::from_utf8_lossy(&message.body);
            return Err(Error::Unexpected(format!(
                "{name}: {count} messages have findings, the first: {} {} {:?} {body}",
                message.method, message.target, message.headers
            )));
        }
    }
    Ok(())
}

fn drive<T: for<'d> Deserialize<'d>>(input: &Path, engine: &Path, rounds: u32) -> Result<T, Error> {
    let driver = Path::new(env!("CARGO_MANIFEST_DIR")).join("driver/attack.mjs");
    let output = Command::new("node")
        .arg(driver)
        .args([input, engine])
        .arg(rounds.to_string())
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| Error::Program { program: "node", reason: error.to_string() })?;
    if !output.status.success() {
        return Err(Error::Program { program: "node", reason: output.status.to_string() });
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// A message as the module takes it: see `Gateway::passes` in benches/portcullis.
pub(crate) fn write(message: &Message) -> Vec<u8> {
    let length = message.body.len().to_string();
    let mut fields = vec![
        (":method", message.method),
        (":path", message.target.as_str()),
        (":authority", "api.bank.example"),
        (":scheme", "https"),
    ];
    fields.extend(message.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())));
    if !message.body.is_empty() {
        fields.push(("content-length", length.as_str()));
    }
    let mut out = vec![fields.len() as u8];
    for (name, value) in fields {
        for text in [name, value] {
            out.extend_from_slice(&(text.len() as u16).to_le_bytes());
            out.extend_from_slice(text.as_bytes());
        }
    }
    out.extend_from_slice(&message.body);
    out
}
