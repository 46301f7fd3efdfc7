//! Webhooks and callbacks as the operations of an outbound API.
//!
//! No document says under which path a gateway sees an outgoing request: a webhook has a name, and a callback's
//! URL is known once a client has given it. The policy maps them; without a mapping a webhook is recognised at
//! `/NAME`, a callback at the literal part of its expression's path, or at `/NAME` where there is none.

use std::collections::HashSet;

use crate::diag::{self, Diagnostic, Span, did_you_mean};
use crate::ir::{
    Api, At, BasePath, Direction, DocumentId, Ignored, Operation, Sent, Template, Version,
};
use crate::report::construct;
use crate::source::{NodeId, Place};

use super::context::{Callback, Context};
use super::{paths, suffix, template};

/// Where the policy says that outgoing requests are recognised.
#[derive(Clone, Debug, Default)]
pub struct Mappings {
    /// Hosts of those that name none.
    pub hosts: Vec<String>,
    /// By the webhook's name.
    pub webhooks: Vec<Mapping>,
    /// By the callback's name, its expression, or its operation and its name.
    pub callbacks: Vec<Mapping>,
}

/// Where one webhook or callback is recognised.
#[derive(Clone, Debug)]
pub struct Mapping {
    /// What the policy calls it.
    pub name: String,
    /// Where the policy says so.
    pub span: Span,
    /// A path template, instead of the default.
    pub path: Option<String>,
    /// Hosts, lower case, instead of the API's.
    pub hosts: Vec<String>,
}

/// The reading of one API's outgoing requests.
pub(super) struct Outgoing<'m> {
    mappings: &'m Mappings,
    used: HashSet<*const Mapping>,
    /// Path items by where they are recognised: callbacks are shared by reference.
    read: HashSet<(DocumentId, NodeId, Recognised, Vec<String>)>,
    webhooks: Vec<String>,
    callbacks: Vec<String>,
}

/// By what a request is recognised besides its host.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Recognised {
    template: Template,
    /// `name=value`, joined by `&`; `{name}` is any value.
    query: String,
}

impl<'m> Outgoing<'m> {
    /// Nothing is read yet.
    pub fn new(mappings: &'m Mappings) -> Self {
        Outgoing {
            mappings,
            used: HashSet::new(),
            read: HashSet::new(),
            webhooks: Vec::new(),
            callbacks: Vec::new(),
        }
    }

