//! Verification beside requests: a VM that serves a bundle goes on serving it while it verifies the next one, a
//! slice at each tick, and swaps between two requests.
//!
//! Where nothing serves yet, or another policy (the trial VM, a start, a VM made anew), all is verified at once: no request is without a
//! policy, and a bundle that does not hold is refused before any worker sees it.

use super::{Loaded, Refused, Root};
use crate::config::Settings;
use crate::host::Host;
use crate::poll;
use crate::refusal::Refusal;
use portcullis_bundle::{Bundle, OpenError, Opening};
use std::ops::ControlFlow;
use std::rc::Rc;

/// Units of work ([`Opening::go_on`]) between two events of the thread: about a quarter of a millisecond. What is smaller
/// altogether is verified where it comes.
pub(super) const SLICE: usize = 1 << 15;
/// Milliseconds between two slices.
const TICK: u32 = 1;

/// A bundle that is being verified.
#[derive(Debug)]
pub(super) struct Pending {
    opening: Opening,
    settings: Settings,
    purpose: Purpose,
    started: u64,
}

/// Where a bundle comes from, and so what becomes of it.
#[derive(Debug)]
pub(super) enum Purpose {
    /// The configuration.
    Configured,
    /// Another VM has published it.
    Taken,
    /// The answer to a fetch, by the number of its lease.
    Fetched { term: u64, epoch: u64, etag: Vec<u8> },
}

impl Pending {
    /// The lease of the fetch that brought it, if one did.
    pub(super) fn fetched_by(&self) -> Option<u64> {
        if let Purpose::Fetched { term, .. } = self.purpose { Some(term) } else { None }
    }
}

impl<H: Host> Root<H> {
    /// Verifies a bundle and does with it what its purpose is: at once where nothing serves yet, or after some ticks.
    /// False where the configuration is vetoed.
    pub(super) fn verify(
        &mut self,
        bytes: Vec<u8>,
        settings: Settings,
        purpose: Purpose,
        started: u64,
    ) -> bool {
        // Meanwhile the policy of the same name serves: another one's never judges for it.
        let serves = self.vm.current(&self.plugin).map(|current| Rc::clone(&current.policy));
        let units = |opening: &Opening| match &serves {
            Some(policy) if opening.names(policy) => SLICE,
            _ => usize::MAX,
        };
        let begun = Opening::begin(bytes, &settings.trust);
        if let (Ok(opening), Purpose::Configured) = (&begun, &purpose) {
            self.vm.begins(&self.plugin, self.number, opening.epoch());
        }
        let step = begun.and_then(|opening| {
            let units = units(&opening);
            opening.go_on(units)
        });
        let is_accepted = self.advance(step, settings, purpose, started);
        if self.pending.is_some() {
            self.vm.host.set_tick_period(TICK);
        }
        is_accepted
    }

    /// Another slice, where a bundle waits for it. False where there is still more to verify.
    pub(super) fn verify_further(&mut self) -> bool {
        self.slice(SLICE)
    }

    /// All that is left of a bundle that waits.
    pub(super) fn verify_at_once(&mut self) {
        self.slice(usize::MAX);
    }

    fn slice(&mut self, units: usize) -> bool {
        let is_newest = self.vm.is_newest(&self.plugin, self.number);
        if !is_newest {
            self.give_lease_back();
        }
        let Some(pending) = self.pending.take() else { return true };
        if is_newest || self.is_still_due(&pending) {
            let Pending { opening, settings, purpose, started } = pending;
            if let Purpose::Fetched { term, epoch, .. } = &purpose
                && !self.keeps_lease(*term, *epoch, started)
            {
                return self.done();
            }
            self.advance(opening.go_on(units), settings, purpose, started);
        }
        self.pending.is_none() && self.done()
    }

    /// Whether what an older configuration brought is newer than what those after it did: another listener's, which was
    /// configured meanwhile, may have brought nothing, or what served before. What is polled is the newest one's matter.
    fn is_still_due(&self, pending: &Pending) -> bool {
        matches!(pending.purpose, Purpose::Configured)
            && self.vm.has_begun_newest(&self.plugin, self.number)
            && self.vm.current(&self.plugin).is_some_and(|current| {
                current.epoch < pending.opening.epoch() && pending.opening.names(&current.policy)
            })
    }

    pub(super) fn done(&self) -> bool {
        self.vm.host.set_tick_period(self.tick());
        true
    }

    fn advance(
        &mut self,
        step: Result<ControlFlow<Bundle, Opening>, OpenError>,
        settings: Settings,
        purpose: Purpose,
        started: u64,
    ) -> bool {
        let loaded = match step {
            Ok(ControlFlow::Continue(opening)) => {
                self.pending = Some(Pending { opening, settings, purpose, started });
                return true;
            }
            Ok(ControlFlow::Break(bundle)) => self.judge(bundle, settings),
            Err(error) => Err(Refused::from(Refusal::from(error))),
        };
        self.verified(loaded, purpose, started)
    }

    fn verified(
        &mut self,
        loaded: Result<Loaded, Refused>,
        purpose: Purpose,
        started: u64,
    ) -> bool {
        match (purpose, loaded) {
            (Purpose::Configured, Ok(loaded)) => self.activate(loaded, started),
            (Purpose::Configured, Err(refused)) => return self.refuse(&refused),
            (Purpose::Taken, loaded) => {
                self.taken(loaded, started);
            }
            (Purpose::Fetched { term, epoch, etag }, loaded) => {
                self.fetch_verified(loaded, (term, epoch, &etag), started);
            }
        }
        true
    }

    /// Milliseconds between ticks where nothing waits.
    fn tick(&self) -> u32 {
        if self.polling.is_some() { poll::TICK } else { super::TICK }
    }
}
