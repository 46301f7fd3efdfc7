//! A pack's text as rules.

use super::{operator, sample, target, transformation};
use crate::diag::{self, Code, Diagnostic, Diagnostics, Span, did_you_mean};
use crate::ir::{Matcher, Rule, TargetName, Tests};
use crate::source::{self, Node};
use std::collections::HashMap;

/// Reads a file that a pack names, by its name.
pub type Beside<'a> = dyn FnMut(&str, &mut Diagnostics) -> Option<String> + 'a;

/// The fields of a pack.
const PACK: [&str; 3] = ["pack", "about", "rules"];
/// The fields of a rule.
const RULE: [&str; 14] = [
    "id",
    "title",
    "severity",
    "score",
    "paranoia",
    "tags",
    "targets",
    "except",
    "transform",
    "match",
    "not",
    "all",
    "same_value",
    "tests",
];
/// The fields of a condition of several.
const CONDITION: [&str; 5] = ["targets", "except", "transform", "match", "not"];

/// Reads a pack. Rules that are wrong are left out, with a diagnostic each.
pub fn read(
    path: &str,
    text: &str,
    beside: &mut Beside<'_>,
    diagnostics: &mut Diagnostics,
) -> Vec<Rule> {
    let Some(tree) = source::parse(path, text, diagnostics) else { return Vec::new() };
    let mut reader = Reader { path, beside, diagnostics };
    let root = tree.root();
    reader.fields(root, &PACK, "a pack");
    if reader.text(root, "pack").is_none() {
        reader.wrong(diag::RULE_MISSING, root, "a pack needs `pack`: its name".to_owned(), None);
    }
    let Some(rules) = root.get("rules").and_then(Node::elements) else {
        reader.wrong(diag::RULE_MISSING, root, "a pack needs `rules`: a list".to_owned(), None);
        return Vec::new();
    };
    let rules: Vec<Rule> = rules.filter_map(|node| reader.rule(node)).collect();
    let mut lines: HashMap<&str, u32> = HashMap::new();
    for rule in &rules {
        if let Some(first) = lines.insert(&rule.id, rule.line) {
            let title = format!("two rules have the name `{}`", rule.id);
            let again = Span::word(path, rule.line, 1);
            let diagnostic = Diagnostic::new(diag::RULE_DUPLICATE, title)
                .label(again, "again here")
                .label(Span::word(path, first, 1), "first here");
            reader.diagnostics.push(diagnostic);
        }
    }
    rules
}

/// Reads nodes of one pack, and says what is wrong with them.
pub(super) struct Reader<'a, 'b> {
    path: &'a str,
    beside: &'a mut Beside<'b>,
    diagnostics: &'a mut Diagnostics,
}

impl Reader<'_, '_> {
    fn rule(&mut self, node: Node<'_>) -> Option<Rule> {
        if node.members().is_none() {
            self.wrong(diag::RULE_VALUE, node, "a rule is an object".to_owned(), None);
            return None;
        }
        let known = self.fields(node, &RULE, "a rule");
        let id = self.needed(node, "id", "its name");
        let title = self.needed(node, "title", "what it is for, in one line");
        let (id, title) = (id?, title?);
        let plain = |it: char| it.is_ascii_lowercase() || it.is_ascii_digit() || it == '-';
        if !id.chars().all(plain) {
            let title = format!("`{id}` is no name of a rule");
            let help = "names are made of lower-case letters, digits and `-`".to_owned();
            self.wrong(diag::RULE_VALUE, node.get("id").unwrap_or(node), title, Some(help));
        }
        let score = self.score(node)?;
        let paranoia = self.number(node, "paranoia", 1, (1, 4))?;
        let tags = self.texts(node, "tags")?;
        let same_value = self.flag(node, "same_value")?;
        let conditions = self.conditions(node)?;
        let tests = match node.get("tests") {
            Some(tests) => sample::read(self, tests)?,
            None => Tests::default(),
        };
        known.then(|| Rule {
            id,
            title,
            score: u16::try_from(score).unwrap_or(u16::MAX),
            severity: severity(score),
            paranoia: u8::try_from(paranoia).unwrap_or(1),
            tags,
            file: self.path.to_owned(),
            line: node.position().line,
            conditions,
            same_value,
            silent: false,
            lenient: false,
            detects_only: false,
            tests,
        })
    }

