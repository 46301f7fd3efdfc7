//! The keywords of one schema.

use crate::diag::{self, Diagnostic, did_you_mean};
use crate::ir::{Dialect, DynamicReference, Schema, Type, TypeSet, Value};
use crate::source::{Kind, Place};

use super::super::context::Context;
use super::{applied, assertions};

/// Keywords that say nothing about instances.
const ANNOTATIONS: &[&str] = &[
    "title",
    "description",
    "summary",
    "example",
    "examples",
    "externalDocs",
    "default",
    "deprecated",
    "$comment",
    "$id",
    "$schema",
    "$anchor",
    "$defs",
    "definitions",
    "$vocabulary",
    "id",
];

/// Keywords of every dialect.
const COMMON: &[&str] = &[
    "type",
    "enum",
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "multipleOf",
    "minLength",
    "maxLength",
    "pattern",
    "format",
    "items",
    "minItems",
    "maxItems",
    "uniqueItems",
    "properties",
    "required",
    "additionalProperties",
    "minProperties",
    "maxProperties",
    "allOf",
    "anyOf",
    "oneOf",
    "not",
    // OpenAPI's own, read wherever they stand.
    "nullable",
    "discriminator",
    "readOnly",
    "writeOnly",
];

/// Further keywords, with the dialects that have them.
const FURTHER: &[(&str, &[Dialect])] = &[
    ("patternProperties", SINCE_4),
    ("const", SINCE_6),
    ("contains", SINCE_6),
    ("propertyNames", SINCE_6),
    ("if", SINCE_6),
    ("then", SINCE_6),
    ("else", SINCE_6),
    ("contentEncoding", SINCE_6),
    ("contentMediaType", SINCE_6),
    ("minContains", SINCE_2019),
    ("maxContains", SINCE_2019),
    ("dependentRequired", SINCE_2019),
    ("dependentSchemas", SINCE_2019),
    ("unevaluatedItems", SINCE_2019),
    ("unevaluatedProperties", SINCE_2019),
    ("contentSchema", SINCE_2019),
    ("prefixItems", SINCE_2020),
    ("$dynamicRef", SINCE_2020),
    ("$dynamicAnchor", SINCE_2020),
    ("additionalItems", &[Dialect::Draft4, Dialect::Draft7, Dialect::Draft2019]),
    // Kept in 2019-09 and later for schemas that were written before.
    ("dependencies", SINCE_4),
    ("$recursiveRef", &[Dialect::Draft2019]),
    ("$recursiveAnchor", &[Dialect::Draft2019]),
];

const SINCE_4: &[Dialect] = &[
    Dialect::Draft4,
    Dialect::Draft7,
    Dialect::Draft2019,
    Dialect::Draft2020,
    Dialect::Unasserted2020,
];
const SINCE_6: &[Dialect] =
    &[Dialect::Draft7, Dialect::Draft2019, Dialect::Draft2020, Dialect::Unasserted2020];
const SINCE_2019: &[Dialect] = &[Dialect::Draft2019, Dialect::Draft2020, Dialect::Unasserted2020];
const SINCE_2020: &[Dialect] = &[Dialect::Draft2020, Dialect::Unasserted2020];

/// Keywords of 2020-12's validation vocabulary, which a metaschema can leave out.
const VALIDATION: &[&str] = &[
    "type",
    "enum",
    "const",
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "multipleOf",
    "minLength",
    "maxLength",
    "pattern",
    "minItems",
    "maxItems",
    "uniqueItems",
    "minContains",
    "maxContains",
    "minProperties",
    "maxProperties",
    "required",
    "dependentRequired",
];

/// Whether a keyword says something about instances in some dialect.
pub(super) fn is_constraint(name: &str) -> bool {
    COMMON.contains(&name) || FURTHER.iter().any(|(further, _)| *further == name)
}

