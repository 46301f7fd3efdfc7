//! A case sent through Envoy.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use data_encoding::BASE64;
use portcullis_cases::{Case, Observed, Request, Response, Verdict};
use serde_json::{Value, json};

use crate::bootstrap::{Bootstrap, Filter, VERDICT_HEADER};
use crate::envoy::{Envoy, parse_version};
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
    /// What the upstream answers next, in pieces; none for an echo.
    next: Arc<Mutex<Option<Vec<Vec<u8>>>>>,
    /// Envoy's version, as numbers.
    version: (u32, u32),
}

impl Gateway {
    /// Starts Envoy on a bundle without a signature.
    pub fn start(envoy: &Path, module: &Path, bundle: &[u8], workers: u32) -> Result<Self, Error> {
        let next: Arc<Mutex<Option<Vec<Vec<u8>>>>> = Arc::default();
        let answers = Arc::clone(&next);
        let upstream = Upstream::answering_in_pieces(move |_| {
            answers.lock().unwrap_or_else(PoisonError::into_inner).clone()
        })?;
        let filter = Filter::new(module, plugin_configuration(bundle));
        let bootstrap = Bootstrap::to(upstream.address())
            .guard()
            .filter(&filter)
            .connect_route()
            .upgrades(&["websocket", "CONNECT"])
            .workers(workers);
        let envoy = Envoy::start(envoy, &bootstrap)?;
        let version = envoy.version()?;
        Ok(Self { envoy, upstream, next, version })
    }

