//! Bodies by their kind: each is fed chunks and the end, and judged by a schema program as JSON.
//!
//! JSON is judged as it streams by. Forms, text, XML and JOSE objects are collected, up to the limit
//! on bodies; of multipart bodies the files are not kept. What they say is written as JSON text and
//! handed to the same validator, so that findings, limits and whoever reads scalars see one kind
//! of value. The verdict does not depend on how the body was cut.

mod jose;
mod lenient;
mod lines;
mod multipart;

use crate::access::slice;
use crate::exchange::KEPT;
use crate::finding::FindingCode;
use crate::media::ContentType;
use crate::params::{Form, FormFault, Parameters, Unreadable, cut_pairs, declared_field, declares};
use crate::percent::{self, Plus};
use crate::schema::{
    FORM_ESCAPE, Fault, FaultKind, Field, Limits, Malformation, Part, ScalarSink, Validator,
};
use crate::xml::{Program, Xml};
use portcullis_bundle::layout::{BodyKind, BodyPart, Keyword, MEDIA_WHOLE, MediaType, NONE, View};

/// What a body is judged by.
#[derive(Clone, Copy)]
pub(crate) struct Task<'a, 'b> {
    pub view: &'a View<'b>,
    pub media: &'a MediaType,
    pub limits: Limits,
    /// Fields of a form and parts of a multipart body, at most.
    pub max_fields: u32,
}

impl<'a, 'b> Task<'a, 'b> {
    /// What the document says of a part.
    fn part(&self, name: &[u8]) -> Option<&'b BodyPart> {
        slice(self.view.body_parts, self.media.parts.get(), self.media.part_count.get())
            .iter()
            .find(|part| self.view.bytes(part.name) == name)
    }

    fn form(&self) -> Form<'a, 'b> {
        Form {
            view: self.view,
            schema: self.media.schema.get(),
            value: self.media.value.get(),
            limits: self.limits,
            max_pairs: self.max_fields,
        }
    }
}

/// Why a body is refused.
#[derive(Debug)]
pub(crate) struct Wrong {
    pub code: FindingCode,
    pub fault: Fault,
    /// Where the documents say so, if no schema's record tells: index into origins, or `NONE`.
    pub origin: u32,
}

impl Wrong {
    /// What is wrong at a place of the body.
    fn new(code: FindingCode, kind: FaultKind, offset: usize) -> Self {
        let (keyword, pointer) = (Keyword::Schema, String::new());
        let fault =
            Fault { kind, keyword, schema: NONE, member: 0, offset: offset as u64, pointer };
        Wrong { code, fault, origin: NONE }
    }

    /// The number of octets is not one that the schema allows.
    fn length(keyword: Keyword, schema: u32, offset: usize) -> Self {
        let mut wrong = Wrong::new(FindingCode::BodyInvalid, FaultKind::Invalid, offset);
        (wrong.fault.keyword, wrong.fault.schema) = (keyword, schema);
        wrong
    }

    fn malformed(what: Malformation, offset: usize) -> Self {
        Wrong::new(FindingCode::BodyMalformed, FaultKind::Malformed(what), offset)
    }

    fn too_large(part: Part, offset: usize) -> Self {
        Wrong::new(FindingCode::BodyTooLarge, FaultKind::TooLarge(part), offset)
    }

    /// The same, of a property; `*` where no schema declares it.
    fn of(mut self, task: &Task<'_, '_>, name: &[u8]) -> Self {
        let declared = declares(task.view, task.media.value.get(), name);
        self.fault.pointer = match core::str::from_utf8(name) {
            Ok(name) if declared => pointer_to(name),
            _ => "/*".to_owned(),
        };
        self
    }
}

/// What is wrong with the number of octets of a body, which its schema can bound (OpenAPI 3.1.1, section 4.8.14.3: "the
/// length is the number of octets").
pub(crate) fn judge_octets(view: &View<'_>, media: &MediaType, octets: u64) -> Result<(), Wrong> {
    let Some((least, most)) = octet_bounds(view, media) else { return Ok(()) };
    let (schema, end) = (media.schema.get(), usize::try_from(octets).unwrap_or(usize::MAX));
    if octets < u64::from(least) {
        return Err(Wrong::length(Keyword::MinLength, schema, end));
    }
    if most != NONE && octets > u64::from(most) {
        return Err(Wrong::length(Keyword::MaxLength, schema, most as usize));
    }
    Ok(())
}

