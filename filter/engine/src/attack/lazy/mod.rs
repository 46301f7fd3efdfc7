//! Nondeterministic automata, run as deterministic ones that are built while texts are read.
//!
//! In: an automaton of the bundle and a text. Out: whether the expression matches somewhere. A state of the
//! deterministic automaton is the set of states that the other is in; [`Cache`] keeps those that were met, of all
//! automata of a bundle together, in bounded memory: where it is full it forgets everything. Building a state costs a
//! step for each state of the bundle's automaton that is looked at. A text that keeps asking for new states is
//! read to its end without keeping them, so that hostile texts neither fill the cache nor pay for filling it.

mod net;
mod store;
mod walk;

pub use net::{Context, holds};

use super::steps::{Exhausted, Steps};
use net::Net;
use portcullis_bundle::layout::View;
use std::cell::RefCell;
use std::rc::Rc;
use store::{DEAD, MATCH, Store, UNKNOWN};
use walk::{Outcome, Walk};

/// States built for one text before it is asked whether keeping them is worth it.
const PATIENCE: usize = 512;

/// Bytes that a text must have read for each state built, to have them kept.
const WORTH: usize = 4;

/// Steps that keeping a state costs.
const KEEPING: u64 = 64;

/// The automata of one worker, shared by its exchanges: cloning shares.
#[derive(Clone, Debug, Default)]
pub struct Automata(Rc<RefCell<Cache>>);

impl Automata {
    /// Whether an automaton of the bundle accepts a text. The steps are those of building states; reading is the
    /// caller's to count.
    pub(crate) fn matches(
        &self,
        view: &View<'_>,
        nfa: u32,
        text: &[u8],
        steps: &mut Steps,
    ) -> Result<bool, Exhausted> {
        // Nobody holds it beyond a call; were it otherwise, not to know would count as the budget's end.
        self.0.try_borrow_mut().map_err(|_| Exhausted)?.matches(view, nfa, text, steps)
    }
}

/// What was built so far of the automata of a bundle.
#[derive(Debug, Default)]
pub struct Cache {
    /// Which bundle it was built from.
    identity: u64,
    store: Store,
    walk: Walk,
}

impl Cache {
    /// Whether an automaton of the bundle accepts a text.
    ///
    /// # Errors
    /// The steps are spent.
    pub fn matches(
        &mut self,
        view: &View<'_>,
        nfa: u32,
        text: &[u8],
        steps: &mut Steps,
    ) -> Result<bool, Exhausted> {
        let Some(net) = Net::of(view, nfa) else { return Ok(false) };
        if self.identity != view.identity {
            self.store.clear();
            self.identity = view.identity;
        }
        let mut state = self.store.start(&net);
        let mut built = 0_usize;
        for (at, &byte) in text.iter().enumerate() {
            let mut next = self.store.next(state, net.class(byte));
            if next <= DEAD {
                if next == UNKNOWN {
                    built += 1;
                    if built > PATIENCE && built.saturating_mul(WORTH) > at {
                        self.walk.load(&self.store, state);
                        let rest = text.get(at..).unwrap_or_default();
                        return self.simulate(&net, rest, steps);
                    }
                    next = self.build(&net, state, Some(byte), steps)?;
                }
                match next {
                    MATCH => return Ok(true),
                    DEAD => return Ok(false),
                    _ => {}
                }
            }
            state = next;
        }
        let mut last = self.store.next(state, net.end_class());
        if last == UNKNOWN {
            last = self.build(&net, state, None, steps)?;
        }
        Ok(last == MATCH)
    }

    /// States that are kept, and how often all were forgotten.
    pub fn usage(&self) -> (usize, u32) {
        (self.store.len(), self.store.cleared)
    }

    /// Builds the state that follows on another, and keeps it.
    #[cold]
    fn build(
        &mut self,
        net: &Net<'_>,
        state: u32,
        unit: Option<u8>,
        steps: &mut Steps,
    ) -> Result<u32, Exhausted> {
        let cleared = self.store.cleared;
        self.walk.load(&self.store, state);
        let outcome = self.follow(net, unit, steps)?;
        let next = self.number(net, outcome, steps)?;
        if self.store.cleared == cleared {
            self.store.set(state, net.class_of(unit), next);
        }
        Ok(next)
    }

    /// Reads a text to its end from the loaded state, keeping nothing.
    #[cold]
    fn simulate(
        &mut self,
        net: &Net<'_>,
        text: &[u8],
        steps: &mut Steps,
    ) -> Result<bool, Exhausted> {
        let units = text.iter().map(|byte| Some(*byte)).chain([None]);
        for unit in units {
            match self.follow(net, unit, steps)? {
                Outcome::Match => return Ok(true),
                Outcome::Dead => return Ok(false),
                Outcome::Next(context) => self.walk.go_on(context),
            }
        }
        Ok(false)
    }

    /// What follows on the loaded state. What comes of the states before every byte is the same for all loaded states
    /// of a context, and is looked up.
    fn follow(
        &mut self,
        net: &Net<'_>,
        unit: Option<u8>,
        steps: &mut Steps,
    ) -> Result<Outcome, Exhausted> {
        let context = self.walk.context;
        if !net.has_base(context) {
            self.walk.begin(net, &self.store, None, steps)?;
            return self.walk.advance(net, unit, steps);
        }
        let base = self.store.keep(net, context, &[]);
        let mut next = self.store.next(base, net.class_of(unit));
        if next == UNKNOWN {
            next = self.follow_base(net, (base, unit), steps)?;
        }
        if next == MATCH {
            return Ok(Outcome::Match);
        }
        self.walk.begin(net, &self.store, Some(next).filter(|next| *next != DEAD), steps)?;
        self.walk.advance(net, unit, steps)
    }

    /// Builds what follows on the states below the base alone, whatever is loaded.
    fn follow_base(
        &mut self,
        net: &Net<'_>,
        (base, unit): (u32, Option<u8>),
        steps: &mut Steps,
    ) -> Result<u32, Exhausted> {
        let cleared = self.store.cleared;
        self.walk.set_aside();
        let outcome = self.walk.step(net, unit, steps);
        self.walk.take_back();
        let next = self.number(net, outcome?, steps)?;
        if cleared == self.store.cleared {
            self.store.set(base, net.class_of(unit), next);
        }
        Ok(next)
    }

    /// The number of what a step has led to.
    fn number(
        &mut self,
        net: &Net<'_>,
        outcome: Outcome,
        steps: &mut Steps,
    ) -> Result<u32, Exhausted> {
        match outcome {
            Outcome::Match => Ok(MATCH),
            Outcome::Dead => Ok(DEAD),
            Outcome::Next(context) => {
                let found = self.walk.found();
                steps.spend(KEEPING + found.len() as u64 / 4)?;
                Ok(self.store.keep(net, context, found))
            }
        }
    }
}
