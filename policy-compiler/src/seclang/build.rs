//! From a chain to conditions: each a list of alternatives, in which what one link matched is what the next asks of.

use super::assemble::{Chain, Link};
use super::constant::{self, is_group};
use super::macros::{Around, around};
use super::names::{ActionName, Collection, OperatorName};
use super::operator;
use super::resolve::{self, Given, Giver, Outcome, Resolver};
use super::syntax::{Change, Piece, Selector, Sense, Template, Variable};
use super::target;
use crate::ir::{self, Matcher, Operator, TextPiece};
use portcullis_bundle::layout::Target;
use std::collections::HashMap;

/// Alternatives of one condition, at most.
const MAX_ALTERNATIVES: usize = 64;

/// A chain on its way to conditions.
#[derive(Default)]
pub(super) struct Builder {
    pub conditions: Vec<Vec<Matcher>>,
    /// Rules of which none may fire: indexes into what there is so far.
    pub unless: Vec<usize>,
    /// By link, what holds where it and those before it do: what it sets is set then, whatever comes of the rest.
    reached: Vec<(Vec<Vec<Matcher>>, Vec<usize>)>,
    /// By condition, how the collections of its values are called.
    called: HashMap<usize, Vec<(ir::TargetName, &'static str)>>,
    /// The condition of the last link whose groups are kept.
    captured: Option<usize>,
    /// What the last link that counts names counts.
    counted: Option<Variable>,
    /// The condition of the link before; none where that was constant.
    before: Option<usize>,
    /// Variables that links of this chain have set: text and condition.
    own: HashMap<String, (Vec<TextPiece>, usize)>,
    /// Those whose text is around a value of the message.
    own_values: HashMap<String, Around>,
    /// What they have set that cannot be told, and why.
    untold: HashMap<String, String>,
    /// The same, by what their names begin with.
    own_prefixes: Vec<(String, Vec<TextPiece>, usize)>,
}

/// What one variable of a link stands for.
enum Source {
    /// Values of the message.
    Targets(Vec<ir::TargetName>),
    /// How many of these there are.
    Count(Vec<ir::TargetName>),
    /// A text that the match of a condition gives.
    Text(Vec<TextPiece>, usize),
}

/// Builds the conditions of a chain.
///
/// # Errors
/// Why it cannot be asked.
pub(super) fn chain(resolver: &mut Resolver<'_, '_>, chain: &Chain) -> Result<Outcome, String> {
    let mut builder = Builder::default();
    if has_false(resolver, chain) {
        return Ok(Outcome::Never);
    }
    if chain.links.iter().any(|link| reads_scores(link) && score(&resolver.tx, link).is_none()) {
        return Err(
            "of scores only those of a request or an answer are compared, each with a number"
                .to_owned(),
        );
    }
    for link in &chain.links {
        // What this chain has set itself is not what it was before.
        let constant = match builder.reads_own(link)? {
            _ if reads_scores(link) => None,
            true => None,
            false => constant::link(&resolver.tx, link),
        };
        match constant {
            Some(false) => return Ok(Outcome::Never),
            Some(true) => {
                builder.before = None;
                // The set-up of the chain itself: what follows may read it.
                builder.note_constant(resolver, link)?;
            }
            None => {
                builder.link(resolver, chain, link)?;
                builder.note(resolver, link)?;
            }
        }
        builder.reached.push((builder.conditions.clone(), builder.unless.clone()));
    }
    if builder.conditions.iter().any(Vec::is_empty) {
        return Ok(Outcome::Never);
    }
    if builder.conditions.is_empty() {
        let refuses = matches!(chain.disruptive, ActionName::Deny | ActionName::Drop);
        if builder.unless.is_empty() && resolver.kept_by(chain, refuses).is_empty() {
            return Ok(Outcome::Always);
        }
        builder.conditions.push(vec![anything(chain)]);
    }
    give(resolver, chain, &builder);
    Ok(Outcome::Ask { conditions: builder.conditions, unless: builder.unless })
}

/// Whether a link asks of scores, which the engine keeps.
fn reads_scores(link: &Link) -> bool {
    let is = |variable: &Variable| {
        variable.collection == Collection::Tx
            && matches!(&variable.selector, Selector::Name(name) if constant::is_score(&name.to_ascii_lowercase()))
            && variable.sense == Sense::Values
    };
    link.variables.iter().any(is)
}

/// A link that compares the engine's score of a request or an answer with a number.
fn score(tx: &constant::Tx, link: &Link) -> Option<Matcher> {
    let ([variable], Some(operator)) = (link.variables.as_slice(), &link.operator) else {
        return None;
    };
    let Selector::Name(name) = &variable.selector else { return None };
    if (variable.collection, variable.sense) != (Collection::Tx, Sense::Values) {
        return None;
    }
    let (target, name) = match name.to_ascii_lowercase().as_str() {
        "blocking_inbound_anomaly_score" | "inbound_anomaly_score" | "anomaly_score" => {
            (Target::Score, "blocking")
        }
        "detection_inbound_anomaly_score" => (Target::Score, "detection"),
        "blocking_outbound_anomaly_score" | "outbound_anomaly_score" => {
            (Target::ResponseScore, "blocking")
        }
        "detection_outbound_anomaly_score" => (Target::ResponseScore, "detection"),
        _ => return None,
    };
    let relation = operator::relation(operator.name)?;
    let number = operator::number(&constant::text(tx, &operator.argument)?);
    Some(Matcher {
        targets: vec![target::named(target, name)],
        except: Vec::new(),
        transform: Vec::new(),
        operator: Operator::Compare(relation, number),
        negated: operator.negated,
        line: operator.at.line,
        or: false,
        capture: false,
        then: None,
    })
}

/// Whether a link holds for no message, whatever the links before it set.
fn has_false(resolver: &Resolver<'_, '_>, chain: &Chain) -> bool {
    let is_set = |variable: &Variable, before: &[Link]| {
        before.iter().flat_map(resolve::changes).any(|set| {
            let (own, is_prefix) = constant::name(&resolver.tx, set);
            match &variable.selector {
                Selector::Name(name) => {
                    let name = constant::key(variable.collection, name);
                    own == name || is_prefix && name.starts_with(&own)
                }
                _ => set.collection == variable.collection,
            }
        })
    };
    chain.links.iter().enumerate().any(|(at, link)| {
        let before = chain.links.get(..at).unwrap_or_default();
        !reads_scores(link)
            && constant::link(&resolver.tx, link) == Some(false)
            && !link.variables.iter().any(|it| is_set(it, before))
    })
}

impl Builder {
    /// Whether a link asks of a variable that this chain has set.
    ///
    /// # Errors
    /// What it has set cannot be told.
    fn reads_own(&self, link: &Link) -> Result<bool, String> {
        let mut reads = false;
        for variable in link.variables.iter().filter(|it| resolve::is_tx(it)) {
            match &variable.selector {
                Selector::Name(name) => {
                    let name = constant::key(variable.collection, name);
                    if let Some(why) = self.untold.get(&name) {
                        return Err(why.clone());
                    }
                    reads |= self.own.contains_key(&name) || self.own_values.contains_key(&name);
                }
                Selector::Regex(pattern) => {
                    let regex = expression(pattern)?;
                    let mut own = self.own_prefixes.iter();
                    reads |= own.any(|(name, ..)| regex.is_match(&format!("{name}x")));
                }
                Selector::All | Selector::XPath(_) => {}
            }
        }
        Ok(reads)
    }

