//! A policy file that passed [validation](super::validate) as typed data.

use super::attacks::{self, AttackPolicy};
use super::limiting::{self, Held};
use super::size;
use crate::diag::Span;
use crate::ir::{
    AcceptUnenforced, Action, AdditionalProperties, AnswerDetails, AnswerStyle, Answers, Contents,
    Direction, Formats, HealthProbe, Limiting, Limits, Method, Mode, OneOf, Policy, Preflight,
    Settings, Strictness, TextNumbers, Undeclared, UndefinedSchemes, UnenforcedBodies,
    UnknownFormats, Unsupported,
};
use crate::source::Node;

/// A policy file.
#[derive(Clone, Debug)]
pub struct PolicyFile {
    /// What it says of the bundle as a whole.
    pub policy: Policy,
    /// What it says of each API.
    pub apis: Vec<ApiPolicy>,
    /// What it says of attack rules, where it wants any.
    pub attacks: Option<AttackPolicy>,
    /// What it says of limits on callers, where it sets any.
    pub limiting: Option<Limiting>,
    /// What those say that they hold for.
    pub held: Vec<(Held, Span)>,
}

/// What a policy says of an API.
#[derive(Clone, Debug)]
pub struct ApiPolicy {
    /// Name.
    pub name: String,
    /// Where its entry stands.
    pub span: Span,
    /// Documents, relative to the policy file, each with its place.
    pub documents: Vec<(String, Span)>,
    /// Which of the documents' requests are its operations.
    pub direction: Direction,
    /// Where its webhooks are recognised.
    pub webhooks: Vec<MappingPolicy>,
    /// Where its callbacks are recognised.
    pub callbacks: Vec<MappingPolicy>,
    /// Hosts, as written.
    pub hosts: Vec<(String, Span)>,
    /// Base paths, as written.
    pub base_paths: Vec<(String, Span)>,
    /// Settings, with the policy's filled in.
    pub settings: Settings,
    /// What is different for single operations.
    pub operations: Vec<OperationPolicy>,
}

/// Where a policy says that an outgoing request is recognised.
#[derive(Clone, Debug)]
pub struct MappingPolicy {
    /// What it calls the webhook or callback.
    pub name: String,
    /// Where it says so.
    pub span: Span,
    /// A path template, as written.
    pub path: Option<String>,
    /// Hosts, as written.
    pub hosts: Vec<(String, Span)>,
}

/// What a policy says of an operation.
#[derive(Clone, Debug)]
pub struct OperationPolicy {
    /// Where the operation is named.
    pub span: Span,
    /// Which operation is meant.
    pub selector: Selector,
    /// Settings, with the API's filled in.
    pub settings: Settings,
}

/// How a policy names an operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selector {
    /// By `operationId`.
    Id(String),
    /// By method and path template, as written.
    Match(String),
    /// Neither, or both, was written.
    Unclear,
}

/// Reads a policy. Fields that validation has refused count as absent.
pub(super) fn read(root: Node<'_>, path: &str) -> PolicyFile {
    let settings = settings(root, &Settings::default());
    let answers = root.get("answers");
    let policy = Policy {
        name: text(root, "name").unwrap_or_default(),
        audience: text(root, "audience"),
        answers: Answers {
            style: match word(answers, "style") {
                Some("minimal") => AnswerStyle::Minimal,
                _ => AnswerStyle::Problem,
            },
            details: match word(answers, "details") {
                Some("finding") => AnswerDetails::Finding,
                _ => AnswerDetails::None,
            },
        },
        preflight: match word(Some(root), "preflight") {
            Some("judge") => Preflight::Judge,
            _ => Preflight::Allow,
        },
        health_probes: list(root, "health_probes").map(probe).collect(),
        break_glass: root
            .get("break_glass")
            .and_then(|b| b.get("permitted"))
            .and_then(Node::as_bool)
            .unwrap_or(false),
        accept_unenforced: list(root, "accept_unenforced").map(accepted).collect(),
        settings,
    };
    let apis = list(root, "apis").map(|node| api(node, path, &policy.settings)).collect();
    let attacks = root.get("attacks").map(|node| attacks::read(node, path));
    let (limiting, held) = (limiting::read(root, path), limiting::places(root, path));
    PolicyFile { policy, apis, attacks, limiting, held }
}

