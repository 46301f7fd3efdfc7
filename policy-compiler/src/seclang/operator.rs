//! Operators as those of the rule language.

use super::names::OperatorName as O;
use super::{around, pattern};
use crate::ir::{Operator, Relation, TextPiece, TextRelation};

/// What an operator asks: with its argument put together, and `data` for the texts of files.
///
/// # Errors
/// Why it cannot be asked.
pub fn of(name: O, argument: &[TextPiece], data: &[String]) -> Result<Operator, String> {
    let plain = match argument {
        [] => Some(""),
        [TextPiece::Text(text)] => Some(text.as_str()),
        _ => None,
    };
    if let Some(relation) = relation(name) {
        return Ok(match plain {
            Some(text) => Operator::Compare(relation, number(text)),
            None => Operator::CompareText(relation, argument.to_vec()),
        });
    }
    let text = |relation: TextRelation| match (relation, plain) {
        (TextRelation::Within, _) | (_, None) => Ok(Operator::Text(relation, argument.to_vec())),
        (_, Some("")) if relation != TextRelation::Equal => Ok(Operator::Always),
        (TextRelation::Equal, Some(text)) => Ok(literal("^", text, "$")),
        (TextRelation::Begins, Some(text)) => Ok(literal("^", text, "")),
        (TextRelation::Ends, Some(text)) => Ok(literal("", text, "$")),
        (TextRelation::Contains, Some(text)) => Ok(literal("", text, "")),
    };
    match name {
        O::StrEq => return text(TextRelation::Equal),
        O::BeginsWith => return text(TextRelation::Begins),
        O::EndsWith => return text(TextRelation::Ends),
        O::Contains | O::StrMatch => return text(TextRelation::Contains),
        O::Within => return text(TextRelation::Within),
        _ => {}
    }
    let Some(plain) = plain else {
        return Err(format!("a macro in the argument of `{}`", name.name()));
    };
    Ok(match name {
        O::Rx | O::RxGlobal => Operator::Regex(pattern::rewrite(&around::rewrite(plain)?)),
        O::ContainsWord => literal("(?:^|[^0-9A-Za-z_])", plain, "(?:$|[^0-9A-Za-z_])"),
        O::Pm => phrases(words(plain)?)?,
        O::PmFromFile | O::PmF => phrases(data.to_vec())?,
        O::IpMatch => addresses(plain.split(',').map(str::trim))?,
        O::IpMatchFromFile | O::IpMatchF => addresses(data.iter().map(String::as_str))?,
        O::ValidateByteRange => Operator::BytesOutside(byte_ranges(plain)?),
        O::ValidateUtf8Encoding => Operator::InvalidUtf8,
        O::ValidateUrlEncoding => Operator::InvalidPercent,
        O::DetectSqli => Operator::Sql,
        O::DetectXss => Operator::Xss,
        O::UnconditionalMatch => Operator::Always,
        other => return Err(format!("the operator `{}`", other.name())),
    })
}

/// How an operator compares numbers, if it does.
pub fn relation(name: O) -> Option<Relation> {
    Some(match name {
        O::Eq => Relation::Equal,
        O::Ge => Relation::AtLeast,
        O::Gt => Relation::Over,
        O::Le => Relation::AtMost,
        O::Lt => Relation::Under,
        _ => return None,
    })
}

/// Whether a relation holds.
pub fn compares(relation: Relation, value: i32, number: i32) -> bool {
    match relation {
        Relation::Equal => value == number,
        Relation::AtLeast => value >= number,
        Relation::Over => value > number,
        Relation::AtMost => value <= number,
        Relation::Under => value < number,
    }
}

/// The number that a text begins with, as C's `atoi` reads it.
pub fn number(text: &str) -> i32 {
    let text = text.trim_start();
    let (sign, digits) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let digits = digits.bytes().take_while(u8::is_ascii_digit);
    let value = digits
        .fold(0i64, |value, digit| (value * 10 + i64::from(digit - b'0')).min(i64::from(i32::MAX)));
    i32::try_from(sign * value).unwrap_or(i32::MAX)
}

fn literal(before: &str, text: &str, after: &str) -> Operator {
    Operator::Regex(format!("{before}{}{after}", regex_syntax::escape(text)))
}

