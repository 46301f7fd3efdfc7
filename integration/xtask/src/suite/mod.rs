//! `cargo xtask suite`: conformance suites, run whole against the compiler and the engine.

mod crs;
mod envoy_versions;
mod faults;
mod json_schema;
pub mod libinjection;
mod limits;
pub mod modsecurity;
mod openapi;
mod packs;
mod skipped;
mod transformations;

use std::path::PathBuf;

use anyhow::Result;

use crate::workspace::Workspace;

#[derive(clap::Args)]
pub struct Options {
    #[command(subcommand)]
    suite: Suite,
}

#[derive(clap::Subcommand)]
enum Suite {
    /// The official JSON Schema test suite (PORTCULLIS_DATA); ends with `passed/total`
    JsonSchema(json_schema::Options),
    /// Real OpenAPI documents: their own examples, and mutants, against an independent validator
    Openapi(openapi::Options),
    /// Mutated instances of real schemas against an independent validator (PORTCULLIS_DATA)
    Differential(openapi::Differential),
    /// The rules of `api-core` against attacks, look-alikes and benign requests
    Packs(packs::Options),
    /// That no attack rule is skipped at a value of a document that it would have matched
    Skipped(skipped::Options),
    /// Rules in SecLang against regression tests in the form of go-ftw; ends with `passed/total`
    Crs(crs::Options),
    /// The same rules by ModSecurity (from PyPI), on the tests' requests and others made of them; ends with `agreed A/B`
    CrsDifferential(crs::Differential),
    /// The injection detectors against the C library that they follow; ends with `agreed A/B`
    Libinjection(libinjection::Options),
    /// Limits on callers: their bounds, and every kind of limit and caller natively and in an Envoy with two workers; ends
    /// with `cases passed A/B`
    Limits,
    /// The real-Envoy tests on every supported release; ends with `versions passed A/B`
    EnvoyVersions(envoy_versions::Options),
    /// Every fault of delivery on a gateway under load; ends with `faults survived A/B, requests lost L/N`
    Faults(faults::Options),
    /// Transformations of values against ModSecurity's (from PyPI); ends with `agreed A/B`
    Transformations(transformations::Options),
}

/// Runs a suite. Fails where a case fails that is no known exception.
pub fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    match &options.suite {
        Suite::JsonSchema(options) => json_schema::run(workspace, options),
        Suite::Openapi(options) => openapi::run(workspace, options),
        Suite::Transformations(options) => transformations::run(workspace, options),
        Suite::Differential(options) => openapi::differential(workspace, &data(workspace), options),
        Suite::Packs(options) => packs::run(workspace, options),
        Suite::Crs(options) => crs::run(workspace, options),
        Suite::CrsDifferential(options) => crs::differential(workspace, &data(workspace), options),
        Suite::EnvoyVersions(options) => envoy_versions::run(workspace, options),
        Suite::Faults(options) => faults::run(workspace, options),
        Suite::Limits => limits::run(workspace),
        Suite::Skipped(options) => skipped::run(workspace, &data(workspace), options),
        Suite::Libinjection(options) => libinjection::run(workspace, &data(workspace), options),
    }
}

/// Whether the JSON Schema test suite is on this machine.
pub fn has_json_schema(workspace: &Workspace) -> bool {
    data(workspace).join("json-schema-test-suite").is_dir()
}

/// The options by which `suite crs` takes the Core Rule Set that is on this machine, if it is: rules, set-up, tests.
pub fn core_rule_set(workspace: &Workspace) -> Option<[(&'static str, PathBuf); 3]> {
    let at = data(workspace).join("crs");
    let [rules, setup, tests] =
        ["rules", "crs-setup.conf.example", "regression"].map(|it| at.join(it));
    let all = rules.is_dir() && setup.is_file() && tests.is_dir();
    all.then_some([("--rules", rules), ("--setup", setup), ("--tests", tests)])
}

/// Where the data of suites is: `PORTCULLIS_DATA`, or `../shared/data` beside the repository.
fn data(workspace: &Workspace) -> PathBuf {
    let default = || workspace.root.join("../shared/data");
    std::env::var_os("PORTCULLIS_DATA").map_or_else(default, PathBuf::from)
}
