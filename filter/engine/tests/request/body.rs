//! Bodies: presence, media type, size, content.

use super::support::Builder;
use super::{Judged, Request};
use portcullis_bundle::Bundle;
use portcullis_bundle::layout::*;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

/// A bundle with `POST /b` that takes `{"n": 1..9}` as JSON, text, and images; `set` may change it.
fn bundle(set: impl FnOnce(&mut Operation)) -> Bundle {
    let mut builder = Builder::new();
    let number = builder.integer(1, 9);
    builder.trace(number, Keyword::Maximum, 42);
    let object = builder.object(&[("n", number, true)], SCHEMA_NEVER);
    let media_types = [
        ("application/json", object, BodyKind::Json),
        ("text/plain", SCHEMA_ANY, BodyKind::Opaque),
        ("image/*", SCHEMA_ANY, BodyKind::Opaque),
    ];
    builder.operation("POST", "/b", &[], &media_types, set);
    builder.operation("GET", "/b", &[], &[], |_| {});
    builder.build()
}

fn required(operation: &mut Operation) {
    operation.flags = OPERATION_BODY_REQUIRED.into();
}

fn post() -> Request {
    Request::new("POST", "/b")
}

fn typed(media_type: &str, body: &str) -> Request {
    post()
        .header("content-type", media_type)
        .header("content-length", body.len().to_string())
        .chunks(&[body])
}

fn outcome(judged: &Judged) -> (&'static str, u16) {
    (judged.decision.label(), judged.decision.status)
}

