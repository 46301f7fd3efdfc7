//! Makes values that schemas accept.
//!
//! Everything that applies to a value is merged, alternatives are tried in order, and each value is judged by the
//! evaluator before it is taken: what comes out is valid, and what cannot be made is `None`.

use super::evaluate::{Evaluator, closure, properties, tags};
use super::number::number;
use super::reach::{Edge, Step};
use super::text;
use crate::ir::{Schema, SchemaId, Type, Value};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// How deep generated values nest.
const DEPTH: usize = 24;
/// How many values one call makes and judges.
const WORK: u32 = 4_000;
/// How many combinations of alternatives are tried for one value.
const COMBINATIONS: u32 = 48;

/// How deep within a value it is looked for.
const NESTED: u32 = 2;
/// How many properties are tried to tell a branch of a `oneOf` from another one.
const MAX_APART: usize = 16;
/// How many values of discriminators are known for a name.
const MAX_TAGS: usize = 32;

/// Makes values.
pub struct Generator<'m> {
    /// What judges them.
    pub evaluator: Evaluator<'m>,
    /// Values that discriminators read, by the property's name as a pointer has it.
    pub tags: HashMap<String, BTreeSet<String>>,
    made: HashMap<(Vec<SchemaId>, bool), Value>,
    building: Vec<Vec<SchemaId>>,
    /// Examples of the documents, by schema, that are preferred where they fit.
    pub preferred: HashMap<SchemaId, Vec<Value>>,
    /// Leaves no object empty that need not be: some places of a request cannot say one.
    pub filled: bool,
    work: u32,
}

/// The alternatives taken: owner of the union, whether `oneOf`, and the branch.
type Choices = BTreeMap<(SchemaId, bool), u32>;

struct Task<'w> {
    roots: &'w [SchemaId],
    way: &'w [Step],
    depth: usize,
    salt: u32,
    /// Conditions that shall hold, or not.
    conditions: Vec<(SchemaId, bool)>,
    /// Properties that shall be there.
    present: Vec<String>,
    left: u32,
}

impl<'m> Generator<'m> {
    /// A generator that judges by `evaluator`.
    pub fn new(evaluator: Evaluator<'m>) -> Self {
        let mut tags: HashMap<String, BTreeSet<String>> = HashMap::new();
        for (_, schema) in evaluator.model.schemas.iter() {
            let Some(discriminator) = &schema.applied.discriminator else { continue };
            let of = tags.entry(super::token(&discriminator.value.property.value)).or_default();
            let values = discriminator.value.mapping.iter().map(|entry| entry.value.clone());
            of.extend(values.take(MAX_TAGS.saturating_sub(of.len())));
        }
        Generator {
            evaluator,
            tags,
            made: HashMap::new(),
            building: Vec::new(),
            preferred: HashMap::new(),
            filled: false,
            work: 0,
        }
    }

