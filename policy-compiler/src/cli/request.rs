//! Requests and answers from files: raw HTTP/1.1, or JSON.

use data_encoding::HEXLOWER_PERMISSIVE;
use serde_json::Value;

/// A request as the engine takes it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    pub method: Vec<u8>,
    pub path: Vec<u8>,
    pub authority: Vec<u8>,
    /// Names in lower case.
    pub headers: Vec<(Vec<u8>, Vec<u8>)>,
    pub body: Option<Vec<u8>>,
    /// Whether the client presents a certificate; only JSON can say so.
    pub mutual_tls: Option<bool>,
}

/// An answer as the engine takes it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// Three digits.
    pub status: Vec<u8>,
    /// Names in lower case.
    pub headers: Vec<(Vec<u8>, Vec<u8>)>,
    pub body: Option<Vec<u8>>,
}

/// Reads a request: JSON where the text begins with `{`, else HTTP/1.1 as it goes over the wire (lines may end
/// in a bare line feed, and the body is what follows the empty line).
///
/// # Errors
/// What is wrong, lower case, without a final period.
pub fn parse(bytes: &[u8]) -> Result<Request, String> {
    if bytes.trim_ascii_start().starts_with(b"{") { json(bytes) } else { http(bytes) }
}

/// Reads an answer, in the same two forms.
///
/// # Errors
/// What is wrong, lower case, without a final period.
pub fn parse_answer(bytes: &[u8]) -> Result<Answer, String> {
    if !bytes.trim_ascii_start().starts_with(b"{") {
        let message = message(bytes)?;
        let status = message.first.split(|byte| *byte == b' ').nth(1).unwrap_or_default();
        if !message.first.starts_with(b"HTTP/") || !is_status(status) {
            return Err("the first line is not `HTTP/1.1 200 OK`".to_owned());
        }
        let (headers, body) = (message.headers, message.body);
        return Ok(Answer { status: status.to_vec(), headers, body });
    }
    let value = object(bytes, &["status", "headers", "body", "json", "hex"])?;
    let status = value.get("status").map_or_else(|| "200".to_owned(), Value::to_string);
    if !is_status(status.as_bytes()) {
        return Err("`status` is no number of three digits".to_owned());
    }
    let mut headers = fields(&value);
    let body = body(&value, &mut headers)?;
    Ok(Answer { status: status.into_bytes(), headers, body })
}

fn is_status(text: &[u8]) -> bool {
    text.len() == 3 && text.iter().all(u8::is_ascii_digit)
}

/// A message of HTTP/1.1, taken apart.
struct Lines<'b> {
    first: &'b [u8],
    headers: Vec<(Vec<u8>, Vec<u8>)>,
    body: Option<Vec<u8>>,
}

fn message(bytes: &[u8]) -> Result<Lines<'_>, String> {
    let mut rest = bytes;
    let mut line = || {
        let end = rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
        let line = rest[..end].strip_suffix(b"\r").unwrap_or(&rest[..end]);
        rest = rest.get(end + 1..).unwrap_or_default();
        (line, rest)
    };
    let (first, _) = line();
    let mut headers = Vec::new();
    loop {
        let (text, after) = line();
        if text.is_empty() {
            // Editors end files with a line feed, which JSON does not mind.
            let body = (!after.is_empty()).then(|| after.to_vec());
            return Ok(Lines { first, headers, body });
        }
        let colon = text.iter().position(|byte| *byte == b':');
        let Some(colon) = colon.filter(|colon| *colon > 0) else {
            return Err(format!("`{}` is not a header line", String::from_utf8_lossy(text)));
        };
        let value = text[colon + 1..].trim_ascii().to_vec();
        headers.push((text[..colon].to_ascii_lowercase(), value));
    }
}

fn http(bytes: &[u8]) -> Result<Request, String> {
    let not = "the first line is not `METHOD /path HTTP/1.1`";
    let first = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default().trim_ascii_end();
    let mut words = first.split(|byte| *byte == b' ').filter(|word| !word.is_empty());
    let (Some(method), Some(path)) = (words.next(), words.next()) else {
        return Err(not.to_owned());
    };
    let Lines { mut headers, body, .. } = message(bytes)?;
    let hosts = headers.extract_if(.., |(name, _)| name == b"host");
    let authority = hosts.last().map_or_else(Vec::new, |(_, value)| value);
    let (method, path) = (method.to_vec(), path.to_vec());
    Ok(Request { method, path, authority, headers, body, mutual_tls: None })
}

