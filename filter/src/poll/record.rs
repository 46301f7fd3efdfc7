//! What the VMs of one Envoy know together about the fetches of a plugin: who fetches, when next, and what was
//! published. One value of a bounded size in shared data, replaced by compare-and-swap.

use super::answer::MOST_ETAG;
use crate::host::{Cas, Host};

/// How often a write is tried against other VMs; each loss means that another one won.
const TRIES: usize = 64;
/// Bytes before the entity tag: the sources, the hash, and the numbers.
const FIXED: usize = 2 * 16 + 32 + 8 * NUMBERS;
const NUMBERS: usize = 10;

/// The state of a plugin's fetches. Times in milliseconds since the Unix epoch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// Names source and settings that the rest is about.
    pub source: [u8; 16],
    /// Names source and settings that the last publication was for.
    pub publisher: [u8; 16],
    /// Names what was published last, by the hash of its header.
    pub release: [u8; 32],
    /// Counts what was published; 0 before the first.
    pub sequence: u64,
    /// Counts the leases: who holds the lease knows its number.
    pub term: u64,
    /// Until when nobody else may fetch; 0 while nobody fetches.
    pub lease_until: u64,
    /// When the next fetch is due.
    pub next: u64,
    /// Failures since the last answer of use.
    pub failures: u64,
    /// When the store last confirmed what is published, or polling began.
    pub contact: u64,
    /// Epoch of what was published last.
    pub epoch: u64,
    /// Whether the last bundle was refused.
    pub is_refused: bool,
    /// The refused bundle's epoch, as it says itself.
    pub refused_epoch: u64,
    /// The reason's code.
    pub refused_reason: u64,
    /// The entity tag of the last answer with a bundle; empty for none.
    pub etag: Vec<u8>,
}

impl Record {
    fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(FIXED.saturating_add(self.etag.len()));
        bytes.extend(self.source);
        bytes.extend(self.publisher);
        bytes.extend(self.release);
        for number in [
            self.sequence,
            self.term,
            self.lease_until,
            self.next,
            self.failures,
            self.contact,
            self.epoch,
            u64::from(self.is_refused),
            self.refused_epoch,
            self.refused_reason,
        ] {
            bytes.extend(number.to_le_bytes());
        }
        bytes.extend(self.etag.iter().take(MOST_ETAG));
        bytes
    }

    /// `None` where the bytes are not those of a record.
    fn from_bytes(bytes: &[u8]) -> Option<Record> {
        let (source, rest) = bytes.split_first_chunk::<16>()?;
        let (publisher, rest) = rest.split_first_chunk::<16>()?;
        let (hash, rest) = rest.split_first_chunk::<32>()?;
        let (numbers, etag) = rest.split_at_checked(8 * NUMBERS)?;
        let mut numbers = numbers.as_chunks::<8>().0.iter().map(|it| u64::from_le_bytes(*it));
        let mut number = || numbers.next().unwrap_or(0);
        Some(Record {
            source: *source,
            publisher: *publisher,
            release: *hash,
            sequence: number(),
            term: number(),
            lease_until: number(),
            next: number(),
            failures: number(),
            contact: number(),
            epoch: number(),
            is_refused: number() != 0,
            refused_epoch: number(),
            refused_reason: number(),
            etag: etag.iter().take(MOST_ETAG).copied().collect(),
        })
    }

    /// Reads a record, and the version to replace.
    pub fn read(host: &impl Host, key: &str) -> (Record, Cas) {
        match host.shared(key) {
            Some((bytes, cas)) => (Record::from_bytes(&bytes).unwrap_or_default(), cas),
            None => (Record::default(), Cas::NEVER),
        }
    }

    /// Changes a record unless `change` says that there is nothing to do. True where this call did.
    pub fn update(
        host: &impl Host,
        key: &str,
        mut change: impl FnMut(&mut Record) -> bool,
    ) -> bool {
        for _ in 0..TRIES {
            let (mut record, cas) = Record::read(host, key);
            if !change(&mut record) {
                return false;
            }
            if host.set_shared(key, &record.to_bytes(), Some(cas)) {
                return true;
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::{FIXED, Record};

    #[test]
    fn bytes_come_back() {
        let record = Record {
            source: [1; 16],
            publisher: [11; 16],
            release: [2; 32],
            sequence: 3,
            term: 4,
            lease_until: 5,
            next: 6,
            failures: 7,
            contact: 8,
            epoch: u64::MAX,
            is_refused: true,
            refused_epoch: 9,
            refused_reason: 10,
            etag: b"\"abc\"".to_vec(),
        };
        assert_eq!(Record::from_bytes(&record.to_bytes()), Some(record.clone()));
        let long = Record { etag: vec![b'x'; 1000], ..record };
        assert_eq!(long.to_bytes().len(), FIXED + 128);
        for len in 0..FIXED {
            assert_eq!(Record::from_bytes(&long.to_bytes()[..len]), None, "{len}");
        }
    }
}
