//! Checks the schema program.

use super::{Check, FIRST_SCHEMAS};
use crate::error::OpenError;
use crate::hash::name_hash;
use crate::key::property_key;
use crate::layout::{
    Composition, CompositionKind, Condition, ConditionKind, ContentEncoding, Dependent, Format,
    IDN_SHIFT, Keyword, LiteralSet, MAX_BRANCHES, MAX_EVALUATORS, MAX_MULTIPLE_DIGITS, NONE,
    ObjectCheck, PROPERTY_IMPLIED, Property, SCHEMA_ACCEPTS_ALL, STENCIL_LEN, Schema, Stencil,
    TYPE_ALL, Unevaluated, View,
};

pub(super) fn verify(check: Check<'_, '_>) -> Result<(), OpenError> {
    let view = check.view;
    check.once("schemas", |check| {
        check.that(view.schemas.len() >= FIRST_SCHEMAS, "the first two schemas are missing")?;
        let any = view.schemas.first().is_some_and(|any| any.flags & SCHEMA_ACCEPTS_ALL != 0);
        let never = view.schemas.get(1).is_some_and(|never| never.types == 0);
        check.that(any && never, "the first two schemas are not any and never")
    })?;
    check.each("schemas", view.schemas, schema)?;
    check.each("string_checks", view.string_checks, |check, string| {
        let count = string.pattern_count.get().into();
        let patterns = check.run(string.patterns.get(), count, view.lists, "patterns")?;
        for pattern in patterns {
            check.index(pattern.value.get(), view.automata, "pattern")?;
        }
        let count = string.class_count.get().into();
        let classes = check.run(string.classes.get(), count, view.lists, "classes")?;
        for class in classes {
            check.index(class.value.get(), view.char_classes, "class")?;
        }
        check.that(ContentEncoding::from_code(string.encoding).is_some(), "encoding")?;
        check.maybe(string.stencil.get(), view.stencils, "stencil")?;
        let format = Format::from_code(string.format);
        check.that(format.is_some(), "format")?;
        let idn = format.is_some_and(Format::needs_idn);
        check.that(!idn || !view.idn.is_empty(), "the format's table is missing")
    })?;
    check.each("stencils", view.stencils, stencil)?;
    check.each("number_checks", view.number_checks, |check, number| {
        check.maybe(number.min.get(), view.decimals, "min")?;
        check.maybe(number.max.get(), view.decimals, "max")?;
        let count = number.multiple_count.get().into();
        let multiples = check.run(number.multiples.get(), count, view.lists, "multiples")?;
        for multiple in multiples {
            let decimal = view.decimals.get(multiple.value.get() as usize);
            let positive = decimal.is_some_and(|d| d.digits.len.get() > 0 && d.negative.get() == 0);
            check.that(positive, "a multiple is not a positive number")?;
            let short = decimal.is_some_and(|d| d.digits.len.get() as usize <= MAX_MULTIPLE_DIGITS);
            check.that(short, "a multiple has too many digits")?;
        }
        Ok(())
    })?;
    check.each("decimals", view.decimals, |check, decimal| {
        let digits = check.text(&decimal.digits, "digits")?;
        let sound = digits.iter().all(u8::is_ascii_digit)
            && !digits.starts_with(b"0")
            && !digits.ends_with(b"0")
            && decimal.negative.get() <= u32::from(!digits.is_empty());
        check.that(sound, "not a canonical number")
    })?;
    check.each("array_checks", view.array_checks, |check, array| {
        let (first, count) = (array.prefix.get(), array.prefix_count.get());
        let prefix = check.run(first, count, view.lists, "prefix")?;
        prefix.iter().try_for_each(|item| check.schema(item.value.get(), "prefix item"))?;
        check.schema(array.items.get(), "items")?;
        check.maybe(array.unevaluated.get(), view.unevaluated, "unevaluated")?;
        check.maybe(array.contains.get(), view.schemas, "contains")
    })?;
    check.each("object_checks", view.object_checks, object)?;
    check.each("properties", view.properties, property)?;
    check.each("literal_sets", view.literal_sets, literals)?;
    check.each("literal_strings", view.literal_strings, |check, literal| {
        let text = check.text(&literal.text, "text")?;
        check.that(name_hash(text) == literal.hash.get(), "hash")
    })?;
    check.each("compositions", view.compositions, composition)?;
    check.each("tags", view.tags, |check, tag| {
        check.text(&tag.value, "value")?;
        check.schema(tag.schema.get(), "schema")
    })?;
    check.each("type_switches", view.type_switches, |check, switch| {
        [switch.null, switch.boolean, switch.number, switch.string, switch.array, switch.object]
            .iter()
            .try_for_each(|schema| check.schema(schema.get(), "schema"))
    })?;
    check.each("contents", view.contents, |check, content| {
        check.that(ContentEncoding::from_code(content.encoding).is_some(), "encoding")?;
        check.schema(content.schema.get(), "schema")
    })?;
    check.each("pattern_properties", view.pattern_properties, |check, pattern| {
        check.index(pattern.automaton.get(), view.automata, "automaton")?;
        check.schema(pattern.schema.get(), "schema")
    })?;
    check.each("unevaluated", view.unevaluated, unevaluated)?;
    traces(check)?;
    check.once("idn", |check| {
        check.spend(view.idn.len());
        let starts = view.idn.iter().map(|range| range.entry.get() >> IDN_SHIFT);
        check.that(starts.clone().next().unwrap_or(0) == 0, "the first range begins above zero")?;
        check.that(starts.is_sorted_by(|a, b| a < b), "ranges do not ascend")
    })?;
    check.once("schemas", |check| {
        check.spend(view.schemas.len().saturating_add(view.compositions.len()).saturating_mul(4));
        acyclic(view)
    })
}

