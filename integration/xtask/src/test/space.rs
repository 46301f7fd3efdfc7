//! Whether the disk has room for a whole run: without it the last stages fail after twenty minutes, each in its own words.

use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::process;
use crate::workspace::Workspace;

/// What a run from a clean clone leaves in `target` (6.7 GiB, measured) and needs beside that meanwhile, in KiB.
const WHOLE_RUN: u64 = 8 << 20;
/// What Cargo keeps beside that to build again by parts (3.6 GiB, measured), unless `CARGO_INCREMENTAL` is 0.
const INCREMENTAL: u64 = 4 << 20;

/// An error where what is free and what an earlier run left are less than a whole run takes.
pub fn check(workspace: &Workspace) -> Result<()> {
    std::fs::create_dir_all(&workspace.target)?;
    let is_built_once = std::env::var("CARGO_INCREMENTAL").is_ok_and(|it| it == "0");
    let whole = if is_built_once { WHOLE_RUN } else { WHOLE_RUN + INCREMENTAL };
    let free = free(&workspace.target)?;
    if free >= whole {
        return Ok(());
    }
    match lacking(whole, used(&workspace.target)?, free) {
        None => Ok(()),
        Some(needed) => bail!(
            "{:.1} GiB are free for {}, a whole run takes {:.1} GiB more: \
             make room, set CARGO_TARGET_DIR to another disk, or run single stages with `--only`",
            gib(free),
            workspace.target.display(),
            gib(needed)
        ),
    }
}

/// What a run needs yet, where less is free.
fn lacking(whole: u64, used: u64, free: u64) -> Option<u64> {
    Some(whole.saturating_sub(used)).filter(|needed| free < *needed)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_earlier_run_left_is_not_needed_again() {
        assert_eq!(lacking(8, 0, 7), Some(8));
        assert_eq!(lacking(8, 6, 1), Some(2));
        assert_eq!(lacking(8, 6, 2), None);
        assert_eq!(lacking(8, 9, 0), None);
    }

    #[test]
    fn the_disk_is_asked() {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        assert!(used(here).unwrap() > 100, "the sources take some room");
        assert!(used(here).unwrap() < 1 << 20 && free(here).is_ok());
        assert!(free(Path::new("/nowhere/at/all")).is_err());
    }
}
