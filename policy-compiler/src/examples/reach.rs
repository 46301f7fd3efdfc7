//! Which schemas a value can meet, by which way, and which of their keywords can refuse.

use super::carrier::{Carrier, Written};
use super::evaluate::properties;
use crate::ir::{Model, Origin, Schema, SchemaId};
use std::collections::{HashMap, VecDeque};

/// How one schema leads to another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Edge {
    /// `$ref`, `$dynamicRef`, `allOf`: on the same value, always.
    Always,
    /// A branch of `anyOf`.
    AnyOf(u32),
    /// A branch of `oneOf`.
    OneOf(u32),
    /// `then`
    Then,
    /// `else`
    Else,
    /// `dependentSchemas`, by the property.
    Dependent(String),
    /// `properties`, by name.
    Property(String),
    /// `patternProperties`, by pattern.
    Pattern(String),
    /// `additionalProperties` or `unevaluatedProperties`
    Additional,
    /// `items` or `unevaluatedItems`
    Items,
    /// `prefixItems`, by place.
    Prefix(u32),
}

/// One step of a way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The schema that leads on.
    pub from: SchemaId,
    /// How.
    pub edge: Edge,
}

/// A schema that a value can meet.
#[derive(Clone, Debug)]
pub struct Reach {
    /// The schema.
    pub schema: SchemaId,
    /// The shortest way from the root.
    pub way: Vec<Step>,
    /// How the values are written that it meets.
    pub written: Written,
}

/// A keyword that can refuse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Occurrence {
    /// The keyword as written.
    pub keyword: &'static str,
    /// Where it stands.
    pub origin: Origin,
}

/// Every schema that values of `root` can meet and be refused by, nearest first; one that is met in values that are
/// written in several ways is listed for each. What only decides (`not`, `if`, `contains`, `propertyNames`) and what is
/// refused whole (read-only properties) is not entered.
pub fn reach(
    model: &Model,
    root: SchemaId,
    carrier: &Carrier<'_>,
    read_only: &mut dyn FnMut(SchemaId) -> bool,
) -> Vec<Reach> {
    type State = (SchemaId, Written);
    let start = (root, carrier.whole());
    let mut from: HashMap<State, Option<(State, Edge)>> = HashMap::from([(start, None)]);
    let mut order = vec![start];
    let mut open = VecDeque::from([start]);
    while let Some(state) = open.pop_front() {
        for (edge, child) in edges(&model.schemas[state.0]) {
            let entered = matches!(edge, Edge::Property(_) | Edge::Pattern(_) | Edge::Additional);
            let next = (child, carrier.inward(state.1, &edge));
            if from.contains_key(&next) || entered && read_only(child) {
                continue;
            }
            from.insert(next, Some((state, edge)));
            order.push(next);
            open.push_back(next);
        }
    }
    let way = |state: State| {
        let mut way = Vec::new();
        let mut at = state;
        while let Some(Some((before, edge))) = from.get(&at) {
            way.push(Step { from: before.0, edge: edge.clone() });
            at = *before;
        }
        way.reverse();
        way
    };
    order
        .into_iter()
        .map(|state| Reach { schema: state.0, way: way(state), written: state.1 })
        .collect()
}

fn edges(schema: &Schema) -> Vec<(Edge, SchemaId)> {
    let mut all = Vec::new();
    let dynamic = schema.dynamic_reference.as_ref().map(|d| d.value.schema);
    all.extend(
        schema.reference.map(|r| r.value).into_iter().chain(dynamic).map(|id| (Edge::Always, id)),
    );
    let of = &*schema.applied;
    all.extend(of.all_of.iter().flat_map(|l| &l.value).map(|id| (Edge::Always, *id)));
    let branches = |list: &Option<crate::ir::At<Vec<SchemaId>>>, edge: fn(u32) -> Edge| {
        let list = list.iter().flat_map(|l| &l.value);
        list.enumerate().map(|(i, id)| (edge(i as u32), *id)).collect::<Vec<_>>()
    };
    all.extend(branches(&of.any_of, Edge::AnyOf));
    all.extend(branches(&of.one_of, Edge::OneOf));
    if of.if_.is_some() {
        all.extend(of.then.map(|at| (Edge::Then, at.value)));
        all.extend(of.else_.map(|at| (Edge::Else, at.value)));
    }
    let of = &*schema.object;
    all.extend(properties(schema).map(|p| (Edge::Property(p.name.clone()), p.schema)));
    let patterns = of.pattern_properties.iter().flat_map(|l| &l.value);
    all.extend(patterns.map(|p| (Edge::Pattern(p.name.clone()), p.schema)));
    let dependents = of.dependent_schemas.iter().flat_map(|l| &l.value);
    all.extend(dependents.map(|p| (Edge::Dependent(p.name.clone()), p.schema)));
    let rest = [of.additional_properties, of.unevaluated_properties];
    all.extend(rest.into_iter().flatten().map(|at| (Edge::Additional, at.value)));
    let of = &*schema.array;
    let prefix = of.prefix_items.iter().flat_map(|l| &l.value).enumerate();
    all.extend(prefix.map(|(i, id)| (Edge::Prefix(i as u32), *id)));
    let rest = [of.items, of.unevaluated_items];
    all.extend(rest.into_iter().flatten().map(|at| (Edge::Items, at.value)));
    all
}

