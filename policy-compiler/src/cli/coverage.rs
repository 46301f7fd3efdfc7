//! `portcullis inspect --coverage`: how much of each document is enforced, as a table.

use super::Format;
use crate::report::{Coverage, DocumentCoverage};
use portcullis_bundle::Bundle;
use serde::Deserialize;

/// Reasons shown for each document.
const SHOWN: usize = 5;

/// The numbers in a report.
///
/// # Errors
/// Where it is no report.
pub fn of_report(bytes: &[u8]) -> Result<Coverage, String> {
    #[derive(Deserialize)]
    struct Report {
        coverage: Coverage,
    }
    let report: Report = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    Ok(report.coverage)
}

/// The numbers in a bundle, which has no reasons.
pub fn of_bundle(bundle: &Bundle) -> Coverage {
    let view = bundle.view();
    let documents = view.documents.iter().map(|of| DocumentCoverage {
        path: view.text(of.name).to_owned(),
        enforced: of.enforced.get() as usize,
        approximated: of.approximated.get() as usize,
        not_enforced: of.not_enforced.get() as usize,
        meaningless: of.meaningless.get() as usize,
        unknown_formats: of.unknown_formats.get() as usize,
        responses: of.responses.get() as usize,
        callbacks: of.callbacks.get() as usize,
        unreferenced: of.unreferenced.get() as usize,
        reasons: Default::default(),
    });
    Coverage { documents: documents.collect() }
}

/// Prints the table, or JSON.
pub fn print(coverage: &Coverage, format: Format) {
    match format {
        Format::Json => println!("{}", serde_json::to_string_pretty(coverage).unwrap_or_default()),
        Format::Text => print!("{}", table(coverage)),
    }
}

fn table(coverage: &Coverage) -> String {
    let shown = |of: &&DocumentCoverage| {
        let apart = of.meaningless + of.unknown_formats + of.responses + of.callbacks;
        of.total() + apart + of.unreferenced > 0
    };
    let documents: Vec<&DocumentCoverage> = coverage.documents.iter().filter(shown).collect();
    let width = documents.iter().map(|of| of.path.chars().count()).max().unwrap_or(0).max(8);
    let mut out = format!(
        "{:<width$} {:>8} {:>12} {:>12} {:>7}   apart: no meaning, unknown formats, responses, callbacks, unused\n",
        "document", "enforced", "approximated", "not enforced", "%"
    );
    let mut all = DocumentCoverage { path: "all".to_owned(), ..DocumentCoverage::default() };
    for of in &documents {
        out.push_str(&line(of, width));
        let mut reasons: Vec<(&String, &usize)> = of.reasons.iter().collect();
        reasons.sort_by(|a, b| b.1.cmp(a.1).then(a.0.cmp(b.0)));
        for (reason, count) in reasons.iter().take(SHOWN) {
            out.push_str(&format!("  {count:>6} × {reason}\n"));
        }
        if let Some(more) = reasons.len().checked_sub(SHOWN).filter(|more| *more > 0) {
            out.push_str(&format!("         and {more} more reasons\n"));
        }
        all.enforced += of.enforced;
        all.approximated += of.approximated;
        all.not_enforced += of.not_enforced;
        all.meaningless += of.meaningless;
        all.unknown_formats += of.unknown_formats;
        all.responses += of.responses;
        all.callbacks += of.callbacks;
        all.unreferenced += of.unreferenced;
    }
    if documents.len() > 1 {
        out.push_str(&line(&all, width));
    }
    out
}

fn line(of: &DocumentCoverage, width: usize) -> String {
    format!(
        "{:<width$} {:>8} {:>12} {:>12} {:>6.1}%   {}, {}, {}, {}, {}\n",
        of.path,
        of.enforced,
        of.approximated,
        of.not_enforced,
        floor(of.percentage()),
        of.meaningless,
        of.unknown_formats,
        of.responses,
        of.callbacks,
        of.unreferenced
    )
}

/// Down to one decimal: what is not all must not read as 100 %.
fn floor(percentage: f64) -> f64 {
    (percentage * 10.0).floor() / 10.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_all_does_not_read_as_all() {
        let mut of = DocumentCoverage { path: "a.yaml".into(), ..DocumentCoverage::default() };
        of.enforced = 99_999;
        of.not_enforced = 1;
        of.reasons.insert("too large".into(), 1);
        let text = table(&Coverage { documents: vec![of] });
        assert!(text.contains("99.9%") && text.contains("1 × too large"), "{text}");
    }
}
