//! Multipart bodies (RFC 2046, section 5.1) and forms in them (RFC 7578).
//!
//! Read strictly, as readers differ in what they forgive: no text before the first boundary or
//! after the last, CRLF alone ends lines, no folded header fields, no boundary after a lone LF or
//! CR. The content of files is measured and not kept.
//!
//! Where a sink wants all values, a body that is refused for its form is read on as forgiving readers would, so that
//! rules see what these would take; the first fault is the verdict at its end.

use super::lenient;
use super::{Judged, Judges, Role, Task, Wrong, give_field, utf8};
use crate::finding::FindingCode;
use crate::media::{self, ContentType};
use crate::params::{Encoding, property_types};
use crate::route::Span;
use crate::schema::{
    FORM_BOUNDARY_QUOTED, FORM_BOUNDARY_SPACE, FORM_DATA_AFTER, FORM_DATA_BEFORE, FORM_FOLDING,
    FORM_LF_LINE, FORM_MIXED_LINES, FORM_PART, FORM_UNMATCHED, FaultKind, Malformation, Part,
    ScalarSink,
};
use portcullis_bundle::layout::{
    BodyPart, Content, Keyword, NONE, SCHEMA_ANY, TYPE_NULL, TYPE_OBJECT,
};

/// Bytes of the header fields of one part, at most.
const MAX_HEADERS: usize = 8 << 10;
/// The longest string that stands for a file.
const MAX_FILLER: u32 = 1 << 16;
/// Bytes of a boundary, at most (RFC 2046, section 5.1.1).
const MAX_BOUNDARY: usize = 70;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    /// Before the first boundary.
    #[default]
    Start,
    /// In a line before it.
    Preamble,
    /// Behind a boundary, in what is no line's end.
    Tail,
    /// Behind a boundary: a line's end, or the end of all.
    Delimiter,
    /// In the header fields of a part.
    Headers,
    Content,
    /// Behind the last boundary.
    End,
    /// Behind the line's end that may follow it.
    Done,
}

/// How the content of a part is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Kept {
    Text,
    Json,
    #[default]
    Nothing,
}

/// The part being read.
#[derive(Debug, Default)]
struct Current {
    name: Vec<u8>,
    named: bool,
    has_file_name: bool,
    file_name: Vec<u8>,
    /// The content type as sent; empty where there is none.
    content_type: Vec<u8>,
    typed: bool,
    kept: Kept,
    /// The names of its header fields, lower case, each with a line's end.
    fields: Vec<u8>,
    /// Its header fields as sent, each with a line's end.
    lines: Vec<u8>,
    header_bytes: usize,
    /// Where its content begins in the text, and in the body.
    mark: usize,
    offset: usize,
    /// Bytes of binary content, at least and at most.
    sizes: (u32, u32),
    size: u64,
    /// `FORM_*` bits.
    departs: u16,
    /// Whether its disposition was read.
    disposed: bool,
}

/// A multipart body so far.
#[derive(Debug, Default)]
pub(super) struct Parts {
    state: State,
    form: bool,
    /// `--` and the boundary.
    dashed: Vec<u8>,
    /// What was fed and not read.
    carry: Vec<u8>,
    /// Bytes read before the carry.
    base: usize,
    count: u32,
    part: Current,
    /// The content of parts that are read.
    text: Vec<u8>,
    /// What the body is refused for, where it is read on.
    first: Option<Wrong>,
    /// `FORM_*` bits.
    departs: u16,
    /// Whether a line has ended in CRLF.
    has_crlf: bool,
}

impl Current {
    /// Takes name and file name from a header field as a forgiving reader would.
    fn departs(&mut self, line: &[u8]) {
        let colon = line.iter().position(|&byte| byte == b':').unwrap_or(line.len());
        let (name, value) = line.split_at_checked(colon).unwrap_or_default();
        if !name.trim_ascii().eq_ignore_ascii_case(b"content-disposition") {
            return;
        }
        // The first counts.
        if core::mem::replace(&mut self.disposed, true) {
            return;
        }
        let read = lenient::disposition(value);
        self.departs |= read.departs;
        (self.named, self.has_file_name) = (read.name.is_some(), read.file_name.is_some());
        self.name = read.name.unwrap_or_default();
        self.file_name = read.file_name.unwrap_or_default();
    }
}