fn probe(node: Node<'_>) -> HealthProbe {
    let methods: Vec<_> =
        list(node, "methods").filter_map(Node::as_text).filter_map(Method::parse).collect();
    HealthProbe {
        path: text(node, "path").unwrap_or_default(),
        methods: if methods.is_empty() { vec![Method::Get] } else { methods },
    }
}

fn accepted(node: Node<'_>) -> AcceptUnenforced {
    AcceptUnenforced {
        construct: text(node, "construct").unwrap_or_default(),
        pointer: text(node, "pointer"),
        reason: text(node, "reason").unwrap_or_default(),
    }
}

fn api(node: Node<'_>, path: &str, inherited: &Settings) -> ApiPolicy {
    let settings = settings(node, inherited);
    let texts = |field| texts(node, field, path);
    let mappings = |field| {
        let members = node.get(field).and_then(Node::members).into_iter().flatten();
        let mappings = members.map(|(member, value)| MappingPolicy {
            name: member.key.to_string(),
            span: anchor(value, path),
            path: text(value, "path"),
            hosts: self::texts(value, "hosts", path),
        });
        mappings.collect::<Vec<_>>()
    };
    let operations = list(node, "operations").map(|n| operation(n, path, &settings)).collect();
    ApiPolicy {
        name: text(node, "name").unwrap_or_default(),
        span: span(node.get("name").unwrap_or(node), path),
        documents: texts("documents"),
        direction: match word(Some(node), "direction") {
            Some("outbound") => Direction::Outbound,
            _ => Direction::Inbound,
        },
        webhooks: mappings("webhooks"),
        callbacks: mappings("callbacks"),
        hosts: texts("hosts"),
        base_paths: texts("base_paths"),
        settings,
        operations,
    }
}

fn operation(node: Node<'_>, path: &str, inherited: &Settings) -> OperationPolicy {
    let (by_match, by_id) = (node.get("match"), node.get("operation_id"));
    let selector = match (text(node, "match"), text(node, "operation_id")) {
        (Some(text), None) => Selector::Match(text),
        (None, Some(id)) => Selector::Id(id),
        _ => Selector::Unclear,
    };
    let at = by_match.or(by_id).unwrap_or(node);
    OperationPolicy { span: span(at, path), selector, settings: settings(node, inherited) }
}

fn settings(node: Node<'_>, inherited: &Settings) -> Settings {
    Settings {
        mode: match word(Some(node), "mode") {
            Some("monitor") => Mode::Monitor,
            Some("enforce") => Mode::Enforce,
            _ => inherited.mode,
        },
        security: action(Some(node), "security", inherited.security),
        undeclared: undeclared(node.get("undeclared"), &inherited.undeclared),
        limits: limits(node.get("limits"), &inherited.limits),
        strictness: strictness(node.get("strictness"), &inherited.strictness),
        attacks: attacks::settings(node.get("attacks"), &inherited.attacks),
    }
}

fn undeclared(node: Option<Node<'_>>, inherited: &Undeclared) -> Undeclared {
    Undeclared {
        operations: action(node, "operations", inherited.operations),
        methods: action(node, "methods", inherited.methods),
        media_types: action(node, "media_types", inherited.media_types),
        query_parameters: action(node, "query_parameters", inherited.query_parameters),
    }
}

fn limits(node: Option<Node<'_>>, inherited: &Limits) -> Limits {
    let size = |field: &str| {
        let text = node?.get(field)?.as_text()?;
        size::parse(text).ok()
    };
    let narrow = |field: &str, inherited: u32| {
        size(field).and_then(|n| u32::try_from(n).ok()).unwrap_or(inherited)
    };
    Limits {
        body: size("body").unwrap_or(inherited.body),
        depth: narrow("depth", inherited.depth),
        path: narrow("path", inherited.path),
        parameters: narrow("parameters", inherited.parameters),
        string: narrow("string", inherited.string),
        properties: narrow("properties", inherited.properties),
        items: narrow("items", inherited.items),
    }
}

