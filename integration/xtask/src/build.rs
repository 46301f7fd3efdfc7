//! `cargo xtask build`: the native compiler and the wasm filter, put into target/dist.

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result};

use crate::process::{self, say};
use crate::size;
use crate::wasm_std::{self, TARGET, WasmToolchain};
use crate::workspace::Workspace;

#[derive(clap::Args)]
pub struct Options {
    /// Only the native compiler
    #[arg(long)]
    compiler: bool,
    /// Only the wasm filter
    #[arg(long)]
    filter: bool,
    /// The demo bank too, for docker-compose
    #[arg(long)]
    bank: bool,
    /// Build the compiler with the dev profile: faster to build, slower to run
    #[arg(long)]
    dev: bool,
}

pub fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    let both = !options.compiler && !options.filter;
    if both || options.compiler {
        compiler(workspace, if options.dev { "dev" } else { "tools" })?;
    }
    if both || options.filter {
        filter(workspace)?;
        size::summary(workspace)?;
    }
    if options.bank {
        bank(workspace)?;
    }
    Ok(())
}

/// Builds the demo bank and returns its path in target/dist.
pub fn bank(workspace: &Workspace) -> Result<PathBuf> {
    say("building the demo bank (profile tools)");
    let package = ["build", "--profile", "tools", "--package", "demo-bank"];
    process::run(process::cargo().current_dir(&workspace.root).args(package))?;
    let bank = workspace.dist().join("demo-bank");
    install(&workspace.target.join("tools/demo-bank"), &bank)?;
    Ok(bank)
}

/// Builds the compiler by the named Cargo profile and returns its path in target/dist.
pub fn compiler(workspace: &Workspace, profile: &str) -> Result<PathBuf> {
    let started = Instant::now();
    say(format!("building the compiler `portcullis` (profile {profile})"));
    let package = ["build", "--package", "policy-compiler", "--bin", "portcullis"];
    process::run(
        process::cargo().current_dir(&workspace.root).args(package).args(["--profile", profile]),
    )?;
    let dir = if profile == "dev" { "debug" } else { profile };
    let built = workspace.target.join(dir).join("portcullis");
    install(&built, &workspace.compiler())?;
    say(format!("compiler: {} ({:.1?})", workspace.compiler().display(), started.elapsed()));
    Ok(workspace.compiler())
}

/// Builds the wasm filter and returns the path of the shipped module in target/dist.
pub fn filter(workspace: &Workspace) -> Result<PathBuf> {
    let started = Instant::now();
    let toolchain = wasm_std::find(workspace)?;
    say("building the wasm filter (profile filter)");
    let built = filter_at(&toolchain, &workspace.root, &workspace.target)?;
    let module = std::fs::read(&built).with_context(|| built.display().to_string())?;
    install(&built, &workspace.filter_wasm_with_names())?;
    std::fs::write(workspace.filter_wasm(), size::without_custom_sections(&module)?)?;
    say(format!("filter: {} ({:.1?})", workspace.filter_wasm().display(), started.elapsed()));
    Ok(workspace.filter_wasm())
}

/// Builds the filter from the sources at `root`; the module returned still has its names.
pub fn filter_at(toolchain: &WasmToolchain, root: &Path, target: &Path) -> Result<PathBuf> {
    process::run(
        toolchain
            .cargo("build", root)
            .args(["--profile", "filter", "--locked", "--package", "portcullis-filter"])
            .arg("--target-dir")
            .arg(target),
    )?;
    Ok(target.join(TARGET).join("filter/portcullis_filter.wasm"))
}

/// Copies by rename, so that a program that runs the old file keeps it.
fn install(from: &Path, to: &Path) -> Result<()> {
    let dir = to.parent().context("no directory to install into")?;
    std::fs::create_dir_all(dir)?;
    let beside = to.with_extension("new");
    std::fs::copy(from, &beside).with_context(|| from.display().to_string())?;
    std::fs::rename(&beside, to)?;
    Ok(())
}
