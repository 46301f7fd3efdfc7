//! Changes to values: what makes a payload into one that no list has.

use super::random::Random;

/// Bytes that mean something to either detector, and some that signed arithmetic reads differently.
const BYTES: &[u8] =
    b"'\"`\\/*-#;:,.()[]{}<>=!&|^%+~@$?_ \t\n\x0b\x0c\r\0\x7f\x80\xa0\xe9\xff019aAbBdDeEfFnNqQuUxX";

/// Pieces that are put in as a whole.
const PIECES: [&str; 56] = [
    "--",
    "-- ",
    "--x",
    "/*",
    "*/",
    "/**/",
    "/*!",
    "/*!0",
    "#",
    "\n",
    "''",
    "\"\"",
    "\\'",
    "\\\\",
    "``",
    "`",
    "||",
    "&&",
    "<=>",
    ":=",
    "::",
    "!=",
    "<>",
    "@@",
    "@",
    "$$",
    "$a$",
    "$ab$",
    "\\N",
    "0x",
    "0b1",
    "1e",
    "1.",
    ".1",
    "e'",
    "N'",
    "q'(",
    ")'",
    "u&'",
    "x'1'",
    "b'0'",
    "{``",
    "{x ",
    "}",
    "sp_password",
    "<!--",
    "-->",
    "--!>",
    "<%",
    "%>",
    "<![CDATA[",
    "]]>",
    "&#x6a;",
    "&#106;",
    "&#0;",
    "&#",
];

/// Changes a value in up to four places.
pub fn mutate(random: &mut Random, value: &mut Vec<u8>, other: &[u8]) {
    for _ in 0..1 + random.below(4) {
        let at = random.below(value.len() + 1);
        let end = (at + 1 + random.below(8)).min(value.len());
        match random.below(12) {
            0 => value.truncate(at),
            1 => drop(value.drain(at..end)),
            2 => insert(value, at, random.pick(&PIECES).as_bytes()),
            3 | 4 => value.insert(at, random.pick(BYTES)),
            5 => replace(value, at, random.pick(BYTES)),
            6 => replace(value, at, random.byte()),
            7 => {
                let copy = value[at..end].to_vec();
                insert(value, at, &copy);
            }
            8 => value[at..end].iter_mut().for_each(flip_case),
            9 => {
                let from = random.below(other.len() + 1);
                let to = (from + random.below(24)).min(other.len());
                insert(value, at, &other[from..to]);
            }
            10 => {
                let count = 1 + random.below(6);
                let byte = random.pick(BYTES);
                insert(value, at, &vec![byte; count]);
            }
            _ => drop(value.drain(..at)),
        }
    }
}

fn insert(value: &mut Vec<u8>, at: usize, piece: &[u8]) {
    value.splice(at..at, piece.iter().copied());
}

fn replace(value: &mut [u8], at: usize, byte: u8) {
    if let Some(place) = value.get_mut(at) {
        *place = byte;
    }
}

fn flip_case(byte: &mut u8) {
    if byte.is_ascii_alphabetic() {
        *byte ^= 0x20;
    }
}

/// A short value of bytes that mean something, or of any bytes.
pub fn noise(random: &mut Random) -> Vec<u8> {
    let any = random.one_in(3);
    let length = random.below(48);
    (0..length).map(|_| if any { random.byte() } else { random.pick(BYTES) }).collect()
}
