//! Variants of attacks: a wrong prefilter shows only on values that nearly match.

use super::message::encode;

fn swapped(value: &str) -> String {
    let swap = |(at, letter): (usize, char)| {
        if at % 2 == 0 { letter.to_ascii_uppercase() } else { letter.to_ascii_lowercase() }
    };
    value.chars().enumerate().map(swap).collect()
}

fn everything_encoded(value: &str) -> String {
    value.bytes().map(|byte| format!("%{byte:02x}")).collect()
}

fn entities(value: &str) -> String {
    value.chars().map(|letter| format!("&#x{:x};", u32::from(letter))).collect()
}

fn script_escapes(value: &str) -> String {
    value.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect()
}

fn full_width(value: &str) -> String {
    let wide = |letter: char| match u32::from(letter) {
        code @ 0x21..=0x7E => char::from_u32(code + 0xFEE0).unwrap_or(letter),
        _ => letter,
    };
    value.chars().map(wide).collect()
}

/// The value without the part from one share of its characters to another, in eighths.
fn cut(value: &str, from: usize, to: usize) -> String {
    let count = value.chars().count();
    let kept = |at: &usize| *at < count * from / 8 || *at >= count * to / 8;
    value.chars().enumerate().filter(|(at, _)| kept(at)).map(|(_, letter)| letter).collect()
}

/// The variants of a value.
pub fn of(value: &str) -> Vec<String> {
    let mut all = vec![
        value.to_ascii_uppercase(),
        value.to_ascii_lowercase(),
        swapped(value),
        encode(value),
        everything_encoded(value),
        encode(&encode(value)),
        entities(value),
        script_escapes(value),
        full_width(value),
        value.replace(' ', "/**/"),
        value.replace(' ', "\t"),
        value.replace(' ', "\n\r "),
        value.replace(' ', "+"),
        value.replace(' ', ""),
        value.replace('\'', "\""),
        value.replace('\'', "\u{2019}"),
        value.replace('/', "\\"),
        format!("{value}\0"),
        format!("x{value}x"),
        format!("1' {value} -- "),
        format!("\">{value}<\""),
        format!("{{\"a\":\"{value}\"}}"),
        value.chars().rev().collect(),
        [value, value].concat(),
    ];
    all.extend((0..8).map(|at| cut(value, at, at + 1)));
    all.extend([cut(value, 0, 4), cut(value, 4, 8), cut(value, 2, 6)]);
    all.retain(|variant| !variant.is_empty() && variant != value);
    all
}
