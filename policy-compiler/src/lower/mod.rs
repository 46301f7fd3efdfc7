//! Lowers the intermediate representation to the sections of a bundle.
//!
//! In: a model that passed its checks. Out: sections, what became of every construct, and
//! diagnostics about what could not be lowered. It may forget whatever no request can meet.

mod idn;
mod limits;
mod media;
mod operation;
mod parameter;
mod part;
mod partition;
pub(crate) mod pattern;
mod policy;
mod route;
pub(crate) mod rules;
mod schema;
mod security;
mod tables;
mod text_value;
mod xml;

use crate::diag::{
    Diagnostic, FORMAT_UNKNOWN, PATTERN_LEFT_OUT, PATTERN_UNSUPPORTED, Span, TEXT_LEFT_OUT,
    UNEVALUATED_LEFT_OUT, XML_LEFT_OUT,
};
use crate::ir::{Model, SchemaId, Strictness};
use crate::report::Recorder;
use portcullis_bundle::layout::{Format, Sections, StringCheck};
use schema::{Lowering, share, write_nodes, write_patterns};
use tables::Tables;

/// What lowering gives.
#[derive(Debug)]
pub struct Lowered {
    /// The records.
    pub sections: Sections,
    /// What became of the constructs that requests can meet.
    pub recorder: Recorder,
    /// What could not be lowered.
    pub diagnostics: Vec<Diagnostic>,
}

/// Lowers a model.
pub fn lower(model: &Model) -> Lowered {
    let mut lowering = Lowering::new(model);
    let mut diagnostics = Vec::new();
    let operations = operation::lower(&mut lowering, &mut diagnostics);
    operation::record_rest(&mut lowering);
    diagnostics.extend(refused(&mut lowering));
    let (nodes, patterns, texts, recorder) = lowering.finish();
    let roots: Vec<_> = operations.iter().flat_map(operation::Lowered::roots).collect();
    let (nodes, moved) = share(&nodes, &roots);
    let mut tables = Tables::new(model);
    write_patterns(&mut tables, &patterns);
    write_nodes(&mut tables, &nodes, &patterns);
    write_idn(&mut tables);
    texts.write(&mut tables);
    policy::write(&mut tables, model);
    let places = operation::write(&mut tables, model, &moved, &operations);
    diagnostics.extend(tables.xml_left_out.map(|origin| {
        let title = "this body brings more kinds of elements than are told apart";
        Diagnostic::new(XML_LEFT_OUT, title).at(Span::of(origin, model)).help(
            "elements beyond go by the names of their properties, and `xml` has no effect on them",
        )
    }));
    diagnostics.extend(rules::write(&mut tables, model, &patterns.tables, &places));
    diagnostics.extend(limits::write(&mut tables, model, &places));
    Lowered { sections: tables.sections, recorder, diagnostics }
}

/// Lowers one schema of a model by itself: the sections hold nothing but its program, which begins
/// with the record that is given beside them.
pub fn lower_schema(model: &Model, schema: SchemaId, strictness: &Strictness) -> (Lowered, u32) {
    let mut lowering = Lowering::new(model);
    let profile = lowering.profile(schema::Profile::request(strictness));
    let root = lowering.lower(profile, [schema]);
    let diagnostics = refused(&mut lowering);
    let (nodes, patterns, _, recorder) = lowering.finish();
    let (nodes, moved) = share(&nodes, &[root]);
    let mut tables = Tables::new(model);
    write_patterns(&mut tables, &patterns);
    write_nodes(&mut tables, &nodes, &patterns);
    write_idn(&mut tables);
    let sections = tables.sections;
    (Lowered { sections, recorder, diagnostics }, moved.get(&root).map_or(0, |node| node.0))
}

fn refused(lowering: &mut Lowering<'_>) -> Vec<Diagnostic> {
    let model = lowering.model();
    let refused = std::mem::take(&mut lowering.refused_patterns);
    let left_out = std::mem::take(&mut lowering.left_out_patterns);
    let left_out = left_out.into_iter().map(|(origin, reason)| {
        Diagnostic::new(PATTERN_LEFT_OUT, format!("this pattern is not enforced: {reason}"))
            .at(Span::of(origin, model))
            .help("`strictness.unsupported_patterns: error` refuses documents with such patterns")
    });
    let unevaluated = std::mem::take(&mut lowering.left_out_unevaluated);
    let unevaluated = unevaluated.into_iter().map(|(origin, keyword, reason)| {
        let title = format!("`{keyword}` is not enforced: {reason}");
        Diagnostic::new(UNEVALUATED_LEFT_OUT, title).at(Span::of(origin, model))
    });
    let texts = lowering.texts_left_out.take().map(|origin| {
        let title = "this text has more kinds of arrays and objects within it than are told apart";
        Diagnostic::new(TEXT_LEFT_OUT, title)
            .at(Span::of(origin, model))
            .help("what lies beyond is read as text of any type, and still held to its schema")
    });
    let formats = std::mem::take(&mut lowering.refused_formats);
    let formats = formats.into_iter().map(|(origin, name)| {
        Diagnostic::new(FORMAT_UNKNOWN, format!("the format `{name}` is not known"))
            .at(Span::of(origin, model))
            .help("`strictness.unknown_formats: annotate` takes such formats as annotations")
    });
    refused
        .into_iter()
        .map(|(origin, reason)| {
            Diagnostic::new(
                PATTERN_UNSUPPORTED,
                format!("this pattern cannot be enforced: {reason}"),
            )
            .at(Span::of(origin, model))
            .help("`strictness.unsupported_patterns: not_enforced` leaves such patterns out")
        })
        .chain(left_out)
        .chain(unevaluated)
        .chain(formats)
        .chain(texts)
        .collect()
}

/// The table of characters in host names, where a string's format needs it.
fn write_idn(tables: &mut Tables<'_>) {
    let needed =
        |check: &StringCheck| Format::from_code(check.format).is_some_and(Format::needs_idn);
    if tables.sections.string_checks.iter().any(needed) {
        tables.sections.idn = idn::table();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_of_texts_is_told_with_its_place() {
        let text = "openapi: 3.0.3
info: { title: T, version: '1' }
paths:
  /a:
    post:
      requestBody:
        content:
          application/x-www-form-urlencoded:
            schema:
              type: object
              properties:
                a: { type: object, properties: { b: { type: object, properties: { c: { type: array, items: {} } } } } }
      responses: { '200': { description: ok } }
";
        let sources = crate::source::Memory::new([("api.yaml", text)]);
        let loaded = crate::load::load_documents(&sources, &["api.yaml".to_owned()]);
        let told = |max: usize| {
            let mut lowering = Lowering::new(&loaded.model);
            lowering.texts.max = max;
            operation::lower(&mut lowering, &mut Vec::new());
            let told = refused(&mut lowering);
            told.into_iter().map(|it| (it.code.id, it.labels[0].span.line)).collect::<Vec<_>>()
        };
        assert_eq!(told(8), []);
        assert_eq!(told(3), [("PC0711", 8)]);
    }
}
