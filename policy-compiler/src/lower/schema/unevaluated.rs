//! `unevaluatedProperties` and `unevaluatedItems`: what evaluates the members of a value, and when.
//!
//! In: a schema that has one of the two. Out: for each schema that applies to the same value through
//! it, the members that it evaluates and the branches that must accept for that to count. Where
//! nothing depends on a branch, the keyword is lowered to what closes an object or array otherwise.

use super::Lowering;
use super::base::Names;
use super::goal::{Goal, UnionKind};
use super::node::{ANY, Condition, EvaluatorPart, NEVER, NodeId};
use crate::ir::{Dialect, SchemaId};
use crate::lower::schema::facts::referred;
use portcullis_bundle::layout::MAX_EVALUATORS;
use std::collections::{HashMap, HashSet};

/// Schemas that are looked at for one keyword.
const MAX_STEPS: usize = 4096;

/// Whose members are asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Members {
    Properties,
    Items,
}

/// When something is evaluated.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum When<'m> {
    Accepts(NodeId),
    Refuses(NodeId),
    Present(&'m str),
}

/// What is evaluated under the same conditions.
#[derive(Clone, Debug, Default)]
pub(super) struct Found<'m> {
    when: Vec<When<'m>>,
    all: bool,
    names: Vec<&'m str>,
    patterns: Vec<u32>,
    prefix: u64,
    contains: Option<NodeId>,
}

impl<'m> Found<'m> {
    /// The properties that it evaluates, in the order of the document.
    pub fn names(&self) -> impl Iterator<Item = &'m str> {
        self.names.iter().copied()
    }

    /// The evaluator; `place` gives the index of a property, which it may add.
    pub fn part(self, mut place: impl FnMut(&str) -> usize) -> EvaluatorPart {
        let condition = |when| match when {
            When::Accepts(node) => Condition::Accepts(node),
            When::Refuses(node) => Condition::Refuses(node),
            When::Present(name) => Condition::Present(place(name)),
        };
        EvaluatorPart {
            conditions: self.when.into_iter().map(condition).collect(),
            all: self.all,
            names: self.names.into_iter().map(str::to_owned).collect(),
            patterns: self.patterns,
            prefix: self.prefix,
            contains: self.contains,
        }
    }

    fn is_sure(&self) -> bool {
        self.when.is_empty() && self.contains.is_none()
    }
}

/// What is evaluated whatever the value.
pub(super) enum Sure {
    /// So many items, and no more.
    Prefix(u64),
    /// Everything.
    All,
    /// That depends.
    Open,
}

/// The items that evaluators evaluate, where that is sure.
pub(super) fn sure_prefix(found: &[Found<'_>]) -> Sure {
    if found.iter().any(|of| of.is_sure() && of.all) {
        return Sure::All;
    }
    match found.iter().all(Found::is_sure) {
        true => Sure::Prefix(found.iter().map(|of| of.prefix).max().unwrap_or(0)),
        false => Sure::Open,
    }
}

/// The properties that evaluators evaluate, where that is sure. They have no schema here; `rest` is
/// that of the others.
pub(super) fn sure_names<'m>(found: &[Found<'m>], rest: SchemaId) -> Option<Names<'m>> {
    let mut names =
        Names { properties: HashMap::new(), patterns: Vec::new(), additional: Some(rest) };
    if found.iter().any(|of| of.is_sure() && of.all) {
        names.additional = None;
        return Some(names);
    }
    if !found.iter().all(Found::is_sure) {
        return None;
    }
    for of in found {
        names.properties.extend(of.names.iter().map(|name| (*name, None)));
        names.patterns.extend(of.patterns.iter().map(|automaton| (*automaton, None)));
    }
    Some(names)
}

impl<'m> Lowering<'m> {
    /// What evaluates members for an unevaluated keyword of a schema. Schemas of `sure` must accept
    /// in any case. The error says why that cannot be told.
    pub(super) fn evaluators(
        &mut self,
        goal: &Goal,
        sure: &[SchemaId],
        id: SchemaId,
        members: Members,
    ) -> Result<Vec<Found<'m>>, String> {
        if self.cyclic.contains(&id) {
            return Err("the schema applies to the same value as itself".to_owned());
        }
        let mut found: Vec<Found<'m>> = Vec::new();
        let mut seen = HashSet::new();
        let mut open: Vec<(SchemaId, Vec<When<'m>>)> = vec![(id, Vec::new())];
        let mut steps = 0;
        while let Some((at, when)) = open.pop() {
            if !seen.insert((at, when.clone())) {
                continue;
            }
            steps += 1;
            if steps > MAX_STEPS {
                return Err(format!("more than {MAX_STEPS} ways to evaluate a member"));
            }
            self.own(goal, id, at, members, &when, &mut found)?;
            self.below(goal, sure, at, &when, &mut open);
        }
        if found.len() > MAX_EVALUATORS as usize {
            let reason = format!("more than {MAX_EVALUATORS} alternatives evaluate members");
            return Err(reason);
        }
        Ok(found)
    }

