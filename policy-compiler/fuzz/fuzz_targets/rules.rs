//! Compiles hostile packs of rules, and scans values by what they become.
//!
//! The input is a pack, and after a NUL a value. There is a bundle that opens, and then the value is judged alike whether
//! literals propose rules or every rule is tried; or there is an error that a person can read, the same each time.
#![no_main]

use libfuzzer_sys::fuzz_target;
use policy_compiler::diag::{BUNDLE_UNSOUND, render_text};
use portcullis_bundle::{Bundle, Trust};
use portcullis_engine::exchange::{Exchange, RequestHead};
use portcullis_engine::finding::FindingCode;

#[allow(dead_code)]
mod scan;

fuzz_target!(|input: &[u8]| {
    let (pack, value) = scan::cut(input, b"\0");
    let output = scan::compile("rules.yaml", pack, "1MiB");
    let said = render_text(&output.diagnostics, &output.files, false);
    let unsound =
        output.diagnostics.sorted().iter().any(|found| found.code.id == BUNDLE_UNSOUND.id);
    assert!(!unsound, "{said}");
    assert_eq!(output.bundle.is_none(), output.diagnostics.has_errors(), "{said}");
    let Some(bytes) = output.bundle else { return };
    if pack.len() % 16 == 0 {
        let again = scan::compile("rules.yaml", pack, "1MiB");
        assert!(again.bundle.as_ref() == Some(&bytes), "two bundles of one pack");
    }
    let bundle = Bundle::open(bytes, &Trust { keys: Vec::new(), allow_unsigned: true });
    let bundle = bundle.expect("what is written opens");
    let path = [b"/a?q=", value].concat();
    let headers: [(&[u8], &[u8]); 2] = [(b"cookie", value), (b"x-a", value)];
    let head = RequestHead {
        method: b"POST",
        path: &path,
        authority: b"a",
        headers: &headers,
        end_of_stream: false,
    };
    let mut exchange = Exchange::new();
    let proposed = scan::judge(&bundle, &mut exchange, &head, 64, value);
    exchange.try_every_rule(true);
    let tried = scan::judge(&bundle, &mut exchange, &head, 64, value);
    let exhausted = |it: &portcullis_engine::decision::Decision| {
        it.findings.iter().any(|finding| finding.code == FindingCode::AttackBudget)
    };
    if !exhausted(&proposed) && !exhausted(&tried) {
        assert_eq!(proposed, tried, "{}", String::from_utf8_lossy(pack));
    }
});