/// Why a keyword that is known means nothing in a dialect.
fn misplaced(name: &str, dialect: Dialect) -> Option<(&'static str, &'static str)> {
    if dialect == Dialect::Unasserted2020 && VALIDATION.contains(&name) {
        let whose = "a vocabulary that the metaschema leaves out";
        return Some((whose, "the metaschema leaves its vocabulary out"));
    }
    let (_, dialects) = FURTHER.iter().find(|(further, _)| *further == name)?;
    if dialects.contains(&dialect) {
        return None;
    }
    let old =
        matches!(name, "additionalItems" | "dependencies" | "$recursiveRef" | "$recursiveAnchor");
    let whose = match dialect {
        _ if old => "an older JSON Schema",
        Dialect::OpenApi3_0 => "OpenAPI 3.1",
        _ if dialect.is_swagger() => "OpenAPI 3",
        _ => "a newer JSON Schema",
    };
    Some((whose, "not a keyword of this OpenAPI version"))
}

/// Whether a 3.1 schema has keywords beside its `$ref` that take effect.
pub(super) fn has_siblings(place: Place<'_>) -> bool {
    let mut members = place.node.members().into_iter().flatten();
    members.any(|(m, _)| {
        let name = &*m.key;
        name != "$ref" && (is_constraint(name) && name != "nullable")
    })
}

/// Reads the schema at a place.
pub(super) fn read<'a>(cx: &mut Context<'a>, place: Place<'a>, dialect: Dialect) -> Schema {
    let origin = cx.origin(place);
    let mut schema = Schema { origin, dialect, ..Schema::default() };
    if !super::is_schema(cx, place) {
        return schema;
    }
    if let Kind::Bool(value) = place.node.kind() {
        if !dialect.has_boolean_schemas() && !is_additional(place) {
            cx.wrong_type(place, "an OpenAPI 3.0 schema", "an object");
        }
        schema.boolean = Some(*value);
        return schema;
    }
    for (name, value) in cx.members(place, "a schema") {
        read_keyword(cx, &mut schema, place, name, value, dialect);
    }
    assertions::settle_bounds(cx, &mut schema, place, dialect);
    settle_nullable(cx, &mut schema, place, dialect);
    applied::discriminator(cx, &mut schema, place, dialect);
    schema
}

fn is_additional(place: Place<'_>) -> bool {
    place.node.token().is_some_and(|t| t == "additionalProperties" || t == "additionalItems")
}

fn read_keyword<'a>(
    cx: &mut Context<'a>,
    schema: &mut Schema,
    owner: Place<'a>,
    name: &'a str,
    place: Place<'a>,
    dialect: Dialect,
) {
    if let Some((whose, reason)) = misplaced(name, dialect) {
        let title = format!("`{name}` belongs to {whose} and means nothing here");
        cx.report(diag::MISPLACED_KEYWORD, place, title);
        cx.ignore(place, name, reason);
        return;
    }
    let nullable = name == "x-nullable" && dialect.is_swagger();
    if name.starts_with("x-") && !nullable || is_parameters_own(name, place, dialect) {
        return;
    }
    match name {
        "x-nullable" => schema.nullable = cx.boolean(owner, name),
        "$ref" => {
            // Reached in 3.1 only, beside other keywords.
            if place.node.as_str().is_some() {
                if let Some(id) = applied::reference(cx, owner, place, dialect) {
                    schema.reference = Some(cx.at(id, place));
                }
            } else {
                cx.wrong_type(place, "`$ref`", "a string");
            }
        }
        "$dynamicRef" => schema.dynamic_reference = dynamic_reference(cx, place, dialect),
        "$dynamicAnchor" => schema.dynamic_anchor = cx.string(owner, name),
        "type" => schema.types = types(cx, place, dialect),
        "nullable" => schema.nullable = cx.boolean(owner, name),
        "enum" => schema.enumeration = enumeration(cx, owner, place),
        "const" => schema.constant = Some(cx.at(place.node.to_value(), place)),
        "readOnly" => schema.read_only = cx.boolean(owner, name),
        "writeOnly" => schema.write_only = cx.boolean(owner, name),
        "deprecated" => schema.deprecated = cx.boolean(owner, name),
        "default" => schema.default = Some(cx.at(place.node.to_value(), place)),
        "$schema" => self::dialect(cx, place),
        "xml" => schema.xml = super::xml::read(cx, place),
        "$recursiveRef" | "$recursiveAnchor" => {
            cx.ignore(place, name, "the recursive references of 2019-09 are not followed");
        }
        _ if assertions::read(cx, schema, owner, name, place, dialect) => {}
        _ if applied::read(cx, schema, owner, name, place, dialect) => {}
        _ if ANNOTATIONS.contains(&name) || name == "discriminator" => {}
        _ => unknown(cx, schema, name, place),
    }
}

