//! `cargo xtask soak`: load on a real Envoy while policies replace each other.

use std::time::Duration;

use anyhow::{Result, bail};
use portcullis_integration::{Artefacts, soak};

use crate::process::say;
use crate::workspace::Workspace;
use crate::{build, envoy};

#[derive(clap::Args)]
pub struct Options {
    /// How long to send requests
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    seconds: u64,
    /// How many updates to spread over that time; a corrupt one comes on top
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    updates: u32,
}

/// Runs the load; fails where a request did, or an update was not served.
pub fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    let artefacts = Artefacts {
        compiler: build::compiler(workspace, "tools")?,
        filter: build::filter(workspace)?,
        envoy: envoy::obtain(workspace)?.binary,
    };
    say(format!(
        "load for {} s across {} updates, one more corrupt",
        options.seconds, options.updates
    ));
    let figures = soak::run(&artefacts, Duration::from_secs(options.seconds), options.updates)?;
    for failure in &figures.failures {
        println!("failed: {failure}");
    }
    println!("soak: {figures}");
    if figures.failed > 0 || figures.updates != options.updates || figures.refused != 1 {
        bail!("not every request and update came out as it must");
    }
    Ok(())
}
