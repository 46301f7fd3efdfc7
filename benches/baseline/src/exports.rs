//! The exports for Node, besides those of the guest crate.
#![expect(unsafe_code, reason = "the host passes addresses in the module's memory")]

use portcullis_bench_guest::{Counting, Judge, input, keep};

use crate::Baseline;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Builds the validator of the JSON Schema at `bytes`; gives its handle.
///
/// # Safety
/// `bytes` points to `length` bytes that were reserved.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn open(bytes: *const u8, length: usize) -> u32 {
    // SAFETY: the caller's contract.
    let baseline = Baseline::open(unsafe { input(bytes, length) });
    keep(baseline.map(|baseline| Box::new(move |body: &[u8]| baseline.accepts(body)) as Judge))
}

/// ahash seeds itself from getrandom; the benchmark wants every run alike.
#[unsafe(no_mangle)]
unsafe extern "Rust" fn __getrandom_v03_custom(
    destination: *mut u8,
    length: usize,
) -> Result<(), getrandom::Error> {
    // SAFETY: getrandom hands over a buffer of `length` bytes.
    unsafe { std::ptr::write_bytes(destination, 0x5A, length) };
    Ok(())
}
