//! Reads what a rate-limit service may answer: whatever the bytes, one verdict or none, and the same again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use portcullis_engine::limits::Reply;

fuzz_target!(|message: &[u8]| {
    let reply = Reply::read(message);
    assert_eq!(reply, Reply::read(message));
    // A field that nothing asks for changes nothing; the last verdict counts.
    let with = |more: &[u8]| Reply::read(&[message, more].concat());
    if reply.is_some() {
        assert_eq!(with(b"\x32\x02ab"), reply);
        assert!(with(b"\x08\x00").is_none() && with(b"\x08").is_none());
    }
});
