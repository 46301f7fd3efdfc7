//! Which handler answers a request.

use serde_json::{Value, json};

use crate::answer::Answer;
use crate::{accounts, payments};

/// A request as the bank reads it: lenient, and trusting its gateway.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// Method; HEAD is answered like GET.
    pub method: &'a str,
    /// Path with query, as received.
    pub target: &'a str,
    /// Value of `x-idempotency-key`, or empty.
    pub idempotency_key: &'a str,
    /// Body, possibly empty.
    pub body: &'a [u8],
}

impl Request<'_> {
    /// The body as JSON; `null` where it is none.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(self.body).unwrap_or_default()
    }

    /// An identifier that is the same for the same key: a version 8 UUID (RFC 9562 section 5.8).
    pub(crate) fn new_id(&self) -> String {
        // FNV-1a: stable across builds, which the standard library's hasher does not promise.
        let hash = self.idempotency_key.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        let (high, low) = (hash >> 32, hash & 0xffff_ffff);
        format!("{high:08x}-0000-8000-8000-0000{low:08x}")
    }
}

/// Answers `request`.
pub fn respond(request: &Request<'_>) -> Answer {
    let path = request.target.split(['?', '#']).next().unwrap_or_default();
    let method = if request.method == "HEAD" { "GET" } else { request.method };
    if method == "OPTIONS" {
        return Answer::gone();
    }
    let segments: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    let found = match segments.as_slice() {
        ["healthz"] => Some(Answer::ok(json!({ "status": "up" }))),
        ["internal", "debug"] => Some(debug()),
        ["open-banking", "v3", rest @ ..] => accounts::respond(method, rest, request),
        ["payments", "v1", rest @ ..] => payments::respond(method, rest, request),
        _ => None,
    };
    found.unwrap_or_else(|| Answer::problem(404, "nothing here"))
}

/// The kind of endpoint that nobody remembers exposing.
fn debug() -> Answer {
    Answer::ok(json!({
        "build": "demo-bank",
        "database": "postgres://bank:not-a-real-password@db.internal/accounts",
        "feature_flags": { "skip_payee_check": false },
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn get(target: &str) -> Answer {
        respond(&Request { method: "GET", target, idempotency_key: "", body: b"" })
    }

    #[test]
    fn answers_probe_and_shadow_endpoint() {
        assert_eq!(get("/healthz").status, 200);
        assert_eq!(get("/internal/debug?x=1").status, 200);
        assert_eq!(get("/internal").status, 404);
        assert_eq!(get("/").status, 404);
    }

    #[test]
    fn head_is_answered_like_get() {
        let head = respond(&Request {
            method: "HEAD",
            target: "/healthz",
            idempotency_key: "",
            body: b"",
        });
        assert_eq!(head, get("/healthz"));
    }

    #[test]
    fn identifiers_follow_the_idempotency_key() {
        let id =
            |key| Request { method: "POST", target: "/", idempotency_key: key, body: b"" }.new_id();
        assert_eq!(id("a"), id("a"));
        assert_ne!(id("a"), id("b"));
        assert_eq!(id("a").len(), 36);
    }
}
