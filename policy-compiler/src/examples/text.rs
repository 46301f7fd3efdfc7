//! Texts: from automata, from classes of characters, and samples of formats.

use crate::ir::Number;
use crate::lower::pattern::{Table, Verdict};

/// Not base64, whatever the length.
pub const NOT_BASE64: &str = "not base64!";
/// Not JSON.
pub const NOT_JSON: &str = "{not json";

/// Whether a media type is JSON.
pub fn is_json(media_type: &crate::ir::At<String>) -> bool {
    let name = media_type.value.split(';').next().unwrap_or_default().trim();
    name.eq_ignore_ascii_case("application/json") || name.to_ascii_lowercase().ends_with("+json")
}

/// A text in an encoding of `contentEncoding`; `None` where that is not known.
pub fn encode(encoding: &str, text: &str) -> Option<String> {
    use data_encoding::{BASE32, BASE32HEX, BASE64, BASE64URL, HEXUPPER};
    Some(match encoding.to_ascii_lowercase().as_str() {
        "base64" => BASE64.encode(text.as_bytes()),
        "base64url" => BASE64URL.encode(text.as_bytes()),
        "base32" => BASE32.encode(text.as_bytes()),
        "base32hex" => BASE32HEX.encode(text.as_bytes()),
        "base16" => HEXUPPER.encode(text.as_bytes()),
        "7bit" | "8bit" | "binary" | "quoted-printable" => text.to_owned(),
        _ => return None,
    })
}

/// What a text in an encoding says, where it is UTF-8 text; `Err` where it is not in that encoding at all.
pub fn decode(encoding: &str, text: &str) -> Result<Option<String>, ()> {
    use data_encoding::{BASE32, BASE32HEX, BASE64, BASE64URL, HEXUPPER_PERMISSIVE};
    let bytes = match encoding.to_ascii_lowercase().as_str() {
        "base64" => BASE64.decode(text.as_bytes()),
        "base64url" => BASE64URL.decode(text.as_bytes()),
        "base32" => BASE32.decode(text.as_bytes()),
        "base32hex" => BASE32HEX.decode(text.as_bytes()),
        "base16" => HEXUPPER_PERMISSIVE.decode(text.as_bytes()),
        "7bit" if !text.is_ascii() => return Err(()),
        "quoted-printable" if text.contains("=ZZ") => return Err(()),
        "7bit" | "8bit" | "binary" => return Ok(Some(text.to_owned())),
        _ => return Ok(None),
    };
    bytes.map(|bytes| String::from_utf8(bytes).ok()).map_err(|_| ())
}

/// Longest text that is made.
pub const MAX_TEXT: u64 = 400_000;
/// How many transitions one search follows.
const WORK: usize = 20_000_000;

/// A text of at least `min` characters that no pattern asks for.
pub fn plain(min: u64, salt: u32) -> String {
    let word = if salt == 0 { "text".to_owned() } else { format!("text{salt}") };
    let want = min.clamp(1, MAX_TEXT) as usize;
    let mut text: String = word.chars().cycle().take(want.max(word.len())).collect();
    if (text.len() as u64) > min.max(word.len() as u64) {
        text.truncate(min as usize);
    }
    text
}

/// A text of so many characters.
pub fn of_length(length: u64, salt: u32) -> String {
    let letters = b"abcdefghijklmnopqrstuvwxyz0123456789";
    (0..length.min(MAX_TEXT))
        .map(|i| char::from(letters[((i + u64::from(salt) * 7) % letters.len() as u64) as usize]))
        .collect()
}

/// A text from `^[class]{least,most}$`.
pub fn from_class(
    ranges: &[(u32, u32)],
    (least, most): (u64, Option<u64>),
    min: u64,
    max: u64,
    accept: bool,
    salt: u32,
) -> Option<String> {
    let inside = |letter: char| {
        ranges.iter().any(|(first, last)| (*first..=*last).contains(&u32::from(letter)))
    };
    if !accept {
        let wrong = alphabet().find(|letter| !inside(*letter));
        let length = min.max(1).max(least.min(max));
        if let Some(wrong) = wrong.filter(|_| length <= max) {
            return Some(std::iter::repeat_n(wrong, length as usize).collect());
        }
        let right = letter_of(ranges, salt)?;
        if least > 0 && min < least {
            return Some(std::iter::repeat_n(right, (least - 1) as usize).collect());
        }
        let most = most.filter(|most| *most < max)?;
        return Some(std::iter::repeat_n(right, most as usize + 1).collect());
    }
    let length = min.max(least).max(1).min(max.min(most.unwrap_or(u64::MAX)));
    if length < min.max(least) || length > MAX_TEXT {
        return None;
    }
    let letters: Vec<char> = alphabet().filter(|letter| inside(*letter)).take(36).collect();
    if letters.is_empty() {
        let letter = letter_of(ranges, salt)?;
        return Some(std::iter::repeat_n(letter, length as usize).collect());
    }
    let pick = |i: u64| letters[((i + u64::from(salt)) % letters.len() as u64) as usize];
    Some((0..length).map(pick).collect())
}

