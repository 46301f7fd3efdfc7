//! The filter among Envoy's other parts: filters in front of it, redirects, routes without it, several
//! workers, and a VM that dies.

mod support;

use std::time::{Duration, Instant};

use portcullis_integration::bootstrap::VERDICT_HEADER;
use portcullis_integration::http1::{Body, Connection, Request};
use portcullis_integration::{Bootstrap, Envoy, Filter, FilterDiscovery, Upstream};
use serde_json::{Value, json};
use support::{BAD, GOOD, Setup, chunked, finding, trapping};

const LIMIT: Duration = Duration::from_secs(10);

fn status(envoy: &Envoy, request: &Request) -> u16 {
    request.send(envoy.address()).unwrap().status
}

fn decompressor() -> Value {
    let package = "type.googleapis.com/envoy.extensions";
    json!({
        "name": "decompressor",
        "typed_config": {
            "@type": format!("{package}.filters.http.decompressor.v3.Decompressor"),
            "decompressor_library": {
                "name": "gzip",
                "typed_config": {
                    "@type": format!("{package}.compression.gzip.decompressor.v3.Gzip"),
                },
            },
        },
    })
}

/// A gzip file (RFC 1952) of one stored block (RFC 1951, section 3.2.4).
fn gzip(content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(content.len()).unwrap();
    let checksum = content.iter().fold(!0_u32, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| (sum >> 1) ^ (0xEDB8_8320 * (sum & 1)))
    });
    let mut out = vec![0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 0xFF, 1];
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(&(!length).to_le_bytes());
    out.extend_from_slice(content);
    out.extend_from_slice(&(!checksum).to_le_bytes());
    out.extend_from_slice(&u32::from(length).to_le_bytes());
    out
}

fn zipped(body: &[u8]) -> Request {
    Request::post_json("/pay", gzip(body)).header("content-encoding", "gzip")
}

#[test]
fn what_a_decompressor_in_front_unpacks_is_judged() {
    let Some(setup) = Setup::new() else { return };
    let upstream = Upstream::start().unwrap();
    let filter = setup.filter(&setup.compile("enforce", 1, ""), json!({}));
    // Without it, what is packed cannot be judged.
    let envoy = setup.start(&upstream, &filter);
    assert_eq!(status(&envoy, &zipped(GOOD.as_bytes())), 415);
    let envoy = setup.start_with(&upstream, &filter, |it| it.http_filter(decompressor()));
    for cuts in [&[][..], &[3], &[12, 20]] {
        for trailers in [None, Some(Vec::new()), Some(vec![(b"x-sum".to_vec(), b"7".to_vec())])] {
            let framed = |request: Request| match (&trailers, request.body.clone()) {
                (Some(trailers), Body::Sized(content)) => {
                    let trailers = trailers.clone();
                    request.body(Body::Chunked { content, trailers }).cut(cuts)
                }
                _ => request.cut(cuts),
            };
            let good = framed(zipped(GOOD.as_bytes())).send(envoy.address()).unwrap();
            assert_eq!((good.status, good.text()), (200, GOOD.to_owned()), "{cuts:?} {trailers:?}");
            assert_eq!(status(&envoy, &framed(zipped(BAD.as_bytes()))), 400, "{cuts:?}");
        }
    }
    assert!(upstream.take().iter().all(|received| received.body == GOOD.as_bytes()));
    // What is not packed goes the same way.
    assert_eq!(status(&envoy, &Request::post_json("/pay", GOOD)), 200);
    assert_eq!(status(&envoy, &Request::post_json("/pay", BAD)), 400);
    assert_eq!(envoy.stat("wasmcustom.portcullis.verdict.undecided").unwrap(), 0);
}

