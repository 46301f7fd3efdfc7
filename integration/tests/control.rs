//! The control service, its clients, and gateways that get their policy from it over xDS or by `sync`.

mod support;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

use portcullis_integration::http1::{Body, Request};
use portcullis_integration::{
    Bootstrap, Control, Envoy, Filter, Postgres, Upstream, control, envoy,
};
use serde_json::{Value, json};
use support::certificates::Authority;
use support::{BAD, GOOD, Setup};

const SOON: Duration = Duration::from_secs(20);

/// The page whose walk through a test follows.
const PAGE: &str = include_str!("../../policy-compiler/CONTROL.md");

struct Fleet {
    setup: Setup,
    control: Control,
    upstream: Upstream,
}

impl Fleet {
    /// A service that trusts the key of the setup.
    fn new() -> Option<Fleet> {
        Fleet::with(&[])
    }

    fn with(more: &[&str]) -> Option<Fleet> {
        let setup = Setup::new()?;
        let dir = envoy::fresh_dir().unwrap();
        let wasm = setup.artefacts.filter.display().to_string();
        let options = ["--trusted-key", &setup.public_key, "--wasm", &wasm, "--replica", "one"];
        let options = [&options[..], more].concat();
        let control = Control::start(&setup.artefacts.compiler, &dir, &options).unwrap();
        Some(Fleet { setup, control, upstream: Upstream::start().unwrap() })
    }

