//! Judging the body: whether there may be one, of which kind, how large, and what it holds.

use super::fields::Fields;
use super::head::action;
use super::scan::kind_by_type;
use super::{Conditions, Exchange, Outcome};
use crate::access::slice;
use crate::attack::Raw;
use crate::body::{Judged, Task, Wrong, judge_octets, octet_bounds};
use crate::finding::{Finding, FindingCode, Position};
use crate::media::{self, ContentType};
use crate::schema::Limits;
use portcullis_bundle::layout::{
    Action, BodyKind, BodyLimits, MediaType, Mode, NONE, OPERATION_BODY_REQUIRED,
    OPERATION_STREAMS, Operation, View,
};
use zerocopy::FromZeros;

/// What is awaited of a body.
#[derive(Clone, Copy, Debug)]
pub(super) struct Watch {
    kind: Kind,
    /// Index of the operation, where there is one.
    operation: Option<u32>,
    /// Index of the media type, where one was matched.
    media_type: Option<u32>,
    /// Bytes seen.
    seen: u64,
    /// Whether the body can still be refused, so that the message is held back.
    pub hold: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// None is declared: one byte is one too many.
    Undeclared,
    /// It has no media type: it must be empty.
    Untyped,
    /// Its size is judged.
    Opaque,
    /// It is judged by a schema program.
    Judged(BodyKind),
    /// Nothing judges it: it is read as what it says it is, and scanned for attacks.
    Scanned(BodyKind),
}

impl Exchange {
    /// Judges what the head says about the body.
    pub(super) fn judge_body_head(
        &mut self,
        view: &View<'_>,
        (index, operation): (u32, &Operation),
        fields: &Fields<'_>,
        end_of_stream: bool,
        conditions: Conditions,
    ) -> Outcome {
        let streams = operation.flags.get() & OPERATION_STREAMS != 0;
        if !streams && end_of_stream && !fields.is_upgrade {
            self.judge_absent(operation);
            self.scan_raw(view, Raw::default());
            return self.conclude(view, Some(index));
        }
        let sent =
            fields.content_type.filter(|_| !fields.content_types_differ).and_then(media::parse);
        if fields.is_tunnel() || streams || sent.is_some_and(|sent| media::is_grpc(sent.name)) {
            // The media type stands in the head and must be declared even so.
            if !fields.is_tunnel() && !end_of_stream && fields.content_type.is_some() {
                self.media_type(view, operation, sent);
            }
            self.findings.note(FindingCode::StreamUnchecked, Position::Message);
            return self.conclude(view, Some(index));
        }
        let mut watch = Watch {
            kind: Kind::Undeclared,
            operation: Some(index),
            media_type: None,
            seen: 0,
            hold: false,
        };
        if end_of_stream || fields.content_length == Some(0) {
            self.judge_absent(operation);
            self.scan_raw(view, Raw::default());
            return self.conclude(view, Some(index));
        }
        if operation.media_type_count.get() == 0 {
            if fields.content_length.is_some() {
                self.unexpected(operation);
                return self.conclude(view, Some(index));
            }
            return self.watch(view, watch, conditions);
        }
        if fields.is_coded {
            let position = Position::Header("content-encoding");
            self.findings.refuse(Finding::new(FindingCode::ContentCodingUnsupported, position));
        }
        if fields.content_type.is_none() && fields.content_length.is_none() {
            watch.kind = Kind::Untyped;
            return self.watch(view, watch, conditions);
        }
        let read = fields.lenient_type();
        watch.kind = match kind_by_type(read) {
            kind if self.is_scanned() && !fields.is_coded => Kind::Scanned(kind),
            _ => Kind::Opaque,
        };
        if let Some((at, media_type, utf8)) = self.media_type(view, operation, sent) {
            watch.media_type = Some(at);
            match kind_of(media_type, sent) {
                BodyKind::Binary => match fields.content_length {
                    Some(length) => {
                        watch.kind = Kind::Opaque;
                        if let Err(wrong) = judge_octets(view, media_type, length) {
                            self.findings.refuse(body_finding(view, &watch, operation, wrong));
                        }
                    }
                    None if octet_bounds(view, media_type).is_some() && !fields.is_coded => {
                        watch.kind = Kind::Judged(BodyKind::Binary);
                    }
                    None => watch.kind = Kind::Opaque,
                },
                BodyKind::Opaque | BodyKind::Range => self.unenforced(operation, media_type),
                kind => {
                    if !utf8 && kind != BodyKind::Multipart {
                        let position = Position::Header("content-type");
                        let finding = Finding::new(FindingCode::CharsetUnsupported, position);
                        self.findings.refuse(finding.at(media_type.origin.get()));
                    } else if !fields.is_coded {
                        watch.kind = Kind::Judged(kind);
                    }
                }
            }
        }
        let limit = u64::from(operation.limits.max_bytes.get());
        if let Some(length) = fields.content_length {
            if length > limit {
                let position = Position::Header("content-length");
                let finding = Finding::new(FindingCode::BodyTooLarge, position);
                self.findings.refuse(finding.at(operation.body_origin.get()));
            }
            // Nothing is left to learn from the bytes.
            if watch.kind == Kind::Opaque || length > limit {
                return self.conclude(view, Some(index));
            }
        }
        self.watch_typed(view, watch, read, conditions)
    }