/// Whether a member belongs to the parameter rather than to the schema that it also is.
fn is_parameters_own(name: &str, place: Place<'_>, dialect: Dialect) -> bool {
    dialect == Dialect::Swagger2Parameter
        && (matches!(name, "name" | "in" | "collectionFormat" | "allowEmptyValue")
            || (name == "required" && place.node.as_bool().is_some()))
}

/// Warns of a `$schema` that names no dialect that is known.
pub(in crate::openapi) fn dialect<'a>(cx: &mut Context<'a>, place: Place<'a>) {
    let text = place.node.as_str().unwrap_or_default();
    let known = [
        "https://json-schema.org/draft/2020-12/schema",
        "https://spec.openapis.org/oas/3.1/dialect/base",
    ];
    if cx.dialect_of(place).is_none() {
        let text = text.trim_end_matches('#');
        cx.report_with(
            diag::UNKNOWN_DIALECT,
            place,
            format!("the dialect `{text}` is not known; JSON Schema 2020-12 is assumed"),
            format!("known dialects are `{}`", known.join("`, `")),
        );
    }
}

fn unknown<'a>(cx: &mut Context<'a>, schema: &mut Schema, name: &'a str, place: Place<'a>) {
    let known = COMMON.iter().copied().chain(FURTHER.iter().map(|(name, _)| *name));
    cx.diagnostics.push(
        Diagnostic::new(diag::UNKNOWN_KEYWORD, format!("`{name}` is no schema keyword"))
            .at(cx.library.span(place))
            .maybe_help(did_you_mean(name, known)),
    );
    let at = cx.at(name.to_owned(), place);
    schema.unknown.push(at);
    cx.ignore(place, name, "not a keyword that is known");
}

fn types<'a>(
    cx: &mut Context<'a>,
    place: Place<'a>,
    dialect: Dialect,
) -> Option<crate::ir::At<TypeSet>> {
    let mut set = TypeSet::default();
    match place.node.kind() {
        Kind::String(_) => set = one_type(cx, set, place, dialect),
        Kind::Array(_) => {
            if dialect.is_openapi_3_0() {
                let title = "`type` is a single string in OpenAPI 3.0; the list is read as in 3.1";
                cx.report(diag::MISPLACED_KEYWORD, place, title);
            }
            let elements: Vec<_> = place.node.elements().into_iter().flatten().collect();
            for element in elements {
                set = one_type(cx, set, place.with(element), dialect);
            }
        }
        _ => cx.wrong_type(place, "`type`", "a string"),
    }
    (set.0 != 0).then(|| cx.at(set, place))
}

fn one_type<'a>(cx: &mut Context<'a>, set: TypeSet, place: Place<'a>, dialect: Dialect) -> TypeSet {
    let text = match place.node.kind() {
        // `type: null` and `type: [string, null]` without quotes.
        Kind::Null => "null",
        _ => place.node.as_text().unwrap_or_default(),
    };
    // A file is any text.
    let text = if text == "file" && dialect.is_swagger() { "string" } else { text };
    let Some(kind) = Type::ALL.into_iter().find(|t| t.name() == text) else {
        let names = Type::ALL.map(Type::name);
        let help = did_you_mean(text, names)
            .unwrap_or_else(|| format!("the types are `{}`", names.join("`, `")));
        cx.report_with(diag::UNKNOWN_TYPE, place, format!("`{text}` is no type"), help);
        return set;
    };
    if kind == Type::Null && dialect.is_openapi_3_0() {
        let title = "the type `null` belongs to OpenAPI 3.1; it is read as there";
        cx.report_with(diag::MISPLACED_KEYWORD, place, title, "write `nullable: true`");
    }
    set.with(kind)
}

