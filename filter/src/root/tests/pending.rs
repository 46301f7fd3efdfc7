//! Bundles so large that a VM which serves verifies them in slices.

use super::{Envoy, of_epoch};
use crate::root::pending::SLICE;
use crate::testing::{configuration, named, sections, signed};
use portcullis_bundle::Identity;
use portcullis_bundle::layout::{Mode, NONE, Origin, Sections};
use zerocopy::FromZeros;

/// Slices that [`large`] takes, about.
const SLICES: usize = 6;

pub(super) fn large(epoch: u64) -> Vec<u8> {
    large_of(sections(Mode::Enforce), epoch)
}

fn large_of(mut sections: Sections, epoch: u64) -> Vec<u8> {
    // Two units are the hash of a record's 16 bytes, one is its verification.
    let origin = Origin { pointer: NONE.into(), ..Origin::new_zeroed() };
    sections.origins.resize(SLICES * SLICE / 3, origin);
    signed(&sections, &Identity { epoch, ..Identity::default() })
}

fn of_large(epoch: u64) -> Vec<u8> {
    configuration(&large(epoch), "")
}

impl Envoy {
    fn ticks(&self) -> Vec<u32> {
        self.vms.iter().map(|vm| vm.host.seen.borrow().tick).collect()
    }

    /// Ticks until every root has verified what it was given; gives how many.
    fn settle(&mut self) -> usize {
        for ticks in 0..100 {
            if self.roots.iter().all(|root| root.pending.is_none()) {
                return ticks;
            }
            self.tick();
        }
        panic!("it does not end");
    }

    /// What the answer to a request is that only a policy lets pass.
    fn serves(&self, at: usize) -> Option<u64> {
        let before = self.vms[at].host.seen.borrow().answers.len();
        self.roots[at].http().on_request_headers(true);
        let seen = self.vms[at].host.seen.borrow();
        assert!(seen.answers[before..].iter().all(|it| it.status != 503), "without a policy");
        self.roots[at].generation().map(|it| it.epoch)
    }
}

#[test]
fn a_start_is_whole_before_the_first_request() {
    let mut envoy = Envoy::new(2);
    assert!(envoy.apply(&of_large(5)));
    assert_eq!((envoy.epochs(), envoy.ticks()), (vec![Some(5); 2], vec![1000; 2]));
}

#[test]
fn an_update_is_verified_beside_requests() {
    let mut envoy = Envoy::new(2);
    assert!(envoy.apply(&of_epoch(5)));
    envoy.tick();
    assert!(envoy.apply(&of_large(6)));
    assert_eq!((envoy.epochs(), envoy.ticks()), (vec![Some(5); 2], vec![1; 2]));
    let activated = envoy.host.metric("portcullis.configuration.activated");
    let held = envoy.roots[0].generation().unwrap();
    for slice in 1..SLICES - 1 {
        envoy.tick();
        assert_eq!((envoy.serves(0), envoy.serves(1)), (Some(5), Some(5)), "slice {slice}");
    }
    assert_eq!(envoy.host.metric("portcullis.configuration.activated"), activated);
    let highest =
        |envoy: &Envoy| crate::activation::Activations::read(&envoy.host, "portcullis").highest;
    assert!((1..=3).contains(&envoy.settle()));
    assert_eq!((envoy.epochs(), envoy.ticks()), (vec![Some(6); 2], vec![1000; 2]));
    assert_eq!(envoy.host.metric("portcullis.configuration.activated"), activated.map(|it| it + 2));
    assert!(held.bundle.borrow().is_some(), "a request in flight keeps its policy");
    assert_eq!(highest(&envoy).map(|it| it.0), Some(6), "recorded by the tick that activated it");
    assert!(!envoy.apply(&of_epoch(4)), "an older one is vetoed");
}

#[test]
fn what_fails_in_a_late_slice_leaves_what_serves_and_is_told() {
    let mut envoy = Envoy::new(1);
    assert!(envoy.apply(&of_epoch(6)));
    envoy.tick();
    let mut corrupt = large(7);
    let last = corrupt.len() - 100;
    corrupt[last] ^= 1;
    // Envoy's trial would refuse both; a worker must stand them all the same.
    for (bundle, reason) in [(corrupt, "bundle-corrupt"), (large(5), "epoch-lower")] {
        envoy.roots[0] = Envoy::configure(&envoy.vms[0], &configuration(&bundle, ""));
        assert!(envoy.roots[0].pending.is_some() && envoy.settle() > 1);
        assert_eq!((envoy.epochs(), envoy.refused(reason)), (vec![Some(6)], 1));
        let log = envoy.vms[0].host.lines();
        let line = log.last().unwrap();
        assert_eq!((&line["outcome"], &line["reason"]), (&"kept".into(), &reason.into()));
    }
    assert_eq!(envoy.ticks(), [1000]);
    assert_eq!(envoy.host.metric("portcullis.configuration.kept"), Some(2));
}

