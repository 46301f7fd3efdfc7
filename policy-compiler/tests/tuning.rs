//! Tuning attack rules: the page TUNING.md command by command, and the way from a finding to an exception and back.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("tuning-{name}"));
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

fn shell(folder: &Path, command: &str) -> Output {
    let tool = Path::new(env!("CARGO_BIN_EXE_portcullis"));
    let path = format!("{}:{}", tool.parent().unwrap().display(), std::env::var("PATH").unwrap());
    Command::new("sh").current_dir(folder).env("PATH", path).args(["-c", command]).output().unwrap()
}

fn done(folder: &Path, command: &str) -> String {
    let output = shell(folder, command);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command}: {errors}");
    String::from_utf8(output.stdout).unwrap()
}

fn refused(folder: &Path, command: &str) -> String {
    let output = shell(folder, command);
    assert_eq!(output.status.code(), Some(1), "{command}");
    String::from_utf8(output.stdout).unwrap() + &String::from_utf8_lossy(&output.stderr)
}

/// Writes the page's files, runs its commands, and compares what they print. `UPDATE=1` writes it into the page.
fn page(name: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    let text = std::fs::read_to_string(&path).unwrap();
    let folder = folder(name);
    let (mut written, mut commands) = (String::new(), 0);
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        written.push_str(line);
        written.push('\n');
        let Some(kind) = line.strip_prefix("```").filter(|kind| !kind.is_empty()) else { continue };
        let block: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
        if kind == "console" {
            for command in block.iter().filter_map(|line| line.strip_prefix("$ ")) {
                commands += 1;
                let output = shell(&folder, command);
                assert!(matches!(output.status.code(), Some(0 | 1)), "{command}");
                let printed = String::from_utf8(output.stdout).unwrap();
                let errors = String::from_utf8(output.stderr).unwrap();
                assert!(errors.is_empty(), "{command}: {errors}");
                written.push_str(&format!("$ {command}\n{printed}"));
            }
        } else {
            let name = block[0].strip_prefix("# ").unwrap();
            std::fs::write(folder.join(name), block[1..].join("\n")).unwrap();
            block.iter().for_each(|line| written.push_str(&format!("{line}\n")));
        }
        written.push_str("```\n");
    }
    assert!(commands >= 10, "{commands}");
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, &written).unwrap();
    }
    assert!(written == text, "the page says otherwise: UPDATE=1 writes what is so\n{written}");
}

#[test]
fn the_page_says_what_commands_print() {
    page("TUNING.md");
}

const DOCUMENT: &str = "\
openapi: 3.1.0
info: { title: t, version: '1' }
paths:
  /payments/{id}:
    post:
      operationId: pay
      parameters:
        - { name: id, in: path, required: true, schema: { type: string, format: uuid } }
        - { name: count, in: query, schema: { type: integer } }
        - { name: code, in: query, schema: { type: string, pattern: '^[A-Z]{2}[0-9]+$' } }
        - { name: q, in: query, schema: { type: string } }
        - { name: short, in: query, schema: { type: string, maxLength: 3 } }
        - { name: state, in: query, schema: { enum: [open, closed] } }
      requestBody:
        content:
          application/json:
            schema:
              type: object
              additionalProperties: false
              properties:
                memo: { type: string }
                day: { type: string, format: date }
                items: { type: array, items: { type: object, properties: { note: { type: string } } } }
          application/x-www-form-urlencoded:
            schema: { type: object, additionalProperties: false, properties: { memo: { type: string }, amount: { type: number } } }
      responses: { '200': { description: ok } }
  /other:
    post:
      requestBody: { content: { application/json: { schema: {} } } }
      responses: { '200': { description: ok } }
";

const RULES: &str = "\
pack: tuned
rules:
  - { id: union, title: UNION SELECT, tags: [sqli], transform: [url_decode, lowercase], match: { regex: 'union\\s+select' } }
  - { id: hush, title: A word, score: 3, tags: [words], match: { words: [hush] } }
  - { id: names, title: A name, targets: [names], match: { any_of: ['$where'] } }
";

