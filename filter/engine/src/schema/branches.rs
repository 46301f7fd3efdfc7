//! What a schema asks of the same value: its compositions, read from the bundle.

use super::check::{self, Value, list};
use super::{evaluation, object};
use portcullis_bundle::layout::{
    Composition, CompositionKind, ConditionKind, Keyword, NONE, SCHEMA_ANY, Schema, TYPE_ARRAY,
    TYPE_OBJECT, Tag, Unevaluated, View,
};

/// A value, as far as its start tells.
#[derive(Clone, Copy)]
pub(super) enum Start<'a> {
    Scalar(&'a Value<'a>),
    Array,
    Object,
}

/// What a schema asks of the same value at a place among its compositions.
pub(super) enum Branch {
    /// This schema; whether the asking schema holds only if this one does.
    Schema(u32, bool),
    Nothing,
    NextComposition,
    End,
}

pub(super) fn branch(
    view: &View<'_>,
    schema: &Schema,
    start: Start<'_>,
    composition: u32,
    branch: u32,
) -> Branch {
    let count = u32::from(schema.composition_count.get());
    if composition > count {
        // Last what is only observed, for what branches evaluate.
        let Some(unevaluated) = unevaluated(view, schema, start) else { return Branch::End };
        return match evaluation::conditions(view, unevaluated).get(branch as usize) {
            None => Branch::End,
            Some(of) if of.kind == ConditionKind::Present.code() => Branch::Nothing,
            Some(of) => Branch::Schema(of.of.get(), false),
        };
    }
    if composition == count {
        // After the compositions, what properties ask of the whole object.
        if !matches!(start, Start::Object) {
            return Branch::NextComposition;
        }
        let Some(check) = view.object_checks.get(schema.object.get() as usize) else {
            return Branch::NextComposition;
        };
        return match object::dependents(view, check).get(branch as usize) {
            None => Branch::NextComposition,
            Some(dependent) if dependent.schema.get() == NONE => Branch::Nothing,
            Some(dependent) => Branch::Schema(dependent.schema.get(), false),
        };
    }
    let place = schema.compositions.get().saturating_add(composition);
    let Some(of) = view.compositions.get(place as usize) else { return Branch::NextComposition };
    let wanted = match kind(of) {
        // Content is another value.
        None | Some(CompositionKind::Content) => None,
        Some(CompositionKind::TypeSwitch) => {
            if branch == 0 {
                type_switch(view, of, start)
            } else {
                None
            }
        }
        Some(CompositionKind::Tagged) => match start {
            Start::Object => tags(view, of).get(branch as usize).map(|tag| tag.schema.get()),
            _ => None,
        },
        Some(_) if branch < u32::from(of.branch_count.get()) => {
            list(view, of.branches.get().saturating_add(branch), 1).next()
        }
        Some(_) => None,
    };
    let and = matches!(kind(of), Some(CompositionKind::AllOf | CompositionKind::TypeSwitch));
    wanted.map_or(Branch::NextComposition, |schema| Branch::Schema(schema, and))
}

/// What a schema says of a value by itself, as far as the value's start tells.
pub(super) fn own(view: &View<'_>, schema: &Schema, start: Start<'_>) -> Result<(), Keyword> {
    let kind = match start {
        Start::Scalar(value) => return check::scalar(view, schema, value),
        Start::Array => TYPE_ARRAY,
        Start::Object => TYPE_OBJECT,
    };
    if schema.types & kind == 0 {
        return Err(Keyword::Type);
    }
    if schema.literals.get() == NONE { Ok(()) } else { Err(Keyword::Enum) }
}

/// Whether something beside the compositions asks for schemas of the whole value.
pub(super) fn dependent(view: &View<'_>, schema: &Schema, start: Start<'_>) -> bool {
    let check = view.object_checks.get(schema.object.get() as usize);
    matches!(start, Start::Object)
        && check.is_some_and(|check| object::has_dependent_schemas(view, check))
        || unevaluated(view, schema, start).is_some()
}

/// What a schema says of the members that nothing evaluates.
pub(super) fn unevaluated<'b>(
    view: &View<'b>,
    schema: &Schema,
    start: Start<'_>,
) -> Option<&'b Unevaluated> {
    let index = match start {
        Start::Scalar(_) => return None,
        Start::Array => view.array_checks.get(schema.array.get() as usize)?.unevaluated,
        Start::Object => view.object_checks.get(schema.object.get() as usize)?.unevaluated,
    };
    view.unevaluated.get(index.get() as usize)
}

/// The schema that decides for one that has nothing but a single branch for the value.
pub(super) fn passes_on(view: &View<'_>, schema: &Schema, start: Start<'_>) -> Option<u32> {
    if schema.composition_count.get() != 1 {
        return None;
    }
    let composition = view.compositions.get(schema.compositions.get() as usize)?;
    match kind(composition)? {
        CompositionKind::TypeSwitch => type_switch(view, composition, start),
        CompositionKind::AllOf if composition.branch_count.get() == 1 => {
            list(view, composition.branches.get(), 1).next()
        }
        CompositionKind::Tagged if !matches!(start, Start::Object) => Some(SCHEMA_ANY),
        _ => None,
    }
}

/// The composition of a schema that has no other, if a tag decides it.
pub(super) fn only_tagged<'b>(view: &View<'b>, schema: &Schema) -> Option<&'b Composition> {
    let composition = view.compositions.get(schema.compositions.get() as usize)?;
    let sole = schema.composition_count.get() == 1 && schema.object.get() == NONE;
    (sole && kind(composition) == Some(CompositionKind::Tagged)).then_some(composition)
}

/// The compositions of a schema, with their places.
pub(super) fn compositions<'b>(
    view: &View<'b>,
    schema: &Schema,
) -> impl Iterator<Item = (u32, &'b Composition)> {
    let first = schema.compositions.get();
    let last = (first as usize).saturating_add(usize::from(schema.composition_count.get()));
    let run = view.compositions.get(first as usize..last).unwrap_or_default();
    // The places come second: where none is left, none is counted on to.
    run.iter().zip(first..).map(|(composition, place)| (place, composition))
}

pub(super) fn tags<'b>(view: &View<'b>, of: &Composition) -> &'b [Tag] {
    let (first, count) = match kind(of) {
        Some(CompositionKind::Tagged) => (of.branches.get(), of.branch_count.get()),
        _ => (of.hints.get(), of.hint_count.get()),
    };
    let last = (first as usize).saturating_add(usize::from(count));
    view.tags.get(first as usize..last).unwrap_or_default()
}

pub(super) fn type_switch(view: &View<'_>, of: &Composition, start: Start<'_>) -> Option<u32> {
    let switch = view.type_switches.get(of.branches.get() as usize)?;
    let schema = match start {
        Start::Array => switch.array,
        Start::Object => switch.object,
        Start::Scalar(Value::Null) => switch.null,
        Start::Scalar(Value::Boolean(_)) => switch.boolean,
        Start::Scalar(Value::Number(_)) => switch.number,
        Start::Scalar(Value::String(..)) => switch.string,
    };
    Some(schema.get())
}

/// Whether a property's value tells which branch is meant.
pub(super) fn looks_for_tag(of: &Composition) -> bool {
    kind(of) == Some(CompositionKind::Tagged) || of.hint_count.get() != 0
}

pub(super) fn kind(of: &Composition) -> Option<CompositionKind> {
    CompositionKind::from_code(of.kind)
}

pub(super) fn keyword(of: &Composition) -> Keyword {
    Keyword::from_code(of.keyword).unwrap_or(Keyword::Schema)
}
