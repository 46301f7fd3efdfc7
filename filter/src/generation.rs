//! Bundles that serve: the current one of each plugin, and older ones for as long as a request that
//! they began to judge needs them.

use crate::config::Settings;
use crate::delegation::{self, Breaker};
use crate::limits::Table;
use portcullis_bundle::layout::{SchemeKind, Target, View};
use portcullis_bundle::{Bundle, claims};
use std::cell::{Cell, RefCell};
use std::ops::Deref;
use std::rc::{Rc, Weak};

/// Bundles of a plugin alive in one VM, at most. Beyond, the oldest is taken from the requests that hold it, and
/// these are refused.
pub const MAX_GENERATIONS: usize = 8;

/// One activated configuration.
#[derive(Debug)]
pub struct Generation {
    /// The bundle; `None` once revoked.
    pub bundle: RefCell<Option<Bundle>>,
    /// The settings of the configuration that brought it.
    pub brought_with: Rc<Settings>,
    /// The policy's name.
    pub policy: Rc<str>,
    /// The bundle's epoch.
    pub epoch: u64,
    /// Until when the bundle may be activated, in Unix seconds; `None` for always.
    pub not_after: Option<i64>,
    /// The bundle's content hash.
    pub content_hash: [u8; 32],
    /// Names the bundle among all: content, epoch, key and validity.
    pub release: [u8; 32],
    /// Whether the bundle permits break-glass.
    pub break_glass: bool,
    /// Whether an operation asks for a client certificate.
    pub asks_certificate: bool,
    /// Whether something in the bundle expires while it serves.
    pub keeps_time: bool,
    /// Whether a rule looks at the version of HTTP.
    pub asks_protocol: bool,
    /// Whether a rule looks at the address that the connection is from.
    pub asks_client: bool,
    /// Names the source that has it, and the trust that it was published by, once this is known.
    pub polled_by: Cell<Option<[u8; 16]>>,
    /// Whether the epoch is recorded as served.
    recorded: Cell<bool>,
    /// Whether its bytes are kept for VMs that are made anew.
    pub kept: Cell<bool>,
    /// Whether it is signed: then its epoch has an order.
    pub is_signed: bool,
    /// The number of the configuration that brought it to this VM.
    pub brought_by: u64,
    /// What it took the place of, until it is recorded.
    former: RefCell<Option<Rc<Generation>>>,
    /// The table that limits are counted in, where the bundle has any.
    pub table: Option<Table>,
    /// The key that callers are told to a service by, where limits are delegated to one.
    pub service_key: Option<[u64; 2]>,
    /// Whether that service is asked at the moment. Of each generation: others may ask another service.
    pub breaker: Breaker,
}

impl Generation {
    /// Whether its bundle has not been taken from it.
    pub fn has_bundle(&self) -> bool {
        self.bundle.try_borrow().is_ok_and(|bundle| bundle.is_some())
    }

    /// A generation of a bundle that passed every check.
    pub fn new(bundle: Bundle, settings: Settings) -> Generation {
        let policy = bundle.view().policy.first().copied();
        let is_signed = bundle.is_signed();
        Generation {
            policy: Rc::from(policy.map_or("", |policy| bundle.view().text(policy.name))),
            epoch: bundle.header().epoch.get(),
            not_after: Some(bundle.header().not_after.get()).filter(|time| *time < i64::MAX),
            content_hash: bundle.header().content_hash,
            release: claims(bundle.as_bytes()).unwrap_or_default().1,
            break_glass: policy.is_some_and(|policy| policy.break_glass == 1),
            keeps_time: !bundle.view().exceptions.is_empty(),
            asks_client: looks_at(&bundle.view(), Target::Client),
            asks_protocol: [Target::Protocol, Target::RequestLine]
                .into_iter()
                .any(|target| looks_at(&bundle.view(), target)),
            asks_certificate: bundle
                .view()
                .security_schemes
                .iter()
                .any(|scheme| scheme.kind == SchemeKind::MutualTls.code()),
            service_key: bundle.view().limit_services.first().map(|service| {
                let domain = bundle.view().text(service.domain);
                delegation::key(settings.caller_key.as_deref(), domain)
            }),
            bundle: RefCell::new(Some(bundle)),
            brought_with: Rc::new(settings),
            polled_by: Cell::new(None),
            recorded: Cell::new(false),
            kept: Cell::new(false),
            is_signed,
            brought_by: 0,
            former: RefCell::default(),
            table: None,
            breaker: Breaker::default(),
        }
    }

    /// From now on it stays, whatever becomes of the configuration that brought it. False where that was so before.
    pub fn set_recorded(&self) -> bool {
        let is_first = !self.recorded.replace(true);
        if is_first {
            self.replaces(None);
        }
        is_first
    }

