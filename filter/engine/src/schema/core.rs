//! The state between tokens, and what every part of the machine does with it.

use super::check::Value;
use super::content::Nested;
use super::digest;
use super::failure::Failure;
use super::fault::{Fault, FaultKind};
use super::frame::{Container, DIGEST, Frame, PLAIN, THREADS, UNIQUE, pointer};
use super::machine::Limits;
use super::object;
use super::threads::Threads;
use portcullis_bundle::layout::{Keyword, NONE, SCHEMA_NEVER, View};

/// What the next token must be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Expect {
    /// A name, or the end of the object.
    FirstName,
    /// A name.
    Name,
    /// A colon.
    Colon,
    /// An item, or the end of the array.
    FirstItem,
    /// A value.
    #[default]
    Value,
    /// A comma or the end of the container; at the root, the end of the text.
    After,
    /// Nothing: the container's closing mark has been read.
    Closed,
    /// The first name of an object whose tag may stand first.
    Tag,
}

/// The schema of a value that several schemas apply to: those of the pending edges.
pub(super) const WANT_EDGES: u32 = NONE - 1;

/// The state between tokens.
#[derive(Debug, Default)]
pub(super) struct Core {
    pub limits: Limits,
    pub steps: u64,
    pub expect: Expect,
    /// The schema of the next value, or `WANT_EDGES`.
    pub want: u32,
    /// How many arrays and objects are open.
    pub top: usize,
    /// Bytes of the body before the input of the moment.
    pub base: u64,
    /// The place in it of the token that threads are judging.
    pub at: usize,
    /// Hashes of undeclared names, those of the innermost frame last.
    pub names: Vec<u64>,
    /// Room to rebuild a table of names.
    spare: Vec<u64>,
    /// Bits of declared properties from the 65th on.
    pub wide: Vec<u64>,
    pub threads: Threads,
    /// The machine for JSON within strings, once it was needed.
    pub content: Option<Box<Nested>>,
    /// This is that machine.
    pub nested: bool,
}

/// Why a token is not accepted.
#[derive(Clone, Copy, Debug)]
pub(super) enum Stop {
    /// The input ends within it.
    Unfinished,
    /// Something is wrong at this place of the input.
    Fault(FaultKind, usize),
    /// Something is wrong at the token.
    Here(FaultKind),
    /// A keyword of this schema refuses.
    Refused(Keyword, u32),
    /// A thread that must hold fails, at the token's value or below.
    Failed(Failure),
    /// It had failed before, at the frame's value or below.
    HadFailed(Failure),
}

/// Names that are compared one by one before a table is built.
const FEW: usize = 16;

impl Core {
    pub fn begin(&mut self, schema: u32, limits: Limits) {
        self.limits = limits;
        self.steps = 0;
        self.expect = Expect::Value;
        self.want = schema;
        self.top = 0;
        self.base = 0;
        self.at = 0;
        self.names.clear();
        self.wide.clear();
        self.threads.clear();
    }

    /// Whether the value is complete.
    pub fn is_complete(&self) -> bool {
        self.expect == Expect::After && self.top == 0
    }

    /// Counts steps beyond the scan itself.
    pub fn step(&mut self, steps: usize) -> Result<(), Stop> {
        self.steps = self.steps.saturating_add(steps as u64);
        if self.steps > self.limits.steps { Err(Stop::Here(FaultKind::Budget)) } else { Ok(()) }
    }

    /// Makes `child` the frame of a container within `parent`, before anything is known of its schema.
    #[inline(always)]
    pub fn begin_frame(
        &self,
        parent: &Frame,
        container: Container,
        schema: u32,
        child: &mut Frame,
    ) {
        child.container = container;
        child.flags = if parent.flags & (DIGEST | UNIQUE) == 0 { 0 } else { DIGEST };
        child.schema = schema;
        child.part = NONE;
        child.first = 0;
        child.declared = 0;
        child.next = 0;
        child.member = NONE;
        child.count = 0;
        child.seen = 0;
        child.names = self.names.len() as u32;
        child.tabled = 0;
        child.wide = self.wide.len() as u32;
        child.threads = self.threads.list.len() as u32;
        child.edges = self.threads.edges.len() as u32;
        child.choices = self.threads.choices.len() as u32;
        child.name = 0;
        child.digest = 0;
    }

    /// Makes `child` the frame of a plain container; the caller says what it holds.
    #[inline(always)]
    pub fn begin_plain(&self, container: Container, schema: u32, part: u32, child: &mut Frame) {
        self.begin_frame(&Frame::default(), container, schema, child);
        child.flags = PLAIN;
        child.part = part;
    }

    /// Judges a scalar within `frame`, and tells the frame of it where it has to know.
    #[inline(never)]
    pub fn scalar(
        &mut self,
        view: &View<'_>,
        frame: &mut Frame,
        want: u32,
        value: &Value<'_>,
    ) -> Result<(), Stop> {
        self.judge(view, frame, want, value)?;
        if frame.flags & (DIGEST | UNIQUE) == 0 {
            return Ok(());
        }
        self.absorb_digest(view, frame, digest::scalar(value))
    }

