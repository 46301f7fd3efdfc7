//! Judges a value by a schema of the model, and tells every keyword that refuses it and every schema that applied.
//!
//! It recurses, forgets nothing and is slow: the plain reading of JSON Schema, to be held against the engine's. What it
//! takes from the engine's side are the automata of patterns. Formats of strings it knows by samples only.

use super::exact::Exact;
use super::{text, token};
use crate::ir::{
    Action, Contents, Formats, Model, OneOf, Origin, Property, Schema, SchemaId, Strictness, Type,
    Value,
};
use crate::lower::pattern::{Pattern, Patterns};
use std::collections::{HashMap, HashSet};
use std::rc::Rc;

/// A keyword that refuses a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// JSON pointer to the value.
    pub at: String,
    /// The keyword as written.
    pub keyword: &'static str,
    /// Where it stands.
    pub origin: Origin,
}

/// A schema that applied to a value, and whose refusal would have been the value's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Visit {
    /// The schema.
    pub schema: SchemaId,
    /// JSON pointer to the value.
    pub at: String,
}

/// What judging a value told.
#[derive(Clone, Debug, Default)]
pub struct Trace {
    /// Keywords that refuse; empty: the value is valid.
    pub violations: Vec<Violation>,
    /// Schemas that applied, in the order of the walk; one can occur at several places.
    pub visits: Vec<Visit>,
}

/// Properties and items that keywords have evaluated.
#[derive(Clone, Debug, Default)]
struct Evaluated {
    names: HashSet<String>,
    every_name: bool,
    items: usize,
    picked: HashSet<usize>,
    every_item: bool,
}

impl Evaluated {
    fn join(&mut self, other: Evaluated) {
        self.names.extend(other.names);
        self.every_name |= other.every_name;
        self.items = self.items.max(other.items);
        self.picked.extend(other.picked);
        self.every_item |= other.every_item;
    }
}

/// How deep values and compositions are followed.
const DEPTH: usize = 256;

/// Judges values by schemas, as requests are judged.
pub struct Evaluator<'m> {
    pub(super) model: &'m Model,
    pub(super) strictness: Strictness,
    patterns: Patterns,
    read_only: HashMap<SchemaId, bool>,
    exempt: HashMap<SchemaId, Rc<HashSet<String>>>,
    names_in: HashMap<SchemaId, HashMap<&'m str, usize>>,
    lengths: HashMap<String, (u64, Option<u64>)>,
    annotates: bool,
}

impl<'m> Evaluator<'m> {
    /// An evaluator of a model's schemas under a policy's strictness.
    pub fn new(model: &'m Model, strictness: Strictness) -> Self {
        let asks = |s: &Schema| {
            s.object.unevaluated_properties.is_some() || s.array.unevaluated_items.is_some()
        };
        Evaluator {
            model,
            strictness,
            patterns: Patterns::default(),
            read_only: HashMap::new(),
            exempt: HashMap::new(),
            names_in: HashMap::new(),
            lengths: HashMap::new(),
            annotates: model.schemas.0.iter().any(asks),
        }
    }

    /// Judges a value.
    pub fn judge(&mut self, schema: SchemaId, value: &Value) -> Trace {
        let mut trace = Trace::default();
        let exempt = self.exempt(schema);
        let mut evaluated = Evaluated::default();
        self.schema(schema, value, "", &exempt, &mut trace, &mut evaluated, 0);
        trace
    }

    /// Whether schemas all accept a value.
    pub fn accepts(&mut self, schemas: &[SchemaId], value: &Value) -> bool {
        schemas.iter().all(|schema| self.judge(*schema, value).violations.is_empty())
    }

    /// Whether a pattern matches in a text; a pattern that is not supported matches everywhere.
    pub fn matches(&mut self, pattern: &str, text: &str) -> bool {
        let lowered = self.patterns.get(pattern).clone();
        match lowered {
            Pattern::Everything | Pattern::Unsupported(_) => true,
            Pattern::Automaton(index) => self.patterns.matches(index, text),
            Pattern::Class { class, min, max } => {
                let ranges = &self.patterns.classes[class as usize];
                let mut count = 0u64;
                let all = text.chars().all(|letter| {
                    count += 1;
                    let code = u32::from(letter);
                    ranges.iter().any(|(first, last)| (*first..=*last).contains(&code))
                });
                all && count >= min && max.is_none_or(|max| count <= max)
            }
        }
    }

