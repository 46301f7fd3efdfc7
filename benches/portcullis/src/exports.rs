//! The exports for Node, besides those of the guest crate.
#![expect(unsafe_code, reason = "the host passes addresses in the module's memory")]

use portcullis_bench_guest::{Counting, Judge, input, keep};

use crate::{Engine, Gateway};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Opens the bundle at `bytes`, see [`Engine::open`]; gives its handle.
///
/// # Safety
/// `bytes` points to `length` bytes that were reserved.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn open(bytes: *const u8, length: usize) -> u32 {
    // SAFETY: the caller's contract.
    let engine = Engine::open(unsafe { input(bytes, length) });
    keep(engine.map(|mut engine| Box::new(move |body: &[u8]| engine.accepts(body)) as Judge))
}

/// Opens the bundle at `bytes`, see [`Gateway::open`]; gives its handle.
///
/// # Safety
/// `bytes` points to `length` bytes that were reserved.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn open_gateway(bytes: *const u8, length: usize) -> u32 {
    // SAFETY: the caller's contract.
    let gateway = Gateway::open(unsafe { input(bytes, length) });
    keep(
        gateway.map(|mut gateway| Box::new(move |message: &[u8]| gateway.passes(message)) as Judge),
    )
}
