//! From files to statements: which file comes after which, and what each directive says.

use super::lexer::{self, Word, Wrong};
use super::names::{Directive, Support};
use super::read;
use super::syntax::{ActionKind, At, Body, Rule, Statement, Which};
use crate::diag::{self, Code, Diagnostic, Diagnostics, Span, did_you_mean};
use crate::source::{Library, join};
use std::sync::Arc;

/// Files that include others, at most, one in the other.
pub const MAX_DEPTH: usize = 16;
/// Files of one set of rules, at most.
pub const MAX_FILES: usize = 2_000;
/// Statements of one set of rules, at most.
pub const MAX_STATEMENTS: usize = 100_000;

/// Reads files in the order of their names, and those that they include.
pub fn files(
    paths: &[String],
    library: &mut Library<'_>,
    diagnostics: &mut Diagnostics,
) -> Vec<Statement> {
    let mut parser =
        Parser { library, diagnostics, statements: Vec::new(), open: Vec::new(), files: 0 };
    for path in paths {
        if parser.file(path).is_err() {
            break;
        }
    }
    parser.statements
}

/// Reads one text that includes nothing.
pub fn text(path: &str, text: &str, diagnostics: &mut Diagnostics) -> Vec<Statement> {
    let sources = crate::source::Memory::default();
    let mut library = Library::new(&sources);
    let library = &mut library;
    let mut parser =
        Parser { library, diagnostics, statements: Vec::new(), open: Vec::new(), files: 0 };
    // What stops it is told.
    let _ = parser.text(path, text);
    parser.statements
}

/// A bound is reached: nothing more is read.
struct Stop;

struct Parser<'p, 's> {
    library: &'p mut Library<'s>,
    diagnostics: &'p mut Diagnostics,
    statements: Vec<Statement>,
    /// The files that are being read, each included by the one before.
    open: Vec<String>,
    files: usize,
}

impl Parser<'_, '_> {
    fn file(&mut self, path: &str) -> Result<(), Stop> {
        self.files += 1;
        if self.files > MAX_FILES {
            let title = format!("the rules have more than {MAX_FILES} files");
            self.diagnostics.push(Diagnostic::new(diag::SECLANG_LIMIT, title).at(Span::file(path)));
            return Err(Stop);
        }
        let Some(text) = self.library.read_text(path, self.diagnostics) else { return Ok(()) };
        self.open.push(path.to_owned());
        let result = self.text(path, &text);
        self.open.pop();
        result
    }

    fn text(&mut self, path: &str, text: &str) -> Result<(), Stop> {
        let file: Arc<str> = path.into();
        for words in lexer::directives(text) {
            let words = match words {
                Ok(words) => words,
                Err(wrong) => {
                    self.wrong(diag::SECLANG_SYNTAX, &file, wrong);
                    continue;
                }
            };
            let [name, arguments @ ..] = words.as_slice() else { continue };
            let at = name.at(0);
            let Some(directive) = Directive::read(&name.text) else {
                let mut wrong = Wrong::new(at, format!("`{}` is no directive", name.text));
                wrong.help = did_you_mean(&name.text, Directive::ALL.iter().map(|it| it.name()));
                self.wrong(diag::SECLANG_UNKNOWN, &file, wrong);
                continue;
            };
            if is_default(directive, arguments) {
                continue;
            }
            if let Support::Refused(why) = directive.support() {
                let title = format!("`{}` is refused: {why}", directive.name());
                self.wrong(diag::SECLANG_REFUSED, &file, Wrong::new(at, title));
                continue;
            }
            if matches!(directive, Directive::Include | Directive::IncludeOptional) {
                self.include(&file, directive, at, arguments)?;
                continue;
            }
            match statement(directive, at, arguments) {
                Ok(Some(body)) => self.push(&file, at, body)?,
                Ok(None) => {}
                Err(wrong) => self.wrong(diag::SECLANG_SYNTAX, &file, wrong),
            }
        }
        Ok(())
    }

    fn push(&mut self, file: &Arc<str>, at: At, body: Body) -> Result<(), Stop> {
        if self.statements.len() >= MAX_STATEMENTS {
            let title = format!("the rules have more than {MAX_STATEMENTS} directives");
            self.wrong(diag::SECLANG_LIMIT, file, Wrong::new(at, title));
            return Err(Stop);
        }
        self.statements.push(Statement { file: file.clone(), at, body });
        Ok(())
    }

