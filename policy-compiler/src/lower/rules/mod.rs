//! Lowers attack rules: to matchers with automata, the literals that propose them, and the sets of those that apply.
//!
//! In: rules of every front end in one form. Out: records. Rules above the policy's paranoia level are left out, and
//! so are those that are off everywhere.

mod automaton;
mod captures;
mod contract;
mod grams;
mod kinds;
mod links;
mod literals;
mod names;
pub(crate) mod narrow;
mod nfa;
mod pipeline;
mod plain;
pub(crate) mod regex;
mod removals;
mod sets;
mod tuning;

#[cfg(test)]
mod tests;

use super::operation::limits;
use super::pattern::Table;
use super::policy::{action, mode};
use super::tables::Tables;
use crate::diag::{Diagnostic, RULE_PATTERN, RULES_TOO_MANY, SECLANG_LEFT_OUT, Span};
use crate::ir::{AttackMode, Attacks, Matcher, Model, Operator, Rule, TargetName, Tuning};
use automaton::Automaton;
use kinds::Kinds;
use links::{compared, compared_texts};
use literals::{Bytes, Required, folded, required};
use names::{Names, names_arguments, names_values, selector, write_names};
use pipeline::Steps;
use plain::Plain;
use portcullis_bundle::layout::{
    self, BODY_ALL, MATCHER_AGAIN, MATCHER_NEGATED, MATCHER_OF_REQUEST, NONE, Operator as Code,
    RULE_OUTBOUND, RULE_SAME_VALUE, RULE_SILENT, Relation, Transformation,
};
use portcullis_engine::attack::transform::Transform;
use regex_syntax::hir::Hir;
use sets::Sets;
use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;
use tuning::{at_fields, is_on_somewhere, tuned};
use zerocopy::FromZeros;
use zerocopy::little_endian::U64;

/// Matchers of a bundle, at most: sets have at most 255 words.
const MAX_MATCHERS: usize = 255 * 64;

/// Sets of bytes of a bundle, at most: states of automata name them by 16 bits.
const MAX_BYTE_SETS: usize = 1 << 16;

/// A matcher on its way to a record.
struct Lowered<'m> {
    of: &'m Matcher,
    rule: u32,
    step: u16,
    code: Code,
    argument: u32,
    argument_count: u32,
    required: Required,
    plain: Plain,
    /// What plain texts must hold: see [`plain::kept_bytes`].
    plain_needs: Vec<Bytes>,
    /// The automaton of what it asks, where that is one.
    asked: Option<Rc<Automaton>>,
    relation: Relation,
    /// Which condition of the rule it is an alternative of; `FOLLOWS` for none.
    condition: u8,
    /// Index into links of what follows on it; `NONE` for nothing.
    then: u32,
    /// Index into captures; `NONE` for none.
    captures: u32,
}

impl Lowered<'_> {
    /// Whether it can hold only where one of its literals occurs.
    fn is_proposed(&self) -> bool {
        self.required.is_known_by_literals() && !self.of.negated
    }

    /// Whether it asks the same as another one, of the same values after other transformations.
    fn asks_again(&self, other: &Lowered<'_>) -> bool {
        let asked =
            |it: &Lowered<'_>| (it.rule, it.condition, it.code, it.argument, it.argument_count);
        let counts = matches!(self.code, Code::Count | Code::SameName);
        asked(self) == asked(other)
            && !counts
            && (self.relation, self.of.negated) == (other.relation, other.of.negated)
            && (&self.of.targets, &self.of.except) == (&other.of.targets, &other.of.except)
            && [self, other].iter().all(|it| it.then == NONE && it.captures == NONE)
    }

    /// Bytes of the shortest text that it can match, at least.
    fn shortest(&self) -> u32 {
        let asked = self.asked.as_ref().filter(|_| !self.of.negated);
        asked.map_or(0, |automaton| automaton.shortest()).min(u16::MAX.into())
    }

    /// The kinds of each of which a text must hold a byte.
    fn needs(&self, kinds: &Kinds) -> u64 {
        let bits = self.required.bytes.iter().filter_map(|set| kinds.bit(set));
        bits.fold(0, |needs, bit| needs | bit)
    }
}

