//! A real Envoy under test.
//!
//! [`Bootstrap`] is one base configuration and named modifiers; [`Envoy::start`] runs it and stops
//! it when dropped; [`http1`] is a client that can send what a well-behaved one would not, and
//! [`http2`] one for HTTP/2; [`Upstream`] answers behind Envoy and remembers what reached it;
//! [`Control`] runs the control service; [`usage`] reads what a process cost; [`soak`] sends load across updates;
//! [`load`] sends it from threads, [`store`] serves bundles well or badly, and [`faults`] lists what is survived. Tests that need something this machine lacks print `skipped: REASON` and return.
#![forbid(unsafe_code)]

pub mod artefacts;
pub mod bootstrap;
pub mod cases;
pub mod control;
pub mod discovery;
pub mod envoy;
pub mod error;
pub mod faults;
pub mod hostile;
pub mod http1;
pub mod http2;
pub mod load;
pub mod postgres;
pub mod releases;
pub mod soak;
pub mod store;
pub mod trap;
pub mod upstream;
pub mod usage;

pub use artefacts::Artefacts;
pub use bootstrap::{Bootstrap, Filter};
pub use control::Control;
pub use discovery::FilterDiscovery;
pub use envoy::Envoy;
pub use error::Error;
pub use postgres::Postgres;
pub use upstream::Upstream;
