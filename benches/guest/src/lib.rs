//! What both sides of the schema benchmark share: memory, a table of bodies, and one way to have
//! it judged, so that what is measured differs by the validator alone.
//!
//! Bodies are passed as a table in the module's memory: for each body its address, its length and
//! a word that receives the verdict.
#![expect(unsafe_code, reason = "the host passes addresses in the module's memory")]

mod count;

use std::cell::RefCell;

pub use count::{Counting, allocations};

/// What `open` answers for input that it cannot use.
pub const REFUSED: u32 = u32::MAX;

/// Judges one body.
pub type Judge = Box<dyn FnMut(&[u8]) -> bool>;

thread_local! {
    static JUDGES: RefCell<Vec<Judge>> = const { RefCell::new(Vec::new()) };
}

/// One body and the place for its verdict.
#[repr(C)]
#[derive(Debug)]
pub struct Entry {
    bytes: *const u8,
    length: usize,
    accepted: u32,
}

/// Keeps a validator; gives the handle that [`judge`] takes.
pub fn keep(judge: Option<Judge>) -> u32 {
    let Some(judge) = judge else { return REFUSED };
    JUDGES.with_borrow_mut(|all| {
        all.push(judge);
        all.len() as u32 - 1
    })
}

/// The bytes that the host has written.
///
/// # Safety
/// `bytes` points to `length` bytes that were reserved.
pub unsafe fn input(bytes: *const u8, length: usize) -> &'static [u8] {
    // SAFETY: the caller's contract; what is reserved is never freed.
    unsafe { std::slice::from_raw_parts(bytes, length) }
}

/// Memory for `length` bytes, never freed.
#[unsafe(no_mangle)]
pub extern "C" fn reserve(length: usize) -> *mut u8 {
    // Words, so that the table of bodies is aligned.
    vec![0u64; length.div_ceil(8)].leak().as_mut_ptr().cast()
}

/// Allocations so far.
#[unsafe(no_mangle)]
pub extern "C" fn count_allocations() -> u32 {
    allocations()
}

/// Judges a table of bodies; gives how many are accepted.
///
/// # Safety
/// `table` points to `count` entries, each of which points to its reserved bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn judge(handle: u32, table: *mut Entry, count: usize) -> u32 {
    // SAFETY: the caller's contract.
    let entries = unsafe { std::slice::from_raw_parts_mut(table, count) };
    JUDGES.with_borrow_mut(|all| {
        let Some(judge) = all.get_mut(handle as usize) else { return REFUSED };
        let mut accepted = 0;
        for entry in entries {
            // SAFETY: the caller's contract.
            let body = unsafe { input(entry.bytes, entry.length) };
            entry.accepted = u32::from(judge(body));
            accepted += entry.accepted;
        }
        accepted
    })
}
