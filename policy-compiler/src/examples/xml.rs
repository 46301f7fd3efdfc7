//! Values as XML documents, by the `xml` objects of their schemas (OpenAPI 3.1.1, section 4.8.26).

use super::evaluate::{closure, properties};
use super::request::Unsayable;
use crate::ir::{Model, Schema, SchemaId, Type, Value, Xml, XmlNode};

const XSI: &str = "http://www.w3.org/2001/XMLSchema-instance";
const EMPTY: Unsayable = Unsayable("an empty list or object cannot be written here");

/// The document whose root element says a value.
///
/// # Errors
/// Where XML has no way to say it.
pub fn document(model: &Model, root: Option<SchemaId>, value: &Value) -> Result<String, Unsayable> {
    let mut writer = Writer { model, out: String::new() };
    let schemas: Vec<SchemaId> = root.into_iter().collect();
    let own = writer.xml(&schemas);
    let name = own.and_then(|own| own.name.clone()).unwrap_or_else(|| "root".to_owned());
    writer.element(&name, own, &schemas, value)?;
    Ok(writer.out)
}

struct Writer<'m> {
    model: &'m Model,
    out: String,
}

impl<'m> Writer<'m> {
    /// The schemas, and all that may apply to the same value.
    fn flat(&self, schemas: &[SchemaId]) -> Vec<SchemaId> {
        let more = |schema: &Schema| {
            let of = &*schema.applied;
            let mut all: Vec<SchemaId> = [&of.any_of, &of.one_of]
                .into_iter()
                .flatten()
                .flat_map(|list| list.value.iter().copied())
                .collect();
            all.extend([of.then, of.else_].into_iter().flatten().map(|at| at.value));
            all
        };
        closure(self.model, schemas, &mut { more })
    }

