//! PC0605: bounds that contradict each other, so that no value meets both.

use std::cmp::Ordering;

use crate::diag::{Diagnostic, Diagnostics, EMPTY_RANGE, Span};
use crate::ir::{At, Model, Origin, Schema};

pub(super) fn check(model: &Model, schema: &Schema, diagnostics: &mut Diagnostics) {
    let (s, a, o) = (&*schema.string, &*schema.array, &*schema.object);
    let counts = [
        ("minLength", s.min_length, "maxLength", s.max_length),
        ("minItems", a.min_items, "maxItems", a.max_items),
        ("minContains", a.min_contains, "maxContains", a.max_contains),
        ("minProperties", o.min_properties, "maxProperties", o.max_properties),
    ];
    for (low_name, low, high_name, high) in counts {
        if let (Some(low), Some(high)) = (low, high)
            && low.value > high.value
        {
            let title = format!("`{low_name}` {} is above `{high_name}` {}", low.value, high.value);
            report(model, low.origin, high.origin, title, diagnostics);
        }
    }
    let n = &*schema.number;
    let lows = [(&n.minimum, false), (&n.exclusive_minimum, true)];
    let highs = [(&n.maximum, false), (&n.exclusive_maximum, true)];
    for (low, low_exclusive) in lows {
        for (high, high_exclusive) in highs {
            let (Some(At { value: l, origin: lo }), Some(At { value: h, origin: ho })) =
                (low, high)
            else {
                continue;
            };
            let empty = match l.compare(h) {
                Ordering::Greater => true,
                Ordering::Equal => low_exclusive || high_exclusive,
                Ordering::Less => false,
            };
            if empty {
                let title =
                    format!("the lower bound {} excludes the upper {}", l.as_str(), h.as_str());
                report(model, *lo, *ho, title, diagnostics);
            }
        }
    }
}

fn report(model: &Model, low: Origin, high: Origin, title: String, diagnostics: &mut Diagnostics) {
    diagnostics.push(
        Diagnostic::new(EMPTY_RANGE, title)
            .at(Span::of(low, model))
            .at(Span::of(high, model))
            .help("no value of this type is allowed"),
    );
}
