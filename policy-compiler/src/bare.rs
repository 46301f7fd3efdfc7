//! One JSON Schema by itself, without an OpenAPI document around it.
//!
//! The same reader, lowering and report as for documents; for conformance suites, differential runs
//! and whoever wants to know what becomes of a schema.

use crate::diag::{Diagnostics, Files};
use crate::ir::{Dialect, Strictness};
use crate::report::{Report, inventory};
use crate::source::{Library, Mapping, Naming, Sources};
use crate::{lower, openapi};
use portcullis_bundle::layout::Sections;

/// How a schema is compiled.
#[derive(Clone, Debug, Default)]
pub struct SchemaOptions {
    /// The dialect of a schema that names none by `$schema`.
    pub dialect: Dialect,
    /// What formats, `oneOf` and doubtful patterns mean.
    pub strictness: Strictness,
    /// Files of the sources that stand for URIs, which are never fetched.
    pub mappings: Vec<Mapping>,
}

/// What compiling a schema gives.
#[derive(Debug)]
pub struct SchemaOutput {
    /// The program, and the index of the record that a value is to be judged by; none where there
    /// are errors.
    pub program: Option<(Sections, u32)>,
    /// What becomes of every keyword; none where the schema could not be read.
    pub report: Option<Report>,
    /// Everything that was found.
    pub diagnostics: Diagnostics,
    /// The texts that diagnostics point into.
    pub files: Files,
}

/// Compiles the schema in a file of the sources.
///
/// ```
/// # use policy_compiler::bare::{SchemaOptions, compile_schema};
/// # use policy_compiler::source::Memory;
/// let sources = Memory::new([("schema.json", r#"{"type": "integer", "minimum": 1}"#)]);
/// let output = compile_schema(&sources, "schema.json", &SchemaOptions::default());
/// let (sections, schema) = output.program.unwrap();
/// let mut validator = portcullis_engine::schema::Validator::new();
/// let limits = portcullis_engine::schema::Limits::default();
/// let mut sink = portcullis_engine::schema::NoSink;
/// assert!(validator.validate(&sections.view(), schema, limits, b"1", &mut sink).is_ok());
/// assert!(validator.validate(&sections.view(), schema, limits, b"0", &mut sink).is_err());
/// ```
pub fn compile_schema(sources: &dyn Sources, path: &str, options: &SchemaOptions) -> SchemaOutput {
    let mut diagnostics = Diagnostics::default();
    let naming = match options.dialect {
        Dialect::Draft4 => Naming::Draft4,
        _ => Naming::Schema,
    };
    let mut library = Library::with(sources, naming, options.mappings.clone());
    let (mut program, mut report) = (None, None);
    let document = library.load(path, &mut diagnostics);
    if let Some(document) = document.filter(|_| !diagnostics.has_errors()) {
        let (model, schema) =
            openapi::read_schema(&library, document, options.dialect, &mut diagnostics);
        let (lowered, root) = lower::lower_schema(&model, schema, &options.strictness);
        diagnostics.extend(lowered.diagnostics);
        let inventory = inventory::take_schema(&library, document);
        report = Some(lowered.recorder.finish(&model, &inventory));
        program = Some((lowered.sections, root)).filter(|_| !diagnostics.has_errors());
    }
    SchemaOutput { program, report, diagnostics, files: library.into_files() }
}
