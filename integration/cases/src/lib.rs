//! What a case is: a request, and what must come of it.
//!
//! The files beside this crate are written once and run three times: by the engine natively, by the
//! engine in wasm under Node, and by a real Envoy. `README.md` documents them.
#![forbid(unsafe_code)]

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
    /// What is sent.
    pub request: Request,
    /// What the upstream answers; where it is left out, it echoes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response: Option<Response>,
    /// What must come of it.
    pub expect: Expect,
}
