//! What all contexts of one VM share. It outlives configurations, and is lost when the VM is.

use crate::events::Limiter;
use crate::generation::{Generation, Generations};
use crate::host::{Host, Metric, MetricKind};
use crate::metrics::{Event, Metrics};
use crate::worker::{WORKERS, Worker};
use portcullis_engine::attack::Shared;
use portcullis_engine::exchange::Exchange;
use std::cell::{Cell, OnceCell, RefCell};
use std::rc::Rc;

/// Exchanges kept for the next requests; more than run at once in one worker are dropped.
const POOLED: usize = 32;

/// The state of one VM.
#[derive(Debug)]
pub struct Vm<H: Host> {
    /// The proxy.
    pub host: H,
    /// The rate of log lines.
    pub limiter: Limiter,
    /// Hash of the VM's configuration, which with the module decides which VM this is.
    pub configuration: Cell<[u8; 32]>,
    metrics: OnceCell<Metrics<H>>,
    generations: RefCell<Generations>,
    #[expect(clippy::vec_box, reason = "an exchange is large: taking one must not copy it")]
    exchanges: RefCell<Vec<Box<Exchange>>>,
    /// What all exchanges have learnt of the bundle.
    shared: Shared,
    worker: Worker,
    gauges: RefCell<Vec<(Rc<str>, Option<Metric>)>>,
    /// The configurations of each plugin that came to this VM.
    configured: RefCell<Vec<Configured>>,
}

/// The configurations of a plugin, by number.
#[derive(Debug)]
struct Configured {
    plugin: Rc<str>,
    count: u64,
    /// Those that are there, the newest last.
    alive: Vec<u64>,
    /// The highest epoch that one of them began to verify, and which one, the last of several.
    begun: (u64, u64),
}

impl<H: Host> Vm<H> {
    /// A VM that has seen nothing.
    pub fn new(host: H) -> Rc<Self> {
        Rc::new(Vm {
            host,
            limiter: Limiter::default(),
            configuration: Cell::default(),
            metrics: OnceCell::new(),
            generations: RefCell::default(),
            exchanges: RefCell::default(),
            shared: Shared::default(),
            worker: Worker::default(),
            gauges: RefCell::default(),
            configured: RefCell::default(),
        })
    }

    /// Gives a number to a new configuration of a plugin.
    pub fn configured(&self, plugin: &Rc<str>) -> u64 {
        let Ok(mut all) = self.configured.try_borrow_mut() else { return 0 };
        if let Some(known) = all.iter_mut().find(|known| known.plugin == *plugin) {
            known.count = known.count.saturating_add(1);
            known.alive.push(known.count);
            return known.count;
        }
        let plugin = Rc::clone(plugin);
        all.push(Configured { plugin, count: 1, alive: vec![1], begun: (0, 0) });
        1
    }

    /// Takes note that a configuration begins to verify a bundle of an epoch.
    pub fn begins(&self, plugin: &str, number: u64, epoch: u64) {
        let Ok(mut all) = self.configured.try_borrow_mut() else { return };
        if let Some(known) = all.iter_mut().find(|known| *known.plugin == *plugin) {
            known.begun = known.begun.max((epoch, number));
        }
    }

    /// Whether no newer configuration of the plugin has begun to verify a bundle as new, or a newer one.
    pub fn has_begun_newest(&self, plugin: &str, number: u64) -> bool {
        let Ok(all) = self.configured.try_borrow() else { return false };
        all.iter().any(|known| *known.plugin == *plugin && known.begun.1 == number)
    }

    /// Forgets a configuration that is gone: whichever is the newest then goes on in its place.
    pub fn retire(&self, plugin: &str, number: u64) {
        let Ok(mut all) = self.configured.try_borrow_mut() else { return };
        let Some(known) = all.iter_mut().find(|known| *known.plugin == *plugin) else { return };
        known.alive.retain(|it| *it != number);
        if known.alive.is_empty() {
            self.clear_age(plugin);
            self.clear(&until_key(plugin));
            // This one's, and those of workers that are no more, which it has set as its own.
            for index in 0..WORKERS {
                self.clear(&epoch_key(plugin, &index.to_string()));
            }
        }
    }

    /// Whether there is no newer configuration of the plugin in this VM.
    pub fn is_newest(&self, plugin: &str, number: u64) -> bool {
        let Ok(all) = self.configured.try_borrow() else { return false };
        let known = all.iter().find(|known| *known.plugin == *plugin);
        known.is_some_and(|known| known.alive.last() == Some(&number))
    }

    /// Whether there is no other configuration of the plugin in this VM.
    pub fn is_alone(&self, plugin: &str, number: u64) -> bool {
        let Ok(all) = self.configured.try_borrow() else { return false };
        all.iter().any(|known| *known.plugin == *plugin && known.alive == [number])
    }

    /// This VM's index among the workers, once it serves requests.
    pub fn worker(&self) -> Option<u8> {
        self.worker.index()
    }

    /// Sets the gauge of how old a plugin's policy may be.
    pub fn show_age(&self, plugin: &str, seconds: u64) {
        let name = || ["portcullis.poll.age-seconds.", &label(plugin)].concat();
        self.set_gauge(&age_key(plugin), seconds, name);
    }

    /// The same where the plugin polls no more: Envoy never takes a metric away.
    pub fn clear_age(&self, plugin: &str) {
        self.clear(&age_key(plugin));
    }

