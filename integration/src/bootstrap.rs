//! Envoy configurations for tests: one base and named modifiers.
//!
//! The base is a listener on a free port of the loopback, a connection manager that leaves paths as
//! they are, one route to one cluster, and the admin interface. It is kept as JSON, which Envoy reads
//! as it reads YAML, so that a modifier can reach any part of it.

use std::net::SocketAddr;
use std::path::Path;

use serde_json::{Value, json};

/// The response header that shows the verdict string of the filter, in tests only.
pub const VERDICT_HEADER: &str = "x-verdict";

const MANAGER: &str = "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager";
const WASM: &str = "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm";
const MANAGER_POINTER: &str =
    "/static_resources/listeners/0/filter_chains/0/filters/0/typed_config";

/// A configuration in the making.
#[derive(Clone, Debug)]
pub struct Bootstrap {
    config: Value,
    concurrency: u32,
}

/// How the wasm filter is attached.
#[derive(Clone, Debug)]
pub struct Filter {
    /// The module.
    pub module: String,
    /// The plugin configuration: a text becomes a StringValue.
    pub configuration: String,
    /// `allow_on_headers_stop_iteration`.
    pub stops_on_headers: bool,
    /// `failure_policy`.
    pub failure_policy: &'static str,
}

impl Filter {
    /// The filter as it is meant to be attached.
    pub fn new(module: &Path, configuration: impl Into<String>) -> Self {
        Self {
            module: module.display().to_string(),
            configuration: configuration.into(),
            stops_on_headers: true,
            failure_policy: "FAIL_RELOAD",
        }
    }

    /// The `typed_config` of the filter.
    pub fn typed_config(&self) -> Value {
        json!({
            "@type": WASM,
            "config": {
                "name": "portcullis",
                "root_id": "portcullis",
                "vm_config": {
                    "runtime": "envoy.wasm.runtime.v8",
                    "vm_id": "portcullis",
                    "code": { "local": { "filename": self.module } },
                },
                "configuration": {
                    "@type": "type.googleapis.com/google.protobuf.StringValue",
                    "value": self.configuration,
                },
                "failure_policy": self.failure_policy,
                "reload_config": { "backoff": { "base_interval": "0.1s" } },
                "allow_on_headers_stop_iteration": self.stops_on_headers,
            },
        })
    }
}

