//! Checks what credentials operations ask for.

use super::Check;
use crate::error::OpenError;
use crate::layout::{Action, Location, MAX_SCHEMES, NONE, SchemeKind, Security, SecurityScheme};

pub(super) fn verify(check: Check<'_, '_>) -> Result<(), OpenError> {
    let view = check.view;
    check.each("security_schemes", view.security_schemes, scheme)?;
    check.each("security_requirements", view.security_requirements, |check, requirement| {
        check.maybe(requirement.origin.get(), view.origins, "origin")
    })?;
    check.each("securities", view.securities, security)?;
    // Ascending, so that a search finds each: a record that it missed would read as open.
    check.each("securities", view.securities, |check, one| {
        let next = view.securities.get(check.record.saturating_add(1));
        let ascends = next.is_none_or(|next| one.operation.get() < next.operation.get());
        check.that(ascends, "operations do not ascend")
    })
}

fn scheme(check: &Check<'_, '_>, scheme: &SecurityScheme) -> Result<(), OpenError> {
    let view = check.view;
    check.text(&scheme.name, "name")?;
    check.maybe(scheme.origin.get(), view.origins, "origin")?;
    let schema = scheme.schema.get();
    check.that(schema == NONE || (schema as usize) < view.schemas.len(), "schema")?;
    check.that(SchemeKind::from_code(scheme.kind).is_some(), "kind")?;
    check.that(Location::from_code(scheme.location).is_some(), "location")
}

fn security(check: &Check<'_, '_>, security: &Security) -> Result<(), OpenError> {
    let view = check.view;
    check.index(security.operation.get(), view.operations, "operation")?;
    let count = security.scheme_count.get();
    check.that(count <= MAX_SCHEMES, "more than 64 schemes")?;
    check.run(security.schemes.get(), count, view.security_schemes, "schemes")?;
    check.that(security.requirement_count.get() > 0, "no requirement")?;
    let (first, number) = (security.requirements.get(), security.requirement_count.get());
    let requirements = check.run(first, number, view.security_requirements, "requirements")?;
    let known = 1u64.checked_shl(count).map_or(u64::MAX, |bit| bit - 1);
    let sound = requirements.iter().all(|it| it.schemes.get() & !known == 0);
    check.that(sound, "a requirement names a scheme beyond the last")?;
    let challenge = check.text(&security.challenge, "challenge")?;
    // It becomes a header field.
    let printable = challenge.iter().all(|byte| matches!(byte, b' '..=b'~'));
    check.that(printable, "the challenge is not printable ASCII")?;
    check.that(Action::from_code(security.action).is_some(), "action")
}
