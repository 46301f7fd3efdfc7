//! Faults: what is JSON, what a fault says and where, limits and budgets, and that judging allocates nothing.

#[path = "common/program.rs"]
mod program;

use portcullis_bundle::layout::{Keyword, View};
use portcullis_engine::schema::{
    Fault, FaultKind, Limits, Malformation, NoSink, Part, Place, Progress, Scalar, ScalarKind,
    ScalarSink, Validator,
};
use program::Program;
use serde_json::{Value, json};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

fn judge_with(schema: &Value, limits: Limits, body: &[u8]) -> Result<(), Fault> {
    let (program, index) = Program::new(schema);
    assert!(program.unsupported.is_empty(), "{:?}", program.unsupported);
    Validator::new().validate(&program.view(), index, limits, body, &mut NoSink)
}

fn judge(schema: &Value, body: &str) -> Result<(), Fault> {
    judge_with(schema, Limits::default(), body.as_bytes())
}

fn kind(body: &[u8]) -> Option<FaultKind> {
    judge_with(&json!(true), Limits::default(), body).err().map(|fault| fault.kind)
}

#[test]
fn json_that_must_be_read() {
    for body in [
        "[]",
        "[[] ]",
        "{}",
        "[1 ]",
        "[true]",
        "null",
        " 1",
        "\"\"",
        "[\"\\u0000\"]",
        "[\"\\uD834\\uDD1E\"]",
        "[123e65]",
        "[0e+1]",
        "[0E1]",
        "[-0]",
        "[1E-2]",
        "[20e1]",
        "[-123]",
        "[123.456789]",
        "{\"\":0}",
        "{\"a\":[]}",
        "[\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"]",
        "[\"\u{7f}\"]",
        "[\"\u{10ffff}\"]",
        "[\"€𝄞\"]",
        "[\"\u{2028}\"]",
        "\t[\r\n1\n,\t2 ]\n",
        "{\"a\":\"b\",\"b\":\"a\"}",
        "false",
        "[\"a/*b*/c/*d//e\"]",
        "[\"\\uFFFF\"]",
        "{\"min\": -1.0e+28, \"max\": 1.0e+28}",
        "[1,null,null,null,2]",
    ] {
        assert_eq!(kind(body.as_bytes()), None, "{body}");
    }
}

#[test]
fn text_that_is_not_json() {
    for body in [
        "",
        " ",
        "[1 true]",
        "[a\"a]",
        "[\"\": 1]",
        "[\"\"],",
        "[,1]",
        "[1,,2]",
        "[\"x\"]]",
        "[\"\",]",
        "[\"x\"",
        "[x",
        "[3[4]]",
        "[,]",
        "[-]",
        "[nul]",
        "[fals]",
        "[tru]",
        "[True]",
        "[NaN]",
        "[Infinity]",
        "[-Infinity]",
        "[++1]",
        "[+1]",
        "[-01]",
        "[-2.]",
        "[.5]",
        "[0.e1]",
        "[0e]",
        "[0e+]",
        "[1.0e]",
        "[1eE2]",
        "[1 000]",
        "[2.e3]",
        "[012]",
        "[0x1]",
        "[1+2]",
        "[\"\\x00\"]",
        "[\"\\u00A\"]",
        "[\"\\uD800\"]",
        "[\"\\uD800\\u\"]",
        "[\"\\uDd1e\"]",
        "[\"\\a\"]",
        "[\"new\nline\"]",
        "[\"\t\"]",
        "[\"",
        "['a']",
        "{\"a\"",
        "{\"a\":",
        "{\"a\":1,}",
        "{a:1}",
        "{\"a\" b}",
        "{\"a\":1 \"b\":2}",
        "{:1}",
        "{1:1}",
        "{\"a\":1,,\"b\":2}",
        "{,}",
        "{\"a\":1}#",
        "{\"a\":1}/**/",
        "{}}",
        "1]",
        "[1}",
        "{\"a\":1]",
        "[\u{a0}1]",
        "\u{feff}{}",
        "\u{2060}[]",
        "//x\n[]",
        "<.>",
        "[1\u{0c}]",
        "\"\0\"",
        "1 2",
        "nulll",
        "[\"a\\",
        "*",
        "{\"a\":true\"b\"}",
    ] {
        assert!(
            matches!(kind(body.as_bytes()), Some(FaultKind::Malformed(_))),
            "{body}: {:?}",
            kind(body.as_bytes())
        );
    }
    for raw in [
        b"[\"\xff\"]".as_slice(),
        b"[\"\xc0\xaf\"]",
        b"[\"\xed\xa0\x80\"]",
        b"[\"\xe0\xff\"]",
        b"[\"\xf4\xbf\xbf\xbf\"]",
        b"{\"\xb9\":0}",
        b"[\"\x80\"]",
    ] {
        assert_eq!(kind(raw), Some(FaultKind::Malformed(Malformation::NotUtf8)), "{raw:?}");
    }
    for raw in [b"\xff".as_slice(), b"[\xff]", b"\xfe\xff\0[", b"[1\xe5]"] {
        assert!(matches!(kind(raw), Some(FaultKind::Malformed(_))), "{raw:?}");
    }
    let what = |body: &str| match kind(body.as_bytes()) {
        Some(FaultKind::Malformed(what)) => what,
        other => panic!("{body}: {other:?}"),
    };
    assert_eq!(what("\u{feff}{}"), Malformation::ByteOrderMark);
    assert_eq!(what("{} {}"), Malformation::Trailing);
    assert_eq!(what("[1"), Malformation::Truncated);
    assert_eq!(what("[01]"), Malformation::Number);
    assert_eq!(what("\"\\ud800\""), Malformation::LoneSurrogate);
    assert_eq!(what("\"\\q\""), Malformation::Escape);
    assert_eq!(what("\"a\nb\""), Malformation::ControlCharacter);
}

