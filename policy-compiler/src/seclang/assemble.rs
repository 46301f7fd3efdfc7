//! From statements to chains: links put together, defaults filled in, removals and updates applied.
//!
//! In: statements in their order. Out: items in the same order, each a chain of rules or a marker. Removals and
//! updates apply to every rule of the set, wherever they stand, as ModSecurity 3 has it.

use super::lexer::Wrong;
use super::names::ActionName;
use super::syntax::{
    Action, ActionKind, At, Body, Operator, Rule, Selector, Sense, Statement, Template, Variable,
    Which,
};
use portcullis_bundle::layout::Transformation;
use regex_automata::meta::Regex;
use std::collections::HashMap;
use std::sync::Arc;

/// Links of a chain, at most.
const MAX_LINKS: usize = 32;

/// A chain, or a place that chains are skipped to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    /// A chain, of one link or more.
    Chain(Chain),
    /// A marker.
    Marker(String),
}

/// Rules that hold together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chain {
    /// The file.
    pub file: Arc<str>,
    /// Where the first rule begins.
    pub at: At,
    /// The number; 0 where it has none.
    pub id: u32,
    /// From 1 to 5.
    pub phase: u8,
    /// What is done to the message.
    pub disruptive: ActionName,
    /// Whether it is told where it holds.
    pub logs: bool,
    /// `msg`.
    pub message: String,
    /// `tag`, in order.
    pub tags: Vec<String>,
    /// `severity`.
    pub severity: Option<u8>,
    /// The rules.
    pub links: Vec<Link>,
    /// What in it is refused.
    pub refused: Vec<Wrong>,
}

/// A rule of a chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// Where it begins.
    pub at: At,
    /// Which values; none where it always holds.
    pub variables: Vec<Variable>,
    /// What is asked of them.
    pub operator: Option<Operator>,
    /// What is done to them first.
    pub transform: Vec<Transformation>,
    /// `capture`.
    pub capture: bool,
    /// `multiMatch`.
    pub multi_match: bool,
    /// `setvar`, `ctl` and `skipAfter`, in order.
    pub effects: Vec<Action>,
}

/// Something wrong, in a file.
pub type Told = (Arc<str>, Wrong);

/// Puts statements together.
pub fn assemble(statements: &[Statement], wrong: &mut Vec<Told>) -> Vec<Item> {
    let mut assembler = Assembler {
        wrong,
        items: Vec::new(),
        open: Vec::new(),
        defaults: HashMap::new(),
        numbers: HashMap::new(),
    };
    for statement in statements {
        assembler.take(statement);
    }
    assembler.close_open();
    let mut items = assembler.items;
    for statement in statements {
        if let Err(told) = change(&mut items, &statement.body, statement.at) {
            wrong.push((statement.file.clone(), told));
        }
    }
    items
}

struct Assembler<'a> {
    wrong: &'a mut Vec<Told>,
    items: Vec<Item>,
    /// The links of a chain that goes on.
    open: Vec<(Arc<str>, At, Rule)>,
    /// Default actions by phase.
    defaults: HashMap<u8, Vec<Action>>,
    /// Where a number was given first.
    numbers: HashMap<u32, (Arc<str>, At)>,
}

impl Assembler<'_> {
    fn take(&mut self, statement: &Statement) {
        match &statement.body {
            Body::Rule(rule) => {
                let goes_on = rule.actions.iter().any(|it| it.kind == ActionKind::Chain);
                self.open.push((statement.file.clone(), statement.at, rule.clone()));
                if self.open.len() > MAX_LINKS {
                    let title = format!("a chain has more than {MAX_LINKS} rules");
                    self.wrong.push((statement.file.clone(), Wrong::new(statement.at, title)));
                    self.open.clear();
                } else if !goes_on {
                    self.close();
                }
            }
            Body::Marker(label) => {
                self.close_open();
                self.items.push(Item::Marker(label.clone()));
            }
            Body::Defaults(actions) => {
                let phase = actions.iter().find_map(|it| match it.kind {
                    ActionKind::Phase(phase) => Some(phase),
                    _ => None,
                });
                self.defaults.insert(phase.unwrap_or(2), actions.clone());
            }
            Body::Remove(_) | Body::UpdateTargets { .. } | Body::UpdateActions { .. } => {}
        }
    }

    /// A chain must not end in the middle.
    fn close_open(&mut self) {
        if let Some((file, at, _)) = self.open.last() {
            let title = "the rule has `chain`, and no rule follows";
            self.wrong.push((file.clone(), Wrong::new(*at, title)));
            self.open.clear();
        }
    }

    fn close(&mut self) {
        let links = std::mem::take(&mut self.open);
        let Some((file, at, first)) = links.first() else { return };
        let mut chain = Chain {
            file: file.clone(),
            at: *at,
            id: 0,
            phase: 2,
            disruptive: ActionName::Pass,
            logs: true,
            message: String::new(),
            tags: Vec::new(),
            severity: None,
            links: Vec::new(),
            refused: Vec::new(),
        };
        if let Some(phase) = first.actions.iter().find_map(|it| match it.kind {
            ActionKind::Phase(phase) => Some(phase),
            _ => None,
        }) {
            chain.phase = phase;
        }
        let defaults = self.defaults.get(&chain.phase).cloned().unwrap_or_default();
        let mut default_transform = Vec::new();
        for action in &defaults {
            match &action.kind {
                ActionKind::Transform(step) => transform(&mut default_transform, *step),
                kind => describe(&mut chain, kind, ActionName::Pass),
            }
        }
        let by_default = chain.disruptive;
        for action in &first.actions {
            describe(&mut chain, &action.kind, by_default);
        }
        for (_, at, rule) in &links {
            chain.refused.extend(rule.refused.iter().cloned());
            chain.links.push(link(*at, rule, &default_transform));
        }
        settle(&mut chain);
        self.number(&chain);
        self.items.push(Item::Chain(chain));
    }

    fn number(&mut self, chain: &Chain) {
        if chain.id == 0 {
            let wrong = Wrong::new(chain.at, "the rule has no `id`")
                .help("numbers name rules in exceptions and findings: `id:1000001`");
            self.wrong.push((chain.file.clone(), wrong));
        } else if let Some((file, at)) = self.numbers.get(&chain.id) {
            let title =
                format!("the number {} is that of the rule at {file}:{} too", chain.id, at.line);
            self.wrong.push((chain.file.clone(), Wrong::new(chain.at, title)));
        } else {
            self.numbers.insert(chain.id, (chain.file.clone(), chain.at));
        }
    }
}

