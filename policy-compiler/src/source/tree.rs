//! The spanned tree that JSON and YAML files are read into.
//!
//! A tree is an arena: nodes are indexes, children are listed in their parent, and every node knows
//! its parent, so that its JSON pointer can be told. Depth is bounded when the tree is built
//! ([`MAX_DEPTH`]), so that recursion over it is safe.

use std::collections::HashMap;

use crate::ir::{Number, Value};

/// How deep arrays and objects nest at most.
pub const MAX_DEPTH: usize = 128;
/// How many nodes one file has at most, those that YAML aliases expand to included.
pub const MAX_NODES: usize = 2_000_000;

/// Index of a node in its tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub u32);

/// Line and column (in code points), both from 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// Line, from 1.
    pub line: u32,
    /// Column in code points, from 1.
    pub column: u32,
}

/// What a node is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A number, by its text in the file, which YAML may write otherwise than JSON.
    Number(Box<str>),
    /// A string, unescaped.
    String(Box<str>),
    /// Elements.
    Array(Vec<NodeId>),
    /// Members in order, names unique.
    Object(Vec<Member>),
}

impl Kind {
    /// The name of the type, for messages.
    pub fn name(&self) -> &'static str {
        match self {
            Kind::Null => "null",
            Kind::Bool(_) => "a boolean",
            Kind::Number(_) => "a number",
            Kind::String(_) => "a string",
            Kind::Array(_) => "an array",
            Kind::Object(_) => "an object",
        }
    }
}

/// A member of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// The name.
    pub key: Box<str>,
    /// Where the name stands.
    pub position: Position,
    /// The value.
    pub node: NodeId,
}

#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub kind: Kind,
    pub position: Position,
    /// Parent, and the index among its children; the root is its own parent.
    pub parent: NodeId,
    pub slot: u32,
}

/// A file's content.
#[derive(Clone, Debug)]
pub struct Tree {
    pub(super) entries: Vec<Entry>,
    pub(super) root: NodeId,
    /// Slots of the members of large objects, by their names.
    by_name: HashMap<NodeId, Box<[u32]>>,
}

impl Tree {
    /// A tree that holds nothing but `null`.
    pub fn empty() -> Self {
        let (position, parent) = (Position { line: 1, column: 1 }, NodeId(0));
        let entries = vec![Entry { kind: Kind::Null, position, parent, slot: 0 }];
        Self { entries, root: NodeId(0), by_name: HashMap::new() }
    }

    /// The root node.
    pub fn root(&self) -> Node<'_> {
        self.node(self.root)
    }

    /// The node with an id of this tree.
    pub fn node(&self, id: NodeId) -> Node<'_> {
        Node { tree: self, id }
    }

    /// Number of nodes; ids are below it.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is no node; never so.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// All nodes, in no useful order.
    pub fn nodes(&self) -> impl Iterator<Item = Node<'_>> {
        (0..self.entries.len() as u32).map(|i| self.node(NodeId(i)))
    }
}

/// A node in its tree.
#[derive(Clone, Copy, Debug)]
pub struct Node<'a> {
    tree: &'a Tree,
    id: NodeId,
}

impl<'a> Node<'a> {
    /// Its id.
    pub fn id(self) -> NodeId {
        self.id
    }

