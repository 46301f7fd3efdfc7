//! URI references (RFC 3986) and the resources that `$id` makes of parts of a file.
//!
//! A file is known by the path that it was read from, or by an absolute URI that a mapping leads to a
//! path; `$id` gives it, or a schema within it, another name. Names are only compared, never fetched.

use super::reference::{has_scheme, join};
use super::tree::{Node, NodeId, Tree};
use std::collections::HashMap;

/// How the keywords that name schemas are written in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Naming {
    /// Not at all: OpenAPI 3.0 and Swagger 2.0.
    None,
    /// `id`, which may be a mere fragment (draft 4). Only what stands where a schema can is looked at.
    Draft4,
    /// `$id`, `$anchor` and `$dynamicAnchor` (2020-12), where a schema can stand.
    Schema,
    /// The same anywhere but in examples and values.
    Anywhere,
}

/// A schema with a name of its own, and the anchors within it.
#[derive(Debug)]
pub struct Resource {
    /// Its root.
    pub node: NodeId,
    /// Its name, without a fragment.
    pub uri: String,
    /// `$anchor`s and `$dynamicAnchor`s, by name.
    pub anchors: HashMap<String, NodeId>,
    /// `$dynamicAnchor`s alone, in the order of the file.
    pub dynamic: Vec<(String, NodeId)>,
}

/// The resources of a file: the file itself first.
pub fn resources(tree: &Tree, uri: &str, naming: Naming) -> Vec<Resource> {
    let root = Resource {
        node: tree.root().id(),
        uri: uri.to_owned(),
        anchors: HashMap::new(),
        dynamic: Vec::new(),
    };
    let mut found = vec![root];
    if naming == Naming::None {
        return found;
    }
    let mut open = vec![(tree.root(), 0usize, true)];
    while let Some((node, mut resource, schema)) = open.pop() {
        if schema {
            resource = read_names(&mut found, node, resource, naming);
        }
        let mut below: Vec<_> = children(node, schema, naming)
            .into_iter()
            .map(|(child, schema)| (child, resource, schema))
            .collect();
        below.reverse();
        open.append(&mut below);
    }
    found
}

/// Takes over what a schema says of its names; gives the resource that it belongs to.
fn read_names(found: &mut Vec<Resource>, node: Node<'_>, within: usize, naming: Naming) -> usize {
    let draft4 = naming == Naming::Draft4;
    let mut resource = within;
    // In draft 4 nothing beside `$ref` counts.
    // A document of OpenAPI 3.2 names itself by `$self`, as a schema does by `$id`.
    let is_document = node.id() == found[0].node && node.get("openapi").is_some();
    let keyword = match (draft4, is_document) {
        (true, _) => "id",
        (_, true) => "$self",
        _ => "$id",
    };
    let id = node.get(keyword).and_then(Node::as_str);
    if let Some(id) = id.filter(|_| !draft4 || node.get("$ref").is_none()) {
        let (path, fragment) = id.split_once('#').unwrap_or((id, ""));
        let uri = resolve(&found[within].uri, path);
        if node.id() == found[0].node {
            found[0].uri = uri;
        } else if !path.is_empty() {
            // A fragment alone would name no resource.
            let node = node.id();
            let (anchors, dynamic) = (HashMap::new(), Vec::new());
            found.push(Resource { node, uri, anchors, dynamic });
            resource = found.len() - 1;
        }
        if draft4 && !fragment.is_empty() {
            found[resource].anchors.entry(fragment.to_owned()).or_insert(node.id());
        }
    }
    if draft4 {
        return resource;
    }
    for keyword in ["$anchor", "$dynamicAnchor"] {
        let Some(name) = node.get(keyword).and_then(Node::as_str) else { continue };
        let to = &mut found[resource];
        let first = *to.anchors.entry(name.to_owned()).or_insert(node.id()) == node.id();
        let known = || to.dynamic.iter().any(|(known, _)| known == name);
        if keyword == "$dynamicAnchor" && (first || !known()) {
            to.dynamic.push((name.to_owned(), node.id()));
        }
    }
    resource
}

/// Keywords that hold a schema, or a list of schemas.
const HOLD: &[&str] = &[
    "items",
    "contains",
    "additionalProperties",
    "propertyNames",
    "unevaluatedItems",
    "unevaluatedProperties",
    "not",
    "if",
    "then",
    "else",
    "contentSchema",
    "additionalItems",
    "allOf",
    "anyOf",
    "oneOf",
    "prefixItems",
];

