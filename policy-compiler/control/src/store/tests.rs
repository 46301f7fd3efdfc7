//! Against SQLite in a file, and what holds everywhere against a real PostgreSQL too.

mod everywhere;

use super::*;
use crate::current::Policy;
use crate::scratch::Folder;
use std::path::Path;
use std::sync::atomic::AtomicUsize;

fn folder(name: &str) -> Folder {
    Folder::new(&format!("store-{name}"))
}

fn open(folder: &Path) -> Store {
    Store::open(&Place::Sqlite(folder.join("control.db"))).unwrap()
}

fn block<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(future)
}

fn publication(channel: &str, epoch: i64, content: &[u8]) -> Publication {
    Publication {
        policy: "bank".to_owned(),
        channel: channel.to_owned(),
        labels: None,
        hundredths: None,
        epoch,
        name: "bank".to_owned(),
        content_hash: blake3::hash(content).to_hex().to_string(),
        etag: crate::current::etag(content),
        key_id: "11".repeat(8),
        audience: String::new(),
        not_before: None,
        not_after: Some(4_000_000_000),
        content: content.to_vec(),
        identity: "ci".to_owned(),
        at: 1000 + epoch,
    }
}

fn publish(
    store: &Store,
    channel: &str,
    epoch: i64,
    content: &[u8],
) -> Result<Published, StoreError> {
    block(store.publish(publication(channel, epoch, content), Audit::default()))
}

fn load(store: &Store) -> Policy {
    let current = block(store.load(Arc::default())).unwrap().unwrap();
    current.policies.get("bank").cloned().unwrap()
}

/// Each over SQLite as a test of its own, and all over PostgreSQL.
macro_rules! everywhere {
    ($($name:ident),* $(,)?) => {
        $(#[test]
        fn $name() {
            let folder = folder(stringify!($name));
            everywhere::$name(&open(&folder));
        })*

        const EVERYWHERE: &[(&str, fn(&Store))] = &[$((stringify!($name), everywhere::$name)),*];
    };
}

everywhere! {
    epochs_rise_and_keep_their_content,
    the_same_content_may_be_signed_anew,
    what_is_signed_anew_changes_no_other_channel_and_no_pin,
    channels_are_rolled_out_and_pinned,
    what_is_not_there_is_not_pinned_and_a_pin_can_always_be_changed,
    a_channel_that_is_for_nobody_can_be_removed,
    a_policy_that_is_for_nobody_can_be_removed,
    a_publication_and_its_rollout_are_one_change,
    changes_and_their_audit_lines_are_one,
    nothing_is_loaded_twice,
    a_failed_change_leaves_nothing,
    old_bundles_are_forgotten_but_for_what_is_held,
    what_gateways_report_and_people_ask_is_kept,
    many_gateways_are_kept_at_once,
    a_bundle_that_was_lost_holds_up_no_other,
    who_writes_much_displaces_nothing_of_others,
}

/// A server, and stores in databases of their own.
struct Server(portcullis_integration::Postgres);

impl Server {
    /// None where this machine has no PostgreSQL, which is told.
    fn start() -> Option<Server> {
        Some(Server(portcullis_integration::Postgres::start()?.unwrap()))
    }

    fn database(&self, name: &str) -> Place {
        let url = self.0.url();
        let mut client = ::postgres::Client::connect(&url, ::postgres::NoTls).unwrap();
        client.batch_execute(&format!("CREATE DATABASE {name}")).unwrap();
        Place::Postgres { url: url.replace("/postgres?", &format!("/{name}?")), authorities: None }
    }
}

#[test]
fn postgres_does_all_that_sqlite_does() {
    let Some(server) = Server::start() else { return };
    for (name, holds) in EVERYWHERE {
        println!("{name}");
        holds(&Store::open(&server.database(name)).unwrap());
    }
}

