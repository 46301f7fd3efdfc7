//! Dates of HTTP fields: RFC 9110, section 5.6.7, `HTTP-date` with its obsolete forms.

use super::class::{DIGIT, all};
use super::date;
use super::local;

const DAYS: [&[u8]; 7] =
    [b"Monday", b"Tuesday", b"Wednesday", b"Thursday", b"Friday", b"Saturday", b"Sunday"];
const MONTHS: &[u8; 36] = b"JanFebMarAprMayJunJulAugSepOctNovDec";

/// `IMF-fixdate`, `rfc850-date` or `asctime-date`; names are case-sensitive, the day of the week is not
/// checked against the date.
pub(super) fn http_date(text: &[u8]) -> bool {
    let Some(end) = text.iter().position(|byte| matches!(byte, b',' | b' ')) else { return false };
    let (name, rest) = text.split_at_checked(end).unwrap_or_default();
    let short = DAYS.iter().any(|day| day.first_chunk::<3>().is_some_and(|day| day == name));
    let long = DAYS.contains(&name);
    match rest {
        // Sun, 06 Nov 1994 08:49:37 GMT
        [
            b',',
            b' ',
            d0,
            d1,
            b' ',
            m0,
            m1,
            m2,
            b' ',
            y0,
            y1,
            y2,
            y3,
            b' ',
            clock @ ..,
            b' ',
            b'G',
            b'M',
            b'T',
        ] if short => day([*y0, *y1, *y2, *y3], [*m0, *m1, *m2], [*d0, *d1]) && time(clock),
        // Sunday, 06-Nov-94 08:49:37 GMT
        [
            b',',
            b' ',
            d0,
            d1,
            b'-',
            m0,
            m1,
            m2,
            b'-',
            y0,
            y1,
            b' ',
            clock @ ..,
            b' ',
            b'G',
            b'M',
            b'T',
        ] if long => {
            // Two digits leave the century open: 2000 has every day that another could have.
            let year = if *y0 == b'0' && *y1 == b'0' { *b"2000" } else { [b'1', b'9', *y0, *y1] };
            day(year, [*m0, *m1, *m2], [*d0, *d1]) && time(clock)
        }
        // Sun Nov  6 08:49:37 1994
        [b' ', m0, m1, m2, b' ', d0, d1, b' ', clock @ .., b' ', y0, y1, y2, y3] if short => {
            let tens = if *d0 == b' ' { b'0' } else { *d0 };
            day([*y0, *y1, *y2, *y3], [*m0, *m1, *m2], [tens, *d1]) && time(clock)
        }
        _ => false,
    }
}

fn day(year: [u8; 4], month: [u8; 3], [d0, d1]: [u8; 2]) -> bool {
    let mut names = MONTHS.chunks_exact(3).zip(1_u8..);
    let Some((_, month)) = names.find(|(name, _)| **name == month) else { return false };
    let [y0, y1, y2, y3] = year;
    let (m0, m1) = (b'0' + month / 10, b'0' + month % 10);
    all(&year, DIGIT) && date::date(&[y0, y1, y2, y3, b'-', m0, m1, b'-', d0, d1])
}

fn time(clock: &[u8]) -> bool {
    clock.len() == 8 && local::time(clock)
}

#[cfg(test)]
mod tests {
    use super::http_date;

    #[test]
    fn dates() {
        for text in [
            "Sun, 06 Nov 1994 08:49:37 GMT",
            "Sunday, 06-Nov-94 08:49:37 GMT",
            "Sun Nov  6 08:49:37 1994",
            "Sun Nov 16 08:49:37 1994",
            "Tue, 29 Feb 2000 23:59:60 GMT",
            "Tuesday, 29-Feb-00 00:00:00 GMT",
        ] {
            assert!(http_date(text.as_bytes()), "{text}");
        }
        for text in [
            "",
            "Sun, 06 Nov 1994 08:49:37",
            "Sun, 06 Nov 1994 08:49:37 UTC",
            "sun, 06 Nov 1994 08:49:37 GMT",
            "Sun, 6 Nov 1994 08:49:37 GMT",
            "Sun, 31 Nov 1994 08:49:37 GMT",
            "Sun, 29 Feb 1900 08:49:37 GMT",
            "Sun, 06 Nov 1994 24:49:37 GMT",
            "Sun, 06 Nov 1994 08:49:37.5 GMT",
            "Sun, 06 nov 1994 08:49:37 GMT",
            "Sunday, 06 Nov 1994 08:49:37 GMT",
            "Sun, 06-Nov-94 08:49:37 GMT",
            "Sun Nov 6 08:49:37 1994",
            "Fooday, 06-Nov-94 08:49:37 GMT",
            "1994-11-06T08:49:37Z",
            "Sun, 06 Nov 1994 08:49:37 GMT ",
        ] {
            assert!(!http_date(text.as_bytes()), "{text}");
        }
    }
}
