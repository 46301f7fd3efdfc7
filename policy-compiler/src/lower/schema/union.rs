//! Alternatives: what of `anyOf` and `oneOf` can be decided by type or by a tag, so that the
//! engine runs one branch instead of all.
//!
//! A union that is decided takes everything else that applies to the value into its branches; where that
//! would multiply, it stays beside it as a composition of its own. Both mean the same.

use super::Lowering;
use super::facts::own_types;
use super::goal::{Goal, UnionKind};
use super::node::{Branches, Composition, NEVER, Node};
use crate::ir::{At, Discriminator, OneOf, Origin, SchemaId};
use portcullis_bundle::layout::{
    CompositionKind, Keyword, MAX_BRANCHES, TYPE_ALL, TYPE_ARRAY, TYPE_BOOLEAN, TYPE_FRACTION,
    TYPE_INTEGER, TYPE_NULL, TYPE_OBJECT, TYPE_STRING,
};
use std::collections::{BTreeMap, BTreeSet};

/// How many nodes deciding one union may make where everything else goes into its branches.
const MAX_PRODUCT: usize = 4096;

/// The types in the order of a type switch.
const SWITCH: [u8; 6] =
    [TYPE_NULL, TYPE_BOOLEAN, TYPE_INTEGER | TYPE_FRACTION, TYPE_STRING, TYPE_ARRAY, TYPE_OBJECT];

/// A union that is not settled yet.
pub(super) struct Union<'m> {
    pub owner: SchemaId,
    pub kind: UnionKind,
    /// Where the keyword stands.
    pub origin: Origin,
    /// All branches as written.
    pub branches: &'m [SchemaId],
    /// Indexes of those that are left.
    pub live: Vec<u32>,
    /// Exactly one must accept.
    pub exclusive: bool,
    pub discriminator: Option<&'m At<Discriminator>>,
}

impl Union<'_> {
    fn key(&self) -> (SchemaId, UnionKind) {
        (self.owner, self.kind)
    }

    pub fn keyword(&self) -> Keyword {
        match self.kind {
            UnionKind::Any => Keyword::AnyOf,
            UnionKind::One => Keyword::OneOf,
        }
    }

    /// What refuses an unknown tag.
    fn tag_keyword(&self) -> Keyword {
        self.discriminator.map_or(self.keyword(), |_| Keyword::Discriminator)
    }

    fn branch(&self, index: u32) -> SchemaId {
        self.branches[index as usize]
    }
}

/// What to do about a union.
enum Step {
    /// The goal became simpler: begin again.
    Again(Goal),
    /// The value is judged by these branches alone.
    Decided(Branches, Keyword),
    /// It stays a composition beside everything else.
    Stays,
}

impl<'m> Lowering<'m> {
    /// Lowers one goal to a node.
    pub(super) fn build(&mut self, mut goal: Goal) -> Node {
        loop {
            let flat = goal.flatten(&self.model.schemas);
            let mut types = flat
                .iter()
                .map(|id| own_types(&self.model.schemas[*id]))
                .fold(goal.types, |a, b| a & b);
            let mut unions = self.unions(&goal, &flat, types);
            // What no branch accepts is refused by its type.
            let possible = unions.iter().filter(|union| !union.live.is_empty());
            let possible: Vec<u8> = possible.map(|union| self.union_types(union)).collect();
            let narrowed = possible.iter().fold(types, |a, b| a & b);
            if narrowed != types {
                types = narrowed;
                unions = self.unions(&goal, &flat, types);
            }
            let mut next = None;
            // What a union without a branch left refuses by itself is not split any further: its parts would be
            // the goal again.
            let refused = unions.iter().any(|union| union.live.is_empty());
            for union in unions.iter().filter(|_| !refused) {
                match self.step(&goal, &flat, types, union, unions.len()) {
                    Step::Again(simpler) => {
                        self.record_settled(union);
                        next = Some(simpler);
                        break;
                    }
                    Step::Decided(branches, keyword) => {
                        self.record_flat(&goal, &flat);
                        self.record_union(union, &branches);
                        return self.decided(&goal, &flat, types, union, branches, keyword);
                    }
                    Step::Stays => {}
                }
            }
            match next {
                Some(simpler) => goal = simpler,
                None => {
                    self.record_flat(&goal, &flat);
                    return self.base(&goal, &flat, types, &unions);
                }
            }
        }
    }

