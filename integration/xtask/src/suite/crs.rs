//! `cargo xtask suite crs`: rules in SecLang against regression tests.

use std::path::Path;

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

/// The same rules by ModSecurity, on the tests' requests and on others made of them.
#[derive(clap::Args)]
pub struct Differential {
    /// Requests made of the tests' payloads
    #[arg(long, default_value_t = 20_000)]
    probes: u64,
    /// What they are derived from
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Passed on to the tool, in place of the data's own rules: `--rules DIR --setup FILE --tests DIR`
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

/// Compares; the last line is `agreed A/B`.
pub fn differential(workspace: &Workspace, data: &Path, options: &Differential) -> Result<()> {
    tool(workspace)?;
    let python = super::modsecurity::python(workspace)?;
    let mut command = std::process::Command::new(workspace.target.join("tools/suite"));
    command.current_dir(&workspace.root).arg("crs").arg("--python").arg(python);
    command.args(["--probes", &options.probes.to_string(), "--seed", &options.seed.to_string()]);
    if options.arguments.is_empty() {
        let data = data.join("crs");
        command.arg("--rules").arg(data.join("rules"));
        command.arg("--setup").arg(data.join("crs-setup.conf.example"));
        command.arg("--tests").arg(data.join("regression"));
    }
    process::run(command.args(&options.arguments))
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
