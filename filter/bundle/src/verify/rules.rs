//! Checks attack rules, their matchers, and the sets and literals by which they are found.

use super::Check;
use crate::error::OpenError;
use crate::layout::{
    Action, BESIDE_AFTER, BESIDE_BEFORE, CLASS_MAP, Capture, CaptureCode, FIXED_SETS, FOLLOWS,
    GRAM_MAP, HitMode, Link, Literal, Matcher, Mode, NONE, Naming, NarrowingKind, Operator,
    PieceKind, Relation, Rule, Selector, Step, Target,
};

/// Places that groups have, at most: two for each of ten.
const CAPTURE_SLOTS: u32 = 20;

/// Bytes of the filters of grams.
const GRAM_FILTER: usize = 2 * (GRAM_MAP + CLASS_MAP);

pub(super) fn verify(check: Check<'_, '_>) -> Result<(), OpenError> {
    let view = check.view;
    let Some(attacks) = view.attacks.first() else {
        return check.once("rules", |check| {
            let empty = view.rules.is_empty() && view.matchers.is_empty();
            check.that(empty, "rules without settings")
        });
    };
    check.once("attacks", |check| settings(*check))?;
    check.each("rules", view.rules, rule)?;
    check.each("matchers", view.matchers, matcher)?;
    check.each("selectors", view.selectors, selector)?;
    check.each("steps", view.steps, step)?;
    check.each("links", view.links, link)?;
    check.each("pieces", view.pieces, |check, piece| {
        check.text(&piece.text, "text")?;
        check.that(PieceKind::from_code(piece.kind).is_some(), "kind")
    })?;
    check.each("captures", view.captures, capture)?;
    check.each("removals", view.removals, |check, removal| {
        check.index(removal.rule.get(), view.rules, "rule")?;
        check.set(removal.matchers.get(), "matchers")?;
        let count = removal.selector_count.get().into();
        check.run(removal.selectors.get(), count, view.selectors, "selectors").map(|_| ())
    })?;
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
    check.once("attacks", |check| {
        check.index(attacks.media_type.get(), view.media_types, "media_type")
    })
}

fn settings(check: Check<'_, '_>) -> Result<(), OpenError> {
    let view = check.view;
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
    check.set(attacks.early.get(), "early")?;
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
    check.that(rule.severity <= 7, "severity")?;
    let count = u32::from(rule.matcher_count.get());
    check.that(count > 0, "no matcher")?;
    let own = check.run(rule.matchers.get(), count, check.view.matchers, "matchers")?;
    let sound = own.iter().all(|matcher| matcher.rule.get() as usize == check.record);
    check.that(sound, "a matcher is another rule's")?;
    let within = |it: &Matcher| it.condition < rule.conditions || it.condition == FOLLOWS;
    let all = (0..rule.conditions).all(|of| own.iter().any(|it| it.condition == of));
    check.that(rule.conditions > 0 && own.iter().all(within) && all, "conditions")
}

fn matcher(check: &Check<'_, '_>, matcher: &Matcher) -> Result<(), OpenError> {
    let view = check.view;
    check.index(matcher.rule.get(), view.rules, "rule")?;
    check.index(matcher.step.get().into(), view.steps, "step")?;
    let selectors = u32::from(matcher.selector_count.get()) + u32::from(matcher.except_count.get());
    check.run(matcher.selectors.get(), selectors, view.selectors, "selectors")?;
    if matcher.then.get() != NONE {
        check.index(matcher.then.get(), view.links, "then")?;
    }
    if matcher.captures.get() != NONE {
        check.index(matcher.captures.get(), view.captures, "captures")?;
    }
    check.that(Relation::from_code(matcher.relation).is_some(), "relation")?;
    let (argument, count) = (matcher.argument.get(), matcher.argument_count.get());
    match Operator::from_code(matcher.operator) {
        Some(Operator::Automaton) => check.index(argument, view.automata, "automaton"),
        Some(Operator::Nfa) => check.index(argument, view.nfas, "nfa"),
        Some(Operator::Ip) => check.run(argument, count, view.networks, "networks").map(|_| ()),
        Some(Operator::BytesOutside) => check.index(argument, view.byte_sets, "bytes"),
        Some(Operator::Jwt) => check.index(argument, view.token_checks, "check"),
        Some(Operator::GraphQl) => check.index(argument, view.graphql_checks, "check"),
        Some(Operator::Text | Operator::CompareText) => {
            check.run(argument, count, view.pieces, "pieces").map(|_| ())
        }
        Some(Operator::CountOver | Operator::Repeated) => {
            check.that(matcher.selector_count.get() == 1, "counts no target")
        }
        Some(_) => Ok(()),
        None => check.that(false, "operator"),
    }
}

