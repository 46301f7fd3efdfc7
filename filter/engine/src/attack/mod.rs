//! The attack engine: signatures matched on the values of a message.
//!
//! In: a bundle's rules, and values as they are extracted: from the head here, from the body by the pass that judges
//! it. Out: findings. Each value goes the same way: [`texts`] transforms it and reads every text once for kinds of bytes
//! and literals ([`grams`]), which propose matchers; what they propose is confirmed by the matcher's
//! [operator](operator); [`hits`] makes rules fire and adds up scores. Which matchers can hit a value at all is known
//! beforehand, by its target, its operation and its schema. All of it works within one budget of steps a message.

mod captures;
mod follow;
pub(crate) mod grams;
mod head;
mod hits;
mod kept;
mod keyed;
pub mod lazy;
mod meant;
mod memo;
mod operator;
mod response;
mod sets;
mod state;
pub mod steps;
mod subject;
mod tap;
mod texts;
pub mod transform;

pub(crate) use head::Head;
pub(crate) use response::Names;
pub(crate) use subject::{Name, Subject};
pub(crate) use tap::Tap;

use crate::exchange::Findings;
use crate::finding::{Finding, FindingCode, Position};
use follow::Follow;
use grams::Grams;
use hits::{Fired, Hits, Score, Weighing};
use keyed::Keyed;
use meant::Meant;
use memo::{Lens, Memo};
use operator::Operators;
use portcullis_bundle::layout::{
    ALL_VALUES, Action, Attacks, BODY_ALL, BODY_FIELD, BODY_JSON, BODY_TEXT, BODY_XML, BodyKind,
    LAST, MATCHER_AGAIN, MATCHER_NEGATED, MATCHER_OF_REQUEST, Matcher, Mode, NONE, OperationRules,
    Operator, RULE_OUTBOUND, SCHEMA_ANY, TARGETS, Target, View, WHOLE_TARGET,
};
use steps::{Exhausted, Steps};
use texts::Texts;

/// Bytes of a message's values that are kept in buffers from message to message.
const KEPT: usize = 4 << 10;

/// Steps that a value costs, however short it is.
const VALUE: u64 = 32;

/// Findings of one message that name rules, at most.
const MAX_NAMED: usize = 6;

/// Which message of an exchange is scanned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Side {
    #[default]
    Request,
    Response,
}

/// What one message is scanned by.
#[derive(Clone, Copy)]
pub(crate) struct Scan<'a, 'b> {
    pub(crate) view: &'a View<'b>,
    attacks: &'b Attacks,
    grams: Grams<'b>,
    words: usize,
    /// Index of the operation; `NONE` for none.
    operation: u32,
    /// Whether what passed validation is known to have its schema: only then may types narrow the rules.
    validated: bool,
    /// Seconds since 1970.
    now: i64,
}

impl<'a, 'b> Scan<'a, 'b> {
    /// What a message to an operation, or to none, is scanned by; `None` where no rule looks at it.
    pub(crate) fn of(
        view: &'a View<'b>,
        operation: Option<u32>,
        validated: bool,
        now: i64,
    ) -> Option<Self> {
        let attacks = view.attacks.first()?;
        let operation = operation.unwrap_or(NONE);
        if view.operation_rules.get(operation as usize).is_some_and(|rules| rules.off == 1) {
            return None;
        }
        let words = usize::from(attacks.set_words);
        Some(Scan { view, attacks, grams: Grams::of(view), words, operation, validated, now })
    }

