//! Judging limits: those that the head of a request decides, and those that wait for its body.

use super::{Exchange, Outcome, Progress, RequestHead, State};
use crate::decision::{Decision, Verdict};
use crate::limits::{self, Exceeded, Owed, Question, Request, Surroundings};
use core::net::IpAddr;
use portcullis_bundle::layout::{Action, LimitMode, View};

/// What of the head limits need that look at the body.
#[derive(Debug, Default)]
pub(super) struct Awaiting {
    headers: Vec<(Vec<u8>, Vec<u8>)>,
    query: Vec<u8>,
    client: Option<IpAddr>,
    operation: Option<u32>,
}

impl Awaiting {
    /// Copies it: the head is gone when the body has come.
    fn keep(&mut self, head: &RequestHead<'_>, request: &Request<'_>) {
        self.headers.clear();
        let all = head.headers.iter().map(|(name, value)| (name.to_vec(), value.to_vec()));
        self.headers.extend(all);
        self.query = request.query.to_vec();
        (self.client, self.operation) = (request.client, request.operation);
    }

    /// Gives up what a request has left whose body never came to its end.
    pub(super) fn clear(&mut self) {
        if !self.headers.is_empty() {
            *self = Self::default();
        }
    }
}

impl Exchange {
    /// Judges the limits that the head decides. True where one refuses the request.
    pub(super) fn judge_limits(
        &mut self,
        view: &View<'_>,
        head: &RequestHead<'_>,
        query: &[u8],
        operation: Option<u32>,
        client: Option<IpAddr>,
        around: &dyn Surroundings,
    ) -> bool {
        if view.limit_lists.is_empty() {
            return false;
        }
        let enforced = self.findings.can_refuse();
        let headers = head.headers;
        let request = Request { headers, query, client, operation, body: None, enforced };
        let exceeded = limits::judge(view, &request, self.owed(), around);
        let refused = self.exceed(exceeded);
        self.picks.begin(view, operation);
        if !refused && !self.picks.is_empty() {
            self.awaiting.keep(head, &request);
        }
        refused
    }

    /// Judges the limits that look at the body, once nothing more is going to be read of it, and joins what they find to
    /// the decision.
    pub(super) fn judge_late_limits(
        &mut self,
        view: &View<'_>,
        outcome: &mut Outcome,
        around: &dyn Surroundings,
    ) {
        let Outcome::Decided(decision) = outcome else { return };
        let picks = core::mem::take(&mut self.picks);
        if picks.is_empty() || decision.verdict == Verdict::Block {
            return;
        }
        let awaiting = core::mem::take(&mut self.awaiting);
        let headers: Vec<(&[u8], &[u8])> =
            awaiting.headers.iter().map(|(name, value)| (&name[..], &value[..])).collect();
        let request = Request {
            headers: &headers,
            query: &awaiting.query,
            client: awaiting.client,
            operation: awaiting.operation,
            body: Some(&picks),
            enforced: self.findings.can_refuse(),
        };
        let exceeded = limits::judge(view, &request, self.owed(), around);
        self.join(decision, exceeded);
    }

    /// Where what limits find is noted.
    fn owed(&mut self) -> Owed<'_> {
        let Self { parts, ticket, questions, .. } = self;
        Owed { all: parts, ticket, questions }
    }

    /// What a service is to be asked about the request, which the table of counts has admitted.
    pub fn take_questions(&mut self) -> Vec<Question> {
        core::mem::take(&mut self.questions)
    }

    /// Takes a limit that a service says is exceeded. The decision, where there is one already, or where it refuses the
    /// request.
    #[cold]
    pub fn on_exceeded(&mut self, view: &View<'_>, exceeded: Exceeded) -> Option<Decision> {
        match core::mem::take(&mut self.state) {
            State::Decided(mut decision) => {
                self.join(&mut decision, vec![exceeded]);
                self.state = State::Decided(decision.clone());
                Some(decision)
            }
            State::Body(watch) if self.exceed(vec![exceeded]) => {
                let outcome = self.conclude(view, watch.operation());
                match self.proceed(outcome) {
                    Progress::Decided(decision) => Some(decision),
                    Progress::Body { .. } => None,
                }
            }
            other => {
                self.state = other;
                None
            }
        }
    }

    /// Joins what is exceeded to a decision that was made without it.
    fn join(&mut self, decision: &mut Decision, exceeded: Vec<Exceeded>) {
        if exceeded.is_empty() {
            return;
        }
        self.exceed(exceeded);
        let mut late = self.findings.conclude(decision.operation, None);
        decision.limited.append(&mut self.limited);
        if late.verdict == Verdict::Block || decision.verdict == Verdict::Allow {
            (decision.verdict, decision.status) = (late.verdict, late.status);
            core::mem::swap(&mut decision.findings, &mut late.findings);
        }
        decision.findings.append(&mut late.findings);
    }

    /// Takes a finding for each limit that is exceeded. True where one refuses the request.
    fn exceed(&mut self, mut exceeded: Vec<Exceeded>) -> bool {
        if exceeded.is_empty() {
            return false;
        }
        let mut refuses = false;
        for (at, one) in exceeded.iter().enumerate() {
            let before = exceeded.get(..at).unwrap_or_default();
            if before.iter().any(|it| it.limit == one.limit) {
                continue;
            }
            let finding = limits::finding(one);
            let enforces = one.mode == LimitMode::Enforce;
            self.findings.act(if enforces { Action::Block } else { Action::Monitor }, finding);
            refuses |= enforces && self.findings.can_refuse();
        }
        if !self.findings.can_refuse() {
            // Monitor changes nothing, not even a header field.
            exceeded.iter_mut().for_each(|one| one.mode = LimitMode::Monitor);
        }
        self.limited.extend(exceeded);
        refuses
    }
}
