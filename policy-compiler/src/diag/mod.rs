//! Diagnostics: what is wrong with the user's files, where, and what to do about it.
//!
//! Every stage pushes into one [`Diagnostics`]; nobody stops at the first error. Rendering needs
//! the texts of the [`Files`].

mod code;
mod render;

pub use code::*;
pub use render::{render_json, render_text};

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use crate::ir::{Location, Model, Origin};

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// No bundle is written.
    Error,
    /// The bundle may not do what the author of the document meant.
    Warning,
    /// Worth knowing.
    Note,
}

impl Severity {
    /// The word in front of the title.
    pub fn name(self) -> &'static str {
        match self {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Note => "note",
        }
    }
}

/// A part of one line of a file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// The file, as it was named.
    pub path: Arc<str>,
    /// Line, from 1; 0 means the file as a whole.
    pub line: u32,
    /// Column in code points, from 1.
    pub column: u32,
    /// Length in code points; 0: up to the end of the word.
    pub length: u32,
}

impl Span {
    /// The file as a whole.
    pub fn file(path: &str) -> Self {
        Self { path: path.into(), line: 0, column: 0, length: 0 }
    }

    /// The word at a place.
    pub fn word(path: &str, line: u32, column: u32) -> Self {
        Self { path: path.into(), line, column, length: 0 }
    }

    /// The word at an origin.
    pub fn of(origin: Origin, model: &Model) -> Self {
        let path = model.documents.get(origin.document.index()).map_or("", |d| d.path.as_str());
        Self::word(path, origin.line, origin.column)
    }
}

impl From<Location<'_>> for Span {
    fn from(place: Location<'_>) -> Self {
        Self::word(place.path, place.line, place.column)
    }
}

/// A span and what to say about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// The place.
    pub span: Span,
    /// Lower case, no final period; may be empty.
    pub text: String,
}

/// One finding about the user's files.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct Diagnostic {
    /// Its stable code.
    pub code: Code,
    /// How bad it is; the code's, unless the policy says otherwise.
    pub severity: Severity,
    /// One line: lower case, no final period, user text in backticks.
    pub title: String,
    /// Where; the first is the place itself, others explain.
    pub labels: Vec<Label>,
    /// What to do.
    pub help: Vec<String>,
}

impl Diagnostic {
    /// A diagnostic without a place.
    pub fn new(code: Code, title: impl Into<String>) -> Self {
        let (title, labels, help) = (title.into(), Vec::new(), Vec::new());
        Self { code, severity: code.severity, title, labels, help }
    }

    /// Adds a place without words.
    pub fn at(self, span: impl Into<Span>) -> Self {
        self.label(span, "")
    }

    /// Adds a place.
    pub fn label(mut self, span: impl Into<Span>, text: impl Into<String>) -> Self {
        self.labels.push(Label { span: span.into(), text: text.into() });
        self
    }

    /// Adds advice.
    pub fn help(mut self, text: impl Into<String>) -> Self {
        self.help.push(text.into());
        self
    }

    /// Adds advice, if there is any.
    pub fn maybe_help(self, text: Option<String>) -> Self {
        match text {
            Some(text) => self.help(text),
            None => self,
        }
    }
}

/// How many diagnostics of one code and severity are kept; further ones are counted.
pub const KEPT_PER_CODE: usize = 10_000;

/// Everything found so far.
#[derive(Clone, Debug, Default)]
pub struct Diagnostics {
    list: Vec<Diagnostic>,
    /// How many there are of each code and severity, those that were not kept included.
    counts: BTreeMap<(&'static str, Severity), usize>,
}

impl Diagnostics {
    /// Adds one.
    pub fn push(&mut self, diagnostic: Diagnostic) {
        let count = self.counts.entry((diagnostic.code.id, diagnostic.severity)).or_default();
        *count += 1;
        if *count <= KEPT_PER_CODE {
            self.list.push(diagnostic);
        }
    }

    /// Takes over all that another has.
    pub fn append(&mut self, other: Diagnostics) {
        let left_out = other.left_out();
        self.extend(other.list);
        for (kind, left_out) in left_out {
            *self.counts.entry(kind).or_default() += left_out;
        }
    }