#[test]
fn internal_redirects_are_judged_again() {
    let Some(setup) = Setup::new() else { return };
    let upstream = Upstream::answering(|received| {
        let to = received.path.strip_prefix("/hop?to=")?;
        let head = format!("HTTP/1.1 302 Found\r\nlocation: http://gateway.example/{to}\r\n");
        Some((head + "content-length: 0\r\n\r\n").into_bytes())
    });
    let upstream = upstream.unwrap();
    let filter = setup.filter(&setup.compile("enforce", 1, ""), json!({}));
    let envoy = setup.start_with(&upstream, &filter, |it| {
        it.with_manager(|manager| {
            manager["route_config"]["virtual_hosts"][0]["routes"][0]["route"]["internal_redirect_policy"] =
                json!({ "redirect_response_codes": [302] });
        })
    });
    assert_eq!(status(&envoy, &Request::get("/hop?to=ping")), 200);
    let seen: Vec<String> = upstream.take().into_iter().map(|received| received.path).collect();
    assert_eq!(seen, ["/hop?to=ping", "/ping"]);
    assert_eq!(envoy.stat("wasmcustom.portcullis.verdict.allow").unwrap(), 2);
    // Where the upstream leads to what the client may not ask for, the filter refuses as ever.
    assert_eq!(status(&envoy, &Request::get("/hop?to=nowhere")), 404);
    assert_eq!(upstream.take().len(), 1);
    assert_eq!(envoy.stat("wasmcustom.portcullis.verdict.block").unwrap(), 1);
}

#[test]
fn a_route_without_the_filter_does_without_the_guard_too() {
    let Some(setup) = Setup::new() else { return };
    let upstream = Upstream::start().unwrap();
    let filter = setup.filter(&setup.compile("enforce", 1, ""), json!({}));
    let off = json!({
        "@type": "type.googleapis.com/envoy.config.route.v3.FilterConfig", "disabled": true,
    });
    let route = |prefix: &str, without: &[&str]| {
        let config: serde_json::Map<String, Value> =
            without.iter().map(|name| ((*name).to_owned(), off.clone())).collect();
        json!({
            "match": { "prefix": prefix },
            "route": { "cluster": "upstream" },
            "typed_per_filter_config": config,
        })
    };
    let (open, half) = (route("/open", &["portcullis", "guard"]), route("/half", &["portcullis"]));
    let envoy = setup.start_with(&upstream, &filter, |it| {
        it.with_manager(|manager| {
            let routes = &mut manager["route_config"]["virtual_hosts"][0]["routes"];
            routes.as_array_mut().unwrap().splice(0..0, [open, half]);
        })
    });
    assert_eq!(status(&envoy, &Request::post_json("/open", BAD)), 200);
    assert_eq!(status(&envoy, &Request::post_json("/half", BAD)), 403);
    assert_eq!(status(&envoy, &Request::post_json("/pay", BAD)), 400);
    assert_eq!(upstream.take().len(), 1);
}

#[test]
fn a_bad_first_resource_leaves_the_default_that_denies() {
    let Some(setup) = Setup::new() else { return };
    let upstream = Upstream::start().unwrap();
    let good = setup.filter(&setup.compile("enforce", 1, ""), json!({}));
    let deny = Filter::new(&setup.artefacts.filter, "");
    let mut discovery = FilterDiscovery::empty().unwrap();
    let nonsense =
        Filter { configuration: "{\"bundle\": \"UE9SVA==\"}".to_owned(), ..good.clone() };
    discovery.publish(&nonsense).unwrap();
    let base = Bootstrap::to(upstream.address()).guard();
    let bootstrap = base.filter_from(discovery.dir(), Some(&deny)).workers(2);
    let envoy = Envoy::start(&setup.artefacts.envoy, &bootstrap).unwrap();
    for request in [Request::get("/ping"), Request::post_json("/pay", GOOD)] {
        let answer = request.send(envoy.address()).unwrap();
        assert_eq!(answer.status, 503);
        assert_eq!(answer.header(VERDICT_HEADER).as_deref(), Some("block:policy-missing"));
    }
    assert!(upstream.take().is_empty());
    discovery.publish(&good).unwrap();
    let served = |envoy: &Envoy| status(envoy, &Request::get("/ping")) == 200;
    envoy.wait_until("the first bundle", LIMIT, served).unwrap();
    assert_eq!(status(&envoy, &Request::post_json("/pay", BAD)), 400);
}

