//! Writes what holds for the bundle as a whole, its APIs and its probes.

use super::tables::Tables;
use crate::ir::{self, Model};
use portcullis_bundle::layout::{self, Action, AnswerDetails, AnswerStyle, Mode};

/// Writes the policy (its root is set with the router), the APIs and the probes.
pub fn write(tables: &mut Tables<'_>, model: &Model) {
    let policy = &model.policy;
    let settings = &policy.settings;
    let record = layout::Policy {
        name: tables.text(&policy.name),
        root: 0.into(),
        mode: mode(settings.mode).code(),
        undeclared_operations: action(settings.undeclared.operations).code(),
        undeclared_methods: action(settings.undeclared.methods).code(),
        ambiguous_paths: action(settings.strictness.ambiguous_paths).code(),
        answer_style: match policy.answers.style {
            ir::AnswerStyle::Problem => AnswerStyle::Problem.code(),
            ir::AnswerStyle::Minimal => AnswerStyle::Minimal.code(),
        },
        answer_details: match policy.answers.details {
            ir::AnswerDetails::None => AnswerDetails::Hidden.code(),
            ir::AnswerDetails::Finding => AnswerDetails::Finding.code(),
        },
        preflight: match policy.preflight {
            ir::Preflight::Allow => Action::Allow.code(),
            ir::Preflight::Judge => Action::Block.code(),
        },
        break_glass: policy.break_glass.into(),
        max_path: settings.limits.path.into(),
        max_parameters: settings.limits.parameters.into(),
    };
    tables.sections.policy.push(record);
    for probe in &policy.health_probes {
        let methods: Vec<&str> = probe.methods.iter().map(|method| method.name()).collect();
        let (path, methods) = (tables.text(&probe.path), tables.text(&methods.join(" ")));
        tables.sections.probes.push(layout::Probe { path, methods });
    }
    for api in &model.apis {
        let name = tables.text(&api.name);
        tables.sections.apis.push(layout::Api {
            name,
            mode: mode(api.settings.mode).code(),
            undeclared_operations: action(api.settings.undeclared.operations).code(),
            undeclared_methods: action(api.settings.undeclared.methods).code(),
            reserved: 0,
        });
    }
}

/// The bundle's code for a mode.
pub fn mode(mode: ir::Mode) -> Mode {
    match mode {
        ir::Mode::Enforce => Mode::Enforce,
        ir::Mode::Monitor => Mode::Monitor,
    }
}

/// The bundle's code for an action.
pub fn action(action: ir::Action) -> Action {
    match action {
        ir::Action::Allow => Action::Allow,
        ir::Action::Monitor => Action::Monitor,
        ir::Action::Block => Action::Block,
    }
}
