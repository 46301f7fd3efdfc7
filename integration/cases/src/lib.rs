//! What a case is: a request, and what must come of it.
//!
//! The files beside this crate are written once and run three times: by the engine natively, by the
//! engine in wasm under Node, and by a real Envoy. `README.md` documents them.
#![forbid(unsafe_code)]

#[cfg(feature = "engine")]
mod counts;
mod expect;
#[cfg(feature = "engine")]
pub mod judge;
mod request;
mod response;

pub use expect::{Expect, Observed, Verdict};
pub use request::{Fields, Request};
pub use response::Response;

use serde::{Deserialize, Serialize};

/// One request and what must come of it.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// What the case shows, in words.
    pub name: String,
    /// Requests of which limits have counted before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub before: Vec<Before>,
    /// What is sent.
    pub request: Request,
    /// What the upstream answers; where it is left out, it echoes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response: Option<Response>,
    /// What must come of it.
    pub expect: Expect,
    /// The minor version of Envoy that is the first to know the request's method, such as `1.40`: older ones answer 400
    /// before any filter sees it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method_since: Option<String>,
}

/// A request that came before, and what the upstream answered.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Before {
    /// How often it came.
    #[serde(default = "once")]
    pub times: u32,
    /// What was sent; where it is left out, what the case sends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<Request>,
    /// The status of the upstream's answer.
    #[serde(default = "ok")]
    pub status: u16,
}

fn once() -> u32 {
    1
}

fn ok() -> u16 {
    200
}
