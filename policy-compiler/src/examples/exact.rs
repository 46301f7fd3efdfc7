//! Exact decimal arithmetic as far as instances need it: what does not fit is `None`.

use crate::ir::Number;

/// `mantissa × 10^exponent`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exact {
    mantissa: i128,
    exponent: i32,
}

impl Exact {
    /// A whole number.
    pub fn whole(n: i128) -> Self {
        Exact { mantissa: n, exponent: 0 }
    }

    /// A power of ten.
    pub fn power(exponent: i32) -> Self {
        Exact { mantissa: 1, exponent }
    }

    /// The value of a number of up to 30 digits and an exponent within ±60.
    pub fn of(number: &Number) -> Option<Self> {
        let of = number.decimal();
        if of.digits.len() > 30 || of.exponent.abs() > 60 {
            return None;
        }
        let digits: i128 = if of.digits.is_empty() { 0 } else { of.digits.parse().ok()? };
        let mantissa = if of.negative { -digits } else { digits };
        Some(Exact { mantissa, exponent: of.exponent as i32 })
    }

    /// Both with the smaller exponent.
    fn align(self, other: Self) -> Option<(i128, i128, i32)> {
        let exponent = self.exponent.min(other.exponent);
        let scale = |x: Self| {
            let factor = 10i128.checked_pow((x.exponent - exponent) as u32)?;
            x.mantissa.checked_mul(factor)
        };
        Some((scale(self)?, scale(other)?, exponent))
    }

    /// The sum.
    pub fn plus(self, other: Self) -> Option<Self> {
        let (a, b, exponent) = self.align(other)?;
        Some(Exact { mantissa: a.checked_add(b)?, exponent })
    }

    /// The difference.
    pub fn minus(self, other: Self) -> Option<Self> {
        self.plus(Exact { mantissa: other.mantissa.checked_neg()?, ..other })
    }

    /// So many times this.
    pub fn times(self, n: i128) -> Option<Self> {
        Some(Exact { mantissa: self.mantissa.checked_mul(n)?, ..self })
    }

    /// Half of it.
    pub fn half(self) -> Option<Self> {
        Some(Exact { mantissa: self.mantissa.checked_mul(5)?, exponent: self.exponent - 1 })
    }

    /// The least whole count of `step` that is not below this; `step` is above zero.
    pub fn ceil_over(self, step: Self) -> Option<i128> {
        let (a, b, _) = self.align(step)?;
        Some(a.div_euclid(b) + i128::from(a.rem_euclid(b) != 0))
    }

    /// Whether it is a multiple of another, which is not zero.
    pub fn is_multiple_of(self, other: Self) -> Option<bool> {
        let (a, b, _) = self.align(other)?;
        Some(b != 0 && a % b == 0)
    }

    /// The number in JSON's notation, without exponent where that is short.
    pub fn number(self) -> Option<Number> {
        let negative = self.mantissa < 0;
        let digits = self.mantissa.unsigned_abs().to_string();
        let sign = if negative { "-" } else { "" };
        let text = if (0..=30).contains(&self.exponent) {
            let zeros = if self.mantissa == 0 { 0 } else { self.exponent as usize };
            format!("{sign}{digits}{}", "0".repeat(zeros))
        } else if (-30..0).contains(&self.exponent) {
            let places = (-self.exponent) as usize;
            let padded = format!("{digits:0>width$}", width = places + 1);
            let (whole, fraction) = padded.split_at(padded.len() - places);
            let fraction = fraction.trim_end_matches('0');
            if fraction.is_empty() {
                format!("{sign}{whole}")
            } else {
                format!("{sign}{whole}.{fraction}")
            }
        } else {
            format!("{sign}{digits}e{}", self.exponent)
        };
        Number::parse(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn x(text: &str) -> Exact {
        Exact::of(&Number::parse(text).unwrap()).unwrap()
    }

    #[test]
    fn arithmetic_is_exact() {
        assert_eq!(x("0.1").plus(x("0.2")).unwrap().number().unwrap().as_str(), "0.3");
        assert_eq!(x("-1.5").minus(x("0.5")).unwrap().number().unwrap().as_str(), "-2");
        assert_eq!(x("7").ceil_over(x("2")), Some(4));
        assert_eq!(x("-7").ceil_over(x("2")), Some(-3));
        assert_eq!(x("0.3").is_multiple_of(x("0.1")), Some(true));
        assert_eq!(x("5").half().unwrap().number().unwrap().as_str(), "2.5");
        assert_eq!(x("1e40").number().unwrap().as_str(), "1e40");
    }
}
