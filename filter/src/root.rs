//! The root context: one for each configuration of a plugin, in each VM.
//!
//! Envoy runs `on_configure` first in a trial VM of the main thread, then on the main thread and on every
//! worker. A worker that fails it lets every request through unfiltered, so only the trial may fail: a VM
//! that has served before, or a configuration that the trial has accepted, never does.

use crate::activation::{Activations, Fingerprint};
use crate::config::{Configuration, Settings};
use crate::digits::to_hex;
use crate::events::{self, ConfigurationPart, log_configuration};
use crate::generation::Generation;
use crate::host::{Host, Level};
use crate::http::Http;
use crate::limits::Table;
use crate::metrics::Event;
use crate::node;
use crate::refusal::Refusal;
use crate::vm::Vm;
use crate::worker::Worker;
use portcullis_bundle::Bundle;
use portcullis_bundle::layout::Header;
use std::rc::{Rc, Weak};

/// Milliseconds between ticks.
const TICK: u32 = 1000;

/// A plugin as configured once.
#[derive(Debug)]
pub struct Root<H: Host> {
    vm: Rc<Vm<H>>,
    plugin: Rc<str>,
    policy: Policy,
}

/// What a root context serves.
#[derive(Debug)]
enum Policy {
    /// Nothing: every request is refused.
    Deny,
    /// A generation, or the plugin's current one once this one is gone.
    Serve(Weak<Generation>),
}

/// A configuration that may be activated.
struct Loaded {
    generation: Generation,
    fingerprint: Fingerprint,
    is_known: bool,
}

/// A configuration that may not.
struct Refused {
    refusal: Refusal,
    /// Whether the trial has accepted it before.
    is_known: bool,
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        Refused { refusal, is_known: false }
    }
}

impl<H: Host> Root<H> {
    /// A root context that is not configured yet, and refuses every request.
    pub fn new(vm: Rc<Vm<H>>) -> Self {
        Root { vm, plugin: Rc::from(""), policy: Policy::Deny }
    }

    /// Takes note of which VM this is.
    pub fn on_vm_start(&mut self) -> bool {
        let hash = blake3::hash(&self.vm.host.vm_configuration());
        self.vm.configuration.set(*hash.as_bytes());
        true
    }

    /// Activates a configuration, keeps the last good one, or vetoes.
    pub fn on_configure(&mut self) -> bool {
        let host = &self.vm.host;
        let started = host.now();
        self.plugin = plugin_name(host);
        Worker::prepare(host);
        host.set_tick_period(TICK);
        let configuration = node::read(host)
            .and_then(|node| Configuration::read(host.plugin_configuration(), node));
        let loaded = match configuration {
            Ok(Configuration::Deny) => return self.deny(),
            Ok(Configuration::Serve(bundle, settings)) => self.load(bundle, settings),
            Err(refusal) => Err(refusal.into()),
        };
        match loaded {
            Ok(loaded) => self.activate(loaded, started),
            Err(refused) => return self.refuse(&refused),
        }
        true
    }

    /// Housekeeping. The trial VM never comes here, so what serves here is in force.
    pub fn on_tick(&mut self) {
        if let Some(generation) = self.generation() {
            record(&self.vm, &self.plugin, &generation);
        }
        self.vm.tick(&self.plugin);
        events::log_suppressed(&self.vm);
    }

    /// A context for one request.
    pub fn http(&self) -> Http<H> {
        Http::new(Rc::clone(&self.vm), Rc::clone(&self.plugin), self.generation())
    }

    #[cfg(test)]
    pub(crate) fn vm(&self) -> &Rc<Vm<H>> {
        &self.vm
    }

    fn generation(&self) -> Option<Rc<Generation>> {
        match &self.policy {
            Policy::Deny => None,
            Policy::Serve(weak) => weak.upgrade().or_else(|| self.vm.current(&self.plugin)),
        }
    }

