//! `portcullis inspect`.

use super::Format;
use super::coverage;
use super::files::{self, CliError, show_size, show_time};
use super::rules;
use clap::Args;
use portcullis_bundle::layout::{
    BodyKind, Mode, OPERATION_BODY_REQUIRED, OPERATION_DEPRECATED, OPERATION_SENT, Operation,
    SectionId, View,
};
use portcullis_bundle::{Bundle, Trust};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::process::ExitCode;

/// The bundle.
#[derive(Args, Clone, Debug)]
pub struct Inspect {
    /// The bundle, or the file that Envoy watches; its signature is not checked (`portcullis verify` does). With
    /// --coverage also a report
    bundle: PathBuf,
    /// Tell how much of each document is enforced; of a report (`compile --report`) also the reasons
    #[arg(long)]
    coverage: bool,
    /// Tell which attack rules look at the values of an operation, and why others cannot match
    #[arg(long, value_name = "OPERATION", conflicts_with = "coverage")]
    rules: Option<String>,
    /// The form of what is printed
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// The bundle in a file as `render envoy` writes it for Envoy; other bytes as they are.
fn unwrapped(bytes: Vec<u8>) -> Vec<u8> {
    let Some(read) = portcullis_ecds::read(&bytes) else { return bytes };
    eprintln!("version {} for the filter `{}` in `{}`", read.version, read.filter, read.wasm);
    match read.configuration {
        portcullis_ecds::Configuration::Bundle(bundle) => bundle.to_vec(),
        portcullis_ecds::Configuration::Json(json) => in_json(json).unwrap_or(bytes),
    }
}

fn in_json(json: &str) -> Option<Vec<u8>> {
    let json: serde_json::Value = serde_json::from_str(json).ok()?;
    data_encoding::BASE64.decode(json.get("bundle")?.as_str()?.as_bytes()).ok()
}

/// Prints what a bundle holds.
pub fn run(options: &Inspect) -> Result<ExitCode, CliError> {
    let trust = Trust { keys: Vec::new(), allow_unsigned: true };
    let bytes = files::read(&options.bundle)?;
    if options.coverage && bytes.trim_ascii_start().starts_with(b"{") {
        let coverage = coverage::of_report(&bytes).map_err(|why| {
            CliError::Other(format!("`{}` is no report: {why}", options.bundle.display()))
        })?;
        coverage::print(&coverage, options.format);
        return Ok(ExitCode::SUCCESS);
    }
    let bytes = unwrapped(bytes);
    let bundle = Bundle::open(bytes, &trust)
        .map_err(|source| CliError::Open { path: options.bundle.clone(), source })?;
    if options.coverage {
        coverage::print(&coverage::of_bundle(&bundle), options.format);
        return Ok(ExitCode::SUCCESS);
    }
    if let Some(operation) = &options.rules {
        rules::print(&bundle.view(), operation, options.format)?;
        return Ok(ExitCode::SUCCESS);
    }
    let told = describe(&bundle);
    match options.format {
        Format::Json => println!("{}", serde_json::to_string_pretty(&told).unwrap_or_default()),
        Format::Text => print_text(&told),
    }
    Ok(ExitCode::SUCCESS)
}

fn describe(bundle: &Bundle) -> Value {
    let (header, view) = (bundle.header(), bundle.view());
    let name = view.policy.first().map_or("", |policy| view.text(policy.name));
    let mode = view.policy.first().map_or(0, |policy| policy.mode);
    let sections: Vec<Value> = SectionId::ALL
        .iter()
        .map(|id| (*id, bundle.section(*id).len()))
        .filter(|(_, len)| *len > 0)
        .map(|(id, len)| {
            json!({ "id": id as u16, "name": id.name(), "records": len / id.record_len(), "bytes": len })
        })
        .collect();
    let apis: Vec<Value> = view
        .apis
        .iter()
        .map(|api| json!({ "name": view.text(api.name), "mode": mode_name(api.mode) }))
        .collect();
    let hosts: Vec<&str> = view.hosts.iter().map(|host| view.text(host.name)).collect();
    let documents: Vec<&str> = view.documents.iter().map(|d| view.text(d.name)).collect();
    let time = |seconds: i64, none: i64| (seconds != none).then(|| show_time(seconds));
    json!({
        "policy": name,
        "mode": mode_name(mode),
        "format": header.format.get(),
        "compiler": bundle.compiler(),
        "epoch": header.epoch.get(),
        "audience": bundle.audience(),
        "not_before": time(header.not_before.get(), i64::MIN),
        "not_after": time(header.not_after.get(), i64::MAX),
        "key_id": bundle.is_signed().then(|| bundle.key_id()),
        "content_hash": bundle.content_hash(),
        "bytes": bundle.as_bytes().len(),
        "documents": documents,
        "hosts": hosts,
        "apis": apis,
        "sections": sections,
        "operations": view.operations.iter().map(|of| operation(&view, of)).collect::<Vec<_>>(),
    })
}

fn operation(view: &View<'_>, of: &Operation) -> Value {
    let run =
        |first: u32, count: u32| first as usize..(first as usize).saturating_add(count as usize);
    let parameters = run(of.parameters.get(), of.parameter_count.get());
    let parameters = view.parameters.get(parameters).unwrap_or_default();
    let media_types = run(of.media_types.get(), of.media_type_count.get());
    let media_types = view.media_types.get(media_types).unwrap_or_default();
    let bodies: Vec<Value> = media_types
        .iter()
        .map(|media_type| {
            let judged = media_type.kind != BodyKind::Opaque.code();
            json!({ "media_type": view.text(media_type.name), "judged": judged })
        })
        .collect();
    let api = view.apis.get(of.api.get() as usize).map_or("", |api| view.text(api.name));
    let mut names: Vec<&str> = Vec::new();
    for parameter in parameters {
        let name = view.text(parameter.name);
        // Alternatives repeat names; one without parameters has a nameless record.
        if !name.is_empty() && !names.contains(&name) {
            names.push(name);
        }
    }
    json!({
        "id": format!("{:016x}", of.id.get()),
        "api": api,
        "method": view.text(of.method),
        "template": view.text(of.template),
        "operation_id": view.text(of.operation_id),
        "mode": mode_name(of.mode),
        "direction": if of.flags.get() & OPERATION_SENT != 0 { "outbound" } else { "inbound" },
        "parameters": names,
        "bodies": bodies,
        "body_required": of.flags.get() & OPERATION_BODY_REQUIRED != 0,
        "deprecated": of.flags.get() & OPERATION_DEPRECATED != 0,
        "max_body": of.limits.max_bytes.get(),
    })
}

fn mode_name(code: u8) -> &'static str {
    match Mode::from_code(code) {
        Some(Mode::Enforce) => "enforce",
        _ => "monitor",
    }
}

