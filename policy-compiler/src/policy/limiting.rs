//! `callers`, `rate_limits` and `limit_table`: limits on what callers may do.

use super::read::{action, list, span, text, word};
use super::size;
use crate::diag::{self, Diagnostic, Diagnostics, Span, did_you_mean};
use crate::ir::{
    Action, Applies, Caller, CallerBy, CallerSource, CostBy, Limit, LimitMode, LimitRate,
    LimitScope, LimitService, Limiting, MissingCaller, OnFailure, Period,
};
use crate::source::Node;
use portcullis_bundle::layout::MAX_SERVICE_TIMEOUT;

/// Bytes of a block of the table.
const BLOCK: u64 = 1 << 10;
const DEFAULT_SIZE: u64 = 4 << 20;
const SECOND: u64 = 1_000_000_000;
/// Milliseconds that a service is waited for: what Envoy's own filter waits.
const DEFAULT_TIMEOUT: u16 = 20;
/// Bytes of the name of a service's cluster, at most.
const LONGEST_CLUSTER: usize = 120;
/// Windows and leases are no longer.
const LONGEST: u64 = 366 * 86_400 * SECOND;

/// Reads the limits of a policy; `None` where it sets none.
pub(super) fn read(root: Node<'_>, path: &str) -> Option<Limiting> {
    let named = |field| root.get(field).and_then(Node::members).into_iter().flatten();
    let callers: Vec<Caller> =
        named("callers").map(|(member, node)| caller(&member.key, node)).collect();
    let service = root.get("limit_service").and_then(service);
    let default = service.as_ref().map(|service| service.on_failure);
    let limits: Vec<Limit> = named("rate_limits")
        .filter_map(|(member, node)| limit(&member.key, node, &callers, default))
        .collect();
    if limits.is_empty() {
        return None;
    }
    let table = root.get("limit_table");
    let bytes = table.and_then(|it| it.get("size")).and_then(Node::as_text);
    let bytes = bytes.and_then(|it| size::parse(it).ok()).unwrap_or(DEFAULT_SIZE);
    let hops = table.and_then(|it| it.get("trusted_hops")).and_then(Node::as_number);
    Some(Limiting {
        file: path.to_owned(),
        callers,
        limits,
        size: bytes.max(BLOCK),
        uncounted: action(table, "uncounted", Action::Allow),
        trusted_hops: hops.and_then(|it| it.as_u64()?.try_into().ok()).unwrap_or(0),
        service,
    })
}

fn service(node: Node<'_>) -> Option<LimitService> {
    let timeout = text(node, "timeout").map_or(Some(DEFAULT_TIMEOUT), |it| milliseconds(&it))?;
    Some(LimitService {
        cluster: text(node, "cluster")?,
        domain: text(node, "domain")?,
        timeout,
        tells_values: word(Some(node), "callers") == Some("value"),
        on_failure: on_failure(node).unwrap_or_default(),
        line: node.anchor().line,
    })
}

fn on_failure(node: Node<'_>) -> Option<OnFailure> {
    match word(Some(node), "on_failure")? {
        "refuse" => Some(OnFailure::Refuse),
        _ => Some(OnFailure::Local),
    }
}

/// Milliseconds of `20ms`, up to a second.
fn milliseconds(text: &str) -> Option<u16> {
    let span = humantime::parse_duration(text).ok()?;
    let milliseconds = u16::try_from(span.as_millis()).ok()?;
    let is_whole = u128::from(milliseconds) * 1_000_000 == span.as_nanos();
    (is_whole && (1..=MAX_SERVICE_TIMEOUT).contains(&milliseconds)).then_some(milliseconds)
}

fn caller(name: &str, node: Node<'_>) -> Caller {
    let sources = list(node, "by").filter_map(|it| source(it.as_text()?).ok());
    Caller {
        name: name.to_owned(),
        sources: sources.collect(),
        missing: match word(Some(node), "missing") {
            Some("skip") => MissingCaller::Skip,
            Some("refuse") => MissingCaller::Refuse,
            _ => MissingCaller::Shared,
        },
    }
}

