//! Fetches bundles through an Envoy cluster: one fetch for all workers of a process.
//!
//! Every VM that ticks keeps a [`Poller`]. Whichever takes the lease in shared data fetches, verifies and publishes
//! the bundle's bytes there; the others see at their next tick that something new is published, verify it
//! themselves and swap. Who tries a configuration first (Envoy's trial VM) never ticks, and so never fetches.
//! In: the configuration's [`Source`] and the host. Out: bytes to activate. Verification is the root context's.

pub mod answer;
pub mod record;
pub mod schedule;
pub mod source;

use crate::host::Host;
use crate::refusal::Reason;
use crate::worker;
use answer::Failure;
use record::Record;
pub use source::{Source, SourceDocument};

/// Milliseconds between ticks where there is something to poll: how late a worker sees what is published.
pub const TICK: u32 = 200;
/// Milliseconds that the lease outlives the fetch.
const MARGIN: u64 = 2000;
/// Milliseconds by which a worker that serves requests lets others go first.
const GRACE: u64 = 1000;
/// Milliseconds between two fetches, or the interval where that is shorter, while filters of one name disagree on the source.
const DISAGREEMENT: u64 = 5000;
/// While a bundle is verified in slices the lease is renewed so often, and for so long.
const RENEWED: u64 = 1000;
const RENEWED_FOR: u64 = 60_000;

/// The fetches of one root context.
#[derive(Debug)]
pub struct Poller {
    /// Where and how often.
    pub source: Source,
    /// Names the source and everything that decides on what it brings.
    pub identity: [u8; 16],
    plugin: String,
    key: String,
    bundle_key: String,
    /// The node's id, encoded.
    gateway: String,
    /// The publication that this VM has seen.
    seen: u64,
    /// The fetch that this VM waits for: Envoy's token, the number of the lease, and whether an entity tag was sent.
    call: Option<(u32, u64, bool)>,
    /// When the lease was renewed last.
    renewed: u64,
    /// What other VMs were told of this worker: its index, and the epoch that it serves.
    told: Option<(u8, Option<u64>)>,
}

/// What a fetch came to, for all VMs to know.
#[derive(Debug)]
pub enum Outcome<'a> {
    /// 304: what is published, or was refused, is what the store has.
    Unchanged,
    /// The store has what is published already, under this entity tag.
    Confirmed(&'a [u8]),
    /// A new bundle: epoch, release, bytes, entity tag.
    New(u64, [u8; 32], &'a [u8], &'a [u8]),
    /// A bundle that may not serve: its epoch, why, and the entity tag where the store need not send it again.
    Refused(u64, Reason, &'a [u8]),
    /// Nothing of use, and the milliseconds that the store asks to wait.
    Failed(Failure, Option<u64>),
}

/// What the end of a fetch means beyond itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ended {
    /// Whether the lease was still this VM's: otherwise nothing was changed.
    pub counts: bool,
    /// Failures in a row, after this fetch.
    pub failures: u64,
    /// Failures in a row before it.
    pub failures_before: u64,
    /// Whether the same refusal was there before.
    pub is_known: bool,
}

impl Poller {
    /// A poller for a plugin; `identity` names the source and everything that decides on what it brings.
    pub fn new(host: &impl Host, plugin: &str, source: Source, identity: [u8; 16]) -> Poller {
        let key = ["portcullis.source.", plugin].concat();
        // The trial VM comes here first, so that nobody else writes without a version to replace.
        if host.shared(&key).is_none() {
            Record::update(host, &key, |_| true);
        }
        worker::prepare_epochs(host, plugin);
        Poller {
            source,
            identity,
            plugin: plugin.to_owned(),
            bundle_key: ["portcullis.bundle.", plugin].concat(),
            key,
            gateway: source::encode_id(&host.property(&["xds", "node", "id"]).unwrap_or_default()),
            seen: 0,
            call: None,
            renewed: 0,
            told: None,
        }
    }

