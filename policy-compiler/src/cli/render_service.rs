//! The cluster by which Envoy reaches a service that limits are delegated to.

use super::render::{RenderError, address, quote};
use portcullis_bundle::layout::View;

/// The cluster as an item of a bootstrap's last list, under the name that the policy gives it; empty where no address is
/// given.
///
/// HTTP/2, since the service speaks gRPC. A question that has waited as long as the policy says is given up by the filter
/// itself; what bounds it here is how long a connection may take, when a dead one is noticed, and how many questions a
/// gateway has under way before it does without.
///
/// # Errors
/// An address that is none, or a bundle that delegates nothing.
pub(super) fn cluster(view: &View<'_>, service: Option<&str>) -> Result<String, RenderError> {
    let Some(value) = service else { return Ok(String::new()) };
    let at = address("--limit-service", value)?.flow();
    let Some(service) = view.limit_services.first() else {
        return Err(RenderError::Argument {
            argument: "--limit-service",
            value: value.to_owned(),
            what: "has nothing to do: the bundle delegates no limits (`limit_service` in the policy)",
        });
    };
    let name = quote(view.text(service.cluster));
    Ok(format!(
        "
    # The rate-limit service. A question is given up after the policy's `limit_service.timeout`.
    - name: {name}
      type: STRICT_DNS
      connect_timeout: 1s
      typed_extension_protocol_options:
        envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
          '@type': type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions
          explicit_http_config:
            http2_protocol_options:
              # A connection on which nothing answers any more is noticed and given up.
              connection_keepalive: {{ interval: 10s, timeout: 2s }}
      # Beyond, questions fail at once, and requests do without an answer, as `on_failure` says.
      circuit_breakers:
        thresholds: [{{ max_connections: 64, max_pending_requests: 1024, max_requests: 1024 }}]
      load_assignment:
        cluster_name: {name}
        endpoints:
          - lb_endpoints:
              - endpoint:
                  address:
                    socket_address: {at}
"
    ))
}

/// What is missing for limits that are delegated.
pub(super) fn note(view: &View<'_>, service: Option<&str>) -> Option<String> {
    let name = view.text(view.limit_services.first().filter(|_| service.is_none())?.cluster);
    Some(format!(
        "limits are delegated to the cluster `{name}`, which is not written: give its address by `--limit-service HOST:PORT`, \
         or add it; without it each gateway counts by itself"
    ))
}

#[cfg(test)]
mod tests {
    use crate::cli::render::{RenderEnvoy, render, tests::options};
    use crate::cli::render_check::check;
    use crate::diag::Diagnostics;
    use crate::source::{Sources, parse};
    use crate::{Input, Release, compile};
    use portcullis_bundle::{Bundle, Trust};

    struct Files(&'static str);

    impl Sources for Files {
        fn read(&self, path: &str) -> Result<Vec<u8>, String> {
            let text = match path {
                "policy.yaml" => format!(
                    "version: 1\nname: p\napis: [{{ name: a, documents: [a.yaml] }}]\ncallers: {{ c: {{ by: \
                     [address] }} }}\n{}rate_limits: {{ l: {{ caller: c, rates: [{{ requests: 1, per: second }}]{} }} }}\n",
                    self.0,
                    if self.0.is_empty() { "" } else { ", delegate: {}" }
                ),
                _ => "openapi: 3.1.0\ninfo: { title: a, version: '1' }\npaths: {}\n".to_owned(),
            };
            Ok(text.into_bytes())
        }
    }

    fn bundle(service: &'static str) -> Vec<u8> {
        let input = Input::Policy("policy.yaml".to_owned());
        compile(&Files(service), &input, &Release::default()).bundle.unwrap()
    }

    const SERVICE: &str = "limit_service: { cluster: rate-limits, domain: bank }\n";

    fn with(limit_service: Option<&str>) -> RenderEnvoy {
        let limit_service = limit_service.map(str::to_owned);
        RenderEnvoy { allow_unsigned: true, limit_service, ..options() }
    }

    #[test]
    fn the_cluster_of_a_service_is_one_that_the_check_takes() {
        let bytes = bundle(SERVICE);
        for is_static in [false, true] {
            let options = RenderEnvoy { is_static, ..with(Some("limits.internal:8081")) };
            let rendered = render(&options, bytes.clone()).unwrap();
            let text = String::from_utf8(rendered.files[0].1.clone()).unwrap();
            assert!(text.contains("{ address: 'limits.internal', port_value: 8081 }"), "{text}");
            assert!(
                rendered.notes.iter().all(|it| !it.contains("delegated")),
                "{:?}",
                rendered.notes
            );
            let tree = parse("envoy.yaml", &text, &mut Diagnostics::default()).unwrap();
            let trust = Trust { keys: Vec::new(), allow_unsigned: true };
            let bundle = Bundle::open(bytes.clone(), &trust).unwrap();
            let told = check(&tree, &bundle.view());
            assert!(told.iter().all(|(_, it)| !it.contains("rate-limits")), "{told:?}");
        }
        let rendered = render(&with(None), bytes).unwrap();
        assert!(rendered.notes.iter().any(|it| it.contains("cluster `rate-limits`")));
        assert!(!String::from_utf8_lossy(&rendered.files[0].1).contains("rate-limits"));
    }

    #[test]
    fn a_service_without_a_limit_for_it_is_refused() {
        let refused = |service, bytes| render(&with(Some(service)), bytes).unwrap_err().to_string();
        assert!(refused("a:1", bundle("")).contains("delegates no limits"));
        assert!(refused("8081", bundle(SERVICE)).contains("is not a host and a port"));
    }
}
