//! Several VMs that poll one store.

use super::{Envoy, of_epoch};
use crate::headers::serialise;
use crate::root::Root;
use crate::testing::{
    Call, FakeHost, Meanwhile, NOW, bundle, configuration, public_key, sections, signed,
};
use crate::vm::Vm;
use portcullis_bundle::Identity;
use portcullis_bundle::layout::{LimitList, LimitTable, Mode};
use std::cell::RefCell;
use std::rc::Rc;
use zerocopy::FromZeros;

pub(super) const SOURCE: &str = r#""source":{"cluster":"store","path":"/bank","interval":"10s","timeout":"2s","max_bytes":100000}"#;

pub(super) fn alone() -> Vec<u8> {
    format!(r#"{{"trusted_keys":["{}"],{SOURCE}}}"#, public_key()).into_bytes()
}

pub(super) fn beside(bundle: &[u8]) -> Vec<u8> {
    configuration(bundle, &[",", SOURCE].concat())
}

pub(super) fn of(epoch: u64) -> Vec<u8> {
    bundle(Mode::Enforce, &Identity { epoch, ..Identity::default() })
}

impl Envoy {
    /// The call that was sent since the last time, by which VM; there may be one at most.
    fn sent(&self) -> Option<Call> {
        let mut calls = self.host.process.calls.borrow_mut();
        assert!(calls.len() < 2, "several fetches at once: {calls:?}");
        calls.pop()
    }

    /// Lets time pass until a call is sent; gives the seconds too.
    pub(super) fn await_call(&mut self, most: i64) -> (Call, i64) {
        for second in 0..=most {
            self.tick();
            if let Some(call) = self.sent() {
                return (call, second);
            }
            self.host.pass_seconds(1);
        }
        panic!("no fetch within {most} s");
    }

    pub(super) fn answer(&mut self, call: &Call, fields: &[(&str, &str)], body: &[u8]) {
        for at in 0..self.roots.len() {
            let fields = (!fields.is_empty()).then(|| serialise(fields));
            self.vms[at].host.seen.borrow_mut().call = (fields, body.to_vec());
            self.roots[at].on_call_response(call.token, body.len());
        }
    }

    pub(super) fn publish(&mut self, bundle: &[u8], etag: &str) {
        let (call, _) = self.await_call(12);
        self.answer(&call, &[(":status", "200"), ("etag", etag)], bundle);
        self.tick();
    }

    pub(super) fn count(&self, name: &str) -> i64 {
        self.host.metric(&["portcullis.", name].concat()).unwrap()
    }
}

#[test]
fn one_fetch_serves_every_vm() {
    let mut envoy = Envoy::new(4);
    assert!(envoy.apply(&alone()));
    assert_eq!(envoy.epochs(), [None; 4]);
    assert!(envoy.vms.iter().all(|vm| vm.host.seen.borrow().tick == 200));
    assert!(envoy.sent().is_none(), "the trial fetches nothing");
    let (call, _) = envoy.await_call(0);
    assert_eq!((&*call.cluster, call.header(":path")), ("store", Some("/bank")));
    assert_eq!(call.header(":authority"), Some("store"));
    assert_eq!(call.header("portcullis-gateway"), Some("gate%201"));
    assert_eq!((call.header("if-none-match"), call.header("portcullis-refused")), (None, None));
    envoy.answer(&call, &[(":status", "200"), ("etag", "\"a\"")], &of(5));
    assert_eq!(envoy.epochs().iter().flatten().count(), 1, "who fetched it serves it");
    envoy.tick();
    assert_eq!(envoy.epochs(), [Some(5); 4]);
    assert_eq!((envoy.count("poll.sent"), envoy.count("poll.updated")), (1, 1));
    assert_eq!(envoy.count("configuration.activated"), 4);

    // The next one is due after the interval, names what is there, and finds it unchanged.
    envoy.roots[2].http().on_request_headers(true);
    envoy.tick();
    let (call, waited) = envoy.await_call(12);
    assert!((9..=11).contains(&waited), "{waited}");
    assert_eq!(call.header("if-none-match"), Some("\"a\""));
    assert_eq!(call.header("portcullis-workers"), Some("0=5"));
    envoy.answer(&call, &[(":status", "304")], b"");
    assert_eq!((envoy.count("poll.unchanged"), envoy.count("poll.updated")), (1, 1));
    envoy.publish(&of(6), "\"b\"");
    assert_eq!(envoy.epochs(), [Some(6); 4]);
}

#[test]
fn a_store_without_tags_brings_nothing_new() {
    let mut envoy = Envoy::new(2);
    assert!(envoy.apply(&alone()));
    for _ in 0..3 {
        let (call, _) = envoy.await_call(12);
        assert_eq!(call.header("if-none-match"), None);
        envoy.answer(&call, &[(":status", "200")], &of(5));
        envoy.tick();
    }
    assert_eq!((envoy.count("poll.updated"), envoy.count("poll.unchanged")), (1, 2));
    assert_eq!(envoy.count("configuration.activated"), 2);
}

#[test]
fn what_is_not_taken_leaves_what_serves() {
    let mut envoy = Envoy::new(3);
    assert!(envoy.apply(&alone()));
    envoy.publish(&of(5), "\"a\"");
    let mut corrupt = of(6);
    let at = corrupt.len() / 2;
    corrupt[at] ^= 1;
    let early = Identity { epoch: 7, not_before: NOW + 10_000, ..Identity::default() };
    let other = bundle(Mode::Monitor, &Identity { epoch: 5, ..Identity::default() });
    for (bytes, reason, epoch, etag) in [
        (corrupt, "bundle-corrupt", 6, None),
        (of(4), "epoch-lower", 4, Some("\"x\"")),
        (other, "epoch-reused", 5, Some("\"x\"")),
        // Time mends it, or a transfer that is not cut short, so the store must send it again.
        (bundle(Mode::Enforce, &early), "not-yet-valid", 7, None),
        (b"<html>".to_vec(), "bundle-corrupt", 0, None),
    ] {
        let (refused, kept) = (envoy.refused(reason), envoy.count("configuration.kept"));
        envoy.publish(&bytes, "\"x\"");
        assert_eq!(envoy.epochs(), [Some(5); 3], "{reason}");
        assert_eq!(envoy.refused(reason), refused + 1);
        assert_eq!(envoy.count("configuration.kept"), kept + 1);
        let (call, _) = envoy.await_call(12);
        assert_eq!(call.header("portcullis-refused"), Some(&*format!("{epoch};{reason}")));
        assert_eq!(call.header("if-none-match"), etag, "{reason}");
        envoy.answer(&call, &[(":status", "304")], b"");
    }
    assert_eq!(envoy.count("poll.failed.refused"), 5);
    // That the store still has what was refused is no sign that all is well.
    assert!(envoy.count("poll.age-seconds.portcullis") > 60);
    envoy.publish(&of(8), "\"c\"");
    assert_eq!(envoy.epochs(), [Some(8); 3]);
    envoy.host.pass_seconds(1);
    envoy.tick();
    assert_eq!(envoy.count("poll.age-seconds.portcullis"), 1);
}

#[test]
fn a_clock_that_was_ahead_at_the_start_costs_a_second_fetch() {
    let mut envoy = Envoy::new(2);
    envoy.host.pass_seconds(50_000);
    assert!(envoy.apply(&alone()));
    let identity = Identity { epoch: 5, not_after: NOW + 20_000, ..Identity::default() };
    let bytes = bundle(Mode::Enforce, &identity);
    envoy.publish(&bytes, "\"x\"");
    assert_eq!((envoy.epochs(), envoy.refused("expired")), (vec![None; 2], 1));
    envoy.host.pass_seconds(-50_000);
    let (call, _) = envoy.await_call(130);
    assert_eq!(call.header("if-none-match"), None, "the store must send it again");
    envoy.answer(&call, &[(":status", "200"), ("etag", "\"x\"")], &bytes);
    envoy.tick();
    assert_eq!(envoy.epochs(), [Some(5); 2]);
    // Where something serves, what has expired is not fetched over and over.
    envoy.host.pass_seconds(30_000);
    let identity = Identity { epoch: 6, not_after: NOW + 20_000, ..Identity::default() };
    envoy.publish(&bundle(Mode::Enforce, &identity), "\"y\"");
    let (call, _) = envoy.await_call(130);
    assert_eq!(call.header("if-none-match"), Some("\"y\""));
}

#[test]
fn failures_wait_longer_each_time_and_are_logged_ever_less() {
    let mut envoy = Envoy::new(2);
    assert!(envoy.apply(&beside(&of(5))));
    let mut waits = Vec::new();
    for _ in 0..10 {
        let (call, waited) = envoy.await_call(130);
        waits.push(waited);
        envoy.answer(&call, &[(":status", "500")], b"");
    }
    assert!(waits[9] > waits[4] && waits[4] > waits[1] && waits[9] <= 120, "{waits:?}");
    let (call, _) = envoy.await_call(130);
    envoy.answer(&call, &[], b"");
    let (call, _) = envoy.await_call(130);
    envoy.answer(&call, &[(":status", "200")], &vec![0; 100_001]);
    assert_eq!(
        (envoy.count("poll.failed.status"), envoy.count("poll.failed.unreachable")),
        (10, 1)
    );
    assert_eq!(envoy.count("poll.failed.too-large"), 1);
    let failed = |envoy: &Envoy| {
        let lines = envoy.vms.iter().flat_map(|vm| vm.host.lines());
        lines.filter(|line| line["outcome"] == "fetch-failed").count()
    };
    assert_eq!(failed(&envoy), 4, "of 1, 2, 4 and 8");
    assert_eq!(envoy.epochs(), [Some(5); 2]);
    envoy.host.process.is_cut_off.set(true);
    for _ in 0..130 {
        envoy.tick();
        envoy.host.pass_seconds(1);
    }
    assert_eq!(envoy.count("poll.failed.unreachable"), 2);
    envoy.host.process.is_cut_off.set(false);
    let (call, _) = envoy.await_call(130);
    envoy.answer(&call, &[(":status", "200")], &of(6));
    envoy.tick();
    assert_eq!(envoy.epochs(), [Some(6); 2]);
    let (call, waited) = envoy.await_call(12);
    assert!(waited >= 8, "{waited}");
    envoy.answer(&call, &[(":status", "503"), ("retry-after", "60")], b"");
    let (_, waited) = envoy.await_call(70);
    assert!(waited >= 59, "{waited}");
}

#[test]
fn a_vm_that_dies_while_it_fetches_is_followed_by_another() {
    let mut envoy = Envoy::new(2);
    assert!(envoy.apply(&alone()));
    let (lost, _) = envoy.await_call(0);
    envoy.reload(0);
    envoy.reload(1);
    let (call, waited) = envoy.await_call(6);
    assert!(waited >= 3, "{waited}");
    // An answer to the lease that was lost changes nothing.
    envoy.answer(&lost, &[(":status", "200")], &of(9));
    assert_eq!(envoy.epochs(), [None; 2]);
    envoy.answer(&call, &[(":status", "200"), ("etag", "\"a\"")], &of(5));
    envoy.tick();
    // A VM made anew serves what is published at once.
    envoy.reload(1);
    assert_eq!(envoy.epochs(), [Some(5); 2]);
    assert!(envoy.host.process.shared.borrow().keys().all(|key| key.starts_with("portcullis.")));
}

#[test]
fn a_clock_set_back_does_not_end_the_fetches() {
    let mut envoy = Envoy::new(2);
    assert!(envoy.apply(&alone()));
    envoy.publish(&of(5), "\"a\"");
    envoy.host.pass_seconds(-1_000_000);
    let (call, _) = envoy.await_call(1);
    envoy.answer(&call, &[(":status", "304")], b"");
    let (_, waited) = envoy.await_call(12);
    assert!(waited >= 8, "{waited}");
}

#[test]
fn workers_that_serve_let_others_fetch() {
    let mut envoy = Envoy::new(3);
    assert!(envoy.apply(&alone()));
    envoy.publish(&of(5), "\"a\"");
    for at in [0, 1] {
        envoy.roots[at].http().on_request_headers(true);
    }
    let main = envoy.vms[2].host.clone();
    for _ in 0..5 {
        let (call, _) = envoy.await_call(12);
        envoy.vms.iter().for_each(|vm| vm.host.seen.borrow_mut().call = Default::default());
        main.seen.borrow_mut().call = (Some(serialise(&[(":status", "304")])), Vec::new());
        let before = envoy.count("poll.unchanged");
        envoy.roots[2].on_call_response(call.token, 0);
        assert_eq!(envoy.count("poll.unchanged"), before + 1, "another VM fetched");
    }
}

#[test]
fn the_newer_of_bundle_and_source_serves_across_configurations() {
    let mut envoy = Envoy::new(2);
    assert!(envoy.apply(&beside(&of(5))));
    assert_eq!(envoy.epochs(), [Some(5); 2]);
    envoy.publish(&of(7), "\"a\"");
    assert_eq!(envoy.epochs(), [Some(7); 2]);
    // The same bundle beside the source again, with another setting: no step back.
    let again = configuration(&of(5), &[r#","log_findings_per_second":3,"#, SOURCE].concat());
    assert!(envoy.apply(&again));
    assert_eq!(envoy.epochs(), [Some(7); 2]);
    let generation = envoy.roots[0].generation().unwrap();
    assert_eq!(generation.settings.findings_per_second, 3, "by the new settings");
    envoy.tick();
    envoy.reload(0);
    assert_eq!(envoy.epochs(), [Some(7); 2]);
    assert!(envoy.apply(&beside(&of(9))));
    assert_eq!(envoy.epochs(), [Some(9); 2]);
    // A configuration without a source serves its own bundle, of a higher epoch.
    assert!(envoy.apply(&of_epoch(10)));
    assert_eq!(envoy.epochs(), [Some(10); 2]);
    envoy.host.process.calls.borrow_mut().clear();
    envoy.host.pass_seconds(1000);
    envoy.tick();
    assert!(envoy.sent().is_none(), "nobody polls for an old configuration");
}

#[test]
fn a_bundle_beside_a_source_is_vetoed_only_where_it_could_never_serve() {
    let mut envoy = Envoy::new(2);
    let expired = Identity { epoch: 3, not_after: NOW - 1, ..Identity::default() };
    assert!(envoy.apply(&beside(&bundle(Mode::Enforce, &expired))));
    assert_eq!((envoy.epochs(), envoy.refused("expired")), (vec![None; 2], 3));
    envoy.publish(&of(5), "\"a\"");
    let mut corrupt = of(6);
    corrupt.truncate(100);
    assert!(!envoy.apply(&beside(&corrupt)));
    assert_eq!(envoy.epochs(), [Some(5); 2]);
}

#[test]
fn what_the_store_has_is_published_also_where_it_serves_already() {
    let mut envoy = Envoy::new(2);
    assert!(envoy.apply(&of_epoch(5)));
    envoy.tick();
    assert!(envoy.apply(&alone()));
    assert_eq!(envoy.epochs(), [Some(5); 2], "until something newer is there");
    envoy.reload(0);
    assert_eq!(envoy.epochs(), [Some(5); 2], "also by a VM made anew");
    envoy.publish(&of(5), "\"a\"");
    envoy.reload(0);
    assert_eq!(envoy.epochs(), [Some(5); 2]);
}

#[test]
fn a_new_vm_serves_what_came_beside_an_earlier_source() {
    let mut envoy = Envoy::new(2);
    assert!(envoy.apply(&beside(&of(5))));
    envoy.publish(&of(7), "\"a\"");
    // The disk is ahead of the store: nothing is wrong with that.
    assert!(envoy.apply(&beside(&of(9))));
    envoy.host.pass_seconds(1);
    envoy.tick();
    envoy.reload(0);
    assert_eq!((envoy.epochs(), envoy.refused("epoch-lower")), (vec![Some(9); 2], 0));
    // Put back as it was, which Envoy does not try again.
    envoy.roots = envoy.vms.iter().map(|vm| Envoy::configure(vm, &beside(&of(5)))).collect();
    envoy.reload(0);
    assert_eq!(envoy.epochs(), [Some(9); 2]);
}

#[test]
fn that_nothing_changed_says_nothing_where_nothing_was_named() {
    let mut envoy = Envoy::new(2);
    assert!(envoy.apply(&alone()));
    let (call, _) = envoy.await_call(1);
    envoy.answer(&call, &[(":status", "304")], b"");
    assert_eq!((envoy.count("poll.unchanged"), envoy.count("poll.failed.status")), (0, 1));
    // It is tried again after the wait for a failure, not after the interval.
    let (call, waited) = envoy.await_call(12);
    assert!(waited <= 2, "{waited}");
    envoy.answer(&call, &[(":status", "200"), ("etag", "\"a\"")], &of(5));
    envoy.tick();
    assert_eq!(envoy.epochs(), [Some(5); 2]);
}

#[test]
fn all_count_in_the_table_of_who_fetched() {
    let mut sections = sections(Mode::Enforce);
    let lists = sections.operations.len() + 1;
    sections.limit_lists = vec![LimitList::new_zeroed(); lists];
    sections.limit_tables = vec![LimitTable { blocks: 4.into(), ..LimitTable::new_zeroed() }];
    let mut envoy = Envoy::new(3);
    assert!(envoy.apply(&alone()));
    let (call, _) = envoy.await_call(1);
    let bundle = signed(&sections, &Identity { epoch: 5, ..Identity::default() });
    envoy.answer(&call, &[(":status", "200"), ("etag", "\"a\"")], &bundle);
    let shared = envoy.host.process.shared.borrow().clone();
    let (table, version) = &shared["portcullis.limits.portcullis.head"];
    assert_eq!((table.len(), *version), (20, 1), "there before others are told");
    envoy.tick();
    assert_eq!(envoy.epochs(), [Some(5); 3]);
    let key = |root: &Root<_>| {
        root.generation().unwrap().table.as_ref().map(|table| format!("{table:?}"))
    };
    let keys: Vec<_> = envoy.roots.iter().map(key).collect();
    assert!(keys.iter().all(|it| it.is_some() && *it == keys[0]), "{keys:?}");
}

#[test]
fn what_another_source_brought_is_not_taken_by_who_follows_this_one() {
    let mut envoy = Envoy::new(3);
    assert!(envoy.apply(&beside(&of(5))));
    // A second filter of the same name comes, and one VM has it already.
    let other = String::from_utf8(alone()).unwrap().replace("/bank", "/shop");
    envoy.roots[0] = Envoy::configure(&envoy.vms[0], other.as_bytes());
    envoy.roots[0].on_tick();
    let call = envoy.sent().unwrap();
    assert_eq!(call.header(":path"), Some("/shop"));
    envoy.answer(&call, &[(":status", "200"), ("etag", "\"a\"")], &of(6));
    envoy.roots[1..].iter_mut().for_each(|root| root.on_tick());
    assert_eq!(envoy.epochs(), [Some(6), Some(5), Some(5)]);
    // It takes it when the configuration comes to it, too.
    envoy.roots[1] = Envoy::configure(&envoy.vms[1], other.as_bytes());
    assert_eq!(envoy.epochs(), [Some(6), Some(6), Some(5)]);
}

#[test]
fn a_first_bundle_with_limits_brings_one_table_for_all() {
    let mut sections = sections(Mode::Enforce);
    sections.limit_tables.push(LimitTable { blocks: 64.into(), ..LimitTable::new_zeroed() });
    sections.limit_lists = vec![LimitList::new_zeroed(); sections.operations.len() + 1];
    let bundle = signed(&sections, &Identity { epoch: 5, ..Identity::default() });
    let mut envoy = Envoy::new(3);
    assert!(envoy.apply(&alone()));
    let (call, _) = envoy.await_call(0);
    // Another VM looks for what is published while the one that fetched it makes the table.
    let other = Rc::new(RefCell::new(envoy.roots.pop().unwrap()));
    let looks = Rc::clone(&other);
    let clock = Rc::clone(&envoy.host.process);
    let happens = Box::new(move || {
        clock.clock.set(clock.clock.get() + 1);
        looks.borrow_mut().on_tick();
    });
    let block = "portcullis.limits.portcullis.\u{1001f}";
    *envoy.host.process.meanwhile.borrow_mut() = Some(Meanwhile(block, happens));
    envoy.answer(&call, &[(":status", "200"), ("etag", "\"a\"")], &bundle);
    envoy.tick();
    assert!(envoy.host.process.meanwhile.borrow().is_none(), "the other looked");
    other.borrow_mut().on_tick();
    let others = other.borrow().generation();
    let tables: Vec<_> = envoy.roots.iter().map(|root| root.generation()).chain([others]).collect();
    let tables: Vec<_> =
        tables.iter().map(|it| it.as_ref().unwrap().table.clone().unwrap()).collect();
    assert_eq!(tables.len(), 3);
    assert!(tables.iter().all(|table| *table == tables[0]), "{tables:?}");
}

/// Two listeners whose filters poll one policy under one name, by different settings.
struct Listeners {
    host: FakeHost,
    vm: Rc<Vm<FakeHost>>,
    outer: Root<FakeHost>,
    inner: Root<FakeHost>,
}

impl Listeners {
    fn new(inner: &str) -> Listeners {
        let host = FakeHost::new();
        let vm = Vm::new(host.clone());
        let [outer, inner] = [&*String::from_utf8(alone()).unwrap(), inner]
            .map(|it| Envoy::configure(&vm, it.as_bytes()));
        Listeners { host, vm, outer, inner }
    }

    fn holding() -> String {
        String::from_utf8(alone()).unwrap().replacen('{', r#"{"hold_headers":true,"#, 1)
    }

    fn tick(&mut self) {
        self.outer.on_tick();
        self.inner.on_tick();
    }

    /// Lets time pass until one of them has fetched a bundle.
    fn fetch(&mut self, bundle: &[u8]) {
        for _ in 0..15 {
            self.tick();
            let call = self.host.process.calls.borrow_mut().pop();
            if let Some(call) = call {
                let fields = serialise(&[(":status", "200"), ("etag", "\"a\"")]);
                self.host.seen.borrow_mut().call = (Some(fields), bundle.to_vec());
                self.outer.on_call_response(call.token, bundle.len());
                self.inner.on_call_response(call.token, bundle.len());
                return;
            }
            self.host.pass_seconds(1);
        }
        panic!("no fetch");
    }

    fn seen(&self) -> [Option<(u64, bool)>; 2] {
        [&self.outer, &self.inner]
            .map(|root| root.generation().map(|it| (it.epoch, it.settings.hold_headers)))
    }
}

#[test]
fn listeners_that_poll_one_source_share_what_it_brings() {
    let mut all = Listeners::new(&Listeners::holding());
    assert_eq!(all.seen(), [None; 2]);
    for epoch in [5, 6] {
        all.fetch(&of(epoch));
        assert_eq!(all.seen(), [Some((epoch, false)), Some((epoch, true))]);
    }
    // Also where the store has what stands beside the source of one of them.
    let beside = String::from_utf8(beside(&of(7))).unwrap();
    let mut all = Listeners::new(&beside);
    assert_eq!(all.seen(), [None, Some((7, true))]);
    let other = Vm::new(all.host.sibling());
    let mut others = [&*alone(), beside.as_bytes()].map(|it| Envoy::configure(&other, it));
    all.fetch(&of(7));
    assert_eq!(all.seen(), [Some((7, false)), Some((7, true))]);
    others.iter_mut().for_each(Root::on_tick);
    assert!(others.iter().all(|root| root.generation().is_some_and(|it| it.epoch == 7)));
    // The policy is the listener's own from then on, whatever brings the next one.
    all.host.pass_seconds(1);
    all.tick();
    all.inner = Envoy::configure(&all.vm, &of_epoch(8));
    assert_eq!(all.seen(), [Some((8, false)), Some((8, true))]);
}

#[test]
fn listeners_of_other_sources_or_trust_are_not_judged_by_one_another() {
    let other = |from: &str, to: &str| {
        let mut all = Listeners::new(&Listeners::holding().replace(from, to));
        all.fetch(&of(5));
        all.tick();
        all.seen()
    };
    assert_eq!(other("/bank", "/shop"), [None, Some((5, true))]);
    let trust = [r#"{"minimum_epoch":3,"#, "{"];
    assert_eq!(other("{\"hold", &[trust[0], "\"hold"].concat()), [None, Some((5, true))]);
}

#[test]
fn a_listener_goes_on_fetching_when_a_newer_one_is_gone() {
    let mut all = Listeners::new(&Listeners::holding());
    all.fetch(&of(5));
    let Listeners { host, vm, outer, inner } = all;
    drop(inner);
    let inner = Envoy::configure(&vm, b"");
    let mut all = Listeners { host, vm, outer, inner };
    all.host.pass_seconds(20);
    all.tick();
    assert!(all.host.process.calls.borrow().is_empty(), "the newest one counts");
    let Listeners { host, vm, outer, inner } = all;
    drop(inner);
    let inner = Root::new(Rc::clone(&vm));
    let mut all = Listeners { host, vm, outer, inner };
    all.fetch(&of(6));
    assert_eq!(all.outer.generation().map(|it| it.epoch), Some(6));
}

/// As where the bytes of an answer trap whoever reads them.
#[test]
fn what_nobody_gives_word_of_is_asked_for_ever_more_rarely() {
    let mut envoy = Envoy::new(2);
    assert!(envoy.apply(&alone()));
    let mut sent = 0;
    for _ in 0..3600 {
        envoy.tick();
        sent += usize::from(envoy.sent().is_some());
        envoy.host.pass_seconds(1);
    }
    // At first every 12 s, then with two minutes between.
    assert!((25..60).contains(&sent), "{sent} in an hour");
    assert!(envoy.count("poll.failed.abandoned") >= sent as i64 - 1);
    let (call, _) = envoy.await_call(150);
    envoy.answer(&call, &[(":status", "200")], &of(5));
    assert!(envoy.roots.iter().any(|root| root.generation().is_some()));
}

#[test]
fn a_store_that_had_nothing_is_asked_again_soon_after_a_failure() {
    let mut envoy = Envoy::new(1);
    assert!(envoy.apply(&alone()));
    for status in ["503"; 5].into_iter().chain(["404"; 9]).chain(["503"]) {
        let (call, _) = envoy.await_call(40);
        envoy.answer(&call, &[(":status", status)], b"");
    }
    let (_, waited) = envoy.await_call(150);
    assert!(waited <= 3, "{waited} s");
    let told = |reason: &str| {
        let lines = envoy.vms[0].host.lines();
        lines.iter().filter(|line| line["reason"] == reason).count()
    };
    // The first, second and fourth of the first five, and the second in a row after all.
    assert_eq!((told("not-found"), told("status")), (1, 4));
}

#[test]
fn a_configuration_that_goes_gives_its_lease_back() {
    let mut envoy = Envoy::new(1);
    assert!(envoy.apply(&alone()));
    for is_answered in [false, true] {
        let (call, _) = envoy.await_call(15);
        let next = Envoy::configure(&envoy.vms[0], &alone());
        if is_answered {
            // A request keeps the older one, which the answer comes to.
            envoy.answer(&call, &[(":status", "200")], &of(5));
        } else {
            envoy.roots[0].on_done();
        }
        envoy.roots[0] = next;
        envoy.tick();
        assert!(envoy.sent().is_some(), "at once");
        envoy.roots[0].on_done();
    }
    assert_eq!(envoy.count("poll.failed.abandoned"), 0);
}

#[test]
fn what_was_published_before_the_trust_changed_is_not_confirmed_unread() {
    let mut envoy = Envoy::new(1);
    assert!(envoy.apply(&alone()));
    envoy.publish(&of(5), "\"a\"");
    assert_eq!(envoy.epochs(), [Some(5)]);
    let stricter = String::from_utf8(alone()).unwrap().replacen('{', r#"{"minimum_epoch":6,"#, 1);
    assert!(envoy.apply(stricter.as_bytes()));
    let (call, _) = envoy.await_call(15);
    envoy.answer(&call, &[(":status", "200"), ("etag", "\"a\"")], &of(5));
    assert_eq!((envoy.count("poll.unchanged"), envoy.count("poll.failed.refused")), (0, 1));
}

/// One VM that was made anew may have configured two filters in another order than the rest.
#[test]
fn vms_that_disagree_on_the_source_do_not_ask_at_every_tick() {
    let mut envoy = Envoy::new(2);
    assert!(envoy.apply(&alone()));
    let other = String::from_utf8(alone()).unwrap().replace("/bank", "/shop");
    envoy.roots[1] = Envoy::configure(&envoy.vms[1], other.as_bytes());
    let mut sent = 0;
    for _ in 0..500 {
        envoy.tick();
        if let Some(call) = envoy.sent() {
            sent += 1;
            envoy.answer(&call, &[(":status", "200")], &of(5));
        }
        let clock = &envoy.host.process.clock;
        clock.set(clock.get() + 200_000_000);
    }
    assert!((10..=22).contains(&sent), "{sent} in 100 s, of two sources every 10 s");
}

#[test]
fn an_answer_for_another_source_leaves_its_tag_to_that() {
    let mut envoy = Envoy::new(2);
    assert!(envoy.apply(&alone()));
    envoy.publish(&of(5), "\"a\"");
    let (asked, _) = envoy.await_call(15);
    let stricter = String::from_utf8(alone()).unwrap().replacen('{', r#"{"minimum_epoch":6,"#, 1);
    envoy.roots[1] = Envoy::configure(&envoy.vms[1], stricter.as_bytes());
    envoy.roots[1].http().on_request_headers(true);
    envoy.host.pass_seconds(6);
    envoy.roots[1].on_tick();
    assert!(envoy.sent().is_none(), "a worker that serves lets others fetch first");
    envoy.answer(&asked, &[(":status", "200"), ("etag", "\"b\"")], &of(5));
    envoy.host.pass_seconds(2);
    envoy.roots[1].on_tick();
    let own = envoy.sent().unwrap();
    assert_eq!(own.header("if-none-match"), None);
}

#[test]
fn bytes_that_a_late_worker_wrote_over_newer_ones_are_fetched_again() {
    let mut envoy = Envoy::new(3);
    assert!(envoy.apply(&alone()));
    envoy.publish(&of(5), "\"a\"");
    let (call, _) = envoy.await_call(12);
    // While the worker writes, its lease ends, and another one fetches and publishes something newer.
    let process = Rc::clone(&envoy.host.process);
    let other = envoy.vms[2].host.clone();
    let root = Rc::new(RefCell::new(envoy.roots.pop().unwrap()));
    let late = Rc::clone(&root);
    let happens = Box::new(move || {
        for _ in 0..2 {
            process.clock.set(process.clock.get() + 60_000_000_000);
            late.borrow_mut().on_tick();
        }
        let call = process.calls.borrow_mut().pop().unwrap();
        let fields = serialise(&[(":status", "200"), ("etag", "\"c\"")]);
        other.seen.borrow_mut().call = (Some(fields), of(7));
        late.borrow_mut().on_call_response(call.token, of(7).len());
        // And only now do the older bytes arrive.
        let mut shared = process.shared.borrow_mut();
        shared.get_mut("portcullis.bundle.portcullis").unwrap().0 = of(6);
    });
    *envoy.host.process.meanwhile.borrow_mut() = Some(Meanwhile("portcullis.bundle.", happens));
    envoy.answer(&call, &[(":status", "200"), ("etag", "\"b\"")], &of(6));
    envoy.roots.push(Rc::into_inner(root).unwrap().into_inner());
    assert_eq!(envoy.roots[2].generation().map(|it| it.epoch), Some(7));
    let (call, _) = envoy.await_call(12);
    assert_eq!(call.header("if-none-match"), None);
    envoy.answer(&call, &[(":status", "200"), ("etag", "\"c\"")], &of(7));
    envoy.tick();
    envoy.tick();
    assert_eq!(envoy.epochs(), [Some(7); 3]);
    envoy.reload(0);
    assert_eq!(envoy.epochs(), [Some(7); 3]);
}
