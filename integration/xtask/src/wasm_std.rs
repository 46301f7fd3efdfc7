//! Finding a standard library for wasm32-unknown-unknown.
//!
//! Four ways, tried in this order: the installed target; `rustup target add`; the library source of
//! the toolchain in use (rustup's `rust-src`), built along; Debian's `rustc-web` and its source.
//! `PORTCULLIS_WASM_STD=installed|rustup|source|debian` forces one.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::process::{self, say};
use crate::workspace::Workspace;

pub const TARGET: &str = "wasm32-unknown-unknown";
const DEBIAN_RUSTC: &str = "/usr/bin/rustc";
const DEBIAN_CARGO: &str = "/usr/bin/cargo";
const DEBIAN_PACKAGES: [&str; 3] = ["rustc-web", "cargo-web", "rust-web-src"];

/// A toolchain that can build for wasm32-unknown-unknown.
#[derive(Clone, Debug)]
pub struct WasmToolchain {
    /// How it was found, for people.
    pub route: &'static str,
    /// What `rustc -vV` says, on one line: the bytes of the module depend on it.
    pub version: String,
    cargo: PathBuf,
    rustc: PathBuf,
    sysroot: PathBuf,
    commit: String,
    linker: Option<PathBuf>,
    build_std: bool,
    cfgs: Vec<String>,
}

/// Finds, or installs, a toolchain with a standard library for the target, and says which.
pub fn find(workspace: &Workspace) -> Result<WasmToolchain> {
    let forced = std::env::var("PORTCULLIS_WASM_STD").ok();
    let wants = |route: &str| forced.as_deref().is_none_or(|forced| forced == route);
    let toolchain = search(workspace, &wants)?;
    say(format!("wasm standard library: {} ({})", toolchain.route, toolchain.version));
    Ok(toolchain)
}

impl WasmToolchain {
    /// The same toolchain with a `--cfg` for every crate.
    pub fn with_cfg(mut self, cfg: &str) -> Self {
        self.cfgs.push(format!("--cfg={cfg}"));
        self
    }

    /// A `cargo SUBCOMMAND --target wasm32-unknown-unknown` for this toolchain.
    ///
    /// `root` is the directory that the sources are in: it and every other machine-dependent path is
    /// mapped to a fixed name, so that the module's bytes do not depend on where it was built.
    pub fn cargo(&self, subcommand: &str, root: &Path) -> Command {
        let mut command = Command::new(&self.cargo);
        command
            .current_dir(root)
            .arg(subcommand)
            .args(["--target", TARGET])
            .env("RUSTC", &self.rustc)
            .env("CARGO_ENCODED_RUSTFLAGS", self.rustflags(root).join("\u{1f}"))
            // Flags and wrappers of the caller's environment would change the bytes.
            .env_remove("RUSTFLAGS")
            .env_remove("RUSTC_WRAPPER")
            .env_remove("RUSTUP_TOOLCHAIN")
            .env_remove("CARGO");
        if let Some(linker) = &self.linker {
            command.env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", linker);
        }
        if self.build_std {
            command.env("RUSTC_BOOTSTRAP", "1").arg("-Zbuild-std=std,panic_abort");
        }
        command
    }

    fn rustflags(&self, root: &Path) -> Vec<String> {
        let mut flags = vec!["-Ctarget-feature=+simd128,+bulk-memory".to_owned()];
        let mut remap = |from: &Path, to: &str| {
            flags.push(format!("--remap-path-prefix={}={to}", from.display()));
            // Paths reach the compiler both as written and with links resolved.
            if let Ok(real) = from.canonicalize()
                && real != from
            {
                flags.push(format!("--remap-path-prefix={}={to}", real.display()));
            }
        };
        // Where several prefixes match, rustc takes the last.
        remap(root, "/portcullis");
        if let Some(home) = cargo_home() {
            remap(&home, "/cargo");
            // The directory is named after the registry's index, which may be a mirror.
            for index in registry_sources(&home) {
                remap(&index, "/crates");
            }
        }
        remap(&self.sysroot, "/sysroot");
        // What a precompiled standard library has in place of its source's path.
        let std_source = format!("/rustc/{}", self.commit);
        remap(&self.sysroot.join("lib/rustlib/src/rust"), &std_source);
        flags.extend_from_slice(&self.cfgs);
        flags
    }
}

fn search(workspace: &Workspace, wants: &dyn Fn(&str) -> bool) -> Result<WasmToolchain> {
    let sysroot =
        PathBuf::from(process::output(Command::new("rustc").args(["--print", "sysroot"]))?);
    if wants("installed") && has_target(&sysroot) {
        return prebuilt("the installed target", sysroot);
    }
    if wants("rustup") && add_with_rustup(workspace) && has_target(&sysroot) {
        return prebuilt("`rustup target add`", sysroot);
    }
    if wants("source") && has_library_source(&sysroot) {
        let (cargo, rustc) = (in_sysroot(&sysroot, "cargo"), in_sysroot(&sysroot, "rustc"));
        return toolchain("built from the toolchain's rust-src", cargo, rustc, sysroot)
            .map(|toolchain| WasmToolchain { build_std: true, ..toolchain });
    }
    if wants("debian") {
        return debian(&sysroot);
    }
    bail!("PORTCULLIS_WASM_STD names a way that does not work on this machine");
}

