//! Checks attack rules, their matchers, and the sets and literals by which they are found.

use super::Check;
use crate::error::OpenError;
use crate::layout::{
    Action, FIXED_SETS, HitMode, Literal, Matcher, Mode, NarrowingKind, Operator, Rule, Selector,
    Step, Target,
};

/// Bytes of both halves of the gram filter.
const GRAM_FILTER: usize = 2 * 8192;

pub(super) fn verify(check: Check<'_, '_>) -> Result<(), OpenError> {
    let view = check.view;
    let Some(attacks) = view.attacks.first() else {
        let check = Check { section: "rules", record: 0, ..check };
        let empty = view.rules.is_empty() && view.matchers.is_empty();
        return check.that(empty, "rules without settings");
    };
    settings(check)?;
    check.each("rules", view.rules, rule)?;
    check.each("matchers", view.matchers, matcher)?;
    check.each("selectors", view.selectors, selector)?;
    check.each("steps", view.steps, step)?;
    literals(check)?;
    check.each("operation_rules", view.operation_rules, |check, rules| {
        check.set(rules.enabled.get(), "enabled")?;
        check.set(rules.monitored.get(), "monitored")?;
        check.that(Mode::from_code(rules.mode).is_some(), "mode")?;
        check.that(rules.off <= 1, "off")
    })?;
    check.each("schema_rules", view.schema_rules, |check, set| check.set(set.get(), "set"))?;
    check
        .each("parameter_rules", view.parameter_rules, |check, set| check.set(set.get(), "set"))?;
    check.each("field_rules", view.field_rules, |check, set| check.set(set.get(), "set"))?;
    check.each("field_modes", view.field_modes, |check, field| {
        check.set(field.matchers.get(), "matchers")?;
        check.maybe(field.operation.get(), view.operations, "operation")?;
        check.that(HitMode::from_code(field.mode).is_some(), "mode")?;
        selector(check, &field.selector)
    })?;
    check.each("narrowings", view.narrowings, |check, narrowing| {
        check.set(narrowing.matchers.get(), "matchers")?;
        check.that(NarrowingKind::from_code(narrowing.kind).is_some(), "kind")
    })?;
    check.each("exceptions", view.exceptions, |check, exception| {
        check.set(exception.matchers.get(), "matchers")?;
        check.maybe(exception.operation.get(), view.operations, "operation")?;
        check.text(&exception.owner, "owner")?;
        check.text(&exception.reason, "reason")?;
        check.that(exception.selects <= 1, "selects")?;
        selector(check, &exception.selector)
    })?;
    check.each("networks", view.networks, |check, network| {
        check.that(network.bits <= 128, "more than 128 bits")
    })?;
    let check = Check { section: "attacks", record: 0, ..check };
    check.index(attacks.media_type.get(), view.media_types, "media_type")
}

fn settings(check: Check<'_, '_>) -> Result<(), OpenError> {
    let view = check.view;
    let check = Check { section: "attacks", record: 0, ..check };
    check.that(view.attacks.len() == 1, "more than one record")?;
    let Some(attacks) = view.attacks.first() else { return Ok(()) };
    check.that(Mode::from_code(attacks.mode).is_some(), "mode")?;
    check.that(Action::from_code(attacks.budget_end).is_some(), "budget_end")?;
    let unreadable = Action::from_code(attacks.unreadable_bodies);
    check.that(unreadable.is_some(), "unreadable_bodies")?;
    check.text(&attacks.response_types, "response_types")?;
    for (code, what) in
        [(attacks.response_larger, "response_larger"), (attacks.response_coded, "response_coded")]
    {
        check.that(Action::from_code(code).is_some(), what)?;
    }
    let words = usize::from(attacks.set_words);
    check.that(words > 0 && view.matchers.len() <= words * 64, "set_words")?;
    let sets = view.matcher_sets.len();
    check
        .that(sets.is_multiple_of(words) && sets >= words * FIXED_SETS as usize, "matcher_sets")?;
    check.set(attacks.enabled.get(), "enabled")?;
    check.set(attacks.monitored.get(), "monitored")?;
    check.that(view.byte_kinds.len() == 256, "byte_kinds")?;
    check.that(!view.steps.is_empty(), "no step")?;
    let parallel = |len: usize, to: usize| len == 0 || len == to;
    check.that(parallel(view.operation_rules.len(), view.operations.len()), "operation_rules")?;
    check.that(parallel(view.schema_rules.len(), view.schemas.len()), "schema_rules")?;
    check.that(parallel(view.parameter_rules.len(), view.parameters.len()), "parameter_rules")?;
    check.that(parallel(view.field_rules.len(), view.text_fields.len()), "field_rules")
}

