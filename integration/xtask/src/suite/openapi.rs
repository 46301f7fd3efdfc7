//! `cargo xtask suite openapi DIR`: builds the tool that holds the compiler and the engine against documents, and runs
//! it. See integration/suite.

use std::path::PathBuf;

use anyhow::Result;

use crate::process::{self, say};
use crate::workspace::Workspace;

#[derive(clap::Args)]
pub struct Options {
    /// A folder of documents (files, or folders with one root document each), or one document
    path: PathBuf,
    /// Passed on to the tool: `--samples N`, `--only NAME`, `--limit N`
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

pub fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    let path = std::path::absolute(&options.path)?;
    tool(workspace)?;
    let mut command = std::process::Command::new(workspace.target.join("tools/suite"));
    command.current_dir(&workspace.root).arg("openapi").arg(path);
    process::run(command.args(&options.arguments))
}

#[derive(clap::Args)]
pub struct Differential {
    /// Passed on to the tool: `--instances N`, `--seed S`
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

/// Runs the differential suite over the documents of the data folder, the official suite's schemas, and random ones.
pub fn differential(
    workspace: &Workspace,
    data: &std::path::Path,
    options: &Differential,
) -> Result<()> {
    let documents = data.join("specs");
    if !documents.is_dir() {
        println!("skipped: {} is not on this machine", documents.display());
        return Ok(());
    }
    tool(workspace)?;
    let mut command = std::process::Command::new(workspace.target.join("tools/suite"));
    command.current_dir(&workspace.root).arg("differential").arg(documents);
    let official = data.join("json-schema-test-suite");
    if official.is_dir() {
        command.arg("--official").arg(official);
    }
    process::run(command.args(&options.arguments))
}

/// Builds the tool.
pub fn tool(workspace: &Workspace) -> Result<()> {
    say("building the suite (profile tools)");
    let package = ["--profile", "tools", "--package", "portcullis-suite", "--bin", "suite"];
    process::run(process::cargo().current_dir(&workspace.root).arg("build").args(package))
}
