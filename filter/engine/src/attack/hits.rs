//! What was hit in a message, which rules that makes fire, and what they score.

use super::sets;
use super::subject::{Name, Subject};
use crate::access::slice;
use crate::finding::Position;
use portcullis_bundle::layout::{
    Exception, FieldMode, HitMode, LAST, Matcher, NONE, OperationRules, RULE_OUTBOUND,
    RULE_SAME_VALUE, RULE_SILENT, Rule, Target, View,
};

/// Rules that are remembered of one message, at most; all score.
const MAX_FIRED: usize = 64;

/// A rule that fired.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fired {
    /// Index into rules.
    pub rule: u32,
    /// Whether it only reports.
    pub monitored: bool,
    /// What the value is to the message.
    pub target: Target,
    pub position: Position,
}

/// A score: of all rules that fired, and of those that may refuse.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Score {
    pub all: u32,
    pub enforced: u32,
}

/// The hits of one message.
#[derive(Debug, Default)]
pub(super) struct Hits {
    /// Matchers that have hit a value of the message.
    message: Vec<u64>,
    /// Those of them that may refuse for a value that they have hit.
    enforced: Vec<u64>,
    /// Those that have hit the present value.
    value: Vec<u32>,
    /// Rules that have fired, as bits.
    has_fired: Vec<u64>,
    /// Rules that have fired on the request, of those that take hits away; for its answer.
    before: Vec<u32>,
    /// Those of them that may refuse.
    has_enforced: Vec<u64>,
    /// How often a matcher has hit a value of the message.
    pub count: u64,
    pub fired: Vec<Fired>,
    /// How many values matchers that count have met.
    counts: Vec<(u32, u32)>,
    /// The matchers that have counted the present value.
    counted: Vec<u32>,
    /// The hashes of the names that values came with, by the matchers that count them.
    names: Vec<(u32, u64)>,
    /// Hits that a rule may yet take away.
    pending: Vec<Pending>,
    /// A list of removals that nothing waits for: kept, so that none is made for each hit.
    spare: Vec<u32>,
    /// Whether rules may still fire that take hits away.
    pub decided: bool,
    pub inbound: Score,
    pub outbound: Score,
}

/// A hit that counts unless a rule fires.
#[derive(Debug)]
struct Pending {
    matcher: u32,
    /// Whether it may refuse.
    enforced: bool,
    /// Indexes into removals.
    removals: Vec<u32>,
    position: Position,
}

/// Hits that wait, at most; further ones count at once.
const MAX_PENDING: usize = 1024;
/// Names that are counted, at most.
const MAX_NAMES: usize = 4096;

/// What hits are weighed by.
#[derive(Clone, Copy)]
pub(super) struct Weighing<'a, 'b> {
    pub view: &'a View<'b>,
    pub words: usize,
    /// Index of the operation; `NONE` for none.
    pub operation: u32,
    /// Seconds since 1970.
    pub now: i64,
}

impl Weighing<'_, '_> {
    /// Whether an exception spares the hit.
    fn spares(&self, exception: &Exception, matcher: u32, subject: &Subject<'_>) -> bool {
        let operation = exception.operation.get();
        let own = sets::set(self.view, self.words, exception.matchers.get().into());
        (operation == NONE || operation == self.operation)
            && self.now < exception.expires.get()
            && sets::holds(own, matcher)
            && (exception.selects == 0 || subject.is(self.view, &exception.selector))
    }

    /// What a hit does: what the last entry of the policy says that means it.
    fn mode(&self, matcher: u32, subject: &Subject<'_>) -> HitMode {
        let own = self.view.field_modes.iter().rev().find(|it| self.means(it, matcher, subject));
        match own.and_then(|own| HitMode::from_code(own.mode)) {
            Some(mode) => mode,
            None if sets::holds(self.monitored(), matcher) => HitMode::Monitor,
            None => HitMode::Enforce,
        }
    }

