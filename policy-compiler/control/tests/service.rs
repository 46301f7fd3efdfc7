//! What the service answers, without a network: its router over an SQLite file.

use axum::body::Body;
use axum::http::{Request, StatusCode};
use axum::{Extension, Router};
use http_body_util::BodyExt;
use portcullis_bundle::layout::{
    NONE, Node, Policy, SCHEMA_ACCEPTS_ALL, Schema, Sections, TYPE_ALL,
};
use portcullis_bundle::{Identity, Trust, sign, write};
use portcullis_control::http::router;
use portcullis_control::identity::{Credentials, new_token};
use portcullis_control::service::{Peer, Service, Settings};
use portcullis_control::store::{Place, Store};
use portcullis_control::transfers;
use portcullis_ecds::Filter;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tower::ServiceExt;
use zerocopy::FromZeros;

#[path = "service/fleet.rs"]
mod fleet;
#[path = "service/removed.rs"]
mod removed;

const SEED: [u8; 32] = [7; 32];

fn public_key(seed: &[u8; 32]) -> [u8; 32] {
    ed25519_dalek::SigningKey::from_bytes(seed).verifying_key().to_bytes()
}

/// The least that is a bundle, signed; `text` makes its content another.
fn bundle(epoch: u64, text: &str, seed: &[u8; 32]) -> Vec<u8> {
    bundle_until(epoch, text, seed, i64::MAX)
}

fn bundle_until(epoch: u64, text: &str, seed: &[u8; 32], not_after: i64) -> Vec<u8> {
    bundle_of(&Identity { epoch, not_after, ..Identity::default() }, text, seed)
}

fn bundle_of(identity: &Identity, text: &str, seed: &[u8; 32]) -> Vec<u8> {
    let mut node = Node::new_zeroed();
    (node.wildcard, node.api) = (NONE.into(), NONE.into());
    let mut any = Schema::new_zeroed();
    (any.types, any.flags) = (TYPE_ALL, SCHEMA_ACCEPTS_ALL);
    let parts = [&mut any.string, &mut any.number, &mut any.array, &mut any.object];
    for part in parts.into_iter().chain([&mut any.literals, &mut any.origin]) {
        *part = NONE.into();
    }
    let never = Schema { types: 0, flags: 0, ..any };
    let sections = Sections {
        policy: vec![Policy::new_zeroed()],
        strings: text.into(),
        nodes: vec![node],
        schemas: vec![any, never],
        ..Sections::default()
    };
    let mut bytes = write(&sections, identity).unwrap();
    sign(&mut bytes, seed).unwrap();
    bytes
}

struct Running {
    router: Router,
    service: Arc<Service>,
    publisher: String,
    reader: String,
    folder: PathBuf,
}

impl Running {
    fn new(name: &str) -> Running {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("service-{name}"));
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap();
        let (publisher, published) = new_token().unwrap();
        let (reader, read) = new_token().unwrap();
        let (_, other) = new_token().unwrap();
        let credentials = format!(
            "ci publisher token:{published}\nops reader token:{read}\nshop publisher token:{other} shop\n\
             robot publisher san:spiffe://bank.example/robot\n"
        );
        let settings = Settings {
            trust: Trust { keys: vec![public_key(&SEED)], allow_unsigned: false },
            filters: vec![(Filter::new("/filter.wasm"), None)],
            gateways_identified: false,
            credentials: None,
            silent_after: Duration::from_secs(300),
            forget_after: Duration::from_secs(86_400),
            replica: "a".to_owned(),
        };
        let store = Store::open(&Place::Sqlite(folder.join("control.db"))).unwrap();
        let credentials = Credentials::parse(&credentials).unwrap();
        let service = Arc::new(Service::new(store, settings, credentials));
        let peer = Peer::new("192.0.2.7:4711".parse().unwrap(), None);
        let router = router(Arc::clone(&service), true).layer(Extension(peer));
        Running { router, service, publisher, reader, folder }
    }

    async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (head, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes().to_vec();
        Answer { head, body }
    }

    async fn ask(&self, method: &str, path: &str, fields: &[(&str, &str)], body: &[u8]) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        self.send(request.body(Body::from(body.to_vec())).unwrap()).await
    }

    async fn get(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        self.ask("GET", path, fields, b"").await
    }

    async fn read(&self, path: &str) -> Value {
        let bearer = format!("Bearer {}", self.reader);
        let answer = self.get(path, &[("authorization", &bearer)]).await;
        assert_eq!(answer.head.status, StatusCode::OK, "{path}: {}", answer.text());
        answer.json()
    }

    async fn change(&self, method: &str, path: &str, body: &[u8]) -> Answer {
        let bearer = format!("Bearer {}", self.publisher);
        self.ask(method, path, &[("authorization", &bearer)], body).await
    }

    async fn publish(&self, channel: &str, bundle: &[u8]) -> Answer {
        self.change("POST", &format!("/v1/policies/bank/bundles?channel={channel}"), bundle).await
    }
}

