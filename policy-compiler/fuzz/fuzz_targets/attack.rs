//! Scans hostile requests by `api-core`, at every level of paranoia, where no contract says anything.
//!
//! The input is a request as in HTTP/1.1, lines ending in LF: `METHOD target`, header fields, an empty line, the body. Whether
//! literals propose rules or every rule is tried, however the body is cut, and whatever was scanned before, the decision is
//! the same; and a budget of few steps ends in a refusal or in the same decision.
#![no_main]

use libfuzzer_sys::fuzz_target;
use portcullis_bundle::Bundle;
use portcullis_engine::decision::{Decision, Verdict};
use portcullis_engine::exchange::{Exchange, RequestHead};
use portcullis_engine::finding::FindingCode;
use std::cell::RefCell;
use std::sync::LazyLock;

mod scan;

static BUNDLE: LazyLock<Bundle> = LazyLock::new(|| scan::bundle("api-core", "", "8MiB"));
static STINTED: LazyLock<Bundle> = LazyLock::new(|| scan::bundle("api-core", "", "16KiB"));

thread_local! {
    /// Those of earlier inputs: what they have built stays.
    static USED: RefCell<(Exchange, Exchange)> = RefCell::default();
}

fuzz_target!(|input: &[u8]| {
    let (start, rest) = scan::cut(input, b"\n");
    let (method, path) = scan::cut(start, b" ");
    let (fields, body) = match rest.strip_prefix(b"\n") {
        Some(body) => (&b""[..], Some(body)),
        None => scan::halves(rest),
    };
    let headers: Vec<(&[u8], &[u8])> =
        fields.split(|&byte| byte == b'\n').map(|line| scan::cut(line, b": ")).collect();
    let end_of_stream = body.is_none();
    let head = RequestHead { method, path, authority: b"a", headers: &headers, end_of_stream };
    let body = body.unwrap_or_default();
    USED.with_borrow_mut(|(used, stinted)| {
        let proposed = scan::judge(&BUNDLE, used, &head, body.len().max(1), body);
        used.try_every_rule(true);
        let tried = scan::judge(&BUNDLE, used, &head, body.len().max(1), body);
        used.try_every_rule(false);
        if !is_exhausted(&tried) {
            assert_eq!(proposed, tried);
        }
        assert_eq!(proposed, scan::judge(&BUNDLE, used, &head, 7, body));
        if input.len() % 16 == 0 {
            assert_eq!(proposed, scan::judge(&BUNDLE, &mut Exchange::new(), &head, 1, body));
        }
        let few = scan::judge(&STINTED, stinted, &head, body.len().max(1), body);
        match is_exhausted(&few) {
            true => assert_eq!(few.verdict, Verdict::Block),
            false => assert_eq!(proposed.verdict, few.verdict),
        }
    });
});

fn is_exhausted(decision: &Decision) -> bool {
    decision.findings.iter().any(|finding| finding.code == FindingCode::AttackBudget)
}
