//! Packs of attack rules: from YAML to the intermediate representation. RULES.md describes the language.
//!
//! In: a pack's text. Out: its rules, and everything that is wrong with them, with file and line.

mod builtin;
mod operator;
mod pack;
mod sample;
mod target;

pub use builtin::{API_CORE, files as builtin_files};
pub use pack::read;
pub use target::{name as target_name, names as target_names, parse as parse_target};

use crate::diag::{Diagnostics, Span};
use crate::ir::Rule;
use crate::source::{Library, join};
use portcullis_bundle::layout::{CodeLayout, Transformation};

/// Reads a pack by the name that a policy gives it: one that is built in, or a file beside the policy.
pub fn load(
    name: &str,
    (policy, span): (&str, &Span),
    library: &mut Library<'_>,
    diagnostics: &mut Diagnostics,
) -> Vec<Rule> {
    if let Some(files) = builtin_files(name) {
        let read =
            |(path, text): &(&str, &str)| pack::read(path, text, &mut |_, _| None, diagnostics);
        return files.iter().flat_map(read).collect();
    }
    if !name.contains(['/', '.']) {
        diagnostics.push(builtin::unknown(name).at(span.clone()));
        return Vec::new();
    }
    let path = join(policy, name);
    let Some(text) = library.read_text(&path, diagnostics) else { return Vec::new() };
    let mut beside = |file: &str, diagnostics: &mut Diagnostics| {
        library.read_text(&join(&path, file), diagnostics)
    };
    pack::read(&path, &text, &mut beside, diagnostics)
}

/// The name of a transformation in packs: `url_decode`.
pub fn transformation_name(transformation: Transformation) -> String {
    let name = Transformation::CODES.iter().find(|(code, ..)| *code == transformation.code());
    snake(name.map_or("", |(_, name, _)| name))
}

/// The transformation of a name.
pub fn transformation(name: &str) -> Option<Transformation> {
    Transformation::ALL.iter().copied().find(|it| transformation_name(*it) == name)
}

fn snake(name: &str) -> String {
    let mut snake = String::new();
    for letter in name.chars() {
        if letter.is_ascii_uppercase() && !snake.is_empty() {
            snake.push('_');
        }
        snake.push(letter.to_ascii_lowercase());
    }
    snake
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_transformations() {
        for name in ["lowercase", "url_decode_uni", "utf8_to_unicode", "sha1", "normalize_path_win"]
        {
            assert!(transformation(name).is_some(), "{name}");
        }
        assert_eq!(transformation("urlDecode"), None);
    }
}
