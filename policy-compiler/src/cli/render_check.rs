//! `portcullis render check`: whether an Envoy configuration that is there already does what a bundle's limits need.
//!
//! In: a bundle, and a configuration of Envoy's in YAML or JSON. Out: a warning for each connection manager with a wasm
//! filter whose settings let clients say who they are, and for filters that would judge by one another's policies, with its place. What
//! comes by xDS is not seen.

use super::files::{self, CliError};
use crate::diag::Diagnostics;
use crate::source::{Node, Tree, parse};
use clap::Args;
use portcullis_bundle::layout::{CallerKind, View};
use portcullis_bundle::{Bundle, Trust};
use std::path::PathBuf;
use std::process::ExitCode;

/// What is compared.
#[derive(Args, Clone, Debug)]
pub struct RenderCheck {
    /// The bundle that the gateway serves
    #[arg(long, value_name = "FILE")]
    pub bundle: PathBuf,
    /// Envoy's configuration, in YAML or JSON
    pub configuration: PathBuf,
}

/// Prints what does not fit; 1 where anything does not.
pub fn run(options: &RenderCheck) -> Result<ExitCode, CliError> {
    let trust = Trust { keys: Vec::new(), allow_unsigned: true };
    let bundle = Bundle::open(files::read(&options.bundle)?, &trust)
        .map_err(|source| CliError::Open { path: options.bundle.clone(), source })?;
    let path = options.configuration.display().to_string();
    let text = String::from_utf8_lossy(&files::read(&options.configuration)?).into_owned();
    let mut diagnostics = Diagnostics::default();
    let Some(tree) = parse(&path, &text, &mut diagnostics) else {
        let what = diagnostics.sorted().first().map_or(String::new(), |it| it.title.clone());
        return Err(CliError::Other(format!("`{path}` cannot be read: {what}")));
    };
    let told = check(&tree, &bundle.view());
    for (line, text) in &told {
        println!("{path}:{line}: {text}");
    }
    if told.is_empty() {
        println!("{path}: fits");
        return Ok(ExitCode::SUCCESS);
    }
    Ok(ExitCode::FAILURE)
}

/// What does not fit, each with its line.
pub(super) fn check(tree: &Tree, view: &View<'_>) -> Vec<(u32, String)> {
    let mut told = Vec::new();
    let mut managers = 0;
    for node in tree.nodes() {
        let filters: Vec<Node<'_>> =
            node.get("http_filters").and_then(Node::elements).into_iter().flatten().collect();
        if let Some(at) = filters.iter().position(|filter| is_wasm(*filter)) {
            managers += 1;
            addresses(node, view, &mut told);
            claims(node, filters.get(..at).unwrap_or_default(), view, &mut told);
        }
    }
    if managers == 0 {
        told.push((1, "no connection manager here has a wasm filter".to_owned()));
    }
    namesakes(tree, &mut told);
    services(tree, view, &mut told);
    told
}

