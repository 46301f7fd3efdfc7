//! Judges hostile bodies: XML.
//!
//! The same body by a schema with names of its own, and as XML that only has to be well-formed; there `roxmltree` must
//! read what the engine takes. (Not the other way round: it reads `<:a/>` and references to no character.)
#![no_main]

use libfuzzer_sys::fuzz_target;
use portcullis_engine::finding::FindingCode;

mod body;

fuzz_target!(|input: &[u8]| {
    // No body at all is nothing to judge.
    if input.is_empty() {
        return;
    }
    let judged = body::judge(b"/x", b"application/xml", input);
    let open = body::judge(b"/x", b"text/xml", input);
    let malformed = open.code() == Some(FindingCode::BodyMalformed);
    if malformed {
        assert!(judged.status != 0, "malformed, and passed by the schema");
    }
    if open.status == 0 {
        let text = core::str::from_utf8(input).expect("XML is text");
        let theirs = roxmltree::Document::parse(text);
        assert!(theirs.is_ok(), "taken, but {:?}", theirs.err());
    }
});