fn prebuilt(route: &'static str, sysroot: PathBuf) -> Result<WasmToolchain> {
    let (cargo, rustc) = (in_sysroot(&sysroot, "cargo"), in_sysroot(&sysroot, "rustc"));
    toolchain(route, cargo, rustc, sysroot)
}

fn toolchain(
    route: &'static str,
    cargo: PathBuf,
    rustc: PathBuf,
    sysroot: PathBuf,
) -> Result<WasmToolchain> {
    let verbose = process::output(Command::new(&rustc).arg("-vV"))?;
    let version = verbose.lines().next().unwrap_or_default().to_owned();
    let commit = verbose
        .lines()
        .find_map(|line| line.strip_prefix("commit-hash: "))
        .unwrap_or("unknown")
        .to_owned();
    Ok(WasmToolchain {
        route,
        version,
        cargo,
        rustc,
        sysroot,
        commit,
        linker: None,
        build_std: false,
        cfgs: Vec::new(),
    })
}

fn in_sysroot(sysroot: &Path, program: &str) -> PathBuf {
    let path = sysroot.join("bin").join(program);
    if path.is_file() { path } else { PathBuf::from(program) }
}

fn has_target(sysroot: &Path) -> bool {
    let dir = sysroot.join("lib/rustlib").join(TARGET).join("lib");
    std::fs::read_dir(dir).is_ok_and(|entries| {
        entries.flatten().any(|e| e.file_name().to_string_lossy().starts_with("libstd-"))
    })
}

fn has_library_source(sysroot: &Path) -> bool {
    sysroot.join("lib/rustlib/src/rust/library/std/Cargo.toml").is_file()
}

/// Asks rustup for the target. A refusal is remembered, since without a network it takes a while.
fn add_with_rustup(workspace: &Workspace) -> bool {
    let refused = workspace.tools().join("rustup-has-no-wasm-target");
    if process::find("rustup").is_none() || refused.exists() {
        return false;
    }
    say(format!("rustup target add {TARGET}"));
    let mut command = Command::new("rustup");
    command.current_dir(&workspace.root).args(["target", "add", TARGET]);
    let added = process::succeeds_within(&mut command, Duration::from_secs(180));
    if !added {
        say("rustup cannot provide the target; trying other ways (remembered under target/tools)");
        let _ = std::fs::create_dir_all(workspace.tools());
        let _ = std::fs::write(&refused, "delete this file to ask rustup again\n");
    }
    added
}

fn debian(sysroot: &Path) -> Result<WasmToolchain> {
    let debian_sysroot = Path::new("/usr");
    if !(Path::new(DEBIAN_RUSTC).is_file() && has_library_source(debian_sysroot)) {
        install_debian_packages()?;
    }
    if !has_library_source(debian_sysroot) {
        bail!("the Debian packages {DEBIAN_PACKAGES:?} brought no library source under /usr");
    }
    let base = toolchain(
        "built from Debian's rust-web-src",
        DEBIAN_CARGO.into(),
        DEBIAN_RUSTC.into(),
        debian_sysroot.into(),
    )?;
    Ok(WasmToolchain { linker: Some(rust_lld(sysroot)?), build_std: true, ..base })
}

fn install_debian_packages() -> Result<()> {
    if process::find("apt-get").is_none() {
        bail!(
            "no standard library for {TARGET}: install it with `rustup target add {TARGET}` \
             (rustup could not, and this is no Debian system)"
        );
    }
    let root = process::output(Command::new("id").arg("-u")).is_ok_and(|id| id == "0");
    if !root {
        bail!(
            "no standard library for {TARGET}: run `rustup target add {TARGET}`, or as root \
             `apt-get install --no-install-recommends {}`",
            DEBIAN_PACKAGES.join(" ")
        );
    }
    say(format!("apt-get install {}", DEBIAN_PACKAGES.join(" ")));
    let apt = || {
        let mut command = Command::new("apt-get");
        command.env("DEBIAN_FRONTEND", "noninteractive").arg("-qq");
        command
    };
    process::run(apt().arg("update"))?;
    process::run(apt().args(["install", "-y", "--no-install-recommends"]).args(DEBIAN_PACKAGES))
}

/// Debian's compiler comes without a wasm linker; the one beside rustup's compiler serves.
fn rust_lld(sysroot: &Path) -> Result<PathBuf> {
    let host = process::output(Command::new("rustc").args(["--print", "host-tuple"]))?;
    let beside = sysroot.join("lib/rustlib").join(host).join("bin/rust-lld");
    if beside.is_file() {
        return Ok(beside);
    }
    ["wasm-ld", "rust-lld", "lld"]
        .into_iter()
        .find_map(process::find)
        .context("no linker for wasm: install `lld`, or a rustup toolchain, which has rust-lld")
}

fn cargo_home() -> Option<PathBuf> {
    std::env::var_os("CARGO_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::var_os("HOME").map(|home| Path::new(&home).join(".cargo")))
}

fn registry_sources(cargo_home: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(cargo_home.join("registry/src")) else { return Vec::new() };
    let mut paths: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    paths
}
