//! A case judged by the engine, natively or in wasm.

use portcullis_bundle::layout::View;
use portcullis_bundle::{Bundle, Trust};
use portcullis_engine::decision::{self, Decision};
use portcullis_engine::exchange::{Conditions, Exchange, Progress, RequestHead};
use portcullis_engine::finding::Position;

use crate::{Case, Observed, Request, Verdict};

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
    [("as cut", &case.request.cuts), ("whole", &Vec::new()), ("byte by byte", &each_byte)]
        .into_iter()
        .flat_map(|(how, cuts)| {
            let observed = judge(&mut exchange, bundle, &case.request, cuts);
            let differences = case.expect.differences(&observed);
            differences.into_iter().map(move |difference| format!("{how}: {difference}"))
        })
        .collect()
}

/// Judges a request with its body cut at these offsets.
pub fn judge(
    exchange: &mut Exchange,
    bundle: &Bundle,
    request: &Request,
    cuts: &[usize],
) -> Observed {
    let view = bundle.view();
    observed(&view, &decide(exchange, &view, request, cuts))
}

fn decide(exchange: &mut Exchange, view: &View<'_>, request: &Request, cuts: &[usize]) -> Decision {
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
    // A day of 2026: what expires has a date long before or after.
    let conditions = Conditions { now: 1_790_000_000, ..Conditions::default() };
    let mut progress = exchange.on_headers(view, &head, conditions);
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
        progress = exchange.on_end(view);
    }
    match progress {
        Progress::Decided(decision) => decision,
        Progress::Body { .. } => panic!("no decision at the end of the message"),
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
    }
}
