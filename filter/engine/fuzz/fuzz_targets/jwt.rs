//! Judges hostile bodies: JOSE objects.
#![no_main]

use libfuzzer_sys::fuzz_target;

mod body;

fuzz_target!(|input: &[u8]| body::judge(b"application/jwt", input));
