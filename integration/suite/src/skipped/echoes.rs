//! Rules that look for a piece of a valid value, taken from the value itself: where one of them is skipped at that
//! value, it is skipped wrongly. What no author would think of asking for is found so: a sign of an exponent, a small
//! `t` between a date and a time, a space that divides a list.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use policy_compiler::examples::Request;
use portcullis_bundle::layout::Transformation;
use portcullis_engine::attack::transform::Transform;

use super::probes::Random;

/// Texts of one pair of signs that are kept.
const OF_PAIR: usize = 8;

/// The texts of requests, by the pairs of signs in them: what is rare shall be asked for as often as what is common.
#[derive(Debug, Default)]
pub struct Texts {
    /// By two signs that stand side by side: a text, and where in it they begin.
    by_pair: BTreeMap<[u8; 2], Vec<(Vec<u8>, usize)>>,
}

impl Texts {
    /// Takes the texts of a request.
    pub fn add(&mut self, request: &Request, random: &mut Random) {
        for text in of(request) {
            let mut met = BTreeSet::new();
            for (at, pair) in text.windows(2).enumerate() {
                let pair = [sign(pair[0]), sign(pair[1])];
                if !met.insert(pair) {
                    continue;
                }
                let own = self.by_pair.entry(pair).or_default();
                if own.len() < OF_PAIR {
                    own.push((text.clone(), at));
                } else {
                    own[random.below(OF_PAIR)] = (text.clone(), at);
                }
            }
        }
    }

    /// A pack of so many rules, each of which looks for a piece of one of the texts, every pair in its turn; `round` says
    /// which turn it is.
    pub fn pack(&self, rules: usize, round: usize, random: &mut Random) -> String {
        let mut pack = "pack: echoes\nrules:\n".to_owned();
        let pairs: Vec<&Vec<(Vec<u8>, usize)>> = self.by_pair.values().collect();
        let first = round * rules;
        for number in 0..rules.min(pairs.len() * OF_PAIR) {
            let Some(own) = pairs.get((first + number) % pairs.len()) else { continue };
            let (text, at) = &own[random.below(own.len())];
            let (text, at, steps) = match self.changing(number / 3, random) {
                Some(changing) if number % 3 == 0 => changing,
                _ => (text, *at, steps(text, random)),
            };
            let Some(operator) = operator(&changed(text, &steps), at, random) else { continue };
            let names: Vec<&str> = steps.iter().map(|step| step.name()).collect();
            let _ = writeln!(
                pack,
                "  - {{ id: echo-{number}, title: A piece, score: 1, targets: [values, headers], transform: [{}], match: {{ {operator} }} }}",
                names.join(", "),
            );
        }
        // A pack has a rule.
        pack.push_str(
            "  - { id: echo, title: Nothing, score: 1, match: { equals: ['no such text'] } }\n",
        );
        pack
    }
}

/// How often a text is looked for that a transformation changes.
const LOOKS: usize = 64;

impl Texts {
    /// A text that a transformation changes, where it first does, and the transformation, which is another each time.
    fn changing(
        &self,
        number: usize,
        random: &mut Random,
    ) -> Option<(&Vec<u8>, usize, Vec<Transformation>)> {
        let all: Vec<Transformation> = all().collect();
        let step = *all.get(number % all.len())?;
        let pairs: Vec<&Vec<(Vec<u8>, usize)>> = self.by_pair.values().collect();
        for _ in 0..LOOKS {
            let own = pairs.get(random.below(pairs.len().max(1)))?;
            let (text, _) = own.get(random.below(own.len()))?;
            let out = changed(text, &[step]);
            if let Some(at) = text.iter().zip(&out).position(|(one, other)| one != other) {
                return Some((text, at, vec![step]));
            }
        }
        None
    }
}

/// Every transformation that there is.
fn all() -> impl Iterator<Item = Transformation> {
    (0..=u8::MAX).filter_map(Transformation::from_code)
}

/// One sign for digits, one for letters of hexadecimal numbers and one for other small letters; `e`, `t` and `z`, which mean
/// something in numbers and times, stay, as every other byte does.
fn sign(byte: u8) -> u8 {
    match byte {
        b'0'..=b'9' => b'0',
        b'a'..=b'd' | b'f' => b'a',
        b'A'..=b'D' | b'F' => b'A',
        b'g'..=b's' | b'u'..=b'y' => b'x',
        _ => byte,
    }
}

/// Mostly none: what a transformation makes of a text is seldom taken for anything but any text. Those that change the
/// text come first.
fn steps(text: &[u8], random: &mut Random) -> Vec<Transformation> {
    let (mut changing, others): (Vec<_>, Vec<_>) =
        all().partition(|step| changed(text, &[*step]) != text);
    if random.one_in(4) {
        changing = others;
    }
    let some = random.below(6).saturating_sub(2).min(2);
    (0..some).filter_map(|_| changing.get(random.below(changing.len())).copied()).collect()
}

fn changed(text: &[u8], steps: &[Transformation]) -> Vec<u8> {
    let mut text = text.to_vec();
    for step in steps {
        let mut out = Vec::new();
        step.apply(&text, &mut out);
        text = out;
    }
    text
}

