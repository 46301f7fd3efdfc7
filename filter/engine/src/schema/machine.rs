//! The machine: one loop over the tokens of a body, a frame for each open array and object.

use super::array;
use super::check::{self, Value};
use super::core::{Core, Expect, Stop};
use super::digest;
use super::fault::{Fault, FaultKind, Malformation, Part};
use super::frame::{Container, DIGEST, Frame, PLAIN, TAG, THREADS, UNIQUE, pointer};
use super::number::{Scanned, scan};
use super::object;
use super::plain::{self, Cursor};
use super::sink::{Place, Scalar, ScalarKind, ScalarSink};
use super::string::string_end;
use super::token::{content, skip};
use portcullis_bundle::layout::{BodyLimits, NONE, SCHEMA_ANY, View};

/// What a body may cost, whatever its schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Arrays and objects within each other.
    pub depth: u32,
    /// Bytes of a string or name as sent.
    pub string: u32,
    /// Properties of one object.
    pub properties: u32,
    /// Items of one array.
    pub items: u32,
    /// Digits of a number.
    pub digits: u32,
    /// Steps beyond the scan itself: threads run, names compared.
    pub steps: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            depth: 32,
            string: 256 * 1024,
            properties: 1024,
            items: 65_536,
            digits: 1024,
            steps: 4_000_000,
        }
    }
}

impl From<&BodyLimits> for Limits {
    fn from(limits: &BodyLimits) -> Self {
        Limits {
            depth: u32::from(limits.max_depth.get()),
            string: limits.max_string.get(),
            properties: limits.max_properties.get(),
            items: limits.max_items.get(),
            digits: u32::from(limits.max_digits.get()),
            ..Limits::default()
        }
    }
}

/// How far a body has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// The value is not known to be complete.
    Unfinished,
    /// The value is complete: only white space may follow.
    Complete,
}

/// Judges one body at a time; its buffers serve the next one.
#[derive(Debug, Default)]
pub struct Validator {
    core: Core,
    frames: Vec<Frame>,
    scratch: Vec<u8>,
    carry: Vec<u8>,
    retry_at: usize,
}

impl Validator {
    /// A validator without buffers.
    pub fn new() -> Self {
        Self::default()
    }

    /// Begins a body. `schema` is an index into the view's schemas.
    pub fn begin(&mut self, schema: u32, limits: Limits) {
        self.carry.clear();
        self.retry_at = 0;
        self.frames.resize(limits.depth as usize + 1, Frame::default());
        if let Some(root) = self.frames.first_mut() {
            *root = Frame { part: NONE, member: NONE, ..Frame::default() };
        }
        self.core.begin(schema, limits);
    }

    /// Judges the next bytes of the body.
    ///
    /// # Errors
    /// With what is wrong, if anything is; further calls then mean nothing.
    pub fn feed<S: ScalarSink>(
        &mut self,
        view: &View<'_>,
        chunk: &[u8],
        sink: &mut S,
    ) -> Result<Progress, Fault> {
        if self.carry.is_empty() {
            let used =
                run(&mut self.core, &mut self.frames, &mut self.scratch, view, chunk, false, sink)?;
            self.core.base = self.core.base.saturating_add(used as u64);
            self.carry.extend_from_slice(chunk.get(used..).unwrap_or_default());
        } else {
            self.carry.extend_from_slice(chunk);
            if self.carry.len() >= self.retry_at {
                let used = run(
                    &mut self.core,
                    &mut self.frames,
                    &mut self.scratch,
                    view,
                    &self.carry,
                    false,
                    sink,
                )?;
                self.core.base = self.core.base.saturating_add(used as u64);
                self.carry.drain(..used.min(self.carry.len()));
            }
        }
        // An unfinished token is read again only when it has doubled, so the whole stays linear.
        if self.carry.is_empty() {
            self.retry_at = 0;
        } else if self.carry.len() >= self.retry_at {
            self.retry_at = self.carry.len().saturating_mul(2);
        }
        Ok(if self.core.is_complete() { Progress::Complete } else { Progress::Unfinished })
    }

    /// Judges what was fed and not judged yet, for callers that are going to stop: where they stop then
    /// does not depend on the cuts. More may be fed afterwards.
    ///
    /// # Errors
    /// With what is wrong, if anything is; further calls then mean nothing.
    pub fn settle<S: ScalarSink>(&mut self, view: &View<'_>, sink: &mut S) -> Result<(), Fault> {
        let used = run(
            &mut self.core,
            &mut self.frames,
            &mut self.scratch,
            view,
            &self.carry,
            false,
            sink,
        )?;
        self.core.base = self.core.base.saturating_add(used as u64);
        self.carry.drain(..used.min(self.carry.len()));
        self.retry_at = 0;
        Ok(())
    }

