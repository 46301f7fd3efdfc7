//! Dates and times: RFC 3339, section 5.6; durations: its appendix A.

/// `full-date`.
pub(in super::super) fn date(text: &[u8]) -> bool {
    text.first_chunk::<10>().is_some_and(|chunk| text.len() == 10 && full_date(chunk))
}

/// `full-time`.
pub(super) fn time(text: &[u8]) -> bool {
    let Some((clock, rest)) = text.split_first_chunk::<8>() else { return false };
    let Some((hour, minute, second)) = partial_time(clock) else { return false };
    let Some(offset) = after_fraction(rest).and_then(offset_minutes) else { return false };
    if second < 60 {
        return true;
    }
    // A leap second is inserted at 23:59:60 UTC (RFC 3339, appendix D).
    let local = i32::from(hour) * 60 + i32::from(minute);
    (local - offset).rem_euclid(24 * 60) == 23 * 60 + 59
}

/// `date-time`; the `T` may be lower case, as section 5.6 notes.
pub(in super::super) fn date_time(text: &[u8]) -> bool {
    let Some((day, rest)) = text.split_first_chunk::<10>() else { return false };
    let [b'T' | b't', clock @ ..] = rest else { return false };
    full_date(day) && time(clock)
}

/// `duration`: what ISO 8601 allows as appendix A of RFC 3339 gives it.
pub(super) fn duration(text: &[u8]) -> bool {
    let [b'P', rest @ ..] = text else { return false };
    if let Some(after) = unit(rest, b'W') {
        return after.is_empty();
    }
    let mut halves = rest.splitn(2, |&byte| byte == b'T');
    let (days, clock) = (halves.next().unwrap_or_default(), halves.next());
    match clock {
        None => !days.is_empty() && consecutive(days, b"YMD"),
        Some(clock) => consecutive(days, b"YMD") && !clock.is_empty() && consecutive(clock, b"HMS"),
    }
}

/// Numbers followed by units in order, none left out between two.
fn consecutive(mut text: &[u8], units: &[u8]) -> bool {
    let mut begun = false;
    for name in units {
        match unit(text, *name) {
            Some(after) => (text, begun) = (after, true),
            None if begun => break,
            None => {}
        }
    }
    text.is_empty()
}

fn unit(text: &[u8], name: u8) -> Option<&[u8]> {
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    match text.get(digits..) {
        Some([found, rest @ ..]) if digits > 0 && *found == name => Some(rest),
        _ => None,
    }
}

fn full_date(&[y0, y1, y2, y3, b1, m0, m1, b2, d0, d1]: &[u8; 10]) -> bool {
    let (Some(century), Some(year), Some(month), Some(day)) =
        (pair(y0, y1), pair(y2, y3), pair(m0, m1), pair(d0, d1))
    else {
        return false;
    };
    let days = match month {
        2 => {
            let leap = if year == 0 { century % 4 == 0 } else { year % 4 == 0 };
            28 + u8::from(leap)
        }
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return false,
    };
    b1 == b'-' && b2 == b'-' && day >= 1 && day <= days
}

fn partial_time(&[h0, h1, c1, m0, m1, c2, s0, s1]: &[u8; 8]) -> Option<(u8, u8, u8)> {
    let (hour, minute, second) = (pair(h0, h1)?, pair(m0, m1)?, pair(s0, s1)?);
    let sound = c1 == b':' && c2 == b':' && hour < 24 && minute < 60 && second <= 60;
    sound.then_some((hour, minute, second))
}

/// What follows an optional fraction of seconds.
fn after_fraction(text: &[u8]) -> Option<&[u8]> {
    let [b'.', rest @ ..] = text else { return Some(text) };
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if digits == 0 { None } else { rest.get(digits..) }
}

/// Minutes east of UTC.
fn offset_minutes(text: &[u8]) -> Option<i32> {
    match *text {
        [b'Z' | b'z'] => Some(0),
        [sign @ (b'+' | b'-'), h0, h1, b':', m0, m1] => {
            let (hours, minutes) = (pair(h0, h1)?, pair(m0, m1)?);
            let offset = i32::from(hours) * 60 + i32::from(minutes);
            let sound = hours < 24 && minutes < 60;
            sound.then_some(if sign == b'+' { offset } else { -offset })
        }
        _ => None,
    }
}

#[inline(always)]
fn pair(tens: u8, ones: u8) -> Option<u8> {
    let (tens, ones) = (tens.wrapping_sub(b'0'), ones.wrapping_sub(b'0'));
    (tens < 10 && ones < 10).then_some(tens.wrapping_mul(10).wrapping_add(ones))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates() {
        for text in ["2024-02-29", "2000-02-29", "0000-01-01", "2023-12-31", "2023-04-30"] {
            assert!(date(text.as_bytes()), "{text}");
        }
        for text in [
            "2023-02-29",
            "1900-02-29",
            "2023-04-31",
            "2023-13-01",
            "2023-00-10",
            "2023-01-00",
            "2023-1-01",
            "2023/01/01",
            "20230101",
            "2023-01-011",
            "",
            "২023-01-01",
        ] {
            assert!(!date(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn times() {
        for text in [
            "12:00:00Z",
            "12:00:00z",
            "23:59:60Z",
            "00:59:60+01:00",
            "18:59:60-05:00",
            "12:00:00.123456789+23:59",
        ] {
            assert!(time(text.as_bytes()), "{text}");
        }
        for text in [
            "12:00:00",
            "24:00:00Z",
            "12:60:00Z",
            "12:00:61Z",
            "22:59:60Z",
            "23:59:60+01:00",
            "12:00:00.Z",
            "12:00:00+24:00",
            "12:00:00+01:60",
            "12:00:00+0100",
            "12:00Z",
            "12:00:00 Z",
            "12:00:00Z+01:00",
            "15:3-:00Z",
        ] {
            assert!(!time(text.as_bytes()), "{text}");
        }
        for text in ["1990-12-31T23:59:60Z", "1985-04-12t23:20:50.52z", "1996-12-19T16:39:57-08:00"]
        {
            assert!(date_time(text.as_bytes()), "{text}");
        }
        for text in [
            "1985-04-12 23:20:50Z",
            "1985-04-12T",
            "1985-04-12T23:20:50",
            "1985-02-30T23:20:50Z",
            "1985-04-12",
        ] {
            assert!(!date_time(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn durations() {
        for text in [
            "P4DT12H30M5S",
            "P4Y",
            "PT0S",
            "P0D",
            "P1M",
            "PT1M",
            "PT36H",
            "P1DT12H",
            "P2W",
            "P1Y2M3D",
        ] {
            assert!(duration(text.as_bytes()), "{text}");
        }
        for text in [
            "PT1D",
            "4DT12H30M5S",
            "P",
            "P1YT",
            "PT",
            "P2D1Y",
            "P1D2H",
            "P2S",
            "P1Y2W",
            "P1",
            "P1.5D",
            "P1Y2D",
            "PT1H2S",
        ] {
            assert!(!duration(text.as_bytes()), "{text}");
        }
    }
}