/// An object that has no other members than these.
fn object(bytes: &[u8], known: &[&str]) -> Result<Value, String> {
    let value: Value = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    let unknown =
        |o: &serde_json::Map<_, _>| o.keys().find(|k| !known.contains(&k.as_str())).cloned();
    match value.as_object().and_then(unknown) {
        Some(name) => Err(format!("unknown field `{name}`: there are {}", known.join(", "))),
        None => Ok(value),
    }
}

/// The header fields that an object says.
fn fields(value: &Value) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut headers = Vec::new();
    for (name, value) in value["headers"].as_object().into_iter().flatten() {
        let values = match value {
            Value::Array(values) => values.iter().collect(),
            one => vec![one],
        };
        for value in values {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            headers.push((name.to_ascii_lowercase().into_bytes(), value.into_bytes()));
        }
    }
    headers
}

/// The body that an object says: `body`, `json` or `hex`.
fn body(value: &Value, headers: &mut Vec<(Vec<u8>, Vec<u8>)>) -> Result<Option<Vec<u8>>, String> {
    let text = |name: &str| value[name].as_str();
    Ok(match (text("body"), value.get("json"), text("hex")) {
        (Some(body), ..) => Some(body.as_bytes().to_vec()),
        (None, Some(json), _) => {
            if !headers.iter().any(|(name, _)| name == b"content-type") {
                headers.push((b"content-type".to_vec(), b"application/json".to_vec()));
            }
            Some(json.to_string().into_bytes())
        }
        (None, None, Some(hex)) => {
            let digits: String = hex.split_whitespace().collect();
            let bytes = HEXLOWER_PERMISSIVE.decode(digits.as_bytes());
            Some(bytes.map_err(|_| "`hex` is not hexadecimal")?)
        }
        _ => None,
    })
}

fn json(bytes: &[u8]) -> Result<Request, String> {
    let known = ["method", "path", "authority", "headers", "mutual_tls", "body", "json", "hex"];
    let value = object(bytes, &known)?;
    let text = |name: &str| value[name].as_str();
    let mut headers = fields(&value);
    let body = body(&value, &mut headers)?;
    Ok(Request {
        method: text("method").unwrap_or("GET").as_bytes().to_vec(),
        path: text("path").ok_or("`path` is missing")?.as_bytes().to_vec(),
        authority: text("authority").unwrap_or_default().as_bytes().to_vec(),
        mutual_tls: value["mutual_tls"].as_bool(),
        headers,
        body,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn http_and_json_say_the_same() {
        let http = parse(b"POST /a?b HTTP/1.1\r\nHost: h\r\nX-Y:  z \r\n\r\n{\"a\":1}").unwrap();
        let json = br#"{"method":"POST","path":"/a?b","authority":"h","headers":{"X-Y":"z"},"body":"{\"a\":1}"}"#;
        assert_eq!(parse(json).unwrap(), http);
        assert_eq!(http.body.as_deref(), Some(&b"{\"a\":1}"[..]));
    }

    #[test]
    fn answers_are_read_in_both_forms() {
        let http = parse_answer(b"HTTP/1.1 500 Oops\r\nX-Y:  z \r\n\r\n{\"a\":1}").unwrap();
        let json = br#"{"status":500,"headers":{"X-Y":"z"},"body":"{\"a\":1}"}"#;
        assert_eq!(parse_answer(json).unwrap(), http);
        assert_eq!(parse_answer(b"{}").unwrap().status, b"200");
        assert!(parse_answer(b"GET / HTTP/1.1\n\n").unwrap_err().contains("first line"));
        assert!(parse_answer(b"{\"status\":\"ok\"}").unwrap_err().contains("three digits"));
        assert!(parse_answer(b"{\"path\":\"/\"}").unwrap_err().contains("path"));
    }

    #[test]
    fn no_body_is_none() {
        assert_eq!(parse(b"GET / HTTP/1.1\n\n").unwrap().body, None);
        assert_eq!(parse(b"GET / HTTP/1.1").unwrap().body, None);
    }

    #[test]
    fn what_is_wrong_is_said() {
        assert!(parse(b"GET").unwrap_err().contains("first line"));
        assert!(parse(b"GET / HTTP/1.1\nnope\n\n").unwrap_err().contains("`nope`"));
        assert!(parse(b"{\"path\":\"/\",\"metod\":\"GET\"}").unwrap_err().contains("metod"));
    }
}
