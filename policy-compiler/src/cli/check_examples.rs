//! `portcullis check-examples`: the documents' own examples, judged by the engine.

use super::Format;
use super::files::CliError;
use crate::diag::{Diagnostics, render_text};
use crate::examples::{
    Evaluator, Example, Found, Generator, Judge, Part, Parts, Request, Subject, assemble, compile,
    parts, probe, to_json, written,
};
use crate::ir::{Model, ParameterLocation, SchemaId, Value};
use crate::load::{self, Loaded};
use crate::source::FileSystem;
use clap::Args;
use serde_json::json;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// What to check.
#[derive(Args, Clone, Debug)]
pub struct CheckExamples {
    /// OpenAPI documents by themselves
    #[arg(value_name = "DOCUMENT", required_unless_present = "policy", conflicts_with = "policy")]
    documents: Vec<PathBuf>,
    /// The policy, which names the documents
    #[arg(short, long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// Succeed although examples violate their schema
    #[arg(long)]
    warn: bool,
    /// The form of what is printed
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// What became of one example.
enum Verdict {
    Agrees,
    Violates(Vec<Found>),
    Skipped(String),
}

/// Judges the examples. 0: all satisfy the schemas beside them; 1: some do not, or the documents do not compile.
pub fn run(options: &CheckExamples) -> Result<ExitCode, CliError> {
    let loaded = load(options);
    if loaded.diagnostics.has_errors() {
        eprint!("{}", render_text(&errors(&loaded.diagnostics), &loaded.files, false));
        return Ok(ExitCode::FAILURE);
    }
    let (examples, left) = written(&loaded.model, &loaded.files);
    let verdicts = judge(&loaded.model, &examples)
        .map_err(|why| CliError::Other(format!("the bundle is not sound: {why}")))?;
    let count = |test: fn(&Verdict) -> bool| verdicts.iter().filter(|v| test(v)).count();
    let agree = count(|v| matches!(v, Verdict::Agrees));
    let violate = count(|v| matches!(v, Verdict::Violates(_)));
    let skipped = count(|v| matches!(v, Verdict::Skipped(_))) + left.external + left.unresolved;
    let shown = examples.iter().zip(&verdicts);
    match options.format {
        Format::Text => {
            shown.for_each(|(example, verdict)| print_text(&loaded, example, verdict));
            if left.external > 0 {
                println!("skipped: {} in files of their own (externalValue)", left.external);
            }
            if left.unresolved > 0 {
                println!("skipped: {} whose reference leads nowhere", left.unresolved);
            }
            println!("examples: {agree} agree, {violate} violate their schema, {skipped} skipped");
        }
        Format::Json => {
            let list: Vec<_> = shown.map(|(example, verdict)| told(example, verdict)).collect();
            let all = json!({
                "examples": list,
                "agree": agree,
                "violate": violate,
                "skipped": skipped,
            });
            println!("{}", serde_json::to_string_pretty(&all).unwrap_or_default());
        }
    }
    let fails = violate > 0 && !options.warn;
    Ok(if fails { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn load(options: &CheckExamples) -> Loaded {
    let text = |path: &Path| path.to_string_lossy().into_owned();
    match &options.policy {
        Some(policy) => {
            let base = policy.parent().unwrap_or(Path::new("")).to_owned();
            let name = policy.file_name().map_or_else(|| text(policy), |n| text(Path::new(n)));
            load::load_policy(&FileSystem { base }, &name)
        }
        None => {
            let documents: Vec<String> = options.documents.iter().map(|path| text(path)).collect();
            load::load_documents(&FileSystem { base: PathBuf::new() }, &documents)
        }
    }
}

fn errors(all: &Diagnostics) -> Diagnostics {
    let mut errors = Diagnostics::default();
    let is_error = |d: &&crate::diag::Diagnostic| d.severity == crate::diag::Severity::Error;
    errors.extend(all.sorted().into_iter().filter(is_error).cloned());
    errors
}

/// Judges every example as a gateway would: parameters and bodies within a request, schemas as bodies of their own.
fn judge(
    model: &Model,
    examples: &[Example],
) -> Result<Vec<Verdict>, portcullis_bundle::OpenError> {
    let mut enforcing = model.clone();
    // Whatever the mode, what is asked is whether the example is valid.
    for api in &mut enforcing.apis {
        api.settings.mode = crate::ir::Mode::Enforce;
        for operation in &mut api.operations {
            operation.settings.mode = crate::ir::Mode::Enforce;
        }
    }
    let mut ids: Vec<SchemaId> = examples
        .iter()
        .filter_map(|example| match example.subject {
            Subject::Schema(id) => Some(id),
            _ => None,
        })
        .collect();
    ids.sort_unstable();
    ids.dedup();
    let mut schemas = Judge::new(compile(&probe(&enforcing, &ids))?);
    let mut requests = Judge::new(compile(&enforcing)?);
    let strictness = model.apis.first().map(|api| api.settings.strictness.clone());
    let mut generator = Generator::new(Evaluator::new(model, strictness.unwrap_or_default()));
    let verdicts = examples.iter().map(|example| match example.subject {
        Subject::Schema(id) => {
            let index = ids.binary_search(&id).unwrap_or(0);
            let judged =
                schemas.judge(&Request::json("POST", &format!("/s{index}"), &example.value));
            if judged.passed { Verdict::Agrees } else { Verdict::Violates(judged.findings) }
        }
        Subject::Parameter(api, operation, i) => {
            within(&mut generator, &mut requests, (api, operation), Part::Parameter(i), example)
        }
        Subject::Body(api, operation, i) => {
            within(&mut generator, &mut requests, (api, operation), Part::Body(i), example)
        }
    });
    Ok(verdicts.collect())
}

/// Judges an example within a request that is otherwise made up.
fn within(
    generator: &mut Generator<'_>,
    judge: &mut Judge,
    (api, operation): (usize, usize),
    part: Part,
    example: &Example,
) -> Verdict {
    let model = generator.model();
    let api = &model.apis[api];
    let operation = &api.operations[operation];
    let schemas = parts(operation);
    let mut values =
        Parts { parameters: vec![None; operation.parameters.len()], ..Parts::default() };
    for (i, parameter) in operation.parameters.iter().enumerate() {
        if parameter.required.value || parameter.location == ParameterLocation::Path {
            let schema = schemas.iter().find(|(known, _)| *known == Part::Parameter(i));
            let value = schema.map(|(_, schema)| generator.value(*schema));
            values.parameters[i] = value.unwrap_or_else(|| Some(Value::String("text".to_owned())));
        }
    }
    if operation.request_body.as_ref().is_some_and(|body| body.required.value) {
        let bodies = schemas.iter().filter(|(part, _)| matches!(part, Part::Body(_)));
        values.body = bodies
            .filter_map(|(part, schema)| match part {
                Part::Body(i) => Some((*i, generator.value(*schema)?)),
                Part::Parameter(_) => None,
            })
            .next();
    }
    match part {
        Part::Parameter(i) => values.parameters[i] = Some(example.value.clone()),
        Part::Body(i) => values.body = Some((i, example.value.clone())),
    }
    let request = match assemble(model, api, operation, &values) {
        Ok(request) => request,
        Err(why) => return Verdict::Skipped(why.0.to_owned()),
    };
    let judged = judge.judge(&request);
    let name = match part {
        Part::Parameter(i) => Some(operation.parameters[i].name.as_str()),
        Part::Body(_) => None,
    };
    let mine = |found: &&Found| match name {
        Some(name) => found.name.eq_ignore_ascii_case(name) || found.part == "path",
        None => found.part == "body",
    };
    let findings: Vec<Found> = judged.findings.iter().filter(mine).cloned().collect();
    if !findings.is_empty() && !judged.passed {
        return Verdict::Violates(findings);
    }
    if !judged.passed {
        return Verdict::Skipped("no valid request could be made around it".to_owned());
    }
    if !judged.enforced && matches!(part, Part::Body(_)) {
        return Verdict::Skipped("bodies of its media type are not judged".to_owned());
    }
    Verdict::Agrees
}

fn print_text(loaded: &Loaded, example: &Example, verdict: &Verdict) {
    let place = format!("{}:{}:{}", example.path, example.line, example.column);
    match verdict {
        Verdict::Agrees => {}
        Verdict::Skipped(why) => println!("skipped: {place} {}: {why}", example.pointer),
        Verdict::Violates(findings) => {
            println!(
                "`{}` violates its schema\n  --> {place} {}",
                example.keyword, example.pointer
            );
            if let Some(line) = loaded.files.line(&example.path, example.line) {
                println!("      | {}", line.trim_end());
            }
            for found in findings {
                let keyword = found.keyword.unwrap_or(found.code);
                let at = if found.part == "body" { found.name.as_str() } else { "" };
                let at = if at.is_empty() { "the value".to_owned() } else { format!("`{at}`") };
                print!("  {at} is refused by `{keyword}`");
                match &found.source {
                    Some((path, line, pointer)) => println!(" at {path}:{line} {pointer}"),
                    None => println!(),
                }
            }
        }
    }
}

fn told(example: &Example, verdict: &Verdict) -> serde_json::Value {
    let (name, findings, reason) = match verdict {
        Verdict::Agrees => ("agrees", &[][..], None),
        Verdict::Violates(findings) => ("violates", findings.as_slice(), None),
        Verdict::Skipped(why) => ("skipped", &[][..], Some(why)),
    };
    let findings: Vec<_> = findings
        .iter()
        .map(|found| {
            json!({
                "code": found.code,
                "part": found.part,
                "name": found.name,
                "keyword": found.keyword,
                "source": found.source.as_ref().map(|(path, line, pointer)| {
                    json!({ "document": path, "line": line, "pointer": pointer })
                }),
            })
        })
        .collect();
    json!({
        "document": example.path,
        "line": example.line,
        "column": example.column,
        "pointer": example.pointer,
        "keyword": example.keyword,
        "verdict": name,
        "reason": reason,
        "bytes": to_json(&example.value).len(),
        "findings": findings,
    })
}
