//! One document: compiled, its examples judged by both, its mutants judged by both.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use policy_compiler::examples::{
    Evaluator, Example, Found, Generator, Judge, Judged, Mutant, Occurrence, Part, Parts, Request,
    Subject, Visit, assemble, compile, mutants, parts, probe, reach, to_json, written,
};
use policy_compiler::ir::{Api, Model, Operation, ParameterLocation, SchemaId, Value};
use policy_compiler::report::{Report, Status};
use policy_compiler::source::{FileSystem, Library, Sources};
use policy_compiler::{Input, Release, load};
use serde_json::Value as Json;

use crate::oracle::{Dialect, Oracle, Translation, Unenforced};
use crate::readings::{exact_readings, readings};
use crate::troubles::Troubles;

/// The policy's name among the sources.
pub(crate) const POLICY: &str = "portcullis-suite.policy.yaml";

/// Files beside a document, and a policy over it.
pub(crate) struct Overlay {
    files: FileSystem,
    policy: String,
}

impl Sources for Overlay {
    fn read(&self, path: &str) -> Result<Vec<u8>, String> {
        if path == POLICY { Ok(self.policy.clone().into_bytes()) } else { self.files.read(path) }
    }
}

/// What running a document told.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// The document's name.
    pub name: String,
    /// Why it does not compile, if it does not.
    pub error: Option<String>,
    /// Operations of the document.
    pub operations: usize,
    /// Constraint keywords that requests can meet: enforced, and all.
    pub keywords: (usize, usize),
    /// Examples: agreed, judged by both.
    pub examples: (usize, usize),
    /// Examples that violate the document's own schema, by both.
    pub invalid_examples: usize,
    /// Mutants: refused as they should be, all enforced (operation, keyword) pairs.
    pub mutants: (usize, usize),
    /// Generated or written requests that the engine passes, of those that were made.
    pub requests: (usize, usize),
    /// Where verdicts differ.
    pub disagreements: Troubles,
    /// Pairs whose mutant was not refused, or not by name.
    pub survivors: Troubles,
    /// Pairs that no request can violate, with the reason: not among the mutants.
    pub inviolable: Troubles,
    /// Examples that were not judged, with the reason.
    pub skipped: Troubles,
}

/// A document's folder with a policy that takes what the document leaves open.
pub(crate) fn overlay(root: &Path) -> (Overlay, String) {
    let folder = root.parent().map_or_else(PathBuf::new, Path::to_path_buf);
    let file = root.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let policy = format!(
        "version: 1\nname: suite\nstrictness: {{ unresolved_refs: not_enforced }}\n\
         limits: {{ body: 16MiB, depth: 64, path: 64KiB, parameters: 1000, properties: 20000, string: 1MiB, items: 200000 }}\n\
         apis:\n  - name: api\n    documents: [{}]\n",
        Json::String(file.clone())
    );
    (Overlay { files: FileSystem { base: folder }, policy }, file)
}

/// The dialect of a loaded document.
pub(crate) fn dialect(library: &Library<'_>, document: policy_compiler::ir::DocumentId) -> Dialect {
    let version = library.tree(document).root().get("openapi").and_then(|v| v.as_text());
    match version {
        Some(version) if !version.starts_with("3.0") => Dialect::New,
        _ => Dialect::Old,
    }
}