    fn link(
        &mut self,
        resolver: &mut Resolver<'_, '_>,
        chain: &Chain,
        link: &Link,
    ) -> Result<(), String> {
        let Some(operator) = &link.operator else { return Ok(()) };
        if self.given(&resolver.tx, link)? {
            self.before = None;
            return Ok(());
        }
        if let Some(score) = score(&resolver.tx, link) {
            self.before = None;
            self.conditions.push(vec![score]);
            return Ok(());
        }
        if let Some(swapped) = Builder::swapped(&resolver.tx, chain, link)? {
            self.before = None;
            self.conditions.push(vec![swapped]);
            return Ok(());
        }
        if self.counts_named(link)? {
            return Ok(());
        }
        let (mut sources, mut called) = (Vec::new(), Vec::new());
        for variable in link.variables.iter().filter(|it| it.sense != Sense::Without) {
            self.source(resolver, chain, variable, &mut sources)?;
            if let Some(Source::Targets(own)) = sources.last() {
                called.extend(own.iter().map(|it| (it.clone(), variable.collection.name())));
            }
        }
        let mut except = Vec::new();
        for variable in link.variables.iter().filter(|it| it.sense == Sense::Without) {
            except.extend(target::of(variable, chain.phase)?);
        }
        if let Some(counted) = self.counter(resolver, link)? {
            self.before = Some(self.conditions.len());
            self.counted = link.variables.first().cloned();
            self.conditions.push(vec![counted]);
            return Ok(());
        }
        let data = match operator.name {
            OperatorName::PmFromFile
            | OperatorName::PmF
            | OperatorName::IpMatchFromFile
            | OperatorName::IpMatchF => {
                let names = operator.argument.plain().unwrap_or_default();
                let mut lines = Vec::new();
                for name in names.split_whitespace() {
                    lines.extend((resolver.files)(&chain.file, name)?);
                }
                lines
            }
            _ => Vec::new(),
        };
        let anchor = sources.iter().find_map(|source| match source {
            Source::Text(_, of) => Some(*of),
            _ => None,
        });
        let argument = self.pieces(resolver, &operator.argument, anchor)?;
        let asked = operator::of(operator.name, &argument, &data)?;
        let matcher = |asked: Operator| Matcher {
            targets: Vec::new(),
            except: Vec::new(),
            transform: link.transform.clone(),
            operator: asked,
            negated: operator.negated,
            line: operator.at.line,
            or: false,
            capture: link.capture
                && matches!(operator.name, OperatorName::Rx | OperatorName::RxGlobal),
            then: None,
        };
        let mut targets = Vec::new();
        let mut counts = Vec::new();
        let mut texts: Vec<(Vec<TextPiece>, usize)> = Vec::new();
        for source in sources {
            match source {
                Source::Targets(own) => targets.extend(own),
                Source::Count(own) => counts.push(own),
                Source::Text(text, of) => texts.push((text, of)),
            }
        }
        let mut alternatives = Vec::new();
        if !targets.is_empty() {
            targets.sort();
            targets.dedup();
            let whole = Matcher { targets, except, ..matcher(asked.clone()) };
            alternatives.extend(multiplied(whole, link.multi_match));
        }
        for targets in counts {
            let Operator::Compare(relation, number) = asked else {
                return Err("`&` is compared with a constant number only".to_owned());
            };
            let number = u32::try_from(number).map_err(|_| "a count is not negative".to_owned())?;
            let counted = Operator::Count(relation, number);
            alternatives.push(Matcher { targets, transform: Vec::new(), ..matcher(counted) });
        }
        if texts.is_empty() {
            if alternatives.is_empty() {
                return Err("it looks at nothing".to_owned());
            }
            self.before = Some(self.conditions.len());
            self.called.insert(self.conditions.len(), called);
            self.conditions.push(alternatives);
        } else {
            self.derived(&matcher(asked), link.multi_match, texts, alternatives)?;
        }
        if link.capture && matches!(operator.name, OperatorName::Rx | OperatorName::RxGlobal) {
            self.captured = self.before;
        }
        Ok(())
    }

