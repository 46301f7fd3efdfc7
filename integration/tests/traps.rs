//! What Envoy does to careless filters, and must not be able to do to this one.

use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::Duration;

use portcullis_integration::bootstrap::VERDICT_HEADER;
use portcullis_integration::cases::{Suite, plugin_configuration};
use portcullis_integration::http1::{Body, Connection, Request};
use portcullis_integration::{
    Artefacts, Bootstrap, Envoy, Filter, FilterDiscovery, Upstream, artefacts, soak,
};

const GOOD: &str = "/v1/users/42";
const BAD: &str = "/v1/users/abc";
const LIMIT: Duration = Duration::from_secs(10);

struct Setup {
    artefacts: Artefacts,
    upstream: Upstream,
}

impl Setup {
    fn new() -> Option<Self> {
        Some(Self { artefacts: Artefacts::find()?, upstream: Upstream::start().unwrap() })
    }

    fn filter(&self) -> Filter {
        Filter::new(&self.artefacts.filter, plugin_configuration(&self.bundle()))
    }

    fn base(&self) -> Bootstrap {
        Bootstrap::to(self.upstream.address())
    }

    fn start(&self, bootstrap: &Bootstrap) -> Envoy {
        Envoy::start(&self.artefacts.envoy, bootstrap).unwrap()
    }

    /// The bundle of the suite `traffic`, compiled once.
    fn bundle(&self) -> Vec<u8> {
        static BUNDLE: OnceLock<PathBuf> = OnceLock::new();
        let path = BUNDLE.get_or_init(|| {
            let file = artefacts::root().join("integration/cases/traffic.yaml");
            let into = artefacts::target().join("cases/traps");
            Suite::read(&file).unwrap().compile(&self.artefacts.compiler, &into).unwrap().bundle
        });
        std::fs::read(path).unwrap()
    }
}

fn status(envoy: &Envoy, request: &Request) -> u16 {
    request.send(envoy.address()).unwrap().status
}

#[test]
fn every_byte_above_ascii_in_a_header_is_survived() {
    let Some(setup) = Setup::new() else { return };
    let envoy = setup.start(&setup.base().guard().filter(&setup.filter()));
    for byte in 0x80..=0xff_u8 {
        let request = Request::get(GOOD).header("x-name", [b'a', byte, byte]);
        assert_eq!(status(&envoy, &request), 200, "{byte:02x}");
    }
    let trailers = vec![(b"x-sum".to_vec(), vec![0xe9, 0xff])];
    let request = Request::new("POST", GOOD)
        .header("content-type", "application/json")
        .body(Body::Chunked { content: b"{\"n\":1}".to_vec(), trailers });
    assert_eq!(status(&envoy, &request), 200);
    assert_eq!(setup.upstream.take().len(), 129);
}

#[test]
fn the_guard_stops_what_the_filter_did_not_release() {
    let Some(setup) = Setup::new() else { return };
    let envoy = setup.start(&setup.base().guard());
    assert_eq!(status(&envoy, &Request::get(GOOD)), 403);
    assert!(setup.upstream.take().is_empty());
}

#[test]
fn without_a_policy_everything_is_refused() {
    let Some(setup) = Setup::new() else { return };
    let deny = Filter::new(&setup.artefacts.filter, "");
    let envoy = setup.start(&setup.base().guard().filter(&deny));
    let answer = Request::get(GOOD).send(envoy.address()).unwrap();
    assert_eq!(answer.status, 503);
    assert_eq!(answer.header(VERDICT_HEADER).as_deref(), Some("block:policy-missing"));
}

#[test]
fn upgrades_and_connect_do_not_hang() {
    let Some(setup) = Setup::new() else { return };
    let bootstrap = setup.base().guard().filter(&setup.filter()).connect_route();
    let envoy = setup.start(&bootstrap.upgrades(&["websocket", "CONNECT"]));
    let upgrade = Request::get(GOOD).header("connection", "upgrade").header("upgrade", "websocket");
    let mut socket = Connection::open(envoy.address()).unwrap();
    assert_eq!(socket.exchange(&upgrade).unwrap().status, 101);
    socket.write(b"ping").unwrap();
    assert_eq!(socket.read_exact(4).unwrap(), b"ping");

    let connect = Request::new("CONNECT", "inner.example:443").header("host", "inner.example:443");
    let answer = Connection::open(envoy.address()).unwrap().exchange(&connect).unwrap();
    assert!(answer.status < 500, "{}", answer.status);
}

