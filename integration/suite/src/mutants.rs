//! Mutants of one part of a request: for each keyword that can refuse there, a request that it must refuse.

use std::collections::{HashMap, HashSet};

use policy_compiler::examples::{
    Carrier, Found, Mutant, Occurrence, Part, Parts, Reach, Violation, Visit, Why, Written,
    assemble, mutants, place, reach, redundant, to_json,
};
use policy_compiler::ir::{Api, Operation, SchemaId, Type, Value};

use crate::left::Reason;
use crate::readings::exact_readings;
use crate::run::{Runner, is_text, put, show};

/// A keyword, with all ways in which values come to it.
pub(crate) type Pair = (Occurrence, Vec<Reach>);

/// A part of an operation's requests, in a request that passes.
pub(crate) struct Stage<'s> {
    pub api: &'s Api,
    pub operation: &'s Operation,
    pub base: &'s Parts,
    pub part: Part,
    pub schema: SchemaId,
    pub carrier: Carrier<'s>,
}

/// What became of one mutant.
enum Fate {
    /// Refused by its keyword and pointer.
    Named,
    /// A keyword that holds schemas, refused by a keyword within it.
    Branch,
    /// Refused, with something else said: whether that is true of it as well, and what.
    Otherwise(bool, String),
    /// Let pass: what was there.
    Passed(String),
    /// It cannot be sent, or is valid once it is sent.
    Void(&'static str),
}

impl Fate {
    fn rank(&self) -> u8 {
        match self {
            Fate::Void(_) => 0,
            Fate::Otherwise(true, _) => 1,
            Fate::Otherwise(false, _) => 2,
            Fate::Branch => 3,
            Fate::Passed(_) => 4,
            Fate::Named => 5,
        }
    }
}

impl Runner<'_> {
    /// Keywords of a part's schemas that are enforced and can refuse.
    pub(crate) fn pairs(&mut self, schema: SchemaId, carrier: &Carrier<'_>) -> Vec<Pair> {
        let model = self.model;
        let mut index: HashMap<Occurrence, usize> = HashMap::new();
        let mut all: Vec<Pair> = Vec::new();
        let generator = &mut self.generator;
        let mut read_only = |id: SchemaId| generator.evaluator.is_read_only(id);
        for reach in reach(model, schema, carrier, &mut read_only) {
            // Of a form of Swagger 2.0 each parameter says by itself that it is required.
            let required = model.schemas[reach.schema].object.required.iter();
            for name in required.flat_map(|list| &list.value) {
                let at = model.locate(name.origin);
                let keyword = "required".to_owned();
                for pointer in [at.pointer.clone(), format!("{}/required", at.pointer)] {
                    let key = (at.path.to_owned(), pointer, keyword.clone());
                    if self.enforced.contains(&key) {
                        self.seen.insert(key);
                    }
                }
            }
            let at = model.locate(model.schemas[reach.schema].origin);
            self.reached.insert((at.path.to_owned(), at.pointer));
            let (says, silent) = reach.occurrences(model, &mut read_only);
            for (occurrence, says) in
                says.into_iter().map(|o| (o, true)).chain(silent.into_iter().map(|o| (o, false)))
            {
                let at = model.locate(occurrence.origin);
                let key = (at.path.to_owned(), at.pointer, occurrence.keyword.to_owned());
                if !self.enforced.contains(&key) {
                    continue;
                }
                if !says {
                    if self.seen.insert(key.clone()) {
                        let reason = Reason {
                            what: "keyword",
                            code: Why::Nothing.code(),
                            meaning: Why::Nothing.meaning(),
                        };
                        self.outcome.left.add(reason, || format!("{} {}", key.0, key.1));
                    }
                    continue;
                }
                self.seen.insert(key);
                let at = *index.entry(occurrence).or_insert_with(|| {
                    all.push((occurrence, Vec::new()));
                    all.len() - 1
                });
                all[at].1.push(reach.clone());
            }
        }
        all
    }

