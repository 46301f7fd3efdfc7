//! Judges hostile bodies: JOSE objects.
#![no_main]

use libfuzzer_sys::fuzz_target;

mod body;

fuzz_target!(|input: &[u8]| drop(body::judge(b"/b", b"application/jwt", input)));
