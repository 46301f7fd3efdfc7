//! The commands, run as users run them.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const DOCUMENT: &str = "\
openapi: 3.1.0
info: { title: t, version: '1' }
paths:
  /items:
    post:
      requestBody:
        required: true
        content:
          application/json:
            schema:
              type: object
              required: [name]
              properties:
                name: { type: string, maxLength: 5 }
      responses: { '200': { description: ok } }
";

fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("api.yaml"), DOCUMENT).unwrap();
    folder
}

fn run(folder: &Path, arguments: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_portcullis"));
    command.current_dir(folder).args(arguments.split(' ')).output().unwrap()
}

fn done(folder: &Path, arguments: &str) -> String {
    let output = run(folder, arguments);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments}: {errors}");
    String::from_utf8(output.stdout).unwrap()
}

fn refused(folder: &Path, arguments: &str) -> String {
    let output = run(folder, arguments);
    assert_eq!(output.status.code(), Some(1), "{arguments}");
    String::from_utf8(output.stderr).unwrap() + &String::from_utf8_lossy(&output.stdout)
}

#[test]
fn the_page_names_every_flag() {
    let page = include_str!("../CLI.md");
    let mut open = vec![(String::new(), policy_compiler::cli::command())];
    let mut count = 0;
    while let Some((path, command)) = open.pop() {
        for argument in command.get_arguments() {
            if let Some(long) = argument.get_long().filter(|l| !["help", "version"].contains(l)) {
                assert!(
                    page.contains(&format!("`--{long}")),
                    "{path}: `--{long}` is not in CLI.md"
                );
                count += 1;
            }
        }
        for below in command.get_subcommands().filter(|c| c.get_name() != "help") {
            let path = format!("{path} {}", below.get_name());
            if below.get_subcommands().next().is_none() {
                assert!(page.contains(&format!("##{path}\n")), "CLI.md has no section `{path}`");
            }
            open.push((path, below.clone()));
        }
    }
    assert!(count > 30);
}

#[test]
fn a_closed_pipe_ends_quietly() {
    let folder = folder("closed-pipe");
    done(&folder, "compile api.yaml --unsigned -o api.bundle");
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut command = Command::new(env!("CARGO_BIN_EXE_portcullis"));
    let output = command.current_dir(&folder).args(["inspect", "api.bundle"]).stdout(writer);
    let output = output.output().unwrap();
    assert_eq!((output.status.code(), output.stderr), (Some(141), Vec::new()));
}

#[test]
fn a_log_that_is_no_file_is_read_as_it_comes() {
    let line = r#"{"portcullis":1,"event":"finding","verdict":"block","code":"body-invalid"}"#;
    for log in ["-", "/dev/stdin"] {
        let (reader, mut writer) = std::io::pipe().unwrap();
        // Whoever wrote the last line may have been killed before it ended.
        write!(writer, "{line}\nanother's\n{line}").unwrap();
        drop(writer);
        let mut command = Command::new(env!("CARGO_BIN_EXE_portcullis"));
        let output = command.args(["tail", log]).stdin(reader).output().unwrap();
        let told = [output.stdout, output.stderr].map(|it| String::from_utf8(it).unwrap());
        assert!(output.status.success(), "{log}: {told:?}");
        assert_eq!(told[0].matches("body-invalid").count(), 2, "{log}: {told:?}");
        assert!(told[1].starts_with("2 findings"), "{log}: {told:?}");
    }
}

