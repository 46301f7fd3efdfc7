//! One step of a nondeterministic automaton: from the set of states that it is in to the next.

use super::net::{Context, Net, holds};
use super::store::Store;
use crate::attack::steps::{Exhausted, Steps};
use portcullis_bundle::layout::{NfaLook, NfaOp};

/// What a step leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The text is accepted.
    Match,
    /// It is refused, whatever follows.
    Dead,
    /// The states found, after what this context tells of.
    Next(Context),
}

/// Steps that one step of an automaton costs beside the states that are looked at.
const OVERHEAD: u64 = 16;

/// The buffers of steps.
#[derive(Debug)]
pub(super) struct Walk {
    /// What stands before the present place.
    pub context: Context,
    /// The states that it is in, beyond those below the base.
    own: Vec<u16>,
    aside: Vec<u16>,
    /// The states that it is in next, beyond those below the base.
    next: Vec<u16>,
    /// Those in `next`, and those passed on the way there.
    seen: Vec<u64>,
    /// Those that are reached at the present place by looking around.
    here: Vec<u64>,
    open: Vec<u16>,
    /// Whether one of `next` looks around.
    looks: bool,
    visited: u64,
}

impl Default for Walk {
    fn default() -> Self {
        Walk {
            context: Context::Edge,
            own: Vec::new(),
            aside: Vec::new(),
            next: Vec::new(),
            seen: Vec::new(),
            here: Vec::new(),
            open: Vec::new(),
            looks: false,
            visited: 0,
        }
    }
}

impl Walk {
    /// Takes up a state that was kept.
    pub(super) fn load(&mut self, store: &Store, state: u32) {
        let (context, members) = store.read(state);
        self.context = context;
        self.own.clear();
        self.own.extend_from_slice(members);
    }

    /// Takes up the states that the last step has found.
    pub(super) fn go_on(&mut self, context: Context) {
        self.context = context;
        core::mem::swap(&mut self.own, &mut self.next);
    }

    /// The states that the last step has found, ascending.
    pub(super) fn found(&mut self) -> &[u16] {
        self.next.sort_unstable();
        &self.next
    }

    /// Leaves the states below the base alone for one step.
    pub(super) fn set_aside(&mut self) {
        core::mem::swap(&mut self.own, &mut self.aside);
        self.own.clear();
    }

    /// Takes back the states that were set aside.
    pub(super) fn take_back(&mut self) {
        core::mem::swap(&mut self.own, &mut self.aside);
    }

    /// Begins a step whose states are at least those of a state that was kept; `None` for none.
    pub(super) fn begin(
        &mut self,
        net: &Net<'_>,
        store: &Store,
        state: Option<u32>,
        steps: &mut Steps,
    ) -> Result<(), Exhausted> {
        self.clear(net);
        let members = state.map_or(&[][..], |state| store.read(state).1);
        steps.spend(members.len() as u64 / 4)?;
        for &member in members {
            insert(&mut self.seen, member);
            self.looks |= is_look(net, member);
            self.next.push(member);
        }
        Ok(())
    }

    /// One step of all states, those below the base among them.
    pub(super) fn step(
        &mut self,
        net: &Net<'_>,
        unit: Option<u8>,
        steps: &mut Steps,
    ) -> Result<Outcome, Exhausted> {
        self.clear(net);
        if net.has_base(self.context) && (0..net.base).any(|state| self.leave(net, state, unit)) {
            steps.spend(self.visited)?;
            return Ok(Outcome::Match);
        }
        self.advance(net, unit, steps)
    }

    /// One step of the states beyond those below the base.
    pub(super) fn advance(
        &mut self,
        net: &Net<'_>,
        unit: Option<u8>,
        steps: &mut Steps,
    ) -> Result<Outcome, Exhausted> {
        let own = core::mem::take(&mut self.own);
        let matched = own.iter().any(|&state| self.leave(net, state, unit));
        self.own = own;
        steps.spend(self.visited)?;
        self.visited = 0;
        if matched {
            return Ok(Outcome::Match);
        }
        if unit.is_none() || (net.is_anchored() && self.next.is_empty()) {
            return Ok(Outcome::Dead);
        }
        let tells = self.looks || net.base_looks();
        Ok(Outcome::Next(if tells { Context::of(unit) } else { Context::Other }))
    }

