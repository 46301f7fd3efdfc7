//! Documents that are meant to break a compiler, and what it does with them.
//!
//! Each is generated, so that its size can be chosen: small in tests, full by `cargo xtask hostile`. A compiler may
//! refuse or compile any of them; it may not crash, hang, or eat the machine.

use std::fs;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use crate::envoy::fresh_dir;
use crate::error::Error;
use crate::usage::Usage;

/// The longest that one input may take.
pub const TIME_LIMIT: Duration = Duration::from_secs(60);
/// The most memory that one input may take, bytes.
pub const MEMORY_LIMIT: u64 = 2 << 30;
/// The most that may be said about one input, bytes.
const SAID_LIMIT: u64 = 4 << 20;

/// A hostile input: files, the first of which is compiled.
pub struct Input {
    /// What it attacks.
    pub name: &'static str,
    /// Names and contents.
    pub files: Vec<(String, Vec<u8>)>,
}

/// What became of one.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The input's name.
    pub name: &'static str,
    /// How large it was, bytes.
    pub size: usize,
    /// The exit status; none where it had to be stopped.
    pub status: Option<ExitStatus>,
    /// How long it took.
    pub elapsed: Duration,
    /// The highest resident memory seen, bytes.
    pub peak: u64,
    /// The first line of what was said.
    pub said: String,
    /// What is wrong with that, if anything.
    pub fault: Option<String>,
}

/// All inputs. `scale` is 1 for the full size; sizes are divided by it.
pub fn inputs(scale: usize) -> Vec<Input> {
    let of = |n: usize| (n / scale.max(1)).max(4);
    let mut all = texts(of);
    all.extend(schemas(of));
    all.extend(patterns(of));
    all.extend(documents(of));
    all.extend(references(of));
    all
}

fn input(name: &'static str, content: impl Into<Vec<u8>>) -> Input {
    Input { name, files: vec![("api.yaml".to_owned(), content.into())] }
}

fn json_input(name: &'static str, content: String) -> Input {
    Input { name, files: vec![("api.json".to_owned(), content.into_bytes())] }
}

/// A document of one path, in JSON: YAML bounds how long a key may be.
fn json_path(name: &'static str, path: &str) -> Input {
    let head = r#"{"openapi":"3.1.0","info":{"title":"hostile","version":"1"},"paths":{""#;
    let tail = r#"":{"get":{"responses":{"200":{"description":"ok"}}}}}}"#;
    json_input(name, [head, path, tail].concat())
}

/// A document whose only body has this schema, written in flow style.
fn body(name: &'static str, schema: &str) -> Input {
    input(name, document(schema, ""))
}

fn document(schema: &str, components: &str) -> String {
    format!(
        "openapi: 3.1.0\ninfo: {{ title: hostile, version: '1' }}\npaths:\n  /a:\n    post:\n      requestBody:\n        \
         required: true\n        content:\n          application/json:\n            schema: {schema}\n      \
         responses: {{ '200': {{ description: ok }} }}\n{components}"
    )
}

fn json_document(schema: &str) -> String {
    format!(
        r#"{{"openapi":"3.1.0","info":{{"title":"hostile","version":"1"}},"paths":{{"/a":{{"post":{{"requestBody":{{"content":{{"application/json":{{"schema":{schema}}}}}}},"responses":{{"200":{{"description":"ok"}}}}}}}}}}}}"#
    )
}

fn list(count: usize, item: impl FnMut(usize) -> String) -> String {
    (0..count).map(item).collect::<Vec<_>>().join(", ")
}