#[test]
fn a_key_signs_and_verifies() {
    let folder = folder("signs");
    let printed = done(&folder, "keygen -o key");
    let public = printed.lines().next().unwrap().rsplit(' ').next().unwrap().to_owned();
    assert!(refused(&folder, "keygen -o key").contains("cannot be written"));
    done(
        &folder,
        "compile api.yaml -k key -o a.bundle -e 7 --audience me --not-after 2030-01-01T00:00:00Z",
    );
    let at = format!("verify a.bundle --public-key {public} --at 2026-01-01T00:00:00Z");
    assert!(done(&folder, &at).contains("epoch 7"));
    assert!(
        refused(&folder, &format!("{at} --minimum-epoch 8")).contains("would not be activated")
    );
    assert!(refused(&folder, &format!("{at} --audience you")).contains("would not be activated"));
    let late = format!("verify a.bundle --public-key {public} --at 2031-01-01T00:00:00Z");
    assert!(refused(&folder, &late).contains("would not be activated"));
    let other = "00".repeat(32);
    assert!(refused(&folder, &format!("verify a.bundle --public-key {other}")).contains("refused"));
    let mut bytes = std::fs::read(folder.join("a.bundle")).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(folder.join("a.bundle"), bytes).unwrap();
    assert!(refused(&folder, &at).contains("refused"));
}

#[test]
fn an_external_key_signs_in_two_steps() {
    use ed25519_dalek::{Signer, SigningKey};
    let folder = folder("external");
    let key = SigningKey::from_bytes(&[7; 32]);
    let public: String =
        key.verifying_key().as_bytes().iter().map(|b| format!("{b:02x}")).collect();
    done(&folder, "compile api.yaml --unsigned -o a.bundle");
    let sign = format!("sign a.bundle --external --public-key {public}");
    done(&folder, &format!("{sign} --message-out message"));
    let message = std::fs::read(folder.join("message")).unwrap();
    std::fs::write(folder.join("signature"), key.sign(b"something else").to_bytes()).unwrap();
    assert!(refused(&folder, &format!("{sign} --signature signature")).contains("refused"));
    std::fs::write(folder.join("signature"), key.sign(&message).to_bytes()).unwrap();
    done(&folder, &format!("{sign} --signature signature"));
    done(&folder, &format!("verify a.bundle --public-key {public}"));
}

#[test]
fn explain_names_the_line() {
    let folder = folder("explain");
    done(&folder, "compile api.yaml --unsigned -o a.bundle --report r.json");
    let request =
        "POST /items HTTP/1.1\nhost: h\ncontent-type: application/json\ncontent-length: 19\n\n";
    std::fs::write(folder.join("bad"), format!("{request}{{\"name\":\"too long\"}}")).unwrap();
    let told = refused(&folder, "explain a.bundle bad");
    for part in ["block", "body-invalid", "/name", "maxLength", "api.yaml:14", "maxLength: 5"] {
        assert!(told.contains(part), "{part} in {told}");
    }
    let json = refused(&folder, "explain a.bundle bad --format json");
    assert!(json.contains("\"keyword\":\"maxLength\""), "{json}");
    std::fs::write(
        folder.join("good.json"),
        r#"{"method":"POST","path":"/items","json":{"name":"ok"}}"#,
    )
    .unwrap();
    assert!(done(&folder, "explain a.bundle good.json --documents .").contains("allow"));
    assert!(done(&folder, "inspect a.bundle").contains("/items"));
    assert!(done(&folder, "inspect a.bundle --format json").contains("\"template\": \"/items\""));
}

#[test]
fn the_same_input_gives_the_same_bytes() {
    let folder = folder("same");
    for name in ["a", "b", "c"] {
        done(&folder, &format!("compile api.yaml --unsigned -o {name}"));
    }
    let read = |name: &str| std::fs::read(folder.join(name)).unwrap();
    // Each run seeds its hash maps anew, so an order that depended on them would show.
    assert!(read("a") == read("b") && read("b") == read("c"));
}

