//! PC0612: a `multipleOf` of more digits than the engine divides by.

use crate::diag::{Diagnostic, Diagnostics, LONG_MULTIPLE, Span};
use crate::ir::{MAX_MULTIPLE_DIGITS, Model, Schema};

pub(super) fn check(model: &Model, schema: &Schema, diagnostics: &mut Diagnostics) {
    let Some(multiple) = schema.number.multiple_of.as_ref().filter(|at| at.value.is_long()) else {
        return;
    };
    let title = "`multipleOf` has too many digits, so it is not enforced";
    diagnostics.push(
        Diagnostic::new(LONG_MULTIPLE, title).at(Span::of(multiple.origin, model)).help(format!(
            "at most {MAX_MULTIPLE_DIGITS} are divided by, zeros at both ends aside"
        )),
    );
}
