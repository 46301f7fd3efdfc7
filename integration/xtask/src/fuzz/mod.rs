//! `cargo xtask fuzz`: coverage-guided fuzzing on a stable toolchain.
//!
//! The targets are laid out for cargo-fuzz, but need neither it nor a nightly compiler: libFuzzer comes
//! with `libfuzzer-sys`, and LLVM's coverage pass is reached by stable flags. There is no
//! address sanitizer; the code under test forbids `unsafe`, so panics are what there is to find.

mod seeds;

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::process::{self, say};
use crate::workspace::Workspace;

/// Fuzzing lives in the crate that it attacks, in a workspace of its own.
const CRATES: [&str; 4] = ["filter/bundle", "filter/engine", "filter/injection", "policy-compiler"];

/// What cargo-fuzz passes where no sanitizer is asked for.
const FLAGS: [&str; 9] = [
    "--cfg=fuzzing",
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
    "-Cdebug-assertions=yes",
    "-Coverflow-checks=yes",
    "-Ccodegen-units=1",
];

#[derive(clap::Args)]
pub struct Options {
    /// The target; all of them, one after the other, where none is named
    target: Option<String>,
    /// How long to run each target
    #[arg(long, default_value_t = 1.0)]
    minutes: f64,
    /// List the targets and end
    #[arg(long)]
    list: bool,
    /// Run one input, such as a crash that was found, instead of fuzzing
    #[arg(long)]
    input: Option<PathBuf>,
}

struct Target {
    name: String,
    /// The directory `fuzz` that it lives in.
    dir: PathBuf,
}

pub fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    let all = targets(workspace)?;
    if options.list {
        all.iter().for_each(|t| println!("{:<16} {}", t.name, t.dir.display()));
        return Ok(());
    }
    let wanted = |t: &&Target| options.target.as_ref().is_none_or(|name| *name == t.name);
    let chosen: Vec<&Target> = all.iter().filter(wanted).collect();
    if chosen.is_empty() {
        let names: Vec<&str> = all.iter().map(|target| target.name.as_str()).collect();
        bail!("no such target; there are: {}", names.join(", "));
    }
    let mut failed = Vec::new();
    for target in &chosen {
        if let Err(error) = fuzz(workspace, target, options) {
            println!("{}: {error:#}", target.name);
            failed.push(target.name.as_str());
        }
    }
    if !failed.is_empty() {
        bail!("found something in: {}", failed.join(", "));
    }
    println!("fuzz: targets={} minutes={} found=0", chosen.len(), options.minutes);
    Ok(())
}

fn targets(workspace: &Workspace) -> Result<Vec<Target>> {
    let mut all = Vec::new();
    for dir in CRATES.map(|path| workspace.root.join(path).join("fuzz")) {
        let manifest = dir.join("Cargo.toml");
        if !manifest.is_file() {
            continue;
        }
        let mut command = process::cargo();
        command.args(["metadata", "--format-version", "1", "--no-deps", "--manifest-path"]);
        let metadata: Value = serde_json::from_str(&process::output(command.arg(&manifest))?)?;
        let targets = metadata.pointer("/packages/0/targets").and_then(Value::as_array);
        for target in targets.into_iter().flatten().filter(|t| t["kind"][0] == "bin") {
            let name = target["name"].as_str().context("a target without a name")?.to_owned();
            all.push(Target { name, dir: dir.clone() });
        }
    }
    Ok(all)
}

fn fuzz(workspace: &Workspace, target: &Target, options: &Options) -> Result<()> {
    let binary = build(workspace, target)?;
    let work = workspace.target.join("fuzz");
    let (corpus, found) = (work.join("corpus").join(&target.name), work.join("found"));
    std::fs::create_dir_all(&corpus)?;
    std::fs::create_dir_all(&found)?;
    let mut command = Command::new(binary);
    command.current_dir(&workspace.root);
    if let Some(input) = &options.input {
        return process::run(command.arg(std::path::absolute(input)?));
    }
    let seconds = (options.minutes * 60.0).round().max(1.0);
    say(format!("fuzzing {} for {seconds} s; corpus in {}", target.name, corpus.display()));
    command
        .arg(format!("-max_total_time={seconds}"))
        .arg(format!("-artifact_prefix={}/{}-", found.display(), target.name))
        .args(["-print_final_stats=1", "-verbosity=1", "-timeout=10", "-rss_limit_mb=2048"])
        .arg(&corpus);
    let own = target.dir.join("seeds").join(&target.name);
    let seeds = seeds::write(workspace, &target.name)?;
    command.args(seeds.into_iter().chain([own]).filter(|dir| dir.is_dir()));
    process::run(&mut command)
}

fn build(workspace: &Workspace, target: &Target) -> Result<PathBuf> {
    say(format!("building the fuzz target {}", target.name));
    let host = process::output(Command::new("rustc").args(["--print", "host-tuple"]))?;
    let dir = workspace.target.join("fuzz/build");
    let mut command = process::cargo();
    command
        .current_dir(&workspace.root)
        // Naming the target keeps the flags away from build scripts.
        .args(["build", "--release", "--target", &host, "--bin", &target.name])
        .arg("--manifest-path")
        .arg(target.dir.join("Cargo.toml"))
        .arg("--target-dir")
        .arg(&dir)
        .env("CARGO_ENCODED_RUSTFLAGS", FLAGS.join("\u{1f}"))
        .env_remove("RUSTFLAGS");
    process::run(&mut command)?;
    Ok(dir.join(Path::new(&host)).join("release").join(&target.name))
}
