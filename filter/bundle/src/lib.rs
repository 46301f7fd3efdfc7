//! The Portcullis bundle format: layout, reader and writer.
//!
//! A bundle is one little-endian blob: header, section table, sections, signature. It is read in
//! place: [`Bundle::open`] verifies it once, [`Bundle::view`] then gives its records without a copy.
//! `FORMAT.md` documents every record.
#![forbid(unsafe_code)]

pub mod layout;

mod hash;

pub use hash::name_hash;
