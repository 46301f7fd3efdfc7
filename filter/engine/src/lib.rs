//! The decision engine: pure, knows neither proxy-wasm nor the compiler.
