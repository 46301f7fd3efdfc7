//! Keywords that no request can violate by themselves, and why: each reason is checked on the model, for every way in
//! which a request can bring a value to the keyword.

use super::carrier::Written;
use super::evaluate::{Evaluator, closure, properties, tags};
use super::exact::Exact;
use super::impossible::{IMPOSSIBLE, children, contradicts, no_object};
use super::reach::{Edge, Occurrence, Reach, Step};
use super::text;
use super::why::Why;
use crate::ir::{Number, ParameterLocation, Schema, SchemaId, Type, Value};
use std::collections::HashSet;

/// Why no request violates a keyword by itself, where that can be shown for all of `reaches`, which are all ways to it.
pub fn redundant(
    evaluator: &mut Evaluator<'_>,
    location: Option<ParameterLocation>,
    root: SchemaId,
    reaches: &[Reach],
    occurrence: Occurrence,
) -> Option<Why> {
    let mut first = None;
    for reach in reaches {
        let place = Place::of(evaluator, root, &reach.way);
        let judge = Check { evaluator, location, reach, place: &place, occurrence };
        let why = judge.why()?;
        first = first.or(Some(why));
    }
    first
}

/// What is known of the values at the end of a way.
struct Place {
    /// Schemas that all apply.
    schemas: Vec<SchemaId>,
    /// Unions whose branches led here, on the same value.
    unions: Vec<Step>,
    /// Whether no value at some place of the way satisfies everything.
    impossible: bool,
    /// Where the value is what a discriminator reads: the values that choose the branch that led here.
    tag: Option<Vec<Value>>,
}

impl Place {
    fn of(evaluator: &mut Evaluator<'_>, root: SchemaId, way: &[Step]) -> Self {
        let model = evaluator.model;
        let mut roots = vec![root];
        let mut unions: Vec<Step> = Vec::new();
        let mut tag = None;
        let mut impossible = false;
        for step in way {
            let from = &model.schemas[step.from];
            let branch = |list: &Option<crate::ir::At<Vec<SchemaId>>>, i: u32| {
                list.as_ref().and_then(|list| list.value.get(i as usize)).copied()
            };
            match &step.edge {
                Edge::Always => {}
                Edge::AnyOf(i) => {
                    roots.extend(branch(&from.applied.any_of, *i));
                    unions.push(step.clone());
                }
                Edge::OneOf(i) => {
                    roots.extend(branch(&from.applied.one_of, *i));
                    unions.push(step.clone());
                }
                Edge::Then => roots.extend(from.applied.then.map(|at| at.value)),
                Edge::Else => roots.extend(from.applied.else_.map(|at| at.value)),
                Edge::Dependent(name) => {
                    let list = from.object.dependent_schemas.iter().flat_map(|list| &list.value);
                    roots.extend(list.filter(|d| d.name == *name).map(|d| d.schema));
                }
                inward => {
                    impossible |= contradicts(evaluator, &roots, IMPOSSIBLE);
                    if matches!(inward, Edge::Property(_) | Edge::Pattern(_) | Edge::Additional) {
                        impossible |= no_object(evaluator, &roots, IMPOSSIBLE);
                    }
                    tag = match inward {
                        Edge::Property(name) => unions
                            .iter()
                            .find_map(|step| values_of(&model.schemas[step.from], step, name)),
                        _ => None,
                    };
                    let flat = closure(model, &roots, &mut |_| Vec::new());
                    roots = flat
                        .iter()
                        .flat_map(|id| children(evaluator, &model.schemas[*id], inward))
                        .collect();
                    if matches!(inward, Edge::Pattern(_) | Edge::Additional) {
                        roots = children(evaluator, from, inward);
                    }
                    // A schema beside it has closed the object to the property.
                    impossible |= roots.iter().any(|id| model.schemas[*id].boolean == Some(false));
                    unions.clear();
                }
            }
        }
        impossible |= contradicts(evaluator, &roots, IMPOSSIBLE);
        Place { schemas: closure(model, &roots, &mut |_| Vec::new()), unions, impossible, tag }
    }
}

/// The values of a union's discriminator, if it is of that name, that choose the branch of a step.
fn values_of(union: &Schema, step: &Step, name: &str) -> Option<Vec<Value>> {
    let (discriminator, tags) = tags(union)?;
    let (Edge::OneOf(own) | Edge::AnyOf(own)) = step.edge else { return None };
    if discriminator.value.property.value != name {
        return None;
    }
    let mine = tags.into_iter().filter(|(_, branch)| *branch == own);
    Some(mine.map(|(value, _)| Value::String(value.to_owned())).collect())
}