fn letter_of(ranges: &[(u32, u32)], salt: u32) -> Option<char> {
    let (first, last) = *ranges.get(salt as usize % ranges.len().max(1))?;
    char::from_u32(first).or_else(|| char::from_u32(last))
}

/// Characters to make texts of, the most ordinary first.
fn alphabet() -> impl Iterator<Item = char> {
    ('a'..='z')
        .chain('0'..='9')
        .chain('A'..='Z')
        .chain("-_. ,:;+/@#$%&*()=!?'\"<>[]{}|\\^`~".chars())
        .chain(['é', '漢', '😀', '\n', '\t'])
}

/// A text of between `min` and `max` characters that an automaton accepts, or refuses.
pub fn from_table(table: &Table, min: u64, max: u64, accept: bool, salt: u32) -> Option<String> {
    let step = |state: u32, letter: char| {
        let mut buffer = [0; 4];
        letter.encode_utf8(&mut buffer).bytes().fold(state, |state, byte| {
            let class = usize::from(table.classes[usize::from(byte)]);
            table.next[state as usize * table.stride + class]
        })
    };
    // One character of each class of bytes is enough; several where salt asks for variety.
    let mut letters: Vec<char> = Vec::new();
    let mut of_class = vec![0u32; 256];
    for letter in alphabet() {
        let class = if letter.is_ascii() { table.classes[letter as usize] } else { 255 };
        let count = &mut of_class[usize::from(class)];
        *count += 1;
        if *count <= 1 + salt || !letter.is_ascii() {
            letters.push(letter);
        }
    }
    if salt > 0 {
        let by = salt as usize % letters.len().max(1);
        letters.rotate_left(by);
    }
    let good = |state: u32| {
        let verdict = table.verdicts[state as usize];
        (verdict >= Verdict::Accepts) == accept
    };
    let hopeless = |state: u32| match table.verdicts[state as usize] {
        Verdict::Dead => accept,
        Verdict::AcceptsAlways => !accept,
        _ => false,
    };
    let states = table.verdicts.len();
    // By length: how each state was reached first.
    let mut layers: Vec<Vec<Option<(u32, char)>>> = Vec::new();
    let mut current = vec![table.start];
    let mut work = 0usize;
    let mut length = 0u64;
    loop {
        if length >= min
            && length <= max
            && let Some(end) = current.iter().copied().find(|state| good(*state))
        {
            let mut text = Vec::new();
            let mut state = end;
            for layer in layers.iter().rev() {
                let (before, letter) = layer[state as usize]?;
                text.push(letter);
                state = before;
            }
            return Some(text.into_iter().rev().collect());
        }
        if length >= max || length >= MAX_TEXT {
            return None;
        }
        let mut layer = vec![None; states];
        let mut next = Vec::new();
        for state in &current {
            for letter in &letters {
                work += 1;
                let to = step(*state, *letter);
                if layer[to as usize].is_none() && !hopeless(to) {
                    layer[to as usize] = Some((*state, *letter));
                    next.push(to);
                }
            }
        }
        if next.is_empty() || work > WORK {
            return None;
        }
        layers.push(layer);
        current = next;
        length += 1;
    }
}

