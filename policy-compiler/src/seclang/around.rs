//! Looking ahead and behind at the ends of an expression, as expressions that take what is looked at.
//!
//! Whether an expression occurs is the same where a look-behind that begins an alternative, or a look-ahead that ends one,
//! takes the bytes that it looks at: nothing else of the alternative stands there. What is looked for is a set of texts.

use regex_syntax::hir::{Class, Hir, HirKind};
use std::collections::BTreeMap;

/// Texts that are looked for, at most.
const MAX_TEXTS: usize = 512;
/// Bytes of one, at most.
const MAX_BYTES: usize = 32;

/// An expression without looking ahead and behind, where that stands at the ends of its alternatives; as it is where it
/// has none, or has it elsewhere.
///
/// # Errors
/// What is looked for is no small set of texts.
pub fn rewrite(pattern: &str) -> Result<String, String> {
    const BEGINS: [&str; 4] = ["(?=", "(?!", "(?<=", "(?<!"];
    if !BEGINS.iter().any(|begin| pattern.contains(begin)) {
        return Ok(pattern.to_owned());
    }
    let mut out = Vec::new();
    for alternative in alternatives(pattern) {
        let (mut before, mut middle, mut after) = (String::new(), alternative, String::new());
        if let Some((of, rest)) = leading(middle) {
            (before, middle) = (looked(of.0, of.1, true)?, rest);
        }
        if let Some((rest, of)) = trailing(middle) {
            (middle, after) = (rest, looked(of.0, of.1, false)?);
        }
        out.push(format!("{before}{middle}{after}"));
    }
    Ok(out.join("|"))
}

/// What parts an expression that stands in no group and no class: places of `(`, `)` and `|` with the depth before them.
fn marks(pattern: &str) -> Vec<(usize, u8, usize)> {
    let bytes = pattern.as_bytes();
    let (mut out, mut depth, mut at) = (Vec::new(), 0usize, 0);
    let mut class: Option<usize> = None;
    while let Some(byte) = bytes.get(at) {
        match (byte, class) {
            (b'\\', _) => at += 1,
            (b'[', None) => class = Some(at + 1 + usize::from(bytes.get(at + 1) == Some(&b'^'))),
            (b']', Some(first)) if at > first => class = None,
            (b'(', None) => {
                out.push((at, *byte, depth));
                depth += 1;
            }
            (b')', None) => {
                depth = depth.saturating_sub(1);
                out.push((at, *byte, depth));
            }
            (b'|', None) => out.push((at, *byte, depth)),
            _ => {}
        }
        at += 1;
    }
    out
}

/// The alternatives of an expression.
fn alternatives(pattern: &str) -> Vec<&str> {
    let mut out = Vec::new();
    let mut from = 0;
    for (at, _, _) in marks(pattern).into_iter().filter(|it| (it.1, it.2) == (b'|', 0)) {
        out.push(&pattern[from..at]);
        from = at + 1;
    }
    out.push(&pattern[from..]);
    out
}

/// What is looked for, and whether it must not be there.
type Looked<'p> = (&'p str, bool);

/// The look-behind that an alternative begins with, and the rest.
fn leading(alternative: &str) -> Option<(Looked<'_>, &str)> {
    let negated = alternative.starts_with("(?<!");
    if !negated && !alternative.starts_with("(?<=") {
        return None;
    }
    let end = marks(alternative).into_iter().find(|it| (it.1, it.2) == (b')', 0))?.0;
    Some(((&alternative[4..end], negated), &alternative[end + 1..]))
}

/// What stands before the look-ahead that an alternative ends with, and that.
fn trailing(alternative: &str) -> Option<(&str, Looked<'_>)> {
    let marks = marks(alternative);
    let begin = marks.iter().rev().find(|it| (it.1, it.2) == (b'(', 0))?.0;
    let closes = marks.last().is_some_and(|it| it.1 == b')' && it.0 + 1 == alternative.len());
    let group = &alternative[begin..];
    let negated = group.starts_with("(?!");
    if !closes || !negated && !group.starts_with("(?=") {
        return None;
    }
    Some((&alternative[..begin], (&group[3..group.len() - 1], negated)))
}

