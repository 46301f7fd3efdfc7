//! One request and its answer: from Envoy's callbacks to the engine, and from its decision to Envoy.
//!
//! Headers are held only where the engine still may refuse by the body; then each body callback shows the
//! whole body so far, and only what is new is judged. The message ends by `end_of_stream` or by trailers.

mod asked;
mod owed;
mod response;

use crate::answer::{Asked, answer};
use crate::events::{log_audit, log_findings};
use crate::generation::Served;
use crate::headers::Fields;
use crate::host::Host;
use crate::metrics::{Event, Outcome};
use crate::root::record;
use crate::vm::Vm;
use asked::Call;
use owed::Owed;
use portcullis_bundle::layout::View;
use portcullis_engine::decision::{Decision, Verdict};
use portcullis_engine::exchange::{Conditions, Exchange, Progress, RequestHead};
use portcullis_engine::finding::{Finding, FindingCode, Position};
use proxy_wasm::types::Action;
use response::Response;
use std::rc::Rc;

/// Filter state that the guard asks for: set when a request is released.
pub const PASS: &str = "portcullis_pass";
/// Filter state with the verdict, for access logs.
pub const VERDICT: &str = "portcullis";
/// Header fields that are the filter's own, and never a client's.
const OWN_HEADERS: &[u8] = b"x-portcullis-";
/// Bytes of a body that are copied out of the host at once.
const SLICE: usize = 64 << 10;
/// Bytes of a UUID as text.
const UUID: usize = 36;

/// How far a request is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Its headers have not come.
    Begun,
    /// Headers and body are held until the decision.
    Held,
    /// Released, and judged as it streams by.
    Streaming,
    /// Decided, and held until a service has answered.
    Asking,
    /// Decided, and released.
    Released,
    /// Decided, and answered.
    Refused,
}

/// The context of one request.
#[derive(Debug)]
pub struct Http<H: Host> {
    vm: Rc<Vm<H>>,
    plugin: Rc<str>,
    /// Until the decision.
    generation: Option<Served>,
    exchange: Option<Box<Exchange>>,
    stage: Stage,
    /// Bytes of the body judged, of those that the host shows now.
    consumed: usize,
    request_id: Option<[u8; UUID]>,
    grpc: bool,
    forced: bool,
    /// The answer, where rules look at it.
    response: Option<Response>,
    /// What limits still count of the request.
    owed: Option<Owed>,
    /// What a service has been asked.
    calls: Vec<Call>,
    /// The decision, while it waits for a service.
    parked: Option<Decision>,
}

impl<H: Host> Http<H> {
    /// A context for a request that a generation judges; without one it is refused.
    pub fn new(vm: Rc<Vm<H>>, plugin: Rc<str>, generation: Option<Served>) -> Self {
        Http {
            vm,
            plugin,
            generation,
            exchange: None,
            stage: Stage::Begun,
            consumed: 0,
            request_id: None,
            grpc: false,
            forced: false,
            response: None,
            owed: None,
            calls: Vec::new(),
            parked: None,
        }
    }

    /// Seconds since 1970.
    fn seconds(&self) -> i64 {
        i64::try_from(self.vm.host.now() / 1_000_000_000).unwrap_or(i64::MAX)
    }

    /// The head of the request.
    pub fn on_request_headers(&mut self, end_of_stream: bool) -> Action {
        self.vm.serves(&self.plugin);
        let bytes = self.vm.host.request_headers();
        let Some(fields) = bytes.as_deref().and_then(Fields::parse) else {
            return self.refuse_without_policy(FindingCode::PathMalformed);
        };
        let seen = self.look_at(fields.as_slice());
        let Some(generation) = self.generation.clone() else {
            return self.refuse_without_policy(FindingCode::PolicyMissing);
        };
        record(&self.vm, &self.plugin, &generation);
        self.forced = generation.forces_monitor(|| self.vm.host.now());
        let conditions = Conditions {
            force_monitor: self.forced,
            bodies_unheld: !generation.settings.hold_headers,
            mutual_tls: if generation.asks_certificate { self.has_certificate() } else { None },
            now: if generation.keeps_time { self.seconds() } else { 0 },
            protocol: if generation.asks_protocol { self.protocol() } else { "" },
            client: if generation.asks_client { self.client() } else { None },
        };
        let head = RequestHead {
            method: seen.method,
            path: seen.path,
            authority: seen.authority,
            headers: fields.as_slice(),
            end_of_stream,
        };
        let mut exchange = self.vm.take_exchange();
        let around = self.around(&generation);
        let progress = self.judge(|view| exchange.on_headers_in(view, &head, conditions, &around));
        self.owe(&generation, &mut exchange);
        self.exchange = Some(exchange);
        match self.ask(&generation, progress) {
            Some(Progress::Body { hold: true }) if end_of_stream => self.end(),
            Some(Progress::Body { hold: true }) if conditions.bodies_unheld => self.stream(),
            Some(Progress::Body { hold: true }) if seen.expects_continue => {
                // The client waits for a 100 that only the upstream could give, and the upstream
                // sees nothing before the body is judged.
                let code = FindingCode::ExpectationUnsupported;
                self.conclude(block(code, Position::Header("expect")))
            }
            Some(Progress::Body { hold: true }) => {
                self.stage = Stage::Held;
                Action::Pause
            }
            Some(Progress::Body { hold: false }) => self.stream(),
            Some(Progress::Decided(decision)) => self.conclude(decision),
            None => self.refuse_without_policy(FindingCode::PolicyMissing),
        }
    }

