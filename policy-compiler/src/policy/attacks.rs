//! `attacks`: packs, how they are weighed, and what is excepted.

use super::read::{action, list, span, text, word};
use super::size;
use crate::diag::{self, Diagnostic, Diagnostics, Span};
use crate::ir::{
    Action, AttackMode, AttackSettings, Attacks, Exception, ResponseBodies, RuleSelector,
    TargetName, Tuning,
};
use crate::rules;
use crate::seclang;
use crate::source::Node;
use std::time::UNIX_EPOCH;

/// What a policy says of attack rules: packs by name, each with its place, and all but their rules.
#[derive(Clone, Debug)]
pub struct AttackPolicy {
    /// Packs as the policy names them.
    pub packs: Vec<(String, Span)>,
    /// Sets of rules in SecLang, with paths relative to the policy.
    pub sets: Vec<(seclang::Options, Span)>,
    /// Whether the policy says the scores from which requests and answers are refused.
    pub gives_threshold: (bool, bool),
    /// How their rules are weighed.
    pub attacks: Attacks,
    /// Where each exception, then each entry of `rules`, stands.
    pub places: Vec<(RuleSelector, Span)>,
}

/// Reads `attacks` of the policy.
pub(super) fn read(node: Node<'_>, path: &str) -> AttackPolicy {
    let named =
        list(node, "packs").filter_map(|it| Some((it.as_text()?.to_owned(), span(it, path))));
    let mut packs: Vec<_> = named.collect();
    let sets: Vec<(seclang::Options, Span)> =
        list(node, "rules").filter_map(|it| Some((set(it)?, span(it, path)))).collect();
    if packs.is_empty() && sets.is_empty() && node.get("packs").is_none() {
        packs.push((rules::API_CORE.to_owned(), span(node, path)));
    }
    let gives = |field: &str| node.get("threshold").is_some_and(|it| it.get(field).is_some());
    let gives_threshold = (gives("inbound"), gives("outbound"));
    let threshold = |field: &str, default: u16| {
        let number = node.get("threshold").and_then(|it| it.get(field)).and_then(Node::as_number);
        number.and_then(|it| u16::try_from(it.as_u64()?).ok()).unwrap_or(default)
    };
    let paranoia = node.get("paranoia").and_then(Node::as_number).and_then(|it| it.as_u64());
    let own = settings(Some(node), &AttackSettings::default());
    let exceptions = list(node, "exceptions").filter_map(exception).collect();
    let excepting = list(node, "exceptions").filter_map(|it| Some((excepted(it)?, span(it, path))));
    let tuning = list(node, "rules").filter_map(|it| Some((selector(it)?, span(it, path))));
    let places = excepting.chain(tuning).collect();
    let attacks = Attacks {
        rules: Vec::new(),
        mode: own.mode,
        paranoia: paranoia.and_then(|it| u8::try_from(it).ok()).unwrap_or(1),
        inbound: threshold("inbound", 5),
        outbound: threshold("outbound", 4),
        budget: bytes(Some(node), "budget", 16 << 20),
        budget_end: action(Some(node), "budget_end", Action::Block),
        unreadable_bodies: action(Some(node), "unreadable_bodies", Action::Block),
        raw_body: bytes(Some(node), "raw_body", 128 << 10),
        response_body: response_bodies(node.get("response_body")),
        tuning: own.tuning,
        exceptions,
        removals: Vec::new(),
    };
    AttackPolicy { packs, sets, gives_threshold, attacks, places }
}

/// Media types of bodies of answers that are read where the policy names none: texts, JSON and XML that end.
pub(super) const RESPONSE_TYPES: [&str; 5] =
    ["text/*", "application/json", "application/*+json", "application/xml", "application/*+xml"];

fn response_bodies(node: Option<Node<'_>>) -> ResponseBodies {
    let named = node.into_iter().flat_map(|node| list(node, "media_types"));
    let mut media_types: Vec<String> =
        named.filter_map(|it| Some(it.as_text()?.to_ascii_lowercase())).collect();
    if media_types.is_empty() {
        media_types = RESPONSE_TYPES.map(str::to_owned).to_vec();
    }
    ResponseBodies {
        limit: bytes(node, "limit", 128 << 10),
        media_types,
        larger: action(node, "larger", Action::Allow),
        coded: action(node, "coded", Action::Allow),
        identity: node.and_then(|it| it.get("identity")).and_then(Node::as_bool).unwrap_or(false),
    }
}