    /// The JSON pointer to the innermost value that is open.
    pub fn pointer(&self, view: &View<'_>) -> String {
        let open = self.frames.get(..=self.core.top).unwrap_or_default();
        pointer(view, open, None)
    }

    /// Gives back what a large body has left in the buffers, down to `kept` bytes of each.
    pub fn trim(&mut self, kept: usize) {
        self.carry.clear();
        self.carry.shrink_to(kept);
        self.scratch.clear();
        self.scratch.shrink_to(kept);
        self.core.content.take_if(|nested| nested.capacity() > kept);
    }

    /// Judges the end of the body.
    ///
    /// # Errors
    /// With what is wrong, if anything is.
    pub fn finish<S: ScalarSink>(&mut self, view: &View<'_>, sink: &mut S) -> Result<(), Fault> {
        run(&mut self.core, &mut self.frames, &mut self.scratch, view, &self.carry, true, sink)?;
        self.carry.clear();
        Ok(())
    }

    /// Judges a whole body.
    ///
    /// # Errors
    /// With what is wrong, if anything is.
    pub fn validate<S: ScalarSink>(
        &mut self,
        view: &View<'_>,
        schema: u32,
        limits: Limits,
        body: &[u8],
        sink: &mut S,
    ) -> Result<(), Fault> {
        self.begin(schema, limits);
        run(&mut self.core, &mut self.frames, &mut self.scratch, view, body, true, sink)?;
        Ok(())
    }
}