    /// A link that asks of what a link before it matched.
    fn derived(
        &mut self,
        matcher: &Matcher,
        multi: bool,
        texts: Vec<(Vec<TextPiece>, usize)>,
        others: Vec<Matcher>,
    ) -> Result<(), String> {
        let of = texts[0].1;
        if texts.iter().any(|(_, other)| *other != of) {
            return Err("it asks of what two links before it matched".to_owned());
        }
        let heads = self.conditions.get(of).cloned().unwrap_or_default();
        let mut made = Vec::new();
        for head in &heads {
            for (text, _) in &texts {
                for (head, text) in self.split(of, head, text) {
                    for matcher in multiplied(matcher.clone(), multi) {
                        let mut head = head.clone();
                        append(&mut head, ir::Link { text: text.clone(), matcher });
                        made.push(head);
                    }
                }
            }
        }
        if made.len() + others.len() > MAX_ALTERNATIVES {
            return Err(format!("it has more than {MAX_ALTERNATIVES} alternatives"));
        }
        if others.is_empty() {
            self.conditions[of] = made;
            self.before = Some(of);
        } else {
            // The link before must hold, and either this or that.
            made.extend(others);
            self.before = Some(self.conditions.len());
            self.conditions.push(made);
        }
        Ok(())
    }

    /// Parts a matcher by collections where a text is the name of what it matches: that begins with the collection's.
    fn split(
        &self,
        of: usize,
        head: &Matcher,
        text: &[TextPiece],
    ) -> Vec<(Matcher, Vec<TextPiece>)> {
        if text != [TextPiece::Name] {
            return vec![(head.clone(), text.to_vec())];
        }
        let called = self.called.get(&of).map(Vec::as_slice).unwrap_or_default();
        let mut parts: Vec<(Vec<TextPiece>, Vec<ir::TargetName>)> = Vec::new();
        for target in &head.targets {
            let collection = called.iter().find(|(of, _)| of == target);
            let text = match collection {
                Some((_, name)) if target::is_named(target.target) => {
                    vec![TextPiece::Text(format!("{name}:")), TextPiece::Name]
                }
                Some((_, name)) => vec![TextPiece::Text((*name).to_owned())],
                None => text.to_vec(),
            };
            match parts.iter_mut().find(|(own, _)| *own == text) {
                Some((_, targets)) => targets.push(target.clone()),
                None => parts.push((text, vec![target.clone()])),
            }
        }
        let part = |(text, targets)| (Matcher { targets, ..head.clone() }, text);
        parts.into_iter().map(part).collect()
    }

