//! What the `source` of a configuration may say of where bundles are fetched from: the filter refuses anything else, and
//! the compiler renders nothing else.

use core::ops::RangeInclusive;

/// Bytes of a bundle that are taken where the configuration does not say.
pub const DEFAULT_MAX_BYTES: u32 = 8 << 20;
/// Bytes of the largest bundle that a configuration may admit: Envoy itself takes 32 MiB of an answer at most.
pub const MAX_BYTES: RangeInclusive<u32> = 1..=24 << 20;
/// Milliseconds between fetches.
pub const INTERVAL: Time = Time { default: 30_000, least: 200, most: 86_400_000 };
/// Milliseconds until a fetch is given up.
pub const TIMEOUT: Time = Time { default: 10_000, least: 100, most: 300_000 };
/// Bytes of a cluster's name, a path or an authority.
const MOST_TEXT: usize = 2048;

/// A time as a configuration may say it, in milliseconds.
#[derive(Clone, Copy, Debug)]
pub struct Time {
    /// Where it is not said.
    pub default: u64,
    least: u64,
    most: u64,
}

impl Time {
    /// `250ms`, `30s`, `5m` or `1h`, within the bounds.
    pub fn read(self, text: &str) -> Option<u64> {
        milliseconds(text).filter(|time| (self.least..=self.most).contains(time))
    }
}

/// Whether a cluster's name, a path or an authority can be sent: visible ASCII of 1 to 2048 characters.
pub fn is_sent(text: &str) -> bool {
    (1..=MOST_TEXT).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// Whether a text that can be sent is a path.
pub fn is_path(text: &str) -> bool {
    text.starts_with('/')
}

fn milliseconds(text: &str) -> Option<u64> {
    let end = text.bytes().position(|byte| !byte.is_ascii_digit())?;
    let (digits, unit) = text.split_at_checked(end)?;
    let unit = match unit {
        "ms" => 1,
        "s" => 1000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return None,
    };
    digits.parse::<u64>().ok()?.checked_mul(unit)
}

#[cfg(test)]
mod tests {
    use super::{INTERVAL, TIMEOUT, is_path, is_sent, milliseconds};

    #[test]
    fn times_have_a_unit() {
        for (text, expected) in [
            ("250ms", Some(250)),
            ("30s", Some(30_000)),
            ("2m", Some(120_000)),
            ("1h", Some(3_600_000)),
        ] {
            assert_eq!(milliseconds(text), expected, "{text}");
        }
        for text in
            ["", "30", "s", "1.5s", "-1s", "1 s", "99999999999999999999s", "9999999999999999h"]
        {
            assert_eq!(milliseconds(text), None, "{text}");
        }
    }

    #[test]
    fn times_have_bounds() {
        for (time, least, most) in [(INTERVAL, "200ms", "24h"), (TIMEOUT, "100ms", "5m")] {
            assert!(time.read(least).is_some() && time.read(most).is_some());
            assert!((time.least..=time.most).contains(&time.default));
        }
        for text in ["199ms", "25h", "86400001ms", "0s"] {
            assert_eq!(INTERVAL.read(text), None, "{text}");
        }
        for text in ["99ms", "301s"] {
            assert_eq!(TIMEOUT.read(text), None, "{text}");
        }
    }

    #[test]
    fn texts_are_visible_and_bounded() {
        assert!(is_sent("/v1/bundle?x=1") && is_sent(&"a".repeat(2048)));
        for text in ["", "a b", "a\n", "ü", &"a".repeat(2049)] {
            assert!(!is_sent(text), "{text}");
        }
        assert!(is_path("/") && !is_path("v1/bundle") && !is_path(""));
    }
}
