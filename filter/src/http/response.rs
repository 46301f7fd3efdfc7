//! An answer, where rules look at it: held only where what they find in its body may refuse it.

use super::{Http, SLICE, Stage, block};
use crate::answer::{Asked, answer};
use crate::events::{log_audit, log_findings};
use crate::generation::Served;
use crate::headers::Fields;
use crate::host::Host;
use crate::metrics::{Event, Outcome};
use portcullis_bundle::layout::View;
use portcullis_engine::decision::{Decision, Verdict};
use portcullis_engine::exchange::{Awaited, Conditions, Exchange, Progress, ResponseHead};
use portcullis_engine::finding::{FindingCode, Position};
use proxy_wasm::types::Action;

/// The state of an answer.
#[derive(Debug)]
pub(super) struct Response {
    /// That which judged the request.
    generation: Served,
    awaited: Awaited,
    exchange: Option<Box<Exchange>>,
    stage: Stage,
    /// Bytes of the body judged, of those that the host shows now.
    consumed: usize,
    /// Whether refusals are suspended.
    forced: bool,
}

impl Response {
    /// Runs a step of the engine on the bundle. `None` where the bundle is gone.
    fn judge(
        &mut self,
        step: impl FnOnce(&mut Exchange, &View<'_>) -> Progress,
    ) -> Option<Progress> {
        let bundle = self.generation.bundle.try_borrow().ok()?;
        Some(step(self.exchange.as_mut()?, &bundle.as_ref()?.view()))
    }
}

impl<H: Host> Http<H> {
    /// Remembers what the answer is judged by, where rules look at it.
    pub(super) fn await_response(&mut self, decision: Option<&Decision>) {
        if self.response.as_ref().is_some_and(|response| response.stage != Stage::Begun) {
            // The upstream answers before the request has ended.
            return;
        }
        self.response = None;
        let (Some(generation), Some(exchange)) = (&self.generation, &self.exchange) else { return };
        let Ok(bundle) = generation.bundle.try_borrow() else { return };
        let Some(bundle) = bundle.as_ref() else { return };
        let Some(awaited) = exchange.awaits(&bundle.view(), decision) else { return };
        let changeable =
            matches!(self.stage, Stage::Begun | Stage::Held | Stage::Asking) && !self.forced;
        if awaited.asks_identity() && changeable && generation.settings.hold_headers {
            self.vm.host.set_request_header("accept-encoding", "identity");
        }
        self.response = Some(Response {
            generation: generation.clone(),
            awaited,
            exchange: None,
            stage: Stage::Begun,
            consumed: 0,
            forced: false,
        });
    }

    /// The head of the answer.
    pub fn on_response_headers(&mut self, end_of_stream: bool) -> Action {
        self.settle_answer();
        let Some(mut response) = self.response.take() else { return Action::Continue };
        if response.stage != Stage::Begun {
            return Action::Continue;
        }
        let bytes = self.vm.host.response_headers();
        let fields = bytes.as_deref().and_then(Fields::parse);
        response.exchange = Some(self.vm.take_exchange());
        response.forced = response.generation.forces_monitor(|| self.vm.host.now());
        let conditions = Conditions {
            force_monitor: response.forced,
            bodies_unheld: !response.generation.settings.hold_headers,
            mutual_tls: None,
            now: if response.generation.keeps_time { self.seconds() } else { 0 },
            protocol: "",
            client: None,
        };
        let awaited = response.awaited.clone();
        let progress = fields.and_then(|fields| {
            let is_status = |(name, _): &&(&[u8], &[u8])| *name == b":status";
            let status = fields.as_slice().iter().find(is_status).map_or(&b""[..], |(_, it)| it);
            let head = ResponseHead { status, headers: fields.as_slice(), end_of_stream };
            let on_headers = Exchange::on_response_headers;
            response.judge(|exchange, view| on_headers(exchange, view, &awaited, &head, conditions))
        });
        match progress {
            Some(Progress::Body { hold: true }) => {
                response.stage = Stage::Held;
                self.response = Some(response);
                Action::Pause
            }
            Some(Progress::Body { hold: false }) => {
                response.stage = Stage::Streaming;
                self.response = Some(response);
                Action::Continue
            }
            progress => self.conclude_response(response, progress),
        }
    }