#[test]
fn the_newest_configuration_counts() {
    let mut envoy = Envoy::new(1);
    assert!(envoy.apply(&of_epoch(5)));
    assert!(envoy.apply(&of_large(6)));
    let mut old = envoy.roots.remove(0);
    assert!(envoy.apply(&of_large(7)));
    old.on_tick();
    assert!(old.pending.is_none(), "what was superseded takes no room");
    envoy.settle();
    old.on_tick();
    assert_eq!(envoy.epochs(), [Some(7)]);
    assert_eq!(old.generation().map(|it| it.epoch), Some(7));
    // A small one is there at once, and what was being verified does not come after it.
    assert!(envoy.apply(&of_large(8)));
    let mut old = envoy.roots.remove(0);
    assert!(envoy.apply(&of_epoch(9)));
    (0..20).for_each(|_| old.on_tick());
    assert_eq!(envoy.epochs(), [Some(9)]);
}

#[test]
fn what_another_listener_is_given_meanwhile_ends_no_verification_of_what_is_newer() {
    let stop = b"".to_vec();
    for meanwhile in [stop.clone(), of_epoch(5), super::polling::alone(), of_large(5)] {
        let mut envoy = Envoy::new(1);
        assert!(envoy.apply(&of_epoch(5)));
        let mut first = Envoy::configure(&envoy.vms[0], &of_large(6));
        assert!(first.pending.is_some());
        envoy.roots[0] = Envoy::configure(&envoy.vms[0], &meanwhile);
        for _ in 0..20 {
            first.on_tick();
            envoy.roots[0].on_tick();
        }
        assert_eq!(first.generation().map(|it| it.epoch), Some(6));
        assert_eq!(envoy.epochs(), [Some(6).filter(|_| meanwhile != stop)]);
    }
}

#[test]
fn a_vm_made_anew_during_an_update_is_whole() {
    let mut envoy = Envoy::new(2);
    assert!(envoy.apply(&of_epoch(5)));
    assert!(envoy.apply(&of_large(6)));
    envoy.tick();
    envoy.reload(1);
    assert_eq!(envoy.epochs(), [Some(5), Some(6)]);
    envoy.settle();
    assert_eq!(envoy.epochs(), [Some(6); 2]);
}

#[test]
fn what_expires_meanwhile_is_not_activated() {
    let mut sections = sections(Mode::Enforce);
    sections.origins.resize(2 * SLICE, Origin { pointer: NONE.into(), ..Origin::new_zeroed() });
    let identity =
        Identity { epoch: 6, not_after: crate::testing::NOW + 60, ..Identity::default() };
    let mut envoy = Envoy::new(1);
    assert!(envoy.apply(&of_epoch(5)));
    let bundle = configuration(&signed(&sections, &identity), "");
    envoy.roots[0] = Envoy::configure(&envoy.vms[0], &bundle);
    envoy.host.pass_seconds(100);
    envoy.settle();
    assert_eq!((envoy.epochs(), envoy.refused("expired")), (vec![Some(5)], 1));
}

#[test]
fn what_is_fetched_is_published_when_it_is_verified() {
    let mut envoy = Envoy::new(3);
    let configuration = String::from_utf8(super::polling::alone()).unwrap();
    assert!(envoy.apply(configuration.replace("100000", "10000000").as_bytes()));
    envoy.publish(&super::polling::of(5), "\"a\"");
    let (call, _) = envoy.await_call(12);
    envoy.answer(&call, &[(":status", "200"), ("etag", "\"b\"")], &large(6));
    let waiting = |envoy: &Envoy| envoy.roots.iter().filter(|it| it.pending.is_some()).count();
    assert_eq!((waiting(&envoy), envoy.count("poll.updated")), (1, 1), "who fetched it verifies");
    while waiting(&envoy) == 1 {
        assert_eq!(envoy.epochs(), [Some(5); 3]);
        envoy.tick();
    }
    assert_eq!(envoy.count("poll.updated"), 2);
    // The others have seen it in the same round of ticks, or see it in the next.
    envoy.tick();
    assert_eq!(waiting(&envoy), 2);
    assert_eq!(envoy.epochs().iter().filter(|it| **it == Some(6)).count(), 1);
    envoy.settle();
    assert_eq!((envoy.epochs(), envoy.ticks()), (vec![Some(6); 3], vec![200; 3]));
    let mut corrupt = large(7);
    let last = corrupt.len() - 100;
    corrupt[last] ^= 1;
    let (call, _) = envoy.await_call(12);
    envoy.answer(&call, &[(":status", "200"), ("etag", "\"c\"")], &corrupt);
    envoy.settle();
    assert_eq!((envoy.epochs(), envoy.refused("bundle-corrupt")), (vec![Some(6); 3], 1));
    let (call, _) = envoy.await_call(12);
    assert_eq!(call.header("portcullis-refused"), Some("7;bundle-corrupt"));
}

