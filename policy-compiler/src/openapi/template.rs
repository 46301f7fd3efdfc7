//! Path templates taken apart.

use crate::ir::{Part, Segment, Template};

/// A path key taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PathKey {
    pub template: Template,
    /// What follows from the first `?` or `#` on, which no path can match.
    pub suffix: Option<String>,
}

/// Takes a key of `paths` apart; the error says what is wrong with it.
pub(super) fn parse(text: &str) -> Result<PathKey, String> {
    let Some(rest) = text.strip_prefix('/') else {
        return Err("a path must start with `/`".into());
    };
    // `?` and `#` inside braces belong to a name.
    let mut depth = 0usize;
    let cut = rest.char_indices().find(|(_, c)| {
        match c {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        depth == 0 && matches!(c, '?' | '#')
    });
    let (path, suffix) = match cut {
        Some((at, _)) => (&rest[..at], Some(rest[at..].to_owned())),
        None => (rest, None),
    };
    let mut segments = Vec::new();
    let mut at = path;
    loop {
        let (segment, rest) = segment(at)?;
        segments.push(segment);
        match rest {
            Some(rest) => at = rest,
            None => break,
        }
    }
    Ok(PathKey { template: Template { text: format!("/{path}"), segments }, suffix })
}

/// Reads up to the next slash outside braces; what follows it, if there is one.
fn segment(text: &str) -> Result<(Segment, Option<&str>), String> {
    let mut parts: Vec<Part> = Vec::new();
    let mut rest = text;
    loop {
        let end = rest.find(['{', '}', '/']).unwrap_or(rest.len());
        if end > 0 {
            parts.push(Part::Literal(rest[..end].to_owned()));
        }
        rest = &rest[end..];
        match rest.chars().next() {
            None => return Ok((Segment(parts), None)),
            Some('/') => return Ok((Segment(parts), Some(&rest[1..]))),
            Some('}') => return Err("`}` closes nothing".into()),
            Some(_) => {
                let name = variable(rest)?;
                match parts.last_mut() {
                    // Nothing tells where the one ends: together they are one variable.
                    Some(Part::Variable(before)) => *before = format!("{before}{BESIDE}{name}"),
                    _ => parts.push(Part::Variable(name.to_owned())),
                }
                rest = &rest[name.len() + 2..];
            }
        }
    }
}

/// What stands between the names of variables that stand side by side.
const BESIDE: &str = "}{";

/// The text of the variable that a text begins with. Behind `name:` it can hold an expression, with braces and slashes
/// of its own.
fn variable(text: &str) -> Result<&str, String> {
    let mut depth = 0usize;
    let close = text.char_indices().find(|(_, c)| {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        depth == 0
    });
    let Some((close, _)) = close else { return Err("`{` is not closed".into()) };
    let name = &text[1..close];
    let plain = expression(name).unwrap_or(name);
    if plain.is_empty() {
        return Err("a variable has no name".into());
    }
    if plain.contains('{') {
        return Err("`{` stands inside a variable's name".into());
    }
    if plain.contains('/') {
        return Err("a variable's name cannot hold `/`".into());
    }
    Ok(name)
}

/// The name before an expression: JAX-RS and Spring write `{code: [A-Z]{3}}`.
fn expression(name: &str) -> Option<&str> {
    let (name, _) = name.split_once(':')?;
    Some(name.trim())
}

/// The names of variables that stand side by side, if a variable is several.
pub(super) fn beside(variable: &str) -> Option<impl Iterator<Item = &str>> {
    variable.contains(BESIDE).then(|| variable.split(BESIDE))
}

/// The name within a variable of another notation: `{code:[A-Z]{3}}`, `{proxy+}`, `{*path}`.
pub(super) fn plain(variable: &str) -> Option<&str> {
    let name = expression(variable).unwrap_or(variable);
    let name = name.trim_matches(['*', '+']);
    (name.len() < variable.len() && !name.is_empty()).then_some(name)
}

/// Whether a variable is meant to span segments: `{proxy+}`, `{path*}`, `{path:.*}`.
pub(super) fn is_wide(variable: &str) -> bool {
    match expression(variable) {
        Some(_) => variable.ends_with(".*") || variable.ends_with(".+") || variable.contains('/'),
        None => variable.ends_with(['+', '*']) || variable.starts_with(['+', '*']),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(text: &str) -> Vec<String> {
        let key = parse(text).unwrap();
        assert_eq!(key.suffix, None);
        key.template
            .segments
            .iter()
            .map(|segment| {
                let part = |part: &Part| match part {
                    Part::Literal(text) => text.clone(),
                    Part::Variable(name) => format!("<{name}>"),
                };
                segment.0.iter().map(part).collect()
            })
            .collect()
    }

    #[test]
    fn segments_and_parts() {
        assert_eq!(shape("/"), [""]);
        assert_eq!(shape("/a/{id}"), ["a", "<id>"]);
        assert_eq!(shape("/a/{id}.json/"), ["a", "<id>.json", ""]);
        assert_eq!(shape("/{a}-{b}:cancel"), ["<a>-<b>:cancel"]);
        assert_eq!(shape("//a"), ["", "a"]);
        assert_eq!(shape("/{a?b}"), ["<a?b>"]);
        assert_eq!(shape("/x{a}{b}{c}.y"), ["x<a}{b}{c>.y"]);
        assert_eq!(shape("/{a:[^/]{2}}/{b: .*}"), ["<a:[^/]{2}>", "<b: .*>"]);
    }

    #[test]
    fn notations_of_others() {
        for (variable, name, wide) in [
            ("id", None, false),
            ("proxy+", Some("proxy"), true),
            ("*path", Some("path"), true),
            ("code:[A-Z]{3}", Some("code"), false),
            ("rest: .*", Some("rest"), true),
            ("*", None, true),
        ] {
            assert_eq!((plain(variable), is_wide(variable)), (name, wide), "{variable}");
        }
    }

    #[test]
    fn suffixes_are_cut() {
        let key = parse("/a/{b}?x={y}#z").unwrap();
        assert_eq!(key.template.text, "/a/{b}");
        assert_eq!(key.suffix.as_deref(), Some("?x={y}#z"));
        assert_eq!(parse("/#a").unwrap().template.text, "/");
    }

    #[test]
    fn broken_templates() {
        for bad in ["", "a", "/{", "/}", "/{}", "/{a{b}}", "/{a/b}", "/a}b"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