fn policy(attacks: &str, operation: &str) -> String {
    format!(
        "version: 1\nname: tuned\nattacks:\n  packs: [rules.yaml]\n{attacks}apis:\n  - name: api\n    documents: [api.yaml]\n\
         \x20   undeclared: {{ query_parameters: allow }}\n{operation}"
    )
}

fn compiled(folder: &Path, policy: &str) {
    std::fs::write(folder.join("api.yaml"), DOCUMENT).unwrap();
    std::fs::write(folder.join("rules.yaml"), RULES).unwrap();
    std::fs::write(folder.join("policy.yaml"), policy).unwrap();
    done(folder, "portcullis compile -p policy.yaml --unsigned -o a.bundle");
}

const PATH: &str = "/payments/12345678-1234-1234-1234-123456789012";

fn request(folder: &Path, name: &str, query: &str, body: &str) {
    let kind = if body.starts_with('{') { "json" } else { "x-www-form-urlencoded" };
    let head =
        format!("POST {PATH}{query} HTTP/1.1\nhost: h\ncontent-type: application/{kind}\n\n");
    std::fs::write(folder.join(name), head + body).unwrap();
}

#[test]
fn rules_that_are_skipped_are_told_with_the_reason() {
    let folder = folder("inspect");
    compiled(&folder, &policy("", ""));
    let told = done(&folder, "portcullis inspect a.bundle --rules pay");
    for line in [
        "skipped, type integer: hush, union",
        "skipped, pattern (api.yaml:10) shares no value with the rule: hush, union",
        "skipped, maxLength 3 is less than its shortest match: hush, union",
        "skipped, no value of the enum matches: hush, union",
        "skipped, format date: hush, union",
        "skipped, format uuid: hush, union",
        "skipped, type number: hush, union",
    ] {
        assert!(told.contains(line), "{line} in {told}");
    }
    let json = done(
        &folder,
        &format!("portcullis inspect a.bundle --format json --rules 'POST {}'", "/payments/{id}"),
    );
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    let position = |name: &str| {
        let all = json[0]["positions"].as_array().unwrap();
        all.iter()
            .find(|it| it["position"] == name)
            .unwrap_or_else(|| panic!("{name} in {json}"))
            .clone()
    };
    assert_eq!(position("query.q")["remaining"], serde_json::json!(["hush", "union"]));
    assert_eq!(position("query.count")["skipped"][0]["why"][0], "type integer");
    let item = position("body./items/*/note (application/json)");
    assert_eq!(item["remaining"], serde_json::json!(["hush", "union"]));
    assert_eq!(position("body.names (undeclared)")["remaining"], serde_json::json!(["names"]));
    let rule =
        json[0]["rules"].as_array().unwrap().iter().find(|it| it["rule"] == "union").unwrap();
    assert!(rule["applies"].as_array().unwrap().contains(&serde_json::json!("query.q")), "{rule}");
    assert!(
        rule["skipped"].as_array().unwrap().contains(&serde_json::json!("query.count")),
        "{rule}"
    );
    let told = refused(&folder, "portcullis inspect a.bundle --rules payy");
    assert!(told.contains("no operation `payy`: did you mean `pay`"), "{told}");
    // Where nothing is enforced nothing is skipped.
    compiled(&folder, &policy("", "    mode: monitor\n"));
    let told = done(&folder, "portcullis inspect a.bundle --rules pay");
    assert!(told.contains("no rule is skipped") && !told.contains("skipped, "), "{told}");
}