    /// The body as the host shows it: all of it so far while it is held, else a piece.
    pub fn on_request_body(&mut self, size: usize, end_of_stream: bool) -> Action {
        while self.undecided() && self.consumed < size {
            let len = size.saturating_sub(self.consumed).min(SLICE);
            let piece = self.vm.host.request_body(self.consumed, len);
            if piece.is_empty() {
                break;
            }
            self.consumed = self.consumed.saturating_add(piece.len());
            let Some(mut exchange) = self.exchange.take() else { break };
            let progress = self.judge(|view| exchange.on_body(view, &piece));
            self.exchange = Some(exchange);
            match progress {
                Some(Progress::Decided(decision)) => return self.conclude(decision),
                Some(Progress::Body { .. }) => {}
                None => return self.refuse_without_policy(FindingCode::PolicyMissing),
            }
        }
        if end_of_stream {
            return self.end();
        }
        match self.stage {
            Stage::Held | Stage::Asking | Stage::Refused => Action::Pause,
            Stage::Begun | Stage::Streaming | Stage::Released => {
                self.consumed = 0;
                Action::Continue
            }
        }
    }

    /// The trailers: the message has ended.
    pub fn on_request_trailers(&mut self) -> Action {
        self.end()
    }

    /// The request is over, however it ended.
    pub fn on_log(&mut self) {
        if self.undecided() {
            self.vm.metrics().count(Outcome::Undecided);
        }
        self.ends_waiting();
        self.forget();
        self.forget_response();
        self.settle_end();
    }

    /// Whether the client presented a certificate: Envoy's `connection.mtls`, a boolean of one byte.
    fn has_certificate(&self) -> Option<bool> {
        let value = self.vm.host.property(&["connection", "mtls"])?;
        value.first().map(|byte| *byte != 0)
    }

