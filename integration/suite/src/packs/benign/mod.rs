//! Benign requests to a bank, the same for the same seed: every resource of `resources.txt` in every operation of
//! [`Operation`], and some requests of a kind of their own ([`special`]).

mod fields;
mod headers;
mod kinds;
mod random;
mod special;
mod words;

use super::message::{Message, encode};
use fields::{Resource, leaves, object};
use random::Random;
use serde_json::{Value, json};

/// What is done with a resource.
#[derive(Clone, Copy)]
enum Operation {
    List,
    Get,
    Create,
    Replace,
    Patch,
    Delete,
    Search,
    Form,
    Upload,
    Batch,
    Graphql,
    Webhook,
    Export,
}

const OPERATIONS: [Operation; 13] = [
    Operation::List,
    Operation::Get,
    Operation::Create,
    Operation::Replace,
    Operation::Patch,
    Operation::Delete,
    Operation::Search,
    Operation::Form,
    Operation::Upload,
    Operation::Batch,
    Operation::Graphql,
    Operation::Webhook,
    Operation::Export,
];

/// Makes requests.
pub struct Generator {
    random: Random,
    resources: Vec<Resource>,
}

/// Requests of about 59 values: header fields, cookies, parameters, and about 0.8 KB of JSON.
#[must_use]
pub fn bank_requests(seed: u64, count: usize) -> Vec<Message> {
    let mut generator = Generator::new(seed);
    (0..count).map(|at| generator.bank_request(at)).collect()
}

/// Requests of every shape in turn.
#[must_use]
pub fn requests(seed: u64, count: usize) -> Vec<Message> {
    let mut generator = Generator::new(seed);
    (0..count).map(|at| generator.request(at)).collect()
}

impl Generator {
    pub fn new(seed: u64) -> Self {
        Generator { random: Random(seed), resources: fields::resources() }
    }

    /// How many shapes there are.
    pub fn shapes(&self) -> usize {
        self.resources.len() * OPERATIONS.len() + special::COUNT
    }

    /// A request of a shape, counted round.
    pub fn request(&mut self, shape: usize) -> Message {
        let shape = shape % self.shapes();
        let regular = self.resources.len() * OPERATIONS.len();
        let mut message = match shape.checked_sub(regular) {
            Some(at) => special::request(&mut self.random, at),
            None => {
                let resource = &self.resources[shape / OPERATIONS.len()];
                regular_request(&mut self.random, resource, OPERATIONS[shape % OPERATIONS.len()])
            }
        };
        headers::add(&mut self.random, &mut message, false);
        message
    }

    /// A request with about 59 values.
    fn bank_request(&mut self, shape: usize) -> Message {
        let random = &mut self.random;
        let count = self.resources.len();
        let first = &self.resources[shape % count];
        let mut body = object(random, &first.fields);
        for step in 1..6 {
            if body.to_string().len() >= 700 {
                break;
            }
            let other = &self.resources[(shape + step * 7) % count];
            let part = object(random, &other.fields[..other.fields.len().min(5)]);
            if let Some(body) = body.as_object_mut() {
                body.insert(format!("related{step}"), part);
            }
        }
        let path = path_of(random, first);
        let mut message = json_to(&path, "application/json", &body);
        headers::add(random, &mut message, false);
        let cookies: usize = message
            .headers
            .iter()
            .filter(|(name, _)| name == "cookie")
            .map(|(_, value)| value.split("; ").count())
            .sum();
        let held = leaves(&body) + message.headers.len() + cookies;
        let query: Vec<String> =
            (held..59).map(|at| format!("{}={}", PARAMETERS[(at + shape) % 8], at * 3)).collect();
        if !query.is_empty() {
            message.path = format!("{path}?{}", query.join("&"));
        }
        message
    }
}

const PARAMETERS: [&str; 8] =
    ["limit", "offset", "version", "depth", "timeout", "page", "batch", "retry"];

fn json_to(path: &str, media_type: &str, body: &Value) -> Message {
    Message::sending(path, media_type, body.to_string().into_bytes())
}

fn path_of(random: &mut Random, resource: &Resource) -> String {
    resource.path.replace("{uuid}", &random.uuid())
}

fn regular_request(random: &mut Random, resource: &Resource, operation: Operation) -> Message {
    let path = path_of(random, resource);
    let one = format!("{path}/{}", random.uuid());
    let with = |method: &str, mut message: Message| {
        method.clone_into(&mut message.method);
        message
    };
    match operation {
        Operation::List => Message::getting(format!("{path}?{}", page(random))),
        Operation::Get => Message::getting(format!("{one}?expand={}", names(resource).join(","))),
        Operation::Create => json_to(&path, "application/json", &object(random, &resource.fields)),
        Operation::Replace => {
            let body = object(random, &resource.fields);
            with("PUT", json_to(&one, "application/json; charset=utf-8", &body))
        }
        Operation::Patch => with("PATCH", patch(random, resource, &one)),
        Operation::Delete => {
            let reason = encode(&kinds::text(random, "memo"));
            with("DELETE", Message::getting(format!("{one}?reason={reason}&force=false")))
        }
        Operation::Search => {
            Message::getting(format!("{path}/search?{}", search(random, resource)))
        }
        Operation::Form => form(random, resource, &path),
        Operation::Upload => upload(random, resource, &path),
        Operation::Batch => {
            let count = 1 + random.below(8);
            let items: Vec<_> = (0..count).map(|_| object(random, &resource.fields)).collect();
            json_to(&format!("{path}:batch"), "application/json", &json!({ "items": items }))
        }
        Operation::Graphql => graphql(random, resource),
        Operation::Webhook => webhook(random, resource),
        Operation::Export => {
            let format = random.pick(&["pdf", "csv", "camt.053.xml", "xlsx"]);
            let (from, to) = (random.date(), random.date());
            Message::getting(format!(
                "{path}/exports/{from}..{to}.{format}?tz=Europe%2FBerlin&download=true"
            ))
        }
    }
}