    /// Sets the gauges of what a plugin serves, or that it refuses everything: this worker's, and those of workers that are
    /// no more, since what they served is nobody's epoch any more.
    pub fn show(&self, plugin: &Rc<str>, serves: Option<&Generation>) {
        self.show_expiry(plugin, serves.and_then(|generation| generation.not_after));
        let Some(index) = self.worker.index() else { return };
        let epoch = serves.map_or(0, |generation| generation.epoch);
        self.show_worker(plugin, index, epoch, self.alive());
        for index in self.worker.abandoned(&self.host) {
            self.show_worker(plugin, index, epoch, 0);
        }
    }

    /// Sets the gauge of when a plugin's policy expires, in Unix seconds; 0 where it never does.
    fn show_expiry(&self, plugin: &str, not_after: Option<i64>) {
        let time = not_after.map_or(0, |time| u64::try_from(time).unwrap_or(0));
        let name = || ["portcullis.valid-until.", &label(plugin)].concat();
        self.set_gauge(&until_key(plugin), time, name);
    }

    /// The metrics, defined when first asked for.
    pub fn metrics(&self) -> &Metrics<H> {
        self.metrics.get_or_init(|| Metrics::define(self.host.clone()))
    }

    /// The bundle that a plugin serves, if any.
    pub fn current(&self, plugin: &str) -> Option<Rc<Generation>> {
        self.generations.try_borrow().ok()?.current(plugin)
    }

    /// Makes a generation the one that a plugin serves from the next request on.
    pub fn activate(&self, plugin: &Rc<str>, generation: Rc<Generation>) {
        if let Ok(mut generations) = self.generations.try_borrow_mut() {
            let revoked = generations.activate(plugin, generation);
            if revoked > 0 {
                self.metrics().count_event(Event::GenerationRevoked, revoked);
            }
        }
        self.show_epoch(plugin);
    }

    /// Takes a generation back that a configuration brought which is gone before anybody was judged by it.
    pub fn take_back(&self, plugin: &Rc<str>, number: u64) {
        let generations = self.generations.try_borrow_mut();
        if generations.is_ok_and(|mut generations| generations.take_back(plugin, number)) {
            self.show_epoch(plugin);
        }
    }

    /// Says that this VM serves requests: claims a worker's index, the first time.
    pub fn serves(&self, plugin: &Rc<str>) {
        if self.worker.claim(&self.host) {
            self.show_epoch(plugin);
        }
    }

    /// Housekeeping, about once a second.
    pub fn tick(&self) {
        self.worker.tick(&self.host);
    }

    /// An exchange for a request.
    pub fn take_exchange(&self) -> Box<Exchange> {
        let pooled = self.exchanges.try_borrow_mut().ok().and_then(|mut pool| pool.pop());
        pooled.unwrap_or_else(|| Box::new(Exchange::sharing(&self.shared)))
    }

    /// Keeps an exchange for a later request.
    pub fn give_back(&self, mut exchange: Box<Exchange>) {
        exchange.reset();
        if let Ok(mut pool) = self.exchanges.try_borrow_mut()
            && pool.len() < POOLED
        {
            pool.push(exchange);
        }
    }

    /// Sets the gauges of this worker: the epoch that the plugin serves, and how many bundles are alive.
    fn show_epoch(&self, plugin: &Rc<str>) {
        let Some(index) = self.worker.index() else { return };
        let epoch = self.current(plugin).map_or(0, |generation| generation.epoch);
        self.show_worker(plugin, index, epoch, self.alive());
    }

    /// How many bundles are alive.
    fn alive(&self) -> u64 {
        let alive = self.generations.try_borrow().map_or(0, |generations| generations.alive());
        u64::try_from(alive).unwrap_or(0)
    }

    fn show_worker(&self, plugin: &Rc<str>, index: u8, epoch: u64, alive: u64) {
        let worker = index.to_string();
        self.set_gauge(&epoch_key(plugin, &worker), epoch, || {
            ["portcullis.epoch.", &label(plugin), ".worker.", &worker].concat()
        });
        let all = Rc::from(&*worker);
        self.set_gauge(&all, alive, || ["portcullis.generations.worker.", &worker].concat());
    }

    /// Sets a gauge to 0, if this VM has ever set it.
    fn clear(&self, key: &str) {
        let Ok(gauges) = self.gauges.try_borrow() else { return };
        if let Some((_, Some(metric))) = gauges.iter().find(|(known, _)| **known == *key) {
            self.host.set_metric(*metric, 0);
        }
    }

    fn set_gauge(&self, key: &Rc<str>, value: u64, name: impl FnOnce() -> String) {
        let Ok(mut gauges) = self.gauges.try_borrow_mut() else { return };
        let known = gauges.iter().find(|(known, _)| known == key).map(|(_, metric)| *metric);
        let metric = known.unwrap_or_else(|| {
            let metric = self.host.define_metric(MetricKind::Gauge, &name());
            gauges.push((Rc::clone(key), metric));
            metric
        });
        if let Some(metric) = metric {
            self.host.set_metric(metric, value);
        }
    }
}

// What the gauges of a plugin go by in a VM.

fn age_key(plugin: &str) -> Rc<str> {
    Rc::from(["age ", plugin].concat())
}

fn until_key(plugin: &str) -> Rc<str> {
    Rc::from(["until ", plugin].concat())
}

fn epoch_key(plugin: &str, worker: &str) -> Rc<str> {
    Rc::from([worker, " ", plugin].concat())
}

/// A plugin's name as part of a metric's name.
fn label(plugin: &str) -> String {
    plugin.chars().map(|c| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' }).collect()
}
