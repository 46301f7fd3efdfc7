//! What a root context does about a source: fetches, verifies, publishes, and takes what others published.

use super::{Loaded, Pending, Purpose, Refused, Root};
use crate::activation::{Activations, Fingerprint};
use crate::config::Settings;
use crate::events::{ConfigurationPart, log_configuration};
use crate::generation::Generation;
use crate::headers::Fields;
use crate::host::{Host, Level};
use crate::metrics::Event;
use crate::poll::answer::{Answer, Failure, judge};
use crate::poll::{self, Ended, Fetch, Outcome, Poller, Source};
use crate::refusal::{Reason, Refusal};
use portcullis_bundle::claims;
use std::rc::Rc;

impl<H: Host> Root<H> {
    /// Takes a configuration with a source: serves what was fetched before, or the bundle beside the source,
    /// whichever is newer. False where the bundle is one that this configuration could never serve.
    pub(super) fn follow(
        &mut self,
        source: Source,
        bundle: Option<Vec<u8>>,
        settings: Settings,
        started: u64,
    ) -> bool {
        let vm = Rc::clone(&self.vm);
        vm.host.set_tick_period(poll::TICK);
        let identity = self.identity(&source, &settings);
        let mut poller = Poller::new(&vm.host, &self.plugin, source, identity);
        // The bundle first: one that could never serve is for the trial to veto.
        let loaded = bundle.map(|bundle| self.load(bundle, settings.clone()));
        if let Some(Err(refused)) = &loaded
            && refused.refusal.is_deterministic()
            && !self.refuse(refused)
        {
            return false;
        }
        self.denies = false;
        // The settings may be others than those that it serves by so far: no look at what serves.
        let published = poller.published_by_any(&vm.host, None).filter(|bytes| {
            // Nor at what is older than the bundle beside.
            let epoch = claims(bytes).unwrap_or_default().0;
            !matches!(&loaded, Some(Ok(beside)) if beside.generation.epoch > epoch)
        });
        self.polling = Some((poller, settings.clone()));
        let has_taken = published.is_some_and(|bytes| self.take(bytes, &settings, started));
        let mut wanted = None;
        match loaded {
            Some(Ok(loaded)) => {
                let is_due = vm.current(&self.plugin).is_none_or(|current| {
                    !has_taken
                        || loaded.generation.epoch > current.epoch
                        || loaded.generation.release == current.release
                });
                if is_due {
                    self.activate(loaded, started);
                }
            }
            // What the source has may serve where the bundle may not, or not any more.
            Some(Err(refused)) if !has_taken && !refused.refusal.is_deterministic() => {
                self.keep(&refused.refusal);
                self.forces_no_monitor();
                wanted = refused.wanted;
            }
            _ => {}
        }
        if vm.current(&self.plugin).is_none() {
            // A VM made anew: what the others serve may have come before the source, or beside an earlier one.
            match wanted {
                Some(wanted) => drop(self.restored(wanted)),
                None => self.take_kept(settings, started),
            }
        }
        true
    }

    /// Serves what the others serve, where this configuration names no policy of its own.
    fn take_kept(&mut self, settings: Settings, started: u64) {
        if let Some(bytes) = Activations::kept(&self.vm.host, &self.plugin)
            && let Ok(loaded) = self.load(bytes, settings)
        {
            self.serve(loaded.generation, true, started);
        }
    }

    /// Follows what other VMs publish, and fetches where it is this VM's turn.
    pub(super) fn poll(&mut self) {
        if !self.vm.is_newest(&self.plugin, self.number) {
            return;
        }
        let vm = Rc::clone(&self.vm);
        let current = vm.current(&self.plugin);
        let Some((poller, settings)) = &mut self.polling else { return };
        if let Some(current) = &current
            && current.polled_by.get().is_none()
        {
            // What came beside a source may be what it has.
            current.polled_by.set(poller.publisher_of(&vm.host, &current.release));
        }
        poller.tell(&vm.host, vm.worker(), current.as_ref().map(|it| it.epoch));
        if let Some(bytes) = poller.published(&vm.host, current.map(|it| it.release)) {
            let settings = settings.clone();
            self.verify(bytes, settings, Purpose::Taken, vm.host.now());
            return;
        }
        match poller.fetch(&vm.host, vm.worker().is_some()) {
            Fetch::NotDue => {}
            Fetch::Sent => vm.metrics().count_event(Event::PollSent, 1),
            Fetch::Abandoned(failures) => {
                vm.metrics().count_failure(Failure::Abandoned);
                self.tell_failures(Failure::Abandoned, failures, 0);
            }
            Fetch::Failed(term) => {
                vm.metrics().count_event(Event::PollSent, 1);
                self.failed(term, Failure::Unreachable, 0, None);
            }
        }
    }