    fn source(
        &mut self,
        resolver: &Resolver<'_, '_>,
        chain: &Chain,
        variable: &Variable,
        out: &mut Vec<Source>,
    ) -> Result<(), String> {
        let before = || self.before.ok_or_else(|| "it asks of what a constant matched".to_owned());
        match (variable.collection, variable.sense) {
            (Collection::MatchedVar | Collection::MatchedVars, Sense::Values) => {
                out.push(Source::Text(vec![TextPiece::Matched], before()?));
            }
            (Collection::MatchedVarName | Collection::MatchedVarsNames, Sense::Values) => {
                out.push(Source::Text(vec![TextPiece::Name], before()?));
            }
            (collection, _) if collection.is_set_by_rules() => {
                self.tx(resolver, chain, variable, out)?;
            }
            (_, Sense::Count) => out.push(Source::Count(target::of(variable, chain.phase)?)),
            _ => out.push(Source::Targets(target::of(variable, chain.phase)?)),
        }
        Ok(())
    }

    /// What a variable of TX stands for that is not constant.
    fn tx(
        &mut self,
        resolver: &Resolver<'_, '_>,
        chain: &Chain,
        variable: &Variable,
        out: &mut Vec<Source>,
    ) -> Result<(), String> {
        if variable.sense != Sense::Values {
            return Err("it counts variables of TX that are not constant".to_owned());
        }
        if let Selector::Name(name) = &variable.selector {
            if is_group(name) {
                let of = self.captured.ok_or("no link before it captures")?;
                out.push(Source::Text(vec![TextPiece::Capture(group(name))], of));
                return Ok(());
            }
            if let Some((text, of)) = self.own.get(&constant::key(variable.collection, name)) {
                out.push(Source::Text(text.clone(), *of));
                return Ok(());
            }
            if let Some(own) = self.own_values.get(&constant::key(variable.collection, name)) {
                let (matcher, text) = own.condition(chain.phase, chain.at.line)?;
                out.push(Source::Text(text, self.conditions.len()));
                self.conditions.push(vec![matcher]);
                return Ok(());
            }
        }
        if let Selector::Regex(pattern) = &variable.selector {
            let regex = expression(pattern)?;
            let own =
                self.own_prefixes.iter().filter(|(name, ..)| regex.is_match(&format!("{name}x")));
            let own: Vec<_> = own.map(|(_, text, of)| Source::Text(text.clone(), *of)).collect();
            if !own.is_empty() {
                out.extend(own);
                return Ok(());
            }
        }
        let chosen =
            constant::chosen(&resolver.tx, variable).ok_or("it asks of every variable of TX")?;
        for (name, value) in chosen {
            for giver in &value.givers {
                self.unless.extend(&giver.unless);
                match &giver.given {
                    Given::Text(text) => {
                        let first = self.conditions.len();
                        self.conditions.extend(giver.conditions.iter().cloned());
                        out.push(Source::Text(text.clone(), first + giver.of));
                    }
                    Given::Counted => {}
                    Given::Unknown(why) => return Err(why.clone()),
                }
            }
            if value.known.is_some() {
                return Err(format!("`tx.{name}` has a value, and rules may give it another"));
            }
            if value.givers.len() > 1 {
                return Err(format!("several rules set `tx.{name}`"));
            }
        }
        Ok(())
    }

