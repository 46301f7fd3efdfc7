use super::{Count, Meter, SECOND};
use portcullis_bundle::layout::{LimitRate, Period, RateKind};
use proptest::prelude::*;

fn rate(kind: RateKind, amount: u32, burst: u32, window: u64) -> LimitRate {
    LimitRate {
        window: window.into(),
        amount: amount.into(),
        burst: burst.into(),
        kind: kind.code(),
        period: Period::Day.code(),
        offset: 720.into(),
    }
}

/// Takes one unit at a time, where the meter does.
fn offer(meter: &Meter, count: &mut Count, now: u64) -> bool {
    let drained = meter.drained(*count, now);
    let takes = meter.takes(drained, 1.0);
    *count = if takes { meter.charged(drained, 1.0) } else { drained };
    takes
}

proptest! {
    /// In whatever times requests come, what is admitted from any of them on is at most the burst and what drains.
    #[test]
    fn no_span_admits_more_than_burst_and_drain(
        amount in 1u32..1000,
        burst in 1u32..200,
        window in SECOND / 100..100 * SECOND,
        gaps in prop::collection::vec(0u64..SECOND, 1..300),
    ) {
        let rate = rate(RateKind::Window, amount, burst, window);
    let meter = Meter::of(&rate, false);
        let (mut now, mut count, mut admitted) = (1_000_000 * SECOND, Count::default(), Vec::new());
        for gap in gaps {
            now += gap;
            if offer(&meter, &mut count, now) {
                admitted.push(now);
            }
        }
        for (first, start) in admitted.iter().enumerate() {
            for (last, end) in admitted.iter().enumerate().skip(first) {
                let allowed = f64::from(burst) + (end - start) as f64 * f64::from(amount) / window as f64;
                prop_assert!((last - first + 1) as f64 <= allowed + 1e-3);
            }
        }
    }

    /// Who comes as the meter says is taken, and not a nanosecond too early by more than rounding.
    #[test]
    fn waiting_as_told_is_enough(
        amount in 1u32..100_000,
        burst in 1u32..1000,
        window in SECOND / 10..86_400 * SECOND,
        cost in 1u32..1000,
    ) {
        let rate = rate(RateKind::Window, amount, burst, window);
    let meter = Meter::of(&rate, false);
        let now = 1_700_000_000 * SECOND;
        let full = Count { level: meter.capacity, before: 0.0, at: now };
        let cost = f64::from(cost.min(burst));
        let wait = meter.wait(full, cost, now);
        prop_assert!(meter.takes(meter.drained(full, now + wait), cost));
        let early = wait - wait / 50;
        if cost * 0.02 > 1e-3 {
            prop_assert!(!meter.takes(meter.drained(full, now + early.saturating_sub(1)), cost) || early == wait);
        }
    }

    /// A clock that goes to and fro gives at most what drains while it stands still or goes on, and a second's worth for
    /// each leap back that clocks of workers cannot explain.
    #[test]
    fn leaps_of_the_clock_are_bounded(
        leaps in prop::collection::vec((-100i64..100, 1u32..20), 1..40),
    ) {
        let rate = rate(RateKind::Window, 10, 10, SECOND);
    let meter = Meter::of(&rate, false);
        let (mut now, mut count, mut admitted) = (1_000_000i64, Count::default(), 0u32);
        let mut forward = 0i64;
        for (leap, times) in leaps {
            now += leap;
            forward += leap.max(0);
            for _ in 0..times {
                admitted += u32::from(offer(&meter, &mut count, now as u64 * SECOND));
            }
            prop_assert!(count.level <= 10.0);
        }
        prop_assert!(i64::from(admitted) <= 10 + 10 * forward, "{admitted} in {forward} s");
    }

    /// Whatever stands in the table, the arithmetic stays within bounds.
    #[test]
    fn any_count_reads_as_one(level in any::<f64>(), at in any::<u64>(), now in any::<u64>(), kind in 0u8..3) {
        let kind = RateKind::from_code(kind).unwrap();
        let rate = rate(kind, 10, 20, SECOND);
    let meter = Meter::of(&rate, false);
        let count = meter.drained(Count { level, before: 0.0, at }, now);
        prop_assert!(count.level >= 0.0 && !count.level.is_nan());
        let _ = (meter.takes(count, 1.0), meter.wait(count, 1.0, now), meter.share(count, now));
    }
}

