//! Lowers request bodies: which media types are taken, and how each is judged.

use super::part::{self, Part};
use super::schema::{ANY, Lowering, NodeId, StringPart};
use super::tables::Tables;
use super::xml::Guides;
use crate::ir::{Encoding, MediaRange, MediaType, RequestBody, SchemaId};
use crate::report::construct;
use portcullis_bundle::layout::{
    self, BodyKind, MEDIA_WHOLE, NONE, TYPE_ARRAY, TYPE_OBJECT, TYPE_STRING,
};
use std::cmp::Reverse;
use std::collections::HashMap;

/// A media type on its way to a record.
pub struct Lowered {
    name: String,
    parameters: Vec<(String, String)>,
    kind: BodyKind,
    root: NodeId,
    schema: Option<SchemaId>,
    whole: bool,
    /// What the text of a form, of parts or of a text says: index into text_values.
    value: u32,
    parts: Vec<Part>,
    origin: crate::ir::Origin,
}

impl Lowered {
    /// The node that judges bodies of the media type.
    pub fn root(&self) -> NodeId {
        self.root
    }
}

/// Lowers the content of a request body, most specific media types first.
pub fn lower(lowering: &mut Lowering<'_>, profile: usize, body: &RequestBody) -> Vec<Lowered> {
    let mut lowered: Vec<Lowered> = Vec::new();
    let mut known: HashMap<(String, Vec<(String, String)>), usize> = HashMap::new();
    for media_type in &body.content {
        let name = format!("{}/{}", media_type.range.kind, media_type.range.subtype);
        let mut parameters = media_type.range.parameters.clone();
        // What is judged as text must be UTF-8, whatever is declared.
        parameters.retain(|(name, _)| name != "charset");
        parameters.sort();
        let schema = media_type.schema.map(|schema| schema.value);
        let key = (name.clone(), parameters.clone());
        if let Some(known) = known.get(&key).map(|at| &lowered[*at]) {
            // Often both have one schema, and then nothing is lost.
            let reason = "the same media type stands before it with another charset";
            let reason = (known.schema != schema).then_some(reason);
            lowering.unjudged(schema.filter(|_| reason.is_some()), reason.unwrap_or_default());
            record(lowering, media_type, reason);
            continue;
        }
        let body = judged(lowering, profile, media_type);
        let Judged { kind, root, value, parts } = body;
        let (origin, whole) = (media_type.origin, media_type.whole);
        known.insert(key, lowered.len());
        lowered.push(Lowered { name, parameters, kind, root, schema, whole, value, parts, origin });
    }
    lowered.sort_by_key(specificity);
    let recorder = lowering.recorder();
    recorder.enforced(body.origin, construct::REQUEST_BODY);
    if body.required.origin != body.origin {
        recorder.enforced(body.required.origin, "required");
    }
    lowered
}

/// How bodies of a media type are judged.
struct Judged {
    kind: BodyKind,
    root: NodeId,
    value: u32,
    parts: Vec<Part>,
}

