//! Values that several schemas apply to: threads side by side over one scan.
//!
//! A value that must be judged by several schemas, or by one with compositions, gets a thread for each schema
//! concerned, every schema once, branches before the schemas that ask for them. The threads of an object or
//! array live as long as its frame. For each member they say which schemas they want of it; an edge remembers
//! who wanted which. When the value ends each thread is resolved from its own checks and its branches, and the
//! outcome goes along the edges to the parent's threads. A thread whose failure would fail the body must hold:
//! its failure is the body's, at once, with the keyword and place that failed.

use super::array;
use super::branches::{
    Branch, Start, branch, compositions, dependent, looks_for_tag, only_tagged, own, passes_on,
};
use super::check::{self, Value, bytes};
use super::core::{Core, Stop, WANT_EDGES};
use super::evaluation::{Member, Waiting};
use super::failure::{Failure, Ways};
use super::fault::FaultKind;
use super::frame::{Container, Frame, TAG, THREADS, UNIQUE};
use super::object;
use portcullis_bundle::layout::{
    ARRAY_UNIQUE, Keyword, NONE, ObjectCheck, PROPERTY_IMPLIED, SCHEMA_ANY, SCHEMA_NEVER, Schema,
    View,
};
use portcullis_bundle::name_hash;

/// Threads and edges alive at once, at most; more are over budget.
const MAX_LIVE: usize = 1 << 16;
/// [`Thread::tag`]: every name is looked at.
const MANY_TAGS: u32 = u32::MAX;
/// Schemas that only pass on to another, followed without a thread.
const MAX_PASSES: usize = 16;
/// [`Thread::fit`] where as much speaks for it as against it.
const EVEN_FIT: u8 = 1 << 7;

/// One schema on its way through one value.
#[derive(Clone, Copy, Debug)]
pub(super) struct Thread {
    pub schema: u32,
    pub failure: Option<Failure>,
    /// Its failure is the body's.
    pub must: bool,
    /// The hash of the name of a tag that it looks for: 0 for none, `MANY_TAGS` for several.
    tag: u32,
    /// Who asked for it: roots and branches.
    pub references: u32,
    /// Its object or array check, or `NONE`.
    pub part: u32,
    /// Items counted by `contains`.
    pub contained: u32,
    /// Declared properties seen, of the first 64.
    pub seen: u64,
    /// Where the bits of the others begin.
    pub wide: u32,
    /// Members that it does not declare.
    undeclared: u32,
}

impl Thread {
    /// How well the value has fitted, of which so many declared properties were right: those that are not declared
    /// speak against it.
    fn fit(&self, right: u32, undeclared: u32) -> u8 {
        let known = u32::from(EVEN_FIT).saturating_add(right);
        u8::try_from(known.saturating_sub(undeclared)).unwrap_or(u8::MAX)
    }
}

/// What a thread wants of a member.
#[derive(Clone, Copy, Debug)]
pub(super) struct Edge {
    /// The thread, or `NONE` where the member must satisfy the schema in any case.
    pub thread: u32,
    pub schema: u32,
    pub role: Role,
}

/// What it means to a thread that a member satisfies a schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// It must.
    Must,
    /// It is counted if it does.
    Counted,
    /// It must unless something evaluates it; the edge's thread is a place among the members that wait.
    Rest,
    /// If it does, this evaluator has evaluated it; the edge's thread is a place as before.
    Evaluated(u8),
}

/// What the value of a tag told a composition of a thread.
#[derive(Clone, Copy, Debug)]
pub(super) struct Choice {
    pub thread: u32,
    pub composition: u32,
    pub tag: Tag,
}

/// What the value of a tag tells.
#[derive(Clone, Copy, Debug)]
pub(super) enum Tag {
    /// This schema is meant.
    Chose(u32),
    /// None that it is known for; the tag, as [`Frame::place`] has it.
    Unknown(u32),
}

/// A schema whose branches are being visited.
#[derive(Clone, Copy, Debug)]
struct Visit {
    schema: u32,
    must: bool,
    composition: u32,
    branch: u32,
}

