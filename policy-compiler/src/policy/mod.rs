//! policy.yaml: what is enforced where, and how strictly. POLICY.md describes every field.
//!
//! In: the policy's text. Out: a [`PolicyFile`], whose APIs name the documents to read, and
//! which is then [applied](apply) to the model that those make.

mod apply;
mod attacks;
mod closed;
mod limiting;
mod read;
mod schema;
mod shape;
mod size;
mod validate;

pub(crate) use apply::is_match;
pub use apply::{apply, mappings};
pub use attacks::AttackPolicy;
pub use closed::close;
pub use limiting::Held;
pub(crate) use limiting::{hash, limit_id};
pub use read::{ApiPolicy, MappingPolicy, OperationPolicy, PolicyFile, Selector};
pub use schema::{json_schema, markdown_table};
pub use size::show as show_size;

use std::collections::HashMap;

use crate::diag::{self, Diagnostic, Diagnostics, Span};
use crate::ir::{Direction, Method};
use crate::source::{self, Node, Tree};

/// Reads a policy file's text. `None` when its text cannot be parsed at all.
pub fn parse(path: &str, text: &str, diagnostics: &mut Diagnostics) -> Option<PolicyFile> {
    let tree: Tree = source::parse(path, text, diagnostics)?;
    validate::validate(tree.root(), path, diagnostics);
    let file = read::read(tree.root(), path);
    check(tree.root(), path, &file, diagnostics);
    Some(file)
}

/// What the shape alone cannot say.
fn check(root: Node<'_>, path: &str, file: &PolicyFile, diagnostics: &mut Diagnostics) {
    let mut names: HashMap<&str, &Span> = HashMap::new();
    for api in &file.apis {
        if let Some(first) = names.insert(&api.name, &api.span) {
            let title = format!("two APIs have the name `{}`", api.name);
            diagnostics.push(
                Diagnostic::new(diag::POLICY_DUPLICATE, title)
                    .label(api.span.clone(), "again here")
                    .label(first.clone(), "first here"),
            );
        }
    }
    attacks::check(root, path, diagnostics);
    limiting::check(root, path, diagnostics);
    for api in file.apis.iter().filter(|api| api.direction == Direction::Inbound) {
        let first = api.webhooks.iter().chain(&api.callbacks).next();
        if let Some(mapping) = first {
            let title =
                "an inbound API sends nothing: webhooks and callbacks are no operations of it";
            diagnostics.push(
                Diagnostic::new(diag::POLICY_VALUE, title).at(mapping.span.clone()).help(
                    "say `direction: outbound`, in an API of its own where the documents have both",
                ),
            );
        }
    }
    let probes = root.get("health_probes").and_then(Node::elements).into_iter().flatten();
    for probe in probes {
        if let Some(node) = probe.get("path")
            && let Some(text) = node.as_text()
            && (!text.starts_with('/') || text.contains(['?', '#', '{']))
        {
            let title = format!("`{text}` is not an exact path");
            diagnostics.push(
                Diagnostic::new(diag::POLICY_VALUE, title)
                    .at(read::span(node, path))
                    .help("a probe's path starts with `/` and has no query and no variables"),
            );
        }
        for node in probe.get("methods").and_then(Node::elements).into_iter().flatten() {
            let text = node.as_text().unwrap_or_default();
            if Method::parse(text).is_none() {
                let names = Method::ALL.map(Method::name);
                let help = diag::did_you_mean(text, names)
                    .unwrap_or_else(|| format!("the methods are `{}`", names.join("`, `")));
                diagnostics.push(
                    Diagnostic::new(diag::POLICY_VALUE, format!("`{text}` is not a method"))
                        .at(read::span(node, path))
                        .help(help),
                );
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::{Action, Mode, Unsupported};

    const MINIMAL: &str = "version: 1\nname: p\napis: [{name: a, documents: [a.yaml]}]\n";

    fn codes(text: &str) -> Vec<(&'static str, u32)> {
        let mut diagnostics = Diagnostics::default();
        parse("policy.yaml", text, &mut diagnostics);
        diagnostics.sorted().iter().map(|d| (d.code.id, d.labels[0].span.line)).collect()
    }

    #[test]
    fn defaults() {
        let mut diagnostics = Diagnostics::default();
        let file = parse("policy.yaml", MINIMAL, &mut diagnostics).unwrap();
        assert!(diagnostics.sorted().is_empty());
        assert_eq!(file.policy.settings, crate::ir::Settings::default());
        assert_eq!(file.apis[0].settings, file.policy.settings);
    }

    #[test]
    fn the_pages_examples_are_policies() {
        let page = include_str!("../../POLICY.md");
        let examples: Vec<_> = page.split("```yaml\n").skip(1).collect();
        assert!(examples.len() >= 2);
        for example in examples {
            let (text, _) = example.split_once("```").unwrap();
            let mut diagnostics = Diagnostics::default();
            parse("policy.yaml", text, &mut diagnostics).unwrap();
            assert!(diagnostics.sorted().is_empty(), "{text}: {:?}", diagnostics.sorted());
        }
    }

    #[test]
    fn settings_are_inherited() {
        let text = "version: 1\nname: p\nmode: monitor\nlimits: {body: 2MiB, depth: 5}\n\
                    undeclared: {methods: allow}\napis:\n- name: a\n  documents: [a.yaml]\n  \
                    mode: enforce\n  limits: {depth: 7}\n  strictness: {unresolved_refs: \
                    not_enforced}\n  operations:\n  - operation_id: x\n    limits: {body: 1KiB}\n";
        let mut diagnostics = Diagnostics::default();
        let file = parse("policy.yaml", text, &mut diagnostics).unwrap();
        assert!(diagnostics.sorted().is_empty(), "{:?}", diagnostics.sorted());
        let (api, op) = (&file.apis[0].settings, &file.apis[0].operations[0].settings);
        assert_eq!((api.mode, op.mode), (Mode::Enforce, Mode::Enforce));
        assert_eq!((api.limits.body, op.limits.body), (2 << 20, 1 << 10));
        assert_eq!((op.limits.depth, op.undeclared.methods), (7, Action::Allow));
        assert_eq!(op.strictness.unresolved_refs, Unsupported::NotEnforced);
    }

    #[test]
    fn everything_is_reported_at_once() {
        let text = "version: 2\nname: ''\nmod: enforce\nlimits: {body: 1mib, depth: 0, foo: 1}\n\
                    undeclared: {operations: blok}\nbreak_glass: {permitted: yes}\n\
                    health_probes: [{path: healthz, methods: [FETCH]}]\napis:\n\
                    - documents: [a.yaml]\n  limits: {path: 1KiB}\n- name: b\n  documents: []\n";
        assert_eq!(
            codes(text),
            [
                ("PC0505", 1),
                ("PC0502", 2),
                ("PC0501", 3),
                ("PC0508", 4),
                ("PC0502", 4),
                ("PC0501", 4),
                ("PC0502", 5),
                ("PC0503", 6),
                ("PC0502", 7),
                ("PC0502", 7),
                ("PC0504", 9),
                ("PC0501", 10),
                ("PC0502", 12),
            ]
        );
        assert_eq!(codes("[]"), [("PC0503", 1)]);
        assert_eq!(codes("a: [").len(), 1);
    }
}
