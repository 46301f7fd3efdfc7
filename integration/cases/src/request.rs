//! The request of a case.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Header or trailer fields: a value, or several for a field that is sent several times.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(transparent)]
pub struct Fields(BTreeMap<String, OneOrMore>);

#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(untagged)]
enum OneOrMore {
    One(String),
    More(Vec<String>),
}

/// What is sent. At most one of `json`, `body` and `hex` is there.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Request {
    /// The method.
    pub method: String,
    /// The target, as sent. Each character up to U+00FF is one byte.
    pub path: String,
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

impl Fields {
    /// Name and value of each field, names in ascending order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Vec<u8>)> {
        self.0.iter().flat_map(|(name, values)| {
            let values = match values {
                OneOrMore::One(value) => std::slice::from_ref(value),
                OneOrMore::More(values) => values,
            };
            values.iter().map(move |value| (name.as_str(), bytes(value)))
        })
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn has(&self, name: &str) -> bool {
        self.0.keys().any(|key| key.eq_ignore_ascii_case(name))
    }

    /// The fields as sent, with `content-type: application/json` where there is a body and they name no type. An empty
    /// `content-type` means that none is sent.
    pub(crate) fn sent(&self, has_body: bool) -> Vec<(String, Vec<u8>)> {
        let mut fields: Vec<(String, Vec<u8>)> = self
            .iter()
            .filter(|(name, value)| !(*name == "content-type" && value.is_empty()))
            .map(|(name, value)| (name.to_owned(), value))
            .collect();
        if has_body && !self.has("content-type") {
            fields.push(("content-type".to_owned(), b"application/json".to_vec()));
        }
        fields
    }
}

impl Request {
    /// The target's bytes.
    pub fn path_bytes(&self) -> Vec<u8> {
        bytes(&self.path)
    }

    /// The body's bytes; none where the request has no body.
    pub fn content(&self) -> Option<Vec<u8>> {
        content(self.json.as_ref(), self.body.as_deref(), self.hex.as_deref())
    }

    /// Whether the body goes out chunked.
    pub fn is_chunked(&self) -> bool {
        self.chunked || !self.trailers.is_empty()
    }

    /// The header fields as sent: those of the case, and `content-type: application/json` where there
    /// is a body and the case names no type. An empty `content-type` means that none is sent.
    pub fn sent_headers(&self) -> Vec<(String, Vec<u8>)> {
        self.headers.sent(self.content().is_some())
    }
}

/// The bytes of a body that is given in one of three ways.
pub(crate) fn content(
    json: Option<&Value>,
    body: Option<&str>,
    hex: Option<&str>,
) -> Option<Vec<u8>> {
    let json = json.map(|json| json.to_string().into_bytes());
    json.or_else(|| body.map(|body| body.as_bytes().to_vec())).or_else(|| hex.map(from_hex))
}

fn bytes(text: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    for c in text.chars() {
        match u8::try_from(u32::from(c)) {
            Ok(byte) => out.push(byte),
            Err(_) => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    out
}

/// Panics on what is no hexadecimal: a case that is written wrong must not pass.
fn from_hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text
        .chars()
        .filter(|c| !c.is_whitespace())
        .map(|c| c.to_digit(16).and_then(|d| u8::try_from(d).ok()).expect("hexadecimal digits"))
        .collect();
    assert!(digits.len().is_multiple_of(2), "an even number of hexadecimal digits");
    digits.chunks(2).map(|pair| pair.iter().fold(0, |byte, digit| byte << 4 | digit)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_sent_as_written() {
        let text = r#"{"method":"POST","path":"/caf\u00e9","hex":"7b C3 28","headers":{"x":["1","\u00ff"]}}"#;
        let request: Request = serde_json::from_str(text).unwrap();
        assert_eq!(request.path_bytes(), b"/caf\xe9");
        assert_eq!(request.content().unwrap(), b"{\xc3(");
        let fields = request.sent_headers();
        assert_eq!(fields[1], ("x".to_owned(), vec![0xff]));
        assert_eq!(fields[2].0, "content-type");
    }

    #[test]
    fn unknown_fields_are_refused() {
        assert!(serde_json::from_str::<Request>(r#"{"methd":"GET"}"#).is_err());
    }
}
