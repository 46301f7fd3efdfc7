//! `enum` and `const`: the values that all of them allow.

use super::node::{ANY, NEVER};
use super::node::{
    ArrayPart, Branches, Composition, Literals, Node, NodeId, ObjectPart, PropertyPart,
};
use super::{Lowering, facts::value_bits};
use crate::ir::{Decimal, Origin, Schema, SchemaId, Value};
use portcullis_bundle::layout::{
    CompositionKind, Keyword, LITERAL_FALSE, LITERAL_NULL, LITERAL_TRUE,
};
use std::collections::HashSet;

/// The values that schemas leave, `None` where none of them lists any.
pub fn allowed<'m>(schemas: &[&'m Schema], types: u8) -> Option<Vec<&'m Value>> {
    let mut allowed: Option<Vec<&Value>> = None;
    let lists = schemas.iter().flat_map(|schema| {
        let list = schema.enumeration.as_ref().map(|list| list.value.iter().collect::<Vec<_>>());
        let constant = schema.constant.as_ref().map(|constant| vec![&constant.value]);
        list.into_iter().chain(constant)
    });
    for list in lists {
        allowed = Some(match allowed {
            None => list,
            Some(mut kept) => {
                let list: HashSet<_> = list.iter().map(|value| value.key()).collect();
                kept.retain(|value| list.contains(&value.key()));
                kept
            }
        });
    }
    allowed.map(|mut values| {
        values.retain(|value| value_bits(value) & types != 0);
        values
    })
}

/// The scalars among values, each once, and what is left.
pub fn scalars<'m>(values: &[&'m Value]) -> (Literals, Vec<&'m Value>) {
    let (mut set, mut rest) = (Literals::default(), Vec::new());
    for value in values {
        match value {
            Value::Null => set.scalars |= LITERAL_NULL,
            Value::Bool(true) => set.scalars |= LITERAL_TRUE,
            Value::Bool(false) => set.scalars |= LITERAL_FALSE,
            Value::Number(number) => {
                set.numbers.push(canonical(number.decimal()));
            }
            Value::String(text) => set.strings.push(text.clone()),
            Value::Array(_) | Value::Object(_) => rest.push(*value),
        }
    }
    let (mut texts, mut numbers) = (HashSet::new(), HashSet::new());
    set.strings.retain(|text| texts.insert(text.clone()));
    set.numbers.retain(|number| numbers.insert(number.clone()));
    (set, rest)
}

/// A decimal as bundles hold it: zero has exponent 0 and no sign.
pub fn canonical(decimal: Decimal) -> Decimal {
    if decimal.digits.is_empty() {
        return Decimal { negative: false, digits: String::new(), exponent: 0 };
    }
    decimal
}

impl Lowering<'_> {
    /// Puts the values that schemas leave into a node.
    pub(super) fn literals(&mut self, node: &mut Node, flat: &[SchemaId], types: u8) {
        let schemas: Vec<&Schema> = flat.iter().map(|id| &self.model.schemas[*id]).collect();
        let Some(values) = allowed(&schemas, types) else { return };
        let (set, rest) = scalars(&values);
        if rest.is_empty() {
            node.literals = Some(set);
            return;
        }
        let listed = schemas.iter().find_map(|schema| {
            let constant = schema.constant.as_ref().map(|at| at.origin);
            schema.enumeration.as_ref().map(|at| at.origin).or(constant)
        });
        let mut branches = Vec::new();
        if set != Literals::default() {
            let types = values.iter().fold(0, |bits, value| bits | value_bits(value));
            let node = Node { types, literals: Some(set), ..listed_at(listed) };
            branches.push(self.push(node));
        }
        for value in rest {
            branches.push(self.constant(value, listed));
        }
        let branches = Branches::Plain(CompositionKind::AnyOf, branches);
        node.compositions.push(Composition::new(Keyword::Enum, branches));
    }

    /// The node that accepts exactly one value. Values nest no deeper than documents do.
    fn constant(&mut self, value: &Value, listed: Option<Origin>) -> NodeId {
        let mut node = Node { types: value_bits(value), ..listed_at(listed) };
        match value {
            Value::Array(items) => {
                let prefix: Vec<_> = items.iter().map(|item| self.constant(item, listed)).collect();
                let count = prefix.len() as u64;
                node.array = Some(ArrayPart {
                    prefix,
                    items: NEVER,
                    min_items: count,
                    max_items: Some(count),
                    contains: None,
                    unique: false,
                    unevaluated: None,
                });
            }
            Value::Object(members) => {
                let property = |(name, value): &(String, Value)| PropertyPart {
                    name: name.clone(),
                    node: self.constant(value, listed),
                    required: true,
                    required_by: None,
                    implied: false,
                };
                node.object = Some(ObjectPart {
                    properties: members.iter().map(property).collect(),
                    additional: NEVER,
                    ..ObjectPart::open()
                });
            }
            scalar => node.literals = Some(scalars(&[scalar]).0),
        }
        self.push(node)
    }
}

/// A part of a value that stands in a list: whatever is wrong with it, the list says so.
fn listed_at(origin: Option<Origin>) -> Node {
    const KEYWORDS: [Keyword; 6] = [
        Keyword::Type,
        Keyword::Enum,
        Keyword::MinItems,
        Keyword::MaxItems,
        Keyword::Required,
        Keyword::AdditionalProperties,
    ];
    let traces = KEYWORDS.into_iter().filter_map(|keyword| Some((keyword, origin?))).collect();
    Node { origin, traces, ..Node::default() }
}

impl ObjectPart {
    /// An object of which nothing is asked.
    pub fn open() -> Self {
        ObjectPart {
            properties: Vec::new(),
            additional: ANY,
            patterns: Vec::new(),
            names: None,
            min_properties: 0,
            max_properties: None,
            dependents: Vec::new(),
            unevaluated: None,
        }
    }
}
