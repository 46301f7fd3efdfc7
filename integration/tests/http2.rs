//! The filter behind an HTTP/2 listener (prior knowledge), where bodies and their ends come as frames.

mod support;

use std::time::Duration;

use portcullis_integration::http1::{Body, Request};
use portcullis_integration::http2::{Connection, EchoUpstream};
use portcullis_integration::{Bootstrap, Envoy, Upstream};
use serde_json::json;
use support::{BAD, GOOD, Setup, chunked, finding};

struct Gateway {
    envoy: Envoy,
    upstream: Upstream,
}

fn gateway(mode: &str, change: impl FnOnce(Bootstrap) -> Bootstrap) -> Option<Gateway> {
    let setup = Setup::new()?;
    let upstream = Upstream::start().unwrap();
    let filter = setup.filter(&setup.compile(mode, 1, ""), json!({}));
    let envoy = setup.start_with(&upstream, &filter, change);
    Some(Gateway { envoy, upstream })
}

#[test]
fn bodies_are_held_until_they_are_judged() {
    let Some(Gateway { envoy, upstream }) = gateway("enforce", |it| it) else { return };
    let client = Connection::open(envoy.address()).unwrap();
    let good = client.exchange(&Request::post_json("/pay", GOOD)).unwrap();
    assert_eq!((good.status, good.text()), (200, GOOD.to_owned()));
    assert_eq!(upstream.take().pop().unwrap().body, GOOD.as_bytes());

    let bad = client.exchange(&Request::post_json("/pay", BAD)).unwrap();
    assert_eq!(bad.status, 400);
    assert_eq!(bad.header("content-type").as_deref(), Some("application/problem+json"));
    assert_eq!(bad.json()["type"], "urn:portcullis:finding:body-invalid");
    for (request, status) in [
        (Request::new("DELETE", "/ping"), 405),
        (Request::new("HEAD", "/nowhere"), 404),
        (Request::get("/ping%2f"), 400),
        (Request::new("POST", "/pay"), 400),
    ] {
        assert_eq!(client.exchange(&request).unwrap().status, status, "{request:?}");
    }
    assert!(upstream.take().is_empty(), "a refused request never reaches the upstream");
    assert_eq!(finding(&envoy, "body-invalid")["origin"]["document"], "api.yaml");
}

#[test]
fn bodies_end_by_trailers_by_an_empty_frame_or_in_pieces() {
    let Some(Gateway { envoy, upstream }) = gateway("enforce", |it| it) else { return };
    let client = Connection::open(envoy.address()).unwrap();
    let every: Vec<usize> = (1..GOOD.len()).collect();
    for trailers in [&[][..], &[("x-sum", "7")][..]] {
        for cuts in [&[][..], &[5], &every] {
            let good = client.exchange(&chunked(GOOD, trailers).cut(cuts)).unwrap();
            assert_eq!((good.status, good.text()), (200, GOOD.to_owned()), "{cuts:?}");
            let bad = client.exchange(&chunked(BAD, trailers).cut(cuts)).unwrap();
            assert_eq!(bad.status, 400, "{cuts:?}");
        }
    }
    let received = upstream.take();
    assert_eq!(received.len(), 6);
    assert!(received.iter().all(|received| received.body == GOOD.as_bytes()));
    // Neither length nor data: the end is all that comes.
    for trailers in [&[][..], &[("x-sum", "7")]] {
        assert_eq!(client.exchange(&chunked("", trailers)).unwrap().status, 400);
    }
}

