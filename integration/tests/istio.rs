//! Istio's manifests, applied to a gateway's configuration as istiod applies them, in a real Envoy.
//!
//! What istiod and the agent beside Envoy do is stated here in few rules: filters are inserted before the router in order,
//! listener and connection manager are merged, clusters and extension configurations added; a WasmPlugin becomes a filter
//! whose configuration is its `pluginConfig` as JSON text; and an image that is to be pulled becomes a local file.

mod support;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use portcullis_integration::http1::Request;
use portcullis_integration::load::{Load, Shape};
use portcullis_integration::{Bootstrap, Control, Envoy, Upstream, artefacts, envoy};
use serde_json::{Value, json};
use support::{BAD, GOOD, Setup};

const LIMIT: Duration = Duration::from_secs(15);
const ROUTER: &str = "envoy.filters.http.router";

/// The documents of a file of manifests.
fn documents(text: &str) -> Vec<Value> {
    text.split("\n---\n").map(|one| serde_saphyr::from_str(one).unwrap()).collect()
}

fn shipped(name: &str) -> Vec<Value> {
    let path = artefacts::root().join("envoy-config/istio").join(name);
    documents(&std::fs::read_to_string(path).unwrap())
}

/// A gateway in the making.
struct Gateway {
    bootstrap: Bootstrap,
    /// Extension configurations, by name: what istiod would serve.
    extensions: BTreeMap<String, Value>,
    module: PathBuf,
    /// Where they lie, as files.
    served: PathBuf,
}

impl Gateway {
    /// In a mesh that is set up as the README says.
    fn new(setup: &Setup, upstream: &Upstream) -> Self {
        let readme = artefacts::root().join("envoy-config/istio/README.md");
        let readme = std::fs::read_to_string(readme).unwrap();
        let (_, snippet) = readme.split_once("```yaml").unwrap();
        let (snippet, _) = snippet.split_once("```").unwrap();
        let mesh: Value = serde_saphyr::from_str(snippet).unwrap();
        let of = mesh.pointer("/meshConfig/pathNormalization/normalization").unwrap();
        Self::in_mesh(setup, upstream, of.as_str().unwrap())
    }

    fn in_mesh(setup: &Setup, upstream: &Upstream, normalization: &str) -> Self {
        let normalizes = match normalization {
            "NONE" => false,
            "BASE" => true,
            other => panic!("no rule for {other}"),
        };
        let bootstrap = Bootstrap::to(upstream.address());
        Self {
            bootstrap: bootstrap.with_manager(|it| it["normalize_path"] = json!(normalizes)),
            extensions: BTreeMap::new(),
            module: setup.artefacts.filter.clone(),
            served: envoy::fresh_dir().unwrap(),
        }
    }

    fn apply(&mut self, documents: &[Value]) {
        // istiod builds WasmPlugins into its own configuration, and then applies EnvoyFilters.
        for plugin in documents.iter().filter(|it| it["kind"] == "WasmPlugin") {
            self.plugin(plugin);
        }
        for filter in documents.iter().filter(|it| it["kind"] == "EnvoyFilter") {
            for patch in filter["spec"]["configPatches"].as_array().unwrap() {
                self.patch(patch);
            }
        }
        for deployment in documents.iter().filter(|it| it["kind"] == "Deployment") {
            let env = &deployment["spec"]["template"]["spec"]["containers"][0]["env"];
            let of = |it: &&Value| it["name"].as_str().unwrap().starts_with("ISTIO_METAJSON_");
            let variable = env.as_array().unwrap().iter().find(of).unwrap();
            let metadata = serde_json::from_str(variable["value"].as_str().unwrap()).unwrap();
            self.change(|bootstrap| bootstrap.node_metadata(metadata));
        }
    }

    fn plugin(&mut self, document: &Value) {
        let name = self.extend(document);
        self.insert(json!({
            "name": name,
            "config_discovery": {
                "config_source": { "ads": {} },
                "type_urls": ["type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm"],
            },
        }));
    }

