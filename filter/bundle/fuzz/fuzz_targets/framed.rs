//! A bundle around hostile content.

use portcullis_bundle::layout::{FORMAT, Header, MAGIC, SIGNATURE_LEN, SectionEntry};
use zerocopy::{FromBytes, IntoBytes};

/// Frames content as a bundle. The first byte is the number of table entries; their offsets are laid
/// one after the other, since only a fuzzer with great patience would find them.
pub fn framed(content: &[u8]) -> Vec<u8> {
    let (count, content) = content.split_first().map_or((0, content), |(n, rest)| (*n % 40, rest));
    let mut content = content.to_vec();
    let table_len = usize::from(count) * size_of::<SectionEntry>();
    content.resize(content.len().max(table_len), 0);
    let start = size_of::<Header>() + table_len;
    let total = size_of::<Header>() + content.len() + SIGNATURE_LEN;
    let (table, sections) = content.split_at_mut(table_len);
    let mut at = start;
    if let Ok(entries) = <[SectionEntry]>::mut_from_bytes(table) {
        let last = entries.len().saturating_sub(1);
        for (number, entry) in entries.iter_mut().enumerate() {
            let left = start + sections.len() - at;
            let len = if number == last { left } else { entry.len.get() as usize % (left + 1) };
            entry.version = 1.into();
            entry.offset = (at as u32).into();
            entry.len = (len as u32).into();
            at += len;
        }
    }
    let header = Header {
        magic: MAGIC,
        format: FORMAT.into(),
        header_len: (size_of::<Header>() as u16).into(),
        section_count: u32::from(count).into(),
        total_len: (total as u32).into(),
        reserved: 0.into(),
        epoch: 1.into(),
        not_before: i64::MIN.into(),
        not_after: i64::MAX.into(),
        key_id: [0; 8],
        compiler: [0; 24],
        audience: [0; 64],
        content_hash: *blake3::hash(&content).as_bytes(),
    };
    let mut bytes = header.as_bytes().to_vec();
    bytes.extend_from_slice(&content);
    bytes.resize(total, 0);
    bytes
}
