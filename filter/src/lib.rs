//! The proxy-wasm filter: judges every request inside Envoy by a verified bundle.
//!
//! Glue only: Envoy's callbacks in, the engine's decisions out. [`root`] takes configurations, [`http`]
//! requests; [`host`] is all that is known of the proxy, so that everything else runs natively in tests.
#![warn(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing))]

pub mod activation;
pub mod answer;
pub mod config;
pub mod delegation;
mod digits;
pub mod events;
pub mod generation;
pub mod headers;
pub mod host;
pub mod http;
pub mod limits;
pub mod metrics;
pub mod node;
pub mod poll;
pub mod position;
mod ratelimit;
pub mod refusal;
pub mod root;
pub mod vm;
pub mod worker;

#[cfg(target_arch = "wasm32")]
mod entry;
#[cfg(test)]
mod testing;
