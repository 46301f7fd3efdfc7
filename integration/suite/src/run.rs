//! One document: compiled, its examples judged by both, its mutants judged by both.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};

use policy_compiler::examples::{
    Carrier, Evaluator, Example, Found, Generator, Judge, Judged, Part, Parts, Request, Subject,
    Written, assemble, compile, parts, probe, to_json, written,
};
use policy_compiler::ir::{Api, Direction, Model, Operation, ParameterLocation, SchemaId, Value};
use policy_compiler::report::{Report, Status};
use policy_compiler::source::{FileSystem, Library, Sources};
use policy_compiler::{Input, Release, load};
use serde_json::Value as Json;

use crate::left::Left;
use crate::mutants::Stage;
use crate::oracle::{Dialect, Oracle, Translation, Unenforced};
use crate::readings::{best_reading, readings};
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
    /// References in schemas that lead nowhere: by default an error, here allowed by the policy, and not enforced.
    pub unresolved: usize,
    /// Formats that no specification defines, which are no constraints.
    pub unknown_formats: usize,
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
    /// Requests that break what is no keyword of a schema, by kind: refused as they should be, all.
    pub broken: BTreeMap<&'static str, (usize, usize)>,
    /// Pairs that no request can violate, and keywords that are in no pair, with the reason: not among the mutants.
    pub left: Left,
    /// Examples that were not judged, with the reason.
    pub skipped: Troubles,
}

/// A document's folder with a policy that takes what the document leaves open. What the API sends is an API of its
/// own, on a host of its own.
pub(crate) fn overlay(root: &Path) -> (Overlay, String) {
    let folder = root.parent().map_or_else(PathBuf::new, Path::to_path_buf);
    let file = root.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let files = FileSystem { base: folder };
    let mut policy = "version: 1\nname: suite\nstrictness: { unresolved_refs: not_enforced }\n\
         limits: { body: 16MiB, depth: 64, path: 64KiB, parameters: 1000, properties: 20000, string: 1MiB, items: 200000 }\n\
         apis:\n"
        .to_owned();
    let name = Json::String(file.clone());
    for direction in directions(&files, &file) {
        let (api, more) = match direction {
            Direction::Inbound => ("api", ""),
            Direction::Outbound => ("sent", "    direction: outbound\n    hosts: [sent.example]\n"),
        };
        policy.push_str(&format!("  - name: {api}\n    documents: [{name}]\n{more}"));
    }
    (Overlay { files, policy }, file)
}

/// Which requests a document declares: those to the API, those that it sends, or both.
pub(crate) fn directions(files: &FileSystem, file: &str) -> Vec<Direction> {
    let has = |direction| {
        let model = load::load_as(files, &[file.to_owned()], Some(direction)).model;
        model.operations().next().is_some()
    };
    let mut all = vec![Direction::Inbound, Direction::Outbound];
    if has(Direction::Outbound) {
        all.retain(|direction| *direction == Direction::Outbound || has(Direction::Inbound));
    } else {
        all.truncate(1);
    }
    all
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
        outcome.unknown_formats += document.unknown_formats;
    }
    outcome.unresolved = model.schemas.iter().filter(|(_, it)| it.unresolved.is_some()).count();
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
    let apart = apart(model);
    for (_, operation) in apart.iter().flat_map(|model| model.operations()) {
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
        whole: None,
        generator: Generator::new(Evaluator::new(model, strictness)),
        oracle,
        numbers,
        enforced,
        seen: HashSet::new(),
        unjudged: report
            .constructs
            .iter()
            .filter(|line| line.status == Status::NotEnforced)
            .map(|line| (line.document.clone(), line.pointer.clone()))
            .collect(),
        reached: HashSet::new(),
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
            if operation.alternatives.is_empty() {
                runner.operation(api, operation, &mine, &written, (a, o));
            }
        }
    }
    for (number, alone) in apart.iter().enumerate() {
        runner.alternatives(alone, number, &written);
    }
    runner.unpaired(report);
    runner.outcome
}

