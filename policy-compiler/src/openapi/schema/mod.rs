//! Schemas into the arena: one entry per location, references resolved to their target's entry.
//!
//! Nothing recurses: a schema's children get ids at once and are read from a queue, so that
//! neither depth nor cycles matter.

mod applied;
mod assertions;
mod heirs;
mod keywords;
mod scope;
mod xml;

pub(super) use heirs::Definitions;
pub(super) use keywords::dialect;
pub(super) use scope::specialise;

use crate::diag::{self, Diagnostic, Severity};
use crate::ir::{Dialect, Schema, SchemaId, Unsupported, Usage, Version};
use crate::source::{Kind, Place};

use super::context::Context;

/// How many references in a row are followed.
const MAX_CHAIN: usize = 200;

/// The id of the schema at a place of a document of that version, which is read later by [`drain`].
pub(super) fn id_of<'a>(cx: &mut Context<'a>, place: Place<'a>, version: Version) -> SchemaId {
    id_in(cx, place, version.dialect())
}

/// The id of a parameter or header of Swagger 2.0 as the schema that it also is.
pub(super) fn parameter_id<'a>(cx: &mut Context<'a>, place: Place<'a>) -> SchemaId {
    id_in(cx, place, Dialect::Swagger2Parameter)
}

/// The same, for a schema whose surroundings are of that dialect.
pub(super) fn id_in<'a>(cx: &mut Context<'a>, place: Place<'a>, around: Dialect) -> SchemaId {
    let mut at = place;
    let mut dialect = around;
    let mut seen = vec![];
    for _ in 0..MAX_CHAIN {
        dialect = cx.dialect_at(at, dialect);
        if let Some(id) = cx.schemas.get(&(at.document, at.node.id(), dialect)) {
            let id = *id;
            remember(cx, &seen, id);
            return id;
        }
        let Some(text) = reference(at) else { break };
        // What a dynamic reference means depends on every resource on the way to it.
        let passing = dialect.ignores_siblings() || !cx.scoped;
        if !passing || !dialect.ignores_siblings() && keywords::has_siblings(at) {
            // The reference is one keyword among others.
            break;
        }
        seen.push((at, dialect));
        if dialect.ignores_siblings() {
            ignore_siblings(cx, at, dialect);
        }
        match cx.resolve(at, text) {
            Ok(target) => at = target,
            Err(error) => {
                let id = unresolved(cx, at, text, error);
                remember(cx, &seen, id);
                return id;
            }
        }
        if seen.iter().any(|(p, _)| p.key() == at.key()) {
            let title = format!("`{text}` leads back to itself");
            cx.report(diag::CIRCULAR_REF, place, title);
            let id = add(cx, place);
            remember(cx, &seen, id);
            return id;
        }
    }
    let id = add(cx, at);
    cx.schemas.insert((at.document, at.node.id(), dialect), id);
    cx.queue.push((id, at, dialect));
    remember(cx, &seen, id);
    id
}

/// Reads everything that has an id but no content.
pub(super) fn drain(cx: &mut Context<'_>) {
    while let Some((id, place, dialect)) = cx.queue.pop() {
        let schema = keywords::read(cx, place, dialect);
        cx.model.schemas[id] = schema;
    }
}

/// Marks what can be reached from `roots` with `usage`.
pub(super) fn mark(cx: &mut Context<'_>, roots: impl IntoIterator<Item = SchemaId>, usage: Usage) {
    let mut stack: Vec<SchemaId> = roots.into_iter().collect();
    while let Some(id) = stack.pop() {
        let schema = &mut cx.model.schemas[id];
        if !schema.usage.intersects(usage) {
            schema.usage = schema.usage.with(usage);
            stack.extend(schema.children());
        }
    }
}

/// The id of a schema that is written nowhere, but holds what stands in `place`.
pub(super) fn synthesise<'a>(cx: &mut Context<'a>, place: Place<'a>, schema: Schema) -> SchemaId {
    let id = SchemaId(cx.model.schemas.len() as u32);
    cx.model.schemas.0.push(schema);
    cx.resources.push(cx.library.resource(place));
    id
}

fn add<'a>(cx: &mut Context<'a>, place: Place<'a>) -> SchemaId {
    let origin = cx.origin(place);
    let id = SchemaId(cx.model.schemas.len() as u32);
    cx.model.schemas.0.push(Schema { origin, ..Schema::default() });
    cx.resources.push(cx.library.resource(place));
    id
}

fn remember<'a>(cx: &mut Context<'a>, seen: &[(Place<'a>, Dialect)], id: SchemaId) {
    for (place, dialect) in seen {
        cx.schemas.insert((place.document, place.node.id(), *dialect), id);
    }
}

fn reference<'a>(place: Place<'a>) -> Option<&'a str> {
    place.get("$ref").and_then(|r| r.node.as_str())
}

/// A schema that allows everything, for a reference that leads nowhere.
fn unresolved<'a>(
    cx: &mut Context<'a>,
    place: Place<'a>,
    text: &str,
    error: crate::source::RefError,
) -> SchemaId {
    let at = place.get("$ref").unwrap_or(place);
    let mut diagnostic =
        Diagnostic::new(error.code, error.title).at(cx.library.span(at)).maybe_help(error.help);
    if cx.unresolved == Unsupported::NotEnforced {
        diagnostic.severity = Severity::Warning;
        cx.ignore(at, "$ref", "the reference leads nowhere, so anything is allowed here");
    } else {
        diagnostic = diagnostic.help(
            "in the policy, `strictness: { unresolved_refs: not_enforced }` allows anything here \
             and reports it",
        );
    }
    cx.diagnostics.push(diagnostic);
    let id = add(cx, place);
    let text = cx.at(text.to_owned(), at);
    cx.model.schemas[id].unresolved = Some(text);
    id
}

/// OpenAPI 3.0 and older drafts ignore what stands beside `$ref`.
fn ignore_siblings<'a>(cx: &mut Context<'a>, place: Place<'a>, dialect: Dialect) {
    let whose = match dialect {
        Dialect::OpenApi3_0 => "OpenAPI 3.0",
        _ if dialect.is_swagger() => "Swagger 2.0",
        _ => "this JSON Schema draft",
    };
    let mut ignored: Vec<&str> = Vec::new();
    for (member, node) in place.node.members().into_iter().flatten() {
        if keywords::is_constraint(&member.key) {
            ignored.push(&member.key);
            let reason = format!("{whose} ignores what is beside `$ref`");
            cx.ignore(place.with(node), &member.key, &reason);
        }
    }
    if !ignored.is_empty() {
        let title = format!("`{}` beside `$ref` is ignored in {whose}", ignored.join("`, `"));
        let help = "move the reference into `allOf: [{$ref: …}]` beside the other keywords";
        cx.report_with(diag::REF_SIBLINGS, place, title, help);
    }
}

/// Whether a place can hold a schema; reported if not.
fn is_schema<'a>(cx: &mut Context<'a>, place: Place<'a>) -> bool {
    match place.node.kind() {
        Kind::Object(_) | Kind::Bool(_) => true,
        _ => {
            cx.wrong_type(place, "a schema", "an object");
            false
        }
    }
}
