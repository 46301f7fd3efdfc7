//! `portcullis sign`: with a key file, or in two steps with a key that never leaves its HSM or KMS.

use super::files::{self, CliError};
use clap::Args;
use data_encoding::HEXLOWER;
use ed25519_dalek::SigningKey;
use portcullis_bundle::{Bundle, OpenError, Trust, attach_signature, key_id, set_key, sign};
use std::path::PathBuf;
use std::process::ExitCode;

/// The bundle, and who signs it.
#[derive(Args, Clone, Debug)]
pub struct Sign {
    /// The bundle; it is replaced at once or not at all
    bundle: PathBuf,
    /// The key that signs, as `portcullis keygen` writes it
    #[arg(short, long, value_name = "FILE", required_unless_present = "external")]
    key: Option<PathBuf>,
    /// The key is kept elsewhere: first `--message-out`, then `--signature`
    #[arg(long, conflicts_with = "key", requires = "public_key")]
    external: bool,
    /// The public half of the key that is kept elsewhere, in hexadecimal
    #[arg(long, value_name = "HEX", value_parser = files::public_key, requires = "external")]
    public_key: Option<[u8; 32]>,
    /// Write the exact bytes to be signed (ed25519, no prehash) to this file
    #[arg(long, value_name = "FILE", requires = "external", required_unless_present_any = ["signature", "key"])]
    message_out: Option<PathBuf>,
    /// Attach the signature in this file: 64 bytes, or as many in hexadecimal
    #[arg(long, value_name = "FILE", requires = "external", conflicts_with = "message_out")]
    signature: Option<PathBuf>,
    /// Where the signed bundle goes, instead of replacing the unsigned one
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// Signs. Nothing is written that the key would not verify.
pub fn run(options: &Sign) -> Result<ExitCode, CliError> {
    let path = &options.bundle;
    let refused = |source: OpenError| CliError::Open { path: path.clone(), source };
    let mut bytes = files::read(path)?;
    // A signature vouches for the content: sign nothing that is not sound.
    Bundle::open(bytes.clone(), &Trust { keys: Vec::new(), allow_unsigned: true })
        .map_err(refused)?;
    let public = match (&options.key, options.public_key) {
        (Some(key), _) => {
            let seed = files::read_key(key)?;
            sign(&mut bytes, &seed).map_err(refused)?;
            SigningKey::from_bytes(&seed).verifying_key().to_bytes()
        }
        (None, Some(public)) => {
            let message = set_key(&mut bytes, &public).map_err(refused)?;
            if let Some(to) = &options.message_out {
                files::write(to, &message)?;
                println!("wrote {}: sign these {} bytes", to.display(), message.len());
                return Ok(ExitCode::SUCCESS);
            }
            let signature = options.signature.as_deref().map(files::read).transpose()?;
            let signature = signature.as_deref().and_then(signature_of);
            let signature = signature.ok_or_else(|| {
                CliError::Other("the signature is not 64 bytes, raw or in hexadecimal".to_owned())
            })?;
            attach_signature(&mut bytes, &signature).map_err(refused)?;
            public
        }
        (None, None) => {
            return Err(CliError::Other("`--external` needs `--public-key`".to_owned()));
        }
    };
    let trust = Trust { keys: vec![public], allow_unsigned: false };
    Bundle::open(bytes.clone(), &trust).map_err(refused)?;
    let to = options.output.as_ref().unwrap_or(path);
    files::write(to, &bytes)?;
    println!("wrote {}: signed by {}", to.display(), HEXLOWER.encode(&key_id(&public)));
    Ok(ExitCode::SUCCESS)
}

fn signature_of(bytes: &[u8]) -> Option<[u8; 64]> {
    bytes.try_into().ok().or_else(|| files::from_hex(std::str::from_utf8(bytes).ok()?.trim()))
}