/// How the files are written, whatever they say.
fn texts(of: impl Fn(usize) -> usize) -> Vec<Input> {
    let plain = document("{ type: string }", "");
    let utf16 = |little: bool| -> Vec<u8> {
        let units = std::iter::once(0xFEFF).chain(plain.encode_utf16());
        units
            .flat_map(|unit| if little { unit.to_le_bytes() } else { unit.to_be_bytes() })
            .collect()
    };
    let deep = of(100_000);
    let mut bomb = String::from("x0: &x0 [a, a, a, a, a, a, a, a, a, a]\n");
    for level in 1..of(40) {
        let aliases = list(10, |_| format!("*x{}", level - 1));
        bomb += &format!("x{level}: &x{level} [{aliases}]\n");
    }
    let mut blocks = String::new();
    for level in 0..of(3_000) {
        blocks += &format!("{}a:\n", " ".repeat(level));
    }
    let with = |prefix: &[u8]| [prefix, plain.as_bytes()].concat();
    vec![
        input("an empty file", ""),
        input("nothing but a mark", "\u{FEFF}"),
        input("a byte order mark", with(b"\xEF\xBB\xBF")),
        input("UTF-16, little endian", utf16(true)),
        input("UTF-16, big endian", utf16(false)),
        input("UTF-16 without a mark", utf16(true)[2..].to_vec()),
        input(
            "Latin-1",
            plain
                .replace("hostile", "\u{1}")
                .replace('\u{1}', "x")
                .into_bytes()
                .into_iter()
                .map(|b| if b == b'x' { 0xE9 } else { b })
                .collect::<Vec<_>>(),
        ),
        input("a NUL", plain.replace("hostile", "ho\0stile")),
        input("control characters", plain.replace("hostile", "\"ho\u{7}\u{1b}[31mstile\"")),
        input(
            "random bytes",
            (0..of(1_000_000))
                .scan(7_u32, |seed, _| {
                    *seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    Some((*seed >> 24) as u8)
                })
                .collect::<Vec<u8>>(),
        ),
        input("a long line", format!("# {}\n{plain}", "x".repeat(of(20_000_000)))),
        input("many lines", format!("{}{plain}", "\n".repeat(of(20_000_000)))),
        input("many comments", format!("{}{plain}", "# x\n".repeat(of(5_000_000)))),
        input("a key of many bytes", format!("{plain}{}: 1\n", "k".repeat(of(10_000_000)))),
        json_input(
            "a key of many bytes in JSON",
            format!("{{\"openapi\":\"3.1.0\",\"{}\":1}}", "k".repeat(of(10_000_000))),
        ),
        input("a text of many bytes", format!("{plain}x-text: {}\n", "k".repeat(of(20_000_000)))),
        input("many documents in one file", "---\na: 1\n".repeat(of(500_000))),
        input(
            "many anchors",
            (0..of(300_000)).map(|n| format!("x{n}: &a{n} 1\n")).collect::<String>(),
        ),
        input("aliases of aliases", bomb + &plain),
        input("an alias of what holds it", format!("{plain}x: &x [*x]\n")),
        input(
            "merges of merges",
            format!(
                "{plain}x-a: &a {{ p: 1 }}\n{}",
                (0..of(100_000))
                    .map(|n| format!("x-{n}: {{ <<: *a, q: 1 }}\n"))
                    .collect::<String>()
            ),
        ),
        input("YAML lists, deep", "[".repeat(deep)),
        input("YAML objects, deep", "{ a: ".repeat(deep)),
        input("YAML lists by dashes, deep", "- ".repeat(deep)),
        input("YAML question marks, deep", "? ".repeat(deep)),
        input("YAML blocks, deep", blocks),
        input(
            "YAML tags",
            format!(
                "{plain}{}",
                (0..of(100_000)).map(|n| format!("x{n}: !!binary !<x> a\n")).collect::<String>()
            ),
        ),
        Input {
            name: "JSON lists, deep",
            files: vec![("api.json".into(), "[".repeat(deep).into())],
        },
        Input {
            name: "JSON objects, deep",
            files: vec![("api.json".into(), "{\"a\":".repeat(deep).into())],
        },
        Input {
            name: "JSON with a byte order mark",
            files: vec![("api.json".into(), format!("\u{FEFF}{}", json_document("true")).into())],
        },
        Input {
            name: "JSON of many values",
            files: vec![(
                "api.json".into(),
                json_document(&format!(
                    "{{\"enum\":[{}]}}",
                    list(of(2_500_000), |n| n.to_string())
                ))
                .into(),
            )],
        },
        Input {
            name: "JSON with bad escapes",
            files: vec![(
                "api.json".into(),
                json_document(&format!("{{\"title\":\"{}\"}}", "\\ud800".repeat(of(100_000))))
                    .into(),
            )],
        },
        input("the same key many times", format!("{plain}{}", "x-a: 1\n".repeat(of(200_000)))),
        input(
            "keys that are no text",
            format!(
                "{plain}1: a\n2.5: b\nnull: c\ntrue: d\n[a, b]: e\n{{ a: b }}: f\n? |\n  long\n: g\n"
            ),
        ),
        input(
            "numbers as statuses and names",
            plain.replace("'200'", "200")
                + "components: { schemas: { 1: { type: string }, 1.0: { type: string } } }\n",
        ),
    ]
}

