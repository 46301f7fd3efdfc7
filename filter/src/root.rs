//! The root context: one for each configuration of a plugin, in each VM.
//!
//! Envoy runs `on_configure` first in a trial VM of the main thread, then on the main thread and on every
//! worker. A worker that fails it lets every request through unfiltered, so only the trial may fail: a VM
//! that has served before, or a configuration that the trial has accepted, never does. What comes by polling is
//! in [`polling`], verification beside requests in [`pending`].

mod pending;
mod polling;
#[cfg(test)]
mod tests;

use crate::activation::{Activations, Fingerprint};
use crate::config::{Configuration, Serving, Settings};
use crate::digits::to_hex;
use crate::events::{self, ConfigurationPart, log_configuration};
use crate::generation::{Generation, Served};
use crate::host::{Host, Level};
use crate::http::Http;
use crate::limits::Table;
use crate::metrics::Event;
use crate::node;
use crate::poll::Poller;
use crate::refusal::Refusal;
use crate::vm::Vm;
use crate::worker::Worker;
use pending::{Pending, Purpose};
use portcullis_bundle::layout::Header;
use portcullis_bundle::{Bundle, claims};
use std::rc::Rc;

/// Milliseconds between ticks, until the first one after an update, and nanoseconds between the housekeeping of two.
const TICK: u32 = 1000;
const SOON: u32 = 1;
const HOUSEKEEPING: u64 = 900_000_000;

/// A plugin as configured once.
#[derive(Debug)]
pub struct Root<H: Host> {
    vm: Rc<Vm<H>>,
    plugin: Rc<str>,
    /// Whether every request is refused, whatever the plugin serves.
    denies: bool,
    /// The fetches, where there is a source, and the settings that what they bring is served with.
    polling: Option<(Poller, Settings)>,
    /// A bundle that is verified while the plugin's current one serves.
    pending: Option<Pending>,
    /// This configuration's number in the VM.
    number: u64,
    /// The name of the policy that this configuration serves, once it serves one.
    serves: Option<Rc<str>>,
    /// The settings that it serves by, whichever configuration of the name brought the bundle: what they say of holding
    /// headers is true of its listener. None where they could not be read.
    settings: Option<Rc<Settings>>,
    /// What would serve here, where nothing does that could be found yet.
    wanted: Option<Box<Wanted>>,
    /// Whether the first tick came soon, and the next one need not.
    is_soon: bool,
    last_housekeeping: u64,
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
    /// What it was to be, where the bundle itself is sound.
    wanted: Option<Box<Wanted>>,
}

/// A policy, and the settings that it is to serve by.
#[derive(Clone, Debug)]
struct Wanted {
    policy: Rc<str>,
    settings: Rc<Settings>,
    /// What was kept when it was looked at last, and was none of it.
    unfit: Option<[u8; 32]>,
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        Refused { refusal, is_known: false, wanted: None }
    }
}

impl<H: Host> Root<H> {
    /// A root context that is not configured yet, and refuses every request.
    pub fn new(vm: Rc<Vm<H>>) -> Self {
        Root {
            vm,
            plugin: Rc::from(""),
            denies: true,
            polling: None,
            pending: None,
            number: 0,
            serves: None,
            settings: None,
            wanted: None,
            is_soon: false,
            last_housekeeping: 0,
        }
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
        let before = (Rc::clone(&self.plugin), self.number);
        self.plugin = plugin_name(host);
        Worker::prepare(host);
        Activations::prepare(host, &self.plugin);
        host.set_tick_period(TICK);
        let configuration = node::read(host)
            .and_then(|node| Configuration::read(host.plugin_configuration(), node));
        self.number = self.vm.configured(&self.plugin);
        self.vm.retire(&before.0, before.1);
        self.serves = self.vm.current(&self.plugin).map(|current| Rc::clone(&current.policy));
        let serving = match configuration {
            Ok(Configuration::Deny) => return self.deny(),
            Ok(Configuration::Serve(serving)) => *serving,
            Err(refusal) => return self.refuse(&refusal.into()),
        };
        self.settings = Some(Rc::new(serving.settings.clone()));
        match serving {
            Serving { bundle, settings, source: Some(source) } => {
                self.follow(source, bundle, settings, started)
            }
            Serving { bundle, settings, source: None } => {
                // Until it is verified, the last good one serves.
                self.denies = false;
                let is_update = self.serves.is_some();
                let bundle = bundle.unwrap_or_default();
                let is_taken = self.verify(bundle, settings, Purpose::Configured, started);
                if is_update && self.pending.is_none() {
                    self.tick_soon();
                }
                is_taken
            }
        }
    }