    /// Of each code and severity that has too many, how many were not kept.
    pub fn left_out(&self) -> Vec<((&'static str, Severity), usize)> {
        let mut kept: BTreeMap<(&'static str, Severity), usize> = BTreeMap::new();
        self.list.iter().for_each(|d| *kept.entry((d.code.id, d.severity)).or_default() += 1);
        let rest = self
            .counts
            .iter()
            .map(|(kind, count)| (*kind, count - kept.get(kind).copied().unwrap_or_default()));
        rest.filter(|(_, count)| *count > 0).collect()
    }

    /// Whether there is an error among them.
    pub fn has_errors(&self) -> bool {
        self.count(Severity::Error) > 0
    }

    /// How many there are of a severity.
    pub fn count(&self, severity: Severity) -> usize {
        self.counts.iter().filter(|((_, of), _)| *of == severity).map(|(_, count)| count).sum()
    }

    /// Whether one of them points into a file.
    pub fn mentions(&self, path: &str) -> bool {
        self.list.iter().any(|d| d.labels.iter().any(|l| &*l.span.path == path))
    }

    /// All of them, by file, line, column and code, without repetitions.
    pub fn sorted(&self) -> Vec<&Diagnostic> {
        let mut sorted: Vec<_> = self.list.iter().collect();
        let key =
            |d: &Diagnostic| (d.labels.first().map(|l| l.span.clone()), d.code.id, d.title.clone());
        sorted.sort_by_cached_key(|d| key(d));
        sorted.dedup();
        sorted
    }
}

impl Extend<Diagnostic> for Diagnostics {
    fn extend<T: IntoIterator<Item = Diagnostic>>(&mut self, iter: T) {
        iter.into_iter().for_each(|diagnostic| self.push(diagnostic));
    }
}

/// The texts of the files that diagnostics point into.
#[derive(Debug, Default)]
pub struct Files {
    texts: BTreeMap<Arc<str>, FileText>,
}

#[derive(Debug)]
struct FileText {
    text: Arc<str>,
    lines: OnceLock<Vec<u32>>,
}

impl Files {
    /// Adds a file's text under the path that spans name.
    pub fn add(&mut self, path: &str, text: Arc<str>) {
        self.texts.insert(path.into(), FileText { text, lines: OnceLock::new() });
    }

    /// The text of a file.
    pub fn text(&self, path: &str) -> Option<&str> {
        self.texts.get(path).map(|file| &*file.text)
    }

    /// Line `number` (from 1) of a file, without its line end.
    pub fn line(&self, path: &str, number: u32) -> Option<&str> {
        let file = self.texts.get(path)?;
        let starts = file.lines.get_or_init(|| {
            let ends = file.text.bytes().enumerate().filter(|(_, b)| *b == b'\n');
            std::iter::once(0).chain(ends.map(|(i, _)| i as u32 + 1)).collect()
        });
        let start = *starts.get(number.checked_sub(1)? as usize)? as usize;
        let end = starts.get(number as usize).map_or(file.text.len(), |e| *e as usize - 1);
        Some(file.text.get(start..end)?.trim_end_matches('\r'))
    }
}

/// Names that one suggestion is looked for among, at most.
const CANDIDATES: usize = 1_000;

/// The candidate that `word` was probably meant to be, by edit distance.
pub fn did_you_mean<'a>(
    word: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<String> {
    let letters = word.chars().count();
    let limit = (letters / 3).clamp(1, 3);
    // A long word is not a slip.
    if word.len() > 64 {
        return None;
    }
    let lower: Vec<char> = word.to_lowercase().chars().collect();
    candidates
        .into_iter()
        .take(CANDIDATES)
        .filter(|c| c.len() <= 128 && c.chars().count().abs_diff(letters) <= limit)
        .map(|c| (distance(&lower, &c.to_lowercase().chars().collect::<Vec<_>>(), limit), c))
        .filter(|(d, c)| *d <= limit && *c != word)
        .min()
        .map(|(_, c)| format!("did you mean `{c}`?"))
}

// Optimal string alignment: insertions, deletions, substitutions, swaps of neighbours. Beyond the limit it is some
// number above it: only what is near the diagonal is looked at.
fn distance(a: &[char], b: &[char], limit: usize) -> usize {
    let far = limit + 1;
    let mut before = vec![far; b.len() + 1];
    let mut above: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![far; b.len() + 1];
        row[0] = i;
        for j in i.saturating_sub(limit).max(1)..=b.len().min(i + limit) {
            let cost = usize::from(a[i - 1] != b[j - 1]);
            row[j] = (above[j] + 1).min(row[j - 1] + 1).min(above[j - 1] + cost);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                row[j] = row[j].min(before[j - 2] + 1);
            }
        }
        before = std::mem::replace(&mut above, row);
    }
    above[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suggestions_are_close() {
        let fields = ["methods", "media_types", "operations"];
        assert_eq!(did_you_mean("mehtods", fields).as_deref(), Some("did you mean `methods`?"));
        assert_eq!(
            did_you_mean("mediatypes", fields).as_deref(),
            Some("did you mean `media_types`?")
        );
        assert_eq!(did_you_mean("zebra", fields), None);
    }

    #[test]
    fn what_is_not_kept_is_counted() {
        let mut all = Diagnostics::default();
        for line in 0..KEPT_PER_CODE as u32 + 5 {
            all.push(Diagnostic::new(YAML_SYNTAX, "x").at(Span::word("a", line, 1)));
        }
        all.push(Diagnostic::new(PATH_SUFFIX, "y"));
        let mut outer = Diagnostics::default();
        outer.push(Diagnostic::new(YAML_SYNTAX, "z"));
        outer.append(all);
        assert_eq!(outer.left_out(), [(("PC0003", Severity::Error), 6)]);
        assert_eq!(outer.count(Severity::Error), KEPT_PER_CODE + 6);
        assert_eq!(outer.count(Severity::Warning), 1);
        assert_eq!(outer.sorted().len(), KEPT_PER_CODE + 1);
    }

    #[test]
    fn lines_by_number() {
        let mut files = Files::default();
        files.add("a", "one\r\ntwo\n\nfour".into());
        let lines: Vec<_> = (0..6).map(|n| files.line("a", n)).collect();
        assert_eq!(lines, [None, Some("one"), Some("two"), Some(""), Some("four"), None]);
        assert_eq!(files.line("b", 1), None);
    }

    #[test]
    fn sorted_by_place_without_repetitions() {
        let mut all = Diagnostics::default();
        for line in [9, 2, 2] {
            all.push(Diagnostic::new(YAML_SYNTAX, "x").at(Span::word("a", line, 1)));
        }
        let lines: Vec<_> = all.sorted().iter().map(|d| d.labels[0].span.line).collect();
        assert_eq!(lines, [2, 9]);
        assert!(all.has_errors());
    }
}
