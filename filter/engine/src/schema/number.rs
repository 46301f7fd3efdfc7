//! JSON numbers, exactly: no value passes through a float (RFC 8259, section 6).

use super::long;
use core::cmp::Ordering;

/// Magnitude of a number's exponent, at most: what nine digits hold. Numbers are compared by magnitude, so
/// that a large exponent costs nothing.
pub(super) const MAX_EXPONENT: u32 = 999_999_999;
/// Digits of an exponent, at most, leading zeros included.
const MAX_EXPONENT_DIGITS: usize = 32;
/// Digits that any `u64` holds.
const WORD_DIGITS: usize = 19;

/// A number as it stands in a body: `± (whole ++ fraction) × 10^exponent`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Number<'a> {
    pub negative: bool,
    /// All digits as one integer; meaningless unless `short`.
    pub mantissa: u64,
    /// The digits fit `mantissa`.
    pub short: bool,
    /// Power of ten by which all digits taken as one integer are multiplied.
    pub exponent: i32,
    /// Digits before the point.
    pub whole: &'a [u8],
    /// Digits after the point.
    pub fraction: &'a [u8],
    /// Neither a point nor an exponent is written.
    pub plain: bool,
}

/// What the bytes of a number turned out to be.
pub(super) enum Scanned<'a> {
    /// A number, and the place after it.
    Number(Number<'a>, usize),
    /// The input ends where the number could go on.
    Unfinished,
    /// The byte at this place has no place in a number.
    Malformed(usize),
    /// More digits or a greater exponent than allowed.
    TooLong,
}

/// Reads the number that begins at `start`. `last`: no input follows `bytes`. More than `max_digits` are
/// refused: no use is known, and work grows with them.
#[inline(always)]
pub(super) fn scan(bytes: &[u8], start: usize, last: bool, max_digits: u32) -> Scanned<'_> {
    let mut at = start;
    let negative = bytes.get(at) == Some(&b'-');
    at += usize::from(negative);
    let whole_at = at;
    let mut mantissa = 0_u64;
    while let Some(digit) = digit(bytes, at) {
        mantissa = mantissa.wrapping_mul(10).wrapping_add(digit);
        at += 1;
    }
    let whole = bytes.get(whole_at..at).unwrap_or_default();
    match whole {
        [] => return stopped(bytes, at, last),
        [b'0', _, ..] => return Scanned::Malformed(whole_at + 1),
        _ if whole.len() > max_digits as usize => return Scanned::TooLong,
        _ => {}
    }
    match bytes.get(at) {
        Some(b'.' | b'e' | b'E') => {
            let number = Number {
                negative,
                mantissa,
                short: false,
                exponent: 0,
                whole,
                fraction: &[],
                plain: false,
            };
            scan_rest(bytes, at, last, max_digits, number)
        }
        None if !last => Scanned::Unfinished,
        _ => {
            let short = whole.len() <= WORD_DIGITS;
            let number = Number {
                negative,
                mantissa,
                short,
                exponent: 0,
                whole,
                fraction: &[],
                plain: true,
            };
            Scanned::Number(number, at)
        }
    }
}

