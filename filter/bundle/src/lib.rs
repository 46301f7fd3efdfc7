//! The Portcullis bundle format: layout, reader and writer.
//!
//! A bundle is one little-endian blob: header, section table, sections, signature. It is read in
//! place: [`Bundle::open`] verifies it once, [`Bundle::view`] then gives its records without a copy.
//! `FORMAT.md` documents every record.
#![forbid(unsafe_code)]
#![warn(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        reason = "a test fails by panicking"
    )
)]

pub mod layout;
pub mod source;

mod error;
mod hash;
mod key;
mod names;
mod opening;
mod read;
mod signature;
mod verify;
#[cfg(feature = "writer")]
mod write;

pub use error::{ActivationError, OpenError};
pub use hash::{gram_bucket, gram_class, gram_hash, name_hash};
pub use key::property_key;
pub use opening::Opening;
pub use read::{Bundle, Trust, claims};
pub use signature::{key_id, message};
#[cfg(feature = "writer")]
pub use write::{Identity, attach_signature, reissue, set_key, sign, write};