/// Lowers the schema of a media type and records what becomes of both.
fn judged(lowering: &mut Lowering<'_>, profile: usize, media_type: &MediaType) -> Judged {
    let roots = media_type.schema.map(|schema| schema.value);
    let schemas = &lowering.model().schemas;
    let octets = roots.is_some_and(|root| part::is_of_octets(schemas, root));
    let mut judged = Judged { kind: BodyKind::Opaque, root: ANY, value: NONE, parts: Vec::new() };
    let (mut kind, mut reason) = kind(&media_type.range);
    if octets && matches!(kind, BodyKind::Range | BodyKind::Text) {
        (kind, reason) = (BodyKind::Binary, None);
    }
    if kind == BodyKind::Text && roots.is_none() {
        // Whatever it says is allowed.
        kind = BodyKind::Binary;
    }
    if kind == BodyKind::Opaque || (kind == BodyKind::Multipart && reason.is_some()) {
        judged.kind = kind;
        lowering.unjudged(roots, reason.unwrap_or_default());
        record(lowering, media_type, reason);
        return judged;
    }
    judged.root = lowering.lower(profile, roots);
    let node = &lowering.nodes()[judged.root.0 as usize];
    let object = node.types & TYPE_OBJECT != 0;
    let plain = node.literals.is_none() && node.compositions.is_empty();
    let sized = node.string.as_ref().is_none_or(|string| {
        let (min_length, max_length) = (string.min_length, string.max_length);
        *string == StringPart { min_length, max_length, ..StringPart::default() }
    });
    let plain = plain && (node.string.is_none() || octets && sized);
    if kind == BodyKind::Binary && !octets && !plain && node.types & TYPE_STRING != 0 {
        // `format: byte`, a pattern, a list of values: the body is text that has these.
        kind = BodyKind::Text;
    }
    let beyond = match kind {
        BodyKind::Form | BodyKind::Multipart if !object => Some("a form is an object"),
        BodyKind::Text | BodyKind::Binary
            if node.types != TYPE_STRING && is_yaml(&media_type.range) =>
        {
            Some("bodies in YAML are not read")
        }
        BodyKind::Text if node.types & !(TYPE_ARRAY | TYPE_OBJECT) == 0 && node.types != 0 => {
            Some("a text is no array or object")
        }
        BodyKind::Binary if node.types & TYPE_STRING == 0 => {
            Some("bodies of this media type are not read")
        }
        BodyKind::Binary if !plain => Some("of octets only their number is checked"),
        _ => None,
    };
    if beyond.is_some() {
        lowering.unjudged(roots, beyond.unwrap_or_default());
        record(lowering, media_type, beyond);
        return Judged { root: ANY, ..judged };
    }
    judged.kind = kind;
    match kind {
        BodyKind::Form => {
            let by_name: HashMap<&str, &Encoding> =
                media_type.encoding.iter().rev().map(|it| (&*it.property, it)).collect();
            let of = |name: &str| by_name.get(name).copied();
            judged.value = lowering
                .form_value(judged.root, profile, |name, held| part::manner(of(name), held));
        }
        BodyKind::Multipart => {
            judged.parts = part::parts(schemas, media_type);
            let by_name: HashMap<&str, &Part> =
                judged.parts.iter().map(|part| (part.name(), part)).collect();
            judged.value = lowering.form_value(judged.root, profile, |name, held| {
                part::part_manner(by_name.get(name).copied(), held)
            });
        }
        BodyKind::Text => judged.value = lowering.text_value(judged.root, profile),
        _ => {}
    }
    lowering.note_texts(media_type.origin);
    record_as(lowering, media_type, reason, kind);
    judged
}

/// Records what becomes of a media type whose content is not judged for a reason.
pub fn record(lowering: &mut Lowering<'_>, media_type: &MediaType, reason: Option<&'static str>) {
    let reason = reason.map(|reason| format!("{reason}; only the media type itself is checked"));
    let recorder = lowering.recorder();
    match reason {
        Some(reason) => {
            recorder.approximated(media_type.origin, construct::MEDIA_TYPE, reason);
        }
        None => recorder.enforced(media_type.origin, construct::MEDIA_TYPE),
    }
    record_encoding(lowering, media_type);
}

fn record_as(
    lowering: &mut Lowering<'_>,
    media_type: &MediaType,
    reason: Option<&'static str>,
    kind: BodyKind,
) {
    match reason {
        Some(reason) => {
            lowering.recorder().approximated(media_type.origin, construct::MEDIA_TYPE, reason);
        }
        None => lowering.recorder().enforced(media_type.origin, construct::MEDIA_TYPE),
    }
    match kind {
        BodyKind::Form => part::record(lowering, media_type, true),
        BodyKind::Multipart => part::record(lowering, media_type, false),
        _ => record_encoding(lowering, media_type),
    }
}

