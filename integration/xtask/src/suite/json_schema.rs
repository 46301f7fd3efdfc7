//! The official JSON Schema test suite: every schema is compiled by the policy compiler, every
//! instance judged by the engine.
//!
//! The suite is not part of the repository. What it calls remote are files of its own, and the
//! metaschemas come with the crate `referencing`: nothing is fetched.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use policy_compiler::bare::{SchemaOptions, SchemaOutput, compile_schema};
use policy_compiler::diag::Severity;
use policy_compiler::ir::{Contents, Dialect, Formats, Strictness, Unsupported};
use policy_compiler::source::{FileSystem, Mapping, Sources};
use portcullis_engine::schema::{FaultKind, Limits, NoSink, Validator};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::workspace::Workspace;

/// Cases that fail for a reason, one a line: draft, file, group, test (or `*`), reason.
const EXCEPTIONS: &str = include_str!("json_schema.exceptions");

#[derive(clap::Args)]
pub struct Options {
    /// Which draft of JSON Schema
    #[arg(long, value_enum)]
    draft: Draft,
    /// Only files whose path contains this
    #[arg(long)]
    filter: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Draft {
    #[value(name = "2020-12")]
    Draft2020,
    #[value(name = "4")]
    Draft4,
}

impl Draft {
    fn folder(self) -> &'static str {
        match self {
            Draft::Draft2020 => "draft2020-12",
            Draft::Draft4 => "draft4",
        }
    }

    fn dialect(self) -> Dialect {
        match self {
            Draft::Draft2020 => Dialect::Draft2020,
            Draft::Draft4 => Dialect::Draft4,
        }
    }
}

/// What a file's cases count as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Class {
    Required,
    Optional,
    Format,
}

// Values are kept as they are written: numbers may be larger than any that serde_json holds.
#[derive(Deserialize)]
struct Group {
    description: String,
    schema: Box<RawValue>,
    tests: Vec<Test>,
}

#[derive(Deserialize)]
struct Test {
    description: String,
    data: Box<RawValue>,
    valid: bool,
}

#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    passed: usize,
    total: usize,
}

struct Exception<'e> {
    file: &'e str,
    group: &'e str,
    test: &'e str,
    reason: &'e str,
    met: usize,
}

/// Runs the suite of one draft; the last line is `passed/total`.
pub fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    let suite = super::data(workspace).join("json-schema-test-suite");
    let folder = suite.join("tests").join(options.draft.folder());
    if !folder.is_dir() {
        println!("skipped: no JSON Schema test suite at {}", suite.display());
        return Ok(());
    }
    let mut exceptions = exceptions(options.draft)?;
    let mut tallies: BTreeMap<Class, Tally> = BTreeMap::new();
    let mut failures = Vec::new();
    for (name, path) in files(&folder)? {
        if options.filter.as_ref().is_some_and(|filter| !name.contains(filter.as_str())) {
            continue;
        }
        let (tally, mut failed) = run_file(&suite, &name, &path, options.draft, &mut exceptions)?;
        println!("{name:<52} {:>4}/{}", tally.passed, tally.total);
        let of = tallies.entry(class(&name)).or_default();
        of.passed += tally.passed;
        of.total += tally.total;
        failures.append(&mut failed);
    }
    for failure in &failures {
        println!("failed: {failure}");
    }
    for exception in exceptions.iter().filter(|e| e.met > 0) {
        let Exception { file, group, test, reason, met } = exception;
        println!("exception: {file}: {group}: {test}: {reason} ({met})");
    }
    let stale: Vec<_> = exceptions.iter().filter(|e| e.met == 0).collect();
    for exception in stale.iter().filter(|_| options.filter.is_none()) {
        println!("passes, so it is no exception: {}: {}", exception.file, exception.group);
    }
    for (class, Tally { passed, total }) in &tallies {
        let percent = 100.0 * *passed as f64 / (*total).max(1) as f64;
        println!("{:<8} {passed}/{total} ({percent:.2} %)", format!("{class:?}").to_lowercase());
    }
    let passed: usize = tallies.values().map(|t| t.passed).sum();
    let total: usize = tallies.values().map(|t| t.total).sum();
    let sound = failures.is_empty() && (stale.is_empty() || options.filter.is_some());
    println!("{passed}/{total}");
    if !sound {
        // The line above is the last one; the exit status says the rest.
        std::process::exit(1);
    }
    Ok(())
}

fn exceptions(draft: Draft) -> Result<Vec<Exception<'static>>> {
    let mut found = Vec::new();
    for line in EXCEPTIONS.lines().filter(|l| !l.is_empty() && !l.starts_with('#')) {
        let fields: Vec<_> = line.split('|').map(str::trim).collect();
        let [of, file, group, test, reason] = fields[..] else {
            bail!("an exception needs five fields: {line}");
        };
        if of == draft.folder() {
            found.push(Exception { file, group, test, reason, met: 0 });
        }
    }
    Ok(found)
}

/// All files below a folder by their path in it, sorted.
fn files(folder: &Path) -> Result<Vec<(String, PathBuf)>> {
    let mut found = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(at) = open.pop() {
        for entry in std::fs::read_dir(&at).with_context(|| at.display().to_string())? {
            let path = entry?.path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|e| e == "json") {
                let name = path.strip_prefix(folder)?.to_string_lossy().replace('\\', "/");
                found.push((name, path));
            }
        }
    }
    found.sort();
    Ok(found)
}

