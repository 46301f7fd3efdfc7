//! `match`: one operator and what it is given.

use super::pack::Reader;
use super::target;
use crate::diag::{self, did_you_mean};
use crate::ir::Operator;
use crate::source::Node;
use portcullis_bundle::layout::{
    GRAPHQL_INTROSPECTION, GRAPHQL_MALFORMED, TOKEN_ALG_NONE, TOKEN_OWN_KEY, TOKEN_REMOTE_KEY,
    TOKEN_UNSAFE_KID, Target,
};
use std::net::IpAddr;

/// The operators by name.
pub const OPERATORS: [&str; 18] = [
    "regex",
    "any_of",
    "words",
    "equals",
    "starts_with",
    "ends_with",
    "longer_than",
    "number",
    "ip",
    "bytes_outside",
    "invalid",
    "sql",
    "xss",
    "card_number",
    "jwt",
    "graphql",
    "count_over",
    "repeated",
];

/// Reads an operator.
pub(super) fn read(reader: &mut Reader<'_, '_>, node: Node<'_>) -> Option<Operator> {
    let one = node.members().filter(|members| members.len() > 0);
    let Some(mut members) = one else {
        let title = "`match` is an object with one operator".to_owned();
        reader.wrong(diag::RULE_VALUE, node, title, None);
        return None;
    };
    let (member, value) = members.next()?;
    let name: &str = &member.key;
    if !OPERATORS.contains(&name) {
        let help =
            did_you_mean(name, OPERATORS).or(Some("RULES.md lists the operators".to_owned()));
        reader.wrong(diag::RULE_OPERATOR, value, format!("`{name}` is no operator"), help);
        return None;
    }
    if let Some((other, value)) = members.find(|(other, _)| *other.key != *"of") {
        let title = format!("`match` has one operator, and `{}` is a second", other.key);
        reader.wrong(diag::RULE_VALUE, value, title, None);
        return None;
    }
    match name {
        "regex" => regex(reader, value),
        "any_of" => any_of(reader, value),
        "words" => words(reader, value, (WORD_START, WORD_END), name),
        "equals" => words(reader, value, ("^", "$"), name),
        "starts_with" => words(reader, value, ("^", ""), name),
        "ends_with" => words(reader, value, ("", "$"), name),
        "longer_than" => Some(Operator::LongerThan(whole(reader, node, name)?)),
        "number" => number(reader, value),
        "ip" => ip(reader, value),
        "bytes_outside" => bytes(reader, value),
        "invalid" => invalid(reader, value),
        "sql" => reader.flag(node, name)?.then_some(Operator::Sql),
        "xss" => reader.flag(node, name)?.then_some(Operator::Xss),
        "card_number" => card_number(reader, value),
        "jwt" => token(reader, value),
        "graphql" => graphql(reader, value),
        "count_over" => {
            let count = whole(reader, node, name)?;
            Some(Operator::CountOver { of: counted(reader, node)?, count })
        }
        "repeated" => Some(Operator::Repeated { of: counted(reader, node)? }),
        _ => None,
    }
}

/// No letter, digit or `_`, or the beginning.
const WORD_START: &str = "(?:^|[^0-9A-Za-z_])";
/// No letter, digit or `_`, or the end.
const WORD_END: &str = "(?:$|[^0-9A-Za-z_])";

fn regex(reader: &mut Reader<'_, '_>, node: Node<'_>) -> Option<Operator> {
    if let Some(file) = node.get("file") {
        let lines = reader.lines(file)?;
        return Some(Operator::Regex(format!("(?:{})", lines.join("|"))));
    }
    let text = node.as_text().filter(|text| !text.is_empty());
    if text.is_none() {
        let title = "`regex` is a regular expression".to_owned();
        reader.wrong(diag::RULE_VALUE, node, title, None);
    }
    text.map(|text| Operator::Regex(text.to_owned()))
}

