//! Findings in words, with the names and places that the documents give.
//!
//! The engine keeps indexes; filter, `explain` and tests want names. All texts are the documents' own, never
//! the client's.

use crate::decision::Decision;
use crate::finding::{Finding, FindingCode, Position};
use crate::security;
use portcullis_bundle::layout::{Keyword, Location, RULE_OUTBOUND, SchemeKind, Target, View};

/// A decision with the operation's names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Description<'b> {
    /// What to do, in one word: [`Decision::label`].
    pub verdict: &'static str,
    /// The operation, where one was found.
    pub operation: Option<OperationNames<'b>>,
    /// What was found, in the decision's order.
    pub findings: Vec<FindingDescription<'b>>,
}

/// How an operation is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OperationNames<'b> {
    /// Stable across bundles.
    pub id: u64,
    /// The API's name in the policy.
    pub api: &'b str,
    /// The method.
    pub method: &'b str,
    /// The path template with its base path.
    pub template: &'b str,
    /// The document's operationId, or empty.
    pub operation_id: &'b str,
}

/// A finding with names and its place in the documents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FindingDescription<'b> {
    /// What kind of finding.
    pub code: FindingCode,
    /// Where in the message: `message`, `path`, `query`, `header`, `cookie` or `body`.
    pub part: &'static str,
    /// The declared name of the parameter or header, or the JSON pointer into the body.
    pub name: String,
    /// The schema keyword that refused.
    pub keyword: Option<&'static str>,
    /// Where the documents say so.
    pub source: Option<Source<'b>>,
    /// The attack rule that fired.
    pub rule: Option<RuleNames<'b>>,
    /// The limit that the caller is beyond.
    pub limit: Option<LimitNames<'b>>,
}

/// How a limit is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LimitNames<'b> {
    /// Its name in the policy.
    pub name: &'b str,
    /// What the policy calls those whom it counts.
    pub caller: &'b str,
    /// Its line in the policy.
    pub line: u32,
    /// Envoy's cluster of the service that carries it too; empty where this gateway alone does.
    pub cluster: &'b str,
}

/// How an attack rule is called, and what it came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RuleNames<'b> {
    /// Its name.
    pub id: &'b str,
    /// What it is for.
    pub title: &'b str,
    /// Words for reports, a space between them.
    pub tags: &'b str,
    /// What it adds to the message's score.
    pub points: u16,
    /// The score of the message's rules together.
    pub score: u16,
    /// The pack's file.
    pub file: &'b str,
    /// The line of its beginning.
    pub line: u32,
    /// From 0 (emergency) to 7 (debug), as syslog has them.
    pub severity: u8,
    /// Its level, from 1 to 4.
    pub paranoia: u8,
    /// The score from which such messages are refused.
    pub threshold: u16,
    /// What the value is to the message that it fired on, as policies name it.
    pub target: &'static str,
}

/// A place in the documents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source<'b> {
    /// The document, as the policy names it.
    pub document: &'b str,
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
    /// JSON pointer into the document.
    pub pointer: String,
}

impl Decision {
    /// The decision in names, by the bundle that made it.
    pub fn describe<'b>(&self, view: &View<'b>) -> Description<'b> {
        Description {
            verdict: self.label(),
            operation: self.operation.and_then(|index| operation_names(view, index)),
            findings: self.findings.iter().map(|finding| finding.describe(view)).collect(),
        }
    }

    /// For 401: the value of `WWW-Authenticate` (RFC 9110, section 11.6.1), by the bundle that made
    /// the decision.
    pub fn challenge<'b>(&self, view: &View<'b>) -> Option<&'b str> {
        let operation = self.operation.filter(|_| self.status == 401)?;
        security::of(view, operation).map(|security| view.text(security.challenge))
    }
}

impl Finding {
    /// The finding in names, by the bundle that made it.
    pub fn describe<'b>(&self, view: &View<'b>) -> FindingDescription<'b> {
        let (part, name) = match &self.position {
            Position::Message => ("message", String::new()),
            Position::Path => ("path", String::new()),
            Position::Parameter { location, parameter } => {
                let parameter = view.parameters.get(*parameter as usize);
                let name = parameter.map_or("", |parameter| view.text(parameter.name));
                (location.name(), name.to_owned())
            }
            Position::Credential(scheme) => match credential_place(view, *scheme) {
                Some((part, name)) => (part, name.to_owned()),
                None => ("message", String::new()),
            },
            Position::UndeclaredParameter => ("query", "*".to_owned()),
            Position::Header(name) => ("header", (*name).to_owned()),
            Position::Body { pointer, .. } => ("body", pointer.clone()),
        };
        FindingDescription {
            code: self.code,
            part,
            name,
            keyword: self.keyword.map(Keyword::name),
            source: self.origin.and_then(|origin| source(view, origin)),
            rule: self.rule.and_then(|rule| rule_names(view, rule, self)),
            limit: self.limit.and_then(|limit| limit_names(view, limit)),
        }
    }
}

impl core::fmt::Display for FindingDescription<'_> {
    /// `body-invalid at body /amount (maximum), payments.yaml:41`
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{}", self.code.name())?;
        if self.part != "message" {
            write!(f, " at {}", self.part)?;
        }
        if !self.name.is_empty() {
            write!(f, " {}", self.name)?;
        }
        if let Some(keyword) = self.keyword {
            write!(f, " ({keyword})")?;
        }
        if let Some(source) = &self.source {
            write!(f, ", {}:{}", source.document, source.line)?;
        }
        if let Some(rule) = &self.rule {
            write!(f, ", rule {} ({} of {})", rule.id, rule.points, rule.score)?;
        }
        if let Some(limit) = &self.limit {
            write!(f, ", limit {}", limit.name)?;
        }
        Ok(())
    }
}

