//! What the filter tells the outside: every kind of log line as described, and never what a client sent.

mod support;

use std::collections::BTreeSet;
use std::time::Duration;

use portcullis_integration::faults::stage;
use portcullis_integration::http1::{Body, Connection, Request};
use portcullis_integration::store::{Behaviour, Store};
use portcullis_integration::{Bootstrap, Envoy, Filter, FilterDiscovery, Upstream};
use serde_json::{Value, json};
use support::{BAD, GOOD, Setup, lines};

const LIMIT: Duration = Duration::from_secs(10);
/// What a client sends and nobody else may repeat.
const MARK: &str = "zq7s3cr3t";
const DIGITS: &str = "8675309775";

fn with_debug_lines(envoy: &Envoy) {
    let set = Request::new("POST", "/logging?wasm=debug").send(envoy.admin()).unwrap();
    assert_eq!(set.status, 200);
}

#[test]
fn the_schema_is_told_apart_from_what_it_does_not_describe() {
    let prefix = "[2026-01-01][7][warning][wasm] wasm log a b c: ";
    let good = format!("{prefix}{}\n", r#"{"portcullis":1,"event":"suppressed","suppressed":3}"#);
    assert_eq!((lines::of(&good).len(), lines::faults(&good).len()), (1, 0));
    for bad in [
        r#"{"portcullis":1,"event":"suppressed","suppressed":0}"#,
        r#"{"portcullis":2,"event":"suppressed","suppressed":3}"#,
        r#"{"portcullis":1,"event":"suppressed","suppressed":3,"value":"x"}"#,
        r#"{"portcullis":1,"event":"finding","verdict":"block","code":"a","request_id":"x"}"#,
        r#"{"portcullis":1,"event":"other"}"#,
        r#"{"portcullis":1,"#,
    ] {
        assert!(!lines::faults(&format!("{prefix}{bad}\n")).is_empty(), "{bad}");
    }
}

#[test]
fn every_kind_of_line_is_as_described() {
    let Some(setup) = Setup::new() else { return };
    let upstream = Upstream::start().unwrap();
    let of = |mode, epoch, more| setup.filter(&setup.compile(mode, epoch, ""), more);
    let deny = Filter::new(&setup.artefacts.filter, "");
    let mut discovery = FilterDiscovery::empty().unwrap();
    discovery.publish(&deny).unwrap();
    let base = Bootstrap::to(upstream.address()).guard();
    let bootstrap = base.filter_from(discovery.dir(), Some(&deny));
    let envoy = Envoy::start(&setup.artefacts.envoy, &bootstrap).unwrap();
    with_debug_lines(&envoy);
    let said = |envoy: &Envoy, text: &str| envoy.log().contains(text);
    let status = |request: &Request| request.send(envoy.address()).unwrap().status;
    assert_eq!(status(&Request::get("/ping")), 503);

    // Few lines a second, so that some are left out.
    discovery.publish(&of("enforce", 3, json!({ "log_findings_per_second": 5 }))).unwrap();
    let served = |_: &Envoy| status(&Request::get("/ping")) == 200;
    envoy.wait_until("epoch 3", LIMIT, served).unwrap();
    let odd = Request::get("/nowhere").header("x-request-id", "made up");
    for request in [Request::post_json("/pay", BAD), Request::new("DELETE", "/ping"), odd] {
        assert!(status(&request) >= 400);
    }
    std::thread::sleep(Duration::from_millis(1100));
    let preflight = Request::new("OPTIONS", "/pay")
        .header("origin", "https://bank.example")
        .header("access-control-request-method", "POST");
    for request in [Request::get("/healthz"), preflight, Request::post_json("/pay", GOOD)] {
        assert_eq!(status(&request), 200);
    }
    for _ in 0..20 {
        assert_eq!(status(&Request::get("/nowhere")), 404);
    }
    envoy.wait_until("lines left out", LIMIT, |it| said(it, "\"suppressed\":")).unwrap();

    // Notes on what was allowed; what would have been refused; and what break-glass let pass.
    discovery.publish(&of("monitor", 4, json!({}))).unwrap();
    let monitored = |_: &Envoy| status(&Request::get("/nowhere")) == 200;
    envoy.wait_until("epoch 4", LIMIT, monitored).unwrap();
    let grpc = Request::new("POST", "/bank.Payments/Watch")
        .header("content-type", "application/grpc")
        .body(Body::Sized(vec![0; 5]));
    let note = Request::new("POST", "/note").header("content-type", "application/x-note");
    for request in [grpc, note.body(Body::Sized(b"judged by nothing".to_vec()))] {
        assert_eq!(status(&request), 200);
    }
    let until = json!({ "force_monitor_until": "2100-01-01T00:00:00Z" });
    discovery.publish(&of("enforce", 5, until.clone())).unwrap();
    envoy.wait_until("break-glass", LIMIT, |it| said(it, "\"break-glass\"")).unwrap();
    let passed = "wasmcustom.portcullis.break-glass.passed";
    let passes = |it: &Envoy| {
        status(&Request::post_json("/pay", BAD)) == 200 && it.stat(passed).unwrap() > 0
    };
    envoy.wait_until("a request that it lets pass", LIMIT, passes).unwrap();
    discovery.publish(&without_consent(&setup, 6, until)).unwrap();
    envoy.wait_until("its refusal", LIMIT, |it| said(it, "break-glass-refused")).unwrap();
    let refuses = |_: &Envoy| status(&Request::post_json("/pay", BAD)) == 400;
    envoy.wait_until("epoch 6", LIMIT, refuses).unwrap();

    audited(&setup, &envoy, &mut discovery);

    // A veto, and a roll-back that Envoy does not try again.
    let nonsense = Filter { configuration: "{\"bundle\": \"UE9SVA==\"}".to_owned(), ..deny };
    discovery.publish(&nonsense).unwrap();
    envoy.wait_until("a veto", LIMIT, |it| said(it, "\"refused\"")).unwrap();
    discovery.publish(&of("monitor", 4, json!({}))).unwrap();
    envoy
        .wait_until("a roll-back", LIMIT, |it| {
            said(it, "\"kept\"")
                || it.stat("wasmcustom.portcullis.configuration.refused.epoch-lower").unwrap() > 0
        })
        .unwrap();

    let log = envoy.log() + &fetched(&setup);
    let faults = lines::faults(&log);
    assert!(faults.is_empty(), "{faults:#?}");
    let seen: Vec<Value> = lines::parsed(&log).collect();
    let all = |member: &str| -> BTreeSet<String> {
        seen.iter().filter_map(|line| line[member].as_str().map(str::to_owned)).collect()
    };
    let described = |pointer: &str| -> BTreeSet<String> {
        let list = lines::SCHEMA.pointer(pointer).and_then(Value::as_array).unwrap();
        list.iter().filter_map(|it| it.as_str().map(str::to_owned)).collect()
    };
    assert_eq!(all("event"), described("/properties/event/enum"));
    assert_eq!(all("outcome"), described("/oneOf/3/properties/outcome/enum"));
    let verdicts = described("/oneOf/0/properties/verdict/enum");
    assert_eq!(verdicts.difference(&all("verdict")).next(), None, "{:?}", all("verdict"));
}

/// What a gateway says of a store that errs, and then does not.
fn fetched(setup: &Setup) -> String {
    let upstream = Upstream::start().unwrap();
    let bundle = std::fs::read(setup.compile("enforce", 8, "")).unwrap();
    let store = Store::start(&bundle).unwrap();
    store.behave(Behaviour::Status(500, String::new()));
    let mut configuration = stage::polling(&setup.public_key, None);
    configuration["audience"] = Value::Null;
    let filter = Filter::new(&setup.artefacts.filter, configuration.to_string());
    let bootstrap = Bootstrap::to(upstream.address()).guard().filter(&filter);
    let bootstrap = bootstrap.cluster("store", store.address());
    let envoy = Envoy::start(&setup.artefacts.envoy, &bootstrap).unwrap();
    with_debug_lines(&envoy);
    for (behaviour, line) in
        [(None, "\"fetch-failed\""), (Some(Behaviour::default()), "\"fetch-recovered\"")]
    {
        behaviour.into_iter().for_each(|behaviour| store.behave(behaviour));
        envoy.wait_until(line, LIMIT, |envoy| envoy.log().contains(line)).unwrap();
    }
    envoy.log()
}

/// Every rule that fired on a message in one line, for tools that read ModSecurity's audit log.
fn audited(setup: &Setup, envoy: &Envoy, discovery: &mut FilterDiscovery) {
    let rule = |number: u32, score: u32, word: &str| {
        format!(
            "SecRule ARGS \"@contains {word}\" \"id:{number},phase:2,pass,\\\n  msg:'The word {word}',\\\n  \
             severity:CRITICAL,tag:'attack-words',setvar:tx.inbound_anomaly_score_pl1=+{score}\"\n"
        )
    };
    let rules = setup.dir.join("words");
    std::fs::create_dir_all(&rules).unwrap();
    let words = ["one", "two", "three", "four", "five", "six", "seven", "eight"];
    let all: String = (1..).zip(words).map(|(at, word)| rule(at, 2, word)).collect();
    std::fs::write(rules.join("words.conf"), all).unwrap();
    let attacks = "attacks: { rules: [ { crs: words } ] }";
    let bundle = setup.compile("enforce", 7, attacks);
    discovery.publish(&setup.filter(&bundle, json!({ "log_audit": true }))).unwrap();
    let note = format!(r#"{{"amount": 3, "note": "{MARK} {}"}}"#, words.join(" "));
    let refused =
        |_: &Envoy| Request::post_json("/pay", &note).send(envoy.address()).unwrap().status == 403;
    envoy.wait_until("epoch 7", LIMIT, refused).unwrap();
    let line = lines::parsed(&envoy.log()).find(|line| line["event"] == "audit").unwrap();
    let told = &line["transaction"];
    assert_eq!(told["request"], json!({ "method": "POST", "uri": "/pay" }));
    assert_eq!(told["response"]["http_code"], 403);
    assert_eq!(told["is_interrupted"], true);
    assert_eq!(told["anomaly_scores"], json!({ "inbound": 16, "inbound_threshold": 5 }));
    assert!(told["unique_id"].is_string(), "{told}");
    let messages = told["messages"].as_array().unwrap();
    assert_eq!(messages.len(), words.len(), "{told}");
    let last = json!({
        "message": "The word eight",
        "details": {
            "ruleId": "8", "file": "words/words.conf", "lineNumber": "22", "severity": "2",
            "tags": ["attack-words"], "points": 2,
        },
    });
    assert_eq!(messages.last(), Some(&last));
    assert!(!line.to_string().contains(MARK), "{line}");
}

fn without_consent(setup: &Setup, epoch: u32, more: Value) -> Filter {
    let text = "version: 1\nname: strict\napis: [ { name: pay, documents: [api.yaml] } ]\n";
    std::fs::write(setup.dir.join("strict.yaml"), text).unwrap();
    let epoch = epoch.to_string();
    let mut arguments = vec!["compile", "-p", "strict.yaml", "-k", "dev.key"];
    arguments.extend(["-o", "strict.bundle", "-e", &epoch]);
    setup.portcullis(&arguments);
    setup.filter(&setup.dir.join("strict.bundle"), more)
}

const POSITIONS: &str = r##"
openapi: 3.1.0
info: { title: positions, version: "1" }
paths:
  /items/{id}:
    parameters: [ { name: id, in: path, required: true, schema: { type: integer } } ]
    get:
      parameters:
        - { name: kind, in: query, schema: { enum: [a, b] } }
        - { name: list, in: query, schema: { type: array, items: { type: integer }, maxItems: 2 } }
        - { name: deep, in: query, style: deepObject, explode: true, schema: { type: object, additionalProperties: false, properties: { n: { type: integer } } } }
        - { name: X-Kind, in: header, schema: { type: string, maxLength: 3 } }
        - { name: lang, in: cookie, schema: { type: string, pattern: '^[a-z]{2}$' } }
      responses: { "200": { description: ok } }
    post:
      requestBody:
        required: true
        content:
          application/json:
            schema:
              type: object
              additionalProperties: false
              patternProperties: { '^n-': { type: integer } }
              propertyNames: { maxLength: 40 }
              properties:
                text: { type: string, maxLength: 3 }
                when: { type: string, format: date-time }
                kind: { enum: [a, b] }
                count: { type: integer, maximum: 9 }
                map: { type: object, additionalProperties: { type: integer } }
                list: { type: array, uniqueItems: true, items: { type: string, pattern: '^[a-z]$' } }
                either: { oneOf: [ { type: integer }, { type: object, required: [x] } ] }
                tagged:
                  oneOf:
                    - { type: object, required: [t], properties: { t: { const: one }, v: { type: integer } } }
                    - { type: object, required: [t], properties: { t: { const: two }, v: { type: boolean } } }
      responses: { "200": { description: ok } }
"##;

/// Requests with the mark in every position, each of them wrong.
fn marked() -> Vec<Request> {
    let get = |path: String| Request::get(&path);
    let post = |body: String| Request::post_json("/items/1", body);
    let in_path = [
        format!("/{MARK}"),
        format!("/items/{MARK}"),
        format!("/items/1/{MARK}"),
        format!("/items/{MARK}%2f..;{MARK}"),
        format!("/items/%zz{MARK}"),
        format!("/items/1?kind={MARK}"),
        format!("/items/1?{MARK}=1"),
        format!("/items/1?kind=a&kind={MARK}"),
        format!("/items/1?list=1,{MARK}"),
        format!("/items/1?list={DIGITS},{DIGITS},{DIGITS}"),
        format!("/items/1?deep[{MARK}]=1"),
        format!("/items/1?deep[n]={MARK}"),
        format!("/items/1?kind=%zz{MARK}"),
        format!("/items/{MARK}?{}", MARK.repeat(2000)),
    ];
    let in_fields = [
        ("x-kind", MARK.to_owned()),
        ("cookie", format!("lang={MARK}; {MARK}=1")),
        ("cookie", format!("{MARK}; lang={MARK}; lang=nl")),
        ("host", format!("{MARK}.example")),
        ("x-request-id", MARK.to_owned()),
        ("x-portcullis-verdict", MARK.to_owned()),
        ("authorization", format!("Bearer {MARK}")),
        ("expect", MARK.to_owned()),
    ];
    let in_body = [
        format!(r#"{{"text":"{MARK}"}}"#),
        format!(r#"{{"when":"{MARK}"}}"#),
        format!(r#"{{"kind":"{MARK}"}}"#),
        format!(r#"{{"count":{DIGITS}}}"#),
        format!(r#"{{"count":"{MARK}"}}"#),
        format!(r#"{{"{MARK}":1}}"#),
        format!(r#"{{"n-{MARK}":"{MARK}"}}"#),
        format!(r#"{{"{}":1}}"#, MARK.repeat(5)),
        format!(r#"{{"map":{{"{MARK}":"{MARK}"}}}}"#),
        format!(r#"{{"list":["{MARK}"]}}"#),
        format!(r#"{{"either":{{"{MARK}":1}}}}"#),
        format!(r#"{{"either":"{MARK}"}}"#),
        format!(r#"{{"tagged":{{"t":"{MARK}"}}}}"#),
        format!(r#"{{"tagged":{{"v":"{MARK}","t":"one"}}}}"#),
        format!(r#"{{"map":{{"{MARK}":1,"{MARK}":2}}}}"#),
        format!(r#"{{"text":"{MARK}"#),
        MARK.to_owned(),
        format!(r#"{{"text":"ok"}}{MARK}"#),
        format!(r#"["{MARK}"]"#),
        format!(r#"{{"text":"{MARK}\ud800"}}"#),
    ];
    let typed = |field: &str, value: &str| {
        post("{}".into()).body(Body::Sized(b"{}".to_vec())).header(field, value)
    };
    let mut all: Vec<Request> = in_path.into_iter().map(get).collect();
    all.extend(in_fields.map(|(name, value)| Request::get("/items/x").header(name, value)));
    all.extend(in_body.into_iter().map(post));
    all.push(Request::new(&MARK.to_uppercase(), "/items/1"));
    all.push(
        Request::new("POST", "/items/1")
            .header("content-type", format!("text/{MARK}"))
            .body(Body::Sized(MARK.into())),
    );
    let charset = format!("application/json; charset={MARK}");
    all.push(
        Request::new("POST", "/items/1")
            .header("content-type", charset)
            .body(Body::Sized(b"{}".to_vec())),
    );
    all.push(typed("content-encoding", MARK));
    all.push(post("{\"count\":10}".into()).body(Body::Chunked {
        content: b"{\"count\":10}".to_vec(),
        trailers: vec![(b"x-sum".to_vec(), MARK.into())],
    }));
    all.push(Request::get("/items/1").body(Body::Sized(MARK.into())));
    all
}

#[test]
fn nothing_that_a_client_sends_is_repeated() {
    let Some(setup) = Setup::new() else { return };
    std::fs::write(setup.dir.join("positions.yaml"), POSITIONS).unwrap();
    for mode in ["enforce", "monitor"] {
        let upstream = Upstream::start().unwrap();
        let gateway = rendered(&setup, mode, &upstream);
        with_debug_lines(&gateway);
        let (mut refused, requests) = (0, marked());
        for request in &requests {
            let answer = Connection::open(gateway.address()).unwrap().exchange(request).unwrap();
            if answer.header("content-type").as_deref() == Some("application/problem+json") {
                refused += 1;
                let told = format!("{:?} {}", answer.headers, answer.text()).to_lowercase();
                assert!(!told.contains(MARK) && !told.contains(DIGITS), "{request:?}: {told}");
            }
        }
        // Envoy answers a few by itself: a method or a field that it does not take.
        let least = if mode == "enforce" { requests.len() - 4 } else { 0 };
        assert!(refused >= least, "{mode}: {refused} of {}", requests.len());
        let codes =
            |it: &Envoy| lines::parsed(&it.log()).filter(|line| line["code"].is_string()).count();
        gateway.wait_until("the lines", LIMIT, |it| codes(it) + 4 >= requests.len()).unwrap();
        std::thread::sleep(Duration::from_millis(300));
        let faults = lines::faults(&gateway.log());
        assert!(faults.is_empty(), "{faults:#?}");
        let pages = ["/stats", "/stats/prometheus", "/stats?histogram_buckets=detailed"];
        let shown = pages.map(|page| gateway.admin_page(page).unwrap()).concat().to_lowercase();
        assert!(!shown.contains(MARK) && !shown.contains(DIGITS));
        for line in gateway.log().to_lowercase().lines() {
            // The request id and the method are the access log's, whose form is the operator's.
            let is_access = line.starts_with('{') && line.contains("\"flags\"");
            let rest = if is_access { access_without_names(line) } else { line.to_owned() };
            assert!(!rest.contains(MARK) && !rest.contains(DIGITS), "{mode}: {line}");
        }
    }
}

fn access_without_names(line: &str) -> String {
    let mut line: Value = serde_json::from_str(line).unwrap();
    for name in ["request_id", "method"] {
        line.as_object_mut().unwrap().remove(name);
    }
    line.to_string()
}

/// A gateway as users render it, with an answer style that tells as much as it may.
fn rendered(setup: &Setup, mode: &str, upstream: &Upstream) -> Envoy {
    let policy = format!(
        "version: 1\nname: positions\nmode: {mode}\nanswers: {{ details: finding }}\n\
         apis: [ {{ name: positions, documents: [positions.yaml] }} ]\n"
    );
    std::fs::write(setup.dir.join("positions-policy.yaml"), policy).unwrap();
    let (bundle, out) = (format!("positions-{mode}.bundle"), format!("rendered-{mode}"));
    setup.portcullis(&["compile", "-p", "positions-policy.yaml", "-k", "dev.key", "-o", &bundle]);
    let wasm = setup.artefacts.filter.display().to_string();
    let address = upstream.address().to_string();
    let mut arguments =
        vec!["render", "envoy", "--bundle", &bundle, "--wasm", &wasm, "--out", &out];
    arguments.extend(["--mounted-at"]);
    let mounted = setup.dir.join(&out).display().to_string();
    arguments.extend([
        mounted.as_str(),
        "--trusted-key",
        &setup.public_key,
        "--upstream",
        &address,
    ]);
    arguments.extend(["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"]);
    setup.portcullis(&arguments);
    // Every line is looked at, so none may be left out.
    let text = std::fs::read_to_string(setup.dir.join(&out).join("envoy.yaml")).unwrap();
    let text = text.replace(
        "hold_headers: true",
        "hold_headers: true\n      log_findings_per_second: 1000000",
    );
    Envoy::start_text(&setup.artefacts.envoy, &text, 1).unwrap()
}