    /// The model that values are made for.
    pub fn model(&self) -> &'m crate::ir::Model {
        self.evaluator.model
    }

    /// A value that the schema accepts.
    pub fn value(&mut self, schema: SchemaId) -> Option<Value> {
        self.along(schema, &[])
    }

    /// A value that the schema accepts and that the schema at the end of `way` applies to, or to a part of it.
    pub fn along(&mut self, schema: SchemaId, way: &[Step]) -> Option<Value> {
        self.work = WORK;
        self.building.clear();
        self.build(&[schema], way, 0, 0)
    }

    /// A value that all of the schemas accept.
    pub fn all(&mut self, schemas: &[SchemaId], salt: u32) -> Option<Value> {
        self.work = WORK;
        self.building.clear();
        self.build(schemas, &[], 0, salt)
    }

    fn build(
        &mut self,
        roots: &[SchemaId],
        way: &[Step],
        depth: usize,
        salt: u32,
    ) -> Option<Value> {
        let mut key: Vec<SchemaId> = roots.to_vec();
        key.sort_unstable();
        key.dedup();
        let free = way.is_empty();
        if free
            && salt == 0
            && let Some(known) = self.made.get(&(key.clone(), self.filled))
        {
            return Some(known.clone());
        }
        if depth > DEPTH || self.work == 0 || free && self.building.contains(&key) {
            return None;
        }
        let mut choices = Choices::new();
        let mut task = Task {
            roots,
            way,
            depth,
            salt,
            conditions: Vec::new(),
            present: Vec::new(),
            left: COMBINATIONS,
        };
        let inner = way.iter().position(|step| is_inward(&step.edge)).unwrap_or(way.len());
        for step in &way[..inner] {
            match &step.edge {
                Edge::AnyOf(i) => drop(choices.insert((step.from, false), *i)),
                Edge::OneOf(i) => drop(choices.insert((step.from, true), *i)),
                Edge::Then => task.conditions.push((step.from, true)),
                Edge::Else => task.conditions.push((step.from, false)),
                Edge::Dependent(name) => task.present.push(name.clone()),
                _ => {}
            }
        }
        task.way = &way[inner..];
        if free {
            self.building.push(key.clone());
        }
        let made = self.search(&mut task, &mut choices);
        if free {
            self.building.pop();
        }
        if let Some(value) = made.as_ref().filter(|_| free && salt == 0) {
            self.made.insert((key, self.filled), value.clone());
        }
        made
    }

    /// Settles unions one by one, then makes a value.
    fn search(&mut self, task: &mut Task<'_>, choices: &mut Choices) -> Option<Value> {
        let model = self.evaluator.model;
        if task.left == 0 || self.work == 0 {
            return None;
        }
        let mut flat = self.flat(task, choices);
        let mut open = None;
        for id in &flat {
            let of = &*model.schemas[*id].applied;
            for (one, list) in [(true, &of.one_of), (false, &of.any_of)] {
                if let Some(list) = list
                    && !choices.contains_key(&(*id, one))
                {
                    open = open.or(Some(((*id, one), list.value.len() as u32)));
                }
            }
        }
        if let Some((union, branches)) = open {
            for i in 0..branches {
                let branch = (i + task.salt) % branches;
                choices.insert(union, branch);
                if let Some(value) = self.search(task, choices) {
                    return Some(value);
                }
                choices.remove(&union);
            }
            return None;
        }
        flat.retain(|id| model.schemas[*id].boolean != Some(true));
        task.left -= 1;
        let salts =
            if task.salt == 0 { [0, 1, 2] } else { [task.salt, task.salt + 1, task.salt + 5] };
        for salt in salts {
            self.work = self.work.saturating_sub(1);
            let Some(value) = self.produce(task, choices, &flat, salt) else { continue };
            if self.evaluator.accepts(task.roots, &value) {
                return Some(value);
            }
            if salt == salts[0]
                && let Some(value) = self.apart(task, choices, value)
            {
                return Some(value);
            }
        }
        // What `if` decides is settled last: most values need no regard to it.
        let open = flat.iter().copied().find(|id| {
            let of = &*model.schemas[*id].applied;
            of.if_.is_some() && !task.conditions.iter().any(|(known, _)| known == id)
        });
        for holds in [true, false] {
            let Some(open) = open else { break };
            task.conditions.push((open, holds));
            let found = self.search(task, choices);
            task.conditions.pop();
            if found.is_some() {
                return found;
            }
        }
        None
    }

    /// An object that other branches of a `oneOf` accept too, with properties that these declare and refuse.
    fn apart(&mut self, task: &Task<'_>, choices: &Choices, value: Value) -> Option<Value> {
        let model = self.evaluator.model;
        let mut value = value;
        for ((owner, _), chosen) in choices.iter().filter(|((_, one), _)| *one) {
            let list = &model.schemas[*owner].applied.one_of.as_ref()?.value;
            let own = *list.get(*chosen as usize)?;
            for other in list.iter().filter(|branch| **branch != own) {
                if self.work == 0 || !self.evaluator.accepts(&[*other], &value) {
                    continue;
                }
                value = self.without(&value, own, *other, NESTED)?;
            }
        }
        self.evaluator.accepts(task.roots, &value).then_some(value)
    }

    /// An object that one schema accepts still, and another no more.
    fn without(
        &mut self,
        value: &Value,
        own: SchemaId,
        other: SchemaId,
        depth: u32,
    ) -> Option<Value> {
        let model = self.evaluator.model;
        let Value::Object(members) = value else { return None };
        let declared = |id: SchemaId| {
            let flat = closure(model, &[id], &mut |_| Vec::new());
            flat.into_iter().flat_map(|id| properties(&model.schemas[id])).take(MAX_APART)
        };
        for property in declared(other) {
            // Where both declare it, what tells them apart may be within.
            let mine = declared(own).find(|mine| mine.name == property.name);
            let there = members.iter().find(|(name, _)| *name == property.name);
            if let (Some(mine), Some((_, inner)), 1..) = (mine, there, depth)
                && let Some(inner) = self.without(inner, mine.schema, property.schema, depth - 1)
            {
                let mut with = members.clone();
                with.iter_mut().filter(|(name, _)| *name == property.name).for_each(|(_, it)| {
                    *it = inner.clone();
                });
                return Some(Value::Object(with));
            }
            for wrong in [Value::Bool(true), Value::String("text".to_owned()), Value::Null] {
                self.work = self.work.saturating_sub(1);
                if self.evaluator.accepts(&[property.schema], &wrong) {
                    continue;
                }
                let mut with = members.clone();
                with.retain(|(name, _)| *name != property.name);
                with.push((property.name.clone(), wrong));
                let with = Value::Object(with);
                if self.evaluator.accepts(&[own], &with) && !self.evaluator.accepts(&[other], &with)
                {
                    return Some(with);
                }
            }
        }
        None
    }

    /// Every schema that applies in place under the choices.
    fn flat(&self, task: &Task<'_>, choices: &Choices) -> Vec<SchemaId> {
        let model = self.evaluator.model;
        let mut ids = HashMap::new();
        let mut roots = task.roots.to_vec();
        for (owner, holds) in &task.conditions {
            let of = &*model.schemas[*owner].applied;
            let then = if *holds { of.then } else { of.else_ };
            roots.extend(then.map(|at| at.value));
            roots.extend(of.if_.filter(|_| *holds).map(|at| at.value));
        }
        // Branches are found again and again until nothing is added.
        loop {
            let all = closure(model, &roots, &mut |_| Vec::new());
            let before = roots.len();
            for id in &all {
                ids.entry(*id).or_insert(());
                let schema = &model.schemas[*id];
                let of = &*schema.applied;
                for (one, list) in [(true, &of.one_of), (false, &of.any_of)] {
                    if let (Some(list), Some(i)) = (list, choices.get(&(*id, one)))
                        && let Some(branch) = list.value.get(*i as usize)
                        && !roots.contains(branch)
                    {
                        roots.push(*branch);
                    }
                }
                for dependent in schema.object.dependent_schemas.iter().flat_map(|l| &l.value) {
                    if task.present.contains(&dependent.name) && !roots.contains(&dependent.schema)
                    {
                        roots.push(dependent.schema);
                    }
                }
            }
            if roots.len() == before {
                return all;
            }
        }
    }

    fn produce(
        &mut self,
        task: &Task<'_>,
        choices: &Choices,
        flat: &[SchemaId],
        salt: u32,
    ) -> Option<Value> {
        let model = self.evaluator.model;
        let schemas: Vec<&Schema> = flat.iter().map(|id| &model.schemas[*id]).collect();
        let admits = |kind| {
            schemas.iter().all(|schema| {
                let not = schema.applied.not.map(|at| &model.schemas[at.value]);
                super::evaluate::admits(schema, kind) && !not.is_some_and(|not| is_type(not, kind))
            })
        };
        let inward = task.way.first().map(|step| &step.edge);
        if inward.is_none() && task.present.is_empty() {
            if salt == 0 {
                for id in flat {
                    for value in self.preferred.get(id).into_iter().flatten().take(3) {
                        if schemas.len() <= 2 || task.roots.contains(id) {
                            let value = value.clone();
                            if self.evaluator.accepts(task.roots, &value)
                                && choices_hold(&mut self.evaluator, choices, &value)
                            {
                                return Some(value);
                            }
                        }
                    }
                }
            }
            if let Some(value) = literal(&schemas, salt) {
                return Some(value);
            }
        }
        let order = match inward {
            Some(Edge::Property(_) | Edge::Pattern(_) | Edge::Additional) => vec![Type::Object],
            Some(Edge::Items | Edge::Prefix(_)) => vec![Type::Array],
            _ if !task.present.is_empty() => vec![Type::Object],
            _ => preference(&schemas),
        };
        let kind = order.into_iter().filter(|kind| admits(*kind)).nth(0)?;
        match kind {
            Type::Object => self.object(task, choices, flat, &schemas, salt),
            Type::Array => self.array(task, &schemas, salt),
            Type::String => self.string(&schemas, salt),
            // Where no whole number fits, another may.
            Type::Integer => number(&schemas, true, salt)
                .or_else(|| number(&schemas, false, salt).filter(|_| admits(Type::Number)))
                .map(Value::Number),
            Type::Number => number(&schemas, false, salt).map(Value::Number),
            Type::Boolean => Some(Value::Bool(salt.is_multiple_of(2))),
            Type::Null => Some(Value::Null),
        }
    }

    fn string(&mut self, schemas: &[&Schema], salt: u32) -> Option<Value> {
        let of = || schemas.iter().map(|schema| &*schema.string);
        let min = of().filter_map(|of| of.min_length).map(|at| at.value).max().unwrap_or(0);
        let max = of().filter_map(|of| of.max_length).map(|at| at.value).min().unwrap_or(u64::MAX);
        if min > max || min > text::MAX_TEXT {
            return None;
        }
        let patterns: Vec<&str> =
            of().filter_map(|of| of.pattern.as_ref()).map(|at| at.value.as_str()).collect();
        if let Some(pattern) = patterns.first() {
            // Empty strings are valid and tell little.
            let least = min.max(u64::from(max > 0));
            let made = self.evaluator.text(pattern, least, max, true, salt);
            return made
                .or_else(|| self.evaluator.text(pattern, min, max, true, salt))
                .map(Value::String);
        }
        let format = of().find_map(|of| text::samples(&of.format.as_ref()?.value));
        if let Some((good, _)) = format {
            let fits = |text: &&&str| (min..=max).contains(&(text.chars().count() as u64));
            let fitting: Vec<&&str> = good.iter().filter(fits).collect();
            if !fitting.is_empty() {
                return Some(Value::String((*fitting[salt as usize % fitting.len()]).to_owned()));
            }
        }
        if let Some(text) = self.content(schemas, min..=max, salt) {
            return Some(Value::String(text));
        }
        let plain = text::plain(min, salt);
        let length = plain.chars().count() as u64;
        Some(Value::String(if length > max || length < min {
            text::of_length(max.min(min.max(1)), salt)
        } else {
            plain
        }))
    }

    /// A text that encodes what `contentEncoding`, `contentMediaType` and `contentSchema` ask for, of a length.
    fn content(
        &mut self,
        schemas: &[&Schema],
        lengths: std::ops::RangeInclusive<u64>,
        salt: u32,
    ) -> Option<String> {
        let of = || schemas.iter().map(|schema| &*schema.string);
        let encoding = of().find_map(|of| of.content_encoding.as_ref());
        let json = of().any(|of| of.content_media_type.as_ref().is_some_and(text::is_json));
        if encoding.is_none() && !json {
            return None;
        }
        let inner: Vec<SchemaId> =
            of().filter_map(|of| of.content_schema).map(|at| at.value).collect();
        let values: Vec<String> = match (json, inner.is_empty()) {
            (true, false) => vec![super::to_json(&self.build(&inner, &[], 1, salt)?)],
            (true, true) => ["{}", "1234", "\"text of some length\""].map(str::to_owned).to_vec(),
            // Groups of six octets need no padding in any encoding.
            _ => [
                "text of thirty octets to encode",
                "six or",
                "more text than before: sixty octets, so that it is long.",
            ]
            .map(str::to_owned)
            .to_vec(),
        };
        let encoded = values.into_iter().filter_map(|value| match encoding {
            Some(encoding) => text::encode(&encoding.value, &value),
            None => Some(value),
        });
        encoded.into_iter().find(|text| lengths.contains(&(text.chars().count() as u64)))
    }

    fn array(&mut self, task: &Task<'_>, schemas: &[&Schema], salt: u32) -> Option<Value> {
        let of = || schemas.iter().map(|schema| &*schema.array);
        let mut count = of().filter_map(|of| of.min_items).map(|at| at.value).max().unwrap_or(0);
        let max = of().filter_map(|of| of.max_items).map(|at| at.value).min().unwrap_or(u64::MAX);
        let contains: Vec<(SchemaId, u64)> = of()
            .filter_map(|of| Some((of.contains?.value, of.min_contains.map_or(1, |min| min.value))))
            .collect();
        count = count.max(contains.iter().map(|(_, least)| *least).max().unwrap_or(0));
        let place = match task.way.first().map(|step| &step.edge) {
            Some(Edge::Items) => {
                let from = &self.evaluator.model.schemas[task.way[0].from];
                Some(from.array.prefix_items.as_ref().map_or(0, |list| list.value.len()) as u64)
            }
            Some(Edge::Prefix(i)) => Some(u64::from(*i)),
            _ => None,
        };
        count = count.max(place.map_or(u64::from(max > 0), |place| place + 1));
        if count > max || count > 5_000 {
            return None;
        }
        let unique = of().any(|of| of.unique_items.is_some_and(|unique| unique.value));
        let mut items: Vec<Value> = Vec::new();
        for i in 0..count {
            let mut roots: Vec<SchemaId> = of()
                .filter_map(|of| {
                    let prefix = of.prefix_items.as_ref();
                    let own = prefix.and_then(|list| list.value.get(i as usize)).copied();
                    own.or(of.items.or(of.unevaluated_items).map(|rest| rest.value))
                })
                .collect();
            let way = if place == Some(i) { &task.way[1..] } else { &[] };
            if place.is_none() || place != Some(i) {
                roots.extend(contains.iter().filter(|(_, least)| i < *least).map(|(id, _)| *id));
            }
            if roots.is_empty() {
                items.push(Value::String(format!("item{i}")));
                continue;
            }
            let mut item = self.build(&roots, way, task.depth + 1, salt);
            for salt in 1..if unique { 16 + i as u32 } else { 0 } {
                if item.as_ref().is_none_or(|item| !items.iter().any(|known| known.same(item))) {
                    break;
                }
                item = self.build(&roots, way, task.depth + 1, salt);
            }
            match item {
                Some(item) => items.push(item),
                // One item was a wish only.
                None if i == 0 && place.is_none() && count == 1 && self.may_be_empty(schemas) => {
                    break;
                }
                None => return None,
            }
        }
        Some(Value::Array(items))
    }

    fn may_be_empty(&self, schemas: &[&Schema]) -> bool {
        schemas.iter().all(|schema| {
            schema.array.min_items.is_none_or(|min| min.value == 0)
                && (schema.array.contains.is_none()
                    || schema.array.min_contains.is_some_and(|min| min.value == 0))
        })
    }

    fn object(
        &mut self,
        task: &Task<'_>,
        choices: &Choices,
        flat: &[SchemaId],
        schemas: &[&Schema],
        salt: u32,
    ) -> Option<Value> {
        let of = || schemas.iter().map(|schema| &*schema.object);
        // Values that discriminators ask for.
        let mut fixed: Vec<(&str, Vec<&str>)> = Vec::new();
        for (id, schema) in flat.iter().zip(schemas) {
            if let Some((discriminator, tags)) = tags(schema) {
                let chosen = choices.get(&(*id, schema.applied.one_of.is_some()));
                let mut values: Vec<&str> = tags
                    .into_iter()
                    .filter(|(_, branch)| Some(branch) == chosen)
                    .map(|(value, _)| value)
                    .collect();
                values.sort_unstable();
                fixed.push((discriminator.value.property.value.as_str(), values));
            }
        }
        let mut wanted: Vec<String> = Vec::new();
        let want = |name: &str, wanted: &mut Vec<String>| {
            if !wanted.iter().any(|known| known == name) {
                wanted.push(name.to_owned());
            }
        };
        for name in of().filter_map(|of| of.required.as_ref()).flat_map(|list| &list.value) {
            let exempt = schemas
                .iter()
                .flat_map(|schema| properties(schema))
                .any(|p| p.name == name.value && self.evaluator.is_read_only(p.schema));
            if !exempt {
                want(&name.value, &mut wanted);
            }
        }
        fixed.iter().for_each(|(name, _)| want(name, &mut wanted));
        task.present.iter().for_each(|name| want(name, &mut wanted));
        let first = task.way.first();
        let on_way = match first.map(|step| &step.edge) {
            Some(Edge::Property(name)) => Some(name.clone()),
            Some(Edge::Pattern(pattern)) => Some(self.evaluator.text(pattern, 1, 64, true, salt)?),
            Some(Edge::Additional) => Some(self.free_name(schemas, salt)?),
            _ => None,
        };
        on_way.iter().for_each(|name| want(name, &mut wanted));
        let min = of().filter_map(|of| of.min_properties).map(|at| at.value).max().unwrap_or(0);
        let max = of().filter_map(|of| of.max_properties).map(|at| at.value).min();
        if (wanted.len() as u64) < min {
            for property in schemas.iter().flat_map(|schema| properties(schema)) {
                if (wanted.len() as u64) < min && !self.evaluator.is_read_only(property.schema) {
                    want(&property.name, &mut wanted);
                }
            }
            for extra in 0..64 {
                if (wanted.len() as u64) < min
                    && let Some(name) = self.free_name(schemas, salt + extra)
                {
                    want(&name, &mut wanted);
                }
            }
        }
        let needed = wanted.clone();
        // What need not be there tells alternatives apart: literals first, then everything.
        if salt > 0 {
            let most = if salt == 1 { 6 } else { 12 };
            for property in schemas.iter().flat_map(|schema| properties(schema)) {
                let told = salt > 1 || self.is_literal(property.schema);
                if told && wanted.len() < most && !self.evaluator.is_read_only(property.schema) {
                    let mut key = vec![property.schema];
                    key.dedup();
                    if !self.building.contains(&key) {
                        want(&property.name, &mut wanted);
                    }
                }
            }
            if wanted.is_empty() {
                wanted.extend(self.free_name(schemas, salt));
            }
        } else if self.filled && wanted.is_empty() {
            let all = schemas.iter().flat_map(|schema| properties(schema));
            for property in all.take(3) {
                let known = self.building.contains(&vec![property.schema]);
                if !known && !self.evaluator.is_read_only(property.schema) {
                    want(&property.name, &mut wanted);
                }
            }
            if wanted.is_empty() {
                wanted.extend(self.free_name(schemas, salt));
            }
        }
        let mut members: Vec<(String, Value)> = Vec::new();
        let mut at = 0;
        while at < wanted.len() {
            let name = wanted[at].clone();
            at += 1;
            for dependent in
                of().filter_map(|of| of.dependent_required.as_ref()).flat_map(|l| &l.value)
            {
                if dependent.name == name {
                    dependent.required.iter().for_each(|name| want(name, &mut wanted));
                }
            }
            let roots = self.roots_of(schemas, &name);
            let on_this = on_way.as_ref() == Some(&name);
            let way = if on_this { &task.way[1..] } else { &[] };
            let tag = fixed.iter().find(|(tag, _)| *tag == name);
            let value = match tag.filter(|_| way.is_empty()) {
                Some((_, values)) => {
                    let mut values = values.iter().map(|text| Value::String((*text).to_owned()));
                    values.find(|value| self.evaluator.accepts(&roots, value))?
                }
                None if roots.is_empty() => Value::String("text".to_owned()),
                None => match self.build(&roots, way, task.depth + 1, salt) {
                    Some(value) => value,
                    // A wish only.
                    None if (salt > 0 || self.filled) && !on_this && !needed.contains(&name) => {
                        continue;
                    }
                    None => return None,
                },
            };
            members.push((name, value));
        }
        if max.is_some_and(|max| members.len() as u64 > max) {
            return None;
        }
        Some(Value::Object(members))
    }

    /// Whether a schema lists its values.
    fn is_literal(&self, schema: SchemaId) -> bool {
        let model = self.evaluator.model;
        closure(model, &[schema], &mut |_| Vec::new()).into_iter().any(|id| {
            model.schemas[id].constant.is_some() || model.schemas[id].enumeration.is_some()
        })
    }

    /// The schemas of a property of that name.
    fn roots_of(&mut self, schemas: &[&Schema], name: &str) -> Vec<SchemaId> {
        let mut roots = Vec::new();
        let mut evaluated = false;
        for schema in schemas {
            let of = &*schema.object;
            let mut known = false;
            for property in properties(schema).filter(|p| p.name == name) {
                known = true;
                roots.push(property.schema);
            }
            for pattern in of.pattern_properties.iter().flat_map(|list| &list.value) {
                if self.evaluator.matches(&pattern.name, name) {
                    known = true;
                    roots.push(pattern.schema);
                }
            }
            if !known {
                roots.extend(of.additional_properties.map(|rest| rest.value));
            }
            evaluated |= known || of.additional_properties.is_some();
        }
        if !evaluated {
            let rest = schemas.iter().filter_map(|schema| schema.object.unevaluated_properties);
            roots.extend(rest.map(|rest| rest.value));
        }
        roots.sort_unstable();
        roots.dedup();
        roots
    }

    /// A name that no schema declares and that their `propertyNames` accept.
    pub(super) fn free_name(&mut self, schemas: &[&Schema], salt: u32) -> Option<String> {
        let names: Vec<SchemaId> =
            schemas.iter().filter_map(|s| s.object.property_names).map(|at| at.value).collect();
        for i in salt..salt + 40 {
            let name = match names.is_empty() {
                true => format!("extra{i}"),
                false => match self.build(&names, &[], 1, i)? {
                    Value::String(text) => text,
                    _ => return None,
                },
            };
            let declared = schemas.iter().any(|schema| {
                properties(schema).any(|p| p.name == name)
                    || schema
                        .object
                        .pattern_properties
                        .iter()
                        .flat_map(|list| &list.value)
                        .any(|pattern| self.evaluator.matches(&pattern.name, &name))
            });
            if !declared {
                return Some(name);
            }
        }
        None
    }
}