    fn deny(&mut self) -> bool {
        self.policy = Policy::Deny;
        let content = ConfigurationPart {
            outcome: "denying",
            plugin: &self.plugin,
            ..ConfigurationPart::default()
        };
        log_configuration(&self.vm.host, Level::Info, content);
        true
    }

    /// Verifies a bundle and whether it may serve here and now.
    fn load(&self, bundle: Vec<u8>, settings: Settings) -> Result<Loaded, Refused> {
        let bundle = Bundle::open(bundle, &settings.trust).map_err(Refusal::from)?;
        let fingerprint = self.fingerprint(&bundle, &settings);
        let memory = Activations::read(&self.vm.host, &self.plugin);
        let is_known = memory.knows(&fingerprint);
        let refused = |refusal| Refused { refusal, is_known };
        let header = bundle.header();
        let epoch = header.epoch.get();
        let serves_already = memory.highest == Some((epoch, header.content_hash));
        let now = i64::try_from(self.vm.host.now() / 1_000_000_000).unwrap_or(i64::MAX);
        // Expiry never stops what serves: a VM that is made anew in its place takes it over.
        let at = if serves_already || is_known {
            now.max(header.not_before.get()).min(header.not_after.get())
        } else {
            now
        };
        bundle
            .check_activation(at, settings.minimum_epoch, settings.audience.as_deref())
            .map_err(|error| refused(error.into()))?;
        if let Some((activated, _)) = memory.highest
            && bundle.is_signed()
            && !serves_already
        {
            if epoch < activated {
                return Err(refused(Refusal::EpochLower { found: epoch, activated }));
            }
            if epoch == activated {
                return Err(refused(Refusal::EpochReused { epoch }));
            }
        }
        Ok(Loaded { generation: Generation::new(bundle, settings), fingerprint, is_known })
    }

    fn activate(&mut self, loaded: Loaded, started: u64) {
        let Loaded { mut generation, fingerprint, is_known } = loaded;
        let vm = &self.vm;
        if let Some(blocks) = generation.blocks() {
            let (table, fits) =
                Table::prepare(&vm.host, &self.plugin, blocks, &generation.content_hash);
            if !fits {
                vm.metrics().count_event(Event::LimitTableKept, 1);
            }
            generation.table = Some(table);
        }
        if generation.settings.force_monitor_until.is_some() && !generation.break_glass {
            vm.metrics().count_event(Event::BreakGlassRefused, 1);
            let content = ConfigurationPart {
                outcome: "break-glass-refused",
                plugin: &self.plugin,
                detail: Some("the bundle does not permit `force_monitor_until`".to_owned()),
                ..ConfigurationPart::default()
            };
            log_configuration(&vm.host, Level::Error, content);
        }
        if !is_known {
            Activations::accept(&vm.host, &self.plugin, fingerprint);
            vm.metrics().count_event(Event::ConfigurationAccepted, 1);
        }
        vm.metrics().count_event(Event::ConfigurationActivated, 1);
        let level = if is_known { Level::Debug } else { Level::Info };
        let forced = generation.forces_monitor(|| vm.host.now());
        let content = ConfigurationPart {
            outcome: if forced { "break-glass" } else { "accepted" },
            plugin: &self.plugin,
            epoch: Some(generation.epoch),
            content_hash: Some(to_hex(&generation.content_hash)),
            load_us: Some(vm.host.now().saturating_sub(started) / 1000),
            ..ConfigurationPart::default()
        };
        log_configuration(&vm.host, if forced { Level::Error } else { level }, content);
        let generation = Rc::new(generation);
        self.policy = Policy::Serve(Rc::downgrade(&generation));
        vm.activate(&self.plugin, generation);
    }

