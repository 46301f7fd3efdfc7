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
