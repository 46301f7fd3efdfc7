//! Judges any bytes: no panic, no round without end, and what is found was held to be possible.
#![no_main]

use libfuzzer_sys::fuzz_target;
use portcullis_injection::{sql, xss};

fuzz_target!(|value: &[u8]| {
    let found = sql::examine(value);
    assert!(!found.injects || sql::possible(value));
    assert!(found.fingerprint.as_str().len() <= 5);
    assert!(!xss::is_xss(value) || xss::possible(value));
});