impl Reach {
    /// The keywords of the schema that can refuse a value, and those that say nothing, as `minLength: 0`. Left out
    /// is what holds other schemas and refuses through them.
    pub fn occurrences(
        &self,
        model: &Model,
        read_only: &mut dyn FnMut(SchemaId) -> bool,
    ) -> (Vec<Occurrence>, Vec<Occurrence>) {
        let schema = &model.schemas[self.schema];
        let (mut all, mut silent) = (Vec::new(), Vec::new());
        let mut add = |keyword: &'static str, origin: Origin, says: bool| {
            let list = if says { &mut all } else { &mut silent };
            list.push(Occurrence { keyword, origin });
        };
        macro_rules! written {
            ($($name:literal: $at:expr),* $(,)?) => {
                $(if let Some(at) = &$at { add($name, at.origin, true); })*
            };
        }
        let not_false =
            |at: &crate::ir::At<SchemaId>| model.schemas[at.value].boolean == Some(false);
        written! {
            "type": schema.types, "const": schema.constant,
            "minimum": schema.number.minimum, "maximum": schema.number.maximum,
            "multipleOf": schema.number.multiple_of,
            "exclusiveMinimum": schema.number.exclusive_minimum_flag,
            "exclusiveMaximum": schema.number.exclusive_maximum_flag,
            "maxLength": schema.string.max_length, "pattern": schema.string.pattern,
            "format": schema.string.format,
            "contentMediaType": schema.string.content_media_type,
            "maxItems": schema.array.max_items, "maxProperties": schema.object.max_properties,
            "maxContains": schema.array.max_contains,
            "propertyNames": schema.object.property_names,
            "dependentRequired": schema.object.dependent_required,
            "anyOf": schema.applied.any_of, "oneOf": schema.applied.one_of,
            "not": schema.applied.not,
        }
        if let Some(at) = &schema.enumeration {
            add(schema.enumeration_keyword(), at.origin, true);
        }
        let numbers = &*schema.number;
        let bounds = [
            (
                &numbers.exclusive_minimum,
                &numbers.exclusive_minimum_flag,
                "minimum",
                "exclusiveMinimum",
            ),
            (
                &numbers.exclusive_maximum,
                &numbers.exclusive_maximum_flag,
                "maximum",
                "exclusiveMaximum",
            ),
        ];
        for (bound, flag, flagged, plain) in bounds {
            let name = if flag.is_some() { flagged } else { plain };
            if let Some(bound) = bound {
                add(name, bound.origin, true);
            }
        }
        if let Some(at) = &schema.string.content_encoding {
            let any = ["binary", "8bit"].iter().any(|name| at.value.eq_ignore_ascii_case(name));
            add("contentEncoding", at.origin, !any);
        }
        if let Some(at) = schema.read_only.filter(|at| !at.value) {
            add("readOnly", at.origin, false);
        }
        if let Some(at) = schema.string.min_length {
            add("minLength", at.origin, at.value > 0);
        }
        if let Some(at) = schema.array.min_items {
            add("minItems", at.origin, at.value > 0);
        }
        if let Some(at) = schema.object.min_properties {
            add("minProperties", at.origin, at.value > 0);
        }
        if let Some(at) = schema.array.unique_items {
            add("uniqueItems", at.origin, at.value);
        }
        if let Some(at) = &schema.object.required {
            let says = at.value.iter().any(|name| {
                !properties(schema).any(|p| p.name == name.value && read_only(p.schema))
            });
            add("required", at.origin, says);
        }
        if let Some(at) = schema.array.contains {
            add("contains", at.origin, schema.array.min_contains.is_none());
            if let Some(min) = schema.array.min_contains {
                add("minContains", min.origin, min.value > 0);
            }
        }
        let closed = [
            ("additionalProperties", schema.object.additional_properties),
            ("unevaluatedProperties", schema.object.unevaluated_properties),
            ("items", schema.array.items),
            ("unevaluatedItems", schema.array.unevaluated_items),
        ];
        for (name, at) in closed {
            if let Some(at) = at {
                add(name, at.origin, not_false(&at));
            }
        }
        if let Some((discriminator, _)) = super::evaluate::tags(schema) {
            add("discriminator", discriminator.origin, true);
        }
        for property in properties(schema) {
            if read_only(property.schema) {
                let closure =
                    super::evaluate::closure(model, &[property.schema], &mut |_| Vec::new());
                let marked = closure
                    .into_iter()
                    .find_map(|id| model.schemas[id].read_only.filter(|marked| marked.value));
                if let Some(marked) = marked {
                    add("readOnly", marked.origin, true);
                }
            }
        }
        (all, silent)
    }
}
