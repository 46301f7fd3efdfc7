//! The gateways, and what each has.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::runtime::Runtime;

use super::{poller, stream};

/// What all gateways share.
#[derive(Debug)]
pub struct Fleet {
    pollers: usize,
    /// The epoch of each: pollers first, then streams.
    epochs: Vec<AtomicU64>,
    /// Polls that brought nothing new.
    pub rounds: AtomicU64,
    /// How long those of the probe took, in microseconds.
    polls: Mutex<Vec<u64>>,
    /// Polls that were asked to come again later.
    pub busy: AtomicU64,
    /// Connections that broke, and answers that made no sense, by what went wrong.
    errors: Mutex<BTreeMap<String, u64>>,
}

impl Fleet {
    /// None of them runs.
    pub fn new(pollers: usize, streams: usize) -> Self {
        Self {
            pollers,
            epochs: (0..pollers + streams).map(|_| AtomicU64::new(0)).collect(),
            rounds: AtomicU64::new(0),
            polls: Mutex::default(),
            busy: AtomicU64::new(0),
            errors: Mutex::default(),
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.epochs.len()
    }

    /// Starts all of them. They end with the runtime.
    pub fn start(self: &Arc<Self>, runtime: &Runtime, to: SocketAddr, interval: Duration) {
        for number in 0..self.len() {
            let fleet = Arc::clone(self);
            if number < self.pollers {
                runtime.spawn(poller::run(fleet, number, to, interval));
            } else {
                runtime.spawn(stream::run(fleet, number, to));
            }
        }
    }

    /// Notes what a gateway has.
    pub fn has(&self, number: usize, epoch: u64) {
        if let Some(known) = self.epochs.get(number) {
            known.store(epoch, Ordering::Relaxed);
        }
    }

    /// Notes one more of what streams were sent.
    pub fn was_sent(&self, number: usize) {
        if let Some(known) = self.epochs.get(number) {
            known.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// How many have an epoch, or a newer one. Epochs rise by one from 2, so that streams count what they were sent.
    pub fn reached(&self, epoch: u64) -> usize {
        let has = |(number, known): &(usize, &AtomicU64)| {
            let known = known.load(Ordering::Relaxed);
            if *number < self.pollers { known >= epoch } else { known + 1 >= epoch }
        };
        self.epochs.iter().enumerate().filter(has).count()
    }

    /// Notes how long a poll took.
    pub fn polled(&self, took: Duration) {
        let mut polls = self.polls.lock().unwrap_or_else(PoisonError::into_inner);
        polls.push(u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
    }

    /// Notes what went wrong.
    pub fn failed(&self, what: &str) {
        let mut errors = self.errors.lock().unwrap_or_else(PoisonError::into_inner);
        *errors.entry(what.to_owned()).or_default() += 1;
    }

    /// What went wrong, how often.
    pub fn errors(&self) -> BTreeMap<String, u64> {
        self.errors.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Forgets what polls took.
    pub fn clear(&self) {
        self.rounds.store(0, Ordering::Relaxed);
        self.take();
    }

    /// What polls took since the last call, in microseconds.
    pub fn take(&self) -> Vec<u64> {
        std::mem::take(&mut self.polls.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
