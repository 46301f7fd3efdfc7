//! The control service among gateways and publishers that lie: each decides what it may, and nothing of others.

mod support;

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::process::Command;
use std::time::{Duration, Instant};

use bytes::Bytes;
use h2::client::{self, SendRequest};
use h2::{Reason, RecvStream, SendStream};
use portcullis_integration::http1::{Body, Request, Response};
use portcullis_integration::usage::Usage;
use portcullis_integration::{Control, Postgres, envoy};
use prost::Message;
use support::Setup;

const SOON: Duration = Duration::from_secs(20);
const STREAM: &str =
    "/envoy.service.extension.v3.ExtensionConfigDiscoveryService/StreamExtensionConfigs";

/// What a test says of `envoy.service.discovery.v3.DiscoveryRequest`.
#[derive(Clone, PartialEq, Message)]
struct Ask {
    #[prost(string, tag = "1")]
    version: String,
    #[prost(message, optional, tag = "2")]
    node: Option<Node>,
    #[prost(string, repeated, tag = "3")]
    filters: Vec<String>,
    #[prost(string, tag = "5")]
    nonce: String,
    #[prost(message, optional, tag = "6")]
    refusal: Option<Refusal>,
}

/// `envoy.config.core.v3.Node`, with a field that nobody here reads.
#[derive(Clone, PartialEq, Message)]
struct Node {
    #[prost(string, tag = "1")]
    id: String,
    #[prost(bytes, tag = "99")]
    extensions: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
struct Refusal {
    #[prost(string, tag = "2")]
    message: String,
}

/// `envoy.service.discovery.v3.DiscoveryResponse`.
#[derive(Clone, PartialEq, Message)]
struct Told {
    #[prost(string, tag = "1")]
    version: String,
    #[prost(string, tag = "5")]
    nonce: String,
}

/// A gateway's first message.
fn first(id: &str, extensions: usize) -> Ask {
    let node = Node { id: id.to_owned(), extensions: vec![7; extensions] };
    Ask { node: Some(node), filters: vec!["portcullis".to_owned()], ..Ask::default() }
}

/// A stream of xDS.
struct Stream {
    send: SendStream<Bytes>,
    receive: RecvStream,
    read: Vec<u8>,
}

impl Stream {
    async fn open(connection: &SendRequest<Bytes>) -> Stream {
        let request = http::Request::post(format!("http://control{STREAM}"))
            .header("content-type", "application/grpc");
        let mut connection = connection.clone().ready().await.unwrap();
        let request = request.body(()).unwrap();
        let (answer, send) = connection.send_request(request, false).unwrap();
        let receive = answer.await.unwrap().into_body();
        Stream { send, receive, read: Vec::new() }
    }

    fn say(&mut self, ask: &Ask) {
        let message = ask.encode_to_vec();
        let length = u32::try_from(message.len()).unwrap().to_be_bytes();
        let framed = [&[0][..], &length, &message].concat();
        self.send.send_data(framed.into(), false).unwrap();
    }

    /// The next answer.
    async fn told(&mut self) -> Told {
        let whole = |read: &[u8]| {
            let length = u32::from_be_bytes(*read.get(1..)?.first_chunk()?) as usize;
            read.get(5..5 + length).map(|message| Told::decode(message).unwrap())
        };
        loop {
            if let Some(told) = whole(&self.read) {
                self.read.clear();
                return told;
            }
            let more = tokio::time::timeout(SOON, self.receive.data()).await.expect("no answer");
            let more = more.unwrap().unwrap();
            self.receive.flow_control().release_capacity(more.len()).unwrap();
            self.read.extend_from_slice(&more);
        }
    }