/// An operator that matches the text, mostly by what stands at a place in it; none where it is empty.
fn operator(text: &[u8], at: usize, random: &mut Random) -> Option<String> {
    let quoted = |text: &[u8]| {
        let text = std::str::from_utf8(text).ok()?;
        Some(serde_json::Value::String(text.to_owned()).to_string())
    };
    if text.is_empty() {
        return None;
    }
    // Both signs of a pair, where there are two.
    let length = (2 + random.below(4)).min(text.len());
    let start = at.saturating_sub(random.below(length.max(2) - 1)).min(text.len() - length);
    let piece = text.get(start..start + length)?;
    let first = text.get(..length)?;
    let last = text.get(text.len() - length..)?;
    Some(match random.below(12) {
        0 => format!("longer_than: {}", text.len() - 1),
        1 => format!("any_of: [{}]", quoted(piece)?),
        2 => format!("starts_with: [{}]", quoted(first)?),
        3 => format!("ends_with: [{}]", quoted(last)?),
        4 => format!("equals: [{}]", quoted(text)?),
        _ => {
            let mut expression = String::new();
            if start == 0 && random.one_in(2) {
                expression.push('^');
            }
            piece.iter().for_each(|byte| expression.push_str(&unit(*byte, random)));
            if start + length == text.len() && random.one_in(2) {
                expression.push('$');
            }
            format!("regex: {}", quoted(expression.as_bytes())?)
        }
    })
}

/// An expression that a byte matches.
fn unit(byte: u8, random: &mut Random) -> String {
    match byte {
        b'0'..=b'9' if random.one_in(3) => "[0-9]".to_owned(),
        b'a'..=b'z' if random.one_in(4) => "[a-z]".to_owned(),
        b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' => char::from(byte).to_string(),
        _ => format!("\\x{byte:02x}"),
    }
}

/// The texts of a request that rules may look at, as the engine takes them apart, or nearly so: what is taken
/// otherwise makes a rule that finds nothing.
fn of(request: &Request) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    let (path, query) = request.path.split_once('?').unwrap_or((&request.path, ""));
    all.extend(path.split('/').map(|segment| decoded(segment.as_bytes(), false)));
    all.extend(pairs(query.as_bytes(), b'&'));
    let mut media = "";
    for (name, value) in &request.headers {
        match name.as_str() {
            "content-type" => media = value,
            "cookie" => all.extend(pairs(value.as_bytes(), b';')),
            _ => all.push(value.clone().into_bytes()),
        }
    }
    let body = request.body.as_deref().unwrap_or_default();
    if media.contains("json") {
        all.extend(scalars(body));
    } else if media.contains("urlencoded") {
        all.extend(pairs(body, b'&'));
    } else if media.contains("multipart") {
        let text = String::from_utf8_lossy(body);
        let parts = text.split("\r\n\r\n").skip(1).filter_map(|part| part.split_once("\r\n--"));
        all.extend(parts.map(|(value, _)| value.as_bytes().to_vec()));
    } else if media.contains("xml") {
        let text = String::from_utf8_lossy(body);
        let texts = text.split('>').filter_map(|part| part.split_once('<'));
        all.extend(texts.map(|(value, _)| value.as_bytes().to_vec()));
    } else {
        all.push(body.to_vec());
    }
    all.retain(|text| !text.is_empty());
    all
}

/// The values of `name=value` pairs.
fn pairs(text: &[u8], between: u8) -> Vec<Vec<u8>> {
    let value = |pair: &[u8]| {
        let at = pair.iter().position(|byte| *byte == b'=')?;
        Some(decoded(pair.get(at + 1..)?, true))
    };
    text.split(|byte| *byte == between).filter_map(value).collect()
}

/// The strings and numbers of JSON, as written: names too.
fn scalars(json: &[u8]) -> Vec<Vec<u8>> {
    let (mut all, mut rest) = (Vec::new(), json);
    while let Some(first) = rest.first() {
        let length = match first {
            b'"' => {
                let mut escaped = false;
                let closes = |byte: &u8| {
                    let closes = *byte == b'"' && !escaped;
                    escaped = *byte == b'\\' && !escaped;
                    closes
                };
                2 + rest[1..].iter().position(closes).unwrap_or(rest.len() - 2)
            }
            b'-' | b'0'..=b'9' => {
                let ends = |byte: &u8| !byte.is_ascii_alphanumeric() && !b"+-.".contains(byte);
                rest.iter().position(ends).unwrap_or(rest.len())
            }
            _ => 1,
        };
        let (token, after) = rest.split_at(length.min(rest.len()));
        if *first == b'"' {
            let text: Option<String> = serde_json::from_slice(token).ok();
            all.extend(text.map(String::into_bytes));
        } else if length > 1 || first.is_ascii_digit() {
            all.push(token.to_vec());
        }
        rest = after;
    }
    all
}

fn decoded(text: &[u8], plus: bool) -> Vec<u8> {
    let hex = |byte: Option<&u8>| char::from(*byte?).to_digit(16);
    let (mut out, mut at) = (Vec::new(), 0);
    while let Some(byte) = text.get(at) {
        let pair = hex(text.get(at + 1)).zip(hex(text.get(at + 2)));
        match (byte, pair) {
            (b'%', Some((high, low))) => {
                out.push((high * 16 + low) as u8);
                at += 2;
            }
            (b'+', _) if plus => out.push(b' '),
            _ => out.push(*byte),
        }
        at += 1;
    }
    out
}
