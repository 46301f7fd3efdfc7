//! Attack rules as they were written, or as a bundle holds them.

use super::rules::show_selector;
use crate::rules::builtin_files;
use crate::source::{Node, parse};
use portcullis_bundle::layout::{
    CodeLayout, MATCHER_NEGATED, Matcher, Operator, Rule, Transformation, View,
};
use serde_json::{Value, json};
use std::path::Path;

/// What a rule asks, condition by condition: `targets`, `transform`, `operator`, `not`, and `argument` where the rule's
/// file is at hand.
pub fn conditions(view: &View<'_>, id: &str, folder: &Path) -> Vec<Value> {
    let Some(rule) = view.rules.iter().find(|rule| view.text(rule.id) == id) else {
        return Vec::new();
    };
    written(view.text(rule.file), id, folder).unwrap_or_else(|| compiled(view, rule))
}

/// The conditions as the rule's file says.
fn written(file: &str, id: &str, folder: &Path) -> Option<Vec<Value>> {
    let packs = builtin_files(crate::rules::API_CORE).unwrap_or_default();
    let built_in = packs.iter().find(|(path, _)| *path == file).map(|(_, text)| (*text).to_owned());
    let text = match built_in {
        Some(text) => text,
        None => std::fs::read_to_string(folder.join(file)).ok()?,
    };
    let tree = parse(file, &text, &mut crate::diag::Diagnostics::default())?;
    let mut rules = tree.root().get("rules").and_then(Node::elements)?;
    let rule = rules.find(|rule| rule.get("id").and_then(Node::as_text) == Some(id))?;
    let conditions: Vec<Node<'_>> = match rule.get("all").and_then(Node::elements) {
        Some(all) => all.collect(),
        None => vec![rule],
    };
    conditions.into_iter().map(|node| condition(node, rule)).collect()
}

fn condition(node: Node<'_>, rule: Node<'_>) -> Option<Value> {
    let own = node.get("match")?;
    let (member, argument) = own.members()?.next()?;
    let texts = |field: &str| {
        let list = node.get(field).or_else(|| rule.get(field)).and_then(Node::elements);
        list.map(|list| list.filter_map(Node::as_text).map(str::to_owned).collect::<Vec<_>>())
    };
    let argument = match (argument.as_text(), argument.elements()) {
        (Some(text), _) => Some(text.to_owned()),
        (None, Some(list)) => {
            let texts: Vec<&str> = list.filter_map(Node::as_text).collect();
            Some(texts.join(", "))
        }
        _ => None,
    };
    Some(json!({
        "targets": texts("targets").unwrap_or_else(|| vec!["values".to_owned()]),
        "transform": texts("transform").unwrap_or_default(),
        "operator": *member.key,
        "argument": argument,
        "not": node.get("not").is_some_and(|it| it.as_bool() == Some(true)),
    }))
}

/// The conditions as the bundle holds them.
fn compiled(view: &View<'_>, rule: &Rule) -> Vec<Value> {
    let first = rule.matchers.get() as usize;
    let own = view.matchers.iter().skip(first).take(rule.matcher_count.get().into());
    let told = |matcher: &Matcher| {
        let selectors = view.selectors.iter().skip(matcher.selectors.get() as usize);
        let targets: Vec<String> = selectors
            .take(matcher.selector_count.get().into())
            .map(|it| show_selector(it.target, view.text(it.name)))
            .collect();
        json!({
            "targets": targets,
            "transform": chain(view, matcher.step.get()),
            "operator": operator(matcher.operator),
            "not": matcher.flags & MATCHER_NEGATED != 0,
        })
    };
    own.map(told).collect()
}

fn chain(view: &View<'_>, mut step: u16) -> Vec<String> {
    let mut names = Vec::new();
    while let Some(record) = view.steps.get(usize::from(step)).filter(|_| step > 0) {
        let own = Transformation::from_code(record.transformation);
        names.extend(own.map(crate::rules::transformation_name));
        step = record.parent.get().min(step - 1);
    }
    names.reverse();
    names
}

/// The name of an operator of the bundle; what rules call `words`, `equals` and the like are expressions there.
fn operator(code: u8) -> String {
    let known = <Operator as CodeLayout>::CODES.iter().find(|(own, ..)| *own == code);
    known.map_or_else(String::new, |(_, name, _)| match *name {
        "Automaton" => "regex".to_owned(),
        other => other.to_ascii_lowercase(),
    })
}
