//! The answer of a case: what the upstream says.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::request::{Fields, content};

/// What the upstream answers. At most one of `json`, `body` and `hex` is there.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Response {
    /// The status.
    pub status: u16,
    /// Header fields. Each character of a value up to U+00FF is one byte.
    pub headers: Fields,
    /// A body, as JSON without white space.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub json: Option<Value>,
    /// A body, as text in UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// A body, as bytes in hexadecimal; white space is for the reader.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hex: Option<String>,
    /// Sends the body chunked instead of with its length. Trailers imply it.
    pub chunked: bool,
    /// Trailer fields.
    pub trailers: Fields,
    /// Byte offsets at which the body is cut into pieces that arrive apart.
    pub cuts: Vec<usize>,
}

impl Default for Response {
    fn default() -> Self {
        Self {
            status: 200,
            headers: Fields::default(),
            json: None,
            body: None,
            hex: None,
            chunked: false,
            trailers: Fields::default(),
            cuts: Vec::new(),
        }
    }
}

impl Response {
    /// The body's bytes; none where the answer has no body.
    pub fn content(&self) -> Option<Vec<u8>> {
        content(self.json.as_ref(), self.body.as_deref(), self.hex.as_deref())
    }

    /// Whether the body comes chunked.
    pub fn is_chunked(&self) -> bool {
        self.chunked || !self.trailers.is_empty()
    }

    /// The header fields as sent: those of the case, and `content-type: application/json` where there is a body and the
    /// case names no type. An empty `content-type` means that none is sent.
    pub fn sent_headers(&self) -> Vec<(String, Vec<u8>)> {
        self.headers.sent(self.content().is_some())
    }
}
