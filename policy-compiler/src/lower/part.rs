//! Lowers `encoding`: how the fields of a form are written, and what the parts of a multipart body
//! may be (OpenAPI 3.1.1, section 4.8.15).

use super::parameter::style as style_code;
use super::schema::{Lowering, closure};
use super::tables::Tables;
use super::text_value::{Manner, Parts};
use crate::ir::{At, Encoding, MediaType, Schema, SchemaId, Schemas};
use crate::report::construct;
use portcullis_bundle::layout::{
    BodyPart, Content, NONE, Style, TYPE_ALL, TYPE_ARRAY, TYPE_NULL, TYPE_OBJECT,
};
use std::collections::{BTreeMap, HashMap, HashSet};

const CONTAINERS: u8 = TYPE_ARRAY | TYPE_OBJECT;

/// A part on its way to a record.
pub struct Part {
    name: String,
    content_types: Vec<String>,
    headers: Vec<String>,
    content: Content,
    min_size: Option<At<u64>>,
    max_size: Option<At<u64>>,
}

/// How a field of a form is written.
pub fn manner(encoding: Option<&Encoding>, parts: &Parts) -> Manner {
    let Some(encoding) = encoding else {
        return Manner { unsaid: parts.types & CONTAINERS != 0, ..Manner::default() };
    };
    if is_styled(encoding) {
        let style = encoding.style.as_ref().map_or(Style::Form, |style| style_code(style.value));
        let explode = encoding.explode.as_ref().map_or(style == Style::Form, |at| at.value);
        return Manner { style, explode, unsaid: false };
    }
    if types_of(encoding).iter().any(|name| is_json(name)) && parts.types & CONTAINERS != 0 {
        return Manner { style: Style::Json, ..Manner::default() };
    }
    Manner { unsaid: parts.types & CONTAINERS != 0, ..Manner::default() }
}

/// How a part is written: as text or as JSON.
pub fn part_manner(part: Option<&Part>, parts: &Parts) -> Manner {
    let json = match part {
        Some(part) => part.content == Content::Json,
        None => is_object(parts.types),
    };
    let style = if json { Style::Json } else { Style::Form };
    // What is an array comes as parts of one name.
    Manner { style, explode: true, unsaid: false }
}

/// What the parts of a body may be, by the properties of its schema.
pub fn parts(schemas: &Schemas, media_type: &MediaType) -> Vec<Part> {
    let Some(root) = media_type.schema.as_ref() else { return Vec::new() };
    let mut all = Vec::new();
    let encodings: HashMap<&str, &Encoding> =
        media_type.encoding.iter().rev().map(|it| (&*it.property, it)).collect();
    for (name, ids) in properties(schemas, root.value) {
        let encoding = encodings.get(&*name).copied();
        let flat: Vec<&Schema> = items(schemas, &ids).into_iter().map(|id| &schemas[id]).collect();
        let content_types = encoding.map(types_of).unwrap_or_default();
        let headers = encoding.iter().flat_map(|encoding| &encoding.headers);
        let headers = headers
            .filter(|header| header.required.value)
            .map(|header| header.name.to_ascii_lowercase())
            .filter(|header| header != "content-type")
            .collect();
        let binary = flat.iter().any(|schema| is_binary(schema));
        let json = |name: &String| is_json(name);
        let content = if !content_types.is_empty() && content_types.iter().all(json) {
            Content::Json
        } else if binary || content_types.iter().any(|name| !is_text(name) && !is_json(name)) {
            Content::Binary
        } else if is_object(flat.iter().fold(TYPE_ALL, |types, schema| types & types_in(schema))) {
            Content::Json
        } else {
            Content::Text
        };
        let min = flat.iter().filter_map(|schema| schema.string.min_length);
        let max = flat.iter().filter_map(|schema| schema.string.max_length);
        all.push(Part {
            min_size: min.max_by_key(|at| at.value),
            max_size: max.min_by_key(|at| at.value),
            name,
            content_types,
            headers,
            content,
        });
    }
    all
}

impl Part {
    /// The name of the property.
    pub fn name(&self) -> &str {
        &self.name
    }
}

/// Records what becomes of `encoding`.
pub fn record(lowering: &mut Lowering<'_>, media_type: &MediaType, is_form: bool) {
    let recorder = lowering.recorder();
    for encoding in &media_type.encoding {
        let odd = is_form && !is_styled(encoding) && {
            let types = types_of(encoding);
            types.iter().any(|name| !is_text(name) && !is_json(name))
        };
        if odd {
            let reason = "fields of this content type are read as text";
            recorder.approximated(encoding.origin, construct::ENCODING, reason);
        } else {
            recorder.enforced(encoding.origin, construct::ENCODING);
        }
        for header in &encoding.headers {
            if is_form {
                let reason = "fields of a form have no header fields";
                recorder.not_enforced(header.origin, construct::HEADER, reason);
            } else {
                let reason = "that a part has the header field is checked, its value is not";
                recorder.approximated(header.origin, construct::HEADER, reason);
            }
        }
    }
}