/// What names a caller, or what is wrong with it.
fn source(label: &str) -> Result<CallerSource, &'static str> {
    // Counts go by the label too: `header.X-Key` is `header.x-key`.
    let lower = label.to_ascii_lowercase();
    let label = if label.starts_with("header.") { &lower } else { label };
    let (kind, name) = label.split_once('.').unwrap_or((label, ""));
    let named = |name: &str| {
        let plain = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'"' | b',' | b';');
        let sound = !name.is_empty() && name.bytes().all(plain);
        sound
            .then(|| name.to_owned())
            .ok_or("a name is missing, or has characters that none can have")
    };
    let by = match kind {
        "header" => CallerBy::Header(named(name)?),
        "query" => CallerBy::Query(named(name)?),
        "cookie" => CallerBy::Cookie(named(name)?),
        "body" => CallerBy::Body(pointer(name)?),
        "claim" => CallerBy::Property(claim(name)?),
        "certificate" => {
            let attribute = match name {
                "digest" => "sha256_peer_certificate_digest",
                "uri_san" => "uri_san_peer_certificate",
                "dns_san" => "dns_san_peer_certificate",
                "subject" => "subject_peer_certificate",
                _ => {
                    return Err("write `certificate.digest`, `.uri_san`, `.dns_san` or `.subject`");
                }
            };
            CallerBy::Property(vec!["connection".to_owned(), attribute.to_owned()])
        }
        _ if label == "address" => CallerBy::Address(32, 128),
        _ if label.starts_with("address/") => {
            let (v4, v6) = bits(label).ok_or("write `address/24/64`: bits of IPv4 and of IPv6")?;
            CallerBy::Address(v4, v6)
        }
        _ => {
            return Err(
                "the ways are `claim.PAYLOAD./POINTER`, `certificate.digest`, `header.NAME`, `query.NAME`, \
                        `cookie.NAME`, `address` and `address/24/64`",
            );
        }
    };
    Ok(CallerSource { label: label.to_owned(), by })
}

/// A JSON pointer (RFC 6901) to a property.
fn pointer(text: &str) -> Result<String, &'static str> {
    let sound = text.starts_with('/') && text.len() > 1;
    sound.then(|| text.to_owned()).ok_or("write `body./account/id`: a JSON pointer into the body")
}

/// The property of a claim that `jwt_authn` verified, from `PAYLOAD./POINTER`.
fn claim(name: &str) -> Result<Vec<String>, &'static str> {
    const HELP: &str = "write `claim.PAYLOAD./sub`: `payload_in_metadata` of `jwt_authn`, and a JSON pointer into it";
    let (payload, pointer) = name.split_once("./").ok_or(HELP)?;
    if payload.is_empty() || pointer.is_empty() {
        return Err(HELP);
    }
    let fixed = ["metadata", "filter_metadata", "envoy.filters.http.jwt_authn", payload];
    let steps = pointer.split('/').map(|step| step.replace("~1", "/").replace("~0", "~"));
    Ok(fixed.into_iter().map(str::to_owned).chain(steps).collect())
}

/// The bits of `address/24/64`; of IPv6 64 where nothing is said.
fn bits(label: &str) -> Option<(u8, u8)> {
    let mut parts = label.split('/').skip(1).map(|part| part.parse::<u8>().ok());
    let v4 = parts.next()??;
    let v6 = parts.next().unwrap_or(Some(64))?;
    (parts.next().is_none() && (1..=32).contains(&v4) && (1..=128).contains(&v6))
        .then_some((v4, v6))
}

