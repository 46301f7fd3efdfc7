//! Paths, path items and operations.

use std::collections::HashSet;

use crate::diag::{self, Diagnostic, Severity};
use crate::ir::{
    At, BasePath, Ignored, Method, Operation, Origin, SecurityRequirement, Settings, Template,
    Version,
};
use crate::source::Place;

use super::context::{Callback, Context};
use super::{content, parameters, security, servers, suffix, swagger, template};

/// The fields of an operation.
const OPERATION: &[&str] = &[
    "tags",
    "summary",
    "description",
    "externalDocs",
    "operationId",
    "parameters",
    "requestBody",
    "responses",
    "callbacks",
    "deprecated",
    "security",
    "servers",
];

/// What holds for every operation of a document unless it says otherwise.
pub(super) struct Defaults {
    pub version: Version,
    pub base_paths: Vec<At<BasePath>>,
    pub security: Vec<SecurityRequirement>,
}

/// The operations of `paths`.
pub(super) fn read<'a>(
    cx: &mut Context<'a>,
    root: Place<'a>,
    defaults: &Defaults,
) -> Vec<Operation> {
    let mut operations = Vec::new();
    for (key, place) in cx.map(root, "paths") {
        let parsed = match template::parse(key) {
            Ok(parsed) => parsed,
            Err(why) => {
                cx.report(diag::BAD_TEMPLATE, place, format!("the path `{key}`: {why}"));
                continue;
            }
        };
        other_notations(cx, place, &parsed.template);
        let wide = wide_variables(cx, place, &parsed.template);
        let mut found = path_item(cx, place, &parsed.template, defaults);
        if let Some(suffix) = &parsed.suffix {
            suffix::apply(cx, place, suffix, &mut found);
        }
        if wide {
            let reason = "a variable that is meant to span `/` takes one segment";
            for operation in &found {
                approximated(cx, operation.origin, crate::report::construct::OPERATION, reason);
            }
        }
        operations.extend(found);
    }
    operations
}

/// `/users/:id` and `/files/**` are literal in OpenAPI, and probably meant as variables; of `{code:[A-Z]+}` only the
/// name means something.
fn other_notations<'a>(cx: &mut Context<'a>, place: Place<'a>, template: &Template) {
    for variable in template.variables() {
        if let Some(names) = template::beside(variable) {
            let names: Vec<String> = names.map(|name| format!("`{{{name}}}`")).collect();
            let title = format!("nothing tells where {} ends", names.join(" and where "));
            let help = "together they take what stands there; their own schemas are not enforced";
            cx.report_with(diag::SIDE_BY_SIDE, place, title, help);
        } else if let Some(name) = template::plain(variable).filter(|_| variable.contains(':')) {
            let title = format!("`{{{variable}}}` is the variable `{name}`: no expression is read");
            let help = "give its parameter a schema with a `pattern`";
            cx.report_with(diag::COLON_SEGMENT, place, title, help);
        }
    }
    for segment in &template.segments {
        let text = segment.as_literal().unwrap_or_default();
        if matches!(text, "*" | "**") {
            let title = format!("`{text}` matches only itself");
            cx.report_with(diag::COLON_SEGMENT, place, title, "declare each path");
        }
        let Some(name) = text.strip_prefix(':') else { continue };
        cx.report_with(
            diag::COLON_SEGMENT,
            place,
            format!("`:{name}` matches only itself"),
            format!("if it stands for a value, write `{{{name}}}`"),
        );
    }
}

/// `{proxy+}` and `{path*}` span segments in other notations; in OpenAPI no variable does.
fn wide_variables<'a>(cx: &mut Context<'a>, place: Place<'a>, template: &Template) -> bool {
    let mut variables = template.variables();
    let Some(name) = variables.find(|name| template::is_wide(name)) else { return false };
    cx.report_with(
        diag::WIDE_VARIABLE,
        place,
        format!("`{{{name}}}` takes one segment: no variable of OpenAPI holds `/`"),
        "declare a path for each number of segments, or let the policy allow undeclared operations",
    );
    true
}

fn approximated(cx: &mut Context<'_>, origin: Origin, construct: &str, reason: &str) {
    let (construct, reason) = (construct.to_owned(), reason.to_owned());
    cx.model.approximated.push(Ignored { origin, construct, reason });
}

