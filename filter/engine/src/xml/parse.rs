//! Reads a document into a tree: well-formedness, namespaces, limits.
//!
//! What is not taken, though XML has it: document type declarations, and with them entities of one's own
//! (external entities, expansion), processing instructions, encodings other than UTF-8, versions other than 1.0.

use super::text::{is_char, is_space, name, push_lines, reference};
use super::tree::{Attribute, Element, NONE, Name, Span, Tree, XML, XML_NAMESPACE};
use crate::schema::{FaultKind, Limits, Malformation, Part};

/// Namespace declarations of a document, at most.
const MAX_NAMESPACES: usize = 256;
/// Attributes of an element, at most: each is compared with the others.
const MAX_ATTRIBUTES: u32 = 256;
/// The namespace of the prefix `xmlns`, which nothing may be bound to.
const XMLNS: &[u8] = b"http://www.w3.org/2000/xmlns/";

/// What is wrong, and at which byte of the body.
pub(super) type Wrong = (FaultKind, usize);

/// A prefix in scope.
#[derive(Clone, Copy, Debug)]
struct Binding {
    /// In the body; empty for the default namespace.
    prefix: Span,
    /// Index into the namespaces, or `NONE` where the default is taken back.
    namespace: u32,
    /// The element that declares it.
    element: u32,
}

/// Reads a body; what is left in `tree` on an error means nothing.
pub(super) fn parse(body: &[u8], limits: &Limits, tree: &mut Tree) -> Result<(), Wrong> {
    tree.clear();
    let text = core::str::from_utf8(body)
        .map_err(|error| (FaultKind::Malformed(Malformation::NotUtf8), error.valid_up_to()))?;
    if let Some((at, _)) = text.char_indices().find(|(_, c)| !is_char(*c)) {
        return Err((FaultKind::Malformed(Malformation::ControlCharacter), at));
    }
    let mut parser =
        Parser { text, at: 0, limits, tree, bindings: Vec::new(), open: NONE, depth: 0 };
    parser.document()
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    limits: &'a Limits,
    tree: &'a mut Tree,
    bindings: Vec<Binding>,
    /// The innermost open element.
    open: u32,
    depth: u32,
}

impl<'a> Parser<'a> {
    fn document(&mut self) -> Result<(), Wrong> {
        self.eat("\u{FEFF}");
        if self.rest().starts_with("<?xml") {
            self.declaration()?;
        }
        self.misc()?;
        if !self.eat("<") {
            return Err(self.unexpected());
        }
        self.start_tag()?;
        while self.open != NONE {
            self.content()?;
        }
        self.misc()?;
        if self.at < self.text.len() { self.wrong(Malformation::Trailing) } else { Ok(()) }
    }

    /// Comments and white space around the root element.
    fn misc(&mut self) -> Result<(), Wrong> {
        loop {
            self.space();
            if self.eat("<!--") {
                self.comment()?;
            } else if self.rest().starts_with("<!") {
                return self.wrong(Malformation::DocumentType);
            } else if self.rest().starts_with("<?") {
                return self.wrong(Malformation::Unexpected);
            } else {
                return Ok(());
            }
        }
    }

    /// XMLDecl ::= '<?xml' VersionInfo EncodingDecl? SDDecl? S? '?>' (production 23)
    fn declaration(&mut self) -> Result<(), Wrong> {
        let end = self.rest().find("?>").ok_or_else(|| self.truncated())?;
        let whole = self.rest().get(5..end).unwrap_or_default();
        let mut rest = whole;
        for (label, value) in [
            ("version", (|value| value == "1.0") as fn(&str) -> bool),
            ("encoding", |value| {
                value.eq_ignore_ascii_case("utf-8") || value.eq_ignore_ascii_case("us-ascii")
            }),
            ("standalone", |value| value == "yes" || value == "no"),
        ] {
            let after = rest.trim_start_matches([' ', '\t', '\r', '\n']);
            let Some(assigned) = after.strip_prefix(label).filter(|_| after.len() < rest.len())
            else {
                if label == "version" {
                    return self.wrong(Malformation::Unexpected);
                }
                continue;
            };
            let (found, after) = quoted(assigned).ok_or_else(|| self.unexpected())?;
            if !value(found) {
                return self.wrong(Malformation::Unexpected);
            }
            rest = after;
        }
        if !rest.bytes().all(is_space) {
            return self.wrong(Malformation::Unexpected);
        }
        self.at += end + 2;
        Ok(())
    }

