//! Opens a bundle: everything that is checked once, before any record is used.

use crate::error::{ActivationError, OpenError};
use crate::layout::{
    FORMAT, Header, MAGIC, MAX_BUNDLE_LEN, MUST_UNDERSTAND, SIGNATURE_LEN, SectionEntry, SectionId,
    View,
};
use crate::layout::{Run, SECTION_SLOTS};
use crate::opening::Opening;
use crate::signature::{fits, hex, key_id};
use core::ops::ControlFlow;
use ed25519_dalek::VerifyingKey;
use zerocopy::{FromBytes, IntoBytes};

/// Whose bundles are opened.
#[derive(Clone, Debug, Default)]
pub struct Trust {
    /// ed25519 public keys, any of which may have signed.
    pub keys: Vec<[u8; 32]>,
    /// Whether a bundle without a signature is opened. A signature that is there is checked all the same.
    pub allow_unsigned: bool,
}

/// The epoch that bytes claim in their header, and the header's BLAKE3 hash, which names one release: content, epoch,
/// key and validity. Unverified; `None` where it is no header that is read.
pub fn claims(bytes: &[u8]) -> Option<(u64, [u8; 32])> {
    let header = Header::read_from_prefix(bytes).ok()?.0;
    let release = blake3::hash(header.as_bytes());
    (header.magic == MAGIC).then(|| (header.epoch.get(), *release.as_bytes()))
}

/// A verified bundle: every index in it holds, every text is UTF-8, no walk over it is endless.
#[derive(Debug)]
pub struct Bundle {
    pub(crate) bytes: Vec<u8>,
    pub(crate) header: Header,
    pub(crate) sections: [Run; SECTION_SLOTS],
}

impl Bundle {
    /// Verifies bytes as a bundle: length, format, signature, content hash, section table, records,
    /// in this order. Total: whatever the bytes, the answer is a bundle or an error.
    ///
    /// # Errors
    /// The first check that fails, with what was found.
    pub fn open(bytes: Vec<u8>, trust: &Trust) -> Result<Bundle, OpenError> {
        let mut opening = Opening::begin(bytes, trust)?;
        loop {
            match opening.go_on(usize::MAX)? {
                ControlFlow::Continue(further) => opening = further,
                ControlFlow::Break(bundle) => return Ok(bundle),
            }
        }
    }

    /// The records, read in place. Cheap: make one where it is needed.
    pub fn view(&self) -> View<'_> {
        let identity = self.header.content_hash.first_chunk().copied().unwrap_or_default();
        View::from_runs(&self.bytes, &self.sections, u64::from_le_bytes(identity))
    }

    /// The header.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The bytes of a section; empty where the bundle has none.
    pub fn section(&self, id: SectionId) -> &[u8] {
        let run = self.sections.get(usize::from(id as u16)).copied().unwrap_or_default();
        let end = run.start.saturating_add(run.count.saturating_mul(id.record_len()));
        self.bytes.get(run.start..end).unwrap_or_default()
    }

    /// The whole bundle as it was opened.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Whether a key signed the bundle.
    pub fn is_signed(&self) -> bool {
        self.header.key_id != [0; 8]
    }

    /// For whom the bundle is meant; empty for nobody in particular: only gateways without an audience take it then.
    pub fn audience(&self) -> &str {
        padded(&self.header.audience)
    }

    /// Name and version of the compiler that made the bundle.
    pub fn compiler(&self) -> &str {
        padded(&self.header.compiler)
    }

    /// The key id in hexadecimal; all zeros where unsigned.
    pub fn key_id(&self) -> String {
        hex(&self.header.key_id)
    }

    /// The content hash in hexadecimal.
    pub fn content_hash(&self) -> String {
        hex(&self.header.content_hash)
    }

    /// Whether the bundle may start to serve: `now` in Unix seconds, the least epoch allowed, and the
    /// gateway's audience if it has one. A bundle that serves already is never stopped by these.
    ///
    /// # Errors
    /// The first condition that fails.
    pub fn check_activation(
        &self,
        now: i64,
        minimum_epoch: u64,
        audience: Option<&str>,
    ) -> Result<(), ActivationError> {
        let header = &self.header;
        let found = self.audience();
        if let Some(expected) = audience
            && expected != found
        {
            let (found, expected) = (found.to_owned(), expected.to_owned());
            return Err(ActivationError::Audience { found, expected });
        }
        if now < header.not_before.get() {
            return Err(ActivationError::NotYet { not_before: header.not_before.get(), now });
        }
        if now > header.not_after.get() {
            return Err(ActivationError::Expired { not_after: header.not_after.get(), now });
        }
        if header.epoch.get() < minimum_epoch {
            return Err(ActivationError::Epoch {
                found: header.epoch.get(),
                minimum: minimum_epoch,
            });
        }
        Ok(())
    }
}