#[test]
fn the_lease_is_kept_while_slices_take_long() {
    let mut envoy = Envoy::new(2);
    let configuration = String::from_utf8(super::polling::alone()).unwrap();
    assert!(envoy.apply(configuration.replace("100000", "10000000").as_bytes()));
    envoy.publish(&super::polling::of(5), "\"a\"");
    // Together the slices take far longer than the four seconds of a lease.
    let (call, _) = envoy.await_call(12);
    envoy.answer(&call, &[(":status", "200"), ("etag", "\"b\"")], &large(6));
    let sent = envoy.count("poll.sent");
    for _ in 0..SLICES * 2 {
        assert_eq!(envoy.count("poll.sent"), sent, "nobody else fetches meanwhile");
        if envoy.count("poll.updated") == 2 {
            break;
        }
        envoy.host.pass_seconds(3);
        envoy.tick();
    }
    assert_eq!((envoy.count("poll.updated"), envoy.count("poll.failed.superseded")), (2, 0));
    envoy.settle();
    assert_eq!(envoy.epochs(), [Some(6); 2]);
}

#[test]
fn a_lease_that_is_lost_all_the_same_is_told() {
    let mut envoy = Envoy::new(2);
    let configuration = String::from_utf8(super::polling::alone()).unwrap();
    assert!(envoy.apply(configuration.replace("100000", "10000000").as_bytes()));
    envoy.publish(&super::polling::of(5), "\"a\"");
    let (call, _) = envoy.await_call(12);
    envoy.answer(&call, &[(":status", "200"), ("etag", "\"b\"")], &large(6));
    // The worker stands still for longer than its lease, and the other one fetches.
    envoy.host.pass_seconds(30);
    let slow = envoy.roots.iter().position(|it| it.pending.is_some()).unwrap();
    envoy.roots[1 - slow].on_tick();
    assert_eq!(envoy.count("poll.failed.abandoned"), 1);
    envoy.host.pass_seconds(3);
    envoy.roots[1 - slow].on_tick();
    let call = envoy.host.process.calls.borrow_mut().pop().unwrap();
    envoy.roots[slow].on_tick();
    assert!(envoy.roots[slow].pending.is_none());
    assert_eq!((envoy.count("poll.failed.superseded"), envoy.ticks()[slow]), (1, 200));
    let log = envoy.vms[slow].host.lines();
    let line = log.last().unwrap();
    assert_eq!((&line["outcome"], &line["reason"]), (&"fetch-failed".into(), &"superseded".into()));
    assert_eq!(envoy.epochs(), [Some(5); 2]);
    envoy.answer(&call, &[(":status", "200"), ("etag", "\"b\"")], &large(6));
    for _ in 0..3 {
        envoy.settle();
        envoy.tick();
    }
    assert_eq!(envoy.epochs(), [Some(6); 2]);
}

#[test]
fn another_policy_of_the_plugin_is_verified_before_it_judges() {
    let mut envoy = Envoy::new(2);
    assert!(envoy.apply(&configuration(&large_of(named("bank"), 5), "")));
    assert!(envoy.apply(&configuration(&large_of(named("shop"), 6), "")));
    assert_eq!(envoy.epochs(), [Some(6); 2], "none is judged by the other meanwhile");
    assert!(envoy.apply(&configuration(&large_of(named("shop"), 7), "")));
    assert_eq!((envoy.serves(0), envoy.serves(1)), (Some(6), Some(6)));
    envoy.settle();
    assert_eq!(envoy.epochs(), [Some(7); 2]);
}
