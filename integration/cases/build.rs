//! Writes one wasm test for each compiled case in the directory `PORTCULLIS_CASES`, which
//! `cargo xtask test` fills: wasm has no files and no way to make tests when they run.

use std::fmt::Write as _;
use std::path::Path;
use std::{env, fs};

fn main() {
    println!("cargo::rerun-if-env-changed=PORTCULLIS_CASES");
    let mut source = String::new();
    if let Some(dir) = env::var_os("PORTCULLIS_CASES") {
        println!("cargo::rerun-if-changed={}", Path::new(&dir).display());
        let mut paths: Vec<_> = fs::read_dir(&dir)
            .expect("PORTCULLIS_CASES")
            .map(|e| e.expect("entry").path())
            .collect();
        paths.sort();
        for path in paths.iter().filter(|path| path.extension().is_some_and(|e| e == "json")) {
            println!("cargo::rerun-if-changed={}", path.display());
            suite(&mut source, path);
        }
    }
    let out = env::var_os("OUT_DIR").expect("cargo sets OUT_DIR");
    fs::write(Path::new(&out).join("wasm_cases.rs"), source).expect("OUT_DIR can be written");
}

fn suite(source: &mut String, path: &Path) {
    let cases: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(path).expect("a suite")).expect("JSON");
    let stem = identifier(&path.file_stem().expect("a name").to_string_lossy());
    let bundle = path.with_extension("bundle");
    writeln!(
        source,
        "mod {stem} {{ use super::*; const BUNDLE: &[u8] = include_bytes!({bundle:?});"
    )
    .expect("a string takes it");
    writeln!(source, "const CASES: &str = include_str!({path:?});").expect("a string takes it");
    for (index, case) in cases.as_array().expect("a list of cases").iter().enumerate() {
        let name = identifier(case["name"].as_str().expect("a name"));
        writeln!(
            source,
            "#[wasm_bindgen_test] fn case_{index:03}_{name}() {{ run(BUNDLE, CASES, {index}); }}"
        )
        .expect("a string takes it");
    }
    source.push_str("}\n");
}

fn identifier(name: &str) -> String {
    let mut out = String::new();
    for c in name.chars() {
        match c {
            'a'..='z' | '0'..='9' => out.push(c),
            'A'..='Z' => out.push(c.to_ascii_lowercase()),
            '\'' => {}
            _ if out.is_empty() || out.ends_with('_') => {}
            _ => out.push('_'),
        }
    }
    out.trim_end_matches('_').to_owned()
}
