//! `cargo xtask suite crs`: rules in SecLang against regression tests.

use anyhow::Result;

use super::openapi::tool;
use crate::workspace::Workspace;
use crate::{build, envoy, process};

#[derive(clap::Args)]
pub struct Options {
    /// Passed on to the tool: `--rules DIR --setup FILE --tests DIR`, `--paranoia N`, `--only NUMBER`, `--verbose`,
    /// `--via envoy`
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

pub fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    tool(workspace)?;
    let mut command = std::process::Command::new(workspace.target.join("tools/suite"));
    command.current_dir(&workspace.root).arg("crs").args(&options.arguments);
    if options.arguments.iter().any(|argument| argument.starts_with("--via")) {
        command.arg("--envoy").arg(envoy::obtain(workspace)?.binary);
        command.arg("--filter").arg(build::filter(workspace)?);
    }
    process::run(&mut command)
}
