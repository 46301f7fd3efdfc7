//! From a path to an operation.
//!
//! In: a path as sent, without its query. Out: the node of the router where its template ends, and
//! what the template's variables take, as spans of the path. Concrete segments win over partly
//! variable ones, these over wholly variable ones, from the left; the first complete match wins.

mod host;
mod path;
mod segment;

pub(crate) use path::{PathFaults, path_faults, query_faults};
pub(crate) use segment::Span;

use crate::access::{present, slice};
use crate::exchange::KEPT;
use portcullis_bundle::layout::{Node, Operation, View};

/// Steps of one search, at most: more than any router of a real document needs.
const MAX_STEPS: u32 = 20_000;

/// The buffers of a search, kept from request to request.
#[derive(Debug, Default)]
pub(crate) struct Router {
    steps: Vec<Step>,
    /// What the variables of the matched template take, from the left.
    pub captures: Vec<Span>,
    segment: Vec<u8>,
}

/// Where a path leads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Route {
    /// First of the operations on the matched template.
    operations: u32,
    /// How many; 0 where no template matches.
    operation_count: u32,
    /// The API with the longest base path that the path begins with.
    pub api: Option<u32>,
}

/// A node on the way, and which of its ways on have been tried.
#[derive(Clone, Copy, Debug)]
struct Step {
    node: u32,
    /// The segment that follows; `start` lies behind the path's end where none does.
    segment: Span,
    tried: u32,
    captures: u32,
}

impl Route {
    /// Whether a template matches.
    pub(crate) const fn is_declared(&self) -> bool {
        self.operation_count > 0
    }

    /// The operations on the template, with the index of the first.
    pub(crate) fn operations<'b>(&self, view: &View<'b>) -> &'b [Operation] {
        slice(view.operations, self.operations, self.operation_count)
    }

    /// The operation for a method: itself, or GET for HEAD. Index and record.
    pub(crate) fn operation<'b>(
        &self,
        view: &View<'b>,
        method: &[u8],
    ) -> Option<(u32, &'b Operation)> {
        let find = |method: &[u8]| {
            let at = self
                .operations(view)
                .iter()
                .position(|operation| view.bytes(operation.method) == method)?;
            let index = self.operations.checked_add(u32::try_from(at).ok()?)?;
            Some((index, view.operations.get(index as usize)?))
        };
        find(method).or_else(|| if method == b"HEAD" { find(b"GET") } else { None })
    }
}

impl Router {
    /// Forgets what a large request has left behind.
    pub(crate) fn reset(&mut self) {
        self.steps.shrink_to(KEPT / size_of::<Step>());
        self.captures.shrink_to(KEPT / size_of::<Span>());
        self.segment.shrink_to(KEPT);
    }

    /// Finds where a path leads, in the router of the authority's host first.
    pub(crate) fn route(&mut self, view: &View<'_>, authority: &[u8], path: &[u8]) -> Route {
        let mut best = Route::default();
        if let Some(root) = host::host_root(view, authority) {
            best = self.search(view, root, path);
            if best.is_declared() {
                return best;
            }
        }
        let Some(policy) = view.policy.first() else { return best };
        let shared = self.search(view, policy.root.get(), path);
        if shared.is_declared() || best.api.is_none() { shared } else { best }
    }

    /// Searches one router. A depth-first walk: its steps stand on a stack of at most one
    /// element per segment, and their number is bounded.
    fn search(&mut self, view: &View<'_>, root: u32, path: &[u8]) -> Route {
        self.captures.clear();
        self.steps.clear();
        let mut route = Route::default();
        let mut depth = 0;
        let Some(next) = segment_from(path, 1) else { return route };
        if let Some(node) = view.nodes.get(root as usize) {
            route.api = present(node.api.get());
            self.steps.push(Step { node: root, segment: next, tried: 0, captures: 0 });
        }
        for _ in 0..MAX_STEPS {
            let Some(step) = self.steps.last_mut() else { break };
            let Some(node) = view.nodes.get(step.node as usize) else {
                self.steps.pop();
                continue;
            };
            let here = *step;
            step.tried = step.tried.saturating_add(1);
            self.captures.truncate(here.captures as usize);
            let Some(way) = self.try_way(view, node, &here, path) else {
                self.steps.pop();
                continue;
            };
            let Some(child) = way.and_then(|child| Some((child, view.nodes.get(child as usize)?)))
            else {
                continue;
            };
            if self.steps.len() > depth
                && let Some(api) = present(child.1.api.get())
            {
                route.api = Some(api);
                depth = self.steps.len();
            }
            let captures = u32::try_from(self.captures.len()).unwrap_or(u32::MAX);
            match segment_from(path, here.segment.end as usize + 1) {
                Some(segment) => {
                    self.steps.push(Step { node: child.0, segment, tried: 0, captures });
                }
                None if child.1.operation_count.get() > 0 => {
                    route.operations = child.1.operations.get();
                    route.operation_count = child.1.operation_count.get();
                    // The API whose template matched, not a longer base path met on the way.
                    if let Some(first) = route.operations(view).first() {
                        route.api = present(first.api.get());
                    }
                    return route;
                }
                None => {}
            }
        }
        self.captures.clear();
        route
    }

    /// Tries the next way on from a node: `None` where there are no more, `Some(None)` where
    /// this one does not match.
    #[expect(clippy::option_option, reason = "the two absences differ: no way left, no match")]
    fn try_way(
        &mut self,
        view: &View<'_>,
        node: &Node,
        step: &Step,
        path: &[u8],
    ) -> Option<Option<u32>> {
        let partials = slice(view.partials, node.partials.get(), node.partial_count.get());
        if step.tried == 0 {
            let segment = step.segment.of(path);
            return Some(segment::literal(view, node, segment, &mut self.segment));
        }
        if let Some(partial) = partials.get(step.tried as usize - 1) {
            let matched = segment::partial(view, partial, path, step.segment, &mut self.captures);
            return Some(matched.then(|| partial.node.get()));
        }
        if step.tried as usize - 1 > partials.len() {
            return None;
        }
        let wildcard = present(node.wildcard.get())?;
        // A variable takes one byte or more.
        if step.segment.start == step.segment.end {
            return None;
        }
        self.captures.push(step.segment);
        Some(Some(wildcard))
    }
}

/// The segment that begins at `start`, which follows a `/`; `None` behind the path's end.
fn segment_from(path: &[u8], start: usize) -> Option<Span> {
    let rest = path.get(start..)?;
    if start == 0 {
        return None;
    }
    let len = rest.iter().position(|&byte| byte == b'/').unwrap_or(rest.len());
    Some(Span { start: u32::try_from(start).ok()?, end: u32::try_from(start + len).ok()? })
}
