//! Diagnostics as text for people and as JSON lines for tools.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Write as _;

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};
use serde::Serialize;

use super::{Diagnostic, Diagnostics, Files, KEPT_PER_CODE, Label, Severity, Span};

/// Lines longer than this, in bytes, are not shown: a minified document is one line.
const LONGEST_LINE: usize = 240;
/// How many warnings, and how many notes, of one code are shown as text.
const SHOWN_PER_CODE: usize = 5;
/// How many errors of one code are shown as text.
const ERRORS_PER_CODE: usize = 50;
/// Longer texts are cut to this many code points: names of a document can be of any length.
const LONGEST_TEXT: usize = 300;
/// The same in JSON.
const LONGEST_JSON_TEXT: usize = 4_000;

/// The diagnostics as text, each with its source line. Of one code a few are shown and the rest counted; what is
/// said is bounded, whatever the document.
pub fn render_text(diagnostics: &Diagnostics, files: &Files, color: bool) -> String {
    let renderer = if color { Renderer::styled() } else { Renderer::plain() };
    let renderer = renderer.decor_style(DecorStyle::Ascii);
    let mut found: BTreeMap<(&str, Severity), usize> = BTreeMap::new();
    let mut out = String::new();
    for diagnostic in diagnostics.sorted() {
        let count = found.entry((diagnostic.code.id, diagnostic.severity)).or_default();
        *count += 1;
        if *count <= shown(diagnostic.severity) {
            out.push_str(&renderer.render(&[group(&cut(diagnostic, LONGEST_TEXT), files)]));
            out.push_str("\n\n");
        }
    }
    for (kind, count) in diagnostics.left_out() {
        *found.entry(kind).or_default() += count;
    }
    for ((code, severity), count) in found {
        if let Some(rest) = count.checked_sub(shown(severity)).filter(|rest| *rest > 0) {
            let what = match severity {
                Severity::Error => "more errors",
                Severity::Warning | Severity::Note => "more",
            };
            let _ = writeln!(
                out,
                "{code}: {rest} {what} like this; --format json lists {}",
                match rest {
                    _ if count > KEPT_PER_CODE => "the first of them",
                    _ => "all",
                }
            );
        }
    }
    out
}

fn shown(severity: Severity) -> usize {
    if severity == Severity::Error { ERRORS_PER_CODE } else { SHOWN_PER_CODE }
}

/// A diagnostic whose texts are no longer than so many code points.
fn cut(diagnostic: &Diagnostic, longest: usize) -> Cow<'_, Diagnostic> {
    let long = |text: &str| text.len() > longest && text.chars().nth(longest).is_some();
    let texts = [&diagnostic.title].into_iter().chain(&diagnostic.help);
    if !texts.chain(diagnostic.labels.iter().map(|label| &label.text)).any(|text| long(text)) {
        return Cow::Borrowed(diagnostic);
    }
    let mut cut = diagnostic.clone();
    let labels = cut.labels.iter_mut().map(|label| &mut label.text);
    for text in [&mut cut.title].into_iter().chain(&mut cut.help).chain(labels) {
        if long(text) {
            // What comes last says what is wrong.
            let tail: Vec<char> = text.chars().rev().take(longest / 4).collect();
            let head: String = text.chars().take(longest - longest / 4 - 1).collect();
            *text = head + "…" + &tail.into_iter().rev().collect::<String>();
        }
    }
    Cow::Owned(cut)
}

fn group<'a>(diagnostic: &'a Diagnostic, files: &'a Files) -> Group<'a> {
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
        Severity::Note => Level::NOTE,
    };
    let title = level.primary_title(&diagnostic.title).id(diagnostic.code.id);
    let mut group = Group::with_title(title);
    for (i, label) in diagnostic.labels.iter().enumerate() {
        let kind = if i == 0 { AnnotationKind::Primary } else { AnnotationKind::Context };
        group = place(group, label, kind, files);
    }
    for help in &diagnostic.help {
        group = group.element(Level::HELP.message(help));
    }
    group
}

fn place<'a>(
    group: Group<'a>,
    label: &'a Label,
    kind: AnnotationKind,
    files: &'a Files,
) -> Group<'a> {
    let span = &label.span;
    if span.line == 0 {
        return group.element(Origin::path(&*span.path));
    }
    match files.line(&span.path, span.line) {
        Some(line) if line.len() <= LONGEST_LINE => {
            let mut annotation = kind.span(range(span, line));
            if !label.text.is_empty() {
                annotation = annotation.label(&label.text);
            }
            group.element(
                Snippet::source(line)
                    .path(&*span.path)
                    .line_start(span.line as usize)
                    .annotation(annotation),
            )
        }
        _ => {
            let at = Origin::path(&*span.path)
                .line(span.line as usize)
                .char_column(span.column as usize);
            let group = group.element(at);
            if label.text.is_empty() {
                group
            } else {
                group.element(Level::NOTE.message(&label.text))
            }
        }
    }
}

