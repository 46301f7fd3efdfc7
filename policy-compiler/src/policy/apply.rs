//! Puts what a policy says of APIs and operations into the model.

use std::collections::HashMap;

use super::limiting::Held;
use super::read::{ApiPolicy, MappingPolicy, OperationPolicy, PolicyFile, Selector};
use crate::diag::{self, Diagnostic, Diagnostics, Span, did_you_mean};
use crate::ir::{Api, At, BasePath, Method, Model, Operation};
use crate::openapi::{Mapping, Mappings};

/// Applies a policy to a model whose APIs are in the policy's order.
pub fn apply(file: &PolicyFile, model: &mut Model, diagnostics: &mut Diagnostics) {
    model.policy = file.policy.clone();
    check_exceptions(file, model, diagnostics);
    check_limits(file, model, diagnostics);
    for (policy, api) in file.apis.iter().zip(&mut model.apis) {
        api.settings = policy.settings.clone();
        api.hosts = hosts(&policy.hosts, diagnostics);
        let base_paths = base_paths(policy, api, diagnostics);
        for operation in &mut api.operations {
            operation.settings = policy.settings.clone();
            if !base_paths.is_empty() {
                operation.base_paths = base_paths
                    .iter()
                    .map(|base| At::new(base.clone(), operation.path_origin))
                    .collect();
            }
        }
        // An API whose documents could not be read has no operations to match.
        if !api.operations.is_empty() {
            operations(policy, api, diagnostics);
        }
    }
}

/// Every exception for an operation must name one that there is.
fn check_exceptions(file: &PolicyFile, model: &Model, diagnostics: &mut Diagnostics) {
    let Some(attacks) = &file.attacks else { return };
    let operations = || model.operations().map(|(_, operation)| operation);
    for (exception, (_, span)) in attacks.attacks.exceptions.iter().zip(&attacks.places) {
        let Some(text) = &exception.operation else { continue };
        if !operations().any(|operation| is_match(operation, text)) {
            let names: Vec<String> = operations().map(name).collect();
            let title = format!("no API has an operation `{text}`");
            diagnostics.push(
                Diagnostic::new(diag::POLICY_NO_MATCH, title)
                    .at(span.clone())
                    .maybe_help(suggest(text, &names)),
            );
        }
    }
}

/// Whatever a limit holds for must be there.
fn check_limits(file: &PolicyFile, model: &Model, diagnostics: &mut Diagnostics) {
    let operations = || model.operations().map(|(_, operation)| operation);
    for (held, span) in &file.held {
        let missing = match held {
            Held::Api(name) => {
                let names = || model.apis.iter().map(|api| api.name.as_str());
                let help = did_you_mean(name, names());
                (!names().any(|it| it == name)).then(|| (format!("there is no API `{name}`"), help))
            }
            Held::Tag(tag) => {
                let tags = || operations().flat_map(|it| it.tags.iter().map(String::as_str));
                let help = did_you_mean(tag, tags());
                let title = || format!("no operation has the tag `{tag}`");
                (!tags().any(|it| it == tag)).then(|| (title(), help))
            }
            Held::Operation(text) => {
                let title = || format!("no API has an operation `{text}`");
                (!operations().any(|operation| is_match(operation, text))).then(|| {
                    let names: Vec<String> = operations().map(name).collect();
                    (title(), suggest(text, &names))
                })
            }
        };
        if let Some((title, help)) = missing {
            let diagnostic = Diagnostic::new(diag::POLICY_NO_MATCH, title).at(span.clone());
            diagnostics.push(diagnostic.maybe_help(help));
        }
    }
}

/// Where a policy says that an API's outgoing requests are recognised.
pub fn mappings(policy: &ApiPolicy, diagnostics: &mut Diagnostics) -> Mappings {
    let mut all = |list: &[MappingPolicy]| -> Vec<Mapping> {
        let mapping = |of: &MappingPolicy| Mapping {
            name: of.name.clone(),
            span: of.span.clone(),
            path: of.path.clone(),
            hosts: hosts(&of.hosts, diagnostics),
        };
        list.iter().map(mapping).collect()
    };
    let (webhooks, callbacks) = (all(&policy.webhooks), all(&policy.callbacks));
    // What is wrong with these is told when the policy is applied.
    let hosts = hosts(&policy.hosts, &mut Diagnostics::default());
    Mappings { hosts, webhooks, callbacks }
}

