//! Operations that match the same requests become one.
//!
//! Templates may be equal up to the names of their variables (`/a/{id}` and `/a/{name}`). With
//! different methods both stay; with the same method no request tells them apart, so that a
//! request is allowed if it fits either: the operations are joined, which is reported as an
//! approximation. Parameters that are written in different ways stay apart, as alternatives.

use std::collections::HashMap;

use crate::diag::{self, Diagnostic, Severity, Span};
use crate::ir::{
    At, Ignored, MediaType, Operation, Parameter, ParameterLocation, ParameterValue, Schema,
    SchemaId,
};

use portcullis_bundle::layout::MAX_ALTERNATIVES;

use super::context::Context;
use super::parameters::key;

/// Joins operations of one API that match the same requests.
pub(super) fn merge(cx: &mut Context<'_>, operations: Vec<Operation>) -> Vec<Operation> {
    let mut merged: Vec<Operation> = Vec::new();
    let mut by_shape: HashMap<_, Vec<usize>> = HashMap::new();
    for operation in operations {
        let key = (operation.method, operation.template.shape());
        let candidates = by_shape.entry(key).or_default();
        let overlap = |i: &&usize| {
            let known = &merged[**i];
            share_base(known, &operation) && share_host(known, &operation)
        };
        match candidates.iter().find(overlap).copied() {
            Some(first) => {
                report(cx, &merged[first], &operation);
                join(cx, &mut merged[first], operation);
            }
            None => {
                candidates.push(merged.len());
                merged.push(operation);
            }
        }
    }
    merged
}

fn share_base(a: &Operation, b: &Operation) -> bool {
    a.base_paths.iter().any(|x| b.base_paths.iter().any(|y| x.value.shape() == y.value.shape()))
}

/// Operations of one API have hosts of their own all, or none.
fn share_host(a: &Operation, b: &Operation) -> bool {
    a.hosts == b.hosts || a.hosts.iter().any(|host| b.hosts.contains(host))
}

fn report(cx: &mut Context<'_>, first: &Operation, second: &Operation) {
    let span = |op: &Operation| {
        let path = cx.library.path(op.origin.document);
        Span::word(path, op.origin.line, op.origin.column)
    };
    let name = |op: &Operation| format!("{} {}", op.method.name(), op.template.text);
    let title = if let (Some(a), Some(b)) = (&first.sent, &second.sent)
        && a.value != b.value
    {
        format!("{} and {} are both recognised at `{}`", a.value, b.value, name(first))
    } else if first.template.text == second.template.text {
        format!("`{}` is declared twice", name(first))
    } else {
        format!("`{}` and `{}` match the same requests", name(first), name(second))
    };
    let mut diagnostic = Diagnostic::new(diag::DUPLICATE_OPERATION, title)
        .label(span(second), "again here")
        .label(span(first), "first here");
    if first.origin.document == second.origin.document || first.sent.is_some() {
        diagnostic.severity = Severity::Warning;
        diagnostic = diagnostic.help("a request is allowed if it fits either of them");
    } else {
        diagnostic =
            diagnostic.help("put the documents into different APIs with hosts of their own");
    }
    cx.diagnostics.push(diagnostic);
    for op in [first, second] {
        cx.model.approximated.push(Ignored {
            origin: op.origin,
            construct: crate::report::construct::OPERATION.to_owned(),
            reason: "joined with another operation that matches the same requests".to_owned(),
        });
    }
}

fn join(cx: &mut Context<'_>, first: &mut Operation, mut second: Operation) {
    rename_variables(first, &mut second);
    let apart = !first.alternatives.is_empty() || !is_alike(&first.parameters, &second.parameters);
    if apart && first.alternatives.len() + 1 < MAX_ALTERNATIVES {
        first.alternatives.push(std::mem::take(&mut second.parameters));
    } else {
        let known = first.alternatives.last_mut().unwrap_or(&mut first.parameters);
        let own = std::mem::take(known);
        *known = join_parameters(cx, own, std::mem::take(&mut second.parameters));
    }
    first.request_body = match (first.request_body.take(), second.request_body) {
        (Some(mut a), Some(b)) => {
            a.required.value &= b.required.value;
            for media in b.content {
                match a.content.iter_mut().find(|m| m.range == media.range) {
                    Some(known) => join_media(cx, known, &media),
                    None => a.content.push(media),
                }
            }
            Some(a)
        }
        (a, b) => a.or(b).map(|mut body| {
            body.required.value = false;
            body
        }),
    };
    first.responses.extend(second.responses);
    // No requirement at all means that none has to be met.
    if first.security.is_empty() || second.security.is_empty() {
        first.security.clear();
    } else {
        first.security.extend(second.security);
    }
    for host in second.hosts {
        if !first.hosts.contains(&host) {
            first.hosts.push(host);
        }
    }
    for base in second.base_paths {
        if !first.base_paths.iter().any(|b| b.value.path == base.value.path) {
            first.base_paths.push(base);
        }
    }
}

