//! What can be known before any request is judged, and what is left to ask.
//!
//! In: chains in their order. Out: rules of the rule language. The variables of TX are evaluated as far as they are
//! constant: guards by paranoia level, defaults of the set-up, `skipAfter` and `ctl` that always or never happen are
//! gone afterwards. What a rule sets and a later one reads becomes a condition of the later one. Scores are the
//! engine's: what logs them is superseded by its findings.

use super::assemble::{Chain, Item, Link, Meant, Told};
use super::lexer::Wrong;
use super::names::{ActionName, Collection, Support};
use super::syntax::{ActionKind, Allow, At, Change, Ctl, Engine, Sense, Variable};
use super::{build, constant};
use crate::ir::{Matcher, Removal, Rule, TargetName, TextPiece};
use portcullis_bundle::layout::Target;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

/// What chains became.
#[derive(Debug, Default)]
pub struct Resolved {
    /// The rules that are left.
    pub rules: Vec<Rule>,
    /// What some of them take from others.
    pub removals: Vec<Removal>,
    /// Chains that cannot be asked, and why.
    pub left_out: Vec<LeftOut>,
    /// By collection that ModSecurity keeps from one transaction to the next: the rules that use it.
    pub not_kept: BTreeMap<Collection, Vec<LeftOut>>,
    /// What is wrong.
    pub wrong: Vec<Told>,
    /// The variables of TX that are constant in the end.
    pub constants: BTreeMap<String, String>,
}

/// A chain that cannot be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftOut {
    /// The file.
    pub file: Arc<str>,
    /// Where the chain begins.
    pub at: At,
    /// Its number.
    pub id: u32,
    /// Why, lower case, without a final period.
    pub why: String,
}

/// Reads the phrases or networks of a data file: by the file of the rule, and the name that it gives.
pub type Files<'f> = dyn FnMut(&str, &str) -> Result<Vec<String>, String> + 'f;

/// A variable of TX.
#[derive(Clone, Debug, Default)]
pub(super) struct Value {
    /// What it is where no rule gives it another value.
    pub known: Option<String>,
    /// The rules that may give it another value, in order.
    pub givers: Vec<Giver>,
    /// Whether its name only begins so.
    pub is_prefix: bool,
}

/// A rule that gives a variable a value where it holds.
#[derive(Clone, Debug)]
pub(super) struct Giver {
    /// What must hold.
    pub conditions: Vec<Vec<Matcher>>,
    /// Rules of which none may fire.
    pub unless: Vec<usize>,
    /// The rule itself, by its place among all.
    pub rule: Option<usize>,
    /// The condition that the text is of.
    pub of: usize,
    /// What it gives.
    pub given: Given,
}

impl Giver {
    /// One of which nothing is known but why.
    pub fn unknown(why: String) -> Giver {
        let given = Given::Unknown(why);
        Giver { conditions: Vec::new(), unless: Vec::new(), rule: None, of: 0, given }
    }
}

/// What a rule gives a variable.
#[derive(Clone, Debug)]
pub(super) enum Given {
    /// A text.
    Text(Vec<TextPiece>),
    /// One more for each value of a name.
    Counted,
    /// What cannot be told.
    Unknown(String),
}

/// What is done with a chain.
pub(super) enum Outcome {
    /// It holds for every message.
    Always,
    /// It holds for none, or is not of interest.
    Never,
    /// These must hold.
    Ask {
        /// Each by one of its alternatives.
        conditions: Vec<Vec<Matcher>>,
        /// And none of these rules may fire.
        unless: Vec<usize>,
    },
}

/// Something that a rule does to later ones.
struct Deed {
    by: usize,
    item: usize,
    phase: u8,
    what: What,
}

enum What {
    Skip {
        until: usize,
    },
    Remove(Meant),
    /// All that judge the request.
    RemoveRequest,
    RemoveTarget(Meant, Vec<TargetName>),
    /// Of one rule.
    Undo(usize),
}

impl Deed {
    /// Whether what is at a place, an item and its phase, is evaluated after it.
    fn is_before(&self, (item, phase): (usize, u8)) -> bool {
        phase > self.phase || phase == self.phase && item > self.item
    }

    /// Whether it keeps a chain from being asked.
    fn keeps(&self, place: (usize, u8), chain: &Chain) -> bool {
        self.is_before(place)
            && match &self.what {
                What::Skip { until } => place.1 == self.phase && place.0 < *until,
                What::Remove(meant) => meant.is(chain),
                What::RemoveRequest => place.1 <= 2,
                What::RemoveTarget(..) | What::Undo(_) => false,
            }
    }
}

