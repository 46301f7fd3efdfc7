//! Writes nodes as schema records.

use super::node::{
    ANY, ArrayPart, Branches, Composition, Condition, EvaluatorPart, Literals, Node, NodeId,
    NumberPart, ObjectPart, PropertyPart, StringPart, UnevaluatedPart,
};
use crate::ir::{Decimal, Origin};
use crate::lower::pattern::{Patterns, Places, Table, Verdict};
use crate::lower::tables::Tables;
use portcullis_bundle::layout::{
    self, CompositionKind, ConditionKind, EVALUATOR_ALL, Keyword, NONE, NUMBER_INTEGER_BOUNDS,
    NUMBER_MAX, NUMBER_MAX_EXCLUSIVE, NUMBER_MIN, NUMBER_MIN_EXCLUSIVE, PROPERTY_IMPLIED,
    PROPERTY_REQUIRED, SCHEMA_ACCEPTS_ALL, Text,
};
use portcullis_bundle::{name_hash, property_key};
use zerocopy::little_endian::U16;

/// Writes nodes, in order, as the schemas of a bundle.
pub fn write_nodes(tables: &mut Tables<'_>, nodes: &[Node], patterns: &Patterns) {
    for (schema, node) in nodes.iter().enumerate() {
        let record = layout::Schema {
            types: node.types,
            flags: node.flags | if node.accepts_all() { SCHEMA_ACCEPTS_ALL } else { 0 },
            composition_count: (node.compositions.len() as u16).into(),
            compositions: compositions(tables, &node.compositions).into(),
            string: node.string.as_ref().map_or(NONE, |part| string(tables, part, patterns)).into(),
            number: node.number.as_ref().map_or(NONE, |part| number(tables, part)).into(),
            array: node.array.as_ref().map_or(NONE, |part| array(tables, part)).into(),
            object: node.object.as_ref().map_or(NONE, |part| object(tables, part)).into(),
            literals: node.literals.as_ref().map_or(NONE, |set| literals(tables, set)).into(),
            origin: tables.maybe_origin(node.origin).into(),
        };
        tables.sections.schemas.push(record);
        for (keyword, member, origin) in traces(node) {
            let origin = tables.origin(origin).into();
            let (schema, keyword) = ((schema as u32).into(), keyword.code());
            tables.sections.traces.push(layout::Trace {
                schema,
                origin,
                keyword,
                reserved: 0,
                member: member.into(),
            });
        }
    }
}

/// Where the keywords of a node stand, each once; `required` also for each property that another list asks for.
fn traces(node: &Node) -> Vec<(Keyword, u16, Origin)> {
    let mut traces: Vec<_> = node.traces.iter().map(|(keyword, at)| (*keyword, 0, *at)).collect();
    let properties = node.object.iter().flat_map(|object| &object.properties);
    traces.extend(
        // Of properties beyond, the first list that asks for any is told.
        properties.zip(1u32..).filter_map(|(property, member)| {
            Some((Keyword::Required, u16::try_from(member).ok()?, property.required_by?))
        }),
    );
    traces.sort_by_key(|(keyword, member, _)| (*keyword, *member));
    traces.dedup_by_key(|(keyword, member, _)| (*keyword, *member));
    traces
}

/// Writes the automata and character classes of patterns, in order.
pub fn write_patterns(tables: &mut Tables<'_>, patterns: &Patterns) {
    for ranges in &patterns.classes {
        let mut ascii = [0u8; 16];
        for c in 0..0x80u32 {
            if ranges.iter().any(|(from, to)| (*from..=*to).contains(&c)) {
                ascii[c as usize / 8] |= 1 << (c % 8);
            }
        }
        let above = ranges.iter().filter(|(_, to)| *to >= 0x80);
        let above: Vec<_> = above
            .map(|(from, to)| layout::CharRange {
                first: (*from).max(0x80).into(),
                last: (*to).into(),
            })
            .collect();
        let first = tables.sections.char_ranges.len() as u32;
        let class = layout::CharClass {
            ascii,
            ranges: first.into(),
            range_count: (above.len() as u32).into(),
        };
        tables.sections.char_ranges.extend(above);
        tables.sections.char_classes.push(class);
    }
    for table in &patterns.tables {
        write_automaton(tables, table);
    }
}