    /// Judges the next bytes of a body.
    pub(super) fn judge_chunk(
        &mut self,
        view: &View<'_>,
        mut watch: Watch,
        chunk: &[u8],
    ) -> Outcome {
        if chunk.is_empty() {
            return Outcome::Await(watch);
        }
        let operation = operation_of(view, &watch);
        let limit = u64::from(limits_of(view, operation).max_bytes.get());
        // What lies over the limit is not judged, so that a cut elsewhere finds the same.
        let room = usize::try_from(limit.saturating_sub(watch.seen)).unwrap_or(usize::MAX);
        let judged = chunk.get(..room).unwrap_or(chunk);
        watch.seen = watch.seen.saturating_add(chunk.len() as u64);
        let stops = watch.seen > limit;
        match (watch.kind, operation) {
            (Kind::Undeclared, Some(operation)) => {
                self.unexpected(operation);
                return self.conclude(view, watch.operation);
            }
            (Kind::Untyped, Some(operation)) => {
                let finding = untyped(operation);
                self.findings.act(action(operation.undeclared_media_types), finding);
                watch.kind = Kind::Scanned(BodyKind::Opaque);
            }
            (Kind::Judged(kind), Some(operation)) => {
                let Some(task) = task(view, &watch) else {
                    return Outcome::Decided(super::policy_missing());
                };
                let (bodies, mut judges, mut tap) = self.readers(view, kind);
                let outcome = bodies.chunk(&task, kind, (judged, stops), &mut judges, &mut tap);
                if let Err(wrong) = outcome {
                    // An attack before the fault decides, as it does where the body is cut between them.
                    if self.is_attacked(view) {
                        return self.conclude(view, watch.operation);
                    }
                    return self.faulty(view, &watch, operation, wrong);
                }
            }
            (Kind::Scanned(kind), _) if kind != BodyKind::Opaque => {
                let Some(task) = task(view, &watch) else {
                    return Outcome::Decided(super::policy_missing());
                };
                let (bodies, mut judges, mut tap) = self.readers(view, kind);
                let outcome = bodies.chunk(&task, kind, (judged, stops), &mut judges, &mut tap);
                if let Err(wrong) = outcome {
                    if self.is_attacked(view) {
                        return self.conclude(view, watch.operation);
                    }
                    self.unreadable(view, wrong);
                    watch.kind = Kind::Opaque;
                }
            }
            _ => {}
        }
        self.keep_raw(view, judged, watch.raw());
        if self.is_attacked(view) {
            return self.conclude(view, watch.operation);
        }
        if stops {
            let position = Position::Body { pointer: String::new(), offset: limit };
            let finding = Finding::new(FindingCode::BodyTooLarge, position);
            let origin = operation.map_or(NONE, |operation| operation.body_origin.get());
            self.findings.refuse(finding.at(origin));
            return self.conclude(view, watch.operation);
        }
        Outcome::Await(watch)
    }

    /// Judges the end of a body.
    pub(super) fn judge_end(&mut self, view: &View<'_>, watch: Watch) -> Outcome {
        let operation = operation_of(view, &watch);
        let mut is = watch.raw();
        match (watch.kind, operation) {
            _ if watch.seen == 0 => {
                if let Some(operation) = operation {
                    self.judge_absent(operation);
                }
            }
            (Kind::Judged(kind), Some(operation)) => {
                if let Some(task) = task(view, &watch) {
                    let (bodies, mut judges, mut tap) = self.readers(view, kind);
                    match bodies.end(&task, kind, &mut judges, &mut tap) {
                        Ok(Judged::Whole) => is.covered = kind == BodyKind::Json,
                        Ok(Judged::Form) => self.unenforced(operation, task.media),
                        // As within the body: a long text is read again when enough has come, or at the end.
                        Err(_) if self.is_attacked(view) => {
                            return self.conclude(view, watch.operation);
                        }
                        Err(wrong) if is_read_as_it_comes(kind) => {
                            return self.faulty(view, &watch, operation, wrong);
                        }
                        Err(wrong) => {
                            self.findings.refuse(body_finding(view, &watch, operation, wrong));
                        }
                    }
                }
            }
            (Kind::Scanned(kind), _) => {
                if let Some(task) = task(view, &watch) {
                    let (bodies, mut judges, mut tap) = self.readers(view, kind);
                    match bodies.end(&task, kind, &mut judges, &mut tap) {
                        Ok(_) => is.covered = kind == BodyKind::Json,
                        Err(_) if self.is_attacked(view) => {
                            return self.conclude(view, watch.operation);
                        }
                        Err(wrong) => {
                            self.unreadable(view, wrong);
                            if is_read_as_it_comes(kind) && self.findings.is_refused() {
                                return self.conclude(view, watch.operation);
                            }
                            is.plain |= is_read_as_it_comes(kind);
                        }
                    }
                }
            }
            _ => {}
        }
        self.scan_raw(view, is);
        self.conclude(view, watch.operation)
    }