fn schema(check: &Check<'_, '_>, schema: &Schema) -> Result<(), OpenError> {
    let view = check.view;
    check.that(schema.types <= TYPE_ALL, "types")?;
    let count = schema.composition_count.get().into();
    check.run(schema.compositions.get(), count, view.compositions, "compositions")?;
    check.maybe(schema.string.get(), view.string_checks, "string")?;
    check.maybe(schema.number.get(), view.number_checks, "number")?;
    check.maybe(schema.array.get(), view.array_checks, "array")?;
    check.maybe(schema.object.get(), view.object_checks, "object")?;
    check.maybe(schema.literals.get(), view.literal_sets, "literals")?;
    check.maybe(schema.origin.get(), view.origins, "origin")
}

fn object(check: &Check<'_, '_>, object: &ObjectCheck) -> Result<(), OpenError> {
    let view = check.view;
    let count = object.property_count.get();
    let properties = check.run(object.properties.get(), count, view.properties, "properties")?;
    let is_required = |property: &Property| property.flags.get() & 1 != 0;
    let required = properties.iter().filter(|property| is_required(property)).count();
    let mask =
        properties.iter().take(64).rev().fold(0u64, |m, p| m << 1 | u64::from(is_required(p)));
    let sound = required == object.required_count.get() as usize && mask == object.required.get();
    check.that(sound, "the required properties do not agree")?;
    check.table(object.slots.get(), object.slot_mask.get(), count)?;
    check.schema(object.additional.get(), "additional")?;
    let (first, patterns) = (object.pattern_properties.get(), object.pattern_property_count.get());
    check.run(first, patterns, view.pattern_properties, "pattern_properties")?;
    check.maybe(object.names.get(), view.schemas, "names")?;
    let (first, dependents) = (object.dependents.get(), object.dependent_count.get());
    let dependents = check.run(first, dependents, view.dependents, "dependents")?;
    let sound = |dependent: &Dependent| {
        let (required, schema) = (dependent.required.get(), dependent.schema.get());
        dependent.property.get() < count
            && (required == NONE || required < count)
            && (schema == NONE || (schema as usize) < view.schemas.len())
    };
    check.that(dependents.iter().all(sound), "a dependent is out of range")?;
    check.maybe(object.unevaluated.get(), view.unevaluated, "unevaluated")?;
    let unevaluated = view.unevaluated.get(object.unevaluated.get() as usize);
    let present = |of: &&Condition| of.kind == ConditionKind::Present.code();
    let mut named = unevaluated.into_iter().flat_map(|of| conditions(view, of)).filter(present);
    check.that(named.all(|of| of.of.get() < count), "a condition is out of range")
}

fn conditions<'b>(view: &View<'b>, of: &Unevaluated) -> &'b [Condition] {
    let first = of.conditions.get() as usize;
    let last = first.saturating_add(of.condition_count.get() as usize);
    view.conditions.get(first..last).unwrap_or_default()
}

