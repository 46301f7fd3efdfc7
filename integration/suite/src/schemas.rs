//! `suite differential` on schemas by themselves: those of the official JSON Schema suite, and random ones.
//!
//! The official suite's instances are changed at random; random schemas are made of few names and small numbers, so that
//! their keywords meet. A schema that the compiler does not enforce whole, or that one of the two does not take, is left
//! out and counted.

use std::path::Path;

use jsonschema::Validator as Theirs;
use policy_compiler::bare::{SchemaOptions, compile_schema};
use policy_compiler::diag::Severity;
use policy_compiler::examples::to_json;
use policy_compiler::ir::{Contents, Dialect, Formats, Number, Strictness, Value};
use policy_compiler::report::Status;
use policy_compiler::source::{Mapping, Sources};
use portcullis_bundle::layout::Sections;
use portcullis_engine::schema::{FaultKind, Limits, NoSink, Validator};
use serde_json::{Value as Json, json};

use crate::differential::{Random, Rule, Totals, change, has_wide_number};

/// Which JSON Schema draft the suite's schemas are of.
const DRAFTS: [(&str, Dialect, jsonschema::Draft); 2] = [
    ("draft2020-12", Dialect::Draft2020, jsonschema::Draft::Draft202012),
    ("draft4", Dialect::Draft4, jsonschema::Draft::Draft4),
];

/// One schema as a file, beside the official suite's remote ones.
struct One<'s> {
    text: &'s str,
    remotes: Option<&'s Path>,
}

impl Sources for One<'_> {
    fn read(&self, path: &str) -> Result<Vec<u8>, String> {
        match (path, self.remotes, path.strip_prefix("remotes/")) {
            ("schema.json", ..) => Ok(self.text.as_bytes().to_vec()),
            (_, Some(folder), Some(name)) => {
                std::fs::read(folder.join(name)).map_err(|error| error.to_string())
            }
            _ => Err("there is no such file".to_owned()),
        }
    }
}

/// A schema, compiled by both.
struct Pair {
    sections: Sections,
    root: u32,
    theirs: Theirs,
}

/// Compiles a schema by both; why not, where one of the two does not take it.
fn compile(
    schema: &Json,
    dialect: Dialect,
    draft: jsonschema::Draft,
    remotes: Option<&Path>,
) -> Result<Pair, &'static str> {
    let text = schema.to_string();
    let strictness = Strictness {
        formats: Formats::Annotate,
        content: Contents::Annotate,
        ..Strictness::default()
    };
    let options = SchemaOptions {
        dialect,
        strictness,
        mappings: vec![Mapping {
            uri: "http://localhost:1234/".to_owned(),
            path: "remotes/".to_owned(),
        }],
    };
    let output = compile_schema(&One { text: &text, remotes }, "schema.json", &options);
    let errors = output.diagnostics.sorted().iter().any(|d| d.severity == Severity::Error);
    let (Some((sections, root)), Some(report), false) = (output.program, output.report, errors)
    else {
        return Err("the compiler does not take it");
    };
    let annotation = |construct: &str| {
        matches!(construct, "format" | "contentEncoding" | "contentMediaType" | "contentSchema")
    };
    let part = |line: &policy_compiler::report::ReportLine| {
        line.status != Status::Enforced && !annotation(&line.construct)
    };
    if report.constructs.iter().any(part) {
        return Err("it is not enforced whole");
    }
    let options = jsonschema::options().with_draft(draft).should_validate_formats(false);
    let theirs = options.build(schema);
    let theirs = theirs.map_err(|_| "jsonschema does not take it")?;
    Ok(Pair { sections, root, theirs })
}

/// Judges one value by both.
fn judge(pair: &Pair, validator: &mut Validator, value: &Value, totals: &mut Totals, of: &Json) {
    let text = to_json(value);
    let Ok(json) = serde_json::from_str::<Json>(&text) else { return };
    let limits = Limits::default();
    let view = pair.sections.view();
    let judged = validator.validate(&view, pair.root, limits, text.as_bytes(), &mut NoSink);
    let theirs = pair.theirs.is_valid(&json);
    totals.instances += 1;
    if judged.is_ok() == theirs {
        totals.accepted += u64::from(theirs);
        return;
    }
    let rule = match &judged {
        Err(fault) if theirs && fault.kind != FaultKind::Invalid => Some(Rule::Limit),
        Err(_) if theirs && !text.is_ascii() => Some(Rule::UnicodeClass),
        _ if has_wide_number(&json) || has_wide_number(of) => Some(Rule::WideNumber),
        _ => None,
    };
    match rule {
        Some(rule) => *totals.explained.entry(rule).or_default() += 1,
        None => {
            totals.unexplained += 1;
            if totals.samples.len() < 20 {
                let fault = judged.err().map(|f| format!("{:?} {:?}", f.kind, f.keyword));
                totals.samples.push(format!(
                    "jsonschema={theirs} {} {text} {}",
                    of.to_string().chars().take(1200).collect::<String>(),
                    fault.unwrap_or_default()
                ));
            }
        }
    }
}

