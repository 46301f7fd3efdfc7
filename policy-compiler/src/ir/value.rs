//! JSON values with exact numbers.

use std::cmp::Ordering;
use std::collections::{BTreeMap, HashMap};

/// A JSON value. Equality is structural on the text; use [`Value::same`] for JSON's own.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Value {
    /// `null`
    Null,
    /// `true`, `false`
    Bool(bool),
    /// A number, exactly as written.
    Number(Number),
    /// A string, unescaped. Lone surrogates of JSON text have become U+FFFD with a diagnostic.
    String(String),
    /// An array.
    Array(Vec<Value>),
    /// An object, in document order, without duplicate names.
    Object(Vec<(String, Value)>),
}

impl Value {
    /// Equality of JSON instances (JSON Schema core section 4.2.2): `1` equals `1.0`, and objects
    /// are equal whatever the order of their members.
    pub fn same(&self, other: &Value) -> bool {
        // Values come from parsed documents, whose depth is bounded.
        match (self, other) {
            (Value::Number(a), Value::Number(b)) => a.compare(b) == Ordering::Equal,
            (Value::Array(a), Value::Array(b)) => {
                a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.same(b))
            }
            (Value::Object(a), Value::Object(b)) => {
                let named: HashMap<&str, &Value> = b.iter().map(|(n, b)| (&**n, b)).collect();
                a.len() == b.len()
                    && a.iter().all(|(name, a)| named.get(&**name).is_some_and(|b| a.same(b)))
            }
            (a, b) => a == b,
        }
    }

    /// A value in a form whose equality is [`Value::same`]: for looking up among many.
    pub fn key(&self) -> Key {
        match self {
            Value::Null => Key::Null,
            Value::Bool(is) => Key::Bool(*is),
            Value::Number(number) => Key::Number(number.decimal()),
            Value::String(text) => Key::String(text.clone()),
            Value::Array(items) => Key::Array(items.iter().map(Value::key).collect()),
            Value::Object(members) => {
                Key::Object(members.iter().map(|(name, it)| (name.clone(), it.key())).collect())
            }
        }
    }

    /// The type that an instance with this value has; a number without fraction is an integer.
    pub fn kind(&self) -> super::Type {
        match self {
            Value::Null => super::Type::Null,
            Value::Bool(_) => super::Type::Boolean,
            Value::Number(n) if n.is_integer() => super::Type::Integer,
            Value::Number(_) => super::Type::Number,
            Value::String(_) => super::Type::String,
            Value::Array(_) => super::Type::Array,
            Value::Object(_) => super::Type::Object,
        }
    }
}

/// What [`Value::key`] gives.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Key {
    /// `null`
    Null,
    /// `true`, `false`
    Bool(bool),
    /// A number by its value.
    Number(Decimal),
    /// A string.
    String(String),
    /// An array.
    Array(Vec<Key>),
    /// An object, its members by name.
    Object(BTreeMap<String, Key>),
}

/// A decimal number, kept as the text of a JSON number (RFC 8259 section 6).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Number(String);

/// A number taken apart: `±digits × 10^exponent`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Decimal {
    /// Whether it is below zero. Zero is not negative.
    pub negative: bool,
    /// Decimal digits without leading or trailing zeros; empty for zero.
    pub digits: String,
    /// Power of ten that the digits, read as an integer, are multiplied with; 0 for zero.
    pub exponent: i64,
}

/// Digits of a `multipleOf` that the engine divides by.
pub use portcullis_bundle::layout::MAX_MULTIPLE_DIGITS;

impl Number {
    /// Whether it has more digits than a `multipleOf` can have.
    pub fn is_long(&self) -> bool {
        self.decimal().digits.len() > MAX_MULTIPLE_DIGITS
    }

    /// Takes the text of a JSON number; `None` when it is not one, or its exponent passes ±10⁹.
    pub fn parse(text: &str) -> Option<Self> {
        decimal(text).map(|_| Self(text.to_owned()))
    }

    /// The text as written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The exact value.
    pub fn decimal(&self) -> Decimal {
        decimal(&self.0).unwrap_or(Decimal { negative: false, digits: String::new(), exponent: 0 })
    }

    /// Whether the value has no fraction (`1.0` and `1e2` have none).
    pub fn is_integer(&self) -> bool {
        self.decimal().exponent >= 0
    }

    /// The value, where it is an integer that fits.
    pub fn as_i64(&self) -> Option<i64> {
        let d = self.decimal();
        if d.exponent < 0 || d.exponent > 19 {
            return None;
        }
        let mut n: i128 = if d.digits.is_empty() { 0 } else { d.digits.parse().ok()? };
        for _ in 0..d.exponent {
            n = n.checked_mul(10)?;
        }
        i64::try_from(if d.negative { -n } else { n }).ok()
    }

    /// The value, where it is a non-negative integer that fits.
    pub fn as_u64(&self) -> Option<u64> {
        let d = self.decimal();
        if d.negative || d.exponent < 0 || d.exponent > 20 {
            return None;
        }
        let mut n: u64 = if d.digits.is_empty() { 0 } else { d.digits.parse().ok()? };
        for _ in 0..d.exponent {
            n = n.checked_mul(10)?;
        }
        Some(n)
    }

    /// Exact numeric order.
    pub fn compare(&self, other: &Number) -> Ordering {
        self.decimal().compare(&other.decimal())
    }
}