/// Evaluates chains.
pub fn resolve(items: &[Item], files: &mut Files<'_>) -> Resolved {
    let mut resolver = Resolver {
        items,
        files,
        tx: BTreeMap::new(),
        gone: HashSet::new(),
        without: Vec::new(),
        deeds: Vec::new(),
        of_item: Vec::new(),
        out: Resolved::default(),
        is_off: false,
        at: 0,
    };
    for phase in 1..=5 {
        resolver.phase(phase);
    }
    resolver.finish()
}

pub(super) struct Resolver<'a, 'f> {
    items: &'a [Item],
    pub files: &'a mut Files<'f>,
    pub tx: BTreeMap<String, Value>,
    /// Items that are always skipped or removed.
    gone: HashSet<usize>,
    /// Variables that later rules never look at.
    without: Vec<(Meant, Variable)>,
    deeds: Vec<Deed>,
    /// By rule: item and phase.
    of_item: Vec<(usize, u8)>,
    out: Resolved,
    /// `ctl:ruleEngine=Off` or `allow` for every message.
    is_off: bool,
    /// The item that is evaluated.
    at: usize,
}

impl Resolver<'_, '_> {
    fn phase(&mut self, phase: u8) {
        let items = self.items;
        let mut skipped_to: Option<usize> = None;
        for (index, item) in items.iter().enumerate() {
            if skipped_to.is_some_and(|until| index < until) {
                continue;
            }
            let Item::Chain(chain) = item else { continue };
            if chain.phase != phase || self.is_off || self.gone.contains(&index) {
                continue;
            }
            if let Some(until) = self.chain(index, chain) {
                skipped_to = Some(until);
            }
        }
    }

    /// Evaluates a chain; the item that it always skips to.
    fn chain(&mut self, index: usize, chain: &Chain) -> Option<usize> {
        self.at = index;
        if chain.phase == 5 {
            if !self.reads_nothing(chain) {
                self.note_kept(chain);
            }
            return None;
        }
        if let Some(wrong) = chain.refused.first() {
            if !self.reads_nothing(chain) {
                self.leave_out(chain, wrong.title.clone());
            }
            self.forget(chain);
            return None;
        }
        let outcome = build::chain(self, chain);
        if !matches!(outcome, Ok(Outcome::Never)) {
            self.note_kept(chain);
        }
        match outcome {
            Ok(Outcome::Always) => self.always(index, chain),
            Ok(Outcome::Never) => None,
            Ok(Outcome::Ask { conditions, unless }) => {
                for by in unless {
                    let rule = self.next_rule();
                    self.note(by, index, chain, What::Undo(rule));
                }
                self.rule(index, chain, conditions);
                None
            }
            Err(why) => {
                self.leave_out(chain, why);
                self.forget(chain);
                None
            }
        }
    }

    /// Notes what a chain would have kept for other messages, or asks of earlier ones.
    fn note_kept(&mut self, chain: &Chain) {
        let of_link = |link: &Link| {
            let read = link.variables.iter().map(|variable| variable.collection);
            let set = changes(link).map(|set| set.collection);
            read.chain(set).filter(|it| it.is_persistent()).collect::<Vec<_>>()
        };
        let used: BTreeSet<Collection> = chain.links.iter().flat_map(of_link).collect();
        for collection in used {
            let Support::Partly(why) = collection.support() else { continue };
            let (file, at, id) = (chain.file.clone(), chain.at, chain.id);
            let why = why.to_owned();
            self.out.not_kept.entry(collection).or_default().push(LeftOut { file, at, id, why });
        }
    }

    fn leave_out(&mut self, chain: &Chain, why: String) {
        let (file, at, id) = (chain.file.clone(), chain.at, chain.id);
        self.out.left_out.push(LeftOut { file, at, id, why });
    }

    /// Whether a chain that is not asked never holds anyway.
    fn reads_nothing(&self, chain: &Chain) -> bool {
        chain.links.iter().any(|link| {
            let refused = super::refused(link);
            !refused && constant::link(&self.tx, link) == Some(false)
        })
    }