    fn means(&self, field: &FieldMode, matcher: u32, subject: &Subject<'_>) -> bool {
        let operation = field.operation.get();
        let all = operation == NONE && self.view.operation_rules.is_empty();
        let own = sets::set(self.view, self.words, field.matchers.get().into());
        (operation == self.operation || all)
            && sets::holds(own, matcher)
            && (field.selects == 0 || subject.is(self.view, &field.selector))
    }

    fn monitored(&self) -> &[zerocopy::little_endian::U64] {
        let rules: Option<&OperationRules> = match self.operation {
            NONE => None,
            operation => self.view.operation_rules.get(operation as usize),
        };
        let index = match rules {
            Some(rules) => rules.monitored.get(),
            None => self.view.attacks.first().map_or(0, |attacks| attacks.monitored.get()),
        };
        sets::set(self.view, self.words, index.into())
    }
}

impl Hits {
    /// Begins a message.
    pub(super) fn begin(&mut self, words: usize, rules: usize) {
        self.message.clear();
        self.message.resize(words, 0);
        self.enforced.clear();
        self.enforced.resize(words, 0);
        self.has_fired.clear();
        self.has_fired.resize(rules.div_ceil(64), 0);
        self.before.clear();
        self.has_enforced.clear();
        self.has_enforced.resize(rules.div_ceil(64), 0);
        self.value.clear();
        self.count = 0;
        self.fired.clear();
        self.counts.clear();
        self.names.clear();
        self.pending.clear();
        self.inbound = Score::default();
        self.outbound = Score::default();
    }

    /// Forgets what was counted of a part of the message that is read again.
    pub(super) fn forget_counts(&mut self) {
        self.counts.clear();
        self.names.clear();
    }

    /// The matchers that have counted the present value.
    pub(super) fn counted_value(&self) -> &[u32] {
        &self.counted
    }

    /// Counts a value that a matcher meets.
    pub(super) fn count(&mut self, matcher: u32) {
        self.counted.push(matcher);
        match self.counts.iter_mut().find(|(own, _)| *own == matcher) {
            Some((_, count)) => *count = count.saturating_add(1),
            None => self.counts.push((matcher, 1)),
        }
    }

    /// Notes the name that a value came with.
    pub(super) fn name(&mut self, matcher: u32, name: &[u8]) {
        if self.names.len() < MAX_NAMES {
            self.names.push((matcher, hash(name)));
        }
    }

    /// What a matcher that counts has counted: values, or how often the commonest name came.
    pub(super) fn counted(&mut self, matcher: u32, by_name: bool) -> u32 {
        if !by_name {
            let own = self.counts.iter().find(|(own, _)| *own == matcher);
            return own.map_or(0, |(_, count)| *count);
        }
        self.names.sort_unstable();
        let (mut most, mut run, mut last) = (0u32, 0u32, None);
        for name in self.names.iter().filter(|(own, _)| *own == matcher) {
            run = if last == Some(name) { run.saturating_add(1) } else { 1 };
            (most, last) = (most.max(run), Some(name));
        }
        most
    }

    /// Whether a rule has fired.
    pub(super) fn has_fired(&self, rule: u32) -> bool {
        holds(&self.has_fired, rule)
    }

    /// Every rule that has fired, as bits.
    pub(super) fn fired_rules(&self) -> &[u64] {
        &self.has_fired
    }

    /// Lets the hits count that wait for rules which have not fired.
    pub(super) fn settle(&mut self, weighing: &Weighing<'_, '_>) {
        self.decided = true;
        let mut pending = core::mem::take(&mut self.pending);
        // In the order of the rules: one that is taken away takes nothing away from those after it.
        pending.sort_by_key(|it| it.matcher);
        for Pending { matcher, enforced, removals, position } in pending {
            let rule = |removal: u32| weighing.view.removals.get(removal as usize);
            let mut rules = removals.into_iter().filter_map(rule);
            if rules.any(|removal| self.takes(removal.rule.get())) {
                continue;
            }
            if enforced {
                sets::insert(&mut self.enforced, matcher);
            }
            self.value.push(matcher);
            self.end_value(weighing, &Subject::new(Target::Request, Name::None, &position));
        }
    }