    fn clear(&mut self, net: &Net<'_>) {
        let words = net.states.len().div_ceil(64);
        for bits in [&mut self.seen, &mut self.here] {
            bits.clear();
            bits.resize(words, 0);
        }
        self.next.clear();
        self.open.clear();
        self.looks = false;
        // The buffers themselves cost something.
        self.visited = OVERHEAD + words as u64 / 4;
    }

    /// Leaves a state by a byte or at the end. True where the text is accepted.
    fn leave(&mut self, net: &Net<'_>, state: u16, unit: Option<u8>) -> bool {
        let mut at = state;
        loop {
            self.visited += 1;
            let Some(state) = net.states.get(usize::from(at)) else { return false };
            let (next, argument) = (state.next.get(), state.argument.get());
            let taken = |range: bool| {
                let [from, to] = argument.to_le_bytes();
                unit.is_some_and(|byte| match range {
                    true => from <= byte && byte <= to,
                    false => net.set_holds(argument, byte),
                })
            };
            let holds = |look| holds(look, self.context, Context::of(unit));
            match NfaOp::from_code(state.op) {
                Some(NfaOp::Match) => return true,
                Some(op @ (NfaOp::Range | NfaOp::Set)) if taken(op == NfaOp::Range) => {
                    if self.enter(net, next) {
                        return true;
                    }
                }
                Some(NfaOp::Split) => {
                    self.reach(next);
                    self.reach(argument);
                }
                Some(NfaOp::Look) if look(argument).is_some_and(holds) => self.reach(next),
                Some(NfaOp::Range | NfaOp::Set | NfaOp::Look) | None => {}
            }
            match self.open.pop() {
                Some(next) => at = next,
                None => return false,
            }
        }
    }

    /// A state is reached at the present place.
    fn reach(&mut self, state: u16) {
        if insert(&mut self.here, state) {
            self.open.push(state);
        }
    }

    /// Enters a state at the next place, and all that it is at once. True where the text is accepted.
    fn enter(&mut self, net: &Net<'_>, state: u16) -> bool {
        // What is open at the present place stays below.
        let floor = self.open.len();
        self.open.push(state);
        while self.open.len() > floor {
            let Some(at) = self.open.pop() else { break };
            self.visited += 1;
            // Those below the base are there anyway.
            if (at < net.base && !net.is_anchored()) || !insert(&mut self.seen, at) {
                continue;
            }
            let Some(state) = net.states.get(usize::from(at)) else { continue };
            match NfaOp::from_code(state.op) {
                Some(NfaOp::Match) => return true,
                Some(NfaOp::Split) => {
                    self.open.push(state.argument.get());
                    self.open.push(state.next.get());
                }
                Some(NfaOp::Look) if look(state.argument.get()) == Some(NfaLook::Start) => {}
                Some(NfaOp::Look) => {
                    self.looks = true;
                    self.next.push(at);
                }
                Some(NfaOp::Range | NfaOp::Set) => self.next.push(at),
                None => {}
            }
        }
        false
    }
}

fn is_look(net: &Net<'_>, state: u16) -> bool {
    net.states.get(usize::from(state)).is_some_and(|state| state.op == NfaOp::Look.code())
}

fn look(argument: u16) -> Option<NfaLook> {
    u8::try_from(argument).ok().and_then(NfaLook::from_code)
}

/// Puts a state into a set. Whether it was not there before.
fn insert(set: &mut [u64], state: u16) -> bool {
    let Some(word) = set.get_mut(usize::from(state / 64)) else { return false };
    let bit = 1 << (state % 64);
    let fresh = *word & bit == 0;
    *word |= bit;
    fresh
}
