//! `portcullis inspect --rules`: which attack rules look at the values of an operation, and why others cannot match.

use super::Format as Output;
use super::files::CliError;
use crate::diag::did_you_mean;
use crate::lower::rules::narrow::{Narrow, Ways};
use crate::positions::{Position, positions};
use portcullis_bundle::layout::{
    CodeLayout, Format, Keyword, Mode, NONE, NarrowingKind as Kind, Operation, RULE_SILENT, Rule,
    TYPE_FRACTION, TYPE_INTEGER, TYPE_STRING, Target, View,
};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Rules that a line of the table names, at most.
const MAX_NAMED: usize = 12;

/// Prints the rules of every operation that a name means.
pub fn print(view: &View<'_>, name: &str, format: Output) -> Result<(), CliError> {
    let operations = named(view, name)?;
    let told: Vec<Value> = operations.into_iter().map(|(at, of)| tell(view, at, of)).collect();
    match format {
        Output::Json => println!("{}", serde_json::to_string_pretty(&told).unwrap_or_default()),
        Output::Text => told.iter().for_each(print_text),
    }
    Ok(())
}

/// The operations that an `operationId`, or a method and a path template, means.
fn named<'v>(view: &View<'v>, name: &str) -> Result<Vec<(u32, &'v Operation)>, CliError> {
    let called = |of: &Operation| format!("{} {}", view.text(of.method), view.text(of.template));
    let (method, path) = name.split_once(char::is_whitespace).unwrap_or(("", name));
    let is = |of: &Operation| {
        let template = view.text(of.template);
        let fits = template == path.trim() || template.ends_with(path.trim()) && path.len() > 1;
        (!name.is_empty() && view.text(of.operation_id) == name)
            || (view.text(of.method).eq_ignore_ascii_case(method) && fits)
    };
    let all = || (0..).zip(view.operations);
    let exact: Vec<_> = all().filter(|(_, of)| called(of) == name).collect();
    let found = if exact.is_empty() { all().filter(|(_, of)| is(of)).collect() } else { exact };
    if !found.is_empty() {
        return Ok(found);
    }
    let names: Vec<String> = view.operations.iter().map(called).collect();
    let ids = view.operations.iter().map(|of| view.text(of.operation_id));
    let help = did_you_mean(name, names.iter().map(String::as_str).chain(ids));
    let help = help.map_or_else(String::new, |help| format!(": {help}"));
    Err(CliError::Other(format!("the bundle has no operation `{name}`{help}")))
}

fn tell(view: &View<'_>, at: u32, of: &Operation) -> Value {
    let operation = json!({
        "method": view.text(of.method),
        "template": view.text(of.template),
        "operation_id": view.text(of.operation_id),
        "api": view.apis.get(of.api.get() as usize).map_or("", |api| view.text(api.name)),
        "mode": if Mode::from_code(of.mode) == Some(Mode::Enforce) { "enforce" } else { "monitor" },
    });
    let Some(attacks) = view.attacks.first() else {
        return json!({ "operation": operation, "attacks": "none", "positions": [] });
    };
    let own = view.operation_rules.get(at as usize);
    let mode = own.map_or(attacks.mode, |own| own.mode);
    let attack_mode = match (own.is_some_and(|own| own.off == 1), Mode::from_code(mode)) {
        (true, _) => "off",
        (_, Some(Mode::Enforce)) => "enforce",
        _ => "monitor",
    };
    let sets = Sets::of(view, at);
    let off: Vec<&str> = sets.rules(|matcher| !sets.enabled(matcher)).into_keys().collect();
    let monitored: Vec<&str> = sets
        .rules(|matcher| sets.enabled(matcher) && sets.monitored(matcher))
        .into_keys()
        .collect();
    // Only what is refused otherwise is known to have its type.
    let enforced = operation["mode"] == "enforce" && attack_mode != "off";
    let told: Vec<Value> = positions(view, of)
        .iter()
        .map(|position| sets.tell(position, enforced))
        .filter(|told| told["remaining"] != json!([]) || told["skipped"] != json!([]))
        .collect();
    json!({
        "operation": operation,
        "attacks": attack_mode,
        "threshold": attacks.threshold_inbound.get(),
        "off": off,
        "monitored": monitored,
        "exceptions": exceptions(view, at, &sets),
        "rules": if attack_mode == "off" { Vec::new() } else { of_rules(view, &told) },
        "positions": if attack_mode == "off" { Vec::new() } else { told },
    })
}

