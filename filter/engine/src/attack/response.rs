//! The values of an answer: status, header fields, the body and the values in it.

use super::head::known;
use super::hits::Hits;
use super::{Name, Scan, Scanner, Subject};
use crate::exchange::ResponseHead;
use crate::finding::Position;
use crate::schema::{Place, Scalar, ScalarKind, Step};
use portcullis_bundle::layout::{BODY_ALL, SCHEMA_ANY, Target};

/// What of an answer rules look at.
pub(crate) const TARGETS: [Target; 5] = [
    Target::ResponseStatus,
    Target::ResponseHeader,
    Target::ResponseHeaderName,
    Target::ResponseBody,
    Target::ResponseValue,
];

impl Scan<'_, '_> {
    /// Whether any rule looks at answers.
    pub(crate) fn meets_answers(&self) -> bool {
        TARGETS.into_iter().any(|target| self.meets(target))
    }

    /// Whether a rule or exception means values of the body by their names.
    pub(crate) fn names_answer_values(&self) -> bool {
        let except = self.view.exceptions.iter().map(|exception| &exception.selector);
        self.view.selectors.iter().chain(except).any(|selector| {
            selector.target == Target::ResponseValue.code() && selector.name.len.get() > 0
        })
    }
}

impl Scanner {
    /// Which matchers have hit a value of the message.
    pub(crate) fn hits(&self) -> &[u64] {
        self.hits.of_message()
    }

    /// Which rules have fired of those that take hits away.
    pub(crate) fn removing(&self, scan: &Scan<'_, '_>) -> Vec<u32> {
        self.hits.removing(scan.view)
    }

    /// Counts the hits on the request too, and what rules have taken away there.
    pub(crate) fn carry(&mut self, hits: &[u64], removing: &[u32]) {
        self.hits.carry(hits, removing);
    }

    /// Whether any matcher looks at the body.
    pub(crate) fn reads_answer(&self, scan: &Scan<'_, '_>) -> bool {
        self.looks_at(scan, Target::ResponseBody) || self.looks_at(scan, Target::ResponseValue)
    }

    /// Whether what a matcher finds in the body may refuse the answer.
    pub(crate) fn may_refuse_body(&self, scan: &Scan<'_, '_>) -> bool {
        let of = |target| Hits::may_refuse(&scan.weighing(), self.active(scan, target));
        scan.is_enforced() && (of(Target::ResponseBody) || of(Target::ResponseValue))
    }

    /// Scans the values of a head.
    pub(crate) fn answer_head(&mut self, scan: &Scan<'_, '_>, head: &ResponseHead<'_>) {
        let subject = Subject::new(Target::ResponseStatus, Name::None, &Position::Message);
        self.value(scan, subject, SCHEMA_ANY, head.status);
        for &(name, value) in head.headers.iter().filter(|(name, _)| !name.starts_with(b":")) {
            let position = Position::Header(known(name));
            for (target, text) in
                [(Target::ResponseHeader, value), (Target::ResponseHeaderName, name)]
            {
                let subject = Subject::new(target, Name::Text(name), &position);
                self.value(scan, subject, SCHEMA_ANY, text);
            }
        }
    }

    /// Keeps the first bytes of a body, up to a limit.
    pub(crate) fn keep(&mut self, chunk: &[u8], limit: usize) {
        let room = limit.saturating_sub(self.raw.len());
        self.raw.extend_from_slice(chunk.get(..room).unwrap_or(chunk));
    }

    /// Gives what was kept away, or takes it back.
    pub(crate) fn swap_kept(&mut self, other: &mut Vec<u8>) {
        core::mem::swap(&mut self.raw, other);
    }

    /// Scans a body, or a part of it, as one value.
    pub(crate) fn answer_body(&mut self, scan: &Scan<'_, '_>, target: Target, body: &[u8]) {
        let position = Position::Body { pointer: String::new(), offset: 0 };
        self.value(scan, Subject::new(target, Name::Pointer(""), &position), SCHEMA_ANY, body);
    }
}