#[test]
fn replicas_that_start_at_once_make_one_schema() {
    let Some(server) = Server::start() else { return };
    for round in 0..5 {
        let place = server.database(&format!("round_{round}"));
        let begin = std::sync::Barrier::new(6);
        let load = || {
            let store = Store::open(&place).unwrap();
            begin.wait();
            block(store.load(Arc::default())).map(drop)
        };
        std::thread::scope(|scope| {
            let replicas: Vec<_> = (0..6).map(|_| scope.spawn(load)).collect();
            for replica in replicas {
                assert_eq!(replica.join().unwrap(), Ok(()), "round {round}");
            }
        });
    }
}

#[test]
fn replicas_that_report_the_same_gateways_do_not_lock_each_other_out() {
    let Some(server) = Server::start() else { return };
    let place = server.database("reports");
    let stores = [0, 1].map(|_| Store::open(&place).unwrap());
    block(stores[0].load(Arc::default())).unwrap();
    let row = |number: usize| GatewayRow {
        policy: "bank".to_owned(),
        gateway: format!("gw-{number:03}"),
        last_contact: 7,
        ..GatewayRow::default()
    };
    let rows: Vec<GatewayRow> = (0..500).map(row).collect();
    std::thread::scope(|scope| {
        for (at, store) in stores.iter().enumerate() {
            let mut rows = rows.clone();
            // As `take_changed` hands them out: from where it ended, around.
            rows.rotate_left(250 * at);
            scope.spawn(move || {
                for round in 0..30 {
                    let kept = block(store.keep_gateways(rows.clone(), 0));
                    assert_eq!(kept, Ok(()), "round {round}");
                }
            });
        }
    });
}

#[test]
fn replicas_that_forget_gateways_and_hear_of_them_do_not_lock_each_other_out() {
    let Some(server) = Server::start() else { return };
    let place = server.database("forgotten");
    let stores = [0, 1].map(|_| Store::open(&place).unwrap());
    block(stores[0].load(Arc::default())).unwrap();
    let rows = |numbers: std::ops::Range<usize>, last_contact| -> Vec<GatewayRow> {
        let row = |number: usize| GatewayRow {
            policy: "bank".to_owned(),
            gateway: format!("gw-{number:03}"),
            last_contact,
            ..GatewayRow::default()
        };
        numbers.map(row).collect()
    };
    for round in 0..10 {
        let now = 100 * (round + 1);
        for (numbers, last_contact) in [(0..200, now - 5), (200..500, now - 50)] {
            block(stores[0].keep_gateways(rows(numbers, last_contact), 0)).unwrap();
        }
        // The one forgets the later by name and then hears of the earlier; the other hears of all by their names.
        let begin = std::sync::Barrier::new(2);
        let keep = |store: &Store, rows: Vec<GatewayRow>, forgotten| {
            begin.wait();
            assert_eq!(block(store.keep_gateways(rows, forgotten)), Ok(()), "round {round}");
        };
        std::thread::scope(|scope| {
            scope.spawn(|| keep(&stores[0], rows(0..200, now), now - 10));
            scope.spawn(|| keep(&stores[1], rows(0..500, now), 0));
        });
    }
}

#[test]
fn nobody_waits_for_a_database_that_hangs() {
    let folder = folder("hangs");
    let store = open(&folder);
    let (held, free) = std::sync::mpsc::channel::<()>();
    let (start, started) = std::sync::mpsc::channel::<()>();
    let hanging = {
        let store = store.clone();
        std::thread::spawn(move || {
            block(store.run(Turn::Later, move |_| {
                start.send(()).unwrap();
                let _ = free.recv();
                Ok(())
            }))
        })
    };
    started.recv().unwrap();
    let started = std::time::Instant::now();
    let outcome = publish(&store, "stable", 7, b"seven");
    assert_eq!(outcome, Err(StoreError::Unavailable("it does not answer".to_owned())));
    assert!(started.elapsed() < WITHIN * 2 && !store.is_up());
    assert!(hanging.join().unwrap().is_err());
    // What was given up is not done later.
    drop(held);
    assert!(block(store.load(Arc::default())).unwrap().unwrap().policies.is_empty());
    assert!(store.is_up());
}