/// The rules that look at a position, each with where it applies and where the contract leaves it out.
fn of_rules(view: &View<'_>, positions: &[Value]) -> Vec<Value> {
    let mut places: BTreeMap<&str, [Vec<&str>; 2]> = BTreeMap::new();
    for position in positions {
        let name = position["position"].as_str().unwrap_or_default();
        let each = |list: &'static str| position[list].as_array().into_iter().flatten();
        for rule in each("remaining").filter_map(Value::as_str) {
            places.entry(rule).or_default()[0].push(name);
        }
        for rule in each("skipped").filter_map(|it| it["rule"].as_str()) {
            places.entry(rule).or_default()[1].push(name);
        }
    }
    let of = |rule: &Rule| {
        let id = view.text(rule.id);
        let [applies, skipped] = places.get(id)?;
        let tags: Vec<&str> = view.text(rule.tags).split_ascii_whitespace().collect();
        Some(json!({
            "rule": id, "title": view.text(rule.title), "paranoia": rule.paranoia,
            "severity": rule.severity, "points": rule.score.get(), "tags": tags,
            "applies": applies, "skipped": skipped,
        }))
    };
    view.rules.iter().filter(|rule| rule.flags & RULE_SILENT == 0).filter_map(of).collect()
}

fn exceptions(view: &View<'_>, at: u32, sets: &Sets<'_, '_>) -> Vec<Value> {
    let own = view.exceptions.iter().filter(|it| [NONE, at].contains(&it.operation.get()));
    own.map(|it| {
        let rules: Vec<&str> =
            sets.rules(|matcher| sets.holds(it.matchers.get(), matcher)).into_keys().collect();
        let selector = (it.selects == 1)
            .then(|| show_selector(it.selector.target, view.text(it.selector.name)));
        json!({
            "rules": rules,
            "at": selector,
            "owner": view.text(it.owner),
            "reason": view.text(it.reason),
            "expires": super::files::show_time(it.expires.get()),
        })
    })
    .collect()
}

/// A target and a name as policies write them.
pub fn show_selector(target: u8, name: &str) -> String {
    let name = (!name.is_empty()).then(|| name.to_owned());
    let target = Target::from_code(target).unwrap_or(Target::Request);
    crate::rules::target_name(&crate::ir::TargetName::new(target, name))
}

/// The sets of a bundle, as one operation has them.
struct Sets<'a, 'v> {
    view: &'a View<'v>,
    enabled: u16,
    monitored: u16,
    /// What each statement leaves.
    statements: BTreeMap<Narrow, u16>,
}

impl<'a, 'v> Sets<'a, 'v> {
    fn of(view: &'a View<'v>, at: u32) -> Self {
        let own = view.operation_rules.get(at as usize);
        let all = view.attacks.first();
        let statements = view.narrowings.iter().filter_map(|it| {
            let narrow = Narrow { kind: Kind::from_code(it.kind)?, index: it.index.get() };
            Some((narrow, it.matchers.get()))
        });
        let of_all = all.map_or((0, 0), |all| (all.enabled.get(), all.monitored.get()));
        let (enabled, monitored) =
            own.map_or(of_all, |own| (own.enabled.get(), own.monitored.get()));
        Sets { view, enabled, monitored, statements: statements.collect() }
    }

    fn holds(&self, set: u16, matcher: u32) -> bool {
        let words = self.view.attacks.first().map_or(1, |attacks| usize::from(attacks.set_words));
        let at = usize::from(set) * words + matcher as usize / 64;
        self.view.matcher_sets.get(at).is_some_and(|word| word.get() >> (matcher % 64) & 1 == 1)
    }

    fn enabled(&self, matcher: u32) -> bool {
        self.holds(self.enabled, matcher)
    }

    fn monitored(&self, matcher: u32) -> bool {
        self.holds(self.monitored, matcher)
    }