    fn xml(&self, schemas: &[SchemaId]) -> Option<&'m Xml> {
        let model: &'m Model = self.model;
        let flat = self.flat(schemas);
        flat.into_iter().find_map(|id| model.schemas[id].xml.as_ref().map(|at| &at.value))
    }

    fn admits(&self, schemas: &[SchemaId], kind: Type) -> bool {
        let flat = self.flat(schemas);
        let mut said = flat.iter().filter_map(|id| self.model.schemas[*id].types.as_ref());
        schemas.is_empty() || said.any(|types| types.value.contains(kind))
    }

    /// The schemas of a property: those declared for it, or else those of what is not declared.
    fn property(&self, schemas: &[SchemaId], name: &str) -> Vec<SchemaId> {
        let model = self.model;
        let flat = self.flat(schemas);
        let declared = flat.iter().flat_map(|id| properties(&model.schemas[*id]));
        let declared: Vec<SchemaId> =
            declared.filter(|p| p.name == name).map(|p| p.schema).collect();
        if !declared.is_empty() {
            return declared;
        }
        let rest = |id: &SchemaId| model.schemas[*id].object.additional_properties;
        flat.iter().filter_map(rest).map(|at| at.value).collect()
    }

    fn items(&self, schemas: &[SchemaId]) -> Vec<SchemaId> {
        let of = |id: &SchemaId| {
            let of = &*self.model.schemas[*id].array;
            let prefix = of.prefix_items.iter().flat_map(|list| list.value.iter().copied());
            of.items.map(|at| at.value).into_iter().chain(prefix).collect::<Vec<_>>()
        };
        self.flat(schemas).iter().flat_map(of).collect()
    }

    fn element(
        &mut self,
        name: &str,
        own: Option<&Xml>,
        schemas: &[SchemaId],
        value: &Value,
    ) -> Result<(), Unsayable> {
        let name = name_of(name)?;
        self.out.push_str(&format!("<{name}"));
        if let Some(namespace) = own.and_then(|own| own.namespace.as_deref()) {
            self.out.push_str(&format!(" xmlns=\"{}\"", escaped(namespace)?));
        }
        match value {
            Value::Object(members) => {
                if members.is_empty() && self.admits(schemas, Type::String) {
                    return Err(EMPTY);
                }
                let (mut inner, mut children) = (None, Vec::new());
                for (member, value) in members {
                    let of = self.property(schemas, member);
                    let own = self.xml(&of);
                    match own.map_or(XmlNode::Default, |own| own.node) {
                        XmlNode::Attribute => self.attribute(member, own, value)?,
                        XmlNode::Text if self.admits(&of, Type::Array) => {
                            return Err(Unsayable("the text of an element is no list"));
                        }
                        XmlNode::Text => inner = Some(escaped(&scalar(value)?)?),
                        _ => children.push((member, of, own, value)),
                    }
                }
                self.out.push('>');
                match inner {
                    Some(text) if children.is_empty() => self.out.push_str(&text),
                    Some(_) => return Err(Unsayable("an element holds text or others, not both")),
                    None => {}
                }
                for (member, of, own, value) in children {
                    self.child(member, &of, own, value)?;
                }
            }
            Value::Array(items) => {
                if !self.admits(schemas, Type::Array) {
                    return Err(Unsayable("an element of this schema is no list"));
                }
                self.out.push('>');
                let of = self.items(schemas);
                let item = self.xml(&of);
                let called = item.and_then(|item| item.name.as_deref()).unwrap_or(name);
                for value in items {
                    self.element(called, item, &of, value)?;
                }
            }
            Value::Null if self.admits(schemas, Type::Null) => {
                self.out.push_str(&format!(" xmlns:xsi=\"{XSI}\" xsi:nil=\"true\">"));
            }
            one => {
                let text = escaped(&scalar(one)?)?;
                self.out.push('>');
                self.out.push_str(&text);
            }
        }
        self.out.push_str(&format!("</{name}>"));
        Ok(())
    }

    fn attribute(
        &mut self,
        member: &str,
        own: Option<&Xml>,
        value: &Value,
    ) -> Result<(), Unsayable> {
        let name = name_of(own.and_then(|own| own.name.as_deref()).unwrap_or(member))?;
        let text = escaped(&scalar(value)?)?;
        match own.and_then(|own| own.namespace.as_deref()) {
            Some(namespace) => {
                let namespace = escaped(namespace)?;
                let prefix = format!("n{}", self.out.len());
                self.out.push_str(&format!(
                    " xmlns:{prefix}=\"{namespace}\" {prefix}:{name}=\"{text}\""
                ));
            }
            None => self.out.push_str(&format!(" {name}=\"{text}\"")),
        }
        Ok(())
    }

    /// The elements of a property.
    fn child(
        &mut self,
        member: &str,
        of: &[SchemaId],
        own: Option<&Xml>,
        value: &Value,
    ) -> Result<(), Unsayable> {
        let named = own.and_then(|own| own.name.as_deref()).unwrap_or(member);
        let wrapped = own.is_some_and(|own| own.node == XmlNode::Element);
        let list = matches!(value, Value::Array(_));
        if wrapped || of.is_empty() && !list || !self.admits(of, Type::Array) {
            return self.element(named, own, of, value);
        }
        // The items stand among the other children, and the array's own name has no effect.
        let items_of = self.items(of);
        let item = self.xml(&items_of);
        let called = item.and_then(|item| item.name.as_deref()).unwrap_or(member);
        match value {
            Value::Array(items) if items.is_empty() => Err(EMPTY),
            Value::Array(items) => {
                items.iter().try_for_each(|value| self.element(called, item, &items_of, value))
            }
            _ => Err(Unsayable("what stands here is a list")),
        }
    }
}

/// A name that an element can have.
fn name_of(name: &str) -> Result<&str, Unsayable> {
    let first = |c: char| c.is_ascii_alphabetic() || c == '_';
    let other = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    let mut letters = name.chars();
    match letters.next().is_some_and(first) && letters.all(other) {
        true => Ok(name),
        false => Err(Unsayable("XML has no element of this name")),
    }
}

fn scalar(value: &Value) -> Result<String, Unsayable> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Number(number) => Ok(number.as_str().to_owned()),
        Value::Bool(value) => Ok(value.to_string()),
        Value::Null => Ok(String::new()),
        _ => Err(Unsayable("text of one piece holds no array and no object")),
    }
}

/// Text of elements and attributes (XML 1.0, sections 2.2 and 2.4).
fn escaped(text: &str) -> Result<String, Unsayable> {
    let mut out = String::new();
    for letter in text.chars() {
        match letter {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            '\t' | '\n' | '\r' => out.push_str(&format!("&#{};", u32::from(letter))),
            '\0'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => {
                return Err(Unsayable("XML holds no control characters"));
            }
            _ => out.push(letter),
        }
    }
    Ok(out)
}
