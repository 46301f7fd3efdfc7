//! Keywords that judge one instance without other schemas.

use std::collections::HashSet;

use crate::diag;
use crate::ir::{At, Dialect, Number, Schema, Value};
use crate::source::{Kind, Place};

use super::super::context::Context;

/// Reads a keyword, if it is one of these.
pub(super) fn read<'a>(
    cx: &mut Context<'a>,
    schema: &mut Schema,
    owner: Place<'a>,
    name: &str,
    place: Place<'a>,
    dialect: Dialect,
) -> bool {
    match name {
        "minimum" => schema.number.minimum = bound(cx, name, place),
        "maximum" => schema.number.maximum = bound(cx, name, place),
        "exclusiveMinimum" => {
            if let Some(bound) = exclusive(cx, name, place, dialect) {
                schema.number.exclusive_minimum = Some(bound);
            }
        }
        "exclusiveMaximum" => {
            if let Some(bound) = exclusive(cx, name, place, dialect) {
                schema.number.exclusive_maximum = Some(bound);
            }
        }
        "multipleOf" => {
            let zero = |n: &Number| n.decimal().digits.is_empty() || n.decimal().negative;
            match bound(cx, name, place) {
                Some(n) if zero(&n.value) => {
                    bad_bound(cx, name, place, "is not above zero");
                }
                bound => schema.number.multiple_of = bound,
            }
        }
        "minLength" => schema.string.min_length = count(cx, name, place),
        "maxLength" => schema.string.max_length = count(cx, name, place),
        "pattern" => schema.string.pattern = cx.string(owner, name),
        "format" => schema.string.format = cx.string(owner, name),
        "contentEncoding" => schema.string.content_encoding = cx.string(owner, name),
        "contentMediaType" => schema.string.content_media_type = cx.string(owner, name),
        "minItems" => schema.array.min_items = count(cx, name, place),
        "maxItems" => schema.array.max_items = count(cx, name, place),
        "uniqueItems" => schema.array.unique_items = cx.boolean(owner, name),
        "minContains" => schema.array.min_contains = count(cx, name, place),
        "maxContains" => schema.array.max_contains = count(cx, name, place),
        "minProperties" => schema.object.min_properties = count(cx, name, place),
        "maxProperties" => schema.object.max_properties = count(cx, name, place),
        "required" => schema.object.required = required(cx, place),
        _ => return false,
    }
    true
}

/// 3.0's `exclusiveMinimum: true` turns `minimum` into an exclusive bound.
pub(super) fn settle_bounds<'a>(
    cx: &mut Context<'a>,
    schema: &mut Schema,
    owner: Place<'a>,
    dialect: Dialect,
) {
    if schema.number.is_empty() || !dialect.has_exclusive_flags() {
        return;
    }
    let exclusive = |name: &str| {
        let place = owner.get(name)?;
        (place.node.as_bool() == Some(true)).then_some(place)
    };
    for (name, place) in ["exclusiveMinimum", "exclusiveMaximum"].map(|n| (n, exclusive(n))) {
        let Some(place) = place else { continue };
        let number = &mut *schema.number;
        let (inclusive, bound, flag) = match name {
            "exclusiveMinimum" => (
                &mut number.minimum,
                &mut number.exclusive_minimum,
                &mut number.exclusive_minimum_flag,
            ),
            _ => (
                &mut number.maximum,
                &mut number.exclusive_maximum,
                &mut number.exclusive_maximum_flag,
            ),
        };
        if let Some(value) = inclusive.take() {
            *bound = Some(value);
            *flag = Some(cx.at(true, place));
        } else {
            bad_bound(cx, name, place, "has no bound beside it");
        }
    }
}

fn exclusive<'a>(
    cx: &mut Context<'a>,
    name: &str,
    place: Place<'a>,
    dialect: Dialect,
) -> Option<At<Number>> {
    let boolean = place.node.as_bool().is_some();
    let flags = dialect.has_exclusive_flags();
    if boolean != flags && (boolean || place.node.as_number().is_some()) {
        let (form, help) = match flags {
            true => ("a number", "write the bound in the other keyword, and `true` here"),
            false => ("a boolean", "write the bound itself here"),
        };
        let title = format!("`{name}` as {form} belongs to another OpenAPI version");
        cx.report_with(diag::EXCLUSIVE_BOUND, place, title, help);
        cx.ignore(place, name, "has the form of another OpenAPI version");
        return None;
    }
    if boolean { None } else { bound(cx, name, place) }
}

fn bound<'a>(cx: &mut Context<'a>, name: &str, place: Place<'a>) -> Option<At<Number>> {
    match place.node.as_number() {
        Some(number) => Some(cx.at(number, place)),
        None => {
            bad_bound(cx, name, place, "is not a number");
            None
        }
    }
}

fn count<'a>(cx: &mut Context<'a>, name: &str, place: Place<'a>) -> Option<At<u64>> {
    match place.node.as_number() {
        Some(number) => match number.as_u64() {
            Some(count) => Some(cx.at(count, place)),
            // More than can be counted.
            None if number.is_integer() && !number.decimal().negative => {
                Some(cx.at(u64::MAX, place))
            }
            None => {
                bad_bound(cx, name, place, "is not a whole number from 0");
                None
            }
        },
        None => {
            bad_bound(cx, name, place, "is not a number");
            None
        }
    }
}

fn bad_bound<'a>(cx: &mut Context<'a>, name: &str, place: Place<'a>, why: &str) {
    let text = place.node.as_text().map(|t| format!(" `{t}`")).unwrap_or_default();
    cx.report(diag::BAD_BOUND, place, format!("`{name}`{text} {why}, so it is not enforced"));
    cx.ignore(place, name, &format!("its value {why}"));
}

fn required<'a>(cx: &mut Context<'a>, place: Place<'a>) -> Option<At<Vec<At<String>>>> {
    match place.node.kind() {
        Kind::Array(_) => {}
        Kind::Bool(_) => {
            cx.report_with(
                diag::REQUIRED_BOOLEAN,
                place,
                "`required` of a schema lists names; as a boolean it means nothing",
                "list the name in `required` of the object that has the property",
            );
            cx.ignore(place, "required", "a boolean means nothing in a schema");
            return None;
        }
        _ => {
            cx.wrong_type(place, "`required`", "an array");
            return None;
        }
    }
    let mut names: Vec<At<String>> = Vec::new();
    let mut seen = HashSet::new();
    let elements: Vec<_> = place.node.elements().into_iter().flatten().collect();
    for element in elements {
        let element = place.with(element);
        match element.node.to_value() {
            // Unquoted numbers and booleans are names too.
            Value::String(_) | Value::Number(_) | Value::Bool(_) => {
                let text = element.node.as_text().unwrap_or_default();
                if seen.insert(text) {
                    let name = cx.at(text.to_owned(), element);
                    names.push(name);
                }
            }
            _ => cx.wrong_type(element, "a required name", "a string"),
        }
    }
    Some(cx.at(names, place))
}
