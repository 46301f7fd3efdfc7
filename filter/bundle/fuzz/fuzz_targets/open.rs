//! Opens hostile bundles behind a valid preamble.
//!
//! The input is a section table and sections, or what begins as one. Header and content hash are made to fit, so
//! that what is attacked is the table, the records and their verification rather than the hash.
//! A bundle that opens must say the same again from its own bytes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use portcullis_bundle::{Bundle, Trust};

mod framed;

fuzz_target!(|content: &[u8]| {
    let trust = Trust { keys: Vec::new(), allow_unsigned: true };
    let Ok(bundle) = Bundle::open(framed::framed(content), &trust) else { return };
    let again = Bundle::open(bundle.as_bytes().to_vec(), &trust).expect("what opened once opens again");
    assert_eq!(bundle.view().schemas, again.view().schemas);
});