    /// Makes a WasmPlugin an extension configuration; gives its name.
    fn extend(&mut self, document: &Value) -> String {
        let metadata = &document["metadata"];
        let of = |member: &Value| member.as_str().unwrap().to_owned();
        let name = format!("{}.{}", of(&metadata["namespace"]), of(&metadata["name"]));
        let spec = &document["spec"];
        let mut config = json!({
            "name": name,
            "root_id": spec["pluginName"],
            "vm_config": {
                "runtime": "envoy.wasm.runtime.v8",
                "code": { "remote": { "http_uri": { "uri": spec["url"], "timeout": "30s", "cluster": "_" } } },
            },
            "failure_policy": spec["failStrategy"],
        });
        if spec["pluginConfig"].as_object().is_some_and(|it| !it.is_empty()) {
            config["configuration"] = json!({
                "@type": "type.googleapis.com/google.protobuf.StringValue",
                "value": spec["pluginConfig"].to_string(),
            });
        }
        let wasm = "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm";
        self.extensions.insert(name.clone(), json!({ "@type": wasm, "config": config }));
        name
    }

    fn patch(&mut self, document: &Value) {
        assert_eq!(document["match"]["context"], "GATEWAY");
        let (operation, value) = (&document["patch"]["operation"], &document["patch"]["value"]);
        match document["applyTo"].as_str().unwrap() {
            "HTTP_FILTER" => {
                let filter = &document["match"]["listener"]["filterChain"]["filter"];
                assert_eq!(
                    (operation, &filter["subFilter"]["name"]),
                    (&json!("INSERT_BEFORE"), &json!(ROUTER))
                );
                self.insert(value.clone());
            }
            "EXTENSION_CONFIG" => {
                assert_eq!(operation, "ADD");
                let name = value["name"].as_str().unwrap().to_owned();
                self.extensions.insert(name, value["typed_config"].clone());
            }
            "NETWORK_FILTER" => {
                assert_eq!(operation, "MERGE");
                let value = value["typed_config"].clone();
                self.change(|it| it.with_manager(|manager| merge(manager, &value)));
            }
            "LISTENER" => {
                assert_eq!(operation, "MERGE");
                let value = value.clone();
                self.change(|it| {
                    it.with(|all| merge(&mut all["static_resources"]["listeners"][0], &value))
                });
            }
            "CLUSTER" => {
                assert_eq!(operation, "ADD");
                let value = value.clone();
                self.change(|it| {
                    it.with(|all| {
                        all["static_resources"]["clusters"].as_array_mut().unwrap().push(value)
                    })
                });
            }
            other => panic!("no rule for {other}"),
        }
    }

    /// Right before the router, behind what is there.
    fn insert(&mut self, filter: Value) {
        self.change(|it| {
            it.with_manager(|manager| {
                let filters = manager["http_filters"].as_array_mut().unwrap();
                filters.insert(filters.len() - 1, filter);
            })
        });
    }

    fn change(&mut self, change: impl FnOnce(Bootstrap) -> Bootstrap) {
        self.bootstrap = change(self.bootstrap.clone());
    }

    /// Renames the extension configurations over the files that Envoy watches, where istiod would push them.
    fn serve(&self) {
        for (name, typed) in &self.extensions {
            let mut typed = typed.clone();
            pulled(&mut typed, &self.module);
            let beside = self.served.join(format!("{name}.new"));
            std::fs::write(&beside, resource(name, &typed)).unwrap();
            std::fs::rename(&beside, self.served.join(format!("{name}.yaml"))).unwrap();
        }
    }

    fn start(&mut self, binary: &Path) -> Envoy {
        self.serve();
        let dir = self.served.clone();
        self.change(|it| {
            it.with_manager(|manager| {
                for filter in manager["http_filters"].as_array_mut().unwrap() {
                    let path = dir.join(format!("{}.yaml", filter["name"].as_str().unwrap()));
                    let source = &mut filter["config_discovery"]["config_source"];
                    if source["ads"].is_object() {
                        *source = json!({
                            "path_config_source": { "path": path, "watched_directory": { "path": dir } },
                            "resource_api_version": "V3",
                        });
                    } else if filter["config_discovery"]["config_source"].is_null() {
                        filter.as_object_mut().unwrap().remove("config_discovery");
                    }
                }
            })
        });
        Envoy::start(binary, &self.bootstrap).unwrap()
    }
}

/// The agent's part: the image is pulled, and its module is a file.
fn pulled(typed: &mut Value, module: &Path) {
    let code = &mut typed["config"]["vm_config"]["code"];
    let uri = code["remote"]["http_uri"]["uri"].as_str().unwrap();
    assert!(uri.starts_with("oci://"), "{uri}");
    *code = json!({ "local": { "filename": module } });
}

fn resource(name: &str, typed: &Value) -> String {
    let resource = json!({
        "@type": "type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig",
        "name": name,
        "typed_config": typed,
    });
    json!({ "version_info": "1", "resources": [resource] }).to_string()
}