#[test]
fn every_worker_shows_the_epoch_that_it_serves() {
    let Some(setup) = Setup::new() else { return };
    let upstream = Upstream::start().unwrap();
    let of = |epoch| setup.filter(&setup.compile("enforce", epoch, ""), json!({}));
    let mut discovery = FilterDiscovery::new(&of(3)).unwrap();
    let base = Bootstrap::to(upstream.address()).guard();
    let bootstrap = base.filter_from(discovery.dir(), None).workers(3);
    let envoy = Envoy::start(&setup.artefacts.envoy, &bootstrap).unwrap();
    let epochs = |envoy: &Envoy| -> Vec<u64> {
        // A worker takes its number with its first request; the kernel deals connections out.
        for _ in 0..8 {
            assert_eq!(status(envoy, &Request::get("/ping")), 200);
        }
        let gauges = envoy.stats("portcullis.epoch.portcullis.worker.").unwrap();
        gauges.into_iter().map(|(_, epoch)| epoch).collect()
    };
    envoy.wait_until("a gauge for each worker", LIMIT, |it| epochs(it) == [3; 3]).unwrap();
    discovery.publish(&of(4)).unwrap();
    envoy.wait_until("the next epoch everywhere", LIMIT, |it| epochs(it) == [4; 3]).unwrap();
    // An older one is vetoed, and none of them goes back.
    discovery.publish(&of(2)).unwrap();
    let refused = "wasmcustom.portcullis.configuration.refused.epoch-lower";
    envoy.wait_until("the refusal", LIMIT, |it| it.stat(refused).unwrap() > 0).unwrap();
    assert_eq!(epochs(&envoy), [4; 3]);
}

#[test]
fn bytes_above_ascii_pass_in_answers() {
    let Some(setup) = Setup::new() else { return };
    let upstream = Upstream::answering(|_| {
        let all: Vec<u8> = (0x80..=0xFF).collect();
        let head = &b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nx-bytes: "[..];
        Some([head, &all, b"\r\nset-cookie: ", &all, b"\r\n\r\n"].concat())
    });
    let upstream = upstream.unwrap();
    let filter = setup.filter(&setup.compile("enforce", 1, ""), json!({}));
    let envoy = setup.start(&upstream, &filter);
    let all: Vec<u8> = (0x80..=0xFF).collect();
    for _ in 0..3 {
        let answer = Request::get("/ping").send(envoy.address()).unwrap();
        assert_eq!(answer.status, 200);
        for name in ["x-bytes", "set-cookie"] {
            assert!(answer.headers.contains(&(name.to_owned(), all.clone())), "{name}");
        }
    }
}

#[test]
fn break_glass_without_the_bundles_consent_changes_nothing() {
    let Some(setup) = Setup::new() else { return };
    let upstream = Upstream::start().unwrap();
    let until = json!({ "force_monitor_until": "2100-01-01T00:00:00Z" });
    let policy = setup.dir.join("strict.yaml");
    let text = "version: 1\nname: strict\napis: [ { name: pay, documents: [api.yaml] } ]\n";
    std::fs::write(&policy, text).unwrap();
    setup.portcullis(&["compile", "-p", "strict.yaml", "-k", "dev.key", "-o", "strict.bundle"]);
    let filter = setup.filter(&setup.dir.join("strict.bundle"), until);
    let envoy = setup.start(&upstream, &filter);
    assert_eq!(status(&envoy, &Request::post_json("/pay", BAD)), 400);
    assert!(envoy.stat("wasmcustom.portcullis.break-glass.refused").unwrap() > 0);
    assert_eq!(envoy.stat("wasmcustom.portcullis.break-glass.passed").unwrap(), 0);
    assert!(envoy.log().contains("break-glass-refused"));
}