    /// Adds what a schema evaluates by its own keywords.
    fn own(
        &mut self,
        goal: &Goal,
        asking: SchemaId,
        at: SchemaId,
        members: Members,
        when: &[When<'m>],
        found: &mut Vec<Found<'m>>,
    ) -> Result<(), String> {
        let schema = &self.model.schemas[at];
        let mut of = Found { when: when.to_vec(), ..Found::default() };
        let mut contains = None;
        match members {
            Members::Properties => {
                let own = &schema.object;
                let listed = own.properties.iter().flat_map(|list| &list.value);
                of.names.extend(listed.map(|property| property.name.as_str()));
                for property in own.pattern_properties.iter().flat_map(|list| &list.value) {
                    of.patterns.push(self.patterns.automaton_or_reason(&property.name)?);
                }
                of.all = own.additional_properties.is_some()
                    || own.unevaluated_properties.is_some() && at != asking;
            }
            Members::Items => {
                let own = &schema.array;
                of.prefix = own.prefix_items.as_ref().map_or(0, |list| list.value.len() as u64);
                of.all = own.items.is_some() || own.unevaluated_items.is_some() && at != asking;
                // In 2019-09 `contains` evaluates nothing.
                contains = own.contains.filter(|_| schema.dialect != Dialect::Draft2019);
            }
        }
        if let Some(contains) = contains {
            let contains = Some(self.node(Goal::new(goal.profile, [contains.value])));
            found.push(Found { when: when.to_vec(), contains, ..Found::default() });
        }
        if !of.all && of.names.is_empty() && of.patterns.is_empty() && of.prefix == 0 {
            return Ok(());
        }
        match found.iter_mut().find(|known| known.when == of.when && known.contains.is_none()) {
            Some(known) => {
                known.all |= of.all;
                known.prefix = known.prefix.max(of.prefix);
                let held: HashSet<&str> = known.names.iter().copied().collect();
                let names = of.names.into_iter().filter(|name| !held.contains(name));
                known.names.extend(names);
                known.patterns.extend(of.patterns);
            }
            None => found.push(of),
        }
        Ok(())
    }

    /// Adds the schemas that a schema applies to the same value, with when they count.
    fn below(
        &mut self,
        goal: &Goal,
        sure: &[SchemaId],
        at: SchemaId,
        when: &[When<'m>],
        open: &mut Vec<(SchemaId, Vec<When<'m>>)>,
    ) {
        let schema = &self.model.schemas[at];
        let applied = &schema.applied;
        let mut add = |of: SchemaId, also: &[When<'m>]| {
            let mut all = when.to_vec();
            for condition in also.iter().filter(|c| **c != When::Accepts(ANY)) {
                if !all.contains(condition) {
                    all.push(condition.clone());
                }
            }
            if !all.iter().any(|c| matches!(c, When::Accepts(NEVER) | When::Refuses(ANY))) {
                open.push((of, all));
            }
        };
        referred(schema).into_iter().for_each(|of| add(of, &[]));
        let lists = [(UnionKind::Any, &applied.any_of), (UnionKind::One, &applied.one_of)];
        for (kind, list) in lists {
            for branch in list.iter().flat_map(|list| &list.value) {
                if sure.contains(branch) {
                    add(*branch, &[]);
                } else {
                    let node = self.node(self.apart(goal, at, Some(kind), *branch));
                    add(*branch, &[When::Accepts(node)]);
                }
            }
        }
        if let Some(condition) = applied.if_ {
            let node = self.node(self.apart(goal, at, None, condition.value));
            add(condition.value, &[When::Accepts(node)]);
            applied.then.iter().for_each(|then| add(then.value, &[When::Accepts(node)]));
            applied.else_.iter().for_each(|other| add(other.value, &[When::Refuses(node)]));
        }
        for dependent in schema.object.dependent_schemas.iter().flat_map(|list| &list.value) {
            add(dependent.schema, &[When::Present(&dependent.name)]);
        }
    }
}