    /// Takes a link that asks how the variables are called that a link before it has counted, where all are called so.
    fn counts_named(&self, link: &Link) -> Result<bool, String> {
        let ([variable], Some(operator)) = (link.variables.as_slice(), &link.operator) else {
            return Ok(false);
        };
        let names = matches!(
            variable.collection,
            Collection::MatchedVarName | Collection::MatchedVarsNames
        );
        let Some(Variable { collection, selector: Selector::Regex(counted), .. }) = &self.counted
        else {
            return Ok(false);
        };
        if !names || operator.name != OperatorName::Rx || operator.negated {
            return Ok(false);
        }
        let begins = format!("{}:{}", collection.name(), counted.trim_end_matches(".*"));
        let asked = expression(operator.argument.plain().unwrap_or_default())?;
        match ["", "x"].iter().all(|rest| asked.is_match(&format!("{begins}{rest}"))) {
            true => Ok(true),
            false => Err("it asks how counted variables are called".to_owned()),
        }
    }

    /// A link that asks how often a name comes: what counts it is one rule, what asks another.
    fn counter(&self, resolver: &Resolver<'_, '_>, link: &Link) -> Result<Option<Matcher>, String> {
        let [variable] = link.variables.as_slice() else { return Ok(None) };
        if !resolve::is_tx(variable) {
            return Ok(None);
        }
        let Some(chosen) = constant::chosen(&resolver.tx, variable) else {
            return Ok(None);
        };
        let mut givers = chosen.iter().flat_map(|(_, value)| &value.givers);
        let Some(giver) = givers.next().filter(|giver| matches!(giver.given, Given::Counted))
        else {
            return Ok(None);
        };
        let [alternatives] = giver.conditions.as_slice() else {
            return Err("what counts names has several conditions".to_owned());
        };
        let [counted] = alternatives.as_slice() else {
            return Err("what counts names has several alternatives".to_owned());
        };
        let operator = link.operator.as_ref().ok_or("it asks nothing")?;
        let relation = operator::relation(operator.name).ok_or("names are compared as numbers")?;
        let number = constant::text(&resolver.tx, &operator.argument)
            .ok_or("names are counted against a constant number")?;
        let number = u32::try_from(operator::number(&number)).unwrap_or(0);
        Ok(Some(Matcher {
            operator: Operator::SameName(relation, number),
            negated: operator.negated,
            transform: Vec::new(),
            line: operator.at.line,
            ..counted.clone()
        }))
    }