    /// How it ends.
    async fn status(mut self) -> String {
        while let Some(Ok(_)) = self.receive.data().await {}
        let trailers = self.receive.trailers().await.unwrap().unwrap_or_default();
        trailers.get("grpc-status").map_or("none", |it| it.to_str().unwrap()).to_owned()
    }
}

async fn connect(to: SocketAddr) -> SendRequest<Bytes> {
    let stream = tokio::net::TcpStream::connect(to).await.unwrap();
    let (connection, driven) = client::handshake(stream).await.unwrap();
    tokio::spawn(driven);
    connection
}

fn run(work: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work);
}

struct Attacked {
    setup: Setup,
    control: Control,
    /// Another replica, and the database that they share; else it is SQLite.
    shared: Option<(Control, Postgres)>,
}

impl Attacked {
    fn over_sqlite() -> Option<Attacked> {
        let setup = Setup::new()?;
        let dir = envoy::fresh_dir().unwrap();
        let options = ["--trusted-key", &setup.public_key];
        let control = Control::start(&setup.artefacts.compiler, &dir, &options).unwrap();
        Some(Attacked { setup, control, shared: None })
    }

    fn over_postgres() -> Option<Attacked> {
        let setup = Setup::new()?;
        let postgres = Postgres::start()?.unwrap();
        let dir = envoy::fresh_dir().unwrap();
        let options = ["--trusted-key", &setup.public_key, "--postgres", &postgres.url()];
        let control = Control::start(&setup.artefacts.compiler, &dir, &options).unwrap();
        let other = control.beside(&envoy::fresh_dir().unwrap()).unwrap();
        let it = Attacked { setup, control, shared: Some((other, postgres)) };
        it.until("it is ready", || it.control.get("/readyz").unwrap().status == 200);
        Some(it)
    }

    /// A publisher for one policy; gives the token, once the service knows it.
    fn publisher_of(&self, policy: &str) -> String {
        let made = Command::new(&self.setup.artefacts.compiler)
            .args(["token", "--name", policy, "--role", "publisher", "--policies", policy])
            .output()
            .unwrap();
        let text = String::from_utf8(made.stdout).unwrap();
        let line = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        let file = self.control.dir().join("credentials");
        let known = std::fs::read_to_string(&file).unwrap();
        std::fs::write(&file, format!("{known}{}\n", line("credentials: "))).unwrap();
        let token = line("token: ").to_owned();
        let asked = format!("/v1/policies/{policy}");
        self.until("the token is known", || self.ask("GET", &asked, &token, b"").status != 401);
        token
    }

    fn ask(&self, method: &str, path: &str, token: &str, body: &[u8]) -> Response {
        let request = Request::new(method, path).header("connection", "close");
        let request = request.header("authorization", format!("Bearer {token}"));
        let body = if body.is_empty() { Body::None } else { Body::Sized(body.to_vec()) };
        request.body(body).send(self.control.address()).unwrap()
    }

    fn bundle(&self, mode: &str, epoch: u64) -> Vec<u8> {
        std::fs::read(self.setup.compile(mode, epoch, "")).unwrap()
    }

    fn publish(&self, policy: &str, token: &str, bundle: &[u8]) -> u16 {
        self.ask("POST", &format!("/v1/policies/{policy}/bundles"), token, bundle).status
    }

    fn metric(&self, name: &str) -> u64 {
        let page = String::from_utf8(self.control.get("/metrics").unwrap().body).unwrap();
        let line = page.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.trim().parse().unwrap()
    }