/// Writes the rules of a model. `operations` says of each operation of the bundle which of the model it is.
pub fn write(
    tables: &mut Tables<'_>,
    model: &Model,
    patterns: &[Table],
    operations: &[(usize, usize)],
) -> Vec<Diagnostic> {
    let Some(attacks) = &model.attacks else { return Vec::new() };
    let mut diagnostics = Vec::new();
    let mut left_out = Vec::new();
    let mut steps = Steps::default();
    let mut matchers: Vec<Lowered<'_>> = Vec::new();
    let mut automata = Automata::default();
    let mut rules: Vec<&Rule> = Vec::new();
    // By rule of the model: which of the bundle it is.
    let mut index_of = vec![None; attacks.rules.len()];
    for (at, rule) in attacks.rules.iter().enumerate() {
        if !counts(attacks, model, rule) {
            continue;
        }
        let (index, first) = (rules.len() as u32, matchers.len());
        let mut writer = Writer { tables, steps: &mut steps, automata: &mut automata };
        match writer.lower_rule(rule, index, first) {
            Ok((lowered, conditions)) => {
                let count = lowered.len() as u32;
                matchers.extend(lowered);
                let record = rule_record(tables, rule, (first as u32, count), conditions);
                tables.sections.rules.push(record);
                rules.push(rule);
                index_of[at] = Some(index);
            }
            Err((of, reason)) if rule.lenient => left_out.push(lenient(rule, of, &reason)),
            Err((of, reason)) => diagnostics.push(unsupported(rule, of, &reason)),
        }
    }
    if tables.sections.byte_sets.len() > MAX_BYTE_SETS {
        let title = "the expressions of the rules tell too many sets of bytes apart";
        let help = format!("a bundle holds {MAX_BYTE_SETS}");
        diagnostics.push(Diagnostic::new(RULES_TOO_MANY, title).help(help));
    }
    if matchers.len() > MAX_MATCHERS {
        let title = format!("the rules have {} conditions together", matchers.len());
        let help = format!("a bundle holds {MAX_MATCHERS}");
        diagnostics.push(Diagnostic::new(RULES_TOO_MANY, title).help(help));
    }
    if !diagnostics.is_empty() {
        tables.sections.rules.clear();
        return diagnostics;
    }
    let names = match write_names(tables, &matchers, &attacks.removals) {
        Ok(names) => names,
        Err(why) => {
            let title = format!("a variable's expression cannot be compiled: {why}");
            diagnostics.push(Diagnostic::new(RULE_PATTERN, title));
            tables.sections.rules.clear();
            return diagnostics;
        }
    };
    let index = steps.sort();
    matchers.iter_mut().for_each(|matcher| matcher.step = index[usize::from(matcher.step)]);
    let mut writer = Sets::new(tables, &matchers, &rules, names);
    let kinds = choose_kinds(&steps, &matchers);
    writer.targets();
    let key_kinds = writer.kinds(&kinds);
    write_matchers(writer.tables, &matchers, &kinds, &writer.names);
    writer.steps(&steps, &kinds);
    let (enabled, monitored) = (writer.enabled(&attacks.tuning), writer.monitored(&attacks.tuning));
    writer.operations(model, attacks, operations);
    writer.exceptions(model, attacks, operations);
    let early = writer.removals(attacks, &index_of);
    writer.schemas(patterns);
    let words = writer.words;
    let joins = rules.iter().any(|rule| looks_outbound(rule) && looks_inbound(rule));
    let bits = write_literals(tables, &matchers);
    tables.sections.byte_kinds = kinds.table();
    let media_type = tables.sections.media_types.len() as u32;
    tables.sections.media_types.push(any_media_type());
    let response_types = tables.text(&attacks.response_body.media_types.join(" "));
    let names_arguments = names_arguments(&matchers, &attacks.removals);
    let names_values = names_values(&tables.sections);
    tables.sections.attacks.push(layout::Attacks {
        early: early.into(),
        names_arguments: names_arguments.into(),
        names_values: names_values.into(),
        threshold_inbound: attacks.inbound.into(),
        threshold_outbound: attacks.outbound.into(),
        budget: attacks.budget.into(),
        raw_body: attacks.raw_body.into(),
        response_body: attacks.response_body.limit.into(),
        response_types,
        response_larger: action(attacks.response_body.larger).code(),
        response_coded: action(attacks.response_body.coded).code(),
        response_identity: attacks.response_body.identity.into(),
        response_joins: joins.into(),
        mode: mode(attacks.mode.into()).code(),
        budget_end: action(attacks.budget_end).code(),
        unreadable_bodies: action(attacks.unreadable_bodies).code(),
        triggers: kinds.triggers(&steps).into(),
        key_kinds: key_kinds.into(),
        marks: kinds.bit(&plain::marks()).unwrap_or(0).into(),
        set_words: words as u8,
        bucket_bits: bits,
        media_type: media_type.into(),
        limits: limits(&model.policy.settings.limits),
        enabled: enabled.into(),
        monitored: monitored.into(),
    });
    diagnostics.extend(left_out);
    diagnostics
}