/// A database that reads the bytes of bundles slowly, counts that, and fails at one of them.
struct Watched {
    database: sqlite::Sqlite,
    takes: Duration,
    fails: usize,
    read: Arc<AtomicUsize>,
}

impl Database for Watched {
    fn transaction(&mut self, kind: Kind, work: Work<'_>) -> Result<(), StoreError> {
        let Watched { database, takes, fails, read } = self;
        database.transaction(kind, &mut |sql| {
            work(&mut WatchedSql { sql, takes: *takes, fails: *fails, read })
        })
    }
}

struct WatchedSql<'a> {
    sql: &'a mut dyn Sql,
    takes: Duration,
    fails: usize,
    read: &'a AtomicUsize,
}

impl Sql for WatchedSql<'_> {
    fn execute(&mut self, sql: &str, values: &[Value]) -> Result<u64, StoreError> {
        self.sql.execute(sql, values)
    }

    fn query(&mut self, sql: &str, values: &[Value]) -> Result<Vec<Row>, StoreError> {
        if sql.contains("contents") {
            std::thread::sleep(self.takes);
            if self.read.fetch_add(1, Ordering::Relaxed) + 1 == self.fails {
                return Err(StoreError::Unavailable("gone".to_owned()));
            }
        }
        self.sql.query(sql, values)
    }
}

/// Six policies with a bundle each, and how often the bytes of one were read.
fn watched(name: &str, takes: Duration, fails: usize) -> (Folder, Store, Arc<AtomicUsize>) {
    let folder = folder(name);
    let store = open(&folder);
    for number in 0..6 {
        let policy = format!("policy-{number}");
        let publication = Publication { policy, ..publication("stable", 7, b"seven") };
        block(store.publish(publication, Audit::default())).unwrap();
    }
    let read = Arc::<AtomicUsize>::default();
    let database = sqlite::Sqlite::open(&folder.join("control.db")).unwrap();
    let database = Watched { database, takes, fails, read: Arc::clone(&read) };
    (folder, Store::over(Box::new(database)).unwrap(), read)
}

#[test]
fn all_bundles_may_take_longer_than_anybody_waits_for_the_database() {
    let (_folder, store, read) = watched("slow", WITHIN / 5, 0);
    let current = block(store.load(Arc::default())).unwrap().unwrap();
    assert!(current.policies.values().all(|policy| policy.bundles.len() == 1));
    assert_eq!((current.policies.len(), read.load(Ordering::Relaxed)), (6, 6));
}

#[test]
fn what_a_load_has_read_is_kept_for_the_next() {
    let (_folder, store, read) = watched("kept", Duration::ZERO, 4);
    let failed = block(store.load(Arc::default())).map(drop);
    assert_eq!(failed, Err(StoreError::Unavailable("gone".to_owned())));
    // One of them is signed anew meanwhile.
    let anew = publication("stable", 7, b"seven, signed anew");
    let content_hash = publication("stable", 7, b"seven").content_hash;
    let anew = Publication { policy: "policy-1".to_owned(), content_hash, ..anew };
    block(store.publish(anew, Audit::default())).unwrap();
    let current = block(store.load(Arc::default())).unwrap().unwrap();
    for (name, policy) in &current.policies {
        let expected = if name == "policy-1" { &b"seven, signed anew"[..] } else { b"seven" };
        assert_eq!(policy.bundles[&7].bytes, expected, "{name}");
    }
    assert_eq!((current.policies.len(), read.load(Ordering::Relaxed)), (6, 4 + 4));
    assert_eq!(store.with_kept(|kept| kept.len()), 0);
}

