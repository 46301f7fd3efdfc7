//! `cargo xtask suite skipped`: that no attack rule is skipped at a value that it would have matched.

use std::path::Path;

use anyhow::Result;

use super::openapi::tool;
use crate::process;
use crate::workspace::Workspace;

#[derive(clap::Args)]
pub struct Options {
    /// Leave out the documents of PORTCULLIS_DATA
    #[arg(long)]
    built_in: bool,
    /// Passed on to the tool: `PATH` of documents instead of those of PORTCULLIS_DATA, `--requests N`, `--rules N`,
    /// `--seed N`, `--only NAME`
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

pub fn run(workspace: &Workspace, data: &Path, options: &Options) -> Result<()> {
    tool(workspace)?;
    let mut command = std::process::Command::new(workspace.target.join("tools/suite"));
    command.current_dir(&workspace.root).arg("skipped");
    let named = options.arguments.iter().any(|argument| Path::new(argument).exists());
    let specs = data.join("specs");
    if !options.built_in && !named && specs.is_dir() {
        command.arg(specs);
    }
    process::run(command.args(&options.arguments))
}