/// Judges tokens from the start of `input` on, as many as it holds; gives the bytes used. An
/// unfinished token is not used. With `last`, no input follows.
///
/// `frames` has a place for every frame that may be open, the root first. Frames are made and changed where
/// they lie: a copy of one would be a call out of wasm (`memory.copy`).
pub(super) fn run<S: ScalarSink>(
    core: &mut Core,
    frames: &mut [Frame],
    scratch: &mut Vec<u8>,
    view: &View<'_>,
    input: &[u8],
    last: bool,
    sink: &mut S,
) -> Result<usize, Fault> {
    let mut at = 0_usize;
    let mut expect = core.expect;
    let mut want = core.want;
    let mut top = core.top;
    // Whether a member or item may begin here that the common path has not looked at yet.
    let mut plain = true;

    'container: loop {
        let Some((below, above)) = frames.split_at_mut_checked(top + 1) else { return Ok(at) };
        let Some((frame, outer)) = below.split_last_mut() else { return Ok(at) };

        macro_rules! fault {
            ($kind:expr, $at:expr, $within:expr) => {
                return Err(core.fault(view, outer, frame, $kind, $at, $within))
            };
        }
        macro_rules! malformed {
            ($what:ident, $at:expr) => {
                fault!(FaultKind::Malformed(Malformation::$what), $at, expect > Expect::Name)
            };
        }
        macro_rules! pause {
            () => {{
                if last && !(expect == Expect::After && top == 0) {
                    malformed!(Truncated, input.len());
                }
                core.expect = expect;
                core.want = want;
                core.top = top;
                return Ok(at);
            }};
        }
        macro_rules! stop {
            ($stop:expr, $at:expr, $within:expr) => {
                match $stop {
                    Stop::Unfinished => pause!(),
                    other => return Err(core.stopped(view, outer, frame, other, $at, $within)),
                }
            };
        }

        loop {
            if plain && frame.flags == PLAIN && may_be_plain(frame, expect) {
                plain = false;
                let cursor = Cursor { at, expect, want, top };
                let cursor = plain::run(core, frames, view, input, sink, cursor);
                (at, expect, want, top) = (cursor.at, cursor.expect, cursor.want, cursor.top);
                continue 'container;
            }
            if expect <= Expect::Name {
                let Some(byte) = skip(input, &mut at) else { pause!() };
                if byte == b'"' {
                    let start = at + 1;
                    core.at = at;
                    match object::name(core, scratch, view, input, start, frame) {
                        Ok((after, schema)) => {
                            if S::ACTIVE && frame.member == NONE {
                                let raw = input.get(start..after - 1).unwrap_or_default();
                                // What is escaped has been unescaped to be looked up.
                                let text =
                                    if raw.contains(&b'\\') { scratch.as_slice() } else { raw };
                                let offset = core.base.saturating_add(at as u64);
                                let (kind, schema) = (ScalarKind::Name, SCHEMA_ANY);
                                let place = Place { view, frames: outer, top: frame };
                                sink.scalar(&Scalar { kind, raw, text, schema, offset }, &place);
                            }
                            want = schema;
                            at = after;
                        }
                        Err(why) => stop!(why, at, true),
                    }
                    expect = Expect::Colon;
                } else if byte == b'}' && expect == Expect::FirstName {
                    at += 1;
                    expect = Expect::Closed;
                } else {
                    malformed!(Unexpected, at);
                }
            } else if expect == Expect::FirstItem {
                let Some(byte) = skip(input, &mut at) else { pause!() };
                if byte == b']' {
                    at += 1;
                    expect = Expect::Closed;
                } else {
                    frame.count = 1;
                    core.at = at;
                    match array::item(core, view, frame) {
                        Ok(schema) => want = schema,
                        Err(why) => stop!(why, at, true),
                    }
                    expect = Expect::Value;
                    plain = true;
                    continue;
                }
            } else if expect == Expect::Tag {
                if skip(input, &mut at).is_none() {
                    pause!();
                }
                let rest = input.get(at..).unwrap_or_default();
                let Some(parent) = outer.last() else { return Ok(at) };
                core.at = at;
                if let Err(why) = core.open_tagged(view, parent, frame, rest, last) {
                    stop!(why, at, false);
                }
                if frame.flags & TAG == 0 {
                    expect = Expect::FirstName;
                    plain = true;
                }
                continue;
            }
            if expect == Expect::Colon {
                if input.get(at) != Some(&b':') {
                    let Some(byte) = skip(input, &mut at) else { pause!() };
                    if byte != b':' {
                        malformed!(Unexpected, at);
                    }
                }
                at += 1;
                expect = Expect::Value;
            }
            if expect == Expect::Value {
                let Some(byte) = skip(input, &mut at) else { pause!() };
                core.at = at;
                if byte == b'"' {
                    let start = at + 1;
                    let end = string_end(input, start);
                    let ascii = end.flags == 0 && end.at - start <= core.limits.string as usize;
                    let text = if ascii {
                        input.get(start..end.at).unwrap_or_default()
                    } else {
                        match content(scratch, input, start, end, core.limits.string) {
                            Ok(content) => content,
                            Err(why) => stop!(why, at, true),
                        }
                    };
                    let plain = view.schemas.get(want as usize);
                    let plain = plain.filter(|schema| schema.composition_count.get() == 0);
                    if let Some(schema) = plain
                        && frame.flags & (DIGEST | UNIQUE) == 0
                    {
                        if let Err(keyword) = check::string(view, schema, text, ascii) {
                            stop!(Stop::Refused(keyword, want), at, true);
                        }
                    } else if let Err(why) =
                        core.scalar(view, frame, want, &Value::String(text, ascii))
                    {
                        stop!(why, at, true);
                    }
                    if S::ACTIVE {
                        let raw = input.get(start..end.at).unwrap_or_default();
                        let offset = core.base.saturating_add(at as u64);
                        let kind = ScalarKind::String;
                        let place = Place { view, frames: outer, top: frame };
                        sink.scalar(&Scalar { kind, raw, text, schema: want, offset }, &place);
                    }
                    at = end.at + 1;
                } else if byte == b'{' || byte == b'[' {
                    let Some(child) = above.first_mut() else {
                        fault!(FaultKind::TooDeep, at, true);
                    };
                    let opened = if byte == b'{' {
                        expect = Expect::FirstName;
                        object::open(core, view, frame, want, child)
                    } else {
                        expect = Expect::FirstItem;
                        array::open(core, view, frame, want, child)
                    };
                    if let Err(why) = opened {
                        stop!(why, at, true);
                    }
                    if child.flags & TAG != 0 {
                        expect = Expect::Tag;
                    }
                    at += 1;
                    top += 1;
                    plain = true;
                    continue 'container;
                } else if byte == b'-' || byte.is_ascii_digit() {
                    let (number, end) = match scan(input, at, last, core.limits.digits) {
                        Scanned::Number(number, end) => (number, end),
                        Scanned::Unfinished => pause!(),
                        Scanned::Malformed(place) => malformed!(Number, place),
                        Scanned::TooLong => fault!(FaultKind::TooLarge(Part::Number), at, true),
                    };
                    let plain = view.schemas.get(want as usize);
                    let plain = plain.filter(|schema| schema.composition_count.get() == 0);
                    if let Some(schema) = plain
                        && frame.flags & (DIGEST | UNIQUE) == 0
                    {
                        if let Err(keyword) = check::number(view, schema, &number) {
                            stop!(Stop::Refused(keyword, want), at, true);
                        }
                    } else if let Err(why) = core.scalar(view, frame, want, &Value::Number(&number))
                    {
                        stop!(why, at, true);
                    }
                    if S::ACTIVE {
                        let raw = input.get(at..end).unwrap_or_default();
                        let offset = core.base.saturating_add(at as u64);
                        let kind = ScalarKind::Number;
                        let place = Place { view, frames: outer, top: frame };
                        sink.scalar(&Scalar { kind, raw, text: raw, schema: want, offset }, &place);
                    }
                    at = end;
                } else {
                    let rest = input.get(at..).unwrap_or_default();
                    let (value, kind, len) = match word(rest) {
                        Ok(Some(word)) => word,
                        Ok(None) => pause!(),
                        Err(0) if byte == 0xEF && core.base == 0 && at == 0 => {
                            malformed!(ByteOrderMark, at)
                        }
                        Err(place) => malformed!(Unexpected, at + place),
                    };
                    if let Err(why) = core.scalar(view, frame, want, &value) {
                        stop!(why, at, true);
                    }
                    if S::ACTIVE {
                        let raw = input.get(at..at + len).unwrap_or_default();
                        let offset = core.base.saturating_add(at as u64);
                        let place = Place { view, frames: outer, top: frame };
                        sink.scalar(&Scalar { kind, raw, text: raw, schema: want, offset }, &place);
                    }
                    at += len;
                }
                expect = Expect::After;
            }
            if expect == Expect::After {
                let Some(byte) = skip(input, &mut at) else { pause!() };
                if byte == b',' && frame.container == Container::Object {
                    at += 1;
                    expect = Expect::Name;
                    plain = true;
                    continue;
                }
                if byte == b',' && frame.container == Container::Array {
                    at += 1;
                    if frame.count >= core.limits.items {
                        fault!(FaultKind::TooLarge(Part::Items), at, false);
                    }
                    frame.count += 1;
                    core.at = at;
                    match array::item(core, view, frame) {
                        Ok(schema) => want = schema,
                        Err(why) => stop!(why, at, true),
                    }
                    expect = Expect::Value;
                    plain = true;
                    continue;
                }
                match (byte, frame.container) {
                    (b'}', Container::Object) | (b']', Container::Array) => at += 1,
                    (_, Container::Root) => malformed!(Trailing, at),
                    _ => malformed!(Unexpected, at),
                }
            }
            // The container is closed.
            if frame.part != NONE {
                let closed = match frame.container {
                    Container::Object => object::close(core, view, frame),
                    _ => array::close(view, frame),
                };
                if let Err(keyword) = closed {
                    stop!(Stop::Refused(keyword, frame.schema), at - 1, false);
                }
            }
            core.names.truncate(frame.names as usize);
            if frame.flags & (THREADS | DIGEST) != 0 {
                let Some(parent) = outer.last_mut() else { return Ok(at) };
                core.at = at.saturating_sub(1);
                if let Err(why) = close_unusual(core, view, frame, parent) {
                    stop!(why, at - 1, false);
                }
            }
            core.wide.truncate(frame.wide as usize);
            top = top.saturating_sub(1);
            expect = Expect::After;
            continue 'container;
        }
    }
}