impl Parts {
    pub(super) fn begin(&mut self, sent: &ContentType<'_>) -> Result<(), ()> {
        self.carry.clear();
        self.text.clear();
        self.dashed.clear();
        self.dashed.extend_from_slice(b"--");
        (self.first, self.departs, self.has_crlf) = (None, 0, false);
        if sent.is_well_formed {
            sent.copy_parameter(b"boundary", &mut self.dashed).ok_or(())?;
        } else {
            let (boundary, departs) = lenient::boundary(sent.parameters()).ok_or(())?;
            self.dashed.extend(boundary);
            self.departs |= departs;
        }
        let boundary = self.dashed.get(2..).unwrap_or_default();
        // bchars (RFC 2046, section 5.1.1)
        let allowed = |byte: &u8| byte.is_ascii_alphanumeric() || b"'()+_,-./:=? ".contains(byte);
        if boundary.is_empty()
            || boundary.len() > MAX_BOUNDARY
            || !boundary.iter().all(allowed)
            || boundary.ends_with(b" ")
        {
            return Err(());
        }
        self.form = sent.name.eq_ignore_ascii_case(b"multipart/form-data");
        (self.state, self.base, self.count) = (State::Start, 0, 0);
        if sent.is_quoted(b"boundary") {
            self.departs |= FORM_BOUNDARY_QUOTED;
        }
        Ok(())
    }

    pub(super) fn trim(&mut self, kept: usize) {
        self.carry.clear();
        self.carry.shrink_to(kept);
        self.text.clear();
        self.text.shrink_to(kept);
        self.part = Current::default();
    }

    pub(super) fn chunk<S: ScalarSink>(
        &mut self,
        task: &Task<'_, '_>,
        chunk: &[u8],
        judges: &mut Judges<'_>,
        sink: &mut S,
    ) -> Result<(), Wrong> {
        let mut carry = core::mem::take(&mut self.carry);
        carry.extend_from_slice(chunk);
        let mut at = 0;
        let mut outcome = Ok(true);
        while let Ok(true) = outcome {
            outcome = self.step(task, &carry, &mut at, judges, sink);
            if !sink.wants_all()
                && let Some(first) = self.first.take()
            {
                outcome = Err(first);
            }
        }
        if outcome.is_err() {
            sink.departs(self.departs);
            // What was found first is the verdict.
            outcome = self.first.take().map_or(outcome, Err);
        }
        carry.drain(..at.min(carry.len()));
        self.base = self.base.saturating_add(at);
        self.carry = carry;
        outcome.map(|_| ())
    }

    pub(super) fn end<S: ScalarSink>(
        &mut self,
        task: &Task<'_, '_>,
        judges: &mut Judges<'_>,
        sink: &mut S,
    ) -> Result<Judged, Wrong> {
        let place = self.base.saturating_add(self.carry.len());
        match self.state {
            State::End | State::Done if self.carry.is_empty() => {}
            _ => self.note(Wrong::malformed(Malformation::Truncated, place), FORM_UNMATCHED),
        }
        sink.departs(self.departs);
        if let Some(first) = self.first.take() {
            return Err(first);
        }
        if !self.form {
            return Ok(Judged::Form);
        }
        let (parameters, validator) = (&mut *judges.parameters, &mut *judges.validator);
        parameters.end_form(task.form(), &self.text, Encoding::Plain, validator)?;
        Ok(Judged::Whole)
    }

