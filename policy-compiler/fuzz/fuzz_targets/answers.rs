//! Scans hostile answers by `api-core`, at every level of paranoia.
//!
//! The input is an answer as in HTTP/1.1, lines ending in LF: the status, header fields, an empty line, the body. Whether literals
//! propose rules or every rule is tried, however the body is cut, and whatever was scanned before, the decision is the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use portcullis_bundle::Bundle;
use portcullis_engine::decision::Decision;
use portcullis_engine::exchange::{Conditions, Exchange, Progress, RequestHead, ResponseHead};
use portcullis_engine::finding::FindingCode;
use std::cell::RefCell;
use std::sync::LazyLock;

#[allow(dead_code)]
mod scan;

static BUNDLE: LazyLock<Bundle> = LazyLock::new(|| scan::bundle("api-core", "", "8MiB"));

thread_local! {
    /// That of earlier inputs: what it has built stays.
    static USED: RefCell<Exchange> = RefCell::default();
}

fuzz_target!(|input: &[u8]| {
    let (status, rest) = scan::cut(input, b"\n");
    let (fields, body) = match rest.strip_prefix(b"\n") {
        Some(body) => (&b""[..], Some(body)),
        None => scan::halves(rest),
    };
    let headers: Vec<(&[u8], &[u8])> =
        fields.split(|&byte| byte == b'\n').map(|line| scan::cut(line, b": ")).collect();
    let head = ResponseHead { status, headers: &headers, end_of_stream: body.is_none() };
    let body = body.unwrap_or_default();
    let whole = body.len().max(1);
    USED.with_borrow_mut(|used| {
        let proposed = judge(used, &head, whole, body);
        used.try_every_rule(true);
        let tried = judge(used, &head, whole, body);
        used.try_every_rule(false);
        let is_exhausted = |it: &Decision| {
            it.findings.iter().any(|finding| finding.code == FindingCode::AttackBudget)
        };
        if !tried.as_ref().is_some_and(is_exhausted) {
            assert_eq!(proposed, tried);
        }
        assert_eq!(proposed, judge(used, &head, 7, body));
        if input.len() % 16 == 0 {
            assert_eq!(proposed, judge(&mut Exchange::new(), &head, 1, body));
        }
    });
});

/// Judges the answer to a harmless request; none where no rule looks at it.
fn judge(
    exchange: &mut Exchange,
    head: &ResponseHead<'_>,
    chunk: usize,
    body: &[u8],
) -> Option<Decision> {
    let view = BUNDLE.view();
    let request = RequestHead {
        method: b"GET",
        path: b"/a",
        authority: b"a",
        headers: &[],
        end_of_stream: true,
    };
    let passed = scan::judge(&BUNDLE, exchange, &request, 1, b"");
    let awaited = exchange.awaits(&view, Some(&passed))?;
    let conditions = Conditions::default();
    let mut progress = exchange.on_response_headers(&view, &awaited, head, conditions);
    for chunk in body.chunks(chunk) {
        if matches!(progress, Progress::Body { .. }) {
            progress = exchange.on_response_body(&view, chunk);
        }
    }
    if matches!(progress, Progress::Body { .. }) {
        progress = exchange.on_response_end(&view);
    }
    match progress {
        Progress::Decided(decision) => Some(decision),
        Progress::Body { .. } => panic!("not decided at the end"),
    }
}
