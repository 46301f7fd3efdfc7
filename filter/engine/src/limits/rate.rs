//! One rate: what a count says now, whether it takes more, and when it will.
//!
//! A window is the generic cell rate algorithm (ITU-T I.371, annex A) in its level form, the continuous-state leaky
//! bucket: the level rises by the cost of what is admitted, never above the burst, and drains by the amount in each
//! window. It is kept in units of cost, so that a rate that is changed finds what was counted.

use super::calendar::period;
use portcullis_bundle::layout::{LimitRate, Period, RateKind};

/// How far a time may lie ahead of the clock for the clocks of two workers to explain it, in nanoseconds.
const SKEW: u64 = 1_000_000_000;
const SECOND: u64 = 1_000_000_000;
/// What answers have counted beyond a window is waited for, up to so many times what it takes at once.
const MOST_OWED: f64 = 100.0;
/// Units by which sums of levels may be off.
const ROUNDING: f64 = 1e-6;

/// What is counted. All zeros are a count of nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Count {
    /// Units of cost; of a concurrency, requests that began in this lease's time.
    pub level: f64,
    /// Of a concurrency, requests that began in the time before it.
    pub before: f64,
    /// Nanoseconds since 1970 that the level is of; of a concurrency, when the lease's time began.
    pub at: u64,
}

/// A rate as it is computed with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Meter<'b> {
    pub kind: RateKind,
    /// The level up to which requests are admitted.
    pub capacity: f64,
    /// The level that is kept: of a limit that counts by answers more than the capacity, since what was under way when the
    /// capacity was reached has still been admitted.
    most: f64,
    rate: &'b LimitRate,
}

impl<'b> Meter<'b> {
    /// A rate of a bundle, and whether its limit counts by answers.
    #[inline]
    pub(crate) fn of(rate: &'b LimitRate, by_answers: bool) -> Self {
        let kind = RateKind::from_code(rate.kind).unwrap_or(RateKind::Window);
        let amount = f64::from(rate.amount.get());
        let capacity = if kind == RateKind::Window { rate.burst.get().into() } else { amount };
        Meter {
            kind,
            capacity,
            most: if by_answers { capacity * MOST_OWED } else { capacity },
            rate,
        }
    }

    /// Nanoseconds.
    #[inline]
    fn window(&self) -> u64 {
        self.rate.window.get().max(1)
    }

    /// Of a window: units that drain in a nanosecond.
    #[inline]
    fn drain(&self) -> f64 {
        f64::from(self.rate.amount.get()) / self.window() as f64
    }

    /// What a count says at a time. A clock that went back drains nothing; where it went back further than the clocks
    /// of workers differ, counting goes on from its new time.
    #[inline]
    pub(crate) fn drained(&self, count: Count, now: u64) -> Count {
        let level = if count.level > 0.0 { count.level } else { 0.0 };
        let at = if count.at > now.saturating_add(SKEW) { now } else { count.at };
        match self.kind {
            RateKind::Window => {
                let passed = now.saturating_sub(at) as f64;
                let level = (level - passed * self.drain()).max(0.0).min(self.most);
                Count { level, before: 0.0, at: at.max(now) }
            }
            RateKind::Quota => {
                let (start, _) = self.period_of(now);
                let is_over = at < start;
                Count { level: if is_over { 0.0 } else { level }, before: 0.0, at: at.max(now) }
            }
            RateKind::Concurrency => {
                let before = if count.before > 0.0 { count.before } else { 0.0 };
                let window = self.window();
                let (then, this) = (at / window, now / window);
                let at = this.saturating_mul(window);
                match this.checked_sub(then) {
                    Some(0) => Count { level, before, at },
                    Some(1) => Count { level: 0.0, before: level, at },
                    Some(_) => Count { level: 0.0, before: 0.0, at },
                    None => Count { level: level + before, before: 0.0, at },
                }
            }
        }
    }

    /// What counts against the capacity.
    #[inline]
    pub(crate) fn load(&self, count: Count) -> f64 {
        count.level + count.before
    }

    /// What a cost counts as: what costs more than there can be, as all that there can be.
    #[inline]
    pub(crate) fn charge(&self, cost: f64) -> f64 {
        cost.min(self.capacity)
    }

    /// Whether a count, as of now, takes a cost.
    #[inline]
    pub(crate) fn takes(&self, count: Count, cost: f64) -> bool {
        self.load(count) + self.charge(cost) <= self.capacity + ROUNDING
    }

    /// Nanoseconds until a count, as of now, takes a cost, if nothing else comes.
    pub(crate) fn wait(&self, count: Count, cost: f64, now: u64) -> u64 {
        match self.kind {
            RateKind::Window => {
                let excess = self.load(count) + self.charge(cost) - self.capacity;
                (excess / self.drain()).ceil() as u64
            }
            RateKind::Quota => self.period_of(now).1.saturating_sub(now),
            RateKind::Concurrency => SECOND,
        }
    }

    /// The count with a cost added.
    pub(crate) fn charged(&self, count: Count, cost: f64) -> Count {
        Count { level: count.level + self.charge(cost), ..count }
    }

    /// The count without one request of the lease's time that began then, which has ended.
    pub(crate) fn released(&self, count: Count, began: u64) -> Count {
        if began == count.at {
            Count { level: (count.level - 1.0).max(0.0), ..count }
        } else if began.saturating_add(self.window()) == count.at {
            Count { before: (count.before - 1.0).max(0.0), ..count }
        } else {
            count
        }
    }

    /// The part of what is allowed that a count holds at a time: what is lost with it. From 0 to 1, beyond where answers
    /// have counted more.
    pub(crate) fn share(&self, count: Count, now: u64) -> f64 {
        self.load(self.drained(count, now)) / self.capacity
    }

    /// Beginning and end of the calendar's period, in nanoseconds since 1970.
    fn period_of(&self, now: u64) -> (u64, u64) {
        let seconds = i64::try_from(now / SECOND).unwrap_or(i64::MAX);
        let calendar = Period::from_code(self.rate.period).unwrap_or(Period::Day);
        // Seconds that it is ahead of UTC.
        let ahead = (i64::from(self.rate.offset.get()) - 720) * 60;
        let (start, end) = period(calendar, ahead, seconds);
        let nanos = |seconds: i64| u64::try_from(seconds).unwrap_or(0).saturating_mul(SECOND);
        (nanos(start), nanos(end))
    }
}

#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests;