    /// The rules, by name, of the matchers that are meant, with these.
    fn rules(&self, is: impl Fn(u32) -> bool) -> BTreeMap<&'v str, Vec<u32>> {
        let mut found: BTreeMap<&str, Vec<u32>> = BTreeMap::new();
        for (at, matcher) in (0..).zip(self.view.matchers) {
            let rule: Option<&Rule> = self.view.rules.get(matcher.rule.get() as usize);
            if let Some(rule) = rule.filter(|_| is(at)) {
                found.entry(self.view.text(rule.id)).or_default().push(at);
            }
        }
        found
    }

    fn tell(&self, position: &Position, enforced: bool) -> Value {
        let aims = |matcher: u32| {
            self.enabled(matcher)
                && self.holds(u16::from(position.target.code()), matcher)
                && position.is_meant(self.view, matcher)
        };
        let set = position.set.filter(|_| enforced);
        let can = |matcher: u32| set.is_none_or(|set| self.holds(set, matcher));
        let (mut remaining, mut skipped) = (Vec::new(), Vec::new());
        for (rule, matchers) in self.rules(aims) {
            if matchers.iter().any(|matcher| can(*matcher)) {
                remaining.push(rule);
            } else {
                let mut why: Vec<String> = Vec::new();
                for matcher in matchers {
                    self.why(position, matcher, &mut why);
                }
                skipped.push(json!({ "rule": rule, "why": why }));
            }
        }
        json!({
            "position": position.name,
            "contract": contract(self.view, position.schema, &position.ways),
            "remaining": remaining,
            "skipped": skipped,
        })
    }

    /// What of the contract leaves a matcher out.
    fn why(&self, position: &Position, matcher: u32, why: &mut Vec<String>) {
        let mut add = |reason: String| {
            if !why.contains(&reason) {
                why.push(reason);
            }
        };
        if position.ways.is_empty() {
            add("no text or number passes".to_owned());
        }
        for way in &position.ways {
            let excludes = |narrow: &&Narrow| {
                self.statements.get(*narrow).is_some_and(|set| !self.holds(*set, matcher))
            };
            for narrow in way.iter().filter(excludes) {
                add(reason(self.view, position.schema, *narrow));
            }
        }
    }
}

/// What a statement says, in words of the document.
fn reason(view: &View<'_>, schema: u32, narrow: Narrow) -> String {
    match narrow.kind {
        Kind::Number => match view.schemas.get(schema as usize).map_or(0, |of| of.types) {
            types if types & TYPE_FRACTION == 0 && types & TYPE_INTEGER != 0 => {
                "type integer".to_owned()
            }
            _ => "type number".to_owned(),
        },
        Kind::TextNumber => "type number, in any notation of forms".to_owned(),
        Kind::Word => "type boolean or null".to_owned(),
        Kind::Format => format!("format {}", format_name(narrow.index)),
        Kind::Pattern | Kind::Class => match place(view, schema, Keyword::Pattern) {
            Some(place) => format!("pattern ({place}) shares no value with the rule"),
            None => "pattern shares no value with the rule".to_owned(),
        },
        Kind::Literals => "no value of the enum matches".to_owned(),
        Kind::Length => format!("maxLength {} is less than its shortest match", narrow.index),
        Kind::Items => "the items of the list, and what divides them".to_owned(),
    }
}

fn format_name(code: u32) -> String {
    let codes = <Format as CodeLayout>::CODES.iter();
    let name =
        codes.clone().find(|(own, ..)| u32::from(*own) == code).map_or("", |(_, name, _)| name);
    let mut kebab = String::new();
    for letter in name.chars() {
        if letter.is_ascii_uppercase() && !kebab.is_empty() {
            kebab.push('-');
        }
        kebab.push(letter.to_ascii_lowercase());
    }
    kebab
}

/// Where a keyword of a schema stands.
fn place(view: &View<'_>, schema: u32, keyword: Keyword) -> Option<String> {
    let own = view.traces.iter().filter(|trace| trace.schema.get() == schema);
    let trace = own.into_iter().find(|trace| trace.keyword == keyword.code());
    let origin = trace.map(|trace| trace.origin.get());
    let origin = origin.or_else(|| view.schemas.get(schema as usize).map(|of| of.origin.get()))?;
    let origin = view.origins.get(origin as usize)?;
    let document = view.documents.get(origin.document.get() as usize)?;
    Some(format!("{}:{}", view.text(document.name), origin.line.get()))
}