#[test]
fn bodies_are_judged_by_their_schema() {
    let bundle = bundle(required);
    for (body, label) in [
        (r#"{"n":1}"#, "allow"),
        (r#" {"n":1} "#, "allow"),
        (r#"{"n":10}"#, "block:body-invalid"),
        (r#"{}"#, "block:body-invalid"),
        (r#"{"n":1,"m":2}"#, "block:body-invalid"),
        (r#"[]"#, "block:body-invalid"),
        (r#"{"n":1"#, "block:body-malformed"),
        (r#"{"n":1}}"#, "block:body-malformed"),
        ("  ", "block:body-malformed"),
        (r#"{"n":1,"n":1}"#, "block:body-duplicate-key"),
    ] {
        let judged = post().json(body).judge(&bundle);
        assert_eq!(outcome(&judged), (label, if label == "allow" { 0 } else { 400 }), "{body}");
        assert_eq!(judged.held, Some(true));
    }
    let judged = post().json(r#"{"n":10}"#).judge(&bundle);
    assert_eq!(judged.found, ["body-invalid at body /n (maximum), test.yaml:42"]);
    let deep = "[".repeat(9);
    assert_eq!(outcome(&post().json(&deep).judge(&bundle)), ("block:body-invalid", 400));
}

#[test]
fn bodies_may_be_missing_or_unexpected() {
    let (needed, optional) = (bundle(required), bundle(|_| {}));
    let empties = [
        post(),
        post().header("content-length", "0").header("content-type", "application/json"),
        post().header("content-type", "application/json").chunks(&["", ""]),
        post().chunks(&[]),
    ];
    for request in empties {
        assert_eq!(request.verdict(&needed), "block:body-missing", "{request:?}");
        assert_eq!(request.verdict(&optional), "allow", "{request:?}");
    }
    let get = Request::new("GET", "/b");
    assert_eq!(outcome(&get.clone().json("1").judge(&needed)), ("block:body-unexpected", 400));
    assert_eq!(get.clone().chunks(&["", "1"]).verdict(&needed), "block:body-unexpected");
    assert_eq!(get.clone().chunks(&["", ""]).verdict(&needed), "allow");
    assert_eq!(get.header("content-length", "0").chunks(&[]).verdict(&needed), "allow");
}

#[test]
fn media_types() {
    let bundle = bundle(required);
    let good = r#"{"n":1}"#;
    for (media_type, label) in [
        ("application/json", "allow"),
        ("APPLICATION/Json;charset=\"UTF-8\"", "allow"),
        ("application/json; charset=utf-16", "block:charset-unsupported"),
        ("application/jsonp", "block:media-type-undeclared"),
        ("application/json, text/plain", "block:media-type-undeclared"),
        ("application/xml", "block:media-type-undeclared"),
        ("", "block:media-type-undeclared"),
        ("json", "block:media-type-undeclared"),
        // Nothing reads these as text.
        ("text/plain; charset=latin1", "allow"),
        ("image/png", "allow"),
    ] {
        let judged = typed(media_type, good).judge(&bundle);
        let status = if label == "allow" { 0 } else { 415 };
        assert_eq!(outcome(&judged), (label, status), "{media_type}");
    }
    let untyped = post().header("content-length", "7").chunks(&[good]);
    assert_eq!(untyped.verdict(&bundle), "block:media-type-undeclared");
    assert_eq!(post().chunks(&["", good]).verdict(&bundle), "block:media-type-undeclared");
    let twice = typed("application/json", good).header("content-type", "text/plain");
    assert_eq!(twice.verdict(&bundle), "block:media-type-undeclared");
    let same = typed("application/json", good).header("content-type", "application/json");
    assert_eq!(same.verdict(&bundle), "allow");
}

#[test]
fn undeclared_media_types_by_policy() {
    let allowing = bundle(|operation| operation.undeclared_media_types = Action::Allow.code());
    let watching = bundle(|operation| operation.undeclared_media_types = Action::Monitor.code());
    for request in [typed("application/xml", "<x/>"), post().chunks(&["x"])] {
        assert_eq!(request.verdict(&allowing), "allow");
        assert_eq!(request.verdict(&watching), "monitor:media-type-undeclared");
    }
    // The limits hold all the same.
    let large = "x".repeat(5000);
    assert_eq!(typed("application/xml", &large).verdict(&allowing), "block:body-too-large");
    assert_eq!(post().chunks(&[&large]).verdict(&watching), "block:body-too-large");
}

#[test]
fn content_codings() {
    let bundle = bundle(required);
    let gzip = post().header("content-encoding", "gzip").json("\x1f");
    assert_eq!(outcome(&gzip.judge(&bundle)), ("block:content-coding-unsupported", 415));
    let none = post().header("content-encoding", "Identity").json(r#"{"n":1}"#);
    assert_eq!(none.verdict(&bundle), "allow");
}

#[test]
fn sizes_are_judged_at_once_and_as_they_come() {
    let bundle = bundle(required);
    let large = format!("{{\"n\":{}1}}", " ".repeat(5000));
    let judged = post().json(&large).judge(&bundle);
    assert_eq!((outcome(&judged), judged.held), (("block:body-too-large", 413), None));
    let streamed = post().header("content-type", "application/json");
    let judged = streamed.clone().chunks(&[&large[..4000], &large[4000..]]).judge(&bundle);
    assert_eq!((outcome(&judged), judged.held), (("block:body-too-large", 413), Some(true)));
    // What was wrong before the limit was found first, however the body is cut.
    let wrong = format!("x{large}");
    for cut in [1, 10, 4095, 4096, 4097, 4500] {
        let request = streamed.clone().chunks(&[&wrong[..cut], &wrong[cut..]]);
        assert_eq!(request.verdict(&bundle), "block:body-malformed", "{cut}");
    }
    let text = post().header("content-type", "text/plain").chunks(&[&large]);
    assert_eq!(text.verdict(&bundle), "block:body-too-large");
    let exact = post().header("content-type", "text/plain").chunks(&[&large[..4096]]);
    assert_eq!(exact.verdict(&bundle), "allow");
}

#[test]
fn a_token_at_the_limit_is_judged_however_it_is_cut() {
    let bundle = bundle(|operation| operation.limits.max_bytes = 60.into());
    // A string that is not UTF-8 ends just before the limit; a byte follows that is over it.
    let body =
        [b"{\"n\":1,\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\":\"bb\xff\"}".as_slice(), b"    "]
            .concat();
    let request = post().header("content-type", "application/json");
    let outcomes: Vec<_> = (0..body.len())
        .map(|cut| {
            let pieces = vec![body[..cut].to_vec(), body[cut..].to_vec()];
            Request { body: Some(pieces), ..request.clone() }.judge(&bundle).decision
        })
        .collect();
    assert!(outcomes.iter().all(|decision| *decision == outcomes[0]), "{outcomes:?}");
    assert_eq!(outcomes[0].label(), "block:body-malformed");
}

#[test]
fn unenforced_bodies_by_policy() {
    for (action, label, status) in [
        (Action::Allow, "allow", 0),
        (Action::Monitor, "monitor:body-unenforced", 0),
        (Action::Block, "block:body-unenforced", 415),
    ] {
        let bundle = bundle(|operation| operation.unenforced_bodies = action.code());
        let judged = typed("text/plain", "x").judge(&bundle);
        assert_eq!(outcome(&judged), (label, status));
        // The head says all there is to know.
        assert_eq!(judged.held, None);
        assert!(judged.found[0].starts_with("body-unenforced"));
    }
}

#[test]
fn monitored_bodies_stream_by() {
    let bundle = bundle(|operation| operation.mode = Mode::Monitor.code());
    let judged = post().json(r#"{"n":10}"#).judge(&bundle);
    assert_eq!((outcome(&judged), judged.held), (("monitor:body-invalid", 0), Some(false)));
    let judged = post().header("content-encoding", "gzip").json(r#"{"n":10}"#).judge(&bundle);
    assert_eq!(outcome(&judged), ("monitor:content-coding-unsupported", 0));
}

#[test]
fn bodies_that_cannot_be_held_are_reported() {
    let bundle = bundle(required);
    let judged = post().json(r#"{"n":10}"#).unheld().judge(&bundle);
    assert_eq!((outcome(&judged), judged.held), (("monitor:body-invalid", 0), Some(false)));
    assert_eq!(judged.found[1], "body-unenforced at body");
    assert_eq!(post().json(r#"{"n":1}"#).unheld().verdict(&bundle), "allow");
    // What the head says can be refused.
    assert_eq!(typed("a/b", "x").unheld().verdict(&bundle), "block:media-type-undeclared");
    assert_eq!(post().unheld().verdict(&bundle), "block:body-missing");
}

#[test]
fn break_glass_spares_bodies() {
    let bundle = bundle(required);
    let judged = post().json(r#"{"n":10}"#).forced().judge(&bundle);
    assert_eq!((outcome(&judged), judged.held), (("monitor:body-invalid", 0), Some(false)));
    assert_eq!(judged.found[1], "break-glass");
}

#[test]
fn a_refused_head_does_not_wait_for_the_body() {
    let judged =
        post().header("content-encoding", "br").json(r#"{"n":1}"#).judge(&bundle(required));
    assert_eq!(judged.held, None);
}
