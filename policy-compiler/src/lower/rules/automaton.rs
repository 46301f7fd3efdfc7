//! Automata of rules: a table where that is small, else the automaton that a table would be built from.
//!
//! In: an expression. Out: what the bundle holds of it, and what the contract's languages are compared with.

use super::literals::has;
use super::nfa::{Net, Node};
use crate::lower::pattern::{Table, Verdict};
use crate::lower::schema::write_automaton;
use crate::lower::tables::Tables;
use portcullis_bundle::layout::{
    self, NFA_ANCHORED, NFA_BASE_LOOKS, NONE, NfaOp, NfaState, Operator as Code,
};
use portcullis_engine::attack::lazy::{Context, holds};
use regex_syntax::hir::Hir;
use std::collections::{HashSet, VecDeque};

/// Bytes of intermediate automata on the way to a table, at most.
const MAX_BYTES: usize = 48 << 10;

/// Transitions of a table, at most; larger ones stay as they are before.
const MAX_TABLE: usize = 1 << 10;

/// Pairs of states that a comparison looks at; beyond, the languages count as meeting.
const MAX_PAIRS: usize = 1 << 18;

/// What the bundle holds of an expression.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Automaton {
    net: Net,
    table: Option<Table>,
}

impl Automaton {
    /// That of an expression; where `caseless`, it sees capital letters as small ones.
    ///
    /// # Errors
    /// Why it cannot be built, lower case, without a final period.
    pub fn build(expression: &Hir, caseless: bool) -> Result<Automaton, String> {
        let trimmed = crate::lower::pattern::trimmed(expression);
        let net = Net::build(&trimmed, caseless)?;
        let mut table = Table::search_within(&trimmed, MAX_BYTES).ok();
        if let Some(table) = table.as_mut().filter(|_| caseless) {
            for capital in b'A'..=b'Z' {
                let small = table.classes[usize::from(capital.to_ascii_lowercase())];
                table.classes[usize::from(capital)] = small;
            }
        }
        let table = table.filter(|table| table.next.len() <= MAX_TABLE);
        Ok(Automaton { net, table })
    }

    /// Leaves the table out.
    #[cfg(test)]
    pub fn keep_net(&mut self) {
        self.table = None;
    }

    /// Whether a text is accepted.
    pub fn matches(&self, text: &[u8]) -> bool {
        self.table.as_ref().map_or_else(|| self.net.matches(text), |table| table.matches(text))
    }

    /// Code points of the shortest text that it accepts, at least; `NONE` where it accepts none. A byte that continues a
    /// code point counts nothing.
    pub fn shortest(&self) -> u32 {
        self.table.as_ref().map_or_else(|| shortest_of_net(&self.net), shortest)
    }

    /// Writes it: the operator that runs it, and its index.
    pub fn write(&self, tables: &mut Tables<'_>) -> (Code, u32) {
        match &self.table {
            Some(table) => {
                let index = tables.sections.automata.len() as u32;
                write_automaton(tables, table);
                (Code::Automaton, index)
            }
            None => (Code::Nfa, write_net(tables, &self.net)),
        }
    }

    /// Whether some text of a language could be accepted. True where finding that out takes too long.
    pub fn meets(&self, language: &Table) -> bool {
        let alive = alive(language);
        let mut seen: HashSet<Pair> = HashSet::new();
        let mut open: Vec<Pair> = Vec::new();
        // Where the language can be before a match begins.
        let mut places = HashSet::from([(language.start, Context::Edge)]);
        let mut ahead = vec![(language.start, Context::Edge)];
        while let Some((state, _)) = ahead.pop() {
            if self.net.is_anchored() {
                continue;
            }
            for (byte, next) in steps(language, state, &alive) {
                let place = (next, Context::of(Some(byte)));
                if places.insert(place) {
                    ahead.push(place);
                }
            }
        }
        if places.len() * self.net.base as usize > MAX_PAIRS {
            return true;
        }
        for (state, before) in places {
            open.extend((0..self.net.base).map(|node| Pair { node, state, before, after: None }));
        }
        seen.extend(open.iter().copied());
        while let Some(pair) = open.pop() {
            let Pair { node, state, before, after } = pair;
            let mut reach = |pair: Pair| {
                if seen.insert(pair) {
                    open.push(pair);
                }
            };
            match &self.net.nodes[node as usize] {
                Node::Match => {
                    let ends = language.verdicts[state as usize] >= Verdict::Accepts;
                    let mut goes_on = steps(language, state, &alive);
                    let met = match after {
                        None => alive[state as usize],
                        Some(Context::Edge) => ends,
                        Some(after) => goes_on.any(|(byte, _)| Context::of(Some(byte)) == after),
                    };
                    if met {
                        return true;
                    }
                }
                Node::Any(of) => of.iter().for_each(|node| reach(Pair { node: *node, ..pair })),
                Node::Look(look, next) => {
                    for beside in Context::ALL {
                        if after.is_none_or(|after| after == beside) && holds(*look, before, beside)
                        {
                            reach(Pair { node: *next, after: Some(beside), ..pair });
                        }
                    }
                }
                Node::Bytes(set, next) => {
                    for (byte, to) in steps(language, state, &alive) {
                        let beside = Context::of(Some(byte));
                        if has(set, byte) && after.is_none_or(|after| after == beside) {
                            reach(Pair { node: *next, state: to, before: beside, after: None });
                        }
                    }
                }
            }
            if seen.len() > MAX_PAIRS {
                return true;
            }
        }
        false
    }
}

