//! The wasm-bindgen test runner, in the version that Cargo.lock asks for.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};

use crate::process::{self, say};
use crate::workspace::Workspace;

/// The path of `wasm-bindgen-test-runner`, installed under target/tools when it is not there yet.
pub fn test_runner(workspace: &Workspace) -> Result<PathBuf> {
    if process::find("node").is_none() {
        bail!("`node` is not on PATH: wasm tests run under Node 20 or newer");
    }
    let version = locked_version(workspace)?;
    let root = workspace.tools().join(format!("wasm-bindgen-{version}"));
    let runner = root.join("bin/wasm-bindgen-test-runner");
    if !runner.is_file() {
        say(format!("installing wasm-bindgen-cli {version} into {}", root.display()));
        process::run(
            process::cargo()
                .current_dir(&workspace.root)
                .args(["install", "--quiet", "wasm-bindgen-cli", "--version", &version, "--root"])
                .arg(&root),
        )?;
    }
    Ok(runner)
}

fn locked_version(workspace: &Workspace) -> Result<String> {
    let lock = std::fs::read_to_string(workspace.root.join("Cargo.lock"))?;
    let (_, rest) = lock
        .split_once("name = \"wasm-bindgen\"\nversion = \"")
        .context("Cargo.lock has no wasm-bindgen")?;
    let (version, _) = rest.split_once('"').context("Cargo.lock is cut off")?;
    Ok(version.to_owned())
}