/// The fraction and exponent of a number.
#[inline(never)]
fn scan_rest<'a>(
    bytes: &'a [u8],
    mut at: usize,
    last: bool,
    max_digits: u32,
    so_far: Number<'a>,
) -> Scanned<'a> {
    let mut mantissa = so_far.mantissa;
    let mut fraction: &[u8] = &[];
    if bytes.get(at) == Some(&b'.') {
        at += 1;
        let fraction_at = at;
        while let Some(digit) = digit(bytes, at) {
            mantissa = mantissa.wrapping_mul(10).wrapping_add(digit);
            at += 1;
        }
        fraction = bytes.get(fraction_at..at).unwrap_or_default();
        if fraction.is_empty() {
            return stopped(bytes, at, last);
        }
    }
    let digits = so_far.whole.len() + fraction.len();
    if digits > max_digits as usize {
        return Scanned::TooLong;
    }
    let mut exponent = 0_i32;
    if matches!(bytes.get(at), Some(b'e' | b'E')) {
        at += 1;
        let minus = bytes.get(at) == Some(&b'-');
        at += usize::from(matches!(bytes.get(at), Some(b'-' | b'+')));
        let exponent_at = at;
        while let Some(digit) = digit(bytes, at) {
            exponent = exponent.saturating_mul(10).saturating_add(digit as i32);
            at += 1;
        }
        if at == exponent_at {
            return stopped(bytes, at, last);
        }
        if at - exponent_at > MAX_EXPONENT_DIGITS || exponent.unsigned_abs() > MAX_EXPONENT {
            return Scanned::TooLong;
        }
        if minus {
            exponent = -exponent;
        }
    }
    if at >= bytes.len() && !last {
        return Scanned::Unfinished;
    }
    let number = Number {
        mantissa,
        short: digits <= WORD_DIGITS,
        exponent: exponent - fraction.len() as i32,
        fraction,
        ..so_far
    };
    Scanned::Number(number, at)
}

impl<'a> Number<'a> {
    /// The number as an `i64`, if it is a plain integer that fits.
    #[inline(always)]
    pub fn as_i64(&self) -> Option<i64> {
        if !(self.plain && self.short) {
            return None;
        }
        if self.negative {
            0_i64.checked_sub_unsigned(self.mantissa)
        } else {
            i64::try_from(self.mantissa).ok()
        }
    }

    /// Whether the number has no fraction, however it is written.
    #[inline]
    pub fn is_integer(&self) -> bool {
        self.exponent >= 0 || self.exact().is_none_or(|exact| exact.exponent >= 0)
    }

    /// The digits that count; `None` for zero.
    pub fn exact(&self) -> Option<Exact<'a>> {
        Exact::new(self.negative, self.whole, self.fraction, i64::from(self.exponent))
    }
}

/// A number other than zero: `± (head ++ tail) × 10^exponent`, the first and the last digit not 0.
#[derive(Clone, Copy, Debug)]
pub(super) struct Exact<'a> {
    negative: bool,
    head: &'a [u8],
    tail: &'a [u8],
    exponent: i64,
}

impl<'a> Exact<'a> {
    /// Strips zeros from digits; `None` for zero.
    pub fn new(negative: bool, head: &'a [u8], tail: &'a [u8], exponent: i64) -> Option<Self> {
        let (mut head, mut tail) = (strip_leading(head), tail);
        if head.is_empty() {
            (head, tail) = (strip_leading(tail), &[]);
        }
        let digits = head.len() + tail.len();
        tail = strip_trailing(tail);
        if tail.is_empty() {
            head = strip_trailing(head);
        }
        let stripped = digits - (head.len() + tail.len());
        let exponent = exponent + stripped as i64;
        (!head.is_empty()).then_some(Exact { negative, head, tail, exponent })
    }

    /// Whether the number is negative.
    pub fn is_negative(&self) -> bool {
        self.negative
    }

    /// Power of ten by which the digits taken as one integer are multiplied.
    pub fn exponent(&self) -> i64 {
        self.exponent
    }

