//! Compiles OpenAPI documents and policy into a signed Portcullis bundle.

fn main() {}