/// All threads of the open frames, those of the innermost last.
#[derive(Debug, Default)]
pub(super) struct Threads {
    pub list: Vec<Thread>,
    pub edges: Vec<Edge>,
    pub choices: Vec<Choice>,
    /// Members of which it is not known yet whether anything evaluates them.
    pub waiting: Vec<Waiting>,
    /// Where failures lie below the values that failed by them.
    pub ways: Ways,
    /// For each open frame with threads, how many steps of ways there were before.
    marks: Vec<u32>,
    /// Threads and compositions that the value of the current member chooses for.
    pub pending_tags: Vec<(u32, u32)>,
    visits: Vec<Visit>,
}

impl Threads {
    pub fn clear(&mut self) {
        self.list.clear();
        self.edges.clear();
        self.choices.clear();
        self.waiting.clear();
        self.ways.clear();
        self.marks.clear();
        self.pending_tags.clear();
        self.visits.clear();
    }

    /// Notes that the next value must satisfy a schema, for a thread or (`NONE`) in any case.
    pub fn want(&mut self, thread: u32, schema: u32) -> Result<(), Stop> {
        self.add_edge(Edge { thread, schema, role: Role::Must })
    }

    pub fn add_edge(&mut self, edge: Edge) -> Result<(), Stop> {
        if self.edges.len() >= MAX_LIVE {
            return Err(Stop::Here(FaultKind::Budget));
        }
        self.edges.push(edge);
        Ok(())
    }

    /// Notes that a thread fails at its value or below.
    pub fn fail(&mut self, index: usize, failure: Failure) -> Result<(), Stop> {
        let Some(thread) = self.list.get_mut(index) else { return Ok(()) };
        let fit = thread.fit(thread.seen.count_ones(), thread.undeclared);
        thread.failure.get_or_insert(failure.after(fit));
        if thread.must { Err(Stop::Failed(failure)) } else { Ok(()) }
    }

    /// Notes that a thread of a frame fails at the frame's current member or item, or below. `counted` is 1 where
    /// that is among the declared properties seen.
    pub fn fail_below(
        &mut self,
        frame: &Frame,
        index: usize,
        failure: Failure,
        counted: u32,
    ) -> Result<(), Stop> {
        let Some(thread) = self.list.get_mut(index) else { return Ok(()) };
        if thread.must {
            return Err(Stop::Failed(failure));
        }
        if thread.failure.is_none() {
            let right = thread.seen.count_ones().saturating_sub(counted);
            // What is wrong counts on neither side.
            let other = thread.undeclared.saturating_sub(1_u32.saturating_sub(counted));
            let fit = thread.fit(right, other);
            thread.failure = Some(self.ways.above(frame, failure).after(fit));
        }
        Ok(())
    }

    pub fn find(&mut self, start: usize, schema: u32) -> Option<&mut Thread> {
        self.list.get_mut(start..)?.iter_mut().find(|thread| thread.schema == schema)
    }

    /// How a schema fared on the value whose threads begin at `start`.
    pub fn outcome(&self, start: usize, schema: u32) -> Option<Failure> {
        if schema == SCHEMA_ANY {
            return None;
        }
        let threads = self.list.get(start..).unwrap_or_default();
        match threads.iter().find(|thread| thread.schema == schema) {
            Some(thread) => thread.failure,
            None => Some(Failure::circular(schema)),
        }
    }

    /// What a tag told a composition of a thread.
    pub fn choice(&self, thread: usize, composition: u32) -> Option<Tag> {
        let mut choices = self.choices.iter().rev();
        let found = choices
            .find(|choice| choice.thread as usize == thread && choice.composition == composition);
        found.map(|choice| choice.tag)
    }
}

