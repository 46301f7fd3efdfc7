//! Security schemes and requirements.

use super::context::Context;
use super::media::is_token;
use crate::diag::{self, Diagnostic, Severity};
use crate::ir::{ParameterLocation, SecurityKind, SecurityRequirement, SecurityScheme};
use crate::source::{Node, Place};

/// The schemes of a document's components.
pub(super) fn schemes<'a>(cx: &mut Context<'a>, components: Place<'a>) -> Vec<SecurityScheme> {
    let mut schemes = Vec::new();
    for (name, place) in cx.map(components, "securitySchemes") {
        let Some(target) = cx.follow(place) else { continue };
        if let Some(kind) = kind(cx, target) {
            let origin = cx.origin(place);
            let document = components.document;
            schemes.push(SecurityScheme { origin, name: name.to_owned(), document, kind });
        }
    }
    schemes
}

pub(super) fn kind<'a>(cx: &mut Context<'a>, place: Place<'a>) -> Option<SecurityKind> {
    if !cx.is_object(place, "a security scheme") {
        return None;
    }
    let Some(text) = place.get("type") else {
        cx.missing(place, "a security scheme", "type");
        return None;
    };
    match text.node.as_text() {
        Some("apiKey") => {
            let name = cx.string(place, "name");
            let location = match cx.string(place, "in").map(|l| l.value).as_deref() {
                Some("query") => Some(ParameterLocation::Query),
                Some("header") => Some(ParameterLocation::Header),
                Some("cookie") => Some(ParameterLocation::Cookie),
                _ => None,
            };
            match (location, name) {
                (Some(location), Some(name)) => {
                    Some(SecurityKind::ApiKey { location, name: name.value })
                }
                _ => {
                    let title =
                        "an API key needs `name`, and `in` as `query`, `header` or `cookie`";
                    cx.report(diag::BAD_VALUE, place, title);
                    None
                }
            }
        }
        Some("http") => {
            let scheme = cx.string(place, "scheme");
            if scheme.is_none() {
                cx.missing(place, "an HTTP security scheme", "scheme");
            }
            let named = place.get("scheme").zip(scheme.as_ref());
            if let Some((at, name)) = named.filter(|(_, name)| !is_token(&name.value)) {
                let title = format!("`{}` is no authentication scheme", name.value.escape_debug());
                let span = cx.library.span(at);
                let help =
                    "its name is one word, such as `basic` or `bearer`; no request has this one";
                let mut diagnostic = Diagnostic::new(diag::BAD_VALUE, title).at(span).help(help);
                diagnostic.severity = Severity::Warning;
                cx.diagnostics.push(diagnostic);
            }
            let bearer_format = cx.string(place, "bearerFormat").map(|format| format.value);
            Some(SecurityKind::Http { scheme: scheme?.value.to_ascii_lowercase(), bearer_format })
        }
        Some("mutualTLS") => Some(SecurityKind::MutualTls),
        Some("oauth2") => Some(SecurityKind::OAuth2),
        Some("openIdConnect") => Some(SecurityKind::OpenIdConnect),
        other => {
            let known = ["apiKey", "http", "mutualTLS", "oauth2", "openIdConnect"];
            let title = format!("`{}` is no kind of security scheme", other.unwrap_or_default());
            let help = diag::did_you_mean(other.unwrap_or_default(), known)
                .unwrap_or_else(|| format!("the kinds are `{}`", known.join("`, `")));
            cx.report_with(diag::BAD_VALUE, text, title, help);
            None
        }
    }
}

/// The alternatives of `security`; `None` where it is absent, so that those above apply.
pub(super) fn requirements<'a>(
    cx: &mut Context<'a>,
    owner: Place<'a>,
) -> Option<Vec<SecurityRequirement>> {
    owner.get("security")?;
    let mut requirements = Vec::new();
    for place in cx.list(owner, "security") {
        let mut schemes = Vec::new();
        for (name, scopes) in cx.members(place, "a security requirement") {
            let list = scopes.node.elements();
            if list.is_none() {
                // The scheme is still required.
                let title = "the scopes of a security requirement must be an array";
                cx.report_as(Severity::Warning, diag::WRONG_TYPE, scopes, title);
            }
            let text = |s: Node<'_>| s.as_text().map(str::to_owned);
            let scopes = list.into_iter().flatten().filter_map(text).collect();
            schemes.push((name.to_owned(), scopes));
        }
        let origin = cx.origin(place);
        requirements.push(SecurityRequirement { origin, schemes });
    }
    Some(requirements)
}