fn some_texts(reader: &mut Reader<'_, '_>, node: Node<'_>, name: &str) -> Option<Vec<String>> {
    let texts = reader.list_of_texts(node, name)?;
    if texts.is_empty() || texts.iter().any(String::is_empty) {
        let title = format!("`{name}` is a list of texts that are not empty");
        reader.wrong(diag::RULE_VALUE, node, title, None);
        return None;
    }
    Some(texts)
}

fn any_of(reader: &mut Reader<'_, '_>, node: Node<'_>) -> Option<Operator> {
    let texts = some_texts(reader, node, "any_of")?;
    // A literal of one byte proposes too much to be looked up.
    if texts.iter().any(|text| text.len() < 2 || text.len() > usize::from(u16::MAX)) {
        return Some(Operator::Regex(alternatives(&texts, ("", ""))));
    }
    Some(Operator::AnyOf(texts.iter().map(|text| text.to_ascii_lowercase()).collect()))
}

fn words(
    reader: &mut Reader<'_, '_>,
    node: Node<'_>,
    around: (&str, &str),
    name: &str,
) -> Option<Operator> {
    Some(Operator::Regex(alternatives(&some_texts(reader, node, name)?, around)))
}

/// A regular expression for texts, whose ASCII case does not count.
fn alternatives(texts: &[String], (before, after): (&str, &str)) -> String {
    let escaped: Vec<String> = texts.iter().map(|text| regex_syntax::escape(text)).collect();
    format!("(?i-u:{before}(?:{}){after})", escaped.join("|"))
}

fn whole(reader: &mut Reader<'_, '_>, node: Node<'_>, name: &str) -> Option<u32> {
    let number = reader.number(node, name, 0, (0, u64::from(u32::MAX) - 1))?;
    u32::try_from(number).ok()
}

fn number(reader: &mut Reader<'_, '_>, node: Node<'_>) -> Option<Operator> {
    if !reader.fields(node, &["over", "under", "is"], "`number`") {
        return None;
    }
    let name = ["over", "under", "is"].into_iter().find(|name| node.get(name).is_some());
    let Some(name) = name.filter(|_| node.members().is_some_and(|members| members.len() == 1))
    else {
        let title = "`number` has one of `over`, `under`, `is`".to_owned();
        reader.wrong(diag::RULE_VALUE, node, title, None);
        return None;
    };
    let number = whole(reader, node, name)?;
    Some(match name {
        "over" => Operator::NumberOver(number),
        "under" => Operator::NumberUnder(number),
        _ => Operator::NumberIs(number),
    })
}

fn ip(reader: &mut Reader<'_, '_>, node: Node<'_>) -> Option<Operator> {
    let mut networks = Vec::new();
    for text in some_texts(reader, node, "ip")? {
        let Some(network) = network(&text) else {
            let title = format!("`{text}` is no network");
            let help = "write `10.0.0.0/8`, `2001:db8::/32` or one address".to_owned();
            reader.wrong(diag::RULE_VALUE, node, title, Some(help));
            return None;
        };
        networks.push(network);
    }
    Some(Operator::Ip(networks))
}

/// A network as an address of IPv6 and how many bits of it count.
pub fn network(text: &str) -> Option<([u8; 16], u8)> {
    let (address, bits) = match text.split_once('/') {
        Some((address, bits)) => (address, Some(bits.parse::<u8>().ok()?)),
        None => (text, None),
    };
    match address.parse().ok()? {
        IpAddr::V4(address) => {
            let bits = bits.unwrap_or(32);
            (bits <= 32).then(|| (address.to_ipv6_mapped().octets(), bits + 96))
        }
        IpAddr::V6(address) => {
            let bits = bits.unwrap_or(128);
            (bits <= 128).then(|| (address.octets(), bits))
        }
    }
}

