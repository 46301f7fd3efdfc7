//! Lowers security requirements: which credentials an operation asks for, and of what form.

use super::policy::action;
use super::schema::{Lowering, NodeId};
use super::tables::Tables;
use crate::ir::{
    self, Action, Api, Direction, ParameterLocation, SecurityKind, SecurityRequirement,
    SecurityScheme,
};
use crate::report::construct;
use portcullis_bundle::layout::{self, Location, MAX_SCHEMES, NONE, SchemeKind};
use std::collections::HashMap;
use zerocopy::{Immutable, IntoBytes};

/// What stays with others, for the report.
const NOTE: &str = "presence and form of the credential; whether it is valid is for `jwt_authn`, mutual TLS or the \
                    application to say";
const MUTUAL_TLS_OUT: &str =
    "the receiver asks for the certificate on a connection that the gateway makes";
const SCOPES: &str = "scopes are not judged: `jwt_authn` or the application does";

/// The security of an operation on its way to records.
pub struct Lowered<'m> {
    schemes: Vec<Scheme<'m>>,
    /// Which schemes each requirement asks for, as bits.
    requirements: Vec<(u64, &'m SecurityRequirement)>,
    challenge: String,
    action: Action,
}

/// A scheme, by the name that requirements give it.
struct Scheme<'m> {
    name: &'m str,
    defined: Option<&'m SecurityScheme>,
    /// What a JWT's header must satisfy.
    header: Option<NodeId>,
}

impl Lowered<'_> {
    /// The nodes that judge the headers of JWTs.
    pub fn roots(&self) -> impl Iterator<Item = NodeId> {
        self.schemes.iter().filter_map(|scheme| scheme.header)
    }
}

/// Lowers what an operation asks for, and records it; `None` where it asks for nothing. The error
/// is how many schemes it names, if those are more than a record holds.
pub fn lower<'m>(
    lowering: &mut Lowering<'m>,
    api: &'m Api,
    operation: &'m ir::Operation,
) -> Result<Option<Lowered<'m>>, usize> {
    let action = operation.settings.security;
    // The connection whose certificate is known here is not the one to the receiver.
    let outbound = api.direction == Direction::Outbound;
    let mut schemes: Vec<Scheme<'m>> = Vec::new();
    let mut known: HashMap<(&str, Option<ir::Origin>), usize> = HashMap::new();
    let mut requirements = Vec::new();
    for requirement in &operation.security {
        let mut bits = 0u64;
        for (name, _) in &requirement.schemes {
            let defined = api.security_scheme(requirement, name);
            if let Some(scheme) =
                defined.filter(|it| outbound && it.kind == SecurityKind::MutualTls)
            {
                let origin = scheme.origin;
                lowering.recorder().not_enforced(
                    origin,
                    construct::SECURITY_SCHEME,
                    MUTUAL_TLS_OUT,
                );
                let (at, security) = (requirement.origin, construct::SECURITY);
                match requirement.schemes.len() {
                    1 => lowering.recorder().not_enforced(at, security, MUTUAL_TLS_OUT),
                    _ => lowering.recorder().approximated(at, security, MUTUAL_TLS_OUT),
                }
                continue;
            }
            let at = *known.entry((name, defined.map(|it| it.origin))).or_insert_with(|| {
                let header = defined.is_some_and(is_jwt).then(|| lowering.jwt_header());
                schemes.push(Scheme { name, defined, header });
                schemes.len() - 1
            });
            bits |= u32::try_from(at).ok().and_then(|at| 1u64.checked_shl(at)).unwrap_or(0);
        }
        requirements.push((bits, requirement));
    }
    if schemes.len() > MAX_SCHEMES as usize {
        return Err(schemes.len());
    }
    record(lowering, &schemes, &operation.security, action);
    if requirements.is_empty() {
        return Ok(None);
    }
    let challenge = challenge(&api.name, &schemes);
    Ok(Some(Lowered { schemes, requirements, challenge, action }))
}

