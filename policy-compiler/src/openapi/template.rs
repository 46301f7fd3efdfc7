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
                let Some(close) = rest.find('}') else { return Err("`{` is not closed".into()) };
                let name = &rest[1..close];
                if name.is_empty() {
                    return Err("a variable has no name".into());
                }
                if name.contains('{') {
                    return Err("`{` stands inside a variable's name".into());
                }
                if name.contains('/') {
                    return Err("a variable's name cannot hold `/`".into());
                }
                if matches!(parts.last(), Some(Part::Variable(_))) {
                    return Err(
                        "two variables stand side by side, so their values cannot be told apart"
                            .into(),
                    );
                }
                parts.push(Part::Variable(name.to_owned()));
                rest = &rest[close + 1..];
            }
        }
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
        for bad in ["", "a", "/{", "/}", "/{}", "/{a}{b}", "/{a{b}}", "/{a/b}", "/a}b"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