struct Answer {
    head: axum::http::response::Parts,
    body: Vec<u8>,
}

impl Answer {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("{}", self.text()))
    }

    fn field(&self, name: &str) -> &str {
        self.head.headers.get(name).map_or("", |it| it.to_str().unwrap())
    }

    #[track_caller]
    fn problem(&self, status: u16, code: &str) {
        assert_eq!(self.head.status, status, "{}", self.text());
        assert_eq!(self.field("content-type"), "application/problem+json");
        let told = self.json();
        assert_eq!(told["type"], format!("urn:portcullis:control:{code}"));
        assert_eq!(told["status"], status);
        assert!(told["detail"].as_str().unwrap().len() > 5);
    }
}

#[tokio::test]
async fn a_bundle_goes_from_a_publisher_to_gateways() {
    let it = Running::new("publishes");
    it.get("/v1/policies/bank/bundle", &[]).await.problem(503, "not-ready");
    assert_eq!(it.get("/readyz", &[]).await.head.status, 503);
    it.service.refresh().await.unwrap();
    assert_eq!(it.get("/readyz", &[]).await.text(), "ready; store up\n");
    it.get("/v1/policies/bank/bundle", &[]).await.problem(404, "not-found");

    let seven = bundle(7, "seven", &SEED);
    let published = it.publish("stable", &seven).await;
    assert_eq!(published.head.status, 201, "{}", published.text());
    assert_eq!(published.json()["epoch"], 7);
    assert_eq!(it.publish("stable", &seven).await.json()["result"], "known");

    let fetched = it.get("/v1/policies/bank/bundle", &[]).await;
    assert_eq!(fetched.body, seven);
    assert_eq!(fetched.field("content-type"), "application/vnd.portcullis.bundle");
    assert_eq!(fetched.field("content-length"), seven.len().to_string());
    assert_eq!(
        (fetched.field("portcullis-epoch"), fetched.field("portcullis-channel")),
        ("7", "stable")
    );
    let etag = fetched.field("etag").to_owned();
    assert!(etag.starts_with('"') && etag == published.json()["etag"].as_str().unwrap());
    for known in [&etag, "*", &format!("\"x\", W/{etag}")] {
        let again = it.get("/v1/policies/bank/bundle", &[("if-none-match", known)]).await;
        assert_eq!((again.head.status.as_u16(), again.body.len()), (304, 0), "{known}");
        assert_eq!(again.field("etag"), etag);
    }
    let other = it.get("/v1/policies/bank/bundle", &[("if-none-match", "\"x\"")]).await;
    assert_eq!(other.head.status, 200);
    let head = it.ask("HEAD", "/v1/policies/bank/channels/stable/bundle", &[], b"").await;
    assert_eq!((head.head.status.as_u16(), head.body.len()), (200, 0));
    assert_eq!(head.field("content-length"), seven.len().to_string());
    it.get("/v1/policies/bank/channels/canary/bundle", &[]).await.problem(404, "not-found");
    it.get("/v1/policies/other/bundle", &[]).await.problem(404, "not-found");

    let bearer = format!("Bearer {}", it.reader);
    let epoch = it.get("/v1/policies/bank/bundles/7", &[("authorization", &bearer)]).await;
    assert_eq!(epoch.body, seven);
    it.get("/v1/policies/bank/bundles/7", &[]).await.problem(401, "unauthenticated");
}