#[test]
fn probes_pass_by_exact_path_and_method_and_are_counted() {
    let Some(setup) = Setup::new() else { return };
    let upstream = Upstream::start().unwrap();
    let filter = setup.filter(&setup.compile("enforce", 1, ""), json!({}));
    let envoy = setup.start(&upstream, &filter);
    for (request, expected) in [
        (Request::get("/healthz"), 200),
        (Request::get("/healthz?full=1"), 200),
        (Request::new("HEAD", "/healthz"), 404),
        (Request::post_json("/healthz", "{}"), 404),
        (Request::get("/healthz/"), 404),
        (Request::get("/healthz/../pay"), 400),
        (Request::get("/%68ealthz"), 404),
    ] {
        assert_eq!(status(&envoy, &request), expected, "{request:?}");
    }
    assert_eq!(envoy.stat("wasmcustom.portcullis.finding.probe-bypass").unwrap(), 2);
    assert_eq!(envoy.stat("wasmcustom.portcullis.verdict.pass").unwrap(), 2);
}

/// Kills the only worker's VM in the middle of other requests, and watches what passes afterwards.
fn kill(failure_policy: &'static str) -> Option<(Vec<u16>, u16)> {
    let setup = Setup::new()?;
    let upstream = Upstream::start().unwrap();
    let mut filter = setup.filter(&setup.compile("enforce", 5, ""), json!({}));
    filter.module = trapping(&setup, "proxy_on_request_trailers").display().to_string();
    filter.failure_policy = failure_policy;
    let envoy = setup.start(&upstream, &filter);
    assert_eq!(status(&envoy, &Request::post_json("/pay", GOOD)), 200);
    assert_eq!(status(&envoy, &Request::post_json("/pay", BAD)), 400);

    let mut in_flight = Connection::open(envoy.address()).unwrap();
    let waiting = Request::post_json("/pay", BAD);
    in_flight.write(&waiting.head()).unwrap();
    std::thread::sleep(Duration::from_millis(50));
    let dead = chunked(GOOD, &[("x-sum", "7")]).send(envoy.address()).unwrap();
    assert_eq!(dead.status, 503, "the request that met the fault");
    let _ = in_flight.write(BAD.as_bytes());
    if let Ok(answer) = in_flight.receive(b"POST") {
        assert_ne!(answer.status, 200, "a request that was held when the VM died");
    }

    let (started, mut seen) = (Instant::now(), Vec::new());
    while started.elapsed() < Duration::from_secs(2) {
        seen.push(status(&envoy, &Request::post_json("/pay", BAD)));
    }
    let last = status(&envoy, &Request::post_json("/pay", GOOD));
    let received = upstream.take();
    assert!(received.iter().all(|it| it.body != BAD.as_bytes()), "{failure_policy}");
    if last == 200 {
        assert!(finding(&envoy, "body-invalid")["epoch"] == 5);
        let epochs = envoy.stats("portcullis.epoch.portcullis.worker.").unwrap();
        assert!(epochs.iter().any(|(_, epoch)| *epoch == 5), "{epochs:?}");
    }
    Some((seen, last))
}

#[test]
fn a_vm_that_died_is_made_anew_and_refuses_as_before() {
    let Some((seen, last)) = kill("FAIL_RELOAD") else { return };
    assert!(seen.iter().all(|status| matches!(status, 400 | 503)), "{seen:?}");
    assert_eq!((seen.last().copied(), last), (Some(400), 200));
}

#[test]
fn a_vm_that_stays_dead_lets_nothing_pass() {
    let Some((seen, last)) = kill("FAIL_CLOSED") else { return };
    assert!(seen.iter().all(|status| *status == 503), "{seen:?}");
    assert_eq!(last, 503);
    // Even where Envoy is told to skip a dead filter, the guard stands behind it.
    let Some((seen, last)) = kill("FAIL_OPEN") else { return };
    assert!(seen.iter().all(|status| *status == 403), "{seen:?}");
    assert_eq!(last, 403);
}