    /// Notes what it took the place of. Gives what was noted before.
    fn replaces(&self, generation: Option<Rc<Generation>>) -> Option<Rc<Generation>> {
        let mut former = self.former.try_borrow_mut().ok()?;
        std::mem::replace(&mut former, generation)
    }

    /// Blocks of the table of counts that the bundle asks for; `None` where it has no limits.
    pub fn blocks(&self) -> Option<u32> {
        let bundle = self.bundle.try_borrow().ok()?;
        bundle.as_ref()?.view().limit_tables.first().map(|table| table.blocks.get())
    }
}

/// A generation as one configuration serves it. Two filters of one name serve one policy, each by settings of its own:
/// whether headers can be held is a matter of the listener.
#[derive(Clone, Debug)]
pub struct Served {
    generation: Rc<Generation>,
    /// The settings that it is served by.
    pub settings: Rc<Settings>,
}

impl Served {
    /// A generation served by other settings than those that it was brought with.
    pub fn by(settings: &Rc<Settings>, generation: Rc<Generation>) -> Served {
        Served { generation, settings: Rc::clone(settings) }
    }

    /// Whether refusals are suspended at a time, in nanoseconds since the Unix epoch. The clock is asked
    /// only where break-glass is on.
    pub fn forces_monitor(&self, now: impl FnOnce() -> u64) -> bool {
        self.break_glass && self.settings.force_monitor_until.is_some_and(|until| now() < until)
    }
}

impl From<Rc<Generation>> for Served {
    fn from(generation: Rc<Generation>) -> Served {
        Served { settings: Rc::clone(&generation.brought_with), generation }
    }
}

impl Deref for Served {
    type Target = Generation;

    fn deref(&self) -> &Generation {
        &self.generation
    }
}

/// The generations of one VM.
#[derive(Debug, Default)]
pub struct Generations {
    current: Vec<(Rc<str>, Rc<Generation>)>,
    /// Of every plugin, the oldest first.
    alive: Vec<(Rc<str>, Weak<Generation>)>,
}

impl Generations {
    /// The bundle that a plugin serves.
    pub fn current(&self, plugin: &str) -> Option<Rc<Generation>> {
        let (_, generation) = self.current.iter().find(|(name, _)| **name == *plugin)?;
        Some(Rc::clone(generation))
    }

    /// Makes a generation the current one of a plugin. Gives back how many bundles were taken from
    /// requests that still needed them.
    pub fn activate(&mut self, plugin: &Rc<str>, generation: Rc<Generation>) -> u64 {
        self.alive.push((Rc::clone(plugin), Rc::downgrade(&generation)));
        match self.current.iter_mut().find(|(name, _)| name == plugin) {
            Some((_, current)) => {
                let before = std::mem::replace(current, generation);
                before.replaces(None);
                current.replaces(Some(before));
            }
            None => self.current.push((Rc::clone(plugin), generation)),
        }
        self.revoke_oldest(plugin)
    }

    /// A configuration is gone before what it brought was recorded: what served before serves on. Whether it does.
    pub fn take_back(&mut self, plugin: &str, number: u64) -> bool {
        let Some((_, current)) = self.current.iter_mut().find(|(name, _)| **name == *plugin) else {
            return false;
        };
        if current.brought_by != number || current.recorded.get() {
            return false;
        }
        let former = current.replaces(None).filter(|former| former.has_bundle());
        former.map(|former| *current = former).is_some()
    }

    /// How many bundles are alive.
    pub fn alive(&self) -> usize {
        self.alive.iter().filter(|(_, weak)| has_bundle(weak)).count()
    }

    /// Takes bundles from requests until the plugin has no more than it may have; others' are none of its business.
    fn revoke_oldest(&mut self, plugin: &Rc<str>) -> u64 {
        self.alive.retain(|(_, weak)| has_bundle(weak));
        // The current one is the newest.
        let own = self.alive.iter().filter(|(name, _)| name == plugin);
        let own: Vec<_> = own.filter_map(|(_, weak)| weak.upgrade()).collect();
        let oldest = own.iter().take(own.len().saturating_sub(MAX_GENERATIONS));
        let taken = oldest.filter_map(|it| it.bundle.try_borrow_mut().ok()?.take());
        u64::try_from(taken.count()).unwrap_or(0)
    }
}

fn has_bundle(weak: &Weak<Generation>) -> bool {
    weak.upgrade().is_some_and(|generation| generation.has_bundle())
}

/// Whether a rule of a bundle looks at a target.
fn looks_at(view: &View<'_>, target: Target) -> bool {
    let words = view.attacks.first().map_or(0, |attacks| usize::from(attacks.set_words));
    let first = words.saturating_mul(usize::from(target.code()));
    let own = view.matcher_sets.get(first..first.saturating_add(words)).unwrap_or_default();
    own.iter().any(|word| word.get() != 0)
}
