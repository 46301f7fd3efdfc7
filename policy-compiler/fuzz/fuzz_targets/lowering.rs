//! Lowers random schemas, and runs the program beside the crate `jsonschema`.
//!
//! The input is a run of choices: a schema, then instances. Where the report says that every keyword is enforced, the two
//! verdicts must be the same. Choices that run out are zero, which makes the smallest thing there is.
#![no_main]

use libfuzzer_sys::fuzz_target;
use policy_compiler::bare::{SchemaOptions, compile_schema};
use policy_compiler::diag::render_text;
use policy_compiler::report::Status;
use policy_compiler::source::Memory;
use portcullis_engine::schema::{Fault, Limits, NoSink, Validator};
use serde_json::{Map, Value, json};

/// Instances of one schema.
const INSTANCES: usize = 8;
/// Schemas within one schema.
const SCHEMAS: usize = 24;

fuzz_target!(|input: &[u8]| {
    let mut choices = Choices { bytes: input, schemas: SCHEMAS };
    let mut schema = choices.schema(4, true);
    let definitions: Map<String, Value> =
        ["d", "e"].map(|name| (name.to_owned(), choices.schema(3, false))).into_iter().collect();
    if let Value::Object(map) = &mut schema {
        map.insert("$defs".to_owned(), Value::Object(definitions));
    }
    if asks_itself(&schema) {
        return;
    }
    let text = schema.to_string();
    let sources = Memory::new([("schema.json", text.as_str())]);
    let output = compile_schema(&sources, "schema.json", &SchemaOptions::default());
    let report = output.report.expect("a schema without errors of reading has a report");
    let Some((sections, root)) = output.program else {
        panic!("{text}\n{}", render_text(&output.diagnostics, &output.files, false));
    };
    let enforced = report.constructs.iter().all(|line| line.status == Status::Enforced);
    let oracle = jsonschema::draft202012::options().should_validate_formats(true).build(&schema);
    let oracle = oracle.unwrap_or_else(|error| panic!("{text}\n{error}"));
    let (view, mut validator) = (sections.view(), Validator::new());
    for _ in 0..INSTANCES {
        let instance = choices.instance(4);
        let body = instance.to_string();
        let limits = Limits { steps: 1_000_000, ..Limits::default() };
        let verdict = validator.validate(&view, root, limits, body.as_bytes(), &mut NoSink);
        let pieces = in_pieces(&mut validator, &view, root, limits, body.as_bytes());
        assert_eq!(verdict, pieces, "{body}\n{text}");
        if enforced {
            let theirs = oracle.is_valid(&instance);
            assert_eq!(verdict.is_ok(), theirs, "{body}\n{text}\n{verdict:?}");
        }
    }
});

fn in_pieces(
    validator: &mut Validator,
    view: &portcullis_bundle::layout::View<'_>,
    root: u32,
    limits: Limits,
    body: &[u8],
) -> Result<(), Fault> {
    validator.begin(root, limits);
    for piece in body.chunks(3) {
        validator.feed(view, piece, &mut NoSink)?;
    }
    validator.finish(view, &mut NoSink)
}

/// Bytes of the input as choices.
struct Choices<'i> {
    bytes: &'i [u8],
    schemas: usize,
}

const TYPES: [&str; 7] = ["object", "array", "string", "integer", "number", "boolean", "null"];
const NAMES: [&str; 5] = ["a", "b", "c", "kind", "a name that is longer than sixteen bytes"];
const TEXTS: [&str; 10] =
    ["", "a", "b", "ab", "abc", "\u{e9}", "\u{1F600}x", "2024-02-29", "a\"\\\n", "127.0.0.1"];
const NUMBERS: [&str; 14] = [
    "0",
    "1",
    "-1",
    "2",
    "3",
    "1.0",
    "1.5",
    "0.5",
    "-0.25",
    "10",
    "1e2",
    "100",
    "12.75",
    "2147483648",
];
const PATTERNS: [&str; 8] =
    ["^a", "b$", "^[a-c]{1,2}$", "^(a|ab)(c|bcd)?$", "a.c", "^$", "^(?=a)[ab]+$", "^.{2}$"];
const FORMATS: [&str; 4] = ["date", "ipv4", "uuid", "x-unknown"];