    /// Judges mutants of one part.
    pub(crate) fn mutate(&mut self, stage: &Stage<'_>, mut bases: Vec<Value>, name: &str) {
        let mut pairs = self.pairs(stage.schema, &stage.carrier);
        if pairs.is_empty() {
            return;
        }
        pairs.truncate(self.limit);
        if self.is_unjudged(stage) {
            let reason = Reason {
                what: "pair",
                code: "part-not-enforced",
                meaning: "the report says that this media type or parameter is not checked",
            };
            for _ in &pairs {
                self.outcome.left.add(reason, || name.to_owned());
            }
            return;
        }
        self.generator.filled = !stage.carrier.is_json();
        let mut best: HashMap<Occurrence, Fate> = HashMap::new();
        bases.truncate(3);
        if let Some(value) = self.generator.value(stage.schema) {
            bases.push(value);
        }
        for value in &bases {
            self.try_base(stage, value, &pairs, &mut best);
        }
        for (occurrence, reaches) in &pairs {
            for reach in reaches {
                if matches!(best.get(occurrence), Some(Fate::Named)) {
                    break;
                }
                let Some(value) = self.generator.along(stage.schema, &reach.way) else { continue };
                self.try_base(stage, &value, &pairs, &mut best);
            }
        }
        for (occurrence, reaches) in &pairs {
            let fate = best.remove(occurrence);
            self.settle(stage, *occurrence, reaches, fate, name);
        }
        self.generator.filled = false;
    }

    /// Whether the report says that the part is not judged.
    fn is_unjudged(&self, stage: &Stage<'_>) -> bool {
        let origin = match stage.part {
            Part::Parameter(i) => stage.operation.parameters[i].origin,
            Part::Body(i) => match &stage.operation.request_body {
                Some(body) => body.content[i].origin,
                None => return false,
            },
        };
        let at = self.model.locate(origin);
        self.unjudged.contains(&(at.path.to_owned(), at.pointer))
    }

    /// Counts what became of a pair.
    fn settle(
        &mut self,
        stage: &Stage<'_>,
        occurrence: Occurrence,
        reaches: &[Reach],
        fate: Option<Fate>,
        name: &str,
    ) {
        let at = self.model.locate(occurrence.origin);
        let sample = || format!("{name} {}:{} {}", at.path, at.line, at.pointer);
        if matches!(fate, Some(Fate::Named)) {
            self.outcome.mutants.0 += 1;
            self.outcome.mutants.1 += 1;
            return;
        }
        let location = match stage.part {
            Part::Parameter(i) => Some(stage.operation.parameters[i].location),
            Part::Body(_) => None,
        };
        let why =
            redundant(&mut self.generator.evaluator, location, stage.schema, reaches, occurrence);
        // What passes although it is invalid, or is refused for what is not so, is never left out.
        // Where the way of writing says the type, though, a mutant was not what it should be.
        let sound = match (&fate, why) {
            (Some(Fate::Passed(_)), Some(why)) => why.is_of_writing(),
            (Some(Fate::Otherwise(told, _)), Some(why)) => *told || why.is_of_writing(),
            _ => true,
        };
        if let Some(why) = why.filter(|_| sound) {
            let reason = Reason { what: "pair", code: why.code(), meaning: why.meaning() };
            let sample = || format!("{} {}", occurrence.keyword, sample());
            self.outcome.left.add(reason, sample);
            return;
        }
        if matches!(fate, Some(Fate::Branch)) {
            let reason = Reason {
                what: "pair",
                code: "keyword-within",
                meaning: "its mutants are refused by a keyword of the branch that was meant, or of `propertyNames`",
            };
            self.outcome.left.add(reason, sample);
            return;
        }
        self.outcome.mutants.1 += 1;
        let keyword = occurrence.keyword;
        let (kind, what) = match fate {
            Some(Fate::Otherwise(_, what)) => {
                (format!("{keyword}: refused otherwise"), format!(" [{what}]"))
            }
            Some(Fate::Passed(what)) => (format!("{keyword}: passed"), format!(" [{what}]")),
            Some(Fate::Void(why)) => (format!("{keyword}: no mutant, {why}"), String::new()),
            Some(Fate::Named | Fate::Branch) | None => {
                let reached =
                    reaches.iter().any(|r| self.generator.along(stage.schema, &r.way).is_some());
                let what =
                    if reached { "no mutant is found" } else { "no valid value leads there" };
                (format!("{keyword}: {what}"), String::new())
            }
        };
        self.outcome.survivors.add(kind, || format!("{}{what}", sample()));
    }

