//! PC0610: two APIs declare an operation for the same method, host and path.
//!
//! Within one API such operations are joined; between two, nobody could say whose settings hold.

use std::collections::HashMap;

use crate::diag::{Diagnostic, Diagnostics, OVERLAPPING_APIS, Span};
use crate::ir::{Method, Model, Origin};

pub(super) fn check(model: &Model, diagnostics: &mut Diagnostics) {
    let mut seen: HashMap<(&str, Method, String), (usize, Origin)> = HashMap::new();
    for (index, api) in model.apis.iter().enumerate() {
        for op in &api.operations {
            // No host stands for all that are not listed elsewhere.
            let hosts: Vec<&str> = match op.hosts(api) {
                [] => vec![""],
                hosts => hosts.iter().map(String::as_str).collect(),
            };
            for base in &op.base_paths {
                let path = format!("{}{}", base.value.shape(), op.template.shape());
                for host in &hosts {
                    let key = (*host, op.method, path.clone());
                    let (first, origin) = *seen.entry(key).or_insert((index, op.origin));
                    if first == index {
                        continue;
                    }
                    let title = format!(
                        "the APIs `{}` and `{}` both declare `{} {}{}`",
                        model.apis[first].name,
                        api.name,
                        op.method.name(),
                        base.value.path,
                        op.template.text
                    );
                    diagnostics.push(
                        Diagnostic::new(OVERLAPPING_APIS, title)
                            .label(Span::of(op.origin, model), "again here")
                            .label(Span::of(origin, model), "first here")
                            .help("give the APIs different `hosts` or `base_paths` in the policy"),
                    );
                }
            }
        }
    }
}