#[tokio::test]
async fn so_many_bundles_are_on_their_way_at_once() {
    let it = Running::new("transfers");
    it.service.refresh().await.unwrap();
    let seven = bundle(7, &"seven".repeat(50_000), &SEED);
    assert_eq!(it.publish("stable", &seven).await.head.status, 201);
    tokio::time::pause();
    // Each comes by a connection of its own, and reads nothing yet.
    let fetch = async || {
        let peer = Peer::new("192.0.2.8:1".parse().unwrap(), None);
        let router = router(Arc::clone(&it.service), true).layer(Extension(peer));
        let request = Request::get("/v1/policies/bank/bundle").body(Body::empty()).unwrap();
        router.oneshot(request).await.unwrap()
    };
    let mut held = Vec::new();
    while it.service.transfers.free() > 0 {
        held.push(fetch().await);
    }
    assert_eq!(held.len(), transfers::MOST);
    // What sends no bundle waits for nobody.
    let path = "/v1/policies/bank/bundle";
    let known = held[0].headers()["etag"].to_str().unwrap().to_owned();
    let began = tokio::time::Instant::now();
    assert_eq!(it.get(path, &[("if-none-match", &known)]).await.head.status, 304);
    assert_eq!(it.ask("HEAD", path, &[], b"").await.head.status, 200);
    assert!(began.elapsed() < Duration::from_millis(500));
    // Those that read nothing lose their places: who comes next waits for a moment only.
    let next = fetch().await;
    assert_eq!(next.status(), 200);
    assert!(began.elapsed() <= Duration::from_millis(1500), "{:?}", began.elapsed());
    assert!(next.into_body().collect().await.unwrap().to_bytes() == seven);
    // Who has lost its place reads on.
    assert!(held.remove(0).into_body().collect().await.unwrap().to_bytes() == seven);

    // Places that stay taken: who waits in vain is told when to ask again.
    tokio::time::sleep(Duration::from_secs(2)).await;
    let mut places = Vec::new();
    while it.service.transfers.free() > 0 {
        let peer = Peer::new("192.0.2.9:1".parse().unwrap(), None);
        places.push(it.service.transfers.place(&peer).await.unwrap());
    }
    let busy = it.get(path, &[]).await;
    busy.problem(503, "busy");
    assert!((2..=10).contains(&busy.field("retry-after").parse().unwrap()));
    let page = it.get("/metrics", &[]).await.text();
    for line in ["bundle_requests_total{result=\"busy\"} 1", "transfers 64", "transfers_waiting 0"]
    {
        assert!(page.contains(&format!("portcullis_control_{line}\n")), "{line}: {page}");
    }
    // What was published while it waited is what it gets.
    tokio::time::resume();
    let (waits, eight) = (it.get(path, &[]), bundle(8, "eight", &SEED));
    let publishes = async {
        assert_eq!(it.publish("stable", &eight).await.head.status, 201);
        drop(places);
    };
    let (got, ()) = tokio::join!(waits, publishes);
    assert_eq!(got.body, eight);
}

#[tokio::test]
async fn an_answer_without_a_bundle_takes_no_place() {
    let it = Running::new("places");
    it.service.refresh().await.unwrap();
    // Nothing leads to the first any more: only the database has it.
    let (seven, eight) = (bundle(7, "seven", &SEED), bundle(8, "eight", &SEED));
    for bundle in [&seven, &eight] {
        assert_eq!(it.publish("stable", bundle).await.head.status, 201);
    }
    let mut places = Vec::new();
    while it.service.transfers.free() > 0 {
        let peer = Peer::new("192.0.2.9:1".parse().unwrap(), None);
        places.push(it.service.transfers.place(&peer).await.unwrap());
    }
    let bearer = format!("Bearer {}", it.reader);
    let began = std::time::Instant::now();
    for (epoch, bundle) in [(7, &seven), (8, &eight)] {
        let path = format!("/v1/policies/bank/bundles/{epoch}");
        let head = it.ask("HEAD", &path, &[("authorization", &bearer)], b"").await;
        assert_eq!((head.head.status.as_u16(), head.body.len()), (200, 0));
        assert_eq!(head.field("content-length"), bundle.len().to_string());
        let etag = head.field("etag");
        let fields = [("authorization", &*bearer), ("if-none-match", etag)];
        assert_eq!(it.get(&path, &fields).await.head.status, 304);
    }
    for path in ["/v1/policies/bank/bundles/9", "/v1/policies/other/bundles/7"] {
        it.get(path, &[("authorization", &bearer)]).await.problem(404, "not-found");
    }
    assert!(began.elapsed() < transfers::WAIT);
    assert_eq!(it.service.transfers.busy.get(), 0);
    // One that has a bundle still waits, and gets it when it is its turn.
    places.pop();
    let path = "/v1/policies/bank/bundles/7";
    assert_eq!(it.get(path, &[("authorization", &bearer)]).await.body, seven);
}

