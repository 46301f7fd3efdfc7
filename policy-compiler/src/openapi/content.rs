//! Request bodies, responses, media types.

use std::collections::HashSet;

use crate::diag;
use crate::ir::{
    At, Encoding, Header, Ignored, MediaRange, MediaType, Operation, RequestBody, Response, Status,
    Style, Type, TypeSet, Version,
};
use crate::source::Place;

use super::context::Context;
use super::{media, parameters, schema, swagger};

/// `requestBody` of an operation.
pub(super) fn request_body<'a>(
    cx: &mut Context<'a>,
    owner: Place<'a>,
    version: Version,
) -> Option<RequestBody> {
    let place = owner.get("requestBody")?;
    let target = cx.follow(place)?;
    body(cx, target, version)
}

/// Reads one request body.
pub(super) fn body<'a>(
    cx: &mut Context<'a>,
    place: Place<'a>,
    version: Version,
) -> Option<RequestBody> {
    if !cx.is_object(place, "a request body") {
        return None;
    }
    cx.check_fields(place, "a request body", &["description", "content", "required"]);
    if place.get("content").is_none() {
        cx.missing(place, "a request body", "content");
    }
    let required = cx.flag(place, "required", false);
    let content = content(cx, place, version);
    Some(RequestBody { origin: cx.origin(place), required, content })
}

/// `responses` of an operation.
pub(super) fn responses<'a>(
    cx: &mut Context<'a>,
    owner: Place<'a>,
    version: Version,
) -> Vec<Response> {
    let mut responses = Vec::new();
    for (key, place) in cx.map(owner, "responses") {
        let Some(status) = status(key) else {
            cx.report_with(
                diag::BAD_STATUS,
                place,
                format!("`{key}` is no status"),
                "statuses are `200`, `2XX` and `default`",
            );
            cx.ignore(place, crate::report::construct::RESPONSE, "its key is no status");
            continue;
        };
        let Some(target) = cx.follow(place) else { continue };
        let (headers, content) = response(cx, target, version);
        let origin = cx.origin(place);
        responses.push(Response { origin, status, headers, content });
    }
    responses
}

/// Reads one response, which several operations can share.
pub(super) fn response<'a>(
    cx: &mut Context<'a>,
    place: Place<'a>,
    version: Version,
) -> (Vec<Header>, Vec<MediaType>) {
    let key = (place.document, place.node.id(), version);
    if let Some(known) = cx.responses.get(&key) {
        return known.clone();
    }
    let mut result = (Vec::new(), Vec::new());
    if version == Version::V2_0 {
        if cx.is_object(place, "a response") {
            result = swagger::response(cx, place);
        }
    } else if cx.is_object(place, "a response") {
        cx.check_fields(
            place,
            "a response",
            &["description", "headers", "content", "links", "summary"],
        );
        result = (parameters::headers(cx, place, version), content(cx, place, version));
    }
    cx.responses.insert(key, result.clone());
    result
}

fn status(key: &str) -> Option<Status> {
    if key == "default" {
        return Some(Status::Default);
    }
    let bytes = key.as_bytes();
    match bytes {
        [class @ b'1'..=b'5', b'X' | b'x', b'X' | b'x'] => Some(Status::Class(class - b'0')),
        [b'1'..=b'9', b'0'..=b'9', b'0'..=b'9'] => key.parse().ok().map(Status::Code),
        _ => None,
    }
}

/// `content`.
pub(super) fn content<'a>(
    cx: &mut Context<'a>,
    owner: Place<'a>,
    version: Version,
) -> Vec<MediaType> {
    let mut content: Vec<MediaType> = Vec::new();
    let mut ranges: HashSet<MediaRange> = HashSet::new();
    for (key, place) in cx.map(owner, "content") {
        let Some(range) = range(cx, key, place) else { continue };
        if ranges.contains(&range) {
            let title = format!("`{key}` is the same media type as another key");
            cx.report(diag::DUPLICATE_MEDIA_TYPE, place, title);
            cx.ignore(place, crate::report::construct::MEDIA_TYPE, "an earlier key is the same");
            continue;
        }
        let Some(target) = cx.follow(place) else { continue };
        if !cx.is_object(target, "a media type") {
            continue;
        }
        let mut fields = vec!["schema", "example", "examples", "encoding"];
        if version == Version::V3_2 {
            fields.extend(["itemSchema", "prefixEncoding", "itemEncoding"]);
        }
        cx.check_fields(target, "a media type", &fields);
        let items = target.get("itemSchema").filter(|_| version == Version::V3_2);
        let each = items.filter(|_| range.sequence().is_some());
        if let Some(items) = items {
            let (origin, construct) = (cx.origin(items), "itemSchema".to_owned());
            match each {
                // Of such bodies the items are judged, by the schema of the media type.
                Some(_) => {
                    let reason = String::new();
                    cx.model.rewritten.push(Ignored { origin, construct, reason });
                }
                None => {
                    let why = "the items of a stream are not checked one by one";
                    cx.ignore(items, "itemSchema", why);
                }
            }
        }
        let schema = each.or_else(|| target.get("schema")).map(|at| {
            let id = schema::id_of(cx, at, version);
            cx.at(id, at)
        });
        let encoding = encoding(cx, target, version);
        let (origin, text) = (cx.origin(place), key.to_owned());
        let whole = each.is_none() && range.sequence().is_some();
        ranges.insert(range.clone());
        content.push(MediaType { origin, text, range, schema, whole, encoding });
    }
    content
}

