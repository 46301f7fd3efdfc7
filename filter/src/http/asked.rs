//! What a service is asked about a request, and the wait for its answers: bounded by a time-out of Envoy's for each
//! question, and only where headers can be held and the answer may change something.

use super::{Http, Stage, block};
use crate::delegation;
use crate::events::log_findings;
use crate::generation::Served;
use crate::host::Host;
use crate::metrics::{Event, Outcome};
use portcullis_bundle::layout::View;
use portcullis_engine::decision::{Decision, Verdict};
use portcullis_engine::exchange::Progress;
use portcullis_engine::finding::{FindingCode, Position};
use portcullis_engine::limits::{Exceeded, Question, Reply, finding};
use proxy_wasm::types::Action;

/// Bytes of an answer that are read.
const LONGEST: usize = 16 << 10;

/// A question that has no answer yet.
#[derive(Debug)]
pub(super) struct Call {
    token: u32,
    question: Question,
    generation: Served,
}

impl<H: Host> Http<H> {
    /// Asks what the engine wants to be asked, unless the request is refused already. What the engine wants next comes
    /// back: a question that cannot be asked may refuse the request.
    pub(super) fn ask(
        &mut self,
        generation: &Served,
        progress: Option<Progress>,
    ) -> Option<Progress> {
        let questions = self.exchange.as_mut()?.take_questions();
        let mut progress = progress;
        for question in questions {
            if matches!(&progress, Some(Progress::Decided(it)) if it.verdict == Verdict::Block) {
                break;
            }
            let token = self.with_view_of(generation, |view| {
                delegation::ask(&self.vm, &generation.breaker, view, &question.message)
            });
            match token.flatten() {
                Some(token) => {
                    let generation = generation.clone();
                    self.calls.push(Call { token, question, generation });
                }
                None => {
                    if let Some(decision) = self.answered(generation, &question, None) {
                        progress = Some(Progress::Decided(decision));
                    }
                }
            }
        }
        progress
    }

    /// Whether the decision has to wait for an answer.
    pub(super) fn awaits_service(&self) -> bool {
        self.calls.iter().any(|call| call.question.waits)
    }

    /// Waits no longer: the answers that come change nothing.
    #[cold]
    pub(super) fn wait_no_more(&mut self) {
        self.calls.retain(|call| !call.question.waits);
        self.parked = None;
    }

    /// Keeps a decision until the service has answered.
    pub(super) fn park(&mut self, decision: Decision) -> Action {
        self.parked = Some(decision);
        self.stage = Stage::Asking;
        Action::Pause
    }

    /// An answer has come, or word that none will: a gRPC status other than 0.
    #[cold]
    pub fn on_service_answer(&mut self, token: u32, status: u32, size: usize) {
        let Some(at) = self.calls.iter().position(|call| call.token == token) else { return };
        let Call { question, generation, .. } = self.calls.swap_remove(at);
        let reply = (status == 0 && size <= LONGEST)
            .then(|| Reply::read(&self.vm.host.service_answer(size)))
            .flatten();
        delegation::heard(&self.vm, &generation.breaker, reply.is_some());
        let decision = self.answered(&generation, &question, reply);
        if !question.waits {
            return;
        }
        let refuses = |it: &Decision| it.verdict == Verdict::Block;
        match decision {
            Some(decision) if refuses(&decision) => {
                self.wait_no_more();
                self.conclude(decision);
            }
            Some(decision) if self.parked.is_some() => self.parked = Some(decision),
            _ => {}
        }
        if !self.awaits_service()
            && let Some(decision) = self.parked.take().map(|parked| self.unless_revoked(parked))
            && self.conclude(decision) == Action::Continue
        {
            self.vm.host.resume_request();
        }
    }

    /// What was decided, where the answer could still be held to the bundle; a refusal where that was taken away meanwhile.
    fn unless_revoked(&self, parked: Decision) -> Decision {
        if self.generation.as_ref().is_some_and(|generation| generation.has_bundle()) {
            return parked;
        }
        block(FindingCode::PolicyMissing, Position::Message)
    }

    /// Takes an answer, or that there is none. A decision comes back where one is made already, or where it refuses.
    #[cold]
    fn answered(
        &mut self,
        generation: &Served,
        question: &Question,
        reply: Option<Reply>,
    ) -> Option<Decision> {
        let now = self.vm.host.now();
        let exceeded =
            self.with_view_of(generation, |view| question.settled(view, reply, now)).flatten()?;
        if reply.is_some() {
            self.vm.metrics().count_event(Event::LimitServiceRefused, 1);
        }
        if !question.waits {
            self.report_late(generation, question, exceeded);
            return None;
        }
        let mut exchange = self.exchange.take()?;
        let decision = self.with_view_of(generation, |view| exchange.on_exceeded(view, exceeded));
        self.exchange = Some(exchange);
        // Without its bundle a request is refused.
        decision.unwrap_or_else(|| Some(block(FindingCode::PolicyMissing, Position::Message)))
    }

    /// Reports what an answer that nobody waits for says.
    #[cold]
    fn report_late(&self, generation: &Served, question: &Question, exceeded: Exceeded) {
        let decision = Decision {
            verdict: Verdict::Monitor,
            findings: vec![finding(&exceeded)],
            ..Decision::allow(question.operation)
        };
        let metrics = self.vm.metrics();
        decision.findings.iter().for_each(|it| metrics.count_finding(it.code));
        self.with_view_of(generation, |view| {
            log_findings(&self.vm, Some(generation), view, &decision, self.request_id());
        });
    }

    /// Runs a step on a generation's bundle. `None` where the bundle is gone.
    fn with_view_of<T>(&self, generation: &Served, step: impl FnOnce(&View<'_>) -> T) -> Option<T> {
        let bundle = generation.bundle.try_borrow().ok()?;
        Some(step(&bundle.as_ref()?.view()))
    }

    /// A request that ends while it waits.
    pub(super) fn ends_waiting(&mut self) {
        if self.stage == Stage::Asking {
            self.vm.metrics().count(Outcome::Undecided);
        }
        self.calls.clear();
        self.parked = None;
    }
}

#[cfg(test)]
mod tests;
