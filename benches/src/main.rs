//! `bench`: what `cargo xtask bench` runs once it has built the modules.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use portcullis_benches::{attack, control, crs, documents, envoy, limits, schema, update};

#[derive(Parser)]
#[command(name = "bench", about = "Measures Portcullis")]
struct Arguments {
    #[command(subcommand)]
    bench: Bench,
}

#[derive(Subcommand)]
enum Bench {
    /// One-pass validation against serde_json and jsonschema, in wasm under Node
    Schema(schema::Options),
    /// What the rules of api-core cost on benign requests, under Node and in a real Envoy
    Attack(attack::Options),
    /// What the Core Rule Set costs, and what it takes of ModSecurity
    Crs(crs::Options),
    /// CPU per request in a real Envoy: no filter, an empty one, Portcullis
    Envoy(envoy::Options),
    /// What limits on callers cost in a real Envoy, how exactly they hold, and that they take no memory
    Limits(limits::Options),
    /// Judges requests under a variant of `limits`, for callgrind
    #[command(hide = true)]
    JudgeLimits {
        /// A variant with a policy
        variant: String,
        /// How many
        requests: u32,
    },
    /// What updates of the policy cost the requests that run meanwhile, by each path of delivery
    Update(update::Options),
    /// What a fleet of thousands costs the control service
    Control(control::Options),
    /// Compile time, size, load time and memory for real documents (PORTCULLIS_DATA)
    Documents(documents::Options),
}

fn main() -> ExitCode {
    let outcome = match Arguments::parse().bench {
        Bench::Schema(options) => schema::run(&options),
        Bench::Attack(options) => attack::run(&options),
        Bench::Crs(options) => crs::run(&options),
        Bench::Envoy(options) => envoy::run(&options),
        Bench::Limits(options) => limits::run(&options),
        Bench::JudgeLimits { variant, requests } => limits::judge::run(&variant, requests),
        Bench::Update(options) => update::run(&options),
        Bench::Control(options) => control::run(&options),
        Bench::Documents(options) => documents::run(&options),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