    /// Starts to watch a body of a type.
    fn watch_typed(
        &mut self,
        view: &View<'_>,
        mut watch: Watch,
        sent: Option<ContentType<'_>>,
        conditions: Conditions,
    ) -> Outcome {
        let is_scanned = matches!(watch.kind, Kind::Scanned(_));
        if is_scanned && sent.is_some_and(|sent| !sent.is_well_formed) {
            self.ill_typed(view);
        }
        if let Kind::Judged(kind) | Kind::Scanned(kind) = watch.kind
            && !self.findings.is_refused()
            && let Some(sent) = sent
            && let Some(task) = task(view, &watch)
            && !self.begins(view, &task, kind, &sent)
        {
            if is_scanned {
                self.ill_typed(view);
                watch.kind = Kind::Scanned(BodyKind::Opaque);
            } else {
                let position = Position::Header("content-type");
                let finding = Finding::new(FindingCode::BodyMalformed, position);
                self.findings.refuse(finding.at(task.media.origin.get()));
                return self.conclude(view, watch.operation);
            }
        }
        self.watch(view, watch, conditions)
    }

    fn begins(
        &mut self,
        view: &View<'_>,
        task: &Task<'_, '_>,
        kind: BodyKind,
        sent: &ContentType<'_>,
    ) -> bool {
        let (bodies, mut judges, _) = self.readers(view, kind);
        bodies.begin(task, kind, sent, &mut judges).is_ok()
    }

    /// Waits for a body of no operation.
    pub(super) fn watch_stray(
        &mut self,
        view: &View<'_>,
        sent: Option<ContentType<'_>>,
        conditions: Conditions,
    ) -> Outcome {
        let kind = Kind::Scanned(kind_by_type(sent));
        let watch = Watch { kind, operation: None, media_type: None, seen: 0, hold: false };
        self.watch_typed(view, watch, sent, conditions)
    }

    /// Starts to watch a body, unless the head has refused the message already.
    fn watch(&mut self, view: &View<'_>, mut watch: Watch, conditions: Conditions) -> Outcome {
        if self.findings.is_refused() {
            return self.conclude(view, watch.operation);
        }
        watch.hold = self.findings.can_refuse();
        if conditions.bodies_unheld && watch.hold {
            // What the body holds is found when it has passed: it is reported, not enforced.
            watch.hold = false;
            self.findings.set_mode(Mode::Monitor);
            if matches!(watch.kind, Kind::Judged(_)) {
                let position = Position::Body { pointer: String::new(), offset: 0 };
                self.findings.note(FindingCode::BodyUnenforced, position);
            }
        }
        Outcome::Await(watch)
    }

