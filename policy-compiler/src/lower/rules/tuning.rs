//! What the policy says of a rule, on all values and on some.

use crate::ir::{AttackMode, Rule, Tuning};

/// The mode of a rule on values that no entry names: what the last entry that means it says.
pub(super) fn tuned(tuning: &[Tuning], rule: &Rule) -> AttackMode {
    let own = tuning.iter().rev().find(|it| it.at.is_none() && it.rules.is(rule));
    let otherwise = if rule.detects_only { AttackMode::Monitor } else { AttackMode::Enforce };
    own.map_or(otherwise, |it| it.mode)
}

/// The entries that mean a rule on some values, and that no later entry on all values takes back.
pub(super) fn at_fields<'t>(tuning: &'t [Tuning], rule: &Rule) -> impl Iterator<Item = &'t Tuning> {
    let last = tuning.iter().rposition(|it| it.at.is_none() && it.rules.is(rule));
    let rule = rule.clone();
    let after = tuning.iter().skip(last.map_or(0, |last| last + 1));
    after.filter(move |it| it.at.is_some() && it.rules.is(&rule))
}

/// Whether a rule looks at some values, whatever it does on others.
pub(super) fn is_on_somewhere(tuning: &[Tuning], rule: &Rule) -> bool {
    at_fields(tuning, rule).any(|it| it.mode != AttackMode::Off)
}
