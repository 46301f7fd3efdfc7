//! From input to bundle: every stage in order.

use crate::diag::{self, Diagnostic, Diagnostics, Files, Span};
use crate::ir::{AcceptUnenforced, Attacks};
use crate::load::{self, Loaded};
use crate::report::Report;
use crate::source::Sources;
use crate::{emit, exceptions, limited, lower};
use portcullis_bundle::layout::{MAX_BRANCHES, Schema, Sections};
use portcullis_bundle::{Bundle, Identity, OpenError, Trust};

/// What to compile.
#[derive(Clone, Debug)]
pub enum Input {
    /// A policy file, by its path in the sources.
    Policy(String),
    /// OpenAPI documents by themselves, under the default settings.
    Documents(Vec<String>),
}

/// What the bundle's header says. All of it is given, nothing is taken from clock or machine.
#[derive(Clone, Debug)]
pub struct Release {
    /// Grows with every release.
    pub epoch: u64,
    /// Unix seconds before which the bundle is not activated.
    pub not_before: Option<i64>,
    /// Unix seconds after which the bundle is not activated.
    pub not_after: Option<i64>,
    /// For whom the bundle is meant, instead of what the policy says.
    pub audience: Option<String>,
    /// ed25519 seed to sign with.
    pub seed: Option<[u8; 32]>,
    /// Unix seconds by which exceptions are called expired; nothing in the bundle depends on it.
    pub now: Option<i64>,
}

impl Default for Release {
    fn default() -> Self {
        Release {
            epoch: 1,
            not_before: None,
            not_after: None,
            audience: None,
            seed: None,
            now: None,
        }
    }
}

/// What compiling gives.
#[derive(Debug)]
pub struct CompileOutput {
    /// The bundle; none where there are errors.
    pub bundle: Option<Vec<u8>>,
    /// The bundle's records; none where there are errors.
    pub sections: Option<Sections>,
    /// What becomes of every construct; none where the documents could not be understood.
    pub report: Option<Report>,
    /// What the policy tolerates.
    pub accepted: Vec<AcceptUnenforced>,
    /// Everything that was found.
    pub diagnostics: Diagnostics,
    /// The texts that diagnostics point into.
    pub files: Files,
}

/// Compiles a policy or documents to a bundle. The same input gives the same bytes.
pub fn compile(sources: &dyn Sources, input: &Input, release: &Release) -> CompileOutput {
    let loaded = match input {
        Input::Policy(path) => load::load_policy(sources, path),
        Input::Documents(paths) => load::load_documents(sources, paths),
    };
    let Loaded { model, inventory, diagnostics, files } = loaded;
    let accepted = model.policy.accept_unenforced.clone();
    let mut output =
        CompileOutput { bundle: None, sections: None, report: None, accepted, diagnostics, files };
    if output.diagnostics.has_errors() {
        return output;
    }
    let mut lowered = lower::lower(&model);
    output.diagnostics.extend(lowered.diagnostics);
    let report = lowered.recorder.finish(&model, &inventory);
    count_coverage(&report, &mut lowered.sections);
    output.report = Some(report);
    if output.diagnostics.has_errors() {
        return output;
    }
    let audience = release.audience.clone().or_else(|| model.policy.audience.clone());
    let identity = Identity {
        epoch: release.epoch,
        not_before: release.not_before.unwrap_or(i64::MIN),
        not_after: release.not_after.unwrap_or(i64::MAX),
        audience: audience.unwrap_or_default(),
        compiler: emit::compiler(),
    };
    match emit::emit(&lowered.sections, &identity, release.seed.as_ref()) {
        Ok(bytes) => {
            if let (Some(attacks), Input::Policy(path)) = (&model.attacks, input) {
                output.diagnostics.extend(idle_exceptions(attacks, path, &bytes, release.now));
            }
            if let Some(limiting) = &model.limiting {
                output.diagnostics.extend(limited::check(limiting, &lowered.sections.view()));
            }
            output.bundle = Some(bytes);
            output.sections = Some(lowered.sections);
        }
        Err(error) => output.diagnostics.push(refused(&error, &lowered.sections)),
    }
    output
}

/// What is said of exceptions that have no effect.
fn idle_exceptions(
    attacks: &Attacks,
    policy: &str,
    bundle: &[u8],
    now: Option<i64>,
) -> Vec<Diagnostic> {
    let trust = Trust { keys: Vec::new(), allow_unsigned: true };
    if attacks.exceptions.is_empty() {
        return Vec::new();
    }
    let bundle = Bundle::open(bundle.to_vec(), &trust);
    bundle.map_or_else(|_| Vec::new(), |it| exceptions::check(attacks, policy, &it.view(), now))
}

/// Writes the numbers of each document where `inspect` finds them.
fn count_coverage(report: &Report, sections: &mut Sections) {
    let coverage = report.coverage().documents;
    for (document, of) in sections.documents.iter_mut().zip(coverage) {
        let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX).into();
        document.enforced = count(of.enforced);
        document.approximated = count(of.approximated);
        document.not_enforced = count(of.not_enforced);
        document.meaningless = count(of.meaningless);
        document.unknown_formats = count(of.unknown_formats);
        document.responses = count(of.responses);
        document.callbacks = count(of.callbacks);
        document.unreferenced = count(of.unreferenced);
    }
}

fn refused(error: &OpenError, sections: &Sections) -> Diagnostic {
    match *error {
        OpenError::TooLarge { .. } => Diagnostic::new(diag::BUNDLE_TOO_LARGE, error.to_string())
            .help("leave out what is not enforced, or split the policy into several bundles"),
        OpenError::Record { section: "compositions", record, what: TOO_MANY_BRANCHES } => {
            let title = format!("more than {MAX_BRANCHES} alternatives apply to one value");
            let owner = |schema: &Schema| {
                let first = schema.compositions.get() as usize;
                (first..first + usize::from(schema.composition_count.get())).contains(&record)
            };
            let diagnostic = Diagnostic::new(diag::TOO_MANY_BRANCHES, title);
            match place(sections, sections.schemas.iter().position(owner)) {
                Some(span) => diagnostic.at(span),
                None => diagnostic,
            }
            .help("tell them apart by a discriminator or a type, or list fewer")
        }
        OpenError::Record { section: "schemas", record, what: SELF_COMPOSITION } => {
            let title = "what this schema accepts depends on itself";
            let diagnostic = Diagnostic::new(diag::SELF_COMPOSITION, title);
            match place(sections, Some(record)) {
                Some(span) => diagnostic.at(span),
                None => diagnostic,
            }
            .help("a schema may hold itself in its properties and items, not as a part of itself")
        }
        _ => Diagnostic::new(diag::BUNDLE_UNSOUND, format!("the bundle is not sound: {error}"))
            .help("this is a fault of the compiler: please report it with the documents"),
    }
}

/// What the format says of two limits that documents can exceed.
const TOO_MANY_BRANCHES: &str = "too many branches";
const SELF_COMPOSITION: &str = "the schema composes itself";

/// Where a schema of the bundle stands in its document.
fn place(sections: &Sections, schema: Option<usize>) -> Option<Span> {
    let origin = sections.schemas.get(schema?)?.origin.get();
    let origin = sections.origins.get(origin as usize)?;
    let name = sections.documents.get(origin.document.get() as usize)?.name;
    let (start, len) = (name.offset.get() as usize, name.len.get() as usize);
    let name = std::str::from_utf8(sections.strings.get(start..start + len)?).ok()?;
    Some(Span::word(name, origin.line.get(), origin.column.get()))
}
