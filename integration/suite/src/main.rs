//! `suite`: what `cargo xtask suite` runs.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use portcullis_suite::{crs, differential, openapi, packs, skipped};

#[derive(Parser)]
#[command(
    name = "suite",
    about = "Holds Portcullis against documents and an independent validator"
)]
struct Arguments {
    #[command(subcommand)]
    suite: Suite,
}

#[derive(Subcommand)]
enum Suite {
    /// Every document of a folder: its own examples, and mutants
    Openapi(openapi::Options),
    /// Mutated instances of the documents' schemas, judged by the engine and by jsonschema
    Differential(differential::Options),
    /// The rules of `api-core`: their own tests, attacks, look-alikes and benign requests
    Packs(packs::Options),
    /// That no attack rule is skipped at a value of a document that it would have matched
    Skipped(skipped::Options),
    /// Rules in SecLang against regression tests in the form of go-ftw
    Crs(crs::Options),
}

fn main() -> ExitCode {
    match Arguments::parse().suite {
        Suite::Openapi(options) => openapi::run(&options),
        Suite::Differential(options) => differential::run(&options),
        Suite::Packs(options) => packs::run(&options),
        Suite::Skipped(options) => skipped::run(&options),
        Suite::Crs(options) => crs::run(&options),
    }
}