    /// A text with macros, put together from what is constant and what the condition `of` gives.
    fn pieces(
        &self,
        resolver: &Resolver<'_, '_>,
        template: &Template,
        of: Option<usize>,
    ) -> Result<Vec<TextPiece>, String> {
        let mut pieces: Vec<TextPiece> = Vec::new();
        for piece in &template.0 {
            let next = match piece {
                Piece::Text(text) => vec![TextPiece::Text(text.clone())],
                Piece::Macro { collection, key } => {
                    self.macro_(resolver, *collection, key.as_deref(), of)?
                }
            };
            for piece in next {
                match (pieces.last_mut(), piece) {
                    (Some(TextPiece::Text(text)), TextPiece::Text(more)) => text.push_str(&more),
                    (_, TextPiece::Text(text)) if text.is_empty() => {}
                    (_, piece) => pieces.push(piece),
                }
            }
        }
        Ok(pieces)
    }

    fn macro_(
        &self,
        resolver: &Resolver<'_, '_>,
        collection: Collection,
        key: Option<&str>,
        of: Option<usize>,
    ) -> Result<Vec<TextPiece>, String> {
        let written = || {
            let key = key.map(|key| format!(".{key}")).unwrap_or_default();
            format!("%{{{}{key}}}", collection.name())
        };
        let within = |piece: TextPiece, is: bool| match is {
            true => Ok(vec![piece]),
            false => Err(format!("{} is of another link", written())),
        };
        match (collection, key) {
            (Collection::Tx, Some(key)) if is_group(key) => {
                within(TextPiece::Capture(group(key)), of.is_some() && of == self.captured)
            }
            (collection, Some(key)) if collection.is_set_by_rules() => {
                let key = constant::key(collection, key);
                if let Some((text, own)) = self.own.get(&key) {
                    return if of == Some(*own)
                        || text.iter().all(|it| matches!(it, TextPiece::Text(_)))
                    {
                        Ok(text.clone())
                    } else {
                        Err(format!("{} is of another link", written()))
                    };
                }
                match resolver.tx.get(&key) {
                    None => Ok(Vec::new()),
                    Some(value) if value.givers.is_empty() => {
                        Ok(vec![TextPiece::Text(value.known.clone().unwrap_or_default())])
                    }
                    Some(_) => Err(format!("{} is not constant", written())),
                }
            }
            (Collection::MatchedVar, None) => within(TextPiece::Matched, of.is_some()),
            (Collection::MatchedVarName, None) => within(TextPiece::Name, of.is_some()),
            (Collection::RequestHeaders, Some(key)) if key.eq_ignore_ascii_case("host") => {
                Ok(vec![TextPiece::Host])
            }
            (Collection::RequestMethod, None) => Ok(vec![TextPiece::Method]),
            _ => Err(format!("the macro {}", written())),
        }
    }

    /// Notes what a link sets, for the links after it.
    fn note(&mut self, resolver: &Resolver<'_, '_>, link: &Link) -> Result<(), String> {
        let Some(of) = self.before else { return Ok(()) };
        for set in resolve::changes(link) {
            let (name, is_prefix) = constant::name(&resolver.tx, set);
            let Change::Set(value) = &set.change else { continue };
            match self.pieces(resolver, value, Some(of)) {
                Ok(text) if is_prefix => self.own_prefixes.push((name, text, of)),
                Ok(text) => {
                    self.own.insert(name, (text, of));
                }
                Err(why) => match around(&resolver.tx, value).filter(|_| !is_prefix) {
                    Some(around) => drop(self.own_values.insert(name, around)),
                    // Who reads it is left out.
                    None => drop(self.untold.insert(name, why)),
                },
            }
        }
        Ok(())
    }