/// Writes an automaton.
pub fn write_automaton(tables: &mut Tables<'_>, table: &Table) {
    let mut class = [0; 256];
    class.copy_from_slice(&table.classes);
    let map = layout::ByteClassMap { class };
    let classes = tables.intern(1, |sections| &mut sections.byte_classes, map);
    let first = tables.sections.transitions.len() as u32;
    let premultiplied = |state: u32| (state as usize * table.stride) as u16;
    let rows = table.next.iter().map(|next| U16::from(premultiplied(*next)));
    tables.sections.transitions.extend(rows);
    let from = |least: Verdict| {
        let first = table.verdicts.partition_point(|verdict| *verdict < least);
        premultiplied(first as u32)
    };
    tables.sections.automata.push(layout::Automaton {
        table: first.into(),
        table_len: (table.next.len() as u32).into(),
        classes: classes.into(),
        stride: (table.stride as u16).into(),
        start: premultiplied(table.start).into(),
        accept: from(Verdict::Accepts).into(),
        accept_always: from(Verdict::AcceptsAlways).into(),
    });
}

fn string(tables: &mut Tables<'_>, part: &StringPart, patterns: &Patterns) -> u32 {
    let stencil = stencil(part, patterns);
    let stencil = stencil.map(|s| tables.intern(7, |sections| &mut sections.stencils, s));
    let record = layout::StringCheck {
        min_length: clamp(part.min_length).into(),
        max_length: part.max_length.map_or(NONE, clamp).into(),
        patterns: tables.list(part.patterns.clone()).into(),
        classes: tables.list(part.classes.clone()).into(),
        pattern_count: (part.patterns.len() as u16).into(),
        class_count: (part.classes.len() as u16).into(),
        format: part.format.map_or(0, layout::Format::code),
        encoding: part.encoding.map_or(0, layout::ContentEncoding::code),
        reserved: [0; 2],
        stencil: stencil.unwrap_or(NONE).into(),
    };
    tables.intern(2, |sections| &mut sections.string_checks, record)
}

/// What a string must be by place, if that can be said of its content at all.
fn stencil(part: &StringPart, patterns: &Patterns) -> Option<layout::Stencil> {
    if part.encoding.is_some() {
        return None;
    }
    let uuid = match part.format {
        None => None,
        Some(layout::Format::Uuid) => Some(Places::of_uuid()),
        Some(_) => return None,
    };
    if part.patterns.is_empty() && part.classes.is_empty() && uuid.is_none() {
        return None;
    }
    let mut places = Places::between(part.min_length, part.max_length)?;
    for class in &part.classes {
        places = places.and(&Places::of_class(patterns.classes.get(*class as usize)?));
    }
    for automaton in &part.patterns {
        places = places.and(&Places::of_table(patterns.tables.get(*automaton as usize)?)?);
    }
    uuid.map_or(places.clone(), |uuid| places.and(&uuid)).record()
}

/// A count as far as 32 bits hold it; what is beyond can never be reached by a message.
fn clamp(count: u64) -> u32 {
    u32::try_from(count).unwrap_or(NONE).min(NONE - 1)
}

fn number(tables: &mut Tables<'_>, part: &NumberPart) -> u32 {
    let mut flags = NUMBER_INTEGER_BOUNDS;
    let (mut integer_min, mut integer_max) = (i64::MIN, i64::MAX);
    let (mut min, mut max) = (NONE, NONE);
    let mut none = false;
    if let Some(bound) = &part.min {
        flags |= NUMBER_MIN | if bound.exclusive { NUMBER_MIN_EXCLUSIVE } else { 0 };
        min = decimal(tables, &bound.value);
        match least_integer(&bound.value, bound.exclusive) {
            Some(least) => integer_min = least,
            None => none = true,
        }
    }
    if let Some(bound) = &part.max {
        flags |= NUMBER_MAX | if bound.exclusive { NUMBER_MAX_EXCLUSIVE } else { 0 };
        max = decimal(tables, &bound.value);
        match greatest_integer(&bound.value, bound.exclusive) {
            Some(greatest) => integer_max = greatest,
            None => none = true,
        }
    }
    if none {
        (integer_min, integer_max) = (i64::MAX, i64::MIN);
    }
    let multiples: Vec<u32> = part.multiples.iter().map(|of| decimal(tables, of)).collect();
    let whole = match part.multiples.as_slice() {
        [only] => unsigned(only).unwrap_or(0),
        _ => 0,
    };
    let record = layout::NumberCheck {
        integer_min: integer_min.into(),
        integer_max: integer_max.into(),
        min: min.into(),
        max: max.into(),
        multiple_count: (multiples.len() as u16).into(),
        multiples: tables.list(multiples).into(),
        flags: flags.into(),
        integer_multiple: whole.into(),
    };
    tables.intern(3, |sections| &mut sections.number_checks, record)
}