/// The bytes of `line` that a span covers.
fn range(span: &Span, line: &str) -> std::ops::Range<usize> {
    let byte = |column: usize| line.char_indices().nth(column).map_or(line.len(), |(i, _)| i);
    let column = span.column.saturating_sub(1) as usize;
    let start = byte(column);
    let end = if span.length > 0 {
        byte(column + span.length as usize)
    } else {
        let rest = &line[start..];
        let word = match rest.chars().next() {
            // A quoted word ends with its quote.
            Some(quote @ ('"' | '\'')) => rest[1..].find(quote).map_or(rest.len(), |i| i + 2),
            _ => {
                let ends = |c: char| c.is_whitespace() || matches!(c, ',' | '}' | ']');
                let word = rest.find(ends).unwrap_or(rest.len());
                rest[..word].trim_end_matches(':').len()
            }
        };
        start + word
    };
    start..end.max(start)
}

#[derive(Serialize)]
struct JsonDiagnostic<'a> {
    code: &'a str,
    severity: &'a str,
    title: &'a str,
    labels: Vec<JsonLabel<'a>>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    help: &'a [String],
}

#[derive(Serialize)]
struct JsonLabel<'a> {
    path: &'a str,
    line: u32,
    column: u32,
    #[serde(skip_serializing_if = "str::is_empty")]
    text: &'a str,
}

#[derive(Serialize)]
struct JsonLeftOut<'a> {
    code: &'a str,
    severity: &'a str,
    left_out: usize,
}

/// The diagnostics as JSON, one object a line, sorted by place. Lines and columns count from 1;
/// line 0 stands for the file as a whole. Last come the codes of which there are too many, with how many were
/// left out.
pub fn render_json(diagnostics: &Diagnostics) -> String {
    let mut out = String::new();
    for d in diagnostics.sorted() {
        let d = &*cut(d, LONGEST_JSON_TEXT);
        let labels = d
            .labels
            .iter()
            .map(|l| JsonLabel {
                path: &l.span.path,
                line: l.span.line,
                column: l.span.column,
                text: &l.text,
            })
            .collect();
        let line = JsonDiagnostic {
            code: d.code.id,
            severity: d.severity.name(),
            title: &d.title,
            labels,
            help: &d.help,
        };
        // Serialising strings and numbers to a string cannot fail.
        out.push_str(&serde_json::to_string(&line).unwrap_or_default());
        out.push('\n');
    }
    for ((code, severity), left_out) in diagnostics.left_out() {
        let line = JsonLeftOut { code, severity: severity.name(), left_out };
        out.push_str(&serde_json::to_string(&line).unwrap_or_default());
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diag::{DUPLICATE_KEY, Diagnostic, PATH_SUFFIX};

    fn sample() -> (Diagnostics, Files) {
        let mut files = Files::default();
        files.add("api.yaml", "a: 1\nb:\n  minLenght: 3\n".into());
        let mut all = Diagnostics::default();
        all.push(
            Diagnostic::new(DUPLICATE_KEY, "`a` is named twice")
                .label(Span::word("api.yaml", 3, 3), "again here")
                .label(Span::word("api.yaml", 1, 1), "first here")
                .help("remove one of them"),
        );
        (all, files)
    }

    #[test]
    fn text_shows_the_line() {
        let (all, files) = sample();
        let expected = "\
error[PC0005]: `a` is named twice
 --> api.yaml:3:3
  |
3 |   minLenght: 3
  |   ^^^^^^^^^ again here
  |
 ::: api.yaml:1:1
  |
1 | a: 1
  | - first here
  |
  = help: remove one of them

";
        assert_eq!(render_text(&all, &files, false), expected);
    }

    #[test]
    fn json_is_one_object_a_line() {
        let (all, _) = sample();
        let text = render_json(&all);
        assert_eq!(text.lines().count(), 1);
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["labels"][0]["line"], 3);
        assert_eq!(value["severity"], "error");
    }

    #[test]
    fn many_errors_and_long_names_say_little() {
        let mut all = Diagnostics::default();
        let name = "k".repeat(50_000);
        for line in 1..=100_000 {
            let title = format!("`{name}` leads nowhere: it is not there");
            let title = if line < 40 { title } else { "x".to_owned() };
            all.push(Diagnostic::new(DUPLICATE_KEY, title).at(Span::word("a", line, 1)));
        }
        let text = render_text(&all, &Files::default(), false);
        assert_eq!(text.matches("error[PC0005]").count(), 50);
        assert!(text.contains("k…k"), "{text}");
        assert!(text.contains("` leads nowhere: it is not there\n"), "{text}");
        let last = "PC0005: 99950 more errors like this; --format json lists the first of them\n";
        assert!(text.ends_with(last), "{text}");
        assert!(text.len() < 20_000, "{}", text.len());
        let json = render_json(&all);
        assert_eq!(json.lines().count(), KEPT_PER_CODE + 1);
        assert!(
            json.ends_with("{\"code\":\"PC0005\",\"severity\":\"error\",\"left_out\":90000}\n")
        );
        assert!(json.lines().all(|line| line.len() < 5_000));
    }

    #[test]
    fn repeated_warnings_are_counted() {
        let mut all = Diagnostics::default();
        for line in 1..=9 {
            all.push(Diagnostic::new(PATH_SUFFIX, "x").at(Span::word("a", line, 1)));
        }
        let text = render_text(&all, &Files::default(), false);
        assert_eq!(text.matches("warning[PC0307]").count(), 5);
        assert!(text.contains("PC0307: 4 more like this"), "{text}");
    }
}