fn print_text(told: &Value) {
    let text = |value: &Value| match value {
        // A gateway that has an audience takes no bundle without one.
        Value::String(text) if text.is_empty() => "(none)".to_owned(),
        Value::String(text) => text.clone(),
        Value::Null => "(none)".to_owned(),
        other => other.to_string(),
    };
    let size = |value: &Value| show_size(value.as_u64().unwrap_or(0) as usize);
    for name in [
        "policy",
        "mode",
        "format",
        "compiler",
        "epoch",
        "audience",
        "not_before",
        "not_after",
        "key_id",
        "content_hash",
    ] {
        println!("{:<13} {}", name.replace('_', " "), text(&told[name]));
    }
    println!("{:<13} {}", "size", size(&told["bytes"]));
    let list = |name: &str| told[name].as_array().map_or(&[][..], Vec::as_slice);
    println!("\n{:<20} {:>8} {:>10}", "section", "records", "size");
    for section in list("sections") {
        let (name, records) = (text(&section["name"]), text(&section["records"]));
        println!("{name:<20} {records:>8} {:>10}", size(&section["bytes"]));
    }
    println!("\n{:<7} {:<50} {:<8} {:>6}  bodies", "method", "template", "mode", "params");
    for operation in list("operations") {
        let bodies: Vec<String> = operation["bodies"]
            .as_array()
            .map_or(&[][..], Vec::as_slice)
            .iter()
            .map(|body| {
                let note = if body["judged"] == true { "" } else { " (not judged)" };
                format!("{}{note}", text(&body["media_type"]))
            })
            .collect();
        let sent = if operation["direction"] == "outbound" { " (sent)" } else { "" };
        println!(
            "{:<7} {:<50} {:<8} {:>6}  {}",
            text(&operation["method"]),
            text(&operation["template"]) + sent,
            text(&operation["mode"]),
            operation["parameters"].as_array().map_or(0, Vec::len),
            bodies.join(", ")
        );
    }
}