    /// The least and the greatest number of characters of texts in which a pattern matches, where it has one.
    pub fn lengths(&mut self, pattern: &str) -> (u64, Option<u64>) {
        if let Some(known) = self.lengths.get(pattern) {
            return *known;
        }
        let lengths = match self.patterns.get(pattern).clone() {
            Pattern::Everything | Pattern::Unsupported(_) => (0, None),
            Pattern::Automaton(index) => text::table_lengths(&self.patterns.tables[index as usize]),
            Pattern::Class { min, max, .. } => (min, max),
        };
        self.lengths.insert(pattern.to_owned(), lengths);
        lengths
    }

    /// Whether a pattern matches in every text in which another one does.
    pub fn implies(&mut self, other: &str, pattern: &str) -> bool {
        let (other, pattern) =
            (self.patterns.get(other).clone(), self.patterns.get(pattern).clone());
        let (Pattern::Automaton(other), Pattern::Automaton(pattern)) = (other, pattern) else {
            return false;
        };
        let tables = &self.patterns.tables;
        tables[other as usize].is_within(&tables[pattern as usize])
    }

    /// A text of between `min` and `max` characters in which a pattern matches, or does not.
    pub fn text(
        &mut self,
        pattern: &str,
        min: u64,
        max: u64,
        accept: bool,
        salt: u32,
    ) -> Option<String> {
        let lowered = self.patterns.get(pattern).clone();
        match lowered {
            Pattern::Everything => accept.then(|| text::plain(min, salt)),
            // It is not enforced, so anything will do.
            Pattern::Unsupported(_) => accept.then(|| text::plain(min, salt)),
            Pattern::Automaton(index) => {
                let table = &self.patterns.tables[index as usize];
                text::from_table(table, min, max, accept, salt)
            }
            Pattern::Class { class, min: least, max: most } => {
                let ranges = self.patterns.classes[class as usize].clone();
                text::from_class(&ranges, (least, most), min, max, accept, salt)
            }
        }
    }

    /// Whether a property with this schema is read-only, by itself or by what it refers to.
    pub fn is_read_only(&mut self, schema: SchemaId) -> bool {
        if let Some(known) = self.read_only.get(&schema) {
            return *known;
        }
        let marked = closure(self.model, &[schema], &mut |_| Vec::new())
            .into_iter()
            .any(|id| self.model.schemas[id].read_only.is_some_and(|marked| marked.value));
        self.read_only.insert(schema, marked);
        marked
    }

    /// Whether a schema admits values of a type, as far as what it refers to and its branches say by `type`.
    pub fn may_be(&mut self, schema: SchemaId, kind: Type) -> bool {
        let of = &*self.model.schemas[schema].applied;
        let own = closure(self.model, &[schema], &mut |_| Vec::new());
        let branches = |list: &Option<crate::ir::At<Vec<SchemaId>>>| {
            list.as_ref().map(|list| list.value.clone())
        };
        let (any, one) = (branches(&of.any_of), branches(&of.one_of));
        own.iter().all(|id| admits(&self.model.schemas[*id], kind))
            && [any, one]
                .into_iter()
                .flatten()
                .all(|list| list.iter().any(|branch| self.may_be(*branch, kind)))
    }

    /// Names of the properties that are read-only in some schema that applies in place: they need not be there.
    fn exempt(&mut self, schema: SchemaId) -> Rc<HashSet<String>> {
        if let Some(known) = self.exempt.get(&schema) {
            return known.clone();
        }
        let mut names = HashSet::new();
        for id in closure(self.model, &[schema], &mut in_place) {
            let model = self.model;
            for property in properties(&model.schemas[id]) {
                if self.is_read_only(property.schema) {
                    names.insert(property.name.clone());
                }
            }
        }
        let names = Rc::new(names);
        self.exempt.insert(schema, names.clone());
        names
    }

