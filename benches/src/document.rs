//! The benchmarks' OpenAPI document, and each of its schemas as a JSON Schema on its own.

use std::path::{Path, PathBuf};

use saphyr::{LoadableYamlNode, Scalar, Yaml};
use serde_json::{Map, Value, json};

/// The document, parsed.
#[derive(Clone, Debug)]
pub struct Document(Value);

/// Why the document could not be read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file is missing.
    #[error("cannot read the benchmarks' document: {0}")]
    Read(#[from] std::io::Error),
    /// The file is not YAML, or holds what JSON cannot.
    #[error("cannot parse the benchmarks' document: {0}")]
    Parse(String),
}

/// Where `documents/payments.yaml` lies.
pub fn path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("documents/payments.yaml")
}

/// Reads `documents/payments.yaml`.
pub fn read() -> Result<Document, Error> {
    let text = std::fs::read_to_string(path())?;
    let documents = Yaml::load_from_str(&text).map_err(|error| Error::Parse(error.to_string()))?;
    let first = documents.first().ok_or_else(|| Error::Parse("empty".to_owned()))?;
    Ok(Document(value_of(first)?))
}

impl Document {
    /// The component schema `name`, with the components that it refers to, as draft 2020-12.
    pub fn schema(&self, name: &str) -> Value {
        json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "$ref": format!("#/components/schemas/{name}"),
            "components": self.0["components"],
        })
    }
}

fn value_of(node: &Yaml) -> Result<Value, Error> {
    Ok(match node {
        Yaml::Value(Scalar::Null) => Value::Null,
        Yaml::Value(Scalar::Boolean(value)) => Value::Bool(*value),
        Yaml::Value(Scalar::Integer(value)) => json!(value),
        Yaml::Value(Scalar::FloatingPoint(value)) => json!(value.into_inner()),
        Yaml::Value(Scalar::String(value)) => Value::String(value.to_string()),
        Yaml::Sequence(items) => {
            Value::Array(items.iter().map(value_of).collect::<Result<_, _>>()?)
        }
        Yaml::Mapping(members) => {
            let mut object = Map::new();
            for (key, value) in members {
                let name = key.as_str().ok_or_else(|| Error::Parse(format!("key {key:?}")))?;
                object.insert(name.to_owned(), value_of(value)?);
            }
            Value::Object(object)
        }
        other => return Err(Error::Parse(format!("{other:?}"))),
    })
}
