//! The elements of one XML document, in document order, as spans of the body and of its decoded texts.
//!
//! Not a tree of nodes: one array of elements that name each other by index, its length bounded by the
//! limits of the policy. XML needs it where JSON does not: the items of an array may stand anywhere among
//! other children, and the value that they stand for has them together.

/// Stands for no element, no namespace.
pub(super) const NONE: u32 = u32::MAX;

/// Stands for the namespace of the prefix `xml`, which needs no declaration.
pub(super) const XML_NAMESPACE: u32 = NONE - 1;
/// Its name.
pub(super) const XML: &[u8] = b"http://www.w3.org/XML/1998/namespace";

/// A piece of the body or of the decoded texts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Span {
    pub start: u32,
    pub end: u32,
}

impl Span {
    pub fn new(start: usize, end: usize) -> Self {
        // A body is at most 4 GiB: its limit is a u32.
        let place = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        Span { start: place(start), end: place(end) }
    }

    pub fn of(self, bytes: &[u8]) -> &[u8] {
        bytes.get(self.start as usize..self.end as usize).unwrap_or_default()
    }
}

/// A name as sent, and where its local part begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Name {
    /// The qualified name in the body.
    pub whole: Span,
    /// Bytes of the prefix and its colon.
    pub prefix: u32,
}

impl Name {
    /// The name without its prefix.
    pub fn local(self, body: &[u8]) -> &[u8] {
        Span { start: self.whole.start.saturating_add(self.prefix), end: self.whole.end }.of(body)
    }
}

/// An element.
#[derive(Clone, Copy, Debug)]
pub(super) struct Element {
    pub name: Name,
    /// Index into the namespaces, or `NONE`.
    pub namespace: u32,
    pub parent: u32,
    pub first_child: u32,
    pub last_child: u32,
    pub next: u32,
    /// First of its attributes, and how many.
    pub attributes: u32,
    pub attribute_count: u32,
    /// Its text, decoded, where it has no child elements.
    pub text: Span,
    /// Both text and child elements.
    pub mixed: bool,
    /// The pass of the writer that has written it.
    pub written: u8,
}

/// An attribute, other than a namespace declaration.
#[derive(Clone, Copy, Debug)]
pub(super) struct Attribute {
    pub name: Name,
    /// Index into the namespaces, or `NONE`; an attribute without prefix has none.
    pub namespace: u32,
    /// Its value, decoded.
    pub value: Span,
}

/// What was read of a document.
#[derive(Debug, Default)]
pub(super) struct Tree {
    pub elements: Vec<Element>,
    pub attributes: Vec<Attribute>,
    /// Namespace names, as spans of the texts; one for each declaration.
    pub namespaces: Vec<Span>,
    /// Decoded texts, attribute values and namespace names.
    pub texts: Vec<u8>,
}

impl Tree {
    pub fn clear(&mut self) {
        self.elements.clear();
        self.attributes.clear();
        self.namespaces.clear();
        self.texts.clear();
    }

    /// Gives memory back, down to `kept` bytes of each part.
    pub fn trim(&mut self, kept: usize) {
        self.clear();
        self.elements.shrink_to(kept / size_of::<Element>());
        self.attributes.shrink_to(kept / size_of::<Attribute>());
        self.namespaces.shrink_to(kept / size_of::<Span>());
        self.texts.shrink_to(kept);
    }

    pub fn element(&self, index: u32) -> Option<&Element> {
        self.elements.get(index as usize)
    }

    /// The name of a namespace; empty for none.
    pub fn namespace(&self, index: u32) -> &[u8] {
        match self.namespaces.get(index as usize) {
            Some(span) => span.of(&self.texts),
            None if index == XML_NAMESPACE => XML,
            None => b"",
        }
    }

    pub fn attributes_of(&self, element: &Element) -> &[Attribute] {
        crate::access::slice(&self.attributes, element.attributes, element.attribute_count)
    }

    /// Puts an element behind the children of its parent; gives its index.
    pub fn push(&mut self, element: Element) -> u32 {
        let index = u32::try_from(self.elements.len()).unwrap_or(NONE);
        if let Some(parent) = self.elements.get_mut(element.parent as usize) {
            let before = parent.last_child;
            parent.last_child = index;
            if parent.first_child == NONE {
                parent.first_child = index;
            }
            if let Some(before) = self.elements.get_mut(before as usize) {
                before.next = index;
            }
        }
        self.elements.push(element);
        index
    }
}
