//! Holds the compiler and the engine against real documents and an independent validator.
//!
//! In: OpenAPI documents. Out: verdicts side by side, the engine's and that of the crate `jsonschema`, which gets the
//! documents' schemas by a translation of its own ([`oracle`]) that shares nothing with the compiler but the reading of
//! files.
#![forbid(unsafe_code)]

mod broken;
mod content;
pub mod crs;
pub mod differential;
pub mod left;
mod mutants;
pub mod openapi;
pub mod oracle;
pub mod packs;
pub mod readings;
pub mod run;
mod schemas;
pub mod skipped;
pub mod troubles;
mod unpaired;
