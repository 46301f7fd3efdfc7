//! Benign traffic of a bank: 512 operations, each with its own path, parameters and body, the document that
//! declares them, and requests that this document allows. The same for every run.

mod kinds;

use serde_json::{Map, Value, json};

use crate::payloads::json::{Json, Shape};
use crate::payloads::random::Random;
use crate::payloads::values;
use kinds::{FIELDS, FILTERS, IDENTIFIERS, Kind};

/// A request, its header fields in order of sending.
#[derive(Clone, Debug)]
pub struct Message {
    /// Its method.
    pub method: &'static str,
    /// Its path with its query.
    pub target: String,
    /// Names and values, without pseudo-headers and `content-length`.
    pub headers: Vec<(String, String)>,
    /// JSON, or nothing.
    pub body: Vec<u8>,
    /// Values that it carries: path variables, query values, header fields, cookies, scalars of the body.
    pub values: usize,
}

/// An operation.
struct Operation {
    method: &'static str,
    template: String,
    variable: Kind,
    query: Vec<(&'static str, Kind)>,
    body: Option<Node>,
}

/// What a body consists of.
enum Node {
    Field(Kind),
    Object(Vec<(String, Node)>),
    List(Box<Node>),
}

const RESOURCES: [&str; 32] = [
    "accounts",
    "payments",
    "cards",
    "customers",
    "loans",
    "mortgages",
    "deposits",
    "transfers",
    "mandates",
    "standing-orders",
    "statements",
    "beneficiaries",
    "consents",
    "claims",
    "policies",
    "quotes",
    "portfolios",
    "orders",
    "instruments",
    "merchants",
    "terminals",
    "disputes",
    "batches",
    "invoices",
    "subscriptions",
    "limits",
    "devices",
    "sessions",
    "documents",
    "messages",
    "branches",
    "fx-deals",
];
const ASPECTS: [&str; 16] = [
    "details",
    "balances",
    "transactions",
    "holders",
    "limits",
    "fees",
    "events",
    "approvals",
    "refunds",
    "schedules",
    "contacts",
    "addresses",
    "attachments",
    "ratings",
    "reports",
    "settings",
];
const GROUPS: [&str; 8] =
    ["debtor", "creditor", "applicant", "remittance", "delivery", "terms", "meta", "device"];
const AGENTS: [&str; 6] = [
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/128.0.0.0 Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148",
    "BankApp/7.2.1 (Android 15; Pixel 9; de_DE)",
    "okhttp/4.12.0",
    "Java/17.0.9",
    "axios/1.7.7",
];
const BASE64URL: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// The traffic.
pub struct Traffic {
    operations: Vec<Operation>,
}

impl Traffic {
    /// The 512 operations.
    pub fn new() -> Self {
        let mut random = Random::new(59);
        let mut operations = Vec::new();
        for resource in RESOURCES {
            for aspect in ASPECTS {
                operations.push(Operation::new(&mut random, resource, aspect));
            }
        }
        Self { operations }
    }

    /// The OpenAPI document that declares the operations.
    pub fn document(&self) -> Value {
        let paths: Map<_, _> = self.operations.iter().map(Operation::declaration).collect();
        json!({ "openapi": "3.1.0", "info": { "title": "Bank", "version": "1" }, "paths": paths })
    }

    /// Two requests to each operation, the second with other values.
    pub fn messages(&self) -> Vec<Message> {
        let mut random = Random::new(60);
        let twice = (0..2).flat_map(|_| &self.operations);
        twice.map(|operation| operation.message(&mut random)).collect()
    }
}

impl Default for Traffic {
    fn default() -> Self {
        Self::new()
    }
}

impl Operation {
    fn new(random: &mut Random, resource: &str, aspect: &str) -> Self {
        let sends = random.chance(75);
        let variable = pick(random, &IDENTIFIERS);
        let mut query: Vec<(&str, Kind)> = Vec::new();
        for _ in 0..random.between(0, if sends { 2 } else { 8 }) {
            let kind = pick(random, &FILTERS);
            let name = random.pick(kind.names());
            if query.iter().all(|(known, _)| *known != name) {
                query.push((name, kind));
            }
        }
        Self {
            method: if sends { random.pick(&["POST", "POST", "PUT", "PATCH"]) } else { "GET" },
            template: format!("/v1/{resource}/{{id}}/{aspect}"),
            variable,
            query,
            body: sends.then(|| Node::body(random)),
        }
    }

