//! Paths, methods, hosts, and what is judged by its headers only.

use super::Request;
use super::support::{Builder, Param};
use portcullis_bundle::Bundle;
use portcullis_bundle::layout::*;
use portcullis_engine::exchange::{Conditions, Exchange, Progress, RequestHead};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

fn declare(builder: &mut Builder, operations: &[&str]) {
    for operation in operations {
        let (method, template) = operation.split_once(' ').unwrap();
        builder.operation(method, template, &[], &[], |_| {});
    }
}

fn bundle(operations: &[&str], set: impl FnOnce(&mut Builder)) -> Bundle {
    let mut builder = Builder::new();
    declare(&mut builder, operations);
    set(&mut builder);
    builder.build()
}

/// The template that a request leads to.
fn template(bundle: &Bundle, path: &str) -> Option<String> {
    let decision = Request::new("GET", path).judge(bundle).decision;
    let described = decision.describe(&bundle.view());
    described.operation.map(|operation| operation.template.to_owned())
}

#[test]
fn concrete_wins_over_partial_over_variable() {
    let bundle = bundle(
        &[
            "GET /",
            "GET /users",
            "GET /users/",
            "GET /users/me",
            "GET /users/{id}",
            "GET /users/{id}.json",
            "GET /users/{id}:cancel",
            "GET /users/{id}/cards",
            "GET /users/me/keys",
            "GET /r/{a}-{b}",
            "GET /caf\u{e9}/x y",
        ],
        |_| {},
    );
    for (path, expected) in [
        ("/", "/"),
        ("/users", "/users"),
        ("/users/", "/users/"),
        ("/users/me", "/users/me"),
        ("/users/%6de", "/users/me"),
        ("/users/you", "/users/{id}"),
        ("/users/7.json", "/users/{id}.json"),
        ("/users/7%2Ejson", "/users/{id}.json"),
        ("/users/.json", "/users/{id}"),
        ("/users/a:b:cancel", "/users/{id}:cancel"),
        // Backtracks: `me` has no cards.
        ("/users/me/cards", "/users/{id}/cards"),
        ("/users/me/keys", "/users/me/keys"),
        ("/r/a-b-c", "/r/{a}-{b}"),
        ("/caf%C3%A9/x%20y", "/caf\u{e9}/x y"),
        ("/users?q", "/users"),
    ] {
        let found = template(&bundle, path.split('?').next().unwrap());
        assert_eq!(found.as_deref(), Some(expected), "{path}");
    }
    for path in ["/user", "/USERS", "/users/7/", "/users/7/8", "/r/-a", "/r/a-", "/r/a"] {
        assert_eq!(template(&bundle, path), None, "{path}");
        assert_eq!(Request::new("GET", path).verdict(&bundle), "block:operation-undeclared");
    }
}

#[test]
fn variables_of_partial_segments_are_judged_apart() {
    let mut builder = Builder::new();
    let number = builder.integer(0, 99);
    let path = |name| Param::new(Location::Path, name, number, TYPE_INTEGER);
    builder.operation(
        "GET",
        "/r/{a}-{b}/{c}.json",
        &[path("a"), path("b"), path("c")],
        &[],
        |_| {},
    );
    let bundle = builder.build();
    assert_eq!(Request::new("GET", "/r/1-%32/3.json").verdict(&bundle), "allow");
    for (path, name) in
        [("/r/x-2/3.json", "a"), ("/r/1-2-3/3.json", "b"), ("/r/1-2/3%00.json", "c")]
    {
        let found = Request::new("GET", path).judge(&bundle).found.join("; ");
        assert!(
            found.contains(&format!("parameter-invalid at path {name} (type)")),
            "{path}: {found}"
        );
    }
}

#[test]
fn a_walk_of_many_ways_ends() {
    let mut builder = Builder::new();
    let deep = "/a".repeat(200);
    declare(&mut builder, &[&format!("GET {deep}")]);
    builder.policy().max_path = 100_000.into();
    let bundle = builder.build();
    assert_eq!(
        Request::new("GET", "/a".repeat(40_000)).verdict(&bundle),
        "block:operation-undeclared"
    );
    assert_eq!(Request::new("GET", deep).verdict(&bundle), "allow");
}