    fn include(
        &mut self,
        file: &Arc<str>,
        directive: Directive,
        at: At,
        arguments: &[Word],
    ) -> Result<(), Stop> {
        let [pattern] = arguments else {
            let title = format!("`{}` takes one path", directive.name());
            self.wrong(diag::SECLANG_SYNTAX, file, Wrong::new(at, title));
            return Ok(());
        };
        let path = join(file, &pattern.text);
        let optional = directive == Directive::IncludeOptional;
        let paths = match matching(self.library, &path) {
            Ok(paths) => paths,
            Err(_) if optional => Vec::new(),
            Err(why) => {
                let title = format!("`{}` cannot be included: {why}", pattern.text);
                self.wrong(diag::SECLANG_SYNTAX, file, Wrong::new(at, title));
                return Ok(());
            }
        };
        for path in paths {
            if self.open.contains(&path) {
                let title = format!("`{path}` includes itself");
                self.wrong(diag::SECLANG_LIMIT, file, Wrong::new(at, title));
                continue;
            }
            if self.open.len() >= MAX_DEPTH {
                let title = format!("more than {MAX_DEPTH} files include one another");
                self.wrong(diag::SECLANG_LIMIT, file, Wrong::new(at, title));
                return Err(Stop);
            }
            self.file(&path)?;
        }
        Ok(())
    }

    fn wrong(&mut self, code: Code, file: &Arc<str>, wrong: Wrong) {
        self.diagnostics.push(diagnostic(code, file, wrong));
    }
}

/// Says what is wrong in a file.
pub fn diagnostic(code: Code, file: &str, wrong: Wrong) -> Diagnostic {
    let span = Span::word(file, wrong.at.line, wrong.at.column);
    Diagnostic::new(code, wrong.title).at(span).maybe_help(wrong.help)
}

/// The files that a path means, in whose parts `*` and `?` stand for letters; in the order of names.
pub fn matching(library: &Library<'_>, path: &str) -> Result<Vec<String>, String> {
    let Some((first, rest)) = path.split_once('/') else { return in_folder(library, path) };
    let mut known = vec![first.to_owned()];
    for part in rest.split('/') {
        let mut next = Vec::new();
        for before in &known {
            let path = format!("{before}/{part}");
            match in_folder(library, &path) {
                Ok(paths) => next.extend(paths),
                // A file can stand beside the folders that a pattern means.
                Err(why) if known.len() == 1 => return Err(why),
                Err(_) => {}
            }
            if next.len() > MAX_FILES {
                return Err(format!("it means more than {MAX_FILES} files"));
            }
        }
        known = next;
    }
    Ok(known)
}

/// The same, of a path in whose last part alone letters are left open.
fn in_folder(library: &Library<'_>, path: &str) -> Result<Vec<String>, String> {
    let (folder, pattern) = match path.rsplit_once('/') {
        Some((folder, pattern)) => (Some(folder), pattern),
        None => (None, path),
    };
    if !pattern.contains(['*', '?']) {
        return Ok(vec![path.to_owned()]);
    }
    let mut names = library.list(folder.unwrap_or("."))?;
    names.retain(|name| fits(pattern.as_bytes(), name.as_bytes()));
    names.sort();
    let named = |name: String| match folder {
        Some(folder) => format!("{folder}/{name}"),
        None => name,
    };
    Ok(names.into_iter().map(named).collect())
}

/// Whether a name fits a pattern of `*` and `?`.
fn fits(pattern: &[u8], name: &[u8]) -> bool {
    let (mut at, mut in_name) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while in_name < name.len() {
        match pattern.get(at) {
            Some(b'*') => {
                star = Some((at, in_name));
                at += 1;
            }
            Some(letter) if *letter == b'?' || *letter == name[in_name] => {
                at += 1;
                in_name += 1;
            }
            _ => {
                let Some((before, taken)) = star else { return false };
                star = Some((before, taken + 1));
                at = before + 1;
                in_name = taken + 1;
            }
        }
    }
    pattern[at..].iter().all(|letter| *letter == b'*')
}

/// Whether a directive that is refused says no more than what holds anyway.
fn is_default(directive: Directive, arguments: &[Word]) -> bool {
    let value = match directive {
        Directive::SecArgumentSeparator => "&",
        Directive::SecCookieFormat => "0",
        Directive::SecParseXmlIntoArgs => "Off",
        _ => return false,
    };
    matches!(arguments, [own] if own.text.eq_ignore_ascii_case(value))
}