#[tokio::test]
async fn who_asks_much_waits_for_themselves() {
    let it = Running::new("asks-much");
    it.service.refresh().await.unwrap();
    let mut turns = Vec::new();
    for _ in 0..4 {
        turns.push(it.service.turn("ops").await.unwrap());
    }
    let bearer = format!("Bearer {}", it.reader);
    let fields = [("authorization", &*bearer)];
    let paths =
        ["/v1/audit", "/v1/policies", "/v1/policies/bank/status", "/v1/policies/bank/bundles/7"];
    let reads = paths.map(|path| it.get(path, &fields));
    let publishes = async {
        let began = std::time::Instant::now();
        assert_eq!(it.publish("stable", &bundle(7, "seven", &SEED)).await.head.status, 201);
        began.elapsed()
    };
    let [audit, policies, status, epoch] = reads;
    let (audit, policies, status, epoch, published) =
        tokio::join!(audit, policies, status, epoch, publishes);
    for read in [audit, policies, status, epoch] {
        read.problem(503, "busy");
        assert_eq!(read.field("retry-after"), "2");
    }
    assert!(published < Duration::from_secs(4), "{published:?}");
    drop(turns);
    assert_eq!(it.get("/v1/policies/bank/bundles/7", &fields).await.head.status, 200);
}

#[tokio::test]
async fn who_reads_nothing_is_told_nothing_more() {
    let it = Running::new("reads-nothing");
    it.service.refresh().await.unwrap();
    assert_eq!(it.publish("stable", &bundle(7, "seven", &SEED)).await.head.status, 201);
    let bearer = format!("Bearer {}", it.reader);
    let paths = [
        "/v1/audit",
        "/v1/policies",
        "/v1/policies/bank",
        "/v1/policies/bank/status",
        "/v1/policies/bank/history",
    ];
    for path in paths {
        let mut unread = Vec::new();
        for _ in 0..4 {
            let request = Request::get(path).header("authorization", &bearer);
            let request = request.body(Body::empty()).unwrap();
            unread.push(it.router.clone().oneshot(request).await.unwrap());
        }
        let another = tokio::time::timeout(Duration::from_millis(50), it.service.turn("ops"));
        assert!(another.await.is_err(), "{path}");
        // Who reads on is answered on, and others are all the while.
        assert!(it.service.turn("ci").await.is_some());
        let answer = unread.pop().unwrap();
        assert_eq!(answer.headers()["content-type"], "application/json");
        answer.into_body().collect().await.unwrap();
        it.read(path).await;
    }
    let nobody = "/v1/audit?identity=a%00b";
    it.get(nobody, &[("authorization", &bearer)]).await.problem(422, "request");
    let long = "c".repeat(5000);
    it.publish(&long, b"x").await.problem(422, "request");
    let line = it.read("/v1/audit?identity=ci&limit=1").await["audit"][0].clone();
    assert!(line["detail"].as_str().unwrap().contains("`channel` is not a name"), "{line}");
}

#[tokio::test]
async fn a_publisher_that_sends_slowly_leaves_others_their_turn() {
    let it = Running::new("slow");
    it.service.refresh().await.unwrap();
    let send = |token: String| {
        let silent = Body::from_stream(tokio_stream::pending::<Result<Vec<u8>, std::io::Error>>());
        let request = Request::post("/v1/policies/bank/bundles")
            .header("authorization", format!("Bearer {token}"))
            .body(silent)
            .unwrap();
        tokio::spawn(it.router.clone().oneshot(request))
    };
    let mut slow: Vec<_> = (0..6).map(|_| send(it.publisher.clone())).collect();
    tokio::time::sleep(Duration::from_millis(200)).await;
    let robot = Peer::new("192.0.2.8:1".parse().unwrap(), None);
    let robot = Peer { names: Arc::from(["spiffe://bank.example/robot".to_owned()]), ..robot };
    let router = router(Arc::clone(&it.service), true).layer(Extension(robot));
    let seven = Body::from(bundle(7, "seven", &SEED));
    let request = Request::post("/v1/policies/bank/bundles").body(seven).unwrap();
    assert_eq!(router.oneshot(request).await.unwrap().status(), StatusCode::CREATED);
    // Nor does it make all wait that it likes to: each may hold a megabyte of what it has sent.
    slow.extend((0..12).map(|_| send(it.publisher.clone())));
    tokio::time::sleep(Duration::from_millis(200)).await;
    let began = std::time::Instant::now();
    it.publish("stable", &bundle(8, "eight", &SEED)).await.problem(503, "busy");
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    slow.iter().for_each(tokio::task::JoinHandle::abort);
}

