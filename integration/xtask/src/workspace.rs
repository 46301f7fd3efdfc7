//! Where things are: the sources, the target directory, what is fetched and what is made.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::Value;

use crate::process;

/// The paths of this checkout.
#[derive(Clone, Debug)]
pub struct Workspace {
    /// The directory of the top `Cargo.toml`.
    pub root: PathBuf,
    /// Cargo's target directory.
    pub target: PathBuf,
}

impl Workspace {
    /// The workspace that this binary was built from.
    pub fn locate() -> Self {
        let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
        let root = manifest.ancestors().nth(2).unwrap_or(manifest).to_path_buf();
        let target = match std::env::var_os("CARGO_TARGET_DIR") {
            Some(dir) => root.join(dir),
            None => root.join("target"),
        };
        Self { root, target }
    }

    /// Where downloaded and installed tools are kept.
    pub fn tools(&self) -> PathBuf {
        self.target.join("tools")
    }

    /// Where the artefacts of a build are put.
    pub fn dist(&self) -> PathBuf {
        self.target.join("dist")
    }

    /// The wasm module as it is shipped.
    pub fn filter_wasm(&self) -> PathBuf {
        self.dist().join("portcullis_filter.wasm")
    }

    /// The same module with its function names, for `size` and for reading traces.
    pub fn filter_wasm_with_names(&self) -> PathBuf {
        self.dist().join("portcullis_filter.names.wasm")
    }

    /// The native compiler.
    pub fn compiler(&self) -> PathBuf {
        self.dist().join("portcullis")
    }
}

/// What `cargo metadata` says about the workspace's own packages.
pub fn metadata(workspace: &Workspace) -> Result<Value> {
    let mut command = process::cargo();
    command.current_dir(&workspace.root);
    let text = process::output(command.args(["metadata", "--format-version", "1", "--no-deps"]))?;
    serde_json::from_str(&text).context("cargo metadata is not JSON")
}