    fn conditions(&mut self, node: Node<'_>) -> Option<Vec<Matcher>> {
        let Some(all) = node.get("all") else { return Some(vec![self.condition(node)?]) };
        for name in ["match", "not", "transform"] {
            if let Some(extra) = node.get(name) {
                let title =
                    format!("`{name}` stands within the conditions of `all`, not beside it");
                self.wrong(diag::RULE_VALUE, extra, title, None);
                return None;
            }
        }
        let Some(elements) = all.elements().filter(|it| it.len() > 0) else {
            let title = "`all` is a list of conditions".to_owned();
            self.wrong(diag::RULE_VALUE, all, title, None);
            return None;
        };
        let mut conditions = Vec::new();
        for element in elements {
            if !self.fields(element, &CONDITION, "a condition") {
                return None;
            }
            let mut condition = self.condition(element)?;
            if element.get("targets").is_none() && node.get("targets").is_some() {
                condition.targets = self.targets(node, "targets", &["values"])?;
            }
            conditions.push(condition);
        }
        Some(conditions)
    }

    fn condition(&mut self, node: Node<'_>) -> Option<Matcher> {
        let targets = self.targets(node, "targets", &["values"])?;
        if targets.iter().any(|it| it.is_outbound()) && !targets.iter().all(|it| it.is_outbound()) {
            let title = "a condition looks at requests or at answers, not at both".to_owned();
            let help = "write two rules, or two conditions under `all`".to_owned();
            self.wrong(diag::RULE_TARGET, node, title, Some(help));
            return None;
        }
        let except = self.targets(node, "except", &[])?;
        let transform = self.transformations(node)?;
        let negated = self.flag(node, "not")?;
        let Some(operator) = node.get("match") else {
            let title = "a rule needs `match`: one operator".to_owned();
            self.wrong(diag::RULE_MISSING, node, title, None);
            return None;
        };
        let line = operator.position().line;
        let operator = operator::read(self, operator)?;
        let (or, capture, then) = (false, false, None);
        Some(Matcher { targets, except, transform, operator, negated, line, or, capture, then })
    }

    fn targets(
        &mut self,
        node: Node<'_>,
        field: &str,
        default: &[&str],
    ) -> Option<Vec<TargetName>> {
        let Some(list) = node.get(field) else {
            return Some(default.iter().filter_map(|name| target::parse(name)).flatten().collect());
        };
        let mut targets = Vec::new();
        let elements = self.elements(list, &format!("`{field}`"))?;
        for element in elements {
            let text = element.as_text().unwrap_or_default();
            let Some(named) = target::parse(text) else {
                let place = text.split('.').next().unwrap_or_default();
                let help = did_you_mean(text, target::names())
                    .or_else(|| did_you_mean(place, target::names()))
                    .or(Some("RULES.md lists the targets".to_owned()));
                self.wrong(diag::RULE_TARGET, element, format!("`{text}` is no target"), help);
                return None;
            };
            targets.extend(named);
        }
        targets.sort();
        targets.dedup();
        Some(targets)
    }

    fn transformations(
        &mut self,
        node: Node<'_>,
    ) -> Option<Vec<portcullis_bundle::layout::Transformation>> {
        let Some(list) = node.get("transform") else { return Some(Vec::new()) };
        let mut steps = Vec::new();
        for element in self.elements(list, "`transform`")? {
            let text = element.as_text().unwrap_or_default();
            let Some(step) = transformation(text) else {
                let names = portcullis_bundle::layout::Transformation::ALL;
                let names: Vec<String> =
                    names.iter().map(|it| super::transformation_name(*it)).collect();
                let help = did_you_mean(text, names.iter().map(String::as_str))
                    .or(Some("RULES.md lists the transformations".to_owned()));
                let title = format!("`{text}` is no transformation");
                self.wrong(diag::RULE_TRANSFORMATION, element, title, help);
                return None;
            };
            steps.push(step);
        }
        Some(steps)
    }

    fn score(&mut self, node: Node<'_>) -> Option<u64> {
        if node.get("score").is_some() {
            return self.number(node, "score", 5, (0, 100));
        }
        let Some(severity) = node.get("severity") else { return Some(5) };
        let names = ["critical", "error", "warning", "notice"];
        let text = severity.as_text().unwrap_or_default();
        let Some(at) = names.iter().position(|name| *name == text) else {
            let help = did_you_mean(text, names)
                .or(Some(format!("the severities are `{}`", names.join("`, `"))));
            self.wrong(diag::RULE_VALUE, severity, format!("`{text}` is no severity"), help);
            return None;
        };
        Some(5 - at as u64)
    }