    /// Sends the case and compares. What passed must have reached the upstream byte for byte, and
    /// what was refused must not have. Gives the answer too.
    pub fn visit(&self, case: &Case) -> Result<(http1::Response, Vec<String>), Error> {
        self.send_before(case)?;
        self.upstream.take();
        let answer = case.response.as_ref();
        let is_head = case.request.method == "HEAD";
        *self.next.lock().unwrap_or_else(PoisonError::into_inner) =
            answer.map(|answer| wire_response(answer, is_head));
        let response = wire_request(&case.request).send(self.envoy.address())?;
        if case.method_since.as_deref().is_some_and(|since| self.version < parse_version(since)) {
            let differences = self.refused_by_envoy(&response);
            return Ok((response, differences));
        }
        let mut observed = observe(&response);
        let expect = &case.expect;
        let traced = expect.at.is_some()
            || expect.line.is_some()
            || expect.rule.is_some()
            || expect.limit.is_some();
        // An answer to HEAD has no body that names its finding.
        if traced && !is_head {
            self.trace(&response, &mut observed);
        }
        // What is only reported of an answer stands in the log alone.
        let told = answer.is_none() || case.expect.verdict == Verdict::Block;
        let mut differences = if told { case.expect.differences(&observed) } else { Vec::new() };
        if let Some(answer) = answer {
            let refused = case.expect.verdict == Verdict::Block;
            differences.extend(replaced(answer, &response, refused, is_head));
        }
        let reached = self.upstream.take();
        let passed = case.expect.verdict != Verdict::Block || answer.is_some();
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

    /// What is wrong where Envoy does not know the method: it must answer 400 itself, and ask neither filter nor upstream.
    fn refused_by_envoy(&self, response: &http1::Response) -> Vec<String> {
        let mut wrong = Vec::new();
        if response.status != 400 {
            wrong.push(format!("Envoy does not know the method, and answers {}", response.status));
        }
        if observe(response).verdict.is_some() {
            wrong.push("Envoy does not know the method, and the filter judged it".to_owned());
        }
        if !self.upstream.take().is_empty() {
            wrong.push("Envoy does not know the method, and the upstream got it".to_owned());
        }
        wrong
    }

    /// Sends what came before a case, each over a connection of its own, so that every worker takes some.
    fn send_before(&self, case: &Case) -> Result<(), Error> {
        for before in &case.before {
            let answer = Response { status: before.status, ..Response::default() };
            let answer = (before.status != 200).then(|| wire_response(&answer, false));
            *self.next.lock().unwrap_or_else(PoisonError::into_inner) = answer;
            let request = wire_request(before.request.as_ref().unwrap_or(&case.request));
            for _ in 0..before.times {
                request.send(self.envoy.address())?;
            }
        }
        Ok(())
    }

    /// Adds where the documents say so, and which rule fired, from the log. What passed has no answer to find it by.
    fn trace(&self, response: &http1::Response, observed: &mut Observed) {
        if observed.verdict != Some(Verdict::Block) {
            return;
        }
        let logged = logged_finding(&self.envoy.log(), response).unwrap_or_default();
        let text = |pointer: &str| logged.pointer(pointer).and_then(Value::as_str);
        observed.traced = true;
        observed.rule = text("/rule/id").map(str::to_owned);
        observed.limit = text("/limit/name").map(str::to_owned);
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

/// The upstream's answer of a case on the wire: the head, then the pieces of the body.
fn wire_response(answer: &Response, is_head: bool) -> Vec<Vec<u8>> {
    let content = answer.content();
    let mut head = format!("HTTP/1.1 {} Case\r\n", answer.status).into_bytes();
    let mut field = |name: &str, value: &[u8]| {
        head.extend([name.as_bytes(), b": ", value, b"\r\n"].concat());
    };
    answer.sent_headers().iter().for_each(|(name, value)| field(name, value));
    let chunked = answer.is_chunked();
    let length = content.as_ref().map_or(0, Vec::len);
    if chunked {
        field("transfer-encoding", b"chunked");
    } else if !matches!(answer.status, 204 | 304) || content.is_some() {
        field("content-length", length.to_string().as_bytes());
    }
    head.extend_from_slice(b"\r\n");
    let mut pieces = vec![head];
    let content = content.filter(|_| !is_head).unwrap_or_default();
    let mut from = 0;
    for to in answer.cuts.iter().copied().chain([content.len()]) {
        let piece = &content[from..to.clamp(from, content.len())];
        from += piece.len();
        if !piece.is_empty() && chunked {
            let size = format!("{:x}\r\n", piece.len());
            pieces.push([size.as_bytes(), piece, b"\r\n"].concat());
        } else if !piece.is_empty() {
            pieces.push(piece.to_vec());
        }
    }
    if chunked && !is_head {
        let mut end = b"0\r\n".to_vec();
        for (name, value) in answer.trailers.iter() {
            end.extend([name.as_bytes(), b": ", &value, b"\r\n"].concat());
        }
        end.extend_from_slice(b"\r\n");
        pieces.push(end);
    }
    pieces
}

/// What is wrong with what the client got for an answer: it must be the upstream's, or nothing of it.
fn replaced(answer: &Response, got: &http1::Response, refused: bool, is_head: bool) -> Vec<String> {
    let mut wrong = Vec::new();
    let content = answer.content().filter(|_| !is_head).unwrap_or_default();
    let own = ["content-type", "content-length", "date", "server"];
    for (name, value) in answer.headers.iter().filter(|(name, _)| !own.contains(name)) {
        let there = got.headers.iter().any(|(n, v)| n.eq_ignore_ascii_case(name) && *v == value);
        if there == refused {
            wrong.push(format!("the client got `{name}`: {there}"));
        }
    }
    let holds = |part: &[u8]| got.body.windows(part.len()).any(|window| window == part);
    if refused {
        if content.chunks_exact(8).any(holds) {
            wrong.push("the client got a part of the body".to_owned());
        }
    } else if got.status != answer.status || got.body != content {
        wrong.push(format!("the client got {} {:?}", got.status, got.text()));
    }
    wrong
}

/// The last finding on an answer in a log.
pub fn observe_answer(lines: impl Iterator<Item = Value>) -> Observed {
    let on_answers = lines.filter(|line| line["direction"] == "outbound");
    let mut findings: Vec<Value> = on_answers.collect();
    let verdict = |line: &Value| match line["verdict"].as_str() {
        Some("block") => Verdict::Block,
        Some("monitor") => Verdict::Monitor,
        _ => Verdict::Allow,
    };
    if findings.is_empty() {
        return Observed { verdict: Some(Verdict::Allow), ..Observed::default() };
    }
    let first = findings.remove(0);
    let text = |pointer: &str| first.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
    Observed {
        verdict: Some(verdict(&first)),
        code: text("/code"),
        detailed: true,
        pointer: text("/pointer"),
        traced: true,
        rule: text("/rule/id"),
        ..Observed::default()
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
