//! Nondeterministic automata of rules: what an expression is before it is made deterministic, as small as is cheap.
//!
//! In: an expression over bytes. Out: an automaton that searches, numbered for the bundle; and whether some text of a
//! table automaton's language could match. Looking around is kept as it is, and decided when a text is read.

use super::literals::{Bytes, has};
use portcullis_bundle::layout::{MAX_NFA_STATES, NfaLook};
use portcullis_engine::attack::lazy::{Context, holds};
use regex_automata::nfa::thompson::{self, State, WhichCaptures};
use regex_automata::util::look::Look;
use regex_syntax::hir::Hir;
use std::collections::HashMap;

/// Bytes of the automaton as it is first made, at most.
const MAX_BYTES: usize = 8 << 20;

/// Passes that look for states that do the same.
const PASSES: usize = 4;

/// A state; numbers are indexes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Node {
    /// The text is accepted, whatever follows.
    Match,
    /// A byte of the set leads on.
    Bytes(Bytes, u32),
    /// It is all of these at once.
    Any(Vec<u32>),
    /// It is the other where this holds.
    Look(NfaLook, u32),
}

/// An automaton.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Net {
    /// No `Any` has more than two members. Those in which it is before every byte come first.
    pub nodes: Vec<Node>,
    /// How many those are.
    pub base: u32,
}

impl Net {
    /// Builds the automaton of an expression; where `caseless`, it sees capital letters as small ones.
    ///
    /// # Errors
    /// Why it cannot be built, lower case, without a final period.
    pub fn build(expression: &Hir, caseless: bool) -> Result<Net, String> {
        let config = thompson::Config::new()
            .which_captures(WhichCaptures::None)
            .utf8(false)
            .nfa_size_limit(Some(MAX_BYTES));
        let nfa = thompson::Compiler::new().configure(config).build_from_hir(expression);
        let nfa = nfa.map_err(|_| too_large())?;
        let mut nodes = Vec::with_capacity(nfa.states().len());
        let mut later = Vec::new();
        for state in nfa.states() {
            let node = node(state, nfa.states().len() + later.len(), &mut later)?;
            nodes.push(node);
        }
        nodes.extend(later);
        if caseless {
            nodes.iter_mut().for_each(fold_case);
        }
        let mut start = nfa.start_anchored().as_u32();
        for _ in 0..PASSES {
            let before = nodes.len();
            (nodes, start) = merged(&nodes, start);
            if nodes.len() == before {
                break;
            }
        }
        let net = numbered(&nodes, start);
        if net.nodes.len() < MAX_NFA_STATES as usize { Ok(net) } else { Err(too_large()) }
    }

    /// Whether a match can begin at the start of the text alone.
    pub fn is_anchored(&self) -> bool {
        let base = &self.nodes[..self.base as usize];
        base.iter().all(|node| matches!(node, Node::Look(NfaLook::Start, _)))
    }

    /// Whether a state before every byte looks around elsewhere than at the start.
    pub fn base_looks(&self) -> bool {
        let base = &self.nodes[..self.base as usize];
        base.iter().any(|node| matches!(node, Node::Look(look, _) if *look != NfaLook::Start))
    }

    /// Classes of bytes that no state tells apart, and how many they are.
    pub fn classes(&self) -> (Vec<u8>, usize) {
        let mut sets: Vec<Bytes> = Vec::new();
        let mut seen = std::collections::HashSet::new();
        let mut looks = false;
        for node in &self.nodes {
            match node {
                Node::Bytes(set, _) if seen.insert(*set) => sets.push(*set),
                Node::Look(look, _) => looks |= !matches!(look, NfaLook::Start | NfaLook::End),
                _ => {}
            }
        }
        let mut known: HashMap<(Vec<u64>, Context), u8> = HashMap::new();
        let classes = (0..=255u8).map(|byte| {
            let mut key = vec![0u64; sets.len().div_ceil(64)];
            for (at, _) in sets.iter().enumerate().filter(|(_, set)| has(set, byte)) {
                key[at / 64] |= 1 << (at % 64);
            }
            let beside = if looks { Context::of(Some(byte)) } else { Context::Other };
            let fresh = known.len() as u8;
            *known.entry((key, beside)).or_insert(fresh)
        });
        let classes: Vec<u8> = classes.collect();
        (classes, known.len())
    }

    /// Whether a text is accepted.
    pub fn matches(&self, text: &[u8]) -> bool {
        let (mut own, mut open): (Vec<u32>, Vec<u32>) = (Vec::new(), Vec::new());
        let mut before = Context::Edge;
        // By state: the place at which it was met last, from 1.
        let mut met = vec![0usize; self.nodes.len()];
        for at in 0..=text.len() {
            let unit = text.get(at).copied();
            let after = Context::of(unit);
            open.extend(own.drain(..).chain(0..self.base));
            while let Some(state) = open.pop() {
                if std::mem::replace(&mut met[state as usize], at + 1) == at + 1 {
                    continue;
                }
                match &self.nodes[state as usize] {
                    Node::Match => return true,
                    Node::Any(of) => open.extend(of),
                    Node::Look(look, next) if holds(*look, before, after) => open.push(*next),
                    Node::Bytes(set, next) if unit.is_some_and(|byte| has(set, byte)) => {
                        own.push(*next);
                    }
                    Node::Look(..) | Node::Bytes(..) => {}
                }
            }
            before = after;
        }
        false
    }
}

