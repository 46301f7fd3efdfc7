//! Texts and numbers that rules look for, in the place of those that a value holds.

use super::probes::Random;
use policy_compiler::ir::{Number, Value};

/// What strings are replaced by: attacks, and values of the formats in all their notations.
const TEXTS: [&str; 58] = [
    "",
    " ",
    "0",
    "1",
    "-1",
    "+41",
    "00",
    "1e5",
    "1E-5",
    "-.5",
    "1.",
    "1--1",
    "0x1f",
    "0b1",
    "1union",
    "1 union select",
    "union",
    "select",
    "a'b",
    "' or '1'='1",
    "1' or 1=1--",
    "<script>",
    "<a href=x>",
    "x=1",
    "a=b",
    "onload=x",
    "a-b",
    "1-dec",
    "dec-dec",
    "a.b",
    "a b c",
    "true",
    "TRUE",
    "null",
    "off",
    "12345678-dec0-1dec-0dec-00000000dec0",
    "00000000-0000-0000-0000-000000000000",
    "1dec0dec-0dec-1dec-aaaa-1234567890ab",
    "2024-02-29",
    "2024-02-29T23:59:59Z",
    "2024-02-29t00:00:00.123456789+05:30",
    "23:59:59.5z",
    "P1Y2M",
    "PT0S",
    "10.0.0.1",
    "::1",
    "1::dec",
    "dec::1",
    "ff::10.1.2.3",
    "a@b.c",
    "1having@b.c",
    "https://a.b/c?d=e#f",
    "%27",
    "%3Cscript%3E",
    "ab12",
    "AB12CD34",
    "é",
    "\u{212a}",
];

const LETTERS: &str = "0123456789abcdefxyzABCDEFTZ-_.:+ '\"%/=<>()@,;&é\u{ff1c}";

const NUMBERS: [&str; 14] = [
    "0",
    "1",
    "-1",
    "10",
    "0.5",
    "-0.5",
    "1e5",
    "1E+5",
    "1e-5",
    "100000000000000000000",
    "12",
    "2024",
    "-12.50",
    "0.0",
];

/// How many strings and numbers a value holds.
pub fn leaves(value: &Value) -> usize {
    match value {
        Value::String(_) | Value::Number(_) => 1,
        Value::Array(items) => items.iter().map(leaves).sum(),
        Value::Object(members) => members.iter().map(|(_, value)| leaves(value)).sum(),
        Value::Null | Value::Bool(_) => 0,
    }
}

/// Replaces one string or number of a value, by its place among them.
pub fn replace(value: &mut Value, mut at: usize, random: &mut Random) {
    match value {
        Value::String(text) => *text = other(text, random),
        Value::Number(number) => {
            if let Some(other) = Number::parse(random.of(&NUMBERS)) {
                *number = other;
            }
        }
        Value::Array(items) => {
            for item in items {
                let own = leaves(item);
                if at < own {
                    return replace(item, at, random);
                }
                at -= own;
            }
        }
        Value::Object(members) => {
            for (_, member) in members {
                let own = leaves(member);
                if at < own {
                    return replace(member, at, random);
                }
                at -= own;
            }
        }
        Value::Null | Value::Bool(_) => {}
    }
}

/// Another text: of the list, of letters, or the same with one letter changed.
fn other(text: &str, random: &mut Random) -> String {
    let letters: Vec<char> = LETTERS.chars().collect();
    match random.below(3) {
        0 => random.of(&TEXTS).to_owned(),
        1 => {
            let length = random.below(12);
            (0..length).map(|_| letters[random.below(letters.len())]).collect()
        }
        _ => {
            let mut own: Vec<char> = text.chars().collect();
            if !own.is_empty() {
                let at = random.below(own.len());
                own[at] = letters[random.below(letters.len())];
            }
            own.into_iter().collect()
        }
    }
}
