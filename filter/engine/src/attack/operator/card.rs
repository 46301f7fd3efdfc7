//! Numbers of payment cards (ISO/IEC 7812): digits of an issuer's range and length whose check digit fits.
//!
//! Numbers are read as words of digits, alone or in groups as printed on cards, with one space or hyphen
//! between. Masked ones have no such words; an IBAN's groups follow on its letters.

/// Digits of a number, at most.
const MAX_DIGITS: usize = 19;

/// Groups as printed on cards.
const GROUPS: [&[usize]; 5] = [&[4, 4, 4, 4], &[4, 6, 5], &[4, 6, 4], &[4, 4, 4, 4, 3], &[6, 13]];

/// Groups of digits that stand together and are looked at, at most: the rest is read as another run.
const MAX_GROUPS: usize = 16;

/// Whether a text holds a number; of `grouped` ones only those in groups count.
pub(super) fn holds_number(text: &[u8], grouped: bool) -> bool {
    let mut rest = text;
    while let Some(start) = rest.iter().position(u8::is_ascii_digit) {
        let before = start.checked_sub(1).and_then(|at| rest.get(at));
        let (words, after) = run(rest.get(start..).unwrap_or_default());
        let decimals = matches!(after, [b'.', digit, ..] if digit.is_ascii_digit());
        let joined = decimals
            || before.is_some_and(|byte| joins(byte) || *byte == b'.')
            || after.first().is_some_and(joins);
        if !joined && words.hold_number(grouped) {
            return true;
        }
        rest = after;
    }
    false
}

/// Whether a byte makes the digits beside it part of something else: a word, a decimal, a mask.
fn joins(byte: &u8) -> bool {
    byte.is_ascii_alphanumeric() || *byte >= 0x80 || b"_*#".contains(byte)
}

/// Words of digits with one separator between each two.
struct Run<'a> {
    words: [&'a [u8]; MAX_GROUPS],
    len: usize,
}

/// The run that a text begins with, and what follows it.
fn run(text: &[u8]) -> (Run<'_>, &[u8]) {
    let mut run = Run { words: [&[]; MAX_GROUPS], len: 0 };
    let mut rest = text;
    loop {
        let end = rest.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(rest.len());
        let (word, after) = rest.split_at_checked(end).unwrap_or((rest, b""));
        if let Some(slot) = run.words.get_mut(run.len) {
            *slot = word;
            run.len += 1;
        }
        let [separator, digit, ..] = after else { return (run, after) };
        if !b" -".contains(separator) || !digit.is_ascii_digit() || run.len == MAX_GROUPS {
            return (run, after);
        }
        rest = after.get(1..).unwrap_or_default();
    }
}

impl Run<'_> {
    fn hold_number(&self, grouped: bool) -> bool {
        let words = self.words.get(..self.len).unwrap_or_default();
        (0..words.len()).any(|at| {
            let from = words.get(at..).unwrap_or_default();
            GROUPS.iter().any(|groups| is_grouped(from, groups))
                || (!grouped && from.first().is_some_and(|word| is_number(word)))
        })
    }
}

/// Whether words begin with a number in groups of these lengths.
fn is_grouped(words: &[&[u8]], groups: &[usize]) -> bool {
    let Some(own) = words.get(..groups.len()) else { return false };
    let mut digits = [0u8; MAX_DIGITS];
    let mut len = 0usize;
    for (word, wanted) in own.iter().zip(groups) {
        let Some(slot) = digits.get_mut(len..len.saturating_add(*wanted)) else { return false };
        if word.len() != *wanted {
            return false;
        }
        slot.copy_from_slice(word);
        len = len.saturating_add(*wanted);
    }
    digits.get(..len).is_some_and(is_number)
}

/// Whether digits are of an issuer's range and length, and their check digit fits.
fn is_number(digits: &[u8]) -> bool {
    digits.len() <= MAX_DIGITS && is_issued(digits) && fits_check_digit(digits)
}

/// Whether a network issues numbers of such a beginning and length.
fn is_issued(digits: &[u8]) -> bool {
    let head = digits.iter().take(6);
    let head = head.fold(0u32, |head, digit| head * 10 + u32::from(digit.wrapping_sub(b'0')));
    match digits.len() {
        13 => matches!(head, 400_000..=499_999),
        14 => matches!(head, 300_000..=305_999 | 360_000..=369_999 | 380_000..=399_999),
        15 => matches!(head, 340_000..=349_999 | 370_000..=379_999),
        16 => matches!(
            head,
            400_000..=499_999
                | 510_000..=559_999
                | 222_100..=272_099
                | 601_100..=601_199
                | 622_126..=622_925
                | 624_000..=626_999
                | 628_200..=628_899
                | 644_000..=659_999
                | 352_800..=358_999
                | 508_500..=508_999
                | 606_985..=607_984
                | 220_000..=220_499
        ),
        17 | 18 => matches!(head, 620_000..=629_999),
        19 => matches!(head, 400_000..=499_999 | 620_000..=629_999 | 501_800..=501_899),
        _ => false,
    }
}

/// The formula of ISO/IEC 7812-1, annex B (Luhn).
fn fits_check_digit(digits: &[u8]) -> bool {
    let sum = digits.iter().rev().enumerate().fold(0u32, |sum, (at, digit)| {
        let value = u32::from(digit.wrapping_sub(b'0')) << (at & 1);
        sum + if value > 9 { value - 9 } else { value }
    });
    sum.is_multiple_of(10)
}

#[cfg(test)]
mod tests {
    use super::holds_number;

    fn holds(text: &str) -> bool {
        holds_number(text.as_bytes(), false)
    }

    // Numbers that the networks publish for tests.
    #[test]
    fn numbers_of_every_network() {
        for number in [
            "4111111111111111",
            "4012888888881881",
            "4222222222222",
            "5105105105105100",
            "2223003122003222",
            "378282246310005",
            "6011000990139424",
            "30569309025904",
            "3530111333300000",
            "6250941006528599",
        ] {
            assert!(holds(number), "{number}");
            assert!(holds(&format!("card {number}, paid")), "{number}");
            let last = number.as_bytes()[number.len() - 1];
            let other = (last - b'0' + 1) % 10;
            assert!(!holds(&format!("{}{other}", &number[..number.len() - 1])), "{number}");
        }
    }

    #[test]
    fn groups_as_on_cards() {
        for number in ["4012 8888 8888 1881", "4012-8888-8888-1881", "3782 822463 10005"] {
            assert!(holds(number), "{number}");
            assert!(holds_number(number.as_bytes(), true), "{number}");
        }
        assert!(!holds_number(b"4012888888881881", true));
        assert!(!holds("40 1288 8888 8818 81"));
    }

    #[test]
    fn what_only_looks_like_one() {
        for text in [
            "401288******1881",
            "4012 88XX XXXX 1881",
            "**** **** **** 1881",
            "DE89 3704 0044 0532 0130 00",
            "GB29 NWBK 6016 1331 9268 19",
            "id4012888888881881",
            "4012888888881881abc",
            "9012888888881881",
            "40128888888818810000",
            "0.4012888888881881",
            "4000000000000000",
        ] {
            assert!(!holds(text), "{text}");
        }
        assert!(holds("x, 4012888888881881 5105105105105100"));
    }
}