    /// Reads on from `at`; false where more input is needed.
    fn step<S: ScalarSink>(
        &mut self,
        task: &Task<'_, '_>,
        input: &[u8],
        at: &mut usize,
        judges: &mut Judges<'_>,
        sink: &mut S,
    ) -> Result<bool, Wrong> {
        let rest = input.get(*at..).unwrap_or_default();
        let here = self.base.saturating_add(*at);
        match self.state {
            State::Start => {
                let same = rest.iter().zip(&self.dashed).take_while(|(a, b)| a == b).count();
                if same == self.dashed.len() {
                    *at += same;
                    self.state = State::Delimiter;
                    return Ok(true);
                }
                if same < rest.len() {
                    self.note(unexpected(here.saturating_add(same)), FORM_DATA_BEFORE);
                    self.state = State::Preamble;
                    return Ok(true);
                }
                Ok(false)
            }
            State::Preamble | State::Tail => {
                let Some(end) = rest.iter().position(|&byte| byte == b'\n') else {
                    *at += rest.len();
                    return Ok(false);
                };
                *at += end.saturating_add(1);
                if self.state == State::Preamble {
                    self.state = State::Start;
                } else {
                    self.state = State::Headers;
                    self.begin_part(task, here)?;
                }
                Ok(true)
            }
            State::Delimiter => {
                let Some(pair) = rest.get(..2) else { return Ok(false) };
                self.state = match pair {
                    b"\r\n" => {
                        self.has_crlf = true;
                        State::Headers
                    }
                    b"--" if self.count > 0 => State::End,
                    _ => {
                        let from = match pair {
                            [b'\n', _] => FORM_LF_LINE,
                            [b' ' | b'\t', _] => FORM_BOUNDARY_SPACE,
                            _ => FORM_UNMATCHED,
                        };
                        self.note(unexpected(here), from);
                        self.state = State::Tail;
                        return Ok(true);
                    }
                };
                *at += 2;
                if self.state == State::Headers {
                    self.begin_part(task, here)?;
                }
                Ok(true)
            }
            State::Headers => self.header(task, rest, at),
            State::Content => self.content(task, rest, at, judges, sink),
            State::End => {
                if rest.len() < 2 && b"\r\n".starts_with(rest) {
                    return Ok(false);
                }
                if rest.starts_with(b"\r\n") {
                    *at += 2;
                } else {
                    self.note(unexpected(here), FORM_DATA_AFTER);
                }
                self.state = State::Done;
                Ok(true)
            }
            State::Done if rest.is_empty() => Ok(false),
            State::Done => {
                self.note(Wrong::malformed(Malformation::Trailing, here), FORM_DATA_AFTER);
                *at += rest.len();
                Ok(false)
            }
        }
    }

    /// Notes a fault of the form: the first is the verdict.
    fn note(&mut self, wrong: Wrong, departs: u16) {
        self.departs |= departs;
        self.first.get_or_insert(wrong);
    }

    fn begin_part(&mut self, task: &Task<'_, '_>, here: usize) -> Result<(), Wrong> {
        self.count = self.count.saturating_add(1);
        if self.count > task.max_fields {
            return Err(Wrong::too_large(Part::Properties, here));
        }
        let part = &mut self.part;
        part.name.clear();
        part.content_type.clear();
        part.fields.clear();
        part.lines.clear();
        let (content_type, fields, name) = (
            core::mem::take(&mut part.content_type),
            core::mem::take(&mut part.fields),
            core::mem::take(&mut part.name),
        );
        let lines = core::mem::take(&mut part.lines);
        *part = Current { content_type, fields, lines, name, ..Current::default() };
        Ok(())
    }

    /// Reads one header field, or the empty line behind them.
    fn header(&mut self, task: &Task<'_, '_>, rest: &[u8], at: &mut usize) -> Result<bool, Wrong> {
        let here = self.base.saturating_add(*at);
        let end = rest.iter().position(|&byte| byte == b'\n');
        let room = MAX_HEADERS.saturating_sub(self.part.header_bytes);
        if end.unwrap_or(rest.len()) > room {
            return Err(Wrong::too_large(Part::String, here.saturating_add(room)));
        }
        let Some(end) = end else { return Ok(false) };
        let line = rest.get(..end).unwrap_or_default();
        let line = match line.strip_suffix(b"\r") {
            Some(line) => {
                self.has_crlf = true;
                line
            }
            None => {
                let mixed = if self.has_crlf { FORM_MIXED_LINES } else { 0 };
                self.note(unexpected(here.saturating_add(end)), FORM_LF_LINE | mixed);
                line
            }
        };
        let next = end.saturating_add(1);
        *at = at.saturating_add(next);
        self.part.header_bytes = self.part.header_bytes.saturating_add(next);
        if line.is_empty() {
            if let Err(wrong) = self.begin_content(task, here.saturating_add(next)) {
                self.note(wrong, 0);
            }
            return Ok(true);
        }
        if line.starts_with(b" ") || line.starts_with(b"\t") {
            self.note(unexpected(here), FORM_FOLDING);
            // It goes on where the last one ended.
            self.part.lines.pop();
            self.part.lines.push(b' ');
            self.part.lines.extend_from_slice(line.trim_ascii());
            self.part.lines.push(b'\n');
            return Ok(true);
        }
        self.part.lines.extend_from_slice(line);
        self.part.lines.push(b'\n');
        if let Err(wrong) = self.field(line, here) {
            self.note(wrong, FORM_PART);
            self.part.departs(line);
        }
        Ok(true)
    }

