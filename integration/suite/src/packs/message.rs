//! Requests that carry a value in one place or another.

use super::answer::Answer;
use policy_compiler::ir::{Sample, TargetName};
use portcullis_bundle::layout::Target;

/// A request.
#[derive(Clone, Debug)]
pub struct Message {
    /// `GET`, `POST` and so on.
    pub method: String,
    /// Path and query as sent.
    pub path: String,
    /// Names in lower case, and values, in order; no pseudo-headers.
    pub headers: Vec<(String, String)>,
    /// As sent; empty where there is none.
    pub body: Vec<u8>,
    /// What comes back, where rules on that are tried.
    pub answer: Option<Answer>,
}

/// Where a value stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    Path,
    Query,
    Header,
    Cookie,
    Json,
    Form,
    Multipart,
    /// The name of a JSON property.
    Key,
    /// The name of a parameter of the query.
    Name,
    /// The name of an uploaded file.
    File,
}

impl Place {
    pub const ALL: [Place; 10] = [
        Place::Path,
        Place::Query,
        Place::Header,
        Place::Cookie,
        Place::Json,
        Place::Form,
        Place::Multipart,
        Place::Key,
        Place::Name,
        Place::File,
    ];

    /// Where values of every kind stand.
    pub const VALUES: [Place; 7] = [
        Place::Path,
        Place::Query,
        Place::Header,
        Place::Cookie,
        Place::Json,
        Place::Form,
        Place::Multipart,
    ];

    /// As collections and the table call it.
    pub fn name(self) -> &'static str {
        match self {
            Place::Path => "path",
            Place::Query => "query",
            Place::Header => "header",
            Place::Cookie => "cookie",
            Place::Json => "json",
            Place::Form => "form",
            Place::Multipart => "multipart",
            Place::Key => "key",
            Place::Name => "name",
            Place::File => "file",
        }
    }

    /// The place of a name.
    pub fn named(name: &str) -> Option<Place> {
        Place::ALL.into_iter().find(|place| place.name() == name)
    }

    /// Whether a value can stand there.
    pub fn takes(self, value: &str) -> bool {
        match self {
            Place::Header => value.bytes().all(|byte| byte >= b' ' && byte != 0x7F),
            Place::Multipart => !value.contains("--portcullis"),
            Place::Path => !value.is_empty(),
            _ => true,
        }
    }
}

const BOUNDARY: &str = "portcullis-suite";

impl std::fmt::Display for Message {
    /// As one reads it, in one line.
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(to, "{} {} {:?} ", self.method, self.path, String::from_utf8_lossy(&self.body))?;
        self.headers.iter().try_for_each(|(name, value)| write!(to, "{name}: {value} | "))
    }
}

impl Message {
    fn new(method: &str, path: String) -> Message {
        let headers = [("user-agent", "Mozilla/5.0 (X11; Linux x86_64)"), ("accept", "*/*")];
        let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
        Message { method: method.to_owned(), path, headers, body: Vec::new(), answer: None }
    }

    /// A request with a body.
    pub fn sending(path: &str, content_type: &str, body: Vec<u8>) -> Message {
        let mut message = Message::new("POST", path.to_owned());
        message.headers.push(("content-type".to_owned(), content_type.to_owned()));
        message.headers.push(("content-length".to_owned(), body.len().to_string()));
        message.body = body;
        message
    }

    /// A request without a body.
    pub fn getting(path: String) -> Message {
        Message::new("GET", path)
    }

    /// A value in a place.
    pub fn with(place: Place, value: &str) -> Message {
        match place {
            Place::Path => Message::getting(format!("/items/{}", encode(value))),
            Place::Query => Message::getting(format!("/items?note={}", encode(value))),
            Place::Header => {
                let mut message = Message::getting("/items".to_owned());
                message.headers.push(("x-note".to_owned(), value.to_owned()));
                message
            }
            Place::Json => {
                let body = serde_json::json!({ "note": value }).to_string();
                Message::sending("/items", "application/json", body.into_bytes())
            }
            Place::Form => {
                let body = format!("note={}", encode(value)).into_bytes();
                Message::sending("/items", "application/x-www-form-urlencoded", body)
            }
            Place::Multipart => Message::multipart("note", None, value.as_bytes()),
            Place::Cookie => {
                let mut message = Message::getting("/items".to_owned());
                message.headers.push(("cookie".to_owned(), format!("note={}", encode(value))));
                message
            }
            Place::Key => {
                let object = serde_json::Map::from_iter([(value.to_owned(), 1.into())]);
                let body = serde_json::Value::Object(object).to_string();
                Message::sending("/items", "application/json", body.into_bytes())
            }
            Place::Name => Message::getting(format!("/items?{}=1", encode(value))),
            Place::File => {
                // As browsers write it.
                let value = value.replace('"', "%22").replace('\r', "%0D").replace('\n', "%0A");
                Message::multipart("file", Some(&value), b"content")
            }
        }
    }

