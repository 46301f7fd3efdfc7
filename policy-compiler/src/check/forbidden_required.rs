//! PC0611: an object requires a property that it also forbids.

use std::collections::HashSet;

use crate::diag::{Diagnostic, Diagnostics, FORBIDDEN_REQUIRED, Span, did_you_mean};
use crate::ir::{Model, Schema};

pub(super) fn check(model: &Model, schema: &Schema, diagnostics: &mut Diagnostics) {
    let object = &*schema.object;
    let Some(required) = &object.required else { return };
    let closed = object
        .additional_properties
        .is_some_and(|additional| model.schemas[additional.value].boolean == Some(false));
    if !closed || object.pattern_properties.is_some() {
        return;
    }
    let properties = || object.properties.iter().flat_map(|p| &p.value).map(|p| p.name.as_str());
    let declared: HashSet<&str> = properties().collect();
    for name in &required.value {
        if !declared.contains(&*name.value) {
            diagnostics.push(
                Diagnostic::new(
                    FORBIDDEN_REQUIRED,
                    format!(
                        "`{}` is required, and forbidden as an additional property",
                        name.value
                    ),
                )
                .at(Span::of(name.origin, model))
                .help(
                    did_you_mean(&name.value, properties())
                        .unwrap_or_else(|| "declare it in `properties`".to_owned()),
                ),
            );
        }
    }
}
