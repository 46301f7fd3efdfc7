//! `cargo xtask suite envoy-versions`: the real-Envoy tests on every release that Portcullis supports.
//!
//! What a release does differently is an expectation in the tests, never a test left out: VERSIONS.md of envoy-config
//! tells users the same.

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, bail};

use crate::build;
use crate::envoy::{self, RELEASES, Release};
use crate::process::{self, say};
use crate::test::{Counts, counted, with_databases};
use crate::workspace::Workspace;

#[derive(clap::Args)]
pub struct Options {
    /// Only this release, such as `1.36.4`; may be repeated
    #[arg(long = "version", value_name = "VERSION")]
    versions: Vec<String>,
    /// Only this test binary, such as `cases` or `traps`; may be repeated
    #[arg(long = "test", value_name = "NAME")]
    tests: Vec<String>,
    /// Only tests whose name contains this
    #[arg(long, value_name = "TEXT")]
    filter: Option<String>,
}

/// Runs the tests on one release after the other. A release passes where tests ran and none failed.
pub fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    let releases = chosen(&options.versions)?;
    let compiler = build::compiler(workspace, "dev")?;
    let module = build::filter(workspace)?;
    let mut rows = Vec::new();
    let (mut passed, mut of) = (0, 0);
    for release in &releases {
        let binary = envoy::obtain_release(workspace, release)?.binary;
        if !release.runs_wasm() {
            refuses_to_start(workspace, &binary, &module)
                .with_context(|| format!("envoy {}, which has no V8", release.version))?;
            rows.push(format!(
                "envoy {:<8} has no V8, and refuses to start with the filter",
                release.version
            ));
            continue;
        }
        of += 1;
        let began = Instant::now();
        let mut command = tests(workspace, options);
        command.env("PORTCULLIS_ENVOY", binary);
        command.env("PORTCULLIS_COMPILER", &compiler).env("PORTCULLIS_FILTER", &module);
        with_databases(workspace, &mut command);
        let counts = counted(&mut command)?;
        let row = format!("envoy {:<8} {counts}  ({:.0?})", release.version, began.elapsed());
        say(&row);
        rows.push(row);
        passed += usize::from(holds(&counts));
        for reason in &counts.reasons {
            rows.push(format!("    skipped: {reason}"));
        }
    }
    for row in rows {
        println!("{row}");
    }
    println!("versions passed {passed}/{of}");
    if passed < of {
        bail!("{} of the releases did not pass", of - passed);
    }
    Ok(())
}

/// An Envoy that cannot run the filter must not serve without it.
fn refuses_to_start(workspace: &Workspace, binary: &Path, module: &Path) -> Result<()> {
    let config = workspace.root.join("envoy-config/envoy-static.yaml");
    let text = std::fs::read_to_string(&config).with_context(|| config.display().to_string())?;
    let text =
        text.replace("/etc/portcullis/portcullis_filter.wasm", &module.display().to_string());
    let text = ["8080", "9901"]
        .iter()
        .fold(text, |text, port| text.replace(&format!("port_value: {port}"), "port_value: 0"));
    match portcullis_integration::Envoy::start_text(binary, &text, 1) {
        Ok(_) => bail!("it serves all the same"),
        Err(portcullis_integration::Error::Exited { log, .. })
            if log.contains("Unable to create Wasm plugin") =>
        {
            Ok(())
        }
        Err(error) => bail!("it ends for another reason: {error}"),
    }
}

fn holds(counts: &Counts) -> bool {
    counts.failed == 0 && counts.passed > 0
}

fn chosen(versions: &[String]) -> Result<Vec<&'static Release>> {
    let known = || RELEASES.iter().map(|it| it.version).collect::<Vec<_>>().join(", ");
    for version in versions {
        if !RELEASES.iter().any(|it| it.version == version) {
            bail!("`{version}` is none of the releases that are tested: {}", known());
        }
    }
    let wanted = |it: &&Release| versions.is_empty() || versions.iter().any(|v| v == it.version);
    Ok(RELEASES.iter().filter(wanted).collect())
}

/// What runs natively does not depend on Envoy, and has run elsewhere.
fn tests(workspace: &Workspace, options: &Options) -> Command {
    let mut command = process::cargo();
    command.current_dir(&workspace.root);
    command.args(["test", "--package", "portcullis-integration", "--no-fail-fast"]);
    if options.tests.is_empty() {
        command.arg("--tests");
    }
    for test in &options.tests {
        command.args(["--test", test]);
    }
    command.arg("--").args(&options.filter);
    command.args(["--skip", "native::", "--show-output"]);
    command
}

#[cfg(test)]
mod tests {
    use super::{RELEASES, chosen, holds};
    use crate::test::Counts;

    #[test]
    fn releases_are_chosen_by_name() {
        assert_eq!(chosen(&[]).unwrap().len(), RELEASES.len());
        assert_eq!(chosen(&["1.37.0".to_owned()]).unwrap().len(), 1);
        assert!(chosen(&["1.35.0".to_owned()]).unwrap_err().to_string().contains("1.36.4"));
    }

    #[test]
    fn a_release_without_a_test_has_not_passed() {
        assert!(holds(&Counts::success()));
        assert!(!holds(&Counts::default()) && !holds(&Counts::failure()));
        assert!(!holds(&Counts::skip("nothing here")));
    }
}