/// Texts that have a format, and texts that have not.
pub fn samples(format: &str) -> Option<(&'static [&'static str], &'static [&'static str])> {
    Some(match format {
        "date" => (
            &["2026-01-15", "2025-12-31", "2024-02-29"],
            &["2026-02-30", "15 January 2026", "not-a-date"],
        ),
        "date-time" => (
            &["2026-01-15T10:30:00Z", "2025-12-31T23:59:59+01:00", "2024-02-29T00:00:00.5Z"],
            &[
                "2026-13-15T10:30:00Z",
                "2026-02-30T10:30:00Z",
                "2026-02-30T10:30:00.000Z",
                "2026-02-30T10:30:00.000+01:00",
                "2026-01-15",
                "not a date and time at all",
            ],
        ),
        "time" => (&["10:30:00Z", "23:59:59+01:00"], &["25:00:00Z", "not-a-time"]),
        "duration" => (&["P1D", "PT15M"], &["1 day", "P", "not-a-duration"]),
        "uuid" => (
            &["6f1c2d3e-4a5b-4c6d-8e7f-901a2b3c4d5e", "0b9d7a52-64e1-4d5c-9c64-9d5f3c2b1a00"],
            &["6f1c2d3e-4a5b-4c6d-8e7f-901a2b3c4d5!", "not-a-uuid"],
        ),
        "email" | "idn-email" => (
            &["someone@example.com", "else@example.org"],
            &["someone at example.com", "not-an-address", "@"],
        ),
        "uri" | "iri" => (
            &["https://example.com/a", "https://example.org/b?c=d"],
            &[
                "not a uri",
                "/relative",
                "a b",
                "https:/a b.jpg",
                "https://exa mple.com/a/long/one",
                "not a uri, however long it may be made",
            ],
        ),
        "uri-reference" | "iri-reference" => {
            (&["/a/b", "https://example.com/a"], &["http://[", "a b c", "\\\\"])
        }
        "uri-template" => (&["https://example.com/{id}"], &["https://example.com/{id", "{"]),
        "hostname" | "idn-hostname" => {
            (&["example.com", "host-1.example.org"], &["-example-.com", "a host with spaces", "-"])
        }
        "ipv4" => (&["192.0.2.1", "198.51.100.7"], &["192.0.2.256", "not-an-ip", "1"]),
        "ipv6" => (&["2001:db8::1", "2001:db8::2"], &["2001:db8:::1", "not-an-ip", "1"]),
        "byte" => (&["dGV4dA==", "bW9yZQ=="], &[NOT_BASE64, "dGV4dA=", "!"]),
        "json-pointer" => (&["/a/b", "/c"], &["a/b", "~"]),
        "relative-json-pointer" => (&["0/a", "1"], &["/a", "x"]),
        "regex" => (&["^a+$", "b"], &["(", "[a"]),
        "decimal" => (&["12.50", "-3"], &["1,2", "twelve"]),
        "decimal128" => (&["12.50", "1E+3"], &["1,2", "twelve"]),
        "base64url" => (&["dGV4dA", "bW9yZQ"], &[NOT_BASE64, "dGV4dA+/"]),
        "date-time-local" => {
            (&["2026-01-15T10:30:00", "2025-12-31T23:59:59"], &["2026-01-15", "not-a-date-time"])
        }
        "time-local" => (&["10:30:00", "23:59:59"], &["25:00:00", "not-a-time"]),
        "char" => (&["a", "b"], &["ab", "mutant"]),
        "int64" => (&["5", "-7"], &["9223372036854775808", "five"]),
        "uint64" => (&["5", "7"], &["18446744073709551616", "five"]),
        _ => return None,
    })
}

/// Whether a number has a format; `None` where the format says nothing of numbers.
pub fn number_fits(format: &str, number: &Number) -> Option<bool> {
    let whole = number_range(format);
    let (least, most) = whole.or_else(|| fraction_range(format))?;
    let parse = |text: &str| Number::parse(text);
    let (least, most) = (parse(least)?, parse(most)?);
    let within = number.compare(&least).is_ge() && number.compare(&most).is_le();
    Some(within && (whole.is_none() || number.is_integer()))
}

/// The least and the greatest value of a format of integers.
pub fn number_range(format: &str) -> Option<(&'static str, &'static str)> {
    Some(match format {
        "int8" => ("-128", "127"),
        "int16" => ("-32768", "32767"),
        "int32" => ("-2147483648", "2147483647"),
        "int64" => ("-9223372036854775808", "9223372036854775807"),
        "uint8" => ("0", "255"),
        "uint16" => ("0", "65535"),
        "uint32" => ("0", "4294967295"),
        "uint64" => ("0", "18446744073709551615"),
        "double-int" => ("-9007199254740991", "9007199254740991"),
        "sf-integer" => ("-999999999999999", "999999999999999"),
        _ => return None,
    })
}

/// Values between which, and not much further, all numbers have a format of fractions.
pub fn fraction_range(format: &str) -> Option<(&'static str, &'static str)> {
    Some(match format {
        "float" => ("-3.4028e38", "3.4028e38"),
        "double" => ("-1.7976e308", "1.7976e308"),
        _ => return None,
    })
}

/// Numbers that a format of fractions does not hold.
pub fn beyond_fractions(format: &str) -> &'static [&'static str] {
    match format {
        "float" => &["3.5e38", "-3.5e38"],
        "double" => &["1.8e308", "-1.8e308"],
        _ => &[],
    }
}

