//! The filter's own answers: `application/problem+json` (RFC 9457), or the status alone.

use crate::host::{Answer, Host};
use crate::position::Place;
use crate::ratelimit;
use portcullis_bundle::layout::{AnswerDetails, AnswerStyle, View};
use portcullis_engine::decision::Decision;
use portcullis_engine::finding::FindingCode;
use serde::Serialize;

/// What an answer needs to know of the request besides the decision.
#[derive(Clone, Copy, Debug, Default)]
pub struct Asked<'a> {
    /// The request id, if it is a UUID.
    pub request_id: Option<&'a str>,
    /// Whether the client speaks gRPC: Envoy then answers by trailers, and the body becomes `grpc-message`.
    pub grpc: bool,
}

/// The members of RFC 9457, section 3.1, and `findings` where the policy says so.
#[derive(Serialize)]
struct Problem<'a> {
    r#type: &'a str,
    title: &'a str,
    status: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    instance: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    findings: Vec<Detail<'a>>,
}

#[derive(Serialize)]
struct Detail<'a> {
    code: &'a str,
    #[serde(flatten)]
    place: Place<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    keyword: Option<&'a str>,
}

/// Answers a refused request, or in place of a refused answer.
pub fn answer(host: &impl Host, view: &View<'_>, decision: &Decision, asked: Asked<'_>) {
    let code = decision.code().unwrap_or(FindingCode::PolicyMissing);
    let policy = view.policy.first();
    let minimal = policy.is_some_and(|it| it.answer_style == AnswerStyle::Minimal.code());
    let telling = policy.is_some_and(|it| it.answer_details == AnswerDetails::Finding.code());
    let title = title(code);
    let mut headers = vec![("cache-control", "no-store")];
    let mut body = Vec::new();
    if asked.grpc {
        body.extend_from_slice(title.as_bytes());
    } else if !minimal {
        let problem = Problem {
            r#type: code.uri(),
            title,
            status: decision.status,
            instance: asked.request_id.map(|id| ["urn:uuid:", id].concat()),
            findings: if telling { details(view, decision) } else { Vec::new() },
        };
        body = serde_json::to_vec(&problem).unwrap_or_default();
        headers.push(("content-type", "application/problem+json"));
    }
    if let Some(challenge) = decision.challenge(view) {
        headers.push(("www-authenticate", challenge));
    }
    if let Some(allow) = &decision.allow {
        headers.push(("allow", allow));
    }
    let limited = ratelimit::fields(view, decision);
    headers.extend(limited.iter().map(|(name, value)| (*name, value.as_str())));
    let details = ["portcullis:", code.name()].concat();
    host.answer(&Answer {
        status: decision.status,
        details: &details,
        headers: &headers,
        body: &body,
    });
}

fn details<'a>(view: &View<'a>, decision: &'a Decision) -> Vec<Detail<'a>> {
    let refusing = decision.findings.iter().filter(|finding| finding.code.status() != 0);
    refusing
        .map(|finding| Detail {
            code: finding.code.name(),
            place: Place::of(view, &finding.position),
            keyword: finding.keyword.map(|keyword| keyword.name()),
        })
        .collect()
}

/// A summary of the problem's type that is the same for every request (RFC 9457, section 3.1.4).
fn title(code: FindingCode) -> &'static str {
    match code {
        FindingCode::OperationUndeclared => "Not found",
        FindingCode::MethodUndeclared => "Method not allowed",
        FindingCode::PathAmbiguous | FindingCode::PathMalformed => "Path refused",
        FindingCode::PathTooLong => "Path too long",
        FindingCode::CredentialMissing | FindingCode::CredentialMalformed => "Unauthorized",
        FindingCode::ParameterMissing => "Parameter missing",
        FindingCode::ParameterInvalid
        | FindingCode::ParameterUndeclared
        | FindingCode::ParameterRepeated
        | FindingCode::ParameterMalformed
        | FindingCode::ParametersTooMany => "Parameters refused",
        FindingCode::MediaTypeUndeclared
        | FindingCode::CharsetUnsupported
        | FindingCode::ContentCodingUnsupported => "Media type not supported",
        FindingCode::BodyMissing => "Body missing",
        FindingCode::BodyUnexpected
        | FindingCode::BodyMalformed
        | FindingCode::BodyDuplicateKey
        | FindingCode::BodyInvalid
        | FindingCode::BodyTooDeep => "Body refused",
        FindingCode::BodyTooLarge | FindingCode::BodyBudget => "Body too large",
        FindingCode::ExpectationUnsupported => "Expectation not supported",
        FindingCode::LimitExceeded => "Too many requests",
        FindingCode::LimitUncounted => "Try again later",
        FindingCode::PolicyMissing => "No policy",
        code if code.is_outbound() => "Answer withheld",
        _ => "Refused",
    }
}