    fn field(&mut self, line: &[u8], here: usize) -> Result<(), Wrong> {
        let broken = || unexpected(here);
        let colon = line.iter().position(|&byte| byte == b':').ok_or_else(broken)?;
        let (name, value) = line.split_at_checked(colon).ok_or_else(broken)?;
        let value = value.get(1..).unwrap_or_default().trim_ascii();
        let control = |byte: &u8| byte.is_ascii_control() && *byte != b'\t';
        if !media::is_token(name) || value.iter().any(control) {
            return Err(broken());
        }
        let start = self.part.fields.len();
        self.part.fields.extend(name.iter().map(u8::to_ascii_lowercase));
        let (known, name) = self.part.fields.split_at_checked(start).unwrap_or_default();
        if known.split(|&byte| byte == b'\n').any(|known| known == name && !name.is_empty()) {
            return Err(broken());
        }
        match name {
            b"content-disposition" => {
                self.part.fields.push(b'\n');
                if !self.form {
                    return Ok(());
                }
                return self.disposition(value, here);
            }
            b"content-type" => {
                media::parse(value).ok_or_else(broken)?;
                self.part.content_type.extend_from_slice(value);
                self.part.typed = true;
            }
            // Deprecated in forms (RFC 7578, section 4.7): what it encodes is not decoded.
            b"content-transfer-encoding" => {
                let plain = [&b"7bit"[..], b"8bit", b"binary"];
                if !plain.iter().any(|plain| value.eq_ignore_ascii_case(plain)) {
                    return Err(broken());
                }
            }
            _ => {}
        }
        self.part.fields.push(b'\n');
        Ok(())
    }

    /// `form-data; name="…"; filename="…"` (RFC 7578, section 4.2), without escapes, which readers
    /// understand in several ways.
    fn disposition(&mut self, value: &[u8], here: usize) -> Result<(), Wrong> {
        let broken = || unexpected(here);
        let end = value.iter().position(|&byte| byte == b';').unwrap_or(value.len());
        let (kind, mut rest) = value.split_at_checked(end).ok_or_else(broken)?;
        if !kind.trim_ascii().eq_ignore_ascii_case(b"form-data") || value.contains(&b'\\') {
            return Err(broken());
        }
        while let Some((parameter, after)) = media::next_parameter(rest).ok_or_else(broken)? {
            // Some readers take these for quotes.
            if rest.split(|&byte| byte == b'=').nth(1).is_some_and(|it| it.starts_with(b"'")) {
                return Err(broken());
            }
            rest = after;
            utf8(parameter.value, here)?;
            if parameter.name.eq_ignore_ascii_case(b"name") && !self.part.named {
                self.part.name.extend_from_slice(parameter.value);
                self.part.named = true;
            } else if parameter.name.eq_ignore_ascii_case(b"filename")
                && !self.part.has_file_name
                && is_plain_name(parameter.value)
            {
                self.part.has_file_name = true;
                self.part.file_name.extend_from_slice(parameter.value);
            } else {
                // Twice, `filename*`, a path, or nothing that forms have.
                return Err(broken());
            }
        }
        self.part.disposed = true;
        Ok(())
    }