/// The names of a JSON body from its root down to the present value, where any rule asks for them.
#[derive(Debug, Default)]
pub(crate) struct Names {
    asked: bool,
    by_depth: Vec<Vec<u8>>,
    called: Vec<u8>,
}

impl Names {
    /// None yet.
    pub(crate) fn new(asked: bool) -> Names {
        Names { asked, ..Names::default() }
    }

    /// Names are asked for from now on; the buffers of earlier messages are kept.
    pub(super) fn ask(&mut self) {
        self.asked = true;
    }

    /// Takes the next name or value of a body.
    pub(super) fn scalar(
        &mut self,
        scanner: &mut Scanner,
        scan: &Scan<'_, '_>,
        scalar: &Scalar<'_>,
        place: &Place<'_>,
    ) {
        let Scalar { kind, text, offset, .. } = *scalar;
        match kind {
            ScalarKind::Null | ScalarKind::Boolean => {}
            ScalarKind::Name if self.asked => self.enter(place.depth(), text),
            ScalarKind::Name => {}
            ScalarKind::Number | ScalarKind::String => {
                let target = Target::ResponseValue;
                let name = Name::Place(place);
                let (bodies, argument) = (BODY_ALL, &[][..]);
                let mut subject =
                    Subject { target, name, position: None, offset, bodies, argument };
                if !self.asked {
                    return scanner.value(scan, subject, SCHEMA_ANY, text);
                }
                // Findings do not tell the names, which may be values.
                let position = Position::Body { pointer: place.pointer(), offset };
                let pointer = self.pointer(&place.pointer());
                subject.position = Some(&position);
                subject.name = Name::Pointer(&pointer);
                scanner.value(scan, subject, SCHEMA_ANY, text);
            }
        }
    }

    /// The name of a step, counted from 0, that the pointer shows as `*`.
    pub(super) fn at(&self, step: usize) -> Option<&[u8]> {
        self.by_depth.get(step).map(Vec::as_slice)
    }

    /// Forgets what a message with long names has left behind.
    pub(super) fn trim(&mut self, kept: usize) {
        self.by_depth.retain(|name| name.capacity() <= kept);
        self.called.clear();
        self.called.shrink_to(kept);
    }

    pub(super) fn enter(&mut self, depth: usize, name: &[u8]) {
        if self.by_depth.len() < depth {
            self.by_depth.resize(depth, Vec::new());
        }
        if let Some(own) = depth.checked_sub(1).and_then(|at| self.by_depth.get_mut(at)) {
            own.clear();
            own.extend_from_slice(name);
        }
    }

    /// Makes the name of an argument of JSON: `json`, and every name and index on the way, with dots between.
    pub(super) fn call(&mut self, place: &Place<'_>) {
        let Names { by_depth, called, .. } = self;
        called.clear();
        called.extend_from_slice(b"json");
        for (at, step) in place.steps().enumerate() {
            called.push(b'.');
            match step {
                Step::Item(index) => push_decimal(called, index),
                Step::Member(name) => called.extend_from_slice(name),
                Step::Undeclared => {
                    called.extend_from_slice(by_depth.get(at).map_or(b"*", Vec::as_slice));
                }
            }
        }
    }

    /// The name that was made last.
    pub(super) fn called(&self) -> &[u8] {
        &self.called
    }

    /// A pointer with the names of the body in place of `*`.
    fn pointer(&self, shown: &str) -> String {
        let mut pointer = String::with_capacity(shown.len());
        for (at, step) in shown.split('/').skip(1).enumerate() {
            let name = self.by_depth.get(at).filter(|_| step == "*");
            let name = name.and_then(|name| core::str::from_utf8(name).ok());
            pointer.push('/');
            match name {
                Some(name) => pointer.push_str(&name.replace('~', "~0").replace('/', "~1")),
                None => pointer.push_str(step),
            }
        }
        pointer
    }
}

/// Writes a number in decimal.
fn push_decimal(out: &mut Vec<u8>, number: u32) {
    let first = out.len();
    let mut rest = number;
    loop {
        out.push(b'0'.saturating_add((rest % 10) as u8));
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    out.get_mut(first..).unwrap_or_default().reverse();
}
