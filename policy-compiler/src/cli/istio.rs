//! `portcullis render istio`: Istio's manifests for a bundle, or for a control service that has it.
//!
//! In: a bundle, the image of the filter, and what a gateway is called. Out: files, and what their reader should know. They are
//! those of `envoy-config/istio/` with the values put in.

use super::render::{RenderError, Rendered, Template, buffer_limit, bundle_notes, quote, trust_of};
use clap::Args;
use data_encoding::BASE64;
use portcullis_bundle::Bundle;
use serde_json::{Value, json};
use std::path::PathBuf;

const FILTER: &str = include_str!("../../../envoy-config/istio/envoyfilter.yaml");
const PLUGIN: &str = include_str!("../../../envoy-config/istio/wasmplugin.yaml");
const GATEWAY: &str = include_str!("../../../envoy-config/istio/gateway.yaml");

/// The files written, relative to the output directory.
const MANIFESTS: &str = "portcullis.yaml";
const PATCH: &str = "gateway.yaml";

// Where values go in the templates.
const IMAGE: &str = "registry.example/portcullis-filter:0.1.0";
const NAMESPACE: &str = "namespace: istio-ingress";
const SELECTOR: &str = "istio: ingressgateway";
const POLLED: &str = r#"'{"hold_headers":true,"source":{"cluster":"portcullis-control","path":"/v1/policies/bank/bundle"}}'"#;
const PLUGIN_SOURCE: &str =
    "source: { cluster: portcullis-control, path: /v1/policies/bank/bundle }";
const CONTROL: &str = "{ address: portcullis.portcullis.svc.cluster.local, port_value: 18000 }";
const TRUST: &str =
    r#"'{"portcullis":{"trusted_keys":[],"allow_unsigned":false,"labels":{"tier":"edge"}}}'"#;

/// Bytes of the largest bundle that goes into a Kubernetes object: base64 adds a third, and objects end at about 1 MiB.
pub const LARGEST_INLINE: usize = 700_000;

/// What to write, and where.
#[derive(Args, Clone, Debug)]
pub struct RenderIstio {
    /// The bundle to serve
    #[arg(long, value_name = "FILE")]
    pub bundle: PathBuf,
    /// The filter's image, as `portcullis package` wrote and a registry has it
    #[arg(long, value_name = "REFERENCE")]
    pub image: String,
    /// The directory to write to
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// The namespace of the gateway
    #[arg(long, default_value = "istio-ingress")]
    pub namespace: String,
    /// The label `istio` of the gateway's pods
    #[arg(long, value_name = "LABEL", default_value = "ingressgateway")]
    pub gateway: String,
    /// A public key that bundles are trusted by, in hexadecimal; may be repeated
    #[arg(long = "trusted-key", value_name = "HEX")]
    pub trusted_keys: Vec<String>,
    /// Trust bundles without a signature: for development
    #[arg(long)]
    pub allow_unsigned: bool,
    /// The least epoch that the gateway takes, also after a restart
    #[arg(long, value_name = "N")]
    pub minimum_epoch: Option<u64>,
    /// Let the filter poll this path for the policy, instead of writing the bundle into the manifest
    #[arg(long, value_name = "PATH")]
    pub poll: Option<String>,
    /// Where it is polled from
    #[arg(
        long,
        value_name = "HOST:PORT",
        default_value = "portcullis.portcullis.svc.cluster.local:18000"
    )]
    pub control: String,
    /// Write a WasmPlugin, which cannot hold bodies, in place of an EnvoyFilter
    #[arg(long)]
    pub wasm_plugin: bool,
}

/// Renders and writes the manifests.
///
/// # Errors
/// What cannot be read, rendered or written; nothing is written where rendering fails.
pub fn run(options: &RenderIstio) -> Result<Rendered, RenderError> {
    let bytes = std::fs::read(&options.bundle)
        .map_err(|source| RenderError::Read { path: options.bundle.clone(), source })?;
    render(options, bytes)?.written_to(&options.out)
}