/// What a position's contract says, in a few words.
fn contract(view: &View<'_>, schema: u32, ways: &Ways) -> String {
    if ways.iter().any(Vec::is_empty) {
        let types = view.schemas.get(schema as usize).map_or(0, |of| of.types);
        let text = types & TYPE_STRING != 0 && types.count_ones() == 1;
        return if text { "any text" } else { "anything" }.to_owned();
    }
    let each = |way: &Vec<Narrow>| {
        let said: Vec<String> = way.iter().map(|narrow| short(view, schema, *narrow)).collect();
        said.join(", ")
    };
    let all: Vec<String> = ways.iter().map(each).collect();
    if all.is_empty() { "no text".to_owned() } else { all.join(" or ") }
}

fn short(view: &View<'_>, schema: u32, narrow: Narrow) -> String {
    match narrow.kind {
        Kind::Pattern | Kind::Class => "pattern".to_owned(),
        Kind::Literals => "enum".to_owned(),
        Kind::Length => format!("maxLength {}", narrow.index),
        Kind::Items => "list".to_owned(),
        _ => reason(view, schema, narrow),
    }
}

fn print_text(told: &Value) {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let of = &told["operation"];
    println!(
        "{} {} ({}) {}",
        text(&of["method"]),
        text(&of["template"]),
        text(&of["api"]),
        text(&of["operation_id"])
    );
    println!("mode: {}, attack rules: {}", text(&of["mode"]), text(&told["attacks"]));
    for name in ["off", "monitored"] {
        let rules = list(&told[name]);
        if !rules.is_empty() {
            println!("{name}: {}", names(&rules));
        }
    }
    for exception in list(&told["exceptions"]) {
        let at = exception["at"].as_str().map_or_else(String::new, |at| format!(" at {at}"));
        println!(
            "exception{at} until {}, {}: {}",
            text(&exception["expires"]),
            text(&exception["owner"]),
            names(&list(&exception["rules"]))
        );
    }
    if of["mode"] == "monitor" {
        println!("nothing is enforced in mode monitor, so no rule is skipped");
    }
    let positions = list(&told["positions"]);
    let width =
        positions.iter().map(|it| text(&it["position"]).len()).max().unwrap_or(0).clamp(8, 60);
    println!("\n{:<width$} {:>6} {:>7}  contract", "position", "remain", "skipped");
    for position in positions {
        let (remaining, skipped) = (list(&position["remaining"]), list(&position["skipped"]));
        println!(
            "{:<width$} {:>6} {:>7}  {}",
            text(&position["position"]),
            remaining.len(),
            skipped.len(),
            text(&position["contract"])
        );
        if !skipped.is_empty() && !remaining.is_empty() && remaining.len() <= MAX_NAMED {
            println!("    remain: {}", names(&remaining));
        }
        let mut reasons: BTreeMap<String, Vec<Value>> = BTreeMap::new();
        for rule in &skipped {
            let why: Vec<String> = list(&rule["why"]).iter().map(&text).collect();
            reasons.entry(why.join("; ")).or_default().push(rule["rule"].clone());
        }
        for (why, rules) in reasons {
            println!("    skipped, {why}: {}", names(&rules));
        }
    }
    print_rules(&list(&told["rules"]));
    println!();
}

/// A line for each rule: its level, what it adds to the score, and at how many positions it applies and is left out.
fn print_rules(rules: &[Value]) {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let count = |value: &Value| value.as_array().map_or(0, Vec::len);
    let width = rules.iter().map(|it| text(&it["rule"]).len()).max().unwrap_or(0).clamp(6, 40);
    println!("\n{:<width$} level severity points applies skipped  title", "rule");
    for rule in rules {
        println!(
            "{:<width$} {:>5} {:>8} {:>6} {:>7} {:>7}  {}",
            text(&rule["rule"]),
            rule["paranoia"].to_string(),
            rule["severity"].to_string(),
            rule["points"].to_string(),
            count(&rule["applies"]),
            count(&rule["skipped"]),
            text(&rule["title"])
        );
    }
}

fn names(rules: &[Value]) -> String {
    let named: Vec<&str> = rules.iter().take(MAX_NAMED).filter_map(Value::as_str).collect();
    let more = rules.len().saturating_sub(MAX_NAMED);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    named.join(", ") + &more
}
