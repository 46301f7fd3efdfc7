//! What can be said of a schema without lowering it: the types that it can accept, whether it
//! accepts `null`, the strings that a property of it must hold.
//!
//! Cycles through the same value (`allOf` of itself) and depth are cut with the answer that says
//! nothing, so every answer is sound and some are less than exact.

use crate::ir::{At, Schema, SchemaId, Schemas, TypeSet, Value};
use portcullis_bundle::layout::{
    TYPE_ALL, TYPE_ARRAY, TYPE_BOOLEAN, TYPE_FRACTION, TYPE_INTEGER, TYPE_NULL, TYPE_OBJECT,
    TYPE_STRING,
};
use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// How deep compositions are looked into.
const DEPTH: usize = 24;

/// Required names that are tried as a tag.
const TAG_NAMES: usize = 256;

/// How many schemas one question looks at.
const STEPS: u32 = 20_000;

/// Answers questions about schemas, remembering what was asked.
pub struct Facts<'m> {
    schemas: &'m Schemas,
    types: HashMap<SchemaId, u8>,
    steps: Cell<u32>,
}

impl<'m> Facts<'m> {
    /// Nothing is known yet.
    pub fn new(schemas: &'m Schemas) -> Self {
        Facts { schemas, types: HashMap::new(), steps: Cell::new(0) }
    }

    /// `TYPE_*` bits of all values that the schema can accept, and maybe of some that it does not.
    pub fn types(&mut self, id: SchemaId) -> u8 {
        if let Some(known) = self.types.get(&id) {
            return *known;
        }
        self.steps.set(STEPS);
        let (types, exact) = self.types_at(id, DEPTH);
        if exact {
            self.types.insert(id, types);
        }
        types
    }

    fn types_at(&mut self, id: SchemaId, depth: usize) -> (u8, bool) {
        if let Some(known) = self.types.get(&id) {
            return (*known, true);
        }
        if self.spent(depth) {
            return (TYPE_ALL, false);
        }
        let schema = &self.schemas[id];
        let mut types = own_types(schema);
        let mut exact = true;
        let mut narrow = |facts: &mut Self, ids: &[SchemaId], any: bool| {
            let each = ids.iter().map(|id| facts.types_at(*id, depth - 1));
            let start = if any { 0 } else { TYPE_ALL };
            let (found, sure) = each.fold((start, true), |(types, sure), (of, ok)| {
                (if any { types | of } else { types & of }, sure && ok)
            });
            types &= found;
            exact &= sure;
        };
        narrow(self, &referred(schema), false);
        for list in [&schema.applied.any_of, &schema.applied.one_of].into_iter().flatten() {
            narrow(self, &list.value, true);
        }
        if exact {
            self.types.insert(id, types);
        }
        (types, exact)
    }

    /// Whether the schema accepts `null`; `None` where that is not known.
    pub fn accepts_null(&mut self, id: SchemaId) -> Option<bool> {
        self.steps.set(STEPS);
        self.null_at(id, DEPTH)
    }

    fn null_at(&mut self, id: SchemaId, depth: usize) -> Option<bool> {
        if self.types_at(id, depth).0 & TYPE_NULL == 0 {
            return Some(false);
        }
        if self.spent(depth) {
            return None;
        }
        let schema = &self.schemas[id];
        let applied = &schema.applied;
        if applied.not.is_some() || applied.if_.is_some() {
            return None;
        }
        let mut accepts = Some(true);
        for id in referred(schema) {
            accepts = both(accepts, self.null_at(id, depth - 1));
        }
        if let Some(any_of) = &applied.any_of {
            let of: Vec<_> = any_of.value.iter().map(|id| self.null_at(*id, depth - 1)).collect();
            accepts = both(accepts, any(&of));
        }
        if let Some(one_of) = &applied.one_of {
            let of: Vec<_> = one_of.value.iter().map(|id| self.null_at(*id, depth - 1)).collect();
            let sure = of.iter().all(Option::is_some);
            let count = of.iter().filter(|of| **of == Some(true)).count();
            accepts = both(accepts, if sure { Some(count == 1) } else { None });
        }
        accepts
    }

    /// Whether the schema has no constraint at all.
    pub fn accepts_all(&self, id: SchemaId) -> bool {
        let s = &self.schemas[id];
        s.boolean == Some(true)
            || s.boolean.is_none()
                && s.reference.is_none()
                && s.dynamic_reference.is_none()
                && s.types.is_none()
                && s.enumeration.is_none()
                && s.constant.is_none()
                && s.number.is_empty()
                && s.string.is_empty()
                && s.array.is_empty()
                && s.object.is_empty()
                && s.applied.is_empty()
    }

