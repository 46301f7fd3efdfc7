//! The document as its own test: the examples that it gives, instances made from its schemas, and mutants, each of
//! which breaks one keyword.
//!
//! In: a model. Out: values, requests, and what should be said of them. A small evaluator of its own judges values by
//! the model, keyword by keyword and without lowering anything, so that a mutant is known to break what it should.

mod carrier;
mod evaluate;
mod exact;
mod generate;
mod impossible;
mod judge;
mod mutate;
mod number;
mod probe;
mod reach;
mod redundant;
mod request;
mod text;
mod why;
mod within;
mod written;
mod xml;

pub use carrier::{BodyForm, Carrier, Part, Written, kind_of, parts};
pub use evaluate::{Evaluator, Trace, Violation, Visit, closed_to_names, properties_of};
pub use generate::Generator;
pub use judge::{Found, Judge, Judged, compile};
pub use mutate::{Mutant, mutants};
pub use probe::probe;
pub use reach::{Edge, Occurrence, Reach, Step, reach};
pub use redundant::redundant;
pub use request::{Parts, Request, Unsayable, assemble};
pub use why::Why;
pub use written::{Example, Skipped, Subject, written};

use crate::ir::Value;

/// A value as JSON text, numbers as written.
pub fn to_json(value: &Value) -> String {
    let mut out = String::new();
    write(value, &mut out);
    out
}

fn write(value: &Value, out: &mut String) {
    // Values come from parsed documents or from the generator, both of bounded depth.
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(true) => out.push_str("true"),
        Value::Bool(false) => out.push_str("false"),
        Value::Number(number) => out.push_str(number.as_str()),
        Value::String(text) => out.push_str(&quoted(text)),
        Value::Array(items) => {
            out.push('[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                write(item, out);
            }
            out.push(']');
        }
        Value::Object(members) => {
            out.push('{');
            for (i, (name, value)) in members.iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                out.push_str(&quoted(name));
                out.push(':');
                write(value, out);
            }
            out.push('}');
        }
    }
}

fn quoted(text: &str) -> String {
    serde_json::Value::String(text.to_owned()).to_string()
}

/// A token of a JSON pointer, escaped (RFC 6901 section 3).
pub(crate) fn token(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

/// The value that a JSON pointer leads to, to be changed.
pub fn place<'v>(value: &'v mut Value, pointer: &str) -> Option<&'v mut Value> {
    let mut at = value;
    for raw in pointer.split('/').skip(1) {
        let name = raw.replace("~1", "/").replace("~0", "~");
        at = match at {
            Value::Object(members) => {
                members.iter_mut().find(|(n, _)| *n == name).map(|(_, v)| v)?
            }
            Value::Array(items) => items.get_mut(name.parse::<usize>().ok()?)?,
            _ => return None,
        };
    }
    Some(at)
}

/// The value that a JSON pointer leads to.
pub fn at<'v>(value: &'v Value, pointer: &str) -> Option<&'v Value> {
    let mut at = value;
    for raw in pointer.split('/').skip(1) {
        let name = raw.replace("~1", "/").replace("~0", "~");
        at = match at {
            Value::Object(members) => members.iter().find(|(n, _)| *n == name).map(|(_, v)| v)?,
            Value::Array(items) => items.get(name.parse::<usize>().ok()?)?,
            _ => return None,
        };
    }
    Some(at)
}