/// What a directive says; none where it has no effect.
fn statement(directive: Directive, at: At, arguments: &[Word]) -> Result<Option<Body>, Wrong> {
    use Directive as D;
    let takes = |what: &str| Wrong::new(at, format!("`{}` takes {what}", directive.name()));
    Ok(Some(match (directive, arguments) {
        (D::SecRule, [variables, operator]) => rule(variables, operator, None)?,
        (D::SecRule, [variables, operator, actions]) => rule(variables, operator, Some(actions))?,
        (D::SecRule, _) => return Err(takes("variables, an operator and actions")),
        (D::SecAction, [actions]) => {
            let read = read::actions(actions)?;
            let (actions, refused) = (read.value, read.refused);
            Body::Rule(Rule { variables: Vec::new(), operator: None, actions, refused })
        }
        (D::SecAction, _) => return Err(takes("actions")),
        (D::SecMarker, [label]) => Body::Marker(label.text.clone()),
        (D::SecMarker, _) => return Err(takes("a name")),
        (D::SecDefaultAction, [actions]) => {
            let read = read::actions(actions)?;
            if let Some(wrong) = read.refused.into_iter().next() {
                return Err(wrong);
            }
            if !read.value.iter().any(|it| matches!(it.kind, ActionKind::Phase(_))) {
                return Err(Wrong::new(at, "default actions need a `phase`"));
            }
            Body::Defaults(read.value)
        }
        (D::SecDefaultAction, _) => return Err(takes("actions")),
        (D::SecRuleRemoveById, words) if !words.is_empty() => Body::Remove(ids(words)?),
        (D::SecRuleRemoveById, _) => return Err(takes("numbers or ranges of rules")),
        (D::SecRuleRemoveByTag, [tag]) => Body::Remove(Which::Tag(tag.text.clone())),
        (D::SecRuleRemoveByMsg, [message]) => Body::Remove(Which::Message(message.text.clone())),
        (D::SecRuleRemoveByTag | D::SecRuleRemoveByMsg, _) => return Err(takes("an expression")),
        (D::SecRuleUpdateTargetById, [of, rest @ ..]) => {
            targets(Which::Ids(vec![read::range(&of.text, of.at(0))?]), rest)?
                .ok_or_else(|| takes("a rule, variables, and what they replace"))?
        }
        (D::SecRuleUpdateTargetByTag, [of, rest @ ..]) => {
            targets(Which::Tag(of.text.clone()), rest)?
                .ok_or_else(|| takes("a tag, variables, and what they replace"))?
        }
        (D::SecRuleUpdateTargetByMsg, [of, rest @ ..]) => {
            targets(Which::Message(of.text.clone()), rest)?
                .ok_or_else(|| takes("a message, variables, and what they replace"))?
        }
        (
            D::SecRuleUpdateTargetById | D::SecRuleUpdateTargetByTag | D::SecRuleUpdateTargetByMsg,
            [],
        ) => return Err(takes("rules and variables")),
        (D::SecRuleUpdateActionById, [of, actions]) => {
            let (id, link) = of.text.split_once(':').unwrap_or((&of.text, "0"));
            let number = |text: &str| {
                text.trim()
                    .parse()
                    .map_err(|_| Wrong::new(of.at(0), format!("`{text}` is no number of a rule")))
            };
            let read = read::actions(actions)?;
            if let Some(wrong) = read.refused.into_iter().next() {
                return Err(wrong);
            }
            Body::UpdateActions { id: number(id)?, link: number(link)?, actions: read.value }
        }
        (D::SecRuleUpdateActionById, _) => return Err(takes("a rule and actions")),
        _ => return Ok(None),
    }))
}

fn rule(variables: &Word, operator: &Word, actions: Option<&Word>) -> Result<Body, Wrong> {
    let variables = read::variables(variables)?;
    let operator = read::operator(operator)?;
    let actions = actions.map(read::actions).transpose()?;
    let mut refused = variables.refused;
    refused.extend(operator.refused);
    let actions = match actions {
        Some(actions) => {
            refused.extend(actions.refused);
            actions.value
        }
        None => Vec::new(),
    };
    let (variables, operator) = (variables.value, Some(operator.value));
    Ok(Body::Rule(Rule { variables, operator, actions, refused }))
}

fn ids(words: &[Word]) -> Result<Which, Wrong> {
    let mut ranges = Vec::new();
    for word in words {
        for part in word.text.split([' ', ',']).filter(|part| !part.is_empty()) {
            ranges.push(read::range(part, word.at(0))?);
        }
    }
    Ok(Which::Ids(ranges))
}

fn targets(of: Which, words: &[Word]) -> Result<Option<Body>, Wrong> {
    let (added, replaced) = match words {
        [added] => (added, None),
        [added, replaced] => (added, Some(replaced)),
        _ => return Ok(None),
    };
    let read = |word: &Word| {
        let read = read::variables(word)?;
        match read.refused.into_iter().next() {
            Some(wrong) => Err(wrong),
            None => Ok(read.value),
        }
    };
    let variables = read(added)?;
    let replaced = replaced.map(read).transpose()?.unwrap_or_default();
    Ok(Some(Body::UpdateTargets { of, variables, replaced }))
}

#[cfg(test)]
mod tests {
    use super::fits;

    #[test]
    fn patterns_of_names() {
        for (pattern, name) in [("*.conf", "a.conf"), ("a?c*", "abc"), ("*", ""), ("*b*d", "abcbd")]
        {
            assert!(fits(pattern.as_bytes(), name.as_bytes()), "{pattern} {name}");
        }
        for (pattern, name) in [("*.conf", "a.conf.example"), ("a?", "a"), ("", "a"), ("a*b", "ac")]
        {
            assert!(!fits(pattern.as_bytes(), name.as_bytes()), "{pattern} {name}");
        }
    }
}
