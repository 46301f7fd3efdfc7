//! The small open-banking service that the Portcullis demo protects.

fn main() {}