    /// A chain that is left out may have set variables.
    fn forget(&mut self, chain: &Chain) {
        for effect in chain.links.iter().flat_map(|link| &link.effects) {
            let ActionKind::SetVar(set) = &effect.kind else { continue };
            let (name, is_prefix) = constant::name(&self.tx, set);
            if constant::is_score(&name) {
                continue;
            }
            let why = format!("rule {}, which is left out, sets `tx.{name}`", chain.id);
            let value = self.tx.entry(name).or_default();
            value.is_prefix = is_prefix;
            value.givers.push(Giver::unknown(why));
        }
    }

    /// The rules of which each that fires keeps a chain from being asked: it skips it, or removes it by its number. With
    /// `all` also those that remove whole groups; these take away what the chain says to others with it.
    pub(super) fn kept_by(&self, chain: &Chain, all: bool) -> Vec<usize> {
        let place = (self.at, chain.phase);
        let own = self.only_skips_to(chain);
        let counts = |deed: &&Deed| {
            deed.keeps(place, chain)
                && match &deed.what {
                    What::Remove(meant) => all || meant.is_by_number(),
                    // What the chain itself only passes over is passed over with it.
                    What::Skip { until } => own.is_none_or(|own| own > *until),
                    What::RemoveRequest => all,
                    _ => true,
                }
        };
        self.deeds.iter().filter(counts).map(|deed| deed.by).collect()
    }

    /// Where a chain skips to that does nothing else.
    fn only_skips_to(&self, chain: &Chain) -> Option<usize> {
        let effects = || chain.links.iter().flat_map(|link| &link.effects);
        let labels = effects().map(|effect| match &effect.kind {
            ActionKind::SkipAfter(label) => self.place(self.at, label),
            _ => None,
        });
        let until = labels.collect::<Option<Vec<_>>>()?.into_iter().max()?;
        matches!(chain.disruptive, ActionName::Pass | ActionName::Block).then_some(until)
    }

    /// What a chain does that holds for every message; the item that it skips to.
    fn always(&mut self, index: usize, chain: &Chain) -> Option<usize> {
        if matches!(chain.disruptive, ActionName::Deny | ActionName::Drop) {
            let title = format!("rule {} refuses every message: {}", chain.id, chain.message);
            self.out.wrong.push((chain.file.clone(), Wrong::new(chain.at, title)));
            return None;
        }
        let mut until = None;
        for effect in chain.links.iter().flat_map(|link| &link.effects) {
            match &effect.kind {
                ActionKind::SetVar(set) => constant::set(&mut self.tx, set),
                ActionKind::SkipAfter(label) => until = self.marker(index, label, chain),
                ActionKind::Skip(count) => until = Some(self.skipped(index, chain.phase, *count)),
                ActionKind::Allow(Allow::Phase) => until = Some(self.items.len()),
                ActionKind::Allow(of) => self.allow(index, chain.phase, *of),
                ActionKind::Ctl(Ctl::Remove(which)) => {
                    if let Some(meant) = self.meant(which, chain) {
                        self.remove_after(index, chain.phase, &meant);
                    }
                }
                ActionKind::Ctl(Ctl::RemoveTarget(which, variable)) => {
                    if let Some(meant) = self.meant(which, chain) {
                        self.without.push((meant, variable.clone()));
                    }
                }
                ActionKind::Ctl(Ctl::RuleEngine(Engine::Off)) => self.is_off = true,
                _ => {}
            }
        }
        until
    }

    fn meant(&mut self, which: &super::syntax::Which, chain: &Chain) -> Option<Meant> {
        match Meant::new(which) {
            Ok(meant) => Some(meant),
            Err(title) => {
                self.out.wrong.push((chain.file.clone(), Wrong::new(chain.at, title)));
                None
            }
        }
    }

    /// The marker of a name after an item, or what comes after the rule of that number. Where there is neither, that is
    /// wrong: ModSecurity would pass over every rule that follows.
    fn marker(&mut self, after: usize, label: &str, chain: &Chain) -> Option<usize> {
        let found = self.place(after, label);
        if found.is_none() {
            let title =
                format!("`skipAfter:{label}` leads nowhere: no such marker or rule follows");
            let later = self.items.iter().skip(after + 1);
            let markers = later.filter_map(|item| match item {
                Item::Marker(label) => Some(label.as_str()),
                Item::Chain(_) => None,
            });
            let mut wrong = Wrong::new(chain.at, title);
            wrong.help = crate::diag::did_you_mean(label, markers);
            self.out.wrong.push((chain.file.clone(), wrong));
        }
        found
    }