    /// The digits, as ASCII.
    pub fn digits(&self) -> impl Iterator<Item = u8> + Clone + 'a {
        self.head.iter().chain(self.tail).copied()
    }

    /// Digits before the point, if the number were written without exponent.
    fn magnitude(&self) -> i64 {
        (self.head.len() + self.tail.len()) as i64 + self.exponent
    }

    /// Whether the number is `of` times an integer.
    pub fn is_multiple(&self, of: &Exact<'_>) -> bool {
        // The last digit is not 0: a smaller exponent leaves a fraction.
        let Ok(shift) = u32::try_from(self.exponent - of.exponent) else { return false };
        let mut divisor = 0_u128;
        for digit in of.digits() {
            let grown = divisor.checked_mul(10).and_then(|d| d.checked_add(u128::from(digit & 15)));
            let Some(grown) = grown.filter(|d| *d < u128::MAX / 10 - 9) else {
                return long::is_multiple(self.digits(), shift, of.digits());
            };
            divisor = grown;
        }
        // Ten holds no primes but two and five, of which the divisor has fewer than this many each.
        let zeros = core::iter::repeat_n(b'0', shift.min(128) as usize);
        let digits = self.digits().chain(zeros);
        match u64::try_from(divisor) {
            Ok(0) => false,
            Ok(divisor) if divisor < u64::MAX / 10 - 9 => {
                digits.fold(0, |rest, digit| (rest * 10 + u64::from(digit & 15)) % divisor) == 0
            }
            _ => digits.fold(0, |rest, digit| (rest * 10 + u128::from(digit & 15)) % divisor) == 0,
        }
    }
}

/// Compares two numbers, where `None` is zero.
pub(super) fn compare(left: Option<Exact<'_>>, right: Option<Exact<'_>>) -> Ordering {
    let sign = |of: &Option<Exact<'_>>| match of {
        None => 0,
        Some(exact) if exact.negative => -1,
        Some(_) => 1,
    };
    let (Some(a), Some(b)) = (&left, &right) else { return sign(&left).cmp(&sign(&right)) };
    let by_sign = sign(&left).cmp(&sign(&right));
    let by_size = a.magnitude().cmp(&b.magnitude()).then_with(|| a.digits().cmp(b.digits()));
    by_sign.then(if a.negative { by_size.reverse() } else { by_size })
}

#[inline(always)]
fn digit(bytes: &[u8], at: usize) -> Option<u64> {
    let digit = bytes.get(at)?.wrapping_sub(b'0');
    (digit < 10).then_some(u64::from(digit))
}

#[cold]
fn stopped<'a>(bytes: &[u8], at: usize, last: bool) -> Scanned<'a> {
    if at >= bytes.len() && !last { Scanned::Unfinished } else { Scanned::Malformed(at) }
}

fn strip_leading(mut digits: &[u8]) -> &[u8] {
    while let [b'0', rest @ ..] = digits {
        digits = rest;
    }
    digits
}

fn strip_trailing(mut digits: &[u8]) -> &[u8] {
    while let [rest @ .., b'0'] = digits {
        digits = rest;
    }
    digits
}

