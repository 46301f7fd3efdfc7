//! Parameters and headers.

use std::collections::{HashMap, HashSet};

use crate::diag::{self, Severity, did_you_mean};
use crate::ir::{
    At, Header, Parameter, ParameterLocation, ParameterValue, Part, Style, Template, Version,
};
use crate::source::Place;

use super::content;
use super::context::Context;
use super::media::is_token;
use super::schema;
use super::swagger;
use super::template;

const FIELDS: &[&str] = &[
    "name",
    "in",
    "description",
    "required",
    "deprecated",
    "allowEmptyValue",
    "style",
    "explode",
    "allowReserved",
    "schema",
    "content",
    "example",
    "examples",
];

/// Header parameters that OpenAPI ignores, since other constructs describe them.
const RESERVED_HEADERS: [&str; 3] = ["Accept", "Content-Type", "Authorization"];

/// The parameters that `owner` (a path item or an operation) lists.
pub(super) fn read<'a>(cx: &mut Context<'a>, owner: Place<'a>, version: Version) -> Vec<Parameter> {
    let mut parameters: Vec<Parameter> = Vec::new();
    let mut known: HashMap<(ParameterLocation, String), usize> = HashMap::new();
    for place in cx.list(owner, "parameters") {
        let Some(target) = cx.follow(place) else { continue };
        if version == Version::V2_0 && swagger::is_body(target) {
            continue;
        }
        let Some(parameter) = cached(cx, target, version) else { continue };
        let next = parameters.len();
        match known.get(&key(&parameter)).map(|at| &parameters[*at]) {
            Some(first) => {
                let what = format!(
                    "the {} parameter `{}` is declared twice",
                    parameter.location.name(),
                    parameter.name
                );
                let first = crate::diag::Span::word(
                    cx.library.path(first.origin.document),
                    first.origin.line,
                    first.origin.column,
                );
                cx.diagnostics.push(
                    crate::diag::Diagnostic::new(diag::DUPLICATE_PARAMETER, what)
                        .label(cx.library.span(place), "again here")
                        .label(first, "first here"),
                );
            }
            None => {
                known.insert(key(&parameter), next);
                parameters.push(parameter);
            }
        }
    }
    parameters
}

/// What two parameters have in common that are the same: location and name, whose case does not matter for headers.
pub(super) fn key(of: &Parameter) -> (ParameterLocation, String) {
    let name = match of.location {
        ParameterLocation::Header => of.name.to_ascii_lowercase(),
        _ => of.name.clone(),
    };
    (of.location, name)
}

/// A path as messages show it: there may be one for each of its variables.
fn shown(path: &str) -> std::borrow::Cow<'_, str> {
    match path.char_indices().nth(200) {
        Some((end, _)) => format!("{}…", &path[..end]).into(),
        None => path.into(),
    }
}

/// The template with variables of other notations, `{proxy+}`, under the names of their parameters.
pub(super) fn named(template: &Template, parameters: &[Parameter]) -> Template {
    let in_path = |p: &&Parameter| p.location == ParameterLocation::Path;
    let declared: HashSet<&str> =
        parameters.iter().filter(in_path).map(|p| p.name.as_str()).collect();
    let mut template = template.clone();
    let parts = template.segments.iter_mut().flat_map(|segment| &mut segment.0);
    for part in parts {
        let Part::Variable(variable) = part else { continue };
        let plain = template::plain(variable).filter(|name| declared.contains(name));
        if let Some(name) = plain.filter(|_| !declared.contains(variable.as_str())) {
            *variable = name.to_owned();
        }
    }
    template
}

