//! Packs of attack rules: from YAML to the intermediate representation. RULES.md describes the language.
//!
//! In: a pack's text. Out: its rules, and everything that is wrong with them, with file and line.

mod builtin;
mod operator;
mod pack;
mod sample;
mod target;

pub use builtin::{API_CORE, files as builtin_files};
pub use operator::network;
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
    fn the_pages_pack_is_a_pack() {
        let page = include_str!("../../RULES.md");
        let examples: Vec<&str> = page
            .split("```yaml\n")
            .skip(1)
            .filter_map(|it| Some(it.split_once("```")?.0))
            .collect();
        let [pack, answers, policy] = examples[..] else { panic!("{} examples", examples.len()) };
        let mut diagnostics = Diagnostics::default();
        let rules = pack::read("rules.yaml", pack, &mut |_, _| None, &mut diagnostics);
        assert!(diagnostics.sorted().is_empty(), "{:?}", diagnostics.sorted());
        assert_eq!(rules.len(), 1);
        let rules = pack::read("answers.yaml", answers, &mut |_, _| None, &mut diagnostics);
        assert!(diagnostics.sorted().is_empty(), "{:?}", diagnostics.sorted());
        assert_eq!(rules.len(), 1);
        crate::policy::parse("policy.yaml", policy, &mut diagnostics).unwrap();
        assert!(diagnostics.sorted().is_empty(), "{:?}", diagnostics.sorted());
    }

    #[test]
    fn every_transformation_is_documented() {
        let page = include_str!("../../RULES.md");
        for step in Transformation::ALL {
            let name = transformation_name(*step);
            assert!(page.contains(&format!("`{name}`")), "{name}");
        }
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line() {
        let text = "pack: p\nrules:\n- {id: A, title: t, match: {regex: a}}\n- {id: b, match: {sql: true}}\n\
                    - {id: c, title: t, match: {like: a}}\n- {id: d, title: t, targets: [bodies], match: {sql: true}}\n\
                    - {id: e, title: t, transform: [urlDecode], match: {sql: true}}\n\
                    - {id: f, title: t, mach: {sql: true}}\n- {id: g, title: t, match: {sql: true, xss: true}}\n";
        let mut diagnostics = Diagnostics::default();
        pack::read("p.yaml", text, &mut |_, _| None, &mut diagnostics);
        let found: Vec<(&str, u32)> =
            diagnostics.sorted().iter().map(|d| (d.code.id, d.labels[0].span.line)).collect();
        let wanted = [
            ("PC0804", 3),
            ("PC0803", 4),
            ("PC0807", 5),
            ("PC0805", 6),
            ("PC0806", 7),
            ("PC0803", 8),
            ("PC0802", 8),
            ("PC0804", 9),
        ];
        assert_eq!(found, wanted);
    }

    #[test]
    fn names_of_transformations() {
        for name in ["lowercase", "url_decode_uni", "utf8_to_unicode", "sha1", "normalize_path_win"]
        {
            assert!(transformation(name).is_some(), "{name}");
        }
        assert_eq!(transformation("urlDecode"), None);
    }
}