    fn begin_content(&mut self, task: &Task<'_, '_>, here: usize) -> Result<(), Wrong> {
        self.state = State::Content;
        (self.part.offset, self.part.mark) = (here, self.text.len());
        self.departs |= self.part.departs;
        // What a part is kept as that is refused.
        self.part.kept = if self.part.has_file_name { Kept::Nothing } else { Kept::Text };
        if !self.form {
            return Ok(());
        }
        if !self.part.named {
            return Err(unexpected(here));
        }
        let name = self.part.name.as_slice();
        let sent = if self.part.typed { media::parse(&self.part.content_type) } else { None };
        let refuse = |code| Err(Wrong::new(code, FaultKind::Invalid, here).of(task, name));
        if sent.is_some_and(|sent| sent.name.get(..10).is_some_and(is_multipart)) {
            return refuse(FindingCode::BodyMalformed);
        }
        let declared = task.part(name);
        let content = declared.and_then(|part| Content::from_code(part.content));
        let content =
            content.unwrap_or_else(|| content_by_type(task, name, self.part.has_file_name));
        if let Some(field) = declared {
            let wanted = task.view.bytes(field.content_types);
            let default = ContentType::plain();
            if !wanted.is_empty() && !covered(wanted, &sent.unwrap_or(default)) {
                return refuse(FindingCode::MediaTypeUndeclared);
            }
            let has = |wanted: &[u8]| {
                self.part.fields.split(|&byte| byte == b'\n').any(|it| it == wanted)
            };
            let headers = task.view.bytes(field.headers);
            if headers.split(|&byte| byte == b'\n').any(|wanted| !wanted.is_empty() && !has(wanted))
            {
                let mut wrong = Wrong::new(FindingCode::BodyInvalid, FaultKind::Invalid, here);
                wrong.fault.keyword = Keyword::Required;
                return Err(wrong.of(task, name));
            }
        }
        let fits = match (content, sent) {
            (Content::Json, Some(sent)) => sent.is_json() || declared.is_some_and(has_types),
            (Content::Text, Some(sent)) => {
                sent.name.get(..5).is_some_and(|start| start.eq_ignore_ascii_case(b"text/"))
                    || declared.is_some_and(has_types)
            }
            _ => true,
        };
        if !fits {
            return refuse(FindingCode::MediaTypeUndeclared);
        }
        self.part.sizes =
            declared.map_or((0, NONE), |part| (part.min_size.get(), part.max_size.get()));
        self.part.kept = match content {
            Content::Json => Kept::Json,
            Content::Binary => Kept::Nothing,
            Content::Text => Kept::Text,
        };
        if self.part.kept != Kept::Nothing && sent.is_some_and(|sent| !sent.utf8) {
            return refuse(FindingCode::CharsetUnsupported);
        }
        Ok(())
    }

    /// Reads content up to a boundary.
    fn content<S: ScalarSink>(
        &mut self,
        task: &Task<'_, '_>,
        rest: &[u8],
        at: &mut usize,
        judges: &mut Judges<'_>,
        sink: &mut S,
    ) -> Result<bool, Wrong> {
        let here = self.base.saturating_add(*at);
        // Two bytes of a line's end may stand before what is looked for.
        let keep = self.dashed.len().saturating_add(1);
        let mut from = 0;
        loop {
            let dash = rest.get(from..).and_then(|it| it.iter().position(|&byte| byte == b'-'));
            let Some(found) = dash.map(|dash| from.saturating_add(dash)) else { break };
            let tail = rest.get(found..).unwrap_or_default();
            if tail.len() < self.dashed.len() && self.dashed.starts_with(tail) {
                break;
            }
            if tail.starts_with(&self.dashed) {
                let before = rest.get(..found).unwrap_or_default();
                if let Some(content) = before.strip_suffix(b"\r\n") {
                    self.take(task, content)?;
                    self.end_part(task, judges, sink)?;
                    *at = at.saturating_add(found).saturating_add(self.dashed.len());
                    self.state = State::Delimiter;
                    return Ok(true);
                }
                let starts = before.is_empty() && self.part.size == 0;
                if starts || before.ends_with(b"\n") || before.ends_with(b"\r") {
                    // Counted first, so that what is found first does not depend on the cuts.
                    self.take(task, before.get(..found.saturating_sub(1)).unwrap_or_default())?;
                    self.note(unexpected(here.saturating_add(found)), FORM_LF_LINE);
                    self.end_part(task, judges, sink)?;
                    *at = at.saturating_add(found).saturating_add(self.dashed.len());
                    self.state = State::Delimiter;
                    return Ok(true);
                }
            }
            from = found.saturating_add(1);
        }
        let safe = rest.len().saturating_sub(keep);
        self.take(task, rest.get(..safe).unwrap_or_default())?;
        *at = at.saturating_add(safe);
        Ok(false)
    }