fn limit(
    name: &str,
    node: Node<'_>,
    callers: &[Caller],
    default: Option<OnFailure>,
) -> Option<Limit> {
    let caller = text(node, "caller")?;
    let caller = callers.iter().position(|known| known.name == caller)?;
    let texts =
        |field| list(node, field).filter_map(|it| it.as_text().map(str::to_owned)).collect();
    let count = |field| number(node, field);
    let statuses: Vec<String> = match (node.get("statuses"), word(Some(node), "count")) {
        (Some(_), _) => texts("statuses"),
        (None, Some("failures")) => vec!["4xx".to_owned(), "5xx".to_owned()],
        (None, Some("successes")) => vec!["2xx".to_owned()],
        _ => Vec::new(),
    };
    let costs =
        list(node, "costs").filter_map(|it| Some((text(it, "operation")?, number(it, "cost")?)));
    Some(Limit {
        name: name.to_owned(),
        caller,
        rates: rates(node),
        mode: match word(Some(node), "mode") {
            Some("monitor") => LimitMode::Monitor,
            Some("tag") => LimitMode::Tag,
            _ => LimitMode::Enforce,
        },
        statuses,
        cost: count("cost").unwrap_or(1),
        cost_by: text(node, "cost_from").and_then(|it| cost_by(&it)),
        costs: costs.collect(),
        scope: match word(Some(node), "scope") {
            Some("api") => LimitScope::Api,
            Some("tag") => LimitScope::Tag,
            Some("operation") => LimitScope::Operation,
            _ => LimitScope::Global,
        },
        applies: Applies {
            apis: texts("apis"),
            tags: texts("tags"),
            operations: texts("operations"),
        },
        delegated: node.get("delegate").and_then(|it| Some(on_failure(it).unwrap_or(default?))),
        line: node.anchor().line,
    })
}

fn number(node: Node<'_>, field: &str) -> Option<u32> {
    node.get(field).and_then(Node::as_number)?.as_u64()?.try_into().ok()
}

fn rates(node: Node<'_>) -> Vec<LimitRate> {
    let windows = list(node, "rates").filter_map(|it| {
        let amount = number(it, "requests")?;
        let window = duration(&text(it, "per")?)?;
        Some(LimitRate::Window { amount, burst: number(it, "burst").unwrap_or(amount), window })
    });
    let quotas = list(node, "quotas").filter_map(|it| {
        let period = match word(Some(it), "per")? {
            "hour" => Period::Hour,
            "week" => Period::Week,
            "month" => Period::Month,
            _ => Period::Day,
        };
        let offset = text(it, "offset").map_or(Some(0), |text| offset(&text))?;
        Some(LimitRate::Quota { amount: number(it, "requests")?, period, offset })
    });
    let concurrent = node.get("concurrent").and_then(|it| {
        let lease = text(it, "lease").map_or(Some(60 * SECOND), |text| duration(&text))?;
        Some(LimitRate::Concurrency { amount: number(it, "requests")?, lease })
    });
    windows.chain(quotas).chain(concurrent).collect()
}

fn cost_by(text: &str) -> Option<CostBy> {
    match text.split_once('.')? {
        ("header", name) if !name.is_empty() => Some(CostBy::Header(name.to_ascii_lowercase())),
        ("body", name) => Some(CostBy::Body(pointer(name).ok()?)),
        _ => None,
    }
}

/// Nanoseconds of `second` or `10s`.
fn duration(text: &str) -> Option<u64> {
    let nanos = match text {
        "second" => SECOND,
        "minute" => 60 * SECOND,
        "hour" => 3600 * SECOND,
        "day" => 86_400 * SECOND,
        "week" => 7 * 86_400 * SECOND,
        text => u64::try_from(humantime::parse_duration(text).ok()?.as_nanos()).ok()?,
    };
    (1_000_000..=LONGEST).contains(&nanos).then_some(nanos)
}

/// Minutes of `+05:30`.
fn offset(text: &str) -> Option<i16> {
    let (sign, rest) = match text.split_at_checked(1)? {
        ("+", rest) => (1, rest),
        ("-", rest) => (-1, rest),
        _ => return None,
    };
    let (hours, minutes) = rest.split_once(':')?;
    let two = |text: &str| text.parse::<i16>().ok().filter(|_| text.len() == 2);
    let minutes = two(hours)? * 60 + two(minutes).filter(|it| *it < 60)?;
    Some(sign * minutes).filter(|it| (-720..=840).contains(it))
}

/// What a limit says that it holds for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Held {
    /// An API, by name.
    Api(String),
    /// Operations with a tag.
    Tag(String),
    /// An operation, by method and path.
    Operation(String),
}

/// Everything that limits say they hold for, each with its place.
pub(super) fn places(root: Node<'_>, path: &str) -> Vec<(Held, Span)> {
    let mut places = Vec::new();
    let limits = root.get("rate_limits").and_then(Node::members).into_iter().flatten();
    for (_, node) in limits {
        let mut all = |nodes: Vec<Node<'_>>, held: fn(String) -> Held| {
            let each = nodes.into_iter().filter_map(|it| Some((it.as_text()?.to_owned(), it)));
            places.extend(each.map(|(text, it)| (held(text), span(it, path))));
        };
        all(list(node, "apis").collect(), Held::Api);
        all(list(node, "tags").collect(), Held::Tag);
        all(list(node, "operations").collect(), Held::Operation);
        let costs = list(node, "costs").filter_map(|it| it.get("operation"));
        all(costs.collect(), Held::Operation);
    }
    places
}