fn range(from: u8, to: u8) -> Bytes {
    let mut set = [0; 4];
    (from..=to).for_each(|byte| set[usize::from(byte >> 6)] |= 1 << (byte & 63));
    set
}

/// A state as a node. What it leads to by bytes of different sets becomes nodes of its own, numbered from `next`.
fn node(state: &State, next: usize, later: &mut Vec<Node>) -> Result<Node, String> {
    let by_bytes = |transitions: Vec<(Bytes, u32)>, later: &mut Vec<Node>| {
        let mut grouped: Vec<(u32, Bytes)> = Vec::new();
        for (set, to) in transitions {
            match grouped.iter_mut().find(|(known, _)| *known == to) {
                Some((_, known)) => union(known, &set),
                None => grouped.push((to, set)),
            }
        }
        if let [(to, set)] = grouped.as_slice() {
            return Node::Bytes(*set, *to);
        }
        let first = next as u32;
        later.extend(grouped.iter().map(|(to, set)| Node::Bytes(*set, *to)));
        Node::Any((first..first + grouped.len() as u32).collect())
    };
    Ok(match state {
        State::ByteRange { trans } => {
            Node::Bytes(range(trans.start, trans.end), trans.next.as_u32())
        }
        State::Sparse(sparse) => {
            let of = sparse.transitions.iter();
            let of = of.map(|it| (range(it.start, it.end), it.next.as_u32())).collect();
            by_bytes(of, later)
        }
        State::Dense(dense) => {
            // State zero is the one that fails.
            let of = (0..=255u8).zip(&dense.transitions).filter(|(_, to)| to.as_u32() != 0);
            by_bytes(of.map(|(byte, to)| (range(byte, byte), to.as_u32())).collect(), later)
        }
        State::Look { look: of, next } => Node::Look(look(*of)?, next.as_u32()),
        State::Union { alternates } => Node::Any(alternates.iter().map(|id| id.as_u32()).collect()),
        State::BinaryUnion { alt1, alt2 } => Node::Any(vec![alt1.as_u32(), alt2.as_u32()]),
        State::Capture { next, .. } => Node::Any(vec![next.as_u32()]),
        State::Fail => Node::Any(Vec::new()),
        State::Match { .. } => Node::Match,
    })
}

fn look(look: Look) -> Result<NfaLook, String> {
    Ok(match look {
        Look::Start => NfaLook::Start,
        Look::End => NfaLook::End,
        Look::StartLF => NfaLook::StartLf,
        Look::EndLF => NfaLook::EndLf,
        Look::StartCRLF => NfaLook::StartCrlf,
        Look::EndCRLF => NfaLook::EndCrlf,
        Look::WordAscii => NfaLook::Word,
        Look::WordAsciiNegate => NfaLook::NotWord,
        Look::WordStartAscii => NfaLook::WordStart,
        Look::WordEndAscii => NfaLook::WordEnd,
        Look::WordStartHalfAscii => NfaLook::WordStartHalf,
        Look::WordEndHalfAscii => NfaLook::WordEndHalf,
        _ => {
            return Err(
                "the words of Unicode are not known here; `(?-u:\\b)` looks for those of ASCII"
                    .to_owned(),
            );
        }
    })
}

fn union(all: &mut Bytes, set: &Bytes) {
    all.iter_mut().zip(set).for_each(|(all, set)| *all |= set);
}

fn fold_case(node: &mut Node) {
    let Node::Bytes(set, _) = node else { return };
    for capital in b'A'..=b'Z' {
        let small = has(set, capital.to_ascii_lowercase());
        let (word, bit) = (&mut set[usize::from(capital >> 6)], 1 << (capital & 63));
        *word = if small { *word | bit } else { *word & !bit };
    }
}

