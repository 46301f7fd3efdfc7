//! Everything in the documents that could constrain a message, found by a walk of its own.
//!
//! The walk shares nothing with the reader of `openapi` but the trees and the resolution of
//! references: what the reader forgets, this finds. It follows what a message can meet, so that
//! each construct knows whether judged requests, responses or only requests of the other direction reach it.

use std::collections::HashMap;

use crate::ir::{Direction, DocumentId};
use crate::source::{Kind, Library, NodeId, Place};

use super::{Construct, Reach, construct};

/// Schema keywords that constrain an instance by themselves.
const ASSERTIONS: &[&str] = &[
    "type",
    "nullable",
    "enum",
    "const",
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "multipleOf",
    "minLength",
    "maxLength",
    "pattern",
    "format",
    "minItems",
    "maxItems",
    "uniqueItems",
    "minContains",
    "maxContains",
    "minProperties",
    "maxProperties",
    "required",
    "dependentRequired",
    "discriminator",
    "readOnly",
    "writeOnly",
    "contentEncoding",
    "contentMediaType",
    "$dynamicRef",
];

/// Schema keywords that hold one schema, which constrains.
const ONE: &[&str] = &[
    "items",
    "contains",
    "additionalProperties",
    "propertyNames",
    "unevaluatedItems",
    "unevaluatedProperties",
    "not",
    "if",
    "then",
    "else",
    "contentSchema",
    "additionalItems",
];

/// Schema keywords that hold a list of schemas.
const MANY: &[&str] = &["allOf", "anyOf", "oneOf", "prefixItems"];

/// Schema keywords that hold named schemas.
const NAMED: &[&str] = &["properties", "patternProperties", "dependentSchemas", "dependencies"];

/// Every schema keyword that constrains.
pub(super) fn keywords() -> impl Iterator<Item = &'static str> {
    [ASSERTIONS, ONE, MANY, NAMED].into_iter().flatten().copied()
}

/// What a node is taken for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Part {
    PathItem,
    Operation,
    Parameter,
    RequestBody,
    Response,
    Header,
    MediaType,
    Schema,
    Callback,
}

/// Lists every construct of the documents and of what they refer to, in a fixed order.
pub fn take(library: &Library<'_>, roots: &[(DocumentId, Direction)]) -> Vec<Construct> {
    let mut walk = Walk::new(library);
    let place = |root: DocumentId| Place { document: root, node: library.tree(root).root() };
    for (root, _) in roots {
        let root = place(*root);
        let schemes = root.get("components").and_then(|c| c.get("securitySchemes"));
        for (name, scheme) in members(schemes).chain(members(root.get("securityDefinitions"))) {
            walk.schemes.entry(name).or_default().push(scheme);
        }
    }
    for (root, direction) in roots {
        walk.document(place(*root), *direction);
    }
    walk.run();
    for (root, _) in roots {
        let place = place(*root);
        if let Some(components) = place.get("components") {
            walk.components(components);
        }
        walk.definitions(place);
    }
    walk.run();
    let schemes: Vec<_> = walk.schemes.values().flatten().copied().collect();
    schemes.into_iter().for_each(|it| walk.add(it, construct::SECURITY_SCHEME, Reach::default()));
    walk.sorted()
}

/// Lists every construct of a file that is one JSON Schema, and of what it refers to.
pub fn take_schema(library: &Library<'_>, root: DocumentId) -> Vec<Construct> {
    let mut walk = Walk::new(library);
    let place = Place { document: root, node: library.tree(root).root() };
    walk.stack.push((place, Part::Schema, Reach::REQUEST));
    walk.run();
    walk.sorted()
}

