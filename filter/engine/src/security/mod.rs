//! Whether a request carries the credentials that its operation asks for, and whether they have the
//! form of their schemes.
//!
//! In: an operation and the head of a request. Out: at most one finding. What a credential proves is
//! judged elsewhere (jwt_authn, mutual TLS, the application). No credential is kept, copied into a
//! finding, or compared with anything secret.

mod form;

use crate::access::slice;
use crate::exchange::{Conditions, Findings};
use crate::finding::{Finding, FindingCode, Position};
use crate::params::cookie;
use crate::percent::{Plus, decode_into, equals};
use crate::schema::Validator;
use form::Authorization;
pub(crate) use form::decode as decode_base64;
use portcullis_bundle::layout::{
    Action, Location, SchemeKind, Security, SecurityRequirement, SecurityScheme, View,
};

/// A request's head, and the operation that it is judged by.
pub(crate) struct Ask<'a, 'b> {
    pub view: &'a View<'b>,
    /// Index into operations.
    pub operation: u32,
    pub headers: &'a [(&'a [u8], &'a [u8])],
    /// The query as sent, without `?`.
    pub query: &'a [u8],
    pub conditions: Conditions,
}

/// What a scheme finds of its credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Found {
    Nothing,
    Malformed,
    Credential,
}

/// What an operation asks for; `None` where it asks for nothing.
pub(crate) fn of<'b>(view: &View<'b>, operation: u32) -> Option<&'b Security> {
    let at = view.securities.binary_search_by_key(&operation, |it| it.operation.get()).ok()?;
    view.securities.get(at)
}

/// Whether the scheme's credential is a parameter of the query.
pub(crate) fn is_query_key(scheme: &SecurityScheme) -> bool {
    scheme.kind == SchemeKind::ApiKey.code() && scheme.location == Location::Query.code()
}

/// Judges the credentials of a request. Gives the operation's schemes.
pub(crate) fn judge<'b>(
    ask: &Ask<'_, 'b>,
    scratch: &mut Vec<u8>,
    validator: &mut Validator,
    findings: &mut Findings,
) -> &'b [SecurityScheme] {
    let Some(security) = of(ask.view, ask.operation) else { return &[] };
    let (first, count) = (security.schemes.get(), security.scheme_count.get());
    let schemes = slice(ask.view.security_schemes, first, count);
    let action = Action::from_code(security.action).unwrap_or(Action::Block);
    if action != Action::Allow {
        if let Some(finding) = find(ask, security, schemes, scratch, validator) {
            findings.act(action, finding);
        }
        // The buffer outlives the request; a password must not.
        scratch.fill(0);
        scratch.clear();
    }
    schemes
}

/// What is wrong with the credentials, if anything.
fn find(
    ask: &Ask<'_, '_>,
    security: &Security,
    schemes: &[SecurityScheme],
    scratch: &mut Vec<u8>,
    validator: &mut Validator,
) -> Option<Finding> {
    let authorization = Authorization::read(ask.headers);
    let (mut met, mut fits_authorization) = (0u64, false);
    let (mut malformed, mut malformed_authorization) = (None, None);
    for (at, scheme) in (0u32..).zip(schemes) {
        let kind = SchemeKind::from_code(scheme.kind).unwrap_or(SchemeKind::Undefined);
        let found = match kind {
            SchemeKind::ApiKey => key(ask, scheme, scratch),
            SchemeKind::Basic | SchemeKind::Bearer | SchemeKind::Http => {
                let found = authorization.find(ask.view, scheme, kind, scratch, validator);
                fits_authorization |= found == Found::Credential;
                if found == Found::Malformed {
                    malformed_authorization.get_or_insert((at, scheme));
                }
                // Decided below: another scheme may take the same field.
                if found == Found::Malformed { Found::Nothing } else { found }
            }
            SchemeKind::MutualTls if ask.conditions.mutual_tls == Some(true) => Found::Credential,
            SchemeKind::MutualTls | SchemeKind::Undefined => Found::Nothing,
        };
        match found {
            Found::Credential => met |= bit(at),
            Found::Malformed => drop(malformed.get_or_insert((at, scheme))),
            Found::Nothing => {}
        }
    }
    if !fits_authorization {
        malformed = malformed.or(malformed_authorization);
    }
    // Even where another alternative is met: the service behind may look at this one first.
    if let Some((at, scheme)) = malformed {
        let position = Position::Credential(security.schemes.get().saturating_add(at));
        let finding = Finding::new(FindingCode::CredentialMalformed, position);
        return Some(finding.at(scheme.origin.get()));
    }
    let (first, count) = (security.requirements.get(), security.requirement_count.get());
    let requirements = slice(ask.view.security_requirements, first, count);
    let is_met = |it: &SecurityRequirement| it.schemes.get() & !met == 0;
    if requirements.iter().any(is_met) {
        return None;
    }
    let missing = FindingCode::CredentialMissing;
    let Some(requirement) = requirements.first() else {
        return Some(Finding::new(missing, Position::Message));
    };
    let unmet = (requirement.schemes.get() & !met).trailing_zeros();
    let position = Position::Credential(security.schemes.get().saturating_add(unmet));
    Some(Finding::new(missing, position).at(requirement.origin.get()))
}

fn bit(at: u32) -> u64 {
    1u64.checked_shl(at).unwrap_or(0)
}

/// Looks for an API key: it must be there once, not be empty, and be printable ASCII.
fn key(ask: &Ask<'_, '_>, scheme: &SecurityScheme, scratch: &mut Vec<u8>) -> Found {
    let name = ask.view.bytes(scheme.name);
    match Location::from_code(scheme.location) {
        Some(Location::Header) => {
            let found = ask.headers.iter().filter(|(field, _)| *field == name);
            only(found.map(|(_, value)| *value), |value| form::is_key(value.trim_ascii()))
        }
        Some(Location::Cookie) => only(cookie::values(ask.headers, name), form::is_key),
        Some(Location::Query) => only(query_values(ask.query, name), |value| {
            scratch.clear();
            decode_into(value, Plus::Space, scratch).is_ok() && form::is_key(scratch)
        }),
        _ => Found::Nothing,
    }
}

/// The values, as sent, of the query's pairs of a name.
pub(crate) fn query_values<'a>(query: &'a [u8], name: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
    query.split(|&byte| byte == b'&').filter_map(move |pair| {
        let equals_sign = pair.iter().position(|&byte| byte == b'=').unwrap_or(pair.len());
        let found = pair.get(..equals_sign).unwrap_or_default();
        // An empty name names nothing, and pairs of nothing are no parameters.
        let is_named = !pair.is_empty() && equals(found, Plus::Space, name);
        is_named.then(|| pair.get(equals_sign.saturating_add(1)..).unwrap_or_default())
    })
}

/// One value of the form is a credential; several are not, whatever they say: readers differ in
/// which they take.
fn only<'a>(
    mut values: impl Iterator<Item = &'a [u8]>,
    has_form: impl FnOnce(&[u8]) -> bool,
) -> Found {
    let Some(value) = values.next() else { return Found::Nothing };
    if values.next().is_none() && has_form(value) { Found::Credential } else { Found::Malformed }
}