    fn decided(
        &mut self,
        goal: &Goal,
        flat: &[SchemaId],
        types: u8,
        union: &Union<'m>,
        branches: Branches,
        keyword: Keyword,
    ) -> Node {
        let mut node = Node { types, origin: self.origin_of(flat), ..Node::default() };
        for schema in flat.iter().map(|id| &self.model.schemas[*id]) {
            if let Some(types) = &schema.types {
                node.traces.push((Keyword::Type, types.origin));
            }
        }
        node.traces.extend(self.branch_type(union));
        node.traces.push((union.keyword(), union.origin));
        if let Some(discriminator) = union.discriminator {
            node.traces.push((Keyword::Discriminator, discriminator.origin));
            let tag = &discriminator.value.property.value;
            let lists =
                flat.iter().filter_map(|id| self.model.schemas[*id].object.required.as_ref());
            let asked = lists.filter(|list| list.value.iter().any(|name| name.value == *tag));
            node.traces.extend(asked.map(|list| (Keyword::Required, list.origin)));
        }
        node.compositions.push(Composition::new(keyword, branches));
        self.with_null(goal, node)
    }

    /// The unions of a goal that are not settled, with the branches that can still accept.
    fn unions(&mut self, goal: &Goal, flat: &[SchemaId], types: u8) -> Vec<Union<'m>> {
        let lenient = self.settings(goal).one_of == OneOf::Lenient;
        let mut unions = Vec::new();
        for id in flat {
            let applied = &self.model.schemas[*id].applied;
            let lists = [(UnionKind::One, &applied.one_of), (UnionKind::Any, &applied.any_of)];
            let first = lists.iter().find(|(_, list)| list.is_some()).map(|(kind, _)| *kind);
            for (kind, list) in lists {
                let Some(list) = list else { continue };
                let left = match goal.choices.get(&(*id, kind)) {
                    Some(left) if left.is_empty() => continue,
                    Some(left) => left.clone(),
                    None => (0..list.value.len() as u32).collect(),
                };
                let can = |index: &u32| self.facts.types(list.value[*index as usize]) & types != 0;
                let live = left.into_iter().filter(can).collect();
                unions.push(Union {
                    owner: *id,
                    kind,
                    origin: list.origin,
                    branches: &list.value,
                    live,
                    exclusive: kind == UnionKind::One && !lenient,
                    discriminator: applied.discriminator.as_ref().filter(|_| first == Some(kind)),
                });
            }
        }
        unions
    }

    fn step(
        &mut self,
        goal: &Goal,
        flat: &[SchemaId],
        types: u8,
        union: &Union<'m>,
        unions: usize,
    ) -> Step {
        let accepts_all = |index: &u32| self.facts.accepts_all(union.branch(*index));
        let open = union.live.iter().any(accepts_all);
        match union.live.as_slice() {
            [] => return Step::Stays,
            [only] => return Step::Again(goal.choosing(union.key(), union.branch(*only))),
            _ if open && !union.exclusive => {
                let mut settled = goal.clone();
                settled.choices.insert(union.key(), Vec::new());
                return Step::Again(settled);
            }
            _ => {}
        }
        if let Some(folded) = self.fold_null(goal, flat, types, union) {
            return Step::Again(folded);
        }
        if let Some(step) = self.switch(goal, types, union, unions) {
            return step;
        }
        self.tagged(goal, flat, types, union, unions).unwrap_or(Step::Stays)
    }

    /// Takes a branch that is only `null` out of a union, where everything else accepts `null`.
    fn fold_null(
        &mut self,
        goal: &Goal,
        flat: &[SchemaId],
        types: u8,
        union: &Union<'m>,
    ) -> Option<Goal> {
        if types & TYPE_NULL == 0 {
            return None;
        }
        let of: Vec<u8> =
            union.live.iter().map(|index| self.facts.types(union.branch(*index))).collect();
        let accepting: Vec<u32> = union
            .live
            .iter()
            .copied()
            .filter(|index| self.facts.accepts_null(union.branch(*index)) == Some(true))
            .collect();
        let may_accept = of.iter().filter(|types| **types & TYPE_NULL != 0).count();
        let sure = match union.exclusive {
            true => accepting.len() == 1 && may_accept == 1,
            false => !accepting.is_empty(),
        };
        if !sure || of.iter().all(|types| types & TYPE_NULL == 0) {
            return None;
        }
        // Everything else that applies must accept null too.
        for id in flat {
            if !self.accepts_null_beside(*id, union.key()) {
                return None;
            }
        }
        let left: Vec<u32> = (union.live.iter().zip(&of))
            .filter(|(_, types)| **types & !TYPE_NULL != 0)
            .map(|(index, _)| *index)
            .collect();
        let mut folded = goal.clone();
        folded.null = true;
        folded.types &= !TYPE_NULL;
        if left.is_empty() {
            folded.types = 0;
        }
        folded.choices.insert(union.key(), left);
        Some(folded)
    }

    /// Whether a schema's own keywords, a union aside, accept `null`.
    fn accepts_null_beside(&mut self, id: SchemaId, beside: (SchemaId, UnionKind)) -> bool {
        let schema = &self.model.schemas[id];
        let applied = &schema.applied;
        if own_types(schema) & TYPE_NULL == 0 || applied.not.is_some() || applied.if_.is_some() {
            return false;
        }
        let lists = [(UnionKind::Any, &applied.any_of), (UnionKind::One, &applied.one_of)];
        lists.into_iter().all(|(kind, list)| {
            let Some(list) = list.as_ref().filter(|_| beside != (id, kind)) else { return true };
            let of: Vec<_> = list.value.iter().map(|id| self.facts.accepts_null(*id)).collect();
            match kind {
                UnionKind::Any => of.contains(&Some(true)),
                UnionKind::One => {
                    of.iter().all(Option::is_some)
                        && of.iter().filter(|of| **of == Some(true)).count() == 1
                }
            }
        })
    }

    /// Decides a union by the type of the value, as far as that leads.
    fn switch(&mut self, goal: &Goal, types: u8, union: &Union<'m>, unions: usize) -> Option<Step> {
        let of: Vec<u8> =
            union.live.iter().map(|index| self.facts.types(union.branch(*index))).collect();
        let by_type: Vec<Vec<u32>> = SWITCH
            .iter()
            .map(|bits| {
                let fits = |at: usize| of[at] & bits & types != 0;
                (0..of.len()).filter(|at| fits(*at)).map(|at| union.live[at]).collect()
            })
            .collect();
        let distinct: BTreeSet<&Vec<u32>> = (by_type.iter().zip(SWITCH))
            .filter(|(_, bits)| types & bits != 0)
            .map(|(left, _)| left)
            .collect();
        let single = SWITCH.iter().filter(|bits| types & **bits != 0).count() <= 1;
        if single {
            return None;
        }
        let helps = distinct.len() > 1;
        // Objects among other types: a tag can decide them once they stand alone.
        let isolates = !helps && types & TYPE_OBJECT != 0 && self.tag_values(goal, union).is_some();
        if !helps && !isolates || unions > 8 {
            return None;
        }
        let mut nodes = [NEVER; 6];
        for ((node, bits), left) in nodes.iter_mut().zip(SWITCH).zip(by_type) {
            if types & bits == 0 || left.is_empty() {
                continue;
            }
            let mut child = goal.clone();
            child.null = false;
            child.types &= bits;
            child.choices.insert(union.key(), left);
            *node = self.node(child);
        }
        Some(Step::Decided(Branches::Types(nodes), union.keyword()))
    }

    /// Decides a union of objects by the value of a property.
    fn tagged(
        &mut self,
        goal: &Goal,
        flat: &[SchemaId],
        types: u8,
        union: &Union<'m>,
        unions: usize,
    ) -> Option<Step> {
        if types != TYPE_OBJECT {
            return None;
        }
        let (name, tags) = self.tag_values(goal, union)?;
        let beside: usize = flat
            .iter()
            .filter_map(|id| self.model.schemas[*id].object.properties.as_ref())
            .map(|properties| properties.value.len())
            .sum();
        let product = tags.len() * (1 + beside);
        let keyword = union.tag_keyword();
        if product > MAX_PRODUCT || unions > 3 {
            return None;
        }
        let mut nodes = BTreeMap::new();
        for (value, index) in tags {
            let mut child = goal.choosing(union.key(), union.branch(index));
            child.null = false;
            let node = self.node(child);
            nodes.insert(value, node);
        }
        let branches = Branches::Tagged(name, nodes.into_iter().collect());
        Some(Step::Decided(branches, keyword))
    }

    /// The property that decides between the branches left, and which value chooses which.
    fn tag_values(
        &self,
        goal: &Goal,
        union: &Union<'m>,
    ) -> Option<(String, BTreeMap<String, u32>)> {
        let count = |tags: &BTreeMap<String, u32>| tags.len() <= usize::from(MAX_BRANCHES);
        if let Some(discriminator) = union.discriminator {
            let name = &discriminator.value.property.value;
            let found = self
                .tags_from_values(goal, union, name, Some(&discriminator.value))
                .or_else(|| tags_from_mapping(union, &discriminator.value));
            if let Some(tags) = found.filter(count) {
                return Some((name.clone(), tags));
            }
        }
        let first = union.branch(*union.live.first()?);
        self.facts.tag_names(first).into_iter().find_map(|name| {
            let tags = self.tags_from_values(goal, union, &name, None).filter(count)?;
            Some((name, tags))
        })
    }

    /// Tags from the strings that each branch lets the property be, where no two branches share one.
    fn tags_from_values(
        &self,
        goal: &Goal,
        union: &Union<'m>,
        name: &str,
        discriminator: Option<&Discriminator>,
    ) -> Option<BTreeMap<String, u32>> {
        let required_beside = self.facts.tag(&goal.roots, name).1;
        let mut tags = BTreeMap::new();
        for index in &union.live {
            let (values, required) = self.facts.tag(&[union.branch(*index)], name);
            let told = values.filter(|_| required || required_beside || discriminator.is_some());
            let values: Vec<String> = match (told, discriminator) {
                (Some(values), _) => values.into_iter().collect(),
                (None, Some(discriminator)) => mapped(discriminator, *index),
                (None, None) => return None,
            };
            if values.is_empty() {
                return None;
            }
            for value in values {
                if tags.insert(value, *index).is_some() {
                    return None;
                }
            }
        }
        Some(tags)
    }

    /// Adds `null` to what a node accepts, where its goal says so.
    pub(super) fn with_null(&mut self, goal: &Goal, mut node: Node) -> Node {
        if !goal.null {
            return node;
        }
        let mut harmless = true;
        for composition in &mut node.compositions {
            match &mut composition.branches {
                Branches::Tagged(..) | Branches::Content(..) => {}
                Branches::Types(nodes) => nodes[0] = super::node::ANY,
                Branches::Plain(..) => harmless = false,
            }
        }
        if harmless {
            node.types |= TYPE_NULL;
            if let Some(literals) = &mut node.literals {
                literals.scalars |= portcullis_bundle::layout::LITERAL_NULL;
            }
            return node;
        }
        let outer = Node {
            types: node.types | TYPE_NULL,
            origin: node.origin,
            traces: node.traces.iter().filter(|(k, _)| *k == Keyword::Type).copied().collect(),
            ..Node::default()
        };
        let rest = self.push(node);
        let branches = Branches::Types([super::node::ANY, rest, rest, rest, rest, rest]);
        let switch = Composition::new(Keyword::Type, branches);
        Node { compositions: vec![switch], ..outer }
    }

    /// A union that stays a composition beside everything else.
    pub(super) fn composition(&mut self, goal: &Goal, types: u8, union: &Union<'m>) -> Composition {
        let keyword = union.keyword();
        if union.live.is_empty() {
            let branches = Branches::Plain(CompositionKind::AnyOf, vec![NEVER]);
            return Composition::new(keyword, branches);
        }
        // A discriminator chooses even where the rest could not go into the branches.
        if types == TYPE_OBJECT
            && let Some((name, tags)) = self.tag_values(goal, union)
        {
            let tags = tags
                .into_iter()
                .map(|(value, index)| (value, self.branch_node(goal, union, index)))
                .collect();
            return Composition::new(union.tag_keyword(), Branches::Tagged(name, tags));
        }
        let nodes: Vec<_> =
            union.live.iter().map(|index| self.branch_node(goal, union, *index)).collect();
        let kind = if union.exclusive { CompositionKind::OneOf } else { CompositionKind::AnyOf };
        let named: Vec<SchemaId> = union.live.iter().map(|index| union.branch(*index)).collect();
        let by = union.discriminator.map(|discriminator| &*discriminator.value.property.value);
        let hint = self.facts.hint(&named, by).filter(|_| types & TYPE_OBJECT != 0);
        let hint = hint.map(|(name, tags)| {
            let node = |branch: Option<usize>| branch.map_or(super::node::ANY, |at| nodes[at]);
            (name, tags.into_iter().map(|(value, branch)| (value, node(branch))).collect())
        });
        Composition { keyword, branches: Branches::Plain(kind, nodes), hint }
    }

    fn union_types(&mut self, union: &Union<'m>) -> u8 {
        union.live.iter().fold(0, |types, index| types | self.facts.types(union.branch(*index)))
    }

    /// What refuses a value whose type suits no branch: the first branch does.
    pub(super) fn branch_type(&mut self, union: &Union<'m>) -> Option<(Keyword, Origin)> {
        let branch = union.branch(*union.live.first()?);
        if self.union_types(union) == TYPE_ALL {
            return None;
        }
        let flat = Goal::new(0, [branch]).flatten(&self.model.schemas);
        let types = flat.iter().find_map(|id| self.model.schemas[*id].types);
        types.map(|types| (Keyword::Type, types.origin))
    }

    /// The node of a branch by itself. A union whose owner applies to the same value again is
    /// settled for what is below it, which ends the circle.
    fn branch_node(&mut self, goal: &Goal, union: &Union<'m>, index: u32) -> super::NodeId {
        let goal = self.apart(goal, union.owner, Some(union.kind), union.branch(index));
        self.node(goal)
    }

    /// The goal of a schema that applies to the same value by a composition of `owner`.
    pub(super) fn apart(
        &self,
        goal: &Goal,
        owner: SchemaId,
        kind: Option<UnionKind>,
        branch: SchemaId,
    ) -> Goal {
        let mut apart = Goal::new(goal.profile, [branch]);
        if self.cyclic.contains(&owner) {
            apart.choices = goal.choices.clone();
            apart.choices.retain(|_, left| left.is_empty());
            apart.choices.extend(kind.map(|kind| ((owner, kind), Vec::new())));
        }
        apart.types = TYPE_ALL;
        apart
    }
}

fn mapped(discriminator: &Discriminator, branch: u32) -> Vec<String> {
    let of_branch = discriminator.mapping.iter().filter(|m| m.branch == Some(branch));
    of_branch.map(|m| m.value.clone()).collect()
}

fn tags_from_mapping(
    union: &Union<'_>,
    discriminator: &Discriminator,
) -> Option<BTreeMap<String, u32>> {
    let mut tags: BTreeMap<String, u32> = BTreeMap::new();
    let live: BTreeSet<u32> = union.live.iter().copied().collect();
    // What was written in `mapping` comes first, and stays.
    for mapping in &discriminator.mapping {
        if let Some(branch) = mapping.branch.filter(|branch| live.contains(branch)) {
            tags.entry(mapping.value.clone()).or_insert(branch);
        }
    }
    let chosen: BTreeSet<u32> = tags.values().copied().collect();
    (chosen.len() == union.live.len()).then_some(tags)
}
