//! `portcullis rollback`: gateways take no lower epoch, so the older policy is signed again under a higher one.

use super::publish::{epoch, send};
use super::wait::{self, Waiting};
use super::{ClientError, public_key};
use crate::client::{Remote, read};
use crate::http::publish::HIGHEST;
use crate::names;
use clap::Args;
use ed25519_dalek::SigningKey;
use portcullis_bundle::{Bundle, Trust, reissue, sign};
use std::path::{Path, PathBuf};

/// What to go back to, and who signs it.
#[derive(Args, Clone, Debug)]
pub struct Rollback {
    #[command(flatten)]
    remote: Remote,
    /// The policy
    #[arg(long, value_name = "NAME", value_parser = names::name)]
    policy: String,
    /// The epoch whose policy is wanted back
    #[arg(long, value_name = "N")]
    to_epoch: i64,
    /// The key that signs, as `portcullis keygen` writes it
    #[arg(short, long, value_name = "FILE")]
    key: PathBuf,
    /// A public key that may have signed the older bundle, where it was not this one; may be repeated
    #[arg(long = "public-key", value_name = "HEX", value_parser = public_key)]
    public_keys: Vec<[u8; 32]>,
    /// The new epoch, instead of the one after the highest that was published
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(i64).range(1..))]
    epoch: Option<i64>,
    /// The policy's name in the older bundle, where it is not that of `--policy`
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Until when the bundle may be activated (RFC 3339, UTC), instead of what the older one says
    #[arg(long, value_name = "TIME", value_parser = time)]
    not_after: Option<i64>,
    /// The channel
    #[arg(long, value_name = "NAME", default_value = "stable", value_parser = names::name)]
    channel: String,
    /// Keep the new bundle in this file too
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    waiting: Waiting,
}

/// How far above the older epoch the service may say that the highest is.
const FURTHEST: i64 = 1_000_000;

pub(super) fn run(options: &Rollback) -> Result<(), ClientError> {
    let client = options.remote.client()?;
    let (policy, seed) = (&options.policy, read_key(&options.key)?);
    let public = SigningKey::from_bytes(&seed).verifying_key().to_bytes();
    let mut bytes =
        client.get_bytes(&format!("/v1/policies/{policy}/bundles/{}", options.to_epoch))?;
    // What is signed here was signed before by a key that is trusted: a service that was broken into must not have
    // its own content signed.
    let mut keys = vec![public];
    keys.extend(&options.public_keys);
    let older = Bundle::open(bytes.clone(), &Trust { keys, allow_unsigned: false });
    let older = older
        .map_err(|error| ClientError::Other(format!("epoch {}: {error}", options.to_epoch)))?;
    if i64::try_from(older.header().epoch.get()) != Ok(options.to_epoch) {
        let found = older.header().epoch.get();
        return Err(ClientError::Other(format!("the service sent epoch {found} instead")));
    }
    let view = older.view();
    let name = view.policy.first().map_or("", |policy| view.text(policy.name));
    named(name, options.name.as_ref().unwrap_or(policy))?;
    let new = match options.epoch {
        Some(epoch) => epoch,
        None => {
            let told = client.get(&format!("/v1/policies/{policy}"))?;
            following(told["highest"].as_i64().unwrap_or(options.to_epoch), options.to_epoch)?
        }
    };
    if new >= HIGHEST {
        return Err(ClientError::Other(format!("too few epochs could follow {new}")));
    }
    let failed = |error: portcullis_bundle::OpenError| ClientError::Other(error.to_string());
    reissue(&mut bytes, new.unsigned_abs(), options.not_after).map_err(failed)?;
    sign(&mut bytes, &seed).map_err(failed)?;
    Bundle::open(bytes.clone(), &Trust { keys: vec![public], allow_unsigned: false })
        .map_err(failed)?;
    if let Some(path) = &options.output {
        std::fs::write(path, &bytes)
            .map_err(|source| ClientError::File { path: path.clone(), source })?;
    }
    let told = send(&client, policy, &options.channel, "", &bytes)?;
    println!("its policy is that of epoch {}", options.to_epoch);
    wait::run(&client, &options.waiting, policy, &options.channel, epoch(&told))
}

/// The epoch after the highest that was published, by the service's word: signed far ahead, gateways would take
/// nothing else any more.
fn following(highest: i64, older: i64) -> Result<i64, ClientError> {
    let new = highest.saturating_add(1);
    if new.saturating_sub(older) > FURTHEST {
        return Err(ClientError::Other(format!(
            "the service says that epoch {highest} was published, which is more than {FURTHEST} above {older}: if that \
             is right, give `--epoch {new}`"
        )));
    }
    Ok(new)
}

/// Another policy's bundle is signed by the same key.
fn named(found: &str, expected: &str) -> Result<(), ClientError> {
    if found == expected {
        return Ok(());
    }
    let found = names::bounded(found, 200);
    Err(ClientError::Other(format!(
        "the policy in the older bundle is called `{found}`, not `{expected}`: if it is the right one, give `--name {found}`"
    )))
}

fn read_key(path: &Path) -> Result<[u8; 32], ClientError> {
    let text = String::from_utf8_lossy(&read(path)?).trim().to_owned();
    public_key(&text).map_err(|what| {
        ClientError::Other(format!(
            "`{}` is no key that `portcullis keygen` wrote: {what}",
            path.display()
        ))
    })
}

/// RFC 3339 in UTC, as Unix seconds.
fn time(text: &str) -> Result<i64, String> {
    let wrong = || "not a time like `2026-12-31T23:59:59Z` (RFC 3339, in UTC)".to_owned();
    let time = humantime::parse_rfc3339(text).map_err(|_| wrong())?;
    let since = time.duration_since(std::time::UNIX_EPOCH).map_err(|_| wrong())?;
    i64::try_from(since.as_secs()).map_err(|_| wrong())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_can_have_nothing_signed_that_cannot_be_followed_or_is_another_policy() {
        assert_eq!(following(9, 3).unwrap(), 10);
        assert_eq!(following(1_000_002, 3).unwrap(), 1_000_003);
        for highest in [1_000_003, HIGHEST - 2, i64::MAX] {
            let told = following(highest, 3).unwrap_err().to_string();
            assert!(told.contains("--epoch"), "{told}");
        }
        assert!(named("bank", "bank").is_ok());
        let told = named("shop", "bank").unwrap_err().to_string();
        assert!(told.contains("--name shop"), "{told}");
    }
}
