//! Whether one schema accepts nothing that another refuses, as far as their keywords show it.

use super::evaluate::{Evaluator, closure, properties};
use crate::ir::{At, Number, Schema, SchemaId, Type, Value};

/// How deep schemas are compared.
const DEPTH: u32 = 12;

/// Whether everything that `inner` accepts is accepted by `outer`; `false` where that is not seen.
pub(super) fn within(evaluator: &Evaluator<'_>, inner: SchemaId, outer: SchemaId) -> bool {
    let compare = Compare { evaluator };
    compare.all(&[inner], outer, DEPTH)
}

struct Compare<'c, 'm> {
    evaluator: &'c Evaluator<'m>,
}

impl Compare<'_, '_> {
    /// Whether what all of `inner` accept is accepted by `outer`.
    fn all(&self, inner: &[SchemaId], outer: SchemaId, depth: u32) -> bool {
        let model = self.evaluator.model;
        let ids = closure(model, inner, &mut |_| Vec::new());
        let flat: Vec<&Schema> = ids.iter().map(|id| &model.schemas[*id]).collect();
        let more = closure(model, &[outer], &mut |_| Vec::new());
        more.iter().all(|id| ids.contains(id) || self.one(&flat, &model.schemas[*id], depth))
    }

    /// Whether the keywords of one schema are all implied.
    fn one(&self, inner: &[&Schema], outer: &Schema, depth: u32) -> bool {
        let of = &*outer.applied;
        // Marked properties count for requests in ways of their own.
        let plain = of.any_of.is_none()
            && of.one_of.is_none()
            && of.not.is_none()
            && of.if_.is_none()
            && outer.boolean != Some(false)
            && outer.read_only.is_none();
        depth > 0
            && plain
            && self.types(inner, outer)
            && literals(inner, outer)
            && numbers(inner, outer)
            && strings(inner, outer)
            && self.arrays(inner, outer, depth)
            && self.objects(inner, outer, depth)
    }

    fn types(&self, inner: &[&Schema], outer: &Schema) -> bool {
        let Some(types) = &outer.types else { return true };
        let listed = inner.iter().filter_map(|schema| schema.enumeration.as_ref());
        let mut listed = listed.map(|list| &list.value);
        listed.any(|list| list.iter().all(|value| types.value.admits(value.kind())))
            || Type::ALL.into_iter().all(|kind| {
                types.value.admits(kind)
                    || inner.iter().any(|s| s.types.is_some_and(|t| !t.value.admits(kind)))
            })
    }

    fn arrays(&self, inner: &[&Schema], outer: &Schema, depth: u32) -> bool {
        let of = &*outer.array;
        let least = |at: &Option<At<u64>>, own: fn(&Schema) -> Option<At<u64>>| {
            at.is_none_or(|at| inner.iter().filter_map(|s| own(s)).any(|o| o.value >= at.value))
        };
        let most = |at: &Option<At<u64>>, own: fn(&Schema) -> Option<At<u64>>| {
            at.is_none_or(|at| inner.iter().filter_map(|s| own(s)).any(|o| o.value <= at.value))
        };
        let unique = of.unique_items.is_none_or(|unique| {
            !unique.value || inner.iter().any(|s| s.array.unique_items.is_some_and(|own| own.value))
        });
        let items = of.items.is_none_or(|items| {
            let own: Vec<SchemaId> =
                inner.iter().filter_map(|s| s.array.items).map(|at| at.value).collect();
            inner.iter().all(|s| s.array.prefix_items.is_none())
                && !own.is_empty()
                && self.all(&own, items.value, depth - 1)
        });
        of.prefix_items.is_none()
            && of.contains.is_none()
            && of.unevaluated_items.is_none()
            && unique
            && items
            && least(&of.min_items, |s| s.array.min_items)
            && most(&of.max_items, |s| s.array.max_items)
    }