/// Writes the parts of one media type; gives the first record and how many.
pub fn write(tables: &mut Tables<'_>, parts: &[Part]) -> (u32, u32) {
    let first = tables.sections.body_parts.len() as u32;
    for part in parts {
        let bound = |at: At<u64>| u32::try_from(at.value).unwrap_or(NONE - 1);
        let mut origin = |at: Option<At<u64>>| at.map_or(NONE, |at| tables.origin(at.origin));
        let (min_origin, max_origin) = (origin(part.min_size), origin(part.max_size));
        let record = BodyPart {
            name: tables.text(&part.name),
            content_types: tables.text(&part.content_types.join("\n")),
            headers: tables.text(&part.headers.join("\n")),
            min_size: part.min_size.map_or(0, bound).into(),
            max_size: part.max_size.map_or(NONE, bound).into(),
            min_origin: min_origin.into(),
            max_origin: max_origin.into(),
            content: part.content.code(),
            reserved: [0; 3],
        };
        tables.sections.body_parts.push(record);
    }
    (first, parts.len() as u32)
}

/// With one of these written, a field follows the rules of query parameters.
fn is_styled(encoding: &Encoding) -> bool {
    encoding.style.is_some() || encoding.explode.is_some() || encoding.allow_reserved.is_some()
}

/// `contentType`: media types and ranges, separated by commas, without parameters.
fn types_of(encoding: &Encoding) -> Vec<String> {
    let text = encoding.content_type.as_ref().map_or("", |at| at.value.as_str());
    let name = |one: &str| one.split(';').next().unwrap_or("").trim().to_ascii_lowercase();
    text.split(',').map(name).filter(|name| !name.is_empty()).collect()
}

fn is_json(name: &str) -> bool {
    matches!(name, "application/json" | "text/json") || name.ends_with("+json")
}

fn is_text(name: &str) -> bool {
    name.starts_with("text/")
}

fn is_object(types: u8) -> bool {
    types & TYPE_OBJECT != 0 && types & !(CONTAINERS | TYPE_NULL) == 0
}

/// Whether a schema, or one that it refers to, is of octets.
pub fn is_of_octets(schemas: &Schemas, root: SchemaId) -> bool {
    closure(schemas, &[root]).into_iter().any(|id| is_binary(&schemas[id]))
}

/// Whether the schema is of octets: `format: binary`, or `contentMediaType` without an encoding.
fn is_binary(schema: &Schema) -> bool {
    let string = &schema.string;
    string.format.as_ref().is_some_and(|format| format.value == "binary")
        || (string
            .content_media_type
            .as_ref()
            .is_some_and(|at| !is_json(&at.value) && !is_text(&at.value))
            && string.content_encoding.is_none())
}

fn types_in(schema: &Schema) -> u8 {
    schema.types.as_ref().map_or_else(
        || if schema.object.properties.is_some() { TYPE_OBJECT } else { TYPE_ALL },
        |types| super::schema::type_bits(types.value),
    )
}

/// The schemas of an array's items, or else the schemas themselves, with all that they refer to.
fn items(schemas: &Schemas, ids: &[SchemaId]) -> Vec<SchemaId> {
    let flat = closure(schemas, ids);
    let items: Vec<SchemaId> =
        flat.iter().filter_map(|id| schemas[*id].array.items.map(|at| at.value)).collect();
    if items.is_empty() { flat } else { closure(schemas, &items) }
}

/// The properties of a schema and of all that it is composed of.
fn properties(schemas: &Schemas, root: SchemaId) -> BTreeMap<String, Vec<SchemaId>> {
    let mut found: BTreeMap<String, Vec<SchemaId>> = BTreeMap::new();
    let mut seen: HashSet<SchemaId> = HashSet::new();
    let mut open = vec![root];
    while let Some(id) = open.pop() {
        for id in closure(schemas, &[id]) {
            if !seen.insert(id) {
                continue;
            }
            let schema = &schemas[id];
            for property in schema.object.properties.iter().flat_map(|at| &at.value) {
                found.entry(property.name.clone()).or_default().push(property.schema);
            }
            for list in [&schema.applied.any_of, &schema.applied.one_of].into_iter().flatten() {
                open.extend(&list.value);
            }
        }
    }
    found
}
