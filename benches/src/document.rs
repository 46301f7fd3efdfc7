//! The benchmarks' OpenAPI document, and each of its schemas as a JSON Schema on its own.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

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
    serde_saphyr::from_str(&text).map(Document).map_err(|error| Error::Parse(error.to_string()))
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
