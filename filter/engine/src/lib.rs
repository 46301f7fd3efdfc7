//! The Portcullis decision engine.
//!
//! It judges a message by a verified bundle: [`exchange::Exchange`] is fed with the head, the body's
//! chunks and the end, and gives a [`decision::Decision`]. It is pure: it knows neither proxy-wasm nor the
//! compiler, and takes neither time nor randomness; what it needs is passed in. The same code runs natively,
//! in wasm under Node, and in Envoy.
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

mod access;
pub mod attack;
mod body;
pub mod decision;
pub mod describe;
pub mod exchange;
pub mod finding;
pub mod limits;
mod media;
mod params;
mod percent;
mod route;
pub mod schema;
mod security;
mod xml;