    /// Comment ::= '<!--' ((Char - '-') | ('-' (Char - '-')))* '-->' (production 15)
    fn comment(&mut self) -> Result<(), Wrong> {
        let end = self.rest().find("--").ok_or_else(|| self.truncated())?;
        self.at += end + 2;
        if self.eat(">") { Ok(()) } else { Err(self.unexpected()) }
    }

    /// The next piece of the content of the open element.
    fn content(&mut self) -> Result<(), Wrong> {
        let end = self.rest().find('<').ok_or_else(|| self.truncated())?;
        let data = self.rest().get(..end).unwrap_or_default();
        if !data.is_empty() {
            // `]]>` ends a CDATA section and may stand nowhere else (production 14).
            if let Some(stray) = data.find("]]>") {
                self.at += stray;
                return Err(self.unexpected());
            }
            self.character_data(data)?;
        }
        if self.eat("</") {
            return self.end_tag();
        }
        if self.eat("<!--") {
            return self.comment();
        }
        if self.eat("<![CDATA[") {
            let end = self.rest().find("]]>").ok_or_else(|| self.truncated())?;
            let data = self.rest().get(..end).unwrap_or_default();
            self.grow(data.len())?;
            push_lines(data, &mut self.tree.texts);
            self.at += end + 3;
            return self.note_text();
        }
        if self.rest().starts_with("<!") {
            return self.wrong(Malformation::DocumentType);
        }
        self.at += 1;
        self.start_tag()
    }

    fn character_data(&mut self, data: &str) -> Result<(), Wrong> {
        self.grow(data.len())?;
        self.decoded(data, push_lines)?;
        self.note_text()
    }

    /// Appends text to the decoded texts, references resolved; moves on behind it.
    fn decoded(&mut self, data: &str, push: impl Fn(&str, &mut Vec<u8>)) -> Result<(), Wrong> {
        let mut rest = data;
        while let Some(at) = rest.find('&') {
            let (before, from) = rest.split_at_checked(at).unwrap_or((rest, ""));
            push(before, &mut self.tree.texts);
            self.at += before.len();
            let (c, len) = reference(from).ok_or_else(|| self.unexpected())?;
            self.tree.texts.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
            self.at += len;
            rest = from.get(len..).unwrap_or_default();
        }
        push(rest, &mut self.tree.texts);
        self.at += rest.len();
        Ok(())
    }

    /// Takes what was appended to the texts into the open element.
    fn note_text(&mut self) -> Result<(), Wrong> {
        let end = self.tree.texts.len();
        let Some(element) = self.tree.elements.get_mut(self.open as usize) else { return Ok(()) };
        if element.first_child == NONE {
            element.text.end = Span::new(0, end).end;
            let len = element.text.end.saturating_sub(element.text.start);
            if len > self.limits.string {
                return Err((FaultKind::TooLarge(Part::String), self.at));
            }
        } else {
            // Behind a child nothing but white space is expected, and nothing is kept.
            let start = element.text.end as usize;
            let text = self.tree.texts.get(start..).unwrap_or_default();
            element.mixed |= !text.iter().all(|byte| is_space(*byte));
            self.tree.texts.truncate(start);
        }
        Ok(())
    }

    /// A start tag or an empty-element tag, behind its `<`.
    fn start_tag(&mut self) -> Result<(), Wrong> {
        let at = self.at.saturating_sub(1);
        if self.depth >= self.limits.depth {
            return Err((FaultKind::TooDeep, at));
        }
        if self.tree.elements.len() >= self.limits.items as usize {
            return Err((FaultKind::TooLarge(Part::Items), at));
        }
        self.close_text();
        let name = self.name()?;
        let attributes = self.tree.attributes.len();
        let start = Span::new(self.tree.texts.len(), self.tree.texts.len());
        let index = self.tree.push(Element {
            name,
            namespace: NONE,
            parent: self.open,
            first_child: NONE,
            last_child: NONE,
            next: NONE,
            attributes: Span::new(attributes, 0).start,
            attribute_count: 0,
            text: start,
            mixed: false,
            written: 0,
        });
        self.open = index;
        self.depth += 1;
        loop {
            let spaced = self.space();
            if self.eat("/>") {
                self.settle_names(index, attributes)?;
                return self.close();
            }
            if self.eat(">") {
                return self.settle_names(index, attributes);
            }
            if self.at >= self.text.len() {
                return Err(self.truncated());
            }
            if !spaced {
                return Err(self.unexpected());
            }
            self.attribute(index)?;
        }
    }