    /// The version of HTTP that the client speaks; empty where it is not known.
    fn protocol(&self) -> &'static str {
        const KNOWN: [&str; 4] = ["HTTP/1.0", "HTTP/1.1", "HTTP/2", "HTTP/3"];
        let value = self.vm.host.property(&["request", "protocol"]).unwrap_or_default();
        KNOWN.into_iter().find(|known| known.as_bytes() == value).unwrap_or("")
    }

    /// The address that the connection is from.
    fn client(&self) -> Option<core::net::IpAddr> {
        let value = self.vm.host.property(&["source", "address"])?;
        let text = core::str::from_utf8(&value).ok()?;
        text.parse::<core::net::SocketAddr>().ok().map(|address| address.ip())
    }

    fn undecided(&self) -> bool {
        matches!(self.stage, Stage::Held | Stage::Streaming)
    }

    /// Runs a step of the engine on the bundle. `None` where the bundle is gone.
    fn judge(&self, step: impl FnOnce(&View<'_>) -> Progress) -> Option<Progress> {
        let bundle = self.generation.as_ref()?.bundle.try_borrow().ok()?;
        Some(step(&bundle.as_ref()?.view()))
    }

    fn stream(&mut self) -> Action {
        // What is not held cannot be refused either.
        self.wait_no_more();
        self.stage = Stage::Streaming;
        self.await_response(None);
        self.tag_early();
        self.vm.host.set_filter_state(PASS, b"ok");
        Action::Continue
    }

    fn end(&mut self) -> Action {
        match self.stage {
            Stage::Released => return Action::Continue,
            Stage::Asking | Stage::Refused => return Action::Pause,
            Stage::Begun | Stage::Held | Stage::Streaming => {}
        }
        let Some(mut exchange) = self.exchange.take() else { return Action::Continue };
        let Some(generation) = self.generation.clone() else {
            return self.refuse_without_policy(FindingCode::PolicyMissing);
        };
        let around = self.around(&generation);
        let progress = self.judge(|view| exchange.on_end_in(view, &around));
        self.owe(&generation, &mut exchange);
        self.exchange = Some(exchange);
        match self.ask(&generation, progress) {
            Some(Progress::Decided(decision)) => self.conclude(decision),
            _ => self.refuse_without_policy(FindingCode::PolicyMissing),
        }
    }

    /// Carries a decision out, at once or when a service that limits are delegated to has been heard.
    fn conclude(&mut self, mut decision: Decision) -> Action {
        if self.awaits_service() {
            if decision.verdict != Verdict::Block && self.stage != Stage::Streaming {
                return self.park(decision);
            }
            self.wait_no_more();
        }
        if decision.verdict == Verdict::Block && self.stage == Stage::Streaming {
            // Headers are gone: an answer now would tear the stream, which no mode asks for.
            decision.verdict = Verdict::Monitor;
        }
        self.await_response(Some(&decision));
        let generation = self.generation.take();
        let bundle = generation.as_ref().and_then(|generation| generation.bundle.try_borrow().ok());
        let bundle = bundle.as_ref().and_then(|bundle| bundle.as_ref());
        // Where there is nothing to report nobody looks at the bundle any more.
        let is_plain = decision.verdict == Verdict::Allow
            && decision.findings.is_empty()
            && decision.limited.is_empty();
        let view = bundle.filter(|_| !is_plain).map(|bundle| bundle.view()).unwrap_or_default();
        self.report(generation.as_ref(), &view, &decision);
        let action = if decision.verdict == Verdict::Block {
            self.stage = Stage::Refused;
            answer(
                &self.vm.host,
                &view,
                &decision,
                Asked { request_id: self.request_id(), grpc: self.grpc },
            );
            Action::Pause
        } else {
            if self.stage != Stage::Streaming {
                self.tag(&view, &decision.limited);
                self.vm.host.set_filter_state(PASS, b"ok");
            }
            self.stage = Stage::Released;
            Action::Continue
        };
        self.forget();
        action
    }

    /// Counts and logs a decision, and shows it to access logs.
    fn report(&self, generation: Option<&Served>, view: &View<'_>, decision: &Decision) {
        let metrics = self.vm.metrics();
        let code = decision.code();
        let name = code.map_or("", FindingCode::name);
        let outcome = match decision.verdict {
            Verdict::Allow => {
                self.vm.host.set_filter_state(VERDICT, b"allow");
                Outcome::Allow
            }
            Verdict::Block => {
                self.show(&["block:", name]);
                Outcome::Block
            }
            Verdict::Monitor => {
                self.show(&["monitor:", name]);
                Outcome::Monitor
            }
            Verdict::Pass => {
                self.show(&["pass:", passed_as(code)]);
                Outcome::Pass
            }
        };
        metrics.count(outcome);
        if self.forced && decision.verdict == Verdict::Monitor {
            metrics.count_event(Event::BreakGlassPassed, 1);
        }
        for finding in &decision.findings {
            metrics.count_finding(finding.code);
        }
        log_findings(&self.vm, generation, view, decision, self.request_id());
        if let Some(exchange) = &self.exchange {
            let fired = (exchange.fired_rules(), self.request_id());
            log_audit(&self.vm, generation, view, decision, fired);
        }
    }

    fn show(&self, parts: &[&str]) {
        self.vm.host.set_filter_state(VERDICT, parts.concat().as_bytes());
    }

    /// Refuses where no bundle says how: in every mode, since none is known. What streams by already is told only.
    fn refuse_without_policy(&mut self, code: FindingCode) -> Action {
        self.conclude(block(code, Position::Message))
    }

    fn forget(&mut self) {
        self.generation = None;
        if let Some(exchange) = self.exchange.take() {
            self.vm.give_back(exchange);
        }
    }

    fn request_id(&self) -> Option<&str> {
        core::str::from_utf8(self.request_id.as_ref()?).ok()
    }

    /// Finds what the head says, and removes what only the filter may say.
    fn look_at<'a>(&mut self, fields: &[(&'a [u8], &'a [u8])]) -> Seen<'a> {
        let mut seen = Seen::default();
        for (name, value) in fields {
            match *name {
                b":method" => seen.method = value,
                b":path" => seen.path = value,
                b":authority" => seen.authority = value,
                b"host" if seen.authority.is_empty() => seen.authority = value,
                b"expect" => seen.expects_continue |= value.eq_ignore_ascii_case(b"100-continue"),
                b"content-type" => self.grpc = value.starts_with(b"application/grpc"),
                b"x-request-id" => self.request_id = uuid(value),
                name if name.starts_with(OWN_HEADERS) => self.vm.host.remove_request_header(name),
                _ => {}
            }
        }
        seen
    }
}

/// What the filter itself reads of a head.
#[derive(Default)]
struct Seen<'a> {
    method: &'a [u8],
    path: &'a [u8],
    authority: &'a [u8],
    expects_continue: bool,
}

fn block(code: FindingCode, position: Position) -> Decision {
    Decision {
        verdict: Verdict::Block,
        status: code.status(),
        findings: vec![Finding::new(code, position)],
        operation: None,
        allow: None,
        limited: Vec::new(),
    }
}

/// The reason of a pass, in the verdict string.
fn passed_as(code: Option<FindingCode>) -> &'static str {
    match code {
        Some(FindingCode::ProbeBypass) => "probe",
        Some(FindingCode::Preflight) => "preflight",
        _ => "stream",
    }
}

/// A request id as Envoy makes them. What a client made up is not repeated in logs and answers.
fn uuid(value: &[u8]) -> Option<[u8; UUID]> {
    let bytes: &[u8; UUID] = value.try_into().ok()?;
    let fits = |(at, byte): (usize, &u8)| match at {
        8 | 13 | 18 | 23 => *byte == b'-',
        _ => byte.is_ascii_hexdigit(),
    };
    bytes.iter().enumerate().all(fits).then_some(*bytes)
}

#[cfg(test)]
mod tests;
