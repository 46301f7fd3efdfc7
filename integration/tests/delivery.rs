//! How policies reach a gateway: by polling, by a file, by a ConfigMap; pinned, rolled back, under new keys.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::{Duration, Instant};

use portcullis_integration::envoy::fresh_dir;
use portcullis_integration::faults::LARGEST;
use portcullis_integration::faults::stage::{self, EPOCH, LIMIT, Stage, WORKERS, Way};
use portcullis_integration::http1::{Body, Request};
use portcullis_integration::load::{Load, Sent, Shape};
use portcullis_integration::releases::{self, Releases};
use portcullis_integration::store::{Behaviour, Store};
use portcullis_integration::{
    Artefacts, Bootstrap, Control, Envoy, Error, Filter, Upstream, artefacts, usage,
};
use serde_json::{Value, json};

const BAD: &str = "/users/abc";

fn status(envoy: &Envoy, path: &str) -> u16 {
    Request::get(path).send(envoy.address()).unwrap().status
}

fn nothing_lost(sent: &Sent) {
    assert_eq!((sent.lost, sent.losses.as_slice()), (0, &[][..]));
    assert!(sent.answered.len() > 100, "{}", sent.answered.len());
}

/// A gateway that polls, with any configuration and node metadata.
struct Polling {
    upstream: Upstream,
    store: Store,
    envoy: Envoy,
}

impl Polling {
    fn start(
        artefacts: &Artefacts,
        store: Store,
        configuration: &Value,
        node: Value,
    ) -> Result<Self, Error> {
        let upstream = Upstream::start()?;
        let filter = Filter::new(&artefacts.filter, configuration.to_string());
        let bootstrap = Bootstrap::to(upstream.address())
            .guard()
            .filter(&filter)
            .cluster("store", store.address())
            .node_metadata(json!({ "portcullis": node }))
            .workers(WORKERS);
        let envoy = Envoy::start(&artefacts.envoy, &bootstrap)?;
        Ok(Self { upstream, store, envoy })
    }

    fn load(&self) -> Load {
        Load::start(self.envoy.address(), &releases::requests(), Shape::default())
    }
}

/// Whether every worker serves: each connection goes to one of the two, and each sees a bundle at a tick of its own.
fn serves(envoy: &Envoy) -> bool {
    (0..24).all(|_| status(envoy, "/users/1") == 200)
}

#[test]
fn a_source_alone_refuses_until_it_has_fetched_and_fetches_once_for_all() {
    let Some(artefacts) = Artefacts::find() else { return };
    let releases = Releases::new(&artefacts, 0).unwrap();
    let store = Store::start(&releases.release(EPOCH).unwrap()).unwrap();
    store.behave(Behaviour::Down);
    let configuration = stage::polling(&releases.keys[0], None);
    let node = json!({ "labels": { "env": "test", "zone": "a b" } });
    let gateway = Polling::start(&artefacts, store, &configuration, node).unwrap();
    assert_eq!(status(&gateway.envoy, "/users/1"), 503);
    let told = |envoy: &Envoy| envoy.log().contains("\"fetch-failed\"");
    gateway.envoy.wait_until("the line on the failure", LIMIT, told).unwrap();
    assert!(gateway.upstream.take().is_empty());
    gateway.store.behave(Behaviour::Serve);
    gateway.envoy.wait_until("the first bundle", LIMIT, serves).unwrap();

    let load = gateway.load();
    stage::await_epoch(&gateway.envoy, EPOCH).unwrap();
    gateway.store.take();
    let started = Instant::now();
    std::thread::sleep(Duration::from_secs(3));
    let asked = gateway.store.take();
    // Every 300 ms, seen at ticks of 200 ms, by one VM of four.
    let most = started.elapsed().as_millis() / 270 + 2;
    assert!((3..=most).contains(&(asked.len() as u128)), "{} fetches, at most {most}", asked.len());
    let last = asked.last().unwrap();
    assert!(last.line.starts_with("GET /bundle "), "{last:?}");
    assert_eq!(last.status, 304, "{last:?}");
    assert_eq!(last.header("host"), Some("store"));
    assert_eq!(last.header("portcullis-gateway"), Some("test"));
    assert_eq!(last.header("portcullis-labels"), Some("env=test,zone=a%20b"));
    assert_eq!(last.header("portcullis-workers"), Some("0=5,1=5"));
    nothing_lost(&load.stop());
    let age = gateway.envoy.stat("wasmcustom.portcullis.poll.age-seconds.portcullis").unwrap();
    assert!(age <= 2, "{age}");
}