    /// Accounts for the pairs of a part that no request was made for.
    pub(crate) fn unreachable(
        &mut self,
        operation: &Operation,
        all: &[(Part, SchemaId)],
        name: &str,
        why: &str,
    ) {
        for (part, schema) in all {
            for (occurrence, reaches) in self.pairs(*schema, &Carrier::of(operation, *part)) {
                let evaluator = &mut self.generator.evaluator;
                match redundant(evaluator, None, *schema, &reaches, occurrence) {
                    Some(why) => {
                        let reason =
                            Reason { what: "pair", code: why.code(), meaning: why.meaning() };
                        self.outcome.left.add(reason, || name.to_owned());
                    }
                    None => {
                        self.outcome.mutants.1 += 1;
                        self.outcome.survivors.add(why, || name.to_owned());
                    }
                }
            }
        }
    }

    fn try_base(
        &mut self,
        stage: &Stage<'_>,
        value: &Value,
        pairs: &[Pair],
        best: &mut HashMap<Occurrence, Fate>,
    ) {
        let trace = self.generator.evaluator.judge(stage.schema, value);
        let mut places: HashMap<SchemaId, Vec<&Visit>> = HashMap::new();
        for visit in &trace.visits {
            let list = places.entry(visit.schema).or_default();
            if list.len() < 3 {
                list.push(visit);
            }
        }
        for (occurrence, reaches) in pairs {
            let mut schemas: Vec<SchemaId> = reaches.iter().map(|reach| reach.schema).collect();
            schemas.dedup();
            for visit in schemas.iter().filter_map(|id| places.get(id)).flatten() {
                if matches!(best.get(occurrence), Some(Fate::Named)) {
                    break;
                }
                for mutant in mutants(&mut self.generator, stage.schema, value, visit, *occurrence)
                {
                    let fate = self.fate(stage, &mutant, *occurrence);
                    let known = best.get(occurrence);
                    let named = matches!(fate, Fate::Named);
                    if known.is_none_or(|known| fate.rank() > known.rank()) {
                        best.insert(*occurrence, fate);
                    }
                    if named {
                        break;
                    }
                }
            }
        }
    }

    fn fate(&mut self, stage: &Stage<'_>, mutant: &Mutant, occurrence: Occurrence) -> Fate {
        let plain = self.fate_of(stage, mutant, occurrence, false);
        let bracketed = stage.carrier.whole() == Written::Form
            || matches!(stage.carrier.whole(), Written::Deep);
        if !bracketed || matches!(plain, Fate::Named | Fate::Passed(_)) {
            return plain;
        }
        // As another field it is refused for what it is not, which says nothing.
        let other = self.fate_of(stage, mutant, occurrence, true);
        let tells = !matches!(other, Fate::Otherwise(..)) || matches!(plain, Fate::Void(_));
        if tells && other.rank() > plain.rank() { other } else { plain }
    }

