//! Exceptions from attack rules that have no effect: those that have expired, and those that no hit can meet.

use crate::diag::{Diagnostic, EXCEPTION_EXPIRED, EXCEPTION_IDLE, Span};
use crate::ir::{Attacks, Exception};
use crate::positions::{Position, positions};
use crate::rules::target_name;
use portcullis_bundle::layout::{Action, NONE, Operation, Target, View};

/// What is wrong with the exceptions of a policy, by the bundle that was made of it. `now` is in seconds since 1970.
pub fn check(
    attacks: &Attacks,
    policy: &str,
    view: &View<'_>,
    now: Option<i64>,
) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    for exception in &attacks.exceptions {
        let at = Span::word(policy, exception.line, 1);
        if now.is_some_and(|now| exception.expires <= now) {
            let title = "this exception from attack rules has expired: the hits count again";
            let help = "take it out, or decide anew until when it holds";
            found.push(Diagnostic::new(EXCEPTION_EXPIRED, title).at(at).help(help));
        } else if let Some((title, help)) = idle(attacks, exception, view) {
            found.push(Diagnostic::new(EXCEPTION_IDLE, title).at(at).help(help));
        }
    }
    found
}

/// Why no hit can meet an exception, and what to do about it.
fn idle(attacks: &Attacks, exception: &Exception, view: &View<'_>) -> Option<(String, String)> {
    let ids: Vec<&str> = view.rules.iter().map(|rule| view.text(rule.id)).collect();
    let meant = attacks.rules.iter().filter(|rule| exception.rules.is(rule));
    let meant: Vec<&str> = meant.map(|rule| rule.id.as_str()).collect();
    if !meant.iter().any(|id| ids.contains(id)) {
        let title =
            "the rules of this exception are off, or above the policy's `paranoia`".to_owned();
        return Some((title, "take the exception out until they are on".to_owned()));
    }
    let at = exception.at.as_ref()?;
    let is_rule = |matcher: u32| {
        let rule = view.matchers.get(matcher as usize).map_or(NONE, |it| it.rule.get());
        ids.get(rule as usize).is_some_and(|id| meant.contains(id))
    };
    let looks = |matcher: u32| holds(view, u16::from(at.target.code()), matcher);
    let matchers = || 0..view.matchers.len() as u32;
    let shown = target_name(at);
    if !matchers().any(|matcher| is_rule(matcher) && looks(matcher)) {
        let title = format!("the rules of this exception do not look at `{shown}`");
        return Some((title, "`portcullis inspect --rules` tells where they look".to_owned()));
    }
    let name = at.name.as_deref().filter(|_| is_declared_place(at.target))?;
    let operations: Vec<&Operation> =
        view.operations.iter().filter(|of| is_meant(view, of, exception)).collect();
    let undeclared = view
        .policy
        .first()
        .is_none_or(|policy| policy.undeclared_operations != Action::Block.code());
    if exception.operation.is_none() && undeclared {
        return None;
    }
    let may_be = |of: &&Operation| {
        let open = match at.target {
            Target::Query => of.undeclared_query != Action::Block.code(),
            _ => of.undeclared_media_types != Action::Block.code(),
        };
        let is = |position: &Position| position.target == at.target && position.is_named(name);
        open || positions(view, of).iter().any(is)
    };
    if operations.iter().any(may_be) {
        return None;
    }
    let title = format!("no operation of this exception takes a value at `{shown}`");
    Some((title, "`portcullis inspect --rules` lists the positions of an operation".to_owned()))
}

/// Whether only what is declared can stand in a place by its name. Headers and cookies can be any.
fn is_declared_place(target: Target) -> bool {
    matches!(target, Target::Query | Target::Body)
}

fn is_meant(view: &View<'_>, of: &Operation, exception: &Exception) -> bool {
    let Some(text) = &exception.operation else { return true };
    let (method, path) = text.split_once(char::is_whitespace).unwrap_or(("", text));
    view.text(of.method).eq_ignore_ascii_case(method)
        && view.text(of.template).ends_with(path.trim())
}

fn holds(view: &View<'_>, set: u16, matcher: u32) -> bool {
    let words = view.attacks.first().map_or(1, |attacks| usize::from(attacks.set_words));
    let at = usize::from(set) * words + matcher as usize / 64;
    view.matcher_sets.get(at).is_some_and(|word| word.get() >> (matcher % 64) & 1 == 1)
}