#[test]
fn a_clock_that_stands_back_limits_no_longer_than_its_own_time() {
    let rate = rate(RateKind::Window, 10, 10, SECOND);
    let meter = Meter::of(&rate, false);
    let ahead = Count { level: 10.0, before: 0.0, at: 2_000_000_000 * SECOND };
    let now = 1_700_000_000 * SECOND;
    let count = meter.drained(ahead, now);
    assert_eq!((count.level, count.at), (10.0, now));
    assert!(meter.takes(meter.drained(count, now + SECOND), 10.0));
    // The clocks of two workers, a little apart, drain nothing twice.
    let count = Count { level: 10.0, before: 0.0, at: now + 1000 };
    assert_eq!(meter.drained(count, now), count);
}

#[test]
fn quotas_begin_anew_with_their_period() {
    let rate = rate(RateKind::Quota, 3, 3, 1);
    let meter = Meter::of(&rate, false);
    // 23:59:59 UTC on 15 March 2024.
    let late = 1_710_547_199 * SECOND;
    let mut count = Count::default();
    assert_eq!((0..5).filter(|_| offer(&meter, &mut count, late)).count(), 3);
    assert_eq!(meter.wait(count, 1.0, late), SECOND);
    assert!(offer(&meter, &mut count, late + SECOND));
    assert_eq!(count.level, 1.0);
    // Back across midnight: what is counted in the new day stays.
    assert_eq!(meter.drained(count, late).level, 1.0);
}

#[test]
fn leases_expire_and_are_given_back_once() {
    let rate = rate(RateKind::Concurrency, 2, 2, 10 * SECOND);
    let meter = Meter::of(&rate, false);
    let start = 1_000_000 * SECOND;
    let mut count = Count::default();
    assert!(offer(&meter, &mut count, start) && offer(&meter, &mut count, start + SECOND));
    assert!(!offer(&meter, &mut count, start + 2 * SECOND));
    let began = meter.drained(Count::default(), start).at;
    count = meter.released(meter.drained(count, start + 3 * SECOND), began);
    assert!(offer(&meter, &mut count, start + 3 * SECOND));
    // Given back in the next lease's time, when it belongs to the one before.
    let next = start + 12 * SECOND;
    let given = meter.released(meter.drained(count, next), began);
    assert_eq!((given.level, given.before), (0.0, 1.0));
    // What is never given back is gone after two leases.
    assert_eq!(meter.load(meter.drained(count, start + 20 * SECOND)), 0.0);
    // And giving it back then takes nobody else's.
    let mut count = meter.drained(count, start + 20 * SECOND);
    assert!(offer(&meter, &mut count, start + 20 * SECOND));
    assert_eq!(meter.released(count, began), count);
}

#[test]
fn a_changed_rate_keeps_what_was_counted() {
    let (slow, fast) =
        (rate(RateKind::Window, 60, 60, 3600 * SECOND), rate(RateKind::Window, 10, 100, SECOND));
    let now = 1_000_000 * SECOND;
    let mut count = Count::default();
    (0..60).for_each(|_| assert!(offer(&Meter::of(&slow, false), &mut count, now)));
    let fast = Meter::of(&fast, false);
    assert_eq!((0..100).filter(|_| offer(&fast, &mut count, now)).count(), 40);
}

/// Whoever has many requests under way when the limit is reached has them admitted once: what they count is waited for.
#[test]
fn what_answers_count_beyond_a_limit_is_owed() {
    let rate = rate(RateKind::Window, 5, 5, 60 * SECOND);
    let meter = Meter::of(&rate, true);
    let now = 1_700_000_000 * SECOND;
    let mut count = Count::default();
    (0..100).for_each(|_| count = meter.charged(meter.drained(count, now), 1.0));
    assert_eq!(count.level, 100.0);
    assert_eq!(meter.wait(count, 1.0, now), 96 * 12 * SECOND);
    assert!(!meter.takes(meter.drained(count, now + 95 * 12 * SECOND), 1.0));
    assert!(meter.takes(meter.drained(count, now + 96 * 12 * SECOND), 1.0));
    // There is an end to it.
    let endless = meter.drained(Count { level: f64::MAX, before: 0.0, at: now }, now);
    assert_eq!(endless.level, 500.0);
}
