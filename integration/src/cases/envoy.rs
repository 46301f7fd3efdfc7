//! A case sent through Envoy.

use std::path::Path;

use data_encoding::BASE64;
use portcullis_cases::{Case, Observed, Request, Verdict};
use serde_json::{Value, json};

use crate::bootstrap::{Bootstrap, Filter, VERDICT_HEADER};
use crate::envoy::Envoy;
use crate::error::Error;
use crate::http1::{self, Body};
use crate::upstream::Upstream;

/// An Envoy with the filter, the guard behind it, and an upstream that echoes.
#[derive(Debug)]
pub struct Gateway {
    /// The gateway.
    pub envoy: Envoy,
    /// What is behind it.
    pub upstream: Upstream,
}

impl Gateway {
    /// Starts Envoy on a bundle without a signature.
    pub fn start(envoy: &Path, module: &Path, bundle: &[u8]) -> Result<Self, Error> {
        let upstream = Upstream::start()?;
        let filter = Filter::new(module, plugin_configuration(bundle));
        let bootstrap = Bootstrap::to(upstream.address())
            .guard()
            .filter(&filter)
            .connect_route()
            .upgrades(&["websocket", "CONNECT"]);
        Ok(Self { envoy: Envoy::start(envoy, &bootstrap)?, upstream })
    }

    /// Sends the case and compares. What passed must have reached the upstream byte for byte, and
    /// what was refused must not have. Gives the answer too.
    pub fn visit(&self, case: &Case) -> Result<(http1::Response, Vec<String>), Error> {
        self.upstream.take();
        let response = wire_request(&case.request).send(self.envoy.address())?;
        let mut observed = observe(&response);
        if case.expect.at.is_some() || case.expect.line.is_some() {
            self.trace(&response, &mut observed);
        }
        let mut differences = case.expect.differences(&observed);
        let reached = self.upstream.take();
        let passed = case.expect.verdict != Verdict::Block;
        match reached.as_slice() {
            [] if passed => differences.push("the request did not reach the upstream".to_owned()),
            [received] if passed => {
                if received.path.as_bytes() != case.request.path_bytes()
                    && case.request.method != "CONNECT"
                {
                    differences.push(format!("the upstream saw the path `{}`", received.path));
                }
                if received.body != case.request.content().unwrap_or_default() {
                    differences.push("the upstream saw another body".to_owned());
                }
            }
            [] => {}
            more if passed => differences.push(format!("the upstream saw {} requests", more.len())),
            _ => differences.push("the upstream saw a request that was refused".to_owned()),
        }
        Ok((response, differences))
    }

    /// Adds where the documents say so, from the log. What passed has no answer to find it by.
    fn trace(&self, response: &http1::Response, observed: &mut Observed) {
        if observed.verdict != Some(Verdict::Block) {
            return;
        }
        let logged = logged_finding(&self.envoy.log(), response).unwrap_or_default();
        let text = |pointer: &str| logged.pointer(pointer).and_then(Value::as_str);
        observed.traced = true;
        observed.at = text("/origin/document")
            .zip(text("/origin/pointer"))
            .map(|(document, pointer)| format!("{document}#{pointer}"));
        observed.line = logged
            .pointer("/origin/line")
            .and_then(Value::as_u64)
            .and_then(|line| u32::try_from(line).ok());
    }
}

/// The plugin configuration for a bundle without a signature.
pub fn plugin_configuration(bundle: &[u8]) -> String {
    json!({
        "bundle": BASE64.encode(bundle),
        "allow_unsigned": true,
        "hold_headers": true,
        // Every finding is looked at.
        "log_findings_per_second": 1_000_000,
    })
    .to_string()
}

/// The case's request for the wire.
pub fn wire_request(request: &Request) -> http1::Request {
    let body = match request.content() {
        None if request.is_chunked() => Body::Chunked { content: Vec::new(), trailers: Vec::new() },
        None => Body::None,
        Some(content) if request.is_chunked() => Body::Chunked {
            content,
            trailers: request
                .trailers
                .iter()
                .map(|(name, value)| (name.as_bytes().to_vec(), value))
                .collect(),
        },
        Some(content) => Body::Sized(content),
    };
    http1::Request {
        method: request.method.clone().into_bytes(),
        path: request.path_bytes(),
        headers: request
            .sent_headers()
            .into_iter()
            .map(|(name, value)| (name.into_bytes(), value))
            .collect(),
        body,
        cuts: request.cuts.clone(),
    }
}

/// What a response tells: the verdict from the header that the test configuration adds, details from
/// the answer where the policy lets it give them.
pub fn observe(response: &http1::Response) -> Observed {
    let verdict = Observed::of_verdict(&response.header(VERDICT_HEADER).unwrap_or_default());
    let problem = response.json();
    let finding = problem.pointer("/findings/0");
    let text = |name: &str| {
        finding.and_then(|finding| finding.get(name)).and_then(Value::as_str).map(str::to_owned)
    };
    Observed {
        status: (verdict.verdict == Some(Verdict::Block)).then_some(response.status),
        detailed: finding.is_some(),
        pointer: text("pointer"),
        keyword: text("keyword"),
        ..verdict
    }
}

/// The first finding that was logged for the request that this answers.
fn logged_finding(log: &str, response: &http1::Response) -> Option<Value> {
    let problem = response.json();
    let id = problem.get("instance")?.as_str()?.strip_prefix("urn:uuid:")?;
    log.lines()
        .filter(|line| line.contains(id))
        .filter_map(|line| serde_json::from_str::<Value>(line.get(line.find('{')?..)?).ok())
        .find(|line| line["event"] == "finding")
}
