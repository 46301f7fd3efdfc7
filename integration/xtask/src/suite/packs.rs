//! `cargo xtask suite packs`: the rules of `api-core` against attacks, look-alikes and benign requests.

use anyhow::Result;

use super::openapi::tool;
use crate::process;
use crate::workspace::Workspace;

#[derive(clap::Args)]
pub struct Options {
    /// Passed on to the tool: `--requests N`, `--paranoia N`, `--show N`
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

pub fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    tool(workspace)?;
    let mut command = std::process::Command::new(workspace.target.join("tools/suite"));
    let corpus = workspace.root.join("policy-compiler/packs/corpus");
    command.current_dir(&workspace.root).arg("packs").arg("--corpus").arg(corpus);
    process::run(command.args(&options.arguments))
}
