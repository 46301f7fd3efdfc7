//! Lowers schemas to a graph of nodes.
//!
//! In: goals, each a set of schemas that apply to one value in one direction. Out: one node for
//! each distinct goal that can be reached, its children by index, nothing inlined. `allOf` and
//! `$ref` are merged by joining sets; what can be decided by type or by a tag is; the rest become
//! compositions, which the engine runs side by side.

mod base;
mod content;
mod facts;
mod goal;
mod jose;
mod keywords;
mod literals;
mod node;
mod number;
mod record;
mod share;
mod unevaluated;
mod union;
mod write;

pub use facts::{Facts, referred, type_bits};
pub use goal::{Goal, closure};
pub use node::*;
pub use share::share;
pub use write::{write_automaton, write_nodes, write_patterns};

use super::pattern::Patterns;
use super::text_value::{Manner, Parts, TextValues};
use crate::ir::{
    Action, AdditionalProperties, Contents, Formats, Model, OneOf, SchemaId, Strictness,
    TextNumbers, UnknownFormats, Unsupported,
};
use crate::report::Recorder;
use std::collections::{HashMap, HashSet, VecDeque};

/// What lowering a schema depends on besides the schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Profile {
    /// What happens to a `readOnly` property.
    pub read_only: Action,
    /// Whether formats are asserted.
    pub formats: Formats,
    /// Whether what strings encode is judged.
    pub content: ContentDepth,
    /// What `oneOf` means.
    pub one_of: OneOf,
    /// What becomes of a pattern that cannot be built.
    pub patterns: Unsupported,
    /// Whether `additionalProperties: false` has no effect.
    pub open_objects: bool,
    /// Whether a format that is not known is an error.
    pub refuse_formats: bool,
    /// Whether text is read as numbers and booleans in the notations of forms.
    pub lenient_text: bool,
}

impl Profile {
    /// For what clients send.
    pub fn request(strictness: &Strictness) -> Self {
        Profile {
            read_only: strictness.read_only_in_requests,
            formats: strictness.formats,
            content: match strictness.content {
                Contents::Assert => ContentDepth::Judged,
                Contents::Annotate => ContentDepth::Annotated,
            },
            one_of: strictness.one_of,
            patterns: strictness.unsupported_patterns,
            open_objects: strictness.additional_properties == AdditionalProperties::Open,
            refuse_formats: strictness.unknown_formats == UnknownFormats::Error,
            lenient_text: strictness.text_numbers == TextNumbers::Lenient,
        }
    }
}

/// Whether what strings encode is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContentDepth {
    /// It is.
    Judged,
    /// Not by the policy.
    Annotated,
    /// Not here, within what a string encodes.
    Within,
}

