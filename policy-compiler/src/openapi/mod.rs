//! OpenAPI 3.0 and 3.1 documents into the IR.
//!
//! In: a library in which the documents, and every file that they refer to, are loaded. Out: a
//! model without policy, and diagnostics about everything that is wrong. It may forget what
//! describes without constraining: descriptions, examples, links, contacts.

mod content;
mod context;
mod media;
mod merge;
mod outgoing;
mod parameters;
mod paths;
mod schema;
mod security;
mod servers;
mod suffix;
mod swagger;
mod template;

use std::collections::HashMap;

use crate::diag::{self, Diagnostic, Diagnostics, Span};
use crate::ir::{
    Api, At, BasePath, Dialect, Direction, Document, DocumentId, Model, Operation, ParameterValue,
    SchemaId, Template, Unsupported, Usage, Version, Webhook,
};
use crate::source::{Library, Place};

use context::Context;
pub use outgoing::{Mapping, Mappings};

/// An API to read.
#[derive(Clone, Debug)]
pub struct ApiDocuments {
    /// Its name.
    pub name: String,
    /// Its documents, which are loaded.
    pub documents: Vec<DocumentId>,
    /// What a `$ref` in a schema is that leads nowhere.
    pub unresolved_refs: Unsupported,
    /// Which of the documents' requests are its operations.
    pub direction: Direction,
    /// Where outgoing requests are recognised.
    pub mappings: Mappings,
}

/// Reads APIs. The model lacks settings, hosts and everything else that the policy says.
pub fn read(library: &Library<'_>, apis: &[ApiDocuments], diagnostics: &mut Diagnostics) -> Model {
    let mut cx = Context::new(library, diagnostics);
    cx.model.documents = documents(library);
    for api in apis {
        cx.unresolved = api.unresolved_refs;
        let read = read_api(&mut cx, api);
        cx.model.apis.push(read);
    }
    schema::drain(&mut cx);
    schema::specialise(&mut cx);
    mark_usage(&mut cx);
    cx.model
}

/// Reads a file that is one JSON Schema: gives a model without APIs, and the schema.
pub fn read_schema(
    library: &Library<'_>,
    document: DocumentId,
    dialect: Dialect,
    diagnostics: &mut Diagnostics,
) -> (Model, SchemaId) {
    let mut cx = Context::new(library, diagnostics);
    cx.model.documents = documents(library);
    let root = Place { document, node: library.tree(document).root() };
    let id = schema::id_in(&mut cx, root, dialect);
    schema::drain(&mut cx);
    schema::specialise(&mut cx);
    schema::mark(&mut cx, [id], Usage::REQUEST_BODY);
    (cx.model, id)
}

fn documents(library: &Library<'_>) -> Vec<Document> {
    let of = |id| Document {
        path: library.path(id).to_owned(),
        version: Version::V3_0,
        root: false,
        title: None,
        revision: None,
    };
    library.documents().map(of).collect()
}

fn read_api(cx: &mut Context<'_>, source: &ApiDocuments) -> Api {
    let mut api = Api {
        name: source.name.clone(),
        documents: source.documents.clone(),
        direction: source.direction,
        ..Api::default()
    };
    let mut operations: Vec<Operation> = Vec::new();
    let mut outgoing = outgoing::Outgoing::new(&source.mappings);
    for document in &source.documents {
        let node = cx.library.tree(*document).root();
        let root = Place { document: *document, node };
        read_document(cx, root, &mut api, &mut operations, &mut outgoing);
    }
    outgoing.report_unused(cx, &api);
    // Schemas must be read before operations can be joined by them.
    schema::drain(cx);
    drain_callbacks(cx);
    unique_ids(cx, &operations);
    content::settle_sequences(cx, &mut operations);
    api.operations = merge::merge(cx, operations);
    api
}

const FIELDS: &[&str] = &[
    "openapi",
    "$self",
    "info",
    "jsonSchemaDialect",
    "servers",
    "paths",
    "webhooks",
    "components",
    "security",
    "tags",
    "externalDocs",
];

