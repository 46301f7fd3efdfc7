//! What follows a path in its key: `/orders?action=cancel`, `/cookies#exploded`.
//!
//! No path holds a query or a fragment. A fragment tells paths apart for readers alone and is left out; the
//! pairs of a query become query parameters that must be sent, so that such documents mean what they
//! seem to.

use crate::diag;
use crate::ir::{
    At, Operation, Origin, Parameter, ParameterLocation, ParameterValue, Schema, Style, Value,
};
use crate::source::Place;

use super::context::Context;
use super::schema;

/// Adds to operations what the suffix of their path's key asks for.
pub(super) fn apply<'a>(
    cx: &mut Context<'a>,
    place: Place<'a>,
    suffix: &str,
    operations: &mut [Operation],
) {
    let (query, fragment) = match suffix.strip_prefix('?') {
        Some(rest) => rest.split_once('#').map_or((rest, false), |(query, _)| (query, true)),
        None => ("", true),
    };
    if fragment {
        let from = suffix.find('#').unwrap_or_default();
        cx.report_with(
            diag::PATH_SUFFIX,
            place,
            format!("`{}` at the end of a path is left out", &suffix[from..]),
            "clients never send a fragment: give each operation a path of its own",
        );
    }
    if query.is_empty() {
        return;
    }
    cx.report_with(
        diag::PATH_SUFFIX,
        place,
        format!("`?{query}` at the end of a path is read as query parameters that are required"),
        "no path holds a query: declare query parameters",
    );
    require(cx, place, query, operations);
}

/// Requires the pairs of a query of operations: `{name}` as a value is any one.
pub(super) fn require<'a>(
    cx: &mut Context<'a>,
    place: Place<'a>,
    query: &str,
    operations: &mut [Operation],
) {
    let origin = cx.origin(place);
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let variable = |text: &str| Some(text.strip_prefix('{')?.strip_suffix('}')?.to_owned());
        // `?{filter}` names nothing.
        if variable(name).is_some() {
            continue;
        }
        let variable = variable(value);
        for operation in operations.iter_mut() {
            let named = |p: &Parameter| Some(&p.name) == variable.as_ref();
            let declared = operation.parameters.iter().position(|p| {
                named(p) && matches!(p.location, ParameterLocation::Path | ParameterLocation::Query)
            });
            let of = declared.map(|at| operation.parameters.remove(at).value);
            let of = match (of, &variable) {
                (Some(value), _) => value,
                (None, Some(_)) => ParameterValue::Any,
                (None, None) => constant(cx, place, origin, value),
            };
            let taken = |p: &Parameter| p.location == ParameterLocation::Query && p.name == name;
            match operation.parameters.iter_mut().find(|p| taken(p)) {
                Some(known) => known.required.value = true,
                None => operation.parameters.push(parameter(origin, name, of)),
            }
        }
    }
}

fn parameter(origin: Origin, name: &str, value: ParameterValue) -> Parameter {
    Parameter {
        origin,
        name: name.to_owned(),
        location: ParameterLocation::Query,
        required: At::new(true, origin),
        deprecated: false,
        style: At::new(Style::Form, origin),
        explode: At::new(true, origin),
        allow_reserved: At::new(false, origin),
        allow_empty_value: At::new(false, origin),
        value,
    }
}

fn constant<'a>(
    cx: &mut Context<'a>,
    place: Place<'a>,
    origin: Origin,
    value: &str,
) -> ParameterValue {
    let enumeration = Some(At::new(vec![Value::String(value.to_owned())], origin));
    let schema = Schema { origin, enumeration, ..Schema::default() };
    ParameterValue::Schema(schema::synthesise(cx, place, schema))
}
