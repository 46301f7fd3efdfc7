//! Two replicas of the control service over one PostgreSQL: what is published to one reaches gateways of the other.

mod support;

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use portcullis_integration::http1::{Body, Connection, Request, Response};
use portcullis_integration::{Control, Postgres, envoy};
use serde_json::Value;
use support::Setup;
use support::certificates::Authority;

const SOON: Duration = Duration::from_secs(25);

/// What a gateway gets from a replica: status and epoch.
fn fetch(control: &Control, gateway: &str) -> (u16, String) {
    let request = Request::get("/v1/policies/pay/bundle")
        .header("portcullis-gateway", gateway)
        .header("portcullis-workers", "0=1,1=1")
        .header("connection", "close");
    let answer = request.send(control.address()).unwrap();
    (answer.status, answer.header("portcullis-epoch").unwrap_or_default())
}

#[track_caller]
fn until(what: &str, mut holds: impl FnMut() -> bool) -> Duration {
    let started = Instant::now();
    while !holds() {
        assert!(started.elapsed() < SOON, "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
    started.elapsed()
}

fn publish(control: &Control, bundle: &Path, more: &[&str]) -> Result<String, String> {
    let bundle = bundle.display().to_string();
    let arguments = [&["publish", &bundle, "--policy", "pay"], more].concat();
    let output = control.run(&arguments).unwrap();
    let (told, errors) = (output.stdout, output.stderr);
    if output.status.success() {
        Ok(String::from_utf8(told).unwrap())
    } else {
        Err(String::from_utf8(errors).unwrap())
    }
}

/// The same, once: the command tries again.
fn publish_once(control: &Control, bundle: &Path) -> Response {
    let bearer = format!("Bearer {}", control.publisher);
    let body = Body::Sized(std::fs::read(bundle).unwrap());
    let request = Request::new("POST", "/v1/policies/pay/bundles").body(body);
    let request = request.header("authorization", bearer).header("connection", "close");
    let mut connection = Connection::open(control.address()).unwrap();
    connection.set_patience(Duration::from_secs(60)).unwrap();
    connection.exchange(&request).unwrap()
}

fn ready(control: &Control) -> String {
    control.get("/readyz").unwrap().text()
}

#[test]
fn two_replicas_serve_one_fleet() {
    let Some(setup) = Setup::new() else { return };
    let Some(postgres) = Postgres::start() else { return };
    let mut postgres = postgres.unwrap();
    let (first, second) = (envoy::fresh_dir().unwrap(), envoy::fresh_dir().unwrap());
    let url = postgres.url();
    let options = ["--trusted-key", &setup.public_key, "--postgres", &url];
    let one = Control::start(&setup.artefacts.compiler, &first, &options).unwrap();
    // Both bring the schema up to date; the second finds it done.
    let two = one.beside(&second).unwrap();
    until("both are ready", || {
        ready(&one).starts_with("ready") && ready(&two).starts_with("ready")
    });
    assert_eq!(fetch(&two, "gw-2"), (404, String::new()));

    publish(&one, &setup.compile("monitor", 1, ""), &[]).unwrap();
    let after = until("the other replica has it", || fetch(&two, "gw-2") == (200, "1".to_owned()));
    println!("published to one replica, served by the other {after:?} later");
    // Who reported to one is in the status of the other.
    fetch(&one, "gw-1");
    until("both gateways are known", || {
        let status = two.status("pay").unwrap();
        let names: Vec<&Value> =
            status["gateways"].as_array().unwrap().iter().map(|it| &it["gateway"]).collect();
        names == ["gw-1", "gw-2"]
    });
    // More than one statement's worth, at once.
    for number in 0..150 {
        fetch(&one, &format!("many-{number}"));
    }
    until("all of them are known", || {
        two.status("pay").unwrap()["gateways"].as_array().map(Vec::len) == Some(152)
    });

    // Two publishers at once, of one epoch with different content: one wins, on both replicas.
    let (left, right) = (setup.compile("enforce", 2, ""), setup.compile("monitor", 2, ""));
    let outcomes = std::thread::scope(|scope| {
        let first = scope.spawn(|| publish(&one, &left, &[]));
        let second = scope.spawn(|| publish(&two, &right, &[]));
        [first.join().unwrap(), second.join().unwrap()]
    });
    assert_eq!(outcomes.iter().filter(|it| it.is_ok()).count(), 1, "{outcomes:?}");
    let refusal = outcomes.iter().find_map(|it| it.as_ref().err()).unwrap();
    assert!(refusal.contains("other content"), "{refusal}");
    until("both serve it", || fetch(&one, "gw-1").1 == "2" && fetch(&two, "gw-2").1 == "2");

    // Without the database gateways are served on, and publishers told.
    postgres.stop();
    until("the loss is noticed", || ready(&two).contains("store away"));
    assert_eq!((fetch(&one, "gw-1").1, fetch(&two, "gw-2").1), ("2".to_owned(), "2".to_owned()));
    let third = setup.compile("enforce", 3, "");
    let refused = publish_once(&one, &third);
    assert_eq!((refused.status, refused.header("retry-after")), (503, Some("5".to_owned())));
    // A replica that starts now waits, and has gateways wait.
    let three = one.beside(&envoy::fresh_dir().unwrap()).unwrap();
    assert_eq!(three.get("/readyz").unwrap().status, 503);
    assert_eq!((fetch(&three, "gw-3").0, three.get("/healthz").unwrap().status), (503, 200));
    postgres.restart().unwrap();
    until("the third is ready", || fetch(&three, "gw-3") == (200, "2".to_owned()));
    until("it is back", || ready(&one).contains("store up") && ready(&two).contains("store up"));
    publish(&two, &third, &[]).unwrap();
    until("the other serves it", || fetch(&one, "gw-1").1 == "3");
    assert!(!one.log().contains(&one.publisher) && !two.log().contains(&two.publisher));
}

/// Changes the service's credentials file.
fn credentials(control: &Control, change: impl Fn(&str) -> String) {
    let path = control.dir().join("credentials");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(path, change(&text)).unwrap();
}

/// With a database that hangs, and an epoch 1.
fn goes_on_without(control: &Control) {
    let policies = || control.get("/v1/policies").map(|it| it.status).ok();
    credentials(control, |text| {
        text.lines().filter(|line| !line.starts_with("ops")).map(|it| format!("{it}\n")).collect()
    });
    let revoked = until("a token is revoked", || policies() == Some(401));
    assert!(revoked < Duration::from_secs(10), "{revoked:?}");
    until("the loss is noticed", || ready(control).contains("store away"));
    let metrics = control.get("/metrics").unwrap().text();
    assert!(metrics.contains("portcullis_control_store_up 0"), "{metrics}");
    assert_eq!(fetch(control, "gw-1"), (200, "1".to_owned()));
}

#[test]
fn a_database_that_hangs_stops_neither_gateways_nor_revocations_nor_the_end() {
    let Some(setup) = Setup::new() else { return };
    let Some(postgres) = Postgres::start() else { return };
    let (postgres, dir) = (postgres.unwrap(), envoy::fresh_dir().unwrap());
    let url = postgres.url();
    let options = ["--trusted-key", &setup.public_key, "--postgres", &url];
    let mut control = Control::start(&setup.artefacts.compiler, &dir, &options).unwrap();
    until("it is ready", || ready(&control).starts_with("ready"));
    publish(&control, &setup.compile("monitor", 1, ""), &[]).unwrap();

    postgres.signal("STOP").unwrap();
    assert_eq!(fetch(&control, "gw-1"), (200, "1".to_owned()));
    assert_eq!(ready(&control), "ready; store up\n", "nobody has waited for it long enough");
    let second = setup.compile("monitor", 2, "");
    std::thread::scope(|scope| {
        // Publishers are told, too, within the time for one answer of the database, and a little.
        let told = scope.spawn(|| {
            let started = Instant::now();
            (publish_once(&control, &second), started.elapsed())
        });
        goes_on_without(&control);
        let (refused, after) = told.join().unwrap();
        assert!(refused.text().contains("does not answer"), "{}", refused.text());
        assert!(after < Duration::from_secs(25), "{after:?}");
    });

    postgres.signal("CONT").unwrap();
    until("it is back", || ready(&control).contains("store up"));
    publish(&control, &second, &[]).unwrap();
    assert_eq!(fetch(&control, "gw-1"), (200, "2".to_owned()));

    // What the gateway reported just now cannot be written any more: that keeps the service no longer than it says.
    postgres.signal("STOP").unwrap();
    fetch(&control, "gw-2");
    let started = Instant::now();
    assert!(control.terminate().unwrap());
    assert!(started.elapsed() < Duration::from_secs(25), "{:?}", started.elapsed());

    // One that starts meanwhile is there, has nothing to serve, and says so; it ends when asked to, too.
    control.restart().unwrap();
    let status = |path: &str| control.get(path).unwrap().status;
    assert_eq!((status("/healthz"), status("/readyz")), (200, 503));
    assert!(ready(&control).starts_with("not ready"));
    assert_eq!(fetch(&control, "gw-1").0, 503);
    assert!(control.terminate().unwrap());
    control.restart().unwrap();
    postgres.signal("CONT").unwrap();
    until("it is ready", || ready(&control).starts_with("ready"));
    assert_eq!(fetch(&control, "gw-1"), (200, "2".to_owned()));
}

#[test]
fn a_database_is_held_to_its_certificate() {
    let Some(setup) = Setup::new() else { return };
    let Some(postgres) = Postgres::start() else { return };
    let (mut postgres, dir) = (postgres.unwrap(), envoy::fresh_dir().unwrap());
    let (authority, stranger) = (Authority::new(), Authority::new());
    let file = |name: &str, authority: &Authority| {
        std::fs::write(dir.join(name), authority.pem()).unwrap();
        dir.join(name).display().to_string()
    };
    let (own, other) = (file("own.pem", &authority), file("other.pem", &stranger));
    let address = "127.0.0.1".parse().unwrap();
    let (certificate, key) = authority.issue("spiffe://bank.example/database", address);
    // Whether it becomes ready, or says before that the database is not to be had, and all that it said.
    let ready_with = |url: &str, authorities: &[&str]| {
        let options = ["--trusted-key", &setup.public_key, "--postgres", url];
        let options = [&options[..], authorities].concat();
        let dir = envoy::fresh_dir().unwrap();
        let control = Control::start(&setup.artefacts.compiler, &dir, &options).unwrap();
        until("it has tried", || {
            ready(&control).starts_with("ready") || control.log().contains("the database is away")
        });
        (ready(&control).starts_with("ready"), control.log())
    };
    // A server that speaks no TLS is not spoken to without, where an authority is named: nobody may claim that.
    let url = postgres.url_by_address();
    let (is_ready, log) = ready_with(&url, &["--postgres-ca", &own]);
    assert!(!is_ready && log.contains("the database is away"), "{log}");
    postgres.speak_tls(&certificate, &key).unwrap();
    let (is_ready, log) = ready_with(&url, &["--postgres-ca", &own]);
    assert!(is_ready, "{log}");
    let (is_ready, log) = ready_with(&url, &["--postgres-ca", &other]);
    assert!(!is_ready && log.contains("the database is away"), "{log}");
    assert!(!ready_with(&postgres.url(), &[]).0, "without TLS the server answers nobody");
    // The right authority for another address is not enough.
    let elsewhere = "127.0.0.9".parse().unwrap();
    let (certificate, key) = authority.issue("spiffe://bank.example/database", elsewhere);
    postgres.speak_tls(&certificate, &key).unwrap();
    let (is_ready, log) = ready_with(&url, &["--postgres-ca", &own]);
    assert!(!is_ready && log.contains("certificate"), "{log}");
}

/// Stands between a replica and its database. What was connected when it fell silent stays so, and nothing comes over it any more.
struct Between {
    address: SocketAddr,
    connections: Arc<Mutex<Vec<Arc<AtomicBool>>>>,
}

impl Between {
    fn start(database: SocketAddr) -> Between {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let connections = Arc::new(Mutex::new(Vec::new()));
        let accepted = Arc::clone(&connections);
        std::thread::spawn(move || {
            for client in listener.incoming() {
                let (client, silent) = (client.unwrap(), Arc::new(AtomicBool::new(false)));
                accepted.lock().unwrap().push(Arc::clone(&silent));
                let server = TcpStream::connect(database).unwrap();
                let there = (client.try_clone().unwrap(), server.try_clone().unwrap());
                for (from, to) in [there, (server, client)] {
                    let silent = Arc::clone(&silent);
                    std::thread::spawn(move || carry(from, to, &silent));
                }
            }
        });
        Between { address, connections }
    }

    fn fall_silent(&self) {
        for connection in &*self.connections.lock().unwrap() {
            connection.store(true, Ordering::Relaxed);
        }
    }
}

fn carry(mut from: TcpStream, mut to: TcpStream, silent: &AtomicBool) {
    let mut piece = [0; 4096];
    while let Ok(count @ 1..) = from.read(&mut piece) {
        if !silent.load(Ordering::Relaxed) && to.write_all(&piece[..count]).is_err() {
            break;
        }
    }
    // The other side may be gone already.
    let _ = to.shutdown(Shutdown::Write);
}

#[test]
fn a_connection_that_is_silent_for_good_is_given_up() {
    let Some(setup) = Setup::new() else { return };
    let Some(postgres) = Postgres::start() else { return };
    let (postgres, dir) = (postgres.unwrap(), envoy::fresh_dir().unwrap());
    let between = Between::start(postgres.address());
    let start = |url: &str, dir: &Path| {
        let options = ["--trusted-key", &setup.public_key, "--postgres", url];
        Control::start(&setup.artefacts.compiler, dir, &options).unwrap()
    };
    let one = start(&postgres.url(), &dir);
    let url = postgres.url();
    let through = url.replace(&postgres.address().to_string(), &between.address.to_string());
    let two = start(&through, &envoy::fresh_dir().unwrap());
    // Of its servers the first takes connections and never answers. Which is asked first later is drawn: mostly a sound one here.
    let never_answers = TcpListener::bind("127.0.0.1:0").unwrap();
    let (first, sound) = (never_answers.local_addr().unwrap(), postgres.address().to_string());
    let servers = format!("{first}{}", format!(",{sound}").repeat(50));
    let three = start(&url.replace(&sound, &servers), &envoy::fresh_dir().unwrap());
    until("both are ready", || {
        ready(&one).starts_with("ready") && ready(&two).starts_with("ready")
    });
    publish(&one, &setup.compile("monitor", 1, ""), &[]).unwrap();
    until("the other serves it", || fetch(&two, "gw").1 == "1");

    between.fall_silent();
    publish(&one, &setup.compile("monitor", 2, ""), &[]).unwrap();
    let after = until("the other serves it by another connection", || fetch(&two, "gw").1 == "2");
    println!("it took {after:?}");
    until("it is back", || ready(&two).contains("store up"));
    publish(&two, &setup.compile("monitor", 3, ""), &[]).unwrap();
    until("the third has asked another server", || fetch(&three, "gw").1 == "3");
}

#[test]
fn a_database_that_takes_no_writes_is_read_all_the_same() {
    let Some(setup) = Setup::new() else { return };
    let Some(postgres) = Postgres::start() else { return };
    let (postgres, dir) = (postgres.unwrap(), envoy::fresh_dir().unwrap());
    let url = postgres.url();
    let options = ["--trusted-key", &setup.public_key, "--postgres", &url];
    let one = Control::start(&setup.artefacts.compiler, &dir, &options).unwrap();
    until("it is ready", || ready(&one).starts_with("ready"));
    publish(&one, &setup.compile("monitor", 1, ""), &[]).unwrap();
    // As a server that is being replaced, or whose disk is full, may be put.
    let mut administrator = postgres::Client::connect(&url, postgres::NoTls).unwrap();
    let mut writes = |taken: &str| {
        let set = format!("SET default_transaction_read_only = {taken}");
        administrator.batch_execute(&format!("ALTER ROLE portcullis {set}")).unwrap();
        let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'portcullis'";
        administrator.batch_execute(end).unwrap();
    };
    writes("on");
    let second = setup.compile("monitor", 2, "");
    let refused = publish(&one, &second, &[]).unwrap_err();
    assert!(refused.contains("read-only transaction"), "{refused}");
    // One that starts now serves what is there, too, and tells of it.
    let two = one.beside(&envoy::fresh_dir().unwrap()).unwrap();
    until("it is ready", || ready(&two) == "ready; store up\n");
    assert_eq!(fetch(&two, "gw"), (200, "1".to_owned()));
    for control in [&one, &two] {
        assert_eq!(control.get("/v1/policies/pay/history").unwrap().status, 200);
    }
    writes("off");
    publish(&two, &second, &[]).unwrap();
    until("the other serves it", || fetch(&one, "gw").1 == "2");
}

#[test]
fn a_replica_follows_a_database_that_lost_what_it_served() {
    let Some(setup) = Setup::new() else { return };
    let Some(postgres) = Postgres::start() else { return };
    let (postgres, dir) = (postgres.unwrap(), envoy::fresh_dir().unwrap());
    let url = postgres.url();
    // It looks when it is asked to, and not in between.
    let options = ["--trusted-key", &setup.public_key, "--postgres", &url, "--refresh", "60000"];
    let one = Control::start(&setup.artefacts.compiler, &dir, &options).unwrap();
    let two = one.beside(&envoy::fresh_dir().unwrap()).unwrap();
    let highest = |control: &Control| {
        let policy = control.get("/v1/policies/pay").unwrap().text();
        serde_json::from_str::<Value>(&policy).unwrap()["highest"].as_i64()
    };
    let mut administrator = postgres::Client::connect(&url, postgres::NoTls).unwrap();
    let mut ask = |sql: &str| administrator.batch_execute(sql).unwrap();
    publish(&one, &setup.compile("monitor", 1, ""), &[]).unwrap();
    publish(&one, &setup.compile("monitor", 2, ""), &[]).unwrap();
    assert_eq!((highest(&one), highest(&two)), (Some(2), Some(2)));
    // A server that had not heard of the last change takes over, and another change gets its number.
    ask("BEGIN;
         DELETE FROM history WHERE epoch = 2; DELETE FROM bundles WHERE epoch = 2; DELETE FROM contents WHERE epoch = 2;
         UPDATE channels SET epoch = 1; UPDATE meta SET value = value - 1 WHERE key = 'revision';
         COMMIT");
    // What was connected to the other one is connected no more, which nobody is told 503 for.
    ask(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'portcullis'",
    );
    publish(&one, &setup.compile("enforce", 3, ""), &[]).unwrap();
    assert_eq!((highest(&one), highest(&two)), (Some(3), Some(3)));
    assert_eq!((fetch(&one, "gw").1, fetch(&two, "gw").1), ("3".to_owned(), "3".to_owned()));
}
