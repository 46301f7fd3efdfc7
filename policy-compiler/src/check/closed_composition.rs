//! PC0609: a branch of `allOf` forbids the properties of the others.
//!
//! `additionalProperties: false` sees only the `properties` beside it, not those of other
//! branches, so that together they refuse every object that uses them.

use std::collections::HashSet;

use crate::diag::{CLOSED_COMPOSITION, Diagnostic, Diagnostics, Span};
use crate::ir::{Model, Schema};

pub(super) fn check(model: &Model, schema: &Schema, diagnostics: &mut Diagnostics) {
    let Some(all_of) = &schema.applied.all_of else { return };
    let mut seen = HashSet::new();
    let all: Vec<&str> = (all_of.value.iter().map(|id| &model.schemas[*id]).chain([schema]))
        .flat_map(names)
        .filter(|name| seen.insert(*name))
        .collect();
    for id in &all_of.value {
        let branch = &model.schemas[*id];
        let Some(additional) = branch.object.additional_properties else { continue };
        if model.schemas[additional.value].boolean != Some(false)
            || branch.object.pattern_properties.is_some()
        {
            continue;
        }
        let own: HashSet<&str> = names(branch).into_iter().collect();
        let refused = all.iter().find(|name| !own.contains(*name));
        if let Some(name) = refused {
            diagnostics.push(
                Diagnostic::new(
                    CLOSED_COMPOSITION,
                    format!(
                        "`additionalProperties: false` of one branch refuses `{name}` of another"
                    ),
                )
                .label(Span::of(additional.origin, model), "refuses what is not beside it")
                .label(Span::of(all_of.origin, model), "applied together here")
                .help(
                    "leave it out of the branches; in OpenAPI 3.1, `unevaluatedProperties: false` \
                     beside `allOf` does what was meant",
                ),
            );
        }
    }
}

fn names(schema: &Schema) -> Vec<&str> {
    schema.object.properties.iter().flat_map(|p| &p.value).map(|p| p.name.as_str()).collect()
}