/// What a schema says.
fn schemas(of: impl Fn(usize) -> usize) -> Vec<Input> {
    let nested = |open: &str, inner: &str, close: &str, depth: usize| {
        format!("{}{inner}{}", open.repeat(depth), close.repeat(depth))
    };
    let deep = of(100_000);
    let doubling = |keyword: &str| {
        let levels = 64;
        let each = (0..levels).map(|n| {
            let next = format!("{{ $ref: '#/components/schemas/s{}' }}", n + 1);
            format!("    s{n}: {{ {keyword}: [ {next}, {next} ] }}\n")
        });
        let components = each.collect::<String>() + &format!("    s{levels}: {{ type: string }}\n");
        document(
            "{ $ref: '#/components/schemas/s0' }",
            &format!("components:\n  schemas:\n{components}"),
        )
    };
    let branches = |count: usize| {
        list(count, |n| {
            format!("{{ type: object, properties: {{ p{n}: {{ type: integer, minimum: {n} }} }} }}")
        })
    };
    vec![
        body(
            "many properties",
            &format!(
                "{{ type: object, properties: {{ {} }} }}",
                list(of(100_000), |n| format!("p{n}: {{ type: string }}"))
            ),
        ),
        body(
            "many required names",
            &format!("{{ required: [{}] }}", list(of(100_000), |n| format!("p{n}"))),
        ),
        body(
            "a large enum of text",
            &format!("{{ enum: [{}] }}", list(of(200_000), |n| format!("value-{n}"))),
        ),
        body(
            "a large enum of numbers",
            &format!("{{ enum: [{}] }}", list(of(200_000), |n| format!("{n}.5"))),
        ),
        body(
            "a large enum of objects",
            &format!("{{ enum: [{}] }}", list(of(50_000), |n| format!("{{ a: {n}, b: [{n}] }}"))),
        ),
        body(
            "an enum of long texts",
            &format!(
                "{{ enum: [{}] }}",
                list(of(100), |n| format!("{n}{}", "x".repeat(of(100_000))))
            ),
        ),
        body("many alternatives", &format!("{{ anyOf: [{}] }}", branches(of(20_000)))),
        body("many exclusive alternatives", &format!("{{ oneOf: [{}] }}", branches(of(20_000)))),
        body("many parts", &format!("{{ allOf: [{}] }}", branches(of(20_000)))),
        body(
            "products of alternatives",
            &format!(
                "{{ allOf: [{}] }}",
                list(of(400), |m| format!(
                    "{{ anyOf: [{}] }}",
                    list(8, |n| format!(
                        "{{ properties: {{ p{m}_{n}: {{ type: integer }} }}, required: [p{m}_{n}] }}"
                    ))
                ))
            ),
        ),
        body("items in items, deep", &nested("{ items: ", "{}", " }", deep)),
        body("properties in properties, deep", &nested("{ properties: { a: ", "{}", " } }", deep)),
        body("not in not, within the limit", &nested("{ not: ", "{ type: string }", " }", 100)),
        body(
            "if in if, within the limit",
            &nested("{ if: { type: object }, then: ", "{ type: string }", " }", 100),
        ),
        body("not in not, deep", &nested("{ not: ", "{}", " }", deep)),
        body(
            "tuples",
            &format!(
                "{{ prefixItems: [{}], items: false }}",
                list(of(100_000), |n| format!("{{ maximum: {n} }}"))
            ),
        ),
        body(
            "patterns of names",
            &format!(
                "{{ patternProperties: {{ {} }} }}",
                list(of(1_000), |n| format!(
                    "'^a.*{n}.*b{{1,{}}}$': {{ type: integer }}",
                    n % 30 + 1
                ))
            ),
        ),
        body(
            "dependents",
            &format!(
                "{{ dependentSchemas: {{ {} }} }}",
                list(of(20_000), |n| format!("p{n}: {{ required: [q{n}] }}"))
            ),
        ),
        body(
            "numbers beyond any",
            "{ minimum: 1e999999999, maximum: -1e999999999, multipleOf: 1e-999999999 }",
        ),
        body(
            "numbers of many digits",
            &format!(
                "{{ minimum: {}, multipleOf: 0.{}1 }}",
                "9".repeat(of(1_000_000)),
                "0".repeat(of(1_000_000))
            ),
        ),
        body(
            "counts beyond any",
            "{ minLength: 1e30, maxLength: 99999999999999999999, minItems: -1, maxItems: 1.5, minProperties: 18446744073709551616 }",
        ),
        body("a long constant", &format!("{{ const: {} }}", "x".repeat(of(5_000_000)))),
        body(
            "a discriminator of many",
            &format!(
                "{{ type: object, discriminator: {{ propertyName: k, mapping: {{ {} }} }}, oneOf: [{}] }}",
                list(of(20_000), |n| format!("m{n}: '#/x/{n}'")),
                branches(of(2_000))
            ),
        ),
        body("every keyword with every type", &list_of_wrong_keywords()),
        input("parts that double", doubling("allOf")),
        input("alternatives that double", doubling("anyOf")),
        input("exclusive alternatives that double", doubling("oneOf")),
        Input {
            name: "a large JSON document",
            files: vec![(
                "api.json".into(),
                json_document(&format!(
                    "{{\"properties\":{{{}}}}}",
                    list(of(300_000), |n| format!(
                        "\"p{n}\":{{\"type\":\"string\",\"maxLength\":{n}}}"
                    ))
                ))
                .into(),
            )],
        },
    ]
}