    /// Before the first child of the open element: its text so far must be white space.
    fn close_text(&mut self) {
        let Some(parent) = self.tree.elements.get_mut(self.open as usize) else { return };
        if parent.first_child == NONE {
            let text = parent.text.of(&self.tree.texts);
            parent.mixed = !text.iter().all(|byte| is_space(*byte));
            self.tree.texts.truncate(parent.text.start as usize);
        }
        // From here on its text begins where its children's texts have ended.
        let end = Span::new(0, self.tree.texts.len()).end;
        parent.text = Span { start: end, end };
    }

    /// Attribute ::= Name Eq AttValue (production 41)
    fn attribute(&mut self, element: u32) -> Result<(), Wrong> {
        let name = self.name()?;
        self.space();
        if !self.eat("=") {
            return Err(self.unexpected());
        }
        self.space();
        let quote = match self.rest().as_bytes().first() {
            Some(quote @ (b'"' | b'\'')) => char::from(*quote),
            Some(_) => return Err(self.unexpected()),
            None => return Err(self.truncated()),
        };
        self.at += 1;
        let end = self.rest().find(quote).ok_or_else(|| self.truncated())?;
        let raw = self.rest().get(..end).unwrap_or_default();
        if let Some(stray) = raw.find('<') {
            self.at += stray;
            return Err(self.unexpected());
        }
        self.grow(raw.len())?;
        let start = self.tree.texts.len();
        // Attribute-value normalisation of CDATA attributes (section 3.3.3).
        self.decoded(raw, |piece, out| {
            let from = out.len();
            push_lines(piece, out);
            let new = out.get_mut(from..).unwrap_or_default();
            new.iter_mut().filter(|byte| is_space(**byte)).for_each(|byte| *byte = b' ');
        })?;
        self.at += 1;
        let value = Span::new(start, self.tree.texts.len());
        if let Some(element) = self.tree.elements.get_mut(element as usize) {
            element.text = Span { start: value.end, end: value.end };
        }
        let bytes = self.text.as_bytes();
        let is_default = name.whole.of(bytes) == b"xmlns";
        if is_default || name.whole.of(bytes).starts_with(b"xmlns:") {
            let prefix = if is_default {
                Span::default()
            } else {
                Span { start: name.whole.start.saturating_add(name.prefix), end: name.whole.end }
            };
            return self.declare(prefix, value, element);
        }
        let count = self.tree.elements.get_mut(element as usize).map_or(0, |element| {
            element.attribute_count = element.attribute_count.saturating_add(1);
            element.attribute_count
        });
        if count > MAX_ATTRIBUTES.min(self.limits.properties) {
            return Err((FaultKind::TooLarge(Part::Properties), self.at));
        }
        self.tree.attributes.push(Attribute { name, namespace: NONE, value });
        Ok(())
    }

    /// Binds a prefix, or the default, to a namespace (Namespaces in XML 1.0, section 3).
    fn declare(&mut self, prefix: Span, value: Span, element: u32) -> Result<(), Wrong> {
        if self.tree.namespaces.len() >= MAX_NAMESPACES {
            return Err((FaultKind::TooLarge(Part::Properties), self.at));
        }
        let (prefix_text, uri) = (prefix.of(self.text.as_bytes()), value.of(&self.tree.texts));
        let reserved =
            (prefix_text == b"xml") != (uri == XML) || prefix_text == b"xmlns" || uri == XMLNS;
        let twice = self.bindings.iter().rev().take_while(|b| b.element == element);
        let twice = twice.clone().any(|b| b.prefix.of(self.text.as_bytes()) == prefix_text);
        // A prefix cannot be taken back in version 1.0, the default can.
        if reserved || twice || (uri.is_empty() && !prefix_text.is_empty()) {
            return Err(self.unexpected());
        }
        let namespace =
            if uri.is_empty() { NONE } else { Span::new(self.tree.namespaces.len(), 0).start };
        if namespace != NONE {
            self.tree.namespaces.push(value);
        }
        self.bindings.push(Binding { prefix, namespace, element });
        Ok(())
    }

