//! Configurations in a fake Envoy of several VMs.

use super::{Root, record};
use crate::activation::Activations;
use crate::host::{Host, Level};
use crate::testing::{
    FakeHost, NOW, bundle, configuration, fields, named, public_key, sections, signed,
};
use crate::vm::Vm;
use portcullis_bundle::layout::Mode;
use portcullis_bundle::{Identity, write};
use std::rc::Rc;

mod pending;
mod polling;

/// A fake Envoy: a trial VM for each configuration, then the VMs that stay.
struct Envoy {
    host: FakeHost,
    vms: Vec<Rc<Vm<FakeHost>>>,
    roots: Vec<Root<FakeHost>>,
}

impl Envoy {
    fn new(vms: usize) -> Self {
        let host = FakeHost::new();
        let vms = (0..vms).map(|_| Vm::new(host.sibling())).collect();
        Envoy { host, vms, roots: Vec::new() }
    }

    /// Applies a configuration as Envoy does. False where the trial vetoes it.
    fn apply(&mut self, configuration: &[u8]) -> bool {
        self.host.seen.borrow_mut().configuration = configuration.to_vec();
        let mut trial = Root::new(Vm::new(self.host.sibling()));
        if !(trial.on_vm_start() && trial.on_configure()) {
            return false;
        }
        self.roots = self.vms.iter().map(|vm| Self::configure(vm, configuration)).collect();
        true
    }

    fn configure(vm: &Rc<Vm<FakeHost>>, configuration: &[u8]) -> Root<FakeHost> {
        vm.host.seen.borrow_mut().configuration = configuration.to_vec();
        let mut root = Root::new(Rc::clone(vm));
        assert!(root.on_vm_start() && root.on_configure(), "a worker failed: all would pass");
        root
    }

    /// A worker's VM is made anew, as after a fault.
    fn reload(&mut self, at: usize) {
        let configuration = self.vms[at].host.seen.borrow().configuration.clone();
        self.vms[at] = Vm::new(self.host.sibling());
        self.roots[at] = Self::configure(&self.vms[at], &configuration);
    }

    fn epochs(&self) -> Vec<Option<u64>> {
        self.roots.iter().map(|root| root.generation().map(|it| it.epoch)).collect()
    }

    fn tick(&mut self) {
        self.roots.iter_mut().for_each(Root::on_tick);
    }

    fn refused(&self, reason: &str) -> i64 {
        let name = ["portcullis.configuration.refused.", reason].concat();
        self.host.metric(&name).unwrap()
    }
}

fn of_epoch(epoch: u64) -> Vec<u8> {
    let identity = Identity { epoch, ..Identity::default() };
    configuration(&bundle(Mode::Enforce, &identity), "")
}

fn of_policy(name: &str, epoch: u64) -> Vec<u8> {
    let identity = Identity { epoch, ..Identity::default() };
    configuration(&signed(&named(name), &identity), "")
}

#[test]
fn every_vm_serves_what_the_trial_accepts() {
    let mut envoy = Envoy::new(3);
    assert!(envoy.apply(&of_epoch(5)));
    assert_eq!(envoy.epochs(), [Some(5); 3]);
    assert_eq!(envoy.host.metric("portcullis.configuration.accepted"), Some(1));
    assert_eq!(envoy.host.metric("portcullis.configuration.activated"), Some(4));
}

#[test]
fn what_the_trial_refuses_changes_nothing() {
    let mut envoy = Envoy::new(2);
    assert!(envoy.apply(&of_epoch(5)));
    let mut corrupt = bundle(Mode::Enforce, &Identity { epoch: 6, ..Identity::default() });
    let at = corrupt.len() / 2;
    corrupt[at] ^= 1;
    assert!(!envoy.apply(&configuration(&corrupt, "")));
    assert!(!envoy.apply(b"{\"bundle\": 7}"));
    assert_eq!(envoy.epochs(), [Some(5); 2]);
    assert_eq!(envoy.refused("bundle-corrupt"), 1);
    assert_eq!(envoy.refused("configuration"), 1);
}

