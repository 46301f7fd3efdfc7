//! The graph that schemas are lowered to: one node per schema record, children by id.

use crate::ir::{Decimal, Origin};
use portcullis_bundle::layout::{CompositionKind, ContentEncoding, Format, Keyword, TYPE_ALL};

/// Index of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeId(pub u32);

/// The node that accepts every value.
pub const ANY: NodeId = NodeId(0);
/// The node that refuses every value.
pub const NEVER: NodeId = NodeId(1);

/// What a value must satisfy; becomes one schema record.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Node {
    /// `TYPE_*` bits.
    pub types: u8,
    /// `SCHEMA_*` bits; those that follow from the rest are set when records are written.
    pub flags: u8,
    pub string: Option<StringPart>,
    pub number: Option<NumberPart>,
    pub array: Option<ArrayPart>,
    pub object: Option<ObjectPart>,
    pub literals: Option<Literals>,
    pub compositions: Vec<Composition>,
    /// Where the schema stands.
    pub origin: Option<Origin>,
    /// Where its keywords stand; the first of a keyword is the one to name.
    pub traces: Vec<(Keyword, Origin)>,
}

/// Checks on a string.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct StringPart {
    pub min_length: u64,
    pub max_length: Option<u64>,
    /// Indexes of automata.
    pub patterns: Vec<u32>,
    /// Indexes of character classes.
    pub classes: Vec<u32>,
    pub format: Option<Format>,
    pub encoding: Option<ContentEncoding>,
}

/// One bound of a number.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Bound {
    pub value: Decimal,
    pub exclusive: bool,
}

/// Checks on a number.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct NumberPart {
    pub min: Option<Bound>,
    pub max: Option<Bound>,
    pub multiples: Vec<Decimal>,
}

/// Checks on an array.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ArrayPart {
    pub prefix: Vec<NodeId>,
    pub items: NodeId,
    pub min_items: u64,
    pub max_items: Option<u64>,
    /// The node of counted items, at least and at most so many.
    pub contains: Option<(NodeId, u64, Option<u64>)>,
    pub unique: bool,
    pub unevaluated: Option<UnevaluatedPart>,
}

/// A schema of the members that nothing evaluates, where that depends on how branches fare.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct UnevaluatedPart {
    pub node: NodeId,
    pub evaluators: Vec<EvaluatorPart>,
}

/// What evaluates members where all conditions hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct EvaluatorPart {
    pub conditions: Vec<Condition>,
    /// Every member.
    pub all: bool,
    /// Properties of these names.
    pub names: Vec<String>,
    /// Properties whose names these automata accept.
    pub patterns: Vec<u32>,
    /// The first so many items.
    pub prefix: u64,
    /// Items that satisfy this node.
    pub contains: Option<NodeId>,
}

/// When an evaluator counts.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Condition {
    /// The node accepts the value.
    Accepts(NodeId),
    /// The node refuses the value.
    Refuses(NodeId),
    /// The object has the property: an index into the object's properties.
    Present(usize),
}

impl UnevaluatedPart {
    fn each_child(&mut self, mut each: impl FnMut(&mut NodeId)) {
        each(&mut self.node);
        for evaluator in &mut self.evaluators {
            evaluator.contains.iter_mut().for_each(&mut each);
            for condition in &mut evaluator.conditions {
                match condition {
                    Condition::Accepts(node) | Condition::Refuses(node) => each(node),
                    Condition::Present(_) => {}
                }
            }
        }
    }
}

/// A declared property.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PropertyPart {
    pub name: String,
    pub node: NodeId,
    pub required: bool,
    /// The list that asks for it, where that is not the first of the schemas that were merged.
    pub required_by: Option<Origin>,
    /// Stands here only because something else names it.
    pub implied: bool,
}

/// Checks on an object.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ObjectPart {
    pub properties: Vec<PropertyPart>,
    pub additional: NodeId,
    /// Index of an automaton, and the node of properties whose names it accepts.
    pub patterns: Vec<(u32, NodeId)>,
    pub names: Option<NodeId>,
    pub min_properties: u64,
    pub max_properties: Option<u64>,
    pub dependents: Vec<DependentPart>,
    pub unevaluated: Option<UnevaluatedPart>,
}

/// What the presence of a property requires. Names are indexes into the object's properties.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DependentPart {
    pub property: usize,
    pub required: Option<usize>,
    pub node: Option<NodeId>,
}

/// The scalar values of `enum` or `const`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Literals {
    /// `LITERAL_*` bits.
    pub scalars: u32,
    pub strings: Vec<String>,
    pub numbers: Vec<Decimal>,
}

/// Nodes that apply to the same value.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Composition {
    pub keyword: Keyword,
    pub branches: Branches,
    /// Which branch was meant where none accepts, by the value of a string property; `ANY` where several may be.
    pub hint: Option<Tags>,
}

/// The name of a string property, and a node for each of some values, ascending by bytes.
pub type Tags = (String, Vec<(String, NodeId)>);

impl Composition {
    /// Branches without a hint.
    pub fn new(keyword: Keyword, branches: Branches) -> Self {
        Composition { keyword, branches, hint: None }
    }
}

/// How the nodes of a composition combine.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Branches {
    /// All, any, exactly one, none; `If` has three.
    Plain(CompositionKind, Vec<NodeId>),
    /// By the value of a string property, values ascending by bytes.
    Tagged(String, Vec<(String, NodeId)>),
    /// What a string encodes, which is JSON.
    Content(ContentEncoding, NodeId),
    /// By type: null, boolean, number, string, array, object.
    Types([NodeId; 6]),
}

impl Node {
    /// The node that accepts every value.
    pub fn any() -> Self {
        Node { types: TYPE_ALL, ..Node::default() }
    }

    /// Whether nothing is checked.
    pub fn accepts_all(&self) -> bool {
        self.types == TYPE_ALL
            && self.string.is_none()
            && self.number.is_none()
            && self.array.is_none()
            && self.object.is_none()
            && self.literals.is_none()
            && self.compositions.is_empty()
    }

    /// Calls back with every child, to be read or replaced.
    pub fn each_child(&mut self, mut each: impl FnMut(&mut NodeId)) {
        if let Some(array) = &mut self.array {
            array.prefix.iter_mut().for_each(&mut each);
            each(&mut array.items);
            array.contains.iter_mut().for_each(|(node, ..)| each(node));
            array.unevaluated.iter_mut().for_each(|of| of.each_child(&mut each));
        }
        if let Some(object) = &mut self.object {
            object.properties.iter_mut().for_each(|p| each(&mut p.node));
            each(&mut object.additional);
            object.patterns.iter_mut().for_each(|(_, node)| each(node));
            object.names.iter_mut().for_each(&mut each);
            object.dependents.iter_mut().filter_map(|d| d.node.as_mut()).for_each(&mut each);
            object.unevaluated.iter_mut().for_each(|of| of.each_child(&mut each));
        }
        for composition in &mut self.compositions {
            match &mut composition.branches {
                Branches::Plain(_, nodes) => nodes.iter_mut().for_each(&mut each),
                Branches::Tagged(_, tags) => tags.iter_mut().for_each(|(_, node)| each(node)),
                Branches::Content(_, node) => each(node),
                Branches::Types(nodes) => nodes.iter_mut().for_each(&mut each),
            }
            let hint = composition.hint.iter_mut().flat_map(|(_, tags)| tags);
            hint.for_each(|(_, node)| each(node));
        }
    }
}