fn class(name: &str) -> Class {
    if name.starts_with("optional/format/") {
        Class::Format
    } else if name.starts_with("optional/") {
        Class::Optional
    } else {
        Class::Required
    }
}

fn run_file(
    suite: &Path,
    name: &str,
    path: &Path,
    draft: Draft,
    exceptions: &mut [Exception<'_>],
) -> Result<(Tally, Vec<String>)> {
    let groups: Vec<Group> = serde_json::from_str(&std::fs::read_to_string(path)?)?;
    let mut tally = Tally::default();
    let mut failures = Vec::new();
    let mut validator = Validator::new();
    for group in &groups {
        let title = group.description.as_str();
        let output = compile(suite, name, draft, group.schema.get());
        for test in &group.tests {
            let of = test.description.as_str();
            tally.total += 1;
            let Some(failure) = judge(&mut validator, &output, test) else {
                tally.passed += 1;
                continue;
            };
            let known = exceptions
                .iter_mut()
                .find(|e| e.file == name && e.group == title && (e.test == "*" || e.test == of));
            match known {
                Some(exception) => exception.met += 1,
                None => failures.push(format!("{name}: {title}: {of}: {failure}")),
            }
        }
    }
    Ok((tally, failures))
}

fn compile(suite: &Path, name: &str, draft: Draft, schema: &str) -> SchemaOutput {
    // By default a format is an annotation; the files about formats want them asserted.
    let asserted = class(name) == Class::Format || name == "optional/format-assertion.json";
    let formats = if asserted { Formats::Assert } else { Formats::Annotate };
    let strictness = Strictness {
        formats,
        // The suite has content as annotations (2020-12 validation, section 8.2).
        content: Contents::Annotate,
        unsupported_patterns: Unsupported::NotEnforced,
        ..Strictness::default()
    };
    let mapping = |uri: &str, path: &str| Mapping { uri: uri.to_owned(), path: path.to_owned() };
    let mappings = vec![
        mapping("http://localhost:1234/", "remotes/"),
        mapping("https://json-schema.org/draft/2020-12/", "metaschemas/2020-12/"),
        mapping("http://json-schema.org/draft-04/schema", "metaschemas/draft-04"),
    ];
    let files =
        Files { schema: schema.as_bytes().to_vec(), disk: FileSystem { base: suite.to_owned() } };
    let options = SchemaOptions { dialect: draft.dialect(), strictness, mappings };
    compile_schema(&files, "schema.json", &options)
}

/// The schema of the moment, the suite's remotes and the metaschemas.
struct Files {
    schema: Vec<u8>,
    disk: FileSystem,
}

impl Sources for Files {
    fn read(&self, path: &str) -> Result<Vec<u8>, String> {
        use referencing::meta;
        let metaschema = match path {
            "schema.json" => return Ok(self.schema.clone()),
            "metaschemas/2020-12/schema" => &*meta::DRAFT202012,
            "metaschemas/2020-12/meta/core" => &*meta::DRAFT202012_CORE,
            "metaschemas/2020-12/meta/applicator" => &*meta::DRAFT202012_APPLICATOR,
            "metaschemas/2020-12/meta/unevaluated" => &*meta::DRAFT202012_UNEVALUATED,
            "metaschemas/2020-12/meta/validation" => &*meta::DRAFT202012_VALIDATION,
            "metaschemas/2020-12/meta/meta-data" => &*meta::DRAFT202012_META_DATA,
            "metaschemas/2020-12/meta/format-annotation" => &*meta::DRAFT202012_FORMAT_ANNOTATION,
            "metaschemas/2020-12/meta/content" => &*meta::DRAFT202012_CONTENT,
            "metaschemas/draft-04" => &*meta::DRAFT4,
            _ => return self.disk.read(path),
        };
        Ok(metaschema.to_string().into_bytes())
    }
}

/// What went wrong with a case, if anything did.
fn judge(validator: &mut Validator, output: &SchemaOutput, test: &Test) -> Option<String> {
    let Some((sections, schema)) = &output.program else {
        let first = output.diagnostics.sorted().into_iter().find(|d| d.severity == Severity::Error);
        return Some(format!("does not compile: {}", first.map_or("", |d| &d.title)));
    };
    let limits = Limits {
        depth: 256,
        string: 1 << 20,
        properties: 65_536,
        items: 65_536,
        digits: 4096,
        steps: 10_000_000,
    };
    let body = test.data.get();
    let verdict =
        validator.validate(&sections.view(), *schema, limits, body.as_bytes(), &mut NoSink);
    match (verdict, test.valid) {
        (Ok(()), true) => None,
        (Err(fault), false) if fault.kind == FaultKind::Invalid => None,
        (Ok(()), false) => Some(format!("{} is accepted", cut(body))),
        (Err(fault), _) => {
            let (kind, keyword) = (fault.kind, fault.keyword.name());
            Some(format!("{} is refused: {kind:?} {keyword} at `{}`", cut(body), fault.pointer))
        }
    }
}

fn cut(body: &str) -> &str {
    let end = body.char_indices().nth(80).map_or(body.len(), |(at, _)| at);
    &body[..end]
}