fn enumeration<'a>(
    cx: &mut Context<'a>,
    owner: Place<'a>,
    place: Place<'a>,
) -> Option<crate::ir::At<Vec<Value>>> {
    let Some(elements) = place.node.elements() else {
        cx.wrong_type(place, "`enum`", "an array");
        return None;
    };
    let only_strings = match owner.get("type").map(|t| t.node.kind()) {
        Some(Kind::String(name)) => &**name == "string",
        _ => false,
    };
    let mut values: Vec<Value> = Vec::new();
    let mut seen = std::collections::HashSet::new();
    for element in elements {
        let mut value = element.to_value();
        if only_strings
            && matches!(value, Value::Number(_) | Value::Bool(_))
            && let Some(text) = element.as_text()
        {
            // `enum: [1.0, 2.0]` of strings: no string equals a number, so the text was meant.
            value = Value::String(text.to_owned());
            cx.report_with(
                diag::ENUM_TEXT,
                place.with(element),
                format!("`{text}` in an `enum` of strings is read as text"),
                "put it in quotes",
            );
        }
        if !seen.insert(value.key()) {
            cx.report(diag::DUPLICATE_ENUM, place.with(element), "the value is listed twice");
        } else {
            values.push(value);
        }
    }
    if values.is_empty() {
        cx.report(diag::EMPTY_ENUM, place, "an empty `enum` allows nothing");
    }
    Some(cx.at(values, place))
}

fn settle_nullable<'a>(
    cx: &mut Context<'a>,
    schema: &mut Schema,
    owner: Place<'a>,
    dialect: Dialect,
) {
    if schema.nullable.is_none_or(|n| !n.value) {
        return;
    }
    let place = owner.get("nullable").or_else(|| owner.get("x-nullable")).unwrap_or(owner);
    if !dialect.is_openapi_3_0() {
        cx.report_with(
            diag::NULLABLE_IN_3_1,
            place,
            "`nullable` means nothing in OpenAPI 3.1",
            "add `null` to `type`",
        );
        cx.ignore(place, "nullable", "means nothing in OpenAPI 3.1");
        schema.nullable = None;
        return;
    }
    let open = is_open(schema);
    match &mut schema.types {
        Some(types) => types.value = types.value.with(Type::Null),
        // Without any constraint null is allowed anyway.
        None if open => cx.ignore(place, "nullable", "it means nothing without `type`"),
        None => {
            cx.report_with(
                diag::NULLABLE_WITHOUT_TYPE,
                place,
                "`nullable` without `type` means nothing",
                "OpenAPI 3.0.3 adds null only to a `type` of the same schema; add one, or an \
                 alternative that allows null",
            );
            cx.ignore(place, "nullable", "means nothing without `type` in the same schema");
        }
    }
}

fn is_open(schema: &Schema) -> bool {
    schema.enumeration.is_none() && schema.applied.is_empty()
}

fn dynamic_reference<'a>(
    cx: &mut Context<'a>,
    place: Place<'a>,
    dialect: Dialect,
) -> Option<crate::ir::At<DynamicReference>> {
    let Some(text) = place.node.as_str() else {
        cx.wrong_type(place, "`$dynamicRef`", "a string");
        return None;
    };
    match cx.resolve(place, text) {
        Ok(target) => {
            let anchor = text.rsplit_once('#').map(|(_, name)| name);
            let dynamic = target.get("$dynamicAnchor").and_then(|a| a.node.as_str());
            let anchor = anchor.filter(|name| dynamic == Some(*name)).map(str::to_owned);
            let schema = super::id_in(cx, target, dialect);
            Some(cx.at(DynamicReference { schema, anchor }, place))
        }
        Err(error) => {
            let span = cx.library.span(place);
            cx.diagnostics
                .push(Diagnostic::new(error.code, error.title).at(span).maybe_help(error.help));
            None
        }
    }
}
