//! Real-Envoy harness, cases and tests.