fn strictness(node: Option<Node<'_>>, inherited: &Strictness) -> Strictness {
    let unsupported = |field: &str, inherited| match word(node, field) {
        Some("error") => Unsupported::Error,
        Some("not_enforced") => Unsupported::NotEnforced,
        _ => inherited,
    };
    Strictness {
        ambiguous_paths: action(node, "ambiguous_paths", inherited.ambiguous_paths),
        read_only_in_requests: action(
            node,
            "read_only_in_requests",
            inherited.read_only_in_requests,
        ),
        formats: match word(node, "formats") {
            Some("assert") => Formats::Assert,
            Some("annotate") => Formats::Annotate,
            _ => inherited.formats,
        },
        content: match word(node, "content") {
            Some("assert") => Contents::Assert,
            Some("annotate") => Contents::Annotate,
            _ => inherited.content,
        },
        one_of: match word(node, "one_of") {
            Some("strict") => OneOf::Strict,
            Some("lenient") => OneOf::Lenient,
            _ => inherited.one_of,
        },
        additional_properties: match word(node, "additional_properties") {
            Some("as_written") => AdditionalProperties::AsWritten,
            Some("open") => AdditionalProperties::Open,
            Some("closed") => AdditionalProperties::Closed,
            _ => inherited.additional_properties,
        },
        unknown_formats: match word(node, "unknown_formats") {
            Some("annotate") => UnknownFormats::Annotate,
            Some("error") => UnknownFormats::Error,
            _ => inherited.unknown_formats,
        },
        text_numbers: match word(node, "text_numbers") {
            Some("json") => TextNumbers::Json,
            Some("lenient") => TextNumbers::Lenient,
            _ => inherited.text_numbers,
        },
        unenforced_bodies: match word(node, "unenforced_bodies") {
            Some("allow") => UnenforcedBodies::Allow,
            Some("block") => UnenforcedBodies::Block,
            _ => inherited.unenforced_bodies,
        },
        unresolved_refs: unsupported("unresolved_refs", inherited.unresolved_refs),
        undefined_schemes: match word(node, "undefined_schemes") {
            Some("error") => UndefinedSchemes::Error,
            Some("deny") => UndefinedSchemes::Deny,
            _ => inherited.undefined_schemes,
        },
        unsupported_patterns: unsupported("unsupported_patterns", inherited.unsupported_patterns),
    }
}

pub(super) fn action(node: Option<Node<'_>>, field: &str, inherited: Action) -> Action {
    match word(node, field) {
        Some("block") => Action::Block,
        Some("monitor") => Action::Monitor,
        Some("allow") => Action::Allow,
        _ => inherited,
    }
}

pub(super) fn word<'a>(node: Option<Node<'a>>, field: &str) -> Option<&'a str> {
    node?.get(field)?.as_text()
}

pub(super) fn text(node: Node<'_>, field: &str) -> Option<String> {
    node.get(field).and_then(Node::as_text).map(str::to_owned)
}

fn texts(node: Node<'_>, field: &str, path: &str) -> Vec<(String, Span)> {
    list(node, field).filter_map(|n| Some((n.as_text()?.to_owned(), span(n, path)))).collect()
}

pub(super) fn list<'a>(node: Node<'a>, field: &str) -> impl Iterator<Item = Node<'a>> + use<'a> {
    node.get(field).and_then(Node::elements).into_iter().flatten()
}

/// Where the key of a member stands.
fn anchor(node: Node<'_>, path: &str) -> Span {
    let at = node.anchor();
    Span::word(path, at.line, at.column)
}

pub(super) fn span(node: Node<'_>, path: &str) -> Span {
    let at = node.position();
    Span::word(path, at.line, at.column)
}