/// As messages are merged: what has its default value is not there to be merged, a `BoolValue` of `false` either.
fn merge(into: &mut Value, from: &Value) {
    let is_default = |value: &Value| [json!(false), json!(0), json!("")].contains(value);
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            for (name, value) in from.iter().filter(|(_, value)| !is_default(value)) {
                merge(into.entry(name).or_insert(Value::Null), value);
            }
        }
        (into, from) => *into = from.clone(),
    }
}

fn rendered(setup: &Setup, bundle: &Path, more: &[&str]) -> Vec<Value> {
    let mut arguments =
        vec!["render", "istio", "--image", "registry.example/filter:1", "--out", "istio"];
    let bundle = bundle.display().to_string();
    arguments.extend(["--trusted-key", &setup.public_key, "--bundle", &bundle]);
    arguments.extend(more);
    setup.portcullis(&arguments);
    let read =
        |name| documents(&std::fs::read_to_string(setup.dir.join("istio").join(name)).unwrap());
    [read("portcullis.yaml"), read("gateway.yaml")].concat()
}

fn status(envoy: &Envoy, request: &Request) -> u16 {
    request.send(envoy.address()).unwrap().status
}

fn serves(envoy: &Envoy) {
    let ready = |envoy: &Envoy| status(envoy, &Request::get("/ping")) == 200;
    envoy.wait_until("the policy", LIMIT, ready).unwrap();
}

#[test]
fn an_envoy_filter_refuses_bodies() {
    let Some(setup) = Setup::new() else { return };
    let upstream = Upstream::start().unwrap();
    let mut gateway = Gateway::new(&setup, &upstream);
    gateway.apply(&rendered(&setup, &setup.compile("enforce", 3, ""), &[]));
    let envoy = gateway.start(&setup.artefacts.envoy);
    serves(&envoy);
    assert_eq!(status(&envoy, &Request::post_json("/pay", GOOD)), 200);
    assert_eq!(status(&envoy, &Request::post_json("/pay", BAD)), 400);
    assert_eq!(status(&envoy, &Request::get("/ping/")), 404);
    // Paths as they were sent.
    assert_eq!(status(&envoy, &Request::get("//ping")), 400);
    assert_eq!(status(&envoy, &Request::get("/pay/../ping")), 400);
    assert!(upstream.take().iter().all(|it| it.path == "/ping" || it.body == GOOD.as_bytes()));
}

#[test]
fn without_the_mesh_setting_the_filter_sees_what_the_upstream_sees() {
    let Some(setup) = Setup::new() else { return };
    let upstream = Upstream::start().unwrap();
    let mut gateway = Gateway::in_mesh(&setup, &upstream, "BASE");
    gateway.apply(&rendered(&setup, &setup.compile("enforce", 3, ""), &[]));
    let envoy = gateway.start(&setup.artefacts.envoy);
    serves(&envoy);
    assert_eq!(status(&envoy, &Request::get("/pay/../ping")), 200);
    assert_eq!(status(&envoy, &Request::get("/ping/../secret")), 404);
    assert!(upstream.take().iter().all(|it| it.path == "/ping"));
}

#[test]
fn a_policy_is_polled_from_the_control_service() {
    let Some(setup) = Setup::new() else { return };
    let upstream = Upstream::start().unwrap();
    let bundle = setup.compile("enforce", 3, "");
    let bytes = std::fs::read(&bundle).unwrap();
    let control = Upstream::answering(move |asked| {
        let head = match asked.path.as_str() {
            "/v1/policies/bank/bundle" => "HTTP/1.1 200 OK\r\netag: \"3\"",
            _ => return None,
        };
        let head = format!("{head}\r\ncontent-length: {}\r\n\r\n", bytes.len());
        Some([head.as_bytes(), &bytes].concat())
    });
    let control = control.unwrap();
    let address = control.address().to_string();
    for more in [&[][..], &["--wasm-plugin"]] {
        let poll = ["--poll", "/v1/policies/bank/bundle", "--control", &address];
        let mut gateway = Gateway::new(&setup, &upstream);
        gateway.apply(&rendered(&setup, &bundle, &[&poll, more].concat()));
        let envoy = gateway.start(&setup.artefacts.envoy);
        serves(&envoy);
        assert_eq!(status(&envoy, &Request::get("/nowhere")), 404);
        let bad = status(&envoy, &Request::post_json("/pay", BAD));
        assert_eq!(bad, if more.is_empty() { 400 } else { 200 });
    }
}

