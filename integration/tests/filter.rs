//! The filter in a real Envoy: what only Envoy's own callbacks can show.

mod support;

use std::path::Path;
use std::time::Duration;

use portcullis_integration::http1::{Body, Connection, Request};
use portcullis_integration::{Bootstrap, Envoy, Filter, Upstream};
use serde_json::{Value, json};
use support::{BAD, GOOD, Setup, base64, chunked, finding};

#[test]
fn enforcing_answers_problems_and_forwards_the_rest_byte_for_byte() {
    let Some(setup) = Setup::new() else { return };
    let upstream = Upstream::start().unwrap();
    let filter = setup.filter(&setup.compile("enforce", 1, ""), json!({}));
    let envoy = setup.start(&upstream, &filter);

    let good = Request::post_json("/pay", GOOD).send(envoy.address()).unwrap();
    assert_eq!((good.status, good.body.as_slice()), (200, GOOD.as_bytes()));
    assert_eq!(upstream.take().len(), 1);

    let bad = Request::post_json("/pay", BAD).send(envoy.address()).unwrap();
    assert_eq!(bad.status, 400);
    assert_eq!(bad.header("content-type").as_deref(), Some("application/problem+json"));
    let problem = bad.json();
    assert_eq!(problem["type"], "urn:portcullis:finding:body-invalid");
    assert!(problem["instance"].as_str().unwrap().starts_with("urn:uuid:"));
    assert!(upstream.take().is_empty(), "a refused request never reaches the upstream");

    let wrong = Request::new("DELETE", "/ping").send(envoy.address()).unwrap();
    assert_eq!((wrong.status, wrong.header("allow").is_some()), (405, true));
    let head = Request::new("HEAD", "/nowhere").send(envoy.address()).unwrap();
    assert_eq!((head.status, head.body.len()), (404, 0));
    let probe = Request::get("/healthz").send(envoy.address()).unwrap();
    assert_eq!(probe.status, 200);

    let line = finding(&envoy, "body-invalid");
    assert_eq!((&line["template"], &line["keyword"]), (&json!("/pay"), &json!("minimum")));
    assert_eq!(line["origin"]["document"], "api.yaml");
    assert!(line["origin"]["line"].as_u64().unwrap() > 10, "{line}");
    assert_eq!(envoy.stat("wasmcustom.portcullis.verdict.block").unwrap(), 3);
    assert_eq!(envoy.stat("wasmcustom.portcullis.verdict.allow").unwrap(), 1);
    assert_eq!(envoy.stat("wasmcustom.portcullis.finding.body-invalid").unwrap(), 1);
    assert_eq!(envoy.stat("wasmcustom.portcullis.epoch.portcullis.worker.0").unwrap(), 1);
}

#[test]
fn bodies_end_by_trailers_in_pieces_or_not_at_all() {
    let Some(setup) = Setup::new() else { return };
    let upstream = Upstream::start().unwrap();
    let filter = setup.filter(&setup.compile("enforce", 1, ""), json!({}));
    let envoy = setup.start(&upstream, &filter);
    let every: Vec<usize> = (1..GOOD.len()).collect();
    for trailers in [&[][..], &[("x-sum", "7")][..]] {
        for cuts in [&[][..], &[5][..], &every] {
            let good = chunked(GOOD, trailers).cut(cuts).send(envoy.address()).unwrap();
            assert_eq!((good.status, good.text()), (200, GOOD.to_owned()), "{cuts:?}");
            let bad = chunked(BAD, trailers).cut(cuts).send(envoy.address()).unwrap();
            assert_eq!(bad.status, 400, "{cuts:?}");
        }
    }
    assert!(upstream.take().iter().all(|received| received.body == GOOD.as_bytes()));
    let empty = chunked("", &[]).send(envoy.address()).unwrap();
    assert_eq!(empty.status, 400);

    // A client that goes away in the middle leaves the worker as it was.
    let mut gone = Connection::open(envoy.address()).unwrap();
    gone.write(b"POST /pay HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n{\"a")
        .unwrap();
    drop(gone);
    let undecided = "wasmcustom.portcullis.verdict.undecided";
    let counted = |envoy: &Envoy| envoy.stat(undecided).unwrap() == 1;
    envoy.wait_until("the reset request", Duration::from_secs(5), counted).unwrap();
    let large = format!("{{\"amount\": 1, \"note\": \"{}\"}}", "x".repeat(80_000));
    assert_eq!(chunked(&large, &[]).send(envoy.address()).unwrap().status, 413);
    assert_eq!(Request::post_json("/pay", &large).send(envoy.address()).unwrap().status, 413);
    assert_eq!(Request::get("/ping").send(envoy.address()).unwrap().status, 200);
}