    /// Whether an object has known fields only.
    pub(super) fn fields(&mut self, node: Node<'_>, known: &[&str], what: &str) -> bool {
        let Some(members) = node.members() else {
            self.wrong(diag::RULE_VALUE, node, format!("{what} is an object"), None);
            return false;
        };
        let mut sound = true;
        for (member, value) in members {
            if !known.contains(&&*member.key) {
                sound = false;
                let help = did_you_mean(&member.key, known.iter().copied())
                    .unwrap_or_else(|| format!("the fields are `{}`", known.join("`, `")));
                let title = format!("{what} has no field `{}`", member.key);
                self.wrong(diag::RULE_FIELD, value, title, Some(help));
            }
        }
        sound
    }

    fn needed(&mut self, node: Node<'_>, field: &str, about: &str) -> Option<String> {
        let found = self.text(node, field).filter(|text| !text.is_empty());
        if found.is_none() {
            let title = format!("a rule needs `{field}`: {about}");
            self.wrong(diag::RULE_MISSING, node, title, None);
        }
        found
    }

    fn text(&self, node: Node<'_>, field: &str) -> Option<String> {
        node.get(field).and_then(Node::as_text).map(str::to_owned)
    }

    pub(super) fn flag(&mut self, node: Node<'_>, field: &str) -> Option<bool> {
        let Some(value) = node.get(field) else { return Some(false) };
        let found = value.as_bool();
        if found.is_none() {
            let title = format!("`{field}` is `true` or `false`");
            self.wrong(diag::RULE_VALUE, value, title, None);
        }
        found
    }

    pub(super) fn number(
        &mut self,
        node: Node<'_>,
        field: &str,
        default: u64,
        (least, most): (u64, u64),
    ) -> Option<u64> {
        let Some(value) = node.get(field) else { return Some(default) };
        let found = value.as_number().and_then(|number| number.as_u64());
        let found = found.filter(|number| (least..=most).contains(number));
        if found.is_none() {
            let title = format!("`{field}` is a whole number from {least} to {most}");
            self.wrong(diag::RULE_VALUE, value, title, None);
        }
        found
    }

    /// A list of texts in a field; empty where it is absent.
    pub(super) fn texts(&mut self, node: Node<'_>, field: &str) -> Option<Vec<String>> {
        let Some(list) = node.get(field) else { return Some(Vec::new()) };
        self.list_of_texts(list, field)
    }

    /// A list of texts, or of the lines of a file.
    pub(super) fn list_of_texts(&mut self, list: Node<'_>, field: &str) -> Option<Vec<String>> {
        if let Some(file) = list.get("file") {
            return self.lines(file);
        }
        let mut texts = Vec::new();
        for element in self.elements(list, &format!("`{field}`"))? {
            let Some(text) = element.as_text() else {
                let title = format!("an entry of `{field}` is a text");
                self.wrong(diag::RULE_VALUE, element, title, None);
                return None;
            };
            texts.push(text.to_owned());
        }
        Some(texts)
    }

    /// The lines of a file beside the pack, without comments and empty ones.
    pub(super) fn lines(&mut self, file: Node<'_>) -> Option<Vec<String>> {
        let name = file.as_text().unwrap_or_default();
        let Some(text) = (self.beside)(name, self.diagnostics) else {
            let title = format!("the file `{name}` cannot be read");
            let help = "files are named relative to the pack".to_owned();
            self.wrong(diag::RULE_VALUE, file, title, Some(help));
            return None;
        };
        let lines = text.lines().map(str::trim).filter(|it| !it.is_empty() && !it.starts_with('#'));
        Some(lines.map(str::to_owned).collect())
    }

    /// The elements of a list.
    pub(super) fn elements<'n>(&mut self, node: Node<'n>, what: &str) -> Option<Vec<Node<'n>>> {
        let found = node.elements().map(Iterator::collect);
        if found.is_none() {
            self.wrong(diag::RULE_VALUE, node, format!("{what} is a list"), None);
        }
        found
    }

    /// Says what is wrong with a node.
    pub(super) fn wrong(
        &mut self,
        code: Code,
        node: Node<'_>,
        title: String,
        help: Option<String>,
    ) {
        let at = if code == diag::RULE_FIELD { node.anchor() } else { node.position() };
        let span = Span::word(self.path, at.line, at.column);
        self.diagnostics.push(Diagnostic::new(code, title).at(span).maybe_help(help));
    }
}

/// The severity, as syslog has them, that a score stands for.
fn severity(score: u64) -> u8 {
    match score {
        5.. => 2,
        4 => 3,
        3 => 4,
        _ => 5,
    }
}