    /// Resolves the prefixes of an element and its attributes, once all declarations are known, and sees
    /// that no attribute is there twice.
    fn settle_names(&mut self, index: u32, first: usize) -> Result<(), Wrong> {
        let Some(name) = self.tree.element(index).map(|element| element.name) else {
            return Ok(());
        };
        let namespace = self.resolve(name, true)?;
        if let Some(element) = self.tree.elements.get_mut(index as usize) {
            element.namespace = namespace;
        }
        for at in first..self.tree.attributes.len() {
            let Some(name) = self.tree.attributes.get(at).map(|attribute| attribute.name) else {
                continue;
            };
            let namespace = if name.prefix == 0 { NONE } else { self.resolve(name, false)? };
            let bytes = self.text.as_bytes();
            let tree = &*self.tree;
            let before = tree.attributes.get(first..at).unwrap_or_default();
            let twice = before.iter().any(|known| {
                known.name.local(bytes) == name.local(bytes)
                    && (known.name.prefix == 0) == (name.prefix == 0)
                    && tree.namespace(known.namespace) == tree.namespace(namespace)
            });
            if twice {
                return Err((FaultKind::DuplicateName, name.whole.start as usize));
            }
            if let Some(attribute) = self.tree.attributes.get_mut(at) {
                attribute.namespace = namespace;
            }
        }
        Ok(())
    }

    /// The namespace of a name: that of its prefix, or the default.
    fn resolve(&self, name: Name, defaulted: bool) -> Result<u32, Wrong> {
        let bytes = self.text.as_bytes();
        let prefix = Span {
            start: name.whole.start,
            end: name.whole.start.saturating_add(name.prefix.saturating_sub(1)),
        };
        let prefix = prefix.of(bytes);
        let bound = self.bindings.iter().rev().find(|binding| binding.prefix.of(bytes) == prefix);
        match bound {
            Some(binding) if defaulted || !prefix.is_empty() => Ok(binding.namespace),
            _ if prefix.is_empty() => Ok(NONE),
            None if prefix == b"xml" => Ok(XML_NAMESPACE),
            _ => Err((FaultKind::Malformed(Malformation::Unexpected), name.whole.start as usize)),
        }
    }

    fn end_tag(&mut self) -> Result<(), Wrong> {
        let name = self.name()?;
        self.space();
        if !self.eat(">") {
            return Err(self.unexpected());
        }
        let bytes = self.text.as_bytes();
        let opened = self.tree.element(self.open).map(|element| element.name.whole.of(bytes));
        if opened != Some(name.whole.of(bytes)) {
            return Err((
                FaultKind::Malformed(Malformation::Unexpected),
                name.whole.start as usize,
            ));
        }
        self.close()
    }

    fn close(&mut self) -> Result<(), Wrong> {
        let closed = self.open;
        self.depth = self.depth.saturating_sub(1);
        while self.bindings.last().is_some_and(|binding| binding.element == closed) {
            self.bindings.pop();
        }
        self.open = self.tree.element(closed).map_or(NONE, |element| element.parent);
        // The parent's next text begins here.
        let end = Span::new(0, self.tree.texts.len()).end;
        if let Some(parent) = self.tree.elements.get_mut(self.open as usize) {
            parent.text = Span { start: end, end };
        }
        Ok(())
    }

    fn name(&mut self) -> Result<Name, Wrong> {
        let Some((len, prefix)) = name(self.rest()) else {
            return Err(if self.at >= self.text.len() {
                self.truncated()
            } else {
                self.unexpected()
            });
        };
        if len > self.limits.string as usize {
            return Err((FaultKind::TooLarge(Part::String), self.at));
        }
        let whole = Span::new(self.at, self.at + len);
        self.at += len;
        Ok(Name { whole, prefix: Span::new(prefix, 0).start })
    }

    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn eat(&mut self, mark: &str) -> bool {
        let found = self.rest().starts_with(mark);
        self.at += if found { mark.len() } else { 0 };
        found
    }

    /// Passes over white space; whether there was any.
    fn space(&mut self) -> bool {
        let rest = self.rest();
        let len = rest.bytes().position(|byte| !is_space(byte)).unwrap_or(rest.len());
        self.at += len;
        len > 0
    }

    /// Whether a text of so many bytes may be appended.
    fn grow(&self, len: usize) -> Result<(), Wrong> {
        if len > self.limits.string as usize {
            return Err((FaultKind::TooLarge(Part::String), self.at));
        }
        Ok(())
    }

    fn unexpected(&self) -> Wrong {
        (FaultKind::Malformed(Malformation::Unexpected), self.at)
    }

    fn truncated(&self) -> Wrong {
        (FaultKind::Malformed(Malformation::Truncated), self.text.len())
    }

    fn wrong<T>(&self, what: Malformation) -> Result<T, Wrong> {
        Err((FaultKind::Malformed(what), self.at))
    }
}

/// The value behind `=`, and what follows it.
fn quoted(text: &str) -> Option<(&str, &str)> {
    let space = [' ', '\t', '\r', '\n'];
    let text = text.trim_start_matches(space).strip_prefix('=')?.trim_start_matches(space);
    let quote = text.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    text.get(1..)?.split_once(quote)
}
