//! Mutants: a valid value, changed in one place so that one keyword refuses it.

use super::evaluate::{Evaluator, Trace, Visit, closure, properties};
use super::exact::Exact;
use super::generate::Generator;
use super::reach::Occurrence;
use super::{at, place, text, token};
use crate::ir::{Number, Schema, SchemaId, Type, Value};

/// A value that a keyword refuses.
#[derive(Clone, Debug)]
pub struct Mutant {
    /// The whole value.
    pub value: Value,
    /// JSON pointer to what was changed.
    pub at: String,
    /// What the evaluator says of it.
    pub trace: Trace,
}

/// Longest text and longest list that a mutant is given.
const MAX_SIZE: u64 = 400_000;

/// Mutants of `base` that break `occurrence`, a keyword of the schema of `visit`; those that break the least come first.
pub fn mutants(
    generator: &mut Generator<'_>,
    root: SchemaId,
    base: &Value,
    visit: &Visit,
    occurrence: Occurrence,
) -> Vec<Mutant> {
    let Some(value) = at(base, &visit.at) else { return Vec::new() };
    let value = value.clone();
    let trace = generator.evaluator.judge(root, base);
    let here = trace.visits.iter().filter(|other| other.at == visit.at);
    let mut beside: Vec<SchemaId> = here.map(|other| other.schema).collect();
    beside.sort_unstable();
    beside.dedup();
    let mut candidates = candidates(generator, visit.schema, &beside, &value, occurrence);
    if matches!(occurrence.keyword, "enum" | "const" | "discriminator") {
        candidates.extend(listed_elsewhere(generator, &beside, &visit.at));
    }
    let mut found = Vec::new();
    for candidate in candidates {
        let mut whole = base.clone();
        let Some(there) = place(&mut whole, &visit.at) else { continue };
        *there = candidate;
        let trace = generator.evaluator.judge(root, &whole);
        let broken = trace.violations.iter().any(|violation| {
            violation.keyword == occurrence.keyword
                && violation.origin == occurrence.origin
                && (violation.at == visit.at || is_child(&violation.at, &visit.at))
        });
        if broken {
            found.push(Mutant { value: whole, at: visit.at.clone(), trace });
        }
    }
    found.sort_by_key(|mutant| mutant.trace.violations.len());
    found.truncate(10);
    found
}

fn is_child(at: &str, parent: &str) -> bool {
    at.strip_prefix(parent)
        .and_then(|rest| rest.strip_prefix('/'))
        .is_some_and(|rest| !rest.contains('/'))
}

fn string(text: impl Into<String>) -> Value {
    Value::String(text.into())
}

fn whole(n: i64) -> Option<Value> {
    Number::parse(&n.to_string()).map(Value::Number)
}

/// What could take the value's place, to which the schemas `beside` apply too.
fn candidates(
    generator: &mut Generator<'_>,
    id: SchemaId,
    beside: &[SchemaId],
    value: &Value,
    occurrence: Occurrence,
) -> Vec<Value> {
    let model = generator.evaluator.model;
    let schema = &model.schemas[id];
    match occurrence.keyword {
        "type" => others(),
        "discriminator" if schema.inherited => unlisted(generator, schema, value),
        "enum" | "const" => unlisted(generator, schema, value),
        "minimum" | "maximum" | "exclusiveMinimum" | "exclusiveMaximum" | "multipleOf" => {
            numbers(schema, value, occurrence.keyword)
        }
        "minLength" | "maxLength" | "pattern" | "format" | "contentEncoding"
        | "contentMediaType" => {
            strings(&mut generator.evaluator, schema, value, occurrence.keyword)
        }
        "minItems" | "maxItems" | "uniqueItems" | "contains" | "minContains" | "maxContains"
        | "items" | "unevaluatedItems" => {
            arrays(generator, schema, beside, value, occurrence.keyword)
        }
        "required"
        | "minProperties"
        | "maxProperties"
        | "additionalProperties"
        | "unevaluatedProperties"
        | "propertyNames"
        | "dependentRequired"
        | "readOnly"
        | "discriminator" => objects(generator, id, value, occurrence),
        "anyOf" | "oneOf" | "not" => composed(generator, id, value, occurrence.keyword),
        _ => Vec::new(),
    }
}