    /// The answer to a fetch; no header fields where there was none.
    pub fn on_call_response(&mut self, token: u32, body: usize) {
        let vm = Rc::clone(&self.vm);
        let Some((poller, _)) = &mut self.polling else { return };
        let Some((term, has_tag)) = poller.awaited(token) else { return };
        if !vm.is_newest(&self.plugin, self.number) {
            return poller.give_back(&vm.host, term);
        }
        let headers = vm.host.call_headers();
        let fields = headers.as_deref().and_then(Fields::parse);
        match judge(fields.as_ref(), body, poller.source.max_bytes) {
            // To a question without an entity tag it says nothing.
            Answer::Unchanged if !has_tag => self.failed(term, Failure::Status, 304, None),
            Answer::Unchanged => {
                let ended = poller.end(&vm.host, term, &Outcome::Unchanged);
                vm.metrics().count_event(Event::PollUnchanged, 1);
                self.recovered(ended);
            }
            Answer::Body(etag) => {
                let bytes = vm.host.call_body(body);
                self.fetched(term, bytes, &etag.unwrap_or_default());
            }
            Answer::Failed(failure, status, asked) => self.failed(term, failure, status, asked),
        }
    }

    /// Gives back the lease of a fetch that is under way or whose bundle is being verified.
    pub(super) fn give_lease_back(&self) {
        let Some((poller, _)) = &self.polling else { return };
        let verified = self.pending.as_ref().and_then(Pending::fetched_by);
        for term in poller.awaits().into_iter().chain(verified) {
            poller.give_back(&self.vm.host, term);
        }
    }

    /// Sets the gauge that tells when the store was last heard of.
    pub(super) fn show_age(&self) {
        if !self.vm.is_newest(&self.plugin, self.number) {
            return;
        }
        match &self.polling {
            Some((poller, _)) => self.vm.show_age(&self.plugin, poller.age(&self.vm.host)),
            None => self.vm.clear_age(&self.plugin),
        }
    }

    /// Whether a generation is of the source that this configuration names, by the same trust, whichever filter fetched it.
    pub(super) fn follows(&self, generation: &Generation) -> bool {
        let polls = self.polling.as_ref();
        polls.is_some_and(|(poller, _)| generation.polled_by.get() == Some(poller.identity))
    }

    /// Takes the policy that another filter has fetched for this one too as what it serves from now on.
    pub(super) fn adopt(&mut self) {
        if let Some(current) = self.vm.current(&self.plugin)
            && self.follows(&current)
        {
            self.serves = Some(Rc::clone(&current.policy));
        }
    }

    fn fetched(&mut self, term: u64, bytes: Vec<u8>, etag: &[u8]) {
        let vm = Rc::clone(&self.vm);
        let started = vm.host.now();
        let Some((poller, settings)) = &mut self.polling else { return };
        let (epoch, release) = claims(&bytes).unwrap_or_default();
        let is_current = vm.current(&self.plugin).is_some_and(|it| it.release == release);
        if is_current && poller.published_release(&vm.host) == release {
            let ended = poller.end(&vm.host, term, &Outcome::Confirmed(etag));
            vm.metrics().count_event(Event::PollUnchanged, 1);
            return self.recovered(ended);
        }
        let settings = settings.clone();
        self.verify_at_once();
        self.verify(bytes, settings, Purpose::Fetched { term, epoch, etag: etag.into() }, started);
    }

    /// Publishes a bundle that was fetched, and serves it; or tells what is wrong with it.
    pub(super) fn fetch_verified(
        &mut self,
        loaded: Result<Loaded, Refused>,
        (term, epoch, etag): (u64, u64, &[u8]),
        started: u64,
    ) {
        let vm = Rc::clone(&self.vm);
        match loaded {
            Ok(mut loaded) => {
                self.prepare_table(&mut loaded.generation);
                let Some((poller, _)) = &mut self.polling else { return };
                let ended = publish(poller, &vm.host, term, &loaded.generation, etag);
                if ended.counts {
                    vm.metrics().count_event(Event::PollUpdated, 1);
                    vm.metrics().count_event(Event::ConfigurationAccepted, 1);
                    loaded.generation.polled_by.set(Some(poller.identity));
                    self.recovered(ended);
                    self.serve(loaded.generation, false, started);
                } else {
                    self.superseded(epoch);
                }
            }
            Err(Refused { refusal, .. }) => {
                let Some((poller, _)) = &mut self.polling else { return };
                // Time may mend it, or the transfer was cut short: then the store must send it again.
                let reason = refusal.reason();
                let serves = vm.current(&self.plugin).is_some();
                let is_asked_again = reason.may_pass(serves) || reason == Reason::BundleCorrupt;
                let etag = if is_asked_again { &[] } else { etag };
                let ended =
                    poller.end(&vm.host, term, &Outcome::Refused(epoch, refusal.reason(), etag));
                vm.metrics().count_failure(Failure::Refused);
                if ended.is_known {
                    vm.metrics().count_refusal(refusal.reason());
                } else {
                    self.keep(&refusal);
                }
            }
        }
    }

