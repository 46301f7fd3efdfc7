//! A case judged by the engine, natively or in wasm.

use portcullis_bundle::layout::View;
use portcullis_bundle::{Bundle, Trust};
use portcullis_engine::decision::{self, Decision};
use portcullis_engine::exchange::{Conditions, Exchange, Progress, RequestHead, ResponseHead};
use portcullis_engine::finding::Position;
use std::net::{IpAddr, Ipv4Addr};

use crate::counts::Counts;
use crate::{Case, Observed, Request, Response, Verdict};

/// Opens the bundle of a suite, signed or not.
///
/// # Panics
/// Where the bundle does not verify.
pub fn open(bytes: &[u8]) -> Bundle {
    let trust = Trust { keys: Vec::new(), allow_unsigned: true };
    Bundle::open(bytes.to_vec(), &trust).expect("the suite's bundle verifies")
}

/// Judges the case as cut in its file, whole, and byte by byte, and compares each with what must
/// come of it: the verdict does not depend on how the body was cut.
pub fn differences(bundle: &Bundle, case: &Case) -> Vec<String> {
    let length = case.request.content().map_or(0, |content| content.len());
    let each_byte: Vec<usize> = (1..length).collect();
    let mut exchange = Exchange::default();
    if let Some(response) = &case.response {
        return answer_differences(&mut exchange, bundle, case, response);
    }
    [("as cut", &case.request.cuts), ("whole", &Vec::new()), ("byte by byte", &each_byte)]
        .into_iter()
        .flat_map(|(how, cuts)| {
            let world = Counts::before(&mut exchange, &bundle.view(), case);
            let decision = decide(&mut exchange, &bundle.view(), &case.request, cuts, &world);
            let observed = observed(&bundle.view(), &decision);
            let differences = case.expect.differences(&observed);
            differences.into_iter().map(move |difference| format!("{how}: {difference}"))
        })
        .collect()
}

/// Judges the answer as cut in its file, whole, byte by byte, and cut once at every place; and once more by trying every
/// rule in turn, which must come to the same.
fn answer_differences(
    exchange: &mut Exchange,
    bundle: &Bundle,
    case: &Case,
    response: &Response,
) -> Vec<String> {
    let length = response.content().map_or(0, |content| content.len());
    let once = (1..length).map(|at| (format!("cut at {at}"), vec![at]));
    let ways = [
        ("as cut".to_owned(), response.cuts.clone()),
        ("whole".to_owned(), Vec::new()),
        ("byte by byte".to_owned(), (1..length).collect()),
    ];
    let mut found = Vec::new();
    for (how, cuts) in ways.into_iter().chain(once) {
        let decisions = [false, true].map(|every| {
            exchange.try_every_rule(every);
            decide_both(exchange, &bundle.view(), case, response, &cuts)
        });
        exchange.try_every_rule(false);
        let [decision, by_every_rule] = decisions;
        if decision != by_every_rule {
            found.push(format!("{how}: every rule in turn comes to {by_every_rule:?}"));
        }
        let differences = case.expect.differences(&observed(&bundle.view(), &decision));
        found.extend(differences.into_iter().map(|difference| format!("{how}: {difference}")));
    }
    found
}

/// The decision on the answer, where one was asked for and found anything; else that on the request.
fn decide_both(
    exchange: &mut Exchange,
    view: &View<'_>,
    case: &Case,
    response: &Response,
    cuts: &[usize],
) -> Decision {
    let world = Counts::before(exchange, view, case);
    let decision = decide(exchange, view, &case.request, &case.request.cuts, &world);
    let Some(awaited) = exchange.awaits(view, Some(&decision)) else { return decision };
    let content = response.content().filter(|_| case.request.method != "HEAD").unwrap_or_default();
    let mut fields = vec![(":status".to_owned(), response.status.to_string().into_bytes())];
    for (name, value) in response.sent_headers() {
        fields.push((name.to_ascii_lowercase(), value));
    }
    if !response.is_chunked() {
        let length = response.content().unwrap_or_default().len();
        fields.push(("content-length".to_owned(), length.to_string().into_bytes()));
    }
    let headers: Vec<(&[u8], &[u8])> =
        fields.iter().map(|(name, value)| (name.as_bytes(), value.as_slice())).collect();
    let status = response.status.to_string();
    let head = ResponseHead {
        status: status.as_bytes(),
        headers: &headers,
        end_of_stream: content.is_empty() && response.trailers.is_empty(),
    };
    let mut progress = exchange.on_response_headers(view, &awaited, &head, CONDITIONS);
    let mut from = 0;
    for to in cuts.iter().copied().chain([content.len()]) {
        if matches!(progress, Progress::Decided(_)) {
            break;
        }
        let to = to.clamp(from, content.len());
        progress = exchange.on_response_body(view, content.get(from..to).unwrap_or_default());
        from = to;
    }
    if !matches!(progress, Progress::Decided(_)) {
        progress = exchange.on_response_end(view);
    }
    match progress {
        Progress::Decided(found) if found.findings.is_empty() => decision,
        Progress::Decided(found) => found,
        Progress::Body { .. } => panic!("no decision at the end of the answer"),
    }
}