/// Whether a schema says nothing but types, and this one is among them.
fn is_type(schema: &Schema, kind: Type) -> bool {
    let groups = schema.string.is_empty()
        && schema.number.is_empty()
        && schema.array.is_empty()
        && schema.object.is_empty()
        && schema.applied.is_empty();
    let literals = schema.enumeration.is_some() || schema.constant.is_some();
    let refers = schema.reference.is_some() || schema.dynamic_reference.is_some();
    groups && !literals && !refers && schema.types.is_some_and(|types| types.value.admits(kind))
}

/// Whether a value satisfies the branches chosen for it.
fn choices_hold(evaluator: &mut Evaluator<'_>, choices: &Choices, value: &Value) -> bool {
    let model = evaluator.model;
    let chosen: Vec<SchemaId> = choices
        .iter()
        .filter_map(|((owner, one), branch)| {
            let of = &*model.schemas[*owner].applied;
            let list = if *one { &of.one_of } else { &of.any_of };
            list.as_ref()?.value.get(*branch as usize).copied()
        })
        .collect();
    evaluator.accepts(&chosen, value)
}

fn is_inward(edge: &Edge) -> bool {
    matches!(
        edge,
        Edge::Property(_) | Edge::Pattern(_) | Edge::Additional | Edge::Items | Edge::Prefix(_)
    )
}

