//! Table automata: built from regex-automata's, joined, minimised, numbered for the bundle.

use super::ecma::Expression;
use crate::lower::partition;
use regex_automata::dfa::{Automaton as _, StartKind, dense};
use regex_automata::nfa::thompson::{self, WhichCaptures};
use regex_automata::util::primitives::StateID;
use regex_automata::util::start;
use regex_automata::{Anchored, MatchKind};
use regex_syntax::hir::{Hir, HirKind, Repetition};
use std::collections::HashMap;

/// Transitions of one automaton, at most: state numbers are 16 bits.
const MAX_TABLE: usize = u16::MAX as usize;

/// States before minimising, at most.
const MAX_STATES: usize = 60_000;

/// Bytes of intermediate automata, at most. What needs more would not fit a table either; finding that out takes
/// seconds for each pattern at eight times this.
const MAX_BYTES: usize = 1 << 20;

/// The same for the expressions of rules, of which there are few.
const MAX_SEARCH: usize = 4 << 20;

/// What a state says at the end of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Verdict {
    /// Nothing that follows can make it accept.
    Dead,
    Ordinary,
    Accepts,
    /// Nothing that follows can make it refuse.
    AcceptsAlways,
}

/// An automaton over bytes: every state has a transition for every class of bytes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Table {
    /// The class of each byte.
    pub classes: Vec<u8>,
    /// How many classes.
    pub stride: usize,
    /// By state, then class: the next state.
    pub next: Vec<u32>,
    /// By state.
    pub verdicts: Vec<Verdict>,
    pub start: u32,
}

impl Table {
    /// Builds the automaton of an expression: a text is accepted where the expression matches in
    /// it somewhere, and every look-ahead at its beginning holds.
    ///
    /// Adds to `work` the transitions of all automata on the way.
    ///
    /// # Errors
    /// Why it cannot be built, lower case, without a final period.
    pub fn build(expression: &Expression, work: &mut usize) -> Result<Table, String> {
        let mut count = |built: Result<Table, String>| {
            *work += built.as_ref().map_or(MAX_BYTES / 4, |table| table.next.len());
            built
        };
        let mut table = count(Table::determinise(&trimmed(&expression.main)))?.minimise();
        for (positive, body) in &expression.ahead {
            let mut other = count(Table::determinise(body))?.minimise();
            if !positive {
                other.complement();
            }
            table = count(table.and(&other))?.minimise();
        }
        if table.next.len() > MAX_TABLE {
            return Err(too_large());
        }
        Ok(table)
    }

    /// Builds the automaton of an expression over bytes: a text is accepted where it matches somewhere.
    ///
    /// # Errors
    /// Why it cannot be built, lower case, without a final period.
    pub fn search(expression: &Hir) -> Result<Table, String> {
        Table::search_within(&trimmed(expression), MAX_SEARCH)
    }

    /// The same, of an expression without needless ends, where intermediate automata need no more bytes.
    ///
    /// # Errors
    /// Why it cannot be built, lower case, without a final period.
    pub fn search_within(expression: &Hir, bytes: usize) -> Result<Table, String> {
        let table = Table::determinise_within(expression, bytes)?.minimise();
        if table.next.len() > MAX_TABLE { Err(too_large()) } else { Ok(table) }
    }

    /// Whether a text is accepted.
    pub fn matches(&self, text: &[u8]) -> bool {
        let step = |state: u32, byte: &u8| {
            let class = usize::from(self.classes[usize::from(*byte)]);
            self.next[state as usize * self.stride + class]
        };
        let last = text.iter().fold(self.start, step);
        self.verdicts[last as usize] >= Verdict::Accepts
    }

    /// Whether another automaton accepts every text that this one does; `false` where that cannot be found out.
    pub fn is_within(&self, other: &Table) -> bool {
        let mut outside = other.clone();
        outside.complement();
        let both = self.and(&outside).map(|both| both.minimise());
        both.is_ok_and(|table| table.verdicts[table.start as usize] == Verdict::Dead)
    }

    /// The bytes of the texts that it accepts, as bits: byte `b` is bit `b % 64` of word `b / 64`.
    pub fn charset(&self) -> [u64; 4] {
        let states = self.verdicts.len();
        // States from which something is accepted, found backwards.
        let mut alive: Vec<bool> = self.verdicts.iter().map(|it| *it >= Verdict::Accepts).collect();
        loop {
            let mut grown = false;
            for state in (0..states).filter(|state| !alive[*state]).collect::<Vec<_>>() {
                let row = &self.next[state * self.stride..(state + 1) * self.stride];
                if row.iter().any(|next| alive[*next as usize]) {
                    (alive[state], grown) = (true, true);
                }
            }
            if !grown {
                break;
            }
        }
        let mut reached = vec![false; states];
        let mut open = vec![self.start as usize];
        reached[self.start as usize] = true;
        let mut used = vec![false; self.stride];
        while let Some(state) = open.pop() {
            for (class, used) in used.iter_mut().enumerate() {
                let next = self.next[state * self.stride + class] as usize;
                *used |= alive[next];
                if alive[next] && !std::mem::replace(&mut reached[next], true) {
                    open.push(next);
                }
            }
        }
        let mut set = [0; 4];
        for (byte, _) in self.classes.iter().enumerate().filter(|(_, it)| used[usize::from(**it)]) {
            set[byte / 64] |= 1 << (byte % 64);
        }
        set
    }

