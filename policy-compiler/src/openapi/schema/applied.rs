//! Keywords that hold other schemas.

use crate::diag::{self, Diagnostic};
use crate::ir::{
    At, DependentRequired, Discriminator, DiscriminatorMapping, Property, Schema, SchemaId, Version,
};
use crate::source::{Fragment, Kind, Place, Reference};

use super::super::context::Context;
use super::id_of;

/// Reads a keyword, if it is one of these.
pub(super) fn read<'a>(
    cx: &mut Context<'a>,
    schema: &mut Schema,
    owner: Place<'a>,
    name: &str,
    place: Place<'a>,
    version: Version,
) -> bool {
    let one = |cx: &mut Context<'a>| {
        let id = id_of(cx, place, version);
        Some(cx.at(id, place))
    };
    match name {
        "items" => {
            if matches!(place.node.kind(), Kind::Array(_)) {
                let title = "`items` is one schema; a list of them belongs to older JSON Schema";
                cx.report_with(diag::MISPLACED_KEYWORD, place, title, "write `prefixItems` (3.1)");
                cx.ignore(place, "items", "a list of schemas is not a form of this version");
            } else {
                schema.array.items = one(cx);
            }
        }
        "contains" => schema.array.contains = one(cx),
        "unevaluatedItems" => schema.array.unevaluated_items = one(cx),
        "prefixItems" => schema.array.prefix_items = list(cx, owner, name, version),
        "additionalProperties" => schema.object.additional_properties = one(cx),
        "unevaluatedProperties" => schema.object.unevaluated_properties = one(cx),
        "propertyNames" => schema.object.property_names = one(cx),
        "properties" => schema.object.properties = Some(properties(cx, place, version)),
        "patternProperties" => {
            schema.object.pattern_properties = Some(named(cx, owner, name, version));
        }
        "dependentSchemas" => {
            schema.object.dependent_schemas = Some(named(cx, owner, name, version));
        }
        "dependentRequired" => {
            schema.object.dependent_required = Some(dependent_required(cx, owner));
        }
        "contentSchema" => schema.string.content_schema = one(cx),
        "allOf" => schema.applied.all_of = list(cx, owner, name, version),
        "anyOf" => schema.applied.any_of = list(cx, owner, name, version),
        "oneOf" => schema.applied.one_of = list(cx, owner, name, version),
        "not" => schema.applied.not = one(cx),
        "if" => schema.applied.if_ = one(cx),
        "then" => schema.applied.then = one(cx),
        "else" => schema.applied.else_ = one(cx),
        _ => return false,
    }
    true
}

/// What a `$ref` beside other keywords leads to.
pub(super) fn reference<'a>(
    cx: &mut Context<'a>,
    owner: Place<'a>,
    place: Place<'a>,
    version: Version,
) -> Option<SchemaId> {
    let text = place.node.as_str()?;
    match cx.resolve(place.document, text) {
        Ok(target) if target.key() == owner.key() => {
            cx.report(diag::CIRCULAR_REF, place, format!("`{text}` leads back to itself"));
            None
        }
        Ok(target) => Some(id_of(cx, target, version)),
        Err(error) => Some(super::unresolved(cx, owner, text, error)),
    }
}

fn list<'a>(
    cx: &mut Context<'a>,
    owner: Place<'a>,
    name: &str,
    version: Version,
) -> Option<At<Vec<SchemaId>>> {
    let place = owner.get(name)?;
    let elements = cx.list(owner, name);
    if elements.is_empty() {
        if matches!(place.node.kind(), Kind::Array(_)) {
            let title = format!("an empty `{name}` means nothing");
            cx.report(diag::EMPTY_COMPOSITION, place, title);
            cx.ignore(place, name, "an empty list means nothing");
        }
        return None;
    }
    let ids = elements.into_iter().map(|element| id_of(cx, element, version)).collect();
    Some(cx.at(ids, place))
}

fn named<'a>(
    cx: &mut Context<'a>,
    owner: Place<'a>,
    name: &str,
    version: Version,
) -> At<Vec<Property>> {
    let place = owner.get(name).unwrap_or(owner);
    let members = cx.members(place, &format!("`{name}`"));
    let children = members.into_iter().map(|(n, p)| property(cx, n, p, version)).collect();
    cx.at(children, place)
}

fn property<'a>(cx: &mut Context<'a>, name: &str, place: Place<'a>, version: Version) -> Property {
    let schema = id_of(cx, place, version);
    Property { name: name.to_owned(), origin: cx.origin(place), schema }
}

