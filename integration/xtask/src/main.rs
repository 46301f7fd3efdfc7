//! Builds, demonstrates and tests Portcullis.

fn main() {}
