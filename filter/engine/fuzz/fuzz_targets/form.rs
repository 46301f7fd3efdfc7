//! Judges hostile bodies: forms.
#![no_main]

use libfuzzer_sys::fuzz_target;

mod body;

fuzz_target!(|input: &[u8]| drop(body::judge(b"/b", b"application/x-www-form-urlencoded", input)));
