//! What a request still owes the table: counts that its answer decides, and leases that its end gives back.

use super::rate::Meter;
use super::table::{Key, find, put, sound};
use super::{Exceeded, LimitEvent, Part, Surroundings, TRIES};
use portcullis_bundle::layout::{RateKind, View};

/// Counts of an admitted request that are settled later, by the bundle that admitted it.
#[derive(Clone, Debug, Default)]
pub struct Ticket {
    /// At most as many as rates hold for an operation.
    entries: Vec<Entry>,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    block: u32,
    key: Key,
    /// Index into limit_rates.
    rate: u32,
    /// Index into limits.
    limit: u32,
    cost: f64,
    /// Of a lease: when its time began.
    began: u64,
    is_lease: bool,
}

impl Entry {
    fn of(part: &Part) -> Self {
        let Part { block, key, rate, limit_at: limit, cost, .. } = *part;
        Entry { block, key, rate, limit, cost, began: 0, is_lease: false }
    }
}

impl Ticket {
    /// Whether nothing is owed.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Whether the answer's status decides anything.
    pub fn awaits_answer(&self) -> bool {
        self.entries.iter().any(|entry| !entry.is_lease)
    }

    /// Takes over what another ticket of the same request owes.
    pub fn join(&mut self, other: Ticket) {
        self.entries.extend(other.entries);
    }

    pub(crate) fn clear(&mut self) {
        self.entries.clear();
    }

    /// Notes the leases that the table was charged for, those too of a request that another block's counts then refused.
    pub(super) fn take_leases(&mut self, parts: &[Part]) {
        for part in parts.iter().filter(|part| part.is_charged) {
            if part.kind == RateKind::Concurrency {
                let began = part.count.at;
                self.entries.push(Entry { began, is_lease: true, ..Entry::of(part) });
            }
        }
    }

    /// Notes what the answer to an admitted request decides.
    pub(super) fn take_pending(&mut self, parts: &[Part], exceeded: &[Exceeded]) {
        let is_beyond = |part: &&Part| exceeded.iter().any(|it| it.limit == part.limit_at);
        let pending = parts.iter().filter(|part| !part.is_due() && !is_beyond(part));
        self.entries.extend(pending.map(Entry::of));
    }

    /// Counts what the status of the answer decides. A status that is counted as 500 stands for an answer that never
    /// came.
    pub fn settle(&mut self, view: &View<'_>, status: u16, around: &dyn Surroundings) {
        let counts = |entry: &Entry| {
            let limit = view.limits.get(entry.limit as usize);
            limit.is_some_and(|limit| is_listed(view.bytes(limit.statuses), status))
        };
        let due: Vec<Entry> =
            self.entries.iter().filter(|it| !it.is_lease && counts(it)).copied().collect();
        self.entries.retain(|entry| entry.is_lease);
        write(view, &due, around);
    }

    /// Ends the request: gives its leases back. What no answer has settled counts as if it had failed.
    pub fn end(mut self, view: &View<'_>, around: &dyn Surroundings) {
        self.settle(view, 500, around);
        write(view, &self.entries, around);
    }
}

/// Brings entries into the table, those of one block together.
fn write(view: &View<'_>, due: &[Entry], around: &dyn Surroundings) {
    for (at, first) in due.iter().enumerate() {
        let before = due.get(..at).unwrap_or_default();
        if before.iter().all(|entry| entry.block != first.block) {
            write_block(view, due, first.block, around);
        }
    }
}

fn write_block(view: &View<'_>, due: &[Entry], block: u32, around: &dyn Surroundings) {
    let now = around.now();
    for _ in 0..TRIES {
        let Some((bytes, version)) = around.load(block) else { break };
        let mut bytes = sound(bytes);
        let (mut evicted, mut held) = (0u32, 0);
        for entry in due.iter().filter(|entry| entry.block == block) {
            let Some(rate) = view.limit_rates.get(entry.rate as usize) else { continue };
            let meter = Meter::of(rate, !entry.is_lease);
            let (count, found) = find(&bytes, entry.key, meter.kind);
            if entry.is_lease && found.is_none() {
                continue;
            }
            let count = meter.drained(count, now);
            let count = match entry.is_lease {
                true => meter.released(count, entry.began),
                false => meter.charged(count, entry.cost),
            };
            let key = (entry.key, meter.kind);
            let lost = put(&mut bytes, view, key, count, now, found, &mut held);
            evicted = evicted.saturating_add(lost.into());
        }
        if around.store(block, &bytes, version) {
            (0..evicted).for_each(|_| around.note(LimitEvent::Evicted));
            return;
        }
        around.note(LimitEvent::Contended);
    }
    around.note(LimitEvent::Uncounted);
}

/// Whether a status is one of a list: `401 5xx`.
fn is_listed(list: &[u8], status: u16) -> bool {
    let digits = [status / 100, status / 10 % 10, status % 10];
    list.split(|&byte| byte == b' ').any(|pattern| {
        let fits = |(byte, digit): (&u8, u16)| {
            *byte == b'x' || u16::from(byte.wrapping_sub(b'0')) == digit
        };
        pattern.len() == 3 && pattern.iter().zip(digits).all(fits)
    })
}

#[cfg(test)]
mod tests {
    use super::is_listed;

    #[test]
    fn statuses_are_listed_by_number_and_class() {
        assert!(is_listed(b"401 5xx", 401) && is_listed(b"401 5xx", 503));
        assert!(!is_listed(b"401 5xx", 403) && !is_listed(b"", 200) && !is_listed(b"xx", 40));
    }
}
