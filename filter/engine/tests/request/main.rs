//! Requests judged by bundles built by hand, natively and in wasm.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod body;
#[cfg(not(target_arch = "wasm32"))]
mod cuts;
mod head;
#[cfg(not(target_arch = "wasm32"))]
mod kinds;
mod parameters;
#[path = "../support/mod.rs"]
mod support;

use portcullis_bundle::Bundle;
use portcullis_engine::decision::Decision;
use portcullis_engine::exchange::{Conditions, Exchange, Progress, RequestHead};

/// A request to be judged.
#[derive(Clone, Debug)]
struct Request {
    method: &'static str,
    path: Vec<u8>,
    headers: Vec<(Vec<u8>, Vec<u8>)>,
    body: Option<Vec<Vec<u8>>>,
    conditions: Conditions,
}

impl Request {
    fn new(method: &'static str, path: impl AsRef<[u8]>) -> Self {
        Request {
            method,
            path: path.as_ref().to_vec(),
            headers: Vec::new(),
            body: None,
            conditions: Conditions::default(),
        }
    }

    fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.headers.push((name.as_bytes().to_vec(), value.as_ref().to_vec()));
        self
    }

    /// A body in these chunks, of unknown length.
    fn chunks(mut self, chunks: &[&str]) -> Self {
        self.body = Some(chunks.iter().map(|chunk| chunk.as_bytes().to_vec()).collect());
        self
    }

    /// A body of JSON with its length and type.
    fn json(self, body: &str) -> Self {
        self.header("content-type", "application/json")
            .header("content-length", body.len().to_string())
            .chunks(&[body])
    }

    fn forced(mut self) -> Self {
        self.conditions.force_monitor = true;
        self
    }

    fn unheld(mut self) -> Self {
        self.conditions.bodies_unheld = true;
        self
    }

    /// Judges the request to its end.
    fn judge(&self, bundle: &Bundle) -> Judged {
        self.judge_with(bundle, &mut Exchange::new())
    }

    fn judge_with(&self, bundle: &Bundle, exchange: &mut Exchange) -> Judged {
        let view = bundle.view();
        let headers: Vec<(&[u8], &[u8])> =
            self.headers.iter().map(|(name, value)| (name.as_slice(), value.as_slice())).collect();
        let host = headers.iter().find(|(name, _)| *name == b":authority").map(|(_, value)| *value);
        let head = RequestHead {
            method: self.method.as_bytes(),
            path: &self.path,
            authority: host.unwrap_or(b"api.example"),
            headers: &headers,
            end_of_stream: self.body.is_none(),
        };
        exchange.reset();
        let mut progress = exchange.on_headers(&view, &head, self.conditions);
        let mut held = None;
        for chunk in self.body.iter().flatten() {
            if let Progress::Body { hold } = progress {
                held = Some(hold);
                progress = exchange.on_body(&view, chunk);
            }
        }
        if let Progress::Body { hold } = progress {
            held = Some(hold);
            progress = exchange.on_end(&view);
        }
        let Progress::Decided(decision) = progress else { panic!("{self:?} is not decided") };
        assert_eq!(exchange.on_end(&view), Progress::Decided(decision.clone()), "decided once");
        let found = decision.describe(&view).findings.iter().map(ToString::to_string).collect();
        Judged { decision, held, found }
    }

    /// The verdict in one word.
    fn verdict(&self, bundle: &Bundle) -> &'static str {
        self.judge(bundle).decision.label()
    }
}

/// What became of a request.
#[derive(Debug)]
struct Judged {
    decision: Decision,
    /// Whether the body was held, if it was awaited.
    held: Option<bool>,
    /// The findings in words.
    found: Vec<String>,
}