#[test]
fn streams_of_one_connection_are_judged_apart() {
    let Some(Gateway { envoy, upstream }) = gateway("enforce", |it| it) else { return };
    let client = Connection::open(envoy.address()).unwrap();
    let cuts: Vec<usize> = (1..GOOD.len()).collect();
    let requests: Vec<Request> = (0..40)
        .map(|n| match n % 4 {
            0 => chunked(GOOD, &[]).cut(&cuts),
            1 => chunked(BAD, &[("x-sum", "7")]).cut(&cuts),
            2 => Request::get("/ping"),
            _ => Request::get("/nowhere"),
        })
        .collect();
    let answers = client.exchange_all(&requests).unwrap();
    for (n, answer) in answers.iter().enumerate() {
        assert_eq!(answer.status, [200, 400, 200, 404][n % 4], "{n}");
    }
    assert_eq!(upstream.take().len(), 20);
}

#[test]
fn large_bodies_are_413_and_the_connection_serves_on() {
    let limited = |it: Bootstrap| it.buffer_limit(16 * 1024);
    let Some(Gateway { envoy, upstream }) = gateway("enforce", limited) else { return };
    let client = Connection::open(envoy.address()).unwrap();
    let body = |len: usize| format!("{{\"amount\": 1, \"note\": \"{}\"}}", "x".repeat(len));
    // Over the policy's 64 KiB, by its length or by what comes; and over Envoy's buffer only.
    for body in [body(80_000), body(5_000_000)] {
        assert_eq!(client.exchange(&Request::post_json("/pay", &body)).unwrap().status, 413);
        assert_eq!(client.exchange(&chunked(&body, &[])).unwrap().status, 413);
    }
    let over_the_buffer = client.exchange(&chunked(&body(60_000), &[])).unwrap();
    assert!(matches!(over_the_buffer.status, 200 | 413), "{}", over_the_buffer.status);
    assert_eq!(client.exchange(&Request::post_json("/pay", GOOD)).unwrap().status, 200);
    assert!(upstream.take().iter().all(|received| received.body.len() < 64 * 1024));
}

#[test]
fn monitored_bodies_stream_by_whatever_their_size() {
    let limited = |it: Bootstrap| it.buffer_limit(16 * 1024);
    let Some(Gateway { envoy, upstream }) = gateway("monitor", limited) else { return };
    let client = Connection::open(envoy.address()).unwrap();
    let large = format!("{{\"amount\": 0, \"note\": \"{}\"}}", "x".repeat(5_000_000));
    for request in [Request::post_json("/pay", &large), chunked(&large, &[("x-sum", "7")])] {
        assert_eq!(client.exchange(&request).unwrap().status, 200);
        assert_eq!(upstream.take().pop().unwrap().body, large.as_bytes());
    }
    assert_eq!(envoy.stat("wasmcustom.portcullis.verdict.monitor").unwrap(), 2);
}

#[test]
fn a_stream_that_is_reset_leaves_the_others_alone() {
    let Some(Gateway { envoy, upstream }) = gateway("enforce", |it| it) else { return };
    let client = Connection::open(envoy.address()).unwrap();
    for _ in 0..5 {
        client.abandon(&chunked(GOOD, &[]), b"{\"amo").unwrap();
        assert_eq!(client.exchange(&Request::post_json("/pay", GOOD)).unwrap().status, 200);
    }
    let undecided = "wasmcustom.portcullis.verdict.undecided";
    let counted = |envoy: &Envoy| envoy.stat(undecided).unwrap() == 5;
    envoy.wait_until("the reset requests", Duration::from_secs(5), counted).unwrap();
    assert_eq!(upstream.take().len(), 5);
}

#[test]
fn bytes_above_ascii_pass_in_fields_and_trailers() {
    let Some(Gateway { envoy, upstream }) = gateway("enforce", |it| it) else { return };
    let client = Connection::open(envoy.address()).unwrap();
    let all: Vec<u8> = (0x80..=0xFF).collect();
    for name in ["x-name", "cookie", "authorization"] {
        let answer = client.exchange(&Request::get("/ping").header(name, &all)).unwrap();
        assert_eq!(answer.status, 200, "{name}");
        let refused = client.exchange(&Request::get("/nowhere").header(name, &all)).unwrap();
        assert_eq!(refused.status, 404, "{name}");
    }
    assert!(upstream.take()[0].headers.contains(&("x-name".to_owned(), all.clone())));
    let body = Body::Chunked { content: GOOD.into(), trailers: vec![(b"x-sum".to_vec(), all)] };
    let request = Request::post_json("/pay", "").body(body);
    assert_eq!(client.exchange(&request).unwrap().status, 200);
}

