//! `portcullis publish`.

use super::change::encoded;
use super::wait::{self, Waiting};
use super::{ClientError, labels, percentage};
use crate::client::{Client, Remote, read};
use crate::current::STABLE;
use crate::names;
use clap::Args;
use portcullis_bundle::{Bundle, Trust};
use serde_json::Value;
use std::path::PathBuf;

/// The bundle, and where it goes.
#[derive(Args, Clone, Debug)]
pub struct Publish {
    /// The bundle
    bundle: PathBuf,
    #[command(flatten)]
    remote: Remote,
    /// The policy that it is a new version of; without it, the policy's name in the bundle
    #[arg(long, value_name = "NAME", value_parser = names::name)]
    policy: Option<String>,
    /// The channel
    #[arg(long, value_name = "NAME", default_value = "stable", value_parser = names::name)]
    channel: String,
    /// Let the channel be for so many of its gateways
    #[arg(long, value_name = "PERCENT", value_parser = percentage)]
    percentage: Option<f64>,
    /// Let the channel be for gateways with these labels
    #[arg(long, value_name = "K=V,K=V", value_parser = labels)]
    labels: Option<String>,
    #[command(flatten)]
    waiting: Waiting,
}

pub(super) fn run(options: &Publish) -> Result<(), ClientError> {
    let bytes = read(&options.bundle)?;
    // What no gateway could read needs no service to say so. Whose signature counts, the service says.
    let anyone = Trust { keys: Vec::new(), allow_unsigned: true };
    let bundle = Bundle::open(bytes, &anyone)
        .map_err(|error| ClientError::Other(format!("`{}`: {error}", options.bundle.display())))?;
    let policy = match &options.policy {
        Some(policy) => policy.clone(),
        None => name_of(&bundle)?,
    };
    let rollout = rollout(options)?;
    let client = options.remote.client()?;
    let told = send(&client, &policy, &options.channel, &rollout, bundle.as_bytes())?;
    wait::run(&client, &options.waiting, &policy, &options.channel, epoch(&told))
}

/// Which gateways the channel is to be for: said with the bundle, so that no other gets it even for a moment.
fn rollout(options: &Publish) -> Result<String, ClientError> {
    let (percentage, labels) = (options.percentage, options.labels.as_deref());
    if options.channel == STABLE && (percentage.is_some() || labels.is_some()) {
        return Err(ClientError::Other(format!(
            "`{STABLE}` is for every gateway: give `--channel canary`, or any other name"
        )));
    }
    let percentage = percentage.map(|it| format!("&percentage={it}")).unwrap_or_default();
    let labels = labels.map(|it| format!("&labels={}", encoded(it))).unwrap_or_default();
    Ok(percentage + &labels)
}

/// Publishes bytes, and tells what became of them.
pub(super) fn send(
    client: &Client,
    policy: &str,
    channel: &str,
    rollout: &str,
    bytes: &[u8],
) -> Result<Value, ClientError> {
    let path = format!("/v1/policies/{policy}/bundles?channel={channel}{rollout}");
    let told = client.publish(&path, bytes)?;
    let how = match told["result"].as_str() {
        Some("known") => " (it was there already)",
        _ => "",
    };
    println!("published epoch {} of `{policy}` to `{channel}`{how}", epoch(&told));
    Ok(told)
}

pub(super) fn epoch(told: &Value) -> i64 {
    told["epoch"].as_i64().unwrap_or_default()
}

fn name_of(bundle: &Bundle) -> Result<String, ClientError> {
    let view = bundle.view();
    let name = view.policy.first().map_or("", |policy| view.text(policy.name));
    names::name(name).map_err(|what| {
        ClientError::Other(format!("the policy's name in the bundle is {what}: give `--policy`"))
    })
}
