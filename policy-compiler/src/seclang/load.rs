//! From a folder of rules and its set-up to rules of the rule language.

use super::assemble::assemble;
use super::names::Collection;
use super::parse;
use super::resolve::{LeftOut, Resolved, resolve};
use super::syntax::{
    Action, ActionKind, At, Body, Change, Piece, Rule, SetVar, Statement, Template,
};
use crate::diag::{self, Diagnostic, Diagnostics, Span};
use crate::source::{Library, join};
use std::collections::HashMap;

/// Lines of a data file, at most.
const MAX_LINES: usize = 100_000;

/// Which rules.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// The folder, whose `*.conf` are read in the order of their names; or one `.conf`, which includes others.
    pub folder: String,
    /// The set-up, read before them.
    pub setup: Option<String>,
    /// Variables of TX that take the place of what the set-up gives.
    pub variables: Vec<(String, String)>,
}

/// Rules, and what was said of them.
#[derive(Debug, Default)]
pub struct Loaded {
    /// The rules.
    pub resolved: Resolved,
}

/// Reads rules.
pub fn load(options: &Options, library: &mut Library<'_>, diagnostics: &mut Diagnostics) -> Loaded {
    let mut statements: Vec<Statement> = Vec::new();
    if let Some(setup) = &options.setup {
        statements.extend(parse::files(std::slice::from_ref(setup), library, diagnostics));
    }
    statements.extend(given(&options.variables));
    let folder = options.folder.trim_end_matches('/');
    let wanted = match folder.ends_with(".conf") {
        true => folder.to_owned(),
        false => format!("{folder}/*.conf"),
    };
    match parse::matching(library, &wanted) {
        Ok(paths) if paths.is_empty() => {
            let title = format!("the folder `{folder}` has no `*.conf`");
            diagnostics.push(Diagnostic::new(diag::RULE_PACK, title).at(Span::file(folder)));
        }
        Ok(paths) => statements.extend(parse::files(&paths, library, diagnostics)),
        Err(why) => {
            let title = format!("the folder `{folder}` cannot be read: {why}");
            diagnostics.push(Diagnostic::new(diag::RULE_PACK, title).at(Span::file(folder)));
        }
    }
    let mut wrong = Vec::new();
    let items = assemble(&statements, &mut wrong);
    let mut known: HashMap<String, Result<Vec<String>, String>> = HashMap::new();
    let mut files = |file: &str, name: &str| {
        let path = join(file, name);
        let read = || lines(&path, library);
        known.entry(path.clone()).or_insert_with(read).clone()
    };
    let resolved = resolve(&items, &mut files);
    for (file, wrong) in wrong.into_iter().chain(resolved.wrong.iter().cloned()) {
        diagnostics.push(parse::diagnostic(diag::SECLANG_SYNTAX, &file, wrong));
    }
    for left in &resolved.left_out {
        let title = format!("rule {} is left out: {}", left.id, left.why);
        let span = Span::word(&left.file, left.at.line, left.at.column);
        let help = "it is not in the bundle; CRS.md says what is supported";
        diagnostics.push(Diagnostic::new(diag::SECLANG_LEFT_OUT, title).at(span).help(help));
    }
    for (collection, rules) in &resolved.not_kept {
        diagnostics.push(not_kept(*collection, rules));
    }
    Loaded { resolved }
}

/// Says what rules would keep.
fn not_kept(collection: Collection, rules: &[LeftOut]) -> Diagnostic {
    const NAMED: usize = 12;
    let mut ids: Vec<String> = rules.iter().take(NAMED).map(|rule| rule.id.to_string()).collect();
    if rules.len() > NAMED {
        ids.push(format!("{} more", rules.len() - NAMED));
    }
    let title = format!(
        "variables of `{}` are of one exchange here: what rules {} keep in them is gone with it",
        collection.name(),
        ids.join(", ")
    );
    let help =
        "what they decide by earlier requests is not enforced; limits of the policy are for that";
    let told = Diagnostic::new(diag::SECLANG_NOT_KEPT, title).help(help);
    match rules.first() {
        Some(first) => told.at(Span::word(&first.file, first.at.line, first.at.column)),
        None => told,
    }
}

/// Variables of the policy, as a set-up would give them.
fn given(variables: &[(String, String)]) -> Option<Statement> {
    let text = |text: &str| Template(vec![Piece::Text(text.to_owned())]);
    let set = |(name, value): &(String, String)| {
        let change = Change::Set(text(value));
        ActionKind::SetVar(SetVar { collection: Collection::Tx, name: text(name), change })
    };
    // A number that no rule of an operator's has.
    let first = [ActionKind::Id(u32::MAX), ActionKind::Phase(1)];
    let kinds = first.into_iter().chain(variables.iter().map(set));
    let actions = kinds.map(|kind| Action { at: At::default(), kind }).collect();
    let rule = Rule { variables: Vec::new(), operator: None, actions, refused: Vec::new() };
    let (file, at) = ("policy".into(), At::default());
    (!variables.is_empty()).then_some(Statement { file, at, body: Body::Rule(rule) })
}

/// The lines of a data file: without empty ones and comments.
fn lines(path: &str, library: &mut Library<'_>) -> Result<Vec<String>, String> {
    let mut told = Diagnostics::default();
    let Some(text) = library.read_text(path, &mut told) else {
        return Err(format!("the file `{path}` cannot be read"));
    };
    let lines =
        text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let lines: Vec<String> = lines.map(str::to_owned).collect();
    if lines.len() > MAX_LINES {
        return Err(format!("the file `{path}` has more than {MAX_LINES} lines"));
    }
    Ok(lines)
}