fn list_of_wrong_keywords() -> String {
    let keywords = "type enum const properties required additionalProperties items prefixItems minLength pattern format \
        minimum multipleOf allOf anyOf oneOf not if then dependentSchemas contains uniqueItems propertyNames \
        discriminator xml readOnly nullable default unevaluatedProperties $ref $id $anchor $dynamicRef";
    let values = ["null", "true", "7", "text", "[]", "[null]", "{}", "{ a: 7 }", "[{}]", "-1.5e9"];
    let each = keywords.split_whitespace().flat_map(|keyword| {
        values.map(|value| format!("{{ properties: {{ p: {{ {keyword}: {value} }} }} }}"))
    });
    format!("{{ allOf: [{}] }}", each.collect::<Vec<_>>().join(", "))
}

/// What a pattern says.
fn patterns(of: impl Fn(usize) -> usize) -> Vec<Input> {
    let pattern =
        |name, pattern: String| body(name, &format!("{{ type: string, pattern: '{pattern}' }}"));
    vec![
        pattern("a long pattern", "a".repeat(of(1_000_000))),
        pattern(
            "a pattern of many alternatives",
            (0..of(50_000)).map(|n| format!("w{n}x")).collect::<Vec<_>>().join("|"),
        ),
        pattern("groups, deep", format!("{}a{}", "(".repeat(of(100_000)), ")".repeat(of(100_000)))),
        pattern("groups that do not close", "(".repeat(of(100_000))),
        pattern("classes that do not close", "[".repeat(of(100_000))),
        pattern("counts of counts", "((((a{1,100}){1,100}){1,100}){1,100}){1,100}".to_owned()),
        pattern("stars of stars", format!("{}a{}", "(".repeat(90), "*)*".repeat(90))),
        pattern("a large count", "^[a-z]{9999}$".to_owned()),
        pattern("a large count of any character", "^.{1,9999}x$".to_owned()),
        pattern("states that explode", "^(a|b)*a(a|b){30}$".to_owned()),
        pattern("states of any character that explode", "x.{24}y".to_owned()),
        pattern(
            "many looks ahead",
            "^".to_owned()
                + &(0..of(5_000)).map(|n| format!("(?=.*{n})")).collect::<String>()
                + ".*$",
        ),
        pattern("looks that are not regular", r"(a)\1(?<=b)(?<!c)\k<x>".to_owned()),
        pattern("large classes", format!("[{}]", r"\u{10000}-\u{10FFFF}".repeat(of(10_000)))),
        pattern("classes of Unicode", r"^\p{L}{1,500}\P{Lu}{1,500}$".to_owned()),
        body(
            "many patterns",
            &format!(
                "{{ properties: {{ {} }} }}",
                list(of(5_000), |n| format!("p{n}: {{ pattern: '^[a-f]{{{n}}}[^x]*$' }}"))
            ),
        ),
    ]
}