fn record(
    lowering: &mut Lowering<'_>,
    schemes: &[Scheme<'_>],
    requirements: &[SecurityRequirement],
    action: Action,
) {
    let recorder = lowering.recorder();
    let allowed = "the policy allows requests without credentials";
    for requirement in requirements {
        let origin = requirement.origin;
        let names = || requirement.schemes.iter().map(|(name, _)| name);
        let undefined =
            |name: &String| schemes.iter().any(|it| it.name == name && it.defined.is_none());
        if action == Action::Allow {
            recorder.not_enforced(origin, construct::SECURITY, allowed);
        } else if names().any(undefined) {
            let reason = "it names a scheme that no document defines, so that nothing meets it";
            recorder.approximated(origin, construct::SECURITY, reason);
        } else {
            recorder.record(origin, construct::SECURITY, crate::report::Status::Enforced, NOTE);
        }
        if requirement.schemes.iter().any(|(_, scopes)| !scopes.is_empty()) {
            recorder.not_enforced(origin, construct::SCOPES, SCOPES);
        }
    }
    for scheme in schemes.iter().filter_map(|scheme| scheme.defined) {
        let (origin, name) = (scheme.origin, construct::SECURITY_SCHEME);
        match scheme.kind {
            _ if action == Action::Allow => recorder.not_enforced(origin, name, allowed),
            SecurityKind::MutualTls => {
                let reason = "a certificate must be presented on the connection to this gateway; \
                              whether it is trusted is for the listener to say";
                recorder.approximated(origin, name, reason);
            }
            _ => recorder.record(origin, name, crate::report::Status::Enforced, NOTE),
        }
    }
}

fn is_jwt(scheme: &SecurityScheme) -> bool {
    matches!(&scheme.kind, SecurityKind::Http { scheme, bearer_format: Some(format) }
        if scheme == "bearer" && format.eq_ignore_ascii_case("jwt"))
}

/// The value of `WWW-Authenticate` (RFC 9110, section 11.6.1): one challenge for each authentication
/// scheme, and never less than one. `ApiKey` and `ClientCertificate` are not registered; they say what
/// is missing where HTTP has no scheme for it.
fn challenge(api: &str, schemes: &[Scheme<'_>]) -> String {
    let mut names: Vec<String> = Vec::new();
    for scheme in schemes {
        let name = match scheme.defined.map(|scheme| &scheme.kind) {
            Some(SecurityKind::ApiKey { .. }) => "ApiKey".to_owned(),
            Some(SecurityKind::Http { scheme, .. }) => canonical(scheme),
            Some(SecurityKind::OAuth2 | SecurityKind::OpenIdConnect) => "Bearer".to_owned(),
            Some(SecurityKind::MutualTls) => "ClientCertificate".to_owned(),
            None => continue,
        };
        if !names.contains(&name) {
            names.push(name);
        }
    }
    if names.is_empty() {
        names.push("Bearer".to_owned());
    }
    // quoted-string; what is no printable ASCII is left out
    let mut realm = String::new();
    for c in api.chars().filter(|c| matches!(c, ' '..='~')) {
        if matches!(c, '"' | '\\') {
            realm.push('\\');
        }
        realm.push(c);
    }
    let challenges: Vec<_> = names.iter().map(|name| format!("{name} realm=\"{realm}\"")).collect();
    challenges.join(", ")
}

/// The name of an authentication scheme as people write it.
fn canonical(scheme: &str) -> String {
    // What is no token (RFC 9110, section 5.6.2) has been reported, and cannot stand in a field.
    let mut chars = scheme.chars().filter(|c| c.is_ascii_alphanumeric() || "-._~+".contains(*c));
    chars.next().map_or_else(
        || "Bearer".to_owned(),
        |first| first.to_ascii_uppercase().to_string() + &chars.collect::<String>(),
    )
}

/// Records under construction that operations may share.
#[derive(Default)]
pub struct Shared {
    schemes: HashMap<Vec<u8>, u32>,
    requirements: HashMap<Vec<u8>, u32>,
}

/// Writes what one operation asks for. Operations are written in ascending order.
pub fn write(
    tables: &mut Tables<'_>,
    shared: &mut Shared,
    moved: &HashMap<NodeId, NodeId>,
    operation: u32,
    lowered: &Lowered<'_>,
) {
    let schemes: Vec<_> = lowered.schemes.iter().map(|it| scheme(tables, moved, it)).collect();
    let requirements: Vec<_> = lowered
        .requirements
        .iter()
        .map(|(bits, requirement)| layout::SecurityRequirement {
            schemes: (*bits).into(),
            origin: tables.origin(requirement.origin).into(),
        })
        .collect();
    let (scheme_count, requirement_count) = (schemes.len() as u32, requirements.len() as u32);
    let first_scheme = once(&mut shared.schemes, &mut tables.sections.security_schemes, &schemes);
    let all = &mut tables.sections.security_requirements;
    let first_requirement = once(&mut shared.requirements, all, &requirements);
    let challenge = tables.text(&lowered.challenge);
    tables.sections.securities.push(layout::Security {
        operation: operation.into(),
        schemes: first_scheme.into(),
        scheme_count: scheme_count.into(),
        requirements: first_requirement.into(),
        requirement_count: requirement_count.into(),
        challenge,
        action: action(lowered.action).code(),
        reserved: [0; 3],
    });
}

/// The index of a run of records, which is appended where it is not there yet.
fn once<T: IntoBytes + Immutable + Copy>(
    known: &mut HashMap<Vec<u8>, u32>,
    all: &mut Vec<T>,
    run: &[T],
) -> u32 {
    *known.entry(run.as_bytes().to_vec()).or_insert_with(|| {
        all.extend_from_slice(run);
        (all.len() - run.len()) as u32
    })
}

fn scheme(
    tables: &mut Tables<'_>,
    moved: &HashMap<NodeId, NodeId>,
    scheme: &Scheme<'_>,
) -> layout::SecurityScheme {
    let mut location = Location::Header;
    let (kind, name) = match scheme.defined.map(|scheme| &scheme.kind) {
        Some(SecurityKind::ApiKey { location: at, name }) => {
            location = match at {
                ParameterLocation::Query => Location::Query,
                ParameterLocation::Cookie => Location::Cookie,
                _ => Location::Header,
            };
            let is_header = location == Location::Header;
            (SchemeKind::ApiKey, if is_header { name.to_ascii_lowercase() } else { name.clone() })
        }
        Some(SecurityKind::Http { scheme, .. }) => match scheme.as_str() {
            "basic" => (SchemeKind::Basic, scheme.clone()),
            "bearer" => (SchemeKind::Bearer, scheme.clone()),
            _ => (SchemeKind::Http, scheme.clone()),
        },
        Some(SecurityKind::OAuth2 | SecurityKind::OpenIdConnect) => {
            (SchemeKind::Bearer, "bearer".to_owned())
        }
        Some(SecurityKind::MutualTls) => (SchemeKind::MutualTls, String::new()),
        None => (SchemeKind::Undefined, String::new()),
    };
    layout::SecurityScheme {
        name: tables.text(&name),
        origin: scheme.defined.map_or(NONE, |scheme| tables.origin(scheme.origin)).into(),
        schema: scheme.header.map_or(NONE, |node| moved[&node].0).into(),
        kind: kind.code(),
        location: location.code(),
        reserved: 0.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn challenges_quote_their_realm() {
        let none = Scheme { name: "x", defined: None, header: None };
        assert_eq!(challenge("a \"b\\\u{e9}\n", &[none]), r#"Bearer realm="a \"b\\""#);
        assert_eq!(canonical("digest"), "Digest");
    }
}
