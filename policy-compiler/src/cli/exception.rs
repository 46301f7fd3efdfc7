//! `portcullis exception`: from what a rule has found to the lines of the policy that let it pass.

use super::event;
use super::files::CliError;
use clap::Args;
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::ExitCode;

/// What is found, and who answers for its passing.
#[derive(Args, Clone, Debug)]
pub struct Exception {
    /// The filter's log, a part of it, or one line: every finding of an attack rule in it; `-` reads the standard input
    #[arg(long, value_name = "FILE")]
    from: PathBuf,
    /// Only of this rule
    #[arg(long, value_name = "ID")]
    rule: Option<String>,
    /// Who answers for it
    #[arg(long, default_value = "<who answers for it>", hide_default_value = true)]
    owner: String,
    /// Why it is acceptable
    #[arg(long, default_value = "<why it is acceptable>", hide_default_value = true)]
    reason: String,
    /// The day from which the rule counts again, as `2027-06-30`
    #[arg(long, value_name = "DAY", default_value = "<YYYY-MM-DD>", hide_default_value = true)]
    expires: String,
}

/// Prints entries for `attacks.exceptions`.
pub fn run(options: &Exception) -> Result<ExitCode, CliError> {
    let events = event::read(&options.from)?;
    let is_meant = |event: &&Value| {
        options.rule.as_ref().is_none_or(|rule| event["rule"]["id"] == rule.as_str())
    };
    let entries: BTreeSet<String> =
        events.iter().filter(is_meant).map(|event| entry(event, options)).collect();
    if entries.is_empty() {
        return Err(CliError::Other("no finding is of that rule".to_owned()));
    }
    println!("# for `attacks.exceptions` of the policy");
    entries.iter().for_each(|entry| print!("{entry}"));
    Ok(ExitCode::SUCCESS)
}

fn entry(event: &Value, options: &Exception) -> String {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut lines = format!("- rule: {}\n", text(&event["rule"]["id"]));
    let operation = format!("{} {}", text(&event["method"]), text(&event["template"]));
    if operation.len() > 1 {
        lines.push_str(&format!("  operation: {}\n", quoted(&operation)));
    }
    if let Some(at) = place(event) {
        lines.push_str(&format!("  at: {}\n", quoted(&at)));
    }
    let filled =
        [("owner", &options.owner), ("reason", &options.reason), ("expires", &options.expires)];
    for (name, value) in filled {
        lines.push_str(&format!("  {name}: {}\n", quoted(value)));
    }
    lines
}

/// A text as YAML takes it whatever it holds: JSON's strings are YAML's too.
fn quoted(text: &str) -> String {
    Value::String(text.to_owned()).to_string()
}

/// The place as policies name it. Numbers in a pointer are those of items, of which any may hold the value next time.
pub fn place(event: &Value) -> Option<String> {
    let target = event["rule"]["target"].as_str().filter(|target| !target.is_empty())?;
    let name = event["name"].as_str().filter(|name| *name != "*");
    let own = match (target, event["in"].as_str()) {
        ("query", Some("query")) | ("headers", Some("header")) | ("cookies", Some("cookie")) => {
            name
        }
        _ => None,
    };
    if let Some(name) = own {
        return Some(format!("{target}.{name}"));
    }
    let pointer = event["pointer"].as_str().filter(|pointer| !pointer.is_empty());
    match pointer.filter(|_| target == "body") {
        Some(pointer) => {
            let is_index =
                |token: &str| !token.is_empty() && token.bytes().all(|it| it.is_ascii_digit());
            let tokens = pointer.split('/').map(|token| if is_index(token) { "*" } else { token });
            Some(format!("body.{}", tokens.collect::<Vec<_>>().join("/")))
        }
        None => Some(target.to_owned()),
    }
}