#[test]
fn a_finding_becomes_an_exception_and_passes() {
    let folder = folder("round-trip");
    compiled(&folder, &policy("", ""));
    request(&folder, "attack", "", r#"{"memo": "1 union select 2", "items": [{"note": "x"}]}"#);
    request(&folder, "elsewhere", "", r#"{"items": [{"note": "1 union select 2"}]}"#);
    request(&folder, "query", "?q=union%20select", "{}");
    request(&folder, "form", "", "amount=1&memo=union+select");
    let told = refused(&folder, "portcullis explain a.bundle attack --documents .");
    for part in [
        "rule: union: UNION SELECT",
        "written: rules.yaml:3",
        "where: body /memo",
        "transformations: url_decode, lowercase",
        "operator: regex union\\s+select",
        "score: 5 of this rule = 5; refused from 5",
        "tags: sqli",
    ] {
        assert!(told.contains(part), "{part} in {told}");
    }
    assert!(!told.contains("select 2"), "{told}");
    let told = refused(&folder, "portcullis explain a.bundle attack --values");
    assert!(told.contains("value: 1 union select 2"), "{told}");
    for (name, at) in [
        ("attack", "body./memo"),
        ("elsewhere", "body./items/*/note"),
        ("query", "query.q"),
        ("form", "body./memo"),
    ] {
        compiled(&folder, &policy("", ""));
        refused(&folder, &format!("portcullis explain a.bundle {name} --format event > event"));
        let event = std::fs::read_to_string(folder.join("event")).unwrap();
        std::fs::write(folder.join("event"), format!("[2026-11-27][12][warning][wasm] {event}"))
            .unwrap();
        let snippet = done(&folder, "portcullis exception --from event");
        assert!(snippet.contains(&format!("at: \"{at}\"")), "{snippet}");
        let exceptions = |snippet: &str| {
            let entries: Vec<String> =
                snippet.lines().map(|line| format!("    {line}\n")).collect();
            policy(&format!("  exceptions:\n{}", entries.concat()), "")
        };
        // Until it is filled in, the compiler refuses it.
        std::fs::write(folder.join("policy.yaml"), exceptions(&snippet)).unwrap();
        let told = refused(&folder, "portcullis compile -p policy.yaml --unsigned -o b.bundle");
        for field in ["owner", "reason", "expires"] {
            assert!(
                told.contains(&format!("`{field}` of an exception is still to be filled in")),
                "{told}"
            );
        }
        let snippet = done(
            &folder,
            "portcullis exception --from - --owner o --reason 'it: is \"so\"' --expires 2999-01-01 < event",
        );
        compiled(&folder, &exceptions(&snippet));
        done(&folder, &format!("portcullis explain a.bundle {name}"));
        for other in ["attack", "elsewhere", "query"].into_iter().filter(|other| *other != name) {
            if (name, other) != ("form", "attack") {
                refused(&folder, &format!("portcullis explain a.bundle {other}"));
            }
        }
    }
    std::fs::write(folder.join("nothing"), "{}\n").unwrap();
    assert!(refused(&folder, "portcullis exception --from nothing").contains("holds no finding"));
}

#[test]
fn an_event_tells_how_the_score_came_about() {
    let folder = folder("event");
    compiled(&folder, &policy("", ""));
    request(&folder, "two", "?q=hush", r#"{"memo": "1 union select 2"}"#);
    refused(&folder, "portcullis explain a.bundle two --format event > event");
    let told = done(&folder, "portcullis explain a.bundle --event event");
    assert!(told.contains("score: 5 of this rule + 3 of hush = 8; refused from 5"), "{told}");
    assert!(told.contains("score: 3 of this rule + 5 of union = 8; refused from 5"), "{told}");
    // The form of the filter's lines.
    let schema: serde_json::Value =
        serde_json::from_str(include_str!("../../filter/finding.schema.json")).unwrap();
    let known = schema["oneOf"][0]["properties"].as_object().unwrap();
    let own = known["rule"]["properties"].as_object().unwrap();
    for line in std::fs::read_to_string(folder.join("event")).unwrap().lines() {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        let names = line.as_object().unwrap().keys();
        assert!(
            names.into_iter().all(|name| name == "portcullis" || known.contains_key(name)),
            "{line}"
        );
        assert!(
            line["rule"].as_object().unwrap().keys().all(|name| own.contains_key(name)),
            "{line}"
        );
        for name in known["rule"]["required"].as_array().unwrap() {
            assert!(!line["rule"][name.as_str().unwrap()].is_null(), "{name} in {line}");
        }
    }
}

#[test]
fn exceptions_without_effect_are_told() {
    let folder = folder("idle");
    let of = |rule: &str, more: &str| {
        let day = if more.contains("expires") { "" } else { ", expires: 2999-01-01" };
        policy(
            &format!(
                "  rules: [{{ tag: words, mode: off }}]\n  exceptions: [{{ {rule}{more}, owner: o, reason: r{day} }}]\n"
            ),
            "",
        )
    };
    let warns = |policy: &str| {
        compiled(&folder, policy);
        let output = shell(&folder, "portcullis compile -p policy.yaml --unsigned -o a.bundle");
        String::from_utf8(output.stderr).unwrap()
    };
    let pay = "operation: \"POST /payments/{id}\"";
    for (policy, expected) in [
        (of("rule: union", ", expires: 2001-01-01"), "has expired"),
        (of("rule: hush", ""), "are off"),
        (of("rule: union", ", at: headers.referer"), "do not look at `headers.referer`"),
        (of("rule: union", &format!(", {pay}, at: body./memoo")), "takes a value at `body./memoo`"),
        (of("rule: union", ""), ""),
        (of(pay, ""), ""),
        (of("at: query.q", ""), ""),
        (of("rule: union", &format!(", {pay}, at: body./items/*/note")), ""),
        (of("rule: union", ", operation: \"POST /other\", at: body./a/b"), ""),
    ] {
        let told = warns(&policy);
        assert!(
            told.contains(expected) && (!expected.is_empty() || !told.contains("warning")),
            "{policy}\n{told}"
        );
    }
}

const ANSWERS: &str = "\
pack: answers
rules:
  - { id: trace, title: A stack trace, tags: [leak], targets: [response.body], match: { any_of: ['at com.bank.'] } }
  - { id: owner, title: A name, score: 1, targets: [response.values./owner], match: { equals: [hush] } }
";

#[test]
fn answers_are_explained() {
    let folder = folder("answers");
    std::fs::write(folder.join("answers.yaml"), ANSWERS).unwrap();
    compiled(&folder, &policy("", "").replace("[rules.yaml]", "[rules.yaml, answers.yaml]"));
    request(&folder, "attack", "", r#"{"memo": "1 union select 2"}"#);
    request(&folder, "good", "", r#"{"memo": "rent"}"#);
    let leak = "HTTP/1.1 500 Oops\ncontent-type: application/json\n\n\
        {\"owner\": \"hush\", \"error\": \"at com.bank.Pay\"}";
    std::fs::write(folder.join("leak"), leak).unwrap();
    let fine = r#"{"status": 200, "json": {"owner": "hush"}}"#;
    std::fs::write(folder.join("fine"), fine).unwrap();
    let told = refused(&folder, "portcullis explain a.bundle good --answer leak");
    for part in [
        "verdict: allow",
        "answer: block:response-leak (502)",
        "response-leak (block)",
        "rule: trace: A stack trace",
        "written: answers.yaml:3",
        "operator: any_of",
        "score: 5 of this rule + 1 of owner = 6; refused from 4",
    ] {
        assert!(told.contains(part), "{part} in {told}");
    }
    assert!(!told.contains("com.bank.Pay"), "{told}");
    let told = refused(&folder, "portcullis explain a.bundle good --answer leak --values");
    assert!(told.contains("value: hush"), "{told}");
    let told = done(&folder, "portcullis explain a.bundle good --answer fine");
    assert!(told.contains("answer: allow") && told.contains("rule: owner"), "{told}");
    let told = refused(&folder, "portcullis explain a.bundle attack --answer leak");
    assert!(told.contains("answer: the request is refused before"), "{told}");
    let json = refused(&folder, "portcullis explain a.bundle good --answer leak --format json");
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(
        (&json["verdict"], &json["answer"]["verdict"]),
        (&"allow".into(), &"block:response-leak".into())
    );
    assert_eq!(json["answer"]["findings"][0]["rule"]["id"], "trace");
    let lines = refused(&folder, "portcullis explain a.bundle good --answer leak --format event");
    assert!(lines.lines().any(|line| line.contains("\"trace\"")), "{lines}");
    // A bundle without rules on answers looks at none.
    compiled(&folder, &policy("", ""));
    let told = done(&folder, "portcullis explain a.bundle good --answer leak");
    assert!(told.contains("answer: no rule looks at it"), "{told}");
    let told = shell(&folder, "portcullis explain a.bundle good --answer good");
    assert!(String::from_utf8_lossy(&told.stderr).contains("`good` is not an answer"));
}