    /// The operations of a document's webhooks, and of its operations' callbacks.
    pub fn read<'a>(
        &mut self,
        cx: &mut Context<'a>,
        root: Place<'a>,
        callbacks: Vec<Callback<'a>>,
        version: Version,
    ) -> Vec<Operation> {
        let mut operations = Vec::new();
        for (name, place) in cx.map(root, "webhooks") {
            self.webhooks.push(name.to_owned());
            let mapping = self.mappings.webhooks.iter().find(|known| known.name == name);
            let recognised = self.recognised(mapping, by_name(name));
            let sent = At::new(Sent::Webhook(name.to_owned()), cx.origin(place));
            operations.extend(self.item(cx, (place, sent, version), mapping, recognised));
        }
        for callback in callbacks {
            let Some(target) = cx.follow(callback.place) else { continue };
            for (expression, item) in cx.members(target, "a callback") {
                if expression.starts_with("x-") {
                    continue;
                }
                let name = callback.name.to_owned();
                self.callbacks.push(name.clone());
                let mapping = self.callback_mapping(&callback, expression);
                let recognised = self.recognised(mapping, by_expression(expression, &name));
                let sent = Sent::Callback { name, expression: expression.to_owned() };
                let sent = At::new(sent, cx.origin(callback.place));
                let found = self.item(cx, (item, sent, callback.version), mapping, recognised);
                operations.extend(found);
            }
        }
        operations
    }

    /// The mapping of a callback: what names most wins.
    fn callback_mapping(&self, of: &Callback<'_>, expression: &str) -> Option<&'m Mapping> {
        let owned = |name: &str| {
            let before = |owner: &Option<String>| {
                let rest = name.strip_prefix(owner.as_deref()?)?.strip_prefix(' ')?;
                Some(rest == of.name || rest == expression)
            };
            of.owner.iter().any(|owner| before(owner) == Some(true))
        };
        let all = &self.mappings.callbacks;
        let by_owner = all.iter().find(|known| owned(&known.name));
        let by_expression = || all.iter().find(|known| known.name == expression);
        by_owner.or_else(by_expression).or_else(|| all.iter().find(|known| known.name == of.name))
    }

    fn recognised(
        &mut self,
        mapping: Option<&'m Mapping>,
        default: Option<Recognised>,
    ) -> Option<Recognised> {
        let Some(mapping) = mapping else { return default };
        self.used.insert(mapping);
        let Some(path) = &mapping.path else { return default };
        let template = mapped(path).ok()?;
        Some(Recognised { template, query: default.map_or_else(String::new, |of| of.query) })
    }

    /// The operations of a path item, unless they were read already.
    fn item<'a>(
        &mut self,
        cx: &mut Context<'a>,
        (item, sent, version): (Place<'a>, At<Sent>, Version),
        mapping: Option<&Mapping>,
        recognised: Option<Recognised>,
    ) -> Vec<Operation> {
        let kind = construct_of(&sent.value);
        let note = |reason: &str| Ignored {
            origin: sent.origin,
            construct: kind.to_owned(),
            reason: reason.to_owned(),
        };
        let Some(target) = cx.follow(item) else { return Vec::new() };
        let Some(recognised) = recognised else {
            // A path of the policy that is no path has been told.
            if mapping.is_none_or(|mapping| mapping.path.is_none()) {
                unmapped(cx, item, &sent.value);
            }
            cx.model
                .ignored
                .push(note("no path can be made from its name, and the policy maps none"));
            cx.queue_callback(target, version);
            return Vec::new();
        };
        let hosts = mapping.map(|mapping| &mapping.hosts).filter(|hosts| !hosts.is_empty());
        let hosts = hosts.unwrap_or(&self.mappings.hosts).clone();
        let (document, node) = target.key();
        if !self.read.insert((document, node, recognised.clone(), hosts.clone())) {
            cx.model.rewritten.push(note(""));
            return Vec::new();
        }
        cx.first_reading(target);
        let base_paths = vec![At::new(BasePath::default(), sent.origin)];
        let defaults = paths::Defaults { version, base_paths, security: Vec::new() };
        let mut operations = paths::path_item(cx, item, &recognised.template, &defaults);
        // Callbacks of these are requests to the API again.
        for nested in std::mem::take(&mut cx.found_callbacks) {
            paths::callback(cx, nested.place, nested.version);
        }
        suffix::require(cx, item, &recognised.query, &mut operations);
        match operations.is_empty() {
            true => cx.model.ignored.push(note("it declares no operation")),
            false => cx.model.rewritten.push(note("")),
        }
        for operation in &mut operations {
            operation.hosts.clone_from(&hosts);
            operation.sent = Some(sent.clone());
        }
        operations
    }

    /// Reports mappings of what no document has, and those whose path is none.
    pub fn report_unused(&self, cx: &mut Context<'_>, api: &Api) {
        let Mappings { webhooks, callbacks, .. } = self.mappings;
        let kinds =
            [("webhook", webhooks, &self.webhooks), ("callback", callbacks, &self.callbacks)];
        for (kind, mappings, known) in kinds {
            for mapping in mappings {
                let path = mapping.path.as_deref().map(|path| (path, mapped(path)));
                if let Some((path, Err(why))) = path {
                    let title = format!("`{path}` is not a path template: {why}");
                    let diagnostic = Diagnostic::new(diag::POLICY_VALUE, title);
                    cx.diagnostics.push(diagnostic.at(mapping.span.clone()));
                }
                // In an inbound API the mapping is wrong as a whole, which is told of the policy.
                if api.direction == Direction::Inbound
                    || self.used.contains(&std::ptr::from_ref(mapping))
                {
                    continue;
                }
                let name = &mapping.name;
                let title = format!("the API `{}` has no {kind} `{name}`", api.name);
                cx.diagnostics.push(
                    Diagnostic::new(diag::POLICY_NO_MATCH, title)
                        .at(mapping.span.clone())
                        .maybe_help(did_you_mean(name, known.iter().map(String::as_str))),
                );
            }
        }
    }
}

fn construct_of(sent: &Sent) -> &'static str {
    match sent {
        Sent::Webhook(_) => construct::WEBHOOK,
        Sent::Callback { .. } => construct::CALLBACK,
    }
}