    /// Whether every text is accepted.
    pub fn accepts_all(&self) -> bool {
        self.verdicts[self.start as usize] == Verdict::AcceptsAlways
    }

    fn determinise(hir: &Hir) -> Result<Table, String> {
        Table::determinise_within(hir, MAX_BYTES)
    }

    fn determinise_within(hir: &Hir, bytes: usize) -> Result<Table, String> {
        let config = thompson::Config::new()
            .which_captures(WhichCaptures::None)
            .utf8(false)
            .nfa_size_limit(Some(bytes));
        let nfa = thompson::Compiler::new().configure(config).build_from_hir(hir);
        let nfa = nfa.map_err(|_| too_large())?;
        let config = dense::Config::new()
            .accelerate(false)
            .match_kind(MatchKind::All)
            .start_kind(StartKind::Unanchored)
            .dfa_size_limit(Some(bytes))
            .determinize_size_limit(Some(bytes));
        let dfa = dense::Builder::new().configure(config).build_from_nfa(&nfa);
        let dfa = dfa.map_err(|_| too_large())?;
        let start = dfa.start_state(&start::Config::new().anchored(Anchored::No));
        let start = start.map_err(|error| error.to_string())?;
        let classes: Vec<u8> = (0..=255).map(|byte| dfa.byte_classes().get(byte)).collect();
        let stride = classes.iter().max().map_or(1, |class| usize::from(*class) + 1);
        let mut sample = vec![0u8; stride];
        for byte in (0..=255u8).rev() {
            sample[usize::from(classes[usize::from(byte)])] = byte;
        }
        // A state that has matched stands for all: the rest of the text does not matter.
        const MATCHED: u32 = 1;
        let mut table = Table {
            classes,
            stride,
            next: [vec![0; stride], vec![MATCHED; stride]].concat(),
            verdicts: vec![Verdict::Dead, Verdict::AcceptsAlways],
            start: 0,
        };
        let mut numbers: HashMap<StateID, u32> = HashMap::new();
        let mut order: Vec<StateID> = Vec::new();
        let mut number = |id: StateID, order: &mut Vec<StateID>| -> u32 {
            if dfa.is_match_state(id) {
                return MATCHED;
            }
            if dfa.is_dead_state(id) {
                return 0;
            }
            *numbers.entry(id).or_insert_with(|| {
                order.push(id);
                order.len() as u32 + 1
            })
        };
        table.start = number(start, &mut order);
        let mut at = 0;
        while at < order.len() {
            let id = order[at];
            at += 1;
            if at > MAX_STATES {
                return Err(too_large());
            }
            let row: Vec<u32> =
                sample.iter().map(|byte| number(dfa.next_state(id, *byte), &mut order)).collect();
            table.next.extend(row);
            let ends = dfa.is_match_state(dfa.next_eoi_state(id));
            table.verdicts.push(if ends { Verdict::Accepts } else { Verdict::Ordinary });
        }
        Ok(table)
    }

    fn complement(&mut self) {
        for verdict in &mut self.verdicts {
            *verdict = match verdict {
                Verdict::Dead => Verdict::AcceptsAlways,
                Verdict::Ordinary => Verdict::Accepts,
                Verdict::Accepts => Verdict::Ordinary,
                Verdict::AcceptsAlways => Verdict::Dead,
            };
        }
    }

    /// The automaton that accepts what both accept.
    fn and(&self, other: &Table) -> Result<Table, String> {
        let mut pairs: HashMap<(u8, u8), u8> = HashMap::new();
        let mut sample = Vec::new();
        let mut classes = Vec::with_capacity(256);
        for byte in 0..256 {
            let pair = (self.classes[byte], other.classes[byte]);
            let next = pairs.len() as u8;
            classes.push(*pairs.entry(pair).or_insert_with(|| {
                sample.push(pair);
                next
            }));
        }
        let (mut next, mut verdicts) = (Vec::new(), Vec::new());
        let mut numbers: HashMap<(u32, u32), u32> = HashMap::new();
        let mut order = vec![(self.start, other.start)];
        numbers.insert(order[0], 0);
        let mut at = 0;
        while at < order.len() {
            let (a, b) = order[at];
            at += 1;
            if at > MAX_STATES {
                return Err(too_large());
            }
            verdicts.push(self.verdicts[a as usize].min(other.verdicts[b as usize]));
            for (of_a, of_b) in &sample {
                let to = (
                    self.next[a as usize * self.stride + usize::from(*of_a)],
                    other.next[b as usize * other.stride + usize::from(*of_b)],
                );
                let fresh = order.len() as u32;
                next.push(*numbers.entry(to).or_insert_with(|| {
                    order.push(to);
                    fresh
                }));
            }
        }
        Ok(Table { classes, stride: sample.len(), next, verdicts, start: 0 })
    }