    fn fate_of(
        &mut self,
        stage: &Stage<'_>,
        mutant: &Mutant,
        occurrence: Occurrence,
        brackets: bool,
    ) -> Fate {
        let text = !stage.carrier.is_json();
        let mut with = stage.base.clone();
        with.brackets = brackets;
        put(&mut with, stage.part, mutant.value.clone());
        let request = match assemble(self.model, stage.api, stage.operation, &with) {
            Ok(request) => request,
            Err(why) => return Fate::Void(why.0),
        };
        match self.oracle_accepts(stage.schema, &mutant.value, &stage.carrier, brackets) {
            Ok(false) => {}
            Ok(true) if text => return Fate::Void("its text says something valid"),
            Ok(true) => return Fate::Void("the oracle accepts it"),
            // No double is as large.
            Err(why) if why.contains("number out of range") => {}
            Err(_) => return Fate::Void("no oracle"),
        }
        if text && !self.said_in_text(stage, mutant, occurrence, brackets) {
            return Fate::Void("any text satisfies it");
        }
        let judged = self.judge.judge(&request);
        if judged.passed {
            let there = policy_compiler::examples::at(&mutant.value, &mutant.at);
            let text = there.map(to_json).unwrap_or_default();
            return Fate::Passed(text.chars().take(60).collect());
        }
        // Other places that the same keyword refuses the same value by are as good.
        let here = |at: &str| at == mutant.at || at.starts_with(&format!("{}/", mutant.at));
        let mut violations = mutant.trace.violations.clone();
        if text {
            violations.extend(self.violations_as_text(stage.schema, mutant));
        }
        let told = |found: &Found, same: bool| {
            violations.iter().any(|v| {
                let (Some(source), true) = (&found.source, found.keyword == Some(v.keyword)) else {
                    return false;
                };
                let at = self.model.locate(v.origin);
                (!same || v.keyword == occurrence.keyword && here(&v.at))
                    && (at.path, at.pointer.as_str()) == (source.0.as_str(), source.2.as_str())
            })
        };
        let body = matches!(stage.part, Part::Body(_));
        let named = judged
            .findings
            .iter()
            .any(|found| told(found, true) && (!body || points(&found.name, &mutant.at)));
        if named {
            return Fate::Named;
        }
        let names = occurrence.keyword == "propertyNames";
        let union = matches!(occurrence.keyword, "anyOf" | "oneOf");
        let by_inner = judged
            .findings
            .iter()
            .any(|found| (names || told(found, false)) && self.is_within(occurrence, found));
        // The discriminator beside a union says which branch is meant.
        let by_tag = union && {
            let at = self.model.locate(occurrence.origin);
            let beside =
                at.pointer.rsplit_once('/').map(|(owner, _)| format!("{owner}/discriminator"));
            judged.findings.iter().any(|found| {
                let source = found.source.as_ref();
                found.keyword == Some("discriminator")
                    && source.is_some_and(|(path, _, pointer)| {
                        path == at.path && Some(pointer) == beside.as_ref()
                    })
            })
        };
        // The value chooses no branch, so the discriminator speaks for the branch's own keyword.
        let by_value = matches!(occurrence.keyword, "enum" | "const")
            && judged.findings.iter().any(|found| {
                found.keyword == Some("discriminator")
                    && found.code == "body-invalid"
                    && found.name == mutant.at
            });
        // What `unevaluatedProperties` holds is told by that keyword, where it depends on branches.
        let at = self.model.locate(occurrence.origin);
        let by_holder = judged.findings.iter().any(|found| {
            let source = found.source.as_ref();
            matches!(found.keyword, Some("unevaluatedProperties" | "unevaluatedItems"))
                && source.is_some_and(|(path, _, pointer)| {
                    path == at.path && at.pointer.starts_with(&format!("{pointer}/"))
                })
        });
        if by_tag || by_value || by_holder || (union || names) && by_inner {
            return Fate::Branch;
        }
        let beside = judged.findings.iter().any(|found| told(found, false));
        Fate::Otherwise(beside, judged.findings.first().map(show).unwrap_or_default())
    }

    /// What a value breaks if the scalar that was changed is taken for the text that it is sent as.
    fn violations_as_text(&mut self, schema: SchemaId, mutant: &Mutant) -> Vec<Violation> {
        let mut changed = mutant.value.clone();
        let Some(there) = place(&mut changed, &mutant.at) else { return Vec::new() };
        if matches!(there, Value::String(_) | Value::Array(_) | Value::Object(_)) {
            return Vec::new();
        }
        *there = Value::String(to_json(there));
        self.generator.evaluator.judge(schema, &changed).violations
    }