/// The model without alternatives of parameters, once with each: what a request of one violates may fit another, so that
/// each is judged as if it were alone. The first holds every operation that has none.
fn apart(model: &Model) -> Vec<Model> {
    let most = model.operations().map(|(_, it)| it.alternatives.len()).max().unwrap_or(0);
    let mut all = vec![model.clone(); most + 1];
    for (number, alone) in all.iter_mut().enumerate() {
        for operation in alone.apis.iter_mut().flat_map(|api| &mut api.operations) {
            let mut others = std::mem::take(&mut operation.alternatives);
            if (1..=others.len()).contains(&number) {
                operation.parameters = others.swap_remove(number - 1);
            }
        }
    }
    all
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
    // A form of Swagger 2.0 stands nowhere: it has the place of the first of the parameters that are its fields.
    let fields = schema.object.properties.iter().flat_map(|list| &list.value);
    if fields
        .clone()
        .next()
        .is_some_and(|first| place(first.schema) == (path.clone(), pointer.clone()))
    {
        let members = fields.filter_map(|field| {
            let (path, pointer) = place(field.schema);
            Some((field.name.clone(), translation.add(&path, &pointer)?))
        });
        let members: Vec<(String, usize)> = members.collect();
        let required = schema.object.required.iter().flat_map(|list| &list.value);
        let required = required.map(|name| name.value.clone()).collect();
        return vec![translation.form(&members, required)];
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

pub(crate) struct Runner<'m> {
    pub model: &'m Model,
    pub judge: Judge,
    /// Of an operation whose parameters have alternatives: the judge of all, where `judge` is that of one.
    pub whole: Option<Judge>,
    pub generator: Generator<'m>,
    pub oracle: Oracle,
    pub numbers: HashMap<SchemaId, Vec<usize>>,
    /// File, pointer and name of every construct that is enforced.
    pub enforced: HashSet<(String, String, String)>,
    /// Those of them that some pair or some broken request is about.
    pub seen: HashSet<(String, String, String)>,
    /// File and pointer of every construct that the report says is not fully enforced.
    pub unjudged: HashSet<(String, String)>,
    /// File and pointer of every schema that some part of an operation that is judged can meet.
    pub reached: HashSet<(String, String)>,
    pub outcome: Outcome,
    pub limit: usize,
}

impl Runner<'_> {
    /// Whether the oracle accepts a value, read in any of the ways in which its text can be read.
    pub(crate) fn oracle_accepts(
        &mut self,
        id: SchemaId,
        value: &Value,
        carrier: &Carrier<'_>,
        brackets: bool,
    ) -> Result<bool, String> {
        let json: Json =
            serde_json::from_str(&to_json(value)).map_err(|error| error.to_string())?;
        let numbers = self.numbers.get(&id).cloned().unwrap_or_default();
        if numbers.is_empty() {
            return Err("the oracle does not find the schema".to_owned());
        }
        let is_text = |at: &str| is_text(carrier, value, at, brackets);
        let all = if carrier.is_json() { vec![json.clone()] } else { readings(&json, &is_text) };
        for number in numbers {
            let validator = self.oracle.validator(number)?;
            if all.iter().any(|reading| validator.is_valid(reading)) {
                return Ok(true);
            }
            if !carrier.is_json() && best_reading(&validator, &json, &is_text) {
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
            let theirs = self.oracle_accepts(id, &example.value, &Carrier::Json, false);
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

    /// Operations with alternatives, held to one of these by itself. Its requests must pass all together, too.
    fn alternatives(&mut self, alone: &Model, number: usize, written: &[Example]) {
        let model = self.model;
        let own = model.operations().filter(|(_, it)| it.alternatives.len() >= number.max(1));
        if own.count() == 0 {
            return;
        }
        let bundle = match compile(alone) {
            Ok(bundle) => bundle,
            Err(why) => {
                self.outcome.disagreements.add("an alternative alone", || why.to_string());
                return;
            }
        };
        self.whole = Some(std::mem::replace(&mut self.judge, Judge::new(bundle)));
        for (a, (api, whole)) in alone.apis.iter().zip(&model.apis).enumerate() {
            for (o, (operation, whole)) in api.operations.iter().zip(&whole.operations).enumerate()
            {
                if whole.alternatives.len() < number.max(1) {
                    continue;
                }
                // Examples are told by the place of a parameter in the first alternative.
                let (examples, place) =
                    if number == 0 { (written, (a, o)) } else { (&[][..], (usize::MAX, o)) };
                self.operation(api, operation, &HashMap::new(), examples, place);
            }
        }
        if let Some(whole) = self.whole.take() {
            self.judge = whole;
        }
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
            let request =
                assemble(runner.model, api, operation, parts).map_err(|why| why.0.to_owned())?;
            let alone = runner.judge.judge(&request);
            Ok(match &mut runner.whole {
                Some(whole) if alone.passed => whole.judge(&request),
                _ => alone,
            })
        };
        let base = match base {
            Some(base) => base,
            None => {
                self.outcome.requests.1 += 1;
                self.unreachable(operation, &all, &name, "no valid request can be made");
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
                self.unreachable(operation, &all, &name, "its generated request is refused");
                return;
            }
            Err(why) => {
                self.unreachable(
                    operation,
                    &all,
                    &name,
                    &format!("no valid request can be written: {why}"),
                );
                return;
            }
        }
        self.broken_requests(api, operation, &base, &name);
        for (part, schema) in all {
            let mut bases: Vec<Value> = Vec::new();
            let carrier = Carrier::of(operation, part);
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
                        let theirs = self.oracle_accepts(schema, &example.value, &carrier, false);
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
            let stage = Stage { api, operation, base: &base, part, schema, carrier };
            self.mutate(&stage, bases, &name);
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
        let mut base =
            Parts { parameters: vec![None; operation.parameters.len()], ..Parts::default() };
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
        let carrier = Carrier::of(operation, part);
        let mut candidates: Vec<Value> = Vec::new();
        for value in own.get(&part).into_iter().flatten().take(3) {
            if self.oracle_accepts(schema, value, &carrier, false) == Ok(true) {
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
            if let Ok(request) = assemble(self.model, api, operation, &with) {
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
}

/// Whether a place within a value is written as text, which says no type.
pub(crate) fn is_text(carrier: &Carrier<'_>, value: &Value, at: &str, brackets: bool) -> bool {
    match carrier.at(value, at) {
        Written::Json => brackets,
        Written::Form | Written::Lines => false,
        Written::Part => !brackets,
        Written::Field | Written::Styled | Written::Deep | Written::Text | Written::Element => true,
    }
}

fn subject(a: usize, o: usize, part: Part) -> Subject {
    match part {
        Part::Parameter(i) => Subject::Parameter(a, o, i),
        Part::Body(i) => Subject::Body(a, o, i),
    }
}

pub(crate) fn put(parts: &mut Parts, part: Part, value: Value) {
    match part {
        Part::Parameter(i) => parts.parameters[i] = Some(value),
        Part::Body(i) => parts.body = Some((i, value)),
    }
}

pub(crate) fn show(found: &Found) -> String {
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