    /// Housekeeping. The trial VM never comes here, so what serves here is in force.
    pub fn on_tick(&mut self) {
        if !self.verify_further() {
            return;
        }
        self.poll();
        let now = self.vm.host.now();
        if !self.is_soon && now.abs_diff(self.last_housekeeping) < HOUSEKEEPING {
            return;
        }
        self.last_housekeeping = now;
        self.look_again();
        let serves = self.generation();
        if let Some(generation) = &serves {
            record(&self.vm, &self.plugin, generation);
            self.keep_bytes(generation);
        }
        // One that refuses everything does not speak for another filter of the name, which may serve.
        if serves.is_some() || self.vm.is_alone(&self.plugin, self.number) {
            self.vm.show(&self.plugin, serves.as_deref());
        }
        self.vm.tick();
        self.show_age();
        events::log_suppressed(&self.vm);
        if std::mem::take(&mut self.is_soon) {
            self.done();
        }
    }

    /// The configuration goes. Envoy's timer of its ticks would outlive it, as long as the VM lives, and nobody else would
    /// fetch until the lease of its fetch is over.
    pub fn on_done(&self) {
        self.vm.host.set_tick_period(0);
        self.give_lease_back();
    }

    /// After an update, records and keeps what serves at a tick of its own, at once: not here, since this may be the trial,
    /// whose configuration Envoy may still drop. The trial itself, a start and a VM made anew have nothing to hurry
    /// for: a VM whose ticks trap should not do so sooner.
    fn tick_soon(&mut self) {
        self.is_soon = true;
        self.vm.host.set_tick_period(SOON);
    }

    /// A context for one request.
    pub fn http(&self) -> Http<H> {
        Http::new(Rc::clone(&self.vm), Rc::clone(&self.plugin), self.generation())
    }

    #[cfg(test)]
    pub(crate) fn vm(&self) -> &Rc<Vm<H>> {
        &self.vm
    }

    fn generation(&self) -> Option<Served> {
        let generation = if self.denies { None } else { self.last_good() }?;
        Some(match &self.settings {
            Some(settings) => Served::by(settings, generation),
            None => Served::from(generation),
        })
    }

    /// What the plugin serves by now. A newer configuration may have brought it: connections that drain end by that, but
    /// not where it is another policy, since then two filters have one name, and neither may judge for the other. Where two
    /// filters poll one source, one of them fetches for both.
    fn last_good(&self) -> Option<Rc<Generation>> {
        let current = self.vm.current(&self.plugin)?;
        let is_own = match &self.serves {
            Some(policy) => *policy == current.policy,
            None => self.vm.is_newest(&self.plugin, self.number),
        };
        let is_own = is_own || self.follows(&current);
        is_own.then_some(current)
    }

    fn deny(&mut self) -> bool {
        self.denies = true;
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
        self.judge(bundle, settings)
    }

    /// Whether a verified bundle may serve here and now.
    fn judge(&self, bundle: Bundle, settings: Settings) -> Result<Loaded, Refused> {
        let fingerprint = self.fingerprint(&bundle, &settings);
        let memory = Activations::read(&self.vm.host, &self.plugin);
        let is_known = memory.knows(&fingerprint);
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
        let checked =
            bundle.check_activation(at, settings.minimum_epoch, settings.audience.as_deref());
        let mut refusal = checked.err().map(Refusal::from);
        if let Some((activated, _)) = memory.highest
            && refusal.is_none()
            && bundle.is_signed()
            && !serves_already
        {
            if epoch < activated {
                refusal = Some(Refusal::EpochLower { found: epoch, activated });
            }
            if epoch == activated {
                refusal = Some(Refusal::EpochReused { epoch });
            }
        }
        let mut generation = Generation::new(bundle, settings);
        match refusal {
            None => Ok(Loaded { generation, fingerprint, is_known }),
            Some(refusal) => {
                // A worker must not fail for what was accepted so long ago that it is forgotten. What is newer than all
                // that served was not.
                let may_be_forgotten = !refusal.is_deterministic()
                    && memory.is_full()
                    && memory.highest.is_some_and(|(highest, _)| epoch <= highest);
                Rc::make_mut(&mut generation.brought_with).force_monitor_until = None;
                let (policy, settings) = (generation.policy, generation.brought_with);
                Err(Refused {
                    refusal,
                    is_known: is_known || may_be_forgotten,
                    wanted: Some(Box::new(Wanted { policy, settings, unfit: None })),
                })
            }
        }
    }