    /// Whether a value still breaks a keyword in every way in which its text can be read.
    fn said_in_text(
        &mut self,
        stage: &Stage<'_>,
        mutant: &Mutant,
        occurrence: Occurrence,
        brackets: bool,
    ) -> bool {
        let schema = stage.schema;
        let value = &mutant.value;
        let written = stage.carrier.at(value, &mutant.at);
        let is_text = |at: &str| is_text(&stage.carrier, value, at, brackets);
        let mut all = exact_readings(value, &is_text);
        let here = policy_compiler::examples::at(value, &mutant.at);
        let mut instead = |other: Value| {
            let mut changed = value.clone();
            if let Some(there) = place(&mut changed, &mutant.at) {
                *there = other;
                all.extend(exact_readings(&changed, &is_text));
                all.push(changed);
            }
        };
        let lists =
            matches!(written, Written::Field | Written::Part | Written::Styled | Written::Deep);
        if let Some(container @ (Value::Array(_) | Value::Object(_))) = here
            && matches!(written, Written::Styled | Written::Text)
        {
            // With what divides it, it is one text.
            [",", ".", " ", "|", "\t"].iter().for_each(|mark| {
                instead(Value::String(joined(container, mark)));
            });
        }
        if let Some(Value::Array(items)) = here
            && written == Written::Deep
            && !brackets
        {
            // By its places a list looks like an object.
            let members = items.iter().enumerate().map(|(i, item)| (i.to_string(), item.clone()));
            instead(Value::Object(members.collect()));
        }
        match here {
            // Of one piece, a list and what is in it look alike.
            Some(Value::Array(items)) if lists && !brackets => {
                if let [one] = &items[..] {
                    instead(one.clone());
                }
                let nested = |item: &Value| matches!(item, Value::Array(_) | Value::Object(_));
                if written == Written::Field && items.iter().any(nested) {
                    let quoted = items.iter().map(|item| Value::String(to_json(item)));
                    instead(Value::Array(quoted.collect()));
                }
            }
            // An object can be JSON text, which is a string.
            Some(object @ Value::Object(_)) if written == Written::Field && !brackets => {
                instead(Value::String(to_json(object)));
                instead(Value::Array(vec![Value::String(to_json(object))]));
            }
            Some(Value::Array(_) | Value::Object(_)) | None => {}
            Some(one) => {
                // By itself, whatever the others are taken for.
                if is_text(&mutant.at) {
                    let text = match one {
                        Value::String(text) => text.clone(),
                        other => to_json(other),
                    };
                    instead(Value::String(text));
                }
                if lists {
                    instead(Value::Array(vec![one.clone()]));
                }
            }
        }
        if brackets && !self.takes_brackets(mutant) {
            // The name with its brackets is that of another field.
            let mut changed = value.clone();
            if let (Value::Object(members), Some(name)) = (&mut changed, mutant.at.get(1..)) {
                members.retain(|(known, _)| known != name);
                all.push(changed);
            }
        }
        all.iter().all(|reading| {
            let trace = self.generator.evaluator.judge(schema, reading);
            let broken =
                |v: &Violation| v.keyword == occurrence.keyword && v.origin == occurrence.origin;
            // Another reading may break another keyword; only a type is a matter of reading itself.
            !trace.violations.is_empty()
                && (occurrence.keyword != "type" || trace.violations.iter().any(broken))
        })
    }

    /// Whether a finding is by a keyword of a schema that a union's branches, or `propertyNames`, lead to.
    fn is_within(&self, union: Occurrence, found: &Found) -> bool {
        let model = self.model;
        let lists = model.schemas.iter().flat_map(|(_, schema)| {
            [&schema.applied.any_of, &schema.applied.one_of].into_iter().flatten()
        });
        let lists = lists.filter(|list| list.origin == union.origin);
        let mut open: Vec<SchemaId> = lists.flat_map(|list| list.value.iter().copied()).collect();
        let names = model.schemas.iter().filter_map(|(_, schema)| schema.object.property_names);
        open.extend(names.filter(|at| at.origin == union.origin).map(|at| at.value));
        let mut seen: HashSet<SchemaId> = open.iter().copied().collect();
        let Some((path, _, pointer)) = &found.source else { return false };
        let Some((schema, _)) = pointer.rsplit_once('/') else { return false };
        while let Some(id) = open.pop() {
            let at = model.locate(model.schemas[id].origin);
            if at.path == path.as_str() && at.pointer == schema {
                return true;
            }
            open.extend(model.schemas[id].children().into_iter().filter(|id| seen.insert(*id)));
        }
        false
    }

    /// Whether a list or an object may stand where a mutant was changed.
    fn takes_brackets(&mut self, mutant: &Mutant) -> bool {
        let visit = mutant.trace.visits.iter().find(|visit| visit.at == mutant.at);
        let evaluator = &mut self.generator.evaluator;
        visit.is_none_or(|visit| {
            [Type::Array, Type::Object].iter().any(|kind| evaluator.may_be(visit.schema, *kind))
        })
    }
}

/// The texts of a list or of an object with marks between them.
fn joined(value: &Value, mark: &str) -> String {
    let scalar = |value: &Value| match value {
        Value::String(text) => text.clone(),
        other => to_json(other),
    };
    let pieces: Vec<String> = match value {
        Value::Array(items) => items.iter().map(scalar).collect(),
        Value::Object(members) => {
            members.iter().flat_map(|(name, value)| [name.clone(), scalar(value)]).collect()
        }
        one => vec![scalar(one)],
    };
    pieces.join(mark)
}

/// Whether a finding's pointer is that of a mutant's place or of a member of it; `*` stands for any name.
fn points(found: &str, at: &str) -> bool {
    let (found, at): (Vec<&str>, Vec<&str>) = (found.split('/').collect(), at.split('/').collect());
    (found.len() == at.len() || found.len() == at.len() + 1)
        && at.iter().zip(&found).all(|(at, found)| at == found || *found == "*")
}