/// Settles what the schema of a sequence of JSON texts is about, once schemas are read. OpenAPI 3.2, section
/// "Sequential Media Types": "all such media types use an array as the data model". Before, nothing was said: a schema of a list is taken for
/// that of the sequence, any other for that of each text.
pub(super) fn settle_sequences(cx: &mut Context<'_>, operations: &mut [Operation]) {
    let schemas = &cx.model.schemas;
    for operation in operations {
        let content = operation.request_body.iter_mut().flat_map(|body| &mut body.content);
        let answers = operation.responses.iter_mut().flat_map(|response| &mut response.content);
        let content = content.chain(answers);
        for media in content.filter(|media| media.whole) {
            let Some(schema) = media.schema.map(|at| &schemas[at.value]) else { continue };
            let lists = schema
                .types
                .is_some_and(|types| types.value == TypeSet::default().with(Type::Array));
            let plain = schema.array.items.is_some() && schema.array.prefix_items.is_none();
            let array = schema.types.is_none_or(|types| types.value.contains(Type::Array));
            media.whole = (operation.version == Version::V3_2 && array) || (lists && plain);
        }
    }
}

/// A key of `content`. One with a slip at its end is read as meant, with a warning.
fn range<'a>(cx: &mut Context<'a>, key: &str, place: Place<'a>) -> Option<MediaRange> {
    if let Some(range) = media::parse(key) {
        return Some(range);
    }
    let trimmed = key.trim_end_matches([':', ';', ',']).trim();
    let meant = media::parse(trimmed);
    let help = match meant {
        Some(_) => format!("it is read as `{trimmed}`"),
        None if ["schema", "example", "examples", "encoding"].contains(&key) => {
            format!("`{key}` belongs into a media type; the keys of `content` are media types")
        }
        None => "a media type is written `type/subtype`".to_owned(),
    };
    cx.report_with(diag::BAD_MEDIA_TYPE, place, format!("`{key}` is no media type"), help);
    if meant.is_none() {
        cx.ignore(place, crate::report::construct::MEDIA_TYPE, "its key is no media type");
    }
    meant
}

fn encoding<'a>(cx: &mut Context<'a>, owner: Place<'a>, version: Version) -> Vec<Encoding> {
    let mut entries = Vec::new();
    for (property, place) in cx.map(owner, "encoding") {
        if !cx.is_object(place, "an encoding") {
            continue;
        }
        cx.check_fields(
            place,
            "an encoding",
            &["contentType", "headers", "style", "explode", "allowReserved"],
        );
        entries.push(Encoding {
            origin: cx.origin(place),
            property: property.to_owned(),
            content_type: cx.string(place, "contentType"),
            style: style(cx, place),
            explode: cx.boolean(place, "explode"),
            allow_reserved: cx.boolean(place, "allowReserved"),
            headers: parameters::headers(cx, place, version),
        });
    }
    entries
}

fn style<'a>(cx: &mut Context<'a>, owner: Place<'a>) -> Option<At<Style>> {
    let text = cx.string(owner, "style")?;
    match Style::ALL.into_iter().find(|s| s.name() == text.value) {
        Some(style) => Some(At::new(style, text.origin)),
        None => {
            let at = owner.get("style").unwrap_or(owner);
            cx.report(diag::BAD_STYLE, at, format!("`{}` is no style", text.value));
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses() {
        assert_eq!(status("200"), Some(Status::Code(200)));
        assert_eq!(status("4xx"), Some(Status::Class(4)));
        assert_eq!(status("5XX"), Some(Status::Class(5)));
        assert_eq!(status("default"), Some(Status::Default));
        for bad in ["20", "0XX", "9XX", "2X0", "Default", "099", "2000"] {
            assert_eq!(status(bad), None, "{bad}");
        }
    }
}