fn selector(check: &Check<'_, '_>, selector: &Selector) -> Result<(), OpenError> {
    check.text(&selector.name, "name")?;
    match Naming::from_code(selector.naming) {
        Some(Naming::Regex) => {
            check.index(selector.automaton.get(), check.view.automata, "automaton")?;
        }
        Some(_) => {}
        None => check.that(false, "naming")?,
    }
    check.that(Target::from_code(selector.target).is_some(), "target")
}

/// A matcher that follows comes after all that lead to it, so that every chain ends.
fn link(check: &Check<'_, '_>, link: &Link) -> Result<(), OpenError> {
    let view = check.view;
    let pieces = link.piece_count.get().into();
    check.run(link.pieces.get(), pieces, view.pieces, "pieces")?;
    check.index(link.matcher.get(), view.matchers, "matcher")?;
    let next = view.matchers.get(link.matcher.get() as usize).map_or(NONE, |it| it.then.get());
    check.that(next == NONE || next as usize > check.record, "a link leads back")
}

fn capture(check: &Check<'_, '_>, capture: &Capture) -> Result<(), OpenError> {
    let count = capture.count.get();
    check.that(count > 0, "no instruction")?;
    let steps = check.run(capture.first.get(), count, check.view.capture_steps, "steps")?;
    let sound = steps.iter().all(|step| match CaptureCode::from_code(step.code) {
        Some(CaptureCode::Split) => step.next.get() < count && step.other.get() < count,
        Some(CaptureCode::Save) => step.next.get() < count && step.other.get() < CAPTURE_SLOTS,
        Some(CaptureCode::Byte | CaptureCode::Assert) => step.next.get() < count,
        Some(CaptureCode::Match | CaptureCode::Fail) => true,
        None => false,
    });
    check.that(sound, "instructions")
}

fn step(check: &Check<'_, '_>, step: &Step) -> Result<(), OpenError> {
    check.set(step.reach.get(), "reach")?;
    check.set(step.plain_reach.get(), "plain_reach")?;
    let next = usize::from(step.next.get());
    check.that(next > check.record && next <= check.view.steps.len(), "next")?;
    let parent = usize::from(step.parent.get());
    check.that(parent < check.record || check.record == 0, "a step comes before its parent")
}

/// Buckets ascend and hold every literal; a gram lies within its literal.
fn literals(check: Check<'_, '_>) -> Result<(), OpenError> {
    let view = check.view;
    let bits = view.attacks.first().map_or(0, |attacks| attacks.bucket_bits);
    if view.literals.is_empty() {
        return Ok(());
    }
    check.once("buckets", |check| {
        check.that(bits <= 15 && view.buckets.len() == (1 << bits) + 1, "bucket_bits")?;
        check.spend(view.buckets.len());
        let mut last = 0;
        for begin in view.buckets {
            let begin = begin.value.get();
            check.that(begin >= last && begin as usize <= view.literals.len(), "do not ascend")?;
            last = begin;
        }
        Ok(())
    })?;
    check
        .once("gram_filter", |check| check.that(view.gram_filter.len() == GRAM_FILTER, "length"))?;
    check.each("literals", view.literals, |check, literal: &Literal| {
        let (len, at) = (literal.len.get(), literal.at.get());
        check.run(literal.bytes.get(), len.into(), view.literal_bytes, "bytes")?;
        let uses = u32::from(literal.use_count.get());
        check.run(literal.uses.get(), uses, view.literal_uses, "uses")?;
        let sides = [0, BESIDE_BEFORE, BESIDE_AFTER];
        check.that(sides.contains(&(literal.beside.get() & 0xFF00)), "beside")?;
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