    /// The declared media type that covers the one sent: its index, and whether it is in UTF-8.
    /// Where there is none, takes the finding.
    fn media_type<'b>(
        &mut self,
        view: &View<'b>,
        operation: &Operation,
        sent: Option<ContentType<'_>>,
    ) -> Option<(u32, &'b MediaType, bool)> {
        let (first, count) = (operation.media_types.get(), operation.media_type_count.get());
        let declared = slice(view.media_types, first, count);
        let found = sent.and_then(|sent| {
            let covers = |media: &MediaType| {
                media::takes(view.bytes(media.name), view.bytes(media.parameters), &sent)
            };
            let at = declared.iter().position(covers)?;
            let index = first.checked_add(u32::try_from(at).ok()?)?;
            Some((index, declared.get(at)?, sent.utf8))
        });
        if found.is_none() {
            self.findings.act(action(operation.undeclared_media_types), untyped(operation));
        }
        found
    }

    /// No body came.
    fn judge_absent(&mut self, operation: &Operation) {
        if operation.flags.get() & OPERATION_BODY_REQUIRED != 0 {
            let finding = Finding::new(FindingCode::BodyMissing, Position::Message);
            self.findings.refuse(finding.at(operation.body_origin.get()));
        }
    }

    /// A body came that is not declared.
    fn unexpected(&mut self, operation: &Operation) {
        let finding = Finding::new(FindingCode::BodyUnexpected, Position::Message);
        let finding = finding.at(operation.origin.get());
        self.findings.act(action(operation.undeclared_media_types), finding);
    }

    /// The body is declared, and nothing judges its content.
    fn unenforced(&mut self, operation: &Operation, media_type: &MediaType) {
        let position = Position::Header("content-type");
        match action(operation.unenforced_bodies) {
            Action::Allow => self.findings.note(FindingCode::BodyUnenforced, position),
            action => {
                let finding = Finding::new(FindingCode::BodyUnenforced, position);
                self.findings.act(action, finding.at(media_type.origin.get()));
            }
        }
    }

    fn faulty(
        &mut self,
        view: &View<'_>,
        watch: &Watch,
        operation: &Operation,
        wrong: Wrong,
    ) -> Outcome {
        self.scanner.body_failed();
        self.findings.refuse(body_finding(view, watch, operation, wrong));
        self.conclude(view, watch.operation)
    }
}

impl Watch {
    /// Index of the operation, where there is one.
    pub(super) fn operation(&self) -> Option<u32> {
        self.operation
    }

    /// Whether the body is scanned as one text.
    fn raw(&self) -> Raw {
        let plain = matches!(
            self.kind,
            Kind::Opaque
                | Kind::Judged(BodyKind::Form | BodyKind::Text | BodyKind::Binary)
                | Kind::Scanned(BodyKind::Form | BodyKind::Opaque)
        );
        Raw { text: self.kind == Kind::Scanned(BodyKind::Opaque), plain, covered: false }
    }
}

fn operation_of<'b>(view: &View<'b>, watch: &Watch) -> Option<&'b Operation> {
    view.operations.get(watch.operation? as usize)
}

/// The limits on bodies of an operation, or of none.
fn limits_of(view: &View<'_>, operation: Option<&Operation>) -> BodyLimits {
    let none = || view.attacks.first().map_or(BodyLimits::new_zeroed(), |attacks| attacks.limits);
    operation.map_or_else(none, |operation| operation.limits)
}

/// What judges the body.
fn task<'a, 'b>(view: &'a View<'b>, watch: &Watch) -> Option<Task<'a, 'b>> {
    let media = match watch.kind {
        Kind::Scanned(_) => view.attacks.first()?.media_type.get(),
        _ => watch.media_type?,
    };
    let media = view.media_types.get(media as usize)?;
    let max_fields = view.policy.first()?.max_parameters.get();
    let limits = limits_of(view, operation_of(view, watch));
    Some(Task { view, media, limits: Limits::from(&limits), max_fields })
}

/// Whether a fault may be found before the end: what follows it is not looked at, wherever the body is cut.
fn is_read_as_it_comes(kind: BodyKind) -> bool {
    matches!(kind, BodyKind::Json | BodyKind::JsonLines | BodyKind::JsonSeq)
}

/// How a body of a declared media type is judged; that of a range by what was sent.
fn kind_of(media_type: &MediaType, sent: Option<ContentType<'_>>) -> BodyKind {
    match BodyKind::from_code(media_type.kind) {
        Some(BodyKind::Range) if sent.is_some_and(|sent| sent.is_json()) => BodyKind::Json,
        Some(BodyKind::Range) if sent.is_some_and(|sent| sent.is_xml()) => BodyKind::Xml,
        Some(kind) => kind,
        None => BodyKind::Opaque,
    }
}

fn untyped(operation: &Operation) -> Finding {
    Finding::new(FindingCode::MediaTypeUndeclared, Position::Header("content-type"))
        .at(operation.body_origin.get())
}

/// The finding that a fault in the body is.
fn body_finding(view: &View<'_>, watch: &Watch, operation: &Operation, wrong: Wrong) -> Finding {
    let Wrong { code, fault, origin: place } = wrong;
    let mut origin = operation.body_origin.get();
    if let Some(media) = watch.media_type.and_then(|at| view.media_types.get(at as usize)) {
        origin = crate::access::present(media.origin.get()).unwrap_or(origin);
    }
    let mut keyword = None;
    if code == FindingCode::BodyInvalid {
        let place = crate::access::present(place);
        origin = place.or(crate::access::present(fault.origin(view))).unwrap_or(origin);
        keyword = Some(fault.written_keyword(view));
    }
    let position = Position::Body { pointer: fault.pointer, offset: fault.offset };
    Finding { keyword, ..Finding::new(code, position).at(origin) }
}
