//! Tells injection by lexical structure rather than by words alone.
//!
//! [`sql`] reads a value as SQL would be read where it is put unquoted, between single or between double
//! quotes, folds its tokens to at most five, and knows the 8,367 shapes that attacks have. [`xss`] reads
//! it as a browser would in text and in attributes, and knows tags, attributes and addresses that run
//! scripts.
//!
//! Both judge as libinjection 3.9.2 does, verdict and fingerprint, on a machine where `char` is signed;
//! the tables in `tables/` are its own (see `NOTICE`). `cargo xtask suite libinjection` holds this crate
//! against the C library.
//!
//! # Bounds
//! Nothing allocates, recurses or panics. Both work in time linear in the value: at most five passes of
//! each, a pass reading each byte a small constant number of times, apart from dollar quotes (see
//! `sql::tokenizer`), whose search doubles its tag each time and so adds a logarithm. Where libinjection
//! is quadratic (words cut at a `.` or a backtick, dollar quotes), the same answer is found without.
//! The caller caps the length.
//!
//! Functions that would be copied into many callers are marked `inline(never)`: the wasm module's size counts.
#![cfg_attr(not(test), no_std)]
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

mod bytes;
pub mod sql;
pub mod xss;
