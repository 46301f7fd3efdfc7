//! Whether the disk has room for a whole run: without it the last stages fail after twenty minutes, each in its own words.

use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::process;
use crate::workspace::Workspace;

/// What a run from a clean clone leaves in `target`, and what its tests need beside that, in KiB: rounded up.
const WHOLE_RUN: u64 = 9 << 20;

/// An error where what is free and what an earlier run left are less than a whole run takes.
pub fn check(workspace: &Workspace) -> Result<()> {
    std::fs::create_dir_all(&workspace.target)?;
    let free = free(&workspace.target)?;
    if free >= WHOLE_RUN {
        return Ok(());
    }
    let needed = WHOLE_RUN.saturating_sub(used(&workspace.target)?);
    if free < needed {
        bail!(
            "{:.1} GiB are free for {}, a whole run takes {:.1} GiB more: \
             make room, set CARGO_TARGET_DIR to another disk, or run single stages with `--only`",
            gib(free),
            workspace.target.display(),
            gib(needed)
        );
    }
    Ok(())
}

/// KiB that the user may still write to the directory's file system, by POSIX `df`.
fn free(dir: &Path) -> Result<u64> {
    let text = process::output(std::process::Command::new("df").arg("-Pk").arg(dir))?;
    let row = text.lines().last().and_then(|row| row.split_whitespace().nth(3));
    row.and_then(|number| number.parse().ok()).context("`df -Pk` has no fourth column")
}

/// KiB that the directory takes, by POSIX `du`.
fn used(dir: &Path) -> Result<u64> {
    let text = process::output(std::process::Command::new("du").arg("-skx").arg(dir))?;
    let number = text.split_whitespace().next().and_then(|number| number.parse().ok());
    number.context("`du -sk` has no first column")
}

fn gib(kib: u64) -> f64 {
    kib as f64 / f64::from(1 << 20)
}