    fn activate(&mut self, loaded: Loaded, started: u64) {
        let Loaded { generation, fingerprint, is_known } = loaded;
        if !is_known {
            Activations::accept(&self.vm.host, &self.plugin, fingerprint);
            self.vm.metrics().count_event(Event::ConfigurationAccepted, 1);
        }
        self.serve(generation, is_known, started);
    }

    /// Serves a generation from the next request on. `is_known` says that another VM told of it.
    fn serve(&mut self, mut generation: Generation, is_known: bool, started: u64) {
        self.prepare_table(&mut generation);
        generation.brought_by = self.number;
        let vm = &self.vm;
        let asks = generation.brought_with.force_monitor_until.is_some();
        if asks && !generation.break_glass {
            vm.metrics().count_event(Event::BreakGlassRefused, 1);
            let content = ConfigurationPart {
                outcome: "break-glass-refused",
                plugin: &self.plugin,
                detail: Some("the bundle does not permit `force_monitor_until`".to_owned()),
                ..ConfigurationPart::default()
            };
            log_configuration(&vm.host, Level::Error, content);
        }
        vm.metrics().count_event(Event::ConfigurationActivated, 1);
        let level = if is_known { Level::Debug } else { Level::Info };
        let generation = Rc::new(generation);
        let forced = Served::from(Rc::clone(&generation)).forces_monitor(|| vm.host.now());
        let content = ConfigurationPart {
            outcome: if forced { "break-glass" } else { "accepted" },
            plugin: &self.plugin,
            epoch: Some(generation.epoch),
            content_hash: Some(to_hex(&generation.content_hash)),
            load_us: Some(vm.host.now().saturating_sub(started) / 1000),
            ..ConfigurationPart::default()
        };
        log_configuration(&vm.host, if forced { Level::Error } else { level }, content);
        self.denies = false;
        self.serves = Some(Rc::clone(&generation.policy));
        vm.activate(&self.plugin, generation);
    }

    /// Finds or makes the table that a generation counts in. Before other VMs are told of the generation: two that make the
    /// table would count by two keys.
    fn prepare_table(&self, generation: &mut Generation) {
        let Some(blocks) = generation.blocks().filter(|_| generation.table.is_none()) else {
            return;
        };
        let hash = &generation.content_hash;
        let (table, fits) = Table::prepare(&self.vm.host, &self.plugin, blocks, hash);
        if !fits {
            self.vm.metrics().count_event(Event::LimitTableKept, 1);
        }
        generation.table = Some(table);
    }

    /// Vetoes where this may be the trial; keeps what serves, or refuses every request, where it
    /// cannot be.
    fn refuse(&mut self, refused: &Refused) -> bool {
        let current = self.vm.current(&self.plugin);
        let is_trial = current.is_none() && !refused.is_known;
        let current = if is_trial {
            None
        } else {
            current.or_else(|| refused.wanted.clone().and_then(|wanted| self.restored(wanted)))
        };
        let vm = &self.vm;
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
        self.forces_no_monitor();
        self.denies = current.is_none();
        !is_trial
    }

    /// A configuration that is refused switches nothing off either.
    fn forces_no_monitor(&mut self) {
        if let Some(settings) = &mut self.settings {
            Rc::make_mut(settings).force_monitor_until = None;
        }
    }