    fn set(&self, index: u32) -> &'b [zerocopy::little_endian::U64] {
        sets::set(self.view, self.words, index as usize)
    }

    /// The matchers that mean every value of a target.
    fn whole(&self, target: Target) -> &'b [zerocopy::little_endian::U64] {
        self.set(WHOLE_TARGET.saturating_add(target.code().into()))
    }

    /// Whether an enabled matcher looks at a target.
    pub(crate) fn meets(&self, target: Target) -> bool {
        let own = self.set(target.code().into()).iter().zip(self.enabled());
        own.into_iter().any(|(own, enabled)| own.get() & enabled.get() != 0)
    }

    /// The matchers that are not off for the operation.
    fn enabled(&self) -> &'b [zerocopy::little_endian::U64] {
        self.set(self.enabled_set())
    }

    /// Index of the set of them.
    fn enabled_set(&self) -> u32 {
        match self.rules() {
            Some(rules) => rules.enabled.get().into(),
            None => self.attacks.enabled.get().into(),
        }
    }

    /// Whether rules ask how clients call arguments.
    pub(crate) fn names_arguments(&self) -> bool {
        self.attacks.names_arguments == 1
    }

    /// Whether rules, modes or exceptions mean values of a body by their names.
    pub(crate) fn names_values(&self) -> bool {
        self.attacks.names_values == 1
    }

    /// Whether rules are asked before all others.
    fn has_early(&self) -> bool {
        self.view.removals.iter().any(|removal| removal.early == 1)
    }

    /// Whether rules refuse at all.
    pub(crate) fn is_enforced(&self) -> bool {
        let mode = self.rules().map_or(self.attacks.mode, |rules| rules.mode);
        Mode::from_code(mode) != Some(Mode::Monitor)
    }

    fn rules(&self) -> Option<&'b OperationRules> {
        self.view.operation_rules.get(self.operation as usize)
    }

    fn weighing(&self) -> Weighing<'a, 'b> {
        Weighing { view: self.view, words: self.words, operation: self.operation, now: self.now }
    }
}

/// What the exchanges of one worker have learnt and share: cloning shares.
#[derive(Clone, Debug, Default)]
pub struct Shared {
    automata: lazy::Automata,
    memo: Memo,
}

/// How a body is read as sent.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Raw {
    /// As one value too: nothing else reads it.
    pub text: bool,
    /// It is a form, a text, or of no known kind.
    pub plain: bool,
    /// It is JSON that was read to its end: every value of it has been scanned.
    pub covered: bool,
}

/// Scans one message. The buffers serve the next one.
#[derive(Debug, Default)]
pub(crate) struct Scanner {
    /// By target: the matchers that look at it, for this message's operation.
    active: Vec<u64>,
    /// Those of them that apply to the present value.
    applicable: Vec<u64>,
    texts: Texts,
    operators: Operators,
    follow: Follow,
    hits: Hits,
    steps: Steps,
    exhausted: bool,
    side: Side,
    /// Whether every matcher is tried on every text, whatever the literals propose.
    pub(crate) exhaustive: bool,
    /// Whether every matcher of its target is tried on a value, whatever its contract says.
    pub(crate) without_contract: bool,
    decoded: Vec<u8>,
    /// Whether only the matchers are asked that are asked before all others.
    early: bool,
    /// Whether every value of the body has been scanned that is read as sent.
    covered: bool,
    /// What the body is that is being read: a `BODY_*` bit.
    pub(super) body: u8,
    /// The names of members on the way to the present value, where rules ask for them.
    pub(super) names: Names,
    sizes: Sizes,
    keyed: Keyed,
    meant: Meant,
    /// Values that nothing hit: those of the worker.
    memo: Memo,
    state: state::State,
    /// The first bytes of the body, for the matchers that read it as sent.
    raw: Vec<u8>,
}

/// Sizes of a message's parts, in bytes.
#[derive(Clone, Copy, Debug, Default)]
struct Sizes {
    body: u64,
    arguments: u64,
    files: u64,
}

impl Scanner {
    /// Shares what is learnt with others.
    pub(crate) fn share(&mut self, shared: &Shared) {
        self.operators.automata = shared.automata.clone();
        self.memo = shared.memo.clone();
    }