/// Filters of one name, as which the filter knows its policy, whose configurations are not the same.
fn namesakes(tree: &Tree, told: &mut Vec<(u32, String)>) {
    let mut known: Vec<([&str; 2], Node<'_>)> = Vec::new();
    for filter in tree.nodes().filter(|node| is_wasm(*node)) {
        let Some(config) = filter.get("typed_config").and_then(|it| it.get("config")) else {
            continue;
        };
        let text = |name: &str| config.get(name).and_then(Node::as_text).unwrap_or_default();
        let name = ["name", "root_id"].map(text);
        match known.iter().find(|(other, _)| *other == name) {
            None => known.push((name, config)),
            Some((_, other)) => {
                let policies = [*other, config].map(|it| it.get("configuration").map(shape));
                if policies[0] != policies[1] {
                    let text = format!(
                        "another filter, at line {}, has the name `{}` and this `root_id` too, with another policy: each policy \
                         needs a `name` of its own",
                        other.anchor().line,
                        name[0]
                    );
                    told.push((config.anchor().line, text));
                }
            }
        }
    }
}

/// All texts and names below a node, in order: what it says, wherever it stands.
fn shape(node: Node<'_>) -> String {
    let mut all = String::new();
    let mut left = vec![node];
    while let Some(node) = left.pop() {
        all.push_str(&node.token().unwrap_or_default());
        all.push('\0');
        all.push_str(node.as_text().unwrap_or_default());
        all.push('\0');
        left.extend(node.elements().into_iter().flatten());
        left.extend(node.members().into_iter().flatten().map(|(_, value)| value));
    }
    all
}

/// Whether a filter is, or is discovered as, one in wasm.
fn is_wasm(filter: Node<'_>) -> bool {
    let is = |node: Node<'_>| node.as_text().is_some_and(|it| it.ends_with(".wasm.v3.Wasm"));
    let types = filter.get("config_discovery").and_then(|it| it.get("type_urls"));
    filter.get("typed_config").and_then(|it| it.get("@type")).is_some_and(is)
        || types.and_then(Node::elements).into_iter().flatten().any(is)
}

/// Addresses that clients can choose: Envoy takes them from `x-forwarded-for`, unless it is told otherwise.
fn addresses(manager: Node<'_>, view: &View<'_>, told: &mut Vec<(u32, String)>) {
    let is_address = |kind: u8| kind == CallerKind::Address.code();
    if !view.caller_sources.iter().any(|source| is_address(source.kind)) {
        return;
    }
    let line = manager.anchor().line;
    if !manager.get("use_remote_address").and_then(Node::as_bool).unwrap_or(false) {
        told.push((
            line,
            "limits count clients by address, and clients choose it: set `use_remote_address: true`"
                .to_owned(),
        ));
    }
    if let Some(at) = manager.get("original_ip_detection_extensions") {
        let text = "limits count clients by address, which these extensions find: what they believe, clients may choose";
        told.push((at.anchor().line, text.to_owned()));
    }
    let hops = manager.get("xff_num_trusted_hops");
    let set = hops.and_then(Node::as_number).and_then(|it| it.as_u64()).unwrap_or(0);
    let trusted = u64::from(view.limit_tables.first().map_or(0, |table| table.trusted_hops));
    if set != trusted {
        let line = hops.map_or(line, |node| node.anchor().line);
        told.push((
            line,
            format!(
                "`xff_num_trusted_hops` is {set}, and `limit_table.trusted_hops` of the policy {trusted}: \
                 {} choose their address",
                if set > trusted { "clients" } else { "proxies in front seem to be clients, which" }
            ),
        ));
    }
}

/// Claims that nothing in front verifies.
fn claims(manager: Node<'_>, before: &[Node<'_>], view: &View<'_>, told: &mut Vec<(u32, String)>) {
    let mut verified: Vec<&str> = Vec::new();
    for filter in before {
        let providers = filter.get("typed_config").and_then(|it| it.get("providers"));
        for (_, provider) in providers.and_then(Node::members).into_iter().flatten() {
            verified.extend(provider.get("payload_in_metadata").and_then(Node::as_text));
        }
    }
    let mut missing: Vec<&str> = Vec::new();
    for source in view.caller_sources.iter().filter(|it| it.kind == CallerKind::Property.code()) {
        let mut steps = view.text(source.name).split('\0');
        if steps.next() == Some("metadata")
            && let Some(payload) = steps.nth(2)
            && !verified.contains(&payload)
            && !missing.contains(&payload)
        {
            missing.push(payload);
        }
    }
    let line = manager.anchor().line;
    told.extend(missing.iter().map(|payload| {
        let text = format!(
            "limits count callers by claims of `{payload}`, and no `jwt_authn` in front of the wasm filter has \
             `payload_in_metadata: {payload}`"
        );
        (line, text)
    }));
}

