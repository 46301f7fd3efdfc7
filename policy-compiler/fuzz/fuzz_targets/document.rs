//! Compiles hostile documents.
//!
//! The first byte of the input chooses the file's name and the policy, the rest is the document. Whatever it says, there is a
//! bundle that opens or an error that a person can read, the same ones each time; every construct is accounted for.
#![no_main]

use libfuzzer_sys::fuzz_target;
use policy_compiler::diag::{BUNDLE_UNSOUND, render_json, render_text};
use policy_compiler::source::Memory;
use policy_compiler::{CompileOutput, Input, Release, compile};
use portcullis_bundle::{Bundle, Trust};

/// Compiles what the default settings refuse, as far as it can be.
const LENIENT: &str = "version: 1
name: fuzz
strictness: { unsupported_patterns: not_enforced, unresolved_refs: not_enforced, undefined_schemes: deny }
apis: [{ name: api, documents: [api.yaml] }]
";

fuzz_target!(|input: &[u8]| {
    let Some((choice, text)) = input.split_first() else { return };
    let name = if choice & 1 == 0 { "api.yaml" } else { "api.json" };
    let policy = LENIENT.replace("api.yaml", name);
    let mut sources = Memory::new([("policy.yaml", policy.as_str()), ("other.yaml", OTHER)]);
    sources.0.insert(name.to_owned(), text.to_vec());
    let input = match choice & 2 {
        0 => Input::Documents(vec![name.to_owned()]),
        _ => Input::Policy("policy.yaml".to_owned()),
    };
    let run = || compile(&sources, &input, &Release::default());
    let output = run();
    let said = render_text(&output.diagnostics, &output.files, false);
    let unsound =
        output.diagnostics.sorted().iter().any(|found| found.code.id == BUNDLE_UNSOUND.id);
    assert!(!unsound, "{said}");
    assert_eq!(output.bundle.is_none(), output.diagnostics.has_errors(), "{said}");
    let again = run();
    assert_eq!(output.bundle, again.bundle, "two bundles of one document");
    assert_eq!(render_json(&output.diagnostics), render_json(&again.diagnostics));
    check(output);
});

/// A bundle opens, and a report accounts for everything.
fn check(output: CompileOutput) {
    let Some(bytes) = output.bundle else { return };
    let trust = Trust { keys: Vec::new(), allow_unsigned: true };
    let bundle = Bundle::open(bytes, &trust).expect("what is written opens");
    let report = output.report.expect("a bundle comes with a report");
    let sum = &report.summary;
    assert_eq!(sum.enforced + sum.approximated + sum.not_enforced, report.constructs.len());
    assert_eq!(bundle.view().documents.len(), report.documents.len());
}

/// What a document may refer to.
const OTHER: &str = "x: { type: object, properties: { self: { $ref: '#/x' } } }
y: { $ref: 'api.yaml#/components/schemas/a' }
";