#[test]
fn grpc_is_judged_by_its_head_and_never_held() {
    let Some(setup) = Setup::new() else { return };
    let upstream = EchoUpstream::start().unwrap();
    let filter = setup.filter(&setup.compile("enforce", 1, ""), json!({}));
    let bootstrap = Bootstrap::to(upstream.address()).upstream_http2().guard().filter(&filter);
    let envoy = Envoy::start(&setup.artefacts.envoy, &bootstrap).unwrap();
    let client = Connection::open(envoy.address()).unwrap();
    let call = |path: &str| {
        Request::new("POST", path)
            .header("content-type", "application/grpc")
            .header("te", "trailers")
    };

    // Both ways at once: each message comes back before the next is sent.
    let mut stream = client.stream(&call("/bank.Payments/Watch"), None).unwrap();
    assert_eq!(stream.status, 200);
    for message in [&b"\0\0\0\0\x03one"[..], b"\0\0\0\0\x03two", b"not even a message"] {
        assert_eq!(stream.echo(message).unwrap(), message);
    }
    assert_eq!(stream.finish("grpc-status").unwrap().1.as_deref(), Some("0"));
    // One message there and one back.
    let unary = call("/bank.Payments/Watch")
        .body(Body::Chunked { content: b"\0\0\0\0\x03one".to_vec(), trailers: Vec::new() });
    let answer = client.exchange(&unary).unwrap();
    assert_eq!((answer.status, answer.body.as_slice()), (200, &b"\0\0\0\0\x03one"[..]));
    assert_eq!(upstream.take().len(), 2);
    assert_eq!(envoy.stat("wasmcustom.portcullis.verdict.pass").unwrap(), 2);
    assert_eq!(envoy.stat("wasmcustom.portcullis.finding.stream-unchecked").unwrap(), 2);

    // Refusals are answered as gRPC has it: not declared, and a media type that JSON was to be.
    for (path, status) in [("/bank.Payments/Other", "12"), ("/pay", "2")] {
        let refused = client.exchange(&call(path).body(unary.body.clone())).unwrap();
        assert_eq!(refused.status, 200, "{path}");
        assert_eq!(refused.header("grpc-status").as_deref(), Some(status), "{path}");
    }
    assert!(upstream.take().is_empty());
}

#[test]
fn tunnels_open_where_the_operation_is_declared() {
    let allow = |it: Bootstrap| {
        it.connect_route().upgrades(&["websocket", "CONNECT"]).with_manager(|manager| {
            manager["http2_protocol_options"] = json!({ "allow_connect": true });
        })
    };
    let Some(Gateway { envoy, upstream }) = gateway("enforce", allow) else { return };
    let client = Connection::open(envoy.address()).unwrap();
    // The server's settings, which permit extended CONNECT, come with the first answer at the latest.
    assert_eq!(client.exchange(&Request::get("/ping")).unwrap().status, 200);
    upstream.take();
    let mut socket = client.stream(&Request::new("CONNECT", "/ping"), Some("websocket")).unwrap();
    assert_eq!(socket.status, 200);
    assert_eq!(socket.echo(b"ping").unwrap(), b"ping");
    let refused = client.stream(&Request::new("CONNECT", "/nowhere"), Some("websocket")).unwrap();
    assert_eq!(refused.status, 404);
    let connect = client.stream(&Request::new("CONNECT", "inner.example:443"), None).unwrap();
    assert_eq!(connect.status, 404);
    assert_eq!(upstream.take().len(), 1);
}
