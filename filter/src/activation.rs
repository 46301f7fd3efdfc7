//! What the workers of one Envoy remember together about the bundles that a plugin activated.
//!
//! It lies in shared data, one value for each plugin, of a fixed size. The main thread's trial VM writes it
//! first, so it is there before a worker looks.

use crate::host::{Cas, Host};

/// Configurations that are remembered as accepted: 64 KB of them, a hundred days of forty a day.
pub const ACCEPTED: usize = 4096;
/// Bytes of a configuration's fingerprint.
const FINGERPRINT: usize = 16;
/// Bytes of a serialised memory.
const SIZE: usize = 8 + 32 + ACCEPTED * FINGERPRINT;
/// How often a write is tried against other workers; each loss means that another one won.
const TRIES: usize = 64;

/// Names a configuration among those that were accepted: same module, VM, settings and bundle.
pub type Fingerprint = [u8; FINGERPRINT];

/// The highest epoch that served, and which configurations were accepted last.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Activations {
    /// The highest epoch that a worker activated, and its bundle's content hash.
    pub highest: Option<(u64, [u8; 32])>,
    /// The newest first.
    accepted: Vec<Fingerprint>,
}

impl Activations {
    /// Reads the memory of a plugin.
    pub fn read(host: &impl Host, plugin: &str) -> Activations {
        read(host, &key(plugin)).0
    }

    /// Whether a configuration was accepted lately: then the one who asks is a worker, or the main
    /// thread that asks again.
    pub fn knows(&self, fingerprint: &Fingerprint) -> bool {
        self.accepted.contains(fingerprint)
    }

    /// Whether an older acceptance may have been forgotten.
    pub fn is_full(&self) -> bool {
        self.accepted.len() >= ACCEPTED
    }

    /// Remembers that a configuration was accepted.
    pub fn accept(host: &impl Host, plugin: &str, fingerprint: Fingerprint) {
        update(host, plugin, |memory| {
            memory.accepted.retain(|known| *known != fingerprint);
            memory.accepted.insert(0, fingerprint);
            memory.accepted.truncate(ACCEPTED);
        });
    }

    /// Remembers that a worker serves an epoch.
    pub fn serve(host: &impl Host, plugin: &str, epoch: u64, content_hash: [u8; 32]) {
        update(host, plugin, |memory| {
            if memory.highest.is_none_or(|(highest, _)| epoch > highest) {
                memory.highest = Some((epoch, content_hash));
            }
        });
    }

    /// Makes room for what [`Self::keep`] keeps, so that whoever writes there has a version to replace. The main thread's
    /// trial VM comes here first.
    pub fn prepare(host: &impl Host, plugin: &str) {
        for key in [last_key(plugin), kept_key(plugin)] {
            if host.shared(&key).is_none() {
                host.set_shared(&key, &[], Some(Cas::NEVER));
            }
        }
    }

    /// Keeps the bytes of a bundle that serves, for VMs that are made anew while the configuration is one that they may
    /// not take: once, whichever VM comes first. False where another VM was at it with another bundle: try again.
    ///
    /// Who claims last is who writes last, and only what was written whole is confirmed: a VM that ends in between
    /// leaves the work to the next one.
    pub fn keep(host: &impl Host, plugin: &str, release: &[u8; 32], bytes: &[u8]) -> bool {
        let (key, last) = (kept_key(plugin), last_key(plugin));
        let [claimed, whole] = [0, 1].map(|it| [&release[..], &[it]].concat());
        let Some((known, before)) = host.shared(&key) else { return false };
        if known == whole {
            return true;
        }
        if !host.set_shared(&key, &claimed, Some(before)) {
            return false;
        }
        let Some((_, replaces)) = host.shared(&last) else { return false };
        let claim = host.shared(&key).filter(|(known, _)| *known == claimed);
        claim.is_some_and(|(_, claim)| {
            host.set_shared(&last, bytes, Some(replaces))
                && host.set_shared(&key, &whole, Some(claim))
        })
    }

    /// The bytes that were kept last.
    pub fn kept(host: &impl Host, plugin: &str) -> Option<Vec<u8>> {
        host.shared(&last_key(plugin)).map(|(bytes, _)| bytes).filter(|bytes| !bytes.is_empty())
    }

    /// So many other configurations are accepted that all before are forgotten.
    #[cfg(test)]
    pub fn forget_accepted(host: &impl Host, plugin: &str) {
        update(host, plugin, |memory| {
            let others = (1..=ACCEPTED as u128).map(u128::to_le_bytes);
            memory.accepted = others.collect();
        });
    }

    fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(SIZE);
        let (epoch, hash) = self.highest.unwrap_or_default();
        bytes.extend(epoch.to_le_bytes());
        bytes.extend(hash);
        self.accepted.iter().for_each(|fingerprint| bytes.extend(fingerprint));
        bytes.resize(SIZE, 0);
        bytes
    }

    fn from_bytes(bytes: &[u8]) -> Activations {
        let Some((epoch, rest)) = bytes.split_first_chunk::<8>() else {
            return Activations::default();
        };
        let Some((hash, rest)) = rest.split_first_chunk::<32>() else {
            return Activations::default();
        };
        let accepted = rest.chunks_exact(FINGERPRINT).filter_map(|chunk| chunk.try_into().ok());
        Activations {
            highest: (*hash != [0; 32]).then(|| (u64::from_le_bytes(*epoch), *hash)),
            accepted: accepted.filter(|fingerprint| *fingerprint != [0; FINGERPRINT]).collect(),
        }
    }
}

/// Where it stands which bundle is kept, and whether it is whole.
fn kept_key(plugin: &str) -> String {
    ["portcullis.kept.", plugin].concat()
}

/// Where its bytes stand.
fn last_key(plugin: &str) -> String {
    ["portcullis.last.", plugin].concat()
}

fn key(plugin: &str) -> String {
    ["portcullis.activation.", plugin].concat()
}

fn read(host: &impl Host, key: &str) -> (Activations, Cas) {
    match host.shared(key) {
        Some((bytes, cas)) => (Activations::from_bytes(&bytes), cas),
        None => (Activations::default(), Cas::NEVER),
    }
}

fn update(host: &impl Host, plugin: &str, change: impl Fn(&mut Activations)) {
    let key = key(plugin);
    for _ in 0..TRIES {
        let (before, cas) = read(host, &key);
        let mut after = before.clone();
        change(&mut after);
        if after == before || host.set_shared(&key, &after.to_bytes(), Some(cas)) {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{ACCEPTED, Activations, SIZE};
    use crate::testing::{FakeHost, Meanwhile};

    #[test]
    fn bytes_come_back() {
        let memory = Activations {
            highest: Some((7, [3; 32])),
            accepted: (1..=ACCEPTED as u16)
                .map(|n| [n.to_le_bytes(); 8].concat().try_into().unwrap())
                .collect(),
        };
        assert_eq!(memory.to_bytes().len(), SIZE);
        assert_eq!(Activations::from_bytes(&memory.to_bytes()), memory);
        assert_eq!(Activations::from_bytes(&[0; SIZE]), Activations::default());
        assert_eq!(Activations::from_bytes(b"short"), Activations::default());
    }

    /// Two releases whose VMs keep them at once: the other one comes after the first has written a value.
    #[test]
    fn what_is_kept_is_what_is_confirmed() {
        let [older, newer] = [([6; 32], [60; 9]), ([7; 32], [70; 9])];
        for meanwhile in ["portcullis.kept.p", "portcullis.last.p"] {
            for (first, second) in [(older, newer), (newer, older)] {
                let host = FakeHost::new();
                Activations::prepare(&host, "p");
                assert_eq!(Activations::kept(&host, "p"), None);
                let other = host.sibling();
                let happens = Box::new(move || {
                    assert!(Activations::keep(&other, "p", &second.0, &second.1));
                });
                *host.process.meanwhile.borrow_mut() = Some(Meanwhile(meanwhile, happens));
                let is_kept = Activations::keep(&host, "p", &first.0, &first.1);
                assert!(host.process.meanwhile.borrow().is_none() && !is_kept);
                assert_eq!(Activations::kept(&host, "p").unwrap(), second.1);
                // It is not confirmed that the first is there: it comes again.
                assert!(Activations::keep(&host, "p", &first.0, &first.1));
                assert_eq!(Activations::kept(&host, "p").unwrap(), first.1);
            }
        }
    }

    #[test]
    fn a_vm_that_ends_while_it_keeps_leaves_it_to_the_next() {
        let host = FakeHost::new();
        Activations::prepare(&host, "p");
        let (key, other) = ("portcullis.kept.p", host.sibling());
        // As much as who has ended wrote: its claim alone.
        assert!(crate::host::Host::set_shared(
            &host,
            key,
            &[[7; 32].as_slice(), &[0]].concat(),
            None
        ));
        assert!(Activations::keep(&other, "p", &[7; 32], b"bytes"));
        assert_eq!(Activations::kept(&host, "p").unwrap(), b"bytes");
        let written = host.process.shared.borrow()["portcullis.last.p"].1;
        assert!(Activations::keep(&host, "p", &[7; 32], b"bytes"));
        assert_eq!(host.process.shared.borrow()["portcullis.last.p"].1, written, "once");
    }
}