#[test]
fn readers_keep_no_publisher_waiting() {
    let folder = folder("readers");
    let store = open(&folder);
    let (held, free) = std::sync::mpsc::channel::<()>();
    let (start, started) = std::sync::mpsc::channel::<()>();
    let done = Arc::<std::sync::Mutex<Vec<&str>>>::default();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_time()
        .build()
        .unwrap();
    let hanging = store.clone();
    runtime.spawn(async move {
        let hang = move |_: &mut dyn Database| {
            start.send(()).unwrap();
            let _ = free.recv();
            Ok(())
        };
        hanging.run(Turn::Later, hang).await
    });
    started.recv().unwrap();
    // More reads than may wait.
    let reads: Vec<_> = (0..WAITING + 8)
        .map(|_| {
            let (store, done) = (store.clone(), Arc::clone(&done));
            runtime.spawn(async move {
                let read = store.history("bank".to_owned(), 10).await;
                done.lock().unwrap().push("read");
                read
            })
        })
        .collect();
    while store.later.capacity() > 0 || done.lock().unwrap().len() < 8 {
        std::thread::yield_now();
    }
    let publishing = {
        let (store, done) = (store.clone(), Arc::clone(&done));
        runtime.spawn(async move {
            let line = Audit::default();
            let published = store.publish(publication("stable", 7, b"seven"), line).await;
            done.lock().unwrap().push("published");
            published
        })
    };
    while store.first.capacity() == WAITING {
        std::thread::yield_now();
    }
    drop(held);
    assert_eq!(runtime.block_on(publishing).unwrap(), Ok(Published::New));
    let reads: Vec<_> = reads.into_iter().map(|it| runtime.block_on(it).unwrap()).collect();
    assert_eq!(reads.iter().filter(|it| it.is_err()).count(), 8);
    // One thread serves all, so that what was done first is told first, give or take what runs at that moment.
    let at = done.lock().unwrap().iter().position(|it| *it == "published").unwrap();
    assert!(at < WAITING / 2 + 8, "{at}");
}

#[test]
fn a_locked_database_is_told_and_comes_back() {
    let folder = folder("locked");
    let store = open(&folder);
    publish(&store, "stable", 7, b"seven").unwrap();
    let other = rusqlite::Connection::open(folder.join("control.db")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let locked = publish(&store, "stable", 8, b"eight");
    assert_eq!(locked, Err(StoreError::Unavailable("another process holds it locked".to_owned())));
    assert!(!store.is_up());
    // Readers go on meanwhile.
    assert_eq!(load(&store).highest, 7);
    other.execute_batch("ROLLBACK").unwrap();
    assert_eq!(publish(&store, "stable", 8, b"eight"), Ok(Published::New));
    assert!(store.is_up());
}

#[test]
fn a_full_database_is_told_and_keeps_what_it_has() {
    let folder = folder("full");
    let mut database = sqlite::Sqlite::open(&folder.join("control.db")).unwrap();
    let publish = |database: &mut sqlite::Sqlite, epoch, content: &[u8]| {
        let publication = publication("stable", epoch, content);
        transact(database, Kind::Write, |sql| policies::publish(sql, &publication))
    };
    publish(&mut database, 7, b"seven").unwrap();
    database.limit_pages();
    let full = publish(&mut database, 8, &vec![8; 1 << 20]);
    assert_eq!(full, Err(StoreError::Unavailable("the disk is full".to_owned())));
    let current = transact(&mut database, Kind::Read, |sql| {
        policies::load(sql, &Current::default(), &Kept::new())
    });
    assert_eq!(current.unwrap().unwrap().current.policies["bank"].highest, 7);
}

#[test]
fn a_newer_schema_is_refused() {
    let folder = folder("newer");
    drop(open(&folder));
    let other = rusqlite::Connection::open(folder.join("control.db")).unwrap();
    other.execute("UPDATE meta SET value = 99 WHERE key = 'schema'", []).unwrap();
    let refused = Store::open(&Place::Sqlite(folder.join("control.db"))).unwrap_err();
    assert!(refused.to_string().contains("schema 99"), "{refused}");
}