    fn entry(self) -> &'a Entry {
        &self.tree.entries[self.id.0 as usize]
    }

    /// What it is.
    pub fn kind(self) -> &'a Kind {
        &self.entry().kind
    }

    /// Where its value starts.
    pub fn position(self) -> Position {
        self.entry().position
    }

    /// Where to point for people: at the key, for a member of an object.
    pub fn anchor(self) -> Position {
        let entry = self.entry();
        match self.tree.node(entry.parent).kind() {
            Kind::Object(members) if entry.parent != self.id => {
                members.get(entry.slot as usize).map_or(entry.position, |m| m.position)
            }
            _ => entry.position,
        }
    }

    /// The node that it is a child of.
    pub fn parent(self) -> Option<Node<'a>> {
        let parent = self.entry().parent;
        (parent != self.id).then(|| self.tree.node(parent))
    }

    /// Its token in a JSON pointer: the member's name or the element's index.
    pub fn token(self) -> Option<std::borrow::Cow<'a, str>> {
        let slot = self.entry().slot;
        match self.parent()?.kind() {
            Kind::Object(members) => members.get(slot as usize).map(|m| (&*m.key).into()),
            _ => Some(slot.to_string().into()),
        }
    }

    /// Its JSON pointer (RFC 6901).
    pub fn pointer(self) -> String {
        let mut tokens = Vec::new();
        let mut at = self;
        while let (Some(token), Some(parent)) = (at.token(), at.parent()) {
            tokens.push(token);
            at = parent;
        }
        let mut text = String::new();
        for token in tokens.iter().rev() {
            text.push('/');
            text.push_str(&token.replace('~', "~0").replace('/', "~1"));
        }
        text
    }

    /// The string, where it is one.
    pub fn as_str(self) -> Option<&'a str> {
        match self.kind() {
            Kind::String(text) => Some(text),
            _ => None,
        }
    }

    /// The text of a scalar other than null, as written.
    pub fn as_text(self) -> Option<&'a str> {
        match self.kind() {
            Kind::String(text) | Kind::Number(text) => Some(text),
            Kind::Bool(true) => Some("true"),
            Kind::Bool(false) => Some("false"),
            _ => None,
        }
    }

    /// The boolean, where it is one.
    pub fn as_bool(self) -> Option<bool> {
        match self.kind() {
            Kind::Bool(value) => Some(*value),
            _ => None,
        }
    }

    /// The number in JSON's notation, where it is one.
    pub fn as_number(self) -> Option<Number> {
        match self.kind() {
            Kind::Number(text) => super::scalar::number(text),
            _ => None,
        }
    }

    /// The elements, where it is an array.
    pub fn elements(self) -> Option<impl ExactSizeIterator<Item = Node<'a>>> {
        match self.kind() {
            Kind::Array(items) => Some(items.iter().map(move |id| self.tree.node(*id))),
            _ => None,
        }
    }

    /// The members, where it is an object.
    pub fn members(self) -> Option<impl ExactSizeIterator<Item = (&'a Member, Node<'a>)>> {
        match self.kind() {
            Kind::Object(members) => Some(members.iter().map(move |m| (m, self.tree.node(m.node)))),
            _ => None,
        }
    }

    /// The member of that name, where it is an object that has one.
    pub fn get(self, name: &str) -> Option<Node<'a>> {
        match self.kind() {
            Kind::Object(members) => {
                let member = match self.tree.by_name.get(&self.id) {
                    Some(slots) if members.len() > SMALL_OBJECT => {
                        let key = |slot: &u32| members.get(*slot as usize).map(|m| &*m.key);
                        let at = slots.binary_search_by(|slot| key(slot).cmp(&Some(name)));
                        at.ok().and_then(|at| members.get(slots[at] as usize))
                    }
                    _ => members.iter().find(|m| &*m.key == name),
                };
                member.map(|m| self.tree.node(m.node))
            }
            _ => None,
        }
    }

    /// The child that a token of a JSON pointer leads to.
    pub fn child(self, token: &str) -> Option<Node<'a>> {
        match self.kind() {
            Kind::Object(_) => self.get(token),
            Kind::Array(items) => {
                let plain = token == "0" || !token.starts_with('0');
                let index: usize = token.parse().ok().filter(|_| plain)?;
                items.get(index).map(|id| self.tree.node(*id))
            }
            _ => None,
        }
    }

    /// The value. Numbers that JSON cannot write (an exponent beyond reason) become strings.
    pub fn to_value(self) -> Value {
        match self.kind() {
            Kind::Null => Value::Null,
            Kind::Bool(value) => Value::Bool(*value),
            Kind::Number(text) => match super::scalar::number(text) {
                Some(number) => Value::Number(number),
                None => Value::String(text.to_string()),
            },
            Kind::String(text) => Value::String(text.to_string()),
            Kind::Array(items) => {
                Value::Array(items.iter().map(|id| self.tree.node(*id).to_value()).collect())
            }
            Kind::Object(members) => Value::Object(
                members
                    .iter()
                    .map(|m| (m.key.to_string(), self.tree.node(m.node).to_value()))
                    .collect(),
            ),
        }
    }
}

/// Builds a tree from the outside in: both parsers feed it.
pub(super) struct Builder {
    entries: Vec<Entry>,
    open: Vec<Open>,
    root: Option<NodeId>,
    /// Keys that were named twice: where again, where first.
    pub duplicates: Vec<(Box<str>, Position, Position)>,
}

struct Open {
    node: NodeId,
    key: Option<(Box<str>, Position)>,
    // Names already used; filled once the object is large.
    names: HashMap<Box<str>, u32>,
}

/// Objects up to this size are searched name by name.
const SMALL_OBJECT: usize = 12;

/// Why a node could not be added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Full {
    /// [`MAX_DEPTH`]
    Depth,
    /// [`MAX_NODES`]
    Nodes,
}

impl Builder {
    pub fn new(size_hint: usize) -> Self {
        let entries = Vec::with_capacity(size_hint.min(MAX_NODES));
        Self { entries, open: Vec::new(), root: None, duplicates: Vec::new() }
    }

    pub fn depth(&self) -> usize {
        self.open.len()
    }