    #[expect(clippy::too_many_arguments, reason = "a walk and its state")]
    fn schema(
        &mut self,
        id: SchemaId,
        value: &Value,
        at: &str,
        exempt: &Rc<HashSet<String>>,
        out: &mut Trace,
        evaluated: &mut Evaluated,
        depth: usize,
    ) -> bool {
        let schema = &self.model.schemas[id];
        if depth > DEPTH || schema.boolean == Some(true) {
            return true;
        }
        out.visits.push(Visit { schema: id, at: at.to_owned() });
        let before = out.violations.len();
        let refuse = |keyword: &'static str, origin: Origin, out: &mut Trace| {
            out.violations.push(Violation { at: at.to_owned(), keyword, origin });
        };
        if schema.boolean == Some(false) {
            refuse("false", schema.origin, out);
            return false;
        }
        if let Some(types) = &schema.types
            && !types.value.admits(value.kind())
        {
            refuse("type", types.origin, out);
        }
        if let Some(list) = &schema.enumeration
            && !list.value.iter().any(|known| known.same(value))
        {
            refuse(schema.enumeration_keyword(), list.origin, out);
        }
        if let Some(constant) = &schema.constant
            && !constant.value.same(value)
        {
            refuse("const", constant.origin, out);
        }
        match value {
            Value::Number(_) => self.number(schema, value, at, out),
            Value::String(text) => self.string(schema, text, at, out),
            Value::Array(items) => self.array(schema, items, at, out, evaluated, depth),
            Value::Object(members) => {
                self.object(id, schema, members, at, exempt, out, evaluated, depth);
            }
            _ => {}
        }
        self.applied(schema, value, at, exempt, out, evaluated, depth);
        self.unevaluated(schema, value, at, out, evaluated, depth);
        out.violations.len() == before
    }

    fn number(&mut self, schema: &Schema, value: &Value, at: &str, out: &mut Trace) {
        let Value::Number(number) = value else { return };
        let of = &*schema.number;
        let mut refuse = |keyword: &'static str, origin: Origin| {
            out.violations.push(Violation { at: at.to_owned(), keyword, origin });
        };
        if let Some(bound) = of.minimum.as_ref().filter(|b| number.compare(&b.value).is_lt()) {
            refuse("minimum", bound.origin);
        }
        if let Some(bound) = of.maximum.as_ref().filter(|b| number.compare(&b.value).is_gt()) {
            refuse("maximum", bound.origin);
        }
        // With 3.0's flag beside a bound, the flag is named.
        let exclusive = of.exclusive_minimum.as_ref();
        if let Some(bound) = exclusive.filter(|b| number.compare(&b.value).is_le()) {
            match &of.exclusive_minimum_flag {
                Some(flag) => refuse("exclusiveMinimum", flag.origin),
                None => refuse("exclusiveMinimum", bound.origin),
            }
        }
        let exclusive = of.exclusive_maximum.as_ref();
        if let Some(bound) = exclusive.filter(|b| number.compare(&b.value).is_ge()) {
            match &of.exclusive_maximum_flag {
                Some(flag) => refuse("exclusiveMaximum", flag.origin),
                None => refuse("exclusiveMaximum", bound.origin),
            }
        }
        if let Some(step) = &of.multiple_of {
            let fits = Exact::of(number)
                .zip(Exact::of(&step.value))
                .and_then(|(number, step)| number.is_multiple_of(step));
            if fits == Some(false) {
                refuse("multipleOf", step.origin);
            }
        }
        if let Some(format) = &schema.string.format
            && self.strictness.formats == Formats::Assert
            && text::number_fits(&format.value, number) == Some(false)
        {
            refuse("format", format.origin);
        }
    }

    fn string(&mut self, schema: &Schema, text: &str, at: &str, out: &mut Trace) {
        let of = &*schema.string;
        let length = text.chars().count() as u64;
        let mut refuse = |keyword: &'static str, origin: Origin| {
            out.violations.push(Violation { at: at.to_owned(), keyword, origin });
        };
        if let Some(min) = of.min_length.filter(|min| length < min.value) {
            refuse("minLength", min.origin);
        }
        if let Some(max) = of.max_length.filter(|max| length > max.value) {
            refuse("maxLength", max.origin);
        }
        if let Some(pattern) = &of.pattern
            && !self.matches(&pattern.value, text)
        {
            refuse("pattern", pattern.origin);
        }
        if let Some(format) = &of.format
            && self.strictness.formats == Formats::Assert
            && text::samples(&format.value).is_some_and(|(_, bad)| bad.contains(&text))
        {
            refuse("format", format.origin);
        }
        if self.strictness.content == Contents::Annotate {
            return;
        }
        let encoding = of.content_encoding.as_ref();
        let decoded = match encoding.map(|encoding| text::decode(&encoding.value, text)) {
            Some(Ok(decoded)) => decoded,
            Some(Err(())) => {
                encoding.iter().for_each(|encoding| refuse("contentEncoding", encoding.origin));
                return;
            }
            None => Some(text.to_owned()),
        };
        let is_json = |text: String| serde_json::from_str::<serde::de::IgnoredAny>(&text).is_ok();
        if let Some(media_type) = of.content_media_type.as_ref().filter(|at| text::is_json(at))
            && decoded.is_some_and(|text| !is_json(text))
        {
            refuse("contentMediaType", media_type.origin);
        }
    }

    fn array(
        &mut self,
        schema: &Schema,
        items: &[Value],
        at: &str,
        out: &mut Trace,
        evaluated: &mut Evaluated,
        depth: usize,
    ) {
        let of = &*schema.array;
        let count = items.len() as u64;
        let refuse = |keyword: &'static str, origin: Origin, out: &mut Trace| {
            out.violations.push(Violation { at: at.to_owned(), keyword, origin });
        };
        if let Some(min) = of.min_items.filter(|min| count < min.value) {
            refuse("minItems", min.origin, out);
        }
        if let Some(max) = of.max_items.filter(|max| count > max.value) {
            refuse("maxItems", max.origin, out);
        }
        if let Some(unique) = of.unique_items.filter(|unique| unique.value) {
            let twice = (1..items.len()).any(|i| items[..i].iter().any(|x| x.same(&items[i])));
            if twice {
                refuse("uniqueItems", unique.origin, out);
            }
        }
        if let Some(contains) = &of.contains {
            let fits: Vec<usize> =
                (0..items.len()).filter(|i| self.fits(contains.value, &items[*i], depth)).collect();
            let least = of.min_contains.map_or(1, |min| min.value);
            if (fits.len() as u64) < least {
                match &of.min_contains {
                    Some(min) => refuse("minContains", min.origin, out),
                    None => refuse("contains", contains.origin, out),
                }
            }
            if let Some(max) = of.max_contains.filter(|max| fits.len() as u64 > max.value) {
                refuse("maxContains", max.origin, out);
            }
            evaluated.picked.extend(fits);
        }
        let prefix = of.prefix_items.as_ref().map_or(&[][..], |list| &list.value);
        for (i, item) in items.iter().enumerate() {
            let rest = of.items.as_ref();
            let Some(child) = prefix.get(i).copied().or(rest.map(|rest| rest.value)) else { break };
            let place = format!("{at}/{i}");
            if let Some(rest) = rest.filter(|_| i >= prefix.len())
                && self.model.schemas[child].boolean == Some(false)
            {
                out.violations.push(Violation { at: place, keyword: "items", origin: rest.origin });
                continue;
            }
            self.value(child, item, &place, out, depth + 1);
        }
        evaluated.items = evaluated.items.max(prefix.len());
        evaluated.every_item |= of.items.is_some();
    }

    #[expect(clippy::too_many_arguments, reason = "a walk and its state")]
    fn object(
        &mut self,
        id: SchemaId,
        schema: &'m Schema,
        members: &[(String, Value)],
        at: &str,
        exempt: &Rc<HashSet<String>>,
        out: &mut Trace,
        evaluated: &mut Evaluated,
        depth: usize,
    ) {
        let of = &*schema.object;
        let has = |name: &str| members.iter().any(|(n, _)| n == name);
        let refuse = |keyword: &'static str, origin: Origin, out: &mut Trace| {
            out.violations.push(Violation { at: at.to_owned(), keyword, origin });
        };
        if let Some(required) = &of.required {
            let missing = required
                .value
                .iter()
                .find(|name| !has(&name.value) && !exempt.contains(&name.value));
            if missing.is_some() {
                refuse("required", required.origin, out);
            }
        }
        let count = members.len() as u64;
        if let Some(min) = of.min_properties.filter(|min| count < min.value) {
            refuse("minProperties", min.origin, out);
        }
        if let Some(max) = of.max_properties.filter(|max| count > max.value) {
            refuse("maxProperties", max.origin, out);
        }
        if let Some(list) = &of.dependent_required {
            let mut needed = list.value.iter().filter(|d| has(&d.name)).flat_map(|d| &d.required);
            if needed.any(|name| !has(name)) {
                refuse("dependentRequired", list.origin, out);
            }
        }
        for dependent in of.dependent_schemas.iter().flat_map(|list| &list.value) {
            if has(&dependent.name) {
                let value = Value::Object(members.to_vec());
                self.schema(dependent.schema, &value, at, exempt, out, evaluated, depth + 1);
            }
        }
        if let Some(names) = &of.property_names {
            let bad = members
                .iter()
                .any(|(name, _)| !self.fits(names.value, &Value::String(name.clone()), depth));
            if bad {
                refuse("propertyNames", names.origin, out);
            }
        }
        self.names_in.entry(id).or_insert_with(|| {
            properties(schema).enumerate().map(|(i, p)| (p.name.as_str(), i)).collect()
        });
        let declared = of.properties.as_ref().map_or(&[][..], |list| &list.value);
        for (name, value) in members {
            let place = format!("{at}/{}", token(name));
            let mut known = false;
            if let Some(i) = self.names_in[&id].get(name.as_str()) {
                known = true;
                self.member(declared[*i].schema, value, &place, out, depth);
            }
            for pattern in of.pattern_properties.iter().flat_map(|list| &list.value) {
                if self.matches(&pattern.name, name) {
                    known = true;
                    self.member(pattern.schema, value, &place, out, depth);
                }
            }
            if let Some(rest) = of.additional_properties.filter(|_| !known) {
                known = true;
                if self.model.schemas[rest.value].boolean == Some(false) {
                    let (keyword, origin) = ("additionalProperties", rest.origin);
                    out.violations.push(Violation { at: place, keyword, origin });
                } else {
                    self.member(rest.value, value, &place, out, depth);
                }
            }
            if known && self.annotates {
                evaluated.names.insert(name.clone());
            }
        }
    }

    fn member(&mut self, id: SchemaId, value: &Value, at: &str, out: &mut Trace, depth: usize) {
        if self.strictness.read_only_in_requests == Action::Block && self.is_read_only(id) {
            let marked = closure(self.model, &[id], &mut |_| Vec::new())
                .into_iter()
                .find_map(|id| self.model.schemas[id].read_only.filter(|marked| marked.value));
            if let Some(marked) = marked {
                let (keyword, origin) = ("readOnly", marked.origin);
                out.violations.push(Violation { at: at.to_owned(), keyword, origin });
                return;
            }
        }
        self.value(id, value, at, out, depth + 1);
    }

    /// A schema applies to another value than its owner.
    fn value(&mut self, id: SchemaId, value: &Value, at: &str, out: &mut Trace, depth: usize) {
        let exempt = self.exempt(id);
        self.schema(id, value, at, &exempt, out, &mut Evaluated::default(), depth);
    }

    /// Whether a schema accepts a value, without a trace.
    fn fits(&mut self, id: SchemaId, value: &Value, depth: usize) -> bool {
        let mut trace = Trace::default();
        self.value(id, value, "", &mut trace, depth + 1);
        trace.violations.is_empty()
    }

    #[expect(clippy::too_many_arguments, reason = "a walk and its state")]
    fn applied(
        &mut self,
        schema: &Schema,
        value: &Value,
        at: &str,
        exempt: &Rc<HashSet<String>>,
        out: &mut Trace,
        evaluated: &mut Evaluated,
        depth: usize,
    ) {
        let dynamic = schema.dynamic_reference.as_ref().map(|d| d.value.schema);
        let of = &*schema.applied;
        let all = of.all_of.iter().flat_map(|list| list.value.iter().copied());
        let every: Vec<SchemaId> =
            schema.reference.map(|r| r.value).into_iter().chain(dynamic).chain(all).collect();
        for id in every {
            self.schema(id, value, at, exempt, out, evaluated, depth + 1);
        }
        for (keyword, list) in [("anyOf", &of.any_of), ("oneOf", &of.one_of)] {
            let Some(list) = list else { continue };
            let first = if of.one_of.is_some() { "oneOf" } else { "anyOf" };
            if keyword == first
                && let (Some(tags), Value::Object(members)) = (tags(schema), value)
            {
                let (discriminator, tags) = tags;
                let tag = members.iter().find(|(n, _)| *n == discriminator.value.property.value);
                let chosen = tag.and_then(|(_, value)| match value {
                    Value::String(text) => tags.get(text.as_str()).copied(),
                    _ => None,
                });
                match chosen {
                    Some(branch) => {
                        let id = list.value[branch as usize];
                        self.schema(id, value, at, exempt, out, evaluated, depth + 1);
                    }
                    None => out.violations.push(Violation {
                        at: at.to_owned(),
                        keyword: "discriminator",
                        origin: discriminator.origin,
                    }),
                }
                continue;
            }
            let (violations, visits) = (out.violations.len(), out.visits.len());
            let (mut fits, mut good) = (0, Vec::new());
            for branch in &list.value {
                let mut own = Trace::default();
                let mut seen = Evaluated::default();
                if self.schema(*branch, value, at, exempt, &mut own, &mut seen, depth + 1) {
                    fits += 1;
                    good.extend(own.visits);
                    evaluated.join(seen);
                } else {
                    out.violations.extend(own.violations);
                }
            }
            let exclusive = keyword == "oneOf" && self.strictness.one_of == OneOf::Strict;
            if fits == 1 || fits > 1 && !exclusive {
                out.violations.truncate(violations);
                out.visits.truncate(visits);
                out.visits.extend(good);
            } else {
                if fits > 1 {
                    out.violations.truncate(violations);
                }
                let origin = list.origin;
                out.violations.push(Violation { at: at.to_owned(), keyword, origin });
            }
        }
        if let Some(not) = &of.not
            && self.fits(not.value, value, depth)
        {
            out.violations.push(Violation {
                at: at.to_owned(),
                keyword: "not",
                origin: not.origin,
            });
        }
        if let Some(condition) = &of.if_ {
            let mut own = Trace::default();
            let mut seen = Evaluated::default();
            let holds =
                self.schema(condition.value, value, at, exempt, &mut own, &mut seen, depth + 1);
            if holds {
                evaluated.join(seen);
            }
            if let Some(next) = if holds { of.then } else { of.else_ } {
                self.schema(next.value, value, at, exempt, out, evaluated, depth + 1);
            }
        }
    }

    fn unevaluated(
        &mut self,
        schema: &Schema,
        value: &Value,
        at: &str,
        out: &mut Trace,
        evaluated: &mut Evaluated,
        depth: usize,
    ) {
        if let (Some(rest), Value::Object(members)) = (schema.object.unevaluated_properties, value)
        {
            let left = members.iter().filter(|(name, _)| {
                !evaluated.every_name && !evaluated.names.contains(name.as_str())
            });
            for (name, value) in left {
                let place = format!("{at}/{}", token(name));
                if self.model.schemas[rest.value].boolean == Some(false) {
                    let (keyword, origin) = ("unevaluatedProperties", rest.origin);
                    out.violations.push(Violation { at: place, keyword, origin });
                } else {
                    self.value(rest.value, value, &place, out, depth + 1);
                }
            }
            evaluated.every_name = true;
        }
        if let (Some(rest), Value::Array(items)) = (schema.array.unevaluated_items, value) {
            for (i, item) in items.iter().enumerate().skip(evaluated.items) {
                if evaluated.every_item || evaluated.picked.contains(&i) {
                    continue;
                }
                let place = format!("{at}/{i}");
                if self.model.schemas[rest.value].boolean == Some(false) {
                    let (keyword, origin) = ("unevaluatedItems", rest.origin);
                    out.violations.push(Violation { at: place, keyword, origin });
                } else {
                    self.value(rest.value, item, &place, out, depth + 1);
                }
            }
            evaluated.every_item = true;
        }
    }
}

