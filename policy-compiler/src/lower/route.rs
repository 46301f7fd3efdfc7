//! Lowers path templates to the router's trie.
//!
//! Precedence, from the left, segment by segment: a literal; then partly variable segments, those
//! with more literal characters first, then those whose first literal is longer, then by their text; then
//! a wholly variable segment. The first complete match wins.

use super::tables::Tables;
use crate::ir::{Part, Segment};
use portcullis_bundle::layout::{self, NONE};
use std::collections::{BTreeMap, VecDeque};

/// A node of the trie under construction.
#[derive(Debug, Default)]
struct Branch {
    edges: BTreeMap<String, usize>,
    /// By literals, the empty ones among them.
    partials: BTreeMap<Vec<String>, usize>,
    wildcard: Option<usize>,
    /// What the caller keeps at the end of a template.
    operations: Vec<usize>,
    api: Option<u32>,
}

/// A trie of path templates. Node 0 is the root.
#[derive(Debug)]
pub struct Trie {
    branches: Vec<Branch>,
}

impl Default for Trie {
    fn default() -> Self {
        Trie { branches: vec![Branch::default()] }
    }
}

impl Trie {
    /// Adds the template that `segments` spell, with what stands at its end.
    pub fn insert(&mut self, base: &[Segment], segments: &[Segment], operation: usize) {
        let mut at = self.base(base);
        for segment in segments {
            at = self.child(at, segment);
        }
        self.branches[at].operations.push(operation);
    }

    /// Says which API lies under a base path; the first one stays.
    pub fn insert_api(&mut self, base: &[Segment], api: u32) {
        let at = self.base(base);
        self.branches[at].api.get_or_insert(api);
    }

    fn base(&mut self, base: &[Segment]) -> usize {
        base.iter().fold(0, |at, segment| self.child(at, segment))
    }

    fn child(&mut self, at: usize, segment: &Segment) -> usize {
        let fresh = self.branches.len();
        let branch = &mut self.branches[at];
        let child = match segment.as_literal() {
            Some(text) => *branch.edges.entry(decoded(text)).or_insert(fresh),
            None if segment.as_variable().is_some() => *branch.wildcard.get_or_insert(fresh),
            None => *branch.partials.entry(literals(segment)).or_insert(fresh),
        };
        if child == fresh {
            self.branches.push(Branch::default());
        }
        child
    }

    /// Writes the trie; gives its root. `operations` tells the records of a group: first and count.
    pub fn write(
        &self,
        tables: &mut Tables<'_>,
        mut operations: impl FnMut(&mut Tables<'_>, &[usize]) -> (u32, u32),
    ) -> u32 {
        let root = tables.sections.nodes.len() as u32;
        let mut next = root + 1;
        let mut open = VecDeque::from([0]);
        // Breadth first, so that children stand after their parents.
        while let Some(at) = open.pop_front() {
            let branch = &self.branches[at];
            let mut child = |at: usize, open: &mut VecDeque<usize>| {
                open.push_back(at);
                next += 1;
                next - 1
            };
            let edges = tables.sections.edges.len() as u32;
            for (text, at) in &branch.edges {
                let node = child(*at, &mut open).into();
                let segment = tables.text(text);
                tables.sections.edges.push(layout::Edge { segment, node });
            }
            let mut partials: Vec<_> = branch.partials.iter().collect();
            partials.sort_by_key(|(literals, _)| precedence(literals));
            let first_partial = tables.sections.partials.len() as u32;
            for (literals, at) in &partials {
                let node = child(**at, &mut open).into();
                let first = tables.sections.partial_literals.len() as u32;
                for literal in literals.iter() {
                    let text = tables.text(literal);
                    tables.sections.partial_literals.push(text);
                }
                tables.sections.partials.push(layout::Partial {
                    literals: first.into(),
                    literal_count: (literals.len() as u32).into(),
                    node,
                });
            }
            let wildcard = branch.wildcard.map_or(NONE, |at| child(at, &mut open));
            let (first, count) = operations(tables, &branch.operations);
            tables.sections.nodes.push(layout::Node {
                edges: edges.into(),
                edge_count: (branch.edges.len() as u32).into(),
                partials: first_partial.into(),
                partial_count: (partials.len() as u32).into(),
                wildcard: wildcard.into(),
                operations: first.into(),
                operation_count: count.into(),
                api: branch.api.unwrap_or(NONE).into(),
            });
        }
        root
    }
}

fn precedence(
    literals: &[String],
) -> (std::cmp::Reverse<usize>, std::cmp::Reverse<usize>, Vec<String>) {
    let total = literals.iter().map(String::len).sum();
    let first = literals.first().map_or(0, String::len);
    (std::cmp::Reverse(total), std::cmp::Reverse(first), literals.to_vec())
}

/// The literals around the variables of a segment, the empty ones at its ends among them.
fn literals(segment: &Segment) -> Vec<String> {
    let mut literals = vec![String::new()];
    for part in &segment.0 {
        match part {
            Part::Literal(text) => {
                if let Some(last) = literals.last_mut() {
                    last.push_str(&decoded(text));
                }
            }
            Part::Variable(_) => literals.push(String::new()),
        }
    }
    literals
}

/// Text without percent-encoding; as it is where that is broken or hides no text.
fn decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let hex = |i: usize| bytes.get(i).and_then(|b| char::from(*b).to_digit(16));
        match (bytes[at], hex(at + 1), hex(at + 2)) {
            (b'%', Some(high), Some(low)) => {
                out.push((high * 16 + low) as u8);
                at += 3;
            }
            (byte, ..) => {
                out.push(byte);
                at += 1;
            }
        }
    }
    String::from_utf8(out).unwrap_or_else(|_| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_stand_around_variables() {
        let part = |text: &str| Part::Literal(text.into());
        let variable = || Part::Variable("x".into());
        let of = |parts: Vec<Part>| literals(&Segment(parts));
        assert_eq!(of(vec![variable(), part(".json")]), ["", ".json"]);
        assert_eq!(of(vec![part("a%2D"), variable(), part(":"), variable()]), ["a-", ":", ""]);
    }

    #[test]
    fn longer_literals_come_first() {
        let list = |texts: &[&str]| texts.iter().map(|t| (*t).to_owned()).collect::<Vec<_>>();
        let mut all =
            [list(&["", ".x"]), list(&["", ".json"]), list(&["a", ".x"]), list(&["", ".y"])];
        all.sort_by_key(|literals| precedence(literals));
        let texts: Vec<String> = all.iter().map(|literals| literals.join("*")).collect();
        assert_eq!(texts, ["*.json", "a*.x", "*.x", "*.y"]);
    }
}