/// Where both automata are: a node, a state of the language's, what stands before, and what must follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Pair {
    node: u32,
    state: u32,
    before: Context,
    after: Option<Context>,
}

/// The bytes that lead on from a state to where something is still accepted.
fn steps<'t>(
    table: &'t Table,
    state: u32,
    alive: &'t [bool],
) -> impl Iterator<Item = (u8, u32)> + 't {
    let row = state as usize * table.stride;
    (0..=255u8)
        .map(move |byte| (byte, table.next[row + usize::from(table.classes[usize::from(byte)])]))
        .filter(|(_, next)| alive[*next as usize])
}

/// The same of an automaton that is no table, where looking around always holds.
fn shortest_of_net(net: &Net) -> u32 {
    let mut best = vec![NONE; net.nodes.len()];
    let mut open: VecDeque<u32> = (0..net.base).collect();
    (0..net.base).for_each(|node| best[node as usize] = 0);
    while let Some(node) = open.pop_front() {
        let here = best[node as usize];
        let (cost, next): (u32, &[u32]) = match &net.nodes[node as usize] {
            Node::Match => return here,
            Node::Any(of) => (0, of),
            Node::Look(_, next) => (0, std::slice::from_ref(next)),
            Node::Bytes(set, next) => {
                // The third word holds the bytes that continue.
                (u32::from(set[2] == 0), std::slice::from_ref(next))
            }
        };
        for next in next {
            if here + cost < best[*next as usize] {
                best[*next as usize] = here + cost;
                if cost == 0 {
                    open.push_front(*next);
                } else {
                    open.push_back(*next);
                }
            }
        }
    }
    NONE
}

/// Code points of the shortest text that a table accepts.
fn shortest(table: &Table) -> u32 {
    let mut cost = [2u32; 256];
    for (byte, class) in table.classes.iter().enumerate() {
        let own = u32::from(!(0x80..0xC0).contains(&byte));
        cost[usize::from(*class)] = cost[usize::from(*class)].min(own);
    }
    let mut best = vec![NONE; table.verdicts.len()];
    let mut open = VecDeque::from([table.start]);
    best[table.start as usize] = 0;
    while let Some(state) = open.pop_front() {
        let here = best[state as usize];
        if table.verdicts[state as usize] >= Verdict::Accepts {
            return here;
        }
        let row = &table.next[state as usize * table.stride..][..table.stride];
        for (next, cost) in row.iter().zip(cost) {
            let there = here + cost;
            if cost < 2 && there < best[*next as usize] {
                best[*next as usize] = there;
                if cost == 0 {
                    open.push_front(*next);
                } else {
                    open.push_back(*next);
                }
            }
        }
    }
    NONE
}

/// By state: whether something is accepted from it.
fn alive(table: &Table) -> Vec<bool> {
    // Tables are minimal, or a star: one dead state at most.
    table.verdicts.iter().map(|verdict| *verdict != Verdict::Dead).collect()
}

fn write_net(tables: &mut Tables<'_>, net: &Net) -> u32 {
    let (classes, count) = net.classes();
    let mut class = [0; 256];
    class.copy_from_slice(&classes);
    let map = layout::ByteClassMap { class };
    let classes = tables.intern(1, |sections| &mut sections.byte_classes, map);
    let first = tables.sections.nfa_states.len() as u32;
    for node in &net.nodes {
        let record = state(tables, node);
        tables.sections.nfa_states.push(record);
    }
    let flags = [(NFA_ANCHORED, net.is_anchored()), (NFA_BASE_LOOKS, net.base_looks())];
    let nfas = &mut tables.sections.nfas;
    nfas.push(layout::Nfa {
        states: first.into(),
        state_count: (net.nodes.len() as u32).into(),
        classes: classes.into(),
        stride: (count as u16 + 1).into(),
        base: (net.base as u16).into(),
        flags: flags.iter().filter(|(_, set)| *set).fold(0, |flags, (bit, _)| flags | bit),
    });
    nfas.len() as u32 - 1
}

fn state(tables: &mut Tables<'_>, node: &Node) -> NfaState {
    let record = |op: NfaOp, argument: u16, next: u32| NfaState {
        next: (next as u16).into(),
        argument: argument.into(),
        op: op.code(),
    };
    match node {
        Node::Match => record(NfaOp::Match, 0, 0),
        Node::Look(look, next) => record(NfaOp::Look, look.code().into(), *next),
        Node::Any(of) => match of.as_slice() {
            [one, other] => record(NfaOp::Split, *other as u16, *one),
            [one] => record(NfaOp::Split, *one as u16, *one),
            // Nothing leads on: a range without bytes.
            _ => record(NfaOp::Range, u16::from_le_bytes([1, 0]), 0),
        },
        Node::Bytes(set, next) => {
            let mut bytes = (0..=255u8).filter(|byte| has(set, *byte));
            let (first, last) = (bytes.next(), bytes.next_back());
            let first = first.unwrap_or(1);
            let last = last.unwrap_or(if first == 1 && !has(set, 1) { 0 } else { first });
            let count: u32 = set.iter().map(|word| word.count_ones()).sum();
            if count == u32::from(last.saturating_sub(first)) + 1 || count == 0 {
                return record(NfaOp::Range, u16::from_le_bytes([first, last]), *next);
            }
            let set = layout::ByteSet { words: set.map(zerocopy::little_endian::U64::new) };
            let index = tables.intern(20, |sections| &mut sections.byte_sets, set);
            record(NfaOp::Set, index as u16, *next)
        }
    }
}