    /// Vetoes where this may be the trial; keeps what serves, or refuses every request, where it
    /// cannot be.
    fn refuse(&mut self, refused: &Refused) -> bool {
        let vm = &self.vm;
        let current = vm.current(&self.plugin);
        let is_trial = current.is_none() && !refused.is_known;
        let reason = refused.refusal.reason();
        vm.metrics().count_refusal(reason);
        if !is_trial {
            vm.metrics().count_event(Event::ConfigurationKept, 1);
        }
        let content = ConfigurationPart {
            outcome: if is_trial { "refused" } else { "kept" },
            plugin: &self.plugin,
            reason: Some(reason.name()),
            detail: Some(refused.refusal.to_string()),
            epoch: current.as_ref().map(|current| current.epoch),
            content_hash: current.as_ref().map(|it| to_hex(&it.content_hash)),
            load_us: None,
        };
        let level = if is_trial || current.is_some() { Level::Error } else { Level::Critical };
        log_configuration(&vm.host, level, content);
        self.policy = match current {
            Some(current) => Policy::Serve(Rc::downgrade(&current)),
            None => Policy::Deny,
        };
        !is_trial
    }

    /// Names a configuration: this module and VM, the settings, and the bundle by its header.
    fn fingerprint(&self, bundle: &Bundle, settings: &Settings) -> Fingerprint {
        let mut hasher = blake3::Hasher::new();
        hasher.update(env!("CARGO_PKG_VERSION").as_bytes());
        hasher.update(&self.vm.configuration.get());
        hasher.update(bundle.as_bytes().get(..size_of::<Header>()).unwrap_or_default());
        settings.trust.keys.iter().for_each(|key| {
            hasher.update(key);
        });
        let numbers = [
            u64::from(settings.trust.allow_unsigned),
            u64::from(settings.hold_headers),
            u64::from(settings.findings_per_second),
            settings.minimum_epoch,
            settings.force_monitor_until.unwrap_or(0),
        ];
        numbers.iter().for_each(|number| {
            hasher.update(&number.to_le_bytes());
        });
        hasher.update(settings.audience.as_deref().unwrap_or_default().as_bytes());
        hasher.finalize().as_bytes().first_chunk().copied().unwrap_or_default()
    }
}

/// Records that a generation serves, once for each VM.
pub fn record<H: Host>(vm: &Vm<H>, plugin: &str, generation: &Generation) {
    if !generation.recorded.replace(true) {
        Activations::serve(&vm.host, plugin, generation.epoch, generation.content_hash);
    }
}

/// The plugin's `name` and `root_id` as the configuration gives them.
fn plugin_name(host: &impl Host) -> Rc<str> {
    let read = |property: &str| {
        let value = host.property(&[property]).unwrap_or_default();
        String::from_utf8_lossy(&value).trim_end_matches('\0').to_owned()
    };
    let (name, root_id) = (read("plugin_name"), read("plugin_root_id"));
    if name == root_id || root_id.is_empty() {
        Rc::from(name)
    } else {
        Rc::from([name, root_id].join("/"))
    }
}

#[cfg(test)]
mod tests {
    use super::Root;
    use crate::host::{Host, Level};
    use crate::testing::{FakeHost, NOW, bundle, configuration, sections, signed};
    use crate::vm::Vm;
    use portcullis_bundle::Identity;
    use portcullis_bundle::layout::Mode;
    use std::rc::Rc;

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
    fn a_new_vm_that_may_not_serve_its_configuration_denies() {
        let mut envoy = Envoy::new(2);
        assert!(envoy.apply(&of_epoch(5)));
        envoy.tick();
        assert!(envoy.apply(&of_epoch(6)));
        envoy.tick();
        // A roll-back that Envoy did not try again, and then a fault.
        envoy.roots[0] = Envoy::configure(&envoy.vms[0], &of_epoch(5));
        envoy.reload(0);
        assert_eq!(envoy.epochs(), [None, Some(6)]);
        assert!(envoy.apply(&of_epoch(7)));
        assert_eq!(envoy.epochs(), [Some(7); 2]);
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
}