/// Lets the last disruptive action of a chain be the only one, and `allow` stand where ModSecurity takes it: in the first link.
fn settle(chain: &mut Chain) {
    let allows = chain.disruptive == ActionName::Allow;
    for (at, link) in chain.links.iter_mut().enumerate() {
        let is_allow = |action: &Action| matches!(action.kind, ActionKind::Allow(_));
        if at > 0 && link.effects.iter().any(is_allow) {
            let title = "`allow` stands in the first rule of a chain";
            chain.refused.push(Wrong::new(link.at, title));
        }
        link.effects.retain(|action| !is_allow(action) || allows && at == 0);
    }
}

/// Takes what an action says of the chain as a whole.
fn describe(chain: &mut Chain, kind: &ActionKind, by_default: ActionName) {
    match kind {
        ActionKind::Id(id) => chain.id = *id,
        ActionKind::Disruptive(ActionName::Block) => chain.disruptive = by_default,
        ActionKind::Disruptive(name) => chain.disruptive = *name,
        ActionKind::Allow(_) => chain.disruptive = ActionName::Allow,
        ActionKind::Message(text) => chain.message = plain(text),
        ActionKind::Tag(text) => chain.tags.push(plain(text)),
        ActionKind::Severity(severity) => chain.severity = Some(*severity),
        ActionKind::Other { name: ActionName::Log, .. } => chain.logs = true,
        ActionKind::Other { name: ActionName::NoLog, .. } => chain.logs = false,
        _ => {}
    }
}

/// A text whose macros stand as their names: values are never told.
pub(super) fn plain(text: &Template) -> String {
    use super::syntax::Piece;
    let piece = |piece: &Piece| match piece {
        Piece::Text(text) => text.clone(),
        Piece::Macro { collection, key } => {
            let key = key.as_ref().map(|key| format!(".{key}")).unwrap_or_default();
            format!("%{{{}{key}}}", collection.name().to_ascii_lowercase())
        }
    };
    text.0.iter().map(piece).collect()
}

fn transform(steps: &mut Vec<Transformation>, step: Option<Transformation>) {
    match step {
        Some(step) => steps.push(step),
        None => steps.clear(),
    }
}

fn link(at: At, rule: &Rule, by_default: &[Transformation]) -> Link {
    let mut link = Link {
        at,
        variables: rule.variables.clone(),
        operator: rule.operator.clone(),
        transform: by_default.to_vec(),
        capture: false,
        multi_match: false,
        effects: Vec::new(),
    };
    for action in &rule.actions {
        match &action.kind {
            ActionKind::Transform(step) => transform(&mut link.transform, *step),
            ActionKind::Capture => link.capture = true,
            ActionKind::MultiMatch => link.multi_match = true,
            ActionKind::SetVar(_)
            | ActionKind::Ctl(_)
            | ActionKind::SkipAfter(_)
            | ActionKind::Skip(_)
            | ActionKind::Allow(_) => link.effects.push(action.clone()),
            _ => {}
        }
    }
    link
}

/// Which chains are meant.
pub struct Meant {
    ids: Vec<(u32, u32)>,
    tag: Option<Regex>,
    message: Option<Regex>,
}

