//! The header: what is signed besides the sections themselves.

use super::record::record;
use zerocopy::little_endian::{I64, U16, U32, U64};

/// The first eight bytes of every bundle.
pub const MAGIC: [u8; 8] = *b"PORTCLIS";

/// The format that this crate writes. Readers take this one and the one before it.
pub const FORMAT: u16 = 1;

/// Bytes of the signature that ends a bundle (ed25519, RFC 8032).
pub const SIGNATURE_LEN: usize = 64;

/// The largest bundle that a reader takes, in bytes.
pub const MAX_BUNDLE_LEN: usize = 32 << 20;

record! {
    /// The fixed start of a bundle.
    ///
    /// `content_hash` is the BLAKE3 hash of the section table and the sections. The signature at
    /// the very end is over the BLAKE3 hash of this header, which holds the content hash: so it
    /// covers every byte before itself while the sections are hashed once.
    pub struct Header {
        /// [`MAGIC`].
        magic: [u8; 8],
        /// [`FORMAT`] of the writer.
        format: U16,
        /// Bytes of this header.
        header_len: U16,
        /// How many entries the section table has.
        section_count: U32,
        /// Bytes of the whole bundle, signature included.
        total_len: U32,
        /// Zero; reserved.
        reserved: U32,
        /// Grows with every release of a policy; a lower one never replaces a higher one.
        epoch: U64,
        /// Unix seconds before which a bundle is not activated; `i64::MIN` for none.
        not_before: I64,
        /// Unix seconds after which a bundle is not activated; `i64::MAX` for none.
        not_after: I64,
        /// The first eight bytes of the BLAKE3 hash of the public key; zero where unsigned.
        key_id: [u8; 8],
        /// Name and version of the compiler, UTF-8 padded with zeros.
        compiler: [u8; 24],
        /// For whom the bundle is meant, UTF-8 padded with zeros; a gateway that has an audience takes bundles of just that one, and none that name nobody (all zero).
        audience: [u8; 64],
        /// BLAKE3 of the section table and all sections.
        content_hash: [u8; 32],
    }
}

record! {
    /// One entry of the section table, which follows the header. Sections follow the table in
    /// the table's order, without gaps, ids ascending.
    pub struct SectionEntry {
        /// A [`crate::layout::SectionId`] code, or one of a later version.
        id: U16,
        /// The version of the section's own layout.
        version: U16,
        /// Bit 0: a reader that does not know this section refuses the bundle.
        flags: U16,
        /// Zero; reserved.
        reserved: U16,
        /// Bytes from the start of the bundle.
        offset: U32,
        /// Bytes.
        len: U32,
    }
}

/// [`SectionEntry::flags`]: a reader that does not know the section refuses the bundle.
pub const MUST_UNDERSTAND: u16 = 1;
