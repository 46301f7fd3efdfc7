//! Opens hostile bundles behind a valid preamble.
//!
//! The input is a section table and sections, or what begins as one. Header and content hash are made to fit, so
//! that what is attacked is the table, the records and their verification rather than the hash.
//! A bundle that opens must say the same again from its own bytes, and opening in steps must find what opening at once does.
#![no_main]

use libfuzzer_sys::fuzz_target;
use portcullis_bundle::{Bundle, OpenError, Opening, Trust};
use std::ops::ControlFlow;

mod framed;

fuzz_target!(|content: &[u8]| {
    let trust = Trust { keys: Vec::new(), allow_unsigned: true };
    let opened = Bundle::open(framed::framed(content), &trust);
    let in_steps = open_in_steps(framed::framed(content), &trust, content.len() % 9);
    assert_eq!(opened.as_ref().err(), in_steps.err().as_ref());
    let Ok(bundle) = opened else { return };
    let again =
        Bundle::open(bundle.as_bytes().to_vec(), &trust).expect("what opened once opens again");
    assert_eq!(bundle.view().schemas, again.view().schemas);
});

fn open_in_steps(bytes: Vec<u8>, trust: &Trust, units: usize) -> Result<Bundle, OpenError> {
    let mut opening = Opening::begin(bytes, trust)?;
    loop {
        match opening.go_on(units)? {
            ControlFlow::Continue(further) => opening = further,
            ControlFlow::Break(bundle) => return Ok(bundle),
        }
    }
}