    fn declaration(&self) -> (String, Value) {
        let parameter = |name: &str, place: &str, kind: Kind| json!({ "name": name, "in": place, "required": place == "path", "schema": kind.schema() });
        let mut parameters = vec![parameter("id", "path", self.variable)];
        parameters.extend(self.query.iter().map(|(name, kind)| parameter(name, "query", *kind)));
        let mut operation =
            json!({ "parameters": parameters, "responses": { "200": { "description": "done" } } });
        if let Some(body) = &self.body {
            let content = json!({ "application/json": { "schema": body.schema() } });
            operation["requestBody"] = json!({ "required": true, "content": content });
        }
        (self.template.clone(), json!({ self.method.to_ascii_lowercase(): operation }))
    }

    fn message(&self, random: &mut Random) -> Message {
        let mut text = |kind: Kind| match kind.value(random) {
            Json::Raw(text) | Json::Text(text) => encode(&text),
            _ => String::new(),
        };
        let mut target = self.template.replace("{id}", &text(self.variable));
        for (index, (name, kind)) in self.query.iter().enumerate() {
            let mark = if index == 0 { '?' } else { '&' };
            target.push_str(&format!("{mark}{name}={}", text(*kind)));
        }
        let body = self.body.as_ref().map(|body| body.value(random));
        let cookies = random.between(0, 4);
        let headers = headers(random, body.is_some(), cookies);
        let scalars = body.as_ref().map_or(0, scalars);
        let values = 1 + self.query.len() + headers.len() + cookies as usize + scalars;
        let body = body.map(|body| body.write(Shape::default())).unwrap_or_default();
        Message { method: self.method, target, headers, body, values }
    }
}

impl Node {
    /// Loose fields, one to three groups, and sometimes a list of items.
    fn body(random: &mut Random) -> Self {
        let (fields, groups) = (random.between(6, 10), random.between(2, 3));
        let Self::Object(mut members) = Self::object(random, fields) else { unreachable!() };
        let first = random.between(0, 7);
        for group in 0..groups {
            let name = GROUPS[((first + group) % 8) as usize].to_owned();
            let fields = random.between(7, 11);
            members.push((name, Self::object(random, fields)));
        }
        if random.chance(30) {
            let fields = random.between(2, 4);
            members.push(("items".to_owned(), Self::List(Box::new(Self::object(random, fields)))));
        }
        Self::Object(members)
    }

    fn object(random: &mut Random, fields: u64) -> Self {
        let mut members: Vec<(String, Node)> = Vec::new();
        for _ in 0..fields {
            let kind = pick(random, &FIELDS);
            let name = random.pick(kind.names());
            if members.iter().all(|(known, _)| known != name) {
                members.push((name.to_owned(), Self::Field(kind)));
            }
        }
        Self::Object(members)
    }

    fn schema(&self) -> Value {
        match self {
            Self::Field(kind) => kind.schema(),
            Self::List(item) => json!({ "type": "array", "items": item.schema(), "maxItems": 100 }),
            Self::Object(members) => {
                let properties: Map<_, _> =
                    members.iter().map(|(name, node)| (name.clone(), node.schema())).collect();
                json!({ "type": "object", "properties": properties, "additionalProperties": false })
            }
        }
    }