fn operations(policy: &ApiPolicy, api: &mut Api, diagnostics: &mut Diagnostics) {
    let mut first: HashMap<usize, &Span> = HashMap::new();
    for entry in &policy.operations {
        let found = find(entry, api);
        match found {
            Ok(index) => {
                if let Some(before) = first.insert(index, &entry.span) {
                    let what = "the policy names the same operation twice";
                    diagnostics.push(
                        Diagnostic::new(diag::POLICY_DUPLICATE, what)
                            .label(entry.span.clone(), "again here")
                            .label(before.clone(), "first here"),
                    );
                }
                api.operations[index].settings = entry.settings.clone();
            }
            Err((title, help)) => diagnostics.push(
                Diagnostic::new(diag::POLICY_NO_MATCH, title)
                    .at(entry.span.clone())
                    .maybe_help(help),
            ),
        }
    }
}

/// The index of the operation that an entry means; otherwise title and help.
fn find(entry: &OperationPolicy, api: &Api) -> Result<usize, (String, Option<String>)> {
    match &entry.selector {
        Selector::Id(id) => {
            let is = |op: &Operation| op.id.as_ref().is_some_and(|i| i.value == *id);
            api.operations.iter().position(is).ok_or_else(|| {
                let ids = api.operations.iter().filter_map(|op| op.id.as_ref());
                let help = did_you_mean(id, ids.map(|i| i.value.as_str()));
                (format!("the API `{}` has no `operationId` `{id}`", api.name), help)
            })
        }
        Selector::Match(text) => {
            let is = |op: &Operation| is_match(op, text);
            api.operations.iter().position(is).ok_or_else(|| {
                let names: Vec<_> = api.operations.iter().map(name).collect();
                let title = format!("the API `{}` has no operation `{text}`", api.name);
                (title, suggest(text, &names))
            })
        }
        Selector::Unclear => Err((
            "an operation is named either by `match` or by `operation_id`".to_owned(),
            Some("write `match: \"GET /accounts/{id}\"`".to_owned()),
        )),
    }
}

fn name(op: &Operation) -> String {
    format!("{} {}", op.method.name(), op.template.text)
}

fn suggest(text: &str, names: &[String]) -> Option<String> {
    if Method::parse(text.split_whitespace().next().unwrap_or_default()).is_none() {
        return Some("write method and path, as in `GET /accounts/{id}`".to_owned());
    }
    did_you_mean(text, names.iter().map(String::as_str))
}

/// Whether an operation is the one of a `match`, with or without its base path.
pub(crate) fn is_match(op: &Operation, text: &str) -> bool {
    let Some((method, path)) = text.split_once(char::is_whitespace) else { return false };
    let path = path.trim();
    let template = op.template.text.as_str();
    Method::parse(method) == Some(op.method)
        && (path == template
            || op.base_paths.iter().any(|base| {
                path.strip_prefix(base.value.path.as_str()).is_some_and(|rest| rest == template)
            }))
}

fn hosts(written: &[(String, Span)], diagnostics: &mut Diagnostics) -> Vec<String> {
    let mut hosts: Vec<String> = Vec::new();
    for (host, span) in written {
        let lower = host.to_ascii_lowercase();
        let problem = if lower.contains("://") || lower.contains('/') {
            Some("write the name alone, without scheme and path")
        } else if lower.contains(':') && !lower.starts_with('[') {
            Some("write the name without port: every port matches")
        } else if lower.contains('*') {
            Some("wildcards are not supported; list the hosts")
        } else if lower.bytes().any(|b| b <= b' ' || b >= 0x7F) {
            Some("write it in ASCII; an international name in its `xn--` form")
        } else {
            None
        };
        if let Some(help) = problem {
            diagnostics.push(
                Diagnostic::new(diag::POLICY_VALUE, format!("`{host}` is not the name of a host"))
                    .at(span.clone())
                    .help(help),
            );
        } else if !hosts.contains(&lower) {
            hosts.push(lower);
        }
    }
    hosts
}

fn base_paths(policy: &ApiPolicy, api: &Api, diagnostics: &mut Diagnostics) -> Vec<BasePath> {
    let mut bases: Vec<BasePath> = Vec::new();
    for (text, span) in &policy.base_paths {
        let path = text.trim_end_matches('/');
        let segments = path.strip_prefix('/').map(|rest| rest.split('/'));
        let bad =
            |s: &str| s.is_empty() || s == "." || s == ".." || s.contains(['?', '#', '{', ' ']);
        let fine = path.is_empty() || segments.is_some_and(|mut s| !s.any(bad));
        if !fine || !text.starts_with('/') {
            diagnostics.push(
                Diagnostic::new(diag::POLICY_VALUE, format!("`{text}` is not a base path"))
                    .at(span.clone())
                    .help("a base path starts with `/` and has no query, variables or `..`"),
            );
            continue;
        }
        let host = api.hosts.first().cloned();
        let base = BasePath { path: path.to_owned(), host };
        if !bases.contains(&base) {
            bases.push(base);
        }
    }
    bases
}
