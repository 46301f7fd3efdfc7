//! `cargo xtask suite limits`: every kind of limit and caller, and limits that a service counts in Redis.

use std::process::Command;

use anyhow::{Result, bail};

use crate::test::Counts;
use crate::workspace::Workspace;
use crate::{build, debian, envoy, process, test};

/// The engine's properties, then the cases natively and through Envoy, then what only a real Envoy can show.
pub fn run(workspace: &Workspace) -> Result<()> {
    let envoy = envoy::obtain(workspace)?;
    let compiler = build::compiler(workspace, "dev")?;
    let module = build::filter(workspace)?;
    let redis = debian::obtain(workspace, &debian::REDIS)?;
    let mut total = Counts::default();
    for (arguments, filters) in [
        (&["--package", "portcullis-engine", "--lib"][..], &["limits::"][..]),
        (&["--package", "portcullis-filter", "--lib"], &["limit", "delegation::", "asked::"]),
        (&["--package", "portcullis-integration", "--test", "cases"], &["::rate-limits::"]),
        (&["--package", "portcullis-integration", "--test", "limits"], &[]),
        (&["--package", "portcullis-integration", "--test", "delegation"], &[]),
    ] {
        let mut command: Command = process::cargo();
        command
            .current_dir(&workspace.root)
            .args(["test", "--quiet"])
            .args(arguments)
            .args(["--", "--show-output"])
            .args(filters)
            .env("PORTCULLIS_ENVOY", &envoy.binary)
            .env("PORTCULLIS_COMPILER", &compiler)
            .env("PORTCULLIS_FILTER", &module);
        redis.name_in(&mut command, "PORTCULLIS_REDIS");
        let counts = test::counted(&mut command)?;
        if counts.passed == 0 {
            bail!("`{}` ran no test", process::display(&command));
        }
        total.add(counts);
    }
    println!("cases passed {}/{}", total.passed, total.passed + total.failed);
    if total.failed > 0 || total.skipped > 0 {
        bail!("{total}");
    }
    Ok(())
}