/// Records encodings that nothing asks for.
fn record_encoding(lowering: &mut Lowering<'_>, media_type: &MediaType) {
    let recorder = lowering.recorder();
    for encoding in &media_type.encoding {
        let reason = "`encoding` is for forms and multipart bodies whose schema is checked";
        recorder.not_enforced(encoding.origin, construct::ENCODING, reason);
        for header in &encoding.headers {
            recorder.not_enforced(header.origin, construct::HEADER, reason);
        }
    }
}

/// How bodies of a media type can be judged, and what cannot be.
fn kind(range: &MediaRange) -> (BodyKind, Option<&'static str>) {
    let subtype = range.subtype.as_str();
    match range.kind.as_str() {
        _ if range.is_json() => (BodyKind::Json, None),
        _ if is_xml(range) => (BodyKind::Xml, None),
        _ if subtype == "*" => {
            let reason = "of what a range covers only JSON and XML bodies are checked";
            (BodyKind::Range, Some(reason))
        }
        "application" if subtype == "x-www-form-urlencoded" => (BodyKind::Form, None),
        "multipart" if subtype == "form-data" => (BodyKind::Multipart, None),
        "multipart" => (BodyKind::Multipart, Some("of the parts only their form is checked")),
        "application" if subtype.starts_with("jose") || subtype.ends_with("jwt") => {
            let reason = "signatures and encrypted content are not checked";
            (BodyKind::Jose, Some(reason))
        }
        _ if let Some(separated) = range.sequence() => {
            (if separated { BodyKind::JsonSeq } else { BodyKind::JsonLines }, None)
        }
        "text" => (BodyKind::Text, None),
        "application" if subtype.starts_with("grpc") => {
            (BodyKind::Opaque, Some("gRPC messages are not checked"))
        }
        _ => (BodyKind::Binary, None),
    }
}

/// Whether bodies of a media type are YAML (RFC 9512), or were before it was registered.
fn is_yaml(range: &MediaRange) -> bool {
    matches!(range.subtype.as_str(), "yaml" | "x-yaml" | "vnd.yaml")
        || range.suffix() == Some("yaml")
}

/// Whether bodies of a media type are XML (RFC 7303, sections 4.1 and 9).
fn is_xml(range: &MediaRange) -> bool {
    (matches!(range.kind.as_str(), "application" | "text") && range.subtype == "xml")
        || range.subtype.ends_with("+xml")
}

/// Ranges come after what they hold, and fewer parameters after more.
fn specificity(of: &Lowered) -> (u8, Reverse<usize>, String, Vec<(String, String)>) {
    let rank = match of.name.as_str() {
        "*/*" => 3,
        range if range.ends_with("/*") => 2,
        // By its suffix alone, as `application/*+json`.
        range if range.contains("/*+") => 1,
        _ => 0,
    };
    (rank, Reverse(of.parameters.len()), of.name.clone(), of.parameters.clone())
}

/// Writes the media types of one operation; gives the first record and how many.
pub fn write(
    tables: &mut Tables<'_>,
    guides: &mut Guides<'_>,
    moved: &HashMap<NodeId, NodeId>,
    media_types: &[Lowered],
) -> (u32, u32) {
    let first = tables.sections.media_types.len() as u32;
    for media_type in media_types {
        let parameters: Vec<String> =
            media_type.parameters.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let xml = match media_type.kind {
            BodyKind::Xml | BodyKind::Range => guides.guide(tables, media_type.schema),
            _ => NONE,
        };
        if guides.is_full() {
            tables.xml_left_out.get_or_insert(media_type.origin);
        }
        let (parts, part_count) = part::write(tables, &media_type.parts);
        let record = layout::MediaType {
            name: tables.text(&media_type.name),
            parameters: tables.text(&parameters.join("\n")),
            schema: moved[&media_type.root].0.into(),
            origin: tables.origin(media_type.origin).into(),
            xml: xml.into(),
            value: media_type.value.into(),
            parts: parts.into(),
            part_count: part_count.into(),
            kind: media_type.kind.code(),
            flags: if media_type.whole { MEDIA_WHOLE } else { 0 },
            reserved: [0; 2],
        };
        tables.sections.media_types.push(record);
    }
    (first, media_types.len() as u32)
}