impl Core {
    /// Judges a scalar within `frame`.
    pub fn judge(
        &mut self,
        view: &View<'_>,
        frame: &Frame,
        want: u32,
        value: &Value<'_>,
    ) -> Result<(), Stop> {
        let start = Start::Scalar(value);
        let mut want = want;
        for _ in 0..MAX_PASSES {
            let Some(schema) = view.schemas.get(want as usize) else { break };
            if schema.composition_count.get() == 0 {
                return check::scalar(view, schema, value).map_err(|k| Stop::Refused(k, want));
            }
            let Some(next) = passes_on(view, schema, start) else { break };
            check::scalar(view, schema, value).map_err(|k| Stop::Refused(k, want))?;
            want = next;
        }
        if want == WANT_EDGES {
            self.choose(view, frame, Some(value))?;
        }
        let first = self.threads.list.len();
        self.enter(view, frame, want, start)?;
        self.resolve(view, first, start, frame)?;
        self.settle(first, frame)?;
        self.threads.list.truncate(first);
        self.threads.edges.truncate(frame.edges as usize);
        Ok(())
    }

    /// Opens a container whose schema has compositions, or that several schemas apply to.
    #[inline(never)]
    pub fn open_composed(
        &mut self,
        view: &View<'_>,
        parent: &Frame,
        want: u32,
        container: Container,
        child: &mut Frame,
    ) -> Result<(), Stop> {
        let object = container == Container::Object;
        let start = if object { Start::Object } else { Start::Array };
        let mut want = want;
        for _ in 0..MAX_PASSES {
            let Some(schema) = view.schemas.get(want as usize) else { break };
            if schema.composition_count.get() == 0 {
                return match container {
                    Container::Object => object::open(self, view, parent, want, child),
                    _ => array::open(self, view, parent, want, child),
                };
            }
            let part = if object { schema.object.get() } else { schema.array.get() };
            if part != NONE || own(view, schema, start).is_err() {
                break;
            }
            let Some(next) = passes_on(view, schema, start) else {
                if object && only_tagged(view, schema).is_some() {
                    self.begin_frame(parent, container, want, child);
                    child.flags |= TAG;
                    return Ok(());
                }
                break;
            };
            want = next;
        }
        self.open_threads(view, parent, want, container, child)
    }

    /// Opens a container with threads.
    #[inline(never)]
    pub fn open_threads(
        &mut self,
        view: &View<'_>,
        parent: &Frame,
        want: u32,
        container: Container,
        child: &mut Frame,
    ) -> Result<(), Stop> {
        if want == WANT_EDGES {
            self.choose(view, parent, None)?;
        }
        self.threads.marks.push(self.threads.ways.len() as u32);
        self.begin_frame(parent, container, want, child);
        let start = if container == Container::Object { Start::Object } else { Start::Array };
        self.enter(view, parent, want, start)?;
        child.flags |= THREADS;
        let unique = |thread: &Thread| {
            let check = view.array_checks.get(thread.part as usize);
            check.is_some_and(|check| check.flags.get() & ARRAY_UNIQUE != 0)
        };
        let threads = self.threads.list.get(child.threads as usize..).unwrap_or_default();
        if container == Container::Array && threads.iter().any(unique) {
            child.flags |= UNIQUE;
        }
        Ok(())
    }

    /// Says which schemas the threads of an object want of a member.
    #[inline(never)]
    pub fn name_in_threads(
        &mut self,
        view: &View<'_>,
        frame: &mut Frame,
        text: &[u8],
        ascii: bool,
    ) -> Result<u32, Stop> {
        object::add_undeclared(self, frame, text)?;
        let hash = name_hash(text);
        let end = self.threads.list.len();
        for index in frame.threads as usize..end {
            self.step(1)?;
            let Some(thread) = self.threads.list.get(index).copied() else { continue };
            if thread.failure.is_some() {
                continue;
            }
            if thread.tag == hash.max(1) || thread.tag == MANY_TAGS {
                self.note_tags(view, index, &thread, text);
            }
            let Some(check) = view.object_checks.get(thread.part as usize) else { continue };
            let first = check.properties.get();
            let mut member = None;
            if let Some(found) = object::find(view, check, text, hash) {
                let place = first.wrapping_add(found);
                if let Some(thread) = self.threads.list.get_mut(index) {
                    object::mark(&mut thread.seen, &mut self.wide, thread.wide, found);
                }
                let property = view.properties.get(place as usize);
                member = property.filter(|p| p.flags.get() & PROPERTY_IMPLIED == 0);
                if frame.member == NONE && property.is_some() {
                    frame.member = place;
                }
            } else if let Some(thread) = self.threads.list.get_mut(index) {
                thread.undeclared = thread.undeclared.saturating_add(1);
            }
            if check.names.get() != NONE
                && let Some(failure) = self.refuses(view, frame, check.names.get(), text, ascii)?
            {
                self.threads.fail_below(frame, index, failure, 0)?;
            }
            match member {
                // Its schema says what patterns say of it too.
                Some(property) => {
                    self.want(frame, index, property.schema.get(), Keyword::Properties)?;
                }
                None => self.want_undeclared(view, check, frame, index, text)?,
            }
            if let Some(of) = view.unevaluated.get(check.unevaluated.get() as usize) {
                self.wait(view, index, of, Member::Property(text, hash))?;
            }
        }
        Ok(self.reduce(frame))
    }

