//! PC0602: a security requirement names a scheme that its document does not define.
//!
//! Such a requirement must not read as open, and cannot be met.

use crate::diag::{Diagnostic, Diagnostics, Severity, Span, UNDEFINED_SCHEME, did_you_mean};
use crate::ir::{Model, UndefinedSchemes};

pub(super) fn check(model: &Model, diagnostics: &mut Diagnostics) {
    for (api, op) in model.operations() {
        for requirement in &op.security {
            for (name, _) in &requirement.schemes {
                if api.security_scheme(requirement, name).is_some() {
                    continue;
                }
                let names = api.security_schemes.iter().map(|s| s.name.as_str());
                let title = format!("the security scheme `{name}` is not defined");
                let mut diagnostic = Diagnostic::new(UNDEFINED_SCHEME, title)
                    .at(Span::of(requirement.origin, model))
                    .help(did_you_mean(name, names).unwrap_or_else(|| {
                        "define it in `components.securitySchemes`; with \
                         `strictness.undefined_schemes: deny` every request is refused instead"
                            .to_owned()
                    }));
                if op.settings.strictness.undefined_schemes == UndefinedSchemes::Deny {
                    diagnostic.severity = Severity::Warning;
                }
                diagnostics.push(diagnostic);
            }
        }
    }
}