    /// A multipart request: fields, and perhaps a file with its field's name, its own name and its content.
    pub fn parts(fields: &[(String, String)], file: Option<(&str, &str, &[u8])>) -> Message {
        let mut body = Vec::new();
        let mut part = |head: String, content: &[u8]| {
            let lead = format!("--{BOUNDARY}\r\ncontent-disposition: form-data; {head}\r\n\r\n");
            body.extend([lead.as_bytes(), content, b"\r\n"].concat());
        };
        for (name, value) in fields {
            part(format!("name=\"{name}\""), value.as_bytes());
        }
        if let Some((name, file, content)) = file {
            part(format!("name=\"{name}\"; filename=\"{file}\""), content);
        }
        body.extend(format!("--{BOUNDARY}--\r\n").bytes());
        Message::sending("/items", &format!("multipart/form-data; boundary={BOUNDARY}"), body)
    }

    fn multipart(name: &str, file: Option<&str>, content: &[u8]) -> Message {
        let file = file.map_or(String::new(), |file| format!("; filename=\"{file}\""));
        let head = format!(
            "--{BOUNDARY}\r\ncontent-disposition: form-data; name=\"{name}\"{file}\r\n\r\n"
        );
        let body =
            [head.as_bytes(), content, format!("\r\n--{BOUNDARY}--\r\n").as_bytes()].concat();
        Message::sending("/items", &format!("multipart/form-data; boundary={BOUNDARY}"), body)
    }

    /// A value where a target says.
    pub fn at(target: &TargetName, value: &str) -> Message {
        let name = target.name.as_deref().unwrap_or("note");
        if let Some(answer) = Answer::at(target, value) {
            return Message { answer: Some(answer), ..Message::getting("/items".to_owned()) };
        }
        match target.target {
            // Paths cannot hold everything; a query value meets the same rules.
            Target::Path | Target::Query => {
                Message::getting(format!("/items?{}={}", encode(name), encode(value)))
            }
            Target::QueryName => Message::getting(format!("/items?{}=1", encode(value))),
            Target::QueryRaw => Message::getting(format!("/items?{value}")),
            Target::Header => {
                let mut message = Message::getting("/items".to_owned());
                let name = target.name.as_deref().unwrap_or("x-note");
                message.headers.retain(|(known, _)| known != name);
                message.headers.push((name.to_owned(), value.to_owned()));
                message
            }
            Target::HeaderName => {
                let mut message = Message::getting("/items".to_owned());
                message.headers.push((value.to_ascii_lowercase(), "1".to_owned()));
                message
            }
            Target::Cookie => {
                let mut message = Message::getting("/items".to_owned());
                message.headers.push(("cookie".to_owned(), format!("{name}={}", encode(value))));
                message
            }
            Target::CookieName => {
                let mut message = Message::getting("/items".to_owned());
                message.headers.push(("cookie".to_owned(), format!("{value}=1")));
                message
            }
            Target::BodyName => {
                let mut object = serde_json::Map::new();
                object.insert(value.to_owned(), 1.into());
                let body = serde_json::Value::Object(object).to_string();
                Message::sending("/items", "application/json", body.into_bytes())
            }
            Target::BodyRaw => {
                Message::sending("/items", "application/octet-stream", value.as_bytes().to_vec())
            }
            Target::File => Message::multipart("file", Some(value), b"content"),
            Target::Method => Message::new(value, "/items".to_owned()),
            _ => Message::with(Place::Json, value),
        }
    }

    /// The message of a test that gives parts.
    pub fn of(sample: &Sample) -> Message {
        let part = |name: &str| {
            sample.parts.iter().find(|(known, _)| known == name).map(|(_, text)| text.as_str())
        };
        let mut path = part("path").unwrap_or("/items").to_owned();
        if let Some(query) = part("query") {
            path = format!("{path}?{query}");
        }
        let typed = part("content_type");
        let body = [
            (part("json"), "application/json"),
            (part("form"), "application/x-www-form-urlencoded"),
            (part("body"), "text/plain"),
        ];
        let body = body.into_iter().find_map(|(text, kind)| Some((text?, kind)));
        let mut message = match body {
            Some((text, kind)) => {
                Message::sending(&path, typed.unwrap_or(kind), text.as_bytes().to_vec())
            }
            None => Message::getting(path),
        };
        message.answer = Answer::of(sample);
        if let Some(method) = part("method") {
            method.clone_into(&mut message.method);
        }
        for (name, value) in &sample.headers {
            let name = name.to_ascii_lowercase();
            message.headers.retain(|(known, _)| *known != name || name == "cookie");
            message.headers.push((name, value.clone()));
        }
        message
    }
}

/// Percent-encodes a value for a path segment, a query or a form.
pub fn encode(value: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let unit = |byte: u8| {
        if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }
    };
    value.bytes().map(unit).collect()
}
