//! Bounds and multiples, exact.

use super::literals::canonical;
use super::node::{Bound, Node, NumberPart};
use crate::ir::{At, Number, Origin, Schema};
use portcullis_bundle::layout::{Keyword, TYPE_FRACTION};
use std::cmp::Ordering;
use std::collections::HashSet;

/// Puts the tightest bounds and all multiples of schemas into a node. `formats` says whether
/// formats do.
pub fn numbers(node: &mut Node, schemas: &[&Schema], formats: bool) {
    let (mut min, mut max) = (None, None);
    // The places of bounds and formats: few, however many schemas there are.
    let mut named = Vec::new();
    let mut part = NumberPart::default();
    let mut multiples = HashSet::new();
    for schema in schemas {
        let of = &schema.number;
        let lower = [(&of.minimum, false), (&of.exclusive_minimum, true)];
        for (bound, exclusive) in lower {
            let Some(At { value, origin }) = bound else { continue };
            let keyword = if exclusive { Keyword::ExclusiveMinimum } else { Keyword::Minimum };
            // In OpenAPI 3.0 it is a flag beside the bound that excludes it.
            let flag = of.exclusive_minimum_flag.as_ref().filter(|_| exclusive);
            let origin = flag.map_or(origin, |flag| &flag.origin);
            if tighten(&mut min, value, exclusive, Ordering::Greater) {
                let both = [Keyword::Minimum, Keyword::ExclusiveMinimum];
                name(&mut named, &both, keyword, *origin);
            }
        }
        let upper = [(&of.maximum, false), (&of.exclusive_maximum, true)];
        for (bound, exclusive) in upper {
            let Some(At { value, origin }) = bound else { continue };
            let keyword = if exclusive { Keyword::ExclusiveMaximum } else { Keyword::Maximum };
            let flag = of.exclusive_maximum_flag.as_ref().filter(|_| exclusive);
            let origin = flag.map_or(origin, |flag| &flag.origin);
            if tighten(&mut max, value, exclusive, Ordering::Less) {
                let both = [Keyword::Maximum, Keyword::ExclusiveMaximum];
                name(&mut named, &both, keyword, *origin);
            }
        }
        if let Some(written) = schema.string.format.as_ref().filter(|_| formats)
            && let Some(format) = number_format(&written.value)
        {
            let NumberFormat { low, high, exclusive, multiple } = format;
            let low = Number::parse(low);
            if low.is_some_and(|low| tighten(&mut min, &low, exclusive, Ordering::Greater)) {
                let both = [Keyword::Minimum, Keyword::ExclusiveMinimum];
                name(&mut named, &both, Keyword::Format, written.origin);
            }
            let high = Number::parse(high);
            if high.is_some_and(|high| tighten(&mut max, &high, exclusive, Ordering::Less)) {
                let both = [Keyword::Maximum, Keyword::ExclusiveMaximum];
                name(&mut named, &both, Keyword::Format, written.origin);
            }
            // An integer is a multiple of one as it is.
            let fraction = node.types & TYPE_FRACTION != 0;
            if let Some(multiple) = multiple.filter(|_| fraction).and_then(Number::parse) {
                let decimal = canonical(multiple.decimal());
                if multiples.insert(decimal.clone()) {
                    part.multiples.push(decimal);
                    named.push((Keyword::Format, written.origin));
                }
            }
        }
        if let Some(multiple) = of.multiple_of.as_ref().filter(|at| !at.value.is_long()) {
            let decimal = canonical(multiple.value.decimal());
            if !decimal.digits.is_empty() && multiples.insert(decimal.clone()) {
                part.multiples.push(decimal);
                node.traces.push((Keyword::MultipleOf, multiple.origin));
            }
        }
    }
    node.traces.extend(named);
    (part.min, part.max) = (min, max);
    if part != NumberPart::default() {
        node.number = Some(part);
    }
}

/// What a format says of numbers.
#[derive(Clone, Copy, Debug)]
pub struct NumberFormat {
    low: &'static str,
    high: &'static str,
    /// Whether the bounds themselves are too much.
    exclusive: bool,
    multiple: Option<&'static str>,
}

/// What a format says of numbers (OpenAPI's format registry). Every number within the bounds of `float` and
/// `double` rounds to one of their values; from the bounds on numbers round to infinity (IEEE 754, section 4.3.1).
pub fn number_format(format: &str) -> Option<NumberFormat> {
    let integer =
        |low, high| Some(NumberFormat { low, high, exclusive: false, multiple: Some("1") });
    let float = |low, high| Some(NumberFormat { low, high, exclusive: true, multiple: None });
    match format {
        "int8" => integer("-128", "127"),
        "uint8" => integer("0", "255"),
        "int16" => integer("-32768", "32767"),
        "uint16" => integer("0", "65535"),
        "int32" => integer("-2147483648", "2147483647"),
        "uint32" => integer("0", "4294967295"),
        "int64" => integer("-9223372036854775808", "9223372036854775807"),
        "uint64" => integer("0", "18446744073709551615"),
        "double-int" => integer("-9007199254740991", "9007199254740991"),
        "float" => float(
            "-340282356779733661637539395458142568448",
            "340282356779733661637539395458142568448",
        ),
        "double" => float(DOUBLE.0, DOUBLE.1),
        // RFC 9651, sections 3.3.1 and 3.3.2
        "sf-integer" => integer("-999999999999999", "999999999999999"),
        "sf-decimal" => Some(NumberFormat {
            low: "-1000000000000",
            high: "1000000000000",
            exclusive: true,
            multiple: Some("0.001"),
        }),
        _ => None,
    }
}

/// 2^1024 - 2^970, negative and positive: halfway from the greatest double to the next power of two.
const DOUBLE: (&str, &str) = (
    "-179769313486231580793728971405303415079934132710037826936173778980444968292764750946649\
     0179775872070963302864166928879109465555478519404026306574886715058206819089020007083836\
     7627385484581771153176447573027006985557136695962284291481986083493647529271907416844436\
     5510704342711559699508093042880177904174497792",
    "1797693134862315807937289714053034150799341327100378269361737789804449682927647509466490\
     1797758720709633028641669288791094655554785194040263065748867150582068190890200070838367\
     6273854845817711531764475730270069855571366959622842914819860834936475292719074168444365\
     510704342711559699508093042880177904174497792",
);

/// Whether the new bound replaced the old one.
fn tighten(kept: &mut Option<Bound>, value: &Number, exclusive: bool, tighter: Ordering) -> bool {
    let value = canonical(value.decimal());
    let replace = kept.as_ref().is_none_or(|old| match value.compare(&old.value) {
        Ordering::Equal => exclusive && !old.exclusive,
        order => order == tighter,
    });
    if replace {
        *kept = Some(Bound { value, exclusive });
    }
    replace
}

/// Makes one place the one to name for keywords.
fn name(named: &mut Vec<(Keyword, Origin)>, instead: &[Keyword], keyword: Keyword, origin: Origin) {
    named.retain(|(known, _)| !instead.contains(known));
    named.push((keyword, origin));
}
