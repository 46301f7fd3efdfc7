//! Swagger 2.0, where it differs from OpenAPI 3: parameters that are bodies, parameters that are their own
//! schemas, media types beside the operations.
//!
//! `in: body` becomes a request body of the media types that the operation consumes; `in: formData` becomes
//! one with an object of the parameters, and with an encoding for each array.

use crate::diag::{self, Severity, did_you_mean};
use crate::ir::{
    At, BasePath, Encoding, Header, Ignored, MediaRange, MediaType, Origin, ParameterLocation,
    ParameterValue, Property, RequestBody, Schema, SecurityKind, SecurityScheme, Style, Type,
    TypeSet, Version,
};
use crate::source::Place;

use super::context::Context;
use super::{media, parameters, schema, security};

/// The fields of a document.
pub(super) const FIELDS: &[&str] = &[
    "swagger",
    "info",
    "host",
    "basePath",
    "schemes",
    "consumes",
    "produces",
    "paths",
    "definitions",
    "parameters",
    "responses",
    "securityDefinitions",
    "security",
    "tags",
    "externalDocs",
];

/// The fields of an operation.
pub(super) const OPERATION: &[&str] = &[
    "tags",
    "summary",
    "description",
    "externalDocs",
    "operationId",
    "consumes",
    "produces",
    "parameters",
    "responses",
    "schemes",
    "deprecated",
    "security",
];

/// The fields of a parameter.
const PARAMETER: &[&str] = &[
    "name",
    "in",
    "description",
    "required",
    "schema",
    "type",
    "format",
    "allowEmptyValue",
    "items",
    "collectionFormat",
    "default",
    "maximum",
    "exclusiveMaximum",
    "minimum",
    "exclusiveMinimum",
    "maxLength",
    "minLength",
    "pattern",
    "maxItems",
    "minItems",
    "uniqueItems",
    "enum",
    "multipleOf",
];

/// Where the API lies, by `host` and `basePath`.
pub(super) fn base_path<'a>(cx: &mut Context<'a>, root: Place<'a>) -> At<BasePath> {
    let place = root.get("basePath").or_else(|| root.get("host")).unwrap_or(root);
    let host = cx.text(root, "host").map(|host| {
        let name = host.split(':').next().unwrap_or(host);
        name.to_ascii_lowercase()
    });
    let text = cx.text(root, "basePath").unwrap_or_default();
    let path = text.trim_end_matches('/');
    let bad = |s: &str| s.is_empty() || s == "." || s == ".." || s.contains(['?', '#', '{', ' ']);
    if !path.is_empty() && path.strip_prefix('/').is_none_or(|rest| rest.split('/').any(bad)) {
        cx.report_with(
            diag::BAD_SERVER,
            place,
            format!("`{text}` is not a base path"),
            "a base path starts with `/` and has no query, variables or `..`",
        );
        return cx.at(BasePath { path: String::new(), host }, place);
    }
    cx.at(BasePath { path: path.to_owned(), host }, place)
}

/// The entries of `securityDefinitions`.
pub(super) fn security_schemes<'a>(cx: &mut Context<'a>, root: Place<'a>) -> Vec<SecurityScheme> {
    let mut schemes = Vec::new();
    for (name, place) in cx.map(root, "securityDefinitions") {
        let basic = place.get("type").and_then(|t| t.node.as_text()) == Some("basic");
        let kind = match basic {
            true => Some(SecurityKind::Http { scheme: "basic".to_owned(), bearer_format: None }),
            false => security::kind(cx, place),
        };
        if let Some(kind) = kind {
            let (origin, document) = (cx.origin(place), place.document);
            schemes.push(SecurityScheme { origin, name: name.to_owned(), document, kind });
        }
    }
    schemes
}

/// Reads definitions that nothing may refer to, so that what is wrong with them is told.
pub(super) fn definitions<'a>(cx: &mut Context<'a>, root: Place<'a>) {
    for (_, place) in cx.map(root, "definitions") {
        schema::id_of(cx, place, Version::V2_0);
    }
    for (_, place) in cx.map(root, "parameters") {
        let Some(target) = cx.follow(place) else { continue };
        if is_body(target) {
            check_parameter(cx, target);
            continue;
        }
        parameters::cached(cx, target, Version::V2_0);
    }
    for (_, place) in cx.map(root, "responses") {
        if let Some(target) = cx.follow(place) {
            super::content::response(cx, target, Version::V2_0);
        }
    }
}

/// Whether a parameter is a body, or a field of one.
pub(super) fn is_body(place: Place<'_>) -> bool {
    let text = place.get("in").and_then(|at| at.node.as_text());
    matches!(text, Some("body" | "formData"))
}

/// Warns of fields that no parameter has.
pub(super) fn check_parameter<'a>(cx: &mut Context<'a>, place: Place<'a>) {
    cx.check_fields(place, "a parameter", PARAMETER);
}

