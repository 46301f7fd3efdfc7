//! Checks over the model: what is valid, and yet probably not what was meant.
//!
//! In: a model with its policy applied. Out: diagnostics. One file per check. Checks of schemas
//! look only at what requests can reach.

mod byte_octets;
mod closed_composition;
mod crossing_templates;
mod empty_range;
mod enum_types;
mod forbidden_required;
mod long_multiple;
mod null_in_enum;
mod overlapping_apis;
mod undefined_schemes;

use crate::diag::Diagnostics;
use crate::ir::{Model, Schema, SchemaId, Usage};

/// Runs every check.
pub fn run(model: &Model, diagnostics: &mut Diagnostics) {
    overlapping_apis::check(model, diagnostics);
    undefined_schemes::check(model, diagnostics);
    crossing_templates::check(model, diagnostics);
    byte_octets::check(model, diagnostics);
    for (_, schema) in requested(model) {
        empty_range::check(model, schema, diagnostics);
        enum_types::check(model, schema, diagnostics);
        long_multiple::check(model, schema, diagnostics);
        null_in_enum::check(model, schema, diagnostics);
        forbidden_required::check(model, schema, diagnostics);
        closed_composition::check(model, schema, diagnostics);
    }
}

/// Schemas that requests can reach.
fn requested(model: &Model) -> impl Iterator<Item = (SchemaId, &Schema)> {
    let requests = Usage::REQUEST_BODY.with(Usage::PARAMETER);
    let written = model.schemas.iter().filter(|(id, _)| !model.copied.contains(&id.index()));
    written.filter(move |(_, schema)| schema.usage.intersects(requests))
}
