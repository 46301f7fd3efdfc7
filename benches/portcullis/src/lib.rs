//! The schema engine as a wasm module of its own.
