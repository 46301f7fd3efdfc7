//! Whatever a client sends and however it is cut: a decision, and always the same.

use super::Request;
use super::support::everything;
use portcullis_bundle::Bundle;
use portcullis_engine::exchange::Exchange;
use proptest::prelude::*;
use std::sync::LazyLock;

static BUNDLE: LazyLock<Bundle> = LazyLock::new(everything::bundle);

/// Texts that look like what is declared, and bytes that look like nothing.
fn path() -> impl Strategy<Value = Vec<u8>> {
    let part = prop_oneof![
        Just(b"/a/x/1.json".to_vec()),
        Just(b"/a/b".to_vec()),
        Just(b"/".to_vec()),
        Just(b"?n=1&a=1,2".to_vec()),
        Just(b"&e=1&e=2&d[n]=1".to_vec()),
        Just(b"&j={}&f=1".to_vec()),
        Just(b"%2e%2F%".to_vec()),
        "[a-f0-9%&=+.;,/?\\[\\]-]{0,8}".prop_map(String::into_bytes),
        prop::collection::vec(any::<u8>(), 0..6),
    ];
    prop::collection::vec(part, 0..5).prop_map(|parts| parts.concat())
}

fn header() -> impl Strategy<Value = (String, Vec<u8>)> {
    let name = prop_oneof![
        Just("content-type"),
        Just("content-length"),
        Just("content-encoding"),
        Just("transfer-encoding"),
        Just("upgrade"),
        Just("connection"),
        Just("cookie"),
        Just("x-list"),
        Just("origin"),
        Just(":protocol"),
        Just(":authority"),
    ];
    let value = prop_oneof![
        Just(b"application/json".to_vec()),
        Just(b"text/plain; charset=\"x\\\"".to_vec()),
        Just(b"upgrade".to_vec()),
        Just(b"5".to_vec()),
        Just(b"c=1; c=\"2\"".to_vec()),
        prop::collection::vec(any::<u8>(), 0..12),
    ];
    (name.prop_map(str::to_owned), value)
}

/// JSON, broken JSON, bytes.
fn body() -> impl Strategy<Value = Vec<u8>> {
    let parts: [&[u8]; 12] = [
        b"{\"n\":1}",
        b"{",
        b"\"n\":",
        b"\"list\":[1,2,",
        b"3]",
        b",",
        b"}",
        b"1e2",
        b"\"\\u00e9\\ud83d\\ude00 \xc3\xa9\"",
        b"null ",
        b"\xff",
        b"        ",
    ];
    let part = prop::sample::select(parts.to_vec());
    prop::collection::vec(part, 0..14).prop_map(|parts| parts.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(debug_assertions) { 1500 } else { 20_000 }))]

    #[test]
    fn anything_is_decided(
        method in prop_oneof![Just("GET"), Just("POST"), Just("OPTIONS"), Just("CONNECT"), Just("")],
        path in path(),
        headers in prop::collection::vec(header(), 0..5),
        body in prop::option::of(body()),
    ) {
        let mut request = Request::new(method, path);
        for (name, value) in headers {
            request = request.header(&name, value);
        }
        request.body = body.map(|body| vec![body]);
        let decision = request.judge(&BUNDLE).decision;
        prop_assert_eq!(decision.status != 0, decision.label().starts_with("block:"));
    }

    #[test]
    fn cuts_do_not_change_the_decision(
        body in body(),
        mut cuts in prop::collection::vec(0usize..100, 0..6),
        media_type in prop_oneof![Just("application/json"), Just("text/plain"), Just("a/b")],
    ) {
        let request = Request::new("POST", "/a/x/1.json").header("content-type", media_type);
        let whole = Request { body: Some(vec![body.clone()]), ..request.clone() };
        cuts.iter_mut().for_each(|cut| *cut = (*cut).min(body.len()));
        cuts.sort_unstable();
        let mut pieces = Vec::new();
        let mut start = 0;
        for cut in cuts {
            pieces.push(body[start..cut].to_vec());
            start = cut;
        }
        pieces.push(body[start..].to_vec());
        let bytes = Request { body: Some(body.iter().map(|byte| vec![*byte]).collect()), ..request.clone() };
        let cut = Request { body: Some(pieces), ..request };
        // The buffers of one exchange serve all, and must not tell one request of another.
        let mut exchange = Exchange::new();
        let expected = whole.judge(&BUNDLE).decision;
        prop_assert_eq!(&cut.judge_with(&BUNDLE, &mut exchange).decision, &expected);
        prop_assert_eq!(&bytes.judge_with(&BUNDLE, &mut exchange).decision, &expected);
        prop_assert_eq!(&whole.judge_with(&BUNDLE, &mut exchange).decision, &expected);
    }
}
