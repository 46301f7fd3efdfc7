//! Base paths from `servers`.
//!
//! Variables with an `enum` expand to each of its values. A variable without one stays a variable: of the
//! path it takes one segment, or a part of one; of the host it says nothing, since hosts bind only where
//! the policy lists them.

use std::collections::HashSet;

use super::context::Context;
use crate::diag;
use crate::ir::{At, BasePath, Ignored};
use crate::source::Place;

/// How many URLs one server's variables expand to at most.
const MAX_EXPANSIONS: usize = 64;

/// The base paths of the servers that `owner` lists; `None` when it has no `servers` or an empty
/// list, so that those of the level above apply.
pub(super) fn read<'a>(cx: &mut Context<'a>, owner: Place<'a>) -> Option<Vec<At<BasePath>>> {
    let servers = cx.list(owner, "servers");
    let mut bases: Vec<At<BasePath>> = Vec::new();
    let mut known: HashSet<BasePath> = HashSet::new();
    for server in servers {
        if !cx.is_object(server, "a server") {
            continue;
        }
        cx.check_fields(server, "a server", &["url", "description", "name", "variables"]);
        let Some(url) = server.get("url") else {
            cx.missing(server, "a server", "url");
            continue;
        };
        let Some(text) = url.node.as_text() else {
            cx.wrong_type(url, "`url`", "a string");
            continue;
        };
        for expanded in expand(cx, server, url, text) {
            match base_path(&expanded) {
                Ok(base) => {
                    if known.insert(base.clone()) {
                        let base = cx.at(base, server);
                        bases.push(base);
                    }
                }
                Err(why) => {
                    cx.report(diag::BAD_SERVER, url, format!("`{text}`: {why}"));
                }
            }
        }
    }
    (!bases.is_empty()).then_some(bases)
}

/// The URL with every combination of its variables' values.
fn expand<'a>(cx: &mut Context<'a>, server: Place<'a>, url: Place<'a>, text: &str) -> Vec<String> {
    let mut urls = vec![String::new()];
    let mut rest = text;
    while let Some(open) = rest.find('{') {
        let Some(close) = rest[open..].find('}').map(|i| open + i) else { break };
        let name = &rest[open + 1..close];
        let literal = &rest[..open];
        rest = &rest[close + 1..];
        let mut values = values(cx, server, url, name);
        if urls.len() * values.len() > MAX_EXPANSIONS {
            let why = "its variables have too many values together, so any value is taken";
            let origin = cx.origin(server);
            cx.model.approximated.push(Ignored {
                origin,
                construct: crate::report::construct::SERVER.to_owned(),
                reason: why.to_owned(),
            });
            values = vec![format!("{{{name}}}")];
        }
        urls = urls
            .iter()
            .flat_map(|url| values.iter().map(move |v| format!("{url}{literal}{v}")))
            .collect();
    }
    for url in &mut urls {
        url.push_str(rest);
    }
    urls
}

/// The values that a server's variable can have, its default first, or the variable itself in braces where
/// any value can come; never empty.
fn values<'a>(cx: &mut Context<'a>, server: Place<'a>, url: Place<'a>, name: &str) -> Vec<String> {
    let variable = server.get("variables").and_then(|v| v.get(name));
    let Some(variable) = variable else {
        cx.report(
            diag::SERVER_VARIABLE,
            url,
            format!("the variable `{name}` is not declared in `variables`"),
        );
        return vec!["undeclared".to_owned()];
    };
    let mut values = Vec::new();
    let mut known: HashSet<&str> = HashSet::new();
    match cx.text(variable, "default") {
        Some(default) => {
            known.insert(default);
            values.push(default.to_owned());
        }
        None if variable.get("enum").is_none() => {
            let title = format!("the variable `{name}` has no default");
            cx.report(diag::SERVER_VARIABLE, variable, title);
        }
        None => {}
    }
    for value in cx.list(variable, "enum") {
        if let Some(text) = value.node.as_text()
            && known.insert(text)
        {
            values.push(text.to_owned());
        }
    }
    if values.is_empty() {
        values.push("undeclared".to_owned());
    }
    // Without `enum` the default is only a default: any value of the same form may come.
    if variable.get("enum").is_none() && !values[0].is_empty() && !values[0].contains('/') {
        return vec![format!("{{{name}}}")];
    }
    values
}

/// Host and path of an expanded URL.
fn base_path(url: &str) -> Result<BasePath, &'static str> {
    if url.contains(['?', '#']) {
        return Err("a server's URL cannot hold a query or a fragment");
    }
    let (host, path) = match url.split_once("://") {
        Some((_, rest)) => {
            let (authority, path) = rest.find('/').map_or((rest, ""), |i| rest.split_at(i));
            (Some(authority), path)
        }
        None => match url.strip_prefix("//") {
            Some(rest) => {
                let (authority, path) = rest.find('/').map_or((rest, ""), |i| rest.split_at(i));
                (Some(authority), path)
            }
            None => (None, url),
        },
    };
    let path = path.strip_prefix("./").unwrap_or(path);
    let path = if path == "." { "" } else { path.trim_end_matches('/') };
    let segments = path.strip_prefix('/').unwrap_or(path);
    let bad = |segment: &str| segment.is_empty() || segment == "." || segment == "..";
    if path.contains("}{") {
        return Err("two variables stand side by side, so their values cannot be told apart");
    }
    if !segments.is_empty() && segments.split('/').any(bad) {
        return Err("its path has empty, `.` or `..` segments");
    }
    if path.bytes().any(|b| b <= b' ' || b == 0x7F) {
        return Err("its path holds a space or a control character");
    }
    let path = if segments.is_empty() { String::new() } else { format!("/{segments}") };
    Ok(BasePath { path, host: host.and_then(host_name) })
}

/// The host of an authority, without user and port, in lower case.
fn host_name(authority: &str) -> Option<String> {
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let host = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) || port.starts_with('{') => {
            name
        }
        _ => host,
    };
    (!host.is_empty()).then(|| host.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_become_base_paths() {
        let base = |url: &str| {
            let base = base_path(url).unwrap();
            (base.path, base.host.unwrap_or_default())
        };
        let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        assert_eq!(base("https://API.example:8443/v1/"), pair("/v1", "api.example"));
        assert_eq!(base("https://api.example"), pair("", "api.example"));
        assert_eq!(base("/"), pair("", ""));
        assert_eq!(base("v1/x"), pair("/v1/x", ""));
        assert_eq!(base("./"), pair("", ""));
        assert_eq!(base("//h/x"), pair("/x", "h"));
        for bad in ["/a?b", "/a#b", "/a//b", "/../a", "/a b"] {
            assert!(base_path(bad).is_err(), "{bad}");
        }
    }
}