/// The names of a resource's fields that are not within others.
fn names(resource: &Resource) -> Vec<&'static str> {
    let names = resource.fields.iter().map(|(name, _)| *name);
    names.filter(|name| !name.contains(['.', '['])).collect()
}

fn page(random: &mut Random) -> String {
    let (from, to) = (random.below(900), random.date());
    match random.below(6) {
        0 => format!("page={from}&size=50&sort=-date,+amount"),
        1 => format!("offset={from}&limit=25&orderBy=bookingDate%20desc"),
        2 => format!("cursor={}%3D%3D&first=20", random.base64(40)),
        3 => format!("page%5Bnumber%5D={from}&page%5Bsize%5D=10&include=owner,limits"),
        4 => format!("from={to}T00:00:00%2B01:00&to={to}&status=open,held"),
        _ => format!("range=items%3D0-{from}&_={}&callback=", random.digits(13)),
    }
}

fn search(random: &mut Random, resource: &Resource) -> String {
    let text = encode(&kinds::text(random, "search"));
    match random.below(4) {
        0 => format!("q={text}&page=1&fields={}", names(resource).join(",")),
        1 => format!(
            "%24filter={}&%24top=20&%24orderby=name",
            encode(&kinds::text(random, "filter"))
        ),
        2 => {
            let (name, kind) = resource.fields[random.below(resource.fields.len())];
            let value = encode(&kinds::text(random, kind));
            format!("filter[{}]={value}&q={text}", name.replace("[]", ""))
        }
        _ => format!("term={text}&term={text}&lang=de&highlight=%3Cem%3E"),
    }
}

fn patch(random: &mut Random, resource: &Resource, path: &str) -> Message {
    let take = 1 + random.below(3);
    if random.below(2) == 0 {
        let body = object(random, &resource.fields[..take.min(resource.fields.len())]);
        return json_to(path, "application/merge-patch+json", &body);
    }
    let steps = (0..take).map(|_| {
        let (name, kind) = resource.fields[random.below(resource.fields.len())];
        let pointer = format!("/{}", name.replace("[]", "/0").replace('.', "/"));
        json!({ "op": "replace", "path": pointer, "value": kinds::value(random, kind) })
    });
    let steps: Vec<Value> = steps.collect();
    json_to(path, "application/json-patch+json", &Value::Array(steps))
}

fn form(random: &mut Random, resource: &Resource, path: &str) -> Message {
    let mut pairs = Vec::new();
    fields::flat(&object(random, &resource.fields), "", &mut pairs);
    let pairs = pairs.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value)));
    let body = pairs.collect::<Vec<_>>().join("&");
    Message::sending(path, "application/x-www-form-urlencoded", body.into_bytes())
}

fn upload(random: &mut Random, resource: &Resource, path: &str) -> Message {
    let mut pairs = Vec::new();
    fields::flat(&object(random, &resource.fields), "", &mut pairs);
    let file = (kinds::text(random, "file"), random.base64(300));
    let mut message = Message::parts(&pairs, Some(("document", &file.0, file.1.as_bytes())));
    message.path = format!("{path}/uploads");
    message
}

fn graphql(random: &mut Random, resource: &Resource) -> Message {
    let names = names(resource).join(" ");
    let query = match random.below(3) {
        0 => format!("query Get($id: ID!) {{ node(id: $id) {{ id ... on Item {{ {names} }} }} }}"),
        1 => format!(
            "mutation Save($input: ItemInput!) {{ save(input: $input) {{ item {{ {names} }} errors {{ field message }} }} }}"
        ),
        _ => format!(
            "query {{ items(first: 10, after: \"YXJyYXk6MTA=\") {{ edges {{ node {{ {names} }} cursor }} pageInfo {{ hasNextPage }} }} }}"
        ),
    };
    let variables = json!({ "id": random.uuid(), "input": object(random, &resource.fields) });
    let body = json!({ "operationName": null, "query": query, "variables": variables });
    json_to("/graphql", "application/json", &body)
}

fn webhook(random: &mut Random, resource: &Resource) -> Message {
    let kind = resource.path.trim_matches('/').replace(['/', '{', '}'], ".");
    let body = json!({
        "id": format!("evt_{}", random.base64(24)), "type": format!("{kind}.updated"), "created": 1_760_000_000 + random.below(9_999_999),
        "livemode": true, "data": { "object": object(random, &resource.fields), "previous_attributes": {} },
        "request": { "id": Value::Null, "idempotency_key": random.uuid() },
    });
    let mut message = json_to("/hooks/incoming", "application/json", &body);
    let signature = format!("t=17{},v1={:064x}", random.digits(8), random.next());
    message.headers.push(("webhook-signature".to_owned(), signature));
    message
}