impl Choices<'_> {
    fn byte(&mut self) -> usize {
        let Some((first, rest)) = self.bytes.split_first() else { return 0 };
        self.bytes = rest;
        usize::from(*first)
    }

    fn below(&mut self, n: usize) -> usize {
        self.byte() % n.max(1)
    }

    fn of<'c>(&mut self, all: &[&'c str]) -> &'c str {
        all[self.below(all.len())]
    }

    fn number(&mut self) -> Value {
        serde_json::from_str(self.of(&NUMBERS)).expect("the numbers are JSON")
    }

    /// A schema with a few keywords. `root`: always an object, so that definitions have a place.
    fn schema(&mut self, depth: usize, root: bool) -> Value {
        self.schemas = self.schemas.saturating_sub(1);
        let depth = if self.schemas == 0 { 0 } else { depth };
        if !root {
            match self.below(16) {
                0 => return json!(true),
                1 => return json!(false),
                2 => return json!({ "$ref": self.of(&["#/$defs/d", "#/$defs/e", "#"]) }),
                _ => {}
            }
        }
        let mut map = Map::new();
        for _ in 0..=self.below(4) {
            self.keyword(depth, &mut map);
        }
        Value::Object(map)
    }

    fn keyword(&mut self, depth: usize, map: &mut Map<String, Value>) {
        let mut put = |name: &str, value: Value| drop(map.insert(name.to_owned(), value));
        let simple = 19;
        match self.below(if depth == 0 { simple } else { simple + 20 }) {
            0 => put("type", json!(self.of(&TYPES))),
            1 => {
                let mut types: Vec<&str> = (0..=self.below(3)).map(|_| self.of(&TYPES)).collect();
                types.sort_unstable();
                types.dedup();
                put("type", json!(types));
            }
            2 => {
                let count = self.below(4) + 1;
                put("enum", self.distinct(count));
            }
            3 => put("const", self.instance(1)),
            4 => put("minLength", json!(self.below(4))),
            5 => put("maxLength", json!(self.below(5))),
            6 => put("pattern", json!(self.of(&PATTERNS))),
            7 => put("format", json!(self.of(&FORMATS))),
            8 => put("minimum", self.number()),
            9 => put("maximum", self.number()),
            10 => put("exclusiveMinimum", self.number()),
            11 => put("exclusiveMaximum", self.number()),
            12 => put("multipleOf", json!([1, 2, 3, 10][self.below(4)])),
            13 => put("minItems", json!(self.below(3))),
            14 => put("maxItems", json!(self.below(4))),
            15 => put("uniqueItems", json!(self.below(2) == 0)),
            16 => put("required", json!(self.names())),
            17 => put("minProperties", json!(self.below(3))),
            18 => put("maxProperties", json!(self.below(4))),
            19..=21 => put("properties", self.table(depth, &NAMES)),
            22 => put("patternProperties", self.table(depth, &PATTERNS)),
            23 => put("additionalProperties", self.schema(depth - 1, false)),
            24 => put("propertyNames", self.schema(depth - 1, false)),
            25 => put("dependentRequired", json!({ self.of(&NAMES): self.names() })),
            26 => put("dependentSchemas", self.table(depth, &NAMES)),
            27 => put("items", self.schema(depth - 1, false)),
            28 => put("prefixItems", self.list(depth)),
            29 => {
                put("contains", self.schema(depth - 1, false));
                let (least, more) = (self.below(3), self.below(4));
                put("minContains", json!(least));
                if more > 0 {
                    put("maxContains", json!(least + more - 1));
                }
            }
            30 | 31 => put("allOf", self.list(depth)),
            32 | 33 => put("anyOf", self.list(depth)),
            34 => put("oneOf", self.list(depth)),
            35 => put("not", self.schema(depth - 1, false)),
            36 => {
                for part in ["if", "then", "else"] {
                    put(part, self.schema(depth - 1, false));
                }
            }
            37 => put("unevaluatedProperties", self.schema(depth - 1, false)),
            _ => put("unevaluatedItems", self.schema(depth - 1, false)),
        }
    }

    fn names(&mut self) -> Vec<&'static str> {
        let mut names: Vec<&str> = (0..self.below(4)).map(|_| self.of(&NAMES)).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    fn table(&mut self, depth: usize, names: &[&str]) -> Value {
        let each = (0..=self.below(3))
            .map(|_| (self.of(names).to_owned(), self.schema(depth - 1, false)))
            .collect();
        Value::Object(each)
    }

    fn list(&mut self, depth: usize) -> Value {
        (0..=self.below(3)).map(|_| self.schema(depth - 1, false)).collect()
    }

    fn distinct(&mut self, count: usize) -> Value {
        let mut all: Vec<Value> = Vec::new();
        for _ in 0..count {
            let next = self.instance(1);
            if !all.contains(&next) {
                all.push(next);
            }
        }
        Value::Array(all)
    }

    fn instance(&mut self, depth: usize) -> Value {
        match self.below(if depth == 0 { 6 } else { 12 }) {
            0 => Value::Null,
            1 => json!(self.below(2) == 0),
            2 | 3 => self.number(),
            4 | 5 => json!(self.of(&TEXTS)),
            6..=8 => (0..self.below(5)).map(|_| self.instance(depth - 1)).collect(),
            _ => {
                let members = (0..self.below(6))
                    .map(|_| (self.of(&NAMES).to_owned(), self.instance(depth - 1)))
                    .collect();
                Value::Object(members)
            }
        }
    }
}

/// Whether a schema refers, in place, to one that it is part of: JSON Schema leaves that undefined.
fn asks_itself(root: &Value) -> bool {
    fn in_place<'s>(root: &'s Value, schema: &'s Value, above: &mut Vec<&'s Value>) -> bool {
        let Value::Object(map) = schema else { return false };
        if above.iter().any(|known| std::ptr::eq(*known, schema)) {
            return true;
        }
        above.push(schema);
        let found = map.iter().any(|(keyword, value)| match (keyword.as_str(), value) {
            ("$ref", Value::String(to)) => {
                let target = if to == "#" { Some(root) } else { root.pointer(&to[1..]) };
                target.is_some_and(|target| in_place(root, target, above))
            }
            ("allOf" | "anyOf" | "oneOf", Value::Array(list)) => {
                list.iter().any(|part| in_place(root, part, above))
            }
            ("dependentSchemas", Value::Object(table)) => {
                table.values().any(|part| in_place(root, part, above))
            }
            ("not" | "if" | "then" | "else", part) => in_place(root, part, above),
            _ => false,
        });
        above.pop();
        found
    }
    fn anywhere(root: &Value, value: &Value) -> bool {
        match value {
            Value::Object(map) => {
                in_place(root, value, &mut Vec::new()) || map.values().any(|v| anywhere(root, v))
            }
            Value::Array(list) => list.iter().any(|v| anywhere(root, v)),
            _ => false,
        }
    }
    anywhere(root, root)
}
