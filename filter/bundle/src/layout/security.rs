//! What credentials a request must carry: schemes, requirements, and the operations they belong to.
//!
//! An operation without a [`Security`] record asks for none. One of the requirements must be met, and a
//! requirement is met when each of its schemes finds its credential.

use super::Text;
use super::record::{codes, record};
use zerocopy::little_endian::{U16, U32, U64};

codes! {
    /// What a credential must look like.
    pub enum SchemeKind {
        /// A value that is there once and is not empty.
        ApiKey = 0,
        /// `Basic` credentials (RFC 7617).
        Basic = 1,
        /// A bearer token (RFC 6750); a JWT where the record has a schema.
        Bearer = 2,
        /// Credentials of another authentication scheme (RFC 9110, section 11.4).
        Http = 3,
        /// A client certificate on the connection.
        MutualTls = 4,
        /// The document does not define the scheme: no request meets it.
        Undefined = 5,
    }
}

record! {
    /// A security scheme of an operation.
    pub struct SecurityScheme {
        /// Of a key: the parameter, cookie, or header field in lower case. Of a scheme of HTTP: its
        /// name in lower case. Else empty.
        name: Text,
        /// Where it is declared: index into origins, or `NONE`.
        origin: U32,
        /// Of a JWT: what its header must satisfy, an index into schemas. Else `NONE`.
        schema: U32,
        /// A [`SchemeKind`] code.
        kind: u8,
        /// A [`super::Location`] code: where a key is sent.
        location: u8,
        /// Zero; reserved.
        reserved: U16,
    }
}

record! {
    /// One alternative of `security`.
    pub struct SecurityRequirement {
        /// The schemes that must all be met: bit N is the Nth scheme of the [`Security`] record. None: always met.
        schemes: U64,
        /// Where it is declared: index into origins.
        origin: U32,
    }
}

record! {
    /// What credentials an operation asks for.
    pub struct Security {
        /// Index into operations; ascending, each once.
        operation: U32,
        /// First of the schemes.
        schemes: U32,
        /// How many schemes, at most 64.
        scheme_count: U32,
        /// First of the requirements, of which one must be met.
        requirements: U32,
        /// How many requirements, at least 1.
        requirement_count: U32,
        /// The value of `WWW-Authenticate` in refusals (RFC 9110, section 11.6.1).
        challenge: Text,
        /// An [`super::Action`] code: credentials that are missing or malformed.
        action: u8,
        /// Zero; reserved.
        reserved: [u8; 3],
    }
}

/// Schemes of one operation, at most: the bits of [`SecurityRequirement::schemes`].
pub const MAX_SCHEMES: u32 = 64;