    /// The marker of a name after an item, or what comes after the rule of that number.
    fn place(&self, after: usize, label: &str) -> Option<usize> {
        let id: Option<u32> = label.parse().ok();
        let place = |(at, item): (usize, &Item)| match item {
            Item::Marker(own) => (own == label).then_some(at),
            Item::Chain(chain) => (Some(chain.id) == id).then_some(at + 1),
        };
        self.items.iter().enumerate().skip(after + 1).find_map(place)
    }

    /// What comes after so many chains of a phase.
    fn skipped(&self, after: usize, phase: u8, count: u32) -> usize {
        let of_phase = |(at, item): (usize, &Item)| {
            matches!(item, Item::Chain(chain) if chain.phase == phase).then_some(at + 1)
        };
        let mut later = self.items.iter().enumerate().skip(after + 1).filter_map(of_phase);
        match (count as usize).checked_sub(1) {
            Some(before) => later.nth(before).unwrap_or(self.items.len()),
            None => after + 1,
        }
    }

    /// Takes out the chains that `allow` passes over.
    fn allow(&mut self, index: usize, phase: u8, of: Allow) {
        for (at, item) in self.items.iter().enumerate() {
            if let Item::Chain(other) = item
                && (other.phase > phase || other.phase == phase && at > index)
                && (of == Allow::All || other.phase <= 2)
            {
                self.gone.insert(at);
            }
        }
    }

    fn remove_after(&mut self, index: usize, phase: u8, meant: &Meant) {
        for (at, item) in self.items.iter().enumerate() {
            if let Item::Chain(other) = item
                && meant.is(other)
                && (other.phase > phase || other.phase == phase && at > index)
            {
                self.gone.insert(at);
            }
        }
    }

    /// Adds a rule, and notes what it does to later ones.
    fn rule(&mut self, index: usize, chain: &Chain, conditions: Vec<Vec<Matcher>>) {
        let by = self.out.rules.len();
        let mut score = 0i32;
        for link in &chain.links {
            for effect in &link.effects {
                match &effect.kind {
                    ActionKind::SetVar(set) => score += constant::points(&self.tx, set),
                    ActionKind::SkipAfter(label) => {
                        if let Some(until) = self.marker(index, label, chain) {
                            self.note(by, index, chain, What::Skip { until });
                        }
                    }
                    ActionKind::Skip(count) => {
                        let until = self.skipped(index, chain.phase, *count);
                        self.note(by, index, chain, What::Skip { until });
                    }
                    ActionKind::Allow(Allow::Phase) => {
                        let until = self.items.len();
                        self.note(by, index, chain, What::Skip { until });
                    }
                    ActionKind::Allow(Allow::Request) => {
                        self.note(by, index, chain, What::RemoveRequest);
                    }
                    ActionKind::Allow(Allow::All) => {
                        self.note(by, index, chain, What::Remove(Meant::every()));
                    }
                    ActionKind::Ctl(Ctl::Remove(which)) => {
                        if let Some(meant) = self.meant(which, chain) {
                            self.note(by, index, chain, What::Remove(meant));
                        }
                    }
                    ActionKind::Ctl(Ctl::RuleEngine(Engine::Off)) => {
                        let meant = Meant::every();
                        self.note(by, index, chain, What::Remove(meant));
                    }
                    ActionKind::Ctl(Ctl::RemoveTarget(which, variable)) => {
                        let Some(meant) = self.meant(which, chain) else { continue };
                        match super::target::of(variable, 2) {
                            Ok(at) => self.note(by, index, chain, What::RemoveTarget(meant, at)),
                            Err(why) => self.leave_out(chain, format!("its `ctl`: {why}")),
                        }
                    }
                    _ => {}
                }
            }
        }
        let refuses = matches!(chain.disruptive, ActionName::Deny | ActionName::Drop);
        // What compares scores refuses nothing by itself: the policy's thresholds do.
        let weighs = |it: &TargetName| matches!(it.target, Target::Score | Target::ResponseScore);
        let weighs = conditions.iter().flatten().flat_map(|it| &it.targets).any(weighs);
        if refuses && !weighs {
            score = REFUSES;
        }
        let mut conditions: Vec<Matcher> = conditions
            .into_iter()
            .flat_map(|alternatives| {
                alternatives
                    .into_iter()
                    .enumerate()
                    .map(|(at, matcher)| Matcher { or: at > 0, ..matcher })
            })
            .collect();
        for (meant, variable) in &self.without {
            if meant.is(chain) {
                build::leave_out(&mut conditions, variable);
            }
        }
        let silent = !chain.logs && score == 0;
        self.of_item.push((index, chain.phase));
        self.out.rules.push(Rule {
            id: chain.id.to_string(),
            title: chain.message.clone(),
            score: u16::try_from(score.clamp(0, REFUSES)).unwrap_or(0),
            severity: chain.severity.unwrap_or(NOTICE),
            paranoia: paranoia(chain),
            tags: chain.tags.iter().map(|tag| tag.replace(' ', "-")).collect(),
            file: chain.file.to_string(),
            line: chain.at.line,
            conditions,
            same_value: false,
            silent,
            lenient: true,
            detects_only: false,
            tests: crate::ir::Tests::default(),
        });
    }

