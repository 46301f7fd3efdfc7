//! What is signed, and by whom.

use crate::layout::Header;
use ed25519_dalek::{Signature, VerifyingKey};
use zerocopy::IntoBytes;

/// Keeps a bundle's signature from standing for anything else that the key may sign.
const CONTEXT: &[u8; 24] = b"portcullis bundle v1\0\0\0\0";

/// The id of a public key: the first eight bytes of its BLAKE3 hash.
pub fn key_id(public_key: &[u8; 32]) -> [u8; 8] {
    let mut id = [0; 8];
    for (to, from) in id.iter_mut().zip(blake3::hash(public_key).as_bytes()) {
        *to = *from;
    }
    id
}

/// The 56 bytes that a key signs: a context of 24 bytes, then the BLAKE3 hash of the header, which
/// itself holds the hash of all sections.
pub fn message(header: &Header) -> [u8; 56] {
    let mut message = [0; 56];
    let hash = blake3::hash(header.as_bytes());
    for (to, from) in message.iter_mut().zip(CONTEXT.iter().chain(hash.as_bytes())) {
        *to = *from;
    }
    message
}

/// Whether a signature (RFC 8032, with the strict rules against malleable and small-order keys) fits.
pub(crate) fn fits(key: &VerifyingKey, header: &Header, signature: &[u8; 64]) -> bool {
    key.verify_strict(&message(header), &Signature::from_bytes(signature)).is_ok()
}

/// Bytes as lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