    fn want_undeclared(
        &mut self,
        view: &View<'_>,
        check: &ObjectCheck,
        frame: &Frame,
        index: usize,
        text: &[u8],
    ) -> Result<(), Stop> {
        let mut wanted = false;
        for schema in object::pattern_schemas(view, check, text) {
            self.step(1)?;
            if let Some(schema) = schema {
                wanted = true;
                self.want(frame, index, schema, Keyword::PatternProperties)?;
            }
        }
        if wanted {
            return Ok(());
        }
        self.want(frame, index, check.additional.get(), Keyword::AdditionalProperties)
    }

    /// Says which schemas the threads of an array want of the item that `frame.count` counts last.
    #[inline(never)]
    pub fn item_in_threads(&mut self, view: &View<'_>, frame: &Frame) -> Result<u32, Stop> {
        for index in frame.threads as usize..self.threads.list.len() {
            self.step(1)?;
            let Some(thread) = self.threads.list.get(index).copied() else { continue };
            let check = view.array_checks.get(thread.part as usize);
            let (Some(check), None) = (check, thread.failure) else { continue };
            let schema = array::schema_of(view, check, frame.count);
            self.want(frame, index, schema, Keyword::Items)?;
            match check.contains.get() {
                NONE | SCHEMA_NEVER => {}
                SCHEMA_ANY => self.count_contained(index),
                schema => {
                    let thread = index as u32;
                    self.threads.add_edge(Edge { thread, schema, role: Role::Counted })?;
                }
            }
            if let Some(of) = view.unevaluated.get(check.unevaluated.get() as usize) {
                self.wait(view, index, of, Member::Item(frame.count))?;
            }
        }
        Ok(self.reduce(frame))
    }

    /// Resolves the threads of a container that has ended, and tells its parent's.
    #[inline(never)]
    pub fn close_threads(
        &mut self,
        view: &View<'_>,
        frame: &Frame,
        parent: &Frame,
    ) -> Result<(), Stop> {
        let object = frame.container == Container::Object;
        let start = if object { Start::Object } else { Start::Array };
        self.resolve(view, frame.threads as usize, start, frame)?;
        self.threads.forget_waiting(frame.threads);
        let before = self.threads.ways.len();
        self.settle(frame.threads as usize, parent)?;
        let mark = self.threads.marks.pop().unwrap_or(0);
        if self.threads.ways.len() == before {
            // What failed within has failed nothing further out.
            self.threads.ways.truncate(mark as usize);
        }
        self.threads.list.truncate(frame.threads as usize);
        self.threads.edges.truncate(parent.edges as usize);
        self.threads.choices.truncate(frame.choices as usize);
        Ok(())
    }

    /// Notes that an array holds its current item twice.
    pub fn not_unique(&mut self, view: &View<'_>, frame: &Frame) -> Result<(), Stop> {
        for index in frame.threads as usize..self.threads.list.len() {
            let Some(thread) = self.threads.list.get(index) else { continue };
            let check = view.array_checks.get(thread.part as usize);
            if check.is_some_and(|check| check.flags.get() & ARRAY_UNIQUE != 0) {
                let failure = self.failure(Keyword::UniqueItems, thread.schema);
                self.threads.fail_below(frame, index, failure, 0)?;
            }
        }
        Ok(())
    }

