//! serde_json's `Value` and the `jsonschema` crate: what the schema engine is compared with.

use jsonschema::Validator;
use serde_json::Value;

#[cfg(target_arch = "wasm32")]
mod exports;

/// A validator built once, formats asserted.
#[derive(Debug)]
pub struct Baseline(Validator);

impl Baseline {
    /// Builds the validator of a JSON Schema; none where `schema` is not one.
    pub fn open(schema: &[u8]) -> Option<Self> {
        let schema: Value = serde_json::from_slice(schema).ok()?;
        jsonschema::options().should_validate_formats(true).build(&schema).ok().map(Self)
    }

    /// Parses `body` to a tree and judges it.
    pub fn accepts(&self, body: &[u8]) -> bool {
        serde_json::from_slice(body).is_ok_and(|value: Value| self.0.is_valid(&value))
    }
}
