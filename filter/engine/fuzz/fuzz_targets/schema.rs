//! Judges hostile bodies by a fixed set of schema programs.
//!
//! The first byte of the input chooses the program, the second how the body is cut; the rest is the body. Whole or cut,
//! the verdict and the fault must be the same, and what is accepted must be JSON.
#![no_main]

use libfuzzer_sys::fuzz_target;
use portcullis_engine::schema::{Fault, Limits, NoSink, Validator};
use program::Program;
use serde_json::{Value, json};
use std::sync::LazyLock;

#[path = "../../tests/common/program.rs"]
mod program;

static PROGRAMS: LazyLock<Vec<(Program, u32)>> =
    LazyLock::new(|| schemas().iter().map(Program::new).collect());

fn schemas() -> Vec<Value> {
    let payment = json!({"type": "object", "required": ["id", "amount"], "additionalProperties": false, "properties": {
        "id": {"format": "uuid"}, "amount": {"multipleOf": 0.01, "minimum": 0}, "when": {"format": "date-time"},
        "to": {"format": "email"}, "site": {"format": "uri"}, "host": {"format": "ipv6"}, "data": {"format": "byte"},
        "kind": {"enum": ["a", 1, null]}, "a_name_longer_than_sixteen": {"maxLength": 3}}});
    let recursive = json!({"anyOf": [{"type": "integer"}, {"type": "array", "items": {"$ref": "#"}, "maxItems": 3},
        {"type": "object", "additionalProperties": {"$ref": "#"}}]});
    let tagged = json!({"items": {"x-tagged": {"tag": "k", "branches": {
        "a": {"properties": {"x": {"type": "integer"}}, "required": ["x"]},
        "b": {"properties": {"x": {"type": "string"}}, "not": {"required": ["y"]}}}}}});
    let mixed = json!({"if": {"required": ["a"]}, "then": {"dependentRequired": {"b": ["c"]}}, "else": {"minProperties": 1},
        "oneOf": [{"type": "object"}, {"uniqueItems": true, "contains": {"type": "null"}, "maxContains": 2}],
        "x-pattern-properties": {"p": {"type": "number"}, "pq": {"minimum": 2}}, "propertyNames": {"maxLength": 4}});
    vec![json!(true), payment, recursive, tagged, mixed]
}

fuzz_target!(|input: &[u8]| {
    let [choice, cuts, body @ ..] = input else { return };
    let (program, schema) = &PROGRAMS[usize::from(*choice) % PROGRAMS.len()];
    let mut validator = Validator::new();
    let limits = Limits { steps: 200_000, ..Limits::default() };
    let whole = validator.validate(&program.view(), *schema, limits, body, &mut NoSink);
    let cut = in_pieces(&mut validator, program, *schema, limits, body, usize::from(*cuts).max(1));
    assert_eq!(whole, cut);
    if whole.is_ok() {
        // serde_json refuses numbers that no float holds, which JSON allows.
        let theirs = serde_json::from_slice::<Value>(body);
        assert!(theirs.map_or_else(|error| error.to_string().contains("out of range"), |_| true));
    }
});

fn in_pieces(
    validator: &mut Validator,
    program: &Program,
    schema: u32,
    limits: Limits,
    body: &[u8],
    size: usize,
) -> Result<(), Fault> {
    let view = program.view();
    validator.begin(schema, limits);
    for chunk in body.chunks(size) {
        validator.feed(&view, chunk, &mut NoSink)?;
    }
    validator.finish(&view, &mut NoSink)
}
