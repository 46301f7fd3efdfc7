//! What the text of parameters and forms says: types where text alone has none, and what arrays and
//! objects hold.
//!
//! In: the nodes that judge a value. Out: records that say how to write its JSON text. They may say
//! more than the nodes accept, since the nodes judge what was written; where several nodes can hold,
//! the records say what any of them says.

use super::schema::{Branches, NEVER, Node, NodeId};
use super::tables::Tables;
use portcullis_bundle::layout::{
    self, FIELD_EXPLODE, FIELD_UNSAID, Style, TEXT_LENIENT, TYPE_ALL, TYPE_ARRAY, TYPE_OBJECT,
    TYPE_STRING,
};
use std::collections::{BTreeMap, HashMap};

/// The record of any value.
pub const ANY_TEXT: u32 = 0;
/// The record of a string.
const STRING_TEXT: u32 = 1;

/// How deep compositions are looked into.
const DEPTH: usize = 24;

/// Records at most; what lies beyond is read as any value.
const MAX_VALUES: usize = 1 << 18;

/// A record under construction.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Value {
    types: u8,
    lenient: bool,
    items: u32,
    additional: u32,
    fields: Vec<(String, u32, Manner)>,
}

/// How a field of a form is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Manner {
    /// The style.
    pub style: Style,
    /// `explode`
    pub explode: bool,
    /// The document does not say.
    pub unsaid: bool,
}

impl Default for Manner {
    fn default() -> Self {
        Manner { style: Style::Form, explode: true, unsaid: false }
    }
}

/// What the nodes of one value hold.
#[derive(Clone, Debug, Default)]
pub struct Parts {
    /// Types that one of the nodes accepts.
    pub types: u8,
    /// The nodes of an array's items.
    pub items: Vec<NodeId>,
    /// The nodes of each property.
    pub fields: BTreeMap<String, Vec<NodeId>>,
    /// The nodes of further properties; none where there can be none.
    pub additional: Vec<NodeId>,
}

impl Parts {
    /// Reads the parts of nodes that can all judge one value.
    pub fn of(nodes: &[Node], roots: &[NodeId]) -> Parts {
        let mut parts = Parts::default();
        for root in roots {
            parts.types |= nodes[root.0 as usize].types;
            parts.collect(nodes, *root, DEPTH);
        }
        // A property that one branch declares is a further one to the others.
        let further: Vec<NodeId> = parts.additional.clone();
        for known in parts.fields.values_mut() {
            known.sort_unstable();
            known.dedup();
            if known.iter().all(|id| *id == NEVER) {
                known.extend(&further);
            }
        }
        for list in [&mut parts.items, &mut parts.additional] {
            list.sort_unstable();
            list.dedup();
            list.retain(|id| *id != NEVER);
        }
        parts
    }

    fn collect(&mut self, nodes: &[Node], id: NodeId, depth: usize) {
        if depth == 0 || id == NEVER {
            return;
        }
        let node = &nodes[id.0 as usize];
        if let Some(array) = &node.array {
            self.items.push(array.items);
            self.items.extend(&array.prefix);
        } else if node.compositions.is_empty() && node.types & TYPE_ARRAY != 0 {
            self.items.push(super::schema::ANY);
        }
        if let Some(object) = &node.object {
            for property in &object.properties {
                self.fields.entry(property.name.clone()).or_default().push(property.node);
            }
            self.additional.push(object.additional);
            self.additional.extend(object.patterns.iter().map(|(_, node)| *node));
        } else if node.compositions.is_empty() && node.types & TYPE_OBJECT != 0 {
            self.additional.push(super::schema::ANY);
        }
        for composition in &node.compositions {
            let branches: Vec<NodeId> = match &composition.branches {
                Branches::Plain(_, ids) => ids.clone(),
                Branches::Tagged(_, tags) => tags.iter().map(|(_, id)| *id).collect(),
                Branches::Content(..) => Vec::new(),
                Branches::Types([.., array, object]) => vec![*array, *object],
            };
            branches.into_iter().for_each(|id| self.collect(nodes, id, depth - 1));
        }
    }
}

/// The records of a bundle's text values.
#[derive(Debug)]
pub struct TextValues {
    values: Vec<Value>,
    /// By the nodes that can judge the value.
    memo: HashMap<(Vec<NodeId>, bool), u32>,
    shared: HashMap<Value, u32>,
    open: Vec<(u32, Vec<NodeId>, bool)>,
    /// Something lies beyond what is told apart.
    full: bool,
    /// Records at most.
    pub max: usize,
}