#[test]
fn errors_write_no_bundle() {
    let folder = folder("errors");
    std::fs::write(folder.join("api.yaml"), DOCUMENT.replace("type: object", "type: objekt"))
        .unwrap();
    let told = refused(&folder, "compile api.yaml --unsigned -o a.bundle");
    assert!(told.contains("objekt"), "{told}");
    assert!(
        refused(&folder, "compile api.yaml --unsigned -o a.bundle --format json")
            .contains("PC0407")
    );
    std::fs::write(folder.join("api.yaml"), DOCUMENT).unwrap();
    let strict =
        refused(&folder, "compile api.yaml --unsigned -o a.bundle --strict --report r.json");
    assert!(strict.contains("not fully enforced"), "{strict}");
    assert!(!folder.join("a.bundle").exists());
    assert!(folder.join("r.json").exists());
}

#[test]
fn the_starter_policy_compiles() {
    let folder = folder("init");
    done(&folder, "init api.yaml -o policy.yaml");
    assert!(refused(&folder, "init api.yaml -o policy.yaml").contains("not replaced"));
    done(&folder, "compile -p policy.yaml --unsigned -o a.bundle");
    assert!(done(&folder, "inspect a.bundle").contains("monitor"));
}

const SENT: &str = "
webhooks:
  itemSold:
    post:
      requestBody:
        required: true
        content:
          application/json:
            example: { name: toolong }
            schema: { type: object, required: [name], properties: { name: { type: string, maxLength: 5 } } }
      responses: { '200': { description: ok } }
";

/// A starter policy with the comments taken off what an API sends.
fn uncommented(policy: &str) -> String {
    let (before, sent) = policy.split_once("  # - name: ").unwrap();
    let sent = sent.replace("\n  # ", "\n  ");
    format!("{before}  - name: {sent}")
}

#[test]
fn what_an_api_sends_is_compiled_and_seen() {
    let folder = folder("sent");
    // Of both directions: the outbound API is written as a comment, and is right once that is taken off.
    std::fs::write(folder.join("api.yaml"), DOCUMENT.to_owned() + SENT).unwrap();
    done(&folder, "init api.yaml -o policy.yaml");
    done(&folder, "compile -p policy.yaml --unsigned -o a.bundle");
    assert!(!done(&folder, "inspect a.bundle").contains("/itemSold"));
    let policy = std::fs::read_to_string(folder.join("policy.yaml")).unwrap();
    std::fs::write(folder.join("policy.yaml"), uncommented(&policy)).unwrap();
    done(&folder, "compile -p policy.yaml --unsigned -o a.bundle");
    let listed = done(&folder, "inspect a.bundle");
    assert!(listed.contains("/itemSold (sent)") && listed.contains("/items "), "{listed}");
    // Of webhooks alone.
    let (head, _) = DOCUMENT.split_once("paths:").unwrap();
    std::fs::write(folder.join("hooks.yaml"), head.to_owned() + SENT).unwrap();
    let policy = done(&folder, "init hooks.yaml");
    assert!(policy.contains("\n    direction: outbound\n"), "{policy}");
    assert!(
        policy.contains("\n    webhooks:\n      itemSold: { path: \"/itemSold\" }\n"),
        "{policy}"
    );
    done(&folder, "compile hooks.yaml --unsigned -o h.bundle --report r.json");
    let body = "POST /itemSold HTTP/1.1\nhost: h\ncontent-type: application/json\ncontent-length: 17\n\n\
                {\"name\":\"toolong\"";
    std::fs::write(folder.join("request.http"), body.to_owned() + "}").unwrap();
    let explained = run(&folder, "explain h.bundle request.http");
    let explained = String::from_utf8(explained.stdout).unwrap();
    assert!(explained.contains("POST /itemSold (hooks, sent by it)"), "{explained}");
    assert!(explained.contains("maxLength"), "{explained}");
    assert!(refused(&folder, "check-examples hooks.yaml").contains("maxLength"));
    let report = std::fs::read_to_string(folder.join("r.json")).unwrap();
    let line = report.lines().find(|line| line.contains("\"construct\":\"webhook\"")).unwrap();
    assert!(line.contains("\"status\":\"enforced\""), "{line}");
}