/// What a document says around its schemas.
fn documents(of: impl Fn(usize) -> usize) -> Vec<Input> {
    let head = "openapi: 3.1.0\ninfo: { title: hostile, version: '1' }\n";
    let answers = "responses: { '200': { description: ok } }";
    let paths = |paths: String| format!("{head}paths:\n{paths}");
    let large = (0..of(120_000)).map(|n| {
        format!("  /p{n}:\n    get:\n      description: number {n} of a document that goes on and on, as some do\n      parameters: [ {{ name: q, in: query, schema: {{ type: integer, maximum: {n} }} }} ]\n      {answers}\n")
    });
    let crossing = (0..of(2_000)).map(|n| {
        let segments = (0..8).map(|bit| {
            if n >> bit & 1 == 1 { format!("/{{v{bit}}}") } else { format!("/s{}", n >> 8) }
        });
        format!("  {}:\n    get: {{ {answers} }}\n", segments.collect::<String>())
    });
    let variables =
        list(of(60), |n| format!("v{n}: {{ default: a, enum: [a, b, c, d, e, f, g, h] }}"));
    let url = (0..of(60)).map(|n| format!("/{{v{n}}}")).collect::<String>();
    vec![
        input("a large document", paths(large.collect())),
        input("many paths", paths((0..of(10_000)).map(|n| format!("  /p{n}/{{id}}/x{n}:\n    get: {{ {answers} }}\n")).collect())),
        input("paths that cross", paths(crossing.collect())),
        json_path("a path of many variables", &(0..of(20_000)).map(|n| format!("/{{v{n}}}")).collect::<String>()),
        json_path("a long path", &format!("/{}", "x".repeat(of(5_000_000)))),
        json_path("braces that do not close", &format!("/{}", "{".repeat(of(100_000)))),
        input("many parameters", paths(format!("  /a:\n    get:\n      parameters: [ {} ]\n      {answers}\n", list(of(50_000), |n| format!("{{ name: p{n}, in: query, schema: {{ type: integer }} }}"))))),
        input("many media types", paths(format!("  /a:\n    post:\n      requestBody: {{ content: {{ {} }} }}\n      {answers}\n", list(of(50_000), |n| format!("'application/x{n}+json': {{ schema: {{ type: object }} }}"))))),
        input("many servers", format!("{head}servers: [ {} ]\npaths: {{ /a: {{ get: {{ {answers} }} }} }}\n", list(of(20_000), |n| format!("{{ url: 'https://h{n}.example/b{n}' }}")))),
        input("servers of many variables", format!("{head}servers: [ {{ url: '{url}', variables: {{ {variables} }} }} ]\npaths: {{ /a: {{ get: {{ {answers} }} }} }}\n")),
        input("many security schemes", format!("{head}components: {{ securitySchemes: {{ {} }} }}\nsecurity: [ {} ]\npaths: {{ /a: {{ get: {{ {answers} }} }} }}\n", list(of(20_000), |n| format!("s{n}: {{ type: apiKey, in: header, name: X-{n} }}")), list(of(20_000), |n| format!("{{ s{n}: [] }}")))),
        input("what is no document", "[1, 2, 3]\n"),
        input("wrong types everywhere", "openapi: [3]\ninfo: 7\nservers: text\npaths: [ { get: 1 } ]\ncomponents: null\nsecurity: {}\ntags: 1\n"),
        input("many unknown fields", format!("{head}{}paths: {{}}\n", (0..of(100_000)).map(|n| format!("unknown{n}: 1\n")).collect::<String>())),
        input("many unresolvable references", paths((0..of(50_000)).map(|n| format!("  /p{n}:\n    get: {{ parameters: [ {{ $ref: '#/components/parameters/x{n}' }} ], {answers} }}\n")).collect())),
        input("an old document of wrong types", "swagger: '2.0'\ninfo: 7\nbasePath: [x]\npaths: { /a: { post: { parameters: [ { in: body, schema: 7 }, 7, { in: formData } ], responses: 7 } } }\n"),
    ]
}