#[test]
fn methods_are_matched_as_sent() {
    let bundle = bundle(&["GET /a", "POST /a", "PUT /b"], |_| {});
    for (method, path, label) in [
        ("GET", "/a", "allow"),
        ("HEAD", "/a", "allow"),
        ("get", "/a", "block:method-undeclared"),
        ("DELETE", "/a", "block:method-undeclared"),
        ("HEAD", "/b", "block:method-undeclared"),
        ("OPTIONS", "/a", "block:method-undeclared"),
        ("TRACE", "/c", "block:operation-undeclared"),
    ] {
        assert_eq!(Request::new(method, path).verdict(&bundle), label, "{method} {path}");
    }
    let decision = Request::new("DELETE", "/a").judge(&bundle).decision;
    assert_eq!(
        (decision.status, decision.allow.as_deref()),
        (405, Some("GET, HEAD, OPTIONS, POST"))
    );
    let decision = Request::new("GET", "/c").judge(&bundle).decision;
    assert_eq!((decision.status, decision.allow), (404, None));
}

#[test]
fn what_is_undeclared_is_decided_by_the_deepest_base_path() {
    let bundle = bundle(&["GET /v1/a", "GET /v1/admin/b"], |builder| {
        let lenient = builder.api("lenient");
        builder.sections.apis[lenient as usize].undeclared_operations = Action::Allow.code();
        let watched = builder.api("watched");
        builder.sections.apis[watched as usize].mode = Mode::Monitor.code();
        builder.base_path("/v1", lenient);
        builder.base_path("/v1/admin", watched);
    });
    assert_eq!(Request::new("GET", "/v1/x").verdict(&bundle), "allow");
    assert_eq!(Request::new("GET", "/v1/admin/x").verdict(&bundle), "monitor:operation-undeclared");
    assert_eq!(Request::new("GET", "/v2").verdict(&bundle), "block:operation-undeclared");
}

#[test]
fn hosts_have_their_own_routers_and_share_the_rest() {
    let mut builder = Builder::new();
    declare(&mut builder, &["GET /shared", "GET /own"]);
    builder.on_host("api.bank.example");
    let bundle = builder.build();
    for (host, path, label) in [
        ("api.bank.example", "/own", "allow"),
        ("API.bank.example.:8443", "/own", "allow"),
        ("api.bank.example", "/shared", "allow"),
        ("other.example", "/shared", "allow"),
        ("other.example", "/own", "block:operation-undeclared"),
        ("", "/own", "block:operation-undeclared"),
    ] {
        let request = Request::new("GET", path).header(":authority", host);
        assert_eq!(request.verdict(&bundle), label, "{host}{path}");
    }
}

#[test]
fn paths_with_two_readings() {
    let operations = ["GET /a/{id}", "GET /a/{id}/{x}", "GET /a/{id}/{x}/b"];
    let strict = bundle(&operations, |_| {});
    let paths = ["/a/%2e%2e", "/a/x%2fy", "/a//b", "/a/x;y", "/a/%252e", "/a/x/../b", "/a/b?x#y"];
    for path in paths {
        let judged = Request::new("GET", path).judge(&strict);
        assert_eq!(judged.decision.label(), "block:path-ambiguous", "{path}");
        assert_eq!(judged.decision.status, 400);
        // It is not looked up by a form that was refused.
        assert!(!judged.found.iter().any(|found| found.contains("undeclared at path")), "{path}");
    }
    for path in ["/a/%", "/a/%zz", "/a/b c", "*", "a"] {
        assert_eq!(Request::new("GET", path).verdict(&strict), "block:path-malformed", "{path}");
    }
    let watching = bundle(&operations, |builder| {
        builder.policy().ambiguous_paths = Action::Monitor.code();
    });
    assert_eq!(Request::new("GET", "/a/x%2fy").verdict(&watching), "monitor:path-ambiguous");
    assert_eq!(Request::new("GET", "/b/x%2fy").verdict(&watching), "block:operation-undeclared");
    let lenient = bundle(&operations, |builder| {
        builder.policy().ambiguous_paths = Action::Allow.code();
    });
    assert_eq!(Request::new("GET", "/a/x%2fy").verdict(&lenient), "allow");
}

#[test]
fn no_monitored_operation_vouches_for_an_ambiguous_path() {
    let mut builder = Builder::new();
    let monitor = |operation: &mut Operation| operation.mode = Mode::Monitor.code();
    builder.operation("GET", "/open/{id}/{x}/{y}", &[], &[], monitor);
    declare(&mut builder, &["GET /closed/{id}"]);
    let bundle = builder.build();
    assert_eq!(Request::new("GET", "/open/1/../closed").verdict(&bundle), "block:path-ambiguous");
    assert_eq!(
        Request::new("GET", "/open/1/2/3?x=1").verdict(&bundle),
        "monitor:parameter-undeclared"
    );
}