#[test]
fn a_wasm_plugin_refuses_paths_and_reports_bodies() {
    let Some(setup) = Setup::new() else { return };
    let upstream = Upstream::start().unwrap();
    let mut gateway = Gateway::new(&setup, &upstream);
    gateway.apply(&rendered(&setup, &setup.compile("enforce", 3, ""), &["--wasm-plugin"]));
    let envoy = gateway.start(&setup.artefacts.envoy);
    serves(&envoy);
    assert_eq!(status(&envoy, &Request::get("/nowhere")), 404);
    assert_eq!(status(&envoy, &Request::post_json("/pay", GOOD)), 200);
    assert_eq!(status(&envoy, &Request::post_json("/pay", BAD)), 200);
    let counted =
        |envoy: &Envoy| envoy.stat("wasmcustom.portcullis.finding.body-unenforced").unwrap() > 0;
    envoy.wait_until("its report", LIMIT, counted).unwrap();
}

#[test]
fn a_wasm_plugin_is_updated_under_load() {
    let Some(setup) = Setup::new() else { return };
    let upstream = Upstream::start().unwrap();
    let mut gateway = Gateway::new(&setup, &upstream);
    let of = |epoch| rendered(&setup, &setup.compile("enforce", epoch, ""), &["--wasm-plugin"]);
    const WORKERS: u32 = 2;
    gateway.change(|it| it.workers(WORKERS));
    gateway.apply(&of(3));
    let envoy = gateway.start(&setup.artefacts.envoy);
    serves(&envoy);
    let requests = [
        (Request::get("/ping"), 200),
        (Request::get("/nowhere"), 404),
        (Request::post_json("/pay", GOOD), 200),
    ];
    let load = Load::start(envoy.address(), &requests, Shape::default());
    let of_all = |envoy: &Envoy, name: &str| -> Vec<u64> {
        envoy.stats(name).unwrap().into_iter().map(|(_, value)| value).collect()
    };
    // The last is refused, and what serves stays.
    for (epoch, serves) in [(4, 4), (5, 5), (2, 5)] {
        let documents = of(epoch);
        gateway.extend(documents.iter().find(|it| it["kind"] == "WasmPlugin").unwrap());
        gateway.serve();
        let is_told = |envoy: &Envoy| {
            let refused = of_all(envoy, "configuration.refused.epoch-lower");
            let epochs = of_all(envoy, "portcullis.epoch.");
            (epoch == serves || refused == [1])
                && epochs.len() >= WORKERS as usize
                && epochs.iter().all(|it| *it == serves)
        };
        envoy.wait_until("the update", LIMIT, is_told).unwrap();
        std::thread::sleep(Duration::from_millis(300));
    }
    let sent = load.stop();
    assert_eq!((sent.lost, sent.losses), (0, vec![]));
    assert!(sent.answered.len() > 100);
}

#[test]
fn the_manifests_as_they_stand_refuse_everything() {
    let Some(setup) = Setup::new() else { return };
    let upstream = Upstream::start().unwrap();
    let guard = shipped("wasmplugin.yaml").pop().unwrap();
    let mut gateway = Gateway::new(&setup, &upstream);
    gateway.apply(&[shipped("wasmplugin-inline.yaml"), vec![guard]].concat());
    let envoy = gateway.start(&setup.artefacts.envoy);
    assert_eq!(status(&envoy, &Request::get("/ping")), 503);
    assert!(upstream.take().is_empty());
}