/// Renders the manifests for the bytes of a bundle: the same input gives the same bytes.
///
/// # Errors
/// Arguments that make no sense, a bundle that the gateway would refuse, or one that is too large to be written into a manifest.
pub fn render(options: &RenderIstio, bytes: Vec<u8>) -> Result<Rendered, RenderError> {
    let trust = trust_of(&options.trusted_keys, options.allow_unsigned)?;
    let bundle = Bundle::open(bytes, &trust).map_err(super::render::refused)?;
    if options.poll.is_none() {
        super::render::minimum_epoch(options.minimum_epoch, &bundle)?;
    }
    let size = bundle.as_bytes().len();
    if options.poll.is_none() && size > LARGEST_INLINE {
        return Err(RenderError::TooLarge { size, limit: LARGEST_INLINE });
    }
    let control = super::render::address("--control", &options.control)?.flow();
    let manifests =
        if options.wasm_plugin { plugin(options, &bundle) } else { filter(options, &bundle) };
    let manifests = manifests
        .set_if_there(CONTROL, &control)
        .set(IMAGE, options.image.trim_start_matches("oci://"))
        .set(NAMESPACE, &format!("namespace: {}", quote(&options.namespace)))
        .set(SELECTOR, &format!("istio: {}", quote(&options.gateway)));
    let gateway = Template(GATEWAY.to_owned())
        .without_heading("render istio")
        .set(TRUST, &quote(&json!({ "portcullis": node(options, &bundle) }).to_string()))
        .set(NAMESPACE, &format!("namespace: {}", quote(&options.namespace)))
        .set("istio-ingressgateway", &format!("istio-{}", options.gateway))
        .set(SELECTOR, &format!("istio: {}", quote(&options.gateway)));
    let files = vec![(MANIFESTS, manifests.0.into_bytes()), (PATCH, gateway.0.into_bytes())];
    Ok(Rendered { files, notes: notes(options, &bundle) })
}

/// An EnvoyFilter with everything.
fn filter(options: &RenderIstio, bundle: &Bundle) -> Template {
    let mut settings = json!({ "hold_headers": true });
    policy(options, bundle, &mut settings);
    let template = Template(FILTER.to_owned())
        .without_heading("render istio")
        .set(POLLED, &quote(&settings.to_string()))
        .set("bytes: 1114112", &format!("bytes: {}", buffer_limit(&bundle.view())));
    match options.poll {
        Some(_) => template,
        None => template.cut("    # Where the policy comes from"),
    }
}

/// A WasmPlugin, and an EnvoyFilter for what it cannot say.
fn plugin(options: &RenderIstio, bundle: &Bundle) -> Template {
    let mut settings = json!({});
    policy(options, bundle, &mut settings);
    let member = settings.as_object().and_then(|it| it.iter().next());
    // JSON is YAML's flow style.
    let policy = member.map(|(name, value)| format!("{name}: {value}")).unwrap_or_default();
    let template =
        Template(PLUGIN.to_owned()).without_heading("render istio").set(PLUGIN_SOURCE, &policy);
    match options.poll {
        Some(_) => template,
        None => template.cut("    - applyTo: CLUSTER"),
    }
}

/// Adds the bundle, or where it is polled from.
fn policy(options: &RenderIstio, bundle: &Bundle, settings: &mut Value) {
    match &options.poll {
        Some(path) => settings["source"] = json!({ "cluster": "portcullis-control", "path": path }),
        None => settings["bundle"] = json!(BASE64.encode(bundle.as_bytes())),
    }
}

/// What the node's metadata says of trust.
fn node(options: &RenderIstio, bundle: &Bundle) -> Value {
    let keys: Vec<String> = options.trusted_keys.iter().map(|key| key.to_lowercase()).collect();
    let mut node = json!({ "trusted_keys": keys, "allow_unsigned": options.allow_unsigned });
    if let Some(epoch) = options.minimum_epoch {
        // As text: metadata keeps numbers as f64, and epochs are larger.
        node["minimum_epoch"] = json!(epoch.to_string());
    }
    if !bundle.audience().is_empty() {
        node["audience"] = json!(bundle.audience());
    }
    node
}

fn notes(options: &RenderIstio, bundle: &Bundle) -> Vec<String> {
    let mut notes = vec![format!(
        "patch the gateway first: `kubectl -n {} patch deployment istio-{} --patch-file {PATCH}`; then apply `{MANIFESTS}`",
        options.namespace, options.gateway
    )];
    if options.wasm_plugin {
        notes.push(
            "a WasmPlugin cannot hold bodies: what is wrong with one is reported, not refused; without `--wasm-plugin` it is"
                .to_owned(),
        );
    }
    match &options.poll {
        Some(path) => notes.push(format!(
            "the policy is polled from `{path}`: every request is refused until a bundle is published there"
        )),
        None => notes.push(
            "the bundle stands in the manifest: apply a new one to change it, or use `--poll`".to_owned(),
        ),
    }
    notes.extend(bundle_notes(bundle, options.allow_unsigned));
    notes
}

