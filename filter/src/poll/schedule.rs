//! When the next fetch is due. All times in milliseconds; pure, chance is passed in.

/// The longest wait after failures, and the longest that a store may ask for, unless the interval is longer.
pub const LONGEST: u64 = 120_000;
/// The first wait after a failure, unless the interval is shorter.
const FIRST: u64 = 1000;

/// After an answer: the interval, a tenth more or less, so that gateways started together do not stay together.
pub fn after_answer(interval: u64, chance: u64) -> u64 {
    let tenth = interval / 10;
    interval.saturating_sub(tenth).saturating_add(part(tenth.saturating_mul(2), chance))
}

/// After so many failures in a row: twice as long each time, of which a half is chance; and no sooner than the
/// store asked.
pub fn after_failure(interval: u64, failures: u32, asked: Option<u64>, chance: u64) -> u64 {
    let longest = interval.max(LONGEST);
    let doublings = failures.saturating_sub(1).min(32);
    let whole = interval.min(FIRST).saturating_mul(1 << doublings).min(longest);
    let wait = (whole / 2).saturating_add(part(whole / 2, chance));
    let asked = asked.unwrap_or(0).min(longest);
    // All who were sent away at once must not come back at once.
    let asked = asked.saturating_add(part(asked / 10, chance));
    wait.max(asked)
}

/// Evenly from 0 to `most`.
fn part(most: u64, chance: u64) -> u64 {
    // SplitMix64 (Steele, Lea, Flood, 2014), whose seeds may be close to one another.
    let mut mixed = chance.wrapping_add(0x9E37_79B9_7F4A_7C15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    (mixed ^ (mixed >> 31)).checked_rem(most.saturating_add(1)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::{LONGEST, after_answer, after_failure};

    #[test]
    fn answers_keep_the_interval_within_a_tenth() {
        let waits: Vec<u64> = (0..1000).map(|chance| after_answer(30_000, chance)).collect();
        assert!(waits.iter().all(|wait| (27_000..=33_000).contains(wait)));
        assert!(waits.iter().any(|wait| *wait < 28_000) && waits.iter().any(|wait| *wait > 32_000));
    }

    #[test]
    fn failures_double_the_wait_up_to_a_bound() {
        for (failures, whole) in
            [(1, 1000), (2, 2000), (5, 16_000), (8, LONGEST), (u32::MAX, LONGEST)]
        {
            for chance in 0..100 {
                let wait = after_failure(30_000, failures, None, chance);
                assert!((whole / 2..=whole).contains(&wait), "{failures}: {wait}");
            }
        }
        assert!(after_failure(200, 1, None, 7) <= 200);
        assert!(after_failure(600_000, 30, None, 7) >= 300_000);
    }

    #[test]
    fn what_the_store_asks_for_is_honoured_within_bounds() {
        let wait = after_failure(30_000, 1, Some(20_000), 3);
        assert!((20_000..=22_000).contains(&wait), "{wait}");
        let wait = after_failure(30_000, 1, Some(u64::MAX), 3);
        assert!((LONGEST..=LONGEST + LONGEST / 10).contains(&wait), "{wait}");
    }
}