#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn number(text: &str) -> Number<'_> {
        match scan(text.as_bytes(), 0, true, 1024) {
            Scanned::Number(number, end) if end == text.len() => number,
            _ => panic!("{text} is a number"),
        }
    }

    fn refused(text: &str) -> usize {
        match scan(text.as_bytes(), 0, true, 1024) {
            Scanned::Malformed(at) => at,
            Scanned::Number(_, end) => end,
            _ => panic!("{text}"),
        }
    }

    #[test]
    fn grammar() {
        for text in
            ["0", "-0", "10", "0.5", "-1.25e+10", "1E5", "0e0", "123456789012345678901234567890"]
        {
            number(text);
        }
        for (text, at) in [
            ("-", 1),
            ("01", 1),
            ("-01", 2),
            ("1.", 2),
            (".5", 0),
            ("1e", 2),
            ("1e+", 3),
            ("+1", 0),
        ] {
            assert_eq!(refused(text), at, "{text}");
        }
        assert!(matches!(scan(b"12", 0, false, 1024), Scanned::Unfinished));
        assert!(matches!(scan(b"1.", 0, false, 1024), Scanned::Unfinished));
        assert!(matches!(scan(b"1e1000000000", 0, true, 1024), Scanned::TooLong));
        let of = |text| number(text).exact().unwrap();
        for (text, divisor, multiple) in [
            ("1e999999999", "1024", true),
            ("3e999999999", "0.3", true),
            ("3e999999999", "7", false),
            ("1e-999999999", "1e-999999999", true),
            ("21e500000", "7e499999", true),
        ] {
            assert_eq!(of(text).is_multiple(&of(divisor)), multiple, "{text} of {divisor}");
        }
        let order = |a, b| compare(number(a).exact(), number(b).exact());
        assert_eq!(order("-1e999999", "-1e999998"), Ordering::Less);
        assert_eq!(order("1e-999999", "0"), Ordering::Greater);
        assert!(matches!(scan(&[b'1'; 1025], 0, false, 1024), Scanned::TooLong));
    }

    #[test]
    fn integers() {
        for text in ["1", "1.0", "-20.000", "1.5e1", "100e-2", "0.0", "0e-10", "9007199254740993"] {
            assert!(number(text).is_integer(), "{text}");
        }
        for text in ["1.5", "1e-1", "0.001", "105e-1", "123456789012345678901234567890.5"] {
            assert!(!number(text).is_integer(), "{text}");
        }
        assert_eq!(number("-9223372036854775808").as_i64(), Some(i64::MIN));
        assert_eq!(number("9223372036854775808").as_i64(), None);
        assert_eq!(number("99999999999999999999").as_i64(), None);
        assert_eq!(number("1.0").as_i64(), None);
    }

    #[test]
    fn order_is_exact() {
        let ascending = [
            "-1e400",
            "-12345678901234567890124",
            "-12345678901234567890123",
            "-1.5",
            "-1",
            "-0.1",
            "0",
            "1e-400",
            "0.1",
            "0.10000000000000000001",
            "1",
            "9007199254740992",
            "9007199254740993",
            "1e17",
            "1e400",
        ];
        for (i, a) in ascending.iter().enumerate() {
            for (j, b) in ascending.iter().enumerate() {
                assert_eq!(compare(number(a).exact(), number(b).exact()), i.cmp(&j), "{a} {b}");
            }
        }
        for (a, b) in
            [("0", "-0.0"), ("1", "1.0"), ("100", "1e2"), ("0.01", "1e-2"), ("120.50", "1205e-1")]
        {
            assert_eq!(compare(number(a).exact(), number(b).exact()), Ordering::Equal, "{a} {b}");
        }
    }

    #[test]
    fn multiples_are_exact() {
        let multiple = |a: &str, b: &str| {
            let of = number(b).exact().unwrap();
            number(a).exact().is_none_or(|exact| exact.is_multiple(&of))
        };
        for (a, b) in [
            ("0", "7"),
            ("4.02", "0.01"),
            ("1e4000", "5"),
            ("19.99", "0.01"),
            ("0.0075", "0.0001"),
            ("-9", "3"),
            ("9007199254740993", "3"),
            ("1.10", "1.1"),
            ("300000000000000000000000000000", "3000000000000000000000"),
            (
                "60000000000000000000000000000000000002e-3",
                "3.0000000000000000000000000000000000001",
            ),
        ] {
            assert!(multiple(a, b), "{a} {b}");
        }
        for (a, b) in [
            ("4.025", "0.01"),
            ("1e4000", "7"),
            ("35", "1.5"),
            ("9007199254740993", "2"),
            ("0.5", "1"),
            ("60000000000000000000000000000000000003", "30000000000000000000000000000000000001"),
        ] {
            assert!(!multiple(a, b), "{a} {b}");
        }
    }

    proptest! {
        #[test]
        fn agrees_with_integer_arithmetic(a in any::<i64>(), b in any::<i64>(), shift in 0_u32..6) {
            let (left, right) = (a.to_string(), format!("{b}e0"));
            let (left, right) = (number(&left), number(&right));
            prop_assert_eq!(compare(left.exact(), right.exact()), a.cmp(&b));
            let small = b >> 40;
            if let Some(of) = number(&small.to_string()).exact() {
                let scaled = format!("{a}e{shift}");
                let product = i128::from(a) * 10_i128.pow(shift);
                let multiple = number(&scaled).exact().is_none_or(|exact| exact.is_multiple(&of));
                prop_assert_eq!(multiple, product % i128::from(small) == 0);
            }
        }
    }
}