    fn value(&self, random: &mut Random) -> Json {
        match self {
            Self::Field(kind) => kind.value(random),
            Self::List(item) => {
                let count = random.between(1, 4);
                Json::List((0..count).map(|_| item.value(random)).collect())
            }
            Self::Object(members) => Json::Object(
                members.iter().map(|(name, node)| (name.clone(), node.value(random))).collect(),
            ),
        }
    }
}

/// What clients, a CDN and a service mesh send.
fn headers(random: &mut Random, has_body: bool, cookies: u64) -> Vec<(String, String)> {
    let token = format!(
        "Bearer eyJhbGciOiJSUzI1NiJ9.{}.{}",
        random.string(BASE64URL, 160),
        random.string(BASE64URL, 86)
    );
    let mut fields = vec![
        ("host", "api.bank.example".to_owned()),
        ("user-agent", random.pick(&AGENTS).to_owned()),
        ("accept", "application/json, text/plain, */*".to_owned()),
        (
            "accept-language",
            random.pick(&["de-DE,de;q=0.9,en;q=0.8", "en-GB", "fr,en;q=0.5"]).to_owned(),
        ),
        ("accept-encoding", "gzip, deflate, br".to_owned()),
        ("authorization", token),
        ("x-request-id", text(&values::uuid(random))),
        ("x-fapi-interaction-id", text(&values::uuid(random))),
        ("traceparent", format!("00-{}-{}-01", random.string(HEX, 32), random.string(HEX, 16))),
        (
            "x-forwarded-for",
            format!("203.0.113.{}, 10.0.{}.7", random.between(1, 254), random.between(0, 255)),
        ),
        ("x-forwarded-proto", "https".to_owned()),
        ("cache-control", "no-cache".to_owned()),
        ("sec-fetch-site", "same-site".to_owned()),
        ("sec-fetch-mode", "cors".to_owned()),
        ("sec-ch-ua-platform", "\"Android\"".to_owned()),
    ];
    if random.chance(50) {
        fields.push((
            "referer",
            format!(
                "https://www.bank.example/app/{}?tab={}#top",
                random.pick(&RESOURCES),
                random.between(0, 9)
            ),
        ));
        fields.push(("origin", "https://www.bank.example".to_owned()));
    }
    if has_body {
        fields.push((
            "content-type",
            random.pick(&["application/json", "application/json; charset=utf-8"]).to_owned(),
        ));
        fields.push(("idempotency-key", text(&values::uuid(random))));
    }
    let jar = [
        format!("SID={}", random.string(BASE64URL, 32)),
        "theme=dark".to_owned(),
        format!(
            "_ga=GA1.2.{}.{}",
            random.between(100_000_000, 999_999_999),
            random.between(1_600_000_000, 1_799_999_999)
        ),
        format!("consent=%7B%22ads%22%3A{}%7D", random.chance(50)),
    ];
    if cookies > 0 {
        fields.push(("cookie", jar[..cookies as usize].join("; ")));
    }
    fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

const HEX: &str = "0123456789abcdef";

fn text(value: &Json) -> String {
    match value {
        Json::Text(text) => text.clone(),
        _ => String::new(),
    }
}

fn scalars(body: &Json) -> usize {
    match body {
        Json::Raw(_) | Json::Text(_) => 1,
        Json::List(items) => items.iter().map(scalars).sum(),
        Json::Object(members) => members.iter().map(|(_, value)| scalars(value)).sum(),
    }
}

fn pick(random: &mut Random, kinds: &[Kind]) -> Kind {
    kinds[(random.next() % kinds.len() as u64) as usize]
}

/// Percent-encodes what a browser would (the component set of `encodeURIComponent`).
fn encode(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z'
            | b'A'..=b'Z'
            | b'0'..=b'9'
            | b'-'
            | b'_'
            | b'.'
            | b'!'
            | b'~'
            | b'*'
            | b'\''
            | b'('
            | b')' => {
                out.push(byte.into());
            }
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn requests_are_many_and_like_those_that_were_measured() {
        let messages = Traffic::new().messages();
        let targets: BTreeSet<_> = messages.iter().map(|it| (&it.target, &it.body)).collect();
        assert!(targets.len() > 1000, "{}", targets.len());
        let mean = |sum: usize, of: usize| sum / of;
        let sent: Vec<_> = messages.iter().filter(|it| !it.body.is_empty()).collect();
        let bytes = mean(sent.iter().map(|it| it.body.len()).sum(), sent.len());
        let values = mean(sent.iter().map(|it| it.values).sum(), sent.len());
        assert!((700..1000).contains(&bytes), "{bytes} {values}");
        assert!((54..65).contains(&values), "{values} {bytes}");
    }
}