#[test]
fn everything_may_stand_in_the_node() {
    let Some(artefacts) = Artefacts::find() else { return };
    let releases = Releases::new(&artefacts, 0).unwrap();
    let store = Store::start(&releases.release(EPOCH).unwrap()).unwrap();
    let node = json!({
        "trusted_keys": [releases.keys[0]],
        "minimum_epoch": EPOCH,
        "hold_headers": true,
        "source": { "cluster": "store", "path": "/bundle", "interval": "300ms", "max_bytes": 200_000 },
    });
    let gateway = Polling::start(&artefacts, store, &json!({}), node).unwrap();
    gateway.envoy.wait_until("the first bundle", LIMIT, serves).unwrap();
    assert_eq!(status(&gateway.envoy, BAD), 400);
}

#[test]
fn a_minimum_epoch_of_the_node_holds_for_what_is_fetched() {
    let Some(artefacts) = Artefacts::find() else { return };
    let releases = Releases::new(&artefacts, 0).unwrap();
    let store = Store::start(&releases.release(EPOCH).unwrap()).unwrap();
    let configuration = stage::polling(&releases.keys[0], None);
    let node = json!({ "minimum_epoch": EPOCH + 1 });
    let gateway = Polling::start(&artefacts, store, &configuration, node).unwrap();
    let refused = "wasmcustom.portcullis.configuration.refused.epoch-lower";
    let told = |envoy: &Envoy| envoy.stat(refused).is_ok_and(|count| count > 0);
    gateway.envoy.wait_until("the refusal", LIMIT, told).unwrap();
    assert_eq!(status(&gateway.envoy, "/users/1"), 503);
    gateway.store.publish(&releases.release(EPOCH + 1).unwrap());
    gateway.envoy.wait_until("the next epoch", LIMIT, serves).unwrap();
}

#[test]
fn a_policy_is_pinned_and_rolled_back_by_its_epoch_under_load() {
    let Some(artefacts) = Artefacts::find() else { return };
    for way in [Way::Poll, Way::File] {
        let stage = Stage::start(&artefacts, way).unwrap();
        // Pinned: the same release again and again changes nothing, whatever is compiled meanwhile.
        let pinned = stage.releases.release(EPOCH).unwrap();
        stage.releases.release(EPOCH + 3).unwrap();
        stage.publish(&pinned).unwrap();
        std::thread::sleep(Duration::from_secs(1));
        assert!(stage.epochs().unwrap().iter().all(|epoch| *epoch == EPOCH), "{way:?}");
        // A release and its way back, which is the older policy under a higher epoch.
        stage.publish(&stage.releases.release(EPOCH + 1).unwrap()).unwrap();
        stage.await_epoch(EPOCH + 1).unwrap();
        let before = stage.count(&["refused.epoch-lower"]).unwrap();
        stage.publish(&pinned).unwrap();
        stage.await_more(&["refused.epoch-lower"], before).unwrap();
        stage.publish(&stage.releases.release(EPOCH + 2).unwrap()).unwrap();
        stage.await_epoch(EPOCH + 2).unwrap();
        nothing_lost(&stage.finish());
    }
}