/// `properties`. A `$ref` in it is a property of that name, unless it is a string: then the whole
/// table is meant to come from elsewhere, which the specification does not allow but tools do.
fn properties<'a>(cx: &mut Context<'a>, place: Place<'a>, version: Version) -> At<Vec<Property>> {
    let mut children: Vec<Property> = Vec::new();
    let mut table = place;
    // Each table followed once is enough to find a circle.
    for _ in 0..16 {
        let mut next = None;
        for (name, member) in cx.members(table, "`properties`") {
            match member.node.as_str() {
                Some(text) if name == "$ref" => match cx.resolve(table.document, text) {
                    Ok(target) => {
                        let title = "a reference in place of a table of properties";
                        cx.report(diag::MISPLACED_KEYWORD, member, title);
                        next = Some(target);
                    }
                    Err(error) => {
                        let span = cx.library.span(member);
                        let diagnostic = Diagnostic::new(error.code, error.title).at(span);
                        cx.diagnostics.push(diagnostic.maybe_help(error.help));
                    }
                },
                _ if children.iter().any(|p| p.name == name) => {}
                _ => {
                    let property = property(cx, name, member, version);
                    children.push(property);
                }
            }
        }
        match next {
            Some(target) => table = target,
            None => break,
        }
    }
    cx.at(children, place)
}

fn dependent_required<'a>(cx: &mut Context<'a>, owner: Place<'a>) -> At<Vec<DependentRequired>> {
    let place = owner.get("dependentRequired").unwrap_or(owner);
    let mut entries = Vec::new();
    for (name, list) in cx.members(place, "`dependentRequired`") {
        let Some(elements) = list.node.elements() else {
            cx.wrong_type(list, "an entry of `dependentRequired`", "an array");
            continue;
        };
        let required = elements.filter_map(|e| e.as_text().map(str::to_owned)).collect();
        let origin = cx.origin(list);
        entries.push(DependentRequired { name: name.to_owned(), origin, required });
    }
    cx.at(entries, place)
}

/// Reads `discriminator`, once the branches are known.
pub(super) fn discriminator<'a>(
    cx: &mut Context<'a>,
    schema: &mut Schema,
    owner: Place<'a>,
    version: Version,
) {
    let Some(place) = owner.get("discriminator") else { return };
    if !cx.is_object(place, "`discriminator`") {
        return;
    }
    cx.check_fields(place, "a discriminator", &["propertyName", "mapping"]);
    let Some(property) = cx.string(place, "propertyName") else {
        if place.get("propertyName").is_none() {
            cx.missing(place, "a discriminator", "propertyName");
        }
        return;
    };
    let branches = ["oneOf", "anyOf"].into_iter().find_map(|name| {
        let applied = &schema.applied;
        let ids = if name == "oneOf" { &applied.one_of } else { &applied.any_of };
        Some((owner.get(name)?, ids.as_ref()?.value.clone()))
    });
    let (branch_places, branch_ids) = match branches {
        Some((list, ids)) => {
            (list.node.elements().into_iter().flatten().map(|n| list.with(n)).collect(), ids)
        }
        None => (Vec::new(), Vec::new()),
    };
    let branch = |id| branch_ids.iter().position(|b| *b == id).map(|i| i as u32);
    let mut mapping: Vec<DiscriminatorMapping> = Vec::new();
    for (value, target) in cx.map(place, "mapping") {
        if let Some(schema) = mapped(cx, target, version) {
            let (value, origin) = (value.to_owned(), cx.origin(target));
            let branch = branch(schema);
            mapping.push(DiscriminatorMapping { value, schema, branch, explicit: true, origin });
        }
    }
    for (i, (place, schema)) in branch_places.into_iter().zip(branch_ids).enumerate() {
        let Some(name) = super::reference(place).and_then(component_name) else { continue };
        if mapping.iter().any(|m| m.value == name) {
            continue;
        }
        let origin = cx.origin(place);
        let branch = Some(i as u32);
        let entry = DiscriminatorMapping { value: name, schema, branch, explicit: false, origin };
        mapping.push(entry);
    }
    schema.applied.discriminator = Some(cx.at(Discriminator { property, mapping }, place));
}

/// The schema that an entry of a discriminator's mapping names: a component or a reference.
fn mapped<'a>(cx: &mut Context<'a>, place: Place<'a>, version: Version) -> Option<SchemaId> {
    let Some(text) = place.node.as_text() else {
        cx.wrong_type(place, "an entry of `mapping`", "a string");
        return None;
    };
    let component = {
        let root = cx.library.tree(place.document).root();
        let schemas = root.get("components").and_then(|c| c.get("schemas"));
        schemas.and_then(|s| s.get(text)).map(|node| place.with(node))
    };
    let target = match component {
        Some(target) => Ok(target),
        None => cx.resolve(place.document, text),
    };
    match target {
        Ok(target) => Some(id_of(cx, target, version)),
        Err(_) => {
            let title = format!("`{text}` is neither a component schema nor a reference");
            cx.report(diag::DISCRIMINATOR_MAPPING, place, title);
            cx.ignore(place, "mapping", "it leads nowhere");
            None
        }
    }
}

/// The name that a reference's target has as a value of a discriminator.
fn component_name(text: &str) -> Option<String> {
    let reference = Reference::parse(text).ok()?;
    match reference.fragment {
        Fragment::Pointer(tokens) if !tokens.is_empty() => tokens.last().cloned(),
        Fragment::Anchor(name) => Some(name),
        Fragment::Pointer(_) => {
            let path = reference.path?;
            let file = path.rsplit('/').next()?;
            Some(file.split('.').next()?.to_owned())
        }
    }
}
