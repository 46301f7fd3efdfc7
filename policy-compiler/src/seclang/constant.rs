//! What is constant: variables that rules set, and links that ask only of these.
//!
//! Variables of the collections that ModSecurity keeps from one transaction to the next are those of one exchange here,
//! as TX is; [`key`] keeps them apart.

use super::assemble::Link;
use super::names::{Collection, OperatorName};
use super::operator::{compares, number, relation};
use super::resolve::Value;
use super::syntax::{Change, Piece, Selector, Sense, SetVar, Template, Variable};
use portcullis_engine::attack::transform::Transform;
use regex_automata::meta::Regex;
use std::collections::BTreeMap;

/// The variables by their [`key`].
pub(super) type Tx = BTreeMap<String, Value>;

/// Whether a variable holds a score of the Core Rule Set, which the engine keeps itself or which is only logged.
pub(super) fn is_score(name: &str) -> bool {
    name.contains("anomaly_score_pl") || SCORES.contains(&name)
}

/// Names of scores, those of levels aside.
const SCORES: [&str; 19] = [
    "anomaly_score",
    "inbound_anomaly_score",
    "outbound_anomaly_score",
    "executing_anomaly_score",
    "blocking_anomaly_score",
    "blocking_inbound_anomaly_score",
    "blocking_outbound_anomaly_score",
    "detection_anomaly_score",
    "detection_inbound_anomaly_score",
    "detection_outbound_anomaly_score",
    "sql_injection_score",
    "xss_score",
    "rce_score",
    "rfi_score",
    "lfi_score",
    "php_injection_score",
    "http_violation_score",
    "session_fixation_score",
    "trojan_score",
];

/// A text whose macros are all constant.
pub(super) fn text(tx: &Tx, template: &Template) -> Option<String> {
    let mut out = String::new();
    for piece in &template.0 {
        match piece {
            Piece::Text(text) => out.push_str(text),
            Piece::Macro { collection, key: Some(name) }
                if collection.is_set_by_rules() && !is_group(name) =>
            {
                match tx.get(&key(*collection, name)) {
                    None => {}
                    Some(value) if value.givers.is_empty() => {
                        out.push_str(value.known.as_deref().unwrap_or_default());
                    }
                    Some(_) => return None,
                }
            }
            Piece::Macro { .. } => return None,
        }
    }
    Some(out)
}

/// Whether a key of TX is that of a group: `0` to `9`.
pub(super) fn is_group(key: &str) -> bool {
    key.len() == 1 && key.bytes().all(|byte| byte.is_ascii_digit())
}

/// What a variable goes by here: its name in lower case, with its collection where that is not TX.
pub(super) fn key(collection: Collection, name: &str) -> String {
    let name = name.to_ascii_lowercase();
    match collection {
        Collection::Tx => name,
        other => format!("{}:{name}", other.name().to_ascii_lowercase()),
    }
}

/// The key of a variable that is set, or what it begins with.
pub(super) fn name(tx: &Tx, set: &SetVar) -> (String, bool) {
    if let Some(name) = text(tx, &set.name) {
        return (key(set.collection, &name), false);
    }
    let first = match set.name.0.first() {
        Some(Piece::Text(text)) => text.as_str(),
        _ => "",
    };
    (key(set.collection, first), true)
}

/// Sets a variable for every message.
pub(super) fn set(tx: &mut Tx, set: &SetVar) {
    let (name, is_prefix) = name(tx, set);
    let before = || {
        let value = tx.get(&name);
        let known = value.filter(|value| value.givers.is_empty());
        (value.is_none() || known.is_some())
            .then(|| number(known.and_then(|it| it.known.as_deref()).unwrap_or_default()))
    };
    let known = match &set.change {
        Change::Remove => {
            tx.remove(&name);
            return;
        }
        Change::Set(value) => text(tx, value),
        Change::Add(value) => text(tx, value)
            .and_then(|value| Some(before()?.saturating_add(number(&value)).to_string())),
        Change::Subtract(value) => text(tx, value)
            .and_then(|value| Some(before()?.saturating_sub(number(&value)).to_string())),
    };
    let mut value = Value { known, givers: Vec::new(), is_prefix };
    if value.known.is_none() {
        let why = format!("what `tx.{name}` is cannot be told beforehand");
        value.givers.push(super::resolve::Giver::unknown(why));
    }
    tx.insert(name, value);
}