    /// Begins a message.
    pub(crate) fn begin(&mut self, scan: &Scan<'_, '_>, side: Side) {
        self.side = side;
        self.raw.clear();
        self.keyed.begin(scan.view.identity, scan.words);
        self.meant.begin(scan.view.identity, scan.words);
        self.texts.begin(scan.view);
        self.operators.begin();
        self.steps = Steps::new(scan.attacks.budget.get().into());
        self.exhausted = false;
        self.hits.begin(scan.words, scan.view.rules.len());
        self.hits.decided = scan.view.removals.iter().all(|removal| removal.early == 1);
        self.sizes = Sizes::default();
        self.state = state::State::default();
        self.body = BODY_ALL;
        self.names.ask();
        let enabled = scan.enabled();
        self.active.clear();
        for target in 0..TARGETS {
            let own = scan.set(target).iter().zip(enabled);
            self.active.extend(own.map(|(own, enabled)| own.get() & enabled.get()));
        }
    }

    /// Whether only the matchers are asked that rules have which take hits of others away.
    fn asks_early(&mut self, early: bool) {
        self.early = early;
    }

    /// Takes what a body is that is read next.
    pub(crate) fn reads(&mut self, kind: BodyKind) {
        self.body = match kind {
            BodyKind::Json | BodyKind::JsonLines | BodyKind::JsonSeq | BodyKind::Jose => BODY_JSON,
            BodyKind::Form | BodyKind::Multipart => BODY_FIELD,
            BodyKind::Xml => BODY_XML,
            BodyKind::Text | BodyKind::Opaque | BodyKind::Range | BodyKind::Binary => BODY_TEXT,
        };
    }

    /// Adds an argument's bytes to what all have.
    pub(super) fn add_argument(&mut self, subject: &Subject<'_>, value: &[u8]) {
        let size = subject.called().len().saturating_add(value.len()) as u64;
        self.sizes.arguments = self.sizes.arguments.saturating_add(size);
    }

    /// Takes that the body cannot be read as what it says it is.
    pub(crate) fn body_failed(&mut self) {
        self.state.failed = true;
    }

    /// Adds an uploaded file's bytes to what all have.
    pub(super) fn add_file(&mut self, bytes: u64) {
        self.sizes.files = self.sizes.files.saturating_add(bytes);
    }

    /// The rules that have fired on the message: indexes into rules.
    pub(crate) fn fired(&self) -> impl Iterator<Item = u32> {
        let words = self.hits.fired_rules().iter().enumerate();
        words.flat_map(|(index, word)| sets::members(*word, index))
    }

    /// Whether any matcher looks at a target.
    pub(crate) fn looks_at(&self, scan: &Scan<'_, '_>, target: Target) -> bool {
        self.active(scan, target).iter().any(|word| *word != 0)
    }

    fn active(&self, scan: &Scan<'_, '_>, target: Target) -> &[u64] {
        let first = usize::from(target.code()).saturating_mul(scan.words);
        self.active.get(first..first.saturating_add(scan.words)).unwrap_or_default()
    }

    /// Scans a value that has passed a schema; the any schema where none was asked.
    pub(crate) fn value(
        &mut self,
        scan: &Scan<'_, '_>,
        subject: Subject<'_>,
        schema: u32,
        value: &[u8],
    ) {
        let narrowed = scan.view.schema_rules.get(schema as usize);
        let narrowed = narrowed.filter(|_| scan.validated && schema != SCHEMA_ANY);
        self.narrowed(scan, subject, narrowed.map(|set| set.get()), value);
    }

    /// Scans the text of a form's field; its index into text_fields where a schema has judged it.
    pub(crate) fn field(
        &mut self,
        scan: &Scan<'_, '_>,
        subject: Subject<'_>,
        field: Option<usize>,
        text: &[u8],
    ) {
        let narrowed =
            field.filter(|_| scan.validated).and_then(|at| scan.view.field_rules.get(at));
        self.narrowed(scan, subject, narrowed.map(|set| set.get()), text);
    }

