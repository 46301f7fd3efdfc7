//! Which worker this VM is: an index that it claims in shared data when it serves its first request.
//!
//! Neither the main thread nor its trial VM serves requests, so neither claims one. A VM that is replaced
//! after a fault leaves its index; it is free again when no sign of life has come for a while.

use crate::host::{Cas, Host};
use std::cell::Cell;

/// Workers that have an index; others go without a gauge of their own.
pub const WORKERS: usize = 64;
/// Seconds without a sign of life after which an index is free.
const STALE: u32 = 20;
/// Seconds between signs of life.
const HEARTBEAT: u32 = 5;
/// What a worker says of a plugin; 0 where it has said nothing.
const SERVES: u8 = 1;
const SERVES_NOTHING: u8 = 2;
const KEY: &str = "portcullis.workers";
const TRIES: usize = 64;

/// This VM's place among the workers.
#[derive(Debug, Default)]
pub struct Worker {
    index: Cell<Option<u8>>,
    /// The second in which it was last tried to claim one.
    tried: Cell<u32>,
    last_sign: Cell<u32>,
}

impl Worker {
    /// Writes an empty table where there is none. The main thread's trial VM comes here first.
    pub fn prepare(host: &impl Host) {
        if host.shared(KEY).is_none() {
            host.set_shared(KEY, &[0; WORKERS * 4], Some(Cas::NEVER));
        }
    }

    /// The index, once claimed.
    pub fn index(&self) -> Option<u8> {
        self.index.get()
    }

    /// Claims an index. True where this call did.
    pub fn claim(&self, host: &impl Host) -> bool {
        if self.index.get().is_some() {
            return false;
        }
        let now = seconds(host);
        if self.tried.replace(now) == now {
            return false;
        }
        for _ in 0..TRIES {
            let Some((mut table, cas)) = host.shared(KEY) else { return false };
            let free =
                table.chunks_exact(4).position(|seen| now.saturating_sub(read(seen)) > STALE);
            let Some(index) = free.and_then(|index| u8::try_from(index).ok()) else { return false };
            if sign(host, &mut table, cas, index, now) {
                self.index.set(Some(index));
                self.last_sign.set(now);
                return true;
            }
        }
        false
    }

    /// The indexes of workers that have lived once and give no sign of life.
    pub fn abandoned(&self, host: &impl Host) -> Vec<u8> {
        let Some((table, _)) = host.shared(KEY) else { return Vec::new() };
        let now = seconds(host);
        let is_abandoned = |seen: &[u8]| read(seen) > 0 && now.saturating_sub(read(seen)) > STALE;
        let all = (0_u8..).zip(table.chunks_exact(4));
        all.filter(|(_, seen)| is_abandoned(seen)).map(|(index, _)| index).collect()
    }

    /// Gives a sign of life, where one is due.
    pub fn tick(&self, host: &impl Host) {
        let (Some(index), now) = (self.index.get(), seconds(host)) else { return };
        if now.saturating_sub(self.last_sign.get()) < HEARTBEAT {
            return;
        }
        for _ in 0..TRIES {
            let Some((mut table, cas)) = host.shared(KEY) else { return };
            if sign(host, &mut table, cas, index, now) {
                self.last_sign.set(now);
                return;
            }
        }
    }
}

/// Writes an empty table of what workers serve of a plugin, where there is none.
pub fn prepare_epochs(host: &impl Host, plugin: &str) {
    let key = epochs_key(plugin);
    if host.shared(&key).is_none() {
        host.set_shared(&key, &[0; WORKERS * 9], Some(Cas::NEVER));
    }
}

/// Tells all VMs what a worker serves of a plugin. False where others were faster every time.
pub fn tell_epoch(host: &impl Host, plugin: &str, index: u8, epoch: Option<u64>) -> bool {
    let key = epochs_key(plugin);
    for _ in 0..TRIES {
        let Some((mut table, cas)) = host.shared(&key) else { return false };
        if let Some([serves, number @ ..]) = table.chunks_exact_mut(9).nth(usize::from(index)) {
            *serves = if epoch.is_some() { SERVES } else { SERVES_NOTHING };
            number.copy_from_slice(&epoch.unwrap_or(0).to_le_bytes());
        }
        if host.set_shared(&key, &table, Some(cas)) {
            return true;
        }
    }
    false
}

/// What each worker that lives and knows a plugin serves of it: `0=7,1=-`.
pub fn epochs(host: &impl Host, plugin: &str) -> String {
    let (Some((seen, _)), Some((epochs, _))) = (host.shared(KEY), host.shared(&epochs_key(plugin)))
    else {
        return String::new();
    };
    let now = seconds(host);
    let mut all = String::new();
    for (index, (seen, epoch)) in seen.chunks_exact(4).zip(epochs.chunks_exact(9)).enumerate() {
        // A worker of another plugin's VM says nothing here.
        if now.saturating_sub(read(seen)) > STALE || epoch.first() == Some(&0) {
            continue;
        }
        if !all.is_empty() {
            all.push(',');
        }
        all.push_str(&index.to_string());
        all.push('=');
        match epoch {
            [SERVES, number @ ..] => {
                let number = number.first_chunk().map_or(0, |it| u64::from_le_bytes(*it));
                all.push_str(&number.to_string());
            }
            _ => all.push('-'),
        }
    }
    all
}

fn epochs_key(plugin: &str) -> String {
    ["portcullis.served.", plugin].concat()
}

fn seconds(host: &impl Host) -> u32 {
    u32::try_from(host.now() / 1_000_000_000).unwrap_or(u32::MAX)
}

fn read(seen: &[u8]) -> u32 {
    seen.first_chunk().map_or(0, |seen| u32::from_le_bytes(*seen))
}

fn sign(host: &impl Host, table: &mut [u8], cas: Cas, index: u8, now: u32) -> bool {
    if let Some(slot) = table.chunks_exact_mut(4).nth(usize::from(index)) {
        slot.copy_from_slice(&now.to_le_bytes());
    }
    host.set_shared(KEY, table, Some(cas))
}
