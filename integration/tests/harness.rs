//! The harness itself: a plain Envoy forwards, shows what happened, and goes away.

use portcullis_integration::http1::{Body, Connection, Request};
use portcullis_integration::{Bootstrap, Envoy, Upstream, artefacts};

#[test]
fn a_plain_envoy_forwards_bytes_and_trailers() {
    let Some(binary) = artefacts::envoy() else { return };
    let upstream = Upstream::start().unwrap();
    let envoy = Envoy::start(&binary, &Bootstrap::to(upstream.address())).unwrap();

    let trailers = vec![(b"x-sum".to_vec(), b"7".to_vec())];
    let request = Request::new("POST", "/a//b%2fc?x=1")
        .header("x-bytes", b"caf\xe9")
        .cut(&[3, 5])
        .body(Body::Chunked { content: b"{\"a\": 1}".to_vec(), trailers });
    let answer = request.send(envoy.address()).unwrap();
    assert_eq!((answer.status, answer.body.as_slice()), (200, &b"{\"a\": 1}"[..]));

    let received = upstream.take().pop().unwrap();
    assert_eq!(received.path, "/a//b%2fc?x=1");
    assert!(received.headers.contains(&("x-bytes".to_owned(), b"caf\xe9".to_vec())));
    assert_eq!(received.trailers, [("x-sum".to_owned(), b"7".to_vec())]);

    assert_eq!(envoy.stat("http.main.downstream_rq_2xx").unwrap(), 1);
    assert!(envoy.usage().unwrap().resident > 10_000_000);
}

#[test]
fn upgrades_and_connect_reach_the_upstream() {
    let Some(binary) = artefacts::envoy() else { return };
    let upstream = Upstream::start().unwrap();
    let bootstrap = Bootstrap::to(upstream.address()).connect_route();
    let bootstrap = bootstrap.upgrades(&["websocket", "CONNECT"]);
    let envoy = Envoy::start(&binary, &bootstrap).unwrap();

    let mut socket = Connection::open(envoy.address()).unwrap();
    let upgrade =
        Request::get("/chat").header("connection", "upgrade").header("upgrade", "websocket");
    assert_eq!(socket.exchange(&upgrade).unwrap().status, 101);
    socket.write(b"ping").unwrap();
    assert_eq!(socket.read_exact(4).unwrap(), b"ping");

    let mut tunnel = Connection::open(envoy.address()).unwrap();
    let connect = Request::new("CONNECT", "inner.example:443").header("host", "inner.example:443");
    assert_eq!(tunnel.exchange(&connect).unwrap().status, 200);
    tunnel.write(b"pong").unwrap();
    assert_eq!(tunnel.read_exact(4).unwrap(), b"pong");
}

#[test]
fn a_bad_configuration_is_reported_with_envoys_own_words() {
    let Some(binary) = artefacts::envoy() else { return };
    let error = Envoy::start_text(&binary, "{\"no_such_field\": 1}", 1).unwrap_err().to_string();
    assert!(error.contains("no_such_field"), "{error}");
}
