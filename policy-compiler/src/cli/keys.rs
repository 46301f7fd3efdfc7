//! `portcullis keygen`.

use super::files::{self, CliError};
use clap::Args;
use data_encoding::HEXLOWER;
use ed25519_dalek::SigningKey;
use portcullis_bundle::key_id;
use std::path::PathBuf;
use std::process::ExitCode;

/// Where the key goes.
#[derive(Args, Clone, Debug)]
pub struct Keygen {
    /// Where the signing key goes: 64 hexadecimal digits, readable by the owner alone; an existing file is never replaced
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
}

/// Makes a key and prints the public half.
pub fn run(options: &Keygen) -> Result<ExitCode, CliError> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed)
        .map_err(|error| CliError::Other(format!("the system gives no randomness: {error}")))?;
    let public = SigningKey::from_bytes(&seed).verifying_key().to_bytes();
    files::write_secret(&options.output, format!("{}\n", HEXLOWER.encode(&seed)).as_bytes())?;
    println!("public key: {}", HEXLOWER.encode(&public));
    println!("key id:     {}", HEXLOWER.encode(&key_id(&public)));
    Ok(ExitCode::SUCCESS)
}
