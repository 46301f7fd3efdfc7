//! Checks the router, operations, parameters and media types.

use super::Check;
use crate::error::OpenError;
use crate::layout::{
    Action, BodyKind, Content, Location, MAX_ALTERNATIVES, MEDIA_WHOLE, Mode, Node, Operation,
    PARAMETER_ALTERNATIVE, Parameter, Style, TYPE_ALL, TextValue,
};

pub(super) fn verify(check: Check<'_, '_>) -> Result<(), OpenError> {
    let view = check.view;
    check.each("hosts", view.hosts, |check, host| {
        let name = check.text(&host.name, "name")?;
        let before = check.record.checked_sub(1).and_then(|before| view.hosts.get(before));
        let before = before.map(|before| check.text(&before.name, "name")).transpose()?;
        check.that(before.is_none_or(|before| name > before), "hosts do not ascend")?;
        check.index(host.root.get(), view.nodes, "root")
    })?;
    check.each("nodes", view.nodes, node)?;
    check.each("partials", view.partials, |check, partial| {
        check.that(partial.literal_count.get() >= 2, "fewer than two literals")?;
        let (first, count) = (partial.literals.get(), partial.literal_count.get());
        let literals = check.run(first, count, view.partial_literals, "literals")?;
        literals.iter().try_for_each(|text| check.text(text, "literal").map(|_| ()))
    })?;
    check.each("operations", view.operations, operation)?;
    check.each("parameters", view.parameters, parameter)?;
    check.each("text_values", view.text_values, text_value)?;
    check.each("text_fields", view.text_fields, |check, field| {
        check.text(&field.name, "name")?;
        check.index(field.value.get(), view.text_values, "value")?;
        check.that(Style::from_code(field.style).is_some(), "style")
    })?;
    check.each("media_types", view.media_types, |check, media_type| {
        check.text(&media_type.name, "name")?;
        check.text(&media_type.parameters, "parameters")?;
        check.schema(media_type.schema.get(), "schema")?;
        check.maybe(media_type.origin.get(), view.origins, "origin")?;
        if matches!(BodyKind::from_code(media_type.kind), Some(BodyKind::Xml | BodyKind::Range)) {
            check.index(media_type.xml.get(), view.xml_elements, "xml")?;
        }
        check.maybe(media_type.value.get(), view.text_values, "value")?;
        check.run(media_type.parts.get(), media_type.part_count.get(), view.body_parts, "parts")?;
        check.that(media_type.flags & !MEDIA_WHOLE == 0, "flags")?;
        check.that(BodyKind::from_code(media_type.kind).is_some(), "kind")
    })?;
    check.each("body_parts", view.body_parts, |check, part| {
        check.maybe(part.min_origin.get(), view.origins, "min_origin")?;
        check.maybe(part.max_origin.get(), view.origins, "max_origin")?;
        check.text(&part.name, "name")?;
        check.text(&part.content_types, "content_types")?;
        check.text(&part.headers, "headers")?;
        check.that(Content::from_code(part.content).is_some(), "content")
    })
}

/// Children stand after their parents, so no walk down the router is endless.
fn node(check: &Check<'_, '_>, node: &Node) -> Result<(), OpenError> {
    let view = check.view;
    let below = |child: u32| (child as usize) > check.record && (child as usize) < view.nodes.len();
    let edges = check.run(node.edges.get(), node.edge_count.get(), view.edges, "edges")?;
    let mut last: Option<&[u8]> = None;
    for edge in edges {
        let segment = check.text(&edge.segment, "segment")?;
        check.that(last.is_none_or(|last| last < segment), "edges do not ascend")?;
        check.that(below(edge.node.get()), "an edge does not lead to a later node")?;
        last = Some(segment);
    }
    let (first, count) = (node.partials.get(), node.partial_count.get());
    let partials = check.run(first, count, view.partials, "partials")?;
    let sound = partials.iter().all(|partial| below(partial.node.get()));
    check.that(sound, "a partial does not lead to a later node")?;
    let wildcard = node.wildcard.get();
    check.that(wildcard == crate::layout::NONE || below(wildcard), "wildcard")?;
    check.run(node.operations.get(), node.operation_count.get(), view.operations, "operations")?;
    check.maybe(node.api.get(), view.apis, "api")
}

fn operation(check: &Check<'_, '_>, operation: &Operation) -> Result<(), OpenError> {
    let view = check.view;
    check.index(operation.api.get(), view.apis, "api")?;
    check.text(&operation.method, "method")?;
    check.text(&operation.template, "template")?;
    check.text(&operation.operation_id, "operation_id")?;
    let (first, count) = (operation.parameters.get(), operation.parameter_count.get());
    let parameters = check.run(first, count, view.parameters, "parameters")?;
    let begins = |it: &&Parameter| it.flags & PARAMETER_ALTERNATIVE != 0;
    let further = parameters.iter().skip(1).filter(begins).count();
    check.that(further < MAX_ALTERNATIVES, "alternatives")?;
    let (first, count) = (operation.media_types.get(), operation.media_type_count.get());
    check.run(first, count, view.media_types, "media_types")?;
    check.maybe(operation.origin.get(), view.origins, "origin")?;
    check.maybe(operation.body_origin.get(), view.origins, "body_origin")?;
    check.that(Mode::from_code(operation.mode).is_some(), "mode")?;
    for action in
        [operation.undeclared_query, operation.undeclared_media_types, operation.unenforced_bodies]
    {
        check.that(Action::from_code(action).is_some(), "action")?;
    }
    Ok(())
}

fn parameter(check: &Check<'_, '_>, parameter: &Parameter) -> Result<(), OpenError> {
    let view = check.view;
    check.text(&parameter.name, "name")?;
    check.schema(parameter.schema.get(), "schema")?;
    check.index(parameter.value.get(), view.text_values, "value")?;
    check.maybe(parameter.origin.get(), view.origins, "origin")?;
    check.that(Location::from_code(parameter.location).is_some(), "location")?;
    check.that(Style::from_code(parameter.style).is_some(), "style")
}

fn text_value(check: &Check<'_, '_>, value: &TextValue) -> Result<(), OpenError> {
    let view = check.view;
    let (first, count) = (value.fields.get(), value.field_count.get());
    let mut last: Option<&[u8]> = None;
    for field in check.run(first, count, view.text_fields, "fields")? {
        let name = check.text(&field.name, "a field's name")?;
        check.that(last.is_none_or(|last| last < name), "fields do not ascend")?;
        last = Some(name);
    }
    check.index(value.items.get(), view.text_values, "items")?;
    check.index(value.additional.get(), view.text_values, "additional")?;
    check.that(value.types <= TYPE_ALL, "types")
}