fn rule(check: &Check<'_, '_>, rule: &Rule) -> Result<(), OpenError> {
    for (text, what) in
        [(&rule.id, "id"), (&rule.title, "title"), (&rule.tags, "tags"), (&rule.file, "file")]
    {
        check.text(text, what)?;
    }
    let count = u32::from(rule.matcher_count.get());
    check.that(count > 0, "no matcher")?;
    let own = check.run(rule.matchers.get(), count, check.view.matchers, "matchers")?;
    let sound = own.iter().all(|matcher| matcher.rule.get() as usize == check.record);
    check.that(sound, "a matcher is another rule's")
}

fn matcher(check: &Check<'_, '_>, matcher: &Matcher) -> Result<(), OpenError> {
    let view = check.view;
    check.index(matcher.rule.get(), view.rules, "rule")?;
    check.index(matcher.step.get().into(), view.steps, "step")?;
    let selectors = u32::from(matcher.selector_count.get()) + u32::from(matcher.except_count.get());
    check.run(matcher.selectors.get(), selectors, view.selectors, "selectors")?;
    let (argument, count) = (matcher.argument.get(), matcher.argument_count.get());
    match Operator::from_code(matcher.operator) {
        Some(Operator::Automaton) => check.index(argument, view.automata, "automaton"),
        Some(Operator::Nfa) => check.index(argument, view.nfas, "nfa"),
        Some(Operator::Ip) => check.run(argument, count, view.networks, "networks").map(|_| ()),
        Some(Operator::BytesOutside) => check.index(argument, view.byte_sets, "bytes"),
        Some(Operator::Jwt) => check.index(argument, view.token_checks, "check"),
        Some(Operator::GraphQl) => check.index(argument, view.graphql_checks, "check"),
        Some(Operator::CountOver | Operator::Repeated) => {
            check.that(matcher.selector_count.get() == 1, "counts no target")
        }
        Some(_) => Ok(()),
        None => check.that(false, "operator"),
    }
}

fn selector(check: &Check<'_, '_>, selector: &Selector) -> Result<(), OpenError> {
    check.text(&selector.name, "name")?;
    check.that(Target::from_code(selector.target).is_some(), "target")
}

fn step(check: &Check<'_, '_>, step: &Step) -> Result<(), OpenError> {
    check.set(step.reach.get(), "reach")?;
    let parent = usize::from(step.parent.get());
    check.that(parent < check.record || check.record == 0, "a step comes before its parent")
}

/// Buckets ascend and hold every literal; a gram lies within its literal.
fn literals(check: Check<'_, '_>) -> Result<(), OpenError> {
    let view = check.view;
    let bits = view.attacks.first().map_or(0, |attacks| attacks.bucket_bits);
    let bucket = Check { section: "buckets", record: 0, ..check };
    if view.literals.is_empty() {
        return Ok(());
    }
    bucket.that(bits <= 15 && view.buckets.len() == (1 << bits) + 1, "bucket_bits")?;
    let mut last = 0;
    for begin in view.buckets {
        let begin = begin.value.get();
        bucket.that(begin >= last && begin as usize <= view.literals.len(), "do not ascend")?;
        last = begin;
    }
    let filter = Check { section: "gram_filter", record: 0, ..check };
    filter.that(view.gram_filter.len() == GRAM_FILTER, "length")?;
    check.each("literals", view.literals, |check, literal: &Literal| {
        let (len, at) = (literal.len.get(), literal.at.get());
        check.run(literal.bytes.get(), len.into(), view.literal_bytes, "bytes")?;
        let uses = u32::from(literal.use_count.get());
        check.run(literal.uses.get(), uses, view.literal_uses, "uses")?;
        check.that(len >= 2 && at < len, "a gram beyond its literal")
    })?;
    check.each("literal_uses", view.literal_uses, |check, matcher| {
        check.index(matcher.get().into(), view.matchers, "matcher")
    })
}

impl Check<'_, '_> {
    /// A set of matchers.
    fn set(&self, index: u16, what: &'static str) -> Result<(), OpenError> {
        let words = self.view.attacks.first().map_or(1, |attacks| usize::from(attacks.set_words));
        let end = (usize::from(index) + 1) * words;
        self.that(end <= self.view.matcher_sets.len(), what)
    }
}
