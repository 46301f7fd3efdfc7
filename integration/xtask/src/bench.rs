//! `cargo xtask bench`: builds what a benchmark measures, and runs it. See benches/README.md.

use std::path::PathBuf;

use anyhow::Result;

use crate::process::{self, say};
use crate::suite::{self, modsecurity};
use crate::wasm_std::{self, TARGET};
use crate::workspace::Workspace;
use crate::{build, envoy};

#[derive(clap::Args)]
pub struct Options {
    #[command(subcommand)]
    bench: Bench,
}

#[derive(clap::Subcommand)]
enum Bench {
    /// One-pass validation against serde_json and jsonschema, in wasm under Node
    Schema(Passed),
    /// What the rules of api-core cost on benign requests, under Node and in a real Envoy
    Attack(Passed),
    /// What the Core Rule Set (PORTCULLIS_DATA) costs on them, at three levels, and what ModSecurity takes
    Crs(Passed),
    /// CPU per request in a real Envoy: no filter, an empty one, Portcullis
    Envoy(Passed),
    /// What limits on callers cost in a real Envoy, how exactly they hold, and that they take no memory
    Limits(Passed),
    /// What updates of the policy cost the requests that run meanwhile, by each path of delivery
    Update(Passed),
    /// What a fleet of thousands costs the control service
    Control(Passed),
    /// Compile time, size, load time and memory for real documents (PORTCULLIS_DATA)
    Documents(Passed),
}

#[derive(clap::Args)]
struct Passed {
    /// Passed on to the benchmark; `--help` lists what it takes
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

pub fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    let (name, passed, inputs) = match &options.bench {
        Bench::Schema(passed) => {
            let [baseline, engine] = modules(workspace, ["baseline", "engine"])?;
            ("schema", passed, vec![("--baseline", baseline), ("--engine", engine)])
        }
        Bench::Envoy(passed) => {
            let [empty] = modules(workspace, ["empty"])?;
            let filter = build::filter(workspace)?;
            let envoy = envoy::obtain(workspace)?.binary;
            ("envoy", passed, vec![("--empty", empty), ("--filter", filter), ("--envoy", envoy)])
        }
        Bench::Limits(passed) => {
            let filter = build::filter(workspace)?;
            let envoy = envoy::obtain(workspace)?.binary;
            ("limits", passed, vec![("--filter", filter), ("--envoy", envoy)])
        }
        Bench::Update(passed) => {
            let filter = build::filter(workspace)?;
            let envoy = envoy::obtain(workspace)?.binary;
            let compiler = build::compiler(workspace, "tools")?;
            let inputs = vec![("--filter", filter), ("--envoy", envoy), ("--compiler", compiler)];
            ("update", passed, inputs)
        }
        Bench::Control(passed) => {
            ("control", passed, vec![("--compiler", build::compiler(workspace, "tools")?)])
        }
        Bench::Attack(passed) => ("attack", passed, engine_and_envoy(workspace)?),
        Bench::Crs(passed) => {
            let Some([rules, setup, _]) = suite::core_rule_set(workspace) else {
                println!("skipped: no Core Rule Set (set PORTCULLIS_DATA)");
                return Ok(());
            };
            let mut inputs = engine_and_envoy(workspace)?;
            inputs.extend([rules, setup]);
            inputs.push(("--python", modsecurity::python(workspace)?));
            ("crs", passed, inputs)
        }
        Bench::Documents(passed) => ("documents", passed, engine_and_envoy(workspace)?),
    };
    say("building the benchmarks (profile tools)");
    let package = ["--profile", "tools", "--package", "portcullis-benches", "--bin", "bench"];
    process::run(process::cargo().current_dir(&workspace.root).arg("build").args(package))?;
    let mut command = std::process::Command::new(workspace.target.join("tools/bench"));
    command.current_dir(&workspace.root).arg(name);
    for (option, path) in inputs {
        command.arg(option).arg(path);
    }
    process::run(command.args(&passed.arguments))
}

fn engine_and_envoy(workspace: &Workspace) -> Result<Vec<(&'static str, PathBuf)>> {
    let filter = build::filter(workspace)?;
    let envoy = envoy::obtain(workspace)?.binary;
    let [engine] = modules(workspace, ["engine"])?;
    Ok(vec![("--engine", engine), ("--filter", filter), ("--envoy", envoy)])
}

/// Builds the crates `portcullis-bench-NAME` for wasm as the filter is built, in a target directory
/// of their own, since the baseline needs one more flag.
fn modules<const N: usize>(workspace: &Workspace, names: [&str; N]) -> Result<[PathBuf; N]> {
    let toolchain = wasm_std::find(workspace)?.with_cfg("getrandom_backend=\"custom\"");
    let target = workspace.target.join("bench-modules");
    say(format!("building for wasm (release): {}", names.join(", ")));
    let mut command = toolchain.cargo("build", &workspace.root);
    command.args(["--release", "--locked", "--target-dir"]).arg(&target);
    for name in names {
        command.arg("--package").arg(format!("portcullis-bench-{name}"));
    }
    process::run(&mut command)?;
    let built = target.join(TARGET).join("release");
    Ok(names.map(|name| built.join(format!("portcullis_bench_{name}.wasm"))))
}
