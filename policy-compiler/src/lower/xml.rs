//! Lowers `xml`: how the elements of a body stand for the value that its schema judges.
//!
//! In: the schema of a media type. Out: one guide for each set of schemas that can apply to a value, by name of
//! element and attribute; recursive schemas give guides that name each other. A guide says only how to read,
//! so it takes every alternative together: what is not allowed is refused by the schema program.

use super::schema::{Facts, referred};
use super::tables::Tables;
use crate::ir::{SchemaId, Schemas, Xml, XmlNode};
use portcullis_bundle::layout::{
    self, NONE, TYPE_ARRAY, TYPE_OBJECT, XML_FIELD_ITEM, XmlFieldKind,
};
use std::collections::{BTreeSet, HashMap, VecDeque};

/// Guides of a bundle, at most.
const MAX_GUIDES: usize = 1 << 16;

/// Schemas any of which may apply to a value.
type Alternatives = BTreeSet<SchemaId>;

/// The guides under construction, across the media types of a bundle.
pub struct Guides<'m> {
    schemas: &'m Schemas,
    facts: Facts<'m>,
    known: HashMap<Alternatives, u32>,
    open: VecDeque<Alternatives>,
    elements: Vec<layout::XmlElement>,
    fields: Vec<layout::XmlField>,
    limit: usize,
    full: bool,
}

/// What a set of schemas says of a value's parts.
#[derive(Default)]
struct Parts<'m> {
    properties: Vec<(&'m str, Alternatives)>,
    items: Alternatives,
    additional: Alternatives,
}

impl<'m> Guides<'m> {
    /// None yet.
    pub fn new(schemas: &'m Schemas) -> Self {
        Guides {
            schemas,
            facts: Facts::new(schemas),
            known: HashMap::new(),
            open: VecDeque::new(),
            elements: Vec::new(),
            fields: Vec::new(),
            limit: MAX_GUIDES,
            full: false,
        }
    }

    /// Whether a guide was left out because there are too many.
    pub fn is_full(&self) -> bool {
        self.full
    }

    /// The guide to a schema, or to elements by their own names where there is none, or too many are known.
    pub fn guide(&mut self, tables: &mut Tables<'_>, schema: Option<SchemaId>) -> u32 {
        let open = self.of(Alternatives::new());
        let root = schema.and_then(|schema| self.of(Alternatives::from([schema])));
        while let Some(next) = self.open.pop_front() {
            let element = self.element(tables, &next);
            let at = self.known[&next] as usize;
            self.elements[at] = element;
        }
        root.or(open).unwrap_or(0)
    }

    /// Puts the guides into the bundle.
    pub fn write(self, tables: &mut Tables<'_>) {
        tables.sections.xml_elements = self.elements;
        tables.sections.xml_fields = self.fields;
    }

    fn of(&mut self, alternatives: Alternatives) -> Option<u32> {
        if let Some(known) = self.known.get(&alternatives) {
            return Some(*known);
        }
        if self.elements.len() > self.limit {
            self.full = true;
            return None;
        }
        let index = self.elements.len() as u32;
        self.elements.push(zerocopy::FromZeros::new_zeroed());
        self.known.insert(alternatives.clone(), index);
        self.open.push_back(alternatives);
        Some(index)
    }

    fn element(
        &mut self,
        tables: &mut Tables<'_>,
        alternatives: &Alternatives,
    ) -> layout::XmlElement {
        let flat = self.flatten(alternatives);
        let types = self.types(alternatives);
        let xml = self.xml(alternatives);
        let parts = self.parts(&flat);
        let mut fields = Vec::new();
        let own = xml.and_then(|xml| xml.name.as_deref());
        if types & TYPE_ARRAY != 0 {
            // In an element of its own an array's items go by their own name, or by its.
            let item = self.xml(&parts.items);
            let name = item.and_then(|item| item.name.as_deref()).or(own);
            fields.extend(self.field(tables, name.unwrap_or(""), item, "", &parts.items, 0));
        }
        if types & TYPE_OBJECT != 0 {
            for (property, of) in &parts.properties {
                fields.extend(self.property(tables, property, of));
            }
        }
        fields.sort_by(|a, b| {
            let key = |field: &layout::XmlField| (field.kind, tables.read(field.name).to_vec());
            key(a).cmp(&key(b))
        });
        let additional = if parts.additional.is_empty() { None } else { self.of(parts.additional) };
        let first = self.fields.len() as u32;
        let count = fields.len() as u32;
        self.fields.extend(fields);
        layout::XmlElement {
            name: tables.text(own.unwrap_or("")),
            namespace: tables.text(xml.and_then(|xml| xml.namespace.as_deref()).unwrap_or("")),
            fields: first.into(),
            field_count: count.into(),
            additional: additional.unwrap_or(NONE).into(),
            types,
            reserved: [0; 3],
        }
    }