    /// The body of the answer as the host shows it: all of it so far while it is held, else a piece.
    pub fn on_response_body(&mut self, size: usize, end_of_stream: bool) -> Action {
        let Some(mut response) = self.response.take() else { return Action::Continue };
        let undecided = matches!(response.stage, Stage::Held | Stage::Streaming);
        while undecided && response.consumed < size {
            let len = size.saturating_sub(response.consumed).min(SLICE);
            let piece = self.vm.host.response_body(response.consumed, len);
            if piece.is_empty() {
                break;
            }
            response.consumed = response.consumed.saturating_add(piece.len());
            match response.judge(|exchange, view| exchange.on_response_body(view, &piece)) {
                Some(Progress::Body { .. }) => {}
                progress => return self.conclude_response(response, progress),
            }
        }
        if end_of_stream && undecided {
            return self.end_response(response);
        }
        let action = match response.stage {
            Stage::Held | Stage::Asking | Stage::Refused => Action::Pause,
            Stage::Begun | Stage::Streaming | Stage::Released => {
                response.consumed = 0;
                Action::Continue
            }
        };
        self.response = Some(response);
        action
    }

    /// The trailers of the answer: it has ended.
    pub fn on_response_trailers(&mut self) -> Action {
        match self.response.take() {
            Some(response) if matches!(response.stage, Stage::Held | Stage::Streaming) => {
                self.end_response(response)
            }
            Some(response) if response.stage == Stage::Refused => {
                self.response = Some(response);
                Action::Pause
            }
            other => {
                self.response = other;
                Action::Continue
            }
        }
    }

    fn end_response(&mut self, mut response: Response) -> Action {
        let progress = response.judge(|exchange, view| exchange.on_response_end(view));
        self.conclude_response(response, progress)
    }

    /// Carries a decision on an answer out. Without one the bundle is gone: what it would have held back is refused.
    fn conclude_response(&mut self, mut response: Response, progress: Option<Progress>) -> Action {
        let mut decision = match progress {
            Some(Progress::Decided(decision)) => decision,
            _ if response.awaited.can_refuse() => {
                block(FindingCode::PolicyMissing, Position::Message)
            }
            _ => Decision::allow(None),
        };
        if decision.verdict == Verdict::Block && response.stage == Stage::Streaming {
            // Headers are gone: an answer now would tear the stream, which no mode asks for.
            decision.verdict = Verdict::Monitor;
        }
        let generation = response.generation.clone();
        let bundle = generation.bundle.try_borrow().ok();
        let bundle = bundle.as_ref().and_then(|bundle| bundle.as_ref());
        let view = bundle.map(|bundle| bundle.view()).unwrap_or_default();
        self.report_response(&response, &view, &decision);
        let refused = decision.verdict == Verdict::Block;
        if refused {
            let asked = Asked { request_id: self.request_id(), grpc: self.grpc };
            answer(&self.vm.host, &view, &decision, asked);
        }
        response.stage = if refused { Stage::Refused } else { Stage::Released };
        if let Some(exchange) = response.exchange.take() {
            self.vm.give_back(exchange);
        }
        // A refused answer may go on coming.
        self.response = refused.then_some(response);
        if refused { Action::Pause } else { Action::Continue }
    }

    /// Counts and logs a decision on an answer, and shows one that refuses, or would, to access logs.
    fn report_response(&self, response: &Response, view: &View<'_>, decision: &Decision) {
        let metrics = self.vm.metrics();
        let name = decision.code().map_or("", FindingCode::name);
        let outcome = match decision.verdict {
            Verdict::Allow | Verdict::Pass => Outcome::Allow,
            Verdict::Block => {
                self.show(&["block:", name]);
                Outcome::Block
            }
            Verdict::Monitor => {
                self.show(&["monitor:", name]);
                Outcome::Monitor
            }
        };
        metrics.count_answer(outcome);
        if response.forced && decision.verdict == Verdict::Monitor {
            metrics.count_event(Event::BreakGlassPassed, 1);
        }
        for finding in &decision.findings {
            metrics.count_finding(finding.code);
        }
        let generation = Some(&response.generation);
        log_findings(&self.vm, generation, view, decision, self.request_id());
        if let Some(exchange) = &response.exchange {
            let fired = (exchange.fired_rules(), self.request_id());
            log_audit(&self.vm, generation, view, decision, fired);
        }
    }

    pub(super) fn forget_response(&mut self) {
        if let Some(exchange) = self.response.take().and_then(|response| response.exchange) {
            self.vm.give_back(exchange);
        }
    }
}
