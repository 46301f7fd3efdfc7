//! The names of targets: `query`, `headers.user-agent`, `body./items/*/name`, and the groups `values` and `names`.

use crate::ir::TargetName;
use portcullis_bundle::layout::Target;

/// The targets by name.
const TARGETS: [(&str, Target); 19] = [
    ("path", Target::Path),
    ("query", Target::Query),
    ("query.names", Target::QueryName),
    ("query.raw", Target::QueryRaw),
    ("headers", Target::Header),
    ("headers.names", Target::HeaderName),
    ("cookies", Target::Cookie),
    ("cookies.names", Target::CookieName),
    ("body", Target::Body),
    ("body.names", Target::BodyName),
    ("body.raw", Target::BodyRaw),
    ("files", Target::File),
    ("method", Target::Method),
    ("request", Target::Request),
    ("response.status", Target::ResponseStatus),
    ("response.headers", Target::ResponseHeader),
    ("response.headers.names", Target::ResponseHeaderName),
    ("response.body", Target::ResponseBody),
    ("response.values", Target::ResponseValue),
];

/// The groups by name.
const GROUPS: [(&str, &[Target]); 2] = [
    ("values", &[Target::Path, Target::Query, Target::Cookie, Target::Body]),
    ("names", &[Target::QueryName, Target::CookieName, Target::BodyName]),
];

/// Every name of a target or group.
pub fn names() -> impl Iterator<Item = &'static str> {
    GROUPS.iter().map(|(name, _)| *name).chain(TARGETS.iter().map(|(name, _)| *name))
}

/// The name of a target.
pub fn name(target: &TargetName) -> String {
    let place = portcullis_engine::describe::target_name(target.target);
    match &target.name {
        Some(name) => format!("{place}.{name}"),
        None => place.to_owned(),
    }
}

/// The targets that a name stands for; none where it stands for none.
pub fn parse(text: &str) -> Option<Vec<TargetName>> {
    let whole = |target| TargetName::new(target, None);
    if let Some((_, group)) = GROUPS.iter().find(|(name, _)| *name == text) {
        return Some(group.iter().copied().map(whole).collect());
    }
    if let Some((_, target)) = TARGETS.iter().find(|(name, _)| *name == text) {
        return Some(vec![whole(*target)]);
    }
    let of_answer = ["response.headers", "response.values"].into_iter();
    let of_answer = of_answer
        .filter_map(|place| Some((place, text.strip_prefix(place)?.strip_prefix('.')?)))
        .next();
    let (place, name) = of_answer.or_else(|| text.split_once('.'))?;
    let (_, target) = TARGETS.iter().find(|(known, _)| *known == place)?;
    let named = match target {
        Target::Header | Target::ResponseHeader => name.to_ascii_lowercase(),
        Target::Query | Target::Cookie => name.to_owned(),
        Target::Body | Target::ResponseValue if name.starts_with('/') => name.to_owned(),
        _ => return None,
    };
    (!name.is_empty()).then(|| vec![TargetName::new(*target, Some(named))])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_engine_names_targets_so_too() {
        for (text, target) in TARGETS {
            assert_eq!(portcullis_engine::describe::target_name(target), text);
        }
    }

    #[test]
    fn names_are_read_back() {
        for (text, _) in TARGETS {
            assert_eq!(name(&parse(text).unwrap()[0]), text);
        }
        for text in [
            "headers.user-agent",
            "query.q",
            "cookies.SID",
            "body./a/*/b",
            "response.headers.server",
            "response.values./card/number",
        ] {
            assert_eq!(name(&parse(text).unwrap()[0]), text);
        }
        assert_eq!(parse("values").unwrap().len(), 4);
        for bad in ["", "bodies", "body.a", "path.x", "method.x", "query.", "headers"] {
            assert_eq!(parse(bad).is_none(), bad != "headers", "{bad}");
        }
    }
}
