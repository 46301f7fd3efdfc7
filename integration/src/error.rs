//! What can go wrong around a test, as opposed to in what it tests.

use std::io;
use std::path::PathBuf;

/// A failure of the harness.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file, process or socket failed.
    #[error("{what}: {source}")]
    Io {
        /// What was tried.
        what: String,
        /// The failure.
        source: io::Error,
    },
    /// Envoy ended before it was ready.
    #[error("envoy ended with {status}; the end of its log:\n{log}")]
    Exited {
        /// The exit status.
        status: String,
        /// The last lines of its log.
        log: String,
    },
    /// Something did not happen in time.
    #[error("{what} did not happen within {seconds} s")]
    Deadline {
        /// What was waited for.
        what: String,
        /// How long.
        seconds: u64,
    },
    /// An answer that is no HTTP, or ends too early.
    #[error("the answer is not HTTP: {0}")]
    Http(String),
    /// A case file that is written wrong, or a policy that does not compile.
    #[error("{0}")]
    Case(String),
    /// A configuration that Envoy refuses in `--mode validate`.
    #[error("envoy refuses the configuration {path}:\n{log}", path = path.display())]
    Invalid {
        /// The configuration.
        path: PathBuf,
        /// What Envoy said.
        log: String,
    },
}

impl Error {
    /// An I/O failure with what was tried.
    pub fn io(what: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let what = what.into();
        move |source| Self::Io { what, source }
    }
}
