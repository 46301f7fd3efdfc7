//! Swagger 2.0's `discriminator`: a property whose value names the definition that an object is of.
//!
//! "When used, the value MUST be the name of this schema or any schema that inherits it" (Swagger 2.0, Schema Object).
//! A definition inherits another one that its `allOf` refers to, and whatever that one inherits.

use std::collections::{HashMap, HashSet};

use crate::diag;
use crate::ir::{
    At, Dialect, Discriminator, DocumentId, Property, Schema, SchemaId, Value as Json,
};
use crate::source::{Kind, NodeId, Place};

use super::super::context::Context;
use super::{MAX_CHAIN, reference, synthesise};

type Key = (DocumentId, NodeId);

/// How many names all discriminators together list, at most.
const MAX_NAMES: usize = 1 << 20;

/// The definitions of all documents: what each is called, and which extend it.
#[derive(Debug, Default)]
pub(in crate::openapi) struct Definitions {
    names: HashMap<Key, Vec<String>>,
    heirs: HashMap<Key, Vec<Key>>,
    listed: usize,
}

/// Reads a `discriminator` that is the name of a property.
pub(super) fn discriminator<'a>(
    cx: &mut Context<'a>,
    schema: &mut Schema,
    owner: Place<'a>,
    place: Place<'a>,
    dialect: Dialect,
) {
    let Some(property) = cx.string(owner, "discriminator") else { return };
    let names = match values(cx, owner, &property.value) {
        Ok(names) => names,
        Err((title, reason)) => {
            if let Some(title) = title {
                let help = "the value names this definition or one whose `allOf` refers to it";
                cx.report_with(diag::DISCRIMINATOR_VALUES, place, title, help);
            }
            cx.ignore(place, "discriminator", reason);
            return;
        }
    };
    let origin = cx.origin(place);
    let values = names.into_iter().map(Json::String).collect();
    let empty = Schema { origin, dialect, inherited: true, ..Schema::default() };
    let mut value = empty.clone();
    value.enumeration = Some(At::new(values, origin));
    let value = synthesise(cx, place, value);
    let mut object = empty;
    let named = Property { name: property.value.clone(), origin, schema: value };
    object.object.properties = Some(At::new(vec![named], origin));
    let object: SchemaId = synthesise(cx, place, object);
    let all_of = &mut schema.applied.all_of;
    all_of.get_or_insert_with(|| At::new(Vec::new(), origin)).value.push(object);
    let mapping = Vec::new();
    schema.applied.discriminator = Some(At::new(Discriminator { property, mapping }, origin));
}

/// What the property may say, or a warning's title and why nothing is asked of it.
fn values<'a>(
    cx: &mut Context<'a>,
    owner: Place<'a>,
    property: &str,
) -> Result<Vec<String>, (Option<String>, &'static str)> {
    let mut definitions = match cx.definitions.take() {
        Some(known) => known,
        None => definitions(cx),
    };
    let names = definitions.names_of(owner.key());
    let alone = !definitions.heirs.contains_key(&owner.key());
    cx.definitions = Some(definitions);
    let Some(names) = names else {
        return Err((None, "more definitions extend one another than are listed"));
    };
    if alone {
        let title = format!("no other definition extends this one, so `{property}` tells nothing");
        return Err((Some(title), "no definition extends this one"));
    }
    let declared = owner.get("properties").and_then(|table| table.get(property));
    let declared = declared.map(|place| settle(cx, place)).and_then(|place| place.get("enum"));
    let listed = declared.and_then(|list| list.node.elements());
    let other = listed.into_iter().flatten().filter_map(|node| node.as_text());
    let mut other = other.filter(|text| !names.iter().any(|name| name == text));
    match other.next() {
        Some(text) => {
            let title =
                format!("`{property}` may be `{text}`, which is no definition of this kind");
            Err((Some(title), "its property lists values that name no definition"))
        }
        None => Ok(names),
    }
}

impl Definitions {
    /// The names of a definition and of all that extend it, in order; `None` beyond the bound.
    fn names_of(&mut self, key: Key) -> Option<Vec<String>> {
        let (mut seen, mut open) = (HashSet::from([key]), vec![key]);
        let mut names = Vec::new();
        while let Some(key) = open.pop() {
            self.listed += 1;
            if self.listed > MAX_NAMES {
                return None;
            }
            names.extend(self.names.get(&key).into_iter().flatten().cloned());
            let heirs = self.heirs.get(&key).into_iter().flatten();
            open.extend(heirs.filter(|heir| seen.insert(**heir)));
        }
        names.sort_unstable();
        names.dedup();
        Some(names)
    }

    fn add<'a>(&mut self, cx: &mut Context<'a>, name: &str, place: Place<'a>) {
        let place = settle(cx, place);
        let heir = place.key();
        let names = self.names.entry(heir).or_default();
        names.push(name.to_owned());
        // AutoRest's name for the definition on the wire.
        let wire = place.get("x-ms-discriminator-value").and_then(|at| at.node.as_text());
        names.extend(wire.map(str::to_owned));
        let mut open = vec![place];
        while let Some(place) = open.pop() {
            let list = place.get("allOf");
            let parts = list.and_then(|list| list.node.elements()).into_iter().flatten();
            for part in parts.map(|node| place.with(node)) {
                match reference(part) {
                    Some(_) => self.heirs.entry(settle(cx, part).key()).or_default().push(heir),
                    None => open.push(part),
                }
            }
        }
    }
}

/// The definitions of every document that is loaded. A file that is no document may be a definition or hold some.
fn definitions(cx: &mut Context<'_>) -> Definitions {
    let library = cx.library;
    let mut found = Definitions::default();
    for document in library.documents() {
        let root = Place { document, node: library.tree(document).root() };
        let document = root.get("swagger").is_some();
        if !document {
            let file = library.path(root.document).rsplit('/').next().unwrap_or_default();
            found.add(cx, file.split('.').next().unwrap_or(file), root);
        }
        let table = if document { root.get("definitions") } else { Some(root) };
        let nested = root.get("definitions").filter(|_| !document);
        for table in table.into_iter().chain(nested) {
            for (member, node) in table.node.members().into_iter().flatten() {
                if matches!(node.kind(), Kind::Object(_)) {
                    found.add(cx, &member.key, table.with(node));
                }
            }
        }
    }
    found
}

/// Where references lead from here.
fn settle<'a>(cx: &mut Context<'a>, place: Place<'a>) -> Place<'a> {
    let mut at = place;
    for _ in 0..MAX_CHAIN {
        match reference(at).and_then(|text| cx.resolve(at, text).ok()) {
            Some(target) => at = target,
            None => break,
        }
    }
    at
}
