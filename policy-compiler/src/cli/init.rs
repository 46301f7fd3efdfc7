//! `portcullis init`.

use super::files::{self, CliError};
use crate::diag::{Severity, render_text};
use crate::ir::{Direction, Model, Sent};
use crate::load;
use crate::source::FileSystem;
use clap::Args;
use std::collections::{HashMap, HashSet};
use std::fmt::Write;
use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;

/// The document, and where the policy goes.
#[derive(Args, Clone, Debug)]
pub struct Init {
    /// The OpenAPI document
    document: PathBuf,
    /// Where the policy goes, instead of the terminal; an existing file is never replaced
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// Writes a policy that watches the document's API without refusing anything.
pub fn run(options: &Init) -> Result<ExitCode, CliError> {
    let path = options.document.to_string_lossy().into_owned();
    let loaded = load::load_documents(&FileSystem { base: PathBuf::new() }, &[path]);
    let color = std::io::stderr().is_terminal();
    if loaded.diagnostics.count(Severity::Error) > 0 {
        eprint!("{}", render_text(&loaded.diagnostics, &loaded.files, color));
        return Ok(ExitCode::FAILURE);
    }
    let outbound = match loaded.model.apis.first().map(|api| api.direction) {
        Some(Direction::Outbound) => loaded.model.clone(),
        _ => {
            let paths = [options.document.to_string_lossy().into_owned()];
            let files = FileSystem { base: PathBuf::new() };
            load::load_as(&files, &paths, Some(Direction::Outbound)).model
        }
    };
    let text = policy(options, &loaded.model, &outbound);
    match &options.output {
        None => print!("{text}"),
        Some(to) if to.exists() => {
            return Err(CliError::Other(format!("`{}` exists; it is not replaced", to.display())));
        }
        Some(to) => {
            files::write(to, text.as_bytes())?;
            println!("wrote {}", to.display());
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The policy's text: of what the document's API receives, and of what it sends.
fn policy(options: &Init, model: &Model, outbound: &Model) -> String {
    let name = &model.policy.name;
    let output = options.output.as_deref().and_then(std::path::Path::parent);
    let document = match output {
        Some(folder) => options.document.strip_prefix(folder).unwrap_or(&options.document),
        None => &options.document,
    };
    let mut text = TEMPLATE
        .replace("@NAME@", &quoted(name))
        .replace("@DOCUMENT@", &quoted(&document.to_string_lossy()));
    let sends = model.apis.first().is_some_and(|api| api.direction == Direction::Outbound);
    if sends {
        let mappings = mappings(outbound, "    ");
        text = text.replace(SERVERS, &format!("{OUTBOUND}{mappings}"));
    }
    text.push_str(EXCEPTIONS);
    for (_, operation) in model.operations().take(3) {
        let (method, template) = (operation.method.name(), &operation.template.text);
        let _ = writeln!(text, "    #   - match: {}", quoted(&format!("{method} {template}")));
        text.push_str("    #     mode: enforce\n");
    }
    if !sends && outbound.operations().next().is_some() {
        let (name, document) =
            (quoted(&format!("{name}-sent")), quoted(&document.to_string_lossy()));
        text.push_str(&SENT.replace("@NAME@", &name).replace("@DOCUMENT@", &document));
        text.push_str(&mappings(outbound, "  #   "));
    }
    text
}

/// Where each webhook and callback is recognised by default, each line after `indent`.
fn mappings(model: &Model, indent: &str) -> String {
    let mut webhooks: Vec<String> = Vec::new();
    let mut callbacks: Vec<String> = Vec::new();
    let mut templates: HashMap<&str, HashSet<&str>> = HashMap::new();
    for (_, operation) in model.operations() {
        if let Some(Sent::Callback { name, .. }) = operation.sent.as_ref().map(|sent| &sent.value) {
            templates.entry(name).or_default().insert(&operation.template.text);
        }
    }
    for (_, operation) in model.operations() {
        let (list, name) = match operation.sent.as_ref().map(|sent| &sent.value) {
            Some(Sent::Webhook(name)) => (&mut webhooks, name),
            // One name for several URLs does not tell them apart.
            Some(Sent::Callback { name, expression }) if templates[name.as_str()].len() > 1 => {
                (&mut callbacks, expression)
            }
            Some(Sent::Callback { name, .. }) => (&mut callbacks, name),
            None => continue,
        };
        let path = quoted(&operation.template.text);
        let line = format!("{indent}  {}: {{ path: {path} }}\n", quoted(name));
        if !list.contains(&line) {
            list.push(line);
        }
    }
    let mut text = String::new();
    for (field, lines) in [("webhooks", webhooks), ("callbacks", callbacks)] {
        if !lines.is_empty() {
            text.push_str(&format!("{indent}{field}:\n{}", lines.concat()));
        }
    }
    text
}

/// A YAML scalar that reads as the text, whatever it is.
fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
    let words = ["true", "false", "null", "yes", "no", "on", "off", "y", "n", "~"];
    let begins = text.starts_with(|c: char| c.is_ascii_alphabetic());
    if begins && text.chars().all(plain) && !words.contains(&text.to_ascii_lowercase().as_str()) {
        return text.to_owned();
    }
    serde_json::to_string(text).unwrap_or_default()
}

const TEMPLATE: &str = "\
# A policy for Portcullis. Compile it: portcullis compile --policy FILE --key KEY --epoch N -o OUT.bundle
version: 1
name: @NAME@

# Gateways may be told to take only bundles that are made for them.
# audience: my-gateways

# `monitor` reports what it would refuse and lets it pass. Watch it for a while, then say `enforce`.
mode: monitor

# What a refused client is told: `problem` (RFC 9457) or `minimal`; `details: finding` adds code, pointer and
# keyword, never values: for test environments.
answers: { style: problem, details: none }

# What the documents do not declare: block | monitor | allow.
undeclared: { operations: block, methods: block, media_types: block, query_parameters: block }

# What a client can make large.
limits: { body: 1MiB, depth: 32, path: 8KiB, parameters: 128, string: 256KiB, properties: 1024, items: 65536 }

strictness:
  # Paths that two readers could read differently: encoded slashes, dot segments, `//`, `;`.
  ambiguous_paths: block
  # Properties that only the server may set.
  read_only_in_requests: block
  # assert | annotate
  formats: assert
  # strict: exactly one alternative; lenient: at least one.
  one_of: strict
  # Declared bodies that no schema can judge, such as encrypted ones: allow | block.
  unenforced_bodies: allow

# CORS preflight requests: allow | judge.
preflight: allow

# Passed unjudged, and reported as such.
# health_probes:
#   - { path: /healthz, methods: [GET] }

# Whether the gateway's own configuration may suspend refusals for a time.
break_glass: { permitted: true }

# What `compile --strict` tolerates although it is not fully enforced.
# accept_unenforced:
#   - { construct: responses, reason: checked by contract tests }

apis:
  - name: @NAME@
    documents: [@DOCUMENT@]
    # Only for these hosts; for all of them if left out.
    # hosts: [api.example.com]
    # Instead of the documents' `servers`.
    # base_paths: [/v1]
";

const SERVERS: &str = "\
    # Instead of the documents' `servers`.
    # base_paths: [/v1]
";

// `\x20` is a space that the line before does not swallow.
const EXCEPTIONS: &str = "\
\x20   # Exceptions, operation by operation: mode, undeclared, limits, strictness.
    # operations:
";

const OUTBOUND: &str = "\
    # The document declares what the API sends: for a gateway of outgoing traffic.
    direction: outbound
    # Where that gateway sees each request: path, and `hosts` of its own where they differ.
";

const SENT: &str = "\
\x20 # The document also declares requests that the API sends. For a gateway of outgoing traffic, in a policy of its own
  # or on hosts of its own; `path` says where that gateway sees each of them.
  # - name: @NAME@
  #   documents: [@DOCUMENT@]
  #   direction: outbound
  #   hosts: [receiver.example.com]
";