/// How a parameter is written, by its `collectionFormat`.
pub(super) fn style<'a>(
    cx: &mut Context<'a>,
    place: Place<'a>,
    location: ParameterLocation,
) -> (At<Style>, At<bool>) {
    let plain = match location {
        ParameterLocation::Query => Style::Form,
        _ => Style::Simple,
    };
    let several = location == ParameterLocation::Query;
    let (style, explode) = collection_format(cx, place, plain, several);
    (style, cx.at(explode, place))
}

fn collection_format<'a>(
    cx: &mut Context<'a>,
    place: Place<'a>,
    plain: Style,
    several: bool,
) -> (At<Style>, bool) {
    let Some(at) = place.get("collectionFormat") else { return (cx.at(plain, place), false) };
    let text = at.node.as_text().unwrap_or_default();
    let (style, explode) = match text {
        "csv" => (plain, false),
        "ssv" => (Style::SpaceDelimited, false),
        "tsv" => (Style::TabDelimited, false),
        "pipes" => (Style::PipeDelimited, false),
        "multi" if several => (plain, true),
        _ => {
            let known = ["csv", "ssv", "tsv", "pipes", "multi"];
            let help = did_you_mean(text, known)
                .unwrap_or_else(|| "`multi` is for queries and forms alone".to_owned());
            let title = format!("`{text}` is no `collectionFormat` of this parameter");
            cx.report_with(diag::BAD_STYLE, at, title, help);
            (plain, false)
        }
    };
    (cx.at(style, at), explode)
}

/// What a parameter or header must be: it is its own schema.
pub(super) fn value<'a>(cx: &mut Context<'a>, place: Place<'a>) -> ParameterValue {
    if place.get("type").is_none() {
        let title = "a parameter has no `type`, so any value is allowed";
        cx.report_as(Severity::Warning, diag::MISSING_FIELD, place, title);
    }
    ParameterValue::Schema(schema::parameter_id(cx, place))
}

/// The parameters of `owner` that are bodies or fields of forms; none in other versions.
pub(super) fn bodies<'a>(
    cx: &mut Context<'a>,
    owner: Place<'a>,
    version: Version,
) -> Vec<Place<'a>> {
    if version != Version::V2_0 {
        return Vec::new();
    }
    let list = cx.list(owner, "parameters");
    let mut found = Vec::new();
    for place in list {
        // What leads nowhere was reported when the other parameters were read.
        let mut at = place;
        for _ in 0..8 {
            let Some(text) = at.get("$ref").and_then(|r| r.node.as_str()) else { break };
            let Ok(target) = cx.resolve(at, text) else { break };
            at = target;
        }
        if is_body(at) {
            check_parameter(cx, at);
            found.push(at);
        }
    }
    found
}

fn name_of<'a>(place: Place<'a>) -> Option<&'a str> {
    place.get("name")?.node.as_text()
}

fn is_form(place: Place<'_>) -> bool {
    place.get("in").and_then(|at| at.node.as_text()) == Some("formData")
}

/// The request body that the parameters of an operation and of its path item make.
pub(super) fn request_body<'a>(
    cx: &mut Context<'a>,
    shared: &[Place<'a>],
    own: Vec<Place<'a>>,
    operation: Place<'a>,
) -> Option<RequestBody> {
    let replaced = |at: &&Place<'a>| {
        own.iter().any(|o| {
            is_form(*o) == is_form(**at) && (!is_form(**at) || name_of(*o) == name_of(**at))
        })
    };
    let mut places: Vec<Place<'a>> = shared.iter().filter(|at| !replaced(at)).copied().collect();
    places.extend(own);
    let (forms, bodies): (Vec<_>, Vec<_>) = places.into_iter().partition(|at| is_form(*at));
    if let Some(extra) = bodies.get(1).or_else(|| bodies.first().filter(|_| !forms.is_empty())) {
        let title = "an operation has one body: one parameter `in: body`, or those `in: formData`";
        cx.report(diag::BAD_VALUE, *extra, title);
    }
    match bodies.first() {
        Some(body) => Some(plain_body(cx, *body, operation)),
        None if forms.is_empty() => None,
        None => Some(form_body(cx, &forms, operation)),
    }
}

fn plain_body<'a>(cx: &mut Context<'a>, body: Place<'a>, operation: Place<'a>) -> RequestBody {
    let schema = body.get("schema").map(|at| {
        let id = schema::id_of(cx, at, Version::V2_0);
        cx.at(id, at)
    });
    if schema.is_none() {
        cx.missing(body, "a parameter `in: body`", "schema");
    }
    let mut types = media_types(cx, operation, "consumes");
    if types.is_empty() {
        types.push(("application/json".to_owned(), body));
    }
    let content = types.into_iter().filter_map(|(text, place)| {
        let range = range(cx, &text, place)?;
        let origin = cx.origin(place);
        let whole = range.sequence().is_some();
        Some(MediaType { origin, text, range, schema, whole, encoding: Vec::new() })
    });
    let content = content.collect();
    RequestBody { origin: cx.origin(body), required: cx.flag(body, "required", false), content }
}