#[test]
fn clients_that_wait_for_100_get_an_answer() {
    let Some(setup) = Setup::new() else { return };
    for proxied in [false, true] {
        let bootstrap = setup.base().guard().filter(&setup.filter());
        let bootstrap = if proxied { bootstrap.proxy_100_continue() } else { bootstrap };
        let envoy = setup.start(&bootstrap);
        let request = Request::post_json(GOOD, "{\"n\":1}").header("expect", "100-continue");
        let mut connection = Connection::open(envoy.address()).unwrap();
        connection.write(&request.head()).unwrap();
        let first = connection.receive_head().unwrap();
        if first.status == 100 {
            connection.write(b"{\"n\":1}").unwrap();
            assert_eq!(connection.receive(b"POST").unwrap().status, 200);
        } else {
            assert!(proxied && first.status == 417, "{proxied}: {}", first.status);
        }
    }
}

#[test]
fn a_body_over_envoys_buffer_is_413_and_a_monitored_one_passes() {
    let Some(setup) = Setup::new() else { return };
    let bootstrap = setup.base().guard().filter(&setup.filter()).buffer_limit(16 * 1024);
    let envoy = setup.start(&bootstrap);
    let large = format!("{{\"a\":\"{}\"}}", "x".repeat(200_000));
    assert_eq!(status(&envoy, &Request::post_json(GOOD, &large)), 413);
    let watched = Request { method: b"PUT".to_vec(), ..Request::post_json("/v1/watched", &large) };
    let answer = watched.send(envoy.address()).unwrap();
    assert_eq!(answer.status, 200);
    assert_eq!(setup.upstream.take().pop().unwrap().body, large.as_bytes());
}

#[test]
fn a_corrupt_update_is_refused_counted_and_the_last_good_one_serves_on() {
    let Some(setup) = Setup::new() else { return };
    let good = setup.filter();
    let mut discovery = FilterDiscovery::new(&good).unwrap();
    let deny = Filter::new(&setup.artefacts.filter, "");
    let bootstrap = setup.base().guard().filter_from(discovery.dir(), Some(&deny)).workers(2);
    let envoy = setup.start(&bootstrap);
    assert_eq!(status(&envoy, &Request::get(GOOD)), 200);

    let mut corrupt = setup.bundle();
    let middle = corrupt.len() / 2;
    corrupt[middle] ^= 0x40;
    let truncated = setup.bundle()[..middle].to_vec();
    for bundle in [corrupt, truncated, b"not a bundle".to_vec()] {
        let before = refused(&envoy);
        let bad = Filter::new(&setup.artefacts.filter, plugin_configuration(&bundle));
        discovery.publish(&bad).unwrap();
        envoy.wait_until("the refusal", LIMIT, |envoy| refused(envoy) > before).unwrap();
        assert_eq!(status(&envoy, &Request::get(GOOD)), 200);
        assert_eq!(status(&envoy, &Request::get(BAD)), 400);
    }
    let counted = envoy.stats("portcullis.configuration.refused").unwrap();
    assert!(counted.iter().map(|(_, n)| n).sum::<u64>() >= 3, "{counted:?}");
}

/// How many updates Envoy says were rejected.
fn refused(envoy: &Envoy) -> u64 {
    let stats = envoy.stats("config_fail").unwrap();
    stats.into_iter().filter(|(name, _)| name.contains("portcullis")).map(|(_, n)| n).sum()
}

#[test]
fn twenty_updates_and_a_corrupt_one_under_load_fail_no_request() {
    let Some(artefacts) = Artefacts::find() else { return };
    let figures = soak::run(&artefacts, Duration::from_secs(6), 20).unwrap();
    assert_eq!((figures.failed, figures.failures.as_slice()), (0, &[][..]));
    assert_eq!((figures.updates, figures.refused), (20, 1));
    assert!(figures.requests > 500, "{figures}");
}

#[test]
fn refusals_reset_no_connection() {
    let Some(setup) = Setup::new() else { return };
    let envoy = setup.start(&setup.base().guard().filter(&setup.filter()));
    let mut connection = Connection::open(envoy.address()).unwrap();
    let bad = Request::post_json(GOOD, "{\"n\":\"x\"}");
    for (request, expected) in
        [(Request::get(BAD), 400), (Request::get(GOOD), 200), (bad, 400)].iter().cycle().take(60)
    {
        let answer = connection.exchange(request).unwrap();
        assert_eq!(answer.status, *expected);
        // Envoy may close behind an answer that came before the end of the body, and says so.
        if answer.header("connection").is_some_and(|value| value == "close") {
            connection = Connection::open(envoy.address()).unwrap();
        }
    }
}