/// Gives one number to states that do the same, as far as that is seen from what they lead to, and leaves out those
/// that cannot be reached or only lead on.
fn merged(nodes: &[Node], start: u32) -> (Vec<Node>, u32) {
    let mut out: Vec<Node> = Vec::new();
    let mut known: HashMap<Node, u32> = HashMap::new();
    // The number of each node where it is done; where it is not, what stands for it until then.
    let mut done: Vec<Option<u32>> = vec![None; nodes.len()];
    // Nodes that are led back to are numbered before they are known.
    let mut promised: Vec<Option<u32>> = vec![None; nodes.len()];
    let mut entered = vec![false; nodes.len()];
    let mut open = vec![(start, false)];
    while let Some((at, left)) = open.pop() {
        let index = at as usize;
        let children: &[u32] = match &nodes[index] {
            Node::Match => &[],
            Node::Bytes(_, next) | Node::Look(_, next) => std::slice::from_ref(next),
            Node::Any(of) => of,
        };
        if !left {
            if !std::mem::replace(&mut entered[index], true) {
                open.push((at, true));
                open.extend(
                    children
                        .iter()
                        .rev()
                        .filter(|it| !entered[**it as usize])
                        .map(|it| (*it, false)),
                );
            }
            continue;
        }
        if done[index].is_some() {
            continue;
        }
        let mut number = |child: u32| {
            let child = child as usize;
            done[child].or(promised[child]).unwrap_or_else(|| {
                out.push(Node::Any(Vec::new()));
                let number = out.len() as u32 - 1;
                promised[child] = Some(number);
                number
            })
        };
        let mut node = match &nodes[index] {
            Node::Match => Node::Match,
            Node::Bytes(set, next) => Node::Bytes(*set, number(*next)),
            Node::Look(look, next) => Node::Look(*look, number(*next)),
            Node::Any(of) => Node::Any(of.iter().map(|child| number(*child)).collect()),
        };
        if let Node::Any(of) = &node {
            node = any(of, &mut out, &mut known);
        }
        let own = match (promised[index], &node) {
            (Some(own), _) => {
                out[own as usize] = node;
                own
            }
            // What only leads on is what it leads to.
            (None, Node::Any(of)) if of.len() == 1 => of[0],
            (None, _) => keep(node, &mut out, &mut known),
        };
        done[index] = Some(own);
    }
    let start = done[start as usize].unwrap_or(0);
    (out, start)
}

fn keep(node: Node, out: &mut Vec<Node>, known: &mut HashMap<Node, u32>) -> u32 {
    *known.entry(node).or_insert_with_key(|node| {
        out.push(node.clone());
        out.len() as u32 - 1
    })
}

/// All of these at once: each but once, and those that lead to the same by bytes as one.
fn any(of: &[u32], out: &mut Vec<Node>, known: &mut HashMap<Node, u32>) -> Node {
    let mut members: Vec<u32> = Vec::new();
    let mut by_next: Vec<(u32, Bytes, u32)> = Vec::new();
    let mut places: HashMap<u32, usize> = HashMap::new();
    for &member in of {
        match &out[member as usize] {
            Node::Bytes(set, next) => {
                let place = *places.entry(*next).or_insert(by_next.len());
                match by_next.get_mut(place) {
                    Some((_, all, alone)) => {
                        if *alone != member {
                            *alone = u32::MAX;
                        }
                        union(all, set);
                    }
                    None => by_next.push((*next, *set, member)),
                }
            }
            _ => members.push(member),
        }
    }
    for (next, set, alone) in by_next {
        members.push(if alone == u32::MAX {
            keep(Node::Bytes(set, next), out, known)
        } else {
            alone
        });
    }
    members.sort_unstable();
    members.dedup();
    Node::Any(members)
}

/// Numbers what can be reached: first what it is in before every byte, then the others in the order in which a walk
/// meets them. Choices among many become choices among two.
fn numbered(nodes: &[Node], start: u32) -> Net {
    let mut number: Vec<Option<u32>> = vec![None; nodes.len()];
    let mut order: Vec<u32> = Vec::new();
    let mut passed = vec![false; nodes.len()];
    let mut open = vec![start];
    while let Some(at) = open.pop() {
        if std::mem::replace(&mut passed[at as usize], true) {
            continue;
        }
        match &nodes[at as usize] {
            Node::Any(of) => open.extend(of.iter().rev()),
            _ => {
                number[at as usize] = Some(order.len() as u32);
                order.push(at);
            }
        }
    }
    let base = order.len() as u32;
    let mut at = 0;
    while at < order.len() {
        let next: &[u32] = match &nodes[order[at] as usize] {
            Node::Match => &[],
            Node::Bytes(_, next) | Node::Look(_, next) => std::slice::from_ref(next),
            Node::Any(of) => of,
        };
        for next in next {
            if number[*next as usize].is_none() {
                number[*next as usize] = Some(order.len() as u32);
                order.push(*next);
            }
        }
        at += 1;
    }
    let of = |id: &u32| number[*id as usize].unwrap_or(0);
    let mut out: Vec<Node> = order
        .iter()
        .map(|id| match &nodes[*id as usize] {
            Node::Match => Node::Match,
            Node::Bytes(set, next) => Node::Bytes(*set, of(next)),
            Node::Look(look, next) => Node::Look(*look, of(next)),
            Node::Any(members) => Node::Any(members.iter().map(of).collect()),
        })
        .collect();
    for at in 0..out.len() {
        let Node::Any(of) = &out[at] else { continue };
        let mut members = of.clone();
        while members.len() > 2 {
            let last = members.split_off(members.len() - 2);
            members.push(out.len() as u32);
            out.push(Node::Any(last));
        }
        out[at] = Node::Any(members);
    }
    Net { nodes: out, base }
}

fn too_large() -> String {
    "its automaton is too large".to_owned()
}