fn bytes(node: Option<Node<'_>>, field: &str, default: u32) -> u32 {
    let size = node.and_then(|it| text(it, field)).and_then(|text| size::parse(&text).ok());
    size.and_then(|size| u32::try_from(size).ok()).unwrap_or(default)
}

/// Whether a text is a media type, or a range of them: `text/*`, `application/*+json`.
fn is_media_range(text: &str) -> bool {
    let is_token = |part: &str| {
        !part.is_empty()
            && part.bytes().all(|it| it.is_ascii_alphanumeric() || b"!#$&^_.+-".contains(&it))
    };
    let Some((kind, name)) = text.split_once('/') else { return false };
    let rest = name.strip_prefix('*');
    is_token(kind)
        && match rest {
            Some(suffix) => suffix.is_empty() || (suffix.starts_with('+') && is_token(suffix)),
            None => is_token(name),
        }
}

/// Reads `attacks` of a policy, an API or an operation: what is inherited, and what is said anew.
pub(super) fn settings(node: Option<Node<'_>>, inherited: &AttackSettings) -> AttackSettings {
    let Some(node) = node else { return inherited.clone() };
    let mut own = inherited.clone();
    own.mode = mode(node).unwrap_or(inherited.mode);
    own.tuning.extend(list(node, "rules").filter_map(|entry| {
        Some(Tuning { rules: selector(entry)?, at: at(entry), mode: mode(entry)? })
    }));
    own
}

/// A set of rules in SecLang.
fn set(node: Node<'_>) -> Option<seclang::Options> {
    let mut variables: Vec<(String, String)> = list(node, "variables")
        .filter_map(|it| it.as_text()?.split_once('='))
        .map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned()))
        .collect();
    if let Some(level) = node.get("paranoia").and_then(Node::as_number).and_then(|it| it.as_u64()) {
        // The Core Rule Set 4, and 3.
        for name in ["blocking_paranoia_level", "detection_paranoia_level", "paranoia_level"] {
            variables.push((name.to_owned(), level.to_string()));
        }
    }
    Some(seclang::Options { folder: text(node, "crs")?, setup: text(node, "setup"), variables })
}

fn mode(node: Node<'_>) -> Option<AttackMode> {
    match word(Some(node), "mode")? {
        "enforce" => Some(AttackMode::Enforce),
        "monitor" => Some(AttackMode::Monitor),
        "off" => Some(AttackMode::Off),
        _ => None,
    }
}

fn selector(node: Node<'_>) -> Option<RuleSelector> {
    match (text(node, "rule"), text(node, "tag")) {
        (Some(id), None) => Some(RuleSelector::Id(id)),
        (None, Some(tag)) => Some(RuleSelector::Tag(tag)),
        _ => None,
    }
}

/// The rules of an exception: where none are named, all on an operation or at a place.
fn excepted(node: Node<'_>) -> Option<RuleSelector> {
    let unnamed = node.get("rule").is_none() && node.get("tag").is_none();
    let narrowed = node.get("operation").is_some() || node.get("at").is_some();
    if unnamed && narrowed { Some(RuleSelector::All) } else { selector(node) }
}

fn at(node: Node<'_>) -> Option<TargetName> {
    rules::parse_target(&text(node, "at")?)?.into_iter().next()
}

/// Whether a text is one that stands for what is still to be written.
fn is_placeholder(text: &str) -> bool {
    let text = text.trim();
    text.is_empty() || (text.starts_with('<') && text.ends_with('>'))
}

fn exception(node: Node<'_>) -> Option<Exception> {
    Some(Exception {
        rules: excepted(node)?,
        operation: text(node, "operation"),
        at: at(node),
        owner: text(node, "owner")?,
        reason: text(node, "reason")?,
        expires: day(&text(node, "expires")?)?,
        line: node.position().line,
    })
}

/// Seconds since 1970 at the beginning of a day, in UTC.
fn day(text: &str) -> Option<i64> {
    let plain = text.len() == 10 && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
    let time = humantime::parse_rfc3339(&format!("{text}T00:00:00Z")).ok().filter(|_| plain)?;
    i64::try_from(time.duration_since(UNIX_EPOCH).ok()?.as_secs()).ok()
}