    /// Whether a rule takes the hit away, or may yet do so.
    fn is_removed(
        &mut self,
        weighing: &Weighing<'_, '_>,
        (matcher, enforced): (u32, bool),
        subject: &Subject<'_>,
    ) -> bool {
        let (mut removals, mut waits) = (core::mem::take(&mut self.spare), false);
        removals.clear();
        for (index, removal) in (0..).zip(weighing.view.removals) {
            let own = sets::set(weighing.view, weighing.words, removal.matchers.get().into());
            if !sets::holds(own, matcher) {
                continue;
            }
            let count = removal.selector_count.get().into();
            let selectors = slice(weighing.view.selectors, removal.selectors.get(), count);
            if count > 0 && !selectors.iter().any(|it| subject.is(weighing.view, it)) {
                continue;
            }
            if self.takes(removal.rule.get()) {
                self.spare = removals;
                return true;
            }
            // What is asked early may wait itself for what is not.
            removals.push(index);
            waits |= removal.early == 0 && !self.decided;
        }
        if !waits || self.pending.len() >= MAX_PENDING {
            self.spare = removals;
            return false;
        }
        self.pending.push(Pending { matcher, enforced, removals, position: subject.position() });
        true
    }

    /// Which matchers have hit a value of the message.
    pub(super) fn of_message(&self) -> &[u64] {
        &self.message
    }

    /// Which rules have fired of those that take hits away.
    pub(super) fn removing(&self, view: &View<'_>) -> Vec<u32> {
        let mut rules = Vec::new();
        for rule in view.removals.iter().map(|removal| removal.rule.get()) {
            if self.has_fired(rule) && rules.last() != Some(&rule) {
                rules.push(rule);
            }
        }
        rules
    }

    /// Whether a rule that takes hits away has fired, on the message or on the request that it answers.
    fn takes(&self, rule: u32) -> bool {
        self.has_fired(rule) || self.before.contains(&rule)
    }

    /// Counts the hits of an earlier message too, and what rules have taken away there.
    pub(super) fn carry(&mut self, hits: &[u64], removing: &[u32]) {
        self.message.iter_mut().zip(hits).for_each(|(own, hits)| *own |= hits);
        self.before.extend_from_slice(removing);
    }

    /// Whether one of some matchers may refuse.
    pub(super) fn may_refuse(weighing: &Weighing<'_, '_>, matchers: &[u64]) -> bool {
        let monitored = weighing.monitored().iter();
        let somewhere =
            weighing.view.field_modes.iter().any(|it| it.mode == HitMode::Enforce.code());
        somewhere
            || matchers.iter().zip(monitored).any(|(own, monitored)| own & !monitored.get() != 0)
    }

    /// Takes a hit of a matcher on the present value, unless an exception spares it.
    pub(super) fn take(
        &mut self,
        weighing: &Weighing<'_, '_>,
        matcher: u32,
        subject: &Subject<'_>,
    ) {
        let exceptions = weighing.view.exceptions.iter();
        if exceptions.into_iter().any(|it| weighing.spares(it, matcher, subject)) {
            return;
        }
        let enforced = match weighing.mode(matcher, subject) {
            HitMode::Enforce => true,
            HitMode::Monitor => false,
            HitMode::Off => return,
        };
        let hit = (matcher, enforced);
        if !weighing.view.removals.is_empty() && self.is_removed(weighing, hit, subject) {
            return;
        }
        if enforced {
            sets::insert(&mut self.enforced, matcher);
        }
        self.count = self.count.saturating_add(1);
        self.value.push(matcher);
    }

