//! Writes a document as the JSON value that it stands for, for the one-pass validator.
//!
//! How an element is read is compiled from the `xml` objects of the documents (OpenAPI 3.1.1, section
//! 4.8.26): a guide for each schema, with the names of its elements and attributes. What no guide names is
//! written under its own name, so that `additionalProperties` judges it. Nothing recurses: frames stand on a
//! stack, and each step writes one member. The text is handed on piece by piece and never held whole.

use super::tree::{Attribute, Element, NONE, Tree, XML_NAMESPACE};
use crate::access::slice;
use crate::params::text::{Reading, write, write_string};
use crate::schema::{Fault, FaultKind, ScalarSink, Validator};
use core::ops::Range;
use portcullis_bundle::layout::{
    Keyword, TYPE_ALL, TYPE_ARRAY, TYPE_NULL, TYPE_OBJECT, TYPE_STRING, View, XmlElement, XmlField,
    XmlFieldKind,
};
use std::borrow::Cow;

/// Bytes of JSON that are handed on at once.
const PIECE: usize = 4096;
/// The namespace of `xsi:nil` and its like, which say something about an element and are no part of its value.
const XSI: &[u8] = b"http://www.w3.org/2001/XMLSchema-instance";

/// A container that is being written.
#[derive(Clone, Debug)]
pub(super) enum Frame {
    /// The members of an element: attributes, children that the guide names, the others.
    Object {
        element: u32,
        guide: u32,
        attribute: u32,
        child: u32,
        loose: Option<Range<usize>>,
        filled: bool,
    },
    /// Children that are the items of one property, from a child on.
    Siblings { child: u32, parent: u32, guide: u32, field: u32, filled: bool },
    /// The children of an element that is an array.
    Items { child: u32, guide: u32, parent: u32, filled: bool },
    /// Children of one name that no guide knows.
    Loose { rest: Range<usize>, guide: u32, filled: bool },
}

/// What writing needs besides the tree; kept from body to body.
#[derive(Debug, Default)]
pub(super) struct Buffers {
    json: Vec<u8>,
    frames: Vec<Frame>,
    /// Children that no guide knows, those of the innermost object last.
    loose: Vec<u32>,
}

impl Buffers {
    pub fn trim(&mut self, kept: usize) {
        self.json.clear();
        self.json.shrink_to(kept);
        self.frames.shrink_to(kept / size_of::<Frame>());
        self.loose.shrink_to(kept / size_of::<u32>());
    }
}

/// One pass over a tree.
pub(super) struct Writer<'w, S: ScalarSink> {
    pub view: &'w View<'w>,
    pub body: &'w [u8],
    pub tree: &'w mut Tree,
    pub buffers: &'w mut Buffers,
    pub validator: &'w mut Validator,
    pub sink: &'w mut S,
    /// How texts are read that could be a string or something else.
    pub reading: Reading,
    /// Whether another reading would give another value.
    pub ambiguous: bool,
    /// Marks what this pass has written.
    pub pass: u8,
    pub steps: u64,
}