    fn note_constant(&mut self, resolver: &Resolver<'_, '_>, link: &Link) -> Result<(), String> {
        for set in resolve::changes(link) {
            let (name, _) = constant::name(&resolver.tx, set);
            let Change::Set(value) = &set.change else { continue };
            if let Ok(text) = self.pieces(resolver, value, None) {
                self.own.insert(name, (text, usize::MAX));
            }
        }
        Ok(())
    }
}

/// Notes what a rule sets for later rules.
fn give(resolver: &mut Resolver<'_, '_>, chain: &Chain, builder: &Builder) {
    let next = resolver.next_rule();
    let kept = resolver.kept_by(chain, false);
    for (link, (conditions, unless)) in chain.links.iter().zip(&builder.reached) {
        for set in resolve::removed(link) {
            let (name, is_prefix) = constant::name(&resolver.tx, set);
            let why = format!("rule {} takes `tx.{name}` away", chain.id);
            let value = resolver.tx.entry(name).or_default();
            value.is_prefix |= is_prefix;
            value.givers.push(Giver::unknown(why));
        }
        for set in resolve::changes(link) {
            let (name, is_prefix) = constant::name(&resolver.tx, set);
            if constant::is_score(&name) || name == "anomaly_score" {
                continue;
            }
            let own = builder.own.get(&name).cloned().or_else(|| {
                let mut prefixes = builder.own_prefixes.iter();
                prefixes.find(|(own, ..)| *own == name).map(|(_, text, of)| (text.clone(), *of))
            });
            let counted = matches!(&set.change, Change::Add(value) if value.plain() == Some("1"))
                && matches!(
                    set.name.0.last(),
                    Some(Piece::Macro { collection: Collection::MatchedVarName, .. })
                );
            let (given, of) = match own {
                Some((text, of)) if of != usize::MAX => (Given::Text(text), of),
                Some((text, _)) if text.iter().all(|it| matches!(it, TextPiece::Text(_))) => {
                    (Given::Text(text), 0)
                }
                _ if counted => (Given::Counted, 0),
                _ => (Given::Unknown(format!("rule {} sets `tx.{name}`", chain.id)), 0),
            };
            let value = resolver.tx.entry(name).or_default();
            value.is_prefix |= is_prefix;
            let rule = Some(next);
            let (mut conditions, mut unless) = (conditions.clone(), unless.clone());
            unless.extend(&kept);
            if conditions.is_empty() {
                conditions.push(vec![anything(chain)]);
            }
            value.givers.push(Giver { conditions, unless, of, given, rule });
        }
    }
}

/// A matcher that holds of every message of a phase.
fn anything(chain: &Chain) -> Matcher {
    let target = if chain.phase >= 3 { Target::ResponseStatus } else { Target::Method };
    Matcher {
        targets: vec![ir::TargetName::new(target, None)],
        except: Vec::new(),
        transform: Vec::new(),
        operator: Operator::Always,
        negated: false,
        line: chain.at.line,
        or: false,
        capture: false,
        then: None,
    }
}

/// The names of variables that an expression means.
fn expression(pattern: &str) -> Result<regex_automata::meta::Regex, String> {
    regex_automata::meta::Regex::new(&format!("(?i){}", super::pattern::rewrite(pattern)))
        .map_err(|_| format!("`{pattern}` is no regular expression"))
}

fn group(key: &str) -> u8 {
    key.bytes().next().map_or(0, |digit| digit.wrapping_sub(b'0'))
}

/// A matcher, or with `multiMatch` one for what each transformation makes.
fn multiplied(matcher: Matcher, multi: bool) -> Vec<Matcher> {
    if !multi {
        return vec![matcher];
    }
    let steps = matcher.transform.len();
    let prefix = |count: usize| Matcher {
        transform: matcher.transform[..count].to_vec(),
        ..matcher.clone()
    };
    (0..=steps).map(prefix).collect()
}

/// Adds a link at the end.
fn append(head: &mut Matcher, link: ir::Link) {
    let mut last = head;
    while last.then.is_some() {
        match &mut last.then {
            Some(then) => last = &mut then.matcher,
            None => return,
        }
    }
    last.then = Some(Box::new(link));
}

/// Leaves a variable out of what matchers look at.
pub(super) fn leave_out(conditions: &mut [Matcher], variable: &Variable) {
    let Ok(targets) = target::of(variable, 2) else { return };
    for matcher in conditions {
        matcher.except.extend(targets.iter().cloned());
    }
}