/// What a `setvar` adds to a message's score.
pub(super) fn points(tx: &Tx, set: &SetVar) -> i32 {
    let (name, _) = name(tx, set);
    let counts = name.contains("anomaly_score_pl")
        || matches!(name.as_str(), "anomaly_score" | "outbound_anomaly_score");
    match &set.change {
        Change::Add(value) if counts => text(tx, value).map_or(0, |text| number(&text)),
        _ => 0,
    }
}

/// The values of TX that a variable names; none where they are not constant.
fn values(tx: &Tx, variable: &Variable) -> Option<Vec<String>> {
    let chosen = chosen(tx, variable)?;
    let mut values = Vec::new();
    for (_, value) in chosen {
        if !value.givers.is_empty() || value.is_prefix {
            return None;
        }
        values.extend(value.known.clone());
    }
    match variable.sense {
        Sense::Values => Some(values),
        Sense::Count => Some(vec![values.len().to_string()]),
        Sense::Without => Some(Vec::new()),
    }
}

/// The variables that one of a rule names; none where it names groups or values of a message, or is no expression.
pub(super) fn chosen<'t>(tx: &'t Tx, variable: &Variable) -> Option<Vec<(&'t String, &'t Value)>> {
    if !variable.collection.is_set_by_rules() {
        return None;
    }
    let collection = key(variable.collection, "");
    let within = |own: &'t String| {
        let name = own.strip_prefix(&collection)?;
        (variable.collection != Collection::Tx || !own.contains(':')).then_some(name)
    };
    match &variable.selector {
        Selector::Name(name) if is_group(name) => None,
        Selector::Name(name) => {
            let name = key(variable.collection, name);
            let named = |(own, value): &(&String, &Value)| {
                **own == name || value.is_prefix && name.starts_with(own.as_str())
            };
            Some(tx.iter().filter(named).collect())
        }
        Selector::Regex(pattern) => {
            let regex = Regex::new(&format!("(?i){}", super::pattern::rewrite(pattern))).ok()?;
            let named = |(own, value): &(&'t String, &Value)| match within(own) {
                Some(own) if value.is_prefix => regex.is_match(&format!("{own}x")),
                Some(own) => regex.is_match(own),
                None => false,
            };
            Some(tx.iter().filter(named).collect())
        }
        Selector::All | Selector::XPath(_) => None,
    }
}

/// Whether a link holds for every message, or for none; none where that depends on the message.
pub(super) fn link(tx: &Tx, link: &Link) -> Option<bool> {
    let Some(operator) = &link.operator else { return Some(true) };
    let mut all = Vec::new();
    for variable in &link.variables {
        all.extend(values(tx, variable)?);
    }
    if all.is_empty() {
        return Some(false);
    }
    let argument = text(tx, &operator.argument)?;
    for value in all {
        if holds(operator.name, &argument, &transformed(value.into_bytes(), link))?
            != operator.negated
        {
            return Some(true);
        }
    }
    Some(false)
}

/// What the transformations of a link make of a value.
pub(super) fn transformed(mut value: Vec<u8>, link: &Link) -> Vec<u8> {
    for step in &link.transform {
        let mut out = Vec::new();
        step.apply(&value, &mut out);
        value = out;
    }
    value
}

/// Whether an operator holds of a constant; none for those that are not asked of constants.
pub(super) fn holds(name: OperatorName, argument: &str, value: &[u8]) -> Option<bool> {
    use OperatorName as O;
    let text = String::from_utf8_lossy(value);
    if let Some(relation) = relation(name) {
        return Some(compares(relation, number(&text), number(argument)));
    }
    Some(match name {
        O::StrEq => text == argument,
        O::BeginsWith => text.starts_with(argument),
        O::EndsWith => text.ends_with(argument),
        O::Contains | O::StrMatch => text.contains(argument),
        O::Within => argument.contains(&*text),
        O::UnconditionalMatch => true,
        O::NoMatch => false,
        O::Rx => {
            let pattern = format!("(?s-u){}", super::pattern::rewrite(argument));
            Regex::builder()
                .syntax(regex_automata::util::syntax::Config::new().utf8(false))
                .build(&pattern)
                .ok()?
                .is_match(value)
        }
        O::Pm => {
            let text = text.to_ascii_lowercase();
            argument.split_whitespace().any(|it| text.contains(&it.to_ascii_lowercase()))
        }
        _ => return None,
    })
}
