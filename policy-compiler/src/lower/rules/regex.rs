//! Regular expressions of rules: over bytes, `.` takes new lines, case counts unless they say otherwise.
//!
//! `\x{hh}` is the byte, as it is in PCRE without its Unicode mode.

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
    parser.parse(&bytewise(pattern)).map_err(|error| match error {
        regex_syntax::Error::Parse(error) => lower(&error.kind().to_string()),
        regex_syntax::Error::Translate(error) => lower(&error.kind().to_string()),
        other => lower(&other.to_string()),
    })
}

/// `\x{hh}` as `\xhh`, which stands for a byte where the other stands for a character.
fn bytewise(pattern: &str) -> std::borrow::Cow<'_, str> {
    if !pattern.contains("\\x{") {
        return pattern.into();
    }
    let mut out = String::with_capacity(pattern.len());
    let mut rest = pattern;
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let digits = rest.strip_prefix("\\x{").and_then(|it| it.split_once('}'));
        match digits.filter(|(it, _)| it.len() <= 2 && u8::from_str_radix(it, 16).is_ok()) {
            Some((digits, after)) => {
                out.push_str(&format!("\\x{digits:0>2}"));
                rest = after;
            }
            None => {
                // The letter after a backslash is not one of another escape.
                let len = rest.chars().take(2).map(char::len_utf8).sum();
                out.push_str(&rest[..len]);
                rest = &rest[len..];
            }
        }
    }
    out.push_str(rest);
    out.into()
}

fn lower(text: &str) -> String {
    let mut letters = text.trim_end_matches('.').chars();
    letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn braces_name_bytes() {
        assert_eq!(bytewise(r"[\\x{41}\x{f}-\x{fF}]\x{100}"), r"[\\x{41}\x0f-\xfF]\x{100}");
        let byte = parse(r"\x{e9}").unwrap();
        assert_eq!(byte, Hir::literal([0xE9]));
        assert!(parse(r"[\x7f-\x{ff}]").is_ok());
    }
}
