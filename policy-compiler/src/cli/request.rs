//! Requests from files: raw HTTP/1.1, or JSON.

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

/// Reads a request: JSON where the text begins with `{`, else HTTP/1.1 as it goes over the wire (lines may end
/// in a bare line feed, and the body is what follows the empty line).
///
/// # Errors
/// What is wrong, lower case, without a final period.
pub fn parse(bytes: &[u8]) -> Result<Request, String> {
    if bytes.trim_ascii_start().starts_with(b"{") { json(bytes) } else { http(bytes) }
}

fn http(bytes: &[u8]) -> Result<Request, String> {
    let mut request = Request::default();
    let mut rest = bytes;
    let mut line = || {
        let end = rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
        let line = rest[..end].strip_suffix(b"\r").unwrap_or(&rest[..end]);
        rest = rest.get(end + 1..).unwrap_or_default();
        (line, rest)
    };
    let (first, _) = line();
    let mut words = first.split(|byte| *byte == b' ');
    let (Some(method), Some(path)) = (words.next(), words.next()) else {
        return Err("the first line is not `METHOD /path HTTP/1.1`".to_owned());
    };
    if method.is_empty() || path.is_empty() {
        return Err("the first line is not `METHOD /path HTTP/1.1`".to_owned());
    }
    (request.method, request.path) = (method.to_vec(), path.to_vec());
    loop {
        let (text, after) = line();
        if text.is_empty() {
            // Editors end files with a line feed, which JSON does not mind.
            request.body = (!after.is_empty()).then(|| after.to_vec());
            return Ok(request);
        }
        let colon = text.iter().position(|byte| *byte == b':');
        let Some(colon) = colon.filter(|colon| *colon > 0) else {
            return Err(format!("`{}` is not a header line", String::from_utf8_lossy(text)));
        };
        let name = text[..colon].to_ascii_lowercase();
        let value = text[colon + 1..].trim_ascii().to_vec();
        if name == b"host" {
            request.authority = value;
        } else {
            request.headers.push((name, value));
        }
    }
}

fn json(bytes: &[u8]) -> Result<Request, String> {
    let value: Value = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    let known = ["method", "path", "authority", "headers", "mutual_tls", "body", "json", "hex"];
    if let Some(name) =
        value.as_object().and_then(|o| o.keys().find(|k| !known.contains(&k.as_str())))
    {
        return Err(format!("unknown field `{name}`: there are {}", known.join(", ")));
    }
    let text = |name: &str| value[name].as_str();
    let mut request = Request {
        method: text("method").unwrap_or("GET").as_bytes().to_vec(),
        path: text("path").ok_or("`path` is missing")?.as_bytes().to_vec(),
        authority: text("authority").unwrap_or_default().as_bytes().to_vec(),
        mutual_tls: value["mutual_tls"].as_bool(),
        ..Request::default()
    };
    for (name, value) in value["headers"].as_object().into_iter().flatten() {
        let values = match value {
            Value::Array(values) => values.iter().collect(),
            one => vec![one],
        };
        for value in values {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            request.headers.push((name.to_ascii_lowercase().into_bytes(), value.into_bytes()));
        }
    }
    request.body = match (text("body"), value.get("json"), text("hex")) {
        (Some(body), ..) => Some(body.as_bytes().to_vec()),
        (None, Some(json), _) => {
            if !request.headers.iter().any(|(name, _)| name == b"content-type") {
                request.headers.push((b"content-type".to_vec(), b"application/json".to_vec()));
            }
            Some(json.to_string().into_bytes())
        }
        (None, None, Some(hex)) => {
            let digits: String = hex.split_whitespace().collect();
            let bytes = HEXLOWER_PERMISSIVE.decode(digits.as_bytes());
            Some(bytes.map_err(|_| "`hex` is not hexadecimal")?)
        }
        _ => None,
    };
    Ok(request)
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
