//! `$dynamicRef` by the dynamic scope (JSON Schema 2020-12 core, section 8.2.3.2).
//!
//! In: schemas whose dynamic references lead to their initial targets. Out: the same, in which every
//! dynamic reference leads where it does on each way: a schema that is reached through several scopes is
//! cloned for each. A scope is what counts of it: for each dynamic anchor that is asked for, the first
//! resource on the way that has it.

use std::collections::{HashMap, HashSet};

use crate::diag::{self, Diagnostic, Span};
use crate::ir::{Dialect, Schema, SchemaId, Schemas};
use crate::source::ResourceId;

use super::super::context::Context;

/// Clones that one compilation makes, at most.
pub const MAX_CLONES: usize = 20_000;

/// For each anchor that is known in it, the schema that it leads to; by anchor.
type Scope = Vec<(u32, SchemaId)>;

/// Resolves the dynamic references of a model. An id that something outside refers to keeps its
/// meaning: the schema, entered by its own resource.
pub(in crate::openapi) fn specialise(cx: &mut Context<'_>) {
    let anchors = asked(cx);
    if anchors.is_empty() {
        return;
    }
    let by_resource = anchored(cx, &anchors);
    let originals = cx.model.schemas.clone();
    let reaching = reaching(&originals);
    let mut clones = Clones { by_resource, originals, reaching, known: HashMap::new() };
    let mut open: Vec<(SchemaId, SchemaId, Scope)> = Vec::new();
    for (id, _) in clones.originals.iter().filter(|(id, _)| clones.reaching.contains(id)) {
        let scope = clones.enter(&Scope::new(), cx.resources[id.index()]);
        open.push((id, id, scope));
    }
    let known = open.iter().map(|(id, _, scope)| ((*id, scope.clone()), *id));
    clones.known = known.collect();
    let mut refused = false;
    while let Some((id, original, scope)) = open.pop() {
        let mut schema = clones.originals[original].clone();
        if let Some(reference) = &mut schema.dynamic_reference
            && let Some(anchor) = reference.value.anchor.take()
        {
            let index = anchors.get(anchor.as_str()).copied();
            let found = scope.iter().find(|(known, _)| Some(*known) == index);
            if let Some((_, target)) = found {
                reference.value.schema = *target;
            }
        }
        schema.each_child_mut(|child| match clones.of(cx, *child, &scope) {
            Child::Known(known) => *child = known,
            Child::New(clone, scope) => {
                open.push((clone, *child, scope));
                *child = clone;
            }
            Child::Refused => refused = true,
        });
        cx.model.schemas[id] = schema;
        if refused {
            break;
        }
    }
    if refused {
        give_up(cx, clones.originals);
    }
}

/// The dynamic anchors that references ask for, numbered.
fn asked(cx: &Context<'_>) -> HashMap<String, u32> {
    let mut anchors = HashMap::new();
    for (_, schema) in cx.model.schemas.iter() {
        let asked = schema.dynamic_reference.as_ref().and_then(|at| at.value.anchor.as_ref());
        if let Some(anchor) = asked {
            let next = anchors.len() as u32;
            anchors.entry(anchor.clone()).or_insert(next);
        }
    }
    anchors
}

/// Where each resource has these anchors. Reads the schemas there, which may bring more.
fn anchored(cx: &mut Context<'_>, anchors: &HashMap<String, u32>) -> HashMap<ResourceId, Scope> {
    let library = cx.library;
    let mut by_resource: HashMap<ResourceId, Scope> = HashMap::new();
    for resource in library.resources() {
        for (name, place) in library.dynamic_anchors(resource) {
            let Some(anchor) = anchors.get(name) else { continue };
            let id = super::id_in(cx, place, Dialect::Draft2020);
            by_resource.entry(resource).or_default().push((*anchor, id));
        }
    }
    super::drain(cx);
    by_resource
}

/// The schemas from which an anchored dynamic reference can be reached.
fn reaching(schemas: &Schemas) -> HashSet<SchemaId> {
    let mut parents: HashMap<SchemaId, Vec<SchemaId>> = HashMap::new();
    let mut open = Vec::new();
    for (id, schema) in schemas.iter() {
        schema.children().into_iter().for_each(|child| parents.entry(child).or_default().push(id));
        if schema.dynamic_reference.as_ref().is_some_and(|at| at.value.anchor.is_some()) {
            open.push(id);
        }
    }
    let mut found = HashSet::new();
    while let Some(id) = open.pop() {
        if found.insert(id) {
            open.extend(parents.get(&id).into_iter().flatten());
        }
    }
    found
}

/// Too many scopes: what dynamic references lead to is allowed to be anything, and reported so.
fn give_up(cx: &mut Context<'_>, originals: Schemas) {
    cx.resources.truncate(originals.len());
    cx.model.schemas = originals;
    let any = SchemaId(cx.model.schemas.len() as u32);
    let mut first = None;
    for schema in &mut cx.model.schemas.0 {
        if let Some(at) = schema.dynamic_reference.as_mut().filter(|at| at.value.anchor.is_some()) {
            at.value.schema = any;
            first = first.or(Some(at.origin));
        }
    }
    let Some(origin) = first else { return };
    cx.model.schemas.0.push(Schema { origin, boolean: Some(true), ..Schema::default() });
    let title = format!("`$dynamicRef` would need more than {MAX_CLONES} clones of schemas");
    cx.diagnostics.push(
        Diagnostic::new(diag::DYNAMIC_SCOPES, title)
            .at(Span::of(origin, &cx.model))
            .help("it is reported as not enforced; refer by `$ref` where the target is known"),
    );
}

struct Clones {
    /// The asked anchors of each resource.
    by_resource: HashMap<ResourceId, Scope>,
    /// The schemas as they were read.
    originals: Schemas,
    /// Schemas from which a dynamic reference can be reached.
    reaching: HashSet<SchemaId>,
    known: HashMap<(SchemaId, Scope), SchemaId>,
}

enum Child {
    Known(SchemaId),
    New(SchemaId, Scope),
    Refused,
}

impl Clones {
    /// The scope within a resource that is entered.
    fn enter(&self, scope: &Scope, resource: ResourceId) -> Scope {
        let mut within = scope.clone();
        for (anchor, target) in self.by_resource.get(&resource).into_iter().flatten() {
            if !within.iter().any(|(known, _)| known == anchor) {
                within.push((*anchor, *target));
            }
        }
        within.sort_unstable();
        within
    }

    /// What a schema is in a scope.
    fn of(&mut self, cx: &mut Context<'_>, child: SchemaId, scope: &Scope) -> Child {
        if !self.reaching.contains(&child) {
            return Child::Known(child);
        }
        let resource = cx.resources[child.index()];
        let scope = self.enter(scope, resource);
        if let Some(known) = self.known.get(&(child, scope.clone())) {
            return Child::Known(*known);
        }
        if cx.model.schemas.len() - self.originals.len() >= MAX_CLONES {
            return Child::Refused;
        }
        let clone = SchemaId(cx.model.schemas.len() as u32);
        cx.model.schemas.0.push(self.originals[child].clone());
        cx.resources.push(resource);
        self.known.insert((child, scope.clone()), clone);
        Child::New(clone, scope)
    }
}