    /// Whether any matcher has hit the present value.
    pub(super) fn has_hit(&self) -> bool {
        !self.value.is_empty()
    }

    /// Whether the rule of a matcher that is tried last waits for such ones alone to fire on the present value.
    pub(super) fn awaits(&self, weighing: &Weighing<'_, '_>, last: &Matcher) -> bool {
        let Some(rule) = weighing.view.rules.get(last.rule.get() as usize) else { return false };
        let first = rule.matchers.get();
        let mut own = first..first.saturating_add(rule.matcher_count.get().into());
        let tried_last = sets::set(weighing.view, weighing.words, LAST as usize);
        own.all(|matcher| self.value.contains(&matcher) || sets::holds(tried_last, matcher))
    }

    /// Begins a value.
    pub(super) fn begin_value(&mut self) {
        self.counted.clear();
    }

    /// Ends the present value: fires the rules whose matchers have all hit.
    pub(super) fn end_value(&mut self, weighing: &Weighing<'_, '_>, subject: &Subject<'_>) {
        if self.value.is_empty() {
            return;
        }
        let value = core::mem::take(&mut self.value);
        for &matcher in &value {
            sets::insert(&mut self.message, matcher);
        }
        for &matcher in &value {
            let Some(of) = weighing.view.matchers.get(matcher as usize) else { continue };
            let Some(rule) = weighing.view.rules.get(of.rule.get() as usize) else { continue };
            if self.holds(weighing.view, rule, &value) {
                self.fire(of.rule.get(), rule, subject);
            }
        }
        self.value = value;
        self.value.clear();
    }

    fn holds(&self, view: &View<'_>, rule: &Rule, value: &[u32]) -> bool {
        let first = rule.matchers.get();
        let matchers = slice(view.matchers, first, rule.matcher_count.get().into());
        let same = rule.flags & RULE_SAME_VALUE != 0;
        let hit =
            |matcher| if same { value.contains(&matcher) } else { holds(&self.message, matcher) };
        (0..rule.conditions).all(|condition| {
            let mut own = (first..).zip(matchers);
            own.any(|(matcher, of)| of.condition == condition && hit(matcher))
        })
    }

    /// Makes a rule fire, once; again where it has only reported and may refuse now.
    fn fire(&mut self, index: u32, rule: &Rule, subject: &Subject<'_>) {
        let first = rule.matchers.get();
        let mut own = first..first.saturating_add(rule.matcher_count.get().into());
        let monitored = !own.any(|matcher| holds(&self.enforced, matcher));
        let again = holds(&self.has_fired, index);
        if again && (monitored || holds(&self.has_enforced, index)) {
            return;
        }
        sets::insert(&mut self.has_fired, index);
        if rule.flags & RULE_SILENT != 0 {
            return;
        }
        let outbound = rule.flags & RULE_OUTBOUND != 0;
        let score = if outbound { &mut self.outbound } else { &mut self.inbound };
        let points = u32::from(rule.score.get());
        if !again {
            score.all = score.all.saturating_add(points);
        }
        if !monitored {
            sets::insert(&mut self.has_enforced, index);
            score.enforced = score.enforced.saturating_add(points);
        }
        let fired =
            Fired { rule: index, monitored, target: subject.target, position: subject.position() };
        if let Some(before) = self.fired.iter_mut().find(|it| again && it.rule == index) {
            *before = fired;
        } else if self.fired.len() < MAX_FIRED {
            self.fired.push(fired);
        }
    }
}

/// A hash of a name (FNV-1a), which tells names apart well enough to count them.
fn hash(name: &[u8]) -> u64 {
    name.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte.to_ascii_lowercase())).wrapping_mul(0x0100_0000_01b3)
    })
}

fn holds(words: &[u64], index: u32) -> bool {
    words.get(index as usize / 64).is_some_and(|word| word >> (index % 64) & 1 == 1)
}
