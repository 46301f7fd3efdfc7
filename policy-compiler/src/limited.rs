//! Limits that look for a value of the body: what no schema declares is never found.

use crate::diag::{Diagnostic, LIMIT_UNDECLARED, Span};
use crate::ir::{CallerBy, CostBy, Limit, Limiting};
use crate::positions::{Position, positions};
use portcullis_bundle::layout::{Operation, View};

/// Warns of values that none of the operations of a limit declares, by the bundle that was made of it.
pub fn check(limiting: &Limiting, view: &View<'_>) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    for (at, limit) in limiting.limits.iter().enumerate() {
        for pointer in pointers(limiting, limit) {
            let mut operations = operations(view, at).peekable();
            let is_held = operations.peek().is_some();
            if is_held && !operations.any(|of| is_declared(view, of, pointer)) {
                found.push(undeclared(limiting, limit, pointer));
            }
        }
    }
    found
}

/// Where a limit looks in bodies.
fn pointers<'a>(limiting: &'a Limiting, limit: &'a Limit) -> impl Iterator<Item = &'a str> {
    let caller = limiting.callers[limit.caller].sources.iter().filter_map(|it| match &it.by {
        CallerBy::Body(pointer) => Some(pointer.as_str()),
        _ => None,
    });
    caller.chain(match &limit.cost_by {
        Some(CostBy::Body(pointer)) => Some(pointer.as_str()),
        _ => None,
    })
}

/// The operations that a limit holds for.
fn operations<'a>(view: &'a View<'_>, limit: usize) -> impl Iterator<Item = &'a Operation> {
    let lists = view.operations.iter().zip(view.limit_lists);
    lists.filter_map(move |(operation, list)| {
        let uses = view.limit_uses.iter().skip(list.first.get() as usize);
        let mut uses = uses.take(list.count.get().into());
        uses.any(|one| one.limit.get() as usize == limit).then_some(operation)
    })
}

fn is_declared(view: &View<'_>, of: &Operation, pointer: &str) -> bool {
    positions(view, of).iter().any(|position: &Position| position.declares(pointer))
}

fn undeclared(limiting: &Limiting, limit: &Limit, pointer: &str) -> Diagnostic {
    let title = format!("`{}` looks for `body.{pointer}`, which no schema declares", limit.name);
    let at = Span::word(&limiting.file, limit.line, 1);
    Diagnostic::new(LIMIT_UNDECLARED, title).at(at).help(
        "only declared values are found: whoever is counted by it has no name, and `missing` decides; what costs by it costs the most",
    )
}