    /// Adds a hash to those of a frame; false if it is there already.
    pub fn add_name(&mut self, frame: &mut Frame, hash: u64) -> bool {
        // Zero marks a free place.
        let hash = hash.max(1);
        let first = frame.names as usize;
        if frame.tabled == 0 {
            let names = self.names.get(first..).unwrap_or_default();
            if names.contains(&hash) {
                return false;
            }
            let count = names.len();
            self.names.push(hash);
            if count >= FEW {
                frame.tabled = count as u32 + 1;
                self.rebuild(first, 8 * FEW);
            }
            return true;
        }
        let added = insert(self.names.get_mut(first..).unwrap_or_default(), hash);
        frame.tabled += u32::from(added);
        let room = self.names.len().saturating_sub(first);
        if frame.tabled as usize * 2 > room {
            self.rebuild(first, room * 4);
        }
        added
    }

    /// Puts the hashes from `first` on into a table of `room` places, a power of two.
    fn rebuild(&mut self, first: usize, room: usize) {
        self.spare.clear();
        self.spare.extend_from_slice(self.names.get(first..).unwrap_or_default());
        self.names.truncate(first);
        self.names.resize(first + room, 0);
        let table = self.names.get_mut(first..).unwrap_or_default();
        for &hash in self.spare.iter().filter(|&&hash| hash != 0) {
            insert(table, hash);
        }
    }

    /// Tells a frame what one of its values was, by the value's digest.
    pub fn absorb_digest(
        &mut self,
        view: &View<'_>,
        frame: &mut Frame,
        digest: u64,
    ) -> Result<(), Stop> {
        if frame.flags & DIGEST != 0 {
            frame.digest = match frame.container {
                Container::Object => frame.digest.wrapping_add(digest::pair(frame.name, digest)),
                _ => digest::pair(frame.digest, digest),
            };
        }
        if frame.flags & UNIQUE != 0 && !self.add_name(frame, digest) {
            if frame.flags & THREADS == 0 {
                return Err(Stop::Refused(Keyword::UniqueItems, frame.schema));
            }
            self.not_unique(view, frame)?;
        }
        Ok(())
    }

    #[cold]
    #[inline(never)]
    pub fn fault(
        &self,
        view: &View<'_>,
        outer: &[Frame],
        frame: &Frame,
        kind: FaultKind,
        at: usize,
        within: bool,
    ) -> Fault {
        Fault {
            kind,
            keyword: Keyword::Schema,
            schema: NONE,
            member: 0,
            offset: self.base.saturating_add(at as u64),
            pointer: pointer(view, outer, within.then_some(frame)),
        }
    }

    /// The fault that a token at `at` stands for; `within`: of a member of the frame, not of the frame's value.
    #[cold]
    #[inline(never)]
    pub fn stopped(
        &self,
        view: &View<'_>,
        outer: &[Frame],
        frame: &Frame,
        stop: Stop,
        at: usize,
        within: bool,
    ) -> Fault {
        let (keyword, schema) = match stop {
            Stop::Fault(kind, place) => return self.fault(view, outer, frame, kind, place, within),
            Stop::Here(kind) => return self.fault(view, outer, frame, kind, at, within),
            Stop::Unfinished => (Keyword::Schema, NONE),
            Stop::Refused(keyword, schema) => (keyword, schema),
            Stop::Failed(failure) => return self.failed(view, outer, frame, failure, within),
            Stop::HadFailed(failure) => return self.failed(view, outer, frame, failure, false),
        };
        let fault = self.fault(view, outer, frame, FaultKind::Invalid, at, within);
        // The never schema stands nowhere: what refuses is the keyword that names it.
        if schema == SCHEMA_NEVER && within && frame.flags & THREADS == 0 {
            let keyword = match frame.container {
                Container::Root => Keyword::Schema,
                Container::Array => Keyword::Items,
                Container::Object if frame.member == NONE => Keyword::AdditionalProperties,
                Container::Object => Keyword::Properties,
            };
            return Fault { keyword, schema: frame.schema, ..fault };
        }
        let member =
            if keyword == Keyword::Required { object::missing(self, view, frame) } else { 0 };
        Fault { keyword, schema, member, ..fault }
    }

    fn failed(
        &self,
        view: &View<'_>,
        outer: &[Frame],
        frame: &Frame,
        failure: Failure,
        within: bool,
    ) -> Fault {
        let mut fault = self.fault(view, outer, frame, FaultKind::Invalid, 0, within);
        self.threads.ways.push_to(view, failure, &mut fault.pointer);
        let (keyword, schema) = (failure.keyword, failure.schema);
        Fault { keyword, schema, member: failure.member, offset: failure.offset.into(), ..fault }
    }
}

/// Puts a hash into a table with free places; false if it is there already.
fn insert(table: &mut [u64], hash: u64) -> bool {
    let mask = table.len().wrapping_sub(1);
    let mut place = (hash ^ hash >> 32) as usize & mask;
    for _ in 0..table.len() {
        match table.get_mut(place) {
            Some(free @ 0) => {
                *free = hash;
                return true;
            }
            Some(taken) if *taken == hash => return false,
            _ => place = (place + 1) & mask,
        }
    }
    false
}
