//! Turns sections into a bundle.
//!
//! In: sections, and what the header says. Out: bytes that the reader has opened once already, so
//! that no bundle is written that a gateway would refuse.

use portcullis_bundle::layout::Sections;
use portcullis_bundle::{Bundle, Identity, OpenError, Trust};

/// Writes a bundle and signs it if there is a seed. The same sections and identity give the same
/// bytes.
///
/// # Errors
/// Where the reader would refuse the bundle.
pub fn emit(
    sections: &Sections,
    identity: &Identity,
    seed: Option<&[u8; 32]>,
) -> Result<Vec<u8>, OpenError> {
    let mut bytes = portcullis_bundle::write(sections, identity)?;
    let opened = Bundle::open(bytes.clone(), &Trust { keys: Vec::new(), allow_unsigned: true });
    drop(opened?);
    if let Some(seed) = seed {
        portcullis_bundle::sign(&mut bytes, seed)?;
    }
    Ok(bytes)
}

/// The name and version of this compiler, as headers hold it.
pub fn compiler() -> String {
    format!("portcullis {}", env!("CARGO_PKG_VERSION"))
}