impl Decimal {
    /// Exact numeric order.
    pub fn compare(&self, other: &Decimal) -> Ordering {
        match (self.negative, other.negative) {
            (true, false) => Ordering::Less,
            (false, true) => Ordering::Greater,
            (false, false) => magnitude(self, other),
            (true, true) => magnitude(other, self),
        }
    }
}

fn magnitude(a: &Decimal, b: &Decimal) -> Ordering {
    match (a.digits.is_empty(), b.digits.is_empty()) {
        (true, true) => return Ordering::Equal,
        (true, false) => return Ordering::Less,
        (false, true) => return Ordering::Greater,
        (false, false) => {}
    }
    // Position of the first digit; the digits themselves are without leading zeros.
    let top = |d: &Decimal| d.exponent + d.digits.len() as i64;
    // Without trailing zeros, a prefix is the smaller of the two.
    top(a).cmp(&top(b)).then_with(|| a.digits.cmp(&b.digits))
}

fn decimal(text: &str) -> Option<Decimal> {
    let (negative, rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (mantissa, exponent) = match rest.split_once(['e', 'E']) {
        Some((m, e)) => (m, exponent(e)?),
        None => (rest, 0),
    };
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((w, f)) if !f.is_empty() => (w, f),
        Some(_) => return None,
        None => (mantissa, ""),
    };
    let digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
    let leading_zero = whole.len() > 1 && whole.starts_with('0');
    if whole.is_empty() || leading_zero || !digits(whole) || !digits(fraction) {
        return None;
    }
    let all = format!("{whole}{fraction}");
    let significant = all.trim_start_matches('0');
    let trimmed = significant.trim_end_matches('0');
    if trimmed.is_empty() {
        return Some(Decimal { negative: false, digits: String::new(), exponent: 0 });
    }
    let dropped = (significant.len() - trimmed.len()) as i64;
    Some(Decimal {
        negative,
        digits: trimmed.to_owned(),
        exponent: exponent - fraction.len() as i64 + dropped,
    })
}

fn exponent(text: &str) -> Option<i64> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let value: i64 = text.parse().ok()?;
    (value.abs() <= 1_000_000_000).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_equal_where_values_are_the_same() {
        let number = |text: &str| Value::Number(Number::parse(text).unwrap());
        let member = |name: &str, value: Value| (name.to_owned(), value);
        let (one, two) = (number("1"), number("2e0"));
        let values = [
            Value::Null,
            Value::Bool(true),
            Value::String("1".to_owned()),
            one.clone(),
            number("1.0"),
            number("10e-1"),
            number("0"),
            number("-0.0"),
            number("0e7"),
            Value::Array(vec![one.clone(), number("2")]),
            Value::Array(vec![number("1.00"), two.clone()]),
            Value::Object(vec![member("a", one.clone()), member("b", two.clone())]),
            Value::Object(vec![member("b", number("2")), member("a", number("1.0"))]),
            Value::Object(vec![member("a", one)]),
        ];
        for a in &values {
            for b in &values {
                assert_eq!(a.key() == b.key(), a.same(b), "{a:?} {b:?}");
            }
        }
    }

    fn n(text: &str) -> Number {
        Number::parse(text).unwrap()
    }

    #[test]
    fn only_json_numbers_parse() {
        for bad in ["", "-", "01", "1.", ".5", "+1", "0x1", "1e", "1e+", "NaN", "1e9999999999", "٣"]
        {
            assert!(Number::parse(bad).is_none(), "{bad}");
        }
        for good in ["0", "-0", "1", "0.1", "1e5", "1E-5", "1.50e+3", "123456789012345678901234"] {
            assert!(Number::parse(good).is_some(), "{good}");
        }
    }

    #[test]
    fn order_is_exact() {
        let sorted = [
            "-1e400", "-10", "-9.99", "-0.1", "0", "1e-400", "0.1", "0.11", "1", "9", "10", "1e400",
        ];
        for (i, a) in sorted.iter().enumerate() {
            for (j, b) in sorted.iter().enumerate() {
                assert_eq!(n(a).compare(&n(b)), i.cmp(&j), "{a} {b}");
            }
        }
        assert_eq!(n("1.0").compare(&n("10e-1")), Ordering::Equal);
        assert_eq!(n("9007199254740993").compare(&n("9007199254740992")), Ordering::Greater);
    }

    #[test]
    fn integers_fit_or_not() {
        assert_eq!(n("1.50e1").as_i64(), Some(15));
        assert_eq!(n("-9223372036854775808").as_i64(), Some(i64::MIN));
        assert_eq!(n("9223372036854775808").as_i64(), None);
        assert_eq!(n("1.5").as_i64(), None);
        assert_eq!(n("-0").as_u64(), Some(0));
        assert_eq!(n("-1").as_u64(), None);
        assert_eq!(n("1e30").as_u64(), None);
        assert!(n("1e2").is_integer() && !n("1e-2").is_integer());
    }

    #[test]
    fn json_equality() {
        let object = |members: &[(&str, &str)]| {
            Value::Object(
                members.iter().map(|(k, v)| ((*k).to_owned(), Value::Number(n(v)))).collect(),
            )
        };
        assert!(object(&[("a", "1"), ("b", "2")]).same(&object(&[("b", "2.0"), ("a", "1")])));
        assert!(!object(&[("a", "1")]).same(&object(&[("a", "1"), ("b", "2")])));
        assert!(!Value::Bool(false).same(&Value::Number(n("0"))));
    }
}