    fn take(&mut self, task: &Task<'_, '_>, bytes: &[u8]) -> Result<(), Wrong> {
        self.part.size = self.part.size.saturating_add(bytes.len() as u64);
        if self.part.kept == Kept::Text && self.part.size > u64::from(task.limits.string) {
            return Err(Wrong::too_large(Part::String, self.part.offset));
        }
        if self.part.kept != Kept::Nothing {
            self.text.extend_from_slice(bytes);
        }
        Ok(())
    }

    fn end_part<S: ScalarSink>(
        &mut self,
        task: &Task<'_, '_>,
        judges: &mut Judges<'_>,
        sink: &mut S,
    ) -> Result<(), Wrong> {
        if !self.form {
            return Ok(());
        }
        let (part, mark) = (&self.part, self.part.mark);
        let name = part.name.as_slice();
        if S::ACTIVE {
            let lines = part.lines.split(|&byte| byte == b'\n').filter(|line| !line.is_empty());
            lines.for_each(|line| sink.part_header(name, line));
        }
        if part.has_file_name {
            let text = self.text.get(mark..).unwrap_or_default();
            let kept = part.kept != Kept::Nothing;
            sink.file(if kept { text.len() as u64 } else { part.size });
        }
        if part.kept == Kept::Nothing {
            let (least, most) = part.sizes;
            let small = part.size < u64::from(least);
            if small || (most != NONE && part.size > u64::from(most)) {
                let keyword = if small { Keyword::MinLength } else { Keyword::MaxLength };
                let mut wrong = Wrong::length(keyword, NONE, part.offset);
                wrong.origin = task.part(name).map_or(NONE, |part| {
                    let origin = if small { part.min_origin } else { part.max_origin };
                    origin.get()
                });
                self.first.get_or_insert(wrong.of(task, name));
            }
            // A string as long as the schema asks for stands for the file.
            let len = self.text.len().saturating_add(least.min(MAX_FILLER) as usize);
            self.text.resize(len, b'x');
        } else {
            let text = self.text.get(mark..).unwrap_or_default();
            if let Err(wrong) = utf8(text, part.offset) {
                self.first.get_or_insert(wrong.of(task, name));
            }
            let role = if part.kept == Kept::Json { Role::Json } else { Role::Value };
            give_field(task, name, text, role, sink);
            if part.kept == Kept::Json {
                // What it says is judged with the whole form; here its strings are read.
                let (validator, limits) = (&mut *judges.validator, task.limits);
                let _ = validator.validate(task.view, SCHEMA_ANY, limits, text, sink);
            }
        }
        if part.has_file_name {
            give_field(task, name, &part.file_name, Role::FileName, sink);
        }
        let place = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        let value = Span { start: place(mark), end: place(self.text.len()) };
        judges
            .parameters
            .add_to_form(task.form(), name, Encoding::Plain, value)
            .map_err(|_| unexpected(part.offset))
    }
}

/// How a part is read that the document does not declare (OpenAPI 3.1.1, section 4.8.15).
fn content_by_type(task: &Task<'_, '_>, name: &[u8], has_file_name: bool) -> Content {
    let types = property_types(task.view, task.media.value.get(), name);
    match (types & TYPE_OBJECT != 0, types & !TYPE_OBJECT & !TYPE_NULL != 0) {
        (true, false) => Content::Json,
        _ if has_file_name => Content::Binary,
        _ => Content::Text,
    }
}

fn unexpected(place: usize) -> Wrong {
    Wrong::malformed(Malformation::Unexpected, place)
}

fn is_multipart(kind: &[u8]) -> bool {
    kind.eq_ignore_ascii_case(b"multipart/")
}

fn has_types(field: &BodyPart) -> bool {
    field.content_types.len.get() > 0
}

/// Whether one of the declared types, a line each, covers the one sent.
fn covered(wanted: &[u8], sent: &ContentType<'_>) -> bool {
    wanted.split(|&byte| byte == b'\n').any(|wanted| media::takes(wanted, b"", sent))
}

/// Whether a file name is a name alone: no path, nor what a file system reads as one.
fn is_plain_name(name: &[u8]) -> bool {
    !matches!(name, b"." | b"..") && !name.iter().any(|&byte| matches!(byte, b'/' | b'\\' | 0))
}