pub(crate) fn read_header(bytes: &[u8]) -> Result<Header, OpenError> {
    if bytes.len() > MAX_BUNDLE_LEN {
        return Err(OpenError::TooLarge { found: bytes.len(), limit: MAX_BUNDLE_LEN });
    }
    if !bytes.starts_with(&MAGIC) {
        return Err(OpenError::NotABundle);
    }
    let short = OpenError::Length { declared: size_of::<Header>(), found: bytes.len() };
    let format = bytes.get(8..10).and_then(|b| b.first_chunk().map(|b| u16::from_le_bytes(*b)));
    let format = format.ok_or_else(|| short.clone())?;
    if format == 0 || format > FORMAT {
        return Err(OpenError::Format { found: format, newest: FORMAT });
    }
    let (header, _) = Header::read_from_prefix(bytes).map_err(|_| short)?;
    let declared = header.total_len.get() as usize;
    let least = size_of::<Header>() + SIGNATURE_LEN;
    if usize::from(header.header_len.get()) != size_of::<Header>()
        || declared != bytes.len()
        || declared < least
    {
        return Err(OpenError::Length { declared, found: bytes.len() });
    }
    Ok(header)
}

pub(crate) fn check_signature(
    header: &Header,
    bytes: &[u8],
    trust: &Trust,
) -> Result<(), OpenError> {
    if header.key_id == [0; 8] {
        return if trust.allow_unsigned { Ok(()) } else { Err(OpenError::Unsigned) };
    }
    let name = || hex(&header.key_id);
    let key = trust.keys.iter().find(|key| key_id(key) == header.key_id);
    let key = match key {
        Some(key) => key,
        None if trust.keys.is_empty() && trust.allow_unsigned => return Ok(()),
        None => return Err(OpenError::UnknownKey { key_id: name() }),
    };
    let key = VerifyingKey::from_bytes(key).map_err(|_| OpenError::BadKey { key_id: name() })?;
    let signature = bytes.last_chunk::<SIGNATURE_LEN>();
    match signature {
        Some(signature) if fits(&key, header, signature) => Ok(()),
        _ => Err(OpenError::Signature { key_id: name() }),
    }
}

pub(crate) fn read_table(header: &Header, bytes: &[u8]) -> Result<[Run; SECTION_SLOTS], OpenError> {
    let mut sections = [Run::default(); SECTION_SLOTS];
    let count = header.section_count.get() as usize;
    let refuse = |entry, what| Err(OpenError::Table { entry, what });
    let start = size_of::<Header>();
    let end = count.checked_mul(size_of::<SectionEntry>()).and_then(|len| len.checked_add(start));
    let table = end.and_then(|end| bytes.get(start..end));
    let Some(table) = table.and_then(|table| <[SectionEntry]>::ref_from_bytes(table).ok()) else {
        return refuse(count, "the table is longer than the bundle");
    };
    let mut at = start + table.as_bytes().len();
    let mut last_id = 0;
    for (number, entry) in table.iter().enumerate() {
        let (id, len) = (entry.id.get(), entry.len.get() as usize);
        if id <= last_id {
            return refuse(number, "ids do not ascend");
        }
        if entry.offset.get() as usize != at {
            return refuse(number, "the section does not begin where the one before it ends");
        }
        let range = at..at.saturating_add(len);
        if range.end > bytes.len().saturating_sub(SIGNATURE_LEN) {
            return refuse(number, "the section is longer than the bundle");
        }
        (at, last_id) = (range.end, id);
        match SectionId::from_id(id).filter(|known| known.version() == entry.version.get()) {
            Some(known) if len % known.record_len() != 0 => {
                return refuse(number, "the section does not hold whole records");
            }
            Some(known) => {
                if let Some(slot) = sections.get_mut(usize::from(id)) {
                    *slot = Run { start: range.start, count: len / known.record_len() };
                }
            }
            None if entry.flags.get() & MUST_UNDERSTAND != 0 => {
                return Err(OpenError::Section { id, version: entry.version.get() });
            }
            None => {}
        }
    }
    if at != bytes.len().saturating_sub(SIGNATURE_LEN) {
        return refuse(count, "bytes follow the last section");
    }
    Ok(sections)
}

/// Text padded with zeros; empty where it is not UTF-8.
fn padded(bytes: &[u8]) -> &str {
    let text = bytes.split(|byte| *byte == 0).next().unwrap_or_default();
    core::str::from_utf8(text).unwrap_or_default()
}