fn unevaluated(check: &Check<'_, '_>, of: &Unevaluated) -> Result<(), OpenError> {
    let view = check.view;
    check.schema(of.schema.get(), "schema")?;
    check.that(of.evaluator_count.get() <= MAX_EVALUATORS, "too many evaluators")?;
    let (first, count) = (of.evaluators.get(), of.evaluator_count.get());
    let evaluators = check.run(first, count, view.evaluators, "evaluators")?;
    let (first, count) = (of.conditions.get(), of.condition_count.get());
    let conditions = check.run(first, count, view.conditions, "conditions")?;
    for evaluator in evaluators {
        check.maybe(evaluator.names.get(), view.object_checks, "names")?;
        check.maybe(evaluator.contains.get(), view.schemas, "contains")?;
        let from = evaluator.conditions.get();
        let to = from.checked_add(evaluator.condition_count.get());
        let within = from >= first && to.is_some_and(|to| to <= first.saturating_add(count));
        check.that(within, "conditions of another")?;
    }
    conditions.iter().try_for_each(|condition| match ConditionKind::from_code(condition.kind) {
        Some(ConditionKind::Accepts | ConditionKind::Refuses) => {
            check.schema(condition.of.get(), "condition")
        }
        Some(ConditionKind::Present) => Ok(()),
        None => check.that(false, "condition kind"),
    })
}

fn property(check: &Check<'_, '_>, property: &Property) -> Result<(), OpenError> {
    let name = check.text(&property.name, "name")?;
    check.that(name_hash(name) == property.hash.get(), "hash")?;
    check.schema(property.schema.get(), "schema")?;
    let implied = property.flags.get() & PROPERTY_IMPLIED != 0;
    let (key, mask) = if implied { ([0; 32], 0) } else { property_key(name) };
    let none = property.key == [0; 32] && property.key_mask.get() == 0;
    let sound = none || (property.key == key && property.key_mask.get() == mask);
    check.that(sound, "the key is not the name between quotes")
}

fn stencil(check: &Check<'_, '_>, stencil: &Stencil) -> Result<(), OpenError> {
    let ascii = stencil.high.iter().skip(8).all(|bits| *bits == 0);
    check.that(ascii, "the stencil lets pass what is not ASCII")?;
    check.that(stencil.lengths.get() >> STENCIL_LEN <= 1, "the stencil is longer than its places")
}

fn literals(check: &Check<'_, '_>, set: &LiteralSet) -> Result<(), OpenError> {
    let view = check.view;
    let count = set.string_count.get();
    check.run(set.strings.get(), count, view.literal_strings, "strings")?;
    check.table(set.slots.get(), set.slot_mask.get(), count)?;
    check.run(set.numbers.get(), set.number_count.get(), view.decimals, "numbers").map(|_| ())
}

fn composition(check: &Check<'_, '_>, composition: &Composition) -> Result<(), OpenError> {
    let view = check.view;
    check.text(&composition.tag, "tag")?;
    check.that(Keyword::from_code(composition.keyword).is_some(), "keyword")?;
    let (first, count) = (composition.branches.get(), composition.branch_count.get());
    check.that(count <= MAX_BRANCHES, "too many branches")?;
    tags(check, composition.hints.get(), composition.hint_count.get())?;
    match CompositionKind::from_code(composition.kind) {
        Some(CompositionKind::Tagged) => tags(check, first, count),
        Some(CompositionKind::TypeSwitch) => check.index(first, view.type_switches, "type switch"),
        Some(CompositionKind::Content) => check.index(first, view.contents, "content"),
        Some(kind) => {
            let wanted = match kind {
                CompositionKind::Not => count == 1,
                CompositionKind::If => count == 3,
                _ => count > 0,
            };
            check.that(wanted, "a wrong number of branches")?;
            let branches = check.run(first, count.into(), view.lists, "branches")?;
            branches.iter().try_for_each(|branch| check.schema(branch.value.get(), "branch"))
        }
        None => check.that(false, "kind"),
    }
}

fn tags(check: &Check<'_, '_>, first: u32, count: u16) -> Result<(), OpenError> {
    let tags = check.run(first, count.into(), check.view.tags, "tags")?;
    let texts: Result<Vec<_>, _> = tags.iter().map(|tag| check.text(&tag.value, "tag")).collect();
    check.that(texts?.windows(2).all(|pair| pair.first() < pair.last()), "tags do not ascend")
}

