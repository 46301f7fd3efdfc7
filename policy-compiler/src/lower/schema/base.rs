//! Everything that applies to a value in every case, merged part by part, and the compositions
//! beside it.

use super::facts::declared_types;
use super::goal::{Goal, closure};
use super::keywords::members;
use super::node::{
    ANY, ArrayPart, Branches, Composition, DependentPart, Node, NodeId, ObjectPart, PropertyPart,
    StringPart, UnevaluatedPart,
};
use super::number::numbers;
use super::unevaluated::{Found, Members, Sure, sure_names, sure_prefix};
use super::union::Union;
use super::{Lowering, record::string_format};
use crate::ir::{Action, At, Dialect, Formats, Origin, Property, Schema, SchemaId, Type};
use crate::lower::pattern::Pattern;
use portcullis_bundle::layout::{
    CompositionKind, Keyword, SCHEMA_INTEGER_LEXICAL, SCHEMA_SENSITIVE, TYPE_ALL, TYPE_ARRAY,
    TYPE_FRACTION, TYPE_INTEGER, TYPE_OBJECT, TYPE_STRING,
};
use std::collections::{HashMap, HashSet};

/// What one schema says of the properties of an object: the ones it names, patterns, the rest.
pub(super) struct Names<'m> {
    pub properties: HashMap<&'m str, Option<SchemaId>>,
    /// Index of an automaton, and the schema.
    pub patterns: Vec<(u32, Option<SchemaId>)>,
    pub additional: Option<SchemaId>,
}

/// What several schemas say of the properties of one object.
struct Group<'g, 'm> {
    of: &'g [Names<'m>],
    /// Which of them name a property.
    naming: HashMap<&'m str, Vec<usize>>,
    /// Those that say something of properties which they do not name.
    general: Vec<usize>,
}

impl<'g, 'm> Group<'g, 'm> {
    fn new(of: &'g [Names<'m>]) -> Self {
        let mut naming: HashMap<&'m str, Vec<usize>> = HashMap::new();
        for (at, names) in of.iter().enumerate() {
            names.properties.keys().for_each(|name| naming.entry(name).or_default().push(at));
        }
        let general = |names: &Names<'_>| names.additional.is_some() || !names.patterns.is_empty();
        let general = (0..of.len()).filter(|at| general(&of[*at])).collect();
        Group { of, naming, general }
    }

    fn naming(&self, name: &str) -> &[usize] {
        self.naming.get(name).map_or(&[], Vec::as_slice)
    }
}

/// The properties of an object under construction, by their names.
#[derive(Default)]
struct Places(HashMap<String, usize>);

impl Places {
    fn of(part: &ObjectPart) -> Self {
        Places(part.properties.iter().enumerate().map(|(at, p)| (p.name.clone(), at)).collect())
    }
}

