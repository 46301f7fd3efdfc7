//! Keywords that hold other schemas.

use std::collections::{HashMap, HashSet};

use crate::diag::{self, Diagnostic};
use crate::ir::{
    At, DependentRequired, Dialect, Discriminator, DiscriminatorMapping, Property, Schema, SchemaId,
};
use crate::source::{Fragment, Kind, Place, Reference};

use super::super::context::Context;
use super::id_in;

/// Reads a keyword, if it is one of these.
pub(super) fn read<'a>(
    cx: &mut Context<'a>,
    schema: &mut Schema,
    owner: Place<'a>,
    name: &str,
    place: Place<'a>,
    dialect: Dialect,
) -> bool {
    let one = |cx: &mut Context<'a>| {
        let id = id_in(cx, place, dialect);
        Some(cx.at(id, place))
    };
    match name {
        "items" => {
            if matches!(place.node.kind(), Kind::Array(_)) && dialect.has_item_lists() {
                schema.array.prefix_items = list(cx, owner, name, dialect);
                schema.array.item_list = Some(cx.at(true, place));
            } else if matches!(place.node.kind(), Kind::Array(_)) {
                let title = "`items` is one schema; a list of them belongs to older JSON Schema";
                cx.report_with(diag::MISPLACED_KEYWORD, place, title, "write `prefixItems` (3.1)");
                cx.ignore(place, "items", "a list of schemas is not a form of this version");
            } else {
                schema.array.items = one(cx);
            }
        }
        "additionalItems" => {
            let listed =
                owner.get("items").is_some_and(|i| matches!(i.node.kind(), Kind::Array(_)));
            if listed {
                schema.array.items = one(cx);
                schema.array.item_list = Some(cx.at(true, place));
            } else {
                cx.ignore(place, name, "no list of `items` beside it");
            }
        }
        "contains" => schema.array.contains = one(cx),
        "unevaluatedItems" => schema.array.unevaluated_items = one(cx),
        "prefixItems" => schema.array.prefix_items = list(cx, owner, name, dialect),
        "additionalProperties" => schema.object.additional_properties = one(cx),
        "unevaluatedProperties" => schema.object.unevaluated_properties = one(cx),
        "propertyNames" => schema.object.property_names = one(cx),
        "properties" => schema.object.properties = Some(properties(cx, place, dialect)),
        "patternProperties" => {
            schema.object.pattern_properties = Some(named(cx, owner, name, dialect));
        }
        "dependentSchemas" => {
            let read = named(cx, owner, name, dialect);
            add_all(&mut schema.object.dependent_schemas, read);
        }
        "dependentRequired" => {
            let members = cx.members(place, "`dependentRequired`");
            let read = dependent_required(cx, members, name);
            add_all(&mut schema.object.dependent_required, cx.at(read, place));
        }
        "dependencies" => dependencies(cx, schema, place, dialect),
        "contentSchema" => schema.string.content_schema = one(cx),
        "allOf" => schema.applied.all_of = list(cx, owner, name, dialect),
        "anyOf" => schema.applied.any_of = list(cx, owner, name, dialect),
        "oneOf" => schema.applied.one_of = list(cx, owner, name, dialect),
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
    dialect: Dialect,
) -> Option<SchemaId> {
    let text = place.node.as_str()?;
    match cx.resolve(place, text) {
        Ok(target) if target.key() == owner.key() => {
            cx.report(diag::CIRCULAR_REF, place, format!("`{text}` leads back to itself"));
            None
        }
        Ok(target) => Some(id_in(cx, target, dialect)),
        Err(error) => Some(super::unresolved(cx, owner, text, error)),
    }
}

fn list<'a>(
    cx: &mut Context<'a>,
    owner: Place<'a>,
    name: &str,
    dialect: Dialect,
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
    let ids = elements.into_iter().map(|element| id_in(cx, element, dialect)).collect();
    Some(cx.at(ids, place))
}

fn named<'a>(
    cx: &mut Context<'a>,
    owner: Place<'a>,
    name: &str,
    dialect: Dialect,
) -> At<Vec<Property>> {
    let place = owner.get(name).unwrap_or(owner);
    let members = cx.members(place, &format!("`{name}`"));
    let children = members.into_iter().map(|(n, p)| property(cx, n, p, dialect)).collect();
    cx.at(children, place)
}

fn property<'a>(cx: &mut Context<'a>, name: &str, place: Place<'a>, dialect: Dialect) -> Property {
    let schema = id_in(cx, place, dialect);
    Property { name: name.to_owned(), origin: cx.origin(place), schema }
}