fn read_document<'a>(
    cx: &mut Context<'a>,
    root: Place<'a>,
    api: &mut Api,
    operations: &mut Vec<Operation>,
    outgoing: &mut outgoing::Outgoing<'_>,
) {
    let Some(version) = version(cx, root) else { return };
    let swagger = version == Version::V2_0;
    cx.check_fields(root, "an OpenAPI document", if swagger { swagger::FIELDS } else { FIELDS });
    let info = root.get("info");
    let title = info.and_then(|i| cx.text(i, "title")).map(str::to_owned);
    let revision = info.and_then(|i| cx.text(i, "version")).map(str::to_owned);
    if info.is_none() {
        cx.report_as(
            diag::Severity::Warning,
            diag::MISSING_FIELD,
            root,
            "the document has no `info`",
        );
    }
    let entry = &mut cx.model.documents[root.document.index()];
    *entry = Document { version, root: true, title, revision, path: entry.path.clone() };
    if let Some(dialect) = root.get("jsonSchemaDialect") {
        schema::dialect(cx, dialect);
    }
    let base_paths = match servers::read(cx, root) {
        _ if swagger => vec![swagger::base_path(cx, root)],
        Some(base_paths) => base_paths,
        None => vec![cx.at(BasePath::default(), root)],
    };
    let security = security::requirements(cx, root).unwrap_or_default();
    let defaults = paths::Defaults { version, base_paths, security };
    let mut found = paths::read(cx, root, &defaults);
    let callbacks = std::mem::take(&mut cx.found_callbacks);
    match api.direction {
        Direction::Inbound => {
            callbacks.iter().for_each(|of| paths::callback(cx, of.place, of.version));
        }
        Direction::Outbound => {
            cx.unjudged_operations.append(&mut found);
            found = outgoing.read(cx, root, callbacks, version);
        }
    }
    if found.is_empty() {
        no_operations(cx, root, api.direction);
    }
    if matches!(version, Version::V2_0 | Version::V3_0) && root.get("paths").is_none() {
        cx.missing(root, "a document of this OpenAPI version", "paths");
    }
    operations.extend(found);
    if swagger {
        api.security_schemes.extend(swagger::security_schemes(cx, root));
        return swagger::definitions(cx, root);
    }
    let webhooks =
        if api.direction == Direction::Inbound { cx.map(root, "webhooks") } else { vec![] };
    for (name, place) in webhooks {
        let origin = cx.origin(place);
        api.webhooks.push(Webhook { origin, name: name.to_owned() });
        cx.queue_callback(place, version);
    }
    if let Some(components) = root.get("components") {
        api.security_schemes.extend(security::schemes(cx, components));
        read_components(cx, components, version);
    }
}

fn no_operations<'a>(cx: &mut Context<'a>, root: Place<'a>, direction: Direction) {
    let at = root.get("paths").unwrap_or(root);
    match (direction, root.get("webhooks")) {
        (Direction::Inbound, Some(_)) => cx.report_with(
            diag::NO_OPERATIONS,
            at,
            "the document declares only webhooks, which are no requests to the API",
            "`direction: outbound` in the policy makes them operations of a gateway of outgoing traffic",
        ),
        (Direction::Inbound, None) => {
            cx.report(diag::NO_OPERATIONS, at, "the document declares no operations");
        }
        (Direction::Outbound, _) => cx.report(
            diag::NO_OPERATIONS,
            at,
            "the document declares no webhooks and no callbacks that an outbound API could hold",
        ),
    }
}

/// Reads components that nothing may refer to, so that what is wrong with them is told.
fn read_components<'a>(cx: &mut Context<'a>, components: Place<'a>, version: Version) {
    cx.check_fields(
        components,
        "`components`",
        &[
            "schemas",
            "responses",
            "parameters",
            "examples",
            "requestBodies",
            "headers",
            "securitySchemes",
            "links",
            "callbacks",
            "pathItems",
            "mediaTypes",
        ],
    );
    for (_, place) in cx.map(components, "schemas") {
        schema::id_of(cx, place, version);
    }
    for (_, place) in cx.map(components, "parameters") {
        if let Some(target) = cx.follow(place) {
            parameters::parameter(cx, target, version);
        }
    }
    for (_, place) in cx.map(components, "requestBodies") {
        if let Some(target) = cx.follow(place) {
            content::body(cx, target, version);
        }
    }
    for (_, place) in cx.map(components, "responses") {
        if let Some(target) = cx.follow(place) {
            content::response(cx, target, version);
        }
    }
    for (name, place) in cx.map(components, "headers") {
        parameters::header(cx, name, place, version);
    }
    for (_, place) in cx.map(components, "callbacks") {
        paths::callback(cx, place, version);
    }
    for (_, place) in cx.map(components, "pathItems") {
        cx.queue_callback(place, version);
    }
}

