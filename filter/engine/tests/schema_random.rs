//! Random schemas and random bodies: the verdicts of another implementation, and the same verdict and fault
//! however the body is cut.
#![cfg(not(target_arch = "wasm32"))]

#[path = "common/program.rs"]
mod program;

use portcullis_engine::schema::{Fault, Limits, NoSink, Validator};
use program::Program;
use proptest::prelude::*;
use serde_json::{Value, json};

fn value() -> impl Strategy<Value = Value> {
    let scalar = prop_oneof![
        Just(json!(null)),
        any::<bool>().prop_map(Value::from),
        (-3_i64..9).prop_map(Value::from),
        prop_oneof![Just(json!(1.5)), Just(json!(2.0)), Just(json!(-0.25)), Just(json!(1e3))],
        "[abé\"\\\\]{0,4}".prop_map(Value::from),
    ];
    scalar.prop_recursive(3, 24, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::btree_map("[abcd]", inner, 0..5).prop_map(|map| json!(map)),
        ]
    })
}

fn schema() -> impl Strategy<Value = Value> {
    let types = prop::sample::select(vec![
        "null", "boolean", "integer", "number", "string", "array", "object",
    ]);
    let leaf = prop_oneof![
        Just(json!(true)),
        Just(json!(false)),
        types.prop_map(|name| json!({"type": name})),
        prop::collection::vec(
            prop_oneof![
                Just(json!(1)),
                Just(json!("a")),
                Just(json!(null)),
                Just(json!(false)),
                Just(json!("é")),
                Just(json!(2))
            ],
            1..4
        )
        .prop_map(|mut values| {
            values.dedup();
            json!({"enum": values})
        }),
        (0..4, 0..6).prop_map(|(low, high)| json!({"minLength": low, "maxLength": high})),
        (-2..4, 1..9).prop_map(|(low, high)| json!({"minimum": low, "exclusiveMaximum": high})),
        prop_oneof![Just(0.5), Just(2.0), Just(3.0)].prop_map(|of| json!({"multipleOf": of})),
        Just(json!({"$ref": "#"})),
    ];
    leaf.prop_recursive(4, 40, 6, |inner| {
        let list = prop::collection::vec(inner.clone(), 1..4);
        let names = prop::sample::subsequence(vec!["a", "b", "c", "d"], 0..4);
        let map = prop::collection::btree_map("[abc]", inner.clone(), 0..4);
        prop_oneof![
            (map.clone(), names.clone(), prop::option::of(inner.clone())).prop_map(
                |(map, names, more)| {
                    let mut schema = json!({"properties": map, "required": names});
                    if let Some(more) = more {
                        schema["additionalProperties"] = more;
                    }
                    schema
                }
            ),
            (0..3, 1..5)
                .prop_map(|(low, high)| json!({"minProperties": low, "maxProperties": high})),
            inner.clone().prop_map(|of| json!({"propertyNames": of})),
            (map, names).prop_map(
                |(map, names)| json!({"dependentSchemas": map, "dependentRequired": {"a": names}})
            ),
            (list.clone(), prop::option::of(inner.clone()), any::<bool>()).prop_map(
                |(list, items, unique)| {
                    let mut schema = json!({"prefixItems": list, "uniqueItems": unique});
                    if let Some(items) = items {
                        schema["items"] = items;
                    }
                    schema
                }
            ),
            (inner.clone(), 0..3, 1..4).prop_map(|(of, low, high)| {
                json!({"contains": of, "minContains": low, "maxContains": high})
            }),
            inner.clone().prop_map(|of| json!({"items": of, "type": "array"})),
            list.clone().prop_map(|list| json!({"allOf": list})),
            list.clone().prop_map(|list| json!({"anyOf": list})),
            list.prop_map(|list| json!({"oneOf": list})),
            inner.clone().prop_map(|of| json!({"not": of})),
            (inner.clone(), inner.clone(), inner)
                .prop_map(|(a, b, c)| json!({"if": a, "then": b, "else": c})),
        ]
    })
}

