//! The machine: one loop over the tokens of a body, a frame for each open array and object.

use super::array;
use super::check::{self, Value};
use super::core::{Core, Expect, Stop};
use super::digest;
use super::fault::{Fault, FaultKind, Malformation, Part};
use super::frame::{Container, DIGEST, Frame, TAG, THREADS, UNIQUE};
use super::number::{Scanned, scan};
use super::object;
use super::scan::{block, equal};
use super::sink::{Place, Scalar, ScalarKind, ScalarSink};
use super::string::string_end;
use super::token::{content, skip};
use portcullis_bundle::layout::{BodyLimits, NONE, PROPERTY_IMPLIED, PROPERTY_SHORT, View};

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
            let used = run(&mut self.core, &mut self.scratch, view, chunk, false, sink)?;
            self.core.base = self.core.base.saturating_add(used as u64);
            self.carry.extend_from_slice(chunk.get(used..).unwrap_or_default());
        } else {
            self.carry.extend_from_slice(chunk);
            if self.carry.len() >= self.retry_at {
                let used = run(&mut self.core, &mut self.scratch, view, &self.carry, false, sink)?;
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
        let used = run(&mut self.core, &mut self.scratch, view, &self.carry, false, sink)?;
        self.core.base = self.core.base.saturating_add(used as u64);
        self.carry.drain(..used.min(self.carry.len()));
        self.retry_at = 0;
        Ok(())
    }

    /// Gives back what a large body has left in the buffers, down to `kept` bytes of each.
    pub fn trim(&mut self, kept: usize) {
        self.carry.clear();
        self.carry.shrink_to(kept);
        self.scratch.clear();
        self.scratch.shrink_to(kept);
    }

    /// Judges the end of the body.
    ///
    /// # Errors
    /// With what is wrong, if anything is.
    pub fn finish<S: ScalarSink>(&mut self, view: &View<'_>, sink: &mut S) -> Result<(), Fault> {
        run(&mut self.core, &mut self.scratch, view, &self.carry, true, sink)?;
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
        run(&mut self.core, &mut self.scratch, view, body, true, sink)?;
        Ok(())
    }
}