#[test]
fn keys_are_rotated_under_load_while_two_are_trusted() {
    let Some(artefacts) = Artefacts::find() else { return };
    let releases = Releases::new(&artefacts, 0).unwrap();
    let store = Store::start(&releases.release(EPOCH).unwrap()).unwrap();
    let mut configuration = stage::polling(&releases.keys[0], None);
    // Trust of the node goes before that of the configuration.
    configuration["trusted_keys"] = json!(["00".repeat(32)]);
    let node = json!({ "trusted_keys": releases.keys });
    let gateway = Polling::start(&artefacts, store, &configuration, node).unwrap();
    gateway.envoy.wait_until("the first bundle", LIMIT, serves).unwrap();
    let load = gateway.load();
    for (epoch, key) in [(6, 1), (7, 0), (8, 1)] {
        gateway.store.publish(&releases.signed(epoch, key, &[]).unwrap());
        stage::await_epoch(&gateway.envoy, epoch).unwrap();
    }
    nothing_lost(&load.stop());
    drop(gateway);

    // Once every gateway has the new key, the old one is taken away.
    let store = Store::start(&releases.signed(9, 0, &[]).unwrap()).unwrap();
    let node = json!({ "trusted_keys": [releases.keys[1]] });
    let gateway = Polling::start(&artefacts, store, &configuration, node).unwrap();
    let refused = "wasmcustom.portcullis.configuration.refused.bundle-untrusted";
    let told = |envoy: &Envoy| envoy.stat(refused).is_ok_and(|count| count > 0);
    gateway.envoy.wait_until("the refusal", LIMIT, told).unwrap();
    gateway.store.publish(&releases.signed(9, 1, &[]).unwrap());
    gateway.envoy.wait_until("the new key", LIMIT, serves).unwrap();
}

/// The blocks of DELIVERY.md of a language.
fn blocks(language: &str) -> Vec<String> {
    let path = artefacts::root().join("envoy-config/DELIVERY.md");
    let text = fs::read_to_string(path).unwrap();
    let start = format!("```{language}\n");
    let blocks = text.split(start.as_str()).skip(1);
    blocks.map(|rest| rest.split("```").next().unwrap().to_owned()).collect()
}

