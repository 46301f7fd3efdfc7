//! Judges one body whole, byte by byte and in halves: the decision must be the same.

use portcullis_bundle::Bundle;
use portcullis_engine::decision::Decision;
use portcullis_engine::exchange::{Conditions, Exchange, Progress, RequestHead};
use std::sync::LazyLock;

#[path = "../../../tests/support/mod.rs"]
mod support;

static BUNDLE: LazyLock<Bundle> = LazyLock::new(support::bodies::bundle);

/// Judges a body of a media type, sent to a path.
pub fn judge(path: &[u8], media_type: &[u8], body: &[u8]) -> Decision {
    let mut exchange = Exchange::new();
    let mut decide =
        |chunks: &mut dyn Iterator<Item = &[u8]>| decide(&mut exchange, path, media_type, chunks);
    let whole = decide(&mut [body].into_iter());
    let bytes = decide(&mut body.chunks(1));
    let (first, second) = body.split_at(body.len() / 2);
    let half = decide(&mut [first, second].into_iter());
    assert_eq!(whole, bytes);
    assert_eq!(whole, half);
    whole.describe(&BUNDLE.view());
    whole
}

fn decide(
    exchange: &mut Exchange,
    path: &[u8],
    media_type: &[u8],
    chunks: &mut dyn Iterator<Item = &[u8]>,
) -> Decision {
    let view = BUNDLE.view();
    exchange.reset();
    let headers = [(&b"content-type"[..], media_type)];
    let head = RequestHead {
        method: b"POST",
        path,
        authority: b"",
        headers: &headers,
        end_of_stream: false,
    };
    let mut progress = exchange.on_headers(&view, &head, Conditions::default());
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