/// Runs one document.
pub fn run(root: &Path, name: &str, limit: usize) -> Outcome {
    let mut outcome = Outcome { name: name.to_owned(), ..Outcome::default() };
    let (overlay, file) = overlay(root);
    let compiled =
        policy_compiler::compile(&overlay, &Input::Policy(POLICY.to_owned()), &Release::default());
    let (Some(report), Some(_)) = (&compiled.report, &compiled.bundle) else {
        let first = compiled.diagnostics.sorted().into_iter().next().cloned();
        outcome.error = Some(first.map_or_else(|| "no bundle".to_owned(), |d| d.title));
        return outcome;
    };
    let loaded = load::load_policy(&overlay, POLICY);
    let model = &loaded.model;
    outcome.operations = model.operations().count();
    let coverage = report.coverage();
    for document in &coverage.documents {
        outcome.keywords.0 += document.enforced;
        outcome.keywords.1 += document.total();
    }
    let unenforced = unenforced(report);
    let mut diagnostics = policy_compiler::diag::Diagnostics::default();
    let mut library = Library::new(&overlay);
    let Some(document) = library.load(&file, &mut diagnostics) else {
        outcome.error = Some("it cannot be read again".to_owned());
        return outcome;
    };
    let dialect = dialect(&library, document);
    let (written, left) = written(model, &loaded.files);
    if left.external > 0 {
        outcome.skipped.0.insert("externalValue is not fetched".into(), (left.external, vec![]));
    }
    if left.unresolved > 0 {
        outcome.skipped.0.insert("its $ref leads nowhere".into(), (left.unresolved, vec![]));
    }
    // Everything that will be asked of the oracle is translated before.
    let mut wanted: Vec<SchemaId> = Vec::new();
    for (_, operation) in model.operations() {
        wanted.extend(parts(operation).into_iter().map(|(_, schema)| schema));
    }
    wanted.extend(written.iter().filter_map(|example| match example.subject {
        Subject::Schema(id) => Some(id),
        _ => None,
    }));
    let mut translation = Translation::new(&library, dialect, &unenforced);
    let mut numbers = HashMap::new();
    for id in wanted {
        numbers.entry(id).or_insert_with(|| translate(model, &mut translation, id));
    }
    let oracle = match Oracle::new(translation.finish()) {
        Ok(oracle) => oracle,
        Err(why) => {
            outcome.error = Some(format!("the oracle does not take it: {why}"));
            return outcome;
        }
    };
    let bundle = match compile(model) {
        Ok(bundle) => bundle,
        Err(why) => {
            outcome.error = Some(why.to_string());
            return outcome;
        }
    };
    let enforced = report
        .constructs
        .iter()
        .filter(|line| line.status == Status::Enforced)
        .map(|line| (line.document.clone(), line.pointer.clone(), line.construct.clone()))
        .collect();
    let strictness =
        model.apis.first().map_or_else(Default::default, |api| api.settings.strictness.clone());
    let mut runner = Runner {
        model,
        judge: Judge::new(bundle),
        generator: Generator::new(Evaluator::new(model, strictness)),
        oracle,
        numbers,
        enforced,
        outcome,
        limit,
    };
    for example in &written {
        if let Subject::Schema(id) = example.subject {
            runner.generator.preferred.entry(id).or_default().push(example.value.clone());
        }
    }
    let mut own: HashMap<(usize, usize, Part), Vec<Value>> = HashMap::new();
    for example in &written {
        let place = match example.subject {
            Subject::Parameter(api, op, i) => (api, op, Part::Parameter(i)),
            Subject::Body(api, op, i) => (api, op, Part::Body(i)),
            Subject::Schema(_) => continue,
        };
        own.entry(place).or_default().push(example.value.clone());
    }
    runner.schema_examples(&written);
    for (a, api) in model.apis.iter().enumerate() {
        for (o, operation) in api.operations.iter().enumerate() {
            let mine: HashMap<Part, Vec<Value>> = own
                .iter()
                .filter(|((x, y, _), _)| (*x, *y) == (a, o))
                .map(|((_, _, part), values)| (*part, values.clone()))
                .collect();
            runner.operation(api, operation, &mine, &written, (a, o));
        }
    }
    runner.outcome
}

/// The oracle's schemas of a model's schema: one, or those that two joined operations have between them.
pub(crate) fn translate(
    model: &Model,
    translation: &mut Translation<'_>,
    id: SchemaId,
) -> Vec<usize> {
    let place = |id: SchemaId| {
        let at = model.locate(model.schemas[id].origin);
        (at.path.to_owned(), at.pointer)
    };
    let (path, pointer) = place(id);
    let schema = &model.schemas[id];
    // Joined operations have a schema that no document has.
    if let Some(any) = &schema.applied.any_of
        && any.origin == schema.origin
    {
        return any.value.iter().flat_map(|id| translate(model, translation, *id)).collect();
    }
    translation.add(&path, &pointer).into_iter().collect()
}

