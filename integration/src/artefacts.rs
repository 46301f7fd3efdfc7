//! What the tests run: built and obtained by `cargo xtask`, which names them in the environment.

use std::path::{Path, PathBuf};

/// The programs and the module under test.
#[derive(Clone, Debug)]
pub struct Artefacts {
    /// Envoy's binary (`PORTCULLIS_ENVOY`, or what `cargo xtask envoy` keeps under target/tools).
    pub envoy: PathBuf,
    /// The wasm module (`PORTCULLIS_FILTER`, or target/dist/portcullis_filter.wasm).
    pub filter: PathBuf,
    /// The compiler (`PORTCULLIS_COMPILER`, or target/dist/portcullis).
    pub compiler: PathBuf,
}

impl Artefacts {
    /// All three, or nothing with a line that says what is missing and how to get it.
    pub fn find() -> Option<Self> {
        let target = target();
        let all = Self {
            envoy: envoy()?,
            filter: named("PORTCULLIS_FILTER", target.join("dist/portcullis_filter.wasm"))?,
            compiler: named("PORTCULLIS_COMPILER", target.join("dist/portcullis"))?,
        };
        Some(all)
    }
}

/// Envoy alone, for tests that need neither the module nor the compiler.
pub fn envoy() -> Option<PathBuf> {
    named("PORTCULLIS_ENVOY", target().join("tools/envoy-1.40.0/envoy/_bin/envoy"))
}

/// The top of the checkout.
pub fn root() -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.parent().unwrap_or(manifest).to_path_buf()
}

/// Cargo's target directory.
pub fn target() -> PathBuf {
    match std::env::var_os("CARGO_TARGET_DIR") {
        Some(dir) => root().join(dir),
        None => root().join("target"),
    }
}

fn named(variable: &str, default: PathBuf) -> Option<PathBuf> {
    let path = std::env::var_os(variable).map_or(default, PathBuf::from);
    if path.is_file() {
        return Some(path);
    }
    println!("skipped: no {} (set {variable}, or run `cargo xtask test`)", path.display());
    None
}