    /// Whether the innermost open node is an object that waits for a key.
    pub fn wants_key(&self) -> bool {
        self.open.last().is_some_and(|open| {
            open.key.is_none() && matches!(self.entries[open.node.0 as usize].kind, Kind::Object(_))
        })
    }

    /// Sets the key of the next node.
    pub fn key(&mut self, key: Box<str>, position: Position) {
        if let Some(open) = self.open.last_mut() {
            open.key = Some((key, position));
        }
    }

    /// Takes back the key, so that the object waits for one again.
    pub fn take_key(&mut self) -> Option<(Box<str>, Position)> {
        self.open.last_mut().and_then(|open| open.key.take())
    }

    /// Whether the open object already has a member of that name.
    pub fn has_key(&self, key: &str) -> bool {
        self.open.last().is_some_and(|open| match &self.entries[open.node.0 as usize].kind {
            Kind::Object(members) if members.len() > SMALL_OBJECT => open.names.contains_key(key),
            Kind::Object(members) => members.iter().any(|m| &*m.key == key),
            _ => false,
        })
    }

    /// Adds a node. An array or object is opened: [`Builder::close`] ends it.
    pub fn add(&mut self, kind: Kind, position: Position) -> Result<NodeId, Full> {
        if self.entries.len() >= MAX_NODES {
            return Err(Full::Nodes);
        }
        let opens = matches!(kind, Kind::Array(_) | Kind::Object(_));
        if opens && self.open.len() >= MAX_DEPTH {
            return Err(Full::Depth);
        }
        let id = NodeId(self.entries.len() as u32);
        let (parent, slot) = self.attach(id);
        self.entries.push(Entry { kind, position, parent, slot });
        if opens {
            self.open.push(Open { node: id, key: None, names: Default::default() });
        }
        Ok(id)
    }

    fn attach(&mut self, id: NodeId) -> (NodeId, u32) {
        let Some(open) = self.open.last_mut() else {
            self.root = Some(id);
            return (id, 0);
        };
        match &mut self.entries[open.node.0 as usize].kind {
            Kind::Array(items) => {
                items.push(id);
                (open.node, items.len() as u32 - 1)
            }
            Kind::Object(members) => {
                let (key, position) = open.key.take().unwrap_or_default();
                let slot = members.len() as u32;
                if members.len() == SMALL_OBJECT {
                    let names = members.iter().enumerate();
                    open.names = names.map(|(i, m)| (m.key.clone(), i as u32)).collect();
                }
                let known = if members.len() < SMALL_OBJECT {
                    members.iter().position(|m| m.key == key)
                } else {
                    open.names.get(&key).map(|i| *i as usize)
                };
                if let Some(first) = known {
                    // The first stays; the other is still built, but nothing leads to it.
                    self.duplicates.push((key, position, members[first].position));
                    return (open.node, first as u32);
                }
                if members.len() >= SMALL_OBJECT {
                    open.names.insert(key.clone(), slot);
                }
                members.push(Member { key, position, node: id });
                (open.node, slot)
            }
            _ => (id, 0),
        }
    }

    /// Ends the innermost open array or object.
    pub fn close(&mut self) -> Option<NodeId> {
        self.open.pop().map(|open| open.node)
    }

    /// The kind of a node that was added.
    pub fn kind(&self, id: NodeId) -> &Kind {
        &self.entries[id.0 as usize].kind
    }

    /// Whether a node is still open.
    pub fn is_open(&self, id: NodeId) -> bool {
        self.open.iter().any(|open| open.node == id)
    }

    /// Adds a copy of a closed node and all below it, with the positions of the original.
    pub fn copy(&mut self, from: NodeId) -> Result<(), Full> {
        let Entry { kind, position, .. } = self.entries[from.0 as usize].clone();
        match kind {
            Kind::Array(items) => {
                self.add(Kind::Array(Vec::new()), position)?;
                for item in items {
                    self.copy(item)?;
                }
                self.close();
            }
            Kind::Object(members) => {
                self.add(Kind::Object(Vec::new()), position)?;
                for member in members {
                    self.key(member.key, member.position);
                    self.copy(member.node)?;
                }
                self.close();
            }
            scalar => drop(self.add(scalar, position)?),
        }
        Ok(())
    }

    pub fn finish(self) -> Option<Tree> {
        let root = self.root?;
        let mut by_name = HashMap::new();
        for (id, entry) in (0..).zip(&self.entries) {
            if let Kind::Object(members) = &entry.kind
                && members.len() > SMALL_OBJECT
            {
                let mut slots: Box<[u32]> = (0..members.len() as u32).collect();
                slots.sort_unstable_by_key(|slot| &*members[*slot as usize].key);
                by_name.insert(NodeId(id), slots);
            }
        }
        Some(Tree { entries: self.entries, root, by_name })
    }
}
