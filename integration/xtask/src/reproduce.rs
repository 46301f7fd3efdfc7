//! `cargo xtask reproduce`: two builds in two places give the same module.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};

use crate::build;
use crate::process::{self, say};
use crate::size;
use crate::wasm_std;
use crate::workspace::Workspace;

/// Copies the sources to two directories of different depth, builds the filter in each into a target
/// directory of its own, and compares.
pub fn run(workspace: &Workspace) -> Result<()> {
    let toolchain = wasm_std::find(workspace)?;
    let base = workspace.target.join("reproduce");
    if base.exists() {
        std::fs::remove_dir_all(&base)?;
    }
    let places = [base.join("a"), base.join("another/place/for/the/sources")];
    let mut modules = Vec::new();
    for place in &places {
        say(format!("building in {}", place.display()));
        copy_sources(&workspace.root, place)?;
        let built = build::filter_at(&toolchain, place, &place.join("target"))?;
        let named = std::fs::read(&built).with_context(|| built.display().to_string())?;
        let shipped = size::without_custom_sections(&named)?;
        println!(
            "{}  {} bytes  {}",
            hex(&Sha256::digest(&shipped)),
            shipped.len(),
            place.display()
        );
        modules.push(shipped);
    }
    if modules.first() != modules.last() {
        bail!("the modules differ; both are kept under {}", base.display());
    }
    std::fs::remove_dir_all(&base)?;
    println!("reproducible: same bytes from both places with {}", toolchain.version);
    Ok(())
}

/// Lowercase hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Copies what git tracks or would track, as it is in the working tree.
fn copy_sources(root: &Path, to: &Path) -> Result<()> {
    let mut git = Command::new("git");
    git.current_dir(root).args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]);
    let listing = process::output(&mut git)?;
    for name in listing.split('\0').filter(|name| !name.is_empty()) {
        let (from, to) = (root.join(name), to.join(name));
        if !from.is_file() {
            continue;
        }
        let dir: PathBuf = to.parent().context("a file without a directory")?.to_path_buf();
        std::fs::create_dir_all(dir)?;
        std::fs::copy(&from, &to).with_context(|| name.to_owned())?;
    }
    Ok(())
}