/// The operations of one path item.
pub(super) fn path_item<'a>(
    cx: &mut Context<'a>,
    place: Place<'a>,
    template: &Template,
    defaults: &Defaults,
) -> Vec<Operation> {
    let version = defaults.version;
    let Some(item) = cx.follow(place) else { return Vec::new() };
    if !cx.is_object(item, "a path item") {
        return Vec::new();
    }
    let newest = version == Version::V3_2;
    let known = if newest { &Method::ALL[..] } else { &Method::ALL[..8] };
    let methods: Vec<String> = known.iter().map(|m| m.name().to_ascii_lowercase()).collect();
    let mut fields = vec!["parameters"];
    if newest {
        fields.push("additionalOperations");
    }
    if version != Version::V2_0 {
        fields.extend(["summary", "description", "servers"]);
    }
    fields.extend(methods.iter().map(String::as_str));
    cx.check_fields(item, "a path item", &fields);
    if let Some(any) = item.get("x-amazon-apigateway-any-method") {
        let title = "`x-amazon-apigateway-any-method` declares no operation";
        let help =
            "declare the methods that the path has, or requests to it are refused as undeclared";
        cx.report_with(diag::UNKNOWN_FIELD, any, title, help);
    }
    if item.key() != place.key() && place.node.members().is_some_and(|m| m.len() > 1) {
        let title = "fields beside the `$ref` of a path item are ignored";
        cx.report(diag::REF_SIBLINGS, place, title);
    }
    let shared = parameters::read(cx, item, version);
    let shared_bodies = swagger::bodies(cx, item, version);
    let base_paths = servers::read(cx, item);
    let base_paths = base_paths.as_ref().unwrap_or(&defaults.base_paths);
    let path_origin = cx.origin(place);
    let mut operations = Vec::new();
    let mut declared = Vec::new();
    for (field, at) in cx.members(item, "a path item") {
        if let Some(index) = methods.iter().position(|m| m == field) {
            declared.push((Method::ALL[index], at));
        }
    }
    if newest {
        additional_operations(cx, item, &mut declared);
    }
    for (method, at) in declared {
        let Some(target) = cx.follow(at) else { continue };
        if !cx.is_object(target, "an operation") {
            continue;
        }
        let fields = if version == Version::V2_0 { swagger::OPERATION } else { OPERATION };
        cx.check_fields(target, "an operation", fields);
        let own = parameters::read(cx, target, version);
        let replaced: HashSet<_> = own.iter().map(parameters::key).collect();
        let inherited = shared.iter().filter(|s| !replaced.contains(&parameters::key(s)));
        let mut parameters: Vec<_> = inherited.cloned().collect();
        parameters.extend(own);
        let template = parameters::named(template, &parameters);
        parameters::fit(cx, &mut parameters, &template, at);
        let request_body = match version {
            Version::V2_0 => {
                let own = swagger::bodies(cx, target, version);
                swagger::request_body(cx, &shared_bodies, own, target)
            }
            _ => content::request_body(cx, target, version),
        };
        if let Some(body) = &request_body
            && matches!(method, Method::Get | Method::Head | Method::Delete | Method::Trace)
            && body.required.value
        {
            let at = target.get("requestBody").unwrap_or(target);
            let title =
                format!("{} requests have no body by HTTP, but one is required", method.name());
            cx.report(diag::UNEXPECTED_BODY, at, title);
        }
        let security = security::requirements(cx, target);
        operations.push(Operation {
            origin: cx.origin(at),
            version,
            method,
            template: template.clone(),
            path_origin,
            base_paths: servers::read(cx, target).unwrap_or_else(|| base_paths.clone()),
            hosts: Vec::new(),
            sent: None,
            id: cx.string(target, "operationId"),
            tags: tags(cx, target),
            deprecated: cx.boolean(target, "deprecated").is_some_and(|d| d.value),
            parameters,
            alternatives: Vec::new(),
            request_body,
            responses: content::responses(cx, target, version),
            security: security.unwrap_or_else(|| defaults.security.clone()),
            callbacks: callbacks(cx, target, (method, &template), version),
            settings: Settings::default(),
        });
    }
    operations
}

/// The entries of `additionalOperations`, by methods that have no field (OpenAPI 3.2).
fn additional_operations<'a>(
    cx: &mut Context<'a>,
    item: Place<'a>,
    declared: &mut Vec<(Method, Place<'a>)>,
) {
    for (name, at) in cx.map(item, "additionalOperations") {
        match Method::REGISTERED.iter().copied().find(|method| method.name() == name) {
            Some(method) if Method::ALL.contains(&method) => {
                let title = format!("`{name}` has a field of its own");
                let help = format!("write `{}` in the path item", name.to_ascii_lowercase());
                cx.report_with(diag::BAD_VALUE, at, title, help);
            }
            Some(method) => declared.push((method, at)),
            None => {
                let title = format!("`{name}` is no registered method");
                let help =
                    "requests with it are refused as undeclared; methods are written in capitals";
                let mut diagnostic =
                    Diagnostic::new(diag::BAD_VALUE, title).at(cx.library.span(at)).help(help);
                diagnostic.severity = Severity::Warning;
                cx.diagnostics.push(diagnostic);
                let why = "its method is not registered, so requests are refused";
                cx.ignore(at, crate::report::construct::OPERATION, why);
            }
        }
    }
}

fn tags<'a>(cx: &mut Context<'a>, operation: Place<'a>) -> Vec<String> {
    let tags = cx.list(operation, "tags");
    tags.iter().filter_map(|t| t.node.as_text().map(str::to_owned)).collect()
}

/// Names of the callbacks. What they hold is read later, from a queue: a callback's operation can
/// have callbacks again.
fn callbacks<'a>(
    cx: &mut Context<'a>,
    operation: Place<'a>,
    (method, template): (Method, &Template),
    version: Version,
) -> Vec<At<String>> {
    let mut names = Vec::new();
    for (name, place) in cx.map(operation, "callbacks") {
        let at = cx.at(name.to_owned(), place);
        names.push(at);
        let id = operation.get("operationId").and_then(|id| id.node.as_str()).map(str::to_owned);
        let owner = [id, Some(format!("{} {}", method.name(), template.text))];
        cx.found_callbacks.push(Callback { name, place, version, owner });
    }
    names
}

/// Queues the path items of a callback.
pub(super) fn callback<'a>(cx: &mut Context<'a>, place: Place<'a>, version: Version) {
    let Some(target) = cx.follow(place) else { return };
    for (expression, item) in cx.members(target, "a callback") {
        if !expression.starts_with("x-") {
            cx.queue_callback(item, version);
        }
    }
}