    /// The bundle that is published, where it is not the one that this VM serves and has not been given
    /// out before. What was published for another source or other settings is passed over.
    pub fn published(&mut self, host: &impl Host, serves: Option<[u8; 32]>) -> Option<Vec<u8>> {
        let (record, _) = Record::read(host, &self.key);
        if record.publisher == self.identity { self.unseen(host, &record, serves) } else { None }
    }

    /// The same, whatever source and settings it was published for: the last good one, where these have changed.
    pub fn published_by_any(
        &mut self,
        host: &impl Host,
        serves: Option<[u8; 32]>,
    ) -> Option<Vec<u8>> {
        let (record, _) = Record::read(host, &self.key);
        self.unseen(host, &record, serves)
    }

    fn unseen(
        &mut self,
        host: &impl Host,
        record: &Record,
        serves: Option<[u8; 32]>,
    ) -> Option<Vec<u8>> {
        if record.sequence == self.seen {
            return None;
        }
        self.seen = record.sequence;
        if serves == Some(record.release) {
            return None;
        }
        host.shared(&self.bundle_key).map(|(bytes, _)| bytes)
    }

    /// Fetches, if that is due and nobody else does. `serves` says whether this VM serves requests.
    /// Gives back the failure of a fetch that could not begin; [`Self::end`] must be told.
    pub fn fetch(&mut self, host: &impl Host, serves: bool) -> Fetch {
        let now = milliseconds(host);
        let timeout = self.lease();
        let chance = self.chance(host);
        let farthest = self.source.interval.max(schedule::LONGEST).saturating_mul(2);
        let mut lease = Record::default();
        let mut is_taken = false;
        let mut abandoned = None;
        let is_written = Record::update(host, &self.key, |record| {
            // Another VM may have written since the last round.
            (is_taken, abandoned) = (false, None);
            let is_new = record.source != self.identity;
            if is_new {
                // VMs that follow different sources under one name must not ask one after the other at every tick.
                let gap = self.source.interval.min(DISAGREEMENT);
                if now.abs_diff(record.contact) < gap {
                    return false;
                }
                record.source = self.identity;
                // Whoever fetches for the former one is not to write its entity tag here.
                record.term = record.term.wrapping_add(1);
                record.etag.clear();
                (record.lease_until, record.next, record.failures) = (0, now, 0);
                (record.contact, record.is_refused) = (now, false);
            }
            // A time that is too far ahead is of a clock that has been set back since.
            let passed = |time: u64, most: u64| time <= now || time > now.saturating_add(most);
            let grace = if serves { GRACE } else { 0 };
            let is_over = passed(record.lease_until, timeout);
            if is_over && record.lease_until > 0 {
                // What ends its VM with every answer must not be fetched at once by the next one.
                record.lease_until = 0;
                record.failures = record.failures.saturating_add(1);
                record.next = now.saturating_add(self.after_failure(record, None, chance));
                abandoned = Some(record.failures);
                return true;
            }
            is_taken = is_over && passed(record.next.saturating_add(grace), farthest);
            if is_taken {
                record.term = record.term.wrapping_add(1);
                record.lease_until = now.saturating_add(timeout);
                lease = record.clone();
            }
            is_new || is_taken
        });
        if let Some(failures) = abandoned.filter(|_| is_written) {
            return Fetch::Abandoned(failures);
        }
        if !(is_written && is_taken) {
            return Fetch::NotDue;
        }
        match self.send(host, &lease) {
            Some(token) => {
                self.call = Some((token, lease.term, !lease.etag.is_empty()));
                Fetch::Sent
            }
            None => {
                self.call = None;
                Fetch::Failed(lease.term)
            }
        }
    }