/// Runs what the document says, in the folder of the releases, with the values of a test.
#[track_caller]
fn follow(artefacts: &Artefacts, releases: &Releases, values: &[(&str, String)], script: &str) {
    let free = "render envoy --listen 127.0.0.1:0 --admin 127.0.0.1:0";
    let compiler = artefacts.compiler.parent().unwrap().display().to_string();
    let output = std::process::Command::new("sh")
        .args(["-e", "-c", &script.replace("render envoy", free)])
        .current_dir(releases.dir())
        .env("PATH", format!("{compiler}:{}", std::env::var("PATH").unwrap()))
        .env("KEY", &releases.keys[0])
        .env("WASM", &artefacts.filter)
        .envs(values.iter().map(|(name, value)| (name, value)))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn the_glass_is_broken_and_mended_as_the_document_says() {
    let Some(artefacts) = Artefacts::find() else { return };
    let releases = Releases::new(&artefacts, 0).unwrap();
    let policy = fs::read_to_string(releases.dir().join("policy.yaml")).unwrap();
    let policy = format!("{policy}\nbreak_glass: {{ permitted: true }}\n");
    fs::write(releases.dir().join("glass.yaml"), policy).unwrap();
    let bundle = releases.release_with(EPOCH, &["-p", "glass.yaml"]).unwrap();
    fs::write(releases.dir().join("policy.bundle"), bundle).unwrap();
    let upstream = Upstream::start().unwrap();
    let values = [
        ("UPSTREAM", upstream.address().to_string()),
        ("UNTIL", "2100-01-01T00:00:00Z".to_owned()),
    ];
    let [render] = blocks("sh delivery-test").try_into().unwrap();
    let [broken] = blocks("sh break-glass-test").try_into().unwrap();
    follow(&artefacts, &releases, &values, &render);
    let text = fs::read_to_string(releases.dir().join("gateway/envoy.yaml")).unwrap();
    let envoy = Envoy::start_text(&artefacts.envoy, &text, 1).unwrap();
    assert_eq!((status(&envoy, "/users/1"), status(&envoy, BAD)), (200, 400));
    let answers = |expected| move |envoy: &Envoy| status(envoy, BAD) == expected;
    follow(&artefacts, &releases, &values, &broken);
    envoy.wait_until("no refusal", LIMIT, answers(200)).unwrap();
    follow(&artefacts, &releases, &values, &render);
    envoy.wait_until("refusals again", LIMIT, answers(400)).unwrap();
}

#[test]
fn the_examples_of_the_document_work() {
    let Some(artefacts) = Artefacts::find() else { return };
    let releases = Releases::new(&artefacts, 0).unwrap();
    fs::write(releases.dir().join("policy.bundle"), releases.release(EPOCH).unwrap()).unwrap();
    let upstream = Upstream::start().unwrap();
    let options = ["--trusted-key", &releases.keys[0]];
    let control = Control::start(&artefacts.compiler, &fresh_dir().unwrap(), &options).unwrap();
    let values =
        [("UPSTREAM", upstream.address().to_string()), ("STORE", control.address().to_string())];
    let run = |script: &str| follow(&artefacts, &releases, &values, script);
    let [render] = blocks("sh delivery-test").try_into().unwrap();
    run(&render);
    let text = fs::read_to_string(releases.dir().join("gateway/envoy.yaml")).unwrap();
    let envoy = Envoy::start_text(&artefacts.envoy, &text, 1).unwrap();
    assert_eq!((status(&envoy, "/users/1"), status(&envoy, BAD)), (200, 400));
    // The rename by hand.
    let file = releases.dir().join("gateway/filter/portcullis.pb");
    fs::copy(&file, releases.dir().join("portcullis.pb")).unwrap();
    run(&blocks("sh")[0]);
    assert!(file.is_file());

    // What is rendered starts without the service's policy, takes it when it comes, and serves on when it is gone.
    let [render] = blocks("sh polling-test").try_into().unwrap();
    run(&render);
    let text = fs::read_to_string(releases.dir().join("polling/envoy.yaml")).unwrap();
    let start = || Envoy::start_text(&artefacts.envoy, &text, 1).unwrap();
    let envoy = start();
    assert_eq!((status(&envoy, "/users/1"), status(&envoy, BAD)), (200, 400));
    let published = Request::new("POST", "/v1/policies/bank/bundles?channel=stable")
        .header("authorization", format!("Bearer {}", control.publisher))
        .body(Body::Sized(releases.release(EPOCH + 1).unwrap()))
        .send(control.address())
        .unwrap();
    assert_eq!(published.status, 201, "{}", published.text());
    let newer = |envoy: &Envoy| stage::epochs(envoy).is_ok_and(|all| all == [EPOCH + 1]);
    envoy.wait_until("what is published", LIMIT, newer).unwrap();
    // The file that was rendered gets it too, for the module that was rendered.
    let [sync] = blocks("sh sync-test").try_into().unwrap();
    run(&format!("{} --once", sync.trim_end()));
    let kept = fs::read(&file).unwrap();
    let kept = portcullis_ecds::read(&kept).unwrap();
    let wasm = artefacts.filter.display().to_string();
    let expected = releases.release(EPOCH + 1).unwrap();
    assert_eq!(kept.configuration, portcullis_ecds::Configuration::Bundle(&expected));
    assert_eq!((kept.filter.as_str(), kept.wasm), ("portcullis", wasm));
    drop(control);
    assert_eq!((status(&envoy, "/users/1"), status(&envoy, BAD)), (200, 400));
    drop(envoy);
    let envoy = start();
    assert_eq!((status(&envoy, "/users/1"), status(&envoy, BAD)), (200, 400));
    drop(envoy);

    // The source of the document is that of the shipped configuration, which is taken as it is.
    let shipped = artefacts::root().join("envoy-config/envoy-polling.yaml");
    let shipped = fs::read_to_string(shipped).unwrap();
    let [source] = blocks("json").try_into().unwrap();
    let compact = |text: &str| text.split_whitespace().collect::<String>();
    assert!(compact(&shipped).contains(&compact(&source)));

    let store = Store::start(&releases.release(EPOCH).unwrap()).unwrap();
    let wasm = artefacts.filter.display().to_string();
    let text = shipped
        .replace("/etc/portcullis/portcullis_filter.wasm", &wasm)
        .replace("port_value: 8080", "port_value: 0")
        .replace("port_value: 9901", "port_value: 0")
        .replace("port_value: 9000", &format!("port_value: {}", upstream.address().port()))
        .replace("port_value: 18000", &format!("port_value: {}", store.address().port()))
        .replace("trusted_keys: []", &format!("trusted_keys: [{}]", releases.keys[0]));
    let envoy = Envoy::start_text(&artefacts.envoy, &text, 1).unwrap();
    envoy.wait_until("the first bundle", LIMIT, serves).unwrap();
    assert_eq!(status(&envoy, BAD), 400);
    let asked = store.take();
    assert!(asked[0].line.starts_with("GET /v1/policies/bank/bundle "), "{asked:?}");
    assert_eq!(asked[0].header("portcullis-labels"), Some("env=prod"));
    let metrics = envoy.admin_page("/stats/prometheus").unwrap();
    assert!(metrics.contains("portcullis_poll_age_seconds{plugin=\"portcullis\"}"), "{metrics}");
    assert!(metrics.contains("portcullis_poll_failed{reason=\"redirect\"} 0"), "{metrics}");
}

/// Puts the rendered file where Kubernetes would have it: a link to a link to a folder of its own.
fn mount(stage: &Stage, version: u64, bundle: &[u8]) {
    let folder = stage.file().parent().unwrap().to_path_buf();
    let own = folder.join(format!("..version-{version}"));
    fs::create_dir(&own).unwrap();
    let filter = portcullis_ecds::Filter::new(stage.wasm());
    let resource =
        portcullis_ecds::resource(&filter, portcullis_ecds::Configuration::Bundle(bundle));
    let file = portcullis_ecds::file(&version.to_string(), resource);
    fs::write(own.join("portcullis.pb"), file).unwrap();
    symlink(own.file_name().unwrap(), folder.join("..data_tmp")).unwrap();
    fs::rename(folder.join("..data_tmp"), folder.join("..data")).unwrap();
    if version == 0 {
        let beside = stage.gateway().join("link");
        symlink(Path::new("..data/portcullis.pb"), &beside).unwrap();
        fs::rename(beside, stage.file()).unwrap();
    }
}

#[test]
fn the_swap_of_a_configmap_is_seen_and_loses_nothing() {
    let Some(artefacts) = Artefacts::find() else { return };
    let stage = Stage::start(&artefacts, Way::File).unwrap();
    for version in 0..10 {
        let epoch = EPOCH + 1 + version;
        mount(&stage, version, &stage.releases.release(epoch).unwrap());
        stage.await_epoch(epoch).unwrap();
    }
    // A ConfigMap with rubbish changes nothing.
    let before = stage.count(&["refused.bundle-corrupt"]).unwrap();
    mount(&stage, 10, b"PORTCLIS\x01\0 but no bundle");
    stage.await_more(&["refused.bundle-corrupt"], before).unwrap();
    mount(&stage, 11, &stage.releases.release(EPOCH + 20).unwrap());
    stage.await_epoch(EPOCH + 20).unwrap();
    nothing_lost(&stage.finish());
}

/// By xDS too: `xds-largest-corrupt` among the faults.
#[test]
fn eight_megabytes_come_by_polling_and_by_file_and_more_is_refused() {
    let Some(artefacts) = Artefacts::find() else { return };
    let releases = Releases::new(&artefacts, LARGEST).unwrap();
    let large = releases.release(6).unwrap();
    assert!((15 << 19..=8 << 20).contains(&large.len()), "{}", large.len());
    let mut configuration = stage::polling(&releases.keys[0], None);
    // No `max_bytes`: 8 MiB.
    configuration["source"].as_object_mut().unwrap().remove("max_bytes");
    configuration["source"]["timeout"] = json!("20s");
    let store = Store::start(&large).unwrap();
    let gateway = Polling::start(&artefacts, store, &configuration, json!({})).unwrap();
    gateway.envoy.wait_until("a large bundle", LIMIT, serves).unwrap();
    gateway.store.publish(&vec![0; (8 << 20) + 1]);
    let refused = "wasmcustom.portcullis.poll.failed.too-large";
    let told = |envoy: &Envoy| envoy.stat(refused).is_ok_and(|count| count > 0);
    gateway.envoy.wait_until("the refusal", LIMIT, told).unwrap();
    assert_eq!(status(&gateway.envoy, BAD), 400);
    drop(gateway);

    let stage = Stage::of(&artefacts, Way::File, releases).unwrap();
    stage.publish(&large).unwrap();
    stage.await_epoch(6).unwrap();
    nothing_lost(&stage.finish());
}

/// A second listener beside the first, whose filter has other settings, and polls the same source under the same name.
fn add_listener(all: &mut Value) {
    let listeners = all["static_resources"]["listeners"].as_array_mut().unwrap();
    let mut inner = listeners[0].clone();
    inner["name"] = json!("inner");
    let manager = &mut inner["filter_chains"][0]["filters"][0]["typed_config"];
    let filters = manager["http_filters"].as_array_mut().unwrap();
    let filter = filters.iter_mut().find(|it| it["typed_config"]["config"].is_object()).unwrap();
    let config = &mut filter["typed_config"]["config"];
    config["allow_on_headers_stop_iteration"] = json!(false);
    let settings = config["configuration"]["value"].as_str().unwrap();
    config["configuration"]["value"] =
        json!(settings.replace(r#""hold_headers":true"#, r#""hold_headers":false"#));
    listeners.push(inner);
}

#[test]
fn two_listeners_that_poll_one_source_by_settings_of_their_own_serve_what_it_brings() {
    let Some(artefacts) = Artefacts::find() else { return };
    let releases = Releases::new(&artefacts, 0).unwrap();
    let store = Store::start(&releases.release(EPOCH).unwrap()).unwrap();
    let upstream = Upstream::start().unwrap();
    let configuration = stage::polling(&releases.keys[0], None);
    let filter = Filter::new(&artefacts.filter, configuration.to_string());
    let bootstrap = Bootstrap::to(upstream.address())
        .guard()
        .filter(&filter)
        .cluster("store", store.address())
        .workers(WORKERS)
        .with(add_listener);
    let envoy = Envoy::start(&artefacts.envoy, &bootstrap).unwrap();
    let inner = listener(&envoy, "inner");
    let wrong = Request::post_json("/users/42", "{\"n\":\"x\"}");
    // Each connection goes to one of the workers.
    let both = |path: &'static str, status: u16| {
        move |envoy: &Envoy| {
            (0..12).all(|_| {
                [envoy.address(), inner].iter().all(|address| {
                    Request::get(path).send(*address).is_ok_and(|it| it.status == status)
                })
            })
        }
    };
    envoy.wait_until("both serve", LIMIT, both("/users/1", 200)).unwrap();
    assert!(both(BAD, 400)(&envoy));
    let answers = [envoy.address(), inner].map(|to| wrong.send(to).unwrap().status);
    assert_eq!(answers, [400, 200], "held, and judged as it streams by");
    // The gauge is a VM's, which both listeners share: answers tell by which policy each of them judges.
    store.publish(&releases.other(EPOCH + 1).unwrap());
    envoy.wait_until("both serve the next one", LIMIT, both(BAD, 200)).unwrap();
    stage::await_epoch(&envoy, EPOCH + 1).unwrap();
    assert!(both("/users/1", 200)(&envoy));
}

fn listener(envoy: &Envoy, name: &str) -> std::net::SocketAddr {
    let page = envoy.admin_page("/listeners?format=json").unwrap();
    let all: Value = serde_json::from_str(&page).unwrap();
    let all = all["listener_statuses"].as_array().unwrap();
    let found = all.iter().find(|it| it["name"] == name).unwrap();
    let port = found["local_address"]["socket_address"]["port_value"].as_u64().unwrap();
    std::net::SocketAddr::from(([127, 0, 0, 1], u16::try_from(port).unwrap()))
}

/// Envoy's timer of a root context outlives it unless the filter ends it: each update would leave every thread one more.
#[test]
fn ticks_end_with_their_configuration() {
    let Some(artefacts) = Artefacts::find() else { return };
    const UPDATES: u64 = 60;
    let mut stage = Stage::start(&artefacts, Way::File).unwrap();
    let wakes_per_second = |stage: &mut Stage| {
        stage.rest();
        let process = stage.envoy().unwrap().id();
        std::thread::sleep(Duration::from_millis(500));
        let (before, seconds) = (usage::sleeps(process).unwrap(), 4);
        std::thread::sleep(Duration::from_secs(seconds));
        (usage::sleeps(process).unwrap() - before) / seconds
    };
    let before = wakes_per_second(&mut stage);
    for epoch in EPOCH + 1..=EPOCH + UPDATES {
        stage.publish(&stage.releases.release(epoch).unwrap()).unwrap();
        std::thread::sleep(Duration::from_millis(30));
    }
    stage.await_epoch(EPOCH + UPDATES).unwrap();
    let after = wakes_per_second(&mut stage);
    assert!(after < before + UPDATES / 2, "{before} a second, {after} after {UPDATES} updates");
}