/// How many octets a body may have: at least, and at most or `NONE`.
pub(crate) fn octet_bounds(view: &View<'_>, media: &MediaType) -> Option<(u32, u32)> {
    let check = view.schemas.get(media.schema.get() as usize)?.string.get();
    let check = view.string_checks.get(check as usize)?;
    Some((check.min_length.get(), check.max_length.get()))
}

impl From<Fault> for Wrong {
    fn from(fault: Fault) -> Self {
        let code = match fault.kind {
            FaultKind::Malformed(_) => FindingCode::BodyMalformed,
            FaultKind::DuplicateName => FindingCode::BodyDuplicateKey,
            FaultKind::TooDeep => FindingCode::BodyTooDeep,
            FaultKind::TooLarge(_) => FindingCode::BodyTooLarge,
            FaultKind::Budget => FindingCode::BodyBudget,
            FaultKind::Invalid => FindingCode::BodyInvalid,
        };
        Wrong { code, fault, origin: NONE }
    }
}

impl From<FormFault> for Wrong {
    fn from(fault: FormFault) -> Self {
        match fault {
            FormFault::TooMany => Wrong::too_large(Part::Properties, 0),
            FormFault::Unreadable(Unreadable::Malformed) => {
                Wrong::malformed(Malformation::Unexpected, 0)
            }
            FormFault::Unreadable(Unreadable::Repeated) => {
                Wrong::new(FindingCode::BodyDuplicateKey, FaultKind::DuplicateName, 0)
            }
            // The place is one of the JSON text, which nobody has sent.
            FormFault::Invalid(fault) => Wrong::from(Fault { offset: 0, ..fault }),
        }
    }
}

/// What was judged of a body that is not refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Judged {
    /// All of it.
    Whole,
    /// Its form: the content is encrypted, or no schema can say what it is.
    Form,
}

/// Who judges what a body says in the end.
pub(crate) struct Judges<'a> {
    pub validator: &'a mut Validator,
    pub parameters: &'a mut Parameters,
}

/// Judges one body at a time; its buffers serve the next one.
#[derive(Debug, Default)]
pub(crate) struct Bodies {
    /// A body that is judged as a whole.
    collected: Vec<u8>,
    /// Octets of a body of which only their number is judged.
    octets: u64,
    decoded: Vec<u8>,
    xml: Xml,
    parts: multipart::Parts,
    lines: lines::Lines,
}

impl Bodies {
    /// Begins a body of a media type as sent.
    ///
    /// # Errors
    /// Where the media type lacks what the kind needs.
    pub(crate) fn begin(
        &mut self,
        task: &Task<'_, '_>,
        kind: BodyKind,
        sent: &ContentType<'_>,
        judges: &mut Judges<'_>,
    ) -> Result<(), ()> {
        self.collected.clear();
        self.octets = 0;
        match kind {
            BodyKind::Json => judges.validator.begin(task.media.schema.get(), task.limits),
            BodyKind::JsonLines | BodyKind::JsonSeq => {
                let whole = task.media.flags & MEDIA_WHOLE != 0;
                self.lines.begin(kind == BodyKind::JsonSeq, whole);
            }
            BodyKind::Multipart => {
                judges.parameters.begin_form();
                return self.parts.begin(sent);
            }
            _ => {}
        }
        Ok(())
    }

    /// Judges the next bytes of the body; `stops` where a limit ends it here.
    pub(crate) fn chunk<S: ScalarSink>(
        &mut self,
        task: &Task<'_, '_>,
        kind: BodyKind,
        (chunk, stops): (&[u8], bool),
        judges: &mut Judges<'_>,
        sink: &mut S,
    ) -> Result<(), Wrong> {
        match kind {
            BodyKind::Json => {
                judges.validator.feed(task.view, chunk, sink)?;
                if stops {
                    judges.validator.settle(task.view, sink)?;
                }
                Ok(())
            }
            BodyKind::JsonLines | BodyKind::JsonSeq => {
                self.lines.chunk(task, chunk, stops, judges.validator, sink)
            }
            BodyKind::Multipart => self.parts.chunk(task, chunk, judges, sink),
            BodyKind::Form | BodyKind::Text | BodyKind::Xml | BodyKind::Jose => {
                self.collected.extend_from_slice(chunk);
                Ok(())
            }
            BodyKind::Binary => {
                self.octets = self.octets.saturating_add(chunk.len() as u64);
                Ok(())
            }
            BodyKind::Opaque | BodyKind::Range => Ok(()),
        }
    }

