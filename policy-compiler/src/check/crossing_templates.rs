//! PC0601: two templates match some of the same paths, and neither is the more concrete one.
//!
//! `/a/{x}/c` and `/a/b/{y}` both match `/a/b/c`. The router goes from left to right and takes
//! the more concrete segment first, so that the second wins; the author may not know.

use std::collections::BTreeMap;

use crate::diag::{CROSSING_TEMPLATES, Diagnostic, Diagnostics, Span};
use crate::ir::{Model, Operation, Part, Segment};

/// Templates with one number of segments; beyond this many, pairs are not looked at.
const MAX_GROUP: usize = 2_000;

pub(super) fn check(model: &Model, diagnostics: &mut Diagnostics) {
    for api in &model.apis {
        // One operation stands for all of the same shape under the same base.
        let mut shapes: BTreeMap<(usize, &str, &[String], String), &Operation> = BTreeMap::new();
        for op in &api.operations {
            let base = op.base_paths.first().map_or("", |b| b.value.path.as_str());
            let key = (op.template.segments.len(), base, op.hosts.as_slice(), op.template.shape());
            shapes.entry(key).or_insert(op);
        }
        let mut groups: BTreeMap<(usize, &str, &[String]), Vec<&Operation>> = BTreeMap::new();
        for ((count, base, hosts, _), op) in shapes {
            groups.entry((count, base, hosts)).or_default().push(op);
        }
        for group in groups.values().filter(|group| group.len() <= MAX_GROUP) {
            for (i, a) in group.iter().enumerate() {
                for b in &group[i + 1..] {
                    if let Some(a_wins) = crossing(a, b) {
                        let (first, second) = if a_wins { (a, b) } else { (b, a) };
                        report(model, first, second, diagnostics);
                    }
                }
            }
        }
    }
}

fn report(model: &Model, wins: &Operation, loses: &Operation, diagnostics: &mut Diagnostics) {
    let title = format!(
        "`{}` and `{}` match some of the same paths; the first is taken",
        wins.template.text, loses.template.text
    );
    diagnostics.push(
        Diagnostic::new(CROSSING_TEMPLATES, title)
            .label(Span::of(wins.path_origin, model), "this is taken")
            .label(Span::of(loses.path_origin, model), "this also matches"),
    );
}

/// Whether two templates cross: a path exists that both match, and each is the more concrete in
/// some segment. Says whether the first wins.
fn crossing(a: &Operation, b: &Operation) -> Option<bool> {
    let mut first = None;
    let (mut a_better, mut b_better) = (false, false);
    for (x, y) in a.template.segments.iter().zip(&b.template.segments) {
        if !may_overlap(x, y) {
            return None;
        }
        match rank(x).cmp(&rank(y)) {
            std::cmp::Ordering::Greater => {
                a_better = true;
                first.get_or_insert(true);
            }
            std::cmp::Ordering::Less => {
                b_better = true;
                first.get_or_insert(false);
            }
            std::cmp::Ordering::Equal => {}
        }
    }
    first.filter(|_| a_better && b_better)
}

/// How concrete a segment is.
fn rank(segment: &Segment) -> u8 {
    match (segment.as_literal(), segment.as_variable()) {
        (Some(_), _) => 2,
        (None, Some(_)) => 0,
        (None, None) => 1,
    }
}

/// Whether a text exists that both segments match, by their literal ends.
fn may_overlap(x: &Segment, y: &Segment) -> bool {
    match (x.as_literal(), y.as_literal()) {
        (Some(a), Some(b)) => a == b,
        (Some(a), None) => !a.is_empty() && fits(y, a),
        (None, Some(b)) => !b.is_empty() && fits(x, b),
        (None, None) => {
            let (a, b) = (literal_ends(x), literal_ends(y));
            let starts = a.0.starts_with(b.0) || b.0.starts_with(a.0);
            starts && (a.1.ends_with(b.1) || b.1.ends_with(a.1))
        }
    }
}

fn fits(segment: &Segment, text: &str) -> bool {
    let (start, end) = literal_ends(segment);
    text.len() > start.len() + end.len() && text.starts_with(start) && text.ends_with(end)
}

fn literal_ends(segment: &Segment) -> (&str, &str) {
    (literal(segment.0.first()), literal(segment.0.last()))
}

fn literal(part: Option<&Part>) -> &str {
    match part {
        Some(Part::Literal(text)) => text,
        _ => "",
    }
}