/// A value of each type.
fn others() -> Vec<Value> {
    let mut all = vec![string("mutant"), Value::Bool(true)];
    all.extend(whole(7));
    all.extend(Number::parse("7.5").map(Value::Number));
    all.extend([Value::Object(Vec::new()), Value::Array(Vec::new()), Value::Null]);
    // What some places cannot say empty.
    all.push(Value::Object(vec![("mutant".to_owned(), string("text"))]));
    all.push(Value::Array(vec![string("mutant"), string("text")]));
    all
}

fn unlisted(generator: &mut Generator<'_>, schema: &Schema, value: &Value) -> Vec<Value> {
    let mut all = Vec::new();
    match value {
        Value::String(text) => {
            all.push(string(format!("{text}-mutant")));
            if let Some(pattern) = &schema.string.pattern {
                for salt in 0..8 {
                    all.extend(
                        generator.evaluator.text(&pattern.value, 1, 64, true, salt).map(string),
                    );
                }
            }
            if let Some((good, _)) =
                schema.string.format.as_ref().and_then(|format| text::samples(&format.value))
            {
                all.extend(good.iter().map(|text| string(*text)));
            }
            // Of the same length, for the sake of length and pattern beside it.
            let length = text.chars().count() as u64;
            all.extend((0..3).map(|salt| string(text::of_length(length, salt))));
            all.push(string(text.to_uppercase()));
            all.push(string("mutant"));
        }
        Value::Number(number) => {
            if let Some(number) = Exact::of(number) {
                let near = [1, -1, 1000, -1000, 99_991].map(|n| number.plus(Exact::whole(n)));
                all.extend(near.into_iter().flatten().filter_map(Exact::number).map(Value::Number));
            }
        }
        Value::Bool(value) => all.push(Value::Bool(!value)),
        _ => {}
    }
    all.extend(others());
    all
}

/// Values that other lists on the same value have, and those that discriminators of that name read.
fn listed_elsewhere(generator: &Generator<'_>, beside: &[SchemaId], at: &str) -> Vec<Value> {
    let model = generator.evaluator.model;
    let lists = beside.iter().filter_map(|id| model.schemas[*id].enumeration.as_ref());
    let mut all: Vec<Value> = lists.flat_map(|list| list.value.iter().take(8).cloned()).collect();
    let name = at.rsplit_once('/').map_or("", |(_, name)| name);
    let tags = generator.tags.get(name).into_iter().flatten();
    all.extend(tags.map(|tag| string(tag.as_str())));
    all
}

