//! How threads fail, and which failure of a union's branches is named.
//!
//! A thread fails where its value stands or below it. So that a union none of whose branches accept can name what
//! is wrong in the branch that was meant, a failure keeps its way down: each time it passes from a member to the
//! thread of the whole, a step is put before it. Steps are shared and only ever made for a thread that fails for
//! the first time; there is a fixed number of them, and a failure that finds none left is named where its way ends.

use core::cmp::Ordering;

use super::branches::{kind, tags};
use super::check::list;
use super::core::Core;
use super::frame::{Container, Frame, push_step};
use super::threads::Tag;
use portcullis_bundle::layout::{Composition, CompositionKind, Keyword, NONE, SCHEMA_NEVER, View};

/// Steps alive at once, at most.
const MAX_STEPS: usize = 1 << 12;
/// The way of a failure that found no step left.
const LOST: u32 = NONE - 1;

/// Which keyword of which schema refused, and where.
#[derive(Clone, Copy, Debug)]
pub(super) struct Failure {
    pub schema: u32,
    /// From the value down: an index into steps, `NONE` for the value itself, or `LOST`.
    pub way: u32,
    /// Bytes from the start of the body, as far as 32 bits hold them.
    pub offset: u32,
    /// Steps from the value down.
    depth: u16,
    /// How well the value fitted before: declared properties that were right, less members that are not declared.
    fit: u8,
    pub keyword: Keyword,
    /// As [`Fault::member`](super::fault::Fault::member).
    pub member: u16,
}

/// A step from an array or object to one of its values.
#[derive(Clone, Copy, Debug)]
struct Step {
    container: Container,
    /// As that of a failure, of what it leads to.
    fit: u8,
    /// As [`Frame::place`] has it.
    place: u32,
    next: u32,
}

/// The ways of the failures of all threads.
#[derive(Debug, Default)]
pub(super) struct Ways {
    steps: Vec<Step>,
}

impl Failure {
    /// Of a schema that asks for itself on the same value: JSON Schema leaves it undefined.
    pub fn circular(schema: u32) -> Failure {
        Failure {
            schema,
            way: NONE,
            offset: 0,
            depth: 0,
            fit: 0,
            keyword: Keyword::Schema,
            member: 0,
        }
    }

    /// The same of a property.
    pub fn of(self, member: u16) -> Failure {
        Failure { member, ..self }
    }

    /// The same of a value that fitted so well before.
    pub fn after(self, fit: u8) -> Failure {
        Failure { fit: self.fit.max(fit), ..self }
    }
}

impl Ways {
    pub fn clear(&mut self) {
        self.steps.clear();
    }

    pub fn len(&self) -> usize {
        self.steps.len()
    }

    /// Forgets the steps made since there were so many.
    pub fn truncate(&mut self, len: usize) {
        self.steps.truncate(len);
    }

    /// A failure of a frame's current member or item as one of the whole, of which nothing was right before.
    pub fn above(&mut self, frame: &Frame, failure: Failure) -> Failure {
        let (depth, fit) = (failure.depth.saturating_add(1), failure.fit);
        let failure = Failure { depth, fit: 0, ..failure };
        if self.steps.len() >= MAX_STEPS || failure.way == LOST {
            return Failure { way: LOST, ..failure };
        }
        let (container, place) = (frame.container, frame.place());
        self.steps.push(Step { container, fit, place, next: failure.way });
        Failure { way: self.steps.len() as u32 - 1, ..failure }
    }

    fn steps(&self, of: Failure) -> impl Iterator<Item = &Step> {
        let first = self.steps.get(of.way as usize);
        core::iter::successors(first, |step| self.steps.get(step.next as usize))
            .take(of.depth.into())
    }

    /// Lengthens a pointer by the way of a failure.
    pub fn push_to(&self, view: &View<'_>, of: Failure, pointer: &mut String) {
        for step in self.steps(of) {
            push_step(view, step.container, step.place, pointer);
        }
    }