#[test]
fn bytes_above_ascii_survive_both_ways() {
    let Some(setup) = Setup::new() else { return };
    let upstream = Upstream::start().unwrap();
    let filter = setup.filter(&setup.compile("enforce", 1, ""), json!({}));
    let envoy = setup.start(&upstream, &filter);
    let all: Vec<u8> = (0x80..=0xFF).collect();
    for name in ["x-name", "cookie", "authorization", "x-request-id", "accept"] {
        let answer = Request::get("/ping").header(name, &all).send(envoy.address()).unwrap();
        assert_eq!(answer.status, 200, "{name}");
    }
    for name in ["x-name", "cookie"] {
        let answer = Request::get("/nowhere").header(name, &all).send(envoy.address()).unwrap();
        assert_eq!(answer.status, 404, "{name}");
    }
    let typed = Request::new("POST", "/pay").header("content-type", &all);
    let typed = typed.body(Body::Sized(GOOD.into())).send(envoy.address()).unwrap();
    assert_eq!(typed.status, 415);
    let received = upstream.take();
    assert!(received[0].headers.contains(&("x-name".to_owned(), all)));
    assert_eq!(envoy.stat("wasm.envoy.wasm.runtime.v8.crash").unwrap_or(0), 0);
}

#[test]
fn upgrades_connect_preflight_and_own_headers() {
    let Some(setup) = Setup::new() else { return };
    let upstream = Upstream::start().unwrap();
    let filter = setup.filter(&setup.compile("enforce", 1, ""), json!({}));
    let envoy = setup.start_with(&upstream, &filter, |bootstrap| {
        bootstrap.connect_route().upgrades(&["websocket", "CONNECT"])
    });
    let mut socket = Connection::open(envoy.address()).unwrap();
    let upgrade =
        Request::get("/ping").header("connection", "upgrade").header("upgrade", "websocket");
    assert_eq!(socket.exchange(&upgrade).unwrap().status, 101);
    socket.write(b"ping").unwrap();
    assert_eq!(socket.read_exact(4).unwrap(), b"ping");

    let connect = Request::new("CONNECT", "inner.example:443").header("host", "inner.example:443");
    assert_eq!(connect.send(envoy.address()).unwrap().status, 404);

    let preflight = Request::new("OPTIONS", "/pay")
        .header("origin", "https://bank.example")
        .header("access-control-request-method", "POST");
    assert_eq!(preflight.send(envoy.address()).unwrap().status, 200);
    assert_eq!(envoy.stat("wasmcustom.portcullis.verdict.pass").unwrap(), 2);

    upstream.take();
    let spoofed = Request::get("/ping").header("x-portcullis-verdict", "allow");
    assert_eq!(spoofed.send(envoy.address()).unwrap().status, 200);
    assert_eq!(upstream.take()[0].header("x-portcullis-verdict"), None);

    let grpc = Request::new("POST", "/bank.Payments/Pay")
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(Body::Sized(vec![0; 5]));
    let answer = grpc.send(envoy.address()).unwrap();
    assert_eq!((answer.status, answer.header("grpc-status").as_deref()), (200, Some("12")));
}

#[test]
fn clients_that_wait_for_100_do_not_hang() {
    let Some(setup) = Setup::new() else { return };
    let upstream = Upstream::start().unwrap();
    let filter = setup.filter(&setup.compile("enforce", 1, ""), json!({}));
    let waiting = Request::post_json("/pay", GOOD).header("expect", "100-continue");
    // Envoy answers 100 by itself and hides the field: the body comes and is judged.
    let envoy = setup.start(&upstream, &filter);
    let answer = waiting.send(envoy.address()).unwrap();
    assert_eq!((answer.status, answer.interim.as_slice()), (200, &[100][..]));
    // Left to the upstream, which sees nothing before the verdict: refused at once.
    let envoy = setup.start_with(&upstream, &filter, Bootstrap::proxy_100_continue);
    let mut connection = Connection::open(envoy.address()).unwrap();
    connection.write(&waiting.head()).unwrap();
    assert_eq!(connection.receive(b"POST").unwrap().status, 417);
}

