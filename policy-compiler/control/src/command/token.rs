//! `portcullis token`: made here, so that the service never sees one before it is used.

use super::ClientError;
use crate::identity::{Role, new_token};
use crate::names;
use clap::Args;

/// Whose token it is.
#[derive(Args, Clone, Debug)]
pub struct Token {
    /// The identity, as the audit log is going to name it
    #[arg(long, value_name = "NAME", value_parser = names::name)]
    name: String,
    /// What it may do: `gateway`, `reader` or `publisher`
    #[arg(long, value_name = "ROLE", value_parser = Role::of_name)]
    role: Role,
    /// For which policies; all without it
    #[arg(long, value_name = "NAME,NAME", value_delimiter = ',', value_parser = names::name)]
    policies: Vec<String>,
}

pub(super) fn run(options: &Token) -> Result<(), ClientError> {
    let (token, hash) = new_token()
        .map_err(|error| ClientError::Other(format!("the system has no randomness: {error}")))?;
    let policies = options.policies.join(",");
    let line = format!("{} {} token:{hash} {policies}", options.name, options.role.name());
    println!("token: {token}");
    println!("credentials: {}", line.trim_end());
    Ok(())
}