    /// Judges the end of the body.
    pub(crate) fn end<S: ScalarSink>(
        &mut self,
        task: &Task<'_, '_>,
        kind: BodyKind,
        judges: &mut Judges<'_>,
        sink: &mut S,
    ) -> Result<Judged, Wrong> {
        let (validator, body) = (&mut *judges.validator, self.collected.as_slice());
        match kind {
            BodyKind::Json => validator.finish(task.view, sink)?,
            BodyKind::JsonLines | BodyKind::JsonSeq => self.lines.end(task, validator, sink)?,
            BodyKind::Form => {
                self.decoded.clear();
                give_form(task, body, &mut self.decoded, sink);
                if percent::has_broken_escape(body) {
                    sink.departs(FORM_ESCAPE);
                }
                judges.parameters.judge_form(task.form(), body, validator)?;
            }
            BodyKind::Multipart => return self.parts.end(task, judges, sink),
            BodyKind::Text => {
                utf8(body, 0)?;
                if body.len() > task.limits.string as usize {
                    return Err(Wrong::too_large(Part::String, 0));
                }
                give_field(task, b"", body, Role::Value, sink);
                judges.parameters.judge_plain(task.form(), body, validator)?;
            }
            BodyKind::Xml => {
                let (schema, guide) = (task.media.schema.get(), task.media.xml.get());
                let program = Program { schema, guide };
                let judged = self.xml.judge(task.view, program, task.limits, body, validator, sink);
                if judged.is_err() && sink.wants_all() {
                    Xml::texts(body, |text| give_field(task, b"", text, Role::Value, sink));
                }
                judged?;
            }
            BodyKind::Jose => return jose::judge(task, body, &mut self.decoded, validator, sink),
            BodyKind::Binary => judge_octets(task.view, task.media, self.octets)?,
            BodyKind::Opaque | BodyKind::Range => {}
        }
        Ok(Judged::Whole)
    }

    /// Forgets the body, and what a large one has left in the buffers.
    pub(crate) fn reset(&mut self) {
        for buffer in [&mut self.collected, &mut self.decoded] {
            buffer.clear();
            buffer.shrink_to(KEPT);
        }
        self.xml.trim(KEPT);
        self.parts.trim(KEPT);
    }
}

/// Hands the fields of a form to the sink, decoded.
fn give_form<S: ScalarSink>(task: &Task<'_, '_>, body: &[u8], buffer: &mut Vec<u8>, sink: &mut S) {
    for (name, value) in cut_pairs(body, task.max_fields) {
        buffer.clear();
        percent::decode_leniently(name, Plus::Space, buffer);
        let end = buffer.len();
        percent::decode_leniently(value, Plus::Space, buffer);
        let (name, text) = buffer.split_at_checked(end).unwrap_or_default();
        give_field(task, name, text, Role::Value, sink);
    }
}

/// What a text is to the field of a form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    /// Its value, which its schema judges as text.
    Value,
    /// JSON that says its value.
    Json,
    /// The name of its file.
    FileName,
}

/// Hands a field to the sink. The text of a whole body has no name.
fn give_field<S: ScalarSink>(
    task: &Task<'_, '_>,
    name: &[u8],
    text: &[u8],
    role: Role,
    sink: &mut S,
) {
    if !S::ACTIVE {
        return;
    }
    let declared = declared_field(task.view, task.media.value.get(), name);
    let pointer = match core::str::from_utf8(name) {
        Ok("") => String::new(),
        Ok(name) if declared.is_some() => pointer_to(name),
        _ => "/*".to_owned(),
    };
    let undeclared_name = (declared.is_none() && !name.is_empty()).then_some(name);
    let declared = declared.filter(|_| role == Role::Value);
    let is_file_name = role == Role::FileName;
    sink.field(&Field { pointer: &pointer, name, declared, undeclared_name, text, is_file_name });
}

/// The pointer to a property of the body.
fn pointer_to(name: &str) -> String {
    format!("/{}", name.replace('~', "~0").replace('/', "~1"))
}

/// Checks that text is UTF-8.
fn utf8(text: &[u8], offset: usize) -> Result<(), Wrong> {
    core::str::from_utf8(text).map(|_| ()).map_err(|error| {
        Wrong::malformed(Malformation::NotUtf8, offset.saturating_add(error.valid_up_to()))
    })
}
