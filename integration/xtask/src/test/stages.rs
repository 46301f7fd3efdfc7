//! The stages that run other programs.

use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;
use serde_json::Value;

use crate::process::say;
use crate::test::counts::{self, Counts};
use crate::workspace::Workspace;
use crate::{build, debian, envoy, process, wasm_bindgen, wasm_std};

/// The package of the real-Envoy tests: it needs what the others do not.
const ENVOY_TESTS: &str = "portcullis-integration";

pub fn fmt(workspace: &Workspace) -> Result<Counts> {
    passes(cargo(workspace).args(["fmt", "--all", "--check"]))
}

pub fn clippy(workspace: &Workspace) -> Result<Counts> {
    let arguments = ["clippy", "--quiet", "--workspace", "--all-targets", "--", "-D", "warnings"];
    passes(cargo(workspace).args(arguments))
}

pub fn native(workspace: &Workspace, filter: Option<&str>) -> Result<Counts> {
    let mut command = cargo(workspace);
    command.args(["test", "--workspace", "--no-fail-fast", "--exclude", ENVOY_TESTS]);
    counts::of(with_output_shown(&mut command, filter))
}

pub fn wasm(workspace: &Workspace, filter: Option<&str>) -> Result<Counts> {
    if process::find("node").is_none() {
        return Ok(Counts::skip("wasm tests: no `node` on PATH"));
    }
    let packages = wasm_test_packages(workspace)?;
    if packages.is_empty() {
        return Ok(Counts::skip("wasm tests: no package has any"));
    }
    let cases = compiled_cases(workspace)?;
    let runner = wasm_bindgen::test_runner(workspace)?;
    let toolchain = wasm_std::find(workspace)?;
    // The release profile, so that the dependencies are those of the module.
    let mut command = toolchain.cargo("test", &workspace.root);
    command.args(["--release", "--no-fail-fast", "--target-dir"]).arg(&workspace.target);
    command.env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUNNER", runner);
    command.env("PORTCULLIS_CASES", cases);
    for package in packages {
        command.args(["--package", &package]);
    }
    if let Some(filter) = filter {
        command.args(["--", filter]);
    }
    counts::of(&mut command)
}

/// Compiles the case suites for the tests in wasm, which cannot read files.
fn compiled_cases(workspace: &Workspace) -> Result<PathBuf> {
    let compiler = build::compiler(workspace, "dev")?;
    let dir = workspace.target.join("cases/wasm");
    let mut command = cargo(workspace);
    command.args(["run", "--quiet", "--package", ENVOY_TESTS, "--example", "compile-cases", "--"]);
    process::run(command.arg(compiler).arg(&dir))?;
    Ok(dir)
}

pub fn envoy(workspace: &Workspace, filter: Option<&str>) -> Result<Counts> {
    let envoy = envoy::obtain(workspace)?;
    // The profile of the tests, so that nothing is compiled a second time.
    let compiler = build::compiler(workspace, "dev")?;
    let module = build::filter(workspace)?;
    let mut command = cargo(workspace);
    command
        .args(["test", "--package", ENVOY_TESTS, "--no-fail-fast"])
        .env("PORTCULLIS_ENVOY", envoy.binary)
        .env("PORTCULLIS_COMPILER", compiler)
        .env("PORTCULLIS_FILTER", module);
    with_databases(workspace, &mut command);
    counts::of(with_output_shown(&mut command, filter))
}

/// Tells tests with a real Envoy where the databases are that some of them use, which say `skipped` where there is none.
pub fn with_databases(workspace: &Workspace, command: &mut Command) {
    let databases =
        [(debian::POSTGRES, "PORTCULLIS_POSTGRES_SERVER"), (debian::REDIS, "PORTCULLIS_REDIS")];
    for (program, variable) in databases {
        match debian::obtain(workspace, &program) {
            Ok(installed) => installed.name_in(command, variable),
            Err(error) => say(format!("no {}: {error:#}", program.name)),
        }
    }
}

pub fn suites(workspace: &Workspace) -> Result<Counts> {
    let mut counts = injection(workspace)?;
    let mut packs = Command::new(std::env::current_exe()?);
    counts.add(passes(packs.args(["suite", "packs", "--requests", "1000"]))?);
    let mut skipped = Command::new(std::env::current_exe()?);
    counts.add(passes(skipped.args(["suite", "skipped", "--built-in", "--requests", "150"]))?);
    match crate::suite::core_rule_set(workspace) {
        // Both ways of matching must find the same, and as many tests pass as ever have.
        Some(arguments) => {
            let mut crs = Command::new(std::env::current_exe()?);
            crs.args(["suite", "crs", "--failures", "16"]);
            for (option, path) in arguments {
                crs.arg(option).arg(path);
            }
            counts.add(passes(&mut crs)?);
        }
        None => counts.add(Counts::skip("Core Rule Set: no data (set PORTCULLIS_DATA)")),
    }
    if !crate::suite::has_json_schema(workspace) {
        counts.add(Counts::skip("conformance suites: no data (set PORTCULLIS_DATA)"));
        return Ok(counts);
    }
    for draft in ["2020-12", "4"] {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["suite", "json-schema", "--draft", draft]);
        counts.add(passes(&mut command)?);
    }
    Ok(counts)
}

/// A bounded part of the comparison with the C library.
fn injection(workspace: &Workspace) -> Result<Counts> {
    if let Some(reason) = crate::suite::libinjection::missing(workspace) {
        return Ok(Counts::skip(format!("libinjection: no C library to compare with: {reason}")));
    }
    let mut command = Command::new(std::env::current_exe()?);
    passes(command.args(["suite", "libinjection", "--inputs", "20000"]))
}

pub fn deny(workspace: &Workspace) -> Result<Counts> {
    if process::find("cargo-deny").is_none() {
        return Ok(Counts::skip(
            "licences and advisories: no `cargo-deny` (cargo install cargo-deny)",
        ));
    }
    passes(cargo(workspace).args(["deny", "--log-level", "error", "check"]))
}

fn passes(command: &mut Command) -> Result<Counts> {
    Ok(match process::run(command) {
        Ok(()) => Counts::success(),
        Err(error) => {
            println!("{error:#}");
            Counts::failure()
        }
    })
}

fn cargo(workspace: &Workspace) -> Command {
    let mut command = process::cargo();
    command.current_dir(&workspace.root);
    command
}

fn with_output_shown<'a>(command: &'a mut Command, filter: Option<&str>) -> &'a mut Command {
    command.arg("--").args(filter).arg("--show-output")
}

/// The workspace's packages that use wasm-bindgen-test.
fn wasm_test_packages(workspace: &Workspace) -> Result<Vec<String>> {
    let metadata = crate::workspace::metadata(workspace)?;
    let packages = metadata.get("packages").and_then(Value::as_array);
    let uses = |package: &&Value| {
        let dependencies = package.get("dependencies").and_then(Value::as_array);
        dependencies.into_iter().flatten().any(|d| d["name"] == "wasm-bindgen-test")
    };
    let names = packages.into_iter().flatten().filter(uses);
    Ok(names.filter_map(|package| package["name"].as_str().map(str::to_owned)).collect())
}
