//! The case suite in wasm: `cargo xtask test --only wasm`.
#![cfg(target_arch = "wasm32")]

use portcullis_cases::{Case, judge};
use wasm_bindgen_test::wasm_bindgen_test;

include!(concat!(env!("OUT_DIR"), "/wasm_cases.rs"));

#[wasm_bindgen_test]
fn the_suite_is_compiled_in() {
    assert!(option_env!("PORTCULLIS_CASES").is_some(), "run by `cargo xtask test --only wasm`");
}

fn run(bundle: &[u8], cases: &str, index: usize) {
    let cases: Vec<Case> = serde_json::from_str(cases).expect("cases");
    let differences = judge::differences(&judge::open(bundle), &cases[index]);
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}