#[test]
fn long_paths() {
    let bundle = bundle(&["GET /a"], |builder| builder.policy().max_path = 10.into());
    assert_eq!(Request::new("GET", "/a?2345678").verdict(&bundle), "block:parameter-undeclared");
    let decision = Request::new("GET", "/a?23456789").judge(&bundle).decision;
    assert_eq!((decision.label(), decision.status), ("block:path-too-long", 414));
}

#[test]
fn probes_pass_unjudged() {
    let bundle = bundle(&["POST /healthz"], |builder| {
        let (path, methods) = (builder.text("/healthz"), builder.text("GET HEAD"));
        builder.sections.probes.push(Probe { path, methods });
    });
    assert_eq!(Request::new("GET", "/healthz").verdict(&bundle), "pass:probe");
    assert_eq!(Request::new("HEAD", "/healthz?x=1").verdict(&bundle), "pass:probe");
    assert_eq!(Request::new("POST", "/healthz").verdict(&bundle), "allow");
    assert_eq!(Request::new("DELETE", "/healthz").verdict(&bundle), "block:method-undeclared");
    assert_eq!(Request::new("GET", "/healthz/").verdict(&bundle), "block:operation-undeclared");
    assert_eq!(Request::new("GET", "/%68ealthz").verdict(&bundle), "block:method-undeclared");
}

#[test]
fn preflight_requests() {
    let preflight = || {
        Request::new("OPTIONS", "/a")
            .header("origin", "https://bank.example")
            .header("access-control-request-method", "POST")
    };
    let bundle_with =
        |action: Action| bundle(&["POST /a"], |builder| builder.policy().preflight = action.code());
    let allowing = bundle_with(Action::Allow);
    assert_eq!(preflight().verdict(&allowing), "pass:preflight");
    assert_eq!(Request::new("OPTIONS", "/a").verdict(&allowing), "block:method-undeclared");
    // A body would pass with it.
    assert_eq!(preflight().chunks(&["x"]).verdict(&allowing), "block:method-undeclared");
    let mut ambiguous = preflight();
    ambiguous.path = b"/a/../b".to_vec();
    assert_eq!(ambiguous.verdict(&allowing), "block:path-ambiguous");
    assert_eq!(preflight().verdict(&bundle_with(Action::Monitor)), "monitor:method-undeclared");
    let blocking = preflight().judge(&bundle_with(Action::Block)).decision;
    assert_eq!(
        (blocking.label(), blocking.allow.as_deref()),
        ("block:method-undeclared", Some("POST"))
    );
}

#[test]
fn tunnels_and_streams_are_judged_by_their_head() {
    let mut builder = Builder::new();
    let number = builder.integer(0, 9);
    let any = [("application/grpc", SCHEMA_ANY, BodyKind::Opaque)];
    let json = [("application/json", number, BodyKind::Json)];
    let query = Param::new(Location::Query, "n", number, TYPE_INTEGER);
    builder.operation("GET", "/ws", &[query], &[], |_| {});
    builder.operation("POST", "/pkg.Service/Call", &[], &any, |_| {});
    builder.operation("POST", "/json", &[], &json, |_| {});
    builder.operation("POST", "/stream", &[], &json, |operation| {
        operation.flags = OPERATION_STREAMS.into();
    });
    let bundle = builder.build();
    let upgrade = |path: &str| {
        Request::new("GET", path)
            .header("connection", "Upgrade")
            .header("upgrade", "websocket")
            .chunks(&["\x01\x02"])
    };
    let judged = upgrade("/ws").judge(&bundle);
    assert_eq!((judged.decision.label(), judged.held), ("pass:stream", None));
    assert_eq!(upgrade("/ws?n=10").verdict(&bundle), "block:parameter-invalid");
    assert_eq!(upgrade("/other").verdict(&bundle), "block:operation-undeclared");
    let extended = Request::new("CONNECT", "/ws").header(":protocol", "websocket").chunks(&["x"]);
    assert_eq!(extended.verdict(&bundle), "pass:stream");
    assert_eq!(Request::new("CONNECT", "").verdict(&bundle), "block:operation-undeclared");
    assert_eq!(Request::new("GET", "").verdict(&bundle), "block:path-malformed");

    let grpc = |path| {
        Request::new("POST", path).header("content-type", "application/grpc+proto").chunks(&["x"])
    };
    assert_eq!(grpc("/json").verdict(&bundle), "block:media-type-undeclared");
    assert_eq!(grpc("/pkg.Service/Call").verdict(&bundle), "block:media-type-undeclared");
    let grpc = Request::new("POST", "/pkg.Service/Call")
        .header("content-type", "application/grpc")
        .chunks(&["x"]);
    assert_eq!(grpc.verdict(&bundle), "pass:stream");
    let stream = Request::new("POST", "/stream").header("content-type", "application/json");
    assert_eq!(stream.chunks(&["[", "x"]).verdict(&bundle), "pass:stream");

    // An upgrade does not hide a body that ends.
    let smuggled = Request::new("POST", "/json")
        .header("connection", "upgrade")
        .header("upgrade", "h2c")
        .json("10");
    assert_eq!(smuggled.verdict(&bundle), "block:body-invalid");
}