impl Default for TextValues {
    fn default() -> Self {
        let any = Value { types: TYPE_ALL, ..Value::default() };
        let string = Value { types: TYPE_STRING, ..Value::default() };
        TextValues {
            values: vec![any, string],
            memo: HashMap::new(),
            shared: HashMap::new(),
            open: Vec::new(),
            full: false,
            max: MAX_VALUES,
        }
    }
}

impl TextValues {
    /// Whether more was met than is told apart.
    pub fn is_full(&self) -> bool {
        self.full
    }

    /// The record of what a node judges.
    pub fn value(&mut self, nodes: &[Node], root: NodeId, lenient: bool) -> u32 {
        let value = self.of(nodes, vec![root], lenient);
        self.run(nodes);
        value
    }

    /// The record of a form that a node judges; `manner` tells how a field is written, by its name and
    /// the types that it accepts.
    pub fn form(
        &mut self,
        nodes: &[Node],
        root: NodeId,
        lenient: bool,
        mut manner: impl FnMut(&str, &Parts) -> Manner,
    ) -> u32 {
        let parts = Parts::of(nodes, &[root]);
        let mut fields = Vec::new();
        for (name, ids) in &parts.fields {
            let manner = manner(name, &Parts::of(nodes, ids));
            fields.push((name.clone(), self.of(nodes, ids.clone(), lenient), manner));
        }
        let additional = self.of(nodes, parts.additional.clone(), lenient);
        let types = TYPE_OBJECT;
        let value = Value { types, lenient, items: ANY_TEXT, additional, fields };
        self.values.push(value);
        let at = self.values.len() as u32 - 1;
        self.run(nodes);
        at
    }

    fn of(&mut self, nodes: &[Node], mut ids: Vec<NodeId>, lenient: bool) -> u32 {
        ids.sort_unstable();
        ids.dedup();
        ids.retain(|id| *id != NEVER);
        if ids.is_empty() {
            return STRING_TEXT;
        }
        let types = ids.iter().fold(0, |types, id| types | nodes[id.0 as usize].types);
        if types & (TYPE_ARRAY | TYPE_OBJECT) == 0 {
            let plain = Value { types, lenient, ..Value::default() };
            let next = self.values.len() as u32;
            let at = *self.shared.entry(plain.clone()).or_insert(next);
            if at == next {
                self.values.push(plain);
            }
            return at;
        }
        if let Some(known) = self.memo.get(&(ids.clone(), lenient)) {
            return *known;
        }
        if self.values.len() >= self.max {
            self.full = true;
            return ANY_TEXT;
        }
        let at = self.values.len() as u32;
        self.values.push(Value { types, lenient, ..Value::default() });
        self.memo.insert((ids.clone(), lenient), at);
        self.open.push((at, ids, lenient));
        at
    }

    fn run(&mut self, nodes: &[Node]) {
        while let Some((at, ids, lenient)) = self.open.pop() {
            let parts = Parts::of(nodes, &ids);
            let items = self.of(nodes, parts.items, lenient);
            let mut fields = Vec::new();
            for (name, ids) in parts.fields {
                fields.push((name, self.of(nodes, ids, lenient), Manner::default()));
            }
            let additional = self.of(nodes, parts.additional, lenient);
            let value = &mut self.values[at as usize];
            (value.items, value.additional, value.fields) = (items, additional, fields);
        }
    }

    /// Writes all records.
    pub fn write(&self, tables: &mut Tables<'_>) {
        for value in &self.values {
            let fields = tables.sections.text_fields.len() as u32;
            for (name, of, manner) in &value.fields {
                let name = tables.text(name);
                let bits = [(FIELD_EXPLODE, manner.explode), (FIELD_UNSAID, manner.unsaid)];
                let flags = bits.iter().filter(|(_, set)| *set).fold(0, |all, (bit, _)| all | bit);
                tables.sections.text_fields.push(layout::TextField {
                    name,
                    value: (*of).into(),
                    style: manner.style.code(),
                    flags,
                    reserved: 0.into(),
                });
            }
            tables.sections.text_values.push(layout::TextValue {
                fields: fields.into(),
                field_count: (value.fields.len() as u32).into(),
                items: value.items.into(),
                additional: value.additional.into(),
                types: value.types,
                flags: if value.lenient { TEXT_LENIENT } else { 0 },
                reserved: 0.into(),
            });
        }
    }
}