    /// Scans a value to which only the matchers of a set can apply.
    pub(crate) fn narrowed(
        &mut self,
        scan: &Scan<'_, '_>,
        subject: Subject<'_>,
        narrowed: Option<u16>,
        value: &[u8],
    ) {
        if self.exhausted {
            return;
        }
        let narrowed = narrowed.filter(|_| !self.without_contract);
        if !self.gather(scan, &subject, narrowed) {
            return;
        }
        self.hits.begin_value();
        let field = Memo::takes(&subject, value).filter(|_| !self.exhaustive);
        let Some(field) = field else {
            self.apply(scan, &subject, value);
            return;
        };
        let lens = Lens {
            target: subject.target.code(),
            field,
            early: self.early,
            narrowed,
            enabled: scan.enabled_set(),
        };
        let (identity, before) = (scan.view.identity, self.steps);
        if let Some((steps, counts)) = self.memo.recall(identity, lens, value) {
            self.exhausted = self.steps.spend(steps).is_err();
            counts.iter().filter(|at| **at != NONE).for_each(|at| self.hits.count(*at));
        } else if self.apply(scan, &subject, value) {
            let outcome = (memo::spent(before, self.steps), self.hits.counted_value());
            self.memo.keep(identity, lens, value, outcome);
        }
    }

    /// Gathers the matchers that apply to a value, but for what their selectors say. Gives whether there are any.
    fn gather(
        &mut self,
        scan: &Scan<'_, '_>,
        subject: &Subject<'_>,
        narrowed: Option<u16>,
    ) -> bool {
        let mut applicable = core::mem::take(&mut self.applicable);
        applicable.clear();
        applicable.extend_from_slice(self.active(scan, subject.target));
        if self.early {
            let early = scan.set(scan.attacks.early.get().into());
            applicable.iter_mut().zip(early).for_each(|(word, early)| *word &= early.get());
        }
        if let Some(set) = narrowed {
            let set = scan.set(set.into());
            applicable.iter_mut().zip(set).for_each(|(word, set)| *word &= set.get());
        }
        if self.covered {
            let seen = scan.set(ALL_VALUES);
            applicable.iter_mut().zip(seen).for_each(|(word, seen)| *word &= !seen.get());
        }
        self.applicable = applicable;
        self.applicable.iter().any(|word| *word != 0)
    }

    /// Scans a value, with the matchers that were gathered. Gives whether the value alone says that none hits it.
    fn apply(&mut self, scan: &Scan<'_, '_>, subject: &Subject<'_>, value: &[u8]) -> bool {
        let mut applicable = core::mem::take(&mut self.applicable);
        let mut all_meant = false;
        if !self.exhaustive {
            match self.meant.of(scan, subject, &mut self.steps) {
                Ok(Some(meant)) => {
                    applicable.iter_mut().zip(meant).for_each(|(word, meant)| *word &= meant);
                    all_meant = true;
                }
                Ok(None) => {}
                Err(Exhausted) => {
                    self.exhausted = true;
                    applicable.clear();
                }
            }
        }
        let mut plain = !self.exhausted;
        if applicable.iter().any(|word| *word != 0) {
            let scanned = self.scan(scan, (subject, all_meant), &applicable, value);
            plain = scanned == Ok(true);
            self.exhausted = scanned.is_err();
            self.hits.end_value(&scan.weighing(), subject);
        }
        self.applicable = applicable;
        plain
    }

