//! One request's way through the engine: headers, body chunks, end; then, where rules look at it, its answer's.
//!
//! In: a bundle's view and the parts of a message as they arrive. Out: a [`Decision`], once. What
//! was judged may be forgotten: nothing is rewound, and the decision does not depend on how the
//! body was cut.

mod body;
mod fields;
mod findings;
mod head;
mod limited;
mod response;
mod scan;

pub(crate) use findings::Findings;
pub use response::{Awaited, ResponseHead};
pub(crate) use scan::kind_by_type;

use crate::attack::Scanner;
use crate::attack::Shared;
use crate::body::Bodies;
use crate::decision::{Decision, Verdict};
use crate::finding::{Finding, FindingCode, Position};
use crate::limits::{Exceeded, Nowhere, Parts, Picks, Question, Surroundings, Ticket};
use crate::params::Parameters;
use crate::route::Router;
use crate::schema::Validator;
use body::Watch;
use portcullis_bundle::layout::View;
use response::Reading;

/// The head of a request. Bytes are as received; header names are lower case.
#[derive(Clone, Copy, Debug)]
pub struct RequestHead<'a> {
    /// `:method`.
    pub method: &'a [u8],
    /// `:path` with its query; empty where there is none (CONNECT).
    pub path: &'a [u8],
    /// `:authority` or `host`.
    pub authority: &'a [u8],
    /// All header fields, pseudo-headers included, in order.
    pub headers: &'a [(&'a [u8], &'a [u8])],
    /// True where no body follows.
    pub end_of_stream: bool,
}

/// What is passed in because the engine takes neither time nor configuration by itself.
#[derive(Clone, Copy, Debug, Default)]
pub struct Conditions {
    /// Refusals are suspended (break-glass), if the bundle permits it: findings are still made.
    pub force_monitor: bool,
    /// Bodies cannot be held: a declared body is judged as it streams by and cannot be refused.
    pub bodies_unheld: bool,
    /// Whether the client presented a certificate on its connection. Not known counts as not presented.
    pub mutual_tls: Option<bool>,
    /// Seconds since 1970, by which exceptions from attack rules expire.
    pub now: i64,
    /// The version of HTTP, as `HTTP/1.1`; empty where it is not known.
    pub protocol: &'static str,
    /// The address that the connection is from, where it is known and rules ask for it.
    pub client: Option<core::net::IpAddr>,
}

/// What the engine wants next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Feed the body: the decision needs it. `hold` says whether a refusal is still possible, so
    /// that headers and body must not be forwarded before the decision.
    Body {
        /// Whether to hold the message back.
        hold: bool,
    },
    /// The decision. Later calls change nothing.
    Decided(Decision),
}

/// The state of one request, and the buffers it needs. Keep it and use it again for the next
/// request ([`Exchange::reset`]): then judging a request without findings allocates nothing.
#[derive(Debug, Default)]
pub struct Exchange {
    state: State,
    findings: Findings,
    router: Router,
    parameters: Parameters,
    validator: Validator,
    bodies: Bodies,
    scanner: Scanner,
    /// How the message is scanned for attacks, if it is.
    scanning: Option<scan::Scanning>,
    /// What of the request its answer is judged by.
    request: response::Judged,
    /// Limits that the caller is beyond.
    limited: Vec<Exceeded>,
    /// What the request owes the table of counts.
    ticket: Ticket,
    /// What the request has a part in, while it is judged.
    parts: Parts,
    /// What a service is to be asked about the request.
    questions: Vec<Question>,
    /// What limits ask for of the body.
    picks: Picks,
    /// What limits that wait for the body need of the head.
    awaiting: limited::Awaiting,
    scratch: Vec<u8>,
}

/// Where a request stands.
#[derive(Debug, Default)]
enum State {
    /// Nothing has been seen.
    #[default]
    Fresh,
    /// The body is awaited.
    Body(Watch),
    /// The body of the answer is awaited.
    Answer(Reading),
    /// The decision is made.
    Decided(Decision),
}

impl Exchange {
    /// An exchange whose buffers are large enough for ordinary requests.
    pub fn new() -> Self {
        Exchange::default()
    }

    /// The same, with what is learnt of a bundle shared with other exchanges of the worker.
    pub fn sharing(shared: &Shared) -> Self {
        let mut exchange = Exchange::default();
        exchange.scanner.share(shared);
        exchange
    }

    /// Whether attack rules are tried one by one on every value that they look at, whatever is known beforehand about
    /// texts that they cannot match: to check that this knowledge loses nothing.
    pub fn try_every_rule(&mut self, every: bool) {
        self.scanner.exhaustive = every;
    }

    /// Whether rules look at values too of which the contract says that they cannot match them: to check that.
    pub fn ignore_contract(&mut self, ignore: bool) {
        self.scanner.without_contract = ignore;
    }

    /// How often conditions of attack rules have hit values of the request so far, whatever that led to.
    pub fn attack_hits(&self) -> u64 {
        self.scanner.hit_count()
    }

    /// The attack rules that have fired on the last message, those that only serve others too: indexes into the
    /// bundle's rules. A decision names a few of them.
    pub fn fired_rules(&self) -> impl Iterator<Item = u32> {
        self.scanner.fired()
    }

    /// Forgets the request and keeps the buffers, unless a request has made them large.
    pub fn reset(&mut self) {
        self.state = State::Fresh;
        self.limited.clear();
        self.ticket.clear();
        self.questions.clear();
        self.parts.forget();
        self.picks.clear();
        self.awaiting.clear();
        self.scratch.clear();
        self.scratch.shrink_to(KEPT);
        self.router.reset();
        self.parameters.reset();
        self.validator.trim(KEPT);
        self.bodies.reset();
        self.scanner.trim();
    }