#[test]
fn a_config_map_replaces_the_policy_by_a_swap_of_symlinks() {
    let Some(setup) = Setup::new() else { return };
    let upstream = Upstream::start().unwrap();
    let manifests = shipped("configmap.yaml");
    let mounted = envoy::fresh_dir().unwrap();
    let own = manifests[0]["data"]["portcullis.yaml"].as_str().unwrap();
    swap(
        &mounted,
        "first",
        &own.replace(
            "/etc/portcullis/module/plugin.wasm",
            &setup.artefacts.filter.display().to_string(),
        ),
    );
    let mut gateway = Gateway::new(&setup, &upstream);
    gateway.apply(&manifests);
    let module = setup.artefacts.filter.clone();
    gateway.change(|it| {
        let trust =
            json!({ "portcullis": { "trusted_keys": [setup.public_key], "hold_headers": true } });
        it.node_metadata(trust).with_manager(|manager| {
            let discovery = &mut manager["http_filters"][0]["config_discovery"];
            let source = &mut discovery["config_source"]["path_config_source"];
            source["path"] = json!(mounted.join("portcullis.yaml"));
            source["watched_directory"]["path"] = json!(mounted);
            let code = &mut discovery["default_config"]["config"]["vm_config"]["code"];
            assert_eq!(code["local"]["filename"], "/etc/portcullis/module/plugin.wasm");
            code["local"]["filename"] = json!(module);
        })
    });
    let envoy = gateway.start(&setup.artefacts.envoy);
    assert_eq!(status(&envoy, &Request::get("/ping")), 503);
    // What README.md says to make the ConfigMap of.
    for (epoch, mode, expected) in [("3", "enforce", 400), ("4", "monitor", 200)] {
        let bundle = setup.compile(mode, epoch.parse().unwrap(), "").display().to_string();
        let wasm = setup.artefacts.filter.display().to_string();
        let arguments =
            ["render", "envoy", "--bundle", &bundle, "--wasm", &wasm, "--out", "gateway"];
        setup.portcullis(
            &[&arguments[..], &["--text", "--trusted-key", &setup.public_key]].concat(),
        );
        let file = setup.dir.join("gateway/filter/portcullis.yaml");
        swap(&mounted, epoch, &std::fs::read_to_string(file).unwrap());
        let served = |envoy: &Envoy| status(envoy, &Request::post_json("/pay", BAD)) == expected;
        envoy.wait_until("the swapped policy", LIMIT, served).unwrap();
    }
}

/// Replaces the file as Kubernetes does: a new directory, then `..data` renamed to point to it.
fn swap(mounted: &Path, version: &str, content: &str) {
    let dir = mounted.join(format!("..{version}"));
    std::fs::create_dir_all(&dir).unwrap();
    std::fs::write(dir.join("portcullis.yaml"), content).unwrap();
    let fresh = mounted.join("..data_tmp");
    std::os::unix::fs::symlink(&dir, &fresh).unwrap();
    std::fs::rename(&fresh, mounted.join("..data")).unwrap();
    let link = mounted.join("portcullis.yaml");
    if !link.is_symlink() {
        std::os::unix::fs::symlink("..data/portcullis.yaml", link).unwrap();
    }
}

/// The service's command as the manifest has it, its probes, and that the gateways' manifests lead to it.
#[test]
fn the_control_service_runs_as_its_manifest_says() {
    let Some(setup) = Setup::new() else { return };
    let all = shipped("control.yaml");
    let of = |kind: &str| all.iter().find(|it| it["kind"] == kind).unwrap();
    let container = &of("Deployment")["spec"]["template"]["spec"]["containers"][0];
    let command = container["command"].as_array().unwrap();
    let words: Vec<&str> = command.iter().map(|it| it.as_str().unwrap()).collect();
    assert_eq!(words[..2], ["portcullis", "serve"]);
    // Where things are is the harness's, and lies on the mounted folders in the manifest.
    let (mut options, mut places) = (Vec::new(), BTreeMap::new());
    let mut rest = words[2..].iter().copied();
    while let Some(word) = rest.next() {
        match word {
            "--listen" | "--credentials" | "--database" => {
                places.insert(word, rest.next().unwrap());
            }
            "PUBLIC_KEY" => options.push(setup.public_key.as_str()),
            _ => options.push(word),
        }
    }
    for (flag, mount) in [("--credentials", "credentials"), ("--database", "control")] {
        let mounts = container["volumeMounts"].as_array().unwrap();
        let mount = mounts.iter().find(|it| it["name"] == mount).unwrap();
        assert!(places[flag].starts_with(mount["mountPath"].as_str().unwrap()), "{places:?}");
    }
    let control =
        Control::start(&setup.artefacts.compiler, &envoy::fresh_dir().unwrap(), &options).unwrap();
    for probe in ["readinessProbe", "livenessProbe"] {
        let path = container[probe]["httpGet"]["path"].as_str().unwrap();
        assert_eq!(Request::get(path).send(control.address()).unwrap().status, 200, "{path}");
    }
    let service = of("Service");
    let (name, place) = (&service["metadata"]["name"], &service["metadata"]["namespace"]);
    let port = &service["spec"]["ports"][0]["port"];
    let host = format!("{}.{}.svc", name.as_str().unwrap(), place.as_str().unwrap());
    let to = format!("address: {host}.cluster.local, port_value: {port}");
    assert!(places["--listen"].ends_with(&format!(":{port}")), "{places:?}");
    for name in ["envoyfilter.yaml", "wasmplugin.yaml"] {
        let path = artefacts::root().join("envoy-config/istio").join(name);
        assert!(std::fs::read_to_string(path).unwrap().contains(&to), "{name}: {to}");
    }
}
