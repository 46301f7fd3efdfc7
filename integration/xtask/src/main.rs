//! `cargo xtask`: builds, demonstrates, tests and measures Portcullis.
//!
//! Every command is one file and says what it does as it goes; what is fetched or built is kept
//! under `target/tools` and `target/dist`.
#![forbid(unsafe_code)]

mod bench;
mod build;
mod debian;
mod demo;
mod envoy;
mod fuzz;
mod hostile;
mod process;
mod reproduce;
mod sbom;
mod size;
mod soak;
mod suite;
mod test;
mod wasm_bindgen;
mod wasm_std;
mod workspace;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Builds, demonstrates and tests Portcullis")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Build the native compiler `portcullis` and the wasm filter into target/dist
    Build(build::Options),
    /// Obtain Envoy and print the path of its binary
    Envoy,
    /// Build the wasm filter twice, from two copies of the sources, and compare the bytes
    Reproduce,
    /// Install the runner that wasm tests need under Node, and print its path
    WasmTestRunner,
    /// Measure: schema, attack, crs, envoy, limits, update, control or documents
    Bench(bench::Options),
    /// Put the demo bank behind Envoy and Portcullis, and send it a tour of requests
    Demo(demo::Options),
    /// Run every check and test; ends with `N passed, N failed, N skipped`
    Test(test::Options),
    /// Send load while policies replace each other, one of them corrupt
    Soak(soak::Options),
    /// Give the compiler documents that are meant to break it
    Hostile(hostile::Options),
    /// Fuzz what takes bytes from outside
    Fuzz(fuzz::Options),
    /// Write what the products are made of to target/sbom.json (CycloneDX)
    Sbom,
    /// Run a conformance suite: json-schema, openapi, differential, packs, skipped, crs, crs-differential, limits, faults,
    /// envoy-versions, transformations or libinjection
    Suite(suite::Options),
    /// Show what the wasm module spends its bytes on, by section and by crate
    Size(size::Options),
}

fn main() {
    let workspace = workspace::Workspace::locate();
    let outcome = match Arguments::parse().command {
        Command::Build(options) => build::run(&workspace, &options),
        Command::Envoy => {
            envoy::obtain(&workspace).map(|envoy| println!("{}", envoy.binary.display()))
        }
        Command::Reproduce => reproduce::run(&workspace),
        Command::WasmTestRunner => {
            wasm_bindgen::test_runner(&workspace).map(|runner| println!("{}", runner.display()))
        }
        Command::Bench(options) => bench::run(&workspace, &options),
        Command::Demo(options) => demo::run(&workspace, &options),
        Command::Test(options) => test::run(&workspace, &options),
        Command::Soak(options) => soak::run(&workspace, &options),
        Command::Hostile(options) => hostile::run(&workspace, &options),
        Command::Fuzz(options) => fuzz::run(&workspace, &options),
        Command::Sbom => sbom::run(&workspace),
        Command::Suite(options) => suite::run(&workspace, &options),
        Command::Size(options) => size::run(&workspace, &options),
    };
    if let Err(error) = outcome {
        eprintln!("error: {error:#}");
        std::process::exit(1);
    }
}
