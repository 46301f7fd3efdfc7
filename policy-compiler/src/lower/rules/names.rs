//! The names of values in selectors, some of which are expressions.

use super::super::schema::write_automaton;
use super::super::tables::Tables;
use super::{Lowered, Table, regex};

use crate::ir::{Matcher, Naming, Removal, TargetName};
use portcullis_bundle::layout::{self, Sections, Target};
use std::collections::HashMap;

/// The automata of names that are expressions.
pub(super) type Names = HashMap<String, u32>;

pub(super) fn selector(
    tables: &mut Tables<'_>,
    target: &TargetName,
    names: &Names,
) -> layout::Selector {
    let text = target.name.as_deref().unwrap_or_default();
    let naming = match target.naming {
        Naming::Written => layout::Naming::Written,
        Naming::Regex if target.name.is_some() => layout::Naming::Regex,
        Naming::Argument | Naming::Regex => layout::Naming::Argument,
    };
    layout::Selector {
        name: tables.text(text),
        automaton: names
            .get(text)
            .filter(|_| naming == layout::Naming::Regex)
            .copied()
            .unwrap_or(0)
            .into(),
        target: target.target.code(),
        naming: naming.code(),
        bodies: target.bodies,
        reserved: 0,
    }
}

/// Writes the automata of names that are expressions.
pub(super) fn write_names(
    tables: &mut Tables<'_>,
    matchers: &[Lowered<'_>],
    removals: &[Removal],
) -> Result<Names, String> {
    let of = matchers.iter().flat_map(|it| it.of.targets.iter().chain(&it.of.except));
    let mut names = Names::new();
    for target in of.chain(removals.iter().flat_map(|it| &it.at)) {
        let Some(pattern) = target.name.as_ref().filter(|_| target.naming == Naming::Regex) else {
            continue;
        };
        if names.contains_key(pattern) {
            continue;
        }
        let hir = regex::parse(&format!("(?i){pattern}"))?;
        let table = Table::search(&hir).map_err(|why| format!("`/{pattern}/`: {why}"))?;
        names.insert(pattern.clone(), tables.sections.automata.len() as u32);
        write_automaton(tables, &table);
    }
    Ok(names)
}

/// Whether rules ask how clients call arguments.
pub(super) fn names_arguments(matchers: &[Lowered<'_>], removals: &[Removal]) -> bool {
    let by_name = |it: &TargetName| {
        it.target == Target::BodyArgument
            || it.target == Target::ArgumentsSize
            || it.name.is_some() && it.naming != Naming::Written
    };
    let of = |it: &Matcher| it.targets.iter().chain(&it.except).any(by_name);
    matchers.iter().any(|it| of(it.of) || it.of.then.is_some())
        || removals.iter().flat_map(|it| &it.at).any(by_name)
}

/// Whether rules, modes or exceptions mean values of a body by their names.
pub(super) fn names_values(sections: &Sections) -> bool {
    let excepted = sections.exceptions.iter().map(|it| &it.selector);
    let modes = sections.field_modes.iter().map(|it| &it.selector);
    let mut all = sections.selectors.iter().chain(excepted).chain(modes);
    all.any(|it| it.target == Target::Body.code() && it.name.len.get() > 0)
}