#[test]
fn modes_and_break_glass() {
    let bundle_with = |set: fn(&mut Builder)| bundle(&["GET /a"], set);
    let enforcing = bundle_with(|_| {});
    let watching = bundle_with(|builder| builder.policy().mode = Mode::Monitor.code());
    let sealed = bundle_with(|builder| builder.policy().break_glass = 0);
    let request = Request::new("GET", "/b");
    assert_eq!(request.verdict(&watching), "monitor:operation-undeclared");
    let judged = request.clone().forced().judge(&enforcing);
    assert_eq!(judged.decision.label(), "monitor:operation-undeclared");
    assert_eq!(judged.found, ["operation-undeclared at path", "break-glass"]);
    assert_eq!(request.clone().forced().verdict(&sealed), "block:operation-undeclared");
    // Nothing was spared.
    assert!(request.clone().forced().judge(&watching).found.len() == 1);
    assert!(Request::new("GET", "/a").forced().judge(&enforcing).found.is_empty());
}

#[test]
fn several_findings_and_the_one_that_decides_first() {
    let mut builder = Builder::new();
    let number = builder.integer(0, 9);
    let query = |name| Param::new(Location::Query, name, number, TYPE_INTEGER);
    builder.operation("POST", "/a", &[query("x"), query("y")], &[], |operation| {
        operation.undeclared_query = Action::Monitor.code();
        operation.flags = OPERATION_BODY_REQUIRED.into();
    });
    let bundle = builder.build();
    let judged = Request::new("POST", "/a?z=1&x=10&y=10").judge(&bundle);
    assert_eq!(
        judged.found,
        [
            "parameter-invalid at query x (maximum), test.yaml:100",
            "parameter-invalid at query y (maximum), test.yaml:101",
            "body-missing, test.yaml:20",
            "parameter-undeclared at query *, test.yaml:10",
        ]
    );
    assert_eq!(judged.decision.status, 400);
}

#[test]
fn findings_have_a_bound() {
    let mut builder = Builder::new();
    let number = builder.integer(0, 9);
    let names = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k"];
    let all = names.map(|name| Param::new(Location::Query, name, number, TYPE_INTEGER));
    builder.operation("GET", "/a", &all.map(|p| p.flags(PARAMETER_REQUIRED)), &[], |_| {});
    let bundle = builder.build();
    assert_eq!(Request::new("GET", "/a").judge(&bundle).found.len(), 8);
}

#[test]
fn without_a_policy_nothing_passes() {
    let view = View::default();
    let mut exchange = Exchange::new();
    let head = RequestHead {
        method: b"GET",
        path: b"/",
        authority: b"",
        headers: &[],
        end_of_stream: true,
    };
    for progress in [
        exchange.on_headers(&view, &head, Conditions::default()),
        exchange.on_end(&view),
        Exchange::new().on_body(&view, b"x"),
        Exchange::new().on_end(&view),
    ] {
        let Progress::Decided(decision) = progress else { panic!() };
        assert_eq!((decision.label(), decision.status), ("block:policy-missing", 503));
    }
}

#[test]
fn an_empty_run_may_begin_anywhere() {
    let mut builder = Builder::new();
    builder.operation("GET", "/a", &[], &[], |operation| operation.parameters = u32::MAX.into());
    let text = builder.schema(TYPE_STRING, |schema| schema.compositions = u32::MAX.into());
    let json = [("application/json", text, BodyKind::Json)];
    builder.operation("POST", "/a", &[], &json, |_| {});
    let bundle = builder.build();
    assert_eq!(Request::new("GET", "/a").judge(&bundle).decision.label(), "allow");
    let posted = |body| Request::new("POST", "/a").json(body).judge(&bundle).decision.label();
    assert_eq!(posted("\"x\""), "allow");
    assert_eq!(posted("7"), "block:body-invalid");
}