/// Parameters that take what either of two lists takes.
fn join_parameters(
    cx: &mut Context<'_>,
    own: Vec<Parameter>,
    other: Vec<Parameter>,
) -> Vec<Parameter> {
    let mut parameters = Vec::new();
    let order: Vec<_> = other.iter().map(key).collect();
    let mut others: HashMap<_, Parameter> = order.iter().cloned().zip(other).collect();
    for mut parameter in own {
        match others.remove(&key(&parameter)) {
            Some(other) => {
                approximate(cx, &parameter);
                approximate(cx, &other);
                parameter.required.value &= other.required.value;
                parameter.value = either_value(cx, &parameter, &other);
            }
            None => {
                approximate(cx, &parameter);
                loosen(&mut parameter);
            }
        }
        parameters.push(parameter);
    }
    for mut parameter in order.iter().filter_map(|key| others.remove(key)) {
        approximate(cx, &parameter);
        loosen(&mut parameter);
        parameters.push(parameter);
    }
    parameters
}

/// Whether parameters that both lists have are written in the same way.
fn is_alike(first: &[Parameter], second: &[Parameter]) -> bool {
    let known: HashMap<_, &Parameter> = first.iter().map(|it| (key(it), it)).collect();
    second.iter().all(|b| known.get(&key(b)).is_none_or(|a| is_written_alike(a, b)))
}

fn is_written_alike(a: &Parameter, b: &Parameter) -> bool {
    let schemas = [a, b].map(|it| matches!(it.value, ParameterValue::Schema(_)));
    schemas == [true, true] && a.style.value == b.style.value && a.explode.value == b.explode.value
}

fn approximate(cx: &mut Context<'_>, parameter: &Parameter) {
    cx.model.approximated.push(Ignored {
        origin: parameter.origin,
        construct: crate::report::construct::PARAMETER.to_owned(),
        reason: "joined with the parameters of an operation that matches the same requests"
            .to_owned(),
    });
}

fn rename_variables(first: &Operation, second: &mut Operation) {
    let names: Vec<(String, String)> = second
        .template
        .variables()
        .map(str::to_owned)
        .zip(first.template.variables().map(str::to_owned))
        .collect();
    for parameter in &mut second.parameters {
        if parameter.location == ParameterLocation::Path
            && let Some((_, name)) = names.iter().find(|(from, _)| *from == parameter.name)
        {
            parameter.name.clone_from(name);
        }
    }
}

/// A parameter that only one of the operations has.
fn loosen(parameter: &mut Parameter) {
    if parameter.location == ParameterLocation::Path {
        parameter.value = ParameterValue::Any;
    } else {
        parameter.required.value = false;
    }
}

fn either_value(cx: &mut Context<'_>, a: &Parameter, b: &Parameter) -> ParameterValue {
    match (&a.value, &b.value) {
        (ParameterValue::Schema(x), ParameterValue::Schema(y)) if is_written_alike(a, b) => {
            ParameterValue::Schema(either(cx, *x, *y))
        }
        _ => ParameterValue::Any,
    }
}

fn join_media(cx: &mut Context<'_>, known: &mut MediaType, other: &MediaType) {
    known.schema = match (known.schema, other.schema) {
        (Some(a), Some(b)) => Some(At::new(either(cx, a.value, b.value), a.origin)),
        _ => None,
    };
}

/// A schema that allows what either of two allows.
fn either(cx: &mut Context<'_>, a: SchemaId, b: SchemaId) -> SchemaId {
    if a == b {
        return a;
    }
    let origin = cx.model.schemas[a].origin;
    // One alternative more of those that were joined before.
    if let Some(known) = &mut cx.model.schemas[a].applied.any_of
        && known.origin == origin
    {
        if !known.value.contains(&b) {
            known.value.push(b);
        }
        return a;
    }
    let mut schema = Schema { origin, ..Schema::default() };
    schema.applied.any_of = Some(At::new(vec![a, b], origin));
    let id = SchemaId(cx.model.schemas.len() as u32);
    cx.model.schemas.0.push(schema);
    let resource = cx.resources[a.index()];
    cx.resources.push(resource);
    id
}
