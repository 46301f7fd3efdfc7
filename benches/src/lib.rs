//! Benchmarks: ratios side by side in one run.

pub mod document;
pub mod payloads;
