//! `unevaluatedProperties` and `unevaluatedItems` (JSON Schema 2020-12 core, section 11).
//!
//! Which branches accept is known only when the value ends. So each member that nothing is sure to evaluate
//! waits: with the evaluators that would have evaluated it, as a mask, and with how it fared by the schema of
//! the rest. When the value ends the conditions of the evaluators are settled, and what still waits for none
//! that counts is a failure. Members that fare well wait for nothing and are forgotten; of the others one for
//! each distinct mask is enough. The work is at most members x (evaluators + names that match) at the members
//! and waiting members + conditions at the end, all of it charged as steps.

use super::branches::{Start, unevaluated};
use super::core::{Core, Stop};
use super::failure::Failure;
use super::fault::FaultKind;
use super::object;
use super::threads::{Edge, Role, Thread, Threads};
use portcullis_bundle::layout::{
    Condition, ConditionKind, EVALUATOR_ALL, Evaluator, Keyword, NONE, PROPERTY_IMPLIED,
    SCHEMA_ANY, SCHEMA_NEVER, Unevaluated, View,
};

/// Members that wait at once, at most; more are over budget.
const MAX_WAITING: usize = 1 << 16;
/// Waiting members that a new one is compared with.
const COMPARED: usize = 16;

/// A member that waits for the end of its value.
#[derive(Clone, Copy, Debug)]
pub(super) struct Waiting {
    /// The thread that wants the rest to satisfy a schema.
    thread: u32,
    /// Evaluators that evaluate the member where they count.
    mask: u128,
    /// How it fared by the schema of the rest.
    failure: Option<Failure>,
    /// Its value has not ended.
    open: bool,
}

/// A member of a value, as far as evaluators ask.
#[derive(Clone, Copy)]
pub(super) enum Member<'a> {
    /// By name and the name's hash.
    Property(&'a [u8], u32),
    /// By number, from 1.
    Item(u32),
}

/// The conditions of all evaluators of a record.
pub(super) fn conditions<'b>(view: &View<'b>, of: &Unevaluated) -> &'b [Condition] {
    let first = of.conditions.get() as usize;
    let last = first.saturating_add(of.condition_count.get() as usize);
    view.conditions.get(first..last).unwrap_or_default()
}

fn evaluators<'b>(view: &View<'b>, of: &Unevaluated) -> &'b [Evaluator] {
    let first = of.evaluators.get() as usize;
    let last = first.saturating_add(of.evaluator_count.get() as usize);
    view.evaluators.get(first..last).unwrap_or_default()
}

/// Whether an evaluator evaluates a member, were its conditions to hold.
fn evaluates(view: &View<'_>, evaluator: &Evaluator, member: Member<'_>) -> bool {
    if evaluator.flags.get() & EVALUATOR_ALL != 0 {
        return true;
    }
    match member {
        Member::Item(number) => number <= evaluator.prefix.get(),
        Member::Property(name, hash) => {
            let Some(check) = view.object_checks.get(evaluator.names.get() as usize) else {
                return false;
            };
            let declared = object::find(view, check, name, hash).and_then(|index| {
                view.properties.get(check.properties.get().wrapping_add(index) as usize)
            });
            declared.is_some_and(|of| of.flags.get() & PROPERTY_IMPLIED == 0)
                || object::pattern_schemas(view, check, name).any(|schema| schema.is_some())
        }
    }
}

impl Threads {
    /// Notes how an open member fared by the schema of the rest.
    pub fn rest_failed(&mut self, place: usize, failure: Failure) {
        if let Some(waiting) = self.waiting.get_mut(place) {
            waiting.failure.get_or_insert(failure);
        }
    }

    /// Notes that an open member is evaluated by an evaluator.
    pub fn evaluated(&mut self, place: usize, bit: u8) {
        if let Some(waiting) = self.waiting.get_mut(place) {
            waiting.mask |= 1_u128.checked_shl(bit.into()).unwrap_or(0);
        }
    }

    /// Forgets the members of threads from `first` on, which have ended.
    pub fn forget_waiting(&mut self, first: u32) {
        let kept = self.waiting.iter().rposition(|waiting| waiting.thread < first);
        self.waiting.truncate(kept.map_or(0, |last| last + 1));
    }

    /// Whether a member that waits already fails wherever this one would.
    fn covers(&self, end: usize, of: &Waiting) -> bool {
        let before = self.waiting.get(..end).unwrap_or_default().iter().rev().take(COMPARED);
        before
            .take_while(|earlier| !earlier.open)
            .any(|earlier| earlier.thread == of.thread && earlier.mask & !of.mask == 0)
    }
}

