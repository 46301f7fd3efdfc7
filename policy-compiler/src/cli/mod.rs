//! The commands of `portcullis`. CLI.md describes each; a test holds it to name every flag.

mod check_examples;
mod compile;
mod coverage;
mod event;
mod exception;
mod explain;
mod files;
mod init;
mod inspect;
mod istio;
mod keys;
mod package;
pub mod render;
pub mod render_check;
mod render_service;
mod request;
mod rules;
mod sign;
mod tail;
mod told;
mod value;
mod verify;

use crate::cli::render::{RenderEnvoy, RenderError, Rendered};
use clap::{CommandFactory, Parser, Subcommand, ValueEnum};
use files::CliError;
use std::path::Path;
use std::process::ExitCode;

/// Compiles OpenAPI documents and policy into signed bundles for the Portcullis filter, and tells
/// what a bundle holds and decides.
#[derive(Debug, Parser)]
#[command(name = "portcullis", version, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

/// The commands that need no service.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Compile a policy, or documents by themselves, into a bundle
    Compile(compile::Compile),
    /// Tell what a bundle holds: sections, sizes, operations
    Inspect(inspect::Inspect),
    /// Judge a request from a file by a bundle, and tell why
    Explain(explain::Explain),
    /// Write the policy's exception for what an attack rule has found
    Exception(exception::Exception),
    /// Judge the examples that documents give, and tell which violate the schemas beside them
    CheckExamples(check_examples::CheckExamples),
    /// Make a signing key
    Keygen(keys::Keygen),
    /// Check a bundle as a gateway would
    Verify(verify::Verify),
    /// Sign a bundle that was compiled without a signature
    Sign(sign::Sign),
    /// Write a starter policy in monitor mode for a document
    Init(init::Init),
    /// Write gateway configuration for a bundle
    #[command(subcommand)]
    Render(Render),
    /// Write the wasm filter as an OCI image layout, as Istio and Envoy Gateway pull it
    Package(package::Package),
    /// Show the findings in Envoy's log as they come
    Tail(tail::Tail),
}

/// What configuration is written for.
#[derive(Debug, Subcommand)]
pub enum Render {
    /// Envoy
    Envoy(RenderEnvoy),
    /// Istio: an EnvoyFilter, or a WasmPlugin
    Istio(istio::RenderIstio),
    /// Nothing: tell where an Envoy configuration that is there does not fit a bundle's limits
    Check(render_check::RenderCheck),
}

/// The form of what is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people
    #[default]
    Text,
    /// For programs
    Json,
}

/// Runs a command. 0: done; 1: refused, or errors in the input.
pub fn run(command: &Command) -> ExitCode {
    let outcome = match command {
        Command::Compile(options) => compile::run(options),
        Command::Inspect(options) => inspect::run(options),
        Command::Explain(options) => explain::run(options),
        Command::Exception(options) => exception::run(options),
        Command::CheckExamples(options) => check_examples::run(options),
        Command::Keygen(options) => keys::run(options),
        Command::Verify(options) => verify::run(options),
        Command::Sign(options) => sign::run(options),
        Command::Init(options) => init::run(options),
        Command::Render(Render::Envoy(options)) => rendered(&options.out, render::run(options)),
        Command::Render(Render::Istio(options)) => rendered(&options.out, istio::run(options)),
        Command::Render(Render::Check(options)) => render_check::run(options),
        Command::Package(options) => package::run(options),
        Command::Tail(options) => tail::run(options),
    };
    match outcome {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The commands and flags, for documents and their tests.
pub fn command() -> clap::Command {
    Cli::command()
}

fn rendered(out: &Path, outcome: Result<Rendered, RenderError>) -> Result<ExitCode, CliError> {
    let rendered = outcome.map_err(|error| CliError::Other(error.to_string()))?;
    for (name, _) in &rendered.files {
        println!("wrote {}", out.join(name).display());
    }
    for note in &rendered.notes {
        println!("note: {note}");
    }
    Ok(ExitCode::SUCCESS)
}