/// Lowers goals to nodes.
pub struct Lowering<'m> {
    model: &'m Model,
    /// The patterns met so far.
    pub patterns: Patterns,
    /// Patterns that could not be built where the policy asks for an error: place and reason.
    pub refused_patterns: Vec<(crate::ir::Origin, String)>,
    /// Patterns that are left out where the policy lets them: place and reason.
    pub left_out_patterns: Vec<(crate::ir::Origin, String)>,
    /// Keywords about unevaluated members that are left out: place, keyword, reason.
    pub left_out_unevaluated: Vec<(crate::ir::Origin, &'static str, String)>,
    /// The first place whose text holds more than is told apart.
    pub texts_left_out: Option<crate::ir::Origin>,
    /// Formats that are not known where the policy asks for an error: place and name.
    pub refused_formats: Vec<(crate::ir::Origin, String)>,
    facts: Facts<'m>,
    profiles: Vec<Profile>,
    nodes: Vec<Node>,
    memo: HashMap<Goal, NodeId>,
    open: VecDeque<(NodeId, Goal)>,
    /// Schemas that apply to the same value as themselves.
    cyclic: HashSet<SchemaId>,
    /// Whether any schema is marked `readOnly`.
    any_read_only: bool,
    recorder: Recorder,
    recorded: HashSet<(usize, SchemaId)>,
    /// Schemas of what is not judged, with the reason.
    unjudged: Vec<(SchemaId, &'static str)>,
    /// Schemas of what is always refused: no value can violate what they say.
    refused: Vec<SchemaId>,
    unions_seen: HashSet<(SchemaId, goal::UnionKind)>,
    pub texts: TextValues,
    /// What JWTs have in common.
    jwt_header: Option<NodeId>,
}

impl<'m> Lowering<'m> {
    /// Nothing is lowered yet.
    pub fn new(model: &'m Model) -> Self {
        Lowering {
            model,
            patterns: Patterns::default(),
            refused_patterns: Vec::new(),
            left_out_patterns: Vec::new(),
            left_out_unevaluated: Vec::new(),
            texts_left_out: None,
            refused_formats: Vec::new(),
            facts: Facts::new(&model.schemas),
            profiles: Vec::new(),
            nodes: vec![Node::any(), Node::default()],
            memo: HashMap::new(),
            open: VecDeque::new(),
            cyclic: goal::cyclic(&model.schemas),
            any_read_only: model
                .schemas
                .iter()
                .any(|(_, schema)| schema.read_only.is_some_and(|marked| marked.value)),
            recorder: Recorder::default(),
            recorded: HashSet::new(),
            unjudged: Vec::new(),
            refused: Vec::new(),
            unions_seen: HashSet::new(),
            texts: TextValues::default(),
            jwt_header: None,
        }
    }

    /// The index of a profile.
    pub fn profile(&mut self, profile: Profile) -> usize {
        let known = self.profiles.iter().position(|known| *known == profile);
        known.unwrap_or_else(|| {
            self.profiles.push(profile);
            self.profiles.len() - 1
        })
    }

    /// The node of schemas that apply to one value.
    pub fn lower(&mut self, profile: usize, roots: impl IntoIterator<Item = SchemaId>) -> NodeId {
        let node = self.node(Goal::new(profile, roots));
        self.run();
        node
    }

    /// What was lowered: the nodes, the patterns, and what was recorded.
    pub fn finish(mut self) -> (Vec<Node>, Patterns, TextValues, Recorder) {
        self.record_refused();
        self.record_unjudged();
        (self.nodes, self.patterns, self.texts, self.recorder)
    }

    /// What the text of a value says that a node judges: index into text_values.
    pub fn text_value(&mut self, root: NodeId, profile: usize) -> u32 {
        let lenient = self.profiles[profile].lenient_text;
        self.texts.value(&self.nodes, root, lenient)
    }

    /// The same of a form; `manner` tells how a field is written, by its name and what it holds.
    pub fn form_value(
        &mut self,
        root: NodeId,
        profile: usize,
        manner: impl FnMut(&str, &Parts) -> Manner,
    ) -> u32 {
        let lenient = self.profiles[profile].lenient_text;
        self.texts.form(&self.nodes, root, lenient, manner)
    }

    /// Notes the first place whose text has more kinds of parts than are told apart.
    pub fn note_texts(&mut self, origin: crate::ir::Origin) {
        if self.texts.is_full() {
            self.texts_left_out.get_or_insert(origin);
        }
    }

    /// Where statuses of constructs are recorded.
    pub fn recorder(&mut self) -> &mut Recorder {
        &mut self.recorder
    }

    /// What is being lowered.
    pub fn model(&self) -> &'m Model {
        self.model
    }

    /// The nodes so far.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    fn node(&mut self, mut goal: Goal) -> NodeId {
        goal.normalise(&self.model.schemas, &mut self.facts);
        if goal.roots.is_empty() && goal.types == portcullis_bundle::layout::TYPE_ALL {
            return ANY;
        }
        if let Some(known) = self.memo.get(&goal) {
            return *known;
        }
        let id = self.push(Node::any());
        self.memo.insert(goal.clone(), id);
        self.open.push_back((id, goal));
        id
    }

    fn push(&mut self, node: Node) -> NodeId {
        self.nodes.push(node);
        NodeId(self.nodes.len() as u32 - 1)
    }

    fn run(&mut self) {
        while let Some((id, goal)) = self.open.pop_front() {
            let mut node = self.build(goal);
            if node.accepts_all() {
                // Nothing to name: one record serves all of these.
                node = Node::any();
            }
            self.nodes[id.0 as usize] = node;
        }
    }

    fn settings(&self, goal: &Goal) -> Profile {
        self.profiles[goal.profile]
    }
}