    /// Runs a command that must succeed, and gives what it prints.
    #[track_caller]
    fn done(&self, arguments: &[&str]) -> String {
        let output = self.control.run(arguments).unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.success(),
            "portcullis {arguments:?}: {errors}\n{}",
            self.control.log()
        );
        String::from_utf8(output.stdout).unwrap()
    }

    /// Runs a command that must fail, and gives what it says.
    #[track_caller]
    fn refused(&self, arguments: &[&str]) -> String {
        let output = self.control.run(arguments).unwrap();
        assert_eq!(output.status.code(), Some(1), "portcullis {arguments:?}");
        String::from_utf8(output.stderr).unwrap()
    }

    fn publish(&self, bundle: &Path, more: &[&str]) -> String {
        let bundle = bundle.display().to_string();
        self.done(&[&["publish", &bundle, "--policy", "pay"], more].concat())
    }

    /// An Envoy whose filter comes from the service. Without one, everything is refused.
    fn gateway(&self, id: &str, audience: &str) -> Envoy {
        let bootstrap = self.bootstrap(id, audience, control::config_source());
        Envoy::start(&self.setup.artefacts.envoy, &bootstrap).unwrap()
    }

    fn bootstrap(&self, id: &str, audience: &str, source: Value) -> Bootstrap {
        let nothing = Filter::new(&self.setup.artefacts.filter, "{}");
        let discovery = json!({
            "name": "portcullis",
            "config_discovery": {
                "config_source": source,
                "type_urls": ["type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm"],
                "default_config": nothing.typed_config(),
            },
        });
        let mut trust = json!({ "trusted_keys": [self.setup.public_key], "hold_headers": true });
        if !audience.is_empty() {
            trust["audience"] = json!(audience);
        }
        Bootstrap::to(self.upstream.address())
            .guard()
            .http_filter(discovery)
            .workers(2)
            .node_metadata(json!({ "portcullis": trust }))
            .with(|config| {
                config["node"]["id"] = json!(id);
                let clusters = &mut config["static_resources"]["clusters"];
                clusters.as_array_mut().unwrap().push(control::cluster(self.control.address()));
            })
    }

    /// Waits until the status of a gateway holds.
    #[track_caller]
    fn until(&self, gateway: &str, what: &str, holds: impl Fn(&Value) -> bool) {
        let started = Instant::now();
        loop {
            let told = self.control.gateway("pay", gateway).unwrap();
            if holds(&told) {
                return;
            }
            assert!(started.elapsed() < SOON, "{what}: {told}\n{}", self.control.log());
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

fn pay(envoy: &Envoy, body: &str) -> u16 {
    Request::post_json("/pay", body).send(envoy.address()).unwrap().status
}

/// How long it takes until a payment is answered so.
#[track_caller]
fn answered(envoy: &Envoy, body: &str, status: u16) -> Duration {
    let started = Instant::now();
    loop {
        let found = pay(envoy, body);
        if found == status {
            return started.elapsed();
        }
        assert!(started.elapsed() < SOON, "{found} instead of {status}\n{}", envoy.log());
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn what_is_published_is_enforced_within_a_second() {
    let Some(fleet) = Fleet::new() else { return };
    let gateway = fleet.gateway("gw-1", "");
    assert_eq!(pay(&gateway, GOOD), 503, "no policy yet");
    fleet.publish(&fleet.setup.compile("monitor", 1, ""), &[]);
    answered(&gateway, BAD, 200);
    let enforce = fleet.setup.compile("enforce", 2, "");
    let (started, printed) = (Instant::now(), fleet.publish(&enforce, &[]));
    assert!(printed.contains("published epoch 2 of `pay` to `stable`"), "{printed}");
    let published = started.elapsed();
    let enforced = answered(&gateway, BAD, 400);
    // The bound is a user's; how fast it is, `cargo xtask bench update` tells.
    assert!(enforced < Duration::from_secs(5), "{enforced:?} after {published:?}");
    println!("published in {published:?}, enforced {enforced:?} later");
    assert_eq!(pay(&gateway, GOOD), 200);
    fleet.until("gw-1", "accepted", |it| it["state"] == "current" && it["accepted"] == 2);
    let told = fleet.control.gateway("pay", "gw-1").unwrap();
    assert_eq!((&told["source"], &told["connected"]), (&json!("xds"), &json!(true)));
    // An alert rule asks for it.
    let connected =
        "extension_config_discovery.http_filter.portcullis.control_plane.connected_state";
    assert_eq!(gateway.stat(connected).unwrap(), 1);
    assert!(told["version"].as_str().unwrap().starts_with("envoy/1."), "{told}");
    let printed = fleet.publish(&fleet.setup.compile("monitor", 3, ""), &["--wait"]);
    assert!(printed.contains("1 of 1 gateways of `stable` run epoch 3"), "{printed}");
    assert!(fleet.done(&["status"]).contains("1 gateways: 1 current"));
    assert!(fleet.done(&["status", "--limit", "0"]).contains("1 of them are not shown"));
    let nowhere = std::process::Command::new(&fleet.setup.artefacts.compiler)
        .arg("status")
        .env_remove("PORTCULLIS_CONTROL")
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&nowhere.stderr).into_owned();
    assert_eq!(nowhere.status.code(), Some(2), "{told}");
    assert!(told.contains("`PORTCULLIS_CONTROL`"), "{told}");
}

#[test]
fn stable_is_for_all_and_waiting_needs_somebody() {
    let Some(fleet) = Fleet::new() else { return };
    fleet.publish(&fleet.setup.compile("monitor", 1, ""), &[]);
    let second = fleet.setup.compile("enforce", 2, "").display().to_string();
    let publish = ["publish", &second, "--policy", "pay"];
    let refused = fleet.refused(&[&publish[..], &["--percentage", "5"]].concat());
    assert!(refused.contains("`stable` is for every gateway"), "{refused}");
    assert_eq!(fleet.control.status("pay").unwrap()["highest"], 1, "nothing was stored");
    let waiting = ["--wait", "--wait-for", "1"];
    let refused = fleet.refused(&[&publish[..], &waiting].concat());
    assert!(refused.contains("no gateway of `stable` was heard of"), "{refused}");
}

#[test]
fn a_bundle_that_a_gateway_refuses_keeps_the_old_one() {
    let Some(mut fleet) = Fleet::new() else { return };
    let gateway = fleet.gateway("gw-1", "bank");
    fleet.publish(&fleet.setup.compile("enforce", 1, "audience: bank"), &["--wait"]);
    answered(&gateway, BAD, 400);
    let bundle = fleet.setup.compile("monitor", 2, "audience: shop");
    let bundle = bundle.display().to_string();
    let refused =
        fleet.refused(&["publish", &bundle, "--policy", "pay", "--wait", "--wait-for", "20"]);
    assert!(refused.contains("1 of 1 gateways refuse epoch 2"), "{refused}");
    assert!(refused.contains("status --policy pay --state refusing"), "{refused}");
    fleet.until("gw-1", "refused", |it| it["state"] == "refusing" && it["refused"]["epoch"] == 2);
    assert_eq!((pay(&gateway, BAD), pay(&gateway, GOOD)), (400, 200));
    let table = fleet.done(&["status", "--policy", "pay"]);
    assert!(table.contains("refusing") && table.contains("2: "), "{table}");
    let of = |states: &str| fleet.done(&["status", "--policy", "pay", "--state", states]);
    assert!(of("refusing,silent").contains("gw-1"));
    let others = of("current,behind,silent");
    assert!(!others.contains("gw-1") && others.contains("1 gateways: 0 current"), "{others}");
    // A service that knows nothing of the refusal does not send the same again, which Envoy would say yes to.
    fleet.control.kill();
    fleet.control.restart().unwrap();
    let told = |result: &str| {
        let page = fleet.control.get("/metrics").unwrap().text();
        let name = format!("portcullis_control_xds_resources_total{{result=\"{result}\"}} ");
        let count = page.lines().find_map(|line| line.strip_prefix(&name)?.parse::<u64>().ok());
        count.unwrap_or_else(|| panic!("no {name}: {page}"))
    };
    fleet.until("gw-1", "refused anew", |_| told("refused") > 0);
    fleet.until("gw-1", "is there again", |it| it["connected"] == true);
    assert_eq!(told("accepted"), 0);
    fleet.until("gw-1", "refuses", |it| it["state"] == "refusing");
    // The next one is taken again.
    fleet.publish(&fleet.setup.compile("monitor", 3, "audience: bank"), &["--wait"]);
    answered(&gateway, BAD, 200);
    fleet.until("gw-1", "accepted", |it| it["state"] == "current" && it["refused"].is_null());
}

#[test]
fn canary_promotion_pin_and_rollback() {
    let Some(fleet) = Fleet::new() else { return };
    fleet.publish(&fleet.setup.compile("monitor", 1, ""), &[]);
    let second = fleet.setup.compile("enforce", 2, "");
    fleet.publish(&second, &["--channel", "canary", "--percentage", "50"]);
    // A gateway on each side.
    let channel = |id: &str| {
        let request = Request::get("/v1/policies/pay/bundle").header("portcullis-gateway", id);
        let answer = request.header("connection", "close").send(fleet.control.address()).unwrap();
        answer.header("portcullis-channel").unwrap_or_default()
    };
    let ids: Vec<String> = (0..64).map(|number| format!("gw-{number}")).collect();
    let one = |wanted: &str| ids.iter().find(|id| channel(id) == wanted).unwrap();
    let (early, late) = (one("canary"), one("stable"));
    let (early_envoy, late_envoy) = (fleet.gateway(early, ""), fleet.gateway(late, ""));
    answered(&early_envoy, BAD, 400);
    answered(&late_envoy, BAD, 200);
    let printed = fleet.done(&["promote", "--policy", "pay"]);
    assert!(printed.contains("promoted epoch 2 of `pay` from `canary` to `stable`"), "{printed}");
    answered(&late_envoy, BAD, 400);

    // Held: what is published waits.
    fleet.done(&[
        "pin",
        "--policy",
        "pay",
        "--channel",
        "stable",
        "--epoch",
        "2",
        "--reason",
        "audit",
    ]);
    let third = fleet.setup.compile("monitor", 3, "").display().to_string();
    let told = fleet.refused(&["publish", &third, "--policy", "pay", "--wait"]);
    assert!(told.contains("`stable` serves epoch 2: it is pinned"), "{told}");
    assert_eq!(pay(&late_envoy, BAD), 400);
    fleet.done(&["unpin", "--policy", "pay", "--channel", "stable"]);
    answered(&late_envoy, BAD, 200);
    answered(&early_envoy, BAD, 200);

    // Back to the second: gateways refuse its epoch, so it comes under a new one.
    let key = fleet.setup.dir.join("dev.key").display().to_string();
    let (policy, to) = (["--policy", "pay"], ["--to-epoch", "2", "--key", &key]);
    // The bundle's policy is called otherwise than what it was published as.
    let refused = fleet.refused(&[&["rollback"][..], &policy, &to].concat());
    assert!(refused.contains("give `--name test`"), "{refused}");
    let printed = fleet.done(&[&["rollback"][..], &policy, &to, &["--name", "test"]].concat());
    assert!(printed.contains("published epoch 4"), "{printed}");
    answered(&late_envoy, BAD, 400);
    // And those of the canary follow: what is rolled back lives on nowhere.
    answered(&early_envoy, BAD, 400);
    let last = fleet.control.gateway("pay", early).unwrap();
    assert_eq!((&last["channel"], &last["epoch"]), (&json!("stable"), &json!(4)), "{last}");
    let other = fleet.setup.dir.join("other.key").display().to_string();
    fleet.setup.portcullis(&["keygen", "-o", &other]);
    let to = ["--to-epoch", "1", "--key", &other];
    let refused = fleet.refused(&[&["rollback"][..], &policy, &to].concat());
    assert!(refused.contains("not among the trusted keys"), "{refused}");

    let history = fleet.done(&["history", "--policy", "pay"]);
    for action in ["publish", "promote", "rollout", "pin", "unpin"] {
        assert!(history.contains(action), "{action} in {history}");
    }
    let audit = fleet.done(&["audit"]);
    assert!(audit.contains("ci") && audit.contains("promote"), "{audit}");
}

#[test]
fn killed_amid_a_publication_the_service_comes_back_whole() {
    let Some(mut fleet) = Fleet::new() else { return };
    let gateway = fleet.gateway("gw-1", "");
    fleet.publish(&fleet.setup.compile("enforce", 1, ""), &["--wait"]);
    answered(&gateway, BAD, 400);
    let second = std::fs::read(fleet.setup.compile("monitor", 2, "")).unwrap();
    let mut stream = TcpStream::connect(fleet.control.address()).unwrap();
    let head = format!(
        "POST /v1/policies/pay/bundles HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\ncontent-length: {}\r\n\r\n",
        fleet.control.publisher,
        second.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(&second[..second.len() / 2]).unwrap();
    std::thread::sleep(Duration::from_millis(100));
    fleet.control.kill();
    assert_eq!((pay(&gateway, BAD), pay(&gateway, GOOD)), (400, 200), "without the service");
    fleet.control.restart().unwrap();
    let told = fleet.control.status("pay").unwrap();
    assert_eq!(told["highest"], 1, "half a publication is none");
    // The gateway is there again, with what it had: nothing is sent twice.
    fleet.until("gw-1", "back", |it| it["connected"] == true && it["accepted"] == 1);
    fleet.publish(&fleet.setup.dir.join("monitor-2.bundle"), &["--wait"]);
    answered(&gateway, BAD, 200);
    assert!(fleet.control.terminate().unwrap(), "ends by itself when asked to");
    assert_eq!(pay(&gateway, GOOD), 200);
}

#[test]
fn a_file_kept_by_sync_outlives_the_service() {
    let Some(mut fleet) = Fleet::new() else { return };
    fleet.publish(&fleet.setup.compile("enforce", 1, ""), &[]);
    let dir = envoy::fresh_dir().unwrap();
    let (file, wasm) = (dir.join("portcullis.pb"), &fleet.setup.artefacts.filter);
    let (file_text, wasm, url) =
        (file.display().to_string(), wasm.display().to_string(), fleet.control.url());
    let key = fleet.setup.public_key.clone();
    let sync = [
        "sync",
        "--from",
        &url,
        "--policy",
        "pay",
        "-o",
        &file_text,
        "--wasm",
        &wasm,
        "--gateway",
        "gw-1",
        "--once",
        "--trusted-key",
    ];
    let good = [&sync[..], &[&key]].concat();
    assert!(fleet.done(&good).contains("epoch 1"));
    assert_eq!(fleet.done(&good), "", "nothing new");
    fleet.until("gw-1", "synced", |it| it["source"] == "sync" && it["accepted"] == 1);

    let source = json!({
        "path_config_source": { "path": file, "watched_directory": { "path": dir } },
        "resource_api_version": "V3",
    });
    let bootstrap = fleet.bootstrap("gw-1", "", source);
    let gateway = Envoy::start(&fleet.setup.artefacts.envoy, &bootstrap).unwrap();
    assert_eq!((pay(&gateway, BAD), pay(&gateway, GOOD)), (400, 200));
    fleet.publish(&fleet.setup.compile("monitor", 2, ""), &[]);
    // Whose signature is not trusted is not written.
    let untrusted = "00".repeat(32);
    let refused = fleet.refused(&[&sync[..], &[&untrusted]].concat());
    assert!(refused.contains("not among the trusted keys"), "{refused}");
    assert_eq!(pay(&gateway, BAD), 400);
    fleet.done(&good);
    answered(&gateway, BAD, 200);

    fleet.control.kill();
    let before = std::fs::read(&file).unwrap();
    fleet.refused(&good);
    assert_eq!(std::fs::read(&file).unwrap(), before);
    drop(gateway);
    let gateway = Envoy::start(&fleet.setup.artefacts.envoy, &bootstrap).unwrap();
    assert_eq!(pay(&gateway, BAD), 200, "from disk");
}

#[test]
fn a_filter_that_polls_tells_what_each_worker_runs() {
    let Some(fleet) = Fleet::new() else { return };
    let source = json!({
        "cluster": "control", "path": "/v1/policies/pay/bundle", "interval": "300ms", "timeout": "2s",
    });
    let configuration = json!({
        "trusted_keys": [fleet.setup.public_key], "hold_headers": true, "source": source,
    });
    let filter = Filter::new(&fleet.setup.artefacts.filter, configuration.to_string());
    let bootstrap = Bootstrap::to(fleet.upstream.address())
        .guard()
        .filter(&filter)
        .workers(2)
        .node_metadata(json!({ "portcullis": { "labels": { "region": "eu" } } }))
        .with(|config| {
            config["node"]["id"] = json!("gw 1");
            let clusters = &mut config["static_resources"]["clusters"];
            clusters.as_array_mut().unwrap().push(control::cluster(fleet.control.address()));
        });
    fleet.publish(&fleet.setup.compile("enforce", 1, ""), &[]);
    let gateway = Envoy::start(&fleet.setup.artefacts.envoy, &bootstrap).unwrap();
    answered(&gateway, BAD, 400);
    let workers = json!({ "0": 1, "1": 1 });
    fleet.until("gw 1", "both workers", |it| it["state"] == "current" && it["workers"] == workers);
    let told = fleet.control.gateway("pay", "gw 1").unwrap();
    assert_eq!((&told["source"], &told["labels"]), (&json!("http"), &json!("region=eu")));
    // By label: the canary is for it.
    let canary = fleet.setup.compile("monitor", 2, "");
    let more = ["--channel", "canary", "--labels", "region=eu", "--percentage", "100", "--wait"];
    let printed = fleet.publish(&canary, &more);
    assert!(printed.contains("1 of 1 gateways of `canary` run epoch 2"), "{printed}");
    answered(&gateway, BAD, 200);
    // A gateway that is taken out of the canary refuses to go back, and says so; the newer policy serves on.
    fleet.done(&["rollout", "--policy", "pay", "--percentage", "0"]);
    fleet.until("gw 1", "refuses", |it| it["state"] == "refusing" && it["refused"]["epoch"] == 1);
    assert_eq!(pay(&gateway, BAD), 200);
}

#[test]
fn tls_and_certificates() {
    let Some(setup) = Setup::new() else { return };
    let dir = envoy::fresh_dir().unwrap();
    let authority = Authority::new();
    let address = "127.0.0.1".parse().unwrap();
    let write = |name: &str, text: &str| {
        std::fs::write(dir.join(name), text).unwrap();
        dir.join(name).display().to_string()
    };
    let issue = |authority: &Authority, name: &str| {
        let (certificate, key) = authority.issue(&format!("spiffe://bank.example/{name}"), address);
        (write(&format!("{name}.pem"), &certificate), write(&format!("{name}.key"), &key))
    };
    let ca = write("ca.pem", authority.pem());
    let server = issue(&authority, "server");
    let (robot, stranger) = (issue(&authority, "robot"), issue(&Authority::new(), "stranger"));
    let guest = issue(&authority, "guest");
    let wasm = setup.artefacts.filter.display().to_string();
    let options = [
        "--wasm",
        &wasm,
        "--trusted-key",
        &setup.public_key,
        "--certificate",
        &server.0,
        "--private-key",
        &server.1,
        "--client-ca",
        &ca,
        "--identify-gateways",
    ];
    let control = Control::start(&setup.artefacts.compiler, &dir, &options).unwrap();
    let line = "robot publisher san:spiffe://bank.example/robot\n";
    let known = std::fs::read_to_string(dir.join("credentials")).unwrap();
    std::fs::write(dir.join("credentials"), known + line).unwrap();
    let bundle = setup.compile("enforce", 1, "").display().to_string();
    let url = format!("https://{}", control.address());
    let publish = |more: &[&str], token: &str| {
        let mut command = std::process::Command::new(&setup.artefacts.compiler);
        command.args(["publish", &bundle, "--policy", "pay", "--to", &url]).args(more);
        let output = command.env("PORTCULLIS_TOKEN", token).output().unwrap();
        (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    // The credentials file is read again: the robot is known a moment later.
    let started = Instant::now();
    let certificate = ["--ca", &ca, "--client-certificate", &robot.0, "--client-key", &robot.1];
    while !publish(&certificate, "").0 {
        assert!(started.elapsed() < SOON, "{:?}", publish(&certificate, ""));
    }
    assert!(publish(&["--ca", &ca], &control.publisher).0, "a token over TLS");
    let guest = ["--ca", &ca, "--client-certificate", &guest.0, "--client-key", &guest.1];
    assert!(publish(&guest, "").1.contains("401"), "a certificate of nobody known");
    let stranger = ["--ca", &ca, "--client-certificate", &stranger.0, "--client-key", &stranger.1];
    assert!(!publish(&stranger, "").0, "a certificate of another authority");
    assert!(!publish(&[], &control.publisher).0, "a server of an authority that is not trusted");
    let refused = publish(&["--ca", &ca], "portcullis_wrong").1;
    assert!(refused.contains("401"), "{refused}");
    // Gateways need an identity here: a gateway without one gets nothing, in plain HTTP nobody does.
    assert!(control.get("/v1/policies/pay/bundle").is_err());
    let sync = |more: &[&str]| {
        let mut command = std::process::Command::new(&setup.artefacts.compiler);
        command
            .current_dir(&dir)
            .args(["sync", "--from", &url, "--policy", "pay", "--once", "--ca", &ca]);
        command.args(["-o", "synced.bundle", "--trusted-key", &setup.public_key]).args(more);
        let output = command.env_remove("PORTCULLIS_TOKEN").output().unwrap();
        (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (done, told) = sync(&[]);
    assert!(!done && told.contains("401: this needs a bearer token"), "{told}");
    assert!(sync(&certificate[2..]).0);
    assert_eq!(std::fs::read(dir.join("synced.bundle")).unwrap(), std::fs::read(&bundle).unwrap());
    assert!(!control.log().contains(&control.publisher), "a token in the log");

    // Envoy too, by HTTP/2 over TLS: one whose certificate is known gets its policy, another nothing.
    let line = "fleet gateway san:spiffe://bank.example/gateway\n";
    let known = std::fs::read_to_string(dir.join("credentials")).unwrap();
    std::fs::write(dir.join("credentials"), known + line).unwrap();
    let upstream = Upstream::start().unwrap();
    let fleet = Fleet { setup, control, upstream };
    let gateway = |name: &str| {
        let bootstrap = fleet.bootstrap(name, "", control::config_source()).with(|config| {
            let clusters = &mut config["static_resources"]["clusters"];
            let cluster = clusters.as_array_mut().unwrap().last_mut().unwrap();
            cluster["transport_socket"] = authority.tls("Upstream", name);
        });
        Envoy::start(&fleet.setup.artefacts.envoy, &bootstrap).unwrap()
    };
    answered(&gateway("gateway"), BAD, 400);
    let nobody = gateway("nobody");
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!(pay(&nobody, GOOD), 503);
}

#[test]
fn sync_outlives_stores_that_lie() {
    let Some(setup) = Setup::new() else { return };
    let dir = envoy::fresh_dir().unwrap();
    let first = std::fs::read(setup.compile("enforce", 2, "")).unwrap();
    let older = std::fs::read(setup.compile("enforce", 1, "")).unwrap();
    let other = std::fs::read(setup.compile("monitor", 2, "")).unwrap();
    let Some(next) = Setup::new() else { return };
    let by_new_key = std::fs::read(next.compile("enforce", 1, "")).unwrap();
    let cut = first.len() / 2;
    let corrupt: Vec<u8> =
        first.iter().enumerate().map(|(at, it)| it ^ u8::from(at == cut)).collect();
    let with_length = |length: usize, body: &[u8]| {
        [format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n").as_bytes(), body].concat()
    };
    let whole = |body: &[u8]| with_length(body.len(), body);
    let answers: Vec<(&str, Vec<u8>, bool)> = vec![
        ("the first", whole(&first), true),
        ("one that breaks off", with_length(first.len(), &first[..cut]), false),
        ("a shorter length than it has", with_length(cut, &first), false),
        ("one bit that is wrong", whole(&corrupt), false),
        ("an older one", whole(&older), false),
        ("the same epoch with other content", whole(&other), false),
        ("more than is taken", with_length(9 << 20, &vec![0; 9 << 20]), false),
        ("a length without end", with_length(usize::MAX, b"x"), false),
        ("no HTTP", b"SSH-2.0-x\r\n\r\n".to_vec(), false),
        ("an error", b"HTTP/1.1 500 X\r\ncontent-length: 0\r\n\r\n".to_vec(), false),
        (
            "elsewhere",
            b"HTTP/1.1 302 X\r\nlocation: /x\r\ncontent-length: 0\r\n\r\n".to_vec(),
            false,
        ),
        ("the first again", whole(&first), true),
        // The file's own key is not trusted any more: its epoch counts all the same.
        ("an older one by a new key", whole(&by_new_key), false),
    ];
    for (what, answer, taken) in answers {
        let key = if what.ends_with("new key") { &next.public_key } else { &setup.public_key };
        let sent = answer.clone();
        let store = Upstream::answering(move |_| Some(sent.clone())).unwrap();
        let url = format!("http://{}", store.address());
        let mut command = std::process::Command::new(&setup.artefacts.compiler);
        command.current_dir(&dir).args([
            "sync",
            "--from",
            &url,
            "--path",
            "/any",
            "--once",
            "--timeout",
            "2",
        ]);
        command.args(["-o", "kept.bundle", "--trusted-key", key]);
        let output = command.output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.success(), taken, "{what}: {errors}");
        assert_eq!(output.status.code(), Some(i32::from(!taken)), "{what}: {errors}");
        assert!(std::fs::read(dir.join("kept.bundle")).unwrap() == first, "{what}");
    }
    let left: Vec<_> = std::fs::read_dir(&dir).unwrap().map(|it| it.unwrap().file_name()).collect();
    assert_eq!(left, ["kept.bundle"]);
}

#[test]
fn hostile_connections_end_nothing() {
    let Some(fleet) = Fleet::new() else { return };
    fleet.publish(&fleet.setup.compile("enforce", 1, ""), &[]);
    let stream =
        "/envoy.service.extension.v3.ExtensionConfigDiscoveryService/StreamExtensionConfigs";
    let head = |line: &str| {
        format!(
            "{line} HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n\r\n\u{1}\u{7f}\u{7f}\u{7f}\u{7f}"
        )
    };
    let hostile: Vec<Vec<u8>> = vec![
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\xff\xff\xff\x09\xff\xff\xff\xff\xff".to_vec(),
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".repeat(50),
        b"\x16\x03\x01\x02\x00\x01".repeat(100),
        format!("GET /{} HTTP/1.1\r\n\r\n", "x".repeat(200_000)).into_bytes(),
        format!("GET / HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(20_000)).into_bytes(),
        head(&format!("POST {stream}")).into_bytes(),
        head("POST /v1/policies/%2e%2e%2fx/bundles?channel=%00&channel=b").into_bytes(),
        head("GET /v1/policies/pay/bundles/99999999999999999999").into_bytes(),
        head("GET /v1/policies/pay/history?limit=-9223372036854775808").into_bytes(),
        b"GET /v1/policies/pay/bundle HTTP/1.1\r\nhost: x\r\nif-none-match: \xff\xfe\r\nportcullis-gateway: %ff%00%zz\r\n\
          portcullis-labels: =,=,,==\r\nportcullis-workers: 9=9,-=-\r\nportcullis-refused: ;;;\r\n\r\n"
            .to_vec(),
    ];
    for bytes in &hostile {
        let mut stream = TcpStream::connect(fleet.control.address()).unwrap();
        stream.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
        // It may be cut off while it writes.
        let _ = stream.write_all(bytes);
        let mut answer = [0; 4096];
        let _ = stream.read(&mut answer);
    }
    let idle: Vec<_> =
        (0..200).map(|_| TcpStream::connect(fleet.control.address()).unwrap()).collect();
    let gateway = fleet.gateway("gw-1", "");
    answered(&gateway, BAD, 400);
    drop(idle);
    assert!(!fleet.control.log().contains("panicked"), "{}", fleet.control.log());
    assert_eq!(fleet.control.get("/healthz").unwrap().status, 200);
}

#[test]
fn connections_that_say_nothing_keep_others_out_for_a_moment_only_and_no_monitor() {
    let Some(setup) = Setup::new() else { return };
    let dir = envoy::fresh_dir().unwrap();
    let monitors = ["--metrics-listen", "127.0.0.1:0"];
    let options = ["--trusted-key", &setup.public_key, "--connections", "4"];
    let options = [&options[..], &monitors].concat();
    let control = Control::start(&setup.artefacts.compiler, &dir, &options).unwrap();
    let silent: Vec<_> = [&b""[..], b"", b"PRI * HTTP", b"P"]
        .iter()
        .map(|bytes| {
            let mut stream = TcpStream::connect(control.address()).unwrap();
            stream.write_all(bytes).unwrap();
            stream
        })
        .collect();
    std::thread::sleep(Duration::from_millis(200));
    let answers = || control.get("/healthz").is_ok_and(|it| it.status == 200);
    assert!(!answers(), "all connections are taken");
    let addresses = std::fs::read_to_string(dir.join("address")).unwrap();
    let monitors = addresses.lines().nth(1).unwrap().parse().unwrap();
    let asked = |path| Request::new("GET", path).send(monitors).unwrap();
    assert!(asked("/metrics").text().contains("portcullis_control_connections_turned_away_total"));
    assert_eq!(["/healthz", "/readyz"].map(|path| asked(path).status), [200, 200]);
    assert_eq!(asked("/v1/policies").status, 404, "it is for monitors alone");
    let started = Instant::now();
    while !answers() {
        assert!(started.elapsed() < SOON, "kept out for good");
        std::thread::sleep(Duration::from_millis(200));
    }
    assert_eq!(control.get("/metrics").unwrap().status, 404, "it is for gateways alone");
    drop(silent);
}

/// Publishes with one request, and gives the status.
fn post(control: &Control, bundle: &Path) -> u16 {
    let bearer = format!("Bearer {}", control.publisher);
    let body = Body::Sized(std::fs::read(bundle).unwrap());
    let request = Request::new("POST", "/v1/policies/pay/bundles").body(body);
    let request = request.header("authorization", bearer).header("connection", "close");
    request.send(control.address()).unwrap().status
}

#[test]
fn a_full_disk_stops_publishers_and_no_gateway() {
    let Some(setup) = Setup::new() else { return };
    let dir = envoy::fresh_dir().unwrap();
    // No file of this service may grow beyond 256 KiB, as if its disk had no more room.
    let limited = dir.join("limited");
    let compiler = setup.artefacts.compiler.display();
    let script = format!("#!/bin/sh\ntrap '' XFSZ\nulimit -f 512\nexec {compiler} \"$@\"\n");
    std::fs::write(&limited, script).unwrap();
    std::fs::set_permissions(&limited, std::fs::Permissions::from_mode(0o755)).unwrap();
    let control = Control::start(&limited, &dir, &["--trusted-key", &setup.public_key]).unwrap();
    let mut epoch = 0;
    let refused = loop {
        epoch += 1;
        let status = post(&control, &setup.compile("enforce", epoch, ""));
        if status != 201 {
            break status;
        }
        assert!(epoch < 100, "the disk is never full");
    };
    assert_eq!(refused, 503, "{}", control.log());
    let fetch = |control: &Control| {
        let answer = control.get("/v1/policies/pay/bundle").unwrap();
        (answer.status, answer.header("portcullis-epoch").unwrap_or_default())
    };
    assert_eq!(fetch(&control), (200, (epoch - 1).to_string()));
    assert_eq!(control.get("/healthz").unwrap().status, 200);
    drop(control);
    // With room again, all that was confirmed is there, and what was refused is not.
    let known = std::fs::read_to_string(dir.join("credentials")).unwrap();
    let control =
        Control::start(&setup.artefacts.compiler, &dir, &["--trusted-key", &setup.public_key]);
    let control = control.unwrap();
    assert_ne!(std::fs::read_to_string(dir.join("credentials")).unwrap(), known);
    assert_eq!(fetch(&control), (200, (epoch - 1).to_string()));
    let bundle = setup.dir.join(format!("enforce-{epoch}.bundle"));
    assert_eq!(post(&control, &bundle), 201);
}

#[test]
fn over_ads_and_by_label() {
    let Some(fleet) = Fleet::new() else { return };
    fleet.publish(&fleet.setup.compile("monitor", 1, ""), &[]);
    let second = fleet.setup.compile("enforce", 2, "");
    fleet
        .publish(&second, &["--channel", "canary", "--labels", "region=eu", "--percentage", "100"]);
    let source = json!({ "ads": {}, "resource_api_version": "V3", "initial_fetch_timeout": "2s" });
    let gateway = |id: &str, region: &str| {
        let bootstrap = fleet.bootstrap(id, "", source.clone()).with(|config| {
            config["node"]["metadata"]["portcullis"]["labels"] = json!({ "region": region });
            config["dynamic_resources"] = json!({ "ads_config": {
                "api_type": "GRPC",
                "transport_api_version": "V3",
                "grpc_services": [{ "envoy_grpc": { "cluster_name": "control" } }],
            } });
        });
        Envoy::start(&fleet.setup.artefacts.envoy, &bootstrap).unwrap()
    };
    let (eu, us) = (gateway("gw-eu", "eu"), gateway("gw-us", "us"));
    answered(&eu, BAD, 400);
    answered(&us, BAD, 200);
    fleet.until("gw-eu", "label", |it| it["labels"] == "region=eu" && it["accepted"] == 2);
    fleet.done(&["pin", "--policy", "pay", "--labels", "region=us", "--epoch", "1"]);
    fleet.publish(&fleet.setup.compile("enforce", 3, ""), &["--wait"]);
    assert_eq!(pay(&us, BAD), 200, "held by its label");
    fleet.done(&["unpin", "--policy", "pay", "--labels", "region=us"]);
    answered(&us, BAD, 400);
}

#[test]
fn the_walk_through_holds() {
    if let Some(fleet) = Fleet::new() {
        walk_through(&fleet);
    }
}

#[test]
fn the_walk_through_holds_over_postgres() {
    let Some(postgres) = Postgres::start() else { return };
    let postgres = postgres.unwrap();
    if let Some(fleet) = Fleet::with(&["--postgres", &postgres.url()]) {
        walk_through(&fleet);
    }
}

fn walk_through(fleet: &Fleet) {
    let section = PAGE.split("## A walk through").nth(1).unwrap().split("\n## ").next().unwrap();
    let folder = &fleet.setup.dir;
    std::fs::rename(folder.join("dev.key"), folder.join("signing.key")).unwrap();
    let policy =
        "version: 1\nname: bank\nmode: enforce\napis: [ { name: pay, documents: [api.yaml] } ]\n";
    std::fs::write(folder.join("policy.yaml"), policy).unwrap();
    let compiler = &fleet.setup.artefacts.compiler;
    let path = std::env::var("PATH").unwrap();
    let path = format!("{}:{path}", compiler.parent().unwrap().display());
    let lines = section.lines().filter_map(|line| line.strip_prefix("$ "));
    // The harness has done these: the key, the tokens, the service and its address are there.
    let done =
        ["portcullis keygen", "portcullis token", "portcullis serve", "export PORTCULLIS_CONTROL"];
    let mut followed = 0;
    for line in lines.filter(|line| !done.iter().any(|done| line.starts_with(done))) {
        let output = std::process::Command::new("sh")
            .args(["-c", line])
            .current_dir(folder)
            .env("PATH", &path)
            .env("PORTCULLIS_CONTROL", fleet.control.url())
            .env("PORTCULLIS_TOKEN", &fleet.control.publisher)
            .output()
            .unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{line}: {errors}");
        followed += 1;
    }
    assert_eq!(followed, 16);
    // A gateway that was within the canary's 25 % has what was rolled back to, like every other.
    for id in 0..64 {
        let request = Request::get("/v1/policies/bank/bundle");
        let request = request.header("portcullis-gateway", format!("gw-{id}"));
        let answer = request.header("connection", "close").send(fleet.control.address()).unwrap();
        assert_eq!(answer.header("portcullis-epoch").as_deref(), Some("3"), "gw-{id}");
    }
    let status = fleet.control.status("bank").unwrap();
    assert_eq!((&status["highest"], &status["channels"][1]["serves"]), (&json!(3), &json!(3)));
}