/// Whether the common path knows what stands where this is expected.
#[inline(always)]
fn may_be_plain(frame: &Frame, expect: Expect) -> bool {
    match frame.container {
        Container::Object => expect <= Expect::Name && frame.declared != 0,
        _ => expect == Expect::Value,
    }
}

/// The literal that begins an input, its kind and length: `None` where the input ends within it.
///
/// # Errors
/// With the place of the first byte that no literal has there.
#[inline(never)]
fn word(input: &[u8]) -> Result<Option<(Value<'static>, ScalarKind, usize)>, usize> {
    let (word, value, kind): (&[u8], _, _) = match input.first() {
        Some(b't') => (b"true", Value::Boolean(true), ScalarKind::Boolean),
        Some(b'f') => (b"false", Value::Boolean(false), ScalarKind::Boolean),
        Some(b'n') => (b"null", Value::Null, ScalarKind::Null),
        _ => return Err(0),
    };
    if input.starts_with(word) {
        return Ok(Some((value, kind, word.len())));
    }
    let same = input.iter().zip(word).take_while(|(a, b)| a == b).count();
    if same == input.len() { Ok(None) } else { Err(same) }
}

/// Tells those who have to know what a container was.
#[inline(never)]
fn close_unusual(
    core: &mut Core,
    view: &View<'_>,
    frame: &Frame,
    parent: &mut Frame,
) -> Result<(), Stop> {
    if frame.flags & THREADS != 0 {
        core.close_threads(view, frame, parent)?;
    }
    if frame.flags & DIGEST != 0 {
        let object = frame.container == Container::Object;
        let digest = digest::container(object, frame.count, frame.digest);
        core.absorb_digest(view, parent, digest)?;
    }
    Ok(())
}