impl<'m> Lowering<'m> {
    /// Lowers what is left of a goal once its unions are settled or stay beside it.
    pub(super) fn base(
        &mut self,
        goal: &Goal,
        flat: &[SchemaId],
        types: u8,
        unions: &[Union<'m>],
    ) -> Node {
        let schemas: Vec<&'m Schema> = flat.iter().map(|id| &self.model.schemas[*id]).collect();
        // A value that `enum` or `const` refuses is told so, whatever its type.
        let listed = schemas.iter().any(|s| s.enumeration.is_some() || s.constant.is_some());
        let declared = schemas.iter().fold(goal.types, |types, of| types & declared_types(of));
        let told = if listed { declared } else { types };
        let mut node = Node { types: told, origin: self.origin_of(flat), ..Node::default() };
        for schema in &schemas {
            let keywords = [
                (Keyword::Type, schema.types.map(|t| t.origin)),
                (Keyword::Enum, schema.enumeration.as_ref().map(|e| e.origin)),
                (Keyword::Const, schema.constant.as_ref().map(|c| c.origin)),
            ];
            let written = keywords.into_iter().filter_map(|(k, origin)| Some((k, origin?)));
            node.traces.extend(written);
            let integer = schema.types.is_some_and(|types| types.value.contains(Type::Integer));
            if integer && schema.dialect == Dialect::Draft4 {
                node.flags |= SCHEMA_INTEGER_LEXICAL;
            }
            let secret = schema.string.format.as_ref().is_some_and(|f| f.value == "password");
            if secret || schema.write_only.is_some_and(|w| w.value) {
                node.flags |= SCHEMA_SENSITIVE;
            }
        }
        let asserted = self.settings(goal).formats == Formats::Assert;
        if types & TYPE_STRING != 0 {
            self.strings(goal, &mut node, &schemas);
        }
        if types & (TYPE_INTEGER | TYPE_FRACTION) != 0 {
            numbers(&mut node, &schemas, asserted);
        }
        if types & TYPE_ARRAY != 0 {
            self.arrays(goal, &mut node, flat, &schemas);
        }
        if types & TYPE_OBJECT != 0 {
            self.objects(goal, &mut node, flat);
        }
        self.literals(&mut node, flat, types);
        // No member of a value gets to these: the value's type is refused wherever the schemas apply.
        let stated = schemas.iter().fold(TYPE_ALL, |types, of| types & declared_types(of));
        self.refused.extend(schemas.iter().flat_map(|schema| members(schema, !stated)));
        for union in unions {
            node.traces.extend(self.branch_type(union));
            node.traces.push((union.keyword(), union.origin));
            let composition = self.composition(goal, types, union);
            self.record_union(union, &composition.branches);
            if let Branches::Tagged(..) = composition.branches
                && let Some(discriminator) = union.discriminator
            {
                node.traces.push((Keyword::Discriminator, discriminator.origin));
            }
            node.compositions.push(composition);
        }
        for id in flat {
            self.not_and_if(goal, &mut node, *id);
        }
        if node.types == 0 {
            // What refuses everything is told by who holds it.
            node = Node::default();
        }
        self.with_null(goal, node)
    }

    /// Where a node stands: its first schema.
    pub(super) fn origin_of(&self, flat: &[SchemaId]) -> Option<Origin> {
        flat.first().map(|id| self.model.schemas[*id].origin)
    }

    fn not_and_if(&mut self, goal: &Goal, node: &mut Node, id: SchemaId) {
        let applied = &self.model.schemas[id].applied;
        if let Some(not) = applied.not {
            let branch = self.apart(goal, id, None, not.value);
            let branches = Branches::Plain(CompositionKind::Not, vec![self.node(branch)]);
            node.compositions.push(Composition::new(Keyword::Not, branches));
            node.traces.push((Keyword::Not, not.origin));
        }
        let Some(condition) = applied.if_ else { return };
        if applied.then.is_none() && applied.else_.is_none() {
            return;
        }
        let branches = [Some(condition), applied.then, applied.else_]
            .map(|branch| branch.map(|branch| self.apart(goal, id, None, branch.value)))
            .map(|goal| goal.map_or(ANY, |goal| self.node(goal)))
            .to_vec();
        let branches = Branches::Plain(CompositionKind::If, branches);
        node.compositions.push(Composition::new(Keyword::If, branches));
        let written = [
            (Keyword::If, Some(condition)),
            (Keyword::Then, applied.then),
            (Keyword::Else, applied.else_),
        ];
        let written = written.into_iter().filter_map(|(k, at)| Some((k, at?.origin)));
        node.traces.extend(written);
    }

    fn strings(&mut self, goal: &Goal, node: &mut Node, schemas: &[&'m Schema]) {
        let mut part = StringPart::default();
        let (mut min_at, mut max_at) = (None, None);
        let mut patterns = Vec::new();
        for schema in schemas {
            let of = &schema.string;
            if let Some(min) = of.min_length.filter(|min| min.value > part.min_length) {
                (part.min_length, min_at) = (min.value, Some(min.origin));
            }
            let tighter = |max: u64| part.max_length.is_none_or(|known| max < known);
            if let Some(max) = of.max_length.filter(|max| tighter(max.value)) {
                (part.max_length, max_at) = (Some(max.value), Some(max.origin));
            }
            if let Some(pattern) = &of.pattern {
                node.traces.push((Keyword::Pattern, pattern.origin));
                patterns.push(self.patterns.get(&pattern.value).clone());
            }
        }
        for pattern in patterns {
            match pattern {
                Pattern::Everything | Pattern::Unsupported(_) => {}
                Pattern::Automaton(index) => part.patterns.push(index),
                Pattern::Class { class, min, max } => {
                    part.classes.push(class);
                    // The length is part of the pattern, but is found wrong as a length.
                    if min > part.min_length {
                        (part.min_length, min_at) = (min, None);
                    }
                    if let Some(max) = max.filter(|max| part.max_length.is_none_or(|k| *max < k)) {
                        (part.max_length, max_at) = (Some(max), None);
                    }
                }
            }
        }
        let (mut automata, mut classes) = (HashSet::new(), HashSet::new());
        part.patterns.retain(|index| automata.insert(*index));
        part.classes.retain(|index| classes.insert(*index));
        if part.min_length > 0 {
            node.traces.extend(min_at.map(|at| (Keyword::MinLength, at)));
        }
        if part.max_length.is_some() {
            node.traces.extend(max_at.map(|at| (Keyword::MaxLength, at)));
        }
        self.contents(goal, node, &mut part, schemas);
        if self.settings(goal).formats == Formats::Assert {
            for schema in schemas {
                let Some(written) = &schema.string.format else { continue };
                let Some(format) = string_format(&written.value) else { continue };
                node.traces.push((Keyword::Format, written.origin));
                if part.format.is_none_or(|known| known == format) {
                    part.format = Some(format);
                    continue;
                }
                let string = Some(StringPart { format: Some(format), ..StringPart::default() });
                let traces = vec![(Keyword::Format, written.origin)];
                let node_of = Node { string, traces, origin: Some(schema.origin), ..Node::any() };
                self.beside(node, node_of);
            }
        }
        if part != StringPart::default() {
            node.string = Some(part);
        }
    }

    /// Adds a node that applies to the same value, for what one record cannot hold twice.
    pub(super) fn beside(&mut self, node: &mut Node, beside: Node) {
        let beside = self.push(beside);
        let all_of = |c: &&mut Composition| c.keyword == Keyword::AllOf;
        if let Some(Composition { branches: Branches::Plain(_, nodes), .. }) =
            node.compositions.iter_mut().find(all_of)
        {
            nodes.push(beside);
            return;
        }
        let branches = Branches::Plain(CompositionKind::AllOf, vec![beside]);
        node.compositions.push(Composition::new(Keyword::AllOf, branches));
    }

    fn arrays(&mut self, goal: &Goal, node: &mut Node, flat: &[SchemaId], schemas: &[&'m Schema]) {
        let mut items = Goal::new(goal.profile, []);
        let mut prefix: Vec<Goal> = Vec::new();
        let mut part = ArrayPart {
            prefix: Vec::new(),
            items: ANY,
            min_items: 0,
            max_items: None,
            contains: None,
            unique: false,
            unevaluated: None,
        };
        let mut bounds = Vec::new();
        let mut apart = Vec::new();
        let mut closed: Vec<(usize, SchemaId)> = Vec::new();
        for (id, schema) in flat.iter().zip(schemas) {
            let Some(unevaluated) = schema.array.unevaluated_items else { continue };
            let found = self.evaluators(goal, flat, *id, Members::Items);
            let Ok(found) = found else { continue };
            node.traces.push((Keyword::UnevaluatedItems, unevaluated.origin));
            match sure_prefix(&found) {
                Sure::Prefix(places) => {
                    node.traces.push((Keyword::Items, unevaluated.origin));
                    closed.push((places as usize, unevaluated.value));
                }
                Sure::All => {}
                Sure::Open => apart.push((found, *id, unevaluated)),
            }
        }
        let places = schemas.iter().filter_map(|s| s.array.prefix_items.as_ref());
        let places = places.map(|list| list.value.len()).chain(closed.iter().map(|(at, _)| *at));
        prefix.resize(places.max().unwrap_or(0), Goal::new(goal.profile, []));
        for (from, rest) in closed {
            prefix.iter_mut().skip(from).for_each(|place| place.add(rest));
            items.add(rest);
        }
        for schema in schemas {
            let of = &schema.array;
            let own = of.prefix_items.as_ref().map_or(&[][..], |list| &list.value);
            for (at, place) in prefix.iter_mut().enumerate() {
                let schema = own.get(at).copied().or(of.items.map(|items| items.value));
                schema.into_iter().for_each(|schema| place.add(schema));
            }
            of.items.iter().for_each(|rest| items.add(rest.value));
            if let Some(min) = of.min_items.filter(|min| min.value > part.min_items) {
                part.min_items = min.value;
                rename(&mut bounds, Keyword::MinItems, min.origin);
            }
            let tighter = |max: u64| part.max_items.is_none_or(|known| max < known);
            if let Some(max) = of.max_items.filter(|max| tighter(max.value)) {
                part.max_items = Some(max.value);
                rename(&mut bounds, Keyword::MaxItems, max.origin);
            }
            if let Some(unique) = of.unique_items.filter(|unique| unique.value) {
                part.unique = true;
                node.traces.push((Keyword::UniqueItems, unique.origin));
            }
            let written = [
                (Keyword::Items, of.items.map(|at| at.origin)),
                (Keyword::PrefixItems, of.prefix_items.as_ref().map(|at| at.origin)),
                (Keyword::Contains, of.contains.map(|at| at.origin)),
                (Keyword::MinContains, of.min_contains.map(|at| at.origin)),
                (Keyword::MaxContains, of.max_contains.map(|at| at.origin)),
            ];
            let written: Vec<_> =
                written.into_iter().filter_map(|(k, origin)| Some((k, origin?))).collect();
            if let Some(contains) = of.contains {
                let counted = self.node(Goal::new(goal.profile, [contains.value]));
                let min = of.min_contains.map_or(1, |min| min.value);
                let counts = (counted, min, of.max_contains.map(|max| max.value));
                if part.contains.is_some() {
                    let array = ArrayPart { contains: Some(counts), ..ArrayPart::open() };
                    let traces = written.clone();
                    let origin = Some(schema.origin);
                    let second = Node { array: Some(array), traces, origin, ..Node::any() };
                    self.beside(node, second);
                } else {
                    part.contains = Some(counts);
                }
            }
            node.traces.extend(written);
        }
        node.traces.extend(bounds);
        part.items = self.node(items);
        part.prefix = prefix.into_iter().map(|place| self.node(place)).collect();
        for (found, id, unevaluated) in apart {
            let rest = self.node(Goal::new(goal.profile, [unevaluated.value]));
            let of = found.into_iter().map(|found| found.part(|_| 0)).collect();
            let of = Some(UnevaluatedPart { node: rest, evaluators: of });
            if part.unevaluated.is_none() {
                part.unevaluated = of;
                continue;
            }
            let array = ArrayPart { unevaluated: of, ..ArrayPart::open() };
            let traces = vec![(Keyword::UnevaluatedItems, unevaluated.origin)];
            let origin = Some(self.model.schemas[id].origin);
            self.beside(node, Node { array: Some(array), traces, origin, ..Node::any() });
        }
        if part != ArrayPart::open() {
            node.array = Some(part);
        }
    }

    fn objects(&mut self, goal: &Goal, node: &mut Node, flat: &[SchemaId]) {
        let mut part = ObjectPart::open();
        let mut names: Vec<Names<'m>> = Vec::new();
        let mut order: Vec<&'m str> = Vec::new();
        let mut ordered: HashSet<&'m str> = HashSet::new();
        let mut key_goal = Goal::new(goal.profile, []);
        let mut dynamic = Vec::new();
        let mut bounds = Vec::new();
        let mut evaluated_names = Vec::new();
        for id in flat {
            let schema = &self.model.schemas[*id];
            let of = &schema.object;
            let open = self.settings(goal).open_objects;
            names.push(self.names_of(schema, open));
            let listed = of.properties.iter().flat_map(|p| &p.value).map(|p| p.name.as_str());
            order.extend(listed.filter(|name| ordered.insert(name)));
            if let Some(min) = of.min_properties.filter(|min| min.value > part.min_properties) {
                part.min_properties = min.value;
                rename(&mut bounds, Keyword::MinProperties, min.origin);
            }
            let tighter = |max: u64| part.max_properties.is_none_or(|known| max < known);
            if let Some(max) = of.max_properties.filter(|max| tighter(max.value)) {
                part.max_properties = Some(max.value);
                rename(&mut bounds, Keyword::MaxProperties, max.origin);
            }
            of.property_names.iter().for_each(|keys| key_goal.add(keys.value));
            if let Some(unevaluated) = of.unevaluated_properties
                && let Ok(found) = self.evaluators(goal, flat, *id, Members::Properties)
            {
                match sure_names(&found, unevaluated.value) {
                    Some(evaluated) => {
                        names.push(evaluated);
                        // Those of branches that always count, which are no part of what applies here.
                        evaluated_names.extend(found.iter().flat_map(Found::names));
                        node.traces.push((Keyword::AdditionalProperties, unevaluated.origin));
                    }
                    None => dynamic.push((found, *id, unevaluated)),
                }
                node.traces.push((Keyword::UnevaluatedProperties, unevaluated.origin));
            }
            let written = [
                (Keyword::Properties, of.properties.as_ref().map(|at| at.origin)),
                (Keyword::Required, of.required.as_ref().map(|at| at.origin)),
                (Keyword::AdditionalProperties, of.additional_properties.map(|at| at.origin)),
                (Keyword::PatternProperties, of.pattern_properties.as_ref().map(|at| at.origin)),
                (Keyword::PropertyNames, of.property_names.map(|at| at.origin)),
                (Keyword::DependentRequired, of.dependent_required.as_ref().map(|at| at.origin)),
                (Keyword::DependentSchemas, of.dependent_schemas.as_ref().map(|at| at.origin)),
            ];
            node.traces.extend(written.into_iter().filter_map(|(k, at)| Some((k, at?))));
        }
        node.traces.extend(bounds);
        order.extend(evaluated_names.into_iter().filter(|name| ordered.insert(name)));
        // One record holds the patterns of one schema, or of several that leave the rest alone.
        let patterned = names.iter().filter(|n| !n.patterns.is_empty()).count();
        let closing = names.iter().filter(|n| n.additional.is_some()).count();
        let apart = if patterned > 1 && closing > 0 { 1 } else { names.len().max(1) };
        let mut parts = Vec::new();
        for (at, group) in names.chunks(apart).enumerate() {
            let mut object = if at == 0 { part.clone() } else { ObjectPart::open() };
            self.properties(goal, &mut object, &Group::new(group), &order);
            parts.push(object);
        }
        let mut parts = parts.into_iter();
        part = parts.next().unwrap_or_else(ObjectPart::open);
        let all = Group::new(&names);
        let mut places = Places::of(&part);
        self.required(goal, &mut part, &mut places, flat, &all);
        self.dependents(goal, &mut part, &mut places, flat, &all);
        let mut waiting = Vec::new();
        for (found, id, unevaluated) in dynamic {
            let mut of = ObjectPart::open();
            let mut places_of = Places::default();
            let first = part.unevaluated.is_none();
            let object = if first { &mut part } else { &mut of };
            let places = if first { &mut places } else { &mut places_of };
            let node = self.node(Goal::new(goal.profile, [unevaluated.value]));
            let known = if first { &all } else { &Group::new(&[]) };
            let mut evaluators = Vec::new();
            for found in found {
                let place = |name: &str| self.place_of(goal, object, places, known, name);
                evaluators.push(found.part(place));
            }
            object.unevaluated = Some(UnevaluatedPart { node, evaluators });
            if !first {
                waiting.push((of, id, unevaluated.origin));
            }
        }
        if !key_goal.roots.is_empty() {
            part.names = Some(self.node(key_goal)).filter(|keys| *keys != ANY);
        }
        if part != ObjectPart::open() {
            node.object = Some(part);
        }
        for (object, id, at) in waiting {
            let traces = vec![(Keyword::UnevaluatedProperties, at)];
            let origin = Some(self.model.schemas[id].origin);
            self.beside(node, Node { object: Some(object), traces, origin, ..Node::any() });
        }
        for object in parts.filter(|object| *object != ObjectPart::open()) {
            let (traces, origin) = (node.traces.clone(), node.origin);
            self.beside(node, Node { object: Some(object), traces, origin, ..Node::any() });
        }
    }

    /// `open` lets further properties pass where `additionalProperties` is `false`.
    fn names_of(&mut self, schema: &'m Schema, open: bool) -> Names<'m> {
        let of = &schema.object;
        let pair = |p: &'m Property| (p.name.as_str(), Some(p.schema));
        let properties = of.properties.iter().flat_map(|p| &p.value).map(pair).collect();
        let mut patterns = Vec::new();
        for property in of.pattern_properties.iter().flat_map(|p| &p.value) {
            match self.patterns.automaton(&property.name) {
                Some(index) => patterns.push((index, Some(property.schema))),
                // Names that the pattern matches must not be taken for additional ones.
                None => return Names { properties, patterns: Vec::new(), additional: None },
            }
        }
        let schemas = &self.model.schemas;
        let additional = of.additional_properties.map(|at| at.value);
        let additional = additional.filter(|id| !open || schemas[*id].boolean != Some(false));
        Names { properties, patterns, additional }
    }

    fn properties(
        &mut self,
        goal: &Goal,
        part: &mut ObjectPart,
        group: &Group<'_, 'm>,
        order: &[&'m str],
    ) {
        for name in order {
            if group.naming.contains_key(name) {
                let node = self.property(goal, group, name);
                let name = (*name).to_owned();
                part.properties.push(PropertyPart {
                    name,
                    node,
                    required: false,
                    required_by: None,
                    implied: false,
                });
            }
        }
        let mut rest = Goal::new(goal.profile, []);
        group.of.iter().filter_map(|names| names.additional).for_each(|schema| rest.add(schema));
        for (at, names) in group.of.iter().enumerate() {
            for (automaton, schema) in &names.patterns {
                let mut matching = Goal::new(goal.profile, *schema);
                let others = group.of.iter().enumerate().filter(|(other, _)| *other != at);
                let others = others.filter_map(|(_, names)| names.additional);
                others.for_each(|schema| matching.add(schema));
                let node = self.node(matching);
                part.patterns.push((*automaton, node));
            }
        }
        part.additional = self.node(rest);
    }

    /// The schemas that apply to a property of that name.
    fn property_goal(&self, goal: &Goal, group: &Group<'_, 'm>, name: &str) -> Goal {
        let mut all = Goal::new(goal.profile, []);
        for names in group.naming(name).iter().map(|at| &group.of[*at]) {
            let schema = names.properties.get(name).into_iter().flatten();
            schema.for_each(|schema| all.add(*schema));
        }
        for names in group.general.iter().map(|at| &group.of[*at]) {
            let mut known = names.properties.contains_key(name);
            for (automaton, schema) in &names.patterns {
                if self.patterns.matches(*automaton, name) {
                    known = true;
                    schema.iter().for_each(|schema| all.add(*schema));
                }
            }
            if !known {
                names.additional.iter().for_each(|schema| all.add(*schema));
            }
        }
        all
    }

    fn property(&mut self, goal: &Goal, group: &Group<'_, 'm>, name: &str) -> NodeId {
        let all = self.property_goal(goal, group, name);
        match self.read_only(&all) {
            Some(marked) if self.settings(goal).read_only == Action::Block => {
                self.refused.extend(&all.roots);
                let traces = vec![(Keyword::ReadOnly, marked.origin)];
                self.push(Node { origin: Some(marked.origin), traces, ..Node::default() })
            }
            _ => self.closed(&all).unwrap_or_else(|| self.node(all)),
        }
    }

    /// The node of a property that a schema beside the one that declares it refuses.
    fn closed(&mut self, all: &Goal) -> Option<NodeId> {
        let schemas = &self.model.schemas;
        let closing = all.roots.iter().find(|id| schemas[**id].boolean == Some(false));
        let closing = closing.filter(|_| all.roots.len() > 1)?;
        let origin = schemas[*closing].origin;
        self.refused.extend(&all.roots);
        let traces = vec![(Keyword::AdditionalProperties, origin)];
        Some(self.push(Node { origin: Some(origin), traces, ..Node::default() }))
    }

    fn required(
        &mut self,
        goal: &Goal,
        part: &mut ObjectPart,
        places: &mut Places,
        flat: &[SchemaId],
        names: &Group<'_, 'm>,
    ) {
        let mut first = None;
        for id in flat {
            let Some(required) = &self.model.schemas[*id].object.required else { continue };
            let first = *first.get_or_insert(required.origin);
            for name in &required.value {
                if self.any_read_only
                    && self.read_only(&self.property_goal(goal, names, &name.value)).is_some()
                {
                    continue;
                }
                let at = self.place_of(goal, part, places, names, &name.value);
                let property = &mut part.properties[at];
                if !property.required {
                    property.required = true;
                    property.required_by = Some(required.origin).filter(|at| *at != first);
                }
            }
        }
    }

    /// Where one of the schemas that apply to a property is marked `readOnly`.
    fn read_only(&self, all: &Goal) -> Option<At<bool>> {
        if !self.any_read_only {
            return None;
        }
        let schemas = &self.model.schemas;
        let mut flat = closure(schemas, &all.roots).into_iter();
        flat.find_map(|id| schemas[id].read_only.filter(|marked| marked.value))
    }

    /// The place of a property, which is added if it is not declared.
    fn place_of(
        &mut self,
        goal: &Goal,
        part: &mut ObjectPart,
        places: &mut Places,
        names: &Group<'_, 'm>,
        name: &str,
    ) -> usize {
        if let Some(at) = places.0.get(name) {
            return *at;
        }
        let node = self.property(goal, names, name);
        let at = part.properties.len();
        let name = name.to_owned();
        places.0.insert(name.clone(), at);
        part.properties.push(PropertyPart {
            name,
            node,
            required: false,
            required_by: None,
            implied: true,
        });
        at
    }

    fn dependents(
        &mut self,
        goal: &Goal,
        part: &mut ObjectPart,
        places: &mut Places,
        flat: &[SchemaId],
        names: &Group<'_, 'm>,
    ) {
        for id in flat {
            let of = &self.model.schemas[*id].object;
            for dependent in of.dependent_required.iter().flat_map(|list| &list.value) {
                let property = self.place_of(goal, part, places, names, &dependent.name);
                for name in &dependent.required {
                    let required = Some(self.place_of(goal, part, places, names, name));
                    part.dependents.push(DependentPart { property, required, node: None });
                }
            }
            for dependent in of.dependent_schemas.iter().flat_map(|list| &list.value) {
                let property = self.place_of(goal, part, places, names, &dependent.name);
                let node = self.node(self.apart(goal, *id, None, dependent.schema));
                part.dependents.push(DependentPart { property, required: None, node: Some(node) });
            }
        }
    }
}

impl ArrayPart {
    /// An array of which nothing is asked.
    pub fn open() -> Self {
        ArrayPart {
            prefix: Vec::new(),
            items: ANY,
            min_items: 0,
            max_items: None,
            contains: None,
            unique: false,
            unevaluated: None,
        }
    }
}

/// Makes one place the one to name for a keyword.
fn rename(bounds: &mut Vec<(Keyword, Origin)>, keyword: Keyword, origin: Origin) {
    bounds.retain(|(known, _)| *known != keyword);
    bounds.push((keyword, origin));
}