#[tokio::test]
async fn a_connection_has_so_many_streams() {
    let it = Running::new("streams");
    it.service.refresh().await.unwrap();
    let path = "/envoy.service.extension.v3.ExtensionConfigDiscoveryService/StreamExtensionConfigs";
    let open = async || {
        let silent = Body::from_stream(tokio_stream::pending::<Result<Vec<u8>, std::io::Error>>());
        it.router.clone().oneshot(Request::post(path).body(silent).unwrap()).await.unwrap()
    };
    let mut held = Vec::new();
    for _ in 0..16 {
        let response = open().await;
        assert!(response.headers().get("grpc-status").is_none());
        held.push(response);
    }
    assert_eq!(open().await.headers()["grpc-status"], "8");
}

/// A gateway that starts meanwhile would have nothing to serve.
#[tokio::test]
async fn what_is_for_later_is_published_later() {
    let it = Running::new("ahead");
    it.service.refresh().await.unwrap();
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs() as i64;
    let from = |not_before| {
        let identity = Identity { epoch: 8, not_before, ..Identity::default() };
        bundle_of(&identity, "eight", &SEED)
    };
    it.publish("stable", &from(now + 3600)).await.problem(422, "not-yet-valid");
    assert_eq!(it.publish("stable", &from(now + 60)).await.head.status, 201);
}

#[tokio::test]
async fn what_gateways_would_refuse_is_not_published() {
    let it = Running::new("refuses");
    it.service.refresh().await.unwrap();
    let good = bundle(7, "seven", &SEED);
    assert_eq!(it.publish("stable", &good).await.head.status, 201);
    let mut corrupt = bundle(8, "eight", &SEED);
    let middle = corrupt.len() / 2;
    corrupt[middle] ^= 1;
    let cut = &good[..good.len() - 1];
    for wrong in [&corrupt[..], cut, b"", b"PORTCLIS", &bundle(8, "eight", &[8; 32])] {
        it.publish("stable", wrong).await.problem(422, "bundle");
    }
    it.publish("stable", &bundle_until(8, "eight", &SEED, 1000)).await.problem(422, "expired");
    it.publish("stable", &bundle(u64::MAX, "most", &SEED)).await.problem(422, "epoch");
    it.publish("stable", &bundle(7, "other", &SEED)).await.problem(409, "conflict");
    it.publish("stable", &bundle(6, "six", &SEED)).await.problem(409, "conflict");
    it.publish("a%20b", &bundle(8, "eight", &SEED)).await.problem(422, "request");
    it.publish("stable", &vec![0; (8 << 20) + 1]).await.problem(413, "too-large");
    // One that does not say how long it is, is cut off.
    let bearer = format!("Bearer {}", it.publisher);
    let chunks = (0..9).map(|_| Ok::<_, std::io::Error>(vec![0_u8; 1 << 20]));
    let endless = Body::from_stream(tokio_stream::iter(chunks));
    let request = Request::post("/v1/policies/bank/bundles").header("authorization", bearer);
    it.send(request.body(endless).unwrap()).await.problem(413, "too-large");
    assert_eq!(it.get("/v1/policies/bank/bundle", &[]).await.body, good);

    let audit = it.read("/v1/audit?limit=1000").await;
    let lines = audit["audit"].as_array().unwrap();
    assert_eq!(lines.len(), 13);
    assert!(lines.iter().all(|line| line["identity"] == "ci" && line["peer"] == "192.0.2.7"));
    assert_eq!(lines[0]["status"], 413);
    assert_eq!(lines[12]["status"], 201);
}