fn traces(check: Check<'_, '_>) -> Result<(), OpenError> {
    let view = check.view;
    check.each("traces", view.traces, |check, trace| {
        check.schema(trace.schema.get(), "schema")?;
        check.index(trace.origin.get(), view.origins, "origin")?;
        check.that(Keyword::from_code(trace.keyword).is_some(), "keyword")
    })?;
    let key =
        |trace: &crate::layout::Trace| (trace.schema.get(), trace.keyword, trace.member.get());
    check.once("traces", |check| {
        check.spend(view.traces.len());
        check.that(view.traces.is_sorted_by_key(key), "traces do not ascend")
    })
}

/// Refuses schemas that apply to the same value as themselves, through whatever compositions and dependents.
fn acyclic(view: &View<'_>) -> Result<(), OpenError> {
    const NEW: u8 = 0;
    const OPEN: u8 = 1;
    const DONE: u8 = 2;
    let mut state = vec![NEW; view.schemas.len()];
    let mut stack: Vec<(usize, bool)> = Vec::new();
    for start in 0..view.schemas.len() {
        stack.push((start, false));
        while let Some((schema, leaving)) = stack.pop() {
            let Some(mark) = state.get_mut(schema) else { continue };
            if leaving {
                *mark = DONE;
                continue;
            }
            match *mark {
                DONE => continue,
                OPEN => {
                    let what = "the schema composes itself";
                    return Err(OpenError::Record { section: "schemas", record: schema, what });
                }
                _ => *mark = OPEN,
            }
            stack.push((schema, true));
            let mut sound = true;
            in_place(view, schema, |branch| match state.get(branch as usize) {
                Some(&OPEN) => sound = false,
                Some(&NEW) => stack.push((branch as usize, false)),
                _ => {}
            });
            if !sound {
                let what = "the schema composes itself";
                return Err(OpenError::Record { section: "schemas", record: schema, what });
            }
        }
    }
    Ok(())
}

/// Calls back with every schema that a schema applies to the same value.
fn in_place(view: &View<'_>, schema: usize, mut each: impl FnMut(u32)) {
    let Some(schema) = view.schemas.get(schema) else { return };
    let first = schema.compositions.get() as usize;
    let range = first..first.saturating_add(schema.composition_count.get().into());
    for composition in view.compositions.get(range).unwrap_or_default() {
        let first = composition.branches.get() as usize;
        let range = first..first.saturating_add(composition.branch_count.get().into());
        match CompositionKind::from_code(composition.kind) {
            Some(CompositionKind::Tagged) => {
                view.tags
                    .get(range)
                    .unwrap_or_default()
                    .iter()
                    .for_each(|tag| each(tag.schema.get()));
            }
            Some(CompositionKind::TypeSwitch) => {
                if let Some(switch) = view.type_switches.get(first) {
                    let by_type = [
                        switch.null,
                        switch.boolean,
                        switch.number,
                        switch.string,
                        switch.array,
                        switch.object,
                    ];
                    by_type.iter().for_each(|schema| each(schema.get()));
                }
            }
            // Another value: what the string encodes.
            Some(CompositionKind::Content) => {}
            _ => view.lists.get(range).unwrap_or_default().iter().for_each(|i| each(i.value.get())),
        }
    }
    if let Some(object) = view.object_checks.get(schema.object.get() as usize) {
        let first = object.dependents.get() as usize;
        let range = first..first.saturating_add(object.dependent_count.get() as usize);
        for dependent in view.dependents.get(range).unwrap_or_default() {
            if dependent.schema.get() != NONE {
                each(dependent.schema.get());
            }
        }
        observed(view, object.unevaluated.get(), &mut each);
    }
    if let Some(array) = view.array_checks.get(schema.array.get() as usize) {
        observed(view, array.unevaluated.get(), &mut each);
    }
}

/// Calls back with every schema that a condition asks about.
fn observed(view: &View<'_>, unevaluated: u32, each: &mut impl FnMut(u32)) {
    let of = view.unevaluated.get(unevaluated as usize);
    for condition in of.into_iter().flat_map(|of| conditions(view, of)) {
        if condition.kind != ConditionKind::Present.code() {
            each(condition.of.get());
        }
    }
}