/// The least and the greatest number of characters that texts of a format have.
pub fn lengths(format: &str) -> Option<(u64, Option<u64>)> {
    Some(match format {
        "date" => (10, Some(10)),
        // 2026-01-15T10:30:00Z
        "date-time" => (20, None),
        "time" => (9, None),
        "uuid" => (36, Some(36)),
        "ipv4" => (7, Some(15)),
        "ipv6" => (2, Some(45)),
        "duration" | "email" | "idn-email" => (3, None),
        "uri" | "iri" => (2, None),
        "hostname" | "idn-hostname" | "relative-json-pointer" => (1, None),
        _ => return None,
    })
}

/// The least and the greatest number of characters of texts that an automaton accepts; no greatest where there is
/// none, and where none is accepted at all.
pub fn table_lengths(table: &Table) -> (u64, Option<u64>) {
    let states = table.verdicts.len();
    let to = |state: usize, byte: u8| {
        table.next[state * table.stride + usize::from(table.classes[usize::from(byte)])] as usize
    };
    let step = |from: &[usize], bytes: std::ops::RangeInclusive<u8>| {
        let mut all: Vec<usize> =
            from.iter().flat_map(|state| bytes.clone().map(|byte| to(*state, byte))).collect();
        all.sort_unstable();
        all.dedup();
        all
    };
    // The states one character further; some of its sequences of bytes may be no UTF-8, which gives more, not less.
    let next: Vec<Vec<usize>> = (0..states)
        .map(|state| {
            let mut all = step(&[state], 0..=0x7F);
            for (lead, more) in [(0xC2..=0xDF, 1), (0xE0..=0xEF, 2), (0xF0..=0xF4, 3)] {
                let mut at = step(&[state], lead);
                for _ in 0..more {
                    at = step(&at, 0x80..=0xBF);
                }
                all.extend(at);
            }
            all.retain(|state| table.verdicts[*state] != Verdict::Dead);
            all.sort_unstable();
            all.dedup();
            all
        })
        .collect();
    let accepts = |state: usize| table.verdicts[state] >= Verdict::Accepts;
    // Minimal automata have one dead state, so every other leads to one that accepts.
    let (mut seen, mut layer, mut least) = (vec![false; states], vec![table.start as usize], None);
    seen[table.start as usize] = true;
    let mut length = 0;
    while !layer.is_empty() {
        if least.is_none() && layer.iter().any(|state| accepts(*state)) {
            least = Some(length);
        }
        length += 1;
        let mut further = Vec::new();
        for state in &layer {
            for to in &next[*state] {
                if !std::mem::replace(&mut seen[*to], true) {
                    further.push(*to);
                }
            }
        }
        layer = further;
    }
    let Some(least) = least else { return (0, None) };
    // Layer by layer: after as many characters as there are states, a cycle has been gone through.
    let mut current = vec![table.start as usize];
    let mut most = 0;
    for length in 0..=states as u64 {
        if current.iter().any(|state| accepts(*state)) {
            most = length;
        }
        let mut further: Vec<usize> =
            current.iter().flat_map(|state| next[*state].iter().copied()).collect();
        further.sort_unstable();
        further.dedup();
        if further.is_empty() {
            return (least, Some(most));
        }
        current = further;
    }
    (least, None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lower::pattern::{Pattern, Patterns};

    #[test]
    fn texts_fit_their_pattern() {
        let mut patterns = Patterns::default();
        for pattern in [
            "^[A-Z]{2}[0-9]{2}[A-Z0-9]{1,30}$",
            "^(?=.*[a-z])(?=.*[0-9]).{8,12}$",
            "a+b",
            "^\\d{4}-\\d{2}$",
            "^(?!foo)[a-z]+$",
            "^é+x$",
        ] {
            let Pattern::Automaton(index) = *patterns.get(pattern) else { panic!("{pattern}") };
            let table = &patterns.tables[index as usize];
            for accept in [true, false] {
                for (min, max) in [(0, 40), (6, 9)] {
                    let Some(text) = from_table(table, min, max, accept, 0) else {
                        assert_eq!(
                            (accept, pattern, min),
                            (true, "^\\d{4}-\\d{2}$", 8),
                            "{pattern}"
                        );
                        continue;
                    };
                    let length = text.chars().count() as u64;
                    assert!((min..=max).contains(&length), "{pattern} {text}");
                    assert_eq!(table.matches(text.as_bytes()), accept, "{pattern} {text}");
                }
            }
        }
    }

    #[test]
    fn classes_give_texts() {
        let digits = [(48, 57)];
        assert_eq!(from_class(&digits, (3, Some(5)), 0, 9, true, 0).unwrap().len(), 3);
        let wrong = from_class(&digits, (3, Some(5)), 0, 9, false, 0).unwrap();
        assert!(wrong.chars().any(|c| !c.is_ascii_digit()));
    }
}