fn numbers(schema: &Schema, value: &Value, keyword: &str) -> Vec<Value> {
    let of = &*schema.number;
    let whole_only = schema.types.is_some_and(|types| {
        types.value.contains(Type::Integer) && !types.value.contains(Type::Number)
    });
    let small = if whole_only { Exact::whole(1) } else { Exact::power(-2) };
    let step = of.multiple_of.as_ref().and_then(|at| Exact::of(&at.value));
    let of_bound = |at: &Option<crate::ir::At<Number>>| Exact::of(&at.as_ref()?.value);
    let mut all: Vec<Option<Exact>> = Vec::new();
    match keyword {
        "minimum" | "exclusiveMinimum" => {
            let bound = of_bound(&of.minimum).filter(|_| keyword == "minimum");
            let bound = bound.or_else(|| of_bound(&of.exclusive_minimum));
            let bound = bound.or_else(|| of_bound(&of.minimum));
            if let Some(bound) = bound {
                if keyword == "exclusiveMinimum" {
                    all.push(Some(bound));
                }
                all.extend([step.and_then(|s| bound.minus(s)), bound.minus(Exact::whole(1))]);
                all.extend([bound.minus(small), bound.minus(Exact::whole(1_000_000))]);
            }
        }
        "maximum" | "exclusiveMaximum" => {
            let bound = of_bound(&of.maximum).filter(|_| keyword == "maximum");
            let bound = bound.or_else(|| of_bound(&of.exclusive_maximum));
            let bound = bound.or_else(|| of_bound(&of.maximum));
            if let Some(bound) = bound {
                if keyword == "exclusiveMaximum" {
                    all.push(Some(bound));
                }
                all.extend([step.and_then(|s| bound.plus(s)), bound.plus(Exact::whole(1))]);
                all.extend([bound.plus(small), bound.plus(Exact::whole(1_000_000))]);
            }
        }
        _ => {
            let Value::Number(number) = value else { return Vec::new() };
            let Some((number, step)) = Exact::of(number).zip(step) else { return Vec::new() };
            let half = step.half();
            all.extend([
                number.plus(Exact::whole(1)),
                number.minus(Exact::whole(1)),
                half.and_then(|half| number.plus(half)),
                half.and_then(|half| number.minus(half)),
                half,
            ]);
        }
    }
    all.into_iter().flatten().filter_map(Exact::number).map(Value::Number).collect()
}

fn strings(
    evaluator: &mut Evaluator<'_>,
    schema: &Schema,
    value: &Value,
    keyword: &str,
) -> Vec<Value> {
    let of = &*schema.string;
    let current = match value {
        Value::String(text) => text.as_str(),
        _ => "",
    };
    let min = of.min_length.map_or(0, |at| at.value);
    let max = of.max_length.map_or(u64::MAX, |at| at.value);
    let mut all = Vec::new();
    match keyword {
        "minLength" => {
            let length = min - 1;
            if let Some(pattern) = &of.pattern {
                all.extend(evaluator.text(&pattern.value, 0, length, true, 0));
            }
            all.push(current.chars().take(length as usize).collect());
            all.push(text::of_length(length.min(MAX_SIZE), 0));
        }
        "maxLength" if max < MAX_SIZE => {
            if let Some(pattern) = &of.pattern {
                all.extend(evaluator.text(&pattern.value, max + 1, max + 64, true, 0));
            }
            let missing = (max + 1).saturating_sub(current.chars().count() as u64) as usize;
            let last = current.chars().last().unwrap_or('a');
            all.push(current.chars().chain(std::iter::repeat_n(last, missing)).collect());
            if of.format.as_ref().is_some_and(|f| f.value.starts_with("uri")) {
                let tail = text::of_length(max, 0);
                all.push(format!("https://example.com/{tail}"));
            }
            if of.format.as_ref().is_some_and(|f| f.value == "email") {
                let label = text::of_length(60, 0);
                let labels = vec![label; max as usize / 60 + 1];
                all.push(format!("someone@{}.example.com", labels.join(".")));
            }
            all.push(text::of_length(max + 1, 0));
        }
        "pattern" => {
            let Some(pattern) = &of.pattern else { return Vec::new() };
            let length = current.chars().count() as u64;
            let pattern = pattern.value.as_str();
            all.extend(evaluator.text(pattern, length, length, false, 0));
            all.extend(evaluator.text(pattern, min.max(1), max, false, 0));
            all.extend(evaluator.text(pattern, min, max, false, 1));
            // Where another pattern or length refuses beside it.
            all.extend(evaluator.text(pattern, 0, MAX_SIZE, false, 0));
            if let Some(format) = &of.format
                && let Some((good, _)) = text::samples(&format.value)
            {
                all.extend(good.iter().map(|text| (*text).to_owned()));
            }
        }
        "format" => {
            let Some(format) = &of.format else { return Vec::new() };
            let is_text = matches!(value, Value::String(_));
            if let Some((least, most)) = text::number_range(&format.value).filter(|_| !is_text) {
                let [least, most] = [least, most].map(|text| Exact::of(&Number::parse(text)?));
                let beyond = [
                    most.and_then(|most| most.plus(Exact::whole(1))),
                    least.and_then(|least| least.minus(Exact::whole(1))),
                ];
                let beyond = beyond.into_iter().flatten().filter_map(Exact::number);
                return beyond.map(Value::Number).collect();
            }
            let beyond = text::beyond_fractions(&format.value);
            if !beyond.is_empty() {
                let numbers = beyond.iter().filter_map(|text| Number::parse(text));
                return numbers.map(Value::Number).collect();
            }
            if let Some((_, bad)) = text::samples(&format.value) {
                all.extend(bad.iter().map(|text| (*text).to_owned()));
            }
        }
        "contentEncoding" => all.extend([text::NOT_BASE64, "=ZZ", "\u{fc}"].map(str::to_owned)),
        "contentMediaType" => {
            let encoding = of.content_encoding.as_ref().map(|encoding| encoding.value.as_str());
            all.extend(match encoding {
                Some(encoding) => text::encode(encoding, text::NOT_JSON),
                None => Some(text::NOT_JSON.to_owned()),
            });
        }
        _ => {}
    }
    all.into_iter().map(Value::String).collect()
}