/// A day of 2026: what expires has a date long before or after.
const CONDITIONS: Conditions = Conditions {
    force_monitor: false,
    bodies_unheld: false,
    mutual_tls: None,
    now: 1_790_000_000,
    protocol: "",
    client: Some(IpAddr::V4(Ipv4Addr::LOCALHOST)),
};

/// Judges a request with its body cut at these offsets.
fn decide(
    exchange: &mut Exchange,
    view: &View<'_>,
    request: &Request,
    cuts: &[usize],
    world: &Counts,
) -> Decision {
    let content = request.content();
    let fields = all_fields(request, content.as_deref());
    let headers: Vec<(&[u8], &[u8])> =
        fields.iter().map(|(name, value)| (name.as_bytes(), value.as_slice())).collect();
    let value = |name: &str| {
        fields.iter().find(|(n, _)| n == name).map_or(&[][..], |(_, value)| value.as_slice())
    };
    let content = content.unwrap_or_default();
    let end_of_stream = content.is_empty() && !request.is_chunked();
    let head = RequestHead {
        method: request.method.as_bytes(),
        path: value(":path"),
        authority: value(":authority"),
        headers: &headers,
        end_of_stream,
    };
    let mut progress = exchange.on_headers_in(view, &head, CONDITIONS, world);
    let mut from = 0;
    for to in cuts.iter().copied().chain([content.len()]) {
        if matches!(progress, Progress::Decided(_)) {
            break;
        }
        let to = to.clamp(from, content.len());
        progress = exchange.on_body(view, content.get(from..to).unwrap_or_default());
        from = to;
    }
    if !matches!(progress, Progress::Decided(_)) {
        progress = exchange.on_end_in(view, world);
    }
    match progress {
        Progress::Decided(decision) => decision,
        Progress::Body { .. } => panic!("no decision at the end of the message"),
    }
}

impl Counts {
    /// What is counted after the requests that came before a case.
    fn before(exchange: &mut Exchange, view: &View<'_>, case: &Case) -> Counts {
        let counts = Counts::of(view, CONDITIONS.now);
        for before in &case.before {
            let request = before.request.as_ref().unwrap_or(&case.request);
            for _ in 0..before.times {
                let decision = decide(exchange, view, request, &request.cuts, &counts);
                if let Some(mut ticket) = exchange.take_ticket() {
                    let refused = decision.status;
                    let status = if refused == 0 { before.status } else { refused };
                    ticket.settle(view, status, &counts);
                    ticket.end(view, &counts);
                }
            }
        }
        counts
    }
}

/// The header fields as Envoy hands them to its filters.
fn all_fields(request: &Request, content: Option<&[u8]>) -> Vec<(String, Vec<u8>)> {
    let mut sent = request.sent_headers();
    let host = sent.iter().position(|(name, _)| name.eq_ignore_ascii_case("host"));
    let authority = host.map_or_else(|| b"gateway.example".to_vec(), |at| sent.remove(at).1);
    let mut fields = vec![
        (":authority".to_owned(), authority),
        (":method".to_owned(), request.method.clone().into_bytes()),
        (":scheme".to_owned(), b"http".to_vec()),
    ];
    if request.method != "CONNECT" {
        fields.push((":path".to_owned(), request.path_bytes()));
    }
    fields.extend(sent.into_iter().map(|(name, value)| (name.to_ascii_lowercase(), value)));
    match content {
        Some(_) if request.is_chunked() => {
            fields.push(("transfer-encoding".to_owned(), b"chunked".to_vec()));
        }
        Some(content) => {
            fields.push(("content-length".to_owned(), content.len().to_string().into_bytes()));
        }
        None => {}
    }
    fields
}

fn observed(view: &View<'_>, decision: &Decision) -> Observed {
    let verdict = match decision.verdict {
        decision::Verdict::Allow => Verdict::Allow,
        decision::Verdict::Block => Verdict::Block,
        decision::Verdict::Monitor => Verdict::Monitor,
        decision::Verdict::Pass => Verdict::Pass,
    };
    let finding = decision.findings.first();
    let pointer = match finding.map(|finding| &finding.position) {
        Some(Position::Body { pointer, .. }) => Some(pointer.clone()),
        _ => None,
    };
    let origin = finding
        .and_then(|finding| finding.origin)
        .and_then(|index| view.origins.get(index as usize));
    let at = origin.and_then(|origin| {
        let document = view.documents.get(origin.document.get() as usize)?;
        Some(format!("{}#{}", view.text(document.name), view.pointer(origin)))
    });
    Observed {
        status: (decision.status != 0).then_some(decision.status),
        verdict: Some(verdict),
        code: finding.map(|finding| finding.code.name().to_owned()),
        detailed: true,
        pointer,
        keyword: finding
            .and_then(|finding| finding.keyword)
            .map(|keyword| keyword.name().to_owned()),
        traced: true,
        at,
        line: origin.map(|origin| origin.line.get()),
        rule: finding
            .and_then(|finding| view.rules.get(finding.rule? as usize))
            .map(|rule| view.text(rule.id).to_owned()),
        limit: finding
            .and_then(|finding| view.limits.get(finding.limit? as usize))
            .map(|limit| view.text(limit.name).to_owned()),
    }
}