    /// Transforms a value, and confirms what its texts propose. Gives whether the value alone says that nothing hits.
    /// `all_meant`: whether all matchers that apply are known to mean it.
    fn scan(
        &mut self,
        scan: &Scan<'_, '_>,
        (subject, all_meant): (&Subject<'_>, bool),
        applicable: &[u64],
        value: &[u8],
    ) -> Result<bool, Exhausted> {
        let Scanner { texts, operators, follow, hits, steps, exhaustive, keyed, .. } = self;
        // Many short values cost more than their bytes.
        steps.spend(VALUE)?;
        let triggers = scan.attacks.triggers.get();
        texts.make(scan.view, (&scan.grams, triggers), (value, *exhaustive), applicable, steps)?;
        let mut plain = true;
        let (last, whole) = (scan.set(LAST), scan.whole(subject.target));
        for (index, (text, kinds, proposed)) in texts.each().enumerate() {
            let keyed = keyed.of(scan, kinds);
            let words = applicable.iter().zip(keyed).zip(last).zip(proposed).enumerate();
            for (word, (((applicable, keyed), last), proposed)) in words {
                let tried = if *exhaustive { u64::MAX } else { keyed | proposed };
                for at in sets::members(applicable & !last.get() & tried, word) {
                    let Some(matcher) = scan.view.matchers.get(at as usize) else { continue };
                    let lacks = kinds & matcher.needs.get() != matcher.needs.get();
                    if (lacks && !*exhaustive) || !texts.is_of(matcher.step.get(), index) {
                        continue;
                    }
                    if !*exhaustive && is_answered(scan.view, texts, (at, matcher), index) {
                        continue;
                    }
                    let known = all_meant || sets::holds(whole, at);
                    if !known && !is_meant(scan.view, matcher, subject) {
                        plain &= matches!(subject.name, Name::Text(_));
                        continue;
                    }
                    let literal = proposed >> (at % 64) & 1 == 1;
                    let mut asked = Asked { scan, operators, follow, hits, steps, subject };
                    plain &= asked.ask((at, matcher), (text, literal))?;
                }
            }
        }
        self.scan_last(scan, subject, applicable)?;
        Ok(plain)
    }

    /// Tries what costs most, where all else that its rule asks of the value holds.
    fn scan_last(
        &mut self,
        scan: &Scan<'_, '_>,
        subject: &Subject<'_>,
        applicable: &[u64],
    ) -> Result<(), Exhausted> {
        let Scanner { texts, operators, follow, hits, steps, exhaustive, .. } = self;
        if !hits.has_hit() && !*exhaustive {
            return Ok(());
        }
        for (word, (applicable, last)) in applicable.iter().zip(scan.set(LAST)).enumerate() {
            for at in sets::members(applicable & last.get(), word) {
                let Some(matcher) = scan.view.matchers.get(at as usize) else { continue };
                let awaited = *exhaustive || hits.awaits(&scan.weighing(), matcher);
                if !awaited || !is_meant(scan.view, matcher, subject) {
                    continue;
                }
                let Some(text) = texts.of(matcher.step.get()) else { continue };
                let mut asked = Asked { scan, operators, follow, hits, steps, subject };
                asked.ask((at, matcher), (text, false))?;
            }
        }
        Ok(())
    }

    /// Keeps the first bytes of the body, where a matcher reads them.
    pub(crate) fn keep_raw(&mut self, scan: &Scan<'_, '_>, chunk: &[u8], is: Raw) {
        self.sizes.body = self.sizes.body.saturating_add(chunk.len() as u64);
        let plain = is.plain && self.looks_at(scan, Target::BodyPlain);
        if is.text || plain || self.looks_at(scan, Target::BodyRaw) {
            let room = (scan.attacks.raw_body.get() as usize).saturating_sub(self.raw.len());
            self.raw.extend_from_slice(chunk.get(..room).unwrap_or(chunk));
        }
    }

    /// Scans what was kept of the body, also as one value where it is a text.
    pub(crate) fn raw(&mut self, scan: &Scan<'_, '_>, is: Raw) {
        let raw = core::mem::take(&mut self.raw);
        if !raw.is_empty() {
            let position = Position::Body { pointer: String::new(), offset: 0 };
            let subject = |target| Subject::new(target, Name::Pointer(""), &position);
            self.covered = is.covered;
            self.value(scan, subject(Target::BodyRaw), SCHEMA_ANY, &raw);
            self.covered = false;
            if is.plain {
                self.value(scan, subject(Target::BodyPlain), SCHEMA_ANY, &raw);
            }
            if is.text {
                let subject = Subject { bodies: BODY_TEXT, ..subject(Target::Body) };
                self.value(scan, subject, SCHEMA_ANY, &raw);
            }
        } else if self.sizes.body == 0 && self.looks_at(scan, Target::BodyPlain) {
            // A rule that allows one form of body refuses a message without any.
            let subject = Subject::new(Target::BodyPlain, Name::None, &Position::Message);
            self.value(scan, subject, SCHEMA_ANY, b"");
        }
        self.raw = raw;
    }

    /// How often a condition of a rule has hit a value of the message.
    pub(crate) fn hit_count(&self) -> u64 {
        self.hits.count
    }

    /// Asks what can be asked at the end of the message only.
    fn finish(&mut self, scan: &Scan<'_, '_>) {
        if self.side == Side::Request {
            let sizes = self.sizes;
            for (target, size) in [
                (Target::BodyLength, sizes.body),
                (Target::ArgumentsSize, sizes.arguments),
                (Target::FilesSize, sizes.files),
            ] {
                if self.looks_at(scan, target) {
                    let subject = Subject::new(target, Name::None, &Position::Message);
                    self.value(scan, subject, SCHEMA_ANY, size.to_string().as_bytes());
                }
            }
            self.body_state(scan);
        }
        self.counts(scan);
        self.hits.settle(&scan.weighing());
        self.scores(scan);
    }

    /// Gives the scores to the rules that look at them.
    fn scores(&mut self, scan: &Scan<'_, '_>) {
        let (target, score) = match self.side {
            Side::Request => (Target::Score, self.hits.inbound),
            Side::Response => (Target::ResponseScore, self.hits.outbound),
        };
        if !self.looks_at(scan, target) {
            return;
        }
        let blocking = if scan.is_enforced() { score.enforced } else { score.all };
        for (name, score) in [("blocking", blocking), ("detection", score.all)] {
            let subject = Subject::new(target, Name::Text(name.as_bytes()), &Position::Message);
            self.value(scan, subject, SCHEMA_ANY, score.to_string().as_bytes());
        }
    }

    /// Compares what was counted.
    fn counts(&mut self, scan: &Scan<'_, '_>) {
        let subject = Subject::new(Target::Request, Name::None, &Position::Message);
        let early = scan.set(scan.attacks.early.get().into());
        let enabled = scan.enabled();
        for (at, matcher) in (0..).zip(scan.view.matchers) {
            let by_name = match Operator::from_code(matcher.operator) {
                Some(Operator::Count) => false,
                Some(Operator::SameName) => true,
                _ => continue,
            };
            let outbound = scan.view.rules.get(matcher.rule.get() as usize);
            let outbound = outbound.is_some_and(|rule| rule.flags & RULE_OUTBOUND != 0);
            if !sets::holds(enabled, at)
                || self.early && !sets::holds(early, at)
                || outbound != (self.side == Side::Response)
            {
                continue;
            }
            let counted = self.hits.counted(at, by_name).into();
            let asked = i64::from(matcher.argument.get());
            let found = operator::compare::numbers(matcher.relation, counted, asked);
            if found != (matcher.flags & MATCHER_NEGATED != 0) {
                self.hits.take(&scan.weighing(), at, &subject);
            }
        }
        self.hits.end_value(&scan.weighing(), &subject);
    }

    /// Whether what was hit so far refuses the message, whatever follows.
    pub(crate) fn refuses(&self, scan: &Scan<'_, '_>) -> bool {
        let (score, threshold) = self.weighed(scan);
        self.exhausted || score.enforced >= threshold
    }

    /// The message's score, and that from which it is refused.
    fn weighed(&self, scan: &Scan<'_, '_>) -> (Score, u32) {
        match self.side {
            Side::Request => (self.hits.inbound, scan.attacks.threshold_inbound.get().into()),
            Side::Response => (self.hits.outbound, scan.attacks.threshold_outbound.get().into()),
        }
    }

    /// Turns what was hit into findings.
    pub(crate) fn report(&mut self, scan: &Scan<'_, '_>, findings: &mut Findings) {
        self.finish(scan);
        let (exhausted, refused, suspected) = match self.side {
            Side::Request => (
                FindingCode::AttackBudget,
                FindingCode::AttackDetected,
                FindingCode::AttackSuspected,
            ),
            Side::Response => (
                FindingCode::ResponseBudget,
                FindingCode::ResponseLeak,
                FindingCode::ResponseSuspected,
            ),
        };
        if self.exhausted {
            let action = Action::from_code(scan.attacks.budget_end).unwrap_or(Action::Block);
            findings.act(action, Finding::new(exhausted, Position::Message));
        }
        let (score, threshold) = self.weighed(scan);
        let enforced = scan.is_enforced() && score.enforced >= threshold;
        let action = if enforced { Action::Block } else { Action::Monitor };
        // Those that may refuse come first, so that one of them decides; those that score nothing last.
        let points = |fired: &Fired| {
            scan.view.rules.get(fired.rule as usize).map_or(0, |rule| rule.score.get())
        };
        self.hits.fired.sort_by_key(|fired| {
            let points = points(fired);
            (points == 0, fired.monitored, core::cmp::Reverse(points))
        });
        for Fired { rule, monitored, target, position } in self.hits.fired.drain(..).take(MAX_NAMED)
        {
            let finding = |code| Finding {
                rule: Some(rule),
                target: Some(target),
                score: u16::try_from(score.all).unwrap_or(u16::MAX),
                ..Finding::new(code, position.clone())
            };
            if score.all < threshold {
                findings.note_finding(finding(suspected));
            } else {
                let action = if monitored { Action::Monitor } else { action };
                findings.act(action, finding(refused));
            }
        }
        self.hits.fired.clear();
    }

    /// Forgets what a large message has left behind.
    pub(crate) fn trim(&mut self) {
        self.texts.trim(KEPT);
        self.operators.trim(KEPT);
        self.follow.trim(KEPT);
        self.names.trim(KEPT);
        for buffer in [&mut self.decoded, &mut self.raw] {
            buffer.clear();
            buffer.shrink_to(KEPT);
        }
    }
}

/// What a matcher is asked with.
struct Asked<'x, 'a, 'b> {
    scan: &'x Scan<'a, 'b>,
    operators: &'x mut Operators,
    follow: &'x mut Follow,
    hits: &'x mut Hits,
    steps: &'x mut Steps,
    subject: &'x Subject<'x>,
}

