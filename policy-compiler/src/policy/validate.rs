//! Checks a policy file against its [shape](super::shape), and reports everything at once.

use super::shape::{Field, POLICY, Shape, flatten};
use super::size;
use crate::diag::{self, Code, Diagnostic, Diagnostics, Span, did_you_mean};
use crate::source::{Kind, Node};

/// Checks the whole file.
pub(super) fn validate(root: Node<'_>, path: &str, diagnostics: &mut Diagnostics) {
    Validation { path, diagnostics }.object(root, POLICY, "a policy");
}

struct Validation<'a> {
    path: &'a str,
    diagnostics: &'a mut Diagnostics,
}

impl Validation<'_> {
    fn object(&mut self, node: Node<'_>, fields: &[Field], what: &str) {
        let Some(members) = node.members() else {
            self.wrong_type(node, what, "an object");
            return;
        };
        for (member, value) in members {
            match fields.iter().find(|f| *f.name == *member.key) {
                Some(field) => self.value(value, field.shape, &format!("`{}`", field.name)),
                None => self.unknown(value, &member.key, fields, what),
            }
        }
        for field in fields.iter().filter(|f| f.required) {
            if node.get(field.name).is_none() {
                let title = format!("{what} needs `{}`: {}", field.name, field.about);
                self.push(diag::POLICY_MISSING, node, title, None);
            }
        }
    }

    fn unknown(&mut self, value: Node<'_>, name: &str, fields: &[Field], what: &str) {
        let here = did_you_mean(name, fields.iter().map(|f| f.name));
        let elsewhere = || {
            let (path, _) = flatten().into_iter().find(|(_, f)| f.name == name)?;
            Some(format!("it can be set as `{path}`"))
        };
        let known = || {
            let names: Vec<_> = fields.iter().map(|f| f.name).collect();
            format!("the fields are `{}`", names.join("`, `"))
        };
        let help = here.or_else(elsewhere).unwrap_or_else(known);
        let title = format!("{what} has no field `{name}`");
        self.push(diag::POLICY_FIELD, value, title, Some(help));
    }

    fn value(&mut self, node: Node<'_>, shape: Shape, what: &str) {
        match shape {
            Shape::Version => match node.as_text() {
                Some("1") => {}
                Some(text) => {
                    let title = format!("version `{text}` of the policy is not supported");
                    self.push(diag::POLICY_VERSION, node, title, Some("write `version: 1`".into()));
                }
                None => self.wrong_type(node, what, "the number 1"),
            },
            Shape::Text => match node.as_text() {
                Some("") => {
                    self.push(diag::POLICY_VALUE, node, format!("{what} is empty"), None);
                }
                Some(_) => {}
                None => self.wrong_type(node, what, "a string"),
            },
            Shape::Bool => {
                if node.as_bool().is_none() {
                    self.wrong_type(node, what, "`true` or `false`");
                }
            }
            Shape::Size(max) => match node.as_text().map(size::parse) {
                Some(Ok(0)) => {
                    let title = format!("{what} must be above zero");
                    self.push(diag::POLICY_SIZE, node, title, None);
                }
                Some(Ok(bytes)) if bytes > max => {
                    let title = format!("{what} is at most {}", size::show(max));
                    self.push(diag::POLICY_SIZE, node, title, None);
                }
                Some(Ok(_)) => {}
                Some(Err(why)) => {
                    let text = node.as_text().unwrap_or_default();
                    let title = format!("`{text}` is not a size");
                    self.push(diag::POLICY_SIZE, node, title, Some(why));
                }
                None => self.wrong_type(node, what, "a size, as in `64KiB`"),
            },
            Shape::Count(max) => match node.as_number().and_then(|n| n.as_u64()) {
                Some(n) if (1..=max).contains(&n) => {}
                Some(_) => {
                    let title = format!("{what} is from 1 to {max}");
                    self.push(diag::POLICY_VALUE, node, title, None);
                }
                None => self.wrong_type(node, what, "a whole number"),
            },
            Shape::Choice(words) => self.choice(node, words, what),
            Shape::List(element, filled) => {
                let Some(elements) = node.elements() else {
                    self.wrong_type(node, what, "a list");
                    return;
                };
                if filled && elements.len() == 0 {
                    self.push(diag::POLICY_VALUE, node, format!("{what} is empty"), None);
                }
                for value in elements {
                    self.value(value, *element, &format!("an entry of {what}"));
                }
            }
            Shape::Object(fields) => self.object(node, fields, what),
            Shape::Named(fields) => {
                let Some(members) = node.members() else {
                    self.wrong_type(node, what, "an object");
                    return;
                };
                for (member, value) in members {
                    self.object(value, fields, &format!("`{}` in {what}", member.key));
                }
            }
        }
    }

    fn choice(&mut self, node: Node<'_>, words: &[&str], what: &str) {
        let Some(text) = node.as_text() else {
            self.wrong_type(node, what, &format!("one of `{}`", words.join("`, `")));
            return;
        };
        if !words.contains(&text) {
            let help = did_you_mean(text, words.iter().copied())
                .unwrap_or_else(|| format!("the values are `{}`", words.join("`, `")));
            let title = format!("{what} cannot be `{text}`");
            self.push(diag::POLICY_VALUE, node, title, Some(help));
        }
    }

    fn wrong_type(&mut self, node: Node<'_>, what: &str, wanted: &str) {
        let found = match node.kind() {
            Kind::Object(_) => "an object",
            Kind::Array(_) => "a list",
            other => other.name(),
        };
        let title = format!("{what} must be {wanted}, not {found}");
        self.push(diag::POLICY_TYPE, node, title, None);
    }

    fn push(&mut self, code: Code, node: Node<'_>, title: String, help: Option<String>) {
        let at = match code {
            // What is unknown is the name.
            diag::POLICY_FIELD => node.anchor(),
            _ => node.position(),
        };
        self.diagnostics.push(
            Diagnostic::new(code, title)
                .at(Span::word(self.path, at.line, at.column))
                .maybe_help(help),
        );
    }
}