/// The schemas of the official suite, each on `quota` instances over all of them.
pub(crate) fn official(folder: &Path, quota: u64, seed: u64, totals: &mut Totals) {
    let remotes = folder.join("remotes");
    let mut groups: Vec<(usize, Json)> = Vec::new();
    for (draft, (name, ..)) in DRAFTS.iter().enumerate() {
        let entries = std::fs::read_dir(folder.join("tests").join(name));
        let mut files: Vec<_> =
            entries.into_iter().flatten().flatten().map(|entry| entry.path()).collect();
        files.sort();
        for file in files.iter().filter(|file| file.extension().is_some_and(|e| e == "json")) {
            let Ok(text) = std::fs::read_to_string(file) else { continue };
            let Ok(Json::Array(list)) = serde_json::from_str(&text) else { continue };
            groups.extend(list.into_iter().map(|group| (draft, group)));
        }
    }
    let mut validator = Validator::new();
    let end = totals.instances + quota;
    let count = groups.len();
    for (index, (draft, group)) in groups.iter().enumerate() {
        let (_, dialect, draft) = DRAFTS[*draft];
        totals.schemas += 1;
        let schema = &group["schema"];
        let pair = match compile(schema, dialect, draft, Some(&remotes)) {
            Ok(pair) => pair,
            Err(why) => {
                *totals.left.entry(why).or_default() += 1;
                continue;
            }
        };
        let data = group["tests"].as_array().into_iter().flatten().map(|test| of(&test["data"]));
        let bases: Vec<Value> = data.flatten().collect();
        if bases.is_empty() {
            continue;
        }
        let mut random = Random::new(seed, index as u64);
        let quota = end.saturating_sub(totals.instances).div_ceil((count - index) as u64);
        for round in 0..quota {
            let mut value = bases[random.below(bases.len())].clone();
            if round >= bases.len() as u64 {
                (0..=random.below(3)).for_each(|_| change(&mut value, &bases, &mut random));
            }
            judge(&pair, &mut validator, &value, totals, schema);
        }
    }
}

/// How many values each random schema judges.
const EACH: u64 = 250;

/// Random schemas, each on random values.
pub(crate) fn random(quota: u64, seed: u64, totals: &mut Totals) {
    let (_, dialect, draft) = DRAFTS[0];
    let mut validator = Validator::new();
    let end = totals.instances + quota;
    let mut index = 0;
    while totals.instances < end && index < quota {
        let mut random = Random::new(seed, 0x5EED_0000 + index);
        index += 1;
        totals.schemas += 1;
        let mut whole = schema(&mut random, 3);
        if let Json::Object(members) = &mut whole {
            let (a, b) = (schema(&mut random, 2), schema(&mut random, 1));
            members.insert("$defs".to_owned(), json!({ "a": a, "b": b }));
        }
        let pair = match compile(&whole, dialect, draft, None) {
            Ok(pair) => pair,
            Err(why) => {
                *totals.left.entry(why).or_default() += 1;
                continue;
            }
        };
        let mut bases: Vec<Value> = Vec::new();
        for round in 0..EACH.min(end - totals.instances) {
            let mut next = value(&mut random, 3);
            if round > 20 && !bases.is_empty() && random.below(2) == 0 {
                next = bases[random.below(bases.len())].clone();
                change(&mut next, &bases, &mut random);
            }
            let before = totals.accepted;
            judge(&pair, &mut validator, &next, totals, &whole);
            // What was accepted is worth changing.
            if totals.accepted > before && bases.len() < 30 {
                bases.push(next);
            }
        }
    }
}

const NAMES: [&str; 4] = ["a", "b", "c", "ab"];

fn name(random: &mut Random) -> String {
    NAMES[random.below(NAMES.len())].to_owned()
}

fn value(random: &mut Random, depth: u32) -> Value {
    let number = |text: &str| Number::parse(text).map_or(Value::Null, Value::Number);
    match random.below(if depth == 0 { 5 } else { 9 }) {
        0 => Value::Null,
        1 => Value::Bool(random.below(2) == 0),
        2 => number(["0", "1", "2", "3", "5", "-1", "10"][random.below(7)]),
        3 => number(["1.0", "0.5", "1.5", "2.50"][random.below(4)]),
        4 => Value::String(["", "a", "b", "ab", "abc", "1"][random.below(6)].to_owned()),
        5 | 6 => {
            let count = random.below(5);
            Value::Array((0..count).map(|_| value(random, depth - 1)).collect())
        }
        _ => {
            let mut members: Vec<(String, Value)> = Vec::new();
            for _ in 0..random.below(5) {
                let name = name(random);
                if !members.iter().any(|(known, _)| *known == name) {
                    members.push((name, value(random, depth - 1)));
                }
            }
            Value::Object(members)
        }
    }
}

