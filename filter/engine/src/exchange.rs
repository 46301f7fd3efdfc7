//! One request's way through the engine: headers, body chunks, end.
//!
//! In: a bundle's view and the parts of a message as they arrive. Out: a [`Decision`], once. What
//! was judged may be forgotten: nothing is rewound, and the decision does not depend on how the
//! body was cut.

use crate::decision::Decision;
use portcullis_bundle::layout::View;

/// The head of a request. Bytes are as received; header names are lower case.
#[derive(Clone, Copy, Debug)]
pub struct RequestHead<'a> {
    /// `:method`.
    pub method: &'a [u8],
    /// `:path` with its query; empty where there is none (CONNECT).
    pub path: &'a [u8],
    /// `:authority` or `host`.
    pub authority: &'a [u8],
    /// All header fields, pseudo-headers included, in order.
    pub headers: &'a [(&'a [u8], &'a [u8])],
    /// True where no body follows.
    pub end_of_stream: bool,
}

/// What is passed in because the engine takes neither time nor configuration by itself.
#[derive(Clone, Copy, Debug, Default)]
pub struct Conditions {
    /// Refusals are suspended (break-glass): findings are still made.
    pub force_monitor: bool,
    /// Bodies cannot be held: a declared body is judged as it streams by and cannot be refused.
    pub bodies_unheld: bool,
}

/// What the engine wants next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Feed the body: the decision needs it. `hold` says whether a refusal is still possible, so
    /// that headers and body must not be forwarded before the decision.
    Body {
        /// Whether to hold the message back.
        hold: bool,
    },
    /// The decision. Later calls change nothing.
    Decided(Decision),
}

/// The state of one request.
#[derive(Debug, Default)]
pub struct Exchange {}

impl Exchange {
    /// Judges the head of a request. Whatever the exchange judged before is forgotten while its
    /// buffers are kept: callers pool exchanges instead of making one for each request.
    pub fn on_headers(
        &mut self,
        _bundle: &View<'_>,
        _head: &RequestHead<'_>,
        _conditions: Conditions,
    ) -> Progress {
        Progress::Decided(Decision::allow(None))
    }

    /// Judges the next bytes of the body, in order and without overlap.
    pub fn on_body(&mut self, _bundle: &View<'_>, _chunk: &[u8]) -> Progress {
        Progress::Body { hold: true }
    }

    /// Judges the end of the message, trailers or not.
    pub fn on_end(&mut self, _bundle: &View<'_>) -> Progress {
        Progress::Decided(Decision::allow(None))
    }
}
