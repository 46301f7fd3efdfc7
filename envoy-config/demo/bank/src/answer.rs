//! What the bank answers.

use serde_json::{Value, json};

/// A status, a media type and a body.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// Value of `content-type`; empty where there is no body.
    pub media_type: &'static str,
    /// Body, JSON or nothing.
    pub body: Option<Value>,
}

impl Answer {
    /// 200 with a JSON body.
    pub fn ok(body: Value) -> Answer {
        Answer { status: 200, media_type: "application/json", body: Some(body) }
    }

    /// 201 with a JSON body.
    pub fn created(body: Value) -> Answer {
        Answer { status: 201, ..Answer::ok(body) }
    }

    /// 204 without a body.
    pub fn gone() -> Answer {
        Answer { status: 204, media_type: "", body: None }
    }

    /// RFC 9457 problem details.
    pub fn problem(status: u16, title: &str) -> Answer {
        let body = json!({ "type": "about:blank", "title": title, "status": status });
        Answer { status, media_type: "application/problem+json", body: Some(body) }
    }
}