/// Where references lead.
fn references(of: impl Fn(usize) -> usize) -> Vec<Input> {
    let with = |name, schema: &str, schemas: &str| {
        input(name, document(schema, &format!("components:\n  schemas:\n{schemas}")))
    };
    let first = "{ $ref: '#/components/schemas/s0' }";
    let chain = |length: usize, to: String| -> String {
        let each = (0..length).map(|n| {
            let next = if n + 1 == length { to.clone() } else { format!("s{}", n + 1) };
            format!("    s{n}: {{ $ref: '#/components/schemas/{next}' }}\n")
        });
        each.collect()
    };
    let file = |n: usize, count: usize| {
        let next = (n + 1) % count;
        (format!("f{n}.yaml"), format!("x: {{ $ref: 'f{next}.yaml#/x' }}\n").into_bytes())
    };
    let files = of(2_000);
    let mut ring =
        vec![("api.yaml".to_owned(), document("{ $ref: 'f0.yaml#/x' }", "").into_bytes())];
    ring.extend((0..files).map(|n| file(n, files)));
    let ref_to = |name, target: &str| body(name, &format!("{{ $ref: '{target}' }}"));
    vec![
        with("a reference to itself", first, "    s0: { $ref: '#/components/schemas/s0' }\n"),
        with("a long ring of references", first, &chain(of(100_000), "s0".to_owned())),
        with("a long chain of references", first, &(chain(of(100_000), "end".to_owned()) + "    end: { type: string }\n")),
        with("parts that hold themselves", first, "    s0: { allOf: [ { $ref: '#/components/schemas/s0' }, { type: object } ] }\n"),
        with("alternatives that hold themselves", first, "    s0: { anyOf: [ { $ref: '#/components/schemas/s0' } ], not: { $ref: '#/components/schemas/s0' } }\n"),
        with("a long chain of parts", first, &((0..of(20_000)).map(|n| format!("    s{n}: {{ allOf: [ {{ $ref: '#/components/schemas/s{}' }} ], properties: {{ p{n}: {{}} }} }}\n", n + 1)).collect::<String>() + &format!("    s{}: {{}}\n", of(20_000)))),
        with("a long chain of properties", first, &((0..of(50_000)).map(|n| format!("    s{n}: {{ properties: {{ p: {{ $ref: '#/components/schemas/s{}' }} }} }}\n", n + 1)).collect::<String>() + &format!("    s{}: {{}}\n", of(50_000)))),
        with("everything refers to everything", first, &(0..of(600)).map(|n| format!("    s{n}: {{ properties: {{ {} }} }}\n", list(of(600), |m| format!("p{m}: {{ $ref: '#/components/schemas/s{m}' }}")))).collect::<String>()),
        Input { name: "a ring of files", files: ring },
        ref_to("a reference to its own file", "api.yaml"),
        ref_to("a reference to a device", "/dev/zero"),
        ref_to("a reference to a terminal", "/dev/stdin"),
        ref_to("a reference to a directory", "."),
        ref_to("a reference out of the tree", "../../../../../../../../etc/passwd"),
        ref_to("a reference to the network", "https://gateway.example/schema.json#/x"),
        ref_to("a reference by file URL", "file:///etc/passwd#/x"),
        ref_to("a reference of bad escapes", "#/a~2b/%zz/%ff"),
        ref_to("a long reference", &format!("#{}", "/a".repeat(of(500_000)))),
    ]
}