fn unmapped<'a>(cx: &mut Context<'a>, item: Place<'a>, sent: &Sent) {
    let (kind, name) = match sent {
        Sent::Webhook(name) => ("webhook", name),
        Sent::Callback { name, .. } => ("callback", name),
    };
    let title = format!("no path can be made from the name of the {kind} `{name}`");
    let help = format!("map it in the policy: `{kind}s: {{ NAME: {{ path: /… }} }}`");
    cx.report_with(diag::UNMAPPED, item, title, help);
}

/// The template of a path that the policy gives; the error says what is wrong with it.
fn mapped(path: &str) -> Result<Template, String> {
    let key = template::parse(path)?;
    match key.suffix {
        None if key.template.variables().any(|variable| template::beside(variable).is_some()) => {
            Err("two variables stand side by side".to_owned())
        }
        None => Ok(key.template),
        Some(_) => Err("a path has no query and no fragment".to_owned()),
    }
}

/// `/NAME`, where that is a path.
fn by_name(name: &str) -> Option<Recognised> {
    let template = mapped(&format!("/{}", name.strip_prefix('/').unwrap_or(name))).ok()?;
    Some(Recognised { template, query: String::new() })
}

/// The literal part of what an expression gives as URL; `/NAME` where it has no path.
fn by_expression(expression: &str, name: &str) -> Option<Recognised> {
    let literal = literal(expression);
    let (path, query) = match literal.split_once('?') {
        Some((path, query)) => (path, query.split('#').next().unwrap_or_default()),
        None => (literal.split('#').next().unwrap_or_default(), ""),
    };
    let template = match path.starts_with('/') {
        true => mapped(path).ok()?,
        false => by_name(name)?.template,
    };
    Some(Recognised { template, query: query.to_owned() })
}

/// Path and query of a URL with runtime expressions (OpenAPI 3.1.1, section 4.8.20.3), each of which within it becomes a
/// variable. One at the beginning stands for scheme, authority, and whatever path the receiver chose.
fn literal(expression: &str) -> String {
    let mut out = String::new();
    let mut rest = expression.trim();
    // A bare expression is a URL as a whole.
    if rest.starts_with('$') {
        return out;
    }
    let mut number = 0;
    while let Some(open) = rest.find("{$") {
        let Some(close) = rest[open..].find('}').map(|at| open + at) else { break };
        out.push_str(&rest[..open]);
        let name = rest[open + 2..close].rsplit(['/', '.', '#']).next().unwrap_or_default();
        number += 1;
        match name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') && !name.is_empty() {
            true => out.push_str(&format!("{{{name}}}")),
            false => out.push_str(&format!("{{expression{number}}}")),
        }
        rest = &rest[close + 1..];
    }
    out.push_str(rest);
    let after = match out.split_once("://") {
        Some((_, rest)) => rest.find(['/', '?', '#']).map(|at| &rest[at..]),
        None if out.starts_with('{') => out.split_once('}').map(|(_, rest)| rest),
        None => Some(out.as_str()),
    };
    after.unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_have_a_literal_part() {
        for (expression, path, query) in [
            ("{$request.body#/callbackUrl}", "/paid", ""),
            ("$request.body#/callbackUrl", "/paid", ""),
            ("{$request.query.url}/events/{$request.body#/id}", "/events/{id}", ""),
            ("{$request.query.url}?status={$request.body#/status}#x", "/paid", "status={status}"),
            ("https://hooks.example/a?tx={$response.body#/tx}", "/a", "tx={tx}"),
            ("https://{$request.header.host}/b", "/b", ""),
            ("https://hooks.example", "/paid", ""),
            ("/c/{$request.path.a-b}", "/c/{expression1}", ""),
            ("onPaid", "/paid", ""),
            ("{$url}", "/paid", ""),
        ] {
            let found = by_expression(expression, "paid").unwrap();
            assert_eq!(
                (found.template.text.as_str(), found.query.as_str()),
                (path, query),
                "{expression}"
            );
        }
        assert_eq!(by_expression("/{$request.path.a}{$request.path.b}", "paid"), None);
    }

    #[test]
    fn names_are_paths() {
        let path = |name: &str| by_name(name).map(|of| of.template.text);
        assert_eq!(path("paid").as_deref(), Some("/paid"));
        assert_eq!(path("/AUTHORISATION").as_deref(), Some("/AUTHORISATION"));
        assert_eq!(path("order.paid").as_deref(), Some("/order.paid"));
        assert_eq!(path("what?"), None);
        assert_eq!(path("{"), None);
    }
}
