//! What every part of the reader needs: diagnostics, origins, references, typed fields.

use std::collections::{HashMap, HashSet};

use crate::diag::{self, Code, Diagnostic, Diagnostics, Severity, did_you_mean};
use crate::ir::{
    At, Dialect, DocumentId, Header, Ignored, MediaType, Model, Operation, Origin, Parameter,
    PointerId, Pointers, SchemaId, Unsupported, Version,
};
use crate::source::{Kind, Library, NodeId, Place, RefError, ResourceId};

/// The headers and the media types of a response.
type ResponseContent = (Vec<Header>, Vec<MediaType>);

/// The state of a reading.
pub(super) struct Context<'a> {
    pub library: &'a Library<'a>,
    pub diagnostics: &'a mut Diagnostics,
    pub model: Model,
    /// What an unresolvable `$ref` in a schema is.
    pub unresolved: Unsupported,
    /// Schemas by where they stand.
    pub schemas: HashMap<(DocumentId, NodeId, Dialect), SchemaId>,
    /// The resource that each schema belongs to, by id.
    pub resources: Vec<ResourceId>,
    /// Whether there are dynamic anchors, so that the way to a schema matters.
    pub scoped: bool,
    /// Schemas that have an id, but no content yet.
    pub queue: Vec<(SchemaId, Place<'a>, Dialect)>,
    /// Parameters and responses that were read, since operations share them.
    pub parameters: HashMap<(DocumentId, NodeId, Version), Option<Parameter>>,
    pub responses: HashMap<(DocumentId, NodeId, Version), ResponseContent>,
    /// Operations of the other direction than their API's.
    pub unjudged_operations: Vec<Operation>,
    /// Callbacks of the operations that were read last.
    pub found_callbacks: Vec<Callback<'a>>,
    /// What extends what, once a discriminator of Swagger 2.0 has asked.
    pub definitions: Option<super::schema::Definitions>,
    callbacks: Vec<(Place<'a>, Version)>,
    queued_callbacks: HashSet<(DocumentId, NodeId)>,
    pointers: HashMap<(DocumentId, NodeId), PointerId>,
    resolved: HashMap<(ResourceId, &'a str), Result<Place<'a>, RefError>>,
}

/// A callback of an operation.
pub(super) struct Callback<'a> {
    /// Its name.
    pub name: &'a str,
    /// Where it stands, which may be a reference.
    pub place: Place<'a>,
    /// Version of its document.
    pub version: Version,
    /// How the operation can be named: by `operationId`, and by method and path.
    pub owner: [Option<String>; 2],
}

/// How many references in a row are followed.
const MAX_CHAIN: usize = 100;

impl<'a> Context<'a> {
    pub fn new(library: &'a Library<'a>, diagnostics: &'a mut Diagnostics) -> Self {
        Self {
            library,
            diagnostics,
            model: Model::default(),
            unresolved: Unsupported::Error,
            schemas: HashMap::new(),
            resources: Vec::new(),
            scoped: library.has_dynamic_anchors(),
            queue: Vec::new(),
            parameters: HashMap::new(),
            responses: HashMap::new(),
            unjudged_operations: Vec::new(),
            found_callbacks: Vec::new(),
            definitions: None,
            callbacks: Vec::new(),
            queued_callbacks: HashSet::new(),
            pointers: HashMap::new(),
            resolved: HashMap::new(),
        }
    }

    /// Queues a path item of a callback or webhook, once.
    pub fn queue_callback(&mut self, place: Place<'a>, version: Version) {
        if self.queued_callbacks.insert(place.key()) {
            self.callbacks.push((place, version));
        }
    }

    /// Whether a path item is read for the first time, by this or from the queue.
    pub fn first_reading(&mut self, place: Place<'a>) -> bool {
        self.queued_callbacks.insert(place.key())
    }

    /// The next path item of the queue.
    pub fn next_callback(&mut self) -> Option<(Place<'a>, Version)> {
        self.callbacks.pop()
    }

    /// Where a place is.
    pub fn origin(&mut self, place: Place<'a>) -> Origin {
        let at = place.node.anchor();
        let pointer = self.pointer(place);
        Origin { document: place.document, line: at.line, column: at.column, pointer }
    }

    /// `value`, which was written at a place.
    pub fn at<T>(&mut self, value: T, place: Place<'a>) -> At<T> {
        At::new(value, self.origin(place))
    }

    fn pointer(&mut self, place: Place<'a>) -> PointerId {
        let (Some(parent), Some(token)) = (place.node.parent(), place.node.token()) else {
            return Pointers::ROOT;
        };
        if let Some(known) = self.pointers.get(&place.key()) {
            return *known;
        }
        // Depth is bounded by the tree's.
        let parent = self.pointer(place.with(parent));
        let id = self.model.pointers.push(parent, &token);
        self.pointers.insert(place.key(), id);
        id
    }

    /// Pushes a diagnostic of its code's severity at a place.
    pub fn report(&mut self, code: Code, place: Place<'a>, title: impl Into<String>) {
        let span = self.library.span(place);
        self.diagnostics.push(Diagnostic::new(code, title).at(span));
    }

    /// The same, with advice.
    pub fn report_with(
        &mut self,
        code: Code,
        place: Place<'a>,
        title: impl Into<String>,
        help: impl Into<String>,
    ) {
        let span = self.library.span(place);
        self.diagnostics.push(Diagnostic::new(code, title).at(span).help(help));
    }

    /// Remembers that a construct has no effect.
    pub fn ignore(&mut self, place: Place<'a>, construct: &str, reason: &str) {
        let origin = self.origin(place);
        self.model.ignored.push(Ignored {
            origin,
            construct: construct.to_owned(),
            reason: reason.to_owned(),
        });
    }

    /// Where a reference that stands at a place leads.
    pub fn resolve(&mut self, from: Place<'a>, text: &'a str) -> Result<Place<'a>, RefError> {
        let library = self.library;
        let known = self.resolved.entry((library.resource(from), text));
        known.or_insert_with(|| library.resolve(from, text)).clone()
    }

    /// The dialect of a schema whose surroundings are of another: what the resource names that it
    /// belongs to.
    pub fn dialect_at(&self, place: Place<'a>, around: Dialect) -> Dialect {
        let root = self.library.root_of(self.library.resource(place));
        let field = if root.get("openapi").is_some() { "jsonSchemaDialect" } else { "$schema" };
        let named = root.get(field).filter(|_| !around.is_openapi_3_0() || field == "$schema");
        named.and_then(|place| self.dialect_of(place)).unwrap_or(around)
    }

    /// The dialect that the text at a place names, if it is known.
    pub fn dialect_of(&self, place: Place<'a>) -> Option<Dialect> {
        let text = place.node.as_str()?;
        if let Some(known) = Dialect::named(text) {
            return Some(known);
        }
        let metaschema = self.library.resolve(place, text).ok()?;
        let vocabulary = metaschema.get("$vocabulary")?;
        let validation = "https://json-schema.org/draft/2020-12/vocab/validation";
        Some(match vocabulary.get(validation) {
            Some(_) => Dialect::Draft2020,
            None => Dialect::Unasserted2020,
        })
    }

    /// Follows `$ref`s of anything but schemas. Failures are reported.
    pub fn follow(&mut self, place: Place<'a>) -> Option<Place<'a>> {
        let mut at = place;
        for _ in 0..MAX_CHAIN {
            let Some(reference) = at.get("$ref") else { return Some(at) };
            let Some(text) = reference.node.as_str() else {
                self.wrong_type(reference, "`$ref`", "a string");
                return None;
            };
            match self.resolve(at, text) {
                Ok(target) => at = target,
                Err(error) => {
                    let span = self.library.span(reference);
                    self.diagnostics.push(
                        Diagnostic::new(error.code, error.title).at(span).maybe_help(error.help),
                    );
                    return None;
                }
            }
        }
        self.report(diag::CIRCULAR_REF, place, "references lead in a circle from here");
        None
    }

    /// Reports a field of the wrong type.
    pub fn wrong_type(&mut self, place: Place<'a>, what: &str, wanted: &str) {
        let found = place.node.kind().name();
        self.report(diag::WRONG_TYPE, place, format!("{what} must be {wanted}, not {found}"));
    }

    /// Whether it is an object; reported if not.
    pub fn is_object(&mut self, place: Place<'a>, what: &str) -> bool {
        let is = matches!(place.node.kind(), Kind::Object(_));
        if !is {
            self.wrong_type(place, what, "an object");
        }
        is
    }

    /// The members of an object as places; reported if it is none.
    pub fn members(&mut self, place: Place<'a>, what: &str) -> Vec<(&'a str, Place<'a>)> {
        match place.node.members() {
            Some(members) => members.map(|(m, node)| (&*m.key, place.with(node))).collect(),
            None => {
                self.wrong_type(place, what, "an object");
                Vec::new()
            }
        }
    }

    /// The members of an object-valued field, extensions left out.
    pub fn map(&mut self, owner: Place<'a>, field: &str) -> Vec<(&'a str, Place<'a>)> {
        let Some(place) = owner.get(field) else { return Vec::new() };
        let mut members = self.members(place, &format!("`{field}`"));
        members.retain(|(key, _)| !key.starts_with("x-"));
        members
    }

    /// The elements of an array-valued field.
    pub fn list(&mut self, owner: Place<'a>, field: &str) -> Vec<Place<'a>> {
        let Some(place) = owner.get(field) else { return Vec::new() };
        match place.node.elements() {
            Some(elements) => elements.map(|node| place.with(node)).collect(),
            None => {
                self.wrong_type(place, &format!("`{field}`"), "an array");
                Vec::new()
            }
        }
    }

    /// A string-valued field.
    pub fn string(&mut self, owner: Place<'a>, field: &str) -> Option<At<String>> {
        let place = owner.get(field)?;
        match place.node.as_str() {
            Some(text) => Some(self.at(text.to_owned(), place)),
            None => {
                self.wrong_type(place, &format!("`{field}`"), "a string");
                None
            }
        }
    }

    /// A field of the document's text that is a string by intent: `version: 1.0` reads as `1.0`.
    pub fn text(&mut self, owner: Place<'a>, field: &str) -> Option<&'a str> {
        let place = owner.get(field)?;
        let text = place.node.as_text();
        if text.is_none() {
            self.wrong_type(place, &format!("`{field}`"), "a string");
        }
        text
    }

    /// A boolean field.
    pub fn boolean(&mut self, owner: Place<'a>, field: &str) -> Option<At<bool>> {
        let place = owner.get(field)?;
        match place.node.as_bool() {
            Some(value) => Some(self.at(value, place)),
            None => {
                self.wrong_type(place, &format!("`{field}`"), "a boolean");
                None
            }
        }
    }

    /// A boolean field with a default, which stands where its owner stands.
    pub fn flag(&mut self, owner: Place<'a>, field: &str, default: bool) -> At<bool> {
        match self.boolean(owner, field) {
            Some(value) => value,
            None => self.at(default, owner),
        }
    }

    /// Reports a required field that is missing.
    pub fn missing(&mut self, owner: Place<'a>, what: &str, field: &str) {
        self.report(diag::MISSING_FIELD, owner, format!("{what} has no `{field}`"));
    }

    /// Warns about fields that are neither known nor extensions.
    pub fn check_fields(&mut self, owner: Place<'a>, what: &str, known: &[&str]) {
        for (key, place) in owner.node.members().into_iter().flatten() {
            let name = &*key.key;
            if known.contains(&name) || name.starts_with("x-") || name == "$ref" {
                continue;
            }
            let span = self.library.span(owner.with(place));
            self.diagnostics.push(
                Diagnostic::new(diag::UNKNOWN_FIELD, format!("{what} has no field `{name}`"))
                    .at(span)
                    .maybe_help(did_you_mean(name, known.iter().copied())),
            );
        }
    }

    /// Pushes a diagnostic of another severity than its code's.
    pub fn report_as(
        &mut self,
        severity: Severity,
        code: Code,
        place: Place<'a>,
        title: impl Into<String>,
    ) {
        let mut diagnostic = Diagnostic::new(code, title).at(self.library.span(place));
        diagnostic.severity = severity;
        self.diagnostics.push(diagnostic);
    }
}
