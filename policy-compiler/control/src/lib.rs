//! The control service of Portcullis, and its clients.
//!
//! ```text
//! publish, promote, rollout, pin ─► http ─► store (SQLite or PostgreSQL: policies, history, audit)
//!                                              │ load what changed
//!                                              ▼
//!                         gateways ◄─ http, xds ◄─ current (memory)
//!                             └─ reports ─► gateways (memory) ─► store
//! ```
//! Gateways are served from memory, so that the database may be away. Bundles are signed and verified with the keys that
//! the service trusts; what gateways trust is theirs to say. CONTROL.md documents commands, resources and tables.
#![forbid(unsafe_code)]

mod client;
pub mod command;
pub mod current;
pub mod ended;
pub mod gateways;
pub mod http;
pub mod identity;
mod log;
pub mod metrics;
pub mod names;
#[cfg(test)]
mod scratch;
pub mod serve;
pub mod service;
pub mod store;
pub mod tls;
pub mod transfers;
mod xds;
