//! A small contract, compiled, signed and served: what the tests of the filter share.
#![allow(dead_code, reason = "each test binary takes what it needs")]

pub mod certificates;
pub mod lines;
pub mod service;

use std::path::{Path, PathBuf};
use std::process::Command;

use data_encoding::BASE64;
use portcullis_integration::http1::{Body, Request};
use portcullis_integration::{Artefacts, Bootstrap, Envoy, Filter, Upstream, envoy, trap};
use serde_json::{Value, json};

pub const DOCUMENT: &str = r##"
openapi: 3.1.0
info: { title: payments, version: "1" }
paths:
  /ping:
    get: { operationId: ping, responses: { "200": { description: ok } } }
  /pay:
    post:
      operationId: pay
      requestBody:
        required: true
        content:
          application/json:
            schema:
              type: object
              additionalProperties: false
              required: [amount]
              properties: { amount: { type: integer, minimum: 1 }, note: { type: string } }
      responses: { "201": { description: made } }
  /note:
    post:
      requestBody: { required: true, content: { application/*: { schema: { type: object } } } }
      responses: { "200": { description: ok } }
  /hop:
    get:
      parameters: [ { name: to, in: query, required: true, schema: { type: string, maxLength: 20 } } ]
      responses: { "302": { description: somewhere else } }
  /bank.Payments/Watch:
    post:
      operationId: watch
      requestBody: { required: true, content: { application/grpc: {} } }
      responses: { "200": { description: a stream } }
"##;

pub const GOOD: &str = r#"{"amount": 3}"#;
pub const BAD: &str = r#"{"amount": 0}"#;

/// A compiled bundle, its key, and the artefacts.
pub struct Setup {
    pub artefacts: Artefacts,
    pub dir: PathBuf,
    pub public_key: String,
}

impl Setup {
    pub fn new() -> Option<Self> {
        let artefacts = Artefacts::find()?;
        let dir = envoy::fresh_dir().unwrap();
        std::fs::write(dir.join("api.yaml"), DOCUMENT).unwrap();
        let mut setup = Self { artefacts, dir, public_key: String::new() };
        let printed = setup.portcullis(&["keygen", "-o", "dev.key"]);
        let key = printed.lines().find_map(|line| line.strip_prefix("public key: "));
        setup.public_key = key.unwrap().trim().to_owned();
        Some(setup)
    }

    pub fn portcullis(&self, arguments: &[&str]) -> String {
        let mut command = Command::new(&self.artefacts.compiler);
        let output = command.current_dir(&self.dir).args(arguments).output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "portcullis {arguments:?}: {errors}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// Compiles the document under a policy of one mode, with further members.
    pub fn compile(&self, mode: &str, epoch: u64, more: &str) -> PathBuf {
        let policy = format!(
            "version: 1\nname: test\nmode: {mode}\nlimits: {{ body: 64KiB }}\n\
             health_probes: [ {{ path: /healthz, methods: [GET] }} ]\n\
             break_glass: {{ permitted: true }}\n{more}\n\
             apis: [ {{ name: pay, documents: [api.yaml] }} ]\n"
        );
        let (policy_file, bundle) =
            (format!("{mode}-{epoch}.yaml"), format!("{mode}-{epoch}.bundle"));
        std::fs::write(self.dir.join(&policy_file), policy).unwrap();
        let epoch = epoch.to_string();
        let arguments = [
            "compile",
            "--policy",
            &policy_file,
            "--key",
            "dev.key",
            "-o",
            &bundle,
            "--epoch",
            &epoch,
        ];
        self.portcullis(&arguments);
        self.dir.join(bundle)
    }

    pub fn filter(&self, bundle: &Path, more: Value) -> Filter {
        let bytes = std::fs::read(bundle).unwrap();
        let mut configuration = json!({
            "bundle": base64(&bytes),
            "trusted_keys": [self.public_key],
            "hold_headers": true,
        });
        if let (Value::Object(all), Value::Object(more)) = (&mut configuration, more) {
            all.extend(more);
        }
        Filter::new(&self.artefacts.filter, configuration.to_string())
    }

    pub fn start(&self, upstream: &Upstream, filter: &Filter) -> Envoy {
        self.start_with(upstream, filter, |bootstrap| bootstrap)
    }

    pub fn start_with(
        &self,
        upstream: &Upstream,
        filter: &Filter,
        change: impl FnOnce(Bootstrap) -> Bootstrap,
    ) -> Envoy {
        let bootstrap = change(Bootstrap::to(upstream.address()).guard().filter(filter));
        Envoy::start(&self.artefacts.envoy, &bootstrap).unwrap()
    }
}

pub fn base64(bytes: &[u8]) -> String {
    BASE64.encode(bytes)
}

pub fn chunked(body: &str, trailers: &[(&str, &str)]) -> Request {
    let own = |text: &str| text.as_bytes().to_vec();
    Request::new("POST", "/pay").header("content-type", "application/json").body(Body::Chunked {
        content: own(body),
        trailers: trailers.iter().map(|(name, value)| (own(name), own(value))).collect(),
    })
}

/// The first log line of that code; null where there is none.
pub fn finding(envoy: &Envoy, code: &str) -> Value {
    lines::parsed(&envoy.log()).find(|line| line["code"] == code).unwrap_or_default()
}

/// The module with a trap in place of one exported function, as if that had panicked.
pub fn trapping(setup: &Setup, export: &str) -> PathBuf {
    let path = setup.dir.join("trapping.wasm");
    trap::write(&setup.artefacts.filter, export, &path).unwrap();
    path
}
