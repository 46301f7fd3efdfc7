//! Answers in a real Envoy: what comes in other ways than from an upstream over HTTP/1.1, and what may not be held.

mod support;

use std::net::TcpListener;

use portcullis_integration::bootstrap::VERDICT_HEADER;
use portcullis_integration::http1::{Body, Connection, Request};
use portcullis_integration::{Bootstrap, Envoy, Upstream, http2};
use serde_json::{Value, json};
use support::{Setup, finding};

const LEAK: &str = "SQLSTATE[42S22] column not found";

const RULES: &str = "pack: answers
rules:
  - { id: error, title: An error of a database, targets: [response.body], match: { any_of: [sqlstate] } }
  - { id: broken, title: The service broke, targets: [response.status], match: { number: { is: 503 } } }
  - { id: debug, title: A field for debugging, targets: [response.headers.names], match: { starts_with: [x-debug] } }
";

struct Gateway {
    envoy: Envoy,
    upstream: Upstream,
}

/// A gateway before an upstream that answers so, by a policy with these members of `attacks`.
fn gateway(mode: &str, attacks: &str, more: Value, answer: &str) -> Option<Gateway> {
    gateway_with(mode, attacks, more, answer, |bootstrap| bootstrap)
}

fn gateway_with(
    mode: &str,
    attacks: &str,
    more: Value,
    answer: &str,
    change: impl FnOnce(Bootstrap) -> Bootstrap,
) -> Option<Gateway> {
    let setup = Setup::new()?;
    std::fs::write(setup.dir.join("rules.yaml"), RULES).unwrap();
    let answer = answer.as_bytes().to_vec();
    let upstream = Upstream::answering(move |_| Some(answer.clone())).unwrap();
    let attacks = format!("attacks: {{ packs: [rules.yaml], {attacks} }}");
    let filter = setup.filter(&setup.compile(mode, 1, &attacks), more);
    let envoy = setup.start_with(&upstream, &filter, change);
    Some(Gateway { envoy, upstream })
}

fn plain(body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: {length}\r\n\r\n{body}")
}

#[test]
fn a_refusal_says_nothing_of_the_answer() {
    let answer = format!("HTTP/1.1 200 OK\r\nset-cookie: own\r\n{}", &plain(LEAK)[17..]);
    let Some(Gateway { envoy, upstream: _upstream }) = gateway("enforce", "", json!({}), &answer)
    else {
        return;
    };
    let told = Request::get("/ping").send(envoy.address()).unwrap();
    assert_eq!(told.status, 502);
    assert_eq!(told.header(VERDICT_HEADER).as_deref(), Some("block:response-leak"));
    assert_eq!(told.header("content-type").as_deref(), Some("application/problem+json"));
    assert_eq!(told.header("set-cookie"), None);
    assert_eq!(told.json()["type"], "urn:portcullis:finding:response-leak");
    let line = finding(&envoy, "response-leak");
    assert_eq!((&line["direction"], &line["rule"]["id"]), (&json!("outbound"), &json!("error")));
    assert_eq!(line["operation_id"], "ping");
    assert!(!envoy.log().contains("42S22"));
    assert_eq!(envoy.stat("wasmcustom.portcullis.answer.block").unwrap(), 1);
    assert_eq!(envoy.stat("wasmcustom.portcullis.verdict.allow").unwrap(), 1);
}

#[test]
fn http2_and_trailers_are_held_too() {
    let answer = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ntransfer-encoding: chunked\r\n\r\n\
         {:x}\r\n{LEAK}\r\n0\r\nx-sum: 7\r\n\r\n",
        LEAK.len()
    );
    let Some(Gateway { envoy, upstream: _upstream }) = gateway("enforce", "", json!({}), &answer)
    else {
        return;
    };
    let client = http2::Connection::open(envoy.address()).unwrap();
    for _ in 0..3 {
        let told = client.exchange(&Request::get("/ping")).unwrap();
        assert_eq!(told.status, 502);
        assert!(!told.text().contains("SQLSTATE"));
    }
}

#[test]
fn a_large_answer_goes_on_when_its_beginning_was_judged() {
    let large = "x".repeat(3 << 20);
    let Some(Gateway { envoy, upstream: _upstream }) =
        gateway("enforce", "", json!({}), &plain(&large))
    else {
        return;
    };
    let told = Request::get("/ping").send(envoy.address()).unwrap();
    assert_eq!((told.status, told.body.len()), (200, large.len()));
    assert_eq!(finding(&envoy, "response-unjudged")["offset"], 128 << 10);
    let client = http2::Connection::open(envoy.address()).unwrap();
    let told = client.exchange(&Request::get("/ping")).unwrap();
    assert_eq!((told.status, told.body.len()), (200, large.len()));
}