    fn send(&self, host: &impl Host, record: &Record) -> Option<u32> {
        let workers = worker::epochs(host, &self.plugin);
        let refused = self.refused(record);
        let etag = std::str::from_utf8(&record.etag).unwrap_or_default();
        let fields = [
            (":method", "GET"),
            (":path", &self.source.path),
            (":authority", &self.source.authority),
            ("accept", "application/vnd.portcullis.bundle"),
            ("portcullis-version", env!("CARGO_PKG_VERSION")),
            ("portcullis-gateway", &self.gateway),
            ("portcullis-labels", &self.source.labels),
            ("portcullis-workers", &workers),
            ("portcullis-refused", &refused),
            ("if-none-match", etag),
        ];
        let fields: Vec<_> = fields.into_iter().filter(|(_, value)| !value.is_empty()).collect();
        host.call(&self.source.cluster, &fields, self.source.timeout)
    }

    /// `EPOCH;REASON` of the bundle that was refused last.
    fn refused(&self, record: &Record) -> String {
        let reason = usize::try_from(record.refused_reason).ok().and_then(|it| Reason::ALL.get(it));
        match reason {
            Some(reason) if record.is_refused => {
                [&record.refused_epoch.to_string(), ";", reason.name()].concat()
            }
            _ => String::new(),
        }
    }

    /// The number of the lease, where this VM waits for that answer, and whether an entity tag was sent.
    pub fn awaited(&mut self, token: u32) -> Option<(u64, bool)> {
        let (_, term, has_tag) = self.call.take_if(|(awaited, ..)| *awaited == token)?;
        Some((term, has_tag))
    }

    /// Milliseconds that a lease lasts.
    fn lease(&self) -> u64 {
        self.source.timeout.saturating_add(MARGIN)
    }

    /// Keeps the lease while a bundle that came at `started` (nanoseconds) is verified. False where another VM has it.
    pub fn renew(&mut self, host: &impl Host, term: u64, started: u64) -> bool {
        let now = milliseconds(host);
        if now.abs_diff(self.renewed) < RENEWED
            || now.saturating_sub(started / 1_000_000) > RENEWED_FOR
        {
            return true;
        }
        self.renewed = now;
        let until = now.saturating_add(self.lease());
        let mut holds = true;
        Record::update(host, &self.key, |record| {
            holds = record.term == term;
            if holds {
                record.lease_until = until;
            }
            holds
        });
        holds
    }

    /// For which source and trust a release is published, if it is.
    pub fn publisher_of(&self, host: &impl Host, release: &[u8; 32]) -> Option<[u8; 16]> {
        let (record, _) = Record::read(host, &self.key);
        (record.sequence > 0 && record.release == *release).then_some(record.publisher)
    }

    /// Names what is published by this source and trust; zeros for nothing. What others published was not held to its trust.
    pub fn published_release(&self, host: &impl Host) -> [u8; 32] {
        let (record, _) = Record::read(host, &self.key);
        if record.publisher == self.identity { record.release } else { [0; 32] }
    }

    /// Milliseconds until the next fetch after so many failures.
    fn after_failure(&self, record: &Record, asked: Option<u64>, chance: u64) -> u64 {
        let failures = u32::try_from(record.failures).unwrap_or(u32::MAX);
        schedule::after_failure(self.source.interval, failures, asked, chance)
    }