/// Reports path parameters that `template` lacks, and drops them; then variables without one.
pub(super) fn fit<'a>(
    cx: &mut Context<'a>,
    parameters: &mut Vec<Parameter>,
    template: &Template,
    place: Place<'a>,
) {
    let variables: HashSet<&str> = template.variables().collect();
    let beside: HashSet<&str> =
        template.variables().filter_map(template::beside).flatten().collect();
    parameters.retain(|p| {
        if p.location != ParameterLocation::Path || variables.contains(&*p.name) {
            return true;
        }
        if beside.contains(&*p.name) {
            let construct = crate::report::construct::PARAMETER.to_owned();
            let reason = "it stands beside another variable, and nothing tells where it ends";
            let reason = reason.to_owned();
            cx.model.ignored.push(crate::ir::Ignored { origin: p.origin, construct, reason });
            return false;
        }
        let title = format!("the path `{}` has no variable `{}`", shown(&template.text), p.name);
        let help = did_you_mean(&p.name, template.variables());
        let span = crate::diag::Span::word(
            cx.library.path(p.origin.document),
            p.origin.line,
            p.origin.column,
        );
        cx.diagnostics.push(
            crate::diag::Diagnostic::new(diag::UNUSED_PATH_PARAMETER, title)
                .at(span)
                .maybe_help(help),
        );
        cx.model.ignored.push(crate::ir::Ignored {
            origin: p.origin,
            construct: crate::report::construct::PARAMETER.to_owned(),
            reason: "a path that uses it has no variable of that name".to_owned(),
        });
        false
    });
    let in_path = parameters.iter().filter(|p| p.location == ParameterLocation::Path);
    let declared: HashSet<&str> = in_path.map(|p| &*p.name).collect();
    for variable in template.variables() {
        if !declared.contains(variable) && template::beside(variable).is_none() {
            cx.report_with(
                diag::UNDECLARED_VARIABLE,
                place,
                format!("no parameter describes `{{{variable}}}` of `{}`", shown(&template.text)),
                "any value is allowed there; declare a parameter with `in: path`",
            );
        }
    }
}

pub(super) fn cached<'a>(
    cx: &mut Context<'a>,
    place: Place<'a>,
    version: Version,
) -> Option<Parameter> {
    let key = (place.document, place.node.id(), version);
    if let Some(known) = cx.parameters.get(&key) {
        return known.clone();
    }
    let parameter = parameter(cx, place, version);
    cx.parameters.insert(key, parameter.clone());
    parameter
}

/// Reads one parameter; `None` when it is unusable or has no effect.
pub(super) fn parameter<'a>(
    cx: &mut Context<'a>,
    place: Place<'a>,
    version: Version,
) -> Option<Parameter> {
    if !cx.is_object(place, "a parameter") {
        return None;
    }
    if version == Version::V2_0 {
        swagger::check_parameter(cx, place);
    } else {
        cx.check_fields(place, "a parameter", FIELDS);
    }
    let name = cx.text(place, "name");
    if name.is_none() && place.get("name").is_none() {
        cx.missing(place, "a parameter", "name");
    }
    let location = location(cx, place, version);
    let (name, location) = (name?.to_owned(), location?);
    if location == ParameterLocation::Header {
        if RESERVED_HEADERS.iter().any(|h| h.eq_ignore_ascii_case(&name)) {
            let title = format!("OpenAPI ignores a header parameter named `{name}`");
            cx.report(diag::IGNORED_HEADER, place, title);
            let why = "OpenAPI ignores header parameters of this name";
            cx.ignore(place, crate::report::construct::PARAMETER, why);
            return None;
        }
        if !is_token(&name) {
            let at = place.get("name").unwrap_or(place);
            cx.report(diag::BAD_VALUE, at, format!("`{name}` is not the name of a header"));
            return None;
        }
    }
    let mut required = cx.flag(place, "required", false);
    if location == ParameterLocation::Path && !required.value {
        let title = format!("the path parameter `{name}` must have `required: true`");
        cx.report(diag::PATH_NOT_REQUIRED, place, title);
        required.value = true;
    }
    let (style, explode) = match version {
        Version::V2_0 => swagger::style(cx, place, location),
        _ => {
            let style = style(cx, place, location);
            let explode = matches!(style.value, Style::Form | Style::Cookie);
            (style, cx.flag(place, "explode", explode))
        }
    };
    let deprecated = cx.boolean(place, "deprecated").is_some_and(|d| d.value);
    let allow_reserved = cx.flag(place, "allowReserved", false);
    let allow_empty_value = cx.flag(place, "allowEmptyValue", false);
    let value = match version {
        Version::V2_0 => swagger::value(cx, place),
        _ => value(cx, place, "a parameter", version),
    };
    Some(Parameter {
        origin: cx.origin(place),
        name,
        location,
        required,
        deprecated,
        style,
        explode,
        allow_reserved,
        allow_empty_value,
        value,
    })
}

