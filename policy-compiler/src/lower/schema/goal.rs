//! What a node is lowered from: a set of schemas that all apply to the same value, with the
//! choices that were made among their alternatives on the way.

use super::facts::{Facts, referred};
use crate::ir::{SchemaId, Schemas};
use portcullis_bundle::layout::TYPE_ALL;
use std::collections::{BTreeMap, HashSet};

/// `anyOf` or `oneOf` of a schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum UnionKind {
    Any,
    One,
}

/// The schemas that a node stands for. Equal goals become one node, which is what ends recursion.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Goal {
    /// Index into the lowering's profiles.
    pub profile: usize,
    /// Ascending, each once.
    pub roots: Vec<SchemaId>,
    /// The branches left of a union; none left means that the union is settled.
    pub choices: BTreeMap<(SchemaId, UnionKind), Vec<u32>>,
    /// Only values of these types matter.
    pub types: u8,
    /// `null` is accepted whatever the rest says; `types` does not hold it then.
    pub null: bool,
}

impl Goal {
    /// The goal of schemas that apply together.
    pub fn new(profile: usize, roots: impl IntoIterator<Item = SchemaId>) -> Self {
        let mut goal = Goal {
            profile,
            roots: Vec::new(),
            choices: BTreeMap::new(),
            types: TYPE_ALL,
            null: false,
        };
        roots.into_iter().for_each(|root| goal.add(root));
        goal
    }

    /// Adds a schema.
    pub fn add(&mut self, root: SchemaId) {
        if let Err(place) = self.roots.binary_search(&root) {
            self.roots.insert(place, root);
        }
    }

    /// The goal with one union settled by a branch.
    pub fn choosing(&self, union: (SchemaId, UnionKind), branch: SchemaId) -> Goal {
        let mut goal = self.clone();
        goal.choices.insert(union, Vec::new());
        goal.add(branch);
        goal
    }

    /// Every schema that applies: the roots and what they refer to, each once.
    pub fn flatten(&self, schemas: &Schemas) -> Vec<SchemaId> {
        closure(schemas, &self.roots)
    }

    /// Leaves out what does not change the meaning, so that equal goals are found equal.
    pub fn normalise(&mut self, schemas: &Schemas, facts: &mut Facts<'_>) {
        self.roots.retain(|root| !facts.accepts_all(*root));
        let flat = self.flatten(schemas);
        if !self.choices.is_empty() {
            let flat: HashSet<&SchemaId> = flat.iter().collect();
            self.choices.retain(|(owner, _), _| flat.contains(owner));
        }
        let possible = flat.iter().fold(TYPE_ALL, |types, id| types & facts.types(*id));
        if possible & !self.types == 0 && !flat.is_empty() && !self.null {
            self.types = TYPE_ALL;
        }
    }
}

/// The schemas and all that they refer to on the same value in every case, each once, in order.
pub fn closure(schemas: &Schemas, roots: &[SchemaId]) -> Vec<SchemaId> {
    let mut seen = HashSet::new();
    let mut flat = Vec::new();
    let mut open: Vec<SchemaId> = roots.iter().rev().copied().collect();
    while let Some(id) = open.pop() {
        if seen.insert(id) {
            flat.push(id);
            open.extend(referred(&schemas[id]).into_iter().rev());
        }
    }
    flat
}

/// Schemas that apply to the same value as themselves, through whatever keywords.
pub fn cyclic(schemas: &Schemas) -> HashSet<SchemaId> {
    // Tarjan's strongly connected components, with an explicit stack.
    const NEW: u32 = u32::MAX;
    let count = schemas.len();
    let (mut index, mut low) = (vec![NEW; count], vec![0u32; count]);
    let (mut on_stack, mut stack, mut next) = (vec![false; count], Vec::new(), 0);
    let mut found = HashSet::new();
    for start in 0..count {
        let mut work = vec![(start, 0usize)];
        while let Some((at, child)) = work.pop() {
            if child == 0 {
                if index[at] != NEW {
                    continue;
                }
                (index[at], low[at]) = (next, next);
                next += 1;
                stack.push(at);
                on_stack[at] = true;
            }
            let children = in_place(&schemas.0[at]);
            if let Some(to) = children.get(child).map(|to| to.index()) {
                work.push((at, child + 1));
                if index[to] == NEW {
                    work.push((to, 0));
                } else if on_stack[to] {
                    low[at] = low[at].min(index[to]);
                }
                if to == at {
                    found.insert(SchemaId(at as u32));
                }
                continue;
            }
            for to in children.iter().map(|to| to.index()).filter(|to| on_stack[*to]) {
                low[at] = low[at].min(low[to]);
            }
            if low[at] == index[at] {
                let first = stack.iter().rposition(|member| *member == at).unwrap_or(0);
                let members = stack.split_off(first);
                for member in &members {
                    on_stack[*member] = false;
                    if members.len() > 1 {
                        found.insert(SchemaId(*member as u32));
                    }
                }
            }
        }
    }
    found
}

fn in_place(schema: &crate::ir::Schema) -> Vec<SchemaId> {
    let applied = &schema.applied;
    let mut all = referred(schema);
    for list in [&applied.any_of, &applied.one_of].into_iter().flatten() {
        all.extend(&list.value);
    }
    let single = [applied.not, applied.if_, applied.then, applied.else_];
    all.extend(single.into_iter().flatten().map(|one| one.value));
    let dependent = schema.object.dependent_schemas.iter().flat_map(|list| &list.value);
    all.extend(dependent.map(|property| property.schema));
    all
}
