//! `portcullis verify`.

use super::files::{self, CliError};
use clap::Args;
use portcullis_bundle::{Bundle, Trust};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

/// The bundle, and what a gateway would hold it to.
#[derive(Args, Clone, Debug)]
pub struct Verify {
    /// The bundle
    bundle: PathBuf,
    /// A public key that bundles are trusted by, in hexadecimal; may be repeated
    #[arg(long = "public-key", value_name = "HEX", value_parser = files::public_key, required_unless_present = "allow_unsigned")]
    public_keys: Vec<[u8; 32]>,
    /// Take a bundle without a signature too
    #[arg(long)]
    allow_unsigned: bool,
    /// The gateway's audience
    #[arg(long, value_name = "NAME")]
    audience: Option<String>,
    /// The least epoch that the gateway takes
    #[arg(long, value_name = "N", default_value_t = 0)]
    minimum_epoch: u64,
    /// The time to check validity at (RFC 3339, UTC), instead of now
    #[arg(long, value_name = "TIME", value_parser = files::time)]
    at: Option<i64>,
}

/// Checks a bundle as a gateway does before it activates it.
pub fn run(options: &Verify) -> Result<ExitCode, CliError> {
    let path = &options.bundle;
    let trust = Trust { keys: options.public_keys.clone(), allow_unsigned: options.allow_unsigned };
    let bundle = Bundle::open(files::read(path)?, &trust)
        .map_err(|source| CliError::Open { path: path.clone(), source })?;
    let now = options.at.unwrap_or_else(|| {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
    });
    bundle
        .check_activation(now, options.minimum_epoch, options.audience.as_deref())
        .map_err(|source| CliError::Activation { path: path.clone(), source })?;
    let signed = match (bundle.is_signed(), trust.keys.is_empty()) {
        (true, false) => format!("signed by {}", bundle.key_id()),
        (true, true) => format!("signed by {} (no key given: not checked)", bundle.key_id()),
        (false, _) => "unsigned".to_owned(),
    };
    println!("`{}` is sound: epoch {}, {signed}", path.display(), bundle.header().epoch);
    Ok(ExitCode::SUCCESS)
}