#[test]
fn coverage_is_told_of_bundles_and_reports() {
    let folder = folder("coverage");
    std::fs::write(
        folder.join("api.yaml"),
        DOCUMENT.replace("maxLength: 5", r"maxLength: 5, format: no-such-format, pattern: '(a)\1'"),
    )
    .unwrap();
    done(&folder, "compile api.yaml --unsigned -o a.bundle --report r.json");
    // type twice, required twice, properties, maxLength; the pattern is not enforced, and the format is counted apart.
    let table = done(&folder, "inspect a.bundle --coverage");
    let line = table.lines().find(|line| line.starts_with("api.yaml")).unwrap().to_owned();
    let words: Vec<&str> = line.split_whitespace().collect();
    assert_eq!(words[..5], ["api.yaml", "6", "0", "1", "85.7%"], "{table}");
    assert_eq!(words[5..], ["0,", "1,", "0,", "0,", "0"], "{table}");
    let reasons = done(&folder, "inspect r.json --coverage");
    assert!(reasons.contains(&line) && reasons.contains("no-such-format"), "{reasons}");
    assert!(done(&folder, "inspect r.json --coverage --format json").contains("\"enforced\": 6"));
    assert!(refused(&folder, "inspect r.json").contains("refused"));
}

#[test]
fn examples_are_held_to_their_schemas() {
    let folder = folder("examples");
    let example = |value: &str| {
        let with = format!("            example: {{ name: {value} }}\n            schema:\n");
        DOCUMENT.replace("            schema:\n", &with)
    };
    std::fs::write(folder.join("api.yaml"), example("short")).unwrap();
    let told = done(&folder, "check-examples api.yaml");
    assert!(told.contains("1 agree, 0 violate"), "{told}");
    std::fs::write(folder.join("api.yaml"), example("too long")).unwrap();
    let told = refused(&folder, "check-examples api.yaml");
    for part in ["api.yaml:10:13", "`/name` is refused by `maxLength` at api.yaml:15", "1 violate"]
    {
        assert!(told.contains(part), "{part} in {told}");
    }
    let policy = "version: 1\nname: p\nmode: monitor\napis: [{ name: a, documents: [api.yaml] }]\n";
    std::fs::write(folder.join("policy.yaml"), policy).unwrap();
    assert!(refused(&folder, "check-examples --policy policy.yaml").contains("1 violate"));
    let json = done(&folder, "check-examples -p policy.yaml --warn --format json");
    assert!(json.contains("\"verdict\": \"violates\""), "{json}");
}

#[test]
fn limits_of_schemas_are_told_with_their_place() {
    let folder = folder("limits");
    let with = |schema: &str| {
        DOCUMENT.replace("type: object\n", &format!("{schema}\n              type: object\n"))
    };
    let many = (0..600).map(|n| format!("{{ a: {n} }}")).collect::<Vec<_>>().join(", ");
    let text = with(&format!("enum: [{many}]"));
    std::fs::write(folder.join("api.yaml"), text).unwrap();
    let told = refused(&folder, "compile api.yaml --unsigned -o a.bundle");
    assert!(told.contains("PC0706") && told.contains("api.yaml:10:13"), "{told}");
    let itself = "#/paths/~1items/post/requestBody/content/application~1json/schema";
    let text = with(&format!("not: {{ $ref: '{itself}' }}"));
    std::fs::write(folder.join("api.yaml"), text).unwrap();
    let told = refused(&folder, "compile api.yaml --unsigned -o a.bundle");
    assert!(told.contains("PC0707") && told.contains("api.yaml:10:13"), "{told}");
    assert!(!folder.join("a.bundle").exists());
}