fn bytes(reader: &mut Reader<'_, '_>, node: Node<'_>) -> Option<Operator> {
    let mut set = [0u64; 4];
    for element in reader.elements(node, "`bytes_outside`")? {
        let text = element.as_text().unwrap_or_default();
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        match (first.trim().parse::<u8>(), last.trim().parse::<u8>()) {
            (Ok(first), Ok(last)) if first <= last => {
                (first..=last).for_each(|byte| set[usize::from(byte >> 6)] |= 1 << (byte & 63));
            }
            _ => {
                let title = format!("`{text}` is no range of bytes");
                let help = "write `32-126` or `9`".to_owned();
                reader.wrong(diag::RULE_VALUE, element, title, Some(help));
                return None;
            }
        }
    }
    Some(Operator::BytesOutside(set))
}

fn invalid(reader: &mut Reader<'_, '_>, node: Node<'_>) -> Option<Operator> {
    match node.as_text() {
        Some("utf8") => Some(Operator::InvalidUtf8),
        Some("percent") => Some(Operator::InvalidPercent),
        _ => {
            let title = "`invalid` is `utf8` or `percent`".to_owned();
            reader.wrong(diag::RULE_VALUE, node, title, None);
            None
        }
    }
}

fn card_number(reader: &mut Reader<'_, '_>, node: Node<'_>) -> Option<Operator> {
    match (node.as_text(), node.as_bool()) {
        (Some("grouped"), _) => Some(Operator::CardNumber { grouped: true }),
        (_, Some(true)) => Some(Operator::CardNumber { grouped: false }),
        _ => {
            let title = "`card_number` is `true` or `grouped`".to_owned();
            reader.wrong(diag::RULE_VALUE, node, title, None);
            None
        }
    }
}

fn token(reader: &mut Reader<'_, '_>, node: Node<'_>) -> Option<Operator> {
    let known = ["alg_none", "remote_key", "unsafe_kid", "own_key", "longer_than"];
    if !reader.fields(node, &known, "`jwt`") {
        return None;
    }
    let bits = [TOKEN_ALG_NONE, TOKEN_REMOTE_KEY, TOKEN_UNSAFE_KID, TOKEN_OWN_KEY];
    let flags = flags(reader, node, known.into_iter().zip(bits))?;
    let longer_than = bound(reader, node, "longer_than")?;
    Some(Operator::Jwt { flags, longer_than })
}

fn graphql(reader: &mut Reader<'_, '_>, node: Node<'_>) -> Option<Operator> {
    let known = [
        "introspection",
        "malformed",
        "depth_over",
        "aliases_over",
        "fields_over",
        "directives_over",
        "batch_over",
    ];
    if !reader.fields(node, &known, "`graphql`") {
        return None;
    }
    let bits = [GRAPHQL_INTROSPECTION, GRAPHQL_MALFORMED];
    Some(Operator::GraphQl {
        flags: flags(reader, node, known.into_iter().zip(bits))?,
        depth: bound(reader, node, "depth_over")?,
        aliases: bound(reader, node, "aliases_over")?,
        fields: bound(reader, node, "fields_over")?,
        directives: bound(reader, node, "directives_over")?,
        batch: bound(reader, node, "batch_over")?,
    })
}

fn flags(
    reader: &mut Reader<'_, '_>,
    node: Node<'_>,
    bits: impl Iterator<Item = (&'static str, u8)>,
) -> Option<u8> {
    let mut flags = 0;
    for (name, bit) in bits {
        if reader.flag(node, name)? {
            flags |= bit;
        }
    }
    Some(flags)
}

/// A bound that may be absent.
fn bound(reader: &mut Reader<'_, '_>, node: Node<'_>, name: &str) -> Option<Option<u32>> {
    if node.get(name).is_none() { Some(None) } else { whole(reader, node, name).map(Some) }
}

/// The target that is counted.
fn counted(reader: &mut Reader<'_, '_>, node: Node<'_>) -> Option<Target> {
    let text = node.get("of").and_then(Node::as_text).unwrap_or_default();
    let target = target::parse(text).and_then(|targets| targets.first().map(|it| it.target));
    let target = target.filter(|it| matches!(it, Target::Query | Target::Cookie | Target::Header));
    if target.is_none() {
        let title = "what is counted stands beside: `of: query`, `cookies` or `headers`".to_owned();
        reader.wrong(diag::RULE_VALUE, node, title, None);
    }
    target
}