fn location<'a>(
    cx: &mut Context<'a>,
    place: Place<'a>,
    version: Version,
) -> Option<ParameterLocation> {
    let Some(at) = place.get("in") else {
        cx.missing(place, "a parameter", "in");
        return None;
    };
    let text = at.node.as_text().unwrap_or_default();
    let all = [
        ParameterLocation::Path,
        ParameterLocation::Query,
        ParameterLocation::Header,
        ParameterLocation::Cookie,
        ParameterLocation::Querystring,
    ];
    let known = match version {
        Version::V2_0 => &all[..3],
        Version::V3_0 | Version::V3_1 => &all[..4],
        Version::V3_2 => &all[..],
    };
    let found = known.iter().copied().find(|l| l.name() == text);
    if found.is_none() {
        let help = match text {
            "body" | "formData" => "OpenAPI 3 describes bodies in `requestBody`".to_owned(),
            "querystring" => "it belongs to OpenAPI 3.2".to_owned(),
            _ => did_you_mean(text, known.iter().map(|l| l.name())).unwrap_or_else(|| {
                "parameters are in `path`, `query`, `header` or `cookie`".to_owned()
            }),
        };
        cx.report_with(diag::BAD_VALUE, at, format!("`{text}` is no place of a parameter"), help);
    }
    found
}

fn style<'a>(cx: &mut Context<'a>, place: Place<'a>, location: ParameterLocation) -> At<Style> {
    let (default, allowed): (Style, &[Style]) = match location {
        ParameterLocation::Path => (Style::Simple, &[Style::Simple, Style::Label, Style::Matrix]),
        ParameterLocation::Query => (
            Style::Form,
            &[Style::Form, Style::SpaceDelimited, Style::PipeDelimited, Style::DeepObject],
        ),
        ParameterLocation::Header => (Style::Simple, &[Style::Simple]),
        ParameterLocation::Cookie => (Style::Form, &[Style::Form, Style::Cookie]),
        // It has `content`, never a style.
        ParameterLocation::Querystring => (Style::Form, &[]),
    };
    let Some(at) = place.get("style") else { return cx.at(default, place) };
    let text = at.node.as_text().unwrap_or_default();
    match Style::ALL.into_iter().find(|s| s.name() == text) {
        Some(style) if allowed.contains(&style) => cx.at(style, at),
        _ => {
            let names: Vec<_> = allowed.iter().map(|s| s.name()).collect();
            cx.report_with(
                diag::BAD_STYLE,
                at,
                format!("`{text}` is no style of a {} parameter", location.name()),
                format!("its styles are `{}`", names.join("`, `")),
            );
            cx.at(default, at)
        }
    }
}

fn value<'a>(
    cx: &mut Context<'a>,
    place: Place<'a>,
    what: &str,
    version: Version,
) -> ParameterValue {
    if let Some(at) = place.get("schema") {
        if place.get("content").is_some() {
            let title = format!("{what} has `schema` or `content`, not both");
            cx.report(diag::BAD_VALUE, place, title);
        }
        return ParameterValue::Schema(schema::id_of(cx, at, version));
    }
    if place.get("content").is_some() {
        let mut content = content::content(cx, place, version);
        if content.len() > 1 {
            let title = format!("`content` of {what} has exactly one media type");
            cx.report(diag::BAD_VALUE, place, title);
        }
        if content.is_empty() {
            return ParameterValue::Any;
        }
        return ParameterValue::Content(Box::new(content.swap_remove(0)));
    }
    let title = format!("{what} has neither `schema` nor `content`, so any value is allowed");
    cx.report_as(Severity::Warning, diag::MISSING_FIELD, place, title);
    ParameterValue::Any
}

/// The entries of `headers`, without `Content-Type`, which OpenAPI ignores.
pub(super) fn headers<'a>(cx: &mut Context<'a>, owner: Place<'a>, version: Version) -> Vec<Header> {
    let mut headers = Vec::new();
    for (name, place) in cx.map(owner, "headers") {
        if let Some(header) = header(cx, name, place, version) {
            headers.push(header);
        }
    }
    headers
}

/// Reads one header; `None` when it is unusable or has no effect.
pub(super) fn header<'a>(
    cx: &mut Context<'a>,
    name: &str,
    place: Place<'a>,
    version: Version,
) -> Option<Header> {
    if name.eq_ignore_ascii_case("Content-Type") {
        let why = "OpenAPI ignores headers of this name";
        cx.ignore(place, crate::report::construct::HEADER, why);
        return None;
    }
    let target = cx.follow(place)?;
    if !cx.is_object(target, "a header") {
        return None;
    }
    let value = if version == Version::V2_0 {
        swagger::value(cx, target)
    } else {
        cx.check_fields(target, "a header", FIELDS);
        value(cx, target, "a header", version)
    };
    let required = cx.flag(target, "required", false);
    let explode = cx.flag(target, "explode", false);
    Some(Header { origin: cx.origin(place), name: name.to_owned(), required, explode, value })
}