/// An expression that takes what is looked at.
fn looked(pattern: &str, negated: bool, is_behind: bool) -> Result<String, String> {
    if !negated {
        return Ok(format!("(?:{pattern})"));
    }
    let parsed = regex_syntax::ParserBuilder::new()
        .utf8(false)
        .unicode(false)
        .build()
        .parse(&super::pattern::rewrite(pattern))
        .map_err(|_| format!("`{pattern}` cannot be looked for"))?;
    let texts = texts(&parsed)
        .ok_or_else(|| format!("`{pattern}` is looked for, which is no small set of texts"))?;
    let mut root = Node::default();
    for mut text in texts {
        if is_behind {
            text.reverse();
        }
        root.add(&text);
    }
    let mut out = String::new();
    root.write(is_behind, &mut out);
    Ok(out)
}

/// Texts by their bytes.
#[derive(Default)]
struct Node {
    ends: bool,
    next: BTreeMap<u8, Node>,
}

impl Node {
    fn add(&mut self, text: &[u8]) {
        match text.split_first() {
            None => self.ends = true,
            Some((first, rest)) => self.next.entry(*first).or_default().add(rest),
        }
    }

    /// Writes an expression of what is none of the texts: it ends before, or goes on otherwise.
    fn write(&self, is_behind: bool, out: &mut String) {
        if self.ends {
            out.push_str("[^\\x00-\\xff]");
            return;
        }
        let known: String = self.next.keys().map(|byte| format!("\\x{byte:02x}")).collect();
        out.push_str(&format!("(?:{}|[^{known}]", if is_behind { '^' } else { '$' }));
        for (byte, node) in self.next.iter().filter(|(_, node)| !node.ends) {
            out.push('|');
            if is_behind {
                node.write(is_behind, out);
                out.push_str(&format!("\\x{byte:02x}"));
            } else {
                out.push_str(&format!("\\x{byte:02x}"));
                node.write(is_behind, out);
            }
        }
        out.push(')');
    }
}

/// Every text that an expression stands for, where these are few and short.
fn texts(expression: &Hir) -> Option<Vec<Vec<u8>>> {
    let made = match expression.kind() {
        HirKind::Empty => vec![Vec::new()],
        HirKind::Literal(literal) => vec![literal.0.to_vec()],
        HirKind::Class(class) => {
            let class = match class {
                Class::Bytes(class) => class.clone(),
                Class::Unicode(class) => class.to_byte_class()?,
            };
            let bytes = class.iter().flat_map(|range| range.start()..=range.end());
            bytes.map(|byte| vec![byte]).collect()
        }
        HirKind::Capture(group) => texts(&group.sub)?,
        HirKind::Alternation(parts) => {
            let mut all = Vec::new();
            for part in parts {
                all.extend(texts(part)?);
            }
            all
        }
        HirKind::Concat(parts) => {
            let mut all = vec![Vec::new()];
            for part in parts {
                let own = texts(part)?;
                if all.len() * own.len() > MAX_TEXTS {
                    return None;
                }
                all = all
                    .iter()
                    .flat_map(|head| own.iter().map(move |tail| [head.as_slice(), tail].concat()))
                    .collect();
            }
            all
        }
        HirKind::Repetition(_) | HirKind::Look(_) => return None,
    };
    let is_small =
        made.len() <= MAX_TEXTS && made.iter().all(|text: &Vec<u8>| text.len() <= MAX_BYTES);
    is_small.then_some(made)
}

#[cfg(test)]
mod tests {
    use super::rewrite;

    fn occurs(pattern: &str, text: &str) -> bool {
        let rewritten = rewrite(pattern).unwrap();
        let syntax = regex_automata::util::syntax::Config::new().utf8(false);
        let regex = regex_automata::meta::Regex::builder()
            .syntax(syntax)
            .build(&format!("(?s-u){rewritten}"))
            .unwrap();
        regex.is_match(text)
    }

    #[test]
    fn what_is_looked_at_is_taken() {
        for (pattern, fits, fails) in [
            (r"<\?(?!xml)", &["<?", "<?php", "<?xm", "<?xmxml"][..], &["<?xml", "<xml"][..]),
            (
                r"(?<!&(?:[ao]uml)|&amp);|=",
                &[";", "uml;", "x;", "&iuml;", "&auml;;", "a=b"],
                &["&ouml;", "&amp;"],
            ),
            (r"a(?=b)", &["ab"], &["a", "ac"]),
            (r"(?<=a)b", &["ab"], &["b", "cb"]),
        ] {
            for text in fits {
                assert!(occurs(pattern, text), "{pattern} {text}");
            }
            for text in fails {
                assert!(!occurs(pattern, text), "{pattern} {text}");
            }
        }
        assert_eq!(rewrite("x[(?!]y|\\(?=z"), Ok("x[(?!]y|\\(?=z".to_owned()));
        assert!(rewrite("x(?!a*)").is_err());
    }
}
