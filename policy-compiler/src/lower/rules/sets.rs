//! Sets of matchers: those that every bundle has, those of the policy and of its operations, those of schemas.

use super::contract::Contract;
use super::kinds::Kinds;
use super::names::{Names, selector};
use super::pipeline::Steps;
use super::plain::{self, Plain};
use super::{Lowered, at_fields, is_on_somewhere, triggers, tuned};
use crate::ir::{AttackMode, Attacks, Exception, Model, Operator, Rule, TargetName, Tuning};
use crate::lower::pattern::Table;
use crate::lower::policy::mode;
use crate::lower::tables::Tables;
use portcullis_bundle::layout::{
    self, BODY_ALL, BODY_JSON, FIXED_SETS, HitMode, NONE, TARGETS, Target, Transformation,
    UNPROPOSED,
};
use portcullis_engine::attack::transform::Transform;
use std::collections::HashMap;
use zerocopy::FromZeros;
use zerocopy::little_endian::U64;

/// Writes sets of matchers, each once.
pub(super) struct Sets<'t, 'm, 'l> {
    pub(super) tables: &'t mut Tables<'m>,
    pub(super) matchers: &'l [Lowered<'l>],
    pub(super) rules: &'l [&'l Rule],
    pub(super) names: Names,
    pub(super) words: usize,
    known: HashMap<Vec<u64>, u16>,
}

