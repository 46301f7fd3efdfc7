//! Judging an answer: its status and header fields when they come, its body when as much is there as rules see.
//!
//! Bodies are kept up to a limit and read as one; so the verdict does not depend on how they were cut.

use super::fields::Fields;
use super::head::action;
use super::scan::{Scanning, scan};
use super::{Conditions, Exchange, Outcome, RequestHead, policy_missing};
use crate::attack::{Names, Scan, Side, Tap};
use crate::decision::{Decision, Verdict};
use crate::finding::{FindingCode, Position};
use crate::media::{self, ContentType};
use crate::schema::Limits;
use portcullis_bundle::layout::{Action, Attacks, Mode, SCHEMA_ANY, Target, View};

/// The head of an answer. Bytes are as received; header names are lower case.
#[derive(Clone, Copy, Debug)]
pub struct ResponseHead<'a> {
    /// `:status`.
    pub status: &'a [u8],
    /// All header fields, pseudo-headers included, in order.
    pub headers: &'a [(&'a [u8], &'a [u8])],
    /// True where no body follows.
    pub end_of_stream: bool,
}

/// What of a request its answer is judged by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Awaited {
    operation: Option<u32>,
    mode: Mode,
    /// Whether a body can come that ends.
    has_body: bool,
    /// The matchers that have hit the request, where a rule looks at both.
    hits: Vec<u64>,
    /// The rules that have fired on the request and take hits of others away.
    removing: Vec<u32>,
    identity: bool,
}

impl Awaited {
    /// Whether the upstream is to be asked for an answer without a content coding.
    pub fn asks_identity(&self) -> bool {
        self.identity
    }

    /// Whether the answer may be refused.
    pub fn can_refuse(&self) -> bool {
        self.mode == Mode::Enforce
    }
}

/// What is remembered of a request while it is judged.
#[derive(Clone, Copy, Debug)]
pub(super) struct Judged {
    pub is_head: bool,
    pub mode: Mode,
    /// Whether it was scanned for attacks.
    pub scanned: bool,
}

impl Default for Judged {
    fn default() -> Self {
        Judged { is_head: false, mode: Mode::Enforce, scanned: false }
    }
}

impl Judged {
    pub(super) fn of(head: &RequestHead<'_>) -> Judged {
        Judged { is_head: head.method == b"HEAD", ..Judged::default() }
    }
}

/// How a body is read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reading {
    operation: Option<u32>,
    seen: u64,
    /// Whether the answer can still be refused, so that it is held back.
    pub hold: bool,
}

/// What a JSON body may take; what has more is read as a text.
const LIMITS: Limits = Limits {
    depth: 64,
    string: 1 << 30,
    properties: 1 << 20,
    items: 1 << 30,
    digits: 1024,
    steps: 4_000_000,
};

impl Exchange {
    pub(super) fn awaited(&self, view: &View<'_>, decision: &Decision) -> Option<Awaited> {
        let has = |code| decision.findings.iter().any(|finding| finding.code == code);
        let unjudged = has(FindingCode::ProbeBypass) || has(FindingCode::Preflight);
        if decision.verdict == Verdict::Block || unjudged {
            return None;
        }
        let scan = Scan::of(view, decision.operation, false, 0)?;
        let attacks = view.attacks.first().filter(|_| scan.meets_answers())?;
        let joins = attacks.response_joins == 1 && self.request.scanned;
        let has_body = !self.request.is_head && !has(FindingCode::StreamUnchecked);
        let mode = self.request.mode;
        let reads = scan.meets(Target::ResponseBody) || scan.meets(Target::ResponseValue);
        let holds = reads && has_body && mode == Mode::Enforce && scan.is_enforced();
        Some(Awaited {
            operation: decision.operation,
            mode,
            has_body,
            removing: match self.request.scanned {
                true => self.scanner.removing(&scan),
                false => Vec::new(),
            },
            hits: if joins { self.scanner.hits().to_vec() } else { Vec::new() },
            identity: holds && attacks.response_identity == 1,
        })
    }

    pub(super) fn judge_answer_head(
        &mut self,
        view: &View<'_>,
        awaited: &Awaited,
        head: &ResponseHead<'_>,
        conditions: Conditions,
    ) -> Outcome {
        let (Some(policy), Some(attacks)) = (view.policy.first(), view.attacks.first()) else {
            return Outcome::Decided(policy_missing());
        };
        let suspended = conditions.force_monitor && policy.break_glass == 1;
        self.findings.begin(awaited.mode, suspended);
        let (operation, now) = (awaited.operation, conditions.now);
        let Some(scan) = Scan::of(view, operation, false, now) else {
            return self.conclude(view, operation);
        };
        self.scanning = Some(Scanning { operation, validated: false, now });
        self.scanner.begin(&scan, Side::Response);
        self.scanner.carry(&awaited.hits, &awaited.removing);
        self.scanner.answer_head(&scan, head);
        let ends = head.end_of_stream || !awaited.has_body || is_bodiless(head.status);
        if self.is_attacked(view) || ends || !self.scanner.reads_answer(&scan) {
            return self.conclude(view, operation);
        }
        let fields = Fields::read(head.headers);
        if fields.content_length == Some(0) || !self.is_read(view, attacks, &fields) {
            return self.conclude(view, operation);
        }
        let larger = action(attacks.response_larger);
        let limit = u64::from(attacks.response_body.get());
        if larger == Action::Block && fields.content_length.is_some_and(|length| length > limit) {
            self.larger(attacks);
            if self.findings.is_refused() {
                return self.conclude(view, operation);
            }
        }
        let refuses = self.scanner.may_refuse_body(&scan) || larger == Action::Block;
        let mut hold = self.findings.can_refuse() && refuses;
        if hold && conditions.bodies_unheld {
            hold = false;
            self.findings.set_mode(Mode::Monitor);
            let position = Position::Body { pointer: String::new(), offset: 0 };
            self.findings.note(FindingCode::ResponseUnjudged, position);
        }
        Outcome::Answer(Reading { operation, seen: 0, hold })
    }