    /// The strings that property `name` of an object must hold for the schemas to accept it, and
    /// whether it must be there. `None` for the strings where they are not told one by one.
    pub fn tag(&self, ids: &[SchemaId], name: &str) -> (Option<BTreeSet<String>>, bool) {
        self.steps.set(STEPS);
        self.tag_at(ids, name, DEPTH)
    }

    fn tag_at(
        &self,
        ids: &[SchemaId],
        name: &str,
        depth: usize,
    ) -> (Option<BTreeSet<String>>, bool) {
        let (mut values, mut required) = (None, false);
        if self.spent(depth) {
            return (None, false);
        }
        for id in ids {
            let schema = &self.schemas[*id];
            let object = &schema.object;
            required |= object.required.iter().flat_map(|r| &r.value).any(|r| r.value == name);
            for property in object.properties.iter().flat_map(|p| &p.value) {
                if property.name == name {
                    values = meet(values, self.strings_at(property.schema, depth - 1));
                }
            }
            let (below, needed) = self.tag_at(&referred(schema), name, depth - 1);
            values = meet(values, below);
            required |= needed;
            let applied = &schema.applied;
            for list in [&applied.any_of, &applied.one_of].into_iter().flatten() {
                let of: Vec<_> = list
                    .value
                    .iter()
                    .map(|branch| self.tag_at(&[*branch], name, depth - 1))
                    .collect();
                required |= !of.is_empty() && of.iter().all(|(_, needed)| *needed);
                let told: Option<Vec<_>> = of.into_iter().map(|(values, _)| values).collect();
                values = meet(values, told.map(|told| told.into_iter().flatten().collect()));
            }
        }
        (values, required)
    }

    /// The strings that a schema accepts, where they are told one by one.
    fn strings_at(&self, id: SchemaId, depth: usize) -> Option<BTreeSet<String>> {
        if self.spent(depth) {
            return None;
        }
        let schema = &self.schemas[id];
        let text = |value: &Value| match value {
            Value::String(text) => Some(text.clone()),
            _ => None,
        };
        let mut strings = None;
        if let Some(list) = &schema.enumeration {
            strings = meet(strings, Some(list.value.iter().filter_map(text).collect()));
        }
        if let Some(constant) = &schema.constant {
            strings = meet(strings, Some(text(&constant.value).into_iter().collect()));
        }
        for id in referred(schema) {
            strings = meet(strings, self.strings_at(id, depth - 1));
        }
        for list in [&schema.applied.any_of, &schema.applied.one_of].into_iter().flatten() {
            let of: Option<Vec<_>> =
                list.value.iter().map(|id| self.strings_at(*id, depth - 1)).collect();
            strings = meet(strings, of.map(|of| of.into_iter().flatten().collect()));
        }
        strings
    }

    /// Names of properties that the schema requires and that must hold strings told one by one:
    /// what a tag can be.
    pub fn tag_names(&self, id: SchemaId) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        let mut open = vec![(id, DEPTH)];
        while let Some((id, depth)) = open.pop() {
            let schema = &self.schemas[id];
            for name in schema.object.required.iter().flat_map(|r| &r.value) {
                if names.len() < TAG_NAMES && !names.contains(&name.value) {
                    names.push(name.value.clone());
                }
            }
            if depth > 0 && names.len() < 64 {
                open.extend(referred(schema).into_iter().map(|id| (id, depth - 1)));
            }
        }
        names.retain(|name| matches!(self.tag(&[id], name), (Some(_), true)));
        names
    }
}

/// How many schemas the search for a hint looks at.
const HINT_STEPS: u32 = 200_000;
/// Names that are tried as a hint, and values that one can have.
const HINT_NAMES: usize = 16;
const HINT_VALUES: usize = 512;