/// Keywords that hold schemas by name.
const HOLD_NAMED: &[&str] = &[
    "properties",
    "patternProperties",
    "dependentSchemas",
    "dependencies",
    "$defs",
    "definitions",
];

/// Keywords that hold values, in which nothing has a meaning.
const VALUES: &[&str] = &["enum", "const", "default", "example", "examples"];

/// What lies below a node, and whether it can be a schema.
fn children<'a>(node: Node<'a>, schema: bool, naming: Naming) -> Vec<(Node<'a>, bool)> {
    if let Some(elements) = node.elements() {
        return elements.map(|child| (child, true)).collect();
    }
    let Some(members) = node.members() else { return Vec::new() };
    if !schema {
        return members.map(|(_, child)| (child, true)).collect();
    }
    let of = |(member, child): (&super::tree::Member, Node<'a>)| {
        let key = &*member.key;
        if HOLD_NAMED.contains(&key) {
            return Some((child, false));
        }
        let held = match naming {
            Naming::Anywhere => !VALUES.contains(&key) && !key.starts_with("x-"),
            _ => HOLD.contains(&key),
        };
        held.then_some((child, true))
    };
    members.filter_map(of).collect()
}

/// The target of a reference (RFC 3986, section 5.2), both without fragments. A base without a scheme is
/// a path: a relative reference is then percent-decoded and joined to it.
pub fn resolve(base: &str, reference: &str) -> String {
    if reference.is_empty() {
        return base.to_owned();
    }
    if has_scheme(reference) {
        return reference.to_owned();
    }
    let Some((scheme, rest)) = base.split_once(':').filter(|_| has_scheme(base)) else {
        let path = super::reference::decode(reference).unwrap_or_else(|| reference.to_owned());
        return join(base, &path);
    };
    if reference.starts_with("//") {
        return format!("{scheme}:{reference}");
    }
    let (authority, path) = match rest.strip_prefix("//") {
        Some(rest) => {
            let end = rest.find(['/', '?']).unwrap_or(rest.len());
            (format!("//{}", &rest[..end]), &rest[end..])
        }
        None => (String::new(), rest),
    };
    let base_path = path.split('?').next().unwrap_or("");
    if reference.starts_with('?') {
        return format!("{scheme}:{authority}{base_path}{reference}");
    }
    let (relative, query) = match reference.find('?') {
        Some(at) => reference.split_at(at),
        None => (reference, ""),
    };
    let merged = if relative.starts_with('/') {
        relative.to_owned()
    } else {
        let folder = base_path.rsplit_once('/').map_or("", |(folder, _)| folder);
        format!("{folder}/{relative}")
    };
    format!("{scheme}:{authority}{}{query}", without_dots(&merged))
}

/// Removes `.` and `..` (RFC 3986, section 5.2.4).
fn without_dots(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    let last = path.split('/').next_back().unwrap_or("");
    for part in path.split('/').skip(1) {
        match part {
            "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    if matches!(last, "." | "..") {
        parts.push("");
    }
    format!("/{}", parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_resolve() {
        let base = "http://a/b/c/d;p?q";
        for (reference, target) in [
            ("tag:h", "tag:h"),
            ("g", "http://a/b/c/g"),
            ("./g", "http://a/b/c/g"),
            ("g/", "http://a/b/c/g/"),
            ("/g", "http://a/g"),
            ("//g", "http://g"),
            ("?y", "http://a/b/c/d;p?y"),
            ("g?y", "http://a/b/c/g?y"),
            ("", "http://a/b/c/d;p?q"),
            (".", "http://a/b/c/"),
            ("..", "http://a/b/"),
            ("../g", "http://a/b/g"),
            ("../../../g", "http://a/g"),
        ] {
            // RFC 3986, section 5.4.
            assert_eq!(resolve(base, reference), target, "{reference}");
        }
        assert_eq!(resolve("api/a.yaml", "b%20c.yaml"), "api/b c.yaml");
        assert_eq!(resolve("api/a.yaml", "https://x/y"), "https://x/y");
        assert_eq!(resolve("urn:uuid:1", ""), "urn:uuid:1");
    }
}