/// The values of a schema's discriminator and the branch that each chooses, where they choose every branch.
pub(super) fn tags(
    schema: &Schema,
) -> Option<(&crate::ir::At<crate::ir::Discriminator>, HashMap<&str, u32>)> {
    let of = &*schema.applied;
    let discriminator = of.discriminator.as_ref()?;
    let branches = of.one_of.as_ref().or(of.any_of.as_ref())?;
    let mut tags: HashMap<&str, u32> = HashMap::new();
    for mapping in &discriminator.value.mapping {
        if let Some(branch) = mapping.branch {
            tags.entry(mapping.value.as_str()).or_insert(branch);
        }
    }
    let chosen: HashSet<u32> = tags.values().copied().collect();
    (chosen.len() == branches.value.len()).then_some((discriminator, tags))
}

pub(super) fn properties(schema: &Schema) -> impl Iterator<Item = &Property> {
    schema.object.properties.iter().flat_map(|list| &list.value)
}

/// The schemas of a schema's properties.
pub fn properties_of(schema: &Schema) -> Vec<SchemaId> {
    properties(schema).map(|property| property.schema).collect()
}

/// Whether no object of a schema can have a property of a name that nobody thought of.
pub fn closed_to_names(evaluator: &mut Evaluator<'_>, schema: SchemaId) -> bool {
    let name = "portcullis-undeclared".to_owned();
    let one = Value::Object(vec![(name, Value::String("1".to_owned()))]);
    !evaluator.may_be(schema, Type::Object)
        || evaluator.judge(schema, &one).violations.iter().any(|violation| {
            matches!(violation.keyword, "additionalProperties" | "unevaluatedProperties")
        })
}

