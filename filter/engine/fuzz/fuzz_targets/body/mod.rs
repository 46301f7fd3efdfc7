//! Judges one body whole, byte by byte and in halves: the decision must be the same.

use portcullis_bundle::Bundle;
use portcullis_engine::decision::Decision;
use portcullis_engine::exchange::{Conditions, Exchange, Progress, RequestHead};
use std::sync::LazyLock;

#[path = "../../../tests/support/mod.rs"]
mod support;

static BUNDLE: LazyLock<Bundle> = LazyLock::new(support::bodies::bundle);

/// Judges a body of a media type.
pub fn judge(media_type: &[u8], body: &[u8]) {
    let mut exchange = Exchange::new();
    let whole = decide(&mut exchange, media_type, [body].into_iter());
    let bytes = decide(&mut exchange, media_type, body.chunks(1));
    let (first, second) = body.split_at(body.len() / 2);
    let half = decide(&mut exchange, media_type, [first, second].into_iter());
    assert_eq!(whole, bytes);
    assert_eq!(whole, half);
    whole.describe(&BUNDLE.view());
}

fn decide<'b>(
    exchange: &mut Exchange,
    media_type: &[u8],
    chunks: impl Iterator<Item = &'b [u8]>,
) -> Decision {
    let view = BUNDLE.view();
    exchange.reset();
    let headers = [(&b"content-type"[..], media_type)];
    let head = RequestHead {
        method: b"POST",
        path: b"/b",
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
