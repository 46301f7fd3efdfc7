//! Asking a service that carries limits for several gateways (`envoy.service.ratelimit.v3`), and asking it no more for a
//! while when it does not answer.

use crate::host::Host;
use crate::limits::two_words;
use crate::metrics::Event;
use crate::vm::Vm;
use portcullis_bundle::layout::View;
use portcullis_engine::limits::grpc_service;
use std::cell::Cell;

const SERVICE: &str = "envoy.service.ratelimit.v3.RateLimitService";
const METHOD: &str = "ShouldRateLimit";
/// Questions in a row without an answer, after which none is asked for [`PAUSE`].
const FAILURES: u32 = 8;
/// Nanoseconds.
const PAUSE: u64 = 1_000_000_000;

/// Whether a worker asks at the moment. A service that hangs costs each request the whole time-out: after a few of them
/// requests do without for a second, and then one asks again.
#[derive(Debug, Default)]
pub struct Breaker {
    failures: Cell<u32>,
    until: Cell<u64>,
}

impl Breaker {
    /// Whether to ask now. Once the pause is over, a failure begins the next.
    fn asks(&self, now: impl FnOnce() -> u64) -> bool {
        if self.failures.get() < FAILURES {
            return true;
        }
        let now = now();
        let until = self.until.get();
        // A clock that went back does not make it longer.
        if now < until && until.saturating_sub(now) <= PAUSE {
            return false;
        }
        self.until.set(now.saturating_add(PAUSE));
        true
    }

    fn hears(&self, answered: bool, now: impl FnOnce() -> u64) {
        if answered {
            self.failures.set(0);
            return;
        }
        let failures = self.failures.get().saturating_add(1);
        self.failures.set(failures);
        if failures == FAILURES {
            self.until.set(now().saturating_add(PAUSE));
        }
    }
}

/// The key that callers are told to the service by: all gateways with one `caller_key` make the same of the same
/// caller. Without, it is made of the domain: no secret, so that who reads what the service keeps can test guesses.
#[cold]
pub fn key(secret: Option<&str>, domain: &str) -> [u64; 2] {
    let context = "portcullis 2026 key of callers that gateways share";
    let mut hasher = blake3::Hasher::new_derive_key(context);
    hasher.update(secret.unwrap_or(domain).as_bytes());
    two_words(hasher.finalize().as_bytes())
}

/// Sends a question. `None` where the service is not asked now, or cannot be reached.
#[cold]
pub fn ask<H: Host>(vm: &Vm<H>, breaker: &Breaker, view: &View<'_>, message: &[u8]) -> Option<u32> {
    let metrics = vm.metrics();
    if !breaker.asks(|| vm.host.now()) {
        metrics.count_event(Event::LimitServiceSkipped, 1);
        return None;
    }
    metrics.count_event(Event::LimitServiceAsked, 1);
    let token = view.limit_services.first().and_then(|service| {
        let target = grpc_service(view.text(service.cluster))?;
        let timeout = service.timeout.get().max(1);
        vm.host.call_service(&target, SERVICE, METHOD, message, timeout.into())
    });
    if token.is_none() {
        heard(vm, breaker, false);
    }
    token
}

/// Takes note of whether there was an answer.
#[cold]
pub fn heard<H: Host>(vm: &Vm<H>, breaker: &Breaker, answered: bool) {
    if !answered {
        vm.metrics().count_event(Event::LimitServiceFailed, 1);
    }
    breaker.hears(answered, || vm.host.now());
}

#[cfg(test)]
mod tests {
    use super::{Breaker, FAILURES, PAUSE, key};

    #[test]
    fn a_service_that_does_not_answer_is_left_alone_for_a_while() {
        let breaker = Breaker::default();
        for _ in 0..FAILURES {
            assert!(breaker.asks(|| 5));
            breaker.hears(false, || 5);
        }
        assert!(!breaker.asks(|| 5) && !breaker.asks(|| 4 + PAUSE));
        // One asks again, and the others still do without.
        assert!(breaker.asks(|| 5 + PAUSE) && !breaker.asks(|| 6 + PAUSE));
        breaker.hears(false, || 6 + PAUSE);
        assert!(!breaker.asks(|| 7 + PAUSE));
        // A clock that went back.
        assert!(breaker.asks(|| 0));
        breaker.hears(true, || 0);
        assert!(breaker.asks(|| 0) && breaker.asks(|| 0));
    }

    #[test]
    fn gateways_with_one_key_make_the_same_of_a_caller() {
        assert_eq!(key(Some("secret"), "a"), key(Some("secret"), "b"));
        assert_ne!(key(None, "a"), key(None, "b"));
        assert_ne!(key(Some("a"), "x"), key(Some("b"), "x"));
    }
}
