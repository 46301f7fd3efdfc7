//! `cargo xtask suite limits`: every kind of limit and caller.

use std::process::Command;

use anyhow::{Result, bail};

use crate::test::Counts;
use crate::workspace::Workspace;
use crate::{build, envoy, process, test};

/// The engine's properties, then the cases natively and through Envoy, then what only a real Envoy can show.
pub fn run(workspace: &Workspace) -> Result<()> {
    let envoy = envoy::obtain(workspace)?;
    let compiler = build::compiler(workspace, "dev")?;
    let module = build::filter(workspace)?;
    let mut total = Counts::default();
    for arguments in [
        &["--package", "portcullis-engine", "--lib", "--", "limits::"][..],
        &["--package", "portcullis-filter", "--lib", "--", "limit"],
        &["--package", "portcullis-integration", "--test", "cases", "--", "::rate-limits::"],
        &["--package", "portcullis-integration", "--test", "limits"],
    ] {
        let mut command: Command = process::cargo();
        command
            .current_dir(&workspace.root)
            .args(["test", "--quiet"])
            .args(arguments)
            .env("PORTCULLIS_ENVOY", &envoy.binary)
            .env("PORTCULLIS_COMPILER", &compiler)
            .env("PORTCULLIS_FILTER", &module);
        total.add(test::counted(&mut command)?);
    }
    println!("cases passed {}/{}", total.passed, total.passed + total.failed);
    if total.failed > 0 || total.skipped > 0 {
        bail!("{total}");
    }
    Ok(())
}