fn decimal(tables: &mut Tables<'_>, value: &Decimal) -> u32 {
    let record = decimal_record(tables, value);
    tables.intern(4, |sections| &mut sections.decimals, record)
}

fn decimal_record(tables: &mut Tables<'_>, value: &Decimal) -> layout::Decimal {
    layout::Decimal {
        digits: tables.text(&value.digits),
        exponent: i32::try_from(value.exponent).unwrap_or(i32::MAX).into(),
        negative: u32::from(value.negative).into(),
    }
}

/// The least 64-bit integer that is at least (or above) a bound; `None` where there is none.
fn least_integer(bound: &Decimal, exclusive: bool) -> Option<i64> {
    let (floor, exact) = floor(bound);
    let least = if exact && !exclusive { floor } else { floor.checked_add(1)? };
    if least > i128::from(i64::MAX) { None } else { Some(least.max(i64::MIN.into()) as i64) }
}

/// The greatest 64-bit integer that is at most (or below) a bound; `None` where there is none.
fn greatest_integer(bound: &Decimal, exclusive: bool) -> Option<i64> {
    let (floor, exact) = floor(bound);
    let greatest = if exact && exclusive { floor - 1 } else { floor };
    if greatest < i128::from(i64::MIN) {
        return None;
    }
    Some(greatest.min(i64::MAX.into()) as i64)
}

/// The greatest integer that is not above a number, as far as 2^100, and whether it is the number.
fn floor(value: &Decimal) -> (i128, bool) {
    const FAR: i128 = 1 << 100;
    if value.digits.is_empty() {
        return (0, true);
    }
    let whole_digits = value.digits.len() as i64 + value.exponent;
    let (magnitude, exact) = if whole_digits > 30 {
        (FAR, true)
    } else if whole_digits <= 0 {
        (0, false)
    } else if value.exponent >= 0 {
        let digits: i128 = value.digits.parse().unwrap_or(FAR);
        (digits * 10i128.pow(value.exponent as u32), true)
    } else {
        (value.digits[..whole_digits as usize].parse().unwrap_or(FAR), false)
    };
    match (value.negative, exact) {
        (false, exact) => (magnitude, exact),
        (true, true) => (-magnitude, true),
        (true, false) => (-magnitude - 1, false),
    }
}

fn unsigned(value: &Decimal) -> Option<u64> {
    let (whole, exact) = floor(value);
    u64::try_from(whole).ok().filter(|_| exact)
}

fn array(tables: &mut Tables<'_>, part: &ArrayPart) -> u32 {
    let (contains, min, max) = match part.contains {
        Some((node, min, max)) => (node.0, clamp(min), max.map_or(NONE, clamp)),
        None => (NONE, 0, NONE),
    };
    let record = layout::ArrayCheck {
        prefix: tables.list(indexes(&part.prefix)).into(),
        prefix_count: (part.prefix.len() as u32).into(),
        items: part.items.0.into(),
        min_items: clamp(part.min_items).into(),
        max_items: part.max_items.map_or(NONE, clamp).into(),
        contains: contains.into(),
        min_contains: min.into(),
        max_contains: max.into(),
        flags: if part.unique { layout::ARRAY_UNIQUE } else { 0 }.into(),
        unevaluated: unevaluated(tables, part.unevaluated.as_ref()).into(),
    };
    tables.intern(5, |sections| &mut sections.array_checks, record)
}

fn indexes(nodes: &[NodeId]) -> Vec<u32> {
    nodes.iter().map(|node| node.0).collect()
}

