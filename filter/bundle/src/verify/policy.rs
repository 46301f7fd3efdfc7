//! Checks the policy, documents, origins, probes and APIs.

use super::Check;
use crate::error::OpenError;
use crate::layout::{Action, AnswerDetails, AnswerStyle, Mode, NONE};

pub(super) fn verify(check: Check<'_, '_>) -> Result<(), OpenError> {
    let view = check.view;
    check.once("policy", |check| {
        check.that(view.policy.len() == 1, "there must be exactly one policy record")
    })?;
    check.each("policy", view.policy, |check, policy| {
        check.text(&policy.name, "name")?;
        check.index(policy.root.get(), view.nodes, "root")?;
        check.that(Mode::from_code(policy.mode).is_some(), "mode")?;
        for action in [
            policy.undeclared_operations,
            policy.undeclared_methods,
            policy.ambiguous_paths,
            policy.preflight,
        ] {
            check.that(Action::from_code(action).is_some(), "action")?;
        }
        check.that(AnswerStyle::from_code(policy.answer_style).is_some(), "answer_style")?;
        check.that(AnswerDetails::from_code(policy.answer_details).is_some(), "answer_details")?;
        check.that(policy.break_glass <= 1, "break_glass")
    })?;
    check.each("documents", view.documents, |check, document| {
        check.text(&document.name, "name").map(|_| ())
    })?;
    check.each("origins", view.origins, |check, origin| {
        check.index(origin.document.get(), view.documents, "document")?;
        check.maybe(origin.pointer.get(), view.pointers, "pointer")
    })?;
    check.each("pointers", view.pointers, |check, pointer| {
        let parent = pointer.parent.get();
        check.that(parent == NONE || (parent as usize) < check.record, "parent")?;
        check.text(&pointer.token, "token").map(|_| ())
    })?;
    check.each("probes", view.probes, |check, probe| {
        check.text(&probe.path, "path")?;
        check.text(&probe.methods, "methods").map(|_| ())
    })?;
    check.each("apis", view.apis, |check, api| {
        check.text(&api.name, "name")?;
        check.that(Mode::from_code(api.mode).is_some(), "mode")?;
        check.that(
            Action::from_code(api.undeclared_operations).is_some(),
            "undeclared_operations",
        )?;
        check.that(Action::from_code(api.undeclared_methods).is_some(), "undeclared_methods")
    })
}