#[tokio::test]
async fn who_may_not_is_told_so() {
    let it = Running::new("denies");
    it.service.refresh().await.unwrap();
    let seven = bundle(7, "seven", &SEED);
    let path = "/v1/policies/bank/bundles";
    let long = format!("Bearer {}", "x".repeat(5000));
    for wrong in ["", "Bearer", "Bearer x", "Basic eDp5", &long] {
        it.ask("POST", path, &[("authorization", wrong)], &seven)
            .await
            .problem(401, "unauthenticated");
    }
    let denied = it.ask("POST", path, &[], &seven).await;
    denied.problem(401, "unauthenticated");
    assert!(denied.field("www-authenticate").starts_with("Bearer"));
    let reader = format!("bearer {}", it.reader);
    it.ask("POST", path, &[("authorization", &reader)], &seven).await.problem(403, "forbidden");
    for path in
        ["/v1/policies", "/v1/audit", "/v1/policies/bank/status", "/v1/policies/bank/history"]
    {
        it.get(path, &[]).await.problem(401, "unauthenticated");
    }
    // A wrong token is not taken for no token.
    it.get("/v1/policies/bank/bundle", &[("authorization", "Bearer x")])
        .await
        .problem(401, "unauthenticated");

    let as_robot = |names: &[&str]| {
        let names: Arc<[String]> = names.iter().map(|it| (*it).to_owned()).collect();
        let peer = Peer { names, ..Peer::new("192.0.2.8:1".parse().unwrap(), None) };
        router(Arc::clone(&it.service), true).layer(Extension(peer))
    };
    let request = || Request::post(path).body(Body::from(seven.clone())).unwrap();
    let known = as_robot(&["robot.bank.example", "spiffe://bank.example/robot"]);
    assert_eq!(known.oneshot(request()).await.unwrap().status(), 201);
    let unknown = as_robot(&["spiffe://bank.example/other"]);
    assert_eq!(unknown.oneshot(request()).await.unwrap().status(), 401);
}

#[tokio::test]
async fn gateways_report_and_status_tells() {
    let it = Running::new("status");
    it.service.refresh().await.unwrap();
    it.publish("stable", &bundle(7, "seven", &SEED)).await;
    let report = |id: &'static str, workers: &'static str| {
        [
            ("portcullis-gateway", id),
            ("portcullis-workers", workers),
            ("portcullis-version", "0.1.0"),
        ]
    };
    let path = "/v1/policies/bank/bundle";
    it.get(path, &report("a", "0=7,1=7")).await;
    it.get(path, &report("b%20c", "0=7,1=6")).await;
    let refusing = [
        ("portcullis-gateway", "d"),
        ("portcullis-labels", "region=eu,note=a%2Cb"),
        ("portcullis-workers", "0=-"),
        ("portcullis-refused", "7;audience"),
    ];
    it.get(path, &refusing).await;
    it.get(path, &[]).await;
    let status = it.read("/v1/policies/bank/status").await;
    let gateways = status["gateways"].as_array().unwrap();
    let told: Vec<(&str, &str)> = gateways
        .iter()
        .map(|it| (it["gateway"].as_str().unwrap(), it["state"].as_str().unwrap()))
        .collect();
    assert_eq!(told, [("a", "current"), ("b c", "behind"), ("d", "refusing")]);
    assert_eq!(gateways[1]["workers"], json!({ "0": 7, "1": 6 }));
    assert_eq!(gateways[2]["refused"], json!({ "epoch": 7, "reason": "audience" }));
    assert_eq!(gateways[2]["labels"], "region=eu");
    assert_eq!(gateways[0]["out_of_date"], false);
    assert_eq!(gateways[1]["out_of_date"], true);
    assert_eq!(
        status["summary"],
        json!({ "gateways": 3, "current": 1, "behind": 1, "refusing": 1, "silent": 0 })
    );
    let short = it.read("/v1/policies/bank/status?summary=true").await;
    assert_eq!(
        (&short["gateways"], &short["summary"]),
        (&serde_json::Value::Null, &status["summary"])
    );
    assert_eq!(
        short["channels"][0]["gateways"],
        json!({ "current": 1, "behind": 1, "refusing": 1, "silent": 0, "refusal": "audience" })
    );
    // What was reported survives the service.
    it.service.flush().await;
    let store = Store::open(&Place::Sqlite(it.folder.join("control.db"))).unwrap();
    assert_eq!(store.gateways("bank".to_owned()).await.unwrap().len(), 3);

    it.service.count_fleets().await;
    let page = it.get("/metrics", &[]).await.text();
    for expected in [
        "portcullis_control_channel_epoch{policy=\"bank\",channel=\"stable\"} 7\n",
        "portcullis_control_gateways{policy=\"bank\",state=\"behind\"} 1\n",
        "portcullis_control_bundle_requests_total{result=\"sent\"} 4\n",
        "portcullis_control_store_up 1\n",
    ] {
        assert!(page.contains(expected), "{expected} in\n{page}");
    }
}