#[test]
fn names_stand_once() {
    let known = json!({"properties": {"a": true, "name_of_more_than_sixteen": true}});
    for schema in [json!(true), known.clone(), json!({"anyOf": [known, {"type": "object"}]})] {
        for body in [
            r#"{"a":1,"a":2}"#,
            r#"{"a":1,"b":2,"a":1}"#,
            r#"{"x":1,"y":2,"x":1}"#,
            r#"{"a":1,"\u0061":1}"#,
            r#"{"é":1,"\u00e9":1}"#,
            r#"{"name_of_more_than_sixteen":1,"name_of_more_than_sixteen":1}"#,
            r#"{"":1,"":2}"#,
        ] {
            assert_eq!(
                judge(&schema, body).unwrap_err().kind,
                FaultKind::DuplicateName,
                "{body} by {schema}"
            );
        }
        assert_eq!(judge(&schema, r#"{"a":{"a":{"a":1}},"b":[{"a":1},{"a":1}],"":0}"#), Ok(()));
        let many = |last: usize| {
            let names: Vec<String> =
                (0..900).chain([last]).map(|n| format!("\"name{n}\":{n}")).collect();
            format!("{{{}}}", names.join(","))
        };
        assert_eq!(judge(&schema, &many(900)), Ok(()));
        for twice in [0, 15, 16, 17, 500, 899] {
            assert_eq!(
                judge(&schema, &many(twice)).unwrap_err().kind,
                FaultKind::DuplicateName,
                "{twice}"
            );
        }
    }
}

#[test]
fn faults_name_keyword_and_place() {
    let item = json!({"type": "object", "required": ["id"], "additionalProperties": false, "properties": {
        "id": {"type": "integer", "minimum": 1}, "a/b~c": {"maxLength": 2}, "when": {"format": "date"}, "kind": {"enum": ["x", 1]},
    }});
    let schema = json!({"properties": {"items": {"items": item, "maxItems": 3}, "map": {"additionalProperties": {"type": "string"}}}});
    for (body, keyword, pointer, offset) in [
        (r#"{"items":[{"id":1},{"id":0}]}"#, Keyword::Minimum, "/items/1/id", 25),
        (r#"{"items":[{"id":"1"}]}"#, Keyword::Type, "/items/0/id", 16),
        (r#"{"items":[{"id":1.5}]}"#, Keyword::Type, "/items/0/id", 16),
        (r#"{"items":[{}]}"#, Keyword::Required, "/items/0", 11),
        (r#"{"items":[{"id":1,"secret":2}]}"#, Keyword::AdditionalProperties, "/items/0/*", 27),
        (r#"{"items":[{"id":1,"a/b~c":"abc"}]}"#, Keyword::MaxLength, "/items/0/a~1b~0c", 26),
        (r#"{"items":[{"id":1,"when":"2023-02-29"}]}"#, Keyword::Format, "/items/0/when", 25),
        (r#"{"items":[{"id":1,"kind":"y"}]}"#, Keyword::Enum, "/items/0/kind", 25),
        (r#"{"items":[{"id":1},{"id":1},{"id":1},{"id":1}]}"#, Keyword::MaxItems, "/items", 45),
        (r#"{"map":{"mine":1}}"#, Keyword::Type, "/map/*", 15),
        (r#"[1,"#, Keyword::Schema, "/1", 3),
    ] {
        let fault = judge(&schema, body).unwrap_err();
        assert_eq!(
            (fault.keyword, fault.pointer.as_str(), fault.offset),
            (keyword, pointer, offset),
            "{body}"
        );
    }
}

#[test]
fn faults_of_compositions() {
    let branch = |tag: &str, name: &str| {
        json!({"type": "object", "required": ["kind", name], "additionalProperties": false,
               "properties": {"kind": {"const": tag}, name: {"type": "integer", "maximum": 9}}})
    };
    let tagged = json!({"x-tagged": {"tag": "kind", "branches": {"a": branch("a", "x"), "b": branch("b", "y")}}});
    let nested = json!({"items": {"allOf": [tagged, {"minProperties": 2}]}});
    for (schema, open, close, prefix) in [(&tagged, "", "", ""), (&nested, "[", "]", "/0")] {
        let at = |body: &str| judge(schema, &format!("{open}{body}{close}"));
        for body in [
            r#"{"kind":"a","x":1}"#,
            r#"{"x":1,"kind":"a"}"#,
            r#" { "y" : 1 , "kind" : "b" } "#,
            r#"{"kind":"\u0061","x":9}"#,
        ] {
            assert_eq!(at(body), Ok(()), "{body}");
        }
        let first = at(r#"{"kind":"a","x":10}"#).unwrap_err();
        assert_eq!((first.keyword, first.pointer), (Keyword::Maximum, format!("{prefix}/x")));
        let late = at(r#"{"x":10,"kind":"a"}"#).unwrap_err();
        assert_eq!((late.keyword, late.pointer), (Keyword::Maximum, format!("{prefix}/x")));
        let offset = (open.len() + r#"{"x":"#.len()) as u64;
        assert_eq!(late.offset, offset);
        for body in [
            r#"{"kind":"c","x":1}"#,
            r#"{"x":1,"kind":"c"}"#,
            r#"{"x":1}"#,
            r#"{"kind":1,"x":1}"#,
            r#"{"kind":{},"x":1}"#,
        ] {
            assert_eq!(at(body).unwrap_err().keyword, Keyword::Discriminator, "{body}");
        }
    }
    let not = json!({"properties": {"a": {"not": {"type": "null"}}}});
    let fault = judge(&not, r#"{"a":null}"#).unwrap_err();
    assert_eq!((fault.keyword, fault.pointer.as_str()), (Keyword::Not, "/a"));
    let switch = json!({"x-switch": {"null": true, "string": {"maxLength": 1}, "object": {"required": ["a"]}, "array": {"items": {"type": "null"}}}});
    for (body, keyword) in [
        ("null", None),
        ("\"a\"", None),
        ("\"ab\"", Some(Keyword::MaxLength)),
        ("{}", Some(Keyword::Required)),
        ("[null]", None),
        ("[1]", Some(Keyword::Type)),
        ("{\"a\":1}", None),
    ] {
        assert_eq!(judge(&switch, body).err().map(|fault| fault.keyword), keyword, "{body}");
    }
    assert!(judge(&switch, "1").is_err());
}

#[test]
fn patterns_decide_names_and_text() {
    // As the compiler does, the schema of the declared `x-z` says what the pattern `x-` says of it.
    let schema = json!({"x-pattern-properties": {"x-": {"type": "integer"}, "x-y": {"minimum": 3}},
        "properties": {"x-z": {"maximum": 5, "type": "integer"}}, "additionalProperties": false});
    for schema in [schema.clone(), json!({"allOf": [schema, {"type": "object"}]})] {
        for body in [r#"{"x-a":1}"#, r#"{"x-yy":4}"#, r#"{"x-z":5}"#, "{}"] {
            assert_eq!(judge(&schema, body), Ok(()), "{body}");
        }
        for body in [
            r#"{"x-a":"1"}"#,
            r#"{"x-yy":2}"#,
            r#"{"x-yy":4.5}"#,
            r#"{"x-z":6}"#,
            r#"{"x-z":1.5}"#,
            r#"{"y":1}"#,
        ] {
            assert_eq!(judge(&schema, body).unwrap_err().kind, FaultKind::Invalid, "{body}");
        }
    }
    let text = json!({"x-pattern": "ab"});
    assert_eq!(judge(&text, "\"abc\""), Ok(()));
    assert_eq!(judge(&text, "\"\\u0061b\""), Ok(()));
    assert_eq!(judge(&text, "\"acb\"").unwrap_err().keyword, Keyword::Pattern);
    assert_eq!(judge(&text, "\"a\"").unwrap_err().keyword, Keyword::Pattern);
}

#[test]
fn more_properties_than_a_word_has_bits() {
    let names: Vec<String> = (0..150).map(|n| format!("p{n}")).collect();
    let properties: serde_json::Map<String, Value> =
        names.iter().map(|name| (name.clone(), json!({"type": "integer"}))).collect();
    let plain = json!({"properties": properties, "required": names, "additionalProperties": false});
    let members: Vec<String> = names.iter().map(|name| format!("\"{name}\":1")).collect();
    for schema in [plain.clone(), json!({"allOf": [plain, true]})] {
        assert_eq!(judge(&schema, &format!("{{{}}}", members.join(","))), Ok(()));
        let reversed: Vec<String> = members.iter().rev().cloned().collect();
        assert_eq!(judge(&schema, &format!("{{{}}}", reversed.join(","))), Ok(()));
        for place in [0, 63, 64, 65, 128, 149] {
            let mut fewer = members.clone();
            let gone = fewer.remove(place);
            assert_eq!(
                judge(&schema, &format!("{{{}}}", fewer.join(","))).unwrap_err().keyword,
                Keyword::Required,
                "{place}"
            );
            let mut more = members.clone();
            more.push(gone);
            assert_eq!(
                judge(&schema, &format!("{{{}}}", more.join(","))).unwrap_err().kind,
                FaultKind::DuplicateName,
                "{place}"
            );
        }
    }
}

#[test]
fn limits_hold() {
    let limits =
        Limits { depth: 3, string: 5, properties: 3, items: 4, digits: 6, ..Limits::default() };
    let of = |body: &str| {
        judge_with(&json!(true), limits, body.as_bytes()).err().map(|fault| fault.kind)
    };
    assert_eq!(of(r#"[[["abcde"]]]"#), None);
    assert_eq!(of("[[[[1]]]]"), Some(FaultKind::TooDeep));
    assert_eq!(of("[{\"a\":[{}]}]"), Some(FaultKind::TooDeep));
    assert_eq!(of("\"abcdef\""), Some(FaultKind::TooLarge(Part::String)));
    assert_eq!(of("{\"abcdef\":1}"), Some(FaultKind::TooLarge(Part::String)));
    assert_eq!(of("{\"a\":1,\"b\":1,\"c\":1}"), None);
    assert_eq!(
        of("{\"a\":1,\"b\":1,\"c\":1,\"d\":1}"),
        Some(FaultKind::TooLarge(Part::Properties))
    );
    assert_eq!(of("[1,2,3,4]"), None);
    assert_eq!(of("[1,2,3,4,5]"), Some(FaultKind::TooLarge(Part::Items)));
    assert_eq!(of("[123456,12.3456]"), None);
    assert_eq!(of("1234567"), Some(FaultKind::TooLarge(Part::Number)));
    assert_eq!(of("1e1000000000"), Some(FaultKind::TooLarge(Part::Number)));
    let frugal = Limits { steps: 100, ..Limits::default() };
    let schema =
        json!({"items": {"anyOf": [{"type": "string"}, {"type": "integer"}, {"type": "null"}]}});
    assert_eq!(judge_with(&schema, frugal, b"[1,2]"), Ok(()));
    let many = format!("[{}1]", "1,".repeat(200));
    assert_eq!(judge_with(&schema, frugal, many.as_bytes()).unwrap_err().kind, FaultKind::Budget);
}

#[test]
fn recursion_does_not_multiply() {
    let schema = json!({"anyOf": [{"type": "integer"}, {"items": {"$ref": "#"}, "type": "array"}, {"items": {"$ref": "#"}, "maxItems": 1}]});
    let body = format!("{}1{}", "[".repeat(30), "]".repeat(30));
    assert_eq!(
        judge_with(&schema, Limits { steps: 4000, ..Limits::default() }, body.as_bytes()),
        Ok(())
    );
}

#[test]
fn long_tokens_in_single_bytes_stay_linear() {
    let (program, _) = Program::new(&json!(true));
    let mut validator = Validator::new();
    validator.begin(0, Limits { string: 1 << 20, ..Limits::default() });
    let body = format!("\"{}\"", "x".repeat(300_000));
    let view: View<'_> = program.view();
    for byte in body.as_bytes() {
        validator.feed(&view, std::slice::from_ref(byte), &mut NoSink).unwrap();
    }
    validator.finish(&view, &mut NoSink).unwrap();
    validator.begin(0, Limits::default());
    assert_eq!(validator.feed(&view, b"{\"a\":1} ", &mut NoSink), Ok(Progress::Complete));
    assert!(validator.feed(&view, b"x", &mut NoSink).is_err());
}

#[test]
fn a_sink_gets_every_scalar_and_every_undeclared_name() {
    #[derive(Default)]
    struct Taken(Vec<(ScalarKind, String, String, String, u64)>);
    impl ScalarSink for Taken {
        fn scalar(&mut self, scalar: &Scalar<'_>, place: &Place<'_>) {
            let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
            self.0.push((
                scalar.kind,
                text(scalar.raw),
                text(scalar.text),
                place.pointer(),
                scalar.offset,
            ));
        }
    }
    let (program, index) = Program::new(&json!({"properties": {"a": {"items": true}}}));
    let mut taken = Taken::default();
    let body = br#"{"a":["x\n",-1.5e3,null],"b":{"c":true}}"#;
    Validator::new().validate(&program.view(), index, Limits::default(), body, &mut taken).unwrap();
    let expected = [
        (ScalarKind::String, "x\\n", "x\n", "/a/0", 6),
        (ScalarKind::Number, "-1.5e3", "-1.5e3", "/a/1", 12),
        (ScalarKind::Null, "null", "null", "/a/2", 19),
        (ScalarKind::Name, "b", "b", "/*", 25),
        (ScalarKind::Name, "c", "c", "/*/*", 30),
        (ScalarKind::Boolean, "true", "true", "/*/*", 34),
    ];
    let taken: Vec<_> = taken
        .0
        .iter()
        .map(|(k, r, t, p, o)| (*k, r.as_str(), t.as_str(), p.as_str(), *o))
        .collect();
    assert_eq!(taken, expected);
}

struct Counting;

thread_local!(static ALLOCATIONS: Cell<usize> = const { Cell::new(0) });

// SAFETY: every call goes to the system's allocator unchanged.
#[expect(unsafe_code, reason = "a test's allocator")]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.with(|count| count.set(count.get() + 1));
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        unsafe { System.dealloc(memory, layout) }
    }
    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.with(|count| count.set(count.get() + 1));
        unsafe { System.realloc(memory, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn judging_allocates_nothing() {
    let party = json!({"required": ["name"], "additionalProperties": false,
        "properties": {"name": {"maxLength": 20}, "iban": {"minLength": 3}}});
    let schema = json!({"properties": {"id": {"format": "uuid"}, "amount": {"multipleOf": 0.01}, "party": party,
        "either": {"anyOf": [{"type": "integer"}, party]}, "list": {"uniqueItems": true}}});
    let (program, index) = Program::new(&schema);
    let body = br#"{"id":"2eb8aa08-aa98-11ea-b4aa-73b441d16380","amount":12.34,"party":{"name":"\u00e9 Ltd","iban":"DE89"},
        "either":{"name":"x"},"list":[1,"2",{"a":[]}],"more":{"x":1,"y":2}}"#;
    let (view, mut validator) = (program.view(), Validator::new());
    let mut judge = || {
        validator.begin(index, Limits::default());
        for chunk in body.chunks(50) {
            validator.feed(&view, chunk, &mut NoSink).unwrap();
        }
        validator.finish(&view, &mut NoSink).unwrap();
        validator.validate(&view, index, Limits::default(), body, &mut NoSink).unwrap();
    };
    judge();
    let before = ALLOCATIONS.with(Cell::get);
    judge();
    assert_eq!(ALLOCATIONS.with(Cell::get) - before, 0);
    let boxed = std::hint::black_box(Box::new(1));
    assert!(ALLOCATIONS.with(Cell::get) > before, "the allocator counts {boxed}");
}