/// Schemas that apply in place besides those that always do.
fn in_place(schema: &Schema) -> Vec<SchemaId> {
    let of = &*schema.applied;
    let lists = [&of.any_of, &of.one_of].into_iter().flatten();
    let mut all: Vec<SchemaId> = lists.flat_map(|list| list.value.iter().copied()).collect();
    all.extend([of.then, of.else_].into_iter().flatten().map(|at| at.value));
    all
}

/// The schemas, what they refer to on the same value, and what `more` adds, each once.
pub(super) fn closure(
    model: &Model,
    roots: &[SchemaId],
    more: &mut dyn FnMut(&Schema) -> Vec<SchemaId>,
) -> Vec<SchemaId> {
    let mut seen = HashSet::new();
    let mut all = Vec::new();
    let mut open: Vec<SchemaId> = roots.iter().rev().copied().collect();
    while let Some(id) = open.pop() {
        if !seen.insert(id) {
            continue;
        }
        all.push(id);
        let schema = &model.schemas[id];
        let mut next = more(schema);
        let dynamic = schema.dynamic_reference.as_ref().map(|d| d.value.schema);
        next.extend(schema.reference.map(|r| r.value).into_iter().chain(dynamic));
        next.extend(schema.applied.all_of.iter().flat_map(|list| &list.value));
        open.extend(next.into_iter().rev());
    }
    all
}

/// The type of a value for the purposes of a schema's `type`.
pub(super) fn admits(schema: &Schema, kind: Type) -> bool {
    schema.boolean != Some(false) && schema.types.is_none_or(|types| types.value.admits(kind))
}
