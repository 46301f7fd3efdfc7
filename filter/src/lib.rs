//! The proxy-wasm filter: judges every request inside Envoy by a verified bundle.