#[cfg(test)]
mod tests {
    use super::super::render::RenderError;
    use super::super::render::tests::{KEY, bundle, bundle_with_text};
    use super::{LARGEST_INLINE, RenderIstio, render};

    fn options() -> RenderIstio {
        RenderIstio {
            bundle: "policy.bundle".into(),
            image: "oci://registry.bank.example/filter@sha256:00".to_owned(),
            out: "/tmp/istio".into(),
            namespace: "edge".to_owned(),
            gateway: "edge-gateway".to_owned(),
            trusted_keys: vec![KEY.to_owned()],
            allow_unsigned: false,
            minimum_epoch: Some(3),
            poll: None,
            control: "control.edge:8443".to_owned(),
            wasm_plugin: false,
        }
    }

    fn written(options: &RenderIstio) -> (String, String) {
        let rendered = render(options, bundle(true)).unwrap();
        let text = |name| {
            let (_, content) = rendered.files.iter().find(|(n, _)| *n == name).unwrap();
            String::from_utf8(content.clone()).unwrap()
        };
        (text("portcullis.yaml"), text("gateway.yaml"))
    }

    #[test]
    fn values_stand_in_the_manifests() {
        for wasm_plugin in [false, true] {
            let (manifests, gateway) = written(&RenderIstio { wasm_plugin, ..options() });
            for expected in [
                "oci://registry.bank.example/filter@sha256:00",
                "namespace: 'edge'",
                "istio: 'edge-gateway'",
                "UE9SVENMSV",
            ] {
                assert!(manifests.contains(expected), "{expected}\n{manifests}");
            }
            for template in
                ["registry.example", "istio-ingress", "portcullis-control", "/v1/policies"]
            {
                assert!(!manifests.contains(template), "{template}\n{manifests}");
            }
            for expected in [KEY, r#""minimum_epoch":"3""#, r#""audience":"it''s""#] {
                assert!(gateway.contains(expected), "{expected}\n{gateway}");
            }
            assert!(!gateway.contains("volume"), "{gateway}");
        }
    }

    #[test]
    fn a_policy_that_is_polled_is_not_in_the_manifests() {
        for wasm_plugin in [false, true] {
            let poll = Some("/v1/policies/edge/bundle".to_owned());
            let (manifests, _) = written(&RenderIstio { wasm_plugin, poll, ..options() });
            assert!(manifests.contains("/v1/policies/edge/bundle"), "{manifests}");
            assert!(manifests.contains("{ address: 'control.edge', port_value: 8443 }"));
            assert!(!manifests.contains("UE9SVENMSV"), "{manifests}");
        }
    }

    #[test]
    fn only_the_envoy_filter_holds_bodies() {
        let (filter, _) = written(&options());
        assert!(filter.contains("allow_on_headers_stop_iteration: true"), "{filter}");
        assert!(filter.contains(r#""hold_headers":true"#), "{filter}");
        let (plugin, _) = written(&RenderIstio { wasm_plugin: true, ..options() });
        assert!(plugin.contains("hold_headers: false"), "{plugin}");
    }

    #[test]
    fn a_bundle_too_large_for_an_object_points_elsewhere() {
        let large = bundle_with_text(LARGEST_INLINE);
        for wasm_plugin in [false, true] {
            let options = RenderIstio { wasm_plugin, ..options() };
            let error = render(&options, large.clone()).unwrap_err();
            assert!(matches!(error, RenderError::TooLarge { .. }));
            let text = error.to_string();
            for way in ["--poll", "xDS", "volume"] {
                assert!(text.contains(way), "{text}");
            }
            let poll = Some("/p".to_owned());
            assert!(render(&RenderIstio { poll, ..options }, large.clone()).is_ok());
        }
    }

    #[test]
    fn what_a_gateway_would_refuse_is_not_rendered() {
        let strange = RenderIstio { trusted_keys: vec!["00".repeat(32)], ..options() };
        assert!(render(&strange, bundle(true)).is_err());
        assert!(render(&options(), bundle(false)).is_err());
    }
}