#[test]
fn monitor_holds_nothing_and_the_guard_lets_it_pass() {
    let Some(setup) = Setup::new() else { return };
    let upstream = Upstream::start().unwrap();
    let filter = setup.filter(&setup.compile("monitor", 1, ""), json!({}));
    // Without the flag, a pause on headers would hang.
    let filter = Filter { stops_on_headers: false, ..filter };
    let envoy = setup.start_with(&upstream, &filter, |it| it.buffer_limit(16_384));
    for request in [Request::post_json("/pay", BAD), chunked(BAD, &[("x-sum", "7")])] {
        assert_eq!(request.send(envoy.address()).unwrap().status, 200);
    }
    assert_eq!(Request::get("/nowhere").send(envoy.address()).unwrap().status, 200);
    let large = format!("{{\"amount\": 1, \"note\": \"{}\"}}", "x".repeat(60_000));
    assert_eq!(Request::post_json("/pay", &large).send(envoy.address()).unwrap().status, 200);
    assert_eq!(envoy.stat("wasmcustom.portcullis.verdict.monitor").unwrap(), 3);
    assert_eq!(finding(&envoy, "body-invalid")["verdict"], "monitor");
}

#[test]
fn bodies_are_not_held_without_leave() {
    let Some(setup) = Setup::new() else { return };
    let upstream = Upstream::start().unwrap();
    let filter = setup.filter(&setup.compile("enforce", 1, ""), json!({ "hold_headers": false }));
    let envoy = setup.start(&upstream, &Filter { stops_on_headers: false, ..filter });
    assert_eq!(Request::post_json("/pay", BAD).send(envoy.address()).unwrap().status, 200);
    assert_eq!(Request::get("/nowhere").send(envoy.address()).unwrap().status, 404);
    assert_eq!(envoy.stat("wasmcustom.portcullis.finding.body-unenforced").unwrap(), 1);
}

/// Two listeners of one policy and one plugin name, in both orders: one may hold bodies, the other may not.
#[test]
fn listeners_of_one_policy_each_go_by_their_own_settings() {
    let Some(setup) = Setup::new() else { return };
    let upstream = Upstream::start().unwrap();
    let bundle = setup.compile("enforce", 1, "");
    for outer_holds in [true, false] {
        let filter = setup.filter(&bundle, json!({ "hold_headers": outer_holds }));
        let envoy = setup.start_with(&upstream, &filter, |it| {
            it.with(|all| {
                let listeners = all["static_resources"]["listeners"].as_array_mut().unwrap();
                let mut inner = listeners[0].clone();
                inner["name"] = json!("inner");
                for (listener, holds) in
                    [(&mut listeners[0], outer_holds), (&mut inner, !outer_holds)]
                {
                    let manager = &mut listener["filter_chains"][0]["filters"][0]["typed_config"];
                    let filters = manager["http_filters"].as_array_mut().unwrap();
                    let config =
                        filters.iter_mut().find(|it| it["typed_config"]["config"].is_object());
                    let config = &mut config.unwrap()["typed_config"]["config"];
                    config["allow_on_headers_stop_iteration"] = json!(holds);
                    let settings = config["configuration"]["value"].as_str().unwrap();
                    let settings = settings.replace(
                        &format!("\"hold_headers\":{outer_holds}"),
                        &format!("\"hold_headers\":{holds}"),
                    );
                    config["configuration"]["value"] = json!(settings);
                }
                listeners.push(inner);
            })
        });
        let listeners: Value =
            serde_json::from_str(&envoy.admin_page("/listeners?format=json").unwrap()).unwrap();
        let inner = listeners["listener_statuses"].as_array().unwrap();
        let inner = inner.iter().find(|it| it["name"] == "inner").unwrap();
        let port = inner["local_address"]["socket_address"]["port_value"].as_u64().unwrap();
        let inner = std::net::SocketAddr::from(([127, 0, 0, 1], u16::try_from(port).unwrap()));
        let bad = Request::post_json("/pay", BAD);
        for (address, holds) in [(envoy.address(), outer_holds), (inner, !outer_holds)] {
            let status = bad.send(address).unwrap().status;
            assert_eq!(status, if holds { 400 } else { 200 }, "{address} {holds}");
        }
    }
}