impl<'t, 'm, 'l> Sets<'t, 'm, 'l> {
    pub(super) fn new(
        tables: &'t mut Tables<'m>,
        matchers: &'l [Lowered<'l>],
        rules: &'l [&'l Rule],
        names: Names,
    ) -> Self {
        let words = matchers.len().div_ceil(64).max(1);
        Sets { tables, matchers, rules, names, words, known: HashMap::new() }
    }

    /// The bits of the matchers that are meant.
    pub(super) fn bits(&self, is: impl Fn(&Lowered<'_>) -> bool) -> Vec<u64> {
        let mut bits = vec![0; self.words];
        for (index, _) in self.matchers.iter().enumerate().filter(|(_, matcher)| is(matcher)) {
            bits[index / 64] |= 1 << (index % 64);
        }
        bits
    }

    /// Appends a set, whether it is there already or not.
    pub(super) fn push(&mut self, bits: Vec<u64>) -> u16 {
        let sets = &mut self.tables.sections.matcher_sets;
        let index = (sets.len() / self.words) as u16;
        sets.extend(bits.iter().map(|word| U64::from(*word)));
        self.known.entry(bits).or_insert(index);
        index
    }

    /// The index of a set.
    pub(super) fn of(&mut self, is: impl Fn(&Lowered<'_>) -> bool) -> u16 {
        let bits = self.bits(is);
        match self.known.get(&bits) {
            Some(known) => *known,
            None => self.push(bits),
        }
    }

    /// The first fixed sets: by target.
    pub(super) fn targets(&mut self) {
        for code in 0..TARGETS {
            let is = |target: &TargetName| u32::from(target.target.code()) == code;
            let bits = self.bits(|matcher| matcher.of.targets.iter().any(is));
            self.push(bits);
        }
        debug_assert_eq!(self.tables.sections.matcher_sets.len(), self.words * UNPROPOSED as usize);
    }

    /// The other fixed sets: what is proposed by no literal and no kind of byte, then what each kind proposes. Gives
    /// the kinds that propose something.
    pub(super) fn kinds(&mut self, kinds: &Kinds) -> u64 {
        let key = |it: &Lowered<'_>| it.required.key().and_then(|set| kinds.bit(&set));
        let bits = self.bits(|it| !it.is_proposed() && key(it).is_none());
        self.push(bits);
        let mut used = 0;
        for kind in 0..64 {
            let bits = self.bits(|matcher| key(matcher) == Some(1 << kind));
            used |= u64::from(bits.iter().any(|word| *word != 0)) << kind;
            self.push(bits);
        }
        let bits = self.bits(|matcher| self.comes_last(matcher));
        self.push(bits);
        let proposed = self.bits(|it| !it.required.literals.is_empty());
        let plain = self.bits(|it| it.plain != Plain::Never);
        let plain_keyed = self.bits(|it| matches!(it.plain, Plain::Keyed(_)));
        let plain_proposed = self.bits(|it| !it.plain.literals().is_empty());
        let is_body = |it: &TargetName| it.target == Target::Body && it.bodies & BODY_JSON != 0;
        let all_values = self.bits(|it| {
            it.of.targets.iter().any(|it| is_body(it) && it.name.is_none())
                && !it.of.except.iter().any(is_body)
        });
        for bits in [proposed, plain, plain_keyed, plain_proposed, all_values] {
            self.push(bits);
        }
        for code in 0..TARGETS {
            let is = |it: &TargetName| u32::from(it.target.code()) == code;
            let is_whole = |it: &TargetName| is(it) && it.name.is_none() && it.bodies == BODY_ALL;
            let bits =
                self.bits(|it| it.of.targets.iter().any(is_whole) && !it.of.except.iter().any(is));
            self.push(bits);
        }
        debug_assert_eq!(self.tables.sections.matcher_sets.len(), self.words * FIXED_SETS as usize);
        used
    }

    /// Whether a matcher is costly, and has others beside it that must hold of the same value.
    fn comes_last(&self, matcher: &Lowered<'_>) -> bool {
        let rule = self.rules[matcher.rule as usize];
        let is_costly = |operator: &Operator| matches!(operator, Operator::Sql | Operator::Xss);
        rule.same_value
            && is_costly(&matcher.of.operator)
            && rule.conditions.iter().any(|it| !is_costly(&it.operator))
    }

    pub(super) fn steps(&mut self, steps: &Steps, kinds: &Kinds) {
        for (index, (parent, step)) in steps.steps.iter().enumerate() {
            let reach = self.of(|matcher| steps.leads_to(index as u16, matcher.step));
            let makes_marks = |matcher: &Lowered<'_>| {
                steps.between(index as u16, matcher.step).any(plain::makes_marks)
            };
            let reaches_plain = |matcher: &Lowered<'_>| {
                steps.leads_to(index as u16, matcher.step)
                    && (matcher.plain != Plain::Never || makes_marks(matcher))
            };
            let plain_reach = self.of(reaches_plain);
            let asked = |matcher: &Lowered<'_>| {
                let bits = matcher.plain_needs.iter().filter_map(|set| kinds.covering(set)).min();
                let bits = bits.map(|(_, bit)| bit);
                bits.filter(|_| !makes_marks(matcher)).unwrap_or(u64::MAX)
            };
            let plain_needs = self.matchers.iter().filter(|it| reaches_plain(it)).map(asked);
            let plain_needs = plain_needs.fold(0, |all, bits| all | bits);
            let bits = |step: &Option<Transformation>| {
                step.and_then(|step| kinds.bit(&triggers(step))).unwrap_or(0)
            };
            let next = steps.after(index as u16);
            let all = steps.steps[index..usize::from(next)].iter();
            self.tables.sections.steps.push(layout::Step {
                triggers: bits(step).into(),
                all_triggers: all.fold(0, |all, (_, step)| all | bits(step)).into(),
                next: next.into(),
                parent: (*parent).into(),
                reach: reach.into(),
                plain_reach: plain_reach.into(),
                plain_needs: plain_needs.into(),
                shortest: self.shortest(steps, index as u16).into(),
                transformation: step.map_or(0, Transformation::code),
                reserved: 0,
            });
        }
    }

    /// Bytes of the shortest text of which a step, or what follows on it, makes one that any matcher matches.
    fn shortest(&self, steps: &Steps, step: u16) -> u16 {
        let reached = self.matchers.iter().filter(|it| steps.leads_to(step, it.step));
        let needed = reached.map(|matcher| {
            // What is done last comes first.
            steps.between(step, matcher.step).fold(matcher.shortest(), |len, it| match it {
                Transformation::Base64Decode | Transformation::Base64DecodeExt => len * 4 / 3,
                it if it.bound(len as usize) > len as usize => 0,
                _ => len,
            })
        });
        needed.min().unwrap_or(0).min(u16::MAX.into()) as u16
    }

    fn mode(&self, tuning: &[Tuning], matcher: &Lowered<'_>) -> AttackMode {
        tuned(tuning, self.rules[matcher.rule as usize])
    }

    pub(super) fn enabled(&mut self, tuning: &[Tuning]) -> u16 {
        let is_on = |it: &Lowered<'_>| {
            self.mode(tuning, it) != AttackMode::Off
                || is_on_somewhere(tuning, self.rules[it.rule as usize])
        };
        let on: Vec<bool> = self.matchers.iter().map(is_on).collect();
        self.of_each(|index| on[index])
    }

    pub(super) fn monitored(&mut self, tuning: &[Tuning]) -> u16 {
        let modes: Vec<_> = self.matchers.iter().map(|it| self.mode(tuning, it)).collect();
        self.of_each(|index| modes[index] == AttackMode::Monitor)
    }

    /// What hits on some values do, for the requests of an operation; `NONE` for all others.
    fn field_modes(&mut self, tuning: &[Tuning], operation: u32) {
        if tuning.iter().all(|it| it.at.is_none()) {
            return;
        }
        let rules = self.rules;
        // What looks at some values only does so first.
        let only = self.of(|matcher| {
            let rule = rules[matcher.rule as usize];
            tuned(tuning, rule) == AttackMode::Off && is_on_somewhere(tuning, rule)
        });
        self.field_mode(None, operation, (only, AttackMode::Off));
        for entry in tuning.iter().filter(|entry| entry.at.is_some()) {
            let matchers = self.of(|matcher| {
                let rule = rules[matcher.rule as usize];
                at_fields(tuning, rule).any(|it| std::ptr::eq(it, entry))
            });
            self.field_mode(entry.at.as_ref(), operation, (matchers, entry.mode));
        }
    }

    fn field_mode(
        &mut self,
        at: Option<&TargetName>,
        operation: u32,
        (matchers, mode): (u16, AttackMode),
    ) {
        let selector = at.map(|at| selector(self.tables, at, &self.names));
        let mode = match mode {
            AttackMode::Enforce => HitMode::Enforce,
            AttackMode::Monitor => HitMode::Monitor,
            AttackMode::Off => HitMode::Off,
        };
        self.tables.sections.field_modes.push(layout::FieldMode {
            selector: selector.unwrap_or(layout::Selector::new_zeroed()),
            operation: operation.into(),
            matchers: matchers.into(),
            selects: selector.is_some().into(),
            mode: mode.code(),
        });
    }

    pub(super) fn of_each(&mut self, is: impl Fn(usize) -> bool) -> u16 {
        let mut bits = vec![0; self.words];
        for index in (0..self.matchers.len()).filter(|index| is(*index)) {
            bits[index / 64] |= 1 << (index % 64);
        }
        match self.known.get(&bits) {
            Some(known) => *known,
            None => self.push(bits),
        }
    }

    /// What the policy says of rules by operation, where it says something of its own.
    pub(super) fn operations(
        &mut self,
        model: &Model,
        attacks: &Attacks,
        operations: &[(usize, usize)],
    ) {
        self.field_modes(&attacks.tuning, NONE);
        let settings = |(api, operation): &(usize, usize)| {
            &model.apis[*api].operations[*operation].settings.attacks
        };
        let is_plain = |place| {
            let own = settings(place);
            own.mode == attacks.mode && own.tuning == attacks.tuning
        };
        if operations.iter().all(is_plain) {
            return;
        }
        for (index, place) in (0..).zip(operations) {
            let own = settings(place);
            self.field_modes(&own.tuning, index);
            let record = layout::OperationRules {
                enabled: self.enabled(&own.tuning).into(),
                monitored: self.monitored(&own.tuning).into(),
                mode: mode(own.mode.into()).code(),
                off: (own.mode == AttackMode::Off).into(),
                reserved: 0.into(),
            };
            self.tables.sections.operation_rules.push(record);
        }
    }

    /// For each schema the matchers that its values can meet.
    pub(super) fn schemas(&mut self, patterns: &[Table]) {
        let asked = self.matchers.iter().map(|matcher| matcher.asked.clone()).collect();
        let mut contract = Contract::new(self.matchers, asked);
        for can in contract.by_schema(self.tables, patterns) {
            let set = self.of_each(|index| can[index]);
            self.tables.sections.schema_rules.push(set.into());
        }
        for can in contract.by_parameter(self.tables, patterns) {
            let set = self.of_each(|index| can[index]);
            self.tables.sections.parameter_rules.push(set.into());
        }
        for can in contract.by_field(self.tables, patterns) {
            let set = self.of_each(|index| can[index]);
            self.tables.sections.field_rules.push(set.into());
        }
        for (narrow, left) in contract.statements() {
            let set = self.of_each(|index| left[index]);
            self.tables.sections.narrowings.push(layout::Narrowing {
                index: narrow.index.into(),
                matchers: set.into(),
                kind: narrow.kind.code(),
                reserved: 0,
            });
        }
    }

    pub(super) fn exceptions(
        &mut self,
        model: &Model,
        attacks: &Attacks,
        operations: &[(usize, usize)],
    ) {
        for exception in &attacks.exceptions {
            let (rules, own) = (self.rules, &exception.rules);
            let matchers = self.of(|matcher| own.is(rules[matcher.rule as usize]));
            let selector = exception.at.as_ref().map(|at| selector(self.tables, at, &self.names));
            for operation in meant(model, exception, operations) {
                let record = layout::Exception {
                    expires: exception.expires.into(),
                    selector: selector.unwrap_or(layout::Selector::new_zeroed()),
                    operation: operation.into(),
                    matchers: matchers.into(),
                    selects: selector.is_some().into(),
                    reserved: 0,
                    owner: self.tables.text(&exception.owner),
                    reason: self.tables.text(&exception.reason),
                };
                self.tables.sections.exceptions.push(record);
            }
        }
    }
}

/// The operations of the bundle that an exception is for; `NONE` for all.
fn meant(model: &Model, exception: &Exception, operations: &[(usize, usize)]) -> Vec<u32> {
    let Some(text) = &exception.operation else { return vec![NONE] };
    let is = |(api, operation): &(usize, usize)| {
        crate::policy::is_match(&model.apis[*api].operations[*operation], text)
    };
    (0..).zip(operations).filter(|(_, place)| is(place)).map(|(index, _)| index).collect()
}