#[test]
fn budgets_are_told_with_their_place() {
    let folder = folder("budgets");
    let compiled = |schema: &str, components: &str| {
        let text =
            DOCUMENT.replace("type: object\n", &format!("{schema}\n              type: object\n"));
        std::fs::write(folder.join("api.yaml"), text + components).unwrap();
        let output = run(&folder, "compile api.yaml --unsigned -o a.bundle --report r.json");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let report = std::fs::read_to_string(folder.join("r.json")).unwrap();
        assert!(report.contains("\"status\":\"not_enforced\",\"reason\":"), "{report}");
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    // One pattern whose automaton is too large, one whose look-aheads multiply, one that is not regular.
    let large = "pattern: 'x.{24}y'";
    let ahead: String = (0..40).map(|n| format!("(?=.*{n}z{n})")).collect();
    let ahead = format!("pattern: '^{ahead}.*$'");
    for pattern in [large, &ahead, "pattern: '(a)\\1'"] {
        let told = compiled(pattern, "");
        assert!(told.contains("warning[PC0708]") && told.contains("api.yaml:11:15"), "{told}");
    }
    let told = compiled("patternProperties: { 'x.{24}y': { type: integer } }", "");
    assert!(told.contains("warning[PC0708]") && told.contains("api.yaml:11:36"), "{told}");
    // Each of the alternatives has all those of one schema.
    let each = |n: usize| format!("{{ required: [q{n}], $ref: '#/components/schemas/s' }}");
    let all = (0..70).map(each).collect::<Vec<_>>().join(", ");
    let shared = (0..70).map(|n| format!("{{ properties: {{ p{n}: true }} }}"));
    let shared = shared.collect::<Vec<_>>().join(", ");
    let told = compiled(
        &format!("unevaluatedProperties: false\n              anyOf: [{all}]"),
        &format!("components: {{ schemas: {{ s: {{ anyOf: [{shared}] }} }} }}\n"),
    );
    assert!(told.contains("warning[PC0709]") && told.contains("api.yaml:11:15"), "{told}");
    // Each of the resources is a scope for the whole of a chain that ends in a dynamic reference.
    let resources = (0..150)
        .map(|n| format!("    r{n}: {{ $id: r{n}, $dynamicAnchor: x, items: {{ $ref: s }} }}\n"));
    let chain = (0..140).map(|n| format!("d{n}: {{ items: {{ $ref: '#/$defs/d{}' }} }}", n + 1));
    let chain = chain.collect::<Vec<_>>().join(", ");
    let components = format!(
        "components:\n  schemas:\n{}    s: {{ $id: s, $ref: '#/$defs/d0', $defs: {{ {chain}, d140: {{ $dynamicRef: 'r0#x' }} }} }}\n",
        resources.collect::<String>()
    );
    let all = (0..150).map(|n| format!("n{n}: {{ $ref: '#/components/schemas/r{n}' }}"));
    let all = format!(
        "additionalProperties: {{ properties: {{ {} }} }}",
        all.collect::<Vec<_>>().join(", ")
    );
    let told = compiled(&all, &components);
    assert!(told.contains("warning[PC0414]") && told.contains("api.yaml:169:"), "{told}");
}

/// The example of POLICY.md does what the page says of it.
#[test]
fn a_budget_of_xml_is_told_with_its_place() {
    let folder = folder("budget-xml");
    // Every property is an element of a kind of its own.
    let each = |n: usize| {
        format!("\"p{n}\": {{ \"type\": \"object\", \"xml\": {{ \"name\": \"q{n}\" }} }}")
    };
    let all = (0..66_000).map(each).collect::<Vec<_>>().join(", ");
    let body = format!(
        r#"{{"content": {{"application/xml": {{"schema": {{"type": "object", "properties": {{ {all} }}}}}}}}}}"#
    );
    let text = format!(
        r#"{{"openapi": "3.0.3", "info": {{"title": "X", "version": "1"}}, "paths": {{"/x": {{"post": {{"requestBody": {body}, "responses": {{"200": {{"description": "ok"}}}}}}}}}}}}"#
    );
    std::fs::write(folder.join("xml.json"), text).unwrap();
    let output = run(&folder, "compile xml.json --unsigned -o a.bundle");
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(told.contains("warning[PC0710]"), "{}", told.lines().take(9).collect::<String>());
}

#[test]
fn bytes_that_are_no_text_are_told_with_their_place() {
    let folder = folder("bytes");
    let text = "openapi: 3.0.3\ninfo: { title: T, version: '1' }\npaths: { /a: { get: { responses: { '200': { description: ok } } } } }\n";
    let latin: Vec<u8> =
        text.replace("title: T", "title: Zürich").chars().map(|c| c as u8).collect();
    let marked = format!("\u{FEFF}{text}");
    let wide: Vec<u8> = marked.encode_utf16().flat_map(u16::to_le_bytes).collect();
    for (bytes, expected) in [
        (
            latin,
            "error[PC0002]: `api.yaml` is not UTF-8 text: a byte sequence that UTF-8 does not have\n--> api.yaml:2:17",
        ),
        (wide, "error[PC0002]: `api.yaml` is not UTF-8 text: it starts as UTF-16 does"),
        (marked.into_bytes(), ""),
    ] {
        std::fs::write(folder.join("api.yaml"), bytes).unwrap();
        let output = run(&folder, "compile api.yaml --unsigned -o a.bundle");
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(told.starts_with(expected), "{told}");
        assert_eq!(output.status.success(), expected.is_empty(), "{told}");
    }
}

#[test]
fn the_outbound_example_of_the_page_runs() {
    let page = include_str!("../POLICY.md");
    let (_, section) = page.split_once("## What an API sends").unwrap();
    let (_, policy) = section.split_once("```yaml\n").unwrap();
    let (policy, _) = policy.split_once("```").unwrap();
    let folder = folder("outbound-page");
    std::fs::write(folder.join("policy.yaml"), policy).unwrap();
    std::fs::write(
        folder.join("orders.yaml"),
        "openapi: 3.1.0\ninfo: { title: orders, version: '1' }\npaths:\n  /orders:\n    post:\n      operationId: createOrder\n\
         \x20     responses: { '201': { description: made } }\n      callbacks:\n        onChange:\n          '{$request.body#/url}':\n\
         \x20           post: { requestBody: { required: true, content: { application/json: { schema: { type: object, required: [state] } } } }, responses: { '204': { description: ok } } }\n\
         webhooks:\n  orderPaid: { post: &sent { requestBody: { required: true, content: { application/json: { schema: { type: object, required: [id] } } } }, responses: { '204': { description: ok } } } }\n\
         \x20 orderRefunded: { post: *sent }\n",
    )
    .unwrap();
    done(&folder, "compile -p policy.yaml --unsigned -o a.bundle");
    let verdict = |host: &str, path: &str, body: &str| {
        let length = body.len();
        let request = format!(
            "POST {path} HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
        );
        std::fs::write(folder.join("request.http"), request).unwrap();
        let told = run(&folder, "explain a.bundle request.http").stdout;
        String::from_utf8(told).unwrap().lines().next().unwrap_or_default().to_owned()
    };
    let (hooks, refunds) = ("hooks.partner.example", "refunds.partner.example");
    let all = [
        (hooks, "/partners/7/paid", r#"{"id":1}"#, "verdict: allow"),
        (hooks, "/partners/7/paid?trace=1", r#"{"id":1}"#, "verdict: allow"),
        (hooks, "/partners/7/paid", "{}", "verdict: block:body-invalid (400)"),
        (refunds, "/orderRefunded", r#"{"id":1}"#, "verdict: allow"),
        (hooks, "/changes", r#"{"state":1}"#, "verdict: allow"),
        (hooks, "/changes", "{}", "verdict: block:body-invalid (400)"),
        (hooks, "/orders", "{}", "verdict: block:operation-undeclared (404)"),
    ];
    for (host, path, body, expected) in all {
        assert_eq!(verdict(host, path, body), expected, "{host}{path} {body}");
    }
    // The refunds are bound to a host of their own.
    assert_ne!(verdict(hooks, "/orderRefunded", r#"{"id":1}"#), "verdict: allow");
}