impl Core {
    /// Notes a member of a thread's value that the schema of the rest may be asked about.
    pub fn wait(
        &mut self,
        view: &View<'_>,
        index: usize,
        of: &Unevaluated,
        member: Member<'_>,
    ) -> Result<(), Stop> {
        let schema = of.schema.get();
        if schema == SCHEMA_ANY {
            return Ok(());
        }
        let evaluators = evaluators(view, of);
        self.step(1 + evaluators.len())?;
        let (mut mask, mut bit) = (0_u128, 1_u128);
        for evaluator in evaluators {
            if evaluates(view, evaluator, member) {
                if evaluator.condition_count.get() == 0 {
                    return Ok(());
                }
                mask |= bit;
            }
            bit <<= 1;
        }
        let place = self.threads.waiting.len();
        if place >= MAX_WAITING {
            return Err(Stop::Here(FaultKind::Budget));
        }
        let (keyword, is_item) = match member {
            Member::Item(_) => (Keyword::UnevaluatedItems, true),
            Member::Property(..) => (Keyword::UnevaluatedProperties, false),
        };
        let owner = self.threads.list.get(index).map_or(NONE, |thread| thread.schema);
        let failure = (schema == SCHEMA_NEVER).then(|| self.failure(keyword, owner));
        let waiting = Waiting { thread: index as u32, mask, failure, open: false };
        let contains = evaluators.iter().any(|evaluator| evaluator.contains.get() != NONE);
        if failure.is_some() && !(is_item && contains) {
            self.step(COMPARED)?;
            if !self.threads.covers(place, &waiting) {
                self.threads.waiting.push(waiting);
            }
            return Ok(());
        }
        self.threads.waiting.push(Waiting { open: true, ..waiting });
        if failure.is_none() {
            let edge = Edge { thread: place as u32, schema, role: Role::Rest };
            self.threads.add_edge(edge)?;
        }
        if is_item {
            for (bit, evaluator) in (0_u8..).zip(evaluators) {
                let schema = evaluator.contains.get();
                if schema != NONE {
                    let role = Role::Evaluated(bit);
                    self.threads.add_edge(Edge { thread: place as u32, schema, role })?;
                }
            }
        }
        Ok(())
    }

    /// Keeps of the members that have just ended those that can fail: members of threads from `threads` on. Those of
    /// values further out, which are open too, have not ended.
    pub fn keep_waiting(&mut self, threads: u32) -> Result<(), Stop> {
        let waiting = self.threads.waiting.iter().rev();
        let ended = waiting.take_while(|member| member.open && member.thread >= threads).count();
        if ended == 0 {
            return Ok(());
        }
        self.step(ended.saturating_mul(COMPARED))?;
        let end = self.threads.waiting.len();
        let first = end - ended;
        let mut kept = first;
        for place in first..end {
            let Some(member) = self.threads.waiting.get(place).copied() else { continue };
            let member = Waiting { open: false, ..member };
            if member.failure.is_some() && !self.threads.covers(kept, &member) {
                if let Some(to) = self.threads.waiting.get_mut(kept) {
                    *to = member;
                }
                kept += 1;
            }
        }
        self.threads.waiting.truncate(kept);
        Ok(())
    }

    /// Whether a member of a thread's value, which has ended, was evaluated by nothing and may not be.
    pub fn left_over(
        &mut self,
        view: &View<'_>,
        first: usize,
        index: usize,
        thread: &Thread,
        start: Start<'_>,
    ) -> Result<Option<Failure>, Stop> {
        let schema = view.schemas.get(thread.schema as usize);
        let Some(of) = schema.and_then(|schema| unevaluated(view, schema, start)) else {
            return Ok(None);
        };
        let mut counting = 0_u128;
        let mut bit = 1_u128;
        for evaluator in evaluators(view, of) {
            if self.holds(view, first, thread, evaluator)? {
                counting |= bit;
            }
            bit <<= 1;
        }
        let keyword = match start {
            Start::Array => Keyword::UnevaluatedItems,
            _ => Keyword::UnevaluatedProperties,
        };
        let of_value = |member: &&Waiting| member.thread as usize >= first;
        let members = self.threads.waiting.iter().rev().take_while(of_value);
        let (mut looked_at, mut left) = (0, false);
        for member in members {
            looked_at += 1;
            let own = member.thread as usize == index && member.failure.is_some();
            left |= own && member.mask & counting == 0;
        }
        self.step(looked_at)?;
        Ok(left.then(|| self.failure(keyword, thread.schema)))
    }

    /// Whether all conditions of an evaluator hold.
    fn holds(
        &mut self,
        view: &View<'_>,
        first: usize,
        thread: &Thread,
        evaluator: &Evaluator,
    ) -> Result<bool, Stop> {
        let from = evaluator.conditions.get() as usize;
        let to = from.saturating_add(evaluator.condition_count.get() as usize);
        for condition in view.conditions.get(from..to).unwrap_or_default() {
            self.step(1 + self.threads.list.len().saturating_sub(first) / 16)?;
            let of = condition.of.get();
            let holds = match ConditionKind::from_code(condition.kind) {
                Some(ConditionKind::Accepts) => self.threads.outcome(first, of).is_none(),
                Some(ConditionKind::Refuses) => self.threads.outcome(first, of).is_some(),
                Some(ConditionKind::Present) => object::has(self, thread.seen, thread.wide, of),
                None => false,
            };
            if !holds {
                return Ok(false);
            }
        }
        Ok(true)
    }
}