    /// Whether what was fetched may be verified further: not where another worker fetches by now.
    pub(super) fn keeps_lease(&mut self, term: u64, epoch: u64, started: u64) -> bool {
        let vm = Rc::clone(&self.vm);
        let holds =
            self.polling.as_mut().is_some_and(|(poller, _)| poller.renew(&vm.host, term, started));
        if !holds {
            self.superseded(epoch);
        }
        holds
    }

    /// Says that a bundle was fetched and verified too slowly.
    fn superseded(&self, epoch: u64) {
        let failure = Failure::Superseded;
        self.vm.metrics().count_failure(failure);
        let detail = ["epoch ", &epoch.to_string(), ": another worker fetches by now"].concat();
        self.tell("fetch-failed", Some(failure.name()), Some(detail), Level::Error);
    }

    /// Serves what another VM has published, if this one finds the same of it.
    fn take(&mut self, bytes: Vec<u8>, settings: &Settings, started: u64) -> bool {
        let loaded = self.load(bytes, settings.clone());
        self.taken(loaded, started)
    }

    pub(super) fn taken(&mut self, loaded: Result<Loaded, Refused>, started: u64) -> bool {
        match loaded {
            Ok(loaded) => {
                let poller = self.polling.as_ref().map(|(poller, _)| poller);
                let release = &loaded.generation.release;
                let publisher = poller.and_then(|it| it.publisher_of(&self.vm.host, release));
                loaded.generation.polled_by.set(publisher);
                self.serve(loaded.generation, true, started);
            }
            Err(refused) => {
                self.keep(&refused.refusal);
                return false;
            }
        }
        true
    }

    /// Says that a bundle was not taken and what serves stays.
    fn keep(&self, refusal: &Refusal) {
        self.vm.metrics().count_refusal(refusal.reason());
        self.vm.metrics().count_event(Event::ConfigurationKept, 1);
        let detail = Some(refusal.to_string());
        self.tell("kept", Some(refusal.reason().name()), detail, Level::Error);
    }

    fn failed(&mut self, term: u64, failure: Failure, status: u16, asked: Option<u64>) {
        let vm = Rc::clone(&self.vm);
        vm.metrics().count_failure(failure);
        let Some((poller, _)) = &mut self.polling else { return };
        let ended = poller.end(&vm.host, term, &Outcome::Failed(failure, asked));
        if ended.counts && ended.failures != ended.failures_before {
            self.tell_failures(failure, ended.failures, status);
        }
    }

    /// Tells of the first few failures, and then of ever fewer of those that follow on one another.
    fn tell_failures(&self, failure: Failure, failures: u64, status: u16) {
        if !failures.is_power_of_two() {
            return;
        }
        let status = (status > 0).then(|| [", status ", &status.to_string()].concat());
        let detail =
            ["fetches failed in a row: ", &failures.to_string(), &status.unwrap_or_default()]
                .concat();
        self.tell("fetch-failed", Some(failure.name()), Some(detail), Level::Error);
    }

    fn recovered(&self, ended: Ended) {
        if ended.counts && ended.failures_before > 0 {
            let detail = [
                "the source answers again; fetches that had failed: ",
                &ended.failures_before.to_string(),
            ]
            .concat();
            self.tell("fetch-recovered", None, Some(detail), Level::Info);
        }
    }

    fn tell(&self, outcome: &str, reason: Option<&str>, detail: Option<String>, level: Level) {
        let current = self.vm.current(&self.plugin);
        let level =
            if current.is_none() && level == Level::Error { Level::Critical } else { level };
        let content = ConfigurationPart {
            outcome,
            plugin: &self.plugin,
            reason,
            detail,
            epoch: current.as_ref().map(|it| it.epoch),
            ..ConfigurationPart::default()
        };
        log_configuration(&self.vm.host, level, content);
    }

    /// Names a source together with everything that decides on what it brings. How that is served is left out: filters that
    /// differ in it share one lease, and what it brought.
    fn identity(&self, source: &Source, settings: &Settings) -> Fingerprint {
        let mut hasher = blake3::Hasher::new();
        for text in [&source.cluster, &source.path, &source.authority] {
            hasher.update(text.as_bytes()).update(&[0]);
        }
        hasher.update(&source.max_bytes.to_le_bytes());
        settings.hash_trust_into(&mut hasher);
        hasher.finalize().as_bytes().first_chunk().copied().unwrap_or_default()
    }
}

/// Publishes the bytes of a generation that passed every check.
fn publish(
    poller: &mut Poller,
    host: &impl Host,
    term: u64,
    generation: &Generation,
    etag: &[u8],
) -> Ended {
    let Ok(bundle) = generation.bundle.try_borrow() else { return Ended::default() };
    let Some(bundle) = bundle.as_ref() else { return Ended::default() };
    let (epoch, release) = (generation.epoch, generation.release);
    poller.end(host, term, &Outcome::New(epoch, release, bundle.as_bytes(), etag))
}