/// What is said of a rule that cannot be compiled and is left out.
fn lenient(rule: &Rule, of: &Matcher, reason: &str) -> Diagnostic {
    let title = format!("rule {} is left out: {reason}", rule.id);
    let help = "it is not in the bundle; CRS.md says what is supported";
    Diagnostic::new(SECLANG_LEFT_OUT, title).at(Span::word(&rule.file, of.line, 1)).help(help)
}

/// Whether a rule's level is wanted, and whether it looks anywhere.
fn counts(attacks: &Attacks, model: &Model, rule: &Rule) -> bool {
    let on =
        |tuning: &[Tuning]| tuned(tuning, rule) != AttackMode::Off || is_on_somewhere(tuning, rule);
    (rule.lenient || rule.paranoia <= attacks.paranoia)
        && (on(&attacks.tuning)
            || model.operations().any(|(_, operation)| on(&operation.settings.attacks.tuning)))
}

fn unsupported(rule: &Rule, of: &Matcher, reason: &str) -> Diagnostic {
    let title = format!("the regular expression of `{}` cannot be compiled: {reason}", rule.id);
    Diagnostic::new(RULE_PATTERN, title).at(Span::word(&rule.file, of.line, 1))
}

fn rule_record(
    tables: &mut Tables<'_>,
    rule: &Rule,
    (first, count): (u32, u32),
    conditions: u8,
) -> layout::Rule {
    let flags = [
        (RULE_SAME_VALUE, rule.same_value),
        (RULE_OUTBOUND, looks_outbound(rule)),
        (RULE_SILENT, rule.silent),
    ];
    layout::Rule {
        id: tables.text(&rule.id),
        title: tables.text(&rule.title),
        tags: tables.text(&rule.tags.join(" ")),
        file: tables.text(&rule.file),
        line: rule.line.into(),
        matchers: first.into(),
        matcher_count: (count as u16).into(),
        score: rule.score.into(),
        paranoia: rule.paranoia,
        flags: flags.iter().filter(|(_, set)| *set).fold(0, |flags, (bit, _)| flags | bit),
        conditions,
        severity: rule.severity,
    }
}

fn looks_inbound(rule: &Rule) -> bool {
    rule.conditions.iter().flat_map(|it| &it.targets).any(|it| !it.is_outbound())
}

fn looks_outbound(rule: &Rule) -> bool {
    rule.conditions.iter().flat_map(|it| &it.targets).any(TargetName::is_outbound)
}