impl Asked<'_, '_, '_> {
    /// Asks a matcher of a text, and all that follows on it; takes the hit, or counts. Gives whether it
    /// misses the text wherever that stands.
    fn ask(
        &mut self,
        (at, matcher): (u32, &Matcher),
        (text, literal): (&[u8], bool),
    ) -> Result<bool, Exhausted> {
        let Asked { scan, operators, follow, hits, steps, subject } = self;
        match Operator::from_code(matcher.operator) {
            Some(Operator::Count) => {
                hits.count(at);
                return Ok(true);
            }
            Some(Operator::SameName) => hits.name(at, subject.called()),
            _ => {
                let compares = Operators::compares(matcher);
                let holds = if compares {
                    follow.asks(scan.view, (matcher, text), subject, operators, steps)?
                } else {
                    operators.holds(scan.view, matcher, (text, literal), steps)?
                };
                let of_text = matcher.flags & MATCHER_OF_REQUEST == 0;
                if !holds {
                    return Ok(of_text || !compares);
                }
                if matcher.then.get() != NONE
                    && !follow.holds(scan.view, (matcher, text), subject, operators, steps)?
                {
                    return Ok(of_text);
                }
                hits.take(&scan.weighing(), at, subject);
            }
        }
        Ok(false)
    }
}

/// Whether the matcher before has been asked the same of a text.
fn is_answered(
    view: &View<'_>,
    texts: &Texts,
    (at, matcher): (u32, &Matcher),
    text: usize,
) -> bool {
    let before = || view.matchers.get(at.checked_sub(1)? as usize);
    matcher.flags & MATCHER_AGAIN != 0
        && before().is_some_and(|before| texts.is_of(before.step.get(), text))
}

/// Whether a matcher's selectors name a value.
fn is_meant(view: &View<'_>, matcher: &Matcher, subject: &Subject<'_>) -> bool {
    let (wanted, except) = (matcher.selector_count.get(), matcher.except_count.get());
    if wanted == 0 && except == 0 {
        return true;
    }
    let first = matcher.selectors.get();
    let own = crate::access::slice(view.selectors, first, wanted.into());
    let after = first.saturating_add(wanted.into());
    let left_out = crate::access::slice(view.selectors, after, except.into());
    (wanted == 0 || own.iter().any(|selector| subject.is(view, selector)))
        && !left_out.iter().any(|selector| subject.is(view, selector))
}