fn object(tables: &mut Tables<'_>, part: &ObjectPart) -> u32 {
    let first = tables.sections.properties.len() as u32;
    for property in &part.properties {
        let name = tables.text(&property.name);
        let flags = if property.required { PROPERTY_REQUIRED } else { 0 }
            | if property.implied { PROPERTY_IMPLIED } else { 0 };
        let name_key = property_key(property.name.as_bytes());
        let (key, key_mask) = if property.implied { ([0; 32], 0) } else { name_key };
        tables.sections.properties.push(layout::Property {
            key,
            key_mask: key_mask.into(),
            name,
            hash: name_hash(property.name.as_bytes()).into(),
            schema: property.node.0.into(),
            flags: flags.into(),
        });
    }
    let required = part.properties.iter().filter(|property| property.required).count();
    let mask = part
        .properties
        .iter()
        .take(64)
        .enumerate()
        .fold(0u64, |mask, (at, property)| mask | u64::from(property.required) << at);
    let names = part.properties.iter().map(|property| property.name.as_str());
    let (slots, slot_mask) = tables.table(names);
    let patterns = tables.sections.pattern_properties.len() as u32;
    tables.sections.pattern_properties.extend(part.patterns.iter().map(|(automaton, node)| {
        layout::PatternProperty { automaton: (*automaton).into(), schema: node.0.into() }
    }));
    let dependents = tables.sections.dependents.len() as u32;
    let index = |at: Option<usize>| at.map_or(NONE, |at| at as u32);
    tables.sections.dependents.extend(part.dependents.iter().map(|dependent| layout::Dependent {
        property: (dependent.property as u32).into(),
        required: index(dependent.required).into(),
        schema: dependent.node.map_or(NONE, |node| node.0).into(),
    }));
    tables.sections.object_checks.push(layout::ObjectCheck {
        properties: first.into(),
        property_count: (part.properties.len() as u32).into(),
        required: mask.into(),
        required_count: (required as u32).into(),
        slots: slots.into(),
        slot_mask: slot_mask.into(),
        min_properties: clamp(part.min_properties).into(),
        max_properties: part.max_properties.map_or(NONE, clamp).into(),
        additional: part.additional.0.into(),
        pattern_properties: patterns.into(),
        pattern_property_count: (part.patterns.len() as u32).into(),
        names: part.names.map_or(NONE, |node| node.0).into(),
        dependents: dependents.into(),
        dependent_count: (part.dependents.len() as u32).into(),
        unevaluated: NONE.into(),
    });
    // Its evaluators are objects too, and come after.
    let index = tables.sections.object_checks.len() - 1;
    if part.unevaluated.is_some() {
        let of = unevaluated(tables, part.unevaluated.as_ref());
        tables.sections.object_checks[index].unevaluated = of.into();
    }
    index as u32
}

fn unevaluated(tables: &mut Tables<'_>, part: Option<&UnevaluatedPart>) -> u32 {
    let Some(part) = part else { return NONE };
    let first_condition = tables.sections.conditions.len();
    let mut evaluators = Vec::with_capacity(part.evaluators.len());
    for evaluator in &part.evaluators {
        let names = if evaluator.names.is_empty() && evaluator.patterns.is_empty() {
            NONE
        } else {
            object(tables, &matcher(evaluator))
        };
        let conditions = tables.sections.conditions.len() as u32;
        let written = evaluator.conditions.iter().map(|condition| {
            let (of, kind) = match condition {
                Condition::Accepts(node) => (node.0, ConditionKind::Accepts),
                Condition::Refuses(node) => (node.0, ConditionKind::Refuses),
                Condition::Present(index) => (*index as u32, ConditionKind::Present),
            };
            layout::Condition { of: of.into(), kind: kind.code(), reserved: [0; 3] }
        });
        tables.sections.conditions.extend(written);
        evaluators.push(layout::Evaluator {
            names: names.into(),
            prefix: clamp(evaluator.prefix).into(),
            contains: evaluator.contains.map_or(NONE, |node| node.0).into(),
            conditions: conditions.into(),
            condition_count: (evaluator.conditions.len() as u32).into(),
            flags: if evaluator.all { EVALUATOR_ALL } else { 0 }.into(),
        });
    }
    let first = tables.sections.evaluators.len() as u32;
    tables.sections.evaluators.extend(evaluators);
    let conditions = tables.sections.conditions.len() - first_condition;
    tables.sections.unevaluated.push(layout::Unevaluated {
        schema: part.node.0.into(),
        evaluators: first.into(),
        evaluator_count: (part.evaluators.len() as u32).into(),
        conditions: (first_condition as u32).into(),
        condition_count: (conditions as u32).into(),
    });
    tables.sections.unevaluated.len() as u32 - 1
}

/// An object whose declared names and patterns are those of an evaluator.
fn matcher(evaluator: &EvaluatorPart) -> ObjectPart {
    let property = |name: &String| PropertyPart {
        name: name.clone(),
        node: ANY,
        required: false,
        required_by: None,
        implied: false,
    };
    ObjectPart {
        properties: evaluator.names.iter().map(property).collect(),
        patterns: evaluator.patterns.iter().map(|automaton| (*automaton, ANY)).collect(),
        ..ObjectPart::open()
    }
}