fn arrays(
    generator: &mut Generator<'_>,
    schema: &Schema,
    beside: &[SchemaId],
    value: &Value,
    keyword: &str,
) -> Vec<Value> {
    let Value::Array(items) = value else { return Vec::new() };
    let of = &*schema.array;
    let model = generator.evaluator.model;
    let all_of = || beside.iter().map(|id| &*model.schemas[*id].array);
    let rest: Vec<SchemaId> = all_of().filter_map(|of| of.items).map(|at| at.value).collect();
    let unique = all_of().any(|of| of.unique_items.is_some_and(|unique| unique.value));
    let mut all: Vec<Vec<Value>> = Vec::new();
    let grown = |generator: &mut Generator<'_>, to: u64| -> Option<Vec<Value>> {
        let mut grown = items.clone();
        let mut salt = 0;
        while (grown.len() as u64) < to {
            let mut item = if unique { None } else { grown.last().cloned() };
            while item.is_none() && salt < 400 {
                salt += 1;
                let made = match rest.is_empty() {
                    false => generator.all(&rest, salt),
                    true => Some(string(format!("item{salt}"))),
                };
                item = made.filter(|made| !unique || !grown.iter().any(|known| known.same(made)));
            }
            grown.push(item.or_else(|| grown.last().cloned()).unwrap_or(Value::Null));
        }
        Some(grown)
    };
    match keyword {
        "minItems" => {
            let min = of.min_items.map_or(0, |at| at.value) as usize;
            all.push(items.iter().take(min.saturating_sub(1)).cloned().collect());
        }
        "maxItems" => {
            let max = of.max_items.map_or(u64::MAX, |at| at.value);
            if max < MAX_SIZE {
                all.extend(grown(generator, max + 1));
            }
        }
        "uniqueItems" => {
            if let Some(first) = items.first() {
                let mut twice = items.clone();
                twice.push(first.clone());
                all.push(twice);
                let mut more = items.clone();
                more.extend(items.last().cloned());
                all.push(more);
                if items.len() > 1 {
                    let mut twice = items.clone();
                    twice[1] = first.clone();
                    all.push(twice);
                }
            } else {
                all.push(vec![string("same"), string("same")]);
            }
        }
        "contains" | "minContains" => {
            all.push(Vec::new());
            let mut fewer = items.clone();
            let fill: Vec<Value> = others();
            for filler in fill {
                fewer.iter_mut().for_each(|item| *item = filler.clone());
                all.push(fewer.clone());
            }
        }
        "maxContains" => {
            if let Some(contains) = of.contains {
                let max = of.max_contains.map_or(0, |at| at.value).min(MAX_SIZE);
                let model = generator.evaluator.model;
                let mut wanted = vec![contains.value];
                let items_of = |id: &SchemaId| Some(model.schemas[*id].array.items?.value);
                wanted.extend(beside.iter().filter_map(items_of));
                wanted.dedup();
                let mut more = items.clone();
                for salt in 0..=max as u32 {
                    // Another one for each, as far as there are.
                    let mut salts = (0..8).map(|turn| salt + turn * 97);
                    let fresh = salts.find_map(|salt| {
                        let item = generator.all(&wanted, salt)?;
                        (!more.iter().any(|known| known.same(&item))).then_some(item)
                    });
                    more.extend(fresh.or_else(|| generator.all(&[contains.value], salt)));
                }
                all.push(more);
            }
        }
        _ => {
            let prefix = of.prefix_items.as_ref().map_or(0, |list| list.value.len());
            let mut more = items.clone();
            while more.len() <= prefix {
                more.push(string("mutant"));
            }
            all.push(more);
        }
    }
    all.into_iter().map(Value::Array).collect()
}