    /// The field that a property of an object is.
    fn property(
        &mut self,
        tables: &mut Tables<'_>,
        name: &str,
        of: &Alternatives,
    ) -> Option<layout::XmlField> {
        let xml = self.xml(of);
        let node = xml.map_or(XmlNode::Default, |xml| xml.node);
        let own = xml.and_then(|xml| xml.name.as_deref()).unwrap_or(name);
        let is_array = self.types(of) & TYPE_ARRAY != 0;
        if is_array && matches!(node, XmlNode::Default | XmlNode::None) {
            // Not wrapped: the items stand among the other children, and the array's own name has no effect.
            let flat = self.flatten(of);
            let items = self.parts(&flat).items;
            let item = self.xml(&items);
            let own = item.and_then(|item| item.name.as_deref()).unwrap_or(name);
            return self.field(tables, own, item, name, &items, XML_FIELD_ITEM);
        }
        self.field(tables, own, xml, name, of, 0)
    }

    fn field(
        &mut self,
        tables: &mut Tables<'_>,
        name: &str,
        xml: Option<&Xml>,
        property: &str,
        of: &Alternatives,
        flags: u8,
    ) -> Option<layout::XmlField> {
        let kind = match xml.map_or(XmlNode::Default, |xml| xml.node) {
            XmlNode::Attribute => XmlFieldKind::Attribute,
            XmlNode::Text => XmlFieldKind::Text,
            XmlNode::Default | XmlNode::Element | XmlNode::None => XmlFieldKind::Element,
        };
        let element = self.of(of.clone())?;
        Some(layout::XmlField {
            name: tables.text(if kind == XmlFieldKind::Text { "" } else { name }),
            namespace: tables.text(xml.and_then(|xml| xml.namespace.as_deref()).unwrap_or("")),
            property: tables.text(property),
            element: element.into(),
            kind: kind.code(),
            flags,
            reserved: [0; 2],
        })
    }

    /// The types of values that any of the schemas may accept; all for none.
    fn types(&mut self, alternatives: &Alternatives) -> u8 {
        if alternatives.is_empty() {
            return layout::TYPE_ALL;
        }
        alternatives.iter().fold(0, |types, id| types | self.facts.types(*id))
    }

    /// The first `xml` that the schemas have, or what they refer to.
    fn xml(&self, alternatives: &Alternatives) -> Option<&'m Xml> {
        self.flatten(alternatives).into_iter().find_map(|id| {
            let schemas: &'m Schemas = self.schemas;
            schemas[id].xml.as_ref().map(|xml| &xml.value)
        })
    }

    /// The schemas and all that they may apply to the same value, each once, nearest first.
    fn flatten(&self, alternatives: &Alternatives) -> Vec<SchemaId> {
        let mut flat: Vec<SchemaId> = alternatives.iter().copied().collect();
        let mut seen = alternatives.clone();
        let mut at = 0;
        while let Some(id) = flat.get(at) {
            let schema = &self.schemas[*id];
            let applied = &schema.applied;
            let mut next = referred(schema);
            next.extend(
                [&applied.any_of, &applied.one_of]
                    .into_iter()
                    .flatten()
                    .flat_map(|list| &list.value),
            );
            next.extend(
                [applied.then, applied.else_, applied.if_].into_iter().flatten().map(|at| at.value),
            );
            next.extend(
                schema.object.dependent_schemas.iter().flat_map(|d| &d.value).map(|d| d.schema),
            );
            flat.extend(next.into_iter().filter(|id| seen.insert(*id)));
            at += 1;
        }
        flat
    }

    fn parts(&self, flat: &[SchemaId]) -> Parts<'m> {
        let mut parts = Parts::default();
        let mut index: HashMap<&'m str, usize> = HashMap::new();
        let schemas: &'m Schemas = self.schemas;
        for id in flat {
            let schema = &schemas[*id];
            for property in schema.object.properties.iter().flat_map(|list| &list.value) {
                let at = *index.entry(&property.name).or_insert_with(|| {
                    parts.properties.push((&property.name, Alternatives::new()));
                    parts.properties.len() - 1
                });
                parts.properties[at].1.insert(property.schema);
            }
            parts.additional.extend(schema.object.additional_properties.map(|at| at.value));
            parts.items.extend(schema.array.items.map(|at| at.value));
            parts.items.extend(schema.array.prefix_items.iter().flat_map(|list| &list.value));
        }
        parts
    }
}