fn literals(tables: &mut Tables<'_>, set: &Literals) -> u32 {
    let strings = tables.sections.literal_strings.len() as u32;
    for text in &set.strings {
        let hash = name_hash(text.as_bytes()).into();
        let text = tables.text(text);
        tables.sections.literal_strings.push(layout::LiteralString { text, hash });
    }
    // A run of its own: interned decimals need not lie side by side.
    let numbers = tables.sections.decimals.len() as u32;
    for number in &set.numbers {
        let record = decimal_record(tables, number);
        tables.sections.decimals.push(record);
    }
    let (slots, slot_mask) = tables.table(set.strings.iter().map(String::as_str));
    let record = layout::LiteralSet {
        scalars: set.scalars.into(),
        slots: slots.into(),
        slot_mask: slot_mask.into(),
        strings: strings.into(),
        string_count: (set.strings.len() as u32).into(),
        numbers: numbers.into(),
        number_count: (set.numbers.len() as u32).into(),
    };
    tables.sections.literal_sets.push(record);
    tables.sections.literal_sets.len() as u32 - 1
}

fn compositions(tables: &mut Tables<'_>, compositions: &[Composition]) -> u32 {
    let mut records = Vec::with_capacity(compositions.len());
    for composition in compositions {
        let mut tag = Text { offset: 0.into(), len: 0.into() };
        let (kind, first, count) = match &composition.branches {
            Branches::Plain(kind, nodes) => (*kind, tables.list(indexes(nodes)), nodes.len()),
            Branches::Tagged(name, tags) => {
                tag = tables.text(name);
                (CompositionKind::Tagged, self::tags(tables, tags), tags.len())
            }
            Branches::Content(encoding, node) => {
                let (schema, encoding) = (node.0.into(), encoding.code());
                let content = layout::StringContent { schema, encoding, reserved: [0; 3] };
                let index = tables.intern(9, |sections| &mut sections.contents, content);
                (CompositionKind::Content, index, 0)
            }
            Branches::Types(nodes) => {
                let [null, boolean, number, string, array, object] = nodes.map(|n| n.0.into());
                let switch = layout::TypeSwitch { null, boolean, number, string, array, object };
                let index = tables.intern(6, |sections| &mut sections.type_switches, switch);
                (CompositionKind::TypeSwitch, index, 0)
            }
        };
        let (mut hints, mut hint_count) = (0, 0);
        if let Some((name, tags)) = &composition.hint {
            tag = tables.text(name);
            (hints, hint_count) = (self::tags(tables, tags), tags.len() as u16);
        }
        records.push(layout::Composition {
            tag,
            branches: first.into(),
            branch_count: (count as u16).into(),
            kind: kind.code(),
            keyword: composition.keyword.code(),
            hints: hints.into(),
            hint_count: hint_count.into(),
            reserved: [0; 2],
        });
    }
    let first = tables.sections.compositions.len() as u32;
    tables.sections.compositions.extend(records);
    first
}

fn tags(tables: &mut Tables<'_>, tags: &[(String, NodeId)]) -> u32 {
    let first = tables.sections.tags.len() as u32;
    for (value, node) in tags {
        let value = tables.text(value);
        tables.sections.tags.push(layout::Tag { value, schema: node.0.into() });
    }
    first
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::Number;

    fn bounds(text: &str, exclusive: bool) -> (Option<i64>, Option<i64>) {
        let value = Number::parse(text).unwrap().decimal();
        (least_integer(&value, exclusive), greatest_integer(&value, exclusive))
    }

    #[test]
    fn integer_bounds_are_exact() {
        assert_eq!(bounds("1.5", false), (Some(2), Some(1)));
        assert_eq!(bounds("-1.5", false), (Some(-1), Some(-2)));
        assert_eq!(bounds("3", true), (Some(4), Some(2)));
        assert_eq!(bounds("0", false), (Some(0), Some(0)));
        assert_eq!(bounds("0.001", false), (Some(1), Some(0)));
        assert_eq!(bounds("-0.001", true), (Some(0), Some(-1)));
        assert_eq!(bounds("1e40", false), (None, Some(i64::MAX)));
        assert_eq!(bounds("-1e40", false), (Some(i64::MIN), None));
        assert_eq!(bounds("9223372036854775807", true), (None, Some(i64::MAX - 1)));
        assert_eq!(bounds("9223372036854775808", false), (None, Some(i64::MAX)));
        assert_eq!(bounds("1e2", false), (Some(100), Some(100)));
    }
}