#[tokio::test]
async fn a_canary_is_for_no_more_than_was_asked() {
    let it = Running::new("percentage");
    it.service.refresh().await.unwrap();
    it.publish("stable", &bundle(7, "seven", &SEED)).await;
    let to = async |query: &str, epoch: u64| {
        let path = format!("/v1/policies/bank/bundles?{query}");
        it.change("POST", &path, &bundle(epoch, &epoch.to_string(), &SEED)).await
    };
    assert_eq!(to("channel=canary&percentage=100", 8).await.head.status, 201);
    let epoch = async || {
        let who = [("portcullis-gateway", "a")];
        it.get("/v1/policies/bank/bundle", &who).await.field("portcullis-epoch").to_owned()
    };
    assert_eq!(epoch().await, "8");
    // `stable` is for all: a percentage of it is refused before anything is stored.
    to("percentage=5", 9).await.problem(409, "conflict");
    to("channel=canary&percentage=101", 9).await.problem(422, "request");
    to("channel=canary&labels=x", 9).await.problem(422, "request");
    assert_eq!((epoch().await.as_str(), it.service.current().policies["bank"].highest), ("8", 8));
    assert_eq!(to("channel=canary&percentage=0", 9).await.head.status, 201);
    assert_eq!(epoch().await, "7");
    // What stable is rolled back to reaches those who were in a canary that was forgotten.
    let promote = "/v1/policies/bank/channels/stable/epoch";
    assert_eq!(it.change("PUT", promote, b"{\"epoch\":9}").await.head.status, 200);
    it.change("PUT", "/v1/policies/bank/channels/canary", b"{\"percentage\":100}").await;
    assert_eq!(it.publish("stable", &bundle(10, "seven", &SEED)).await.head.status, 201);
    assert_eq!(epoch().await, "10");
}

