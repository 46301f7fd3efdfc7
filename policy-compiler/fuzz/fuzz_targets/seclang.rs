//! Reads hostile SecLang.
//!
//! Whatever the text, there are statements or errors that a person can read, each within the text, the same ones
//! each time.
#![no_main]

use libfuzzer_sys::fuzz_target;
use policy_compiler::diag::Diagnostics;
use policy_compiler::seclang::{MAX_STATEMENTS, parse};

fuzz_target!(|input: &[u8]| {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let run = || {
        let mut diagnostics = Diagnostics::default();
        (parse("fuzz.conf", text, &mut diagnostics), diagnostics)
    };
    let (statements, diagnostics) = run();
    let lines = text.split('\n').count() as u32;
    assert!(statements.len() <= MAX_STATEMENTS);
    for statement in &statements {
        assert!((1..=lines).contains(&statement.at.line) && statement.at.column > 0);
    }
    for found in diagnostics.sorted() {
        let span = &found.labels[0].span;
        assert!((1..=lines).contains(&span.line) && span.column > 0, "{found:?}");
    }
    assert_eq!(run().0, statements);
});