    #[track_caller]
    fn until(&self, what: &str, holds: impl Fn() -> bool) {
        let started = Instant::now();
        while !holds() {
            assert!(started.elapsed() < SOON, "{what}\n{}", self.control.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// It answers, nothing in it has failed, its database is whole, and another replica has all of it.
    fn is_whole(&mut self) {
        assert_eq!(self.control.get("/readyz").unwrap().status, 200);
        assert!(!self.control.log().contains("panicked"), "{}", self.control.log());
        if let Some((other, postgres)) = &self.shared {
            for path in ["/v1/policies", "/v1/policies/pay", "/v1/policies/pay/history"] {
                let [one, two] = [&self.control, other].map(|it| it.get(path).unwrap().text());
                assert_eq!(one, two, "{path}");
            }
            let torn =
                "SELECT policy, epoch FROM bundles b FULL JOIN contents c USING (policy, epoch)
                        WHERE b.size IS DISTINCT FROM LENGTH(c.content)";
            assert_eq!(database(postgres).query(torn, &[]).unwrap().len(), 0);
            return;
        }
        self.control.kill();
        let file = self.control.dir().join("control.db");
        let database = rusqlite::Connection::open(file).unwrap();
        let checked = database.query_row("PRAGMA integrity_check", [], |row| row.get(0));
        assert_eq!(checked, Ok("ok".to_owned()));
    }

    /// All that the service has written, but for bundles.
    fn written(&self) -> Vec<u8> {
        let files = ["serve.log", "control.db", "control.db-wal"];
        let read = |file| std::fs::read(self.control.dir().join(file)).unwrap_or_default();
        let mut written = files.map(read).concat();
        for table in ["audit", "bundles", "gateways", "history", "pins"] {
            let Some((_, postgres)) = &self.shared else { break };
            let query = format!("SELECT it::TEXT FROM {table} it");
            for row in database(postgres).query(&query, &[]).unwrap() {
                written.extend(row.get::<_, String>(0).into_bytes());
            }
        }
        written
    }
}

fn database(postgres: &Postgres) -> postgres::Client {
    postgres::Client::connect(&postgres.url(), postgres::NoTls).unwrap()
}

/// Each over both databases.
macro_rules! attacks {
    ($($name:ident),* $(,)?) => {
        mod sqlite {
            $(#[test]
            fn $name() {
                if let Some(it) = super::Attacked::over_sqlite() { super::$name(it) }
            })*
        }

        mod replicas {
            $(#[test]
            fn $name() {
                if let Some(it) = super::Attacked::over_postgres() { super::$name(it) }
            })*
        }
    };
}

attacks! {
    a_stream_keeps_no_room_for_what_it_said,
    a_gateway_that_lies_is_believed_of_itself_alone,
    a_publisher_of_one_policy_touches_no_other,
    streams_that_are_reset_and_answers_that_nobody_reads_cost_little,
}

fn a_stream_keeps_no_room_for_what_it_said(mut it: Attacked) {
    assert_eq!(it.publish("pay", &it.control.publisher, &it.bundle("enforce", 1)), 201);
    let resident = |it: &Attacked| Usage::of(it.control.id()).unwrap().resident;
    let before = resident(&it);
    run(async {
        let mut streams = Vec::new();
        for number in 0..8 {
            let connection = connect(it.control.address()).await;
            for _ in 0..16 {
                let mut stream = Stream::open(&connection).await;
                stream.say(&first(&format!("gw-{number}"), 250_000));
                assert!(stream.told().await.version.contains(".1."));
                streams.push(stream);
            }
        }
        assert_eq!(it.metric("portcullis_control_xds_streams "), 128);
        let grown = resident(&it).saturating_sub(before);
        // What they have said is 32 MB.
        assert!(grown < 20 << 20, "{grown} bytes");
        // One byte more than a message may have: whoever runs Envoy is told.
        let connection = connect(it.control.address()).await;
        let mut stream = Stream::open(&connection).await;
        stream.say(&first("gw", 256 << 10));
        assert_eq!(stream.status().await, "11");
    });
    it.is_whole();
}

fn a_gateway_that_lies_is_believed_of_itself_alone(mut it: Attacked) {
    assert_eq!(it.publish("pay", &it.control.publisher, &it.bundle("enforce", 1)), 201);
    run(async {
        let connection = connect(it.control.address()).await;
        let mut honest = Stream::open(&connection).await;
        honest.say(&first("honest", 0));
        let told = honest.told().await;
        honest.say(&Ask { version: told.version.clone(), nonce: told.nonce, ..first("honest", 0) });
        // Versions that this service never gave, nonces of nobody, and names that would write lines of their own.
        let never = ["x", "+++", &format!("{:032}.{}.0", 0, i64::MAX), &told.version.repeat(500)];
        for version in never {
            let mut liar = Stream::open(&connection).await;
            liar.say(&Ask {
                version: version.to_owned(),
                ..first("liar\n{\"level\":\"x\"}\u{1b}[2J", 0)
            });
            for nonce in ["0", "-1", "99999999999999999999", "1 ", "\u{0}"] {
                let refusal = Some(Refusal { message: "\n\u{0}".repeat(900) });
                liar.say(&Ask { nonce: nonce.to_owned(), refusal, ..Ask::default() });
            }
            // Nor may it become another in the midst.
            liar.say(&Ask { nonce: "1".to_owned(), ..first("honest", 0) });
        }
        // Refused again and again: it is sent no more than once in a while.
        let mut floods = Stream::open(&connection).await;
        floods.say(&first("floods", 0));
        let told = floods.told().await;
        for _ in 0..2000 {
            let refusal = Some(Refusal { message: "no".to_owned() });
            floods.say(&Ask { nonce: told.nonce.clone(), refusal, ..first("floods", 0) });
        }
        // One without a name is served, and stands nowhere.
        let mut nameless = Stream::open(&connection).await;
        nameless.say(&first("", 0));
        assert!(nameless.told().await.version.contains(".1."));
        let mut later = Stream::open(&connection).await;
        later.say(&first("later", 0));
        assert!(later.told().await.version.contains(".1."));
        it.until("all is heard", || {
            it.control.gateway("pay", "floods").unwrap()["state"] == "refusing"
        });
    });
    assert!(it.metric("portcullis_control_xds_resources_total{result=\"refused\"}") <= 2);
    it.until("the honest one is current", || {
        it.control.gateway("pay", "honest").unwrap()["state"] == "current"
    });
    assert!(it.control.gateway("pay", "").unwrap().is_null());
    let log = it.control.log();
    assert_eq!(log.matches("a gateway without a node id is not recorded").count(), 1, "{log}");
    let lines = log.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let levels: BTreeSet<String> = lines.map(|line| line["level"].to_string()).collect();
    assert!(levels.iter().all(|it| it.contains("info") || it.contains("warn")), "{levels:?}");
    it.is_whole();
}

fn a_publisher_of_one_policy_touches_no_other(mut it: Attacked) {
    let token = it.publisher_of("shop");
    let bundles: Vec<Vec<u8>> = (1..4).map(|epoch| it.bundle("enforce", epoch)).collect();
    for policy in ["shop", "pay"] {
        assert_eq!(it.publish(policy, &it.control.publisher, &bundles[0]), 201);
    }
    let pay = || it.control.get("/v1/policies/pay").unwrap().body;
    let before = pay();
    for (method, path, body) in [
        ("POST", "/v1/policies/pay/bundles", &bundles[1][..]),
        ("POST", "/v1/policies/%70ay/bundles", &bundles[1]),
        ("PUT", "/v1/policies/pay/channels/canary", b"{\"percentage\":100}"),
        ("PUT", "/v1/policies/pay/channels/stable/epoch", b"{\"epoch\":1}"),
        ("PUT", "/v1/policies/pay/pins", b"{\"channel\":\"stable\",\"epoch\":1}"),
        ("DELETE", "/v1/policies/pay/pins?channel=stable", b""),
        ("GET", "/v1/policies/pay/history", b""),
        ("GET", "/v1/policies/pay/bundles/1", b""),
        ("GET", "/v1/policies", b""),
        ("GET", "/v1/audit", b""),
    ] {
        assert_eq!(it.ask(method, path, &token, body).status, 403, "{method} {path}");
    }
    let long = "c".repeat(9000);
    for path in [
        "/v1/policies/shop/../pay/bundles",
        "/v1/policies/shop%2f..%2fpay/bundles",
        "/v1/policies/shop%00pay/bundles",
        "/v1/policies/%f0%9f%98%80/bundles",
        "/v1/policies/shop/bundles?policy=pay",
        "/v1/policies/shop/bundles?channel=stable&channel=canary",
        "/v1/policies/shop/bundles?channel=%0d%0ax",
        "/v1/policies/shop/bundles?channel=..%2fpay",
        "/v1/policies/shop/bundles?channel=c&percentage=NaN",
        &format!("/v1/policies/shop/bundles?channel={long}"),
        &format!("/v1/policies/{long}/bundles"),
    ] {
        let status = it.ask("POST", path, &token, &bundles[1]).status;
        assert!([404, 422].contains(&status), "{path}: {status}");
    }
    assert_eq!(pay(), before);
    // Of its own policy it may publish what is whole, and go on; never back.
    let whole = &bundles[1];
    for cut in (0..whole.len()).step_by(61) {
        assert_eq!(it.publish("shop", &token, &whole[..cut]), 422, "cut at {cut}");
        let mut changed = whole.clone();
        changed[cut] ^= 1 << (cut % 8);
        assert_eq!(it.publish("shop", &token, &changed), 422, "changed at {cut}");
    }
    assert_eq!(it.publish("shop", &token, whole), 201);
    assert_eq!(it.publish("shop", &token, &bundles[0]), 409);
    // Of two that publish the same epoch at once, one has it.
    let other = it.bundle("monitor", 3);
    let both = std::thread::scope(|scope| {
        let (it, token) = (&it, &token);
        let of = |bundle| scope.spawn(move || it.publish("shop", token, bundle));
        [of(&bundles[2]), of(&other)].map(|it| it.join().unwrap())
    });
    assert_eq!(BTreeSet::from(both), BTreeSet::from([201, 409]));
    let found = it.written().windows(token.len()).any(|it| it == token.as_bytes());
    assert!(!found, "a token stands where the service writes");
    it.is_whole();
}

fn streams_that_are_reset_and_answers_that_nobody_reads_cost_little(mut it: Attacked) {
    assert_eq!(it.publish("pay", &it.control.publisher, &it.bundle("enforce", 1)), 201);
    let upload = || {
        http::Request::post("http://control/v1/policies/pay/bundles")
            .header("authorization", format!("Bearer {}", it.control.publisher))
            .body(())
            .unwrap()
    };
    run(async {
        // Amid uploads: neither takes the publisher's turn for good.
        for _ in 0..4 {
            let connection = connect(it.control.address()).await;
            for _ in 0..20 {
                let mut connection = connection.clone().ready().await.unwrap();
                let (_answer, mut send) = connection.send_request(upload(), false).unwrap();
                send.send_data(Bytes::from_static(b"PORTCLIS"), false).unwrap();
                send.send_reset(Reason::CANCEL);
            }
        }
        let mut builder = client::Builder::new();
        let stream = tokio::net::TcpStream::connect(it.control.address()).await.unwrap();
        let (unread, driven) = builder.initial_window_size(0).handshake(stream).await.unwrap();
        tokio::spawn(driven);
        let mut answers = Vec::new();
        for _ in 0..12 {
            let request = http::Request::get("http://control/v1/policies/pay/history")
                .header("authorization", format!("Bearer {}", it.control.reader));
            let mut unread: SendRequest<Bytes> = unread.clone().ready().await.unwrap();
            answers.push(unread.send_request(request.body(()).unwrap(), true).unwrap().0);
        }
        // Whoever lets go of one resets its stream.
        let mut held = Vec::new();
        for answer in answers {
            held.push(answer.await.unwrap());
        }
        let made = held.iter().filter(|it| it.status() == 200).count();
        assert_eq!(made, 4, "answers that are made and not read");
    });
    it.until("the next one is published", || {
        it.publish("pay", &it.control.publisher, &it.bundle("enforce", 2)) == 201
    });
    it.is_whole();
}
