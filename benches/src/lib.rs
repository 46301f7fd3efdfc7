//! Benchmarks: ratios side by side in one run. `cargo xtask bench` builds what they need and runs
//! the binary `bench`; README.md says what is measured, and how.

pub mod attack;
pub mod bundle;
pub mod control;
pub mod crs;
pub mod document;
pub mod documents;
pub mod envoy;
pub mod limits;
pub mod payloads;
pub mod report;
pub mod schema;
pub mod traffic;
pub mod update;

/// Why a benchmark gave no result.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The benchmarks' own document cannot be used.
    #[error(transparent)]
    Document(#[from] document::Error),
    /// A file cannot be read or written.
    #[error("cannot read or write: {0}")]
    File(#[from] std::io::Error),
    /// A driver's answer, or a file of ours, is not the JSON that was expected.
    #[error("unexpected JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// A program that the benchmark runs failed.
    #[error("`{program}` failed: {reason}")]
    Program {
        /// Its name.
        program: &'static str,
        /// What happened.
        reason: String,
    },
    /// The real Envoy, or what surrounds it, failed.
    #[error(transparent)]
    Envoy(#[from] portcullis_integration::Error),
    /// What ran did something that makes its figures worthless.
    #[error("{0}")]
    Unexpected(String),
    /// The policy compiler refused a document, or its bundle lacks what is measured.
    #[error("no bundle: {0}")]
    Bundle(String),
    /// Two validators, or a validator and the label of a body, differ.
    #[error("{bench}: {count} verdicts differ")]
    Disagreement {
        /// The benchmark.
        bench: &'static str,
        /// How many bodies.
        count: usize,
    },
}