/// Compiles an input in a process of its own, and watches it.
pub fn run(compiler: &Path, input: &Input) -> Result<Outcome, Error> {
    let dir = fresh_dir()?;
    let mut size = 0;
    for (name, content) in &input.files {
        size += content.len();
        fs::write(dir.join(name), content).map_err(Error::io(name))?;
    }
    let create = |name: &str| fs::File::create(dir.join(name)).map_err(Error::io(name));
    let main = input.files.first().map_or("api.yaml", |(name, _)| name.as_str());
    let mut child = Command::new(compiler)
        .current_dir(&dir)
        .args(["compile", main, "--unsigned", "-o", "out.bundle", "--report", "report.json"])
        .stdin(Stdio::null())
        .stdout(create("stdout")?)
        .stderr(create("stderr")?)
        .spawn()
        .map_err(Error::io(compiler.display().to_string()))?;
    let (started, mut peak) = (Instant::now(), 0);
    let status = loop {
        // A process that has just ended has no figures any more.
        peak = Usage::of(child.id()).map_or(peak, |usage| usage.peak.max(peak));
        if let Some(status) = child.try_wait().map_err(Error::io("wait"))? {
            break Some(status);
        }
        if started.elapsed() > TIME_LIMIT || peak > MEMORY_LIMIT {
            let _ = child.kill();
            let _ = child.wait();
            break None;
        }
        std::thread::sleep(Duration::from_millis(2));
    };
    let elapsed = started.elapsed();
    let said = fs::read(dir.join("stderr")).map_err(Error::io("stderr"))?;
    let wrote = dir.join("out.bundle").exists();
    let text = String::from_utf8_lossy(&said);
    let fault = match status {
        None if peak > MEMORY_LIMIT => Some("took too much memory".to_owned()),
        None => Some("took too long".to_owned()),
        Some(_) if said.len() as u64 > SAID_LIMIT => Some("says too much".to_owned()),
        Some(status) => match status.code() {
            Some(0) if wrote => None,
            Some(1) if wrote => Some("wrote a bundle all the same".to_owned()),
            Some(1) if text.contains("fault of the compiler") => {
                Some("a fault of its own".to_owned())
            }
            Some(1) if text.contains("error") => None,
            _ => Some(format!("ended with {status}")),
        },
    };
    let said = text.lines().next().unwrap_or_default().chars().take(90).collect();
    fs::remove_dir_all(&dir).map_err(Error::io("remove the input"))?;
    Ok(Outcome { name: input.name, size, status, elapsed, peak, said, fault })
}
