//! The commands of `portcullis`.

pub mod render;