fn form_body<'a>(cx: &mut Context<'a>, forms: &[Place<'a>], operation: Place<'a>) -> RequestBody {
    let first = forms.first().copied().unwrap_or(operation);
    let origin = cx.origin(first);
    let mut form = Schema { origin, ..Schema::default() };
    form.types = Some(At::new(TypeSet::default().with(Type::Object), origin));
    let (mut properties, mut required, mut encoding) = (Vec::new(), Vec::new(), Vec::new());
    let mut files = false;
    for place in forms {
        let Some(name) = name_of(*place) else {
            cx.missing(*place, "a parameter", "name");
            continue;
        };
        files |= place.get("type").and_then(|t| t.node.as_text()) == Some("file");
        let (origin, id) = (cx.origin(*place), schema::parameter_id(cx, *place));
        properties.push(Property { name: name.to_owned(), origin, schema: id });
        rewritten(cx, origin, crate::report::construct::PARAMETER);
        let flag = cx.flag(*place, "required", false);
        if flag.origin != origin {
            rewritten(cx, flag.origin, "required");
        }
        if flag.value {
            required.push(At::new(name.to_owned(), flag.origin));
        }
        if place.get("type").and_then(|t| t.node.as_text()) == Some("array") {
            let (style, explode) = collection_format(cx, *place, Style::Form, true);
            if style.origin != origin {
                rewritten(cx, style.origin, "style");
            }
            encoding.push(Encoding {
                origin,
                property: name.to_owned(),
                content_type: None,
                style: Some(style),
                explode: Some(cx.at(explode, *place)),
                allow_reserved: None,
                headers: Vec::new(),
            });
        }
    }
    let must = !required.is_empty();
    form.object.properties = Some(At::new(properties, origin));
    if must {
        form.object.required = Some(At::new(required, origin));
    }
    let form = schema::synthesise(cx, first, form);
    let mut types = media_types(cx, operation, "consumes");
    types.retain(|(text, _)| {
        let text = text.to_ascii_lowercase();
        text.starts_with("multipart/") || text.starts_with("application/x-www-form-urlencoded")
    });
    if types.is_empty() {
        let text = if files { "multipart/form-data" } else { "application/x-www-form-urlencoded" };
        types.push((text.to_owned(), first));
    }
    let content = types.into_iter().filter_map(|(text, place)| {
        let range = range(cx, &text, place)?;
        let media = cx.origin(place);
        let (schema, encoding) = (Some(At::new(form, origin)), encoding.clone());
        Some(MediaType { origin: media, text, range, schema, whole: false, encoding })
    });
    let content = content.collect();
    RequestBody { origin, required: At::new(must, origin), content }
}

/// Says that a construct is enforced as a part of the form.
fn rewritten(cx: &mut Context<'_>, origin: Origin, construct: &str) {
    let (construct, reason) = (construct.to_owned(), String::new());
    cx.model.rewritten.push(Ignored { origin, construct, reason });
}

/// `consumes` or `produces` of an operation, otherwise of the document.
fn media_types<'a>(
    cx: &mut Context<'a>,
    operation: Place<'a>,
    field: &str,
) -> Vec<(String, Place<'a>)> {
    let root = operation.with(cx.library.tree(operation.document).root());
    let owner = if operation.get(field).is_some() { operation } else { root };
    let list = cx.list(owner, field);
    list.into_iter().filter_map(|at| Some((at.node.as_text()?.to_owned(), at))).collect()
}

fn range<'a>(cx: &mut Context<'a>, text: &str, place: Place<'a>) -> Option<MediaRange> {
    let range = media::parse(text);
    if range.is_none() {
        let help = "a media type is written `type/subtype`";
        cx.report_with(diag::BAD_MEDIA_TYPE, place, format!("`{text}` is no media type"), help);
        cx.ignore(place, crate::report::construct::MEDIA_TYPE, "it is no media type");
    }
    range
}

/// What a response holds: headers, and a body of any media type.
pub(super) fn response<'a>(
    cx: &mut Context<'a>,
    place: Place<'a>,
) -> (Vec<Header>, Vec<MediaType>) {
    cx.check_fields(place, "a response", &["description", "schema", "headers", "examples"]);
    let headers = parameters::headers(cx, place, Version::V2_0);
    let content = place.get("schema").map(|at| {
        let id = schema::id_of(cx, at, Version::V2_0);
        let (origin, range) = (cx.origin(at), media::parse("*/*").unwrap_or_default());
        let schema = Some(At::new(id, origin));
        let text = "*/*".to_owned();
        MediaType { origin, text, range, schema, whole: false, encoding: Vec::new() }
    });
    (headers, content.into_iter().collect())
}
