//! The states that were met, in bounded memory.
//!
//! A state is a row of transitions in one array, behind three words that say what it stands for; its number is where its
//! transitions begin. States are found again through a hash table.

use super::net::{Context, Net};

/// Words of transitions, at most: 1 MiB.
const MAX_WORDS: usize = 1 << 18;
/// States of bundle's automata that stand in sets, at most: 256 KiB.
const MAX_MEMBERS: usize = 1 << 17;
/// Slots of the hash table: 64 KiB. At most half of them are taken.
const SLOTS: usize = 1 << 14;
/// Words before a state's transitions.
const HEAD: usize = 3;

/// Not built yet.
pub(super) const UNKNOWN: u32 = 0;
/// The text is accepted.
pub(super) const MATCH: u32 = 1;
/// The text is refused.
pub(super) const DEAD: u32 = 2;

/// States, their transitions and their sets.
#[derive(Debug, Default)]
pub(super) struct Store {
    words: Vec<u32>,
    members: Vec<u16>,
    /// Numbers of states by hash; zero for none.
    slots: Vec<u32>,
    count: usize,
    /// By automaton: its state before the first byte; zero where it was not met.
    starts: Vec<u32>,
    /// How often everything was forgotten.
    pub cleared: u32,
}

impl Store {
    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        self.words.clear();
        self.members.clear();
        self.slots.fill(0);
        self.starts.clear();
        self.count = 0;
        self.cleared = self.cleared.wrapping_add(1);
    }

    /// How many states are kept.
    pub(super) fn len(&self) -> usize {
        self.count
    }

    /// Where a transition leads.
    #[inline]
    pub(super) fn next(&self, state: u32, class: u32) -> u32 {
        self.words.get(state.wrapping_add(class) as usize).copied().unwrap_or(UNKNOWN)
    }

    /// Says where a transition leads.
    pub(super) fn set(&mut self, state: u32, class: u32, next: u32) {
        if let Some(word) = self.words.get_mut(state.wrapping_add(class) as usize) {
            *word = next;
        }
    }

    /// The state of an automaton before the first byte.
    pub(super) fn start(&mut self, net: &Net<'_>) -> u32 {
        let known = self.starts.get(net.index as usize).copied().unwrap_or(UNKNOWN);
        if known != UNKNOWN {
            return known;
        }
        let start = self.keep(net, Context::Edge, &[]);
        let index = net.index as usize;
        if self.starts.len() <= index {
            self.starts.resize(index.saturating_add(1), UNKNOWN);
        }
        if let Some(known) = self.starts.get_mut(index) {
            *known = start;
        }
        start
    }

    /// What a state stands for: what stands before it, and the states beyond those below the base.
    pub(super) fn read(&self, state: u32) -> (Context, &[u16]) {
        let state = state as usize;
        let word = |back: usize| {
            state.checked_sub(back).and_then(|at| self.words.get(at)).copied().unwrap_or(0)
        };
        let (key, first, count) = (word(3), word(2) as usize, word(1) as usize);
        let members = self.members.get(first..first.saturating_add(count)).unwrap_or_default();
        (Context::from_code(key & 7), members)
    }

    /// The number of a state, which is kept if it was not known. Where there is no room everything else is forgotten.
    pub(super) fn keep(&mut self, net: &Net<'_>, context: Context, set: &[u16]) -> u32 {
        if self.slots.is_empty() {
            self.slots.resize(SLOTS, 0);
        }
        let key = net.index << 3 | context as u32;
        let mut slot = slot_of(key, set);
        loop {
            match self.slots.get(slot).copied().unwrap_or(0) {
                0 => break,
                state if self.is(state, key, set) => return state,
                _ => slot = (slot + 1) % SLOTS,
            }
        }
        let row = HEAD + usize::from(net.stride);
        let full = self.words.len() + row > MAX_WORDS
            || self.members.len() + set.len() > MAX_MEMBERS
            || self.count >= SLOTS / 2;
        if full {
            self.clear();
            slot = slot_of(key, set);
        }
        // Zero to two are no states.
        let first = u32::try_from(self.members.len()).unwrap_or(0);
        let count = u32::try_from(set.len()).unwrap_or(0);
        self.members.extend_from_slice(set);
        self.words.extend_from_slice(&[key, first, count]);
        let state = u32::try_from(self.words.len()).unwrap_or(0);
        self.words.resize(self.words.len() + usize::from(net.stride), UNKNOWN);
        self.count += 1;
        if let Some(slot) = self.slots.get_mut(slot) {
            *slot = state;
        }
        state
    }

    fn is(&self, state: u32, key: u32, set: &[u16]) -> bool {
        let known = (state as usize).checked_sub(HEAD).and_then(|at| self.words.get(at));
        known == Some(&key) && self.read(state).1 == set
    }
}

fn slot_of(key: u32, set: &[u16]) -> usize {
    let mix = |hash: u32, word: u32| (hash ^ word).wrapping_mul(0x9E37_79B1).rotate_left(13);
    let hash = set.iter().fold(mix(0x85EB_CA6B, key), |hash, member| mix(hash, (*member).into()));
    (hash.wrapping_mul(0x85EB_CA6B) >> 18) as usize % SLOTS
}