    fn objects(&self, inner: &[&Schema], outer: &Schema, depth: u32) -> bool {
        let of = &*outer.object;
        let required = of.required.iter().flat_map(|list| &list.value).all(|name| {
            inner
                .iter()
                .filter_map(|s| s.object.required.as_ref())
                .any(|list| list.value.iter().any(|own| own.value == name.value))
        });
        let false_ = |id: SchemaId| self.evaluator.model.schemas[id].boolean == Some(false);
        let closed = |schema: &&&Schema| {
            schema.object.additional_properties.is_some_and(|rest| false_(rest.value))
                && schema.object.pattern_properties.is_none()
        };
        let members = properties(outer).all(|property| {
            let own: Vec<SchemaId> = inner
                .iter()
                .flat_map(|s| properties(s))
                .filter(|own| own.name == property.name)
                .map(|own| own.schema)
                .collect();
            let never = inner
                .iter()
                .filter(closed)
                .any(|s| !properties(s).any(|own| own.name == property.name));
            never || !own.is_empty() && self.all(&own, property.schema, depth - 1)
        });
        let rest = match of.additional_properties {
            Some(rest) if false_(rest.value) => inner.iter().filter(closed).any(|schema| {
                properties(schema).all(|own| properties(outer).any(|p| p.name == own.name))
            }),
            Some(rest) => self.evaluator.model.schemas[rest.value].boolean == Some(true),
            None => true,
        };
        of.pattern_properties.is_none()
            && of.unevaluated_properties.is_none()
            && of.property_names.is_none()
            && of.dependent_required.is_none()
            && of.dependent_schemas.is_none()
            && of.min_properties.is_none()
            && of.max_properties.is_none_or(|most| {
                inner
                    .iter()
                    .filter_map(|s| s.object.max_properties)
                    .any(|own| own.value <= most.value)
            })
            && required
            && members
            && rest
    }
}

fn literals(inner: &[&Schema], outer: &Schema) -> bool {
    let lists: Vec<&[Value]> = inner
        .iter()
        .flat_map(|schema| {
            let list = schema.enumeration.as_ref().map(|at| &at.value[..]);
            [list, schema.constant.as_ref().map(|at| std::slice::from_ref(&at.value))]
        })
        .flatten()
        .collect();
    let covered = |allowed: &[Value]| {
        lists.iter().any(|list| list.iter().all(|v| allowed.iter().any(|known| known.same(v))))
    };
    outer.enumeration.as_ref().is_none_or(|at| covered(&at.value))
        && outer.constant.as_ref().is_none_or(|at| covered(std::slice::from_ref(&at.value)))
}

fn numbers(inner: &[&Schema], outer: &Schema) -> bool {
    let of = &*outer.number;
    let same = |at: &Option<At<Number>>, own: fn(&Schema) -> Option<&At<Number>>, less: bool| {
        at.as_ref().is_none_or(|at| {
            inner.iter().filter_map(|s| own(s)).any(|own| {
                let order = own.value.compare(&at.value);
                order.is_eq() || order.is_lt() == less
            })
        })
    };
    same(&of.minimum, |s| s.number.minimum.as_ref(), false)
        && same(&of.maximum, |s| s.number.maximum.as_ref(), true)
        && same(&of.exclusive_minimum, |s| s.number.exclusive_minimum.as_ref(), false)
        && same(&of.exclusive_maximum, |s| s.number.exclusive_maximum.as_ref(), true)
        && of.multiple_of.as_ref().is_none_or(|at| {
            inner
                .iter()
                .filter_map(|s| s.number.multiple_of.as_ref())
                .any(|own| own.value.compare(&at.value).is_eq())
        })
}

fn strings(inner: &[&Schema], outer: &Schema) -> bool {
    let of = &*outer.string;
    let own = || inner.iter().map(|schema| &*schema.string);
    of.min_length.is_none_or(|at| own().filter_map(|o| o.min_length).any(|o| o.value >= at.value))
        && of
            .max_length
            .is_none_or(|at| own().filter_map(|o| o.max_length).any(|o| o.value <= at.value))
        && of
            .pattern
            .as_ref()
            .is_none_or(|at| own().filter_map(|o| o.pattern.as_ref()).any(|o| o.value == at.value))
        && of
            .format
            .as_ref()
            .is_none_or(|at| own().filter_map(|o| o.format.as_ref()).any(|o| o.value == at.value))
        && of.content_encoding.is_none()
        && of.content_media_type.is_none()
}