struct Walk<'a> {
    library: &'a Library<'a>,
    /// What was visited, and from where.
    seen: HashMap<(DocumentId, NodeId, Part), Reach>,
    found: HashMap<(DocumentId, NodeId, &'static str), Construct>,
    stack: Vec<(Place<'a>, Part, Reach)>,
    /// The security schemes of all documents, by name.
    schemes: HashMap<&'a str, Vec<Place<'a>>>,
}

impl<'a> Walk<'a> {
    fn new(library: &'a Library<'a>) -> Self {
        Walk {
            library,
            seen: HashMap::new(),
            found: HashMap::new(),
            stack: Vec::new(),
            schemes: HashMap::new(),
        }
    }

    /// What was found, in the order of the documents.
    fn sorted(self) -> Vec<Construct> {
        let mut constructs: Vec<_> = self.found.into_values().collect();
        constructs.sort_by(|a, b| {
            (a.document, a.line, a.column, &a.pointer, a.construct).cmp(&(
                b.document,
                b.line,
                b.column,
                &b.pointer,
                b.construct,
            ))
        });
        constructs
    }

    fn document(&mut self, root: Place<'a>, direction: Direction) {
        let (received, sent) = match direction {
            Direction::Inbound => (Reach::REQUEST, Reach::CALLBACK),
            Direction::Outbound => (Reach::INCOMING, SENT),
        };
        self.shared(root, received);
        if root.get("swagger").is_some() {
            self.media_types(root, received);
            if let Some(base) = root.get("basePath").or_else(|| root.get("host")) {
                self.add(base, construct::SERVER, received);
            }
        }
        for (name, item) in members(root.get("paths")) {
            if !name.starts_with("x-") {
                self.stack.push((item, Part::PathItem, received));
            }
        }
        for (_, item) in members(root.get("webhooks")) {
            self.add(item, construct::WEBHOOK, sent);
            self.stack.push((item, Part::PathItem, sent));
        }
    }

    /// Components that nothing reached so far.
    fn components(&mut self, components: Place<'a>) {
        let parts = [
            ("schemas", Part::Schema),
            ("responses", Part::Response),
            ("parameters", Part::Parameter),
            ("requestBodies", Part::RequestBody),
            ("headers", Part::Header),
            ("callbacks", Part::Callback),
            ("pathItems", Part::PathItem),
        ];
        for (field, part) in parts {
            for (_, place) in members(components.get(field)) {
                self.stack.push((place, part, Reach::default()));
            }
        }
    }

    /// The same of Swagger 2.0.
    fn definitions(&mut self, root: Place<'a>) {
        if root.get("swagger").is_none() {
            return;
        }
        let parts = [
            ("definitions", Part::Schema),
            ("responses", Part::Response),
            ("parameters", Part::Parameter),
        ];
        for (field, part) in parts {
            for (_, place) in members(root.get(field)) {
                self.stack.push((place, part, Reach::default()));
            }
        }
    }

    fn run(&mut self) {
        while let Some((place, part, reach)) = self.stack.pop() {
            if !self.visit(place, part, reach) {
                continue;
            }
            // A reference is no construct; its target is visited as the same part.
            if let Some(text) = place.get("$ref").and_then(|r| r.node.as_str()) {
                match self.library.resolve(place, text) {
                    Ok(target) => self.stack.push((target, part, reach)),
                    Err(_) => self.add_at(place, "$ref", reach),
                }
                if part != Part::Schema {
                    continue;
                }
            }
            self.part(place, part, reach);
        }
    }

    /// Whether the visit brings anything new.
    fn visit(&mut self, place: Place<'a>, part: Part, reach: Reach) -> bool {
        let key = (place.document, place.node.id(), part);
        match self.seen.get_mut(&key) {
            None => {
                self.seen.insert(key, reach);
                true
            }
            Some(known) if known.0 | reach.0 != known.0 => {
                known.0 |= reach.0;
                true
            }
            Some(_) => false,
        }
    }

    fn part(&mut self, place: Place<'a>, part: Part, reach: Reach) {
        match part {
            Part::PathItem => {
                self.shared(place, reach);
                for (name, operation) in members(Some(place)) {
                    if is_method(name) {
                        self.stack.push((operation, Part::Operation, reach));
                    }
                }
                for (_, operation) in members(place.get("additionalOperations")) {
                    self.stack.push((operation, Part::Operation, reach));
                }
            }
            Part::Operation => self.operation(place, reach),
            Part::Parameter => {
                if text(place, "in") == Some("body") {
                    self.add(place, construct::REQUEST_BODY, reach);
                    self.add_at(place, "required", reach);
                    return self.value(place, reach);
                }
                self.add(place, construct::PARAMETER, reach);
                self.swagger_value(place, reach);
                for field in ["style", "explode", "allowReserved", "allowEmptyValue", "required"] {
                    self.add_at(place, field, reach);
                }
                self.value(place, reach);
            }
            Part::RequestBody => {
                self.add(place, construct::REQUEST_BODY, reach);
                self.add_at(place, "required", reach);
                self.content(place, reach);
            }
            Part::Response => {
                self.headers(place, reach);
                // Swagger has a schema here; OpenAPI 3 keeps it in `content`.
                self.value(place, reach);
            }
            Part::Header => {
                self.add(place, construct::HEADER, reach);
                self.swagger_value(place, reach);
                self.value(place, reach);
            }
            Part::MediaType => {
                for (_, encoding) in members(place.get("encoding")) {
                    self.add(encoding, construct::ENCODING, reach);
                    self.headers(encoding, reach);
                }
                if let Some(schema) = place.get("schema") {
                    self.stack.push((schema, Part::Schema, reach));
                }
                if let Some(schema) = place.get("itemSchema") {
                    self.add(schema, "itemSchema", reach);
                    self.stack.push((schema, Part::Schema, reach));
                }
            }
            Part::Callback => {
                for (name, item) in members(Some(place)) {
                    if !name.starts_with("x-") {
                        self.stack.push((item, Part::PathItem, reach));
                    }
                }
            }
            Part::Schema => self.schema(place, reach),
        }
    }

    /// What documents, path items and operations have in common.
    fn shared(&mut self, place: Place<'a>, reach: Reach) {
        for server in elements(place.get("servers")) {
            self.add(server, construct::SERVER, reach);
        }
        for requirement in elements(place.get("security")) {
            self.add(requirement, construct::SECURITY, reach);
            for (name, scopes) in members(Some(requirement)) {
                if elements(Some(scopes)).next().is_some() {
                    self.add(requirement, construct::SCOPES, reach);
                }
                let schemes = self.schemes.get(name).cloned().unwrap_or_default();
                schemes.into_iter().for_each(|it| self.add(it, construct::SECURITY_SCHEME, reach));
            }
        }
        for parameter in elements(place.get("parameters")) {
            self.stack.push((parameter, Part::Parameter, reach));
        }
    }

    fn operation(&mut self, place: Place<'a>, reach: Reach) {
        self.add(place, construct::OPERATION, reach);
        self.media_types(place, reach);
        self.shared(place, reach);
        if let Some(body) = place.get("requestBody") {
            self.stack.push((body, Part::RequestBody, reach));
        }
        let answers = answers(reach);
        for (status, response) in members(place.get("responses")) {
            if !status.starts_with("x-") {
                self.add(response, construct::RESPONSE, answers);
                self.stack.push((response, Part::Response, answers));
            }
        }
        for (_, callback) in members(place.get("callbacks")) {
            let reach = called_back(reach);
            self.add(callback, construct::CALLBACK, reach);
            self.stack.push((callback, Part::Callback, reach));
        }
    }

    /// The media types that Swagger 2.0 lists beside operations, or once for all.
    fn media_types(&mut self, place: Place<'a>, reach: Reach) {
        for (field, reach) in [("consumes", reach), ("produces", answers(reach))] {
            for media_type in elements(place.get(field)) {
                self.add(media_type, construct::MEDIA_TYPE, reach);
            }
        }
    }

    fn value(&mut self, place: Place<'a>, reach: Reach) {
        if let Some(schema) = place.get("schema") {
            self.stack.push((schema, Part::Schema, reach));
        }
        self.content(place, reach);
    }

    fn content(&mut self, place: Place<'a>, reach: Reach) {
        for (name, media) in members(place.get("content")) {
            if !name.starts_with("x-") {
                self.add(media, construct::MEDIA_TYPE, reach);
                self.stack.push((media, Part::MediaType, reach));
            }
        }
    }

    /// A parameter or header of Swagger 2.0 is its own schema.
    fn swagger_value(&mut self, place: Place<'a>, reach: Reach) {
        if place.get("type").is_none() {
            return;
        }
        if let Some(format) = place.get("collectionFormat") {
            self.add(format, "style", reach);
        }
        self.stack.push((place, Part::Schema, reach));
    }

    fn headers(&mut self, place: Place<'a>, reach: Reach) {
        for (_, header) in members(place.get("headers")) {
            self.stack.push((header, Part::Header, reach));
        }
    }

    fn schema(&mut self, place: Place<'a>, reach: Reach) {
        for name in ASSERTIONS {
            // 3.0's `exclusiveMinimum: false` says what holds anyway.
            let exclusive = name.starts_with("exclusive");
            if !(exclusive && place.get(name).and_then(|p| p.node.as_bool()) == Some(false)) {
                self.add_at(place, name, reach);
            }
        }
        for name in ONE {
            let Some(child) = place.get(name) else { continue };
            self.add(child, name, reach);
            self.stack.push((child, Part::Schema, reach));
        }
        for name in MANY {
            let Some(list) = place.get(name) else { continue };
            self.add(list, name, reach);
            let children = elements(Some(list)).map(|child| (child, Part::Schema, reach));
            self.stack.extend(children);
        }
        for name in NAMED {
            let Some(table) = place.get(name) else { continue };
            self.add(table, name, reach);
            let children = members(Some(table))
                .filter(|(_, child)| matches!(child.node.kind(), Kind::Object(_) | Kind::Bool(_)))
                .map(|(_, child)| (child, Part::Schema, reach));
            self.stack.extend(children);
        }
    }

    fn add_at(&mut self, owner: Place<'a>, field: &'static str, reach: Reach) {
        if let Some(place) = owner.get(field) {
            self.add(place, field, reach);
        }
    }

    fn add(&mut self, place: Place<'a>, name: &'static str, reach: Reach) {
        let reach = if reach == SENT { Reach::REQUEST } else { reach };
        let key = (place.document, place.node.id(), name);
        let entry = self.found.entry(key).or_insert_with(|| {
            let at = place.node.anchor();
            Construct {
                document: place.document,
                pointer: place.node.pointer(),
                line: at.line,
                column: at.column,
                construct: name,
                reach,
            }
        });
        entry.reach.0 |= reach.0;
    }
}

/// From a request that an outbound API sends. It counts as one of those that are judged; the walk tells
/// them apart, since their callbacks come back.
const SENT: Reach = Reach(16);

/// From where the answers to what is reached are.
fn answers(reach: Reach) -> Reach {
    if reach == Reach::REQUEST || reach == SENT { Reach::RESPONSE } else { reach }
}

/// From where the callbacks of an operation are.
fn called_back(reach: Reach) -> Reach {
    match reach {
        Reach::INCOMING => SENT,
        SENT => Reach::INCOMING,
        reach if reach.is_none() => reach,
        _ => Reach::CALLBACK,
    }
}

fn text<'a>(place: Place<'a>, field: &str) -> Option<&'a str> {
    place.get(field)?.node.as_text()
}

fn members<'a>(place: Option<Place<'a>>) -> impl Iterator<Item = (&'a str, Place<'a>)> {
    place.into_iter().flat_map(|place| {
        let members = place.node.members().into_iter().flatten();
        members.map(move |(member, node)| (&*member.key, place.with(node)))
    })
}

fn elements<'a>(place: Option<Place<'a>>) -> impl Iterator<Item = Place<'a>> {
    place.into_iter().flat_map(|place| {
        place.node.elements().into_iter().flatten().map(move |node| place.with(node))
    })
}

fn is_method(name: &str) -> bool {
    ["get", "put", "post", "delete", "options", "head", "patch", "trace", "query"].contains(&name)
}
