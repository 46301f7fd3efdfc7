//! The table of counts in shared data, and what else the engine's limits ask of the proxy.
//!
//! The table is made once in the life of an Envoy, whole, by who first has a bundle with limits: the main thread's trial VM,
//! or the VM that fetched the bundle, before it tells the others. It outlives bundles and VMs, and never grows: there
//! is one value for each block, whatever clients send.

use crate::host::{Cas, Host};
use crate::metrics::{Event, Metrics};
use portcullis_engine::limits::{Asking, BLOCK, LimitEvent, Surroundings};
use std::cell::RefCell;

/// Bytes of what is kept beside the blocks: the key and how many blocks there are.
const HEAD: usize = 20;
/// How often the table is looked for, and made where it is not there: once, where shared data works.
const TRIES: usize = 4;
/// The character that names the first block: of those with four bytes in UTF-8.
const FIRST: u32 = 0x1_0000;
/// The table of counts of a plugin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// The name of the value that was last used; kept, since a block is written under the name that it was read by.
    name: RefCell<Name>,
    key: [u64; 2],
    blocks: u32,
}

/// The name of a block's value.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Name {
    text: String,
    /// Bytes that all names begin with.
    prefix: usize,
    block: Option<u32>,
}

impl Name {
    fn new(prefix: String) -> Self {
        Name { prefix: prefix.len(), text: prefix, block: None }
    }

    /// Makes it that of a block.
    fn of(&mut self, block: u32) -> &str {
        if self.block != Some(block) {
            self.text.truncate(self.prefix);
            // One character: cheaper than digits, and there are fewer blocks than characters from here on.
            self.text.push(char::from_u32(FIRST.saturating_add(block)).unwrap_or(char::MAX));
            self.block = Some(block);
        }
        &self.text
    }
}

impl Table {
    /// Finds the table of a plugin, or makes it with so many blocks, a power of two. The flag says whether it has as many: a
    /// table that is there keeps its size, and its counts, until Envoy is started anew.
    pub fn prepare(host: &impl Host, plugin: &str, blocks: u32, seed: &[u8]) -> (Table, bool) {
        let prefix = ["portcullis.limits.", plugin, "."].concat();
        let head = [&prefix, "head"].concat();
        let table =
            |prefix, (key, blocks)| Table { name: RefCell::new(Name::new(prefix)), key, blocks };
        for _ in 0..TRIES {
            let there = host.shared(&head);
            if let Some(found) = there.as_ref().and_then(|(bytes, _)| read_head(bytes)) {
                return (table(prefix, found), found.1 == blocks);
            }
            // Whoever writes the head first has made the table; the others find it at the next look.
            let version = there.map_or(Cas::NEVER, |(_, version)| version);
            make(host, &prefix, &head, (new_key(host, seed), blocks), version);
        }
        // There is no shared data. Nothing is found under this name: requests are not counted, and told of as such.
        (table([&prefix, "none."].concat(), (new_key(host, seed), blocks)), true)
    }
}

/// Writes the blocks that are not there, then the head in place of what has that version.
fn make(host: &impl Host, prefix: &str, head: &str, (key, blocks): ([u64; 2], u32), version: Cas) {
    let mut name = Name::new(prefix.to_owned());
    (0..blocks).for_each(|block| {
        host.set_shared(name.of(block), &[0; BLOCK], Some(Cas::NEVER));
    });
    let mut bytes = Vec::with_capacity(HEAD);
    key.iter().for_each(|word| bytes.extend(word.to_le_bytes()));
    bytes.extend(blocks.to_le_bytes());
    host.set_shared(head, &bytes, Some(version));
}

fn read_head(bytes: &[u8]) -> Option<([u64; 2], u32)> {
    let (first, rest) = bytes.split_first_chunk::<8>()?;
    let (second, rest) = rest.split_first_chunk::<8>()?;
    let blocks = u32::from_le_bytes(*rest.first_chunk()?);
    let key = [u64::from_le_bytes(*first), u64::from_le_bytes(*second)];
    blocks.is_power_of_two().then_some((key, blocks))
}

/// A key that clients cannot know: from the time at which the table was made, to the nanosecond, and from the bundle. A
/// filter has no better source of chance; no answer lets a client test a guess.
fn new_key(host: &impl Host, seed: &[u8]) -> [u64; 2] {
    let mut hasher = blake3::Hasher::new_derive_key("portcullis 2026 key of the table of counts");
    hasher.update(&host.now().to_le_bytes());
    hasher.update(seed);
    two_words(hasher.finalize().as_bytes())
}

/// The first two words of a hash.
pub(crate) fn two_words(hash: &[u8; 32]) -> [u64; 2] {
    let (first, rest) = hash.split_first_chunk::<8>().unwrap_or((&[0; 8], &[]));
    let second = rest.first_chunk().copied().unwrap_or_default();
    [u64::from_le_bytes(*first), u64::from_le_bytes(second)]
}

/// What the engine's limits see of one VM.
pub struct Around<'a, H: Host> {
    /// The proxy.
    pub host: &'a H,
    /// The table, where there are limits.
    pub table: Option<&'a Table>,
    /// Where events are counted.
    pub metrics: &'a Metrics<H>,
    /// How a service is asked that carries limits too, if any is.
    pub asking: Option<Asking>,
}

impl<H: Host> Surroundings for Around<'_, H> {
    fn now(&self) -> u64 {
        self.host.now()
    }

    fn key(&self) -> [u64; 2] {
        self.table.map_or([0; 2], |table| table.key)
    }

    fn blocks(&self) -> u32 {
        self.table.map_or(0, |table| table.blocks)
    }

    fn load(&self, block: u32) -> Option<(Vec<u8>, u32)> {
        let mut name = self.table?.name.try_borrow_mut().ok()?;
        let (bytes, cas) = self.host.shared(name.of(block))?;
        Some((bytes, cas.0))
    }

    fn store(&self, block: u32, bytes: &[u8], version: u32) -> bool {
        let name = self.table.and_then(|table| table.name.try_borrow_mut().ok());
        name.is_some_and(|mut it| self.host.set_shared(it.of(block), bytes, Some(Cas(version))))
    }

    fn property(&self, path: &str) -> Option<Vec<u8>> {
        self.host.property(&[path])
    }

    fn note(&self, event: LimitEvent) {
        let event = match event {
            LimitEvent::Contended => Event::LimitContended,
            LimitEvent::Uncounted => Event::LimitUncounted,
            LimitEvent::Evicted => Event::LimitEvicted,
            LimitEvent::Unnamed => Event::LimitUnnamed,
            LimitEvent::AddressUntrusted => Event::LimitAddressUntrusted,
        };
        self.metrics.count_event(event, 1);
    }

    fn asking(&self) -> Option<Asking> {
        self.asking
    }
}

#[cfg(test)]
mod tests;
