//! Texts and numbers that rules look for, in the place of those that a value holds.

use super::probes::Random;
use policy_compiler::ir::{Number, Value};

/// What strings are replaced by: attacks, and values of the formats in all their notations.
const TEXTS: [&str; 65] = [
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
    "P2W",
    "QQ==",
    "/+8=",
    "_-8",
    "Zm9v",
    "a\tb",
    "on",
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
pub fn replace(value: &mut Value, mut at: usize, attacks: &[String], random: &mut Random) {
    match value {
        Value::String(text) => *text = other(text, attacks, random),
        Value::Number(number) => {
            if let Some(other) = Number::parse(&written(random)) {
                *number = other;
            }
        }
        Value::Array(items) => {
            for item in items {
                let own = leaves(item);
                if at < own {
                    return replace(item, at, attacks, random);
                }
                at -= own;
            }
        }
        Value::Object(members) => {
            for (_, member) in members {
                let own = leaves(member);
                if at < own {
                    return replace(member, at, attacks, random);
                }
                at -= own;
            }
        }
        Value::Null | Value::Bool(_) => {}
    }
}

/// A number, in one of the notations that JSON has.
fn written(random: &mut Random) -> String {
    let digits = |random: &mut Random| random.below(1000).to_string();
    match random.below(4) {
        0 => random.of(&NUMBERS).to_owned(),
        1 => digits(random),
        2 => format!("-{}.{}", digits(random), digits(random)),
        _ => {
            let (mark, sign) = (random.of(&["e", "E"]), random.of(&["", "+", "-"]));
            format!("{}{mark}{sign}{}", digits(random), random.below(30))
        }
    }
}

/// Another text: of the list, an attack, of letters, or the same changed a little: most of these its schema takes.
fn other(text: &str, attacks: &[String], random: &mut Random) -> String {
    let letters: Vec<char> = LETTERS.chars().collect();
    let own: Vec<char> = text.chars().collect();
    let attack: Vec<char> =
        attacks.get(random.below(attacks.len())).into_iter().flat_map(|it| it.chars()).collect();
    match random.below(9) {
        0 | 8 => random.of(&TEXTS).to_owned(),
        1 => {
            let length = random.below(12);
            (0..length).map(|_| letters[random.below(letters.len())]).collect()
        }
        2 => attack.into_iter().collect(),
        // What of an attack is written in the text's own characters, as long as the text.
        3 => attack.into_iter().filter(|it| own.contains(it)).take(own.len().max(1)).collect(),
        // The attack in the text's shape.
        4 => bent(&own, &attack, random),
        5 => spliced(&own, &attack, random),
        6 => own.iter().map(|it| swapped(*it, random)).collect(),
        _ => {
            let mut own = own;
            if !own.is_empty() {
                let at = random.below(own.len());
                own[at] = letters[random.below(letters.len())];
            }
            own.into_iter().collect()
        }
    }
}

/// Each character in its place or one of the attack's of the same kind, in the attack's order.
fn bent(own: &[char], attack: &[char], random: &mut Random) -> String {
    let kind = |it: char| (it.is_ascii_digit(), it.is_lowercase(), it.is_uppercase());
    let mut rest = attack.iter();
    let one = |it: &char| {
        let taken =
            if random.one_in(3) { None } else { rest.find(|other| kind(**other) == kind(*it)) };
        *taken.unwrap_or(it)
    };
    own.iter().map(one).collect()
}

/// A piece of the attack in the place of as many characters, or between two.
fn spliced(own: &[char], attack: &[char], random: &mut Random) -> String {
    let length = 1 + random.below(8);
    let start = random.below(attack.len());
    let piece = attack.iter().skip(start).take(length);
    let at = random.below(own.len() + 1);
    let after = if random.one_in(2) { at } else { at + length };
    own.iter().take(at).chain(piece).chain(own.iter().skip(after)).collect()
}

/// Another digit for a digit, the other case for a letter, or the same.
fn swapped(one: char, random: &mut Random) -> char {
    match one {
        _ if random.one_in(2) => one,
        '0'..='9' => char::from(b'0' + random.below(10) as u8),
        'a'..='z' => one.to_ascii_uppercase(),
        'A'..='Z' => one.to_ascii_lowercase(),
        _ => one,
    }
}

/// Pairs of `name=value` with one number or boolean in another notation than JSON's; none where there is none.
pub fn written_otherwise(pairs: &str, random: &mut Random) -> Option<String> {
    let mut pairs: Vec<String> = pairs.split('&').map(str::to_owned).collect();
    let is_literal = |pair: &String| {
        let value = pair.split_once('=').map_or("", |(_, value)| value);
        matches!(value, "true" | "false") || value.parse::<f64>().is_ok()
    };
    let places: Vec<usize> = (0..pairs.len()).filter(|at| is_literal(&pairs[*at])).collect();
    let at = *places.get(random.below(places.len().max(1)))?;
    let (name, value) = pairs[at].split_once('=')?;
    let other = match value {
        "true" => random.of(&["TRUE", "on", "Yes", "1"]).to_owned(),
        "false" => random.of(&["False", "off", "NO", "0"]).to_owned(),
        number => match number.strip_prefix('-') {
            Some(rest) => format!("-00{rest}"),
            None => format!("{}{number}", random.of(&["%2B", "00", "%2B0"])),
        },
    };
    pairs[at] = format!("{name}={other}");
    Some(pairs.join("&"))
}
