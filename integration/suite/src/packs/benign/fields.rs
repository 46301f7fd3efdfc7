//! The fields of a resource, and bodies made of them.

use super::kinds;
use super::random::Random;
use serde_json::{Map, Value};

/// What an API is about.
pub struct Resource {
    /// The path; `{uuid}` stands for one.
    pub path: &'static str,
    /// Dotted name and kind of each field.
    pub fields: Vec<(&'static str, &'static str)>,
}

/// The resources of `resources.txt`.
pub fn resources() -> Vec<Resource> {
    let lines = include_str!("resources.txt").lines().filter(|line| !line.starts_with('#'));
    let resource = |line: &'static str| {
        let mut words = line.split(' ');
        let path = words.next()?;
        Some(Resource { path, fields: words.filter_map(|word| word.split_once(':')).collect() })
    };
    lines.filter_map(resource).collect()
}

/// An object of the fields: dots nest, a name that ends in `[]` holds a list.
pub fn object(random: &mut Random, fields: &[(&str, &str)]) -> Value {
    let mut object = Map::new();
    let mut rest = fields;
    while let Some((name, kind)) = rest.first() {
        let head = name.split_once('.').map_or(*name, |(head, _)| head);
        let of_head = |name: &str| {
            name == head || name.strip_prefix(head).is_some_and(|it| it.starts_with('.'))
        };
        let count = rest.iter().take_while(|(name, _)| of_head(name)).count();
        let (group, after) = rest.split_at(count);
        rest = after;
        let inner: Vec<_> = group
            .iter()
            .filter_map(|(name, kind)| Some((name.split_once('.')?.1, *kind)))
            .collect();
        let one = |random: &mut Random| match inner.is_empty() {
            true => kinds::value(random, kind),
            false => self::object(random, &inner),
        };
        let value = match head.strip_suffix("[]") {
            Some(_) => Value::Array((0..1 + random.below(4)).map(|_| one(random)).collect()),
            None => one(random),
        };
        object.insert(head.trim_end_matches("[]").to_owned(), value);
    }
    Value::Object(object)
}

/// The leaves of a value with dotted names, as forms write them.
pub fn flat(value: &Value, name: &str, out: &mut Vec<(String, String)>) {
    let under = |key: &str| if name.is_empty() { key.to_owned() } else { format!("{name}.{key}") };
    match value {
        Value::Object(object) => {
            object.iter().for_each(|(key, value)| flat(value, &under(key), out))
        }
        Value::Array(items) => {
            items
                .iter()
                .enumerate()
                .for_each(|(at, item)| flat(item, &format!("{name}[{at}]"), out));
        }
        Value::String(text) => out.push((name.to_owned(), text.clone())),
        other => out.push((name.to_owned(), other.to_string())),
    }
}

/// How many values a body holds.
pub fn leaves(value: &Value) -> usize {
    let mut out = Vec::new();
    flat(value, "", &mut out);
    out.len()
}
