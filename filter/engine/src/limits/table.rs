//! A block of the table of counts: 32 cells, any of which holds any count of a caller whose hash leads here.
//!
//! A cell, little-endian: the caller's hash (8 bytes), the limit's id and the rate's place in it (4), the scope (4),
//! the level (8) and its time (8). Zeros are an empty cell. The level is an f64; of a concurrency it is two numbers
//! of 32 bits: requests of this lease's time, and of the one before.

use super::rate::{Count, Meter};
use crate::access::slice;
use portcullis_bundle::layout::{Limit, LimitRate, RateKind, View};

/// Bytes of a cell.
const CELL: usize = 32;
/// Cells of a block.
const CELLS: usize = 32;
/// Bytes of a block.
pub const BLOCK: usize = CELL * CELLS;

/// The place of what is counted at once, whichever rates stand beside it: its cells hold something else than theirs.
const CONCURRENCY: u32 = 7;

/// Added to the share of a cell that is held, to be more than any other's.
const HELD: f64 = 1e6;

/// Names a count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Key {
    /// What names the caller, hashed.
    pub caller: u64,
    /// The limit's id, and in its last three bits the rate's place, as [`rate_of`] makes it.
    pub rate: u32,
    /// What is counted apart.
    pub scope: u32,
}

/// What names a limit's rate in a key.
pub(crate) fn rate_of(limit: &Limit, place: u32, kind: RateKind) -> u32 {
    let place = if kind == RateKind::Concurrency { CONCURRENCY } else { place & 7 };
    limit.id.get() & !7 | place
}

/// The block that a caller's counts lie in, of a power of two of blocks.
pub(crate) fn block_of(caller: u64, blocks: u32) -> u32 {
    (caller >> 32) as u32 & blocks.wrapping_sub(1)
}

/// A block of zeros where the bytes are none.
pub(crate) fn sound(mut bytes: Vec<u8>) -> Vec<u8> {
    if bytes.len() != BLOCK {
        bytes.clear();
        bytes.resize(BLOCK, 0);
    }
    bytes
}

/// Where a count is looked for first: it lies there or shortly behind unless the block is rather full.
fn first_of(key: Key) -> usize {
    (key.caller as u32 ^ key.rate ^ key.rate >> 3 ^ key.scope) as usize % CELLS
}

/// The count of a name as it was written, and the cell that it lies in; nothing counted where there is none.
#[inline]
pub(crate) fn find(block: &[u8], key: Key, kind: RateKind) -> (Count, Option<u8>) {
    let (cells, _) = block.as_chunks::<CELL>();
    let (before, behind) = cells.split_at(first_of(key).min(cells.len()));
    let is_own = |cell: &[u8; CELL]| key_of(cell) == key;
    let at = match behind.iter().position(is_own) {
        Some(at) => Some(before.len() + at),
        None => before.iter().position(is_own),
    };
    let cell = at.and_then(|at| cells.get(at));
    (cell.map_or_else(Count::default, |cell| read(cell, kind)), at.map(|at| at as u8))
}

/// Cells that are not given up for another, a bit for each: those that the same request counts in.
pub(crate) type Held = u32;

/// The bit of a cell.
pub(crate) fn bit(cell: Option<u8>) -> Held {
    cell.map_or(0, |at| 1 << (at & 31))
}

/// Writes a count, and holds its cell. Where it has none it takes an empty one, else that whose loss forgets least. Tells
/// whether one was lost that still held something.
#[inline]
pub(crate) fn put(
    block: &mut [u8],
    view: &View<'_>,
    (key, kind): (Key, RateKind),
    count: Count,
    now: u64,
    found: Option<u8>,
    held: &mut Held,
) -> bool {
    let (cells, _) = block.as_chunks_mut::<CELL>();
    // A count that was written before this one may have taken its cell.
    let is_there = |at: &usize| cells.get(*at).is_some_and(|cell| key_of(cell) == key);
    let (at, lost) = match found.map(usize::from).filter(is_there) {
        Some(at) => (at, false),
        None => least(cells, view, key, now, *held),
    };
    *held |= bit(Some(at as u8));
    if let Some(cell) = cells.get_mut(at) {
        write(cell, key, kind, count);
    }
    lost
}

/// The cell that forgets least: empty, of a limit that is no more, or with the smallest part of what its limit allows.
/// Cells that are held go last. A request has less counts than a block has cells.
#[inline(never)]
fn least(cells: &[[u8; CELL]], view: &View<'_>, own: Key, now: u64, held: Held) -> (usize, bool) {
    let mut best = (0, f64::INFINITY);
    let (before, behind) = cells.split_at(first_of(own).min(cells.len()));
    let behind = (before.len()..).zip(behind);
    for (at, cell) in behind.chain((0..).zip(before)) {
        let key = key_of(cell);
        let share = match meter(view, key) {
            Some(meter) => meter.share(read(cell, meter.kind), now),
            None => 0.0,
        };
        let is_held = held & bit(Some(at as u8)) != 0;
        let share = if is_held { share + HELD } else { share };
        if share < best.1 {
            best = (at, share);
        }
        if share <= 0.0 {
            break;
        }
    }
    (best.0, best.1 > 0.0)
}

/// The rate that a cell counts by; an empty cell counts by none.
fn meter<'b>(view: &View<'b>, Key { caller, rate, .. }: Key) -> Option<Meter<'b>> {
    if caller == 0 {
        return None;
    }
    let (id, place) = (rate & !7, rate & 7);
    let limit = view.limits.iter().find(|limit| limit.id.get() & !7 == id)?;
    let rates = slice(view.limit_rates, limit.rates.get(), limit.rate_count.into());
    let kind = |rate: &LimitRate| RateKind::from_code(rate.kind).unwrap_or(RateKind::Window);
    let mut rates = (0..).zip(rates);
    let own = rates.find(|(at, rate)| rate_of(limit, *at, kind(rate)) & 7 == place);
    own.map(|(_, rate)| Meter::of(rate, limit.statuses.len.get() > 0))
}

#[inline]
fn key_of(cell: &[u8; CELL]) -> Key {
    Key { caller: word(cell, 0), rate: half(cell, 8), scope: half(cell, 12) }
}

#[inline]
fn read(cell: &[u8; CELL], kind: RateKind) -> Count {
    let at = word(cell, 24);
    if kind == RateKind::Concurrency {
        return Count { level: half(cell, 16).into(), before: half(cell, 20).into(), at };
    }
    let level = f64::from_bits(word(cell, 16));
    Count { level: if level.is_finite() { level } else { 0.0 }, before: 0.0, at }
}

#[inline]
fn write(cell: &mut [u8; CELL], key: Key, kind: RateKind, count: Count) {
    let level = if kind == RateKind::Concurrency {
        u64::from(count.level as u32) | u64::from(count.before as u32) << 32
    } else {
        count.level.to_bits()
    };
    let id = u64::from(key.rate) | u64::from(key.scope) << 32;
    let words = [key.caller, id, level, count.at];
    for (to, word) in cell.as_chunks_mut::<8>().0.iter_mut().zip(words) {
        *to = word.to_le_bytes();
    }
}

#[inline(always)]
fn word(cell: &[u8; CELL], at: usize) -> u64 {
    cell.get(at..).and_then(|it| it.first_chunk()).map_or(0, |it| u64::from_le_bytes(*it))
}

#[inline(always)]
fn half(cell: &[u8; CELL], at: usize) -> u32 {
    cell.get(at..).and_then(|it| it.first_chunk()).map_or(0, |it| u32::from_le_bytes(*it))
}