/// `properties`. A `$ref` in it is a property of that name, unless it is a string: then the whole
/// table is meant to come from elsewhere, which the specification does not allow but tools do.
fn properties<'a>(cx: &mut Context<'a>, place: Place<'a>, dialect: Dialect) -> At<Vec<Property>> {
    let mut children: Vec<Property> = Vec::new();
    let mut seen: HashSet<&str> = HashSet::new();
    let mut table = place;
    // Each table followed once is enough to find a circle.
    for _ in 0..16 {
        let mut next = None;
        for (name, member) in cx.members(table, "`properties`") {
            match member.node.as_str() {
                Some(text) if name == "$ref" => match cx.resolve(table, text) {
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
                _ if seen.insert(name) => children.push(property(cx, name, member, dialect)),
                _ => {}
            }
        }
        match next {
            Some(target) => table = target,
            None => break,
        }
    }
    cx.at(children, place)
}

fn dependent_required<'a>(
    cx: &mut Context<'a>,
    members: Vec<(&'a str, Place<'a>)>,
    keyword: &str,
) -> Vec<DependentRequired> {
    let mut entries = Vec::new();
    for (name, list) in members {
        let Some(elements) = list.node.elements() else {
            cx.wrong_type(list, &format!("an entry of `{keyword}`"), "an array");
            continue;
        };
        let required = elements.filter_map(|e| e.as_text().map(str::to_owned)).collect();
        let origin = cx.origin(list);
        entries.push(DependentRequired { name: name.to_owned(), origin, required });
    }
    entries
}

/// `dependencies` of the drafts before 2019-09: each entry is a list of names or a schema.
fn dependencies<'a>(cx: &mut Context<'a>, schema: &mut Schema, place: Place<'a>, dialect: Dialect) {
    let members = cx.members(place, "`dependencies`");
    let (lists, schemas): (Vec<_>, Vec<_>) =
        members.into_iter().partition(|(_, p)| matches!(p.node.kind(), Kind::Array(_)));
    let lists = dependent_required(cx, lists, "dependencies");
    let schemas: Vec<_> = schemas.into_iter().map(|(n, p)| property(cx, n, p, dialect)).collect();
    schema.object.dependencies = Some(cx.at(true, place));
    if !lists.is_empty() {
        add_all(&mut schema.object.dependent_required, cx.at(lists, place));
    }
    if !schemas.is_empty() {
        add_all(&mut schema.object.dependent_schemas, cx.at(schemas, place));
    }
}

/// Adds entries to those that another keyword has brought.
fn add_all<T>(to: &mut Option<At<Vec<T>>>, mut entries: At<Vec<T>>) {
    match to {
        Some(known) => known.value.append(&mut entries.value),
        None => *to = Some(entries),
    }
}

/// Reads `discriminator`, once the branches are known.
pub(super) fn discriminator<'a>(
    cx: &mut Context<'a>,
    schema: &mut Schema,
    owner: Place<'a>,
    dialect: Dialect,
) {
    let Some(place) = owner.get("discriminator") else { return };
    if dialect.is_swagger() && place.node.as_str().is_some() {
        return super::heirs::discriminator(cx, schema, owner, place, dialect);
    }
    if !cx.is_object(place, "`discriminator`") {
        return;
    }
    cx.check_fields(place, "a discriminator", &["propertyName", "mapping", "defaultMapping"]);
    if place.get("defaultMapping").is_some() {
        // The property may be missing or say anything, and OpenAPI lets it change no outcome: `oneOf` or `anyOf` decides.
        let reason = "its value changes no outcome beside `defaultMapping`: the branches decide";
        cx.ignore(place, "discriminator", reason);
        return;
    }
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
    let mut branches: HashMap<SchemaId, u32> = HashMap::new();
    for (i, id) in (0..).zip(&branch_ids) {
        branches.entry(*id).or_insert(i);
    }
    let mut values: HashSet<String> = HashSet::new();
    let mut mapping: Vec<DiscriminatorMapping> = Vec::new();
    for (value, target) in cx.map(place, "mapping") {
        if let Some(schema) = mapped(cx, target, dialect) {
            let (value, origin) = (value.to_owned(), cx.origin(target));
            let branch = branches.get(&schema).copied();
            values.insert(value.clone());
            mapping.push(DiscriminatorMapping { value, schema, branch, explicit: true, origin });
        }
    }
    for (i, (place, schema)) in branch_places.into_iter().zip(branch_ids).enumerate() {
        let Some(name) = super::reference(place).and_then(component_name) else { continue };
        if !values.insert(name.clone()) {
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
fn mapped<'a>(cx: &mut Context<'a>, place: Place<'a>, dialect: Dialect) -> Option<SchemaId> {
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
        None => cx.resolve(place, text),
    };
    match target {
        Ok(target) => Some(id_in(cx, target, dialect)),
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
