//! Schemas into the arena: one entry per location, references resolved to their target's entry.
//!
//! Nothing recurses: a schema's children get ids at once and are read from a queue, so that
//! neither depth nor cycles matter.

mod applied;
mod assertions;
mod keywords;
mod xml;

pub(super) use keywords::dialect;

use crate::diag::{self, Diagnostic, Severity};
use crate::ir::{Schema, SchemaId, Unsupported, Usage, Version};
use crate::source::{Kind, Place};

use super::context::Context;

/// How many references in a row are followed.
const MAX_CHAIN: usize = 200;

/// The id of the schema at a place, which is read later by [`drain`].
pub(super) fn id_of<'a>(cx: &mut Context<'a>, place: Place<'a>, version: Version) -> SchemaId {
    let mut at = place;
    let mut seen = vec![];
    for _ in 0..MAX_CHAIN {
        if let Some(id) = cx.schemas.get(&(at.document, at.node.id(), version)) {
            let id = *id;
            remember(cx, &seen, version, id);
            return id;
        }
        let Some(text) = reference(at) else { break };
        seen.push(at);
        if version == Version::V3_0 {
            ignore_siblings(cx, at);
        } else if keywords::has_siblings(at) {
            // The reference is one keyword among others.
            seen.pop();
            break;
        }
        match cx.resolve(at.document, text) {
            Ok(target) => at = target,
            Err(error) => {
                let id = unresolved(cx, at, text, error);
                remember(cx, &seen, version, id);
                return id;
            }
        }
        if seen.iter().any(|p| p.key() == at.key()) {
            let title = format!("`{text}` leads back to itself");
            cx.report(diag::CIRCULAR_REF, place, title);
            let id = add(cx, place);
            remember(cx, &seen, version, id);
            return id;
        }
    }
    let id = add(cx, at);
    cx.schemas.insert((at.document, at.node.id(), version), id);
    cx.queue.push((id, at, version));
    remember(cx, &seen, version, id);
    id
}

/// Reads everything that has an id but no content.
pub(super) fn drain(cx: &mut Context<'_>) {
    while let Some((id, place, version)) = cx.queue.pop() {
        let schema = keywords::read(cx, place, version);
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

fn add<'a>(cx: &mut Context<'a>, place: Place<'a>) -> SchemaId {
    let origin = cx.origin(place);
    let id = SchemaId(cx.model.schemas.len() as u32);
    cx.model.schemas.0.push(Schema { origin, ..Schema::default() });
    id
}

fn remember<'a>(cx: &mut Context<'a>, seen: &[Place<'a>], version: Version, id: SchemaId) {
    for place in seen {
        cx.schemas.insert((place.document, place.node.id(), version), id);
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

/// OpenAPI 3.0 ignores what stands beside `$ref`.
fn ignore_siblings<'a>(cx: &mut Context<'a>, place: Place<'a>) {
    let mut ignored: Vec<&str> = Vec::new();
    for (member, node) in place.node.members().into_iter().flatten() {
        if keywords::is_constraint(&member.key) {
            ignored.push(&member.key);
            cx.ignore(place.with(node), &member.key, "OpenAPI 3.0 ignores what is beside `$ref`");
        }
    }
    if !ignored.is_empty() {
        let title = format!("`{}` beside `$ref` is ignored in OpenAPI 3.0", ignored.join("`, `"));
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
