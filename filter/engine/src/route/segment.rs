//! Matching one segment of a path.

use crate::access::slice;
use crate::percent::{Plus, decode_into, unit};
use portcullis_bundle::layout::{Edge, Node, Partial, View};

/// A run of bytes of the path as sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    /// The first byte.
    pub start: u32,
    /// After the last byte.
    pub end: u32,
}

impl Span {
    /// The bytes of the path that it covers.
    #[inline]
    pub(crate) fn of(self, path: &[u8]) -> &[u8] {
        path.get(self.start as usize..self.end as usize).unwrap_or_default()
    }
}

/// The node behind the literal edge for a segment.
pub(super) fn literal(
    view: &View<'_>,
    node: &Node,
    segment: &[u8],
    scratch: &mut Vec<u8>,
) -> Option<u32> {
    let edges: &[Edge] = slice(view.edges, node.edges.get(), node.edge_count.get());
    if edges.is_empty() {
        return None;
    }
    let segment = if segment.contains(&b'%') {
        scratch.clear();
        decode_into(segment, Plus::Literal, scratch).ok()?;
        scratch.as_slice()
    } else {
        segment
    };
    let found = edges.binary_search_by(|edge| view.bytes(edge.segment).cmp(segment)).ok()?;
    edges.get(found).map(|edge| edge.node.get())
}

/// Matches a partly variable segment and appends what its variables take; appends nothing
/// where it does not match.
pub(super) fn partial(
    view: &View<'_>,
    partial: &Partial,
    path: &[u8],
    segment: Span,
    captures: &mut Vec<Span>,
) -> bool {
    let literals =
        slice(view.partial_literals, partial.literals.get(), partial.literal_count.get());
    let [first, middle @ .., last] = literals else { return false };
    let before = captures.len();
    let raw = segment.of(path);
    let matched = (|| {
        let mut at = prefix_len(raw, view.bytes(*first))?;
        for literal in middle {
            let (end, next) = find(raw, at, view.bytes(*literal))?;
            captures.push(span(segment, at, end));
            at = next;
        }
        let end = suffix_start(raw, at, view.bytes(*last))?;
        captures.push(span(segment, at, end));
        Some(())
    })();
    if matched.is_none() {
        captures.truncate(before);
    }
    matched.is_some()
}

fn span(segment: Span, start: usize, end: usize) -> Span {
    let place = |at: usize| segment.start.saturating_add(u32::try_from(at).unwrap_or(u32::MAX));
    Span { start: place(start), end: place(end) }
}

/// How many raw bytes at the beginning say `literal`, if they do.
fn prefix_len(raw: &[u8], literal: &[u8]) -> Option<usize> {
    let mut at = 0;
    for &expected in literal {
        let (byte, len) = unit(raw, at)?;
        if byte != expected {
            return None;
        }
        at += len;
    }
    Some(at)
}

/// Where `literal` first stands after a variable of one byte or more that begins at `from`: its
/// start and its end.
fn find(raw: &[u8], from: usize, literal: &[u8]) -> Option<(usize, usize)> {
    let mut at = from + unit(raw, from)?.1;
    loop {
        if let Some(len) = raw.get(at..).and_then(|rest| prefix_len(rest, literal)) {
            return Some((at, at + len));
        }
        at += unit(raw, at)?.1;
    }
}

/// Where the `literal` that ends the segment begins, after a variable of one byte or more.
fn suffix_start(raw: &[u8], from: usize, literal: &[u8]) -> Option<usize> {
    // The decoded length of the rest says where the literal would have to begin.
    let mut units = 0usize;
    let mut at = from;
    while let Some((_, len)) = unit(raw, at) {
        units += 1;
        at += len;
    }
    let mut variable = units.checked_sub(literal.len()).filter(|&len| len > 0)?;
    let mut at = from;
    while variable > 0 {
        at += unit(raw, at)?.1;
        variable -= 1;
    }
    prefix_len(raw.get(at..)?, literal).map(|_| at)
}