#[test]
fn a_large_answer_is_refused_where_the_policy_says_so() {
    let large = "x".repeat(3 << 20);
    for answer in [
        plain(&large),
        format!(
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{:x}\r\n{large}\r\n0\r\n\r\n",
            large.len()
        ),
    ] {
        let block = "response_body: { larger: block }";
        let Some(Gateway { envoy, upstream: _upstream }) =
            gateway("enforce", block, json!({}), &answer)
        else {
            return;
        };
        let told = Request::get("/ping").send(envoy.address()).unwrap();
        assert_eq!(told.status, 502);
        assert_eq!(told.header(VERDICT_HEADER).as_deref(), Some("block:response-unjudged"));
    }
}

#[test]
fn monitor_holds_nothing_and_reports() {
    let large = format!("{LEAK}{}", "x".repeat(3 << 20));
    for (answer, offset) in [(plain(LEAK), None), (plain(&large), Some(128 << 10))] {
        let limited = |bootstrap: Bootstrap| bootstrap.buffer_limit(16 << 10);
        let Some(Gateway { envoy, upstream: _upstream }) =
            gateway_with("monitor", "", json!({}), &answer, limited)
        else {
            return;
        };
        let told = Request::get("/ping").send(envoy.address()).unwrap();
        assert_eq!(told.status, 200);
        assert!(answer.ends_with(&told.text()) && !told.body.is_empty());
        assert_eq!(finding(&envoy, "response-leak")["verdict"], "monitor");
        assert_eq!(finding(&envoy, "response-unjudged")["offset"].as_u64(), offset);
        assert_eq!(envoy.stat("wasmcustom.portcullis.answer.monitor").unwrap(), 1);
    }
}

#[test]
fn where_headers_may_not_be_held_a_body_is_only_reported() {
    let unheld = json!({ "hold_headers": false });
    let Some(Gateway { envoy, upstream: _upstream }) = gateway("enforce", "", unheld, &plain(LEAK))
    else {
        return;
    };
    let told = Request::get("/ping").send(envoy.address()).unwrap();
    assert_eq!((told.status, told.text()), (200, LEAK.to_owned()));
    assert_eq!(finding(&envoy, "response-leak")["verdict"], "monitor");
    assert_eq!(finding(&envoy, "response-unjudged")["offset"], 0);
}

#[test]
fn answers_of_envoy_itself_are_judged_and_those_of_the_filter_are_not() {
    let Some(setup) = Setup::new() else { return };
    std::fs::write(setup.dir.join("rules.yaml"), RULES).unwrap();
    let bundle = setup.compile("enforce", 1, "attacks: { packs: [rules.yaml] }");
    let filter = setup.filter(&bundle, json!({}));
    // Nobody listens there: Envoy answers 503.
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let bootstrap = Bootstrap::to(nobody).guard().filter(&filter);
    let envoy = Envoy::start(&setup.artefacts.envoy, &bootstrap).unwrap();
    let told = Request::get("/ping").send(envoy.address()).unwrap();
    assert!(told.status == 502 || told.status == 503, "{}", told.status);
    assert_eq!(finding(&envoy, "response-leak")["rule"]["id"], "broken");
    assert_eq!(Request::get("/nowhere").send(envoy.address()).unwrap().status, 404);
    assert_eq!(envoy.stat("wasmcustom.portcullis.answer.block").unwrap(), 1);
    // Both again, to see that the worker lives.
    assert!(Request::get("/ping").send(envoy.address()).unwrap().status >= 502);
}

#[test]
fn upgrades_are_judged_by_their_heads() {
    let answer = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
    let websocket = |bootstrap: Bootstrap| bootstrap.upgrades(&["websocket"]);
    let Some(Gateway { envoy, upstream: _upstream }) =
        gateway_with("enforce", "", json!({}), answer, websocket)
    else {
        return;
    };
    let upgrade = Request::get("/ping").header("connection", "upgrade");
    let upgrade = upgrade.header("upgrade", "websocket");
    let mut socket = Connection::open(envoy.address()).unwrap();
    assert_eq!(socket.exchange(&upgrade).unwrap().status, 101);
    socket.write(LEAK.as_bytes()).unwrap();
    assert_eq!(socket.read_exact(LEAK.len()).unwrap(), LEAK.as_bytes());
}

#[test]
fn the_upstream_is_asked_for_identity_where_the_policy_wants_it() {
    let identity = "response_body: { identity: true }";
    let posted = Request::new("POST", "/pay")
        .header("content-type", "application/json")
        .body(Body::Sized(b"{\"amount\": 3}".to_vec()));
    for (mode, attacks, wanted) in
        [("enforce", identity, "identity"), ("enforce", "", "gzip"), ("monitor", identity, "gzip")]
    {
        let Some(Gateway { envoy, upstream }) = gateway(mode, attacks, json!({}), &plain("fine"))
        else {
            return;
        };
        for request in [&Request::get("/ping"), &posted] {
            let request = request.clone().header("accept-encoding", "gzip");
            assert_eq!(request.send(envoy.address()).unwrap().status, 200);
            let received = upstream.take().pop().unwrap();
            assert_eq!(received.header("accept-encoding").as_deref(), Some(wanted), "{mode}");
        }
    }
}
