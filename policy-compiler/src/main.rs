//! Compiles OpenAPI documents and policy into signed bundles, and delivers them.

use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// Compiles OpenAPI documents and policy into signed bundles for the Portcullis filter, tells what a bundle holds and
/// decides, and delivers bundles to gateways.
#[derive(Debug, Parser)]
#[command(name = "portcullis", version, max_term_width = 100)]
struct Portcullis {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    #[command(flatten)]
    Policy(policy_compiler::cli::Command),
    #[cfg(feature = "control")]
    #[command(flatten)]
    Control(portcullis_control::command::Command),
}

/// What a process ends with that SIGPIPE has killed: 128 and the signal's number, as shells tell it.
const CLOSED_PIPE: i32 = 141;

fn main() -> ExitCode {
    end_quietly_on_closed_pipe();
    match Portcullis::parse().command {
        #[cfg(feature = "control")]
        Command::Policy(command @ policy_compiler::cli::Command::Tail(_)) => {
            let followed = move || policy_compiler::cli::run(&command);
            portcullis_control::ended::until_told(followed).unwrap_or(ExitCode::SUCCESS)
        }
        Command::Policy(command) => policy_compiler::cli::run(&command),
        #[cfg(feature = "control")]
        Command::Control(command) => portcullis_control::command::run(&command),
    }
}

/// Whoever reads the output may have seen enough of it (`| head`). Rust ignores SIGPIPE, and its `print` panics instead.
fn end_quietly_on_closed_pipe() {
    let told = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let message = panic.payload_as_str().unwrap_or_default();
        if message.starts_with("failed printing to std") && message.contains("Broken pipe") {
            std::process::exit(CLOSED_PIPE);
        }
        told(panic);
    }));
}
