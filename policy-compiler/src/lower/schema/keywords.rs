//! The keywords that a schema was written with.

use crate::ir::{Origin, Schema, SchemaId};
use portcullis_bundle::layout::{TYPE_ARRAY, TYPE_OBJECT};

/// Every keyword of a schema that constrains or annotates values, and where it stands.
pub fn keywords(schema: &Schema) -> Vec<(&'static str, Origin)> {
    let mut found = Vec::new();
    if schema.inherited {
        let names = schema.enumeration.as_ref();
        return names.map(|at| (schema.enumeration_keyword(), at.origin)).into_iter().collect();
    }
    macro_rules! written {
        ($($name:literal: $at:expr),* $(,)?) => {
            $(if let Some(at) = &$at { found.push(($name, at.origin)); })*
        };
    }
    written! {
        "$ref": schema.reference, "$ref": schema.unresolved,
        "$dynamicRef": schema.dynamic_reference, "$dynamicAnchor": schema.dynamic_anchor,
        "type": schema.types, "nullable": schema.nullable,
        "enum": schema.enumeration, "const": schema.constant,
        "readOnly": schema.read_only, "writeOnly": schema.write_only,
        "deprecated": schema.deprecated, "default": schema.default,
    }
    if let Some(of) = schema.number.get() {
        written! {
            "minimum": of.minimum, "maximum": of.maximum, "multipleOf": of.multiple_of,
            "exclusiveMinimum": of.exclusive_minimum_flag,
            "exclusiveMaximum": of.exclusive_maximum_flag,
        }
        // With 3.0's flag the bound itself was written as `minimum` or `maximum`.
        let bounds = [
            (&of.exclusive_minimum, &of.exclusive_minimum_flag, "minimum", "exclusiveMinimum"),
            (&of.exclusive_maximum, &of.exclusive_maximum_flag, "maximum", "exclusiveMaximum"),
        ];
        for (bound, flag, flagged, plain) in bounds {
            let name = if flag.is_some() { flagged } else { plain };
            found.extend(bound.as_ref().map(|at| (name, at.origin)));
        }
    }
    if let Some(of) = schema.string.get() {
        written! {
            "minLength": of.min_length, "maxLength": of.max_length, "pattern": of.pattern,
            "format": of.format, "contentEncoding": of.content_encoding,
            "contentMediaType": of.content_media_type, "contentSchema": of.content_schema,
        }
    }
    if let Some(of) = schema.array.get() {
        written! {
            "minItems": of.min_items, "maxItems": of.max_items, "uniqueItems": of.unique_items,
            "contains": of.contains, "minContains": of.min_contains,
            "maxContains": of.max_contains, "unevaluatedItems": of.unevaluated_items,
        }
    }
    if let Some(of) = schema.array.get() {
        let names = match of.item_list {
            Some(_) => ["additionalItems", "items"],
            None => ["items", "prefixItems"],
        };
        found.extend(of.items.map(|at| (names[0], at.origin)));
        found.extend(of.prefix_items.as_ref().map(|at| (names[1], at.origin)));
    }
    if let Some(of) = schema.object.get() {
        written! {
            "properties": of.properties, "required": of.required,
            "additionalProperties": of.additional_properties,
            "minProperties": of.min_properties, "maxProperties": of.max_properties,
            "patternProperties": of.pattern_properties, "propertyNames": of.property_names,
            "dependencies": of.dependencies,
            "unevaluatedProperties": of.unevaluated_properties,
        }
    }
    if let Some(of) = schema.object.get() {
        let older = of.dependencies.map(|at| at.origin);
        let lists = [
            ("dependentRequired", of.dependent_required.as_ref().map(|at| at.origin)),
            ("dependentSchemas", of.dependent_schemas.as_ref().map(|at| at.origin)),
        ];
        let written = lists.into_iter().filter_map(|(name, at)| Some((name, at?)));
        found.extend(written.filter(|(_, at)| Some(*at) != older));
    }
    if let Some(of) = schema.applied.get() {
        // The names that a discriminator of Swagger 2.0 asks for are no `allOf` that was written.
        let by = of.discriminator.as_ref().map(|at| at.origin);
        let all_of = of.all_of.as_ref().filter(|at| Some(at.origin) != by);
        written! {
            "allOf": all_of, "anyOf": of.any_of, "oneOf": of.one_of, "not": of.not,
            "if": of.if_, "then": of.then, "else": of.else_, "discriminator": of.discriminator,
        }
    }
    found
}

/// The schemas that a schema has for the members of arrays and objects, where `types` has these types.
pub fn members(schema: &Schema, types: u8) -> Vec<SchemaId> {
    let mut found = Vec::new();
    if types & TYPE_ARRAY != 0 {
        let of = &schema.array;
        found.extend(of.items.iter().chain(&of.contains).map(|at| at.value));
        found.extend(of.prefix_items.iter().flat_map(|list| &list.value));
    }
    if types & TYPE_OBJECT != 0 {
        let of = &schema.object;
        let lists = [&of.properties, &of.pattern_properties].into_iter().flatten();
        found.extend(lists.flat_map(|list| &list.value).map(|property| property.schema));
        found.extend(of.additional_properties.map(|at| at.value));
    }
    found
}

/// Every schema that a schema holds or refers to.
pub fn children(schema: &Schema) -> Vec<SchemaId> {
    let mut found = Vec::new();
    found.extend(schema.reference.map(|at| at.value));
    found.extend(schema.dynamic_reference.as_ref().map(|at| at.value.schema));
    let strings = schema.string.content_schema;
    let of = &schema.array;
    let arrays = [of.items, of.contains, of.unevaluated_items];
    found.extend(of.prefix_items.iter().flat_map(|list| &list.value));
    let of = &schema.object;
    let objects = [of.additional_properties, of.property_names, of.unevaluated_properties];
    for list in [&of.properties, &of.pattern_properties, &of.dependent_schemas] {
        found.extend(list.iter().flat_map(|list| &list.value).map(|property| property.schema));
    }
    let of = &schema.applied;
    let applied = [of.not, of.if_, of.then, of.else_];
    for list in [&of.all_of, &of.any_of, &of.one_of] {
        found.extend(list.iter().flat_map(|list| &list.value));
    }
    let single = [strings].into_iter().chain(arrays).chain(objects).chain(applied);
    found.extend(single.flatten().map(|at| at.value));
    found
}