impl<S: ScalarSink> Writer<'_, S> {
    /// Writes the root element, and judges what it says.
    pub fn run(&mut self, guide: u32) -> Result<(), Fault> {
        self.buffers.json.clear();
        self.buffers.frames.clear();
        self.buffers.loose.clear();
        if !self.is_root(guide) {
            return Err(self.refused(0));
        }
        self.value(0, guide)?;
        while let Some(frame) = self.buffers.frames.pop() {
            self.charge(1)?;
            match frame {
                Frame::Object { .. } => self.object(frame)?,
                Frame::Siblings { child, parent, guide, field, filled } => {
                    self.siblings(child, parent, guide, field, filled)?;
                }
                Frame::Items { child, guide, parent, filled } => {
                    self.items(child, guide, parent, filled)?
                }
                Frame::Loose { rest, guide, filled } => self.loose(rest, guide, filled)?,
            }
            if self.buffers.json.len() >= PIECE {
                self.hand_on()?;
            }
        }
        self.hand_on()?;
        self.validator.finish(self.view, self.sink)
    }

    /// Counts steps.
    fn charge(&mut self, steps: u32) -> Result<(), Fault> {
        match self.steps.checked_sub(u64::from(steps)) {
            Some(left) => self.steps = left,
            None => return Err(self.fault(FaultKind::Budget, 0)),
        }
        Ok(())
    }

    fn hand_on(&mut self) -> Result<(), Fault> {
        self.validator.feed(self.view, &self.buffers.json, self.sink)?;
        self.buffers.json.clear();
        Ok(())
    }

    /// Whether the root element has the name that the schema gives it, if it gives one.
    fn is_root(&self, guide: u32) -> bool {
        let (Some(guide), Some(root)) = (self.guide(guide), self.tree.element(0)) else {
            return true;
        };
        let name = self.view.bytes(guide.name);
        let namespace = self.view.bytes(guide.namespace);
        (name.is_empty() || root.name.local(self.body) == name)
            && (namespace.is_empty() || self.tree.namespace(root.namespace) == namespace)
    }

    /// Writes what an element stands for, or begins to.
    fn value(&mut self, index: u32, guide: u32) -> Result<(), Fault> {
        let Some(element) = self.tree.element(index).copied() else { return Ok(()) };
        if let Some(element) = self.tree.elements.get_mut(index as usize) {
            element.written = self.pass;
        }
        let types = self.guide(guide).map_or(TYPE_ALL, |guide| guide.types);
        let out = &mut self.buffers.json;
        if types & TYPE_NULL != 0 && is_nil(self.tree, &element, self.body) {
            out.extend_from_slice(b"null");
            return Ok(());
        }
        if element.mixed {
            return Err(self.refused(index));
        }
        if types & TYPE_ARRAY != 0 && types != TYPE_ALL {
            out.push(b'[');
            let child = element.first_child;
            self.buffers.frames.push(Frame::Items { child, guide, parent: index, filled: false });
            return Ok(());
        }
        let attributes = self.tree.attributes_of(&element);
        let holds = element.first_child != NONE
            || attributes.iter().any(|attribute| !is_about(self.tree, attribute));
        if holds || (types & TYPE_OBJECT != 0 && types != TYPE_ALL && types & TYPE_STRING == 0) {
            out.push(b'{');
            self.buffers.frames.push(Frame::Object {
                element: index,
                guide,
                attribute: 0,
                child: element.first_child,
                loose: None,
                filled: false,
            });
            return Ok(());
        }
        let text = element.text.of(&self.tree.texts);
        self.ambiguous |= scalar(text, types, self.reading, out);
        Ok(())
    }

    /// Writes the next member of an object.
    fn object(&mut self, frame: Frame) -> Result<(), Fault> {
        let Frame::Object {
            element: index,
            guide,
            mut attribute,
            mut child,
            mut loose,
            mut filled,
        } = frame
        else {
            return Ok(());
        };
        let Some(element) = self.tree.element(index).copied() else { return Ok(()) };
        let put_back = |attribute, child, loose, filled| Frame::Object {
            element: index,
            guide,
            attribute,
            child,
            loose,
            filled,
        };
        if let Some(found) = self.tree.attributes_of(&element).get(attribute as usize).copied() {
            attribute += 1;
            if !is_about(self.tree, &found) {
                self.charge(self.guide(guide).map_or(0, |guide| guide.field_count.get() / 8))?;
                self.attribute(guide, &found, filled);
                filled = true;
            }
            self.buffers.frames.push(put_back(attribute, child, loose, filled));
            return Ok(());
        }
        if attribute == element.attribute_count {
            // Once, between attributes and children: the element's own text, where a property is that.
            filled |= self.own_text(guide, &element, filled);
            attribute += 1;
        }
        if let Some(next) = self.tree.element(child).copied() {
            let here = child;
            child = next.next;
            // What children of children have left behind is written by now.
            let (first, end) = match &loose {
                Some(range) => (range.start, range.end),
                None => (self.buffers.loose.len(), self.buffers.loose.len()),
            };
            self.buffers.loose.truncate(end);
            if next.written == self.pass {
                self.buffers.frames.push(put_back(attribute, child, loose, filled));
                return Ok(());
            }
            let Some((at, field)) = self.field(guide, &next, &element) else {
                self.buffers.loose.push(here);
                loose = Some(first..self.buffers.loose.len());
                self.buffers.frames.push(put_back(attribute, child, loose, filled));
                return Ok(());
            };
            self.member(self.view.bytes(field.property), filled);
            self.buffers.frames.push(put_back(attribute, child, loose, true));
            if field.is_item() {
                self.buffers.json.push(b'[');
                let frame =
                    Frame::Siblings { child: here, parent: index, guide, field: at, filled: false };
                self.buffers.frames.push(frame);
                return Ok(());
            }
            return self.value(here, field.element.get());
        }
        let Some(rest) = loose.filter(|rest| !rest.is_empty()) else {
            self.buffers.json.push(b'}');
            return Ok(());
        };
        self.others(index, guide, attribute, rest, filled)
    }

    /// Writes the next of the members that no guide knows: those of one name together.
    fn others(
        &mut self,
        element: u32,
        guide: u32,
        attribute: u32,
        rest: Range<usize>,
        filled: bool,
    ) -> Result<(), Fault> {
        self.charge(self.guide(guide).map_or(0, |guide| guide.field_count.get() / 8))?;
        let (tree, body) = (&*self.tree, self.body);
        let name = |index: &u32| {
            tree.element(*index).map_or(&b""[..], |element| element.name.whole.of(body))
        };
        let others = self.buffers.loose.get_mut(rest.clone()).unwrap_or_default();
        if attribute != u32::MAX {
            // Stable, so that items keep their order.
            others.sort_by(|a, b| name(a).cmp(name(b)));
        }
        let first = others.first().copied().unwrap_or(NONE);
        let same = others.iter().take_while(|other| name(other) == name(&first)).count();
        let group = rest.start..rest.start + same;
        let left = group.end..rest.end;
        let additional = self.guide(guide).map_or(NONE, |guide| guide.additional.get());
        let shown = self.undeclared(guide, name(&first));
        self.member(&shown, filled);
        // The sign that the rest is sorted: no attribute has this number.
        let loose = Some(left);
        let frame =
            Frame::Object { element, guide, attribute: u32::MAX, child: NONE, loose, filled: true };
        self.buffers.frames.push(frame);
        if same == 1 {
            return self.value(first, additional);
        }
        self.buffers.json.push(b'[');
        self.buffers.frames.push(Frame::Loose { rest: group, guide: additional, filled: false });
        Ok(())
    }

    fn loose(&mut self, mut rest: Range<usize>, guide: u32, filled: bool) -> Result<(), Fault> {
        let Some(here) = rest.next() else {
            self.buffers.json.push(b']');
            return Ok(());
        };
        self.comma(filled);
        let element = self.buffers.loose.get(here).copied().unwrap_or(NONE);
        self.buffers.frames.push(Frame::Loose { rest, guide, filled: true });
        self.value(element, guide)
    }

    /// Writes the next item of an array whose items stand among their parent's children.
    fn siblings(
        &mut self,
        child: u32,
        parent: u32,
        guide: u32,
        field: u32,
        filled: bool,
    ) -> Result<(), Fault> {
        let Some(around) = self.tree.element(parent).copied() else { return Ok(()) };
        let mut child = child;
        while let Some(next) = self.tree.element(child).copied() {
            let here = child;
            child = next.next;
            self.charge(1)?;
            let Some((at, found)) = self.field(guide, &next, &around) else { continue };
            if at != field || next.written == self.pass {
                continue;
            }
            let item = found.element.get();
            self.comma(filled);
            self.buffers.frames.push(Frame::Siblings { child, parent, guide, field, filled: true });
            return self.value(here, item);
        }
        self.buffers.json.push(b']');
        Ok(())
    }

    /// Writes the next item of an element that is an array.
    fn items(&mut self, child: u32, guide: u32, parent: u32, filled: bool) -> Result<(), Fault> {
        let (Some(next), Some(around)) =
            (self.tree.element(child).copied(), self.tree.element(parent).copied())
        else {
            self.buffers.json.push(b']');
            return Ok(());
        };
        let Some((_, field)) = self.field(guide, &next, &around) else {
            return Err(self.refused(child));
        };
        self.comma(filled);
        self.buffers.frames.push(Frame::Items { child: next.next, guide, parent, filled: true });
        self.value(child, field.element.get())
    }

    fn attribute(&mut self, guide: u32, attribute: &Attribute, filled: bool) {
        let local = attribute.name.local(self.body);
        let namespace = self.tree.namespace(attribute.namespace);
        let field = self.find(guide, XmlFieldKind::Attribute, local, |field| {
            self.view.bytes(field.namespace) == namespace
        });
        let (name, types) = match field {
            Some((_, field)) => {
                let types = self.guide(field.element.get()).map_or(TYPE_ALL, |guide| guide.types);
                (self.view.bytes(field.property), types)
            }
            None => (attribute.name.whole.of(self.body), TYPE_ALL),
        };
        match field {
            Some(_) => self.member(name, filled),
            None => self.member(&self.undeclared(guide, name), filled),
        }
        let value = attribute.value.of(&self.tree.texts);
        self.ambiguous |= scalar(value, types, self.reading, &mut self.buffers.json);
    }

    /// Writes the property that an element's own text is, if there is one and the element has no children.
    fn own_text(&mut self, guide: u32, element: &Element, filled: bool) -> bool {
        if element.first_child != NONE {
            return false;
        }
        let Some((_, field)) = self.find(guide, XmlFieldKind::Text, b"", |_| true) else {
            if !element.text.of(&self.tree.texts).iter().all(|byte| super::text::is_space(*byte)) {
                // Text beside attributes has no place in the value: it stands under the name of no property.
                self.member(b"#text", filled);
                let text = element.text.of(&self.tree.texts);
                self.ambiguous |= scalar(text, TYPE_ALL, self.reading, &mut self.buffers.json);
                return true;
            }
            return false;
        };
        self.member(self.view.bytes(field.property), filled);
        let types = self.guide(field.element.get()).map_or(TYPE_ALL, |guide| guide.types);
        let text = element.text.of(&self.tree.texts);
        self.ambiguous |= scalar(text, types, self.reading, &mut self.buffers.json);
        true
    }

    /// The field that a child element is, by local name and namespace. Where the documents name no
    /// namespace, it is that of the parent, or none.
    fn field(&self, guide: u32, child: &Element, parent: &Element) -> Option<(u32, XmlField)> {
        let namespace = self.tree.namespace(child.namespace);
        let inherited = self.tree.namespace(parent.namespace);
        self.find(guide, XmlFieldKind::Element, child.name.local(self.body), |field| {
            match self.view.bytes(field.namespace) {
                b"" => namespace.is_empty() || namespace == inherited,
                declared => namespace == declared,
            }
        })
    }

    /// Finds a field of a guide; they ascend by kind and name.
    fn find(
        &self,
        guide: u32,
        kind: XmlFieldKind,
        name: &[u8],
        fits: impl Fn(&XmlField) -> bool,
    ) -> Option<(u32, XmlField)> {
        let guide = self.guide(guide)?;
        let first = guide.fields.get();
        let fields = slice(self.view.xml_fields, first, guide.field_count.get());
        let key = |field: &XmlField| (field.kind, self.view.bytes(field.name));
        let from = fields.partition_point(|field| key(field) < (kind.code(), name));
        let same = fields.iter().enumerate().skip(from);
        let mut same = same.take_while(|(_, field)| key(field) == (kind.code(), name));
        let (at, field) = same.find(|(_, field)| fits(field))?;
        Some((first.checked_add(u32::try_from(at).ok()?)?, *field))
    }

    /// The name under which a part is written that the guide does not know. It is not that of a property,
    /// which other elements or attributes stand for.
    fn undeclared<'n>(&self, guide: u32, name: &'n [u8]) -> Cow<'n, [u8]> {
        let fields = self.guide(guide).map_or(&[][..], |guide| {
            slice(self.view.xml_fields, guide.fields.get(), guide.field_count.get())
        });
        if fields.iter().any(|field| self.view.bytes(field.property) == name) {
            // No name in XML holds this mark.
            return Cow::Owned([name, b"!"].concat());
        }
        Cow::Borrowed(name)
    }

    fn guide(&self, guide: u32) -> Option<&XmlElement> {
        self.view.xml_elements.get(guide as usize)
    }

    fn member(&mut self, name: &[u8], filled: bool) {
        self.comma(filled);
        write_string(name, &mut self.buffers.json);
        self.buffers.json.push(b':');
    }

    fn comma(&mut self, filled: bool) {
        if filled {
            self.buffers.json.push(b',');
        }
    }

    /// An element that no JSON value can say: a wrong name where the name is no part of the value, or text
    /// between elements.
    #[cold]
    fn refused(&mut self, element: u32) -> Fault {
        // So that the pointer is that of the element's container.
        match self.hand_on() {
            Ok(()) => self.fault(FaultKind::Invalid, element),
            Err(fault) => fault,
        }
    }

    #[cold]
    fn fault(&self, kind: FaultKind, element: u32) -> Fault {
        let offset =
            self.tree.element(element).map_or(0, |element| u64::from(element.name.whole.start));
        Fault {
            kind,
            keyword: Keyword::Xml,
            schema: portcullis_bundle::layout::NONE,
            member: 0,
            offset,
            pointer: self.validator.pointer(self.view),
        }
    }
}