/// What the shape alone cannot say.
pub(super) fn check(root: Node<'_>, path: &str, diagnostics: &mut Diagnostics) {
    let mut wrong = |node: Node<'_>, title: String, help: Option<String>| {
        let at = Diagnostic::new(diag::POLICY_VALUE, title).at(span(node, path));
        diagnostics.push(at.maybe_help(help));
    };
    let named = |field| root.get(field).and_then(Node::members).into_iter().flatten();
    for (_, caller) in named("callers") {
        for node in list(caller, "by") {
            let label = node.as_text().unwrap_or_default();
            if let Err(help) = source(label) {
                wrong(node, format!("`{label}` does not name a caller"), Some(help.to_owned()));
            }
        }
    }
    let callers: Vec<String> = named("callers").map(|(member, _)| member.key.to_string()).collect();
    let mut ids: Vec<(u32, String)> = Vec::new();
    for (member, node) in named("rate_limits") {
        let name = member.key.to_string();
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        if name.is_empty() || name.len() > 64 || !name.bytes().all(plain) {
            let help = "names have letters, digits, `-`, `_` and `.`, at most 64".to_owned();
            wrong(node, format!("`{name}` cannot be the name of a limit"), Some(help));
        }
        let id = limit_id(&name);
        if let Some((_, other)) = ids.iter().find(|(known, _)| *known == id) {
            let title =
                format!("the limits `{other}` and `{name}` cannot be told apart by their hashes");
            wrong(node, title, Some("rename one of them".to_owned()));
        }
        ids.push((id, name));
        check_limit(node, &callers, &mut wrong);
        check_delegation(node, root.get("limit_service").is_some(), &mut wrong);
    }
    let delegates = named("rate_limits").any(|(_, node)| node.get("delegate").is_some());
    if let Some(service) = root.get("limit_service") {
        check_service(service, delegates, &mut wrong);
    }
    let most = portcullis_bundle::layout::MAX_LIMITS;
    if let (true, Some(node)) = (ids.len() > most, root.get("rate_limits")) {
        wrong(node, format!("there are more than {most} limits"), None);
    }
    if let (Some(table), true) = (root.get("limit_table"), ids.is_empty()) {
        wrong(table, "there are no limits to keep counts of".to_owned(), None);
    }
}