pub(crate) fn unenforced(report: &Report) -> Unenforced {
    report
        .constructs
        .iter()
        .filter(|line| line.status == Status::NotEnforced)
        .map(|line| (line.document.clone(), line.pointer.clone(), line.construct.clone()))
        .collect()
}

struct Runner<'m> {
    model: &'m Model,
    judge: Judge,
    generator: Generator<'m>,
    oracle: Oracle,
    numbers: HashMap<SchemaId, Vec<usize>>,
    enforced: HashSet<(String, String, String)>,
    outcome: Outcome,
    limit: usize,
}

/// What became of one mutant.
enum Fate {
    /// Refused by its keyword and pointer.
    Named,
    /// Refused, with something else said: what.
    Otherwise(String),
    /// Let pass.
    Passed,
    /// It cannot be sent, or is valid once it is sent.
    Void(&'static str),
    /// Refused by a keyword of the same value that refuses everything that this one does.
    Implied,
}

impl Runner<'_> {
    /// Whether the oracle accepts a value, read in any of the ways that its text can be read.
    fn oracle_accepts(&mut self, id: SchemaId, value: &Value, text: bool) -> Result<bool, String> {
        let json: Json =
            serde_json::from_str(&to_json(value)).map_err(|error| error.to_string())?;
        let numbers = self.numbers.get(&id).cloned().unwrap_or_default();
        if numbers.is_empty() {
            return Err("the oracle does not find the schema".to_owned());
        }
        let all = if text { readings(&json) } else { vec![json] };
        for number in numbers {
            let validator = self.oracle.validator(number)?;
            if all.iter().any(|reading| validator.is_valid(reading)) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Judges examples of schemas, each as a body of its own.
    fn schema_examples(&mut self, written: &[Example]) {
        let mut ids: Vec<SchemaId> = written
            .iter()
            .filter_map(|example| match example.subject {
                Subject::Schema(id) => Some(id),
                _ => None,
            })
            .collect();
        ids.sort_unstable();
        ids.dedup();
        let probe = probe(self.model, &ids);
        let mut judge = match compile(&probe) {
            Ok(bundle) => Judge::new(bundle),
            Err(why) => {
                self.outcome
                    .skipped
                    .add(format!("schemas by themselves do not compile: {why}"), String::new);
                return;
            }
        };
        for example in written {
            let Subject::Schema(id) = example.subject else { continue };
            let Ok(index) = ids.binary_search(&id) else { continue };
            let request = Request::json("POST", &format!("/s{index}"), &example.value);
            let judged = judge.judge(&request);
            let theirs = self.oracle_accepts(id, &example.value, false);
            self.compare(example, &judged, theirs);
        }
    }

    fn compare(&mut self, example: &Example, judged: &Judged, theirs: Result<bool, String>) {
        let place = || format!("{}:{} {}", example.path, example.line, example.pointer);
        let theirs = match theirs {
            Ok(theirs) => theirs,
            Err(why) => {
                self.outcome.skipped.add(format!("no oracle: {}", short(&why)), place);
                return;
            }
        };
        self.outcome.examples.1 += 1;
        if judged.passed == theirs {
            self.outcome.examples.0 += 1;
            self.outcome.invalid_examples += usize::from(!theirs);
            return;
        }
        let verdicts = if theirs { "refused, oracle accepts" } else { "passed, oracle refuses" };
        let finding = judged.findings.first().map(show).unwrap_or_default();
        let kind = format!("{} {verdicts}", example.keyword);
        self.outcome.disagreements.add(kind, || format!("{} {finding}", place()));
    }

    fn operation(
        &mut self,
        api: &Api,
        operation: &Operation,
        own: &HashMap<Part, Vec<Value>>,
        written: &[Example],
        (a, o): (usize, usize),
    ) {
        let name = format!("{} {}", operation.method.name(), operation.template.text);
        let all = parts(operation);
        let base = self.base(api, operation, own, &all);
        let passes = |runner: &mut Self, parts: &Parts| -> Result<Judged, String> {
            let request = assemble(api, operation, parts).map_err(|why| why.0.to_owned())?;
            Ok(runner.judge.judge(&request))
        };
        let base = match base {
            Some(base) => base,
            None => {
                self.outcome.requests.1 += 1;
                self.unreachable(&all, &name, "no valid request can be made");
                return;
            }
        };
        self.outcome.requests.1 += 1;
        match passes(self, &base) {
            Ok(judged) if judged.passed => self.outcome.requests.0 += 1,
            Ok(judged) => {
                let finding = judged.findings.first().map(show).unwrap_or_default();
                self.outcome
                    .disagreements
                    .add("a generated request is refused", || format!("{name}: {finding}"));
                self.unreachable(&all, &name, "its generated request is refused");
                return;
            }
            Err(why) => {
                self.unreachable(&all, &name, &format!("no valid request can be written: {why}"));
                return;
            }
        }
        for (part, schema) in all {
            let mut bases: Vec<Value> = Vec::new();
            let text = !self.is_json(operation, part);
            for example in written.iter().filter(|e| subject(a, o, part) == e.subject) {
                let mut with = base.clone();
                put(&mut with, part, example.value.clone());
                match passes(self, &with) {
                    Ok(judged) if !judged.enforced && matches!(part, Part::Body(_)) => {
                        self.outcome
                            .skipped
                            .add("bodies of the media type are not judged", || name.clone());
                    }
                    Ok(judged) => {
                        let theirs = self.oracle_accepts(schema, &example.value, text);
                        if judged.passed && theirs == Ok(true) {
                            bases.push(example.value.clone());
                        }
                        self.compare(example, &judged, theirs);
                    }
                    Err(why) => self.outcome.skipped.add(why, || {
                        format!("{}:{} {}", example.path, example.line, example.pointer)
                    }),
                }
            }
            self.mutate(api, operation, &base, part, schema, bases, &name);
        }
    }

    fn is_json(&self, operation: &Operation, part: Part) -> bool {
        match part {
            Part::Parameter(i) => operation.parameters.get(i).is_some_and(|parameter| {
                matches!(&parameter.value, policy_compiler::ir::ParameterValue::Content(media)
                    if policy_compiler::examples::kind_of(&media.range)
                        == policy_compiler::examples::BodyForm::Json)
            }),
            Part::Body(i) => {
                let media = operation.request_body.as_ref().and_then(|body| body.content.get(i));
                media.is_some_and(|media| {
                    policy_compiler::examples::kind_of(&media.range)
                        == policy_compiler::examples::BodyForm::Json
                })
            }
        }
    }

    /// A request that should pass: required parameters, and a body where one can be made.
    fn base(
        &mut self,
        api: &Api,
        operation: &Operation,
        own: &HashMap<Part, Vec<Value>>,
        all: &[(Part, SchemaId)],
    ) -> Option<Parts> {
        let mut base = Parts { parameters: vec![None; operation.parameters.len()], body: None };
        for (i, parameter) in operation.parameters.iter().enumerate() {
            let part = Part::Parameter(i);
            let schema = all.iter().find(|(known, _)| *known == part).map(|(_, schema)| *schema);
            if parameter.required.value || parameter.location == ParameterLocation::Path {
                let value = match schema {
                    Some(schema) => self.sayable(api, operation, &base, part, schema, own)?,
                    None => Value::String("text".to_owned()),
                };
                base.parameters[i] = Some(value);
            }
        }
        let body = operation.request_body.as_ref();
        let bodies = all.iter().filter(|(part, _)| matches!(part, Part::Body(_)));
        for (part, schema) in bodies {
            if let Some(value) = self.sayable(api, operation, &base, *part, *schema, own) {
                put(&mut base, *part, value);
                break;
            }
        }
        if body.is_some_and(|body| body.required.value) && base.body.is_none() {
            // A media type without a schema takes anything.
            let any = body?.content.iter().position(|media| media.schema.is_none())?;
            base.body = Some((any, Value::Object(Vec::new())));
        }
        Some(base)
    }

    /// A value for a part that can be written and that the engine takes, if there is one that it takes.
    fn sayable(
        &mut self,
        api: &Api,
        operation: &Operation,
        base: &Parts,
        part: Part,
        schema: SchemaId,
        own: &HashMap<Part, Vec<Value>>,
    ) -> Option<Value> {
        let text = !self.is_json(operation, part);
        let mut candidates: Vec<Value> = Vec::new();
        for value in own.get(&part).into_iter().flatten().take(3) {
            if self.oracle_accepts(schema, value, text) == Ok(true) {
                candidates.push(value.clone());
            }
        }
        let mut last = None;
        let mut salts = 0..6;
        loop {
            let next = candidates
                .pop()
                .or_else(|| salts.next().and_then(|salt| self.generator.all(&[schema], salt)));
            let Some(value) = next else {
                if salts.is_empty() {
                    return last;
                }
                continue;
            };
            let mut with = base.clone();
            put(&mut with, part, value.clone());
            if let Ok(request) = assemble(api, operation, &with) {
                let judged = self.judge.judge(&request);
                let mine = match part {
                    Part::Body(_) => "body".to_owned(),
                    Part::Parameter(i) => operation.parameters[i].name.clone(),
                };
                let blamed = judged.findings.iter().any(|found| match part {
                    Part::Body(_) => found.part == "body",
                    Part::Parameter(_) => {
                        found.name.eq_ignore_ascii_case(&mine) || found.code.starts_with("path-")
                    }
                });
                if !blamed {
                    return Some(value);
                }
                last = last.or(Some(value));
            }
        }
    }

    fn unreachable(&mut self, all: &[(Part, SchemaId)], name: &str, why: &str) {
        for (_, schema) in all {
            let pairs = self.pairs(*schema);
            self.outcome.mutants.1 += pairs.len();
            for _ in pairs {
                self.outcome.survivors.add(why, || name.to_owned());
            }
        }
    }

    /// Keywords of a part's schemas that are enforced and can refuse, each with the schemas that have it.
    fn pairs(&mut self, schema: SchemaId) -> Vec<(Occurrence, policy_compiler::examples::Reach)> {
        let model = self.model;
        let mut seen: HashSet<Occurrence> = HashSet::new();
        let mut all = Vec::new();
        let mut read_only = {
            let generator = &mut self.generator;
            move |id: SchemaId| generator.evaluator.is_read_only(id)
        };
        for reach in reach(model, schema, &mut read_only) {
            for occurrence in reach.occurrences(model, &mut read_only) {
                let at = model.locate(occurrence.origin);
                let key = (at.path.to_owned(), at.pointer, occurrence.keyword.to_owned());
                if self.enforced.contains(&key) && seen.insert(occurrence) {
                    all.push((occurrence, reach.clone()));
                }
            }
        }
        all
    }

    #[expect(clippy::too_many_arguments, reason = "a part and where it belongs")]
    fn mutate(
        &mut self,
        api: &Api,
        operation: &Operation,
        base: &Parts,
        part: Part,
        schema: SchemaId,
        mut bases: Vec<Value>,
        name: &str,
    ) {
        let mut pairs = self.pairs(schema);
        if pairs.is_empty() {
            return;
        }
        pairs.truncate(self.limit);
        let mut best: HashMap<Occurrence, Fate> = HashMap::new();
        bases.truncate(3);
        if let Some(value) = self.generator.value(schema) {
            bases.push(value);
        }
        for value in &bases {
            self.try_base(api, operation, base, (part, schema), value, &pairs, &mut best);
        }
        for (occurrence, reach) in &pairs {
            if matches!(best.get(occurrence), Some(Fate::Named)) {
                continue;
            }
            let Some(value) = self.generator.along(schema, &reach.way) else { continue };
            self.try_base(api, operation, base, (part, schema), &value, &pairs, &mut best);
        }
        for (occurrence, reach) in &pairs {
            let at = self.model.locate(occurrence.origin);
            let sample = || format!("{name} {}:{} {}", at.path, at.line, at.pointer);
            match best.get(occurrence) {
                Some(Fate::Named) => {
                    self.outcome.mutants.0 += 1;
                    self.outcome.mutants.1 += 1;
                }
                Some(Fate::Otherwise(what)) => {
                    self.outcome.mutants.1 += 1;
                    let kind = format!("{}: refused otherwise", occurrence.keyword);
                    self.outcome.survivors.add(kind, || format!("{} [{what}]", sample()));
                }
                Some(Fate::Passed) => {
                    self.outcome.mutants.1 += 1;
                    let kind = format!("{}: passed", occurrence.keyword);
                    self.outcome.survivors.add(kind, sample);
                }
                Some(Fate::Implied) => {
                    let kind = format!("{}: a stricter keyword refuses it all", occurrence.keyword);
                    self.outcome.inviolable.add(kind, sample);
                }
                Some(Fate::Void(why)) => {
                    self.outcome.inviolable.add(format!("{}: {why}", occurrence.keyword), sample);
                }
                None => {
                    let reached = self.generator.along(schema, &reach.way).is_some();
                    if reached {
                        let kind = format!("{}: nothing violates it", occurrence.keyword);
                        self.outcome.inviolable.add(kind, sample);
                    } else {
                        self.outcome.mutants.1 += 1;
                        let kind = format!("{}: no valid value leads there", occurrence.keyword);
                        self.outcome.survivors.add(kind, sample);
                    }
                }
            }
        }
    }

    #[expect(clippy::too_many_arguments, reason = "a part and where it belongs")]
    fn try_base(
        &mut self,
        api: &Api,
        operation: &Operation,
        base: &Parts,
        (part, schema): (Part, SchemaId),
        value: &Value,
        pairs: &[(Occurrence, policy_compiler::examples::Reach)],
        best: &mut HashMap<Occurrence, Fate>,
    ) {
        let trace = self.generator.evaluator.judge(schema, value);
        let mut places: HashMap<SchemaId, Vec<&Visit>> = HashMap::new();
        for visit in &trace.visits {
            let list = places.entry(visit.schema).or_default();
            if list.len() < 3 {
                list.push(visit);
            }
        }
        for (occurrence, reach) in pairs {
            if matches!(best.get(occurrence), Some(Fate::Named)) {
                continue;
            }
            for visit in places.get(&reach.schema).into_iter().flatten() {
                for mutant in mutants(&mut self.generator, schema, value, visit, *occurrence) {
                    let fate =
                        self.fate(api, operation, base, (part, schema), &mutant, *occurrence);
                    let rank = |fate: &Fate| match fate {
                        Fate::Void(_) => 0,
                        Fate::Implied => 1,
                        Fate::Otherwise(_) => 2,
                        Fate::Passed => 3,
                        Fate::Named => 4,
                    };
                    let better = best.get(occurrence).is_none_or(|known| rank(&fate) > rank(known));
                    let named = matches!(fate, Fate::Named);
                    if better {
                        best.insert(*occurrence, fate);
                    }
                    if named {
                        break;
                    }
                }
                if matches!(best.get(occurrence), Some(Fate::Named)) {
                    break;
                }
            }
        }
    }

    fn fate(
        &mut self,
        api: &Api,
        operation: &Operation,
        base: &Parts,
        (part, schema): (Part, SchemaId),
        mutant: &Mutant,
        occurrence: Occurrence,
    ) -> Fate {
        let text = !self.is_json(operation, part);
        let mut with = base.clone();
        put(&mut with, part, mutant.value.clone());
        let request = match assemble(api, operation, &with) {
            Ok(request) => request,
            Err(why) => return Fate::Void(why.0),
        };
        match self.oracle_accepts(schema, &mutant.value, text) {
            Ok(false) => {}
            Ok(true) if text => return Fate::Void("its text says something valid"),
            Ok(true) => return Fate::Void("the oracle accepts it"),
            Err(_) => return Fate::Void("no oracle"),
        }
        if text && !self.said_in_text(schema, mutant, occurrence) {
            return Fate::Void("any text satisfies it");
        }
        let judged = self.judge.judge(&request);
        let by_form = text && occurrence.keyword == "type" && self.says_container(occurrence);
        if judged.passed && by_form {
            return Fate::Void("the way it is written says its type");
        }
        if judged.passed {
            return Fate::Passed;
        }
        // Other places that the same keyword refuses the same value by are as good.
        let expected: HashSet<(String, String)> = mutant
            .trace
            .violations
            .iter()
            .filter(|v| v.keyword == occurrence.keyword)
            .filter(|v| v.at == mutant.at || v.at.starts_with(&format!("{}/", mutant.at)))
            .map(|v| {
                let at = self.model.locate(v.origin);
                (at.path.to_owned(), at.pointer)
            })
            .collect();
        let named = judged.findings.iter().any(|found| {
            let source = found.source.as_ref();
            found.keyword == Some(occurrence.keyword)
                && source.is_some_and(|(path, _, pointer)| {
                    expected.contains(&(path.clone(), pointer.clone()))
                })
                && (!matches!(part, Part::Body(_)) || points(&found.name, &mutant.at))
        });
        if named {
            return Fate::Named;
        }
        // Where the value breaks another keyword too, either may be named.
        let beside = mutant.trace.violations.iter().any(|v| {
            v.at == mutant.at
                && !matches!(v.keyword, "anyOf" | "oneOf" | "not")
                && v.keyword != occurrence.keyword
                && judged.findings.iter().any(|found| found.keyword == Some(v.keyword))
        });
        if beside {
            return Fate::Implied;
        }
        if by_form {
            return Fate::Void("the way it is written says its type");
        }
        Fate::Otherwise(judged.findings.first().map(show).unwrap_or_default())
    }

    /// Whether a `type` admits arrays or objects, which text says by its form.
    fn says_container(&self, occurrence: Occurrence) -> bool {
        use policy_compiler::ir::Type;
        self.model.schemas.0.iter().filter_map(|schema| schema.types.as_ref()).any(|types| {
            types.origin == occurrence.origin
                && (types.value.contains(Type::Array) || types.value.contains(Type::Object))
        })
    }

    /// Whether a value still breaks a keyword when its text is taken for strings, or for numbers and the like.
    fn said_in_text(&mut self, schema: SchemaId, mutant: &Mutant, occurrence: Occurrence) -> bool {
        // A piece of text is a list of one too.
        let mut wrapped = mutant.value.clone();
        if let Some(place) = policy_compiler::examples::place(&mut wrapped, &mutant.at)
            && !matches!(place, Value::Array(_) | Value::Object(_))
        {
            *place = Value::Array(vec![place.clone()]);
            let valid = |reading: &Value| self.generator.evaluator.accepts(&[schema], reading);
            if exact_readings(&wrapped).iter().any(valid) {
                return false;
            }
        }
        let mut all = exact_readings(&mutant.value);
        // In forms, an array or object can be JSON text, which is a string.
        let mut quoted = mutant.value.clone();
        if let Some(place) = policy_compiler::examples::place(&mut quoted, &mutant.at)
            && matches!(place, Value::Array(_) | Value::Object(_))
            && !mutant.at.is_empty()
        {
            *place = Value::String(to_json(place));
            all.push(quoted);
        }
        all.iter().all(|reading| {
            let trace = self.generator.evaluator.judge(schema, reading);
            let broken = |v: &policy_compiler::examples::Violation| {
                v.keyword == occurrence.keyword && v.origin == occurrence.origin
            };
            // Another reading may break another keyword; only a type is a matter of reading itself.
            !trace.violations.is_empty()
                && (occurrence.keyword != "type" || trace.violations.iter().any(broken))
        })
    }
}

/// Whether a finding's pointer is that of a mutant's place or of a member of it; `*` stands for any name.
fn points(found: &str, at: &str) -> bool {
    let (found, at): (Vec<&str>, Vec<&str>) = (found.split('/').collect(), at.split('/').collect());
    (found.len() == at.len() || found.len() == at.len() + 1)
        && at.iter().zip(&found).all(|(at, found)| at == found || *found == "*")
}

fn subject(a: usize, o: usize, part: Part) -> Subject {
    match part {
        Part::Parameter(i) => Subject::Parameter(a, o, i),
        Part::Body(i) => Subject::Body(a, o, i),
    }
}

fn put(parts: &mut Parts, part: Part, value: Value) {
    match part {
        Part::Parameter(i) => parts.parameters[i] = Some(value),
        Part::Body(i) => parts.body = Some((i, value)),
    }
}

fn show(found: &Found) -> String {
    let source =
        found.source.as_ref().map_or(String::new(), |(_, _, pointer)| format!(" by {pointer}"));
    format!(
        "{} at {} {} ({}){source}",
        found.code,
        found.part,
        found.name,
        found.keyword.unwrap_or("")
    )
}

fn short(text: &str) -> String {
    text.chars().take(100).collect()
}