    /// What the other VMs serve, where this one was made anew and its configuration is none that they took: Envoy holds
    /// an older one for the newest where it was put back as it was.
    fn restored(&mut self, mut wanted: Box<Wanted>) -> Option<Rc<Generation>> {
        let started = self.vm.host.now();
        let bytes = Activations::kept(&self.vm.host, &self.plugin);
        let release = bytes.as_deref().map(|bytes| claims(bytes).unwrap_or_default().1);
        let bytes = bytes.filter(|_| release != wanted.unfit);
        let loaded =
            bytes.and_then(|bytes| self.load(bytes, Settings::clone(&wanted.settings)).ok());
        match loaded.filter(|loaded| loaded.generation.policy == wanted.policy) {
            Some(loaded) => {
                self.serve(loaded.generation, true, started);
                self.vm.current(&self.plugin)
            }
            None => {
                // The others may not have kept it yet.
                wanted.unfit = release;
                self.wanted = Some(wanted);
                None
            }
        }
    }

    /// Serves what the plugin serves by now, where there was nothing to serve when this was configured.
    fn look_again(&mut self) {
        self.adopt();
        let Some(wanted) = self.wanted.take() else { return };
        match self.vm.current(&self.plugin) {
            Some(current) if current.policy == wanted.policy => {
                self.denies = false;
                self.serves = Some(wanted.policy);
            }
            None if self.vm.is_newest(&self.plugin, self.number) => drop(self.restored(wanted)),
            _ => self.wanted = Some(wanted),
        }
    }

    /// Keeps the bytes of what serves; what was polled lies in shared data already. A VM that lags behind does not put an
    /// older bundle in the place of a newer one.
    fn keep_bytes(&self, generation: &Generation) {
        let is_current =
            self.vm.current(&self.plugin).is_some_and(|it| it.release == generation.release);
        if generation.polled_by.get().is_some() || !is_current || generation.kept.get() {
            return;
        }
        if let Ok(bundle) = generation.bundle.try_borrow()
            && let Some(bundle) = bundle.as_ref()
        {
            let (host, release) = (&self.vm.host, &generation.release);
            let highest = Activations::read(host, &self.plugin).highest;
            let is_behind = highest.is_some_and(|(highest, _)| highest > generation.epoch);
            let is_kept = bundle.is_signed() && is_behind
                || Activations::keep(host, &self.plugin, release, bundle.as_bytes());
            generation.kept.set(is_kept);
        }
    }

    /// Names a configuration: this module and VM, the settings, and the bundle by its header.
    fn fingerprint(&self, bundle: &Bundle, settings: &Settings) -> Fingerprint {
        let mut hasher = blake3::Hasher::new();
        hasher.update(env!("CARGO_PKG_VERSION").as_bytes());
        hasher.update(&self.vm.configuration.get());
        hasher.update(bundle.as_bytes().get(..size_of::<Header>()).unwrap_or_default());
        settings.hash_into(&mut hasher);
        hasher.finalize().as_bytes().first_chunk().copied().unwrap_or_default()
    }
}

impl<H: Host> Drop for Root<H> {
    fn drop(&mut self) {
        // Envoy may drop a listener whose filter it has made already, for what stands behind that.
        if self.vm.is_newest(&self.plugin, self.number) {
            self.vm.take_back(&self.plugin, self.number);
        }
        self.vm.retire(&self.plugin, self.number);
    }
}

/// Records that a generation serves, once for each VM. What is not signed has no order.
pub fn record<H: Host>(vm: &Vm<H>, plugin: &str, generation: &Generation) {
    if generation.set_recorded() && generation.is_signed {
        Activations::serve(&vm.host, plugin, generation.epoch, generation.content_hash);
    }
}

/// The plugin's `name` and `root_id` as the configuration gives them.
fn plugin_name(host: &impl Host) -> Rc<str> {
    let read = |property: &str| {
        let value = host.property(&[property]).unwrap_or_default();
        String::from_utf8_lossy(&value).trim_end_matches('\0').to_owned()
    };
    name_of(&read("plugin_name"), &read("plugin_root_id"))
}

/// What epochs, bundles and tables go by. Envoy before 1.40 remembers which configurations a root refused, so whoever
/// delivers one again puts a number behind `#` in `root_id`: it is no part of the name.
fn name_of(name: &str, root_id: &str) -> Rc<str> {
    let root_id = root_id.split('#').next().unwrap_or_default();
    if name == root_id || root_id.is_empty() {
        Rc::from(name)
    } else {
        Rc::from([name, root_id].join("/"))
    }
}