impl Bootstrap {
    /// The base, in front of the given upstream.
    pub fn to(upstream: SocketAddr) -> Self {
        let manager = json!({
            "@type": MANAGER,
            "stat_prefix": "main",
            "codec_type": "AUTO",
            "use_remote_address": true,
            "http_protocol_options": { "enable_trailers": true },
            "request_timeout": "20s",
            "route_config": {
                "virtual_hosts": [{
                    "name": "all",
                    "domains": ["*"],
                    "routes": [{ "match": { "prefix": "/" }, "route": { "cluster": "upstream" } }],
                    "response_headers_to_add": [{
                        "header": {
                            "key": VERDICT_HEADER,
                            "value": "%FILTER_STATE(wasm.portcullis:PLAIN)%",
                        },
                    }],
                }],
            },
            "http_filters": [{
                "name": "envoy.filters.http.router",
                "typed_config": {
                    "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router",
                },
            }],
        });
        let config = json!({
            "node": { "id": "test", "cluster": "test" },
            "admin": { "address": address("127.0.0.1", 0) },
            "static_resources": {
                "listeners": [{
                    "name": "main",
                    "address": address("127.0.0.1", 0),
                    "filter_chains": [{
                        "filters": [{
                            "name": "envoy.filters.network.http_connection_manager",
                            "typed_config": manager,
                        }],
                    }],
                }],
                "clusters": [{
                    "name": "upstream",
                    "type": "STATIC",
                    "connect_timeout": "2s",
                    // What is read at once, beside what is held of an answer, stays below the listener's limit.
                    "per_connection_buffer_limit_bytes": 256 << 10,
                    "typed_extension_protocol_options": {
                        "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                            "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
                            "explicit_http_config": {
                                "http_protocol_options": { "enable_trailers": true },
                            },
                        },
                    },
                    "load_assignment": {
                        "cluster_name": "upstream",
                        "endpoints": [{
                            "lb_endpoints": [{
                                "endpoint": {
                                    "address": address(&upstream.ip().to_string(), upstream.port()),
                                },
                            }],
                        }],
                    },
                }],
            },
        });
        Self { config, concurrency: 1 }
    }

    /// The wasm filter in front of whatever filters were added before.
    #[must_use]
    pub fn filter(self, filter: &Filter) -> Self {
        self.http_filter(json!({ "name": "portcullis", "typed_config": filter.typed_config() }))
    }

    /// The wasm filter from a discovery directory; `default` serves where nothing valid is there.
    #[must_use]
    pub fn filter_from(self, dir: &Path, default: Option<&Filter>) -> Self {
        self.filter_from_file(dir, "portcullis.yaml", default)
    }

    /// The same from a file in binary.
    #[must_use]
    pub fn filter_from_binary(self, dir: &Path) -> Self {
        self.filter_from_file(dir, "portcullis.pb", None)
    }

    fn filter_from_file(self, dir: &Path, file: &str, default: Option<&Filter>) -> Self {
        let mut discovery = json!({
            "config_source": {
                "path_config_source": {
                    "path": dir.join(file),
                    "watched_directory": { "path": dir },
                },
                "resource_api_version": "V3",
                "initial_fetch_timeout": "5s",
            },
            "type_urls": [WASM],
        });
        if let Some(default) = default {
            discovery["default_config"] = default.typed_config();
            discovery["apply_default_config_without_warming"] = json!(false);
        }
        self.http_filter(json!({ "name": "portcullis", "config_discovery": discovery }))
    }

    /// The guard: RBAC that lets pass only what the filter released. Call before [`Self::filter`].
    #[must_use]
    pub fn guard(self) -> Self {
        self.http_filter(json!({
            "name": "guard",
            "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC",
                "rules": {
                    "action": "ALLOW",
                    "policies": {
                        "released": {
                            "permissions": [{ "any": true }],
                            "principals": [{
                                "filter_state": {
                                    "key": "wasm.portcullis_pass",
                                    "string_match": { "exact": "ok" },
                                },
                            }],
                        },
                    },
                },
            },
        }))
    }

    /// Any HTTP filter, in front of those added before.
    #[must_use]
    pub fn http_filter(mut self, filter: Value) -> Self {
        if let Some(Value::Array(filters)) = self.manager().get_mut("http_filters") {
            filters.insert(0, filter);
        }
        self
    }

    /// One more cluster of one address.
    #[must_use]
    pub fn cluster(mut self, name: &str, to: SocketAddr) -> Self {
        if let Value::Array(clusters) = &mut self.config["static_resources"]["clusters"] {
            clusters.push(json!({
                "name": name,
                "type": "STATIC",
                "connect_timeout": "0.5s",
                "load_assignment": {
                    "cluster_name": name,
                    "endpoints": [{ "lb_endpoints": [{
                        "endpoint": { "address": address(&to.ip().to_string(), to.port()) },
                    }] }],
                },
            }));
        }
        self
    }

    /// `per_connection_buffer_limit_bytes` of the listener.
    #[must_use]
    pub fn buffer_limit(mut self, bytes: u32) -> Self {
        self.config["static_resources"]["listeners"][0]["per_connection_buffer_limit_bytes"] =
            json!(bytes);
        self
    }

    /// `proxy_100_continue`.
    #[must_use]
    pub fn proxy_100_continue(mut self) -> Self {
        self.manager()["proxy_100_continue"] = json!(true);
        self
    }

    /// Upgrades to let through, such as `websocket`.
    #[must_use]
    pub fn upgrades(mut self, types: &[&str]) -> Self {
        let configs: Vec<Value> = types.iter().map(|t| json!({ "upgrade_type": t })).collect();
        self.manager()["upgrade_configs"] = json!(configs);
        self
    }

    /// A route for CONNECT, in front of the others, that passes it on to the upstream.
    #[must_use]
    pub fn connect_route(mut self) -> Self {
        let route = json!({
            "match": { "connect_matcher": {} },
            "route": {
                "cluster": "upstream",
                "upgrade_configs": [{ "upgrade_type": "CONNECT" }],
            },
        });
        if let Value::Array(routes) =
            &mut self.manager()["route_config"]["virtual_hosts"][0]["routes"]
        {
            routes.insert(0, route);
        }
        self.upgrades(&["CONNECT"])
    }

    /// Node metadata, where trust can live apart from the bundle.
    #[must_use]
    pub fn node_metadata(mut self, metadata: Value) -> Self {
        self.config["node"]["metadata"] = metadata;
        self
    }

    /// The number of worker threads; 1 in the base.
    #[must_use]
    pub fn workers(mut self, count: u32) -> Self {
        self.concurrency = count;
        self
    }

    /// Talks HTTP/2 to the upstream.
    #[must_use]
    pub fn upstream_http2(mut self) -> Self {
        let options = &mut self.config["static_resources"]["clusters"][0]["typed_extension_protocol_options"]
            ["envoy.extensions.upstreams.http.v3.HttpProtocolOptions"];
        options["explicit_http_config"] = json!({ "http2_protocol_options": {} });
        self
    }

    /// A further cluster, of one address that speaks HTTP/2.
    #[must_use]
    pub fn http2_cluster(mut self, name: &str, to: SocketAddr) -> Self {
        let cluster = json!({
            "name": name,
            "type": "STATIC",
            "connect_timeout": "2s",
            "typed_extension_protocol_options": {
                "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                    "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
                    "explicit_http_config": { "http2_protocol_options": {} },
                },
            },
            "load_assignment": {
                "cluster_name": name,
                "endpoints": [{
                    "lb_endpoints": [{
                        "endpoint": { "address": address(&to.ip().to_string(), to.port()) },
                    }],
                }],
            },
        });
        if let Value::Array(clusters) = &mut self.config["static_resources"]["clusters"] {
            clusters.push(cluster);
        }
        self
    }

    /// Any other change.
    #[must_use]
    pub fn with(mut self, change: impl FnOnce(&mut Value)) -> Self {
        change(&mut self.config);
        self
    }

    /// Any other change to the connection manager.
    #[must_use]
    pub fn with_manager(mut self, change: impl FnOnce(&mut Value)) -> Self {
        change(self.manager());
        self
    }

    /// The configuration as text.
    pub fn text(&self) -> String {
        format!("{:#}", self.config)
    }

    pub(crate) fn concurrency(&self) -> u32 {
        self.concurrency
    }

    fn manager(&mut self) -> &mut Value {
        self.config.pointer_mut(MANAGER_POINTER).expect("the base has a connection manager")
    }
}

fn address(host: &str, port: u16) -> Value {
    json!({ "socket_address": { "address": host, "port_value": port } })
}
