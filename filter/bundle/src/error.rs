//! Why a bundle is refused.

use thiserror::Error;

/// Why [`crate::Bundle::open`] refuses bytes. Every message says what was found and what was expected.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum OpenError {
    /// The bytes do not begin as a bundle does.
    #[error("not a Portcullis bundle: it does not begin with `PORTCLIS`")]
    NotABundle,
    /// The bundle is larger than readers take.
    #[error("the bundle has {found} bytes, more than the {limit} that a reader takes")]
    TooLarge {
        /// Bytes found.
        found: usize,
        /// Bytes taken at most.
        limit: usize,
    },
    /// The bytes end before the bundle does, or go on after it.
    #[error(
        "the bundle is truncated or padded: its header says {declared} bytes, there are {found}"
    )]
    Length {
        /// Bytes that the header declares.
        declared: usize,
        /// Bytes found.
        found: usize,
    },
    /// The format is one that this reader does not know.
    #[error("the bundle has format {found}, this reader takes {newest} and the one before it: {help}",
        help = if found > newest { "update the filter first" } else { "compile the policy again" })]
    Format {
        /// The bundle's format.
        found: u16,
        /// The newest format that the reader takes.
        newest: u16,
    },
    /// The bundle is not signed, and the reader insists.
    #[error("the bundle is not signed, and unsigned bundles are not allowed here")]
    Unsigned,
    /// No trusted key has the bundle's key id.
    #[error("the bundle is signed by key `{key_id}`, which is not among the trusted keys")]
    UnknownKey {
        /// The bundle's key id, in hexadecimal.
        key_id: String,
    },
    /// A trusted key is not a point of the curve.
    #[error("trusted key `{key_id}` is not an ed25519 public key")]
    BadKey {
        /// The key's id, in hexadecimal.
        key_id: String,
    },
    /// The signature does not fit the header.
    #[error("the signature of key `{key_id}` does not fit the bundle")]
    Signature {
        /// The bundle's key id, in hexadecimal.
        key_id: String,
    },
    /// The sections are not those that were hashed.
    #[error("the content hash does not fit the sections: the bundle is corrupt")]
    ContentHash,
    /// The section table is not in order.
    #[error("section table entry {entry}: {what}")]
    Table {
        /// The entry, from 0.
        entry: usize,
        /// What is wrong with it.
        what: &'static str,
    },
    /// A section that must be understood is not known, or has an unknown version.
    #[error(
        "section {id} version {version} must be understood, and this reader does not know it: update the filter first"
    )]
    Section {
        /// The section's id.
        id: u16,
        /// The section's version.
        version: u16,
    },
    /// A record does not hold.
    #[error("{section}[{record}]: {what}")]
    Record {
        /// The section's name.
        section: &'static str,
        /// The record's index in it.
        record: usize,
        /// What does not hold.
        what: &'static str,
    },
}

/// Why a bundle that is sound is not activated.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ActivationError {
    /// The bundle is meant for somebody else.
    #[error("the bundle is meant for {}, this gateway is `{expected}`", whom(found))]
    Audience {
        /// The bundle's audience.
        found: String,
        /// The gateway's audience.
        expected: String,
    },
    /// Its time has not come.
    #[error("the bundle is valid from {not_before} on (Unix seconds), now is {now}")]
    NotYet {
        /// Unix seconds.
        not_before: i64,
        /// Unix seconds.
        now: i64,
    },
    /// Its time has passed.
    #[error("the bundle was valid until {not_after} (Unix seconds), now is {now}")]
    Expired {
        /// Unix seconds.
        not_after: i64,
        /// Unix seconds.
        now: i64,
    },
    /// An older policy than the one that is asked for or was activated.
    #[error("the bundle has epoch {found}, at least {minimum} is required")]
    Epoch {
        /// The bundle's epoch.
        found: u64,
        /// The least epoch allowed.
        minimum: u64,
    },
}

/// An audience in words: a gateway that has one refuses what names none, too.
fn whom(audience: &str) -> String {
    if audience.is_empty() { "no audience".to_owned() } else { format!("`{audience}`") }
}
