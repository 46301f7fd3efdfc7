//! ModSecurity as the Python package `libmodsecurity`, which comparisons ask.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};

use crate::process::{self, say};
use crate::workspace::Workspace;

const PACKAGE: &str = "libmodsecurity==3.0.15";

/// Python with ModSecurity, installed where it is not there yet.
pub fn python(workspace: &Workspace) -> Result<PathBuf> {
    let venv = workspace.target.join("tools").join(PACKAGE.replace("==", "-"));
    let python = venv.join("bin/python");
    let works = |python: &PathBuf| {
        let mut command = Command::new(python);
        command.args(["-c", "import libmodsecurity"]);
        process::succeeds_within(&mut command, std::time::Duration::from_secs(60))
    };
    if python.is_file() && works(&python) {
        return Ok(python);
    }
    let system = process::find("python3").context("python3 is not on PATH")?;
    say(format!("installing {PACKAGE} from PyPI into {}", venv.display()));
    process::run(Command::new(system).args(["-m", "venv"]).arg(&venv))?;
    let install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", PACKAGE];
    process::run(Command::new(&python).args(install))?;
    Ok(python)
}