/// A cluster that limits are delegated to, and that is not here or does not speak HTTP/2.
fn services(tree: &Tree, view: &View<'_>, told: &mut Vec<(u32, String)>) {
    for service in view.limit_services {
        let name = view.text(service.cluster);
        let clusters = tree.root().get("static_resources").and_then(|it| it.get("clusters"));
        let mut clusters = clusters.and_then(Node::elements).into_iter().flatten();
        let is_it = |it: &Node<'_>| it.get("name").and_then(Node::as_text) == Some(name);
        match clusters.find(is_it) {
            None => told.push((
                1,
                format!("limits are delegated to the cluster `{name}`, which is not among the static ones"),
            )),
            Some(cluster) => {
                let own = cluster.pointer();
                let within = |it: &Node<'_>| it.pointer().starts_with(&format!("{own}/"));
                let mut options =
                    tree.nodes().filter(|it| it.get("http2_protocol_options").is_some());
                let speaks = cluster.get("http2_protocol_options").is_some()
                    || options.any(|it| within(&it));
                if !speaks {
                    let text = format!("the cluster `{name}` of the rate-limit service has no `http2_protocol_options`");
                    told.push((cluster.anchor().line, text));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::check;
    use crate::diag::Diagnostics;
    use crate::source::{Sources, parse};
    use crate::{Input, Release, compile};
    use portcullis_bundle::{Bundle, Trust};

    const POLICY: &str = "version: 1\nname: p\napis: [{ name: a, documents: [a.yaml] }]\nlimit_table: { trusted_hops: 1 }\n\
        limit_service: { cluster: ratelimit, domain: d }\ncallers:\n  c: { by: [claim.bank./sub, address] }\n\
        rate_limits: { l: { caller: c, rates: [{ requests: 1, per: second }], delegate: {} } }\n";

    struct Files;

    impl Sources for Files {
        fn read(&self, path: &str) -> Result<Vec<u8>, String> {
            let document = "openapi: 3.1.0\ninfo: { title: a, version: '1' }\npaths: {}\n";
            Ok(if path == "policy.yaml" { POLICY } else { document }.into())
        }
    }

    fn told(configuration: &str) -> Vec<(u32, String)> {
        let input = Input::Policy("policy.yaml".to_owned());
        let bytes = compile(&Files, &input, &Release::default()).bundle.unwrap();
        let trust = Trust { keys: Vec::new(), allow_unsigned: true };
        let bundle = Bundle::open(bytes, &trust).unwrap();
        let tree = parse("envoy.yaml", configuration, &mut Diagnostics::default()).unwrap();
        check(&tree, &bundle.view())
    }

    fn configuration(manager: &str, jwt: &str, cluster: &str) -> String {
        format!(
            "static_resources:\n  listeners:\n  - filter_chains:\n    - filters:\n      - typed_config:\n          \
             stat_prefix: main\n{manager}          http_filters:\n{jwt}          - name: portcullis\n            \
             config_discovery: {{ type_urls: [type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm] }}\n  \
             clusters:\n  - name: ratelimit\n    {cluster}\n"
        )
    }

    const TRUSTED: &str = "          use_remote_address: true\n          xff_num_trusted_hops: 1\n";
    const JWT: &str = "          - name: jwt\n            typed_config: { providers: { b: { payload_in_metadata: bank } } }\n";
    const HTTP2: &str = "typed_extension_protocol_options: { h: { explicit_http_config: { http2_protocol_options: {} } } }";

    #[test]
    fn a_gateway_that_believes_clients_is_told_of() {
        assert_eq!(told(&configuration(TRUSTED, JWT, HTTP2)), []);
        let lines = |it: Vec<(u32, String)>| it.into_iter().map(|it| it.0).collect::<Vec<_>>();
        let spoofable = told(&configuration("", JWT, HTTP2));
        assert!(spoofable[0].1.contains("use_remote_address: true"), "{spoofable:?}");
        assert!(spoofable[1].1.contains("`xff_num_trusted_hops` is 0"), "{spoofable:?}");
        assert_eq!(lines(spoofable), [5, 5]);
        let hops = TRUSTED.replace("hops: 1", "hops: 3");
        let told_of = told(&configuration(&hops, JWT, HTTP2));
        assert!(told_of[0].1.ends_with("1: clients choose their address"), "{told_of:?}");
        let unverified = told(&configuration(TRUSTED, "", HTTP2));
        assert!(unverified[0].1.contains("`payload_in_metadata: bank`"), "{unverified:?}");
        let plain = told(&configuration(TRUSTED, JWT, "type: STATIC"));
        assert!(plain[0].1.contains("`http2_protocol_options`"), "{plain:?}");
    }

    #[test]
    fn two_policies_under_one_name_are_told_of() {
        let filter = |name: &str, value: &str| {
            format!(
                "          - name: {name}\n            typed_config:\n              '@type': \
                 type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm\n              config: {{ name: {name}, root_id: p, \
                 configuration: {{ value: '{value}' }} }}\n"
            )
        };
        let two = |first: &str, second: &str| {
            let filters = [JWT, first, second].concat();
            told(&configuration(TRUSTED, &filters, HTTP2))
        };
        assert_eq!(two(&filter("a", "x"), &filter("b", "y")), []);
        assert_eq!(two(&filter("a", "x"), &filter("a", "x")), [], "one policy in two places");
        let same = two(&filter("a", "x"), &filter("a", "y"));
        assert_eq!(same.len(), 1, "{same:?}");
        assert!(same[0].1.contains("has the name `a` and this `root_id` too"), "{same:?}");
    }

    #[test]
    fn what_is_not_there_is_told_of() {
        let nothing = told("static_resources: { clusters: [] }\n");
        assert_eq!(nothing.len(), 2, "{nothing:?}");
        assert!(nothing[0].1.contains("no connection manager"), "{nothing:?}");
        assert!(nothing[1].1.contains("`ratelimit`, which is not among"), "{nothing:?}");
    }
}
