//! PC0608: a value of `enum` or `const` that the schema's own `type` excludes.

use crate::diag::{Diagnostic, Diagnostics, ENUM_TYPE, Span};
use crate::ir::{Model, Schema};

pub(super) fn check(model: &Model, schema: &Schema, diagnostics: &mut Diagnostics) {
    let Some(types) = schema.types else { return };
    let names: Vec<_> = types.value.iter().map(|t| t.name()).collect();
    let names = names.join("` or `");
    if let Some(values) = &schema.enumeration {
        let wrong = values.value.iter().filter(|v| !types.value.admits(v.kind())).count();
        if wrong > 0 {
            let title = match wrong {
                1 => format!("a value of `enum` is not of the type `{names}`"),
                n => format!("{n} values of `enum` are not of the type `{names}`"),
            };
            report(model, values.origin, title, diagnostics);
        }
    }
    if let Some(value) = &schema.constant
        && !types.value.admits(value.value.kind())
    {
        let title = format!("the value of `const` is not of the type `{names}`");
        report(model, value.origin, title, diagnostics);
    }
}

fn report(model: &Model, at: crate::ir::Origin, title: String, diagnostics: &mut Diagnostics) {
    diagnostics.push(
        Diagnostic::new(ENUM_TYPE, title)
            .at(Span::of(at, model))
            .help("no request can carry it; write it in the type's form"),
    );
}