/// A value that `const` and `enum` leave.
fn literal(schemas: &[&Schema], salt: u32) -> Option<Value> {
    let constant = schemas.iter().find_map(|schema| schema.constant.as_ref());
    if let Some(constant) = constant {
        return Some(constant.value.clone());
    }
    let lists: Vec<&Vec<Value>> =
        schemas.iter().filter_map(|s| s.enumeration.as_ref()).map(|at| &at.value).collect();
    let (first, rest) = lists.split_first()?;
    let fits = |value: &&Value| {
        rest.iter().all(|list| list.iter().any(|known| known.same(value)))
            && schemas.iter().all(|s| s.types.is_none_or(|types| types.value.admits(value.kind())))
    };
    let mut left: Vec<&Value> = first.iter().filter(fits).collect();
    // `null` and "" are valid and tell little.
    left.sort_by_key(|value| {
        matches!(value, Value::Null) || matches!(value, Value::String(t) if t.is_empty())
    });
    left.get(salt as usize % left.len().max(1)).map(|value| (*value).clone())
}

/// Which type to make first: what the keywords are about.
fn preference(schemas: &[&Schema]) -> Vec<Type> {
    let mut order = Vec::new();
    let any = |test: fn(&Schema) -> bool| schemas.iter().any(|schema| test(schema));
    if any(|s| !s.object.is_empty()) {
        order.push(Type::Object);
    }
    if any(|s| !s.array.is_empty()) {
        order.push(Type::Array);
    }
    if any(|s| !s.number.is_empty()) {
        order.extend([Type::Integer, Type::Number]);
    }
    if any(|s| !s.string.is_empty()) {
        order.push(Type::String);
    }
    order.extend([
        Type::String,
        Type::Integer,
        Type::Number,
        Type::Object,
        Type::Array,
        Type::Boolean,
        Type::Null,
    ]);
    order
}