/// What an expression has become: the operator that runs it, its index, and the automaton.
type Written = (Code, u32, Rc<Automaton>);

/// Automata that are there already.
#[derive(Default)]
struct Automata {
    /// By expression, and whether capital letters are read as small ones.
    by_text: HashMap<(String, bool), Written>,
    /// Expressions that differ may come to the same.
    all: HashMap<Rc<Automaton>, Written>,
}

/// Lowers matchers, and writes what they are given.
struct Writer<'t, 'm> {
    tables: &'t mut Tables<'m>,
    steps: &'t mut Steps,
    automata: &'t mut Automata,
}

impl Writer<'_, '_> {
    fn lower<'m>(
        &mut self,
        of: &'m Matcher,
        rule: u32,
        follows: bool,
    ) -> Result<Lowered<'m>, String> {
        let (pipeline, caseless) = pipeline::split(&of.transform);
        // What does not come as an automaton or a literal must see the letters as they become, and so must what follows.
        let is_last = of.then.is_none();
        let folds = is_last && matches!(of.operator, Operator::Regex(_) | Operator::AnyOf(_));
        let caseless = caseless && folds;
        let step = self.steps.of(if folds { &pipeline } else { &of.transform });
        let mut relation = Relation::Equal;
        let text = match &of.operator {
            Operator::Text(_, text) | Operator::CompareText(_, text) => self.pieces(text),
            _ => (0, 0),
        };
        let sections = &mut self.tables.sections;
        let mut needed = Required::default();
        let mut asked = None;
        let mut expression = None;
        let (code, argument, argument_count) = match &of.operator {
            Operator::Regex(pattern) => {
                let hir = regex::parse(pattern)?;
                needed = required(&hir);
                let (code, index, automaton) = self.automaton(pattern, &hir, caseless)?;
                asked = Some(automaton);
                expression = Some(hir);
                (code, index, 0)
            }
            // No literals are looked up in what follows.
            Operator::AnyOf(texts) if follows => {
                let escaped: Vec<String> =
                    texts.iter().map(|text| regex_syntax::escape(text)).collect();
                let pattern = format!("(?i-u:{})", escaped.join("|"));
                let hir = regex::parse(&pattern)?;
                let (code, index, _) = self.automaton(&pattern, &hir, caseless)?;
                (code, index, 0)
            }
            Operator::AnyOf(texts) => {
                needed.literals = texts.iter().map(|text| text.clone().into_bytes()).collect();
                let escaped: Vec<String> =
                    texts.iter().map(|text| regex_syntax::escape(text)).collect();
                let pattern = format!("(?i-u:{})", escaped.join("|"));
                let automaton =
                    regex::parse(&pattern).and_then(|hir| Automaton::build(&hir, false));
                asked = automaton.ok().map(Rc::new);
                (Code::AnyOf, 0, 0)
            }
            Operator::LongerThan(count) => (Code::LongerThan, *count, 0),
            Operator::NumberOver(number) => (Code::NumberOver, *number, 0),
            Operator::NumberUnder(number) => (Code::NumberUnder, *number, 0),
            Operator::NumberIs(number) => (Code::NumberIs, *number, 0),
            Operator::Ip(networks) => {
                let first = sections.networks.len() as u32;
                let record = |(address, bits): &([u8; 16], u8)| layout::Network {
                    address: *address,
                    bits: *bits,
                    reserved: [0; 3],
                };
                sections.networks.extend(networks.iter().map(record));
                (Code::Ip, first, networks.len() as u32)
            }
            Operator::BytesOutside(set) => {
                sections.byte_sets.push(layout::ByteSet { words: set.map(U64::from) });
                (Code::BytesOutside, sections.byte_sets.len() as u32 - 1, 0)
            }
            Operator::InvalidUtf8 => {
                needed.bytes.push(folded(0x80..=0xFF));
                (Code::InvalidUtf8, 0, 0)
            }
            Operator::InvalidPercent => {
                needed.bytes.push(folded(*b"%"));
                (Code::InvalidPercent, 0, 0)
            }
            Operator::Sql => (Code::Sql, 0, 0),
            Operator::Xss => (Code::Xss, 0, 0),
            Operator::CardNumber { grouped } => {
                needed.bytes.push(folded(b'0'..=b'9'));
                (Code::CardNumber, u32::from(*grouped), 0)
            }
            Operator::Jwt { flags, longer_than } => {
                needed.bytes.push(folded(*b"."));
                sections.token_checks.push(layout::TokenCheck {
                    max_len: longer_than.unwrap_or(NONE).into(),
                    flags: *flags,
                    reserved: [0; 3],
                });
                (Code::Jwt, sections.token_checks.len() as u32 - 1, 0)
            }
            Operator::GraphQl { flags, depth, aliases, fields, directives, batch } => {
                if *flags & layout::GRAPHQL_MALFORMED == 0 {
                    needed.bytes.push(folded(*b"{"));
                }
                let bound = |bound: &Option<u32>| bound.unwrap_or(NONE).into();
                sections.graphql_checks.push(layout::GraphQlCheck {
                    depth: bound(depth),
                    aliases: bound(aliases),
                    fields: bound(fields),
                    directives: bound(directives),
                    batch: bound(batch),
                    flags: *flags,
                    reserved: [0; 3],
                });
                (Code::GraphQl, sections.graphql_checks.len() as u32 - 1, 0)
            }
            Operator::CountOver { count, .. } => (Code::CountOver, *count, 0),
            Operator::Repeated { .. } => (Code::Repeated, 0, 0),
            Operator::Compare(of, number) => {
                relation = compared(*of);
                (Code::Compare, number.cast_unsigned(), 0)
            }
            Operator::Count(of, number) => {
                relation = compared(*of);
                (Code::Count, *number, 0)
            }
            Operator::SameName(of, number) => {
                relation = compared(*of);
                (Code::SameName, *number, 0)
            }
            Operator::Text(of, _) => {
                relation = compared_texts(*of);
                (Code::Text, text.0, text.1)
            }
            Operator::CompareText(of, _) => {
                relation = compared(*of);
                (Code::CompareText, text.0, text.1)
            }
            Operator::Always => (Code::Always, 0, 0),
        };
        if of.negated {
            needed.bytes.clear();
            needed.instead = None;
            if code != Code::AnyOf {
                needed.literals.clear();
            }
        }
        let expression = expression.filter(|_| !of.negated);
        let plain_needs = expression.as_ref().map(plain::kept_bytes).unwrap_or_default();
        let plain = match expression {
            Some(hir) => Plain::of_expression(&hir, &needed),
            None if of.negated => Plain::Keyed(needed.literals.clone()),
            None => Plain::of_needs(&needed),
        };
        let (condition, then, captures) = (0, NONE, NONE);
        let required = needed;
        Ok(Lowered {
            of,
            rule,
            step,
            code,
            argument,
            argument_count,
            required,
            plain,
            plain_needs,
            asked,
            relation,
            condition,
            then,
            captures,
        })
    }

    fn automaton(&mut self, pattern: &str, hir: &Hir, caseless: bool) -> Result<Written, String> {
        let key = (pattern.to_owned(), caseless);
        if let Some(known) = self.automata.by_text.get(&key) {
            return Ok(known.clone());
        }
        let automaton = Rc::new(Automaton::build(hir, caseless)?);
        let tables = &mut *self.tables;
        let written = self.automata.all.entry(Rc::clone(&automaton)).or_insert_with(|| {
            let (code, index) = automaton.write(tables);
            (code, index, automaton)
        });
        self.automata.by_text.insert(key, written.clone());
        Ok(written.clone())
    }
}

