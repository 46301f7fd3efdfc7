//! How the elements of an XML body stand for the value that a schema judges (OpenAPI 3.1.1, section 4.8.26).

use super::Text;
use super::record::{codes, record};
use zerocopy::little_endian::U32;

record! {
    /// How an element of a schema is read. Array types: its children are the items, and must be its fields. Object
    /// types: attributes, children and its own text are properties. Others: its text is the value.
    pub struct XmlElement {
        /// The local name that it must have as the root element, or empty.
        name: Text,
        /// The namespace that it must have as the root element, or empty.
        namespace: Text,
        /// First of its fields, ascending by kind and name.
        fields: U32,
        /// How many fields.
        field_count: U32,
        /// How children that no field names are read: index into xml_elements, or `NONE`.
        additional: U32,
        /// The types that the value may have: `TYPE_*` bits.
        types: u8,
        /// Zero; reserved.
        reserved: [u8; 3],
    }
}

codes! {
    /// What of an element a field is.
    pub enum XmlFieldKind {
        /// A child element.
        Element = 0,
        /// An attribute.
        Attribute = 1,
        /// The element's own text; its name is empty.
        Text = 2,
    }
}

record! {
    /// A part of an element that stands for a property, or for an item.
    pub struct XmlField {
        /// The local name of the child element or attribute.
        name: Text,
        /// Its namespace. Empty: for a child that of its parent, or none; for an attribute none.
        namespace: Text,
        /// The property that it stands for; empty for an item of an array.
        property: Text,
        /// How its content is read: index into xml_elements.
        element: U32,
        /// An [`XmlFieldKind`] code.
        kind: u8,
        /// `XML_FIELD_*` bits.
        flags: u8,
        /// Zero; reserved.
        reserved: [u8; 2],
    }
}

/// [`XmlField::flags`]: one item of the property, an array whose items stand among the other children.
pub const XML_FIELD_ITEM: u8 = 1;

impl XmlField {
    /// Whether it is one item of an array among other children.
    pub const fn is_item(&self) -> bool {
        self.flags & XML_FIELD_ITEM != 0
    }
}
