//! Against SQLite in a file; the tests with a real PostgreSQL are `integration/tests/replicas.rs`.

use super::*;
use crate::current::{Policy, Target};
use crate::names::Labels;
use crate::scratch::Folder;
use std::path::Path;

fn folder(name: &str) -> Folder {
    Folder::new(&format!("store-{name}"))
}

fn open(folder: &Path) -> Store {
    Store::open(&Place::Sqlite(folder.join("control.db"))).unwrap()
}

fn block<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

fn publication(channel: &str, epoch: i64, content: &[u8]) -> Publication {
    Publication {
        policy: "bank".to_owned(),
        channel: channel.to_owned(),
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
    block(store.publish(publication(channel, epoch, content)))
}

fn assigned(channel: &str, epoch: i64) -> Assigned {
    let (policy, channel) = ("bank".to_owned(), channel.to_owned());
    Assigned { policy, channel, epoch, identity: "ops".to_owned(), at: 2000 }
}

fn pinned(target: Target, epoch: Option<i64>) -> Pinned {
    let (policy, identity) = ("bank".to_owned(), "ops".to_owned());
    Pinned { policy, target, epoch, reason: "incident".to_owned(), identity, at: 3000 }
}

fn load(store: &Store) -> Policy {
    let current = block(store.load(Arc::default())).unwrap().unwrap();
    current.policies.get("bank").cloned().unwrap()
}

fn conflict(outcome: Result<Published, StoreError>) -> String {
    match outcome {
        Err(StoreError::Conflict(told)) => told,
        other => panic!("{other:?}"),
    }
}

#[test]
fn epochs_rise_and_keep_their_content() {
    let folder = folder("epochs");
    let store = open(&folder);
    assert_eq!(publish(&store, "stable", 7, b"seven"), Ok(Published::New));
    assert_eq!(publish(&store, "stable", 7, b"seven"), Ok(Published::Known));
    assert!(conflict(publish(&store, "stable", 7, b"other")).contains("other content"));
    assert!(conflict(publish(&store, "stable", 6, b"six")).contains("not above 7"));
    assert_eq!(publish(&store, "canary", 9, b"nine"), Ok(Published::New));
    assert!(conflict(publish(&store, "stable", 8, b"eight")).contains("not above 9"));
    // What is there may go to another channel, but no channel goes back.
    assert_eq!(publish(&store, "stable", 9, b"nine"), Ok(Published::Changed));
    assert!(conflict(publish(&store, "stable", 7, b"seven")).contains("rollback"));
    let policy = load(&store);
    assert_eq!((policy.highest, policy.bundles.len()), (9, 1));
    assert_eq!(policy.bundles[&9].bytes, &b"nine"[..]);
    let gone = block(store.assign(assigned("stable", 8)));
    assert!(matches!(gone, Err(StoreError::NotFound(_))), "{gone:?}");
}

#[test]
fn the_same_content_may_be_signed_anew() {
    let folder = folder("signed");
    let store = open(&folder);
    publish(&store, "stable", 7, b"seven").unwrap();
    let mut anew = publication("stable", 7, b"seven");
    (anew.etag, anew.content) = ("\"anew\"".to_owned(), b"seven, signed by another".to_vec());
    assert_eq!(block(store.publish(anew)), Ok(Published::Changed));
    let policy = load(&store);
    assert_eq!(policy.bundles[&7].etag, "\"anew\"");
    assert_eq!(policy.bundles[&7].bytes, &b"seven, signed by another"[..]);
}

#[test]
fn channels_are_rolled_out_and_pinned() {
    let folder = folder("channels");
    let store = open(&folder);
    publish(&store, "stable", 7, b"seven").unwrap();
    publish(&store, "canary", 8, b"eight").unwrap();
    let nobody = Labels::default();
    assert_eq!(load(&store).choose("bank", "g", &nobody).unwrap().epoch, 7);
    let rollout = |channel: &str, labels: Option<&str>, hundredths| Rollout {
        policy: "bank".to_owned(),
        channel: channel.to_owned(),
        labels: labels.map(|it| it.parse().unwrap()),
        hundredths,
        priority: None,
        identity: "ops".to_owned(),
        at: 2000,
    };
    block(store.roll_out(rollout("canary", Some("region=eu"), Some(10_000)))).unwrap();
    let eu: Labels = "region=eu".parse().unwrap();
    assert_eq!(load(&store).choose("bank", "g", &nobody).unwrap().epoch, 7);
    assert_eq!(load(&store).choose("bank", "g", &eu).unwrap().epoch, 8);
    // What is not given stays.
    block(store.roll_out(rollout("canary", None, Some(0)))).unwrap();
    assert_eq!(load(&store).choose("bank", "g", &eu).unwrap().epoch, 7);
    assert!(block(store.roll_out(rollout("stable", None, Some(5)))).is_err());

    block(store.assign(assigned("stable", 8))).unwrap();
    block(store.pin(pinned(Target::Channel("stable".to_owned()), Some(7)))).unwrap();
    assert_eq!(load(&store).choose("bank", "g", &nobody).unwrap().epoch, 7);
    assert_eq!(load(&store).bundles.len(), 2);
    block(store.pin(pinned(Target::Channel("stable".to_owned()), None))).unwrap();
    assert_eq!(load(&store).choose("bank", "g", &nobody).unwrap().epoch, 8);
    let again = block(store.pin(pinned(Target::Channel("stable".to_owned()), None)));
    assert!(matches!(again, Err(StoreError::NotFound(_))));
    let missing = block(store.pin(pinned(Target::Labels(eu), Some(99))));
    assert!(matches!(missing, Err(StoreError::NotFound(_))));

    let history = block(store.history("bank".to_owned(), 100)).unwrap();
    let actions: Vec<&str> = history.iter().map(|it| it.action.as_str()).collect();
    assert_eq!(actions, ["unpin", "pin", "promote", "rollout", "rollout", "publish", "publish"]);
    assert!(history.windows(2).all(|pair| pair[0].revision > pair[1].revision));
}

#[test]
fn nothing_is_loaded_twice() {
    let folder = folder("loads");
    let store = open(&folder);
    publish(&store, "stable", 7, b"seven").unwrap();
    let first = Arc::new(block(store.load(Arc::default())).unwrap().unwrap());
    assert!(block(store.load(Arc::clone(&first))).unwrap().is_none());
    publish(&store, "canary", 8, b"eight").unwrap();
    let second = block(store.load(Arc::clone(&first))).unwrap().unwrap();
    let (before, after) =
        (&first.policies["bank"].bundles[&7], &second.policies["bank"].bundles[&7]);
    assert!(Arc::ptr_eq(before, after));
}

#[test]
fn a_failed_change_leaves_nothing() {
    let folder = folder("failed");
    let store = open(&folder);
    publish(&store, "stable", 7, b"seven").unwrap();
    let before = block(store.load(Arc::default())).unwrap().unwrap();
    for number in 0..20 {
        let outcome = publish(&store, &format!("channel-{number}"), 7, b"seven");
        assert_eq!(outcome.is_ok(), number < 15, "{number}: {outcome:?}");
    }
    conflict(publish(&store, "new", 7, b"other"));
    conflict(publish(&store, "new", 1, b"one"));
    let after = block(store.load(Arc::default())).unwrap().unwrap();
    assert_eq!(after.revision, before.revision + 15);
    assert!(!after.policies["bank"].channels.iter().any(|it| it.name == "new"));
}

#[test]
fn old_bundles_are_forgotten_but_for_what_is_held() {
    let folder = folder("prune");
    let store = open(&folder);
    publish(&store, "stable", 1, b"1").unwrap();
    block(store.pin(pinned(Target::Labels("a=b".parse().unwrap()), Some(1)))).unwrap();
    for epoch in 2..=230_i64 {
        publish(&store, "stable", epoch, epoch.to_string().as_bytes()).unwrap();
    }
    let content = |epoch| block(store.content("bank".to_owned(), epoch)).is_ok();
    assert!(content(1) && content(230) && content(31));
    assert!(!content(2) && !content(30));
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
    let current =
        transact(&mut database, Kind::Read, |sql| policies::load(sql, &Current::default()));
    assert_eq!(current.unwrap().unwrap().policies["bank"].highest, 7);
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

#[test]
fn what_gateways_report_and_people_ask_is_kept() {
    let folder = folder("records");
    let store = open(&folder);
    let row = GatewayRow {
        policy: "bank".to_owned(),
        gateway: "gw-1".to_owned(),
        labels: "region=eu".to_owned(),
        source: "http".to_owned(),
        channel: "canary".to_owned(),
        workers: "0=7,1=-".to_owned(),
        accepted: Some(7),
        refused_epoch: Some(8),
        refused_reason: "expired".to_owned(),
        version: "0.1.0".to_owned(),
        replica: "a".to_owned(),
        connected: true,
        last_contact: 50,
    };
    let older = GatewayRow { last_contact: 40, workers: String::new(), ..row.clone() };
    block(store.keep_gateways(vec![row.clone()])).unwrap();
    block(store.keep_gateways(vec![older])).unwrap();
    assert_eq!(block(store.gateways("bank".to_owned())).unwrap(), [row]);
    for (identity, status) in [("ci", 201), ("ops", 409)] {
        let line = Audit { identity: identity.to_owned(), status, at: 5, ..Audit::default() };
        block(store.record(line)).unwrap();
    }
    let all = block(store.audit(None, 10)).unwrap();
    assert_eq!(all.iter().map(|it| (it.id, it.status)).collect::<Vec<_>>(), [(2, 409), (1, 201)]);
    assert_eq!(block(store.audit(Some("ci".to_owned()), 10)).unwrap().len(), 1);
}
