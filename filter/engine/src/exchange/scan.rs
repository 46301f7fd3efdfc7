//! Scanning a message for attacks beside judging it by its contract.

use super::fields::Fields;
use super::head::action;
use super::{Conditions, Exchange, Outcome, RequestHead};
use crate::attack::{Head, Raw, Scan, Side, Tap};
use crate::body::{Bodies, Judges, Wrong};
use crate::finding::{Finding, FindingCode, Position};
use crate::media::ContentType;
use portcullis_bundle::layout::{BodyKind, Operation, Policy, View};

/// How a message is scanned.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scanning {
    pub operation: Option<u32>,
    pub validated: bool,
    pub now: i64,
}

/// The head of a request, and the operation that was found.
pub(super) struct Parts<'a, 'h, 'b> {
    pub head: &'a RequestHead<'h>,
    pub path: &'a [u8],
    pub query: &'a [u8],
    pub operation: Option<(u32, &'b Operation)>,
}

impl Exchange {
    /// Scans the head, unless the request is refused already.
    pub(super) fn scan_head(
        &mut self,
        view: &View<'_>,
        policy: &Policy,
        parts: &Parts<'_, '_, '_>,
        conditions: Conditions,
    ) {
        let operation = parts.operation.map(|(index, _)| index);
        // Types narrow the rules only where what does not have them would have been refused.
        let validated = operation.is_some() && self.findings.can_refuse();
        let now = conditions.now;
        let Some(scan) = Scan::of(view, operation, validated, now) else { return };
        if self.findings.is_refused() {
            return;
        }
        self.scanning = Some(Scanning { operation, validated, now });
        self.scanner.begin(&scan, Side::Request);
        self.request.scanned = true;
        let head = Head {
            request: parts.head,
            path: parts.path,
            query: parts.query,
            captures: &self.router.captures,
            operation: parts.operation.map(|(_, operation)| operation),
            max_parameters: policy.max_parameters.get(),
            protocol: conditions.protocol,
            client: conditions.client,
        };
        self.scanner.head(&scan, &head);
        if self.findings.can_refuse() && self.scanner.refuses(&scan) {
            self.report_attacks(view);
        }
    }

    /// Whether the message is scanned.
    pub(super) fn is_scanned(&self) -> bool {
        self.scanning.is_some()
    }

    /// Turns what was hit into findings. Nothing is scanned afterwards.
    pub(super) fn report_attacks(&mut self, view: &View<'_>) {
        if let Some(scan) = scan(view, self.scanning.take()) {
            self.scanner.report(&scan, &mut self.findings);
        }
    }

    /// Whether what was hit so far refuses the message; then there are findings that say so.
    pub(super) fn is_attacked(&mut self, view: &View<'_>) -> bool {
        let attacked = self.findings.can_refuse()
            && scan(view, self.scanning).is_some_and(|scan| self.scanner.refuses(&scan));
        if attacked {
            self.report_attacks(view);
        }
        self.findings.is_refused()
    }

    /// Who judges a body, and who reads its values beside.
    pub(super) fn readers<'x, 'v, 'b>(
        &'x mut self,
        view: &'v View<'b>,
        kind: BodyKind,
    ) -> (&'x mut Bodies, Judges<'x>, Tap<'x, 'v, 'b>) {
        self.scanner.reads(kind);
        let tap = match scan(view, self.scanning) {
            scan if !self.picks.is_empty() => {
                Tap::Pick(&mut self.picks, scan.map(|scan| (&mut self.scanner, scan)))
            }
            Some(scan) => Tap::Scan(&mut self.scanner, scan),
            None => Tap::Shut,
        };
        let judges = Judges { validator: &mut self.validator, parameters: &mut self.parameters };
        (&mut self.bodies, judges, tap)
    }

    /// Keeps the first bytes of a body for the rules that read it as sent.
    pub(super) fn keep_raw(&mut self, view: &View<'_>, chunk: &[u8], is: Raw) {
        if let Some(scan) = scan(view, self.scanning) {
            self.scanner.keep_raw(&scan, chunk, is);
        }
    }

    /// Scans the body as it was sent.
    pub(super) fn scan_raw(&mut self, view: &View<'_>, is: Raw) {
        if let Some(scan) = scan(view, self.scanning) {
            self.scanner.raw(&scan, is);
        }
    }

    /// Waits for a body that no operation declares, to scan it.
    pub(super) fn scan_stray_body(
        &mut self,
        view: &View<'_>,
        fields: &Fields<'_>,
        end_of_stream: bool,
        conditions: Conditions,
    ) -> Outcome {
        let empty = end_of_stream || fields.content_length == Some(0);
        if empty {
            self.scan_raw(view, Raw::default());
        }
        if empty || !self.is_scanned() {
            return self.conclude(view, None);
        }
        if fields.is_coded {
            let position = Position::Header("content-encoding");
            self.cannot_read(view, Finding::new(FindingCode::ContentCodingUnsupported, position));
            return self.conclude(view, None);
        }
        self.watch_stray(view, fields.lenient_type(), conditions)
    }

    /// The media type of a body that is only scanned has no form on which readers agree, or not what its reader needs.
    pub(super) fn ill_typed(&mut self, view: &View<'_>) {
        self.scanner.body_failed();
        let position = Position::Header("content-type");
        self.cannot_read(view, Finding::new(FindingCode::BodyMalformed, position));
    }

    /// A body that is only scanned cannot be read: it is refused where the policy says so.
    pub(super) fn unreadable(&mut self, view: &View<'_>, wrong: Wrong) {
        self.scanner.body_failed();
        let Wrong { code, fault, .. } = wrong;
        let position = Position::Body { pointer: fault.pointer, offset: fault.offset };
        self.cannot_read(view, Finding::new(code, position));
    }

    fn cannot_read(&mut self, view: &View<'_>, finding: Finding) {
        if let Some(attacks) = view.attacks.first() {
            self.findings.act(action(attacks.unreadable_bodies), finding);
        }
    }
}

/// How a body is read that no document says anything about.
pub(crate) fn kind_by_type(sent: Option<ContentType<'_>>) -> BodyKind {
    let Some(sent) = sent else { return BodyKind::Opaque };
    let is = |name: &[u8]| sent.name.eq_ignore_ascii_case(name);
    if sent.is_json() {
        BodyKind::Json
    } else if sent.is_xml() {
        BodyKind::Xml
    } else if is(b"application/x-www-form-urlencoded") {
        BodyKind::Form
    } else if is(b"multipart/form-data") {
        BodyKind::Multipart
    } else {
        BodyKind::Opaque
    }
}

pub(super) fn scan<'v, 'b>(view: &'v View<'b>, scanning: Option<Scanning>) -> Option<Scan<'v, 'b>> {
    let Scanning { operation, validated, now } = scanning?;
    Scan::of(view, operation, validated, now)
}