/// A schema of a few keywords; at depth 0 it holds no other.
fn schema(random: &mut Random, depth: u32) -> Json {
    if random.below(14) == 0 {
        return Json::Bool(random.below(4) > 0);
    }
    let mut members = serde_json::Map::new();
    for _ in 0..=random.below(3) {
        let (keyword, value) = keyword(random, depth);
        members.insert(keyword.to_owned(), value);
    }
    if members.contains_key("then") || members.contains_key("else") {
        members.insert("if".to_owned(), schema(random, depth.saturating_sub(1)));
    }
    Json::Object(members)
}

fn keyword(random: &mut Random, depth: u32) -> (&'static str, Json) {
    const TYPES: [&str; 7] = ["null", "boolean", "integer", "number", "string", "array", "object"];
    let plain = 20;
    let pick = random.below(if depth == 0 { plain } else { plain + 24 });
    let json =
        |random: &mut Random| serde_json::from_str(&to_json(&value(random, 1))).unwrap_or_default();
    let small = |random: &mut Random| json!(random.below(4));
    let below = |random: &mut Random| schema(random, depth.saturating_sub(1));
    let list = |random: &mut Random| -> Json {
        (0..=random.below(3)).map(|_| schema(random, depth.saturating_sub(1))).collect()
    };
    let names = |random: &mut Random| -> Json {
        let mut names: Vec<String> = (0..=random.below(2)).map(|_| name(random)).collect();
        names.sort();
        names.dedup();
        json!(names)
    };
    match pick {
        0..=2 => ("type", json!(TYPES[random.below(7)])),
        3 => {
            let (a, b) = (random.below(7), random.below(6));
            ("type", json!([TYPES[a], TYPES[(a + 1 + b) % 7]]))
        }
        4 => {
            let mut all: Vec<Json> = Vec::new();
            for _ in 0..=random.below(4) {
                let one: Json = json(random);
                if !all.contains(&one) {
                    all.push(one);
                }
            }
            ("enum", json!(all))
        }
        5 => ("const", json(random)),
        6 => ("minimum", small(random)),
        7 => ("maximum", small(random)),
        8 => ("exclusiveMinimum", small(random)),
        9 => ("multipleOf", json!([0.5, 1.0, 2.0, 3.0][random.below(4)])),
        10 => ("minLength", small(random)),
        11 => ("maxLength", small(random)),
        12 => ("pattern", json!(["^a", "b$", "^[ab]+$", "1|c", "^.{2}$"][random.below(5)])),
        13 => ("minItems", small(random)),
        14 => ("maxItems", small(random)),
        15 => ("uniqueItems", json!(random.below(3) > 0)),
        16 => ("minProperties", small(random)),
        17 => ("maxProperties", small(random)),
        18 => ("required", names(random)),
        19 => ("dependentRequired", json!({ name(random): names(random) })),
        20..=23 => {
            let mut all = serde_json::Map::new();
            for _ in 0..=random.below(3) {
                all.insert(name(random), below(random));
            }
            ("properties", Json::Object(all))
        }
        24 => ("additionalProperties", below(random)),
        25 => ("patternProperties", json!({ ["^a", "b", "c$"][random.below(3)]: below(random) })),
        26 => ("propertyNames", below(random)),
        27 => ("dependentSchemas", json!({ name(random): below(random) })),
        28 => ("unevaluatedProperties", below(random)),
        29 => ("unevaluatedItems", below(random)),
        30 | 31 => ("items", below(random)),
        32 => ("prefixItems", list(random)),
        33 => ("contains", below(random)),
        34 => ("minContains", small(random)),
        35 => ("allOf", list(random)),
        36 | 37 => ("anyOf", list(random)),
        38 | 39 => ("oneOf", list(random)),
        40 => ("not", below(random)),
        41 => ("then", below(random)),
        42 => ("else", below(random)),
        _ => ("$ref", json!(["#/$defs/a", "#/$defs/b"][random.below(2)])),
    }
}

/// A value of the official suite; `None` for numbers that are not held exactly.
fn of(json: &Json) -> Option<Value> {
    Some(match json {
        Json::Null => Value::Null,
        Json::Bool(flag) => Value::Bool(*flag),
        Json::Number(number) => Value::Number(Number::parse(&number.to_string())?),
        Json::String(text) => Value::String(text.clone()),
        Json::Array(items) => Value::Array(items.iter().map(of).collect::<Option<_>>()?),
        Json::Object(members) => Value::Object(
            members
                .iter()
                .map(|(name, value)| Some((name.clone(), of(value)?)))
                .collect::<Option<_>>()?,
        ),
    })
}