/// Where the credential of a security scheme is sent: `header`, `query` or `cookie`, and the name there.
/// `None` for what is no part of the message.
pub fn credential_place<'b>(view: &View<'b>, scheme: u32) -> Option<(&'static str, &'b str)> {
    let scheme = view.security_schemes.get(scheme as usize)?;
    match SchemeKind::from_code(scheme.kind)? {
        SchemeKind::ApiKey => {
            Some((Location::from_code(scheme.location)?.name(), view.text(scheme.name)))
        }
        SchemeKind::Basic | SchemeKind::Bearer | SchemeKind::Http => {
            Some((Location::Header.name(), "authorization"))
        }
        SchemeKind::MutualTls | SchemeKind::Undefined => None,
    }
}

/// The names of a limit.
pub fn limit_names<'b>(view: &View<'b>, limit: u32) -> Option<LimitNames<'b>> {
    let limit = view.limits.get(limit as usize)?;
    let caller = view.callers.get(limit.caller.get() as usize);
    let caller = caller.map_or("", |caller| view.text(caller.name));
    let service = view.limit_services.first().filter(|_| limit.delegation != 0);
    let cluster = service.map_or("", |service| view.text(service.cluster));
    Some(LimitNames { name: view.text(limit.name), caller, line: limit.line.get(), cluster })
}

/// The limits that hold for an operation, or for requests of none.
pub fn limits_of<'b>(view: &View<'b>, operation: Option<u32>) -> Vec<LimitNames<'b>> {
    let Some(list) = crate::limits::list_of(view, operation) else { return Vec::new() };
    let uses = crate::access::slice(view.limit_uses, list.first.get(), list.count.get().into());
    uses.iter().filter_map(|one| limit_names(view, one.limit.get())).collect()
}

/// The names of an attack rule that fired, by what was found.
pub fn rule_names<'b>(view: &View<'b>, rule: u32, finding: &Finding) -> Option<RuleNames<'b>> {
    let rule = view.rules.get(rule as usize)?;
    let attacks = view.attacks.first()?;
    let outbound = rule.flags & RULE_OUTBOUND != 0;
    let threshold =
        if outbound { attacks.threshold_outbound } else { attacks.threshold_inbound }.get();
    Some(RuleNames {
        id: view.text(rule.id),
        title: view.text(rule.title),
        tags: view.text(rule.tags),
        points: rule.score.get(),
        score: finding.score,
        file: view.text(rule.file),
        line: rule.line.get(),
        severity: rule.severity,
        paranoia: rule.paranoia,
        threshold,
        target: finding.target.map_or("", target_name),
    })
}

/// The name of a target, as policies and rules write it.
pub const fn target_name(target: Target) -> &'static str {
    match target {
        Target::Path => "path",
        Target::Query => "query",
        Target::QueryName => "query.names",
        Target::QueryRaw => "query.raw",
        Target::Header => "headers",
        Target::HeaderName => "headers.names",
        Target::Cookie => "cookies",
        Target::CookieName => "cookies.names",
        Target::Body => "body",
        Target::BodyName => "body.names",
        Target::BodyRaw => "body.raw",
        Target::File => "files",
        Target::Method => "method",
        Target::Request => "request",
        Target::ResponseStatus => "response.status",
        Target::ResponseHeader => "response.headers",
        Target::ResponseHeaderName => "response.headers.names",
        Target::ResponseBody => "response.body",
        Target::ResponseValue => "response.values",
        // Those of SecLang alone have its names.
        Target::Uri => "REQUEST_URI",
        Target::Filename => "REQUEST_FILENAME",
        Target::Basename => "REQUEST_BASENAME",
        Target::RequestLine => "REQUEST_LINE",
        Target::Protocol => "REQUEST_PROTOCOL",
        Target::HeaderRest => "REQUEST_HEADERS",
        Target::HeaderRestName => "REQUEST_HEADERS_NAMES",
        Target::CookieRaw => "REQUEST_COOKIES",
        Target::CookieRawName => "REQUEST_COOKIES_NAMES",
        Target::QueryArgument => "ARGS_GET_NAMES",
        Target::BodyArgument => "ARGS_POST_NAMES",
        Target::BodyPlain => "REQUEST_BODY",
        Target::BodyReader => "REQBODY_PROCESSOR",
        Target::BodyLength => "REQUEST_BODY_LENGTH",
        Target::FileField => "FILES_NAMES",
        Target::PartHeader => "MULTIPART_PART_HEADERS",
        Target::ArgumentsSize => "ARGS_COMBINED_SIZE",
        Target::FilesSize => "FILES_COMBINED_SIZE",
        Target::BodyState => "REQBODY_ERROR",
        Target::Client => "REMOTE_ADDR",
        Target::Score | Target::ResponseScore => "TX",
    }
}

/// The names of an operation.
pub fn operation_names<'b>(view: &View<'b>, index: u32) -> Option<OperationNames<'b>> {
    let operation = view.operations.get(index as usize)?;
    let api = view.apis.get(operation.api.get() as usize);
    Some(OperationNames {
        id: operation.id.get(),
        api: api.map_or("", |api| view.text(api.name)),
        method: view.text(operation.method),
        template: view.text(operation.template),
        operation_id: view.text(operation.operation_id),
    })
}

/// The place that an index into origins stands for.
pub fn source<'b>(view: &View<'b>, origin: u32) -> Option<Source<'b>> {
    let origin = view.origins.get(origin as usize)?;
    let document = view.documents.get(origin.document.get() as usize)?;
    Some(Source {
        document: view.text(document.name),
        line: origin.line.get(),
        column: origin.column.get(),
        pointer: view.pointer(origin),
    })
}