/// A `$ref` to the root from the root's own compositions asks for itself: JSON Schema leaves that undefined.
fn well_founded(schema: &Value, in_place: bool) -> bool {
    let Value::Object(map) = schema else { return true };
    map.iter().all(|(key, value)| match key.as_str() {
        "$ref" => !in_place,
        "allOf" | "anyOf" | "oneOf" => {
            value.as_array().unwrap().iter().all(|s| well_founded(s, in_place))
        }
        "not" | "if" | "then" | "else" => well_founded(value, in_place),
        "dependentSchemas" => {
            value.as_object().unwrap().values().all(|s| well_founded(s, in_place))
        }
        "items" | "contains" | "additionalProperties" | "propertyNames" => {
            well_founded(value, false)
        }
        "prefixItems" => value.as_array().unwrap().iter().all(|s| well_founded(s, false)),
        "properties" => value.as_object().unwrap().values().all(|s| well_founded(s, false)),
        _ => true,
    })
}

fn in_pieces(
    validator: &mut Validator,
    program: &Program,
    schema: u32,
    body: &[u8],
    cuts: &[usize],
) -> Result<(), Fault> {
    let view = program.view();
    let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut % (body.len() + 1)).collect();
    cuts.sort_unstable();
    validator.begin(schema, Limits::default());
    let mut from = 0;
    for cut in cuts.into_iter().chain([body.len()]) {
        validator.feed(&view, &body[from..cut], &mut NoSink)?;
        from = cut;
    }
    validator.finish(&view, &mut NoSink)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, max_global_rejects: 100_000, ..ProptestConfig::default() })]

    #[test]
    fn agrees_with_jsonschema(schema in schema(), bodies in prop::collection::vec(value(), 8), pretty in any::<bool>()) {
        prop_assume!(well_founded(&schema, true));
        let oracle = jsonschema::draft202012::new(&schema).unwrap();
        let (program, index) = Program::new(&schema);
        prop_assume!(program.unsupported.is_empty());
        let mut validator = Validator::new();
        for body in &bodies {
            let text = if pretty { serde_json::to_string_pretty(body) } else { serde_json::to_string(body) }.unwrap();
            let verdict = validator.validate(&program.view(), index, Limits::default(), text.as_bytes(), &mut NoSink);
            prop_assert_eq!(verdict.is_ok(), oracle.is_valid(body), "{} by {}: {:?}", text, schema, verdict);
        }
    }

    #[test]
    fn cuts_change_nothing(
        schema in schema(), body in value(), pretty in any::<bool>(), cuts in prop::collection::vec(any::<usize>(), 0..6),
        spoil in prop::option::of((any::<prop::sample::Index>(), any::<u8>())),
    ) {
        prop_assume!(well_founded(&schema, true));
        let (program, index) = Program::new(&schema);
        let mut text = if pretty { serde_json::to_vec_pretty(&body) } else { serde_json::to_vec(&body) }.unwrap();
        if let Some((place, byte)) = spoil {
            let place = place.index(text.len());
            text[place] = byte;
        }
        let mut validator = Validator::new();
        let whole = validator.validate(&program.view(), index, Limits::default(), &text, &mut NoSink);
        let cut = in_pieces(&mut validator, &program, index, &text, &cuts);
        prop_assert_eq!(&whole, &cut);
        let every: Vec<usize> = (0..text.len()).collect();
        let bytes = in_pieces(&mut validator, &program, index, &text, &every);
        prop_assert_eq!(&whole, &bytes);
    }

    #[test]
    fn well_formed_is_what_serde_json_reads(text in prop::collection::vec(
        prop::sample::select(b"{}[]:,\"\\ 0123456789.eE+-truefalsn\n\xC3\xA9u".to_vec()), 0..24)) {
        let (program, _) = Program::new(&json!(true));
        let verdict = Validator::new().validate(&program.view(), 0, Limits::default(), &text, &mut NoSink);
        let theirs = serde_json::from_slice::<Value>(&text);
        // serde_json keeps the last of two equal names and refuses numbers that no float holds.
        if verdict.is_ok() != theirs.is_ok() {
            use portcullis_engine::schema::FaultKind;
            let excused = match verdict {
                Ok(()) => theirs.unwrap_err().to_string().contains("number out of range"),
                Err(fault) => matches!(fault.kind, FaultKind::DuplicateName | FaultKind::TooLarge(_)),
            };
            prop_assert!(excused, "{}", String::from_utf8_lossy(&text));
        }
    }
}