    /// Ends a fetch: gives the lease back, plans the next fetch, and publishes what is new.
    pub fn end(&mut self, host: &impl Host, term: u64, outcome: &Outcome<'_>) -> Ended {
        let now = milliseconds(host);
        let chance = self.chance(host);
        if let Outcome::New(_, _, bytes, _) = outcome {
            // Before the record, whose change tells the others to look. A lease that was lost in the
            // meantime leaves the bytes to who holds it now.
            if Record::read(host, &self.key).0.term != term
                || !host.set_shared(&self.bundle_key, bytes, None)
            {
                return Ended::default();
            }
        }
        let mut ended = Ended::default();
        let mut sequence = self.seen;
        ended.counts = Record::update(host, &self.key, |record| {
            if record.term != term {
                return false;
            }
            record.lease_until = 0;
            ended.failures_before = record.failures;
            record.failures = match outcome {
                // The next failure is not the last of many.
                Outcome::Failed(Failure::NotFound, _) => 1,
                Outcome::Failed(..) => record.failures.saturating_add(1),
                _ => 0,
            };
            ended.failures = record.failures;
            let interval = self.source.interval;
            record.next = now.saturating_add(match outcome {
                // That nothing is published is an answer.
                Outcome::Failed(Failure::NotFound, _) => schedule::after_answer(interval, chance),
                Outcome::Failed(_, asked) => self.after_failure(record, *asked, chance),
                _ => schedule::after_answer(interval, chance),
            });
            match outcome {
                Outcome::Unchanged if record.is_refused => {}
                Outcome::Unchanged => record.contact = now,
                Outcome::Confirmed(etag) => {
                    (record.contact, record.is_refused) = (now, false);
                    record.etag = etag.to_vec();
                }
                Outcome::New(epoch, release, _, etag) => {
                    (record.contact, record.is_refused) = (now, false);
                    (record.epoch, record.release) = (*epoch, *release);
                    record.publisher = self.identity;
                    record.sequence = record.sequence.saturating_add(1);
                    record.etag = etag.to_vec();
                    sequence = record.sequence;
                }
                Outcome::Refused(epoch, reason, etag) => {
                    let refused = (true, *epoch, *reason as u64);
                    ended.is_known =
                        (record.is_refused, record.refused_epoch, record.refused_reason) == refused;
                    (record.is_refused, record.refused_epoch, record.refused_reason) = refused;
                    record.etag = etag.to_vec();
                }
                Outcome::Failed(..) => {}
            }
            true
        });
        if ended.counts {
            self.seen = sequence;
        } else if matches!(outcome, Outcome::New(..)) {
            self.withdraw(host);
        }
        ended
    }

    /// The lease was lost while the bytes were written, perhaps over those of who holds it now: nothing is published
    /// until the store has sent it again.
    fn withdraw(&self, host: &impl Host) {
        Record::update(host, &self.key, |record| {
            record.release = [0; 32];
            record.etag.clear();
            // At once, also where somebody is just writing: that fetch has lost its lease then.
            record.term = record.term.wrapping_add(1);
            (record.lease_until, record.next) = (0, 0);
            true
        });
    }

    /// Gives the lease of a fetch back that comes to nothing, since its configuration goes.
    pub fn give_back(&self, host: &impl Host, term: u64) {
        Record::update(host, &self.key, |record| {
            let holds = record.term == term && record.lease_until > 0;
            if holds {
                record.lease_until = 0;
            }
            holds
        });
    }

    /// The lease of the fetch whose answer is awaited.
    pub fn awaits(&self) -> Option<u64> {
        self.call.map(|(_, term, _)| term)
    }

    /// Seconds since the store last confirmed what is published, or since polling began.
    pub fn age(&self, host: &impl Host) -> u64 {
        let (record, _) = Record::read(host, &self.key);
        let since =
            if record.contact == 0 { 0 } else { milliseconds(host).saturating_sub(record.contact) };
        since / 1000
    }

    /// Tells the other VMs what this worker serves, where that has changed.
    pub fn tell(&mut self, host: &impl Host, worker: Option<u8>, epoch: Option<u64>) {
        let Some(index) = worker else { return };
        if self.told != Some((index, epoch)) && worker::tell_epoch(host, &self.plugin, index, epoch)
        {
            self.told = Some((index, epoch));
        }
    }

    /// Differs between gateways, VMs and fetches.
    fn chance(&self, host: &impl Host) -> u64 {
        let gateway = blake3::hash(self.gateway.as_bytes());
        let gateway = gateway.as_bytes().first_chunk::<8>().copied().unwrap_or_default();
        u64::from_le_bytes(gateway) ^ host.now()
    }
}

/// What became of the attempt to fetch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fetch {
    /// Not now, or not by this VM.
    NotDue,
    /// An answer is awaited.
    Sent,
    /// Envoy did not take the request; the lease of this number is held.
    Failed(u64),
    /// Whoever fetched gave no word: so many failures in a row.
    Abandoned(u64),
}

fn milliseconds(host: &impl Host) -> u64 {
    host.now() / 1_000_000
}
