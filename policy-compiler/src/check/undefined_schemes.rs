//! PC0602: a security requirement names a scheme that its document does not define.
//!
//! Such a requirement must not read as open, and cannot be met.

use crate::diag::{Diagnostic, Diagnostics, Span, UNDEFINED_SCHEME, did_you_mean};
use crate::ir::Model;

pub(super) fn check(model: &Model, diagnostics: &mut Diagnostics) {
    for (api, op) in model.operations() {
        for requirement in &op.security {
            for (name, _) in &requirement.schemes {
                let document = requirement.origin.document;
                let own =
                    |document| api.security_schemes.iter().filter(move |s| s.document == document);
                // A requirement in a fragment file means the schemes of the operation's document.
                let root = api.documents.contains(&document);
                let mut schemes: Vec<_> = own(document).collect();
                if !root {
                    schemes = api.security_schemes.iter().collect();
                }
                if schemes.iter().any(|s| s.name == *name) {
                    continue;
                }
                let names = schemes.iter().map(|s| s.name.as_str());
                diagnostics.push(
                    Diagnostic::new(
                        UNDEFINED_SCHEME,
                        format!("the security scheme `{name}` is not defined"),
                    )
                    .at(Span::of(requirement.origin, model))
                    .help(
                        did_you_mean(name, names).unwrap_or_else(|| {
                            "define it in `components.securitySchemes`".to_owned()
                        }),
                    ),
                );
            }
        }
    }
}
