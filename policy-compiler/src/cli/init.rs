//! `portcullis init`.

use super::files::{self, CliError};
use crate::diag::{Severity, render_text};
use crate::load;
use crate::source::FileSystem;
use clap::Args;
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
    let text = policy(options, &loaded.model);
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

fn policy(options: &Init, model: &crate::ir::Model) -> String {
    let name = &model.policy.name;
    let output = options.output.as_deref().and_then(std::path::Path::parent);
    let document = match output {
        Some(folder) => options.document.strip_prefix(folder).unwrap_or(&options.document),
        None => &options.document,
    };
    let mut text = TEMPLATE
        .replace("@NAME@", &quoted(name))
        .replace("@DOCUMENT@", &quoted(&document.to_string_lossy()));
    for (_, operation) in model.operations().take(3) {
        let (method, template) = (operation.method.name(), &operation.template.text);
        let _ = writeln!(text, "    #   - match: {}", quoted(&format!("{method} {template}")));
        text.push_str("    #     mode: enforce\n");
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
  # Declared bodies that cannot be judged, such as forms: allow | block.
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
    # Exceptions, operation by operation: mode, undeclared, limits, strictness.
    # operations:
";
