//! PC0604: a nullable schema whose `enum` lacks `null`.
//!
//! OpenAPI 3.0.3 says that `null` must then be listed. Many documents mean otherwise.

use crate::diag::{Diagnostic, Diagnostics, NULL_NOT_IN_ENUM, Span};
use crate::ir::{Model, Schema, Value};

pub(super) fn check(model: &Model, schema: &Schema, diagnostics: &mut Diagnostics) {
    let Some(nullable) = schema.nullable.filter(|n| n.value) else { return };
    let Some(values) = &schema.enumeration else { return };
    if schema.types.is_some() && !values.value.contains(&Value::Null) {
        diagnostics.push(
            Diagnostic::new(NULL_NOT_IN_ENUM, "`enum` does not list `null`, so null is refused")
                .at(Span::of(values.origin, model))
                .label(Span::of(nullable.origin, model), "although the schema is nullable")
                .help("add `null` to the values"),
        );
    }
}
