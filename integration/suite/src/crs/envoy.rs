//! Tests sent through a real Envoy with the filter: the bytes that a test writes, on a connection of its own, to a
//! backend that answers as tests expect it. What fired is read from the filter's audit lines.

use super::case::{Case, Told};
use super::gateway::Gateway;
use super::message::Message;
use portcullis_integration::http1::Connection;
use portcullis_integration::upstream::Received;
use portcullis_integration::{Bootstrap, Envoy, Filter, Upstream};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

/// How long a test waits for an answer: Envoy gives none where a body stays shorter than was said.
const PATIENCE: Duration = Duration::from_secs(2);
/// Longer than Envoy keeps lines of its access log back.
const UNTIL_WRITTEN: Duration = Duration::from_millis(150);
/// What begins a line of the access log.
const ACCESS: &str = "via-envoy: ";

/// An Envoy with the rules.
pub struct Via {
    envoy: Envoy,
    upstream: Upstream,
    /// What of the last request reached the upstream.
    reached: Option<Received>,
    /// How far its log has been read.
    read: u64,
}

impl Via {
    /// Starts it.
    ///
    /// # Errors
    /// Why it does not start.
    pub fn start(gateway: &Gateway, envoy: &Path, module: &Path) -> Result<Via, String> {
        let upstream = Upstream::answering(|it| Some(answer(it))).map_err(|it| it.to_string())?;
        let bundle = data_encoding::BASE64.encode(gateway.bytes());
        let configuration = json!({
            "bundle": bundle, "allow_unsigned": true, "hold_headers": true,
            "log_audit": true, "log_findings_per_second": 1_000_000,
        });
        let filter = Filter::new(module, configuration.to_string());
        let bootstrap = Bootstrap::to(upstream.address())
            .filter(&filter)
            .with_manager(settings)
            .connect_route()
            .upgrades(&["websocket", "CONNECT"]);
        let envoy = Envoy::start(envoy, &bootstrap).map_err(|error| error.to_string())?;
        Ok(Via { envoy, upstream, reached: None, read: 0 })
    }

    /// Sends a test.
    ///
    /// # Errors
    /// The log cannot be read.
    pub fn send(&mut self, case: &Case) -> Result<Told, String> {
        let status = self.exchange(case);
        self.reached = self.upstream.take().pop();
        let log = self.fresh()?;
        let fired: BTreeSet<u32> = log.lines().flat_map(fired).collect();
        Ok(Told { fired, status: Some(status.unwrap_or(0)) })
    }

    /// What Envoy did with the last request: its answer, or the header fields that it did not hand on.
    ///
    /// # Errors
    /// The log cannot be read.
    pub fn why(&mut self, case: &Case) -> Result<String, String> {
        let Some(reached) = &self.reached else {
            std::thread::sleep(UNTIL_WRITTEN);
            let log = self.fresh()?;
            let last = log.lines().rfind(|line| line.starts_with(ACCESS));
            return Ok(last.map_or("no answer", |line| &line[ACCESS.len()..]).to_owned());
        };
        let reached_as = |(name, value): &&(String, Vec<u8>)| {
            !reached.headers.iter().any(|(other, it)| other == name && it == value)
        };
        let changed = case.message.headers.iter().filter(reached_as);
        let changed: Vec<String> = changed.map(|(name, _)| format!("`{name}`")).collect();
        Ok(format!("does not hand on as sent: {}", changed.join(", ")))
    }

    fn exchange(&self, case: &Case) -> Option<u16> {
        let mut connection = Connection::open(self.envoy.address()).ok()?;
        connection.set_patience(PATIENCE).ok()?;
        // An answer may come before all is written.
        let _ = connection.write(&case.wire);
        let method = case.message.method.as_bytes();
        connection.receive(method).ok().map(|answer| answer.status)
    }

    fn fresh(&mut self) -> Result<String, String> {
        let (log, end) = self.envoy.log_from(self.read).map_err(|error| error.to_string())?;
        self.read = end;
        Ok(log)
    }
}

/// What a gateway that lets old and odd clients through would set, and an access log that says why others are not.
fn settings(manager: &mut Value) {
    manager["http_protocol_options"] = json!({
        "enable_trailers": true, "accept_http_10": true, "default_host_for_http_10": "localhost",
        "allow_custom_methods": true,
    });
    manager["access_log"] = json!([{
        "name": "stdout",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.access_loggers.stream.v3.StdoutAccessLog",
            "log_format": { "text_format_source": {
                "inline_string": format!("{ACCESS}%RESPONSE_CODE% %RESPONSE_CODE_DETAILS%\n"),
            } },
        },
    }]);
}

/// The rules that a line of the log says have fired.
fn fired(line: &str) -> Vec<u32> {
    let Some(at) = line.find("{\"portcullis\":1,\"event\":\"audit\"") else { return Vec::new() };
    let said: Value = serde_json::from_str(&line[at..]).unwrap_or_default();
    let messages = said["transaction"]["messages"].as_array().cloned().unwrap_or_default();
    let ids = messages.iter().filter_map(|it| it["details"]["ruleId"].as_str()?.parse().ok());
    ids.collect()
}

/// What the backend answers: what a request to `/reflect` asks for, else nothing.
fn answer(received: &Received) -> Vec<u8> {
    let message =
        Message { uri: received.path.clone(), body: received.body.clone(), ..Message::default() };
    let answer = message.answer().unwrap_or_default();
    let mut out = format!("HTTP/1.1 {} Test\r\n", answer.status).into_bytes();
    for (name, value) in answer.headers.iter().filter(|(name, _)| name != "content-length") {
        out.extend(format!("{name}: {value}\r\n").bytes());
    }
    out.extend(format!("content-length: {}\r\n\r\n", answer.body.len()).bytes());
    if received.method != "HEAD" {
        out.extend(answer.body);
    }
    out
}
