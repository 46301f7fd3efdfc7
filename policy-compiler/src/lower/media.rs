//! Lowers request bodies: which media types are taken, and how each is judged.

use super::schema::{ANY, Lowering, NodeId};
use super::tables::Tables;
use super::xml::Guides;
use crate::ir::{MediaRange, MediaType, RequestBody, SchemaId};
use crate::report::construct;
use portcullis_bundle::layout::{self, BodyKind, NONE};
use std::cmp::Reverse;
use std::collections::HashMap;

/// A media type on its way to a record.
pub struct Lowered {
    name: String,
    parameters: Vec<(String, String)>,
    kind: BodyKind,
    root: NodeId,
    /// The schema of an XML body.
    xml: Option<SchemaId>,
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
    for media_type in &body.content {
        let name = format!("{}/{}", media_type.range.kind, media_type.range.subtype);
        let mut parameters = media_type.range.parameters.clone();
        // What is judged as text must be UTF-8, whatever is declared.
        parameters.retain(|(name, _)| name != "charset");
        parameters.sort();
        if lowered.iter().any(|known| known.name == name && known.parameters == parameters) {
            let reason = "the same media type stands before it with another charset";
            lowering.unjudged(media_type.schema.map(|schema| schema.value), reason);
            record(lowering, media_type, Some(reason));
            continue;
        }
        let reason = unjudged(&media_type.range);
        let roots = media_type.schema.map(|schema| schema.value);
        let mut root = ANY;
        match reason {
            Some(reason) if media_type.range.subtype != "*" => lowering.unjudged(roots, reason),
            _ => root = lowering.lower(profile, roots),
        }
        record(lowering, media_type, reason);
        let is_xml = is_xml(&media_type.range);
        let kind = match reason {
            _ if media_type.range.subtype == "*" => BodyKind::Range,
            None if is_xml => BodyKind::Xml,
            None => BodyKind::Json,
            Some(_) => BodyKind::Opaque,
        };
        let xml = roots.filter(|_| matches!(kind, BodyKind::Xml | BodyKind::Range));
        lowered.push(Lowered { name, parameters, kind, root, xml, origin: media_type.origin });
    }
    lowered.sort_by_key(specificity);
    let recorder = lowering.recorder();
    recorder.enforced(body.origin, construct::REQUEST_BODY);
    if body.required.origin != body.origin {
        recorder.enforced(body.required.origin, "required");
    }
    lowered
}

/// Records what becomes of a media type and its encodings.
pub fn record(lowering: &mut Lowering<'_>, media_type: &MediaType, reason: Option<&'static str>) {
    let recorder = lowering.recorder();
    match reason {
        Some(reason) => {
            let range = media_type.range.subtype == "*";
            let rest = if range { "" } else { "; only the media type itself is checked" };
            let reason = format!("{reason}{rest}");
            recorder.approximated(media_type.origin, construct::MEDIA_TYPE, reason);
        }
        None => recorder.enforced(media_type.origin, construct::MEDIA_TYPE),
    }
    for encoding in &media_type.encoding {
        let reason = "`encoding` is for forms and multipart bodies, which are not checked yet";
        recorder.not_enforced(encoding.origin, construct::ENCODING, reason);
        for header in &encoding.headers {
            recorder.not_enforced(header.origin, construct::HEADER, reason);
        }
    }
}

/// Why bodies of a media type are not judged, if they are not.
fn unjudged(range: &MediaRange) -> Option<&'static str> {
    let subtype = range.subtype.as_str();
    Some(match range.kind.as_str() {
        _ if range.is_json() || is_xml(range) => return None,
        "application" if subtype == "x-www-form-urlencoded" => "form bodies are not checked yet",
        "multipart" => "multipart bodies are not checked yet",
        _ if subtype == "*" => "of what a range covers only JSON and XML bodies are checked",
        "application" if subtype.starts_with("jose") || subtype.ends_with("jwt") => {
            "bodies in a JOSE envelope are not checked"
        }
        "text" => "text bodies are not checked",
        _ => "only JSON bodies are checked",
    })
}

/// Whether bodies of a media type are XML (RFC 7303, sections 4.1 and 9).
fn is_xml(range: &MediaRange) -> bool {
    (matches!(range.kind.as_str(), "application" | "text") && range.subtype == "xml")
        || range.subtype.ends_with("+xml")
}

/// Ranges come after what they hold, and fewer parameters after more.
fn specificity(of: &Lowered) -> (u8, Reverse<usize>, String, Vec<(String, String)>) {
    let rank = match of.name.as_str() {
        "*/*" => 2,
        range if range.ends_with("/*") => 1,
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
            BodyKind::Xml | BodyKind::Range => guides.guide(tables, media_type.xml),
            BodyKind::Json | BodyKind::Opaque => NONE,
        };
        let record = layout::MediaType {
            name: tables.text(&media_type.name),
            parameters: tables.text(&parameters.join("\n")),
            schema: moved[&media_type.root].0.into(),
            origin: tables.origin(media_type.origin).into(),
            xml: xml.into(),
            kind: media_type.kind.code(),
            reserved: [0; 3],
        };
        tables.sections.media_types.push(record);
    }
    (first, media_types.len() as u32)
}
