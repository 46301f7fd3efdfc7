//! The records of a bundle, as they lie in its bytes.
//!
//! Every record is little-endian, has no alignment, holds no pointers, and names other records by
//! index into the section that holds them. `NONE` stands for "no record". Nothing here decides
//! anything: [`crate::verify`] proves that a bundle's indexes hold, and the engine reads them.
//! `FORMAT.md` documents each record and code; a test keeps the two in step.

mod attack;
mod header;
mod limits;
mod nfa;
mod policy;
mod record;
mod route;
mod rules;
mod schema;
mod section;
mod security;
mod xml;

pub use attack::*;
pub use header::*;
pub use limits::*;
pub use nfa::*;
pub use policy::*;
pub use record::{CodeLayout, Field, RecordLayout};
pub use route::*;
pub use rules::*;
pub use schema::*;
pub use section::*;
pub use security::*;
pub use xml::*;

use zerocopy::little_endian::U32;

/// The index that stands for "no record", "no bound" or "no limit", by context.
pub const NONE: u32 = u32::MAX;

record::record! {
    /// A run of bytes in the strings section, valid UTF-8 by itself.
    pub struct Text {
        /// Bytes from the start of the strings section.
        offset: U32,
        /// Bytes.
        len: U32,
    }
}

record::record! {
    /// An index into a section of records, where a section is nothing but indexes.
    pub struct Index {
        /// The index.
        value: U32,
    }
}