#[test]
fn without_a_bundle_everything_is_refused() {
    let Some(setup) = Setup::new() else { return };
    let upstream = Upstream::start().unwrap();
    let envoy = setup.start(&upstream, &Filter::new(&setup.artefacts.filter, ""));
    assert_eq!(Request::get("/ping").send(envoy.address()).unwrap().status, 503);
    assert_eq!(Request::post_json("/pay", GOOD).send(envoy.address()).unwrap().status, 503);
    assert!(upstream.take().is_empty());
}

#[test]
fn the_guard_refuses_what_skipped_the_filter() {
    let Some(setup) = Setup::new() else { return };
    let upstream = Upstream::start().unwrap();
    let bootstrap = Bootstrap::to(upstream.address()).guard();
    let envoy = Envoy::start(&setup.artefacts.envoy, &bootstrap).unwrap();
    assert_eq!(Request::get("/ping").send(envoy.address()).unwrap().status, 403);
}

#[test]
fn break_glass_suspends_refusals_where_the_bundle_permits_it() {
    let Some(setup) = Setup::new() else { return };
    let upstream = Upstream::start().unwrap();
    let until = json!({ "force_monitor_until": "2100-01-01T00:00:00Z" });
    let filter = setup.filter(&setup.compile("enforce", 1, ""), until.clone());
    let envoy = setup.start(&upstream, &filter);
    assert_eq!(Request::post_json("/pay", BAD).send(envoy.address()).unwrap().status, 200);
    assert_eq!(envoy.stat("wasmcustom.portcullis.break-glass.passed").unwrap(), 1);
    assert_ne!(finding(&envoy, "break-glass"), Value::Null);
    let past = json!({ "force_monitor_until": "2020-01-01T00:00:00Z" });
    let envoy = setup.start(&upstream, &setup.filter(&setup.compile("enforce", 2, ""), past));
    assert_eq!(Request::post_json("/pay", BAD).send(envoy.address()).unwrap().status, 400);
}

#[test]
fn trust_may_come_from_the_node_and_the_bundle_bare() {
    let Some(setup) = Setup::new() else { return };
    let upstream = Upstream::start().unwrap();
    let bundle = base64(&std::fs::read(setup.compile("enforce", 7, "")).unwrap());
    let bare = |bootstrap: Bootstrap, node: Value| {
        bootstrap.node_metadata(json!({ "portcullis": node })).with_manager(|manager| {
            manager["http_filters"][0]["typed_config"]["config"]["configuration"] = json!({
                "@type": "type.googleapis.com/google.protobuf.BytesValue",
                "value": bundle,
            });
        })
    };
    let filter = Filter::new(&setup.artefacts.filter, "");
    let node =
        json!({ "trusted_keys": [setup.public_key], "minimum_epoch": 7, "hold_headers": true });
    let envoy = setup.start_with(&upstream, &filter, |it| bare(it, node));
    assert_eq!(Request::post_json("/pay", GOOD).send(envoy.address()).unwrap().status, 200);
    assert_eq!(Request::post_json("/pay", BAD).send(envoy.address()).unwrap().status, 400);

    // Whom the node does not trust, and what it deems old, is not served: Envoy refuses to start.
    for node in [
        json!({ "trusted_keys": ["00".repeat(32)] }),
        json!({ "trusted_keys": [setup.public_key], "minimum_epoch": 8 }),
        json!({ "trusted_keys": [setup.public_key], "minimum_epochs": 1 }),
    ] {
        let bootstrap = Bootstrap::to(upstream.address()).filter(&filter);
        assert!(Envoy::start(&setup.artefacts.envoy, &bare(bootstrap, node)).is_err());
    }
}

