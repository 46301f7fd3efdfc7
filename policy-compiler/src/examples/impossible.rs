//! Schemas that contradict each other, so that no value satisfies them all.

use super::evaluate::{Evaluator, closure, properties};
use super::reach::Edge;
use crate::ir::{Schema, SchemaId, Type};

/// How deep contradictions are looked for.
pub(super) const IMPOSSIBLE: u32 = 6;

/// Whether no value satisfies schemas together that admit nothing but objects.
pub(super) fn contradicts(evaluator: &mut Evaluator<'_>, roots: &[SchemaId], depth: u32) -> bool {
    let model = evaluator.model;
    let flat = closure(model, roots, &mut |_| Vec::new());
    let only_objects =
        |schema: &Schema| schema.types.is_some_and(|types| types.value.iter().eq([Type::Object]));
    let own = flat.iter().any(|id| only_objects(&model.schemas[*id]));
    if own && no_object(evaluator, roots, depth) {
        return true;
    }
    // No branch of a union is possible.
    depth > 0
        && flat.iter().any(|id| {
            let of = &*model.schemas[*id].applied;
            [&of.any_of, &of.one_of].into_iter().flatten().any(|list| {
                list.value.iter().all(|branch| {
                    let with: Vec<SchemaId> = roots.iter().copied().chain([*branch]).collect();
                    contradicts(evaluator, &with, depth - 1)
                })
            })
        })
}

/// Whether no object satisfies schemas together: one of them closes the object to a property that another requires,
/// or a property that is required is impossible itself.
pub(super) fn no_object(evaluator: &mut Evaluator<'_>, roots: &[SchemaId], depth: u32) -> bool {
    let model = evaluator.model;
    let flat = closure(model, roots, &mut |_| Vec::new());
    if depth == 0 {
        return false;
    }
    let closed: Vec<&Schema> = flat
        .iter()
        .map(|id| &model.schemas[*id])
        .filter(|schema| {
            let of = &*schema.object;
            of.pattern_properties.is_none()
                && of
                    .additional_properties
                    .is_some_and(|rest| model.schemas[rest.value].boolean == Some(false))
        })
        .collect();
    let names: Vec<&str> = flat
        .iter()
        .filter_map(|id| model.schemas[*id].object.required.as_ref())
        .flat_map(|list| list.value.iter().map(|name| name.value.as_str()))
        .collect();
    names.into_iter().any(|name| {
        let edge = Edge::Property(name.to_owned());
        let own: Vec<SchemaId> =
            flat.iter().flat_map(|id| children(evaluator, &model.schemas[*id], &edge)).collect();
        if own.iter().any(|id| evaluator.is_read_only(*id)) {
            return false;
        }
        closed.iter().any(|schema| !properties(schema).any(|p| p.name == name))
            || contradicts(evaluator, &own, depth - 1)
    })
}

/// The schemas of what an edge leads to, of those that certainly apply there.
pub(super) fn children(
    evaluator: &mut Evaluator<'_>,
    schema: &Schema,
    edge: &Edge,
) -> Vec<SchemaId> {
    match edge {
        Edge::Property(name) => {
            let mut all: Vec<SchemaId> =
                properties(schema).filter(|p| p.name == *name).map(|p| p.schema).collect();
            for pattern in schema.object.pattern_properties.iter().flat_map(|list| &list.value) {
                if evaluator.matches(&pattern.name, name) {
                    all.push(pattern.schema);
                }
            }
            if all.is_empty() {
                all.extend(schema.object.additional_properties.map(|at| at.value));
            }
            all
        }
        Edge::Pattern(pattern) => {
            let list = schema.object.pattern_properties.iter().flat_map(|list| &list.value);
            list.filter(|p| p.name == *pattern).map(|p| p.schema).collect()
        }
        Edge::Additional => {
            let of = &*schema.object;
            of.additional_properties
                .or(of.unevaluated_properties)
                .map(|at| at.value)
                .into_iter()
                .collect()
        }
        Edge::Items => {
            let of = &*schema.array;
            let plain = of.prefix_items.is_none();
            of.items.filter(|_| plain).or(of.items).map(|at| at.value).into_iter().collect()
        }
        Edge::Prefix(i) => {
            let of = &*schema.array;
            let own = of.prefix_items.as_ref().and_then(|list| list.value.get(*i as usize));
            own.copied().or(of.items.map(|at| at.value)).into_iter().collect()
        }
        _ => Vec::new(),
    }
}
