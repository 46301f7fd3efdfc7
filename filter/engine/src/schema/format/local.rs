//! Dates and times without an offset: RFC 3339, section 5.6, `partial-time` (OpenAPI's format registry:
//! `time-local`, `date-time-local`).

use super::class::{DIGIT, all, is};
use super::date;

/// `partial-time`. Whether a second 60 was a leap second depends on the offset that is not told.
pub(super) fn time(text: &[u8]) -> bool {
    let Some(([h0, h1, b':', m0, m1, b':', s0, s1], rest)) = text.split_first_chunk::<8>() else {
        return false;
    };
    let fraction = match rest {
        [] => true,
        [b'.', digits @ ..] => !digits.is_empty() && all(digits, DIGIT),
        _ => false,
    };
    below(*h0, *h1, 24) && below(*m0, *m1, 60) && below(*s0, *s1, 61) && fraction
}

/// `full-date`, `T`, `partial-time`.
pub(super) fn date_time(text: &[u8]) -> bool {
    match text.split_at_checked(10) {
        Some((day, [b'T' | b't', clock @ ..])) => date::date(day) && time(clock),
        _ => false,
    }
}

/// Whether two bytes are the digits of a number below a limit.
pub(super) fn below(tens: u8, ones: u8, limit: u8) -> bool {
    is(tens, DIGIT) && is(ones, DIGIT) && (tens & 15) * 10 + (ones & 15) < limit
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn local_times() {
        for text in ["00:00:00", "23:59:60", "12:30:01.5", "12:30:01.000000001"] {
            assert!(time(text.as_bytes()), "{text}");
            assert!(date_time(format!("2024-02-29T{text}").as_bytes()), "{text}");
        }
        for text in [
            "",
            "24:00:00",
            "12:60:00",
            "12:00:61",
            "12:00",
            "12:00:00Z",
            "12:00:00+01:00",
            "12:00:00.",
            "12:00:00.x",
            "1:00:00",
            "12-00-00",
            "12:00:0é",
        ] {
            assert!(!time(text.as_bytes()), "{text}");
        }
        for text in ["2023-02-29T12:00:00", "2024-02-29 12:00:00", "2024-02-29", "2024-02-29T"] {
            assert!(!date_time(text.as_bytes()), "{text}");
        }
        assert!(date_time(b"2024-02-29t12:00:00"));
    }
}
