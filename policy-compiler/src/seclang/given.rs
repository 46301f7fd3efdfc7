//! Links that ask of a variable which is constant but for what earlier rules give it, where they fire.

use super::assemble::Link;
use super::build::Builder;
use super::constant::{self, Tx};
use super::resolve::{Given, Giver, Value};
use super::syntax::{Operator, Selector, Sense, Variable};
use crate::ir::TextPiece;

/// Alternatives of one condition, at most.
const MAX_ALTERNATIVES: usize = 64;

impl Builder {
    /// Takes a link that asks of one variable, whose value is one of several constants. What is left to ask is which rules
    /// have fired that give it another value than it has without them.
    ///
    /// # Errors
    /// Whether it holds depends on which of several rules fires last.
    pub(super) fn given(&mut self, tx: &Tx, link: &Link) -> Result<bool, String> {
        let ([variable], Some(operator)) = (link.variables.as_slice(), &link.operator) else {
            return Ok(false);
        };
        let Some((name, value)) = one(tx, variable) else { return Ok(false) };
        let Some(argument) = constant::text(tx, &operator.argument) else { return Ok(false) };
        let holds = |text: Option<&str>| asked(variable, operator, link, &argument, text);
        let Some(before) = holds(value.known.as_deref()) else { return Ok(false) };
        let mut after = Vec::new();
        for giver in &value.givers {
            let Some(held) = text(giver).and_then(|text| holds(Some(&text))) else {
                return Ok(false);
            };
            after.push(held);
        }
        let differing: Vec<&Giver> = value
            .givers
            .iter()
            .zip(&after)
            .filter(|(_, it)| **it != before)
            .map(|it| it.0)
            .collect();
        // A rule that fires later could give back what an earlier one has taken.
        let is_ordered = after.windows(2).all(|pair| pair[0] == pair[1]);
        match (before, differing.as_slice()) {
            (true, []) => {}
            (false, []) => self.conditions.push(Vec::new()),
            _ if !is_ordered => {
                return Err(format!("several rules set `tx.{name}` to other values"));
            }
            (true, rules) => {
                for giver in rules {
                    let rule =
                        giver.rule.ok_or_else(|| format!("what sets `tx.{name}` is gone"))?;
                    self.unless.push(rule);
                }
            }
            (false, [giver]) => {
                self.conditions.extend(giver.conditions.iter().cloned());
                self.unless.extend(&giver.unless);
            }
            (false, several) => self.one_of(name, several)?,
        }
        Ok(true)
    }

    /// One of several rules must fire.
    fn one_of(&mut self, name: &str, givers: &[&Giver]) -> Result<(), String> {
        let mut alternatives = Vec::new();
        for giver in givers {
            match giver.conditions.as_slice() {
                [own] if giver.unless.is_empty() => alternatives.extend(own.iter().cloned()),
                _ => return Err(format!("several rules with several conditions set `tx.{name}`")),
            }
        }
        if alternatives.len() > MAX_ALTERNATIVES {
            return Err(format!("more than {MAX_ALTERNATIVES} alternatives set `tx.{name}`"));
        }
        self.conditions.push(alternatives);
        Ok(())
    }
}

/// The variable that is meant, where it is one alone and rules give it values.
fn one<'t>(tx: &'t Tx, variable: &Variable) -> Option<(&'t String, &'t Value)> {
    if !matches!(variable.selector, Selector::Name(_)) || variable.sense == Sense::Without {
        return None;
    }
    match constant::chosen(tx, variable)?.as_slice() {
        [(name, value)] if !value.is_prefix && !value.givers.is_empty() => Some((name, value)),
        _ => None,
    }
}

/// What a rule gives, where that is constant.
fn text(giver: &Giver) -> Option<String> {
    let Given::Text(pieces) = &giver.given else { return None };
    let mut text = String::new();
    for piece in pieces {
        let TextPiece::Text(piece) = piece else { return None };
        text.push_str(piece);
    }
    Some(text)
}

/// Whether a link holds where its variable has a value, or has none.
fn asked(
    variable: &Variable,
    operator: &Operator,
    link: &Link,
    argument: &str,
    value: Option<&str>,
) -> Option<bool> {
    let text = match (variable.sense, value) {
        (Sense::Count, value) => usize::from(value.is_some()).to_string(),
        (_, Some(value)) => value.to_owned(),
        (_, None) => return Some(false),
    };
    let value = constant::transformed(text.into_bytes(), link);
    Some(constant::holds(operator.name, argument, &value)? != operator.negated)
}
