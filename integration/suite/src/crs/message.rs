//! The request of a test, as go-ftw would send it, and what the test backend would answer.

use super::case::Input;
use serde_json::Value;

/// A request.
#[derive(Clone, Debug, Default)]
pub struct Message {
    pub method: String,
    pub uri: String,
    pub version: String,
    /// Names in lower case, in order.
    pub headers: Vec<(String, Vec<u8>)>,
    pub body: Vec<u8>,
}

/// An answer.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Default for Answer {
    fn default() -> Self {
        Answer { status: "200".to_owned(), headers: Vec::new(), body: Vec::new() }
    }
}

impl Message {
    /// The request of a test, as the server reads it, and the bytes that are sent.
    ///
    /// # Errors
    /// Why it cannot be read.
    pub fn of(input: &Input) -> Result<(Message, Vec<u8>), String> {
        if let Some(encoded) = &input.encoded_request {
            let raw = base64(encoded).ok_or("`encoded_request` is no base64")?;
            let message = Message::parse(&raw).ok_or("no request")?;
            return Ok((message, raw));
        }
        let mut message = Message {
            method: input.method.clone().unwrap_or_else(|| "GET".to_owned()),
            uri: input.uri.clone().unwrap_or_else(|| "/".to_owned()),
            version: input.version.clone().unwrap_or_else(|| "HTTP/1.1".to_owned()),
            headers: Vec::new(),
            body: input.data.clone().unwrap_or_default().into_bytes(),
        };
        for (name, value) in &input.headers {
            let value = value.to_string();
            message.headers.push((name.to_ascii_lowercase(), value.trim().as_bytes().to_vec()));
        }
        message.complete(input.autocomplete_headers.unwrap_or(true));
        let wire = message.wire(input);
        message.receive();
        Ok((message, wire))
    }

    /// The bytes that are sent: names of header fields as the test writes them.
    fn wire(&self, input: &Input) -> Vec<u8> {
        let mut out = format!("{} {} {}\r\n", self.method, self.uri, self.version).into_bytes();
        let written = input.headers.keys().map(Some).chain(std::iter::repeat(None));
        for (written, (name, value)) in written.zip(&self.headers) {
            let name = written.unwrap_or(name);
            out.extend([name.as_bytes(), b": ", value, b"\r\n"].concat());
        }
        out.extend_from_slice(b"\r\n");
        out.extend_from_slice(&self.body);
        out
    }

    fn has(&self, name: &str) -> bool {
        self.headers.iter().any(|(known, _)| known == name)
    }

    /// A header field.
    pub fn header(&self, name: &str) -> Option<&[u8]> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_slice())
    }

    fn complete(&mut self, completes: bool) {
        let kind = self.header("content-type").unwrap_or_default().to_ascii_lowercase();
        if kind.starts_with(b"multipart/form-data;") {
            self.body = with_line_ends(&self.body);
        }
        if !completes {
            return;
        }
        let mut add = |name: &str, value: String| {
            self.headers.push((name.to_owned(), value.into_bytes()));
        };
        if !self.body.is_empty() && kind.is_empty() {
            add("content-type", "application/x-www-form-urlencoded".to_owned());
        }
        if !self.has("connection") {
            self.headers.push(("connection".to_owned(), b"close".to_vec()));
        }
        let sends =
            !self.body.is_empty() || matches!(self.method.as_str(), "POST" | "PUT" | "PATCH");
        if sends && !self.has("content-length") && !self.has("transfer-encoding") {
            let length = self.body.len().to_string().into_bytes();
            self.headers.push(("content-length".to_owned(), length));
        }
    }

    /// Reads the message as a server does (RFC 9112, section 6.3): a length beside a transfer coding does not count, and
    /// without either there is no body.
    fn receive(&mut self) {
        if self.header("transfer-encoding").is_some_and(|it| it.eq_ignore_ascii_case(b"chunked")) {
            self.headers.retain(|(name, _)| name != "content-length");
            self.body = unchunked(&self.body);
        } else if !self.has("content-length") && self.version.starts_with("HTTP/1") {
            self.body.clear();
        }
    }

    /// The request in one line.
    pub fn shown(&self) -> String {
        let fields = self.headers.iter();
        let fields: Vec<String> =
            fields.map(|(name, value)| format!("{name}: {}", value.escape_ascii())).collect();
        let body = self.body.escape_ascii();
        format!("{} {} | {} | {body}", self.method, self.uri.escape_default(), fields.join(" | "))
    }

    /// Reads a request as it stands on the wire.
    fn parse(raw: &[u8]) -> Option<Message> {
        let end = raw.windows(4).position(|it| it == b"\r\n\r\n").unwrap_or(raw.len());
        let head = String::from_utf8_lossy(&raw[..end]).into_owned();
        let mut lines = head.split("\r\n");
        let mut first = lines.next()?.splitn(3, ' ').map(str::to_owned);
        let (method, uri) = (first.next()?, first.next()?);
        let version = first.next().unwrap_or_else(|| "HTTP/1.1".to_owned());
        let field = |line: &str| {
            let (name, value) = line.split_once(':')?;
            Some((name.to_ascii_lowercase(), value.trim().as_bytes().to_vec()))
        };
        let headers = lines.filter_map(field).collect();
        let body = raw.get(end + 4..).unwrap_or_default().to_vec();
        Some(Message { method, uri, version, headers, body })
    }

    /// What the test backend answers: what the request's body says, at `/reflect`.
    pub fn answer(&self) -> Option<Answer> {
        if !self.uri.starts_with("/reflect") {
            return None;
        }
        let said: Value = serde_json::from_slice(&self.body).ok()?;
        let fields = said.get("headers").and_then(Value::as_object);
        let text =
            |value: &Value| value.as_str().map(str::to_owned).unwrap_or_else(|| value.to_string());
        let headers = fields.into_iter().flatten();
        let headers =
            headers.map(|(name, value)| (name.to_ascii_lowercase(), text(value))).collect();
        let body = match (said.get("body"), said.get("encodedBody")) {
            (_, Some(encoded)) => base64(encoded.as_str()?)?,
            (Some(body), _) => text(body).into_bytes(),
            _ => Vec::new(),
        };
        let status = said.get("status").map_or_else(|| "200".to_owned(), text);
        Some(Answer { status, headers, body })
    }
}

/// The chunks of a body put together.
fn unchunked(mut rest: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    while let Some(end) = rest.windows(2).position(|it| it == b"\r\n") {
        let digits = String::from_utf8_lossy(&rest[..end]);
        let size =
            digits.split(';').next().and_then(|it| usize::from_str_radix(it.trim(), 16).ok());
        rest = &rest[end + 2..];
        let Some(chunk) = size.filter(|size| *size > 0).and_then(|size| rest.get(..size)) else {
            break;
        };
        out.extend_from_slice(chunk);
        rest = rest.get(chunk.len() + 2..).unwrap_or_default();
    }
    out
}

/// The text with `\r\n` at the end of each line.
fn with_line_ends(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    for (at, byte) in text.iter().enumerate() {
        if *byte == b'\n' && at.checked_sub(1).and_then(|at| text.get(at)) != Some(&b'\r') {
            out.push(b'\r');
        }
        out.push(*byte);
    }
    out
}

fn base64(text: &str) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let (mut bits, mut count) = (0u32, 0);
    for byte in text.bytes().filter(|byte| !byte.is_ascii_whitespace() && *byte != b'=') {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            _ => return None,
        };
        bits = bits << 6 | u32::from(value);
        count += 6;
        if count >= 8 {
            count -= 8;
            out.push((bits >> count) as u8);
        }
    }
    Some(out)
}