    /// The smallest automaton that accepts the same, by Hopcroft's refinement; states are numbered
    /// dead, ordinary, accepting, always accepting, and the dead state is always there.
    fn minimise(&self) -> Table {
        let count = self.verdicts.len();
        let row = |state: usize| &self.next[state * self.stride..(state + 1) * self.stride];
        let accepts = |state: usize| self.verdicts[state] >= Verdict::Accepts;
        let accepting: Vec<u32> = (0..count).map(|state| u32::from(accepts(state))).collect();
        let (blocks, known) = partition::coarsest(&accepting, row);
        // A block all of whose transitions lead back decides for good.
        let mut member = vec![usize::MAX; known];
        (0..count).rev().for_each(|state| member[blocks[state] as usize] = state);
        let final_ = |block: usize| {
            row(member[block]).iter().all(|next| blocks[*next as usize] as usize == block)
        };
        let verdict = |block: usize| match (accepts(member[block]), final_(block)) {
            (false, true) => Verdict::Dead,
            (false, false) => Verdict::Ordinary,
            (true, false) => Verdict::Accepts,
            (true, true) => Verdict::AcceptsAlways,
        };
        // Only what can be reached, in the order in which a walk meets it.
        let mut reached = vec![blocks[self.start as usize] as usize];
        let mut met = vec![false; known];
        met[reached[0]] = true;
        let mut at = 0;
        while at < reached.len() {
            for next in row(member[reached[at]]) {
                let block = blocks[*next as usize] as usize;
                if !std::mem::replace(&mut met[block], true) {
                    reached.push(block);
                }
            }
            at += 1;
        }
        reached.sort_by_key(|block| verdict(*block));
        let dead = reached.first().is_some_and(|block| verdict(*block) == Verdict::Dead);
        let shift = u32::from(!dead);
        let mut number = vec![0u32; known];
        for (at, block) in reached.iter().enumerate() {
            number[*block] = at as u32 + shift;
        }
        let mut verdicts: Vec<Verdict> = reached.iter().map(|block| verdict(*block)).collect();
        let mut rows: Vec<Vec<u32>> = reached
            .iter()
            .map(|block| {
                row(member[*block]).iter().map(|n| number[blocks[*n as usize] as usize]).collect()
            })
            .collect();
        if !dead {
            verdicts.insert(0, Verdict::Dead);
            rows.insert(0, vec![0; self.stride]);
        }
        let start = number[blocks[self.start as usize] as usize];
        Table::merging_columns(&self.classes, &rows, verdicts, start)
    }

    /// Gives one class to bytes that every state treats alike.
    fn merging_columns(
        classes: &[u8],
        rows: &[Vec<u32>],
        verdicts: Vec<Verdict>,
        start: u32,
    ) -> Table {
        let mut columns: HashMap<Vec<u32>, u8> = HashMap::new();
        let mut kept: Vec<usize> = Vec::new();
        let merged = classes
            .iter()
            .map(|class| {
                let column = rows.iter().map(|row| row[usize::from(*class)]).collect();
                let fresh = columns.len() as u8;
                *columns.entry(column).or_insert_with(|| {
                    kept.push(usize::from(*class));
                    fresh
                })
            })
            .collect();
        let next = rows.iter().flat_map(|row| kept.iter().map(|class| row[*class])).collect();
        Table { classes: merged, stride: kept.len(), next, verdicts, start }
    }
}

/// What matches somewhere exactly where the expression does: without anchors a repetition at either
/// end need not go on beyond its least count, which keeps large counts out of the automaton.
pub fn trimmed(hir: &Hir) -> Hir {
    let mut parts = match hir.kind() {
        HirKind::Concat(parts) => parts.clone(),
        _ => vec![hir.clone()],
    };
    let shortened = |part: &Hir| match part.kind() {
        HirKind::Repetition(of) if of.max != Some(of.min) => {
            Some(Hir::repetition(Repetition { max: Some(of.min), ..of.clone() }))
        }
        _ => None,
    };
    while let Some(short) = parts.last().and_then(shortened) {
        parts.pop();
        if !matches!(short.kind(), HirKind::Empty) {
            parts.push(short);
            break;
        }
    }
    while let Some(short) = parts.first().and_then(shortened) {
        parts.remove(0);
        if !matches!(short.kind(), HirKind::Empty) {
            parts.insert(0, short);
            break;
        }
    }
    Hir::concat(parts)
}

fn too_large() -> String {
    "its automaton is too large".to_owned()
}
