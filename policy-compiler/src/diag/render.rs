//! Diagnostics as text for people and as JSON lines for tools.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};
use serde::Serialize;

use super::{Diagnostics, Files, Label, Severity, Span};

/// Lines longer than this, in bytes, are not shown: a minified document is one line.
const LONGEST_LINE: usize = 240;
/// How many warnings, and how many notes, of one code are shown as text.
const SHOWN_PER_CODE: usize = 5;

/// The diagnostics as text, each with its source line. Errors are all shown; warnings and notes
/// of one code are cut after a few, and the rest counted.
pub fn render_text(diagnostics: &Diagnostics, files: &Files, color: bool) -> String {
    let renderer = if color { Renderer::styled() } else { Renderer::plain() };
    let renderer = renderer.decor_style(DecorStyle::Ascii);
    let mut shown: BTreeMap<&str, usize> = BTreeMap::new();
    let mut out = String::new();
    for diagnostic in diagnostics.sorted() {
        if diagnostic.severity != Severity::Error {
            let count = shown.entry(diagnostic.code.id).or_default();
            *count += 1;
            if *count > SHOWN_PER_CODE {
                continue;
            }
        }
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
        out.push_str(&renderer.render(&[group]));
        out.push_str("\n\n");
    }
    for (code, count) in shown {
        if count > SHOWN_PER_CODE {
            let rest = count - SHOWN_PER_CODE;
            let _ = writeln!(out, "{code}: {rest} more like this; --format json lists all");
        }
    }
    out
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

/// The diagnostics as JSON, one object a line, sorted by place. Lines and columns count from 1;
/// line 0 stands for the file as a whole.
pub fn render_json(diagnostics: &Diagnostics) -> String {
    let mut out = String::new();
    for d in diagnostics.sorted() {
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