/// Reads the path items of callbacks and webhooks, for what is wrong with them.
fn drain_callbacks(cx: &mut Context<'_>) {
    while let Some((place, version)) = cx.next_callback() {
        let defaults = paths::Defaults { version, base_paths: Vec::new(), security: Vec::new() };
        let mut operations = paths::path_item(cx, place, &Template::default(), &defaults);
        cx.unjudged_operations.append(&mut operations);
        for of in std::mem::take(&mut cx.found_callbacks) {
            paths::callback(cx, of.place, of.version);
        }
        schema::drain(cx);
    }
}

fn version<'a>(cx: &mut Context<'a>, root: Place<'a>) -> Option<Version> {
    let path = cx.library.path(root.document).to_owned();
    if let Some(place) = root.get("openapi") {
        let text = cx.text(root, "openapi")?;
        let of = |prefix: &str| {
            text == prefix || text.strip_prefix(prefix).is_some_and(|rest| rest.starts_with('.'))
        };
        if of("3.0") {
            return Some(Version::V3_0);
        }
        if of("3.1") {
            return Some(Version::V3_1);
        }
        if of("3.2") {
            return Some(Version::V3_2);
        }
        cx.report_with(
            diag::UNSUPPORTED_VERSION,
            place,
            format!("OpenAPI `{text}` is not supported yet"),
            "documents of OpenAPI 3.0, 3.1 and 3.2 and of Swagger 2.0 are",
        );
        return None;
    }
    if let Some(place) = root.get("swagger") {
        let text = place.node.as_text().unwrap_or_default();
        if text == "2.0" || text == "2" {
            return Some(Version::V2_0);
        }
        cx.report_with(
            diag::UNSUPPORTED_VERSION,
            place,
            format!("Swagger `{text}` is not supported"),
            "documents of Swagger 2.0 are, and those of OpenAPI 3",
        );
        return None;
    }
    // A file that could not be parsed has been reported.
    if !cx.diagnostics.mentions(&path) {
        cx.diagnostics.push(
            Diagnostic::new(diag::NOT_OPENAPI, format!("`{path}` is not an OpenAPI document"))
                .at(Span::file(&path))
                .help("it starts with `openapi: 3.0.3` or `openapi: 3.1.0`"),
        );
    }
    None
}

fn unique_ids(cx: &mut Context<'_>, operations: &[Operation]) {
    let mut seen: HashMap<&str, &At<String>> = HashMap::new();
    for id in operations.iter().filter_map(|op| op.id.as_ref()) {
        if let Some(first) = seen.get(id.value.as_str()) {
            let span = |at: &At<String>| {
                let path = cx.library.path(at.origin.document);
                Span::word(path, at.origin.line, at.origin.column)
            };
            let title = format!("the `operationId` `{}` is used twice", id.value);
            cx.diagnostics.push(
                Diagnostic::new(diag::DUPLICATE_OPERATION_ID, title)
                    .label(span(id), "again here")
                    .label(span(first), "first here"),
            );
        } else {
            seen.insert(&id.value, id);
        }
    }
}

fn mark_usage(cx: &mut Context<'_>) {
    let mut roots: Vec<(SchemaId, Usage)> = Vec::new();
    for api in &cx.model.apis {
        for op in &api.operations {
            collect(op, Usage::PARAMETER, Usage::REQUEST_BODY, Usage::RESPONSE, &mut roots);
        }
    }
    for op in &cx.unjudged_operations {
        collect(op, Usage::CALLBACK, Usage::CALLBACK, Usage::CALLBACK, &mut roots);
    }
    for (id, usage) in roots {
        schema::mark(cx, [id], usage);
    }
}

fn collect(
    op: &Operation,
    parameter: Usage,
    body: Usage,
    response: Usage,
    roots: &mut Vec<(SchemaId, Usage)>,
) {
    let mut value = |value: &ParameterValue, usage| match value {
        ParameterValue::Schema(id) => roots.push((*id, usage)),
        ParameterValue::Content(media) => roots.extend(media.schema.map(|s| (s.value, usage))),
        ParameterValue::Any => {}
    };
    for p in op.all_parameters() {
        value(&p.value, parameter);
    }
    for r in &op.responses {
        r.headers.iter().for_each(|h| value(&h.value, response));
    }
    let bodies = op.request_body.iter().flat_map(|b| &b.content);
    for media in bodies.clone() {
        media.encoding.iter().flat_map(|e| &e.headers).for_each(|h| value(&h.value, body));
    }
    roots.extend(bodies.filter_map(|m| m.schema.map(|s| (s.value, body))));
    let answers = op.responses.iter().flat_map(|r| &r.content);
    roots.extend(answers.filter_map(|m| m.schema.map(|s| (s.value, response))));
}