    fn count_contained(&mut self, index: usize) {
        if let Some(thread) = self.threads.list.get_mut(index) {
            thread.contained = thread.contained.saturating_add(1);
        }
    }

    fn want(
        &mut self,
        frame: &Frame,
        index: usize,
        schema: u32,
        keyword: Keyword,
    ) -> Result<(), Stop> {
        match schema {
            SCHEMA_ANY => Ok(()),
            SCHEMA_NEVER => {
                let of = self.threads.list.get(index).map_or(NONE, |thread| thread.schema);
                let failure = self.failure(keyword, of);
                self.threads.fail_below(frame, index, failure, 0)
            }
            _ => self.threads.want(index as u32, schema),
        }
    }

    /// What the pending edges come down to: nothing, one schema that must hold, or threads.
    fn reduce(&mut self, frame: &Frame) -> u32 {
        let threads = &mut self.threads;
        if !threads.pending_tags.is_empty() {
            return WANT_EDGES;
        }
        let pending = threads.edges.get(frame.edges as usize..).unwrap_or_default();
        let Some(first) = pending.first() else { return SCHEMA_ANY };
        let schema = first.schema;
        let sole = pending.iter().all(|edge| {
            let thread = threads.list.get(edge.thread as usize);
            let must = edge.role == Role::Must;
            edge.schema == schema && must && thread.is_none_or(|thread| thread.must)
        });
        if sole {
            threads.edges.truncate(frame.edges as usize);
            return schema;
        }
        WANT_EDGES
    }

    /// Whether a schema refuses a text, by itself.
    fn refuses(
        &mut self,
        view: &View<'_>,
        frame: &Frame,
        schema: u32,
        text: &[u8],
        ascii: bool,
    ) -> Result<Option<Failure>, Stop> {
        let first = self.threads.list.len();
        let value = Value::String(text, ascii);
        let start = Start::Scalar(&value);
        self.visit(view, first, schema, false, start)?;
        self.resolve(view, first, start, frame)?;
        let outcome = self.threads.outcome(first, schema);
        self.threads.list.truncate(first);
        Ok(outcome)
    }

    /// Makes the threads of a value that begins within `parent`.
    fn enter(
        &mut self,
        view: &View<'_>,
        parent: &Frame,
        want: u32,
        start: Start<'_>,
    ) -> Result<(), Stop> {
        let first = self.threads.list.len();
        if want != WANT_EDGES {
            return self.visit(view, first, want, true, start);
        }
        for index in parent.edges as usize..self.threads.edges.len() {
            let Some(edge) = self.threads.edges.get(index).copied() else { continue };
            let thread = self.threads.list.get(edge.thread as usize);
            let must = edge.role == Role::Must && thread.is_none_or(|thread| thread.must);
            self.visit(view, first, edge.schema, must, start)?;
        }
        Ok(())
    }

    /// Makes a thread for a schema and those that it asks for, branches first.
    fn visit(
        &mut self,
        view: &View<'_>,
        first: usize,
        root: u32,
        must: bool,
        start: Start<'_>,
    ) -> Result<(), Stop> {
        self.arrive(view, first, root, must, start)?;
        while let Some(visit) = self.threads.visits.last_mut() {
            let Some(schema) = view.schemas.get(visit.schema as usize) else {
                self.threads.visits.pop();
                continue;
            };
            match branch(view, schema, start, visit.composition, visit.branch) {
                Branch::Schema(next, and) => {
                    visit.branch += 1;
                    let must = visit.must && and;
                    self.arrive(view, first, next, must, start)?;
                }
                Branch::Nothing => visit.branch += 1,
                Branch::NextComposition => {
                    visit.composition += 1;
                    visit.branch = 0;
                }
                Branch::End => {
                    let (index, must) = (visit.schema, visit.must);
                    self.threads.visits.pop();
                    self.push_thread(view, schema, index, must, None, start)?;
                }
            }
        }
        Ok(())
    }

