//! The commands that run the service or talk to it. CONTROL.md documents each; a test holds it to name every flag.

mod change;
mod publish;
mod rollback;
mod show;
mod sync;
mod token;
mod wait;

use crate::client::ClientError;
use crate::serve::{self, Serve};
use clap::Subcommand;
use std::process::ExitCode;

/// Delivery: a service, and those who talk to it.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Run the control service: bundles to gateways by channel, over xDS and HTTP
    Serve(Box<Serve>),
    /// Make a token, and its line for the credentials file of the control service
    Token(token::Token),
    /// Publish a bundle to a channel of the control service
    Publish(publish::Publish),
    /// Let a channel lead to what another one has: canary's bundle to stable
    Promote(change::Promote),
    /// Say which gateways a channel is for: by labels and percentage
    Rollout(change::RollOut),
    /// Remove a channel that is for nobody: one whose name was typed wrong
    RemoveChannel(change::RemoveChannel),
    /// Remove a policy that is for nobody: one whose name was typed wrong
    RemovePolicy(change::RemovePolicy),
    /// Sign an older policy under a higher epoch, and publish it
    Rollback(rollback::Rollback),
    /// Hold a channel, or gateways by label, at an epoch
    Pin(change::Pin),
    /// Release what is held
    Unpin(change::Unpin),
    /// Tell which gateway and worker runs which epoch
    Status(show::Status),
    /// Tell what was published, promoted, rolled out and pinned
    History(show::History),
    /// Tell who asked the control service for what
    Audit(show::AuditLog),
    /// Keep a bundle file, or a file for Envoy's ECDS, up to date from a control service or any HTTP store
    Sync(Box<sync::Sync>),
}

/// Runs a command. 0: done; 1: refused, or the service is away; 2: nothing says where it is.
pub fn run(command: &Command) -> ExitCode {
    let outcome = match command {
        Command::Serve(options) => {
            serve::run(options).map_err(|error| ClientError::Other(error.to_string()))
        }
        Command::Token(options) => token::run(options),
        Command::Publish(options) => publish::run(options),
        Command::Promote(options) => change::promote(options),
        Command::Rollout(options) => change::roll_out(options),
        Command::RemoveChannel(options) => change::remove_channel(options),
        Command::RemovePolicy(options) => change::remove_policy(options),
        Command::Rollback(options) => rollback::run(options),
        Command::Pin(options) => change::pin(options),
        Command::Unpin(options) => change::unpin(options),
        Command::Status(options) => show::status(options),
        Command::History(options) => show::history(options),
        Command::Audit(options) => show::audit(options),
        Command::Sync(options) => sync::run(options),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            match error {
                ClientError::Nowhere(_) => ExitCode::from(2),
                _ => ExitCode::FAILURE,
            }
        }
    }
}

/// For arguments that are public keys.
pub(crate) fn public_key(text: &str) -> Result<[u8; 32], String> {
    let bytes = data_encoding::HEXLOWER_PERMISSIVE.decode(text.trim().as_bytes()).ok();
    let bytes = bytes.and_then(|bytes| bytes.try_into().ok());
    bytes.ok_or_else(|| "not 64 hexadecimal digits".to_owned())
}

/// For arguments that are selectors: checked here, passed on as text.
fn labels(text: &str) -> Result<String, String> {
    let labels: crate::names::Labels = text.parse()?;
    Ok(labels.to_string())
}

/// For arguments that are percentages.
fn percentage(text: &str) -> Result<f64, String> {
    let value = text.trim_end_matches('%').parse().ok();
    value
        .filter(|it| (0.0..=100.0).contains(it))
        .ok_or_else(|| "not a percentage between 0 and 100".to_owned())
}

#[cfg(test)]
mod tests;