    /// The place among all of the rule that is added next.
    pub(super) fn next_rule(&self) -> usize {
        self.out.rules.len()
    }

    fn note(&mut self, by: usize, item: usize, chain: &Chain, what: What) {
        self.deeds.push(Deed { by, item, phase: chain.phase, what });
    }

    /// Turns what rules do to later ones into removals, and drops rules that serve nobody.
    fn finish(mut self) -> Resolved {
        let items = self.items;
        for deed in &self.deeds {
            let is_meant = |place: (usize, u8)| match (&deed.what, items.get(place.0)) {
                (What::RemoveTarget(meant, _), Some(Item::Chain(chain))) => {
                    deed.is_before(place) && meant.is(chain)
                }
                (_, Some(Item::Chain(chain))) => deed.keeps(place, chain),
                _ => false,
            };
            let rules = self.of_item.iter().enumerate();
            let rules: Vec<usize> = match deed.what {
                What::Undo(rule) => vec![rule],
                _ => rules
                    .filter(|(rule, place)| *rule != deed.by && is_meant(**place))
                    .map(|(rule, _)| rule)
                    .collect(),
            };
            let at = match &deed.what {
                What::RemoveTarget(_, at) => at.clone(),
                _ => Vec::new(),
            };
            if !rules.is_empty() {
                self.out.removals.push(Removal { by: deed.by, rules, at });
            }
        }
        let used: HashSet<usize> = self.out.removals.iter().map(|it| it.by).collect();
        let kept: Vec<usize> = (0..self.out.rules.len())
            .filter(|at| !self.out.rules[*at].silent || used.contains(at))
            .collect();
        let new = |old: usize| kept.binary_search(&old).ok();
        for removal in &mut self.out.removals {
            removal.by = new(removal.by).unwrap_or(removal.by);
            removal.rules = removal.rules.iter().filter_map(|rule| new(*rule)).collect();
        }
        self.out.removals.retain(|it| !it.rules.is_empty());
        let mut rules = std::mem::take(&mut self.out.rules);
        let mut at = 0;
        rules.retain(|_| {
            at += 1;
            kept.binary_search(&(at - 1)).is_ok()
        });
        self.out.rules = rules;
        let known = |(name, value): (&String, &Value)| {
            let constant = value.givers.is_empty().then(|| value.known.clone()).flatten();
            Some((name.clone(), constant?))
        };
        self.out.constants = self.tx.iter().filter_map(known).collect();
        self.out
    }
}

/// The severity of rules that do not say theirs.
const NOTICE: u8 = 5;

/// The score of a rule that refuses by itself.
const REFUSES: i32 = 10_000;

fn paranoia(chain: &Chain) -> u8 {
    let level = |tag: &String| tag.strip_prefix("paranoia-level/")?.parse::<u8>().ok();
    chain.tags.iter().find_map(level).filter(|level| (1..=4).contains(level)).unwrap_or(1)
}

/// Whether rules set a variable, and it stands for its values.
pub(super) fn is_tx(variable: &Variable) -> bool {
    variable.collection.is_set_by_rules() && variable.sense != Sense::Without
}

/// Which variables a link takes away.
pub(super) fn removed(link: &Link) -> impl Iterator<Item = &super::syntax::SetVar> {
    link.effects.iter().filter_map(|effect| match &effect.kind {
        ActionKind::SetVar(set) if matches!(set.change, Change::Remove) => Some(set),
        _ => None,
    })
}

/// What a setvar sets, where a link that is not constant holds.
pub(super) fn changes(link: &Link) -> impl Iterator<Item = &super::syntax::SetVar> {
    link.effects.iter().filter_map(|effect| match &effect.kind {
        ActionKind::SetVar(set) if !matches!(set.change, Change::Remove) => Some(set),
        _ => None,
    })
}