    /// Whether a body is one that rules read; says so where it should be and cannot.
    fn is_read(&mut self, view: &View<'_>, attacks: &Attacks, fields: &Fields<'_>) -> bool {
        let sent = fields.content_type.and_then(media::parse);
        let types = view.bytes(attacks.response_types);
        // What does not say what it is may be anything.
        if sent.is_some_and(|sent| !is_of(types, &sent)) {
            return false;
        }
        let position = if sent.is_some_and(|sent| is_stream(&sent)) {
            self.unjudged(Action::Allow, Position::Header("content-type"));
            return false;
        } else {
            Position::Header("content-encoding")
        };
        if fields.is_coded {
            self.unjudged(action(attacks.response_coded), position);
        }
        !fields.is_coded
    }

    pub(super) fn judge_answer_chunk(
        &mut self,
        view: &View<'_>,
        mut reading: Reading,
        chunk: &[u8],
    ) -> Outcome {
        let Some(attacks) = view.attacks.first() else {
            return Outcome::Decided(policy_missing());
        };
        let limit = attacks.response_body.get();
        self.scanner.keep(chunk, limit as usize);
        reading.seen = reading.seen.saturating_add(chunk.len() as u64);
        if reading.seen <= limit.into() {
            return Outcome::Answer(reading);
        }
        self.larger(attacks);
        if !self.findings.is_refused() {
            self.read_answer(view);
        }
        self.conclude(view, reading.operation)
    }

    pub(super) fn judge_answer_end(&mut self, view: &View<'_>, reading: Reading) -> Outcome {
        self.read_answer(view);
        self.conclude(view, reading.operation)
    }

    /// Scans what was kept of the body: as it is, and its values where it is JSON.
    fn read_answer(&mut self, view: &View<'_>) {
        let Some(scan) = scan(view, self.scanning) else { return };
        let mut body = Vec::new();
        self.scanner.swap_kept(&mut body);
        self.scanner.answer_body(&scan, Target::ResponseBody, &body);
        if self.scanner.looks_at(&scan, Target::ResponseValue) && !self.read_values(&scan, &body) {
            self.scanner.answer_body(&scan, Target::ResponseValue, &body);
        }
        self.scanner.swap_kept(&mut body);
    }

    /// Scans the values of a JSON body. False where it is none, or not to its end.
    fn read_values(&mut self, scan: &Scan<'_, '_>, body: &[u8]) -> bool {
        if !matches!(body.trim_ascii_start().first(), Some(b'{' | b'[' | b'"')) {
            return false;
        }
        let mut names = Names::new(scan.names_answer_values());
        let mut tap = Tap::Answer(&mut self.scanner, *scan, &mut names);
        self.validator.validate(scan.view, SCHEMA_ANY, LIMITS, body, &mut tap).is_ok()
    }

    /// The body has more bytes than rules see.
    fn larger(&mut self, attacks: &Attacks) {
        let offset = attacks.response_body.get().into();
        let position = Position::Body { pointer: String::new(), offset };
        self.unjudged(action(attacks.response_larger), position);
    }

    fn unjudged(&mut self, action: Action, position: Position) {
        match action {
            Action::Allow => self.findings.note(FindingCode::ResponseUnjudged, position),
            action => {
                let finding = crate::finding::Finding::new(FindingCode::ResponseUnjudged, position);
                self.findings.act(action, finding);
            }
        }
    }
}

/// Whether answers of a status have no body (RFC 9110, section 6.4.1).
fn is_bodiless(status: &[u8]) -> bool {
    status.first() == Some(&b'1') || status == b"204" || status == b"304"
}

/// Whether a body of a type does not end, or not soon.
fn is_stream(sent: &ContentType<'_>) -> bool {
    sent.name.eq_ignore_ascii_case(b"text/event-stream") || media::is_grpc(sent.name)
}

/// Whether a type is one of a list of types and ranges: `text/*`, `application/*+json`.
fn is_of(types: &[u8], sent: &ContentType<'_>) -> bool {
    types.split(|&byte| byte == b' ').any(|range| {
        let star = range.iter().position(|&byte| byte == b'*').unwrap_or(range.len());
        let (start, rest) = range.split_at_checked(star).unwrap_or((range, b""));
        let Some(suffix) = rest.get(1..) else { return sent.name.eq_ignore_ascii_case(range) };
        let begins = sent.name.get(..start.len()).is_some_and(|it| it.eq_ignore_ascii_case(start));
        let end = sent.name.len().saturating_sub(suffix.len());
        let ends = sent.name.get(end..).is_some_and(|it| it.eq_ignore_ascii_case(suffix));
        begins && ends && sent.name.len() >= start.len() + suffix.len()
    })
}
