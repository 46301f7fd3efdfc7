//! The examples that documents give: of parameters, of bodies, and of schemas.

use crate::diag::{Diagnostics, Files};
use crate::ir::{Model, Origin, ParameterValue, SchemaId, Usage, Value};
use crate::source::{self, Fragment, Node, Reference, Tree, join};
use std::collections::{HashMap, HashSet};

/// What an example is an example of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Subject {
    /// A parameter: API, operation, parameter, by their places in the model.
    Parameter(usize, usize, usize),
    /// A body: API, operation, media type.
    Body(usize, usize, usize),
    /// A schema.
    Schema(SchemaId),
}

/// An example.
#[derive(Clone, Debug)]
pub struct Example {
    /// What it is an example of.
    pub subject: Subject,
    /// The keyword that gives it: `example`, `examples` or `default`.
    pub keyword: &'static str,
    /// The value.
    pub value: Value,
    /// Path of the file.
    pub path: String,
    /// Line, from 1.
    pub line: u32,
    /// Column, from 1.
    pub column: u32,
    /// JSON pointer.
    pub pointer: String,
}

/// Examples that stand elsewhere and are not read, with their places.
#[derive(Clone, Debug, Default)]
pub struct Skipped {
    /// `externalValue`: never fetched.
    pub external: usize,
    /// `$ref`s that lead nowhere.
    pub unresolved: usize,
}

/// Every example of what requests can meet, each place once, in the model's order.
pub fn written(model: &Model, files: &Files) -> (Vec<Example>, Skipped) {
    let mut reader = Reader {
        model,
        trees: model
            .documents
            .iter()
            .map(|document| {
                let text = files.text(&document.path)?;
                source::parse(&document.path, text, &mut Diagnostics::default())
            })
            .collect(),
        by_path: model.documents.iter().enumerate().map(|(i, d)| (d.path.as_str(), i)).collect(),
        seen: HashSet::new(),
        found: Vec::new(),
        skipped: Skipped::default(),
    };
    for (a, api) in model.apis.iter().enumerate() {
        for (o, operation) in api.operations.iter().enumerate() {
            for (p, parameter) in operation.parameters.iter().enumerate() {
                let origin = match &parameter.value {
                    ParameterValue::Content(media) => media.origin,
                    _ => parameter.origin,
                };
                reader.read(origin, Subject::Parameter(a, o, p), false);
            }
            let content = operation.request_body.iter().flat_map(|body| &body.content);
            for (m, media) in content.enumerate() {
                reader.read(media.origin, Subject::Body(a, o, m), false);
            }
        }
    }
    let request = Usage::REQUEST_BODY.with(Usage::PARAMETER);
    for (id, schema) in model.schemas.iter() {
        if schema.usage.intersects(request) && schema.boolean.is_none() {
            reader.read(schema.origin, Subject::Schema(id), true);
        }
    }
    (reader.found, reader.skipped)
}

struct Reader<'r> {
    model: &'r Model,
    trees: Vec<Option<Tree>>,
    by_path: HashMap<&'r str, usize>,
    seen: HashSet<(usize, String)>,
    found: Vec<Example>,
    skipped: Skipped,
}

impl Reader<'_> {
    fn node(&self, document: usize, pointer: &[String]) -> Option<Node<'_>> {
        let tree = self.trees.get(document)?.as_ref()?;
        pointer.iter().try_fold(tree.root(), |node, token| node.child(token))
    }

    /// Where a `$ref` leads.
    fn resolve(&self, from: usize, text: &str) -> Option<(usize, Vec<String>)> {
        let reference = Reference::parse(text).ok()?;
        let document = match &reference.path {
            None => from,
            Some(path) => {
                let path = join(&self.model.documents.get(from)?.path, path);
                *self.by_path.get(path.as_str())?
            }
        };
        match reference.fragment {
            Fragment::Pointer(tokens) => Some((document, tokens)),
            Fragment::Anchor(_) => None,
        }
    }

    fn read(&mut self, origin: Origin, subject: Subject, schema: bool) {
        let mut document = origin.document.index();
        let mut pointer: Vec<String> =
            self.model.pointers.tokens(origin.pointer).into_iter().map(str::to_owned).collect();
        if !self.seen.insert((document, format!("{} {schema}", pointer.join("\0")))) {
            return;
        }
        // A media type may be a reference.
        for _ in 0..8 {
            let target = (|| {
                let text = self.node(document, &pointer)?.get("$ref")?.as_str()?;
                self.resolve(document, text)
            })();
            match target.filter(|_| !schema) {
                Some(target) => (document, pointer) = target,
                None => break,
            }
        }
        let mut found: Vec<(&'static str, usize, Vec<String>)> = Vec::new();
        let below = |names: &[&str]| -> Vec<String> {
            pointer.iter().cloned().chain(names.iter().map(|name| (*name).to_owned())).collect()
        };
        let Some(node) = self.node(document, &pointer) else { return };
        if node.get("example").is_some() {
            found.push(("example", document, below(&["example"])));
        }
        if schema && node.get("default").is_some() {
            found.push(("default", document, below(&["default"])));
        }
        let (mut external, mut unresolved) = (0, 0);
        if let Some(examples) = node.get("examples") {
            if schema {
                let count = examples.elements().map_or(0, |all| all.len());
                let place = |i: usize| below(&["examples", &i.to_string()]);
                found.extend((0..count).map(|i| ("examples", document, place(i))));
            } else {
                for (member, example) in examples.members().into_iter().flatten() {
                    let mut place = (document, below(&["examples", &member.key]));
                    if let Some(text) = example.get("$ref").and_then(Node::as_str) {
                        match self.resolve(document, text) {
                            Some(target) if self.node(target.0, &target.1).is_some() => {
                                place = target;
                            }
                            _ => {
                                unresolved += 1;
                                continue;
                            }
                        }
                    }
                    let Some(example) = self.node(place.0, &place.1) else { continue };
                    let field =
                        ["value", "dataValue"].into_iter().find(|n| example.get(n).is_some());
                    match field {
                        Some(field) => {
                            place.1.push(field.to_owned());
                            found.push(("examples", place.0, place.1));
                        }
                        None if example.get("externalValue").is_some() => external += 1,
                        None => {}
                    }
                }
            }
        }
        self.skipped.external += external;
        self.skipped.unresolved += unresolved;
        for (keyword, document, pointer) in found {
            let Some(node) = self.node(document, &pointer) else { continue };
            let at = node.anchor();
            let example = Example {
                subject,
                keyword,
                value: node.to_value(),
                path: self.model.documents[document].path.clone(),
                line: at.line,
                column: at.column,
                pointer: node.pointer(),
            };
            self.found.push(example);
        }
    }
}
