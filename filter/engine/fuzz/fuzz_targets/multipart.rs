//! Judges hostile bodies: multipart/form-data.
#![no_main]

use libfuzzer_sys::fuzz_target;

mod body;

fuzz_target!(|input: &[u8]| drop(body::judge(b"/b", b"multipart/form-data; boundary=X", input)));