/// The bits of bytes: what triggers transformations, and what matchers need.
fn choose_kinds(steps: &Steps, matchers: &[Lowered<'_>]) -> Kinds {
    let triggers = steps.steps.iter().filter_map(|(_, step)| *step).map(triggers);
    let keys = matchers.iter().filter_map(|matcher| matcher.required.key());
    let plain = matchers.iter().filter(|it| it.step != 0 && it.plain != Plain::Never);
    let plain_needs = plain.flat_map(|matcher| matcher.plain_needs.iter().copied());
    let needs = matchers.iter().flat_map(|matcher| matcher.required.bytes.iter().copied());
    Kinds::choose(triggers.chain([plain::marks()]), keys, plain_needs, needs)
}

fn triggers(step: Transformation) -> Bytes {
    step.triggers().words()
}

/// Writes the records of matchers and their selectors.
fn write_matchers(tables: &mut Tables<'_>, matchers: &[Lowered<'_>], kinds: &Kinds, names: &Names) {
    let mut before = None;
    for matcher in matchers {
        let first = tables.sections.selectors.len() as u32;
        let mut selectors: Vec<layout::Selector> = Vec::new();
        let counted = match matcher.of.operator {
            Operator::CountOver { of, .. } | Operator::Repeated { of } => Some(of),
            _ => None,
        };
        if let Some(target) = counted {
            selectors.push(selector(tables, &TargetName::new(target, None), names));
        } else if matcher.of.targets.iter().any(|it| it.name.is_some() || it.bodies != BODY_ALL) {
            selectors.extend(matcher.of.targets.iter().map(|it| selector(tables, it, names)));
        }
        let count = selectors.len();
        selectors.extend(matcher.of.except.iter().map(|it| selector(tables, it, names)));
        tables.sections.matchers.push(layout::Matcher {
            rule: matcher.rule.into(),
            argument: matcher.argument.into(),
            argument_count: matcher.argument_count.into(),
            selectors: first.into(),
            needs: matcher.needs(kinds).into(),
            selector_count: (count as u16).into(),
            except_count: ((selectors.len() - count) as u16).into(),
            step: matcher.step.into(),
            operator: matcher.code.code(),
            flags: flags(matcher, before.replace(matcher)),
            then: matcher.then.into(),
            captures: matcher.captures.into(),
            condition: matcher.condition,
            relation: matcher.relation.code(),
            reserved: 0.into(),
        });
        tables.sections.selectors.extend(selectors);
    }
}

