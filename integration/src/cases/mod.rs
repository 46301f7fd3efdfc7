//! The case suite: files read, compiled by the compiler's command line, and run through Envoy.

mod envoy;
mod suite;

pub use envoy::{Gateway, observe, observe_answer, plugin_configuration, wire_request};
pub use suite::{Compiled, Suite, all};
