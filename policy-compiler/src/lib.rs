//! Compiles OpenAPI documents and policy into a signed Portcullis bundle.

#![forbid(unsafe_code)]

pub mod bare;
pub mod check;
pub mod cli;
mod compile;
pub mod diag;
pub mod emit;
pub mod examples;
mod exceptions;
pub mod ir;
mod limited;
pub mod load;
pub mod lower;
pub mod oci;
pub mod openapi;
pub mod policy;
mod positions;
pub mod report;
pub mod rules;
pub mod seclang;
pub mod source;

pub use compile::{CompileOutput, Input, Release, compile};
