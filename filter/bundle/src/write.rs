//! Writes a bundle: sections to bytes, and signatures.

use crate::layout::{
    FORMAT, Header, MAGIC, MAX_BUNDLE_LEN, MUST_UNDERSTAND, SIGNATURE_LEN, SectionEntry, Sections,
};
use crate::signature::{key_id, message};
use crate::{OpenError, layout::NONE};
use ed25519_dalek::{Signer, SigningKey};
use zerocopy::{FromBytes, IntoBytes};

/// What the header says besides the content. All of it comes from explicit inputs, so that equal
/// inputs give equal bytes.
#[derive(Clone, Debug)]
pub struct Identity {
    /// Grows with every release.
    pub epoch: u64,
    /// Unix seconds; `i64::MIN` for none.
    pub not_before: i64,
    /// Unix seconds; `i64::MAX` for none.
    pub not_after: i64,
    /// At most 64 bytes; empty for gateways without an audience.
    pub audience: String,
    /// At most 24 bytes.
    pub compiler: String,
}

impl Default for Identity {
    fn default() -> Self {
        Identity {
            epoch: 0,
            not_before: i64::MIN,
            not_after: i64::MAX,
            audience: String::new(),
            compiler: String::new(),
        }
    }
}

/// Writes sections as an unsigned bundle. Empty sections are left out. Sign it with [`sign`] or
/// [`attach_signature`].
///
/// # Errors
/// [`OpenError::TooLarge`] where no reader would take the bundle.
pub fn write(sections: &Sections, identity: &Identity) -> Result<Vec<u8>, OpenError> {
    let parts: Vec<_> =
        sections.as_bytes().into_iter().filter(|(_, bytes)| !bytes.is_empty()).collect();
    let table_end = size_of::<Header>() + parts.len() * size_of::<SectionEntry>();
    let total =
        parts.iter().map(|(_, bytes)| bytes.len()).sum::<usize>() + table_end + SIGNATURE_LEN;
    if total > MAX_BUNDLE_LEN || total >= NONE as usize {
        return Err(OpenError::TooLarge { found: total, limit: MAX_BUNDLE_LEN });
    }
    let mut content = Vec::with_capacity(total);
    let mut at = table_end as u32;
    for (id, bytes) in &parts {
        let entry = SectionEntry {
            id: (*id as u16).into(),
            version: id.version().into(),
            flags: MUST_UNDERSTAND.into(),
            reserved: 0.into(),
            offset: at.into(),
            len: (bytes.len() as u32).into(),
        };
        content.extend_from_slice(entry.as_bytes());
        at += bytes.len() as u32;
    }
    parts.iter().for_each(|(_, bytes)| content.extend_from_slice(bytes));
    let header = Header {
        magic: MAGIC,
        format: FORMAT.into(),
        header_len: (size_of::<Header>() as u16).into(),
        section_count: (parts.len() as u32).into(),
        total_len: (total as u32).into(),
        reserved: 0.into(),
        epoch: identity.epoch.into(),
        not_before: identity.not_before.into(),
        not_after: identity.not_after.into(),
        key_id: [0; 8],
        compiler: padded(&identity.compiler),
        audience: padded(&identity.audience),
        content_hash: *blake3::hash(&content).as_bytes(),
    };
    let mut bundle = header.as_bytes().to_vec();
    bundle.append(&mut content);
    bundle.resize(total, 0);
    Ok(bundle)
}

/// Signs a bundle in place with an ed25519 seed of 32 bytes.
///
/// # Errors
/// [`OpenError::NotABundle`] where the bytes have no header.
pub fn sign(bundle: &mut [u8], seed: &[u8; 32]) -> Result<(), OpenError> {
    let key = SigningKey::from_bytes(seed);
    let message = set_key(bundle, key.verifying_key().as_bytes())?;
    attach_signature(bundle, &key.sign(&message).to_bytes())
}

/// Names the key that is going to sign, and gives the bytes for it to sign.
///
/// # Errors
/// [`OpenError::NotABundle`] where the bytes have no header.
pub fn set_key(bundle: &mut [u8], public_key: &[u8; 32]) -> Result<[u8; 56], OpenError> {
    let (header, _) = Header::mut_from_prefix(bundle).map_err(|_| OpenError::NotABundle)?;
    header.key_id = key_id(public_key);
    Ok(message(header))
}

/// Gives a bundle another epoch, and another end of its validity where one is given (Unix seconds; `i64::MAX` for
/// none). What its policy says stays, down to the content hash. The signature no longer fits: [`sign`] it again.
///
/// # Errors
/// [`OpenError::NotABundle`] where the bytes have no header.
pub fn reissue(bundle: &mut [u8], epoch: u64, not_after: Option<i64>) -> Result<(), OpenError> {
    let (header, _) = Header::mut_from_prefix(bundle).map_err(|_| OpenError::NotABundle)?;
    header.epoch = epoch.into();
    if let Some(not_after) = not_after {
        header.not_after = not_after.into();
    }
    Ok(())
}

/// Puts a signature made elsewhere at the end of a bundle. [`crate::Bundle::open`] is what checks it.
///
/// # Errors
/// [`OpenError::NotABundle`] where there is no room for one.
pub fn attach_signature(bundle: &mut [u8], signature: &[u8; 64]) -> Result<(), OpenError> {
    *bundle.last_chunk_mut::<SIGNATURE_LEN>().ok_or(OpenError::NotABundle)? = *signature;
    Ok(())
}

fn padded<const N: usize>(text: &str) -> [u8; N] {
    let mut bytes = [0; N];
    bytes.iter_mut().zip(text.bytes()).for_each(|(to, from)| *to = from);
    bytes
}
