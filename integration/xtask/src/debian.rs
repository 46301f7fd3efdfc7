//! Programs of Debian's that tests run beside Envoy: those on PATH, or unpacked under target/tools without
//! being installed, so that neither root nor the system's state is needed.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::process::{self, say};
use crate::workspace::Workspace;

/// A program, and the packages that carry it and the libraries a small system lacks.
#[derive(Clone, Copy, Debug)]
pub struct Program {
    /// What it is called on PATH.
    pub name: &'static str,
    /// Where its packages put it, without the leading slash.
    pub path: &'static str,
    /// The packages to unpack.
    pub packages: &'static [&'static str],
}

/// Redis: what Envoy's rate-limit service counts in.
pub const REDIS: Program = Program {
    name: "redis-server",
    path: "usr/bin/redis-server",
    packages: &["redis-server", "redis-tools", "libjemalloc2", "liblzf1", "libatomic1"],
};

/// What several replicas of the control service share.
pub const POSTGRES: Program = Program {
    name: "postgres",
    path: "usr/lib/postgresql/15/bin/postgres",
    packages: &["postgresql-15", "libpq5", "libicu72", "libxml2", "libldap-2.5-0", "libsasl2-2"],
};

/// What checks and tests alert rules of Prometheus.
pub const PROMTOOL: Program =
    Program { name: "promtool", path: "usr/bin/promtool", packages: &["prometheus"] };

/// What copies and inspects OCI images.
pub const SKOPEO: Program = Program {
    name: "skopeo",
    path: "usr/bin/skopeo",
    packages: &["skopeo", "libgpgme11", "libassuan0", "libgpg-error0", "libdevmapper1.02.1"],
};

/// A program that runs on this machine.
#[derive(Clone, Debug)]
pub struct Installed {
    /// Its file.
    pub binary: PathBuf,
    /// Where its libraries were unpacked, for `LD_LIBRARY_PATH`; none where the system has them.
    pub libraries: Option<PathBuf>,
}

/// Finds or fetches a program, and says which.
///
/// # Errors
/// What Debian's tools say, or that this is no system that has them.
pub fn obtain(workspace: &Workspace, program: &Program) -> Result<Installed> {
    if let Some(binary) = process::find(program.name) {
        say(format!("{} ({})", program.name, binary.display()));
        return Ok(Installed { binary, libraries: None });
    }
    let dir = workspace.tools().join("debian").join(program.name);
    let binary = dir.join(program.path);
    if !binary.exists() {
        fetch(&dir, program)?;
    }
    if !binary.exists() {
        bail!("Debian's {} hold no {}", program.packages.join(" and "), program.path);
    }
    let libraries = dir.join(format!("usr/lib/{}-linux-gnu", std::env::consts::ARCH));
    say(format!("{} (Debian's package, kept under target/tools)", program.name));
    Ok(Installed { binary, libraries: libraries.is_dir().then_some(libraries) })
}

/// Downloads and unpacks the packages.
fn fetch(dir: &Path, program: &Program) -> Result<()> {
    let (Some(apt), Some(dpkg)) = (process::find("apt-get"), process::find("dpkg-deb")) else {
        bail!("no {} on PATH, and no apt-get to fetch it with: install it", program.name);
    };
    std::fs::create_dir_all(dir)?;
    say(format!("fetching Debian's {}, without installing", program.packages.join(", ")));
    let download = |options: &[String]| {
        let mut command = Command::new(&apt);
        command.current_dir(dir).args(options).args(["-qq", "download"]).args(program.packages);
        process::output(&mut command)
    };
    if download(&[]).is_err() {
        // No package lists, or old ones: fresh lists of one's own need no root.
        let options = own_state(dir)?;
        process::output(Command::new(&apt).args(&options).args(["-qq", "update"]))?;
        download(&options)?;
    }
    for entry in std::fs::read_dir(dir)? {
        let package = entry?.path();
        if package.extension().is_some_and(|extension| extension == "deb") {
            process::run(Command::new(&dpkg).arg("-x").arg(&package).arg(dir))?;
            std::fs::remove_file(&package)?;
        }
    }
    // Some packages still put their libraries beside `usr`.
    let architecture = format!("{}-linux-gnu", std::env::consts::ARCH);
    let (beside, libraries) =
        (dir.join("lib").join(&architecture), dir.join("usr/lib").join(&architecture));
    if beside.is_dir() {
        std::fs::create_dir_all(&libraries)?;
        for entry in std::fs::read_dir(&beside)? {
            let library = entry?;
            std::fs::rename(library.path(), libraries.join(library.file_name()))?;
        }
    }
    Ok(())
}

/// Options that keep apt's lists and caches beside what they are for.
fn own_state(dir: &Path) -> Result<Vec<String>> {
    let state = dir.join("apt");
    for needed in ["lists/partial", "cache/archives/partial"] {
        std::fs::create_dir_all(state.join(needed)).with_context(|| state.display().to_string())?;
    }
    let state = state.display();
    Ok(vec![
        "-o".to_owned(),
        format!("Dir::State::lists={state}/lists"),
        "-o".to_owned(),
        format!("Dir::Cache={state}/cache"),
        "-o".to_owned(),
        "APT::Sandbox::User=".to_owned(),
    ])
}

impl Installed {
    /// Names the program in the environment of another, and its libraries as `VARIABLE_LIBRARIES`.
    pub fn name_in(&self, command: &mut Command, variable: &str) {
        command.env(variable, &self.binary);
        if let Some(libraries) = &self.libraries {
            command.env(format!("{variable}_LIBRARIES"), libraries);
        }
    }

    /// A command of the program, with its own libraries in reach.
    pub fn command(&self) -> Command {
        let mut command = Command::new(&self.binary);
        if let Some(libraries) = &self.libraries {
            command.env("LD_LIBRARY_PATH", libraries);
        }
        command
    }
}