    /// Whether a failure lies at this member of an object, as [`Frame::place`] has it.
    fn begins_with(&self, of: Failure, member: u32) -> bool {
        of.depth == 1 && self.steps(of).next().is_some_and(|step| step.place == member)
    }

    fn same(&self, left: Failure, right: Failure) -> bool {
        let places = |of| self.steps(of).map(|step| step.place);
        left.way == right.way || places(left).eq(places(right))
    }

    /// How well the value fitted a branch before it failed. Level by level: the properties that were right before
    /// what is wrong, less those that the branch does not declare; then how far that went.
    fn compare(&self, left: Failure, right: Failure) -> Ordering {
        let levels =
            |of: Failure| core::iter::once(of.fit).chain(self.steps(of).map(|step| step.fit));
        levels(left).cmp(levels(right)).then(left.offset.cmp(&right.offset))
    }
}

impl Core {
    /// A failure at the value of the moment.
    pub fn failure(&self, keyword: Keyword, schema: u32) -> Failure {
        let offset = self.base.saturating_add(self.at as u64);
        let offset = u32::try_from(offset).unwrap_or(u32::MAX);
        Failure { schema, way: NONE, offset, depth: 0, fit: 0, keyword, member: 0 }
    }

    /// What is wrong in the branch that was meant, where no branch accepts: the one that its tag chose, or else the
    /// one that went deepest, and of these the one that went furthest. `None` where several are as near and differ
    /// in keyword or place.
    #[cold]
    #[inline(never)]
    pub fn nearest(
        &self,
        view: &View<'_>,
        first: usize,
        thread: usize,
        (place, of): (u32, &Composition),
    ) -> Option<Failure> {
        let failed =
            |schema: u32| self.threads.outcome(first, schema).filter(|f| f.schema != SCHEMA_NEVER);
        let branches = list(view, of.branches.get(), of.branch_count.get());
        let found = match (kind(of)?, self.threads.choice(thread, place)) {
            // Its tag is missing.
            (CompositionKind::Tagged, _) => {
                let branches = tags(view, of).iter().map(|tag| tag.schema.get());
                self.best(view, branches.filter_map(failed))
            }
            (_, Some(Tag::Chose(schema))) => failed(schema),
            (_, Some(Tag::Unknown(tag))) => {
                let at_tag = |f: &Failure| self.threads.ways.begins_with(*f, tag);
                let by_tag = branches.filter_map(failed).filter(at_tag);
                self.best(view, by_tag).or_else(|| {
                    let branches = list(view, of.branches.get(), of.branch_count.get());
                    self.best(view, branches.filter_map(failed))
                })
            }
            (_, None) => self.best(view, branches.filter_map(failed)),
        };
        found.filter(|failure| failure.way != LOST)
    }

    fn best(&self, view: &View<'_>, failures: impl Iterator<Item = Failure>) -> Option<Failure> {
        let mut best: Option<(bool, Failure)> = None;
        let mut sole = true;
        for failure in failures {
            let meant = meant(view, &failure);
            let order = best.map_or(Ordering::Greater, |(of, known)| {
                meant.cmp(&of).then_with(|| self.threads.ways.compare(failure, known))
            });
            match (order, &best) {
                (Ordering::Equal, Some((_, known))) => {
                    sole &=
                        known.keyword == failure.keyword && self.threads.ways.same(*known, failure);
                }
                (Ordering::Less, _) => {}
                _ => (best, sole) = (Some((meant, failure)), true),
            }
        }
        best.filter(|_| sole).map(|(_, failure)| failure)
    }
}

/// Whether a branch with this failure may have been meant: it was not for another type or another constant in the
/// place of a tag.
fn meant(view: &View<'_>, failure: &Failure) -> bool {
    match (failure.keyword, failure.depth) {
        (Keyword::Type, 0) => false,
        (Keyword::Enum, 0 | 1) => {
            let schema = view.schemas.get(failure.schema as usize);
            let set = schema.and_then(|s| view.literal_sets.get(s.literals.get() as usize));
            set.is_some_and(|set| set.string_count.get().saturating_add(set.number_count.get()) > 1)
        }
        _ => true,
    }
}
