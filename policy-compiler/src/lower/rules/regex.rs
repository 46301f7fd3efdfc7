//! Regular expressions of rules: over bytes, `.` takes new lines, case counts unless they say otherwise.

use regex_syntax::hir::Hir;

/// Bytes of an expression, at most.
const MAX_LEN: usize = 64 << 10;

/// Reads an expression.
///
/// # Errors
/// Why it cannot be read, lower case, without a final period.
pub fn parse(pattern: &str) -> Result<Hir, String> {
    if pattern.len() > MAX_LEN {
        return Err(format!("it has more than {MAX_LEN} bytes"));
    }
    let mut parser = regex_syntax::ParserBuilder::new()
        .utf8(false)
        .unicode(false)
        .dot_matches_new_line(true)
        .nest_limit(128)
        .build();
    parser.parse(pattern).map_err(|error| match error {
        regex_syntax::Error::Parse(error) => lower(&error.kind().to_string()),
        regex_syntax::Error::Translate(error) => lower(&error.kind().to_string()),
        other => lower(&other.to_string()),
    })
}

fn lower(text: &str) -> String {
    let mut letters = text.trim_end_matches('.').chars();
    letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}