impl Meant {
    /// Reads what says which.
    ///
    /// # Errors
    /// What is wrong with the expression.
    pub fn new(which: &Which) -> Result<Meant, String> {
        let regex = |pattern: &str| {
            Regex::new(pattern).map_err(|_| format!("`{pattern}` is no regular expression"))
        };
        let mut meant = Meant { ids: Vec::new(), tag: None, message: None };
        match which {
            Which::Ids(ids) => meant.ids.clone_from(ids),
            Which::Tag(pattern) => meant.tag = Some(regex(pattern)?),
            Which::Message(pattern) => meant.message = Some(regex(pattern)?),
        }
        Ok(meant)
    }

    /// Every chain.
    pub fn every() -> Meant {
        Meant { ids: vec![(0, u32::MAX)], tag: None, message: None }
    }

    /// Whether some are meant by their numbers.
    pub fn is_by_number(&self) -> bool {
        !self.ids.is_empty() && !self.ids.contains(&(0, u32::MAX))
    }

    /// Whether a chain is meant.
    pub fn is(&self, chain: &Chain) -> bool {
        self.ids.iter().any(|(first, last)| (*first..=*last).contains(&chain.id))
            || self.tag.as_ref().is_some_and(|tag| chain.tags.iter().any(|it| tag.is_match(it)))
            || self.message.as_ref().is_some_and(|it| it.is_match(&chain.message))
    }
}

/// Applies a removal or an update.
fn change(items: &mut Vec<Item>, body: &Body, at: At) -> Result<(), Wrong> {
    let meant = |which: &Which| Meant::new(which).map_err(|title| Wrong::new(at, title));
    let looks = |link: &Link| link.variables.iter().any(|it| it.sense != Sense::Without);
    match body {
        Body::Remove(which) => {
            let meant = meant(which)?;
            items.retain(|item| !matches!(item, Item::Chain(chain) if meant.is(chain)));
        }
        Body::UpdateTargets { of, variables, replaced } => {
            let meant = meant(of)?;
            for chain in chains(items).filter(|chain| meant.is(chain)) {
                if let Some(first) = chain.links.first_mut().filter(|link| looks(link)) {
                    update_targets(&mut first.variables, variables, replaced);
                }
            }
            // A rule that is left nothing to look at is gone.
            items.retain(|item| match item {
                Item::Chain(chain) if meant.is(chain) => {
                    chain.links.first().is_none_or(|link| link.operator.is_none() || looks(link))
                }
                _ => true,
            });
        }
        Body::UpdateActions { id, link, actions } => {
            for chain in chains(items).filter(|chain| chain.id == *id) {
                update_actions(chain, *link as usize, actions);
            }
        }
        Body::Rule(_) | Body::Marker(_) | Body::Defaults(_) => {}
    }
    Ok(())
}

fn chains(items: &mut [Item]) -> impl Iterator<Item = &mut Chain> {
    items.iter_mut().filter_map(|item| match item {
        Item::Chain(chain) => Some(chain),
        Item::Marker(_) => None,
    })
}

fn update_targets(own: &mut Vec<Variable>, added: &[Variable], replaced: &[Variable]) {
    let same = |one: &Variable, other: &Variable| {
        one.collection == other.collection && one.selector == other.selector
    };
    if replaced.is_empty() {
        own.extend(added.iter().cloned());
    } else if own.iter().any(|it| replaced.iter().any(|gone| same(it, gone))) {
        own.retain(|it| !replaced.iter().any(|gone| same(it, gone)));
        own.extend(added.iter().cloned());
    }
    // A variable that is left out whole is not there.
    let without: Vec<_> = own
        .iter()
        .filter(|it| it.sense == Sense::Without && it.selector == Selector::All)
        .map(|it| it.collection)
        .collect();
    own.retain(|it| it.sense == Sense::Count || !without.contains(&it.collection));
}

fn update_actions(chain: &mut Chain, at: usize, actions: &[Action]) {
    // What `block` means is the default, which `allow` is not.
    let by_default = match chain.disruptive {
        ActionName::Allow => ActionName::Pass,
        other => other,
    };
    if at == 0 {
        if actions.iter().any(|it| matches!(it.kind, ActionKind::Tag(_))) {
            chain.tags.clear();
        }
        for action in actions {
            if !matches!(action.kind, ActionKind::Id(_) | ActionKind::Phase(_)) {
                describe(chain, &action.kind, by_default);
            }
        }
    }
    let Some(link) = chain.links.get_mut(at) else { return };
    let named = |kind: &ActionKind| std::mem::discriminant(kind);
    for action in actions {
        match &action.kind {
            ActionKind::Transform(step) => transform(&mut link.transform, *step),
            ActionKind::Capture => link.capture = true,
            ActionKind::MultiMatch => link.multi_match = true,
            kind @ (ActionKind::Ctl(_)
            | ActionKind::SkipAfter(_)
            | ActionKind::Skip(_)
            | ActionKind::Allow(_)
            | ActionKind::SetVar(_)) => {
                if !matches!(kind, ActionKind::SetVar(_) | ActionKind::Ctl(_)) {
                    link.effects.retain(|it| named(&it.kind) != named(kind));
                }
                link.effects.push(action.clone());
            }
            _ => {}
        }
    }
    settle(chain);
}