struct Check<'c, 'm> {
    evaluator: &'c mut Evaluator<'m>,
    location: Option<ParameterLocation>,
    reach: &'c Reach,
    place: &'c Place,
    occurrence: Occurrence,
}

impl<'m> Check<'_, 'm> {
    fn schema(&self) -> &'m Schema {
        &self.evaluator.model.schemas[self.reach.schema]
    }

    /// Every schema that applies, other than the keyword's own.
    fn others(&self) -> impl Iterator<Item = &'m Schema> {
        let model = self.evaluator.model;
        let own = self.reach.schema;
        self.place.schemas.iter().filter(move |id| **id != own).map(move |id| &model.schemas[*id])
    }

    fn all(&self) -> impl Iterator<Item = &'m Schema> {
        let model = self.evaluator.model;
        self.place.schemas.iter().map(move |id| &model.schemas[*id])
    }

    fn why(mut self) -> Option<Why> {
        if self.occurrence.keyword == "type"
            && let Some(why) = self.type_is_said()
        {
            return Some(why);
        }
        if self.says_nothing() {
            return Some(Why::Nothing);
        }
        if self.is_listed() {
            return Some(Why::Listed);
        }
        if self.place.impossible {
            return Some(Why::Unsatisfiable);
        }
        let of_objects = [
            "required",
            "minProperties",
            "maxProperties",
            "additionalProperties",
            "unevaluatedProperties",
            "propertyNames",
            "dependentRequired",
        ];
        if of_objects.contains(&self.occurrence.keyword)
            && no_object(self.evaluator, &self.place.schemas, IMPOSSIBLE)
        {
            return Some(Why::Unsatisfiable);
        }
        if self.is_tag() {
            return Some(Why::TagIsThere);
        }
        if self.is_never_alone() {
            return Some(Why::NeverAlone);
        }
        if self.judges_nothing() {
            return Some(Why::OtherType);
        }
        if let Some(why) = self.by_others() {
            return Some(why);
        }
        self.by_branches()
    }

    /// Whether the way of writing a value leaves no other type to say.
    fn type_is_said(&self) -> Option<Why> {
        let types = self.schema().types?.value;
        let (string, array, object) = (
            types.contains(Type::String),
            types.contains(Type::Array),
            types.contains(Type::Object),
        );
        match self.reach.written {
            Written::Text | Written::Styled if string => Some(Why::TextIsString),
            Written::Field | Written::Part if string && !array && !object => {
                Some(Why::TextIsString)
            }
            Written::Part if array => Some(Why::StyleSaysType),
            // A name in brackets is a field of its own where the schema has no lists and objects.
            Written::Styled if array || object => Some(Why::StyleSaysType),
            Written::Form if object => Some(Why::FormIsObject),
            Written::Lines if array => Some(Why::StyleSaysType),
            Written::Element if self.is_attribute() && string => Some(Why::TextIsString),
            Written::Element if array || object => Some(Why::ElementSaysType),
            _ => None,
        }
    }

    /// Whether a value stands in an attribute of XML, or is the text of an element that has some.
    fn is_attribute(&self) -> bool {
        use crate::ir::XmlNode;
        self.all().any(|schema| {
            schema
                .xml
                .as_ref()
                .is_some_and(|xml| matches!(xml.value.node, XmlNode::Attribute | XmlNode::Text))
        })
    }

    /// Whether the value is a discriminator's, whose values for the branch all satisfy the keyword.
    fn is_tag(&mut self) -> bool {
        let values = self.place.tag.clone();
        let (keyword, origin, id) =
            (self.occurrence.keyword, self.occurrence.origin, self.reach.schema);
        values.is_some_and(|values| {
            values.iter().all(|value| {
                let trace = self.evaluator.judge(id, value);
                !trace.violations.iter().any(|v| v.keyword == keyword && v.origin == origin)
            })
        })
    }

    /// Whether a list of one item, at least, cannot be fallen short of.
    fn empty_is_absent(&self) -> bool {
        use crate::ir::XmlNode;
        let wrapped = self.all().any(|schema| {
            schema.xml.as_ref().is_some_and(|xml| xml.value.node == XmlNode::Element)
        });
        match self.reach.written {
            Written::Styled | Written::Field | Written::Part | Written::Deep | Written::Lines => {
                true
            }
            Written::Element => !wrapped,
            Written::Json | Written::Form | Written::Text => false,
        }
    }

    /// Formats that annotate, and `decimal` on numbers, which all have it; every type; a pattern that is in any text.
    fn says_nothing(&self) -> bool {
        let schema = self.schema();
        match self.occurrence.keyword {
            "type" => {
                let types = schema.types.map(|types| types.value);
                return types.is_some_and(|types| Type::ALL.iter().all(|kind| types.admits(*kind)));
            }
            "pattern" => {
                return schema.string.pattern.as_ref().is_some_and(|at| at.value.is_empty());
            }
            _ => {}
        }
        let Some(format) = schema.string.format.as_ref().map(|at| at.value.as_str()) else {
            return false;
        };
        let numbers_only = schema.types.is_some_and(|types| !types.value.contains(Type::String));
        self.occurrence.keyword == "format"
            && (matches!(format, "password" | "binary" | "html" | "commonmark")
                || format == "decimal" && numbers_only)
    }

    /// Whether the way leads through a branch of a `oneOf` that accepts nothing that another branch refuses.
    fn is_never_alone(&self) -> bool {
        let model = self.evaluator.model;
        if self.evaluator.strictness.one_of != crate::ir::OneOf::Strict {
            return false;
        }
        self.reach.way.iter().any(|step| {
            let schema = &model.schemas[step.from];
            let (Edge::OneOf(own), Some(list)) = (&step.edge, &schema.applied.one_of) else {
                return false;
            };
            let own = *own as usize;
            tags(schema).is_none()
                && list.value.iter().enumerate().any(|(i, other)| {
                    i != own
                        && list
                            .value
                            .get(own)
                            .is_some_and(|own| super::within::within(self.evaluator, *own, *other))
                })
        })
    }

    /// Whether a list of values leaves only values that satisfy the keyword.
    fn is_listed(&mut self) -> bool {
        let (keyword, origin, id) =
            (self.occurrence.keyword, self.occurrence.origin, self.reach.schema);
        let lists: Vec<&'m [Value]> = self
            .all()
            .flat_map(|schema| {
                let list = schema.enumeration.as_ref().map(|at| (at.origin, &at.value[..]));
                let one = schema.constant.as_ref();
                let one = one.map(|at| (at.origin, std::slice::from_ref(&at.value)));
                [list, one]
            })
            .flatten()
            .filter(|(other, _)| *other != origin)
            .map(|(_, list)| list)
            .collect();
        lists.into_iter().any(|list| {
            list.iter().all(|value| {
                let trace = self.evaluator.judge(id, value);
                !trace.violations.iter().any(|v| v.keyword == keyword && v.origin == origin)
            })
        })
    }

    /// The types that all schemas together admit; `None` where any is.
    fn kinds(&self) -> Option<Vec<Type>> {
        let said: Vec<_> = self.all().filter_map(|schema| schema.types).collect();
        if said.is_empty() {
            return None;
        }
        let all = |kind: &Type| said.iter().all(|types| types.value.admits(*kind));
        Some(Type::ALL.into_iter().filter(all).collect())
    }

    /// Whether the keyword is about values of a type that is not admitted.
    fn judges_nothing(&self) -> bool {
        let about: &[Type] = match self.occurrence.keyword {
            "minLength" | "maxLength" | "pattern" | "contentEncoding" | "contentMediaType" => {
                &[Type::String]
            }
            "minimum" | "maximum" | "exclusiveMinimum" | "exclusiveMaximum" | "multipleOf" => {
                &[Type::Integer, Type::Number]
            }
            "minItems" | "maxItems" | "uniqueItems" | "contains" | "minContains"
            | "maxContains" | "items" | "unevaluatedItems" => &[Type::Array],
            "required"
            | "minProperties"
            | "maxProperties"
            | "additionalProperties"
            | "unevaluatedProperties"
            | "propertyNames"
            | "dependentRequired" => &[Type::Object],
            "format" => {
                let format = self.schema().string.format.as_ref();
                let of_numbers = |format: &str| {
                    text::number_range(format).or_else(|| text::fraction_range(format)).is_some()
                };
                match format.map(|format| of_numbers(&format.value)) {
                    // 64 bits are often written as strings.
                    Some(true) if format.is_some_and(|f| f.value.ends_with("int64")) => {
                        &[Type::Integer, Type::Number, Type::String]
                    }
                    Some(true) => &[Type::Integer, Type::Number],
                    _ => &[Type::String],
                }
            }
            _ => return false,
        };
        self.kinds().is_some_and(|kinds| !kinds.iter().any(|kind| about.contains(kind)))
    }

    /// Whether a keyword of another schema, or another of the same, refuses whatever this one does.
    fn by_others(&mut self) -> Option<Why> {
        let schema = self.schema();
        let stricter = match self.occurrence.keyword {
            "type" => {
                let own = schema.types?.value;
                self.others().filter_map(|other| other.types).any(|other| {
                    other.origin != self.occurrence.origin
                        && other.value.iter().all(|kind| own.admits(kind))
                })
            }
            "enum" | "const" => self.is_listed(),
            "minLength" => {
                let least = schema.string.min_length?.value;
                if least == 1
                    && self.location == Some(ParameterLocation::Path)
                    && self.reach.way.is_empty()
                {
                    return Some(Why::PathNotEmpty);
                }
                self.lengths().0 >= least
            }
            "maxLength" => self
                .lengths()
                .1
                .is_some_and(|most| schema.string.max_length.is_some_and(|own| most <= own.value)),
            // 3.0's flag beside it refuses the same and more, and is what is named.
            "minimum" if schema.number.exclusive_minimum_flag.is_some() => true,
            "maximum" if schema.number.exclusive_maximum_flag.is_some() => true,
            "minimum" | "exclusiveMinimum" | "maximum" | "exclusiveMaximum" => self.bounded(),
            "format" => self.in_format(),
            "multipleOf" => {
                let own = Exact::of(&schema.number.multiple_of.as_ref()?.value)?;
                let of = |other: &Schema| Exact::of(&other.number.multiple_of.as_ref()?.value);
                let whole = self.kinds().is_some_and(|kinds| kinds == [Type::Integer]);
                self.others().filter_map(of).any(|other| other.is_multiple_of(own) == Some(true))
                    || whole && Exact::whole(1).is_multiple_of(own) == Some(true)
            }
            "pattern" => self.pattern_is_implied(),
            "required" => return self.required(),
            "minItems" => {
                let own = schema.array.min_items?.value;
                if own == 1 && self.empty_is_absent() {
                    return Some(Why::EmptyIsAbsent);
                }
                self.others().filter_map(|o| o.array.min_items).any(|o| o.value >= own)
            }
            "maxItems" => {
                let own = schema.array.max_items?.value;
                self.others().filter_map(|o| o.array.max_items).any(|o| o.value <= own)
            }
            "uniqueItems" => {
                self.all().filter_map(|o| o.array.max_items).any(|most| most.value <= 1)
                    || self
                        .others()
                        .any(|o| o.array.unique_items.is_some_and(|unique| unique.value))
            }
            "minProperties" => {
                let own = schema.object.min_properties?.value;
                let open = self.reach.written == Written::Field;
                if own == 1 && !open && self.empty_is_absent() {
                    return Some(Why::EmptyIsAbsent);
                }
                let names: HashSet<&str> = self
                    .all()
                    .filter_map(|o| o.object.required.as_ref())
                    .flat_map(|list| list.value.iter().map(|name| name.value.as_str()))
                    .collect();
                names.len() as u64 >= own
                    || self.others().filter_map(|o| o.object.min_properties).any(|o| o.value >= own)
            }
            "maxProperties" => {
                let own = schema.object.max_properties?.value;
                self.others().filter_map(|o| o.object.max_properties).any(|o| o.value <= own)
            }
            "additionalProperties" => {
                let own = declared(schema)?;
                self.others().any(|other| {
                    let closed = other.object.additional_properties;
                    closed.is_some_and(|rest| {
                        self.evaluator.model.schemas[rest.value].boolean == Some(false)
                    }) && declared(other).is_some_and(|names| names.is_subset(&own))
                })
            }
            _ => false,
        };
        stricter.then_some(Why::Stricter)
    }

    /// The least and the greatest number of characters that other keywords leave.
    fn lengths(&mut self) -> (u64, Option<u64>) {
        let (mut least, mut most) = (0, None::<u64>);
        let shorter = |most: Option<u64>, new: u64| Some(most.map_or(new, |most| most.min(new)));
        let model = self.evaluator.model;
        let strings = self.kinds().is_some_and(|kinds| kinds == [Type::String]);
        for id in &self.place.schemas {
            let of = &*model.schemas[*id].string;
            if *id != self.reach.schema {
                least = least.max(of.min_length.map_or(0, |at| at.value));
                most = of.max_length.map_or(most, |at| shorter(most, at.value));
            }
            if let Some(pattern) = &of.pattern {
                let (low, high) = self.evaluator.lengths(&pattern.value);
                least = least.max(low);
                most = high.map_or(most, |high| shorter(most, high));
            }
            if let Some(format) = &of.format
                && strings
                && let Some((low, high)) = text::lengths(&format.value)
            {
                least = least.max(low);
                most = high.map_or(most, |high| shorter(most, high));
            }
        }
        (least, most)
    }

    /// Whether other bounds are as tight as this one.
    fn bounded(&self) -> bool {
        let upper = matches!(self.occurrence.keyword, "maximum" | "exclusiveMaximum");
        let own = &*self.schema().number;
        let (plain, exclusive) = match upper {
            true => (&own.maximum, &own.exclusive_maximum),
            false => (&own.minimum, &own.exclusive_minimum),
        };
        let is_exclusive = self.occurrence.keyword.starts_with("exclusive");
        let bound = if is_exclusive { exclusive } else { plain };
        let Some(bound) = bound.as_ref().or(exclusive.as_ref()).map(|at| &at.value) else {
            return false;
        };
        let tighter = |other: &Number, exclusive: bool| {
            let order = if upper { other.compare(bound) } else { bound.compare(other) };
            order.is_lt() || order.is_eq() && (exclusive || !is_exclusive)
        };
        let mut by_range = self.all().filter_map(|other| {
            let format = other.string.format.as_ref()?;
            let (least, most) = text::number_range(&format.value)?;
            Number::parse(if upper { most } else { least })
        });
        by_range.any(|range| tighter(&range, false))
            || self.others().any(|other| {
                let of = &*other.number;
                let (plain, exclusive) = match upper {
                    true => (&of.maximum, &of.exclusive_maximum),
                    false => (&of.minimum, &of.exclusive_minimum),
                };
                plain.as_ref().is_some_and(|at| tighter(&at.value, false))
                    || exclusive.as_ref().is_some_and(|at| tighter(&at.value, true))
            })
    }

    /// Whether other keywords leave only values of a format.
    fn in_format(&mut self) -> bool {
        let Some(format) = self.schema().string.format.as_ref().map(|at| at.value.as_str()) else {
            return false;
        };
        if self
            .others()
            .any(|other| other.string.format.as_ref().is_some_and(|o| o.value == format))
        {
            return true;
        }
        let fractions = text::fraction_range(format);
        let range = text::number_range(format).or(fractions);
        let Some((least, most)) = range else { return false };
        let (Some(least), Some(most)) = (Number::parse(least), Number::parse(most)) else {
            return false;
        };
        let whole =
            fractions.is_some() || self.kinds().is_some_and(|kinds| !kinds.contains(&Type::Number));
        let low = self.all().any(|o| {
            let of = &*o.number;
            let mut bounds = [&of.minimum, &of.exclusive_minimum].into_iter().flatten();
            bounds.any(|at| at.value.compare(&least).is_ge())
        });
        let high = self.all().any(|o| {
            let of = &*o.number;
            let mut bounds = [&of.maximum, &of.exclusive_maximum].into_iter().flatten();
            bounds.any(|at| at.value.compare(&most).is_le())
        });
        low && high && whole
    }

    /// Whether another pattern is found only in texts in which this one is.
    fn pattern_is_implied(&mut self) -> bool {
        let Some(own) = self.schema().string.pattern.as_ref().map(|at| at.value.as_str()) else {
            return false;
        };
        let others: Vec<&'m str> = self
            .others()
            .filter_map(|other| other.string.pattern.as_ref())
            .map(|at| at.value.as_str())
            .collect();
        others.into_iter().any(|other| other == own || self.evaluator.implies(other, own))
    }

    /// Whether everything that is asked for is there anyway.
    fn required(&self) -> Option<Why> {
        let model = self.evaluator.model;
        let own = self.schema().object.required.as_ref()?;
        let asked = |name: &str| {
            self.others()
                .filter_map(|other| other.object.required.as_ref())
                .any(|list| list.value.iter().any(|known| known.value == name))
        };
        let told = |name: &str| {
            self.place.unions.iter().any(|step| {
                tags(&model.schemas[step.from])
                    .is_some_and(|(of, _)| of.value.property.value == name)
            })
        };
        let names = || own.value.iter().map(|name| name.value.as_str());
        if !names().all(|name| asked(name) || told(name)) {
            return None;
        }
        Some(if names().any(|name| !asked(name)) { Why::TagIsThere } else { Why::Stricter })
    }

    /// Whether the branches of unions leave nothing to this keyword.
    fn by_branches(&mut self) -> Option<Why> {
        let model = self.evaluator.model;
        let lists = [Type::Array, Type::Object]
            .iter()
            .any(|kind| self.evaluator.may_be(self.reach.schema, *kind));
        let text = match self.reach.written {
            Written::Text | Written::Styled => true,
            Written::Field | Written::Part => !lists,
            _ => false,
        };
        // In text there are strings only, and what can be read from strings.
        let sayable = |kinds: Option<Vec<Type>>| match (text, kinds) {
            (true, _) => vec![Type::String],
            (false, Some(kinds)) => kinds,
            (false, None) => Type::ALL.to_vec(),
        };
        if matches!(self.occurrence.keyword, "anyOf" | "oneOf") {
            let of = &*self.schema().applied;
            let list = if self.occurrence.keyword == "anyOf" { &of.any_of } else { &of.one_of };
            let branches = &list.as_ref()?.value;
            let kinds = sayable(self.kinds());
            if self.occurrence.keyword == "anyOf"
                && branches.iter().any(|branch| kinds.iter().all(|k| self.accepts_all(*branch, *k)))
            {
                return Some(Why::OtherBranch);
            }
            let admits = |branch: &SchemaId, kind: Type| {
                closure(model, &[*branch], &mut |_| Vec::new())
                    .iter()
                    .all(|id| super::evaluate::admits(&model.schemas[*id], kind))
            };
            let one = |kind: &Type| branches.iter().filter(|b| admits(b, *kind)).count() == 1;
            return kinds.iter().all(one).then_some(Why::BranchOfType);
        }
        for step in self.place.unions.clone() {
            let of = &*model.schemas[step.from].applied;
            let (list, own, any) = match step.edge {
                Edge::AnyOf(i) => (&of.any_of, i, true),
                Edge::OneOf(i) => (&of.one_of, i, false),
                _ => continue,
            };
            let branches = &list.as_ref()?.value;
            let others = branches.iter().enumerate().filter(|(i, _)| *i != own as usize);
            let mut others = others.map(|(_, branch)| *branch);
            if self.occurrence.keyword == "type" {
                let typed = |branch: &SchemaId| {
                    closure(model, &[*branch], &mut |_| Vec::new()).iter().any(|id| {
                        model.schemas[*id].types.is_some()
                            || model.schemas[*id].enumeration.is_some()
                    })
                };
                if branches.len() > 1 && branches.iter().all(typed) {
                    return Some(Why::EveryBranch);
                }
                continue;
            }
            let kinds = sayable(self.kinds());
            if any && others.any(|branch| kinds.iter().all(|k| self.accepts_all(branch, *k))) {
                return Some(Why::OtherBranch);
            }
        }
        None
    }

    /// Whether a schema accepts every value of a type.
    fn accepts_all(&self, schema: SchemaId, kind: Type) -> bool {
        let model = self.evaluator.model;
        closure(model, &[schema], &mut |_| Vec::new()).iter().all(|id| {
            let schema = &model.schemas[*id];
            let of = &*schema.applied;
            let open = match kind {
                Type::String => schema.string.is_empty(),
                Type::Integer | Type::Number => {
                    schema.number.is_empty() && schema.string.format.is_none()
                }
                Type::Array => schema.array.is_empty(),
                Type::Object => schema.object.is_empty(),
                Type::Null | Type::Boolean => true,
            };
            open && super::evaluate::admits(schema, kind)
                && schema.enumeration.is_none()
                && schema.constant.is_none()
                && of.any_of.is_none()
                && of.one_of.is_none()
                && of.not.is_none()
                && of.if_.is_none()
        })
    }
}

/// The names that a closed object declares; `None` where patterns declare more.
fn declared(schema: &Schema) -> Option<HashSet<&str>> {
    schema
        .object
        .pattern_properties
        .is_none()
        .then(|| properties(schema).map(|p| p.name.as_str()).collect())
}
