//! Collections of values: a value a line, by file. Remarks begin with `%%`; some of them say how the lines below are sent:
//!
//! - `%% places: path query json` – in each of these places ([`Place`]); without it, in [`Place::VALUES`];
//! - `%% as: json`, `form`, `query`, `xml`, `text`, `multipart NAME` or `header NAME` – the line is all of the body, of
//!   the query, or of the field.
//!
//! A file `*.jsonl` has whole requests, `{"method", "uri", "headers", "body"}` a line.
//!
//! Every second value is held out: rules are written against the others only, where a collection does not say otherwise.

use std::path::Path;

use super::message::{Message, Place};

/// How a value is sent.
#[derive(Clone, Debug)]
pub enum Way {
    Places(Vec<Place>),
    /// As a body of this media type.
    Body(String),
    Query,
    Header(String),
    Whole(Message),
}

/// A value, and how it is sent.
#[derive(Clone, Debug)]
pub struct Item {
    pub value: String,
    pub way: Way,
    /// Rules are not written against it.
    pub held: bool,
}

/// The values of a file.
pub struct Collection {
    pub name: String,
    pub items: Vec<Item>,
}

impl Item {
    /// The messages that carry the value, each with its place: the last column of the table is for all others.
    pub fn messages(&self) -> Vec<(Option<Place>, Message)> {
        let value = &self.value;
        match &self.way {
            Way::Places(places) => {
                let taking = places.iter().filter(|place| place.takes(value));
                taking.map(|place| (Some(*place), Message::with(*place, value))).collect()
            }
            Way::Body(media) => {
                vec![(None, Message::sending("/items", media, value.clone().into_bytes()))]
            }
            Way::Whole(message) => vec![(None, message.clone())],
            Way::Query => vec![(None, Message::getting(format!("/items?{value}")))],
            Way::Header(name) => {
                let mut message = Message::getting("/items".to_owned());
                message.headers.retain(|(known, _)| known != name);
                message.headers.push((name.clone(), value.clone()));
                vec![(None, message)]
            }
        }
    }
}

/// A line as a value: `json:` begins one with escapes.
fn value(line: &str) -> String {
    let escaped = line.strip_prefix("json:").and_then(|text| serde_json::from_str(text).ok());
    escaped.unwrap_or_else(|| line.to_owned())
}

/// What a remark says of the lines below.
///
/// # Panics
/// Where it names a place or a way that there is not.
fn way(remark: &str) -> Option<Way> {
    if let Some(places) = remark.strip_prefix("places:") {
        let place = |word| Place::named(word).unwrap_or_else(|| panic!("no place {word}"));
        return Some(Way::Places(places.split_whitespace().map(place).collect()));
    }
    let how = remark.strip_prefix("as:")?.trim();
    let body = |media: &str| Some(Way::Body(media.to_owned()));
    match how.split_once(' ').unwrap_or((how, "")) {
        ("json", _) => body("application/json"),
        ("form", _) => body("application/x-www-form-urlencoded"),
        ("xml", _) => body("application/xml"),
        ("text", _) => body("text/plain"),
        ("body", media) => body(media),
        ("query", _) => Some(Way::Query),
        ("header", name) => Some(Way::Header(name.to_owned())),
        _ => panic!("no way {how}"),
    }
}

fn items(text: &str) -> Vec<Item> {
    let mut ways = Way::Places(Place::VALUES.to_vec());
    let mut items = Vec::new();
    for line in text.lines().filter(|line| !line.is_empty()) {
        match line.strip_prefix("%%") {
            Some(remark) => ways = way(remark.trim()).unwrap_or(ways),
            None => {
                let held = items.len() % 2 == 1;
                items.push(Item { value: value(line), way: ways.clone(), held });
            }
        }
    }
    items
}

/// The request of a line of JSON.
fn request(line: &str) -> Option<Message> {
    let request: serde_json::Value = serde_json::from_str(line).ok()?;
    let text = |name: &str| request[name].as_str().unwrap_or_default().to_owned();
    let mut message = Message::getting(text("uri"));
    (message.method, message.body) = (text("method"), text("body").into_bytes());
    for (name, value) in request["headers"].as_object()? {
        message.headers.retain(|(known, _)| known != name);
        message.headers.push((name.clone(), value.as_str()?.to_owned()));
    }
    Some(message)
}

fn requests(text: &str) -> Vec<Item> {
    let item = |(at, line): (usize, &str)| {
        let way = Way::Whole(request(line)?);
        Some(Item { value: line.to_owned(), way, held: at % 2 == 1 })
    };
    text.lines().enumerate().filter_map(item).collect()
}

/// The collections of a folder, by the files' names; none where the folder is not there.
pub fn read(folder: &Path) -> Vec<Collection> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut paths: Vec<_> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.retain(|path| path.extension().is_some_and(|it| it == "txt" || it == "jsonl"));
    paths.sort();
    let file = |path: &std::path::PathBuf| {
        let text = std::fs::read_to_string(path).ok()?;
        let name = path.file_stem()?.to_string_lossy().into_owned();
        let whole = path.extension()? == "jsonl";
        Some(Collection { name, items: if whole { requests(&text) } else { items(&text) } })
    };
    paths.iter().filter_map(file).collect()
}