    /// Judges the head of a request, all but limits. Begins a new request whatever came before.
    pub fn on_headers(
        &mut self,
        bundle: &View<'_>,
        head: &RequestHead<'_>,
        conditions: Conditions,
    ) -> Progress {
        self.on_headers_in(bundle, head, conditions, &Nowhere)
    }

    /// Judges the head of a request, with the table that its limits are counted in.
    pub fn on_headers_in(
        &mut self,
        bundle: &View<'_>,
        head: &RequestHead<'_>,
        conditions: Conditions,
        around: &dyn Surroundings,
    ) -> Progress {
        self.state = State::Fresh;
        self.scanning = None;
        self.limited.clear();
        self.ticket.clear();
        self.questions.clear();
        self.picks.clear();
        self.request = response::Judged::of(head);
        let mut outcome = self.judge_head(bundle, head, conditions, around);
        self.judge_late_limits(bundle, &mut outcome, around);
        self.proceed(outcome)
    }

    /// The limits that the caller is beyond, while the request is judged.
    pub fn limited(&self) -> &[Exceeded] {
        &self.limited
    }

    /// What the request owes the table of counts, to be settled by its answer and its end.
    pub fn take_ticket(&mut self) -> Option<Ticket> {
        let ticket = core::mem::take(&mut self.ticket);
        (!ticket.is_empty()).then_some(ticket)
    }

    /// Judges the next bytes of the body, in order and without overlap. The bundle must be the
    /// one that judged the head.
    pub fn on_body(&mut self, bundle: &View<'_>, chunk: &[u8]) -> Progress {
        match core::mem::take(&mut self.state) {
            State::Body(watch) => {
                let outcome = self.judge_chunk(bundle, watch, chunk);
                self.proceed(outcome)
            }
            other => self.settled(other),
        }
    }

    /// Judges the end of the message, trailers or not; all but limits that look at the body.
    pub fn on_end(&mut self, bundle: &View<'_>) -> Progress {
        self.on_end_in(bundle, &Nowhere)
    }

    /// Judges the end of the message, with the table that its limits are counted in.
    pub fn on_end_in(&mut self, bundle: &View<'_>, around: &dyn Surroundings) -> Progress {
        match core::mem::take(&mut self.state) {
            State::Body(watch) => {
                let mut outcome = self.judge_end(bundle, watch);
                self.judge_late_limits(bundle, &mut outcome, around);
                self.proceed(outcome)
            }
            other => self.settled(other),
        }
    }

    /// What of the request its answer is judged by; to be asked after the decision on the request, or while its body
    /// streams by. `None` where nothing looks at the answer.
    pub fn awaits(&self, bundle: &View<'_>, decision: Option<&Decision>) -> Option<Awaited> {
        match (decision, &self.state) {
            (Some(decision), _) => self.awaited(bundle, decision),
            (None, State::Body(watch)) => self.awaited(bundle, &Decision::allow(watch.operation())),
            (None, _) => None,
        }
    }

    /// Judges the head of an answer. Any exchange will do: what matters of the request is `awaited`. The bundle must
    /// be the one that judged the request.
    pub fn on_response_headers(
        &mut self,
        bundle: &View<'_>,
        awaited: &Awaited,
        head: &ResponseHead<'_>,
        conditions: Conditions,
    ) -> Progress {
        self.state = State::Fresh;
        self.scanning = None;
        let outcome = self.judge_answer_head(bundle, awaited, head, conditions);
        self.proceed(outcome)
    }

    /// Judges the next bytes of an answer's body, in order and without overlap.
    pub fn on_response_body(&mut self, bundle: &View<'_>, chunk: &[u8]) -> Progress {
        match core::mem::take(&mut self.state) {
            State::Answer(reading) => {
                let outcome = self.judge_answer_chunk(bundle, reading, chunk);
                self.proceed(outcome)
            }
            other => self.settled(other),
        }
    }

    /// Judges the end of an answer, trailers or not.
    pub fn on_response_end(&mut self, bundle: &View<'_>) -> Progress {
        match core::mem::take(&mut self.state) {
            State::Answer(reading) => {
                let outcome = self.judge_answer_end(bundle, reading);
                self.proceed(outcome)
            }
            other => self.settled(other),
        }
    }

    fn proceed(&mut self, outcome: Outcome) -> Progress {
        match outcome {
            Outcome::Await(watch) => {
                let hold = watch.hold;
                self.state = State::Body(watch);
                Progress::Body { hold }
            }
            Outcome::Answer(reading) => {
                let hold = reading.hold;
                self.state = State::Answer(reading);
                Progress::Body { hold }
            }
            Outcome::Decided(decision) => {
                self.state = State::Decided(decision.clone());
                Progress::Decided(decision)
            }
        }
    }

    /// What is said to a call that the state did not expect: the decision again, or a refusal
    /// where no head was judged.
    fn settled(&mut self, state: State) -> Progress {
        let decision = match state {
            State::Decided(decision) => decision,
            State::Fresh | State::Body(_) | State::Answer(_) => policy_missing(),
        };
        self.proceed(Outcome::Decided(decision))
    }
}

/// What judging a part of a request led to.
#[derive(Debug)]
enum Outcome {
    Await(Watch),
    Answer(Reading),
    Decided(Decision),
}

/// Bytes of a buffer that are kept from request to request.
pub(crate) const KEPT: usize = 16 << 10;

/// The decision where there is no policy to decide by.
fn policy_missing() -> Decision {
    Decision {
        verdict: Verdict::Block,
        status: FindingCode::PolicyMissing.status(),
        findings: vec![Finding::new(FindingCode::PolicyMissing, Position::Message)],
        operation: None,
        allow: None,
        limited: Vec::new(),
    }
}