/// Judges tokens from the start of `input` on, as many as it holds; gives the bytes used. An
/// unfinished token is not used. With `last`, no input follows.
fn run<S: ScalarSink>(
    core: &mut Core,
    scratch: &mut Vec<u8>,
    view: &View<'_>,
    input: &[u8],
    last: bool,
    sink: &mut S,
) -> Result<usize, Fault> {
    let mut at = 0_usize;
    let mut expect = core.expect;
    let mut want = core.want;
    let mut frame = core.frame;

    macro_rules! keep {
        () => {
            core.expect = expect;
            core.want = want;
            core.frame = frame;
        };
    }
    macro_rules! fault {
        ($kind:expr, $at:expr, $within:expr) => {{
            keep!();
            return Err(core.fault(view, $kind, $at, $within));
        }};
    }
    macro_rules! malformed {
        ($what:ident, $at:expr) => {
            fault!(FaultKind::Malformed(Malformation::$what), $at, expect > Expect::Name)
        };
    }
    macro_rules! pause {
        () => {{
            if last && !(expect == Expect::After && frame.container == Container::Root) {
                malformed!(Truncated, input.len());
            }
            keep!();
            return Ok(at);
        }};
    }
    macro_rules! stop {
        ($stop:expr, $at:expr) => {
            match $stop {
                Stop::Unfinished => pause!(),
                Stop::Fault(kind, place) => fault!(kind, place, true),
                Stop::Here(kind) => fault!(kind, $at, true),
                Stop::Refused(keyword, schema) => {
                    keep!();
                    return Err(core.refusal(view, keyword, schema, $at, true));
                }
            }
        };
    }

    loop {
        if expect <= Expect::Name {
            let Some(byte) = skip(input, &mut at) else { pause!() };
            if byte == b'"' {
                let start = at + 1;
                let next = frame.next;
                let predicted = if next < frame.declared {
                    view.properties.get((frame.first + next) as usize)
                } else {
                    None
                };
                let as_predicted = match (predicted, block(input, start)) {
                    (Some(property), Some(block)) => {
                        let len = property.name.len.get() & 31;
                        let differ = !equal(block, &property.key) & ((2 << len) - 1);
                        const USUAL: u32 = PROPERTY_SHORT | PROPERTY_IMPLIED;
                        (differ == 0 && property.flags.get() & USUAL == PROPERTY_SHORT)
                            .then_some((property, len))
                    }
                    _ => None,
                };
                if let Some((property, len)) = as_predicted
                    && next < 64
                {
                    let bit = 1_u64 << next;
                    frame.member = frame.first + next;
                    if frame.seen & bit != 0 {
                        fault!(FaultKind::DuplicateName, at, true);
                    }
                    frame.seen |= bit;
                    frame.next = next + 1;
                    frame.count += 1;
                    want = property.schema.get();
                    at = start + len as usize + 1;
                } else {
                    let mut named = frame;
                    match object::name(core, scratch, view, input, start, &mut named) {
                        Ok((after, schema)) => {
                            frame = named;
                            want = schema;
                            at = after;
                        }
                        Err(why) => {
                            // A name that is not finished will be read again.
                            if !matches!(why, Stop::Unfinished) {
                                frame = named;
                            }
                            stop!(why, at)
                        }
                    }
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
                match array::item(core, view, &frame) {
                    Ok(schema) => want = schema,
                    Err(why) => stop!(why, at),
                }
                expect = Expect::Value;
            }
        } else if expect == Expect::Tag {
            if skip(input, &mut at).is_none() {
                pause!();
            }
            let parent = core.frames.last().copied().unwrap_or_default();
            let rest = input.get(at..).unwrap_or_default();
            match core.open_tagged(view, &parent, &frame, rest, last) {
                Ok(opened) => frame = opened,
                Err(Stop::Refused(keyword, schema)) => {
                    keep!();
                    return Err(core.refusal(view, keyword, schema, at, false));
                }
                Err(why) => stop!(why, at),
            }
            if frame.flags & TAG == 0 {
                expect = Expect::FirstName;
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
            match byte {
                b'"' => {
                    let start = at + 1;
                    let end = string_end(input, start);
                    let text;
                    let mut ascii = true;
                    if end.flags == 0 && end.at - start <= core.limits.string as usize {
                        text = input.get(start..end.at).unwrap_or_default();
                    } else {
                        match content(scratch, input, start, end, core.limits.string) {
                            Ok(content) => text = content,
                            Err(why) => stop!(why, at),
                        }
                        ascii = false;
                    }
                    match view.schemas.get(want as usize) {
                        Some(schema) if schema.composition_count.get() == 0 => {
                            if let Err(keyword) = check::string(view, schema, text, ascii) {
                                stop!(Stop::Refused(keyword, want), at);
                            }
                        }
                        _ => {
                            if let Err(why) =
                                core.judge(view, &frame, want, &Value::String(text, ascii))
                            {
                                stop!(why, at);
                            }
                        }
                    }
                    if frame.flags & (DIGEST | UNIQUE) != 0 {
                        let mut told = frame;
                        let absorbed = core.absorb(view, &mut told, &Value::String(text, ascii));
                        frame = told;
                        if let Err(why) = absorbed {
                            stop!(why, at);
                        }
                    }
                    if S::ACTIVE {
                        let raw = input.get(start..end.at).unwrap_or_default();
                        hand(core, view, &frame, sink, ScalarKind::String, raw, text, want, at);
                    }
                    at = end.at + 1;
                    expect = Expect::After;
                }
                b'-' | b'0'..=b'9' => {
                    let (number, end) = match scan(input, at, last) {
                        Scanned::Number(number, end) => (number, end),
                        Scanned::Unfinished => pause!(),
                        Scanned::Malformed(place) => malformed!(Number, place),
                        Scanned::TooLong => fault!(FaultKind::TooLarge(Part::Number), at, true),
                    };
                    match view.schemas.get(want as usize) {
                        Some(schema) if schema.composition_count.get() == 0 => {
                            if let Err(keyword) = check::number(view, schema, &number) {
                                stop!(Stop::Refused(keyword, want), at);
                            }
                        }
                        _ => {
                            if let Err(why) =
                                core.judge(view, &frame, want, &Value::Number(&number))
                            {
                                stop!(why, at);
                            }
                        }
                    }
                    if frame.flags & (DIGEST | UNIQUE) != 0 {
                        let mut told = frame;
                        let absorbed = core.absorb(view, &mut told, &Value::Number(&number));
                        frame = told;
                        if let Err(why) = absorbed {
                            stop!(why, at);
                        }
                    }
                    if S::ACTIVE {
                        let raw = input.get(at..end).unwrap_or_default();
                        hand(core, view, &frame, sink, ScalarKind::Number, raw, raw, want, at);
                    }
                    at = end;
                    expect = Expect::After;
                }
                b'{' | b'[' => {
                    if core.frames.len() >= core.limits.depth as usize {
                        fault!(FaultKind::TooDeep, at, true);
                    }
                    let opened = match byte {
                        b'{' => object::open(core, view, &frame, want),
                        _ => array::open(core, view, &frame, want),
                    };
                    match opened {
                        Ok(opened) => {
                            core.frames.push(frame);
                            frame = opened;
                        }
                        Err(why) => stop!(why, at),
                    }
                    expect = match byte {
                        b'{' if frame.flags & TAG != 0 => Expect::Tag,
                        b'{' => Expect::FirstName,
                        _ => Expect::FirstItem,
                    };
                    at += 1;
                    continue;
                }
                b't' | b'f' | b'n' => {
                    let (word, value, kind): (&[u8], _, _) = match byte {
                        b't' => (b"true", Value::Boolean(true), ScalarKind::Boolean),
                        b'f' => (b"false", Value::Boolean(false), ScalarKind::Boolean),
                        _ => (b"null", Value::Null, ScalarKind::Null),
                    };
                    let rest = input.get(at..).unwrap_or_default();
                    if !rest.starts_with(word) {
                        let same = rest.iter().zip(word).take_while(|(a, b)| a == b).count();
                        if same == rest.len() {
                            pause!();
                        }
                        malformed!(Unexpected, at + same);
                    }
                    match view.schemas.get(want as usize) {
                        Some(schema) if schema.composition_count.get() == 0 => {
                            if let Err(keyword) = check::scalar(view, schema, &value) {
                                stop!(Stop::Refused(keyword, want), at);
                            }
                        }
                        _ => {
                            if let Err(why) = core.judge(view, &frame, want, &value) {
                                stop!(why, at);
                            }
                        }
                    }
                    if frame.flags & (DIGEST | UNIQUE) != 0 {
                        let mut told = frame;
                        let absorbed = core.absorb(view, &mut told, &value);
                        frame = told;
                        if let Err(why) = absorbed {
                            stop!(why, at);
                        }
                    }
                    if S::ACTIVE {
                        hand(core, view, &frame, sink, kind, word, word, want, at);
                    }
                    at += word.len();
                    expect = Expect::After;
                }
                0xEF if core.base == 0 && frame.container == Container::Root => {
                    malformed!(ByteOrderMark, at)
                }
                _ => malformed!(Unexpected, at),
            }
        }
        loop {
            if expect == Expect::After {
                let Some(byte) = skip(input, &mut at) else { pause!() };
                match (byte, frame.container) {
                    (b',', Container::Object) => {
                        at += 1;
                        expect = Expect::Name;
                        break;
                    }
                    (b',', Container::Array) => {
                        at += 1;
                        if frame.count >= core.limits.items {
                            fault!(FaultKind::TooLarge(Part::Items), at, false);
                        }
                        frame.count += 1;
                        match array::item(core, view, &frame) {
                            Ok(schema) => want = schema,
                            Err(why) => stop!(why, at),
                        }
                        expect = Expect::Value;
                        break;
                    }
                    (b'}', Container::Object) | (b']', Container::Array) => at += 1,
                    (_, Container::Root) => malformed!(Trailing, at),
                    _ => malformed!(Unexpected, at),
                }
            }
            if frame.part != NONE {
                let closed = match frame.container {
                    Container::Object => object::close(core, view, &frame),
                    _ => array::close(view, &frame),
                };
                if let Err(keyword) = closed {
                    keep!();
                    return Err(core.refusal(view, keyword, frame.schema, at - 1, false));
                }
            }
            core.names.truncate(frame.names as usize);
            core.wide.truncate(frame.wide as usize);
            let mut parent = core.frames.pop().unwrap_or_default();
            if frame.flags & (THREADS | DIGEST) != 0 {
                let told = close_unusual(core, view, &frame, &mut parent);
                if let Err(why) = told {
                    core.frames.push(parent);
                    let why = match why {
                        Stop::Refused(keyword, schema) => {
                            keep!();
                            return Err(core.refusal(view, keyword, schema, at - 1, false));
                        }
                        other => other,
                    };
                    stop!(why, at - 1);
                }
            }
            frame = parent;
            expect = Expect::After;
        }
    }
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

#[expect(clippy::too_many_arguments, reason = "a scalar and where it stands")]
#[inline]
fn hand<S: ScalarSink>(
    core: &Core,
    view: &View<'_>,
    frame: &Frame,
    sink: &mut S,
    kind: ScalarKind,
    raw: &[u8],
    text: &[u8],
    schema: u32,
    at: usize,
) {
    let offset = core.base.saturating_add(at as u64);
    let place = Place { view, frames: &core.frames, top: frame };
    sink.scalar(&Scalar { kind, raw, text, schema, offset }, &place);
}