/// What is wrong with an entry that names a set of rules.
fn check_set(entry: Node<'_>, wrong: &mut impl FnMut(Node<'_>, String, &str)) {
    if ["rule", "tag", "mode"].into_iter().any(|field| entry.get(field).is_some()) {
        let title = "an entry of `rules` names a set of rules, or says the mode of some".to_owned();
        wrong(entry, title, "write two entries");
    }
    for variable in list(entry, "variables") {
        let text = variable.as_text().unwrap_or_default();
        let sound = text.split_once('=').is_some_and(|(name, value)| {
            let plain = |it: u8| it.is_ascii_alphanumeric() || it == b'_';
            !name.trim().is_empty()
                && name.trim().bytes().all(plain)
                && !value.contains(['\'', '"', '%', '\\'])
        });
        if !sound {
            wrong(variable, format!("`{text}` is no variable"), "write `arg_length=400`");
        }
    }
}

/// What the shape alone cannot say.
pub(super) fn check(root: Node<'_>, path: &str, diagnostics: &mut Diagnostics) {
    let mut wrong = |node: Node<'_>, title: String, help: &str| {
        let diagnostic = Diagnostic::new(diag::POLICY_VALUE, title).at(span(node, path)).help(help);
        diagnostics.push(diagnostic);
    };
    let apis = || list(root, "apis");
    let operations = apis().flat_map(|api| list(api, "operations"));
    let owners = std::iter::once(root).chain(apis()).chain(operations);
    for attacks in owners.filter_map(|owner| owner.get("attacks")) {
        if root.get("attacks").is_none() {
            let title = "attack rules are set for a part of a policy that has none".to_owned();
            wrong(attacks, title, "write `attacks: {}` at the top to take the rules of `api-core`");
        }
        let bodies = attacks.get("response_body").into_iter();
        for range in bodies.flat_map(|bodies| list(bodies, "media_types")) {
            let text = range.as_text().unwrap_or_default();
            if !is_media_range(text) {
                let title = format!("`{text}` is no media type");
                wrong(range, title, "write `application/json`, `text/*` or `application/*+json`");
            }
        }
        for entry in list(attacks, "exceptions") {
            for field in ["owner", "reason", "expires"] {
                let node = entry.get(field).filter(|it| it.as_text().is_some_and(is_placeholder));
                if let Some(node) = node {
                    let title = format!("`{field}` of an exception is still to be filled in");
                    wrong(
                        node,
                        title,
                        "say who answers for it, why it is acceptable, and until which day",
                    );
                }
            }
        }
        for entry in list(attacks, "rules") {
            if entry.get("crs").is_some() {
                check_set(entry, &mut wrong);
            } else if let Some(field) = ["setup", "paranoia", "variables"]
                .into_iter()
                .find(|field| entry.get(field).is_some())
            {
                let title = format!("`{field}` is of an entry with `crs`");
                wrong(entry, title, "write `crs: rules/` for a folder of rules in SecLang");
            } else if entry.get("mode").is_none() {
                let title = "an entry of `rules` needs `mode`".to_owned();
                wrong(entry, title, "write `mode: monitor`, or `crs: rules/`");
            }
        }
        let tuning = list(attacks, "rules")
            .filter(|entry| entry.get("crs").is_none())
            .map(|entry| (entry, selector(entry)));
        let excepting = list(attacks, "exceptions").map(|entry| (entry, excepted(entry)));
        for (entry, rules) in tuning.chain(excepting) {
            if rules.is_none() {
                let title = "rules are named either by `rule` or by `tag`".to_owned();
                wrong(entry, title, "write `rule: sqli-union`, or `tag: attack-sqli`");
            }
            if let (Some(node), Some(at)) = (entry.get("at"), text(entry, "at"))
                && rules::parse_target(&at).is_none_or(|targets| targets.len() != 1)
            {
                let title = format!("`{at}` is no target");
                wrong(
                    node,
                    title,
                    "write one target, as `body./memo`, `query.q` or `headers.referer`",
                );
            }
            if let (Some(node), Some(text)) = (entry.get("expires"), text(entry, "expires"))
                && day(&text).is_none()
                && !is_placeholder(&text)
            {
                wrong(node, format!("`{text}` is no day"), "write it as `2027-06-30`");
            }
        }
    }
}
