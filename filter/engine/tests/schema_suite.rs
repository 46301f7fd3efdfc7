//! The official JSON Schema test suite, lowered keyword by keyword. It is not part of the repository: without
//! `PORTCULLIS_DATA` (or the folder that it stands for) these tests say `skipped`.
#![cfg(not(target_arch = "wasm32"))]

// The compiler's table of characters in host names, which programs with such formats need.
#[path = "../../../policy-compiler/src/lower/idn.rs"]
mod idn;
#[path = "common/program.rs"]
mod program;

use portcullis_engine::schema::{FaultKind, Limits, NoSink, Validator};
use program::Program;
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};

/// Files or groups in which the program means something else on purpose, each with the reason.
const KNOWN: &[(&str, &str)] =
    &[("float-overflow.json", "numbers are judged exactly: 1e308 is an integer")];

fn known(name: &str) -> bool {
    KNOWN.iter().any(|(known, _)| *known == name)
}

fn suite(draft: &str) -> Option<PathBuf> {
    let root = std::env::var_os("PORTCULLIS_DATA").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data"),
        PathBuf::from,
    );
    let path = root.join("json-schema-test-suite/tests").join(draft);
    path.is_dir().then_some(path)
}

fn run(folder: &Path, formats: bool) -> (usize, usize, Vec<String>) {
    let (mut judged, mut passed_over, mut wrong) = (0, 0, Vec::new());
    let mut files: Vec<_> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let mut validator = Validator::new();
    let idn = idn::table();
    for file in files.iter().filter(|file| file.extension().is_some_and(|e| e == "json")) {
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        if known(&name) {
            continue;
        }
        let groups: Vec<Value> = serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap();
        for group in groups.iter().filter(|group| !known(group["description"].as_str().unwrap())) {
            let (mut program, schema) = Program::with_formats(&group["schema"], formats);
            program.sections.idn.clone_from(&idn);
            let tests = group["tests"].as_array().unwrap();
            if !program.unsupported.is_empty() {
                passed_over += tests.len();
                continue;
            }
            for test in tests {
                let body = test["data"].to_string();
                let limits = Limits { depth: 128, ..Limits::default() };
                let verdict = validator.validate(
                    &program.view(),
                    schema,
                    limits,
                    body.as_bytes(),
                    &mut NoSink,
                );
                let expected = test["valid"].as_bool().unwrap();
                judged += 1;
                let sound = match &verdict {
                    Ok(()) => expected,
                    Err(fault) => !expected && fault.kind == FaultKind::Invalid,
                };
                if !sound {
                    wrong.push(format!(
                        "{name}: {}: {}: {verdict:?}",
                        group["description"], test["description"]
                    ));
                }
            }
        }
    }
    (judged, passed_over, wrong)
}

#[test]
fn keywords_mean_what_the_suite_says() {
    let Some(suite) = suite("draft2020-12") else {
        println!("skipped: no JSON Schema test suite");
        return;
    };
    let (judged, passed_over, wrong) = run(&suite, false);
    println!("{judged} judged, {passed_over} passed over");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(judged > 700, "{judged}");
}

#[test]
fn formats_mean_what_the_suite_says() {
    // Every case is judged but those of `unknown.json`, whose format no program asserts.
    for (draft, cases, unknown) in [("draft2020-12", 757, 7), ("draft4", 0, 7)] {
        let Some(suite) = suite(draft) else {
            println!("skipped: no JSON Schema test suite");
            return;
        };
        let (judged, passed_over, wrong) = run(&suite.join("optional/format"), true);
        println!("{draft}: {judged} judged, {passed_over} passed over");
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
        assert!(judged >= cases, "{judged}");
        assert_eq!(passed_over, unknown);
    }
}