fn objects(
    generator: &mut Generator<'_>,
    id: SchemaId,
    value: &Value,
    occurrence: Occurrence,
) -> Vec<Value> {
    let Value::Object(members) = value else { return Vec::new() };
    let model = generator.evaluator.model;
    let schema = &model.schemas[id];
    let of = &*schema.object;
    let mut all: Vec<Vec<(String, Value)>> = Vec::new();
    let without = |name: &str| -> Vec<(String, Value)> {
        members.iter().filter(|(n, _)| n != name).cloned().collect()
    };
    let with = |name: &str, value: Value| {
        let mut more = without(name);
        more.push((name.to_owned(), value));
        more
    };
    match occurrence.keyword {
        "required" => {
            for name in of.required.iter().flat_map(|list| &list.value) {
                let less = without(&name.value);
                if less.is_empty() {
                    // Some places cannot say an empty object.
                    let free = generator.free_name(&[schema], 0);
                    let others = properties(schema).filter(|p| p.name != name.value).take(4);
                    let mut fill: Vec<(String, Value)> = others
                        .filter_map(|p| Some((p.name.clone(), generator.all(&[p.schema], 0)?)))
                        .collect();
                    fill.extend(free.map(|name| (name, string("text"))));
                    all.extend(fill.into_iter().map(|one| vec![one]));
                }
                all.push(less);
            }
        }
        "minProperties" => {
            let min = of.min_properties.map_or(0, |at| at.value) as usize;
            all.push(members.iter().take(min.saturating_sub(1)).cloned().collect());
        }
        "maxProperties" => {
            let max = of.max_properties.map_or(0, |at| at.value).min(5_000) as usize;
            let mut more = members.clone();
            for property in properties(schema) {
                if more.len() <= max
                    && !more.iter().any(|(name, _)| *name == property.name)
                    && !generator.evaluator.is_read_only(property.schema)
                    && let Some(value) = generator.all(&[property.schema], 0)
                {
                    more.push((property.name.clone(), value));
                }
            }
            let mut salt = 0;
            while more.len() <= max && salt < 10_000 {
                salt += 1;
                let rest = of.additional_properties.map(|rest| rest.value);
                let value = match rest {
                    Some(rest) => generator.all(&[rest], 0).unwrap_or(Value::Null),
                    None => string("text"),
                };
                let name = match of.property_names {
                    Some(_) => generator.free_name(&[schema], salt),
                    None => Some(format!("extra{salt}")),
                };
                if let Some(name) = name.filter(|name| !more.iter().any(|(known, _)| known == name))
                {
                    more.push((name, value));
                }
            }
            all.push(more);
        }
        "additionalProperties" | "unevaluatedProperties" => {
            let name = generator.free_name(&[schema], 0);
            let name = name.unwrap_or_else(|| "mutant-property".to_owned());
            all.push(with(&name, string("text")));
            all.push(with("mutant-property", string("text")));
            // Names of other branches, which the evaluator tells to be free here.
            all.push(with("x", Value::Null));
        }
        "propertyNames" => {
            for name in ["", "mutant name!", "MUTANT", "0", &"n".repeat(300)] {
                all.push(with(name, string("text")));
            }
        }
        "dependentRequired" => {
            for dependent in of.dependent_required.iter().flat_map(|list| &list.value) {
                let mut base = members.clone();
                if !base.iter().any(|(name, _)| *name == dependent.name) {
                    let declared = properties(schema).find(|p| p.name == dependent.name);
                    let value = declared.and_then(|p| generator.all(&[p.schema], 0));
                    base.push((dependent.name.clone(), value.unwrap_or_else(|| string("text"))));
                }
                for needed in &dependent.required {
                    all.push(base.iter().filter(|(name, _)| name != needed).cloned().collect());
                }
            }
        }
        "readOnly" => {
            for property in properties(schema) {
                let marked =
                    closure(model, &[property.schema], &mut |_| Vec::new()).into_iter().any(|id| {
                        model.schemas[id]
                            .read_only
                            .is_some_and(|m| m.value && m.origin == occurrence.origin)
                    });
                if marked {
                    let made = generator.all(&[property.schema], 0);
                    all.push(with(&property.name, made.unwrap_or_else(|| string("text"))));
                }
            }
        }
        "discriminator" => {
            if let Some(discriminator) = &schema.applied.discriminator {
                let name = &discriminator.value.property.value;
                all.push(with(name, string("mutant")));
                all.push(without(name));
            }
        }
        _ => {}
    }
    all.into_iter().map(Value::Object).collect()
}