    /// Begins the visit of a schema, unless it has a thread or is being visited.
    fn arrive(
        &mut self,
        view: &View<'_>,
        first: usize,
        index: u32,
        must: bool,
        start: Start<'_>,
    ) -> Result<(), Stop> {
        self.step(1 + (self.threads.list.len() - first) / 16)?;
        if index == SCHEMA_ANY {
            return Ok(());
        }
        if let Some(thread) = self.threads.find(first, index) {
            thread.references = thread.references.saturating_add(1);
            thread.must |= must;
            return match thread.failure {
                Some(failure) if must => Err(Stop::Failed(failure)),
                _ => Ok(()),
            };
        }
        if self.threads.visits.iter().any(|visit| visit.schema == index) {
            return Ok(());
        }
        let Some(schema) = view.schemas.get(index as usize) else { return Ok(()) };
        match own(view, schema, start) {
            Err(keyword) if must => Err(Stop::Refused(keyword, index)),
            // It has failed already: its branches need not be judged on its behalf.
            Err(keyword) => {
                let failure = self.failure(keyword, index);
                self.push_thread(view, schema, index, must, Some(failure), start)
            }
            Ok(()) if schema.composition_count.get() == 0 && !dependent(view, schema, start) => {
                self.push_thread(view, schema, index, must, None, start)
            }
            Ok(()) => {
                if self.threads.visits.len() >= MAX_LIVE {
                    return Err(Stop::Here(FaultKind::Budget));
                }
                self.threads.visits.push(Visit { schema: index, must, composition: 0, branch: 0 });
                Ok(())
            }
        }
    }

    fn push_thread(
        &mut self,
        view: &View<'_>,
        schema: &Schema,
        index: u32,
        must: bool,
        failure: Option<Failure>,
        start: Start<'_>,
    ) -> Result<(), Stop> {
        if self.threads.list.len() >= MAX_LIVE {
            return Err(Stop::Here(FaultKind::Budget));
        }
        let part = match start {
            Start::Scalar(_) => NONE,
            Start::Array => schema.array.get(),
            Start::Object => schema.object.get(),
        };
        let wide = self.wide.len() as u32;
        let mut tag = 0;
        if matches!(start, Start::Object) && failure.is_none() {
            for (_, composition) in compositions(view, schema) {
                if looks_for_tag(composition) {
                    let name = name_hash(bytes(view, composition.tag));
                    tag = if tag == 0 { name.max(1) } else { MANY_TAGS };
                }
            }
            let check = view.object_checks.get(part as usize);
            let more = check.map_or(0, |check| check.property_count.get().saturating_sub(64));
            self.step(more as usize / 64)?;
            self.wide.resize(self.wide.len() + more.div_ceil(64) as usize, 0);
        }
        self.threads.list.push(Thread {
            schema: index,
            failure,
            must,
            tag,
            references: 1,
            part,
            contained: 0,
            seen: 0,
            undeclared: 0,
            wide,
        });
        Ok(())
    }

    /// Tells the threads that wanted something of a value how it fared.
    fn settle(&mut self, first: usize, parent: &Frame) -> Result<(), Stop> {
        for index in parent.edges as usize..self.threads.edges.len() {
            self.step(1)?;
            let Some(edge) = self.threads.edges.get(index).copied() else { continue };
            let outcome = self.threads.outcome(first, edge.schema);
            let of = edge.thread as usize;
            match (edge.role, outcome) {
                (Role::Counted, None) => self.count_contained(of),
                (Role::Must, Some(failure)) => {
                    self.threads.fail_below(parent, of, failure, 1)?;
                }
                (Role::Rest, Some(failure)) => self.threads.rest_failed(of, failure),
                (Role::Evaluated(bit), None) => self.threads.evaluated(of, bit),
                _ => {}
            }
        }
        self.keep_waiting(parent.threads)
    }
}