#[test]
fn an_older_epoch_is_vetoed_once_a_newer_one_served() {
    let mut envoy = Envoy::new(2);
    assert!(envoy.apply(&of_epoch(6)));
    envoy.tick();
    assert!(!envoy.apply(&of_epoch(5)));
    let identity = Identity { epoch: 6, ..Identity::default() };
    let other = bundle(Mode::Monitor, &identity);
    assert!(!envoy.apply(&configuration(&other, "")), "the same epoch with other content");
    assert_eq!((envoy.refused("epoch-lower"), envoy.refused("epoch-reused")), (1, 1));
    assert!(envoy.apply(&of_epoch(7)));
    assert_eq!(envoy.epochs(), [Some(7); 2]);
}

#[test]
fn what_was_only_tried_does_not_count_as_served() {
    let mut envoy = Envoy::new(1);
    assert!(envoy.apply(&of_epoch(9)));
    // No tick, no request: Envoy may have dropped the configuration for reasons of its own.
    assert!(envoy.apply(&of_epoch(5)));
    assert_eq!(envoy.epochs(), [Some(5)]);
}

/// As Envoy does with a listener in which something behind this filter is wrong.
#[test]
fn what_goes_with_its_listener_before_it_served_is_taken_back() {
    let highest = |envoy: &Envoy| Activations::read(&envoy.host, "portcullis").highest.unwrap().0;
    let mut envoy = Envoy::new(2);
    assert!(envoy.apply(&of_epoch(5)));
    envoy.tick();
    drop(Envoy::configure(&envoy.vms[0], &of_epoch(9)));
    assert_eq!(envoy.epochs(), [Some(5); 2]);
    envoy.host.pass_seconds(1);
    envoy.tick();
    let kept = Activations::kept(&envoy.host, "portcullis").unwrap();
    assert_eq!((highest(&envoy), portcullis_bundle::claims(&kept).unwrap().0), (5, 5));
    assert!(envoy.apply(&of_epoch(6)));
    envoy.tick();
    // What a request was judged by stays.
    let judged = Envoy::configure(&envoy.vms[0], &of_epoch(9));
    judged.vm.host.seen.borrow_mut().headers =
        Some(fields(&[(":method", b"GET"), (":path", b"/")]));
    judged.http().on_request_headers(true);
    drop(judged);
    assert_eq!((envoy.epochs(), highest(&envoy)), (vec![Some(9), Some(6)], 9));
    // And where a newer configuration is there, it goes by that.
    let older = Envoy::configure(&envoy.vms[1], &of_epoch(10));
    let newer = Envoy::configure(&envoy.vms[1], b"nonsense");
    drop(older);
    assert_eq!(newer.generation().map(|it| it.epoch), Some(10));
}