#[tokio::test]
async fn what_is_forbidden_and_what_nobody_waited_for_is_audited() {
    let it = Running::new("audited");
    it.service.refresh().await.unwrap();
    let path = "/v1/policies/bank/bundles";
    let reader = format!("Bearer {}", it.reader);
    it.ask("POST", path, &[("authorization", &reader)], b"x").await.problem(403, "forbidden");
    let lines = it.read("/v1/audit").await["audit"].clone();
    assert_eq!(
        (&lines[0]["identity"], &lines[0]["status"], &lines[0]["action"]),
        (&json!("ops"), &json!(403), &json!("publish"))
    );
    // Who hangs up as soon as all is sent has published all the same, and is written down.
    let request = Request::post(path).header("authorization", format!("Bearer {}", it.publisher));
    let request = request.body(Body::from(bundle(7, "seven", &SEED))).unwrap();
    let asked = it.router.clone().oneshot(request);
    let hangs_up = tokio::time::timeout(Duration::from_micros(1), asked).await;
    let started = std::time::Instant::now();
    while !it.service.current().policies.contains_key("bank") {
        let waited = started.elapsed();
        assert!(
            waited < Duration::from_secs(10),
            "never published; hung up: {}",
            hangs_up.is_err()
        );
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let lines = it.read("/v1/audit").await["audit"].clone();
    assert_eq!((&lines[0]["identity"], &lines[0]["status"]), (&json!("ci"), &json!(201)));
}

#[tokio::test]
async fn channels_pins_and_promotion_by_http() {
    let it = Running::new("channels");
    it.service.refresh().await.unwrap();
    it.publish("stable", &bundle(7, "seven", &SEED)).await;
    it.publish("canary", &bundle(8, "eight", &SEED)).await;
    let eu = [("portcullis-gateway", "a"), ("portcullis-labels", "region=eu")];
    let epoch = async |fields: &[(&str, &str)]| {
        it.get("/v1/policies/bank/bundle", fields).await.field("portcullis-epoch").to_owned()
    };
    assert_eq!(epoch(&eu).await, "7");
    let rollout = "/v1/policies/bank/channels/canary";
    let body = json!({ "labels": "region=eu", "percentage": 100 }).to_string();
    assert_eq!(it.change("PUT", rollout, body.as_bytes()).await.head.status, 200);
    assert_eq!((epoch(&eu).await, epoch(&[]).await), ("8".to_owned(), "7".to_owned()));
    let pin = json!({ "channel": "canary", "epoch": 7, "reason": "incident" }).to_string();
    assert_eq!(it.change("PUT", "/v1/policies/bank/pins", pin.as_bytes()).await.head.status, 200);
    assert_eq!(epoch(&eu).await, "7");
    let told = it.read("/v1/policies/bank").await;
    assert_eq!(told["channels"][0]["pinned"], true);
    assert_eq!(told["pins"][0]["reason"], "incident");
    it.change("DELETE", "/v1/policies/bank/pins?channel=canary", b"").await;
    assert_eq!(epoch(&eu).await, "8");
    let promote = json!({ "epoch": 8 }).to_string();
    it.change("PUT", "/v1/policies/bank/channels/stable/epoch", promote.as_bytes()).await;
    assert_eq!(epoch(&[]).await, "8");
    let history = it.read("/v1/policies/bank/history").await;
    let actions = history["history"].as_array().unwrap().iter().map(|it| &it["action"]);
    assert_eq!(
        actions.collect::<Vec<_>>(),
        ["promote", "unpin", "pin", "rollout", "publish", "publish"]
    );
    for (path, wrong) in [
        (rollout, r#"{"percentage": 101}"#),
        (rollout, r#"{"percent": 1}"#),
        (rollout, r#"{"labels": "x"}"#),
        (rollout, "["),
        ("/v1/policies/bank/pins", r#"{"epoch": 7}"#),
        ("/v1/policies/bank/pins", r#"{"epoch": 7, "labels": ""}"#),
    ] {
        it.change("PUT", path, wrong.as_bytes()).await.problem(422, "request");
    }
    let huge = format!(r#"{{"labels": "{}"}}"#, "x".repeat(20_000));
    it.change("PUT", rollout, huge.as_bytes()).await.problem(413, "too-large");
    it.change("PUT", "/v1/policies/new/channels/canary", b"{}").await.problem(404, "not-found");
    it.get("/nowhere", &[]).await.problem(404, "path");
    for unreadable in [
        "/v1/policies/bank/bundles/abc",
        "/v1/policies/bank/bundles/99999999999999999999",
        "/v1/policies/bank/history?limit=x",
        "/v1/policies/bank/history?of=x",
        "/v1/policies/%ff/bundle",
    ] {
        it.get(unreadable, &[]).await.problem(422, "request");
    }
    it.ask("PATCH", rollout, &[], b"").await.problem(405, "method");
}

#[tokio::test]
async fn gateways_are_served_while_the_database_is_locked() {
    let it = Running::new("locked");
    it.service.refresh().await.unwrap();
    let seven = bundle(7, "seven", &SEED);
    it.publish("stable", &seven).await;
    let other = rusqlite::Connection::open(it.folder.join("control.db")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let eight = bundle(8, "eight", &SEED);
    let refused = it.publish("stable", &eight).await;
    refused.problem(503, "store-unavailable");
    assert!(refused.text().contains("locked"));
    assert_eq!(refused.field("retry-after"), "5");
    assert_eq!(it.get("/v1/policies/bank/bundle", &[]).await.body, seven);
    assert!(it.get("/metrics", &[]).await.text().contains("portcullis_control_store_up 0\n"));
    assert_eq!(it.get("/readyz", &[]).await.text(), "ready; store away\n");
    other.execute_batch("ROLLBACK").unwrap();
    assert_eq!(it.publish("stable", &eight).await.head.status, 201);
    assert_eq!(it.get("/v1/policies/bank/bundle", &[]).await.body, eight);
}

#[tokio::test]
async fn of_two_publishers_at_once_each_is_answered() {
    let it = Arc::new(Running::new("together"));
    it.service.refresh().await.unwrap();
    let mut tasks = Vec::new();
    for text in ["one", "two", "one"] {
        let it = Arc::clone(&it);
        tasks.push(tokio::spawn(async move {
            it.publish("stable", &bundle(7, text, &SEED)).await.head.status.as_u16()
        }));
    }
    let mut statuses = Vec::new();
    for task in tasks {
        statuses.push(task.await.unwrap());
    }
    statuses.sort_unstable();
    // One content won; who brought the same is told that it is there, who brought another that it cannot be.
    assert!(
        [[200, 201, 409], [201, 409, 409]].contains(&statuses[..].try_into().unwrap()),
        "{statuses:?}"
    );
}