fn flags(matcher: &Lowered<'_>, before: Option<&Lowered<'_>>) -> u8 {
    let of = matcher.of;
    let all = [
        (MATCHER_NEGATED, of.negated),
        (MATCHER_OF_REQUEST, links::asks_request(of)),
        (MATCHER_AGAIN, before.is_some_and(|before| matcher.asks_again(before))),
    ];
    all.iter().filter(|(_, set)| *set).fold(0, |flags, (bit, _)| flags | bit)
}

/// Writes the literals that propose matchers.
fn write_literals(tables: &mut Tables<'_>, matchers: &[Lowered<'_>]) -> u8 {
    let mut uses: BTreeMap<Vec<u8>, grams::Uses> = BTreeMap::new();
    for (index, matcher) in matchers.iter().enumerate() {
        for literal in &matcher.required.literals {
            uses.entry(literal.clone()).or_default().all.push(index as u16);
        }
        for literal in matcher.plain.literals() {
            uses.entry(literal.clone()).or_default().plain.push(index as u16);
        }
    }
    grams::write(tables, uses)
}

/// The media type by which bodies are read that no document declares.
fn any_media_type() -> layout::MediaType {
    layout::MediaType {
        schema: layout::SCHEMA_ANY.into(),
        origin: NONE.into(),
        xml: NONE.into(),
        value: 0.into(),
        ..layout::MediaType::new_zeroed()
    }
}