/// Writes a text; says whether the other reading would have given something else.
fn scalar(text: &[u8], types: u8, reading: Reading, out: &mut Vec<u8>) -> bool {
    // White space around a number says nothing; of a string it is a part.
    let text = if types & TYPE_STRING == 0 { text.trim_ascii() } else { text };
    // Without a schema any reading will do.
    if types == TYPE_ALL {
        write_string(text, out);
        return false;
    }
    write(text, types, reading == Reading::AsOther, false, out)
}

/// Whether an attribute says something about its element and is no part of the value.
fn is_about(tree: &Tree, attribute: &Attribute) -> bool {
    attribute.namespace == XML_NAMESPACE || tree.namespace(attribute.namespace) == XSI
}

/// Whether `xsi:nil` says that an element is null (XML Schema 1.1, section 2.7.2).
fn is_nil(tree: &Tree, element: &Element, body: &[u8]) -> bool {
    let nil = |attribute: &Attribute| {
        attribute.name.local(body) == b"nil"
            && tree.namespace(attribute.namespace) == XSI
            && matches!(attribute.value.of(&tree.texts).trim_ascii(), b"true" | b"1")
    };
    element.first_child == NONE
        && element.text.of(&tree.texts).is_empty()
        && tree.attributes_of(element).iter().any(nil)
}