impl Facts<'_> {
    /// A property whose value speaks for one of several branches, with the branch of each value, `None` where
    /// several allow it. The property that speaks for most branches is taken, `first` before all others.
    pub fn hint(
        &self,
        branches: &[SchemaId],
        first: Option<&str>,
    ) -> Option<(String, BTreeMap<String, Option<usize>>)> {
        self.steps.set(HINT_STEPS);
        let mut names: Vec<String> = first.map(str::to_owned).into_iter().collect();
        for branch in branches {
            if names.len() >= HINT_NAMES {
                break;
            }
            self.told_names(*branch, &mut names);
        }
        let mut best: Option<(usize, String, BTreeMap<String, Option<usize>>)> = None;
        for name in names {
            let tags = self.spoken_for(branches, &name);
            let count = tags.values().flatten().collect::<BTreeSet<_>>().len();
            let better = best.as_ref().is_none_or(|(known, ..)| count > *known);
            if better && count > 1 && tags.len() <= HINT_VALUES {
                let preferred = first == Some(&name);
                best = Some((count, name, tags));
                if preferred {
                    break;
                }
            }
        }
        best.map(|(_, name, tags)| (name, tags))
    }

    /// Adds the names of properties that must hold strings told one by one.
    fn told_names(&self, branch: SchemaId, names: &mut Vec<String>) {
        let mut open = vec![(branch, DEPTH)];
        while let Some((id, depth)) = open.pop() {
            let schema = &self.schemas[id];
            for property in schema.object.properties.iter().flat_map(|list| &list.value) {
                if names.len() < HINT_NAMES
                    && !names.contains(&property.name)
                    && self.strings_at(property.schema, DEPTH).is_some()
                {
                    names.push(property.name.clone());
                }
            }
            if !self.spent(depth) {
                open.extend(referred(schema).into_iter().map(|id| (id, depth - 1)));
            }
        }
    }

    /// The values of a property that some of several branches allow it, each with the branch if it is only one.
    fn spoken_for(&self, branches: &[SchemaId], name: &str) -> BTreeMap<String, Option<usize>> {
        let mut tags: BTreeMap<String, Option<usize>> = BTreeMap::new();
        for (at, branch) in branches.iter().enumerate() {
            for value in self.tag_at(&[*branch], name, DEPTH).0.into_iter().flatten() {
                tags.entry(value).and_modify(|of| *of = None).or_insert(Some(at));
            }
        }
        tags
    }

    /// Whether to stop looking; counts a step.
    fn spent(&self, depth: usize) -> bool {
        let left = self.steps.get();
        self.steps.set(left.saturating_sub(1));
        depth == 0 || left == 0
    }
}

/// The types that a schema names.
pub fn declared_types(schema: &Schema) -> u8 {
    let boolean = if schema.boolean == Some(false) { 0 } else { TYPE_ALL };
    boolean & schema.types.map_or(TYPE_ALL, |types| type_bits(types.value))
}

/// The types that a schema's own keywords leave, compositions aside.
pub fn own_types(schema: &Schema) -> u8 {
    let declared = declared_types(schema);
    let literal = schema.enumeration.as_ref().map_or(TYPE_ALL, |list| literal_types(&list.value));
    let constant = schema.constant.as_ref().map_or(TYPE_ALL, |c| value_bits(&c.value));
    declared & literal & constant
}

/// Schemas that apply to the same value in every case: `$ref` with siblings, `allOf`.
pub fn referred(schema: &Schema) -> Vec<SchemaId> {
    let reference = schema.reference.map(|r| r.value);
    let dynamic = schema.dynamic_reference.as_ref().map(|r| r.value.schema);
    let all_of = schema.applied.all_of.iter().flat_map(|list: &At<Vec<SchemaId>>| &list.value);
    reference.into_iter().chain(dynamic).chain(all_of.copied()).collect()
}

/// `TYPE_*` bits of a set of types.
pub fn type_bits(types: TypeSet) -> u8 {
    use crate::ir::Type;
    types.iter().fold(0, |bits, kind| {
        bits | match kind {
            Type::Null => TYPE_NULL,
            Type::Boolean => TYPE_BOOLEAN,
            Type::Integer => TYPE_INTEGER,
            Type::Number => TYPE_INTEGER | TYPE_FRACTION,
            Type::String => TYPE_STRING,
            Type::Array => TYPE_ARRAY,
            Type::Object => TYPE_OBJECT,
        }
    })
}

/// The `TYPE_*` bit of a value.
pub fn value_bits(value: &Value) -> u8 {
    match value {
        Value::Null => TYPE_NULL,
        Value::Bool(_) => TYPE_BOOLEAN,
        Value::Number(number) if number.is_integer() => TYPE_INTEGER,
        Value::Number(_) => TYPE_FRACTION,
        Value::String(_) => TYPE_STRING,
        Value::Array(_) => TYPE_ARRAY,
        Value::Object(_) => TYPE_OBJECT,
    }
}

fn literal_types(values: &[Value]) -> u8 {
    values.iter().fold(0, |bits, value| bits | value_bits(value))
}

fn meet(a: Option<BTreeSet<String>>, b: Option<BTreeSet<String>>) -> Option<BTreeSet<String>> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.intersection(&b).cloned().collect()),
        (a, b) => a.or(b),
    }
}

fn both(a: Option<bool>, b: Option<bool>) -> Option<bool> {
    match (a, b) {
        (Some(false), _) | (_, Some(false)) => Some(false),
        (Some(true), Some(true)) => Some(true),
        _ => None,
    }
}

fn any(of: &[Option<bool>]) -> Option<bool> {
    if of.contains(&Some(true)) {
        return Some(true);
    }
    if of.iter().all(Option::is_some) { Some(false) } else { None }
}