fn phrases(texts: Vec<String>) -> Result<Operator, String> {
    let mut texts: Vec<String> = texts
        .into_iter()
        .map(|text| text.to_ascii_lowercase())
        .filter(|it| !it.is_empty())
        .collect();
    texts.sort();
    texts.dedup();
    if texts.is_empty() {
        return Err("it has no phrases".to_owned());
    }
    // A literal of one byte proposes too much to be looked up.
    if texts.iter().any(|text| text.len() < 2) {
        let escaped: Vec<String> = texts.iter().map(|text| regex_syntax::escape(text)).collect();
        return Ok(Operator::Regex(format!("(?i-u:{})", escaped.join("|"))));
    }
    Ok(Operator::AnyOf(texts))
}

/// Phrases with spaces between them, in which bytes can stand as `|41 42|`.
fn words(text: &str) -> Result<Vec<String>, String> {
    let (mut out, mut word, mut rest) = (Vec::new(), String::new(), text);
    while let Some(letter) = rest.chars().next() {
        let bytes = rest.strip_prefix('|').and_then(|after| after.split_once('|'));
        match bytes {
            Some((bytes, after)) if is_hex(bytes) => {
                let digits: Vec<u8> = bytes.bytes().filter(|it| *it != b' ').collect();
                for pair in digits.chunks(2) {
                    let pair = std::str::from_utf8(pair).unwrap_or_default();
                    let byte = u8::from_str_radix(pair, 16).ok().filter(u8::is_ascii);
                    let byte =
                        byte.ok_or_else(|| format!("`|{bytes}|` holds bytes beyond ASCII"))?;
                    word.push(char::from(byte));
                }
                rest = after;
                continue;
            }
            _ if letter.is_whitespace() => out.push(std::mem::take(&mut word)),
            _ => word.push(letter),
        }
        rest = &rest[letter.len_utf8()..];
    }
    out.push(word);
    Ok(out)
}

/// Whether a text is pairs of hexadecimal digits, with spaces between some.
fn is_hex(text: &str) -> bool {
    let mut words = text.split(' ').peekable();
    let is_pairs =
        |word: &str| word.len().is_multiple_of(2) && word.bytes().all(|it| it.is_ascii_hexdigit());
    words.peek().is_some_and(|word| !word.is_empty()) && words.all(is_pairs)
}

fn addresses<'t>(texts: impl Iterator<Item = &'t str>) -> Result<Operator, String> {
    let network =
        |text: &str| crate::rules::network(text).ok_or_else(|| format!("`{text}` is no network"));
    Ok(Operator::Ip(texts.filter(|text| !text.is_empty()).map(network).collect::<Result<_, _>>()?))
}

fn byte_ranges(text: &str) -> Result<[u64; 4], String> {
    let mut set = [0u64; 4];
    for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        match (first.trim().parse::<u8>(), last.trim().parse::<u8>()) {
            (Ok(first), Ok(last)) if first <= last => {
                (first..=last).for_each(|byte| set[usize::from(byte >> 6)] |= 1 << (byte & 63));
            }
            _ => return Err(format!("`{part}` is no range of bytes")),
        }
    }
    Ok(set)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_as_c_reads_them() {
        for (text, value) in
            [("12", 12), (" -3x", -3), ("x", 0), ("", 0), ("99999999999", i32::MAX)]
        {
            assert_eq!(number(text), value, "{text}");
        }
    }

    #[test]
    fn operators_of_the_rule_language() {
        let text = |text: &str| [TextPiece::Text(text.to_owned())];
        assert_eq!(of(O::StrEq, &text("a.b"), &[]), Ok(Operator::Regex("^a\\.b$".into())));
        assert_eq!(
            of(O::Pm, &text("Ab cd|20| |41 42|x a|b"), &[]),
            Ok(Operator::AnyOf(vec!["ab".into(), "abx".into(), "a|b".into(), "cd ".into()]))
        );
        assert_eq!(of(O::Gt, &text("5"), &[]), Ok(Operator::Compare(Relation::Over, 5)));
        assert!(of(O::Rx, &[TextPiece::Host], &[]).is_err());
        assert!(of(O::ValidateByteRange, &text("1-300"), &[]).is_err());
    }
}