#[test]
fn what_is_not_signed_leaves_the_order_of_what_is() {
    let identity = Identity { epoch: 9, ..Identity::default() };
    let unsigned = write(&sections(Mode::Enforce), &identity).unwrap();
    let mut envoy = Envoy::new(1);
    assert!(envoy.apply(&configuration(&unsigned, r#","allow_unsigned":true"#)));
    envoy.tick();
    assert!(envoy.apply(&of_epoch(5)));
    assert_eq!(envoy.epochs(), [Some(5)]);
}

#[test]
fn a_worker_never_fails_and_keeps_the_last_good_bundle() {
    let mut envoy = Envoy::new(1);
    assert!(envoy.apply(&of_epoch(6)));
    envoy.tick();
    // Envoy keeps the trial's verdict on a configuration that it has seen, so that a roll-back
    // comes to the workers untried.
    for configuration in [of_epoch(5), b"nonsense".to_vec()] {
        envoy.roots[0] = Envoy::configure(&envoy.vms[0], &configuration);
        assert_eq!(envoy.epochs(), [Some(6)]);
    }
    assert_eq!(envoy.host.metric("portcullis.configuration.kept"), Some(2));
    let log = envoy.vms[0].host.seen.borrow().log.clone();
    assert!(log.iter().any(|(level, line)| *level == Level::Error && line.contains("kept")));
}

#[test]
fn expiry_blocks_activation_and_never_what_serves() {
    let valid = |epoch| {
        let identity = Identity { epoch, not_after: NOW + 60, ..Identity::default() };
        configuration(&bundle(Mode::Enforce, &identity), "")
    };
    let mut envoy = Envoy::new(2);
    assert!(envoy.apply(&valid(5)));
    envoy.tick();
    envoy.host.pass_seconds(100);
    assert!(!envoy.apply(&valid(6)));
    assert_eq!(envoy.refused("expired"), 1);
    envoy.reload(1);
    assert_eq!(envoy.epochs(), [Some(5); 2]);
    let early = Identity { epoch: 7, not_before: NOW + 1000, ..Identity::default() };
    assert!(!envoy.apply(&configuration(&bundle(Mode::Enforce, &early), "")));
    assert_eq!(envoy.refused("not-yet-valid"), 1);
}

#[test]
fn a_new_vm_that_may_not_serve_its_configuration_serves_the_last_good_one() {
    let mut envoy = Envoy::new(2);
    assert!(envoy.apply(&of_epoch(5)));
    envoy.tick();
    assert!(envoy.apply(&of_epoch(6)));
    record(&envoy.vms[0], "portcullis", &envoy.roots[0].generation().unwrap());
    // A roll-back that Envoy did not try again, and a fault before anybody has kept what serves.
    envoy.roots[0] = Envoy::configure(&envoy.vms[0], &of_epoch(5));
    envoy.reload(0);
    assert_eq!(envoy.epochs(), [None, Some(6)]);
    envoy.host.pass_seconds(1);
    envoy.tick();
    envoy.host.pass_seconds(1);
    envoy.tick();
    assert_eq!(envoy.epochs(), [Some(6); 2]);
    // And after it was kept.
    envoy.roots[1] = Envoy::configure(&envoy.vms[1], &of_epoch(5));
    envoy.reload(1);
    assert_eq!(envoy.epochs(), [Some(6); 2]);
    assert!(envoy.apply(&of_epoch(7)));
    assert_eq!(envoy.epochs(), [Some(7); 2]);
}

#[test]
fn what_serves_is_kept_by_the_first_tick_which_comes_soon() {
    let mut envoy = Envoy::new(2);
    assert!(envoy.apply(&of_epoch(5)));
    let ticks = |envoy: &Envoy| -> Vec<u32> {
        envoy.vms.iter().map(|vm| vm.host.seen.borrow().tick).collect()
    };
    assert_eq!(ticks(&envoy), [1000; 2], "a start has nothing to hurry for");
    envoy.tick();
    assert!(envoy.apply(&of_epoch(6)));
    assert_eq!(ticks(&envoy), [1; 2]);
    envoy.tick();
    assert_eq!(ticks(&envoy), [1000; 2]);
    // Envoy may give a root context its configuration once more.
    assert!(envoy.roots[0].on_configure());
    assert_eq!(ticks(&envoy), [1, 1000]);
    envoy.tick();
    assert_eq!(ticks(&envoy), [1000; 2]);
    // A roll-back that Envoy did not try again, and a fault, with no time in between.
    envoy.roots[1] = Envoy::configure(&envoy.vms[1], &of_epoch(5));
    envoy.reload(1);
    assert_eq!(envoy.epochs(), [Some(6); 2]);
}

#[test]
fn a_vm_that_lags_behind_keeps_nothing_older() {
    let mut envoy = Envoy::new(2);
    assert!(envoy.apply(&of_epoch(5)));
    envoy.roots[1] = Envoy::configure(&envoy.vms[1], &of_epoch(6));
    envoy.roots[1].on_tick();
    envoy.roots[0].on_tick();
    let kept = Activations::kept(&envoy.host, "portcullis").unwrap();
    assert_eq!(portcullis_bundle::claims(&kept).unwrap().0, 6);
}

#[test]
fn a_new_vm_serves_no_other_policy_in_place_of_its_own() {
    let of = |name, epoch| {
        let identity = Identity { epoch, ..Identity::default() };
        configuration(&signed(&named(name), &identity), "")
    };
    let mut envoy = Envoy::new(1);
    assert!(envoy.apply(&of("shop", 5)));
    envoy.tick();
    assert!(envoy.apply(&of("bank", 6)));
    envoy.tick();
    envoy.roots[0] = Envoy::configure(&envoy.vms[0], &of("shop", 5));
    envoy.reload(0);
    assert_eq!(envoy.epochs(), [None]);
}

#[test]
fn a_worker_does_not_fail_for_what_was_accepted_long_ago() {
    let mut envoy = Envoy::new(1);
    for epoch in 1..=2 {
        assert!(envoy.apply(&of_epoch(epoch)));
        envoy.tick();
    }
    let last = Some(2);
    Activations::forget_accepted(&envoy.host, "portcullis");
    envoy.roots[0] = Envoy::configure(&envoy.vms[0], &of_epoch(1));
    assert_eq!(envoy.epochs(), [last]);
    // `reload` fails where the VM does, after which Envoy takes no configuration any more.
    envoy.reload(0);
    assert_eq!(envoy.epochs(), [last]);
}

#[test]
fn nothing_denies_and_says_so() {
    let mut envoy = Envoy::new(1);
    assert!(envoy.apply(b""));
    assert_eq!(envoy.epochs(), [None]);
    assert_eq!(envoy.vms[0].host.lines()[0]["outcome"], "denying");
    assert!(envoy.apply(&of_epoch(1)));
    assert_eq!(envoy.epochs(), [Some(1)]);
}

#[test]
fn old_bundles_live_as_long_as_their_requests_up_to_a_number() {
    let mut envoy = Envoy::new(1);
    let mut requests = Vec::new();
    for epoch in 1..=12 {
        assert!(envoy.apply(&of_epoch(epoch)));
        requests.push(envoy.roots[0].generation().unwrap());
    }
    let alive = requests.iter().filter(|it| it.bundle.borrow().is_some()).count();
    assert_eq!(alive, crate::generation::MAX_GENERATIONS);
    assert_eq!(envoy.host.metric("portcullis.generation.revoked"), Some(4));
    drop(requests);
    assert!(envoy.apply(&of_epoch(13)));
    assert_eq!(envoy.host.metric("portcullis.generation.revoked"), Some(4));
}

#[test]
fn bundles_of_other_plugins_are_no_reason_to_take_one_away() {
    let vm = Vm::new(FakeHost::new());
    let root = Envoy::configure(&vm, &of_epoch(1));
    let settings = root.settings.clone().unwrap();
    let bundle = bundle(Mode::Enforce, &Identity { epoch: 2, ..Identity::default() });
    let activate = |plugin: usize| {
        let loaded = root.load(bundle.clone(), (*settings).clone());
        let generation = Rc::new(loaded.ok().unwrap().generation);
        vm.activate(&format!("p{plugin}").into(), Rc::clone(&generation));
        generation
    };
    let held: Vec<_> = (0..12).chain(0..12).map(activate).collect();
    assert!(held.iter().all(|held| held.has_bundle()));
}

#[test]
fn a_configuration_that_goes_takes_its_timer_along() {
    let envoy = {
        let mut envoy = Envoy::new(1);
        assert!(envoy.apply(&of_epoch(1)));
        envoy
    };
    assert_eq!(envoy.vms[0].host.seen.borrow().tick, 1000);
    envoy.roots[0].on_done();
    assert_eq!(envoy.vms[0].host.seen.borrow().tick, 0);
}

#[test]
fn filters_of_one_name_each_keep_their_own_settings() {
    let vm = Vm::new(FakeHost::new());
    let of = |epoch, holds: bool| {
        let text = String::from_utf8(of_epoch(epoch)).unwrap();
        text.replace(r#""hold_headers":true"#, &format!(r#""hold_headers":{holds}"#)).into_bytes()
    };
    let seen = |root: &Root<FakeHost>| {
        let generation = root.generation().unwrap();
        (generation.epoch, generation.settings.hold_headers)
    };
    let outer = Envoy::configure(&vm, &of(5, true));
    let inner = Envoy::configure(&vm, &of(5, false));
    assert_eq!([seen(&outer), seen(&inner)], [(5, true), (5, false)]);
    // The policy that one of them brings is both's; how it is served is a matter of each listener.
    let mut newer = Envoy::configure(&vm, &of(6, false));
    newer.on_tick();
    assert_eq!([seen(&outer), seen(&inner), seen(&newer)], [(6, true), (6, false), (6, false)]);
    // Also where the bundle beside them is not taken, and while it is verified.
    let refused = Envoy::configure(&vm, &of(4, true));
    assert_eq!(seen(&refused), (6, true));
    let of = |epoch, holds: bool| {
        let text = String::from_utf8(configuration(&pending::large(epoch), "")).unwrap();
        text.replace(r#""hold_headers":true"#, &format!(r#""hold_headers":{holds}"#)).into_bytes()
    };
    let mut outer = Envoy::configure(&vm, &of(7, true));
    let mut inner = Envoy::configure(&vm, &of(7, false));
    assert_eq!([seen(&outer), seen(&inner)], [(6, true), (6, false)]);
    for _ in 0..1000 {
        outer.on_tick();
        inner.on_tick();
    }
    assert_eq!([seen(&outer), seen(&inner)], [(7, true), (7, false)]);
}

/// Envoy gives a configuration that is put back byte for byte the root context that it had, if that still lives.
#[test]
fn what_a_request_holds_does_not_come_back_for_the_next() {
    let vm = Vm::new(FakeHost::new());
    let older = Envoy::configure(&vm, &of_epoch(5));
    let held = older.generation().unwrap();
    let _newer = Envoy::configure(&vm, &of_epoch(6));
    assert_eq!((held.epoch, older.generation().unwrap().epoch), (5, 6));
}

#[test]
fn what_is_taken_from_a_request_that_holds_it_refuses_no_other() {
    let vm = Vm::new(FakeHost::new());
    let shop = Envoy::configure(&vm, &of_policy("shop", 5));
    let mut held = vec![shop.generation().unwrap()];
    let mut newer = Vec::new();
    for epoch in 6..20 {
        newer.push(Envoy::configure(&vm, &of_policy("shop", epoch)));
        held.extend(newer.last().and_then(Root::generation));
    }
    assert!(!held[0].has_bundle());
    assert_eq!(shop.generation().unwrap().epoch, 19);
    // Of another policy there is nothing for it: not what is taken, and not the other's.
    let bank = Envoy::configure(&vm, &of_policy("bank", 20));
    assert_eq!(bank.generation().unwrap().epoch, 20);
    assert!(shop.generation().is_none());
}

#[test]
fn another_policy_of_the_name_judges_for_nobody_else() {
    let vm = Vm::new(FakeHost::new());
    let of = |name, epoch| Envoy::configure(&vm, &of_policy(name, epoch));
    let shop = of("shop", 5);
    let bank = of("bank", 6);
    // The one before brings a policy once more: that of the newest is another one.
    let again = of("shop", 7);
    assert_eq!([&shop, &again].map(|it| it.generation().map(|it| it.epoch)), [Some(7); 2]);
    assert!(bank.generation().is_none());
}

#[test]
fn gauges_say_what_is_served() {
    let not_after = NOW + 100;
    let identity = Identity { epoch: 5, not_after, ..Identity::default() };
    let mut envoy = Envoy::new(1);
    assert!(envoy.apply(&configuration(&bundle(Mode::Enforce, &identity), "")));
    envoy.vms[0].serves(&"portcullis".into());
    let seen = |envoy: &Envoy| {
        ["epoch.portcullis.worker.0", "valid-until.portcullis"]
            .map(|name| envoy.host.metric(&["portcullis.", name].concat()))
    };
    envoy.tick();
    assert_eq!(seen(&envoy), [Some(5), Some(not_after)]);
    // Another listener's filter refuses everything, and this one serves on.
    let mut other = Envoy::configure(&envoy.vms[0], b"");
    envoy.host.pass_seconds(1);
    envoy.tick();
    other.on_tick();
    assert_eq!(seen(&envoy), [Some(5), Some(not_after)]);
    drop(other);
    assert!(envoy.apply(b""));
    envoy.host.pass_seconds(1);
    envoy.tick();
    assert_eq!(seen(&envoy), [Some(0); 2]);
}

#[test]
fn break_glass_needs_the_bundles_consent() {
    let until = r#","force_monitor_until":"2030-01-01T00:00:00Z""#;
    let identity = Identity { epoch: 1, ..Identity::default() };
    let mut envoy = Envoy::new(1);
    assert!(envoy.apply(&configuration(&bundle(Mode::Enforce, &identity), until)));
    let generation = envoy.roots[0].generation().unwrap();
    assert!(generation.forces_monitor(|| envoy.host.now()));
    assert!(!generation.forces_monitor(|| u64::MAX));

    let mut stern = sections(Mode::Enforce);
    stern.policy[0].break_glass = 0;
    let identity = Identity { epoch: 2, ..Identity::default() };
    assert!(envoy.apply(&configuration(&signed(&stern, &identity), until)));
    let generation = envoy.roots[0].generation().unwrap();
    assert!(!generation.forces_monitor(|| envoy.host.now()));
    assert_eq!(envoy.host.metric("portcullis.break-glass.refused"), Some(2));
}

#[test]
fn a_configuration_that_is_refused_switches_nothing_off() {
    let until = r#","force_monitor_until":"2030-01-01T00:00:00Z""#;
    let vm = Vm::new(FakeHost::new());
    let of = |epoch, more| {
        let identity = Identity { epoch, ..Identity::default() };
        Envoy::configure(&vm, &configuration(&bundle(Mode::Enforce, &identity), more))
    };
    let mut serving = of(5, "");
    serving.on_tick();
    let kept = of(4, until).generation().unwrap();
    assert_eq!((kept.epoch, kept.forces_monitor(|| vm.host.now())), (5, false));
    let with_source = [until, ",", polling::SOURCE].concat();
    let kept = of(4, &with_source).generation().unwrap();
    assert_eq!((kept.epoch, kept.forces_monitor(|| vm.host.now())), (5, false), "with a source");
    assert!(of(6, until).generation().unwrap().forces_monitor(|| vm.host.now()));
}

#[test]
fn who_carries_the_policy_cannot_do_without_the_keys_of_the_node() {
    let mut envoy = Envoy::new(2);
    let keys = fields(&[(&public_key(), b"")]);
    envoy.host.seen.borrow_mut().node = Some(fields(&[("trusted_keys", &keys)]));
    envoy.vms = (0..2).map(|_| Vm::new(envoy.host.sibling())).collect();
    let unsigned = |epoch| {
        let identity = Identity { epoch, ..Identity::default() };
        let bundle =
            data_encoding::BASE64.encode(&write(&sections(Mode::Monitor), &identity).unwrap());
        format!(r#"{{"allow_unsigned":true,"bundle":"{bundle}"}}"#).into_bytes()
    };
    assert!(!envoy.apply(&unsigned(9)), "at a start");
    assert!(envoy.apply(&of_epoch(5)));
    envoy.tick();
    assert!(!envoy.apply(&unsigned(9)), "beside what serves");
    assert_eq!((envoy.epochs(), envoy.refused("bundle-untrusted")), (vec![Some(5); 2], 2));
}

#[test]
fn a_configuration_that_differs_in_one_setting_is_tried_like_any_other() {
    let mut envoy = Envoy::new(2);
    let bundle = bundle(Mode::Enforce, &Identity { epoch: 5, ..Identity::default() });
    for (at, more) in ["", r#","log_audit":true"#].into_iter().enumerate() {
        assert!(envoy.apply(&configuration(&bundle, more)));
        let accepted = envoy.host.metric("portcullis.configuration.accepted").unwrap();
        assert_eq!(accepted, at as i64 + 1);
    }
}

#[test]
fn the_number_of_an_attempt_is_no_part_of_a_name() {
    for (name, root_id, expected) in [
        ("portcullis", "portcullis", "portcullis"),
        ("portcullis", "portcullis#12", "portcullis"),
        ("portcullis", "#12", "portcullis"),
        ("portcullis", "", "portcullis"),
        ("portcullis", "shop#1#2", "portcullis/shop"),
    ] {
        assert_eq!(&*super::name_of(name, root_id), expected, "{name} {root_id}");
    }
}

#[test]
fn two_policies_under_one_plugin_name_never_judge_for_one_another() {
    let host = FakeHost::new();
    let vm = Vm::new(host.clone());
    let of = |name, epoch| {
        let identity = Identity { epoch, ..Identity::default() };
        configuration(&signed(&named(name), &identity), "")
    };
    let first = Envoy::configure(&vm, &of("bank", 5));
    let second = Envoy::configure(&vm, &of("shop", 6));
    assert_eq!(
        first.generation().map(|it| it.epoch),
        None,
        "refused, rather than judged by another"
    );
    assert_eq!(second.generation().map(|it| it.epoch), Some(6));
    // Connections that drain under an older configuration end by the newer one of the same policy.
    let third = Envoy::configure(&vm, &of("shop", 7));
    assert_eq!(second.generation().map(|it| it.epoch), Some(7));
    assert_eq!(third.generation().map(|it| it.epoch), Some(7));
}

#[test]
fn when_the_policy_expires_is_shown() {
    let until = |not_after| {
        let epoch = not_after as u64;
        let identity = Identity { epoch, not_after, ..Identity::default() };
        configuration(&bundle(Mode::Enforce, &identity), "")
    };
    let mut envoy = Envoy::new(2);
    for (not_after, shown) in [(NOW + 60, NOW + 60), (i64::MAX, 0)] {
        assert!(envoy.apply(&until(not_after)));
        envoy.host.pass_seconds(1);
        envoy.tick();
        assert_eq!(envoy.host.metric("portcullis.valid-until.portcullis"), Some(shown));
    }
}

#[test]
fn the_gauge_of_a_worker_that_is_no_more_is_not_left_behind() {
    let mut envoy = Envoy::new(2);
    assert!(envoy.apply(&of_epoch(5)));
    let serve = |envoy: &Envoy, at: usize| {
        envoy.roots[at].http().on_request_headers(true);
    };
    serve(&envoy, 0);
    serve(&envoy, 1);
    let shown = |envoy: &Envoy, worker: usize| {
        envoy.host.metric(&format!("portcullis.epoch.portcullis.worker.{worker}"))
    };
    assert_eq!((shown(&envoy, 0), shown(&envoy, 1)), (Some(5), Some(5)));
    // A fault: the new VM takes another index, and both get another policy.
    envoy.reload(0);
    serve(&envoy, 0);
    assert!(envoy.apply(&of_epoch(6)));
    for _ in 0..100 {
        envoy.host.pass_seconds(1);
        envoy.tick();
    }
    let all = |envoy: &Envoy| (0..4).map(|worker| shown(envoy, worker)).collect::<Vec<_>>();
    assert_eq!(all(&envoy), [Some(6), Some(6), Some(6), None]);
    assert_eq!(envoy.host.metric("portcullis.generations.worker.0"), Some(0));
    envoy.roots.clear();
    assert_eq!(all(&envoy), [Some(0), Some(0), Some(0), None]);
}

#[test]
fn the_gauges_of_a_policy_that_is_gone_are_cleared() {
    let mut envoy = Envoy::new(1);
    let identity = Identity { epoch: 5, not_after: NOW + 60, ..Identity::default() };
    let bundle = bundle(Mode::Enforce, &identity);
    assert!(envoy.apply(&polling::beside(&bundle)));
    envoy.roots[0].http().on_request_headers(true);
    envoy.host.pass_seconds(7);
    envoy.tick();
    envoy.host.pass_seconds(7);
    envoy.tick();
    let shown = |envoy: &Envoy| {
        ["poll.age-seconds.portcullis", "valid-until.portcullis", "epoch.portcullis.worker.0"]
            .map(|name| envoy.host.metric(&format!("portcullis.{name}")).unwrap())
    };
    assert_eq!(shown(&envoy), [7, NOW + 60, 5]);
    // One that comes in its place goes on; it polls no more.
    assert!(envoy.apply(&configuration(&bundle, r#","log_audit":true"#)));
    assert_eq!(shown(&envoy), [7, NOW + 60, 5]);
    envoy.host.pass_seconds(1);
    envoy.tick();
    assert_eq!(shown(&envoy), [0, NOW + 60, 5]);
    envoy.roots.clear();
    assert_eq!(shown(&envoy), [0; 3]);
}
