//! Bundles made by the policy compiler, as a user would make them.

use crate::Error;

/// The bundle of `documents/payments.yaml`.
pub fn of_benchmark_document() -> Result<Vec<u8>, Error> {
    Err(Error::Bundle("not yet".to_owned()))
}

/// The schema program that judges the JSON body of `POST path`.
pub fn body_program(_bundle: &[u8], _path: &str) -> Result<u32, Error> {
    Err(Error::Bundle("not yet".to_owned()))
}

/// A plugin configuration that carries the bundle, which is not signed.
pub fn plugin_configuration(bundle: &[u8]) -> String {
    let bundle = data_encoding::BASE64.encode(bundle);
    serde_json::json!({ "bundle": bundle, "allow_unsigned": true, "hold_headers": true })
        .to_string()
}