#[test]
fn what_is_rendered_serves_and_updates() {
    let Some(setup) = Setup::new() else { return };
    let upstream = Upstream::start().unwrap();
    let render = |bundle: &Path, more: &[&str]| {
        let (wasm, out) = (setup.artefacts.filter.display().to_string(), setup.dir.join("gateway"));
        let (bundle, out) = (bundle.display().to_string(), out.display().to_string());
        let address = upstream.address().to_string();
        let mut arguments =
            vec!["render", "envoy", "--bundle", &bundle, "--wasm", &wasm, "--out", &out];
        arguments.extend(["--trusted-key", &setup.public_key, "--upstream", &address]);
        arguments.extend(["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"]);
        arguments.extend(more);
        setup.portcullis(&arguments);
        setup.dir.join("gateway/envoy.yaml")
    };
    let config = render(&setup.compile("enforce", 1, ""), &[]);
    Envoy::validate(&setup.artefacts.envoy, &config).unwrap();
    let text = std::fs::read_to_string(&config).unwrap();
    let envoy = Envoy::start_text(&setup.artefacts.envoy, &text, 1).unwrap();
    let serves = |epoch: u64| {
        move |envoy: &Envoy| {
            let _ = Request::get("/ping").send(envoy.address());
            envoy.stats("portcullis.epoch").unwrap().iter().any(|(_, value)| *value == epoch)
        }
    };
    envoy.wait_until("epoch 1", Duration::from_secs(10), serves(1)).unwrap();
    assert_eq!(Request::post_json("/pay", GOOD).send(envoy.address()).unwrap().status, 200);
    assert_eq!(Request::post_json("/pay", BAD).send(envoy.address()).unwrap().status, 400);
    assert_eq!(Request::get("/-/live").send(envoy.address()).unwrap().status, 200);
    // The access log is written in batches.
    let logged = |envoy: &Envoy| envoy.log().contains(r#""portcullis":"block:body-invalid""#);
    envoy.wait_until("the access log", Duration::from_secs(15), logged).unwrap();

    render(&setup.compile("monitor", 2, ""), &[]);
    envoy.wait_until("epoch 2", Duration::from_secs(10), serves(2)).unwrap();
    assert_eq!(Request::post_json("/pay", BAD).send(envoy.address()).unwrap().status, 200);

    let config = render(&setup.compile("enforce", 3, ""), &["--static"]);
    Envoy::validate(&setup.artefacts.envoy, &config).unwrap();
    let text = std::fs::read_to_string(&config).unwrap();
    let envoy = Envoy::start_text(&setup.artefacts.envoy, &text, 1).unwrap();
    assert_eq!(Request::post_json("/pay", BAD).send(envoy.address()).unwrap().status, 400);
}

#[test]
fn what_is_shipped_loads_and_refuses_until_a_bundle_is_there() {
    let Some(setup) = Setup::new() else { return };
    let shipped = portcullis_integration::artefacts::root().join("envoy-config");
    let home = setup.dir.join("etc");
    std::fs::create_dir_all(home.join("filter")).unwrap();
    std::fs::copy(&setup.artefacts.filter, home.join("portcullis_filter.wasm")).unwrap();
    for name in ["filter/portcullis.yaml", "envoy.yaml", "envoy-static.yaml", "envoy-polling.yaml"]
    {
        let text = std::fs::read_to_string(shipped.join(name)).unwrap();
        let text = text.replace("/etc/portcullis", &home.display().to_string());
        let text = text.replace("port_value: 8080", "port_value: 0");
        let text = text.replace("port_value: 9901", "port_value: 0");
        std::fs::write(home.join(name), &text).unwrap();
        if name.starts_with("filter/") {
            continue;
        }
        Envoy::validate(&setup.artefacts.envoy, &home.join(name)).unwrap();
        let envoy = Envoy::start_text(&setup.artefacts.envoy, &text, 1).unwrap();
        let address = ([127, 0, 0, 1], envoy.address().port()).into();
        assert_eq!(Request::get("/accounts").send(address).unwrap().status, 503, "{name}");
        assert_eq!(Request::get("/-/live").send(address).unwrap().status, 200, "{name}");
        let metrics = envoy.admin_page("/stats/prometheus").unwrap();
        assert!(metrics.contains("portcullis_verdict{verdict=\"block\"} 1"), "{name}: {metrics}");
        assert!(metrics.contains("portcullis_finding{code=\"policy-missing\"} 1"), "{name}");
    }
}