fn composed(
    generator: &mut Generator<'_>,
    id: SchemaId,
    value: &Value,
    keyword: &str,
) -> Vec<Value> {
    let model = generator.evaluator.model;
    let of = &*model.schemas[id].applied;
    let mut all = Vec::new();
    if keyword == "not" {
        if let Some(not) = of.not {
            all.extend((0..3).filter_map(|salt| generator.all(&[not.value], salt)));
            // What `not` forbids, beside what is there.
            if let (Value::Object(members), Some(Value::Object(more))) =
                (value, generator.all(&[not.value], 0))
            {
                let mut both = members.clone();
                // As the object's own schema has them, as far as it declares them.
                let mut own = members.clone();
                for (name, value) in more {
                    let declared = properties(&model.schemas[id]).find(|p| p.name == name);
                    let known = members.iter().find(|(known, _)| *known == name);
                    let made = known
                        .map(|(_, value)| value.clone())
                        .or_else(|| generator.all(&[declared?.schema], 0));
                    own.retain(|(known, _)| *known != name);
                    own.push((name.clone(), made.unwrap_or_else(|| value.clone())));
                    both.retain(|(known, _)| *known != name);
                    both.push((name, value));
                }
                all.extend([Value::Object(own), Value::Object(both)]);
            }
        }
        return all;
    }
    let list = if keyword == "oneOf" { &of.one_of } else { &of.any_of };
    let Some(list) = list else { return all };
    if keyword == "oneOf" {
        // Two branches at once.
        for (i, a) in list.value.iter().enumerate().take(6) {
            for b in list.value.iter().skip(i + 1).take(6) {
                all.extend(generator.all(&[*a, *b], 0));
            }
        }
    }
    if let Value::Object(members) = value {
        all.push(Value::Object(Vec::new()));
        for (name, _) in members {
            let fewer = members.iter().filter(|(n, _)| n != name).cloned().collect();
            all.push(Value::Object(fewer));
            let mut other = members.clone();
            for (known, value) in &mut other {
                if known == name {
                    *value = Value::Object(vec![(token("mutant"), Value::Null)]);
                }
            }
            all.push(Value::Object(other));
        }
    }
    if let Value::String(_) = value {
        all.push(string("mutant"));
        all.push(string(""));
        all.push(string(text::of_length(2_000, 0)));
    }
    all.extend(others());
    all
}
