//! Plain scalars of YAML, by the core schema (YAML 1.2.2 section 10.3), and numbers as JSON
//! writes them.

use super::tree::Kind;
use crate::ir::Number;

/// What a plain scalar is. `NO` and `on` are strings; so is `011000138`, since whoever writes a
/// leading zero means the digits.
pub fn plain(text: &str) -> Kind {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Kind::Null,
        "true" | "True" | "TRUE" => return Kind::Bool(true),
        "false" | "False" | "FALSE" => return Kind::Bool(false),
        _ => {}
    }
    // Only text that starts like a number is worth a closer look.
    let starts = text.bytes().next().is_some_and(|b| b.is_ascii_digit() || b"+-.".contains(&b));
    if starts && is_number(text) { Kind::Number(text.into()) } else { Kind::String(text.into()) }
}

fn is_number(text: &str) -> bool {
    if has_radix(text) {
        return true;
    }
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let mantissa = unsigned.split(['e', 'E', '.']).next().unwrap_or_default();
    let leading_zero = mantissa.len() > 1 && mantissa.starts_with('0');
    !leading_zero && number(text).is_some()
}

fn has_radix(text: &str) -> bool {
    let digits =
        |rest: &str, radix: u32| !rest.is_empty() && rest.chars().all(|c| c.is_digit(radix));
    text.strip_prefix("0x").is_some_and(|rest| digits(rest, 16))
        || text.strip_prefix("0o").is_some_and(|rest| digits(rest, 8))
}

/// The number that a YAML or JSON scalar means: `+1`, `.5`, `1.`, `0x1F`, `0o17`.
pub fn number(text: &str) -> Option<Number> {
    if let Some(number) = Number::parse(text) {
        return Some(number);
    }
    if has_radix(text) {
        let radix = if text.starts_with("0x") { 16 } else { 8 };
        let value = u128::from_str_radix(text.get(2..)?, radix).ok()?;
        return Number::parse(&value.to_string());
    }
    let (sign, rest) = match text.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", text.strip_prefix('+').unwrap_or(text)),
    };
    let (mantissa, exponent) = match rest.find(['e', 'E']) {
        Some(at) => rest.split_at(at),
        None => (rest, ""),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let whole = if whole.is_empty() { "0" } else { whole };
    let fraction = if fraction.is_empty() { "0" } else { fraction };
    if mantissa.contains('.') {
        Number::parse(&format!("{sign}{whole}.{fraction}{exponent}"))
    } else {
        Number::parse(&format!("{sign}{whole}{exponent}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_core_schema() {
        for text in [
            "NO",
            "on",
            "y",
            "011000138",
            "0x",
            "0o8",
            "1_000",
            "12:30:45",
            ".",
            "-",
            "+",
            ".inf",
            ".nan",
            "1e",
            "2024-01-01",
            "1.2.3",
            "00.5",
            "e5",
        ] {
            assert_eq!(plain(text), Kind::String(text.into()), "{text}");
        }
        for (text, json) in [
            ("0", "0"),
            ("-12", "-12"),
            ("+12", "12"),
            (".5", "0.5"),
            ("1.", "1.0"),
            ("0x1F", "31"),
            ("0o17", "15"),
            ("-1.5e+3", "-1.5e+3"),
            ("12e03", "12e03"),
            ("9223372036854775808", "9223372036854775808"),
        ] {
            assert_eq!(plain(text), Kind::Number(text.into()), "{text}");
            assert_eq!(number(text).unwrap().as_str(), json);
        }
        assert_eq!(plain("True"), Kind::Bool(true));
        assert_eq!(plain("~"), Kind::Null);
    }
}
