//! Bounds and multiples, exact.

use super::literals::canonical;
use super::node::{Bound, Node, NumberPart};
use crate::ir::{At, Number, Schema};
use portcullis_bundle::layout::Keyword;
use std::cmp::Ordering;

/// Puts the tightest bounds and all multiples of schemas into a node. `formats` says whether
/// `int32` and `int64` bound.
pub fn numbers(node: &mut Node, schemas: &[&Schema], formats: bool) {
    let mut min: Option<(Number, bool)> = None;
    let mut max: Option<(Number, bool)> = None;
    let mut part = NumberPart::default();
    for schema in schemas {
        let of = &schema.number;
        let lower = [(&of.minimum, false), (&of.exclusive_minimum, true)];
        for (bound, exclusive) in lower {
            let Some(At { value, origin }) = bound else { continue };
            let keyword = if exclusive { Keyword::ExclusiveMinimum } else { Keyword::Minimum };
            if tighten(&mut min, value, exclusive, Ordering::Greater) {
                name(node, &[Keyword::Minimum, Keyword::ExclusiveMinimum], keyword, *origin);
            }
        }
        let upper = [(&of.maximum, false), (&of.exclusive_maximum, true)];
        for (bound, exclusive) in upper {
            let Some(At { value, origin }) = bound else { continue };
            let keyword = if exclusive { Keyword::ExclusiveMaximum } else { Keyword::Maximum };
            if tighten(&mut max, value, exclusive, Ordering::Less) {
                name(node, &[Keyword::Maximum, Keyword::ExclusiveMaximum], keyword, *origin);
            }
        }
        if let Some(format) = schema.string.format.as_ref().filter(|_| formats)
            && let Some((low, high)) = integer_format(&format.value)
        {
            if Number::parse(low)
                .is_some_and(|low| tighten(&mut min, &low, false, Ordering::Greater))
            {
                let both = [Keyword::Minimum, Keyword::ExclusiveMinimum];
                name(node, &both, Keyword::Format, format.origin);
            }
            if Number::parse(high)
                .is_some_and(|high| tighten(&mut max, &high, false, Ordering::Less))
            {
                let both = [Keyword::Maximum, Keyword::ExclusiveMaximum];
                name(node, &both, Keyword::Format, format.origin);
            }
        }
        if let Some(multiple) = &of.multiple_of {
            let decimal = canonical(multiple.value.decimal());
            if !decimal.digits.is_empty() && !part.multiples.contains(&decimal) {
                part.multiples.push(decimal);
                node.traces.push((Keyword::MultipleOf, multiple.origin));
            }
        }
    }
    let bound =
        |(value, exclusive): (Number, bool)| Bound { value: canonical(value.decimal()), exclusive };
    part.min = min.map(bound);
    part.max = max.map(bound);
    if part != NumberPart::default() {
        node.number = Some(part);
    }
}

/// The values that an integer format allows (OpenAPI format registry).
pub fn integer_format(format: &str) -> Option<(&'static str, &'static str)> {
    Some(match format {
        "int8" => ("-128", "127"),
        "uint8" => ("0", "255"),
        "int16" => ("-32768", "32767"),
        "uint16" => ("0", "65535"),
        "int32" => ("-2147483648", "2147483647"),
        "uint32" => ("0", "4294967295"),
        "int64" => ("-9223372036854775808", "9223372036854775807"),
        "uint64" => ("0", "18446744073709551615"),
        _ => return None,
    })
}

/// Whether the new bound replaced the old one.
fn tighten(
    kept: &mut Option<(Number, bool)>,
    value: &Number,
    exclusive: bool,
    tighter: Ordering,
) -> bool {
    let replace = match kept {
        None => true,
        Some((old, was_exclusive)) => match value.compare(old) {
            Ordering::Equal => exclusive && !*was_exclusive,
            order => order == tighter,
        },
    };
    if replace {
        *kept = Some((value.clone(), exclusive));
    }
    replace
}

/// Makes one place the one to name for keywords.
fn name(node: &mut Node, instead: &[Keyword], keyword: Keyword, origin: crate::ir::Origin) {
    node.traces.retain(|(known, _)| !instead.contains(known));
    node.traces.push((keyword, origin));
}