fn check_limit(
    node: Node<'_>,
    callers: &[String],
    wrong: &mut impl FnMut(Node<'_>, String, Option<String>),
) {
    if let (Some(at), Some(caller)) = (node.get("caller"), text(node, "caller"))
        && !callers.contains(&caller)
    {
        let help = did_you_mean(&caller, callers.iter().map(String::as_str));
        let help = help.unwrap_or_else(|| "say under `callers` who that is".to_owned());
        wrong(at, format!("there is no caller `{caller}`"), Some(help));
    }
    let rates = list(node, "rates").count() + list(node, "quotas").count();
    if rates > 7 || rates == 0 && node.get("concurrent").is_none() {
        let help =
            "write `rates: [{ requests: 10, per: second }]`, `quotas` or `concurrent`".to_owned();
        wrong(
            node,
            "a limit has from 1 to 7 rates and quotas, or `concurrent`".to_owned(),
            Some(help),
        );
    }
    let spans = list(node, "rates").filter_map(|it| it.get("per"));
    for at in spans.chain(node.get("concurrent").and_then(|it| it.get("lease"))) {
        let text = at.as_text().unwrap_or_default();
        if duration(text).is_none() {
            let help =
                "write `second`, `minute`, `hour`, `day`, `week`, or a span as `10s`, up to a year"
                    .to_owned();
            wrong(at, format!("`{text}` is no span of time"), Some(help));
        }
    }
    for at in list(node, "quotas").filter_map(|it| it.get("offset")) {
        let text = at.as_text().unwrap_or_default();
        if offset(text).is_none() {
            wrong(at, format!("`{text}` is no offset"), Some("write it as `+01:00`".to_owned()));
        }
    }
    let written = rates + usize::from(node.get("concurrent").is_some());
    let spans = list(node, "rates").filter_map(|it| it.get("per"));
    let is_span = |at: Node<'_>| duration(at.as_text().unwrap_or_default()).is_some();
    let is_offset = |at: Node<'_>| offset(at.as_text().unwrap_or_default()).is_some();
    let leases = node.get("concurrent").and_then(|it| it.get("lease"));
    let mut offsets = list(node, "quotas").filter_map(|it| it.get("offset"));
    let is_told = !spans.chain(leases).all(is_span) || !offsets.all(is_offset);
    // Whatever else keeps one from being read: a limit without one of its rates would be another limit.
    if !is_told && self::rates(node).len() != written {
        wrong(node, "one of its rates cannot be read".to_owned(), None);
    }
    for at in list(node, "statuses") {
        let text = at.as_text().unwrap_or_default();
        let sound = text.len() == 3
            && matches!(text.as_bytes(), [b'1'..=b'5', rest @ ..] if rest == b"xx" || rest.iter().all(u8::is_ascii_digit));
        if !sound {
            wrong(at, format!("`{text}` is no status"), Some("write `401`, or `5xx`".to_owned()));
        }
    }
    if let (Some(at), Some(_)) = (node.get("statuses"), node.get("count")) {
        wrong(at, "`statuses` stands instead of `count`".to_owned(), None);
    }
    if let Some(at) = node.get("cost_from")
        && cost_by(at.as_text().unwrap_or_default()).is_none()
    {
        let text = at.as_text().unwrap_or_default();
        wrong(
            at,
            format!("`{text}` says no cost"),
            Some("write `header.x-cost` or `body./count`".to_owned()),
        );
    }
}

/// What a limit that is delegated cannot be.
fn check_delegation(
    node: Node<'_>,
    has_service: bool,
    wrong: &mut impl FnMut(Node<'_>, String, Option<String>),
) {
    let Some(delegate) = node.get("delegate") else { return };
    if !has_service {
        let help = "say under `limit_service` which cluster carries it, and under which domain";
        wrong(delegate, "there is no service to delegate to".to_owned(), Some(help.to_owned()));
    }
    let protocol = "the protocol knows neither ends nor answers of requests: move it to a limit of its own, which \
                    this gateway counts";
    if let Some(at) = node.get("concurrent") {
        let title = "requests at once cannot be delegated".to_owned();
        wrong(at, title, Some(protocol.to_owned()));
    }
    let counts = word(Some(node), "count").is_some_and(|it| it != "all");
    let at = node.get("statuses").or_else(|| node.get("count").filter(|_| counts));
    if let Some(at) = at {
        let title = "a limit that counts by answers cannot be delegated".to_owned();
        wrong(at, title, Some(protocol.to_owned()));
    }
}

fn check_service(
    service: Node<'_>,
    delegates: bool,
    wrong: &mut impl FnMut(Node<'_>, String, Option<String>),
) {
    if !delegates {
        let help = "write `delegate: {}` in a limit".to_owned();
        wrong(service, "no limit is delegated to the service".to_owned(), Some(help));
    }
    if let (Some(at), Some(cluster)) = (service.get("cluster"), text(service, "cluster"))
        && cluster.len() > LONGEST_CLUSTER
    {
        let title = format!("the name of the cluster is longer than {LONGEST_CLUSTER} bytes");
        wrong(at, title, None);
    }
    if let Some(at) = service.get("timeout") {
        let text = at.as_text().unwrap_or_default();
        if milliseconds(text).is_none() {
            let help = "write whole milliseconds from `1ms` to `1s`".to_owned();
            wrong(at, format!("`{text}` is no time to wait for a service"), Some(help));
        }
    }
}

/// Stands for a limit's name in the table of counts: FNV-1a, a multiple of 8.
pub(crate) fn limit_id(name: &str) -> u32 {
    hash(name) & !7
}

/// FNV-1a with 32 bits.
pub(crate) fn hash(text: &str) -> u32 {
    text.bytes().fold(0x811C_9DC5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

#[cfg(test)]
mod tests;
