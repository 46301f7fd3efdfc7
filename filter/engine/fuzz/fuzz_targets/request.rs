//! Judges hostile requests: head, parameters and body.
//!
//! The input is a request as in HTTP/1.1, lines ending in LF: `METHOD target`, header fields, an empty line, the body. The
//! body is fed whole, byte by byte and in halves; the decision must be the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use portcullis_bundle::Bundle;
use portcullis_engine::decision::Decision;
use portcullis_engine::exchange::{Conditions, Exchange, Progress, RequestHead};
use std::sync::LazyLock;

#[path = "../../tests/support/mod.rs"]
mod support;

static BUNDLE: LazyLock<Bundle> = LazyLock::new(support::everything::bundle);

fuzz_target!(|input: &[u8]| {
    let (start, rest) = cut(input, b"\n");
    let (method, path) = cut(start, b" ");
    let (fields, body) = if rest.starts_with(b"\n") { (&[][..], Some(&rest[1..])) } else { halves(rest) };
    let headers: Vec<(&[u8], &[u8])> =
        fields.split(|&byte| byte == b'\n').map(|line| cut(line, b": ")).collect();
    let host = headers.iter().find(|(name, _)| *name == b"host").map_or(&b""[..], |(_, host)| host);
    let head =
        RequestHead { method, path, authority: host, headers: &headers, end_of_stream: body.is_none() };
    let body = body.unwrap_or_default();
    let mut exchange = Exchange::new();
    let whole = judge(&mut exchange, &head, [body].into_iter());
    let bytes = judge(&mut exchange, &head, body.chunks(1));
    let (first, second) = body.split_at(body.len() / 2);
    let half = judge(&mut exchange, &head, [first, second].into_iter());
    assert_eq!(whole, bytes);
    assert_eq!(whole, half);
    assert_eq!(whole.status != 0, whole.label().starts_with("block:"));
    whole.describe(&BUNDLE.view());
});

/// Feeds a request to its decision.
fn judge<'b>(
    exchange: &mut Exchange,
    head: &RequestHead<'_>,
    chunks: impl Iterator<Item = &'b [u8]>,
) -> Decision {
    let view = BUNDLE.view();
    exchange.reset();
    let mut progress = exchange.on_headers(&view, head, Conditions::default());
    for chunk in chunks {
        if matches!(progress, Progress::Body { .. }) {
            progress = exchange.on_body(&view, chunk);
        }
    }
    if matches!(progress, Progress::Body { .. }) {
        progress = exchange.on_end(&view);
    }
    match progress {
        Progress::Decided(decision) => decision,
        Progress::Body { .. } => panic!("not decided at the end"),
    }
}

/// The text before and after a mark.
fn cut<'t>(text: &'t [u8], mark: &[u8]) -> (&'t [u8], &'t [u8]) {
    match text.windows(mark.len()).position(|window| window == mark) {
        Some(at) => (&text[..at], &text[at + mark.len()..]),
        None => (text, b""),
    }
}

/// Header fields, and the body after an empty line, if there is one.
fn halves(text: &[u8]) -> (&[u8], Option<&[u8]>) {
    match text.windows(2).position(|window| window == b"\n\n") {
        Some(at) => (&text[..at], Some(&text[at + 2..])),
        None => (text, None),
    }
}
