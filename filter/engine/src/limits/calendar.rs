//! Periods of the calendar (ISO 8601: weeks begin on Monday), in a zone at a fixed distance from UTC.

use portcullis_bundle::layout::Period;

const HOUR: i64 = 3600;
const DAY: i64 = 24 * HOUR;
/// 1 January 1970 was a Thursday.
const MONDAY: i64 = 3;

/// Beginning and end of the period that a time lies in, in seconds since 1970. The zone is so many seconds ahead of
/// UTC.
pub(super) fn period(of: Period, ahead: i64, now: i64) -> (i64, i64) {
    let local = now.saturating_add(ahead);
    let (start, end) = match of {
        Period::Hour => every(HOUR, 0, local),
        Period::Day => every(DAY, 0, local),
        Period::Week => every(7 * DAY, MONDAY * DAY, local),
        Period::Month => {
            let (year, month) = month_of(local.div_euclid(DAY));
            let next = if month == 12 { (year.saturating_add(1), 1) } else { (year, month + 1) };
            (
                first_day(year, month).saturating_mul(DAY),
                first_day(next.0, next.1).saturating_mul(DAY),
            )
        }
    };
    (start.saturating_sub(ahead), end.saturating_sub(ahead))
}

fn every(length: i64, shift: i64, local: i64) -> (i64, i64) {
    let start = local.saturating_sub(local.saturating_add(shift).rem_euclid(length));
    (start, start.saturating_add(length))
}

/// Year and month of a day since 1970, by eras of 400 years that begin in March (Hinnant, "chrono-Compatible
/// Low-Level Date Algorithms").
fn month_of(day: i64) -> (i64, i64) {
    let day = day.clamp(-1_000_000, 10_000_000) + 719_468;
    let (era, of_era) = (day.div_euclid(146_097), day.rem_euclid(146_097));
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let march = (5 * of_year + 2) / 153;
    let month = if march < 10 { march + 3 } else { march - 9 };
    (year + era * 400 + i64::from(month <= 2), month)
}

/// The day since 1970 that a month begins on.
fn first_day(year: i64, month: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let march = if month > 2 { month - 3 } else { month + 9 };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * march + 2) / 5;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::{DAY, HOUR, first_day, month_of, period};
    use portcullis_bundle::layout::Period;

    /// 15 March 2024, a Friday, at 13:30:07 UTC.
    const NOW: i64 = 1_710_509_407;

    #[test]
    fn periods_hold_their_times() {
        let day = 1_710_460_800;
        assert_eq!(period(Period::Hour, 0, NOW), (day + 13 * HOUR, day + 14 * HOUR));
        assert_eq!(period(Period::Day, 0, NOW), (day, day + DAY));
        assert_eq!(period(Period::Week, 0, NOW), (day - 4 * DAY, day + 3 * DAY));
        assert_eq!(period(Period::Month, 0, NOW), (day - 14 * DAY, day + 17 * DAY));
        // Eleven hours ahead it is Saturday already.
        let ahead = 11 * HOUR;
        assert_eq!(period(Period::Day, ahead, NOW), (day + DAY - ahead, day + 2 * DAY - ahead));
    }

    #[test]
    fn months_follow_each_other() {
        let mut at = first_day(1999, 11);
        for year in 1999..2110 {
            for month in (1..=12).filter(|month| year > 1999 || *month > 10) {
                assert_eq!(at, first_day(year, month), "{year}-{month}");
                assert_eq!(
                    (month_of(at), month_of(at - 1) == month_of(at)),
                    ((year, month), false)
                );
                let (start, end) = period(Period::Month, 0, at * DAY);
                assert_eq!(start, at * DAY);
                at = end / DAY;
            }
        }
        // 2000 was a leap year, 2100 is none.
        assert_eq!(first_day(2000, 3) - first_day(2000, 2), 29);
        assert_eq!(first_day(2100, 3) - first_day(2100, 2), 28);
    }
}
